"""docs/coverage.md is what the table and the trials say, and its names are torch's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools"))

import scope  # noqa: E402
import torch_names  # noqa: E402


def test_the_page_of_coverage_is_up_to_date():
    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "coverage.py", "--check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_names_are_those_of_the_installed_torch(torch):
    version, names = torch_names.read()
    if torch.__version__.partition("+")[0] != version:
        pytest.skip(f"the names are those of torch {version}")
    found = {(space, n): args for space in torch_names.SPACES for n, args in torch_names.names_of(torch, space).items()}
    assert {key: known.arguments for key, known in names.items()} == found


def test_every_reason_why_a_name_does_not_count_is_needed():
    names = torch_names.read()[1]
    idle = [
        (why, pattern)
        for why, where, pattern in scope.SCOPE
        if not any(re.fullmatch(where, space) and re.fullmatch(pattern, name) for space, name in names)
    ]
    assert idle == []
