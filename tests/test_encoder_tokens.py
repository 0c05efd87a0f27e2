"""Token vectors are those that pooling reads, and stand where their words do."""

from __future__ import annotations

from pathlib import Path

import encoder_models as tiny
import numpy as np
import pytest

from mdr.engines.encoder import load_encoder
from mdr.engines.two_towers import TwoTowers
from mdr.errors import UnavailableError

TEXT = "The Nile flows through Egypt"


def test_a_static_text_is_the_mean_of_its_tokens(tmp_path: Path) -> None:
    encoder = load_encoder(str(tiny.static(tmp_path)))
    tokens = encoder.tokens(TEXT, "query")
    np.testing.assert_allclose(tokens.vectors.mean(axis=0), encoder.encode([TEXT], "query")[0], atol=1e-6)


def test_a_transformers_text_is_the_mean_of_its_tokens(tmp_path: Path) -> None:
    folder = tiny.sentence_transformer(tmp_path, "mean", template="$A", normalise=False, similarity_fn_name="dot")
    encoder = load_encoder(str(folder), device="cpu", precision="float32")
    tokens = encoder.tokens(TEXT, "query")
    np.testing.assert_allclose(tokens.vectors.mean(axis=0), encoder.encode([TEXT], "query")[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_a_prompt_moves_no_place(kind: str, tmp_path: Path) -> None:
    prompts = {"query": "river: ", "passage": ""}
    if kind == "static":
        folder = tiny.static(tmp_path, prompts=prompts)
    else:
        folder = tiny.sentence_transformer(tmp_path, prompts=prompts)
    encoder = load_encoder(str(folder), device="cpu")
    assert encoder.tokens(TEXT, "query").spans == encoder.tokens(TEXT, "passage").spans


def test_what_is_cut_off_has_no_tokens(tmp_path: Path) -> None:
    encoder = load_encoder(str(tiny.sentence_transformer(tmp_path)), device="cpu")
    spans = encoder.tokens("Nile " * 1_000, "passage").spans
    assert 0 < len(spans) <= 48 and spans[-1][1] < 5_000


def test_a_lowercasing_model_keeps_places(tmp_path: Path) -> None:
    """A capital dotted İ becomes two letters in lower case; what follows stays where it is."""
    folder = tiny.sentence_transformer(tmp_path)
    config = folder / "sentence_bert_config.json"
    config.write_text(config.read_text().replace('"do_lower_case": false', '"do_lower_case": true'))
    encoder = load_encoder(str(folder), device="cpu")
    text = "İİ Nile"
    ends = [end for _, end in encoder.tokens(text, "query").spans]
    assert max(ends) == len(text)


def test_each_tower_reads_its_side(tmp_path: Path) -> None:
    one = load_encoder(str(tiny.static(tmp_path / "one")))
    other = load_encoder(str(tiny.sentence_transformer(tmp_path / "other")), device="cpu")
    towers = TwoTowers(one, other)
    np.testing.assert_array_equal(towers.tokens(TEXT, "query").vectors, one.tokens(TEXT, "query").vectors)
    np.testing.assert_array_equal(towers.tokens(TEXT, "passage").vectors, other.tokens(TEXT, "passage").vectors)


def test_a_tokenizer_without_places_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load_encoder(str(tiny.sentence_transformer(tmp_path)), device="cpu")
    monkeypatch.setattr(type(encoder._tokenizer), "is_fast", False)  # type: ignore[attr-defined]
    with pytest.raises(UnavailableError, match="where its tokens stand"):
        encoder.tokens(TEXT, "query")
