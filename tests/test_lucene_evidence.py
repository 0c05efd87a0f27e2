"""Which words made Lucene find a passage: where they stand, and what each gave to the score."""

from __future__ import annotations

from pathlib import Path

import pytest
from lucene_indexes import indexed, native, sentences

from mdr.engines.lucene import LuceneRetriever
from mdr.errors import MissingError
from mdr.types import Passage, Query, Term

__all__ = ["native"]  # fixtures


def marked(term: Term, passage: Passage) -> list[str]:
    return [passage.full_text[start:end] for start, end in term.spans]


@pytest.mark.parametrize(
    ("passage", "query", "expected"),
    [
        (Passage("1", "en", "Running", "He runs. 😀 She ran; they run"), "run", {"run": ["Running", "runs", "run"]}),
        (Passage("1", "ja", "", "ははは、母の日"), "ははは", None),
        (Passage("1", "ko", "", "하하하 웃음"), "하하하", {"하하": ["하하하"]}),
        (Passage("1", "zh", "", "𠮷野家在东京"), "东京", {"东京": ["东京"]}),
        (Passage("1", "th", "😀", "กรุงเทพ 😀 กรุงเทพ"), "กรุงเทพ", {"กรุงเทพ": ["กรุงเทพ", "กรุงเทพ"]}),
        (Passage("1", "sw", "", "ﬁmbo na FIMBO"), "fimbo", {"fimbo": ["ﬁmbo", "FIMBO"]}),
        (Passage("1", "en", "", "a \u202eriver\u202c or ri\u00adver"), "river", {"river": ["river", "ri\u00adver"]}),
        (Passage("1", "th", "", "\u200eไทย\u200f และ ไทย"), "ไทย", {"ไทย": ["ไทย", "ไทย"]}),
        (Passage("1", "en", "", "\ud800 river \udfff river"), "river", {"river": ["river", "river"]}),
        (Passage("1", "en", "", "a mountain"), "river", {}),
        (Passage("1", "en", "", "…"), "river", {}),
    ],
)
def test_terms_say_where_they_stand(
    passage: Passage, query: str, expected: dict[str, list[str]] | None, tmp_path: Path
) -> None:
    retriever = indexed([passage, Passage("2", passage.lang, "", "other")], tmp_path)
    terms = retriever.terms(query, passage)
    if expected is not None:
        assert {term.term: marked(term, passage) for term in terms} == expected
    for term in terms:
        flat = [place for span in term.spans for place in span]
        assert flat == sorted(flat)


def test_term_weights_add_up_to_the_score(tmp_path: Path) -> None:
    passages = [Passage(f"d{number}", "en", f"Title {number}", text) for number, text in enumerate(sentences())]
    passages.append(Passage("long", "en", "Long", "river " * 3 + "stone " * 500 + "north"))
    retriever = indexed(passages, tmp_path)
    by_id = {passage.id: passage for passage in passages}
    question = "Which rivers run in the north, and which river runs past a mountain?"
    [ranking] = retriever.search([Query("", "en", question)], 100)
    assert "long" in {hit.id for hit in ranking}
    for hit in ranking:
        terms = retriever.terms(question, by_id[hit.id])
        assert sum(term.weight for term in terms) == pytest.approx(hit.score, abs=1e-3)
        assert [term.weight for term in terms] == sorted((term.weight for term in terms), reverse=True)


def test_a_passage_as_long_as_a_book(tmp_path: Path) -> None:
    """Lucene keeps lengths in one byte; above 60,000 words that byte is negative in Java."""
    passage = Passage("book", "sw", "", "mto " * 70_000)
    retriever = indexed([passage, Passage("note", "sw", "", "mto mrefu")], tmp_path)
    [ranking] = retriever.search([Query("", "sw", "mto")], 2)
    score = {hit.id: hit.score for hit in ranking}["book"]
    [term] = retriever.terms("mto", passage)
    assert term.weight == pytest.approx(score, abs=1e-3)
    assert len(term.spans) == 70_000 and term.spans[-1] == (279_996, 279_999)


def test_terms_of_an_unknown_passage(native: tuple[LuceneRetriever, dict[str, Passage]]) -> None:
    retriever, _ = native
    with pytest.raises(MissingError, match="'nobody'"):
        retriever.terms("planet", Passage("nobody", "en", "", "planet"))
    with pytest.raises(MissingError, match="'xx'"):
        retriever.terms("planet", Passage("en-1", "xx", "", "planet"))
