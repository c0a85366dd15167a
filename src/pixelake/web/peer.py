"""Where a request came from: its peer, or whom a proxy of ours names; and whether a page of ours sent it."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from pixelake.address import Networks, packed, written

NOBODYS: Final = Networks(())
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""


OWN_FORM: Final = {"Referrer-Policy": "same-origin"}
"""Headers of a page with a form that works without scripts: else its browser would not say where the form came from."""


def address_of(request: HTTPConnection, trusted: Networks = NOBODYS) -> str:
    """The address a request came from; where the peer is a proxy of ours, the last one in X-Forwarded-For that is not.

    IPv6 by its /64, which one household has.
    """
    found = packed(request.client.host) if request.client else None
    for named in reversed(",".join(request.headers.getlist("x-forwarded-for")).split(",")):
        if found is None or found not in trusted:
            break
        found = packed(named.strip()) or found
    if found is None:
        return ""
    return written(found if len(found) == 4 else found[:8] + bytes(8))


def is_https(request: HTTPConnection) -> bool:
    """Whether the browser speaks HTTPS, with us or with a proxy before us.

    Whoever claims so of itself only gets a cookie that it then cannot use.
    """
    return says_https(request) or request.headers.get("origin", "").lower().startswith("https://")


def says_https(request: HTTPConnection) -> bool:
    """Whether every request of that browser tells so: by its connection, or in X-Forwarded-Proto of a proxy."""
    told = request.headers.get("x-forwarded-proto", "").split(",")[0].strip().lower()
    return request.url.scheme == "https" or told == "https"


def is_own_page(headers: Headers) -> bool:
    """Whether a browser sent it from a page of this very origin. What no browser sent is not."""
    host, origin, site = headers.get("host", "").lower(), headers.get("origin"), headers.get("sec-fetch-site")
    if len(headers.getlist("origin")) > 1 or len(headers.getlist("sec-fetch-site")) > 1:
        return False
    if site is not None and site != "same-origin":
        return False
    if origin is None:
        return site is not None
    try:
        told = urlsplit(origin.lower())
        is_ours = told.scheme in {"http", "https"} and told.netloc == _without_default(host, told.scheme)
        # a proxy may leave out the port, and then a browser's own word is enough
        return is_ours or (site is not None and told.hostname == urlsplit("//" + host).hostname)
    except ValueError:
        return False


def _without_default(host: str, scheme: str) -> str:
    """A Host header as browsers write origins."""
    return host.removesuffix(":443" if scheme == "https" else ":80")


def local_path(wanted: str) -> str:
    """A path of ours to go on to; ``/`` for whatever is none, or leads to another host."""
    is_local = wanted.startswith("/") and not wanted.startswith("//") and len(wanted) <= 4_000
    if not is_local or "\\" in wanted or not wanted.isascii() or not wanted.isprintable():
        return "/"
    parts = urlsplit(wanted)
    return "/" if parts.scheme or parts.netloc or parts.path.startswith(("//", "/login")) else wanted
