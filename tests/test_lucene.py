"""Lucene's own promises: scores, evidence, resumed builds, and a JVM that behaves."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import pytest

from mdr.core.languages import LANGUAGES
from mdr.engines import lucene_index
from mdr.engines.analysis import Analyzer, analyzer_fingerprint
from mdr.engines.jvm import java
from mdr.engines.lucene import LuceneRetriever, build
from mdr.engines.segment import words
from mdr.errors import ArtefactError, MismatchError, MissingError
from mdr.types import Passage, Query, Term

# One sentence and a question about it per language; the question has words of the sentence, inflected where it can.
NATIVE = {
    "ar": ("ولد نجيب محفوظ في القاهرة", "أين ولد محفوظ؟"),
    "bn": ("রবীন্দ্রনাথ ঠাকুর কলকাতায় জন্মগ্রহণ করেন", "রবীন্দ্রনাথ কোথায় জন্মগ্রহণ করেন?"),
    "el": ("Η Αθήνα είναι η πρωτεύουσα της Ελλάδας", "Ποια είναι η πρωτεύουσα;"),
    "en": ("Scientists discovered a new planet", "which planets were discovered?"),
    "fa": ("تهران پایتخت ایران است", "پایتخت ایران کجاست؟"),
    "fi": ("Helsinki on Suomen pääkaupunki", "Mikä on pääkaupunki?"),
    "ha": ("Kano babban birni ne a arewacin Najeriya", "Ina birni na Kano?"),
    "he": ("ירושלים היא בירת ישראל", "מהי בירת ישראל?"),
    "hi": ("दिल्ली भारत की राजधानी है", "भारत की राजधानी क्या है?"),
    "ja": ("東京は日本の首都です", "日本の首都はどこですか"),
    "km": ("ភ្នំពេញជារាជធានីនៃប្រទេសកម្ពុជា", "ប្រទេសកម្ពុជា"),
    "ko": ("서울은 대한민국의 수도이다", "대한민국의 수도는 어디인가?"),
    "pl": ("Warszawa jest stolicą Polski", "Co jest stolicą Polski?"),
    "ru": ("Москва является столицей России", "Что является столицей?"),
    "sw": ("Dodoma ni mji mkuu wa Tanzania", "Mji mkuu wa Tanzania ni upi?"),
    "te": ("హైదరాబాద్ తెలంగాణ రాజధాని", "తెలంగాణ రాజధాని ఏది?"),
    "th": ("กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย", "เมืองหลวงของไทยคือที่ใด"),
    "tr": ("Ankara Türkiye'nin başkentidir", "Türkiye'nin başkenti neresi?"),
    "uk": ("Київ є столицею України", "Яке місто є столицею?"),
    "vi": ("Hà Nội là thủ đô của Việt Nam", "Thủ đô của Việt Nam là gì?"),
    "yo": ("Ìbàdàn jẹ́ ìlú ńlá ní Nàìjíríà", "Ìlú wo ni Ìbàdàn?"),
    "zh": ("北京是中华人民共和国的首都", "中国的首都是哪里"),
}


def indexed(passages: Sequence[Passage], folder: Path, k1: float = 0.9, b: float = 0.4) -> LuceneRetriever:
    assert list(build(passages, folder, k1=k1, b=b))[-1] == len(passages)
    return LuceneRetriever(folder)


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> tuple[LuceneRetriever, dict[str, Passage]]:
    passages = [Passage(f"{lang}-1", lang, "", text) for lang, (text, _) in NATIVE.items()]
    passages += [Passage(f"{lang}-2", lang, "", "2024 … 42") for lang in NATIVE]
    return indexed(passages, tmp_path_factory.mktemp("native")), {passage.id: passage for passage in passages}


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
    passages = [Passage(f"d{number}", "en", "", text) for number, text in enumerate(_sentences())]
    ours = indexed(passages, tmp_path / "ours")
    theirs = _plain_java_searcher(passages, tmp_path / "theirs")
    for question in ("running rivers in the north", "A cat chased the small dog", "mountains"):
        [ranking] = ours.search([Query("", "en", question)], 10)
        expected = [(hit.docid, hit.score) for hit in theirs.search(question, 10)]
        assert [hit.id for hit in ranking] == [id for id, _ in expected]
        assert [hit.score for hit in ranking] == pytest.approx([score for _, score in expected], abs=1e-4)


def test_widened_rankings_equal_those_of_the_plain_java_searcher(tmp_path: Path) -> None:
    passages = [Passage(f"d{number}", "en", "", text) for number, text in enumerate(_sentences())]
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


# -- evidence -------------------------------------------------------------------------------------------------


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
    passages = [Passage(f"d{number}", "en", f"Title {number}", text) for number, text in enumerate(_sentences())]
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


# -- building -------------------------------------------------------------------------------------------------


@pytest.fixture
def many() -> list[Passage]:
    return [Passage(f"{number:03}", ("en", "th")[number % 2], "", f"river {number}") for number in range(50)]


def test_a_build_that_stopped_continues(
    many: list[Passage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lucene_index, "_COMMIT_EVERY", 10)
    given: list[str] = []
    indexed_text = Analyzer.indexed
    monkeypatch.setattr(Analyzer, "indexed", lambda self, text: given.append(text) or indexed_text(self, text))

    def failing() -> Iterator[Passage]:
        yield from many[:35]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(build(failing(), tmp_path / "stopped", k1=0.9, b=0.4))
    given.clear()
    resumed = indexed(many, tmp_path / "stopped")
    assert len(given) == 30, "ten passages of each language were committed and must not be analyzed again"

    straight = indexed(many, tmp_path / "straight")
    queries = [Query("", "en", "river 17 18"), Query("", "en", "river")]
    assert resumed.search(queries, 100) == straight.search(queries, 100)
    assert resumed.fingerprint == straight.fingerprint


def test_rows_stay_in_order_over_many_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Lucene finds is looked up by its place: merging must never shuffle."""
    monkeypatch.setattr(lucene_index, "_COMMIT_EVERY", 7)  # each commit ends a segment
    passages = [Passage(f"p{number}", "sw", "", f"neno{number} moja") for number in range(500)]
    retriever = indexed(passages, tmp_path)
    for passage in passages:
        [ranking] = retriever.search([Query("", "sw", passage.text.split()[0])], 5)
        assert [hit.id for hit in ranking] == [passage.id]


def test_a_finished_folder_is_kept_as_it_is(many: list[Passage], tmp_path: Path) -> None:
    first = indexed(many, tmp_path).search([Query("", "en", "river")], 100)
    assert indexed(many, tmp_path).search([Query("", "en", "river")], 100) == first


def test_part_of_another_collection_is_refused(
    many: list[Passage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lucene_index, "_COMMIT_EVERY", 10)
    indexed(many, tmp_path)
    changed = [passage._replace(text=passage.text + "!") for passage in many]
    with pytest.raises(ArtefactError, match="other passages"):
        list(build(changed, tmp_path, k1=0.9, b=0.4))
    with pytest.raises(ArtefactError, match="other passages"):
        list(build(many[:4], tmp_path, k1=0.9, b=0.4))


def test_an_index_by_another_analyzer_is_made_anew_and_not_read(
    many: list[Passage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed(many, tmp_path)
    monkeypatch.setattr("mdr.engines.analysis._VERSION", 0)
    with pytest.raises(MismatchError, match="other analyzers"):
        LuceneRetriever(tmp_path).search([Query("", "en", "river")], 1)
    assert len(indexed(many, tmp_path).search([Query("", "en", "river")], 100)[0]) == 50


def test_a_passage_that_lucene_loses_is_noticed(
    many: list[Passage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = lucene_index._Writer._index
    monkeypatch.setattr(
        lucene_index._Writer, "_index", lambda self, passage, row: row == 3 or index(self, passage, row)
    )
    with pytest.raises(ArtefactError, match="holds 24 of the 25 passages"):
        list(build(many, tmp_path, k1=0.9, b=0.4))


def test_a_folder_being_written_is_not_written_by_another(many: list[Passage], tmp_path: Path) -> None:
    first = build(iter(many * 100), tmp_path, k1=0.9, b=0.4)
    next(first)
    with pytest.raises(ArtefactError, match="being written"):
        list(build(many, tmp_path, k1=0.9, b=0.4))
    first.close()
    indexed(many, tmp_path)


def test_damage_is_said_plainly(many: list[Passage], tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no finished word index"):
        LuceneRetriever(tmp_path)
    indexed(many, tmp_path)
    for file in (tmp_path / "en").glob("_*"):
        file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(ArtefactError, match="cannot be used"):
        LuceneRetriever(tmp_path).search([Query("", "en", "river")], 1)
    (tmp_path / "th" / "ids.json").write_text('{"ids": ["one"]}')
    with pytest.raises(ArtefactError, match="holds 25 passages and lists 1"):
        LuceneRetriever(tmp_path).search([Query("", "en", "river")], 1, langs=["th"])


# -- the JVM --------------------------------------------------------------------------------------------------


def in_another_process(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


def test_a_killed_build_continues(tmp_path: Path) -> None:
    process = in_another_process(
        """
        import sys, time
        from pathlib import Path
        from mdr.engines import lucene_index
        from mdr.types import Passage
        lucene_index._COMMIT_EVERY = 10
        def passages():
            for number in range(25):
                yield Passage(f"{number:03}", "en", "", f"river {number}")
            print("waiting", flush=True)
            time.sleep(60)
        list(lucene_index.build(passages(), Path(sys.argv[1]), k1=0.9, b=0.4))
        """,
        tmp_path,
    )
    assert process.stdout is not None and process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with pytest.raises(ArtefactError):
        LuceneRetriever(tmp_path)
    retriever = indexed([Passage(f"{number:03}", "en", "", f"river {number}") for number in range(30)], tmp_path)
    assert len(retriever.search([Query("", "en", "river")], 100)[0]) == 30


def test_ctrl_c_stays_an_exception_and_nothing_is_printed() -> None:
    process = in_another_process(
        """
        import tempfile, time
        from pathlib import Path
        from mdr.engines.lucene import LuceneRetriever, build
        from mdr.types import Passage, Query
        with tempfile.TemporaryDirectory() as folder:
            list(build([Passage("1", "en", "", "river")], Path(folder), k1=0.9, b=0.4))
            LuceneRetriever(Path(folder)).search([Query("", "en", "river")], 1)
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            print("stopped", flush=True)
        """
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (out, err, process.returncode) == ("stopped\n", "", 0)


def test_the_fingerprint_needs_no_jvm() -> None:
    process = in_another_process(
        """
        import sys
        from mdr.engines.lucene import analyzer_fingerprint
        assert analyzer_fingerprint(["th", "en"]) == analyzer_fingerprint(["en", "th"]) != analyzer_fingerprint(["en"])
        assert not {"jnius", "pyserini", "torch"} & set(sys.modules)
        """
    )
    assert process.communicate(timeout=30) == ("", "")


def test_the_environment_is_left_as_it_was_and_does_not_matter(tmp_path: Path) -> None:
    process = in_another_process(
        """
        import os, sys
        from pathlib import Path
        from mdr.engines.lucene import LuceneRetriever, build
        from mdr.types import Passage, Query
        before = dict(os.environ)
        folder = Path(sys.argv[1]) / "ä ไทย"
        list(build([Passage("1", "en", "", "RIVER INN")], folder, k1=0.9, b=0.4))
        [[hit]] = LuceneRetriever(folder).search([Query("", "en", "river inn")], 1)
        assert dict(os.environ) == before
        """,
        tmp_path,
        JAVA_HOME="/nowhere",
        LC_ALL="C",
    )
    assert process.communicate(timeout=30) == ("", "")


def test_threads_searching_and_explaining_at_once_get_the_same(
    native: tuple[LuceneRetriever, dict[str, Passage]],
) -> None:
    """As visitors do: Java objects are shared by all threads, and none may see another's answer."""
    retriever, passages = native

    def answer(lang: str) -> list[tuple[str, list[Term]]]:
        query = NATIVE[lang][1]
        [ranking] = retriever.search([Query("", lang, query)], 3)
        return [(hit.id, retriever.terms(query, passages[hit.id])) for hit in ranking]

    alone = {lang: answer(lang) for lang in NATIVE}
    with ThreadPoolExecutor(8) as pool:
        for lang, together in zip([*NATIVE] * 6, pool.map(answer, [*NATIVE] * 6), strict=True):
            assert together == alone[lang]


def test_threads_that_end_are_forgotten(native: tuple[LuceneRetriever, dict[str, Passage]]) -> None:
    retriever, _ = native

    def search() -> None:
        retriever.search([Query("", "en", "planet")], 1, langs=["en"])

    def java_threads() -> int:
        return int(java("java.lang.Thread").getAllStackTraces().size())

    search()
    before = java_threads()
    for _ in range(40):
        thread = Thread(target=search)
        thread.start()
        thread.join()
    deadline = time.monotonic() + 5
    while java_threads() > before + 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert java_threads() <= before + 2


# -- oracles --------------------------------------------------------------------------------------------------


def _sentences() -> list[str]:
    """Eighty sentences with many common words and few equal ones."""
    who = ["A cat", "The dog", "Some rivers", "A mountain", "Two old men", "The north wind", "My neighbour", "A train"]
    does = ["runs past", "chased", "was seen near", "waits for", "crosses"]
    what = ["the small village", "a river in the north"]
    return [f"{a} {b} {c}." + " Nothing else." * (len(a + b) % 3) for a in who for b in does for c in what]


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
