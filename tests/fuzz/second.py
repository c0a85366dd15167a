"""The second opinion: the same bytes as h11 reads them, and in what it may differ from us."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import h11
import httptools

_LARGEST: Final = 1 << 20


class Read(NamedTuple):
    """A request, as somebody reads it. Header names are in lower case, values stripped."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Told(NamedTuple):
    """What a connection of ours said it had read: a request (no reason), or why it refuses."""

    head: bytes
    body: bytes = b""
    reason: str = ""


class Reading(NamedTuple):
    """What h11 makes of the bytes of a connection.

    Attributes:
        requests: whole ones.
        starts: where each begins; and last where the one begins that is not whole.
        end: ``waits`` for more, ``closes`` behind the last request, or why it refuses.
        in_body: it waits for a body.
    """

    requests: list[Read]
    starts: list[int]
    end: str
    in_body: bool


def read(data: bytes) -> Reading:
    """The requests in these bytes, in the eyes of h11."""
    requests: list[Read] = []
    starts = [0]
    while True:
        connection = h11.Connection(h11.SERVER, _LARGEST)
        rest = data[starts[-1] :]
        if not rest:
            return Reading(requests, starts, "waits", False)
        connection.receive_data(rest)
        head: h11.Request | None = None
        body = b""
        try:
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Request):
                    head = event
                elif isinstance(event, h11.Data):
                    body += event.data
                else:
                    return Reading(requests, starts, "waits", head is not None)
        except h11.RemoteProtocolError as error:
            return Reading(requests, starts, str(error), head is not None)
        assert head is not None
        requests.append(Read(head.method, head.target, list(head.headers), body))
        starts.append(len(data) - len(connection.trailing_data[0]))
        if connection.their_state is h11.MUST_CLOSE or _asks_to_close(head):  # who asks for an upgrade too is not told
            return Reading(requests, starts, "closes", False)


def _asks_to_close(head: h11.Request) -> bool:
    values = b",".join(value for name, value in head.headers if name == b"connection")
    return head.http_version < b"1.1" or b"close" in (each.strip().lower() for each in values.split(b","))


def taken_apart(head: bytes, body: bytes) -> Read:
    """A head of ours, by its line ends alone."""
    line, *lines = head[:-4].split(b"\r\n")
    method, _, rest = line.partition(b" ")
    headers = [(name.lower(), value.strip(b" \t")) for name, _, value in (each.partition(b":") for each in lines)]
    return Read(method, rest.rpartition(b" ")[0], headers, body)


def same(ours: Read, theirs: Read) -> bool:
    """Do both tell the same request? h11 puts some headers into their canonical form."""
    return ours._replace(headers=_canonical(ours.headers)) == theirs._replace(headers=_canonical(theirs.headers))


def _canonical(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in headers]


FAULT: Final = "fault"
UNKNOWN: Final = "not known yet"
_EMPTY_LINES: Final = re.compile(rb"^(?:\r\n)+")
_HEAD_END: Final = re.compile(rb"\n\r?\n")
_KNOWN_METHODS: Final = frozenset(
    b"""DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND
    UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK
    UNLINK QUERY SOURCE DESCRIBE ANNOUNCE SETUP PLAY PAUSE TEARDOWN GET_PARAMETER SET_PARAMETER REDIRECT RECORD
    FLUSH""".split()
)
"""Those llhttp knows."""


def compare(data: bytes, theirs: Reading, told: Sequence[Told], rest: bytes | None) -> tuple[str, str] | None:
    """How two readings of the same bytes differ: who alone takes a request and why; None if they agree.

    Args:
        data: what was sent.
        theirs: h11's reading.
        told: ours.
        rest: the beginning of a head that we still hold; None if that cannot be told.
    """
    ours = [each for each in told if not each.reason]
    for entry, request in zip(ours, theirs.requests, strict=False):
        mine = taken_apart(entry.head, entry.body)
        if not same(mine, request):
            return FAULT, f"h11 reads {request}, and we {mine}"
    if len(ours) > len(theirs.requests):
        return "only we", _ours(ours[: len(theirs.requests) + 1], theirs)
    refusal = told[-1].reason if told else ""
    if len(ours) < len(theirs.requests):
        return _more(data[theirs.starts[len(ours)] :], theirs.requests[len(ours)], ours, refusal)
    if refusal or theirs.end != "waits" or theirs.in_body or rest is None:
        return None
    waits = data[theirs.starts[-1] :]
    if _EMPTY_LINES.sub(b"", rest) == _EMPTY_LINES.sub(b"", waits):
        return None
    return FAULT, f"h11 waits behind {waits!r}, and we behind {rest!r}"


def _more(at: bytes, request: Read, ours: Sequence[Told], refusal: str) -> tuple[str, str]:
    """h11 takes a request of which we took only those before."""
    if refusal:
        return "only h11", _theirs(at, request, refusal)
    return ("only h11", _behind(ours[-1].head.lower())) if ours else (FAULT, f"h11 reads {at!r}, and we nothing")


def _ours(ours: Sequence[Told], theirs: Reading) -> str:
    """What it is that h11 refuses and we take: the last one of these."""
    refusal, mine = theirs.end, taken_apart(ours[-1].head, b"")
    if refusal == "closes" and b" HTTP/1.0\r\n" in ours[-2].head:
        return "what follows `Connection: keep-alive` of HTTP/1.0"
    if refusal == "waits":
        return f"{UNKNOWN}: it waits for more"
    for words, meaning in (
        ("Missing mandatory Host", "no `Host`"),
        ("Found multiple Host", "several `Host`"),
        ("no request line received", "empty lines before the request"),
        ("Only Transfer-Encoding: chunked", "another coding before `chunked`"),
        ("multiple Transfer-Encoding", "`Transfer-Encoding` in several lines"),
        ("bad Content-Length", "a length of more than 20 digits, most of them zeros in front"),
        (
            "illegal chunk header: bytearray(b'00000000000000000000",
            "a length of more than 20 digits, most of them zeros in front",
        ),
    ):
        if words in refusal:
            return meaning
    if "illegal request line" in refusal and not mine.target.isascii():
        return "a byte above 127 in the target"
    return f"{UNKNOWN}: {refusal}"


def _theirs(at: bytes, request: Read, refusal: str) -> str:
    """What it is that we refuse and h11 takes."""
    if refusal in ("head_too_large", "body_too_large", "busy"):
        return f"our limits (`{refusal}`)"
    found = _HEAD_END.search(at)
    head = at[: found.end()] if found else at
    version = head[: head.find(b"\n")].rstrip(b"\r").rpartition(b" ")[2]
    names = [name for name, _ in request.headers]
    for applies, meaning in (
        (head.count(b"\n") != head.count(b"\r\n"), "a bare LF"),
        (re.search(rb"\n[ \t]", head) is not None, "a folded line"),
        (version not in (b"HTTP/1.0", b"HTTP/1.1"), "a version that is neither 1.0 nor 1.1"),
        (request.method == b"CONNECT", "`CONNECT`"),
        (request.method not in _KNOWN_METHODS, "a method that is not registered"),
        (not _is_target(request.target), "a target that is neither a path nor a URL"),
        (re.search(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]", head) is not None, "a control byte in a value"),
        (head.lower().count(b"\ncontent-length:") > 1, "`Content-Length` in several lines"),
        (b"," in b"".join(re.findall(rb"(?i)\ncontent-length:([^\r]*)", head)), "a list in `Content-Length`"),
        (b"transfer-encoding" in names and b"content-length" in names, "`Content-Length` and `Transfer-Encoding`"),
        (b"transfer-encoding" in names, "a chunked body that is not strictly well-formed"),
    ):
        if applies:
            return meaning
    return f"{UNKNOWN}: {refusal}"


def _is_target(target: bytes) -> bool:
    """Does llhttp take it for one?"""
    try:
        httptools.HttpRequestParser(object()).feed_data(b"OPTIONS " + target + b" HTTP/1.1\r\n\r\n")
    except httptools.HttpParserError:
        return False
    return True


def _behind(head: bytes) -> str:
    """Why we close a connection where h11 would go on."""
    if b"\r\ntransfer-encoding:" in head:
        return "what follows a chunked body"
    return "what follows `Proxy-Connection: close`" if b"\r\nproxy-connection:" in head else f"{UNKNOWN}: {head!r}"
