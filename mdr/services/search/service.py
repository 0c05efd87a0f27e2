"""Search as a person means it: a text in any language, passages in every language, and where each came from."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mdr.core.fusion import FUSIONS, SIDES, with_quota
from mdr.core.languages import code_of
from mdr.core.stopping import still_wanted
from mdr.core.text import clean, clean_query
from mdr.errors import InputError, MissingError
from mdr.ports import DenseRetriever, Guess, LanguageIdentifier, LexicalRetriever
from mdr.storage.collection import Collection
from mdr.types import Passage, Query, Ranking, Run, Term

ENGINES = {"hybrid": "words and meaning together", "dense": "meaning", "bm25": "words"}
DEPTH = 100
"""How deep each side looks; ranks beyond are unknown, not zero."""
MOST = 100


@dataclass(frozen=True)
class Side:
    """Where one side put a passage. `share`: how much of what both sides together give it comes from this one, 0…1."""

    rank: int
    score: float
    share: float | None = None


@dataclass(frozen=True)
class Found:
    """A passage in an answer, with what each side said of it, and both together; None: not among its first hundred.
    `rank` counts what is shown: a quota leaves out what the sides' own ranks count."""

    rank: int
    score: float
    passage: Passage
    lexical: Side | None
    dense: Side | None
    terms: Sequence[Term] = ()
    fused: Side | None = None


@dataclass(frozen=True)
class Answer:
    """What a search gave, and how."""

    query: Query
    guess: Guess
    engine: str
    found: Sequence[Found]
    milliseconds: float
    fingerprints: Mapping[str, str] = field(default_factory=dict)


class SearchService:
    """One collection, searched by words, by meaning, or by both."""

    def __init__(
        self,
        collection: Collection,
        lexical: LexicalRetriever,
        dense: DenseRetriever,
        identifier: LanguageIdentifier,
        *,
        fusion: str = "mr-tydi",
        alpha: float = 1.0,
    ) -> None:
        self.collection = collection
        self.lexical, self.dense, self.identifier = lexical, dense, identifier
        self._fuse, self._worth, self._alpha = FUSIONS[fusion], SIDES[fusion], alpha
        self._fingerprints = {"lexical": lexical.fingerprint, "dense": dense.fingerprint}
        # A typed question that the collection has counts as that question: its grades can be evaluated.
        self._known = {clean(query.text): query for query in collection.queries()}

    @property
    def languages(self) -> list[str]:
        """The languages that passages can be in."""
        return self.collection.languages

    def search(
        self,
        text: str,
        *,
        engine: str = "hybrid",
        k: int = 10,
        langs: Sequence[str] = (),
        quota: int = 0,
        lang: str = "",
    ) -> Answer:
        """The k best passages. `langs` keeps passages in those languages (empty: all), `quota` allows at most so
        many of one language (0: any number), `lang` is the query's language where the caller knows it."""
        started = time.perf_counter()
        if engine not in ENGINES:
            raise InputError(f"there is no engine {engine!r}", f"engines are {', '.join(ENGINES)}")
        if not 1 <= k <= MOST:
            raise InputError(f"{k} results were asked for", f"ask for 1 to {MOST}")
        wanted = self._wanted(langs)
        query, guess = self.recognise(text, lang)

        # Both sides are always asked: a hit shows its rank on each, whichever engine ordered the answer.
        [words] = self.lexical.search([query], DEPTH, langs=wanted)
        still_wanted()
        [meaning] = self.dense.search([query], DEPTH, langs=wanted)
        fused = self._fuse(words, meaning, 2 * DEPTH, self._alpha)
        rankings: Mapping[str, Ranking] = {"hybrid": fused, "bm25": words, "dense": meaning}
        ranking = rankings[engine]
        if quota:
            ranking = with_quota(ranking, self.collection.lang_of, quota)
        found = self._found(query, ranking[:k], *self._sides(words, meaning), _places(fused))
        return Answer(query, guess, engine, found, 1000 * (time.perf_counter() - started), self._fingerprints)

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """What names the state of each side."""
        return self._fingerprints

    def runs(self, queries: Sequence[Query], depth: int) -> dict[str, Run]:
        """What each engine finds for queries of the collection: what judges' pools are made of."""
        looked = max(depth, DEPTH)  # as deep as a search looks, or the fusion would differ
        words, meaning = self.lexical.search(queries, looked), self.dense.search(queries, looked)
        both = [self._fuse(left, right, looked, self._alpha) for left, right in zip(words, meaning, strict=True)]
        ids = [query.id for query in queries]
        found: dict[str, Sequence[Ranking]] = {"bm25": words, "dense": meaning, "hybrid": both}
        return {name: dict(zip(ids, rankings, strict=True)) for name, rankings in found.items()}

    def recognise(self, text: str, lang: str = "") -> tuple[Query, Guess]:
        """The query that a typed text is: cleaned, in its language, and with its id where the collection has it."""
        text = clean_query(text)
        guess = Guess(code_of(lang), 1.0) if lang else self.identifier.identify(text)
        return self._known.get(text) or Query("", guess.lang, text), guess

    def twins(self, passage: Passage) -> list[Passage]:
        """The versions of a passage in other languages."""
        positions = self.collection.twins.get(passage.twin, []) if passage.twin else []
        return [twin for twin in map(self.collection.at, positions) if twin.id != passage.id]

    def _wanted(self, langs: Sequence[str]) -> list[str] | None:
        wanted = [code_of(lang) for lang in langs]
        if missing := [lang for lang in wanted if lang not in self.languages]:
            raise MissingError(
                f"no passages in {', '.join(missing)}", f"this collection has {', '.join(self.languages)}"
            )
        return wanted or None

    def _sides(self, words: Ranking, meaning: Ranking) -> tuple[dict[str, Side], dict[str, Side]]:
        """Each side's places, with its share of what the fusion adds up."""
        lexical, dense = self._worth(words), self._worth(meaning)
        both = {id: lexical.get(id, 0.0) + self._alpha * dense.get(id, 0.0) for id in {**lexical, **dense}}

        def sides(ranking: Ranking, worth: Mapping[str, float], weight: float) -> dict[str, Side]:
            return {
                id: replace(side, share=weight * worth[id] / both[id] if both[id] else None)
                for id, side in _places(ranking).items()
            }

        return sides(words, lexical, 1.0), sides(meaning, dense, self._alpha)

    def _found(
        self,
        query: Query,
        ranking: Ranking,
        words: Mapping[str, Side],
        meaning: Mapping[str, Side],
        fused: Mapping[str, Side],
    ) -> list[Found]:
        found = []
        for rank, (id, score) in enumerate(ranking, 1):
            still_wanted()
            passage = self.collection.passage(id)
            terms = self.lexical.terms(query.text, passage) if id in words else []
            found.append(Found(rank, score, passage, words.get(id), meaning.get(id), terms, fused.get(id)))
        return found


def _places(ranking: Ranking) -> dict[str, Side]:
    return {hit.id: Side(rank, hit.score) for rank, hit in enumerate(ranking, 1)}
