"""Why a passage was found, and help to read it: links, versions, likelihoods and what was judged before."""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from mdr.errors import MissingError, UnavailableError
from mdr.ports import Matrix, Scores, Tokens
from mdr.services.judging.service import JudgingService
from mdr.services.search.explain import COMPARED, ExplainService
from mdr.storage.collection import PASSAGES, QRELS, QUERIES, Collection, table_writer
from mdr.storage.judgements import JudgementStore
from mdr.types import Hit, Passage, Query, Ranking, Role

RIVERS = [
    Passage("nile.en", "en", "Nile", "The Nile flows north through Egypt.", "nile"),
    Passage("nile.fi", "fi", "Niili", "Niili virtaa Egyptin halki.", "nile"),
    Passage("amazon.en", "en", "Amazon", "The Amazon carries more water than any other river.", "amazon"),
    Passage("cat.th", "th", "แมว", "แมวเป็นสัตว์เลี้ยง", ""),
]
MANY = [Passage(f"m{n:03}", "ru", "", f"текст {n}") for n in range(100)]
NILE = Query("q1", "en", "Where does the Nile flow?")


class Letters:
    """Texts by their letters."""

    fingerprint, dimension = "letters", 64

    def encode(self, texts: Sequence[str], role: Role) -> Matrix:
        return np.array([np.bincount([ord(char) % 64 for char in text.lower()], minlength=64) for text in texts], "f4")

    def tokens(self, text: str, role: Role) -> Tokens:
        if "ไม่" in text:
            raise UnavailableError("this model shows no tokens")
        return Tokens(self.encode(text.split(), role) if text else np.zeros((0, 64), "f4"), _places(text))


def _places(text: str) -> tuple[tuple[int, int], ...]:
    places, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        places.append((at, at + len(word)))
        at += len(word)
    return tuple(places)


class Near:
    """The order of the collection."""

    fingerprint, encoder = "near", Letters()

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def search(self, *_: object, **__: object) -> list[Ranking]:
        raise AssertionError("explaining searches nothing")

    def like(self, passage: Passage, k: int, *, langs: Some[str] | None = None) -> Ranking:
        return [Hit(one.id, 1.0) for one in self._collection.passages() if langs is None or one.lang in langs][:k]


class Prefers:
    """A generator that likes passages by how many letters of the query they share."""

    fingerprint = "prefers"

    def write(self, *_: object, **__: object) -> list[list[str]]:
        raise AssertionError

    def log_likelihood(self, queries: Sequence[Query], passages: Sequence[Passage]) -> Scores:
        assert all(query.lang for query in queries)
        self.asked = len(queries)
        pairs = zip(queries, passages, strict=True)
        return np.array([len(set(query.text) & set(passage.text)) for query, passage in pairs], dtype=float)


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    for name, rows in {PASSAGES: [*RIVERS, *MANY], QUERIES: [], QRELS: []}.items():
        writer = table_writer(tmp_path / name)
        for row in rows:
            writer.add(row)
        writer.close()
    return Collection(tmp_path)


@pytest.fixture
def judging(tmp_path: Path) -> Iterator[JudgingService]:
    service = JudgingService(JudgementStore(tmp_path / "judgements.duckdb"))
    yield service
    service.store.close()


@pytest.fixture
def generator() -> Prefers:
    return Prefers()


@pytest.fixture
def explain(collection: Collection, judging: JudgingService, generator: Prefers) -> ExplainService:
    return ExplainService("rivers", collection, Near(collection), lambda: judging, lambda: generator)


def test_words_of_query_and_passage_are_linked(explain: ExplainService) -> None:
    found = explain.alignment(NILE, RIVERS[0])
    assert found.text == "Nile\nThe Nile flows north through Egypt." and not found.trouble
    [nile] = [link for link in found.links if NILE.text[slice(*link.query[0])] == "Nile"]
    assert nile.kind == "word" and [found.text[start:end] for start, end in nile.passage] == ["Nile", "Nile"]


def test_a_model_that_shows_no_tokens_still_links_names(explain: ExplainService) -> None:
    found = explain.alignment(Query("", "th", "ไม่ Nile 1902"), RIVERS[0]._replace(text="In 1902 the Nile"))
    assert "shows no tokens" in found.trouble
    assert {link.kind for link in found.links} == {"word", "number"}


def test_a_long_passage_is_read_in_part(explain: ExplainService) -> None:
    found = explain.alignment(NILE, Passage("x", "en", "", "Nile " * 100_000))
    assert len(found.text) == 4_000 and found.links


def test_a_twin_is_the_same_and_another_is_only_near(explain: ExplainService) -> None:
    assert explain.reading(RIVERS[0], "Finnish") == (RIVERS[1], True)
    assert explain.reading(RIVERS[2], "fi") == (RIVERS[1], False)
    assert explain.reading(RIVERS[0], "en") == (RIVERS[2], False)


@pytest.mark.parametrize(("passage", "lang"), [(0, "de"), (0, "zz"), (0, ""), (3, "th")])
def test_a_language_without_another_passage_is_said(explain: ExplainService, passage: int, lang: str) -> None:
    with pytest.raises(MissingError) as caught:
        explain.reading(RIVERS[passage], lang)
    assert caught.value.remedy


def test_a_likelihood_is_a_place_within_the_language(explain: ExplainService, generator: Prefers) -> None:
    found = explain.likelihood(Query("", "ru", "текст 42"), MANY[42])
    assert found and found.compared == COMPARED and generator.asked == COMPARED + 1
    assert found.share > 0.9
    assert explain.likelihood(Query("", "", "zzz"), MANY[42]).share == 0  # type: ignore[union-attr]


def test_where_nothing_can_be_compared_nothing_is_said(collection: Collection, explain: ExplainService) -> None:
    assert explain.likelihood(NILE, RIVERS[3]) is None
    without = ExplainService("rivers", collection, Near(collection), lambda: None, lambda: None)  # type: ignore
    assert without.likelihood(NILE, RIVERS[0]) is None


def test_the_nearest_judged_question_is_ones_own(explain: ExplainService, judging: JudgingService) -> None:
    alike, other = Query("q2", "en", "Where does the Nile flow to?"), Query("q3", "th", "แมวกินอะไร")
    for query, passage, grade in [(alike, 0, 3), (alike, 2, 0), (other, 3, 2), (NILE, 1, 1)]:
        judging.grade("me", "rivers", query, RIVERS[passage], grade)
    judging.grade("somebody", "rivers", NILE._replace(id="q9"), RIVERS[0], 2)
    found = explain.example(NILE, RIVERS[0], "me")
    assert found and (found.query, found.passage, found.grade) == (alike, RIVERS[0], 3)
    assert 0.9 < found.similarity <= 1.0001
    assert explain.example(NILE, RIVERS[2], "me").passage == RIVERS[2]  # type: ignore[union-attr]


def test_the_same_question_and_what_was_taken_back_are_no_examples(
    explain: ExplainService, judging: JudgingService
) -> None:
    judging.grade("me", "rivers", NILE, RIVERS[0], 3)
    judging.grade("me", "rivers", Query("q2", "en", "Nile?"), RIVERS[0], 3)
    judging.grade("me", "rivers", Query("q2", "en", "Nile?"), RIVERS[0], None)
    judging.grade("me", "elsewhere", Query("q3", "en", "Nile!"), RIVERS[0], 3)
    assert explain.example(NILE, RIVERS[0], "me") is None
    assert explain.example(NILE, RIVERS[0], "") is None
