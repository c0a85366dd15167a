"""A thousand hits of a run, and what came of them: each answered 200 must be in the lake once."""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from pixelake.errors import SettingsError
from pixelake.warehouse import objects
from pixelake.warehouse.sums import LakeReader

SITE: Final = "smoke.example"
TIMEOUT: Final = 30.0
AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36"


class Sent(NamedTuple):
    """What was sent.

    Attributes:
        run: its name, the beginning of all its paths.
        accepted: paths of the pages whose hits were answered 200.
        refused: others, by status or by what went wrong. They may be there or not.
    """

    run: str
    accepted: frozenset[str]
    refused: Mapping[str, int]


class Stored(NamedTuple):
    """What of it is in the lake.

    Attributes:
        events: rows of the run.
        lost: accepted, and not there.
        doubled: there more than once, by path or by name.
        unsent: there, and never sent.
        holds: whether the lake's own sums agree.
    """

    events: int
    lost: int
    doubled: int
    unsent: int
    holds: bool

    @property
    def good(self) -> bool:
        """Whether accepted is stored, once."""
        return self.holds and not (self.lost or self.doubled or self.unsent)


def send(pixel: str, hits: int, at_once: int = 8) -> Sent:
    """Send hits, each of a page of its own, over some connections that stay open.

    Args:
        pixel: address of the image, ``http`` or ``https``.
        hits: how many.
        at_once: connections.

    Raises:
        SettingsError: the address is none.
    """
    url = urlsplit(pixel)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise SettingsError(f"{pixel!r} is no address of a pixel", "for example https://px.example.com/pixel.gif")
    sender = _Sender(url.scheme, url.netloc, url.path or "/pixel.gif", uuid.uuid4().hex[:12])
    numbers = iter(range(hits))
    threads = [threading.Thread(target=sender.visit, args=(numbers,)) for _ in range(min(at_once, hits))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Sent(sender.run, frozenset(sender.accepted), dict(sender.refused))


class _Sender:
    def __init__(self, scheme: str, host: str, path: str, run: str) -> None:
        self._kind = HTTPSConnection if scheme == "https" else HTTPConnection
        self._host, self._path, self.run = host, path, run
        self._lock = threading.Lock()
        self.accepted: set[str] = set()
        self.refused: Counter[str] = Counter()

    def visit(self, numbers: Iterator[int]) -> None:
        """Send the next hit until there is none."""
        connection = self._kind(self._host, timeout=TIMEOUT)
        while (number := self._next(numbers)) is not None:
            path = f"/{self.run}/{number}"
            try:
                told = self._hit(connection, path)
            except (OSError, HTTPException) as error:
                connection.close()
                told = type(error).__name__
            with self._lock:
                if told == "200":
                    self.accepted.add(path)
                else:
                    self.refused[told] += 1
        connection.close()

    def _next(self, numbers: Iterator[int]) -> int | None:
        with self._lock:
            return next(numbers, None)

    def _hit(self, connection: HTTPConnection, path: str) -> str:
        target = f"{self._path}?site={SITE}&url=https://{SITE}{path}"
        connection.request("GET", target, headers={"User-Agent": AGENT, "Accept": "image/*"})
        answer = connection.getresponse()
        answer.read()
        return str(answer.status)


def stored(lake: str, sent: Sent) -> Stored:
    """Look what is in a lake.

    Args:
        lake: ``s3://bucket/prefix``; who we are, and where it is, ``AWS_*`` of the environment says.
        sent: what to look for.

    Raises:
        SettingsError: it is no such place.
        LakeUnavailable: it cannot be read.
    """
    bucket, _, prefix = lake.removeprefix("s3://").partition("/")
    if not lake.startswith("s3://") or not bucket or not prefix:
        raise SettingsError(f"{lake!r} is no lake in a bucket", "s3://bucket/prefix, as the stack tells it")
    place = objects.lake(bucket, prefix)
    rows = _rows(place / "events", sent.run)
    paths, names = Counter(row["path"] for row in rows), Counter(row["hit_id"] for row in rows)
    known = {f"/{sent.run}/{number}" for number in range(len(sent.accepted) + sum(sent.refused.values()))}
    return Stored(
        events=len(rows),
        lost=len(sent.accepted - paths.keys()),
        doubled=sum(paths.values()) - len(paths) + sum(names.values()) - len(names),
        unsent=len(paths.keys() - known),
        holds=LakeReader(place).sums().holds,
    )


def _rows(place: Any, run: str) -> list[dict[str, Any]]:
    """The rows of a run; none as long as there is no table."""
    try:
        table = DeltaTable(str(place), storage_options=dict(place.options)).to_pyarrow_table(columns=["hit_id", "path"])
    except TableNotFoundError:
        return []
    return [row for row in table.to_pylist() if str(row["path"]).startswith(f"/{run}/")]


def waited(lake: str, sent: Sent, seconds: float, tell: Callable[[str], None], pause: float = 3.0) -> Stored:
    """Look until all that was accepted is there, and once more behind it; no longer than so many seconds."""
    deadline = time.monotonic() + seconds
    while (found := stored(lake, sent)).lost and time.monotonic() < deadline:
        tell(f"  {found.events} of {len(sent.accepted)} are in the lake")
        time.sleep(pause)
    if not found.lost:
        time.sleep(pause)  # what comes twice would come now
        found = stored(lake, sent)
    return found
