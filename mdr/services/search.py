"""Search as a person means it: a text in any language, passages in every language, and where each came from."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mdr.core.fusion import FUSIONS, with_quota
from mdr.core.languages import code_of
from mdr.core.text import clean, clean_query
from mdr.errors import InputError, MissingError
from mdr.ports import Guess, LanguageIdentifier, LexicalRetriever, Retriever
from mdr.storage.collection import Collection
from mdr.types import Hit, Passage, Query, Ranking, Term

ENGINES = {"hybrid": "words and meaning together", "dense": "meaning", "bm25": "words"}
DEPTH = 100
"""How deep each side looks; ranks beyond are unknown, not zero."""
MOST = 100


@dataclass(frozen=True)
class Side:
    """Where one side put a passage."""

    rank: int
    score: float


@dataclass(frozen=True)
class Found:
    """A passage in an answer, with what each side said of it; None: not among its first hundred."""

    rank: int
    score: float
    passage: Passage
    lexical: Side | None
    dense: Side | None
    terms: Sequence[Term] = ()


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
        dense: Retriever,
        identifier: LanguageIdentifier,
        *,
        fusion: str = "mr-tydi",
        alpha: float = 1.0,
    ) -> None:
        self.collection = collection
        self._lexical, self._dense, self._identifier = lexical, dense, identifier
        self._fuse, self._alpha = FUSIONS[fusion], alpha
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
        [words] = self._lexical.search([query], DEPTH, langs=wanted)
        [meaning] = self._dense.search([query], DEPTH, langs=wanted)
        if engine == "hybrid":
            ranking: Ranking = self._fuse(words, meaning, 2 * DEPTH, self._alpha)
        else:
            ranking = words if engine == "bm25" else meaning
        if quota:
            ranking = with_quota(ranking, self.collection.lang_of, quota)
        found = self._found(query, ranking[:k], _sides(words), _sides(meaning))
        return Answer(query, guess, engine, found, 1000 * (time.perf_counter() - started), self._fingerprints)

    def recognise(self, text: str, lang: str = "") -> tuple[Query, Guess]:
        """The query that a typed text is: cleaned, in its language, and with its id where the collection has it."""
        text = clean_query(text)
        guess = Guess(code_of(lang), 1.0) if lang else self._identifier.identify(text)
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

    def _found(
        self, query: Query, ranking: Sequence[Hit], words: Mapping[str, Side], meaning: Mapping[str, Side]
    ) -> list[Found]:
        found = []
        for rank, hit in enumerate(ranking, 1):
            passage = self.collection.passage(hit.id)
            terms = self._lexical.terms(query.text, passage) if hit.id in words else []
            found.append(Found(rank, hit.score, passage, words.get(hit.id), meaning.get(hit.id), terms))
        return found


def _sides(ranking: Ranking) -> dict[str, Side]:
    return {hit.id: Side(rank, hit.score) for rank, hit in enumerate(ranking, 1)}
