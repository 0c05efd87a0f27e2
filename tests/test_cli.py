"""The command line from files to answers, and what it says of the store and of judgements."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from command_line import Mdr, mdr, process

from mdr.pipeline import recipe_from_file
from mdr.services.judging.service import JudgingService
from mdr.settings import ROOT, Settings
from mdr.stages import STAGES
from mdr.storage.artefacts import ArtefactStore
from mdr.storage.judgements import JudgementStore
from mdr.types import Passage, Query

__all__ = ["mdr"]  # fixtures


# -- from files to answers ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_import_index_search_evaluate_export(mdr: Mdr, tiny: Path, tmp_path: Path) -> None:
    """The whole way, on real engines."""
    found = mdr("import", "folder", str(tiny), "--name", "small", "--json").json
    assert found["counts"]["languages"] == ["en", "fi", "th"]
    assert (found["counts"]["passages"], found["counts"]["queries"], found["counts"]["qrels"]) == (6, 4, 24)

    made = mdr("index", "small", "--json").json
    assert made["steps"]["lexical"]["counts"]["passages"] == made["steps"]["dense"]["counts"]["passages"] == 6

    answer = mdr("search", "Niili virtaa", "--collection", "small", "--engine", "bm25", "--lang", "fi", "--json").json
    assert answer["found"][0]["passage"]["id"] == "nile.fi"
    assert answer["found"][0]["terms"]
    assert {hit["passage"]["lang"] for hit in answer["found"]} == {"fi"}
    shown = mdr("search", "Niili virtaa", "--collection", "small", "-k", "2")
    assert shown.exit_code == 0
    assert "1. [fi] Niili" in shown.stdout
    assert "words #1" in shown.stdout

    measured = mdr("evaluate", "small", "--pool", "all", "--measure", "nDCG@3", "--measure", "MRR@10", "--json").json
    assert measured["systems"] == ["bm25", "dense", "hybrid"]
    table = mdr("evaluate", "small", "--pool", "all", "--measure", "nDCG@3", "--measure", "MRR@10")
    for system in measured["systems"]:
        mean = measured["averages"][system]["nDCG@3"]["macro"]["mean"]
        assert f"{mean:.4f}" in table.stdout
    assert "nothing to do" in table.stderr

    page = tmp_path / "results.md"
    assert mdr("report", "small.evaluation", "--out", str(page)).exit_code == 0
    check_page(page.read_text(encoding="utf-8"), measured, tiny.name)

    mdr("export", "evaluation", "small", str(tmp_path / "runs"))
    check_exported(tmp_path / "runs", measured)
    written = mdr("export", "collection", "small", "folder", str(tmp_path / "copy"), "--json").json
    assert written["files"]
    again = mdr("import", "folder", str(tmp_path / "copy"), "--name", "copy", "--json").json
    assert {**again["counts"]} == {**found["counts"]}

    assert mdr("status", "--json").json.keys() == {"copy", "small", "small.evaluation"}
    assert mdr("verify", "--json").json["problems"] == []
    assert mdr("gc", "--json").json["folders"] == []


def check_page(page: str, measured: dict[str, Any], folder: str) -> None:
    """The page has the commands, the averages and the bias that were measured."""
    assert f"python -m mdr import folder {folder} --name small\n" in page
    assert "mdr evaluate small --pool all --measure nDCG@3 --measure MRR@10 --run-name small.evaluation" in page
    for system in measured["systems"]:
        assert f"| {system} | {measured['averages'][system]['nDCG@3']['languages']['en']['mean']:.3f}" in page
        assert f"| {system} | {measured['bias'][system]['rank_spread']:.1f} |" in page


def check_exported(folder: Path, measured: dict[str, Any]) -> None:
    """Another tool gets our numbers from the exported files."""
    import ir_measures

    qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels.txt")))
    for system in measured["systems"]:
        run = list(ir_measures.read_trec_run(str(folder / f"{system}.run")))
        theirs = ir_measures.calc_aggregate([ir_measures.parse_measure("nDCG@3")], qrels, run)
        assert next(iter(theirs.values())) == pytest.approx(measured["averages"][system]["nDCG@3"]["micro"], abs=1e-6)


def test_the_first_search_prepares_the_sample(mdr: Mdr) -> None:
    first = mdr("search", "coffee", "--json")
    assert first.json["found"][0]["passage"]["id"] == "coffee.en"
    assert "✓ dense: 6 passages" in first.stderr
    second = mdr("search", "coffee", "--json")
    assert second.stderr == ""
    assert second.json["found"] == first.json["found"]


def test_a_recipe_is_planned_run_and_reused(mdr: Mdr, tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    text = (ROOT / "assets" / "recipes" / "sample.toml").read_text(encoding="utf-8")
    path.write_text(text.replace("data/sample", str(tiny)), encoding="utf-8")
    states = [[step["state"] for step in mdr("plan", str(path), "--json").json]]
    made = mdr("run", str(path), "--name", "mine", "--json").json
    states.append([step["state"] for step in mdr("plan", str(path), "--json").json])
    assert states == [["make", "waits", "waits", "waits"], ["reuse"] * 4]
    assert list(made["steps"]) == ["collection", "lexical", "dense", "evaluation"]
    assert list(mdr("status", "mine", "--json").json["mine"]) == sorted(made["steps"])
    assert "is there" in mdr("plan", str(path)).stdout


def test_the_shipped_recipes_are_recipes() -> None:
    files = sorted((ROOT / "assets" / "recipes").glob("*.toml"))
    assert files
    for file in files:
        for step in recipe_from_file(file).steps:
            STAGES[step.stage].settings_type.model_validate(dict(step.settings))


def test_import_says_what_it_found(mdr: Mdr, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    line = '{"id": "p1", "lang": "fi", "title": "", "text": "Niili"}\n'
    (folder / "corpus.jsonl").write_text(line * 2)
    (folder / "queries.jsonl").write_text('{"id": "q1", "lang": "th", "text": "x"}\n')
    (folder / "qrels.tsv").write_text("q1 0 gone 1\n")
    result = mdr("import", "folder", str(folder))
    assert result.exit_code == 0, result.stderr
    assert "collection odd" in result.stdout
    rows = {" ".join(line.split()[:-1]): line.split()[-1] for line in result.stdout.splitlines() if line}
    assert (rows["duplicates"], rows["dangling qrels"], rows["fi 1"], rows["th 0"]) == ("1", "1", "0", "1")
    assert "came twice" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("step", ["collection", "lexical", "dense", "evaluation"])
def test_a_kill_in_any_stage_costs_only_time(
    settings: Settings, tiny: Path, tmp_path: Path, mdr: Mdr, step: str
) -> None:
    """With the real engines: killed in a step, run again, and the result is that of an undisturbed run."""
    path = tmp_path / "tiny.toml"
    text = (ROOT / "assets" / "recipes" / "sample.toml").read_text(encoding="utf-8")
    path.write_text(text.replace("data/sample", str(tiny)), encoding="utf-8")
    for _ in range(2):
        command = process(settings, "run", str(path), "--name", "mine")
        assert command.stderr is not None
        for line in command.stderr:
            if line.decode().startswith(f"… {step}:"):
                break
        command.kill()
        command.communicate()
    made = mdr("run", str(path), "--name", "mine", "--json").json["steps"]
    clean = mdr("run", str(path), "--home", str(tmp_path / "clean"), "--json").json["steps"]
    for name, artefact in made.items():
        assert (artefact["artefact"], artefact["content"]) == (clean[name]["artefact"], clean[name]["content"])
        assert artefact["counts"] == clean[name]["counts"]
    assert mdr("verify", "--json").json["problems"] == []
    assert mdr("gc", "--json").json["folders"] == []


def test_the_demo_is_the_app_with_our_settings(mdr: Mdr, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Settings] = []
    monkeypatch.setitem(sys.modules, "mdr.ui.app", ModuleType("mdr.ui.app"))
    monkeypatch.setattr(sys.modules["mdr.ui.app"], "main", started.append, raising=False)
    monkeypatch.setattr("mdr.ui.app", sys.modules["mdr.ui.app"], raising=False)
    assert mdr("demo").exit_code == 0
    assert [each.home for each in started] == [settings.home]


# -- judgements -----------------------------------------------------------------------------------------------


def test_judgements_are_exported(mdr: Mdr, settings: Settings, tmp_path: Path) -> None:
    store = JudgementStore(settings.judgements)
    judging = JudgingService(store)
    for grade in (1, 3):
        judging.grade("ann", "small", Query("q1", "th", 'แม่น้ำ "a", b\n'), Passage("p1", "fi", "", "Niili"), grade)
    store.close()
    for form in ("qrels", "csv", "jsonl"):
        assert mdr("export", "judgements", "small", str(tmp_path / f"j.{form}"), "--json").json["grades"] == 1
    assert (tmp_path / "j.qrels").read_text() == "q1 0 p1 3\n"
    row = json.loads((tmp_path / "j.jsonl").read_text(encoding="utf-8"))
    assert (row["annotator"], row["grade"], row["query_text"]) == ("ann", 3, 'แม่น้ำ "a", b\n')
    import csv

    with (tmp_path / "j.csv").open(encoding="utf-8", newline="") as stream:
        [other] = csv.DictReader(stream)
    assert other == {key: "" if value is None else str(value) for key, value in row.items()}

    for path, told in (("j.csv", "is there already"), ("j.txt", "does not say its form")):
        assert told in mdr("export", "judgements", "small", str(tmp_path / path)).stderr
    assert "nobody has judged" in mdr("export", "judgements", "other", str(tmp_path / "o.csv")).stderr


def test_no_judgements_yet(mdr: Mdr, settings: Settings, tmp_path: Path) -> None:
    result = mdr("export", "judgements", "small", str(tmp_path / "j.csv"))
    assert (result.exit_code, "nobody has judged" in result.stderr) == (1, True)
    assert not settings.judgements.exists()


# -- looking after the store ----------------------------------------------------------------------------------


def test_verify_and_gc_tell_and_act(mdr: Mdr, tiny: Path, settings: Settings) -> None:
    assert "nothing has been made yet" in mdr("status").stdout
    key = mdr("import", "folder", str(tiny), "--name", "small", "--json").json["artefact"]
    file = settings.store / key / "passages.arrow"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    result = mdr("verify", "--json")
    assert result.exit_code == 1
    [problem] = result.json["problems"]
    assert problem.startswith(f"{key}: passages.arrow changed")
    assert "delete the folder" in mdr("verify").stdout

    (settings.store / "names" / "small.json").unlink()
    assert mdr("gc", "--json").json["deleted"] is False
    assert file.exists()
    assert "add --yes" in mdr("gc").stdout
    assert [each["folder"] for each in mdr("gc", "--yes", "--json").json["folders"]] == [key]
    assert not file.parent.exists()


def test_status_shows_what_is_lost(mdr: Mdr, tiny: Path, settings: Settings) -> None:
    key = mdr("import", "folder", str(tiny), "--name", "small", "--json").json["artefact"]
    (settings.store / key / "manifest.json").unlink()
    assert "problem" in mdr("status", "--json").json["small"]["collection"]
    assert key in mdr("status").stdout


def test_status_shows_what_is_unfinished(mdr: Mdr, tiny: Path, settings: Settings) -> None:
    key = mdr("import", "folder", str(tiny), "--name", "small", "--json").json["artefact"]
    ArtefactStore(settings.store).keep("later", {"collection": key})
    assert mdr("status", "--json").json["later"]["unfinished"]["collection"]["artefact"] == key
    assert "unfinished: collection" in mdr("status", "later").stdout


def test_home_is_where_the_command_says(mdr: Mdr, tiny: Path, tmp_path: Path, settings: Settings) -> None:
    mdr("import", "folder", str(tiny), "--name", "small", "--home", str(tmp_path / "elsewhere"))
    assert (tmp_path / "elsewhere" / "store" / "names" / "small.json").exists()
    assert not settings.home.exists()
