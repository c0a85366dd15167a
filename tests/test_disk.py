"""Tests of `pixelake.disk`: who may hold a lock beside whom."""

from pathlib import Path

import pytest

from pixelake.disk import Flock


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_a_lock_is_shared_with_those_who_share(tmp_path: Path, first: bool, second: bool, together: bool) -> None:
    """Whoever wants it alone is alone; once it is let go it is free."""
    one, other = Flock(tmp_path / "lock"), Flock(tmp_path / "lock")
    assert one.acquire(shared=first)
    assert other.acquire(shared=second) is together
    other.release()
    one.release()
    assert other.acquire()
    assert other.acquire(), "it is held"
