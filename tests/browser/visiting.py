"""An app to visit: served as long as it is needed, opened in a browser that remembers what it asked for and heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from mdr.workbench import Workbench

Visit: TypeAlias = Callable[..., Any]


def served(workbench: Workbench) -> Iterator[str]:
    """The address of its app, for a fixture to yield."""
    from mdr.ui.app import serve

    app = serve(workbench)
    yield app.local_url.rstrip("/")
    app.close()


def opening(browser: Any, usual: Any, address: str, ready: Callable[[str], str]) -> Iterator[Visit]:
    """Open paths of an app, for a fixture to yield; as another visitor where options are given. `ready` says what is
    there when a path has loaded. In the end every request went to the app, and nothing complained."""
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
