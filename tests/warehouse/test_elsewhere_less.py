"""What is left out of a statement for other engines, since nobody reads it."""

import pytest

sqlglot = pytest.importorskip("sqlglot")

from pixelake.warehouse.elsewhere_less import lessened  # noqa: E402 - behind what skips


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("WITH a AS (SELECT 1 AS x), b AS (SELECT x FROM a) SELECT 2", "SELECT 2"),
        ("WITH a AS (SELECT 1 AS x) SELECT x FROM a", "WITH a AS (SELECT 1 AS x) SELECT x FROM a"),
        (
            "WITH a AS (SELECT x, y, z FROM lake.a) SELECT x FROM a WHERE z = 1",
            "WITH a AS (SELECT x, z FROM lake.a) SELECT x FROM a WHERE z = 1",
        ),
        (
            "WITH a AS (SELECT x, y FROM lake.a) SELECT COUNT(*) FROM a",
            "WITH a AS (SELECT x FROM lake.a) SELECT COUNT(*) FROM a",
        ),
        (
            "WITH RECURSIVE a AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM a) SELECT 2",
            "SELECT 2",
        ),
        (
            "WITH a AS (SELECT 1 AS x) SELECT x FROM (WITH b AS (SELECT x FROM a) SELECT x FROM a) AS c",
            "WITH a AS (SELECT 1 AS x) SELECT x FROM (SELECT x FROM a) AS c",
        ),
    ],
)
def test_what_nobody_reads(sql: str, told: str) -> None:
    """Relations that are named nowhere, or by themselves only; columns of a table with a name that nothing has."""
    assert lessened(sqlglot.parse_one(sql, read="duckdb")).sql("duckdb") == told
