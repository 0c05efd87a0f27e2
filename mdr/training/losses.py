"""What training minimises, one small function each. Every method is a weighted sum of these.

Shapes: B queries, N passages each (or none), M passages in all, d dimensions. Scores are inner products divided by a
temperature; with unit vectors that is the cosine. All return the mean over queries, as a scalar.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax, logsigmoid, mse_loss, normalize, softmax

_CACHED = 1 << 20
"""Logits that are looked at together."""


def info_nce(
    queries: Tensor,
    passages: Tensor,
    *,
    temperature: float = 0.05,
    symmetric: bool = False,
    masked: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """−log softmax(q·p / τ)[p⁺] over all passages in the batch.

    Row i of `passages` answers query i; rows beyond B are hard negatives of anyone's. `symmetric` adds the way
    back: each answer must find its query among the batch's queries. `masked` (B × M) leaves pairs out of the
    denominator. `weights` (B) say how much each query counts in the mean.
    """
    scores = queries @ passages.T / temperature
    if masked is not None:
        scores = scores.masked_fill(masked, -torch.inf)
    goal = torch.arange(len(queries), device=queries.device)
    loss = cross_entropy(scores, goal, reduction="none")
    if symmetric:
        loss = (loss + cross_entropy(scores[:, : len(queries)].T, goal, reduction="none")) / 2
    return loss.mean() if weights is None else (loss * weights).sum() / weights.sum()


def margin_mse(positive: Tensor, negative: Tensor, teacher_positive: Tensor, teacher_negative: Tensor) -> Tensor:
    """((q·p⁺ − q·p⁻) − (t⁺ − t⁻))²: the student keeps the teacher's distances, not its scale."""
    return mse_loss(positive - negative, teacher_positive - teacher_negative)


def listwise_kl(
    scores: Tensor,
    teacher: Tensor,
    *,
    scale: float = 1.0,
    teacher_scale: float = 1.0,
    others: Tensor | None = None,
) -> Tensor:
    """KL(softmax(a·t) ‖ softmax(b·f)) over each query's own N candidates, B × N both.

    `others` (B × K) are scores of the other queries' candidates: they join the student's denominator, while the
    teacher says nothing of them. UMR: a = 10 with others; QuiCK: a = 1/τ_T without.
    """
    target = softmax(teacher_scale * teacher, dim=-1)
    student = scale * scores if others is None else torch.cat([scale * scores, scale * others], dim=-1)
    return kl_div(log_softmax(student, dim=-1)[:, : scores.shape[1]], target, reduction="batchmean")


def semantic_contrast(one: Tensor, other: Tensor, *, temperature: float = 0.05) -> Tensor:
    """−log( exp s(a, a*) / Σ_{b≠a} exp s(a, b) ) over 2M anchors: M sentences and their translations, s = cos / τ."""
    every = normalize(torch.cat([one, other]), dim=-1)
    scores = every @ every.T / temperature
    scores = scores.masked_fill(torch.eye(len(every), dtype=torch.bool, device=every.device), -torch.inf)
    goal = torch.arange(len(every), device=every.device).roll(len(one))
    return cross_entropy(scores, goal)


def language_contrast(sentences: Tensor, one: Tensor, other: Tensor, *, temperature: float = 0.05) -> Tensor:
    """−mean log 4π(1−π), π = σ(s(u, x) − s(u, y)): a sentence u should be as near to x as to its translation y.

    Zero exactly when it is. Never alone: with all vectors equal it is zero, too.
    """
    u, x, y = normalize(sentences, dim=-1), normalize(one, dim=-1), normalize(other, dim=-1)
    gap = u @ (x - y).T / temperature
    four = torch.log(torch.tensor(4.0, device=gap.device, dtype=gap.dtype))
    return (-logsigmoid(gap) - logsigmoid(-gap) - four).mean()


def query_alignment(scores: Tensor, other_scores: Tensor, *, scale: float = 1.0) -> Tensor:
    """KL(softmax f(q, ·) ‖ softmax f(q′, ·)) over the same candidates: a question in another language should rank
    as this one does, and this one is not moved by it."""
    return listwise_kl(other_scores, scores.detach(), scale=scale, teacher_scale=scale)


def token_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean log P(label) per row over labels that are not −100: what a generator thinks of a text.

    A few rows at a time, as a softmax over a whole vocabulary is several times faster where it fits a cache.
    """
    kept = labels != -100
    rows = max(1, _CACHED // max(1, logits[:1].numel()))
    pieces = zip(torch.split(logits, rows), torch.split(labels.clamp(min=0), rows), strict=True)
    logged = torch.cat([log_softmax(its.float(), -1).gather(-1, own[..., None]).squeeze(-1) for its, own in pieces])
    return (logged * kept).sum(-1) / kept.sum(-1).clamp(min=1)


def sequence_likelihood(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """−log P(label), summed over labels that are not −100, a row's by its weight: teaches a generator to write."""
    kept = labels != -100
    if weights is None:
        return cross_entropy(logits[kept].float(), labels[kept], reduction="sum")
    each = cross_entropy(logits[kept].float(), labels[kept], reduction="none")
    return (each * weights.to(each)[:, None].expand(labels.shape)[kept]).sum()


def listwise_likelihood(likelihood: Tensor, positive: Tensor) -> Tensor:
    """−log softmax(g)[p⁺] over candidates, B × N: teaches a generator which passage a question is about."""
    return cross_entropy(likelihood, positive)


def false_negatives(scores: Tensor, positive: Tensor, *, margin: float = 0.95) -> Tensor:
    """Which entries of B × M (guide) scores are suspiciously near the positive's: more than `margin` times it.

    For a negative positive score the bar is moved down by the same share, never up: it must not let closer ones pass.
    The positive itself (column i of row i) is never masked.
    """
    bar = positive - (1 - margin) * positive.abs()
    masked = scores > bar[:, None]
    own = torch.arange(len(scores), device=scores.device)
    masked[own, own] = False
    return masked
