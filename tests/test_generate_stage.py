"""The generate stage on a small collection with toy engines: its pairs, what it drops and why, and its report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from streams import ended
from toy_generator import ToyWriters, three_words
from toy_indexes import LANGS, PER_LANGUAGE, passages, publish, without
from toy_writing import given, given_in, make, written

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
from mdr.errors import MismatchError
from mdr.pipeline import Recipe, Step
from mdr.recipes.baselines import indexes, prepare
from mdr.services.training_data.reports import load, markdown
from mdr.settings import Settings
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.pairs import DROPPED, PAIRS, Pair, Pairs
from mdr.types import Passage
from mdr.workbench import Workbench

__all__ = ["given"]  # fixtures


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
