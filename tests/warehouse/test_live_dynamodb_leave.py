"""Events leave the live store on DynamoDB: once, also after a crash, and no byte of them stays in the table."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from pixelake.clock import SECOND
from pixelake.testing import FakeClock
from pixelake.warehouse import live_dynamodb, live_dynamodb_docs, live_dynamodb_leave, live_lists
from pixelake.warehouse.base import EVENTS
from pixelake.warehouse.dynamodb import Table
from pixelake.warehouse.live_dynamodb import DynamoLive
from pixelake.warehouse.live_dynamodb_log import EMPTY
from pixelake.warehouse.live_dynamodb_reader import DynamoLiveReader
from pixelake.warehouse.live_lists import Top
from tests.dynamodb import new_table
from tests.warehouse.live_tables import Dying, everything
from tests.warehouse.outcomes import START, event, outcome

START_US = int(START.timestamp()) * SECOND
NOW = FakeClock(START_US + 600 * SECOND)
SECRET = "Zq7-secret-person-9x"


@pytest.fixture
def table(dynamodb: str, monkeypatch: pytest.MonkeyPatch) -> Table:
    """A new table."""
    monkeypatch.setattr(live_dynamodb, "EVERY", 3)
    return Table(dynamodb)


def shown(reader: DynamoLiveReader) -> list[Any]:
    """All that a screen may show, without cursors."""
    tops = [reader.top(name, None, 0, 100) for name in live_lists.NAMES]
    return [[row.event for row in reader.newest(100)], reader.minutes(0), reader.now(900.0), tops]


def holds(table: Table, secret: str) -> list[str]:
    """The items in which a text is, packed or not."""
    found = []
    for item in everything(table):
        packed = [value for value in item.values() if isinstance(value, bytes)]
        plain = [live_dynamodb_docs.zlib.decompress(value) for value in packed if value and value[:1] == EMPTY[:1]]
        if any(secret.encode() in value for value in [*packed, *plain, repr(item).encode()]):
            found.append(item["pk"])
    return found


ROWS = [
    event("a", at, user_id=SECRET if at % 3 == 0 else "x", host="h", path=f"/{SECRET if at % 3 == 0 else at}")
    for at in range(1, 21)
]
GONE = pa.Table.from_pylist([row for row in ROWS if row["user_id"] == SECRET], EVENTS)


@pytest.mark.parametrize("call", ["put_item", "update_item", "transact_write_items"])
@pytest.mark.parametrize("is_done", [False, True], ids=["before it is done", "after it was done"])
@pytest.mark.parametrize("at", [1, 3])
def test_a_crash_takes_nothing_off_twice(table: Table, call: str, is_done: bool, at: int) -> None:
    """Whoever dies while events leave, and whoever repeats the call: it is as if they had never come."""
    other = Table(new_table())
    for where, rows in ((table, ROWS), (other, [row for row in ROWS if row["user_id"] != SECRET])):
        for start in range(0, len(rows), 4):
            DynamoLive(where, clock=NOW).write(outcome(rows[start : start + 4]))
    dying = DynamoLive(Table(table.name, client=Dying(call, is_done, at)), clock=NOW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_dynamodb_leave, "STEP", 2)
        with pytest.raises(KeyboardInterrupt):
            dying.leave(GONE)
    known = DynamoLiveReader(table, clock=NOW)
    shown(known)
    store = DynamoLive(table, clock=NOW)
    store.leave(GONE)
    assert store.leave(GONE) == 0
    expected = shown(DynamoLiveReader(other, clock=NOW))
    assert shown(DynamoLiveReader(table, clock=NOW)) == shown(known) == expected
    store.scrub()
    assert shown(DynamoLiveReader(table, clock=NOW)) == shown(known) == expected
    assert holds(table, SECRET) == []


def test_what_was_never_counted_is_not_taken_off(table: Table) -> None:
    """Rows above the positions, of other partitions, or that are too old by now, lower no count."""
    store, reader = DynamoLive(table, 3_600.0, clock=NOW), DynamoLiveReader(table, 3_600.0, clock=NOW)
    store.write(outcome([event("a", 1)]))
    before = shown(reader)
    rows = [event("a", 2), event("b", 1), event("a", 1, received_at=START.replace(year=2020))]
    assert store.leave(pa.Table.from_pylist(rows, EVENTS)) == 0
    assert shown(reader) == before


def test_more_than_a_transaction_takes_leave(table: Table) -> None:
    """Hundreds of events leave at once, of several writes; each is taken off once, also if it is told twice."""
    rows = [event("a", at) for at in range(1, 251)]
    store, reader = DynamoLive(table, clock=NOW), DynamoLiveReader(table, clock=NOW)
    for start in range(0, 250, 60):
        store.write(outcome(rows[start : start + 60]))
    assert store.leave(pa.Table.from_pylist([*rows[:200], *rows[:200]], EVENTS)) == 200
    assert sum(row.number for row in reader.minutes(0) if row.name == "hits") == 50
    assert reader.now(900.0).hits == 50
    assert len(reader.newest(300)) == 50


def test_who_writes_meanwhile_is_not_held_up(table: Table) -> None:
    """A store that was open before somebody else let events leave goes on where the log is."""
    one, two = DynamoLive(table, clock=NOW), DynamoLive(table, clock=NOW)
    one.write(outcome(ROWS[:10]))
    assert two.leave(GONE.slice(0, 2)) == 2
    one.write(outcome(ROWS[8:]))
    reader = DynamoLiveReader(table, clock=NOW)
    assert sum(row.number for row in reader.minutes(0) if row.name == "hits") == 18
    assert dict(one.positions()) == {"a": 20}


def test_what_is_meant_by_its_text_is_hidden(table: Table) -> None:
    """Recent events, sites and values of lists that hold a text go; sums of lists stay, and the others' rows."""
    store, known = DynamoLive(table, clock=NOW), DynamoLiveReader(table, clock=NOW)
    rows = [
        event("a", 1, title=SECRET),
        event("a", 2, site=f"{SECRET}.example"),
        event("a", 3, host="h", path=f"/{SECRET}"),
        event("a", 4, host="h", path="/ok"),
    ]
    for row in rows:
        store.write(outcome([row]))
    shown(known)

    def is_meant(texts: Sequence[str]) -> list[bool]:
        return [SECRET in text for text in texts]

    assert store.hide(is_meant) == 3 + 1 + 1
    assert store.hide(is_meant) == 0
    store.scrub()
    for reader in (known, DynamoLiveReader(table, clock=NOW)):
        assert [row.event["hit_id"] for row in reader.newest(9)] == ["a-4"]
        assert reader.top("page", "shop", 0, 9) == [Top("h/ok", 1, False), Top("(other)", 1, True)]
        assert reader.by_minute(START_US)[START_US]["hits"] == 3
    assert holds(table, SECRET) == []
    store.write(outcome([event("a", 5)]))
    assert [row.event["hit_id"] for row in known.newest(9)] == ["a-5", "a-4"]
