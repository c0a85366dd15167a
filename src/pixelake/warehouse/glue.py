"""The tables of a lake in AWS Glue's catalogue, for Athena and all who ask it: from our schemas, without a crawler.

`events` and `rejects` are the Delta tables: engines read their log, so that a
new hour, or a new column, needs no word here. `landing` is what Firehose has
delivered and the lake has perhaps not taken yet, as Parquet in folders of the
hour of delivery, each of which is known by projection as soon as it could be
there; Firehose takes its columns from this table, too. `arrived` is a view of
the last days of it, each hit once. Needs the extra ``aws``.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa

from pixelake.errors import SettingsError, StreamUnavailable, WarehouseError
from pixelake.event import PARTITION_COLUMNS, Field
from pixelake.stream import aws
from pixelake.warehouse.schema import REJECTS, events_schema

EVENTS_TABLE: Final = "events"
REJECTS_TABLE: Final = "rejects"
LANDING_TABLE: Final = "landing"
ARRIVED_VIEW: Final = "arrived"
DAYS: Final = 8
"""Of the view: what is older than a week the lake has taken, or somebody has been called."""
YEARS: Final = 10
"""That folders are known ahead: registering again moves them on."""
_TWO: Final = {"month": "1,12", "day": "1,31", "hour": "0,23"}
_HINT: Final = (
    "let whoever we are by AWS_* do glue:CreateDatabase, glue:CreateTable and glue:UpdateTable; look at AWS_REGION"
)
_NAME: Final = re.compile(r"[a-z0-9_]{1,128}")
_DELTA: Final = {
    "InputFormat": "org.apache.hadoop.mapred.SequenceFileInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
}
"""What is written for Delta tables; who knows them does not use it."""
_PARQUET: Final = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "Parameters": {"serialization.format": "1"},
    },
}
_ORC: Final = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
        "Parameters": {"serialization.format": "1"},
    },
}
_STORED: Final = {"parquet": _PARQUET, "orc": _ORC}


class _Names(NamedTuple):
    """A type, as Hive and as Trino call it."""

    hive: str
    trino: str


def _names(kind: pa.DataType) -> _Names:
    if pa.types.is_map(kind):
        key, item = _names(kind.key_type), _names(kind.item_type)
        return _Names(f"map<{key.hive},{item.hive}>", f"map({key.trino}, {item.trino})")
    if pa.types.is_list(kind):
        item = _names(kind.value_type)
        return _Names(f"array<{item.hive}>", f"array({item.trino})")
    if pa.types.is_decimal(kind):
        return _Names(*[f"decimal({kind.precision},{kind.scale})"] * 2)
    if pa.types.is_timestamp(kind):
        return _Names("timestamp", "timestamp(3)")
    return _PLAIN[kind]


_PLAIN: Final = {
    pa.string(): _Names("string", "varchar"),
    pa.bool_(): _Names("boolean", "boolean"),
    pa.int64(): _Names("bigint", "bigint"),
}


def columns(schema: pa.Schema) -> Sequence[Mapping[str, str]]:
    """The columns of a schema as Glue knows them: ``Name`` and ``Type``, in the words of Hive."""
    return [{"Name": field.name, "Type": _names(field.type).hive} for field in schema]


def delta_table(name: str, location: str, schema: pa.Schema) -> Mapping[str, Any]:
    """Glue's ``TableInput`` of a Delta table.

    Its columns are for those who look into the catalogue: engines read the log.

    Args:
        name: of the table.
        location: ``s3://bucket/prefix`` of it.
        schema: of its rows.
    """
    serde = {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        "Parameters": {"serialization.format": "1", "path": location},
    }
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": "delta",
            "table_type": "DELTA",
            "spark.sql.sources.provider": "delta",
        },
        "PartitionKeys": [],
        "StorageDescriptor": {**_DELTA, "Columns": columns(schema), "Location": location, "SerdeInfo": serde},
    }


def landing_table(location: str, own: Iterable[Field] = (), year: int = 0, kind: str = "parquet") -> Mapping[str, Any]:
    """Glue's ``TableInput`` of what Firehose delivers: files below ``year=/month=/day=/hour=``, by projection.

    Args:
        location: ``s3://bucket/prefix`` above these folders.
        own: columns of the user's own enrichers.
        year: the first that is known; by default the one before this.
        kind: of the files: ``parquet`` or ``orc``.
    """
    first = year or datetime.now(UTC).year - 1
    location = location.rstrip("/")
    stored = pa.schema([field for field in events_schema(own) if field.name not in PARTITION_COLUMNS])
    folders = "/".join(f"{name}=${{{name}}}" for name in PARTITION_COLUMNS)
    ranges = {"year": f"{first},{first + YEARS}", **_TWO}
    projected = {f"projection.{name}.{key}": value for name in ranges for key, value in _projection(name, ranges[name])}
    return {
        "Name": LANDING_TABLE,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": kind,
            "projection.enabled": "true",
            **projected,
            "storage.location.template": f"{location}/{folders}",
        },
        "PartitionKeys": [{"Name": name, "Type": "string"} for name in PARTITION_COLUMNS],
        "StorageDescriptor": {**_STORED[kind], "Columns": columns(stored), "Location": location},
    }


def _projection(name: str, span: str) -> Sequence[tuple[str, str]]:
    """A folder ``month=02`` is not ``month=2``: its number has two digits."""
    plain = [("type", "integer"), ("range", span)]
    return [*plain, ("digits", "2")] if name in _TWO else plain


def arrived_sql(database: str, own: Iterable[Field] = (), days: int = DAYS) -> str:
    """The view in the SQL of Athena and Trino: what was delivered in the last days, each hit once.

    Firehose delivers at least once, and who puts a hit may put it again: copies have one ``hit_id``.

    Args:
        database: where the table is.
        own: columns of the user's own enrichers.
        days: that are looked at; others are not listed.
    """
    named = ", ".join(f'"{name}"' for name in events_schema(own).names)
    oldest = f"date_format(current_timestamp - INTERVAL '{days}' DAY, '%Y%m%d')"
    rows = (
        f'SELECT {named}, row_number() OVER (PARTITION BY "hit_id" ORDER BY "received_at") AS "copy"'  # noqa: S608 - all that stands in it is ours
        f' FROM "{database}"."{LANDING_TABLE}" WHERE "year" || "month" || "day" >= {oldest}'
    )
    return f'SELECT {named} FROM ({rows}) WHERE "copy" = 1'  # noqa: S608


def arrived_view(database: str, own: Sequence[Field] = ()) -> Mapping[str, Any]:
    """Glue's ``TableInput`` of the view, as Athena itself writes one."""
    schema = events_schema(own)
    told = {
        "originalSql": arrived_sql(database, own),
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": field.name, "type": _names(field.type).trino} for field in schema],
    }
    return {
        "Name": ARRIVED_VIEW,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "ViewOriginalText": f"/* Presto View: {b64encode(json.dumps(told).encode()).decode()} */",
        "ViewExpandedText": "/* Presto View */",
        "StorageDescriptor": {"Columns": columns(schema), "Location": "", "SerdeInfo": {}},
    }


def tables(
    database: str, lake: str, landing: str = "", own: Sequence[Field] = (), kind: str = "parquet"
) -> Sequence[Mapping[str, Any]]:
    """Glue's ``TableInput`` of each table, for `register` or for a stack.

    Args:
        database: where they are.
        lake: ``s3://bucket/prefix`` of the lake.
        landing: the same of what Firehose delivers; empty if nothing does.
        own: columns of the user's own enrichers.
        kind: of the files of Firehose.
    """
    lake = lake.rstrip("/")
    found = [
        delta_table(EVENTS_TABLE, f"{lake}/{EVENTS_TABLE}", events_schema(own)),
        delta_table(REJECTS_TABLE, f"{lake}/{REJECTS_TABLE}", REJECTS),
    ]
    return [*found, landing_table(landing, own, kind=kind), arrived_view(database, own)] if landing else found


def register(  # noqa: PLR0917 - as `tables`, and where
    client: Any, database: str, lake: str, landing: str = "", own: Sequence[Field] = (), kind: str = "parquet"
) -> Sequence[str]:
    """Make the database and the tables, or bring them up to date; the same again changes nothing.

    Args:
        client: botocore's, of Glue.
        database: its name, in small letters.
        lake: see `tables`.
        landing: see `tables`.
        own: see `tables`.
        kind: see `tables`.

    Returns:
        The names of the tables.

    Raises:
        SettingsError: a database cannot have that name.
        WarehouseError: Glue does not do it, or does not answer. Some may be made.
    """
    if not _NAME.fullmatch(database):
        raise SettingsError("that is no name of a database for Athena", "take small letters, digits and underscores")
    wanted = tables(database, lake, landing, own, kind)
    _unless_there(client.create_database, DatabaseInput={"Name": database})
    for table in wanted:
        if not _unless_there(client.create_table, DatabaseName=database, TableInput=table):
            _asked(client.update_table, DatabaseName=database, TableInput=table, SkipArchive=True)
    return [table["Name"] for table in wanted]


def _unless_there(operation: Any, **arguments: Any) -> bool:
    """Make something; returns whether it was not there yet."""
    try:
        _asked(operation, **arguments)
    except WarehouseError as error:
        if aws.code(error.__cause__) != "AlreadyExistsException":
            raise
        return False
    return True


def _asked(operation: Any, **arguments: Any) -> None:
    try:
        aws.call(operation, **arguments)
    except StreamUnavailable as error:
        raise WarehouseError(f"Glue: {error}", _HINT) from error.__cause__
