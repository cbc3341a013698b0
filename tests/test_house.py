"""The house keeps its order: small rooms, imports that go only downwards, and an import that costs little."""

import ast
import os
import statistics
import subprocess
import sys
import time
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "pullback"

# Top to bottom. A module or package (a "unit") imports units of floors below its own, and of its own floor as long as no
# circle comes of it. A new unit is added here, on the lowest floor that can carry it.
FLOORS = [
    ["__main__"],
    ["__init__"],
    ["cli", "preload"],
    ["alias"],
    ["inspect", "jit"],
    ["utils"],
    ["hub"],
    ["_tensor", "_utils", "distributions", "nn", "optim", "serialization", "storage"],
    [
        "_C",
        "__config__",
        "accelerator",
        "amp",
        "backends",
        "compiler",
        "cpu",
        "cuda",
        "distributed",
        "export",
        "fft",
        "futures",
        "library",
        "linalg",
        "mps",
        "multiprocessing",
        "onnx",
        "profiler",
        "return_types",
        "runtime",
        "signal",
        "special",
        "testing",
        "xpu",
    ],
    ["autograd"],
    ["func"],
    ["compile"],
    ["overrides"],
    ["arguments", "conversion", "numpy_protocols", "copying", "creation", "from_data", "info", "memory", "sampling"],
    ["attributes", "forms", "indexing", "out", "tensor"],
    ["tape"],
    ["interpreters"],
    ["kernels"],
    ["program"],
    ["ops"],
    ["devices", "files", "nested", "printing", "random", "rejection"],
    ["clock", "context", "dtypes", "errors", "naming", "source", "torch_version", "tree", "version"],
]

# What nobody pays for until it is used.
LAZY = [
    "scipy",
    "ml_dtypes",
    "rich",
    "safetensors",
    "matplotlib",
    "torch",
    "cupy",
    "threadpoolctl",
    "concurrent.futures",
    "subprocess",
    "ctypes",
]
IMPORT_BUDGET = 0.1  # seconds on top of `import numpy`
ROUNDS = 9


def test_rooms_are_small():
    measured = subprocess.run([sys.executable, ROOT / "tools" / "measure.py"], capture_output=True, text=True)
    assert measured.returncode == 0, measured.stdout + measured.stderr


def test_every_unit_has_a_floor():
    assert sorted({unit_of(path) for path in sources()} - set(floor_numbers())) == []


def test_imports_go_only_downwards():
    floors = floor_numbers()
    upward = [
        f"{path.relative_to(ROOT)}:{line}: {unit_of(path)} imports {imported}, which is on a higher floor"
        for path in sources()
        if unit_of(path) in floors
        for imported, line in imported_units(path)
        if floors[imported] < floors[unit_of(path)]
    ]
    assert not upward, "\n".join(upward)


def test_units_do_not_import_in_circles():
    graph = {}
    for path in sources():
        unit = unit_of(path)
        graph.setdefault(unit, set()).update(imported for imported, _ in imported_units(path) if imported != unit)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("imports in a circle: " + " -> ".join(reversed(error.args[1])))


@pytest.mark.parametrize(
    "path, source, expected",
    [
        ("tape/engine.py", "from pullback.nn import Linear", ["nn"]),
        ("tape/engine.py", "from pullback import clock", ["clock"]),
        ("tape/engine.py", "import pullback", ["__init__"]),
        ("tape/engine.py", "from pullback import Tensor", ["__init__"]),
        ("tape/engine.py", "def f():\n    import pullback.nn.functional as F", ["nn"]),
        ("tape/engine.py", "from . import graph", ["tape"]),
        ("tape/engine.py", "from .graph import Node", ["tape"]),
        ("tape/engine.py", "from ..clock import tick", ["clock"]),
        ("tape/engine.py", "from .. import nn", ["nn"]),
        ("tensor.py", "from . import tape", ["tape"]),
        ("nn/modules/linear.py", "from ... import optim", ["optim"]),
        ("tape/engine.py", "import importlib\nimportlib.import_module('pullback.nn')", ["nn"]),
        ("tape/engine.py", "import numpy, pullbacks", []),
    ],
)
def test_imports_are_found_in_every_form(path, source, expected):
    assert [unit for unit, _ in imported_units(PACKAGE / path, source)] == expected


def test_import_loads_nothing_that_is_used_only_later():
    script = "import sys, numpy; before = set(sys.modules); import pullback; print(*sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "pullback" in loaded
    assert [name for name in loaded if any(name == lazy or name.startswith(f"{lazy}.") for lazy in LAZY)] == []


def test_import_takes_hardly_longer_than_numpys():
    import_time("pullback")  # writes the bytecode
    extra = statistics.median(import_time("pullback") - import_time("numpy") for _ in range(ROUNDS))
    assert extra <= IMPORT_BUDGET, f"import pullback takes {extra * 1000:.0f} ms longer than import numpy"


def import_time(module):
    """Seconds that a fresh process needs to start, import the module and end."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=environment)
    return time.perf_counter() - start


def floor_numbers():
    return {unit: number for number, floor in enumerate(FLOORS) for unit in floor}


def sources():
    return sorted(PACKAGE.rglob("*.py"))


def unit_of(path):
    """The module or package right under ``pullback`` that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_units(path, source=None):
    """The units that a file imports anywhere, also inside functions and for type checking only, with line numbers."""
    tree = ast.parse(path.read_text(encoding="utf-8") if source is None else source)
    found = []
    for node in ast.walk(tree):
        for name in imported_names(node, path):
            parts = name.split(".")
            if parts[0] == "pullback":
                known = len(parts) > 1 and parts[1] in floor_numbers()
                found.append((parts[1] if known else "__init__", node.lineno))
    return found


def imported_names(node, path):
    """The full names that one statement imports, with relative ones resolved."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        package = ["pullback", *path.relative_to(PACKAGE).parent.parts]
        base = package[: len(package) - node.level + 1] if node.level else []
        module = ".".join([*base, *filter(None, [node.module])])
        return [f"{module}.{alias.name}" for alias in node.names] if module == "pullback" else [module]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        return [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
    return []
