"""Making campaigns over a collection, judging in them with every circumstance, and who may do which of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mdr.core.campaigns import Campaign, Rules
from mdr.core.permissions import Person
from mdr.errors import InputError, MissingError, NotAllowedError
from mdr.services.campaigns.desk import Desk
from mdr.services.campaigns.service import OPEN_POOL, Plan
from mdr.storage.campaigns import CampaignFiles
from mdr.types import Hit
from mdr.workbench import SAMPLE
from tests.browser.stub import HOSTILE, StubWorkbench

CHIEF, ANN, BOB = Person("chief", "lead"), Person("ann", "judge"), Person("bob", "judge")
GUEST = Person("visitor-1")
SMALL = Plan("Spot check", SAMPLE, langs=("en", "ar"), questions=2, depth=3, rules=Rules(repeats=0))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[StubWorkbench]:
    bench = StubWorkbench(tmp_path)
    yield bench
    bench.judging.store.close()


def everything(bench: StubWorkbench, person: Person, campaign: Campaign, **more: Any) -> list[int]:
    offers = bench.judging_queue.next(person, campaign, campaign.langs, count=10, **more)
    return [offer.number for offer in offers]


# -- making -------------------------------------------------------------------------------------------------


def test_a_campaign_over_our_own_engines(bench: StubWorkbench) -> None:
    made = bench.campaigns.make(CHIEF, SMALL)
    assert made.runs == ("bm25", "dense", "hybrid") and made.langs == ("ar", "en")
    assert {query.lang for query in made.queries.values()} <= {"ar", "en"} and len(made.queries) <= 4
    assert made.fingerprints == bench.searcher().fingerprints
    for item in made.items:
        assert item.ranks and all(rank <= 3 for rank in item.ranks.values())
    again = replace(SMALL, name="Again")
    assert bench.campaigns.make(CHIEF, again).items == made.items
    assert {it.id for it in bench.campaigns.all(SAMPLE)} == {it.id for it in bench.campaigns.all()} and made.drawn


def test_a_campaign_over_runs_and_over_a_list(bench: StubWorkbench) -> None:
    query = bench.searcher().collection.queries()[0]
    runs = {"old": {query.id: [Hit("h3", 2.0)]}, "new": {query.id: [Hit("h4", 1.0), Hit("h3", 0.5)]}}
    plan = Plan("Runs", SAMPLE)
    made = bench.campaigns.make(CHIEF, plan, runs)
    assert {item.passage: dict(item.ranks) for item in made.items} == {"h3": {"old": 1, "new": 2}, "h4": {"new": 1}}
    assert made.runs == ("old", "new") and not made.fingerprints
    listed = bench.campaigns.make(CHIEF, plan, listed=[(query.id, "h4"), (query.id, "h4"), (query.id, "h3")])
    assert {item.passage for item in listed.items} == {"h3", "h4"} and listed.depth == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": " "}, "no name"),
        ({"name": "a\nb"}, "name cannot be used"),
        ({"name": "x" * 101}, "name cannot be used"),
        ({"guidelines": "x" * 20_001}, "guidelines cannot be used"),
        ({"guidelines": "a\ud800"}, "Unicode"),
        ({"scale": {}}, "the scale"),
        ({"scale": {4: "more"}}, "the scale"),
        ({"annotators": ("ann", "ann")}, "different people"),
        ({"langs": ("fr",)}, "nothing is left to judge"),
        ({"split": "nowhere", "langs": ("en",), "questions": 0, "depth": 0}, "depth 0"),
    ],
)
def test_plans_that_cannot_be_are_refused(bench: StubWorkbench, change: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        bench.campaigns.make(CHIEF, replace(SMALL, **change))
    assert bench.campaigns.all() == []


def test_runs_of_another_collection_are_noticed(bench: StubWorkbench) -> None:
    query = bench.searcher().collection.queries()[0].id
    with pytest.raises(MissingError, match="'nowhere'"):
        bench.campaigns.make(CHIEF, SMALL, listed=[(query, "nowhere")])
    with pytest.raises(InputError, match="nothing is left"):
        bench.campaigns.make(CHIEF, SMALL, listed=[("no-such-query", "h3")])


def test_the_open_pool_is_there_without_making(bench: StubWorkbench) -> None:
    pool = bench.campaigns.get(OPEN_POOL, SAMPLE)
    assert pool.items and len(pool.langs) == 12 and bench.campaigns.is_open(pool)
    assert everything(bench, GUEST, pool)
    with pytest.raises(InputError, match="open pool"):
        bench.campaigns.set_open(CHIEF, OPEN_POOL, False)


# -- judging ------------------------------------------------------------------------------------------------


def test_a_grade_carries_its_circumstances(bench: StubWorkbench) -> None:
    made = bench.campaigns.make(CHIEF, replace(SMALL, rules=Rules(order="disagreement", budget=5, overlap=0)))
    [first, second] = everything(bench, ANN, made)[:2]
    how = {"ability": "partial", "seconds": 7.5, "evidence": True, "event": "the-event"}
    bench.judging_queue.say(ANN, made, first, "grade", grade=2, **how)  # type: ignore[arg-type]
    bench.judging_queue.say(ANN, made, second, "skip")
    stored, skipped = bench.judging.store.history(SAMPLE, campaign=made.id)
    item = made.items[first]
    assert (stored.query, stored.passage, stored.passage_lang) == (item.query, item.passage, item.lang)
    assert stored.query_text == made.queries[item.query].text
    assert (stored.grade, stored.ability, stored.seconds, stored.evidence) == (2, "partial", 7.5, True)
    assert (stored.rank, skipped.rank) == (1, 2)
    assert stored.inclusion == bench.campaigns.desk(made).inclusion[first] and 0 < stored.inclusion < 1
    prints = bench.searcher().fingerprints
    assert (stored.index_fingerprint, stored.model_fingerprint) == (prints["lexical"], prints["dense"])


def test_a_blind_campaign_shows_no_evidence(bench: StubWorkbench) -> None:
    made = bench.campaigns.make(CHIEF, replace(SMALL, blind=True))
    [offer] = bench.judging_queue.next(ANN, made, made.langs)
    assert offer.ranks is None
    stored = bench.judging_queue.say(ANN, made, offer.number, "grade", grade=0, evidence=True)
    assert stored.evidence is False


def test_undo_takes_back_one_event_or_the_last(bench: StubWorkbench) -> None:
    made = bench.campaigns.make(CHIEF, SMALL)
    queue, desk = bench.judging_queue, bench.campaigns.desk(made)
    first, second, third = everything(bench, ANN, made)[:3]
    events = [queue.say(ANN, made, item, "grade", grade=1).event for item in (first, second, third)]
    assert queue.undo(ANN, made, undoes=events[1]) == second
    assert queue.undo(ANN, made, event="undo-twice") == third == queue.undo(ANN, made, event="undo-twice")
    assert desk.handled("ann") == 1 and [said.item for said in desk.of_judge["ann"]] == [first]
    with pytest.raises(InputError, match="nothing to take back"):
        queue.undo(BOB, made, undoes=events[0])
    assert queue.undo(ANN, made) == first and queue.undo(ANN, made) is None
    assert queue.undo(ANN, made, undoes="unheard-of") is None


def test_the_queue_goes_on_after_a_restart(bench: StubWorkbench, tmp_path: Path) -> None:
    made = bench.campaigns.make(CHIEF, SMALL)
    for item in everything(bench, ANN, made)[:4]:
        bench.judging_queue.say(ANN, made, item, "grade", grade=1)
    left = everything(bench, ANN, made)
    bench.judging.store.close()
    again = StubWorkbench(tmp_path)
    try:
        found = again.campaigns.get(made.id)
        assert found == made
        assert [offer.number for offer in again.judging_queue.next(ANN, found, found.langs, count=10)] == left
    finally:
        again.judging.store.close()


def test_adjudication_settles_and_counts_in_qrels(bench: StubWorkbench) -> None:
    made = bench.campaigns.make(CHIEF, replace(SMALL, rules=Rules(overlap=1.0, repeats=0)))
    queue = bench.judging_queue
    number = everything(bench, ANN, made)[0]
    queue.say(ANN, made, number, "grade", grade=0)
    queue.say(BOB, made, number, "grade", grade=3)
    [conflict] = queue.conflicts(CHIEF, made)
    assert [said.grade for said in conflict.said] == [0, 3]
    assert bench.campaign_progress.whole(ANN, made).conflicts == 1
    queue.say(CHIEF, made, number, "adjudicate", grade=2, note="both have a point")
    assert queue.conflicts(CHIEF, made) == []
    item = made.items[number]
    assert bench.judging.qrels(SAMPLE, "adjudicated", made.id) == {item.query: {item.passage: 2}}


def test_progress_names_people_only_to_who_may_see_them(bench: StubWorkbench) -> None:
    made = bench.campaigns.make(CHIEF, SMALL)
    for item in everything(bench, ANN, made)[:3]:
        bench.judging_queue.say(ANN, made, item, "grade", grade=1, seconds=4.0)
    assert bench.campaign_progress.whole(BOB, made).people == ()
    [row] = bench.campaign_progress.whole(CHIEF, made).people
    assert (row.name, row.graded, row.pace) == ("ann", 3, 4.0)
    own = bench.campaign_progress.own(ANN, made, made.langs)
    assert (own.graded, own.left, own.pace) == (3, made.drawn - 3, 4.0)


# -- who may do what ----------------------------------------------------------------------------------------

Act = Callable[[StubWorkbench, Campaign, Person], Any]
ACTS: dict[str, tuple[Act, set[str]]] = {
    "make": (lambda b, c, p: b.campaigns.make(p, replace(SMALL, name=p.name)), {"chief"}),
    "close": (lambda b, c, p: b.campaigns.set_open(p, c.id, True), {"chief"}),
    "next": (lambda b, c, p: b.judging_queue.next(p, c, c.langs), {"ann"}),
    "grade": (lambda b, c, p: b.judging_queue.say(p, c, 0, "grade", grade=1), {"ann"}),
    "note": (lambda b, c, p: b.judging_queue.say(p, c, 0, "note", note="x"), {"ann"}),
    "undo": (lambda b, c, p: b.judging_queue.undo(p, c), {"ann"}),
    "adjudicate": (lambda b, c, p: b.judging_queue.say(p, c, 0, "adjudicate", grade=1), {"chief"}),
    "conflicts": (lambda b, c, p: b.judging_queue.conflicts(p, c), {"chief"}),
}


@pytest.mark.parametrize("act", ACTS)
def test_everybody_does_what_they_may_and_nothing_else(bench: StubWorkbench, act: str) -> None:
    """ann is the campaign's judge; bob judges elsewhere; chief leads and does not judge here."""
    made = bench.campaigns.make(CHIEF, replace(SMALL, annotators=("ann",)))
    before = bench.judging.store.count()
    work, may = ACTS[act]
    for person in (GUEST, Person(""), BOB, ANN, CHIEF):
        if person.name in may:
            work(bench, made, person)
        else:
            with pytest.raises(NotAllowedError):
                work(bench, made, person)
    assert bench.judging.store.count() <= before + len(may)


def test_a_closed_campaign_takes_nothing_more(bench: StubWorkbench) -> None:
    made = bench.campaigns.make(CHIEF, SMALL)
    given = bench.judging_queue.say(ANN, made, 1, "grade", grade=1)
    bench.campaigns.set_open(CHIEF, made.id, False)
    with pytest.raises(NotAllowedError, match="closed"):
        bench.judging_queue.undo(ANN, made, undoes=given.event)
    for act in ("next", "grade", "undo"):
        with pytest.raises(NotAllowedError, match="closed"):
            ACTS[act][0](bench, made, ANN)
    bench.campaigns.set_open(CHIEF, made.id, True)
    ACTS["grade"][0](bench, made, ANN)


@pytest.mark.parametrize(
    ("said", "error", "says"),
    [
        ({"number": 10**6}, MissingError, "no item"),
        ({"number": -1}, MissingError, "no item"),
        ({"grade": 2}, InputError, "no grade of this campaign"),
        ({"grade": None}, InputError, "needs a grade"),
        ({"action": "cannot-judge", "grade": None}, InputError, "needs a note"),
        ({"ability": "psychic"}, InputError, "reading ability"),
        ({"seconds": float("nan")}, InputError, "a time"),
    ],
)
def test_nonsense_is_refused_and_nothing_is_kept(
    bench: StubWorkbench, said: dict[str, Any], error: type[Exception], says: str
) -> None:
    made = bench.campaigns.make(CHIEF, replace(SMALL, scale={0: "no", 1: "yes"}))
    with pytest.raises(error, match=says):
        bench.judging_queue.say(ANN, made, **({"number": 0, "action": "grade", "grade": 1} | said))
    assert bench.judging.store.count() == 0 and bench.campaigns.desk(made).of_item == {}


def test_every_item_that_is_handed_out_can_be_read_even_hostile_ones(bench: StubWorkbench) -> None:
    query = bench.searcher().collection.queries()[0]
    made = bench.campaigns.make(CHIEF, Plan("<b>x</b>", SAMPLE), listed=[(query.id, it.id) for it in HOSTILE])
    assert CampaignFiles(bench.settings.home / "campaigns").get(made.id).name == "<b>x</b>"
    found = [offer.passage for offer in bench.judging_queue.next(ANN, made, made.langs, count=10)]
    assert sorted(found) == sorted(HOSTILE)


def test_the_desk_is_shared(bench: StubWorkbench) -> None:
    made = bench.campaigns.make(CHIEF, SMALL)
    assert isinstance(bench.campaigns.desk(made), Desk)
    assert bench.campaigns.desk(made) is bench.campaigns.desk(bench.campaigns.get(made.id))
