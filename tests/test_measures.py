"""Measures: equal to ir-measures on random and odd runs, and right about what is missing."""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence

import numpy as np
import pytest

from mdr.core.answers import answer_scores, words_of
from mdr.core.measures import MEASURES, evaluate_run, measure
from mdr.errors import InputError
from mdr.types import Hit

ir_measures = pytest.importorskip("ir_measures")

NAMES = [
    *("nDCG@10", "nDCG", "nDCG@1000", "RR@100", "RR", "RR@3", "R@5", "R@100", "AP", "AP@10", "P@10", "P@500"),
    *(
        "Bpref",
        "infAP",
        "Judged@10",
        "RR(rel=2)",
        "R(rel=3)@20",
        "AP(rel=2)",
        "P(rel=2)@5",
        "Bpref(rel=2)",
        "infAP(rel=3)",
    ),
]
Grades = dict[str, dict[str, int]]


def _collection(seed: int, grades: Sequence[int], queries: int = 40) -> tuple[Grades, dict[str, list[Hit]]]:
    """Rankings of many lengths, some with nothing relevant, judged deeply or hardly."""
    chance = random.Random(seed)
    qrels, run = {}, {}
    for number in range(queries):
        pool = [f"d{passage}" for passage in range(chance.choice([3, 30, 300]))]
        judged = chance.sample(pool, chance.randint(1, len(pool)))
        qrels[f"q{number}"] = {id: chance.choice(grades) for id in judged}
        found = chance.sample(pool, chance.randint(1, len(pool)))
        run[f"q{number}"] = [Hit(id, float(len(found) - place)) for place, id in enumerate(found)]
    return qrels, run


def _oracle(names: Sequence[str], qrels: Grades, run: dict[str, list[Hit]]) -> dict[str, dict[str, float]]:
    values: dict[str, dict[str, float]] = {name: {} for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = {ir_measures.parse_measure(name): name for name in names}
    by_score = {query: dict(hits) for query, hits in run.items()}
    # Without a positive grade we leave a query out; with none but negative ones pytrec_eval crashes the process.
    answerable = {query: grades for query, grades in qrels.items() if max(grades.values()) > 0}
    for found in ir_measures.iter_calc(list(wanted), answerable, by_score):
        values[wanted[found.measure]][found.query_id] = found.value
    return values


@pytest.mark.parametrize("grades", [(0, 1), (0, 0, 0, 1, 2, 3), (-2, -1, 0, 0, 1, 2, 3), (1, 2), (3,)], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_equal_to_ir_measures(seed: int, grades: tuple[int, ...]) -> None:
    qrels, run = _collection(seed, grades)
    scores = evaluate_run(qrels, run, NAMES)
    expected = _oracle(NAMES, qrels, run)
    assert len(scores.values) == len(NAMES)
    for name in NAMES:
        ours = scores.values[measure(name).name]
        theirs = [expected[name][query] for query in scores.queries]
        assert ours == pytest.approx(theirs, abs=1e-9), name
    assert set(scores.queries) | set(scores.unanswerable) == set(qrels)


def test_by_hand() -> None:
    qrels = {"q": {"a": 2, "b": 1, "c": 0, "e": 1}}
    run = {"q": [Hit("c", 5.0), Hit("a", 4.0), Hit("x", 3.0), Hit("b", 2.0)]}
    scores = evaluate_run(qrels, run, ["MRR@100", "Recall@2", "Recall@4", "MAP", "P@4", "nDCG@4", "judged@3", "bpref"])
    log = np.log2
    expected = {
        "MRR@100": 1 / 2,
        "Recall@2": 1 / 3,
        "Recall@4": 2 / 3,
        "MAP": (1 / 2 + 2 / 4) / 3,
        "P@4": 2 / 4,
        "nDCG@4": (2 / log(3) + 1 / log(5)) / (2 + 1 / log(3) + 1 / log(4)),
        "judged@3": 2 / 3,
        "bpref": 0.0,
    }
    assert {name: values[0] for name, values in scores.values.items()} == pytest.approx(expected)


def test_ties_are_read_by_place_never_by_score() -> None:
    """With equal scores trec_eval puts the passage with the higher id first; here the ranking's own order counts."""
    hits = [Hit("a", 1.0), Hit("b", 1.0), Hit("c", 1.0)]
    for place, id in enumerate("abc", 1):
        scores = evaluate_run({"q": {id: 1}}, {"q": hits}, ["MRR", "Success@1", "RR(judged_only=True)"])
        assert scores.values["MRR"][0] == pytest.approx(1 / place)
        assert scores.values["Success@1"][0] == (place == 1)
        assert scores.values["RR(judged_only=True)"][0] == 1


def test_queries_that_are_missing_unanswerable_or_unjudged_are_told_apart() -> None:
    qrels = {"found": {"a": 1}, "missing": {"a": 1}, "empty": {"a": 1}, "nothing": {"a": 0}, "none": {}}
    scores = evaluate_run(qrels, {"found": [Hit("a", 1.0)], "empty": [], "new": [Hit("a", 1.0)]}, ["MRR@100"])
    assert scores.queries == ("empty", "found", "missing")
    assert scores.missing == ("empty", "missing")
    assert scores.unanswerable == ("none", "nothing")
    assert scores.unjudged == ("new",)
    assert scores.values["MRR@100"].tolist() == [0, 1, 0]
    assert scores.mean("MRR@100") == pytest.approx(1 / 3)


def test_nothing_to_evaluate_has_no_mean() -> None:
    for qrels, run in (({}, {}), ({"q": {"a": 0}}, {"q": [Hit("a", 1.0)]})):
        scores = evaluate_run(qrels, run, [kind.name for kind in MEASURES] + ["Success@5"])
        assert scores.queries == () and len(scores.values) == len(MEASURES) + 1
        assert all(len(values) == 0 for values in scores.values.values())
        assert np.isnan(scores.mean("MRR"))


def test_a_run_without_any_hits_is_all_zero() -> None:
    scores = evaluate_run({"q": {"a": 1}, "r": {"b": 2}}, {}, [*(kind.name for kind in MEASURES), "P@5", "Success@5"])
    assert scores.missing == ("q", "r")
    assert all(values.tolist() == [0, 0] for values in scores.values.values())


def test_a_passage_found_twice_is_refused() -> None:
    with pytest.raises(InputError, match="twice"):
        evaluate_run({"q": {"a": 1}}, {"q": [Hit("a", 2.0), Hit("a", 1.0)]}, ["MRR"])


def test_odd_ids_and_huge_grades() -> None:
    ids = ["\ud800", "a b", "'\"", "é" * 10_000, "\x00"]
    qrels = {id: {id: 10**9} for id in ids}
    scores = evaluate_run(qrels, {id: [Hit(id, 1.0)] for id in ids}, ["nDCG@10", "MRR@100", "P@999999999"])
    assert scores.values["nDCG@10"].tolist() == [1] * 5 and scores.values["P@999999999"][0] == pytest.approx(1e-9)


def test_names() -> None:
    same = {"RR@100": "MRR@100", "mrr@100": "MRR@100", "AP": "MAP", "R@5": "Recall@5", "Precision@5": "P@5"}
    same |= {"Bpref": "bpref", "Judged@10": "judged@10", "NDCG@10": "nDCG@10", "INFAP": "infAP", "MAP(rel=1)": "MAP"}
    same |= {"P(rel=2)@5": "P(rel=2)@5", "Success@5": "Success@5", "RBP(p=0.5)": "RBP(p=0.5)", " MAP\n": "MAP"}
    assert {name: measure(name).name for name in same} == same
    assert list(evaluate_run({}, {}, ["RR@100", "MRR@100"]).values) == ["MRR@100"]


@pytest.mark.parametrize(
    "name",
    [
        *("", "speed", "nDCG@", "nDCG@0", "nDCG@-1", "nDCG@1.5", "nDCG@" + "9" * 50, "@10", "nDCG@١٠", "P(rel=0)@5"),
        *("(" * 100_000, "\ud800", "\x00", "nDCG@10; MRR", "__import__('os')", "RBP(q=1)"),
    ],
)
def test_names_of_no_measure(name: str) -> None:
    with pytest.raises(InputError, match="there is no measure"):
        measure(name)


def test_what_ir_measures_cannot_compute_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unserved(*_: object) -> None:
        raise ValueError("no provider")

    monkeypatch.setattr(ir_measures, "iter_calc", unserved)
    with pytest.raises(InputError, match="cannot compute Success@5: no provider"):
        evaluate_run({"q": {"a": 1}}, {"q": [Hit("a", 1.0)]}, ["Success@5"])


# -- answers instead of grades -------------------------------------------------------------------------------------

TEXTS = {"p1": "The  river Nile\nflows north .", "p2": "It is long: 6,650 km.", "p3": "แม่น้ำไนล์ยาว"}
RUN = {"q": [Hit("p1", 3.0), Hit("p2", 2.0), Hit("p3", 1.0)]}


def _answered(answer: str, words: int) -> float:
    name = f"R@{words}kt"
    long = {id: " ".join(text.split()) for id, text in TEXTS.items()}
    # a word is a thousandth of the unit of the names, so each text is padded to make its words count a thousand
    scores = answer_scores({"q": [answer]}, RUN, lambda id: long[id] + " filler" * (1000 - 6), [name])
    return float(scores.values[name][0])


def test_answers_are_looked_for_in_the_first_thousands_of_words() -> None:
    assert _answered("river Nile flows", 1) == 1
    assert _answered("6,650", 1) == 0
    assert _answered("6,650 km", 2) == 1
    assert _answered("ไนล์", 2) == 0
    assert _answered("ไนล์", 3) == 1
    assert _answered("Amazon", 9) == 0


def test_scripts_without_spaces_are_counted_by_character() -> None:
    text = "日" * 999 + "本語"
    scores = [
        answer_scores({"q": [answer]}, {"q": [Hit("p", 1.0)]}, lambda id: text, ["R@1kt"]).values["R@1kt"][0]
        for answer in ("日本", "本語")
    ]
    assert scores == [1, 0]


def test_yes_no_and_empty_answers_are_left_out_and_missing_questions_told() -> None:
    answers = {"yes": ["yes"], "both": ["No", "yes "], "none": [], "blank": [" "], "q": ["river"], "r": ["river"]}
    scores = answer_scores(answers, {**RUN, "x": []}, TEXTS.__getitem__, ["R@2kt", "R@5kt"])
    assert scores.unanswerable == ("blank", "both", "none", "yes")
    assert scores.queries == ("q", "r") and scores.missing == ("r",) and scores.unjudged == ("x",)
    assert {name: values.tolist() for name, values in scores.values.items()} == {"R@2kt": [1, 0], "R@5kt": [1, 0]}


def test_names_of_answer_recall() -> None:
    assert [words_of(name) for name in ("R@2kt", "r@5KT", "R@0kt", "R@2", "Recall@2kt", "R@2kt ")] == [
        2000,
        5000,
        0,
        0,
        0,
        0,
    ]
