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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import duckdb
import pyarrow as pa

from pixelake.errors import QueryError
from pixelake.warehouse import place, swap_note
from pixelake.warehouse.asking import Standing, Statement
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER, DeltaLog
from pixelake.warehouse.place import Place
from pixelake.warehouse.rollup.kept import Keeping
from pixelake.warehouse.snapshot import TABLES, Snapshot, columns_of, literal, rows_of_files
from pixelake.warehouse.spill import Spill
from pixelake.warehouse.sql_guard import check, first_line

_HINTS: Final[Mapping[type[duckdb.Error], str]] = {
    duckdb.OutOfMemoryException: "ask for less time or fewer columns, or raise the setting sql_memory",
    duckdb.PermissionException: "only the tables events and rejects can be read",
    duckdb.CatalogException: "the tables are events and rejects; `describe events` lists the columns",
    duckdb.BinderException: "`describe events` lists the columns",
    duckdb.ParserException: "look at the SQL near the place named",
    duckdb.InvalidInputException: "look at the values and their number",
    duckdb.IOException: "the lake may have changed meanwhile: ask again",
}


_DAMAGED: Final = re.compile(r"(magic bytes|metadata|footer).*\.parquet'", re.IGNORECASE)
"""What DuckDB says of a Parquet file that is none."""


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
    """

    def __init__(
        self,
        folder: Place,
        timeout: float = 20.0,
        memory: str = "512MB",
        threads: int = 2,
        spill: Path | None = None,
    ) -> None:
        self._timeout, self._lock = timeout, threading.Lock()
        self._logs = {name: DeltaLog(place.absolute(folder) / name) for name in TABLES}
        self._kept = Keeping(place.absolute(folder))
        self._versions: dict[str, tuple[int, int, str]] = {}
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

    def sql(self, text: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pa.Table:
        """The answer to one SELECT over ``events`` and ``rejects``. Times are UTC.

        Raises:
            QueryError: it is not allowed, wrong, or takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        with self._database.cursor() as parser:
            check(text, parser)
        return self.ask(text, parameters)

    def ask(self, text: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pa.Table:
        """The same for SQL of our own, which is not checked.

        Raises:
            QueryError: it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        try:
            return self._ask(text, parameters)
        except duckdb.IOException:
            pass  # a file of that version is gone: the next one does without it
        except duckdb.Error as error:
            raise _explain(error) from None
        try:
            self._versions.clear()
            return self._ask(text, parameters)
        except duckdb.Error as error:
            raise _explain(error) from None

    def plan(self, make: Callable[[Standing], Statement]) -> tuple[pa.Table, Statement, str]:
        """Make a statement for the newest version of the lake, and run it on that.

        Returns:
            The rows, the statement, and the version.

        Raises:
            QueryError: it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        try:
            return self._plan(make)
        except duckdb.IOException:
            pass  # a file of that version is gone: the next one does without it
        except duckdb.Error as error:
            raise _explain(error) from None
        try:
            return self._plan(make)
        except duckdb.Error as error:
            raise _explain(error) from None

    def _plan(self, make: Callable[[Standing], Statement]) -> tuple[pa.Table, Statement, str]:
        with self._lock:
            missing = self._look()
            standing = Snapshot(self._logs, missing, self._kept.at(self._logs[EVENTS_FOLDER]))
            statement = make(standing)
            cursor = self._database.cursor()
        with cursor, _stopped(cursor, self._timeout), _interrupts(cursor):
            table = cursor.execute(statement.sql, dict(statement.values) or None).to_arrow_table()
        return table, statement, standing.version

    def _ask(self, text: str, parameters: Sequence[Any] | Mapping[str, Any]) -> pa.Table:
        with self._lock:
            self._refresh()
            cursor = self._database.cursor()
        with cursor, _stopped(cursor, self._timeout), _interrupts(cursor):
            return cursor.execute(text, parameters or None).to_arrow_table()

    def _refresh(self) -> None:
        """Show the newest version of each table."""
        lacking = self._look()
        for name, log in self._logs.items():
            missing = lacking if name == REJECTS_FOLDER else None
            version = log.version, id(log.files), missing.note if missing else ""
            if self._versions.get(name) != version:
                files = [str(log.folder / file.name) for file in log.files.values()]
                rows = rows_of_files(columns_of(name, log.schema), files, missing)
                self._database.execute(f"create or replace view {name} as {rows}")
                self._versions[name] = version

    def _look(self) -> swap_note.Lacking | None:
        """See the newest version of each table, and what the rejects still lack of a swap that the events show."""
        events, rejects = (self._logs[name] for name in (EVENTS_FOLDER, REJECTS_FOLDER))
        events.refresh()
        rejects.refresh()
        if swap_note.is_ahead(events, rejects):
            events.refresh()  # it came between the two looks
        return swap_note.lacking(events, rejects)


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


@contextmanager
def _stopped(cursor: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Stop what `cursor` runs after that time.

    Raises:
        QueryError: it was stopped.
    """
    done = threading.Event()

    def watch() -> None:
        late = not done.wait(seconds)
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
