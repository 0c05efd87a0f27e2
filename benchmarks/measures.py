"""Evaluating a run, and how sure its mean is: mdr beside pytrec_eval called directly, ir-measures, and scipy.

    measures    1,000 queries × 100 hits × 8 measures, from the rankings and qrels that each takes in. pytrec_eval has
                no judged@10; it computes P@5 in its place.
    bootstrap   a 95 % percentile interval of a mean over 1,000 queries, 10,000 resamples
    permutation two-sided paired sign-flip test over 1,000 queries, 10,000 flips

Parity comes first: every measure of every query equal to ir-measures to 1e-9; interval bounds and p-value equal to
scipy's within chance. Then repeats, interleaved; medians. The target is 1.5 × pytrec_eval, and 50 ms for each test.

    python -m benchmarks.measures [--queries 1000] [--hits 100] [--repeats 9]
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import ir_measures
import numpy as np
import pytrec_eval
from scipy import stats

from mdr.core.measures import evaluate_run, measure
from mdr.core.significance import Group, bootstrap, permutation_test
from mdr.types import Hit

NAMES = ("nDCG@10", "RR@100", "R@100", "AP@100", "P@10", "Bpref", "infAP", "Judged@10")
DIRECT = {"ndcg_cut.10", "recip_rank", "recall.100", "map_cut.100", "P.10,5", "bpref", "infAP"}


def make(queries: int, hits: int) -> tuple[dict[str, dict[str, int]], dict[str, list[Hit]]]:
    """Random rankings over 3,000 passages, 30 of them judged for each query."""
    chance = random.Random(0)
    pool = [f"passage-{number}" for number in range(3_000)]
    qrels, run = {}, {}
    for number in range(queries):
        found = chance.sample(pool, hits)
        run[f"q{number}"] = [Hit(id, 1.0 / rank) for rank, id in enumerate(found, 1)]
        judged = chance.sample(found, min(10, hits)) + chance.sample(pool, 20)
        qrels[f"q{number}"] = {id: chance.choice([0, 0, 1, 2, 3]) for id in judged} | {judged[0]: 1}
    return qrels, run


def take_turns(contenders: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median milliseconds of each, after one round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(repeats + 1):
        for name, work in contenders.items():
            started = time.perf_counter()
            work()
            if turn:
                times[name].append(1000 * (time.perf_counter() - started))
    return {name: median(its) for name, its in times.items()}


def table(title: str, times: dict[str, float], base: str) -> None:
    """One line per contender."""
    print(f"\n{title}")
    for name, milliseconds in times.items():
        print(f"  {name:<24}{milliseconds:>9.1f} ms{milliseconds / times[base]:>9.2f} × {base}")


def measures(queries: int, hits: int, repeats: int) -> None:
    """The measures, checked and timed."""
    qrels, run = make(queries, hits)
    by_score = {query: dict(ranking) for query, ranking in run.items()}
    parsed = {ir_measures.parse_measure(name): measure(name).name for name in NAMES}
    ours = evaluate_run(qrels, run, NAMES)
    place = {query: number for number, query in enumerate(ours.queries)}
    worst = max(
        abs(ours.values[parsed[each.measure]][place[each.query_id]] - each.value)
        for each in ir_measures.iter_calc(list(parsed), qrels, by_score)
    )
    assert worst < 1e-9, f"differs from ir-measures by {worst}"
    print(f"parity: {queries * len(NAMES):,} values, largest difference to ir-measures {worst:.1e}")
    times = take_turns(
        {
            "mdr": lambda: evaluate_run(qrels, run, NAMES),
            "pytrec_eval": lambda: pytrec_eval.RelevanceEvaluator(qrels, DIRECT).evaluate(by_score),
            "ir-measures": lambda: list(ir_measures.iter_calc(list(parsed), qrels, by_score)),
        },
        repeats,
    )
    table(f"{queries:,} queries × {hits} hits × {len(NAMES)} measures", times, "pytrec_eval")


def statistics(queries: int, repeats: int) -> None:
    """Interval and test, checked and timed."""
    values = np.random.default_rng(0).beta(0.5, 0.5, queries)
    differences = values - np.random.default_rng(1).beta(0.5, 0.45, queries)

    apart = [f"family {number}" for number in range(queries)]
    groups, pairs = {"": Group(values, apart)}, [Group(differences, apart)]

    def scipys_interval() -> Sequence[float]:
        found = stats.bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", batch=500, rng=0)
        return tuple(found.confidence_interval)

    def scipys_test() -> float:
        both = (differences, np.zeros(queries))
        options = {"permutation_type": "samples", "vectorized": True, "n_resamples": 10_000, "batch": 500, "rng": 0}
        found = stats.permutation_test(both, lambda a, b, axis: np.mean(a - b, axis=axis), **options)
        return float(found.pvalue)

    ours = bootstrap(groups).macro
    theirs = scipys_interval()
    assert np.allclose(ours[1:], theirs, atol=0.05 * (theirs[1] - theirs[0])), (ours, theirs)
    assert abs(permutation_test(pairs) - scipys_test()) < 0.02
    print(f"\nparity: interval {ours.low:.4f}…{ours.high:.4f}, scipy {theirs[0]:.4f}…{theirs[1]:.4f}; p within 0.02")
    table(
        f"bootstrap, {queries:,} queries",
        take_turns({"mdr": lambda: bootstrap(groups), "scipy": scipys_interval}, repeats),
        "scipy",
    )
    table(
        f"permutation, {queries:,} queries",
        take_turns({"mdr": lambda: permutation_test(pairs), "scipy": scipys_test}, repeats),
        "scipy",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--hits", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    measures(options.queries, options.hits, options.repeats)
    statistics(options.queries, options.repeats)
