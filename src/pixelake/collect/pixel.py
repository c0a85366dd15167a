"""What the collector answers, ready as bytes: the GIF, the empty 204, and every refusal.

A refusal has a status, and its reason in the header ``X-Pixelake``; on a
pixel's path its body is the GIF all the same, so that no page shows a broken
image.
"""

import re
from email.utils import formatdate
from typing import Final, NamedTuple

GIF: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00"  # 1 x 1, a palette of two colours
    b"\x00\x00\x00\xff\xff\xff"
    b"!\xf9\x04\x01\x00\x00\x00\x00"  # colour 0 is transparent
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00"
    b"\x02\x02D\x01\x00;"
)
"""The smallest transparent GIF that all readers accept: 43 bytes."""


class Refusal(NamedTuple):
    """A status with its phrase, when to try again (seconds; 0: not at all), and what happened."""

    status: str
    retry_after: int
    text: str


REFUSALS: Final = {
    "bad_request": Refusal("400 Bad Request", 0, "this is not HTTP as RFC 9112 defines it"),
    "bad_length": Refusal("400 Bad Request", 0, "the length of the body is not clear"),
    "http_version": Refusal("505 HTTP Version Not Supported", 0, "only HTTP/1.1 and HTTP/1.0"),
    "no_route": Refusal("404 Not Found", 0, "nothing lives at this path"),
    "method": Refusal("405 Method Not Allowed", 0, "the path has other methods"),
    "timeout": Refusal("408 Request Timeout", 0, "the request did not arrive in time"),
    "head_too_large": Refusal("431 Request Header Fields Too Large", 0, "request line and headers are too large"),
    "body_too_large": Refusal("413 Content Too Large", 0, "the body is too large"),
    "busy": Refusal("503 Service Unavailable", 1, "too many hits wait for the disk"),
    "undecided": Refusal("503 Service Unavailable", 1, "the disk did not confirm in time; the hit may still be kept"),
    "unavailable": Refusal("503 Service Unavailable", 2, "the stream cannot make the hit durable"),
    "connections": Refusal("503 Service Unavailable", 1, "too many open connections"),
}
"""Reason, as in ``X-Pixelake`` and in the counter -> what it is."""

_COMMON: Final = (
    b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nCross-Origin-Resource-Policy: cross-origin\r\n"
)
_ANYBODY: Final = b"Access-Control-Allow-Origin: *\r\nTiming-Allow-Origin: *\r\n"
_IMAGE: Final = b"Content-Type: image/gif\r\nContent-Length: 43\r\n"
_ORIGIN: Final = re.compile(rb"\r\norigin:[ \t]*([!-~]+)[ \t]*\r\n", re.IGNORECASE)

CLOSE: Final = b"Connection: close\r\n"
KEEP: Final = b"Connection: keep-alive\r\n"
"""HTTP/1.0 wants to be told; HTTP/1.1 keeps alive by itself."""
STAY: Final = b""


def cors(head: bytes) -> bytes:
    """The headers that let a page of any origin read the answer, also with credentials.

    ``sendBeacon`` always sends credentials, so that ``*`` would not do.
    """
    found = _ORIGIN.search(head)
    if found is None:
        return b"Vary: Origin\r\n"
    return (
        b"Access-Control-Allow-Origin: " + found[1] + b"\r\nAccess-Control-Allow-Credentials: true\r\nVary: Origin\r\n"
    )


class Answers:
    """The answers of this second. `refresh` writes a new ``Date`` into them."""

    def __init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """To be called each second."""
        self._date = b"Date: " + formatdate(usegmt=True).encode() + b"\r\n"
        image = b"HTTP/1.1 200 OK\r\n" + self._date + _COMMON + _ANYBODY + _IMAGE
        self._images = {
            (method, line): image + line + b"\r\n" + (b"" if method == "HEAD" else GIF)
            for method in ("GET", "HEAD")
            for line in (STAY, KEEP, CLOSE)
        }

    def image(self, method: str, connection: bytes) -> bytes:
        """200 with the GIF; without it for HEAD."""
        return self._images[method, connection]

    def empty(self, head: bytes, connection: bytes) -> bytes:
        """204, for a page of any origin."""
        return b"HTTP/1.1 204 No Content\r\n" + self._date + _COMMON + cors(head) + connection + b"\r\n"

    def preflight(self, head: bytes, methods: bytes, connection: bytes) -> bytes:
        """204 to OPTIONS: what a page may send here."""
        return (
            b"HTTP/1.1 204 No Content\r\n" + self._date + _COMMON + cors(head) + b"Allow: " + methods + b"\r\n"
            b"Access-Control-Allow-Methods: "
            + methods
            + b"\r\nAccess-Control-Allow-Headers: content-type, content-encoding\r\n"
            b"Access-Control-Max-Age: 86400\r\n" + connection + b"\r\n"
        )

    def text(self, status: str, text: str, connection: bytes, *, method: str = "GET", extra: bytes = b"") -> bytes:
        """A line of text."""
        body = text.encode() + b"\n"
        return (
            b"HTTP/1.1 " + status.encode() + b"\r\n" + self._date + _COMMON + extra
            + b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n" % len(body)
            + connection + b"\r\n" + (b"" if method == "HEAD" else body)
        )  # fmt: skip

    def refusal(
        self, reason: str, connection: bytes, *, image: bool = False, method: str = "GET", extra: bytes = b""
    ) -> bytes:
        """A status and why; with the GIF if an image was asked for."""
        refusal = REFUSALS[reason]
        extra += b"X-Pixelake: " + reason.encode() + b"\r\n"
        if refusal.retry_after:
            extra += b"Retry-After: %d\r\n" % refusal.retry_after
        if not image:
            return self.text(refusal.status, refusal.text, connection, method=method, extra=extra)
        head = b"HTTP/1.1 " + refusal.status.encode() + b"\r\n" + self._date + _COMMON + _ANYBODY + extra + _IMAGE
        return head + connection + b"\r\n" + (b"" if method == "HEAD" else GIF)
