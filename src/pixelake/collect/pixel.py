"""What the collector answers, ready as bytes: its images, the empty 204, and every refusal.

A refusal has a status, and its reason in the header ``X-Pixelake``; on an
image's path its body is the GIF all the same, so that no page shows a broken
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

PNG: Final = (
    b"\x89PNG\r\n\x1a\n"
    b"\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"  # 1 x 1, 8 bits, RGBA
    b"\x00\x00\x00\nIDATx\xdac\x00\x01\x00\x00\x05\x00\x01\xa0\x82W9"  # a zero, then four times the byte before
    b"\x00\x00\x00\x00IEND\xaeB`\x82"
)
"""A transparent PNG of 67 bytes. Grey with alpha takes 68, for it has too few zeros to pack."""


class Refusal(NamedTuple):
    """A status with its phrase, when to try again (seconds; 0: not at all), what happened, and what to do about it."""

    status: str
    retry_after: int
    text: str
    remedy: str


REFUSALS: Final = {
    "bad_request": Refusal(
        "400 Bad Request",
        0,
        "this is not HTTP as RFC 9112 defines it",
        "look at what sends it: a scanner, TLS spoken to a port without it, or a proxy that is not strict",
    ),
    "bad_length": Refusal(
        "400 Bad Request", 0, "the length of the body is not clear", "send one `Content-Length`, or a chunked body"
    ),
    "proxy_header": Refusal(
        "400 Bad Request",
        0,
        "the connection does not begin with a PROXY header",
        "have the balancer in front send one, or set `proxy_protocol` to off",
    ),
    "firehose_request": Refusal(
        "400 Bad Request",
        0,
        "this is no delivery of Firehose",
        "let a stream of Firehose with an HTTP endpoint send it, plain or in GZIP",
    ),
    "firehose_key": Refusal(
        "401 Unauthorized", 0, "the access key is another one", "give the stream of Firehose the key of `firehose_key`"
    ),
    "no_route": Refusal("404 Not Found", 0, "nothing lives at this path", "compare the tag with `pixelake snippet`"),
    "method": Refusal("405 Method Not Allowed", 0, "the path has other methods", "`Allow` names them"),
    "timeout": Refusal(
        "408 Request Timeout", 0, "the request did not arrive in time", "slow lines need a longer `header_timeout`"
    ),
    "body_too_large": Refusal(
        "413 Content Too Large", 0, "the body is too large", "send fewer events at once, or set `max_body` higher"
    ),
    "rate_site": Refusal(
        "429 Too Many Requests",
        1,
        "the site sends more than its rate",
        "wait for `Retry-After`; `site_rate` and `site_burst` are the limits",
    ),
    "rate_address": Refusal(
        "429 Too Many Requests",
        1,
        "the address sends more than its rate",
        "wait for `Retry-After`; behind a proxy set `trusted_proxies`, else all its visitors are one address; "
        "`address_rate` and `address_burst` are the limits",
    ),
    "head_too_large": Refusal(
        "431 Request Header Fields Too Large",
        0,
        "request line and headers are too large",
        "send long values by `POST /events`, or set `max_head` higher",
    ),
    "busy": Refusal(
        "503 Service Unavailable",
        1,
        "too many hits wait for the disk",
        "a faster disk, more `workers`, or a higher `max_waiting` and `max_waiting_bytes`",
    ),
    "undecided": Refusal(
        "503 Service Unavailable",
        1,
        "the disk did not confirm in time; the hit may still be kept",
        "look at the disk's latency; `answer_deadline` is the limit; send again with the same `event_id`",
    ),
    "unavailable": Refusal(
        "503 Service Unavailable",
        2,
        "the stream cannot make the hit durable",
        "look at the collector's log: it names the error; it begins anew by itself",
    ),
    "disk": Refusal(
        "503 Service Unavailable",
        10,
        "the disk is nearly full",
        "make space: `disk_reserve` bytes must be free; it goes on by itself",
    ),
    "stream_full": Refusal(
        "503 Service Unavailable",
        10,
        "the stream holds as many unsettled hits as it may",
        "see in `pixelake status` why the consumer is behind; `stream_bytes` is the limit",
    ),
    "connections": Refusal(
        "503 Service Unavailable",
        1,
        "too many open connections",
        "a shorter `idle_timeout`, more `workers`, or a higher `max_connections`",
    ),
    "http_version": Refusal(
        "505 HTTP Version Not Supported", 0, "only HTTP/1.1 and HTTP/1.0", "put a proxy in front that speaks the others"
    ),
}
"""Reason, as in ``X-Pixelake`` and in the counter -> what it is. `as_markdown` makes the page in the docs of it."""

_FINE: Final = Refusal("200 OK", 0, "", "")
_COMMON: Final = (
    b"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nCross-Origin-Resource-Policy: cross-origin\r\n"
)
_UNCACHED: Final = _COMMON.replace(b"no-store", b"no-store, no-cache, max-age=0")
"""GitHub's image proxy asks again each time only if it reads ``no-cache``."""
_ANYBODY: Final = b"Access-Control-Allow-Origin: *\r\nTiming-Allow-Origin: *\r\n"
_EXPOSED: Final = b"Access-Control-Expose-Headers: Retry-After, X-Pixelake\r\n"
"""What a page's script may read of a refusal, beside its status."""
_IMAGE: Final = b"Content-Type: image/gif\r\nContent-Length: 43\r\n"
_SVG: Final = (
    b"Content-Type: image/svg+xml\r\nContent-Security-Policy: default-src 'none'; sandbox\r\nContent-Length: %d\r\n"
)
"""Opened by itself a badge is a document: it may load and run nothing."""
_ORIGIN: Final = re.compile(
    rb"\r\norigin:[ \t]*(null|[a-z][a-z0-9+.-]{0,31}://[a-z0-9._:\[\]-]{0,260})[ \t]*\r\n", re.IGNORECASE
)
"""An origin as the Fetch standard writes it: scheme, host, port, in ASCII; or ``null`` (a sandboxed frame, a file)."""

CLOSE: Final = b"Connection: close\r\n"
KEEP: Final = b"Connection: keep-alive\r\n"
"""HTTP/1.0 wants to be told; HTTP/1.1 keeps alive by itself."""
STAY: Final = b""


def cors(head: bytes) -> bytes:
    """The headers that let a page of any origin read the answer, also with credentials.

    ``sendBeacon`` always sends credentials, and then the Fetch standard takes
    ``*`` for the name of an origin, a method or a header, not for all of them.
    Nothing is told here that a stranger may not know, and no cookie is looked
    at, so that an origin of ``null`` is as good as any. What is no origin is not
    echoed.
    """
    found = _ORIGIN.search(head)
    if found is None:
        return b"Vary: Origin\r\n"
    return (
        b"Access-Control-Allow-Origin: " + found[1] + b"\r\nAccess-Control-Allow-Credentials: true\r\nVary: Origin\r\n"
    )


class Answers:
    """The answers of this second. `refresh` writes a new ``Date`` into them.

    Attributes:
        plain: 200 with the GIF, to a GET by HTTP/1.1 on a connection that stays.
        last: the same, on one that closes.
    """

    def __init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """To be called each second."""
        self._date = b"Date: " + formatdate(usegmt=True).encode() + b"\r\n"
        self._images = self._fixed(_IMAGE, GIF)
        self.plain = self._images["GET", STAY]
        self.last = self._images["GET", CLOSE]
        self._pngs = self._fixed(b"Content-Type: image/png\r\nContent-Length: %d\r\n" % len(PNG), PNG)

    def _fixed(self, kind: bytes, body: bytes) -> dict[tuple[str, bytes], bytes]:
        """200 with an image that never changes, by method and connection header."""
        image = b"HTTP/1.1 200 OK\r\n" + self._date + _COMMON + _ANYBODY + kind
        return {
            (method, line): image + line + b"\r\n" + (b"" if method == "HEAD" else body)
            for method in ("GET", "HEAD")
            for line in (STAY, KEEP, CLOSE)
        }

    def image(self, method: str, connection: bytes) -> bytes:
        """200 with the GIF; without it for HEAD."""
        return self._images[method, connection]

    def png(self, method: str, connection: bytes) -> bytes:
        """200 with the PNG; without it for HEAD."""
        return self._pngs[method, connection]

    def badge(self, method: str, connection: bytes, svg: bytes | None) -> bytes:
        """200 with a badge; without it for HEAD. With the GIF if there is none."""
        if svg is None:
            return self.image(method, connection)
        head = b"HTTP/1.1 200 OK\r\n" + self._date + _UNCACHED + _ANYBODY + _SVG % len(svg)
        return head + connection + b"\r\n" + (b"" if method == "HEAD" else svg)

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

    def json(self, reason: str, body: bytes, connection: bytes) -> bytes:
        """200, or the status of a refusal, with JSON."""
        refusal = REFUSALS.get(reason, _FINE)
        extra = b"X-Pixelake: %b\r\n" % reason.encode() if reason else b""
        if refusal.retry_after:
            extra += b"Retry-After: %d\r\n" % refusal.retry_after
        return (
            b"HTTP/1.1 " + refusal.status.encode() + b"\r\n" + self._date + _COMMON + extra
            + b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
            + connection + b"\r\n" + body
        )  # fmt: skip

    def refusal(
        self,
        reason: str,
        connection: bytes,
        *,
        image: bool = False,
        method: str = "GET",
        extra: bytes = b"",
        retry_after: int | None = None,
    ) -> bytes:
        """A status and why; with the GIF if an image was asked for.

        Args:
            reason: one of `REFUSALS`.
            connection: the connection header.
            image: whether the path is an image's.
            method: the request's; HEAD has no body.
            extra: further header lines.
            retry_after: seconds, at least 1, where they are better known than the reason tells.
        """
        refusal = REFUSALS[reason]
        extra += b"X-Pixelake: " + reason.encode() + b"\r\n" + _EXPOSED
        if seconds := refusal.retry_after if retry_after is None else max(1, retry_after):
            extra += b"Retry-After: %d\r\n" % seconds
        if not image:
            return self.text(refusal.status, refusal.text, connection, method=method, extra=extra)
        head = b"HTTP/1.1 " + refusal.status.encode() + b"\r\n" + self._date + _COMMON + _ANYBODY + extra + _IMAGE
        return head + connection + b"\r\n" + (b"" if method == "HEAD" else GIF)


def as_markdown() -> str:
    """The page ``docs/refusals.md``."""
    rows = [
        f"| {refusal.status} | `{reason}` | {refusal.retry_after or ''} | {refusal.text} | {refusal.remedy} |"
        for reason, refusal in REFUSALS.items()
    ]
    header = "| status | `X-Pixelake` | `Retry-After` (s) | what happened | what to do |"
    return "\n".join([_PAGE, header, "|---|---|---|---|---|", *rows, ""])


_PAGE: Final = """# Refusals

Made from `src/pixelake/collect/pixel.py`:
`python -c 'from pixelake.collect import pixel; print(pixel.as_markdown(), end="")' > docs/refusals.md`.

Whatever the collector does not take is answered with a status of its own and the reason in the header `X-Pixelake`,
and is counted: `pixelake_answers_total{status, reason}` at `/metrics`. Nothing of it is in the lake, but for
`undecided`, which may be. On the path of an image the body is the GIF all the same, so that no page shows a broken
image. `Retry-After` of a 429 is what the limit says, at least a second.
"""
