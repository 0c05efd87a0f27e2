"""What the code never does, whoever writes it: unpickle, run code from a model folder, evaluate texts, skip checks."""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mdr.core.permissions import MACHINE
from mdr.errors import MdrError
from mdr.services.exports import export_judgements
from mdr.settings import ROOT, Settings
from mdr.types import Passage, Query
from mdr.workbench import Workbench

FILES = [*sorted((ROOT / "mdr").rglob("*.py")), ROOT / "app.py"]
NEVER_IMPORTED = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml", "telnetlib"}
NEVER_CALLED = {"eval", "exec", "compile", "__import__", "system", "popen", "mktemp", "extractall"}
FORBIDDEN = {"allow_pickle": True, "trust_remote_code": True, "shell": True, "verify": False, "weights_only": False}


def calls(tree: ast.AST) -> Iterator[tuple[str, str, ast.Call]]:
    """Every call, with what it is called on and by what name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                on = node.func.value
                yield (on.id if isinstance(on, ast.Name) else ""), node.func.attr, node
            elif isinstance(node.func, ast.Name):
                yield "builtins", node.func.id, node


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_is_unpickled_evaluated_or_trusted(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not {name.partition(".")[0] for name in names} & NEVER_IMPORTED, ast.dump(node)
    for on, name, call in calls(tree):
        assert not (on in ("builtins", "os", "tempfile") and name in NEVER_CALLED), f"line {call.lineno}: {on}.{name}"
        given = {word.arg: word.value.value for word in call.keywords if isinstance(word.value, ast.Constant)}
        for word, value in FORBIDDEN.items():
            assert word not in given or given[word] is not value, f"line {call.lineno}: {word}={value}"
        if (on, name) == ("torch", "load"):
            assert given.get("weights_only") is True, f"line {call.lineno}: torch.load unpickles"
        if name == "from_pretrained" and on.startswith("Auto"):
            weights = on not in ("AutoTokenizer", "AutoConfig")
            assert not weights or given.get("use_safetensors") is True, f"line {call.lineno}: weights may be pickles"


@pytest.mark.parametrize("file", sorted((ROOT / "assets").rglob("*.html")), ids=lambda file: file.name)
def test_no_template_marks_text_as_safe(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "autoescape" not in text
    assert not re.search(r"""(?<!["'\s])\s*\|\s*safe\b""", text), "only what stands in the template itself is safe"


# -- names that are paths -------------------------------------------------------------------------------------

PATHS = ["../outside", "..", ".", "", "/etc/passwd", "a/../../outside", "..\\outside", "\x00", "a\x00b", "~root"]
PATHS += ["names/../../outside", "%2e%2e%2foutside", "\ud800", "con\n", "\u202eoutside", "a" * 5000]


@pytest.mark.parametrize("name", PATHS, ids=lambda name: ascii(name[:30]))
def test_no_name_leads_out_of_the_home(tmp_path: Path, name: str) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    outside.mkdir()
    for file in (tmp_path / "outside.json", outside / "campaign.json", outside / "manifest.json"):
        file.write_text("{}")
    workbench = Workbench(Settings(home=home))
    for look in (
        lambda: workbench.store.run(name),
        lambda: workbench.artefact(name, "collection"),
        lambda: workbench.artefact("sample", name),
        lambda: workbench.store.get(name),
        lambda: workbench.campaigns.get(name, "sample"),
        lambda: workbench.campaigns.set_open(MACHINE, name, False),
        lambda: workbench.runs.recipe(name),
        lambda: workbench.runs.jobs.stop(name),
        lambda: workbench.accounts.sign_in(name, name, name),
    ):
        with pytest.raises(MdrError):
            look()
    there = {path.name for path in tmp_path.rglob("*") if home not in path.parents}
    assert there == {"home", "outside", "outside.json", "campaign.json", "manifest.json"}


# -- tables for spreadsheets ----------------------------------------------------------------------------------


def test_a_note_is_no_formula_in_an_exported_table(tmp_path: Path) -> None:
    workbench = Workbench(Settings(home=tmp_path))
    notes = ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "plain"]
    for number, note in enumerate(notes):
        passage = Passage(f"p{number}", "en", "", "")
        workbench.judging.record("cannot-judge", "=cmd|' /C calc'!A0", "c", Query("q", "en", "t"), passage, note=note)
    workbench.judging.grade("=cmd|' /C calc'!A0", "c", Query("q", "en", "=1+1"), Passage("@p", "en", "", ""), 2)
    export_judgements(workbench.judging, "c", tmp_path / "all.csv", every=True)
    workbench.judging.store.close()
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in list(csv.reader(file))[1:] for cell in row]
    assert "plain" in cells and "'=HYPERLINK(1)" in cells
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in cells)
