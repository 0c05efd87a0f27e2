"""The queue of one judge in a campaign: what comes next, what is said about it, and taking that back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from mdr.core.campaigns import Campaign
from mdr.core.permissions import Person, require
from mdr.errors import InputError, MissingError
from mdr.services.campaigns.desk import Desk, Said, Source
from mdr.services.campaigns.service import CampaignService
from mdr.services.judging.service import JudgingService
from mdr.services.search.service import SearchService
from mdr.storage.judgement_events import Ability, Action, JudgementEvent
from mdr.types import Passage, Query

MOST_AHEAD = 10
"""Items that are handed out at once, at most."""


class Offer(NamedTuple):
    """An item as its judge sees it; `ranks` None: what the runs said stays hidden."""

    number: int
    query: Query
    passage: Passage
    twins: Sequence[Passage]
    ranks: Mapping[str, int] | None
    said: Sequence[Said] = ()
    """On a conflict: the grade of each judge, the lowest first."""


class JudgingQueue:
    """What judges do in campaigns. What returns is durable."""

    def __init__(
        self, campaigns: CampaignService, judging: JudgingService, searcher: Callable[[str], SearchService]
    ) -> None:
        self._campaigns, self._judging, self._searcher = campaigns, judging, searcher

    def next(
        self,
        person: Person,
        campaign: Campaign,
        langs: Collection[str],
        *,
        tab: str = "",
        have: Collection[int] = (),
        count: int = 1,
        source: Source = "own",
    ) -> list[Offer]:
        """The next items for somebody who reads these languages; `have`: those that lie in this window already."""
        self._campaigns.require_judge(person, campaign)
        desk = self._campaigns.desk(campaign)
        numbers = desk.next(person.name, tab, langs, have, min(count, MOST_AHEAD), source)
        return [self.offer(campaign, number) for number in numbers]

    def offer(self, campaign: Campaign, number: int, said: Sequence[Said] = ()) -> Offer:
        """An item of a campaign with its texts."""
        searcher, item = self._searcher(campaign.collection), campaign.items[number]
        passage = searcher.collection.passage(item.passage)
        ranks = None if campaign.blind else item.ranks
        return Offer(number, campaign.queries[item.query], passage, searcher.twins(passage), ranks, said)

    def say(
        self,
        person: Person,
        campaign: Campaign,
        number: int,
        action: Action,
        *,
        event: str | None = None,
        grade: int | None = None,
        note: str | None = None,
        ability: Ability | None = None,
        seconds: float | None = None,
        evidence: bool | None = None,
    ) -> JudgementEvent:
        """Record what somebody does about an item, with its circumstances."""
        if action == "adjudicate":
            require(person, "adjudicate")
        else:
            self._campaigns.require_judge(person, campaign)
        if grade is not None and grade not in campaign.scale:
            scale = ", ".join(map(str, campaign.scale))
            raise InputError(f"{grade} is no grade of this campaign", f"its grades are {scale}")
        desk = self._campaigns.desk(campaign)
        if not 0 <= number < desk.drawn:
            raise MissingError(f"this campaign has no item {number}", "reload the page")
        item = campaign.items[number]
        recorded = self._judging.record(
            action,
            person.name,
            campaign.collection,
            campaign.queries[item.query],
            Passage(item.passage, item.lang, "", ""),
            grade=grade,
            note=note,
            event=event,
            campaign=campaign.id,
            rank=desk.handled(person.name) + 1,
            ability=ability,
            seconds=seconds,
            evidence=evidence and not campaign.blind,
            inclusion=desk.inclusion[number],
            index_fingerprint=campaign.fingerprints.get("lexical"),
            model_fingerprint=campaign.fingerprints.get("dense"),
        )
        desk.told(recorded)
        return recorded

    def undo(
        self, person: Person, campaign: Campaign, *, event: str | None = None, undoes: str | None = None
    ) -> int | None:
        """Take back what somebody did last, or one event of theirs. Gives the item's number; None: nothing is left."""
        desk = self._campaigns.desk(campaign)
        what = desk.find(undoes) if undoes else None
        if what and what.action == "adjudicate":
            require(person, "adjudicate")
        else:
            self._campaigns.require_judge(person, campaign)
        undone = self._judging.undo(person.name, campaign.collection, campaign=campaign.id, event=event, undoes=undoes)
        if undone is None:
            return None
        desk.told(undone)
        return desk.number_of(undone)

    def conflicts(self, person: Person, campaign: Campaign) -> list[Offer]:
        """The items on which grades differ and nobody has decided yet, the widest apart first."""
        require(person, "adjudicate")
        return [self.offer(campaign, number, said) for number, said in conflicts(self._campaigns.desk(campaign))]


def conflicts(desk: Desk) -> list[tuple[int, list[Said]]]:
    """Items that are graded differently and not decided, widest first, with the grades."""
    found = []
    for number, its in list(desk.of_item.items()):  # others go on judging
        said = sorted(desk.grades(number).values(), key=lambda said: (said.grade or 0, said.annotator))
        grades = [it.grade or 0 for it in said]
        if len(set(grades)) > 1 and not any(it.action == "adjudicate" for it in its):
            found.append((grades[0] - grades[-1], number, said))
    return [(number, said) for _, number, said in sorted(found, key=lambda each: each[:2])]
