"""The tag that people paste into a page, an e-mail or an AMP document."""

from html import escape
from typing import Final
from urllib.parse import urlencode

KINDS: Final = ("page", "email", "amp")
"""What a tag can be for."""


def snippet(url: str, site: str, kind: str = "page") -> str:
    """The tag for `site`; `url` is how the pixel is reached from outside.

    A page's tag sends the page's address as referrer where the browser's
    default would cut it down to the origin. Mail programs send none anyway,
    and load no scripts; AMP has a component of its own.
    """
    source = escape(f"{url.rstrip('/')}/pixel.gif?{urlencode({'site': site})}", quote=True)
    if kind == "amp":
        return f'<amp-pixel src="{source}" layout="nodisplay"></amp-pixel>'
    if kind == "email":
        return f'<img src="{source}" alt="" width="1" height="1" border="0" style="display:block">'
    return (
        f'<img src="{source}" alt="" loading="eager" referrerpolicy="no-referrer-when-downgrade" width="1" height="1">'
    )
