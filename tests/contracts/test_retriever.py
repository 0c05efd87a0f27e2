"""What every retriever keeps to, whatever it searches with."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mdr.engines import lucene
from mdr.engines.lucene import LuceneRetriever
from mdr.engines.retrievers import DenseRetriever, HybridRetriever
from mdr.ports import Mask, Matrix, Retriever, TopK
from mdr.storage.collection import PASSAGES, Collection, table_writer
from mdr.types import Passage, Query, Role

PASSAGES_IN_MIXED_ORDER = [
    Passage("fi-2", "fi", "Karhu", "Ruskeakarhu nukkuu talvella pesässään ja syö marjoja."),
    Passage("en-3", "en", "Bears", "The brown bear sleeps through winter in a den and eats berries."),
    Passage("en-1", "en", "Nile", "The Nile is a long river that flows through Egypt to the sea."),
    Passage("th-1", "th", "แม่น้ำไนล์", "แม่น้ำไนล์ไหลผ่านอียิปต์ลงสู่ทะเล"),
    Passage("fi-1", "fi", "Niili", "Niili on pitkä joki, joka virtaa Egyptin läpi mereen."),
    Passage("en-2", "en", "Danube", "The Danube is a river that flows through Vienna and Budapest."),
    Passage("ja-1", "ja", "ナイル川", "ナイル川はエジプトを流れて地中海に注ぐ長い川である。"),
    Passage("en-9", "en", "Amazon", "The Amazon is a river in South America."),
    Passage("en-8", "en", "Amazon", "The Amazon is a river in South America."),
    Passage("en-7", "en", "Amazon", "The Amazon is a river in South America."),
]
RIVER = Query("q1", "en", "Which river flows through Egypt?")
QUERIES = [
    RIVER,
    Query("q2", "fi", "Mitä karhu syö talvella?"),
    Query("q3", "th", "แม่น้ำไนล์ไหลผ่านที่ไหน"),
    Query("q4", "ja", "エジプトを流れる川"),
]
HOSTILE = {
    "nothing": "",
    "space": " \t\n ",
    "punctuation": "?!… — ()",
    "query syntax": 'title:"nile" AND (river OR -egypt) NOT [a TO z] +x^2 ~ * ? \\ / {}',
    "control characters": "river\x00\x07\x1b flows",
    "a lone surrogate": "river \ud800 flows",
    "outside the basic plane": "river 😀 𠮷野家 flows",
    "a word of 100,000 letters": "a" * 100_000,
    "2,000 different words": " ".join(f"w{number}" for number in range(2_000)),
    "direction marks": "\u202eriver\u202c",
}


class ToyEncoder:
    """Character trigrams hashed into a small space: deterministic, and similar for similar text."""

    fingerprint, dimension = "toy", 64

    def encode(self, texts: Sequence[str], role: Role) -> Matrix:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            padded = f"  {text.lower()[:2_000]} "
            for start in range(len(padded) - 2):
                vectors[row, zlib.crc32(padded[start : start + 3].encode("utf-8", "replace")) % self.dimension] += 1
            vectors[row] /= np.linalg.norm(vectors[row]) or 1
        return vectors


class BruteForceIndex:
    """Every inner product, fully sorted."""

    fingerprint = "brute"

    def __init__(self, vectors: Matrix) -> None:
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, queries: Matrix, k: int, *, allowed: Mask | None = None) -> TopK:
        # Row by row, so that equal passages get bitwise equal scores.
        scores = np.array([[float(vector @ query) for vector in self._vectors] for query in queries], dtype=np.float32)
        if allowed is not None:
            scores[:, ~allowed] = -np.inf
        positions = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(scores, positions, axis=1)
        return TopK(np.where(np.isneginf(best), -1, positions), best)


def collection_of(passages: Sequence[Passage], folder: Path) -> Collection:
    folder.mkdir(parents=True)
    writer = table_writer(folder / PASSAGES)
    for passage in passages:
        writer.add(passage)
    writer.close()
    return Collection(folder)


def lexical(passages: Sequence[Passage], folder: Path) -> Retriever:
    list(lucene.build(passages, folder / "words", k1=0.9, b=0.4))
    return LuceneRetriever(folder / "words")


def widened(passages: Sequence[Passage], folder: Path) -> Retriever:
    list(lucene.build(passages, folder / "words", k1=0.9, b=0.4))
    return LuceneRetriever(folder / "words", rm3=True)


def dense(passages: Sequence[Passage], folder: Path) -> Retriever:
    encoder = ToyEncoder()
    vectors = encoder.encode([passage.full_text for passage in passages], "passage")
    collection = collection_of(passages, folder / "collection")
    return DenseRetriever(encoder, BruteForceIndex(vectors), collection, encoder.fingerprint)


def hybrid(passages: Sequence[Passage], folder: Path) -> Retriever:
    return HybridRetriever(lexical(passages, folder), dense(passages, folder), depth=20)


MAKERS: dict[str, Callable[[Sequence[Passage], Path], Retriever]] = {
    "lucene": lexical,
    "lucene-rm3": widened,
    "dense": dense,
    "hybrid": hybrid,
}


@pytest.fixture(scope="module", params=MAKERS)
def make(request: pytest.FixtureRequest) -> Callable[[Sequence[Passage], Path], Retriever]:
    return MAKERS[request.param]


@pytest.fixture(scope="module")
def retriever(
    make: Callable[[Sequence[Passage], Path], Retriever], tmp_path_factory: pytest.TempPathFactory
) -> Retriever:
    return make(PASSAGES_IN_MIXED_ORDER, tmp_path_factory.mktemp("retriever"))


def ids(ranking: Sequence[tuple[str, float]]) -> list[str]:
    return [id for id, _ in ranking]


def test_satisfies_the_port(retriever: Retriever) -> None:
    assert isinstance(retriever, Retriever)


def test_the_passage_with_the_words_comes_first(retriever: Retriever) -> None:
    firsts = [ranking[0].id for ranking in retriever.search(QUERIES, 3)]
    assert firsts == ["en-1", "fi-2", "th-1", "ja-1"]


def test_rankings_are_sorted_by_score_then_id_without_repeats(retriever: Retriever) -> None:
    for ranking in retriever.search(QUERIES, 100):
        assert ranking == sorted(ranking, key=lambda hit: (-hit.score, hit.id))
        assert len(set(ids(ranking))) == len(ranking) <= len(PASSAGES_IN_MIXED_ORDER)
        assert all(isinstance(hit.score, float) and np.isfinite(hit.score) for hit in ranking)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_fewer_hits_are_the_first_of_more(retriever: Retriever, k: int) -> None:
    for query in QUERIES:
        [few], [many] = retriever.search([query], k), retriever.search([query], 10)
        assert ids(few) == ids(many)[:k]


def test_equal_passages_at_the_cut_are_taken_by_id(retriever: Retriever) -> None:
    [ranking] = retriever.search([Query("", "en", "amazon south america")], 2, langs=["en"])
    assert ids(ranking) == ["en-7", "en-8"]


def test_k_of_nothing_and_k_beyond_everything(retriever: Retriever) -> None:
    assert retriever.search([RIVER], 0) == [[]]
    [ranking] = retriever.search([RIVER], 1_000_000)
    assert ranking[0].id == "en-1"


def test_no_queries(retriever: Retriever) -> None:
    assert retriever.search([], 10) == []


def test_a_batch_answers_as_single_queries_do(retriever: Retriever) -> None:
    batch = retriever.search(QUERIES, 5)
    singles = [retriever.search([query], 5)[0] for query in QUERIES]
    assert [ids(ranking) for ranking in batch] == [ids(ranking) for ranking in singles]


def test_languages_are_kept_before_the_cut(retriever: Retriever) -> None:
    for langs in (["fi"], ["fi", "th"], {"ja"}):
        for ranking in retriever.search(QUERIES, 1, langs=langs):
            assert all(id[:2] in langs for id in ids(ranking))
    [ranking] = retriever.search([Query("", "en", "karhu")], 1, langs=["fi"])
    assert ids(ranking) == ["fi-2"]


def test_no_language_and_an_unknown_one_find_nothing(retriever: Retriever) -> None:
    assert retriever.search([RIVER], 5, langs=[]) == [[]]
    assert retriever.search([RIVER], 5, langs=["xx"]) == [[]]


def test_a_subset_is_kept_before_the_cut(retriever: Retriever) -> None:
    [ranking] = retriever.search([RIVER], 1, subset=["en-2", "fi-2"])
    assert ids(ranking) == ["en-2"]
    [ranking] = retriever.search([RIVER], 10, subset={"en-2", "en-9", "nobody"})
    assert set(ids(ranking)) == {"en-2", "en-9"}


def test_an_empty_subset_finds_nothing(retriever: Retriever) -> None:
    assert retriever.search([RIVER], 5, subset=[]) == [[]]
    assert retriever.search([RIVER], 5, subset=["nobody"]) == [[]]


def test_languages_and_subset_together(retriever: Retriever) -> None:
    [ranking] = retriever.search([RIVER], 5, langs=["fi"], subset=["en-1", "fi-1"])
    assert set(ids(ranking)) <= {"fi-1"}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_queries_are_text(retriever: Retriever, kind: str) -> None:
    [ranking] = retriever.search([Query("", "", HOSTILE[kind])], 5)
    assert len(ranking) <= 5
    if "river" in HOSTILE[kind] and kind != "query syntax":
        assert any(id.startswith("en-") for id in ids(ranking))


def test_threads_get_the_same_answers(retriever: Retriever) -> None:
    alone = [ids(ranking) for ranking in retriever.search(QUERIES, 5)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: [ids(ranking) for ranking in retriever.search(QUERIES, 5)], range(24)))
    assert all(answer == alone for answer in together)


def test_the_fingerprint_follows_what_is_searched(
    make: Callable[[Sequence[Passage], Path], Retriever], tmp_path: Path
) -> None:
    passages = PASSAGES_IN_MIXED_ORDER[:4]
    first, again = make(passages, tmp_path / "1"), make(passages, tmp_path / "2")
    assert first.fingerprint == again.fingerprint


def test_no_passages_at_all(make: Callable[[Sequence[Passage], Path], Retriever], tmp_path: Path) -> None:
    assert make([], tmp_path).search([RIVER], 5) == [[]]
