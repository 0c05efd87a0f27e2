"""Whether estimates from a sample of judgements hold what they promise, with full judgements as the truth.

Questions are drawn from an evaluated collection, and from their pool passages are drawn for judging: likelier where the
two runs disagree. From these the score of both runs and their difference are estimated, again and again; the truth is
the score of all questions by all grades. Shown are, for each way of estimating:

    bias      mean of the estimates less the truth
    spread    standard deviation of the estimates
    held      how often the 95 % interval holds the truth, of what is used: it should be 93 to 97 %

    weighed   nDCG with every passage weighed, also in the ideal ranking (what is usually done)
    plain     the passage itself and others counted exactly in the ideal, sums as they are (Horvitz-Thompson): used for
              the difference
    ratio     the same, divided by the weights at the run's places: used for the score of a run

    python -m benchmarks.sampled_judgements [NAME] [--draws 2000] [--questions 300] [--share 0.4] [--more]

NAME is an evaluated collection; `--more` lets a quarter of the other passages be relevant too, by grades 1 and 2, so
that questions have several relevant passages of several grades.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np

from benchmarks.judging_order import DEPTH, MEASURE, evaluated
from mdr.core.campaigns import disagreement, pool
from mdr.core.ideals import linear
from mdr.core.judged import Floats
from mdr.core.measures import evaluate_run
from mdr.core.sampled import Drawn, Sample, differences, estimated, means
from mdr.core.summary import Asked
from mdr.types import Hit, Qrels, Run


class Pool(NamedTuple):
    """The pool of a question: passages, their grades, and the probabilities with which they are drawn."""

    ids: list[str]
    grades: list[int]
    chances: Floats


def pools(runs: dict[str, Run], qrels: Qrels, share: float, more: bool) -> dict[str, Pool]:
    """The pool of every question."""
    random = np.random.default_rng(0)
    by_query: dict[str, dict[str, dict[str, int]]] = {}
    for (query, passage), ranks in pool(runs, DEPTH).items():
        by_query.setdefault(query, {})[passage] = ranks
    found = {}
    for query, its in sorted(by_query.items()):
        grades = [qrels[query].get(id, 0) for id in its]
        if more:
            grades = [3 if grade else int(random.choice([0, 1, 2], p=[0.75, 0.17, 0.08])) for grade in grades]
        chances = [min(1.0, share + share * disagreement(ranks, 2)) for ranks in its.values()]
        found[query] = Pool(list(its), grades, np.array(chances))
    return found


def draw(found: dict[str, Pool], chosen: list[str], random: np.random.Generator) -> Sample:
    """Judgements of these questions; one that comes twice is judged twice."""
    sample = {}
    for number, query in enumerate(chosen):
        ids, grades, chances = found[query]
        taken = np.flatnonzero(random.random(len(ids)) < chances)
        sample[f"{query}#{number}"] = Drawn(frozenset(ids), {ids[at]: (grades[at], float(chances[at])) for at in taken})
    return sample


def weighed(sample: Sample, run: dict[str, list[Hit]]) -> float:
    """The usual estimate: DCG and its ideal from the same weights."""
    best = linear(MEASURE).best
    assert best is not None
    values = []
    for query, (_, graded) in sample.items():
        ranks = {hit.id: rank for rank, hit in enumerate(run[query], 1)}
        gained = sum(grade / chance / np.log2(ranks[id] + 1) for id, (grade, chance) in graded.items() if id in ranks)
        counts = [sum(1 / chance for grade, chance in graded.values() if grade >= level) for level in (1, 2, 3)]
        ideal = float(best(np.array(counts)).sum())
        values.append(gained / ideal if ideal else 0.0)
    return float(np.mean(values))


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="sample")
    parser.add_argument("--first", default="bm25")
    parser.add_argument("--second", default="dense")
    parser.add_argument("--draws", type=int, default=2_000)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--share", type=float, default=0.4, help="the least probability with which a passage is drawn")
    parser.add_argument("--more", action="store_true", help="more relevant passages, of several grades")
    given = parser.parse_args()
    runs, qrels, _ = evaluated(given.name, given.first, given.second, 10**9)
    found = pools(runs, qrels, given.share, given.more)
    full = {query: dict(zip(its.ids, its.grades, strict=True)) for query, its in found.items()}
    scores = [evaluate_run(full, run, [MEASURE]).values[MEASURE].sum() / len(full) for run in runs.values()]
    truth = np.array([*scores, scores[0] - scores[1]])
    drawn = np.mean([its.chances.mean() for its in found.values()])
    relevant = np.mean([sum(grade > 0 for grade in its.grades) for its in found.values()])
    print(f"{given.name}: {len(found):,} questions, {relevant:.1f} relevant passages each; {drawn:.0%} drawn")
    print(f"{given.draws:,} draws of {given.questions} questions; {MEASURE}: {given.first} {truth[0]:.3f}, "
          f"{given.second} {truth[1]:.3f}, difference {truth[2]:+.3f}\n")  # fmt: skip
    random, held = np.random.default_rng(1), np.zeros(3)
    estimates: dict[str, list[list[float]]] = {"weighed": [], "plain": [], "ratio": []}
    queries = list(found)
    for _ in range(given.draws):
        sample = draw(found, random.choice(queries, given.questions).tolist(), random)
        asked = {name: Asked("", name) for name in sample}
        named = [{name: run[name.rpartition("#")[0]] for name in sample} for run in runs.values()]
        parts = [estimated(sample, run, MEASURE) for run in named]
        intervals = [means(part, asked, draws=1_000).macro for part in parts]
        intervals.append(differences(*parts, asked, draws=1_000).macro)
        held += [each.low <= value <= each.high for each, value in zip(intervals, truth, strict=True)]
        plain, usual = [part.rows[:, 0].mean() for part in parts], [weighed(sample, run) for run in named]
        estimates["weighed"].append([*usual, usual[0] - usual[1]])
        estimates["plain"].append([*plain, plain[0] - plain[1]])
        scaled = [each.mean for each in intervals[:2]]
        estimates["ratio"].append([*scaled, scaled[0] - scaled[1]])
    print(f"{'':<12}{given.first:>34}{given.second:>34}{'difference':>34}")
    for name, values in estimates.items():
        table = np.array(values)
        cells = zip(table.mean(axis=0) - truth, table.std(axis=0), strict=True)
        print(f"{name:<12}" + "".join(f"{f'bias {bias:+.4f} spread {spread:.4f}':>34}" for bias, spread in cells))
    print(f"{'held':<12}" + "".join(f"{share / given.draws:>34.1%}" for share in held))


if __name__ == "__main__":
    main()
