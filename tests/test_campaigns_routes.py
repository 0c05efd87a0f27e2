"""The routes of the page "Judge": what they hand out, keep and refuse, and that nothing sent to them breaks them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from mdr.core.campaigns import Campaign, Rules
from mdr.core.permissions import Person
from mdr.errors import StorageError
from mdr.services.campaigns.service import Plan
from mdr.settings import ROOT
from mdr.ui.door.visitors import VISITOR
from mdr.ui.judge import routes as judging_routes
from mdr.ui.judge.routes import JudgingRoutes
from mdr.ui.parts.render import Renderer
from mdr.workbench import SAMPLE
from tests.browser.stub import HOSTILE, StubWorkbench

CHIEF = Person("chief", "lead")
LANGS = ["ar", "bn", "en", "fi", "id", "ja", "ko", "ru", "sw", "te", "th", "zh"]


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubWorkbench]:
    workbench = StubWorkbench(tmp_path_factory.mktemp("judging"))
    yield workbench
    workbench.judging.store.close()


@pytest.fixture
def client(workbench: StubWorkbench) -> TestClient:
    """A newcomer with a cookie."""
    return visitor(workbench, "1" * 32)


def visitor(workbench: StubWorkbench, token: str) -> TestClient:
    routes = JudgingRoutes(workbench, SAMPLE, Renderer(ROOT / "assets")).routes()
    client = TestClient(Starlette(routes=routes))
    client.cookies.set(VISITOR, token)
    return client


def signed_in(workbench: StubWorkbench, monkeypatch: pytest.MonkeyPatch, person: Person) -> TestClient:
    def always(request: Request) -> Person:
        return person

    monkeypatch.setattr(judging_routes, "known", always)
    return visitor(workbench, "2" * 32)


def key(client: TestClient, campaign: str = "open") -> str:
    return str(client.get("/mdr/judge/campaign", params={"campaign": campaign, "conflicts": 1}).json()["judge"])


def wanted(client: TestClient, campaign: str = "open", **more: Any) -> dict[str, Any]:
    return {"campaign": campaign, "judge": key(client), "tab": "tab1", "langs": LANGS, **more}


def said(client: TestClient, item: int, **more: Any) -> dict[str, Any]:
    event = {"event": f"event-{item}-{len(more)}", "action": "grade", "grade": 1, "item": item}
    return wanted(client, count=1, **(event | more))


def test_from_the_list_to_a_grade_on_disk_and_the_next_item(workbench: StubWorkbench, client: TestClient) -> None:
    page = client.get("/mdr/judge/campaigns")
    assert "Open pool" in page.text and key(client) in page.text
    desk = client.get("/mdr/judge/campaign", params={"campaign": "open"}).json()
    assert desk["grades"] == [0, 1, 2, 3] and len(desk["langs"]) == 12 and "How well do you read" in desk["html"]
    answer = client.post("/mdr/judge/next", json=wanted(client, count=6)).json()
    items = [item["item"] for item in answer["items"]]
    assert len(items) == 6 and answer["own"]["left"] > 100
    assert "Question in" in answer["items"][0]["html"] and answer["items"][0]["about"].startswith("Question in ")
    reply = client.post("/mdr/judge/say", json=said(client, items[0], have=items, seconds=3.5, ability="partial"))
    assert reply.status_code == 200 and reply.json()["items"][0]["item"] not in items
    stored = workbench.judging.store.history(SAMPLE)[-1]
    assert (stored.grade, stored.seconds, stored.ability, stored.campaign) == (1, 3.5, "partial", "open")
    back = client.post("/mdr/judge/say", json=said(client, 0, event="undo-it-again", action="undo", grade=None))
    assert back.json()["back"]["item"] == items[0]
    progress = client.get("/mdr/judge/progress", params={"campaign": "open"})
    assert "By language" in progress.text and "By person" not in progress.text


def test_a_retry_counts_once(workbench: StubWorkbench, client: TestClient) -> None:
    before = workbench.judging.store.count()
    for _ in range(3):
        assert client.post("/mdr/judge/say", json=said(client, 3, event="said-thrice")).status_code == 200
    assert workbench.judging.store.count() == before + 1
    other = client.post("/mdr/judge/say", json=said(client, 3, event="said-thrice", grade=2))
    assert other.status_code == 422 and "another judgement" in other.json()["problem"]


def test_two_visitors_do_not_mix(workbench: StubWorkbench, client: TestClient) -> None:
    other = visitor(workbench, "f" * 32)
    mine, theirs = (
        {item["item"] for item in who.post("/mdr/judge/next", json=wanted(who, count=5)).json()["items"]}
        for who in (client, other)
    )
    pool = workbench.campaigns.get("open", SAMPLE)
    assert len(mine) == len(theirs) == 5
    assert all(pool.items[item].judges == 2 for item in mine & theirs)
    before = workbench.judging.store.count()
    stolen = said(client, 5, event="left-by-another") | {"judge": key(other)}
    reply = client.post("/mdr/judge/say", json=stolen)
    assert reply.status_code == 401 and workbench.judging.store.count() == before


def test_who_sends_no_cookie_is_told(client: TestClient) -> None:
    client.cookies.clear()
    for path in ("campaigns", "campaign?campaign=open", "progress?campaign=open", "conflicts?campaign=open"):
        reply = client.get(f"/mdr/judge/{path}")
        assert reply.status_code == 401 and "cookie" in reply.json()["problem"]


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"campaign": "nowhere"}, 404, "nowhere"),
        ({"campaign": "../../etc/passwd"}, 404, "no campaign"),
        ({"item": 10**6}, 404, "no item"),
        ({"item": -1}, 422, "item"),
        ({"item": None}, 422, "without an item"),
        ({"grade": 4}, 422, "grade"),
        ({"grade": "2"}, 422, "grade"),
        ({"grade": None}, 422, "needs a grade"),
        ({"action": "withdraw"}, 422, "action"),
        ({"action": "adjudicate"}, 403, "decide where judges disagree"),
        ({"action": "cannot-judge", "grade": None}, 422, "needs a note"),
        ({"action": "skip"}, 422, "no grade"),
        ({"event": "x"}, 422, "event"),
        ({"tab": "A B"}, 422, "tab"),
        ({"langs": ["x" * 11]}, 422, "langs"),
        ({"langs": ["en"] * 65}, 422, "langs"),
        ({"count": 11}, 422, "count"),
        ({"seconds": -1.0}, 422, "seconds"),
        ({"note": "x" * 4_001}, 422, "note"),
        ({"action": "undo", "undoes": "' or 1=1"}, 422, "undoes"),
        ({"annotator": "somebody else"}, 422, "annotator"),
    ],
)
def test_refusals_say_what_and_what_instead(
    workbench: StubWorkbench, client: TestClient, change: dict[str, Any], status: int, says: str
) -> None:
    before = workbench.judging.store.count()
    reply = client.post("/mdr/judge/say", json=said(client, 7, event="to-be-refused") | change)
    assert reply.status_code == status, reply.text
    assert says in reply.json()["problem"] and reply.json()["remedy"]
    assert workbench.judging.store.count() == before


@pytest.mark.parametrize("path", ["/mdr/judge/next", "/mdr/judge/say"])
def test_only_this_site_may_post(client: TestClient, path: str) -> None:
    sent = said(client, 9) if path.endswith("say") else wanted(client)
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert client.post(path, json=sent, headers=headers).status_code == 403
    assert client.post(path, content=json.dumps(sent), headers={"content-type": "text/plain"}).status_code == 415
    assert client.get(path).status_code == 405


def hostile_campaign(workbench: StubWorkbench, **more: Any) -> Campaign:
    query = workbench.searcher().collection.queries()[0].id
    plan = Plan(
        "<script>alert(1)</script>{{7*7}}${alert(2)}",
        SAMPLE,
        guidelines="<img src=x onerror=alert(3)> [x](javascript:alert(4)) ![p](https://e.org/p.png) **bold** {{x}}",
        scale={0: "<b>no</b>", 3: "y\"' onclick=alert(5) x="},
        rules=Rules(overlap=1.0, repeats=0),
    )
    return workbench.campaigns.make(CHIEF, replace(plan, **more), listed=[(query, it.id) for it in HOSTILE])


def test_hostile_names_guidelines_scales_and_passages_are_text(
    workbench: StubWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hostile_campaign(workbench)
    client = signed_in(workbench, monkeypatch, Person("<i>ann</i>", "lead"))
    client.post("/mdr/judge/say", json=said(client, 0, campaign=made.id, grade=3))
    workbench.judging_queue.say(Person("bob", "judge"), made, 0, "grade", grade=0)
    texts = [client.get("/mdr/judge/campaigns").text]
    texts.append(client.get("/mdr/judge/campaign", params={"campaign": made.id}).json()["html"])
    texts.append(client.get("/mdr/judge/progress", params={"campaign": made.id}).text)
    answer = client.post("/mdr/judge/next", json=wanted(client, made.id, count=9)).json()
    conflicts = client.get("/mdr/judge/conflicts", params={"campaign": made.id}).json()
    assert conflicts["left"] == 1 and len(answer["items"]) == len(HOSTILE) - 1
    texts += [item["html"] for item in (*answer["items"], *conflicts["items"])]
    whole = "".join(texts)
    for tag in ("<script", "<img", "<iframe", "<i>", "<b>no", 'javascript:alert(4)"', "\u202e", "\x07"):
        assert tag not in whole, tag
    assert "<strong>bold</strong>" in whole and "&lt;script&gt;alert(1)" in whole and "{{7*7}}" in whole


def test_a_named_campaign_is_for_its_judges(workbench: StubWorkbench, client: TestClient) -> None:
    made = hostile_campaign(workbench, name="Named", annotators=("ann",))
    assert client.get("/mdr/judge/campaign", params={"campaign": made.id}).status_code == 403
    for sent in (wanted(client, made.id), said(client, 0, campaign=made.id)):
        path = "say" if "event" in sent else "next"
        assert client.post(f"/mdr/judge/{path}", json=sent).status_code == 403
    assert client.get("/mdr/judge/conflicts", params={"campaign": made.id}).status_code == 403
    assert "sign in" in client.get("/mdr/judge/campaigns").text


def test_a_full_disk_is_told(workbench: StubWorkbench, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("the judgement was not saved: no space left", "free some disk space")

    monkeypatch.setattr(workbench.judging.store, "append", full)
    reply = client.post("/mdr/judge/say", json=said(client, 11, event="disk-is-full"))
    assert reply.status_code == 503 and "disk space" in reply.json()["remedy"]
    assert not workbench.campaigns.desk(workbench.campaigns.get("open", SAMPLE)).grades(11)


HARD_TEXT = st.text() | st.text(st.sampled_from("a\x00\ud800\udfff\u202e\n'\"%"), min_size=1)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | HARD_TEXT,
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["campaign", "tab", "langs", "have", "count", "event", "action", "item", "note", "undoes", "ability"]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=3))
def test_no_value_breaks_it(client: TestClient, change: dict[str, Any]) -> None:
    sent = json.dumps(said(client, 13, event="from-a-fuzzer") | change)
    reply = client.post("/mdr/judge/say", content=sent, headers={"content-type": "application/json"})
    assert reply.status_code < 500


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(campaign=HARD_TEXT.filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text)))
def test_no_address_breaks_it(client: TestClient, campaign: str) -> None:
    for path in ("campaign", "progress", "conflicts"):
        assert client.get(f"/mdr/judge/{path}", params={"campaign": campaign}).status_code < 500
