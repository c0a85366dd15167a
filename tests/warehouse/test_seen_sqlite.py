"""Who owns an event id."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from pixelake.clock import SECOND
from pixelake.errors import WarehouseError
from pixelake.testing import FakeClock
from pixelake.warehouse import seen_log
from pixelake.warehouse.base import Claim
from pixelake.warehouse.seen_log import Log
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


def test_old_claims_are_forgotten(seen: SqliteSeen, clock: FakeClock) -> None:
    """Past the window and the stream's retention and a day nothing is kept."""
    seen.claim([Claim("s", "e", "a"), Claim("s", "e", "b")])
    clock.advance(2 * DAY + 1)
    _owner(seen, "x", "other")
    assert seen._connection.execute("select count(*) from log").fetchone() == (1,)
    assert _owner(seen, "b") == "b"


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


def _claims(numbers: range, hit: str = "h") -> list[Claim]:
    return [Claim("s", f"e{n}", f"{hit}{n}") for n in numbers]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of keys after a few claims, and merged up to a bound."""
    monkeypatch.setattr(seen_log, "FRESH", 100)
    monkeypatch.setattr(seen_log, "LONGEST", 800)


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("seen.sqlite.*.run*"))


@pytest.mark.usefixtures("small")
def test_many_claims(seen: SqliteSeen, tmp_path: Path, clock: FakeClock) -> None:
    """Through files that are merged and read again, every event id keeps its owner, and who asks again hears it."""
    numbers = list(range(3_000))
    Random(1).shuffle(numbers)
    size = 30
    for start in range(0, len(numbers), size):
        part = [Claim("s", f"e{n}", f"h{n}") for n in numbers[start : start + size]]
        assert seen.claim(part) == [claim.hit_id for claim in part]
    assert 3_000 / 800 <= len(_files(tmp_path)) <= 3_000 / 400 + 4
    for store in (seen, SqliteSeen(tmp_path / "seen.sqlite", clock=clock)):
        assert store.claim(_claims(range(3_000))) == [f"h{n}" for n in range(3_000)]
        assert store.claim(_claims(range(3_000), "x")) == [f"h{n}" for n in range(3_000)]


@pytest.mark.usefixtures("small")
def test_the_latest_owner_counts_across_files(seen: SqliteSeen, clock: FakeClock) -> None:
    """After a take-over the new owner is found, wherever the old one is written, and both hear their own name."""
    for round_ in "abc":
        assert seen.claim(_claims(range(250), round_)) == [f"{round_}{n}" for n in range(250)]
        clock.advance(DAY + 1)
    clock.advance(-2)
    assert seen.claim(_claims(range(250), "d")) == [f"c{n}" for n in range(250)]
    assert seen.claim(_claims(range(250), "b")) == [f"b{n}" for n in range(250)]


@pytest.mark.usefixtures("small")
def test_files_of_the_forgotten_go(seen: SqliteSeen, tmp_path: Path, clock: FakeClock) -> None:
    """A file whose keys are all forgotten is removed, and nobody owns anything through it."""
    seen.claim(_claims(range(400)))
    old = _files(tmp_path)
    clock.advance(2 * DAY + 1)
    for start in range(1_000, 3_000, 100):
        seen.claim(_claims(range(start, start + 100)))
    assert old
    assert not {*old} & {*_files(tmp_path)}
    assert seen.claim(_claims(range(400), "x")) == [f"x{n}" for n in range(400)]


@pytest.mark.usefixtures("small")
def test_what_is_not_committed_was_never_claimed(
    seen: SqliteSeen, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that fails leaves nothing behind: neither in the memory nor, after the next start, beside the file."""
    seen.claim(_claims(range(90)))
    with monkeypatch.context() as patch:
        patch.setattr(Log, "forget", _fail)
        with pytest.raises(WarehouseError):
            seen.claim(_claims(range(1_000, 1_100)))
    stray = _files(tmp_path)
    assert stray
    assert seen.claim(_claims(range(1_000, 1_005), "x")) == [f"x{n}" for n in range(1_000, 1_005)]
    again = SqliteSeen(tmp_path / "seen.sqlite", clock=clock)
    assert _files(tmp_path) == []
    assert again.claim(_claims(range(90), "x")) == [f"h{n}" for n in range(90)]


def _fail(*_: object) -> None:
    raise OSError("no space left")


@pytest.mark.usefixtures("small")
def test_several_stores_share_their_files(seen: SqliteSeen, tmp_path: Path, clock: FakeClock) -> None:
    """What one puts into files, merges or removes, the other finds, call by call."""
    other = SqliteSeen(tmp_path / "seen.sqlite", clock=clock)
    for start in range(0, 2_000, 70):
        numbers = range(start, start + 70)
        assert seen.claim(_claims(numbers, "a")) == [f"a{n}" for n in numbers]
        assert other.claim(_claims(numbers, "b")) == [f"a{n}" for n in numbers]
        seen, other = other, seen
    assert seen.claim(_claims(range(2_000), "c")) == [f"a{n}" for n in range(2_000)]


@pytest.mark.usefixtures("small")
def test_a_damaged_file_is_told(seen: SqliteSeen, tmp_path: Path) -> None:
    """A file of keys that is gone or cut short is an error and not an answer."""
    seen.claim(_claims(range(200)))
    (name,) = _files(tmp_path)
    (tmp_path / name).write_bytes(b"short")
    other = SqliteSeen.__new__(SqliteSeen)
    with pytest.raises(WarehouseError, match=r"5 bytes"):
        other.__init__(tmp_path / "seen.sqlite")
    (tmp_path / name).unlink()
    with pytest.raises(WarehouseError, match="No such file") as caught:
        other.__init__(tmp_path / "seen.sqlite")
    assert f"move {tmp_path} away" in caught.value.hint


_FIRST_SCHEMA = """
create table owners (
  id integer primary key, event_id text not null, site text not null, hit_id text not null, claimed_at integer not null,
  unique (event_id, site)
) strict;
create table answers (
  id integer primary key, event_id text not null, site text not null, hit_id text not null, owner text not null,
  claimed_at integer not null,
  unique (event_id, hit_id, site)
) strict;
pragma user_version = 1;
"""
"""What data version 2 wrote."""


def test_what_older_versions_wrote(tmp_path: Path, clock: FakeClock) -> None:
    """Owners, their times and answers of data version 2 are taken over, once."""
    with closing(sqlite3.connect(tmp_path / "seen.sqlite")) as old:
        old.executescript(_FIRST_SCHEMA)
        day = int(DAY * SECOND)
        owners = [("e", "s", "b", clock.now() - 5), ("late", "s", "a", clock.now() - day + SECOND)]
        old.executemany("insert into owners values (null, ?, ?, ?, ?)", owners)
        answers = [("e", "s", "a", "a", clock.now() - 5), ("e", "s", "old", "a", clock.now() - day)]
        old.executemany(
            "insert into answers (event_id, site, hit_id, owner, claimed_at) values (?, ?, ?, ?, ?)", answers
        )
        old.commit()
    for _ in range(2):
        seen = SqliteSeen(tmp_path / "seen.sqlite", clock=clock)
        assert not seen.is_new
        assert [_owner(seen, hit) for hit in ("new", "old", "a", "b")] == list("baab")
        assert _owner(seen, "x", "late") == "a"
    clock.advance(2)
    assert _owner(seen, "y", "late") == "y"
