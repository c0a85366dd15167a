"""What the questions `newest` and `refused` have beside their files: a cursor that is none is told, not passed over."""

import re
from typing import Final

from pixelake.errors import QueryError
from pixelake.warehouse.given import Given, More

_CURSOR: Final = re.compile(r"\d{1,17}\..+", re.DOTALL)


def more(given: Given) -> More:
    """Nothing more.

    Raises:
        QueryError: the row to go on from is none.
    """
    before = given.options["before"]
    if before is not None and not _CURSOR.fullmatch(str(before)):
        raise QueryError(f"before: {str(before)[:40]!r} is no row", "the `cursor` of the last row of the page before")
    return More()
