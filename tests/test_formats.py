"""Formats give back what they wrote, whatever the texts hold; and read what is published."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdr.errors import InputError, UnavailableError
from mdr.formats import FORMATS, export_collection, format_of
from mdr.formats.records import Asked, Cursor, Graded, Options, Record
from mdr.types import Passage, Query

SHARED = Path(os.environ.get("MDR_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
PUBLISHED = SHARED / "raw-formats"


def read(format: str, path: Path, **options: object) -> list[Record]:
    """All records of a path."""
    return list(FORMATS[format].read(path, Options(**options), Cursor()))  # type: ignore[arg-type]


def kinds(records: Iterable[Record]) -> tuple[set[Passage], set[Asked], set[Graded]]:
    """Records by kind, without their order."""
    records = list(records)
    passages, queries, grades = (
        {record for record in records if isinstance(record, kind)} for kind in (Passage, Asked, Graded)
    )
    return passages, queries, grades


def lines(path: Path, *rows: object) -> Path:
    """A file of lines; rows that are no text are written as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


# -- what was written comes back --------------------------------------------------------------------------------

IDS = st.text(st.sampled_from("aZ09#:_-.%ñ語ක"), min_size=1, max_size=6)
HOSTILE = st.sampled_from(
    ['"', '""', "\t", "\n", "\r\n", "\r", ",", "\u2028", "\x85", "\x00", "\x1c", "🦆", "<top>", "\\u0041", "﻿"]
)
TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | HOSTILE, max_size=4).map("".join)
ONE_LINE = TEXTS.map(lambda text: "".join(char for char in text if char not in "\t\n\r"))


@st.composite
def collections(
    draw: st.DrawFn,
    texts: st.SearchStrategy[str] = TEXTS,
    langs: tuple[str, ...] = ("fi", "th", "en"),
    splits: tuple[str, ...] = ("", "dev", "test"),
    answers: bool = True,
    twins: bool = True,
) -> list[Record]:
    """Passages, queries and grades; a query's grades are in its split and language."""
    answer_lists = st.lists(texts, max_size=2).map(tuple) if answers else st.just(())
    passages = [
        Passage(
            id,
            draw(st.sampled_from(langs)),
            draw(TEXTS),
            draw(TEXTS),
            draw(IDS) if twins and draw(st.booleans()) else "",
        )
        for id in draw(st.lists(IDS, unique=True, max_size=5))
    ]
    queries = [
        Asked(Query(id, draw(st.sampled_from(langs)), draw(texts)), draw(st.sampled_from(splits)), draw(answer_lists))
        for id in draw(st.lists(IDS, unique=True, max_size=4))
    ]
    grades = [
        Graded(asked.query.id, passage.id, draw(st.integers(0, 3)), asked.split)
        for asked in queries
        for passage in passages
        if passage.lang == asked.query.lang and draw(st.booleans())
    ]
    return [*passages, *queries, *grades]


def round_trip(format: str, records: list[Record], **options: object) -> list[Record]:
    """Write and read; nothing is written for nothing."""
    if not records:
        return []
    with tempfile.TemporaryDirectory() as folder:
        write = FORMATS[format].write
        assert write
        write(records, Path(folder) / "out")
        return read(format, Path(folder) / "out", **options)


FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(collections())
def test_folder_round_trips(records: list[Record]) -> None:
    assert round_trip("folder", records) == sorted_like_folder(records)


def sorted_like_folder(records: list[Record]) -> list[Record]:
    """Splits lie in files of their own, read in their order."""
    order = {Passage: 0, Asked: 1, Graded: 2}
    return sorted(records, key=lambda record: (order[type(record)], getattr(record, "split", "")))


@FEW
@given(collections())
def test_tables_round_trip(records: list[Record]) -> None:
    assert round_trip("tabular", records) == records


@FEW
@given(collections())
def test_beir_round_trips_but_for_the_splits_of_queries(records: list[Record]) -> None:
    passages, queries, grades = kinds(records)
    queries = {asked._replace(split="") for asked in queries}
    grades = {graded._replace(split=graded.split or "test") for graded in grades}
    assert kinds(round_trip("beir", records)) == (passages, queries, grades)


@FEW
@given(collections(twins=False))
def test_dpr_round_trips(records: list[Record]) -> None:
    assert kinds(round_trip("dpr", records)) == kinds(records)


@FEW
@given(collections(texts=ONE_LINE, langs=("fi",), answers=False))
def test_trec_round_trips(records: list[Record]) -> None:
    assert kinds(round_trip("trec", records, lang="fi")) == kinds(records)


@pytest.mark.parametrize("format", ["mr-tydi", "miracl"])
@FEW
@given(records=collections(texts=ONE_LINE, langs=("fi",), splits=("dev", "test"), answers=False))
def test_language_files_round_trip(format: str, records: list[Record]) -> None:
    assert kinds(round_trip(format, records)) == kinds(records)


@FEW
@given(collections(texts=ONE_LINE, langs=("fi", "th"), splits=("dev",), answers=False))
def test_several_languages_come_back_qualified_and_stay_so(records: list[Record]) -> None:
    once = round_trip("mr-tydi", records)
    passages, _, _ = kinds(once)
    if len({passage.lang for passage in passages}) > 1:
        assert kinds(round_trip("mr-tydi", once)) == kinds(once)
        assert all(passage.id.startswith(f"{passage.lang}:") for passage in passages)


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "a\rb"])
def test_topics_refuse_what_they_cannot_hold(tmp_path: Path, text: str) -> None:
    write = FORMATS["mr-tydi"].write
    assert write
    with pytest.raises(InputError, match=r"cannot hold\n.*export to `folder`"):
        write([Asked(Query("q", "fi", text), "dev")], tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.*"))  # nothing half-written


def test_grades_across_languages_are_refused_where_files_are_by_language(tmp_path: Path) -> None:
    write = FORMATS["miracl"].write
    assert write
    records = [Passage("p", "th", "", "x"), Asked(Query("q", "fi", "x"), "dev"), Graded("q", "p", 1, "dev")]
    with pytest.raises(InputError, match=r"'q' \(fi\) has a grade for 'p' \(th\)"):
        write(records, tmp_path / "out")


def test_equal_exports_have_equal_bytes(tmp_path: Path) -> None:
    write = FORMATS["folder"].write
    assert write
    for name in ("a", "b"):
        write([Passage("p", "fi", "", "x")], tmp_path / name)
    assert (tmp_path / "a/corpus.jsonl.gz").read_bytes() == (tmp_path / "b/corpus.jsonl.gz").read_bytes()


# -- the shapes that files come in --------------------------------------------------------------------------------


def test_a_folder_of_folders_is_their_union(tmp_path: Path) -> None:
    for lang in ("fi", "th"):
        lines(tmp_path / lang / "corpus.jsonl", {"id": "1", "lang": lang, "text": lang, "twin": "t"})
        lines(tmp_path / lang / "queries.dev.jsonl", {"id": "q", "lang": lang, "text": lang})
        lines(tmp_path / lang / "qrels.dev.tsv", "q 0 1 1")
    both = read("folder", tmp_path)
    assert Passage("fi:1", "fi", "", "fi", "t") in both
    assert Graded("th:q", "th:1", 1, "dev") in both
    assert read("folder", tmp_path, parts=("fi",))[0] == Passage("1", "fi", "", "fi", "t")


def test_passages_of_a_split_come_with_it(tmp_path: Path) -> None:
    lines(tmp_path / "corpus.jsonl", {"id": "1", "lang": "fi", "text": "a"})
    lines(tmp_path / "passages.train.jsonl", {"id": "2", "lang": "fi", "text": "b"})
    assert len(read("folder", tmp_path)) == 2
    assert len(read("folder", tmp_path, splits=("test",))) == 1


def test_mrtydi_as_its_authors_ship_it(tmp_path: Path) -> None:
    base = tmp_path / "mrtydi-v1.1-korean"
    lines(base / "ir-format-data" / "topics.dev.txt", "7\t무엇?")
    lines(base / "ir-format-data" / "qrels.dev.txt", "7 Q0 5#1 1")
    (base / "collection").mkdir()
    (base / "collection" / "docs.jsonl.gz").write_bytes(gzip.compress(b'{"id": "5#1", "contents": "T\\n\\ntext"}\n'))
    for path in (base, tmp_path):
        assert read("mr-tydi", path) == [
            Passage("5#1", "ko", "", "T\n\ntext"),
            Asked(Query("7", "ko", "무엇?"), "dev"),
            Graded("7", "5#1", 1, "dev"),
        ]


def test_languages_without_topics_come_along(tmp_path: Path) -> None:
    for lang in ("fi", "th"):
        lines(tmp_path / f"miracl-corpus-v1.0-{lang}" / "docs-0.jsonl", {"docid": "1#0", "title": "T", "text": lang})
    lines(tmp_path / "topics.miracl-v1.0-th-dev.tsv", "1\tx")
    lines(tmp_path / "qrels.miracl-v1.0-th-dev.tsv", "1 Q0 1#0 1")
    assert read("miracl", tmp_path) == [
        Passage("fi:1#0", "fi", "T", "fi"),
        Passage("th:1#0", "th", "T", "th"),
        Asked(Query("th:1", "th", "x"), "dev"),
        Graded("th:1", "th:1#0", 1, "dev"),
    ]
    assert read("miracl", tmp_path, parts=("th",))[0] == Passage("1#0", "th", "T", "th")


def test_native_and_english_topics_over_one_language(tmp_path: Path) -> None:
    lines(tmp_path / "swahili_passages.jsonl", {"docid": "A#1", "title": "", "text": "x"})
    for name, text in (("test-a", "who"), ("test-a-native", "nani")):
        lines(tmp_path / f"topics.ciral-v1.0-sw-{name}.tsv", f"1\t{text}")
    for name in ("test-a", "test-a-pools"):
        lines(tmp_path / f"qrels.ciral-v1.0-sw-{name}.tsv", "1\tQ0\tA#1\t1")
    passages, queries, grades = kinds(read("ciral", tmp_path))
    assert passages == {Passage("A#1", "sw", "", "x")}
    both = [Query("sw:1", "en", "who"), Query("sw-native:1", "sw", "nani")]
    assert queries == {Asked(query, split) for query in both for split in ("test-a", "test-a-pools")}
    assert grades == {Graded(query.id, "A#1", 1, split) for query in both for split in ("test-a", "test-a-pools")}


def test_trec_topics_in_blocks(tmp_path: Path) -> None:
    text = "<top>\n<num> Number: 401\n<title> foreign minorities,\nGermany\n<desc> Description:\nWhat?\n</top>\n"
    lines(tmp_path / "topics.txt", text.rstrip(), "<top><num>402</num><title>next</title></top>")
    assert [record.query for record in read("trec", tmp_path, lang="en") if isinstance(record, Asked)] == [
        Query("401", "en", "foreign minorities, Germany"),
        Query("402", "en", "next"),
    ]


def test_mkqa_as_published(tmp_path: Path) -> None:
    answer = {"type": "entity", "entity": "Q1", "text": "Aino", "aliases": ["Ainon"]}
    row = {
        "example_id": 9,
        "query": "who",
        "queries": {"fi": "kuka", "zh_tw": "誰", "zh_hk": "邊個"},
        "answers": {"fi": [answer], "zh_tw": [{"type": "unanswerable", "text": None}]},
    }
    path = lines(tmp_path / "mkqa.jsonl", row)
    assert read("mkqa", path) == [
        Asked(Query("9_fi", "fi", "kuka"), "", ("Aino", "Ainon")),
        Asked(Query("9_zh_tw", "zh", "誰")),
        Asked(Query("9_zh_hk", "zh", "邊個")),
    ]


def test_xor_reads_english_passages_beside_its_questions(tmp_path: Path) -> None:
    lines(tmp_path / "psgs_w100.tsv", "id\ttext\ttitle", '1\t"He said ""no""."\tNo')
    lines(
        tmp_path / "xor_dev_retrieve.jsonl",
        {"id": "5", "question": "q", "lang": "fi", "answers": ["no"], "split": "dev"},
    )
    assert read("xor", tmp_path) == [
        Passage("1", "en", "No", 'He said "no".'),
        Asked(Query("5", "fi", "q"), "dev", ("no",)),
    ]
    assert len(read("xor", tmp_path, splits=("test",))) == 1


SENTENCES = {"context": "One. Two.", "sentence_breaks": [[0, 4], [5, 9]]}
QUESTION = {"id": "k", "question": "?", "answers": [{"text": "Two", "answer_start": 5}]}


def parallel(folder: Path) -> Path:
    """Two languages in the form of XQuAD-R."""
    for lang in ("en", "th"):
        data = {"version": "1.1", "data": [{"title": "T", "paragraphs": [{**SENTENCES, "qas": [QUESTION]}]}]}
        lines(folder / f"{lang}.json", data)
    return folder


def test_xquad_r_finds_the_sentence_and_its_parallels(tmp_path: Path) -> None:
    passages, queries, grades = kinds(read("xquad-r", parallel(tmp_path)))
    assert Passage("en-a0p0s1", "en", "", "Two.") in passages
    assert len(queries) == 2
    assert {grade for grade in grades if grade.query == "th-k"} == {
        Graded("th-k", "th-a0p0s1", 1, "mono"),
        Graded("th-k", "th-a0p0s1", 1, "all"),
        Graded("th-k", "en-a0p0s1", 1, "all"),
    }


def test_xquad_links_parallel_paragraphs_as_twins(tmp_path: Path) -> None:
    passages, _, grades = kinds(read("xquad", parallel(tmp_path)))
    assert {passage.twin for passage in passages} == {"a0p0"}
    assert len(grades) == 2 + 4


def test_squad_without_answers_has_no_grade_and_files_do_not_collide(tmp_path: Path) -> None:
    open_question = {"id": "m", "question": "??", "is_impossible": True, "answers": []}
    for name in ("train", "dev"):
        data = {"data": [{"title": "T", "paragraphs": [{"context": "One. Two.", "qas": [QUESTION, open_question]}]}]}
        lines(tmp_path / f"{name}.json", data)
    passages, queries, grades = kinds(read("squad", tmp_path, lang="en"))
    assert {passage.id for passage in passages} == {"train:a0p0", "dev:a0p0"}
    assert (len(queries), {grade.query for grade in grades}) == (4, {"train:k", "dev:k"})


def test_tydi_cuts_candidates_by_bytes(tmp_path: Path) -> None:
    row = {
        "example_id": -3,
        "language": "finnish",
        "document_title": "T",
        "document_plaintext": "äö yes",
        "question_text": "?",
        "passage_answer_candidates": [
            {"plaintext_start_byte": 0, "plaintext_end_byte": 4},
            {"plaintext_start_byte": 5, "plaintext_end_byte": 8},
        ],
        "annotations": [{"passage_answer": {"candidate_index": 1}}, {"passage_answer": {"candidate_index": -1}}],
    }
    assert read("tydi", lines(tmp_path / "x.jsonl", row)) == [
        Passage("-3-0", "fi", "T", "äö"),
        Passage("-3-1", "fi", "T", "yes"),
        Asked(Query("-3", "fi", "?")),
        Graded("-3", "-3-1", 1),
    ]


def test_training_files_of_three_projects(tmp_path: Path) -> None:
    lines(tmp_path / "flag" / "a.jsonl", {"query": "q", "pos": ["right"], "neg": ["wrong", "right"]})
    passages, _, grades = kinds(read("dpr", tmp_path / "flag", lang="en"))
    assert {passage.text for passage in passages} == {"right", "wrong"} and len(grades) == 1
    positive = {"docid": 0, "title": "T", "text": "right"}
    lines(
        tmp_path / "tevatron" / "train.jsonl",
        {"query_id": "5", "query": "q", "positive_passages": [positive], "negative_passages": []},
    )
    assert read("dpr", tmp_path / "tevatron", lang="en")[-1] == Graded("5", "0", 1, "train")
    context = {"title": "T", "text": "right", "passage_id": "8"}
    lines(
        tmp_path / "dpr" / "biencoder-nq-dev.json",
        json.dumps([{"question": "q", "positive_ctxs": [context]}], indent=1),
    )
    assert read("dpr", tmp_path / "dpr", lang="en")[-1] == Graded("biencoder-nq-dev-0", "8", 1, "dev")


def test_tables_with_mapped_columns(tmp_path: Path) -> None:
    lines(tmp_path / "things.csv", "key,body,tongue", '1,"a,\nb",Finnish')
    lines(tmp_path / "queries.tsv", "id\ttext", "q\twho")
    assert read("tabular", tmp_path / "things.csv", columns={"id": "key", "text": "body", "lang": "tongue"}) == [
        Passage("1", "fi", "", "a,\nb")
    ]
    assert read("tabular", tmp_path / "queries.tsv", lang="fi") == [Asked(Query("q", "fi", "who"))]
    row = {"query_id": "q", "query": "who", "docid": "p", "text": "x", "score": 2, "lang": "fi", "split": "dev"}
    assert [type(record) for record in read("tabular", lines(tmp_path / "all.jsonl", row))] == [Passage, Asked, Graded]


def test_a_large_json_array_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mdr.formats import json_stream

    rows = [{"n": n, "text": 'é]},\\"' * (n % 50)} for n in range(300)]
    path = lines(tmp_path / "x.json", "﻿" + json.dumps(rows, ensure_ascii=False, indent=1))
    for chunk in (1, 7, 100, 1 << 18):
        monkeypatch.setattr(json_stream, "_CHUNK", chunk)
        assert list(json_stream.json_items(path, Cursor())) == rows
    assert list(json_stream.json_items(lines(tmp_path / "y.json", {"a": [1], "data": [2, 3]}), Cursor(), "data")) == [
        2,
        3,
    ]


# -- the hub ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_local_folder_is_read_through_datasets(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    lines(folder / "README.md", "---", *CONFIGS.strip().splitlines(), "---")
    lines(folder / "corpus.jsonl", {"_id": "p", "title": "T", "text": "x"})
    lines(folder / "queries.jsonl", {"_id": "q", "text": "who"})
    lines(folder / "test.jsonl", {"query-id": "q", "corpus-id": "p", "score": 1.0})
    assert kinds(read("hub", folder, lang="fi")) == (
        {Passage("p", "fi", "T", "x")},
        {Asked(Query("q", "fi", "who"))},
        {Graded("q", "p", 1, "test")},
    )
    assert set(FORMATS["hub"].fingerprints(folder, Options())) >= {"corpus.jsonl", "test.jsonl"}  # type: ignore[misc]


CONFIGS = """
configs:
- config_name: corpus
  data_files: [{split: corpus, path: corpus.jsonl}]
- config_name: queries
  data_files: [{split: queries, path: queries.jsonl}]
- config_name: default
  data_files: [{split: test, path: test.jsonl}]
"""


def test_the_hub_out_of_reach_is_said_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    name = Path("no-such-owner/no-such-set")
    for ask in (lambda: read("hub", name), lambda: FORMATS["hub"].fingerprints(name, Options())):  # type: ignore[misc]
        with pytest.raises(UnavailableError, match="the hub cannot be reached for 'no-such-owner/no-such-set'"):
            ask()
    assert FORMATS["hub"].fingerprints(Path(f"a/b@{'0' * 40}"), Options()) == {"a/b:": "0" * 40}  # type: ignore[misc]


def test_unknown_formats_and_those_only_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no format 'word'\nformats are folder, mr-tydi"):
        format_of("word")
    with pytest.raises(InputError, match="xquad is only read"):
        export_collection(None, "xquad", tmp_path / "x")  # type: ignore[arg-type]
    lines(tmp_path / "kept.txt", "mine")
    with pytest.raises(InputError, match="is not empty"):
        export_collection(None, "folder", tmp_path)  # type: ignore[arg-type]


# -- files as published ---------------------------------------------------------------------------------------------

AS_PUBLISHED = [
    ("mr-tydi", "mrtydi-v1.1", {}, (0, 28643, 30536)),
    ("miracl", "miracl-v1.0", {}, (0, 13495, 130408)),
    ("ciral", "ciral-v1.0", {"splits": ("dev", "test-a", "test-a-pools")}, (0, 350, 19862)),
    ("africlirmatrix", "africlirmatrix-v1.0", {}, (0, 3000, 3767)),
    ("neuclir", "neuclir22", {}, (0, 2394, 18369)),
    ("xor", "xor-qa", {}, (0, 5599, 0)),
    ("mkqa", "mkqa", {}, (0, 800, 0)),
    ("tydi", "tydiqa-primary", {}, (338, 14, 9)),
    ("squad", "squad", {}, (20, 194, 194)),
    ("xquad", "squad/xquad.th.head.json", {}, (10, 97, 194)),
    ("xquad-r", "squad/xquad-r.en.head.json", {}, (48, 97, 194)),
    ("dpr", "flagembedding", {"lang": "en"}, (986, 10, 10)),
    ("trec", "neuclir22/qrels.hc4-neuclir22-fa.test.txt", {}, (0, 0, 2041)),
]


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"no published files at {PUBLISHED}; set MDR_SHARED_DATA")
@pytest.mark.parametrize(("format", "path", "options", "counts"), AS_PUBLISHED)
def test_published_files(format: str, path: str, options: dict[str, object], counts: tuple[int, int, int]) -> None:
    assert tuple(map(len, kinds(read(format, PUBLISHED / path, **options)))) == counts
    assert FORMATS[format].files(PUBLISHED / path, Options(**options))  # type: ignore[arg-type]


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no shared data at {SHARED}; set MDR_SHARED_DATA")
def test_sentences_are_cut_as_the_prepared_set_has_them() -> None:
    ours, _, our_grades = kinds(read("xquad-r", PUBLISHED / "squad/xquad-r.en.head.json"))
    theirs, _, their_grades = kinds(read("folder", SHARED / "xquad-r-dev", splits=("mono",)))
    texts = {passage.id: passage.text for passage in theirs}
    right = {grade.query: texts[grade.passage] for grade in their_grades}
    mine = {passage.id: passage.text for passage in ours}
    shared = [grade for grade in our_grades if grade.query in right and grade.split == "mono"]
    assert len(shared) > 50
    assert all(mine[grade.passage] == right[grade.query] for grade in shared)
