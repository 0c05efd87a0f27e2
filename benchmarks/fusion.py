"""Fusing two runs of 1,000 queries × 100 hits: mdr beside the formula written down plainly.

    cold    a new process, its runs in memory: from importing the fusion to the last fused ranking, for reciprocal rank
    warm    each fusion in one process; choosing alpha among 21 on all queries, beside fusing with each

Parity first: the same ids in the same order, scores equal to 1e-12, the same alpha. Then repeats, interleaved; medians.
Where ranx is installed it takes part too. The target is 0.1 s cold.

    python -m benchmarks.fusion [--queries 1000] [--hits 100] [--repeats 7]
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from mdr.types import Hit, Run


def make(queries: int, hits: int, seed: int) -> dict[str, list[Hit]]:
    """Random rankings over 3,000 passages."""
    chance = random.Random(seed)
    pool = [f"passage-{number}" for number in range(3_000)]
    return {
        f"q{number}": [Hit(id, hits - rank + chance.random()) for rank, id in enumerate(chance.sample(pool, hits))]
        for number in range(queries)
    }


def plain(first: Run, second: Run, k: int) -> dict[str, list[Hit]]:
    """Reciprocal rank fusion as the formula says it."""
    fused = {}
    for query in first:
        scores: dict[str, float] = {}
        for ranking in (first[query], second[query]):
            for rank, hit in enumerate(ranking, 1):
                scores[hit.id] = scores.get(hit.id, 0.0) + 1 / (60 + rank)
        ranked = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
        fused[query] = [Hit(id, score) for id, score in ranked[:k]]
    return fused


def ours(first: Run, second: Run, k: int) -> dict[str, list[Hit]]:
    """The same by this project, its import included when it is the first."""
    from mdr.core.fusion import fuse_runs

    return fuse_runs("rrf", first, second, k)


def ranx(first: Run, second: Run, k: int) -> Any:
    """The same by ranx; it compiles its functions when they are first called."""
    from ranx import Run as RanxRun
    from ranx import fuse

    runs = [RanxRun({query: dict(ranking) for query, ranking in run.items()}) for run in (first, second)]
    return fuse(runs=runs, method="rrf")


CONTENDERS: dict[str, Callable[[Run, Run, int], Any]] = {"mdr": ours, "plain": plain}
if importlib.util.find_spec("ranx"):
    CONTENDERS["ranx"] = ranx


def cold(name: str, queries: int, hits: int) -> float:
    """Milliseconds of a contender in a process of its own."""
    module = [sys.executable, "-m", "benchmarks.fusion"]
    command = [*module, "--only", name, "--queries", str(queries), "--hits", str(hits)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def timed(work: Callable[[], Any]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def take_turns(contenders: dict[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """The median of what each says, one after the other."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, work in contenders.items():
            times[name].append(work())
    return {name: median(its) for name, its in times.items()}


def main(queries: int, hits: int, repeats: int) -> None:
    """Check, then compare."""
    from mdr.core.fusion import FUSIONS, fuse_runs
    from mdr.core.measures import evaluate_run
    from mdr.core.tuning import ALPHAS, OTHERS, tune_alpha

    first, second = make(queries, hits, 1), make(queries, hits, 2)
    expected, found = plain(first, second, hits), ours(first, second, hits)
    for query, ranking in expected.items():
        assert [hit.id for hit in ranking] == [hit.id for hit in found[query]], query
        assert all(abs(a.score - b.score) < 1e-12 for a, b in zip(ranking, found[query], strict=True)), query
    print(f"parity: {queries:,} rankings in the same order, scores equal to 1e-12")

    print(f"\ncold, two runs of {queries:,} × {hits}")
    runs = {name: lambda name=name: cold(name, queries, hits) for name in CONTENDERS}
    for name, milliseconds in take_turns(runs, repeats).items():
        print(f"  {name:<24}{milliseconds:>9.1f} ms")

    print("\nwarm")
    warm: dict[str, Callable[[], float]] = {
        f"mdr {name}": lambda name=name: timed(lambda: fuse_runs(name, first, second, hits)) for name in FUSIONS
    }
    warm["plain rrf"] = lambda: timed(lambda: plain(first, second, hits))
    for name, milliseconds in take_turns(warm, repeats).items():
        print(f"  {name:<24}{milliseconds:>9.1f} ms")

    qrels = {query: {first[query][7].id: 1, second[query][3].id: 1} for query in first}
    langs = dict.fromkeys(qrels, "fi")

    def by_fusing() -> float:
        means = {}
        for alpha in ALPHAS:
            run = fuse_runs("mr-tydi", first, second, hits, lambda query, alpha=alpha: alpha)
            means[alpha] = evaluate_run(qrels, run, ["MRR@100"]).mean("MRR@100")
        return max(means, key=lambda alpha: (round(means[alpha], 12), -abs(alpha - 1)))

    def by_shares() -> float:
        return tune_alpha(qrels, first, second, langs, reported=())[OTHERS]

    assert by_fusing() == by_shares()
    tuning = {"mdr": lambda: timed(by_shares), "fusing with each": lambda: timed(by_fusing)}
    print(f"\nalpha among {len(ALPHAS)} on {queries:,} queries (parity: both choose {by_shares()})")
    for name, milliseconds in take_turns(tuning, max(1, repeats // 2)).items():
        print(f"  {name:<24}{milliseconds:>9.1f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--hits", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        both = make(options.queries, options.hits, 1), make(options.queries, options.hits, 2)
        print(timed(lambda: CONTENDERS[options.only](*both, options.hits)))
    else:
        main(options.queries, options.hits, options.repeats)
