"""Tests of `pixelake.disk`: who may hold a lock beside whom, and links that lead to nothing."""

from pathlib import Path

import pytest

from pixelake.disk import Flock, lost_link


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


def test_a_link_to_nothing_is_found(tmp_path: Path) -> None:
    """The file itself or a folder above it; one that leads somewhere, and a file that is not there yet, are none."""
    (tmp_path / "there").mkdir()
    for name, target in (("good", "there"), ("bad", "none"), ("round", "round")):
        (tmp_path / name).symlink_to(tmp_path / target)
    assert lost_link(tmp_path / "good" / "file") is None
    assert lost_link(tmp_path / "new" / "file") is None
    for name in ("bad", "round"):
        assert lost_link(tmp_path / name) == tmp_path / name
        assert lost_link(tmp_path / name / "folder" / "file") == tmp_path / name
