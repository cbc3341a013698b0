"""What all tests share: torch as an oracle, where it is installed, and a count of the tests that wait for it."""

import importlib.util
import random

import numpy as np
import pytest

HAS_TORCH = importlib.util.find_spec("torch") is not None


@pytest.fixture(scope="session")
def torch():
    """The real torch, on one thread. Whoever asks for it is a parity test, and is skipped where there is none."""
    found = pytest.importorskip("torch")
    found.set_num_threads(1)
    return found


@pytest.fixture(autouse=True)
def seed():
    """Every test begins with the same random numbers, alone or after others."""
    random.seed(0)
    np.random.seed(0)


def pytest_collection_modifyitems(items):
    for item in items:
        if "torch" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.parity)
        if not HAS_TORCH and "parity" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="torch is not installed"))


def pytest_terminal_summary(terminalreporter):
    """Say how many tests were compared with torch, and how many could not be."""
    ran, skipped = (parity_reports(terminalreporter, outcomes) for outcomes in (("passed", "failed"), ("skipped",)))
    if ran or skipped:
        torch = "torch is installed" if HAS_TORCH else "torch is not installed"
        terminalreporter.write_line(f"parity with torch: {ran} tests ran, {skipped} were skipped ({torch})")


def parity_reports(terminalreporter, outcomes):
    reports = [report for outcome in outcomes for report in terminalreporter.stats.get(outcome, [])]
    return sum("parity" in getattr(report, "keywords", {}) for report in reports)
