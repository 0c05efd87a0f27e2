"""Questions in one language, passages in another: MRR@10 for every ordered pair of a parallel collection's languages.

The pool is all passages of one language. `own` is the mean of the diagonal, `cross` of all other pairs.

    python -m benchmarks.cross_language NAME [--encoder FOLDER] [--split all]
"""

from __future__ import annotations

import argparse

import numpy as np

from mdr.core.languages import code_of
from mdr.recipes.baselines import COLLECTION
from mdr.storage.collection import Collection
from mdr.workbench import Workbench

CUTOFF = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", help="an imported collection whose grades name answers in every language")
    parser.add_argument("--encoder", default="", help="model folder; without: the shipped one")
    parser.add_argument("--split", default="all")
    options = parser.parse_args()
    bench = Workbench()
    collection = Collection(bench.artefact(options.name, COLLECTION).folder)
    encoder = bench.encoder(options.encoder)
    passages = list(collection.passages())
    vectors = encoder.encode([passage.full_text for passage in passages], "passage")
    langs = np.array([code_of(passage.lang) for passage in passages])
    qrels = collection.qrels(options.split)
    queries = [query for query in collection.queries(options.split) if query.id in qrels]
    asked = encoder.encode([query.text for query in queries], "query")
    of = np.array([code_of(query.lang) for query in queries])
    names = sorted(set(langs.tolist()))
    right = np.zeros((len(queries), len(passages)), bool)
    for row, query in enumerate(queries):
        right[row, [collection.positions[id] for id, grade in qrels[query.id].items() if grade > 0]] = True

    matrix = np.full((len(names), len(names)), np.nan)
    for row, one in enumerate(names):
        for column, other in enumerate(names):
            rows, pool = np.flatnonzero(of == one), np.flatnonzero(langs == other)
            there = right[np.ix_(rows, pool)]
            rows, there = rows[there.any(1)], there[there.any(1)]
            scores = asked[rows] @ vectors[pool].T
            best = np.where(there, scores, -np.inf).max(1)
            ranks = 1 + (scores > best[:, None]).sum(1)
            matrix[row, column] = np.where(ranks <= CUTOFF, 1 / ranks, 0).mean()
    print("asks \\ answers " + "".join(f"{name:>6}" for name in names))
    for name, values in zip(names, matrix, strict=True):
        print(f"{name:15}" + "".join(f"{value:6.3f}" for value in values))
    other = ~np.eye(len(names), dtype=bool)
    print(f"own {np.nanmean(np.diag(matrix)):.3f}   cross ({other.sum()} pairs) {np.nanmean(matrix[other]):.3f}")


if __name__ == "__main__":
    main()
