"""Aggregated records of Kinesis: ours, and those of the other library that reads and writes them."""

import hashlib
import json
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pixelake.stream.aggregate import AGGREGATE_BYTES, MAGIC, Aggregate, Record, pack, random_key, unpack

KEYS = st.text(min_size=1, max_size=256).filter(lambda key: key.isprintable())
LISTS = st.lists(st.binary(min_size=1, max_size=300), max_size=40)
WORDS = [f"hit {number} \N{SNOWMAN}".encode() * (number % 7 + 1) for number in range(60)]


def sealed(message: bytes) -> bytes:
    """An aggregate of any message, with a digest that is right."""
    return MAGIC + message + hashlib.md5(message).digest()


def field(tag: int, data: bytes) -> bytes:
    """A field of bytes, shorter than 128."""
    return bytes((tag, len(data))) + data


def one(data: bytes, *parts: bytes) -> bytes:
    """A message with one key and one record, which has these parts behind its key and data."""
    return field(0x0A, b"key") + field(0x1A, b"\x08\x00" + field(0x1A, data) + b"".join(parts))


def datas(aggregates: list[Aggregate]) -> list[bytes]:
    """The records of aggregates, as a reader gets them."""
    return [record.data for each in aggregates for record in unpack(each.data, each.partition_key)]


# --- round trip, size, keys


@given(LISTS, st.integers(0, 2_000))
def test_records_come_back_in_order(records: list[bytes], size: int) -> None:
    """Whatever the records and the size: all of them, in order, none twice, and the counts say how many."""
    aggregates = list(pack(records, size=size))
    assert datas(aggregates) == records
    assert sum(each.records for each in aggregates) == len(records)


@given(LISTS, KEYS, st.integers(0, 2_000))
def test_no_aggregate_is_larger_than_it_may_be(records: list[bytes], key: str, size: int) -> None:
    """Only a record that is alone may take more than the size; and no two neighbours would have fitted into one."""
    aggregates = list(pack(records, lambda: key, size))
    assert all(len(each.data) <= size for each in aggregates if each.records > 1)
    end = 0
    for first, _ in pairwise(aggregates):
        own = records[end : end + first.records + 1]  # those of the first, and the next one
        end += first.records
        whole = next(pack(own, lambda: key, 1 << 20))
        assert whole.records == len(own)
        assert len(whole.data) > size


def test_the_default_size_is_what_firehose_bills() -> None:
    """Five kilobytes, nearly filled."""
    records = [b"x" * 400] * 100
    sizes = [len(each.data) for each in pack(records)]
    assert max(sizes) <= AGGREGATE_BYTES == 5 * 1024
    assert min(sizes[:-1]) > AGGREGATE_BYTES - 410


@given(LISTS)
def test_all_records_of_an_aggregate_have_its_key(records: list[bytes]) -> None:
    """The key of each record is the one it is put with: readers drop a record that belongs to another shard."""
    for each in pack(records):
        assert {record.partition_key for record in unpack(each.data, each.partition_key)} == {each.partition_key}
        if each.records > 1:
            assert {record.partition_key for record in unpack(each.data, "another")} == {each.partition_key}


def test_each_aggregate_has_a_key_of_its_own() -> None:
    """So that aggregates spread over all shards."""
    keys = [each.partition_key for each in pack([b"x" * 4_000] * 50)]
    assert len(set(keys)) == 50 == len({random_key() for _ in range(50)})


def test_a_record_alone_is_plain() -> None:
    """Every reader can read it; also one that is larger than an aggregate may be."""
    assert [each.data for each in pack([b"alone"])] == [b"alone"]
    assert [each.data for each in pack([b"x", b"y" * 9_000, b"z"])] == [b"x", b"y" * 9_000, b"z"]


@pytest.mark.parametrize("inner", [MAGIC, sealed(one(b"inner")), MAGIC + b"x" * 9_000], ids=["magic", "whole", "large"])
def test_a_record_that_looks_like_an_aggregate_is_wrapped(inner: bytes) -> None:
    """What somebody sends is never unpacked as if it were ours."""
    assert datas(list(pack([inner]))) == [inner]
    assert datas(list(pack([b"a", inner, b"b"]))) == [b"a", inner, b"b"]


@given(st.lists(st.binary(max_size=2), max_size=12))
def test_an_empty_record_is_alone(records: list[bytes]) -> None:
    """In an aggregate nobody would read it."""
    aggregates = list(pack(records))
    assert datas(aggregates) == records
    assert sum(each.records for each in aggregates) == len(records)


def test_nothing_is_nothing() -> None:
    """No records, no aggregate."""
    assert list(pack([])) == []


# --- what is not an aggregate is one plain record


@given(st.binary(max_size=200))
@example(b"")
@example(MAGIC)
@example(MAGIC + bytes(16))
def test_any_bytes_are_a_plain_record(data: bytes) -> None:
    """With the key, and the hash key, that it was put with."""
    assert unpack(data, "key", "7") == [Record(data, "key", "7")]


@given(st.binary(max_size=400))
def test_any_message_is_read_or_plain(message: bytes) -> None:
    """A right digest over anything: never an error, never nothing."""
    data = sealed(message)
    records = unpack(data, "key")
    assert records
    assert all(isinstance(record, Record) for record in records)


@pytest.mark.parametrize("how", ["flipped", "gone", "cut", "doubled"])
def test_damage_at_each_byte_is_plain(how: str) -> None:
    """One bit, one byte less, the end missing, one byte more: at every place it is one plain record, unchanged."""
    (whole,) = pack(WORDS[:6], lambda: "key")
    data = whole.data
    assert len(unpack(data, "key")) == 6
    for at in range(len(data)):
        damaged = {
            "flipped": data[:at] + bytes((data[at] ^ 1 << at % 8,)) + data[at + 1 :],
            "gone": data[:at] + data[at + 1 :],
            "cut": data[:at],
            "doubled": data[: at + 1] + data[at:],
        }[how]
        assert unpack(damaged, "outer") == [Record(damaged, "outer")], at


MESSAGES = {
    "no record": field(0x0A, b"key"),
    "nothing but a hash key": field(0x12, b"7"),
    "a key that is not there": field(0x1A, b"\x08\x00" + field(0x1A, b"x")),
    "an index behind the table": field(0x0A, b"key") + field(0x1A, b"\x08\x01" + field(0x1A, b"x")),
    "the largest index": field(0x0A, b"k") + field(0x1A, b"\x08" + b"\xff" * 9 + b"\x01" + field(0x1A, b"x")),
    "a hash key that is not there": one(b"x", b"\x10\x00"),
    "no index": field(0x0A, b"key") + field(0x1A, field(0x1A, b"x")),
    "no data": field(0x0A, b"key") + field(0x1A, b"\x08\x00"),
    "empty data": one(b""),
    "one of two is empty": one(b"x") + field(0x1A, b"\x08\x00" + field(0x1A, b"")),
    "thousands of empty data": field(0x0A, b"k") + b"\x1a\x04\x08\x00\x1a\x00" * 32_768,
    "a key that is no text": field(0x0A, b"\xff") + one(b"x"),
    "a tag without a key": one(b"x", field(0x22, field(0x12, b"v"))),
    "a tag that is no text": one(b"x", field(0x22, field(0x0A, b"\xff"))),
    "a length beyond the end": one(b"x") + b"\x1a\x7f",
    "a length beyond its record": field(0x0A, b"key") + field(0x1A, b"\x08\x00\x1a\x05x") + b"xxxx",
    "a length without end": one(b"x") + b"\x1a" + b"\xff" * 20,
    "a number of eleven bytes": one(b"x") + b"\x78" + b"\x80" * 10 + b"\x01",
    "a fixed number cut short": one(b"x") + b"\x79\x00",
    "a group": one(b"x") + b"\x7b\x7c",
    "a kind that does not exist": one(b"x") + b"\x7e",
    "field 0": one(b"x") + b"\x00\x00",
    "a field beyond all": one(b"x") + b"\x80\x80\x80\x80\x80\x01\x00",
    "garbage": b"garbage in, and a right digest",
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_a_message_that_is_none_is_plain(message: bytes) -> None:
    """Although magic and digest are right."""
    data = sealed(message)
    assert unpack(data, "outer", "9") == [Record(data, "outer", "9")]


def test_fields_that_nobody_knows_are_passed_over() -> None:
    """Of each kind that can be: a later version may have them."""
    unknown = b"\x78\x05" + b"\x79" + bytes(8) + b"\x7d" + bytes(4) + field(0x7A, b"more")
    message = unknown + one(b"x", unknown, field(0x22, field(0x0A, b"t") + unknown)) + unknown
    assert unpack(sealed(message), "outer") == [Record(b"x", "key", None, (("t", None),))]


def test_a_known_field_of_another_kind_is_passed_over() -> None:
    """As protobuf has it: the record's data is still there."""
    assert unpack(sealed(one(b"x", b"\x18\x05", b"\x20\x05")), "outer") == [Record(b"x", "key")]


def test_keys_may_stand_behind_their_records() -> None:
    """Fields of protobuf have no order; of one that comes twice the last holds."""
    message = field(0x1A, b"\x08\x00" + field(0x1A, b"old") + field(0x1A, b"new")) + field(0x0A, b"late")
    assert unpack(sealed(message), "outer") == [Record(b"new", "late")]


def test_hostile_bytes_take_time_that_grows_with_their_length() -> None:
    """Eight times the bytes, of the worst kinds known, take some eight times as long and not sixty-four."""
    worst = {
        "tiny records": lambda n: field(0x0A, b"k") + b"\x1a\x05\x08\x00\x1a\x01x" * n,
        "keys": lambda n: b"\x0a\x00" * n + one(b"x"),
        "unknown fields": lambda n: b"\x78\x80\x80\x80\x80\x00" * n,
        "tags": lambda n: field(0x0A, b"k") + b"\x1a\xff\xff\x7f" + b"\x22\x02\x0a\x00" * n,
    }
    for name, make in worst.items():
        seconds = {}
        for count in (4_000, 32_000):
            data = sealed(make(count))
            seconds[count] = min(_seconds(data) for _ in range(3))
        assert seconds[32_000] < 24 * seconds[4_000] + 0.01, name


def _seconds(data: bytes) -> float:
    began = time.process_time()
    assert unpack(data, "outer")
    return time.process_time() - began


# --- the other library, in a process of its own: it changes `sys.path`, and prints

READS = """
import json, sys
from base64 import b64decode, b64encode
from aws_kinesis_agg.deaggregator import iter_deaggregate_records
given = [{"SequenceNumber": "1", "PartitionKey": key, "ApproximateArrivalTimestamp": 0, "Data": b64decode(data)}
         for key, data in json.load(sys.stdin)]
read = [r["kinesis"] for r in iter_deaggregate_records(given, data_format="Boto3")]
print(json.dumps([[r["partitionKey"], r.get("explicitHashKey"),
                   b64encode(b64decode(r["data"]) if r.get("aggregated") else r["data"]).decode()] for r in read]))
"""
WRITES = """
import json, sys
from base64 import b64decode, b64encode
from aws_kinesis_agg.aggregator import RecordAggregator
aggregator, full = RecordAggregator(900), []
for key, hash_key, data in json.load(sys.stdin):
    full.append(aggregator.add_user_record(key, b64decode(data), hash_key))
full.append(aggregator.clear_and_get())
print(json.dumps([[r.get_contents()[0], b64encode(r.get_contents()[2]).decode()] for r in full if r]))
"""
TAGS = """
import hashlib, json, sys
from base64 import b64encode
from aws_kinesis_agg import MAGIC, aggregator, messages_pb2
message = messages_pb2.AggregatedRecord()
message.partition_key_table.append("key")
record = message.records.add()
record.partition_key_index, record.data = 0, b"data"
for key, value in json.load(sys.stdin):
    tag = record.tags.add()
    tag.key = key
    if value is not None:
        tag.value = value
text = message.SerializeToString()
print(json.dumps(b64encode(MAGIC + text + hashlib.md5(text).digest()).decode()))
"""


def other(script: str, given: object, tmp_path: Path) -> list[list[str]]:
    """What a script with the other library makes of `given`; it must complain of nothing."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_the_other_library_reads_ours(tmp_path: Path) -> None:
    """All records, in order, with their keys; plain ones and aggregates mixed."""
    aggregates = [*pack(WORDS, size=900), *pack(WORDS), *pack([b"alone", b"y" * 9_000, *WORDS[:3]])]
    assert any(each.records > 1 for each in aggregates)
    assert any(each.records == 1 for each in aggregates)
    told = other(READS, [[each.partition_key, b64encode(each.data).decode()] for each in aggregates], tmp_path)
    expected = [
        (record.partition_key, record.hash_key, record.data)
        for each in aggregates
        for record in unpack(each.data, each.partition_key)
    ]
    assert [(key, hash_key, b64decode(data)) for key, hash_key, data in told] == expected


@pytest.mark.parametrize("hashed", [False, True], ids=["keys", "keys and hash keys"])
def test_we_read_the_other_library(tmp_path: Path, hashed: bool) -> None:
    """Aggregates of records with keys of their own, which are shared in its tables."""
    given = [
        (f"k\N{SNOWMAN}{number % 5}", str(number % 3 * 10**30) if hashed else None, data)
        for number, data in enumerate(WORDS)
    ]
    sent = [[key, hash_key, b64encode(data).decode()] for key, hash_key, data in given]
    aggregates = other(WRITES, sent, tmp_path)
    assert 1 < len(aggregates) < len(given)
    read = [record for key, data in aggregates for record in unpack(b64decode(data), key)]
    assert [(each.partition_key, each.hash_key, each.data) for each in read] == given


def test_we_read_tags(tmp_path: Path) -> None:
    """With a value, with an empty one, and without."""
    tags = (("colour", "red \N{SNOWMAN}"), ("empty", ""), ("bare", None))
    data = b64decode(other(TAGS, tags, tmp_path))
    assert unpack(data, "outer") == [Record(b"data", "key", None, tags)]
