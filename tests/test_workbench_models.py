"""Every run that indexed a collection with its own model can be searched with it, beside the usual one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mdr.errors import MismatchError, MissingError
from mdr.settings import Settings
from mdr.types import Query
from mdr.workbench import Workbench


@pytest.fixture
def bench(settings: Settings, toy_encoder: Path, tmp_path: Path) -> Workbench:
    """The sample with its own index, and a run that has one with another model."""
    other = tmp_path / "other"
    shutil.copytree(toy_encoder, other)
    _turned(other)
    bench = Workbench(settings)
    list(bench.prepare_sample())
    for _ in bench.evaluate("sample", str(other), "trained", split="dev"):
        pass
    return bench


def _turned(encoder: Path) -> None:
    """The same folder with other weights, as after an update or another training."""
    weights = load_file(encoder / "model.safetensors")
    save_file({name: rows[::-1].copy() for name, rows in weights.items()}, encoder / "model.safetensors")


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


def test_an_index_of_an_older_encoder_is_made_again_at_the_start(
    settings: Settings, toy_encoder: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(toy_encoder, own)
    settings = settings.model_copy(update={"encoder": str(own)})
    list(Workbench(settings).prepare_sample())
    _turned(own)
    bench = Workbench(settings)
    with pytest.raises(MismatchError, match="vectors were made by encoder") as refused:
        bench.searcher()
    assert refused.value.remedy == "`mdr index sample` makes its index again"
    list(bench.prepare_sample())  # what the app does before it opens
    assert bench.searcher().search("Niili virtaa", engine="dense").found


def test_a_models_index_that_is_too_old_says_which_run_to_repeat(bench: Workbench, tmp_path: Path) -> None:
    _turned(tmp_path / "other")
    later = Workbench(bench.settings)
    list(later.prepare_sample())
    assert later.searcher().search("Niili").found
    with pytest.raises(MismatchError, match="vectors were made by encoder") as refused:
        later.searcher("sample", "trained")
    assert "carry out the run 'trained' again" in refused.value.remedy
