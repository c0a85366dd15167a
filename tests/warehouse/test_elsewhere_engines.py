"""How Trino says what DuckDB says, where both have other words for it."""

import pytest

sqlglot = pytest.importorskip("sqlglot")

from pixelake.warehouse.elsewhere_engines import TRINO, changed  # noqa: E402 - behind what skips


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select unnest([1, 2]) as a", "SELECT listed.item1 AS a FROM UNNEST(ARRAY[1, 2]) AS listed(item1)"),
        (
            "select x, unnest(a) as a, unnest(b)::date as b from t",
            (
                "SELECT x, listed.item1 AS a, CAST(listed.item2 AS DATE) AS b"
                " FROM t CROSS JOIN UNNEST(a, b) AS listed(item1, item2)"
            ),
        ),
        (
            "select unnest(x) as a from t, u",
            "SELECT listed.item1 AS a FROM t CROSS JOIN u CROSS JOIN UNNEST(x) AS listed(item1)",
        ),
        ("select list_append(a, b) from t", "SELECT CONCAT(a, ARRAY[b]) FROM t"),
        (
            "select list_filter(map_entries(m), lambda pair: pair.key = 'a' or len(pair.value) = 1) from t",
            "SELECT FILTER(MAP_ENTRIES(m), pair -> pair[1] = 'a' OR CARDINALITY(pair[2]) = 1) FROM t",
        ),
    ],
)
def test_trino(sql: str, told: str) -> None:
    """Lists side by side as rows, longer lists, how long they are, and the fields of a map's entries: without names."""
    assert changed(sqlglot.parse_one(sql, read="duckdb"), TRINO).sql("trino") == told
