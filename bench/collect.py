"""What a durable answer costs, beside a web server that merely logs.

Each part starts its servers afresh, loads them in turns, prints Markdown, and
counts afterwards whether every 200 is in the stream. README.md beside this
file has the method and the results.

    scripts/bench collect                  everything but the soak, about 15 minutes
    scripts/bench collect --part tls       one part, below 3 minutes
    scripts/bench collect --part soak --minutes 10
"""

import argparse
import resource
from collections.abc import Callable
from typing import Final

from parts import closed, lasting, timetable
from parts.options import Options
from rig.machine import describe, require
from rig.tables import say

PARTS: Final[dict[str, tuple[Callable[[Options], None], str]]] = {
    "keepalive": (closed.keepalive, "as many requests as go through over 64 and 512 keep-alive connections"),
    "connections": (closed.connections, "the same with a new connection for each request"),
    "tls": (closed.tls, "the same with TLS, kept alive and new"),
    "open": (timetable.rates, "at 1, 10 and 1,000 hits a second and at half of the limit, come what may"),
    "disk": (timetable.slow_disks, "the same with an fsync that costs 1, 5 and 20 ms, and one that takes 2 s"),
    "workers": (timetable.workers, "two workers against one at the same load"),
    "idle": (lasting.idle, "5,000 idle connections and 500 that send a byte a second"),
    "soak": (lasting.soak, "full load for --minutes, and the memory meanwhile"),
}


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="parts:\n" + "\n".join(f"  {name:12} {text}" for name, (_, text) in PARTS.items()),
    )
    parser.add_argument("--part", choices=PARTS, action="append", help="again for another; default: all but the soak")
    parser.add_argument("--rounds", type=int, help="runs of each; default: 5, and 3 at a given rate")
    parser.add_argument("--seconds", type=float, default=4, help="of a run; default: 4")
    parser.add_argument("--rate", type=float, help="hits a second in place of half of the limit")
    parser.add_argument("--minutes", type=float, default=10, help="of the soak; default: 10")
    options = parser.parse_args()
    require("wrk", "nginx", "openssl")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(describe(), flush=True)
    for part in options.part or [name for name in PARTS if name != "soak"]:
        say(f"--- {part}")
        PARTS[part][0](Options(options.rounds, options.seconds, options.rate, options.minutes))


if __name__ == "__main__":
    main()
