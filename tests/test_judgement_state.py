"""What holds now: every action, undoing to any depth, campaigns, policies, imports; by sequence, never by clock."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdr.core.policies import POLICIES, decide
from mdr.errors import InputError, StorageError
from mdr.services.judging.service import JudgingService
from mdr.storage.collection import PASSAGES, QRELS, QUERIES, Collection, table_writer
from mdr.storage.judgement_events import JudgementEvent
from mdr.storage.judgements import JudgementStore
from mdr.types import Passage, Query

PASSAGE, OTHER = Passage("p1", "fi", "Niili", "Niili virtaa.", "nile"), Passage("p2", "en", "", "Coffee.")
QUERY = Query("q1", "th", "แม่น้ำไนล์")
HERE: Any = ("c", QUERY, PASSAGE)
THERE: Any = ("c", QUERY, OTHER)


@pytest.fixture
def judging(tmp_path: Path) -> Iterator[JudgingService]:
    store = JudgementStore(tmp_path / "judgements.duckdb")
    yield JudgingService(store)
    store.close()


def grades(judging: JudgingService, annotator: str = "ann") -> dict[str, int]:
    return judging.grades(annotator, "c", QUERY)


# -- actions ------------------------------------------------------------------------------------------------


def test_circumstances_come_back_as_they_went_in(judging: JudgingService) -> None:
    said = judging.grade(
        *("ann", *HERE, 2),
        campaign="spring",
        rank=3,
        engine="dense",
        ability="translation",
        seconds=4.5,
        evidence=False,
        inclusion=0.25,
        index_fingerprint="i",
        model_fingerprint="m",
    )
    [stored] = judging.store.history("c")
    assert stored == said
    assert (stored.ability, stored.seconds, stored.evidence, stored.inclusion) == ("translation", 4.5, False, 0.25)


def test_a_skip_and_a_doubt_replace_a_grade_and_are_no_grade(judging: JudgingService) -> None:
    judging.grade("ann", *HERE, 3)
    judging.record("cannot-judge", "ann", *HERE, note="in a script I cannot read")
    assert grades(judging) == {} and judging.qrels("c") == {}
    [standing] = judging.store.current("standing", "c")
    assert (standing.action, standing.note) == ("cannot-judge", "in a script I cannot read")
    judging.record("skip", "ann", *HERE)
    assert [each.action for each in judging.store.current("standing", "c")] == ["skip"]
    judging.grade("ann", *HERE, 1)
    assert grades(judging) == {"p1": 1}


def test_a_note_leaves_the_grade_alone(judging: JudgingService) -> None:
    judging.grade("ann", *HERE, 3)
    for text in ("first", "second"):
        judging.record("note", "ann", *HERE, note=text)
    assert grades(judging) == {"p1": 3}
    assert [each.note for each in judging.store.current("notes", "c")] == ["second"]


def test_the_latest_adjudication_of_anybody_counts(judging: JudgingService) -> None:
    for lead, grade in (("lead", 0), ("chief", 2)):
        judging.record("adjudicate", lead, *HERE, grade=grade)
    assert [each.grade for each in judging.store.current("adjudications", "c")] == [2]
    assert judging.store.judgements("c") == []
    judging.undo("chief", "c")
    assert [each.grade for each in judging.store.current("adjudications", "c")] == [0]


def test_campaigns_are_apart_and_a_person_counts_once(judging: JudgingService) -> None:
    judging.grade("ann", *HERE, 0, campaign="spring")
    judging.grade("ann", *HERE, 3, campaign="autumn")
    judging.grade("ben", *HERE, 0, campaign="spring")
    assert len(judging.store.judgements("c")) == 3
    assert judging.qrels("c", campaign="spring") == {"q1": {"p1": 0}}
    assert judging.qrels("c", "mean") == {"q1": {"p1": 2}}  # ann's latest, 3, and ben's 0


@pytest.mark.parametrize(
    ("action", "more", "told"),
    [
        ("grade", {}, "needs a grade"),
        ("adjudicate", {"grade": 4}, "not a grade"),
        ("skip", {"grade": 1}, "has no grade"),
        ("note", {}, "needs a note"),
        ("note", {"note": ""}, "needs a note"),
        ("cannot-judge", {}, "needs a note"),
        ("erase", {}, "nothing a judge does"),
        ("grade", {"grade": 1, "ability": "fluent"}, "not a reading ability"),
        ("grade", {"grade": 1, "seconds": -1.0}, "not a time"),
        ("grade", {"grade": 1, "seconds": float("nan")}, "not a time"),
        ("grade", {"grade": 1, "seconds": "long"}, "not a time"),
        ("grade", {"grade": 1, "inclusion": 0.0}, "not a probability"),
        ("grade", {"grade": 1, "inclusion": 1.5}, "not a probability"),
    ],
)
def test_what_makes_no_sense_is_refused(
    judging: JudgingService, action: Any, more: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        judging.record(action, "ann", *HERE, **more)
    assert judging.store.count() == 0


@pytest.mark.parametrize("change", [{"rank": 2**40}, {"campaign": "\ud800"}, {"rank": "one"}, {"evidence": "perhaps"}])
def test_what_a_column_cannot_hold_is_refused_by_the_file(judging: JudgingService, change: dict[str, Any]) -> None:
    with pytest.raises(StorageError, match="refused"):
        judging.grade("ann", *HERE, 1, **change)
    judging.grade("ann", *HERE, 2)
    assert grades(judging) == {"p1": 2}


def test_an_id_cannot_be_used_for_something_else(judging: JudgingService) -> None:
    judging.grade("ann", *HERE, 3, event="e1")
    for annotator, where, grade in (("ben", HERE, 3), ("ann", THERE, 3), ("ann", HERE, 2), ("ann", HERE, None)):
        with pytest.raises(InputError, match="'e1' is another judgement"):
            judging.grade(annotator, *where, grade, event="e1")
    judging.grade("ann", *HERE, 3, event="e1", seconds=9.0)  # a retry, however long it took
    assert judging.store.count() == 1 and grades(judging) == {"p1": 3}


def test_a_clock_that_jumps_changes_nothing(judging: JudgingService) -> None:
    for year, grade in ((2030, 1), (1999, 2), (2026, 0), (1970, 3)):
        happened = datetime(year, 1, 1, tzinfo=UTC)
        place = ("ann", "c", "q1", "th", "แม่น้ำไนล์", "p1", "fi")
        judging.store.append(JudgementEvent(f"e{year}", happened, "grade", *place, grade=grade))
    assert grades(judging) == {"p1": 3}
    assert [each.grade for each in judging.store.history("c")] == [1, 2, 0, 3]


# -- undoing ------------------------------------------------------------------------------------------------


def test_undoing_goes_back_step_by_step(judging: JudgingService) -> None:
    states = [grades(judging)]
    for step in ((*HERE, 3), (*HERE, 1), (*THERE, 0), (*HERE, None), (*THERE, 2)):
        judging.grade("ann", *step)
        states.append(grades(judging))
    judging.grade("ben", *HERE, 0)
    for state in reversed(states[:-1]):
        assert judging.undo("ann", "c") is not None
        assert grades(judging) == state
    assert judging.undo("ann", "c") is None
    assert grades(judging, "ben") == {"p1": 0}
    judging.grade("ann", *HERE, 2)
    assert grades(judging) == {"p1": 2}


def test_undoing_stays_in_its_campaign(judging: JudgingService) -> None:
    judging.grade("ann", *HERE, 3, campaign="spring")
    judging.grade("ann", *THERE, 1)
    assert judging.undo("ann", "c", campaign="autumn") is None
    assert judging.undo("ann", "c", campaign="spring") is not None
    assert grades(judging) == {"p2": 1}


def test_a_retry_of_an_undo_undoes_once(judging: JudgingService) -> None:
    judging.grade("ann", *HERE, 3, event="e1")
    judging.grade("ann", *HERE, 1)
    first = judging.undo("ann", "c", event="u1")
    assert judging.undo("ann", "c", event="u1") == first
    assert grades(judging) == {"p1": 3}
    for annotator, id in (("ben", "u1"), ("ann", "e1")):
        with pytest.raises(InputError, match="another judgement"):
            judging.undo(annotator, "c", event=id)


def test_undos_at_once_each_take_one_thing_back(judging: JudgingService) -> None:
    for number in range(12):
        judging.grade("ann", "c", QUERY, PASSAGE._replace(id=f"p{number}"), 1)
    with ThreadPoolExecutor(4) as pool:
        undone = [record.undoes for record in pool.map(lambda _: judging.undo("ann", "c"), range(8)) if record]
    assert len(set(undone)) == 8
    assert len(grades(judging)) == 4


def test_nobody_undoes_what_another_said(judging: JudgingService) -> None:
    said = judging.grade("ann", *HERE, 3)
    place = ("eve", "c", "q1", "th", "t", "p1", "fi")
    judging.store.append(JudgementEvent("u", datetime.now(UTC), "withdraw", *place, undoes=said.event))
    assert grades(judging) == {"p1": 3}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9))
def test_any_history_reads_as_a_simple_model_says(judging: JudgingService, seed: int) -> None:
    chance, annotator = random.Random(seed), f"{seed}-{judging.store.count()}"
    done: list[tuple[str, str, int | None]] = []
    for _ in range(15):
        passage = PASSAGE._replace(id=f"p{chance.randrange(3)}")
        step: Any = chance.choice(["grade", "grade", "withdraw", "skip", "note", "undo"])
        if step == "undo":
            assert (judging.undo(annotator, "c") is None) == (not done)
            done = done[:-1]
        else:
            grade = chance.randrange(4) if step == "grade" else None
            judging.record(step, annotator, "c", QUERY, passage, grade=grade, note="n" if step == "note" else None)
            done.append((step, passage.id, grade))
    model = {id: grade for step, id, grade in done if step != "note"}
    assert grades(judging, annotator) == {id: grade for id, grade in model.items() if grade is not None}


# -- many judges, one grade ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "decided"),
    [
        ([2], {"majority": 2, "mean": 2, "strictest": 2, "adjudicated": 2}),
        ([0, 3], {"majority": 3, "mean": 2, "strictest": 0, "adjudicated": None}),
        ([1, 1, 3], {"majority": 1, "mean": 2, "strictest": 1, "adjudicated": None}),
        ([0, 1, 3, 3], {"majority": 3, "mean": 2, "strictest": 0, "adjudicated": None}),
        ([0, 0, 1], {"majority": 0, "mean": 0, "strictest": 0, "adjudicated": None}),
        ([3, 1, 0], {"majority": 1, "mean": 1, "strictest": 0, "adjudicated": None}),
        ([1, 1], {"majority": 1, "mean": 1, "strictest": 1, "adjudicated": 1}),
    ],
)
def test_policies(given: list[int], decided: dict[str, int | None]) -> None:
    for policy in POLICIES:
        result = decide({("q", "p"): given}, {}, policy)
        grade = decided[policy]
        assert result.qrels == ({} if grade is None else {"q": {"p": grade}})
        assert result.open == ([] if grade is not None else [("q", "p")])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.sampled_from(sorted(POLICIES)))
def test_policies_stay_between_the_grades_and_ignore_their_order(given: list[int], policy: str) -> None:
    result = decide({("q", "p"): given}, {}, policy)
    assert result == decide({("q", "p"): sorted(given)}, {}, policy)
    for grade in result.qrels.get("q", {}).values():
        assert min(given) <= grade <= max(given)


def test_adjudication_settles_what_people_differ_on(judging: JudgingService) -> None:
    for annotator, grade in (("ann", 0), ("ben", 3)):
        judging.grade(annotator, *HERE, grade)
        judging.grade(annotator, *THERE, grade)
    judging.record("adjudicate", "lead", *HERE, grade=2)
    decided = judging.decided("c", "adjudicated")
    assert decided.qrels == {"q1": {"p1": 2}} and decided.open == [("q1", "p2")]
    assert judging.qrels("c", "strictest") == {"q1": {"p1": 0, "p2": 0}}
    with pytest.raises(InputError, match="policies are majority"):
        judging.qrels("c", "loudest")


# -- qrels as judgements ------------------------------------------------------------------------------------


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    folder = tmp_path / "collection"
    folder.mkdir()
    for name, rows in ((PASSAGES, [PASSAGE, OTHER]), (QUERIES, [(*QUERY, "dev")]), (QRELS, [])):
        writer = table_writer(folder / name)
        for row in rows:
            writer.add(row)
        writer.close()
    return Collection(folder)


def test_qrels_become_judgements_once(judging: JudgingService, collection: Collection) -> None:
    qrels = {"q1": {"p1": 3, "p2": 0, "nowhere": 1}, "q9": {"p1": 1}}
    assert judging.import_qrels("nist", "c", collection, qrels) == (2, 0, 2)
    assert judging.import_qrels("nist", "c", collection, qrels) == (0, 2, 2)
    assert judging.qrels("c") == {"q1": {"p1": 3, "p2": 0}}
    first = judging.store.history("c")[0]
    assert (first.annotator, first.query_text, first.passage_lang) == ("nist", QUERY.text, "fi")
    judging.grade("ann", *HERE, 1)
    assert judging.qrels("c", "strictest") == {"q1": {"p1": 1, "p2": 0}}


def test_qrels_of_another_scale_or_of_nobody_are_refused(judging: JudgingService, collection: Collection) -> None:
    with pytest.raises(InputError, match=r"grades -1, 4"):
        judging.import_qrels("nist", "c", collection, {"q1": {"p1": 4, "p2": -1}})
    with pytest.raises(InputError, match="annotator"):
        judging.import_qrels("", "c", collection, {"q1": {"p1": 1}})
    assert judging.import_qrels("nist", "c", collection, {}) == (0, 0, 0)
    assert judging.store.count() == 0
