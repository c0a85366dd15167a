"""How rows become a Parquet file."""

import io
import random

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixelake.warehouse import layout
from pixelake.warehouse.base import EVENTS, REJECTS
from tests.warehouse.outcomes import event, outcome, reject


def read(file: io.BytesIO) -> pq.ParquetFile:
    """What was written."""
    return pq.ParquetFile(pa.BufferReader(file.getvalue()))


def packed(rows: pa.Table) -> io.BytesIO:
    """A packed file of rows."""
    file = io.BytesIO()
    rows = rows.cast(layout.with_dictionaries(rows.schema)).unify_dictionaries()
    with layout.writer(file, rows.schema, layout.packed(rows)) as target:
        target.write_table(rows)
    return file


def encodings(file: io.BytesIO) -> dict[str, set[str]]:
    """The encodings of each column of the first row group."""
    group = read(file).metadata.row_group(0)
    columns = [group.column(at) for at in range(group.num_columns)]
    return {column.path_in_schema: set(column.encodings) for column in columns}


def test_a_fresh_file_keeps_all() -> None:
    """Rows come back in their order, as they were, of both tables."""
    for rows in (outcome([event("a", 2, title="\0é"), event("a", 1)]).events, outcome([], [reject("a", 1)]).rejects):
        file = io.BytesIO()
        layout.write(rows, file)
        assert read(file).read().to_pylist() == rows.to_pylist()


def test_what_a_packed_file_is_made_of() -> None:
    """Numbers that grow are differences, ids that never come twice have no dictionary, and sites have one."""
    rows = outcome([event("a", at, visitor_id=f"{random.Random(at).getrandbits(99):x}") for at in range(1, 200)]).events
    found = encodings(packed(rows))
    assert all("DELTA_BINARY_PACKED" in found[name] for name in ("received_at", "position"))
    assert "DELTA_BYTE_ARRAY" in found["hit_id"]
    assert "DELTA_LENGTH_BYTE_ARRAY" in found["visitor_id"]
    assert {"RLE_DICTIONARY", "PLAIN_DICTIONARY"} & found["site"]
    assert {"RLE_DICTIONARY", "PLAIN_DICTIONARY"} & found["properties.key_value.key"]


def test_text_that_never_repeats_has_no_dictionary() -> None:
    """Also in columns that mostly repeat: a dictionary of distinct values only costs."""
    rows = outcome([event("a", at, title=f"page {at}", referrer="same") for at in range(1, 50)]).events
    style = layout.packed(rows)
    assert "title" in style.distinct
    assert not {"referrer", "site", "country"} & set(style.distinct)  # country is null everywhere
    assert layout.packed(rows.cast(layout.with_dictionaries(EVENTS)).unify_dictionaries()).distinct == style.distinct


def test_packed_is_smaller() -> None:
    """Of traffic that repeats itself a packed file is smaller than the fresh ones of the same rows."""
    chance = random.Random(3)
    rows = outcome(
        event("a", at, site=f"site-{chance.randrange(9)}", path=f"/{chance.randrange(60)}", title=f"{at:0200}"[::-1])
        for at in range(1, 601)
    ).events
    fresh = [io.BytesIO() for _ in range(10)]
    for at, file in enumerate(fresh):
        layout.write(rows.slice(60 * at, 60), file)
    assert len(packed(rows).getvalue()) < 0.5 * sum(len(file.getvalue()) for file in fresh)


def test_extent_is_of_all_groups() -> None:
    """Rows and bounds of several groups are those of the whole, with dictionaries and without."""
    whole = outcome([event(name, at) for name in "cab" for at in (5, 3, 9)]).events
    expected = layout.Extent()
    expected.add(whole)
    parts = layout.Extent()
    for start in (0, 3, 6):
        part = whole.slice(start, 3)
        parts.add(part.cast(layout.with_dictionaries(EVENTS)) if start else part)
    assert parts.statistics() == expected.statistics()
    told = msgspec.json.decode(parts.statistics())
    assert told["numRecords"] == 9
    assert (told["minValues"]["partition"], told["maxValues"]["partition"]) == ("a", "c")
    assert (told["minValues"]["position"], told["maxValues"]["position"]) == (3, 9)
    assert told["minValues"]["received_at"] == "2026-02-10T21:00:03.000000Z"
    assert set(told["minValues"]) == set(layout.MEASURED)


def test_groups_are_halved_until_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows, in order, within both bounds; a row that is too large stands alone."""
    monkeypatch.setattr(layout, "GROUP_ROWS", 7)
    monkeypatch.setattr(layout, "GROUP_BYTES", 20_000)
    rows = outcome([event("a", at, title="x" * (50_000 if at == 4 else 1)) for at in range(1, 31)]).events
    found = list(layout.groups(rows))
    assert pa.concat_tables(found).to_pylist() == rows.to_pylist()
    assert all(part.num_rows == 1 or (part.num_rows <= 7 and part.nbytes <= 20_000) for part in found)
    assert list(layout.groups(rows.slice(0, 0))) == [rows.slice(0, 0)]


def test_dictionaries_are_read_only_where_they_are() -> None:
    """A column that lost its dictionary in one group is read as text."""
    file = io.BytesIO()
    rows = outcome([event("a", 1)]).events.select(["site", "title"])
    with pq.ParquetWriter(file, rows.schema, use_dictionary=["site"]) as target:
        target.write_table(rows)
        target.write_table(rows)
    assert layout.dictionaries(read(file).metadata) == ["site"]


def test_missing_columns_are_null_and_in_their_place() -> None:
    """Rows of an older version get the columns of today's."""
    rows = outcome([event("a", 1)]).events.drop_columns(["consent", "browser"])
    found = layout.complete(rows, EVENTS)
    assert found.schema.equals(EVENTS)
    assert found["browser"].to_pylist() == [None]
    assert layout.complete(found, layout.with_dictionaries(EVENTS))["site"].to_pylist() == ["shop"]


def test_tags_tell_the_columns() -> None:
    """Files of the same columns have the same tag, others another; a foreign name has none."""
    tag = layout.columns_tag(EVENTS)
    assert tag == layout.columns_tag(EVENTS) != layout.columns_tag(REJECTS)
    assert layout.tag_of(f"year=2026/part-{tag}.zstd.parquet") == tag
    assert layout.tag_of("part-00000-c000.snappy.parquet") == ""
