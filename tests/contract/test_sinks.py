"""What every sink promises, held against each of them."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from pixelake.errors import WarehouseError
from pixelake.warehouse.badges_sqlite import BadgeStore
from pixelake.warehouse.base import Outcome, Sink
from pixelake.warehouse.dynamodb import Table
from pixelake.warehouse.files import FORMATS, Files
from pixelake.warehouse.files_place import Folder
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.live_dynamodb import DynamoLive
from pixelake.warehouse.live_dynamodb_reader import DynamoLiveReader
from pixelake.warehouse.live_sqlite import LiveReader, LiveStore
from pixelake.warehouse.place import Place
from pixelake.warehouse.query import Lakehouse
from tests.s3 import Server, reached
from tests.warehouse.outcomes import event as any_event
from tests.warehouse.outcomes import outcome, read_files, reject

event = partial(any_event, event="badge")
"""An event that every sink keeps something of."""


class _Lake:
    """The Delta lake."""

    def open(self, folder: Path) -> Sink:
        return Lake(folder / "lake")

    def sees(self, events: int, rejects: int) -> tuple[int, int]:
        return events, rejects

    def counts(self, folder: Path) -> tuple[int, int]:
        return _count(folder / "lake")


def _count(place: Place) -> tuple[int, int]:
    """The events and the rejects that SQL sees."""
    with Lakehouse(place) as house:
        return tuple(house.sql(f"select count(*) as n from {table}")["n"][0].as_py() for table in ("events", "rejects"))


class _Bucket:
    """The Delta lake in a bucket."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.__doc__ = f"The Delta lake in a bucket of {server}."
        self._name = ""

    def reach(self, server: Server) -> "_Bucket":
        """With a new bucket of a running server."""
        made = _Bucket(self.server)
        made._name = server.bucket()
        return made

    def _place(self, folder: Path) -> Place:
        from pixelake.warehouse.objects import lake

        # a file where a folder should be has no like in a bucket; a bucket that is not there has
        return lake(self._name if folder.is_dir() else "no-such-bucket", f"any/{folder.name}/lake")

    def open(self, folder: Path) -> Sink:
        return Lake(self._place(folder))

    def sees(self, events: int, rejects: int) -> tuple[int, int]:
        return events, rejects

    def counts(self, folder: Path) -> tuple[int, int]:
        return _count(self._place(folder))


class _Live:
    """The live store on SQLite."""

    def open(self, folder: Path) -> Sink:
        return LiveStore(folder / "live.sqlite", retention=1e9)

    def sees(self, events: int, rejects: int) -> tuple[int, int]:
        return events, rejects

    def counts(self, folder: Path) -> tuple[int, int]:
        rows = LiveReader(folder / "live.sqlite").minutes(0)
        return tuple(sum(row.number for row in rows if row.name == name) for name in ("hits", "rejects"))


class _Table:
    """The live store on DynamoDB."""

    def __init__(self) -> None:
        self._name = ""

    def reach(self) -> "_Table":
        """With a new table of a running server."""
        from tests.dynamodb import new_table

        made = _Table()
        made._name = new_table()
        return made

    def _table(self, folder: Path) -> Table:
        return Table(self._name if folder.is_dir() else "no-such-table")

    def open(self, folder: Path) -> Sink:
        return DynamoLive(self._table(folder), retention=1e9)

    def sees(self, events: int, rejects: int) -> tuple[int, int]:
        return events, rejects

    def counts(self, folder: Path) -> tuple[int, int]:
        rows = DynamoLiveReader(self._table(folder), retention=1e9).minutes(0)
        return tuple(sum(row.number for row in rows if row.name == name) for name in ("hits", "rejects"))


class _Badges:
    """The counts of badges on SQLite."""

    def open(self, folder: Path) -> Sink:
        return BadgeStore(folder / "badges.sqlite")

    def sees(self, events: int, rejects: int) -> tuple[int, int]:
        return events, 0

    def counts(self, folder: Path) -> tuple[int, int]:
        with closing(sqlite3.connect(folder / "badges.sqlite")) as database:
            return database.execute("select coalesce(sum(count), 0) from badges").fetchone()[0], 0


class _Files:
    """Plain files."""

    def __init__(self, kind: str) -> None:
        self.__doc__ = f"Plain files: {kind}."
        self._kind = kind

    def open(self, folder: Path) -> Sink:
        return Files(Folder(folder / "files"), self._kind)

    def sees(self, events: int, rejects: int) -> tuple[int, int]:
        return events, rejects

    def counts(self, folder: Path) -> tuple[int, int]:
        return tuple(len(read_files(folder / "files", prefix, self._kind)) for prefix in ("events", "errors"))


Backend = _Lake | _Bucket | _Live | _Table | _Badges | _Files
BACKENDS = [_Lake(), _Bucket("seaweedfs"), _Bucket("moto"), _Live(), _Table(), _Badges(), *map(_Files, FORMATS)]


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.__doc__)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Each sink; those of a service that can be started here."""
    if not isinstance(request.param, _Bucket | _Table):
        return request.param
    server: Server = request.getfixturevalue(getattr(request.param, "server", "moto"))
    reached(monkeypatch, server.environment)
    return request.param.reach(server) if isinstance(request.param, _Bucket) else request.param.reach()


def test_new_sink_has_no_positions(backend: Backend, tmp_path: Path) -> None:
    """Nothing was written, so nothing is reached."""
    assert dict(backend.open(tmp_path).positions()) == {}


def test_rows_and_positions_appear_together(backend: Backend, tmp_path: Path) -> None:
    """After `write` the rows and the positions are there, for whoever opens the sink next."""
    backend.open(tmp_path).write(outcome([event("a", 1), event("b", 1)], [reject("a", 2)], [("b", 2)]))
    assert dict(backend.open(tmp_path).positions()) == {"a": 2, "b": 2}
    assert backend.counts(tmp_path) == backend.sees(2, 1)


def test_repeating_a_call_has_no_effect(backend: Backend, tmp_path: Path) -> None:
    """By the same object and by a new one."""
    once = outcome([event("a", 1)], [reject("a", 2)])
    sink = backend.open(tmp_path)
    for each in (sink, sink, backend.open(tmp_path)):
        each.write(once)
    assert backend.counts(tmp_path) == backend.sees(1, 1)


@pytest.mark.parametrize(
    "again",
    {
        "shorter": lambda: outcome([event("a", 1)]),
        "longer": lambda: outcome([event("a", at) for at in (1, 2, 3, 4)], [reject("a", 5)]),
        "overlapping": lambda: outcome([event("a", at) for at in (3, 4)], [reject("a", 5)]),
        "with another partition": lambda: outcome([event("a", 3), event("a", 4), event("b", 1)], [reject("a", 5)]),
    }.items(),
    ids=lambda pair: pair[0],
)
def test_replay_with_other_bounds_adds_nothing_twice(
    backend: Backend, tmp_path: Path, again: tuple[str, Callable[[], Outcome]]
) -> None:
    """Rows at or below the stored position are dropped, those above are added."""
    sink = backend.open(tmp_path)
    sink.write(outcome([event("a", at) for at in (1, 2, 3)]))
    second = again[1]()
    sink.write(second)
    reached = max(3, second.positions["a"])
    assert sink.positions()["a"] == reached
    expected_events = min(reached, 4) + (1 if "b" in second.positions else 0)
    assert backend.counts(tmp_path) == backend.sees(expected_events, 1 if reached == 5 else 0)


def test_position_never_goes_back(backend: Backend, tmp_path: Path) -> None:
    """An older outcome moves nothing, also beside a newer one of another partition."""
    sink = backend.open(tmp_path)
    sink.write(outcome([event("a", 9)]))
    sink.write(outcome([event("a", 4), event("b", 1)]))
    assert dict(sink.positions()) == {"a": 9, "b": 1}
    assert backend.counts(tmp_path) == backend.sees(2, 0)


def test_two_open_at_once_do_not_undo_each_other(backend: Backend, tmp_path: Path) -> None:
    """Whoever writes second sees what the first wrote."""
    one, two = backend.open(tmp_path), backend.open(tmp_path)
    one.write(outcome([event("a", 1)]))
    two.write(outcome([event("a", 1), event("a", 2)]))
    one.write(outcome([event("a", 2), event("b", 1)]))
    expected: Mapping[str, int] = {"a": 2, "b": 1}
    assert dict(one.positions()) == dict(two.positions()) == expected
    assert backend.counts(tmp_path) == backend.sees(3, 0)


def test_hostile_text_is_kept(backend: Backend, tmp_path: Path) -> None:
    """NUL, quotes, separators of paths and the rest of Unicode are only text."""
    text = "\0'\"\\/../%2e%00\n\u202e\U0001f600" + "x" * 8000
    rows = [event("a", 1, site=text, title=text, visitor_id=text, properties=[(text, [text, text])])]
    backend.open(tmp_path).write(outcome(rows, [reject("a", 2, raw=text, detail=text)]))
    assert backend.counts(tmp_path) == backend.sees(1, 1)


def test_unusable_place_is_an_error_with_a_hint(backend: Backend, tmp_path: Path) -> None:
    """A sink that cannot be made says so once, with a hint."""
    (tmp_path / "file").touch()
    with pytest.raises(WarehouseError) as caught:
        backend.open(tmp_path / "file")
    assert caught.value.hint
