"""The thread of a pair, from what proposed it to what learned from it, and what people say of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from pair_data import Made

from mdr.core.permissions import NOBODY, Person
from mdr.errors import InputError, MissingError
from mdr.services.judging.service import JudgingService
from mdr.services.training_data.data import thread_data
from mdr.services.training_data.rows import PairRef
from mdr.services.training_data.threads import Learned, Thread
from mdr.services.training_data.verdicts import ANSWERS, CAMPAIGN, DOES_NOT, PairVerdicts
from mdr.storage.judgements import JudgementStore
from mdr.storage.pairs import Pairs
from mdr.training.sources import split_off

ANN = Person("ann", "judge")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("threads"))


def thread(made: Made, artefact: str = "mined", table: str = "kept", row: int = 0) -> Thread:
    return made.threads.thread(PairRef(getattr(made, artefact).manifest.recipe, table, row))  # type: ignore[arg-type]


# -- where it comes from ----------------------------------------------------------------------------------


def test_a_mined_pair_says_which_lists_held_its_passages(made: Made) -> None:
    found = thread(made)
    pair = next(iter(Pairs(made.mined.folder)))
    assert [named.id for named in found.named] == [*pair.positives, *pair.negatives]
    assert [named.role for named in found.named] == ["positive"] + ["negative"] * len(pair.negatives)
    assert asdict(found.named[0].then["dense"]) == pair.evidence["positives"][0]["dense"]
    assert all(named.passage and named.passage.id == named.id for named in found.named)
    assert (found.collection, found.rule, found.kept) == ("toy", "intersection", True)
    assert {came.slot: came.key for came in found.came} == {slot: its.key for slot, its in made.given.items()}
    assert ("toy", "dense") in found.came[1].called


def test_written_questions_and_lists_have_threads_too(made: Made) -> None:
    written = thread(made, "written")
    assert written.named[0].role == "positive" and written.named[0].then.keys() == {"lexical", "dense"}
    dropped = thread(made, "mined", "dropped")
    assert not dropped.kept and dropped.learned == [] and dropped.rule
    scored = thread(made, "scored", "lists")
    scores = [named.teacher for named in scored.named]
    assert len(scores) == 6 and scores == sorted(scores, reverse=True)  # type: ignore[type-var]
    assert {named.role for named in scored.named} == {"candidate"}
    assert scored.named[0].then["lexical"].rank or scored.named[0].then["dense"].rank


def test_what_a_rename_or_removal_takes_away_is_told(tmp_path: Path) -> None:
    made = Made(tmp_path)
    made.store.remove([made.given["dense"].folder])
    found = thread(made)
    [lost] = [came for came in found.came if came.artefact is None]
    assert (lost.slot, lost.key) == ("dense", made.given["dense"].key)


# -- what became of it ------------------------------------------------------------------------------------


def test_models_that_learned_are_found_and_who_was_held_out(made: Made) -> None:
    pairs = list(Pairs(made.mined.folder))
    held = {pair.query.id for pair in split_off(pairs, 0.5)[1]}
    assert 0 < len(held) < len(pairs)
    for row in range(0, len(pairs), 5):
        [learned] = thread(made, row=row).learned
        assert (learned.slot, learned.artefact.key) == ("mined", made.model.key)
        assert learned.held_out == (pairs[row].query.id in held)
        assert [each.artefact.key for each in learned.then] == [made.after.key]
    assert [tuple(its) for its in learned.called] == [("round-1", "model")]


def test_ranks_now_are_those_of_searching(made: Made) -> None:
    found = thread(made)
    systems = {system.name: system for system in made.threads.ranks(found)}
    assert list(systems) == ["hybrid", "dense", "bm25", "round-1 · model"]
    query = found.row.query
    toy = made.engines.opened
    for name, side in (("bm25", "lexical"), ("dense", "dense"), ("round-1 · model", "dense")):
        full = [hit.id for hit in toy[side].search([query], 999, langs=[query.lang])[0]]
        expected = {named.id: full.index(named.id) + 1 if named.id in full else None for named in found.named}
        assert systems[name].ranks == expected
    assert not any(system.problem for system in systems.values())


def test_a_collection_without_a_name_is_told_and_models_still_answer(tmp_path: Path) -> None:
    made = Made(tmp_path)
    for name in ("toy", "round-1"):
        (made.store.root / "names" / f"{name}.json").unlink()
    found = thread(made)
    systems = made.threads.ranks(found)
    assert found.collection == "" and "no name" in systems[0].problem
    assert systems[-1].ranks[found.named[0].id]


def test_a_thread_as_plain_values(made: Made) -> None:
    values = thread_data(thread(made))
    assert values["passages"][0]["then"]["dense"]["rank"] and values["made_with_it"][0]["artefact"] == made.model.key
    assert values["query"]["text"] and values["pair"].endswith("/kept/0")
    assert thread_data(thread(made, "scored", "lists"))["candidates"]


def test_lineage_goes_no_deeper_than_asked(made: Made) -> None:
    def depth(learned: list[Learned]) -> int:
        return 1 + max((depth(list(each.then)) for each in learned), default=-1) if learned else 0

    assert depth(list(thread(made).learned)) >= 1
    assert made.data.lineage().uses(made.mined.key, 0) == ()


# -- what people say --------------------------------------------------------------------------------------


@pytest.fixture
def verdicts(made: Made, tmp_path: Path) -> PairVerdicts:
    judging = JudgingService(JudgementStore(tmp_path / "judgements.duckdb"))
    return PairVerdicts(made.threads, lambda: judging)


def test_verdicts_are_judgements_with_their_provenance(made: Made, verdicts: PairVerdicts) -> None:
    found = thread(made)
    ref, positive, negative = found.row.ref, found.named[0].id, found.named[1].id
    confirmed = verdicts.say(ANN, ref, positive, True, event="event-one")
    turned = verdicts.say(ANN, ref, negative, True)
    rejected = verdicts.say(ANN, ref, found.named[2].id, False)
    assert (confirmed.grade, turned.grade, rejected.grade) == (ANSWERS, ANSWERS, DOES_NOT)
    assert (confirmed.campaign, confirmed.collection, confirmed.engine) == (CAMPAIGN, "toy", None)
    assert confirmed.note == f"pair {ref}, positive" and turned.note == f"pair {ref}, negative"
    assert confirmed.index_fingerprint == "vectors of toy 0" and confirmed.model_fingerprint == "toy 0"
    assert verdicts.said(ANN, found) == {positive: True, negative: True, found.named[2].id: False}
    assert verdicts.said(Person("bob"), found) == verdicts.said(NOBODY, found) == {}
    verdicts.say(ANN, ref, negative, None)
    assert verdicts.said(ANN, found) == {positive: True, found.named[2].id: False}
    again = verdicts.say(ANN, ref, positive, True, event="event-one")  # a retry counts once
    assert again.event == confirmed.event and len(verdicts.said(ANN, found)) == 2


def test_verdicts_on_what_a_pair_does_not_name_are_refused(made: Made, verdicts: PairVerdicts) -> None:
    ref = thread(made).row.ref
    with pytest.raises(MissingError, match="does not name passage"):
        verdicts.say(ANN, ref, "nowhere", True)
    with pytest.raises(MissingError):
        verdicts.say(ANN, ref._replace(row=10**6), "p00.en", True)
    with pytest.raises(InputError, match="annotator"):
        verdicts.say(NOBODY, ref, thread(made).named[0].id, True)
