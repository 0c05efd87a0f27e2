"""What a generator is worth: does it ask in the right language, do its questions lead back, does it know what answers?

Four numbers per language of a collection that was imported and indexed (`mdr import`, `mdr index`), none of which the
generator may have been trained on:

    language    its question is in the passage's language, as the identifier sees it among all languages of the models
    round trip  the question finds its passage in the top 3 of (at most) 1,000 passages of the language, by words
    likelihood  a real question is likelier given its own passage than given a random one of the same language
    rerank      MRR@10 of the hybrid's top 20, before and after the likelihood is added; its weight is tuned on --dev

    python -m benchmarks.generator_quality NAME [--generator FOLDER] [--split test] [--dev dev] [--count 200]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from mdr.core.languages import code_of
from mdr.engines.retrievers import HybridRetriever
from mdr.ports import Generator, Retriever
from mdr.recipes.baselines import COLLECTION, DENSE, LEXICAL
from mdr.storage.collection import Collection
from mdr.training.texts import LANGS
from mdr.types import Hit, Passage, Qrels, Query
from mdr.workbench import Workbench

POOL, TOP, DEEP = 1_000, 3, 20
WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0)


def sample(items: Sequence[str], count: int, seed: int) -> list[str]:
    """Some of them, in a random order."""
    order = np.random.default_rng(seed).permutation(len(items))
    return [items[place] for place in order[:count]]


def writes(
    bench: Workbench, generator: Generator, collection: Collection, lexical: Retriever, lang: str, count: int
) -> tuple[float, float, list[tuple[str, str]]]:
    """Shares of questions in the language and of those that lead back; a few of them to look at."""
    own = [id for id, its in zip(collection.ids, collection.langs.tolist(), strict=True) if code_of(its) == lang]
    pool = sample(own, POOL, 1)
    passages = [collection.passage(id) for id in pool[:count]]
    questions = [texts[0] for texts in generator.write(passages, [lang] * len(passages), n=1, seed=0)]
    identifier = bench.language_identifier(sorted(LANGS))
    right = [identifier.identify(question).lang == lang for question in questions]
    asked = [Query(str(place), lang, question) for place, question in enumerate(questions)]
    found = lexical.search(asked, TOP, langs=[lang], subset=set(pool))
    back = [passage.id in {hit.id for hit in hits} for passage, hits in zip(passages, found, strict=True)]
    shown = [(question, passage.full_text[:60]) for question, passage in zip(questions[:3], passages, strict=False)]
    return float(np.mean(right)), float(np.mean(back)), shown


def knows(generator: Generator, collection: Collection, queries: Sequence[Query], qrels: Qrels, lang: str) -> float:
    """How often a question's own passage beats a random one."""
    own = [id for id, its in zip(collection.ids, collection.langs.tolist(), strict=True) if code_of(its) == lang]
    random = np.random.default_rng(2)
    gold = [collection.passage(next(id for id, grade in qrels[query.id].items() if grade > 0)) for query in queries]
    other = [collection.passage(own[random.integers(len(own))]) for _ in queries]
    return float(np.mean(generator.log_likelihood(queries, gold) > generator.log_likelihood(queries, other)))


def reranked(hits: Sequence[Hit], likelihood: Sequence[float], weight: float) -> list[str]:
    """The first hits by their score and the likelihood, each as far from its mean as usual."""

    def scaled(values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        found = np.asarray(values, float)
        return (found - found.mean()) / max(float(found.std()), 1e-9)

    scores = scaled([hit.score for hit in hits]) + weight * scaled(likelihood)
    return [hits[place].id for place in np.argsort(-scores, kind="stable")]


def reciprocal(ids: Sequence[str], grades: dict[str, int]) -> float:
    """1 / the rank of the first right one among ten."""
    return next((1 / rank for rank, id in enumerate(ids[:10], 1) if grades.get(id, 0) > 0), 0.0)


def rerank(
    generator: Generator, search: Retriever, collection: Collection, queries: Sequence[Query], qrels: Qrels, lang: str
) -> dict[float, float]:
    """MRR@10 by weight of the likelihood."""
    rankings = search.search(queries, DEEP, langs=[lang])
    asked: list[Query] = []
    told: list[Passage] = []
    for query, hits in zip(queries, rankings, strict=True):
        asked += [query] * len(hits)
        told += [collection.passage(hit.id) for hit in hits]
    likelihood = generator.log_likelihood(asked, told).tolist()
    values: dict[float, list[float]] = {weight: [] for weight in WEIGHTS}
    for query, hits in zip(queries, rankings, strict=True):
        own, likelihood = likelihood[: len(hits)], likelihood[len(hits) :]
        for weight in WEIGHTS:
            values[weight].append(reciprocal(reranked(hits, own, weight), dict(qrels[query.id])) if hits else 0.0)
    return {weight: float(np.mean(each)) for weight, each in values.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", help="an imported, indexed collection")
    parser.add_argument("--generator", default="", help="model folder; without: the shipped one")
    parser.add_argument("--split", default="test")
    parser.add_argument("--dev", default="dev")
    parser.add_argument("--count", type=int, default=200, help="passages and questions of each language")
    options = parser.parse_args()
    bench = Workbench()
    collection = Collection(bench.artefact(options.name, COLLECTION).folder)
    lexical = bench.open_lexical(bench.artefact(options.name, LEXICAL).folder)
    dense = bench.artefact(options.name, DENSE)
    encoder = str(dense.manifest.settings["encoder"])
    folder = bench.artefact(options.name, COLLECTION).folder
    search = HybridRetriever(lexical, bench.open_dense(dense.folder, folder, encoder=encoder))
    generator = bench.generator(options.generator)
    langs = sorted({code_of(lang) for lang in collection.languages})

    def asked(split: str, lang: str) -> tuple[list[Query], Qrels]:
        qrels = collection.qrels(split)
        own = {
            query.id: query for query in collection.queries(split) if code_of(query.lang) == lang and query.id in qrels
        }
        return [own[id] for id in sample(sorted(own), options.count, 3)], qrels

    tuned = [
        rerank(generator, search, collection, *asked(options.dev, lang), lang)
        for lang in langs
        if asked(options.dev, lang)[0]
    ]
    weight = max(WEIGHTS, key=lambda each: float(np.mean([row[each] for row in tuned]))) if tuned else 0.0
    print(f"weight of the likelihood, tuned on {options.dev}: {weight}")
    print(f"{'':6}{'language':>10}{'round trip':>12}{'likelihood':>12}{'hybrid':>9}{'reranked':>10}")
    rows = []
    for lang in langs:
        queries, qrels = asked(options.split, lang)
        right, back, shown = writes(bench, generator, collection, lexical, lang, options.count)
        ranks = rerank(generator, search, collection, queries, qrels, lang)
        row = (right, back, knows(generator, collection, queries, qrels, lang), ranks[0.0], ranks[weight])
        rows.append(row)
        print(f"{lang:6}{row[0]:>10.3f}{row[1]:>12.3f}{row[2]:>12.3f}{row[3]:>9.3f}{row[4]:>10.3f}", flush=True)
        for question, passage in shown:
            print(f"         {question!r}  ← {passage!r}")
    mean = np.mean(rows, axis=0)
    print(f"{'macro':6}{mean[0]:>10.3f}{mean[1]:>12.3f}{mean[2]:>12.3f}{mean[3]:>9.3f}{mean[4]:>10.3f}")


if __name__ == "__main__":
    main()
