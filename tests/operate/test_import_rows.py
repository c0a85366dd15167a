"""Export, import into an empty lake: equal tables, whatever is in them; and each row once, whatever happens."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pixelake.errors import LakeUnavailable, SourceError
from pixelake.event import Field
from pixelake.operate import import_rows
from pixelake.operate.export import Wanted, export_to
from pixelake.operate.rejects import Old, purge
from pixelake.transform.enrich.own import Own
from pixelake.transform.rules import Known
from pixelake.warehouse.base import Outcome
from tests.operate.importing import Place
from tests.warehouse.outcomes import START, event, outcome, reject

ROWS = {"form": "ndjson"}
ODD = "\0 \x1b[2J \u202e \U0001f600 \ufeff \x7f \u2028 =1+1 \"'\\,\n\r\t"
OWN = (
    Field("plan", "text", "", ""),
    Field("paid", "decimal(18,6)", "", ""),
    Field("since", "timestamp", "", ""),
    Field("seats", "int64", "", ""),
    Field("is_trial", "bool", "", ""),
    Field("tags", "map<text,list<text>>", "", ""),
)
KNOWN = Known(own=(Own("m:f", (), OWN, lambda: None),))


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    """A lake to export from, and one to import into."""
    made = Place(tmp_path / "a"), Place(tmp_path / "b")
    yield made
    for place in made:
        place.registry.close()


def odd_events() -> list[dict[str, Any]]:
    """Events with whatever a column may hold."""
    many = [(f"name {n} {ODD}", [ODD, "", str(n)]) for n in range(900)]
    return [
        event("p", 1, properties=[], title=ODD, url="https://a.example/" + "x" * 8_000),
        event("p", 2, properties=many, value=Decimal("-999999999999.999999"), currency="EUR"),
        event("p", 3, properties=None, value=Decimal("0.000001"), bot=None, visitor_id=None),
        event("p", 4, properties=[("", []), (ODD, [""])], received_at=START + timedelta(microseconds=1)),
        event("q", 1, received_at=datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), title=""),
        event("q", 2, sent_at=datetime(9999, 12, 31, tzinfo=UTC), user_id="\U0010ffff", dnt=True),
        event("import-0123456789abcdef0123", 7, hit_id="named by others/1.0", source="import"),
    ]


def odd_rejects() -> list[dict[str, Any]]:
    """Rejects likewise."""
    return [
        reject("p", 5, raw=ODD * 1_000, detail='[{"reason":"too_long"}]'),
        reject("p", 6, hit_id="p-6.1", raw='{"see":"p-6"}', visitor_id=None),
        reject("q", 3, detail=None),
    ]


def move(here: Place, there: Place, table: str = "events") -> Path:
    """Export a table and import it."""
    path = here.folder / f"{table}.ndjson"
    export_to(here.folder / "lake", Wanted(table), path)
    there.take(path, **ROWS)
    return path


def test_equal_tables(places: tuple[Place, Place]) -> None:
    """Every column of every row, of events and rejects; the sums of both lakes hold."""
    here, there = places
    here.lake.write(outcome(odd_events(), odd_rejects()))
    for table in ("events", "rejects"):
        move(here, there, table)
        assert there.table(table).equals(here.table(table)), table
    assert there.table().num_rows == 7
    sums = there.reader.sums()
    assert (sums.in_lake, sums.rejected, sums.outcomes, sums.removed) == (7, 3, 10, 0)


def test_columns_of_ones_own(tmp_path: Path) -> None:
    """They come along where the lake has them; where it has not, it is said which, and nothing is written."""
    here, there, without = (Place(tmp_path / name, known) for name, known in (("a", KNOWN), ("b", KNOWN), ("c", None)))
    own = {
        "plan": ODD,
        "paid": Decimal("1.5"),
        "since": START,
        "seats": -(2**63),
        "is_trial": False,
        "tags": [("a", [])],
    }
    rows = [event("p", 1, **own), event("p", 2)]
    events = pa.Table.from_pylist(rows, here.rules.schema)
    empty = outcome([event("p", 2)])
    here.lake.write(Outcome(events, empty.rejects, empty.withheld, {"p": 1}, {"p": 2}))
    path = move(here, there)
    assert there.table().equals(here.table())
    assert there.rows()[0]["seats"] == -(2**63)
    with pytest.raises(SourceError, match="no column 'plan'"):
        without.take(path, **ROWS)
    assert without.table().num_rows == 0
    for place in (here, there, without):
        place.registry.close()


def test_what_is_there_is_left_out(places: tuple[Place, Place]) -> None:
    """Rows that the lake has, also as the other kind, and rows that are twice in a file."""
    here, there = places
    here.lake.write(outcome(odd_events(), odd_rejects()))
    path = move(here, there)
    lines = path.read_bytes().splitlines(keepends=True)
    more = here.folder / "more.ndjson"
    more.write_bytes(b"".join([*lines, *lines, b"\n"]))
    (found,) = there.take(more, **ROWS)
    assert (found.events, found.known, found.lines) == (0, 14, 15)
    (home,) = here.take(more, **ROWS)
    assert (home.events, home.known) == (0, 14)
    there.lake.write(outcome([event("r", 1, hit_id="q-3", received_at=START + timedelta(seconds=3))]))
    assert there.take(_exported(here, "rejects"), **ROWS)[0].known == 1  # is an event there by now
    assert there.reader.sums().holds


def _exported(place: Place, table: str) -> Path:
    path = place.folder / "again.ndjson"
    export_to(place.folder / "lake", Wanted(table), path)
    return path


def test_what_our_stream_will_bring_is_left_to_it(places: tuple[Place, Place]) -> None:
    """Hits above the position of a partition that a stream here holds come by it."""
    here, there = places
    here.lake.write(outcome([event("p", n) for n in range(1, 6)]))
    there.lake.write(outcome([event("p", n) for n in range(1, 4)]))
    (found,) = there.take(_exported(here, "events"), **ROWS, streamed={"p": 1})
    assert (found.events, found.known) == (0, 5)
    there.lake.write(outcome([event("p", n) for n in range(4, 6)]))
    assert there.table().equals(here.table())


def test_cut_short_anywhere(places: tuple[Place, Place], monkeypatch: pytest.MonkeyPatch) -> None:
    """Before or after any commit: each row once, the sums hold, lines that are none are rejects once."""
    monkeypatch.setattr(import_rows, "CHUNK_LINES", 4)
    here, there = places
    here.lake.write(outcome([event("p", n) for n in range(1, 31)]))
    path = _exported(here, "events")
    lines = path.read_bytes().splitlines()
    lines[10:10] = [b"{", b'{"hit_id":"x"}', b"\xff", b"[]"]
    path.write_bytes(b"\n".join(lines))

    class Cut(BaseException):
        """A kill."""

    commits = 0

    def dying(table: Any, *arguments: Any, before: bool) -> None:
        nonlocal commits
        commits += 1
        dies = commits % 3 == 0
        if dies and before:
            raise Cut
        commit(table, *arguments)
        if dies:
            raise Cut

    writer = type(there.lake._events)
    commit = writer.commit
    for before in (True, False) * 20:
        with monkeypatch.context() as patch:
            patch.setattr(writer, "commit", lambda *arguments, before=before: dying(*arguments, before=before))
            try:
                there.take(path, **ROWS)
            except Cut:
                assert there.reader.sums().holds
                continue
        break
    assert commits > 10
    assert there.table().equals(here.table())
    assert [row["position"] for row in there.rows("rejects")] == [11, 12, 13, 14]
    assert there.take(path, **ROWS)[0].before == 34


@pytest.mark.parametrize(
    "change",
    {
        "a partition that is two names": {"partition": "a/outcomes"},
        "a partition of controls": {"partition": "a\0b"},
        "a folder elsewhere": {"year": "../.."},
        "another hour": {"hour": "03"},
        "a time without zone": {"received_at": "2026-02-10T21:00:00"},
        "a time that is none": {"received_at": "yesterday"},
        "too many digits": {"value": "1234567890123.5"},
        "no number": {"value": "NaN"},
        "a text for a list": {"properties": {"a": "b"}},
        "a number for a text": {"title": 5},
        "a position below 0": {"position": -1},
        "a position that is too large": {"position": 2**63},
        "nothing where something must be": {"site": None},
        "no name": {"hit_id": ""},
    }.values(),
)
def test_a_row_that_cannot_be(places: tuple[Place, Place], change: dict[str, Any]) -> None:
    """It is a reject with its number; the others come in."""
    here, there = places
    here.lake.write(outcome([event("p", n) for n in range(1, 4)]))
    path = _exported(here, "events")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[1] |= change
    path.write_text("\n".join(map(json.dumps, rows)))
    (found,) = there.take(path, **ROWS)
    assert (found.events, found.rejects) == (2, 1)
    (bad,) = there.rows("rejects")
    assert (bad["reason"], bad["position"]) == ("line_unreadable", 2)
    assert [row["hit_id"] for row in there.rows()] == ["p-1", "p-3"]
    assert {*there.lake.positions()} == {"p"}


def test_rejects_that_came_can_be_purged(places: tuple[Place, Place]) -> None:
    """They count as those of this lake do, although no stream here knows their partition."""
    here, there = places
    here.lake.write(outcome([], odd_rejects()))
    path = move(here, there, "rejects")
    path.write_bytes(path.read_bytes() + b"x\n")
    there.take(path, **ROWS)
    assert purge(there.lake, Old(None, None)) == 4
    sums = there.reader.sums()
    assert sums.holds
    assert (sums.rejected, sums.removed) == (0, 4)


@pytest.mark.parametrize("data", [b"x\ny\n", b'{"a":1}\n' * 2_000, b'{"site":"a","event":"b"}', b"\0" * 100, b"[]"])
def test_what_is_no_export(places: tuple[Place, Place], tmp_path: Path, data: bytes) -> None:
    """It is refused as a whole."""
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(SourceError, match="no export"):
        places[1].take(tmp_path / "x", **ROWS)
    assert places[1].reader.sums().outcomes == 0


def test_a_log_whose_export_came_is_known(places: tuple[Place, Place], tmp_path: Path) -> None:
    """Else each of its lines would be there twice."""
    here, there = places
    log = tmp_path / "access.log"
    log.write_text('1.2.3.4 - - [01/Oct/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "x"\n')
    here.take(log, form="combined", site="s")
    move(here, there)
    with pytest.raises(SourceError, match="in the lake already"):
        there.take(log, form="combined", site="s")
    assert there.table().num_rows == 1


def test_two_processes_at_one_file(places: tuple[Place, Place], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is behind is told, and writes nothing."""
    here, there = places
    here.lake.write(outcome([event("p", n) for n in range(1, 5)]))
    path = _exported(here, "events")
    monkeypatch.setattr(import_rows, "CHUNK_LINES", 2)
    bring = there.lake.bring
    monkeypatch.setattr(there.lake, "lines_done", lambda _table, _name: 0)
    there.take(path, **ROWS)
    monkeypatch.setattr(import_rows, "CHUNK_LINES", 3)
    monkeypatch.setattr(there.lake, "bring", lambda brought: bring(brought._replace(last=brought.last + 9)))
    with pytest.raises(LakeUnavailable, match="another process"):
        there.take(path, **ROWS)
    assert there.table().num_rows == 4


def test_what_our_stream_has_forgotten_comes(places: tuple[Place, Place]) -> None:
    """A lake that was lost: of its stream's partition the export brings what the stream does not hold any more."""
    here, there = places
    here.lake.write(outcome([event("p", n) for n in range(1, 6)]))
    (found,) = there.take(_exported(here, "events"), **ROWS, streamed={"p": 4})
    assert (found.events, found.known) == (3, 2)
    there.lake.write(outcome([event("p", n) for n in range(4, 6)]))
    assert there.table().equals(here.table())


def test_rejects_are_told_once(places: tuple[Place, Place]) -> None:
    """Those that were brought and the lines that could not be read add up to the lines."""
    here, there = places
    here.lake.write(outcome([], odd_rejects()))
    path = _exported(here, "rejects")
    path.write_bytes(path.read_bytes() + b'{"hit_id":"x"}\n')
    (found,) = there.take(path, **ROWS)
    assert (found.lines, found.rejects, found.known) == (4, 4, 0)
    assert there.table("rejects").num_rows == 4


def test_unreadable_lines_alone_in_a_commit_that_was_cut_short(
    places: tuple[Place, Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun anew they are near no row, so of another hour; and come once all the same."""
    monkeypatch.setattr(import_rows, "CHUNK_LINES", 2)
    here, there = places
    here.lake.write(outcome([event("p", n) for n in range(1, 3)]))
    path = _exported(here, "events")
    path.write_bytes(path.read_bytes() + b"{\n[]\n")
    events = there.lake._events
    commit, commits = events.commit, 0

    def dying(*arguments: Any) -> None:
        nonlocal commits
        commits += 1
        if commits == 2:
            raise LakeUnavailable("killed", "none")
        commit(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(events, "commit", dying)
        with pytest.raises(LakeUnavailable):
            there.take(path, **ROWS)
    there.take(path, **ROWS)
    assert [row["position"] for row in there.rows("rejects")] == [3, 4]


@pytest.mark.parametrize("name", ["received_at", "sent_at"])
@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+23:00"])
def test_times_beyond_the_calendar(places: tuple[Place, Place], name: str, time: str) -> None:
    """By their offset: a reject, and what follows comes."""
    here, there = places
    here.lake.write(outcome([event("p", 1), event("p", 2)]))
    path = _exported(here, "events")
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    rows[0] |= {name: time, "year": None, "month": None, "day": None, "hour": None}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (found,) = there.take(path, **ROWS)
    assert (found.events, found.rejects) == (1, 1)
    assert there.table().num_rows == 1
