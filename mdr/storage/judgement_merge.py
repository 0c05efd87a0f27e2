"""Getting events into the judgement file: those that are new, in their order, after what is there.

All run inside a transaction of the caller's; a cursor is DuckDB's, named here by nothing but its use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from mdr.errors import InputError, MdrError
from mdr.storage.judgement_events import COLUMNS, SAID, JudgementEvent, row_of

_NAMES = ", ".join(COLUMNS)
_KEY = "annotator, collection, campaign, query, passage"
_ADD = f"INSERT INTO events ({_NAMES}, sequence)"
_MERGE = f"{_ADD} SELECT {_NAMES}, sequence FROM incoming ON CONFLICT (event) DO NOTHING RETURNING event, sequence"
_ROW = f"({', '.join('?' * (len(COLUMNS) + 1))})"
_AT_ONCE = 8
"""Rows of one statement: few events are planned faster as values than as a table, many are not."""
_CLASHES = f"""
    SELECT DISTINCT incoming.event FROM incoming JOIN events USING (event)
    WHERE {" OR ".join(f"incoming.{name} IS DISTINCT FROM events.{name}" for name in SAID)} ORDER BY 1
"""
_CHANGED = f"""
    SELECT {_KEY}, earlier.grade, judgements.grade FROM earlier LEFT JOIN judgements USING ({_KEY})
    WHERE earlier.grade IS DISTINCT FROM judgements.grade ORDER BY ALL
"""


class Changed(NamedTuple):
    """A judge's grade that a merge replaced; now None: taken back."""

    annotator: str
    collection: str
    campaign: str
    query: str
    passage: str
    was: int
    now: int | None


class Merged(NamedTuple):
    """What a merge did: events added, events that were here, ids that say something else here (ours are kept), and
    grades of a judge that read differently now."""

    added: int
    known: int
    clashes: Sequence[str] = ()
    changed: Sequence[Changed] = ()


def add(cursor: Any, events: Sequence[JudgementEvent], last: int) -> tuple[list[bool | MdrError], int]:
    """Insert what is new, after the `last` sequence number; what was there already is a retry, or another judgement
    under its id. And how far the sequence has come."""
    ids = list({event.event: None for event in events})
    marks = ", ".join("?" * len(ids))
    found = cursor.execute(f"SELECT {_NAMES} FROM events WHERE event IN ({marks})", ids).fetchall()
    known = {row[0]: JudgementEvent(*row) for row in found}
    outcomes: list[bool | MdrError] = []
    rows: list[tuple[Any, ...]] = []
    for event in events:
        earlier = known.get(event.event)
        if earlier is None:
            known[event.event] = event
            rows.append((*row_of(event), last + len(rows) + 1))
            outcomes.append(True)
        elif earlier.said == event.said:
            outcomes.append(False)
        else:
            problem = f"event {event.event!r} is another judgement already"
            outcomes.append(InputError(problem, "give every judgement an id of its own"))
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        cursor.execute(f"{_ADD} VALUES {', '.join([_ROW] * len(some))}", [value for row in some for value in row])
    return outcomes, last + len(rows)


def merge(cursor: Any, events: pa.Table, last: int) -> tuple[Merged, int]:
    """Add the events of another store, and say what became of them; and how far the sequence has come."""
    earlier = cursor.sql(f"SELECT {_KEY}, grade FROM judgements").to_arrow_table()
    place = events.column_names.index("sequence")
    numbers = pa.array(np.arange(last + 1, last + 1 + events.num_rows), type=pa.int64())
    cursor.register("incoming", events.sort_by("sequence").set_column(place, "sequence", numbers))
    added = dict(cursor.execute(_MERGE).fetchall())
    clashes = [id for (id,) in cursor.execute(_CLASHES).fetchall()]
    cursor.register("earlier", earlier)
    changed = [Changed(*row) for row in cursor.execute(_CHANGED).fetchall()]
    known = events.num_rows - len(added) - len(clashes)
    return Merged(len(added), known, clashes, changed), max(added.values(), default=last)
