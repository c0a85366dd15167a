"""The url of a page, or of a referrer: cut to what may be kept, and what its query tells."""

from typing import Final, NamedTuple

from pixelake.cache import bounded
from pixelake.dialects.site import read_url
from pixelake.dialects.text import unescape

UTM: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
CLICK_IDS: Final = frozenset(
    {"gclid", "gbraid", "wbraid", "dclid", "msclkid", "fbclid", "ttclid", "twclid", "li_fat_id", "yclid", "epik"}
    | {"rdt_cid", "sccid", "igshid", "mc_eid"}
)
"""Query names with which advertisers and networks mark a click."""

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


@bounded(8_192)
def read_page(url: str, kept: frozenset[str]) -> Page:
    """What is kept of a url. Any text can be read; what is no url has neither host nor path."""
    parts = read_url(url)
    scheme, place, path, query = parts
    fields = [(field.partition("=")[0], field) for field in query.split("&")] if query else []
    listed = "&".join(field for name, field in fields if name in kept)
    prefix = f"{scheme}:" if scheme else ""
    return Page(
        f"{prefix}{'//' + place if place else ''}{path}{'?' + listed if listed else ''}",
        parts.host,
        path if path.startswith("/") else None,
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
