"""Which events are people's."""

import pytest

from pixelake.warehouse.people import of_people
from tests.warehouse.outcomes import event, outcome

EVENTS = {
    "a person's": ({}, True),
    "one sent by POST": ({"method": "POST"}, True),
    "of nobody known": ({"bot": None, "duplicate": None}, True),
    "a machine's": ({"bot": True}, False),
    "a machine's, perhaps again": ({"bot": True, "duplicate": None}, False),
    "a repeat": ({"duplicate": True}, False),
    "a HEAD": ({"method": "HEAD", "bot": None}, False),
}


@pytest.mark.parametrize(("columns", "expected"), EVENTS.values(), ids=EVENTS.keys())
def test_of_people(columns: dict[str, object], expected: bool) -> None:
    """Machines, repeats and HEAD are not; what is not known of an event does not count against it."""
    assert of_people(outcome([event("a", 1, **columns)]).events).to_pylist() == [expected]
