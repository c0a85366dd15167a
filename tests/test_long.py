"""What `.ci/run` leaves out is there, and each of it leaves a sibling behind."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.long import LONG, NAMES

ROOT = Path(__file__).parent.parent


def test_each_is_there_and_leaves_a_sibling() -> None:
    """By the names that pytest itself collects."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", *LONG]
    collected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert set(collected) >= NAMES, sorted(NAMES - set(collected))
    all_ = Counter(name.partition("[")[0] for name in collected if "::" in name)
    left_out = Counter(name.partition("[")[0] for name in NAMES)
    assert all(all_[test] > count for test, count in left_out.items())
