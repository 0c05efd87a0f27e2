"""The judgement file. The only module that knows DuckDB.

Events are appended and never changed; the current state is views of them, ordered by sequence, never by clock. One
process owns the file; within it every thread reads through a cursor of its own and one lock orders the writes. A call
that returns has been committed; events that arrive while another commit is under way share the next one.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar
from weakref import WeakValueDictionary

import duckdb
import pyarrow as pa

from mdr.errors import InputError, InUseError, MdrError, StorageError
from mdr.storage.files import disk_errors, fsync_folder
from mdr.storage.judgement_events import COLUMNS, JudgementEvent
from mdr.storage.judgement_mark import Mark
from mdr.storage.judgement_merge import Merged, add, merge
from mdr.storage.migrations import migrate

View: TypeAlias = Literal["judgements", "standing", "notes", "adjudications"]
"""What holds now: grades; grades, skips and cannot-judges; notes; and what was adjudicated, by whomever."""

Result = TypeVar("Result")
_NAMES = ", ".join(COLUMNS)
_REFUSALS = (
    *(duckdb.ConstraintException, duckdb.ConversionException, duckdb.InvalidInputException),
    *(ValueError, TypeError, OverflowError),  # of a value that its column cannot hold
)
_OPEN: WeakValueDictionary[Path, JudgementStore] = WeakValueDictionary()
_OPENING = threading.Lock()


class _Ticket:
    """An event on its way into the file."""

    def __init__(self, event: JudgementEvent) -> None:
        self.event = event
        self.outcome: bool | MdrError | None = None


class JudgementStore:
    """Open it once per process; close it, or leave it to the end of the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._write = threading.Lock()
        self._local = threading.local()
        self._waiting: deque[_Ticket] = deque()
        self._last: int | None = None
        self._mark = Mark(path)
        with _OPENING:
            _refuse_open(path)
            with disk_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                self._refuse_loss(0)
            self._connection = _connect(path)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()  # or this process would go on holding a file that it cannot use
                self._mark.close()
                raise
            _OPEN[path.resolve()] = self

    # -- writing ------------------------------------------------------------------------------------------

    def append(self, event: JudgementEvent) -> bool:
        """Commit an event. False: this very event was there already, and nothing was added."""
        ticket = _Ticket(event)
        self._waiting.append(ticket)
        while ticket.outcome is None:
            with self._write:  # whoever held it before may have committed ours along with its own
                if ticket.outcome is None:
                    self._save([self._waiting.popleft() for _ in range(len(self._waiting))])
        if isinstance(ticket.outcome, MdrError):
            raise ticket.outcome
        return ticket.outcome

    def merge(self, events: pa.Table) -> Merged:
        """Add the events of another store that are not here, in their order, after ours; all of them or none."""
        with self._write:
            try:
                return self._transaction(lambda cursor, last: merge(cursor, events, last))
            except _REFUSALS as error:
                raise InputError(f"these events cannot be merged: {_first_line(error)}", _REFUSED) from error
            except duckdb.Error as error:
                raise StorageError(f"nothing was merged: {_first_line(error)}", _NOT_SAVED) from error
            finally:
                for table in ("incoming", "earlier"):  # not before: a transaction that has failed would refuse it
                    self._cursor().unregister(table)

    def _save(self, tickets: list[_Ticket]) -> None:
        """Commit what came together; where one of them is refused, each alone. Outcomes are set after the commit only:
        the threads that wait for them look without the lock."""
        outcomes: Sequence[bool | MdrError]
        try:
            outcomes = self._transaction(lambda cursor, last: add(cursor, [it.event for it in tickets], last))
        except _REFUSALS as error:
            if len(tickets) > 1:
                for ticket in tickets:
                    self._save([ticket])
                return
            outcomes = [StorageError(f"the judgement was refused: {_first_line(error)}", _REFUSED)]
        except duckdb.Error as error:
            problem = f"the judgement was not saved: {_first_line(error)}"
            outcomes = [StorageError(problem, _NOT_SAVED) for _ in tickets]
        except BaseException:  # of this thread only, Ctrl-C say: the others still wait for theirs
            self._waiting.extendleft(reversed(tickets))
            raise
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            ticket.outcome = outcome

    def _transaction(self, work: Callable[[duckdb.DuckDBPyConnection, int], tuple[Result, int]]) -> Result:
        """Carry work out whole or not at all. It is given the last sequence number, and says how far that has come."""
        cursor = self._cursor()
        last, self._last = self._last, None  # a commit that fails half-way may have happened: then look again
        cursor.execute("BEGIN")
        try:
            if last is None:
                last = int(cursor.execute("SELECT coalesce(max(sequence), 0) FROM events").fetchall()[0][0])
            result, last = work(cursor, last)
            cursor.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):  # a failed commit has ended the transaction
                cursor.execute("ROLLBACK")
            raise
        self._last = last
        self._mark.set(last)
        return result

    # -- reading ------------------------------------------------------------------------------------------

    def judgements(
        self, collection: str, annotator: str | None = None, query: str | None = None
    ) -> list[JudgementEvent]:
        """The grades that count now: of everyone or one person, for all queries or one."""
        return self.current("judgements", collection, annotator=annotator, query=query)

    def current(
        self,
        view: View,
        collection: str,
        *,
        annotator: str | None = None,
        campaign: str | None = None,
        query: str | None = None,
    ) -> list[JudgementEvent]:
        """What holds now, in the order it was said: of everyone or one person, in all campaigns or one."""
        return self._events(view, dict(collection=collection, annotator=annotator, campaign=campaign, query=query))

    def history(
        self, collection: str, annotator: str | None = None, campaign: str | None = None
    ) -> list[JudgementEvent]:
        """Everything that ever happened, in order."""
        return self._events("events", {"collection": collection, "annotator": annotator, "campaign": campaign})

    def last(self, annotator: str, collection: str, campaign: str) -> JudgementEvent | None:
        """What a person did last and has not undone."""
        where = {"annotator": annotator, "collection": collection, "campaign": campaign}
        return next(iter(self._events("effective", where, "DESC LIMIT 1")), None)

    def find(self, event: str) -> JudgementEvent | None:
        """The event with an id."""
        return next(iter(self._events("events", {"event": event})), None)

    def count(self) -> int:
        """How many events there are."""
        return int(self._rows("SELECT count(*) FROM events")[0][0])

    def table(self) -> pa.Table:
        """Every event as of one moment, in order; writers need not wait."""
        with self.batches() as events:
            return events.read_all()

    @contextmanager
    def batches(self) -> Iterator[pa.RecordBatchReader]:
        """The same piece by piece, as they lie, which is in order: to sort them would take them all into memory."""
        with self._readable(), closing(self._connection.cursor()) as cursor:
            yield cursor.sql(f"SELECT {_NAMES}, sequence FROM events").to_arrow_reader(8_192)

    def close(self) -> None:
        """Checkpoint and let another process have the file."""
        with self._write, _OPENING:
            self._connection.close()
            self._mark.close()
            _OPEN.pop(self.path.resolve(), None)

    def _events(self, table: str, where: Mapping[str, str | None], order: str = "") -> list[JudgementEvent]:
        given = {column: value for column, value in where.items() if value is not None}
        wanted = " AND ".join(f"{column} = ?" for column in given)
        sql = f"SELECT {_NAMES} FROM {table} WHERE {wanted} ORDER BY sequence {order}"
        return [JudgementEvent(*row) for row in self._rows(sql, list(given.values()))]

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._readable():
            return self._cursor().execute(sql, list(values)).fetchall()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise StorageError(f"{self.path} cannot be read: {_first_line(error)}", _DAMAGED) from error

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        if not hasattr(self._local, "cursor"):
            self._local.cursor = self._connection.cursor()
        cursor: duckdb.DuckDBPyConnection = self._local.cursor
        return cursor

    # -- opening ------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """See that nothing is lost, bring the file up to date, and lock its configuration."""
        execute = self._connection.execute
        try:
            execute("PRAGMA disable_checkpoint_on_shutdown")  # a refused file stays as it was found
            there = execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'events'").fetchall()
            self._refuse_loss(execute("SELECT max(sequence) FROM events").fetchall()[0][0] or 0 if there else 0)
            migrate(execute, self.path)
            execute("PRAGMA enable_checkpoint_on_shutdown")
            execute("SET lock_configuration = true")
        except duckdb.Error as error:
            problem = f"{self.path} cannot be read or brought up to date, and stays as it was: {_first_line(error)}"
            raise StorageError(problem, _DAMAGED if _corrupt(error) else _NOT_SAVED) from error
        with disk_errors(self.path):
            fsync_folder(self.path.parent)

    def _refuse_loss(self, sequence: int) -> None:
        if sequence < self._mark.sequence:
            problem = f"{self.path} ends at judgement {sequence}, but {self._mark.sequence} were acknowledged"
            raise StorageError(problem, _LOST.format(self._mark.path))


_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "enable_external_access": False,
    "threads": 1,  # a grade is too small to be shared out, and the machine's cores are busy with searches
    "TimeZone": "UTC",
}
_REFUSED = "grades are 0 to 3, texts are valid Unicode"
_NOT_SAVED = "see that the disk has room and can be written, then try again; what was acknowledged before is safe"
_DAMAGED = "move it away with the .wal and .mark beside it, and restore a snapshot or backup"
_LOST = f"{_DAMAGED}; or delete {{}} to go on with what is left"


def read_file(path: Path) -> pa.Table:
    """Every event of a file that nobody has open, with the columns it has; whatever its version, it stays as it is."""
    _refuse_open(path)
    acknowledged, connection = Mark(path).sequence, _connect(path, read_only=True)
    try:
        events = connection.sql("SELECT * FROM events ORDER BY sequence").to_arrow_table()
    except duckdb.Error as error:
        raise StorageError(f"{path} cannot be read: {_first_line(error)}", _DAMAGED) from error
    finally:
        connection.close()
    last = events.column("sequence")[-1].as_py() if events.num_rows else 0
    if last < acknowledged:
        problem = f"{path} ends at judgement {last}, but {acknowledged} were acknowledged"
        raise StorageError(problem, "use another backup or snapshot")
    return events


def _refuse_open(path: Path) -> None:
    if path.resolve() in _OPEN:
        raise StorageError(f"{path} is open in this process already", "use the store that is open")


def _connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(str(path), read_only=read_only, config=_CONFIG)
    except duckdb.Error as error:
        if "Could not set lock" in str(error):
            remedy = "stop the other mdr process, set MDR_HOME to another folder, or read its exports and snapshots"
            raise InUseError(f"another process has {path} open", remedy) from error
        if _corrupt(error):
            problem, remedy = f"{path} is damaged: {_first_line(error)}", _DAMAGED
        elif isinstance(error, duckdb.IOException):
            problem = f"cannot open {path}: {_first_line(error)}"
            remedy = f"see that the disk can be written; if the file itself is broken, {_DAMAGED}"
        else:
            problem, remedy = f"{path} is not a judgement file: {_first_line(error)}", _DAMAGED
        raise StorageError(problem, remedy) from error


def _corrupt(error: duckdb.Error) -> bool:
    return "corrupt" in str(error).lower()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
