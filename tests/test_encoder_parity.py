"""The same folder gives the same vectors as in sentence-transformers and transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import encoder_models as tiny
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

from mdr.engines import transformer_encoder
from mdr.engines.encoder import load_encoder
from mdr.engines.model_folder import POOLINGS
from mdr.ports import Matrix

PROMPTS = {"query": "Instruct: find it. Query: ", "document": "passage: "}
FOLDERS: dict[str, dict[str, Any]] = {
    **{mode: {"pooling": mode} for mode in POOLINGS},
    "two poolings": {"pooling": ("cls", "mean")},
    "not normalised": {"normalise": False, "similarity_fn_name": "dot"},
    "dense": {"dense": 16},
    "dense over two poolings": {"pooling": ("mean", "max"), "dense": 16},
    "prompts": {"prompts": PROMPTS},
    "default prompt": {"prompts": {"other": "text: "}, "default_prompt_name": "other"},
    **{
        f"{mode} without the prompt": {"pooling": mode, "prompts": PROMPTS, "include_prompt": False}
        for mode in ("mean", "cls", "weightedmean")
    },
    "xlm-roberta": {"kind": "xlm-roberta"},
    "t5": {"kind": "t5", "template": "$A [SEP]"},
    "decoder": {"kind": "qwen2", "pooling": "lasttoken", "template": "$A [SEP]", "padding_side": "left"},
    "decoder, weighted mean": {"kind": "qwen2", "pooling": "weightedmean", "template": "$A [SEP]"},
}


def same(ours: Matrix, theirs: Matrix) -> None:
    cosines = (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    assert cosines.min() >= 0.9999
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), np.linalg.norm(theirs, axis=1), rtol=1e-4)


@pytest.fixture(autouse=True)
def _fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformer_encoder, "low_precision", lambda device, width: None)


@pytest.mark.parametrize("name", FOLDERS)
def test_sentence_transformers_folders(name: str, tmp_path: Path) -> None:
    folder = tiny.sentence_transformer(tmp_path, **FOLDERS[name])
    ours, theirs = load_encoder(str(folder), device="cpu"), SentenceTransformer(str(folder), device="cpu")
    assert ours.dimension == theirs.get_embedding_dimension()
    same(ours.encode(tiny.TEXTS, "query"), theirs.encode_query(tiny.TEXTS))
    same(ours.encode(tiny.TEXTS, "passage"), theirs.encode_document(tiny.TEXTS))


def test_padding_changes_no_last_token(tmp_path: Path) -> None:
    """Each text alone, without padding, by transformers itself."""
    folder = tiny.plain(tmp_path, "qwen2", "$A [SEP]")
    encoder = load_encoder(str(folder), device="cpu", overrides={"pooling": "lasttoken"})
    tokenizer, network = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    with torch.inference_mode():
        expected = [
            network(**tokenizer(text, return_tensors="pt", truncation=True)).last_hidden_state[0, -1].numpy()
            for text in tiny.TEXTS
        ]
    same(encoder.encode(tiny.TEXTS, "passage"), np.array(expected))


def test_a_plain_folder_is_a_mean(tmp_path: Path) -> None:
    folder = tiny.plain(tmp_path)
    tokenizer, network = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    with torch.inference_mode():
        expected = [
            network(**tokenizer(text, return_tensors="pt", truncation=True)).last_hidden_state[0].mean(0).numpy()
            for text in tiny.TEXTS
        ]
    same(load_encoder(str(folder), device="cpu").encode(tiny.TEXTS, "passage"), np.array(expected))


def test_more_tokens_than_positions_are_cut(tmp_path: Path) -> None:
    """Also where padding takes a position of its own, and the tokenizer knows no limit."""
    for kind in ("bert", "xlm-roberta"):
        folder = tiny.plain(tmp_path / kind, kind, length=int(1e30))
        assert np.isfinite(load_encoder(str(folder), device="cpu").encode(["Nile " * 1000], "query")).all()


@pytest.mark.parametrize("dimension", [1, 7, 32])
def test_matryoshka(dimension: int, tmp_path: Path) -> None:
    folder = tiny.sentence_transformer(tmp_path)
    whole = load_encoder(str(folder), device="cpu").encode(tiny.TEXTS, "passage")[:, :dimension]
    encoder = load_encoder(str(folder), device="cpu", overrides={"dimension": dimension})
    found = encoder.encode(tiny.TEXTS, "passage")
    assert encoder.dimension == found.shape[1] == dimension
    np.testing.assert_allclose(found, whole / np.linalg.norm(whole, axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("low", [torch.bfloat16, torch.float16])
def test_low_precision_hardly_changes_vectors(
    low: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.sentence_transformer(tmp_path)
    full = load_encoder(str(folder), device="cpu")
    expected = full.encode(tiny.TEXTS, "passage")
    monkeypatch.setattr(transformer_encoder, "low_precision", lambda device, width: low)
    fast = load_encoder(str(folder), device="cpu")
    found = fast.encode(tiny.TEXTS, "passage")
    assert fast.fingerprint == full.fingerprint
    assert (found != expected).any(), "it was not used"
    assert (found * expected).sum(1).min() >= 0.99
    np.testing.assert_allclose(fast.encode(tiny.TEXTS[:1], "passage"), expected[:1], rtol=1e-4, atol=1e-5)


# -- static ---------------------------------------------------------------------------------------------------

STATIC = {
    "float32": lambda rows: {"embedding.weight": rows},
    "float16": lambda rows: {"embedding.weight": rows.half()},
    "bfloat16": lambda rows: {"embedding.weight": rows.bfloat16()},
    "int8, one scale": lambda rows: {
        "embedding.weight": (rows / rows.abs().max() * 127).round().to(torch.int8),
        "embedding.scale": rows.abs().max() / 127,
    },
    "int8, a scale a row": lambda rows: {
        "embedding.weight": (rows / rows.abs().amax(1, keepdim=True) * 127).round().to(torch.int8),
        "embedding.scale": rows.abs().amax(1) / 127,
    },
    "model2vec": lambda rows: {"embeddings": rows},
    "model2vec, shared rows": lambda rows: {
        "embeddings": rows.flip(0).contiguous() * 2,
        "mapping": torch.arange(len(rows)).flip(0),
        "weights": torch.full((len(rows),), 0.5),
    },
}


@pytest.mark.parametrize("name", STATIC)
def test_static_folders(name: str, tmp_path: Path) -> None:
    folder = tiny.static(tmp_path / "model", prompts=PROMPTS)
    texts = [text for text in tiny.TEXTS if text]
    expected = SentenceTransformer(str(folder), device="cpu").encode_query(texts)
    rows = load_file(folder / "model.safetensors")["embedding.weight"]
    save_file(STATIC[name](rows), folder / "model.safetensors")
    found = load_encoder(str(folder)).encode(texts, "query")
    np.testing.assert_allclose(found, expected, atol={"bf": 2e-2, "in": 2e-2, "fl": 2e-3, "mo": 1e-6}[name[:2]])
    same(found, expected) if name == "float32" else None


def test_a_static_text_without_tokens_is_zero(tmp_path: Path) -> None:
    encoder = load_encoder(str(tiny.static(tmp_path, similarity_fn_name="cosine")))
    assert (encoder.encode(["", "Nile", " "], "query") != 0).any(axis=1).tolist() == [False, True, False]
