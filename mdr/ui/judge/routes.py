"""Routes of the page "Judge": campaigns, the next items, and what is said of them.

One small POST saves and brings what comes next; when it is answered, it is on disk. Who asks is told in every answer
and says so in every post: what one person left unsaved in a browser is never saved as another's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mdr.core.campaigns import Campaign
from mdr.core.permissions import Person, allows
from mdr.errors import InputError, MdrError
from mdr.services.campaigns.queue import MOST_AHEAD, Offer
from mdr.services.campaigns.service import OPEN_POOL
from mdr.services.judging.service import GRADES
from mdr.storage.judgement_events import Ability
from mdr.ui.door.visitors import known
from mdr.ui.parts.markdown import markdown
from mdr.ui.parts.render import Renderer, tongue
from mdr.ui.parts.requests import Refusal, posted, refused
from mdr.ui.words.catalogue import N_, _
from mdr.workbench import Workbench

ABILITIES: Mapping[str, str] = {
    "native": N_("fluently"),
    "partial": N_("partly"),
    "translation": N_("with a twin or translation"),
    "alignment": N_("only names and numbers"),
}
"""How a judge may read a language, and how the page says it."""
REASONS: Sequence[str] = (
    N_("the passage is broken or cut off"),
    N_("the question makes no sense"),
    N_("I cannot read this well enough"),
    N_("it depends on something that is not shown"),
)
"""Why something cannot be judged, unless it is said in other words."""
ENGINES: Mapping[str, str] = {"bm25": N_("Words"), "dense": N_("Meaning"), "hybrid": N_("Together")}
"""What the page calls the runs of our own engines."""
_MANY = 64


class Wanted(BaseModel):
    """Where a judge is, and what a window of theirs holds already; `judge` is whom the page was made for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    campaign: str = Field(max_length=100)
    judge: str = Field(max_length=64)
    tab: str = Field(pattern=r"^[0-9a-z]{1,32}$")
    langs: list[Annotated[str, Field(max_length=10)]] = Field(max_length=_MANY)
    have: list[int] = Field(default=[], max_length=_MANY)
    count: int = Field(default=1, ge=0, le=MOST_AHEAD)
    source: Literal["own", "skipped", "others"] = "own"


class JudgementPosted(Wanted):
    """What the page sends for each key; then as many next items come back as are wanted."""

    event: str = Field(pattern=r"^[0-9a-zA-Z-]{8,64}$")
    action: Literal["grade", "skip", "cannot-judge", "note", "adjudicate", "undo"]
    item: int | None = Field(None, ge=0)
    grade: int | None = Field(None, ge=min(GRADES), le=max(GRADES))
    note: str | None = Field(None, max_length=4_000)
    undoes: str | None = Field(None, pattern=r"^[0-9a-zA-Z-]{8,64}$")
    ability: Ability | None = None
    seconds: float | None = Field(None, ge=0, le=86_400)
    evidence: bool | None = None


Answer = Callable[[Person, Request], Response]


class JudgingRoutes:
    """The routes over one collection."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render

    def routes(self) -> list[Route]:
        """For the web server."""
        return [
            Route("/mdr/judge/campaigns", self._getting(self._campaigns)),
            Route("/mdr/judge/campaign", self._getting(self._campaign)),
            Route("/mdr/judge/progress", self._getting(self._progress)),
            Route("/mdr/judge/conflicts", self._getting(self._conflicts)),
            Route("/mdr/judge/next", self._next, methods=["POST"]),
            Route("/mdr/judge/say", self._say, methods=["POST"]),
        ]

    # -- what there is ------------------------------------------------------------------------------------

    def _campaigns(self, person: Person, request: Request) -> Response:
        campaigns, progress = self._workbench.campaigns, self._workbench.campaign_progress
        found = [campaigns.get(OPEN_POOL, self._collection), *campaigns.all(self._collection)]
        rows = [
            {
                "campaign": campaign,
                "open": campaigns.is_open(campaign),
                "mine": campaigns.may_judge(person, campaign),
                "progress": progress.whole(person, campaign),
            }
            for campaign in found
        ]
        values = {
            "rows": rows,
            "judge": key_of(person),
            "adjudicates": allows(person, "adjudicate"),
            "visitor": person.role == "visitor",
            "kept": self._workbench.snapshots.kept if allows(person, "export") else None,
        }
        return HTMLResponse(self._render("judge_campaigns", values))

    def _campaign(self, person: Person, request: Request) -> Response:
        campaign = self._of(request)
        if request.query_params.get("conflicts") is None:
            self._workbench.campaigns.require_judge(person, campaign)
        values = {
            "campaign": campaign,
            "guidelines": markdown(campaign.guidelines, below=2),
            "abilities": ABILITIES,
            "reasons": REASONS,
            "langs": [tongue(lang) for lang in campaign.langs],
        }
        return JSONResponse(
            {
                "campaign": campaign.id,
                "judge": key_of(person),
                "name": _(campaign.name) if campaign.id == OPEN_POOL else campaign.name,
                "blind": campaign.blind,
                "langs": list(campaign.langs),
                "grades": list(campaign.scale),
                "html": self._render("judge_desk", values),
            }
        )

    def _progress(self, person: Person, request: Request) -> Response:
        campaign, progress = self._of(request), self._workbench.campaign_progress
        values = {
            "campaign": campaign,
            "whole": progress.whole(person, campaign),
            "own": progress.consistency(person, campaign),
        }
        return HTMLResponse(self._render("judge_progress", values))

    def _conflicts(self, person: Person, request: Request) -> Response:
        campaign = self._of(request)
        offers = self._workbench.judging_queue.conflicts(person, campaign)
        return JSONResponse({"items": [self._item(campaign, offer) for offer in offers[:_MANY]], "left": len(offers)})

    # -- the queue ----------------------------------------------------------------------------------------

    async def _next(self, request: Request) -> Response:
        return await self._posting(request, Wanted, self._after)

    async def _say(self, request: Request) -> Response:
        return await self._posting(request, JudgementPosted, self._said)

    def _said(self, person: Person, sent: JudgementPosted) -> dict[str, Any]:
        campaign = self._workbench.campaigns.get(sent.campaign, self._collection)
        queue = self._workbench.judging_queue
        if sent.action == "undo":
            number = queue.undo(person, campaign, event=sent.event, undoes=sent.undoes)
            back = None if number is None else self._item(campaign, queue.offer(campaign, number))
            return {"event": sent.event, "back": back}
        if sent.item is None:
            raise InputError(f"a {sent.action} without an item", "send the item's number")
        queue.say(
            person,
            campaign,
            sent.item,
            sent.action,
            event=sent.event,
            grade=sent.grade,
            note=sent.note,
            ability=sent.ability,
            seconds=sent.seconds,
            evidence=sent.evidence,
        )
        return {"event": sent.event, "items": self._items(person, campaign, sent)}

    def _after(self, person: Person, sent: Wanted) -> dict[str, Any]:
        campaign = self._workbench.campaigns.get(sent.campaign, self._collection)
        items = self._items(person, campaign, sent)
        own = self._workbench.campaign_progress.own(person, campaign, sent.langs)
        return {"items": items, "own": own._asdict()}

    def _items(self, person: Person, campaign: Campaign, sent: Wanted) -> list[dict[str, Any]]:
        if not sent.count:
            return []
        offers = self._workbench.judging_queue.next(
            person, campaign, sent.langs, tab=sent.tab, have=sent.have, count=sent.count, source=sent.source
        )
        return [self._item(campaign, offer) for offer in offers]

    def _item(self, campaign: Campaign, offer: Offer) -> dict[str, Any]:
        values = {"campaign": campaign, "offer": offer, "abilities": ABILITIES, "engines": ENGINES}
        html = self._render("judge_item", values)
        langs = (tongue(offer.query.lang).name, tongue(offer.passage.lang).name)
        about = _("Question in %(query)s, passage in %(passage)s", query=langs[0], passage=langs[1])
        return {"item": offer.number, "lang": offer.passage.lang, "about": about, "html": html}

    # -- common -------------------------------------------------------------------------------------------

    def _of(self, request: Request) -> Campaign:
        return self._workbench.campaigns.get(request.query_params.get("campaign", ""), self._collection)

    def _getting(self, answer: Answer) -> Callable[[Request], Any]:
        async def get(request: Request) -> Response:
            try:
                return await run_in_threadpool(answer, known(request), request)
            except (Refusal, MdrError) as error:
                return refused(error)

        return get

    async def _posting(
        self, request: Request, shape: type[Any], answer: Callable[[Person, Any], dict[str, Any]]
    ) -> Response:
        try:
            sent, person = await posted(request, shape), known(request)
            if sent.judge != key_of(person):
                problem = "this page belongs to somebody else, who has signed out since"
                raise Refusal(HTTPStatus.UNAUTHORIZED, problem, "sign in as them again, or reload the page")
            return JSONResponse(await run_in_threadpool(answer, person, sent))
        except (Refusal, MdrError) as error:
            return refused(error)


def key_of(person: Person) -> str:
    """A name for a judge that a page may hold: of no use to anybody."""
    return sha256(f"judge {person.name}".encode()).hexdigest()[:16]
