"""Asking a teacher what it thinks of queries and passages, side by side: a generator's likelihood, or a reranker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from mdr.errors import InputError
from mdr.ports import Engines, Scores
from mdr.stages.indexes import GENERATOR, generator_of
from mdr.storage.artefacts import Artefact
from mdr.types import Passage, Query

RERANKER = "reranker"
"""The slot of a reranker that an earlier step trained."""
Teacher: TypeAlias = Callable[[Sequence[Query], Sequence[Passage]], Scores]
"""A score for each query with the passage beside it; higher is better."""


class Judge(NamedTuple):
    """A teacher, what it is, and what names its weights."""

    what: str
    teacher: Teacher
    fingerprint: str


def judge_of(
    stage: str, inputs: Mapping[str, Artefact], engines: Engines, *, generator: str, reranker: str
) -> Judge:
    """The reranker that an input or a name gives or, without one, the generator."""
    if RERANKER not in inputs and not reranker:
        writer = engines.generator(generator_of(inputs, generator))
        return Judge(GENERATOR, writer.log_likelihood, writer.fingerprint)
    if GENERATOR in inputs or generator:
        raise InputError(f"{stage}: a generator and a reranker are given, but one can judge", "leave one of them out")
    chosen = engines.reranker(str(inputs[RERANKER].folder) if RERANKER in inputs else reranker)
    return Judge(RERANKER, chosen.score, chosen.fingerprint)


def judged(
    stage: str, teacher: Teacher, queries: Sequence[Query], passages: Sequence[Passage], what: str = GENERATOR
) -> list[float]:
    """The scores, or an error where one is no number."""
    scores = np.asarray(teacher(queries, passages), dtype=np.float64)
    if not (finite := np.isfinite(scores)).all():
        at = int(np.argmin(finite))
        raise InputError(
            f"{stage}: the {what} scores passage {passages[at].id!r} {scores[at]} for query {queries[at].id!r}",
            f"set MDR_PRECISION=float32 or give another {what}, then run again: what was scored before is kept",
        )
    found: list[float] = scores.tolist()
    return found
