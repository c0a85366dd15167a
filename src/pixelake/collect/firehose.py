"""Deliveries of Firehose to its HTTP endpoint: ``POST /firehose``, answered once all that they hold is durable.

The request is that of Amazon's "HTTP endpoint delivery request and response
specifications", version 1.0. Whoever has the access key is believed. A record
holds hits as `pixelake.collect.logs.records` reads them; a hit that has no name
gets one of the request's id and its place, so that a request that is sent again
adds nothing: whoever judges hits takes each name once.
"""

import asyncio
import hmac
import re
import zlib
from collections.abc import Sequence
from typing import Annotated, Final, NamedTuple

import msgspec
import structlog

from pixelake import telemetry
from pixelake.clock import SYSTEM, Clock
from pixelake.collect.admission import Admission
from pixelake.collect.logs.records import AHEAD, FIRST_TIME, Records
from pixelake.collect.pixel import REFUSALS
from pixelake.errors import PixelakeError, StreamUnavailable
from pixelake.hit import Hit
from pixelake.stream.base import Writer

PATH: Final = b"/firehose"
VERSION: Final = "1.0"
MOST: Final = 64 << 20
"""Bytes of a request, also when it is unpacked: Firehose sends no more."""
HELD: Final = 2 * MOST
"""Bytes of requests of a process that wait, and are in work."""
A_COMMIT: Final = 256 << 10
"""Bytes of hits that are made durable at once: to encode them holds up others for some milliseconds."""
A_SLICE: Final = 32
"""Hits that are made of lines before others have a turn: a millisecond."""
DEADLINE: Final = 120.0
"""Seconds; Firehose waits for 180."""
_HEADER: Final = re.compile(
    rb"\r\n(?i:(x-amz-firehose-(?:protocol-version|request-id|access-key)|content-encoding))"
    rb"[ \t]*:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)"
)
_NAME: Final = re.compile(r"[!-~]{1,128}")
_LOG: Final = structlog.get_logger("firehose")


class _Record(msgspec.Struct):
    data: bytes


class _Request(msgspec.Struct):
    requestId: Annotated[str, msgspec.Meta(max_length=128)]  # noqa: N815 - Amazon's name
    records: list[_Record]
    timestamp: int = 0


_DECODER: Final = msgspec.json.Decoder(_Request)


class Told(NamedTuple):
    """The answer: why it was refused (see `pixelake.collect.pixel.REFUSALS`; empty: it was not), and its body."""

    reason: str
    body: bytes


class Refused(Exception):
    """Why a delivery is not taken. Never leaves this module."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Deliveries:
    """Takes deliveries. One a process, in its event loop.

    Args:
        key: the access key.
        writer: where hits go.
        read: makes hits of records.
        admission: what may be kept of them.
        clock: the time.
    """

    def __init__(self, key: str, writer: Writer, read: Records, admission: Admission, clock: Clock = SYSTEM) -> None:
        self._key = key.encode()
        self._writer, self._read, self._admission, self._clock = writer, read, admission, clock
        self._one = asyncio.Lock()
        self._held = 0
        self._tasks: set[asyncio.Task[Told]] = set()
        self._hits = telemetry.counter("pixelake_hits_total")

    def room(self, head: bytes) -> int | str:
        """How many bytes the body of a delivery may have; or why nothing is taken from whoever sends it."""
        if not hmac.compare_digest(_headers(head).get("access-key", b""), self._key):
            return "firehose_key"
        return MOST

    def begin(self, head: bytes, body: bytes) -> "asyncio.Task[Told]":
        """Take a delivery. The task never fails, but it may be cancelled."""
        task = asyncio.get_running_loop().create_task(self._told(head, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Give up what is in work: whoever sent it sends it again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _told(self, head: bytes, body: bytes) -> Told:
        name = request_of(head)
        reason = await self._taken(head, body, name)
        if reason and reason != "firehose_key":  # strangers are only counted
            _LOG.warning("a delivery of Firehose is not taken", request=name[:128], reason=reason)
        return told(reason, name, self._clock)

    async def _taken(self, head: bytes, body: bytes, name: str) -> str:
        """Why a delivery is not known to be durable; empty if it is."""
        size = 0
        try:
            self._check(head, body)
            size = len(body)
            self._held += size
            async with asyncio.timeout(DEADLINE), self._one:
                await self._keep(await asyncio.get_running_loop().run_in_executor(None, _request, head, body))
        except (Refused, StreamUnavailable) as error:
            return error.reason
        except TimeoutError:
            return "undecided"
        except Exception as error:  # noqa: BLE001 - whatever it was, somebody waits for an answer
            hint = error.hint if isinstance(error, PixelakeError) else "this is a defect: report it"
            _LOG.error("a delivery of Firehose fails", request=name, reason=telemetry.told(error), hint=hint)
            return "unavailable"
        finally:
            self._held -= size
        return ""

    def _check(self, head: bytes, body: bytes) -> None:
        """Raises Refused if nothing is taken from whoever sends it, or not now."""
        if isinstance(reason := self.room(head), str):
            raise Refused(reason)
        if self._held + len(body) > HELD:
            raise Refused("busy")

    async def _keep(self, sent: _Request) -> None:
        """Make all hits durable. Raises StreamUnavailable: some may be."""
        now = self._clock.now()
        at = sent.timestamp * 1_000 if FIRST_TIME <= sent.timestamp * 1_000 <= now + AHEAD else now
        hits: list[Hit] = []
        size = made = 0
        for place, record in enumerate(sent.records):
            for hit in self._read.hits(record.data, at, f"firehose-{sent.requestId}-{place}"):
                kept = self._admission.kept(hit)
                hits.append(kept)
                size += len(kept.head) + len(kept.body)
                if size >= A_COMMIT:
                    await self._append(hits)
                    hits, size = [], 0
                made += 1
                if made % A_SLICE == 0:
                    await asyncio.sleep(0)
        if hits:
            await self._append(hits)

    async def _append(self, hits: Sequence[Hit]) -> None:
        await self._writer.append(hits)
        self._hits.inc(len(hits))


def is_delivery(head: bytes) -> bool:
    """Is a request with that head meant as one?"""
    line = head[: head.find(b"\r\n")]
    return line.startswith(b"POST " + PATH) and line[5 + len(PATH) : 6 + len(PATH)] in (b" ", b"?")


def told(reason: str, request: str, clock: Clock = SYSTEM) -> Told:
    """The answer to a request of that id."""
    body = {"requestId": request, "timestamp": clock.now() // 1_000}
    if reason:
        body["errorMessage"] = f"{REFUSALS[reason].text}: {REFUSALS[reason].remedy}"
    return Told(reason, msgspec.json.encode(body))


def request_of(head: bytes) -> str:
    """The id of a request."""
    return _headers(head).get("request-id", b"").decode("latin-1")


def _headers(head: bytes) -> dict[str, bytes]:
    """Those that count, without what they all begin with; of one that is there twice the first."""
    found: dict[str, bytes] = {}
    for each in _HEADER.finditer(head):
        found.setdefault(each[1].decode().lower().removeprefix("x-amz-firehose-"), each[2])
    return found


def _request(head: bytes, body: bytes) -> _Request:
    """What a delivery holds. Raises Refused."""
    headers = _headers(head)
    if headers.get("protocol-version", VERSION.encode()).decode("latin-1") != VERSION:
        raise Refused("firehose_request")
    try:
        sent = _DECODER.decode(_unpacked(body, headers.get("content-encoding", b"").lower()))
    except (msgspec.MsgspecError, ValueError, RecursionError, zlib.error):
        raise Refused("firehose_request") from None
    if sent.requestId != request_of(head) or not _NAME.fullmatch(sent.requestId):
        raise Refused("firehose_request")
    return sent


def _unpacked(body: bytes, encoding: bytes) -> bytes:
    if encoding in {b"", b"identity"}:
        return body
    if encoding != b"gzip":
        raise Refused("firehose_request")
    packed = zlib.decompressobj(wbits=31)  # 31: with a gzip header
    unpacked = packed.decompress(body, MOST + 1)
    if len(unpacked) > MOST:
        raise Refused("body_too_large")
    if not packed.eof or packed.unused_data:
        raise Refused("firehose_request")
    return unpacked
