"""Lucene finds text in every language, and scores as BM25 says."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from lucene_indexes import NATIVE, indexed, native, sentences

from mdr.core.languages import LANGUAGES
from mdr.engines.analysis import Analyzer, analyzer_fingerprint
from mdr.engines.jvm import java
from mdr.engines.lucene import LuceneRetriever, build
from mdr.engines.segment import words
from mdr.errors import MissingError
from mdr.types import Passage, Query

__all__ = ["native"]  # fixtures


# -- languages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_has_an_analyzer_that_works(lang: str) -> None:
    assert "2024" in Analyzer(lang).terms("2024 — test")


@pytest.mark.parametrize("lang", NATIVE)
def test_native_questions_find_native_text(
    native: tuple[LuceneRetriever, dict[str, Passage]], lang: str
) -> None:
    retriever, passages = native
    [ranking] = retriever.search([Query("", lang, NATIVE[lang][1])], 5, langs=[lang])
    assert [hit.id for hit in ranking] == [f"{lang}-1"]
    terms = retriever.terms(NATIVE[lang][1], passages[f"{lang}-1"])
    assert sum(term.weight for term in terms) == pytest.approx(ranking[0].score, abs=1e-3)
    assert all(term.spans for term in terms)


@pytest.mark.parametrize("lang", ["th", "km", "vi", "he"])
def test_no_passage_is_lost_where_lucene_has_no_analyzer(lang: str, tmp_path: Path) -> None:
    retriever = indexed([Passage(str(number), lang, "", NATIVE[lang][0]) for number in range(20)], tmp_path)
    [ranking] = retriever.search([Query("", lang, NATIVE[lang][1])], 100)
    assert len(ranking) == 20


def test_an_unknown_language_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="'xx' is not known"):
        list(build([Passage("1", "xx", "", "text")], tmp_path, k1=0.9, b=0.4))


def test_width_case_and_apostrophes_do_not_matter(tmp_path: Path) -> None:
    retriever = indexed([Passage("1", "sw", "", "Ng’ombe wa ＡＢＣ")], tmp_path)
    assert [len(ranking) for ranking in retriever.search([Query("", "sw", "NG'OMBE"), Query("", "sw", "abc")], 1)] == [
        1,
        1,
    ]


# -- scores ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.2, 0.75), (0.0, 0.0)])
def test_scores_are_bm25(k1: float, b: float, tmp_path: Path) -> None:
    """Against the formula, on lengths below 40 words, which Lucene keeps exactly."""
    texts = {
        "a": "mto mrefu mto mpana",
        "b": "mto mfupi katika nchi ya mbali sana",
        "c": "mlima mrefu",
        "d": "ziwa kubwa na kisiwa kidogo",
    }
    retriever = indexed([Passage(id, "sw", "", text) for id, text in texts.items()], tmp_path, k1, b)
    [ranking] = retriever.search([Query("", "sw", "mto mrefu mrefu")], 10)

    documents = {id: Counter(text.split()) for id, text in texts.items()}
    average = sum(map(Counter.total, documents.values())) / len(documents)
    expected: dict[str, float] = {}
    for term in ["mto", "mrefu", "mrefu"]:
        holding = [id for id, counts in documents.items() if term in counts]
        idf = math.log(1 + (len(texts) - len(holding) + 0.5) / (len(holding) + 0.5))
        for id in holding:
            tf = documents[id][term]
            length = documents[id].total()
            expected[id] = expected.get(id, 0) + idf * tf / (tf + k1 * (1 - b + b * length / average))
    assert {hit.id: hit.score for hit in ranking} == pytest.approx(expected, abs=1e-4)


def test_rankings_equal_those_of_the_plain_java_searcher(tmp_path: Path) -> None:
    """Anserini's indexer and searcher, run directly, are the oracle: same analyzer, same weights."""
    passages = [Passage(f"d{number}", "en", "", text) for number, text in enumerate(sentences())]
    ours = indexed(passages, tmp_path / "ours")
    theirs = _plain_java_searcher(passages, tmp_path / "theirs")
    for question in ("running rivers in the north", "A cat chased the small dog", "mountains"):
        [ranking] = ours.search([Query("", "en", question)], 10)
        expected = [(hit.docid, hit.score) for hit in theirs.search(question, 10)]
        assert [hit.id for hit in ranking] == [id for id, _ in expected]
        assert [hit.score for hit in ranking] == pytest.approx([score for _, score in expected], abs=1e-4)


def test_widened_rankings_equal_those_of_the_plain_java_searcher(tmp_path: Path) -> None:
    passages = [Passage(f"d{number}", "en", "", text) for number, text in enumerate(sentences())]
    indexed(passages, tmp_path / "ours")
    ours = LuceneRetriever(tmp_path / "ours", rm3=True)
    theirs = _plain_java_searcher(passages, tmp_path / "theirs")
    theirs.set_rm3(None, 10, 10, 0.5, False, False)
    [ranking] = ours.search([Query("", "en", "river north")], 5)
    expected = [(hit.docid, hit.score) for hit in theirs.search("river north", 5)]
    assert [hit.id for hit in ranking] == [id for id, _ in expected]
    assert [hit.score for hit in ranking] == pytest.approx([score for _, score in expected], abs=1e-3)


def test_widening_finds_what_shares_no_word_with_the_query(tmp_path: Path) -> None:
    passages = [
        Passage("both", "en", "", "The physician examined the patient in the hospital ward."),
        Passage("also", "en", "", "A physician visited the hospital ward at night."),
        Passage("hidden", "en", "", "The hospital ward was crowded."),
        *(Passage(f"other-{number}", "en", "", f"Apples grow on tree {number}.") for number in range(30)),
    ]
    plain = indexed(passages, tmp_path)
    query = Query("", "en", "physician")
    assert "hidden" not in {hit.id for hit in plain.search([query], 10)[0]}
    widened = LuceneRetriever(tmp_path, rm3=True)
    assert "hidden" in {hit.id for hit in widened.search([query], 10)[0]}
    assert "hidden" not in {hit.id for hit in widened.search([query], 10, subset=["both", "other-1"])[0]}
    assert widened.fingerprint != plain.fingerprint


def test_other_weights_or_texts_are_another_fingerprint(tmp_path: Path) -> None:
    passages = [Passage("1", "en", "", "text")]
    first = indexed(passages, tmp_path / "1").fingerprint
    assert indexed(passages, tmp_path / "2").fingerprint == first
    assert indexed(passages, tmp_path / "3", k1=1.2).fingerprint != first
    assert indexed([Passage("1", "en", "", "other")], tmp_path / "4").fingerprint != first


# -- oracles --------------------------------------------------------------------------------------------------


def _plain_java_searcher(passages: Sequence[Passage], folder: Path):  # type: ignore[no-untyped-def]
    import json

    arguments = ["-input", "", "-collection", "JsonCollection", "-index", str(folder), "-storeDocvectors"]
    indexer = java("io.anserini.index.SimpleIndexer")(arguments)
    for passage in passages:
        assert indexer.addRawDocument(json.dumps({"id": passage.id, "contents": passage.full_text}))
    indexer.close()
    searcher = java("io.anserini.search.SimpleSearcher")(str(folder))
    searcher.set_bm25(0.9, 0.4)
    return searcher


def test_segments_keep_their_places() -> None:
    text = "😀 กรุงเทพ 2024 ABC"
    assert [text[word.start : word.end] for word in words(text, "th")] == ["กรุงเทพ", "2024", "ABC"]
    assert analyzer_fingerprint(["th"]) != analyzer_fingerprint(["km"])
