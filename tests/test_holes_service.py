"""Scores from judgements with holes, for the systems of an evaluation; and the commands that show them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mdr.cli import app
from mdr.core.campaigns import Campaign, Rules, arranged, pool
from mdr.core.measures import evaluate_run
from mdr.core.summary import Asked
from mdr.errors import MissingError
from mdr.services.evaluation.grade_sources import Graded, Grading
from mdr.services.evaluation.holes import ESTIMATE, TREATMENTS, HolesService
from mdr.services.judging.service import JudgingService
from mdr.settings import Settings
from mdr.storage.judgements import JudgementStore
from mdr.types import Hit, Qrels, Query
from mdr.workbench import Workbench

SYSTEMS = ("bm25", "dense")


class Stub:
    """Two systems, forty questions in two languages, a pool of depth 5, and a campaign that drew some of it."""

    def __init__(self, budget: int) -> None:
        random = np.random.default_rng(1)
        self.asked = {f"q{number}": Asked(("en", "fi")[number % 2], f"q{number}") for number in range(40)}
        self.runs: dict[str, dict[str, list[Hit]]] = {system: {} for system in SYSTEMS}
        for query in self.asked:
            for system in SYSTEMS:
                order = random.permutation(8)[:5] if system == "dense" else np.arange(5)
                self.runs[system][query] = [Hit(f"{query}.{place}", -float(at)) for at, place in enumerate(order)]
        found = pool(self.runs, 5)
        langs = {passage: self.asked[query].lang for query, passage in found}
        rules = Rules(order="disagreement", seed=2)
        queries = {query: Query(query, asked.lang, "?") for query, asked in self.asked.items()}
        items = arranged(found, langs, 2, rules)
        self.campaign = Campaign("spring-1", "Spring", "c", ["en", "fi"], {0: "", 3: ""}, rules, queries, items)
        self.qrels: dict[str, dict[str, int]] = {}
        for item in items[: budget or None]:
            self.qrels.setdefault(item.query, {})[item.passage] = 3 if item.passage.endswith((".0", ".2")) else 0
        self.sources = SimpleNamespace(graded=lambda grading: Graded(self.qrels, "x"))
        evaluation = SimpleNamespace(asked=self.asked)
        self.evaluated: Any = SimpleNamespace(systems=list(SYSTEMS), evaluation=evaluation)

    def run(self, evaluated: Any, system: str) -> dict[str, list[Hit]]:
        return self.runs[system]

    def in_pool(self, evaluated: Any, grades: Qrels) -> Qrels:
        return grades

    def get(self, id: str, collection: str) -> Campaign:
        if id != self.campaign.id:
            raise MissingError(f"there is no campaign {id!r}")
        return self.campaign

    @property
    def service(self) -> HolesService:
        measuring: Any = self
        return HolesService(measuring, lambda: measuring, "c")


def test_every_treatment_of_every_system_with_the_queries_behind() -> None:
    its = Stub(budget=120)
    found = its.service.report(its.evaluated, "nDCG@5", Grading("judged", campaign="spring-1"))
    assert list(found.cells) == list(SYSTEMS)
    for system in SYSTEMS:
        cells, values = found.cells[system], found.values[system]
        assert list(cells) == list(TREATMENTS) and set(values) == set(TREATMENTS) - {ESTIMATE}
        plain = evaluate_run(its.qrels, its.runs[system], ["nDCG@5"])
        assert list(values["worst"].values()) == pytest.approx(plain.values["nDCG@5"].tolist())
        by_lang = [
            np.mean([v for q, v in values["worst"].items() if its.asked[q].lang == lang]) for lang in ("en", "fi")
        ]
        assert cells["worst"]["macro"].mean == pytest.approx(np.mean(by_lang))
        assert set(cells["worst"]) == {"en", "fi", "macro"}
        assert cells["worst"]["en"].queries == sum(its.asked[query].lang == "en" for query in values["worst"])
        macro = {name: cell["macro"] for name, cell in cells.items()}
        assert macro["worst"].mean <= macro["best"].mean and 0 < macro["judged"].mean < 1
        assert macro[ESTIMATE].low < macro[ESTIMATE].mean < macro[ESTIMATE].high
        assert macro[ESTIMATE].queries == 40  # also those of which nothing relevant was seen
    assert found.outside == {"bm25": 0, "dense": 0}


def test_the_estimate_is_the_truth_when_the_campaign_is_done() -> None:
    its = Stub(budget=0)
    found = its.service.report(its.evaluated, "nDCG@5", Grading("judged", campaign="spring-1"))
    for system in SYSTEMS:
        macro = {name: cell["macro"].mean for name, cell in found.cells[system].items()}
        assert macro[ESTIMATE] == pytest.approx(macro["worst"]) == pytest.approx(macro["best"])
        assert macro["judged"] == 1
    [duel] = found.duels
    assert (duel.first, duel.second) == SYSTEMS
    assert not duel.verdict.depends and not duel.verdict.open
    assert duel.estimate is not None
    assert duel.estimate["macro"].mean == pytest.approx(duel.verdict.differences["worst"])


def test_without_a_campaign_or_for_other_measures_there_is_no_estimate() -> None:
    its = Stub(budget=120)
    for measure, grading in (
        ("nDCG@5", Grading("judged")),
        ("nDCG@5", Grading("collection", campaign="spring-1")),
        ("nDCG@5", Grading("judged", campaign="from elsewhere")),
        ("MAP", Grading("judged", campaign="spring-1")),
    ):
        found = its.service.report(its.evaluated, measure, grading)
        assert ESTIMATE not in found.cells["bm25"] and found.duels[0].estimate is None
        assert ESTIMATE not in found.duels[0].verdict.differences


def test_the_scale_is_that_of_the_grades() -> None:
    """A collection with grades 0 and 1 cannot have a passage of 3; people can give one."""
    its = Stub(budget=0)
    its.qrels = {query: {id: min(grade, 1) for id, grade in grades.items()} for query, grades in its.qrels.items()}
    del its.qrels["q0"]["q0.1"]
    own = its.service.report(its.evaluated, "nDCG@5", Grading("collection")).values["bm25"]["best"]["q0"]
    people = its.service.report(its.evaluated, "nDCG@5", Grading("judged")).values["bm25"]["best"]["q0"]
    assert own == people == 1.0  # whatever is best is never more than 1
    assert its.service.report(its.evaluated, "P(rel=2)@5", Grading("judged")).values["bm25"]["best"]["q0"] == 0.2
    assert its.service.report(its.evaluated, "P(rel=2)@5", Grading("collection")).values["bm25"]["best"]["q0"] == 0


def test_nothing_relevant() -> None:
    its = Stub(budget=1)
    its.qrels = {query: dict.fromkeys(grades, 0) for query, grades in its.qrels.items()}
    with pytest.raises(MissingError, match="none of the questions"):
        its.service.report(its.evaluated, "nDCG@5", Grading("judged"))


# -- commands -----------------------------------------------------------------------------------------------


def environment(settings: Settings) -> dict[str, str]:
    paths = {"MDR_HOME": settings.home, "MDR_SAMPLE": settings.sample, "MDR_ENCODER": settings.encoder}
    return {key: str(value) for key, value in paths.items()}


def call(settings: Settings, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["judgements", *arguments], env=environment(settings))


def judge(settings: Settings) -> None:
    """Two people grade all there is; the second is milder about what is wrong."""
    store = JudgementStore(settings.judgements)
    judging = JudgingService(store)
    for query in ("nile-q.en", "nile-q.fi", "coffee-q.en", "coffee-q.th"):
        for passage in Workbench(settings).searcher().collection.passages():
            right = passage.twin == query.split("-")[0]
            asked = Query(query, query[-2:], "?")
            for who in ("ann", "ben"):
                judging.grade(who, "sample", asked, passage, 3 if right else int(who == "ben"), ability="native")
    store.close()


@pytest.mark.slow
def test_the_commands_on_real_engines(settings: Settings) -> None:
    bench = Workbench(settings)
    for _ in bench.prepare_sample():
        pass
    for _ in bench.evaluate("sample", pool="all", measures=["nDCG@10"]):
        pass
    judge(settings)

    shown = call(settings, "agreement", "sample")
    assert shown.exit_code == 0, shown.output
    assert "ann" in shown.stdout and "native" in shown.stdout and "graded twice or more: 24 passages" in shown.stdout
    found = json.loads(call(settings, "agreement", "sample", "--json").stdout)
    assert found["whole"]["things"] == 24 and found["pairs"][0]["accord"]["same"]["mean"] == pytest.approx(12 / 24)
    assert json.loads(call(settings, "agreement", "sample", "--judge", "ben", "--json").stdout)["grades"] == 24

    shown = call(settings, "holes", "sample", "--measure", "nDCG@3")
    assert shown.exit_code == 0, shown.output
    assert "worst" in shown.stdout and "bm25 − dense" in shown.stdout
    found = json.loads(call(settings, "holes", "sample", "--policy", "strictest", "--json").stdout)
    assert found["systems"]["dense"]["judged"]["macro"]["mean"] > 0.5
    assert call(settings, "holes", "sample", "--measure", "bpref").exit_code == 1
    assert call(settings, "holes", "sample", "--source", "nowhere").exit_code == 1


def test_without_judgements_the_commands_say_so(settings: Settings) -> None:
    for command in ("agreement", "holes"):
        result = call(settings, command, "sample")
        assert result.exit_code == 1 and "nobody has judged anything yet" in result.stderr
    assert not settings.judgements.exists()
