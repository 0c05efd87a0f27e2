"""The one loop: draw a step, differentiate, clip, update; tell, save, and stop when it makes no sense any more."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from mdr.errors import TrainingError
from mdr.storage.files import write_json
from mdr.training.checkpoints import load_checkpoint, save_checkpoint
from mdr.training.processes import Processes
from mdr.training.scaling import LossScale
from mdr.training.settings import TrainerSettings
from mdr.types import Event

CHECKPOINT = ".checkpoint.pt"
_SETTLED = 20
"""Steps after which the loss that a run begins with is known."""


class Learner(Protocol):
    """What a loop needs of a model in training."""

    @property
    def model(self) -> nn.Module: ...
    @property
    def precision(self) -> torch.dtype | None:
        """Of autocast, where there is one."""
        ...

    def backward(self, step: int, scale: float = 1.0) -> dict[str, float]:
        """Add a step's gradients, times `scale`, to the parameters; each part of the loss by name, "loss" being what
        is minimised."""
        ...

    def describe(self, step: int) -> Any:
        """What a step trained on, for a person to look at."""
        ...


@dataclass
class _Progress:
    """What a checkpoint keeps beside weights."""

    step: int = 0
    since: int = 0
    first: float = math.nan
    best: float = -math.inf
    best_step: int = -1
    told: dict[str, float] = field(default_factory=dict)


class Trainer:
    """Trains a learner's model in a folder. `measure` looks at the model: higher is better, the best weights are kept;
    without it the last are."""

    def __init__(
        self,
        learner: Learner,
        settings: TrainerSettings,
        folder: Path,
        *,
        identity: str,
        measure: Callable[[], float] | None = None,
        processes: Processes | None = None,
        stage: str = "train",
    ) -> None:
        self._learner, self._settings, self._folder = learner, settings, folder
        self._identity, self._measure, self._stage = identity, measure, stage
        self._processes = processes or Processes()
        self._named = {name: each for name, each in learner.model.named_parameters() if each.requires_grad}
        self._optimizer = torch.optim.AdamW(_groups(self._named, settings), betas=settings.betas, fused=True)
        self._average = {name: each.detach().clone() for name, each in self._named.items()} if settings.average else {}
        self._best: dict[str, Tensor] = {}
        self._scale = LossScale(learner.precision)
        self._progress = _Progress()

    def run(self) -> Iterator[Event]:
        """Train to the end, from the last checkpoint where there is one. Afterwards the model has its final weights."""
        settings, progress = self._settings, self._progress
        if self._resume():
            yield self._event("note", f"continues after step {progress.step:,}")
        self._learner.model.train()
        began, before = time.monotonic(), progress.step
        while progress.step < settings.steps:
            parts, norm = self._step(progress.step)
            progress.step += 1
            self._note(parts)
            rate = self._optimizer.param_groups[0]["lr"]
            yield self._told(parts, norm, rate, (time.monotonic() - began) / (progress.step - before))
            last = progress.step == settings.steps
            if self._measure is not None and (progress.step % settings.every == 0 or last):
                yield self._look()
            if progress.step % settings.checkpoint == 0 and not last:
                self._save()
        self._settle()
        self._learner.model.eval()
        yield self._event("note", self._ended())

    def _step(self, step: int) -> tuple[dict[str, float], float]:
        settings = self._settings
        for group in self._optimizer.param_groups:
            group["lr"] = group["height"] * self._height(step)
        self._optimizer.zero_grad(set_to_none=True)
        # Dropout is a function of the step as the batch is: nothing to keep, and a resumed run draws the same.
        torch.manual_seed(int(np.random.SeedSequence([settings.seed, step, self._processes.rank]).generate_state(1)[0]))
        parts = self._learner.backward(step, self._scale.value)
        if not math.isfinite(parts["loss"]):
            raise self._stop(step, parts, f"the loss became {parts['loss']}")
        self._scale.undo(self._named.values())
        norm = float(torch.nn.utils.clip_grad_norm_(self._named.values(), settings.clip or math.inf))
        if self._scale.overflowed(norm):
            return parts, norm
        if not math.isfinite(norm):
            raise self._stop(step, parts, f"the gradient became {norm}")
        self._optimizer.step()
        decay = min(settings.average, (step + 1) / (step + 10))  # else a short run is mostly where it began
        for name, average in self._average.items():
            average.lerp_(self._named[name].detach(), 1 - decay)
        return parts, norm

    def _height(self, step: int) -> float:
        """Linear up, linear down."""
        settings = self._settings
        rising = settings.warmup * settings.steps
        if step < rising:
            return (step + 1) / (rising + 1)
        left = (settings.steps - step) / max(1.0, settings.steps - rising)
        return settings.floor + (1 - settings.floor) * left

    def _note(self, parts: Mapping[str, float]) -> None:
        """Smooth the losses, and stop where they stay far above their beginning: that of the last objective to join."""
        progress, settings = self._progress, self._settings
        if not set(parts) <= set(progress.told):
            progress.since = progress.step
        for name, value in parts.items():
            progress.told[name] = 0.95 * progress.told.get(name, value) + 0.05 * value
        smooth, steps = progress.told["loss"], progress.step - progress.since
        if steps == _SETTLED:
            progress.first = smooth
        if steps > 2 * _SETTLED and smooth > settings.diverged * max(progress.first, 1e-3):
            raise self._stop(progress.step - 1, parts, f"the loss rose from {progress.first:.3g} to {smooth:.3g}")

    def _stop(self, step: int, parts: Mapping[str, float], what: str) -> TrainingError:
        path = self._folder.parent / f"{self._folder.name.strip('.')}.stopped.json"
        losses = {name: str(value) for name, value in parts.items()}  # as text: JSON knows no NaN
        write_json(path, {"step": step, "losses": losses, **self._learner.describe(step)})
        return TrainingError(
            f"{what} at step {step + 1:,} of {self._settings.steps:,}; what it trained on is in {path}",
            "lower the rate, or raise the warm-up; look into the batch for texts that should not be there",
        )

    def _look(self) -> Event:
        assert self._measure is not None
        progress = self._progress
        with self.weights():
            self._learner.model.eval()
            value = self._measure()
            self._learner.model.train()
            if value > progress.best:
                progress.best, progress.best_step = value, progress.step
                self._best = {name: each.detach().clone() for name, each in self._named.items()}
        said = f"dev {value:.4f}, best {progress.best:.4f} at step {progress.best_step:,}"
        return self._event("note", said, data={"step": progress.step, "dev": value})

    @contextmanager
    def weights(self) -> Iterator[None]:
        """With the averaged weights in the model, where there are any."""
        kept = {name: self._named[name].detach().clone() for name in self._average}
        self._put(self._average)
        try:
            yield
        finally:
            self._put(kept)

    def _put(self, values: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in values.items():
                self._named[name].copy_(value)

    def _settle(self) -> None:
        """The final weights: the best measured, else the average, else the last."""
        self._put(self._best or self._average)

    def _ended(self) -> str:
        progress = self._progress
        if self._best:
            return f"kept the weights of step {progress.best_step:,}: dev {progress.best:.4f}"
        return "kept the averaged weights" if self._average else "kept the last weights"

    # -- going on after a kill ------------------------------------------------------------------------------

    def _save(self) -> None:
        if self._processes.first:
            save_checkpoint(
                self._folder / CHECKPOINT,
                {
                    "identity": self._identity,
                    "progress": vars(self._progress) | {"told": dict(self._progress.told)},
                    "model": dict(self._named),
                    "average": self._average,
                    "best": self._best,
                    "optimizer": self._optimizer.state_dict(),
                    "scale": (self._scale.value, self._scale.calm),
                },
            )
        self._processes.wait()

    def _resume(self) -> bool:
        state = load_checkpoint(self._folder / CHECKPOINT, self._identity)
        if state is None:
            return False
        for name, value in state["progress"].items():
            setattr(self._progress, name, value)
        self._put(state["model"])
        device = next(iter(self._named.values())).device
        self._average = {name: value.to(device) for name, value in state["average"].items()}
        self._best = {name: value.to(device) for name, value in state["best"].items()}
        self._optimizer.load_state_dict(state["optimizer"])
        self._scale.value, self._scale.calm = state["scale"]
        return True

    # -- telling --------------------------------------------------------------------------------------------

    def _told(self, parts: Mapping[str, float], norm: float, rate: float, seconds: float) -> Event:
        progress, settings = self._progress, self._settings
        left = (settings.steps - progress.step) * seconds
        texts = parts.get("texts", 0)
        said = ", ".join(f"{name} {value:.3f}" for name, value in progress.told.items() if name != "texts")
        speed = f"{progress.told.get('texts', 0) / seconds:,.0f} pairs/s" if texts else ""
        return self._event(
            "progress",
            ", ".join(part for part in (said, speed) if part),
            done=progress.step,
            total=settings.steps,
            unit="steps",
            data={
                "step": progress.step,
                "losses": {name: value for name, value in parts.items() if name != "texts"},
                "rate": rate,
                "gradient": norm if math.isfinite(norm) else None,  # None: a step left out
                "pairs": texts,
                "seconds": seconds,
                "left": left,
            },
        )

    def _event(self, kind: Any, message: str = "", **values: Any) -> Event:
        return Event(self._stage, kind, message, **values)


def _groups(named: Mapping[str, nn.Parameter], settings: TrainerSettings) -> Sequence[dict[str, Any]]:
    """Matrices decay; norms, biases and token tables do not, and tables may learn at a rate of their own."""
    tables = [each for name, each in named.items() if each.ndim == 2 and _is_table(name)]
    ids = {id(each) for each in tables}
    matrices = [each for each in named.values() if each.ndim > 1 and id(each) not in ids]
    rest = [each for each in named.values() if each.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": settings.decay, "height": settings.rate},
        {"params": rest, "weight_decay": 0.0, "height": settings.rate},
        {"params": tables, "weight_decay": 0.0, "height": settings.table_rate or settings.rate},
    ]
    return [group | {"lr": group["height"]} for group in groups if group["params"]]


def _is_table(name: str) -> bool:
    return any(part in name for part in ("table", "embed", "shared"))
