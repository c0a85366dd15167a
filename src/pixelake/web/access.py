"""Who asks: what that one may see and change, and by which name it is counted."""

from collections.abc import Collection
from typing import Final, NamedTuple

from starlette.requests import HTTPConnection

from pixelake.errors import QueryError

KEY: Final = "pixelake.access"
"""In a request's scope."""
OWNER: Final = "owner"
VIEWER: Final = "viewer"
SHARE: Final = "share"
TOKEN: Final = "token"  # noqa: S105 a role
OTHERS: Final = "an owner can give you more: `pixelake users`, or another token of `pixelake keys`"


class Access(NamedTuple):
    """Somebody who may look.

    Attributes:
        caller: by which it is told apart from others who ask.
        sites: the only ones it may see; None: all.
        role: `OWNER`, who may change things; `VIEWER`; `SHARE`, who has a shared link; `TOKEN`, a program.
        name: of the user, the link or the token; empty: whoever holds the access token.
    """

    caller: str
    sites: frozenset[str] | None = None
    role: str = OWNER
    name: str = ""


class Forbidden(Exception):
    """Who asks may not.

    Attributes:
        parameter: that asks for more; empty: the route itself does.
        hint: what to do about it.
    """

    def __init__(self, message: str, parameter: str = "", hint: str = OTHERS) -> None:
        super().__init__(message)
        self.parameter, self.hint = parameter, hint


def access_of(request: HTTPConnection) -> Access:
    """Who asks, as `pixelake.web.auth.Guard` has found."""
    found: Access = request.scope[KEY]
    return found


def site_of(request: HTTPConnection, wanted: str | None) -> str | None:
    """The only site that is looked at: the one that is wanted, or the only one that may be; None: all.

    Raises:
        Forbidden: that is another one.
        QueryError: it may be one of several, and none is named.
    """
    own = access_of(request).sites
    if own is None:
        return wanted
    if wanted is None and len(own) == 1:
        return next(iter(own))
    if wanted is None:
        raise QueryError("site: you see several, but not all", f"name one of {_named(own)}")
    if wanted not in own:
        raise Forbidden(f"site: you may see {_named(own)} alone, not {wanted!r}", "site")
    return wanted


def check_known(request: HTTPConnection, sites: Collection[str] | None, wanted: str | None = None) -> None:
    """Whether the site of who sees only some is there; tells that one nothing of the others.

    Args:
        request: who asks.
        sites: that there are; None: nobody knows.
        wanted: the site that is asked for.

    Raises:
        QueryError: it is not.
    """
    own = access_of(request).sites
    if own is None or sites is None:
        return
    site = site_of(request, wanted)
    if site not in sites:
        raise QueryError(f"site: there is no site {site!r}", "it becomes one with its first hit")


def check_all(request: HTTPConnection) -> None:
    """Only for who may see all sites.

    Raises:
        Forbidden: this one may not.
    """
    own = access_of(request).sites
    if own is not None:
        raise Forbidden(f"this is of all sites together, and you may see {_named(own)} alone")


def check_owner(request: HTTPConnection) -> None:
    """Only for owners: what changes something, or tells who may look.

    Raises:
        Forbidden: this one is none.
    """
    if access_of(request).role != OWNER:
        raise Forbidden("only an owner may do this", hint="log in as one, or open the address that `serve` prints")


def _named(sites: Collection[str]) -> str:
    first = sorted(sites)[:5]
    return ", ".join(map(repr, first)) + (", ..." if len(sites) > len(first) else "")
