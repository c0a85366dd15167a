"""The table of enrichers."""

from pixelake.transform.columns import Columns
from pixelake.transform.decode import decode
from pixelake.transform.enrich.geo import CDNS, Geo
from pixelake.transform.enrich.table import Enricher, enrich, make_enrichers
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


def test_every_input_is_there_in_time() -> None:
    """Each enricher's inputs are columns of a decoded hit, of the facts, or of an earlier enricher."""
    known = {*decode(batch(hit()), rules()).columns.names, "salt", "salt_before", "early"}
    for enricher in make_enrichers(geo=Geo(), cdn=CDNS["cloudfront"]):
        assert known.issuperset(enricher.inputs), enricher.name
        known.update(enricher.outputs)
