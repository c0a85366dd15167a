"""The promises under SIGKILL and power cuts, in short forms; `scripts/crash` and `scripts/powercut` run long ones."""

from pathlib import Path

import pytest

from tests.crash.campaign import MOMENTS, VICTIMS, Load, crash, powercut, why_no_power_cuts


def test_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    """Each victim is killed under load: whatever got a 200 is in the lake exactly once, and both sums hold."""
    verdict = crash(tmp_path, len(VICTIMS), Load())
    assert verdict.good, str(verdict)
    assert verdict.answered > verdict.sent / 2, str(verdict)


def test_a_power_cut_loses_nothing(tmp_path: Path) -> None:
    """The disk forgets what was not synced: whatever got a 200 is in the lake exactly once, and both sums hold."""
    why = why_no_power_cuts(tmp_path)
    if why:
        pytest.skip(why)
    verdict = powercut(tmp_path, len(MOMENTS), Load(), pause=1.5)
    assert verdict.good, str(verdict)
    assert verdict.answered > verdict.sent / 3, str(verdict)
