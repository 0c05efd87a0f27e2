"""The judgement file. The only module that knows DuckDB.

Events are appended and never changed; the current state is a view. One process owns the file; within it every
thread reads through a cursor of its own and one lock orders the writes. A call that returns has been committed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from mdr.errors import StorageError
from mdr.storage.files import disk_errors
from mdr.storage.migrations import MIGRATIONS


@dataclass(frozen=True)
class JudgementEvent:
    """Something a person did: gave a grade, or took it back."""

    event: str
    happened: datetime
    action: str
    annotator: str
    collection: str
    query: str
    query_lang: str
    query_text: str
    passage: str
    passage_lang: str
    grade: int | None = None
    rank: int | None = None
    engine: str | None = None


_COLUMNS = [field.name for field in fields(JudgementEvent)]
_REFUSALS = (duckdb.ConstraintException, duckdb.ConversionException, duckdb.InvalidInputException)


class JudgementStore:
    """Open it once per process; close it, or leave it to the end of the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._write = threading.Lock()
        self._local = threading.local()
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = duckdb.connect(
                str(path),
                config={"autoinstall_known_extensions": "false", "enable_external_access": "false"},
            )
        except duckdb.IOException as error:
            if "Could not set lock" in str(error):
                raise StorageError(
                    f"another process has {path} open", "stop the other mdr process, or set MDR_HOME to another folder"
                ) from error
            raise StorageError(
                f"cannot open {path}: {_first_line(error)}", "check the disk, or restore a backup"
            ) from error
        except duckdb.Error as error:
            raise StorageError(
                f"{path} is not a judgement file: {_first_line(error)}", "move it away, or restore a backup"
            ) from error
        try:
            self._migrate()
        except BaseException:
            self._connection.close()  # or this process would go on holding a file that it cannot use
            raise
        self._sequence = int(self._rows("SELECT coalesce(max(sequence), 0) FROM events")[0][0])

    def append(self, event: JudgementEvent) -> bool:
        """Commit an event. False: this very event was there already, and nothing was added."""
        marks = ", ".join("?" for _ in range(len(_COLUMNS) + 1))
        sql = f"INSERT INTO events ({', '.join(_COLUMNS)}, sequence) VALUES ({marks})"
        with self._write:
            try:
                if self._rows("SELECT 1 FROM events WHERE event = ?", [event.event]):
                    return False
                self._cursor().execute(sql, [*asdict(event).values(), self._sequence + 1])
            except _REFUSALS as error:
                raise StorageError(
                    f"the judgement was refused: {_first_line(error)}", "grades are 0 to 3, texts are valid Unicode"
                ) from error
            except duckdb.Error as error:
                raise StorageError(
                    f"the judgement was not saved: {_first_line(error)}", "free some disk space, then grade again"
                ) from error
            self._sequence += 1
        return True

    def judgements(
        self, collection: str, annotator: str | None = None, query: str | None = None
    ) -> list[JudgementEvent]:
        """The grades that count now: of everyone or one person, for all queries or one."""
        return self._events("judgements", collection, annotator, query)

    def history(self, collection: str, annotator: str | None = None) -> list[JudgementEvent]:
        """Everything that ever happened, in order."""
        return self._events("events", collection, annotator)

    def count(self) -> int:
        """How many events there are."""
        return int(self._rows("SELECT count(*) FROM events")[0][0])

    def close(self) -> None:
        """Checkpoint and let another process have the file."""
        with self._write:
            self._connection.close()

    def _events(
        self, table: str, collection: str, annotator: str | None, query: str | None = None
    ) -> list[JudgementEvent]:
        wanted = {"collection": collection, "annotator": annotator, "query": query}
        given = {column: value for column, value in wanted.items() if value is not None}
        where = " AND ".join(f"{column} = ?" for column in given)
        sql = f"SELECT {', '.join(_COLUMNS)} FROM {table} WHERE {where} ORDER BY sequence"
        rows = self._rows(sql, list(given.values()))
        return [JudgementEvent(*row) for row in rows]

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        if not hasattr(self._local, "cursor"):
            self._local.cursor = self._connection.cursor()
        cursor: duckdb.DuckDBPyConnection = self._local.cursor
        return cursor

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._cursor().execute(sql, list(values)).fetchall()

    def _migrate(self) -> None:
        cursor = self._cursor()
        cursor.execute("CREATE TABLE IF NOT EXISTS migrations (name VARCHAR PRIMARY KEY, applied TIMESTAMPTZ)")
        applied = {name for (name,) in self._rows("SELECT name FROM migrations")}
        known = [migration.__name__ for migration in MIGRATIONS]
        if unknown := applied - set(known):
            raise StorageError(
                f"{self.path} was made by a newer mdr (it has {', '.join(sorted(unknown))})", "update mdr"
            )
        for migration in MIGRATIONS:
            if migration.__name__ not in applied:
                cursor.execute("BEGIN")
                try:
                    migration(cursor.execute)
                    cursor.execute("INSERT INTO migrations VALUES (?, now())", [migration.__name__])
                    cursor.execute("COMMIT")
                except BaseException:
                    cursor.execute("ROLLBACK")
                    raise


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
