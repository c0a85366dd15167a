"""Rejects judged anew: what is an event now moves to the events, once, and the sums hold at every moment."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pixelake.dialects import body as bodies
from pixelake.dialects.native import Native
from pixelake.errors import LakeUnavailable
from pixelake.hit import Hit
from pixelake.operate.rejects import find
from pixelake.operate.replay import Replay, Report, Wanted, as_text
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.settings import Settings
from pixelake.transform.judge import Judge
from pixelake.transform.rules import make_rules
from pixelake.warehouse.base import Claim, Outcome
from pixelake.warehouse.delta import DeltaWriter
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.sums import LakeReader
from tests.judging import AT, hit, judge

LONG = "x" * 200
EVERY = Wanted()


class FirstOwns:
    """Who asks first owns an event id."""

    def __init__(self) -> None:
        self.owners: dict[tuple[str, str], str] = {}

    def claim(self, claims: Sequence[Claim]) -> Sequence[str]:
        """See `pixelake.warehouse.base.Seen`."""
        return [self.owners.setdefault((claim.site, claim.event_id), claim.hit_id) for claim in claims]


class House:
    """A lake, and what replays its rejects."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(folder / "lake")
        self.reader = LakeReader(folder / "lake")
        self.house = Lakehouse(folder / "lake")
        self.registry = SqliteRegistry(folder / "registry.sqlite")
        self.seen = FirstOwns()

    def take(self, *hits: Hit) -> None:
        """Judge hits and write what they are, where a field may have 150 characters."""
        self.lake.write(judge(*hits, max_field=150))

    def replay(self, wanted: Wanted = EVERY, lake: Lake | None = None, **settings: Any) -> Report:
        """Judge the rejects by other settings."""
        made = Settings(**settings)
        judging = Judge(make_rules(made, [Native(made.aliases)]), self.registry, self.seen)
        report = Replay(self.house, lambda: lake or self.lake, judging).run(wanted)
        assert self.reader.sums().holds
        return report

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The answer to some SQL."""
        return self.house.ask(query).to_pylist()

    def ids(self, table: str) -> list[str]:
        """The hit ids of a table, in order."""
        return [row["hit_id"] for row in self.rows(f"select hit_id from {table} order by 1")]

    def counts(self) -> tuple[int, int, int, int]:
        """In the lake, rejected, outcomes, removed."""
        sums = self.reader.sums()
        assert sums.holds
        return sums.in_lake, sums.rejected, sums.outcomes, sums.removed


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A lake without anything."""
    made = House(tmp_path)
    yield made
    made.house.close()
    made.registry.close()


def test_each_is_an_event_once(house: House) -> None:
    """What today's settings take moves over, under its own name, place and visitor; a second run finds nothing."""
    house.take(hit("/pixel.gif?site=s"), hit(f"/pixel.gif?site=s&title={LONG}&user=ada"), hit("/pixel.gif?value=x"))
    (before,) = house.rows("select * from rejects where reason = 'too_long'")
    assert house.counts() == (1, 2, 3, 0)
    report = house.replay()
    assert (report.looked_at, report.replayed, dict(report.refused)) == (2, 1, {"bad_number": 1})
    (event,) = house.rows("select * from events where title is not null")
    for name in ("hit_id", "received_at", "partition", "position", "visitor_id", "hour"):
        assert event[name] == before[name], name
    assert before["visitor_id"]
    assert (event["title"], event["user_id"], event["ip"]) == (LONG, "ada", "203.0.113.0")
    assert house.counts() == (2, 1, 3, 0)
    assert house.replay().as_dict() | {"refused": {}} == Report(looked_at=1).as_dict() | {"refused": {}}
    assert house.counts() == (2, 1, 3, 0)


def test_only_what_is_wanted(house: House) -> None:
    """By reason, by site as it is judged now, by name."""
    house.take(*[hit(f"/pixel.gif?site=a&title={LONG}")] * 2)
    house.lake.write(of_another_partition(judge(hit(f"/pixel.gif?site=b&title={LONG}"), max_field=150)))
    assert house.replay(Wanted(reason="bad_number")).looked_at == 0
    report = house.replay(Wanted(site="b"))
    assert (report.looked_at, report.replayed, report.other_site) == (3, 1, 2)
    report = house.replay(Wanted(hit_id="p-2"))
    assert (report.looked_at, report.replayed) == (1, 1)
    assert house.replay(Wanted(hit_id="p-9")).looked_at == 0
    assert house.ids("rejects") == ["p-1"]


def of_another_partition(outcome: Outcome) -> Outcome:
    """The same of another partition."""
    tables = {}
    for name in ("events", "rejects", "withheld"):
        rows = getattr(outcome, name)
        moved = [row | {"partition": "q", "hit_id": f"q-{row['position']}"} for row in rows.to_pylist()]
        tables[name] = pa.Table.from_pylist(moved, rows.schema)
    return Outcome(**tables, first={"q": 1}, positions={"q": 1})


def test_elements_of_a_body(house: House) -> None:
    """Only the elements that were rejects move; the raw hit stays with those that are still none."""
    body = [{"a": "1"}, {"title": LONG}, {"value": "x"}, {"title": LONG, "value": "x"}, {"title": LONG}]
    house.take(hit("/events", method="POST", body=json.dumps(body).encode()))
    assert house.counts() == (1, 4, 5, 0)
    report = house.replay()
    assert (report.replayed, dict(report.refused)) == (2, {"bad_number": 2})
    assert house.ids("events") == ["p-1", "p-1.1", "p-1.4"]
    raws = [find(house.house, name)[0]["raw"] for name in ("p-1.2", "p-1.3")]
    assert raws[0] == raws[1]
    assert LONG in raws[0]
    assert house.rows("select raw from rejects where hit_id = 'p-1.3'") == [{"raw": '{"see":"p-1.2"}'}]
    assert house.counts() == (3, 2, 5, 0)
    assert dict(house.replay().refused) == {"bad_number": 2}


def test_a_body_that_was_one_reject(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its elements are outcomes now; those that are refused themselves are rejects, and have the raw hit."""
    body = [{"a": "1"}, {"value": "x"}, {"a": "3"}]
    with monkeypatch.context() as patch:
        patch.setattr(bodies, "MAX_ELEMENTS", 2)
        house.take(hit("/events", method="POST", body=json.dumps(body).encode()))
    assert house.counts() == (0, 1, 1, 0)
    assert house.replay().replayed == 1
    assert (house.ids("events"), house.ids("rejects")) == (["p-1", "p-1.2"], ["p-1.1"])
    assert house.counts() == (2, 1, 3, 0)
    assert '{"value":"x"}' in json.loads(find(house.house, "p-1.1")[0]["raw"])["body"]
    assert dict(house.replay().refused) == {"bad_number": 1}
    assert house.counts() == (2, 1, 3, 0)


CRASHES = {"before all": 0, "behind new rejects": 1, "behind the events": 2, "behind all": 3}


@pytest.mark.parametrize("commits", CRASHES.values(), ids=CRASHES.keys())
def test_a_crash_between_commits(house: House, commits: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wherever it ends, the sums hold; another run finishes it, and nothing is lost or there twice."""
    journal: list[str] = []
    body = [{"a": "1"}, {"value": "x"}, {"a": "3"}]
    with monkeypatch.context() as patch:
        patch.setattr(bodies, "MAX_ELEMENTS", 2)
        house.take(hit("/events", method="POST", body=json.dumps(body).encode()), hit(f"/pixel.gif?title={LONG}"))
    real = DeltaWriter.commit

    def commit(self: DeltaWriter, *arguments: Any) -> None:
        if len(journal) == commits:
            raise LakeUnavailable("crash", "none")
        journal.append(self.log.folder.name)
        real(self, *arguments)
        assert house.reader.sums().holds

    with monkeypatch.context() as patch:
        patch.setattr(DeltaWriter, "commit", commit)
        if commits < len(CRASHES) - 1:
            with pytest.raises(LakeUnavailable, match="crash"):
                house.replay()
        else:
            house.replay()
    assert journal == ["rejects", "events", "rejects"][:commits]
    assert house.reader.sums().holds
    house.lake.write(judge(*[hit("/pixel.gif?a=1")] * 3))  # the consumer goes on; the first two it has already
    assert house.reader.sums().holds
    house.replay(lake=Lake(tmp_path / "lake"))
    assert (house.ids("events"), house.ids("rejects")) == (["p-1", "p-1.2", "p-2", "p-3"], ["p-1.1"])
    assert house.counts() == (4, 1, 5, 0)


def test_two_at_once(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody else replayed meanwhile is told, and is there once."""
    house.take(hit(f"/pixel.gif?title={LONG}"))
    rival, real = House(tmp_path), Lake.merge

    def merge(self: Lake, rejudged: Any) -> Any:
        monkeypatch.setattr(Lake, "merge", real)
        assert rival.replay().replayed == 1
        return real(self, rejudged)

    monkeypatch.setattr(Lake, "merge", merge)
    report = house.replay()
    assert (report.replayed, report.gone) == (0, 1)
    assert house.counts() == (1, 0, 1, 0)


def test_what_cannot_be_judged(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body or query that was not kept, a hit that policy withholds, an element that is not there: each is told."""
    house.take(
        hit("/events", method="POST", body=b'{"password":"x'),
        hit("/?password=x" + "&a" * 1_000),
        hit(f"/pixel.gif?title={LONG}", {"DNT": "1"}),
    )
    report = house.replay(do_not_track="withhold")
    assert dict(report.impossible) == {
        "nobody kept its body": 1,
        "nobody kept its query": 1,
        "policy would withhold it today": 1,
    }
    assert house.counts() == (0, 3, 3, 0)
    assert "cannot be replayed: nobody kept its body" in as_text(report)
    assert json.loads(json.dumps(report.as_dict()))["impossible"] == dict(report.impossible)


def test_who_asks_not_to_be_tracked(house: House) -> None:
    """Stays without a visitor and a user."""
    house.take(hit(f"/pixel.gif?title={LONG}&user=ada", {"DNT": "1"}))
    assert house.replay().replayed == 1
    assert house.rows("select visitor_id, user_id, city from events") == [
        {"visitor_id": None, "user_id": None, "city": None}
    ]


def test_bytes_that_are_no_text(house: House) -> None:
    """They come back as they were."""
    body = json.dumps({"title": LONG}).encode("utf-16")
    sent = hit("/events", {"Content-Type": "application/json; charset=utf-16"}, method="POST", body=body)
    house.take(sent, hit(f"/pixel.gif?title={LONG}", {"X-Odd": "ÿ"}))
    assert "_base64" in str(house.rows("select raw from rejects"))
    assert house.replay().replayed == 2
    assert house.rows("select distinct title from events") == [{"title": LONG}]


def test_a_repeat(house: House) -> None:
    """An event id that belongs to another hit by now makes a repeat."""
    house.seen.owners["s", "7"] = "p-2"
    house.take(hit(f"/pixel.gif?site=s&event_id=7&title={LONG}"))
    assert house.replay().replayed == 1
    assert house.rows("select duplicate from events") == [{"duplicate": True}]


def test_names_that_were_given(house: House) -> None:
    """The hits of unordered sources keep the names they came with."""
    given = Hit.of(AT, "", "", "POST", b"/events", b"", json.dumps([{"title": LONG}] * 2).encode(), hit_id="r.4")
    house.lake.write(judge(given, max_field=150))
    assert house.ids("rejects") == ["r.4", "r.4.1"]
    assert house.replay().replayed == 2
    assert house.ids("events") == ["r.4", "r.4.1"]


def test_many_pages(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejects are looked at part by part, over hours, each once; a person who watches is told how far it is."""
    monkeypatch.setattr("pixelake.operate.replay.PAGE", 3)
    hour = 3_600_000_000
    house.take(*(hit(f"/pixel.gif?title={LONG}", at=AT + (n % 2) * hour) for n in range(11)))
    report = house.replay()
    assert (report.looked_at, report.replayed) == (11, 11)
    assert house.counts() == (11, 0, 11, 0)


def test_rejects_of_a_cut_off_write_are_left_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """They lie above the events' position: their hits come again."""
    real = DeltaWriter.commit
    house.take(hit("/pixel.gif"))
    with monkeypatch.context() as patch:

        def commit(self: DeltaWriter, *arguments: Any) -> None:
            if self.log.folder.name == "events":
                raise LakeUnavailable("crash", "none")
            real(self, *arguments)

        patch.setattr(DeltaWriter, "commit", commit)
        with pytest.raises(LakeUnavailable, match="crash"):
            house.take(hit("/pixel.gif"), hit(f"/pixel.gif?title={LONG}"))
    report = house.replay()
    assert (report.replayed, report.gone) == (0, 1)
    house.take(hit("/pixel.gif"), hit(f"/pixel.gif?title={LONG}"))
    assert house.counts() == (1, 1, 2, 0)


def test_nothing_to_do(house: House) -> None:
    """Without rejects nothing is opened or written."""
    commits = house.reader._events.folder / "_delta_log"
    before = sorted(commits.iterdir())
    assert house.replay() == Report()
    assert sorted(commits.iterdir()) == before
