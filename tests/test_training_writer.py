"""The generator as a learner: its gradients are those of the whole batch by the definition, in pieces of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from training_models import VOCABULARY, gradients, objective
from transformers import T5Config, T5ForConditionalGeneration

from mdr.errors import InputError
from mdr.training.batches import Batch, Random, bags
from mdr.training.plan import Plan
from mdr.training.settings import TrainerSettings
from mdr.training.trainer import Trainer
from mdr.training.writer import WriterLearner

pytestmark = pytest.mark.usefixtures("one_thread")

END = 1


@pytest.fixture
def model() -> T5ForConditionalGeneration:
    torch.manual_seed(2)
    shape = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "dropout_rate": 0.0}
    config = T5Config(vocab_size=VOCABULARY, decoder_start_token_id=0, pad_token_id=0, eos_token_id=END, **shape)
    return T5ForConditionalGeneration(config)


class Written:
    """Passages to read, queries to write; with candidates, each query has some passages to choose from."""

    def __init__(self, candidates: int = 0) -> None:
        self._candidates = candidates

    def draw(self, size: int, turn: int, random: Random) -> Batch:
        count = 2 * size if self._candidates else size

        def some(number: int, longest: int) -> Any:
            return bags([random.integers(2, VOCABULARY, random.integers(1, longest)) for _ in range(number)])

        places = [random.choice(count, self._candidates, replace=False) for _ in range(size)]
        return Batch(some(size, 6), some(count, 20), candidates=np.stack(places) if self._candidates else None)


def learner(model: Any, loss: str, piece: int = 1 << 20, **options: Any) -> WriterLearner:
    sources = {"likelihood": Written(), "ranking": Written(4)}
    made = Plan([objective(loss, batch=6, weight=0.7)], sources, steps=2, seed=1)
    return WriterLearner(model, made, padding=0, piece=piece, **options)


def assert_near(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    largest = max(float(each.abs().max()) for each in expected.values())
    for name, each in expected.items():
        torch.testing.assert_close(found[name], each, rtol=0, atol=3e-6 * largest)


def plain(model: Any, read: list[list[int]], written: list[list[int]]) -> Any:
    """What transformers makes of a padded batch."""
    ids = torch.tensor([each + [0] * (max(map(len, read)) - len(each)) for each in read])
    labels = torch.tensor([each + [-100] * (max(map(len, written)) - len(each)) for each in written])
    return model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels)


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("piece", [1 << 20, 40, 1])
def test_likelihood_is_what_transformers_minimises(model: Any, step: int, piece: int) -> None:
    made = learner(model, "likelihood", piece)
    batch = made._plan.step(step)[0][2]
    model.zero_grad()
    loss = plain(model, batch.passages.lists(), batch.queries.lists()).loss
    (0.7 * loss).backward()
    expected = {name: each.grad.clone() for name, each in model.named_parameters()}
    assert_near(gradients(made, step), expected)
    told = made.backward(step)
    assert told["likelihood likelihood"] == pytest.approx(loss.item(), rel=1e-5)
    assert told["loss"] == pytest.approx(0.7 * loss.item(), rel=1e-5) and told["texts"] == 6


@pytest.mark.parametrize("piece", [1 << 20, 100, 1])
def test_ranking_is_the_softmax_of_mean_log_probabilities(model: Any, piece: int) -> None:
    made = learner(model, "ranking", piece)
    batch = made._plan.step(0)[0][2]
    queries, passages = batch.queries.lists(), batch.passages.lists()
    assert batch.candidates is not None
    model.zero_grad()
    losses = []
    for query, row in zip(queries, batch.candidates.tolist(), strict=True):
        likelihoods = []
        for place in row:
            logged = plain(model, [passages[place]], [query]).logits[0].log_softmax(-1)
            likelihoods.append(logged[torch.arange(len(query)), torch.tensor(query)].mean())
        losses.append(-torch.stack(likelihoods).log_softmax(0)[0])
    loss = torch.stack(losses).mean()
    (0.7 * loss).backward()  # type: ignore[no-untyped-call]
    expected = {name: each.grad.clone() for name, each in model.named_parameters()}
    assert_near(gradients(made), expected)
    assert made.backward(0)["ranking ranking"] == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_low_precision_stays_near(model: Any, precision: torch.dtype) -> None:
    exact = gradients(learner(model, "likelihood"))
    near = gradients(learner(model, "likelihood", precision=precision), scale=1_024.0)
    for name, each in exact.items():
        assert torch.cosine_similarity(each.flatten(), near[name].flatten(), dim=0) > 0.98, name
        assert near[name].norm() / 1_024 == pytest.approx(float(each.norm()), rel=0.1)


def test_a_generator_learns_to_write_one_query(model: Any, tmp_path: Any) -> None:
    class Same:
        def draw(self, size: int, turn: int, random: Random) -> Batch:
            return Batch(bags([np.array([7, 8, 9, END])]), bags([np.array([5, 6])]))

    made = Plan([objective("likelihood")], {"likelihood": Same()}, steps=60, seed=0)
    learning = WriterLearner(model, made, padding=0)
    list(Trainer(learning, TrainerSettings(steps=60, rate=0.03), tmp_path, identity="toy").run())
    written = model.generate(torch.tensor([[5, 6]]), max_new_tokens=6)[0].tolist()
    assert written == [0, 7, 8, 9, END]


def test_what_a_generator_cannot_learn_is_refused(model: Any) -> None:
    made = Plan([objective("contrast")], {"contrast": Written()}, steps=1, seed=0)
    with pytest.raises(InputError, match="a generator cannot learn 'contrast'"):
        WriterLearner(model, made, padding=0)
    made = Plan([objective("ranking")], {"ranking": Written()}, steps=1, seed=0)
    with pytest.raises(InputError, match="ranking needs candidates"):
        WriterLearner(model, made, padding=0).backward(0)


def test_a_step_is_described(model: Any) -> None:
    made = learner(model, "likelihood")
    batch = made._plan.step(0)[0][2]
    assert made.describe(0) == {
        "objectives": [
            {"objective": "likelihood likelihood", "read": batch.passages.lists(), "written": batch.queries.lists()}
        ]
    }
