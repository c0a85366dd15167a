"""The rate at which strict privacy merges strangers: the published table, and people who are really merged."""

from pathlib import Path
from random import Random

import pytest
import strict as rate

from pixelake.collect import strict
from pixelake.transform.enrich.place import place
from pixelake.transform.enrich.visitor import visitor

PAGE = Path(__file__).parents[2] / "docs" / "privacy.md"


def test_the_page_has_the_table() -> None:
    """``docs/privacy.md`` has what the script prints."""
    assert "\n".join(rate.table()) in PAGE.read_text(encoding="utf-8")


def _people(random: Random, networks: int) -> list[tuple[str, str]]:
    """The address and the user agent of each; /24s differ in how many people they have as the formula says."""
    weights = [random.gammavariate(rate.UNEVEN, 1) for _ in range(networks)]
    agents = rate.shares(rate.AGENTS)
    homes = random.choices(range(networks), weights, k=20_000)
    names = random.choices(range(rate.AGENTS), agents, k=20_000)
    addresses = (f"10.{home >> 8}.{home & 255}.{random.randrange(256)}" for home in homes)
    return [(address, f"agent {name}") for address, name in zip(addresses, names, strict=True)]


@pytest.mark.parametrize("networks", [300, 5_000, 60_000])
def test_people_are_merged_at_that_rate(networks: int) -> None:
    """20,000 people, cut as the collector cuts them and named as the enricher names them: within 2 points."""
    people = _people(Random(5), networks)
    salt = bytes(32)
    found = {visitor(place(strict.address(address))[1], agent, "s", salt) for address, agent in people}
    expected = rate.merged(20_000, networks, rate.shares(rate.AGENTS))
    assert 1 - len(found) / 20_000 == pytest.approx(expected, abs=0.02)


def test_nobody_is_merged_alone() -> None:
    """In the limits: one person is never merged, and in a single network with a single agent all are one."""
    assert rate.merged(1, 1e9, [1.0]) == pytest.approx(0, abs=1e-6)
    assert rate.merged(1_000, 1, [1.0], uneven=1e6) == pytest.approx(1 - 1 / 1_000, abs=1e-6)
