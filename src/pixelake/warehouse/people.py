"""Which events are people's, wherever Arrow counts. The questions in ``sql/`` say the same in SQL."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def of_people(events: pa.Table) -> Any:
    """Whether each event is a person's: no machine, no repeat, no HEAD."""
    machine = pc.or_(known(events, "bot"), known(events, "duplicate"))
    return pc.and_not(pc.not_equal(events["method"], pa.scalar("HEAD")), machine)


def known(events: pa.Table, name: str) -> Any:
    """A column of booleans; false where it is not known."""
    column: Any = events[name]
    return column.fill_null(False)
