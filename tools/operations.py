"""Write docs/operations.md, the table of operations as a page: ``python tools/operations.py [--check]``.

``--check`` writes nothing, and exits with 1 where the page is out of date.
"""

import sys
from pathlib import Path

import pullback.tensor  # noqa: F401  (fills the table)
from pullback.ops.table import BILINEAR, LINEAR, OVERLOADS, TABLE, Op

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operations.md"

HEAD = """# The table of operations

Made by `python tools/operations.py` from the table; a test fails where this page is out of date.

*Forms*: `f` a function of `torch`, `F` one of `torch.nn.functional`, `m` a method, `_` an in-place method. *Derivative*: by
which declaration the operation is differentiated in reverse and forward mode, to any order: `rules` of its own,
`formula` over other operations, `linear`, `bilinear`; `–` where it has none. Every operation passes through `vmap`, and
every trace of it can be replayed.
"""


def forms(record) -> str:
    """The public forms of a record."""
    found = ""
    if record.function:
        found += "f" * ("torch" in record.homes) + "F" * ("nn.functional" in record.homes)
    found += "m" * record.method
    return found + "_" * bool(getattr(record, "inplace", False))


def derivative(record) -> str:
    if not isinstance(record, Op):
        return "of the operation it stands for"
    if record.composite:
        return "formula"
    if not record.diff:
        return "–"
    return {LINEAR: "linear", BILINEAR: "bilinear"}.get(record.jvp if isinstance(record.jvp, str) else "", "rules")


def row(record) -> str:
    sentence = " ".join(record.doc.split()).split(". ")[0].rstrip(".")
    cells = (f"`{record.name}{record.signature}`", sentence.replace("|", "\\|"), forms(record), derivative(record))
    return f"| {' | '.join(cells)} |"


def page() -> str:
    """The whole page."""
    records = [
        r for r in (*TABLE.values(), *OVERLOADS.values()) if r.function or r.method or getattr(r, "inplace", False)
    ]
    rows = [row(r) for r in sorted(records, key=lambda r: r.name)]
    count = f"{len(rows)} public names over {len(TABLE)} operations.\n"
    return "\n".join([HEAD, count, "| operation | | forms | derivative |", "|---|---|---|---|", *rows, ""])


def main() -> int:
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") == page():
            return 0
        print("docs/operations.md is out of date: run python tools/operations.py")
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
