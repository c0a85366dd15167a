"""Kill backups, restores and migrations at any moment: for `tests.crash.keeping`."""

import contextlib
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import count, cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.crash.campaign import PATIENCE, Server, settle
from tests.operate.golden import GOLDEN, QUESTION, unpack

if TYPE_CHECKING:
    from tests.crash.keeping import Scene

ROWS = "select event_id, hit_id, duplicate from events"
LOOKED_AT = 3
"""A backup is let come to its end, and restored, behind so many that are killed."""


class Done(NamedTuple):
    """A backup that came to its end: its name, and the event ids that were answered before it began."""

    stamp: str
    known: Collection[str]


def backup(scene: "Scene") -> Iterator[str]:
    """What is killed leaves the backups before it whole; one that is not is restored, and has what was answered."""
    place = scene.server.data.parent / "backups"
    for number in count():
        if number % LOOKED_AT == LOOKED_AT - 1:
            done = _back_up(scene, place, "--keep", "2")
            if done:
                _restored(scene, place, done)
        what = scene.kill(1.5, "backup", str(place))
        if any(place.glob("*Z.json")):
            scene.finish("backups", str(place), "--check")
        yield what


def restore(scene: "Scene") -> Iterator[str]:
    """What is killed is no data folder, or a whole one; and it is begun again."""
    place, target = scene.server.data.parent / "to-restore", scene.server.data.parent / "half"
    done = None
    for number in count():
        if number % LOOKED_AT == 0:
            done = _back_up(scene, place, "--keep", "1")
        if done is None:
            yield "failed"
            continue
        shutil.rmtree(target, ignore_errors=True)
        what = _killed(1.2, "restore", str(place), "--data", str(target))
        is_one = (target / "version").exists()
        if target.exists() and is_one != _is_data(target):
            scene.faults.append(f"what a killed restore has left is {'no' if is_one else 'a'} data folder")
        if not is_one:
            scene.finish("backups", str(place), "--check")
        _restored(scene, place, done, target, is_one=is_one)
        yield what


def migrate(scene: "Scene") -> Iterator[str]:
    """A folder of an older version, whose first start is killed again and again, has all that it had."""
    target = scene.server.data.parent / "older"
    for file in cycle(sorted(GOLDEN.glob("*.ndjson"))):
        shutil.rmtree(target, ignore_errors=True)
        told = unpack(file, target)
        for _ in range(LOOKED_AT):
            yield f"{file.stem} {_killed(1.6, 'consume', '--data', str(target))}"
        _judge(scene, file.stem, target, {row["event_id"] for row in told["events"]} - {None})
        with contextlib.suppress(RuntimeError):
            rows = _ask(target, "sql", QUESTION, "--format", "json")
            found = {row["hit_id"]: row for row in rows}
            if [found.get(row["hit_id"]) for row in told["events"]] != told["events"]:
                scene.faults.append(f"{file.stem} has not the rows that it had")


def _back_up(scene: "Scene", place: Path, *more: str) -> Done | None:
    known = set(scene.tally.answered)
    said = scene.finish("backup", str(place), "--json", *more)
    return Done(json.loads(said)["stamp"], known) if said else None


def _restored(scene: "Scene", place: Path, done: Done, target: Path | None = None, *, is_one: bool = False) -> None:
    """Restore it, if it is not yet, and judge what it has."""
    target = target or scene.server.data.parent / "restored"
    if not is_one:
        command = [sys.executable, "-P", "-m", "pixelake", "restore", str(place), "--at", done.stamp]
        ended = subprocess.run([*command, "--data", str(target)], capture_output=True, text=True, check=False)
        if ended.returncode:
            scene.faults.append(f"restore: {ended.stderr.strip()}")
            return
    _judge(scene, done.stamp, target, done.known)
    shutil.rmtree(target)


def _judge(scene: "Scene", name: str, data: Path, known: Collection[str]) -> None:
    """Start it, let it settle, and compare."""
    server = Server(data, data.parent / "log")
    server.start()
    try:
        settle(server)
        rows: list[dict[str, Any]] = json.loads(server.ask("sql", ROWS, "--format", "json"))
        status = server.status()
        server.stop()
    except RuntimeError as error:
        scene.faults.append(f"{name}: {error}")
        return
    finally:
        server.kill_all()
    own = Counter(row["event_id"] for row in rows if row["event_id"] and not row["duplicate"])
    outcomes = status["in_lake"] + status["rejected"] + status["withheld"] + status["removed"]
    wrong = {
        "lost": sum(each not in own for each in known),
        "doubled": own.total() - len(own) + len(rows) - len({row["hit_id"] for row in rows}),
        "outcomes off by": status["outcomes"] - outcomes,
        "hits off by": status["accepted"] - status["in_stream"] - status["settled"],
        "in the lake, off by": status["in_lake"] - len(rows),
    }
    scene.faults += [f"{name}: {what} {number}" for what, number in wrong.items() if number]


def _killed(longest: float, *arguments: str) -> str:
    """Begin a command, and kill it and all that it started at any moment of so many seconds."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "pixelake", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(random.uniform(0.2, longest))
    process.kill()
    status = process.wait(PATIENCE)
    return "killed" if status < 0 else "was faster" if not status else "failed"


def _is_data(data: Path) -> bool:
    command = [sys.executable, "-P", "-m", "pixelake", "status", "--data", str(data)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _ask(data: Path, *words: str) -> Any:
    command = [sys.executable, "-P", "-m", "pixelake", *words, "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)
