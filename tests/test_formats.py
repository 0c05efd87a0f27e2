"""Formats in the shapes that their files come in, and the hub's."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from format_records import kinds, lines, read

from mdr.errors import FormatError, InputError, UnavailableError
from mdr.formats import FORMATS, export_collection, format_of
from mdr.formats.records import Asked, Cursor, Graded, Options
from mdr.types import Passage, Query

# -- the shapes that files come in ----------------------------------------------------------------------------


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


def test_parallel_questions(tmp_path: Path) -> None:
    """A row has one question in several languages; the file's name says which split it is."""
    path = lines(tmp_path / "multi.dev.jsonl", {"id": "k", "texts": {"fi": "kuka", "sw": "nani"}})
    assert read("mkqa", path) == [Asked(Query("k_fi", "fi", "kuka"), "dev"), Asked(Query("k_sw", "sw", "nani"), "dev")]
    lines(tmp_path / "multi.dev.jsonl", {"id": "k", "texts": "kuka"})
    with pytest.raises(FormatError, match="texts should be an object by language"):
        read("mkqa", path)


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


# -- the hub --------------------------------------------------------------------------------------------------


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
