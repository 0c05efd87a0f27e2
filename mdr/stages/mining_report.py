"""What mining found, per language: admitted and dropped by rule, spread of scores, and how right it was.

All of it is counted from the written pairs. Right and wrong can be told only for queries that have grades. A passage is
right if it, or one with the same text, has a grade above 0; where grades are few, precision is a lower bound.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mdr.core.significance import wilson
from mdr.core.summary import plain
from mdr.stages.questions import Pool
from mdr.stages.tally import Sections, Values
from mdr.storage.collection import Collection
from mdr.storage.files import digest
from mdr.storage.pairs import Pair, Pairs
from mdr.types import Qrels, Query


class Gold(NamedTuple):
    """What answers a query: passages and numbers of repeated texts. Queries of one family ask for the same."""

    passages: frozenset[str]
    texts: frozenset[int]
    family: str


@dataclass(frozen=True)
class Labels:
    """The grades of queries that have an answer where they search."""

    gold: Mapping[str, Gold]
    same_text: Mapping[str, int]

    @classmethod
    def of(
        cls, queries: Iterable[Query], qrels: Qrels, collection: Collection, same_text: Mapping[str, int], pool: Pool
    ) -> Labels:
        """Answers that the collection lacks, or has in other languages than are searched, cannot be found."""
        twin_of = {collection.ids[at]: name for name, positions in collection.twins.items() for at in positions}
        gold = {}
        for query in queries:
            there = {id for id, grade in qrels.get(query.id, {}).items() if grade > 0 and id in collection.positions}
            within = {id for id in there if pool == "all" or collection.lang_of(id) == query.lang}
            if within:
                texts = frozenset(same_text[id] for id in within if id in same_text)
                family = digest(sorted({twin_of.get(id, id) for id in there}))
                gold[query.id] = Gold(frozenset(within), texts, family)
        return cls(gold, same_text)

    def right(self, gold: Gold, passage: str) -> bool:
        """Whether a passage answers."""
        return passage in gold.passages or self.same_text.get(passage) in gold.texts


class _Shares:
    """The share that is right, query by query."""

    def __init__(self) -> None:
        self.values = array("d")
        self.families: set[str] = set()
        self.passages = 0

    def add(self, gold: Gold, right: list[bool]) -> None:
        if right:
            self.values.append(sum(right) / len(right))
            self.families.add(gold.family)
            self.passages += len(right)

    def shown(self) -> dict[str, Any] | None:
        """The mean, as sure as families are many: passages of one query, or parallel queries, are not independent."""
        if not self.values:
            return None
        found = wilson(float(np.mean(self.values)), len(self.families))
        return {name: plain(value) for name, value in found._asdict().items()} | {
            "queries": len(self.values),
            "passages": self.passages,
        }


@dataclass
class _Tally:
    """Counts of one language."""

    counts: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    admitted: Counter[str] = field(default_factory=Counter)
    values: Values = field(default_factory=Values)
    precision: _Shares = field(default_factory=_Shares)
    by_lists: dict[str, _Shares] = field(default_factory=lambda: defaultdict(_Shares))
    false_negatives: _Shares = field(default_factory=_Shares)

    def drop(self, pair: Pair) -> None:
        self.counts["queries"] += 1
        self.dropped[pair.rule] += 1

    def add(self, pair: Pair, wanted: int, labels: Labels) -> None:
        evidence = pair.evidence
        positives = ["+".join(sorted(proof["lists"])) for proof in evidence["positives"]]
        self.admitted.update(positives)
        self.refused.update(evidence["refused"])
        self.counts += Counter(
            queries=1,
            pairs=1,
            positives=len(positives),
            candidates=evidence["candidates"],
            negatives=len(pair.negatives),
            short=int(len(pair.negatives) < wanted),
        )
        for kind in ("positives", "negatives"):
            self._note(kind, evidence[kind])
        if gold := labels.gold.get(pair.query.id):
            right = [labels.right(gold, id) for id in pair.positives]
            self.precision.add(gold, right)
            for lists in set(positives):
                self.by_lists[lists].add(
                    gold, [yes for yes, its in zip(right, positives, strict=True) if its == lists]
                )
            self.false_negatives.add(gold, [labels.right(gold, id) for id in pair.negatives])

    def _note(self, kind: str, proofs: Iterable[Mapping[str, Any]]) -> None:
        for proof in proofs:
            for side in proof.keys() & {"lexical", "dense"}:
                for what in ("score", "margin"):
                    if (value := proof[side][what]) is not None:
                        self.values[f"{side} {what} of {kind}"].append(value)

    def shown(self) -> dict[str, Any]:
        names = ("queries", "pairs", "positives", "candidates", "negatives", "short")
        return {name: self.counts[name] for name in names} | {
            "admitted": dict(sorted(self.admitted.items())),
            "dropped": dict(sorted(self.dropped.items())),
            "refused": dict(sorted(self.refused.items())),
            "histograms": self.values.shown(),
            "precision": self.precision.shown(),
            "precision_by_lists": {lists: its.shown() for lists, its in sorted(self.by_lists.items())},
            "false_negatives": self.false_negatives.shown(),
        }


def mining_report(pairs: Pairs, wanted: int, labels: Labels) -> dict[str, Any]:
    """Every language, and all together, as plain values. `wanted`: negatives that each pair should have."""
    sections = Sections(_Tally)
    for pair in pairs:
        for tally in sections.of(pair.query.lang):
            tally.add(pair, wanted, labels)
    for pair in pairs.dropped():
        for tally in sections.of(pair.query.lang):
            tally.drop(pair)
    return {"graded": len(labels.gold)} | sections.shown()
