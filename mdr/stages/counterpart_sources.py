"""Where counterparts of queries come from: questions about the same passage, queries with the same answers, texts that
say the same. Each is a function from what a stage was given to the counterparts that it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from mdr.stages.questions import questions
from mdr.stages.stage import Work
from mdr.storage.collection import Collection
from mdr.storage.pairs import Origin, Pairs, Scored
from mdr.training.texts import load_texts
from mdr.types import Passage, Query

GENERATED, PARALLEL, TEXTS = "generated", "parallel", "texts"


@dataclass(frozen=True)
class Asked:
    """A query of a scored list, and the passage that answers it, if the list says so."""

    query: Query
    answer: Passage | None
    origin: Origin = "mined"

    @classmethod
    def of(cls, scored: Scored, passages: Mapping[str, Passage]) -> Self:
        """Of a list that was made for a pair, the first answers."""
        pair = scored.evidence.get("pair")
        return cls(scored.query, passages[scored.candidates[0]], pair["origin"]) if pair else cls(scored.query, None)


@dataclass(frozen=True)
class Counterpart:
    """A query in another language than the one it stands beside, and where it is from."""

    asked: Asked
    query: Query
    source: str
    origin: Origin
    round: int = 0
    evidence: Mapping[str, Any] = field(default_factory=dict)


def _generated(work: Work, asked: Sequence[Asked]) -> Iterator[Counterpart]:
    """Questions that were written about the answer."""
    about: dict[str, list[Asked]] = {}
    for each in asked:
        if each.answer:
            about.setdefault(each.answer.id, []).append(each)
    for pair in Pairs(work.inputs[GENERATED].folder):
        for passage in pair.positives:
            for each in about.get(passage, ()):
                if pair.query.lang != each.query.lang:
                    measured = {name: pair.evidence[name] for name in ("fingerprints",) if name in pair.evidence}
                    yield Counterpart(each, pair.query, GENERATED, "generated", pair.round, measured)


def _parallel(work: Work, asked: Sequence[Asked]) -> Iterator[Counterpart]:
    """Queries of a collection whose best answers are the same, or say the same. Reads grades: they are labels."""
    known = questions(Collection(work.inputs[PARALLEL].folder), "", pool="all")
    families: dict[str, list[Query]] = {}
    for query in known.queries:
        families.setdefault(known.families[query.id], []).append(query)
    for each in asked:
        for query in families.get(known.families.get(each.query.id, ""), ()):
            if query.lang != each.query.lang:
                yield Counterpart(each, query, PARALLEL, each.origin)


def _told(work: Work, asked: Sequence[Asked]) -> Iterator[Counterpart]:
    """Texts that say what the query says."""
    texts = load_texts(work.inputs[TEXTS].folder)
    wanted = {(each.query.lang, each.query.text) for each in asked}
    meanings: dict[tuple[str, str], list[int]] = {}
    for number, members in enumerate(texts.meanings):
        for member in members:
            if (said := (texts.langs[member], texts.texts[member])) in wanted:
                meanings.setdefault(said, []).append(number)
    for each in asked:
        for number in meanings.get((each.query.lang, each.query.text), ()):
            for member in texts.meanings[number]:
                if (lang := texts.langs[member]) != each.query.lang:
                    query = Query(f"{each.query.id}#{lang}", lang, texts.texts[member])
                    yield Counterpart(each, query, TEXTS, each.origin, 0, {"in": texts.sources[number]})


SOURCES: Mapping[str, Callable[[Work, Sequence[Asked]], Iterator[Counterpart]]] = {
    GENERATED: _generated,
    PARALLEL: _parallel,
    TEXTS: _told,
}
"""By the input that they read."""
