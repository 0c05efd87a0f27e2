"""Written questions through the filters, cheapest first: their texts, their likelihood, what they find.

The rules are in `core.filters`. Every question keeps what was measured of it, and which rules it passed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mdr.core.filters import (
    AGAIN,
    LOST,
    SHARED,
    UNLIKELY,
    Asked,
    Limits,
    Words,
    again,
    best_of_same,
    percentiles,
    read,
    text_fault,
    words,
)
from mdr.core.mining import RULES
from mdr.errors import InputError
from mdr.ports import LanguageIdentifier, Retriever
from mdr.stages.teacher import Teacher, judged
from mdr.storage.collection import Collection
from mdr.storage.pairs import Pair
from mdr.types import Query, Ranking

if TYPE_CHECKING:
    from mdr.stages.generate import GenerateSettings

SEEN = 100
"""Ranks that are looked at; a passage below has none."""
_READ, _SCORED, _SEARCHED = 4096, 256, 1024
"""Questions at a time."""
TEXT, DUPLICATE, ROUND_TRIP, LIKELIHOOD = "text", "duplicate", "round trip", "likelihood"


class Progress(NamedTuple):
    """How far a filter is."""

    what: str
    done: int
    total: int


@dataclass
class Written:
    """A question, the position of its passage, and what the filters learned."""

    query: Query
    position: int
    evidence: dict[str, Any]
    words: Words = ()
    reason: str = ""
    passed: list[str] = field(default_factory=list)

    @property
    def asked(self) -> Asked:
        """As compared with others."""
        return Asked(self.query.lang, self.words, self.evidence.get("likelihood", 0.0))


class Sifter:
    """The filters, applied with what a stage has opened."""

    def __init__(
        self,
        settings: GenerateSettings,
        collection: Collection,
        teacher: Teacher,
        identifier: LanguageIdentifier,
        retrievers: Mapping[str, Retriever],
        same_text: Mapping[str, int],
    ) -> None:
        self._settings, self._collection = settings, collection
        self._teacher, self._identifier = teacher, identifier
        self._retrievers, self._same_text = retrievers, same_text

    def sift(self, written: Sequence[Written]) -> Iterator[Progress]:
        """Find out, of each question, what stands against it; those of a passage follow each other."""
        yield from self._read(written)
        alive = _alive(written)
        yield from self._score(alive)
        for each, best in zip(alive, best_of_same([each.asked for each in alive]), strict=True):
            _ask(each, DUPLICATE, "" if best else SHARED)
        if self._retrievers:
            yield from self._find(_alive(alive))
        if self._settings.min_percentile:
            for each in _alive(alive):
                unlikely = each.evidence["percentile"] < self._settings.min_percentile
                _ask(each, LIKELIHOOD, UNLIKELY if unlikely else "")

    # -- texts ------------------------------------------------------------------------------------------------

    def _read(self, written: Sequence[Written]) -> Iterator[Progress]:
        settings = self._settings
        limits = Limits(
            settings.language,
            settings.min_tokens,
            settings.max_characters,
            settings.max_copy,
            settings.max_repetition,
        )
        passage: tuple[int, Words] = (-1, ())
        for done, each in enumerate(written, 1):
            if passage[0] != each.position:
                passage = (each.position, words(self._collection.at(each.position).full_text))
            lang = str(self._collection.langs[each.position])
            guess = self._identifier.identify(each.query.text).lang if settings.language else ""
            seen = read(each.query, passage[1], lang, guess)
            each.words = seen.words
            each.evidence |= {
                "tokens": len(seen.words),
                "copied": seen.copied,
                "repeated": seen.repeated,
                "language": seen.guess,
            }
            _ask(each, TEXT, text_fault(each.query, seen, limits))
            if done % _READ == 0 or done == len(written):
                yield Progress("reading questions", done, len(written))
        self._drop_repeated(_alive(written))

    def _drop_repeated(self, written: Sequence[Written]) -> None:
        """Questions that a passage has already: their likelihood is known."""
        by_passage: dict[int, list[Written]] = {}
        for each in written:
            by_passage.setdefault(each.position, []).append(each)
        for its in by_passage.values():
            for each, repeats in zip(its, again(each.asked for each in its), strict=True):
                if repeats:
                    each.reason = AGAIN

    # -- likelihoods ------------------------------------------------------------------------------------------

    def _score(self, written: Sequence[Written]) -> Iterator[Progress]:
        for start in range(0, len(written), _SCORED):
            block = written[start : start + _SCORED]
            passages = [self._collection.at(each.position) for each in block]
            scores = judged("generate", self._teacher, [each.query for each in block], passages)
            for each, score in zip(block, scores, strict=True):
                each.evidence["likelihood"] = score
            yield Progress("scoring questions", start + len(block), len(written))
        by_lang: dict[str, list[Written]] = {}
        for each in written:
            by_lang.setdefault(each.query.lang, []).append(each)
        for its in by_lang.values():
            likelihoods = np.array([each.evidence["likelihood"] for each in its])
            for each, percentile in zip(its, percentiles(likelihoods).tolist(), strict=True):
                each.evidence["percentile"] = percentile

    # -- round trip -------------------------------------------------------------------------------------------

    def _find(self, written: Sequence[Written]) -> Iterator[Progress]:
        """Search the passages of each passage's language with the questions about it."""
        groups: dict[str, list[Written]] = {}
        for each in written:
            groups.setdefault(str(self._collection.langs[each.position]), []).append(each)
        done = 0
        for lang, its in sorted(groups.items()):
            for start in range(0, len(its), _SEARCHED):
                block = its[start : start + _SEARCHED]
                queries = [each.query for each in block]
                lists = {side: one.search(queries, SEEN, langs=[lang]) for side, one in self._retrievers.items()}
                for number, each in enumerate(block):
                    self._return(each, {side: rankings[number] for side, rankings in lists.items()})
                done += len(block)
                yield Progress("searching with questions", done, len(written))

    def _return(self, written: Written, rankings: Mapping[str, Ranking]) -> None:
        settings = self._settings
        found = {side: self._place(written, side, ranking) for side, ranking in rankings.items()}
        written.evidence["round_trip"] = found
        if settings.round_trip != "none":
            sides, must = RULES[settings.round_trip]
            returns = must([found[side]["rank"] is not None and found[side]["rank"] <= settings.k for side in sides])
            _ask(written, ROUND_TRIP, "" if returns else LOST)

    def _place(self, written: Written, side: str, ranking: Ranking) -> dict[str, Any]:
        """Rank and score of the passage, or of another with its text."""
        own = self._collection.ids[written.position]
        text = self._same_text.get(own, -1)  # below 0: a text of its own
        for rank, hit in enumerate(ranking, 1):
            if not math.isfinite(hit.score):
                raise InputError(
                    f"generate: the {side} index scores passage {hit.id!r} {hit.score} for query {written.query.id!r}",
                    "`mdr verify` checks the index; where it is whole, the encoder's weights are damaged",
                )
            if hit.id == own or self._same_text.get(hit.id) == text:
                return {"rank": rank, "score": hit.score}
        return {"rank": None, "score": None}


def as_pair(written: Written, passage: str, settings: GenerateSettings, evidence: Mapping[str, Any]) -> Pair:
    """A question with its passage, and all that is known of both."""
    rule = written.reason or f"{ROUND_TRIP}: {settings.round_trip}"
    proof = {**evidence, **written.evidence, "passed": written.passed}
    return Pair(written.query, (passage,), (), "generated", settings.weight, settings.round, rule, proof)


def _ask(written: Written, rule: str, reason: str) -> None:
    if reason:
        written.reason = reason
    else:
        written.passed.append(rule)


def _alive(written: Sequence[Written]) -> list[Written]:
    return [each for each in written if not each.reason]
