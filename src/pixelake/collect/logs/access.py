r"""Lines of access logs, read by the format that the web server's configuration names.

A format is compiled to one regular expression that looks at each byte once,
whatever a line holds. What the servers escape (``\x22``, ``\"``, ``\\``, ``\n``,
``\u0001``) is what it was again.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any, Final, NamedTuple

import msgspec

from pixelake.cache import bounded
from pixelake.clock import SECOND
from pixelake.collect.logs.line import Format, Line
from pixelake.dialects.text import text
from pixelake.errors import SettingsError

COMBINED: Final = (
    "$remote_addr $identity $remote_user [$time_local]"
    ' "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
"""Of Apache; nginx's `combined` looks the same. Many servers add fields behind it."""
LONGEST_FORMAT: Final = 4_096
"""Characters of a format."""
LONGEST_ADDRESS: Final = 253
"""Characters: a server may have written the host's name."""

NGINX: Final[Mapping[str, str]] = {
    "remote_addr": "address",
    "time_local": "time",
    "time_iso8601": "iso",
    "msec": "seconds",
    "request": "request",
    "request_method": "method",
    "request_uri": "target",
    "uri": "path",
    "document_uri": "path",
    "args": "query",
    "query_string": "query",
    "status": "status",
    "http_referer": "referrer",
    "http_user_agent": "agent",
    "host": "host",
    "http_host": "host",
    "server_name": "host",
}
"""Variable of nginx -> what is read from it. Others are passed over."""
APACHE: Final[Mapping[str, str]] = {
    "h": "address",
    "a": "address",
    "t": "time",
    "r": "request",
    "m": "method",
    "U": "path",
    "q": "query",
    "s": "status",
    "{referer}i": "referrer",
    "{user-agent}i": "agent",
    "{host}i": "host",
    "v": "host",
    "V": "host",
}
"""Directive of Apache, without its percent sign, ``<`` and ``>`` -> likewise."""
JSON_NAMES: Final[Mapping[str, str]] = dict(NGINX) | {
    "ip": "address",
    "client": "address",
    "client_ip": "address",
    "remote_ip": "address",
    "time": "iso",
    "timestamp": "iso",
    "@timestamp": "iso",
    "method": "method",
    "url": "target",
    "path": "path",
    "query": "query",
    "referer": "referrer",
    "referrer": "referrer",
    "user_agent": "agent",
    "useragent": "agent",
    "vhost": "host",
    "server": "host",
}
"""Member of a JSON line -> what is read from it: nginx's own names, and those that people often give."""


def combined() -> Format:
    """The format `combined`, with whatever stands behind it."""
    return _by_pattern(_parts(COMBINED), more=True)


def nginx() -> Format:
    """The format `combined`, or JSON (``escape=json``) with nginx's names of variables, line by line."""
    plain = combined().read
    return Format(lambda line: _read_json(line) if line[:1] == b"{" else plain(line), has_host=False)


def custom(written: str) -> Format:
    """A format as ``log_format`` of nginx or ``LogFormat`` of Apache has it, quotes and all.

    Raises:
        SettingsError: it tells no time, status, request or address, or nobody could tell its fields apart.
    """
    if len(written) > LONGEST_FORMAT:
        raise SettingsError("the log format is too long", f"at most {LONGEST_FORMAT} characters")
    bare = _DIRECTIVE.sub("", written.strip()).rstrip(";").strip().strip("'")
    joined = re.sub(r"'\s*'", "", bare).replace('\\"', '"')
    return _by_pattern(_parts(joined), more=False)


class _Part(NamedTuple):
    """A field of a format, and the letters behind it."""

    role: str
    before: str
    behind: str
    is_bracketed: bool = False
    """Apache's %t brings its brackets along."""


_DIRECTIVE: Final = re.compile(r"\A(?:log_format\s+)?(?:[\w.-]+\s+)?(?:escape=\w+\s+)?(?=')")
"""What stands before the first quote in nginx.conf."""
_FIELD: Final = re.compile(
    r"\$(?:\{(?P<braced>\w+)\}|(?P<bare>\w+))"
    r"|%(?:!?[\d,]+)?[<>]?(?P<apache>(?:\{[^{}]*\})?[A-Za-z])",
    re.ASCII,
)


def _parts(written: str) -> Sequence[_Part]:
    """The fields of a format in order. Raises SettingsError."""
    found = list(_FIELD.finditer(written))
    if not found:
        raise SettingsError("the log format has no fields", "write it as in nginx.conf: '$remote_addr ... $status'")
    ends = [0, *(each.end() for each in found)]
    starts = [*(each.start() for each in found), len(written)]
    literals = [written[end:start] for end, start in zip(ends, starts, strict=True)]
    for (before, after), literal in zip(pairwise(found), literals[1:], strict=False):
        if not literal:
            raise SettingsError(
                f"nothing stands between {before[0]} and {after[0]} in the log format", "put a blank between them"
            )
    around = zip(found, pairwise(literals), strict=True)
    return [
        _Part(_role(each), *letters, is_bracketed=each["apache"] == "t" and not letters[0].endswith("["))
        for each, letters in around
    ]


def _role(found: re.Match[str]) -> str:
    if found["apache"] is None:
        return NGINX.get(found["braced"] or found["bare"], "")
    name = found["apache"]
    return APACHE.get(name.lower() if name.startswith("{") else name, "")


def _by_pattern(parts: Sequence[_Part], *, more: bool) -> Format:
    roles = [part.role for part in parts]
    _check(roles)
    pattern = re.escape(parts[0].before).encode()
    named: list[str] = []
    for part in parts:
        wanted = part.role and part.role not in named
        value = _value(part)
        pattern += b"(%b)" % value if wanted else b"(?:%b)" % value
        pattern += re.escape(part.behind).encode()
        if wanted:
            named.append(part.role)
    match = re.compile(pattern + (rb"(?:\s.*+)?" if more else rb"\s*"), re.DOTALL).fullmatch

    def read(line: bytes) -> Line | str:
        found = match(line)
        if found is None:
            return "it does not fit the format"
        values: Sequence[bytes] = found.groups()
        if b"\\" in line:
            values = [_unescaped(value) if b"\\" in value else value for value in values]
        return _line(dict(zip(named, values, strict=True)))

    return Format(read, "host" in named)


def _value(part: _Part) -> bytes:
    """The bytes that a field may have. None of them is tried again."""
    behind = part.behind.encode()
    if part.is_bracketed:
        return rb"\[[^\]]*+\]"
    if part.before.endswith('"') and behind.startswith(b'"'):
        return rb'(?:[^"\\]|\\.)*+'
    if not behind:
        return rb".*+" if not part.role else rb"\S*+"
    if len(behind) == 1:  # a quarter of the time
        return rb"[^%b]*+" % re.escape(behind)
    return rb"(?:(?!%b).)*+" % re.escape(behind)


_TIMES: Final = ("time", "iso", "seconds")


def _check(roles: Sequence[str]) -> None:
    wanted: Mapping[str, Sequence[str]] = {
        "the address ($remote_addr)": ("address",),
        "the time ($time_local, $time_iso8601 or $msec)": _TIMES,
        "the status ($status)": ("status",),
        "the request ($request, or $request_method and $request_uri)": ("request", "target", "path"),
    }
    for what, names in wanted.items():
        if not any(name in roles for name in names):
            raise SettingsError(f"the log format does not tell {what}", "name it as the server's configuration does")


def _read_json(line: bytes) -> Line | str:
    try:
        sent = msgspec.json.decode(text(line), type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, ValueError):
        return "it is no JSON object"
    fields: dict[str, bytes] = {}
    for name, value in sent.items():
        role = JSON_NAMES.get(name.lower(), "")
        if role and not fields.get(role) and isinstance(value, str | float | int):
            fields[role] = _escaped(value if isinstance(value, str) else f"{value:.6f}".rstrip("0").rstrip("."))
    return _line(fields)


def _escaped(value: str) -> bytes:
    """A text of JSON as bytes; half an emoji is none."""
    return value.encode("utf-8", "replace")


def _line(fields: Mapping[str, bytes]) -> Line | str:
    """What the fields of a line say; one that the format lacks is not there."""
    at = None
    for name, read in _READ_TIME.items():
        if at is None and (sent := fields.get(name)):
            at = read(sent)
    if at is None:
        return "its time cannot be read"
    status = fields.get("status", b"")
    if len(status) != 3 or not status.isdigit():
        return "its status is no number of three digits"
    address = fields.get("address", b"")
    if len(address) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(address):
        return "its address is none"
    method, target = _request(fields)
    referrer, agent, host = (_told(fields.get(name, b"")) for name in ("referrer", "agent", "host"))
    return Line(at, address.decode(), method, target, int(status), referrer, agent, host)


def _told(sent: bytes) -> bytes:
    return b"" if sent == b"-" else sent


_ADDRESS: Final = re.compile(rb"[A-Za-z0-9.:_%-]+")
_METHOD: Final = re.compile(rb"[A-Z][A-Z-]{0,31}")


def _request(fields: Mapping[str, bytes]) -> tuple[bytes, bytes]:
    """Method and target; two times nothing if what was sent is no request."""
    method, target = fields.get("method", b""), fields.get("target", b"")
    if not method or not target:
        sent, _, rest = fields.get("request", b"").partition(b" ")
        told, _, version = rest.rpartition(b" HTTP/")
        method, target = method or sent, target or (told if version and told else rest)
    if not target and "path" in fields:
        query = fields.get("query", b"").removeprefix(b"?")
        target = fields["path"] + (b"?" + query if query not in (b"", b"-") else b"")
    return (method, target) if target and _METHOD.fullmatch(method) else (b"", b"")


_ESCAPE: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_LETTERS: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def _unescaped(value: bytes) -> bytes:
    return _ESCAPE.sub(_letter, value)


def _letter(found: re.Match[bytes]) -> bytes:
    if found[1]:
        return bytes((int(found[1], 16),))
    if found[2]:
        return _escaped(chr(int(found[2], 16)))
    return _LETTERS.get(found[3], found[3])


_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), 1
    )
}
_LOCAL: Final = re.compile(rb"\[?(\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}):(\d{2}):(\d{2}) ([+-]\d{4})\]?", re.ASCII)
_SECONDS: Final = re.compile(rb"(\d{1,11})(?:\.(\d{1,6}))?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def _local_time(sent: bytes) -> int | None:
    """``10/Oct/2026:13:55:36 -0700``, in brackets or not, as µs UTC."""
    found = _LOCAL.fullmatch(sent)
    if found is None:
        return None
    hour, minute, second, zone = found.groups()
    start = _hour(hour + zone)
    if start is None or minute > b"59" or second > b"60":
        return None
    return start + (60 * int(minute) + int(second)) * SECOND


@bounded(1_024)
def _hour(sent: bytes) -> int | None:
    """``10/Oct/2026:13-0700`` as µs UTC."""
    day, month, year, hour = int(sent[:2]), _MONTHS.get(sent[3:6]), int(sent[7:11]), int(sent[12:14])
    if month is None:
        return None
    sign = -1 if sent[14:15] == b"-" else 1
    try:
        zone = timezone(sign * timedelta(hours=int(sent[15:17]), minutes=int(sent[17:19])))
        return (datetime(year, month, day, hour, tzinfo=zone) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None


@bounded(4_096)
def _iso_time(sent: bytes) -> int | None:
    """ISO 8601 with an offset, or what `_local_time` and `_epoch_time` read, as µs UTC."""
    try:
        moment = datetime.fromisoformat(sent.decode("ascii"))
        return None if moment.tzinfo is None else (moment - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return _local_time(sent) or _epoch_time(sent)


def _epoch_time(sent: bytes) -> int | None:
    """Seconds since the epoch, as µs."""
    found = _SECONDS.fullmatch(sent)
    return None if found is None else int(found[1]) * SECOND + int((found[2] or b"").ljust(6, b"0"))


_READ_TIME: Final[Mapping[str, Callable[[bytes], int | None]]] = {
    "time": _local_time,
    "iso": _iso_time,
    "seconds": _epoch_time,
}
