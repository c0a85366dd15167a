"""Any small stream, judged by any rules and then by others."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pixelake.hit import Hit
from tests.judging import AT, CHROME, hit
from tests.spans import World, differences, purged, rules
from tests.strategies import elements

HOUR = 3_600_000_000
AGENTS = (CHROME, "OurMonitor/2.1", "curl/8.5.0", "")
SCHEMAS = ({}, {"required": ["order"]}, {"properties": {"order": {"const": "AB123"}}, "required": ["value"]})
KEPT = ("ignore", "anonymous")


@st.composite
def streams(draw: st.DrawFn) -> Sequence[Hit]:
    """Some hits of some hours: pixels, and bodies of several elements."""
    found = []
    for _ in range(draw(st.integers(1, 8))):
        body = draw(st.lists(elements, min_size=1, max_size=4))
        headers = {"User-Agent": draw(st.sampled_from(AGENTS)), **draw(st.sampled_from([{}, {"DNT": "1"}]))}
        at = AT + draw(st.integers(0, 2)) * HOUR
        found.append(hit("/events", headers, method="POST", body=json.dumps(body).encode(), at=at))
    return found


kinds = st.fixed_dictionaries(
    {
        "max_field": st.sampled_from([150, 2_000]),
        "sites": st.sampled_from(["open", "closed"]),
        "schema": st.sampled_from(SCHEMAS),
        "crawlers": st.sampled_from(["", "OurMonitor", "Chrome"]),
    }
)
"""What rules are made of, but for what objections do."""


@contextmanager
def worlds() -> Iterator[World]:
    """One that is gone at the end; sites `a` is declared."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        world.registry.add_sites(["a"])
        yield world
        world.registry.close()


def made(world: World, name: str, kind: dict[str, Any], objection: str) -> Any:
    """The rules of a kind."""
    folder = world.folder / name
    folder.mkdir()
    (folder / "purchase.json").write_text(json.dumps(kind["schema"]))
    if kind["crawlers"]:
        (folder / "crawlers.txt").write_text(kind["crawlers"] + "\n")
    return rules(folder, max_field=kind["max_field"], sites=kind["sites"], do_not_track=objection)


@settings(max_examples=6, deadline=None)
@given(hits=streams(), first=kinds, second=kinds, then=st.sampled_from(KEPT), now=st.sampled_from((*KEPT, "withhold")))
def test_as_if_from_the_start(hits: Sequence[Hit], first: Any, second: Any, then: str, now: str) -> None:
    """The lake is the one that today's rules would have made; to do it again changes nothing."""
    with worlds() as world:
        old, new = made(world, "old", first, then), made(world, "new", second, now)
        world.send(hits)
        ours, other = world.lake("ours"), world.lake("other")
        ours.settle(old, limit=3)
        other.settle(new)
        ours.replay(new)
        assert differences(ours, other) == {}
        again = ours.replay(new)
        assert again.unchanged == again.looked_at


@settings(max_examples=6, deadline=None)
@given(data=st.data(), hits=streams(), first=kinds, second=kinds, then=st.sampled_from((*KEPT, "withhold")))
def test_what_has_left_stays_out(data: st.DataObject, hits: Sequence[Hit], first: Any, second: Any, then: str) -> None:
    """Rejects that were purged and what was withheld do not come back, and each row is there once."""
    with worlds() as world:
        old, new = made(world, "old", first, then), made(world, "new", second, "ignore")
        world.send(hits)
        ours = world.lake("ours")
        ours.settle(old)
        gone = data.draw(st.lists(st.sampled_from(ours.ids("rejects") or ["none"]), unique=True))
        removed = sum(ours.lake.purge(lambda rows: purged(rows, *gone)))
        before = {*ours.ids("events"), *ours.ids("rejects")}
        withheld = ours.sums().withheld
        report = ours.replay(new)
        after = [*ours.ids("events"), *ours.ids("rejects")]
        assert len(after) == len(set(after))
        assert set(after) == before
        assert (ours.sums().withheld, ours.sums().removed) == (withheld, removed)
        assert (report.added, report.merged, report.withheld_now) == (0, 0, 0)
        again = ours.replay(new)
        assert again.unchanged == again.looked_at == len(after)
