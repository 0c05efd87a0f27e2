"""The mine stage on a small collection with toy indexes: its pairs, their evidence, its report, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_indexes
from streams import ended
from toy_indexes import LANGS, PER_LANGUAGE, ToyEncoder, ToyEngines, carry_out, passages, publish, text_of

from mdr.core.mining import EMPTY, LONG, NO_AGREEMENT, NO_PASSAGES, NOT_FOUND, NOT_RECIPROCAL
from mdr.errors import InputError, MismatchError, MissingError
from mdr.pipeline import Recipe, Step
from mdr.recipes.baselines import indexes, prepare
from mdr.services.pair_reports import load, markdown
from mdr.settings import ROOT, Settings
from mdr.stages import miner
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES, Collection
from mdr.storage.pairs import PAIRS, Pairs
from mdr.types import Event
from mdr.workbench import Workbench


def queries() -> list[tuple[str, ...]]:
    """Three words of a passage; what cannot be mined beside them."""
    rows = [
        (f"q{n:02}.{lang}", lang, " ".join(text_of(n, lang).split()[:3]), "train")
        for lang in LANGS
        for n in range(PER_LANGUAGE)
    ]
    odd = [("empty", "en", "?\u202e!"), ("long", "en", "x" * 5_000), ("th", "th", "อะไร"), ("other", "fi", "xyz")]
    return rows + [(*row, "train") for row in odd] + [("late", "en", "en1 en2", "test")]


def qrels() -> list[tuple[str, str, int, str]]:
    own = [(f"q{n:02}.{lang}", f"p{n:02}.{lang}", 2, "train") for lang in LANGS for n in range(0, PER_LANGUAGE, 2)]
    return [*own, ("q01.en", "p02.en", 0, "train"), ("q03.en", "p03.fi", 1, "train"), ("q05.en", "gone", 1, "train")]


def given_in(store: ArtefactStore, **files: Any) -> dict[str, Artefact]:
    return toy_indexes.given_in(store, {PASSAGES: passages(), QUERIES: queries(), QRELS: qrels()} | files)


@pytest.fixture
def given(store: ArtefactStore) -> dict[str, Artefact]:
    return given_in(store)


SMALL = {"split": "train", "depth": 20, "first": 4, "last": 20, "negatives": 4}


def mine(
    store: ArtefactStore, given: Mapping[str, Artefact], engines: Any = None, **settings: Any
) -> tuple[Artefact, list[Event]]:
    return carry_out("mine", store, given, engines or ToyEngines(), SMALL | settings)


def without(given: Mapping[str, Artefact], *slots: str) -> dict[str, Artefact]:
    return {slot: its for slot, its in given.items() if slot not in slots}


# -- pairs ----------------------------------------------------------------------------------------------------


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


# -- what goes in ---------------------------------------------------------------------------------------------


def test_queries_without_a_pair_are_kept_with_their_reason(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    made, _ = mine(store, given)
    dropped = {pair.query.id: pair for pair in Pairs(made.folder).dropped()}
    reasons = {id: dropped[id].rule for id in ("empty", "long", "th", "other")}
    assert reasons == {"empty": EMPTY, "long": LONG, "th": NO_PASSAGES, "other": NO_AGREEMENT}
    assert dropped["other"].positives and dropped["other"].evidence["positives"][0]["dense"]["rank"] == 1
    assert dropped["empty"].evidence["fingerprints"]["encoder"] == "toy 0"
    counts = made.manifest.counts
    assert counts["queries"] == len(queries()) - 1 == counts["pairs"] + counts["dropped"]
    words, _ = mine(store, without(given, "dense"), rule="lexical", langs=["fi"])
    assert {pair.rule for pair in Pairs(words.folder).dropped()} == {NOT_FOUND}


def test_queries_may_come_from_another_collection(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    asked = [("new.fi", "fi", " ".join(text_of(9, "fi").split()[:4]), "")]
    grades = [("new.fi", "p09.fi", 1, "")]
    other = publish(store, "collection", "asked", {PASSAGES: [], QUERIES: asked, QRELS: grades})
    made, _ = mine(store, {**given, "queries": other}, split="")
    (pair,) = Pairs(made.folder)
    assert (pair.query.id, pair.positives) == ("new.fi", ("p09.fi",))
    assert load(made)["all"]["precision"]["mean"] == 1


def test_one_index_is_enough_for_its_own_rule(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    words, events = mine(store, without(given, "dense"), rule="lexical")
    assert any(event.kind == "warning" and "not guarded" in event.message for event in events)
    pair = next(iter(Pairs(words.folder)))
    assert pair.evidence["fingerprints"] == {"lexical": "words", "analyzers": "a"}
    assert set(pair.evidence["positives"][0]) == {"lexical", "lists"}
    meaning, events = mine(store, without(given, "lexical"), rule="dense")
    assert not any("guarded" in event.message for event in events)
    assert set(next(iter(Pairs(meaning.folder))).evidence["negatives"][0]) == {"dense"}


@pytest.mark.parametrize(
    ("lacks", "settings", "index"),
    [
        ("dense", {}, "a dense index"),
        ("lexical", {}, "a lexical index"),
        ("dense", {"rule": "lexical", "reciprocal": 1}, "a dense index"),
        ("lexical", {"rule": "union"}, "a lexical index"),
    ],
)
def test_a_rule_without_its_index_is_refused(
    store: ArtefactStore, given: dict[str, Artefact], lacks: str, settings: dict[str, Any], index: str
) -> None:
    with pytest.raises(InputError, match=f"^mine: .*needs {index}, which is not given"):
        mine(store, without(given, lacks), **settings)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"split": "dev"}, "no split 'dev'; they have test, train"),
        ({"langs": ["ja"]}, "no queries in split 'train' and languages ja; languages with queries: en, fi, sw, th"),
        ({"langs": ["th"]}, "none of 1 queries gave a pair: 1 no passages in its language"),
        ({"last": 30}, "last is 30, but lists end at rank 20"),
        ({"k_positive": 21}, "k_positive is 21, but lists end at rank 20"),
        ({"first": 20, "last": 10}, "from rank 20"),
        ({"rule": "vote"}, "'rule'"),
        ({"relative_margin": float("nan")}, "'relative_margin'"),
    ],
)
def test_settings_that_cannot_work_say_so(
    store: ArtefactStore, given: dict[str, Artefact], settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises((InputError, MissingError)) as error:
        mine(store, given, **settings)
    assert problem in error.value.problem and error.value.remedy
    assert not list(store.root.glob("pairs/[!.]*"))


def test_a_language_without_queries_or_pairs_is_a_warning(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    _, events = mine(store, given, langs=["fi", "th", "ja"])
    said = [event.message for event in events if event.kind == "warning"]
    assert said == ["there are no queries in ja", "no pairs in th: 1 no passages in its language"]


def test_a_score_that_is_no_number_stops_the_stage(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    engines = ToyEngines()
    engines.open_dense(given["dense"].folder, given["collection"].folder, encoder="toy").score = lambda *_: float("nan")
    with pytest.raises(InputError, match=r"mine: the dense index scores passage .* nan"):
        mine(store, given, engines)
    assert not list(store.root.glob("pairs/[!.]*"))


def test_indexes_of_another_collection_are_refused(store: ArtefactStore) -> None:
    given = given_in(store)
    fewer = publish(store, "collection", "fewer", {PASSAGES: passages()[:3], QUERIES: queries(), QRELS: []})
    with pytest.raises(MismatchError, match="passages that the collection lacks"):
        mine(store, {**given, "collection": fewer}, langs=["en"])
    empty = publish(store, "collection", "empty", {PASSAGES: [], QUERIES: queries(), QRELS: []})
    with pytest.raises(InputError, match="no passages"):
        mine(store, {**given, "collection": empty})


def test_a_killed_build_begins_again_and_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight, killed = ArtefactStore(tmp_path / "straight"), ArtefactStore(tmp_path / "killed")
    expected, _ = mine(straight, given_in(straight))
    given = given_in(killed)
    monkeypatch.setattr("mdr.stages.mine.mining_report", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        mine(killed, given)
    assert list(killed.root.glob(f"pairs/.*/{PAIRS}"))
    monkeypatch.undo()
    assert mine(killed, given)[0].manifest.content == expected.manifest.content


# -- the report -----------------------------------------------------------------------------------------------


def test_the_report_counts_what_the_pairs_say(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    made, _ = mine(store, given, rule="union", positives_per_query=2)
    report, pairs = load(made), list(Pairs(made.folder))
    twin_of = {f"twin-{row[0]}": row[0] for row in passages()}
    for lang in LANGS:
        section, its = report["languages"][lang], [pair for pair in pairs if pair.query.lang == lang]
        assert section["pairs"] == len(its)
        assert section["negatives"] == sum(len(pair.negatives) for pair in its)
        assert section["short"] == sum(len(pair.negatives) < 4 for pair in its)
        assert section["candidates"] == sum(pair.evidence["candidates"] for pair in its)
        assert sum(section["admitted"].values()) == section["positives"] == sum(len(pair.positives) for pair in its)
        shares, wrong = [], []
        for pair in its:
            gold = pair.query.id.replace("q", "p")
            if pair.query.id[0] == "q" and int(pair.query.id[1:3]) % 2 == 0:
                shares.append(np.mean([twin_of.get(id, id) == gold for id in pair.positives]))
                wrong.append(np.mean([twin_of.get(id, id) == gold for id in pair.negatives]))
        precision, false = section["precision"], section["false_negatives"]
        assert precision["mean"] == pytest.approx(np.mean(shares)) and precision["queries"] == len(shares)
        assert 0 <= precision["low"] < precision["mean"] < precision["high"] <= 1
        assert false["mean"] == pytest.approx(np.mean(wrong))
        scores = [proof["dense"]["score"] for pair in its for proof in pair.evidence["positives"]]
        histogram = section["histograms"]["dense score of positives"]
        assert sum(histogram["counts"]) == len(scores)
        assert histogram["edges"][0] == min(scores) and histogram["edges"][-1] == max(scores)
        assert histogram["median"] == pytest.approx(np.median(scores))
    assert report["graded"] == 60  # an answer in another language, or that is not there, cannot be found
    assert report["languages"]["th"]["dropped"] == {NO_PASSAGES: 1}
    assert report["all"]["queries"] == made.manifest.counts["queries"]


def test_parallel_queries_do_not_make_the_report_surer(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    """p2.en, p2.fi and p2.sw say the same: the interval of all languages is as wide as that of 20 questions."""
    report = load(mine(store, given, rule="dense")[0])
    widths = {
        name: its["precision"]["high"] - its["precision"]["low"]
        for name, its in {**report["languages"], "all": report["all"]}.items()
        if its["precision"]
    }
    assert widths["all"] > 0.7 * min(widths[lang] for lang in LANGS)


def test_the_report_as_a_page(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    page = markdown(load(mine(store, given)[0]))
    for part in ("round 0: intersection", "| fi | 41 |", "precision of positives", NO_AGREEMENT, "encoder: `toy 0`"):
        assert part in page
    lines = page.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("|---"):  # every table has as many cells in each row
            columns = line.count("|")
            assert lines[number - 1].count("|") == lines[number + 1].count("|") == columns
    with pytest.raises(MismatchError, match="made by stage toy"):
        load(given["collection"])


@pytest.mark.slow
def test_the_sample_with_the_shipped_encoder(tmp_path: Path) -> None:
    """On real indexes, agreement of both is right more often than either alone."""
    workbench = Workbench(Settings(home=tmp_path / "home"))
    steps = [prepare("folder", str(ROOT / "data" / "sample")), *indexes()]
    slots = {"collection": "collection", "lexical": "lexical", "dense": "dense"}
    rules = ("intersection", "lexical", "dense")
    settings = {"langs": ["fi", "sw", "th"], "k_positive": 1}
    steps += [Step(f"by {rule}", "mine", {"rule": rule, **settings}, slots) for rule in rules]
    made, _ = ended(workbench.run(Recipe("sample", tuple(steps))))
    precision = {rule: load(made[f"by {rule}"])["all"]["precision"]["mean"] for rule in rules}
    assert precision["intersection"] > max(precision["lexical"], precision["dense"])
    collection = Collection(made["collection"].folder)
    for pair in Pairs(made["by intersection"].folder):
        assert len(pair.negatives) == 7
        assert {collection.lang_of(id) for id in (*pair.positives, *pair.negatives)} == {pair.query.lang}
