"""Accounts, invitations, sessions and failed attempts to sign in: a small file beside the judgements, never exported.

Tokens are kept as hashes, passwords as what argon2 makes of them: who reads the file can sign in as nobody. Several
processes may use it, so that the command line can add people while the app runs.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from mdr.errors import StorageError
from mdr.storage.files import disk_errors

MIGRATIONS = (
    """
    CREATE TABLE accounts (
        key      TEXT PRIMARY KEY,  -- the name, folded: no two people look alike
        name     TEXT NOT NULL,
        role     TEXT NOT NULL,
        password TEXT,              -- none: signs in elsewhere
        made     REAL NOT NULL,
        closed   INTEGER NOT NULL DEFAULT 0  -- a closed account keeps its name: its judgements stay somebody's
    ) WITHOUT ROWID;
    CREATE TABLE invites (
        token   BLOB PRIMARY KEY,
        role    TEXT NOT NULL,
        made_by TEXT NOT NULL,
        expires REAL NOT NULL,
        used_by TEXT
    ) WITHOUT ROWID;
    CREATE TABLE sessions (
        token   BLOB PRIMARY KEY,
        key     TEXT NOT NULL,
        expires REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX sessions_key ON sessions (key);
    CREATE TABLE attempts (whose TEXT NOT NULL, happened REAL NOT NULL);
    CREATE INDEX attempts_whose ON attempts (whose, happened);
    """,
)
"""The file's shape, one step at a time. To change it, add a step at the end; released steps never change."""
_PATIENCE = 10.0
"""Seconds to wait for another process that writes."""
_FIELDS = "accounts.key, name, role, password, made, closed"


class Account(NamedTuple):
    """Somebody who can sign in."""

    key: str
    name: str
    role: str
    password: str | None
    made: float
    closed: bool = False


class AccountFile:
    """Open it in as many threads and processes as you like."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock, self._reading = Lock(), Lock()
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # what it makes beside it has the same rights
        # A session is looked up for every request: reading has a connection of its own, and waits for no writer.
        self._connection, self._reader = self._connect(), self._connect()
        try:
            with self._refusals():
                self._connection.execute("PRAGMA journal_mode = WAL")
            self._migrate()
        except StorageError:
            self.close()
            raise

    # -- accounts -----------------------------------------------------------------------------------------

    def add(self, account: Account) -> bool:
        """Keep a new account. False: its name is taken."""
        return bool(self._write("INSERT OR IGNORE INTO accounts VALUES (?, ?, ?, ?, ?, ?)", account))

    def find(self, key: str) -> Account | None:
        """The account with a folded name, closed or not."""
        return self._account(f"SELECT {_FIELDS} FROM accounts WHERE key = ?", (key,))

    def everyone(self) -> list[Account]:
        """All accounts, by name."""
        return [_account(row) for row in self._rows(f"SELECT {_FIELDS} FROM accounts ORDER BY key")]

    def set_role(self, key: str, role: str) -> None:
        """From the next request on."""
        self._write("UPDATE accounts SET role = ? WHERE key = ?", (role, key))

    def set_password(self, key: str, password: str) -> None:
        """A new one; whoever is signed in with the old one no longer is."""
        with self._transaction() as execute:
            execute("UPDATE accounts SET password = ? WHERE key = ?", (password, key))
            execute("DELETE FROM sessions WHERE key = ?", (key,))

    def close_account(self, key: str) -> None:
        """Nobody signs in with it again."""
        with self._transaction() as execute:
            execute("UPDATE accounts SET closed = 1, password = NULL WHERE key = ?", (key,))
            execute("DELETE FROM sessions WHERE key = ?", (key,))

    # -- invitations --------------------------------------------------------------------------------------

    def invite(self, token: bytes, role: str, made_by: str, expires: float) -> None:
        """Keep an invitation."""
        self._write("INSERT INTO invites VALUES (?, ?, ?, ?, NULL)", (token, role, made_by, expires))

    def invited(self, token: bytes, now: float) -> str | None:
        """The role of an invitation that still holds."""
        rows = self._rows(
            "SELECT role FROM invites WHERE token = ? AND used_by IS NULL AND expires > ?", (token, now)
        )
        return rows[0][0] if rows else None

    def accept(self, token: bytes, account: Account) -> bool:
        """Use an invitation up for a new account, both or neither. False: the name is taken or it holds no longer."""
        with self._transaction() as execute:
            used = execute(
                "UPDATE invites SET used_by = ? WHERE token = ? AND used_by IS NULL AND expires > ? "
                "AND NOT EXISTS (SELECT 1 FROM accounts WHERE key = ?)",
                (account.name, token, account.made, account.key),
            ).rowcount
            if used:
                execute("INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?)", account)
        return bool(used)

    # -- sessions -----------------------------------------------------------------------------------------

    def open_session(self, token: bytes, key: str, expires: float, now: float) -> None:
        """Keep a session, and forget those that have ended."""
        with self._transaction() as execute:
            execute("DELETE FROM sessions WHERE expires <= ?", (now,))
            execute("INSERT INTO sessions VALUES (?, ?, ?)", (token, key, expires))

    def session(self, token: bytes, now: float) -> Account | None:
        """Whose session it is, if it still is one."""
        return self._account(
            f"SELECT {_FIELDS} FROM sessions JOIN accounts USING (key) WHERE token = ? AND expires > ? AND NOT closed",
            (token, now),
        )

    def close_session(self, token: bytes) -> None:
        """Sign out."""
        self._write("DELETE FROM sessions WHERE token = ?", (token,))

    # -- attempts -----------------------------------------------------------------------------------------

    def attempt(self, whose: Sequence[str], now: float, window: float) -> list[tuple[int, float]]:
        """Note an attempt under each name, and say how many there were in the window before, and when the first."""
        counts = []
        with self._transaction() as execute:
            execute("DELETE FROM attempts WHERE happened <= ?", (now - window,))
            for name in whose:
                row = execute("SELECT count(*), min(happened) FROM attempts WHERE whose = ?", (name,)).fetchone()
                counts.append((int(row[0]), float(row[1] or now)))
                execute("INSERT INTO attempts VALUES (?, ?)", (name, now))
        return counts

    def succeeded(self, whose: Sequence[str], now: float) -> None:
        """The attempt of this moment was none of a stranger."""
        with self._transaction() as execute:
            for name in whose:
                execute("DELETE FROM attempts WHERE whose = ? AND happened = ?", (name, now))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, self._reading:
            self._connection.close()
            self._reader.close()

    # -- below --------------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        with self._refusals():
            return sqlite3.connect(self.path, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)

    def _migrate(self) -> None:
        with self._transaction() as execute:  # of two processes that open a new file, one waits here
            done = int(execute("PRAGMA user_version").fetchone()[0])
            if done > len(MIGRATIONS):
                raise StorageError(f"{self.path} was made by a newer mdr", "update mdr")
            for step in MIGRATIONS[done:]:
                for statement in filter(str.strip, step.split(";\n")):
                    execute(statement)
            execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def _account(self, sql: str, values: Sequence[Any]) -> Account | None:
        rows = self._rows(sql, values)
        return _account(rows[0]) if rows else None

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._reading, self._refusals():
            return self._reader.execute(sql, values).fetchall()

    def _write(self, sql: str, values: Sequence[Any]) -> int:
        with self._transaction() as execute:
            return int(execute(sql, values).rowcount)

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._lock, self._refusals():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            remedy = "see that the disk has room and can be written, then try again"
            raise StorageError(f"{self.path} cannot be used: {error}", remedy) from error
        except sqlite3.DatabaseError as error:
            remedy = "restore it from a backup, or delete it and invite everybody anew"
            raise StorageError(f"{self.path} is not a file of accounts: {error}", remedy) from error


def _account(row: Sequence[Any]) -> Account:
    key, name, role, password, made, closed = row
    return Account(key, name, role, password, made, bool(closed))
