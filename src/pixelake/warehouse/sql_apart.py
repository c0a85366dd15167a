"""Runs a stranger's SQL in a process of its own, so that nothing it does can hold up or bring down this one.

DuckDB stops a query between two handfuls of rows, and counts most of the memory
it takes. What one function does with one value it can neither stop nor count.
So the process has a bound of memory of its own, gives way to others, and is
killed when its time is over.
"""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import pyarrow as pa

from pixelake.errors import LakeUnavailable, QueryError
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.given_up import GIVEN_UP
from pixelake.warehouse.place import Place

SIZE: Final = 64 << 20
"""Bytes that an answer may have."""
GRACE: Final = 2.0
"""Seconds that the process has, beyond those of the query, to begin and to say that the time is over."""
LOOK: Final = 0.2
"""Seconds between two looks whether anybody still waits."""
SPARE: Final = 512 << 20
"""Bytes beyond those that DuckDB counts."""
POLITE: Final = 5
_KEPT: Final = frozenset({"LANG", "LC_ALL", "PATH", "PYTHONPATH", "TMPDIR"})
"""Of the environment; credentials only for a lake that cannot be read without."""


class Request(msgspec.Struct):
    """What the process is told."""

    lake: tuple[str, ...]
    timeout: float
    memory: str
    threads: int
    spill: str | None
    default: tuple[tuple[int, str], ...]
    sites: dict[str, tuple[tuple[int, str], ...]]
    text: str
    site: str | None
    rows: int | None
    size: int


class Head(msgspec.Struct):
    """The first line that it answers; behind it come the rows, if there is no error."""

    error: str = ""
    hint: str = ""
    is_away: bool = False


class Apart:
    """The lake, open for SQL that is not trusted. Any number of threads; each query is a process.

    Args:
        lake: where it is: the folder; or bucket, prefix, and a folder to put things down in.
        timeout: seconds after which a query is stopped.
        memory: what DuckDB may take for one, as it writes it.
        threads: of one.
        spill: the folder for what does not fit into that memory.
        clocks: tells the wall clocks of the sites as they are now.
    """

    def __init__(
        self,
        lake: tuple[str, ...],
        *,
        timeout: float,
        memory: str,
        threads: int,
        spill: Path | None,
        clocks: Callable[[], Clocks],
    ) -> None:
        self._lake, self._timeout, self._memory, self._threads = lake, timeout, memory, threads
        self._spill, self._clocks = str(spill) if spill else None, clocks

    def sql(self, text: str, *, site: str | None = None, rows: int | None = None, size: int | None = None) -> pa.Table:
        """The answer to one SELECT: see `pixelake.warehouse.query.Lakehouse.sql`.

        Raises:
            QueryError: it is not allowed, wrong, or takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        clocks = self._clocks()
        told = Request(
            lake=self._lake,
            timeout=self._timeout,
            memory=self._memory,
            threads=self._threads,
            spill=self._spill,
            default=clocks.default,
            sites=dict(clocks.others),
            text=text,
            site=site,
            rows=rows,
            size=SIZE if size is None else size,
        )
        return self._read(self._run(msgspec.json.encode(told)))

    def _run(self, told: bytes) -> tuple[int, bytes]:
        """What the process ended with, and said."""
        child = subprocess.Popen(  # noqa: S603 - ourselves; the query goes in by a pipe
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(remote=len(self._lake) > 1),
            start_new_session=True,
        )
        with child:
            try:
                answer = _said(child, told, self._timeout + GRACE)
            except subprocess.TimeoutExpired:
                raise self._late() from None
            finally:
                child.kill()  # does nothing to one that has ended
        return child.returncode, answer

    def _late(self) -> QueryError:
        return QueryError(
            f"the query took longer than {self._timeout:g} s", "ask for less time, or raise the setting sql_timeout"
        )

    def _read(self, ended: tuple[int, bytes]) -> pa.Table:
        code, answer = ended
        line, _, rows = answer.partition(b"\n")
        try:
            head = msgspec.json.decode(line, type=Head)
        except msgspec.DecodeError:
            head = Head(f"the query took too much memory, and was stopped ({code})", _MEMORY)
        if head.is_away:
            raise LakeUnavailable(head.error, head.hint)
        if head.error:
            raise QueryError(head.error, head.hint)
        try:
            return pa.ipc.open_stream(rows).read_all()
        except pa.ArrowException:
            raise QueryError(f"the query was stopped ({code}) while it answered", _MEMORY) from None


_MEMORY: Final = "ask for less, or raise the setting sql_memory"


def _said(child: "subprocess.Popen[bytes]", told: bytes, seconds: float) -> bytes:
    """What the process answers.

    Raises:
        TimeoutExpired: it takes longer, or nobody waits for it any more.
    """
    given_up, until = GIVEN_UP.get(), time.monotonic() + seconds
    waiting: bytes | None = told
    while True:
        try:
            return child.communicate(waiting, timeout=LOOK)[0]
        except subprocess.TimeoutExpired:
            waiting = None  # what is left of it is still written
            if time.monotonic() >= until or (given_up and given_up.is_set()):
                raise


def _environment(*, remote: bool) -> Mapping[str, str]:
    wanted = ("AWS_", "SSL_") if remote else ()
    return {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(wanted)}


# --- in the process


def main() -> None:
    """Read a `Request`, answer a `Head` and rows."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    signal.alarm(int(request.timeout + 2 * GRACE) + 1)  # also when nobody is left to kill it
    os.nice(POLITE)
    sys.modules["pandas"] = None  # type: ignore[assignment]  # DuckDB loads it where it is installed: half of our time
    out = sys.stdout.buffer
    try:
        rows = BytesIO()
        table = _answer(request)
        with pa.ipc.new_stream(rows, table.schema) as stream:
            stream.write_table(table)
    except (QueryError, LakeUnavailable) as error:
        _say(out, Head(str(error), error.hint, isinstance(error, LakeUnavailable)))
    except MemoryError:
        _say(out, Head("the query took too much memory, and was stopped", _MEMORY))
    except pa.ArrowException as error:
        _say(out, Head(f"the answer cannot be passed on: {str(error).partition(chr(10))[0]}", "cast it to text"))
    else:
        _say(out, Head())
        out.write(rows.getbuffer())
    out.flush()
    os._exit(0)  # what is left is memory, and a thread that may never end


def _say(out: BinaryIO, head: Head) -> None:
    out.write(msgspec.json.encode(head) + b"\n")


def _answer(request: Request) -> pa.Table:
    from pixelake.warehouse.query import Lakehouse  # noqa: PLC0415 - loads DuckDB: in the process alone

    clocks = Clocks(request.default, request.sites)
    spill = Path(request.spill) if request.spill else None
    with Lakehouse(
        _place(request.lake), request.timeout, request.memory, request.threads, spill, clocks=lambda: clocks
    ) as house:
        _bound(size_of(request.memory) + SPARE)
        return house.sql(request.text, site=request.site, rows=request.rows, size=request.size)


def _place(lake: tuple[str, ...]) -> Place:
    if len(lake) == 1:
        return Path(lake[0])
    from pixelake.warehouse import objects  # noqa: PLC0415 - what it needs is installed where the lake is in a bucket

    bucket, prefix, spool = lake
    return objects.lake(bucket, prefix, Path(spool))


def size_of(memory: str) -> int:
    """Bytes of what DuckDB writes as ``512MB`` or ``100B``."""
    number, unit = _MEMORY_TEXT.findall(memory)[0]
    return int(float(number) * 1_000 ** ("bkmgt".index(unit.lower())))


_MEMORY_TEXT: Final = re.compile(r"([\d.]+)\s*([bkmgt])", re.IGNORECASE)


def _bound(more: int) -> None:
    """Let this process have so many bytes more than it has."""
    with suppress(OSError, ValueError):  # no Linux: then DuckDB's own count must do
        told = Path("/proc/self/status").read_text(encoding="ascii").partition("VmData:")[2]
        most = int(told.split()[0]) * 1024 + more
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    main()
