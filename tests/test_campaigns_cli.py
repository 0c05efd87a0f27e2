"""`mdr campaign …`: making from options and files, listing, closing, progress, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mdr.cli import app, desk
from mdr.core.permissions import Person
from mdr.workbench import SAMPLE
from tests.browser.stub import StubWorkbench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubWorkbench]:
    bench = StubWorkbench(tmp_path / "home")
    monkeypatch.setattr(desk.Desk, "bench", bench)
    monkeypatch.setattr("mdr.cli.campaigns._prepared", lambda *_: None)
    yield bench
    bench.judging.store.close()


def run(*words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["campaign", *words, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_made_listed_judged_and_closed(bench: StubWorkbench, tmp_path: Path) -> None:
    guidelines = tmp_path / "guide.md"
    guidelines.write_text("**Read** twice", encoding="utf-8")
    options = "--questions 1 --depth 3 --lang en --lang Arabic --order disagreement --budget 5 --overlap 0 --seed 7"
    words = ("--scale", "0=no, 1=yes", "--judge", "ann", "--guidelines", str(guidelines), "--blind")
    made = run("make", "Spring check", *options.split(), *words)
    assert made["drawn"] == 5 < made["pool"] and made["langs"] == ["ar", "en"] and made["open"] and made["blind"]
    campaign = bench.campaigns.get(made["id"])
    assert (campaign.guidelines, campaign.scale, campaign.rules.seed) == ("**Read** twice", {0: "no", 1: "yes"}, 7)
    ann = Person("ann", "judge")
    [offer] = bench.judging_queue.next(ann, campaign, campaign.langs)
    bench.judging_queue.say(ann, campaign, offer.number, "grade", grade=1, seconds=3.0)
    told = run("progress", made["id"])
    assert (told["done"], told["remaining"], told["people"][0]["pace"]) == (1, 4, 3.0)
    run("close", made["id"])
    assert [it["open"] for it in run("list")] == [False]
    run("open", made["id"])
    assert [it["open"] for it in run("list")] == [True]


def test_from_runs_and_from_a_list(bench: StubWorkbench, tmp_path: Path) -> None:
    query = bench.searcher().collection.queries()[0].id
    (tmp_path / "a.run").write_text(f"{query} Q0 h3 1 2.0 a\n{query} Q0 h4 2 1.0 a\n")
    (tmp_path / "b.run").write_text(f"{query} Q0 h4 1 2.0 b\n")
    made = run("make", "Runs", "--run", f"old={tmp_path / 'a.run'}", "--run", f"new={tmp_path / 'b.run'}")
    assert made["runs"] == ["old", "new"] and made["pool"] == 2
    (tmp_path / "pairs.txt").write_text(f"{query}\th3\n\n{query} h4\n")
    assert run("make", "List", "--list", str(tmp_path / "pairs.txt"))["pool"] == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("make", " "), "no name"),
        (("make", "x", "--scale", "yes"), "not a list of grades"),
        (("make", "x", "--scale", "7=more"), "the scale"),
        (("make", "x", "--run", "a.run"), "does not name runs"),
        (("make", "x", "--run", "a=x", "--list", "y"), "not both"),
        (("make", "x", "--lang", "xx"), "'xx'"),
        (("make", "x", "--order", "best"), "no order"),
        (("make", "x", "--overlap", "2"), "overlap"),
        (("make", "x", "--list", "broken.txt"), "broken.txt:2"),
        (("make", "x", "--guidelines", "binary.md"), "not UTF-8"),
        (("progress", "nowhere"), "no campaign"),
        (("close", "../x"), "no campaign"),
        (("close", "open"), "open pool"),
    ],
)
def test_what_makes_no_sense_is_told(
    bench: StubWorkbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.txt").write_text("q p\nonly-one\n")
    (tmp_path / "binary.md").write_bytes(b"\xff\xfe\x00")
    error = run(*words, code=1)["error"]
    assert says in error["problem"] and error["remedy"]
    assert bench.campaigns.all(SAMPLE) == []
