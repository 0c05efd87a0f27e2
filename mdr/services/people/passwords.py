"""Passwords, as argon2 keeps them: dear to guess, and few at a time, since each takes 64 MB while it is checked."""

from __future__ import annotations

import unicodedata
from functools import cache
from threading import BoundedSemaphore
from typing import Any

from mdr.errors import InputError

SHORTEST, LONGEST = 10, 200
_AT_ONCE = BoundedSemaphore(2)


def hashed(password: str) -> str:
    """What may be kept of a password; one that is too easy to guess, or no text, is refused."""
    if not SHORTEST <= len(password) <= LONGEST or len(set(password)) < 4:
        raise InputError(
            f"a password has {SHORTEST} to {LONGEST} characters, four or more of them different",
            "three or four words that do not belong together make a good one",
        )
    with _AT_ONCE:
        return str(_hasher().hash(_bytes(password)))


def matches(password: str, kept: str | None) -> bool:
    """Whether it is the one that was kept; takes as long where none was."""
    from argon2.exceptions import InvalidHashError, VerificationError

    with _AT_ONCE:
        try:
            _hasher().verify(kept or _nobodys(), _bytes(password[: LONGEST + 1]))
        except (VerificationError, InvalidHashError, InputError):
            return False
    return kept is not None


def _bytes(password: str) -> bytes:
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in password):
        raise InputError("the password has characters that no keyboard writes", "choose another")
    return unicodedata.normalize("NFC", password).encode()  # the same keys, whichever system composes them


@cache
def _hasher() -> Any:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys() -> str:
    return str(_hasher().hash("the password of nobody"))
