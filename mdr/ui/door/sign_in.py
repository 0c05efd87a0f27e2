"""The pages that make a visitor somebody: sign in, accept an invitation, sign in with Hugging Face, sign out.

Plain forms, which work before any script has loaded. Every sign-in gives a new token and ends the session that the
browser had: a token that somebody planted before is worth nothing after.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from mdr.errors import InputError, MdrError
from mdr.services.people.accounts import DAY, SESSION_DAYS, AccountService
from mdr.services.people.hub_sign_in import HubSignIn
from mdr.services.people.passwords import SHORTEST
from mdr.ui.door import visitors
from mdr.ui.parts.render import Renderer
from mdr.ui.parts.requests import Refusal, same_site, status_of
from mdr.ui.words.troubles import told
from mdr.workbench import Workbench

OWNER_LINK = "/mdr/owner"
"""Where the link leads that the terminal shows."""
_BEGUN = "mdr_hub"
"""The cookie that a sign-in with Hugging Face must bring back."""
_MINUTES = 10
_LOCAL = re.compile(r"/(?![/\\])[^\x00-\x20\\\x7f]*")
"""Where people may be sent after signing in: only to pages of ours."""


class SignInPage:
    """Routes for the web server."""

    def __init__(self, workbench: Workbench, render: Renderer) -> None:
        self._workbench, self._render = workbench, render
        self._framed = bool(workbench.settings.space_id)
        self._hub = HubSignIn(workbench.settings)

    def routes(self) -> list[Route]:
        """For the web server."""
        return [
            Route("/mdr/sign-in", self.form, methods=["GET"]),
            Route("/mdr/sign-in", self._answering(self.sign_in), methods=["POST"]),
            Route("/mdr/sign-out", self.sign_out, methods=["POST"]),
            Route("/mdr/invite", self._answering(self.invitation), methods=["GET"]),
            Route("/mdr/invite", self._answering(self.accept), methods=["POST"]),
            Route(OWNER_LINK, self._answering(self.owner), methods=["GET"]),
            Route("/mdr/hub", self._answering(self.to_hub), methods=["GET"]),
            Route("/mdr/hub/callback", self._answering(self.from_hub), methods=["GET"]),
            Route("/mdr/me", self.me, methods=["GET"]),
        ]

    async def form(self, request: Request) -> Response:
        """The form, or who one is already."""
        return self._page(request, next=_next(request.query_params.get("next", "")))

    async def sign_in(self, request: Request, form: Mapping[str, str]) -> Response:
        """Name and password."""
        whose = visitors.address(request, framed=self._framed)
        name, password = form.get("name", ""), form.get("password", "")
        token = await run_in_threadpool(self._accounts.sign_in, name, password, whose)
        return await self._signed_in(request, token, _next(form.get("next", "")))

    async def sign_out(self, request: Request) -> Response:
        """End the session, here and on the server."""
        same_site(request)
        await self._end(request)
        response = RedirectResponse("../", HTTPStatus.SEE_OTHER)
        self._set(request, response, visitors.SESSION, "", 0)
        return response

    async def invitation(self, request: Request, _: Mapping[str, str]) -> Response:
        """The form that makes an account."""
        token = request.query_params.get("token", "")
        role = await run_in_threadpool(self._accounts.invited, token)
        return self._page(request, token=token, role=role)

    async def accept(self, request: Request, form: Mapping[str, str]) -> Response:
        """Make the account, and sign in with it."""
        token, name, password = (form.get(field, "") for field in ("token", "name", "password"))
        return await self._signed_in(request, await run_in_threadpool(self._accounts.accept, token, name, password), "")

    async def owner(self, request: Request, _: Mapping[str, str]) -> Response:
        """Whoever owns the machine, by the link that its terminal shows. On a Space there is none."""
        token = request.query_params.get("token", "")
        return await self._signed_in(request, await run_in_threadpool(self._accounts.sign_in_owner, token), "")

    async def to_hub(self, request: Request, _: Mapping[str, str]) -> Response:
        """Off to Hugging Face."""
        begun = await run_in_threadpool(self._hub.begin)
        response = RedirectResponse(begun.url, HTTPStatus.SEE_OTHER)
        self._set(request, response, _BEGUN, begun.secret, 60 * _MINUTES)
        return response

    async def from_hub(self, request: Request, _: Mapping[str, str]) -> Response:
        """Back from there."""
        secret, given = request.cookies.get(_BEGUN, ""), request.query_params
        user = await run_in_threadpool(self._hub.finish, secret, given.get("state", ""), given.get("code", ""))
        token = await run_in_threadpool(self._accounts.sign_in_from_hub, user, admin=self._hub.is_owner(user))
        response = await self._signed_in(request, token, "")
        self._set(request, response, _BEGUN, "", 0)
        return response

    async def me(self, request: Request) -> Response:
        """Who one is, for the line at the top of every page."""
        person = visitors.who(request)
        return JSONResponse({"name": "" if person.name.startswith("visitor-") else person.name, "role": person.role})

    # -- below --------------------------------------------------------------------------------------------

    @property
    def _accounts(self) -> AccountService:
        return self._workbench.accounts

    def _answering(
        self, work: Callable[[Request, Mapping[str, str]], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """A route that shows what went wrong above the form it came from."""

        async def route(request: Request) -> Response:
            form: dict[str, str] = {}
            try:
                if request.method == "POST":
                    same_site(request)
                    form = await _form(request)
                return await work(request, form)
            except (Refusal, MdrError) as error:
                kept = {"token": form.get("token", ""), "name": form.get("name", ""), "next": form.get("next", "")}
                return self._page(request, error=error, **kept)

        return route

    async def _signed_in(self, request: Request, token: str, next: str) -> Response:
        await self._end(request)
        response = RedirectResponse(next or "../", HTTPStatus.SEE_OTHER)
        self._set(request, response, visitors.SESSION, token, int(SESSION_DAYS * DAY))
        return response

    async def _end(self, request: Request) -> None:
        if before := request.cookies.get(visitors.SESSION):
            await run_in_threadpool(self._accounts.sign_out, before)

    def _set(self, request: Request, response: Response, name: str, value: str, seconds: int) -> None:
        secure = visitors.secure(request, framed=self._framed)
        made = visitors.cookie(name, value, seconds, secure=secure, framed=self._framed)
        response.headers.append("set-cookie", made)

    def _page(self, request: Request, error: Refusal | MdrError | None = None, **values: str) -> Response:
        trouble = told(error) if error else None
        shown: dict[str, Any] = {"token": "", "role": "", "name": "", "next": "", "error": trouble, **values}
        person = visitors.who(request)
        signed_in = "" if person.name.startswith("visitor-") else person.name
        page = self._render(
            "sign_in",
            {**shown, "signed_in": signed_in, "as_role": person.role, "hub": self._hub.offered, **self._fixed},
        )
        return HTMLResponse(page, status_of(error) if error else HTTPStatus.OK)

    @cached_property
    def _fixed(self) -> Mapping[str, Any]:
        assets = self._workbench.settings.assets
        style = "".join((assets / file).read_text(encoding="utf-8") for file in ("theme.css", "sign_in.css"))
        logo = (assets / "favicon.svg").read_text(encoding="utf-8")
        open = self._workbench.settings.sign_in == "open"
        return {"style": Markup(style), "logo": Markup(logo), "shortest": SHORTEST, "open": open}


async def _form(request: Request) -> dict[str, str]:
    """What a form has sent; the door has held its length down already."""
    try:
        sent = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=20, keep_blank_values=True)
    except ValueError as error:
        raise InputError("this is not what the form sends", "use the form on this page") from error
    return {name: values[0] for name, values in sent.items()}


def _next(address: str) -> str:
    return address if _LOCAL.fullmatch(address) else ""
