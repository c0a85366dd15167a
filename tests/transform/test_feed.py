"""What waits for a sink."""

import pyarrow as pa

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


def test_small_outcomes_do_not_fill_the_memory() -> None:
    """A thousand of one row each take little more than their values, and come back in order."""
    pile = _Pile()
    before = pa.total_allocated_bytes()
    for place in range(1, 1_001):
        pile.add(outcome([event("p", place)]), place, 0.0)
    taken = pa.total_allocated_bytes() - before
    assert pile.rows == 1_000
    assert taken < 3 * pile.size + 500_000
    assert pile.oldest == 1
    whole = pile.take()
    assert whole.events["position"].to_pylist() == list(range(1, 1_001))
    assert (whole.first, whole.positions) == ({"p": 1}, {"p": 1_000})
    assert (pile.rows, pile.size, bool(pile)) == (0, 0, False)


def test_packing_keeps_gaps_and_repeats_apart() -> None:
    """However many wait: behind missing positions, and when hits come again, another write begins."""
    pile = _Pile()
    for start in (1, 101, 1):
        for place in range(start, start + 40):
            pile.add(outcome([event("p", place)]), 0, 0.0)
    found = []
    while pile:
        found.append(pile.take())
    assert [(each.first["p"], each.positions["p"]) for each in found] == [(1, 40), (101, 140), (1, 40)]
    assert [each.events.num_rows for each in found] == [40, 40, 40]
