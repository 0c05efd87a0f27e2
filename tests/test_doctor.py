"""The doctor's findings: what is well, what is not, and that nothing it meets can stop it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mdr.cli import app
from mdr.errors import ModelError
from mdr.services.judging.service import JudgingService
from mdr.services.machine import doctor, trials
from mdr.services.machine.doctor import Finding
from mdr.settings import ROOT, Settings
from mdr.storage.judgements import JudgementStore
from mdr.types import Passage, Query
from mdr.workbench import Workbench

GOOD_TORCH: dict[str, Any] = {"precision": "bfloat16", "features": "AVX512", "gpu": None, "cuda": None}


def states(*findings: Finding) -> list[str]:
    """States; whatever is not ok must say what to do."""
    assert all(finding.remedy for finding in findings if finding.state != "ok")
    return [finding.state for finding in findings]


@pytest.mark.slow
def test_all_is_well_here(settings: Settings) -> None:
    """The real thing, as the command line shows it."""
    environment = {"MDR_HOME": str(settings.home), "MDR_ENCODER": settings.encoder, "MDR_SAMPLE": str(settings.sample)}
    result = CliRunner().invoke(app, ["doctor", "--json"], env=environment)
    told = json.loads(result.stdout)
    seen = {finding["what"]: finding for finding in told["findings"]}
    assert {"packages", "java", "torch and faiss", "processor", "gpu", "threads", "memory", "disk"} <= set(seen)
    assert {"encoder", "sample", "judgements", "hub"} <= set(seen)
    for what in ("java", "torch and faiss", "disk", "encoder", "sample", "judgements"):
        assert seen[what]["state"] == "ok", seen[what]
    problems = sum(finding["state"] == "problem" for finding in told["findings"])
    assert (told["problems"], result.exit_code) == (problems, int(problems > 0))


def test_the_command_shows_problems_with_their_remedy(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    findings = [Finding("disk", "ok", "fine"), Finding("java", "problem", "gone", "bring it back")]
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: iter(findings))
    result = CliRunner().invoke(app, ["doctor"], env={"MDR_HOME": str(settings.home)})
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["✓ disk: fine", "✗ java: gone", "    try: bring it back", "", "1 problem"]


# -- packages -----------------------------------------------------------------------------------------------


def test_packages_are_held_against_their_ranges() -> None:
    *problems, summary = doctor.packages(["numpy>=2", "numpy>=99", "no-such-package-anywhere>=1"])
    assert states(*problems, summary) == ["problem", "problem", "ok"]
    assert "numpy: " in problems[0].found
    assert "none is installed" in problems[1].found
    assert problems[1].remedy == "pip install 'no-such-package-anywhere>=1'"
    assert summary.found.startswith("1 fit")


def test_the_checkout_says_which_packages() -> None:
    assert {"torch", "gradio[mcp]", "duckdb"} <= {line.partition(">")[0] for line in doctor._wanted()}


# -- trials -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os; os.kill(os.getpid(), 11)", "ended with code -11"),
        ("raise RuntimeError('no boot layer')", "no boot layer"),
        ("print('chatter')", "ended with code 0"),
        ("import sys; sys.exit(3)", "ended with code 3"),
    ],
)
def test_a_crash_in_a_trial_is_a_finding(monkeypatch: pytest.MonkeyPatch, code: str, told: str) -> None:
    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **options: real([*command[:-1], code], **options))
    failed = trials.trial("java")
    assert told in failed["failed"]
    assert states(doctor.java(failed), *doctor.torch(failed, Settings())) == ["problem", "problem"]


def test_a_trial_that_hangs_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("x", 1)

    monkeypatch.setattr(subprocess, "run", hang)
    assert "did not answer" in trials.trial("torch")["failed"]


def test_java_starts_in_a_process_of_its_own() -> None:
    told = trials.trial("java")
    assert doctor.java(told).state == "ok"
    assert told["version"].split(".")[0].isdigit()


# -- the machine --------------------------------------------------------------------------------------------


def test_processor_and_gpu() -> None:
    fast, slow = GOOD_TORCH, {**GOOD_TORCH, "precision": "float32"}
    assert states(*doctor.torch(fast, Settings(device="auto")))[:2] == ["ok", "ok"]
    assert states(*doctor.torch(slow, Settings(device="auto")))[:2] == ["ok", "note"]
    assert states(*doctor.torch(fast, Settings(device="cuda")))[2] == "problem"
    gpu = {**GOOD_TORCH, "gpu": {"name": "Card", "bytes": 80 * 10**9}, "cuda": "13"}
    *_, finding = doctor.torch(gpu, Settings(device="cuda"))
    assert (finding.state, finding.found) == ("ok", "Card, 80 GB, CUDA 13")


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert states(doctor.threads(Settings(threads=0)), doctor.threads(Settings(threads=10_000))) == ["ok", "note"]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert "OMP_NUM_THREADS=1" in doctor.threads(Settings(threads=0)).found


def test_memory() -> None:
    assert states(*map(doctor.memory, (8 * 10**9, 10**9, None))) == ["ok", "problem", "note"]
    free = doctor._memory()
    assert free is None or free > 0


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.disk(tmp_path / "new" / "home").state == "ok"
    (tmp_path / "file").write_text("")
    assert doctor.disk(tmp_path / "file" / "home").state == "problem"

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patched:
        patched.setattr(doctor.tempfile, "TemporaryFile", refuse)
        assert "Read-only" in doctor.disk(tmp_path).found
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: doctor.shutil._ntuple_diskusage(10, 9, 1))
    assert "mdr gc" in doctor.disk(tmp_path).remedy


# -- what comes along ---------------------------------------------------------------------------------------


def test_encoder(settings: Settings, tmp_path: Path) -> None:
    assert "16 dimensions" in doctor.encoder(settings, Workbench(settings), False).found
    broken = settings.model_copy(update={"encoder": str(tmp_path)})
    assert states(doctor.encoder(broken, Workbench(broken), False)) == ["problem"]


def test_a_hub_model_is_not_fetched_unasked(settings: Settings) -> None:
    class Engines:
        asked = 0

        def encoder(self, name: str) -> Any:
            self.asked += 1
            raise ModelError("not there", "connect")

    named = settings.model_copy(update={"encoder": "owner/name"})
    engines: Any = Engines()
    assert (states(doctor.encoder(named, engines, False)), engines.asked) == (["note"], 0)
    assert (states(doctor.encoder(named, engines, True)), engines.asked) == (["problem"], 1)


def test_an_encoder_that_answers_with_nothing(settings: Settings) -> None:
    import numpy as np

    for vector in (np.zeros((1, 4), np.float32), np.full((1, 4), np.nan, np.float32)):

        class Engines:
            dimension = 4

            def encoder(self, name: str) -> Any:
                return self

            def encode(self, texts: Any, role: str, vector: Any = vector) -> Any:
                return vector

        engines: Any = Engines()
        assert states(doctor.encoder(settings, engines, False)) == ["problem"]


def test_sample(tiny: Path, tmp_path: Path) -> None:
    assert "6 passages and 4 questions" in doctor.sample(tiny).found
    for damage in ("corpus.jsonl", "queries.dev.jsonl", "qrels.dev.tsv"):
        folder = tmp_path / damage
        folder.mkdir()
        for path in tiny.iterdir():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = lines[:-6] if damage == "qrels.dev.tsv" else lines[:-1]
            (folder / path.name).write_text("".join(kept if path.name == damage else lines), encoding="utf-8")
        assert states(doctor.sample(folder)) == ["problem"], damage
    assert states(doctor.sample(tmp_path / "none")) == ["problem"]


def test_the_sample_that_comes_along_is_whole() -> None:
    assert doctor.sample(ROOT / "data" / "sample").state == "ok"


def test_judgements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "judgements.duckdb"
    assert doctor.judgements(path).found == "none yet"
    assert not path.exists()
    store = JudgementStore(path)
    JudgingService(store).grade("a", "c", Query("q", "en", "t"), Passage("p", "en", "", "t"), 1)
    store.close()
    assert doctor.judgements(path).found.startswith("1 events")
    path.write_bytes(b"x" * 20_000)
    assert states(doctor.judgements(path)) == ["problem"]


def test_the_hub_is_asked_only_when_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    calls = []

    def answer(request: Any, timeout: float) -> Any:
        calls.append((request.full_url, timeout))
        raise OSError("no route")

    monkeypatch.setattr(doctor.urllib.request, "urlopen", answer)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert states(doctor.hub(True)) == ["note"]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert states(doctor.hub(False)) == ["ok"]
    assert calls == []
    assert "no route" in doctor.hub(True).found
    assert calls == [(constants.ENDPOINT, 5)]
