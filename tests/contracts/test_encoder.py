"""What every encoder keeps to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import encoder_models as tiny
import numpy as np
import pytest

from mdr.engines.encoder import load_encoder
from mdr.errors import InputError
from mdr.ports import Encoder
from mdr.types import Role

KINDS = {
    "static": lambda folder: tiny.static(folder, similarity_fn_name="cosine"),
    "mean": lambda folder: tiny.sentence_transformer(folder, "mean"),
    "cls, prompts, dense": lambda folder: tiny.sentence_transformer(
        folder, "cls", dense=16, prompts={"query": "query: ", "document": "passage: "}
    ),
    "max": lambda folder: tiny.sentence_transformer(folder, "max"),
    "last token of a decoder": lambda folder: tiny.sentence_transformer(
        folder, "lasttoken", kind="qwen2", template="$A [SEP]", padding_side="left"
    ),
    "without special tokens": lambda folder: tiny.sentence_transformer(folder, "mean", template="$A"),
    "plain": tiny.plain,
}
LONG = "Niili virtaa. " * 80_000
HOSTILE = ["\x00\x01\x02", "\ud800 alone \udfff", "a" * 100_000, " " * 100_000, "\u202e\u200d\ufeff", "🏞️" * 500, LONG]


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KINDS[request.param](tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    """In fp32: which low precision a machine would choose is a matter of its speed."""
    return load_encoder(str(folder), device="cpu", precision="float32")


@pytest.mark.parametrize("role", ["query", "passage"])
def test_one_row_per_text(encoder: Encoder, role: Role) -> None:
    vectors = encoder.encode(tiny.TEXTS, role)
    assert isinstance(encoder, Encoder)
    assert vectors.shape == (len(tiny.TEXTS), encoder.dimension) and vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert len(np.unique(vectors.round(4), axis=0)) > len(tiny.TEXTS) // 2


def test_no_texts(encoder: Encoder) -> None:
    assert encoder.encode([], "query").shape == (0, encoder.dimension)


def test_company_and_order_do_not_matter(encoder: Encoder) -> None:
    together = encoder.encode(tiny.TEXTS, "passage")
    backwards = encoder.encode(tiny.TEXTS[::-1], "passage")[::-1]
    alone = np.concatenate([encoder.encode([text], "passage") for text in tiny.TEXTS])
    np.testing.assert_allclose(together, backwards, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)
    rankings = [np.argsort(-(vectors @ vectors.T), axis=1)[:, :4] for vectors in (together, alone)]
    np.testing.assert_array_equal(*rankings)


def test_the_same_again_and_when_loaded_again(encoder: Encoder, folder: Path) -> None:
    again = load_encoder(str(folder), device="cpu", threads=1, precision="float32")
    assert again.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(again.encode(tiny.TEXTS, "query"), encoder.encode(tiny.TEXTS, "query"))


def test_from_many_threads(encoder: Encoder) -> None:
    expected = [encoder.encode([text], "query") for text in tiny.TEXTS]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: encoder.encode([text], "query"), tiny.TEXTS * 8))
    for vector, same in zip(found, expected * 8, strict=True):
        np.testing.assert_allclose(vector, same, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_texts_have_vectors(encoder: Encoder, number: int) -> None:
    assert np.isfinite(encoder.encode([HOSTILE[number], "Nile"], "passage")).all()


def test_what_is_no_list_of_texts_is_said(encoder: Encoder) -> None:
    for wrong in ("one text", [b"bytes"], ["fine", None]):
        with pytest.raises(InputError) as caught:
            encoder.encode(wrong, "query")  # type: ignore[arg-type]
        assert caught.value.remedy


# -- tokens -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", tiny.TEXTS)
def test_tokens_stand_where_they_say(encoder: Encoder, text: str) -> None:
    tokens = encoder.tokens(text, "passage")
    assert tokens.vectors.shape[0] == len(tokens.spans) and tokens.vectors.dtype == np.float32
    assert all(0 <= start < end <= len(text) for start, end in tokens.spans)
    assert list(tokens.spans) == sorted(tokens.spans)


def test_tokens_depend_on_the_text_alone(encoder: Encoder) -> None:
    """Prompts and special tokens take part in the states, and stand nowhere."""
    text = "The Nile flows"
    tokens, spans = encoder.tokens(text, "query"), encoder.tokens(text, "query").spans
    assert spans and spans[0][0] == 0 and {char for start, end in spans for char in text[start:end]} <= set(text)
    assert len(np.unique(tokens.vectors.round(4), axis=0)) > 1
    np.testing.assert_array_equal(tokens.vectors, encoder.tokens(text, "query").vectors)
    assert encoder.tokens("", "query").spans == () and len(encoder.tokens("", "query").vectors) == 0


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_tokens_of_hostile_texts(encoder: Encoder, number: int) -> None:
    tokens = encoder.tokens(HOSTILE[number], "query")
    assert np.isfinite(tokens.vectors).all()
    assert all(0 <= start < end for start, end in tokens.spans)
