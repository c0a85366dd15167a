"""Single hits by their names, for the dashboard: an event, a reject, and a reject judged anew."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pixelake.operate import rejects
from pixelake.warehouse import single
from pixelake.warehouse.single import Asking

if TYPE_CHECKING:
    from pixelake.operate.replay import Report  # it loads all that judges, which nobody else here needs


class Hits:
    """Any number of threads.

    Args:
        lake: where they are.
        judge: judges the reject of a name anew, by today's settings.
    """

    def __init__(self, lake: Asking, judge: "Callable[[str], Report]") -> None:
        self._lake, self._judge = lake, judge
        self._one = threading.Lock()

    def event(self, hit_id: str, site: str | None = None, at: datetime | None = None) -> dict[str, Any] | None:
        """See `pixelake.warehouse.single.event`."""
        return single.event(self._lake, hit_id, site, at)

    def reject(self, hit_id: str) -> dict[str, Any] | None:
        """See `pixelake.operate.rejects.find`."""
        return next(iter(rejects.find(self._lake, hit_id)), None)

    def replay(self, hit_id: str) -> dict[str, Any]:
        """Judge it anew, one at a time: rules and enrichers are loaded for each, as they are now.

        Raises:
            PixelakeError: the lake, the registry or the store of event ids cannot be used now.
        """
        with self._one:
            return self._judge(hit_id).as_dict()
