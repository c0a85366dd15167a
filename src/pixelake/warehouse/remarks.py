"""What is said beside an answer: why a column has no value, or what its value leaves open."""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_NAMELESS: Final = "who opened is not known of every open: each needs a user_id, or the property `recipient`"
UNKNOWN: Final[Mapping[tuple[str, str], str]] = {
    ("ads", "rendered"): "no tag says, with the property `rendered`, whether an ad began to render",
    ("mails", "unique_opens"): _NAMELESS,
    (
        "mails",
        "unique_clicks",
    ): "who clicked is not known of every click: each needs a user_id, or the property `recipient`",
    ("mails", "opened_and_clicked"): "who opened and clicked is not known of all: see unique_opens and unique_clicks",
    ("mails", "click_to_open"): "nobody opened, or who opened and clicked is not known of all: see unique_opens",
}
"""(question, column) -> why there is a row in which it has no value."""
OPEN: Final[Mapping[tuple[str, str], str]] = {
    ("ads", "unknowable"): (
        "some who converted have no user_id: nobody knows of their ads on other days, and `conversions` lack them"
    ),
}
"""(question, column) -> what it leaves open where it is not 0."""


def remarks(question: str, table: pa.Table) -> dict[str, str]:
    """Column -> what is to be said of it, if there is something."""
    found = {name: why for (asked, name), why in UNKNOWN.items() if asked == question and table[name].null_count}
    return found | {name: why for (asked, name), why in OPEN.items() if asked == question and _is_there(table[name])}


def _is_there(column: "pa.ChunkedArray[pa.Scalar[pa.DataType]]") -> bool:
    """Whether it is anything but 0 in any row."""
    return bool(pc.any(pc.not_equal(column, pa.scalar(0))).as_py())
