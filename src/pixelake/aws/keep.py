"""The function that a schedule calls: it keeps the lake small, and destroys salts in time. Its handler is `handler`.

What `serve` does beside its consumer (`pixelake.operate.maintain`): files of
closed hours become one, roll-ups are made, what is too old leaves, replaced
files are swept, salts of past days are destroyed. One call does what is due by
then; every five minutes is often enough. Two at once do no harm.

It is set as `pixelake.aws.consume` is.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pixelake.aws.complain import reported
from pixelake.build import functions, keeping
from pixelake.clock import SYSTEM
from pixelake.errors import WarehouseError
from pixelake.operate import keeper, maintain
from pixelake.operate.maintain import House
from pixelake.telemetry import log_to_stderr


@cache
def _house() -> House:
    log_to_stderr("info")
    return keeping.house(functions.settings())


def handler(event: object, context: object) -> Mapping[str, Any]:  # noqa: ARG001 - Lambda gives them
    """Do what is due; the answer names it. Raises if one of it failed: it is in the log, and due again."""
    with reported("the lake is not maintained"):
        house, began = _house(), SYSTEM.now()
        for task in maintain.due(house):
            if not task.is_heavy:
                keeper.log(maintain.perform(house, task))
        keeper.run_heavy(house)
        ran = {name: task for name, task in house.registry.tasks().items() if task.started >= began}
        if failed := sorted(name for name, task in ran.items() if task.error):
            what = ", ".join(failed)
            raise WarehouseError(f"not all is maintained: {what}", "the lines before say why; it is due again")
        return {"done": sorted(ran)}
