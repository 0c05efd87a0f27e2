"""The command line, in this process where it can be and in one of its own where it must be."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from mdr.cli import app
from mdr.cli.output import Report, plain, size, table, visible, write
from mdr.errors import InputError
from mdr.pipeline import recipe_from_file
from mdr.services.judging import JudgingService
from mdr.settings import ROOT, Settings
from mdr.stages import STAGES
from mdr.storage.artefacts import ArtefactStore
from mdr.storage.judgements import JudgementStore
from mdr.types import Passage, Query

Mdr = Callable[..., Any]


@pytest.fixture
def mdr(settings: Settings) -> Mdr:
    """Run a command; gives its result, with `json` where that was asked for."""
    environment = environment_of(settings)

    def run(*arguments: str) -> Any:
        result: Any = CliRunner().invoke(app, arguments, env=environment)
        if "--json" in arguments:
            result.json = json.loads(result.stdout)
            assert result.stdout.count("\n") == 1
        return result

    return run


def environment_of(settings: Settings) -> dict[str, str]:
    paths = {"MDR_HOME": settings.home, "MDR_SAMPLE": settings.sample, "MDR_ENCODER": settings.encoder}
    return {key: str(value) for key, value in paths.items()}


def process(settings: Settings, *arguments: str, **changes: str) -> subprocess.Popen[bytes]:
    """The same in a process of its own."""
    environment = {**os.environ, **environment_of(settings), "PYTHONPATH": str(ROOT), **changes}
    return subprocess.Popen(
        [sys.executable, "-m", "mdr", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )


# -- from files to answers ----------------------------------------------------------------------------------


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


# -- judgements ---------------------------------------------------------------------------------------------


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


# -- looking after the store --------------------------------------------------------------------------------


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


# -- errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("index", "none"), "no run or collection named 'none'"),
        (("status", "../etc"), "cannot be a name"),
        (("import", "nonsense", "."), "there is no format 'nonsense'"),
        (("import", "folder", "missing"), "missing"),
        (("import", "folder", ".", "--columns", "id"), "--columns 'id'"),
        (("run", "missing.toml"), "missing.toml"),
        (("search", "x", "--collection", "none"), "'none'"),
        (("export", "collection", "none", "folder", "x"), "'none'"),
        (("export", "evaluation", "none", "x"), "'none'"),
    ],
)
def test_a_problem_is_two_lines_and_code_1(mdr: Mdr, arguments: tuple[str, ...], told: str) -> None:
    result = mdr(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    problem, remedy = result.stderr.splitlines()
    assert problem.startswith("error: ")
    assert told in problem
    assert remedy.startswith("  try: ")
    error = mdr(*arguments, "--json").json["error"]
    assert told in error["problem"]
    assert error["remedy"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("",), "nothing to search for"),
        (("\x00\x1b[",), "nothing to search for"),
        (("\udcff",), "nothing to search for"),
        (("x" * 100_000,), "100,000 characters"),
        (("x", "-k", "0"), "0 results were asked for"),
        (("x", "-k", "999999999999"), "999999999999 results"),
        (("x", "--engine", "magic"), "no engine 'magic'"),
        (("x", "--lang", "zz"), "language 'zz' is not known"),
        (("x", "--lang", "ru"), "no passages in ru"),
    ],
)
def test_a_hostile_search_is_told_what_is_wrong(mdr: Mdr, options: tuple[str, ...], told: str) -> None:
    result = mdr("search", *options, "--json")
    assert result.exit_code == 1
    assert told in result.json["error"]["problem"]


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("search",), ("search", "x", "--k", "many"), ("search", "x", "--quota", "-1"), ("gc", "x")],
)
def test_wrong_usage_is_code_2(mdr: Mdr, arguments: tuple[str, ...]) -> None:
    result = mdr(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_debug_shows_where_it_happened(mdr: Mdr) -> None:
    assert "Traceback" in mdr("index", "none", "--debug").stderr
    assert "Traceback" not in mdr("index", "none").stderr


def test_what_nobody_foresaw_is_still_told_in_two_lines(mdr: Mdr, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("mdr.storage.names.RunNames.names", fail)
    result = mdr("status")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: ZeroDivisionError: oops",
        "  try: run it again with --debug and report what it shows",
    ]


def test_a_home_that_cannot_be_is_told(mdr: Mdr, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = mdr("import", "folder", str(tiny), "--home", str(tmp_path / "file"))
    assert result.exit_code == 1
    assert str(tmp_path / "file") in result.stderr
    assert "Not a directory" in result.stderr
    assert len(result.stderr.splitlines()) == 2


def test_a_wrong_setting_is_named(mdr: Mdr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MDR_PORT", "many")
    result = mdr("status")
    assert result.exit_code == 1
    assert "MDR_PORT is 'many'" in result.stderr


def test_every_command_has_the_common_options(mdr: Mdr) -> None:
    words = [
        *(("import",), ("index",), ("search",), ("evaluate",), ("run",), ("plan",), ("status",), ("verify",), ("gc",)),
        *(("demo",), ("doctor",), ("export", "collection"), ("export", "evaluation"), ("export", "judgements")),
    ]
    for command in words:
        help = mdr(*command, "--help")
        assert help.exit_code == 0
        assert all(option in help.stdout for option in ("--json", "--debug", "--home"))


# -- how it is shown ----------------------------------------------------------------------------------------


def test_plain_values() -> None:
    import numpy as np

    values = {1: float("nan"), "a": (np.float32(0.5), np.int64(3)), "q": Query("i", "fi", "t"), "p": Path("x")}
    assert plain(values) == {
        "1": None,
        "a": [0.5, 3],
        "q": {"id": "i", "lang": "fi", "text": "t"},
        "p": "x",
    }
    assert plain(True) is True
    with pytest.raises(TypeError):
        plain(object())


def test_text_that_would_steer_the_terminal_is_shown_harmless() -> None:
    assert visible("a\x1b[31mb\u202ec\nd\u200d") == "a [31mb c d\u200d"
    sizes = {0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_500_000: "1.5 MB", 10**13: "10.0 TB"}
    assert {count: size(count) for count in sizes} == sizes


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_everything_can_be_written_on_every_stream(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """JSON that is still JSON, and tables whose missing characters are escaped."""
    said = "ไทย é \udcff \U0001f600"
    shown: list[str] = []
    for as_json in (True, False):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        write(Report({"text": said}, [table([(said, 1)], "text", "count"), said]), as_json)
        shown.append(stream.buffer.getvalue().decode(encoding))  # type: ignore[attr-defined]
    assert json.loads(shown[0]) == {"text": said}
    assert ("ไทย" in shown[0]) == ("ไทย" in shown[1]) == (encoding == "utf-8")
    assert ("\\u0e44" in shown[1]) == (encoding != "utf-8")


@pytest.mark.slow
def test_a_search_survives_a_terminal_without_unicode(settings: Settings) -> None:
    out, errors = process(settings, "search", "แม่น้ำไนล์", "-k", "1", PYTHONIOENCODING="ascii").communicate()
    assert b"1. [th]" in out, errors
    assert b"Traceback" not in errors
    assert out.isascii()


def test_a_reader_that_goes_away_is_no_error(settings: Settings) -> None:
    command = process(settings, "status", "--json")
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()
    errors = command.stderr.read()
    command.stderr.close()
    assert command.wait(60) == 141
    assert errors == b""


def test_ctrl_c_says_that_it_can_go_on(settings: Settings, tmp_path: Path) -> None:
    """Stopped in the middle of an import that would take a while, then carried out."""
    big = tmp_path / "big"
    big.mkdir()
    lines = (json.dumps({"id": f"p{n}", "lang": "en", "title": "", "text": f"number {n}"}) for n in range(60_000))
    (big / "corpus.jsonl").write_text("\n".join(lines))
    command = process(settings, "import", "folder", str(big), "--json")
    drafts = settings.store / "collection"
    while command.poll() is None and not list(drafts.glob(".*.building/passages.arrow")):
        time.sleep(0.02)
    command.send_signal(signal.SIGINT)
    out, errors = command.communicate(timeout=60)
    assert command.returncode == 130
    assert out == b""
    assert errors.decode().splitlines()[-1].startswith("stopped. What is finished is kept")
    assert [folder for folder in drafts.iterdir() if not folder.name.startswith(".")] == []


def test_progress_is_plain_lines_without_a_terminal_and_off_stdout(settings: Settings, tiny: Path) -> None:
    out, errors = process(settings, "import", "folder", str(tiny), "--json").communicate()
    assert json.loads(out)["name"]
    lines = errors.decode().splitlines()
    assert lines[0].startswith("… collection: collection/")
    assert "\x1b" not in errors.decode()


def test_errors_end_with_their_step() -> None:
    from mdr.cli.desk import _told

    error = InputError("bad", "mend it")
    error.add_note("in step 'a' (stage b)")
    assert _told(error) == ("bad (in step 'a' (stage b))", "mend it")
