"""Which passages the generate stage writes for, and in which languages it asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from toy_indexes import LANGS, PER_LANGUAGE, passages, publish
from toy_writing import given, make

from mdr.errors import InputError
from mdr.services.training_data.reports import load
from mdr.stages.selection import Selection, select
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES, Collection
from mdr.storage.pairs import Pair, Pairs, PairWriter, Scored
from mdr.types import Query

__all__ = ["given"]  # fixtures


def pairs_naming(store: ArtefactStore, name: str, counts: Mapping[str, int]) -> Artefact:
    """Pairs that name passages so often."""
    with store.draft("pairs", name) as draft:
        with PairWriter(draft.folder) as writer:
            for id, count in counts.items():
                for number in range(count):
                    writer.add(Pair(Query(f"{id}-{number}", "en", "what"), (id,)))
        return store.publish(draft, stage="toy", version=1, settings={}, inputs={}, fingerprints={})


def lists_for(store: ArtefactStore, evidence: Mapping[str, Mapping[str, object]]) -> Artefact:
    """Scored lists, each with this passage first."""
    with store.draft("pairs", "lists") as draft:
        with PairWriter(draft.folder) as writer:
            for id, its in evidence.items():
                writer.score(Scored(Query(id, "en", "what"), (id, "p30.en"), (-1.0, -2.0), its))
        return store.publish(draft, stage="toy", version=1, settings={}, inputs={}, fingerprints={})


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
    answers = ("twin-p01.en", "p02.en")
    found = select(collection, ["en"], selection, budget=0, seed=0, answers=answers, same_text=same)
    names = {collection.ids[at] for at in found.positions}
    assert "twin-p01.en" not in names and found.positions == sorted(found.positions) and found.repeated == 1
    assert ("p01.en" in names) and (selection != "named" or names == {"p01.en", "p02.en"})


def test_lists_that_were_made_for_pairs_name_their_answers(store: ArtefactStore, given: dict[str, Artefact]) -> None:
    lists = lists_for(store, {"p01.en": {"pair": {"origin": "mined"}}, "p02.en": {}})
    only, _ = make(store, {**given, "pairs": lists}, n=1, selection="named")
    assert chosen(only) == {"p01.en"}


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
