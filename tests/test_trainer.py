"""A run of training as a whole: exact after a kill, and stopped where it makes no sense, with what it stopped at."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import training_models
from torch import nn
from training_models import SETTINGS, Toy, objective, plan, run, static, train

from mdr.errors import ArtefactError, StorageError, TrainingError
from mdr.settings import ROOT
from mdr.training.checkpoints import load_checkpoint, save_checkpoint
from mdr.training.dual import DualEncoder, DualLearner
from mdr.training.processes import Processes
from mdr.training.settings import TrainerSettings
from mdr.training.trainer import CHECKPOINT

pytestmark = pytest.mark.usefixtures("one_thread")


def assert_same(one: nn.Module, other: nn.Module) -> None:
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)


# -- going on after a kill ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    torch.set_num_threads(1)
    model, events = run(tmp_path_factory.mktemp("straight"))
    for _ in events:
        pass
    return model


@pytest.mark.slow
def test_a_run_killed_anywhere_ends_with_the_weights_of_one_that_was_not(straight: nn.Module, tmp_path: Path) -> None:
    """Before there is a checkpoint, while one is being written, and a while after one."""
    for step, moment in ((2, "step"), (8, "saving"), (15, "step")):
        program = [sys.executable, training_models.__file__, str(tmp_path), str(step), moment]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        died = subprocess.run(program, capture_output=True, text=True, timeout=300, env=environment)
        assert died.returncode == -signal.SIGKILL, died.stderr
        state = load_checkpoint(tmp_path / CHECKPOINT, "toy")
        assert (state and state["progress"]["step"]) == {2: None, 8: 4, 15: 12}[step]
        assert (tmp_path / f"{CHECKPOINT}.tmp").exists() == (moment == "saving")
    model, events = run(tmp_path)
    told = list(events)
    assert told[0].message == "continues after step 12"
    assert told[-1].message == "kept the weights of step 8: dev 0.5000"
    assert_same(model, straight)


def test_a_cancelled_run_ends_alike(straight: nn.Module, tmp_path: Path) -> None:
    for steps in (6, 7):
        _, events = run(tmp_path)
        next(event for event in events if event.done == steps)
        events.close()  # type: ignore[attr-defined]
    torch.manual_seed(99)
    torch.rand(5)
    model, events = run(tmp_path)
    assert "continues after step" in next(events).message
    for _ in events:
        pass
    assert_same(model, straight)


def test_without_a_measure_the_average_is_resumed_too(tmp_path: Path) -> None:
    model, events = run(tmp_path / "straight", measure=False)
    assert list(events)[-1].message == "kept the averaged weights"
    _, events = run(tmp_path / "cut", measure=False)
    next(event for event in events if event.done == 7)
    again, events = run(tmp_path / "cut", measure=False)
    list(events)
    assert_same(again, model)
    plain, events = run(tmp_path / "plain", SETTINGS.model_copy(update={"average": 0.0}), measure=False)
    assert list(events)[-1].message == "kept the last weights"
    assert not torch.equal(next(plain.parameters()), next(model.parameters()))


def test_another_configuration_and_broken_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    save_checkpoint(path, {"identity": "other"})
    with pytest.raises(ArtefactError, match="of another configuration: other, this one is toy"):
        train(Toy(), TrainerSettings(steps=2), tmp_path)
    whole = path.read_bytes()
    for broken in (b"", b"no checkpoint", whole[: len(whole) // 2]):
        path.write_bytes(broken)
        with pytest.raises(ArtefactError, match="cannot be read") as caught:
            train(Toy(), TrainerSettings(steps=2), tmp_path)
        assert "delete" in caught.value.remedy
    torch.save([1, 2], path)
    with pytest.raises(ArtefactError, match="of another configuration: None"):
        train(Toy(), TrainerSettings(steps=2), tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("size", [1, 1_000_000])
def test_a_full_disk_leaves_the_old_checkpoint(size: int, tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    save_checkpoint(path, {"identity": "toy", "step": 1})
    scratch = path.with_name(f"{path.name}.tmp")
    scratch.symlink_to("/dev/full")
    with pytest.raises(StorageError, match="No space left on device"):
        save_checkpoint(path, {"identity": "toy", "step": 2, "weights": torch.zeros(size)})
    assert load_checkpoint(path, "toy") == {"identity": "toy", "step": 1}
    assert [each.name for each in tmp_path.iterdir()] == [CHECKPOINT]


# -- stopping -------------------------------------------------------------------------------------------------


def explode(step: int) -> float:
    return 1.0 if step < 50 else 50.0


@pytest.mark.parametrize(
    ("learner", "step", "what"),
    [
        (Toy(loss=lambda step: math.nan if step == 2 else 1.0), 2, "the loss became nan"),
        (Toy(loss=lambda step: math.inf if step == 0 else 1.0), 0, "the loss became inf"),
        (Toy(gradient=lambda step: math.nan if step == 3 else 1.0), 3, "the gradient became nan"),
        (Toy(loss=explode), 50, "the loss rose from 1 to 3.45"),
    ],
)
def test_nonsense_stops_with_its_batch(learner: Toy, step: int, what: str, tmp_path: Path) -> None:
    folder = tmp_path / ".draft"
    folder.mkdir()
    with pytest.raises(TrainingError) as caught:
        train(learner, TrainerSettings(steps=60), folder)
    assert what in caught.value.problem and f"at step {step + 1} of 60" in caught.value.problem
    path = tmp_path / "draft.stopped.json"
    assert str(path) in caught.value.problem
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert saved["step"] == step and saved["batch"] == [step] and set(saved["losses"]) == {"part", "loss", "texts"}
    for each in learner.model.parameters():
        assert torch.isfinite(each).all()


def test_a_real_batch_that_gives_no_number_is_described(tmp_path: Path) -> None:
    model = DualEncoder(static())
    with torch.no_grad():
        model.query.table.fill_(math.inf)  # type: ignore[union-attr,operator]
    learner = DualLearner(model, plan(objective("contrast")))
    with pytest.raises(TrainingError, match="the loss became nan at step 1"):
        train(learner, TrainerSettings(steps=1), tmp_path)
    saved = json.loads((tmp_path.parent / f"{tmp_path.name}.stopped.json").read_text())
    assert len(saved["objectives"][0]["queries"]) == 8


def test_an_objective_that_joins_later_is_no_divergence(tmp_path: Path) -> None:
    class Joined(Toy):
        def backward(self, step: int, scale: float = 1.0) -> dict[str, float]:
            told = super().backward(step, scale)
            return told if step < 50 else told | {"other": 9.0, "loss": 10.0}

    assert train(Joined(), TrainerSettings(steps=120), tmp_path)[-1].message == "kept the last weights"


def test_every_step_of_every_process_has_random_numbers_of_its_own(tmp_path: Path) -> None:
    def drawn(rank: int, seed: int) -> list[float]:
        found: list[float] = []

        class Drawing(Toy):
            def backward(self, step: int, scale: float = 1.0) -> dict[str, float]:
                found.append(float(torch.rand(())))
                return super().backward(step, scale)

        train(Drawing(), TrainerSettings(steps=4, seed=seed), tmp_path / f"{rank}-{seed}", processes=Processes(rank, 1))
        return found

    runs = [drawn(rank, seed) for rank in (0, 1) for seed in (0, 1)]
    assert len({number for each in runs for number in each}) == 16
    assert drawn(1, 0) == runs[2]
