"""The score stage on a small collection with toy engines: whose candidates, in which order, with which scores."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import ended
from toy_generator import ToyGenerator, ToyWriters
from toy_indexes import LANGS, publish, without
from toy_scoring import TEXTS, given, given_in, hits, judge, pair, paired, qrels, queries

from mdr.core.mining import EMPTY
from mdr.engines.cached_generator import CachedGenerator
from mdr.errors import MismatchError, MissingError
from mdr.pipeline import Recipe, Step
from mdr.recipes.baselines import indexes, prepare
from mdr.services.training_data.reports import load, markdown
from mdr.settings import Settings
from mdr.stages import score
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import QRELS, QUERIES
from mdr.storage.pairs import Pairs
from mdr.training.list_source import ListSource
from mdr.training.settings import SourceSettings
from mdr.training.sources import Sources
from mdr.workbench import Workbench

__all__ = ["given"]  # fixtures


# -- lists ----------------------------------------------------------------------------------------------------


def test_a_list_is_what_the_index_finds_and_the_generator_thinks(
    store: ArtefactStore, given: dict[str, Artefact]
) -> None:
    engines = ToyWriters()
    made, events = judge(store, without(given, "lexical"), engines, split="train", round=3)
    pairs = Pairs(made.folder)
    lists = list(pairs.lists())
    assert len(lists) == 31 and len(pairs) == 0
    for scored in lists:
        assert list(scored.candidates) == hits(engines, "dense", scored.query)
        assert list(scored.scores) == [engines.writer.likelihood(scored.query, TEXTS[id]) for id in scored.candidates]
        ranking = engines.opened["dense"].search([scored.query], 12, langs=[scored.query.lang])[0]
        by_id = {hit.id: (rank, hit.score) for rank, hit in enumerate(ranking, 1)}
        proof = scored.evidence["dense"]
        assert list(zip(proof["ranks"], proof["scores"], strict=True)) == [by_id[id] for id in scored.candidates]
        assert scored.evidence["round"] == 3
        assert scored.evidence["fingerprints"] == {
            "generator": "writer 0",
            "encoder": "toy 0",
            "dense": "vectors of toy 0",
        }
    assert pairs.passages.keys() == {id for scored in lists for id in scored.candidates}
    assert made.manifest.counts["lists"] == 31
    assert made.manifest.counts["candidates"] == sum(len(scored.candidates) for scored in lists)
    assert events[-1].kind == "finished" and store.verify(made.folder) == []
    last = [event for event in events if event.kind == "progress"][-1]
    assert (last.done, last.total) == (31, 31) and "pairs/s" in last.message


def test_two_indexes_give_the_candidates_of_both(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    engines = ToyWriters()
    made, _ = judge(store, given, engines, split="train")
    differ = 0
    for scored in Pairs(made.folder).lists():
        rankings = {
            side: [hit.id for hit in its.search([scored.query], 12, langs=[scored.query.lang])[0]]
            for side, its in engines.opened.items()
        }
        texts = {TEXTS[id].text for ids in rankings.values() for id in ids}
        assert {TEXTS[id].text for id in scored.candidates} == texts and len(scored.candidates) == len(texts)
        ranks = {
            id: sorted(its.index(id) + 1 if id in its else 13 for its in rankings.values()) for id in scored.candidates
        }
        order = [(min(ranks[id]), sum(ranks[id]), id) for id in scored.candidates]
        assert order == sorted(order)
        for side, ids in rankings.items():
            expected = [ids.index(id) + 1 if id in ids else None for id in scored.candidates]
            assert scored.evidence[side]["ranks"] == expected
            assert [score is None for score in scored.evidence[side]["scores"]] == [rank is None for rank in expected]
            differ += None in expected
    assert differ > 20


def test_grades_change_nothing(tmp_path: Path) -> None:
    """Label-free means that every file has the same bytes without labels; also the split is not theirs to name."""
    made = []
    for name, grades in (("with", qrels()), ("without", [])):
        store = ArtefactStore(tmp_path / name)
        made.append(judge(store, given_in(store, **{QRELS: grades}), split="train", candidates=5)[0])
    files = [{name: its["sha256"] for name, its in one.manifest.files.items()} for one in made]
    assert files[0] == files[1] and "lists.arrow" in files[0]
    store = ArtefactStore(tmp_path / "named by grades")
    with pytest.raises(MissingError, match="no split 'dev'; they have test, train"):
        judge(store, given_in(store, **{QRELS: [("q00.en", "p00.en", 1, "dev")]}), split="dev")
    store = ArtefactStore(tmp_path / "unsplit")  # as BEIR has them: only grades say which query is for training
    rows = [(*row[:3], "") for row in queries()]
    assert judge(store, given_in(store, **{QUERIES: rows, QRELS: []}), split="train")[0].manifest.counts["lists"] > 31


def test_candidates_are_drawn_by_seed_and_query_alone(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    def drawn(**settings: Any) -> dict[str, tuple[str, ...]]:
        made, _ = judge(store, without(given, "lexical"), split="train", **settings)
        return {scored.query.id: scored.candidates for scored in Pairs(made.folder).lists()}

    full, some, other = drawn(), drawn(candidates=5), drawn(candidates=5, seed=1)
    for id, ids in some.items():
        assert len(ids) == 5 and [each for each in full[id] if each in ids] == list(ids)
    assert sum(some[id] != other[id] for id in some) > 20
    alone = drawn(candidates=5, langs=["fi"])
    assert alone == {id: ids for id, ids in some.items() if id.endswith("fi") or id == "other"}
    assert len({tuple(full[id].index(each) for each in ids) for id, ids in some.items()}) > 20


# -- going on -------------------------------------------------------------------------------------------------


def test_a_killed_run_scores_only_what_is_left_and_so_does_the_next_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, store = ArtefactStore(tmp_path / "straight"), ArtefactStore(tmp_path / "killed")
    expected, _ = judge(straight, given_in(straight), split="train")
    given = given_in(store)
    monkeypatch.setattr(score, "BLOCK", 4)
    engines = ToyWriters()
    toy, engines.writer = engines.writer, CachedGenerator(engines.writer, tmp_path / "likelihoods.sqlite")
    toy.dies_after = 3
    with pytest.raises(KeyboardInterrupt):
        judge(store, given, engines, split="train")
    assert not list(store.root.glob("pairs/[!.]*"))
    toy.dies_after = 10**9
    made, _ = judge(store, given, engines, split="train")
    assert made.manifest.content == expected.manifest.content
    assert sum(toy.scored) == made.manifest.counts["candidates"]
    again, _ = judge(store, given, engines, split="train", round=1)
    assert again.key != made.key and sum(toy.scored) == made.manifest.counts["candidates"]
    engines.writer.close()


def test_blocks_of_any_size_give_the_same_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = set()
    for size in (1, 7, 1000):
        monkeypatch.setattr(score, "BLOCK", size)
        store = ArtefactStore(tmp_path / f"store {size}")
        contents.add(judge(store, given_in(store), split="train", candidates=6)[0].manifest.content)
    assert len(contents) == 1


def test_other_weights_under_the_same_name_score_anew(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    first, _ = judge(store, given, generator="here")
    engines = ToyWriters()
    again, events = judge(store, given, engines, generator="there")
    assert again.key == first.key and events[0].kind == "reused"
    assert judge(store, given, ToyWriters(ToyGenerator(weights=1)))[0].key != first.key
    assert judge(store, given, ToyWriters(weights=1))[0].key != first.key
    trained = publish(store, "model", "trained", {})
    judge(store, {**given, "generator": trained}, engines)
    assert engines.asked_for[-1] == str(trained.folder)


# -- what it is for -------------------------------------------------------------------------------------------


def test_training_reads_the_lists(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    pairs = [pair(number, "fi", (f"p{number:02}.fi",)) for number in range(10, 30)]
    made, _ = judge(store, {**without(given, "lexical"), "pairs": paired(store, pairs)})
    settings = SourceSettings(candidates=6, first=True)
    sources = Sources(lambda texts, role: [np.frombuffer(text.encode(), np.uint8) for text in texts], settings)
    sources.add("scored", made.folder)
    source = sources.found["scored"]
    assert isinstance(source, ListSource) and sources.counts["scored"] == 20
    batch = source.draw(8, 0, np.random.default_rng(0))
    assert batch.teacher is not None and batch.teacher.shape == (8, 6)
    lists = {scored.query.text.encode(): scored for scored in Pairs(made.folder).lists()}
    for row, query in enumerate(batch.queries.lists()):
        assert batch.teacher[row][0] == pytest.approx(lists[bytes(query)].scores[0])


def test_the_report_counts_what_the_lists_say(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    made, _ = judge(store, given, split="train", candidates=8)
    report, lists = load(made), list(Pairs(made.folder).lists())
    for lang in LANGS:
        section, its = report["languages"][lang], [each for each in lists if each.query.lang == lang]
        assert section["lists"] == len(its) and section["candidates"] == sum(len(each.candidates) for each in its)
        assert section["shortest"] == min(len(each.candidates) for each in its)
        assert section["short"] == sum(len(each.candidates) < 8 for each in its)
        scores = [value for each in its for value in each.scores]
        assert section["histograms"]["scores"]["median"] == pytest.approx(np.median(scores))
    dropped = Counter(each.rule for each in Pairs(made.folder).dropped())
    assert report["all"]["dropped"] == dropped and report["all"]["answered"] == 0
    page = markdown(report)
    for part in ("Scored candidates, round 0", f"| fi | {report['languages']['fi']['queries']} |", EMPTY, "writer 0"):
        assert part in page
    assert "begin with a pair's answer" not in page
    paired_, _ = judge(store, {**given, "pairs": paired(store, [pair(7, "fi", ("p07.fi",))])})
    assert "begin with a pair's answer" in markdown(load(paired_))
    with pytest.raises(MismatchError, match="made by stage toy"):
        load(given["collection"])


@pytest.mark.slow
def test_a_random_model_on_real_indexes(tmp_path: Path, settings: Settings) -> None:
    from generator_models import generator

    settings = settings.model_copy(update={"generator": str(generator(tmp_path / "t5"))})
    workbench = Workbench(settings)
    slots = {"collection": "collection", "lexical": "lexical", "dense": "dense"}
    steps = [prepare("folder", str(settings.sample)), *indexes(), Step("scored", "score", {"split": "dev"}, slots)]
    made = ended(workbench.run(Recipe("tiny", tuple(steps))))[0]["scored"]
    pairs = Pairs(made.folder)
    lists = list(pairs.lists())
    assert {scored.query.id: len(scored.candidates) for scored in lists} == {
        id: 2 for id in ("nile-q.en", "nile-q.fi", "coffee-q.en", "coffee-q.th")
    }
    for scored in lists:
        asked = [pairs.passages[id] for id in scored.candidates]
        expected = workbench.generator().log_likelihood([scored.query] * 2, asked)
        assert list(scored.scores) == pytest.approx(expected.tolist(), abs=1e-4)


def test_lists_of_some_queries_of_each_language(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    everything, some = (Pairs(judge(store, given, samples=samples)[0].folder) for samples in (0, 3))
    asked = [*(scored.query for scored in some.lists()), *(pair.query for pair in some.dropped())]
    langs = {scored.query.lang for scored in everything.lists()}
    assert {lang: sum(query.lang == lang for query in asked) for lang in langs} == dict.fromkeys(langs, 3)
    assert len(list(some.lists())) < len(list(everything.lists()))
