"""The ``pullback`` command: ``run`` a PyTorch script on Pullback, or let the ``doctor`` look at the installation.

Responsible for arguments, exit codes and what is printed; the import hook behind ``run`` is ``alias``. Invariant: a
script under ``pullback run`` sees what it would see under ``python``: its own ``sys.argv``, ``sys.path[0]``,
``__main__``, exit code and traceback.
"""

import argparse
import builtins
import contextlib
import os
import platform
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType, TracebackType

from pullback import alias, naming
from pullback.alias import torch_is_pullback

INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C

REQUIRED = ("numpy", "scipy", "ml_dtypes", "safetensors", "threadpoolctl", "rich")

# extra -> (the packages that provide it, what it is for)
EXTRAS = {
    "native": (("llvmlite",), "native kernels"),
    "gpu": (("cupy-cuda12x", "cupy-cuda13x", "cupy-cuda11x", "cupy"), "arrays on a CUDA GPU"),
    "mpi": (("mpi4py",), "several machines"),
    "plot": (("matplotlib",), "plots in the examples"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 0
    return arguments.command(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pullback",
        description="PyTorch's Autograd, written from scratch in Python over NumPy.",
        epilog="`pullback COMMAND --help` explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"pullback {_version('pullback') or 'unknown'}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_run(commands)
    _add_doctor(commands)
    return parser


def _add_run(commands) -> None:
    run = commands.add_parser(
        "run",
        help="run an unmodified PyTorch script on Pullback",
        usage="pullback run [-h] (script.py | -m module | -c code | -) [args ...]",
        description="Run an unmodified PyTorch script: while it runs, `import torch` and every import below it give "
        "Pullback. A name that Pullback does not have raises at once and says which names are near.",
        epilog="Everything after the script or module is passed on to it. The exit code is the script's own.",
    )
    run.add_argument("-m", action="store_true", help="run a module by its name, as `python -m` does, not a script")
    run.add_argument("-c", action="store_true", help="run the code that is given, as `python -c` does")
    run.add_argument(
        "program",
        nargs=argparse.REMAINDER,
        metavar="script.py",
        help="the script (or - for what is typed or piped in), and its arguments",
    )
    run.set_defaults(command=lambda arguments: _run(run, arguments))


def _add_doctor(commands) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="say what is installed, what is not, and how many threads there are",
        description="Print the versions of Pullback, Python and everything Pullback computes with, the threads that "
        "BLAS uses, and which optional extras are present. The exit code is 1 if something needed is missing.",
    )
    doctor.set_defaults(command=lambda arguments: _doctor())


# ---- run -------------------------------------------------------------------------------------------------------------


def _run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    program = arguments.program
    if not program or (program[0].startswith("-") and program[0] != "-" and not arguments.c):
        parser.error("say what to run: a script, - for standard input, -m and the name of a module, or -c and code")
    if arguments.c:
        return _as_main(["-c", *program[1:]], "", lambda: _run_source(program[0], "<string>"))
    if arguments.m:
        return _as_main(program, os.getcwd(), lambda: runpy.run_module(program[0], run_name="__main__", alter_sys=True))
    if program[0] == "-":
        return _as_main(program, "", lambda: _run_source(sys.stdin.read(), "<stdin>"))
    path = Path(program[0])
    if not path.is_file():
        parser.error(f"cannot open {program[0]!r}: there is no such file in {os.getcwd()}")
    return _as_main(program, str(path.resolve().parent), lambda: _run_script(path.absolute()))


def _run_script(path: Path) -> None:
    """Execute a file as ``__main__``. (runpy's run_path would rewrite ``sys.argv[0]``.)"""
    _run_source(path.read_bytes(), str(path), __file__=str(path))


def _run_source(source: str | bytes, shown_name: str, **names: str) -> None:
    """Execute source code as ``__main__``."""
    program = ModuleType("__main__")
    program.__dict__.update(names)
    program.__dict__["__builtins__"] = builtins
    previous, sys.modules["__main__"] = sys.modules["__main__"], program
    try:
        exec(compile(source, shown_name, "exec", dont_inherit=True), program.__dict__)
    finally:
        sys.modules["__main__"] = previous


def _as_main(argv: list[str], folder: str, execute: Callable[[], object]) -> int:
    """Execute a program with ``torch`` being Pullback, and return its exit code."""
    try:
        with _program_state(argv, folder), torch_is_pullback():
            execute()
    except KeyboardInterrupt as error:
        _report(error)
        return INTERRUPTED
    except Exception as error:
        _report(error)
        return 1
    return 0


@contextlib.contextmanager
def _program_state(argv: list[str], folder: str) -> Iterator[None]:
    """Set ``sys.argv`` and ``sys.path[0]`` as ``python script.py`` does, and put them back afterwards."""
    saved_argv, saved_path = sys.argv, sys.path[:]
    sys.argv = argv
    sys.path[0:1] = [folder]  # in place of the folder that holds this command
    try:
        yield
    finally:
        sys.argv, sys.path[:] = saved_argv, saved_path


def _report(error: BaseException) -> None:
    """Print a traceback that holds the program's own frames, through the program's own ``sys.excepthook``."""
    error = error.with_traceback(_trimmed(error.__traceback__))
    sys.excepthook(type(error), error, error.__traceback__)


def _trimmed(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames that ``python script.py`` would not show."""
    plumbing = {__file__, alias.__file__, naming.__file__, runpy.__file__, "<frozen runpy>"}
    while traceback is not None and traceback.tb_frame.f_code.co_filename in {*plumbing, contextlib.__file__}:
        traceback = traceback.tb_next
    kept = []
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename not in plumbing:
            kept.append(traceback)
        traceback = traceback.tb_next
    for entry in reversed(kept):
        traceback = TracebackType(traceback, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return traceback


# ---- doctor ----------------------------------------------------------------------------------------------------------


def _doctor() -> int:
    missing = [name for name in REQUIRED if _version(name) is None]
    if "rich" in missing:  # it prints the rest
        print("rich is missing: pip install rich, then ask the doctor again", file=sys.stderr)
        return 1
    _print_table("Pullback", _system_rows())
    _print_table("Needed", [_required_row(name) for name in REQUIRED])
    if "threadpoolctl" not in missing and "numpy" not in missing:
        _print_table("Linear algebra", _blas_rows())
    _print_table("Optional extras", [_extra_row(*item) for item in EXTRAS.items()])
    return 1 if missing else 0


def _print_table(title: str, rows: list[tuple[str, str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title, style="bold"), title_justify="left", box=None, show_header=False, pad_edge=False)
    table.add_column(min_width=14, no_wrap=True)
    table.add_column(min_width=12, no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table, "")


def _system_rows() -> list[tuple[str, str, str]]:
    return [
        ("pullback", _version("pullback") or "not installed", str(Path(__file__).parent)),
        ("Python", platform.python_version(), f"{platform.python_implementation()}, {sys.executable}"),
        ("system", platform.system(), f"{platform.machine()}, {_usable_cores()} usable cores"),
    ]


def _required_row(name: str) -> tuple[str, str, str]:
    version = _version(name)
    return (name, version, "") if version else (name, "missing", f"pip install {name}")


def _extra_row(extra: str, provided: tuple[tuple[str, ...], str]) -> tuple[str, str, str]:
    packages, purpose = provided
    for name in packages:
        if version := _version(name):
            return (extra, "present", f"{name} {version}: {purpose}")
    return (extra, "absent", f"for {purpose}: pip install 'pullback[{extra}]'")


def _blas_rows() -> list[tuple[str, str, str]]:
    import numpy  # noqa: F401  # threadpoolctl sees only libraries that are loaded
    from threadpoolctl import threadpool_info

    rows = [
        (pool["internal_api"], pool.get("version") or "?", f"{pool['num_threads']} threads")
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]
    return rows or [("BLAS", "unknown", "NumPy was built with a BLAS that threadpoolctl does not know")]


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
