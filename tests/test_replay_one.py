"""A reject that the dashboard judges anew: what is opened for it is closed again."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixelake.build.keeping import replay_one
from pixelake.operate.folder import VERSION
from pixelake.settings import Settings


@pytest.fixture
def without_collections() -> Iterator[None]:
    """What is only let go by a garbage collection counts as open."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def files() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.usefixtures("without_collections")
def test_nothing_stays_open(tmp_path: Path) -> None:
    """However many are judged, one after the other, the process has no more files open."""
    (tmp_path / "version").write_text(f"{VERSION}\n")
    settings = Settings(data=tmp_path)
    assert replay_one(settings, "p-1").looked_at == 0
    before = files()
    for _ in range(5):
        replay_one(settings, "p-1")
    assert files() <= before
