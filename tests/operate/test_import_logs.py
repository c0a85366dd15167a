"""Access logs become events: each line once, people of their own, and what is no line is a reject."""

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pixelake.errors import LakeUnavailable, SourceError
from pixelake.operate import import_logs
from pixelake.operate.import_logs import abandon
from pixelake.operate.lines import Source
from pixelake.testing import FakeClock
from pixelake.transform.raw import read
from pixelake.warehouse import delta
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from tests.operate.importing import NOW, Place, log_line

SHOP = {"form": "combined", "site": "shop.example"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A folder without anything in its lake."""
    made = Place(tmp_path / "data")
    yield made
    made.registry.close()


def write(folder: Path, lines: Sequence[str | bytes], name: str = "access.log") -> Path:
    """A log of these lines."""
    path = folder / name
    path.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
    return path


def test_lines_become_what_they_are(place: Place, tmp_path: Path) -> None:
    """Views, hits of the pixel, rejects of these, lines that are none, and what is left out: all are counted."""
    log = write(
        tmp_path,
        [
            log_line(1, "/a?utm_source=x&id=1"),
            log_line(2, "/a.css"),
            "",
            log_line(4, "/pixel.gif?site=other&event=buy&value=3"),
            log_line(5, "/pixel.gif?site=other&value=x"),
            b"\xff\x00 10.1.2.3 /a?token=hidden&x=1 ada:pw@host",
            log_line(7, "/b", 404),
        ],
    )
    (found,) = place.take(log, **SHOP)
    assert (found.lines, found.before, found.events, found.rejects, found.left_out) == (7, 0, 2, 2, 3)
    view, hit = place.rows()
    partition = view["partition"]
    assert view["hit_id"] == f"{partition}-1"
    assert (view["site"], view["url"], view["source"]) == (
        "shop.example",
        "https://shop.example/a?utm_source=x",
        "import",
    )
    assert view["received_at"].isoformat() == "2026-10-01T00:00:01+00:00"
    assert (view["hour"], view["occurred_at"]) == ("00", view["received_at"])
    assert (hit["position"], hit["site"], hit["event"]) == (4, "other", "buy")
    number, line = place.rows("rejects")
    assert (number["reason"], number["position"]) == ("bad_number", 5)
    assert (line["reason"], line["position"], line["stage"]) == ("line_unreadable", 6, "decode")
    assert line["received_at"].isoformat() == "2026-10-01T00:00:05+00:00"
    kept = json.loads(line["raw"])["line"]
    assert "10.1.2.0" in kept
    assert not any(secret in kept for secret in ("hidden", "10.1.2.3", "pw", "token"))
    assert read(line["raw"]).hit is None
    assert read(line["raw"]).why
    assert {*place.registry.snapshot().sites} == {"shop.example", "other"}
    sums = place.reader.sums()
    assert (sums.outcomes, sums.withheld, sum(each.position for each in sums.progress.values())) == (7, 3, 7)


def test_a_log_comes_in_once(place: Place, tmp_path: Path) -> None:
    """Packed or under another name it is the same; with one more line it is another one."""
    lines = [log_line(n) for n in range(20)]
    place.take(write(tmp_path, lines), **SHOP)
    packed = tmp_path / "access.log.1.gz"
    packed.write_bytes(gzip.compress((tmp_path / "access.log").read_bytes()))
    (again,) = place.take(packed, **SHOP)
    assert (again.before, again.lines, again.events) == (20, 20, 0)
    assert place.table().num_rows == 20
    place.take(write(tmp_path, [*lines, log_line(20)]), **SHOP)
    assert place.table().num_rows == 41


class Failing:
    """A lake that fails at some of its writes, before or after they are done."""

    def __init__(self, lake: Lake, failures: dict[int, str]) -> None:
        self._lake, self._failures, self.calls = lake, failures, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)

    def write(self, outcome: Outcome, *, coarse: bool = False) -> None:
        """See `Lake`."""
        self.calls += 1
        how = self._failures.get(self.calls)
        if how != "before":
            self._lake.write(outcome, coarse=coarse)
        if how:
            raise LakeUnavailable("the disk is full", "make room")


@pytest.mark.parametrize("how", ["before", "after"])
def test_cut_short_and_begun_again(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Each line is there once, and the people of a day stay who they are."""
    monkeypatch.setattr(import_logs, "CHUNK_LINES", 7)
    lines = [log_line(n, f"/pixel.gif?site=s&event_id={n % 30}&n={n}", address="203.0.113.7") for n in range(60)]
    lines[::9] = ["no line"] * len(lines[::9])
    log = write(tmp_path, lines)
    failing = Failing(place.lake, dict.fromkeys(range(1, 100, 2), how))
    for _ in range(20):
        try:
            place.take(log, lake=failing, **SHOP)
            break
        except LakeUnavailable:
            continue
    assert failing.calls >= 9
    rows = place.rows()
    assert [row["position"] for row in rows] == [n + 1 for n in range(60) if n % 9]
    assert [row["position"] for row in place.rows("rejects")] == [n + 1 for n in range(0, 60, 9)]
    assert len({row["visitor_id"] for row in rows}) == 1
    known: set[str] = set()
    for row in rows:
        assert row["duplicate"] == (row["event_id"] in known)
        known.add(row["event_id"])
    assert place.registry.secrets("import/") == []
    assert [*(place.folder / "import").iterdir()] == []


def test_people_are_not_those_of_the_server(place: Place, tmp_path: Path) -> None:
    """Nor those of another log; within one they are the same on a day, and others on the next."""
    lines = [log_line(n, address="198.51.100.9") for n in (40_000, 40_001, 126_400)]
    place.take(write(tmp_path, lines), **SHOP)
    first, same, next_day = [row["visitor_id"] for row in place.rows()]
    assert first == same != next_day
    place.take(write(tmp_path, [*lines, "x"]), **SHOP)
    assert len({row["visitor_id"] for row in place.rows()}) == 4


def test_an_import_that_is_given_up(place: Place, tmp_path: Path) -> None:
    """Its secret goes, what it brought stays."""
    lines = [log_line(n, address="198.51.100.9") for n in range(10)]
    log = write(tmp_path, lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_logs, "CHUNK_LINES", 5)
        with pytest.raises(LakeUnavailable):
            place.take(log, lake=Failing(place.lake, {2: "before"}), **SHOP)
    assert len(place.registry.secrets("import/")) == 1
    assert abandon(place.registry, place.folder) == 1
    assert place.registry.secrets("import/") == []
    assert not list((place.folder / "import").iterdir())
    place.take(log, **SHOP)
    assert place.table().num_rows == 10
    assert len({row["visitor_id"] for row in place.rows()}) == 2


def test_two_at_once(place: Place, tmp_path: Path) -> None:
    """The second one is told to wait."""
    log = write(tmp_path, [log_line(n) for n in range(4)])
    with log.open("rb") as file:
        held = place.folder / "import" / Source("x", file).id
    held.mkdir(parents=True)
    lock = import_logs.Flock(held / "lock")
    assert lock.acquire()
    with pytest.raises(SourceError, match="another process"):
        place.take(log, **SHOP)
    lock.release()
    place.take(log, **SHOP)


@pytest.mark.parametrize(
    ("lines", "told"),
    {
        "another format": (["Feb 10 21:00:00 host sshd: x"] * 3, "no log of that format"),
        "an export": (['{"hit_id":"a-1"}'], "no log of that format"),
        "times from the future": ([log_line(86_400 * 20).replace("2026", "2036")], "no log of that format"),
        "times before the web": ([log_line(1).replace("2026", "1970")], "no log of that format"),
    }.values(),
)
def test_a_file_that_is_no_such_log(place: Place, tmp_path: Path, lines: list[str], told: str) -> None:
    """It is refused as a whole, and nothing is written."""
    with pytest.raises(SourceError, match=told):
        place.take(write(tmp_path, lines), **SHOP)
    assert place.reader.sums().outcomes == 0
    assert place.registry.secrets("import/") == []


def test_lines_out_of_time(place: Place, tmp_path: Path) -> None:
    """A line from the future is a reject at the time of its neighbour: it makes no folder of its own."""
    place.take(write(tmp_path, [log_line(1), log_line(2).replace("2026", "2036")]), **SHOP)
    (row,) = place.rows("rejects")
    assert "future" in row["detail"]
    assert row["received_at"].isoformat() == "2026-10-01T00:00:01+00:00"
    assert row["received_at"].timestamp() * 1e6 < NOW


def test_an_empty_log(place: Place, tmp_path: Path) -> None:
    """There is nothing to do."""
    (found,) = place.take(write(tmp_path, []), **SHOP)
    assert (found.lines, found.events) == (0, 0)


@pytest.mark.parametrize(("few", "files"), [(24, 3), (23, 2 * 24 + 1)])
def test_a_quiet_day_is_one_file(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int, files: int
) -> None:
    """Of a day with more rows each hour is one."""
    monkeypatch.setattr(delta, "QUIET_ROWS", few)
    place.take(write(tmp_path, [log_line(n * 3_600) for n in range(50)]), **SHOP)
    assert [row["position"] for row in place.rows()] == [*range(1, 51)]
    assert added(place) == [files]
    with Lakehouse(place.folder / "lake") as house:
        found = house.sql("select count(*) from events where day = '02' and hour = '07'").to_pydict()
    assert list(found.values()) == [[1]]


def test_many_days_are_several_commits(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever else writes does not wait for thousands of files."""
    monkeypatch.setattr(import_logs, "CHUNK_DAYS", 4)
    place.take(write(tmp_path, [log_line(n * 43_200) for n in range(20)]), **SHOP)
    assert place.table().num_rows == 20
    assert added(place) == [4, 4, 4, 1]


def added(place: Place) -> list[int]:
    """How many files of events each commit brought, if any."""
    logs = sorted((place.folder / "lake/events/_delta_log").glob("*.json"))
    sizes = [len([line for line in path.read_bytes().splitlines() if b'"add"' in line]) for path in logs]
    return [size for size in sizes if size]


def test_a_day_that_is_not_over_has_its_hours(tmp_path: Path) -> None:
    """What comes in meanwhile joins them."""
    place = Place(tmp_path)
    lake = Lake(tmp_path / "lake", FakeClock(NOW - 30 * 86_400 * 1_000_000 + 3_600_000_000))  # 01:00 on 2026-10-02
    place.take(write(tmp_path, [log_line(n * 3_600) for n in range(24)]), lake=lake, **SHOP)
    assert len(list((tmp_path / "lake/events").rglob("hour=*/*.parquet"))) == 24
    place.registry.close()
