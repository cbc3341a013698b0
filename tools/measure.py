"""Measure the package: lines of code by folder, and whether every room is small enough.

A line of code is one that is neither blank, nor a comment, nor part of a docstring. A function is as long as the lines
of code from its ``def`` to its end, with the functions inside it. Run it by ``make measure``; it exits with 1 and names
the offenders if a limit below is passed.
"""

import ast
import io
import statistics
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "pullback"

MEDIAN_FUNCTION = 8
MOST_FUNCTIONS, LONGEST_FUNCTION = 25, 60
MOST_FILES, LONGEST_FILE = 450, 700
MOST = 0.9  # this share of functions and files keeps to the lower of the two limits

CORE = ("ops/table.py", "tape", "interpreters", "tensor.py")  # what a newcomer reads first
CORE_BUDGET, PACKAGE_BUDGET = 4_000, 60_000

NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class File:
    """One source file: how many lines of code and of comments it has, and how long its functions are."""

    path: str  # relative to the package
    code: int
    comments: int
    functions: dict[str, int] = field(default_factory=dict)  # "line name" -> lines of code


def main() -> int:
    """Print the table and the offenders; return the exit code."""
    files = [measure(path) for path in sorted(PACKAGE.rglob("*.py"))]
    print("\n".join(table(files)))
    offences = list(find_offences(files))
    for offence in offences:
        print(f"too large: {offence}", file=sys.stderr)
    return 1 if offences else 0


def measure(path: Path) -> File:
    """Count one file's lines."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    code, comments = count_lines(source)
    code -= docstring_lines(tree)
    functions = {
        f"{node.lineno} {node.name}": len(code & set(range(node.lineno, (node.end_lineno or 0) + 1)))
        for node in ast.walk(tree)
        if isinstance(node, FUNCTION)
    }
    return File(path.relative_to(PACKAGE).as_posix(), len(code), comments, functions)


def count_lines(source: str) -> tuple[set[int], int]:
    """The numbers of the lines that hold anything but comments, and how many lines hold a comment."""
    filled = {number for number, line in enumerate(source.splitlines(), 1) if line.strip()}
    code, comments = set(), 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        comments += token.type == tokenize.COMMENT
        if token.type not in NOT_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    return code & filled, comments


def docstring_lines(tree: ast.Module) -> set[int]:
    """The numbers of the lines that docstrings span."""
    lines = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTION)) and ast.get_docstring(node, clean=False) is not None:
            lines.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


def table(files: list[File]) -> Iterator[str]:
    """The lines of code by folder, with the size of the functions in each."""
    yield f"{'':16}{'files':>7}{'code':>8}{'comments':>10}{'functions':>11}{'median':>8}{'longest':>9}"
    folders = defaultdict(list)
    for file in files:
        folders[file.path.split("/")[0] + "/" if "/" in file.path else "."].append(file)
    for folder, inside in sorted(folders.items()):
        yield row(folder, inside)
    yield row("package", files)
    core, total = total_code(core_files(files)), total_code(files)
    yield f"core {core:,} of {CORE_BUDGET:,} lines of code; package {total:,} of {PACKAGE_BUDGET:,}"


def row(name: str, files: list[File]) -> str:
    """One folder's row."""
    lengths = function_lengths(files)
    code, comments = total_code(files), sum(file.comments for file in files)
    median = statistics.median(lengths) if lengths else 0
    return f"{name:16}{len(files):7}{code:8,}{comments:10,}{len(lengths):11,}{median:8.0f}{max(lengths, default=0):9}"


def find_offences(files: list[File]) -> Iterator[str]:
    """Each limit that is passed, as a sentence that names the offenders."""
    lengths = {f"src/pullback/{file.path}:{name}": n for file in files for name, n in file.functions.items()}
    if lengths and (median := statistics.median(lengths.values())) > MEDIAN_FUNCTION:
        yield f"the median function has {median:g} lines of code; the limit is {MEDIAN_FUNCTION}"
    yield from too_long("function", lengths, MOST_FUNCTIONS, LONGEST_FUNCTION)
    sizes = {f"src/pullback/{file.path}": file.code for file in files}
    yield from too_long("file", sizes, MOST_FILES, LONGEST_FILE)
    yield from over_budget("the core", core_files(files), CORE_BUDGET)
    yield from over_budget("the package", files, PACKAGE_BUDGET)


def too_long(kind: str, sizes: dict[str, int], most: int, longest: int) -> Iterator[str]:
    """What passes ``longest``; and, if more than a tenth passes ``most``, all of that tenth."""
    over = sorted((name for name, size in sizes.items() if size > most), key=sizes.__getitem__, reverse=True)
    for name in over:
        if sizes[name] > longest:
            yield f"{name} has {sizes[name]} lines of code; no {kind} may have more than {longest}"
    if len(over) > (1 - MOST) * len(sizes):
        listed = "".join(f"\n  {sizes[name]:5}  {name}" for name in over)
        yield f"{len(over)} of {len(sizes)} {kind}s pass {most} lines of code; one in ten may:{listed}"


def over_budget(name: str, files: list[File], budget: int) -> Iterator[str]:
    """A sentence if these files together reach the budget."""
    if (code := total_code(files)) >= budget:
        yield f"{name} has {code:,} lines of code; it must stay under {budget:,}"


def core_files(files: list[File]) -> list[File]:
    """The files that the core's budget counts."""
    return [file for file in files if any(file.path == part or file.path.startswith(f"{part}/") for part in CORE)]


def function_lengths(files: Iterable[File]) -> list[int]:
    """The length of every function in these files."""
    return [length for file in files for length in file.functions.values()]


def total_code(files: Iterable[File]) -> int:
    """The lines of code of these files together."""
    return sum(file.code for file in files)


if __name__ == "__main__":
    sys.exit(main())
