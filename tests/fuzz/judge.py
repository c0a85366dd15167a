"""What must hold of every stream of bytes, and how our reading of it compares with h11's."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import h11

from pixelake.collect.keep import Keeper
from pixelake.collect.pixel import REFUSALS
from pixelake.dialects.base import Answer, Route
from tests.fuzz.drive import SETTINGS, Batch, Client
from tests.fuzz.second import FAULT, Told, compare, read

_ABSOLUTE: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*/?")
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_KEEPER: Final = Keeper(SETTINGS.secret_parameters)
_STATUS: Final = {Answer.IMAGE: 200, Answer.PNG: 200, Answer.BADGE: 200, Answer.EMPTY: 204}
_SHOWN: Final = 600


@dataclass
class Tally:
    """What was seen.

    Attributes:
        differences: who reads something otherwise, and how -> how often.
        samples: one stream of each.
        wrong: what must not be.
    """

    requests: int = 0
    streams: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    differences: Counter[tuple[str, str]] = field(default_factory=Counter)
    samples: dict[tuple[str, str], bytes] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def judge(batch: Batch, name: str, tally: Tally) -> None:
    """Note what came of a batch."""
    tally.wrong += [f"{name}: {fault}" for fault in batch.faults]
    for client in batch.clients:
        tally.streams += 1
        tally.requests += len(client.sent)
        faults = [*client.faults, *_faults(batch, client, tally)]
        tally.wrong += [
            f"{name}, {batch.weather.name}, {client.ending}: {fault}: {client.cut!r:.4000}" for fault in faults
        ]


def _faults(batch: Batch, client: Client, tally: Tally) -> Iterator[str]:
    if client.stuck:
        yield client.stuck
    told = client.connection.told
    try:
        answers = _answers(bytes(client.wire.out), told, batch.office.desk.answers.plain)
    except (h11.RemoteProtocolError, h11.LocalProtocolError) as error:
        yield f"the answers cannot be read ({error}): {bytes(client.wire.out)!r:.600}"
        return
    tally.answers.update(status for status, _ in answers)
    if [status for status, _ in answers[len(told) :]] not in ([], [408]):
        yield f"{len(told)} requests were read, and {len(answers)} answered"
    if len(answers) < len(told):
        yield f"{len(told)} requests were read, and only {len(answers)} answered"
    for entry, (status, reason) in zip(told, answers, strict=False):
        if not _fits(batch, entry, status, reason):
            yield f"{entry} is answered {status} {reason}"
    yield from _hits(batch, client, [status for status, _ in answers])
    if "raised" not in str(client.faults):
        yield from _second_opinion(batch, client, tally)


def _answers(out: bytes, told: list[Told], plain: bytes) -> list[tuple[int, str]]:
    """Status and reason of each answer, as h11 reads them."""
    found = []
    while out:
        if out.startswith(plain):
            found.append((200, ""))
            out = out[len(plain) :]
            continue
        if out == _CONTINUE:
            break
        head = told[len(found)].head if len(found) < len(told) else b""
        connection = h11.Connection(h11.CLIENT)
        method = b"HEAD" if head.startswith(b"HEAD ") else b"GET"
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
        connection.send(h11.EndOfMessage())
        connection.receive_data(out)
        answer = None
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                raise h11.RemoteProtocolError("an answer is not whole")
            if isinstance(event, h11.Response):
                answer = event
        assert answer is not None
        reasons = [value.decode() for key, value in answer.headers if key == b"x-pixelake"]
        found.append((answer.status_code, "".join(reasons)))
        out = connection.trailing_data[0]
    return found


def _route(batch: Batch, head: bytes) -> tuple[bytes, bytes, Route | None]:
    method, target, _ = head[: head.find(b"\r\n")].split(b" ")
    path, mark, _ = target.partition(b"?")
    absolute = _ABSOLUTE.match(target)
    if path not in batch.office.routes and absolute:
        path, mark, _ = (b"/" + target[absolute.end() :]).partition(b"?")
    return method, path, None if path == b"/" and not mark else batch.office.routes.get(path)


def _fits(batch: Batch, told: Told, status: int, reason: str) -> bool:
    """Is that how this request is answered?"""
    if told.reason:
        return reason == told.reason and REFUSALS[reason].status.startswith(str(status))
    method, path, route = _route(batch, told.head)
    if route is None:
        return status == (200 if path in (b"/health", b"/ready") else 404) or (
            path == b"/ready" and batch.weather.failing and status == 503
        )
    if method not in route.methods:
        return status == (204 if method == b"OPTIONS" else 405)
    if status == 503:
        return (batch.weather.name, reason) in (("failing", "unavailable"), ("crowded", "busy"))
    return status == _STATUS[route.answer] and not reason


def _hits(batch: Batch, client: Client, statuses: list[int]) -> Iterator[str]:
    """What was answered well was kept, in order and as sent; nothing else but what failed late."""
    kept = []
    for entry, status in zip(client.connection.told, statuses, strict=False):
        if not entry.reason and status < 300:
            method, _, route = _route(batch, entry.head)
            if route is not None and method in route.methods:
                kept.append((_KEEPER.head(entry.head), _KEEPER.body(entry.body)))
    if batch.weather.name == "strict":
        if len(kept) != len(client.hits):
            yield "other hits are kept than were answered"
    elif [(hit.head, hit.body) for hit in client.hits] != kept:
        yield f"other hits are kept than were answered: {client.hits}"
    for hit in client.hits:
        line = hit.head[: hit.head.find(b"\r\n")]
        if not hit.head.endswith(b"\r\n\r\n") or line.count(b" ") != 2 or b" HTTP/1." not in line:
            yield f"a hit is no whole head: {hit}"
        if _KEEPER.head(hit.head) != hit.head:
            yield f"a secret is kept: {hit}"


def _second_opinion(batch: Batch, client: Client, tally: Tally) -> Iterator[str]:
    """What h11 makes of the same bytes."""
    data = b"".join(client.cut)
    if batch.office.proxied:
        data = data.partition(b"\r\n")[2]
    difference = compare(data, read(data), client.connection.told, client.rest)
    if difference is None:
        return
    if difference[0] == FAULT:
        yield difference[1]
        return
    tally.differences[difference] += 1
    sample = tally.samples.get(difference)
    if sample is None or len(data) < len(sample):
        tally.samples[difference] = data[:_SHOWN]
