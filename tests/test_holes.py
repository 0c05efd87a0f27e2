"""Holes: condensed lists equal ir-measures', the best is the best of all fillings, and who wins is said honestly."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest

from mdr.core.holes import BEST, CONDENSED, JUDGED, WORST, holes, judged_only, verdict
from mdr.core.measures import evaluate_run
from mdr.errors import InputError
from mdr.types import Hit

ir_measures = pytest.importorskip("ir_measures")

MEASURES = ["nDCG@3", "nDCG", "P@3", "Recall@3", "MRR@3", "MAP@3", "MAP", "P(rel=2)@3", "MAP(rel=3)", "MRR(rel=2)"]
Grades = dict[str, dict[str, int]]
Rankings = dict[str, list[Hit]]


def ranking(*ids: str) -> list[Hit]:
    return [Hit(id, float(len(ids) - place)) for place, id in enumerate(ids)]


def small(seed: int, queries: int = 6) -> tuple[Grades, Rankings]:
    """Four hits, about half of them judged, and judged passages that were not found."""
    chance = random.Random(seed)
    qrels, run = {}, {}
    for number in range(queries):
        ids = [f"d{place}" for place in range(7)]
        grades = {id: chance.choice([0, 0, 1, 2, 3]) for id in ids if chance.random() < 0.5}
        grades[chance.choice(ids)] = chance.choice([1, 3])
        qrels[f"q{number}"] = grades
        run[f"q{number}"] = ranking(*chance.sample(ids, 4))
    return qrels, run


@pytest.mark.parametrize("measure", MEASURES)
def test_the_best_is_the_best_of_all_fillings(measure: str) -> None:
    cutoff = int(measure.partition("@")[2] or 4)
    for seed in range(8):
        qrels, run = small(seed)
        found = holes(qrels, run, measure, top=3)
        for place, query in enumerate(found.queries):
            free = [hit.id for hit in run[query][:cutoff] if hit.id not in qrels[query]]
            tried = [
                evaluate_run({query: qrels[query] | dict(zip(free, grades, strict=True))}, run, [measure])
                for grades in product(range(4), repeat=len(free))
            ]
            most = max(float(next(iter(scores.values.values()))[0]) for scores in tried)
            assert found.values[BEST][place] == pytest.approx(most, abs=1e-9), (seed, query)


def test_the_scale_bounds_the_best() -> None:
    qrels, run = {"q": {"a": 1}}, {"q": ranking("new", "a")}
    assert holes(qrels, run, "P(rel=2)@2", top=1).values[BEST][0] == 0
    assert holes(qrels, run, "P@2", top=1).values[BEST][0] == 1


@pytest.mark.parametrize("measure", ["nDCG@10", "P@5", "AP", "RR", "AP(rel=2)"])
def test_condensed_is_ir_measures_judged_only(measure: str) -> None:
    chance = random.Random(1)
    qrels, run = {}, {}
    for number in range(30):
        ids = [f"d{place}" for place in range(40)]
        qrels[f"q{number}"] = {id: chance.choice([0, 1, 2]) for id in chance.sample(ids, 15)} | {ids[0]: 2}
        run[f"q{number}"] = ranking(*chance.sample(ids, 25))
    ours = holes(qrels, run, measure, top=2)
    theirs = ir_measures.parse_measure(measure)(judged_only=True)
    by_score = {query: dict(hits) for query, hits in run.items()}
    values = {each.query_id: each.value for each in ir_measures.iter_calc([theirs], qrels, by_score)}
    assert ours.values[CONDENSED] == pytest.approx([values[query] for query in ours.queries], abs=1e-9)
    judged = {each.query_id: each.value for each in ir_measures.iter_calc([ir_measures.Judged @ 10], qrels, by_score)}
    share = holes(qrels, run, "nDCG@10", top=2).values[JUDGED]
    assert share == pytest.approx([judged[query] for query in ours.queries], abs=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_order_of_treatments_and_full_judgements(measure: str) -> None:
    qrels, run = small(3, 30)
    found = holes(qrels, run, measure, top=3).values
    assert np.all(found[BEST] >= found[WORST]) and np.all(found[BEST] <= 1 + 1e-12)
    full = {query: {f"d{place}": grades.get(f"d{place}", 0) for place in range(7)} for query, grades in qrels.items()}
    same = holes(full, run, measure, top=3).values
    assert np.all(same[JUDGED] == 1)
    for treatment in (CONDENSED, BEST):
        assert same[treatment] == pytest.approx(same[WORST])
    assert same[WORST] == pytest.approx(found[WORST])


def test_odd_input() -> None:
    qrels = {"q": {"a": 2, "pooled": -1}, "nothing": {"a": 0}, "missing": {"a": 1}}
    run = {"q": ranking("pooled", "a"), "other": ranking("x"), "missing": []}
    found = holes(qrels, run, "MRR@10", top=3)
    assert found.queries == ("missing", "q")
    assert found.values[WORST].tolist() == [0, 0.5] and found.values[CONDENSED].tolist() == [0, 1]
    assert found.values[BEST].tolist() == [0, 1] and found.values[JUDGED].tolist() == [0, 0.5]
    assert [hit.id for hit in judged_only({"q": {"a": 1}}, run)["other"]] == ["x"]
    assert holes({}, {}, "nDCG@10", top=3).queries == ()
    for name in ("bpref", "infAP", "ERR@10"):
        with pytest.raises(InputError, match="cannot be filled"):
            holes(qrels, run, name, top=3)


def test_who_wins() -> None:
    plain = verdict({"worst": 0.1, "condensed": 0.2}, (0.5, 0.55), (0.4, 0.45))
    assert not plain.depends and not plain.open
    wide = verdict({"worst": 0.1, "condensed": 0.2}, (0.5, 0.9), (0.4, 0.8))
    assert wide.open and not wide.depends
    torn = verdict({"worst": 0.1, "condensed": -0.01, "bpref": 0.0, "infAP": float("nan")}, (0.5, 0.9), (0.4, 0.8))
    assert torn.depends and torn.open and "infAP" not in torn.differences
    assert not verdict({"worst": 0.0, "bpref": 0.2}, (0.5, 0.6), (0.5, 0.6)).depends


def test_a_real_dispute_is_flagged() -> None:
    """The first run holds more judged passages, the second orders those that it shares better."""
    qrels = {"q": {"a": 1, "b": 0, "c": 1}}
    first, second = {"q": ranking("b", "a", "c")}, {"q": ranking("x", "y", "a", "b")}
    found = [holes(qrels, run, "MRR@10", top=3).values for run in (first, second)]
    gaps = {name: float(found[0][name][0] - found[1][name][0]) for name in (WORST, CONDENSED)}
    assert gaps == {WORST: pytest.approx(1 / 2 - 1 / 3), CONDENSED: pytest.approx(1 / 2 - 1)}
    assert verdict(gaps, (0.5, 0.5), (1 / 3, 1)).depends
