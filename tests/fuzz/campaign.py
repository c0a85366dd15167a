"""Mutated requests, heads and groups in any number, and what came of them. Run by `scripts/fuzz`, shortly by a test."""

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.fuzz import codec, heads
from tests.fuzz.drive import run
from tests.fuzz.judge import Tally, judge
from tests.fuzz.second import UNKNOWN

STREAMS = 200
"""Clients of a batch: they share its turns."""
HEADS = 100
"""Near-plain heads a batch, and a tenth as many groups of hits."""
_SHOWN = 20


@dataclass
class Report:
    """What a campaign found.

    Attributes:
        wrong: what must not be, of the protocol and of `Plain`.
        codec: the same of the codec.
    """

    seed: int
    tally: Tally = field(default_factory=Tally)
    heads: int = 0
    groups: int = 0
    codec: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """Also differences from h11 that nobody has looked at."""
        tally = self.tally
        new = [f"{who}, {how}: {tally.samples[who, how]!r}" for who, how in tally.differences if UNKNOWN in how]
        return tally.wrong + new

    def __str__(self) -> str:
        """Figures, differences from h11, and what is wrong."""
        tally = self.tally
        lines = [
            f"seed {self.seed}: {tally.requests:,} requests in {tally.streams:,} streams",
            f"{self.heads:,} near-plain heads, {self.groups:,} groups of hits",
            "answers: " + ", ".join(f"{status}: {count:,}" for status, count in sorted(tally.answers.items())),
            "taken by one only:",
            *(f"  {who:9} {count:8,}  {how}" for (who, how), count in sorted(tally.differences.items())),
            f"wrong: {len(self.wrong)} of the protocol, {len(self.codec)} of the codec",
            *(f"  {fault:.1500}" for fault in [*self.wrong[:_SHOWN], *self.codec[:_SHOWN]]),
        ]
        return "\n".join(lines)


def campaign(requests: int, seed: int, *, first: int = 0, progress: bool = False) -> Report:
    """Go on with batches, from number `first`, until so many requests were sent."""
    report, began, said = Report(seed), time.monotonic(), 0.0
    number = first
    while report.tally.requests < requests:
        judge(run(seed, number, STREAMS), f"seed {seed}, batch {number}", report.tally)
        rng = random.Random(f"{seed} {number} heads")
        report.tally.wrong += heads.check(rng, HEADS)
        report.codec += codec.check(rng, HEADS // 10)
        report.heads += HEADS
        report.groups += HEADS // 10
        number += 1
        spent = time.monotonic() - began
        if progress and spent - said > 10:
            said = spent
            wrong = Counter(protocol=len(report.wrong), codec=len(report.codec))
            print(f"{report.tally.requests:,} requests in {spent:.0f} s, wrong: {dict(wrong)}", file=sys.stderr)
    return report


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    parser.add_argument("--first", type=int, default=0, help="the batch to begin with, to see one again")
    arguments = parser.parse_args()
    report = campaign(arguments.requests, arguments.seed, first=arguments.first, progress=True)
    print(report)
    return 1 if report.wrong or report.codec else 0


if __name__ == "__main__":
    sys.exit(main())
