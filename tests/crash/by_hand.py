"""Runs one campaign by hand: behind `scripts/crash` and `scripts/powercut`."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from tests.crash import campaign, consumers, keeping, topologies
from tests.crash.campaign import Load


class Found(Protocol):
    """What came of a campaign; its text tells the counts."""

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        ...


Run = Callable[[Path, int, Load, Callable[[str], None]], Found]


class Campaign(NamedTuple):
    """One campaign: what it does, how much of it if nothing is said, and of what; under which load."""

    help: str
    default: int
    unit: str
    run: Run
    load: Load = Load()


CAMPAIGNS: Final[Mapping[str, Campaign]] = {
    "server": Campaign(
        "kill collector, consumer, web and supervisor of one `serve` in turn",
        30,
        "kills",
        lambda folder, times, load, tell: campaign.crash(folder, times, load, tell=tell),
    ),
    "consumers": Campaign(
        "kill consumers in the middle of writes to each sink, and workers; take partitions away from who lives on",
        300,
        "kills",
        lambda folder, times, load, tell: consumers.kill(folder, times, load, tell=tell),
    ),
    "two": Campaign(
        "two consumers on two partitions write to every sink at once",
        30,
        "seconds",
        lambda folder, seconds, load, tell: consumers.two(folder, seconds, load, tell=tell),
    ),
    "zombie": Campaign(
        "stop a consumer in a write of each kind, let another take over, and let it go on",
        60,
        "seconds of each stop",
        lambda folder, seconds, load, tell: consumers.sleep(folder, seconds, load, tell=tell),
    ),
    "away": Campaign(
        "put a file in place of the lake for a while, and measure how fast it catches up",
        600,
        "seconds",
        lambda folder, seconds, load, tell: consumers.away(folder, seconds, load, tell=tell),
        Load(rate=1_000.0, connections=10),
    ),
    "resend": Campaign(
        "send every tenth request again on another connection, and kill workers and consumers in turn",
        60,
        "kills",
        lambda folder, times, load, tell: consumers.resend(folder, times, load, tell=tell),
    ),
    "keep": Campaign(
        "kill what keeps the lake (erasures, ...) at any moment",
        50,
        "kills",
        lambda folder, times, load, tell: keeping.keep(folder, times, load, tell=tell),
        Load(rate=50.0, connections=10),
    ),
    "designs": Campaign(
        "run each design of AWS here while services are throttled, functions die and records come twice",
        10_000,
        "hits of each design",
        lambda folder, times, _load, tell: topologies.designs(folder, times, tell),
    ),
    "powercut": Campaign(
        "cut the power of the disk (Linux, root)",
        6,
        "cuts",
        lambda folder, times, load, tell: campaign.powercut(folder, times, load, tell=tell),
    ),
}
"""By name."""


def main() -> int:
    """Run one; exit status 0: every promise was kept, or it cannot be run here."""
    chosen = _arguments()
    plan = CAMPAIGNS[chosen.campaign]
    load = Load(chosen.rate or plan.load.rate, chosen.connections or plan.load.connections)
    folder = Path(tempfile.mkdtemp(prefix=f"pixelake-{chosen.campaign}-"))
    if chosen.campaign == "powercut" and (why := campaign.why_no_power_cuts(folder)):
        _say(f"skipped: {why}")
        return 0
    _say(f"in {folder}")
    found = plan.run(folder, chosen.times or plan.default, load, _say)
    _say(found)
    if found.good and not chosen.keep:
        shutil.rmtree(folder)
    return not found.good


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    lines = [f"  {name:<11}{each.help} ({each.default} {each.unit})" for name, each in CAMPAIGNS.items()]
    parser = argparse.ArgumentParser(
        prog="scripts/crash or scripts/powercut",
        description="Do harm under load, then count: what got a 200 must be there exactly once.",
        epilog="\n".join(["campaigns, and how much of it without --times:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("campaign", nargs="?", choices=CAMPAIGNS, default="server", metavar="CAMPAIGN")
    parser.add_argument("--times", "--cuts", "--seconds", type=int, help="how many kills or cuts, or how many seconds")
    parser.add_argument("--rate", type=float, help="hits a second (200; away: 1000)")
    parser.add_argument("--connections", type=int, help="clients (50; away: 10)")
    parser.add_argument("--keep", action="store_true", help="keep the folder, to look at it")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
