"""The app over toy engines in this process, and a headless Chromium that looks at it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.stub import StubWorkbench
from tests.measured import MeasuredWorkbench

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENSHOTS = Path(__file__).parent.parent / "screenshots"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these drive a browser; without one they cannot run."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium; `apt-get install chromium` provides it"))


@pytest.fixture(scope="session")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubWorkbench]:
    workbench = StubWorkbench(tmp_path_factory.mktemp("app"))
    yield workbench
    workbench.judging.store.close()


@pytest.fixture(scope="session")
def address(workbench: StubWorkbench) -> Iterator[str]:
    from mdr.ui.app import serve

    app = serve(workbench)
    yield app.local_url.rstrip("/")
    app.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def usual(browser: Any) -> Iterator[Any]:
    """One visitor whose browser keeps the app's scripts between tests; that halves their time."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def visit(browser: Any, usual: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Open an address of the app; as another visitor where options are given. In the end every request went to the
    app, and nothing complained."""

    def ready(path: str) -> str:
        return "#answer .answer, #answer .error" if "q=" in path else "#answer .welcome"

    yield from _opening(browser, usual, address, ready)


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeasuredWorkbench]:
    """A workbench with an evaluation, for the pages that compare and evaluate."""
    workbench = MeasuredWorkbench(tmp_path_factory.mktemp("measured"))
    workbench.measure()
    yield workbench
    workbench.judging.store.close()


@pytest.fixture(scope="session")
def measured_address(measured: MeasuredWorkbench) -> Iterator[str]:
    from mdr.ui.app import serve

    app = serve(measured)
    yield app.local_url.rstrip("/")
    app.close()


@pytest.fixture
def look(browser: Any, usual: Any, measured_address: str) -> Iterator[Callable[..., Any]]:
    """The same for the pages that compare and evaluate."""
    yield from _opening(browser, usual, measured_address, lambda path: "[data-permalink], .error")


def _opening(
    browser: Any, usual: Any, address: str, ready: Callable[[str], str]
) -> Iterator[Callable[..., Any]]:
    asked: list[str] = []
    complaints: list[str] = []
    contexts, pages = [], []

    def open_page(path: str = "/", **options: Any) -> Any:
        if options:
            contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options))
        page = (contexts[-1] if options else usual).new_page()
        pages.append(page)
        page.set_default_timeout(20_000)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(address + path)
        page.wait_for_selector(ready(path))
        return page

    open_page.complaints = complaints  # type: ignore[attr-defined]
    yield open_page
    for page in pages:
        page.close()
    usual.clear_cookies()
    for context in contexts:
        context.close()
    assert asked and [url for url in asked if not url.startswith((f"{address}/", "data:", "blob:"))] == []
    assert complaints == []
