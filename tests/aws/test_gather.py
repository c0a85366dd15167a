"""The function behind the bucket of Firehose: rows of files are in the lake once, and what failed is judged there."""

import gzip
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyarrow import BufferReader

from pixelake import build
from pixelake.aws.consume import Consume
from pixelake.aws.gather import Gather, objects
from pixelake.aws.local.convert import Conversion, Converter
from pixelake.aws.transform import Transform
from pixelake.build import functions
from pixelake.build.records import records
from pixelake.errors import LakeUnavailable, SourceError
from pixelake.warehouse.glue import landing_table
from pixelake.warehouse.sums import LakeReader
from tests.aws import test_transform as firehose
from tests.aws.deliveries import AT, line, of_kinesis, of_s3, of_sqs
from tests.aws.requests import sample

Files = dict[str, bytes]


@pytest.fixture
def files() -> Files:
    """What is in the bucket, by key."""
    return {}


@pytest.fixture
def settings(tmp_path: Path) -> Any:
    """Of functions that share a folder."""
    places = {name: f"file://{tmp_path}/{name}" for name in ("lake", "registry")}
    named = {f"PIXELAKE_{name.upper()}": place for name, place in places.items()}
    return functions.settings({**named, "PIXELAKE_DATA": str(tmp_path / "f")})


@pytest.fixture
def gather(settings: Any, files: Files) -> Gather:
    """The function."""
    stages = functions.stages(settings)
    return Gather(stages, records(settings), stages.judge.schema, lambda _, key: files[key])


@pytest.fixture
def landed(settings: Any) -> Callable[..., bytes]:
    """Makes a file of hits, as Firehose does: transformed, and converted by the columns of the catalogue."""
    transform = Transform(records(settings), build.judge(settings))
    columns = landing_table("s3://bucket/landing")["StorageDescriptor"]["Columns"]

    def make(sent: Sequence[bytes], kind: str = "parquet") -> bytes:
        how = Conversion(columns=[(each["Name"], each["Type"]) for each in columns], kind=kind, lower=False)
        converter = Converter(how)
        event = firehose.event(*sent)
        for record in event["records"]:
            record["approximateArrivalTimestamp"] = AT // 1_000 + 1_000
        answers = transform(event)["records"]
        assert {answer["result"] for answer in answers} == {"Ok"}
        return converter.file([row for answer in answers for row in converter.rows(firehose.b64decode(answer["data"]))])

    return make


def failed(*sent: bytes) -> bytes:
    """A file of the error prefix."""
    told = [
        {
            "attemptsMade": 4,
            "arrivalTimestamp": AT // 1_000,
            "errorCode": "Lambda.FunctionError",
            "errorMessage": "it failed",
            "attemptEndingTimestamp": AT // 1_000 + 1,
            "rawData": b64encode(each).decode(),
            "lambdaArn": "arn:aws:lambda:us-east-1:123456789012:function:transform",
        }
        for each in sent
    ]
    return b"".join(json.dumps(each).encode() + b"\n" for each in told)


def rows(folder: Path, table: str = "events") -> list[dict[str, Any]]:
    """What the lake has."""
    found: list[dict[str, Any]] = DeltaTable(str(folder / "lake" / table)).to_pyarrow_table().to_pylist()
    return found


@pytest.mark.parametrize("kind", ["parquet", "orc"])
def test_what_was_delivered_twice(
    gather: Gather, files: Files, landed: Callable[..., bytes], tmp_path: Path, kind: str
) -> None:
    """In a file, in two files, told of twice: each hit is one event, as it was judged."""
    files["landing/a b"] = landed([line(1), line(2), line(2)], kind)
    files["landing/b"] = landed([line(2), line(3)], kind)
    for key in ("landing/a+b", "landing/b", "landing/a%20b"):
        assert gather(of_s3("bucket", key)) == {}
    assert Counter(row["path"] for row in rows(tmp_path)) == Counter(["/1", "/2", "/3"])
    assert LakeReader(tmp_path / "lake").sums().holds


def test_rows_are_what_they_would_be(
    settings: Any, gather: Gather, files: Files, landed: Callable[..., bytes], tmp_path: Path
) -> None:
    """By way of Firehose and Parquet, or straight out of a stream: the same row in each column."""
    rich = firehose.line(
        "rich", "site=s.example&url=https://s.example/x%3Futm_source%3Da&value=12.5&currency=EUR&Plan=%C3%A9&Plan=b"
        "&user_id=u1&event=order",
        headers=b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0\r\nAccept-Language: de\r\n", at=AT,
    )  # fmt: skip
    files["landing/a"] = landed([rich])
    gather(of_s3("bucket", "landing/a"))
    by_file = rows(tmp_path)
    Consume(functions.stages(settings))(of_kinesis([rich]))
    assert rows(tmp_path) == by_file, "it was known"
    other = tmp_path / "other"
    named = {"PIXELAKE_LAKE": f"file://{other}/lake", "PIXELAKE_REGISTRY": f"file://{tmp_path}/registry"}
    chosen = functions.settings({**named, "PIXELAKE_DATA": str(tmp_path / "g")})
    Consume(functions.stages(chosen))(of_kinesis([rich]))
    (direct,) = rows(other)
    assert {**by_file[0], "partition": ""} == {**direct, "partition": ""}


def test_what_failed_is_judged(gather: Gather, files: Files, tmp_path: Path) -> None:
    """What was good of it is an event, what was not a reject with its bytes; to gather it again adds nothing."""
    files["errors/processing-failed/x"] = failed(line(1), b"not a hit", line(2) + b"\n" + line(3))
    for _ in range(2):
        gather(of_s3("bucket", "errors/processing-failed/x"))
    assert Counter(row["path"] for row in rows(tmp_path)) == Counter(["/1", "/2", "/3"])
    assert [json.loads(row["raw"])["line"] for row in rows(tmp_path, "rejects")] == ["not a hit"]


def test_a_standard_log(gather: Gather, files: Files, tmp_path: Path) -> None:
    """What CloudFront puts there without Firehose: each request is an event, however often its file is told of."""
    said = {
        "date": "2026-02-10",
        "time": "08:30:00",
        "x-edge-location": "FRA2-P1",
        "c-ip": "203.0.113.9",
        "cs-method": "GET",
        "cs(Host)": "d1.cloudfront.net",
        "x-host-header": "px.example",
        "sc-status": "200",
        "cs-uri-stem": "/pixel.gif",
        "cs-uri-query": "site=s.example&title=A%20b",
        "cs(Referer)": "-",
        "cs(User-Agent)": "Mozilla/5.0%20(X11)",
        "cs-protocol": "https",
        "c-country": "DE",
    }
    requests = [
        json.dumps({**said, "x-edge-request-id": name}).encode()
        for name in ("VqkomJQiWUvU0bQu33T0", "VqkomJQiWUvU0bQu33T1", "VqkomJQiWUvU0bQu33T1")
    ]
    key = "AWSLogs/123456789012/CloudFront/E1/2026/02/10/08/E1.2026-02-10-08.abc.gz"
    files[key] = gzip.compress(b"\n".join([*requests, b'{"no": "log"}', b""]))
    for _ in range(2):
        assert gather(of_s3("bucket", key)) == {}
    assert [(row["site"], row["title"], row["country"]) for row in rows(tmp_path)] == [("s.example", "A b", "DE")] * 2
    assert [row["reason"] for row in rows(tmp_path, "rejects")] == ["message_unreadable"]
    files[key] = files[key][:40]
    with pytest.raises(SourceError):
        gather(of_s3("bucket", key))


def test_by_a_queue(gather: Gather, files: Files, landed: Callable[..., bytes], tmp_path: Path) -> None:
    """What cannot be gathered stays there, and holds up nobody."""
    files["landing/a"], files["landing/b"] = landed([line(1)]), b"no file of Parquet"
    bodies = [json.dumps(of_s3("bucket", key)) for key in ("landing/a", "landing/b")]
    test = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "bucket"})
    answer = gather(of_sqs([*bodies, "no JSON", test]))
    assert answer == {"batchItemFailures": [{"itemIdentifier": f"message-{number}"} for number in (2, 3)]}
    assert [row["path"] for row in rows(tmp_path)] == ["/1"]


def test_the_sample_of_aws() -> None:
    """It tells of one object."""
    assert objects(sample("s3")) == [("DOC-EXAMPLE-BUCKET", "b21b84d653bb07b05b1e6b33684dc11b", 1_567_539_447_192_000)]


def test_removals_are_nothing() -> None:
    """Only what was created is gathered."""
    event = of_s3("bucket", "a")
    event["Records"][0]["eventName"] = "ObjectRemoved:Delete"
    assert objects(event) == []


@pytest.mark.parametrize("event", [None, {}, [], {"Records": 1}, {"Records": [{}]}, sample("kinesis")])
def test_another_event(gather: Gather, event: object) -> None:
    """It is refused, in words."""
    with pytest.raises(SourceError, match="S3"):
        gather(event)


@pytest.mark.parametrize("data", [b"", b"{}", b"ORC and no more", b'{"rawData":1}', b"\x1f\x8b broken"])
@pytest.mark.parametrize("key", ["landing/a", "errors/a"])
def test_a_broken_file(gather: Gather, files: Files, key: str, data: bytes) -> None:
    """It is said so; of the error prefix one without a line holds nothing."""
    files[key] = data
    if key == "errors/a" and not data:
        assert gather(of_s3("bucket", key)) == {}
        return
    with pytest.raises(SourceError):
        gather(of_s3("bucket", key))


def test_a_lake_that_is_gone(gather: Gather, files: Files, landed: Callable[..., bytes], tmp_path: Path) -> None:
    """It is raised, for whoever called to call again."""
    files["landing/a"] = landed([line(1)])
    (tmp_path / "lake" / "events").rename(tmp_path / "away")
    with pytest.raises(LakeUnavailable):
        gather(of_s3("bucket", "landing/a"))


def test_files_are_as_hive_reads_them(landed: Callable[..., bytes]) -> None:
    """The columns of a file are those of the catalogue."""
    file = pq.ParquetFile(BufferReader(landed([line(1)])))
    columns: Sequence[Mapping[str, str]] = landing_table("s3://bucket/landing")["StorageDescriptor"]["Columns"]
    assert file.schema_arrow.names == [each["Name"] for each in columns]


def test_what_was_not_converted(
    gather: Gather, files: Files, settings: Any, landed: Callable[..., bytes], tmp_path: Path
) -> None:
    """Rows that did not become Parquet are the rows they would have been; what is no row is left for people."""
    rich = firehose.line("rich", "site=s.example&url=https://s.example/x&value=12.5&currency=EUR&plan=a&plan=b", at=AT)
    transform = Transform(records(settings), build.judge(settings))
    event = firehose.event(rich)
    event["records"][0]["approximateArrivalTimestamp"] = AT // 1_000 + 1_000
    (answer,) = transform(event)["records"]
    key = "errors/format-conversion-failed/x"
    files[key] = failed(firehose.b64decode(answer["data"]))
    gather(of_s3("bucket", key))
    (by_line,) = rows(tmp_path)
    files["landing/x"] = landed([rich])
    gather(of_s3("bucket", "landing/x"))
    assert rows(tmp_path) == [by_line], "it was known"
    assert by_line["properties"] == [("plan", ["a", "b"])]
    for broken in (b"{}", b"[]", b'{"hit_id":"a","received_at":"never"}', b'{"hit_id":1,"received_at":1}'):
        files[key] = failed(broken)
        with pytest.raises(SourceError):
            gather(of_s3("bucket", key))


def test_where_nothing_lands(gather: Gather, files: Files) -> None:
    """An object of another prefix is refused: rows that have left the lake must not come back out of its own files."""
    files["lake/events/a.parquet"] = b""
    with pytest.raises(SourceError, match="lands none"):
        gather(of_s3("bucket", "lake/events/a.parquet"))


@pytest.mark.parametrize("missing", ["received_at", "hit_id"])
def test_a_file_without_a_column(
    gather: Gather, files: Files, landed: Callable[..., bytes], tmp_path: Path, missing: str
) -> None:
    """It is refused alone: others that came with it are gathered."""
    table = pq.read_table(BufferReader(landed([line(1)]))).drop_columns([missing])
    pq.write_table(table, tmp_path / "file")
    files["landing/a"], files["landing/b"] = (tmp_path / "file").read_bytes(), landed([line(2)])
    bodies = [json.dumps(of_s3("bucket", key)) for key in ("landing/a", "landing/b")]
    assert gather(of_sqs(bodies)) == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert [row["path"] for row in rows(tmp_path)] == ["/2"]
