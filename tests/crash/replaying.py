"""Kill `pixelake replay` at any moment: for `tests.crash.keeping`.

The same hits are judged in turn by two sets of rules: by one all are events of
people, by the other all are events of machines, but those in bodies are rejects.
A replay exchanges one for the other in one commit, so that whoever looks sees
all of them as the one says, or all as the other does.
"""

import contextlib
import json
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelake.warehouse import swap_note
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER, DeltaLog
from pixelake.warehouse.query import Lakehouse
from tests.crash.campaign import PATIENCE

if TYPE_CHECKING:
    from tests.crash.keeping import Scene

SITE = "again.example"
PIXELS, BODIES, ELEMENTS = 40, 8, 5
AT_ITS_NOTE = 0.7
"""How often it is killed when its note is there; else at any moment."""
COMMITS = 0.15
"""Seconds that its commits take on a busy machine."""
CONSUMERS = 0.2
"""How often the consumer is killed, too."""
COMMAND = ("replay", "--from", "1d", "--site", SITE)
HEAD = "Host: a\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"

Row = Mapping[str, Any]


@dataclass
class Watch:
    """Somebody who looks again and again: each time the hits must all be as some rules say.

    Attributes:
        names: of their rows.
        allowed: what the rules say.
        pause: seconds between looks.
        looks: how often.
        torn: what was not whole.
    """

    lake: Path
    names: Sequence[str]
    allowed: Sequence[Sequence[Row]]
    pause: float
    looks: int = 0
    torn: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Until the end of the block."""
        over = threading.Event()
        thread = threading.Thread(target=self._go_on, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _go_on(self, over: threading.Event) -> None:
        with Lakehouse(self.lake) as house:
            while not over.wait(self.pause):
                try:
                    found = rows_of(house, self.names)
                except Exception as error:  # noqa: BLE001 - that it cannot be seen is what it is there to tell
                    self.torn.append(f"cannot look: {type(error).__name__}: {error}")
                else:
                    self.looks += 1
                    if found not in self.allowed:
                        self.torn.append(f"half of a replay is seen: {found}")


def replay(scene: "Scene") -> Iterator[str]:
    """Some hits are judged by other rules, or by the first ones again: killed, and done again. By these in the end."""
    names = _come(scene)
    other = _other_rules(scene.server.data.parent / "other")
    lake = scene.server.data / "lake"
    with Lakehouse(lake) as house:
        states = {(): rows_of(house, names)}
        scene.finish(*COMMAND, *other)
        states[other] = rows_of(house, names)
        scene.finish(*COMMAND)
        if states[()] == states[other] or rows_of(house, names) != states[()]:
            scene.faults.append("judged by other rules and back again it is not the same")
        watch = Watch(lake, names, list(states.values()), scene.look)
        with watch.watching():
            while True:
                rules = random.choice(list(states))
                if not rules:
                    scene.finish(*COMMAND, *other)
                what = _kill(scene, *COMMAND, *rules)
                left = "new" if rows_of(house, names) == states[rules] else "old"
                if random.random() < CONSUMERS:
                    scene.server.kill("consume")
                scene.finish(*COMMAND, *rules)
                if rows_of(house, names) != states[rules]:
                    scene.faults.append("a replay that was done again is not the same")
                scene.finish(*COMMAND)
                scene.faults += watch.torn
                watch.torn = []
                if not watch.looks:
                    scene.faults.append("nobody looked")
                yield f"{what}, {left} rows"


def _kill(scene: "Scene", *command: str) -> str:
    """Begin it, and kill it: mostly when its note is there, before or while it commits."""
    lake = scene.server.data / "lake"
    before = _notes(lake)
    process, deadline = scene.begin(*command), time.monotonic() + PATIENCE
    if random.random() < AT_ITS_NOTE:
        while process.poll() is None and not _notes(lake) - before and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(random.uniform(0.0, COMMITS))
    else:
        time.sleep(random.uniform(0.5, 4.0))
    process.kill()
    if process.wait(PATIENCE) >= 0:
        return "was faster"
    logs = [DeltaLog(lake / name) for name in (EVENTS_FOLDER, REJECTS_FOLDER)]
    for log in logs:
        log.refresh()
    return "killed between two commits" if swap_note.is_pending(*logs) else "killed"


def _notes(lake: Path) -> set[Path]:
    return set((lake / EVENTS_FOLDER / swap_note.FOLDER).glob("*.parquet"))


def _other_rules(folder: Path) -> tuple[str, ...]:
    """Flags of rules by which all are machines, and what comes in bodies is refused."""
    folder.mkdir()
    (folder / "crawlers.txt").write_text("Firefox\n")
    (folder / "many.json").write_text('{"required": ["nobody sends it"]}')
    return ("--lists", str(folder), "--schemas", str(folder))


def _come(scene: "Scene") -> Sequence[str]:
    """Send the hits, and wait until they are settled; the names of their rows."""
    body = json.dumps([{"site": SITE, "event": "many", "n": n} for n in range(ELEMENTS)])
    post = f"POST /events HTTP/1.1\r\n{HEAD}Content-Length: {len(body)}\r\n\r\n{body}"
    deadline = time.monotonic() + PATIENCE
    for count in range(PIXELS + BODIES):
        get = f"GET /pixel.gif?site={SITE}&n={count} HTTP/1.1\r\n{HEAD}\r\n"
        while not scene.talk((get if count < PIXELS else post).encode()) and time.monotonic() < deadline:
            scene.server.keep_up()
            time.sleep(0.1)
    names: list[str] = []
    with Lakehouse(scene.server.data / "lake") as house:
        while len(names) < PIXELS + BODIES * ELEMENTS and time.monotonic() < deadline:
            time.sleep(1.0)
            names = house.ask(f"select hit_id from events where site = '{SITE}'")["hit_id"].to_pylist()
    return sorted(names)


def rows_of(house: Lakehouse, names: Sequence[str]) -> Sequence[Row]:
    """All rows of these names, in all columns, of both tables, at one moment."""
    query = """
        select * from (select * from events where list_contains($1, hit_id)) as e
        full join (select * from rejects where list_contains($1, hit_id)) as r using (hit_id) order by hit_id"""
    return house.ask(query, [list(names)]).to_pylist()
