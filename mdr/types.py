"""The words of the project, one each, as plain values. Imports nothing of the project.

passage     a text that can be found; has an id, a language, a title and possibly twins in other languages
query       a text that asks; has an id and a language
hit         one passage in a ranking, with its score; its rank is its place
ranking     the hits for one query, best first, ties broken by passage id
run         the rankings of one system for many queries
grade       how well a passage answers a query: 0 not at all … 3 perfectly
qrels       grades by query and passage
judgement   a grade given by an annotator at a moment, with its circumstances
annotator   a person (or model) who judges
campaign    what is to be judged, by whom and in which order: a pool of items with rules; never changes
item        one query and passage of a campaign
pair        a query and a passage used for training, with its origin
negative    a passage that a training pair says does not answer
recipe      a sequence of stages with settings
artefact    what a stage made: a folder with a manifest
event       what a running stage says of its progress
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

Role: TypeAlias = Literal["query", "passage"]
"""Encoders may treat the two sides differently (prefixes, lengths)."""


class Passage(NamedTuple):
    """A text that can be found. Passages with the same `twin` say the same in different languages."""

    id: str
    lang: str
    title: str
    text: str
    twin: str = ""

    @property
    def full_text(self) -> str:
        """What every engine reads: title and text as one."""
        return f"{self.title}\n{self.text}" if self.title else self.text


class Query(NamedTuple):
    """A text that asks."""

    id: str
    lang: str
    text: str


class Hit(NamedTuple):
    """One passage in a ranking; its rank is its place there, from 1."""

    id: str
    score: float


Ranking: TypeAlias = Sequence[Hit]
Run: TypeAlias = Mapping[str, Ranking]
Qrels: TypeAlias = Mapping[str, Mapping[str, int]]


class Term(NamedTuple):
    """One analysed query term found in a passage: its BM25 weight there and where it stands in `full_text`."""

    term: str
    weight: float
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Event:
    """What a running stage says. `done` of `total` counted in `unit`; `total` 0 when unknown."""

    stage: str
    kind: Literal["started", "progress", "note", "warning", "reused", "finished"]
    message: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
