"""Facts about an installed torch, for tools/coverage.py: its names, their arguments, and what its functions can do.

``python tools/torch_names.py`` writes tools/torch_names.txt. It holds, for each namespace of operations, the public
names that are functions, methods or attributes (no classes, modules or constants) with the names of their arguments, and
what a trial of torch's function on our samples showed (the letters of ``trials.TRAITS``).
"""

import inspect
import operator
import re
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
    """The names of a function's arguments, those of all its overloads, as torch's schemas or Python say them."""
    prefix = {"torch.linalg": "linalg_", "torch.special": "special_", "torch.fft": "fft_"}.get(space, "")
    if inspect.isfunction(value):
        parameters = inspect.signature(value).parameters.values()
        names = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    else:
        schemas = torch._C._jit_get_schemas_for_operator(f"aten::{prefix}{name}")
        names = [a.name for s in schemas if is_public(torch, s) for a in s.arguments]
    names = ["input" if n == "self" else n for n in dict.fromkeys(names)]
    return [n for n in names if n not in (("input", "out") if space == "Tensor" else ())]


def is_public(torch, schema) -> bool:
    """Whether a schema is of an operation on tensors, and not one of the script language's own or one with named dims."""
    text = str(schema)
    return "Tensor" in text and "Dimname" not in text and not re.search(r"\b(str|t|float)\[?\]? self\b", text)


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
