"""The user's JSON Schemas: what is validated, and what is refused at start."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pixelake.errors import SettingsError
from pixelake.transform import schemas as module
from pixelake.transform.schemas import Schemas, load


def faults(folder: Path, schema: Any, values: Mapping[str, Sequence[str]], event: str = "e") -> list[tuple[str, str]]:
    """Field and text of what is wrong."""
    (folder / "e.json").write_text(json.dumps(schema))
    found = load(folder).check(event, values)
    assert {fault.reason for fault in found} <= {"schema"}
    return [(fault.field, fault.text) for fault in found]


def of(name: str, **keywords: Any) -> dict[str, Any]:
    """A schema about one name."""
    return {"properties": {name: keywords}}


FITS = {
    "a text": (of("a", type="string"), {"a": ["5"]}),
    "a number": (of("a", type="number"), {"a": ["-12.50"]}),
    "a whole number": (of("a", type="integer"), {"a": ["12"]}),
    "a whole number with a point": (of("a", type="integer"), {"a": ["12.0"]}),
    "a number by its bounds": (of("a", minimum=3), {"a": ["3"]}),
    "a number by its values": (of("a", enum=[1, 2]), {"a": ["2"]}),
    "a text by its values": (of("a", enum=["1", "2"]), {"a": ["2"]}),
    "a boolean": (of("a", type="boolean"), {"a": ["false"]}),
    "nothing": (of("a", type=["null", "number"]), {"a": [""]}),
    "an object": (of("a", required=["b"]), {"a": ['{"b":1}']}),
    "a list": (of("a", type="array", items={"type": "integer"}), {"a": ["1", "2"]}),
    "a list of one": (of("a", type="array"), {"a": ["x"]}),
    "a list of none": (of("a", type="array", maxItems=0), {"a": []}),
    "a list as JSON": (of("a", items={"type": "integer"}, type="array"), {"a": ["[1,2]"]}),
    "a value": ({"properties": {"value": {"exclusiveMinimum": 0}}}, {"value": [" 1.5 "]}),
    "a value that nobody typed": (of("value", maximum=2), {"value": ["2"]}),
    "a value as text": (of("value", type="string", pattern="^1"), {"value": ["1.50"]}),
    "a type elsewhere in the file": (
        {"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}},
        {"a": ["5"]},
    ),
    "its name": ({"properties": {"event": {"const": "e"}}, "required": ["event"]}, {}),
    "an older draft": ({"$schema": "http://json-schema.org/draft-07/schema#", **of("a", type="number")}, {"a": ["1"]}),
    "everything": (True, {"a": ["1"]}),
    "digits of other scripts": (of("a", type=["number", "string"]), {"a": ["١٢"]}),
}


@pytest.mark.parametrize(("schema", "values"), FITS.values(), ids=FITS.keys())
def test_fits(tmp_path: Path, schema: Any, values: dict[str, list[str]]) -> None:
    """Texts stand for what the schema asks for, if they are written like it."""
    assert faults(tmp_path, schema, values) == []


WRONG = {
    "no number": (of("a", type="number"), {"a": ["x"]}, "a"),
    "a number of another script": (of("a", type="number"), {"a": ["١٢"]}, "a"),
    "no whole number": (of("a", type="integer"), {"a": ["1.5"]}, "a"),
    "too small": (of("value", minimum=5), {"value": ["4.99"]}, "value"),
    "several": (of("a", type="number"), {"a": ["1", "2"]}, "a"),
    "no boolean": (of("a", type="boolean"), {"a": ["yes"]}, "a"),
    "missing": ({"required": ["a"]}, {}, ""),
    "null": ({"required": ["a"]}, {"a": []}, ""),
    "empty, of a native name": ({"required": ["currency"]}, {"currency": [""]}, ""),
    "an item": (of("a", type="array", items={"type": "integer"}), {"a": ["1", "x"]}, "a"),
    "no object": (of("a", type="object"), {"a": ["{"]}, "a"),
    "nested too deep": (of("a", type="object"), {"a": ['{"a":' * 5_000]}, "a"),
    "no address": (of("a", format="email"), {"a": ["x"]}, "a"),
    "too many names": ({"properties": {"event": True}, "additionalProperties": False}, {"b": ["1"]}, ""),
    "nothing fits": (False, {}, ""),
}


@pytest.mark.parametrize(("schema", "values", "field"), WRONG.values(), ids=WRONG.keys())
def test_wrong(tmp_path: Path, schema: Any, values: dict[str, list[str]], field: str) -> None:
    """The field is named."""
    assert [each for each, _ in faults(tmp_path, schema, values)] == [field]


def test_all_at_once_and_nothing_of_what_was_sent(tmp_path: Path) -> None:
    """Every fault is told; none repeats the value, which might say who somebody is."""
    schema = {"properties": {"user": {"pattern": "^u-"}, "a": {"maxLength": 1}, "b": {"type": "number"}}}
    found = faults(tmp_path, schema, {"user": ["ada"], "a": ["ada"], "b": ["ada"]})
    assert sorted(field for field, _ in found) == ["a", "b", "user"]
    assert "ada" not in str(found)


def test_not_without_end(tmp_path: Path) -> None:
    """Of a thousand faults some are told, each in some letters."""
    schema = {"properties": {"a": {"type": "array", "items": {"const": "y" * 9_999}}}}
    found = faults(tmp_path, schema, {"a": ["x"] * 1_000})
    assert len(found) == module.MOST_FAULTS
    assert all(len(text) <= module.MOST_TEXT for _, text in found)


def test_other_events(tmp_path: Path) -> None:
    """A schema is for the events of its name, in its case; without schemas nothing is looked at."""
    assert faults(tmp_path, False, {}, event="E") == []
    assert list(Schemas().check("e", {})) == []
    assert load(tmp_path / "none").known == {}


def test_other_files(tmp_path: Path) -> None:
    """What is no schema by its name is passed over."""
    for name in (".e.json", "README.md", "e.json~"):
        (tmp_path / name).write_text("no JSON")
    assert load(tmp_path).known == {}


BAD = {
    "no JSON": "{",
    "no UTF-8": b"\xff",
    "empty": "",
    "no object": "5",
    "an unknown type": '{"type":"nope"}',
    "a broken pattern": '{"properties":{"a":{"pattern":"("}}}',
    "an unknown draft": '{"$schema":"https://example.com/s"}',
    "one elsewhere": '{"$ref":"https://example.com/s.json"}',
    "a file elsewhere": '{"$ref":"file:///etc/passwd"}',
    "a file beside": '{"$ref":"other.json"}',
    "a part that is not there": '{"$ref":"#/$defs/a"}',
    "nested too deep": "[" * 5_000,
    "too long": '{"title":"' + "x" * module.MAX_FILE + '"}',
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_no_schema(tmp_path: Path, text: str | bytes) -> None:
    """It is refused in one line that names the file; nothing is ever fetched."""
    path = tmp_path / "purchase.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError) as caught:
        load(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["a folder", "a pipe"])
def test_something_else_instead_of_a_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """Cannot be read, and that is said; nobody waits for who writes into a pipe."""
    make(tmp_path / "e.json")
    with pytest.raises(SettingsError, match="cannot read"):
        load(tmp_path)
