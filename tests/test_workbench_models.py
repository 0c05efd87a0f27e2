"""Every run that indexed a collection with its own model can be searched with it, beside the usual one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mdr.errors import MissingError
from mdr.settings import Settings
from mdr.types import Query
from mdr.workbench import Workbench


@pytest.fixture
def bench(settings: Settings, toy_encoder: Path, tmp_path: Path) -> Workbench:
    """The sample with its own index, and a run that has one with another model."""
    other = tmp_path / "other"
    shutil.copytree(toy_encoder, other)
    weights = load_file(other / "model.safetensors")
    save_file({name: rows[::-1].copy() for name, rows in weights.items()}, other / "model.safetensors")
    bench = Workbench(settings)
    list(bench.prepare_sample())
    for _ in bench.evaluate("sample", str(other), "trained", split="dev"):
        pass
    return bench


def test_models_are_named_by_their_runs(bench: Workbench) -> None:
    assert list(bench.models("sample")) == ["", "trained"]


def test_a_run_with_the_usual_model_is_no_other_model(bench: Workbench) -> None:
    for _ in bench.evaluate("sample", "", "again", split="dev"):
        pass
    assert list(bench.models("sample")) == ["", "trained"]


def test_each_model_searches_its_own_index_and_shares_the_rest(bench: Workbench) -> None:
    usual, other = bench.searcher("sample"), bench.searcher("sample", "trained")
    assert usual.lexical is other.lexical and usual.collection is other.collection
    assert usual.dense.fingerprint != other.dense.fingerprint
    assert bench.searcher("sample", "trained") is other
    scores = [
        [hit.score for hit in searcher.search("Niili virtaa", engine="dense").found] for searcher in (usual, other)
    ]
    assert scores[0] != scores[1]


def test_a_model_that_is_not_there_is_said(bench: Workbench) -> None:
    with pytest.raises(MissingError, match="it has trained"):
        bench.searcher("sample", "nowhere")


def test_explanations_use_the_model_that_was_searched_with(bench: Workbench) -> None:
    usual, other = bench.explainer("sample"), bench.explainer("sample", "trained")
    nile = bench.searcher().collection.passage("nile.fi")
    assert usual.alignment(Query("", "fi", "Niili"), nile).links[0].kind == "word"
    assert other.reading(nile, "en").same
    found = usual.likelihood(Query("", "fi", "Niili"), nile)
    assert found is not None and 0 <= found.share <= 1


def test_a_passage_is_like_itself_most(bench: Workbench) -> None:
    dense, collection = bench.searcher().dense, bench.searcher().collection
    for passage in collection.passages():
        assert dense.like(passage, 1)[0].id == passage.id
        assert {collection.lang_of(hit.id) for hit in dense.like(passage, 9, langs=["th"])} == {"th"}
        assert dense.like(passage, 0) == []
    nearest = dense.like(collection.passage("nile.en"), 6)
    assert np.all(np.diff([hit.score for hit in nearest]) <= 0)
