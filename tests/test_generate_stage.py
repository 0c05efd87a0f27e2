"""The generate stage on a small collection with toy engines: its pairs, what it drops and why, and how it goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streams import ended
from toy_generator import ToyGenerator, ToyWriters, three_words
from toy_indexes import LANGS, PER_LANGUAGE, carry_out, passages, publish

from mdr.core import filters
from mdr.core.filters import (
    AGAIN,
    COPIED,
    EMPTY,
    LANGUAGE,
    LOST,
    OUTGROWN,
    REPEATS,
    SHARED,
    SHORT,
    UNLIKELY,
    percentiles,
)
from mdr.errors import InputError, MismatchError
from mdr.pipeline import Recipe, Step
from mdr.recipes.baselines import indexes, prepare
from mdr.services.pair_reports import load, markdown
from mdr.settings import Settings
from mdr.stages import generate, sifter
from mdr.stages.selection import Selection, select
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES, Collection
from mdr.storage.pairs import DROPPED, PAIRS, Pair, Pairs, PairWriter
from mdr.storage.scratch import Scratch
from mdr.types import Event, Passage, Query
from mdr.workbench import Workbench


def given_in(store: ArtefactStore) -> dict[str, Artefact]:
    rows = [(id, lang, text) for id, lang, _, text, _ in passages()]
    return {
        "collection": publish(store, "collection", "tiny", {PASSAGES: passages(), QUERIES: [], QRELS: []}),
        "lexical": publish(store, "index", "words", {}, rows),
        "dense": publish(store, "index", "meaning", {}, rows),
    }


@pytest.fixture
def given(store: ArtefactStore) -> dict[str, Artefact]:
    return given_in(store)


def make(
    store: ArtefactStore, given: Mapping[str, Artefact], engines: Any = None, **settings: Any
) -> tuple[Artefact, list[Event]]:
    return carry_out("generate", store, given, engines or ToyWriters(), settings)


def without(given: Mapping[str, Artefact], *slots: str) -> dict[str, Artefact]:
    return {slot: its for slot, its in given.items() if slot not in slots}


def written(writes: Any) -> ToyWriters:
    return ToyWriters(ToyGenerator(writes=writes))


def pairs_naming(store: ArtefactStore, name: str, counts: Mapping[str, int]) -> Artefact:
    """Pairs that name passages so often."""
    with store.draft("pairs", name) as draft:
        with PairWriter(draft.folder) as writer:
            for id, count in counts.items():
                for number in range(count):
                    writer.add(Pair(Query(f"{id}-{number}", "en", "what"), (id,)))
        return store.publish(draft, stage="toy", version=1, settings={}, inputs={}, fingerprints={})


# -- pairs ----------------------------------------------------------------------------------------------------


def test_pairs_and_their_evidence_are_what_the_engines_say(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    engines = ToyWriters()
    made, events = make(store, given, engines, round=2, weight=0.5, seed=7, min_percentile=10)
    pairs, texts = Pairs(made.folder), {row[0]: Passage(*row) for row in passages()}
    kept, dropped = list(pairs), list(pairs.dropped())
    assert len(kept) + len(dropped) == 3 * 3 * PER_LANGUAGE
    assert len(kept) > 100 and {pair.rule for pair in dropped} >= {LOST, UNLIKELY}
    scored: dict[str, list[Pair]] = {}
    for pair in [*kept, *dropped]:
        query, evidence, (id,) = pair.query, pair.evidence, pair.positives
        assert (pair.origin, pair.round, pair.weight, pair.negatives) == ("generated", 2, 0.5, ())
        assert query.text == three_words(texts[id], query.lang, evidence["number"], 7)
        assert query.id == f"{id}#{query.lang}{evidence['number']}" and texts[id].lang == query.lang
        assert evidence["seed"] == 7
        assert evidence["fingerprints"] == {
            "generator": "writer 0",
            "encoder": "toy 0",
            "dense": "vectors of toy 0",
            "lexical": "words",
            "analyzers": "a",
        }
        if "likelihood" in evidence:
            assert evidence["likelihood"] == engines.writer.likelihood(query, texts[id])
            scored.setdefault(query.lang, []).append(pair)
        ranks = {}
        for side, found in evidence.get("round_trip", {}).items():
            ranking = engines.opened[side].search([query], 100, langs=[query.lang])[0]
            same = [(at, hit.score) for at, hit in enumerate(ranking, 1) if texts[hit.id].text == texts[id].text]
            assert (found["rank"], found["score"]) == (same[0] if same else (None, None))
            ranks[side] = found["rank"]
        returns = any(rank is not None and rank <= 3 for rank in ranks.values())
        assert (pair.rule == LOST) == (bool(ranks) and not returns)
        if pair in kept:
            assert pair.rule == "round trip: union"
            assert evidence["passed"] == ["text", "duplicate", "round trip", "likelihood"]
    for its in scored.values():
        expected = percentiles(np.array([pair.evidence["likelihood"] for pair in its]))
        assert [pair.evidence["percentile"] for pair in its] == pytest.approx(expected)
    assert all(
        (pair.rule == UNLIKELY) <= (pair.evidence["percentile"] < 10)
        for pair in dropped
        if "percentile" in pair.evidence
    )
    assert pairs.passages.keys() == {pair.positives[0] for pair in [*kept, *dropped]}
    assert [event.kind for event in events][-1] == "finished"
    assert store.verify(made.folder) == []


def test_every_dropped_question_keeps_its_reason(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    texts = {
        0: lambda passage: "",
        1: lambda passage: f"what {passage.text.split()[4]} {passage.text.split()[0]}".replace("en", "fi"),
        2: lambda passage: passage.text.split()[0],
        3: lambda passage: passage.text,
        4: lambda passage: "en1 en1 en1 en1 en1",
        5: lambda passage: "en1 en2 en3 en4 en5 en6 en7",
        6: lambda passage: three_words(passage, "en", 6, 0),
        7: lambda passage: three_words(passage, "en", 6, 0).upper() + "?",
        8: lambda passage: "what en999 en998",
        9: lambda passage: "\ud800 what\x00 is \u202e it",
    }
    engines = written(lambda passage, lang, number, seed: texts[number](passage))
    made, _ = make(store, given, engines, langs=["en"], n=10)
    pairs = Pairs(made.folder)
    reasons = Counter((pair.evidence["number"], pair.rule) for pair in pairs.dropped())
    for number, reason in enumerate([EMPTY, LANGUAGE, SHORT, COPIED, REPEATS, OUTGROWN]):
        assert reasons[number, reason] == PER_LANGUAGE, reason
    assert reasons[7, AGAIN] == PER_LANGUAGE
    assert reasons[8, SHARED] == reasons[9, SHARED] == PER_LANGUAGE - 1  # of one question to all, the likeliest stays
    assert reasons[8, LOST] == 1
    by_id = {pair.query.id: pair for pair in pairs.dropped()}
    assert by_id["p09.en#en0"].query.text == "" and "likelihood" not in by_id["p09.en#en0"].evidence
    assert by_id["p09.en#en0"].evidence["passed"] == [] and by_id["p09.en#en7"].evidence["passed"] == ["text"]
    assert all(pair.query.text == "what is it" for pair in by_id.values() if pair.evidence["number"] == 9)
    assert made.manifest.counts["questions"] == 10 * PER_LANGUAGE == len(pairs) + len(by_id)
    assert made.manifest.counts["dropped"] == len(by_id)


def test_filters_can_be_left_out(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    engines = written(lambda passage, lang, number, seed: passage.text.replace("en", "fi"))
    open_ = {"language": False, "max_copy": 1, "max_repetition": 1, "round_trip": "none", "n": 1}
    made, _ = make(store, without(given, "lexical", "dense"), engines, langs=["en"], **open_)
    assert len(Pairs(made.folder)) == PER_LANGUAGE
    pair = next(iter(Pairs(made.folder)))
    assert pair.evidence["passed"] == ["text", "duplicate"] and "round_trip" not in pair.evidence
    made, _ = make(store, given, engines, langs=["en"], **open_)  # indexes are asked, and stand against nothing
    assert {len(pair.evidence["round_trip"]) for pair in Pairs(made.folder)} == {2}


@pytest.mark.parametrize("rule", ["lexical", "dense", "intersection", "union"])
def test_the_round_trip_goes_by_the_indexes_of_its_rule(
    store: ArtefactStore, given: dict[str, Artefact], rule: str
) -> None:
    made, _ = make(store, given, round_trip=rule, k=1)
    for kept, pairs in ((True, Pairs(made.folder)), (False, Pairs(made.folder).dropped())):
        for pair in pairs:
            first = {side: found["rank"] == 1 for side, found in pair.evidence.get("round_trip", {}).items()}
            if kept or pair.rule == LOST:
                asked = first.values() if rule in ("intersection", "union") else [first[rule]]
                assert (all if rule == "intersection" else any)(asked) == kept


def test_another_passage_with_the_text_counts_as_found(store: ArtefactStore) -> None:
    """Only the twin is in the index."""
    rows = [(f"twin-{id}" if id < "p05" else id, lang, text) for id, lang, _, text, _ in passages() if "twin" not in id]
    given = given_in(store) | {"lexical": publish(store, "index", "twins", {}, rows)}
    made, _ = make(store, without(given, "dense"), round_trip="lexical")
    found = {pair.positives[0] for pair in Pairs(made.folder)}
    assert {f"p{number:02}.{lang}" for number in range(5) for lang in LANGS} <= found


# -- what is written for --------------------------------------------------------------------------------------


def chosen(artefact: Artefact) -> set[str]:
    pairs = Pairs(artefact.folder)
    return {pair.positives[0] for pair in [*pairs, *pairs.dropped()]}


def test_a_smaller_budget_gives_a_part_of_a_larger_one(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    all_of_it, _ = make(store, given, n=1)
    assert chosen(all_of_it) == {row[0] for row in passages() if "twin" not in row[0]}
    assert load(all_of_it)["passages_with_the_text_of_another"] == 15
    few, _ = make(store, given, n=1, budget=5)
    more, _ = make(store, given, n=1, budget=12)
    assert chosen(few) < chosen(more) and len(chosen(few)) == 15 and len(chosen(more)) == 36
    alone, _ = make(store, given, n=1, budget=5, langs=["fi"])
    assert chosen(alone) == {id for id in chosen(few) if id.endswith("fi")}
    other, _ = make(store, given, n=1, budget=5, seed=1)
    assert chosen(other) != chosen(few)
    big, events = make(store, given, n=1, budget=10**9, langs=["fi", "ja"])
    assert len(chosen(big)) == PER_LANGUAGE
    assert "there are no passages in ja" in [event.message for event in events if event.kind == "warning"]


def test_coverage_takes_what_fewest_pairs_name(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    named = {f"p{number:02}.en": 1 + (number < 10) for number in range(30)} | {"twin-p30.en": 1, "gone": 3}
    start = pairs_naming(store, "start", named)
    covered, _ = make(store, {**given, "pairs": start}, n=1, langs=["en"], budget=12, selection="coverage")
    assert chosen(covered) >= {f"p{number}.en" for number in range(30, 40)}
    assert all(named.get(id, 0) < 2 for id in chosen(covered))
    only, _ = make(store, {**given, "pairs": start}, n=1, langs=["en"], selection="named")
    assert chosen(only) == {f"p{number:02}.en" for number in range(30)}
    with pytest.raises(InputError, match="generate: the pairs name no passage in fi"):
        make(store, {**given, "pairs": start}, n=1, langs=["fi"], selection="named")


@pytest.mark.parametrize("selection", ["random", "coverage", "named"])
def test_the_twin_of_a_named_passage_counts_as_named(
    store: ArtefactStore, given: dict[str, Artefact], selection: Selection
) -> None:
    collection = Collection(given["collection"].folder)
    same = {"p01.en": 0, "twin-p01.en": 0}
    pairs = [Pair(Query("q", "en", "what"), ("twin-p01.en", "p02.en"))]
    found = select(collection, ["en"], selection, budget=0, seed=0, pairs=pairs, same_text=same)
    names = {collection.ids[at] for at in found.positions}
    assert "twin-p01.en" not in names and found.positions == sorted(found.positions) and found.repeated == 1
    assert ("p01.en" in names) and (selection != "named" or names == {"p01.en", "p02.en"})


def test_questions_may_be_in_other_languages(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    """They search the passages of their passage's language."""
    codes, _ = make(store, given, langs=["en"], target=["sw", "fi", "sw"], n=1, round_trip="dense", k=100, budget=9)
    pairs = [*Pairs(codes.folder), *Pairs(codes.folder).dropped()]
    assert Counter(pair.query.lang for pair in pairs) == {"fi": 9, "sw": 9}
    assert all(f"what {pair.query.lang}" in pair.query.text for pair in pairs)
    assert len(Pairs(codes.folder)) == 18  # within 100 of 45, though no word is shared
    other, _ = make(store, given, target="other", n=2, round_trip="dense", k=100)
    pairs = [*Pairs(other.folder), *Pairs(other.folder).dropped()]
    langs = {
        pair.positives[0]: {each.query.lang for each in pairs if each.positives == pair.positives} for pair in pairs
    }
    assert all(len(its) == 1 and id[-2:] not in its for id, its in langs.items())
    assert {(id[-2:], *its) for id, its in langs.items()} == {(a, b) for a in LANGS for b in LANGS if a != b}


def test_there_must_be_another_language_to_ask_in(store: ArtefactStore) -> None:
    rows = [row for row in passages() if row[1] == "en"]
    one = publish(store, "collection", "english", {PASSAGES: rows, QUERIES: [], QRELS: []})
    with pytest.raises(InputError, match="all passages are in en, there is no other language"):
        make(store, {"collection": one}, target="other", round_trip="none")


# -- going on -------------------------------------------------------------------------------------------------


def test_a_killed_run_writes_only_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    straight, killed = ArtefactStore(tmp_path / "straight"), ArtefactStore(tmp_path / "killed")
    expected, _ = make(straight, given_in(straight))
    given = given_in(killed)
    monkeypatch.setattr(generate, "BLOCK", 10)
    engines = ToyWriters()
    engines.writer.dies_after = 5
    with pytest.raises(KeyboardInterrupt):
        make(killed, given, engines)
    (scratch,) = killed.root.glob("pairs/.*/.written.jsonl")
    with scratch.open("a", encoding="utf-8") as stream:
        stream.write('[50, "en", ["torn')
    assert not list(killed.root.glob("pairs/[!.]*"))
    again = ToyWriters()
    made, events = make(killed, given, again)
    assert sum(again.writer.written) == 3 * PER_LANGUAGE - 50
    assert "50 of 120 passages were written for before" in [event.message for event in events]
    assert made.manifest.content == expected.manifest.content
    assert not list(made.folder.glob(".*"))


def test_what_is_written_behind_a_torn_line_is_found_again(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, "written")
    assert scratch.read() == []
    scratch.append([[1, "en", ["\ud800 what\n"]], [2, "fi", []]])
    for torn in ('[3, "en", ["to', '[3, "en", []]', '{"', "\x00\x00"):
        before = scratch.read()
        with (tmp_path / ".written.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(torn)
        assert scratch.read() == before
        scratch.append([[4, torn]])
        assert scratch.read() == [*before, [4, torn]]


def test_a_run_killed_in_its_filters_writes_nothing_again(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    engines = ToyWriters()
    engines.opened["dense"] = None  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        make(store, given, engines)
    engines.opened.clear()
    engines.writer.written.clear()
    make(store, given, engines)
    assert engines.writer.written == []


def test_blocks_of_any_size_give_the_same_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = set()
    for size in (1, 7, 4096):
        monkeypatch.setattr(generate, "BLOCK", size)
        for name in ("_READ", "_SCORED", "_SEARCHED"):
            monkeypatch.setattr(sifter, name, size)
        store = ArtefactStore(tmp_path / f"store {size}")
        contents.add(make(store, given_in(store), min_percentile=20)[0].manifest.content)
    assert len(contents) == 1


def test_other_weights_under_the_same_name_write_anew(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    first, _ = make(store, given, generator="here")
    engines = ToyWriters()
    again, events = make(store, given, engines, generator="there")
    assert again.key == first.key and events[0].kind == "reused" and set(engines.asked_for) == {"there"}
    assert make(store, given, ToyWriters(ToyGenerator(weights=1)))[0].key != first.key
    assert make(store, given, ToyWriters(weights=1))[0].key != first.key
    assert make(store, given, seed=1)[0].key != first.key


def test_generator_and_encoder_may_come_from_an_earlier_step(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    trained = publish(store, "model", "trained", {})
    engines = ToyWriters()
    make(store, {**given, "generator": trained}, engines, generator="unused")
    assert set(engines.asked_for) == {str(trained.folder)} and set(engines.named) == {"toy"}
    rows = [(id, lang, text) for id, lang, _, text, _ in passages()]
    dense = publish(store, "index", "taught", {}, rows, model=trained)
    engines = ToyWriters()
    make(store, {**given, "dense": dense}, engines)
    assert set(engines.named) == {str(trained.folder)}


# -- what cannot work -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("writes", "reason", "remedy"),
    [
        (
            lambda passage, *_: three_words(passage, "zz", 0, 0).replace("zz", "en" if passage.lang != "en" else "fi"),
            LANGUAGE,
            "language",
        ),
        (lambda passage, *_: passage.text, COPIED, "max_copy"),
        (lambda passage, *_: "", EMPTY, "train the generator"),
        (lambda passage, *_: "is is is is", REPEATS, "max_repetition"),
        (lambda passage, lang, number, seed: f"is it so {number}", SHARED, "generator"),
    ],
)
def test_when_nothing_is_kept_the_error_says_why(
    store: ArtefactStore, given: dict[str, Artefact], writes: Any, reason: str, remedy: str
) -> None:
    before, _ = make(store, given)
    with pytest.raises(InputError, match=r"^generate: none of 360 questions stood up to the filters: ") as error:
        make(store, given, written(writes), seed=9, round_trip="lexical")
    assert reason in error.value.problem and remedy in error.value.remedy
    assert error.value.remedy == filters.REASONS[reason]
    assert [path.name for path in store.root.glob("pairs/[!.]*")] == [before.folder.name]
    assert store.verify(before.folder) == []


def test_a_language_without_pairs_is_a_warning(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    engines = written(lambda passage, *rest: "" if passage.lang == "sw" else three_words(passage, *rest))
    _, events = make(store, given, engines)
    assert [event.message for event in events if event.kind == "warning"] == ["no pairs in sw: 120 nothing written"]


def test_scores_that_are_no_numbers_stop_the_stage(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    engines = ToyWriters()
    engines.writer.likelihood = lambda query, passage: float("nan")  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"generate: the generator scores passage 'p00.en' nan") as error:
        make(store, given, engines)
    assert "MDR_PRECISION" in error.value.remedy
    engines = ToyWriters()
    engines.open_dense(given["dense"].folder, given["collection"].folder, encoder="toy").score = lambda *_: float("nan")
    with pytest.raises(InputError, match=r"generate: the dense index scores passage .* nan"):
        make(store, given, engines)
    assert not list(store.root.glob("pairs/[!.]*"))


@pytest.mark.parametrize(
    ("lacks", "settings", "problem"),
    [
        (["dense"], {}, "round_trip 'union' needs a dense index, which is not given"),
        (["lexical", "dense"], {}, "needs a lexical and a dense index"),
        (["dense"], {"round_trip": "dense"}, "needs a dense index"),
        ([], {"selection": "coverage"}, "selection 'coverage' goes by pairs, and none are given"),
        ([], {"langs": ["ja"]}, "no passages to write for; languages with passages: en, fi, sw"),
        ([], {"langs": ["xx"]}, "'xx'"),
        ([], {"target": ["xx"]}, "'xx'"),
        ([], {"target": []}, "'target': Value error, it names no language"),
        ([], {"target": "fi"}, "it is 'fi'; it should be own, other, or a list"),
        ([], {"n": 0}, "'n'"),
        ([], {"k": 101}, "'k'"),
        ([], {"max_characters": 10**6}, "'max_characters'"),
        ([], {"round_trip": "both"}, "'round_trip'"),
        ([], {"weight": float("nan")}, "'weight'"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_written(
    store: ArtefactStore, given: dict[str, Artefact], lacks: list[str], settings: dict[str, Any], problem: str
) -> None:
    engines = ToyWriters()
    with pytest.raises(Exception) as error:
        make(store, without(given, *lacks), engines, **settings)
    assert problem in str(error.value)
    assert engines.writer.written == [] and not list(store.root.glob("pairs/[!.]*"))


def test_an_empty_collection_is_refused(store: ArtefactStore) -> None:
    empty = publish(store, "collection", "empty", {PASSAGES: [], QUERIES: [], QRELS: []})
    with pytest.raises(InputError, match="languages with passages: none"):
        make(store, {"collection": empty}, round_trip="none")


# -- the report -----------------------------------------------------------------------------------------------


def test_the_report_counts_what_the_pairs_say(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    made, _ = make(store, given, k=2)
    report, pairs = load(made), Pairs(made.folder)
    kept, dropped = list(pairs), list(pairs.dropped())
    for lang in LANGS:
        section = report["languages"][lang]
        its = [pair for pair in kept if pair.query.lang == lang]
        others = [pair for pair in dropped if pair.query.lang == lang]
        assert (section["questions"], section["pairs"]) == (3 * PER_LANGUAGE, len(its))
        assert section["passages"] == PER_LANGUAGE
        assert section["passages_with_pairs"] == len({pair.positives for pair in its})
        assert section["dropped"] == Counter(pair.rule for pair in others)
        for side, found in section["round_trip"].items():
            ranks = [
                pair.evidence["round_trip"][side]["rank"] for pair in [*its, *others] if "round_trip" in pair.evidence
            ]
            assert found["asked"] == len(ranks) and found["first"] == ranks.count(1)
            assert found["within_k"] == ranks.count(1) + ranks.count(2)
            assert found["seen"] == len(ranks) - ranks.count(None)
        histogram = section["histograms"]["likelihood of kept questions"]
        assert histogram["median"] == pytest.approx(np.median([pair.evidence["likelihood"] for pair in its]))
    assert report["all"]["questions"] == made.manifest.counts["questions"] == 9 * PER_LANGUAGE
    page = markdown(report)
    for part in (
        "round 0: in own, 3 of each passage",
        "| fi | 40 | 120 |",
        LOST,
        "up to rank 2",
        "generator: `writer 0`",
    ):
        assert part in page
    with pytest.raises(MismatchError, match="made by stage toy"):
        load(given["collection"])


@pytest.mark.slow
def test_a_random_model_on_real_indexes(tmp_path: Path, settings: Settings) -> None:
    """Nothing of what it writes makes sense: with open filters its questions become pairs that training can read."""
    from generator_models import generator

    from mdr.training.sources import pairs_of

    settings = settings.model_copy(update={"generator": str(generator(tmp_path / "t5"))})
    workbench = Workbench(settings)
    slots = {"collection": "collection", "lexical": "lexical", "dense": "dense"}
    open_ = {"max_characters": 4_000, "max_copy": 1, "max_repetition": 1, "min_tokens": 1, "language": False}
    steps = [
        prepare("folder", str(settings.sample)),
        *indexes(),
        Step("generated", "generate", {"round_trip": "none", "n": 2, **open_}, slots),
    ]
    made = ended(workbench.run(Recipe("tiny", tuple(steps))))[0]["generated"]
    pairs, passage = pairs_of(made.folder, "")
    assert made.manifest.counts["questions"] == 12 and len(pairs) > 5
    scores = workbench.generator().log_likelihood(
        [pair.query for pair in pairs], [passage(pair.positives[0]) for pair in pairs]
    )
    assert [pair.evidence["likelihood"] for pair in pairs] == pytest.approx(scores.tolist())
    assert all(set(pair.evidence["round_trip"]) == {"lexical", "dense"} for pair in pairs)
    assert (made.folder / PAIRS).is_file() and (made.folder / DROPPED).is_file()
