"""Each loss against its formula, written out in plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mdr.training import losses

torch.manual_seed(0)
B, D = 5, 8


def unit(*shape: int, seed: int) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def softmax(values: list[float]) -> list[float]:
    top = max(values)
    exps = [math.exp(value - top) for value in values]
    return [each / sum(exps) for each in exps]


def kl(one: list[float], other: list[float]) -> float:
    return sum(p * (math.log(p) - math.log(q)) for p, q in zip(one, other, strict=True) if p)


QUERIES, PASSAGES, MORE = unit(B, D, seed=1), unit(B, D, seed=2), unit(3, D, seed=3)


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_info_nce_with_hard_negatives(temperature: float) -> None:
    every = torch.cat([PASSAGES, MORE])
    scores = (QUERIES @ every.T / temperature).tolist()
    expected = -sum(math.log(softmax(row)[place]) for place, row in enumerate(scores)) / B
    assert losses.info_nce(QUERIES, every, temperature=temperature).item() == pytest.approx(expected, rel=1e-5)


def test_info_nce_symmetric_leaves_hard_negatives_out_of_the_way_back() -> None:
    every = torch.cat([PASSAGES, MORE])
    there = losses.info_nce(QUERIES, every)
    back = losses.info_nce(PASSAGES, QUERIES)
    both = losses.info_nce(QUERIES, every, symmetric=True)
    assert both.item() == pytest.approx((there + back).item() / 2, rel=1e-5)


def test_info_nce_masked_pairs_are_not_negatives() -> None:
    masked = torch.zeros(B, B, dtype=torch.bool)
    masked[0, 3] = True
    scores = (QUERIES @ PASSAGES.T / 0.05).tolist()
    scores[0][3] = -math.inf
    expected = -sum(math.log(softmax(row)[place]) for place, row in enumerate(scores)) / B
    assert losses.info_nce(QUERIES, PASSAGES, masked=masked).item() == pytest.approx(expected, rel=1e-5)


def test_margin_mse_ignores_the_scale_but_not_the_distance() -> None:
    student, teacher = torch.tensor([3.0, 2.0]), torch.tensor([13.0, 12.5])
    assert losses.margin_mse(student, student - 1, teacher, teacher - 1).item() == pytest.approx(0)
    assert losses.margin_mse(student, student - 1, teacher, teacher - 3).item() == pytest.approx(4)


def test_listwise_kl_over_own_candidates() -> None:
    student, teacher = torch.randn(B, 4), torch.randn(B, 4)
    expected = sum(
        kl(softmax([10 * t for t in ts]), softmax([2 * s for s in ss]))
        for ts, ss in zip(teacher.tolist(), student.tolist(), strict=True)
    )
    found = losses.listwise_kl(student, teacher, scale=2.0, teacher_scale=10.0)
    assert found.item() == pytest.approx(expected / B, rel=1e-4)


def test_listwise_kl_over_the_whole_batch() -> None:
    student, teacher, others = torch.randn(B, 4), torch.randn(B, 4), torch.randn(B, 6)
    expected = sum(
        kl(softmax(ts), softmax(ss + os)[:4])
        for ts, ss, os in zip(teacher.tolist(), student.tolist(), others.tolist(), strict=True)
    )
    assert losses.listwise_kl(student, teacher, others=others).item() == pytest.approx(expected / B, rel=1e-4)
    assert losses.listwise_kl(teacher, teacher).item() == pytest.approx(0, abs=1e-6)


def test_semantic_contrast_over_all_anchors() -> None:
    every = torch.cat([QUERIES, PASSAGES])
    expected = 0.0
    for anchor in range(2 * B):
        row = [(every[anchor] @ every[other]).item() / 0.05 if other != anchor else -math.inf for other in range(2 * B)]
        expected -= math.log(softmax(row)[(anchor + B) % (2 * B)])
    found = losses.semantic_contrast(3 * QUERIES, PASSAGES)  # length does not matter
    assert found.item() == pytest.approx(expected / (2 * B), rel=1e-5)


def test_language_contrast_is_zero_exactly_where_both_are_equally_near() -> None:
    expected = 0.0
    for u in MORE:
        for x, y in zip(QUERIES, PASSAGES, strict=True):
            gap = ((u @ x - u @ y) / 0.05).item()
            share = 1 / (1 + math.exp(-gap))
            expected -= math.log(4 * share * (1 - share)) / (len(MORE) * B)
    assert losses.language_contrast(MORE, QUERIES, PASSAGES).item() == pytest.approx(expected, rel=1e-4)
    assert losses.language_contrast(MORE, QUERIES, QUERIES).item() == pytest.approx(0, abs=1e-6)
    assert losses.language_contrast(MORE, QUERIES, PASSAGES).item() > 0


def test_query_alignment_moves_only_the_other_query() -> None:
    scores, other = torch.randn(B, 4, requires_grad=True), torch.randn(B, 4, requires_grad=True)
    losses.query_alignment(scores, other).backward()  # type: ignore[no-untyped-call]
    assert scores.grad is None
    assert other.grad is not None and other.grad.abs().sum() > 0
    assert losses.query_alignment(scores, scores).item() == pytest.approx(0, abs=1e-6)


def test_likelihoods_count_only_labels() -> None:
    logits, labels = torch.randn(2, 3, 7), torch.tensor([[1, 2, -100], [3, 4, 5]])
    logged = torch.log_softmax(logits, -1)
    rows = [[logged[row, place, label].item() for place, label in enumerate(ls) if label >= 0]
            for row, ls in enumerate(labels.tolist())]  # fmt: skip
    found = losses.token_likelihood(logits, labels).tolist()
    assert found == pytest.approx([sum(row) / len(row) for row in rows], rel=1e-5)
    assert losses.sequence_likelihood(logits, labels).item() == pytest.approx(-sum(map(sum, rows)), rel=1e-5)
    weighted = losses.sequence_likelihood(logits, labels, torch.tensor([0.5, 2.0])).item()
    assert weighted == pytest.approx(-0.5 * sum(rows[0]) - 2 * sum(rows[1]), rel=1e-5)


def test_listwise_likelihood_prefers_the_positive() -> None:
    scores = torch.tensor([[-1.0, -2.0, -3.0]])
    expected = -math.log(softmax([-1.0, -2.0, -3.0])[0])
    assert losses.listwise_likelihood(scores, torch.tensor([0])).item() == pytest.approx(expected, rel=1e-5)
    assert losses.listwise_likelihood(scores, torch.tensor([2])) > losses.listwise_likelihood(scores, torch.tensor([0]))


def test_false_negatives_are_too_near_the_positive_even_where_scores_are_negative() -> None:
    scores = torch.tensor([[1.0, 0.96, 0.94], [-1.1, -1.0, -1.04]])
    masked = losses.false_negatives(scores, torch.tensor([1.0, -1.0]), margin=0.95)
    assert masked.tolist() == [[False, True, False], [False, False, True]]
