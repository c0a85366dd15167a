"""Visits, as plain Python finds them in the facts about generated people."""

from datetime import time, timedelta

from tests.properties.shoppers import DAY, Act, World

SILENCE = timedelta(minutes=30)
FOUR = time(4)


def visits(world: World) -> list[list[Act]]:
    """The visits that began in the period, and of which an act passes the filter: each its acts in order."""
    last: dict[tuple[str, str], list[Act]] = {}
    walks = []
    for act in world.people():
        walk = last.get(act.person)
        if walk is None or act.at - walk[-1].at > SILENCE:
            walk = last[act.person] = []
            walks.append(walk)
        walk.append(act)
    cut = [[act for act in walk if _is_followed(world, walk[0], act)] for walk in walks]
    return [walk for walk in cut if world.start <= walk[0].at < world.end and any(world.passes(act) for act in walk)]


def _is_followed(world: World, first: Act, act: Act) -> bool:
    """Over midnight a visit is followed until four o'clock."""
    begun, day = world.day(first), world.day(act)
    return day == begun or (day == begun + DAY and world.local(act).time() < FOUR)
