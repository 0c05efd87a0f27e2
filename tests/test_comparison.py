"""Two systems side by side: what moved, who wins, how sure that is, and the questions behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from mdr.cli.comparison import compare
from mdr.cli.desk import Desk
from mdr.cli.output import write
from mdr.core.duels import Move, differences, moves, outcome, tallies, total
from mdr.core.summary import Asked
from mdr.errors import InputError, MissingError
from mdr.services.evaluation.comparison import ComparisonService
from mdr.services.evaluation.comparison_data import many_as_data, one_as_data
from mdr.services.evaluation.grade_sources import Grading
from mdr.types import Hit
from tests.measured import MeasuredWorkbench


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> MeasuredWorkbench:
    workbench = MeasuredWorkbench(tmp_path_factory.mktemp("measured"))
    workbench.measure()
    return workbench


@pytest.fixture(scope="module")
def comparing(workbench: MeasuredWorkbench) -> ComparisonService:
    return workbench.comparing()


def hits(*ids: str) -> list[Hit]:
    return [Hit(id, -float(rank)) for rank, id in enumerate(ids)]


# -- what moved -------------------------------------------------------------------------------------------


def test_every_passage_of_either_list_has_a_move() -> None:
    moved = moves(hits("a", "b", "c", "d"), hits("b", "a", "e", "c"), 3)
    assert moved == [Move("a", 1, 2), Move("b", 2, 1), Move("c", 3, 4), Move("e", None, 3)]
    assert [move.change(3) for move in moved] == ["down", "up", "out", "in"]
    assert [move.change(4) for move in moved] == ["down", "up", "down", "in"]


def test_the_same_list_moves_nothing_and_an_empty_one_everything() -> None:
    assert {move.change(2) for move in moves(hits("a", "b"), hits("a", "b"), 2)} == {"same"}
    assert {move.change(2) for move in moves(hits("a", "b"), [], 2)} == {"out"}
    assert moves([], [], 5) == []


def test_wins_are_counted_per_language_and_rounding_is_a_tie() -> None:
    asked = {id: Asked(id[0], id) for id in ("a1", "a2", "b1", "b2")}
    found = differences({"a1": 0.3, "a2": 0.1 + 0.2, "b1": 0.0, "lost": 1.0}, {"a1": 0.1, "a2": 0.3, "b1": 1.0})
    assert set(found) == {"a1", "a2", "b1"}
    counted = tallies(found, asked)
    assert counted == {"a": (1, 1, 0), "b": (0, 0, 1)}
    assert total(counted) == (1, 1, 1) and total({}) == (0, 0, 0)
    assert [outcome(value) for value in (1e-12, -0.1)] == ["ties", "losses"]


# -- one question -----------------------------------------------------------------------------------------


def test_a_known_question_shows_what_the_evaluation_found(
    comparing: ComparisonService, workbench: MeasuredWorkbench
) -> None:
    id = "cats-cheetah-factual.ja"
    found = comparing.question("bm25", "dense", "", id=id, depth=5)
    assert found.query.lang == "ja" and found.first.evaluated and found.first.evaluated.name == "sample.evaluation"
    measuring = workbench.measuring()
    for ranked in (found.first, found.second):
        run = measuring.run(measuring.evaluated(), ranked.system.engine)
        assert [hit.id for hit in ranked.ranking] == [hit.id for hit in run.get(id, [])]
    assert found.grades["cats-cheetah.en"] == 2
    assert found.shared == sum(move.change(5) in ("same", "up", "down") for move in found.moves)
    assert set(found.passages) == {move.id for move in found.moves}
    typed = comparing.question("bm25", "dense", found.query.text, depth=5)
    assert typed.moves == found.moves and typed.query == found.query


def test_any_other_question_is_searched(comparing: ComparisonService, workbench: MeasuredWorkbench) -> None:
    found = comparing.question("dense", "hybrid", "a spotted cat that runs fast", depth=3)
    assert found.query.id == "" and found.first.evaluated is None and not found.grades
    searched = workbench.searcher().search("a spotted cat that runs fast", engine="dense", k=3)
    assert [hit.id for hit in found.first.ranking[:3]] == [hit.passage.id for hit in searched.found]
    data = one_as_data(found)
    assert data["first"] == {"system": "dense", "evaluation": None} and len(data["moves"]) == len(found.moves)


@pytest.mark.parametrize("text", ["", "?!", "\u200b", "x" * 100_000])
def test_what_is_no_question_is_said(comparing: ComparisonService, text: str) -> None:
    with pytest.raises(InputError):
        comparing.question("bm25", "dense", text)


def test_unknown_names_say_what_there_is(comparing: ComparisonService) -> None:
    with pytest.raises(MissingError, match="there are bm25, dense, hybrid"):
        comparing.question("bm25", "magic", "zebra")
    with pytest.raises(MissingError, match="no question 'nowhere'"):
        comparing.question("bm25", "dense", "", id="nowhere")
    for depth in (0, 101):
        with pytest.raises(InputError, match="passages were asked for"):
            comparing.question("bm25", "dense", "zebra", depth=depth)


# -- all questions ----------------------------------------------------------------------------------------


def test_all_questions_agree_with_the_evaluation(comparing: ComparisonService, workbench: MeasuredWorkbench) -> None:
    found = comparing.questions("bm25", "dense", "nDCG@10")
    summary = workbench.measuring().evaluated().evaluation.summary
    assert found.test == summary["comparisons"]["dense"]["nDCG@10"]
    assert set(found.tallies) == {"en", "ar", "ja"}
    assert sum(found.total) == found.test["queries"] == len(found.rows)
    for lang, tally in found.tallies.items():
        for result in ("wins", "ties", "losses"):
            assert len(found.behind(lang, result)) == getattr(tally, result)  # type: ignore[arg-type]
    largest = found.behind()
    assert abs(largest[0].difference) == max(abs(row.difference) for row in found.rows)
    swapped = comparing.questions("dense", "bm25", "nDCG@10")
    assert swapped.total == (found.total.losses, found.total.ties, found.total.wins)
    assert many_as_data(found, most=3)["largest_differences"][0]["difference"] == largest[0].difference


def test_another_measure_is_computed_from_the_runs(comparing: ComparisonService) -> None:
    found = comparing.questions("bm25", "hybrid", "P@3")
    assert found.measure == "P@3" and {round(3 * row.first, 9) % 1 for row in found.rows} == {0.0}


def test_a_run_of_its_own_name_is_a_system(workbench: MeasuredWorkbench) -> None:
    workbench.measure(pool="own", run_name="own-pool")
    comparing = workbench.comparing()
    assert "bm25:own-pool" in [system.key for system in comparing.systems()]
    found = comparing.questions("bm25", "bm25:own-pool", "MRR@10")
    assert [its.pool for its in found.evaluated] == ["all", "own"]
    one = comparing.question("bm25", "bm25:own-pool", "", id="rivers-nile-factual.ar")
    langs = {one.passages[hit.id].lang for hit in one.second.ranking[:10]}
    assert langs == {"ar"}
    with pytest.raises(MissingError, match="never asked this question"):
        comparing.question("bm25", "bm25:own-pool", "a question of nobody")


def test_without_an_evaluation_it_says_what_to_do(tmp_path: Path) -> None:
    comparing = MeasuredWorkbench(tmp_path).comparing()
    with pytest.raises(MissingError, match="has not been evaluated"):
        comparing.questions("bm25", "dense", "nDCG@10")
    assert comparing.question("bm25", "dense", "which cat cannot roar?").moves


def test_the_command_tells_the_same(workbench: MeasuredWorkbench, capsys: pytest.CaptureFixture[str]) -> None:
    desk = Desk()
    desk.__dict__["bench"] = workbench
    for options in ({}, {"query": "which cat cannot roar?", "k": 3}):
        report = compare(desk, "sample", "bm25", "hybrid", **options)
        write(report, as_json=False)
        write(report, as_json=True)
    told = capsys.readouterr().out
    assert "bm25 wins" in told and "share" in told and '"largest_differences"' in told and '"moves"' in told


def test_grades_of_people_are_not_those_of_the_collection(comparing: ComparisonService) -> None:
    with pytest.raises(MissingError, match="none of the questions"):
        comparing.questions("bm25", "dense", "nDCG@10", Grading(source="judged"))
