"""What the pages that compare and evaluate show to those who may see what people judged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mdr.core.permissions import MACHINE, NOBODY, Person
from mdr.ui.compare.view import CompareView
from mdr.ui.evaluate.view import EvaluateView
from mdr.ui.parts.render import Renderer
from tests.measured import ATTACK, MeasuredWorkbench

NILE = "rivers-nile-factual.en"


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeasuredWorkbench]:
    """Two judges and one with a hostile name, who agree on some passages."""
    workbench = MeasuredWorkbench(tmp_path_factory.mktemp("measured"))
    workbench.measure()
    measuring = workbench.measuring()
    query = measuring.queries[NILE]
    passages = ["rivers-nile.en", "rivers-nile.ar", "rivers-nile.ja", "cats-lion.en", "cats-puma.en"]
    said = {"ann": (3, 2, 3, 0, 0), "ben": (3, 1, 3, 0, 1), f"eve {ATTACK}": (0, 3, 3, 0, 0)}
    for judge, grades in said.items():
        for passage, grade in zip(passages, grades, strict=True):
            found = measuring.collection.passage(passage)
            ability = "native" if judge == "ann" else "partial"
            workbench.judging.grade(judge, "sample", query, found, grade, ability=ability, seconds=4.0)
    yield workbench
    workbench.judging.store.close()


@pytest.fixture(scope="module")
def evaluate(workbench: MeasuredWorkbench) -> EvaluateView:
    return EvaluateView(workbench, "sample", Renderer(workbench.settings.assets))


def test_agreement_is_told_of_all_of_pairs_and_of_abilities(evaluate: EvaluateView) -> None:
    html = evaluate.html("?view=agreement", MACHINE)
    assert "5 passages were graded by two people or more" in html
    parts = ("Krippendorff", "By query language", "By reading ability", "Two people", "Each judge", "Most disputed")
    for part in parts:
        assert part in html
    assert "ann" in html and "native" in html
    assert "<script>alert" not in html and "\u202e" not in html


def test_no_name_and_no_grade_is_told_to_others(evaluate: EvaluateView, workbench: MeasuredWorkbench) -> None:
    compare = CompareView(workbench, "sample", Renderer(workbench.settings.assets))
    for html in (
        evaluate.html("?view=agreement", NOBODY),
        evaluate.html("?grades=judged", NOBODY),
        evaluate.html("?grades=both&view=queries", NOBODY),
        compare.html(f"?grades=judged&id={NILE}", NOBODY),
    ):
        assert "only leads may see what others judged" in html and 'role="alert"' in html
        assert "ann" not in re.sub(r"<[^>]*>|cannot|planning", "", html).split()
        assert "★" not in html


def test_peoples_grades_measure_and_mark(evaluate: EvaluateView, workbench: MeasuredWorkbench) -> None:
    html = evaluate.html("?grades=judged&policy=strictest", MACHINE)
    assert "over 1 question," in html and "Where judges differ" in html
    compare = CompareView(workbench, "sample", Renderer(workbench.settings.assets))
    marked = compare.html(f"?grades=judged&id={NILE}&a=dense&b=hybrid", MACHINE)
    assert "★ 3" in marked


def test_questions_that_were_left_out_are_named(evaluate: EvaluateView, workbench: MeasuredWorkbench) -> None:
    foreign = [f"q{number}{ATTACK.replace(' ', '')} 0 rivers-nile.en 1" for number in range(30)]
    grades = "\n".join([f"{NILE} 0 rivers-nile.en 1", *foreign]).encode()
    html = evaluate.html(f"?grades=file&file={workbench.measuring().sources.upload(grades)}", NOBODY)
    told = html[html.index("Left out: 30 questions") :]
    assert told.partition("</ul>")[0].count("<li>") == 21 and "q0" in told and "<script" not in told
    assert "Left out" not in evaluate.html("", NOBODY)


@pytest.mark.parametrize("view", ["scores", "holes", "bias", "agreement", "queries"])
@pytest.mark.parametrize("grades", ["collection", "judged", "both"])
def test_every_view_works_with_every_kind_of_grades(evaluate: EvaluateView, view: str, grades: str) -> None:
    html = evaluate.html(f"?view={view}&grades={grades}&system=hybrid", MACHINE)
    assert 'class="error"' not in html and "data-said" in html


@pytest.mark.parametrize("view", [CompareView, EvaluateView])
def test_measuring_is_offered_to_those_who_may_start_it(tmp_path: Path, view: Any) -> None:
    workbench = MeasuredWorkbench(tmp_path)
    html = view(workbench, "sample", Renderer(workbench.settings.assets)).html
    assert "data-start" in html("", NOBODY._replace(here=True))
    for person in (NOBODY, Person("Ana", "lead")):
        assert "data-start" not in html("", person) and "data-job" not in html("", person)
    workbench.settings.runs = "off"
    assert "data-start" not in html("", MACHINE)
