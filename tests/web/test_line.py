"""Who waits, and who goes first."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from pixelake.web import line
from pixelake.web.answers import Answers
from pixelake.web.line import Line, Rates, Refused
from tests.web.house import ALLS, TOKEN


def test_nobody_takes_all_places():
    """One caller has three of four places; the fourth is for the next, although many of the first wait longer."""

    async def wait():
        places, order, go = Line(4, 3, 32, 256), [], asyncio.Event()

        async def ask(caller):
            async with places.turn(caller):
                order.append(caller)
                await go.wait()

        asks = [asyncio.create_task(ask(caller)) for caller in ["a"] * 20 + ["b"]]
        await asyncio.sleep(0.01)
        first = list(order)
        go.set()
        await asyncio.gather(*asks)
        return first

    assert asyncio.run(wait()) == ["a", "a", "a", "b"]


def test_callers_take_turns():
    """With one place, those who wait are let in in turn, not in the order in which they came."""

    async def wait():
        places, order = Line(1, 1, 32, 256), []

        async def ask(caller):
            async with places.turn(caller):
                order.append(caller)
                await asyncio.sleep(0)

        await asyncio.gather(*(ask(caller) for caller in "aaabb"))
        return "".join(order)

    assert asyncio.run(wait()) == "aabab"


def test_whoever_gives_up_leaves_no_hole():
    """A place that was waited for, or just given, is free for the next one if nobody takes it."""

    async def wait():
        places, go = Line(1, 1, 32, 256), asyncio.Event()

        async def ask():
            async with places.turn("a"):
                await go.wait()

        first, second, third = (asyncio.create_task(ask()) for _ in range(3))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        go.set()
        await first
        third.cancel()  # it was just let in
        await asyncio.gather(second, third, return_exceptions=True)
        async with asyncio.timeout(1):
            async with places.turn("b"):
                return True

    assert asyncio.run(wait())


@pytest.mark.parametrize(("mine", "most", "status"), [(2, 100, 429), (100, 2, 503)])
def test_a_full_line(mine, most, status):
    """Too many of one caller are its own fault, too many of all are nobody's; both are told at once."""

    async def wait():
        places = Line(1, 1, mine, most)

        async def ask():
            async with places.turn("a"):
                await asyncio.sleep(0.05)

        found = await asyncio.gather(*(ask() for _ in range(5)), return_exceptions=True)
        return [each.status for each in found if isinstance(each, Refused)]

    assert asyncio.run(wait()) == [status, status]


def test_a_rate(monkeypatch):
    """A caller has a burst, then so many a second; others have their own; the longest unused are forgotten."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(line, "CALLERS", 2)
    rates = Rates(rate=2, burst=3)
    for _ in range(3):
        rates.take("a")
    with pytest.raises(Refused) as refused:
        rates.take("a")
    assert (refused.value.status, refused.value.seconds) == (429, 1)
    rates.take("b")
    now += 0.5
    rates.take("a")
    with pytest.raises(Refused):
        rates.take("a")
    rates.take("c")
    assert len(rates._held) == 2


def test_what_nobody_waits_for_is_given_up():
    """A question that waits in line is not begun when its only viewer leaves; one that runs is told to stop."""

    async def ask():
        service, begun = Answers(4, Line(1, 1, 32, 256)), []

        def long():
            begun.append(1)
            from pixelake.warehouse.given_up import GIVEN_UP

            return GIVEN_UP.get().wait(10)

        runs, waits = (asyncio.create_task(service.get(key, long)) for key in ("one", "two"))
        await asyncio.sleep(0.1)
        waits.cancel()
        runs.cancel()
        await asyncio.gather(runs, waits, return_exceptions=True)
        began = time.monotonic()
        answer = await service.get("three", lambda: "next")
        service.close()
        return len(begun), answer, time.monotonic() - began < 5

    assert asyncio.run(ask()) == (1, "next", True)


def test_others_are_answered_meanwhile(house):
    """While one caller asks a hundred heavy questions at once, another is answered; what is over is 429, with when."""
    house.questions.seconds = 0.75
    flood = httpx.Client(base_url=house.url, headers={"Authorization": f"Bearer {ALLS}"}, timeout=60)
    with flood, ThreadPoolExecutor(100) as senders:
        asks = [senders.submit(flood.get, f"/api/v1/pages?limit={number + 10}") for number in range(100)]
        time.sleep(1)
        began = time.monotonic()
        answer = house.client.get("/api/v1/overview")
        seconds = time.monotonic() - began
        answers = [ask.result() for ask in asks]
    assert (answer.status_code, seconds < 10) == (200, True)
    over = [each for each in answers if each.status_code == 429]
    assert {each.status_code for each in answers} == {200, 429}
    assert len(over) >= 100 - line.EACH - line.MINE - 40
    assert all(int(each.headers["retry-after"]) > 0 and each.json()["hint"] for each in over)


def test_a_client_that_goes_away_holds_no_thread(house):
    """Whoever hangs up is not waited for: the question is stopped, and the next one has its place."""
    house.questions.seconds = 20
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for number in range(line.AT_ONCE):
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(
                house.url + f"/api/v1/pages?limit={number + 10}", headers=headers, timeout=httpx.Timeout(10, read=1)
            )
    house.questions.seconds = 0
    began = time.monotonic()
    assert house.client.get("/api/v1/overview").status_code == 200
    assert time.monotonic() - began < 10
    assert house.questions.given_up == line.AT_ONCE
