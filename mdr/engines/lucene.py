"""BM25 on Lucene, over one index per language: passages that have the query's words, and which words those are.

Every query is analyzed as each wanted language analyzes, and searched there; scores are merged as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from threading import Lock

from mdr.core.stopping import still_wanted
from mdr.engines.analysis import analyzer_fingerprint
from mdr.engines.lucene_index import SUMMARY, build
from mdr.engines.lucene_shard import Shard
from mdr.errors import ArtefactError, MismatchError, MissingError
from mdr.storage.files import digest, read_json
from mdr.types import Hit, Passage, Query, Ranking, Term

__all__ = ["LuceneRetriever", "analyzer_fingerprint", "build"]


class LuceneRetriever:
    """What `build` wrote into a folder. A language's index is opened when it is first searched."""

    def __init__(self, folder: Path, *, rm3: bool = False) -> None:
        if not (folder / SUMMARY).is_file():
            raise ArtefactError(f"{folder} holds no finished word index", "make it with `mdr index NAME`")
        self._folder, self._rm3 = folder, rm3
        self._summary = read_json(folder / SUMMARY)
        self._shards: dict[str, Shard] = {}
        self._lock = Lock()

    @property
    def fingerprint(self) -> str:
        """Analyzers, weights, text, and whether queries are widened."""
        return digest(["lucene", self._rm3, dict(self._summary)])

    @property
    def languages(self) -> list[str]:
        """The languages there is an index for."""
        return sorted(self._summary["counts"])

    def search(
        self,
        queries: Sequence[Query],
        k: int,
        *,
        langs: Collection[str] | None = None,
        subset: Collection[str] | None = None,
    ) -> list[Ranking]:
        """The k best passages for each query, from all wanted languages."""
        if k <= 0 or not queries:
            return [[] for _ in queries]
        shards = [self._shard(lang) for lang in self.languages if langs is None or lang in langs]
        filters = [(shard, None if subset is None else shard.filter(subset)) for shard in shards]
        if subset is not None:
            filters = [(shard, keep) for shard, keep in filters if keep is not None]
        rankings: list[Ranking] = []
        for query in queries:
            hits: list[Hit] = []
            for shard, keep in filters:
                still_wanted()
                hits += shard.top(query.text, k, keep, rm3=self._rm3)
            rankings.append(sorted(hits, key=lambda hit: (-hit.score, hit.id))[:k])
        return rankings

    def terms(self, query: str, passage: Passage) -> list[Term]:
        """The query's terms that a passage has. Their weights add up to its score, unless the query was widened."""
        if passage.lang not in self._summary["counts"]:
            raise MissingError(
                f"there is no word index for language {passage.lang!r}", f"there is one for {', '.join(self.languages)}"
            )
        return self._shard(passage.lang).terms(query, passage)

    def _shard(self, lang: str) -> Shard:
        with self._lock:
            if lang not in self._shards:
                if self._summary["analyzers"][lang] != analyzer_fingerprint([lang]):
                    raise MismatchError(
                        f"the {lang} index in {self._folder} was made with other analyzers than those installed",
                        "index the collection again: `mdr index NAME`",
                    )
                self._shards[lang] = Shard(self._folder / lang, lang, self._summary["k1"], self._summary["b"])
            return self._shards[lang]
