"""Everything that the documentation shows is run: code blocks of the pages, and examples of the docstrings.

In README.md, CONTRIBUTING.md and docs/*.md, in an empty folder where `examples/` and `docs/` can be reached:

- every ``python`` block runs, the blocks of a page one after the other in one namespace;
- a ``text`` or ``output`` block right after it is exactly what it printed;
- a ``console`` block runs if the line before it is ``<!-- run -->``: each line that starts with ``$ `` is given to bash,
  and the lines after it are exactly what it printed (``pullback`` and ``python`` are the ones under test). An unmarked one
  is only to be read: installing, for example, is none of a test's business.

In docstrings, ``torch`` is Pullback without an import.
"""

import contextlib
import doctest
import importlib
import inspect
import io
import itertools
import os
import pkgutil
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import pullback

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    page for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))) if page.exists()
]
FENCE = re.compile(r"(?P<mark>`{3,}|~{3,}) *(?P<language>\w*)")
RUN = "<!-- run -->"
OPTIONAL = {
    "llvmlite",
    "cupy",
    "mpi4py",
    "matplotlib",
    "tensorboardX",
}  # a module that needs an absent one has no examples to run


@dataclass
class Block:
    """A fenced block of a page; ``line`` is that of its first line of text, ``adjoins`` says whether only blank lines
    lie between it and the block before."""

    language: str
    line: int
    text: str
    is_marked: bool
    adjoins: bool


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page(page, tmp_path, monkeypatch):
    for folder in ("examples", "docs"):
        if (ROOT / folder).exists():
            (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    run_page(page.read_text(encoding="utf-8"), page.name)


def run_page(text, name):
    """Run every block of a page and compare what it prints with what the page says."""
    namespace, printed = {"__name__": "__main__"}, None
    for block in blocks_of(text):
        if block.language == "python":
            printed = run_python(block, name, namespace)
        elif block.language in ("text", "output") and block.adjoins and printed is not None:
            assert printed == block.text, (
                f"{name}:{block.line}: the page does not show what the block before it printed"
            )
        elif block.language == "console" and block.is_marked:
            run_console(block, name)
        if block.language != "python":
            printed = None


def run_python(block, name, namespace):
    """Run one block, with the page's line numbers in any traceback, and return what it printed."""
    code = compile("\n" * (block.line - 1) + block.text, name, "exec", dont_inherit=True)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(code, namespace)
    return output.getvalue()


def run_console(block, name):
    """Run each command of a session, and compare it with the lines that follow it."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command, expected in commands_of(block.text):
        done = subprocess.run(
            ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        assert done.stdout == expected, (
            f"{name}:{block.line}: `{command}` printed something else (exit {done.returncode})"
        )


def commands_of(text):
    """Pairs of a command and the output that is shown for it."""
    for session in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = session.partition("\n")
        yield command, expected


def blocks_of(text):
    """The fenced blocks of a page, in order."""
    lines = enumerate(text.splitlines(keepends=True), 1)
    before, adjoins = "", False
    for number, line in lines:
        if fence := FENCE.match(line):
            inside = [
                line for _, line in itertools.takewhile(lambda entry: not entry[1].startswith(fence["mark"]), lines)
            ]
            yield Block(fence["language"], number + 1, "".join(inside), before.strip() == RUN, adjoins)
            adjoins = True
        elif line.strip():
            adjoins = False
        before = line if line.strip() else before


PAGE = """\
# A page

```python
x = 2
print(x)
```

```text
2
```

Some words.

```text
not compared with anything
```

```python
print(x + 1); print()
```
```output
3

```

<!-- run -->
```console
$ echo one; echo two
one
two
$ true
```

```console
$ false
never run
```
"""


def test_a_page_that_is_right_passes():
    run_page(PAGE, "page.md")


@pytest.mark.parametrize(
    "right, wrong, line",
    [("2\n```", "3\n```", 9), ("3\n\n```", "3\n```", 22), ("one\ntwo", "one", 28)],
    ids=["text block", "blank line at the end", "console block"],
)
def test_a_page_that_is_wrong_is_found_by_its_line(right, wrong, line):
    with pytest.raises(AssertionError, match=rf"page\.md:{line}: "):
        run_page(PAGE.replace(right, wrong, 1), "page.md")


def test_a_failing_block_is_found_by_its_line():
    with pytest.raises(ZeroDivisionError) as caught:
        run_page("words\n\n```python\na = 1\na / 0\n```\n", "page.md")
    assert (str(caught.traceback[-1].path), caught.traceback[-1].lineno + 1) == ("page.md", 5)


MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(pullback.__path__, "pullback.")
    if not module.name.endswith(("__main__", ".preload"))  # which change the process that imports them
)


@pytest.mark.parametrize("name", ["pullback", *MODULES])
def test_examples_of_module(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where examples may write files
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
        pytest.skip(f"{error.name} is not installed")
    for example in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs={"torch": pullback}):
        run_examples(example)


def test_examples_of_public_names():
    """Functions and methods that are made from the table belong to no module that doctest would look into."""
    for docstring, name in public_docstrings().items():
        run_examples(doctest.DocTestParser().get_doctest(docstring, {"torch": pullback}, name, None, None))


def public_docstrings():
    """Every docstring with an example that the front door and the Tensor show, once, with a name that has it."""
    found = {}
    for prefix, holder in (("torch", pullback), ("torch.Tensor", getattr(pullback, "Tensor", None))):
        for name, value in vars(holder).items() if holder is not None else ():
            if not name.startswith("_") and not inspect.ismodule(value) and ">>>" in (inspect.getdoc(value) or ""):
                found.setdefault(inspect.getdoc(value), f"{prefix}.{name}")
    return found


def run_examples(examples):
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(examples, out=report.write)
    assert runner.summarize(verbose=False).failed == 0, report.getvalue()
