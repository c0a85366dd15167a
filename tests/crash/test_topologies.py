"""Each design of AWS on this machine, with faults: what was answered 200 is in the lake once, and counted once."""

from pathlib import Path

import pytest

from tests.crash.topologies import run

SHORT = ("stream", "edge", "queue")
"""Edge has all of firehose, and two functions more."""

FAULTS = ("throttle=0.05", "partial=0.2", "duplicate=0.3", "crash=0.3", "late=0.05")


@pytest.mark.parametrize("design", SHORT)
def test_a_design_under_faults(tmp_path: Path, design: str) -> None:
    """Its functions die, its services refuse and repeat; one message is no hit. `scripts/crash designs` is longer."""
    found = run(tmp_path, design, 60, FAULTS, lethal=False, speed=120)
    assert found.good, found
    assert found.accepted > 30, found
    assert found.rejects == {"message_unreadable": 1}
