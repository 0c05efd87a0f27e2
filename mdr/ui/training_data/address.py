"""What is looked at on the page "Training data", as its address says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any

from mdr.storage.pair_browser import PairFilter
from mdr.ui.parts.addressed import Reader, address_of, page, read, whole

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
        """What an address asks."""
        cut = {name: text.encode("utf-8", "replace").decode()[:_LIMIT].strip() for name, text in given.items()}
        return read(cut, cls(), _READ)

    @property
    def filter(self) -> PairFilter:
        """Which rows."""
        return PairFilter(self.lang, self.rule, self.origin, self.round, self.text, self.query, self.passage)

    @property
    def filtered(self) -> bool:
        """Whether anything narrows the rows."""
        return bool(self.filter.asked) or self.low is not None or self.high is not None

    def address(self, **changes: Any) -> str:
        """The address of this view, or of one that differs."""
        return address_of(asdict(replace(self, **changes)), asdict(View()))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


_READ: Mapping[str, Reader] = {"round": whole, "page": page, "low": _number, "high": _number}
