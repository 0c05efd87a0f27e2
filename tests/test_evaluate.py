"""The evaluate stage on a small collection with toy retrievers, and what services make of its artefact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toy_evaluating import LANGS, TOPICS, ToyEngines, evaluate, given

from mdr.core.fusion import FUSIONS
from mdr.core.measures import evaluate_run
from mdr.errors import InputError, MismatchError, MissingError
from mdr.formats.trec import read_run
from mdr.services.evaluation.tables import compare, load, markdown_matrix, markdown_table, table
from mdr.stages import evaluate as stage
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import ANSWERS

__all__ = ["given"]  # fixtures


def test_three_systems_with_averages_intervals_and_comparisons(
    store: ArtefactStore, given: dict[str, Artefact]
) -> None:
    evaluation, events = evaluate(store, given, split="test")
    assert evaluation.systems == ["bm25", "dense", "hybrid"]
    assert evaluation.measures == ["MRR@100", "Recall@100", "nDCG@10"]
    summary = evaluation.summary
    for system in evaluation.systems:
        scores = evaluate_run(
            {id: {f"{id.split('-')[0]}.{id[-2:]}": 2} for id in evaluation.asked if "-q" in id}
            | {"nothing.en": {"river.en": 1}},
            read_run(evaluation.run_file(system)),
            ["MRR@100"],
        )
        its = summary["averages"][system]["MRR@100"]
        assert its["micro"] == pytest.approx(scores.mean("MRR@100"))
        assert its["macro"]["mean"] == pytest.approx(sum(row["mean"] for row in its["languages"].values()) / len(LANGS))
        assert its["languages"]["en"]["queries"] == 7 and its["languages"]["fi"]["queries"] == 6
        for row in its["languages"].values():
            assert row["low"] <= row["mean"] <= row["high"]
    assert set(summary["comparisons"]) == {"dense", "hybrid"}
    assert set(summary["comparisons"]["hybrid"]["MRR@100"]["languages"]) == set(LANGS)
    assert summary["alpha"] == {"": 1.0}
    assert events[-1].kind == "finished"
    assert store.verify(store.get("evaluation/").folder) == []


def test_k_is_never_less_than_what_a_measure_looks_at(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    options = {"split": "test", "pool": "all", "k": 2}
    for measures, most in ((["MRR@1"], 2), (["P@5", "R@2kt"], 5), (["MAP"], 2)):
        evaluation, _ = evaluate(store, given, measures=measures, **options)
        assert (
            max(len(hits) for system in evaluation.systems for hits in read_run(evaluation.run_file(system)).values())
            == most
        )


def test_what_is_left_out_or_missing_is_said(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    evaluation, events = evaluate(store, given, split="test")
    summary = evaluation.summary
    assert summary["missing"] == {"bm25": ["nothing.en"], "dense": ["nothing.en"], "hybrid": ["nothing.en"]}
    assert evaluation.values("bm25", "MRR@100")["nothing.en"] == 0
    assert summary["left_out"] == {
        "queries_without_relevant_passages": ["bad.en"],
        "queries_without_grades": 1,
        "queries_in_other_languages": 0,
        "graded_queries_not_in_the_collection": 1,
        "grades_outside_the_pool": 2 * 18,
    }
    assert "bad.en" not in evaluation.values("bm25", "MRR@100")
    assert evaluation.values("bm25", "Recall@100")["river-q.en"] == 1 / 2, "a passage that is not there is not found"
    warnings = [event.message for event in events if event.kind == "warning"]
    assert len(warnings) == 3 and "nothing.en" in warnings[0]


def test_the_same_question_in_many_languages_is_one_family(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    evaluation, _ = evaluate(store, given, split="test")
    families: dict[str, set[str]] = {}
    for query, (_, family) in evaluation.asked.items():
        families.setdefault(family, set()).add(query)
    # The other passage of the river question has a lower grade; the one of nothing.en is the river's, too.
    expected = [{f"{topic}-q.{lang}" for lang in LANGS} for topic in TOPICS]
    expected[0].add("nothing.en")
    assert sorted(map(sorted, families.values())) == sorted(map(sorted, expected))


def test_own_pool_searches_one_language_and_mixed_pool_shows_bias(
    store: ArtefactStore, given: dict[str, Artefact]
) -> None:
    own, _ = evaluate(store, given, split="test")
    for query, ranking in read_run(own.run_file("dense")).items():
        assert {hit.id[-2:] for hit in ranking} == {query[-2:]}
    assert own.summary["bias"] == {"bm25": None, "dense": None, "hybrid": None}
    mixed, _ = evaluate(store, given, split="test", pool="all")
    bias = mixed.summary["bias"]
    assert {hit.id[-2:] for hit in read_run(mixed.run_file("dense"))["river-q.en"]} == set(LANGS)
    # Words are never shared between languages here, parts of words are.
    assert bias["bm25"]["same_language"] == 1.0 > bias["dense"]["same_language"]
    assert bias["bm25"]["rank_spread"] > bias["dense"]["rank_spread"]
    assert bias["bm25"]["matrix"]["fi"]["fi"]["missing"] == 0
    assert bias["bm25"]["matrix"]["fi"]["en"] == {"queries": 6, "missing": 6, "mean_rank": 101, "mrr": 0}
    assert "| Finnish (fi) | 0.00 | 1.00 | 0.00 |" in markdown_matrix(mixed, "bm25")
    with pytest.raises(MismatchError, match="no language bias"):
        markdown_matrix(own, "bm25")


def test_alpha_is_tuned_per_language_on_other_queries(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    evaluation, _ = evaluate(store, given, split="test", dev_split="dev")
    alpha = evaluation.summary["alpha"]
    assert set(alpha) == {"", "en", "fi"}
    runs = {system: read_run(evaluation.run_file(system)) for system in evaluation.systems}
    for query, ranking in runs["hybrid"].items():
        lang = query[-2:]
        words, meaning = runs["bm25"].get(query, []), runs["dense"].get(query, [])
        fused = FUSIONS["mr-tydi"](words, meaning, 100, alpha.get(lang, alpha[""]))
        assert [hit.id for hit in ranking] == [hit.id for hit in fused]
    assert (evaluation.folder / "runs" / "dev" / "bm25.trec").exists()


def test_tuning_on_reported_queries_is_refused_before_any_search(
    store: ArtefactStore, given: dict[str, Artefact]
) -> None:
    for split in ("dev", ""):
        engines = ToyEngines()
        with pytest.raises(InputError, match="both for tuning and for reporting"):
            evaluate(store, given, engines, split=split, dev_split="dev")
        assert not engines.opened


@pytest.mark.parametrize("stops, batches", [({"lexical": 1}, 5), ({"lexical": 4}, 2), ({"dense": 1}, 0)])
def test_a_stopped_build_continues_with_the_finished_runs(
    store: ArtefactStore, given: dict[str, Artefact], tmp_path: Path, stops: dict[str, int], batches: int
) -> None:
    """A batch per language: three of the test split, two of the dev split."""
    with pytest.raises(KeyboardInterrupt):
        evaluate(store, given, ToyEngines(**stops), split="test", dev_split="dev")
    [draft] = (store.root / "evaluation").glob(".*.building")
    (draft / "runs").mkdir(exist_ok=True)
    (draft / "runs" / ".bm25.trec.99.tmp").write_text("half a line")
    engines = ToyEngines()
    resumed, _ = evaluate(store, given, engines, split="test", dev_split="dev")
    assert (engines.opened["lexical"].batches if "lexical" in engines.opened else 0) == batches
    assert engines.opened["dense"].batches == 5

    straight_store = ArtefactStore(tmp_path / "straight")
    straight, _ = evaluate(straight_store, given, split="test", dev_split="dev")
    assert store.get("evaluation/").manifest.files == straight_store.get("evaluation/").manifest.files, (
        "a resumed build publishes the same bytes"
    )
    assert resumed.summary == straight.summary


def test_batches_do_not_change_a_byte(
    store: ArtefactStore, given: dict[str, Artefact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(store, given, split="test", dev_split="dev", pool="all")
    monkeypatch.setattr(stage, "_BATCH", 2)
    other, engines = ArtefactStore(tmp_path / "other"), ToyEngines()
    evaluate(other, given, engines, split="test", dev_split="dev", pool="all")
    assert engines.opened["lexical"].batches > 10
    assert store.get("evaluation/").manifest.files == other.get("evaluation/").manifest.files


def test_the_same_question_in_other_words_is_the_same_recipe(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    evaluate(store, given, split="test", measures=["RR@100", "MRR@100", "r@2KT"])
    again, events = evaluate(store, given, split="test", measures=["MRR@100", "R@2kt"])
    assert [event.kind for event in events] == ["reused"]
    assert again.measures == ["MRR@100", "R@2kt"]
    assert set(again.values("bm25", "R@2kt")) == {id for id in again.asked if "-q" in id}
    assert again.summary["averages"]["bm25"]["R@2kt"]["micro"] == 1.0


@pytest.mark.parametrize("slots, systems", [("lexical", ["bm25"]), ("dense", ["dense"])])
def test_one_index_is_enough(store: ArtefactStore, given: dict[str, Artefact], slots: str, systems: list[str]) -> None:
    evaluation, _ = evaluate(store, given, slots=slots, split="test", langs=["finnish"])
    assert evaluation.systems == systems
    assert {each.lang for each in evaluation.asked.values()} == {"fi"}
    assert evaluation.summary["comparisons"] == {} and evaluation.summary["alpha"] is None
    assert "\\*" not in markdown_table(table(evaluation, "nDCG@10"))


@pytest.mark.parametrize(
    "settings, error, says",
    [
        ({"split": "train"}, MissingError, "dev, test"),
        ({"langs": ["th"]}, InputError, "has grades"),
        ({"langs": ["xx"]}, MissingError, "'xx' is not known"),
        ({"measures": ["speed"]}, InputError, "no measure 'speed'"),
        ({"measures": []}, InputError, "at least 1"),
        ({"k": 0}, InputError, "'k'"),
        ({"fusion": "magic"}, InputError, "rrf, weighted, mr-tydi"),
        ({"pool": "half"}, InputError, "'pool'"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    store: ArtefactStore, given: dict[str, Artefact], settings: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        evaluate(store, given, **settings)


def test_an_index_is_needed_and_answers_where_measures_ask_for_them(
    store: ArtefactStore, given: dict[str, Artefact]
) -> None:
    with pytest.raises(InputError, match="no index"):
        evaluate(store, given, slots="")
    (given["collection"].folder / ANSWERS).unlink()
    with pytest.raises(InputError, match="need answers"):
        evaluate(store, given, measures=["R@5kt"])


def test_services_read_compare_and_print(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    evaluation, _ = evaluate(store, given, split="test")
    shown = table(evaluation, "RR@100")
    assert shown.measure == "MRR@100" and shown.columns == ["en", "fi", "sw", "macro", "micro"]
    assert shown.queries == {"en": 7, "fi": 6, "sw": 6, "macro": 19, "micro": 19}
    text = markdown_table(shown)
    cell = evaluation.summary["averages"]["bm25"]["MRR@100"]["languages"]["fi"]["mean"]
    assert text.splitlines()[0] == "| MRR@100 | en<br>7 | fi<br>6 | sw<br>6 | macro<br>19 | micro<br>19 |"
    assert text.splitlines()[2].split(" | ")[2] == f"{cell:.3f}"

    against = compare(evaluation, "hybrid", "bm25", "MRR@100")
    assert against == evaluation.summary["comparisons"]["hybrid"]["MRR@100"]
    itself = compare(evaluation, "bm25", "bm25", "MRR@100")
    assert itself["macro"] == {"mean": 0, "low": 0, "high": 0, "p": 1}
    other, _ = evaluate(store, given, split="test", langs=["en", "fi"], pool="all")
    across = compare(other, "dense", "dense", "MRR@100", other=evaluation)
    assert across["queries"] == 13 and across["unpaired"] == 6
    dev, _ = evaluate(store, given, split="dev")
    with pytest.raises(MismatchError, match="share no query"):
        compare(evaluation, "bm25", "bm25", "MRR@100", other=dev)
    with pytest.raises(MissingError, match="bm25, dense, hybrid"):
        evaluation.run_file("magic")
    with pytest.raises(MissingError, match="MRR@100"):
        evaluation.values("bm25", "P@7")
    with pytest.raises(MismatchError, match="not an evaluation"):
        load(given["lexical"])
