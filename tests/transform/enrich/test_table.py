"""The table of enrichers."""

from pixelake.transform.decode import COLUMNS
from pixelake.transform.enrich.table import ENRICHERS, Columns, Enricher, enrich


def test_once_for_each_distinct_input() -> None:
    """A thousand rows with two inputs are two calls, and the rows stay in order."""
    calls = []

    def double(value: int) -> tuple[int]:
        calls.append(value)
        return (2 * value,)

    columns: Columns = {"a": [1, 2] * 500}
    enrich(columns, Enricher("double", ("a",), ("b",), double))
    assert columns["b"] == (2, 4) * 500
    assert calls == [1, 2]


def test_every_input_is_there_in_time() -> None:
    """Each enricher's inputs are columns of a decoded hit, of the facts, or of an earlier enricher."""
    known = {*COLUMNS, "salt", "salt_before"}
    for enricher in ENRICHERS:
        assert known.issuperset(enricher.inputs), enricher.name
        known.update(enricher.outputs)
