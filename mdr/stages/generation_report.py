"""What became of written questions, per language: kept and dropped by rule, what they found, how likely they were.

All of it is counted from the written pairs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from mdr.stages.tally import Sections, Values
from mdr.storage.pairs import Pair, Pairs


@dataclass
class _Tally:
    """Counts of one language."""

    counts: Counter[str] = field(default_factory=Counter)
    passages: set[str] = field(default_factory=set)
    answering: set[str] = field(default_factory=set)
    dropped: Counter[str] = field(default_factory=Counter)
    returns: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    values: Values = field(default_factory=Values)

    def add(self, pair: Pair, kept: bool, k: int) -> None:
        evidence = pair.evidence
        self.counts.update(questions=1, pairs=int(kept))
        self.passages.update(pair.positives)
        if kept:
            self.answering.update(pair.positives)
        else:
            self.dropped[pair.rule] += 1
        for side, found in evidence.get("round_trip", {}).items():
            rank = found["rank"]
            within = {"first": rank == 1, "within_k": rank is not None and rank <= k, "seen": rank is not None}
            self.returns[side].update(asked=1, **{name: int(yes) for name, yes in within.items()})
        if evidence["tokens"]:
            self.values["words of questions"].append(evidence["tokens"])
            self.values["share copied from the passage"].append(evidence["copied"])
        if "likelihood" in evidence:
            self.values[f"likelihood of {'kept' if kept else 'dropped'} questions"].append(evidence["likelihood"])

    def shown(self) -> dict[str, Any]:
        return {
            "questions": self.counts["questions"],
            "pairs": self.counts["pairs"],
            "passages": len(self.passages),
            "passages_with_pairs": len(self.answering),
            "dropped": dict(sorted(self.dropped.items())),
            "round_trip": {side: dict(its) for side, its in sorted(self.returns.items())},
            "histograms": self.values.shown(),
        }


def generation_report(pairs: Pairs, k: int) -> dict[str, Any]:
    """Every language of questions, and all together, as plain values. `k`: the rank that a round trip must reach."""
    sections = Sections(_Tally)
    for kept, its in ((True, iter(pairs)), (False, pairs.dropped())):
        for pair in its:
            for tally in sections.of(pair.query.lang):
                tally.add(pair, kept, k)
    return sections.shown()
