"""What a site is called: by name, or by the host of its pages. The collector's limits and the lake agree on it."""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from pixelake.dialects.text import text

DEFAULT: Final = "default"
"""The site of what names none."""

_URL: Final = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?", re.DOTALL)
"""The regular expression of RFC 3986, appendix B: it matches every text. A third of the time of `urlsplit`."""
_ENCODED: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}%(?:25)*3[Aa](?:%(?:25)*2[Ff]|/)")
_TOO_OFTEN: Final = 4
_BARE_HOST: Final = re.compile(r"[\w-]+(\.[\w-]+)+(:\d+)?([/?#]|$)")
_AUTHORITY: Final = re.compile(r"(?:\[([0-9a-f.:]{2,45})\]|([\w.-]{1,253}))(?::\d*)?")
_NAME: Final = re.compile(r"[\w.:-]{1,253}")


class Url(NamedTuple):
    """The parts of a url.

    Attributes:
        scheme: without its colon; empty if there is none.
        place: host and port, without user.
        path: what is before the query.
        query: without its question mark; empty if there is none.
    """

    scheme: str
    place: str
    path: str
    query: str

    @property
    def host(self) -> str | None:
        """In lower case, without port; None if there is none, or one that no host can have."""
        found = _AUTHORITY.fullmatch(self.place.lower())
        return found[1] or found[2] if found else None


def read_url(url: str) -> Url:
    """The parts of any text, also of a host without scheme; the fragment is left out.

    One that a page encoded once too often (``https%3A%2F%2F``) is decoded: else its query were a part of its path.
    """
    for _ in range(_TOO_OFTEN):
        if not _ENCODED.match(url):
            break
        url = text(unquote_to_bytes(url))
    found = _URL.match("//" + url if _BARE_HOST.match(url) else url)
    scheme, authority, path, query = found.groups() if found else (None, None, url, None)
    return Url(scheme or "", (authority or "").rpartition("@")[2], path, query or "")


def site_name(sent: str) -> str | None:
    """A name as it is compared; None if it is neither a host name nor a slug."""
    site = sent.strip().lower()
    return site if _NAME.fullmatch(site) else None
