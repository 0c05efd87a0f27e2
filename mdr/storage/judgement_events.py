"""What a judgement event is: its kinds, its fields, and when two of them say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal, TypeAlias, get_args

import pyarrow as pa

Action: TypeAlias = Literal["grade", "withdraw", "skip", "cannot-judge", "note", "adjudicate"]
Ability: TypeAlias = Literal["native", "partial", "translation", "alignment"]
"""How a judge could read the passage: as a native, partly, through a twin or translation, by aligned words only."""

ABILITIES: tuple[str, ...] = get_args(Ability)


@dataclass(frozen=True, slots=True)
class JudgementEvent:
    """Something a judge did about a passage for a query. None: not said, or not known."""

    event: str
    """Made by the client: a retry is the same event."""
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
    """The place at which the passage was shown to the judge."""
    engine: str | None = None
    campaign: str = ""
    undoes: str | None = None
    """On a withdraw: the one event that is taken back, so that what was before it holds again. Without it a withdraw
    says that the judge has no grade here."""
    note: str | None = None
    """What a note says, or why something cannot be judged."""
    ability: str | None = None
    seconds: float | None = None
    """Spent on it by the judge."""
    evidence: bool | None = None
    """Whether the judge saw scores and ranks."""
    inclusion: float | None = None
    """The probability with which this passage was drawn for judging."""
    index_fingerprint: str | None = None
    model_fingerprint: str | None = None

    @property
    def said(self) -> tuple[Any, ...]:
        """What was said, without the circumstances: two events of one id must agree on it."""
        told: tuple[Any, ...] = _SAID(self)
        return told


COLUMNS = tuple(field.name for field in fields(JudgementEvent))
SAID = ("action", "annotator", "collection", "campaign", "query", "passage", "grade", "undoes", "note")
_SAID = attrgetter(*SAID)
row_of = attrgetter(*COLUMNS)
"""The values of an event, in the order of `COLUMNS`."""

_TYPES = {
    "happened": pa.timestamp("us", "UTC"),
    "grade": pa.int32(),
    "rank": pa.int32(),
    "seconds": pa.float64(),
    "evidence": pa.bool_(),
    "inclusion": pa.float64(),
    "sequence": pa.int64(),
}
SCHEMA = pa.schema([(name, _TYPES.get(name, pa.string())) for name in (*COLUMNS, "sequence")])
"""Events as a table; `sequence` orders them."""
LATER = frozenset(COLUMNS[COLUMNS.index("campaign") :])
"""Columns that older files lack."""


def table_of(events: Sequence[JudgementEvent]) -> pa.Table:
    """Events as a table, in this order."""
    rows = [(*row_of(event), place) for place, event in enumerate(events, 1)]
    columns = zip(*rows, strict=True) if rows else [[] for _ in SCHEMA]
    arrays = [pa.array(values, type=field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
