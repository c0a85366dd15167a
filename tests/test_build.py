"""What belongs together when backends are put together."""

import os
import shutil
import signal
import threading
from contextlib import closing
from pathlib import Path

import pytest

from pixelake import build
from pixelake.cli import run
from pixelake.operate import folder, keeper
from pixelake.settings import Settings
from tests.stages import accept, settle


@pytest.mark.parametrize("deleted", [(), ("live",), ("seen",), ("live", "seen")])
def test_repeats_stay_repeats_whatever_is_deleted(tmp_path: Path, deleted: tuple[str, ...]) -> None:
    """Neither without the live store nor without the store of event ids is a repeat taken for something new."""
    settings = Settings(data=tmp_path, lake_window=0.05, live_window=0.05)
    accept(settings, "/pixel.gif?site=a&event_id=1", "/pixel.gif?site=a&event_id=1")
    settle(settings)
    for name in deleted:
        shutil.rmtree(tmp_path / name)
    accept(settings, *(f"/pixel.gif?site=a&event_id={number}" for number in (1, 2, 2)))
    settle(settings)
    with build.lakehouse(settings) as lake:
        counts = lake.sql("select event_id, count(*), count_if(duplicate) from events group by 1 order by 1")
    assert [tuple(row.values()) for row in counts.to_pylist()] == [("1", 3, 2), ("2", 2, 1)]


@pytest.mark.parametrize(("deleted", "damaged"), [((), False), (("live",), False), (("lake",), False), ((), True)])
def test_badges_go_on_counting_whatever_is_deleted(tmp_path: Path, deleted: tuple[str, ...], *, damaged: bool) -> None:
    """Without its counts a badge goes on with the lake's, without the lake with its own; no load counts twice."""
    settings = Settings(data=tmp_path, lake_window=0.05, live_window=0.05)
    with closing(build.registry(settings)) as registry:
        registry.set_badge("a", has=True)
        accept(settings, *["/badge.svg?site=a"] * 3, "/badge.svg?site=b", "/pixel.gif?site=a")
        settle(settings)
        publish = build.publish_badges(settings)
        publish()
        assert registry.snapshot().badges == {"a": 3}
        for name in deleted:
            shutil.rmtree(tmp_path / name)
        if "lake" in deleted:  # on purpose
            (tmp_path / "lake" / "events" / "_delta_log").mkdir(parents=True)
        if damaged:
            for log in (tmp_path / "live").glob("badges.sqlite-*"):  # else it would heal what it still knows
                log.unlink()
            (tmp_path / "live" / "badges.sqlite").write_bytes(b"garbage" * 1_000)
        accept(settings, "/badge.svg?site=a", "/badge.svg?site=a")
        settle(settings)
        publish()
        assert registry.snapshot().badges == {"a": 5}


def test_no_command_begins_a_lake_in_the_place_of_one_that_is_gone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its disk may not be mounted: a consumer that waits for it would go on with the new one."""
    settings = Settings(data=tmp_path, lake_window=0.05, live_window=0.05)
    with folder.occupied(tmp_path, ["consume"]):
        accept(settings, "/pixel.gif?site=a")
        settle(settings)
    lake = tmp_path / "lake"
    lake.rename(tmp_path / "unmounted")
    lake.mkdir()
    commands = (
        ["maintain", "compact"],
        ["rejects", "purge", "--all"],
        ["rejects", "replay"],
        ["rejects", "list"],
        ["sql", "select * from events"],
    )
    for command in commands:
        assert run([*command, "--data", str(tmp_path)]) == 1
        told = capfd.readouterr().err
        assert f"the lake {lake} is gone (mount it" in told
        assert told.count("\n") == 1
    assert not list(lake.iterdir())


def test_a_consumer_packs_the_open_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two compactions, too: else an hour would have 60 files more each time."""
    looked = threading.Event()

    def look(_: keeper.Tidy) -> int:
        looked.set()
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(keeper.Tidy, "look", look)
    try:
        build.ROLES["consume"](Settings(data=tmp_path), None, lambda: None)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert looked.is_set()
