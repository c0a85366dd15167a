"""An access log as a server writes it, hostile lines among them; the same seed makes the same log.

A tenth of its requests are scans, broken, in other encodings or not lines at all.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Final

from rig.population import AGENTS

START: Final = datetime(2026, 9, 1, tzinfo=UTC)
DAYS: Final = 30
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ASSETS: Final = ("/static/app.css", "/static/app.js", "/logo.svg", "/img/a.webp?v=2", "/fonts/x.woff2", "/favicon.ico")
_REFERRERS: Final = ("-", "-", "https://www.google.com/", "https://shop.example/", "https://t.co/x?a=1&b=%22")
_HOSTILE: Final = (
    rb'192.0.2.1 - - [%t] "\x16\x03\x01\x02\x00\x01\xFC" 400 157 "-" "-"',
    rb'192.0.2.1 - - [%t] "GET /.env HTTP/1.1" 404 1 "-" "curl/8"',
    rb'192.0.2.1 - - [%t] "GET /?x=\x22><script>alert(1)</script> HTTP/1.1" 200 1 "javascript:1" "\x22\x5C\xFF"',
    rb'192.0.2.1 - - [%t] "POST /xmlrpc.php HTTP/1.1" 200 1 "-" "-"',
    rb'2001:db8::%n - ada lovelace [%t] "GET /\xC3\xA4/%%FF?utm_source=%%00 HTTP/2.0" 200 1 "-" "Mozilla/5.0 \x00"',
    rb'192.0.2.1 - - [%t] "GET /' + b"a" * 3_000 + rb' HTTP/1.1" 200 1 "-" "-"',
    rb'192.0.2.1 - - [99/Foo/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "-"',
    rb'192.0.2.1 - - [%t] "GET /pixel.gif?site=../..&value=x&event_id=1 HTTP/1.1" 200 1 "-" "-"',
    b"",
    b"\0" * 100,
    b"\xff\xfe no line",
    rb'192.0.2.1 - - [%t] "GET http://evil.example/ HTTP/1.1" 200 1 "-" "-"',
)


def lines(count: int, seed: int = 1) -> Iterator[bytes]:
    """So many lines of `DAYS` days, with their ends."""
    random = Random(seed)
    agents = [agent.replace("\\", "\\x5C").replace('"', "\\x22") for agent in AGENTS.read_text("utf-8").splitlines()]
    pages = [f"/page/{n}{'?utm_source=news&id=7' if n % 5 == 0 else ''}" for n in range(2_000)]
    weights = list(accumulate(1 / (n + 1) for n in range(len(pages))))
    for number in range(count):
        moment = START + timedelta(days=DAYS) * number / count
        time = f"{moment.day:02}/{_MONTHS[moment.month - 1]}/{moment:%Y:%H:%M:%S} +0000"
        kind = random.random()
        if kind < 0.1:
            shape = random.choice(_HOSTILE)
            yield shape.replace(b"%t", time.encode()).replace(b"%n", b"%x" % number).replace(b"%%", b"%") + b"\n"
            continue
        visitor = Random(random.randrange(count // 5 + 1))
        address = ".".join(str(visitor.randrange(1, 255)) for _ in range(4))
        agent = agents[visitor.randrange(len(agents))]
        if kind < 0.5:
            target = random.choices(pages, cum_weights=weights)[0]
        elif kind < 0.6:
            target = f"/pixel.gif?site=shop.example&event_id={random.randrange(count)}&title=a%20b"
        else:
            target = random.choice(_ASSETS)
        status = random.choice((200, 200, 200, 200, 304, 301, 404))
        text = f'{address} - - [{time}] "GET {target} HTTP/1.1" {status} 512 "{random.choice(_REFERRERS)}" "{agent}"\n'
        yield text.encode()


def write(path: Path, count: int) -> None:
    """A log of so many lines."""
    with path.open("wb", buffering=1 << 20) as log:
        log.writelines(lines(count))
