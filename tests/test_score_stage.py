"""The score stage on a small collection with toy engines: whose candidates, in which order, with which scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_indexes
from streams import ended
from toy_generator import ToyGenerator, ToyWriters
from toy_indexes import LANGS, PER_LANGUAGE, carry_out, passages, publish, text_of

from mdr.core.mining import EMPTY, LONG, NO_PASSAGES, NOT_FOUND
from mdr.engines.cached_generator import CachedGenerator
from mdr.errors import InputError, MismatchError, MissingError
from mdr.pipeline import Recipe, Step
from mdr.recipes.baselines import indexes, prepare
from mdr.services.pair_reports import load, markdown
from mdr.settings import Settings
from mdr.stages import score
from mdr.stages.score import FEW, NO_ANSWER
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES
from mdr.storage.pairs import Pair, Pairs, PairWriter
from mdr.training.list_source import ListSource
from mdr.training.settings import SourceSettings
from mdr.training.sources import Sources
from mdr.types import Event, Passage, Query
from mdr.workbench import Workbench

TEXTS = {row[0]: Passage(*row) for row in passages()}


def queries() -> list[tuple[str, ...]]:
    rows = [
        (f"q{n:02}.{lang}", lang, " ".join(text_of(n, lang).split()[:3]), "train")
        for lang in LANGS
        for n in range(0, PER_LANGUAGE, 4)
    ]
    odd = [("empty", "en", "?\u202e!"), ("long", "en", "x" * 5_000), ("th", "th", "อะไร"), ("other", "fi", "xyz")]
    return rows + [(*row, "train") for row in odd] + [("late", "en", "en1 en2", "test")]


def qrels() -> list[tuple[str, str, int, str]]:
    return [(f"q{n:02}.{lang}", f"p{n:02}.{lang}", 2, "train") for lang in LANGS for n in range(0, PER_LANGUAGE, 8)]


def given_in(store: ArtefactStore, **files: Any) -> dict[str, Artefact]:
    return toy_indexes.given_in(store, {PASSAGES: passages(), QUERIES: queries(), QRELS: qrels()} | files)


@pytest.fixture
def given(store: ArtefactStore) -> dict[str, Artefact]:
    return given_in(store)


SMALL = {"depth": 12}


def judge(
    store: ArtefactStore, given: Mapping[str, Artefact], engines: Any = None, **settings: Any
) -> tuple[Artefact, list[Event]]:
    return carry_out("score", store, given, engines or ToyWriters(), SMALL | settings)


def without(given: Mapping[str, Artefact], *slots: str) -> dict[str, Artefact]:
    return {slot: its for slot, its in given.items() if slot not in slots}


def paired(store: ArtefactStore, pairs: list[Pair], texts: Mapping[str, Passage] = TEXTS) -> Artefact:
    with store.draft("pairs", "paired") as draft:
        with PairWriter(draft.folder) as writer:
            for pair in pairs:
                writer.add(pair)
            writer.passages(texts[id] for pair in pairs for id in (*pair.positives, *pair.negatives))
        return store.publish(draft, stage="toy", version=1, settings={}, inputs={}, fingerprints={}, content="paired")


def hits(engines: ToyWriters, side: str, query: Query, depth: int = 12) -> list[str]:
    """A list as it stands, each text once."""
    texts: dict[str, str] = {}
    for hit in engines.opened[side].search([query], depth, langs=[query.lang])[0]:
        texts.setdefault(TEXTS[hit.id].text, hit.id)
    return list(texts.values())


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


# -- pairs ----------------------------------------------------------------------------------------------------


def pair(number: int, lang: str, positives: tuple[str, ...], negatives: tuple[str, ...] = ()) -> Pair:
    query = Query(f"x{number}.{lang}", lang, " ".join(text_of(number, lang).split()[:3]))
    return Pair(query, positives, negatives, "mined", 0.5, 2, "intersection")


def test_pairs_alone_are_their_answer_and_their_negatives(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    pairs = [
        pair(7, "fi", ("p07.fi",), ("p01.fi", "p02.fi")),
        pair(3, "en", ("twin-p03.en", "p09.en"), ("p03.en", "p11.en", "p10.en")),
        pair(8, "en", ("p08.en",)),
        pair(9, "en", (), ("p03.en", "p11.en")),
    ]
    slots = without(given, "lexical", "dense") | {"pairs": paired(store, pairs)}
    made, events = judge(store, slots)
    scored = {each.query.id: each for each in Pairs(made.folder).lists()}
    assert {id: each.candidates for id, each in scored.items()} == {
        "x7.fi": ("p07.fi", "p01.fi", "p02.fi"),
        "x3.en": ("twin-p03.en", "p11.en", "p10.en"),  # not the other answer, nor what has the answer's text
    }
    assert scored["x7.fi"].evidence["pair"] == {"origin": "mined", "round": 2, "rule": "intersection"}
    dropped = {each.query.id: each for each in Pairs(made.folder).dropped()}
    assert {id: each.rule for id, each in dropped.items()} == {"x8.en": FEW, "x9.en": NO_ANSWER}
    assert dropped["x8.en"].origin == "mined"
    assert not [event for event in events if event.kind == "note"]
    few, _ = judge(store, slots, candidates=2)
    assert [each.candidates[0] for each in Pairs(few.folder).lists()] == ["p07.fi", "twin-p03.en"]
    assert all(len(each.candidates) == 2 for each in Pairs(few.folder).lists())


def test_with_an_index_the_answer_comes_first_and_the_rest_is_found(
    store: ArtefactStore, given: dict[str, Artefact]
) -> None:
    engines = ToyWriters()
    engines.open_dense(given["dense"].folder, given["collection"].folder, encoder="toy")
    last = engines.opened["dense"].search([pair(7, "fi", ()).query], 99, langs=["fi"])[0][-1].id
    second_best = next(id for id in hits(engines, "dense", pair(3, "en", ()).query) if "p03" not in id)
    pairs = [pair(3, "en", ("twin-p03.en", second_best), ("p11.en",)), pair(7, "fi", (last,), ("p01.fi",))]
    slots = without(given, "lexical") | {"pairs": paired(store, pairs)}
    made, _ = judge(store, slots, engines)
    first, second = Pairs(made.folder).lists()
    found = [id for id in hits(engines, "dense", first.query) if id not in ("p03.en", "twin-p03.en", second_best)]
    assert list(first.candidates) == ["twin-p03.en", *found]
    ranking = [hit.id for hit in engines.opened["dense"].search([first.query], 12, langs=["en"])[0]]
    assert first.evidence["dense"]["ranks"][0] == ranking.index("twin-p03.en") + 1
    assert list(second.candidates) == [last, *hits(engines, "dense", second.query)]
    assert second.evidence["dense"]["ranks"][0] is second.evidence["dense"]["scores"][0] is None
    fewer, _ = judge(store, slots, candidates=4)
    for scored, full in zip(Pairs(fewer.folder).lists(), (first, second), strict=True):
        assert len(scored.candidates) == 4 and scored.candidates[0] == full.candidates[0]
    report = load(made)["all"]
    assert report["answered"] == 2
    assert report["preferred"] == sum(each.scores[0] == max(each.scores) for each in (first, second))


def test_a_pair_may_name_passages_that_the_collection_lacks(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    elsewhere = Passage("elsewhere", "en", "", "en1 en2 en3")
    pairs = paired(store, [pair(1, "en", ("elsewhere",), ("p02.en",))], TEXTS | {"elsewhere": elsewhere})
    made, _ = judge(store, {**without(given, "lexical", "dense"), "pairs": pairs})
    assert Pairs(made.folder).passages["elsewhere"] == elsewhere


def test_one_id_with_two_texts_is_refused(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    changed = TEXTS | {"p02.en": Passage("p02.en", "en", "", "something else")}
    pairs = paired(store, [pair(1, "en", ("p01.en",), ("p02.en",))], changed)
    with pytest.raises(MismatchError, match=r"score: passage 'p02.en' says one thing in the pairs and another"):
        judge(store, {**without(given, "lexical", "dense"), "pairs": pairs})


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


# -- what cannot work -----------------------------------------------------------------------------------------


def test_queries_without_a_list_keep_their_reason(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    made, events = judge(store, without(given, "dense"), split="train")
    reasons = {each.query.id: each.rule for each in Pairs(made.folder).dropped()}
    odd = {id: reasons.pop(id) for id in ("empty", "long", "th", "other")}
    assert odd == {"empty": EMPTY, "long": LONG, "th": NO_PASSAGES, "other": NOT_FOUND}
    said = [event.message for event in events if event.kind == "warning"]
    assert said == [f"no lists in th: 1 {NO_PASSAGES}"]
    counts = made.manifest.counts
    assert counts["queries"] == len(queries()) - 1 == counts["lists"] + counts["dropped"]


def test_short_lists_are_told_and_can_be_dropped(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    words = without(given, "dense")
    made, events = judge(store, words, split="train", depth=50)
    sizes = {each.query.id: len(each.candidates) for each in Pairs(made.folder).lists()}
    (note,) = [event.message for event in events if event.kind == "note"]
    short = sum(size < 50 for size in sizes.values())
    assert note.startswith(
        f"{short} of {len(sizes)} lists have fewer than 50 candidates, the shortest {min(sizes.values())}"
    )
    middle = sorted(sizes.values())[len(sizes) // 2]
    longer, _ = judge(store, words, split="train", depth=50, at_least=middle)
    kept = {each.query.id for each in Pairs(longer.folder).lists()}
    assert kept == {id for id, size in sizes.items() if size >= middle} and len(kept) < len(sizes)
    assert {each.rule for each in Pairs(longer.folder).dropped() if each.query.id in sizes} == {FEW}
    with pytest.raises(InputError, match=r"score: none of 34 queries has candidates to judge: .*30 too few") as error:
        judge(store, words, split="train", depth=50, at_least=51)
    assert "at_least" in error.value.remedy


def test_a_score_that_is_no_number_stops_the_stage(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    before, _ = judge(store, given)
    engines = ToyWriters()
    engines.writer.likelihood = lambda query, passage: float("nan") if passage.id == "p05.fi" else 0.0  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"score: the generator scores passage 'p05.fi' nan for query") as error:
        judge(store, given, engines, depth=45)
    assert "MDR_PRECISION=float32" in error.value.remedy and "another generator" in error.value.remedy
    engines = ToyWriters()
    engines.open_dense(given["dense"].folder, given["collection"].folder, encoder="toy").score = lambda *_: float("nan")
    with pytest.raises(InputError, match=r"score: the dense index scores passage .* nan"):
        judge(store, given, engines, seed=1)
    assert [path.name for path in store.root.glob("pairs/[!.]*")] == [before.folder.name]


@pytest.mark.parametrize(
    ("lacks", "settings", "problem"),
    [
        (["lexical", "dense"], {}, "score: there are no candidates to score"),
        ([], {"split": "dev"}, "score: the queries have no split 'dev'; they have test, train"),
        ([], {"langs": ["ja"]}, "score: there are no queries in split 'all' and languages ja"),
        ([], {"langs": ["th"], "split": "train"}, "none of 1 queries has candidates to judge: 1 no passages"),
        ([], {"candidates": 2, "at_least": 3}, "candidates is 2, but lists need 3"),
        ([], {"depth": 1}, "'depth'"),
        ([], {"at_least": 1}, "'at_least'"),
        ([], {"langs": ["xx"]}, "'xx'"),
    ],
)
def test_settings_that_cannot_work_say_so(
    store: ArtefactStore, given: dict[str, Artefact], lacks: list[str], settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(Exception) as error:
        judge(store, without(given, *lacks), **settings)
    assert problem in str(error.value)
    assert not list(store.root.glob("pairs/[!.]*"))


def test_inputs_that_do_not_belong_together_are_refused(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    pairs = paired(store, [pair(1, "en", ("p01.en",), ("p02.en",))])
    for settings, slots in (({"split": "train"}, given), ({}, {**given, "queries": given["collection"]})):
        with pytest.raises(InputError, match="pairs bring their own queries"):
            judge(store, {**slots, "pairs": pairs}, **settings)
    fewer = publish(store, "collection", "fewer", {PASSAGES: passages()[:3], QUERIES: queries(), QRELS: []})
    with pytest.raises(MismatchError, match="is named, but the collection lacks it"):
        judge(store, {**given, "collection": fewer}, langs=["en"])
    empty = publish(store, "collection", "empty", {PASSAGES: [], QUERIES: queries(), QRELS: []})
    with pytest.raises(InputError, match="no passages"):
        judge(store, {**given, "collection": empty})


def test_queries_may_come_from_another_collection(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    asked = [("new.fi", "fi", " ".join(text_of(9, "fi").split()[:4]), "")]
    other = publish(store, "collection", "asked", {PASSAGES: [], QUERIES: asked, QRELS: []})
    made, events = judge(store, {**given, "queries": other}, langs=["fi", "ja"])
    (scored,) = Pairs(made.folder).lists()
    assert scored.query == Query(*asked[0][:3]) and scored.candidates[0] == "p09.fi"
    assert "there are no queries in ja" in [event.message for event in events if event.kind == "warning"]
    everywhere, _ = judge(store, {**without(given, "lexical"), "queries": other}, pool="all", depth=100)
    (scored,) = Pairs(everywhere.folder).lists()
    assert {TEXTS[id].lang for id in scored.candidates} == set(LANGS)


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
