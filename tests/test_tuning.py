"""Choosing alpha: the same as trying each, never on what is reported."""

from __future__ import annotations

import random

import pytest

from mdr.core.fusion import FUSIONS, best
from mdr.core.measures import evaluate_run
from mdr.core.tuning import ALPHAS, OTHERS, tune_alpha
from mdr.errors import InputError
from mdr.types import Hit

Run = dict[str, list[Hit]]


def _runs(seed: int, queries: int = 30) -> tuple[dict[str, dict[str, int]], Run, Run, dict[str, str]]:
    """Random rankings with many ties, empty ones among them."""
    chance = random.Random(seed)
    pool = [f"d{number}" for number in range(40)]

    def ranking() -> list[Hit]:
        return best({id: float(chance.randint(0, 6)) for id in chance.sample(pool, chance.choice([0, 1, 5, 30]))}, 100)

    ids = [f"q{number}" for number in range(queries)]
    qrels = {id: {passage: chance.choice([0, 1, 2]) for passage in chance.sample(pool, 6)} for id in ids}
    return (
        qrels,
        {id: ranking() for id in ids},
        {id: ranking() for id in ids},
        {id: chance.choice(["fi", "th"]) for id in ids},
    )


@pytest.mark.parametrize("by", ["MRR@100", "nDCG@10", "MAP", "bpref", "P(rel=2)@5"])
@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_the_same_as_trying_every_alpha(fusion: str, by: str) -> None:
    qrels, lexical, dense, langs = _runs(len(fusion) + len(by))
    tuned = tune_alpha(qrels, lexical, dense, langs, reported=(), fusion=fusion, by=by, k=20)
    means: dict[str, dict[float, float]] = {}
    for alpha in ALPHAS:
        run = {query: FUSIONS[fusion](lexical[query], dense[query], 20, alpha) for query in qrels}
        for lang in ("fi", "th"):
            scores = evaluate_run({query: its for query, its in qrels.items() if langs[query] == lang}, run, [by])
            means.setdefault(lang, {})[alpha] = scores.mean(by)
    means[OTHERS] = {alpha: (means["fi"][alpha] + means["th"][alpha]) / 2 for alpha in ALPHAS}
    assert set(tuned) == set(means)
    for lang, values in means.items():
        highest = max(values.values())
        equals = [alpha for alpha, value in values.items() if value == pytest.approx(highest, abs=1e-12)]
        assert tuned[lang] == min(equals, key=lambda alpha: (abs(alpha - 1), alpha))


def test_the_side_that_is_right_gets_the_weight() -> None:
    right, wrong = [Hit("z", 2.0), Hit("b", 1.0)], [Hit("b", 2.0), Hit("z", 1.0)]
    qrels = {"q1": {"z": 1}, "q2": {"z": 1}}
    runs = {"q1": right, "q2": wrong}, {"q1": wrong, "q2": right}
    tuned = tune_alpha(qrels, *runs, {"q1": "fi", "q2": "th"}, reported=())
    assert tuned["fi"] < 1 < tuned["th"]


def test_queries_that_are_reported_are_refused() -> None:
    qrels, lexical, dense, langs = _runs(1)
    with pytest.raises(InputError, match="1 queries are both for tuning and for reporting, 'q3'"):
        tune_alpha(qrels, lexical, dense, langs, reported={"q3", "other"})


def test_nothing_to_tune_on_or_by() -> None:
    with pytest.raises(InputError, match="nothing to tune on"):
        tune_alpha({"q": {"a": 0}}, {}, {}, {"q": "fi"}, reported=())
    with pytest.raises(InputError, match="cannot be tuned by Success@5"):
        tune_alpha({"q": {"a": 1}}, {}, {}, {"q": "fi"}, reported=(), by="Success@5")
    assert tune_alpha({"q": {"a": 1}}, {}, {}, {"q": "fi"}, reported=()) == {"fi": 1.0, OTHERS: 1.0}
