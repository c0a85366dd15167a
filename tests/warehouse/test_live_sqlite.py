"""The live store and its reader."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pixelake.clock import SECOND
from pixelake.errors import WarehouseError
from pixelake.testing import FakeClock
from pixelake.warehouse.live_base import COLUMNS, Minute, Now
from pixelake.warehouse.live_lists import Top
from pixelake.warehouse.live_sqlite import LiveReader, LiveStore
from tests.warehouse.outcomes import START, event, outcome, reject

START_US = int(START.timestamp()) * SECOND


class House:
    """A live store, its reader and the clock of both."""

    def __init__(self, folder: Path, most_events: int = 1000) -> None:
        self.path, self.clock = folder / "live" / "live.sqlite", FakeClock(START_US)
        self.store = LiveStore(self.path, 3600.0, most_events, self.clock)
        self.reader = LiveReader(self.path, self.clock)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty live store."""
    return House(tmp_path)


def test_reader_before_there_is_a_store(tmp_path: Path) -> None:
    """Everything is empty, and looking makes nothing."""
    reader = LiveReader(tmp_path / "live.sqlite")
    assert (reader.newest(5), reader.after(0, 5), reader.minutes(0), reader.now(60)) == ([], [], [], Now(0, 0))
    assert list(tmp_path.iterdir()) == []


def test_reader_of_a_file_without_tables(tmp_path: Path) -> None:
    """A store that is just being made is empty."""
    (tmp_path / "live.sqlite").touch()
    assert LiveReader(tmp_path / "live.sqlite").newest(5) == []


def test_newest_event_has_the_columns_of_a_screen(house: House) -> None:
    """Text stays as it is, also hostile; times are microseconds."""
    title = "<script>\"'\0\U0001f600"
    house.store.write(outcome([event("a", 1), event("a", 2, title=title)]))
    row = house.reader.newest(1)[0]
    assert list(row.event) == list(COLUMNS)
    assert (row.event["title"], row.event["received_at"]) == (title, START_US + 2 * SECOND)


def test_cursor_gives_what_came_since(house: House) -> None:
    """Behind a cursor come the newest events, oldest first, each once."""
    house.store.write(outcome([event("a", at) for at in range(1, 6)]))
    seen = house.reader.newest(1)[0].cursor
    assert house.reader.after(seen, 10) == []
    house.store.write(outcome([event("a", at) for at in range(6, 10)]))
    assert [row.event["hit_id"] for row in house.reader.after(seen, 10)] == ["a-6", "a-7", "a-8", "a-9"]
    assert [row.event["hit_id"] for row in house.reader.after(seen, 2)] == ["a-8", "a-9"]


def test_cursor_of_a_wiped_store_starts_anew(house: House, tmp_path: Path) -> None:
    """A cursor beyond everything that was ever kept is that of another file."""
    house.store.write(outcome([event("a", 1)]))
    assert [row.event["hit_id"] for row in house.reader.after(999, 10)] == ["a-1"]


def test_cursor_survives_trimming(tmp_path: Path) -> None:
    """A cursor is never used again, though the rows are gone."""
    house = House(tmp_path, most_events=3)
    house.store.write(outcome([event("a", at) for at in range(1, 6)]))
    first = house.reader.newest(1)[0].cursor
    assert len(house.reader.newest(100)) == 3
    house.clock.advance(2 * 3600)
    house.store.write(outcome([], [reject("a", 6)]))
    assert house.reader.newest(100) == []
    house.store.write(outcome([event("a", 7200)]))
    assert house.reader.after(first, 10)[0].cursor > first


def test_newest_of_a_site(house: House) -> None:
    """Newest first, of that site only."""
    house.store.write(outcome([event("a", 1), event("a", 2, site="blog"), event("a", 3)]))
    assert [row.event["hit_id"] for row in house.reader.newest(5, "shop")] == ["a-3", "a-1"]


def test_counters_by_minute(house: House) -> None:
    """Hits are all, views people's page views; machines, repeats and rejects have their own counts."""
    rows = [
        event("a", 1),
        event("a", 2, bot=True),
        event("a", 3, duplicate=True),
        event("a", 4, method="HEAD"),
        event("a", 5, event="signup"),
        event("a", 6, bot=None, duplicate=None),
        event("a", 61),
    ]
    house.store.write(outcome(rows, [reject("a", 7)]))
    first = [(row.site, row.name, row.number) for row in house.reader.minutes(0) if row.minute == START_US]
    assert sorted(first) == [
        ("", "rejects", 1),
        ("shop", "bots", 1),
        ("shop", "duplicates", 1),
        ("shop", "hits", 6),
        ("shop", "views", 2),
    ]
    assert house.reader.minutes(START_US + 61 * SECOND, "shop") == [
        Minute("shop", START_US + 60 * SECOND, "hits", 1),
        Minute("shop", START_US + 60 * SECOND, "views", 1),
    ]


def test_now_counts_people(house: House) -> None:
    """Distinct people of the window: the user if known, else the visitor; no machines, no repeats, no HEAD."""
    rows = [
        event("a", 1, visitor_id="v", user_id="jane"),
        event("a", 2, visitor_id="w", user_id="jane"),
        event("a", 3, visitor_id="x"),
        event("a", 4, visitor_id=None),
        event("a", 5, visitor_id="y", bot=True),
        event("a", 6, visitor_id="z", method="HEAD"),
        event("a", 7, visitor_id="q", site="blog"),
    ]
    house.store.write(outcome(rows))
    house.clock.advance(10)
    assert house.reader.now(60, "shop") == Now(2, 4)
    assert house.reader.now(60) == Now(3, 5)
    assert house.reader.now(4) == Now(1, 1)


def test_now_knows_who_stays_across_midnight(house: House) -> None:
    """A browser that gets a new visitor id at midnight is one person, also on its later pages; two browsers are two."""
    rows = [
        event("a", 1, visitor_id="old"),
        event("a", 2, visitor_id="other"),
        event("a", 181, visitor_id="new", visitor_before="old"),
        event("a", 182, visitor_id="new"),
        event("a", 183, visitor_id="new", visitor_before="old", user_id="jane"),
    ]
    house.store.write(outcome(rows[:2]))
    house.store.write(outcome(rows[2:]))
    house.clock.advance(184)
    assert house.reader.now(300, "shop") == Now(3, 5)
    assert house.reader.now(2.5) == Now(2, 2)


def test_old_rows_are_forgotten(house: House) -> None:
    """After the retention events and counters are gone; positions stay."""
    house.store.write(outcome([event("a", 1, visitor_before="old")]))
    house.clock.advance(2 * 3600)
    house.store.write(outcome([event("a", 7200)]))
    for table in ("recent", "present", "sites", "lists"):
        found = house.store._connection.execute(f"select count(*) from {table} where site = 'shop'").fetchone()
        assert found[0] <= 3, table  # of the second write
    assert house.reader.top("event", None, 0, 5) == [Top("pageview", 1, False)]
    assert [row.event["hit_id"] for row in house.reader.newest(5)] == ["a-7200"]
    assert {row.minute for row in house.reader.minutes(0)} == {START_US + 7200 * SECOND}
    assert house.store.positions() == {"a": 7200}


def test_failed_write_counts_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters, events and positions move together or not at all."""
    with monkeypatch.context() as patch:
        patch.setattr(LiveStore, "_forget", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(WarehouseError, match="No space"):
            house.store.write(outcome([event("a", 1)]))
    assert house.store.positions() == {}
    house.store.write(outcome([event("a", 1)]))
    assert [row.number for row in house.reader.minutes(0) if row.name == "hits"] == [1]


def test_reader_sees_a_store_that_was_closed(house: House) -> None:
    """Without a writer beside it the file can still be read."""
    house.store.write(outcome([event("a", 1)]))
    house.store.close()
    assert len(house.reader.newest(5)) == 1


def test_unwritable_place_is_told(tmp_path: Path) -> None:
    """A store that cannot be made is an error with a hint."""
    (tmp_path / "file").touch()
    with pytest.raises(WarehouseError) as caught:
        LiveStore(tmp_path / "file" / "live.sqlite")
    assert caught.value.hint


def test_a_store_of_an_older_version(tmp_path: Path) -> None:
    """Its counters and positions stay; events, which had other columns, are forgotten."""
    path = tmp_path / "live.sqlite"
    with closing(sqlite3.connect(path)) as old:
        old.executescript("""
            create table events (cursor integer primary key autoincrement, person text, is_person integer not null);
            insert into events values (7, 'v', 1);
            create table earlier (visitor_id text primary key, visitor_before text, received_at integer);
            create table positions (partition text primary key, position integer not null) strict, without rowid;
            insert into positions values ('a', 5)""")
    assert LiveReader(path).newest(5) == []
    store = LiveStore(path, clock=FakeClock(START_US))
    store.write(outcome([event("a", 5), event("a", 6)]))
    assert [row.event["hit_id"] for row in LiveReader(path).after(7, 5)] == ["a-6"]
    tables = {name for (name,) in store._connection.execute("select name from sqlite_master where type = 'table'")}
    assert not tables & {"events", "earlier"}
