"""CloudFront's logs become events: each request once, whatever file tells of it."""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixelake.errors import LakeUnavailable, SettingsError, SourceError
from pixelake.operate import import_logs
from pixelake.transform.raw import read
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.lake import Lake
from tests.operate.importing import Place

START = 1_790_812_800
"""2026-10-01 00:00 UTC."""
REALTIME = {"form": "cloudfront-realtime"}
STANDARD = {"form": "cloudfront-standard"}
FIELDS = "date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent) cs-uri-query x-edge-request-id x-host-header"
"""Of the standard logs here."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A folder without anything in its lake."""
    made = Place(tmp_path / "data")
    yield made
    made.registry.close()


def record(number: int, query: str = "", country: str = "DE", name: str | None = None, status: str = "200") -> str:
    """A real-time record of a pixel, `number` seconds after `START`."""
    name = f"{number:054x}==" if name is None else name
    stem = f"/pixel.gif?site=shop.example&n={number}{query}"
    fields = (f"{START + number}.250", "203.0.113.7", status, "GET", "px.example", stem, name, "curl/8", "-", country)
    return "\t".join(fields)


def standard(number: int) -> str:
    """The same request as a standard log has it."""
    clock = f"{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}"
    query = f"site=shop.example&n={number}"
    told = ("2026-10-01", clock, "203.0.113.7", "GET", "/pixel.gif", "200", "curl/8", query, f"{number:054x}==")
    return "\t".join((*told, "px.example"))


def write(folder: Path, lines: Sequence[str], name: str = "log") -> Path:
    """A log of these lines."""
    path = folder / name
    path.write_bytes("".join(line + "\n" for line in lines).encode())
    return path


def test_records_become_events(place: Place, tmp_path: Path) -> None:
    """With the country that CloudFront told, under the name of the request; what is none is a reject or left out."""
    lines = [record(1), record(2, status="000"), record(3, "&value=x"), record(4)[:-20], record(5, country="-")]
    (found,) = place.take(write(tmp_path, lines), **REALTIME)
    assert (found.events, found.rejects, found.left_out, found.known) == (2, 2, 1, 0)
    first, last = place.rows()
    assert (first["hit_id"], first["source"], first["country"]) == (f"cloudfront-{1:054x}==", "cloudfront", "DE")
    assert first["received_at"].isoformat() == "2026-10-01T00:00:01.250000+00:00"
    assert (first["partition"].startswith("import-"), first["position"], last["country"]) == (True, 1, None)
    number, line = place.rows("rejects")
    assert (number["reason"], number["hit_id"]) == ("bad_number", f"cloudfront-{3:054x}==")
    again = read(number["raw"]).hit
    assert again is not None
    assert (again.source, again.header(b"cloudfront-viewer-country")) == ("cloudfront", b"DE")
    assert (line["reason"], line["position"], line["hit_id"]) == ("line_unreadable", 4, f"{line['partition']}-4")
    assert "fields instead of 10" in line["detail"]
    assert '"source":"cloudfront"' in line["raw"]


def test_the_same_file_twice(place: Place, tmp_path: Path) -> None:
    """Packed, too."""
    log = write(tmp_path, [record(n) for n in range(20)])
    place.take(log, **REALTIME)
    packed = tmp_path / "log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    (again,) = place.take(packed, **REALTIME)
    assert (again.before, again.events) == (20, 0)
    assert place.table().num_rows == 20


def test_files_that_overlap(place: Place, tmp_path: Path) -> None:
    """Each request is an event once, also where one file has it twice, or as a reject; each line is counted."""
    bad = record(40, "&value=x")
    place.take(write(tmp_path, [*(record(n) for n in range(20)), record(3), bad], "a"), **REALTIME)
    (found,) = place.take(write(tmp_path, [bad, *(record(n) for n in range(10, 30)), record(12)], "b"), **REALTIME)
    assert (found.events, found.rejects, found.known, found.left_out) == (10, 0, 12, 0)
    assert sorted(row["hit_id"] for row in place.rows()) == [f"cloudfront-{n:054x}==" for n in range(30)]
    assert place.table("rejects").num_rows == 1
    sums = place.reader.sums()
    assert (sums.outcomes, sums.withheld) == (44, 13)


def test_a_request_in_both_kinds_of_log(place: Place, tmp_path: Path) -> None:
    """It is one event."""
    place.take(write(tmp_path, [record(n) for n in range(5)]), **REALTIME)
    log = write(tmp_path, [f"#Fields: {FIELDS}", *(standard(n) for n in range(8))], "standard")
    (found,) = place.take(log, **STANDARD)
    assert (found.events, found.known, found.left_out) == (3, 5, 1)


def test_requests_without_a_name(place: Place, tmp_path: Path) -> None:
    """Nobody can tell whether two lines are one request: each is a hit."""
    fields = "timestamp,c-ip,sc-status,cs-method,cs-host,cs-uri-stem,cs-user-agent,cs-referer,c-country"
    lines = ["\t".join([*record(1).split("\t")[:6], "curl/8", "-", "DE"])] * 3
    (found,) = place.take(write(tmp_path, lines), fields=fields, **REALTIME)
    (dash,) = place.take(write(tmp_path, [record(1, name="-")] * 2, "dash"), **REALTIME)
    assert (found.events, dash.events) == (3, 2)
    assert place.rows()[0]["hit_id"] == f"{place.rows()[0]['partition']}-1"


class Failing:
    """A lake that fails at every other of its writes, before or after they are done."""

    def __init__(self, lake: Lake, how: str) -> None:
        self._lake, self._how, self.calls = lake, how, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lake, name)

    def write_new(self, outcome: Outcome, *, coarse: bool = False) -> Outcome:
        """See `Lake`."""
        self.calls += 1
        fails = self.calls % 2 == 1
        if not fails or self._how == "after":
            outcome = self._lake.write_new(outcome, coarse=coarse)
        if fails:
            raise LakeUnavailable("the disk is full", "make room")
        return outcome


@pytest.mark.parametrize("how", ["before", "after"])
def test_cut_short_and_begun_again(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Each request is there once, and what the lines behind the cut are read by stood before it."""
    monkeypatch.setattr(import_logs, "CHUNK_LINES", 7)
    other = "date time c-ip cs-method cs-uri-stem sc-status x-edge-request-id x-host-header"
    moved = ["\t".join((*standard(n).split("\t")[:6], f"{n:054x}==", "px.example")) for n in range(50, 80)]
    pages = [line.replace("/pixel.gif", "/page") for line in moved]
    lines = [f"#Fields: {FIELDS}", *(standard(n) for n in range(50)), *(standard(n) for n in range(9))]
    log = write(tmp_path, [*lines, f"#Fields: {other}", *pages])
    failing = Failing(place.lake, how)
    for _ in range(60):
        try:
            place.take(log, lake=failing, **STANDARD)
            break
        except LakeUnavailable:
            continue
    assert failing.calls > 12
    rows = place.rows()
    assert sorted(row["hit_id"] for row in rows) == [f"cloudfront-{n:054x}==" for n in range(80)]
    assert [row["path"] for row in rows[50:]] == ["/page"] * 30
    assert len({row["visitor_id"] for row in rows}) == 2  # with a user agent and without one
    assert place.table("rejects").num_rows == 0


def test_packed_files_one_behind_the_other(place: Place, tmp_path: Path) -> None:
    """As they come out of a bucket: each has its header, and people of the day are the same in all."""
    parts = [[f"#Version: 1.0\n#Fields: {FIELDS}", standard(n), standard(n + 1)] for n in (1, 3)]
    log = tmp_path / "day.gz"
    log.write_bytes(b"".join(gzip.compress(("\n".join(part) + "\n").encode()) for part in parts))
    (found,) = place.take(log, **STANDARD)
    assert (found.events, found.left_out, found.rejects) == (4, 4, 0)
    assert len({row["visitor_id"] for row in place.rows()}) == 1


def test_parquet(place: Place, tmp_path: Path) -> None:
    """Its columns have the names of the fields, with underscores; it comes in once, too."""
    names = "date time c_ip cs_method cs_uri_stem sc_status cs_user_agent cs_uri_query x_edge_request_id x_host_header"
    rows = [dict(zip(names.split(), standard(n).split("\t"), strict=True)) | {"c_country": "FR"} for n in range(30)]
    path = tmp_path / "log.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    (found,) = place.take(path, **STANDARD)
    assert (found.lines, found.events) == (30, 30)
    assert {row["country"] for row in place.rows()} == {"FR"}
    assert place.rows()[7]["hit_id"] == f"cloudfront-{7:054x}=="
    assert place.take(path, **STANDARD)[0].events == 0


def test_a_log_of_headers_alone(place: Place, tmp_path: Path) -> None:
    """Nobody came."""
    (found,) = place.take(write(tmp_path, ["#Version: 1.0", f"#Fields: {FIELDS}"]), **STANDARD)
    assert (found.events, found.rejects, found.left_out) == (0, 0, 2)


def test_other_fields_than_those_of_the_log(place: Place, tmp_path: Path) -> None:
    """The file is refused as a whole, and nothing is written."""
    log = write(tmp_path, [record(n) for n in range(5)])
    with pytest.raises(SourceError, match="no log of that format"):
        place.take(log, fields="timestamp,c-ip,sc-status,cs-method,cs-host,cs-uri-stem", **REALTIME)
    assert place.reader.sums().outcomes == 0


@pytest.mark.parametrize(
    ("options", "why"),
    {
        "no such field": (REALTIME | {"fields": "timestamp,user"}, "no field"),
        "too few": (STANDARD | {"fields": "date,time"}, "without the field"),
        "no host": (REALTIME | {"fields": "timestamp,c-ip,sc-status,cs-method,cs-uri-stem"}, "do not tell their site"),
        "a format of a server": (REALTIME | {"log_format": "$status"}, "has no --log-format"),
        "fields of a server": ({"form": "combined", "site": "a", "fields": "timestamp"}, "told by their fields"),
        "fields of an export": ({"form": "ndjson", "fields": "timestamp"}, "as it is"),
    }.values(),
)
def test_options_that_do_not_fit(place: Place, tmp_path: Path, options: dict[str, Any], why: str) -> None:
    """They are refused before a file is looked at."""
    with pytest.raises(SettingsError, match=why):
        place.take(tmp_path / "nothing", **options)
