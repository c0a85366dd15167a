"""What a line of an access log counts as: a hit as it was sent, a page's view, or nothing."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple
from urllib.parse import quote_from_bytes

from pixelake.cache import bounded
from pixelake.collect.logs.line import Line
from pixelake.dialects.base import Dialect
from pixelake.dialects.site import site_name
from pixelake.hit import Hit

REQUEST: Final = "request"
"""The event of a line that is no view of a page, where such lines are wanted."""
ASSETS: Final = frozenset(
    b"7z apk atom avif avi bin bmp br bz2 css csv dmg doc docx eot exe flac gif gz ico iso jpeg jpg js json jsonld m3u8"
    b" m4a m4v map mid mjs mkv mov mp3 mp4 mpd mpeg mpg msi ogg ogv opus otf pdf pkg png ppt pptx rar rss rtf svg"
    b" svgz swf tar tgz tif tiff ts ttf txt vtt wasm wav webm webmanifest webp woff woff2 xls xlsx xml xz zip"
    b" zst".split()
)
"""Endings of paths that are no pages."""

_ORIGIN: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_UNSENDABLE: Final = re.compile(rb"[^\x21-\x7e]")
_SENDABLE: Final = bytes(range(0x21, 0x7F))
_LINE_END: Final = re.compile(rb"[\r\n\0]+")


class Wanted(NamedTuple):
    """Which lines count, and for whom.

    Attributes:
        site: of views of pages; empty: the host that the line tells.
        routes: paths of pixels -> the methods they answer.
        everything: whether also what is no page's view, as events `REQUEST`.
    """

    site: str
    routes: Mapping[bytes, AbstractSet[bytes]]
    everything: bool = False


def routes_of(dialects: Sequence[Dialect]) -> Mapping[bytes, AbstractSet[bytes]]:
    """The routes of dialects, for `Wanted`."""
    return {route.path: route.methods for dialect in dialects for route in dialect.routes}


def hit_of(line: Line, hit_id: str, wanted: Wanted) -> Hit | str | None:
    """The hit that a line tells of; why it can be none; or None if it is left out.

    A pixel's line with a query is the hit as it was sent. Any other GET that was
    answered with 2xx or 304 is a view of ``https://<site><path>``, with its
    referrer and its user agent, unless its path is one of `ASSETS`.
    """
    if not line.method:
        return "it has no request" if wanted.everything else None
    target = line.target if line.target.startswith(b"/") else _ORIGIN.sub(b"", line.target, count=1)
    path, _, query = target.partition(b"?")
    answered = 200 <= line.status < 300 or line.status == 304
    if query and line.method in wanted.routes.get(path, ()) and line.method != b"POST":
        return _sent(line, target, hit_id) if answered or wanted.everything else None
    is_view = answered and line.method == b"GET" and path.startswith(b"/") and not _is_asset(path)
    if not (is_view or wanted.everything):
        return None
    host = wanted.site or _host(line.host)
    if not host:
        return "its host is none"
    prefix = b"/pixel.gif?" + (b"site=%b&" % _quoted(host.encode()) if wanted.site else b"")
    return _page(line, prefix + b"url=https://" + host.encode(), target, hit_id, is_view=is_view)


def _is_asset(path: bytes) -> bool:
    name = path[path.rfind(b"/") + 1 :]
    return name[name.rfind(b".") + 1 :].lower() in ASSETS if b"." in name else False


@bounded(4_096)
def _host(sent: bytes) -> str:
    """The host that a line tells, with its port; empty if it is none."""
    name = sent.decode("latin-1").strip().lower()
    return name if site_name(name) and name.strip("_-.:") else ""


def _sent(line: Line, target: bytes, hit_id: str) -> Hit:
    """What was sent to a pixel."""
    if target.translate(None, _SENDABLE):  # a quarter of the time of looking for what is none
        target = _UNSENDABLE.sub(lambda found: b"%%%02X" % found[0][0], target)
    referer = b"Referer: %b\r\n" % _line(line.referrer) if line.referrer else b""
    return _hit(line, line.method, target, referer, hit_id)


def _page(line: Line, sent: bytes, target: bytes, hit_id: str, *, is_view: bool) -> Hit:
    """A view of a page, as its pixel would have told it; `sent` is that up to the path."""
    sent += _quoted(target if target.startswith(b"/") else b"/" + target)
    if line.referrer:
        sent += b"&referrer=" + _quoted(line.referrer)
    if not is_view:
        sent += b"&event=%b&method=%b&status=%d" % (REQUEST.encode(), line.method, line.status)
    return _hit(line, b"GET", sent, b"", hit_id)


def _hit(line: Line, method: bytes, target: bytes, headers: bytes, hit_id: str) -> Hit:
    agent = b"User-Agent: %b\r\n" % _line(line.agent) if line.agent else b""
    head = b"%b %b HTTP/1.1\r\n%b%b%b\r\n" % (method, target, headers, agent, line.headers)
    return Hit(line.at, line.address, line.address, head, b"", line.source, hit_id)


def _line(value: bytes) -> bytes:
    """What may stand in a header."""
    return value if len(value.translate(None, b"\r\n\0")) == len(value) else _LINE_END.sub(b" ", value)


@bounded(16_384)
def _quoted(value: bytes) -> bytes:
    """A value of a query."""
    return quote_from_bytes(value, safe="/:?=,;@!*()'~$").encode()
