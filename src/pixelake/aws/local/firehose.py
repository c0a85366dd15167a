"""A stream of Firehose on this machine, with S3 behind it: buffers, calls a function, converts, writes objects.

::

    put, consume -> buffer -> function (3 retries) -> buffer -> Parquet, ORC, gzip or as it is -> object
                                  `-> processing-failed        `-> format-conversion-failed

What a function fails for, and what is no row, goes under the error prefix with
its data (``rawData``), a line of JSON each. An object that cannot be written is
written later. What is in a buffer when the process is killed is gone: this is
for trying things out.
"""

import gzip
import json
import threading
import uuid
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import structlog

from pixelake.aws.local import prefix as names
from pixelake.aws.local.convert import Conversion, Converter
from pixelake.aws.local.processing import Function, Processing, Record
from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.errors import SettingsError
from pixelake.stream.aggregate import unpack
from pixelake.telemetry import told

A_RECORD: Final = 1_000 * 1_024
A_CALL: Final = 4 << 20
MOST_RECORDS: Final = 500
"""What a put may hold, in bytes and records."""
LEAST_CONVERTED: Final = 64 << 20
"""Bytes that Firehose wants to buffer at least where it converts."""
PROCESSING, CONVERSION = "processing-failed", "format-conversion-failed"
LOOK: Final = 0.1
"""Seconds between looks at what is due."""
_LOG: Final = structlog.get_logger("firehose")

Write = Callable[[str, bytes], None]
"""Puts an object: its key, and what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a stream is set.

    Attributes:
        name: of the stream.
        prefix: of objects; see `pixelake.aws.local.prefix`.
        error_prefix: of those with what failed.
        size: bytes that an object has room for.
        seconds: that the first record of an object waits for others.
        gathered: bytes that a call of the function has room for.
        gather: seconds that the first record of a call waits for others.
        delimiter: is put behind each record.
        gzip: pack objects.
        convert: make Parquet or ORC of them.
        version: of these terms.
    """

    name: str
    prefix: str = ""
    error_prefix: str = ""
    size: int = 5 << 20
    seconds: float = 300.0
    gathered: int = 1 << 20
    gather: float = 60.0
    delimiter: bytes = b""
    gzip: bool = False
    convert: Conversion | None = None
    version: int = 1


class Buffer:
    """Records that wait for others. Not for several threads.

    Args:
        size: bytes that are enough.
        seconds: that are long enough.
    """

    def __init__(self, size: int, seconds: float) -> None:
        self._most, self._seconds = size, seconds
        self._records: list[Record] = []
        self._size, self._since = 0, 0.0

    def add(self, records: Iterable[Record], now: float) -> None:
        """Let some wait from `now` on."""
        for record in records:
            if not self._records:
                self._since = now
            self._records.append(record)
            self._size += len(record.data)

    def take(self, now: float, *, everything: bool = False) -> list[Record]:
        """Those that have waited long enough, or are enough: at most so many bytes, or one."""
        due = self._size >= self._most or now >= self._since + self._seconds
        if not self._records or not (due or everything):
            return []
        count, size = 1, len(self._records[0].data)
        while count < len(self._records) and size + len(self._records[count].data) <= self._most:
            size += len(self._records[count].data)
            count += 1
        taken, self._records = self._records[:count], self._records[count:]
        self._size -= size
        return taken


class Firehose:
    """See the module. It may be used by several threads.

    Args:
        terms: see there.
        write: puts objects. If it raises, the object is put later, under the same key.
        transform: the function, if there is one.
        clock: the time.
        repeat: asked for each object: whether it is delivered twice, under two names.

    Raises:
        SettingsError: Firehose would refuse these terms.
    """

    def __init__(
        self,
        terms: Terms,
        write: Write,
        *,
        transform: Function | None = None,
        clock: Clock = SYSTEM,
        repeat: Callable[[], bool] = lambda: False,
    ) -> None:
        if terms.convert and (terms.gzip or terms.size < LEAST_CONVERTED):
            raise SettingsError("what is converted is not packed, and 64 MiB or more", "size is 64 << 20, without gzip")
        self._terms, self._write, self._clock, self._repeat = terms, write, clock, repeat
        self._transform = Processing(terms.name, transform, clock) if transform else None
        self._prefix, self._error_prefix = names.checked(terms.prefix, terms.error_prefix)
        self._convert = Converter(terms.convert) if terms.convert else None
        self._incoming = Buffer(terms.gathered, terms.gather)
        self._outgoing = Buffer(terms.size, terms.seconds)
        self._unwritten: list[tuple[str, bytes]] = []
        self._waiting = 0
        self._lock = threading.Lock()
        self._one = threading.Lock()  # who hands out
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="firehose", daemon=True)

    def put(self, data: bytes) -> str:
        """Take a record; returns its id. Raises ValueError if Firehose would refuse it."""
        return self.put_batch([data])[0]

    def put_batch(self, records: Sequence[bytes]) -> list[str]:
        """Take some records; returns their ids. Raises ValueError if Firehose would refuse them."""
        size = sum(map(len, records))
        if not records or len(records) > MOST_RECORDS or size > A_CALL or max(map(len, records)) > A_RECORD:
            raise ValueError("a call has 1 to 500 records, of 1,000 KiB and together 4 MiB at most")
        at = self._clock.now()
        taken = [Record(uuid.uuid4().hex, data, at) for data in records]
        self._take(taken)
        return [record.id for record in taken]

    def consume(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take records of a stream of Kinesis, told as to a function; what a producer has packed is unpacked."""
        taken: list[Record] = []
        for record in event["Records"]:
            sent = record["kinesis"]
            shard, sequence = record["eventID"].partition(":")[0], sent["sequenceNumber"]
            at = int(sent["approximateArrivalTimestamp"] * SECOND)
            for number, each in enumerate(unpack(b64decode(sent["data"]), sent["partitionKey"])):
                source = shard, each.partition_key, sequence, number
                taken.append(Record(uuid.uuid4().hex, each.data, at, source))
        self._take(taken)
        return {"batchItemFailures": []}

    def _take(self, records: Sequence[Record]) -> None:
        with self._lock:
            self._waiting += len(records)
            buffer = self._incoming if self._transform else self._outgoing
            buffer.add(records, self._clock.monotonic())

    def waiting(self) -> int:
        """How many records, and objects, are not where they belong yet."""
        with self._lock:
            return self._waiting + len(self._unwritten)

    # --- handing out

    def start(self) -> None:
        """Hand out what is due, in a thread, until `close`."""
        self._thread.start()

    def close(self) -> None:
        """Hand out everything, and end. What cannot be written then is told in the log."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()
        if self._unwritten:
            _LOG.error("objects are not written", stream=self._terms.name, objects=len(self._unwritten))

    def flush(self) -> None:
        """Hand out everything now, whatever waits for more."""
        while self.look(everything=True):
            pass

    def _run(self) -> None:
        while not self._stop.wait(LOOK):
            while self.look():
                pass

    def look(self, *, everything: bool = False) -> bool:
        """Hand out what is due; whether there was anything."""
        with self._one:
            self._write_again()
            return self._process(everything=everything) | self._deliver(everything=everything)

    def _process(self, *, everything: bool) -> bool:
        """Have the function transform some."""
        with self._lock:
            records = self._incoming.take(self._clock.monotonic(), everything=everything)
        if not records or not self._transform:
            return False
        good, failed = self._transform(records)
        self._put_failed(PROCESSING, failed)
        with self._lock:
            self._outgoing.add(good, self._clock.monotonic())
            self._waiting -= len(records) - len(good)
        return True

    def _deliver(self, *, everything: bool) -> bool:
        """Write an object."""
        with self._lock:
            records = self._outgoing.take(self._clock.monotonic(), everything=everything)
        if not records:
            return False
        body, failed = self._body(records)
        self._put_failed(CONVERSION, failed)
        if body:
            ending = f".{self._terms.convert.kind}" if self._terms.convert else ".gz" if self._terms.gzip else ""
            for _ in range(2 if self._repeat() else 1):
                self._put(self._key(self._prefix, min(record.at for record in records), "", ending), body)
        with self._lock:
            self._waiting -= len(records)
        return True

    def _body(self, records: Sequence[Record]) -> tuple[bytes, list[dict[str, Any]]]:
        """What an object holds, and what is told of records that fit into no row."""
        if self._convert is None:
            text = b"".join(record.data + self._terms.delimiter for record in records)
            return (gzip.compress(text) if self._terms.gzip else text), []
        rows: list[dict[str, Any]] = []
        failed = []
        for record in records:
            try:
                rows += self._convert.rows(record.data)
            except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
                failed.append(self._unconverted(record, error))
        try:
            return (self._convert.file(rows) if rows else b""), failed
        except pa.ArrowException as error:
            return b"", [self._unconverted(record, error) for record in records]

    # --- objects

    def _unconverted(self, record: Record, error: Exception) -> dict[str, Any]:
        """What it tells of one that is no row."""
        return {
            "attemptsMade": 1,
            "arrivalTimestamp": record.at // 1_000,
            "lastErrorCode": "DataFormatConversion.ParseError",
            "lastErrorMessage": f"{type(error).__name__}: {error}",
            "attemptEndingTimestamp": self._clock.now() // 1_000,
            "rawData": b64encode(record.data).decode(),
            "sequenceNumber": record.source[2] if record.source else None,
            "subSequenceNumber": record.source[3] if record.source else None,
        }

    def _put_failed(self, kind: str, failed: Sequence[Mapping[str, Any]]) -> None:
        """Write what failed under the error prefix."""
        if failed:
            at = min(each["arrivalTimestamp"] for each in failed) * 1_000
            body = b"".join(json.dumps(each).encode() + b"\n" for each in failed)
            self._put(self._key(self._error_prefix, at, kind), body)
            codes = Counter(each.get("errorCode") or each["lastErrorCode"] for each in failed)
            _LOG.warning("records are under the error prefix", stream=self._terms.name, codes=dict(codes))

    def _key(self, prefix: str, at: int, kind: str, ending: str = "") -> str:
        last = names.suffix(self._terms.name, self._terms.version, self._clock.now(), ending)
        return names.evaluated(prefix, at, kind) + last

    def _put(self, key: str, body: bytes) -> None:
        try:
            self._write(key, body)
        except Exception as error:  # noqa: BLE001 - whatever it was, Firehose tries again
            _LOG.warning("an object is not written yet", key=key, error=told(error))
            with self._lock:
                self._unwritten.append((key, body))

    def _write_again(self) -> None:
        with self._lock:
            left, self._unwritten = self._unwritten, []
        for key, body in left:
            self._put(key, body)
