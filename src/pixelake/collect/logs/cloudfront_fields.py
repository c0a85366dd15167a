"""The fields of CloudFront's logs: their order, and what each may look like; a record is read by them.

The fields of a record are compiled to one regular expression that looks at each
byte once. It also says what a field of that name looks like, so that a record
whose fields stand in another order is told from one that can be believed.

The names are those of the developer guide, in lower case, with a hyphen for
every other mark: ``cs(User-Agent)`` is ``cs-user-agent``, as Parquet's
``cs_user_agent`` is.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from pixelake.cache import Memory, bounded
from pixelake.clock import SECOND
from pixelake.collect.logs.line import Line

SOURCE: Final = "cloudfront"
"""The `source` of the hits: their place is CloudFront's own word (`pixelake.transform.enrich.geo`)."""
NAMED: Final = "cloudfront-"
"""Before the id of a request: the ``hit_id``."""
REQUEST_ID: Final = "x-edge-request-id"
MOST: Final = 128
"""Fields of a record."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


REALTIME: Final = _words(
    "timestamp c-ip s-ip time-to-first-byte sc-status sc-bytes cs-method cs-protocol cs-host cs-uri-stem cs-bytes"
    " x-edge-location x-edge-request-id x-host-header time-taken cs-protocol-version c-ip-version cs-user-agent"
    " cs-referer cs-cookie cs-uri-query x-edge-response-result-type x-forwarded-for ssl-protocol ssl-cipher"
    " x-edge-result-type fle-encrypted-fields fle-status sc-content-type sc-content-len sc-range-start sc-range-end"
    " c-port x-edge-detailed-result-type c-country cs-accept-encoding cs-accept cache-behavior-path-pattern cs-headers"
    " cs-header-names cs-headers-count primary-distribution-id primary-distribution-dns-name origin-fbl origin-lbl asn"
    " cmcd-encoded-bitrate cmcd-buffer-length cmcd-buffer-starvation cmcd-content-id cmcd-object-duration"
    " cmcd-deadline cmcd-measured-throughput cmcd-next-object-request cmcd-next-range-request cmcd-object-type"
    " cmcd-playback-rate cmcd-requested-maximum-throughput cmcd-streaming-format cmcd-session-id cmcd-stream-type"
    " cmcd-startup cmcd-top-bitrate cmcd-version r-host sr-reason x-edge-mqcs distribution-tenant-id connection-id"
    " viewer-request-log-data viewer-response-log-data"
)
"""Of a real-time record, in the order in which CloudFront writes those that were chosen, in whatever order that was."""
DEFAULT: Final = _words(
    "timestamp c-ip sc-status cs-method cs-host cs-uri-stem x-edge-request-id cs-user-agent cs-referer c-country"
)
"""Those that a hit is made of."""
STANDARD: Final = _words(
    "date time x-edge-location sc-bytes c-ip cs-method cs-host cs-uri-stem sc-status cs-referer cs-user-agent"
    " cs-uri-query cs-cookie x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken"
    " x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status"
    " fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len"
    " sc-range-start sc-range-end"
)
"""Of a standard log, version 1."""
HOST_OF_REALTIME: Final = "cs-host"
HOST_OF_STANDARD: Final = "x-host-header"
"""Where the host stands that the viewer named; in the other kind of log that name is the distribution's."""

_NUMBER: Final = rb"-|\d[\d.]*+"
_ADDRESS: Final = rb"\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,40}"
MOMENTS: Final = frozenset({"timestamp", "timestamp-ms", "date", "time"})
"""Fields of which a record has some, and none is empty. In place of any other there may be a hyphen."""
_KINDS: Final[Mapping[str, bytes]] = {
    "timestamp": rb"\d{9,11}(?:\.\d{1,6})?",
    "timestamp-ms": rb"\d{12,14}",
    "date": rb"\d{4}-\d\d-\d\d",
    "time": rb"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d",
    "c-ip": _ADDRESS,
    "s-ip": b"-|" + _ADDRESS,
    "sc-status": rb"\d{3}",
    "cs-method": rb"[A-Z][A-Z-]{0,31}+|-",
    "cs-uri-stem": rb"[/*][^\t]*+|-",
    REQUEST_ID: rb"[\w=-]{8,128}+|-",
    "c-country": rb"[A-Z]{2}|-",
    "c-ip-version": rb"IPv[46]|-",
    "x-edge-location": rb"[A-Z]{3}[A-Z\d-]{0,20}+|-",
} | dict.fromkeys(
    _words("time-to-first-byte sc-bytes cs-bytes time-taken sc-content-len c-port cs-headers-count asn"), _NUMBER
)
"""Name -> what a field looks like; others may be anything, or nothing."""
_ANYTHING: Final = rb"[^\t]*+"

_BEHIND: Final = ("c-ip", "sc-status", "cs-method", "cs-uri-stem", "cs-uri-query", "", "cs-referer", "cs-user-agent")
_LAST: Final = (REQUEST_ID, "c-country", "cs-headers")
USED: Final = frozenset({*_KINDS, *_BEHIND, *_LAST, HOST_OF_STANDARD} - {"", "cs-headers"})
"""Fields of a standard log that are looked at."""
_BROKEN: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NOTHING: Final = (b"", b"-")
_COUNTRIES: Final = {
    code: b"CloudFront-Viewer-Country: %b\r\n" % code
    for code in (bytes((first, second)) for first in range(65, 91) for second in range(65, 91))
}
_KEPT_HEADERS: Final = frozenset(
    b"accept-language dnt sec-gpc purpose sec-purpose x-purpose x-moz via sec-fetch-mode sec-ch-ua sec-ch-ua-mobile"
    b" sec-ch-ua-platform sec-ch-ua-platform-version sec-ch-ua-full-version-list".split()
)
"""Of ``cs-headers``: what is read from a head. All else, such as a country that a client made up, stays out."""
_END: Final = re.compile(rb"[\r\n\0]")

Read = Callable[[bytes], Line | str]


def plain_name(name: str) -> str:
    """A field's name as it is compared."""
    return re.sub(r"[^a-z0-9]+", "-", name.strip().lower()).strip("-")


def lacking(names: Sequence[str]) -> str:
    """What these fields do not tell, so that no hit can be made of them; empty if they do."""
    there = frozenset(names)
    if not there & {"timestamp", "timestamp-ms"} and not there >= {"date", "time"}:
        return "timestamp"
    return next((name for name in ("c-ip", "sc-status", "cs-method", "cs-uri-stem") if name not in there), "")


@lru_cache(maxsize=64)
def reader(names: tuple[str, ...], host: str) -> Read:
    """Reads records with tabs between these fields, which lack nothing (`lacking`).

    Args:
        names: in their order; of one that is there twice the first counts.
        host: the name of the field with the host that the viewer named.
    """
    wanted = (*_times(names), *(name or host for name in _BEHIND), *_LAST)
    places = [names.index(name) if name in names else -1 for name in wanted]
    fields = [b"(%b)" if at in places else b"(?:%b)" for at in range(len(names))]
    pattern = b"\t".join(form % _KINDS.get(name, _ANYTHING) for form, name in zip(fields, names, strict=True))
    match = re.compile(pattern + rb"()", re.ASCII).fullmatch
    groups = {at: number for number, at in enumerate(sorted({*places} - {-1}), 1)}
    groups[-1] = len(groups) + 1
    order = [groups[at] for at in places]
    moment = _MOMENTS[wanted[0]]
    known = Memory(_decoded)

    def read(line: bytes) -> Line | str:
        found = match(line)
        if found is None:
            return _why(line, names)
        when, more, address, status, method, stem, query, told, referrer, agent, name, country, headers = found.group(
            *order
        )
        at = moment(when, more)
        if at is None:
            return "its date is none"
        decoded = known.young.get
        sent_by = decoded(agent) or known[agent]
        came_from = decoded(referrer) or known[referrer]
        sent_to = decoded(told) or known[told]
        if sent_by is None or came_from is None or sent_to is None:
            return "an escape in its user agent, referer or host is cut off"
        if query not in _NOTHING and b"?" not in stem:
            stem += b"?" + query
        if method == b"-" or stem == b"-":
            method = stem = b""
        lines = _COUNTRIES.get(country, b"")
        if headers not in _NOTHING:
            lines += _kept(headers)
        named = "" if name in _NOTHING else NAMED + name.decode()
        return Line(
            at, address.decode(), method, stem, int(status), came_from, sent_by, sent_to, SOURCE, named, lines
        )  # fmt: skip

    return read


def _times(names: Sequence[str]) -> tuple[str, str]:
    """The fields that tell the moment, the finest first."""
    for name in ("timestamp-ms", "timestamp"):
        if name in names:
            return name, "_"
    return "date", "time"


def _of_day(day: bytes, time: bytes) -> int | None:
    """µs UTC."""
    start = _day(day)
    if start is None:
        return None
    return start + (3_600 * int(time[:2]) + 60 * int(time[3:5]) + int(time[6:])) * SECOND


@bounded(1_024)
def _day(sent: bytes) -> int | None:
    try:
        return (date.fromisoformat(sent.decode()) - date(1970, 1, 1)).days * 86_400 * SECOND
    except ValueError:
        return None


def _of_seconds(sent: bytes, _more: bytes) -> int | None:
    """µs; a double has room for these until the year 2255."""
    return round(float(sent) * SECOND)


def _of_milliseconds(sent: bytes, _more: bytes) -> int | None:
    return int(sent) * 1_000


_MOMENTS: Final[Mapping[str, Callable[[bytes, bytes], int | None]]] = {
    "timestamp-ms": _of_milliseconds,
    "timestamp": _of_seconds,
    "date": _of_day,
}


def _decoded(sent: bytes) -> bytes | None:
    """A field without what the log has put around it, and only that; None if it was cut within an escape."""
    if b"%" not in sent:
        return b"" if sent == b"-" else sent
    return None if _BROKEN.search(sent) else unquote_to_bytes(sent)


@bounded(8_192)
def _kept(sent: bytes) -> bytes:
    """The lines of ``cs-headers`` that are kept. It is cut at 800 bytes: what has no end is left out."""
    found = []
    for line in sent.split(b"%0A")[:-1]:
        name, _, value = unquote_to_bytes(line).partition(b":")
        if name.lower() in _KEPT_HEADERS:
            found.append(b"%b: %b\r\n" % (name, _END.sub(b" ", value).strip()))
    return b"".join(found)


def _why(line: bytes, names: Sequence[str]) -> str:
    """Why a record cannot be read."""
    values = line.split(b"\t")
    if len(values) != len(names):
        return f"it has {len(values)} fields instead of {len(names)}"
    for number, (name, value) in enumerate(zip(names, values, strict=True), 1):
        if not re.fullmatch(_KINDS.get(name, _ANYTHING), value, re.ASCII):
            return f"its field {number} is no {name}"
    return "it does not fit the fields"
