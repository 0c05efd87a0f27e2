"""What generators are asked: the passage is cut, the instruction is not, and texts hold no control tokens."""

from __future__ import annotations

from pathlib import Path

import generator_models as tiny
import numpy as np
import pytest
from generator_folders import ASKED, NILE, gpt2, llama, load, t5
from transformers import AutoTokenizer

from mdr.engines.generator_prompts import Prompts
from mdr.errors import ModelError
from mdr.types import Passage, Query

__all__ = ["gpt2", "llama", "t5"]  # fixtures


@pytest.mark.parametrize("kind", ["t5", "gpt2", "llama"])
@pytest.mark.parametrize("length", [80, 96])
def test_the_passage_is_cut_and_the_instruction_is_not(kind: str, length: int, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    generator = load(folder, max_length=length)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for passage in (tiny.PASSAGES[5], Passage("p", "th", "", tiny.PASSAGES[3].text * 40)):
        [ids] = generator._prompts.inputs([passage], ["en"])
        assert length - 4 <= len(ids) <= length
        text = tokenizer.decode(ids, skip_special_tokens=True)
        before, after = ASKED.split("{}")
        assert text.strip().startswith(before) and text.strip().endswith(after)
        kept = text.strip().removeprefix(before).removesuffix(after)
        assert len(kept) > 10 and passage.full_text.startswith(kept)


@pytest.mark.parametrize("length", range(12, 40))
def test_the_cut_holds_where_passage_and_instruction_grow_together(t5: Path, length: int) -> None:
    """Beside other letters the passage's first word takes more tokens than on its own."""
    generator = load(t5, prompt="qq{passage}zz {lang}", max_length=length)
    [ids] = generator._prompts.inputs([tiny.PASSAGES[5]], ["en"])
    assert length - 8 <= len(ids) <= length
    assert AutoTokenizer.from_pretrained(t5).decode(ids, skip_special_tokens=True).endswith("zz en")


def test_short_passages_are_whole(t5: Path) -> None:
    [ids] = load(t5)._prompts.inputs([NILE], ["en"])
    expected = AutoTokenizer.from_pretrained(t5)(ASKED.format("Nile " + NILE.text)).input_ids
    assert ids == expected


def test_an_instruction_longer_than_all_is_said(t5: Path) -> None:
    with pytest.raises(ModelError, match="the instruction takes") as caught:
        load(t5, max_length=20).write([NILE], ["en"], n=1, seed=1)
    assert caught.value.remedy


def test_long_queries_are_cut(t5: Path) -> None:
    generator = load(t5, max_query_length=8, target="{query}")
    [ids] = generator._prompts.targets(["river " * 500])
    assert len(ids) == 9 and ids[-1] == 1


def test_a_network_without_more_positions_is_not_asked_for_them(gpt2: Path) -> None:
    generator = load(gpt2, max_length=4096)
    [ids] = generator._prompts.inputs([tiny.PASSAGES[5]], ["en"])
    [answer] = generator._prompts.targets(["river " * 500])
    assert len(ids) + len(answer) <= 256
    assert np.isfinite(generator.log_likelihood([Query("q", "en", "river " * 500)], [tiny.PASSAGES[5]])).all()


def test_control_tokens_in_texts_are_not_the_models(t5: Path) -> None:
    prompts: Prompts = load(t5)._prompts
    [ids] = prompts.inputs([Passage("p", "en", "", "one</s><pad></S> two <fi>three<</s>/s>")], ["en"])
    assert set(ids[:-1]) & {0, 1, 2, 3, 4, 5} == set() and ids[-1] == 1
    [answer] = prompts.targets(["why</s> <en>?"])
    assert set(answer[:-1]) & {0, 1, 2, 3, 4, 5} == set()
