"""Likelihoods that were computed once, in a file: scoring is the dearest thing that this project does.

Kept by content: whose weights and prompt, which query in which language, which passage's text. Ids and names do not
count, so a score serves in every round, run and collection where the same texts meet. Several processes may use one
file, and what a call of `put` wrote is there after a crash.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock

from mdr.errors import StorageError
from mdr.storage.files import disk_errors
from mdr.types import Passage, Query

_ASKED_AT_ONCE = 500
_PATIENCE = 60.0
"""Seconds to wait for another process that writes."""


def likelihood_key(fingerprint: str, query: Query, passage: Passage) -> bytes:
    """What a likelihood is kept by."""
    parts = (fingerprint, query.lang, query.text, passage.full_text)
    return hashlib.sha256(repr(parts).encode()).digest()[:16]


class LikelihoodFile:
    """Open it in as many threads and processes as you like."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with self._refusals():
            self._connection = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)
        try:
            with self._refusals():
                self._connection.execute("PRAGMA journal_mode = WAL")  # readers and a writer do not wait for each other
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS likelihoods (key BLOB PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID"
                )
        except StorageError:
            self._connection.close()
            raise

    def get(self, keys: Sequence[bytes]) -> dict[bytes, float]:
        """The likelihoods that are known."""
        found: dict[bytes, float] = {}
        with self._lock, self._refusals():
            for start in range(0, len(keys), _ASKED_AT_ONCE):
                asked = keys[start : start + _ASKED_AT_ONCE]
                marks = ",".join("?" * len(asked))
                found.update(
                    self._connection.execute(f"SELECT key, value FROM likelihoods WHERE key IN ({marks})", asked)
                )
        return found

    def put(self, values: Mapping[bytes, float]) -> None:
        """Keep likelihoods: all of them or, where this fails, none."""
        with self._lock, self._refusals(), closing(self._connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                cursor.executemany("INSERT OR REPLACE INTO likelihoods VALUES (?, ?)", values.items())
                cursor.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has ended it already
                    cursor.execute("ROLLBACK")
                raise

    def __len__(self) -> int:
        with self._lock, self._refusals():
            return int(self._connection.execute("SELECT count(*) FROM likelihoods").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StorageError(
                f"{self.path} cannot be used: {error}",
                "check the disk and its rights, and that no other process holds the file; then run again: it continues",
            ) from error
        except sqlite3.Error as error:
            raise StorageError(
                f"{self.path} is not a file of likelihoods: {error}", "delete it: what it held is computed again"
            ) from error
