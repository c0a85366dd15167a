"""What a call of `consume` asks of S3 and DynamoDB is what its price is worked out from."""

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.moto_api._internal.models import moto_api_backend

from pixelake.aws.consume import Consume
from pixelake.aws.cost_inputs import Inputs
from pixelake.aws.cost_lines import live_units
from pixelake.aws.local.cloud import Cloud
from pixelake.aws.local.faults import Faults
from pixelake.aws.local.topology import PLACES, make_table
from pixelake.build import functions
from pixelake.clock import SECOND
from pixelake.testing import zipf
from pixelake.warehouse import bring
from pixelake.warehouse import live_dynamodb_entries as entries
from pixelake.warehouse.live_base import MOST_EVENTS, NEEDED
from pixelake.warehouse.live_dynamodb_log import Head
from tests.aws.deliveries import line, of_kinesis
from tests.s3 import reached
from tests.warehouse.outcomes import START, event, outcome

CALLS = 6
A_SECOND = 190
"""Hits of a machine, where two have a billion a month."""


class Counted:
    """Services on this machine, and what was asked of them."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud, self.asked = cloud, Counter[str]()

    def __call__(self, environ: Any, start: Any) -> Any:
        """Count a request, and pass it on."""
        if target := environ.get("HTTP_X_AMZ_TARGET", ""):
            self.asked[target.partition(".")[2]] += 1
        else:
            listed = "list-type" in environ.get("QUERY_STRING", "")
            self.asked["LIST" if listed else environ["REQUEST_METHOD"]] += 1
        return self._cloud(environ, start)


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    """A bucket and a table; this process reaches them."""
    cloud = Cloud(tmp_path / "objects", Faults({}))
    found = Counted(cloud)
    cloud._server.app = found
    cloud.start()
    make_table(cloud)
    reached(monkeypatch, cloud.environment)
    for name, place in {**PLACES, "PIXELAKE_DATA": str(tmp_path / "data")}.items():
        monkeypatch.setenv(name, place)
    yield found
    cloud.stop()
    moto_api_backend.reset()  # what moto holds belongs to the process


def test_what_a_call_asks(counted: Counted) -> None:
    """So many PUTs and LISTs, so many GETs and HEADs, and so many more of these for each file that it has not read."""
    consume, of = Consume(functions.stages(functions.settings())), Inputs()
    consume(_event(0))
    for number in range(1, CALLS + 1):
        new = 1
        if number > CALLS - 2:  # as in a function that has just started
            bring._small.cache_clear()
            new = number
        counted.asked.clear()
        consume(_event(number))
        puts, gets = _sum(counted, "PUT", "LIST"), _sum(counted, "GET", "HEAD")
        assert puts == pytest.approx(of.commit_puts, abs=2), counted.asked
        assert gets == pytest.approx(of.commit_gets + of.file_gets * new, abs=2), counted.asked
        assert _sum(counted, "PutItem", "UpdateItem") <= of.live_write + 1
    assert (of.known_rows, of.known_files) == (bring.SMALL, bring.REMEMBERED)


def _event(number: int) -> Any:
    return of_kinesis([line(number)], number + 1)


def _sum(counted: Counted, *names: str) -> int:
    return sum(counted.asked[name] for name in names)


@pytest.mark.parametrize("hits", [100, 950, 3_000, 6_000])
def test_what_a_write_of_the_live_store_takes(hits: int) -> None:
    """Of hits of 50 sites: a write unit for each KB of their entries, one for the head, and a tenth for documents."""
    chance = random.Random(hits)
    sites = chance.choices(range(50), list(zipf(50)), k=hits)
    fresh = outcome(_hit(chance, number, site) for number, site in enumerate(sites, 1))
    waiting, units = [replace(fresh, events=fresh.events.select(NEEDED))], 0
    now = int(START.timestamp()) * SECOND
    while waiting:
        part = waiting.pop()
        made = entries.entry(Head(), part, now, 7 * 86_400 * SECOND, MOST_EVENTS)
        if entries.is_small(made, part):
            units += math.ceil(made.size() / 1_024) + 1
        else:
            waiting += entries.halves(part)
    assert live_units(Inputs(), hits) == pytest.approx(1.1 * units, rel=0.15)


def _hit(chance: random.Random, number: int, site: int) -> dict[str, Any]:
    """An event with texts of usual length, of a visitor of its own."""
    page = min(int(chance.expovariate(1 / 40)), 400)
    host, path = f"shop{site}.example", f"/products/category-{page % 20}/item-{page}"
    return event(
        "p",
        number,
        received_at=START + timedelta(seconds=number / A_SECOND),
        hit_id=f"{chance.getrandbits(80):x}-{number}",
        site=host,
        host=host,
        path=path,
        url=f"https://{host}{path}",
        title=f"Product {page} of the shop {site}",
        visitor_id=f"{chance.getrandbits(88):022x}",
        browser=chance.choice(["Chrome", "Safari", "Firefox", "Edge", "Samsung Internet"]),
        os=chance.choice(["Windows", "iOS", "Android", "macOS", "Linux"]),
        country=chance.choice(["DE", "US", "FR", "GB", "IN", "BR", "JP", "PL"]),
        device="desktop",
        referrer="https://www.google.com/" if chance.random() < 0.3 else None,
        properties=None,
    )
