"""A person leaves everything: the lake, the live store, plain files, rejects, the stream, the registry. With a proof.

The order makes that an erasure may be cut short anywhere, and is finished by
repeating it:

1. the log says that it begins (`pixelake.operate.erasures`), without saying who,
2. the collectors close what they have open, and all up to there is settled,
3. whoever settles hits of a queue or of others' streams has to look into the log again,
   the live store takes the person's events off its counts, the lake lets them go, and roll-ups of their days go,
4. rejects; plain files; counts and lists that name the person,
5. hits in the stream: those of the events, and all that hold the id,
6. files that held them and are no part of the lake any more,
7. a raw look through everything, and the log says that it is done.

What the person sends after it has begun is not looked for.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from pixelake.clock import SYSTEM, Clock
from pixelake.dialects.base import Dialect
from pixelake.disk import Flock
from pixelake.errors import LakeUnavailable, PixelakeError, StreamError
from pixelake.hit import Hit
from pixelake.operate import erase_lake, erasures
from pixelake.operate.backup import Parts
from pixelake.operate.erase_hits import WHOLE, HitsOf, Places
from pixelake.operate.erase_lake import Searched
from pixelake.operate.erase_proof import Proof, Step
from pixelake.operate.erase_scan import Scanned, scan
from pixelake.operate.person import Person, Who
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.stream import erase as stream_erase
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import durable, files_leave, vacuum
from pixelake.warehouse.badges_sqlite import BadgeStore
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.live_base import Store
from pixelake.warehouse.place import Place
from pixelake.warehouse.rollup.build import Builder

PATIENCE: Final = 60.0
"""Seconds without any progress until whoever should settle the hits is taken for stuck."""
MAINTAINED: Final = 900.0
"""Seconds to wait for whoever maintains the lake just now."""
POLL: Final = 0.2
OWN: Final = ("schemas", "lists")
"""Folders of the user's own: they are told, not changed."""

Told = Callable[[str, int, int], None]
"""Hears what is done, how much of it is, and how much there is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What an erasure needs.

    Attributes:
        parts: where everything is.
        log: the folder of the log of erasures.
        registry: open.
        lake: opens it for writing; only called if there is one.
        live: likewise; None if there is none.
        badges: likewise.
        dialect: of a hit, by its target.
        backup_place: the place of backups of that name.
        sweep: removes what queries that were killed have left.
        beyond: where hits may lie that nobody can take out of it, and until when; in words.
    """

    parts: Parts
    log: Place
    registry: SqliteRegistry
    lake: Callable[[], Lake]
    live: Callable[[], Store | None]
    badges: Callable[[], BadgeStore]
    dialect: Callable[[bytes], Dialect]
    backup_place: Callable[[str], Place]
    sweep: Callable[[], None]
    beyond: Sequence[str] = ()


def erase(means: Means, person: Person, told: Told, clock: Clock = SYSTEM) -> Proof:
    """Erase a person, beside a running server or without one. To be repeated if it is cut short.

    Raises:
        StreamError: hits are not settled, and nobody goes on; or the stream cannot be read or written.
        LakeUnavailable: the lake cannot be read or written, or others do something to it for too long.
        PixelakeError: another part cannot be read or written.
    """
    began, log = clock.monotonic(), means.log
    key = means.registry.secret(erasures.SECRET)
    entry = erasures.entry_of(person, secrets.token_hex(8), clock.now(), key)
    with erasures.reported(log):
        places = erasures.cut_short(log, entry, key)
        erasures.append(log, entry)
    until = stream_erase.ask(means.parts.stream)
    _settled(means, until, told, clock)

    def found(where: Places) -> None:
        with erasures.reported(log):
            erasures.append(log, erasures.with_places(entry, where))

    work = _Work(means, person, places, told, clock=clock, found=found, began=began)
    told("maintenance that runs", 0, 1)
    with vacuum.maintaining(means.parts.lake, MAINTAINED, clock) as alone:
        told("maintenance that runs", 1, 1)
        if not alone:
            raise LakeUnavailable("maintenance of the lake takes very long", "wait for it, and erase again")
        work.run()
    backups = means.registry.backups()  # not later: who has closed a file that was looked at holds no lock of it
    scanned = _scanned(means, person, told)
    entry = erasures.done(erasures.with_places(entry, work.places))
    with erasures.reported(log):
        erasures.append(log, entry)
    remains = [*_kept(means, backups, entry, log, key), *work.remains, *_remains(means, scanned)]
    own = tuple(str((means.parts.data / name).absolute()) + "/" for name in OWN)
    return Proof(
        id=entry.id,
        kind=person.kind,
        hash=entry.hash,
        in_text=person.in_text,
        begun_at=entry.at,
        seconds=round(clock.monotonic() - began, 3),
        steps=work.steps,
        scanned={"files": scanned.files, "rows": scanned.rows, "bytes": scanned.bytes} if person.in_text else {},
        found=[path for path in scanned.found if not path.startswith(own)],
        remains=remains,
    )


def again(means: Means, entries: Sequence[erasures.Entry], told: Told, clock: Clock = SYSTEM) -> int:
    """Do erasures of the log again, in a folder that was restored and that nobody works in yet.

    Args:
        means: of that folder.
        entries: of the log in the place of the backup.
        told: as said.
        clock: for waiting.

    Returns:
        How many erasures that were.

    Raises:
        PixelakeError: a part cannot be read or written; repeat the call.
    """
    finished = [each for each in entries if each.state == "done"]
    if finished:
        key = means.registry.secret(erasures.SECRET)
        who = erasures.Erased(finished, key)
        _Work(means, who, dict(who.places), told, clock=clock).run()
        log = means.log
        with erasures.reported(log):
            known = {each.id for each in erasures.read(log) if each.state == "done"}
            for entry in finished:
                if entry.id not in known:
                    erasures.append(log, erasures.without_key(entry, key))
    return len(finished)


def _settled(means: Means, until: Mapping[Partition, Position], told: Told, clock: Clock) -> None:
    """Return once the hits up to there are closed and settled.

    Raises:
        StreamError: nobody goes on.
    """
    deadline, left, first = clock.monotonic() + PATIENCE, None, 0
    while True:
        found = stream_erase.waiting(means.parts.stream, until)
        if not (found.open or found.unsettled):
            return
        now = clock.monotonic()
        first = max(first, found.unsettled)
        told("hits to be settled", first - found.unsettled, first)
        if found != left:
            deadline, left = now + PATIENCE, found
        if found.unsettled and (now > deadline or _nobody_consumes(means.parts.data)):
            raise StreamError(
                f"{found.unsettled:,} hits are not in the lake yet, and nobody brings them there",
                "start `pixelake serve` or `pixelake consume`, and erase again while it runs",
            )
        if now > deadline:
            raise StreamError(
                f"the collector of partition {found.open[0]} does not close its segment",
                "restart the server: it may be of an older version",
            )
        clock.sleep(POLL)


def _nobody_consumes(data: Path) -> bool:
    """Whether no consumer of this folder runs. One that serves it from elsewhere is told by its progress alone."""
    lock = Flock(data / "lock-consume")
    if not (data / "lock-consume").exists():
        return False
    if lock.acquire():
        lock.release()
        return True
    return False


class _Work:
    """What is done to one part after the other.

    Attributes:
        places: of the hits that were erased, and which of their elements.
        steps: what was done.
        remains: what could not be, and what to do about it.
    """

    def __init__(
        self,
        means: Means,
        who: Who,
        places: dict[tuple[Partition, Position], frozenset[int]],
        told: Told,
        *,
        clock: Clock,
        found: Callable[[Places], None] = lambda _: None,
        began: float | None = None,
    ) -> None:
        self._means, self._who, self._told, self._clock, self._found = means, who, told, clock, found
        self._began = began
        self.places = places
        self.steps: list[Step] = []
        self.remains: list[str] = []
        self._lake = means.lake() if _is_there(means.parts.lake) else None
        self._replaced: set[str] = set()

    def run(self) -> None:
        """Erase."""
        if self._lake:
            self._from_lake(self._lake)
        self._from_live()
        self._from_files()
        self._from_stream()
        self._from_registry()
        if self._lake:
            found, torn = erase_lake.leftovers(self._lake, self._who, self._replaced, self._elements, self._since())
            self._did("old files", found, f"files ({torn:,} torn)" if torn else "files")
        with durable.reported("remove what queries have left"):
            self._means.sweep()  # in a form that nobody else can read

    def _since(self) -> float:
        """Seconds since it began; 0 where nobody else works."""
        return 0.0 if self._began is None else self._clock.monotonic() - self._began

    def _did(self, where: str, found: Searched, what: str) -> None:
        self.steps.append(Step(where, found.files, found.rows, found.bytes, found.removed, what))

    def _elements(self, hit: Hit) -> Sequence[Mapping[str, Sequence[str]]]:
        return [element.values for element in self._means.dialect(hit.target).decode(hit)]

    def _is_meant(self, texts: Sequence[str]) -> list[bool]:
        # a site's name is in lower case, whatever was sent
        found: Any = self._who.said(pa.array(texts, pa.string()), lowered=True)
        return list(found.to_pylist())

    def _from_lake(self, lake: Lake) -> None:
        if self._began is not None:
            lake.begin_erasing()  # whoever settles hits now, and has not seen our line of the log, sees it
        found = erase_lake.find(lake, self._who, lambda done, all_: self._told("files of events", done, all_))
        erase_lake.merge(self.places, found.places)
        self._found(self.places)  # noted before anything goes: else nobody could tell which hits were theirs
        live = self._means.live()
        try:
            removed, self._replaced = erase_lake.events(lake, live, self._who, found.clean)
        finally:
            if live:
                live.close()
        self._did("events", found.searched._replace(removed=removed), "events")
        registry = self._means.registry
        pruned = Builder(lake.place, Clocks.of_registry(registry.snapshot(), registry.default_zone)).prune()
        self._did("roll-ups", Searched(0, 0, 0, pruned), "counts and trails")
        self._did("rejects", erase_lake.rejects(lake, self._who, self._elements), "rejects")

    def _from_live(self) -> None:
        parts, hidden = self._means.parts, 0
        if live := self._means.live():
            with closing(live):
                hidden += live.hide(self._is_meant) if self._who.in_text else 0
                live.scrub()
        if parts.badges.exists() and self._who.in_text:
            with closing(self._means.badges()) as badges:
                hidden += badges.hide(self._is_meant)
        files = [path for path in (parts.live, parts.badges) if path.exists()]
        self._did("live", Searched(len(files), 0, sum(path.stat().st_size for path in files), hidden), "other texts")

    def _from_files(self) -> None:
        who, elements = self._who, self._elements
        found = files_leave.leave(
            self._means.parts.files,
            lambda rows: erase_lake.rejected(rows, who, elements) if "raw" in rows.column_names else who.rows(rows),
            lambda lines: erase_lake.lines(lines, who, elements),
            self._clock,
        )
        self._did("files", Searched(found.files, found.rows, found.bytes, found.gone), "rows of plain files")

    def _from_stream(self) -> None:
        edit = HitsOf(self._who, self._means.dialect, self.places)
        found = stream_erase.rewrite(
            self._means.parts.stream, edit, lambda done, all_: self._told("segments", done, all_)
        )
        erased = 0
        for partition, positions in found.erased.items():
            erased += len(positions)
            for position in positions:
                self.places.setdefault((partition, position), frozenset({WHOLE}))
        self._did("stream", Searched(found.segments, found.hits, found.bytes, erased), "hits")
        if found.removed:
            self._did("evidence", Searched(len(found.removed), 0, 0, len(found.removed)), "damaged segments")
        self.remains += [
            f"{path} is damaged and cannot be read whole, so that nobody can tell what it holds: remove it"
            for path in found.unread
        ]

    def _from_registry(self) -> None:
        removed = self._means.registry.forget(self._is_meant) if self._who.in_text else 0
        self._did("registry", Searched(1, 0, self._means.registry.size(), removed), "other texts")


def _is_there(lake: Place) -> bool:
    return (lake / "events" / "_delta_log").exists() if isinstance(lake, Path) else True


def _scanned(means: Means, person: Person, told: Told) -> Scanned:
    if not person.in_text:
        return Scanned(0, 0, 0, (), ())
    parts = means.parts
    files = [parts.live, parts.badges, parts.seen, parts.registry]
    places = [parts.data, parts.stream, parts.files, parts.lake, *(path.parent for path in files)]
    with durable.reported("look through all files"):
        return scan(places, person, lambda done, all_: told("files looked through", done, all_))


def _kept(means: Means, backups: Mapping[str, Sequence[str]], entry: erasures.Entry, log: Place, key: str) -> list[str]:
    """Tell the places of backups what was erased, and say which backups there are."""
    found = []
    for name, stamps in backups.items():
        told = f"{len(stamps):,} backups in {name} ({', '.join(stamps[-3:])})"
        try:
            _tell(means.backup_place(name), erasures.read(log), key)
        except (OSError, PixelakeError) as error:
            found.append(
                f"{told} hold what they had, and cannot be told of erasure {entry.id} ({error}): remove them, or"
                f" add {log / erasures.FILE} to {erasures.FILE} there"
            )
        else:
            if stamps:
                found.append(f"{told} hold what they had until they are removed; a restore erases it again")
    return found


def _tell(place: Place, entries: Sequence[erasures.Entry], key: str) -> None:
    """Add the erasures to the log beside backups that it does not have yet."""
    known = {each.id for each in erasures.read(place)}
    for entry in entries:
        if entry.state == "done" and entry.id not in known:
            erasures.append(place, erasures.with_key(entry, key))


def _remains(means: Means, scanned: Scanned) -> list[str]:
    """What may remain elsewhere, and until when."""
    found = [f"{path} could only be looked at as bytes" for path in scanned.unread]
    own = [str((means.parts.data / name).absolute()) + "/" for name in OWN]
    found += [f"{path} is yours, and holds the id: edit it" for path in scanned.found if path.startswith(tuple(own))]
    if not isinstance(means.parts.lake, Path):
        found.append(
            f"older versions of objects in {means.parts.lake}, if its bucket keeps any: until its rules end them"
        )
    return [*found, *means.beyond]
