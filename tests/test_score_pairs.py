"""The score stage given pairs: their answer and their negatives are judged, and what an index finds beside them."""

from __future__ import annotations

import pytest
from toy_generator import ToyWriters
from toy_indexes import without
from toy_scoring import TEXTS, given, hits, judge, pair, paired

from mdr.errors import MismatchError
from mdr.services.training_data.reports import load
from mdr.stages.score import FEW, NO_ANSWER
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.pairs import Pairs
from mdr.types import Passage

__all__ = ["given"]  # fixtures


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
