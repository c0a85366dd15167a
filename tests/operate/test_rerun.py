"""A span of the stream judged anew: the lake is what it would be had today's rules held from the start."""

import json
from pathlib import Path
from typing import Any

import pytest

from pixelake.dialects import body as bodies
from pixelake.errors import LakeUnavailable
from pixelake.hit import Hit
from pixelake.operate.rerun import Report, as_text
from pixelake.stream import segment
from pixelake.stream.sqlite_range import Span
from pixelake.warehouse.delta import DeltaWriter
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.vacuum import maintaining
from tests.judging import AT, CHROME, hit
from tests.spans import World, differences, purged, rules

SECOND = 1_000_000
HOUR = 3_600 * SECOND
OURS = "OurMonitor/2.1 (+https://ops.example/monitor)"
AGENTS = (CHROME, OURS, "curl/8.5.0", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "")
COLOUR = {"properties": {"order": {"enum": ["none", "AB123"]}}, "required": ["order", "value", "colour"]}
ORDER = {"required": ["order"], "properties": {"order": {"pattern": "^[A-Z]{2}[0-9]{3}$"}}}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A stream without hits."""
    return World(tmp_path)


def post(elements: Any, at: int = AT, **headers: str) -> Hit:
    """A body of many elements."""
    return hit("/events", headers, method="POST", body=json.dumps(elements).encode(), at=at)


def varied(count: int) -> list[Hit]:
    """People, machines, purchases that are good and bad, bodies of several elements; over three hours."""
    found = []
    for number in range(count):
        at, agent = AT + number * HOUR // 40, {"User-Agent": AGENTS[number % len(AGENTS)]}
        match number % 4:
            case 0:
                found.append(hit(f"/pixel.gif?site=a&n={number}&title=T%C3%A9{number}", agent, at=at))
            case 1:
                order = "AB123" if number % 3 else "none"
                colour = "&colour=red" if number % 5 else ""
                found.append(hit(f"/pixel.gif?site=b&event=purchase&order={order}&value=1.50{colour}", agent, at=at))
            case 2:
                found.append(post([{"site": "a", "n": number}, {"value": "x"}, {"event": "purchase"}], at, **agent))
            case _:
                found.append(hit(f"/pixel.gif?site=c&event_id=e{number // 8}&user=u{number}", agent, at=at))
    return found


def lists(folder: Path, **files: str) -> Path:
    """A folder of lists and schemas."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_as_if_from_the_start(world: World, tmp_path: Path) -> None:
    """With another list of bots, and schemas that refuse some and take others: equal in every column of both tables."""
    first = rules(lists(tmp_path / "a", purchase__json=json.dumps(COLOUR), crawlers__txt="Googlebot\n"))
    second = rules(lists(tmp_path / "b", purchase__json=json.dumps(ORDER), crawlers__txt="OurMonitor\n"))
    world.send(varied(90), varied(31))
    ours, other = world.lake("ours"), world.lake("other")
    ours.settle(first)
    other.settle(second)
    assert differences(ours, other)
    report = ours.replay(second)
    assert differences(ours, other) == {}
    assert min(report.changed, report.became_events, report.became_rejects, report.unchanged) > 0
    assert (report.no_longer_held, report.added, report.merged) == (0, 0, 0)
    again = ours.replay(second)
    assert again == Report(
        **dict.fromkeys(report.as_dict(), 0) | dict.fromkeys(("looked_at", "unchanged"), again.looked_at)
    )


def test_nothing_is_written_without_need(world: World) -> None:
    """Files whose rows all stay are left alone; where nothing changes, there is no commit."""
    world.send([hit("/pixel.gif?n=1"), hit("/pixel.gif?n=2", {"User-Agent": OURS}, at=AT + HOUR)])
    ours = world.lake("ours")
    ours.settle(rules(), limit=1)
    before, version = ours.files("events"), ours.lake._events.log.version
    assert ours.replay(rules()).unchanged == 2
    assert ours.lake._events.log.version == version
    report = ours.replay(rules(do_not_track="withhold"))
    assert (report.unchanged, ours.files("events")) == (2, before)


def test_only_one_span(world: World, tmp_path: Path) -> None:
    """From a moment up to another, which is not part of it."""
    by = rules(lists(tmp_path / "b", crawlers__txt="Chrome\n"))
    world.send([hit(f"/pixel.gif?n={n}", at=AT + n * SECOND) for n in range(10)])
    ours = world.lake("ours")
    ours.settle(rules())
    report = ours.replay(by, Span(AT + 3 * SECOND, AT + 7 * SECOND))
    assert (report.looked_at, report.changed) == (4, 4)
    assert [row["position"] for row in ours.rows("events") if row["bot"]] == [4, 5, 6, 7]


def test_only_one_site(world: World, tmp_path: Path) -> None:
    """Hits with an event of that site; the others stay, and are told."""
    by = rules(lists(tmp_path / "b", crawlers__txt="Chrome\n"))
    world.send([hit("/pixel.gif?site=a"), hit("/pixel.gif?site=b"), post([{"site": "b"}, {"site": "a"}])])
    ours = world.lake("ours")
    ours.settle(rules())
    report = ours.replay(by, site="a")
    assert (report.looked_at, report.changed, report.other_site) == (4, 3, 1)
    assert [row["bot"] for row in ours.rows("events")] == [True, False, True, True]


def test_what_has_left_the_lake_stays_out(world: World) -> None:
    """Purged, withheld: neither comes back, whatever today's rules say; the raw hit stays with the rest."""
    long = "x" * 200
    body = [{"title": long}, {"a": "1"}, {"value": "x"}, {"title": long, "n": "2"}]
    world.send([post(body), hit("/pixel.gif", {"DNT": "1"}), hit(f"/pixel.gif?title={long}"), hit("/pixel.gif?n=4")])
    ours = world.lake("ours")
    old = rules(max_field=150, do_not_track="withhold")
    ours.settle(old)
    assert ours.counts() == (2, 4, 1, 0, 7)
    assert list(ours.lake.purge(lambda rows: purged(rows, "1", "3"))) == [2]
    before = ours.rows("rejects")
    assert ours.replay(old).unchanged == 4
    assert ours.rows("rejects") == before
    assert json.loads(before[0]["raw"])["body"]
    report = ours.replay(rules())
    assert (report.became_events, ours.ids("events"), ours.ids("rejects")) == (1, ["1.1", "1.3", "4"], ["1.2"])
    assert ours.counts() == (3, 1, 1, 2, 7)


def test_withheld_now(world: World) -> None:
    """What policy keeps nothing of today goes, and is counted as withheld."""
    world.send([hit("/pixel.gif", {"DNT": "1"}), hit("/pixel.gif"), post([{"a": "1"}, {"value": "x"}], DNT="1")])
    ours, other = world.lake("ours"), world.lake("other")
    ours.settle(rules())
    other.settle(by := rules(do_not_track="withhold"))
    report = ours.replay(by)
    assert (report.withheld_now, ours.counts()) == (3, (1, 0, 3, 0, 4))
    assert differences(ours, other) == {}


def test_a_body_that_is_one_reject(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its elements were many and are one, and back; unless the name of that one has left the lake."""
    world.send([post([{"a": "1"}, {"value": "x"}, {"a": "3"}])])
    ours, other, third = world.lake("ours"), world.lake("other"), world.lake("third")
    ours.settle(rules())
    other.settle(rules())
    third.settle(rules())
    list(third.lake.purge(lambda rows: purged(rows, "1.1")))
    with monkeypatch.context() as patch:
        patch.setattr(bodies, "MAX_ELEMENTS", 2)
        report = ours.replay(rules())
        assert (report.became_rejects, report.merged, ours.counts()) == (1, 2, (0, 1, 0, 0, 1))
        assert third.replay(rules()).merged == 1
        assert third.counts() == (0, 1, 0, 1, 2)
    report = ours.replay(rules())
    assert (report.became_events, report.added) == (1, 2)
    assert differences(ours, other) == {}


def test_an_element_whose_first_one_is_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can stand for it under the name of another that left: it stays."""
    world.send([post([{"value": "x"}, {"a": "1"}])])
    ours = world.lake("ours")
    ours.settle(rules())
    list(ours.lake.purge(lambda rows: purged(rows, "1")))
    before = ours.rows("events")
    monkeypatch.setattr(bodies, "MAX_ELEMENTS", 1)
    assert ours.replay(rules()).unchanged == 1
    assert (ours.rows("events"), ours.counts()) == (before, (1, 0, 0, 1, 2))


def test_visitors_whose_salts_are_gone(world: World, tmp_path: Path) -> None:
    """They stay who they were; but who asks to be anonymous today has none."""
    day = 86_400.0
    midnight = AT + 3 * HOUR + 60 * SECOND  # in Berlin it is one, in UTC the first minutes of a day
    world.clock.microseconds = midnight
    world.send([hit("/pixel.gif?n=1", at=midnight), hit("/pixel.gif?value=x", at=midnight)])
    world.send([hit("/pixel.gif?n=2", {"DNT": "1"}, at=midnight)])
    ours = world.lake("ours")
    ours.settle(rules(do_not_track="ignore"))
    before = {row["hit_id"]: row for table in ("events", "rejects") for row in ours.rows(table)}
    assert all(row["visitor_id"] for row in before.values())
    world.clock.advance(30 * day)
    world.registry.destroy_salts(world.clock.now())
    by = rules(lists(tmp_path / "b", crawlers__txt="Chrome\n"), do_not_track="anonymous")
    report = ours.replay(by)
    assert (report.looked_at, report.changed) == (3, 2)
    for row in (*ours.rows("events"), *ours.rows("rejects")):
        hidden = row.get("dnt")
        assert row["visitor_id"] == (None if hidden else before[row["hit_id"]]["visitor_id"])
        if "bot" in row:
            assert row["bot"]
            assert row["visitor_before"] == (None if hidden else before[row["hit_id"]]["visitor_before"])


def test_what_the_stream_lost(world: World, tmp_path: Path) -> None:
    """Hits that are no longer held keep their rows, and are told."""
    by = rules(lists(tmp_path / "b", crawlers__txt="Chrome\n"))
    world.send([hit("/pixel.gif")] * 3, [hit("/pixel.gif")] * 2)
    ours = world.lake("ours")
    ours.settle(rules())
    (gone, _) = segment.partitions(tmp_path / "stream")
    lost = segment.last_position(segment.segments(gone)[0])
    for path in segment.segments(gone):
        segment.unlink(path)
    report = ours.replay(by)
    assert (report.changed, report.no_longer_held) == (5 - lost, lost)
    assert f"{lost} rows stay as they are" in as_text(report)
    assert json.loads(json.dumps(report.as_dict()))["no_longer_held"] == lost


def test_what_the_lake_has_not_reached(world: World) -> None:
    """Is left to the consumer."""
    world.send([hit("/pixel.gif?n=1")])
    ours = world.lake("ours")
    ours.settle(rules())
    world.send([hit("/pixel.gif?n=2")])
    assert ours.replay(rules()).looked_at == 1
    assert ours.counts() == (1, 0, 0, 0, 1)


def test_a_compaction_meanwhile(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the files away that were looked at: what it wrote is looked at instead."""
    by = rules(lists(tmp_path / "b", purchase__json=json.dumps(ORDER), crawlers__txt="OurMonitor\n"))
    world.send(varied(60))
    ours, other = world.lake("ours"), world.lake("other")
    ours.settle(rules())
    other.settle(by)
    rival, real = Lake(ours.folder / "lake", world.clock), Lake._exchanged
    rounds = []

    def exchanged(self: Lake, staging: Any) -> Any:
        if len(rounds) < 2:
            ours.settle(rules())
            for todo in rival.plan():
                rival.compact(todo)
        rounds.append(1)
        return real(self, staging)

    monkeypatch.setattr(Lake, "_exchanged", exchanged)
    ours.replay(by)
    assert len(rounds) > 1
    assert differences(ours, other) == {}


def test_a_purge_meanwhile(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What leaves the lake while it is judged does not come back: all is judged again."""
    world.send([hit("/pixel.gif?value=x&site=a"), hit(f"/pixel.gif?title={'x' * 200}")])
    ours = world.lake("ours")
    ours.settle(rules(max_field=150))
    rival, real = Lake(ours.folder / "lake", world.clock), Lake._exchanged

    def exchanged(self: Lake, staging: Any) -> Any:
        monkeypatch.setattr(Lake, "_exchanged", real)
        assert list(rival.purge(lambda rows: purged(rows, "2"))) == [1]
        return real(self, staging)

    monkeypatch.setattr(Lake, "_exchanged", exchanged)
    assert ours.replay(rules()).became_events == 0
    assert ours.counts() == (0, 1, 0, 1, 2)


CRASHES = {"before all": 0, "behind the events": 1, "behind all": 2}


@pytest.mark.parametrize("commits", CRASHES.values(), ids=CRASHES.keys())
def test_a_crash_between_commits(world: World, commits: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The lake is the old one or the new one for whoever looks, sums and SQL; the next writer ends what is left."""
    by = rules(lists(tmp_path / "b", purchase__json=json.dumps(ORDER), crawlers__txt="OurMonitor\n"))
    world.send(varied(40))
    ours, old, new = (world.lake(name) for name in ("ours", "old", "new"))
    ours.settle(rules())
    old.settle(rules())
    new.settle(by)
    journal: list[str] = []
    real = DeltaWriter.commit

    def commit(self: DeltaWriter, *arguments: Any) -> None:
        if len(journal) == commits:
            raise LakeUnavailable("crash", "none")
        journal.append(self.log.folder.name)
        real(self, *arguments)
        assert differences(ours, new) == {}

    with monkeypatch.context() as patch:
        patch.setattr(DeltaWriter, "commit", commit)
        if commits < len(CRASHES) - 1:
            with pytest.raises(LakeUnavailable, match="crash"):
                ours.replay(by)
        else:
            ours.replay(by)
    assert journal == ["events", "rejects"][:commits]
    assert differences(ours, new if commits else old) == {}
    notes = ours.folder / "lake" / "events" / "_swap"
    world.send([hit("/pixel.gif?n=1")])
    for each in (ours, new):
        each.settle(by)
    if commits:
        assert list(notes.iterdir()) == []
        assert differences(ours, new) == {}
    ours.replay(by, lake=Lake(ours.folder / "lake", world.clock))
    assert differences(ours, new) == {}


def test_beside_who_maintains_the_lake(world: World) -> None:
    """It waits, so that neither takes files of the other; and says so if that takes too long."""
    ours = world.lake("ours")
    with maintaining(ours.folder / "lake"), pytest.raises(LakeUnavailable, match="maintenance"):
        ours.replay(rules())
