"""A block of queries at a time: both lists, positives, reciprocal check, negatives, and the evidence of all that.

Beyond the two lists only what the rules need is looked up: vectors of positives for the reciprocal check, and dense
scores of passages below the end of the dense list, where that end leaves open on which side of the limit they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from mdr.core.fusion import no_collecting
from mdr.core.mining import (
    DENSE,
    NO_AGREEMENT,
    NOT_FOUND,
    NOT_RECIPROCAL,
    Candidates,
    Floats,
    Ints,
    Screened,
    agreed,
    choose,
    gather,
    guard,
    guard_limit,
    margins,
    nearest_to_agreement,
    once,
    reciprocal_ranks,
    screen,
    undecided,
)
from mdr.ports import Encoder, Matrix, Retriever
from mdr.storage.collection import Collection
from mdr.storage.pairs import Pair
from mdr.types import Query, Ranking

if TYPE_CHECKING:
    from mdr.stages.mine import MineSettings

BLOCK = 1024
"""Queries that are mined together: they bound the memory, and never change the result."""
_LOOKED_UP = 1 << 16
"""Scores looked up at a time."""

_Proof: TypeAlias = dict[str, Any]


class Together(NamedTuple):
    """Queries that search the same passages: those in some languages (None: all). `vectors`, by query, are for the
    reciprocal check."""

    queries: Sequence[Query]
    langs: Sequence[str] | None
    vectors: Matrix | None = None


class Mined(NamedTuple):
    """A pair, and whether it may be trained on."""

    pair: Pair
    kept: bool


@dataclass
class _Case:
    """A query on its way through the rules. `reciprocal` is by place of the positive."""

    candidates: Candidates
    admitted: Ints
    positives: Ints
    reason: str = ""
    reciprocal: Mapping[int, int] = field(default_factory=dict)
    limit: float = math.inf
    screened: Screened = field(default_factory=Screened.nothing)


class Miner:
    """The rules applied with what a stage has opened."""

    def __init__(
        self,
        settings: MineSettings,
        retrievers: Mapping[str, Retriever],
        encoder: Encoder | None,
        collection: Collection,
        same_text: Mapping[str, int],
        fingerprints: Mapping[str, str],
    ) -> None:
        self._settings, self._retrievers, self._encoder = settings, retrievers, encoder
        self._collection, self._same_text, self._fingerprints = collection, same_text, dict(fingerprints)

    def mine(self, group: Together, start: int) -> list[Mined]:
        """What a block of queries gives, in their order."""
        with no_collecting():
            return self._mine(group, start)

    def unmined(self, query: Query, reason: str) -> Mined:
        """A query that is not searched with."""
        return self._as_pair(query, (), (), reason, {})

    def _mine(self, group: Together, start: int) -> list[Mined]:
        queries, depth = group.queries[start : start + BLOCK], self._settings.depth
        lists = {side: its.search(queries, depth, langs=group.langs) for side, its in self._retrievers.items()}
        cases = [
            self._case(query, {side: rankings[number] for side, rankings in lists.items()})
            for number, query in enumerate(queries)
        ]
        if group.vectors is not None and self._encoder is not None:
            self._ask_back(cases, self._encoder, group.vectors, start)
        self._find_negatives([case for case in cases if not case.reason])
        return [self._mined(case) for case in cases]

    # -- positives --------------------------------------------------------------------------------------------

    def _case(self, query: Query, rankings: Mapping[str, Ranking]) -> _Case:
        settings = self._settings
        candidates = gather(query, rankings, settings.depth)
        admitted = agreed(candidates, settings.rule, settings.k_positive)
        if len(admitted):
            distinct = once(candidates, admitted, self._same_text)
            return _Case(candidates, admitted, distinct[: settings.positives_per_query])
        reason = NO_AGREEMENT if candidates.ids else NOT_FOUND
        return _Case(candidates, admitted, nearest_to_agreement(candidates, settings.rule), reason)

    def _ask_back(self, cases: Sequence[_Case], encoder: Encoder, vectors: Matrix, start: int) -> None:
        """Keep the positives that find their query again."""
        asked = [(number, at) for number, case in enumerate(cases) if not case.reason for at in case.positives.tolist()]
        texts = [self._collection.passage(cases[number].candidates.ids[at]).full_text for number, at in asked]
        if not asked:
            return
        own = np.array([start + number for number, _ in asked])
        ranks = reciprocal_ranks(encoder.encode(texts, "passage"), vectors, own)
        for (number, at), rank in zip(asked, ranks.tolist(), strict=True):
            cases[number].reciprocal = {**cases[number].reciprocal, at: rank}
        for case in (case for case in cases if not case.reason):
            kept = [at for at in case.positives.tolist() if case.reciprocal[at] <= self._settings.reciprocal]
            if kept:
                case.positives = np.array(kept)
            else:
                case.reason = NOT_RECIPROCAL

    # -- negatives --------------------------------------------------------------------------------------------

    def _find_negatives(self, cases: Sequence[_Case]) -> None:
        settings, same_text = self._settings, self._same_text
        window = (settings.first, settings.last)
        for case in cases:
            case.screened = screen(
                case.candidates,
                case.positives,
                case.admitted,
                window=window,
                cross_list=settings.cross_list,
                same_text=same_text,
            )
        if settings.guarded and DENSE in self._retrievers:
            self._guard(cases, self._retrievers[DENSE])
        for case in cases:
            case.screened = choose(
                case.candidates,
                case.screened,
                settings.negatives,
                sampling=settings.sampling,
                seed=settings.seed,
                same_text=same_text,
            )

    def _guard(self, cases: Sequence[_Case], dense: Retriever) -> None:
        """Positives first, since they set the limit; then what may be on either side of it."""
        _look_up(dense, [(case.candidates, case.candidates.unknown(case.positives)) for case in cases])
        relative, absolute = self._settings.relative_margin, self._settings.absolute_margin
        for case in cases:
            scores = case.candidates.scores[DENSE][case.positives]
            case.limit = guard_limit(scores, relative=relative, absolute=absolute)
        _look_up(dense, [(case.candidates, undecided(case.candidates, case.screened, case.limit)) for case in cases])
        for case in cases:
            case.screened = guard(case.candidates, case.screened, case.limit)

    # -- evidence ---------------------------------------------------------------------------------------------

    def _mined(self, case: _Case) -> Mined:
        candidates, positives, screened = case.candidates, case.positives, case.screened
        ahead = {side: margins(candidates, side, positives) for side in candidates.ranks}
        proofs = _proofs(candidates, positives, ahead)
        for proof, at in zip(proofs, positives.tolist(), strict=True):
            near = [side for side, ranks in candidates.ranks.items() if ranks[at] <= self._settings.k_positive]
            proof |= {"lists": near} | ({"reciprocal": case.reciprocal[at]} if at in case.reciprocal else {})
        behind = {
            side: scores[positives].min(initial=np.inf) - scores[screened.places]
            for side, scores in candidates.scores.items()
        }
        evidence = {
            "positives": proofs,
            "negatives": _proofs(candidates, screened.places, behind),
            "candidates": screened.seen,
            "refused": dict(screened.refused),
        }
        return self._as_pair(
            candidates.query, _ids(candidates, positives), _ids(candidates, screened.places), case.reason, evidence
        )

    def _as_pair(
        self,
        query: Query,
        positives: tuple[str, ...],
        negatives: tuple[str, ...],
        reason: str,
        evidence: Mapping[str, Any],
    ) -> Mined:
        settings = self._settings
        evidence = {**evidence, "fingerprints": self._fingerprints}
        rule = reason or settings.rule
        pair = Pair(query, positives, negatives, "mined", settings.weight, settings.round, rule, evidence)
        return Mined(pair, not reason)


def _ids(candidates: Candidates, places: Ints) -> tuple[str, ...]:
    return tuple(candidates.ids[at] for at in places.tolist())


def _proofs(candidates: Candidates, places: Ints, margins: Mapping[str, Floats]) -> list[_Proof]:
    """What each list says of each passage; None where it does not hold it or the score is not known."""
    proofs: list[_Proof] = [{} for _ in places]
    for side, ranks in candidates.ranks.items():
        columns = (ranks[places], candidates.scores[side][places], margins[side])
        for proof, rank, score, margin in zip(proofs, *(column.tolist() for column in columns), strict=True):
            proof[side] = {
                "rank": rank if rank <= candidates.depth else None,
                "score": score if math.isfinite(score) else None,
                "margin": margin if math.isfinite(margin) else None,
            }
    return proofs


def _look_up(dense: Retriever, needed: Sequence[tuple[Candidates, Ints]]) -> None:
    """Dense scores of passages by place, for some queries at a time."""
    together: list[tuple[Candidates, Ints]] = []
    subset: set[str] = set()
    for candidates, places in needed:
        if not len(places):
            continue
        ids = set(_ids(candidates, places))
        if together and len(subset | ids) * (len(together) + 1) > _LOOKED_UP:
            _learn(dense, together, subset)
            together, subset = [], set()
        together.append((candidates, places))
        subset |= ids
    if together:
        _learn(dense, together, subset)


def _learn(dense: Retriever, together: Sequence[tuple[Candidates, Ints]], subset: set[str]) -> None:
    queries = [candidates.query for candidates, _ in together]
    for (candidates, places), ranking in zip(together, dense.search(queries, len(subset), subset=subset), strict=True):
        scores = {hit.id: hit.score for hit in ranking}
        for at, id in zip(places.tolist(), _ids(candidates, places), strict=True):
            candidates.scores[DENSE][at] = scores.get(id, math.nan)
