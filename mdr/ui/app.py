"""The browser app: one Gradio app of several pages over a workbench, with a few routes of its own beside it."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from mdr.cli.output import console
from mdr.cli.progress import telling
from mdr.errors import InputError, StorageError
from mdr.settings import Settings
from mdr.types import Query
from mdr.ui.ending import end, end_at_once_when_told, leave, until_told
from mdr.ui.parts.examples import examples
from mdr.ui.parts.render import Renderer
from mdr.ui.watching import logs
from mdr.ui.words.catalogue import N_
from mdr.workbench import SAMPLE, Workbench

if TYPE_CHECKING:
    import gradio as gr

# Gradio reads these when it is imported: nothing may be sent anywhere, and nothing kept of what judges do.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


class Page(NamedTuple):
    """One page: its name, its address, and the module and class that build it, imported when the app is."""

    name: str
    path: str
    module: str
    kind: str

    def build(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        """Components and what they do; called inside a Gradio page."""
        made = getattr(importlib.import_module(f"mdr.ui.{self.module}"), self.kind)
        made(workbench, collection, render).build()


PAGES = (
    Page(N_("Search"), "", "search.page", "SearchPage"),
    Page(N_("Compare"), "compare", "compare.page", "ComparePage"),
    Page(N_("Evaluate"), "evaluate", "evaluate.page", "EvaluatePage"),
    Page(N_("Judge"), "judge", "judge.page", "JudgePage"),
    Page(N_("Training data"), "training-data", "training_data.page", "TrainingDataPage"),
    Page(N_("Runs"), "runs", "runs.page", "RunsPage"),
    Page(N_("Guide"), "guide", "guide.page", "GuidePage"),
)
"""To add a page, add a row; the first is where the app opens."""

_SESSIONS = 1_000
"""Visitors of whom Gradio keeps what their page shows, some 100 kB each; of an older one it is made again."""


def build(workbench: Workbench, collection: str = SAMPLE) -> gr.Blocks:
    """All pages."""
    import gradio as gr

    from mdr.ui.shell import Pages, i18n, shell

    render = Renderer(workbench.settings.assets)
    logo = Markup((workbench.settings.assets / "favicon.svg").read_text(encoding="utf-8"))
    app = Pages(title=N_("mdr · search in every language"), analytics_enabled=False)
    for page in PAGES:
        with app.route(page.name, page.path) if page.path else app:
            gr.Navbar(main_page_name=i18n(PAGES[0].name))
            shell(lambda: render("head", {"logo": logo}), elem_id="head", js_on_load="mdr.coloured()")
            page.build(workbench, collection, render)
    return app.queue(default_concurrency_limit=8, max_size=64)


def serve(workbench: Workbench, collection: str = SAMPLE) -> gr.Blocks:
    """All pages at their address, until `close()`; `local_url` says where."""
    import gradio as gr
    from gradio.themes.utils.fonts import Font
    from starlette.middleware import Middleware

    from mdr.ui.door.admission import Admission, limits
    from mdr.ui.door.fetch import forbid_fetching
    from mdr.ui.door.guard import Guard
    from mdr.ui.door.sign_in import SignInPage
    from mdr.ui.evaluate.routes import EvaluationRoutes
    from mdr.ui.judge.routes import JudgingRoutes
    from mdr.ui.runs.routes import RunsRoutes
    from mdr.ui.search.explaining import Explaining
    from mdr.ui.search.grading import Routes
    from mdr.ui.training_data.routes import TrainingDataRoutes
    from mdr.ui.watching.health import HealthRoutes
    from mdr.ui.watching.metrics import Metrics
    from mdr.ui.watching.watch import Watch
    from mdr.ui.words.speaking import Speaking
    from mdr.ui.words.speaking import routes as language_routes

    settings, render = workbench.settings, Renderer(workbench.settings.assets)
    admission = Admission(limits(settings))
    health = workbench.health(collection)
    metrics = Metrics(workbench, health, admission)
    routes = [*Routes(workbench, collection, render).routes(), *SignInPage(workbench, render).routes()]
    routes += Explaining(workbench, collection, render).routes()
    routes += JudgingRoutes(workbench, collection, render).routes()
    routes += EvaluationRoutes(workbench, collection, render).routes()
    routes += TrainingDataRoutes(workbench, render).routes() + RunsRoutes(workbench, render).routes()
    routes += language_routes(framed=bool(settings.space_id))
    routes += HealthRoutes(settings, health, metrics).routes()
    head = _head(settings.assets)
    watch = Middleware(Watch, seen=metrics.seen)
    guard = Middleware(
        Guard,
        settings=settings,
        session=lambda token: workbench.accounts.person(token),
        admission=admission,
        head=head,
    )
    forbid_fetching()
    app = build(workbench, collection)
    try:
        app.launch(
            server_name=settings.address,
            server_port=settings.port or None,
            theme=gr.themes.Base(font=[Font("system-ui"), Font("sans-serif")], font_mono=[Font("monospace")]),
            head=head,
            favicon_path=settings.assets / "favicon.svg",
            footer_links=[],
            run_history=False,
            share=False,
            quiet=True,
            ssr_mode=False,
            app_kwargs={"routes": routes, "middleware": [watch, Middleware(Speaking), guard]},
            max_file_size="20mb",
            state_session_capacity=_SESSIONS,
            mcp_server=_mcp_works(),
            prevent_thread_lock=True,
        )
    except OSError as error:
        raise InputError(f"port {settings.port} cannot be used: {error}", "set MDR_PORT to another port") from error
    return app


def _head(assets: Path) -> str:
    """Our own styles and scripts, as they are: Gradio rewrites the selectors of what it gets as `css`. First what all
    pages share, then what single pages add."""
    style, script = _joined(assets, "theme.css", ".css"), _joined(assets, "app.js", ".js")
    return f"<style>{style}</style><script>{script}</script>"


def _joined(assets: Path, shared: str, kind: str) -> str:
    files = [assets / shared, *sorted(assets.glob(f"pages/*{kind}"))]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def _mcp_works() -> bool:
    try:
        from mcp.server.lowlevel import Server
    except ImportError:
        return False
    return hasattr(Server, "call_tool")  # later versions of mcp break Gradio's


def main(settings: Settings | None = None) -> None:
    """Prepare the sample collection, then serve until stopped. Gradio is imported beside the engines' loading."""
    end_at_once_when_told()
    workbench = Workbench(settings)
    logs.set_up(workbench.settings)
    said, as_lines = console(sys.stderr), workbench.settings.logs == "json"
    with ThreadPoolExecutor(1) as beside:
        imported = beside.submit(importlib.import_module, "gradio")
        with nullcontext(logs.tell) if as_lines else telling(said) as tell:
            for event in workbench.prepare_sample():
                tell(event)
        warm(workbench)
        imported.result()
    stay(workbench)


def stay(workbench: Workbench) -> None:
    """Serve until told to stop, then finish what is under way and end the process."""
    said, as_lines = console(sys.stderr), workbench.settings.logs == "json"
    workbench.snapshots.start(logs.tell)
    app = serve(workbench)
    settle()
    logs.adopt()
    if as_lines:
        logs.tell_address(app.local_url)
    for line in [] if as_lines else greeting(workbench, app.local_url.rstrip("/"), shown=said.is_terminal):
        said.print(line)
    told = until_told()
    if not as_lines:
        said.print(f"ending ({told.name}): what is under way is finished first")
    leave(end(app, workbench, logs.tell))


def settle() -> None:
    """Leave what was loaded until now out of the collector's rounds, and let it go round less often: each time it
    walks through all there is, every thread stands still for a fifth of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def greeting(workbench: Workbench, url: str, *, shown: bool) -> list[str]:
    """What the terminal says when the app is there. Its owner's link is for eyes only: where nobody looks on, what is
    said is kept in some log, which others may read; and a Space knows its owner otherwise."""
    from mdr.ui.door.sign_in import OWNER_LINK

    lines = [f"mdr is at {url}/"]
    if shown and not workbench.settings.space_id:
        link = f"{url}{OWNER_LINK}?token={workbench.accounts.owner_link()}"
        lines.append(f"to sign in as its owner, who may do everything, open (once) {link}")
    return lines


def warm(workbench: Workbench, collection: str = SAMPLE) -> None:
    """What loads when it is first used (Java, analyzers, models), used once: no visitor waits for it."""
    searcher = workbench.searcher(collection)
    for query in examples(searcher):
        searcher.search(query.text)
    with suppress(StorageError):  # a page that cannot save grades still searches, and says so
        workbench.judging.grades("", collection, Query("", "", ""))
