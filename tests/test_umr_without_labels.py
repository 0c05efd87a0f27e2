"""UMR from end to end on a few passages of the sample: without any grade it makes the very same models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mdr.pipeline import Step
from mdr.recipes.page import TARGET, WILD, Scale
from mdr.recipes.scales import scale
from mdr.recipes.umr import umr
from mdr.settings import ROOT, Settings
from mdr.storage.artefacts import Artefact
from mdr.storage.pairs import Pairs
from mdr.workbench import Workbench

SAMPLE = ROOT / "data" / "sample"


def collection(folder: Path, *, graded: bool) -> Path:
    """English and Swahili questions with their passages; grades only where they are asked for."""
    folder.mkdir()
    rows = {
        name: [json.loads(line) for line in (SAMPLE / f"{name}.jsonl").read_text("utf-8").splitlines()]
        for name in ("corpus", "queries")
    }
    for name, its in rows.items():
        few = [row for lang in ("en", "sw") for row in [each for each in its if each["lang"] == lang][:24]]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in few), "utf-8")
        rows[name] = few
    if graded:
        passages = {row["id"] for row in rows["corpus"]}
        lines = [line for line in (SAMPLE / "qrels.tsv").read_text("utf-8").splitlines() if line.split()[2] in passages]
        assert len(lines) > 10
        (folder / "qrels.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def tiny(graded: Path, wild: Path) -> Scale:
    """A scale of a few steps over one collection to learn from, and the graded one to measure on."""
    places = (TARGET, graded), (WILD, wild)
    steps = tuple(Step(name, "prepare", {"format": "folder", "path": str(path)}) for name, path in places)
    moving = {"rate": 5e-3, "every": 2}  # weights are chosen by held-out pseudo-labels
    return replace(
        scale("demo", SAMPLE), material=steps, steps=4, batch=32, moving=moving, depth=8, candidates=4, mixing={}
    )


def written(made: Artefact) -> dict[str, str]:
    """The hash of every file, but for the log, which tells the time, and the card, which names the inputs."""
    return {name: its["sha256"] for name, its in made.manifest.files.items() if name not in ("log.jsonl", "README.md")}


@pytest.mark.slow
def test_without_any_grade_umr_makes_the_very_same_models(tmp_path: Path) -> None:
    with_grades = collection(tmp_path / "graded", graded=True)
    without = collection(tmp_path / "plain", graded=False)
    contents = []
    for name, wild in (("with", with_grades), ("without", without)):
        bench = Workbench(Settings(home=tmp_path / name))
        list(bench.run(umr(tiny(with_grades, wild)), "umr"))
        made = {step: bench.store.get(key) for step, key in bench.store.run("umr").items()}
        assert bool(made[WILD].manifest.counts["qrels"]) == (name == "with")
        assert sum(1 for _ in Pairs(made["scored-2"].folder).lists()) > 20, "the encoder of round 1 was listened to"
        contents.append({step: written(made[step]) for step in ("scored-1", "model-1", "scored-2", "model-2")})
    assert contents[0] == contents[1]
    assert contents[0]["model-1"] != contents[0]["model-2"]
    assert "model.safetensors" in contents[0]["model-1"] and "lists.arrow" in contents[0]["scored-2"]
