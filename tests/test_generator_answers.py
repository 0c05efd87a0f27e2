"""Generators against transformers itself: likelihoods, the likeliest questions, draws and batches."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import generator_models as tiny
import numpy as np
import pytest
import torch
from generator_folders import ASKED, NILE, QUERY, gpt2, llama, load, t5
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from mdr.engines.language_models import shared_batches
from mdr.engines.sampling import draw, repeats, stream
from mdr.engines.vocabulary_scripts import VocabularyScripts
from mdr.ports import Guess
from mdr.types import Passage, Query

__all__ = ["gpt2", "llama", "t5"]  # fixtures


# -- likelihood against transformers' own loss ----------------------------------------------------------------


def seq2seq_loss(folder: Path, prompt: str, target: str) -> float:
    tokenizer, network = AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    read, labels = (tokenizer(text, return_tensors="pt").input_ids for text in (prompt, target))
    with torch.no_grad():
        return float(network(input_ids=read, labels=labels).loss)


def causal_loss(folder: Path, prompt: str, target: str) -> float:
    tokenizer, network = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    read, answer = (tokenizer(text, add_special_tokens=False).input_ids for text in (prompt, target))
    answer.append(tokenizer.eos_token_id)
    with torch.no_grad():
        ids, labels = torch.tensor([read + answer]), torch.tensor([[-100] * len(read) + answer])
        return float(network(input_ids=ids, labels=labels).loss)


def test_likelihood_of_an_encoder_decoder(t5: Path) -> None:
    passages = tiny.PASSAGES[:5]
    found = load(t5).log_likelihood([QUERY] * 5, passages)
    for passage, score in zip(passages, found, strict=True):
        prompt = ASKED.format(" ".join(passage.full_text.split()))
        assert score == pytest.approx(-seq2seq_loss(t5, prompt, f"Question: {QUERY.text}"), abs=1e-5)


def test_likelihood_of_a_decoder(gpt2: Path) -> None:
    passages = tiny.PASSAGES[:2]
    found = load(gpt2).log_likelihood([QUERY] * 2, passages)
    for passage, score in zip(passages, found, strict=True):
        prompt = ASKED.format(" ".join(passage.full_text.split())) + "\n"
        assert score == pytest.approx(-causal_loss(gpt2, prompt, f"Question: {QUERY.text}"), abs=1e-5)


def test_likelihood_of_a_decoder_that_chats(llama: Path) -> None:
    prompt = f"<en>{ASKED.format('Niili Niili virtaa Kairon läpi mereen.')}</s><fi>"
    expected = -causal_loss(llama, prompt, f"Question: {QUERY.text}")
    assert load(llama).log_likelihood([QUERY], [tiny.PASSAGES[1]])[0] == pytest.approx(expected, abs=1e-5)


def test_own_prompts_and_control_tokens_in_them(t5: Path) -> None:
    generator = load(t5, prompt="<{lang}> {passage}", target="{query}")
    expected = -seq2seq_loss(t5, "<fi> Coffee is brewed.", "Mikä?")
    coffee, query = Passage("c", "en", "", "Coffee is brewed."), Query("q", "fi", "Mikä?")
    assert generator.log_likelihood([query], [coffee])[0] == pytest.approx(expected, abs=1e-5)


# -- writing against transformers' own greedy search ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["t5", "gpt2", "llama"])
def test_the_likeliest_tokens_are_those_of_generate(kind: str, request: pytest.FixtureRequest) -> None:
    """With one candidate a token nothing is left to chance; the same words are forbidden to both."""
    folder = request.getfixturevalue(kind)
    generator = load(folder, top_k=1, max_query_length=20, max_length=128)
    auto = AutoModelForSeq2SeqLM if kind == "t5" else AutoModelForCausalLM
    network, tokenizer = auto.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    scripts = VocabularyScripts(tokenizer, tiny.VOCABULARY)
    allowed = scripts.allowed("fi")
    allowed[[1, *scripts.breaks]] = True
    written = [questions[0] for questions in generator.write(tiny.PASSAGES, ["fi"] * 6, n=1, seed=1)]
    expected = []
    for ids in generator._prompts.inputs(tiny.PASSAGES, ["fi"] * 6):
        prefix = generator._prompts.prefix
        given = {"input_ids": torch.tensor([ids if kind == "t5" else ids + prefix])}
        if kind == "t5":
            given["decoder_input_ids"] = torch.tensor([[0, *prefix]])
        start = given.get("decoder_input_ids", given["input_ids"]).shape[1]
        made = network.generate(
            **given,
            do_sample=False,
            max_new_tokens=20,
            suppress_tokens=np.flatnonzero(~allowed).tolist(),
            eos_token_id=[1, *scripts.breaks],
            logits_processor=[NoRepeats(start)],
        )[0, start:].tolist()
        expected.append(tokenizer.decode(made, skip_special_tokens=True).partition("\n")[0])
    assert written == [" ".join(text.replace("\ufffd", "").split()) for text in expected]
    assert len(set(written)) > 2 and all(written)


class Strict:
    """Takes a text for Finnish whose length is even."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def identify(self, text: str) -> Guess:
        self.seen.append(text)
        return Guess("", 0.0) if len(text) % 2 else Guess("fi", 1.0)


def test_what_is_not_in_its_language_is_drawn_anew(t5: Path) -> None:
    """At most so often, from a stream of its own; the others stay as they are, and so does everything alone."""
    langs = ["fi"] * 6
    once = load(t5, draws=1).write(tiny.PASSAGES, langs, n=12, seed=1)
    generator = load(t5, draws=3)
    generator.__dict__["_identifier"] = strict = Strict()
    found = generator.write(tiny.PASSAGES, langs, n=12, seed=1)
    pairs = [pair for before, after in zip(once, found, strict=True) for pair in zip(before, after, strict=True)]
    assert all(before == after for before, after in pairs if not len(before) % 2)
    astray = [pair for pair in pairs if len(pair[0]) % 2]
    assert len(astray) > 5 and sum(before != after for before, after in astray) > len(astray) / 2
    assert sum(len(after) % 2 for _, after in astray) < len(astray) / 2
    assert len(pairs) + len(astray) < len(strict.seen) <= 3 * len(pairs)
    assert [generator.write([passage], ["fi"], n=12, seed=1)[0] for passage in tiny.PASSAGES] == found
    unknown = load(t5, draws=3)
    unknown.__dict__["_languages"], unknown.__dict__["_identifier"] = frozenset({"en"}), None
    assert unknown.write(tiny.PASSAGES, langs, n=12, seed=1) == once, "a language that it is not known to write in"


class NoRepeats:
    """The guard of transformers looks at the prompt, too; this one, written out plainly, at the answer only."""

    def __init__(self, prompt: int) -> None:
        self.prompt = prompt

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        written = ids[0, self.prompt :].tolist()
        seen = {tuple(written[start : start + 3]) for start in range(len(written) - 2)}
        for token in range(scores.shape[1]):
            if tuple([*written[-2:], token]) in seen:
                scores[0, token] = -torch.inf
        return scores


def test_draws_follow_the_chances() -> None:
    """Twenty thousand texts with a stream each draw as softmax says, and only what top_p leaves."""
    chances = np.array([0.4, 0.3, 0.2, 0.1])
    rows = 20_000
    scores, tokens = np.tile(np.log(chances), (rows, 1)), np.tile([7, 5, 11, 3], (rows, 1))
    streams = np.array([stream(0, number) for number in range(rows)], dtype=np.uint64)
    for temperature, top_p, expected in (
        (1.0, 1.0, chances),
        (0.5, 1.0, chances**2 / (chances**2).sum()),
        (1.0, 0.6, np.array([4 / 7, 3 / 7, 0, 0])),
    ):
        drawn = Counter(draw(scores, tokens, streams, 3, top_p=top_p, temperature=temperature).tolist())
        np.testing.assert_allclose([drawn[token] / rows for token in (7, 5, 11, 3)], expected, atol=0.015)
    steps = [draw(scores, tokens, streams, step, top_p=1.0, temperature=1.0) for step in (0, 1)]
    assert (steps[0] == steps[1]).mean() == pytest.approx((chances**2).sum(), abs=0.015)  # as if independent


def test_repeats_are_the_ends_of_runs_seen_before() -> None:
    assert repeats([1, 2, 3, 1, 2]) == [3]
    assert repeats([1, 2, 3, 1, 2, 4, 1, 2]) == [3, 4]
    assert repeats([5, 5]) == [] and repeats([5, 5, 5]) == [5] and repeats([]) == []


# -- batches --------------------------------------------------------------------------------------------------


def test_batches_share_inputs_and_stay_within_the_budget() -> None:
    random = np.random.default_rng(0)
    inputs = [[int(number)] * (int(number) % 40 + 1) for number in random.integers(0, 60, 300)]
    answers = [int(number) for number in random.integers(1, 20, 300)]
    seen: list[int] = []
    read = 0
    for places, different, rows in shared_batches(inputs, answers, tokens=400, most_answers=100):
        assert [different[row] for row in rows] == [inputs[place] for place in places]
        assert len(set(map(tuple, different))) == len(different)
        written = len(places) * max(answers[place] for place in places)
        assert len(places) == 1 or written <= 100
        assert len(places) == 1 or written + len(different) * max(map(len, different)) <= 400
        seen += places
        read += len(different)
    assert sorted(seen) == list(range(300))
    assert read < 150  # sixty inputs, asked three hundred times


def test_an_encoder_reads_a_passage_once(t5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = load(t5)
    rows: list[int] = []
    encoder = generator._network.get_encoder()
    forward = encoder.forward
    monkeypatch.setattr(encoder, "forward", lambda **given: (rows.append(len(given["input_ids"])), forward(**given))[1])
    queries = [Query(str(number), "en", f"Which river {'flows ' * number}?") for number in range(20)]
    generator.log_likelihood(queries * 2, [NILE] * 20 + [tiny.PASSAGES[1]] * 20)
    assert sum(rows) == 2
