"""Pages whose whole state is in their address: what it says is read field by field into a dataclass, and an address
says only what is not as usual. What makes no sense counts as not said. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, replace
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlencode

State = TypeVar("State", bound=Any)
Reader: TypeAlias = Callable[[str], Any]
"""What a text says; None: nothing that makes sense."""

_LONGEST = 50_000


def values_of(address: str) -> dict[str, str]:
    """The first value of every name in an address."""
    found = parse_qs(address.removeprefix("?")[:_LONGEST], errors="replace")
    return {name: values[0] for name, values in found.items()}


def read(given: Mapping[str, str], usual: State, readers: Mapping[str, Reader]) -> State:
    """The usual state, changed by what is given under the names of its fields: those with a reader, and texts."""
    values = {}
    for field in fields(usual):
        reader = readers.get(field.name) or (str if isinstance(getattr(usual, field.name), str) else None)
        value = reader(given[field.name]) if reader and given.get(field.name) else None
        if value is not None:
            values[field.name] = value
    return replace(usual, **values)


def address_of(said: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    """The address that says what differs."""
    return "?" + urlencode({name: _sendable(value) for name, value in said.items() if value != usual[name]})


def whole(text: str) -> int | None:
    """A number from 0."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def page(text: str) -> int | None:
    """A number from 1; pages that are not there are the last one where they are shown."""
    return whole(text) or None


def one_of(choices: Collection[str]) -> Reader:
    """One of some words."""
    return lambda text: text if text in choices else None


def _sendable(value: Any) -> Any:
    """A lone surrogate has no place in an address."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
