"""The log of erasures: who was erased, without saying who, so that a restore of an older backup can do it again.

``registry/erasures.jsonl``, or ``_erasures/`` in the lake if the registry is no
file, and ``erasures.jsonl`` beside each known backup, in a bucket ``erasures/``:
a line when an erasure begins, and one when it is done, with the same `id`. Of the
person there is a keyed hash (HMAC-SHA256 under a secret of the installation)
and the length; and the places of what was erased, which tell nothing.

A backup may be older than the secret: so the lines beside it have that, too.
Whoever can read a backup can read the person in it anyway.
"""

import hmac
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial, reduce
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Literal, TypeVar
from urllib.parse import unquote_plus

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pixelake.clock import SECOND
from pixelake.errors import BackupError, RegistryUnavailable
from pixelake.operate import erase_log
from pixelake.operate.erase_hits import WHOLE, Places
from pixelake.operate.notices import Notice
from pixelake.operate.person import IDS, LEAST, Person, text_columns
from pixelake.stream.base import Partition, Position
from pixelake.warehouse.place import Place

FILE: Final = erase_log.FILE
SECRET: Final = "erasures"  # noqa: S105 - its name
"""The name of the secret in the registry."""
CANDIDATES: Final = 4_096
"""Parts of one text that are compared at most."""
_WORD: Final = re.compile(r"\w+")
_pc: Any = pc


E = TypeVar("E", bound="Begun")


class Begun(msgspec.Struct, frozen=True):
    """An erasure, as far as it tells whether it is done.

    Attributes:
        id: its name; random.
        at: when it was begun (µs UTC).
        state: ``begun`` or ``done``.
        kind: of the person's id.
        hash: HMAC-SHA256 of the id, as hexadecimal digits.
    """

    id: str
    at: int
    state: Literal["begun", "done"]
    kind: Literal["user", "visitor"]
    hash: str


class Entry(Begun, frozen=True):
    """An erasure, and what it was about.

    Attributes:
        length: characters of the id.
        places: hits of which the first element is erased, by partition: runs of positions. Noted before it goes.
        wholes: hits of which all is, in the same way.
        further: the names of further elements.
        key: of the hash; only beside a backup.
    """

    length: int
    places: dict[Partition, list[tuple[Position, Position]]] = {}
    wholes: dict[Partition, list[tuple[Position, Position]]] = {}
    further: list[str] = []
    key: str = ""


def digest(name: str, key: str) -> str:
    """The keyed hash of an id."""
    return hmac.digest(key.encode(), name.encode(errors="surrogatepass"), "sha256").hex()


def append(where: Place, entry: Entry) -> None:
    """Add a line to the log in a folder or in a place of backups, durably, however many do at once.

    Raises:
        OSError: it is not known to be there.
    """
    erase_log.add(where, entry.id, msgspec.json.encode(entry))


def read(where: Place) -> list[Entry]:
    """The erasures, the oldest first: of each the last line. A torn line, of a power cut, is passed over.

    Raises:
        BackupError: it cannot be read.
    """
    return _read(where, Entry)


def _read(where: Place, kind: type[E]) -> list[E]:
    try:
        data = erase_log.lines(where)
    except OSError as error:
        hint = "look at the disk" if isinstance(where, Path) else where.hint
        raise BackupError(f"cannot read {where / FILE}: {error.strerror or error}", hint) from error
    found: dict[str, E] = {}
    for line in data:
        try:
            entry = msgspec.json.decode(line, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        found[entry.id] = entry
    return list(found.values()) if isinstance(where, Path) else sorted(found.values(), key=attrgetter("at", "id"))


def with_key(entry: Entry, key: str) -> Entry:
    """The same for the log beside backups, which may be older than the key."""
    return msgspec.structs.replace(entry, key=entry.key or key)


def without_key(entry: Entry, key: str) -> Entry:
    """The same for the log of an installation that has this key."""
    return msgspec.structs.replace(entry, key="") if entry.key == key else entry


@contextmanager
def reported(log: Place) -> Iterator[None]:
    """Turn what the disk or the store says of the log into `RegistryUnavailable`."""
    try:
        yield
    except OSError as error:
        said = error.strerror or error
        hint = "look at the disk" if isinstance(log, Path) else log.hint
        raise RegistryUnavailable(f"cannot write {log / FILE}: {said}", hint) from error


def unfinished(where: Place) -> list[Begun]:
    """Those that were begun, and neither done nor, under another name, done again since. Cheap: places are not read.

    Raises:
        BackupError: the log cannot be read.
    """
    entries = _read(where, Begun)
    done = {(each.kind, each.hash): each.at for each in entries if each.state == "done"}
    return [each for each in entries if each.state == "begun" and done.get((each.kind, each.hash), 0) < each.at]


def notices(log: Place) -> Sequence[Notice]:
    """What `status` tells of erasures that were begun and not finished."""
    try:
        found = unfinished(log)
    except BackupError as error:
        return [Notice("warning", "erasures_unreadable", f"{error}: nobody can tell what a restore has to erase", "")]
    if not found:
        return []
    first = datetime.fromtimestamp(found[0].at // SECOND, UTC).isoformat()
    text = f"an erasure begun at {first} is not finished: unless it still runs, erase the same person again"
    return [Notice("error", "erasure_unfinished", text, "")]


def with_places(entry: Entry, places: Places) -> Entry:
    """The same with what is erased: hits, and which of their elements."""
    further = [
        f"{partition}-{position}.{index}"
        for (partition, position), elements in places.items()
        for index in elements
        if index > 0
    ]
    return msgspec.structs.replace(
        entry,
        places=_runs(place for place, elements in places.items() if 0 in elements),
        wholes=_runs(place for place, elements in places.items() if WHOLE in elements),
        further=sorted(further),
    )


def done(entry: Entry) -> Entry:
    """The line of an erasure that has come to its end."""
    return msgspec.structs.replace(entry, state="done")


def cut_short(log: Place, entry: Entry, key: str) -> dict[tuple[Partition, Position], frozenset[int]]:
    """What earlier erasures of the same person had found that were begun and never done.

    Raises:
        BackupError: the log cannot be read.
    """
    if not unfinished(log):
        return {}
    same = [each for each in read(log) if each.state == "begun" and (each.kind, each.hash) == (entry.kind, entry.hash)]
    return dict(Erased(same, key).places)


def _runs(places: Iterable[tuple[Partition, Position]]) -> dict[Partition, list[tuple[Position, Position]]]:
    found: dict[Partition, list[tuple[Position, Position]]] = defaultdict(list)
    for partition, position in sorted(places):
        runs = found[partition]
        if runs and runs[-1][1] == position - 1:
            runs[-1] = runs[-1][0], position
        else:
            runs.append((position, position))
    return dict(found)


class Erased:
    """Tells what belongs to somebody who was erased, by the log alone; see `pixelake.operate.person.Person`.

    By the places, by whole ids, and by parts of text that begin where a word
    begins and have the length of the id.

    Args:
        entries: the erasures.
        key: of the hashes of those that do not have it themselves.
    """

    kind: Literal["user", "visitor"] = "user"
    in_text = True

    def __init__(self, entries: Sequence[Entry], key: str) -> None:
        self._elements: dict[tuple[Partition, Position], set[int]] = defaultdict(set)
        self._hashes: dict[tuple[str, str], set[str]] = defaultdict(set)
        """Kind and key -> hashes."""
        self._parts: dict[tuple[str, int], set[str]] = defaultdict(set)
        """Key and length -> hashes of ids that are looked for in text."""
        self._short: dict[str, set[str]] = defaultdict(set)
        for entry in entries:
            own = entry.key or key
            self._hashes[entry.kind, own].add(entry.hash)
            if entry.length >= LEAST:
                self._parts[own, entry.length].add(entry.hash)
            elif entry.kind == "user":
                self._short[own].add(entry.hash)
            for index, places in ((0, entry.places), (WHOLE, entry.wholes)):
                for partition, runs in places.items():
                    for position in (each for first, last in runs for each in range(first, last + 1)):
                        self._elements[partition, position].add(index)
            for hit_id in entry.further:
                name, _, place = hit_id.rpartition("-")
                at, _, number = place.partition(".")
                self._elements[name, int(at)].add(int(number))
        self._names = pa.array(
            [
                f"{partition}-{position}" + f".{index}" * (index > 0)
                for (partition, position), elements in self._elements.items()
                for index in elements
            ],
            pa.string(),
        )

    @property
    def places(self) -> Places:
        """Where what was erased was."""
        return {place: frozenset(elements) for place, elements in self._elements.items()}

    def rows(self, rows: pa.Table) -> Any:
        """For each row of events whether it is one of theirs."""
        found = [self._in_places(rows)]
        for kind, columns in IDS.items():
            there = [rows[name] for name in columns if name in rows.column_names]
            found += [self._of_distinct(column, partial(self._is, kind)) for column in there]
        for name in text_columns(rows.schema):
            if pa.types.is_map(rows[name].type):
                lists: list[Any] = rows[name].to_pylist()
                found.append(pa.array([self.values(dict(each or ())) for each in lists], pa.bool_()))
            else:
                found.append(self._of_distinct(rows[name], self._is_in))
        return reduce(_pc.or_, found)

    def said(self, texts: Any, *, lowered: bool = False) -> Any:  # noqa: ARG002 - a hash knows no other cases
        """For each text whether one of the ids is in it."""
        return self._of_distinct(texts, self._is_in)

    def sent(self, data: Sequence[bytes]) -> list[bool]:
        """For each sequence of bytes whether one of the ids is in it."""
        return [self._is_in(each.decode(errors="replace")) for each in data]

    def values(self, values: Mapping[str, Sequence[str]]) -> bool:
        """Whether one of the values that were sent, or a name, is or holds one of the ids."""
        texts = [*values, *(each for sent in values.values() for each in sent or ())]
        return any(self._is_in(text) or self._is_short(text) for text in texts if text)

    def _in_places(self, rows: pa.Table) -> Any:
        """By their names, which have the place in them; those of unordered streams are found by the id."""
        return _pc.is_in(rows["hit_id"].cast(pa.string()), value_set=self._names).combine_chunks()

    @staticmethod
    def _of_distinct(texts: Any, look: Any) -> Any:
        whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
        coded: Any = whole if isinstance(whole, pa.DictionaryArray) else whole.dictionary_encode()
        told = pa.array([look(text) if text else False for text in coded.dictionary.to_pylist()], pa.bool_())
        return told.take(coded.indices).fill_null(False)

    def _is(self, kind: str, text: str) -> bool:
        return any(digest(text, key) in hashes for (of, key), hashes in self._hashes.items() if of == kind)

    def _is_short(self, text: str) -> bool:
        return len(text) < LEAST and any(digest(text, key) in hashes for key, hashes in self._short.items())

    def _is_in(self, text: str) -> bool:
        if not self._parts:
            return False
        plain = unquote_plus(text) if "%" in text or "+" in text else text
        return any(
            digest(each[start : start + length], key) in hashes
            for each in dict.fromkeys((text, plain))
            for start in _starts(each)
            for (key, length), hashes in self._parts.items()
            if start + length <= len(each)
        )


def _starts(text: str) -> list[int]:
    """Where an id may begin: where a word does, and one before that."""
    found = {0}
    for match in _WORD.finditer(text):
        found.update((match.start(), max(0, match.start() - 1)))
        if len(found) >= CANDIDATES:
            break
    return sorted(found)


def entry_of(person: Person, name: str, at: int, key: str) -> Entry:
    """The line of an erasure that begins."""
    return Entry(name, at, "begun", person.kind, digest(person.id, key), len(person.id))
