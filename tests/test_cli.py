"""The command line, as a user meets it: every test starts a real process."""

import os
import signal
import subprocess
import sys
import textwrap
from importlib import metadata
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("pullback")


@pytest.fixture
def pullback(tmp_path):
    """Call the command in an empty folder; ``files`` are written there first."""

    def call(*arguments, files=None, **environment):
        write(tmp_path, files or {})
        return subprocess.run(
            [*command(), *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONWARNINGS": "error", **environment},
            capture_output=True,
            text=True,
        )

    return call


def command():
    return [str(COMMAND)] if COMMAND.exists() else [sys.executable, "-m", "pullback"]


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


# ---- a PyTorch script ------------------------------------------------------------------------------------------------


def test_run_gives_pullback_to_every_form_of_import(pullback):
    script = """
        import torch
        import torch.nn as nn
        import torch.nn.functional as F
        import torch.utils.data
        from torch import nn as nn2, optim
        from torch.autograd import grad
        from torch.utils.data import DataLoader

        import pullback
        assert torch is pullback
        assert nn is nn2 is pullback.nn is torch.nn
        assert F is pullback.nn.functional
        assert optim is pullback.optim
        assert grad is pullback.autograd.grad
        assert DataLoader is pullback.utils.data.DataLoader
        assert torch.__spec__.name == torch.__name__ == "pullback"

        x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        (x * x).sum().backward()
        print(x.grad)
    """
    done = pullback("run", "script.py", files={"script.py": script})
    assert (done.stdout, done.stderr, done.returncode) == ("tensor([2., 4., 6.])\n", "", 0)


def test_run_executes_no_module_twice(pullback):
    script = """
        import sys
        import torch.nn.functional
        import torch.optim
        aliases = [name for name in sys.modules if name == "torch" or name.startswith("torch.")]
        assert "torch.nn.functional" in aliases
        for name in aliases:
            assert sys.modules[name] is sys.modules["pullback" + name.removeprefix("torch")], name
    """
    done = pullback("run", "script.py", files={"script.py": script})
    assert done.returncode == 0, done.stderr


# ---- names that do not exist -----------------------------------------------------------------------------------------


def test_a_missing_attribute_names_the_nearest(pullback):
    done = pullback("run", "script.py", files={"script.py": "import torch\n\ntorch.tensr([1.0])\n"})
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "Traceback (most recent call last):"
    assert 'script.py", line 3, in <module>' in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("AttributeError: module 'torch' has no attribute 'tensr' in Pullback; nearest: tensor")


@pytest.mark.parametrize(
    "statement, module, name, nearest",
    [
        ("from torch import tensr", "torch", "tensr", "tensor"),
        ("from torch.nn import Linaer", "torch.nn", "Linaer", "Linear"),
        ("from torch.nn.functional import relux", "torch.nn.functional", "relux", "relu"),
    ],
)
def test_a_missing_name_of_an_import_names_the_nearest(pullback, statement, module, name, nearest):
    done = pullback("run", "script.py", files={"script.py": statement})
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: module '{module}' has no attribute '{name}' in Pullback; nearest: ")
    assert nearest in last
    assert len(done.stderr.splitlines()) == 4  # the script's own frame, and no frame of ours


def test_a_missing_module_names_the_nearest(pullback):
    done = pullback("run", "script.py", files={"script.py": "import torch.optimm"})
    last = done.stderr.splitlines()[-1]
    assert last == "ModuleNotFoundError: No module named 'torch.optimm' in Pullback; nearest: torch.optim"


def test_a_function_is_no_module(pullback):
    script = """
        import torch
        try:
            import torch.tensor
        except ModuleNotFoundError as error:
            print(error.name)
        assert callable(torch.tensor)
    """
    done = pullback("run", "script.py", files={"script.py": script})
    assert (done.stdout, done.stderr) == ("torch.tensor\n", "")


def test_a_script_may_ask_whether_a_name_exists(pullback):
    script = """
        import torch
        assert not hasattr(torch, "nonexistent") and getattr(torch, "nonexistent", 3) == 3
        try:
            from torch import nonexistent
        except ImportError as error:
            assert type(error) is ImportError
            print("no such name")
    """
    done = pullback("run", "script.py", files={"script.py": script})
    assert (done.stdout, done.stderr) == ("no such name\n", "")


# ---- a script under `run` sees what it sees under `python` -----------------------------------------------------------

SELF_PORTRAIT = """
    import pickle, sys

    class Mine:
        pass

    print(__name__, sys.modules["__main__"].__dict__ is globals(), __file__)
    print(sys.argv)
    print(sys.path[0])
    print(type(pickle.loads(pickle.dumps(Mine()))) is Mine)
    import neighbour
"""


@pytest.mark.parametrize("arguments", [(), ("--lr", "0.1", "-h", "--", "-m", "x"), ("--help",)])
@pytest.mark.parametrize("target", [("folder/script.py",), ("-m", "folder.script")])
def test_run_sets_the_stage_as_python_does(pullback, tmp_path, target, arguments):
    files = {
        "folder/script.py": SELF_PORTRAIT,
        "folder/neighbour.py": "print('a neighbour')",
        "neighbour.py": "print('a neighbour')",
    }
    done = pullback("run", *target, *arguments, files=files)
    python = subprocess.run([sys.executable, *target, *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == (python.stdout, python.stderr, python.returncode)
    assert done.returncode == 0


@pytest.mark.parametrize(
    "script",
    [
        "def f(x):\n    return 1 / x\n\nf(0)",
        "x = = 1",
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise KeyError('other')",
        "import sys\nsys.exit(7)",
        "raise SystemExit('in words')",
        "import sys\nsys.excepthook = lambda *error: print('hooked', error[0].__name__)\n1 / 0",
        "import contextlib\nwith contextlib.ExitStack() as stack:\n    stack.callback(lambda: 1 / 0)",
    ],
    ids=["error", "syntax", "chained", "exit code", "exit message", "own hook", "contextlib"],
)
def test_run_ends_as_python_does(pullback, tmp_path, script):
    done = pullback("run", "script.py", files={"script.py": script})
    python = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == (python.stdout, python.stderr, python.returncode)
    assert done.returncode != 0


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_gives_130_and_the_scripts_line(tmp_path):
    write(tmp_path, {"script.py": "import time\nprint('ready', flush=True); time.sleep(60)\n"})
    process = subprocess.Popen(
        [*command(), "run", "script.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # pytest-xdist ignores it
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert 'script.py", line 2, in <module>' in errors and errors.endswith("KeyboardInterrupt\n")


# ---- the alias lasts for the run only --------------------------------------------------------------------------------

AROUND_A_RUN = """
    import importlib.util, sys
    import pullback, pullback.cli

    before = set(sys.modules), sys.meta_path[:], sys.path[:], sys.argv, pullback.__spec__, vars(pullback).get("__getattr__")
    try:
        print("exit code", pullback.cli.main(["run", "script.py"]))
    except SystemExit as error:
        print("exit", error.code)
    after = set(sys.modules), sys.meta_path[:], sys.path[:], sys.argv, pullback.__spec__, vars(pullback).get("__getattr__")
    assert not any(name.split(".")[0] == "torch" for name in after[0])
    assert before[1:] == after[1:]
"""


@pytest.mark.parametrize(
    "script, outcome",
    [
        ("import torch, torch.nn.functional", "exit code 0"),
        ("import torch, torch.nn.functional; 1 / 0", "exit code 1"),
        ("import torch, torch.nn.functional; raise SystemExit(3)", "exit 3"),
        ("import torch.nosuchmodule", "exit code 1"),
    ],
)
def test_the_alias_is_gone_after_the_run(tmp_path, script, outcome):
    write(tmp_path, {"script.py": script, "around.py": AROUND_A_RUN})
    done = subprocess.run([sys.executable, "around.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == f"{outcome}\n", done.stderr
    assert done.returncode == 0, done.stderr


def test_a_real_torch_is_never_replaced(tmp_path):
    script = """
        import sys, types
        real = sys.modules["torch"] = types.ModuleType("torch")
        from pullback.cli import main
        code = main(["run", "script.py"])
        assert sys.modules["torch"] is real
        sys.exit(code)
    """
    write(tmp_path, {"script.py": "print('never')", "around.py": script})
    done = subprocess.run([sys.executable, "around.py"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith("RuntimeError: torch has already been imported")


# ---- the command itself ----------------------------------------------------------------------------------------------


def test_version(pullback):
    assert pullback("--version").stdout == f"pullback {metadata.version('pullback')}\n"


def test_help_names_the_commands(pullback):
    for arguments in ((), ("--help",)):
        done = pullback(*arguments)
        assert done.returncode == 0 and "run an unmodified PyTorch script" in done.stdout and "doctor" in done.stdout
    assert "script.py | -m module" in pullback("run", "--help").stdout


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (("run",), "say what to run"),
        (("run", "-m"), "say what to run"),
        (("run", "nowhere.py"), "cannot open 'nowhere.py'"),
        (("walk",), "invalid choice: 'walk'"),
    ],
)
def test_misuse_is_explained_with_exit_code_2(pullback, arguments, complaint):
    done = pullback(*arguments)
    assert done.returncode == 2 and complaint in done.stderr and "Traceback" not in done.stderr


def test_a_module_that_does_not_exist_is_one_line(pullback):
    done = pullback("run", "-m", "nowhere")
    assert (done.stderr, done.returncode) == ("ImportError: No module named nowhere\n", 1)


def test_doctor_names_versions_threads_and_extras(pullback):
    done = pullback("doctor")
    assert (done.stderr, done.returncode) == ("", 0)
    for name in ("pullback", "Python", "numpy", "scipy", "ml_dtypes", "threads", "native", "gpu", "mpi", "plot"):
        assert name in done.stdout
    assert metadata.version("numpy") in done.stdout


def test_python_m_pullback_is_the_command(tmp_path):
    done = subprocess.run([sys.executable, "-m", "pullback", "--version"], capture_output=True, text=True)
    assert done.stdout == f"pullback {metadata.version('pullback')}\n"


# ---- code that is in no file, processes, notebooks -------------------------------------------------------------------


def test_run_takes_code_and_standard_input(tmp_path):
    code = "import sys, torch\nprint(sys.argv, sys.path[0] == '', __name__, torch.__name__)\n1 / 0"
    for option, given in ((["-c", code], None), (["-"], code)):
        found = subprocess.run(
            [*command(), "run", *option, "--x"], input=given, cwd=tmp_path, capture_output=True, text=True
        )
        assert found.stdout == f"{[option[0], '--x']} True __main__ pullback\n" and found.returncode == 1
        assert found.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"
        assert "pullback" not in found.stderr


def test_processes_that_a_script_starts_anew_have_pullback_too(pullback):
    script = """
        import multiprocessing
        import torch
        import torch.multiprocessing as mp

        def work(rank, queue):
            queue.put((rank, torch.__name__))

        if __name__ == "__main__":
            for method in ("spawn", "forkserver"):
                if method in mp.get_all_start_methods():
                    queue = mp.get_context(method).SimpleQueue()
                    mp.start_processes(work, (queue,), nprocs=1, start_method=method)
                    assert queue.get() == (0, "pullback"), method
    """
    done = pullback("run", "script.py", files={"script.py": script})
    assert done.returncode == 0, done.stderr


def test_a_script_reads_the_version_of_the_pytorch_whose_words_it_speaks(pullback):
    script = """
        import torch
        from torch.torch_version import TorchVersion
        assert torch.__version__ == torch.version.__version__ and torch.__version__.startswith("2.13.0+pullback")
        assert torch.__version__ >= "2.4" and torch.__version__ < (2, 14) and not torch.__version__ > "2.13"
        assert isinstance(torch.__version__, TorchVersion) and torch.version.cuda is None
    """
    done = pullback("run", "script.py", files={"script.py": script})
    assert done.returncode == 0, done.stderr


def test_load_ext_gives_a_notebook_pullback_until_it_is_unloaded(tmp_path):
    notebook = """
        import importlib, sys

        class Shell:
            pass

        extension = importlib.import_module("pullback")  # what %load_ext does
        own = extension.__version__
        extension.load_ipython_extension(Shell())
        extension.load_ipython_extension(Shell())
        import torch.nn.functional as F
        import torch
        assert torch is extension and F is extension.nn.functional
        extension.unload_ipython_extension(Shell())
        assert "torch" not in sys.modules and extension.__version__ == own
    """
    write(tmp_path, {"notebook.py": notebook})
    done = subprocess.run([sys.executable, "notebook.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
