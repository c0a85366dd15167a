"""Who owns an event id."""

import subprocess
import sys
from pathlib import Path

import pytest

from pixelake.testing import FakeClock
from pixelake.warehouse.base import Claim
from pixelake.warehouse.seen_sqlite import DAY, SqliteSeen


@pytest.fixture
def clock() -> FakeClock:
    """A clock of its own."""
    return FakeClock()


@pytest.fixture
def seen(tmp_path: Path, clock: FakeClock) -> SqliteSeen:
    """Nobody owns anything."""
    return SqliteSeen(tmp_path / "seen.sqlite", clock=clock)


def _owner(seen: SqliteSeen, hit: str, event: str = "e", site: str = "s") -> str:
    return seen.claim([Claim(site, event, hit)])[0]


def test_first_claim_owns(seen: SqliteSeen) -> None:
    """The first hit owns an event id, later ones hear its name; sites do not meet."""
    assert [_owner(seen, "a"), _owner(seen, "b"), _owner(seen, "b", "f"), _owner(seen, "c", site="t")] == list("aabc")


def test_order_decides_within_one_call(seen: SqliteSeen) -> None:
    """Of several claims in one call the first owns."""
    asked = [Claim("s", "e", "a"), Claim("s", "e", "b"), Claim("s", "f", "b"), Claim("s", "e", "a")]
    assert seen.claim(asked) == ["a", "a", "b", "a"]


def test_asking_again_gives_the_same(seen: SqliteSeen, tmp_path: Path, clock: FakeClock) -> None:
    """Also after a restart, in another order and with other bounds."""
    asked = [Claim("s", f"e{n // 2}", f"h{n}") for n in range(20)]
    owners = seen.claim(asked)
    seen.close()
    again = SqliteSeen(tmp_path / "seen.sqlite", clock=clock)
    assert list(again.claim(asked[::-1]))[::-1] == owners
    assert [_owner(again, each.hit_id, each.event_id) for each in asked] == owners


def test_window_ends(seen: SqliteSeen, clock: FakeClock) -> None:
    """A claim older than the window is taken over by the next hit."""
    _owner(seen, "a")
    clock.advance(DAY - 1)
    assert _owner(seen, "b") == "a"
    clock.advance(2)
    assert _owner(seen, "c") == "c"
    assert _owner(seen, "d") == "c"


def test_take_over_flips_no_answer(seen: SqliteSeen, clock: FakeClock) -> None:
    """Who owned still hears so, and who was a repeat still is one, after somebody else took the event id over."""
    _owner(seen, "a")
    _owner(seen, "b")
    clock.advance(DAY + 1)
    assert _owner(seen, "b") == "a"
    asked = [Claim("s", "e", hit) for hit in ("c", "a", "b", "d")]
    assert seen.claim(asked) == ["c", "a", "a", "c"]
    assert seen.claim(asked[::-1]) == ["c", "a", "a", "c"]


def test_owner_stays_though_its_claim_is_old(seen: SqliteSeen, clock: FakeClock) -> None:
    """The owner of an old claim does not claim anew: the window is not drawn out by a replay."""
    _owner(seen, "a")
    clock.advance(DAY + 1)
    assert _owner(seen, "a") == "a"
    assert _owner(seen, "b") == "b"


def test_old_claims_are_forgotten(seen: SqliteSeen, clock: FakeClock) -> None:
    """Past the window and the stream's retention and a day nothing is kept."""
    seen.claim([Claim("s", "e", "a"), Claim("s", "e", "b")])
    clock.advance(2 * DAY + 1)
    _owner(seen, "x", "other")
    counts = [
        seen._connection.execute(f"select count(*) from {table}").fetchone()[0] for table in ("owners", "answers")
    ]
    assert counts == [1, 0]


def test_hostile_ids(seen: SqliteSeen) -> None:
    """Any text is an event id, and different text a different one."""
    ids = ["", "\0", "'", '"; drop table owners', "é", "e\u0301", "\U0001f600", "x" * 8192]
    assert seen.claim([Claim("s", each, f"h{n}") for n, each in enumerate(ids)]) == [f"h{n}" for n in range(len(ids))]


def test_nothing_asked(seen: SqliteSeen) -> None:
    """No claims, no owners."""
    assert list(seen.claim([])) == []


_CLAIMER = """
import sys
from pathlib import Path
from pixelake.warehouse.base import Claim
from pixelake.warehouse.seen_sqlite import SqliteSeen
seen = SqliteSeen(Path(sys.argv[1]))
for event in range(50):
    print(*seen.claim([Claim("s", str(event), sys.argv[2])]))
"""


def test_several_processes_agree(tmp_path: Path) -> None:
    """All processes hear the same owner of each event id."""
    command = [sys.executable, "-c", _CLAIMER, str(tmp_path / "seen.sqlite")]
    asking = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "abc"]
    answers = [process.communicate(timeout=60)[0].split() for process in asking]
    assert len(answers[0]) == 50
    assert answers[0] == answers[1] == answers[2]
