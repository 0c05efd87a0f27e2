"""How many grades it takes to tell two systems apart: judging what they disagree on first, beside judging at random.

Two runs of an evaluation are judged again by simulated judges, who know the collection's grades and now and then give
another one by mistake. Passages come in the order in which a campaign would hand them out: at random; or by
disagreement, with a random share that is guaranteed, so that estimates stay unbiased. After every so many grades the
difference is estimated by inverse probabilities, with a 95 % interval over questions. The systems are told apart when
the interval leaves out 0 then and at every later look. Many orders and judges are drawn; what is shown is the median
number of grades and the middle 80 % of them.

    python -m benchmarks.judging_order [NAME] [--first bm25] [--second dense] [--questions 300] [--repeats 20]

NAME is an evaluated collection; the sample is evaluated first where it has not been.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import pairwise

import numpy as np

from mdr.core.campaign_sample import sample_of
from mdr.core.campaigns import Campaign, Rules, arranged, pool
from mdr.core.measures import evaluate_run
from mdr.core.sampled import differences, estimated
from mdr.core.summary import Asked
from mdr.types import Qrels, Run
from mdr.workbench import SAMPLE, Workbench

DEPTH, MEASURE, LOOKS = 10, "nDCG@10", 24
ORDERS = {
    "random": Rules(order="random", overlap=0),
    "disagreement, 50 % random": Rules(order="disagreement", random_share=0.5, overlap=0),
    "disagreement, 20 % random": Rules(order="disagreement", random_share=0.2, overlap=0),
}


def evaluated(name: str, first: str, second: str, questions: int) -> tuple[dict[str, Run], Qrels, dict[str, Asked]]:
    """Two runs, the collection's grades and what is known of the questions: so many, spread evenly over all."""
    bench = Workbench()
    if name == SAMPLE and not any(SAMPLE in run for run in bench.store.names()):
        for step in (bench.prepare_sample(), bench.evaluate(SAMPLE, pool="all")):
            list(step)
    measuring = bench.measuring(name)
    found = measuring.evaluated()
    asked = found.evaluation.asked
    chosen = sorted(asked)[:: max(1, len(asked) // questions)][:questions]
    runs = {
        system: {query: measuring.run(found, system).get(query, ())[:DEPTH] for query in chosen}
        for system in (first, second)
    }
    qrels = measuring.in_pool(found, measuring.collection.qrels())
    return runs, {query: qrels.get(query, {}) for query in chosen}, {query: asked[query] for query in chosen}


def grades_needed(
    campaign: Campaign, runs: dict[str, Run], qrels: Qrels, asked: dict[str, Asked], mistakes: float, wanted: int
) -> tuple[int | None, list[bool]]:
    """After how many grades the difference stays certain (None: never), and at each look whether its sign was right or
    left open."""
    random, top = np.random.default_rng(campaign.rules.seed), max(campaign.scale)
    grades: dict[str, dict[str, int]] = {}
    looks = np.unique(np.geomspace(50, len(campaign.items), LOOKS).astype(int))
    certain: list[bool] = []
    honest: list[bool] = []
    for start, stop in pairwise([0, *looks.tolist()]):
        for item in campaign.items[start:stop]:
            true = qrels[item.query].get(item.passage, 0)
            said = int(random.integers(0, top + 1)) if random.random() < mistakes else true
            grades.setdefault(item.query, {})[item.passage] = said
        sample = sample_of(campaign, grades)
        known = {query: asked[query] for query in sample}
        one, two = (estimated(sample, run, MEASURE) for run in runs.values())
        found = differences(one, two, known, draws=400).macro
        sign = 1 if found.low > 0 else -1 if found.high < 0 else 0
        certain.append(sign == wanted)
        honest.append(sign in (0, wanted))
    last = max((at for at, sure in enumerate(certain) if not sure), default=-1)
    return (None if last == len(looks) - 1 else int(looks[last + 1])), honest


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default=SAMPLE)
    parser.add_argument("--first", default="bm25")
    parser.add_argument("--second", default="dense")
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--mistakes", type=float, default=0.1, help="how often a judge gives a grade by chance")
    given = parser.parse_args()
    runs, qrels, asked = evaluated(given.name, given.first, given.second, given.questions)
    found = pool(runs, DEPTH)
    full: dict[str, dict[str, int]] = {query: {} for query in qrels}
    for query, passage in found:
        full[query][passage] = qrels[query].get(passage, 0)
    values = [evaluate_run(full, run, [MEASURE]).mean(MEASURE) for run in runs.values()]
    wanted = 1 if values[0] > values[1] else -1
    scale = dict.fromkeys(range(max(grade for its in full.values() for grade in its.values()) + 1), "")
    print(f"{given.name}: {len(asked):,} questions, {len(found):,} passages in the pool of depth {DEPTH}")
    print(f"{MEASURE} by all grades: {given.first} {values[0]:.3f}, {given.second} {values[1]:.3f}")
    print(f"judges err {given.mistakes:.0%} of the time; {given.repeats} orders each\n")
    print(f"{'order':<28}{'grades needed':>14}{'middle 80 %':>18}{'never':>8}{'wrong sign':>12}")
    for name, rules in ORDERS.items():
        needed: list[int] = []
        honest: list[bool] = []
        for seed in range(given.repeats):
            its = replace(rules, seed=seed)
            langs = dict.fromkeys((passage for _, passage in found), "")
            campaign = Campaign("", name, given.name, [], scale, its, {}, arranged(found, langs, 2, its))
            after, right = grades_needed(campaign, runs, qrels, asked, given.mistakes, wanted)
            needed.append(len(found) + 1 if after is None else after)
            honest += right
        low, middle, high = np.quantile(needed, [0.1, 0.5, 0.9]).astype(int)
        never = sum(each > len(found) for each in needed)
        wrong = 1 - float(np.mean(honest))
        shown = "never" if middle > len(found) else f"{middle:,}"
        print(f"{name:<28}{shown:>14}{f'{low:,} … {high:,}':>18}{never:>8}{wrong:>12.1%}")


if __name__ == "__main__":
    main()
