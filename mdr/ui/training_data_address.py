"""What is looked at on the page "Training data", as its address says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any
from urllib.parse import urlencode

from mdr.storage.pair_browser import PairFilter

REPORT = "report"
_LIMIT = 1_000
"""Characters of a value that are read."""


@dataclass(frozen=True)
class View:
    """A pair; or where a passage or query comes; or a source's rows that fit a filter, or its report."""

    pair: str = ""
    passage: str = ""
    query: str = ""
    source: str = ""
    show: str = "kept"
    lang: str = ""
    rule: str = ""
    origin: str = ""
    round: int | None = None
    text: str = ""
    low: float | None = None
    high: float | None = None
    order: str = "written"
    page: int = 1

    @classmethod
    def of(cls, given: Mapping[str, str]) -> View:
        """What an address asks; what is not understood counts as not given."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            text = given.get(field.name, "").encode("utf-8", "replace").decode()[:_LIMIT].strip()
            value = _READ.get(field.name, str)(text) if text else None
            if value is not None:
                values[field.name] = value
        return cls(**values)

    @property
    def filter(self) -> PairFilter:
        """Which rows."""
        return PairFilter(self.lang, self.rule, self.origin, self.round, self.text, self.query, self.passage)

    @property
    def filtered(self) -> bool:
        """Whether anything narrows the rows."""
        return bool(self.filter.asked) or self.low is not None or self.high is not None

    def address(self, **changes: Any) -> str:
        """The address of this view, or of one that differs; what is as usual is left out."""
        view, usual = replace(self, **changes), View()
        values = {field.name: getattr(view, field.name) for field in fields(view)}
        asked = {name: value for name, value in values.items() if value != getattr(usual, name)}
        return f"?{urlencode(asked)}"


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


_READ: Mapping[str, Any] = {"round": _whole, "page": lambda text: _whole(text) or None, "low": _number, "high": _number}
