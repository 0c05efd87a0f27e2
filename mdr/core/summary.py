"""Scores put together: per language, macro and micro averages with intervals, and systems compared.

`macro` is the mean over languages of each one's mean, so that a language with many questions does not decide;
`micro` is the mean over all queries. Plain values come out, ready for JSON: a number that does not exist is None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from mdr.core.bias import Bias
from mdr.core.measures import Scores
from mdr.core.significance import Group, Interval, bootstrap, holm, permutation_test

MACRO, MICRO = "macro", "micro"

Values: TypeAlias = Mapping[str, float]
"""One measure of one system: value by query."""


def by_measure(scores: Sequence[Scores]) -> dict[str, dict[str, float]]:
    """The values of each measure by query."""
    return {
        name: dict(zip(part.queries, values.tolist(), strict=True))
        for part in scores
        for name, values in part.values.items()
    }


class Asked(NamedTuple):
    """What is known of a query besides its value."""

    lang: str
    family: str
    """The same for queries that the same passages answer, in whichever language."""


def by_language(values: Values, asked: Mapping[str, Asked]) -> dict[str, Group]:
    """The values of each language's queries, languages and queries in order."""
    queries: dict[str, list[str]] = {}
    for query in sorted(values):
        queries.setdefault(asked[query].lang, []).append(query)
    return {
        lang: Group(np.array([values[id] for id in ids]), [asked[id].family for id in ids])
        for lang, ids in sorted(queries.items())
    }


def averages(values: Values, asked: Mapping[str, Asked]) -> dict[str, Any]:
    """Mean, interval and number of queries of each language and of the macro average; the micro mean."""
    groups = by_language(values, asked)
    intervals = bootstrap(groups)
    return {
        "languages": {
            lang: _shown(intervals.groups[lang]) | {"queries": len(group.values)} for lang, group in groups.items()
        },
        MACRO: _shown(intervals.macro) | {"queries": len(values)},
        MICRO: plain(float(np.mean(list(values.values()))) if values else math.nan),
    }


def comparison(values: Values, baseline: Values, asked: Mapping[str, Asked]) -> dict[str, Any]:
    """What a system adds to a baseline on the queries that both have: difference, interval and p-value of each
    language and of the macro average. `holm` is p adjusted for the number of languages."""
    both = sorted(set(values) & set(baseline))
    groups = by_language({query: values[query] - baseline[query] for query in both}, asked)
    intervals = bootstrap(groups)
    p_values = {lang: permutation_test([group]) for lang, group in groups.items()}
    adjusted = holm(p_values)
    return {
        "queries": len(both),
        "unpaired": len(set(values) ^ set(baseline)),
        "languages": {
            lang: _shown(intervals.groups[lang]) | {"p": p_values[lang], "holm": adjusted[lang]} for lang in groups
        },
        MACRO: _shown(intervals.macro) | {"p": permutation_test(groups.values())},
    }


def _shown(interval: Interval) -> dict[str, Any]:
    return {name: plain(value) for name, value in interval._asdict().items()}


def bias_summary(bias: Bias) -> dict[str, Any]:
    """The language bias as plain values."""
    matrix = {
        lang: {other: {name: plain(value) for name, value in cell._asdict().items()} for other, cell in row.items()}
        for lang, row in bias.matrix.items()
    }
    names = ("k", "queries", "missing", "rank_spread", "same_language")
    return {name: plain(getattr(bias, name)) for name in names} | {"matrix": matrix}


def plain(value: float) -> float | None:
    """JSON knows no NaN."""
    return None if math.isnan(value) else value
