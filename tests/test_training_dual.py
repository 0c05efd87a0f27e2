"""Gradients of the encoder: in pieces or whole, with or without dropout, they are those of the definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_models import PARALLEL, Deep, Drawn, assert_equal, bert, gradients, objective, plan, static

from mdr.errors import InputError
from mdr.training import losses
from mdr.training.batches import Bags, Batch, bags
from mdr.training.dual import DualEncoder, DualLearner
from mdr.training.objectives import LOSSES, Vectors
from mdr.training.plan import Plan
from mdr.training.settings import Objective
from mdr.training.towers import StaticTower

pytestmark = pytest.mark.usefixtures("one_thread")

EVERY = [
    objective("contrast"),
    objective("contrast", symmetric=True, margin=0.9),
    objective("margin"),
    objective("listwise", teacher_scale=2.0),
    objective("listwise", whole_batch=True),
    objective("semantic"),
    objective("language"),
    objective("alignment"),
    objective("alignment", whole_batch=True),
]
TOWERS: dict[str, Callable[[float], DualEncoder]] = {
    "tied": lambda dropout: DualEncoder(bert(dropout)),
    "untied": lambda dropout: DualEncoder(bert(dropout), bert(dropout, seed=1)),
    "static": lambda dropout: DualEncoder(static()),
    "damped": lambda dropout: DualEncoder(Deep(dropout)),
}
PLENTY = 1 << 30


def by_definition(model: DualEncoder, each: Objective, batch: Batch) -> dict[str, Tensor]:
    """Every text on its own, then the loss, then its derivative."""

    def encoded(these: Bags, role: Any) -> Tensor:
        rows = [model(these.take(np.array([row])), role) for row in range(len(these.offsets))]
        return torch.cat(rows) if rows else torch.empty(0, model.dimension)

    model.zero_grad()
    seen = Vectors(encoded(batch.queries, "query"), encoded(batch.passages, "passage"), encoded(batch.others, "query"))
    LOSSES[each.loss](each, batch, seen).backward()  # type: ignore[no-untyped-call]
    return {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("towers", TOWERS)
@pytest.mark.parametrize("each", EVERY, ids=lambda each: f"{each.loss}-{each.symmetric}-{each.whole_batch}")
def test_gradients_are_those_of_the_definition_whole_or_in_pieces(each: Objective, towers: str) -> None:
    model = TOWERS[towers](0.0)
    made = plan(each)
    expected = by_definition(model, each, made.step(0)[0][2])
    for piece, memory in ((PLENTY, PLENTY), (24, PLENTY), (24, 0), (1, 0)):
        assert_equal(gradients(DualLearner(model, made, piece=piece, memory=memory)), expected)


def test_aligned_against_the_batch_a_question_finds_its_list() -> None:
    """Among the candidates of its own list, a question that is near to another list altogether looks aligned."""
    passages = torch.eye(4)
    lists = np.array([[0, 1], [2, 3]])
    empty = bags([np.zeros(1, np.int64)] * 2)
    batch = Batch(empty, empty, candidates=lists, others=empty)
    asked = torch.tensor([[1.0, 0.9, 0, 0], [0, 0, 1.0, 0.9]])
    astray = torch.tensor([[1.0, 0.9, 5, 5], [5, 5, 1.0, 0.9]])
    own, whole = (objective("alignment", whole_batch=its) for its in (False, True))
    losses = [float(LOSSES["alignment"](each, batch, Vectors(asked, passages, astray))) for each in (own, whole)]
    assert losses[0] == pytest.approx(0, abs=1e-6) and losses[1] > 10


@pytest.mark.parametrize("towers", ["tied", "untied", "damped"])
def test_dropout_is_the_same_both_times(towers: str) -> None:
    model, made = TOWERS[towers](0.3), plan(*EVERY)
    kept, again, other = (DualLearner(model, made, piece=24, memory=memory) for memory in (PLENTY, 0, 0))
    expected = gradients(kept)
    assert_equal(gradients(again), expected)
    after = torch.rand(4)
    gradients(kept)
    assert torch.equal(torch.rand(4), after)  # random numbers go on alike
    other.model.eval()
    without = gradients(other)
    assert any((expected[name] - without[name]).abs().max() > 1e-2 for name in expected)


def test_a_sum_of_objectives_has_the_sum_of_their_gradients() -> None:
    model = DualEncoder(bert())
    parts = [gradients(DualLearner(model, plan(each))) for each in EVERY[:1]]
    weighted = EVERY[0].model_copy(update={"weight": 2.5})
    assert_equal(gradients(DualLearner(model, plan(weighted))), {name: 2.5 * each for name, each in parts[0].items()})
    made = plan(EVERY[2], EVERY[7])
    found = made.step(0)
    summed = gradients(DualLearner(model, made, memory=0))
    one, other = (by_definition(model, objective, batch) for objective, _, batch in found)
    assert_equal(summed, {name: one[name] + other[name] for name in one})


def test_losses_are_told_by_name() -> None:
    made = plan(objective("contrast", weight=0.5), objective("semantic"))
    told = DualLearner(DualEncoder(static()), made).backward(0)
    assert set(told) == {"loss", "texts", "contrast contrast", "semantic semantic"}
    assert told["loss"] == pytest.approx(0.5 * told["contrast contrast"] + told["semantic semantic"])
    assert told["texts"] == 16


def test_texts_without_tokens_have_finite_gradients() -> None:
    empty = bags([np.empty(0, np.int64), np.array([3, 4]), np.empty(0, np.int64)])

    class Empty:
        def draw(self, size: int, turn: int, random: Any) -> Batch:
            return Batch(empty, empty)

    for model in (DualEncoder(bert()), DualEncoder(static()), DualEncoder(static(damped=True))):
        made = Plan([objective("contrast")], {"contrast": Empty()}, steps=1, seed=0)
        for each in gradients(DualLearner(model, made, memory=0)).values():
            assert torch.isfinite(each).all()


def test_a_guide_masks_what_it_finds_too_near() -> None:
    """The guide has a token table in which passage 1 means the same as passage 0; the student has not."""
    queries, passages = bags([np.array([1]), np.array([2])]), bags([np.array([1]), np.array([3])])

    class Two:
        def draw(self, size: int, turn: int, random: Any) -> Batch:
            return Batch(queries, passages)

    table = torch.eye(8)
    table[3] = table[1] + 0.1 * table[2]  # query 0 finds passage 1 as near as its own; query 1 does not
    guide, student = DualEncoder(static()), DualEncoder(static())
    guide.query.table.data = table  # type: ignore[union-attr]
    guide.dimension = student.dimension
    guide.query.table.data = nn.functional.pad(table, (0, student.dimension - 8))  # type: ignore[union-attr]
    each = objective("contrast", margin=0.95)
    made = Plan([each], {"contrast": Two()}, steps=1, seed=0)
    with torch.no_grad():
        vectors = [student(these, role) for these, role in ((queries, "query"), (passages, "passage"))]
    masked = torch.tensor([[False, True], [False, False]])
    expected = losses.info_nce(*vectors, temperature=0.3, masked=masked).item()
    unmasked = losses.info_nce(*vectors, temperature=0.3).item()
    told = DualLearner(student, made, guide=guide).backward(0)
    assert told["loss"] == pytest.approx(expected, rel=1e-5) and abs(expected - unmasked) > 1e-3
    assert guide.query.table.grad is None  # type: ignore[union-attr]


class Watched(nn.Module):
    """A tower that knows how many numbers are kept for its way back."""

    in_pieces = True

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower, self.dimension = tower, tower.dimension
        self.alive = self.most = 0

    def forward(self, texts: Bags) -> Tensor:
        watched = self

        class Kept:
            def __init__(self, tensor: Tensor) -> None:
                self.tensor = tensor
                watched.alive += tensor.numel()
                watched.most = max(watched.most, watched.alive)

            def __del__(self) -> None:
                watched.alive -= self.tensor.numel()

        with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
            found: Tensor = self.tower(texts)
        return found


def most_kept(size: int, memory: int) -> int:
    tower = Watched(bert())
    learner = DualLearner(DualEncoder(tower), plan(objective("contrast", batch=size)), piece=256, memory=memory)
    learner.backward(0)
    assert tower.alive == 0
    return tower.most


def test_a_table_sees_each_side_of_a_batch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pass back goes over the whole table, so pieces, however small, are for networks only."""
    seen = []
    forward = StaticTower.forward
    monkeypatch.setattr(StaticTower, "forward", lambda self, texts: seen.append(1) or forward(self, texts))
    made = plan(objective("contrast", batch=16))
    gradients(DualLearner(DualEncoder(static()), made, piece=2, memory=0))
    assert len(seen) == 2


def test_what_is_kept_for_the_way_back_does_not_grow_with_the_batch() -> None:
    small, large = most_kept(64, memory=0), most_kept(4_096, memory=0)
    assert 0 < large <= 1.1 * small
    assert most_kept(512, memory=PLENTY) > 4 * small  # the watch works


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_low_precision_and_checkpointing_stay_near(precision: torch.dtype) -> None:
    tower, made = bert(0.1), plan(*EVERY)
    model = DualEncoder(tower).train()
    exact = gradients(DualLearner(model, made, memory=0))
    near = gradients(DualLearner(model, made, memory=0, precision=precision), scale=64.0)
    for name, each in exact.items():
        if each.norm() > 1e-3:
            assert torch.cosine_similarity(each.flatten(), near[name].flatten(), dim=0) > 0.98, name
            assert near[name].norm() / 64 == pytest.approx(float(each.norm()), rel=0.1)
    tower.network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    for memory in (0, PLENTY):
        assert_equal(gradients(DualLearner(model, made, memory=memory)), exact)
        again = gradients(DualLearner(model, made, memory=memory, precision=precision), scale=64.0)
        assert_equal(again, near, close=0.02)


def test_an_unknown_loss_is_refused() -> None:
    made = Plan([objective("likelihood")], {"likelihood": Drawn()}, steps=1, seed=0)
    with pytest.raises(InputError, match="an encoder cannot learn 'likelihood'"):
        DualLearner(DualEncoder(static()), made)


def test_a_step_without_texts_changes_nothing() -> None:
    class Nothing:
        def draw(self, size: int, turn: int, random: Any) -> Batch:
            return Batch(bags([]), bags([]))

    model = DualEncoder(static())
    made = Plan([objective("contrast")], {"contrast": Nothing()}, steps=1, seed=0)
    assert DualLearner(model, made).backward(0) == {"loss": 0.0}
    assert model.query.table.grad is None  # type: ignore[union-attr]


def test_parallel_losses_have_no_negatives() -> None:
    """What the batches above are made for."""
    assert {each.loss for each in EVERY} == set(LOSSES) and set(PARALLEL) < set(LOSSES)
