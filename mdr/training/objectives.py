"""The losses as a recipe names them: what each takes from a batch and its vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from mdr.errors import InputError
from mdr.training import losses
from mdr.training.batches import Batch
from mdr.training.settings import Objective


class Vectors(NamedTuple):
    """A batch's texts as the encoder sees them; `guide` the same queries and passages by a frozen encoder."""

    queries: Tensor
    passages: Tensor
    others: Tensor
    guide: tuple[Tensor, Tensor] | None = None


def _contrast(objective: Objective, batch: Batch, vectors: Vectors) -> Tensor:
    count = len(vectors.queries)
    masked = None if batch.masked is None else torch.from_numpy(batch.masked).to(vectors.queries.device)
    if objective.margin is not None:
        queries, passages = vectors.guide or (vectors.queries.detach(), vectors.passages.detach())
        scores = queries @ passages.T
        near = losses.false_negatives(scores, scores[:, :count].diagonal(), margin=objective.margin)
        masked = near if masked is None else masked | near
    return losses.info_nce(
        vectors.queries,
        vectors.passages,
        temperature=objective.temperature,
        symmetric=objective.symmetric,
        masked=masked,
        weights=None if batch.weights is None else torch.from_numpy(batch.weights).to(vectors.queries.device),
    )


def _listed(batch: Batch, vectors: Vectors, objective: Objective) -> tuple[Tensor, Tensor, Tensor]:
    """Scores of all passages, of each query's own candidates, and the teacher's."""
    if batch.candidates is None or batch.teacher is None:
        raise InputError(f"{objective.loss} needs candidates with a teacher's scores", "give it a scored source")
    device = vectors.queries.device
    scores = vectors.queries @ vectors.passages.T / objective.temperature
    own = scores.gather(1, torch.from_numpy(batch.candidates).to(device))
    return scores, own, torch.from_numpy(batch.teacher).to(device)


def _listwise(objective: Objective, batch: Batch, vectors: Vectors) -> Tensor:
    scores, own, teacher = _listed(batch, vectors, objective)
    others = None
    if objective.whole_batch:
        assert batch.candidates is not None
        mine = torch.zeros_like(scores, dtype=torch.bool)
        mine.scatter_(1, torch.from_numpy(batch.candidates).to(scores.device), True)
        others = scores.masked_fill(mine, -torch.inf)
    return losses.listwise_kl(own, teacher, teacher_scale=objective.teacher_scale, others=others)


def _margin(objective: Objective, batch: Batch, vectors: Vectors) -> Tensor:
    """The first candidate is the positive; every other one is a negative."""
    _, own, teacher = _listed(batch, vectors, objective)
    teacher = teacher * objective.teacher_scale
    count = own.shape[1] - 1
    first, teacher_first = own[:, :1].expand(-1, count), teacher[:, :1].expand(-1, count)
    return losses.margin_mse(first, own[:, 1:], teacher_first, teacher[:, 1:])


def _semantic(objective: Objective, batch: Batch, vectors: Vectors) -> Tensor:
    return losses.semantic_contrast(vectors.queries, vectors.passages, temperature=objective.temperature)


def _language(objective: Objective, batch: Batch, vectors: Vectors) -> Tensor:
    return losses.language_contrast(
        vectors.others, vectors.queries, vectors.passages, temperature=objective.temperature
    )


def _alignment(objective: Objective, batch: Batch, vectors: Vectors) -> Tensor:
    """`others` are the same queries in another language."""
    if batch.candidates is None or len(vectors.others) != len(vectors.queries):
        raise InputError(
            "alignment needs candidates for each query, and the query in another language",
            "draw it from `aligned`: give the step scored lists and the counterparts of their queries",
        )
    scores = vectors.queries @ vectors.passages.T / objective.temperature
    other = vectors.others @ vectors.passages.T / objective.temperature
    if not objective.whole_batch:
        places = torch.from_numpy(batch.candidates).to(scores.device)
        scores, other = scores.gather(1, places), other.gather(1, places)
    return losses.query_alignment(scores, other)


LOSSES: Mapping[str, Callable[[Objective, Batch, Vectors], Tensor]] = {
    "contrast": _contrast,
    "margin": _margin,
    "listwise": _listwise,
    "semantic": _semantic,
    "language": _language,
    "alignment": _alignment,
}
