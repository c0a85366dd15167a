"""Who owns an event id, in a table of DynamoDB: crashes, those who are faster, and what is left."""

from collections.abc import Callable
from typing import Any

import pytest

from pixelake.clock import SECOND
from pixelake.errors import WarehouseError
from pixelake.stream import aws
from pixelake.testing import FakeClock
from pixelake.warehouse.base import Claim
from pixelake.warehouse.dynamodb import Table
from pixelake.warehouse.seen_dynamodb import DAY, TRIES, DynamoSeen
from tests.stream.aws import Faulty, error, through, unreachable

Open = Callable[..., DynamoSeen]


@pytest.fixture
def clock() -> FakeClock:
    """A clock of its own."""
    return FakeClock()


@pytest.fixture
def connect(dynamodb: str, clock: FakeClock, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the same store again and again, by clients of one's own."""
    monkeypatch.setattr(aws, "WAITS", (0.001, 0.002, 0.004))

    def connect(client: Any = None, name: str = dynamodb) -> DynamoSeen:
        store = DynamoSeen(Table(name, client=client), clock=clock)
        request.addfinalizer(store.close)
        return store

    return connect


def _owner(seen: DynamoSeen, hit: str, event: str = "e") -> str:
    return seen.claim([Claim("s", event, hit)])[0]


def _items(name: str) -> list[dict[str, Any]]:
    found = aws.client("dynamodb").scan(TableName=name)["Items"]
    return [{attribute: next(iter(value.values())) for attribute, value in item.items()} for item in found]


def test_what_is_kept(connect: Open, dynamodb: str, clock: FakeClock) -> None:
    """The owner, and what a repeat was told, with when they may go; neither the event id nor the site."""
    seen = connect()
    seen.claim([Claim("shop.example", "order-7134", "a"), Claim("shop.example", "order-7134", "b")])
    items = _items(dynamodb)
    assert sorted(item["sk"].partition("/")[0] for item in items) == ["hit", "owner"]
    assert {int(item["ttl"]) for item in items} == {clock.now() // SECOND + 2 * int(DAY)}
    assert "7134" not in str(items)
    assert "shop" not in str(items)


def test_what_may_go_is_passed_over(connect: Open, clock: FakeClock) -> None:
    """Past the window, the stream's retention and a day nobody owns it any more, though DynamoDB deletes it later."""
    seen = connect()
    assert [_owner(seen, hit) for hit in "ab"] == ["a", "a"]
    clock.advance(2 * DAY + 1)
    assert _owner(connect(), "b") == "b"
    assert [_owner(connect(), hit) for hit in "ac"] == ["b", "b"]


def test_a_clock_that_jumps_ends_no_claim(connect: Open, clock: FakeClock) -> None:
    """A year ahead for a moment: who owned owns."""
    seen = connect()
    assert _owner(seen, "a") == "a"
    clock.microseconds += 365 * 86_400 * SECOND
    assert _owner(seen, "b") == "a"


def test_somebody_was_faster(connect: Open) -> None:
    """Between the look and the put another hit became the owner: that one is told, also to later ones of the call."""
    other = connect()

    def faster(**_: Any) -> None:
        assert _owner(other, "x") == "x"

    client = Faulty("dynamodb", put_item=[faster])
    asked = [Claim("s", "e", "a"), Claim("s", "e", "b")]
    assert connect(client).claim(asked) == ["x", "x"]
    assert other.claim(asked[::-1]) == ["x", "x"]


def test_somebody_took_it_over(connect: Open, clock: FakeClock) -> None:
    """Of two who find the window over one takes the event id over; the last owner still hears its own name."""
    other = connect()
    assert _owner(other, "a") == "a"
    clock.advance(DAY + 1)
    client = Faulty("dynamodb", put_item=[through, lambda **_: _owner(other, "x") and None])
    assert _owner(connect(client), "b") == "x"
    assert [_owner(other, hit) for hit in "axb"] == ["a", "x", "x"]


@pytest.mark.parametrize("puts", range(4))
def test_killed_between_two_puts(connect: Open, clock: FakeClock, puts: int) -> None:
    """Wherever a take-over is cut short, all hear what fits together: the last owner owned, one is the new one."""
    assert _owner(connect(), "a") == "a"
    clock.advance(DAY + 1)
    client = Faulty("dynamodb", put_item=[through] * puts + [unreachable] * 9)
    asked = [Claim("s", "e", hit) for hit in "bcd"]
    with pytest.raises(WarehouseError):
        connect(client).claim(asked)
    assert connect().claim([*asked, Claim("s", "e", "a")]) == ["b", "b", "b", "a"]
    clock.advance(DAY + 1)
    assert connect().claim([Claim("s", "e", hit) for hit in "zabcd"]) == ["z", "a", "b", "b", "b"]


def test_an_answer_that_is_lost(connect: Open) -> None:
    """A put that was made although the service said that it is busy makes nobody a repeat of itself."""
    real = aws.client("dynamodb")

    def lost(**arguments: Any) -> Any:
        real.put_item(**arguments)
        return error("InternalServerError", 500)()

    client = Faulty("dynamodb", real, put_item=[lost])
    assert _owner(connect(client), "a") == "a"
    assert client.count("put_item") == 2
    assert _owner(connect(), "b") == "a"


def test_few_calls(connect: Open) -> None:
    """New event ids cost a read of a hundred, and each a put; known ones no put; repeats one more read."""
    asked = [Claim("s", str(number), f"h{number}") for number in range(100)]
    client = Faulty("dynamodb")
    seen = connect(client)
    for claims, reads, puts in (
        (asked, 1, 100),
        (asked, 1, 0),
        ([each._replace(hit_id="x") for each in asked], 2, 100),
    ):
        client.calls.clear()
        seen.claim(claims)
        assert (client.count("batch_get_item"), client.count("put_item")) == (reads, puts)


@pytest.mark.parametrize(
    "faults",
    [[unreachable], [error("AccessDeniedException")], [error("ThrottlingException")] * 4],
    ids=["unreachable", "refused", "busy"],
)
def test_it_is_away(connect: Open, faults: list[Callable[..., Any]]) -> None:
    """It is told in one line with a hint, and works again as soon as the table does."""
    seen = connect(Faulty("dynamodb", put_item=faults))
    with pytest.raises(WarehouseError) as raised:
        _owner(seen, "a")
    assert "\n" not in str(raised.value)
    assert raised.value.hint
    assert [_owner(connect(), "b"), _owner(seen, "a")] == ["b", "b"]


def test_no_such_table(connect: Open) -> None:
    """It is told what to make."""
    with pytest.raises(WarehouseError, match="ResourceNotFound") as raised:
        _owner(connect(name="no-such-table"), "a")
    assert "pk and sk" in raised.value.hint


def test_others_are_always_faster(connect: Open) -> None:
    """It is tried a bounded number of times, then told; nothing is owned."""
    client = Faulty("dynamodb", put_item=[error("ConditionalCheckFailedException")] * TRIES)
    with pytest.raises(WarehouseError, match="all the time"):
        _owner(connect(client), "a")
    assert client.count("put_item") == TRIES
    assert _owner(connect(), "b") == "b"
