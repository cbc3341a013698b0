"""Write docs/coverage.md, what there is of torch's operations: ``python tools/coverage.py [--check]``.

The names come from ``tools/torch_names.txt``, the marks from trials of the functions here (``tools/trials.py``), and
what torch's functions can do from trials of those, which are noted down in the same file when a name first exists here and
torch is installed. ``--check`` writes nothing, and exits with 1 where the page is out of date.
"""

import inspect
import sys

import pullback
import torch_names
import trials
from pullback.arguments import Options
from pullback.ops.table import OVERLOADS, TABLE
from scope import reason
from torch_names import Name

Names = dict[tuple[str, str], Name]
PAGE = torch_names.ROOT / "docs" / "coverage.md"

HEAD = """# What there is of torch's operations

Made by `python tools/coverage.py` from the table, from trials, and from the names of torch {version}; a test fails where this
page is out of date. A name counts if it is a function, a method or an attribute that is an operation on dense tensors;
what does not count is listed at the end, with the reason.

The marks come from a call of each function on a sample of the table: `✓` it works; `–` neither here nor in torch (which has
no derivative of comparisons, no complex `floor`, and no `vmap` of `nonzero`); `✗` torch can, and Pullback cannot. *value*: the name exists
and gives a result; *vjp*: reverse mode; *jvp*: forward mode; *vmap*: without a loop; *second*: the gradient's gradient; *complex*:
complex numbers, with their gradient. That the results are right is what the tests say, not this page.
"""

MARKS = {"g": "vjp", "f": "jvp", "b": "vmap", "s": "second", "c": "complex"}


def record_of(space: str, name: str):
    """The record of the table that a name stands for, or None."""
    if space != "Tensor":
        served = sys.modules["pullback.tensor"].NAMESPACES.get(space.removeprefix("torch.") or "torch")
        return served.records.get(name) if served is not None else None
    return METHODS.get(name) or METHODS.get(name.removesuffix("_"))


def methods() -> dict:
    """The records of the tensor's methods and in-place methods by name."""
    records = [*TABLE.values(), *OVERLOADS.values()]
    found = {n + "_": r for r in records if getattr(r, "inplace", False) for n in (r.name, *r.aliases)}
    return found | {n: r for r in records if r.method for n in (r.name, *r.aliases)}


METHODS = methods()


def function_of(lib, space: str, name: str):
    """A library's function of a name; of an attribute, a function that reads it. None where there is none."""
    found = getattr(torch_names.space_of(lib, space), name, None)
    if found is not None and not callable(found):
        return lambda input: getattr(input, name)
    return found


def traits_here(space: str, name: str) -> str | None:
    """What the trial of a name here shows; None where the name does not exist."""
    function = function_of(pullback, space, name)
    return None if function is None else trials.traits(pullback, function, cases(space, name)) or ""


def cases(space: str, name: str) -> list:
    return trials.cases_for(record_of(space, name))


class Row:
    """One name: what it can do here and in torch, and which of torch's arguments it lacks."""

    def __init__(self, space: str, name: str, known: Name) -> None:
        self.space, self.name, self.here, self.there = space, name, traits_here(space, name), known.traits or ""
        self.lacks = [] if self.here is None else lacking(space, name, known.arguments)

    @property
    def is_whole(self) -> bool:
        return self.here is not None and "✗" not in self.marks()

    def marks(self) -> list[str]:
        if self.here is None:
            return ["✗"] + [""] * len(MARKS)
        return ["✓"] + ["✓" if m in self.here else "✗" if m in self.there else "–" for m in MARKS]

    def cells(self) -> str:
        note = (
            "not yet"
            if self.here is None
            else "without " + ", ".join(f"`{a}`" for a in self.lacks)
            if self.lacks
            else ""
        )
        return f"| {' | '.join([f'`{self.name}`', *self.marks(), note])} |"


def lacking(space: str, name: str, arguments: list[str]) -> list[str]:
    """Which of torch's argument names a function here does not take."""
    record, function = record_of(space, name), function_of(pullback, space, name)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    mine = {p.name for p in parameters} | set(record.params if record else ())
    if "options" in mine:
        mine.update(Options.__annotations__)
    return [a for a in arguments if a not in mine]


def ask_torch(names: Names) -> bool:
    """Find out what torch's functions can do, where a name exists here that was not tried; whether there was any."""
    new = [
        (space, name)
        for (space, name), known in names.items()
        if known.traits is None and reason(space, name) is None and function_of(pullback, space, name) is not None
    ]
    if not new:
        return False
    try:
        import torch
    except ImportError:
        return False
    for space, name in new:
        names[space, name].traits = trials.traits(torch, function_of(torch, space, name), cases(space, name)) or ""
    return True


def share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def page(version: str, names: Names) -> str:
    """The whole page."""
    rows: dict[str, list[Row]] = {space: [] for space in torch_names.SPACES}
    for (space, name), known in names.items():
        if reason(space, name) is None:
            rows[space].append(Row(space, name, known))
    sections = [line for space, each in rows.items() for line in section(space, each)]
    return "\n".join([HEAD.format(version=version), *summary(rows), *missing(rows), *sections, *outside(names)])


def summary(rows: dict[str, list[Row]]) -> list[str]:
    lines = ["| | names | exist | | whole | |", "|---|---:|---:|---:|---:|---:|"]
    for space, each in [*rows.items(), ("all", [r for found in rows.values() for r in found])]:
        exist, whole = sum(r.here is not None for r in each), sum(r.is_whole for r in each)
        lines.append(
            f"| {space} | {len(each)} | {exist} | {share(exist, len(each))} | {whole} | {share(whole, len(each))} |"
        )
    return [*lines, "\n*whole*: it exists and its row shows no `✗`.\n"]


def missing(rows: dict[str, list[Row]]) -> list[str]:
    """The names that do not exist, and those that can do less than torch's."""
    lines = ["## Not yet\n"]
    for space, each in rows.items():
        absent = [f"`{r.name}`" for r in each if r.here is None]
        partial = [f"`{r.name}`" for r in each if r.here is not None and not r.is_whole]
        lines += [f"- {space}: {', '.join(absent)}"] if absent else []
        lines += [f"- {space}, in part: {', '.join(partial)}"] if partial else []
    return [*lines, ""]


def section(space: str, rows: list[Row]) -> list[str]:
    head = f"| name | value | {' | '.join(MARKS.values())} | |\n|---|{'---|' * (len(MARKS) + 2)}"
    return [f"## {space}\n", head, *[row.cells() for row in rows], ""]


def outside(names: Names) -> list[str]:
    """The names that do not count, by reason; those that exist here nevertheless in bold."""
    found: dict[str, list[str]] = {}
    for space, name in names:
        why = reason(space, name)
        if why is not None:
            shown = f"`{space}.{name}`"
            exists = function_of(pullback, space, name) is not None
            found.setdefault(why, []).append(f"**{shown}**" if exists else shown)
    lines = [f"- {why}: {', '.join(found[why])}" for why in sorted(found)]
    return ["## What does not count\n", "Those in bold exist here all the same.\n", *lines, ""]


def main() -> int:
    version, names = torch_names.read()
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") == page(version, names):
            return 0
        print("docs/coverage.md is out of date: run python tools/coverage.py")
        return 1
    if ask_torch(names):
        torch_names.write(version, names)
    PAGE.write_text(page(version, names), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
