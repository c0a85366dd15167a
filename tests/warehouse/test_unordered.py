"""Hits that come in any order, and again: each once in the lake, and counted once."""

import random
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelake.clock import SYSTEM
from pixelake.errors import LakeUnavailable, WarehouseError
from pixelake.warehouse import place as places
from pixelake.warehouse.base import EVENTS, REJECTS, Outcome
from pixelake.warehouse.delta import Change, DeltaWriter
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.sums import LakeReader
from pixelake.warehouse.unordered import ERASED
from tests.warehouse.outcomes import event, outcome, reject

QUEUE = "sqs-4f1c9a2e"


def delivered(*hits: tuple[str, str]) -> Outcome:
    """Hits in the order they came: their names, and whether each is an ``event``, a ``reject`` or both."""
    events, rejects = [], []
    for place, (name, kind) in enumerate(hits, 1):
        if "event" in kind:
            events.append(event("sqs-reader", place, hit_id=name))
        if "reject" in kind:
            rejects.append(reject("sqs-reader", place, hit_id=name if kind == "reject" else f"{name}.1"))
    return outcome(events, rejects)


class Merging(Lake):
    """A lake that takes hits of one queue."""

    def take(self, outcome: Outcome) -> Outcome:
        """Merge them."""
        return self.settle(outcome, QUEUE)


def names(folder: Path, table: str = "events") -> list[str]:
    """What is in a table, sorted."""
    return sorted(DeltaTable(str(folder / table)).to_pyarrow_table(columns=["hit_id"])["hit_id"].to_pylist())


def test_what_comes_again_is_left_out(tmp_path: Path) -> None:
    """In the same delivery, in another one, in another order, beside new ones."""
    lake = Merging(tmp_path)
    first = lake.take(delivered(("a", "event"), ("b", "reject"), ("a", "event")))
    assert (first.first, first.positions) == ({QUEUE: 1}, {QUEUE: 2})
    second = lake.take(delivered(("c", "event"), ("b", "reject"), ("a", "event"), ("d", "event")))
    assert second.events["hit_id"].to_pylist() == ["c", "d"]
    assert second.events["position"].to_pylist() == [3, 4]
    assert not lake.take(delivered(("d", "event"), ("b", "reject"))).positions
    assert names(tmp_path) == ["a", "c", "d"]
    assert names(tmp_path, "rejects") == ["b"]
    sums = LakeReader(tmp_path).sums()
    assert (sums.progress[QUEUE].position, sums.outcomes, sums.in_lake, sums.rejected) == (4, 4, 3, 1)


def test_small_files_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch asks for the names of its hour; in a bucket each file would cost requests, each time."""
    lake, read, real = Merging(tmp_path), Counter[str](), places.parquet

    def parquet(where: Any, *others: Any) -> Any:
        read[str(where)] += 1
        return real(where, *others)

    monkeypatch.setattr(places, "parquet", parquet)
    for number in range(5):
        lake.take(delivered((f"new {number}", "event"), ("again", "event")))
    assert names(tmp_path) == sorted(["again", *(f"new {number}" for number in range(5))])
    assert len(read) == 4
    assert set(read.values()) == {1}


def test_a_hit_with_an_event_and_a_reject_is_one(tmp_path: Path) -> None:
    """Both its rows come and go together."""
    lake = Merging(tmp_path)
    assert lake.take(delivered(("a", "event and reject"))).positions == {QUEUE: 1}
    assert not lake.take(delivered(("a", "event and reject"), ("a", "event and reject"))).positions
    assert (names(tmp_path), names(tmp_path, "rejects")) == (["a"], ["a.1"])


def test_a_crash_between_rejects_and_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the rejects have then does not count, and is judged anew: it may be an event now."""
    lake, real = Merging(tmp_path), DeltaWriter.commit
    with monkeypatch.context() as patch:

        def commit(self: DeltaWriter, *arguments: object) -> None:
            if self.log.folder.name == "events":
                raise LakeUnavailable("crash", "none")
            real(self, *arguments)

        patch.setattr(DeltaWriter, "commit", commit)
        with pytest.raises(LakeUnavailable, match="crash"):
            lake.take(delivered(("a", "event"), ("b", "reject")))
    assert LakeReader(tmp_path).sums().rejected == 0
    again = Merging(tmp_path)
    again.take(delivered(("b", "event"), ("a", "event"), ("c", "reject")))
    assert (names(tmp_path), names(tmp_path, "rejects")) == (["a", "b"], ["c"])
    assert LakeReader(tmp_path).sums().holds


def test_withheld_hits_are_counted(tmp_path: Path) -> None:
    """They have no row that could be known again."""
    lake = Merging(tmp_path)
    lake.take(outcome([event(QUEUE, 1, hit_id="a")], withheld=[(QUEUE, 2)]))
    sums = LakeReader(tmp_path).sums()
    assert (sums.progress[QUEUE].position, sums.withheld, sums.in_lake, sums.holds) == (2, 1, 1, True)


def test_one_partition(tmp_path: Path) -> None:
    """What is of two cannot be counted."""
    with pytest.raises(WarehouseError, match="one partition"):
        Merging(tmp_path).take(outcome([event("a", 1), event("b", 1)]))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), crashes=st.booleans())
def test_any_deliveries(tmp_path_factory: pytest.TempPathFactory, seed: int, crashes: bool) -> None:
    """Two consumers, each hit delivered once or oftener to either, in any order: each is there once."""
    folder, rng = tmp_path_factory.mktemp("lake"), random.Random(seed)
    kinds = {f"h{number}": rng.choice(["event", "reject", "event and reject"]) for number in range(30)}
    pile = [*kinds, *rng.choices(list(kinds), k=40)]
    rng.shuffle(pile)
    lakes = [Merging(folder), Merging(folder)]
    while pile:
        batch = [pile.pop() for _ in range(min(len(pile), rng.randint(1, 12)))]
        which = rng.randrange(len(lakes))
        if crashes and rng.random() < 0.2:
            lakes[which] = Merging(folder)
        lakes[which].take(delivered(*((name, kinds[name]) for name in batch)))
    assert names(folder) == sorted(name for name, kind in kinds.items() if "event" in kind)
    found = Counter(names(folder, "rejects"))
    assert found.most_common(1)[0][1] == 1
    assert len(found) == sum("reject" in kind for kind in kinds.values())
    sums = LakeReader(folder).sums()
    assert sums.holds
    assert sums.progress[QUEUE].position == len(kinds)


def test_two_at_once_where_no_lock_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever settles between the commits of another takes its rejects out, and that one begins anew: none is lost."""
    monkeypatch.setattr(Lake, "_turn", lambda _: nullcontext())
    one, other, real = Merging(tmp_path), Merging(tmp_path), DeltaWriter.commit
    between = [delivered(("b1", "reject"), ("b2", "event")), delivered(("c1", "event"))]

    def commit(self: DeltaWriter, *arguments: Any) -> None:
        if self.log.folder.name == "events" and self in vars(one).values() and between:
            other.take(between.pop(0))
        real(self, *arguments)

    monkeypatch.setattr(DeltaWriter, "commit", commit)
    one.take(delivered(("a1", "reject"), ("a2", "event"), ("a3", "reject")))
    assert (names(tmp_path), names(tmp_path, "rejects")) == (["a2", "b2", "c1"], ["a1", "a3", "b1"])
    sums = LakeReader(tmp_path).sums()
    assert (sums.progress[QUEUE].position, sums.outcomes, sums.holds) == (6, 6, True)
    one.take(delivered(("a1", "reject"), ("b2", "event"), ("c1", "event")))
    assert LakeReader(tmp_path).sums().outcomes == 6


def test_who_is_erased_meanwhile_is_asked_again(tmp_path: Path) -> None:
    """An erasure that begins after the bar was asked makes the commit fail, and what was written for it goes."""
    lake, asked = Merging(tmp_path), []
    lake.take(delivered(("a", "event")))

    def bar(found: Outcome) -> Outcome:
        asked.append(found)
        if len(asked) > 1:
            return delivered(("c", "event"))
        for table in _tables(tmp_path):
            table.commit(Change(()), {ERASED: 1})
        return found

    assert lake.settle(delivered(("b", "event, reject"), ("c", "event")), QUEUE, bar).events["hit_id"].to_pylist() == [
        "c"
    ]
    assert len(asked) == 2
    assert names(tmp_path) == ["a", "c"]
    assert names(tmp_path, "rejects") == []
    for table, most in (("events", 2), ("rejects", 0)):
        assert len(list((tmp_path / table).rglob("hour=*/*.parquet"))) == most
    lake.begin_erasing()
    assert [writer.log.transactions[ERASED] for writer in _tables(tmp_path)] == [2, 2]
    assert LakeReader(tmp_path).sums().holds


def _tables(folder: Path) -> list[DeltaWriter]:
    return [DeltaWriter(folder / name, schema, SYSTEM) for name, schema in (("events", EVENTS), ("rejects", REJECTS))]
