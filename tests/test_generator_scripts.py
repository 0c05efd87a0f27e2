"""What generators never write: other languages' scripts, control tokens, more than a line."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import generator_models as tiny
import pytest
import regex
import torch
from generator_folders import NILE, copy, gpt2, load, t5
from safetensors.torch import load_file, save_file
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer

from mdr.core.languages import LANGUAGES
from mdr.engines.language_models import Draft
from mdr.engines.vocabulary_scripts import VocabularyScripts

__all__ = ["copy", "gpt2", "t5"]  # fixtures


def letters(texts: list[str]) -> set[str]:
    """First words of the Unicode names of all letters."""
    return {unicodedata.name(char).split(" ")[0] for text in texts for char in text if char.isalpha()}


def prefer(folder: Path, script: str) -> None:
    """Make a copied model want the tokens with a script's letters, by a vector that all its decoder's states share."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    wanted = [token for piece, token in tokenizer.get_vocab().items() if script in {n.split(" ")[0] for n in map(
        lambda char: unicodedata.name(char, ""), piece)}]  # fmt: skip
    assert len(wanted) >= 10
    weights = load_file(folder / "model.safetensors")
    weights["shared.weight"][:, 0] = -3
    weights["shared.weight"][wanted, 0] = 9
    norm = weights["decoder.final_layer_norm.weight"]
    norm[0] = 12 * norm.abs().max()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("script", "own", "others"), [("CYRILLIC", "ru", ("en", "fi", "th", "ja")), ("THAI", "th", ("en", "ru", "ja"))]
)
def test_a_model_that_wants_one_script_writes_it_in_its_languages_only(
    copy: Path, script: str, own: str, others: tuple[str, ...]
) -> None:
    prefer(copy, script)
    generator = load(copy, max_query_length=16, temperature=0.5)
    mine = [question for each in generator.write(tiny.PASSAGES, [own] * 6, n=3, seed=1) for question in each]
    assert script in letters(mine)
    for lang in others:
        found = [question for each in generator.write(tiny.PASSAGES, [lang] * 6, n=3, seed=1) for question in each]
        assert script not in letters(found) and letters(found)


SCRIPTS = {"en": "Latin", "ru": "Cyrillic", "th": "Thai", "ja": "Han Hiragana Katakana", "ko": "Hangul", "el": "Greek"}


@pytest.mark.parametrize("lang", SCRIPTS)
def test_pieces_are_of_the_languages_scripts(lang: str, t5: Path) -> None:
    """Against the Unicode tables of another library."""
    own = "".join(rf"\p{{Script={name}}}" for name in ("Latin", "Inherited", "Common", *SCRIPTS[lang].split()))
    fits = regex.compile(rf"([^\p{{L}}\p{{M}}]|[{own}])*")
    tokenizer = AutoTokenizer.from_pretrained(t5)
    allowed = VocabularyScripts(tokenizer, tiny.VOCABULARY).allowed(lang)
    for piece, token in tokenizer.get_vocab().items():
        expected = bool(fits.fullmatch(piece)) and token > 5 and not piece.startswith("<0x") and "\n" not in piece
        assert allowed[token] == expected, piece
    assert not allowed[len(tokenizer) :].any()


def test_parts_of_characters_may_be_what_they_can_become(gpt2: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(gpt2)
    scripts = VocabularyScripts(tokenizer, tiny.VOCABULARY)
    every = {"en", "ru", "th", "vi", "el"}
    allowed = {lang: scripts.allowed(lang) for lang in every}
    for text, place, langs in (
        ("a", 0, every),
        ("д", 0, {"ru"}),
        ("λ", 0, {"el"}),
        ("ä", 0, every),
        ("ไ", 0, {"th"}),  # begins the scripts of India, too
        ("ế", 0, every),  # begins much else
        ("ä", 1, every),  # what goes on was judged where it began
    ):
        token = byte_token(tokenizer, text, place)
        assert {lang for lang, mask in allowed.items() if mask[token]} == langs, text
    assert byte_token(tokenizer, "\n", 0) in scripts.breaks


def byte_token(tokenizer: Any, text: str, place: int) -> int:
    shown = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)[0][0]
    assert len(shown) == len(text.encode())
    return int(tokenizer.get_vocab()[shown[place]])


def test_every_language_has_its_scripts(t5: Path) -> None:
    scripts = VocabularyScripts(AutoTokenizer.from_pretrained(t5), tiny.VOCABULARY)
    for lang, row in LANGUAGES.items():
        assert scripts.allowed(lang).any(), row.script


def test_questions_have_no_control_token_and_stop_at_the_longest(t5: Path) -> None:
    generator = load(t5, max_query_length=5, top_k=400, temperature=3.0)
    tokenizer = AutoTokenizer.from_pretrained(t5)
    found = [question for each in generator.write(tiny.PASSAGES, ["fi"] * 6, n=20, seed=2) for question in each]
    assert not any(mark in question for mark in (*tiny.SPECIAL, "<0x", "\ufffd") for question in found)
    assert max(len(tokenizer(text, add_special_tokens=False).input_ids) for text in found) <= 8


def test_a_line_is_a_question(gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that ends its line instead of its text is stopped there, and what it wrote is kept."""
    generator = load(gpt2, top_k=1, draws=1)
    tokenizer = AutoTokenizer.from_pretrained(gpt2)
    said = tokenizer("Nile?\nCairo").input_ids
    steps: list[int] = []

    def extend(draft: Draft, tokens: torch.Tensor) -> torch.Tensor:
        steps.append(len(tokens))
        logits = torch.zeros(len(tokens), tiny.VOCABULARY)
        logits[:, said[len(steps)]] = 1
        return logits

    def start(inputs: list[list[int]], prefix: list[int]) -> Draft:
        draft = Draft(generator._language_model, torch.zeros(len(inputs), tiny.VOCABULARY), None, torch.zeros(1))
        draft.logits[:, said[0]] = 1
        return draft

    monkeypatch.setattr(generator._language_model, "extend", extend)
    monkeypatch.setattr(generator._language_model, "start", start)
    monkeypatch.setattr(Draft, "select", lambda draft, rows: None)
    assert generator.write([NILE], ["en"], n=1, seed=1) == [["Nile?"]]
    assert len(steps) == said.index(tokenizer("\n").input_ids[0])
