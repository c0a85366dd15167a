"""Judging whole batches: broken infrastructure is retried, the hit that poisons a batch is found."""

import gc
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pixelake.dialects.base import Element
from pixelake.dialects.native import Native
from pixelake.errors import WarehouseError
from pixelake.hit import Hit
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.settings import Settings
from pixelake.transform import size
from pixelake.transform.judge import Judge
from pixelake.transform.retry import BROKEN, Retry, Stopped
from pixelake.transform.rules import make_rules
from pixelake.warehouse.base import Claim, Outcome
from pixelake.warehouse.seen_sqlite import SqliteSeen
from tests.judging import batch, hit


class Fragile(Native):
    """The native dialect with a defect."""

    def decode(self, hit: Hit) -> Sequence[Element]:
        """Fails on what a `boom` is in."""
        if b"boom" in hit.target:
            raise ZeroDivisionError
        return super().decode(hit)


class Flaky:
    """A store of event ids that is down at first."""

    def __init__(self, inner: SqliteSeen, failures: int) -> None:
        self.inner = inner
        self.failures = failures

    def claim(self, claims: Sequence[Claim]) -> Sequence[str]:
        """Fails so many times."""
        if self.failures:
            self.failures -= 1
            raise WarehouseError("down")
        return self.inner.claim(claims)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What a judge needs."""
    registry = SqliteRegistry(tmp_path / "r.sqlite")
    seen = SqliteSeen(tmp_path / "s.sqlite", 86_400.0, 86_400.0)
    yield {"rules": make_rules(Settings(), [Fragile({})]), "registry": registry, "seen": seen}
    registry.close()
    seen.close()


def retry(stop: threading.Event | None = None) -> Retry:
    """Tries again until it works."""
    return Retry("judge", stop or threading.Event(), on=BROKEN)


def outcomes(found: Sequence[Outcome]) -> list[tuple[int, str]]:
    """Position and reason of everything, in order."""
    rows = []
    for outcome in found:
        rows += [(at, "") for at in outcome.events["position"].to_pylist()]
        rows += zip(outcome.rejects["position"].to_pylist(), outcome.rejects["reason"].to_pylist(), strict=True)
    return sorted(rows)


@pytest.mark.parametrize("bad", [[], [0], [9], [3, 4], [0, 5, 9], list(range(10))])
def test_the_poison_is_found(parts: dict[str, Any], bad: list[int]) -> None:
    """Those hits become rejects that name the error, all others are events, and the outcomes follow each other."""
    sent = [hit("/?boom" if n in bad else "/") for n in range(10)]
    found = list(Judge(**parts)(batch(*sent), retry()))
    assert outcomes(found) == [(n + 1, "poison" if n in bad else "") for n in range(10)]
    ends = [outcome.positions["p"] for outcome in found]
    assert [outcome.first["p"] for outcome in found] == [1, *(end + 1 for end in ends[:-1])]
    assert ends[-1] == 10


def test_many_elements_give_several_outcomes(parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """They follow each other without gap or overlap."""
    monkeypatch.setattr(size, "MAX_ELEMENTS", 3)
    bulk = hit("/events", method="POST", body=b"[{},{}]")
    found = list(Judge(**parts)(batch(*[bulk] * 5), retry()))
    assert [(outcome.first["p"], outcome.positions["p"]) for outcome in found] == [(1, 2), (3, 4), (5, 5)]


class Small:
    """A store of event ids on a machine whose memory holds so many at once."""

    def __init__(self, inner: SqliteSeen, most: int) -> None:
        self.inner = inner
        self.most = most

    def claim(self, claims: Sequence[Claim]) -> Sequence[str]:
        """Fails for more of them."""
        if len(claims) > self.most:
            raise MemoryError
        return self.inner.claim(claims)


def test_what_does_not_fit_in_memory_is_halved(parts: dict[str, Any]) -> None:
    """It is not tried again as it is; in smaller parts all of it is judged."""
    parts["seen"] = Small(parts["seen"], 3)
    sent = [hit(f"/?event_id={n}") for n in range(10)]
    found = list(Judge(**parts)(batch(*sent), retry()))
    assert outcomes(found) == [(n + 1, "") for n in range(10)]
    assert max(outcome.events.num_rows for outcome in found) <= 3


def test_a_hit_that_never_fits_in_memory_is_poison(parts: dict[str, Any]) -> None:
    """It alone; all others are judged."""
    parts["seen"] = Small(parts["seen"], 1)
    bulk = hit("/events", method="POST", body=b'[{"event_id":"a"},{"event_id":"b"}]')
    found = list(Judge(**parts)(batch(hit("/?event_id=c"), bulk, hit("/?event_id=d")), retry()))
    assert outcomes(found) == [(1, ""), (2, "poison"), (3, "")]
    assert "MemoryError" in next(o for o in found if o.rejects.num_rows).rejects["detail"][0].as_py()


def test_an_outage_is_no_poison(parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store of event ids is down the batch waits; nothing is rejected for it, and the log hears it once."""
    monkeypatch.setattr("pixelake.transform.retry.FIRST_PAUSE", 0.001)
    parts["seen"] = Flaky(parts["seen"], 3)
    trying = retry()
    found = list(Judge(**parts)(batch(hit("/?event_id=e")), trying))
    assert outcomes(found) == [(1, "")]
    assert trying.error == ""


def test_told_to_stop_during_an_outage(parts: dict[str, Any]) -> None:
    """It gives up at once, and nothing was judged."""
    parts["seen"] = Flaky(parts["seen"], 1_000_000)
    stop = threading.Event()
    stop.set()
    trying = retry(stop)
    with pytest.raises(Stopped):
        list(Judge(**parts)(batch(hit("/?event_id=e")), trying))
    assert trying.error == "down"


def test_garbage_collection_goes_on_afterwards(parts: dict[str, Any]) -> None:
    """It rests only while a batch is judged, also if that fails."""
    list(Judge(**parts)(batch(hit("/?boom"), hit("/")), retry()))
    assert gc.isenabled()


def test_what_is_refused_opens_no_site(parts: dict[str, Any]) -> None:
    """Where sites are closed, an unknown one stays unknown, also beside hits of known ones."""
    parts["registry"].add_sites(["known"])
    closed = parts | {"rules": make_rules(Settings(sites="closed"), [Native({})])}
    sent = [hit("/pixel.gif?site=known"), hit("/pixel.gif?site=other"), hit("/pixel.gif?site=a&site=b")]
    expected = [(1, ""), (2, "unknown_site"), (3, "unknown_site")]
    for many in (2, 3, 2):  # the third one is not usual
        assert outcomes(list(Judge(**closed)(batch(*sent[:many]), retry()))) == expected[:many]
    assert parts["registry"].snapshot().sites.keys() == {"known"}


def named(name: str, target: str = "/?site=a") -> Hit:
    """A hit with a name of its own."""
    return msgspec.structs.replace(hit(target), hit_id=name)


def test_a_name_counts_once(parts: dict[str, Any]) -> None:
    """At the first place it had, whoever judges it again, in whatever batches; others are not touched."""
    sent = [named("x"), hit("/?site=a"), named("y"), named("x"), named("y", "/?boom")]
    for _ in range(2):
        judge = Judge(**parts, named=True)
        found = list(judge(batch(*sent), retry()))
        assert outcomes(found) == [(1, ""), (2, ""), (3, "")]
        assert [at for outcome in found for at in outcome.withheld["position"].to_pylist()] == [4, 5]
    found = list(Judge(**parts, named=True)(batch(named("x"), named("z"), start=90), retry()))
    assert outcomes(found) == [(91, "")]
    found = list(Judge(**parts, named=True)(batch(*sent[3:], start=4), retry()))
    assert outcomes(found) == []


def test_names_of_others_are_left_alone(parts: dict[str, Any]) -> None:
    """Where the lake takes each name once itself, a place means nothing: a hit comes again at another one."""
    judge = Judge(**parts)
    for start in (1, 7):
        assert outcomes(list(judge(batch(named("x"), start=start), retry()))) == [(start, "")]


def test_a_name_is_no_event_id(parts: dict[str, Any]) -> None:
    """A hit that is called like somebody's event id takes nothing from it."""
    sent = [named("e"), hit("/?site=a&event_id=e"), named("f", "/?site=a&event_id=f"), hit("/?site=a&event_id=f")]
    (found,) = Judge(**parts, named=True)(batch(*sent), retry())
    assert found.events["duplicate"].to_pylist() == [False, False, False, True]


def test_an_outage_while_names_are_looked_for(parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch waits."""
    monkeypatch.setattr("pixelake.transform.retry.FIRST_PAUSE", 0.001)
    parts["seen"] = Flaky(parts["seen"], 3)
    assert outcomes(list(Judge(**parts, named=True)(batch(named("x")), retry()))) == [(1, "")]
