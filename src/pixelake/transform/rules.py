"""What decides how a hit is judged, besides the hit and the facts. Made once from the settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pixelake.dialects.base import Dialect
from pixelake.settings import Settings
from pixelake.transform.redact import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The part of the settings that judging a hit depends on.

    Attributes:
        dialects: path -> the dialect that has the route.
        fallback: the dialect of every other path (``/`` with a query).
        secrets: takes out what never reaches the disk.
        kept_query: query names of a page's url and referrer that are kept.
        max_field: characters; a longer field makes its element a reject.
        do_not_track: ``ignore``, ``anonymous`` or ``withhold``.
        default_zone: the IANA zone of a site that the registry does not know.
    """

    dialects: Mapping[bytes, Dialect]
    fallback: Dialect
    secrets: Redactor
    kept_query: frozenset[str]
    max_field: int
    do_not_track: str
    default_zone: str

    def dialect(self, target: bytes) -> Dialect:
        """The dialect a target is written in."""
        return self.dialects.get(target.partition(b"?")[0], self.fallback)


def make_rules(settings: Settings, dialects: Sequence[Dialect]) -> Rules:
    """The rules of these settings. The first dialect is the native one, the fallback."""
    return Rules(
        dialects={route.path: dialect for dialect in reversed(dialects) for route in dialect.routes},
        fallback=dialects[0],
        secrets=Redactor(settings.secret_parameters),
        kept_query=frozenset(settings.kept_query),
        max_field=settings.max_field,
        do_not_track=settings.do_not_track,
        default_zone=settings.default_zone,
    )
