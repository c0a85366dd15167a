"""What an event costs from the stream into the lake, where that goes, and what an event takes on the disk.

Hits of many visitors with recorded user agents are put into a stream, then
settled by the program's own consumer with its default settings. The processor's
time is that of the whole process, all its threads. README.md beside this file
has the method and the results.

    scripts/bench consume                  everything, about 15 minutes
    scripts/bench consume --part events    one part
"""

import argparse

from parts.keeping import PARTS as KEEPING
from parts.settling import PARTS as SETTLING
from rig.machine import describe
from rig.tables import say

PARTS = SETTLING | KEEPING


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="parts:\n" + "\n".join(f"  {name:12} {text}" for name, (_, text) in PARTS.items()),
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="again for another; default: all")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; default: 3")
    parser.add_argument("--hits", type=int, default=500_000, help="of a run; default: 500,000")
    parser.add_argument("--events", type=int, default=5_000_000, help="of the day that is kept; default: 5,000,000")
    parser.add_argument("--seconds", type=float, default=30, help="of the run that measures the delay; default: 30")
    options = parser.parse_args()
    print(describe(), flush=True)
    for part in options.part or PARTS:
        say(f"--- {part}")
        PARTS[part][0](options)


if __name__ == "__main__":
    main()
