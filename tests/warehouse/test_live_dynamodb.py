"""The live store on DynamoDB: the same answers as the one on SQLite, whatever comes, and whoever else writes."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixelake.clock import SECOND
from pixelake.errors import WarehouseError
from pixelake.testing import FakeClock
from pixelake.warehouse import live_dynamodb, live_lists
from pixelake.warehouse.base import EVENTS, Outcome
from pixelake.warehouse.dynamodb import Table
from pixelake.warehouse.live_base import COLUMNS, Now, Reader
from pixelake.warehouse.live_dynamodb import DynamoLive
from pixelake.warehouse.live_dynamodb_reader import DynamoLiveReader
from pixelake.warehouse.live_sqlite import LiveReader, LiveStore
from tests.dynamodb import new_table
from tests.warehouse.live_tables import Dying, InTurn, counted, everything, weighed
from tests.warehouse.outcomes import START, event, outcome, reject

START_US = int(START.timestamp()) * SECOND
DAY = 86_400.0
NOW = FakeClock(START_US + 600 * SECOND)


@pytest.fixture
def table(dynamodb: str) -> Table:
    """A new table."""
    return Table(dynamodb)


def shown(reader: Reader) -> list[Any]:
    """All that a screen may show, without cursors."""
    sites = (None, "shop", "blog", "nobody")
    return [
        [
            [dict(row.event) for row in reader.newest(80, site)],
            reader.minutes(0, site),
            {at: dict(names) for at, names in reader.by_minute(START_US - 600 * SECOND, site).items()},
            [reader.now(seconds, site) for seconds in (60.0, 900.0)],
            [
                reader.top(name, site, since, 60)
                for name in ("page", "event", "country")
                for since in ((0, START_US + 700 * SECOND) if site == "shop" else (0,))
            ],
        ]
        for site in sites
    ]


HITS = st.fixed_dictionaries(
    {
        "partition": st.sampled_from(["a", "b"]),
        "seconds": st.integers(0, 1_500),
        "is_reject": st.sampled_from([False] * 9 + [True]),
        "site": st.sampled_from(["shop", "shop", "blog"]),
        "event": st.sampled_from(["pageview", "pageview", "click"]),
        "user_id": st.sampled_from(["jane", None, None]),
        "visitor_id": st.sampled_from(["v", "w", "x", None]),
        "visitor_before": st.sampled_from([None, "v"]),
        "path": st.integers(0, 150).map("/{}".format),
        "host": st.just("h"),
        "country": st.sampled_from(["DE", None]),
        "bot": st.booleans(),
        "duplicate": st.sampled_from([True, False, None]),
    }
)


def rows_of(hits: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Rows at the next positions of their partitions, by these."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for hit in hits:
        name, *_ = hit["partition"]
        mine = rows.setdefault(name, [])
        more = {key: value for key, value in hit.items() if key not in ("partition", "seconds", "is_reject")}
        at = {"received_at": START + timedelta(seconds=hit["seconds"])}
        mine.append(reject(name, len(mine) + 1, **at) if hit["is_reject"] else event(name, len(mine) + 1, **more, **at))
    return rows


def outcome_of(rows: Sequence[dict[str, Any]]) -> Outcome:
    """What became of them."""
    return outcome([row for row in rows if "site" in row], [row for row in rows if "site" not in row])


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(HITS, min_size=20, max_size=120), st.lists(st.integers(1, 25), min_size=1, max_size=8), st.randoms())
def test_the_same_answers(
    tmp_path_factory: pytest.TempPathFactory, dynamodb: str, hits: list[dict[str, Any]], steps: list[int], random: Any
) -> None:
    """Whatever comes, in whatever writes, by one of two who write, again or overlapping: what is shown is the same."""
    house = House(tmp_path_factory.mktemp("live"))
    rows = rows_of(hits)
    for mine in rows.values():
        at = 0
        while at < len(mine):
            step = random.choice(steps)
            house.write(outcome_of(mine[max(0, at - random.choice([0, 0, 5])) : at + step]), random)
            at += step
        house.compare()
    house.leave([row for mine in rows.values() for row in mine if row.get("user_id") == "jane"])
    house.compare()
    house.others[1].scrub()
    house.compare()


class House:
    """A live store on SQLite, one on DynamoDB that two write to, and readers of both."""

    def __init__(self, folder: Path) -> None:
        clock, table = FakeClock(START_US + 1_500 * SECOND), Table(new_table())
        self.first, self.reader = LiveStore(folder / "x", DAY, 1_000, clock), LiveReader(folder / "x", clock)
        self.others = [DynamoLive(table, DAY, 1_000, clock) for _ in range(2)]
        self.new = partial(DynamoLiveReader, table, DAY, 1_000, clock)
        self.known = self.new()

    def write(self, part: Outcome, random: Any) -> None:
        """One or both of those who write do so."""
        self.first.write(part)
        for store in random.sample(self.others, random.choice([1, 2])):
            store.write(part)
        self.known.after(0, 10)

    def leave(self, rows: list[dict[str, Any]]) -> None:
        """They leave; once."""
        gone = pa.Table.from_pylist(rows, EVENTS)
        assert self.others[0].leave(gone) == self.first.leave(gone)
        assert self.others[1].leave(gone) == 0

    def compare(self) -> None:
        """Both show the same, also to one who has looked before."""
        assert dict(self.others[0].positions()) == dict(self.first.positions())
        expected = shown(self.reader)
        assert shown(self.new()) == expected
        assert shown(self.known) == expected


def test_a_cursor_gives_what_came_since(table: Table) -> None:
    """Behind a cursor come the newest events, oldest first, each once; nothing new is one request."""
    store, reader = DynamoLive(table, DAY, clock=FakeClock(START_US)), DynamoLiveReader(table, DAY, clock=NOW)
    store.write(outcome([event("a", at) for at in range(1, 6)]))
    seen = reader.newest(1)[0].cursor
    store.write(outcome([event("a", at) for at in range(6, 10)]))
    assert [row.event["hit_id"] for row in reader.after(seen, 10)] == ["a-6", "a-7", "a-8", "a-9"]
    assert [row.event["hit_id"] for row in reader.after(seen, 2)] == ["a-8", "a-9"]
    store.write(outcome([], [reject("a", 10)]))
    newest = reader.after(seen, 1)[0].cursor
    with counted() as calls:
        assert reader.after(newest, 10) == []
    assert calls == ["GetItem"]
    assert [row.event["hit_id"] for row in reader.after(newest + 1, 10)][-1] == "a-9"  # of a table that was wiped
    assert list(reader.newest(1)[0].event) == list(COLUMNS)


def test_many_questions_at_once_are_one_look(table: Table) -> None:
    """Who asks of many sites within a moment asks the table once whether anything is new; and later once more."""
    clock = FakeClock(START_US + 600 * SECOND)
    store, reader = DynamoLive(table, clock=clock), DynamoLiveReader(table, clock=clock, look=0.2)
    store.write(outcome([event("a", at, site=f"s{at % 5}") for at in range(1, 11)]))
    assert reader.now(900.0).hits == 10
    assert reader.newest(1, "s0")[0].event["hit_id"] == "a-10"
    store.write(outcome([event("a", 11, site="s0")]))
    with counted() as calls:
        found = [reader.now(900.0, f"s{at}").hits for at in range(5)]
    assert (found, calls) == ([2] * 5, [])
    clock.advance(0.2)
    with counted() as calls:
        found = [reader.now(900.0, f"s{at}").hits for at in range(5)]
    assert (found, calls) == ([3, 2, 2, 2, 2], ["GetItem", "BatchGetItem"])


def test_before_there_is_anything(table: Table) -> None:
    """Everything is empty, and looking writes nothing."""
    reader = DynamoLiveReader(table)
    assert (reader.newest(5), reader.newest(5, "x"), reader.after(7, 5), reader.minutes(0)) == ([], [], [], [])
    assert reader.now(60) == Now(0, 0)
    assert list(table.query("live")) == []


def test_what_a_write_costs(table: Table) -> None:
    """An entry and the head, of one site or of fifty, however many events: no reading, and few kilobytes."""
    for sites, kilobytes in ((1, 12), (50, 16)):
        store = DynamoLive(table, clock=NOW)
        rows = [event(f"p{sites}", at + 1, site=f"s{at % sites}", host="h", path=f"/{at}") for at in range(100)]
        with counted() as calls, weighed(table) as items:
            store.write(outcome(rows))
        assert calls == ["PutItem", "UpdateItem"]
        assert sum(items) < kilobytes * 1_024


def test_old_ones_are_not_shown(table: Table) -> None:
    """What the table has not forgotten yet, the reader has; and all items of counts and events end by themselves."""
    clock = FakeClock(START_US)
    store, reader = DynamoLive(table, 3_600.0, clock=clock), DynamoLiveReader(table, 3_600.0, clock=clock)
    store.write(outcome([event("a", 1)]))
    clock.advance(2 * 3_600)
    assert (reader.newest(5), reader.newest(5, "shop"), reader.minutes(0), reader.top("event", None, 0, 5)) == (
        *([], [], [], []),
    )
    store.write(outcome([event("a", 7_200)]))
    live_dynamodb.merged(store._log, store._term())
    assert [row.event["hit_id"] for row in reader.newest(5)] == ["a-7200"]
    assert {row.minute for row in reader.minutes(0)} == {START_US + 7_200 * SECOND}
    ends = {item["pk"]: item["ttl"] for item in everything(table) if "ttl" in item}
    assert min(ends.values()) == (START_US + 3_601 * SECOND) // SECOND + 1
    assert {pk for pk in ends if "#entry#" in pk} == {"live#entry#1", "live#entry#2"}


@pytest.mark.parametrize("call", ["put_item", "update_item"])
@pytest.mark.parametrize("is_done", [False, True], ids=["before it is done", "after it was done"])
def test_a_crash_counts_nothing_twice(table: Table, call: str, is_done: bool) -> None:
    """Whoever dies at a request, before or after it was done: whoever repeats the call counts everything once."""
    once = outcome([event("a", 1), event("a", 2)], [reject("a", 3)])
    store = DynamoLive(Table(table.name, client=Dying(call, is_done)), clock=NOW)
    with pytest.raises(KeyboardInterrupt):
        store.write(once)
    again = DynamoLive(table, clock=NOW)
    for _ in range(2):
        again.write(once)
    again.write(outcome([event("a", 2), event("a", 4)]))
    reader = DynamoLiveReader(table, clock=NOW)
    assert again.positions() == {"a": 4}
    assert sum(row.number for row in reader.minutes(0) if row.name in ("hits", "rejects")) == 4
    assert [row.event["hit_id"] for row in reader.newest(9)] == ["a-4", "a-2", "a-1"]


@pytest.mark.parametrize("at", range(1, 8))
def test_a_crash_while_documents_are_made(table: Table, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whichever write of the merge somebody dies: nothing is missing and nothing is twice, before and after."""
    monkeypatch.setattr(live_dynamodb, "EVERY", 2)
    store = DynamoLive(table, clock=NOW)
    rows = [event("a", n, site=f"s{n % 3}", country="DE") for n in range(1, 6)]
    for row in rows[:3]:
        store.write(outcome([row]))
    dying = DynamoLive(Table(table.name, client=Dying("put_item update_item", False, at)), clock=NOW)
    with suppress(KeyboardInterrupt):
        for row in rows:
            dying.write(outcome([row]))
    reader = DynamoLiveReader(table, clock=NOW)
    store.write(outcome(rows))
    for each in (reader, DynamoLiveReader(table, clock=NOW)):
        assert each.top("country", None, 0, 5) == [live_lists.Top("DE", 5, False)]
        assert each.by_minute(START_US)[START_US]["hits"] == 5


def test_two_who_write_at_once(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """In threads, the same hits and others, with merges between: each hit is counted once."""
    monkeypatch.setattr(live_dynamodb, "EVERY", 3)
    failures: list[BaseException] = []
    table = Table(table.name, client=InTurn())

    def work(own: str) -> None:
        try:
            store = DynamoLive(table, clock=NOW)
            for at in range(1, 25):
                store.write(outcome([event(own, at), event("both", at)]))
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"p{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    reader = DynamoLiveReader(table, clock=NOW)
    assert sum(row.number for row in reader.minutes(0) if row.name == "hits") == 4 * 24
    assert len({row.event["hit_id"] for row in reader.newest(200)}) == 4 * 24
    assert reader.now(600.0).hits == 4 * 24


def test_a_table_that_is_not_there(table: Table) -> None:
    """It is an error with a hint, for who writes and for who reads."""
    for use in (DynamoLive, lambda missing: DynamoLiveReader(missing).newest(1)):
        with pytest.raises(WarehouseError) as caught:
            use(Table("no-such-table"))
        assert caught.value.hint


def test_a_table_with_something_else_in_it(table: Table) -> None:
    """What cannot be read is an error with a hint, not a wrong answer."""
    DynamoLive(table, clock=NOW).write(outcome([event("a", 1)]))
    table.update(("live#entry#1", "entry"), "SET #shown = :x, #counted = :x", x=b"nonsense")
    for ask in (lambda: DynamoLiveReader(table, clock=NOW).newest(1), lambda: DynamoLiveReader(table).minutes(0)):
        with pytest.raises(WarehouseError) as caught:
            ask()
        assert caught.value.hint
