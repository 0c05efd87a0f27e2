"""What pages say of how judgements are kept: on a disk that does not last, and when snapshots or copies fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from judgement_stores import event
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from mdr.core.permissions import Person
from mdr.errors import StorageError
from mdr.services.hub.copies import HubCopies
from mdr.services.judging import snapshots
from mdr.settings import ROOT
from mdr.storage.files import write_json
from mdr.ui.judge import routes as judging_routes
from mdr.ui.judge.routes import JudgingRoutes
from mdr.ui.parts.render import Renderer
from mdr.ui.search import answers
from mdr.ui.search.answers import Answers
from mdr.workbench import SAMPLE
from tests.browser.stub import StubWorkbench

LOST, COPIED = "what is judged here is lost", "Judgements are copied to a data set"


@pytest.fixture
def workbench(tmp_path: Path) -> Iterator[StubWorkbench]:
    workbench = StubWorkbench(tmp_path)
    yield workbench
    workbench.judging.store.close()


@pytest.mark.parametrize(
    ("space", "lasts", "repo", "said"),
    [
        ("", False, "", ""),  # a container of one's own: whoever runs it knows
        ("ann/demo", True, "", ""),
        ("ann/demo", False, "", LOST),
        ("ann/demo", False, "ann/judgements", COPIED),
    ],
)
def test_the_start_page_says_when_the_disk_does_not_last(
    workbench: StubWorkbench, monkeypatch: pytest.MonkeyPatch, space: str, lasts: bool, repo: str, said: str
) -> None:
    monkeypatch.setattr(answers, "outlives_container", lambda path: lasts)
    workbench.settings.space_id, workbench.settings.snapshot_repo = space, repo
    page = Answers(workbench, SAMPLE, Renderer(ROOT / "assets")).welcome()
    assert [each for each in (LOST, COPIED) if each in page] == ([said] if said else [])
    assert page.count('role="note"') == bool(said)


def campaigns(workbench: StubWorkbench, monkeypatch: pytest.MonkeyPatch, role: str) -> str:
    def always(request: Request) -> Person:
        return Person("somebody", role)  # type: ignore[arg-type]

    monkeypatch.setattr(judging_routes, "known", always)
    routes = JudgingRoutes(workbench, SAMPLE, Renderer(ROOT / "assets")).routes()
    return TestClient(Starlette(routes=routes)).get("/mdr/judge/campaigns").text


def test_leads_see_that_judgements_are_not_kept_elsewhere(
    workbench: StubWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise StorageError("<b>No space left", "free some")

    workbench.judging.store.append(event("a"))
    assert "last snapshot" not in campaigns(workbench, monkeypatch, "lead")
    monkeypatch.setattr(snapshots, "write_snapshot", full)
    with pytest.raises(StorageError):
        workbench.snapshots.take()
    copies = workbench.snapshots.copies = HubCopies("ann/judgements", "here", workbench.settings.home / "copies.json")
    trouble = {"repo": "ann/judgements", "problem": "the token may not write", "remedy": "use another"}
    write_json(workbench.settings.home / "copies.json", trouble)
    assert copies.last.problem
    told = campaigns(workbench, monkeypatch, "lead")
    assert "&lt;b&gt;No space left" in told and "the token may not write" in told
    for role in ("visitor", "judge"):
        assert "last snapshot" not in campaigns(workbench, monkeypatch, role)
