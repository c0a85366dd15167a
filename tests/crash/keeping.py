"""Kill what keeps a lake for years, at any moment, while hits come in and somebody looks; and count.

`TASKS` has a generator for each task: it begins the task again and again, kills
it, checks what it left, lets it come to its end, and yields a word for each
kill. What it finds wrong it adds to `Scene.faults`.
"""

import contextlib
import gzip
import json
import random
import socket
import string
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from pixelake.warehouse.sums import LakeReader
from tests.crash import backing
from tests.crash.campaign import PATIENCE, Load, Server, Tally, Tell, Verdict, campaign_of
from tests.crash.importing import bring
from tests.crash.maintaining import maintain
from tests.crash.replaying import replay
from tests.held import holding

LOOK = 0.05
"""Seconds between looks at the sums."""
MOST_FAULTS = 20
EVERY = 10
"""Erasures from one look at every byte of the data folder to the next."""


@dataclass
class Scene:
    """A server under load, and what was found wrong. `look`: seconds between looks."""

    server: Server
    tally: Tally
    faults: list[str] = field(default_factory=list)
    look: float = LOOK

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Begin a command on its folder."""
        command = [sys.executable, "-P", "-m", "pixelake", *arguments, "--data", str(self.server.data)]
        with (self.server.data.parent / "commands").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self, longest: float, *arguments: str) -> str:
        """Begin a command and kill it at any moment of so many seconds; whether it was faster, or failed."""
        process = self.begin(*arguments)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(random.uniform(0.2, longest))
        process.kill()
        status = process.wait(PATIENCE)
        return "killed" if status < 0 else "was faster" if not status else "failed"

    def finish(self, *arguments: str) -> str:
        """A command to its end, as often as it says that it cannot now; what it printed."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.server.ask(*arguments)
            except RuntimeError as error:
                if time.monotonic() > deadline:
                    self.faults.append(str(error))
                    return ""
                self.server.keep_up()
                time.sleep(0.5)

    def talk(self, data: bytes) -> bool:
        """Send a request; whether it was answered with 200 or 204."""
        try:
            with socket.create_connection(("127.0.0.1", self.server.port)) as client:
                client.settimeout(10)
                client.sendall(data)
                return client.recv(4_096)[9:12] in {b"200", b"204"}
        except OSError:
            return False


def keep(
    folder: Path,
    times: int,
    load: Load,
    tasks: tuple[str, ...] = (),
    *,
    look: float = LOOK,
    tell: Tell = lambda _: None,
) -> Verdict:
    """Kill tasks in turn, so many kills in all, under load; then the count.

    Args:
        folder: for the data and the logs.
        times: kills.
        load: that goes on meanwhile.
        tasks: of `TASKS`; none: all.
        look: seconds between looks at what anybody may see.
        tell: as said.
    """
    scene = Scene(Server(folder / "data", folder / "log"), Tally(), look=look)
    with _looking(scene):
        verdict = campaign_of(scene.server, load, scene.tally, _kills(scene, times, tasks or tuple(TASKS)), tell)
    return replace(verdict, faults=(*verdict.faults, *scene.faults[:MOST_FAULTS]))


def _kills(scene: Scene, times: int, tasks: tuple[str, ...]) -> Iterator[str]:
    begun = {name: TASKS[name](scene) for name in tasks}
    for count in range(times):
        name = tasks[count % len(tasks)]
        yield f"{name} {next(begun[name])}"


@contextlib.contextmanager
def _looking(scene: Scene) -> Iterator[None]:
    """Somebody looks at the sums all the time: they hold at every moment."""
    over = threading.Event()

    def look() -> None:
        reader = LakeReader(scene.server.data / "lake")
        while not over.wait(scene.look):
            if (scene.server.data / "lake" / "rejects" / "_delta_log").exists():
                sums = reader.sums()
                if not sums.holds or sums.damaged:
                    scene.faults.append(f"the sums: {sums}")

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# --- erase


def erase(scene: Scene) -> Iterator[str]:
    """People come and are erased; the erasure is killed, and done again: nothing of them is left, and all of others."""
    count, longest = 0, 6.0
    while True:
        name = "".join(random.choices(string.ascii_letters + string.digits + "~/", k=20))
        _come(scene, name)
        if random.random() < 0.2:
            scene.server.kill("consume")
        what = scene.kill(longest, "erase", "--user", name)
        scene.server.keep_up()
        began = time.monotonic()
        proof = json.loads(scene.finish("erase", "--user", name, "--json") or "{}")
        longest = min(20.0, max(2.0, 1.2 * (time.monotonic() - began)))
        if not proof.get("is_clean"):
            scene.faults.append(f"not clean: {proof.get('found')}")
        count += 1
        if count % EVERY == 1 and (found := holding(scene.server.data, name)):
            scene.faults.append(f"{found} still hold {name}")
        yield what


def _come(scene: Scene, name: str) -> None:
    """Hits of a person, one of them in a body with somebody else's."""
    coded, deadline = quote(name, safe=""), time.monotonic() + PATIENCE
    other = f"{random.getrandbits(96):024x}"
    bulk = [{"user": name, "site": "crash.example"}, {"event_id": other, "site": "crash.example"}, {"value": "many"}]
    body = gzip.compress(json.dumps(bulk).encode())
    head = f"POST /events HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    pixel = "GET /pixel.gif?site=crash.example&{} HTTP/1.1\r\nHost: a\r\nReferer: https://w.example/{}\r\n\r\n"
    for query, referrer in (
        (f"user={coded}", ""),
        (f"title=a+{coded}", ""),
        ("", coded),
        (f"user={coded}&value=many", ""),
    ):
        while not scene.talk(pixel.format(query, referrer).encode()) and time.monotonic() < deadline:
            scene.server.keep_up()
            time.sleep(0.1)
    if scene.talk(head.encode() + body):
        scene.tally.answered.add(other)


TASKS: Mapping[str, Callable[[Scene], Iterator[str]]] = {
    "erase": erase,
    "maintain": maintain,
    "replay": replay,
    "import": bring,
    "backup": backing.backup,
    "restore": backing.restore,
    "migrate": backing.migrate,
}
"""What is killed, by name: each with what checks it."""
