"""Rows that take the place of others: in one commit, beside everybody, and nothing twice."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pixelake.errors import Conflict, LakeUnavailable
from pixelake.warehouse import swap, swap_note
from pixelake.warehouse.base import EVENTS, REJECTS
from pixelake.warehouse.delta import DeltaWriter
from pixelake.warehouse.delta_log import DataFile
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.place import Place
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.standing import Rows
from pixelake.warehouse.sums import LakeReader
from pixelake.warehouse.swap import Exchange, Staging
from pixelake.warehouse.swap_note import Keys
from tests import s3
from tests.warehouse.outcomes import event, outcome, reject

Row = Mapping[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the lake is."""
    return tmp_path / "lake"


def into(events: Sequence[Row] = (), rejects: Sequence[Row] = (), withheld: int = 0) -> Callable[[Staging], None]:
    """Exchanges all that stands of the hits of these rows, of partition `a`, for them."""

    def judge(staging: Staging) -> None:
        come = Rows(pa.Table.from_pylist(list(events), EVENTS), pa.Table.from_pylist(list(rejects), REJECTS))
        places = sorted({row["position"] for row in (*events, *rejects)})
        gone = [staging.standing.rows("a", at, at) for at in places]
        old = Rows(*(pa.concat_tables([rows[side] for rows in gone]) for side in (0, 1)))
        staging.put(Exchange("a", old, come, withheld))

    return judge


def shown(lake: Place, table: str) -> Mapping[str, Any]:
    """What SQL shows: name -> title or reason."""
    with Lakehouse(lake) as house:
        column = "title" if table == "events" else "reason"
        rows = house.ask(f"select hit_id, {column} as it from {table} order by 1").to_pylist()
    assert len({row["hit_id"] for row in rows}) == len(rows)
    return {row["hit_id"]: row["it"] for row in rows}


def counts(lake: Place) -> tuple[int, ...]:
    """In the lake, rejected, withheld, removed, outcomes."""
    sums = LakeReader(lake).sums()
    assert sums.holds, sums
    return sums.in_lake, sums.rejected, sums.withheld, sums.removed, sums.outcomes


def test_both_ways(folder: Path) -> None:
    """Events become rejects and rejects events; the others stay, and files that have only those stay, too."""
    lake = Lake(folder)
    lake.write(outcome([event("a", 1), event("a", 2)], [reject("a", 3)]))
    lake.write(outcome([event("a", 4)], [reject("a", 5)]))
    files = set(lake._events.log.files)
    lake.swap(into([event("a", 1, title="new"), event("a", 3, title="new")], [reject("a", 2, reason="schema")]))
    assert shown(folder, "events") == {"a-1": "new", "a-3": "new", "a-4": None}
    assert shown(folder, "rejects") == {"a-2": "schema", "a-5": "too_long"}
    assert counts(folder) == (3, 2, 0, 0, 5)
    assert len(files & set(lake._events.log.files)) == 1
    assert list((folder / "events" / "_swap").iterdir()) == []
    lake.write(outcome([event("a", 6)], [reject("a", 7)]))
    assert counts(folder) == (4, 3, 0, 0, 7)


def test_more_and_fewer(folder: Path) -> None:
    """A hit may have other outcomes than before: the counts follow."""
    lake = Lake(folder)
    lake.write(outcome([event("a", 1)], [reject("a", 2)], [("a", 3)]))
    lake.swap(into([event("a", 2), event("a", 2, hit_id="a-2.1")], [reject("a", 2, hit_id="a-2.2")], withheld=1))
    assert counts(folder) == (3, 1, 2, 0, 6)
    lake.swap(into((), [reject("a", 2)]))
    assert counts(folder) == (1, 1, 2, 0, 4)


def test_nothing_to_do(folder: Path) -> None:
    """Is no commit."""
    lake = Lake(folder)
    lake.write(outcome([event("a", 1)]))
    version = lake._events.log.version
    lake.swap(lambda _: None)
    assert lake._events.log.version == version


def test_what_is_cut_short_leaves_nothing(folder: Path) -> None:
    """Neither in the lake nor beside it."""
    lake = Lake(folder)
    lake.write(outcome([event("a", 1)]))
    before = set(folder.rglob("*.parquet"))

    def judge(staging: Staging) -> None:
        into([event("a", 1, title="new")])(staging)
        staging.prepare(staging.lacking())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lake.swap(judge)
    assert set(folder.rglob("*.parquet")) == before
    assert shown(folder, "events") == {"a-1": None}


def test_columns_of_others_stay(folder: Path) -> None:
    """What reads the rows sees all columns of the table."""
    lake = Lake(folder, schema=EVENTS.append(pa.field("mood", pa.string())))
    rows = outcome([event("a", 1)])
    lake.write(rows)
    found: list[pa.Table] = []
    lake.swap(lambda staging: found.append(staging.standing.rows("a", 1, 9).events))
    assert {"mood", "hour", "properties"} <= set(found[0].column_names)


def crash(*_: object) -> Any:
    """Fails."""
    raise LakeUnavailable("crash", "none")


def test_who_opens_it_ends_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A swap whose process died between its commits: readers see it as done, and a writer does it."""
    lake = Lake(folder)
    lake.write(outcome([event("a", 1), event("a", 2)], [reject("a", 3), reject("a", 4)]))
    with monkeypatch.context() as patch:
        patch.setattr(swap, "settle", lambda *found: crash() if len(found) > 2 else ())
        with pytest.raises(LakeUnavailable):
            lake.swap(into([event("a", 3)], [reject("a", 1, reason="schema"), reject("a", 2, reason="schema")]))

    def look() -> tuple[Any, ...]:
        return shown(folder, "events"), shown(folder, "rejects"), counts(folder)

    expected = {"a-3": None}, {"a-1": "schema", "a-2": "schema", "a-4": "too_long"}, (1, 3, 0, 0, 4)
    assert look() == expected
    (note,) = (folder / "events" / "_swap").iterdir()
    opened = Lake(folder)
    assert not note.exists()
    assert look() == expected
    assert not swap_note.is_pending(opened._events.log, opened._rejects.log)


def test_a_note_of_a_swap_that_never_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process died before the commit: nothing has changed, and the note goes when the lake is opened."""
    lake = Lake(folder)
    lake.write(outcome([], [reject("a", 1)]))
    with monkeypatch.context() as patch:
        patch.setattr(DeltaWriter, "commit", crash)
        with pytest.raises(LakeUnavailable):
            lake.swap(into([event("a", 1)]))
    (note,) = (folder / "events" / "_swap").iterdir()
    assert (shown(folder, "rejects"), counts(folder)) == ({"a-1": "too_long"}, (0, 1, 0, 0, 1))
    lake = Lake(folder)
    assert not note.exists()
    lake.swap(into([event("a", 1)]))
    assert (shown(folder, "rejects"), counts(folder)) == ({}, (1, 0, 0, 0, 1))


def test_a_purge_before_it_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no lock, a reject may be purged at the last moment: it counts as removed, and the sums hold."""
    lake = Lake(folder)
    lake.write(outcome([], [reject("a", 1), reject("a", 2)]))
    with monkeypatch.context() as patch:
        patch.setattr(swap, "settle", lambda *found: crash() if len(found) > 2 else ())
        with pytest.raises(LakeUnavailable):
            lake.swap(into([event("a", 1)]))
        assert list(lake.purge(lambda rows: pc.equal(rows["hit_id"], pa.scalar("a-1")))) == [1]
    Lake(folder)
    assert counts(folder) == (1, 1, 0, 1, 3)


def test_a_note_that_is_lost(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is told, and nothing is guessed."""
    lake = Lake(folder)
    lake.write(outcome([], [reject("a", 1)]))
    with monkeypatch.context() as patch:
        patch.setattr(swap, "settle", lambda *found: crash() if len(found) > 2 else ())
        with pytest.raises(LakeUnavailable):
            lake.swap(into([event("a", 1)]))
    (note,) = (folder / "events" / "_swap").iterdir()
    whole = note.read_bytes()
    for damaged in (b"", whole[:100], None):
        note.unlink() if damaged is None else note.write_bytes(damaged)
        with pytest.raises(LakeUnavailable, match=note.name):
            Lake(folder)
    note.write_bytes(whole)
    Lake(folder)
    assert counts(folder) == (1, 0, 0, 0, 1)


def consume(folder: Path) -> None:
    """Writes another partition."""
    lake = Lake(folder)
    for at in range(1, 21):
        lake.write(outcome([event("b", 2 * at)], [reject("b", 2 * at - 1)]))


def compact(folder: Path) -> None:
    """All there is, some times."""
    lake = Lake(folder)
    for _ in range(4):
        for todo in lake.plan():
            lake.compact(todo)


def exchange(folder: Path) -> None:
    """Every second one of 20 hits is an event, and in the next turn a reject."""
    lake = Lake(folder)
    for turn in range(5):
        good = [event("a", at, title=str(turn)) for at in range(1, 21) if at % 2 == turn % 2]
        lake.swap(into(good, [reject("a", at) for at in range(1, 21) if at % 2 != turn % 2]))


def torn(folder: Path, reader: LakeReader, house: Lakehouse) -> Sequence[object]:
    """What is not whole in one look: the sums, or a hit that is not just once in one of both tables."""
    query = """
        select count(*) as rows, count(distinct hit_id) as hits
        from (select * from (select hit_id, partition from events) union all select hit_id, partition from rejects)
        where partition = 'a'"""
    sums, found = reader.sums(), house.ask(query).to_pylist()
    return [*([] if sums.holds else [sums]), *([] if found == [{"rows": 20, "hits": 20}] else found)]


def test_beside_a_consumer(folder: Path) -> None:
    """While one writes and one compacts, rows are swapped again and again: each is there once, and the sums hold."""
    Lake(folder).write(outcome([event("a", at) for at in range(1, 21)]))
    threads = [threading.Thread(target=each, args=(folder,)) for each in (consume, compact, exchange)]
    broken: list[object] = []
    with Lakehouse(folder) as house:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            broken += torn(folder, LakeReader(folder), house)
    assert broken == []
    assert counts(folder) == (30, 30, 0, 0, 60)
    assert set(shown(folder, "events").values()) == {None, "4"}


def test_in_a_bucket(s3: s3.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a lock: others commit in between and after the events, and the next one ends what is left."""
    objects = pytest.importorskip("pixelake.warehouse.objects")
    place = objects.lake(s3.bucket(), "lake")
    lake, rival = Lake(place), Lake(place)
    lake.write(outcome([event("a", 1), event("a", 2)], [reject("a", 3)]))
    real, told = DeltaWriter.commit, []

    def commit(self: DeltaWriter, *arguments: Any) -> None:
        told.append(self.log.folder.name)
        if len(told) == 1:  # of the events
            monkeypatch.setattr(DeltaWriter, "commit", real)
            rival.write(outcome([event("a", 4)], [reject("a", 5)]))
            monkeypatch.setattr(DeltaWriter, "commit", commit)
        if self.log.folder.name == "rejects":
            monkeypatch.setattr(DeltaWriter, "commit", real)
            raise Conflict("somebody was first", "none")
        real(self, *arguments)

    monkeypatch.setattr(DeltaWriter, "commit", commit)
    lake.swap(into([event("a", 3)], [reject("a", 1, reason="schema")]))
    assert told == ["events", "events", "rejects"]
    expected = {"a-1": "schema", "a-5": "too_long"}
    assert (shown(place, "rejects"), counts(place)) == (expected, (3, 2, 0, 0, 5))
    rival.write(outcome([event("a", 6)]))
    assert (shown(place, "rejects"), counts(place)) == (expected, (4, 2, 0, 0, 6))
    assert not swap_note.is_pending(rival._events.log, rival._rejects.log)


def test_keys() -> None:
    """Which rows are meant, also where text is a dictionary; and which files may have them."""
    keys = Keys()
    assert not keys
    keys.add("a", [1, 5, 9])
    keys.add("b", [2])
    keys.add("a", [11])
    rows = pa.table({"partition": ["a", "a", "b", "c", "b"], "position": [5, 6, 2, 5, 11]})
    expected = [True, False, True, False, False]
    assert keys.mask(rows).to_pylist() == expected
    assert keys.mask(rows.set_column(0, "partition", rows["partition"].dictionary_encode())).to_pylist() == expected
    assert keys.mask(rows.slice(0, 0)).to_pylist() == []

    def file(least: tuple[str, int], most: tuple[str, int]) -> DataFile:
        names = '"partition": "%s", "position": %d'
        return DataFile("f", 1, f'{{"minValues": {{{names % least}}}, "maxValues": {{{names % most}}}}}')

    assert keys.may_be_in(file(("a", 6), ("a", 9)))
    assert not keys.may_be_in(file(("a", 6), ("a", 8)))
    assert not keys.may_be_in(file(("c", 1), ("d", 99)))
    assert keys.may_be_in(DataFile("f", 1, None))


def test_a_note_comes_back_as_it_was(folder: Path) -> None:
    """Its hits, also many, and its files."""
    lake, keys = Lake(folder), Keys()
    keys.add("a", range(1, 200_000, 2))
    keys.add("b", [7])
    adds = lake._rejects.add_files(pa.Table.from_pylist([reject("a", 1)], REJECTS))
    swap_note.write(folder / "events", 5, swap_note.make(Counter(a=100_000, b=1), adds), keys)
    note, found = swap_note.read(folder / "events", 5)
    assert (note.gone, note.files) == ({"a": 100_000, "b": 1}, list(adds))
    assert {name: list(places) for name, places in found} == {name: list(places) for name, places in keys}
