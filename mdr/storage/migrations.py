"""The judgement file's shape, one numbered step at a time; each runs once, in one transaction.

To change the shape, add a function at the end. Released steps never change.
"""

from __future__ import annotations

from collections.abc import Callable

Execute = Callable[[str], object]
MIGRATIONS: list[Callable[[Execute], None]] = []


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
