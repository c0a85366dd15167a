"""What a question has beside its file: SQL that depends on its options, and Python over its rows.

`MORE` makes relations of a question whose SQL its options write, such as the steps of a funnel: each is put
before the question's own statement, which reads them like any other. They may read the relations of
`pixelake.warehouse.trail`. Values are parameters. A question that has such relations is never counted beforehand.

`WIDER` and `AFTER` are for what SQL over the period cannot say: the rows are asked for with what the one makes of the
ask (a longer period, say), all of them, and the other makes the answer of them: for the ask as it was.
"""

from collections.abc import Callable, Mapping
from typing import Final

import pyarrow as pa

from pixelake.warehouse import ads, newest, shop, unusual
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.given import Given, More
from pixelake.warehouse.zones import Clock

MORE: Final[Mapping[str, Callable[[Given], More]]] = {
    "ads": ads.more,
    "carts": shop.carts,
    "cohorts": shop.cohorts,
    "funnel": shop.funnel,
    "goals": shop.goals,
    "newest": newest.more,
    "refused": newest.more,
    "unusual": unusual.more,
}
"""Question -> what makes more of its SQL; raises `QueryError`."""
WIDER: Final[Mapping[str, Callable[[Ask], Ask]]] = {
    "ads": ads.wider,
    "carts": shop.around,
    "cohorts": shop.always,
    "funnel": shop.later,
    "unusual": unusual.wider,
}
"""Question -> the ask of which the rows are asked for that `AFTER` takes."""
AFTER: Final[Mapping[str, Callable[[pa.Table, Ask, Clock], pa.Table]]] = {"unusual": unusual.after}
"""Question -> the answer: of the rows of its SQL, what is asked, and the wall clock (of all sites: the default one)."""
