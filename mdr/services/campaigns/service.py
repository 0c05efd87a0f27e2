"""Campaigns: made from runs or lists, opened and closed, each with its desk; and the open pool that needs no making."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import RLock

from mdr.core.campaigns import Campaign, Ranks, Rules, arranged, pool
from mdr.core.chance import chance
from mdr.core.permissions import Person, allows, require
from mdr.errors import InputError, MissingError, NotAllowedError
from mdr.services.campaigns.desk import Desk
from mdr.services.judging.service import GRADES
from mdr.services.search.service import SearchService
from mdr.storage.campaigns import CampaignFiles
from mdr.storage.collection import Collection
from mdr.storage.judgements import JudgementStore
from mdr.types import Query, Run

OPEN_POOL = "open"
"""The id of what everybody may judge: what the engines find for some questions of a collection."""
_OPEN_RULES = Rules(order="disagreement", random_share=0.5, overlap=0.2, repeats=0.06)
_OPEN_DEPTH, _OPEN_QUESTIONS = 5, 4
_NAME_LIMIT, _GUIDELINES_LIMIT, _PEOPLE_LIMIT = 100, 20_000, 200

OPEN_GUIDELINES = """\
You see a question and a passage that may be in another language. Say how well **this passage alone** answers it.

- **3** answers fully: after reading it you know the answer.
- **2** answers partly: some of what was asked is there.
- **1** related: the same subject, but no answer.
- **0** not relevant.

Do not look anything up, and do not guess in languages that you cannot read: leave such a passage out.
"""


@dataclass(frozen=True)
class Plan:
    """What somebody asks a new campaign to be. `langs` empty: all; `annotators` empty: whoever may judge; `questions`:
    at most so many of each language, 0 for all."""

    name: str
    collection: str
    guidelines: str = OPEN_GUIDELINES
    scale: Mapping[int, str] = field(default_factory=lambda: GRADES)
    langs: Sequence[str] = ()
    annotators: Sequence[str] = ()
    rules: Rules = field(default_factory=Rules)
    blind: bool = False
    depth: int = 10
    questions: int = 0
    split: str | None = None


class CampaignService:
    """What the app and the command line may do with campaigns."""

    def __init__(
        self, files: CampaignFiles, store: Callable[[], JudgementStore], searcher: Callable[[str], SearchService]
    ) -> None:
        self._files, self._store, self._searcher = files, store, searcher
        self._desks: dict[tuple[str, str], Desk] = {}
        self._pools: dict[str, Campaign] = {}
        self._lock = RLock()

    # -- making -------------------------------------------------------------------------------------------

    def make(
        self,
        person: Person,
        plan: Plan,
        runs: Mapping[str, Run] | None = None,
        listed: Sequence[tuple[str, str]] | None = None,
    ) -> Campaign:
        """A new campaign, open: over a list of query and passage ids, or else over the pool of runs to the plan's
        depth; without runs those of the collection's own engines."""
        require(person, "campaigns")
        _check(plan)
        searcher = self._searcher(plan.collection)
        queries = _questions(searcher.collection, plan)
        prints: Mapping[str, str] = {}
        found: Mapping[tuple[str, str], Ranks]
        if listed is not None:
            found = {pair: {} for pair in dict.fromkeys(listed)}
        else:
            if runs is None:
                runs, prints = searcher.runs(list(queries.values()), plan.depth), searcher.fingerprints
            found = pool(runs, plan.depth)
        return self._files.add(_campaign(plan, queries, searcher.collection, found, list(runs or ()), prints))

    def set_open(self, person: Person, id: str, opened: bool) -> None:
        """Let a campaign take judgements, or no more."""
        require(person, "campaigns")
        if id == OPEN_POOL:
            raise InputError("the open pool cannot be opened or closed", "name one of the campaigns")
        self._files.set_open(id, opened)

    # -- finding ------------------------------------------------------------------------------------------

    def all(self, collection: str | None = None) -> list[Campaign]:
        """The campaigns of a collection, or of all."""
        found = map(self._files.get, self._files.ids())
        return [campaign for campaign in found if collection in (None, campaign.collection)]

    def get(self, id: str, collection: str = "") -> Campaign:
        """A campaign by its id; the open pool is a collection's."""
        return self._open_pool(collection) if id == OPEN_POOL else self._files.get(id)

    def is_open(self, campaign: Campaign) -> bool:
        """Whether it takes judgements."""
        return campaign.id == OPEN_POOL or self._files.is_open(campaign.id)

    def may_judge(self, person: Person, campaign: Campaign) -> bool:
        """Whether somebody is among those who judge in it."""
        if campaign.id == OPEN_POOL:
            return allows(person, "grade")
        return allows(person, "judge") and (not campaign.annotators or person.name in campaign.annotators)

    def require_judge(self, person: Person, campaign: Campaign) -> None:
        """Refuse who is not, and everybody while it is closed."""
        if not person.name:
            raise NotAllowedError("it is not known who judges", "let the page set its cookie, or sign in; then reload")
        require(person, "grade" if campaign.id == OPEN_POOL else "judge")
        if not self.may_judge(person, campaign):
            raise NotAllowedError(f"{person.name} is not a judge of this campaign", "ask its lead to make one with you")
        if not self.is_open(campaign):
            raise NotAllowedError("this campaign is closed", "nothing is lost; ask its lead whether it opens again")

    def desk(self, campaign: Campaign) -> Desk:
        """Where a campaign stands; read from the store once, and kept up to date by whoever judges."""
        key = (campaign.collection, campaign.id)
        with self._lock:
            if key not in self._desks:
                events = self._store().history(campaign.collection, campaign=campaign.id)
                self._desks[key] = Desk(campaign, events)
            return self._desks[key]

    def _open_pool(self, collection: str) -> Campaign:
        with self._lock:
            if collection not in self._pools:
                searcher = self._searcher(collection)
                plan = Plan(
                    "Open pool",
                    collection,
                    rules=_OPEN_RULES,
                    depth=_OPEN_DEPTH,
                    questions=_OPEN_QUESTIONS,
                )
                queries = _questions(searcher.collection, plan)
                runs = searcher.runs(list(queries.values()), plan.depth)
                found, prints = pool(runs, plan.depth), searcher.fingerprints
                made = _campaign(plan, queries, searcher.collection, found, list(runs), prints, OPEN_POOL)
                self._pools[collection] = made
            return self._pools[collection]


def _check(plan: Plan) -> None:
    limits = (("name", plan.name, _NAME_LIMIT), ("guidelines", plan.guidelines, _GUIDELINES_LIMIT))
    for what, text, limit in limits:
        if len(text) > limit or (not text.isprintable() and what == "name"):
            raise InputError(f"the campaign's {what} cannot be used", f"write up to {limit:,} printable characters")
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise InputError(f"the campaign's {what} is not valid Unicode", "write it again")
    if not plan.name.strip():
        raise InputError("the campaign has no name", "give it one")
    if not plan.scale or not set(plan.scale) <= set(GRADES):
        wanted = ", ".join(map(str, GRADES))
        raise InputError(f"the scale has the grades {', '.join(map(str, plan.scale))}", f"name some of {wanted}")
    if len(set(plan.annotators)) != len(plan.annotators) or len(plan.annotators) > _PEOPLE_LIMIT:
        raise InputError("the judges are not so many different people", f"name each once, {_PEOPLE_LIMIT} at most")


def _questions(collection: Collection, plan: Plan) -> dict[str, Query]:
    """The queries that a plan asks for, by id; some of each language are drawn by lot."""
    wanted = [query for query in collection.queries(plan.split) if not plan.langs or query.lang in plan.langs]
    if plan.questions:
        by_lang: dict[str, list[Query]] = {}
        for query in wanted:
            by_lang.setdefault(query.lang, []).append(query)
        seed = plan.rules.seed
        lots = [sorted(its, key=lambda query: chance(seed, "question", query.id)) for its in by_lang.values()]
        wanted = [query for its in lots for query in its[: plan.questions]]
    return {query.id: query for query in wanted}


def _campaign(
    plan: Plan,
    queries: Mapping[str, Query],
    collection: Collection,
    found: Mapping[tuple[str, str], Ranks],
    runs: Sequence[str],
    fingerprints: Mapping[str, str],
    id: str = "",
) -> Campaign:
    """The plan over what was found, without other languages and other queries than it asks for."""
    if missing := sorted({passage for _, passage in found if passage not in collection.positions})[:3]:
        raise MissingError(
            f"the collection {plan.collection!r} has no passage {', '.join(map(repr, missing))}",
            "give runs or lists that were made with this very collection",
        )
    langs = {passage: collection.lang_of(passage) for _, passage in found}
    kept = {
        (query, passage): ranks
        for (query, passage), ranks in found.items()
        if query in queries and (not plan.langs or langs[passage] in plan.langs)
    }
    if not kept and id != OPEN_POOL:
        known = f"{len(queries):,} queries of the collection are in these languages and this split"
        raise InputError(f"nothing is left to judge; {known}", "choose other languages, or see the ids of the runs")
    asked = {query: queries[query] for query, _ in kept}
    spoken = {langs[passage] for _, passage in kept} | {query.lang for query in asked.values()}
    return Campaign(
        id=id,
        name=plan.name.strip(),
        collection=plan.collection,
        langs=tuple(sorted(spoken)),
        scale=dict(sorted(plan.scale.items())),
        rules=plan.rules,
        queries=asked,
        items=arranged(kept, langs, len(runs), plan.rules, len(plan.annotators)),
        guidelines=plan.guidelines,
        annotators=tuple(plan.annotators),
        blind=plan.blind,
        depth=plan.depth if runs else 0,
        runs=tuple(runs),
        fingerprints=dict(fingerprints),
    )
