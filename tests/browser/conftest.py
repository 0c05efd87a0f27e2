"""The app over toy engines in this process, and a headless Chromium that looks at it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.stub import StubWorkbench
from tests.browser.visiting import Visit, opening, served
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
    yield from served(workbench)


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
def visit(browser: Any, usual: Any, address: str) -> Iterator[Visit]:
    """Open an address of the app."""

    def ready(path: str) -> str:
        return "#answer .answer, #answer .error" if "q=" in path else "#answer .welcome"

    yield from opening(browser, usual, address, ready)


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeasuredWorkbench]:
    """A workbench with an evaluation, for the pages that compare and evaluate."""
    workbench = MeasuredWorkbench(tmp_path_factory.mktemp("measured"))
    workbench.measure()
    yield workbench
    workbench.judging.store.close()


@pytest.fixture(scope="session")
def measured_address(measured: MeasuredWorkbench) -> Iterator[str]:
    yield from served(measured)


@pytest.fixture
def look(browser: Any, usual: Any, measured_address: str) -> Iterator[Visit]:
    """The same for the pages that compare and evaluate."""
    yield from opening(browser, usual, measured_address, lambda path: "[data-permalink], .error")
