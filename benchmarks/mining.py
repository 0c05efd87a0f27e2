"""Mining hard negatives beside sentence-transformers' `mine_hard_negatives` (its torch path), with equal settings.

    search   vectors are given to both; timed is finding candidates, keeping them from the positives by a margin, and
             taking the hardest; and of that, comparing vectors. Each in a process of its own, with its peak memory.
             `mdr stage` also writes pairs with evidence and the report
    sample   parity on the sample collection in all its languages, with the shipped encoder's vectors

Positives are the best passages of the dense list, for both, so that only the negatives can differ. Parity first: the
same negatives in the same order, but where scores are closer than fp32 can tell. The target for `search` is 3 times.

    python -m benchmarks.mining [--queries 5000] [--passages 50000] [--dimension 384] [--repeats 3] [--positives 2]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias
from unittest import mock

import numpy as np

from benchmarks.exact_search import make_vectors
from mdr.core.mining import DENSE, same_texts
from mdr.engines.encoder import load_encoder
from mdr.engines.exact import ExactIndex
from mdr.engines.retrievers import DenseRetriever
from mdr.ports import Matrix
from mdr.settings import ROOT
from mdr.stages.mine import Mine, MineSettings
from mdr.stages.miner import BLOCK, Miner, Together
from mdr.stages.stage import Work
from mdr.storage.artefacts import ArtefactStore
from mdr.storage.collection import PASSAGES, QRELS, QUERIES, Collection, table_writer
from mdr.types import Ranking, Role

NEGATIVES, MARGIN, DEPTH = 5, 0.05, 60
NAME = "encoder"

Negatives: TypeAlias = dict[str, tuple[str, ...]]
"""Texts by query text, hardest first."""


class Given:
    """Vectors by text, as an encoder for us and as a model for the peer."""

    fingerprint, device = "given", "cpu"

    def __init__(self, texts: Sequence[str], vectors: Matrix) -> None:
        self._rows = {text: row for row, text in enumerate(texts)}
        self._vectors = vectors
        self.dimension = vectors.shape[1]
        self.searching, self.searched = 0.0, 0.0

    def encode(self, texts: Sequence[str], role: Role) -> Matrix:
        return self._vectors[[self._rows[text] for text in texts]]

    def encode_query(self, texts: list[str], **_: Any) -> Matrix:
        return self.encode(texts, "query")

    def encode_document(self, texts: list[str], **_: Any) -> Matrix:
        return self.encode(texts, "passage")

    def similarity(self, one: Any, other: Any) -> Any:
        from sentence_transformers.util import dot_score

        self.searching = self.searching or time.perf_counter()
        return dot_score(one, other)

    def similarity_pairwise(self, one: Any, other: Any) -> Any:
        from sentence_transformers.util import pairwise_dot_score

        return pairwise_dot_score(one, other)


class Task:
    """A collection on disk with the vectors of all its texts; each text once, since the peer knows texts only."""

    def __init__(self, folder: Path, queries: list[str], passages: list[str], vectors: Matrix) -> None:
        self.model, self.queries, self.passages = Given([*queries, *passages], vectors), queries, passages
        self.vectors = vectors[len(queries) :]
        self.store = ArtefactStore(folder)
        rows = {
            PASSAGES: [(str(at), "en", "", text, "") for at, text in enumerate(passages)],
            QUERIES: [(str(at), "en", text, "") for at, text in enumerate(queries)],
            QRELS: [],
        }
        with self.store.draft("collection", "task") as draft:
            for file, records in rows.items():
                writer = table_writer(draft.folder / file)
                for record in records:
                    writer.add(record)
                writer.close()
            about = {"stage": "benchmark", "version": 1, "settings": {"encoder": NAME}}
            self.given = self.store.publish(draft, **about, inputs={}, fingerprints={})

    # -- ours -------------------------------------------------------------------------------------------------

    def settings(self, positives: int) -> MineSettings:
        """The peer's settings in our words."""
        return MineSettings(
            rule="dense", k_positive=positives, positives_per_query=positives, depth=DEPTH + positives, first=1,
            last=DEPTH + positives, negatives=NEGATIVES, relative_margin=MARGIN, sampling="hardest",
        )  # fmt: skip

    def retriever(self) -> DenseRetriever:
        """The vectors, opened for search."""
        index = ExactIndex(self.vectors, made_by=self.model.fingerprint)
        return _Clocked(self.model, index, Collection(self.given.folder), self.model.fingerprint)

    def ours(self, positives: int) -> tuple[Negatives, Negatives]:
        """Positives and negatives by the miner alone."""
        collection, retriever = Collection(self.given.folder), self.retriever()
        texts = same_texts(collection.passages())
        miner = Miner(self.settings(positives), {DENSE: retriever}, None, collection, texts, {})
        queries = collection.queries()
        found: tuple[Negatives, Negatives] = {}, {}
        for start in range(0, len(queries), BLOCK):
            for pair, _ in miner.mine(Together(queries, None), start):
                for part, ids in zip(found, (pair.positives, pair.negatives), strict=True):
                    part[pair.query.text] = tuple(self.passages[int(id)] for id in ids)
        return found

    def stage(self, positives: int) -> int:
        """The whole stage, with all that it writes."""
        stage = Mine(self.settings(positives))
        with self.store.draft("pairs", f"run-{time.time_ns()}") as draft:
            inputs = {"collection": self.given, DENSE: self.given}
            for _ in stage.build(Work(draft, inputs, _Opened(self))):  # type: ignore[arg-type]
                pass
            return int(draft.counts["negatives"])

    # -- the peer ---------------------------------------------------------------------------------------------

    def peer(self, positives: Negatives) -> Negatives:
        """The same from sentence-transformers, which is told the positives."""
        import torch

        topk = torch.topk

        def clocked(*given: Any, **options: Any) -> Any:
            found = topk(*given, **options)
            self.model.searched = time.perf_counter() - self.model.searching
            return found

        with mock.patch.object(torch, "topk", clocked):
            return peer_negatives(self.model, self.passages, positives, relative_margin=MARGIN)

    def peers_input(self, positives: int) -> Negatives:
        """The best passages of each query, which is what our rule takes."""
        vectors = self.model.encode(self.queries, "query")
        best = ExactIndex(self.vectors).search(vectors, positives).positions.tolist()
        pairs = zip(self.queries, best, strict=True)
        return {query: tuple(self.passages[at] for at in row) for query, row in pairs}


class _Clocked(DenseRetriever):
    """Says how long it searched."""

    def search(self, *given: Any, **options: Any) -> list[Ranking]:
        start = time.perf_counter()
        found = super().search(*given, **options)
        self.encoder.searched += time.perf_counter() - start  # type: ignore[attr-defined]
        return found


class _Opened:
    """What the stage asks of engines."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def encoder(self, name: str) -> Given:
        return self._task.model

    def open_dense(self, folder: Path, passages: Path, *, encoder: str) -> DenseRetriever:
        return self._task.retriever()


def peer_negatives(model: Any, passages: list[str], positives: Negatives, **options: Any) -> Negatives:
    """`mine_hard_negatives`; queries for which it finds too few are missing."""
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    rows = [(query, text) for query, texts in positives.items() for text in texts]
    columns = [list(column) for column in zip(*rows, strict=True)]
    mined = mine_hard_negatives(
        Dataset.from_dict({"query": columns[0], "passage": columns[1]}), model, corpus=passages, range_max=DEPTH,
        num_negatives=NEGATIVES, output_format="n-tuple", verbose=False, **options,
    )  # fmt: skip
    names = [name for name in mined.column_names if name.startswith("negative")]
    return {row["query"]: tuple(row[name] for name in names) for row in mined}


def synthetic(folder: Path, queries: int, passages: int, dimension: int) -> Task:
    """Passages around topics; each query near one of them."""
    vectors = make_vectors(passages, dimension, 1)
    random = np.random.default_rng(2)
    near = vectors[random.permutation(passages)[:queries]]
    asked = near + 0.7 * random.standard_normal(near.shape, dtype=np.float32) / np.sqrt(dimension)
    asked = (asked / np.linalg.norm(asked, axis=1, keepdims=True)).astype(np.float32)
    texts = [f"query {at}" for at in range(queries)], [f"passage {at}" for at in range(passages)]
    return Task(folder, *texts, np.concatenate([asked, vectors]))


def sample(folder: Path) -> Task:
    """The sample collection's texts and the shipped encoder's vectors."""
    encoder = load_encoder(str(ROOT / "assets" / "models" / "base"), device="cpu", threads=0, precision="float32")
    files = [(ROOT / "data" / "sample" / f"{name}.jsonl").read_text("utf-8") for name in ("queries", "corpus")]
    queries, passages = (list(dict.fromkeys(json.loads(line)["text"] for line in its.splitlines())) for its in files)
    vectors = np.concatenate([encoder.encode(queries, "query"), encoder.encode(passages, "passage")])
    return Task(folder, queries, passages, vectors)


def check(task: Task, positives: int) -> str:
    """Fails where negatives differ by more than the noise of fp32."""
    told, ours = task.ours(positives)
    assert told == task.peers_input(positives)
    theirs = task.peer(told)
    full = {query: its for query, its in ours.items() if len(its) == NEGATIVES}
    differ = [query for query in full if theirs.get(query) != full[query]]
    for query in differ:
        vector, both = task.model.encode([query], "query")[0], (full[query], theirs.get(query, ()))
        scores = [np.sort(task.model.encode(list(its), "passage") @ vector) for its in both if its]
        limit = (task.model.encode(list(told[query]), "passage") @ vector).min() * (1 - MARGIN)
        at_limit = abs(max(part.max() for part in scores) - limit) < 1e-6
        assert at_limit or (len(scores) == 2 and np.allclose(*scores, atol=1e-6)), query
    assert len(theirs.keys() - full.keys()) <= len(ours) / 1000
    return f"{len(full):,} of {len(ours):,} queries have {NEGATIVES} negatives; {len(full) - len(differ):,} lists equal"


def measured(contender: str, options: argparse.Namespace) -> tuple[float, float, float]:
    """Seconds of a contender in this process, those of its search, and its peak memory in GiB beside the vectors."""
    with tempfile.TemporaryDirectory() as folder:
        task = synthetic(Path(folder), options.queries, options.passages, options.dimension)
        positives = task.peers_input(options.positives) if contender == "sentence-transformers" else {}
        jobs: dict[str, Callable[[], object]] = {
            "mdr": lambda: task.ours(options.positives),
            "mdr stage": lambda: task.stage(options.positives),
            "sentence-transformers": lambda: task.peer(positives),
        }
        import sentence_transformers.util  # noqa: F401  so that no import is timed

        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = _memory("VmRSS")
        task.model.searching = task.model.searched = 0.0
        start = time.perf_counter()
        jobs[contender]()
        return time.perf_counter() - start, task.model.searched, _memory("VmHWM") - before


def _memory(what: str) -> float:
    """GiB of this process, as Linux says."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 2**20


def in_turns(options: argparse.Namespace) -> None:
    """Each contender in a process of its own, interleaved; medians."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(options.repeats):
        for contender in ("mdr", "mdr stage", "sentence-transformers"):
            command = [sys.executable, "-m", "benchmarks.mining", "--only", contender, *sys.argv[1:]]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found.setdefault(contender, []).append(tuple(json.loads(said.splitlines()[-1])))
    for contender, its in found.items():
        seconds, search, memory = (median(values) for values in zip(*its, strict=True))
        print(f"  {contender:<24}{seconds:>8.2f} s, search {search:>5.2f} s{memory:>8.2f} GiB more")


def main(options: argparse.Namespace) -> None:
    """Check, then compare."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = synthetic(folder / "synthetic", options.queries, options.passages, options.dimension)
        print(f"parity, {options.queries:,} queries × {options.passages:,} passages: {check(task, options.positives)}")
        print(f"parity, sample: {check(sample(folder / 'sample'), options.positives)}")
        del task
        print(f"\nsearch, median of {options.repeats}")
        in_turns(options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=5_000)
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--positives", type=int, default=2)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    print(json.dumps(measured(chosen.only, chosen))) if chosen.only else main(chosen)
