"""What is asked of the pages that compare and evaluate, as their addresses say it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self, TypeAlias, get_args

from mdr.core.duels import Outcome
from mdr.core.policies import POLICIES
from mdr.services.evaluation.grade_sources import SOURCES, Grading
from mdr.ui.parts.addressed import Reader, address_of, one_of, page, read, values_of

View: TypeAlias = Literal["scores", "holes", "agreement", "bias", "queries"]
VIEWS: tuple[str, ...] = get_args(View)
RESULTS: tuple[str, ...] = get_args(Outcome)


@dataclass(frozen=True)
class _Graded:
    """What both pages are asked: a page of rows, and the grades to go by."""

    page: int = 1
    grading: Grading = field(default_factory=Grading)

    def address(self, **changes: Any) -> str:
        """The address that brings this back, with changes."""
        return address_of(_flat(replace(self, **changes)), _flat(type(self)()))

    @classmethod
    def of(cls, address: str) -> Self:
        """What an address asks."""
        given = values_of(address)
        grading = read({**given, "source": given.get("grades", "")}, Grading(), _GRADES)
        return replace(read(given, cls(), _READ), grading=grading)


@dataclass(frozen=True)
class Compared(_Graded):
    """Two systems, on one question (typed as `q`, or a known one by its `id`), or on all with a view of some.

    >>> Compared.of("?a=dense&q=Nile&page=x").address(page=3)
    '?a=dense&q=Nile&page=3'
    """

    a: str = "bm25"
    b: str = "dense"
    q: str = ""
    id: str = ""
    measure: str = "nDCG@10"
    lang: str = ""
    result: str = ""


@dataclass(frozen=True)
class Evaluating(_Graded):
    """An evaluation, the grades and the measure to see it by, a view of it, and what queries to open: of a system, in
    a language; answered in an `other` language; with holes counted `by` a treatment."""

    run: str = ""
    view: str = "scores"
    measure: str = "nDCG@10"
    system: str = ""
    lang: str = ""
    other: str = ""
    by: str = ""


_READ: Mapping[str, Reader] = {"page": page, "view": one_of(VIEWS), "result": one_of(RESULTS)}
_GRADES: Mapping[str, Reader] = {"source": one_of(SOURCES), "policy": one_of(POLICIES)}


def _flat(asked: _Graded) -> dict[str, Any]:
    """By the names of an address, the page and the grades last."""
    values = asdict(asked)
    number, grading = values.pop("page"), values.pop("grading")
    return {**values, "page": number, "grades": grading.pop("source"), **grading}
