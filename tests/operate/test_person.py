"""An id is found however it is written, and not where it is not."""

import json
import random
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pixelake.errors import SettingsError
from pixelake.operate.person import Person, text_columns
from pixelake.warehouse import layout, place
from pixelake.warehouse.base import EVENTS
from tests.warehouse.outcomes import event

IDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=8, max_size=40).filter(lambda name: name.strip())


def found(person: Person, text: str) -> bool:
    """Whether the id is in a text."""
    return bool(person.said(pa.array([text]))[0].as_py())


@given(IDS)
@example('a"b\\c/d é😀+%25 z')
@example("12345678")
@example("((((((((")
@example("[a-z]{9}\\b")
def test_every_way_of_writing_is_found(name: str) -> None:
    """As it is, percent-encoded once and twice, as JSON within JSON, in UTF-16: as text, and as bytes."""
    person = Person("user", name)
    ways = [name, quote(name, safe=""), quote(name), quote(quote(name, safe=""), safe="")]
    ways += [json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1], json.dumps(json.dumps(name))[1:-1]]
    for way in ways:
        assert found(person, f"?u={way}&x")
        assert person.sent([f"?u={way}&x".encode()]) == [True]
    assert person.sent([f"<{name}>".encode("utf-16-le"), f"<{name}>".encode("utf-16-be")]) == [True, True]
    assert person.is_in(memoryview(f"..{name}..".encode()))


def test_lower_case_escapes_are_found() -> None:
    """Escapes may be in lower case; and what a browser of old sends for a letter that is no ASCII."""
    assert found(Person("user", "Zoé Müller"), "zo%C3%A9 Zo%c3%a9+M%fcller")
    assert found(Person("user", "Zoé Müller"), r"Zo\u00E9 M\u00fcller")


@given(IDS, st.text(st.characters(exclude_categories=("Cs",)), max_size=7))
def test_others_are_not_found(name: str, other: str) -> None:
    """A text that is shorter than the id cannot hold it."""
    assert not found(Person("user", name), other)


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("12345678", True),
        ("?u=12345678&", True),
        ("%3D12345678", True),
        ("%3312345678", True),
        (r"a=1\u002612345678", True),
        ("9912345678", False),
        ("123456789", False),
        ("a12345678b", True),
    ],
)
def test_a_number_is_no_part_of_a_longer_one(text: str, *, there: bool) -> None:
    """An id of digits is found where no other digit is beside it."""
    assert found(Person("user", "12345678"), text) is there


ROWS: list[tuple[str, dict[str, Any], bool, bool]] = [
    ("user", {"user_id": "{id}"}, True, True),
    ("a longer user", {"user_id": "x{id}x"}, True, False),
    ("property", {"properties": [("a", ["x"]), ("b", ["y", "{id}"])]}, True, True),
    ("name of a property", {"properties": [("{id}", [])]}, True, True),
    ("part of a property", {"properties": [("a", ["my {id}!"])]}, True, False),
    ("url", {"url": "https://shop.example/u/{id}?x"}, True, False),
    ("host in lower case", {"host": "{lower}.example"}, True, False),
    ("visitor", {"visitor_id": "{id}"}, True, False),
    ("somebody else", {"user_id": "other", "properties": [], "title": None}, False, False),
    ("nothing", {"properties": None, "visitor_id": None}, False, False),
]


@pytest.mark.parametrize(("columns", "long", "short"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_rows(columns: dict[str, Any], *, long: bool, short: bool) -> None:
    """A row is a person's by any of its texts if the id is long, else by whole values only."""
    for name, expected in (("Ab9-xyzUVW_1", long), ("Ab9", short)):
        text = json.dumps(columns).replace("{id}", name).replace("{lower}", name.lower())
        mine = {key: _pairs(value) for key, value in json.loads(text).items()}
        rows = pa.Table.from_pylist([event("a", 1), event("a", 2, **mine), event("a", 3)], EVENTS)
        person = Person("user", name)
        assert person.rows(rows).to_pylist() == [False, expected, False]
        sliced = rows.slice(1).select(text_columns(EVENTS))
        assert person.rows(sliced).to_pylist() == [expected, False]
        encoded = rows.set_column(rows.column_names.index("url"), "url", rows["url"].dictionary_encode())
        assert person.rows(encoded).to_pylist() == [False, expected, False]


def _pairs(value: Any) -> Any:
    return [tuple(pair) for pair in value] if isinstance(value, list) else value


def test_a_visitor_of_two_days() -> None:
    """A visitor is found under today's salt and under yesterday's; a short one by nothing else."""
    rows = pa.Table.from_pylist(
        [
            event("a", 1, visitor_id="v"),
            event("a", 2, visitor_before="v"),
            event("a", 3, user_id="v"),
            event("a", 4, visitor_id=None),
        ],
        EVENTS,
    )
    assert Person("visitor", "v").rows(rows).to_pylist() == [True, True, False, False]
    assert Person("user", "v").rows(rows).to_pylist() == [False, False, True, False]


@pytest.mark.parametrize("name", ["", " ", "x" * 513, "\udc80abcdefgh"], ids=["empty", "blank", "long", "no text"])
def test_what_is_no_id_is_refused(name: str) -> None:
    """An id that would be everybody's, or that no row can hold, is refused with a hint."""
    with pytest.raises(SettingsError) as error:
        Person("user", name)
    assert error.value.hint


def test_long_ids_are_searched_in_bounded_time() -> None:
    """The longest id there may be, of one letter, in a megabyte of that letter's escapes: found, without an error."""
    person = Person("user", "é" * 512)
    assert person.is_in(b"%C3%A9" * 200_000)
    assert not person.is_in(b"%C3%A9x" * 200_000)


def test_texts_of_a_packed_file(tmp_path: Path) -> None:
    """What is read as dictionaries, as a large packed file is, also within maps, tells the same as plain texts."""
    rng = random.Random(3)
    sent = [[("who", [f"person-{rng.randrange(9)}-xxxx", "b"]), (f"k{rng.randrange(3)}", [])] for _ in range(500)]
    rows = [
        event("p", at, properties=rng.choice([None, [], each]), title=rng.choice("abc")) for at, each in enumerate(sent)
    ]
    plain = pa.Table.from_pylist(rows, EVENTS)
    with (tmp_path / "packed").open("wb") as file, layout.writer(file, plain.schema, layout.packed(plain)) as target:
        target.write_table(plain)
    whole = place.parquet(tmp_path / "packed")
    names = layout.dictionaries(whole.metadata)
    assert "properties.key_value.value.list.element" in names
    for who in (Person("user", "person-3-xxxx"), Person("user", "k1"), Person("visitor", "person-3-xxxx")):
        for batch in place.parquet(tmp_path / "packed", names).iter_batches(128):
            coded = pa.Table.from_batches([batch])
            start = coded["position"][0].as_py()
            wanted = who.rows(plain.slice(start, batch.num_rows).select(coded.column_names))
            assert who.rows(coded).to_pylist() == wanted.to_pylist()
    assert pc.any(Person("user", "person-3-xxxx").rows(plain)).as_py()
