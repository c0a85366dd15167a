"""The url of a page, or of a referrer: cut to what may be kept, and what its query tells."""

import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final, NamedTuple

from pixelake.cache import bounded
from pixelake.dialects.site import read_url
from pixelake.dialects.text import unescape

UTM: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
CLICK_IDS: Final = frozenset(
    {"gclid", "gbraid", "wbraid", "dclid", "msclkid", "fbclid", "ttclid", "twclid", "li_fat_id", "yclid", "epik"}
    | {"rdt_cid", "sccid", "igshid", "mc_eid"}
)
"""Query names with which advertisers and networks mark a click."""

_JSON: Final = re.compile(r'\s*+(?:\{|\[\s*+["{\[])')
"""An object, or a list in a list; ``[2001:db8::1]/`` is a host."""

Tags = tuple[str | None, ...]
NO_TAGS: Final[Tags] = (None,) * len(UTM)


class Page(NamedTuple):
    """What is kept of a url.

    Attributes:
        url: without user, fragment and unlisted query names; what is kept stays letter by letter.
        host: in lower case, without port; None if there is none, or one that no host can have.
        path: None where the url holds none.
        tags: the values of `UTM` in its query.
        click_id: the kind of click id in its query.
    """

    url: str
    host: str | None
    path: str | None
    tags: Tags
    click_id: str | None


NO_PAGE: Final = Page("", None, None, NO_TAGS, None)
PAGE_PARTS: Final[Mapping[str, Callable[[Page], Any]]] = {
    "url": lambda page: page.url or None,
    **{name: attrgetter(name) for name in ("host", "path", "tags", "click_id")},
}
BEFORE_PARTS: Final[Mapping[str, Callable[[Page], Any]]] = {
    "referrer": lambda page: page.url or None,
    "referring_host": attrgetter("host"),
}
"""The columns that are read from a page, and from the one before it."""


@bounded(8_192)
def read_page(url: str, kept: frozenset[str]) -> Page:
    """What is kept of a url. Any text can be read; what is no url has neither host nor path.

    Of JSON nothing is kept: it may hold urls, in any spelling, and nobody cuts those.
    """
    if _JSON.match(url):
        return NO_PAGE
    parts = read_url(url)
    scheme, place, path, query = parts
    first, slash, rest = path.partition("/")
    if not place and "@" in first:  # `u:p@a.example/b`, or somebody's address
        scheme, path = "", first.rpartition("@")[2] + slash + rest
    url = f"{scheme}{':' if scheme else ''}{'//' if place else ''}{place}{path}"
    told = path if path.startswith("/") else None
    if not query:
        return Page(url, parts.host, told, NO_TAGS, None)
    fields = [(field.partition("=")[0], field) for field in query.split("&")]
    listed = "&".join(field for name, field in fields if name in kept)
    return Page(
        f"{url}?{listed}" if listed else url,
        parts.host,
        told,
        _tags(dict(reversed(fields))),
        next((name for name, _ in fields if name in CLICK_IDS), None),
    )


def _tags(fields: dict[str, str]) -> Tags:
    if fields.keys().isdisjoint(UTM):
        return NO_TAGS
    # a url is text already; its letters beyond ASCII go back to the bytes they were
    return tuple(_tag(fields[name]) if name in fields else None for name in UTM)


def _tag(field: str) -> str | None:
    return unescape(field.partition("=")[2].encode().decode("latin-1")) or None


def without_www(host: str | None) -> str | None:
    """A host as people say it."""
    return host.removeprefix("www.") if host else None
