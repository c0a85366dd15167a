"""What is used of the header lines of a hit."""

from typing import Final, NamedTuple

from pixelake.cache import bounded
from pixelake.dialects.base import Fault
from pixelake.dialects.text import text
from pixelake.transform.page import NO_PAGE, Page, read_page
from pixelake.transform.redact import Redactor
from pixelake.transform.validate import too_long

_NAMES: Final = (b"user-agent", b"accept-language", b"referer", b"dnt", b"sec-gpc")


class Head(NamedTuple):
    """What is used of the headers."""

    user_agent: str | None
    accept_language: str | None
    referer: str | None
    dnt: bool
    gpc: bool
    faults: tuple[Fault, ...]


@bounded(8_192)
def read_head(headers: bytes, max_field: int, secrets: Redactor) -> Head:
    """Of a header that comes twice the first counts."""
    lines = [line.partition(b":") for line in headers.split(b"\r\n")]
    found = {name.lower(): value for name, _, value in reversed(lines)}
    agent, language, referer, dnt, gpc = [text(found[name].strip()) if name in found else None for name in _NAMES]
    referer = secrets.text(referer) if referer else None
    faults: tuple[Fault, ...] = ()
    if 3 * len(headers) > max_field:  # a byte that cannot be decoded becomes three letters
        texts = (("user-agent", agent), ("accept-language", language), ("referer", referer))
        faults = tuple(too_long(name, sent, max_field) for name, sent in texts if sent and len(sent) > max_field)
    return Head(agent or None, language or None, referer, dnt == "1", gpc == "1", faults)


def referring_page(referer: str | None, kept_query: frozenset[str]) -> Page:
    """The page, as the Referer tells it.

    A Referer that ends behind its origin may have been cut there by the browser
    (Referrer-Policy): the path is unknown.
    """
    if not referer:
        return NO_PAGE
    page = read_page(referer, kept_query)
    return page._replace(path=None) if page.path == "/" and "?" not in referer else page
