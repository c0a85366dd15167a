"""What is a person's: whether a text, a row or a hit holds their id, however it is written.

An id of `LEAST` characters or more is looked for in all text, also in part of
it: as it is, percent-encoded (also more than once), escaped as in JSON, and in
UTF-16. A shorter one would be found in others' text: only what is the whole of
a value counts. An id of digits alone is none in the middle of a longer number.

Arrow's regular expressions (RE2) take a time that grows with the text alone,
whatever the id and the text are.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, Final, Literal, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.errors import SettingsError

LEAST: Final = 8
"""Characters of an id that is looked for in parts of text."""
LONGEST: Final = 512
"""Characters of an id: the lake keeps no longer ones whole, and the search for one costs memory."""
IDS: Final[Mapping[str, Sequence[str]]] = {"user": ("user_id",), "visitor": ("visitor_id", "visitor_before")}
"""Kind of person -> the columns that hold their id."""
_LOWERED: Final = frozenset({"site", "host", "referrer_host"})
"""Columns whose text may be in lower case where another was sent."""

_SHORT: Final = {'"': '"', "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
"""What stands behind a backslash in JSON for a character."""

_pc: Any = pc  # its stubs do not fit together


class Who(Protocol):
    """Who is to be found: a `Person`, or those of a log (`pixelake.operate.erasures.Erased`)."""

    @property
    def kind(self) -> str:
        """``user`` or ``visitor``."""
        ...

    @property
    def in_text(self) -> bool:
        """Whether the id is looked for in parts of text."""
        ...

    def rows(self, rows: pa.Table) -> Any:
        """For each row whether it is theirs."""
        ...

    def said(self, texts: Any, *, lowered: bool = False) -> Any:
        """For each text whether the id is in it; `lowered`: also in other cases of its letters."""
        ...

    def sent(self, data: Sequence[bytes]) -> list[bool]:
        """For each sequence of bytes whether the id is in it."""
        ...

    def values(self, values: Mapping[str, Sequence[str]]) -> bool:
        """Whether one of the values that were sent is, or holds, the id."""
        ...


@dataclass(frozen=True)
class Person:
    """Somebody, by the id that was sent (``user``) or that the visitor was given (``visitor``).

    Attributes:
        kind: of the id.
        id: as in the lake.

    Raises:
        SettingsError: the id is empty, too long, or no text.
    """

    kind: Literal["user", "visitor"]
    id: str

    def __post_init__(self) -> None:
        if not self.id.strip() or len(self.id) > LONGEST:
            raise SettingsError("the id is empty or too long", f"name one of 1 to {LONGEST} characters")
        try:
            self.id.encode()
        except UnicodeEncodeError:
            raise SettingsError("the id is no text", "give it in UTF-8") from None

    @property
    def in_text(self) -> bool:
        """Whether the id is long enough to be looked for in parts of text."""
        return len(self.id) >= LEAST

    @cached_property
    def _text(self) -> str:
        return _bounded(self.id, "".join(map(_character, self.id)))

    @cached_property
    def _bytes(self) -> str:
        wide = [_literal(self.id.encode(name)) for name in ("utf-16-le", "utf-16-be")]
        return "|".join([_bounded(self.id, "".join(map(_in_bytes, self.id))), *wide])

    def said(self, texts: Any, *, lowered: bool = False) -> Any:
        """For each text whether the id is in it; texts as an array or a chunked one, also of dictionaries.

        `lowered`: also in other cases of its letters.
        """
        pattern = f"(?i){self._text}" if lowered else self._text
        return _each(texts, lambda values: _pc.match_substring_regex(values, pattern).fill_null(False))

    def sent(self, data: Sequence[bytes]) -> list[bool]:
        """For each sequence of bytes whether the id is in it, in any of its ways of being written."""
        found: Any = _pc.match_substring_regex(pa.array(data, pa.large_binary()), self._bytes)
        return list(found.to_pylist())

    def is_in(self, data: Any) -> bool:
        """The same of one buffer of bytes, which is not copied."""
        view = pa.py_buffer(data)
        offsets = pa.array([0, view.size], pa.int64()).buffers()[1]
        whole: Any = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, view])
        return bool(_pc.match_substring_regex(whole, self._bytes)[0].as_py())

    def equals(self, texts: Any) -> Any:
        """For each text whether it is the id."""
        return _each(texts, lambda values: _pc.equal(values, pa.scalar(self.id, values.type)).fill_null(False))

    def rows(self, rows: pa.Table) -> Any:
        """For each row of events whether it is this person's. Columns that are not there do not count."""
        found = [self.equals(_whole(rows[name])) for name in IDS[self.kind] if name in rows.column_names]
        texts: list[_Texts] = []
        lowered: list[_Texts] = []
        for name in rows.column_names:
            column = _whole(rows[name])
            if pa.types.is_map(column.type):
                texts += _texts_of_maps(column)
            elif self.in_text and _is_text(column.type):
                (lowered if name in _LOWERED else texts).append(_texts_of(column))
        found += _told(texts, self.said if self.in_text else self.equals)
        found += _told(lowered, lambda values: self.said(values, lowered=True))
        return reduce(_pc.or_, found, pa.array([False] * rows.num_rows, pa.bool_()))

    def values(self, values: Mapping[str, Sequence[str]]) -> bool:
        """Whether one of the values that were sent, or a name, is or holds the id."""
        texts = [*values, *(each for sent in values.values() for each in sent)]
        if self.in_text:
            return bool(_pc.any(self.said(pa.array(texts, pa.string()))).as_py())
        return self.id in texts


def text_columns(schema: pa.Schema) -> list[str]:
    """The columns that `Person.rows` looks at."""
    return [field.name for field in schema if _is_text(field.type) or pa.types.is_map(field.type)]


class _Texts(NamedTuple):
    """Texts, and how to make of what is told of each what is told of the rows."""

    values: Any
    of_rows: Callable[[Any], Any]


def _told(texts: Sequence[_Texts], look: Callable[[Any], Any]) -> Iterator[Any]:
    """For the rows of each whether a text of theirs is told. Asked once about all: to begin takes 0.2 ms."""
    if not texts:
        return
    answers = look(pa.concat_arrays([each.values for each in texts]))
    start = 0
    for each in texts:
        yield each.of_rows(answers.slice(start, len(each.values)))
        start += len(each.values)


def _texts_of(column: Any) -> _Texts:
    """Those of a column; of one of dictionaries the distinct ones."""
    if isinstance(column, pa.DictionaryArray):
        indices = column.indices
        return _Texts(column.dictionary.cast(pa.string()), lambda told: told.take(indices).fill_null(False))
    return _Texts(column.cast(pa.string()), lambda told: told)


def _texts_of_maps(maps: Any) -> list[_Texts]:
    """The names and the values of maps of lists of texts."""
    if maps.offset:
        maps = maps.take(pa.array(range(len(maps)), pa.int64()))  # its parts do not know where it begins
    rows = pa.array(range(len(maps)), pa.int64())

    def spread(parents: Any) -> Callable[[Any], Any]:
        return lambda told: _pc.is_in(rows, value_set=parents.filter(told).cast(pa.int64()))

    names = _pc.list_parent_indices(pa.ListArray.from_arrays(maps.offsets, maps.keys))
    lists = _pc.list_parent_indices(pa.ListArray.from_arrays(maps.offsets, maps.items))
    values = lists.take(_pc.list_parent_indices(maps.items))
    found = (maps.keys, spread(names)), (_pc.list_flatten(maps.items), spread(values))
    return [_spread(_texts_of(texts), of_rows) for texts, of_rows in found]


def _spread(texts: _Texts, of_rows: Callable[[Any], Any]) -> _Texts:
    """What is told of the texts, told of the rows that have them."""
    return _Texts(texts.values, lambda told: of_rows(texts.of_rows(told)))


def _each(texts: Any, look: Any) -> Any:
    """Ask about the distinct texts of a dictionary only."""
    if isinstance(texts, pa.ChunkedArray):
        return pa.chunked_array([_each(chunk, look) for chunk in texts.chunks], pa.bool_())
    if isinstance(texts, pa.DictionaryArray):
        return look(texts.dictionary).take(texts.indices).fill_null(False)
    return look(texts)


def _whole(mask: Any) -> Any:
    return mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if isinstance(kind, pa.DictionaryType) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))


# --- how a character may be written


def _character(character: str) -> str:
    return f"(?:{'|'.join([f'{chr(92)}x{{{ord(character):x}}}', *_escapes(character)])})"


def _in_bytes(character: str) -> str:
    ways = dict.fromkeys([character.encode(), *_legacy(character)])
    return f"(?:{'|'.join([*map(_literal, ways), *_escapes(character)])})"


def _escapes(character: str) -> Iterator[str]:
    r"""Percent-encoded in UTF-8 or as browsers wrote before, also again and again; ``\u00e9``; a plus, a backslash."""
    for encoded in dict.fromkeys([character.encode(), *_legacy(character)]):
        yield "".join(f"%(?:25)*{_hex(f'{byte:02x}')}" for byte in encoded)
    units = character.encode("utf-16-be").hex()
    yield "".join(rf"\x5c+u{_hex(units[at : at + 4])}" for at in range(0, len(units), 4))
    if character == " ":
        yield r"\x2b"
    elif character == "\\":
        yield r"\x5c+"
    elif character in _SHORT:
        yield rf"\x5c+\x{{{ord(_SHORT[character]):x}}}"


def _legacy(character: str) -> list[bytes]:
    """The byte that stands for it where nobody says UTF-8."""
    try:
        return [] if character.isascii() else [character.encode("cp1252")]
    except UnicodeEncodeError:
        return []


def _hex(digits: str) -> str:
    return "".join(digit if digit.isdigit() else f"[{digit}{digit.upper()}]" for digit in digits)


def _literal(data: bytes) -> str:
    return "".join(rf"\x{{{byte:x}}}" for byte in data)


def _bounded(name: str, pattern: str) -> str:
    """Digits alone are not found in a longer number; an escape before them ends with no digit of that number."""
    if not (name.isascii() and name.isdigit()):
        return pattern
    return rf"(?:^|[^0-9]|%[0-9A-Fa-f]{{2}}|\x5cu[0-9A-Fa-f]{{4}}){pattern}(?:[^0-9]|$)"
