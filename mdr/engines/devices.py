"""Where to compute, and how exactly."""

from __future__ import annotations

from mdr.errors import InputError, UnavailableError

AUTO, FULL = "auto", "float32"
PRECISIONS = (AUTO, FULL, "bfloat16", "float16")
"""`auto` is as fast as the machine can; `float32` gives the same numbers in batches of any size."""


def check_precision(name: str) -> str:
    """One of the precisions."""
    if name not in PRECISIONS:
        raise InputError(f"there is no precision {name!r}", f"precisions are {', '.join(PRECISIONS)}")
    return name


def pick_device(name: str) -> str:
    """`cpu` or `cuda`; `auto` takes a GPU where there is one."""
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"there is no device {name!r}", "devices are auto, cpu and cuda")
    if name == "cpu":
        return name
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise UnavailableError("no CUDA device can be used here", "set MDR_DEVICE=auto, or install torch with CUDA")
    return "cpu"
