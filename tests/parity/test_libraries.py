"""Libraries that were written for torch, on Pullback: each script of ``libraries/`` prints what it prints on torch.

A script runs in two processes: by ``pullback run``, where the library's own ``import torch`` gives Pullback, and by
Python itself. Words must be the same, and numbers nearly.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "libraries"
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+(?:e[-+]?\d+)?|e[-+]?\d+)")


def printed(*command, cwd):
    done = subprocess.run([sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def assert_alike(ours, theirs):
    """The same lines, but for the last digits of their floating numbers."""
    assert [NUMBER.sub("#", line) for line in ours] == [NUMBER.sub("#", line) for line in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert [float(n) for n in NUMBER.findall(mine)] == pytest.approx(
            [float(n) for n in NUMBER.findall(other)], rel=1e-4, abs=1e-6
        ), mine


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.stem)
def test_a_library_for_torch_gives_on_pullback_what_it_gives_on_torch(script, torch, tmp_path):
    library = script.stem.partition("_")[0]
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed: .ci/run installs it")
    ours = printed("-m", "pullback", "run", script, cwd=tmp_path)
    assert_alike(ours, printed(script, cwd=tmp_path))
    assert len(ours) > 5
