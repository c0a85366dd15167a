"""The tag that people paste into a page, an e-mail or an AMP document."""

from html import escape
from typing import Final
from urllib.parse import urlencode

from pixelake.transform.validate import validate

KINDS: Final = ("page", "email", "amp", "badge")
"""What a tag can be for."""


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
    in Markdown.
    """
    path = "badge.svg" if kind == "badge" else "pixel.gif"
    source = escape(f"{url.rstrip('/')}/{path}?{urlencode({'site': site})}", quote=True)
    if kind == "badge":
        return f'<img src="{source}" alt="views">'
    if kind == "amp":
        return f'<amp-pixel src="{source}" layout="nodisplay"></amp-pixel>'
    if kind == "email":
        return f'<img src="{source}" alt="" width="1" height="1" border="0" style="display:block">'
    return (
        f'<img src="{source}" alt="" loading="eager" referrerpolicy="no-referrer-when-downgrade" width="1" height="1">'
    )
