"""Hits that have names of their own, of files that may tell of the same ones: each is in the lake once.

A hit is known if a row of it is in the lake, in the hours that the others were
received in, or stands before it. It is withheld then: its place stays, and is
counted. One that is withheld leaves no row: if it comes again it is withheld again.
"""

from itertools import chain
from operator import itemgetter
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.stream.base import Partition, Position
from pixelake.warehouse.again import Tables
from pixelake.warehouse.base import WITHHELD, Outcome
from pixelake.warehouse.bring import known

_PLACE: Final = ("hit_id", "partition", "position")


def once(tables: Tables, outcome: Outcome) -> Outcome:
    """The outcome, with those hits withheld that are known.

    Args:
        tables: refreshed, and without rejects of an outcome that was not written whole.
        outcome: of hits with a row each.

    Raises:
        LakeUnavailable: the lake cannot be read.
    """
    there = known(tables, outcome.events) | known(tables, outcome.rejects)
    names = [_named(rows) for rows in (outcome.events, outcome.rejects)]
    firsts: dict[str, tuple[Partition, Position]] = {}
    for name, partition, position in sorted(chain(*names), key=itemgetter(1, 2)):
        firsts.setdefault(name, (partition, position))
    gone = [[row[0] in there or firsts[row[0]] != row[1:] for row in each] for each in names]
    if not any(map(any, gone)):
        return outcome
    masks = [pa.array(each, pa.bool_()) for each in gone]
    told = zip((outcome.events, outcome.rejects), masks, strict=True)
    withheld = [rows.filter(mask).select(WITHHELD.names) for rows, mask in told]
    return Outcome(
        events=outcome.events.filter(pc.invert(masks[0])),
        rejects=outcome.rejects.filter(pc.invert(masks[1])),
        withheld=pa.concat_tables([outcome.withheld, *(rows.cast(WITHHELD) for rows in withheld)]),
        first=outcome.first,
        positions=outcome.positions,
    )


def _named(rows: pa.Table) -> list[tuple[str, Partition, Position]]:
    columns: Any = [rows[name].to_pylist() for name in _PLACE]
    return list(zip(*columns, strict=True))
