"""Generators against transformers itself; what is cut, what is never written, what is refused."""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import generator_models as tiny
import numpy as np
import pytest
import regex
import torch
from safetensors.torch import load_file, save_file
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from mdr.core.languages import LANGUAGES
from mdr.engines.generator import TransformerGenerator, load_generator
from mdr.engines.generator_prompts import Prompts
from mdr.engines.language_models import Draft, shared_batches
from mdr.engines.sampling import draw, repeats, stream
from mdr.engines.vocabulary_scripts import VocabularyScripts
from mdr.errors import ModelError
from mdr.types import Passage, Query

QUERY = Query("q", "en", "Which river flows through Cairo?")
NILE = tiny.PASSAGES[0]


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.generator(tmp_path_factory.mktemp("t5"))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.generator(tmp_path_factory.mktemp("gpt2"), "gpt2", vocabulary="bytes")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.generator(tmp_path_factory.mktemp("llama"), "llama", chat_template=tiny.CHAT)


@pytest.fixture
def copy(tmp_path: Path, t5: Path) -> Path:
    return Path(shutil.copytree(t5, tmp_path / "copy"))


def load(folder: Path, **overrides: Any) -> TransformerGenerator:
    found = load_generator(str(folder), device="cpu", precision="float32", overrides=overrides)
    assert isinstance(found, TransformerGenerator)
    return found


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


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


ASKED = "Passage: {}. Please write a question based on this passage in English."


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


# -- the instruction stays whole ------------------------------------------------------------------------------


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


# -- what is never written ------------------------------------------------------------------------------------


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
    generator = load(gpt2, top_k=1)
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
