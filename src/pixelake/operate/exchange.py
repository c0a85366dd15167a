"""Hits judged anew against the rows that they have: which of these go, and what comes in their place. Pure.

Rows are told apart by name. A row that the lake does not have now does not come:
it was withheld, erased or purged, or has expired. All elements of a hit come
that was one reject as a whole.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.stream.base import Position
from pixelake.transform.raw import read, see_json
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.standing import Rows
from pixelake.warehouse.swap import Exchange

WHOLE: Final = frozenset({"body_unreadable", "body_too_large", "too_many", "poison"})
"""Reasons for which all elements of a hit were one reject, unless the first is refused for it still."""
VISITOR: Final = ("visitor_id", "visitor_before")
_SAME_ID: Final = ("site", "event_id")
_FOLDERS: Final = frozenset({"year", "month", "day", "hour"})
"""They follow from when the hit was received, which never changes."""


@dataclass(slots=True)
class Tally:
    """What became of the rows that were looked at. All that is not counted below is as it was.

    Attributes:
        looked_at: rows of hits that were judged anew.
        changed: those whose columns are others now, in the same table.
        became_events: rejects that are events now.
        became_rejects: events that are rejects now.
        withheld_now: those that policy keeps nothing of now.
        merged: elements of a hit that is one reject as a whole now.
        added: rows more: elements of a hit that was one reject as a whole.
        other_site: rows of another site than the one that was wanted; they stay as they are.
        wanted: events of that site that were looked at; all rows if none was named.
    """

    looked_at: int = 0
    changed: int = 0
    became_events: int = 0
    became_rejects: int = 0
    withheld_now: int = 0
    merged: int = 0
    added: int = 0
    other_site: int = 0
    wanted: int = 0


class About(NamedTuple):
    """What has to be known of hits beside their rows.

    Attributes:
        site: only hits with an event of this site, now or then; None: all.
        names: position -> the name of a hit.
        objects: position -> whether the client objects to being tracked.
        is_anonymous: whether such a hit of that site, received then (µs UTC), is anonymous today.
    """

    site: str | None
    names: Mapping[Position, str]
    objects: Callable[[Position], bool]
    is_anonymous: Callable[[str, int], bool]


class _Hit(NamedTuple):
    """A hit whose rows have other names than before.

    Attributes:
        come: names of those that stand there from now on.
        withheld: outcomes that are withheld now.
        hidden: rows of which nothing is kept for it.
        merged: rows that are one reject now.
        added: outcomes more.
    """

    come: frozenset[str]
    withheld: int
    hidden: int
    merged: int
    added: int


def exchange(old: Rows, new: Outcome, about: About, tally: Tally) -> Exchange:
    """What is to be done for the hits of `about`; what is empty changes nothing.

    Args:
        old: all rows that they have now.
        new: what they are today; of one partition.
        about: the hits.
        tally: is added to.
    """
    (partition,) = new.positions
    judged = _places(about.names)
    old = _each(old, lambda rows: _of(rows, judged))
    now = _each(Rows(new.events, new.rejects), lambda rows: _of(rows, judged))
    tally.looked_at += _count(old)
    tally.wanted += _count(old) if about.site is None else _at(old.events, about.site).num_rows
    found = _renamed(old, now, Counter(_list(new.withheld, "position")), about)
    others = set() if about.site is None else set(about.names) - _of_site(old, now, about.site)
    tally.other_site += _count(_each(old, lambda rows: _of(rows, _places(others))))
    stays = others | {at for at, hit in found.items() if hit is None}
    hits = {at: hit for at, hit in found.items() if hit is not None and at not in stays}
    old, now = (_each(each, lambda rows: _without(rows, stays)) for each in (old, now))
    now = _settled(old, _only(now, hits), about)
    changed = _places(_changed(old, now) | {at for at, hit in hits.items() if hit.hidden or hit.merged or hit.added})
    gone, come = (_each(each, lambda rows: _of(rows, changed)) for each in (old, now))
    _tell(tally, gone, come, hits.values())
    return Exchange(partition, gone, _with_columns(come, gone), sum(hit.withheld for hit in hits.values()))


def _each(rows: Rows, do: Callable[[pa.Table], pa.Table]) -> Rows:
    return Rows(do(rows.events), do(rows.rejects))


def _renamed(old: Rows, now: Rows, withheld: Mapping[Position, int], about: About) -> dict[Position, _Hit | None]:
    """The hits that have rows of other names than before."""
    was, says = _names(old), _names(now)
    apart = {was[name][0] for name in was.keys() - says.keys()} | {says[name][0] for name in says.keys() - was.keys()}
    if not apart:
        return {}
    stood, stand = _by_place(was, apart), _by_place(says, apart)
    return {
        at: _hit(about.names[at], stood.get(at, {}), stand.get(at, {}), withheld.get(at, 0)) for at in sorted(apart)
    }


def _hit(name: str, was: Mapping[str, str | None], says: Mapping[str, str | None], withheld: int) -> _Hit | None:
    """What becomes of one: names of rows -> the reason if they are rejects."""
    reason = was.get(name)
    if was.keys() == {name} and reason in WHOLE and says.get(name) != reason:
        return _Hit(frozenset(says), withheld, int(name not in says), 0, len(says) + withheld - 1)
    elements = islice(_elements(name), len(says) + withheld)
    hidden = was.keys() & (set(elements) - says.keys())
    nameless = was.keys() - says.keys() - hidden
    if nameless and name not in was:
        return None  # it is one reject as a whole now, and the name of that has left the lake
    return _Hit(frozenset(says.keys() & was.keys()), len(hidden), len(hidden), len(nameless), 0)


def _elements(name: str) -> Iterable[str]:
    """The names of a hit's elements."""
    yield name
    yield from (f"{name}.{index}" for index in count(1))


def _names(rows: Rows) -> dict[str, tuple[Position, str | None]]:
    """Name of a row -> its position, and the reason of a reject."""
    events = zip(_list(rows.events, "hit_id"), _list(rows.events, "position"), strict=True)
    found: dict[str, tuple[Position, str | None]] = {name: (at, None) for name, at in events}
    told = (_list(rows.rejects, name) for name in ("hit_id", "position", "reason"))
    return found | {name: (at, reason) for name, at, reason in zip(*told, strict=True)}


def _by_place(
    names: Mapping[str, tuple[Position, str | None]], wanted: set[Position]
) -> dict[Position, dict[str, Any]]:
    found: dict[Position, dict[str, Any]] = {}
    for name, (at, reason) in names.items():
        if at in wanted:
            found.setdefault(at, {})[name] = reason
    return found


def _of_site(old: Rows, now: Rows, site: str) -> set[Position]:
    """The hits with an event of a site, then or today."""
    return {at for rows in (old.events, now.events) for at in _list(_at(rows, site), "position")}


def _at(events: pa.Table, site: str) -> pa.Table:
    return events.filter(pc.equal(events["site"], pa.scalar(site)))


def _only(now: Rows, hits: Mapping[Position, _Hit]) -> Rows:
    """Without the rows that have left the lake; the first of the rejects that are left has the raw hit."""
    here = _places(hits)
    left = pa.array([name for hit in hits.values() for name in hit.come], pa.string())
    kept = []
    for rows in now:
        is_other: Any = pc.invert(pc.is_in(rows["position"], value_set=here))
        kept.append(rows.filter(pc.or_(is_other, pc.is_in(rows["hit_id"], value_set=left))))
    return Rows(kept[0], _inherited(now.rejects, kept[1]))


def _inherited(all_rejects: pa.Table, kept: pa.Table) -> pa.Table:
    """Rejects that name one which does not come: the first of a hit has the raw hit instead, and the others name it."""
    if kept.num_rows == all_rejects.num_rows:
        return kept
    raws = dict(zip(_list(all_rejects, "hit_id"), _list(all_rejects, "raw"), strict=True))
    there = set(_list(kept, "hit_id"))
    heirs: dict[str, str] = {}
    texts = []
    for name, raw in zip(_list(kept, "hit_id"), _list(kept, "raw"), strict=True):
        see = read(raw).see
        if not see or see in there or see not in raws:
            texts.append(raw)
        elif see in heirs:
            texts.append(see_json(heirs[see]))
        else:
            heirs[see] = name
            texts.append(raws[see])
    return _put(kept, "raw", pa.array(texts, pa.string()))


def _settled(old: Rows, now: Rows, about: About) -> Rows:
    """What does not follow from the rules stays as it was: visitors whose salts are gone, and who owns an event id."""
    events, rejects = (_with_visitors(old, rows, about) for rows in now)
    return Rows(_with_owners(old.events, events), rejects)


def _with_visitors(old: Rows, rows: pa.Table, about: About) -> pa.Table:
    """A visitor that cannot be told any more, though the hit is not anonymous, is the one that was told."""
    before = pa.concat_tables([_visitors(each) for each in old])
    at: Any = pc.index_in(rows["hit_id"], value_set=before["hit_id"].combine_chunks())
    was, was_before = (before[name].take(at) for name in VISITOR)
    unknown: Any = pc.and_(pc.is_null(rows["visitor_id"]), pc.is_valid(was))
    lost = pc.and_(unknown, pc.invert(_anonymous(rows, unknown, about)))
    told: Any = pc.if_else(lost, was, rows["visitor_id"])
    if "visitor_before" in rows.column_names:
        equal: Any = pc.equal(told, was)
        same: Any = pc.fill_null(equal, False)
        found: Any = rows["visitor_before"]
        rows = _put(rows, "visitor_before", pc.if_else(same, pc.coalesce(found, was_before), found))
    return _put(rows, "visitor_id", told)


def _visitors(rows: pa.Table) -> pa.Table:
    """The visitors of rows by name."""
    if "visitor_before" not in rows.column_names:
        rows = rows.append_column("visitor_before", pa.nulls(rows.num_rows, pa.string()))
    return rows.select(["hit_id", *VISITOR])


def _anonymous(rows: pa.Table, wanted: Any, about: About) -> Any:
    """For each of the wanted rows whether it is anonymous today. Of a reject nobody knows the site: then it is."""
    found = [False] * rows.num_rows
    places: Any = pc.indices_nonzero(wanted).to_pylist()
    for at in places:
        if about.objects(rows["position"][at].as_py()):
            received: Any = rows["received_at"][at]
            found[at] = "site" not in rows.column_names or about.is_anonymous(rows["site"][at].as_py(), received.value)
    return pa.array(found, pa.bool_())


def _with_owners(old: pa.Table, rows: pa.Table) -> pa.Table:
    """Whether an event is a repeat was told once, by who claimed its id first; that stays as long as it has that id."""
    at: Any = pc.index_in(rows["hit_id"], value_set=old["hit_id"].combine_chunks())
    equal: list[Any] = [pc.equal(rows[name], old[name].take(at)) for name in _SAME_ID]
    same: Any = pc.fill_null(pc.and_(*equal), False)
    was: Any = old["duplicate"].take(at)
    return _put(rows, "duplicate", pc.if_else(pc.and_(same, pc.is_valid(was)), was, rows["duplicate"]))


def _changed(old: Rows, now: Rows) -> set[Position]:
    """The hits that have a row which is another than before."""
    return _differing(old.events, now.events) | _differing(old.rejects, now.rejects)


def _differing(old: pa.Table, now: pa.Table) -> set[Position]:
    """The positions of rows of one table that are not in the other one, or have another value in a column of both."""
    there: Any = pc.is_in(old["hit_id"], value_set=now["hit_id"].combine_chunks())
    found = set(_list(old.filter(pc.invert(there)), "position"))
    return found | set(_list(now.filter(_differs(old, now)), "position"))


def _differs(old: pa.Table, now: pa.Table) -> Any:
    """For each of the new rows whether there was none of its name, or one with another value in a column of both."""
    at: Any = pc.index_in(now["hit_id"], value_set=old["hit_id"].combine_chunks())
    differs: Any = pc.is_null(at)
    was = old.take(at)
    for name in now.column_names:
        if name in old.column_names and name not in _FOLDERS:
            differs = pc.or_(differs, _unequal(now[name], was[name]))
    return differs


def _unequal(one: Any, other: Any) -> Any:
    """For each value whether it is another one; null is one."""
    one, other = one.combine_chunks(), other.combine_chunks().cast(one.type)
    if one.equals(other):
        return pa.repeat(pa.scalar(False), len(one))
    if pa.types.is_nested(one.type):
        pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
        return pa.array([first != second for first, second in pairs], pa.bool_())
    return pc.or_(pc.fill_null(pc.not_equal(one, other), False), pc.xor(pc.is_null(one), pc.is_null(other)))


def _with_columns(come: Rows, gone: Rows) -> Rows:
    """Events keep what stands in columns that we do not judge: somebody else's."""
    others = [name for name in gone.events.column_names if name not in come.events.column_names]
    events, at = come.events, None
    for name in others:
        if at is None:
            at = pc.index_in(events["hit_id"], value_set=gone.events["hit_id"].combine_chunks())
        events = events.append_column(gone.events.schema.field(name), gone.events[name].take(at))
    return Rows(events, come.rejects)


def _tell(tally: Tally, gone: Rows, come: Rows, hits: Iterable[_Hit]) -> None:
    """Count what became of the rows."""
    for hit in hits:
        tally.withheld_now += hit.hidden
        tally.merged += hit.merged
        tally.added += hit.added
    tally.became_events += _shared(gone.rejects, come.events)
    tally.became_rejects += _shared(gone.events, come.rejects)
    for one, other in zip(gone, come, strict=True):
        known: Any = pc.is_in(other["hit_id"], value_set=one["hit_id"].combine_chunks())
        both = other.filter(known)
        tally.changed += pc.sum(_differs(one, both)).as_py() or 0


def _shared(one: pa.Table, other: pa.Table) -> int:
    """How many names are in both."""
    found: Any = pc.is_in(one["hit_id"], value_set=other["hit_id"].combine_chunks())
    return int(pc.sum(found).as_py() or 0)


def _put(rows: pa.Table, name: str, values: Any) -> pa.Table:
    at = rows.column_names.index(name)
    return rows.set_column(at, rows.schema.field(at), values)


def _of(rows: pa.Table, places: Any) -> pa.Table:
    """The rows of hits at these positions."""
    here: Any = pc.is_in(rows["position"], value_set=places)
    return rows if pc.all(here).as_py() else rows.filter(here)


def _without(rows: pa.Table, places: set[Position]) -> pa.Table:
    """The rows of all other hits."""
    return rows.filter(pc.invert(pc.is_in(rows["position"], value_set=_places(places)))) if places else rows


def _places(positions: Iterable[Position]) -> Any:
    return pa.array(list(positions), pa.int64())


def _list(rows: pa.Table, name: str) -> list[Any]:
    found: Any = rows[name].to_pylist()
    return list(found)


def _count(rows: Rows) -> int:
    return sum(each.num_rows for each in rows)
