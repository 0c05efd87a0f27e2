"""What every vector index keeps to: exact ones equal brute force to the last bit, approximate ones nearly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from mdr.engines import exact, faiss_index
from mdr.engines.exact import ExactIndex
from mdr.engines.faiss_index import FaissIndex
from mdr.errors import InputError, MdrError, MismatchError
from mdr.ports import Mask, Matrix, TopK, VectorIndex

Make = Callable[[Matrix], VectorIndex]
DIMENSION = 24


def plain(vectors: Matrix, folder: Path) -> VectorIndex:
    return ExactIndex(vectors)


def half(vectors: Matrix, folder: Path) -> VectorIndex:
    return ExactIndex(vectors.astype(np.float16))


def mapped(vectors: Matrix, folder: Path) -> VectorIndex:
    np.save(folder / "vectors.npy", vectors)
    return ExactIndex(np.load(folder / "vectors.npy", mmap_mode="r"))


def faiss(factory: str) -> Callable[[Matrix, Path], VectorIndex]:
    def make(vectors: Matrix, folder: Path) -> VectorIndex:
        faiss_index.write(vectors, factory, folder / "index.faiss")
        return FaissIndex(folder / "index.faiss", fingerprint="f", made_by="m")

    return make


SMALL_BLOCKS = {"_SCORES": 1, "_ROWS": 100, "_PENDING": 500, "_QUERIES": 7, "_TOGETHER": 64}
ON_TORCH = {"_FEW": 0, "_WORTH": {True: 0.0}}
EXACT = {
    "numpy": (plain, {}, None),
    "numpy, fp16": (half, {}, None),
    "numpy, mapped, in blocks": (mapped, SMALL_BLOCKS, None),
    "torch fp32": (plain, ON_TORCH, torch.float32),
    "torch bf16": (plain, ON_TORCH, torch.bfloat16),
    "torch bf16, mapped, in blocks": (mapped, ON_TORCH | SMALL_BLOCKS, torch.bfloat16),
    "torch fp32, fp16 rows, in blocks": (half, ON_TORCH | SMALL_BLOCKS, torch.float32),
}
FAISS = {
    "faiss Flat": (faiss("Flat"), {}, None),
    "faiss HNSW": (faiss("HNSW16"), {}, None),
    "faiss IVF": (faiss("IVF8,Flat"), {}, None),
    "faiss SQ8": (faiss("SQ8"), {}, None),
    "faiss PCA": (faiss("PCA16,IVF8,SQ8"), {}, None),
}
LEAST_RECALL = {"faiss HNSW": 0.95, "faiss IVF": 0.95, "faiss SQ8": 0.9, "faiss PCA": 0.5}


def maker(
    kind: tuple[Callable[[Matrix, Path], VectorIndex], dict[str, object], torch.dtype | None],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Make:
    make, settings, precision = kind
    for name, value in settings.items():
        monkeypatch.setattr(exact, name, value)
    monkeypatch.setattr("mdr.engines.probe.low_precision", lambda device, width: precision)
    return lambda vectors: make(vectors, folder)


@pytest.fixture(params=EXACT)
def index_exactly(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes an index that answers as brute force does."""
    yield maker(EXACT[request.param], tmp_path, monkeypatch)


@pytest.fixture(params=EXACT | FAISS)
def index(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes any index."""
    yield maker((EXACT | FAISS)[request.param], tmp_path, monkeypatch)


def brute_force(vectors: Matrix, queries: Matrix, k: int, allowed: Mask | None = None) -> TopK:
    """Every score in fp64, rounded once; sorted by score, then position."""
    positions = np.full((len(queries), k), -1)
    scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
    places = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    for row, query in enumerate(queries):
        products = [float(np.dot(vectors[place].astype(np.float64), query.astype(np.float64))) for place in places]
        ranked = sorted(
            zip(np.float32(products) + np.float32(0), places, strict=True), key=lambda hit: (-hit[0], hit[1])
        )
        for rank, (score, place) in enumerate(ranked[:k]):
            positions[row, rank], scores[row, rank] = place, score
    return TopK(positions, scores)


def random(rows: int, seed: int) -> Matrix:
    return np.random.default_rng(seed).standard_normal((rows, DIMENSION)).astype(np.float16).astype(np.float32)


def clustered(rows: int, seed: int) -> Matrix:
    """Vectors as texts have them: around topics, of length 1."""
    rng = np.random.default_rng(seed)
    topics = np.random.default_rng(0).standard_normal((20, DIMENSION))
    vectors = topics[rng.integers(0, 20, rows)] + 0.5 * rng.standard_normal((rows, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def same(found: TopK, expected: TopK) -> None:
    np.testing.assert_array_equal(found.positions, expected.positions)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert not np.signbit(found.scores[found.scores == 0]).any()


@pytest.mark.parametrize("queries", [1, 2, 20])
@pytest.mark.parametrize("k", [1, 10, 300])
def test_exact_equals_brute_force(index_exactly: Make, queries: int, k: int) -> None:
    vectors, asked = random(731, 1), random(queries, 2)
    same(index_exactly(vectors).search(asked, k), brute_force(vectors, asked, k))


@pytest.mark.parametrize("share", [0.004, 0.1, 0.6])
def test_exact_filters_before_the_top_k(index_exactly: Make, share: float) -> None:
    vectors, asked = random(731, 1), random(20, 2)
    allowed = np.random.default_rng(3).random(731) < share
    same(index_exactly(vectors).search(asked, 10, allowed=allowed), brute_force(vectors, asked, 10, allowed))


@pytest.mark.parametrize("distinct", [1, 3, 50])
def test_equal_vectors_come_by_position(index_exactly: Make, distinct: int) -> None:
    """Also at the border of the top k, and wherever a row stands in a block."""
    vectors = random(distinct, 1)[np.random.default_rng(4).integers(0, distinct, 600)]
    asked = random(20, 2)
    same(index_exactly(vectors).search(asked, 30), brute_force(vectors, asked, 30))


def test_zeros_have_no_sign(index_exactly: Make) -> None:
    vectors = np.zeros((50, DIMENSION), dtype=np.float32)
    vectors[::2] *= -1
    same(
        index_exactly(vectors).search(-np.ones((3, DIMENSION), np.float32), 60),
        TopK(
            np.pad(np.tile(np.arange(50), (3, 1)), ((0, 0), (0, 10)), constant_values=-1)[:, :50],
            np.zeros((3, 50), np.float32),
        ),
    )


def test_a_query_scores_the_same_alone_and_in_a_batch(index_exactly: Make) -> None:
    vectors, asked = clustered(700, 1), clustered(33, 2)
    index = index_exactly(vectors)
    together = index.search(asked, 25)
    for row, query in enumerate(asked):
        alone = index.search(query[None], 25)
        same(alone, TopK(together.positions[row : row + 1], together.scores[row : row + 1]))


def test_rows_far_apart_in_size(index_exactly: Make) -> None:
    """The bound on rounding errors holds for the longest row, and so for the shortest."""
    vectors, asked = random(600, 1), random(5, 2)
    vectors *= np.logspace(-3, 3, 600, dtype=np.float32)[:, None]
    vectors = vectors.astype(np.float16).astype(np.float32)
    same(index_exactly(vectors).search(asked, 600), brute_force(vectors, asked, 600))


def test_the_best_are_found(index: Make, request: pytest.FixtureRequest) -> None:
    vectors, asked = clustered(1500, 1), clustered(30, 2)
    found = index(vectors).search(asked, 10)
    expected = brute_force(vectors, asked, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.positions, expected.positions, strict=True)])
    assert recall >= LEAST_RECALL.get(request.node.callspec.params["index"], 1.0)
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_only_allowed_rows_are_found(index: Make) -> None:
    vectors, asked = clustered(1500, 1), clustered(5, 2)
    allowed = np.arange(1500) % 3 == 0
    found = index(vectors).search(asked, 20, allowed=allowed)
    assert (found.positions[:, 0] >= 0).all()
    assert allowed[found.positions[found.positions >= 0]].all()


def test_where_little_is_allowed_rows_are_padded(index: Make) -> None:
    vectors = clustered(1500, 1)
    allowed = np.zeros(1500, dtype=bool)
    none = index(vectors).search(vectors[:2], 5, allowed=allowed)
    allowed[7] = True
    one = index(vectors).search(vectors[7:8], 5, allowed=allowed)
    assert (none.positions == -1).all() and np.isneginf(none.scores).all()
    assert one.positions.tolist() == [[7, -1, -1, -1, -1]] and np.isneginf(one.scores[0, 1:]).all()


def test_shapes(index: Make) -> None:
    made = index(clustered(1500, 1))
    assert len(made) == 1500
    for queries, k, shape in ((0, 5, (0, 5)), (3, 0, (3, 0)), (2, 5000, (2, 1500)), (0, 0, (0, 0))):
        found = made.search(clustered(queries, 2), k)
        assert found.positions.shape == found.scores.shape == shape
        assert found.positions.dtype == np.int64 and found.scores.dtype == np.float32


@pytest.mark.parametrize("allowed", [None, np.zeros(0, dtype=bool)])
def test_an_empty_index_finds_nothing(index_exactly: Make, allowed: Mask | None) -> None:
    found = index_exactly(np.zeros((0, DIMENSION), np.float32)).search(random(2, 1), 5, allowed=allowed)
    assert found.positions.shape == (2, 0)


BAD: dict[str, tuple[object, int, object, type[MdrError]]] = {
    "another encoder's queries": (np.zeros((1, DIMENSION + 1), np.float32), 5, None, MismatchError),
    "one row too few brackets": (np.zeros(DIMENSION, np.float32), 5, None, InputError),
    "undefined": (np.full((1, DIMENSION), np.nan, np.float32), 5, None, InputError),
    "infinite": (np.full((1, DIMENSION), np.inf, np.float32), 5, None, InputError),
    "too large for fp32": (np.full((1, DIMENSION), 1e300), 5, None, InputError),
    "words": (np.full((1, DIMENSION), "a"), 5, None, InputError),
    "negative k": (np.zeros((1, DIMENSION), np.float32), -1, None, InputError),
    "a filter of another index": (np.zeros((1, DIMENSION), np.float32), 5, np.ones(3, bool), MismatchError),
    "a filter of numbers": (np.zeros((1, DIMENSION), np.float32), 5, np.ones(1500), MismatchError),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.filterwarnings("ignore:overflow")
def test_what_cannot_be_searched_is_said(index: Make, case: str) -> None:
    queries, k, allowed, error = BAD[case]
    with pytest.raises(error) as caught:
        index(clustered(1500, 1)).search(queries, k, allowed=allowed)  # type: ignore[arg-type]
    assert caught.value.remedy


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_damaged_vectors_are_found_out(index_exactly: Make, value: float) -> None:
    vectors = clustered(300, 1)
    vectors[217, 5] = value
    with pytest.raises(InputError, match="vector 217"):
        index_exactly(vectors).search(vectors[:20], 5)
