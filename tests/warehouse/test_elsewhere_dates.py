"""Which times of a statement go with the day on which it runs, and how they are told."""

from datetime import date

import pytest

sqlglot = pytest.importorskip("sqlglot")

from pixelake.warehouse.elsewhere_dates import moved  # noqa: E402 - behind what skips

TODAY = date(2150, 7, 15)


def said(sql: str) -> str:
    """A value of DuckDB, moved, as Trino says it."""
    text: str = moved(sqlglot.parse_one(f"select {sql}", read="duckdb"), TODAY).sql("trino")
    return text.removeprefix("SELECT ")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("date '2150-07-15'", "CAST(CURRENT_DATE AS DATE)"),
        ("date '2150-06-16'", "CAST(CURRENT_DATE - INTERVAL '29' DAY AS DATE)"),
        ("timestamptz '2150-07-16 00:00:00+00'", "CAST(CURRENT_DATE + INTERVAL '1' DAY AS TIMESTAMP WITH TIME ZONE)"),
        (
            "timestamptz '2150-07-14 22:30:00+00'",
            (
                "CAST(CAST(CURRENT_DATE - INTERVAL '1' DAY AS TIMESTAMP) + INTERVAL '81000' SECOND"
                " AS TIMESTAMP WITH TIME ZONE)"
            ),
        ),
        ("'21500715'", "DATE_FORMAT(CAST(CURRENT_DATE AS TIMESTAMP), '%Y%m%d')"),
        (
            "'2150071505'",
            "DATE_FORMAT(CAST(CAST(CURRENT_DATE AS TIMESTAMP) + INTERVAL '18000' SECOND AS TIMESTAMP), '%Y%m%d%H')",
        ),
        (
            "5697129600000001",
            "(CAST(DATE_DIFF('DAY', CAST('1970-01-01' AS DATE), CURRENT_DATE) AS BIGINT) * 86400000000 + 1)",
        ),
        (
            "[date '2150-07-14', date '2150-07-15', date '2150-07-16', date '9999-01-01']",
            (
                "CONCAT(CAST(SEQUENCE(CURRENT_DATE - INTERVAL '1' DAY, CURRENT_DATE + INTERVAL '1' DAY,"
                " INTERVAL '1' DAY) AS ARRAY(DATE)), ARRAY[CAST('9999-01-01' AS DATE)])"
            ),
        ),
    ],
)
def test_what_moves(sql: str, told: str) -> None:
    """Days, moments, days and hours as texts, microseconds, and days in a row: by the day on which it runs."""
    assert said(sql) == told


@pytest.mark.parametrize(
    "sql",
    ["date '1970-01-01'", "date '9999-01-01'", "'19700101'", "'21507777'", "'12345678'", "'2150'", "86400000000", "7"],
)
def test_what_stays(sql: str) -> None:
    """What is far from the day, or no time at all."""
    assert said(sql) == sqlglot.transpile(sql, read="duckdb", write="trino")[0]
