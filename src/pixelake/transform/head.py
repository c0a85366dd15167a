"""What is used of the header lines of a hit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from pixelake.cache import bounded
from pixelake.dialects.base import Fault
from pixelake.dialects.text import text
from pixelake.transform.columns import Memo
from pixelake.transform.page import NO_PAGE, Page, read_page
from pixelake.transform.redact import Redactor
from pixelake.transform.validate import too_long

_TEXTS: Final = {
    "user_agent": b"user-agent",
    "accept_language": b"accept-language",
    "referer": b"referer",
    "via": b"via",
    "purpose": b"purpose",
    "sec_purpose": b"sec-purpose",
    "sec_fetch_mode": b"sec-fetch-mode",
    "x_moz": b"x-moz",
    "x_purpose": b"x-purpose",
    "sec_ch_ua": b"sec-ch-ua",
    "sec_ch_ua_full_version_list": b"sec-ch-ua-full-version-list",
    "sec_ch_ua_mobile": b"sec-ch-ua-mobile",
    "sec_ch_ua_platform": b"sec-ch-ua-platform",
    "sec_ch_ua_platform_version": b"sec-ch-ua-platform-version",
}
"""Attribute of a `Head` -> its header, in lower case."""
_NEEDED: Final = ("user_agent", "accept_language", "referer")
"""If one of these is too long, the hit is at fault; of the others a hint that is too long is no hint."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What is used of the headers. A header that is empty or not there is None. The same only if it is the same object.

    Attributes:
        lines: the header lines themselves.
        faults: of headers that are too long.
        memo: what enrichers found out from it alone.
    """

    user_agent: str | None
    accept_language: str | None
    referer: str | None
    via: str | None
    purpose: str | None
    sec_purpose: str | None
    sec_fetch_mode: str | None
    x_moz: str | None
    x_purpose: str | None
    sec_ch_ua: str | None
    sec_ch_ua_full_version_list: str | None
    sec_ch_ua_mobile: str | None
    sec_ch_ua_platform: str | None
    sec_ch_ua_platform_version: str | None
    dnt: bool
    gpc: bool
    lines: bytes
    faults: tuple[Fault, ...]
    memo: Memo = field(default_factory=dict)

    @property
    def objects(self) -> bool:
        """Does the visitor object to being tracked?"""
        return self.dnt or self.gpc


HEAD_PARTS: Final[Mapping[str, Callable[[Head], Any]]] = {
    name: attrgetter(name) for name in (*_TEXTS, "dnt", "gpc", "lines") if name != "referer"
}
"""The columns that are read from it. ``lines`` are the header lines themselves, without the Referer where it is
usual; they never leave the transformation."""


@bounded(8_192)
def read_head(headers: bytes, max_field: int, secrets: Redactor) -> Head:
    """Of a header that comes twice the first counts."""
    lines = [line.partition(b":") for line in headers.split(b"\r\n")]
    found = {name.lower(): value.strip() for name, _, value in reversed(lines)}
    texts: dict[str, Any] = {
        name: text(found[header]) or None if header in found else None for name, header in _TEXTS.items()
    }
    if texts["referer"]:
        texts["referer"] = secrets.text(texts["referer"])
    elif b"referer" in found:
        texts["referer"] = ""  # an empty one is one
    faults: list[Fault] = []
    # a byte that cannot be decoded becomes three letters; and what is encoded anew without its secrets becomes longer
    if max(3 * len(headers), len(texts["referer"] or "")) > max_field:
        for name, sent in texts.items():
            if sent and len(sent) > max_field:
                if name in _NEEDED:
                    faults.append(too_long(name.replace("_", "-"), sent, max_field))
                else:
                    texts[name] = None
    dnt, gpc = (found.get(header) == b"1" for header in (b"dnt", b"sec-gpc"))
    return Head(**texts, dnt=dnt, gpc=gpc, lines=headers, faults=tuple(faults))


def referring_page(referer: str | None, kept_query: frozenset[str]) -> Page:
    """The page, as the Referer tells it.

    A Referer that ends behind its origin may have been cut there by the browser
    (Referrer-Policy): the path is unknown.
    """
    if not referer:
        return NO_PAGE
    page = read_page(referer, kept_query)
    return page._replace(path=None) if page.path == "/" and "?" not in referer else page
