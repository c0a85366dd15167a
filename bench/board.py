"""The dashboard's first page in a real browser: from navigation to all panels filled, over a lake of many events.

    scripts/bench board                    10 million events of thirteen months up to today, 20 loads; needs chromium
    scripts/bench board --events 1e6       fewer

The lake is made with pixelake's own writer, and rolled up, before `pixelake web` serves it. A page is *filled* when no
part of it is busy any more. *Warm*: the page was loaded before, by the same browser; answers are asked for again, with
their ETags. *Anew*: as warm, but something else is asked each time (another period), so that nothing is remembered.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, sync_playwright
from rig import lake100
from rig.machine import describe, require
from rig.servers import BUILD
from rig.tables import say, table

from pixelake.operate.folder import occupied

CHROMIUM: Final = "/usr/bin/chromium"
CLI: Final = [sys.executable, "-P", "-m", "pixelake"]
FILLED: Final = """() => document.querySelectorAll("main .panel").length > 5
  && !document.querySelector("main [aria-busy=true], main .wait, main .chart-wait")"""
FETCHED: Final = (
    "() => performance.getEntriesByType('resource').map(({ name, encodedBodySize }) => [name, encodedBodySize])"
)
WATCH: Final = """
window.shifts = 0; window.filled = 0;
const shifted = (each) => { if (!each.hadRecentInput) window.shifts += each.value; };
new PerformanceObserver((list) => list.getEntries().forEach(shifted)).observe({ type: "layout-shift", buffered: true });
const filled = %s;
const look = () => { if (filled()) window.filled ||= performance.now(); else requestAnimationFrame(look); };
addEventListener("DOMContentLoaded", look);
"""


def main() -> None:
    """Make the lake, load the page, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=lambda text: int(float(text)), default=10_000_000, help="default: 1e7")
    parser.add_argument("--loads", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=BUILD / "board", help="of the lakes; they stay there for a day")
    options = parser.parse_args()
    require(CHROMIUM)
    print(describe(), flush=True)
    data = made(options.folder / f"{options.events}-{datetime.now(UTC):%Y%m%d}", options.events)
    with served(data) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(WATCH % FILLED)
        report(options.events, page, address, options.loads)
        browser.close()


def made(data: Path, events: int) -> Path:
    """A data folder with the lake in it, and its roll-ups."""
    if not (data / "lake").exists():
        say(f"a lake of {events:,} events")
        with occupied(data, ("consume",)):
            first = datetime.now(UTC).date() - timedelta(days=lake100.DAYS - 1)
            lake100.make(data / "lake", events, first=first)
        subprocess.run([*CLI, "sites", "add", lake100.LARGEST, "--data", str(data)], check=True)
        subprocess.run([*CLI, "maintain", "rollup", "--data", str(data)], check=True)
    return data


@contextmanager
def served(data: Path) -> Iterator[str]:
    """The web role there; the address with its token."""
    command = [*CLI, "web", "--data", str(data), "--web", "127.0.0.1:0"]
    log = data.with_suffix(".log")
    with log.open("wb") as told:
        process = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while not (found := re.search(r"Dashboard: (\S+)", log.read_text())):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"web did not start:\n{log.read_text()[-2_000:]}")
            time.sleep(0.1)
        yield found[1]
    finally:
        process.terminate()
        process.wait(30)


def load(page: Page, address: str) -> dict[str, Any]:
    """Milliseconds from navigation to all panels filled, and how much the layout shifted."""
    page.goto(address)
    deadline = time.monotonic() + 30
    while not page.evaluate("() => window.filled"):  # the page's policy lets nothing be evaluated within it
        if time.monotonic() > deadline:
            sys.exit(f"{page.url} was never filled: {page.inner_text('main')[:500]!r}")
        page.wait_for_timeout(50)
    page.wait_for_timeout(300)  # what would shift late
    return dict(page.evaluate("() => ({ filled: window.filled, shift: window.shifts })"))


def report(events: int, page: Page, address: str, loads: int) -> None:
    """A table of the loads, and of what the first one fetched."""
    load(page, address)
    fetched: dict[str, int] = dict(page.evaluate(FETCHED))
    site = f"{address.partition('?')[0]}?site={lake100.LARGEST}"
    first = load(page, site)
    warm = [load(page, site) for _ in range(loads)]
    now = datetime.now(UTC)
    spans = [(now - timedelta(days=30 + number), now - timedelta(minutes=number)) for number in range(1, loads + 1)]
    anew = [load(page, f"{site}&from={a:%Y-%m-%d}&to={b:%Y-%m-%dT%H:%M:00Z}") for a, b in spans]
    rows = [["the first time", f"{first['filled']:.0f}", "", f"{first['shift']:.3f}"]]
    for name, found in (("warm", warm), ("anew", anew)):
        times = [each["filled"] for each in found]
        spread = f"[{min(times):.0f} to {max(times):.0f}]"
        rows.append([name, f"{statistics.median(times):.0f}", spread, f"{max(each['shift'] for each in found):.3f}"])
    table(f"{events:,} events, 30 days of the largest site", ["load", "filled, ms", "", "layout shift"], rows)
    scripts = sum(size for name, size in fetched.items() if name.endswith(".js") and "uplot" not in name)
    sizes = [["JavaScript without the chart library", f"{scripts / 1e3:.0f}"]]
    table("kB that the page fetched, as sent", ["", ""], [*sizes, ["everything", f"{sum(fetched.values()) / 1e3:.0f}"]])


if __name__ == "__main__":
    main()
