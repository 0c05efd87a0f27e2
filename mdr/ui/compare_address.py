"""What is asked of the pages that compare and evaluate, as their addresses say it. Pure.

An address says only what is not as usual; what it says that makes no sense counts as not said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import parse_qs, urlencode

from mdr.core.duels import Outcome
from mdr.core.policies import POLICIES
from mdr.services.grade_sources import SOURCES, Grading

View: TypeAlias = Literal["scores", "holes", "agreement", "bias", "queries"]
VIEWS: tuple[str, ...] = get_args(View)
RESULTS: tuple[str, ...] = get_args(Outcome)

_LIMIT = 50_000
_FURTHEST = 10_000


@dataclass(frozen=True)
class Compared:
    """Two systems, on one question (typed as `q`, or a known one by its `id`), or on all with a view of some."""

    a: str = "bm25"
    b: str = "dense"
    q: str = ""
    id: str = ""
    measure: str = "nDCG@10"
    lang: str = ""
    result: str = ""
    page: int = 1
    grading: Grading = field(default_factory=Grading)

    def address(self, **changes: Any) -> str:
        """The address that brings this back, with changes."""
        return _address(replace(self, **changes), Compared())

    @staticmethod
    def of(address: str) -> Compared:
        """What an address asks.

        >>> Compared.of("?a=dense&q=Nile&page=x").address(page=3)
        '?a=dense&q=Nile&page=3'
        """
        given, usual = values_of(address), Compared()
        texts = {name: given.get(name, getattr(usual, name)) for name in ("a", "b", "q", "id", "measure", "lang")}
        result = given.get("result", "")
        return Compared(
            **texts,
            result=result if result in RESULTS else "",
            page=_page(given),
            grading=_grading(given),
        )


@dataclass(frozen=True)
class Evaluating:
    """An evaluation, the grades and the measure to see it by, a view of it, and what queries to open: of a system, in
    a language; answered in an `other` language; with holes counted `by` a treatment."""

    run: str = ""
    view: str = "scores"
    measure: str = "nDCG@10"
    system: str = ""
    lang: str = ""
    other: str = ""
    by: str = ""
    page: int = 1
    grading: Grading = field(default_factory=Grading)

    def address(self, **changes: Any) -> str:
        """The address that brings this back, with changes."""
        return _address(replace(self, **changes), Evaluating())

    @staticmethod
    def of(address: str) -> Evaluating:
        """What an address asks."""
        given, usual = values_of(address), Evaluating()
        names = ("run", "measure", "system", "lang", "other", "by")
        texts = {name: given.get(name, getattr(usual, name)) for name in names}
        view = given.get("view", usual.view)
        return Evaluating(
            **texts, view=view if view in VIEWS else usual.view, page=_page(given), grading=_grading(given)
        )


def values_of(address: str) -> dict[str, str]:
    """The first value of every name in an address."""
    found = parse_qs(address.removeprefix("?")[:_LIMIT], errors="replace")
    return {name: values[0] for name, values in found.items()}


def _page(given: Mapping[str, str]) -> int:
    text = given.get("page", "")
    return min(max(int(text), 1), _FURTHEST) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _grading(given: Mapping[str, str]) -> Grading:
    source, policy = given.get("grades", ""), given.get("policy", "")
    usual = Grading()
    return Grading(
        source if source in SOURCES else usual.source,  # type: ignore[arg-type]
        policy if policy in POLICIES else usual.policy,
        given.get("campaign", ""),
        given.get("file", ""),
    )


def _address(asked: Compared | Evaluating, usual: Compared | Evaluating) -> str:
    values = _flat(asked)
    as_usual = _flat(usual)
    said = {name: _sendable(value) for name, value in values.items() if value != as_usual[name]}
    return "?" + urlencode(said)


def _flat(asked: Compared | Evaluating) -> dict[str, Any]:
    values = asdict(asked)
    grading = values.pop("grading")
    return {**values, "grades": grading.pop("source"), **grading}


def _sendable(value: Any) -> Any:
    """A lone surrogate has no place in an address."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
