"""Which precision is fastest on this machine: measured, since bf16 is 8 times faster here, 100 times slower there."""

from __future__ import annotations

import time
from functools import lru_cache

import torch
from torch.nn import functional

_TOKENS, _WIDEST = 128, 256
_RUNS = 5
_GAIN = 1.3
"""How much faster low precision must be to be worth its noise."""
_HOPELESS = 20
"""How much slower a single run must be to stop asking."""


@lru_cache(maxsize=16)
def low_precision(device: str, width: int) -> torch.dtype | None:
    """bf16 or fp16 where batches of this width run clearly faster in it, else None."""
    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    width = min(width, _WIDEST)  # more takes longer and says the same
    full, low = _Layer(width, torch.float32), _Layer(width, torch.bfloat16)
    for _ in range(_RUNS):  # in turns, so that a busy machine slows down both
        full.run()
        low.run()
        if low.best > _HOPELESS * full.best:
            return None
    return torch.bfloat16 if full.best > _GAIN * low.best else None


class _Layer:
    """A feed-forward layer as transformers have it, and the least seconds that it took."""

    def __init__(self, width: int, precision: torch.dtype) -> None:
        self._weights = torch.ones(4 * width, width, dtype=precision)
        self._tokens = torch.ones(_TOKENS, width, dtype=precision)
        self.best = float("inf")

    def run(self) -> None:
        with torch.inference_mode():
            start = time.perf_counter()
            functional.gelu(functional.linear(self._tokens, self._weights))
            self.best = min(self.best, time.perf_counter() - start)
