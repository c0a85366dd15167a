"""An enricher that kills its process for one page, as a library in C might; until it is mended."""

import os
from pathlib import Path

from pixelake.event import Field
from pixelake.transform.enrich.own import enricher


@enricher(inputs=("path",), outputs=(Field("section", "text", "", "the first folder of the path"),))
def lethal(path: str | None) -> str | None:
    """The first folder of a path."""
    if path == "/poison" and not Path(os.environ["TESTS_MENDED"]).exists():
        os._exit(1)
    return path.partition("/")[0] if path else None
