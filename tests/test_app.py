"""The app as a program: what it imports, where it listens, and one real start from nothing to an answer."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, Request, build_opener, urlopen

import pytest

from mdr.errors import InputError
from mdr.settings import ROOT, Settings
from mdr.ui.app import PAGES, serve
from tests.browser.stub import StubWorkbench


def test_the_command_line_and_its_help_need_no_gradio() -> None:
    code = "import sys, mdr.ui.app; print(sorted({'gradio', 'torch', 'transformers'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_pages_have_names_and_addresses_of_their_own() -> None:
    assert PAGES[0].path == ""
    assert len({page.path for page in PAGES}) == len({page.name for page in PAGES}) == len(PAGES)


def test_it_listens_to_this_machine_only_but_on_a_space_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().address == "127.0.0.1"
    assert Settings(host="::1").address == "::1"
    monkeypatch.setenv("SPACE_ID", "somebody/mdr")
    assert Settings().address == "0.0.0.0"
    assert Settings(host="127.0.0.1").address == "127.0.0.1"


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        workbench = StubWorkbench(tmp_path)
        workbench.settings.port = taken.getsockname()[1]
        with pytest.raises(InputError, match="cannot be used"):
            serve(workbench)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`python app.py` with nothing prepared."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MDR_")}
    environment |= {"MDR_HOME": str(tmp_path_factory.mktemp("home")), "MDR_PORT": "0", "PYTHONUNBUFFERED": "1"}
    app = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert app.stderr
    said = []
    try:
        for line in app.stderr:
            said.append(line)
            if found := re.search(r"mdr is at (\S+)/", line):
                yield found.group(1)
                break
        else:
            pytest.fail("the app ended before it was ready:\n" + "".join(said))
    finally:
        app.send_signal(signal.SIGTERM)
        app.communicate(timeout=30)


def post(url: str, value: Any, send: Any = urlopen) -> Any:
    with send(Request(url, json.dumps(value).encode(), {"content-type": "application/json"}), timeout=60) as reply:
        return json.load(reply)


@pytest.mark.slow
def test_from_nothing_to_an_answer_and_a_grade(address: str) -> None:
    from gradio_client import Client

    client = Client(address, verbose=False)
    question = "বিড়াল পরিবারের কোন প্রাণী গর্জন করতে পারে না, কিন্তু গরগর করে ও পাখির মতো ডাকে?"
    answer = client.predict(query=question, quota=2, api_name="/search")
    assert answer["query"]["lang"] == answer["language"]["lang"] == "bn"
    best = answer["found"][0]
    assert best["id"] == "cats-cheetah.bn" and best["lexical"]["rank"] == best["rank"] == 1
    text = f"{best['title']}\n{best['text']}"
    spans = [span for term in best["terms"] for span in term["spans"]]
    assert spans and all(0 <= left < right <= len(text) for left, right in spans)
    assert len({found["lang"] for found in answer["found"]}) >= 4
    thai = client.predict(query=question, langs=["th"], engine="dense", api_name="/search")
    assert {found["lang"] for found in thai["found"]} == {"th"}
    grade = {"event": "a-first-grade", "collection": "sample", "query": question, "passage": best["id"], "grade": 3}
    with pytest.raises(HTTPError, match="401"):
        post(f"{address}/mdr/grade", grade)  # who has not opened the page is nobody
    visitor = build_opener(HTTPCookieProcessor())
    visitor.open(f"{address}/", timeout=60).close()
    assert post(f"{address}/mdr/grade", grade, visitor.open) == {"event": "a-first-grade", "grade": 3}


@pytest.mark.slow
def test_programs_find_tools_that_read(address: str) -> None:
    with urlopen(f"{address}/gradio_api/mcp/schema", timeout=60) as reply:
        tools = {tool["name"]: tool for tool in json.load(reply)}
    assert {"search", "compare", "evaluate", "campaigns"} <= set(tools)
    assert tools["search"]["inputSchema"]["required"] == ["query"]
    assert all(tool["description"] for tool in tools.values())
