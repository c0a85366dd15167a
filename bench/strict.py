#!/usr/bin/env python3
"""How many strangers `privacy = "strict"` takes for one visitor: the table of docs/privacy.md.

Of V people a day, who come from n networks (/24 or /48) and have user agents
with the shares p, those are one visitor who share network and agent. If the
people of a network are Poisson distributed around a mean that is itself gamma
distributed with shape k (a network has none, another a whole village), there are

    n * sum over agents of 1 - (1 + V p / (n k)) ** -k

visitors; what is missing to V was merged. With whole addresses there are 256 times
as many networks. Exact, so nothing is drawn by chance; tests/bench/test_strict.py
compares it with people who are drawn, and counted by the code that ships.

    scripts/bench strict            prints the table
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate

PEOPLE = (1_000, 10_000, 100_000, 1_000_000)
"""Visitors of a site on a day."""
NETWORKS = {
    "a town (1,000 networks)": 1_000,
    "a region (30,000)": 30_000,
    "a country (300,000)": 300_000,
    "the world (5,000,000)": 5_000_000,
}
"""From how many /24 or /48 they come."""
UNEVEN = 0.3
"""Shape of the gamma distribution: the tenth of the networks with most people has half of them."""
AGENTS = 50
"""The n-th most frequent user agent is as frequent as 1/n of the first."""


def shares(agents: int) -> Sequence[float]:
    """The share of each user agent, by Zipf."""
    whole = list(accumulate(1 / rank for rank in range(1, agents + 1)))[-1]
    return [1 / rank / whole for rank in range(1, agents + 1)]


def merged(people: int, networks: float, agents: Sequence[float], uneven: float = UNEVEN) -> float:
    """The part of the people who are not counted, because somebody else is the same visitor."""
    visitors = networks * sum(1 - (1 + people * share / (networks * uneven)) ** -uneven for share in agents)
    return 1 - visitors / people


def table() -> Iterator[str]:
    """The table, as Markdown: merged by strict privacy, and in brackets by whole addresses."""
    agents = shares(AGENTS)
    yield "| people a day | " + " | ".join(NETWORKS) + " |"
    yield "|---:|" + "---:|" * len(NETWORKS)
    for people in PEOPLE:
        cells = [f"{merged(people, n, agents):.1%} ({merged(people, 256 * n, agents):.1%})" for n in NETWORKS.values()]
        yield f"| {people:,} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    print("\n".join(table()))
