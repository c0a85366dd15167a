r"""A `Hit` as one line of JSON: what travels through a queue or a stream that others read and write too.

Pure ASCII, without a line end, so that every service carries it as text::

    {"v":1,"hit_id":"3f9c1a72b0de-17","received_at":"2026-02-10T08:30:00.123456Z","peer":"203.0.113.9",
     "client":"203.0.113.9","source":"http","method":"GET","target":"/pixel.gif?site=a",
     "headers":[["Host","pixel.example"],["User-Agent","Mozilla/5.0"]],"body":""}

- ``received_at`` is ISO 8601 in UTC with microseconds. A number is taken, too: microseconds since the epoch. It is not
  before 1990, nor more than a day ahead of the time of its message.
- ``hit_id`` is 1 to 256 letters ``!`` to ``~``, and does not end in a point and digits: such names have the events of a
  body with several. ``source`` is none of `RESERVED`, which mean something to who judges.
- ``method``, ``target`` and the names and values of ``headers`` are bytes: each letter U+0000 to U+00FF stands for the
  byte of that number, so any byte comes back. A text with a letter beyond them, which only others write, is taken as
  UTF-8.
- ``body`` is the body as text if it is UTF-8 without control characters (but tab and line ends), and at most 64 KiB;
  else ``body64`` holds it in base64, and there is no ``body``. So a line is never much longer than its hit.
- ``head`` is there only where those parts would not give back the head byte by byte (a line without a colon or with odd
  spacing, another version of HTTP): the whole head, a letter for each byte. It counts then; the parts are for reading.

Needed are ``v``, ``received_at``, ``peer``, and either ``head`` or ``method`` and ``target``. ``client`` is ``peer`` if
it is not there, ``source`` is ``http``, everything else empty. Members that are not named here are for others, and
ignored.
"""

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from pixelake.errors import NewerVersion, StreamError
from pixelake.hit import ERASED, PARTLY_ERASED, UNREADABLE, Hit

VERSION: Final = 1
LATEST_VERSION: Final = 1_000
"""A larger number is no version: others count other things in a member ``v``."""
RESERVED: Final = frozenset({ERASED, UNREADABLE, "cloudfront", "import"})
"""Sources that are believed more, or judged otherwise, than what somebody sends; so is each that ends in `+erased`."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_OLDEST: Final = (datetime(1990, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LATEST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_AHEAD: Final = timedelta(days=1) // _MICROSECOND
"""Microseconds that a clock of others may be wrong."""
_NAME: Final = re.compile("[!-~]{0,256}")
_OF_AN_ELEMENT: Final = re.compile(r"\.[0-9]+\Z")
_NO_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
"""What a queue of text may refuse (XML 1.0), or nobody would see."""
LONG_BODY: Final = 65_536
"""Bytes from which on a body is never text: escapes may take three times as much."""
_HINT: Final = "see the page on AWS formats; a message that is none of ours does not belong here"


class _Line(msgspec.Struct):
    v: int
    received_at: str | int
    peer: str
    client: str | None = None
    source: str = "http"
    hit_id: str = ""
    method: str = ""
    target: str = ""
    headers: Sequence[tuple[str, str]] = ()
    head: str | None = None
    body: str = ""
    body64: bytes | None = None


class _Newer(msgspec.Struct):
    """What a line of ours has in any version. Others write a member ``v``, too."""

    v: Annotated[int, msgspec.Meta(gt=VERSION, le=LATEST_VERSION)]
    received_at: msgspec.Raw
    peer: msgspec.Raw


_DECODER: Final = msgspec.json.Decoder(_Line)
_NEWER_DECODER: Final = msgspec.json.Decoder(_Newer)
_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)


def encode(hit: Hit) -> bytes:
    """The hit as one line of ASCII JSON, without a line end; `decode` gives back the same hit.

    Its source and its name are to be such as `decode` takes from anybody.

    Raises:
        StreamError: it was received before 1990 or after 9999.
    """
    fields: dict[str, Any] = {
        "v": VERSION,
        "hit_id": hit.hit_id,
        "received_at": _told(hit.received_at),
        "peer": hit.peer,
        "client": hit.client,
        "source": hit.source,
        **_head_fields(hit.head),
        **_body_fields(hit.body),
    }
    packed = msgspec.json.encode(fields)
    return packed if packed.isascii() else json.dumps(fields, separators=(",", ":")).encode()


def decode(data: bytes, sent_at: int = 0) -> Hit:
    """The hit of such a line.

    Args:
        data: the line.
        sent_at: when its message was sent, in microseconds since the epoch; 0 if nobody can say.

    Raises:
        NewerVersion: it is of a version that this one does not know.
        StreamError: it is no such line.
    """
    try:
        line = _DECODER.decode(data)
    except _UNREADABLE as error:
        _check_version(data)
        raise StreamError(f"this is no hit: {error or type(error).__name__}", _HINT) from None
    if line.v != VERSION:
        _check_version(data)
        raise StreamError("this is no hit: its version is none", _HINT)
    try:
        return _checked(_hit(line), sent_at)
    except _UNREADABLE as error:
        raise StreamError(f"this is no hit: {error}", _HINT) from None


def _hit(line: _Line) -> Hit:
    """Raises ValueError or OverflowError if it is none."""
    return Hit(
        received_at=_moment(line.received_at),
        peer=line.peer,
        client=line.peer if line.client is None else line.client,
        head=_of_parts(line.method, line.target, line.headers) if line.head is None else _bytes(line.head),
        body=line.body.encode() if line.body64 is None else line.body64,
        source=line.source,
        hit_id=line.hit_id,
    )


def _checked(hit: Hit, sent_at: int) -> Hit:
    """The same, if it does not pretend to be what only we make. Raises ValueError if it does."""
    if hit.source in RESERVED or hit.source.endswith(PARTLY_ERASED):
        raise ValueError("its source is not for others")
    if not _NAME.fullmatch(hit.hit_id) or _OF_AN_ELEMENT.search(hit.hit_id):
        raise ValueError("its hit_id is none")
    if sent_at and hit.received_at > sent_at + _AHEAD:
        raise ValueError("received_at is ahead of its message")
    return hit


def _check_version(data: bytes) -> None:
    """A newer version may have other members: then that is what is wrong, not those. Raises `NewerVersion`."""
    try:
        version = _NEWER_DECODER.decode(data).v
    except _UNREADABLE:
        return
    raise NewerVersion(
        f"a hit is written in version {version}", "run the version of pixelake that wrote it, or a newer one"
    )


def _told(received_at: int) -> str:
    if not _OLDEST <= received_at <= _LATEST:
        raise StreamError(f"a hit cannot have been received at {received_at}", "set the clock of who took it")
    moment = (_EPOCH + timedelta(microseconds=received_at)).replace(tzinfo=None)
    return moment.isoformat(timespec="microseconds") + "Z"


def _moment(told: str | int) -> int:
    if isinstance(told, str):
        moment = datetime.fromisoformat(told)
        if moment.tzinfo is None:
            raise ValueError("received_at has no zone")
        told = (moment - _EPOCH) // _MICROSECOND
    if not _OLDEST <= told <= _LATEST:
        raise ValueError("received_at is out of range")
    return told


def _head_fields(head: bytes) -> dict[str, Any]:
    line, _, rest = head.partition(b"\r\n")
    method, _, behind = line.partition(b" ")
    parts: dict[str, Any] = {
        "method": method.decode("latin-1"),
        "target": behind.rpartition(b" ")[0].decode("latin-1"),
        "headers": [_named(header) for header in rest.removesuffix(b"\r\n").split(b"\r\n") if header],
    }
    return parts if _gives_back(parts, head) else {**parts, "head": head.decode("latin-1")}


def _named(header: bytes) -> tuple[str, str]:
    name, _, value = header.decode("latin-1").partition(":")
    return name, value.removeprefix(" ")


def _gives_back(parts: dict[str, Any], head: bytes) -> bool:
    try:
        return _of_parts(**parts) == head
    except ValueError:
        return False


def _of_parts(method: str, target: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """The head that these make. Raises ValueError if one of them reaches into the next, or would end the head."""
    if not method or not target or " " in method:
        raise ValueError("it has neither a head, nor a method and a target")
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if any("\r" in line or "\n" in line for line in lines) or any(":" in name or not name for name, _ in headers):
        raise ValueError("its target or a header holds a line end, or a name is none")
    return b"".join(_bytes(line) + b"\r\n" for line in lines) + b"\r\n"


def _bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _body_fields(body: bytes) -> dict[str, str]:
    if len(body) <= LONG_BODY:
        with suppress(UnicodeDecodeError):
            text = body.decode()
            if not _NO_TEXT.search(text):
                return {"body": text}
    return {"body64": b64encode(body).decode()}


def longest_body(line: int, head: int) -> int:
    """Bytes that a body may have so that every hit fits into a line of so many bytes, with a head of so many.

    In the worst case each byte of the head is an escape of six, and the head is there twice.
    """
    return max(0, (line - 2 * 6 * head - _REST) * 3 // 4)


_REST: Final = 4_096
"""Bytes of all else in a line, generously."""
