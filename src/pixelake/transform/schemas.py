"""The user's own rules for events: a JSON Schema for each event name, ``<folder>/<event>.json``.

What is validated is one object for each event: native name or property -> what
was sent. A schema may be of any draft up to 2020-12; ``format`` is checked.
Values arrive as text, in a query there is nothing else; so that a schema can
say ``"type": "number"`` all the same,

- a name sent once is a text, sent several times a list of texts, and one
  without a value (``null``, ``[]``) is not there; nor is a native name whose
  text is empty;
- where ``properties`` of the schema (not of one nested in it) gives a name a
  ``type`` other than string, a text that is written like such a value stands
  for it: ``12.50`` is a number, ``true`` a boolean, ``{"a":1}`` an object, and
  ``array`` makes a list also of a single value. Without a ``type`` its other
  keywords tell: ``minimum`` is for numbers, ``items`` for arrays;
- ``value`` is a number unless its type is string;
- ``event`` is always there, also where nobody sent it (``pageview``).

Addresses of other documents (``$ref``) are never fetched: a schema must stand
by itself. Faults never repeat what was sent.
"""

import errno
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
from jsonschema_rs import ValidationError, Validator, validator_for

from pixelake.dialects.base import Fault
from pixelake.dialects.native import NAMES
from pixelake.errors import SettingsError

MAX_FILE: Final = 1 << 20
"""Bytes of a schema."""
MAX_SCHEMAS: Final = 10_000
MOST_FAULTS: Final = 20
"""Faults told of one event; a list of a thousand wrong items has no more to say."""
MOST_TEXT: Final = 200
"""Characters told of a fault."""

_ENDING: Final = ".json"
_MASK: Final = "what was sent"
_NATIVE: Final = frozenset(NAMES)
_NUMBER: Final = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,2})?", re.ASCII)
_HOPS: Final = 8
"""References that are followed to find a type."""
_TOLD_BY: Final = (
    ("number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
    ("array", {"items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"}),
    ("object", {"properties", "required", "additionalProperties", "patternProperties", "propertyNames"}),
)
"""Type -> the keywords that only mean something for it."""

Kinds = frozenset[str]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The types that a name may have, and those of its items if it is a list."""

    kinds: Kinds = frozenset()
    items: Kinds = frozenset()


@dataclass(frozen=True, slots=True)
class _Schema:
    validator: Validator
    wanted: Mapping[str, _Wanted]


@dataclass(frozen=True, slots=True)
class Schemas:
    """Compiled schemas by event name. Pure and frozen: safe for any thread."""

    known: Mapping[str, _Schema] = field(default_factory=dict)

    def check(self, event: str, values: Mapping[str, Sequence[str]]) -> Sequence[Fault]:
        """What is wrong with an event; nothing, at the cost of one look-up, if its name has no schema.

        Args:
            event: its name, as it will stand in the lake.
            values: native name or property -> its values, without secrets.
        """
        schema = self.known.get(event)
        if schema is None:
            return ()
        instance = _instance(values, schema.wanted) | {"event": event}
        return [_fault(error) for error in islice(schema.validator.iter_errors(instance), MOST_FAULTS)]


def load(folder: Path) -> Schemas:
    """The schemas of a folder; none if it is not there. Other endings, and names that begin with a dot, do not count.

    Raises:
        SettingsError: a file cannot be read, or is no JSON Schema.
    """
    try:
        paths = sorted(path for path in folder.glob("*" + _ENDING) if not path.name.startswith("."))
    except OSError as error:
        raise SettingsError(f"cannot read {folder}: {error.strerror}", "name another folder with --schemas") from error
    if len(paths) > MAX_SCHEMAS:
        raise SettingsError(f"{folder} has {len(paths)} schemas", f"at most {MAX_SCHEMAS}")
    return Schemas({path.name.removesuffix(_ENDING): _compiled(path) for path in paths})


def _compiled(path: Path) -> _Schema:
    try:
        sent = _read(path)
        if len(sent) > MAX_FILE:
            raise SettingsError(f"{path} has more than {MAX_FILE} bytes", "split the event, or say less about it")
        document = msgspec.json.decode(sent)
        validator_for(document, validate_formats=True, offline=True)  # tells what is wrong without a mask
        # What its regular expressions cost is the user's affair; still, they give up after a million steps.
        validator = validator_for(document, mask=_MASK, validate_formats=True, offline=True)
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}", "make it readable, or take it away") from error
    except ValidationError as error:
        where = "/".join(map(str, error.instance_path))
        why = f"{where}: {_line(error.message)}" if where else _line(error.message)
        raise SettingsError(
            f"{path} is no JSON Schema: {why}", "mend it, or take it away; documents elsewhere are never fetched"
        ) from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path} is no JSON Schema: {_line(str(error))}", "mend it, or take it away") from error
    return _Schema(validator, _wanted(document))


def _read(path: Path) -> bytes:
    """The file, or a byte more than it may have. Raises OSError."""
    if path.is_fifo():
        raise OSError(errno.EINVAL, "it is a pipe")  # to open it would wait for a writer
    with path.open("rb") as file:
        return file.read(MAX_FILE + 1)


def _wanted(document: Any) -> Mapping[str, _Wanted]:
    """The types of the names that the schema itself lists."""
    listed = document.get("properties") if isinstance(document, dict) else None
    names: dict[str, Any] = {"value": {}} | (listed if isinstance(listed, dict) else {})
    found = {}
    for name, schema in names.items():
        meant = _followed(schema, document)
        kinds = _kinds(meant) or (frozenset({"number"}) if name == "value" else frozenset())
        items = _kinds(_followed(meant.get("items"), document)) if "array" in kinds else frozenset()
        found[name] = _Wanted(kinds, items)
    return found


def _followed(schema: Any, document: Any) -> Mapping[str, Any]:
    """A schema; where it only refers to another part of its document, that part."""
    for _ in range(_HOPS):
        if not isinstance(schema, dict) or not str(schema.get("$ref", "")).startswith("#/"):
            break
        schema = _part(document, schema["$ref"][2:].split("/"))
    return schema if isinstance(schema, dict) else {}


def _part(document: Any, pointer: Sequence[str]) -> Any:
    for step in pointer:
        document = document.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(document, dict) else None
    return document


def _kinds(schema: Mapping[str, Any]) -> Kinds:
    """The types that a schema asks for; none if it does not say."""
    told = schema.get("type")
    if told:
        return frozenset([told] if isinstance(told, str) else told)
    listed = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return frozenset(map(_kind, listed)) | {kind for kind, keywords in _TOLD_BY if not keywords.isdisjoint(schema)}


def _kind(value: Any) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "string", dict: "object", list: "array"}
    return names.get(type(value), "null")


def _instance(values: Mapping[str, Sequence[str]], wanted: Mapping[str, _Wanted]) -> dict[str, Any]:
    """What is validated."""
    instance = {}
    for name, texts in values.items():
        asked = wanted.get(name, _Wanted())
        sent = [text for text in texts if text] if name in _NATIVE else texts
        if sent or (texts is sent and "array" in asked.kinds):
            instance[name] = _value(sent, asked)
    return instance


def _value(texts: Sequence[str], wanted: _Wanted) -> Any:
    if "array" in wanted.kinds:
        whole = _json(texts[0], "[") if len(texts) == 1 else None
        return [_one(text, wanted.items) for text in texts] if whole is None else whole
    found = [_one(text, wanted.kinds) for text in texts]
    return found[0] if len(found) == 1 else found


def _one(text: str, kinds: Kinds) -> Any:
    """A text as what it is written like, if that is asked for."""
    if not kinds or "string" in kinds:
        return text
    if not kinds.isdisjoint(("number", "integer")) and _NUMBER.fullmatch(text.strip()):
        return _number(text.strip())
    if "boolean" in kinds and text in ("true", "false"):
        return text == "true"
    if "null" in kinds and not text:
        return None
    found = _json(text, "{") if "object" in kinds else None
    return text if found is None else found


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("+-").isdecimal() else float(text)


def _json(text: str, start: str) -> Any:
    """A JSON text that begins with that letter; None if it is none."""
    if text.lstrip()[:1] != start:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def _fault(error: ValidationError) -> Fault:
    """Without what was sent: of an anonymous hit it may tell who it was."""
    path = error.instance_path
    return Fault("schema", str(path[0])[:80] if path else "", _line(error.message))


def _line(message: str) -> str:
    return message.partition("\n")[0][:MOST_TEXT]
