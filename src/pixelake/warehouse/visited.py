"""Visits made of events, without the events: what most questions about visits read.

The relation ``visits`` of `pixelake.warehouse.trail`, which says what a visit
is; but only with the columns that are asked for, so that only what these need
is read and carried. A trail knows each event's visit, which takes twice as long.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pixelake.warehouse.pieces import with_ctes
from pixelake.warehouse.trail import (
    IS_NEW,
    ORIGIN,
    PAGE,
    STEPS_OF,
    VISIT,
    WHO_WAS,
    Scope,
    first_of,
    joined,
    source,
    within,
)

_WALKED: Final = ("received_at", "site", "user_id", "visitor_id", "visitor_before")
"""The least of them: what tells visits apart."""
_MADE_OF: Final = {
    "visit_at": (),
    "visit_us": (),
    "visit_hits": (),
    "visit_views": ("event",),
    "entry": ("event", "host", "path", "hit_id"),
    "exit": ("event", "host", "path", "hit_id"),
    "entry_event": ("event", "hit_id"),
    **{f"entry_{name}": (name, "hit_id") for name in ORIGIN},
    "entry_referrer_host": ("referrer_host", "host", "hit_id"),
}
"""Columns of a visit -> what else they are made of."""


def _summed() -> dict[str, str]:
    """Columns of a visit -> SQL over its events: with ``is_new`` for its first, and ``step`` in order of time."""
    page = "filter (event = 'pageview' and path is not null)"
    origins = {f"entry_{name}": f"max({first_of(name)}) filter (is_new)" for name in ORIGIN}
    return {
        "visit_at": "min(received_at)",
        "visit_us": "epoch_us(max(received_at)) - epoch_us(min(received_at))",
        "visit_hits": "count(*)",
        "visit_views": "count(*) filter (event = 'pageview')",
        "entry": f"arg_min({PAGE}, step) {page}",
        "exit": f"arg_max({PAGE}, step) {page}",
        "entry_event": "max(event) filter (is_new)",
        **origins,
    }


def visits(scope: Scope, start: datetime, end: datetime, passing: str, wanted: Iterable[str]) -> str:
    """SQL: the relation ``visits`` of a scope, made of its events; see `trail` for all that may be known of them.

    Args:
        scope: of whole days.
        start: of the period.
        end: of the period.
        passing: SQL: does an event pass the filter?
        wanted: those of `VISIT` that are needed: the fewer, the less is read.
    """
    names = [name for name in VISIT if name in wanted or name == "visit_at"]
    more = [column for name in names for column in _MADE_OF[name]]
    is_ordered = "hit_id" in more
    order, step = ("received_at, hit_id", ", row_number() over steps as step") if is_ordered else ("received_at", "")
    sums = _summed()
    carried = ", ".join(["site", "local_day", "person", "received_at", "part", "passes", *dict.fromkeys(more)])
    ctes = {
        "source": source(scope, [*_WALKED, *more], {"passes": f"coalesce({passing}, false)"}),
        **WHO_WAS,
        "joined": joined(scope, "counted and person is not null"),
        "spaced": f"select {carried}, {IS_NEW} as is_new{step} from joined window steps as ({STEPS_OF} {order})",  # noqa: S608
        "walked": f"select *, sum(cast(is_new as integer)) over ({STEPS_OF} received_at) as visit from spaced",  # noqa: S608
    }
    return f"""with {with_ctes(ctes)}
select site, local_day, person, visit, {", ".join(f"{sums[name]} as {name}" for name in names)}
from walked
group by site, local_day, person, visit
having max(part) filter (is_new) = 0 and bool_or(passes) and {within("min(received_at)", start, end)}"""  # noqa: S608
