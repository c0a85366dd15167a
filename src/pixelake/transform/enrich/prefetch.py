"""What a browser says of fetching ahead -> was it fetched for a visit that may never come."""

import re
from typing import Final

_AHEAD: Final = re.compile(r"\s*(?:prefetch|preview|preload)\b", re.IGNORECASE)
_PRERENDER: Final = re.compile(r"\s*(?:prefetch\s*;\s*)?prerender\b", re.IGNORECASE)


def prefetch(
    sec_purpose: str | None, purpose: str | None, x_purpose: str | None, x_moz: str | None
) -> tuple[bool | None]:
    """True, False, or None where nobody can tell.

    A page that is prerendered has already fetched its image when it is shown, and
    never fetches it again: whether it is shown is unknown.

    Args:
        sec_purpose: ``prefetch`` or ``prefetch;prerender`` (https://fetch.spec.whatwg.org/#sec-purpose-header,
            https://wicg.github.io/nav-speculation/prerendering.html), with more behind it, such as
            ``;anonymous-client-ip``.
        purpose: the same of older Chromes, and of its ``<link rel=prefetch>``.
        x_purpose: ``preview``, of older Safaris that show pages as small pictures.
        x_moz: ``prefetch``, of Firefox before 115.
    """
    said = [text for text in (sec_purpose, purpose, x_purpose, x_moz) if text]
    if any(_PRERENDER.match(text) for text in said):
        return (None,)
    return (any(_AHEAD.match(text) for text in said),)
