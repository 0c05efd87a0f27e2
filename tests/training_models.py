"""Tiny towers, batches and runs that tests of training share. Loads no transformers until a transformer is asked for.

As a program it trains in a folder and kills itself: `python training_models.py FOLDER STEP MOMENT`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mdr.training import checkpoints
from mdr.training.batches import NONE, Bags, Batch, Random, bags
from mdr.training.dual import DualEncoder, DualLearner
from mdr.training.plan import Plan
from mdr.training.processes import Processes
from mdr.training.settings import Objective, TrainerSettings
from mdr.training.towers import StaticTower, TransformerTower
from mdr.training.trainer import Trainer
from mdr.types import Event

VOCABULARY, WIDTH = 60, 16


def texts(count: int, random: Random, longest: int = 9) -> Bags:
    """Random tokens; now and then no text at all."""
    return bags([random.integers(1, VOCABULARY, random.integers(0, longest)) for _ in range(count)])


def batch(size: int, random: Random, *, negatives: int = 3, candidates: int = 4) -> Batch:
    """A batch with something for every loss."""
    count = size + negatives
    masked = random.random((size, count)) < 0.1
    masked[np.arange(size), np.arange(size)] = False
    return Batch(
        texts(size, random),
        texts(count, random, 14),
        texts(size, random),
        masked=masked,
        candidates=np.stack([random.choice(count, candidates, replace=False) for _ in range(size)]),
        teacher=random.standard_normal((size, candidates)).astype(np.float32),
        weights=random.uniform(0.5, 2, size).astype(np.float32),
    )


PARALLEL = ("semantic", "language")
"""Losses of sentences and translations: as many passages as queries."""


class Drawn:
    """A source of such batches."""

    def __init__(self, loss: str = "contrast") -> None:
        self._negatives = 0 if loss in PARALLEL else 3
        self._others = loss in ("language", "alignment")

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        found = batch(size, random, negatives=self._negatives)
        return found if self._others else Batch(**(vars(found) | {"others": NONE}))


class Deep(nn.Module):
    """A static table with a layer and dropout behind it: as little as can have all kinds of weights."""

    in_pieces = True

    def __init__(self, dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        self.below = StaticTower(torch.randn(VOCABULARY, WIDTH, generator=random), damped=True)
        self.above = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.dropout = nn.Dropout(dropout)
        self.dimension = WIDTH
        with torch.no_grad():
            for each in self.above.parameters():
                each.copy_(torch.randn(each.shape, generator=random) / 4)

    def forward(self, these: Bags) -> Tensor:
        return nn.functional.normalize(self.norm(self.above(self.dropout(self.below(these)))), dim=-1)


def bert(dropout: float = 0.0, seed: int = 0) -> TransformerTower:
    """Two layers of BERT."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    shape = {"hidden_size": WIDTH, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 32}
    drop = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    config = BertConfig(vocab_size=VOCABULARY, max_position_embeddings=20, **shape, **drop)
    network = BertModel(config, add_pooling_layer=False)
    with torch.no_grad():
        for each in network.parameters():  # far from zero, so that no difference hides
            each.add_(0.1 * torch.randn(each.shape))
    return TransformerTower(network)


def static(damped: bool = False) -> StaticTower:
    """A table of random rows."""
    return StaticTower(torch.randn(VOCABULARY, WIDTH, generator=torch.Generator().manual_seed(5)), damped=damped)


def objective(loss: str, **options: Any) -> Objective:
    """One that draws from a source by its own name."""
    return Objective(loss=loss, sources={loss: 1.0}, **({"batch": 8, "temperature": 0.3} | options))


def plan(*objectives: Objective, steps: int = 1, seed: int = 3) -> Plan:
    """Over random batches."""
    sources = {name: Drawn(each.loss) for each in objectives for name in each.sources}
    return Plan(objectives, sources, steps=steps, seed=seed)


def gradients(learner: Any, step: int = 0, **options: Any) -> dict[str, Tensor]:
    """Of one step, dropout by a seed."""
    learner.model.zero_grad()
    torch.manual_seed(11)
    learner.backward(step, **options)
    return {
        name: each.grad.clone() for name, each in learner.model.named_parameters() if each.grad is not None
    }


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor], close: float = 3e-6) -> None:
    """To a few units in the last place of the largest gradient."""
    assert one.keys() == other.keys() and one
    largest = max(float(each.abs().max()) for each in one.values())
    assert largest > 1e-3
    for name, each in one.items():
        apart = float((each - other[name]).abs().max()) / largest
        assert apart <= close, f"{name}: {apart:.1e} of the largest gradient apart"


class Toy:
    """A learner whose loss and gradients are whatever a test says of a step."""

    precision: torch.dtype | None = None

    def __init__(self, loss: Callable[[int], float] = lambda step: 1.0, gradient: Any = lambda step: 1.0) -> None:
        self.model = nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 2), nn.LayerNorm(2))
        with torch.no_grad():
            for each in self.model.parameters():
                each.fill_(1.0)
        self._loss, self._gradient = loss, gradient
        self.scales: list[float] = []

    def backward(self, step: int, scale: float = 1.0) -> dict[str, float]:
        self.scales.append(scale)
        for each in self.model.parameters():
            each.grad = torch.full_like(each, scale * self._gradient(step))
        return {"part": self._loss(step), "loss": self._loss(step), "texts": 4.0}

    def describe(self, step: int) -> Any:
        return {"batch": [step]}


def train(learner: Any, settings: TrainerSettings, folder: Path, **options: Any) -> list[Event]:
    return list(Trainer(learner, settings, folder, identity="toy", **options).run())


SETTINGS = TrainerSettings(steps=16, rate=0.02, average=0.9, checkpoint=4, every=4, warmup=0.25)


def run(
    folder: Path, settings: TrainerSettings = SETTINGS, *, measure: bool = True, processes: Processes | None = None
) -> tuple[DualEncoder, Iterator[Event]]:
    """A model and the events of its training, in which everything that a checkpoint keeps takes part."""
    model = DualEncoder(Deep(dropout=0.2, seed=1))
    learner = DualLearner(
        model,
        plan(objective("contrast", symmetric=True), objective("listwise", whole_batch=True), steps=settings.steps),
        memory=20,
        piece=16,
        processes=processes,
    )

    def dev() -> float:  # best in the middle, so that the best weights are not the last
        torch.rand(3)
        looks = next(counted)
        return [0.1, 0.5, 0.3, 0.2][looks]

    counted = _looks(folder)
    trainer = Trainer(
        learner, settings, folder, identity="toy", measure=dev if measure else None, processes=processes
    )
    return model, trainer.run()


def _looks(folder: Path) -> Iterator[int]:
    """The number of a look, told from the checkpoint: a resumed run must not count from 0 again."""
    state = checkpoints.load_checkpoint(folder / ".checkpoint.pt", "toy")
    looks = 0 if state is None else state["progress"]["step"] // SETTINGS.every
    while True:
        yield looks
        looks += 1


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, step: int, moment: str) -> None:
    """Train, and die after a step or while its checkpoint is being written."""
    torch.set_num_threads(1)
    _, events = run(folder)
    for event in events:
        if event.kind == "progress" and event.done == step and moment == "step":
            _kill()
        if event.kind == "progress" and event.done == step - 1 and moment == "saving":
            kill: Callable[[Path], None] = lambda path: _kill()  # noqa: E731
            checkpoints.fsync_file = kill


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
