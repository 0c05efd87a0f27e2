"""Asking a teacher what it thinks of queries and passages, side by side. A generator's likelihood is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from mdr.errors import InputError
from mdr.ports import Scores
from mdr.types import Passage, Query

Teacher: TypeAlias = Callable[[Sequence[Query], Sequence[Passage]], Scores]
"""A score for each query with the passage beside it; higher is better."""


def judged(stage: str, teacher: Teacher, queries: Sequence[Query], passages: Sequence[Passage]) -> list[float]:
    """The scores, or an error where one is no number."""
    scores = np.asarray(teacher(queries, passages), dtype=np.float64)
    if not (finite := np.isfinite(scores)).all():
        at = int(np.argmin(finite))
        raise InputError(
            f"{stage}: the generator scores passage {passages[at].id!r} {scores[at]} for query {queries[at].id!r}",
            "set MDR_PRECISION=float32 or give another generator, then run again: what was scored before is kept",
        )
    found: list[float] = scores.tolist()
    return found
