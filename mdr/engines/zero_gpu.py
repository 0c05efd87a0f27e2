"""Engines where a GPU is lent for each call, as on Spaces with ZeroGPU.

There a function that needs the GPU runs in a process that is forked for it. So only what computes on tensors goes
there, with texts going in and numbers coming out: Java, which searches words, does not survive a fork.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, TypeVar, cast

Engine = TypeVar("Engine")


def lent(load: Callable[[], Engine], calls: Sequence[str]) -> Engine:
    """An engine, whose `calls` borrow the GPU; as it is where nothing is lent."""
    if find_spec("spaces") is None:
        return load()
    import gradio  # noqa: F401  # spaces refuses to be imported while another thread is in the middle of this
    import spaces

    engine = load()  # after spaces, which must be there before CUDA is
    # Every call is announced, those too that stay on the CPU: ZeroGPU starts no app that announces none.
    borrowing = {call: spaces.GPU(getattr(engine, call)) for call in calls}
    return cast(Engine, _Borrowing(engine, borrowing)) if getattr(engine, "device", "cpu") == "cuda" else engine


class _Borrowing:
    """An engine, some of whose functions are others."""

    def __init__(self, engine: Any, borrowing: dict[str, Any]) -> None:
        self._engine = engine
        self.__dict__.update(borrowing)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)
