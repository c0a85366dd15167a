"""What every store of event ids keeps, as `pixelake.warehouse.base.Seen` promises it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from pixelake.testing import FakeClock
from pixelake.warehouse.base import Claim, Seen
from pixelake.warehouse.dynamodb import Table
from pixelake.warehouse.seen_dynamodb import DynamoSeen
from pixelake.warehouse.seen_sqlite import DAY, SqliteSeen

Open = Callable[[], Seen]


@pytest.fixture
def clock() -> FakeClock:
    """A clock of its own."""
    return FakeClock()


@pytest.fixture(params=["sqlite", "dynamodb"])
def connect(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Open]:
    """Opens the same store again and again, as processes do."""
    opened: list[SqliteSeen | DynamoSeen] = []
    name = request.getfixturevalue("dynamodb") if request.param == "dynamodb" else ""

    def connect() -> Seen:
        if name:
            opened.append(DynamoSeen(Table(name), clock=clock))
        else:
            opened.append(SqliteSeen(tmp_path / "seen.sqlite", clock=clock))
        return opened[-1]

    yield connect
    for store in opened:
        store.close()


@pytest.fixture
def seen(connect: Open) -> Seen:
    """Nobody owns anything."""
    return connect()


def _owner(seen: Seen, hit: str, event: str = "e", site: str = "s") -> str:
    return seen.claim([Claim(site, event, hit)])[0]


def test_first_claim_owns(seen: Seen) -> None:
    """The first hit owns an event id, later ones hear its name; sites do not meet."""
    assert [_owner(seen, "a"), _owner(seen, "b"), _owner(seen, "b", "f"), _owner(seen, "c", site="t")] == list("aabc")


def test_order_decides_within_one_call(seen: Seen) -> None:
    """Of several claims in one call the first owns."""
    asked = [Claim("s", "e", "a"), Claim("s", "e", "b"), Claim("s", "f", "b"), Claim("s", "e", "a")]
    assert seen.claim(asked) == ["a", "a", "b", "a"]


def test_window_ends(seen: Seen, clock: FakeClock) -> None:
    """A claim older than the window is taken over by the next hit."""
    _owner(seen, "a")
    clock.advance(DAY - 1)
    assert _owner(seen, "b") == "a"
    clock.advance(2)
    assert _owner(seen, "c") == "c"
    assert _owner(seen, "d") == "c"


def test_take_over_flips_no_answer(seen: Seen, clock: FakeClock) -> None:
    """Who owned still hears so, and who was a repeat still is one, after somebody else took the event id over."""
    _owner(seen, "a")
    _owner(seen, "b")
    clock.advance(DAY + 1)
    assert _owner(seen, "b") == "a"
    asked = [Claim("s", "e", hit) for hit in ("c", "a", "b", "d")]
    assert seen.claim(asked) == ["c", "a", "a", "c"]
    assert seen.claim(asked[::-1]) == ["c", "a", "a", "c"]


def test_owner_stays_though_its_claim_is_old(seen: Seen, clock: FakeClock) -> None:
    """The owner of an old claim does not claim anew: the window is not drawn out by a replay."""
    _owner(seen, "a")
    clock.advance(DAY + 1)
    assert _owner(seen, "a") == "a"
    assert _owner(seen, "b") == "b"


def test_hostile_ids(seen: Seen) -> None:
    """Any text is an event id, and different text a different one."""
    ids = ["", "\0", "'", '"; drop table log', "é", "e\u0301", "\U0001f600", "x" * 8192]
    assert seen.claim([Claim("s", each, f"h{n}") for n, each in enumerate(ids)]) == [f"h{n}" for n in range(len(ids))]


def test_nothing_asked(seen: Seen) -> None:
    """No claims, no owners."""
    assert list(seen.claim([])) == []


def test_asking_again_gives_the_same(connect: Open) -> None:
    """Also elsewhere, in another order and with other bounds."""
    asked = [Claim("s", f"e{n // 2}", f"h{n}") for n in range(20)]
    owners = connect().claim(asked)
    again = connect()
    assert list(again.claim(asked[::-1]))[::-1] == owners
    assert [_owner(again, each.hit_id, each.event_id) for each in asked] == owners


def test_all_agree(connect: Open) -> None:
    """Whoever asks at the same moment, in any order and any number, hears one owner of each event id; one that owns."""
    stores = [connect() for _ in range(3)]
    asked = [[Claim("s", str(event), f"{name}{event}") for event in range(40) for _ in range(2)] for name in "abc"]
    for part in asked:
        Random(part[0].hit_id).shuffle(part)
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(lambda store, part: store.claim(part), stores, asked))
    owners = [
        {claim.event_id: owner for claim, owner in zip(*each, strict=True)} for each in zip(asked, told, strict=True)
    ]
    assert owners[0] == owners[1] == owners[2]
    assert all(owner.removeprefix(owner[0]) == event for event, owner in owners[0].items())
    again = connect()
    assert {event: _owner(again, owner, event) for event, owner in owners[0].items()} == owners[0]


def test_many_claims(connect: Open) -> None:
    """More than one call carries: new ones, known ones and repeats of both."""
    new = [Claim("s", f"e{n}", f"h{n}") for n in range(250)]
    repeats = [Claim("s", f"e{n}", f"x{n}") for n in range(0, 500, 2)]
    assert connect().claim(new[:200]) == [f"h{n}" for n in range(200)]
    assert connect().claim(new + repeats) == [f"h{n}" for n in range(250)] + [
        f"h{n}" if n < 250 else f"x{n}" for n in range(0, 500, 2)
    ]
