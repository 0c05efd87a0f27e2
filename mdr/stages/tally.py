"""What reports on pairs have in common: a section for every language and one for all, counted from what was written."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np

REPORT = "report.json"
ALL = "all"
"""The section over all languages."""
_BINS = 20


class Tally(Protocol):
    """Counts of one language."""

    def shown(self) -> dict[str, Any]:
        """As plain values."""
        ...


T = TypeVar("T", bound=Tally)
Row = TypeVar("Row")


class Sections(dict[str, T]):
    """A tally for each language, made when it is first asked for, and one for all."""

    def __init__(self, kind: Callable[[], T]) -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, name: str) -> T:
        self[name] = self._kind()
        return self[name]

    def of(self, lang: str) -> tuple[T, T]:
        """Where something in a language counts."""
        return self[ALL], self[lang]

    def shown(self) -> dict[str, Any]:
        """Every language, and all together, as plain values."""
        overall = self[ALL].shown()
        return {ALL: overall, "languages": {name: its.shown() for name, its in sorted(self.items()) if name != ALL}}


class Values(defaultdict[str, "array[float]"]):
    """Numbers by what they say."""

    def __init__(self) -> None:
        super().__init__(lambda: array("d"))

    def shown(self) -> dict[str, Any]:
        """Histograms."""
        return {name: histogram(values) for name, values in sorted(self.items())}


def histogram(values: Iterable[float]) -> dict[str, Any]:
    """How numbers spread between their lowest and highest."""
    numbers = np.array(values)
    counts, edges = np.histogram(numbers, bins=_BINS)
    return {
        "counts": counts.tolist(),
        "edges": edges.tolist(),  # of equal numbers, half above and half below
        "lowest": float(numbers.min()),
        "median": float(np.median(numbers)),
        "highest": float(numbers.max()),
    }


def reasons(section: Mapping[str, Any]) -> str:
    """Why a section's queries were dropped, in one line."""
    return ", ".join(f"{count:,} {reason}" for reason, count in section["dropped"].items())


def barren(report: Mapping[str, Any], what: str) -> Iterator[str]:
    """A line for each language that gave nothing of `what`."""
    for lang, section in report["languages"].items():
        if not section[what]:
            yield f"no {what} in {lang}: {reasons(section)}"
