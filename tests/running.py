"""The whole program as people run it: `pixelake serve` on free ports, with its log and its metrics."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen


class Running:
    """A `serve` that answers.

    Attributes:
        data: its folder.
        pixel: the root of its collector, without a last slash.
        dashboard: the address of its dashboard, with the token.
    """

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self.data = folder / "data"
        self._folder, self._process = folder, process
        self.pixel = self.found("out", r"^Pixel: (\S+)/pixel\.gif$")
        self.dashboard = self.found("out", r"^Dashboard: (\S+)$")

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return (self._folder / "err").read_text()

    def found(self, name: str, pattern: str) -> str:
        """The first group of a pattern, once its output has it."""
        path = self._folder / name
        return self.until(lambda: (found := re.search(pattern, path.read_text(), re.MULTILINE)) and found[1])

    def until(self, look: Callable[[], str | None], seconds: float = 120.0) -> str:
        """What `look` finds, once it finds something."""
        deadline = time.monotonic() + seconds
        while not (found := look()):
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)
        return found

    def metrics(self, until: str = "") -> str:
        """The page of its metrics, once a sample of this name is on it."""
        url = self.found("err", r'"url": "(http://[^"]+/metrics)"')

        def page() -> str | None:
            with urlopen(url, timeout=10) as answer:
                text: str = answer.read().decode()
            return text if re.search(rf"^{re.escape(until)}", text, re.MULTILINE) else None

        return self.until(page)


@contextmanager
def running(
    folder: Path, *flags: str, environment: Mapping[str, str] | None = None, within: Sequence[str] = ()
) -> Iterator[Running]:
    """One in a folder of its own, with more in its environment, by a command `within`; it is stopped in good order."""
    ports = ("--collect", "127.0.0.1:0", "--web", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    command = [*within, sys.executable, "-P", "-m", "pixelake", "serve", *ports, "--data", str(folder / "data"), *flags]
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PIXELAKE_")}
    clean |= {"PIXELAKE_ANSWER_DEADLINE": "30", **(environment or {})}  # busy machines take longer than people wait
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=folder, env=clean)
    try:
        yield Running(folder, process)
    finally:
        process.terminate()
        process.wait(60)
