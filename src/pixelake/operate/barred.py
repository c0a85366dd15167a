"""Rows that must not come, by an import or out of a queue: of people who were erased after they had been received.

The log of erasures tells whose they are (`pixelake.operate.erasures`). What
somebody sent after the erasure is not meant, and comes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.hit import Hit
from pixelake.operate import erasures
from pixelake.operate.erase_lake import rejected
from pixelake.warehouse.base import WITHHELD, Outcome
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER
from pixelake.warehouse.place import Place

Elements = Callable[[Hit], Sequence[Mapping[str, Sequence[str]]]]
_pc: Any = pc


class Barred:
    """Splits rows into those that may come and those that may not.

    Args:
        log: the folder of the log of erasures.
        key: tells the key of its hashes; asked once there are any.
        elements: the values of each element of a hit.
    """

    def __init__(self, log: Place, key: Callable[[], str], elements: Elements) -> None:
        self._log, self._key, self._elements = log, key, elements

    def split(self, table: str, rows: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Those that may come, and those that may not. The log is read anew: somebody may be erased just now.

        Args:
            table: ``events`` or ``rejects``.
            rows: of that table.

        Raises:
            BackupError: the log cannot be read: then nobody can tell.
        """
        entries = erasures.read(self._log)
        if not entries or not rows.num_rows:
            return rows, rows.slice(0, 0)
        found = self._of(table, rows, entries)
        at = _pc.indices_nonzero(found)
        if not len(at):
            return rows, rows.slice(0, 0)
        some = rows.take(at)  # few, so that each erasure can be asked for its own time
        late: Any = pa.repeat(pa.scalar(False), some.num_rows)
        for entry in entries:
            before = _pc.less(some["received_at"].cast(pa.int64()), pa.scalar(entry.at, pa.int64())).combine_chunks()
            late = _pc.or_(late, _pc.and_(before, self._of(table, some, [entry])))
        gone = at.filter(late)
        stays = _pc.invert(_pc.is_in(pa.array(range(rows.num_rows), at.type), value_set=gone))
        return rows.filter(stays), rows.take(gone)

    def bar(self, outcome: Outcome) -> Outcome:
        """The outcome, with the rows withheld that may not come. Raises as `split` does."""
        events, unseen = self.split(EVENTS_FOLDER, outcome.events)
        rejects, unread = self.split(REJECTS_FOLDER, outcome.rejects)
        if not unseen.num_rows and not unread.num_rows:
            return outcome
        gone = [rows.select(WITHHELD.names).cast(WITHHELD) for rows in (unseen, unread)]
        return replace(outcome, events=events, rejects=rejects, withheld=pa.concat_tables([outcome.withheld, *gone]))

    def _of(self, table: str, rows: pa.Table, entries: Sequence[erasures.Entry]) -> Any:
        """For each row whether it is of somebody who was erased."""
        who = erasures.Erased(entries, self._key())
        return rejected(rows, who, self._elements) if table == REJECTS_FOLDER else who.rows(rows)


class Anybody:
    """Nobody was erased."""

    def split(self, _: str, rows: pa.Table) -> tuple[pa.Table, pa.Table]:
        """All may come."""
        return rows, rows.slice(0, 0)

    def bar(self, outcome: Outcome) -> Outcome:
        """Nothing is withheld."""
        return outcome
