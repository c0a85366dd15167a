"""The rows of a Parquet file as lines."""

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixelake.errors import SourceError
from pixelake.operate.lines import opened
from pixelake.operate.parquet_lines import ROWS, RowSource, source_of


def packed(rows: list[dict[str, Any]]) -> io.BytesIO:
    """A file of these rows."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file


def test_rows_are_objects() -> None:
    """Texts, numbers and nothing; lists are left out. They are numbered from 1 on, and can be begun anywhere."""
    source = source_of("x", packed([{"a": "ü", "b": 1, "c": [1]}, {"a": None, "b": 2, "c": []}]))
    assert isinstance(source, RowSource)
    assert source.lines == 2
    assert [line.data.decode() for line in source.read(100)] == ['{"a":"ü","b":1}', '{"a":null,"b":2}']
    assert [(line.number, line.is_cut) for line in source.read(5, 2)] == [(2, True)]


def test_many_rows() -> None:
    """They are read in parts, and none is lost in between."""
    rows = [{"n": number} for number in range(2 * ROWS + 7)]
    found = list(source_of("x", packed(rows)).read(100))
    assert [line.number for line in found] == [*range(1, len(rows) + 1)]
    assert found[-1].data == b'{"n":%d}' % (len(rows) - 1)


def test_its_name_is_its_content() -> None:
    """The same bytes have the same name, others another."""
    one, same, other = (source_of("x", packed([{"a": value}])).id for value in ("1", "1", "2"))
    assert one == same != other


def test_other_files_are_lines(tmp_path: Path) -> None:
    """Whatever does not begin as Parquet does."""
    (tmp_path / "log").write_bytes(b"PAR is no magic\n")
    with opened(str(tmp_path / "log"), tmp_path, io.BytesIO(), source_of) as source:
        assert [line.data for line in source.read(100)] == [b"PAR is no magic"]


@pytest.mark.parametrize("damage", [b"PAR1", b"PAR1" + bytes(100) + b"PAR1"])
def test_damaged(damage: bytes) -> None:
    """It is said so, in a line."""
    with pytest.raises(SourceError, match="x is damaged"):
        source_of("x", io.BytesIO(damage))


def test_damaged_within() -> None:
    """Also where only its rows are."""
    data = bytearray(packed([{"a": f"{n * 7919:x}" * 9} for n in range(2_000)]).getvalue())
    data[10:2_000] = bytes(1_990)
    with pytest.raises(SourceError, match="damaged"):
        list(source_of("x", io.BytesIO(data)).read(1_000))


def test_changed_meanwhile() -> None:
    """Behind the last row."""
    file = packed([{"a": "1"}])
    lines = source_of("x", file).read(100)
    next(lines)
    file.seek(0, 2)
    file.write(b"more")
    with pytest.raises(SourceError, match="changed"):
        next(lines)
