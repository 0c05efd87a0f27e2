"""Exact search beside FAISS IndexFlatIP: 100,000 vectors of 384 dimensions, k = 100, the same threads.

Parity first: the same positions, but where two scores are closer than fp32 can tell. A batch of 1,000 queries is
compared with FAISS; a single query also with the floor that memory sets: the time to read every vector once (their
maximum), measured in the same run.

    python -m benchmarks.exact_search [--rows 100000] [--dimension 384] [--repeats 7] [--threads 2]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from statistics import median

import faiss
import numpy as np
import torch

from mdr.engines.exact import ExactIndex
from mdr.engines.probe import low_precision
from mdr.ports import Matrix, TopK

K = 100


def make_vectors(rows: int, dimension: int, seed: int) -> Matrix:
    """Around topics, of length 1, as encoders make them: a query's best score 0.7, most near 0.1."""
    rng = np.random.default_rng(seed)
    topics = np.random.default_rng(0).standard_normal((1000, dimension), dtype=np.float32)
    vectors = 0.4 + topics[rng.integers(0, len(topics), rows)]
    vectors += rng.standard_normal((rows, dimension), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def check(ours: TopK, scores: Matrix, positions: np.ndarray) -> float:
    """The share of equal positions; fails where they differ by more than the noise of fp32."""
    np.testing.assert_allclose(ours.scores, scores, atol=2e-6)
    differ = ours.positions != positions
    gaps = np.abs(np.diff(ours.scores, axis=1))
    near = np.pad(gaps < 1e-6, ((0, 0), (1, 1)), constant_values=True)
    assert (near[:, :-1] | near[:, 1:])[differ].all(), "positions differ where scores do"
    return 1 - float(differ.mean())


def turns(jobs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median milliseconds of each job, taken in turns."""
    spent: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            spent[name].append(time.perf_counter() - start)
    return {name: median(seconds) * 1e3 for name, seconds in spent.items()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--dimension", type=int, default=384)
    options.add_argument("--queries", type=int, default=1000)
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    faiss.omp_set_num_threads(asked.threads)
    vectors = make_vectors(asked.rows, asked.dimension, 1)
    queries = make_vectors(asked.queries, asked.dimension, 2)
    index, half = ExactIndex(vectors), ExactIndex(vectors.astype(np.float16))
    flat = faiss.IndexFlatIP(asked.dimension)
    flat.add(vectors)
    equal = check(index.search(queries, K), *flat.search(queries, K))
    half.search(queries[:1], K)
    precision = low_precision("cpu", asked.dimension) or "fp32"
    print(
        f"{asked.threads} threads, load {os.getloadavg()[0]:.1f}, batches in {precision}; {equal:.4%} equal positions"
    )
    batch = turns(
        {
            "faiss": lambda: flat.search(queries, K),
            "mdr": lambda: index.search(queries, K),
            "mdr, fp16 rows": lambda: half.search(queries, K),
        },
        asked.repeats,
    )
    one = queries[:1]
    single = turns(
        {
            "read once": lambda: vectors.max(),
            "faiss": lambda: flat.search(one, K),
            "mdr": lambda: index.search(one, K),
            "mdr, fp16 rows": lambda: half.search(one, K),
        },
        10 * asked.repeats,
    )
    print(f"{asked.queries:,} queries" + "".join(f"  {name} {spent:.0f} ms" for name, spent in batch.items()))
    print(f"  {batch['faiss'] / batch['mdr']:.2f}x as fast as FAISS")
    print("1 query" + "".join(f"  {name} {spent:.2f} ms" for name, spent in single.items()))
    print(
        f"  {single['mdr'] / single['read once']:.2f} times the floor,"
        f" {single['faiss'] / single['mdr']:.2f}x as fast as FAISS"
    )


if __name__ == "__main__":
    main()
