"""The table of enrichers."""

from typing import Any

from pixelake.transform.columns import Coded, Columns, indices
from pixelake.transform.decode import decode
from pixelake.transform.enrich.geo import CDNS, Geo
from pixelake.transform.enrich.table import MOST_KNOWN, Enricher, enrich, make_enrichers
from tests.judging import batch, hit, rules


def test_once_for_each_distinct_input() -> None:
    """A thousand rows with two inputs are two calls, and the rows stay in order."""
    calls = []

    def double(value: int) -> tuple[int]:
        calls.append(value)
        return (2 * value,)

    columns = Columns(1_000)
    columns.put("a", [1, 2] * 500)
    enrich(columns, Enricher("double", ("a",), ("b",), double))
    assert columns.values("b") == [2, 4] * 500
    assert calls == [1, 2]


def test_answers_are_kept_with_heads_and_bounded() -> None:
    """What is the same in each row is a part of the question; a head that comes again and again fills no memory."""
    calls = []

    def count(name: str, zone: str) -> tuple[int]:
        calls.append((name, zone))
        return (len(calls),)

    enricher, heads = Enricher("count", ("name", "zone"), ("count",), count), ["x", "y"]
    memos: list[dict[Any, Any]] = [{}, {}]

    def counted(zone: str) -> list[int]:
        columns = Columns(3)
        columns.put_parts(Coded(indices([1, 0, 1]), 2, memos), heads, {"name": str})
        columns.put_constant("zone", zone)
        enrich(columns, enricher)
        return [*columns.values("count")]

    assert [counted(zone) for zone in "aba"] == [[2, 1, 2], [4, 3, 4], [2, 1, 2]]
    assert calls == [("x", "a"), ("y", "a"), ("x", "b"), ("y", "b")]
    for number in range(5 * MOST_KNOWN):
        counted(str(number))
        assert max(map(len, memos)) <= MOST_KNOWN
    assert len(calls) == 2 * (2 + 5 * MOST_KNOWN)


def test_every_input_is_there_in_time() -> None:
    """Each enricher's inputs are columns of a decoded hit, of the facts, or of an earlier enricher."""
    known = {*decode(batch(hit()), rules()).columns.names, "salt", "salt_before", "early"}
    for enricher in make_enrichers(geo=Geo(), cdn=CDNS["cloudfront"]):
        assert known.issuperset(enricher.inputs), enricher.name
        known.update(enricher.outputs)
