"""What judges say of passages now, by query and passage: every judge once, by the latest grade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mdr.storage.judgement_events import JudgementEvent
from mdr.storage.judgements import JudgementStore


class Standing(NamedTuple):
    """By query and passage: the grade of each judge, what was adjudicated, and the events that say so."""

    grades: Mapping[tuple[str, str], Mapping[str, int]]
    adjudicated: Mapping[tuple[str, str], int]
    events: Mapping[tuple[str, str], list[JudgementEvent]]


def standing(store: JudgementStore, collection: str, campaign: str | None = None) -> Standing:
    """What holds in one campaign or all."""
    grades: dict[tuple[str, str], dict[str, int]] = {}
    adjudicated: dict[tuple[str, str], int] = {}
    events: dict[tuple[str, str], list[JudgementEvent]] = {}
    for event in store.current("judgements", collection, campaign=campaign):
        if event.grade is not None:
            grades.setdefault((event.query, event.passage), {})[event.annotator] = event.grade
            events.setdefault((event.query, event.passage), []).append(event)
    for event in store.current("adjudications", collection, campaign=campaign):
        if event.grade is not None:
            adjudicated[event.query, event.passage] = event.grade
            events.setdefault((event.query, event.passage), []).append(event)
    return Standing(grades, adjudicated, events)
