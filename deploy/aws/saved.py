"""The questions as saved queries of Athena. Run as a file, it writes those that the stacks and Terraform take.

python deploy/aws/saved.py > deploy/aws/terraform/saved.json
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

HOME: Final = Path(__file__).parents[2]
if str(HOME) not in sys.path:
    sys.path.insert(0, str(HOME))  # it is run as a file

from pixelake.warehouse.ask import Ask  # noqa: E402 - behind what finds it
from pixelake.warehouse.clocks import Clocks  # noqa: E402
from pixelake.warehouse.elsewhere import elsewhere  # noqa: E402
from pixelake.warehouse.questions import Question, questions  # noqa: E402
from pixelake.warehouse.zones import fixed  # noqa: E402

DAYS: Final = 30
"""Of the period: the day on which a query runs is the last of them."""
TODAY: Final = datetime(2150, 7, 15, tzinfo=UTC)
"""Stands for that day while the text is made."""
SITE: Final = "your.site"
"""Stands for the site of who runs it."""
ROWS: Final = 1_000
"""Of a list: as many as one looks at."""
OF_ALL_SITES: Final = frozenset({"days", "overviews", "sites"})
"""Questions that compare sites."""
UNSAVED: Final[Mapping[str, str]] = {
    "carts": "follows a person over midnights by recursion, of which Trino makes ten steps, then fails",
    "funnel": "has no steps but the user's own",
    "goals": "counts what a site declares in the registry, which Athena does not see",
    "unusual": "is more than SQL",
}
"""Questions that are not saved, each with what it does instead."""


def asked(question: Question) -> Ask:
    """How a question is asked for its text."""
    return Ask(
        question.name,
        start=TODAY - timedelta(days=DAYS - 1),
        end=TODAY + timedelta(days=1),
        site=None if question.name in OF_ALL_SITES else SITE,
        limit=ROWS - 1 if question.kind == "list" else None,  # a row more is asked for, which tells that there are more
    )


def queries() -> Mapping[str, Mapping[str, str]]:
    """Title -> its ``description``, and its ``sql``, whose tables are ``lake.events`` and ``lake.rejects``."""
    return {name.capitalize(): _query(each) for name, each in questions().items() if name not in UNSAVED}


def _query(question: Question) -> Mapping[str, str]:
    sql = elsewhere(asked(question), Clocks(fixed("UTC"), {}), "trino", today=TODAY.date())
    period = f"The last {DAYS} days of UTC, today among them."
    todo = f"Write the name of a site instead of {SITE}." if SITE in sql else "Of all sites."
    told = [question.summary, f"{period} {todo}"]
    return {"description": " ".join(told), "sql": "".join(f"-- {line}\n" for line in told) + sql}


def text() -> str:
    """Of the file."""
    return json.dumps(queries(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
