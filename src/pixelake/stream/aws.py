"""What the streams of AWS have in common: clients, what their failures mean, and sending again what was not taken.

Region, credentials and endpoint come from the usual environment (``AWS_REGION``, ``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``, ``AWS_ENDPOINT_URL``, ...), else from the machine's role. Needs the
extra ``aws``; whoever imports this has chosen such a stream.
"""

import asyncio
import os
import random
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
from botocore.parsers import ResponseParserError
from botocore.session import Session

from pixelake import hit_json
from pixelake.errors import HitTooLarge, StreamUnavailable
from pixelake.hit import Hit

T = TypeVar("T")

CONNECT: Final = 1.0
READ: Final = 4.0
"""Seconds that an endpoint may take to be reached, and to answer: somebody waits for a picture."""
WAITS: Final = (0.05, 0.2, 0.8)
"""Seconds before what was not taken is sent again, once each; some less or more, so that not all come at once."""
RETRY_AFTER: Final = 1.0
"""Seconds for which nobody is asked again who could not be reached."""
HINT: Final = (
    "look at the name, at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL, and the network"
)
BUSY: Final = frozenset(
    {
        *("InternalError", "InternalFailure", "InternalFailureException", "InternalServerError", "ServiceUnavailable"),
        *("RequestThrottled", "ThrottlingException", "Throttling", "KmsThrottled", "KMSThrottlingException"),
        *("ProvisionedThroughputExceededException", "LimitExceededException"),
    }
)
"""Codes that may be gone when one asks again."""


_FAILURES: Final = (BotoCoreError, ValueError, RuntimeError, ResponseParserError)
"""What botocore raises besides answers: RuntimeError for credentials that are too old anew, the last for no answer."""
_USER: Final = re.compile(r"//[^/\s]*@")
_SIGNED: Final = re.compile(r"(?is)\s*(?:\bThe )?'?(?:Canonical[ -]?String|String[ -]?to[ -]?Sign)\b.*")
"""What a service quotes of the request if its signature is wrong."""


class Busy(StreamUnavailable):
    """The service says that it is busy: ask again."""


def client(service: str, *, wait: float = 0.0, connections: int = 20) -> Any:
    """A client of a service. It may be used by several threads.

    Args:
        service: ``sqs`` or ``kinesis``.
        wait: seconds that an answer may take longer than usual.
        connections: how many are open at most.

    Raises:
        StreamUnavailable: what the environment says is not enough.
    """
    config = Config(
        connect_timeout=CONNECT,
        read_timeout=READ + wait,
        max_pool_connections=connections,
        retries={"total_max_attempts": 1},  # `deliver` knows which part to send again
    )
    try:
        return Session().create_client(service, region_name=os.environ.get("AWS_REGION") or None, config=config)
    except _FAILURES as error:
        raise StreamUnavailable(f"cannot use {service}: {one_line(error)}", HINT) from None


def call(operation: Callable[..., Any], **arguments: Any) -> Any:
    """The answer of an operation.

    Raises:
        Busy: it may be asked again.
        StreamUnavailable: nobody answers, or it is refused; ``code`` of the cause says why, if there is one.
    """
    try:
        return operation(**arguments)
    except ClientError as error:
        kind = Busy if code(error) in BUSY or _status(error) >= 500 else StreamUnavailable
        raise kind(one_line(error), HINT) from error
    except _FAILURES as error:
        raise StreamUnavailable(one_line(error), HINT) from error


def code(error: BaseException | None) -> str:
    """The code of an error that a service answered, else nothing."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def one_line(error: Exception) -> str:
    """What it says, on one line; without the password of a URL, and what was signed."""
    text = _SIGNED.sub("", _USER.sub("//", str(error)))
    return " ".join(text.split())[:300] or type(error).__name__


def is_away(error: StreamUnavailable) -> bool:
    """Whether it may pass by itself: nobody answered, or only that he is busy."""
    cause = error.__cause__
    ours = isinstance(cause, (NoCredentialsError, PartialCredentialsError))
    away = isinstance(cause, (BotoCoreError, RuntimeError, ResponseParserError))
    return isinstance(error, Busy) or (away and not ours)


class Failed(NamedTuple):
    """What was not taken of a call: its place in it, why, and whether it is to be sent again."""

    at: int
    why: str
    again: bool


def deliver(
    entries: Sequence[T], send: Callable[[Sequence[T]], Sequence[Failed]], sleep: Callable[[float], None] = time.sleep
) -> Sequence[tuple[T, str]]:
    """Send all; then only what was not taken, again and again, with growing waits.

    Returns:
        What will never be taken, each with why.

    Raises:
        StreamUnavailable: some were not taken although they were sent a few times.
    """
    refused: list[tuple[T, str]] = []
    left, why = list(entries), ""
    for pause in (0.0, *WAITS):
        if pause:
            sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        try:
            failed = send(left)
        except Busy as error:
            why = str(error)
            continue
        refused += [(left[each.at], each.why) for each in failed if not each.again]
        why = next((each.why for each in failed if each.again), "")
        left = [left[each.at] for each in failed if each.again]
        if not left:
            return refused
    raise StreamUnavailable(f"{len(left)} of {len(entries)} were not taken: {why}", "it is too busy, or too small")


class Line(NamedTuple):
    """A hit as it travels."""

    hit_id: str
    data: bytes
    place: int
    """Among the hits of its append."""


class Sender:
    """Turns hits into lines, packs lines into calls, and makes the calls at once, in threads."""

    def __init__(
        self, send: Callable[[Sequence[Line]], None], *, most: int, size: int, calls: int, longest: int = 0
    ) -> None:
        """Nothing is sent yet.

        Args:
            send: makes one call, durably; raises `HitTooLarge` if only some can never be taken, `StreamUnavailable`.
            most: lines of a call.
            size: bytes of a call.
            calls: how many are under way at once.
            longest: bytes of a line; by default as many as of a call.
        """
        self._send, self._most, self._size, self._longest = send, most, size, longest or size
        self._name, self._number = secrets.token_hex(6), 0
        self._threads = ThreadPoolExecutor(calls, thread_name_prefix="send")
        self._away_until, self._away = 0.0, StreamUnavailable("")

    async def append(self, hits: Sequence[Hit]) -> None:
        """Done only once every hit is durable. See `pixelake.stream.base.Writer`."""
        if time.monotonic() < self._away_until:
            raise StreamUnavailable(str(self._away), self._away.hint)
        lines = [self._line(hit, place) for place, hit in enumerate(hits)]
        large = frozenset(line.place for line in lines if len(line.data) > self._longest)
        fitting = [line for line in lines if line.place not in large]
        loop = asyncio.get_running_loop()
        parts = in_parts(fitting, lambda line: len(line.data) + len(line.hit_id), most=self._most, size=self._size)
        calls = [loop.run_in_executor(self._threads, self._once, part) for part in parts]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        refused = list[HitTooLarge]()
        for outcome in outcomes:
            if isinstance(outcome, HitTooLarge):
                refused.append(outcome)
            elif isinstance(outcome, BaseException):  # then it is not true that the others are kept
                raise outcome
        if large:
            why = f"a hit takes more than {self._longest:,} bytes as a message"
            refused.append(HitTooLarge(why, "send fewer events at once", large))
        if refused:
            raise HitTooLarge(str(refused[0]), refused[0].hint, frozenset().union(*(each.places for each in refused)))

    async def close(self) -> None:
        """Finish what is under way."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    def _line(self, hit: Hit, place: int) -> Line:
        if not hit.hit_id:
            self._number += 1
            hit = msgspec.structs.replace(hit, hit_id=f"{self._name}-{self._number}")
        return Line(hit.hit_id, hit_json.encode(hit), place)

    def _once(self, part: Sequence[Line]) -> None:
        try:
            self._send(part)
        except StreamUnavailable as error:
            if isinstance(error.__cause__, BotoCoreError):  # nobody answers: let the next ones not wait for it, too
                self._away, self._away_until = error, time.monotonic() + RETRY_AFTER
            raise


def in_parts(things: Iterable[T], length: Callable[[T], int], *, most: int, size: int) -> Iterator[Sequence[T]]:
    """All, in order, in as few parts as calls take them.

    Args:
        things: what is sent.
        length: bytes that one takes.
        most: of them in a call.
        size: bytes of a call; what is longer by itself is alone.
    """
    part: list[T] = []
    left = size
    for each in things:
        if part and (len(part) == most or length(each) > left):
            yield part
            part, left = [], size
        part.append(each)
        left -= length(each)
    if part:
        yield part


def in_threads(
    threads: ThreadPoolExecutor, act: Callable[[T], object], parts: Sequence[T], seconds: float | None = None
) -> int:
    """Do `act` with each part at once; all are done before the first failure is raised.

    Args:
        threads: that do it.
        act: what is done.
        parts: with what.
        seconds: that are waited; what has not begun by then is left, what is under way goes on.

    Returns:
        How many parts were not done by then.
    """
    futures = [threads.submit(partial(act, part)) for part in parts]
    late = wait(futures, seconds).not_done
    for future in late:
        future.cancel()
    failures = [failure for future in futures if future not in late and (failure := future.exception())]
    if failures:
        raise failures[0]
    return len(late)
