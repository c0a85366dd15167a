"""What waits for a sink."""

from pixelake.transform.feed import _Pile
from tests.warehouse.outcomes import event, outcome


def test_a_gap_is_not_papered_over() -> None:
    """Outcomes that follow each other are one write; behind missing ones begins another, so that the sink sees it."""
    pile = _Pile()
    for first, last in [(1, 2), (3, 4), (9, 10), (11, 11)]:
        pile.add(outcome([event("p", place) for place in range(first, last + 1)]), 0, 0.0)
    pile.add(outcome([event("q", 7)]), 0, 0.0)
    one, two = pile.take(), pile.take()
    assert (one.first, one.positions) == ({"p": 1}, {"p": 4})
    assert (two.first, two.positions) == ({"p": 9, "q": 7}, {"p": 11, "q": 7})
    assert (pile.rows, bool(pile)) == (0, False)
