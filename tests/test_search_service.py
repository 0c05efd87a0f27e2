"""Search as people meet it: both sides of every hit, languages and quotas, and questions that the collection knows."""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mdr.errors import InputError, MdrError, MissingError
from mdr.ports import Guess
from mdr.services.search.service import MOST, SearchService, Side
from mdr.storage.collection import PASSAGES, QRELS, QUERIES, Collection, table_writer
from mdr.types import Hit, Passage, Query, Ranking, Term

LANGS = ("en", "fi", "th")
PASSAGE_ROWS = [Passage(f"p{n:03}", LANGS[n % 3], f"T{n}", f"text {n}", f"twin{n // 3}") for n in range(300)]


class Side_:
    """A retriever whose ranking is given; it filters as real ones do and remembers what it was asked."""

    fingerprint = "f"

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = ids
        self.asked: list[tuple[str, str, str]] = []

    def search(
        self, queries: Sequence[Query], k: int, *, langs: Some[str] | None = None, subset: Some[str] | None = None
    ) -> list[Ranking]:
        self.asked += queries
        lang = {row.id: row.lang for row in PASSAGE_ROWS}
        kept = [id for id in self.ids if langs is None or lang[id] in langs][:k]
        return [[Hit(id, 100.0 - rank) for rank, id in enumerate(kept)] for _ in queries]

    def like(self, passage: Passage, k: int, *, langs: Some[str] | None = None) -> Ranking:
        return self.search([Query("", "", passage.text)], k, langs=langs)[0]

    def terms(self, query: str, passage: Passage) -> list[Term]:
        return [Term("text", 1.5, ((len(passage.title) + 1, len(passage.title) + 5),))]


class Identifier:
    def identify(self, text: str) -> Guess:
        return Guess("fi", 0.9) if "?" in text else Guess("", 0.1)


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    rows: dict[str, Sequence[Any]] = {
        PASSAGES: PASSAGE_ROWS,
        QUERIES: [("q1", "th", "known question?", ""), ("q2", "en", "cafe\u0301  latte", "")],
        QRELS: [],
    }
    for name, its in rows.items():
        writer = table_writer(tmp_path / name)
        for row in its:
            writer.add(row)
        writer.close()
    return Collection(tmp_path)


@pytest.fixture
def words() -> Side_:
    return Side_([row.id for row in PASSAGE_ROWS])


@pytest.fixture
def meaning() -> Side_:
    return Side_([row.id for row in reversed(PASSAGE_ROWS)])


@pytest.fixture
def service(collection: Collection, words: Side_, meaning: Side_) -> SearchService:
    return SearchService(collection, words, meaning, Identifier())


def ids(answer: Any) -> list[str]:
    return [found.passage.id for found in answer.found]


def test_each_engine_orders_by_its_own_side(service: SearchService) -> None:
    assert ids(service.search("x", engine="bm25", k=3)) == ["p000", "p001", "p002"]
    assert ids(service.search("x", engine="dense", k=3)) == ["p299", "p298", "p297"]
    assert set(ids(service.search("x", k=2))) == {"p000", "p299"}


def test_a_hit_tells_its_place_on_both_sides(collection: Collection) -> None:
    service = SearchService(collection, Side_(["p001", "p002", "p004"]), Side_(["p002", "p003"]), Identifier())
    answer = service.search("x", engine="hybrid", k=10)
    seen = {found.passage.id: (found.lexical, found.dense, len(found.terms)) for found in answer.found}
    assert seen == {
        "p001": (Side(1, 100.0, 1.0), None, 1),
        "p002": (Side(2, 99.0, 1 / 3), Side(1, 100.0, 2 / 3), 1),  # ½ of the unit from words, 1 from meaning
        "p003": (None, Side(2, 99.0), 0),  # both lists' last: nothing to share
        "p004": (Side(3, 98.0), None, 1),
    }
    assert [found.rank for found in answer.found] == [1, 2, 3, 4]
    assert answer.found[0].passage.id == "p002"
    [term] = answer.found[0].terms
    [(begin, end)] = term.spans
    assert answer.found[0].passage.full_text[begin:end] == "text"


def test_every_engine_tells_the_place_of_both_together(collection: Collection) -> None:
    service = SearchService(collection, Side_(["p001", "p002", "p004"]), Side_(["p002", "p003"]), Identifier())
    fused = {found.passage.id: found.fused for found in service.search("x", engine="hybrid").found}
    words = service.search("x", engine="bm25")
    assert [found.fused for found in words.found] == [fused["p001"], fused["p002"], fused["p004"]]
    assert fused["p002"] and fused["p002"].rank == 1


def test_a_quota_leaves_ranks_as_they_were(collection: Collection) -> None:
    """Only one passage of a language is shown; that it was the fourth stays known."""
    service = SearchService(collection, Side_(["p000", "p003", "p006", "p001"]), Side_([]), Identifier())
    _, second = service.search("x", quota=1).found
    assert (second.rank, second.passage.id, second.fused and second.fused.rank) == (2, "p001", 4)


def test_both_sides_empty_is_an_answer(collection: Collection) -> None:
    for engine in ("bm25", "dense", "hybrid"):
        assert SearchService(collection, Side_([]), Side_([]), Identifier()).search("x", engine=engine).found == []


@pytest.mark.parametrize("engine", ["bm25", "dense", "hybrid"])
def test_languages_are_kept_before_the_cut(service: SearchService, engine: str) -> None:
    answer = service.search("x", engine=engine, k=50, langs=["Finnish", "th"])
    assert len(answer.found) == 50
    assert {found.passage.lang for found in answer.found} == {"fi", "th"}


@pytest.mark.parametrize("engine", ["bm25", "dense", "hybrid"])
def test_a_quota_holds_for_every_language(service: SearchService, engine: str) -> None:
    answer = service.search("x", engine=engine, k=10, quota=2)
    langs = [found.passage.lang for found in answer.found]
    assert sorted(langs) == ["en", "en", "fi", "fi", "th", "th"]
    assert [found.rank for found in answer.found] == list(range(1, 7))


def test_a_known_question_is_that_question(service: SearchService, words: Side_) -> None:
    answer = service.search("  known \n question? ")
    assert answer.query == Query("q1", "th", "known question?")
    assert words.asked == [answer.query]
    assert service.search("unknown question?").query == Query("", "fi", "unknown question?")


def test_a_known_question_is_known_however_it_is_typed(service: SearchService) -> None:
    """Composed or not, spaced or not: people paste what they find."""
    assert service.search("caf\u00e9 latte").query.id == "q2"
    assert service.search("cafe\u0301 latte").query.id == "q2"


def test_the_language_is_guessed_unless_it_is_said(service: SearchService) -> None:
    assert service.search("x").guess == Guess("", 0.1)
    assert service.search("x?").guess == Guess("fi", 0.9)
    assert service.search("x?", lang="Thai").guess == Guess("th", 1.0)


def test_twins_are_the_other_languages(service: SearchService, collection: Collection) -> None:
    assert [twin.id for twin in service.twins(collection.passage("p001"))] == ["p000", "p002"]
    assert service.twins(Passage("alone", "en", "", "x")) == []


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"engine": "magic"}, InputError),
        ({"k": 0}, InputError),
        ({"k": -1}, InputError),
        ({"k": MOST + 1}, InputError),
        ({"quota": -1}, InputError),
        ({"langs": ["zz"]}, MissingError),
        ({"langs": ["ru"]}, MissingError),
        ({"langs": [""]}, MissingError),
        ({"lang": "zz"}, MissingError),
        ({"text": ""}, InputError),
        ({"text": " \t\n"}, InputError),
        ({"text": "\x00\u202e\ud800"}, InputError),
        ({"text": "?!…"}, InputError),
        ({"text": "x" * 100_000}, InputError),
    ],
)
def test_what_cannot_be_answered_is_said(service: SearchService, options: dict[str, Any], kind: type[MdrError]) -> None:
    with pytest.raises(kind) as caught:
        service.search(**{"text": "x", **options})
    assert caught.value.problem
    assert caught.value.remedy


def test_hostile_text_reaches_no_engine_as_it_is(service: SearchService, words: Side_) -> None:
    service.search("a\x00b \u202e\ud800 'c\" {{d}} \U0001f600")
    assert words.asked == [Query("", "", "ab 'c\" {{d}} \U0001f600")]
