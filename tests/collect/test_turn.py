"""Tests of `pixelake.collect.turn`: who is answered what, and when."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest

from pixelake.collect.admission import Admission
from pixelake.collect.pixel import GIF
from pixelake.collect.turn import BUSY, Desk, Turn
from pixelake.dialects.native import ROUTES
from pixelake.errors import HitTooLarge, StreamUnavailable
from pixelake.hit import Hit
from pixelake.settings import Settings

HEAD = b"GET /pixel.gif?a HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSING = HEAD[:-2] + b"connection: close\r\n\r\n"
SECRET = b"GET /pixel.gif?password=hunter2 HTTP/1.1\r\nHost: a\r\n\r\n"
BODY = b"POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"


class Guest:
    """A client that notes what it is told."""

    def __init__(self, desk: Desk, head: bytes = HEAD, *, more: bool = False) -> None:
        self.address = self.peer = self.client = "192.0.2.1"
        self.turn: Turn | None = None
        self.head = head
        self.more = more
        self.told: list[str] = []
        self._desk = desk

    def arrive(self) -> "Guest":
        """As `Connection.data_received` does with a plain head."""
        turn = self.turn = self._desk.open
        turn.plain.append(self)
        if not turn.scheduled:
            self._desk.schedule(turn)
        return self

    def post(self, body: bytes) -> "Guest":
        """As `Connection.request` does with what came the careful way."""
        self._desk.add(self, BODY, body)
        return self

    def leave(self) -> None:
        """As `Connection.connection_lost` does."""
        self.turn = BUSY

    def write(self, data: bytes, /) -> None:
        """The image."""
        assert data.endswith(GIF)
        self.told.append("image")

    def advance(self) -> None:
        """Go on."""
        self.told.append("advance")

    def careful(self) -> None:
        """It is not plain."""
        self.turn = None
        self.told.append("careful")

    def close_after(self) -> None:
        """It is the last."""
        self.told.append("last")

    def finish(self, answer: bytes, /) -> None:
        """The image, and the end."""
        assert answer.endswith(GIF)
        self.turn = None
        self.told.append("gone")

    def settle(self, reason: str, retry_after: int | None = None) -> None:
        """An answer."""
        self.turn = None
        self.told.append(reason or "well")


class Disk:
    """A writer that gives its word when it is told to."""

    def __init__(self) -> None:
        self.groups: list[list[Hit]] = []
        self.words: list[asyncio.Future[None]] = []
        self.closed = False

    def append(self, hits: Sequence[Hit]) -> Awaitable[None]:
        """Wait for the word."""
        self.groups.append(list(hits))
        self.words.append(asyncio.get_running_loop().create_future())
        return self.words[-1]

    async def close(self) -> None:
        """The partition is let go."""
        self.closed = True


def open_desk(disk: Disk, settings: Settings | None = None, **bounds: Any) -> Desk:
    """A desk with wide bounds."""
    usual: dict[str, Any] = {"max_head": 4_096, "deadline": 60.0, "max_waiting": 1_000, "max_bytes": 1_000_000}
    return Desk(disk, Admission(settings or Settings()), {each.path: each for each in ROUTES}, **usual | bounds)


Scene = Callable[[Disk], Coroutine[Any, Any, None]]


def play(scene: Scene) -> None:
    """Run a scene in a loop of its own."""
    asyncio.run(asyncio.wait_for(scene(Disk()), 20))


async def until(true: Callable[[], object]) -> None:
    """Let the loop go round until it is so."""
    while not true():  # noqa: ASYNC110 - what is waited for is no event
        await asyncio.sleep(0.001)


def test_one_append_for_all_of_a_turn() -> None:
    """Nobody is answered before the word is given; then everybody, and who sent ahead goes on."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk)
        guests = [Guest(desk).arrive(), Guest(desk, more=True).arrive(), Guest(desk).post(b"{}")]
        await until(lambda: disk.words)
        assert [len(group) for group in disk.groups] == [3]
        assert [guest.told for guest in guests] == [[], [], []]
        disk.words[0].set_result(None)
        await until(lambda: guests[0].told)
        assert [guest.told for guest in guests] == [["image"], ["image", "advance"], ["well"]]
        assert desk.counts == {(b"200", ""): 2}

    play(scene)


def test_one_that_is_too_large_is_told_apart() -> None:
    """The others of its commit are durable, and hear it; also those of other turns. The stream is well."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk)
        first = Guest(desk).arrive()
        await until(lambda: disk.words)
        before = [Guest(desk).arrive(), Guest(desk).post(b"{}")]
        desk.close_turn()
        large, other = Guest(desk).post(b"{  }"), Guest(desk).post(b"{ }")
        plain, gone = Guest(desk).arrive(), Guest(desk).post(b"{   }")
        gone.leave()
        desk.close_turn()
        disk.words[0].set_result(None)
        await until(lambda: len(disk.words) > 1)
        assert [len(hit.body) for hit in disk.groups[1]] == [2, 0, 4, 3, 5, 0]
        disk.words[1].set_exception(HitTooLarge("too large", places=frozenset({2, 4})))
        await until(lambda: plain.told)
        assert (large.told, other.told, plain.told, gone.told) == (["body_too_large"], ["well"], ["image"], [])
        assert [guest.told for guest in (first, *before)] == [["image"], ["image"], ["well"]]
        assert (desk.ready(), desk.last_failure) == ("", "")

    play(scene)


@pytest.mark.parametrize("head", [HEAD, CLOSING])
def test_a_head_that_is_too_large_is_told_apart(head: bytes) -> None:
    """As a body is; whether it came alone in its turn, stays, or goes."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk)
        guests = [Guest(desk).arrive(), Guest(desk, head).arrive(), Guest(desk).post(b"{}"), Guest(desk).arrive()]
        await until(lambda: disk.words)
        assert [len(hit.body) for hit in disk.groups[0]] == [2, 0, 0, 0]
        disk.words[0].set_exception(HitTooLarge("too large", places=frozenset({2})))
        await until(lambda: guests[0].told)
        assert [guest.told[-1] for guest in guests] == ["image", "body_too_large", "well", "image"]

    play(scene)


@pytest.mark.parametrize("posted", [False, True])
def test_a_stream_that_takes_nothing_is_not_ready(*, posted: bool) -> None:
    """Not even a head that is alone; one large body on a quiet server says nothing of others."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk)
        guest = Guest(desk).post(b"{}") if posted else Guest(desk).arrive()
        await until(lambda: disk.words)
        disk.words[0].set_exception(HitTooLarge("too large", places=frozenset({0})))
        await until(lambda: guest.told)
        assert guest.told == ["body_too_large"]
        assert (desk.ready(), desk.last_failure) == (("", "") if posted else ("unavailable", "too large"))

    play(scene)


def test_which_is_too_large_may_not_be_known() -> None:
    """Then nobody is told that his hit is durable."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk)
        guests = [Guest(desk).arrive(), Guest(desk).post(b"{}")]
        await until(lambda: disk.words)
        disk.words[0].set_exception(HitTooLarge("too large"))
        await until(lambda: guests[0].told)
        assert [guest.told for guest in guests] == [["body_too_large"]] * 2

    play(scene)


def test_a_deadline_is_kept_and_never_taken_back() -> None:
    """When it passes everybody is told `undecided`; a word that comes later answers nobody again."""
    for late in (None, StreamUnavailable("too late")):

        async def scene(disk: Disk, late: Exception | None = late) -> None:
            desk = open_desk(disk, deadline=0.02)
            guests = [Guest(desk).arrive(), Guest(desk).post(b"{}")]
            await until(lambda: guests[0].told)
            guests[0].arrive()  # its next request waits for another turn
            if late is None:
                disk.words[0].set_result(None)
            else:
                disk.words[0].set_exception(late)
            await until(lambda: len(disk.words) > 1)
            assert [guest.told for guest in guests] == [["undecided"], ["undecided"]]

        play(scene)


def test_who_is_in_a_turn_that_broke_off_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of ours while a turn is judged: its hits are nowhere, and whoever sent them is told so in time."""

    def defect(*_: object) -> None:
        raise RuntimeError("a defect")

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk, deadline=0.02)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        monkeypatch.setattr(desk.admission, "may_all", defect)
        guest = Guest(desk).arrive()
        await until(lambda: guest.told)
        assert guest.told == ["undecided"]

    play(scene)


def test_a_failure_is_told_to_all() -> None:
    """With the stream's reason, or as unavailable; after a success it is forgotten."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk)
        for number, (error, reason) in enumerate(
            [(StreamUnavailable("no space"), "unavailable"), (OSError("?"), "unavailable"), (None, "image")]
        ):
            guest = Guest(desk).arrive()
            await until(lambda number=number: len(disk.words) > number)
            if error is None:
                disk.words[number].set_result(None)
            else:
                disk.words[number].set_exception(error)
            await until(lambda guest=guest: guest.told)
            assert guest.told == [reason]
            assert bool(desk.last_failure) is (error is not None)

    play(scene)


@pytest.mark.parametrize("bounds", [{"max_waiting": 3}, {"max_bytes": 3 * len(HEAD)}], ids=["hits", "bytes"])
def test_what_waits_is_bounded(bounds: dict[str, int]) -> None:
    """In hits and in bytes; what is too much is told so at once, and there is room again after the word."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk, **bounds)
        guests = [Guest(desk).arrive() for _ in range(5)]
        await until(lambda: disk.words)
        assert [guest.told for guest in guests] == [[], [], [], ["busy"], ["busy"]]
        disk.words[0].set_result(None)
        await until(lambda: guests[0].told)
        last = Guest(desk).arrive()
        await until(lambda: len(disk.words) > 1)
        assert last.told == []

    play(scene)


def test_one_hit_is_always_taken() -> None:
    """However large it is, if nothing else waits."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk, max_bytes=10)
        first, second = Guest(desk).post(b"x" * 100), Guest(desk).post(b"x" * 100)
        await until(lambda: disk.words)
        assert [len(group) for group in disk.groups] == [1]
        assert (first.told, second.told) == ([], ["busy"])

    play(scene)


def test_a_mixed_turn() -> None:
    """What is odd is taken out of it: secrets, those who go, and what only looked like a head; the others stay."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk)
        folded = HEAD[:-2] + b" folded\r\n\r\n"
        guests = [Guest(desk, head).arrive() for head in (HEAD, SECRET, CLOSING, folded, HEAD)]
        await until(lambda: disk.words)
        assert [hit.head for hit in disk.groups[0]] == [HEAD, SECRET.replace(b"hunter2", b""), CLOSING, HEAD]
        assert guests[3].told == ["careful"]
        disk.words[0].set_result(None)
        await until(lambda: guests[0].told)
        assert [guest.told for guest in guests] == [["image"], ["image"], ["last", "gone"], ["careful"], ["image"]]

    play(scene)


def test_who_has_gone_is_not_answered() -> None:
    """Its hit stays."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk)
        gone, stays = Guest(desk).arrive(), Guest(desk).arrive()
        gone.leave()
        await until(lambda: disk.words)
        assert len(disk.groups[0]) == 2
        disk.words[0].set_result(None)
        await until(lambda: stays.told)
        assert (gone.told, stays.told) == ([], ["image"])

    play(scene)


def test_after_stop_every_answer_is_the_last() -> None:
    """So each is written by its connection, which closes, and no head is taken the short way."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk)
        guest = Guest(desk).arrive()
        desk.stop()
        assert not HEAD.startswith(desk.hot)
        await until(lambda: disk.words)
        disk.words[0].set_result(None)
        await until(lambda: guest.told)
        assert guest.told == ["well"]
        await desk.close()
        assert disk.closed

    play(scene)


def test_accepted_is_answered_before_the_word() -> None:
    """For those who ask for it; the word changes nothing."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk, durable=False)
        guest = Guest(desk).arrive()
        await until(lambda: guest.told)
        assert not disk.words[0].done()
        disk.words[0].set_exception(StreamUnavailable("too late"))
        await asyncio.sleep(0.01)
        assert guest.told == ["image"]

    play(scene)


def test_who_goes_and_is_refused_goes() -> None:
    """A refusal does not keep a connection that its client asked to close."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk, max_waiting=0)
        guest = Guest(desk, CLOSING).arrive()
        await until(lambda: guest.told)
        assert guest.told == ["last", "busy"]

    play(scene)


def test_close_waits_for_a_turn_without_hits() -> None:
    """If all of the last turn are refused there is no word to wait for."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk, max_waiting=0)
        closing = asyncio.ensure_future(desk.close())
        guest = Guest(desk).arrive()
        await asyncio.wait([closing], timeout=30)
        assert guest.told == ["busy"]
        assert disk.closed
        closing.cancel()

    play(scene)


def test_an_answered_turn_collects_no_more() -> None:
    """The deadline may come before the turn is closed: who was told `undecided` and asks again counts once more."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk, deadline=0.02, pace=0.2)
        Guest(desk).arrive()
        await until(lambda: disk.words)
        disk.words[0].set_result(None)
        late = Guest(desk).arrive()  # the pace keeps it waiting
        await until(lambda: late.told == ["undecided"])
        late.arrive()
        await until(lambda: len(disk.words) == 2)
        disk.words[1].set_result(None)
        await until(lambda: len(disk.words) == 3)
        assert late.told == ["undecided"] * 2
        assert [len(group) for group in disk.groups] == [1, 1, 1]

    play(scene)


def test_large_turns_are_committed_one_after_the_other() -> None:
    """To encode much at once would hold up the loop."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk, max_bytes=1 << 30)
        Guest(desk).arrive()
        await until(lambda: disk.words)
        turns = []
        for _ in range(3):
            turns.append(Guest(desk).post(bytes(3 << 20)))
            desk.close_turn()
        disk.words[0].set_result(None)
        for number in (1, 2, 3):
            await until(lambda number=number: len(disk.words) == number + 1)
            disk.words[number].set_result(None)
        await until(lambda: all(guest.told == ["well"] for guest in turns))
        assert [len(group) for group in disk.groups] == [1, 1, 1, 1]

    play(scene)


def test_a_failure_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks whether we are ready may send nothing until we are."""

    async def scene(disk: Disk) -> None:
        desk = open_desk(disk)
        Guest(desk).arrive()
        await until(lambda: disk.words)
        disk.words[0].set_exception(StreamUnavailable("no"))
        await until(desk.ready)
        monkeypatch.setattr("pixelake.collect.turn.FORGET", 0.0)
        assert not desk.ready()

    play(scene)
