"""Lexical search: this project beside Lucene called directly, pyserini's own searcher, and bm25s.

What is compared, on one made-up English collection (`--passages`, words drawn by Zipf's law), k1 0.9, b 0.4, k 100:

  cold    a new process until its first hits, from start to exit, and the processor time that takes: ours;
          pyserini's LuceneSearcher (with the Java and the key it needs)
  warm    one query at a time: ours; Anserini's SimpleSearcher called from Python, its Java objects left unread, and
          with the ids and scores taken out; bm25s over the same terms
  index   passages a second: ours; Anserini's indexer storing the same; bm25s with its terms ready

Parity first: ours and the plain searcher must give the same ids and scores, and bm25s nearly so (it does not round
passage lengths). Then repeats, interleaved; medians.

    python -m benchmarks.lexical [--passages 20000] [--queries 300] [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mdr.engines.analysis import Analyzer
from mdr.engines.jvm import java
from mdr.engines.lucene import LuceneRetriever, build
from mdr.types import Passage, Query

K, K1, B = 100, 0.9, 0.4

OURS_COLD = """
import sys
from pathlib import Path
from mdr.engines.lucene import LuceneRetriever
from mdr.types import Query
[ranking] = LuceneRetriever(Path(sys.argv[1])).search([Query("", "en", sys.argv[2])], 100)
print(ranking[0].id, flush=True)
"""
THEIRS_COLD = """
import sys
from mdr.engines.jvm import start
start()  # left alone, pyserini asks the packaged Java for a module that it lacks, and the process dies
from pyserini.search.lucene import LuceneSearcher
searcher = LuceneSearcher(sys.argv[1])
searcher.set_bm25(0.9, 0.4)
print(searcher.search(sys.argv[2], k=100)[0].docid, flush=True)
"""


def made_up(count: int, seed: int = 1) -> Iterator[Passage]:
    """Passages of 30 to 120 words from a vocabulary of 50,000."""
    chance = random.Random(seed)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "ar", "en", "il")]
    vocabulary = sorted({"".join(chance.choices(syllables, k=chance.randint(2, 4))) for _ in range(60_000)})[:50_000]
    chance.shuffle(vocabulary)
    weights = [1 / rank for rank in range(1, len(vocabulary) + 1)]
    for number in range(count):
        words = chance.choices(vocabulary, weights, k=chance.randint(30, 120))
        yield Passage(f"p{number:07}", "en", "", " ".join(words))


def questions(passages: list[Passage], count: int) -> list[Query]:
    """Six words each, from one passage."""
    chance = random.Random(2)
    return [
        Query(str(number), "en", " ".join(chance.sample(chance.choice(passages).text.split(), 6)))
        for number in range(count)
    ]


def anserini_index(passages: list[Passage], folder: Path) -> None:
    """What pyserini's indexer does, storing no more than we do."""
    arguments = ["-input", "", "-collection", "JsonCollection", "-index", str(folder), "-threads", "2"]
    indexer = java("io.anserini.index.SimpleIndexer")([*arguments, "-storeDocvectors", "-storePositions", "-optimize"])
    batch = [json.dumps({"id": passage.id, "contents": passage.full_text}) for passage in passages]
    for start in range(0, len(batch), 1_000):
        indexer.addRawDocuments(batch[start : start + 1_000])
    indexer.close()


def seconds(work: Callable[[], Any]) -> float:
    """How long it takes, once."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def children() -> float:
    """Processor seconds that other processes of ours have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def process(code: str, *arguments: str) -> str:
    """What a new Python prints."""
    environment = {**os.environ, "OPENAI_API_KEY": "placeholder", "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return ran.stdout.split()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    import bm25s

    passages = list(made_up(options.passages))
    queries = questions(passages, options.queries)
    with tempfile.TemporaryDirectory() as place:
        ours_folder, theirs_folder = Path(place) / "ours", Path(place) / "theirs"
        list(build(passages[:2_000], Path(place) / "warming", k1=K1, b=B))
        analyzer = Analyzer("en")
        terms = [analyzer.terms(passage.full_text) for passage in passages]
        words = bm25s.BM25(method="lucene", k1=K1, b=B)
        index = {
            "ours": seconds(lambda: list(build(passages, ours_folder, k1=K1, b=B))),
            "anserini": seconds(lambda: anserini_index(passages, theirs_folder)),
            "bm25s": seconds(lambda: words.index(terms, show_progress=False)),
        }
        ours = LuceneRetriever(ours_folder)
        theirs = java("io.anserini.search.SimpleSearcher")(str(theirs_folder))
        theirs.set_bm25(K1, B)

        def bm25s_search(query: Query) -> list[str]:
            found, _ = words.retrieve([analyzer.terms(query.text)], k=K, show_progress=False)
            return [passages[row].id for row in found[0]]

        check_parity(ours, theirs, bm25s_search, queries)
        ways: dict[str, Callable[[Query], Any]] = {
            "ours": lambda query: ours.search([query], K),
            "java, objects unread": lambda query: theirs.search(query.text, K),
            "java, ids and scores": lambda query: [(hit.docid, hit.score) for hit in theirs.search(query.text, K)],
            "bm25s": bm25s_search,
        }
        warm: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.repeats + 1):
            for query in queries:
                for name, search in ways.items():
                    warm[name].append(seconds(lambda search=search, query=query: search(query)))
        first = process(OURS_COLD, str(ours_folder), queries[0].text)
        assert first == process(THEIRS_COLD, str(theirs_folder), queries[0].text), "the first hits differ"
        starts = {"ours": (OURS_COLD, ours_folder), "pyserini": (THEIRS_COLD, theirs_folder)}
        cold: dict[str, list[tuple[float, float]]] = {name: [] for name in starts}
        for _ in range(options.repeats):
            for name, (code, folder) in starts.items():
                before = children()
                took = seconds(lambda code=code, folder=folder: process(code, str(folder), queries[0].text))
                cold[name].append((took, children() - before))

    print(f"{options.passages:,} passages, {options.queries} queries, k {K}; load {os.getloadavg()[0]:.1f}")
    for name, times in warm.items():
        times = times[len(queries) :]  # the first round warms up
        p95 = statistics.quantiles(times, n=20)[-1]
        print(f"warm   {name:22} p50 {1e3 * statistics.median(times):7.3f} ms   p95 {1e3 * p95:7.3f} ms")
    for name, pairs in cold.items():
        wall, processor = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"cold   {name:22} {wall:7.2f} s   processor {processor:7.2f} s")
    for name, took in index.items():
        print(f"index  {name:22} {len(passages) / took:7,.0f} passages/s")


def check_parity(
    ours: LuceneRetriever, theirs: Any, bm25s_search: Callable[[Query], list[str]], queries: list[Query]
) -> None:
    """The same ids and scores as the plain searcher; nearly the same first ten as bm25s."""
    shared = 0
    for query in queries:
        [ranking] = ours.search([query], K)
        plain = [(hit.docid, hit.score) for hit in theirs.search(query.text, K)]
        assert [hit.id for hit in ranking] == [id for id, _ in plain], query
        assert all(abs(hit.score - score) < 1e-4 for hit, (_, score) in zip(ranking, plain, strict=True)), query
        shared += len({hit.id for hit in ranking[:10]} & set(bm25s_search(query)[:10]))
    assert shared >= 0.9 * 10 * len(queries), f"bm25s shares {shared / len(queries):.2f} of ten"
    print(f"parity: plain Java searcher equal; bm25s shares {shared / len(queries):.2f} of the first 10")


if __name__ == "__main__":
    main()
