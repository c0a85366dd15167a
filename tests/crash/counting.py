"""Looks at every sink from outside, while it is written and at the end, and counts."""

import contextlib
import gzip
import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyarrow import orc

from pixelake import build
from pixelake.settings import Settings
from tests.crash.fleet import ELEMENTS, Fleet, Sent

LOOK = 0.2
"""Seconds between looks."""
MOST_FAULTS = 20
"""Faults of a kind that are told."""

Row = dict[str, Any]


def _json_rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


COLUMNS = ("hit_id", "event", "duplicate")
"""What is looked at of a row of a plain file."""
READ: dict[str, Callable[[Path], list[Row]]] = {
    "json.gz": _json_rows,
    "parquet": lambda path: pq.read_table(path, columns=list(COLUMNS), partitioning=None).to_pylist(),
    "orc": lambda path: orc.read_table(path, columns=list(COLUMNS)).to_pylist(),
}
"""Format -> the rows of a plain file, with other libraries than those that wrote it as far as there are any."""


@dataclass(frozen=True)
class Result:
    """What came of it. `lost`, `duplicated`, `half_visible` and `double` must be 0, and `faults` empty.

    Attributes:
        answered: event ids with an answer.
        again: of these sent more than once.
        events: rows in the lake.
        repeats: of these marked `duplicate`.
        lost: event ids that were answered and are not in the lake, or not as often as they were answered.
        duplicated: event ids that do not count just once.
        looks: how often somebody looked from outside while it ran.
        half_visible: what was not whole then.
    """

    answered: int
    again: int
    events: int
    repeats: int
    lost: int
    duplicated: int
    looks: int
    half_visible: int
    faults: tuple[str, ...]
    harm: Counter[str]

    def __str__(self) -> str:
        names = ("answered", "again", "events", "repeats", "lost", "duplicated", "looks", "half_visible")
        head = "".join(f"{name.replace('_', ' '):>13}" for name in names)
        row = "".join(f"{getattr(self, name):>13,}" for name in names)
        done = f"{self.harm.total()} times: " + ", ".join(f"{what} {count}" for what, count in self.harm.items())
        return "\n".join([head, row, done, *(f"fault: {fault}" for fault in self.faults)])

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return bool(self.looks) and not (self.lost or self.duplicated or self.half_visible or self.faults)


@dataclass
class Looker:
    """Somebody who looks at a running installation again and again, in a thread of this process.

    What is in view must be whole at every moment: the sums of `status`, no hit twice and each with all its elements
    in SQL, every plain file readable, and the counters of the live store equal to its list of events.

    Attributes:
        looks: how often.
        torn: what was not whole.
    """

    fleet: Fleet
    looks: int = 0
    torn: list[str] = field(default_factory=list)
    rows: int = 0
    known: set[Path] = field(default_factory=set)

    @contextlib.contextmanager
    def looking(self) -> Iterator["Looker"]:
        """Until the end of the block, and once more then."""
        over = threading.Event()
        thread = threading.Thread(target=self._go_on, args=(over,))
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()

    def _go_on(self, over: threading.Event) -> None:
        while not over.wait(LOOK):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - that it cannot be seen is what it is there to tell
                self.torn.append(f"cannot look: {type(error).__name__}: {error}")

    def look(self) -> None:
        """Look at everything once; not before there is a lake."""
        settings = Settings(data=self.fleet.data)
        lake = settings.data / "lake" / "events" / "_delta_log"
        if not list(lake.glob("*.json")) or not (settings.data / "live" / "live.sqlite").exists():
            return
        self._look_at_sums(settings)
        self._look_at_lake(settings)
        self._look_at_files(settings.data / "files")
        self._look_at_live(settings.data / "live" / "live.sqlite")
        self.looks += 1

    def _look_at_sums(self, settings: Settings) -> None:
        found = build.status(settings)
        if not (found.hits_hold and found.outcomes_hold) or found.missed or found.damaged or found.set_aside:
            self.torn.append(f"status: {found.as_dict()}")

    def _look_at_lake(self, settings: Settings) -> None:
        question = f"""
            select count(*), count(distinct hit_id), (
              select count(*) from (
                select 1 from events where event = 'many'
                group by regexp_extract(hit_id, '^[^.]*') having count(*) <> {ELEMENTS}))
            from events"""
        with build.lakehouse(settings) as house:
            rows, different, torn = (column[0].as_py() for column in house.sql(question).columns)
        if rows != different or torn or rows < self.rows:
            self.torn.append(f"lake: {rows} rows after {self.rows}, {different} different ones, {torn} hits in part")
        self.rows = max(self.rows, rows)

    def _look_at_files(self, folder: Path) -> None:
        for path in files(folder, self.fleet.files):
            if path not in self.known:
                self.known.add(path)
                hits = Counter(row["hit_id"].partition(".")[0] for row in _read(path) if row["event"] == "many")
                if set(hits.values()) - {ELEMENTS}:
                    self.torn.append(f"{path} has hits in part")

    def _look_at_live(self, path: Path) -> None:
        hits, repeats, listed = live_counts(path)
        if hits - repeats != listed:
            self.torn.append(f"live: {hits} hits, {repeats} of them repeats, and {listed} in the list of events")


def _read(path: Path) -> list[Row]:
    return READ[path.name.partition(".")[2]](path)


def files(folder: Path, kind: str) -> Sequence[Path]:
    """The plain files of events that are in view."""
    return sorted((folder / "events").rglob(f"*.{kind}"))


def live_counts(path: Path) -> tuple[int, int, int]:
    """Hits and repeats of the live store, and the sum of its list of events, of one moment."""
    query = """
        select coalesce(sum(count) filter (where name = 'hits'), 0),
               coalesce(sum(count) filter (where name = 'duplicates'), 0),
               (select coalesce(sum(count), 0) from lists where name = 'event')
        from minutes"""
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as database:
        row: tuple[int, int, int] = database.execute(query).fetchone()
        return row


def judge(fleet: Fleet, sent: Sent, harm: Counter[str], looker: Looker) -> Result:
    """Compare what was answered with what is in each sink. Nothing is under way any more."""
    looker.look()
    question = "select event_id, hit_id, event, duplicate from events"
    rows = json.loads(fleet.ask("sql", question, "--format", "json", "--sql-timeout", "500"))
    there = Counter(row["event_id"] for row in rows)
    counted = Counter(row["event_id"] for row in rows if not row["duplicate"])
    faults = [*_of_status(fleet, len(rows)), *_of_files(fleet, rows), *_of_live(fleet.data, rows)]
    if len({row["hit_id"] for row in rows}) != len(rows):
        faults.append("a hit_id is there twice")
    if too_many := [each for each, count in there.items() if count > sent.sent[each]]:
        faults.append(f"{len(too_many)} event ids are there more often than they were sent")
    return Result(
        answered=len(sent.answered),
        again=sum(count > 1 for count in sent.sent.values()),
        events=len(rows),
        repeats=sum(bool(row["duplicate"]) for row in rows),
        lost=sum(there[each] < count for each, count in sent.answered.items()),
        duplicated=sum(counted[each] != 1 for each in there),
        looks=looker.looks,
        half_visible=len(looker.torn),
        faults=(*faults, *looker.torn[:MOST_FAULTS]),
        harm=harm,
    )


def _of_status(fleet: Fleet, rows: int) -> Iterator[str]:
    status = fleet.status()
    if status["accepted"] != status["in_stream"] + status["settled"]:
        yield f"hits do not add up: {status}"
    if status["outcomes"] != status["in_lake"] + status["rejected"] + status["withheld"] + status["removed"]:
        yield f"outcomes do not add up: {status}"
    if status["in_lake"] != rows:
        yield f"status counts {status['in_lake']} events, the lake has {rows}"


def _of_files(fleet: Fleet, rows: Sequence[Row]) -> Iterator[str]:
    """The plain files must have the same rows as the lake."""
    if fleet.files == "off":
        return
    found = [row for path in files(fleet.data / "files", fleet.files) for row in _read(path)]
    if Counter(_what(row) for row in found) != Counter(_what(row) for row in rows):
        yield f"the files have {len(found)} rows, {len(set(map(_what, found)))} different ones; the lake {len(rows)}"
    if staged := list((fleet.data / "files" / "_staged").iterdir()):
        yield f"{len(staged)} files are staged and shown by nobody"


def _what(row: Row) -> tuple[str, bool]:
    return row["hit_id"], row["duplicate"]


def _of_live(data: Path, rows: Sequence[Row]) -> Iterator[str]:
    """The live store and the badges must count what the lake has."""
    repeats = sum(bool(row["duplicate"]) for row in rows)
    if (found := live_counts(data / "live" / "live.sqlite")) != (len(rows), repeats, len(rows) - repeats):
        yield f"the live store counts {found}; the lake has {len(rows)} events, {repeats} of them repeats"
    badges = sum(row["event"] == "badge" and not row["duplicate"] for row in rows)
    with contextlib.closing(sqlite3.connect(data / "live" / "badges.sqlite", timeout=30)) as database:
        (shown,) = database.execute("select coalesce(sum(count), 0) from badges").fetchone()
    if shown != badges:
        yield f"badges show {shown}, the lake has {badges}"


def hits_in_live(data: Path) -> int:
    """Events that the live store has."""
    return live_counts(data / "live" / "live.sqlite")[0]
