"""Training pairs on disk: which passages answer a query, which do not, who says so and why. Self-contained.

    pairs.arrow      what may be trained on
    dropped.arrow    what was proposed and not kept, with the reason
    passages.arrow   the text of every passage that either names
    lists.arrow      candidates of a query with a teacher's scores (instead of pairs, for distillation)

`evidence` is one JSON object a row: ranks, scores, margins, rules passed, fingerprints of what proposed it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import pyarrow as pa

from mdr.storage.collection import PASSAGES, SCHEMAS
from mdr.storage.files import canonical
from mdr.storage.tables import TableWriter, open_table, rows_of
from mdr.types import Passage, Query

PAIRS, DROPPED, LISTS = "pairs.arrow", "dropped.arrow", "lists.arrow"

Origin: TypeAlias = Literal["labelled", "mined", "generated", "judged"]

_text = pa.large_string()
_PAIR = pa.schema(
    [
        ("query", _text),
        ("lang", _text),
        ("text", _text),
        ("positives", pa.list_(_text)),
        ("negatives", pa.list_(_text)),
        ("origin", _text),
        ("weight", pa.float64()),
        ("round", pa.int32()),
        ("rule", _text),
        ("evidence", _text),
    ]
)
_LIST = pa.schema(
    [
        ("query", _text),
        ("lang", _text),
        ("text", _text),
        ("candidates", pa.list_(_text)),
        ("scores", pa.list_(pa.float64())),
        ("evidence", _text),
    ]
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A query, passages that answer it (best first) and passages that do not."""

    query: Query
    positives: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    origin: Origin = "labelled"
    weight: float = 1.0
    round: int = 0
    rule: str = ""
    """What admitted it; of a dropped pair, what stood against it."""
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scored:
    """A query's candidates and what a teacher thinks of each; higher is better."""

    query: Query
    candidates: tuple[str, ...]
    scores: tuple[float, ...]
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """Whether it was made for a pair: then its first candidate is the answer."""
        return "pair" in self.evidence


class PairWriter:
    """Writes a folder of pairs. Use as a context; passages may come in any order and more than once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: dict[str, TableWriter] = {}
        self._passages: set[str] = set()

    def __enter__(self) -> Self:
        for name, schema in ((PAIRS, _PAIR), (DROPPED, _PAIR), (LISTS, _LIST), (PASSAGES, SCHEMAS[PASSAGES])):
            self._tables[name] = TableWriter(self._folder / name, schema)
        return self

    def __exit__(self, *error: object) -> None:
        for table in self._tables.values():
            table.close()

    def add(self, pair: Pair) -> None:
        """A pair to train on."""
        self._tables[PAIRS].add(_pair_row(pair))

    def drop(self, pair: Pair) -> None:
        """A pair that was proposed and is not to be trained on; its rule says why."""
        self._tables[DROPPED].add(_pair_row(pair))

    def score(self, scored: Scored) -> None:
        """A list of candidates with a teacher's scores."""
        query = scored.query
        self._tables[LISTS].add(
            (query.id, query.lang, query.text, scored.candidates, scored.scores, canonical(dict(scored.evidence)))
        )

    def passages(self, passages: Iterable[Passage]) -> None:
        """Texts of passages that pairs name."""
        for passage in passages:
            if passage.id not in self._passages:
                self._passages.add(passage.id)
                self._tables[PASSAGES].add(passage)

    @property
    def counts(self) -> dict[str, int]:
        """Rows written so far, by kind."""
        return {name.removesuffix(".arrow"): table.count for name, table in self._tables.items()}


class Pairs:
    """Reads a folder of pairs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __iter__(self) -> Iterator[Pair]:
        return map(_pair, rows_of(open_table(self.folder / PAIRS)))

    def __len__(self) -> int:
        return int(open_table(self.folder / PAIRS).num_rows)

    def dropped(self) -> Iterator[Pair]:
        """What was not kept; the rule is the reason."""
        return map(_pair, rows_of(open_table(self.folder / DROPPED)))

    def lists(self) -> Iterator[Scored]:
        """Candidates with a teacher's scores."""
        for id, lang, text, candidates, scores, evidence in rows_of(open_table(self.folder / LISTS)):
            yield Scored(Query(id, lang, text), tuple(candidates), tuple(scores), json.loads(evidence))

    def answers(self) -> Iterator[str]:
        """The passages that pairs name as answers, and those of lists that were made for pairs."""
        for pair in self:
            yield from pair.positives
        yield from (each.candidates[0] for each in self.lists() if each.answered)

    @cached_property
    def passages(self) -> dict[str, Passage]:
        """Every passage that a pair or list names, by id."""
        return {row[0]: Passage(*row) for row in rows_of(open_table(self.folder / PASSAGES))}


def _pair_row(pair: Pair) -> Sequence[Any]:
    query = pair.query
    texts = (query.id, query.lang, query.text, pair.positives, pair.negatives)
    return (*texts, pair.origin, pair.weight, pair.round, pair.rule, canonical(dict(pair.evidence)))


def _pair(row: Sequence[Any]) -> Pair:
    id, lang, text, positives, negatives, origin, weight, round, rule, evidence = row
    query = Query(id, lang, text)
    return Pair(query, tuple(positives), tuple(negatives), origin, weight, round, rule, json.loads(evidence))
