"""The function in a stream of Firehose: what becomes of each record."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from pixelake import build, hit_json
from pixelake.aws import transform
from pixelake.aws.transform import DROPPED, FAILED, OK, Transform, name_of
from pixelake.build.records import records
from pixelake.clock import SECOND
from pixelake.errors import RegistryUnavailable, SettingsError, SourceError
from pixelake.event import FIELDS, REQUIRED
from pixelake.hit import Hit
from pixelake.settings import Settings
from tests.aws.requests import sample

AT = 1_770_757_200_123_456
"""2026-02-10 21:00:00.123456 UTC."""
ID = "HoIW-MaV1Qu7J5kwqnAYBNlsg4iI2MBYb5OXBfykwRAZpAqHmdWtQA=="


def line(hit_id: str = "a-1", query: str = "site=shop", *, at: int = AT, headers: bytes = b"", **more: Any) -> bytes:
    """A hit as it travels."""
    hit = Hit.of(at, "203.0.113.9", "203.0.113.9", "GET", f"/pixel.gif?{query}".encode(), headers, hit_id=hit_id)
    return hit_json.encode(hit) if not more else json.dumps(json.loads(hit_json.encode(hit)) | more).encode()


def logged(path: str = "/pixel.gif?site=shop", name: str = ID, *, method: str = "GET", status: int = 200) -> bytes:
    """A line of a real-time log with the default fields."""
    values = ("1770757200.123", "203.0.113.9", str(status), method, "cdn.example", path, name, "Firefox", "-", "FR")
    return "\t".join(values).encode() + b"\n"


def event(*data: bytes) -> dict[str, Any]:
    """A call of Firehose."""
    return {
        "invocationId": "an-id",
        "deliveryStreamArn": "arn:aws:firehose:us-east-1:123456789012:deliverystream/hits",
        "region": "us-east-1",
        "records": [
            {"recordId": f"r{at}", "approximateArrivalTimestamp": AT // 1_000, "data": b64encode(each).decode()}
            for at, each in enumerate(data, 1)
        ],
    }


def rows(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The events of a record that was transformed."""
    text = b64decode(record["data"], validate=True).decode()
    assert text.endswith("\n")
    return [json.loads(each, parse_float=Decimal) for each in text.splitlines()]


def results(answer: Mapping[str, Any]) -> list[str]:
    """What became of each record, in order."""
    found = answer["records"]
    assert [record["recordId"] for record in found] == [f"r{at}" for at in range(1, len(found) + 1)]
    return [record["result"] for record in found]


Make = Callable[..., Transform]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a function with these settings."""

    def made(most: int = transform.MOST, **chosen: Any) -> Transform:
        settings = Settings(data=tmp_path, **chosen)
        return Transform(records(settings), build.judge(settings), most)

    return made


# --- what becomes of records


def test_a_hit_becomes_a_row(make: Make) -> None:
    """Of every column that is not null; times and amounts as Firehose reads them, properties as they were sent."""
    sent = line(query="site=shop&event=buy&value=12.50&currency=EUR&Plan=free&Plan=paid&event_id=e1")
    answer = make()(event(sent))
    assert results(answer) == [OK]
    (row,) = rows(answer["records"][0])
    assert row["hit_id"] == "a-1"
    assert row["received_at"] == row["occurred_at"] == "2026-02-10 21:00:00.123456"
    assert (row["site"], row["event"], row["event_id"]) == ("shop", "buy", "e1")
    assert (row["value"], row["currency"]) == (Decimal("12.500000"), "EUR")
    assert row["properties"] == {"Plan": ["free", "paid"]}
    assert (row["year"], row["month"], row["day"], row["hour"]) == ("2026", "02", "10", "21")
    assert (row["bot"], row["duplicate"]) == (False, False)
    assert set(row) <= {field.name for field in FIELDS}
    assert set(row) >= REQUIRED
    assert None not in row.values()


def test_a_record_of_several_hits(make: Make) -> None:
    """Each line is a hit, and each of its elements a row; they stay with their record."""
    body = b'[{"site":"a"},{"site":"b"}]'
    two = hit_json.encode(Hit.of(AT, "", "", "POST", b"/events", b"", body, hit_id="two"))
    answer = make()(event(line("a-1") + b"\n" + two + b"\r\n\n", line("a-2")))
    assert results(answer) == [OK, OK]
    names = [[row["hit_id"] for row in rows(record)] for record in answer["records"]]
    assert names == [["a-1", "two", "two.1"], ["a-2"]]


def test_lines_of_a_log(make: Make) -> None:
    """CloudFront's real-time lines are hits under CloudFront's name of the request, its country is believed."""
    answer = make()(event(logged() + logged("/logo.png"), logged("/about", "abcdefgh", status=304)))
    assert results(answer) == [OK, OK]
    (row,) = rows(answer["records"][0])
    assert row["hit_id"] == f"cloudfront-{ID}"
    assert (row["source"], row["site"], row["country"]) == ("cloudfront", "shop", "FR")
    (view,) = rows(answer["records"][1])
    assert view["url"] == "https://cdn.example/about"


def test_other_fields_of_a_log(make: Make) -> None:
    """The setting names the fields that were chosen, in any order; one that a hit needs must be there."""
    fields = ("c-country", "timestamp", "c-ip", "sc-status", "cs-method", "cs-uri-stem")
    sent = b"1770757200.123\t203.0.113.9\t200\tGET\t/pixel.gif?site=shop\tFR\n"
    answer = make(log_fields=fields)(event(sent, logged()))
    assert results(answer) == [OK, FAILED]
    (row,) = rows(answer["records"][0])
    assert row["hit_id"] == f"{name_of(sent)}-1"
    with pytest.raises(SettingsError):
        make(log_fields=fields[:3])


def test_json_of_a_standard_log(make: Make) -> None:
    """Standard logs of version 2 come by Firehose, too."""
    sent = {"timestamp": "1770757200", "c-ip": "203.0.113.9", "cs-method": "GET", "sc-status": "200"}
    answer = make()(event(json.dumps(sent | {"cs-uri-stem": "/pixel.gif", "cs-uri-query": "site=shop"}).encode()))
    assert results(answer) == [OK]
    assert rows(answer["records"][0])[0]["site"] == "shop"


def test_a_name_is_the_same_each_time(make: Make) -> None:
    """What has no name gets one of what it holds, however it comes: called again, nothing new comes of it."""
    sent = line("", "site=shop")
    once, again = make()(event(sent)), make()(event(line(), sent))
    assert rows(once["records"][0])[0]["hit_id"] == rows(again["records"][1])[0]["hit_id"] == f"{name_of(sent)}-1"


def test_what_is_dropped(make: Make) -> None:
    """What policy withholds, and lines of logs that tell of no hit."""
    answer = make(do_not_track="withhold")(event(line(headers=b"DNT: 1\r\n"), logged("/logo.png"), b"\n", line("a-2")))
    assert results(answer) == [DROPPED, DROPPED, DROPPED, OK]


BAD = {
    "no hit": b"Hello World",
    "no UTF-8": b"\xff\x00\xfe",
    "other JSON": b'{"Hello": "World"}',
    "a newer version": line(v=2),
    "a source of ours": line(source="cloudfront"),
    "refused": line(query="site=shop&value=much"),
    "a field too long": line(query="site=shop&title=" + "x" * 9_000),
    "a log line of another order": b"203.0.113.9\t1770757200.123\n",
    "in the future": logged().replace(b"1770757200", b"4102444800"),
    "very many lines": b"x\n" * 10_001,
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_cannot_be_an_event(make: Make, bad: bytes) -> None:
    """It is left to Firehose's error prefix with all it holds, and the log says why; those beside it are rows."""
    with capture_logs() as logs:
        answer = make()(event(line("a-1"), bad, line("a-2")))
    assert results(answer) == [OK, FAILED, OK]
    assert b64decode(answer["records"][1]["data"]) == bad
    (told,) = logs
    assert told["records"] == 1
    assert told["reasons"]
    assert told["hint"]


def test_a_record_with_one_bad_line_fails_whole(make: Make) -> None:
    """Else nobody would learn of that line: whoever gathers the record judges the good one there."""
    both = line("a-1") + b"\nHello World\n"
    answer = make()(event(both))
    assert results(answer) == [FAILED]
    assert b64decode(answer["records"][0]["data"]) == both


def test_no_reason_tells_what_was_sent(make: Make) -> None:
    """A line in the log has codes and numbers, nothing of a visitor."""
    with capture_logs() as logs:
        make()(event(line(query="site=shop&value=ann@example.com"), b"ann@example.com"))
    assert "ann" not in str(logs)
    assert logs[0]["reasons"] == {"bad_number": 1, "message_unreadable": 1}


def test_an_answer_that_would_be_too_large(make: Make) -> None:
    """What does not fit fails, loudly, and can be judged again; nothing is left out."""
    sent = [line(f"a-{at}", f"site=shop&title={'x' * 900}") for at in range(20)]
    with capture_logs() as logs:
        answer = make(most=20_000)(event(*sent))
    found = results(answer)
    assert 3 < found.count(OK) < 17
    assert found.count(OK) + found.count(FAILED) == 20
    assert len(json.dumps(answer)) <= 20_000
    assert logs[0]["log_level"] == "error"
    assert "BufferSizeInMBs" in logs[0]["hint"]


def test_how_much_events_grow(make: Make) -> None:
    """A megabyte of records, which is what Firehose gathers for a call, makes an answer that Lambda takes."""
    agent = (
        b"User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142.0.0.0\r\nReferer: https://a.example/b\r\n"
    )
    sent = [
        line(f"apigateway-{at:020}", f"site=shop&url=https://a.example/b%2F{at}", headers=agent) for at in range(99)
    ]
    answer = make()(event(*sent))
    assert results(answer) == [OK] * 99
    assert len(json.dumps(answer)) < 5 * sum(map(len, sent))


# --- what fails the call


class _Away:
    def hits(self, data: bytes, at: int, name: str) -> Sequence[Hit]:
        return [Hit.of(at, "", "", "GET", b"/pixel.gif?site=a", b"", hit_id=name)]


def _unavailable(*_: object) -> Any:
    raise RegistryUnavailable("the table is away", "wait")


def test_broken_infrastructure_fails_the_call() -> None:
    """It raises, so that Firehose calls again; no record is answered as if it were at fault."""
    made = Transform(_Away(), _unavailable)  # type: ignore[arg-type]
    with pytest.raises(RegistryUnavailable):
        made(event(b"any"))


NO_EVENTS: Mapping[str, object] = {
    "nothing": {},
    "no object": [],
    "of API Gateway": sample("http-2.0"),
    "of Kinesis": sample("kinesis"),
    "no base64": event(b"x") | {"records": [{"recordId": "r1", "data": "%%%"}]},
    "no ids": event(b"x") | {"records": [{"data": ""}]},
    "one id twice": event(b"x") | {"records": [{"recordId": "r1", "data": ""}] * 2},
}


@pytest.mark.parametrize("sent", NO_EVENTS.values(), ids=NO_EVENTS)
def test_no_event_of_firehose(make: Make, sent: object) -> None:
    """It is refused, with what to do."""
    with pytest.raises(SourceError) as raised:
        make()(sent)
    assert "Firehose" in raised.value.hint


def test_the_handler_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Without its environment it raises, with one line in the log."""
    for name in ("PIXELAKE_REGISTRY", "PIXELAKE_LAKE"):
        monkeypatch.delenv(name, raising=False)
    transform._instance.cache_clear()
    with pytest.raises(SettingsError):
        transform.handler(event(line()), None)
    (told,) = map(json.loads, capfd.readouterr().err.splitlines())
    assert told["level"] == "error"
    assert "PIXELAKE_REGISTRY" in told["reason"]
    assert told["hint"]


SAMPLES = ("firehose", "firehose-kinesis", "firehose-put")


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(make: Make, name: str) -> None:
    """Events as AWS publishes them are answered record by record: theirs hold no hit."""
    sent = sample(name)
    answer = make()(sent)
    ids = [record["recordId"] for record in sent["records"]]
    assert [record["recordId"] for record in answer["records"]] == ids
    assert {record["result"] for record in answer["records"]} == {FAILED}
    assert [record["data"] for record in answer["records"]] == [record["data"] for record in sent["records"]]


def test_a_sample_with_a_hit_in_it(make: Make) -> None:
    """The same event, with a hit in place of its text, becomes a row."""
    sent = sample("firehose-kinesis")
    sent["records"][0]["data"] = b64encode(line(at=1_664_028_820 * SECOND)).decode()
    first, second = make()(sent)["records"]
    assert (first["result"], second["result"]) == (OK, FAILED)
    assert rows(first)[0]["received_at"] == "2022-09-24 14:13:40.000000"
