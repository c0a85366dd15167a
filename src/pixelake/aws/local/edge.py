"""A distribution of CloudFront on this machine: the pixel from a bucket with its logs, or headers for what is behind.

Logs are written as the developer guide says: real-time records with the chosen
fields in CloudFront's order, standard logs of version 1 with all of theirs. Both
put their own escapes around what a viewer sent. Caches nothing.
"""

import gzip
import re
import secrets
import threading
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from pixelake.aws.local.http import Answer, Asked, Told
from pixelake.collect.logs.cloudfront_fields import REALTIME, STANDARD
from pixelake.collect.pixel import GIF

PIXEL: Final = "/pixel.gif"
"""The object, and the path pattern of the behaviour that is logged."""
DOMAIN: Final = "d111111abcdef8.cloudfront.net"
DISTRIBUTION: Final = "EMLARXS9EXAMPLE"
FIELDS: Final = (
    *("timestamp", "c-ip", "sc-status", "cs-method", "cs-protocol", "cs-host", "cs-uri-stem", "x-edge-location"),
    *("x-edge-request-id", "cs-user-agent", "cs-referer", "c-country", "cs-headers", "asn"),
)
"""Of the log configuration: what a hit is made of, and a few for people."""
LIMIT: Final = 800
"""Bytes of ``cs-headers``."""
_ESCAPED: Final = re.compile(rb"[^\x21-\x7e]|[<>\"#%{}|\\^~\[\]`']")
_ESCAPED_OF_URL: Final = re.compile(rb"[^\x21-\x7e]|[<>\"{}|\\^`]")
"""The viewer's own escapes stay as they are."""
_HEADERS: Final = (
    ("content-type", "image/gif"),
    ("cache-control", "no-store"),
    ("access-control-allow-origin", "*"),
    ("x-content-type-options", "nosniff"),
)
"""Of a response headers policy: viewers keep nothing, so that each view is a request."""


class Edge:
    """Serves the pixel, and tells of each request to it: to real-time logs at once, to standard logs when flushed."""

    def __init__(self, realtime: Callable[[bytes], None], fields: Sequence[str] = FIELDS) -> None:
        """Nothing is served yet.

        Args:
            realtime: takes a record of the real-time log.
            fields: of that log.
        """
        self._realtime = realtime
        self._fields = [name for name in REALTIME if name in fields]
        self._standard: list[bytes] = []
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Told:
        """The answer to a viewer. What is no pixel has another behaviour, without logs."""
        if asked.path != PIXEL:
            return Told(404, (), b"")
        told = Told(200, _HEADERS, GIF) if asked.method in {"GET", "HEAD"} else Told(403, (), b"")
        values = _values(asked, told)
        self._realtime("\t".join(values[name] for name in self._fields).encode() + b"\n")
        with self._lock:
            self._standard.append("\t".join(values[f"standard:{name}"] for name in STANDARD).encode())
        return told

    def flush(self, write: Callable[[str, bytes], None]) -> None:
        """Put what was not written yet into an object of the standard log."""
        with self._lock:
            lines, self._standard = self._standard, []
        if lines:
            key = f"{DISTRIBUTION}.{datetime.now(UTC):%Y-%m-%d-%H}.{uuid.uuid4().hex[:8]}.gz"
            write(key, gzip.compress(b"".join(line + b"\n" for line in (*_TOP, *lines))))


def with_headers(behind: Answer) -> Answer:
    """A behaviour that passes all to an origin, with the headers of its policy: who the viewer is."""

    def answer(asked: Asked) -> Told:
        host, port = asked.peer
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        kept = [(name, value) for name, value in asked.headers if not name.startswith("cloudfront-")]
        added = [
            ("cloudfront-viewer-address", address),
            ("via", f"2.0 {secrets.token_hex(8)}.cloudfront.net (CloudFront)"),
            ("x-amz-cf-id", _request_id()),
        ]
        return behind(replace(asked, headers=[*kept, *added]))

    return answer


def _values(asked: Asked, told: Told) -> Mapping[str, str]:
    """Every field of both logs; what is empty is a hyphen."""
    named = {
        "c-ip": asked.peer[0],
        "c-port": str(asked.peer[1]),
        "sc-status": str(told.status),
        "sc-bytes": str(len(told.body) + 300),
        "cs-bytes": str(len(asked.query) + 200),
        "cs-method": asked.method,
        "cs-protocol": "http",
        "cs-protocol-version": "HTTP/1.1",
        "x-edge-location": "LOC50-P1",
        "x-edge-request-id": _request_id(),
        "x-edge-result-type": "Hit" if told.body else "Error",
        "x-edge-response-result-type": "Hit" if told.body else "Error",
        "x-edge-detailed-result-type": "Hit" if told.body else "Error",
        "time-taken": "0.001",
        "time-to-first-byte": "0.001",
        "c-ip-version": "IPv6" if ":" in asked.peer[0] else "IPv4",
        "cs-user-agent": _escaped(asked.header("user-agent")),
        "cs-referer": _escaped(asked.header("referer")),
        "x-forwarded-for": _escaped(asked.header("x-forwarded-for")),
        "cs-uri-query": _of_url(asked.query),
        "sc-content-type": "image/gif" if told.body else "",
        "sc-content-len": str(len(told.body)),
        "primary-distribution-id": DISTRIBUTION,
        "cs-headers": _headers(asked),
        "asn": "64500",
    }
    host = _escaped(asked.header("host"))
    at = datetime.fromtimestamp(asked.at, UTC)
    query = f"?{_of_url(asked.query)}" if asked.query else ""
    realtime = {"timestamp": f"{asked.at:.3f}", "cs-host": host, "x-host-header": DOMAIN, "cs-uri-stem": PIXEL + query}
    standard = {
        "date": f"{at:%Y-%m-%d}",
        "time": f"{at:%H:%M:%S}",
        "cs-host": DOMAIN,
        "x-host-header": host,
        "cs-uri-stem": PIXEL,
    }
    found = {name: {**named, **realtime}.get(name) or "-" for name in REALTIME}
    return found | {f"standard:{name}": {**named, **standard}.get(name) or "-" for name in STANDARD}


def _headers(asked: Asked) -> str:
    lines = "".join(f"{name}:{value}\n" for name, value in asked.headers if name != "cookie")
    return _escaped(lines)[:LIMIT]


def _escaped(text: str) -> str:
    return _ESCAPED.sub(_percent, text.encode("latin-1", "replace")).decode()


def _of_url(text: str) -> str:
    return _ESCAPED_OF_URL.sub(_percent, text.encode("latin-1", "replace")).decode()


def _percent(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]


def _request_id() -> str:
    return urlsafe_b64encode(secrets.token_bytes(40)).decode()


_NAMES: Final = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)"
    " cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken"
    " x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status"
    " fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len"
    " sc-range-start sc-range-end"
)
_TOP: Final = (b"#Version: 1.0", b"#Fields: " + _NAMES.encode())
