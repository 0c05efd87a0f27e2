"""Draws that can be repeated: a number for everything that has a name, without a generator's state."""

from __future__ import annotations

import hashlib


def chance(seed: int, *parts: str) -> float:
    """A number between 0 and 1 that only depends on what is named; as good as drawn.

    >>> chance(1, "a") == chance(1, "a") != chance(2, "a")
    True
    """
    told = "\x1f".join([str(seed), *parts]).encode("utf-8", "surrogatepass")
    return (int.from_bytes(hashlib.blake2b(told, digest_size=8).digest()) + 0.5) / 2**64
