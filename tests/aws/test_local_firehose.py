"""Firehose on this machine: which objects there are, when, under which keys, and what they hold."""

import gzip
import io
import json
import re
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import orc

from pixelake import build, hit_json
from pixelake.aws.local.convert import Conversion, Converter, arrow_type
from pixelake.aws.local.firehose import Firehose, Terms
from pixelake.aws.local.prefix import checked, evaluated
from pixelake.aws.transform import Transform
from pixelake.build.records import records
from pixelake.errors import SettingsError, StreamUnavailable
from pixelake.hit import Hit
from pixelake.settings import Settings
from pixelake.stream.aggregate import pack
from pixelake.testing import FakeClock
from pixelake.warehouse.glue import landing_table
from tests.aws.requests import sample

PREFIX = "landing/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"
ERRORS = "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/"
UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class Bucket:
    """Where objects go; it may refuse some calls."""

    def __init__(self, refuse: int = 0) -> None:
        self.objects: dict[str, bytes] = {}
        self.calls: list[str] = []
        self._refuse = refuse

    def __call__(self, key: str, body: bytes) -> None:
        """Put one."""
        self.calls.append(key)
        if len(self.calls) <= self._refuse:
            raise StreamUnavailable("slow down")
        self.objects[key] = body

    def one(self, start: str = "") -> bytes:
        """The only object whose key begins so."""
        (found,) = (body for key, body in self.objects.items() if key.startswith(start))
        return found

    def failed(self) -> list[dict[str, Any]]:
        """What stands under the error prefix."""
        return [
            json.loads(line) for key, body in self.objects.items() if "errors/" in key for line in body.splitlines()
        ]


def made(bucket: Bucket, transform: Any = None, repeat: Callable[[], bool] = lambda: False, **terms: Any) -> Firehose:
    """A stream by a clock that stands still."""
    usual = {"name": "hits", "prefix": PREFIX, "error_prefix": ERRORS} | terms
    return Firehose(Terms(**usual), bucket, transform=transform, clock=FakeClock(), repeat=repeat)


def clock_of(stream: Firehose) -> FakeClock:
    """Its clock."""
    clock = stream._clock
    assert isinstance(clock, FakeClock)
    return clock


def each(change: Callable[[bytes], Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], Any]:
    """A function that answers for each record by itself."""
    return lambda event: {
        "records": [{"recordId": sent["recordId"]} | change(b64decode(sent["data"])) for sent in event["records"]]
    }


def ok(data: bytes) -> dict[str, Any]:
    """What it answers for a record that is good."""
    return {"result": "Ok", "data": b64encode(data).decode()}


# --- buffers and keys


def test_an_object() -> None:
    """Its key is the prefix at the time its first record came, the stream's name and version, the time, and an id."""
    bucket = Bucket()
    stream = made(bucket, seconds=900)
    clock_of(stream).advance(3_590)
    stream.put(b"a\n")
    clock_of(stream).advance(60)
    stream.put_batch([b"b\n", b"c\n"])
    assert not stream.look()
    clock_of(stream).advance(840)
    assert stream.look()
    ((key, body),) = bucket.objects.items()
    assert re.fullmatch(rf"landing/year=2026/month=02/day=10/hour=21/hits-1-2026-02-10-22-14-50-{UUID}", key), key
    assert body == b"a\nb\nc\n"
    assert stream.waiting() == 0


def test_size_or_seconds() -> None:
    """Whichever comes first; what waits for more waits from its own first record on."""
    bucket = Bucket()
    stream = made(bucket, size=10, seconds=60)
    stream.put_batch([b"12345", b"12345", b"1"])
    assert stream.look()
    assert [*bucket.objects.values()] == [b"1234512345"]
    assert not stream.look()
    assert stream.waiting() == 1
    clock_of(stream).advance(60)
    assert stream.look()
    assert [*bucket.objects.values()] == [b"1234512345", b"1"]


def test_what_a_call_may_hold() -> None:
    """500 records, 1,000 KiB each, 4 MiB together; nothing of a call beyond that is taken."""
    stream = made(Bucket())
    stream.put(b"x" * 1_024_000)
    for bad in ([], [b"x"] * 501, [b"x" * 1_024_001], [b"x" * 1_000_000] * 5):
        with pytest.raises(ValueError, match="500"):
            stream.put_batch(bad)
    assert stream.waiting() == 1


def test_delimiter_and_gzip() -> None:
    """Records stand behind each other unless a delimiter is asked for; packed objects say so."""
    bucket = Bucket()
    stream = made(bucket, delimiter=b"\n", gzip=True)
    stream.put_batch([b"a", b"b"])
    stream.flush()
    ((key, body),) = bucket.objects.items()
    assert key.endswith(".gz")
    assert gzip.decompress(body) == b"a\nb\n"


def test_what_cannot_be_written_is_written_later() -> None:
    """Under the same key: an object that was written after all is not there twice."""
    bucket = Bucket(refuse=2)
    stream = made(bucket)
    stream.put(b"a")
    stream.flush()
    assert stream.waiting() == 1
    stream.flush()
    assert stream.waiting() == 0
    assert bucket.one() == b"a"
    assert len(set(bucket.calls)) == 1


def test_an_object_twice() -> None:
    """A fault: the same records under two names."""
    bucket = Bucket()
    stream = made(bucket, repeat=lambda: True)
    stream.put(b"a")
    stream.flush()
    assert [*bucket.objects.values()] == [b"a", b"a"]


def test_a_thread_hands_out() -> None:
    """Started it needs nobody; closing writes what still waits."""
    bucket, written = Bucket(), threading.Event()

    def write(key: str, body: bytes) -> None:
        bucket(key, body)
        written.set()

    stream = Firehose(Terms(name="hits", seconds=0.1), write)
    stream.start()
    stream.put(b"a")
    assert written.wait(20)
    stream.put(b"b")
    stream.close()
    assert b"".join(bucket.objects.values()) == b"ab"
    assert stream.waiting() == 0


def test_many_threads() -> None:
    """Whatever comes from how many at once is in objects, once."""
    bucket = Bucket()
    stream = Firehose(Terms(name="hits", size=1_000, seconds=0.05), bucket, transform=each(ok))
    stream.start()
    threads = [
        threading.Thread(target=lambda start=start: [stream.put(b"%06d" % at) for at in range(start, start + 200)])
        for start in range(0, 1_600, 200)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stream.close()
    text = b"".join(bucket.objects.values())
    assert sorted(text[at : at + 6] for at in range(0, len(text), 6)) == [b"%06d" % at for at in range(1_600)]


# --- prefixes


def test_the_usual_prefix() -> None:
    """The hour is added to one without expressions, and the kind of error to one of errors."""
    assert checked("", "") == (
        "!{timestamp:yyyy/MM/dd/HH}/",
        "!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/",
    )
    good, bad = checked("a/", "b/")
    at = 1_770_757_200_000_000
    assert evaluated(good, at) == "a/2026/02/10/21/"
    assert evaluated(bad, at, "processing-failed") == "b/processing-failed/2026/02/10/21/"


def test_expressions() -> None:
    """Times with letters between, and something random, new each time."""
    at = 1_770_757_200_000_000
    assert evaluated("!{timestamp:yyyy'-Q'MM}/x/!{timestamp:ss}", at) == "2026-Q02/x/00"
    first, second = (evaluated("!{firehose:random-string}", at) for _ in range(2))
    assert first != second
    assert re.fullmatch(r"\w{11}", first)


REFUSED = {
    "no kind of error": (PREFIX, "errors/"),
    "a kind of error where none is": ("!{firehose:error-output-type}/", ERRORS),
    "the year of the week": ("!{timestamp:YYYY}/", ERRORS),
    "an unknown letter": ("!{timestamp:yyyy-QQ}/", ERRORS),
    "an unknown expression": ("!{lambda:x}/", ERRORS),
}


@pytest.mark.parametrize(("prefix", "errors"), REFUSED.values(), ids=REFUSED)
def test_prefixes_that_are_refused(prefix: str, errors: str) -> None:
    """With what to do."""
    with pytest.raises(SettingsError) as raised:
        made(Bucket(), prefix=prefix, error_prefix=errors)
    assert raised.value.hint


# --- the function


def test_a_function_transforms() -> None:
    """Its data is written, in the order of the records; what it drops is not."""
    bucket = Bucket()
    stream = made(bucket, each(lambda data: {"result": "Dropped"} if data == b"b" else ok(data.upper())))
    stream.put_batch([b"a", b"b", b"c"])
    stream.flush()
    assert bucket.objects.values()
    assert bucket.one() == b"AC"


def test_records_of_a_call_are_gathered() -> None:
    """As many bytes as are hinted at, or seconds; each call tells of the stream and when each record came."""
    calls: list[Mapping[str, Any]] = []
    stream = made(Bucket(), lambda event: calls.append(event) or each(ok)(event), gathered=4, gather=30)
    stream.put_batch([b"aa", b"bb", b"cc"])
    assert stream.look()
    clock_of(stream).advance(30)
    stream.look()
    assert [len(call["records"]) for call in calls] == [2, 1]
    assert set(calls[0]) == {"invocationId", "deliveryStreamArn", "region", "records"}
    assert calls[0]["deliveryStreamArn"].endswith("deliverystream/hits")
    assert calls[0]["records"][0]["approximateArrivalTimestamp"] == 1_770_757_200_000
    assert set(calls[0]["records"][0]) == set(sample("firehose-put")["records"][0])


BAD_ANSWERS = {
    "it says so": (lambda data: {"result": "ProcessingFailed"}, "Lambda.ProcessingFailedStatus"),
    "its data too": (lambda data: {"result": "ProcessingFailed", "data": "eA=="}, "Lambda.ProcessingFailedStatus"),
    "another record": (lambda data: ok(data) | {"recordId": "other"}, "Lambda.MissingRecordId"),
    "no data": (lambda data: {"result": "Ok"}, "Lambda.JsonProcessingException"),
    "no base64": (lambda data: {"result": "Ok", "data": "%"}, "Lambda.JsonProcessingException"),
    "no result": (lambda data: {"data": ""}, "Lambda.JsonProcessingException"),
}


@pytest.mark.parametrize(("change", "code"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_what_fails_is_kept(change: Any, code: str) -> None:
    """Under the error prefix, as it came, in the members that AWS gives it; the others are written."""
    bucket = Bucket()
    stream = made(bucket, each(lambda data: change(data) if data == b"bad" else ok(data)))
    stream.put_batch([b"good", b"bad"])
    stream.flush()
    (key,) = (key for key in bucket.objects if key.startswith("errors/"))
    assert re.fullmatch(rf"errors/processing-failed/2026/02/10/hits-1-2026-02-10-21-00-00-{UUID}", key)
    (told,) = bucket.failed()
    members = "rawData errorCode errorMessage attemptsMade arrivalTimestamp attemptEndingTimestamp lambdaARN"
    assert list(told) == members.split()
    assert b64decode(told["rawData"]) == b"bad"
    assert (told["errorCode"], told["attemptsMade"], told["arrivalTimestamp"]) == (code, 1, 1_770_757_200_000)
    assert bucket.one("landing/") == b"good"
    assert stream.waiting() == 0


def _raise(_: object) -> Any:
    raise StreamUnavailable("the table is away")


FAILURES = {
    "it raises": _raise,
    "no records": lambda _: {},
    "no object": lambda _: None,
    "no list": lambda _: {"records": {}},
    "too large": lambda event: {"records": [{"recordId": event["records"][0]["recordId"]} | ok(b"x" * 5_000_000)]},
}


@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
def test_a_function_that_fails_is_called_again(fail: Any) -> None:
    """Three times more; then all records of the call are kept under the error prefix."""
    bucket, calls = Bucket(), []
    stream = made(bucket, lambda event: calls.append(event) or fail(event))
    stream.put_batch([b"a", b"b"])
    stream.flush()
    assert len(calls) == 4
    assert {json.dumps(call) for call in calls} == {json.dumps(calls[0])}
    assert [b64decode(told["rawData"]) for told in bucket.failed()] == [b"a", b"b"]
    assert {told["attemptsMade"] for told in bucket.failed()} == {4}
    assert stream.waiting() == 0


def test_a_function_that_works_again() -> None:
    """Nothing of its failures is left."""
    bucket, calls = Bucket(), []
    stream = made(bucket, lambda event: calls.append(1) or (each(ok)(event) if len(calls) > 2 else _raise(event)))
    stream.put(b"a")
    stream.flush()
    assert bucket.one() == b"a"


def test_a_record_answered_twice() -> None:
    """It is kept, once, as failed."""
    bucket = Bucket()
    stream = made(bucket, lambda event: {"records": each(ok)(event)["records"] * 2})
    stream.put(b"a")
    stream.flush()
    assert [told["errorCode"] for told in bucket.failed()] == ["Lambda.DuplicatedRecordId"]


RESULTS = ("Ok", "Dropped", "ProcessingFailed", "Odd", "raise")


@given(st.lists(st.tuples(st.binary(max_size=50), st.sampled_from(RESULTS))))
def test_every_record_ends_somewhere(sent: list[tuple[bytes, str]]) -> None:
    """In an object, dropped because the function said so, or under the error prefix: once, whatever it answers."""
    bucket = Bucket()

    def transform(event: Mapping[str, Any]) -> Any:
        answers = []
        for record in event["records"]:
            *_, result = json.loads(b64decode(record["data"]))
            if result == "raise":
                raise StreamUnavailable("away")
            answers.append(record | {"result": result})
        return {"records": answers}

    stream = made(bucket, transform, gathered=60, size=200)
    texts = [json.dumps([at, data.hex(), result]).encode() + b"\n" for at, (data, result) in enumerate(sent)]
    for text in texts:
        stream.put(text)
    stream.flush()
    good = [line + b"\n" for key, body in bucket.objects.items() if "landing" in key for line in body.splitlines()]
    failed = [b64decode(told["rawData"]) for told in bucket.failed()]
    dropped = [text for text in texts if b"Dropped" in text and text not in failed]
    assert sorted(good + failed + dropped) == sorted(texts)
    assert stream.waiting() == 0


# --- from a stream of Kinesis


def test_what_comes_by_kinesis_is_unpacked() -> None:
    """Each record of an aggregate is one, with its place in the stream; one that is plain stays."""
    (packed,) = pack([b"a", b"b"])
    event = sample("kinesis")
    event["Records"][0]["kinesis"]["data"] = b64encode(packed.data).decode()
    calls: list[Mapping[str, Any]] = []
    bucket = Bucket()
    stream = made(bucket, lambda event: calls.append(event) or each(ok)(event))
    assert stream.consume(event) == {"batchItemFailures": []}
    stream.flush()
    assert bucket.one() == b"abHello World"
    known = sample("firehose-kinesis")
    (call,) = calls
    assert set(call) == set(known)
    assert set(call["records"][0]) == set(known["records"][0])
    assert set(call["records"][0]["kinesisRecordMetadata"]) == set(known["records"][0]["kinesisRecordMetadata"])
    places = [record["kinesisRecordMetadata"]["subsequenceNumber"] for record in call["records"]]
    assert places == [0, 1, 0]
    assert len({record["recordId"] for record in call["records"]}) == 3
    assert call["records"][0]["approximateArrivalTimestamp"] == 1_480_641_523_477


# --- Parquet and ORC


LANDING = landing_table("s3://pixelake/landing")["StorageDescriptor"]["Columns"]
COLUMNS = [(column["Name"], column["Type"]) for column in LANDING]
LARGE = 64 << 20


def table_of(kind: str, body: bytes) -> pa.Table:
    """The rows of a file, as engines read them."""
    if kind == "orc":
        return orc.read_table(io.BytesIO(body))
    return pq.read_table(io.BytesIO(body), coerce_int96_timestamp_unit="us")


@pytest.mark.parametrize("kind", ["parquet", "orc"])
def test_events_become_rows(tmp_path: Path, kind: str) -> None:
    """What our function makes of hits is what stands in the files: times to the microsecond, amounts, names."""
    settings, bucket = Settings(data=tmp_path), Bucket()
    transform = Transform(records(settings), build.judge(settings))
    stream = made(bucket, transform, convert=Conversion(columns=COLUMNS, kind=kind, lower=False), size=LARGE)
    at, target = (
        1_770_757_200_123_456,
        b"/pixel.gif?site=shop&value=12.5&currency=EUR&Plan=a&plan=b&Plan=c&sent_at=1770757100",
    )
    for name in ("a-1", "a-2"):
        stream.put(hit_json.encode(Hit.of(at, "203.0.113.9", "203.0.113.9", "GET", target, b"", hit_id=name)))
    bad = hit_json.encode(Hit.of(at, "", "", "GET", b"/pixel.gif?value=much", b"", hit_id="bad"))
    stream.put(bad)
    stream.flush()
    ((key, body),) = ((key, body) for key, body in bucket.objects.items() if key.startswith("landing/"))
    assert key.endswith(f".{kind}")
    first, second = table_of(kind, body).to_pylist()
    assert (first["hit_id"], second["hit_id"]) == ("a-1", "a-2")
    moment = datetime(2026, 2, 10, 21, 0, 0, 123_456, tzinfo=UTC).replace(tzinfo=None)
    assert first["received_at"].replace(tzinfo=None) == first["occurred_at"].replace(tzinfo=None) == moment
    assert (first["value"], first["currency"]) == (Decimal("12.500000"), "EUR")
    assert dict(first["properties"])["Plan"] == ["a", "c"]
    assert dict(first["properties"])["plan"] == ["b"]
    assert (first["bot"], first["event_id"]) == (False, None)
    assert [b64decode(told["rawData"]) for told in bucket.failed()] == [bad]


def test_lowered_names_are_lost() -> None:
    """As OpenX does unless it is told not to: why our streams tell it."""
    sent = b'{"properties":{"Plan":["a"],"plan":["b"]}}'
    columns = [("properties", "map<string,array<string>>")]
    assert Converter(Conversion(columns=columns, lower=True)).rows(sent) == [{"properties": [("plan", ["b"])]}]
    assert len(Converter(Conversion(columns=columns, lower=False)).rows(sent)[0]["properties"]) == 2


def _utc(*parts: int) -> datetime:
    """A time as files hold it: of UTC, without saying so."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type,misc]


VALUES = {
    "time with a zone": ("timestamp", "2017-02-07T15:13:01.39256Z", _utc(2017, 2, 7, 15, 13, 1, 392_560)),
    "time of Java": ("timestamp", "2017-2-7 15:13:01.14", _utc(2017, 2, 7, 15, 13, 1, 140_000)),
    "seconds": ("timestamp", 1_518_033_528, _utc(2018, 2, 7, 19, 58, 48)),
    "milliseconds": ("timestamp", 1_518_033_528_123, _utc(2018, 2, 7, 19, 58, 48, 123_000)),
    "seconds with a fraction": ("timestamp", 1_518_033_528.5, _utc(2018, 2, 7, 19, 58, 48, 500_000)),
    "an amount": ("decimal(5,2)", 12.345, Decimal("12.35")),
    "an amount too large": ("decimal(5,2)", 123_456, None),
    "an amount beyond all": ("decimal(18,6)", 1e300, None),
    "a number as a text": ("bigint", "12", 12),
    "a text that is none": ("string", {"a": 1}, '{"a": 1}'),
    "a boolean": ("boolean", True, True),
    "a list": ("array<bigint>", [1, 2], [1, 2]),
    "nothing": ("string", None, None),
}


@pytest.mark.parametrize(("kind", "sent", "held"), VALUES.values(), ids=VALUES)
def test_what_a_column_holds(kind: str, sent: Any, held: Any) -> None:
    """Of a member in JSON; what is no column is passed over."""
    converter = Converter(Conversion(columns=[("a", kind)]))
    (row,) = converter.rows(json.dumps({"A": sent, "other": 1}).encode())
    assert row == {"a": held}
    assert pq.read_table(io.BytesIO(converter.file([row]))).num_rows == 1


def test_several_objects_in_a_record() -> None:
    """They stand behind each other, with blanks or without."""
    converter = Converter(Conversion(columns=[("a", "bigint")]))
    assert converter.rows(b'{"a":1}{"a":2}\n{"a":3}\n') == [{"a": 1}, {"a": 2}, {"a": 3}]


NO_ROWS = (
    b"Hello",
    b"[1]",
    b'{"a":"x"}',
    b'{"a":[1]}',
    b"\xff",
    b'{"a":1}{',
    b'{"a":1e999999999}',
    b'{"a":{}}',
    b'{"a":9223372036854775808}',
    b"[" * 100_000,
)


@pytest.mark.parametrize("bad", NO_ROWS, ids=range(len(NO_ROWS)))
def test_what_is_no_row_is_kept(bad: bytes) -> None:
    """Under the error prefix, with what is wrong; others of the same object are rows."""
    bucket = Bucket()
    stream = made(bucket, convert=Conversion(columns=[("a", "bigint")]), size=LARGE)
    stream.put_batch([b'{"a":1}', bad, b'{"a":2}'])
    stream.flush()
    assert table_of("parquet", bucket.one("landing/"))["a"].to_pylist() == [1, 2]
    assert any(key.startswith("errors/format-conversion-failed/2026/02/10/") for key in bucket.objects)
    (told,) = bucket.failed()
    assert b64decode(told["rawData"]) == bad
    assert told["lastErrorCode"] == "DataFormatConversion.ParseError"
    assert stream.waiting() == 0


def test_terms_that_are_refused() -> None:
    """What is converted needs a buffer of 64 MiB, and is packed inside; a table has types that are known."""
    convert = Conversion(columns=[("a", "bigint")])
    bad: Iterable[dict[str, Any]] = ({"size": LARGE - 1}, {"size": LARGE, "gzip": True})
    for terms in bad:
        with pytest.raises(SettingsError):
            made(Bucket(), convert=convert, **terms)
    with pytest.raises(SettingsError):
        arrow_type("struct<a:int>")
