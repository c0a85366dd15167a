"""What decides how a hit is judged, besides the hit and the facts. Made once from the settings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import pyarrow as pa

from pixelake.dialects.base import Dialect
from pixelake.settings import Settings
from pixelake.transform.enrich.own import Own, own_fields
from pixelake.transform.enrich.table import Enricher, built_in
from pixelake.transform.redact import Redactor
from pixelake.transform.schemas import Schemas
from pixelake.warehouse.schema import EVENTS, events_schema


def _stay() -> None:
    """Of enrichers that read nothing."""


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
        sites_closed: whether a site that nobody declared makes a hit a reject.
        schemas: the user's own rules for events, by name.
        enrichers: in the order they run.
        own: the user's, behind them.
        schema: of the events.
        refresh: to be called between batches: lets an enricher see what changed on the disk.
    """

    dialects: Mapping[bytes, Dialect]
    fallback: Dialect
    secrets: Redactor
    kept_query: frozenset[str]
    max_field: int
    do_not_track: str
    default_zone: str
    sites_closed: bool
    schemas: Schemas
    enrichers: Sequence[Enricher]
    own: Sequence[Own] = ()
    schema: pa.Schema = EVENTS
    refresh: Callable[[], None] = _stay

    def dialect(self, target: bytes) -> Dialect:
        """The dialect a target is written in."""
        return self.dialects.get(target.partition(b"?")[0], self.fallback)


class Known(NamedTuple):
    """What was read from the disk, once, for rules to use."""

    schemas: Schemas = Schemas()
    enrichers: Sequence[Enricher] = ()
    own: Sequence[Own] = ()
    refresh: Callable[[], None] = _stay


NOTHING: Final = Known()


def make_rules(settings: Settings, dialects: Sequence[Dialect], known: Known = NOTHING) -> Rules:
    """The rules of these settings. The first dialect is the native one, the fallback."""
    return Rules(
        dialects={route.path: dialect for dialect in reversed(dialects) for route in dialect.routes},
        fallback=dialects[0],
        secrets=Redactor(settings.secret_parameters),
        kept_query=frozenset(settings.kept_query),
        max_field=settings.max_field,
        do_not_track=settings.do_not_track,
        default_zone=settings.default_zone,
        sites_closed=settings.sites == "closed",
        schemas=known.schemas,
        enrichers=known.enrichers or built_in(),
        own=known.own,
        schema=events_schema(own_fields(known.own)),
        refresh=known.refresh,
    )
