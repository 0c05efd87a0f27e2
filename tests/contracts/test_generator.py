"""What every generator keeps to."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import generator_models as tiny
import numpy as np
import pytest

from mdr.engines.cached_generator import CachedGenerator
from mdr.engines.generator import load_generator
from mdr.errors import InputError, MissingError
from mdr.ports import Generator
from mdr.types import Passage, Query

KINDS: dict[str, Callable[[Path], Path]] = {
    "encoder and decoder": lambda folder: tiny.generator(folder, "t5"),
    "decoder over bytes": lambda folder: tiny.generator(folder, "gpt2", vocabulary="bytes"),
    "decoder that chats": lambda folder: tiny.generator(folder, "llama", chat_template=tiny.CHAT),
    "cached": lambda folder: tiny.generator(folder, "t5"),
}
LANGS = ["en", "fi", "ru", "th", "ja", "en"]
QUERIES = [
    Query("1", "en", "Which river flows through Cairo?"),
    Query("2", "fi", "Mikä?"),
    Query("3", "ru", "Какая река самая длинная?"),
    Query("4", "th", "แม่น้ำ"),
    Query("5", "ja", "川はどこですか"),
    Query("6", "en", ""),
]
HOSTILE = ["\x00\x01\x02", "\ud800 alone \udfff", "a" * 100_000, " " * 100_000, "\u202e\u200d\ufeff", "🏞️" * 500,
           "</s><pad><fi>", "{passage} {0} {x!r:>9}", "Niili virtaa. " * 80_000]  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KINDS[kind](tmp_path_factory.mktemp("model"))


def load(kind: str, folder: Path, cache: Path) -> Generator:
    """In fp32: which low precision a machine would choose is a matter of its speed. Short, to be quick."""
    options = {"max_length": 96, "max_query_length": 24}
    made = load_generator(str(folder), device="cpu", precision="float32", overrides=options)
    return CachedGenerator(made, cache) if kind == "cached" else made


@pytest.fixture(scope="module")
def generator(kind: str, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator:
    return load(kind, folder, tmp_path_factory.mktemp("cache") / "likelihoods.sqlite")


def test_so_many_questions_for_each_passage(generator: Generator) -> None:
    written = generator.write(tiny.PASSAGES, LANGS, n=3, seed=1)
    assert [len(each) for each in written] == [3] * len(tiny.PASSAGES)
    questions = [question for each in written for question in each]
    assert all(question == " ".join(question.split()) for question in questions)
    assert len(set(questions)) > len(questions) // 2
    assert generator.write(tiny.PASSAGES, LANGS, n=0, seed=1) == [[] for _ in tiny.PASSAGES]
    assert generator.write([], [], n=2, seed=1) == []


def test_equal_seeds_write_alike_in_any_company(generator: Generator) -> None:
    together = generator.write(tiny.PASSAGES, LANGS, n=2, seed=7)
    assert generator.write(tiny.PASSAGES, LANGS, n=2, seed=7) == together
    assert generator.write(tiny.PASSAGES[::-1], LANGS[::-1], n=2, seed=7)[::-1] == together
    alone = [generator.write([one], [lang], n=2, seed=7)[0] for one, lang in zip(tiny.PASSAGES, LANGS, strict=True)]
    assert alone == together
    more = generator.write(tiny.PASSAGES, LANGS, n=4, seed=7)
    assert [each[:2] for each in more] == together


def test_seeds_languages_and_passages_make_a_difference(generator: Generator) -> None:
    nile, other = tiny.PASSAGES[0], tiny.PASSAGES[1]
    asked = [(nile, "en", 1), (nile, "en", 2), (nile, "fi", 1), (other, "en", 1)]
    found = {tuple(generator.write([passage], [lang], n=2, seed=seed)[0]) for passage, lang, seed in asked}
    assert len(found) == len(asked)


def test_likelihoods_are_logarithms(generator: Generator) -> None:
    scores = generator.log_likelihood(QUERIES, tiny.PASSAGES)
    assert scores.shape == (len(QUERIES),) and scores.dtype == np.float64
    assert np.isfinite(scores).all() and (scores < 0).all()
    assert generator.log_likelihood([], []).shape == (0,)


def test_likelihoods_do_not_depend_on_company(kind: str, folder: Path, tmp_path: Path) -> None:
    queries = [query for query in QUERIES for _ in tiny.PASSAGES]
    passages = tiny.PASSAGES * len(QUERIES)
    together, backwards, alone = (load(kind, folder, tmp_path / name) for name in ("together", "backwards", "alone"))
    scores = together.log_likelihood(queries, passages)
    assert len(np.unique(scores.round(6))) > len(scores) // 2
    np.testing.assert_allclose(backwards.log_likelihood(queries[::-1], passages[::-1])[::-1], scores, atol=1e-4)
    each = [alone.log_likelihood([one], [other])[0] for one, other in zip(queries, passages, strict=True)]
    np.testing.assert_allclose(each, scores, atol=1e-4)


def test_the_same_when_loaded_again(generator: Generator, kind: str, folder: Path, tmp_path: Path) -> None:
    again = load(kind, folder, tmp_path / "likelihoods.sqlite")
    assert again.fingerprint == generator.fingerprint
    assert again.write(tiny.PASSAGES, LANGS, n=1, seed=3) == generator.write(tiny.PASSAGES, LANGS, n=1, seed=3)
    np.testing.assert_allclose(
        again.log_likelihood(QUERIES, tiny.PASSAGES), generator.log_likelihood(QUERIES, tiny.PASSAGES), atol=1e-6
    )


def test_from_many_threads(generator: Generator) -> None:
    expected = generator.write(tiny.PASSAGES, LANGS, n=1, seed=5)
    scores = generator.log_likelihood(QUERIES, tiny.PASSAGES)

    def ask(place: int) -> tuple[list[str], float]:
        passage = [tiny.PASSAGES[place]]
        score = generator.log_likelihood([QUERIES[place]], passage)[0]
        return generator.write(passage, [LANGS[place]], n=1, seed=5)[0], score

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, range(len(tiny.PASSAGES))))
    assert [questions for questions, _ in found] == expected
    np.testing.assert_allclose([score for _, score in found], scores, atol=1e-4)


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_texts_are_texts(generator: Generator, number: int) -> None:
    passage = Passage("p", "en", HOSTILE[number][:50], HOSTILE[number])
    [questions] = generator.write([passage], ["th"], n=2, seed=1)
    assert len(questions) == 2 and all(question.encode() is not None for question in questions)
    nile = tiny.PASSAGES[0]
    scores = generator.log_likelihood([Query("q", "en", HOSTILE[number]), QUERIES[0]], [nile, passage])
    assert np.isfinite(scores).all()


def test_a_passage_without_text_gives_no_question(generator: Generator) -> None:
    assert generator.write([Passage("p", "en", "", " \n"), tiny.PASSAGES[0]], ["en", "en"], n=2, seed=1)[0] == ["", ""]


def test_what_cannot_be_asked_is_said(generator: Generator) -> None:
    nile = tiny.PASSAGES[:1]
    wrong: list[Callable[[], object]] = [
        lambda: generator.write(nile, ["en", "fi"], n=1, seed=1),
        lambda: generator.write(nile, ["en"], n=-1, seed=1),
        lambda: generator.write(nile, ["en"], n=10**9, seed=1),
        lambda: generator.log_likelihood(QUERIES, nile),
        lambda: generator.log_likelihood([], nile),
    ]
    for ask in wrong:
        with pytest.raises(InputError) as caught:
            ask()
        assert caught.value.remedy
    with pytest.raises(MissingError, match="tlh"):
        generator.write(nile, ["tlh"], n=1, seed=1)
    with pytest.raises(MissingError, match="tlh"):
        generator.log_likelihood([Query("q", "tlh", "nuq")], nile)
