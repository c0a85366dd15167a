"""An access log becomes events, rejects and lines that are left out: each line once, wherever it is cut short.

The log is a partition named after its content, a line's number its position; so
the lake's own positions tell how far it is. Where a log names its requests, hits
have these names, and one that the lake has, of another file or of a line before,
is withheld.

People of a log have salts of their own, until its end is reached: nobody can
link them with those who are counted meanwhile, nor with themselves in another
file. Event ids are compared within the file alone.
"""

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.collect.logs.line import LONGEST, SOURCE, Format, Line, Read
from pixelake.collect.logs.visits import Wanted, hit_of
from pixelake.dialects.base import Fault
from pixelake.disk import Flock
from pixelake.errors import SourceError
from pixelake.hit import Hit
from pixelake.operate.barred import Anybody
from pixelake.operate.import_report import Imported, Told
from pixelake.operate.lines import Line as Sent
from pixelake.operate.lines import Source
from pixelake.registry.aside import Aside
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.stream.base import Batch
from pixelake.transform.judge import Judge
from pixelake.transform.raw import faults_json, line_json
from pixelake.transform.retry import Retry
from pixelake.transform.rules import Rules
from pixelake.transform.tables import HOUR, hour_texts, table
from pixelake.warehouse.base import REJECTS, WITHHELD, Outcome
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.seen_sqlite import SqliteSeen

PARTITION: Final = "import-"
"""Before the name of a file's content: its partition."""
SALTED_BY: Final = "import/"
"""Before the same: the secret that its salts are made of."""
FOLDER: Final = "import"
"""In the data folder: what an import needs until it is done."""
CHUNK_LINES: Final = 50_000
CHUNK_BYTES: Final = 16 << 20
CHUNK_DAYS: Final = 64
"""Of a commit at most; a day becomes a file or more, and whoever else writes to the lake waits for all of them."""
JUDGED: Final = 10_000
"""Hits that are judged at once."""
SAMPLE: Final = 1_000
"""Lines, one of which at least must be readable."""
FIRST_TIME: Final = 631_152_000 * SECOND
"""1990: there was no log of the web before."""
DAY: Final = 86_400 * SECOND
_FOREVER: Final = 3_155_760_000.0
"""A hundred years, in seconds."""


def reject_row(sent: Sent, why: str, partition: str, at: int, rules: Rules, *, source: str = SOURCE) -> tuple[Any, ...]:
    """A row of `REJECTS` of a line that cannot be read; `at` is a time near its own (µs UTC)."""
    fault = Fault("line_unreadable", "", why)
    raw = line_json(sent.data, at, source, rules)
    name = f"{partition}-{sent.number}"
    where = (partition, sent.number, *hour_texts(at // HOUR))
    return name, at, "decode", fault.reason, faults_json([fault]), raw, None, *where


def rejects_of(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Rows as a table."""
    columns = dict(zip(REJECTS.names, zip(*rows, strict=True), strict=True)) if rows else {}
    return table(REJECTS, columns, len(rows))


@dataclass(slots=True)
class _Chunk:
    """Lines of one commit; none of them can be of a time behind `until`."""

    first: int
    until: int
    last: int = 0
    hits: list[Hit] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)
    rejects: list[tuple[Any, ...]] = field(default_factory=list)
    days: set[int] = field(default_factory=set)
    size: int = 0
    is_named: bool = False

    @property
    def is_full(self) -> bool:
        return self.last - self.first + 1 >= CHUNK_LINES or self.size >= CHUNK_BYTES or len(self.days) >= CHUNK_DAYS


class Gate(Protocol):
    """Splits rows of a table into those that may come and those that may not: `pixelake.operate.barred`."""

    def split(self, table: str, rows: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Both."""
        ...

    def bar(self, outcome: Outcome) -> Outcome:
        """The outcome, with the rows withheld that may not come."""
        ...


class House(NamedTuple):
    """Where an import goes, and what it needs on the way.

    Attributes:
        lake: open for writing.
        rules: as the consumer's.
        registry: for sites and their zones, and the secrets of imports.
        folder: the data folder.
        clock: what is in the future.
        gate: keeps out whoever was erased.
    """

    lake: Lake
    rules: Rules
    registry: SqliteRegistry
    folder: Path
    clock: Clock = SYSTEM
    gate: Gate = Anybody()


class LogImport:
    """Imports logs of one format.

    Args:
        house: where to.
        form: how lines are read.
        wanted: which lines count.
    """

    def __init__(self, house: House, form: Format, wanted: Wanted) -> None:
        self._lake, self._rules, self._registry = house.lake, house.rules, house.registry
        self._folder, self._clock, self._gate = house.folder / FOLDER, house.clock, house.gate
        self._form, self._wanted = form, wanted

    def _reader(self) -> Read:
        """What reads a file from its start."""
        return self._form.begin() if self._form.begin else self._form.read

    def run(self, source: Source, told: Told) -> Imported:
        """Import what is not there yet. To be repeated if it is cut short.

        Args:
            source: the log.
            told: hears how many lines are done, and how many there are.

        Raises:
            SourceError: it cannot be read, or is no such log; or another process imports it, or has imported an
                export of its events.
            PixelakeError: the lake or the registry cannot be used now.
        """
        began = self._clock.monotonic()
        partition = PARTITION + source.id
        position = self._lake.positions().get(partition)
        if position == 0:  # what a stream or a log brings begins at 1
            raise SourceError(f"{source.name} is in the lake already", "its events came by an export of another lake")
        before = min(position or 0, source.lines)
        found = Imported(source.name, source.lines, before)
        near = self._near(source) if before < source.lines else 0
        place = self._folder / source.id
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Flock(place / "lock")
        if not lock.acquire():
            raise SourceError(f"another process imports {source.name}", "wait for it")
        try:
            if before < source.lines:
                self._import(source, found, near, place, told)
            self._registry.destroy_secret(SALTED_BY + source.id)
            shutil.rmtree(place, ignore_errors=True)
        finally:
            lock.release()
        found.seconds = self._clock.monotonic() - began
        return found

    def _near(self, source: Source) -> int:
        """A time of the log (µs UTC).

        Raises:
            SourceError: none of its first lines can be read, or it does not tell the site.
        """
        looked, reader, until = 0, self._reader(), self._clock.now() + DAY
        for sent in source.read(LONGEST):
            read = reader(sent.data)
            if isinstance(read, Line) and not _fault(read, until):
                if not (self._wanted.site or read.host):
                    raise SourceError(
                        f"the lines of {source.name} do not tell their site", "name it: --site shop.example"
                    )
                return read.at
            looked += bool(read and sent.data.strip())
            if looked >= SAMPLE:
                break
        if looked:
            raise SourceError(
                f"{source.name} is no log of that format: none of its first {looked:,} lines can be read",
                "name another --format, or the server's own with --log-format, or a CDN's fields with --fields",
            )
        return self._clock.now()

    def _import(self, source: Source, found: Imported, near: int, place: Path, told: Told) -> None:
        partition = PARTITION + source.id
        registry = Aside(self._registry, self._registry.secret(SALTED_BY + source.id))
        seen = SqliteSeen(place / "seen.sqlite", _FOREVER, _FOREVER, self._clock)
        try:
            judge = Judge(self._rules, registry, seen)
            told(found.before, found.lines)
            for chunk in self._chunks(source, partition, found.before + 1, near):
                outcome = self._outcome(chunk, partition, judge)
                if chunk.is_named:
                    written = self._lake.write_new(outcome, coarse=True)
                    found.add(written, known=written.withheld.num_rows - outcome.withheld.num_rows)
                else:
                    self._lake.write(outcome, coarse=True)
                    found.add(outcome)
                told(chunk.last, found.lines)
        finally:
            seen.close()

    def _chunks(self, source: Source, partition: str, start: int, near: int) -> Iterator[_Chunk]:
        reader = self._reader()
        chunk = _Chunk(start, self._clock.now() + DAY)
        for sent in self._lines(source, start, reader):
            near = self._take(chunk, sent, reader, partition, near)
            if chunk.is_full:
                yield chunk
                chunk = _Chunk(sent.number + 1, self._clock.now() + DAY)
        if chunk.last:
            yield chunk

    def _lines(self, source: Source, start: int, read: Read) -> Iterator[Sent]:
        """The lines from that number on; those before them that say how to read have been read."""
        if self._form.begin is None:
            yield from source.read(LONGEST, start)
            return
        for sent in source.read(LONGEST):
            if sent.number >= start:
                yield sent
            elif sent.data.startswith(b"#"):
                read(sent.data)

    def _take(self, chunk: _Chunk, sent: Sent, reader: Read, partition: str, near: int) -> int:
        """Sort a line into a chunk; returns its time, or the one `near`."""
        chunk.last = sent.number
        chunk.size += len(sent.data)
        read = reader(sent.data) if not sent.is_cut else f"it is longer than {LONGEST} bytes"
        if isinstance(read, Line):
            read = _fault(read, chunk.until) or read
        if isinstance(read, Line):
            near = read.at
            hit = hit_of(read, read.name or f"{partition}-{sent.number}", self._wanted)
            if isinstance(hit, Hit):
                chunk.is_named |= bool(read.name)
                chunk.hits.append(hit)
                chunk.numbers.append(sent.number)
                chunk.days.add(near // DAY)
                return near
        else:
            hit = read if sent.data.strip() else None
        if hit is None:
            chunk.left_out.append(sent.number)
        else:
            chunk.rejects.append(reject_row(sent, hit, partition, near, self._rules, source=self._form.source))
        return near

    def _outcome(self, chunk: _Chunk, partition: str, judge: Judge) -> Outcome:
        """What became of the lines; judged as if their hits were a partition without gaps."""
        retry = Retry("judge lines of a log", threading.Event(), on=())
        events, rejects, withheld = [judge.schema.empty_table()], [rejects_of(chunk.rejects)], list(chunk.left_out)
        for start in range(0, len(chunk.hits), JUDGED):
            hits, numbers = chunk.hits[start : start + JUDGED], chunk.numbers[start : start + JUDGED]
            for outcome in judge(Batch(partition, hits, range(1, len(hits) + 1)), retry):
                events.append(_placed(outcome.events, numbers))
                rejects.append(_placed(outcome.rejects, numbers))
                places: Any = _placed(outcome.withheld, numbers)["position"].to_pylist()
                withheld += places
        whole = Outcome(
            events=pa.concat_tables(events),
            rejects=pa.concat_tables(rejects).sort_by("position"),
            withheld=table(WITHHELD, {"partition": [partition] * len(withheld), "position": withheld}, len(withheld)),
            first={partition: chunk.first},
            positions={partition: chunk.last},
        )
        return self._gate.bar(whole)


def _fault(line: Line, until: int) -> str:
    """Why a line cannot be where it says, in time."""
    if line.at < FIRST_TIME:
        return "its time is before 1990"
    return "its time is in the future" if line.at > until else ""


def _placed(rows: pa.Table, numbers: Sequence[int]) -> pa.Table:
    """Rows whose position is a line's number."""
    at = rows.column_names.index("position")
    lines = pa.array(numbers, pa.int64())
    places: Any = pc.subtract(rows.column(at), 1)
    return rows.set_column(at, rows.schema.field(at), pc.take(lines, places))


def abandon(registry: SqliteRegistry, folder: Path, told: Callable[[str], None] = lambda _: None) -> int:
    """Destroy the secrets of imports that were not finished. Returns how many.

    What they have brought stays. Whoever goes on with such a file counts its people anew from there on.

    Args:
        registry: has the secrets.
        folder: the data folder.
        told: hears the name of each file's content.

    Raises:
        RegistryUnavailable: not all are destroyed; repeat the call.
    """
    names = registry.secrets(SALTED_BY)
    for name in names:
        registry.destroy_secret(name)
        told(name.removeprefix(SALTED_BY))
    for place in (folder / FOLDER).glob("*"):
        lock = Flock(place / "lock")
        if place.is_dir() and lock.acquire():  # whoever still imports removes it in the end
            shutil.rmtree(place, ignore_errors=True)
            lock.release()
    return len(names)
