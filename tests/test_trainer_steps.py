"""The steps of training: how weights move, which are kept, what is told, and fp16's way around small numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_models import Deep, Toy, batch, objective, plan, train

from mdr.training.batches import Batch
from mdr.training.dual import DualEncoder, DualLearner
from mdr.training.plan import Plan
from mdr.training.scaling import LossScale
from mdr.training.settings import TrainerSettings
from mdr.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")


def weights(model: nn.Module) -> list[Tensor]:
    return [each.detach().clone() for each in model.parameters()]


# -- which weights are kept -----------------------------------------------------------------------------------


def test_the_average_follows_the_weights(tmp_path: Path) -> None:
    settings = TrainerSettings(steps=30, rate=0.1, warmup=0, floor=1, decay=0, average=0.8, clip=0)
    learner = Toy()
    seen: list[Tensor] = []
    expected = learner.model[1].bias.detach().clone()
    for event in Trainer(learner, settings, tmp_path, identity="toy").run():
        if event.kind == "progress":
            seen.append(learner.model[1].bias.detach().clone())
    for step, each in enumerate(seen):
        decay = min(0.8, (step + 1) / (step + 10))
        expected = decay * expected + (1 - decay) * each
    torch.testing.assert_close(learner.model[1].bias.detach(), expected)
    assert learner.model[1].bias[0] > seen[-1][0]  # it lags


def test_the_best_measured_weights_are_kept(tmp_path: Path) -> None:
    learner = Toy()
    looks: list[list[Tensor]] = []
    values = iter([0.2, 0.7, math.nan, 0.7, 0.1])

    def measure() -> float:
        assert not learner.model.training
        looks.append(weights(learner.model))
        return next(values)

    told = train(learner, TrainerSettings(steps=9, every=2, rate=0.1), tmp_path, measure=measure)
    assert len(looks) == 5  # every second step, and at the end
    for each, best in zip(learner.model.parameters(), looks[1], strict=True):
        assert torch.equal(each, best)
    assert told[-1].message == "kept the weights of step 4: dev 0.7000"
    assert [event.data["dev"] for event in told if "dev" in event.data][:2] == [0.2, 0.7]
    assert not learner.model.training


# -- how weights move, and what is told -----------------------------------------------------------------------


def test_the_rate_rises_and_falls(tmp_path: Path) -> None:
    settings = TrainerSettings(steps=40, warmup=0.25, floor=0.1, rate=2.0, table_rate=3.0)
    told = train(Toy(), settings, tmp_path)
    rates = [event.data["rate"] for event in told if event.kind == "progress"]
    assert rates[:10] == pytest.approx([2.0 * (step + 1) / 11 for step in range(10)])
    assert rates[10] == 2.0 and np.argmax(rates) == 10
    assert np.diff(rates[10:]) == pytest.approx(-2.0 * 0.9 / 30)
    assert rates[-1] == pytest.approx(2.0 * (0.1 + 0.9 / 30))


def test_only_matrices_decay_and_tables_have_a_rate_of_their_own(tmp_path: Path) -> None:
    still = Toy(gradient=lambda step: 0.0)
    train(still, TrainerSettings(steps=1, rate=0.1, warmup=0, decay=0.5), tmp_path)
    matrix = still.model[1].weight
    assert matrix.flatten().tolist() == pytest.approx([1 - 0.1 * 0.5] * 4)
    for name, each in still.model.named_parameters():
        assert name in ("1.weight", "0.weight") or torch.equal(each, torch.ones_like(each)), name

    model = DualEncoder(Deep())
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    learner = DualLearner(model, plan(objective("contrast")))
    train(learner, TrainerSettings(steps=1, rate=0.1, table_rate=0.5, warmup=0, decay=0.5), tmp_path)
    moved = {name: float((each.detach() - before[name]).abs().max()) for name, each in model.named_parameters()}
    assert moved["query.below.table"] == pytest.approx(0.5, rel=1e-2)  # Adam's first step is the rate
    assert moved["query.norm.bias"] == pytest.approx(0.1, rel=1e-2)


@pytest.mark.parametrize("clip", [0.0, 0.5, 100.0])
def test_long_gradients_are_cut(clip: float, tmp_path: Path) -> None:
    learner = Toy()
    length = sum(each.numel() for each in learner.model.parameters()) ** 0.5
    told = train(learner, TrainerSettings(steps=1, clip=clip), tmp_path)
    assert told[0].data["gradient"] == pytest.approx(length)
    left = sum(float(each.grad.square().sum()) for each in learner.model.parameters()) ** 0.5
    assert left == pytest.approx(min(length, clip or math.inf), rel=1e-4)


def test_events_tell_how_it_goes(tmp_path: Path) -> None:
    told = [event for event in train(Toy(), TrainerSettings(steps=3), tmp_path) if event.kind == "progress"]
    assert [(event.done, event.total, event.unit, event.stage) for event in told] == [
        (step, 3, "steps", "train") for step in (1, 2, 3)
    ]
    for event in told:
        data = event.data
        assert data["losses"] == {"part": 1.0, "loss": 1.0} and data["pairs"] == 4 and data["seconds"] > 0
        assert data["left"] == pytest.approx(data["seconds"] * (3 - event.done))
        assert "part 1.000, loss 1.000" in event.message and "pairs/s" in event.message
        json.dumps(data, allow_nan=False)


# -- fp16 -----------------------------------------------------------------------------------------------------


def test_fp16_gradients_are_scaled_and_steps_that_overflow_left_out(tmp_path: Path) -> None:
    learner = Toy(gradient=lambda step: math.inf if step in (1, 2) else 1.0)
    learner.precision = torch.float16
    before: list[Tensor] = []
    for event in Trainer(learner, TrainerSettings(steps=5, rate=0.1), tmp_path, identity="toy").run():
        if event.kind != "progress":
            continue
        moved = not before or not torch.equal(before[0], learner.model[1].bias)
        assert moved == (event.done not in (2, 3))
        assert (event.data["gradient"] is None) == (event.done in (2, 3))
        before = weights(learner.model)[2:3]
    assert learner.scales == [2.0**15, 2.0**15, 2.0**14, 2.0**13, 2.0**13]
    plain = Toy()
    assert train(plain, TrainerSettings(steps=1), tmp_path / "plain")[0].data["gradient"] == 4.0
    assert plain.scales == [1.0]


def test_fp16_scales_grow_again_and_give_up_at_one() -> None:
    scale = LossScale(torch.float16)
    assert not any(scale.overflowed(1.0) for _ in range(2_000)) and scale.value == 2.0**16
    assert all(scale.overflowed(math.inf) for _ in range(16)) and scale.value == 1
    assert not scale.overflowed(math.nan)  # the trainer stops
    exact = LossScale(torch.bfloat16)
    assert not exact.overflowed(math.inf) and exact.value == 1


def test_fp16_training_goes_where_fp32_goes(tmp_path: Path) -> None:
    class Same:
        def draw(self, size: int, turn: int, random: Any) -> Batch:
            return batch(size, np.random.default_rng(0))

    found = {}
    for precision in (None, torch.float16):
        made = Plan([objective("contrast")], {"contrast": Same()}, steps=30, seed=0)
        learner = DualLearner(DualEncoder(Deep(seed=1)), made, precision=precision)
        told = train(learner, TrainerSettings(steps=30, rate=0.01), tmp_path / str(precision))
        found[precision] = [event.data["losses"]["loss"] for event in told if event.kind == "progress"]
    assert found[torch.float16] == pytest.approx(found[None], rel=0.02)
    assert found[None][-1] < 0.8 * found[None][0]
