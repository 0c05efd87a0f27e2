"""fp16 holds no small numbers: gradients are computed of a multiple of the loss, and brought back before they count."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

_FIRST, _CALM = 2.0**15, 2_000
"""The multiple to begin with, and steps without overflow after which it doubles."""


class LossScale:
    """By how much to multiply a loss; 1, and never another, for other precisions."""

    def __init__(self, precision: torch.dtype | None) -> None:
        self._used = precision == torch.float16
        self.value = _FIRST if self._used else 1.0
        self.calm = 0

    def undo(self, parameters: Iterable[Tensor]) -> None:
        """Gradients as they are without it."""
        if self._used:
            for each in parameters:
                if each.grad is not None:
                    each.grad.div_(self.value)

    def overflowed(self, norm: float) -> bool:
        """Whether a step with gradients of this length is to be left out; the next scale follows from it.

        At scale 1 it is not the scale's fault, so the answer is no."""
        if not self._used:
            return False
        if not math.isfinite(norm):
            self.calm = 0
            found = self.value > 1
            self.value = max(1.0, self.value / 2)
            return found
        self.calm += 1
        if self.calm == _CALM:
            self.value, self.calm = 2 * self.value, 0
        return False
