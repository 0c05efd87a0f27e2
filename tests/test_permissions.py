"""Who may do what: every action as every role, asked of the services, of the routes, and by the command line's way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from mdr.core.permissions import (
    MACHINE,
    NEEDED,
    NOBODY,
    ROLES,
    Permission,
    Person,
    PersonRole,
    allows,
    reaches,
    require,
)
from mdr.errors import MdrError, NotAllowedError
from mdr.services.campaigns.service import Plan
from mdr.services.exports import export_judgements
from mdr.settings import ROOT
from mdr.types import Passage, Query
from mdr.ui.evaluate.routes import EvaluationRoutes
from mdr.ui.judge.routes import JudgingRoutes
from mdr.ui.parts.render import Renderer
from mdr.ui.runs.routes import RunsRoutes
from mdr.ui.search.grading import Routes
from mdr.workbench import SAMPLE
from tests.browser.stub import StubWorkbench
from tests.door import PASSWORD, cheap_hashes, client_of, guarded  # noqa: F401

QUERY, PASSAGE = Query("", "en", "zebra"), Passage("h3", "ar", "", "zebra")


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubWorkbench]:
    workbench = StubWorkbench(tmp_path_factory.mktemp("permissions"))
    workbench.settings.runs = "admin"
    workbench.accounts.add(MACHINE, "somebody", "judge", PASSWORD)
    yield workbench
    workbench.judging.store.close()


Call = Callable[[StubWorkbench, Person, Path], Any]


def grade(workbench: StubWorkbench, person: Person, _: Path, **how: Any) -> Any:
    return workbench.judging.acting(person).grade(person.name, SAMPLE, QUERY, PASSAGE, 2, **how)


def adjudicate(workbench: StubWorkbench, person: Person, _: Path) -> Any:
    return workbench.judging.acting(person).record("adjudicate", person.name, SAMPLE, QUERY, PASSAGE, grade=1)


def import_qrels(workbench: StubWorkbench, person: Person, _: Path) -> Any:
    collection = workbench.searcher().collection
    return workbench.judging.acting(person).import_qrels("nist", SAMPLE, collection, {"q": {"h3": 1}})


def export(workbench: StubWorkbench, person: Person, folder: Path) -> Any:
    workbench.judging.grade("somebody", SAMPLE, QUERY, PASSAGE, 1)
    return export_judgements(workbench.judging.acting(person), SAMPLE, folder / f"{uuid4().hex}.csv")


def undo(workbench: StubWorkbench, person: Person, _: Path, campaign: str = "") -> Any:
    return workbench.judging.acting(person).undo(person.name, SAMPLE, campaign=campaign)


def small(name: str) -> Plan:
    return Plan(name, SAMPLE, langs=("en",), depth=2, questions=1)


def close_campaign(workbench: StubWorkbench, person: Person, _: Path) -> Any:
    return workbench.campaigns.set_open(person, "no-such-campaign", False)


def conflicts(workbench: StubWorkbench, person: Person, _: Path) -> Any:
    return workbench.judging_queue.conflicts(person, workbench.campaigns.get("open", SAMPLE))


CALLS: list[tuple[str, Permission, Call]] = [
    ("grade in the open", "grade", grade),
    ("undo in the open", "grade", undo),
    ("grade in a campaign", "judge", lambda *it: grade(*it, campaign="named")),
    ("undo in a campaign", "judge", lambda *it: undo(*it, campaign="named")),
    ("adjudicate", "adjudicate", adjudicate),
    ("list conflicts", "adjudicate", conflicts),
    ("make a campaign", "campaigns", lambda bench, who, _: bench.campaigns.make(who, small("of " + who.name))),
    ("close a campaign", "campaigns", close_campaign),
    ("see others' grades", "see-others", lambda bench, who, _: bench.judging.acting(who).grades("x", SAMPLE, QUERY)),
    ("see agreement", "see-others", lambda bench, who, _: bench.agreement.agreement(SAMPLE, person=who)),
    ("see another judge", "see-others", lambda bench, who, _: bench.agreement.judge(SAMPLE, "x", person=who)),
    ("import qrels", "import", import_qrels),
    ("export judgements", "export", export),
    ("invite", "invite", lambda bench, who, _: bench.accounts.invite(who, "judge")),
    ("list accounts", "accounts", lambda bench, who, _: bench.accounts.everyone(who)),
    ("add an account", "accounts", lambda bench, who, _: bench.accounts.add(who, uuid4().hex, "judge", PASSWORD)),
    ("change a role", "accounts", lambda bench, who, _: bench.accounts.set_role(who, "somebody", "judge")),
    ("change a password", "accounts", lambda bench, who, _: bench.accounts.set_password(who, "somebody", PASSWORD)),
    ("close an account", "accounts", lambda bench, who, _: bench.accounts.close(who, "nobody")),
    ("start an evaluation", "run", lambda bench, who, _: bench.evaluation_job().start(who)),
    ("start a run", "run", lambda bench, who, _: bench.runs.start(who, "no-such-recipe")),
    ("stop a run", "run", lambda bench, who, _: bench.runs.stop(who, "no-such-job")),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("permission", "call"), [pytest.param(*row[1:], id=row[0]) for row in CALLS])
def test_services_do_what_the_table_says(
    workbench: StubWorkbench, tmp_path: Path, role: PersonRole, permission: Permission, call: Call
) -> None:
    person = Person(f"the {role}", role)
    if allows(person, permission):
        try:
            call(workbench, person, tmp_path)
        except NotAllowedError:
            raise
        except MdrError:
            pass  # there is no such campaign, recipe, account: but it was looked for
    else:
        before = workbench.judging.store.count()
        with pytest.raises(NotAllowedError, match=NEEDED[permission][1]):
            call(workbench, person, tmp_path)
        assert export is call or workbench.judging.store.count() == before


def test_every_permission_is_asked_for_somewhere() -> None:
    assert {permission for _, permission, _ in CALLS} | {"search"} == set(NEEDED)


def test_roles_include_each_other_in_order() -> None:
    for permission, (least, refusal) in NEEDED.items():
        may = [allows(Person("x", role), permission) for role in ROLES]
        assert may == sorted(may) and may[-1] and refusal
        assert may.index(True) == ROLES.index(least)
    assert not reaches("judge", "lead") and reaches("lead", "lead")
    assert NOBODY.role == "visitor"
    with pytest.raises(NotAllowedError) as caught:
        require(NOBODY, "judge")
    assert "sign in" in caught.value.remedy


@pytest.mark.parametrize("role", ROLES)
def test_nobody_judges_as_somebody_else(workbench: StubWorkbench, role: PersonRole) -> None:
    judging = workbench.judging.acting(Person("me", role))
    for name in ("somebody", "visitor-0123456789abcdef", "machine"):
        with pytest.raises(NotAllowedError, match="cannot judge as"):
            judging.grade(name, SAMPLE, QUERY, PASSAGE, 3)
        with pytest.raises(NotAllowedError, match="cannot judge as"):
            judging.undo(name, SAMPLE)


def test_the_judge_alone_sees_their_own(workbench: StubWorkbench) -> None:
    visitor = Person("visitor-0123456789abcdef")
    workbench.judging.acting(visitor).grade(visitor.name, SAMPLE, QUERY, PASSAGE, 3)
    assert workbench.judging.acting(visitor).grades(visitor.name, SAMPLE, QUERY) == {"h3": 3}


# -- by the routes --------------------------------------------------------------------------------------------

GRADE = {"collection": SAMPLE, "query": "zebra", "passage": "h3", "grade": 2}
POSTS: list[tuple[str, Permission, dict[str, Any]]] = [
    ("/mdr/grade", "grade", GRADE),
    ("/mdr/runs/start", "run", {"recipe": "no-such-recipe"}),
    ("/mdr/runs/stop", "run", {"job": "no-such-job"}),
    ("/mdr/evaluate/start", "run", {}),
]


@pytest.fixture(scope="module")
def clients(workbench: StubWorkbench) -> dict[str, TestClient]:
    render = Renderer(ROOT / "assets")
    routes = [*Routes(workbench, SAMPLE, render).routes(), *JudgingRoutes(workbench, SAMPLE, render).routes()]
    routes += EvaluationRoutes(workbench, SAMPLE, render).routes()
    app = guarded(workbench, [*routes, *RunsRoutes(workbench, render).routes()])
    return {role: client_of(app, workbench, role) for role in ROLES}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("path", "permission", "body"), POSTS)
def test_routes_do_what_the_table_says(
    clients: dict[str, TestClient], role: PersonRole, path: str, permission: Permission, body: dict[str, Any]
) -> None:
    reply = clients[role].post(path, json=body | {"event": uuid4().hex})
    assert (reply.status_code == 403) is not allows(Person("", role), permission), reply.text


@pytest.mark.parametrize("role", ROLES)
def test_conflicts_are_for_those_who_decide(clients: dict[str, TestClient], role: PersonRole) -> None:
    reply = clients[role].get("/mdr/judge/conflicts", params={"campaign": "open"})
    assert (reply.status_code == 403) is (role in ("visitor", "judge")), reply.text


def test_a_visitor_cannot_touch_a_named_campaign(workbench: StubWorkbench, clients: dict[str, TestClient]) -> None:
    campaign = workbench.campaigns.make(MACHINE, small("named"))
    before = workbench.judging.store.count()
    for path, extra in [("next", {}), ("say", {"item": 0, "action": "grade", "grade": 1})]:
        body = {"campaign": campaign.id, "event": uuid4().hex, **extra}
        assert 400 <= clients["visitor"].post(f"/mdr/judge/{path}", json=body).status_code < 500
    reply = clients["visitor"].get("/mdr/judge/campaign", params={"campaign": campaign.id})
    assert reply.status_code == 403 and workbench.judging.store.count() == before


def test_a_role_cannot_be_claimed(workbench: StubWorkbench, clients: dict[str, TestClient]) -> None:
    app = clients["visitor"].app
    claims = {"x-user": "admin", "authorization": "Bearer admin", "cookie": "mdr_session=admin; role=admin"}
    for name, claim in claims.items():
        reply = TestClient(app).post("/mdr/runs/stop", json={"job": "x", "event": uuid4().hex}, headers={name: claim})
        assert reply.status_code in (401, 403)


# -- and nowhere else -----------------------------------------------------------------------------------------


def test_no_page_judges_without_saying_for_whom() -> None:
    """`workbench.judging` works for the machine; pages and routes go through `acting`, or a service that asks."""
    careless = re.compile(r"\.judging\.(grade|record|undo|import_qrels|store)\b")
    for file in (ROOT / "mdr" / "ui").glob("*.py"):
        assert not careless.search(file.read_text(encoding="utf-8")), file.name
