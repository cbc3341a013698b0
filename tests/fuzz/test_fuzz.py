"""Random programs do in Pullback what they do in torch. The longer run is ``python -m tests.fuzz``."""

import re
from pathlib import Path

import pytest

import pullback

from .differences import KNOWN
from .program import as_script, quiet
from .run import run_program, shrink

PROGRAMS, CHUNKS = 2000, 20


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_programs_agree_with_torch(torch, chunk):
    size = PROGRAMS // CHUNKS
    with quiet():
        for seed in range(chunk * size, (chunk + 1) * size):
            outcome = run_program(seed, pullback, torch)
            if outcome.difference is not None and outcome.known is None:
                outcome = shrink(outcome, pullback, torch)
                pytest.fail(f"seed {seed}: {outcome.difference}\n\n{as_script(outcome.statements)}")


def test_each_deliberate_difference_stands_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "differences.md").read_text(encoding="utf-8")
    entries = {entry.lower() for entry in re.findall(r"^- \*\*(.+?)\*\*", page, re.MULTILINE)}
    assert {name.lower() for name in KNOWN} == entries
