"""The routes that explain one passage: pieces of HTML, and refusals that say why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mdr.settings import ROOT
from mdr.ui.door.visitors import VISITOR, visitor
from mdr.ui.parts.render import Renderer
from mdr.ui.search.explaining import Explaining, parts
from mdr.workbench import SAMPLE
from tests.browser.stub import HOSTILE, StubWorkbench

CHEETAH = {"query": "Which cat chirps like a bird?", "passage": "cats-cheetah.en"}


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubWorkbench]:
    workbench = StubWorkbench(tmp_path_factory.mktemp("explaining"))
    yield workbench
    workbench.judging.store.close()


@pytest.fixture
def client(workbench: StubWorkbench) -> TestClient:
    app = Starlette(routes=Explaining(workbench, SAMPLE, Renderer(ROOT / "assets")).routes())
    return TestClient(app, cookies={VISITOR: uuid4().hex})


def test_linked_words_have_the_same_number_on_both_sides(client: TestClient) -> None:
    html = client.get("/mdr/why", params=CHEETAH).text
    assert 'data-link="1"' in html.partition('class="passage"')[0] and 'data-link="1"' in html.partition("passage")[2]
    assert "chirps" in html and "the same word" in html


def test_no_space_is_added_to_a_passage(client: TestClient, workbench: StubWorkbench) -> None:
    """Japanese and Thai have none between words, and each would be seen."""
    for id in ("cats-cheetah.ja", "cats-cheetah.th"):
        passage = workbench.searcher().collection.passage(id)
        html = client.get("/mdr/why", params={"query": passage.text[:60], "passage": id}).text
        assert html.count('class="linked"') > 2
        said = html.rpartition('<p class="passage" ')[2].partition(">")[2].partition("</p>")[0]
        assert unescape(re.sub("<[^>]+>", "", said)) == passage.text


@pytest.mark.parametrize("passage", HOSTILE, ids=lambda passage: passage.id[:4])
@pytest.mark.parametrize("route", ["why", "reading", "example", "likelihood"])
def test_hostile_texts_become_no_markup(client: TestClient, route: str, passage: tuple[str, ...]) -> None:
    query = "zebra <script>alert(1)</script> \" onclick=alert(2) {{7*7}} ${alert(3)} \u202e"
    reply = client.get(f"/mdr/{route}", params={"query": query, "passage": passage[0], "lang": "en"})
    assert reply.status_code == 200
    for harm in ("<script", "<img", "<iframe", "<b id", "onclick=alert(2) {{7*7}} ${alert(3)}\"", "\u202e", "\x07"):
        assert harm not in reply.text
    assert len(reply.text) < 100_000


@pytest.mark.parametrize(
    ("route", "params", "status"),
    [
        ("why", CHEETAH | {"passage": "nowhere"}, 404),
        ("why", CHEETAH | {"query": ""}, 422),
        ("why", CHEETAH | {"query": "x" * 5_000}, 422),
        ("why", {}, 422),
        ("reading", CHEETAH | {"lang": "zz"}, 404),
        ("reading", CHEETAH | {"lang": "de"}, 404),
        ("reading", CHEETAH, 404),
        ("likelihood", {"query": "x"}, 404),
        ("example", {"passage": "cats-cheetah.en"}, 422),
    ],
)
def test_what_cannot_be_explained_is_said(client: TestClient, route: str, params: dict[str, str], status: int) -> None:
    reply = client.get(f"/mdr/{route}", params=params)
    assert reply.status_code == status and reply.json()["problem"] and reply.json()["remedy"]


def test_another_language_is_the_same_passage_or_said_to_be_another(client: TestClient) -> None:
    same = client.get("/mdr/reading", params=CHEETAH | {"lang": "fi"}).text
    assert "the same passage in Finnish" in same and "cats-cheetah.fi" in same
    near = client.get("/mdr/reading", params=CHEETAH | {"passage": "h3", "lang": "fi"}).text
    assert "the nearest passage in Finnish" in near and "not a translation" in near


def test_without_a_generator_or_grades_nothing_is_said(
    workbench: StubWorkbench, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbench, "_generator_if_any", lambda: None)
    for route in ("likelihood", "example"):
        reply = client.get(f"/mdr/{route}", params=CHEETAH)
        assert (reply.status_code, reply.text) == (200, "")


def test_the_shipped_generator_says_how_likely_it_would_ask_this(client: TestClient) -> None:
    html = client.get("/mdr/likelihood", params=CHEETAH).text
    assert "would ask this question" in html and "other passages in English" in html


def test_an_example_is_what_this_visitor_judged(workbench: StubWorkbench, client: TestClient) -> None:
    searcher = workbench.searcher()
    query, _ = searcher.recognise("Which cat <b>chirps</b>?")
    me = visitor(client.cookies).name
    workbench.judging.grade(me, SAMPLE, query, searcher.collection.passage("cats-cheetah.en"), 2)
    html = client.get("/mdr/example", params=CHEETAH).text
    assert "&lt;b&gt;chirps&lt;/b&gt;" in html and "2, answers partly" in html
    assert client.get("/mdr/example", params=CHEETAH, cookies={VISITOR: uuid4().hex}).text == ""


SPANS = st.lists(st.integers(0, 40), max_size=12, unique=True).map(sorted)


@given(st.text(max_size=40), SPANS)
def test_parts_cut_without_loss(text: str, places: list[int]) -> None:
    inside = [place for place in places if place <= len(text)]
    spans = {span: at for at, span in enumerate(zip(inside[::2], inside[1::2], strict=False), 1)}
    cut = parts(text, spans)
    assert "".join(part.text for part in cut) == text
    assert [part.link for part in cut if part.link] == list(spans.values())
