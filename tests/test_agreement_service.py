"""What the judgement store says of its judges: pairs, languages, abilities, repeats and corrections, rights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mdr.core.agreement import alpha
from mdr.core.permissions import Person
from mdr.errors import InputError, MissingError, NotAllowedError
from mdr.services.judging.agreement import AgreementService
from mdr.services.judging.graded_things import APART, SLICES
from mdr.services.judging.service import JudgingService
from mdr.storage.judgements import JudgementStore
from mdr.types import Passage, Query

LANGS = ("en", "fi", "th")


@pytest.fixture
def judging(tmp_path: Path) -> Iterator[JudgingService]:
    store = JudgementStore(tmp_path / "judgements.duckdb")
    yield JudgingService(store)
    store.close()


@pytest.fixture
def service(judging: JudgingService) -> AgreementService:
    return AgreementService(lambda: judging)


def grade(judging: JudgingService, who: str, number: int, value: int | None, **how: Any) -> None:
    query = Query(f"q{number}", LANGS[number % 3], f"question {number}")
    passage = Passage(f"p{number}", LANGS[number % 2], "", "text")
    judging.grade(who, "c", query, passage, value, **how)


def judged(judging: JudgingService) -> None:
    """Ann and Ben grade 24 things, Cai half of them; Ben one higher on every third, Cai the opposite of Ann."""
    for number in range(24):
        truth = number % 4
        campaign = "spring" if number < 12 else "autumn"
        grade(judging, "ann", number, truth, campaign=campaign, ability="native", seconds=4.0)
        ben = min(3, truth + (number % 3 == 0))
        grade(judging, "ben", number, ben, campaign=campaign, ability="partial" if number % 2 else "native")
        if number % 2:
            grade(judging, "cai", number, 3 - truth, campaign=campaign, ability="alignment")


def test_agreement_as_a_whole_and_by_slice(judging: JudgingService, service: AgreementService) -> None:
    judged(judging)
    found = service.agreement("c")
    things = [[n % 4, min(3, n % 4 + (n % 3 == 0)), *([3 - n % 4] if n % 2 else [])] for n in range(24)]
    queries = [f"q{n}" for n in range(24)]
    assert found.whole == alpha(things, queries)
    assert set(found.slices["campaign"]) == {"spring", "autumn"}
    assert found.slices["campaign"]["spring"] == alpha(things[:12], queries[:12])
    assert found.slices["query language"]["fi"] == alpha(things[1::3], queries[1::3])
    assert found.slices["passage language"]["en"] == alpha(things[::2], queries[::2])
    natives = [[n % 4, min(3, n % 4 + (n % 3 == 0))] for n in range(0, 24, 2)]
    assert found.slices["ability"]["native"] == alpha(natives, queries[::2])
    assert math.isnan(found.slices["ability"]["alignment"].ordinal.mean)  # of Cai alone


def test_pairs_of_people_and_of_abilities(judging: JudgingService, service: AgreementService) -> None:
    judged(judging)
    found = service.agreement("c")
    pairs = {(it.first, it.second): it.accord for it in found.pairs}
    assert {pair: its.things for pair, its in pairs.items()} == {
        ("ann", "ben"): 24,
        ("ann", "cai"): 12,
        ("ben", "cai"): 12,
    }
    assert pairs["ann", "ben"].quadratic.mean > 0.7 > 0 > pairs["ann", "cai"].quadratic.mean
    assert pairs["ann", "ben"].shift.mean == pytest.approx(6 / 24)  # two of the eight were at the top already
    abilities = {(it.first, it.second): it.accord.things for it in found.abilities}
    assert abilities == {
        ("native", "native"): 12,
        ("native", "partial"): 12,
        ("alignment", "native"): 12,
        ("alignment", "partial"): 12,
    }


def test_what_a_number_is_made_of_is_there(judging: JudgingService, service: AgreementService) -> None:
    judged(judging)
    grade(judging, "ann", 99, 1)  # nobody else
    found = service.agreement("c")
    assert len(found.things) == 24 and found.things[0].spread == 3
    spreads = [thing.spread for thing in found.things]
    assert spreads == sorted(spreads, reverse=True)
    thing = next(thing for thing in found.things if thing.query == "q7")
    assert (thing.passage, thing.query_lang, thing.passage_lang) == ("p7", "fi", "fi")
    assert thing.grades == {"ann": 3, "ben": 3, "cai": 0} and thing.query_text == "question 7"


def test_the_latest_grade_counts_and_a_withdrawn_one_does_not(
    judging: JudgingService, service: AgreementService
) -> None:
    for who, value in (("ann", 0), ("ben", 3), ("ann", 3)):
        grade(judging, who, 1, value)
    assert service.agreement("c").things[0].grades == {"ann": 3, "ben": 3}
    grade(judging, "ben", 1, None)
    assert service.agreement("c").things == []
    grade(judging, "ann", 2, 1, campaign="spring")
    grade(judging, "ann", 2, 2, campaign="autumn")
    grade(judging, "ben", 2, 2, campaign="autumn")
    assert service.agreement("c").things[0].grades == {"ann": 2, "ben": 2}
    assert service.agreement("c", "spring").things == []


def test_repeats_are_not_corrections(judging: JudgingService, service: AgreementService) -> None:
    grade(judging, "ann", 0, 1)
    grade(judging, "ann", 0, 2)  # at once: a correction
    for number in range(1, APART + 2):
        grade(judging, "ann", number, 1)
    grade(judging, "ann", 0, 3)
    assert service.judge("c", "ann").repeats.things == 1
    assert service.judge("c", "ann").repeats.shift.mean == 1  # from 2 to 3
    judging.undo("ann", "c")
    assert service.judge("c", "ann").repeats.things == 0


def test_a_judge_alone(judging: JudgingService, service: AgreementService) -> None:
    judged(judging)
    ann = service.judge("c", "ann")
    assert (ann.grades, ann.seconds) == (24, 4.0)
    assert service.judge("c", "ben").seconds is None
    spring = service.judge("c", "ann", "spring")
    assert spring.grades == 12 and spring.drift.things == 12
    others = [
        (min(3, n % 4 + (n % 3 == 0)) + (3 - n % 4)) / 2 if n % 2 else min(3, n % 4 + (n % 3 == 0)) for n in range(24)
    ]
    expected = sum(n % 4 - other for n, other in enumerate(others)) / 24
    assert ann.drift.level.mean == pytest.approx(expected)
    assert service.agreement("c").judges[0] == ann


def test_a_judge_who_drifts_is_seen(judging: JudgingService, service: AgreementService) -> None:
    for number in range(60):
        grade(judging, "ben", number, 1)
        grade(judging, "ann", number, 0 if number < 30 else 2)
    drift = service.judge("c", "ann").drift
    assert drift.certain and drift.change.mean > 2


def test_every_number_opens_what_it_is_made_of(judging: JudgingService, service: AgreementService) -> None:
    judged(judging)
    for number in range(24, 26 + APART):
        grade(judging, "cai", number, 1)
    grade(judging, "cai", 24, 3)  # again, with others between
    found = service.agreement("c")
    assert service.behind("c", None, "whole") == found.things and len(found.things) == found.whole.things == 24
    for what in SLICES:
        for name, its in found.slices[what].items():
            assert len(service.behind("c", None, what, name)) == its.things
    for row in found.pairs:
        things = service.behind("c", None, "judges", row.first, row.second)
        assert len(things) == row.accord.things
        assert sum(len(set(thing.grades.values())) == 1 for thing in things) / len(things) == row.accord.same.mean
        assert [thing.spread for thing in things] == sorted((thing.spread for thing in things), reverse=True)
    for row in found.abilities:
        things = service.behind("c", None, "abilities", row.second, row.first)
        assert 0 < len(things) <= row.accord.things
    for judge in found.judges:
        assert len(service.behind("c", None, "grades", judge.name)) == judge.grades
        assert len(service.behind("c", None, "others", judge.name)) == judge.drift.things
    [again] = service.behind("c", None, "repeats", "cai")
    assert again.grades == {"earlier": 1, "later": 3} and again.passage == "p24"
    assert service.behind("c", "spring", "judges", "ann", "ben") == [
        thing for thing in service.behind("c", None, "judges", "ann", "ben") if int(thing.passage[1:]) < 12
    ]
    assert service.behind("c", None, "judges", "ann", "nobody") == []
    with pytest.raises(InputError, match="no number 'magic'"):
        service.behind("c", None, "magic")
    with pytest.raises(NotAllowedError):
        service.behind("c", None, "whole", person=Person("ann", "judge"))


def test_rights(judging: JudgingService, service: AgreementService) -> None:
    judged(judging)
    ann = Person("ann", "judge")
    assert service.judge("c", "ann", person=ann).name == "ann"
    for person in (ann, Person("", "visitor"), Person("x", "visitor")):
        with pytest.raises(NotAllowedError):
            service.agreement("c", person=person)
        with pytest.raises(NotAllowedError):
            service.judge("c", "ben", person=person)
    with pytest.raises(NotAllowedError, match="not known"):
        service.judge("c", "", person=Person(""))
    assert service.agreement("c", person=Person("lea", "lead")).judges


def test_nothing_there(judging: JudgingService, service: AgreementService) -> None:
    with pytest.raises(MissingError, match="nobody has graded"):
        service.agreement("c")
    grade(judging, "ann", 1, 2)
    with pytest.raises(MissingError, match="campaign 'spring'"):
        service.agreement("c", "spring")
    with pytest.raises(MissingError, match="'ben' has graded nothing"):
        service.judge("c", "ben")
    found = service.agreement("c")
    assert found.whole.things == 0 and math.isnan(found.whole.ordinal.mean) and found.pairs == []
