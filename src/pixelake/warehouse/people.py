"""Which events are people's, wherever Arrow counts. The questions in ``sql/`` say the same in SQL."""

from functools import reduce
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

MACHINES: Final = ("scanner", "prefetch-proxy")
"""Values of `proxy` that stand for nobody: behind the others there is a person."""


def of_people(events: pa.Table) -> Any:
    """Whether each event is a person's: no machine, no repeat, no HEAD, and nothing fetched before anybody looked."""
    flagged = [known(events, name) for name in ("bot", "duplicate", "prefetch")]
    scanned = pc.is_in(events["proxy"], value_set=pa.array(MACHINES))
    headless = pc.equal(events["method"], pa.scalar("HEAD"))
    return pc.invert(reduce(pc.or_, [*flagged, scanned, headless]))


def known(events: pa.Table, name: str) -> Any:
    """A column of booleans; false where it is not known."""
    column: Any = events[name]
    return column.fill_null(False)
