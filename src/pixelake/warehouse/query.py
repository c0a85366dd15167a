"""Answers SQL over the lake, on DuckDB: the named questions and the user's own.

The user's SQL is hostile. It is one reading statement (`sql_guard`), run by a
DuckDB that can open nothing but the folders of the two tables, load no
extension and change no setting, within bounds of time, memory and disk.
"""

import re
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeVar

import duckdb
import pyarrow as pa

from pixelake.errors import QueryError
from pixelake.warehouse import place, swap_note
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER, logs_of
from pixelake.warehouse.given_up import GIVEN_UP
from pixelake.warehouse.place import Place
from pixelake.warehouse.questions import words
from pixelake.warehouse.reading import Nothing, Standing, Statement
from pixelake.warehouse.rollup.kept import Keeping
from pixelake.warehouse.snapshot import Snapshot, literal
from pixelake.warehouse.spill import Spill
from pixelake.warehouse.sql_guard import check, first_line
from pixelake.warehouse.views import NAMES, SITE_NAMES, definitions
from pixelake.warehouse.zones import fixed

_HINTS: Final[Mapping[type[duckdb.Error], str]] = {
    duckdb.OutOfMemoryException: "ask for less time or fewer columns, or raise the setting sql_memory",
    duckdb.PermissionException: "only the tables events, rejects, visits and daily can be read",
    duckdb.CatalogException: "the tables are events, rejects, visits and daily; `describe events` lists the columns",
    duckdb.BinderException: "`describe events` lists the columns",
    duckdb.ParserException: "look at the SQL near the place named",
    duckdb.InvalidInputException: "look at the values and their number",
    duckdb.IOException: "the lake may have changed meanwhile: ask again",
}


_SAID: Final[Mapping[str, type[duckdb.Error]]] = {
    "IO Error": duckdb.IOException,
    "INTERRUPT Error": duckdb.InterruptException,
    "Out of Memory Error": duckdb.OutOfMemoryException,
    "Permission Error": duckdb.PermissionException,
}
"""How DuckDB's text begins -> what it would have raised."""
_LOST: Final = (duckdb.IOException, duckdb.InvalidInputException, duckdb.SerializationException)
"""What DuckDB raises of a file that is gone, or is none."""
_BATCH: Final = 20_480
"""Rows that are taken at once."""
_DAMAGED: Final = re.compile(r"(magic bytes|metadata|footer).*\.parquet'", re.IGNORECASE)
"""What DuckDB says of a Parquet file that is none."""

_T = TypeVar("_T")


class _Bounds(NamedTuple):
    """What an answer may be at most."""

    rows: int | None = None
    size: int | None = None

    def take(self, answer: duckdb.DuckDBPyConnection) -> pa.Table:
        """The answer; what is over is never made.

        Raises:
            QueryError: it is more than that.
            duckdb.Error: as of DuckDB.
        """
        if self == _Bounds():
            return answer.to_arrow_table()
        try:
            return self._taken(answer)
        except (OSError, pa.ArrowException) as error:  # what DuckDB says while its rows are taken comes by way of Arrow
            raise next((kind for name, kind in _SAID.items() if str(error).startswith(name)), duckdb.Error)(
                str(error)
            ) from None

    def _taken(self, answer: duckdb.DuckDBPyConnection) -> pa.Table:
        reader = answer.to_arrow_reader(_BATCH)
        batches, rows, size = [], 0, 0
        for batch in reader:
            batches.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if self.rows is not None and rows > self.rows:
                raise QueryError(f"more than {self.rows:,} rows", "add a `limit`, or count with `group by`")
            if self.size is not None and size > self.size:
                raise QueryError(f"more than {self.size:,} bytes of rows", "ask for fewer rows or columns")
        return pa.Table.from_batches(batches, reader.schema)


class Lakehouse:
    """The lake, open for questions. Several threads may ask at once; each answer is of one version of the lake.

    Works beside a writer, without one, and before there is a lake (then it is empty).

    Args:
        folder: the lake.
        timeout: seconds after which a query is stopped.
        memory: what queries may take together, as DuckDB writes it: ``512MB``.
        threads: of all queries together.
        spill: the folder for what does not fit into that memory; made when it is needed. Else the system's for
            temporary files, which may itself be memory.
        clocks: tells the wall clocks of the sites as they are now; else all go by UTC. For the views.
    """

    def __init__(
        self,
        folder: Place,
        timeout: float = 20.0,
        memory: str = "512MB",
        threads: int = 2,
        spill: Path | None = None,
        *,
        clocks: Callable[[], Clocks] | None = None,
    ) -> None:
        self._timeout, self._lock = timeout, threading.Lock()
        self._logs = logs_of(folder)
        self._kept = Keeping(place.absolute(folder))
        self._clocks = clocks or _utc
        self._spill = Spill(spill or Path(tempfile.gettempdir()))
        self._database = _open(
            [*(log.folder for log in self._logs.values()), self._kept.folder], memory, threads, self._spill
        )

    def close(self) -> None:
        """Let the memory go, and what is spilled. May never be called."""
        self._database.close()
        self._spill.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def sql(
        self,
        text: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        site: str | None = None,
        rows: int | None = None,
        size: int | None = None,
    ) -> pa.Table:
        """The answer to one SELECT over the tables of `pixelake.warehouse.views`. Times are UTC.

        Args:
            text: the query.
            parameters: its values.
            site: only the rows of this one are there.
            rows: how many there may be at most.
            size: bytes that they may have at most.

        Raises:
            QueryError: it is not allowed, wrong, or takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        tables = NAMES if site is None else SITE_NAMES
        with self._database.cursor() as parser:
            read = check(text, parser, tables)
        if read.is_explained and site is not None:
            raise QueryError("EXPLAIN is not allowed for one site", "it would tell of the rows of others")
        return self._again(lambda: self._run(text, parameters, read.tables, site, _Bounds(rows, size)))

    def ask(self, text: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pa.Table:
        """The same for SQL of our own, which is not checked.

        Raises:
            QueryError: it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        return self._again(lambda: self._run(text, parameters, words(text) & set(NAMES), None, _Bounds()))

    def plan(self, make: Callable[[Standing], Statement]) -> tuple[pa.Table, Statement, str]:
        """Make a statement for the newest version of the lake, and run it on that.

        Returns:
            The rows, the statement, and the version.

        Raises:
            QueryError: it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        return self._again(lambda: self._plan(make), lambda: self._plan(make, rows_only=True))

    def standing(self) -> Standing:
        """The lake at its newest version: what that is called, and which columns it has. Reads no rows.

        Raises:
            LakeUnavailable: the lake cannot be read.
        """
        with self._lock:
            return self._standing()

    def _again(self, ask: Callable[[], _T], without: Callable[[], _T] | None = None) -> _T:
        """Ask once more if a file is gone: the newest version does without it; and `without` also if it is damaged."""
        try:
            return ask()
        except _LOST as error:
            if not without and not isinstance(error, duckdb.IOException):
                raise _explain(error) from None
        except duckdb.Error as error:
            raise _explain(error) from None
        try:
            return (without or ask)()
        except duckdb.Error as error:
            raise _explain(error) from None

    def _plan(
        self, make: Callable[[Standing], Statement], *, rows_only: bool = False
    ) -> tuple[pa.Table, Statement, str]:
        with self._lock:
            standing = self._standing()
            if rows_only:  # else a roll-up that is damaged would keep its day from being known
                standing.kept = Nothing()
            statement = make(standing)
            cursor = self._database.cursor()
        with cursor, _stopped(cursor, self._timeout), _interrupts(cursor):
            table = cursor.execute(statement.sql, dict(statement.values) or None).to_arrow_table()
        return table, statement, standing.version

    def _run(
        self,
        text: str,
        parameters: Sequence[Any] | Mapping[str, Any],
        tables: Collection[str],
        site: str | None,
        bounds: _Bounds,
    ) -> pa.Table:
        clocks = self._clocks()
        with self._lock:
            found = definitions(self._standing(), clocks, tables, site)
            cursor = self._database.cursor()
        with cursor, _stopped(cursor, self._timeout), _interrupts(cursor):
            for name, rows in found.items():  # seen by this cursor alone, and gone with it
                cursor.execute(f"create temp view {name} as {rows}")
            return bounds.take(cursor.execute(text, parameters or None))

    def _standing(self) -> Snapshot:
        """The newest version of each table."""
        missing = self._look()
        return Snapshot(self._logs, missing, self._kept.at(self._logs[EVENTS_FOLDER]))

    def _look(self) -> swap_note.Lacking | None:
        """See the newest version of each table, and what the rejects still lack of a swap that the events show."""
        events, rejects = (self._logs[name] for name in (EVENTS_FOLDER, REJECTS_FOLDER))
        events.refresh()
        rejects.refresh()
        if swap_note.is_ahead(events, rejects):
            events.refresh()  # it came between the two looks
        return swap_note.lacking(events, rejects)


def _utc() -> Clocks:
    return Clocks(fixed("UTC"), {})


def _open(folders: Sequence[Place], memory: str, threads: int, spill: Spill) -> duckdb.DuckDBPyConnection:
    options = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(spill.place),
        "max_temp_directory_size": f"{spill.most}B",
        "allowed_directories": [f"{folder}/" for folder in folders],
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        # Else SQL could name Python's variables as tables.
        "python_enable_replacements": False,
        # Files never change, and to read what is in them takes half of the time of a short question.
        "parquet_metadata_cache": True,
        "TimeZone": "UTC",
        "enable_external_access": False,
    }
    try:
        database = duckdb.connect()
        for folder in folders[:1]:  # both are of one lake
            if not isinstance(folder, Path):
                database.register_filesystem(folder.filesystem)
        for name, value in options.items():
            database.execute(f"set global {name} = {literal(value)}")
        database.execute("set lock_configuration = true")
    except duckdb.Error as error:
        raise QueryError(first_line(error), "look at the settings sql_memory and lake") from None
    return database


def _done_in(seconds: float, done: threading.Event, given_up: threading.Event | None) -> bool:
    """Whether it is done before that time, and before it is given up."""
    if given_up is None:
        return done.wait(seconds)
    until = time.monotonic() + seconds
    while not (given_up.is_set() or time.monotonic() >= until):
        if done.wait(0.1):
            return True
    return False


@contextmanager
def _stopped(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Stop what `cursor` runs after that time.

    Raises:
        QueryError: it was stopped.
    """
    done = threading.Event()

    given_up = GIVEN_UP.get()

    def watch() -> None:
        late = not _done_in(seconds, done, given_up)
        while late and not done.is_set():
            cursor.interrupt()  # again and again: one before the query really starts is lost
            done.wait(0.05)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except duckdb.InterruptException:
        raise QueryError(
            f"the query took longer than {seconds:g} s", "ask for less time, or raise the setting sql_timeout"
        ) from None
    finally:
        done.set()
        watcher.join()


@contextmanager
def _interrupts(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let Ctrl-C stop the query, and be what it is.

    DuckDB looks for signals now and then only, and wraps what it finds. Python
    itself acts on them when DuckDB returns; but it writes a byte at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told, tell = socket.socketpair()
    tell.setblocking(False)
    before = signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        while received := told.recv(16):
            if signal.SIGINT in received:
                cursor.interrupt()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise error.__cause__ from None
        raise
    finally:
        signal.set_wakeup_fd(before)
        tell.close()
        watcher.join()
        told.close()


def _explain(error: duckdb.Error) -> QueryError:
    if _DAMAGED.search(str(error)):
        return QueryError(first_line(error), "a file of the lake is damaged: restore it from a backup")
    hint = next((text for kind, text in _HINTS.items() if isinstance(error, kind)), "look at the SQL")
    return QueryError(first_line(error), hint)
