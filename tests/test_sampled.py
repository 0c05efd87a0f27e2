"""Estimates from a sample: exact where everything was drawn, unbiased where they should be, covered as they say."""

from __future__ import annotations

import math
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest

from mdr.core.campaign_sample import sample_of
from mdr.core.campaigns import Campaign, Rules, arranged, inclusions
from mdr.core.ideals import MANY, is_linear, linear, shares
from mdr.core.measures import evaluate_run
from mdr.core.sampled import Drawn, Sample, differences, estimated, means
from mdr.core.summary import Asked
from mdr.errors import InputError
from mdr.types import Hit, Qrels, Query, Run

MEASURES = ["nDCG@10", "nDCG", "P@5", "Recall@10", "Recall(rel=2)@5"]


class World(NamedTuple):
    """Two runs over many queries, and what all of their pools is worth."""

    qrels: dict[str, dict[str, int]]
    first: dict[str, list[Hit]]
    second: dict[str, list[Hit]]
    asked: dict[str, Asked]


def world(queries: int, seed: int, pool: int = 16, depth: int = 10) -> World:
    """Few passages are relevant, by up to three grades; the first run finds them a little better."""
    random = np.random.default_rng(seed)
    qrels, runs, asked = {}, ({}, {}), {}
    for number in range(queries):
        query, ids = f"q{number:04}", [f"d{place}" for place in range(pool)]
        grades = random.choice([0, 1, 2, 3], pool, p=[0.78, 0.12, 0.06, 0.04])
        qrels[query] = dict(zip(ids, grades.tolist(), strict=True))
        for run, noise in zip(runs, (1.2, 1.8), strict=True):
            order = np.argsort(-(grades + random.normal(0, noise, pool)))
            run[query] = [Hit(ids[at], float(-rank)) for rank, at in enumerate(order[:depth])]
        asked[query] = Asked(("en", "fi", "th")[number % 3], query)
    return World(qrels, runs[0], runs[1], asked)


def drawn(world: World, queries: list[str], random: np.random.Generator, share: float = 0.45) -> Sample:
    """A sample in which passages that the two runs rank differently are likelier; a query may come twice."""
    sample = {}
    for number, query in enumerate(queries):
        ranks = [{hit.id: 1 / np.log2(rank + 1) for rank, hit in enumerate(run[query], 1)} for run in world[1:3]]
        pool = sorted(set(ranks[0]) | set(ranks[1]))
        chances = [min(1.0, share + 0.5 * abs(ranks[0].get(id, 0) - ranks[1].get(id, 0))) for id in pool]
        taken = random.random(len(pool)) < chances
        graded = {
            id: (world.qrels[query][id], chance) for id, chance, took in zip(pool, chances, taken, strict=True) if took
        }
        sample[f"{query}#{number}"] = Drawn(set(pool), graded)
    return sample


def again(run: Run, sample: Sample) -> dict[str, list[Hit]]:
    """The run under the names that a sample has given to queries."""
    return {name: list(run[name.partition("#")[0]]) for name in sample}


def pooled(world: World) -> Qrels:
    """The grades of what either run found."""
    return {
        query: {hit.id: grades[hit.id] for run in world[1:3] for hit in run[query]}
        for query, grades in world.qrels.items()
    }


def truth(qrels: Qrels, run: Run, measure: str) -> dict[str, float]:
    """The value of every query, 0 where nothing is relevant."""
    scores = evaluate_run(qrels, run, [measure])
    [values] = scores.values.values()
    return dict.fromkeys(qrels, 0.0) | dict(zip(scores.queries, values.tolist(), strict=True))


@pytest.mark.parametrize("measure", MEASURES)
def test_where_everything_was_drawn_it_is_the_measure_itself(measure: str) -> None:
    its = world(60, 1)
    qrels = pooled(its)
    sample = {
        query: Drawn(grades, {id: (grade, 1.0) for id, grade in grades.items()}) for query, grades in qrels.items()
    }
    found = estimated(sample, its.first, measure)
    expected = truth(qrels, its.first, measure)
    assert found.queries == tuple(sorted(expected)) and found.outside == 0
    assert found.rows[:, 0] == pytest.approx([expected[query] for query in found.queries], abs=1e-12)
    assert found.rows[:, 1] == pytest.approx(found.rows[:, 2])
    macro = np.mean(
        [np.mean([expected[q] for q in expected if its.asked[q].lang == lang]) for lang in ("en", "fi", "th")]
    )
    assert means(found, its.asked, draws=50).macro.mean == pytest.approx(macro)


def over_all_draws(chances: list[float], gains: list[float]) -> np.ndarray:
    """The mean over every possible draw of weight · share, for each relevant passage."""
    best, mean = linear("nDCG@10").best, np.zeros(len(gains))
    assert best is not None
    for taken in product([True, False], repeat=len(gains)):
        keep = np.flatnonzero(taken)
        if len(keep):
            chance = float(np.prod(np.where(taken, chances, 1 - np.array(chances))))
            weight = 1 / np.array(chances)[keep]
            mean[keep] += chance * weight * shares(np.zeros_like(keep), np.array(gains)[keep], weight, best)
    return mean


def test_shares_are_exact_in_the_mean_where_all_terms_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = 1 / (3 + 2 / math.log2(3) + 1 / 2)
    chances, gains = [0.5, 0.4, 0.8], [1.0, 3.0, 2.0]
    rough = over_all_draws(chances, gains)
    assert rough == pytest.approx([exact] * 3, rel=0.1)  # Euler's weights
    monkeypatch.setattr("mdr.core.ideals.ONE_EXACT", 1.0)
    monkeypatch.setattr("mdr.core.ideals.TWO_EXACT", 1.0)
    assert over_all_draws(chances, gains) == pytest.approx([exact] * 3, abs=1e-12)
    assert over_all_draws([0.3], [2.0]) == pytest.approx([0.5])


@pytest.mark.parametrize("measure", ["nDCG@10", "P@5", "Recall@10"])
def test_estimates_are_right_in_the_mean(measure: str) -> None:
    its = world(150, 2)
    qrels, random, queries = pooled(its), np.random.default_rng(3), sorted(its.qrels)
    expected = [np.mean(list(truth(qrels, run, measure).values())) for run in its[1:3]]
    found = np.zeros((40, 2))
    for row in found:
        sample = drawn(its, queries, random)
        asked = {name: Asked("en", name) for name in sample}
        row[:] = [means(estimated(sample, again(run, sample), measure), asked, draws=1).macro.mean for run in its[1:3]]
    error = found.std(axis=0) / math.sqrt(len(found))
    assert np.abs(found.mean(axis=0) - expected) == pytest.approx(0, abs=float(4 * error.max()) + 0.012)


def test_intervals_cover_what_full_judgements_say() -> None:
    """Queries and judgements drawn over and over; the benchmark does this 2,000 times."""
    its = world(1500, 4)
    random, queries, held = np.random.default_rng(5), sorted(its.qrels), np.zeros(3)
    qrels = pooled(its)
    whole = [float(np.mean(list(truth(qrels, run, "nDCG@10").values()))) for run in its[1:3]]
    wanted = [*whole, whole[0] - whole[1]]
    for _ in range(100):
        sample = drawn(its, random.choice(queries, 100).tolist(), random)
        asked = {name: Asked("en", name) for name in sample}
        one, two = (estimated(sample, again(run, sample), "nDCG@10") for run in its[1:3])
        gap = differences(one, two, asked, draws=500)
        found = [each.macro for each in (means(one, asked, draws=500), means(two, asked, draws=500), gap)]
        held += [each.low <= value <= each.high for each, value in zip(found, wanted, strict=True)]
    assert np.all(held >= 88) and np.all(held < 100)


def test_what_could_not_be_drawn_is_said() -> None:
    sample = {"q": Drawn({"a", "b"}, {"a": (1, 1.0), "b": (0, 1.0)})}
    run = {"q": [Hit("new", 3.0), Hit("a", 2.0), Hit("b", 1.0)]}
    found = estimated(sample, run, "nDCG@10")
    places = 1 / np.log2([2, 3, 4])
    assert found.outside == pytest.approx(places[0] / places.sum())
    assert found.rows[0] == pytest.approx([places[1], places[1:].sum(), places[1:].sum()])


def test_languages_without_judgements_play_no_part() -> None:
    run = {f"q{number}": [Hit("a", 2.0), Hit("b", 1.0)] for number in range(12)}
    sample = {query: Drawn({"a", "b"}, {"a": (1, 0.5)} if query < "q6" else {}) for query in run}
    asked = {query: Asked("en" if query < "q6" else "fi", query) for query in run}
    found = means(estimated(sample, run, "P@2"), asked, draws=50)
    assert math.isnan(found.groups["fi"].mean)
    assert found.groups["en"].mean == pytest.approx(1.0)  # every place that was judged held a relevant passage


def test_what_cannot_be_estimated_is_refused() -> None:
    for name in ("MAP", "MRR@10", "P", "bpref", "ERR@10"):
        assert not is_linear(name)
        with pytest.raises(InputError, match="cannot be estimated"):
            estimated({}, {}, name)
    with pytest.raises(InputError, match="probability"):
        estimated({"q": Drawn({"a"}, {"a": (1, 0.0)})}, {}, "P@1")
    assert estimated({}, {}, "nDCG@10").rows.shape == (0, 3)


def test_many_relevant_passages_take_a_moment_only() -> None:
    best = linear("Recall").best
    assert best is not None
    size = 4 * MANY
    share = shares(np.zeros(size, dtype=np.int64), np.ones(size), np.full(size, 2.0), best)
    assert share == pytest.approx(1 / (2 * size), rel=0.02)


# -- campaigns ----------------------------------------------------------------------------------------------


def campaign(order: str, seed: int = 0) -> Campaign:
    rules = Rules(order=order, seed=seed)
    found = {
        (f"q{query}", f"{lang}{place}"): {"one": place + 1} | ({"two": 3} if place < 3 else {})
        for query in range(5)
        for lang in ("en", "fi")
        for place in range(8)
    }
    langs = {passage: passage[:2] for _, passage in found}
    queries = {f"q{query}": Query(f"q{query}", "en", "?") for query in range(5)}
    return Campaign("c", "C", "x", ["en", "fi"], {0: "", 1: ""}, rules, queries, arranged(found, langs, 2, rules))


def test_all_graded_is_certain_and_nothing_graded_is_nothing() -> None:
    its = campaign("disagreement")
    grades: dict[str, dict[str, int]] = {}
    for item in its.items:
        grades.setdefault(item.query, {})[item.passage] = 1
    sample = sample_of(its, grades)
    assert {chance for query in sample.values() for _, chance in query.graded.values()} == {1.0}
    assert sum(len(query.pool) for query in sample.values()) == 80
    assert sample_of(its, {}) == {} == sample_of(its, {"q0": {"elsewhere": 2}})


def test_each_language_is_a_sample_as_far_as_its_judges_came() -> None:
    its = campaign("disagreement")
    of = {lang: [item for item in its.items if item.lang == lang] for lang in ("en", "fi")}
    grades: dict[str, dict[str, int]] = {}
    for item in [*of["en"][:10], of["en"][11]]:  # the eleventh was skipped
        grades.setdefault(item.query, {})[item.passage] = 2
    sample = sample_of(its, grades)
    assert all(passage.startswith("en") for query in sample.values() for passage in query.pool)
    graded = {(query, id): chance for query, its in sample.items() for id, (_, chance) in its.graded.items()}
    limit = [*inclusions(Campaign("c", "C", "x", [], {}, its.rules, {}, of["en"]), 12)]
    for place, item in enumerate(of["en"][:12]):
        if place != 10:
            assert graded[item.query, item.passage] == pytest.approx(limit[place] * 11 / 12)


@pytest.mark.parametrize("order", ["random", "disagreement"])
def test_the_weights_of_a_campaign_add_up_to_its_pool(order: str) -> None:
    """Over many seeds, what was graded stands for all there is."""
    sums = []
    for seed in range(300):
        its = campaign(order, seed)
        grades: dict[str, dict[str, int]] = {}
        for item in its.items[:30]:
            grades.setdefault(item.query, {})[item.passage] = 1
        sample = sample_of(its, grades)
        sums.append(sum(1 / chance for query in sample.values() for _, chance in query.graded.values()))
    assert np.mean(sums) == pytest.approx(80, abs=4 * float(np.std(sums)) / math.sqrt(300) + 0.01)
