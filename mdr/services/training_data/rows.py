"""Pairs as they are shown: where one is, which step wrote it, how sure that step was, and the texts that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mdr.errors import InputError
from mdr.services.training_data.lineage import Called
from mdr.storage.artefacts import Artefact
from mdr.storage.pair_browser import PAIR_TABLES, PairTable
from mdr.storage.pairs import Pair, Scored
from mdr.types import Passage, Query

SCORE_OF: Mapping[str, str] = {
    "mine": "similarity of the answer",
    "generate": "likelihood percentile in its language",
    "score": "the teacher's highest score",
}
"""What a row's score is, by the stage that wrote it."""


class PairRef(NamedTuple):
    """Where a pair is: the artefact's recipe, the table and the row. It stays: what is published never changes."""

    recipe: str
    table: PairTable
    row: int

    def __str__(self) -> str:
        return f"{self.recipe}/{self.table}/{self.row}"

    @classmethod
    def parse(cls, text: str) -> PairRef:
        """A reference as it is written.

        >>> PairRef.parse("0249d08437cfea2325e0/kept/17").row
        17
        """
        recipe, _, rest = text.strip().removeprefix("pairs/").partition("/")
        table, _, row = rest.partition("/")
        if not recipe or table not in PAIR_TABLES or not (row.isascii() and row.isdigit() and len(row) < 18):
            raise InputError(
                f"{text[:200]!r} does not name a pair", "write RECIPE/TABLE/ROW, such as 0249d08437cf/kept/17"
            )
        return cls(recipe, table, int(row))


@dataclass(frozen=True)
class Source:
    """What one step wrote: an artefact of pairs, with the names of the runs that made it."""

    artefact: Artefact
    called: Sequence[Called]

    @property
    def key(self) -> str:
        """Where it is."""
        return self.artefact.key

    @property
    def stage(self) -> str:
        """What made it."""
        return self.artefact.manifest.stage

    @property
    def round(self) -> int | None:
        """The round of self-training; None where there are none."""
        round: int | None = self.artefact.manifest.settings.get("round")
        return round

    @property
    def score(self) -> str:
        """What a row's score is; empty: rows have none."""
        return SCORE_OF.get(self.stage, "")


@dataclass(frozen=True)
class Row:
    """A pair or list on a page. `texts`: the passages it names, as far as they are known."""

    ref: PairRef
    found: Pair | Scored
    score: float | None
    texts: Mapping[str, Passage]

    @property
    def query(self) -> Query:
        """What is asked."""
        return self.found.query

    @property
    def answers(self) -> Sequence[str]:
        """The ids of what is taken for an answer; of a list, its best."""
        if isinstance(self.found, Pair):
            return self.found.positives
        return self.found.candidates[:1]


@dataclass(frozen=True)
class PairPage:
    """Some rows of a table; `total` fit the filter."""

    source: Source
    table: PairTable
    rows: Sequence[Row]
    total: int
    page: int
    pages: int
    facets: Mapping[str, Mapping[Any, int]]


@dataclass(frozen=True)
class Mentions:
    """Where a source names a passage or asks a query: rows by table and role; the models that learned from it."""

    source: Source
    roles: Mapping[tuple[PairTable, str], int]
    models: Sequence[tuple[Artefact, Sequence[Called]]]


def score_of(evidence: Mapping[str, Any]) -> float | None:
    """How sure what proposed a pair was of it, as `SCORE_OF` says."""
    if "percentile" in evidence:
        return float(evidence["percentile"])
    for proof in evidence.get("positives", ())[:1]:
        for side in ("dense", "lexical"):
            score = proof.get(side, {}).get("score")
            if score is not None:
                return float(score)
    return None
