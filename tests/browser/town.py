"""A house in which something of every kind has happened, and an empty one, for tests that walk through all pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from pixelake.clock import SECOND
from pixelake.registry import passwords
from pixelake.registry.goals import Funnel, Goal
from tests.browser.house import House, serving

SITE = "shop.example"
QUIET = "new.example"
PASSWORD = "correct horse battery"
_SHOP = {"site": SITE, "host": SITE, "url": f"https://{SITE}/"}
_GERMAN = {"country": "DE", "region": "BE", "city": "Berlin", "language": "de", "browser": "Firefox", "os": "Linux"}
_SWISS = {"country": "CH", "region": "ZH", "city": "Zürich", "language": "fr", "browser": "Safari", "os": "iOS"}
_ADS = {"utm_source": "ads", "utm_medium": "cpc", "utm_campaign": "spring", "channel": "paid", "click_id": "gclid=1"}
_NEWS = {"referrer_host": "news.example", "referrer": "https://news.example/a", "channel": "referral"}


class Town(NamedTuple):
    """A house that people live in.

    Attributes:
        house: the running web role.
        shared: the path of a link.
        locked: the path of a link with a password.
        over: the path of one that has expired.
    """

    house: House
    shared: str
    locked: str
    over: str


@contextmanager
def inhabited(folder: Path) -> Iterator[Town]:
    """Two sites over five weeks, one that waits; rejects, users, links, tokens, goals, a funnel."""
    with serving(folder) as house:
        house.arrive(*_weeks(datetime.now(UTC)))
        house.refuse("schema", detail='[{"field": "value", "text": "is no number"}]')
        house.refuse("not_json")
        house.registry.add_sites([QUIET])
        house.notices = [{"level": "warning", "code": "disk", "text": "the disk is nearly full", "setting": "data"}]
        yield Town(house, *_let_in(house))


def _weeks(now: datetime) -> Iterator[dict[str, Any]]:
    """Two people a day, who come again; one of them buys; a machine a day; a mail, an ad and a badge."""
    for day in range(35):
        at = now - timedelta(days=day, minutes=3)
        one = {**_SHOP, **_GERMAN, **_NEWS, "user_id": f"u{day // 7}", "device": "desktop", "screen": "1920x1080"}
        two = {**_SHOP, **_SWISS, **_ADS, "visitor_id": f"v{day}", "device": "mobile", "screen": "390x844"}
        yield {**one, "path": "/", "title": "Start", "received_at": at}
        yield {**one, "path": "/lamp", "event": "add_to_cart", "received_at": at + timedelta(seconds=40)}
        yield {**two, "path": "/lamp", "title": "A lamp", "received_at": at + timedelta(seconds=50)}
        if day % 3 == 0:
            paid = {"event": "purchase", "value": Decimal("12.50"), "currency": "EUR"}
            sold = {"properties": [("colour", ["red"])], "path": "/thanks", "received_at": at + timedelta(seconds=90)}
            yield {**one, **paid, **sold}
        yield {**_SHOP, "bot": True, "bot_name": "Googlebot", "path": "/", "received_at": at}
        yield {"site": "blog.example", "host": "blog.example", "path": f"/{day}", "received_at": at}
    for event in ("open", "impression", "click", "badge"):
        yield {**_SHOP, **_ADS, "event": event, "proxy": "Gmail" if event == "open" else None}


def _let_in(house: House) -> tuple[str, str, str]:
    registry, access, held = house.registry, house.registry.access, passwords.hashed(PASSWORD)
    access.add_user("olga", "owner", None, held)
    access.add_user("vera", "viewer", [SITE], held)
    registry.add_token("nightly", SITE)
    registry.add_goal(SITE, Goal("thanks", ("path is /thanks",)))
    registry.add_funnel(SITE, Funnel("buy", (("path is /",), ("event is add_to_cart",), ("event is purchase",))))
    _, shared = access.add_share("The board", SITE)
    _, locked = access.add_share("The bank", SITE, password=held)
    _, over = access.add_share("The fair", SITE, expires=int(datetime.now(UTC).timestamp() * SECOND) + 300_000)
    return f"share/{shared}", f"share/{locked}", f"share/{over}"
