"""How a campaign comes along: for its judge, for who leads it, and how well a judge agrees with him- or herself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from statistics import median
from typing import NamedTuple

from mdr.core.campaigns import Campaign
from mdr.core.permissions import Person, allows
from mdr.services.campaigns.desk import Desk
from mdr.services.campaigns.queue import conflicts
from mdr.services.campaigns.service import CampaignService
from mdr.services.judging.graded_things import APART

_RECENT = 20
"""Judgements that somebody's pace is the median of."""


class Own(NamedTuple):
    """A judge's own progress. `pace`: seconds an item lately; None: not known yet."""

    graded: int
    left: int
    skipped: int
    others: int
    pace: float | None


class Consistency(NamedTuple):
    """How often somebody gave an item that came twice the same grade, one next to it, or one further off."""

    same: int
    near: int
    far: int

    @property
    def repeats(self) -> int:
        """How many items came twice."""
        return self.same + self.near + self.far


class LanguageProgress(NamedTuple):
    """Judgements about passages of one language: how many are wanted, and how many are there."""

    lang: str
    wanted: int
    done: int


class PersonProgress(NamedTuple):
    """What one person has done."""

    name: str
    graded: int
    skipped: int
    cannot: int
    pace: float | None


class Progress(NamedTuple):
    """A campaign as a whole; hidden repeats count for nobody."""

    wanted: int
    done: int
    langs: Sequence[LanguageProgress]
    people: Sequence[PersonProgress]
    conflicts: int

    @property
    def remaining(self) -> int:
        """Judgements that are still wanted."""
        return self.wanted - self.done


class ProgressService:
    """Who may know what of a campaign."""

    def __init__(self, campaigns: CampaignService) -> None:
        self._campaigns = campaigns

    def own(self, person: Person, campaign: Campaign, langs: Collection[str]) -> Own:
        """A judge's own progress in the languages that he or she reads."""
        desk = self._campaigns.desk(campaign)
        left = {source: desk.left(person.name, langs, source) for source in ("own", "skipped", "others")}
        one = _person(desk, person.name)
        return Own(one.graded, left["own"], left["skipped"], left["others"], one.pace)

    def consistency(self, person: Person, campaign: Campaign) -> Consistency:
        """Told to the judge alone."""
        return consistency(self._campaigns.desk(campaign), person.name)

    def whole(self, person: Person, campaign: Campaign) -> Progress:
        """Everybody's progress; people by name only for who may see them."""
        found = progress(self._campaigns.desk(campaign))
        return found if allows(person, "see-others") else found._replace(people=())


def progress(desk: Desk) -> Progress:
    """The state of a campaign."""
    wanted, done = Counter[str](), Counter[str]()
    for number, item in enumerate(desk.campaign.items[: desk.drawn]):
        wanted[item.lang] += item.judges
        if number in desk.of_item:
            done[item.lang] += min(len(desk.grades(number)), item.judges)
    langs = [LanguageProgress(lang, wanted[lang], done[lang]) for lang in sorted(wanted)]
    judges = {*desk.campaign.annotators, *(name for name in list(desk.of_judge) if desk.handled(name))}
    people = [_person(desk, name) for name in sorted(judges)]
    return Progress(wanted.total(), done.total(), langs, people, len(conflicts(desk)))


def consistency(desk: Desk, annotator: str) -> Consistency:
    """From the items that somebody graded twice, some time apart."""
    first: dict[int, tuple[int, int]] = {}
    apart = Counter[int]()
    for place, said in enumerate(said for said in desk.of_judge.get(annotator, ()) if said.action == "grade"):
        grade = said.grade or 0
        when, before = first.setdefault(said.item, (place, grade))
        if place - when > APART:
            apart[min(abs(grade - before), 2)] += 1
    return Consistency(apart[0], apart[1], apart[2])


def _person(desk: Desk, name: str) -> PersonProgress:
    its = desk.of_judge.get(name, [])
    last = {said.item: said.action for said in its if said.action in ("grade", "skip", "cannot-judge")}
    counts = Counter(last.values())
    seconds = [said.seconds for said in its if said.seconds is not None and said.action == "grade"][-_RECENT:]
    return PersonProgress(
        name, counts["grade"], counts["skip"], counts["cannot-judge"], median(seconds) if seconds else None
    )
