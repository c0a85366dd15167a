"""The tag that people paste into a page, an e-mail or an AMP document."""

from html import escape
from typing import Final
from urllib.parse import urlencode

from pixelake.transform.validate import validate

KINDS: Final = ("page", "email", "amp", "image", "noscript", "get", "badge")
"""What a tag can be for: a page, a mail, an AMP document, an editor that takes plain images alone, pages whose script
sends the hits of those who run it, whatever can ask for an address; and the image that people see."""


LONGEST_SITE: Final = 253
"""Characters, of a host name."""


def fault_of_site(site: str) -> str:
    """Why every hit of a tag for `site` would be a reject; nothing if none would."""
    if not site.strip():
        return "the name is empty"
    return "; ".join(fault.text for fault in validate({"site": [site]}, LONGEST_SITE)[2])


def snippet(url: str, site: str, kind: str = "page") -> str:
    """The tag for `site`; `url` is how the pixel is reached from outside.

    A page's tag sends the page's address as referrer where the browser's
    default would cut it down to the origin. Mail programs send none anyway,
    and load no scripts; AMP has a component of its own. A badge's tag also does
    in Markdown. What is for ``get`` is the address alone, and no HTML.
    """
    path = "badge.svg" if kind == "badge" else "pixel.gif"
    address = f"{url.rstrip('/')}/{path}?{urlencode({'site': site})}"
    return _FORMS[kind].format(address if kind == "get" else escape(address, quote=True))


_PAGE: Final = '<img src="{}" alt="" loading="eager" referrerpolicy="no-referrer-when-downgrade" width="1" height="1">'
_FORMS: Final = {
    "page": _PAGE,
    "email": '<img src="{}" alt="" width="1" height="1" border="0" style="display:block">',
    "amp": '<amp-pixel src="{}" layout="nodisplay"></amp-pixel>',
    "image": '<img src="{}" alt="">',
    "noscript": f"<noscript>{_PAGE}</noscript>",
    "get": "{}",
    "badge": '<img src="{}" alt="views">',
}
