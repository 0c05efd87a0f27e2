"""The mine stage on a small collection with toy indexes: its pairs and their evidence."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_indexes import LANGS, ToyEncoder, ToyEngines, passages, queries
from toy_mining import given, given_in, mine, qrels

from mdr.core.mining import NOT_RECIPROCAL
from mdr.services.training_data.reports import load, markdown
from mdr.stages import miner
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import QRELS
from mdr.storage.pairs import Pairs

__all__ = ["given"]  # fixtures


def test_pairs_and_their_evidence_are_what_both_indexes_say(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    engines = ToyEngines()
    made, events = mine(store, given, engines, round=2, weight=0.5)
    pairs = Pairs(made.folder)
    assert 30 < len(pairs) < 120
    fingerprints = {"encoder": "toy 0", "dense": "vectors of toy 0", "lexical": "words", "analyzers": "a"}
    for pair in pairs:
        query, evidence = pair.query, pair.evidence
        assert (pair.origin, pair.round, pair.weight, pair.rule) == ("mined", 2, 0.5, "intersection")
        assert evidence["fingerprints"] == fingerprints
        full = {side: toy.search([query], 999, langs=[query.lang])[0] for side, toy in engines.opened.items()}
        listed = {side: {hit.id: (at, hit.score) for at, hit in enumerate(its[:20], 1)} for side, its in full.items()}
        dense = dict(full["dense"])
        (positive,) = pair.positives
        best = min(
            (id for id in listed["dense"] if all(its.get(id, (9,))[0] <= 3 for its in listed.values())),
            key=lambda id: (listed["lexical"][id][0] + listed["dense"][id][0], id),
        )
        assert positive == best
        for kind, ids in (("positives", pair.positives), ("negatives", pair.negatives)):
            for id, proof in zip(ids, evidence[kind], strict=True):
                for side, its in listed.items():
                    rank, score = its.get(id, (None, None))
                    assert proof[side]["rank"] == rank
                    assert proof[side]["score"] == score or (rank is None and proof[side]["score"] == dense[id])
        for id, proof in zip(pair.negatives, evidence["negatives"], strict=True):
            ranks = [its[id][0] for its in listed.values() if id in its]
            assert ranks and min(ranks) >= 4
            assert dense[id] <= dense[positive] - 0.05 * abs(dense[positive])
            if proof["dense"]["score"] is not None:
                assert proof["dense"]["margin"] == pytest.approx(dense[positive] - dense[id], abs=1e-6)
        others = max(score for id, score in full["dense"] if id != positive)
        assert evidence["positives"][0]["dense"]["margin"] == pytest.approx(dense[positive] - others, abs=1e-6)
        assert evidence["candidates"] >= len(pair.negatives) + sum(evidence["refused"].values())
    named = {id for pair in [*pairs, *pairs.dropped()] for id in (*pair.positives, *pair.negatives)}
    assert pairs.passages.keys() == named
    assert [event.kind for event in events][-1] == "finished"
    assert store.verify(made.folder) == []


def test_a_dense_score_below_the_list_is_looked_up_where_it_decides(
    store: ArtefactStore, given: dict[str, Artefact]
) -> None:
    """A short dense list, no cross-list rule and no distance to the end: only looking up can tell."""
    engines = ToyEngines()
    made, _ = mine(store, given, engines, rule="lexical", depth=5, last=5, first=1, cross_list=False, negatives=9)
    looked_up = 0
    for pair in Pairs(made.folder):
        dense = dict(engines.opened["dense"].search([pair.query], 999, langs=[pair.query.lang])[0])
        for id, proof in zip(pair.negatives, pair.evidence["negatives"], strict=True):
            assert dense[id] <= 0.95 * dense[pair.positives[0]]
            looked_up += proof["dense"]["rank"] is None and proof["dense"]["score"] is not None
        (positive,) = pair.evidence["positives"]
        assert positive["dense"]["score"] == dense[pair.positives[0]]
    assert looked_up > 10


def test_blocks_and_look_ups_of_any_size_give_the_same_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = set()
    for block, looked_up in ((1024, 1 << 16), (1, 9), (7, 1), (50, 40)):
        monkeypatch.setattr(miner, "BLOCK", block)
        monkeypatch.setattr("mdr.stages.mine.BLOCK", block)
        monkeypatch.setattr(miner, "_LOOKED_UP", looked_up)
        store = ArtefactStore(tmp_path / f"store {block}")
        settings = {"rule": "lexical", "reciprocal": 5, "positives_per_query": 2, "cross_list": False}
        made, _ = mine(store, given_in(store), depth=5, first=1, last=5, **settings)
        contents.add(made.manifest.content)
    assert len(contents) == 1


def test_grades_change_nothing_but_the_report(tmp_path: Path) -> None:
    made = []
    for name, grades in (("with", qrels()), ("without", [])):
        store = ArtefactStore(tmp_path / name)
        made.append(mine(store, given_in(store, **{QRELS: grades}))[0])
    files = [{name: its["sha256"] for name, its in one.manifest.files.items()} for one in made]
    assert files[0].pop("report.json") != files[1].pop("report.json")
    assert files[0] == files[1]
    assert load(made[1])["graded"] == 0 and "not known" in markdown(load(made[1]))


def test_other_weights_under_the_same_name_are_mined_anew(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    first, _ = mine(store, given)
    again, events = mine(store, given)
    assert again.key == first.key and events[0].kind == "reused"
    other, _ = mine(store, given, ToyEngines(weights=1))
    assert other.key != first.key
    negatives = [{pair.query.id: pair.negatives for pair in Pairs(one.folder)} for one in (first, other)]
    shared = negatives[0].keys() & negatives[1].keys()
    assert sum(negatives[0][id] != negatives[1][id] for id in shared) > len(shared) / 2
    assert mine(store, given, ToyEngines(analyzers="b"))[0].key not in (first.key, other.key)


def test_the_encoder_may_be_named_and_the_name_is_no_part_of_the_recipe(
    store: ArtefactStore, given: dict[str, Artefact]
) -> None:
    first, _ = mine(store, given)
    engines = ToyEngines()
    assert mine(store, given, engines, encoder="elsewhere")[0].key == first.key
    assert set(engines.named) == {"elsewhere"}


def test_one_text_under_two_ids_is_never_its_own_negative(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    texts = {row[0]: row[3] for row in passages()}
    seen = 0
    for rule in ("dense", "lexical"):  # with one positive, and a window from the top
        made, _ = mine(store, given, rule=rule, k_positive=1, first=1, relative_margin=None, sampling="hardest")
        for pair in Pairs(made.folder):
            used = [texts[id] for id in (*pair.positives, *pair.negatives)]
            assert len(set(used)) == len(used)
            seen += pair.evidence["refused"].get("same text as a positive", 0)
    assert seen > 5


def test_several_positives_keep_negatives_away_from_the_lowest(
    store: ArtefactStore, given: dict[str, Artefact]
) -> None:
    engines = ToyEngines()
    made, _ = mine(store, given, engines, rule="union", positives_per_query=3)
    texts = {row[0]: row[3] for row in passages()}
    several = [pair for pair in Pairs(made.folder) if len(pair.positives) == 3]
    assert len(several) > 50
    for pair in several:
        assert len({texts[id] for id in pair.positives}) == 3
        dense = dict(engines.opened["dense"].search([pair.query], 999, langs=[pair.query.lang])[0])
        lowest = min(dense[id] for id in pair.positives)
        assert all(dense[id] <= lowest - 0.05 * abs(lowest) for id in pair.negatives)
        assert not set(pair.positives) & set(pair.negatives)


def test_the_reciprocal_check_ranks_all_queries_for_the_passage(
    store: ArtefactStore, given: dict[str, Artefact]
) -> None:
    texts = {row[0]: row[3] for row in passages()}
    mined = [row for row in queries() if (row[3] == "train" and row[0][0] == "q") or row[0] == "other"]
    plain, _ = mine(store, given)
    made, _ = mine(store, given, reciprocal=1)
    pairs = Pairs(made.folder)
    dropped = [pair for pair in pairs.dropped() if pair.rule == NOT_RECIPROCAL]
    assert len(pairs) > 20 and len(dropped) > 5
    assert len(pairs) + len(dropped) == len(Pairs(plain.folder))
    for pair in [*pairs, *dropped]:
        rivals = [text for _, lang, text, _ in mined if lang == pair.query.lang]
        passage, *vectors = ToyEncoder().encode([texts[pair.positives[0]], *rivals], "query").astype(float)
        own = passage @ ToyEncoder().encode([pair.query.text], "query")[0]
        rank = 1 + sum(passage @ vector > own + 1e-5 for vector in vectors)
        assert pair.evidence["positives"][0]["reciprocal"] == rank
        assert (rank == 1) == (pair.rule == "intersection")
    assert all(not pair.negatives for pair in dropped)


def test_all_languages_together(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    made, _ = mine(store, given, pool="all", rule="dense")
    langs = {pair.query.lang: {id[-2:] for id in pair.negatives} for pair in Pairs(made.folder)}
    assert set(langs) == {*LANGS, "th"} and any(len(its) > 1 for its in langs.values())


def test_some_queries_of_each_language_are_mined(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    everything, some = (Pairs(mine(store, given, samples=samples)[0].folder) for samples in (0, 4))
    asked = [pair.query for pair in [*some, *some.dropped()]]
    assert {lang: sum(query.lang == lang for query in asked) for lang in LANGS} == dict.fromkeys(LANGS, 4)
    assert {query.id for query in asked} < {pair.query.id for pair in [*everything, *everything.dropped()]}
