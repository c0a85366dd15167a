"""Visits, their pages, bounces and lengths are those that plain Python finds in the same facts."""

from collections import defaultdict
from typing import Any

from hypothesis import given, settings

from tests.properties.shoppers import Act, World, rounded, worlds
from tests.properties.test_shop import asked, without
from tests.properties.visiting import visits

FEW = settings(max_examples=20, deadline=None)


def pages(visit: list[Act]) -> list[str]:
    """Pages that were seen in a visit."""
    return [act.page for act in visit if act.event == "pageview" and act.page is not None]


def views(visit: list[Act]) -> int:
    """Views of pages, also of those whose path is not known."""
    return sum(act.event == "pageview" for act in visit)


def seconds(visit: list[Act]) -> float:
    """From the first act to the last."""
    return (visit[-1].at - visit[0].at).total_seconds()


@FEW
@given(worlds())
def test_overview(world: World) -> None:
    """A visit ends by half an hour of silence and goes on over midnight; one of a single hit is a bounce."""
    hits, walked = world.hits(), visits(world)
    many = len(walked)
    expected = {
        "hits": len(hits),
        "views": views(hits),
        "daily_visitors": len({(world.day(act), act.person) for act in hits}),
        "visits": many,
        "views_per_visit": sum(map(views, walked)) / many if many else None,
        "bounce_rate": sum(len(visit) == 1 for visit in walked) / many if many else None,
        "seconds_per_visit": sum(map(seconds, walked)) / many if many else None,
    }
    with asked(world) as lake:
        (row,) = lake.ask("overview")
        assert rounded([{name: row[name] for name in expected}]) == rounded([expected])


def ends(world: World, which: int) -> list[dict[str, Any]]:
    """The rows of entries (0) or exits (-1)."""
    found: dict[str, list[list[Act]]] = defaultdict(list)
    for visit in visits(world):
        if pages(visit):
            found[pages(visit)[which]].append(visit)
    return rounded(
        {
            "value": page,
            "visits": len(its),
            "daily_visitors": len({(world.day(visit[0]), visit[0].person) for visit in its}),
            "views": sum(map(views, its)),
            "bounce_rate": sum(len(visit) == 1 for visit in its) / len(its),
            "seconds_per_visit": sum(map(seconds, its)) / len(its),
        }
        for page, its in found.items()
    )


@FEW
@given(worlds())
def test_entries_and_exits(world: World) -> None:
    """Visits are counted by their first page and by their last one."""
    with asked(world) as lake:
        assert without(lake.ask("entries"), "visitors") == ends(world, 0)
        assert without(lake.ask("exits"), "visitors") == ends(world, -1)
