"""The train stage on tiny encoders, for tests of it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import encoder_models as tiny_models
import pytest
from streams import ended
from training_stage import WORDS, Folders, Run, made_by, steps_of

from mdr import pipeline
from mdr.pipeline import Recipe, Step
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.types import Event


def settings(start: Path, **changes: Any) -> dict[str, Any]:
    """Six steps from there."""
    values: dict[str, Any] = {
        "start": str(start),
        "device": "cpu",
        "precision": "float32",
        "objectives": [{"loss": "contrast", "batch": 4, "sources": {"labelled": 1.0}}],
        "training": {"steps": 6, "rate": 1e-3, "checkpoint": 2},
    }
    return {**values, **changes}


def steps(store: ArtefactStore, values: dict[str, Any], **inputs: Artefact) -> Run:
    """Training on these, to be run."""
    return steps_of("train", store, values, Folders(), **inputs)


def train(store: ArtefactStore, values: dict[str, Any], **inputs: Artefact) -> tuple[Artefact, list[Event]]:
    """What is trained on these."""
    return made_by(steps(store, values, **inputs))


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.static(tmp_path_factory.mktemp("static"))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.sentence_transformer(tmp_path_factory.mktemp("bert"))


def texts_artefact(store: ArtefactStore, folder: Path, **options: Any) -> Artefact:
    """Ten meanings in three languages and ten English passages, as read from files."""
    root = folder / "texts"
    if not root.exists():
        _lines(
            root / "parallel" / "tico19" / "multi.jsonl.gz",
            [{"texts": {lang: f"{lang} {word}" for lang in ("en", "fi", "sw")}} for word in WORDS],
        )
        _lines(
            root / "passages" / "en.jsonl.gz",
            [{"lang": "en", "source": "x", "title": word, "text": " ".join([word, *WORDS, *WORDS])} for word in WORDS],
        )
    step = Step("texts", "read-texts", {"path": str(root), "langs": ("en", "fi", "sw"), **options})
    return ended(pipeline.run(Recipe("t", (step,)), store, Folders()))[0]["texts"]  # type: ignore[arg-type]


def _lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
