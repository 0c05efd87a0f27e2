"""The judgement file's shape, one numbered step at a time; each runs once, in one transaction.

To change the shape, add a function at the end. Released steps never change.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mdr.errors import StorageError

Execute = Callable[..., Any]
MIGRATIONS: list[Callable[[Execute], None]] = []


def migrate(execute: Execute, path: Path) -> None:
    """Carry out the steps that a file has not seen."""
    execute("CREATE TABLE IF NOT EXISTS migrations (name VARCHAR PRIMARY KEY, applied TIMESTAMPTZ)")
    applied = {name for (name,) in execute("SELECT name FROM migrations").fetchall()}
    known = [migration.__name__ for migration in MIGRATIONS]
    if unknown := applied - set(known):
        raise StorageError(f"{path} was made by a newer mdr (it has {', '.join(sorted(unknown))})", "update mdr")
    for migration in MIGRATIONS:
        if migration.__name__ not in applied:
            execute("BEGIN")
            try:
                migration(execute)
                execute("INSERT INTO migrations VALUES (?, now())", [migration.__name__])
                execute("COMMIT")
            except BaseException:
                with suppress(Exception):  # a failed commit has ended the transaction
                    execute("ROLLBACK")
                raise


@MIGRATIONS.append
def m001_events(execute: Execute) -> None:
    """Append-only events, and the current grades as a view of them.

    A withdrawn grade is an event of its own: the latest event of a person on a query and passage is what counts.
    """
    execute(
        """
        CREATE TABLE events (
            event        VARCHAR PRIMARY KEY,  -- made by the client: a retry is the same event
            sequence     BIGINT NOT NULL,
            happened     TIMESTAMPTZ NOT NULL,
            action       VARCHAR NOT NULL CHECK (action IN ('grade', 'withdraw')),
            annotator    VARCHAR NOT NULL,
            collection   VARCHAR NOT NULL,
            query        VARCHAR NOT NULL,
            query_lang   VARCHAR NOT NULL,
            query_text   VARCHAR NOT NULL,
            passage      VARCHAR NOT NULL,
            passage_lang VARCHAR NOT NULL,
            grade        INTEGER CHECK (grade BETWEEN 0 AND 3),
            rank         INTEGER,
            engine       VARCHAR,
            CHECK ((action = 'grade') = (grade IS NOT NULL))
        )
        """
    )
    execute(
        """
        CREATE VIEW judgements AS
        SELECT * FROM (
            SELECT * FROM events
            QUALIFY row_number() OVER (PARTITION BY annotator, collection, query, passage ORDER BY sequence DESC) = 1
        ) WHERE action = 'grade'
        """
    )


@MIGRATIONS.append
def m002_campaigns(execute: Execute) -> None:
    """All that judges do, its circumstances, and undoing; the table is made anew, since checks cannot be changed.

    An event that a withdraw names no longer counts, nor does that withdraw: what was before them holds again.
    """
    execute("DROP VIEW judgements")
    execute("ALTER TABLE events RENAME TO events_001")
    execute(
        """
        CREATE TABLE events (
            event             VARCHAR PRIMARY KEY,
            sequence          BIGINT NOT NULL UNIQUE,
            happened          TIMESTAMPTZ NOT NULL,
            action            VARCHAR NOT NULL
                              CHECK (action IN ('grade', 'withdraw', 'skip', 'cannot-judge', 'note', 'adjudicate')),
            annotator         VARCHAR NOT NULL,
            collection        VARCHAR NOT NULL,
            query             VARCHAR NOT NULL,
            query_lang        VARCHAR NOT NULL,
            query_text        VARCHAR NOT NULL,
            passage           VARCHAR NOT NULL,
            passage_lang      VARCHAR NOT NULL,
            grade             INTEGER CHECK (grade BETWEEN 0 AND 3),
            rank              INTEGER,
            engine            VARCHAR,
            campaign          VARCHAR NOT NULL,
            undoes            VARCHAR,
            note              VARCHAR,
            ability           VARCHAR CHECK (ability IN ('native', 'partial', 'translation', 'alignment')),
            seconds           DOUBLE CHECK (seconds >= 0 AND isfinite(seconds)),
            evidence          BOOLEAN,
            inclusion         DOUBLE CHECK (inclusion > 0 AND inclusion <= 1),
            index_fingerprint VARCHAR,
            model_fingerprint VARCHAR,
            CHECK ((action IN ('grade', 'adjudicate')) = (grade IS NOT NULL)),
            CHECK (undoes IS NULL OR action = 'withdraw'),
            CHECK (action <> 'note' OR note IS NOT NULL)
        )
        """
    )
    execute("INSERT INTO events BY NAME SELECT *, '' AS campaign FROM events_001")
    execute("DROP TABLE events_001")
    execute(
        """
        CREATE VIEW effective AS
        SELECT * FROM events AS it
        WHERE undoes IS NULL
          AND NOT EXISTS (FROM events AS later WHERE later.undoes = it.event AND later.annotator = it.annotator)
        """
    )
    latest = """
        CREATE VIEW {name} AS
        SELECT * FROM (
            SELECT * FROM effective WHERE action IN ({actions})
            QUALIFY row_number() OVER (
                PARTITION BY {whose}collection, campaign, query, passage ORDER BY sequence DESC
            ) = 1
        ) WHERE action <> 'withdraw'
        """
    own = "annotator, "
    execute(latest.format(name="standing", actions="'grade', 'withdraw', 'skip', 'cannot-judge'", whose=own))
    execute("CREATE VIEW judgements AS SELECT * FROM standing WHERE action = 'grade'")
    execute(latest.format(name="notes", actions="'note'", whose=own))
    execute(latest.format(name="adjudications", actions="'adjudicate'", whose=""))
