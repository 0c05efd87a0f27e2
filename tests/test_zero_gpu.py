"""Borrowed GPUs: what computes on tensors borrows one for each call, and only where one is lent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mdr.engine_room import EngineRoom
from mdr.engines import zero_gpu
from mdr.ports import Encoder
from mdr.settings import Settings


class Model:
    """An encoder that says where it was asked."""

    fingerprint, dimension = "model", 2

    def __init__(self, device: str) -> None:
        self.device = device

    def encode(self, texts: list[str], role: str) -> Any:
        return np.ones((len(texts), 2), dtype=np.float32)

    def tokens(self, text: str, role: str) -> Any:
        raise AssertionError("not asked here")


@pytest.fixture
def borrowed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A stand-in for the package of Spaces: announces what is decorated, and counts what goes through."""
    calls: list[str] = []

    def borrow(function: Callable[..., Any]) -> Callable[..., Any]:
        calls.append(f"announced {function.__name__}")

        def borrowing(*given: Any) -> Any:
            calls.append(function.__name__)
            return function(*given)

        return borrowing

    spaces = ModuleType("spaces")
    spaces.GPU = borrow  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spaces", spaces)
    monkeypatch.setattr(zero_gpu, "find_spec", lambda _: object())
    return calls


def test_calls_on_a_gpu_borrow_it(borrowed: list[str]) -> None:
    lent = zero_gpu.lent(lambda: Model("cuda"), ("encode", "tokens"))
    assert lent.encode(["a", "b"], "query").shape == (2, 2)
    assert borrowed == ["announced encode", "announced tokens", "encode"]
    assert (lent.fingerprint, lent.dimension) == ("model", 2) and isinstance(lent, Encoder)


def test_what_stays_on_the_cpu_is_announced_and_borrows_nothing(borrowed: list[str]) -> None:
    model = Model("cpu")
    assert zero_gpu.lent(lambda: model, ("encode",)) is model
    model.encode(["a"], "query")
    assert borrowed == ["announced encode"]


def test_where_nothing_is_lent_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zero_gpu, "find_spec", lambda _: None)
    model = Model("cuda")
    assert zero_gpu.lent(lambda: model, ("encode",)) is model


def test_only_a_space_that_says_so_borrows(settings: Settings, borrowed: list[str]) -> None:
    EngineRoom(settings).encoder()
    assert borrowed == []
    EngineRoom(settings.model_copy(update={"zero_gpu": True})).encoder()
    assert borrowed == ["announced encode", "announced tokens"]


def test_spaces_says_it_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Settings().zero_gpu
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert Settings().zero_gpu
