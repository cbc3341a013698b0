"""Facts about an installed torch, for tools/coverage.py: its names, their arguments, and what its functions can do.

``python tools/torch_names.py`` writes tools/torch_names.txt. It holds, for each namespace of operations, the public
names that are functions, methods or attributes (no classes, modules or constants) with the names of their arguments, and
what a trial of torch's function on our samples showed (the letters of ``trials.TRAITS``).
"""

import ast
import inspect
import operator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "tools" / "torch_names.txt"

# Each namespace of operations, and where it is found in the library.
SPACES = {
    "torch": "",
    "Tensor": "Tensor",
    "torch.linalg": "linalg",
    "torch.special": "special",
    "torch.fft": "fft",
    "torch.nn.functional": "nn.functional",
    "torch.signal.windows": "signal.windows",
}


def space_of(lib, space: str):
    """A library's namespace, or None where it has none."""
    try:
        return operator.attrgetter(SPACES[space])(lib) if SPACES[space] else lib
    except AttributeError:
        return None


def names_of(torch, space: str) -> dict[str, list[str]]:
    """The public names of a namespace that are neither classes, modules nor constants, with their arguments."""
    where = space_of(torch, space)
    found = {n: getattr(where, n) for n in sorted(dir(where)) if not n.startswith("_")}
    if space != "Tensor":
        kinds = (type(torch.abs), type(names_of), type(torch.ops.aten.abs))
        found = {n: v for n, v in found.items() if isinstance(v, kinds)}
    return {n: arguments(torch, space, n, v) for n, v in found.items()}


def arguments(torch, space: str, name: str, value) -> list[str]:
    """The names of a function's arguments, those of all its overloads: as Python, torch's stubs or its schemas say them."""
    if inspect.isfunction(value):
        parameters = inspect.signature(value).parameters.values()
        names = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    else:
        names = stubs(torch, space).get(name) or in_schemas(torch, space, name)
    names = ["input" if n == "self" else n for n in dict.fromkeys(names)]
    return [n for n in names if space != "Tensor" or n != "input"]


STUBS = {
    "torch": ("_VariableFunctions.pyi", None),
    "Tensor": ("__init__.pyi", "TensorBase"),
    "torch.nn.functional": ("_nn.pyi", None),
}


@cache
def stubs(torch, space: str) -> dict[str, list[str]]:
    """The arguments of the functions in the stub file of a namespace."""
    if space not in STUBS:
        return {}
    file, inside = STUBS[space]
    tree = ast.parse((Path(torch.__file__).parent / "_C" / file).read_text(encoding="utf-8"))
    body = tree.body
    if inside:
        body = next(n.body for n in body if isinstance(n, ast.ClassDef) and n.name == inside)
    found: dict[str, list[str]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            args = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            found.setdefault(node.name, []).extend(a.arg for a in args)
    return found


def in_schemas(torch, space: str, name: str) -> list[str]:
    """The arguments in torch's schemas, which know of no Python."""
    prefix = {"torch.linalg": "linalg_", "torch.special": "special_", "torch.fft": "fft_"}.get(space, "")
    schemas = torch._C._jit_get_schemas_for_operator(f"aten::{prefix}{name}")
    return [a.name for s in schemas if "Tensor" in str(s) and "Dimname" not in str(s) for a in s.arguments]


class Name:
    """What is known of one of torch's names: its arguments, and the letters of what a trial showed (None: not tried)."""

    def __init__(self, arguments: list[str], traits: str | None = None) -> None:
        self.arguments, self.traits = arguments, traits


def read() -> tuple[str, dict[tuple[str, str], Name]]:
    """torch's version, and what is known by namespace and name."""
    version, *lines = FILE.read_text(encoding="utf-8").splitlines()
    found: dict[tuple[str, str], Name] = {}
    for space, name, traits, *arguments in map(str.split, lines):
        known = None if traits == "?" else traits.strip("-")
        if (space, name) not in found or known is not None:  # two branches may both have added a line
            found[space, name] = Name(arguments, known)
    return version.split()[1], found


def write(version: str, names: dict[tuple[str, str], Name]) -> None:
    """One name a line: namespace, name, traits (``?`` not tried, ``-`` none), arguments."""
    lines = [f"torch {version}"]
    for (space, name), known in sorted(names.items()):
        traits = "?" if known.traits is None else known.traits or "-"
        lines.append(" ".join([space, name, traits, *known.arguments]))
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    import torch

    known = read()[1] if FILE.exists() else {}
    names = {(space, n): Name(args) for space in SPACES for n, args in names_of(torch, space).items()}
    for key, name in names.items():
        name.traits = known[key].traits if key in known else None
    write(torch.__version__.partition("+")[0], names)


if __name__ == "__main__":
    main()
