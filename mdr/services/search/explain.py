"""Why a passage was found, and help to read it: words that go together, a version in a language the reader knows, what
a generator thinks of the pair, and the nearest question that the same person has judged. No translation service.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mdr.core.alignment import Link, align
from mdr.core.languages import code_of
from mdr.errors import MissingError, UnavailableError
from mdr.ports import DenseRetriever, Generator, Matrix, Tokens
from mdr.services.judging.service import JudgingService, query_id
from mdr.storage.collection import Collection
from mdr.storage.judgement_events import JudgementEvent
from mdr.types import Passage, Query, Role

ALIGNED = 4_000
"""Characters of a passage whose words are linked."""
COMPARED = 48
"""Passages of its language that a likelihood is compared with."""
_REMEMBERED = 500
"""Judged questions that are looked through: the latest."""


class Alignment(NamedTuple):
    """The words that go together; `text` is as much of the passage as was read. `trouble`: why meaning is missing."""

    text: str
    links: Sequence[Link]
    trouble: str = ""


class Reading(NamedTuple):
    """A passage that helps to read another: the same in another language, or else the nearest in meaning there."""

    passage: Passage
    same: bool


class Likelihood(NamedTuple):
    """The query is likelier given the passage than given this share of `compared` passages in the same language."""

    share: float
    compared: int


@dataclass(frozen=True)
class Example:
    """Something the same person has judged: a question like this one, and the judged passage nearest to this."""

    query: Query
    passage: Passage
    grade: int
    similarity: float


class ExplainService:
    """Over one collection and one encoder; the rest is asked for when it is needed."""

    def __init__(
        self,
        name: str,
        collection: Collection,
        dense: DenseRetriever,
        judging: Callable[[], JudgingService],
        generator: Callable[[], Generator | None],
    ) -> None:
        self._name, self._collection, self._dense = name, collection, dense
        self._judging, self._generator = judging, generator

    def alignment(self, query: Query, passage: Passage) -> Alignment:
        """Which words of both go together, by the encoder's own token vectors."""
        from mdr.engines.segment import words

        text = passage.full_text[:ALIGNED]
        asked, said = list(words(query.text, query.lang)), list(words(text, passage.lang))
        trouble = ""
        try:
            asks, says = self._dense.encoder.tokens(query.text, "query"), self._dense.encoder.tokens(text, "passage")
        except UnavailableError as error:
            asks = says = Tokens(np.zeros((0, 0), dtype=np.float32), ())
            trouble = error.problem
        return Alignment(text, align(query.text, asked, said, asks, says), trouble)

    def reading(self, passage: Passage, lang: str) -> Reading:
        """The passage in another language where there is such a version; otherwise the nearest passage there."""
        lang = code_of(lang)
        if lang not in self._collection.languages:
            have = ", ".join(self._collection.languages)
            raise MissingError(f"this collection has no passage in {lang}", f"it has {have}")
        for position in self._collection.twins.get(passage.twin, ()) if passage.twin else ():
            twin = self._collection.at(position)
            if twin.lang == lang and twin.id != passage.id:
                return Reading(twin, True)
        nearest = [hit.id for hit in self._dense.like(passage, 2, langs=[lang]) if hit.id != passage.id]
        if not nearest:
            raise MissingError(f"there is no other passage in {lang}", "choose another language")
        return Reading(self._collection.passage(nearest[0]), False)

    def likelihood(self, query: Query, passage: Passage) -> Likelihood | None:
        """Whether a generator would ask this of this passage rather than of others in its language; None: there is no
        generator, or nothing to compare with."""
        generator = self._generator()
        others = np.flatnonzero(self._collection.langs == passage.lang)
        others = others[others != self._collection.positions[passage.id]]
        if generator is None or not len(others):
            return None
        # Spread over the collection, and the same ones for every query: what was scored once is not scored again.
        chosen = others[np.linspace(0, len(others) - 1, min(COMPARED, len(others))).astype(int)]
        passages = [passage, *(self._collection.at(int(position)) for position in chosen)]
        asked = query._replace(lang=query.lang or passage.lang)
        own, *rest = generator.log_likelihood([asked] * len(passages), passages)
        return Likelihood(float(np.mean([own > other for other in rest])), len(rest))

    def example(self, query: Query, passage: Passage, annotator: str) -> Example | None:
        """The nearest question that this person has judged here; of its passages, the one nearest to this."""
        if not annotator:
            return None
        asked: dict[str, list[JudgementEvent]] = {}
        for event in reversed(self._judging().store.current("judgements", self._name, annotator=annotator)):
            if event.grade is not None and event.passage in self._collection.positions:
                asked.setdefault(event.query, []).append(event)
        asked.pop(query.id or query_id(query), None)
        judged = [events for _, events in zip(range(_REMEMBERED), asked.values(), strict=False)]
        if not judged:
            return None
        alike = self._cosines(query.text, [events[0].query_text for events in judged], "query")
        nearest = judged[int(np.argmax(alike))]
        passages = [self._collection.passage(event.passage) for event in nearest]
        place = int(np.argmax(self._cosines(passage.full_text, [each.full_text for each in passages], "passage")))
        event = nearest[place]
        before = Query(event.query, event.query_lang, event.query_text)
        return Example(before, passages[place], event.grade or 0, float(alike.max()))

    def _cosines(self, one: str, others: Sequence[str], role: Role) -> Matrix:
        vectors = self._dense.encoder.encode([one, *others], role)
        lengths = np.linalg.norm(vectors, axis=1)
        vectors /= np.where(lengths > 0, lengths, 1)[:, None]
        return np.asarray(vectors[1:] @ vectors[0])
