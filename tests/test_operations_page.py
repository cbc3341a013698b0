"""docs/operations.md is what the table says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_page_of_operations_is_up_to_date():
    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "operations.py", "--check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
