"""The stage that makes training pairs of grades: which, how many, and the same fewer ones among more."""

from __future__ import annotations

from typing import Any

import pytest
from toy_generator import ToyWriters
from toy_indexes import carry_out, publish

from mdr.errors import InputError, MissingError
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES
from mdr.storage.pairs import Pairs
from mdr.types import Event

COUNT = 30


@pytest.fixture
def collection(store: ArtefactStore) -> Artefact:
    """Each query has two answers and a passage that was graded wrong; English and Finnish; some are for testing."""
    langs = ("en", "fi")
    passages = [(f"{lang}{n}", lang, "", f"{lang}{n} text", "") for lang in langs for n in range(COUNT)]
    queries = [(f"q{lang}{n}", lang, f"what {lang}{n}", "train") for lang in langs for n in range(COUNT)]
    qrels = []
    for lang in langs:
        for n in range(COUNT):
            split = "test" if lang == "fi" and n > 19 else "train"
            grades = ((n, 1), ((n + 1) % COUNT, 2), ((n + 2) % COUNT, 0))
            qrels += [(f"q{lang}{n}", f"{lang}{place}", grade, split) for place, grade in grades]
    return publish(store, "collection", "c", {PASSAGES: passages, QUERIES: queries, QRELS: qrels})


def make(store: ArtefactStore, collection: Artefact, **settings: Any) -> tuple[Pairs, Artefact, list[Event]]:
    made, events = carry_out("labelled-pairs", store, {"collection": collection}, None, settings)
    return Pairs(made.folder), made, events


def test_grades_are_answers_best_first_and_wrong_ones(store: ArtefactStore, collection: Artefact) -> None:
    pairs, made, _ = make(store, collection, weight=0.5)
    assert made.manifest.counts["pairs"] == len(pairs) == 50 and made.manifest.counts["languages"] == ["en", "fi"]
    first = next(iter(pairs))
    assert (first.query.id, first.positives, first.negatives) == ("qen0", ("en1", "en0"), ("en2",))
    assert (first.origin, first.weight) == ("labelled", 0.5) and "en2" in pairs.passages


def test_fewer_samples_are_a_part_of_more(store: ArtefactStore, collection: Artefact) -> None:
    chosen = {
        samples: [pair.query.id for pair in make(store, collection, samples=samples)[0]] for samples in (3, 10, 25)
    }
    assert [len(its) for its in chosen.values()] == [6, 20, 45], "of each language, or all it has"
    assert set(chosen[3]) < set(chosen[10]) < set(chosen[25])
    other = [pair.query.id for pair in make(store, collection, samples=3, seed=1)[0]]
    assert set(other) != set(chosen[3])


def test_candidates_are_scored_for_them(store: ArtefactStore, collection: Artefact) -> None:
    _, made, _ = make(store, collection, samples=3, langs=("en",))
    scored, _ = carry_out("score", store, {"collection": collection, "pairs": made}, ToyWriters(), {})
    lists = list(Pairs(scored.folder).lists())
    assert len(lists) == 3 and all(each.evidence["pair"]["origin"] == "labelled" for each in lists)


def test_what_makes_no_sense_is_said(store: ArtefactStore, collection: Artefact) -> None:
    with pytest.raises(MissingError, match="labelled-pairs: the collection has no split 'dev'; it has test, train"):
        make(store, collection, split="dev")
    with pytest.raises(InputError, match="in th has an answer; languages with labels: en, fi"):
        make(store, collection, langs=("th",))
    _, _, events = make(store, collection, langs=("en", "fi"), samples=25)
    assert [event.message for event in events if event.kind == "warning"] == ["fi has 20 labelled queries"]
