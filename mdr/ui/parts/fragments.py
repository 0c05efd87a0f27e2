"""Pieces of HTML from routes of our own, for pages that are a function of their address; errors are pieces too."""

from __future__ import annotations

import logging
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mdr.errors import MdrError
from mdr.ui.parts.render import Renderer
from mdr.ui.words.catalogue import _
from mdr.ui.words.troubles import told

_log = logging.getLogger(__name__)


async def fragment(render: Renderer, make: Callable[[Request], str], request: Request) -> Response:
    """What `make` shows for a request; what stands in its way is shown instead."""
    try:
        return HTMLResponse(await run_in_threadpool(make, request))
    except MdrError as error:
        problem, remedy = told(error)
    except Exception:
        _log.exception("a piece of a page could not be made")
        problem, remedy = _("this could not be shown"), _("try again; the terminal that runs mdr says more")
    permalink = f"?{request.url.query}" if request.url.query else ""
    return HTMLResponse(render("error", {"nonce": "", "permalink": permalink, "problem": problem, "remedy": remedy}))
