"""Lines of JSON as Parquet or ORC, by the columns of a table of Glue: as Firehose converts the format of records.

It reads as the OpenX deserialiser does: several objects in a record, members
that are no column passed over, columns without a member null. Names of members
are lowered first, those in maps too, unless `Conversion.lower` is false. Times
have no zone; in Parquet they are INT96, as Hive writes them.
"""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from pixelake.errors import SettingsError

_PLAIN: Final[Mapping[str, pa.DataType]] = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us"),
}
_DECIMAL: Final = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)")
_TIME: Final = re.compile(r"(\d{4}-\d{1,2}-\d{1,2})[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z?")
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - times without a zone
_MILLISECONDS: Final = 100_000_000_000
"""From here on a number is of milliseconds, below of seconds."""
_WHITE: Final = re.compile(r"\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """How records are converted.

    Attributes:
        columns: of the table: names, and types as Hive writes them; without those that are folders.
        kind: ``parquet`` or ``orc``.
        lower: ``CaseInsensitive`` of the deserialiser.
    """

    columns: Sequence[tuple[str, str]]
    kind: str = "parquet"
    lower: bool = True

    @property
    def schema(self) -> pa.Schema:
        """Of the files.

        Raises:
            SettingsError: there is no such type.
        """
        return pa.schema([(name, arrow_type(kind)) for name, kind in self.columns])


def arrow_type(kind: str) -> pa.DataType:
    """The type that Hive calls so.

    Raises:
        SettingsError: there is none, or none that is converted here.
    """
    kind = kind.strip().lower()
    if kind in _PLAIN:
        return _PLAIN[kind]
    if found := _DECIMAL.fullmatch(kind):
        return pa.decimal128(int(found[1]), int(found[2]))
    if kind.startswith("array<") and kind.endswith(">"):
        return pa.list_(arrow_type(kind[6:-1]))
    if kind.startswith("map<string,") and kind.endswith(">"):
        return pa.map_(pa.string(), arrow_type(kind[11:-1]))
    raise SettingsError(f"columns of the type {kind!r} are not converted", f"one of {', '.join(_PLAIN)}, decimal(p,s)")


class Converter:
    """Converts records of one stream."""

    def __init__(self, how: Conversion) -> None:
        self._how, self._schema = how, how.schema
        self._read = json.JSONDecoder(parse_float=Decimal)

    def rows(self, data: bytes) -> list[dict[str, Any]]:
        """The rows of a record.

        Raises:
            ValueError: it holds what is no object, or a value that its column cannot hold.
        """
        return [self._row(sent) for sent in self._objects(data.decode())]

    def _objects(self, text: str) -> Iterator[dict[str, Any]]:
        at = _end(text, 0)
        while at < len(text):
            found, at = self._read.raw_decode(text, at)
            if not isinstance(found, dict):
                raise ValueError("it is no JSON object")  # noqa: TRY004 - of the data
            at = _end(text, at)
            yield _lowered(found) if self._how.lower else found

    def _row(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        return {field.name: _value(sent.get(field.name), field.type) for field in self._schema}

    def file(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """A file of rows."""
        table = pa.Table.from_pylist(list(rows), self._schema)
        out = io.BytesIO()
        if self._how.kind == "orc":
            orc.write_table(table, out, compression="SNAPPY")
        else:
            pq.write_table(table, out, compression="snappy", use_deprecated_int96_timestamps=True)
        return out.getvalue()


def _end(text: str, at: int) -> int:
    """Behind the blanks."""
    found = _WHITE.match(text, at)
    return found.end() if found else at


def _lowered(sent: Any) -> Any:
    if isinstance(sent, dict):
        return {name.lower(): _lowered(value) for name, value in sent.items()}
    return [_lowered(value) for value in sent] if isinstance(sent, list) else sent


def _value(sent: Any, kind: pa.DataType) -> Any:
    """What a column of that type holds of a value. Raises ValueError if it cannot."""
    if sent is None:
        return None
    if pa.types.is_map(kind):
        return [(name, _value(value, kind.item_type)) for name, value in _of(dict, sent).items()]
    if pa.types.is_list(kind):
        return [_value(value, kind.value_type) for value in _of(list, sent)]
    if pa.types.is_decimal(kind):
        return _decimal(sent, kind.precision, kind.scale)
    if pa.types.is_integer(kind):
        return _integer(sent, kind.bit_width)
    for is_kind, read in _READ:
        if is_kind(kind):
            return read(sent)
    raise ValueError(f"nothing is read as {kind}")


def _of(kind: type, sent: Any) -> Any:
    if not isinstance(sent, kind):
        raise ValueError(f"a value is no {kind.__name__}")  # noqa: TRY004 - of the data
    return sent


def _decimal(sent: Any, precision: int, scale: int) -> Decimal | None:
    """Rounded; null if it is too large, as Hive has it."""
    try:
        number = Decimal(str(sent))
    except InvalidOperation:
        raise ValueError("a value is no number") from None
    try:
        rounded = number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    except InvalidOperation:
        return None
    return rounded if rounded.is_finite() and len(rounded.as_tuple().digits) <= precision else None


def _integer(sent: Any, bits: int) -> int:
    try:
        number = Decimal(str(sent))
        if number.is_finite() and -(1 << bits - 1) <= number < 1 << bits - 1:
            return int(number)
    except InvalidOperation:
        pass
    raise ValueError(f"a value is no number of {bits} bits")


def _text(sent: Any) -> str:
    return sent if isinstance(sent, str) else json.dumps(sent, default=str)


def _bool(sent: Any) -> bool:
    return sent if isinstance(sent, bool) else {"true": True, "false": False}[str(sent).lower()]


def _time(sent: Any) -> datetime:
    """A text of Java's, or a number of seconds or milliseconds since the epoch; without its zone, which is UTC."""
    if isinstance(sent, (int, Decimal)) and not isinstance(sent, bool):
        return _EPOCH + timedelta(seconds=float(sent) / (1_000 if sent >= _MILLISECONDS else 1))
    found = _TIME.fullmatch(str(sent))
    if not found:
        raise ValueError("a time is none that is read")
    moment = datetime.strptime(f"{found[1]} {found[2]}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return moment.replace(microsecond=int((found[3] or "").ljust(6, "0")[:6]), tzinfo=None)


_READ: Final[Sequence[tuple[Callable[[pa.DataType], bool], Callable[[Any], Any]]]] = (
    (pa.types.is_string, _text),
    (pa.types.is_boolean, _bool),
    (pa.types.is_floating, float),
    (pa.types.is_timestamp, _time),
)
