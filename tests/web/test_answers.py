"""Answers for many viewers at the price of one."""

import asyncio
import threading

import pytest

from pixelake.web import answers
from pixelake.web.answers import Answers


def test_shared_then_fresh():
    """An answer is shared while it is fresh, and asked for anew afterwards."""

    async def ask():
        service, calls = Answers(), []
        for _ in range(3):
            await service.get("key", lambda: calls.append(1), fresh=0.2)
        await asyncio.sleep(0.25)
        await service.get("key", lambda: calls.append(1), fresh=0.2)
        service.close()
        return len(calls)

    assert asyncio.run(ask()) == 2


def test_a_viewer_who_leaves_takes_nothing_away():
    """Somebody who stops waiting does not cancel the query for the others."""

    async def ask():
        service, go = Answers(), threading.Event()
        leaves = asyncio.create_task(service.get("key", go.wait))
        stays = asyncio.create_task(service.get("key", go.wait))
        await asyncio.sleep(0)
        leaves.cancel()
        await asyncio.sleep(0)
        go.set()
        answer = await stays
        service.close()
        return answer

    assert asyncio.run(ask()) is True


def test_errors_are_shared_and_forgotten():
    """Those who wait get the error; the next one asks again."""

    async def ask():
        service = Answers()
        failed = await asyncio.gather(*(service.get("key", lambda: 1 / 0) for _ in range(2)), return_exceptions=True)
        again = await service.get("key", lambda: "well")
        service.close()
        return [type(error) for error in failed], again

    assert asyncio.run(ask()) == ([ZeroDivisionError, ZeroDivisionError], "well")


def test_slow_answers_live_longer():
    """An answer that took long is kept for four times as long, so that slow questions do not take all the time."""

    async def ask():
        service, calls = Answers(), []

        def slow():
            calls.append(1)
            threading.Event().wait(0.1)

        await service.get("key", slow, fresh=0.0)
        await asyncio.sleep(0.2)
        await service.get("key", slow, fresh=0.0)
        service.close()
        return len(calls)

    assert asyncio.run(ask()) == 1


@pytest.mark.parametrize("fresh", [0.0, 60.0])
def test_memory_is_bounded(monkeypatch, fresh):
    """However many different questions are asked, only so many answers are kept."""
    monkeypatch.setattr(answers, "MAX_KEPT", 8)

    async def ask():
        service = Answers()
        for number in range(40):
            await service.get(number, lambda: None, fresh)
        kept = len(service._kept)
        service.close()
        return kept

    assert asyncio.run(ask()) <= 8
