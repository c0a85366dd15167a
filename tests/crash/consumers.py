"""Kill consumers in the middle of their writes, stop them for a while, take their lake away; and count.

Run by `scripts/crash`; in short forms by the tests beside this file. One
`pixelake collect` with several workers takes the hits, several consumers share
its partitions, with every sink there is. Some requests are sent again on
another connection, with the same event id, because their answer was lost.
"""

import asyncio
import contextlib
import itertools
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pixelake.errors import LakeUnavailable
from pixelake.warehouse.delta_log import EVENTS_FOLDER
from pixelake.warehouse.sums import LakeReader
from tests.crash.campaign import PATIENCE, Load, Tell
from tests.crash.counting import Looker, Result, hits_in_live, judge
from tests.crash.fleet import Fleet, Process, Sent, client, flow, positions, until

Harm = Iterator[str]
"""Does some harm each time it is asked for the next, and names it."""
Client = Callable[[float, asyncio.Event], Coroutine[None, None, None]]
"""Sends so many hits a second until it is over."""
Moment = Callable[[Path], str]
"""Waits for a moment in the life of a data folder, and names it."""


async def _bear(load: Load, make: Client, harm: Iterator[str]) -> Counter[str]:
    """Send the load while `harm` runs to its end in a thread; what it did, how often."""
    over, rate = asyncio.Event(), load.rate / load.connections
    clients = asyncio.gather(*(make(rate, over) for _ in range(load.connections)))
    done: Counter[str] = Counter()
    try:
        while what := await asyncio.to_thread(next, harm, ""):
            done[what] += 1
    finally:
        over.set()
        await asyncio.wait_for(clients, PATIENCE)
    return done


def _told(harm: Harm, sent: Sent, tell: Tell) -> Iterator[str]:
    for count, what in enumerate(harm, 1):
        tell(f"{count:>4}  {what:<30} sent {sent.sent.total():,}, answered {sent.answered.total():,}")
        yield what


def _campaign(fleet: Fleet, load: Load, harm: Harm, tell: Tell) -> Result:
    sent, looker = Sent(), Looker(fleet)
    with fleet.running():
        with looker.looking():
            done = asyncio.run(_bear(load, partial(client, fleet.port, sent), _told(harm, sent, tell)))
        fleet.keep_up()
        fleet.settle()
        return judge(fleet, sent, done, looker)


def kill(folder: Path, kills: int, load: Load, pause: float = 0.4, *, files: str = "json.gz", tell: Tell) -> Result:
    """Kill consumers, each at another moment, and workers; take partitions away from who lives on; then count."""
    fleet = Fleet(folder, workers=4, consumers=2, files=files)
    return _campaign(fleet, load, _kills(fleet, kills, pause), tell)


def resend(folder: Path, kills: int, load: Load, pause: float = 0.8, *, tell: Tell) -> Result:
    """Every tenth request is sent again on another connection; workers and consumers are killed in turn."""
    fleet = Fleet(folder, workers=4, consumers=2)
    return _campaign(fleet, load, _resends(fleet, kills, pause), tell)


def sleep(folder: Path, seconds: float, load: Load, *, moments: Sequence[Moment] | None = None, tell: Tell) -> Result:
    """Stop a consumer in a write of each kind, let another take its partitions over, and let it go on."""
    fleet = Fleet(folder, workers=2, consumers=2)
    return _campaign(fleet, load, _sleeps(fleet, seconds, moments or SLEEPS), tell)


@dataclass(frozen=True)
class Two:
    """What came of two consumers side by side. `turns`: so often a commit was not of the consumer of the one before."""

    result: Result
    turns: int

    def __str__(self) -> str:
        return f"{self.result}\n{self.turns} commits of the lake were of the other consumer than the one before"

    @property
    def good(self) -> bool:
        """Whether every promise was kept, while both wrote."""
        return self.result.good and self.turns > 1


def two(folder: Path, seconds: float, load: Load, *, files: str = "json.gz", tell: Tell) -> Two:
    """Two consumers, each with a partition of its own, write to all sinks at once for so many seconds."""
    fleet = Fleet(folder, workers=2, consumers=0, files=files)
    result = _campaign(fleet, load, _side_by_side(fleet, seconds), tell)
    return Two(result, turns(fleet.data / "lake" / EVENTS_FOLDER))


def at_any_moment(_: Path) -> str:
    """Now."""
    return "at any moment"


def _when(path: Path, pattern: str, found: Callable[[set[Path]], bool], seconds: float = 3.0) -> None:
    """Wait until what matches `pattern` is so, looking every half a millisecond."""
    deadline = time.monotonic() + seconds
    while not found(set(path.glob(pattern))) and time.monotonic() < deadline:
        time.sleep(0.0005)


def in_a_lake_write(data: Path) -> str:
    """When a new data file of the events is there, before or while the log names it."""
    pattern = time.strftime("lake/events/year=%Y/month=%m/day=%d/hour=%H/*.parquet*", time.gmtime())
    before = set(data.glob(pattern))
    _when(data, pattern, lambda now: bool(now - before))
    time.sleep(random.choice([0.0, 0.001, 0.003, 0.006]))
    return "in a lake write"


def in_a_write_of_files(data: Path) -> str:
    """When files are staged, before or while they come into view."""
    _when(data, "files/_staged/*", bool)
    time.sleep(random.choice([0.0, 0.0005, 0.002, 0.004]))
    return "in a write of files"


def in_a_live_write(data: Path) -> str:
    """When the log of the live store changes."""
    return _in_a_transaction(data / "live" / "live.sqlite-wal", "in a live write")


def in_a_badge_write(data: Path) -> str:
    """When the log of the badges changes."""
    return _in_a_transaction(data / "live" / "badges.sqlite-wal", "in a badge write")


def in_a_claim(data: Path) -> str:
    """When event ids are claimed."""
    return _in_a_transaction(data / "seen" / "seen.sqlite-wal", "in a claim")


def _in_a_transaction(log: Path, name: str) -> str:
    with contextlib.suppress(OSError):
        before, deadline = log.stat().st_mtime_ns, time.monotonic() + 2
        while log.stat().st_mtime_ns == before and time.monotonic() < deadline:
            time.sleep(0.0005)
    time.sleep(random.choice([0.0, 0.0005, 0.002]))
    return name


MOMENTS = (in_a_lake_write, in_a_write_of_files, at_any_moment, in_a_live_write, in_a_badge_write, in_a_claim)
"""When a consumer is killed, in turn: each waits for its moment and names it."""
WORKER = len(MOMENTS) + 1
"""Each so many kills, one is of a worker of the collector."""
SLEEPS = (at_any_moment, in_a_lake_write, in_a_write_of_files, in_a_live_write, in_a_claim)
"""When one is stopped."""
LEAST = 10.0
"""Seconds for a consumer to find what nobody reads."""


def _kills(fleet: Fleet, kills: int, pause: float) -> Harm:
    """In turn through `MOMENTS`; now and then a worker; each fifth time partitions change hands, too."""
    for count in range(kills):
        time.sleep(pause * random.uniform(0.2, 1.8))
        if count % WORKER == WORKER - 1:
            yield "worker" if fleet.kill_worker() else "no worker just now"
            continue
        victim = _reading(fleet)
        if count % 5 == 4:
            yield _part(fleet, victim)
        moment = MOMENTS[count % len(MOMENTS)](fleet.data)
        fleet.kill_consumer(victim if random.random() < 0.75 else None)
        yield f"consumer {moment}"


def _part(fleet: Fleet, owner: Process) -> str:
    """Half of what a consumer reads goes to the other; it reads and writes on beside that one, and knows nothing."""
    taken = fleet.take_from(owner, (len(fleet.held_by(owner)) + 1) // 2)
    others = [each for each in fleet.consumers if each is not owner]
    with contextlib.suppress(RuntimeError):  # who believes to have them already takes no new lock, and goes on as well
        until("others take over", partial(_all_held, fleet, taken, others), LEAST)
    return "partitions taken away"


def _resends(fleet: Fleet, kills: int, pause: float) -> Harm:
    for count in range(kills):
        time.sleep(pause * random.uniform(0.2, 1.8))
        if count % 2:
            fleet.kill_consumer(_reading(fleet))
            yield "consumer"
        else:
            yield "worker" if fleet.kill_worker() else "no worker just now"


def _sleeps(fleet: Fleet, seconds: float, moments: Sequence[Moment]) -> Harm:
    """Where it sleeps inside a transaction, the others on this machine wait for it: then it says so."""
    for moment in moments:
        sleeper = _reading(fleet)
        name = moment(fleet.data)
        sleeper.send_signal(signal.SIGSTOP)
        taken = fleet.take_from(sleeper)
        yield f"stopped {name}"
        time.sleep(seconds)
        others = [each for each in fleet.consumers if each is not sleeper]
        with contextlib.suppress(RuntimeError):
            until("others take over", partial(_all_held, fleet, taken, others), LEAST)
        over = _all_held(fleet, taken, others)
        sleeper.send_signal(signal.SIGCONT)
        yield "went on; others had taken over" if over else "went on; others had waited for it"
        time.sleep(3.0)
        fleet.kill_consumer(sleeper)  # it still believes to have those partitions, and would never take them anew
        yield "killed"


def _reading(fleet: Fleet) -> Process:
    """A consumer that reads something."""
    until("somebody reads", lambda: any(map(fleet.held_by, fleet.consumers)))
    return max(fleet.consumers, key=lambda each: len(fleet.held_by(each)))


def _all_held(fleet: Fleet, partitions: list[str], by: list[Process]) -> bool:
    held = {name for each in by for name in fleet.held_by(each)}
    return set(partitions) <= held


def _side_by_side(fleet: Fleet, seconds: float) -> Harm:
    """The second partition is kept from both until the second consumer looks for one; the first stands still then."""
    until("two partitions have hits", lambda: len(fleet.partitions()) == 2)
    own, others = fleet.partitions()
    with fleet.reserved(others):
        first = fleet.add_consumer()
        until("it reads one", lambda: fleet.held_by(first) == [own])
        second = fleet.add_consumer()
        until("the second one looks", lambda: fleet.has_open(second, "groups.sqlite"))
        time.sleep(0.5)
        first.send_signal(signal.SIGSTOP)
    try:
        until("it reads the other", lambda: fleet.held_by(second) == [others])
    finally:
        first.send_signal(signal.SIGCONT)
    yield "two consumers"
    time.sleep(seconds)
    if (fleet.held_by(first), fleet.held_by(second)) != ([own], [others]):
        raise RuntimeError("they did not keep to their partitions")


def turns(table: Path) -> int:
    """How often a commit of the lake has another partition than the one before."""
    names = []
    for entry in sorted((table / "_delta_log").glob("*.json")):
        actions = map(json.loads, entry.read_text().splitlines())
        names += [each["txn"]["appId"] for each in actions if "txn" in each and "/" not in each["txn"]["appId"]][:1]
    return sum(name != following for name, following in itertools.pairwise(names))


@dataclass(frozen=True)
class Absence:
    """What happened while the lake was away.

    Attributes:
        rate: hits accepted a second while it was away.
        lag: what `pixelake status` said then.
        live: whether the live store had all that was answered a second ago, although the lake was away.
        waited: hits that waited for the lake when it came back.
        seconds: until they were in it, while more came.
        noticed: seconds of these until the first of them was: the pause between two attempts.
        result: the count.
    """

    rate: float
    lag: str
    live: bool
    waited: int
    seconds: float
    noticed: float
    result: Result

    @property
    def factor(self) -> float:
        """How many times faster than they arrive hits come into the lake while it catches up."""
        return (self.waited / self.rate + self.seconds) / self.seconds

    def __str__(self) -> str:
        return (
            f"{self.result}\nsaid while it was away: {self.lag}\nlive went on: {self.live}\n{self.rate:,.0f} hits/s;"
            f" {self.waited:,} hits waited and were there after {self.seconds:.1f} s, {self.noticed:.1f} of them until"
            f" the first one was: {self.factor:.0f} times the rate of arrival"
        )

    @property
    def good(self) -> bool:
        """Whether every promise was kept, but for the speed, which is the machine's, too."""
        return self.result.good and self.live and "wait" in self.lag


class Away:
    """Puts a file in place of the lake's folder for so many seconds, and measures. `harm` is to be used once."""

    def __init__(self, fleet: Fleet, seconds: float) -> None:
        self._fleet, self._seconds = fleet, seconds
        self._lake = fleet.data / "lake"
        self.rate = self.seconds = self.noticed = 0.0
        self.lag, self.live, self.waited = "", False, 0

    def harm(self, sent: Sent) -> Harm:
        """Take it away, and bring it back."""
        elsewhere = self._fleet.data / "elsewhere"
        until("the lake has something", lambda: settled(self._lake) > 0)
        time.sleep(1.0)
        self._lake.rename(elsewhere)
        self._lake.write_text("no folder")
        yield "lake taken away"
        began, before = time.monotonic(), self._live_position()
        time.sleep(self._seconds)
        self._look_at_live(sent)
        self.rate = (self._live_position() - before) / (time.monotonic() - began)
        self.lag = self._fleet.try_to_ask("status").stderr.strip()
        at = settled(elsewhere)
        self._lake.unlink()
        elsewhere.rename(self._lake)
        goal = self._live_position()
        self.waited = goal - at
        yield "lake brought back"
        began = time.monotonic()
        until("the lake notices", lambda: settled(self._lake) > at)
        self.noticed = time.monotonic() - began
        until("the lake catches up", lambda: settled(self._lake) >= goal)
        self.seconds = time.monotonic() - began
        yield "caught up"

    def _look_at_live(self, sent: Sent) -> None:
        """What was answered by now must be there shortly."""
        answered = sent.answered.total()
        with contextlib.suppress(RuntimeError):
            until("live goes on", lambda: hits_in_live(self._fleet.data) >= answered, 5.0)
            self.live = True

    def _live_position(self) -> int:
        return sum(positions(self._fleet.data, "live").values())


def away(folder: Path, seconds: float, load: Load, *, settings: Mapping[str, str] | None = None, tell: Tell) -> Absence:
    """Put a file in place of the lake's folder for so many seconds, under load."""
    fleet, sent = Fleet(folder, workers=2, consumers=1, settings=settings or {"FILES_WINDOW": "10"}), Sent()
    found = Away(fleet, seconds)
    with fleet.running():
        harm = _told(found.harm(sent), sent, tell)
        done = asyncio.run(_bear(load, partial(flow, fleet.port, sent), harm))
        fleet.settle()
        result = judge(fleet, sent, done, Looker(fleet))
    return Absence(found.rate, found.lag, found.live, found.waited, found.seconds, found.noticed, result)


def settled(lake: Path) -> int:
    """Hits that are settled in a lake: positions have no gaps, so their sum is a count."""
    try:
        return sum(each.position for each in LakeReader(lake).progress().values())
    except LakeUnavailable:
        return 0
