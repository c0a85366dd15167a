"""`pixelake status` for somebody who watches: both sums, rates, delays, disk and memory, looked at again and again.

What running processes count is read from where they count it, so it is shown
only on their own machine; the sums are shown anywhere.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pixelake import __version__, telemetry
from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.errors import PixelakeError
from pixelake.operate import folder
from pixelake.operate.inert import inert
from pixelake.operate.processes import Processes
from pixelake.operate.status import Status, as_text
from pixelake.registry.base import Maintained
from pixelake.telemetry import Sample

EVERY: Final = 2.0
"""Seconds between two looks."""

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at one moment.

    Attributes:
        at: seconds of a clock that never goes back.
        wall: the same moment, microseconds UTC.
        data: the folder.
        found: both sums and what is wrong; None if they cannot be had.
        error: why not, in a line.
        counted: what running processes have counted; empty if there are none here.
        resident: bytes of memory of each role.
        free: bytes of the disk.
        total: that it has.
    """

    at: float
    data: Path
    found: Status | None
    error: str = ""
    counted: Sequence[Sample] = ()
    resident: Mapping[str, int] = field(default_factory=dict)
    free: int = 0
    total: int = 0
    wall: int = 0

    def sum(self, name: str, **labels: str) -> Counter[str]:
        """The samples of a metric with these labels, added up by what other labels say (in words, in order)."""
        found: Counter[str] = Counter()
        for each in self.counted:
            if each.name == name and labels.items() <= each.labels.items():
                words = [text for label, text in each.labels.items() if label not in labels and text]
                found[" ".join(words)] += each.value  # type: ignore[assignment] # a count may be a fraction
        return found


def look(data: Path, status: Callable[[], Status], clock: Clock = SYSTEM) -> Look:
    """Look once. What cannot be had is left out; why the sums cannot is told.

    Args:
        data: the folder.
        status: both sums.
        clock: for rates.
    """
    found, error = None, ""
    try:
        found = status()
    except PixelakeError as caught:
        error = f"{caught}{f' ({caught.hint})' if caught.hint else ''}"
    counted: list[Sample] = []
    resident: Counter[str] = Counter()
    for link in sorted((data / "run").glob("*")):
        counted += telemetry.read(link)
        with suppress(OSError, ValueError):
            resident += Processes(supervisor=int((link / telemetry.SUPERVISOR).read_text())).resident()
    free = total = 0
    with suppress(OSError):
        disk = shutil.disk_usage(data)
        free, total = disk.free, disk.total
    return Look(clock.monotonic(), data, found, error, counted, resident, free, total, clock.now())


def lines(now: Look, before: Look | None = None) -> Iterator[str]:
    """What there is to tell, a line each; rates since the look before. Nothing in them moves a cursor."""
    for line in _lines(now, before):
        yield inert(line)


def _lines(now: Look, before: Look | None) -> Iterator[str]:
    whole = as_text(now.found).splitlines() if now.found else [f"! {now.error}"]
    yield from (line for line in whole if not line.startswith("!"))
    if before is not None and now.at > before.at:
        yield from _rates(now, before, now.at - before.at)
    if sinks := [f"{name} {lag:.1f} s" for name, lag in now.sum("pixelake_sink_lag_seconds").items()]:
        away = [name for name, detached in now.sum("pixelake_sink_detached").items() if detached]
        yield f"  sinks     behind: {', '.join(sinks)}{'; catching up: ' * bool(away)}{', '.join(away)}"
    if now.found and now.found.maintenance:
        yield f"  upkeep    {', '.join(_run(each, now.wall) for each in now.found.maintenance)}"
    if now.total:
        yield f"  disk      {now.free / 1e9:.1f} of {now.total / 1e9:.1f} GB free"
    if now.resident:
        each = ", ".join(f"{role} {size / 1e6:.0f}" for role, size in now.resident.items())
        yield f"  memory    {sum(now.resident.values()) / 1e6:.0f} MB: {each}"
    yield f"  version   {__version__}, data version {folder.VERSION}, in {now.data}"
    yield from (line for line in whole if line.startswith("!"))


def _run(last: Maintained, wall: int) -> str:
    """When a task of maintenance last came to a good end."""
    if not last.succeeded:
        return f"{last.task} never"
    ago = max(0.0, (wall - last.succeeded) / SECOND)
    unit, seconds = next(((unit, each) for unit, each in _UNITS if ago >= each), _UNITS[-1])
    return f"{last.task} {ago / seconds:.0f} {unit} ago"


def _rates(now: Look, before: Look, seconds: float) -> Iterator[str]:
    """Hits, answers and refusals a second."""
    if now.found and before.found:
        accepted = max(0, now.found.accepted - before.found.accepted) / seconds
        settled = max(0, now.found.settled - before.found.settled) / seconds
        yield f"  rate      {accepted:,.1f} hits/s accepted, {settled:,.1f} settled"
    more = now.sum("pixelake_answers_total")
    more.subtract(before.sum("pixelake_answers_total"))
    answers = [f"{name} {count / seconds:,.1f}/s" for name, count in sorted(more.items()) if count > 0]
    if answers:
        yield f"  answers   {', '.join(answers)}"


def styled(text: str) -> Text:
    """A line as a terminal shows it: what is wrong in red, a sum that holds in green."""
    colours = {"!": "red", "✗": "bold red", "✓": "green"}
    shown = Text(text, no_wrap=True, overflow="ellipsis")
    if colour := colours.get(text[:1]):
        shown.stylize(colour, 0, len(text) if text[0] == "!" else 1)
        shown.no_wrap = text[0] != "!"
    return shown


def watch(
    seen: Callable[[], Look], console: Console, every: float = EVERY, pause: Callable[[float], None] = time.sleep
) -> None:
    """Show what is seen until Ctrl-C, and leave the last of it on the screen.

    Args:
        seen: looks.
        console: a terminal.
        every: seconds between two looks.
        pause: waits.
    """
    before: Look | None = None
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as live:
        while True:
            now = seen()
            live.update(Group(*map(styled, lines(now, before)), Text("\n  Ctrl-C ends", style="dim")), refresh=True)
            before = now
            pause(every)
