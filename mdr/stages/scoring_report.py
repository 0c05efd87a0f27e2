"""What a teacher said, per language: how many lists, how its scores spread, and whether it prefers known answers.

All of it is counted from the written lists.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mdr.stages.tally import Sections, Values
from mdr.storage.pairs import Pairs, Scored


@dataclass
class _Tally:
    """Counts of one language."""

    counts: Counter[str] = field(default_factory=Counter)
    shortest: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    values: Values = field(default_factory=Values)

    def add(self, scored: Scored, wanted: int) -> None:
        size, scores = len(scored.candidates), np.array(scored.scores)
        self.counts.update(queries=1, lists=1, candidates=size, short=int(size < wanted))
        self.shortest = min(self.shortest or size, size)
        self.values["scores"].extend(scored.scores)
        self.values["spread of a list's scores"].append(float(scores.std()))
        if scored.answered:
            self.counts.update(answered=1, preferred=int(scores[0] >= scores.max()))
            self.values["rank of the answer"].append(1 + int((scores > scores[0]).sum()))

    def drop(self, reason: str) -> None:
        self.counts["queries"] += 1
        self.dropped[reason] += 1

    def shown(self) -> dict[str, Any]:
        names = ("queries", "lists", "candidates", "short", "answered", "preferred")
        return {name: self.counts[name] for name in names} | {
            "shortest": self.shortest,
            "dropped": dict(sorted(self.dropped.items())),
            "histograms": self.values.shown(),
        }


def scoring_report(pairs: Pairs, wanted: int) -> dict[str, Any]:
    """Every language of queries, and all together, as plain values. `wanted`: candidates that a list should have."""
    sections = Sections(_Tally)
    for scored in pairs.lists():
        for tally in sections.of(scored.query.lang):
            tally.add(scored, wanted)
    for pair in pairs.dropped():
        for tally in sections.of(pair.query.lang):
            tally.drop(pair.rule)
    return sections.shown()
