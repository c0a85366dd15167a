"""Who asks: what that one may see, and by which name it is counted."""

from collections.abc import Collection
from typing import NamedTuple

from starlette.requests import HTTPConnection

from pixelake.errors import QueryError

KEY = "pixelake.access"
"""In a request's scope."""


class Access(NamedTuple):
    """Somebody who may look.

    Attributes:
        caller: by which it is told apart from others who ask.
        site: the only one it may see; None: all.
    """

    caller: str
    site: str | None = None


class Forbidden(Exception):
    """Its token does not reach so far.

    Attributes:
        parameter: that asks for more; empty: the route itself does.
    """

    def __init__(self, message: str, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


def access_of(request: HTTPConnection) -> Access:
    """Who asks, as `pixelake.web.auth.Guard` has found."""
    found: Access = request.scope[KEY]
    return found


def site_of(request: HTTPConnection, wanted: str | None) -> str | None:
    """The only site that is looked at: the one that is wanted, or that the token is for; None: all.

    Raises:
        Forbidden: that is another one.
    """
    own = access_of(request).site
    if own is not None and wanted not in (None, own):
        raise Forbidden(f"site: this token reads {own!r} alone, not {wanted!r}", "site")
    return own if own is not None else wanted


def check_known(request: HTTPConnection, sites: Collection[str] | None) -> None:
    """Whether the only site of who asks is there; tells that one nothing of the others.

    Raises:
        QueryError: it is not.
    """
    own = access_of(request).site
    if own is not None and sites is not None and own not in sites:
        raise QueryError(f"site: there is no site {own!r}", "it becomes one with its first hit")


def check_all(request: HTTPConnection) -> None:
    """Only for who may see all sites.

    Raises:
        Forbidden: this one may not.
    """
    own = access_of(request).site
    if own is not None:
        raise Forbidden(f"this is of all sites together, and this token reads {own!r} alone")
