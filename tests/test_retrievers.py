"""Vectors are searched only by the model that made them, over the passages that they were made of."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mdr.engines.encoder import load_encoder
from mdr.engines.exact import ExactIndex
from mdr.engines.retrievers import DenseRetriever
from mdr.errors import MismatchError
from mdr.settings import Settings
from mdr.storage.collection import Collection
from mdr.workbench import Workbench


def test_vectors_of_another_model_are_refused(settings: Settings, toy_encoder: Path) -> None:
    workbench = Workbench(settings)
    list(workbench.prepare_sample())
    collection = Collection(workbench.artefact("sample", "collection").folder)
    encoder = load_encoder(str(toy_encoder))
    vectors = np.zeros((len(collection), encoder.dimension), dtype=np.float32)
    DenseRetriever(encoder, ExactIndex(vectors), collection, encoder.fingerprint)
    with pytest.raises(MismatchError, match="made by encoder another, the query encoder is"):
        DenseRetriever(encoder, ExactIndex(vectors), collection, "another")
    with pytest.raises(MismatchError, match="holds 5 vectors, the collection 6 passages"):
        DenseRetriever(encoder, ExactIndex(vectors[:-1]), collection, encoder.fingerprint)


def test_weights_that_change_in_place_are_noticed(settings: Settings, toy_encoder: Path, tmp_path: Path) -> None:
    """The same folder name, other weights: old vectors are refused, and indexing again makes new ones."""
    model = tmp_path / "model"
    shutil.copytree(toy_encoder, model)
    changed = settings.model_copy(update={"encoder": str(model)})
    first = Workbench(changed)
    list(first.prepare_sample())
    before = first.artefact("sample", "dense").key
    assert first.searcher().search("Niili").found

    weights = load_file(model / "model.safetensors")
    save_file({name: rows[::-1].copy() for name, rows in weights.items()}, model / "model.safetensors")
    again = Workbench(changed)
    with pytest.raises(MismatchError):
        again.searcher()
    list(again.prepare_sample())
    assert again.artefact("sample", "dense").key != before
    assert again.searcher().search("Niili").found
