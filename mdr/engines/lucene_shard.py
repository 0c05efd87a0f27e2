"""One language's Lucene index, open for any number of threads: its best passages, and why they are.

Each call into Java and each object that comes back costs a microsecond or two; a hundred hits as objects cost more
than finding them. So a ranking crosses over as two arrays, and evidence asks only for the terms that the query has.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from mdr.engines.analysis import FIELD, Analyzer
from mdr.engines.jvm import java, using
from mdr.engines.lucene_index import ID, IDS, ROW, open_directory
from mdr.errors import ArtefactError, MissingError
from mdr.storage.files import read_json
from mdr.types import Hit, Passage, Term

_MOST_CLAUSES = 1 << 20
"""A query may have as many words as it likes; Lucene alone stops at 1,024."""
_OFFSETS = 56
"""Lucene's flag for postings that say where a term stands."""
_FEEDBACK = {"terms": 10, "passages": 10, "own": 0.5}
"""RM3 as it is commonly set: how much is taken from how many passages, and how much the query itself still counts."""


class Shard:
    """An index and its analyzer. A passage's row is Lucene's document number."""

    def __init__(self, folder: Path, lang: str, k1: float, b: float) -> None:
        self._folder, self._k1, self._b = folder, k1, b
        self._analyzer = Analyzer(lang)
        self._ids: list[str] = read_json(folder / IDS)["ids"]
        self._weights = lru_cache(maxsize=64)(self._term_weights)
        with using(folder):
            self._reader = java("index.DirectoryReader").open(open_directory(folder))
            if self._reader.numDocs() != len(self._ids) or self._reader.leaves().size() != 1:
                raise ArtefactError(
                    f"{folder} holds {self._reader.numDocs():,} passages and lists {len(self._ids):,}",
                    "delete the folder, then index the collection again: `mdr index NAME`",
                )
            self._searcher = java("search.IndexSearcher")(
                self._reader, signature="(Lorg/apache/lucene/index/IndexReader;)V"
            )
            self._searcher.setMaxClauseCount(_MOST_CLAUSES)
            self._searcher.setSimilarity(java("search.similarities.BM25Similarity")(k1, b))
            self._words = java("io.anserini.search.query.BagOfWordsQueryGenerator")()
            self._arrays = java("io.anserini.search.ScoredDocs")
            by_id = java("search.SortField")(ID, java("search.SortField$Type").STRING_VAL)
            self._score_then_id = java("search.Sort")(java("search.SortField").FIELD_SCORE, by_id)

    # -- searching ----------------------------------------------------------------------------------------

    def filter(self, ids: Collection[str]) -> Any:
        """A Lucene query that keeps those of these passages that are here; None when none is."""
        rows = [self._rows[id] for id in ids if id in self._rows]
        with using(self._folder):
            return java("document.IntField").newSetQuery(ROW, *rows) if rows else None

    def top(self, text: str, k: int, keep: Any = None, *, rm3: bool = False) -> list[Hit]:
        """The k best passages, ties by id."""
        with using(self._folder):
            indexed = self._analyzer.indexed(text)
            query = self._words.buildQuery(FIELD, self._analyzer.java, indexed)
            k = min(k, len(self._ids))
            found = self._with_feedback(query, indexed, k, keep) if rm3 else self._plainly(_kept(query, keep), k)
        return sorted(found, key=lambda hit: (-hit.score, hit.id))[:k]

    def _plainly(self, query: Any, k: int) -> list[Hit]:
        found = self._hits(self._found(query, k + 1))
        # Lucene breaks ties by row, which is faster; that matters only where equals lie on both sides of the cut.
        if len(found) > k and found[k - 1].score == found[k].score:
            found = self._hits(self._found(query, k, self._score_then_id, True))
        return found

    def _with_feedback(self, query: Any, indexed: str, k: int, keep: Any) -> list[Hit]:
        """RM3: the query, widened by what the first passages it finds have in common."""
        first = self._found(_kept(query, keep), _FEEDBACK["passages"])
        wanted = java("io.anserini.search.SearchCollection$Args")()
        wanted.hits = k
        tokens = java("io.anserini.analysis.AnalyzerUtils").analyze(self._analyzer.java, indexed)
        context = java("io.anserini.rerank.RerankerContext")(
            self._searcher, None, query, None, indexed, tokens, keep, wanted
        )
        widener = java("io.anserini.rerank.lib.Rm3Reranker")(
            self._analyzer.java, None, FIELD, _FEEDBACK["terms"], _FEEDBACK["passages"], _FEEDBACK["own"], False, False
        )
        return self._hits(widener.rerank(first, context))

    def _found(self, query: Any, *how: Any) -> Any:
        return self._arrays.fromTopDocs(self._searcher.search(query, *how), self._searcher)

    def _hits(self, found: Any) -> list[Hit]:
        return [Hit(self._ids[row], score) for row, score in zip(found.lucene_docids, found.scores, strict=True)]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {id: row for row, id in enumerate(self._ids)}

    # -- evidence -----------------------------------------------------------------------------------------

    def terms(self, query: str, passage: Passage) -> list[Term]:
        """The query's terms that a passage has, heaviest first; their weights add up to its plain score."""
        if passage.id not in self._rows:
            raise MissingError(
                f"passage {passage.id!r} is not in the index {self._folder}", "index again: `mdr index NAME`"
            )
        row, weights = self._rows[passage.id], self._weights(query)
        with using(self._folder):
            vector = self._reader.termVectors().get(row, FIELD)
            if vector is None:  # a passage without a word
                return []
            entries = vector.iterator()
            here = {term: _places(entries) for term, (_, key) in weights.items() if entries.seekExact(key)}
            if not here:
                return []
            damping = self._damping(row)
        locate = self._analyzer.locate(passage.full_text)
        found = [
            Term(
                term,
                weights[term][0] * len(places) / (len(places) + damping),
                _united(locate(start, end) for start, end in places),
            )
            for term, places in here.items()
        ]
        return sorted(found, key=lambda term: (-term.weight, term.term))

    def _term_weights(self, query: str) -> dict[str, tuple[float, Any]]:
        """For each term of a query: how often it is asked for times how rare it is, and the term as Lucene keeps it."""
        weights = {}
        with using(self._folder):
            statistics = self._searcher.collectionStatistics(FIELD)
            passages = statistics.docCount() if statistics else 0
            for text, asked in Counter(self._analyzer.terms(query)).items():
                term = java("index.Term")(FIELD, text)
                if holding := self._reader.docFreq(term):
                    weights[text] = asked * math.log(1 + (passages - holding + 0.5) / (holding + 0.5)), term.bytes()
        return weights

    def _damping(self, row: int) -> float:
        """BM25's damping of repetition in a passage of this length, from the rounded length that Lucene keeps."""
        norms = self._reader.leaves().get(0).reader().getNormValues(FIELD)
        norms.advanceExact(row)
        length = java("util.SmallFloat").byte4ToInt(norms.longValue())
        return float(self._k1 * (1 - self._b + self._b * length / self._average_length))

    @cached_property
    def _average_length(self) -> float:
        statistics = self._searcher.collectionStatistics(FIELD)
        return float(statistics.sumTotalTermFreq() / statistics.docCount())


def _kept(query: Any, keep: Any) -> Any:
    """A query over the kept passages only."""
    if keep is None:
        return query
    occur = java("search.BooleanClause$Occur")
    return java("search.BooleanQuery$Builder")().add(query, occur.MUST).add(keep, occur.FILTER).build()


def _places(entries: Any) -> list[tuple[int, int]]:
    """Where the term stands that a term vector has been moved to."""
    postings = entries.postings(None, _OFFSETS)
    postings.nextDoc()
    places = []
    for _ in range(postings.freq()):
        postings.nextPosition()
        places.append((postings.startOffset(), postings.endOffset()))
    return places


def _united(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Spans in order, overlapping ones as one: character pairs of 「ははは」 overlap."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if united and start < united[-1][1]:
            united[-1] = united[-1][0], max(end, united[-1][1])
        else:
            united.append((start, end))
    return tuple(united)
