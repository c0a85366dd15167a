"""Whether what was answered with 200 is in the stream, counted after the collector has ended."""

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rig import stream
from rig.load import Run, openloop
from rig.servers import Server


@dataclass
class Ledger:
    """What a collector answered with 200 over its life."""

    answered: int = 0
    in_flight: int = 0
    """Hits that may be in the stream beyond those, because wrk hangs up with a request on each connection."""

    def enter(self, run: Run, connections: int) -> Run:
        """Enter a run of wrk."""
        self.answered += run.answers
        self.in_flight += connections
        return run

    def check(self, data: Path) -> str:
        """One line with the count; ends the program if it does not hold."""
        found = stream.count(data)
        if not self.answered <= found <= self.answered + self.in_flight:
            sys.exit(f"NOT DURABLE: {self.answered:,} were answered 200, {found:,} hits are in the stream")
        return (
            f"{self.answered:,} answers with 200, {found:,} hits in the stream "
            f"(up to {self.in_flight:,} more were under way when wrk hung up)"
        )


@dataclass
class Roll:
    """The same by name: the event id of each 200, for runs of `openloop`."""

    folder: Path
    sent: int = 0
    tags: set[str] = field(default_factory=set)
    files: list[Path] = field(default_factory=list)

    def call(self, server: Server, rate: float, seconds: float, connections: int = 0, *, first: bool = False) -> Run:
        """A run that is entered; see `openloop`."""
        self.files.append(self.folder / f"answered-{len(self.files)}")
        run = openloop(server, rate, seconds, connections, self.files[-1], first=first)
        self.sent += run.details["sent"]
        self.tags.add(run.details["tag"])
        return run

    def check(self, data: Path) -> str:
        """One line with the count; ends the program if it does not hold."""
        held = Counter(name for name in stream.event_ids(data) if name.partition("-")[0] in self.tags)
        answered = [name for path in self.files for name in path.read_text().split()]
        wrong = sum(held[name] != 1 for name in answered)
        if wrong:
            sys.exit(f"NOT DURABLE: of {len(answered):,} answers with 200, {wrong:,} are not once in the stream")
        others = held.total() - len(answered)
        return (
            f"{self.sent:,} hits sent, {len(answered):,} answered with 200, each once in the stream; "
            f"{others:,} more in the stream without a 200"
        )
