"""The tables of the catalogue: made and brought up to date in moto's Glue, and the view asked on real files."""

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot

from pixelake.errors import SettingsError, WarehouseError
from pixelake.event import FIELDS, PARTITION_COLUMNS, Field
from pixelake.stream import aws
from pixelake.warehouse import glue
from pixelake.warehouse.schema import EVENTS, REJECTS
from tests.s3 import Server, reached
from tests.stream.aws import Faulty

LAKE, LANDING = "s3://bucket/lake", "s3://bucket/landing/"
OWN = (Field("weather", "text", "", "of the place"),)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, moto: Server) -> Any:
    """Glue."""
    reached(monkeypatch, moto.environment)
    return aws.client("glue")


def told(client: Any, database: str) -> Mapping[str, Mapping[str, Any]]:
    """What the catalogue says of each table."""
    found = {each["Name"]: each for each in client.get_tables(DatabaseName=database)["TableList"]}
    for each in found.values():
        for stamp in ("CreateTime", "UpdateTime", "VersionId", "CreatedBy"):
            each.pop(stamp, None)
    return found


def test_the_tables(client: Any) -> None:
    """Delta tables by their place, what Firehose delivers, and the view; each again changes nothing."""
    assert glue.register(client, "first", LAKE, LANDING) == ["events", "rejects", "landing", "arrived"]
    found = told(client, "first")
    assert found.keys() == {"events", "rejects", "landing", "arrived"}
    for name in ("events", "rejects"):
        assert found[name]["StorageDescriptor"]["Location"] == f"{LAKE}/{name}"
        assert found[name]["Parameters"]["table_type"] == "DELTA"
        assert found[name]["Parameters"]["spark.sql.sources.provider"] == "delta"
        assert not found[name]["PartitionKeys"]
    glue.register(client, "first", LAKE, LANDING)
    assert told(client, "first") == found


def test_what_changes_is_brought_up_to_date(client: Any) -> None:
    """A lake that has moved, and a new column; without Firehose there is no table for it."""
    assert glue.register(client, "second", LAKE) == ["events", "rejects"]
    glue.register(client, "second", "s3://other/place/", LANDING, OWN)
    found = told(client, "second")
    assert found["events"]["StorageDescriptor"]["Location"] == "s3://other/place/events"
    for name in ("events", "landing", "arrived"):
        assert {"Name": "weather", "Type": "string"} in found[name]["StorageDescriptor"]["Columns"]


def test_types_are_hives() -> None:
    """Every column of ours has a type that Athena knows."""
    kinds = {each["Name"]: each["Type"] for each in glue.columns(EVENTS)}
    assert kinds.keys() == {field.name for field in FIELDS}
    assert kinds["hit_id"] == "string"
    assert kinds["received_at"] == "timestamp"
    assert kinds["position"] == "bigint"
    assert kinds["bot"] == "boolean"
    assert kinds["value"] == "decimal(18,6)"
    assert kinds["properties"] == "map<string,array<string>>"
    assert len(glue.columns(REJECTS)) == len(REJECTS)


def test_landing_is_known_by_projection() -> None:
    """Folders of two digits, a template that gives them as Firehose writes them, and no column twice."""
    table = glue.landing_table(LANDING, year=2026)
    parameters = table["Parameters"]
    assert parameters["storage.location.template"] == (
        "s3://bucket/landing/year=${year}/month=${month}/day=${day}/hour=${hour}"
    )
    assert parameters["projection.enabled"] == "true"
    assert {name: parameters[f"projection.{name}.range"] for name in PARTITION_COLUMNS} == {
        "year": "2026,2036",
        "month": "1,12",
        "day": "1,31",
        "hour": "0,23",
    }
    assert [parameters.get(f"projection.{name}.digits") for name in PARTITION_COLUMNS] == [None, "2", "2", "2"]
    assert [key["Name"] for key in table["PartitionKeys"]] == list(PARTITION_COLUMNS)
    stored = {each["Name"] for each in table["StorageDescriptor"]["Columns"]}
    assert stored == {field.name for field in FIELDS} - set(PARTITION_COLUMNS)
    year = str(datetime.now(UTC).year)
    first, _, last = glue.landing_table(LANDING)["Parameters"]["projection.year.range"].partition(",")
    assert first < year < last


def test_the_view_is_athenas() -> None:
    """Its text is the query, and the columns that it gives, in the form in which Athena keeps views."""
    view = glue.arrived_view("pixels")
    text = view["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    said = json.loads(b64decode(text, validate=True))
    assert said["originalSql"] == glue.arrived_sql("pixels")
    assert [each["name"] for each in said["columns"]] == EVENTS.names
    assert {"name": "properties", "type": "map(varchar, array(varchar))"} in said["columns"]
    asked = sqlglot.parse_one(said["originalSql"], dialect="athena")
    assert asked.named_selects == EVENTS.names


def delivered(folder: Path, day: datetime, hour: int, names: Sequence[str]) -> None:
    """A file as Firehose delivers it."""
    place = folder / f"year={day:%Y}" / f"month={day:%m}" / f"day={day:%d}" / f"hour={hour:02}"
    place.mkdir(parents=True, exist_ok=True)
    stored = pa.schema([field.with_nullable(True) for field in EVENTS if field.name not in PARTITION_COLUMNS])
    rows = [{"hit_id": name, "received_at": day, "site": "a", "properties": [("x", ["1"])]} for name in names]
    table = pa.Table.from_pylist([{**dict.fromkeys(stored.names), **row} for row in rows], stored)
    pq.write_table(table, place / f"{len(list(place.iterdir()))}.parquet")


def test_the_view_gives_each_hit_once(tmp_path: Path) -> None:
    """On files with copies, within one, in two and over midnight; and it looks at the last days only."""
    now = datetime.now(UTC)
    delivered(tmp_path, now, 3, ["a", "b", "b"])
    delivered(tmp_path, now, 3, ["c", "a"])
    delivered(tmp_path, now - timedelta(days=1), 23, ["c", "d"])
    delivered(tmp_path, now - timedelta(days=30), 1, ["old"])
    (query,) = sqlglot.transpile(glue.arrived_sql("main"), read="trino", write="duckdb")
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(
            f"create view landing as select * from read_parquet('{tmp_path}/**/*.parquet', "
            "hive_partitioning = true, hive_types_autocast = false)"
        )
        found = connection.execute(query).to_arrow_table()
    assert sorted(found["hit_id"].to_pylist()) == ["a", "b", "c", "d"]
    assert found.column_names == EVENTS.names
    assert set(found["year"].to_pylist()) <= {f"{now:%Y}", f"{now - timedelta(days=1):%Y}"}


@pytest.mark.parametrize("name", ["", "Big", "a-b", 'a"b', "a;b", "é"])
def test_a_database_that_athena_could_not_ask(name: str, client: Any) -> None:
    """It is refused before anything is made: the name stands in a query."""
    with pytest.raises(SettingsError, match="no name"):
        glue.register(client, name, LAKE)


def test_glue_refuses(client: Any) -> None:
    """The error says what Glue said, and what may be missing."""
    denied = Faulty("glue", create_table=[_denied])
    with pytest.raises(WarehouseError, match="not authorized") as caught:
        glue.register(denied, "third", LAKE)
    assert "glue:CreateTable" in caught.value.hint
    assert "\n" not in str(caught.value)


def _denied(**_: Any) -> Any:
    from botocore.exceptions import ClientError

    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not\nauthorized"}}, "CreateTable")
