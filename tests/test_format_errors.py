"""Broken and hostile files: each error names file and line, says what was found, and what to do."""

from __future__ import annotations

import gzip
import json
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from format_records import read

from mdr.errors import FormatError
from mdr.formats import FORMATS
from mdr.formats import lines as reading

GOOD = b'{"id": "1", "lang": "fi", "title": "", "text": "hyv\xc3\xa4"}\n'


def failure(format: str, path: Path, **options: object) -> FormatError:
    """The error of reading; always with a remedy."""
    with pytest.raises(FormatError) as caught:
        read(format, path, **options)
    assert caught.value.remedy
    return caught.value


CORPUS = [
    (b'{"id": "2", "lang": "fi", "text": \n', "not JSON: Expecting value at column"),
    (b'{"id": "2", "lang": "fi", "text": "cut off\n', "not JSON: Unterminated string.*cut off"),
    (b'["2", "fi"]\n', "expected a JSON object, found a list"),
    (b"[" * 100_000 + b"\n", "JSON that cannot be read"),
    (b'{"lang": "fi", "text": "x"}\n', "the field id is missing; there are 'lang', 'text'"),
    (b'{"id": "2", "lang": "fi"}\n', "the field text is missing"),
    (b'{"id": "", "lang": "fi", "text": "x"}\n', "the passage id is empty"),
    (b'{"id": "a b", "lang": "fi", "text": "x"}\n', "'a b' has white space"),
    (b'{"id": "a\\u0000", "lang": "fi", "text": "x"}\n', "control characters"),
    (b'{"id": null, "lang": "fi", "text": "x"}\n', "the passage id should be a text, found None"),
    (b'{"id": "2", "lang": "fi", "text": 5}\n', "the text should be a text, found 5"),
    (b'{"id": "2", "lang": "fi", "text": "x", "title": []}\n', r"the title should be a text, found \[\]"),
    (b'{"id": "2", "lang": "klingon", "text": "x"}\n', "language 'klingon' is not known; known are ar, bn"),
    (b'{"id": "2", "text": "x"}\n', "the language is not known: neither the file nor you name one"),
    (b'{"id": "2", "lang": "fi", "text": "x\\ud83d"}\n', "half a character .a lone surrogate. at position 1"),
    (b'{"id": "2", "lang": "fi", "text": "hyv\xe4"}\n', "not UTF-8: 0xe4 at byte 39 of the line"),
]


@pytest.mark.parametrize(("line", "problem"), CORPUS)
def test_wrong_lines_are_named(tmp_path: Path, line: bytes, problem: str) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(GOOD + b"\r\n" + line + GOOD)
    error = failure("folder", tmp_path)
    assert re.search(problem, error.problem)
    assert (error.path, error.line) == (str(path), 3)


def test_wrong_encodings_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(GOOD.decode(), encoding="utf-16")
    assert "looks like UTF-16" in failure("folder", tmp_path).problem


def test_byte_order_marks_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_bytes(b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n"))
    (tmp_path / "queries.jsonl").write_bytes(b'{"id": "q", "lang": "fi", "text": "kuka"}\r\n')
    (tmp_path / "qrels.tsv").write_bytes(b"\xef\xbb\xbfq\t0\t1\t1\r\n")
    assert len(read("folder", tmp_path)) == 3


def test_gzip_that_ends_early_or_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl.gz"
    whole = gzip.compress(GOOD * 1_000)
    path.write_bytes(whole[:-20])
    assert "the gzip file ends too early" in failure("folder", tmp_path).problem
    path.write_bytes(whole[:15] + b"\xff\xff\xff" + whole[18:])
    assert "the gzip file is damaged" in failure("folder", tmp_path).problem


def test_gzip_is_told_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl.gz").write_bytes(GOOD)
    (tmp_path / "passages.jsonl").write_bytes(gzip.compress(GOOD))
    assert len(read("folder", tmp_path)) == 2


def test_empty_files_and_folders(tmp_path: Path) -> None:
    assert "holds no corpus" in failure("folder", tmp_path).problem
    (tmp_path / "corpus.jsonl").write_bytes(b"")
    assert failure("folder", tmp_path).problem.endswith("corpus.jsonl: is empty")


def test_paths_that_are_not_what_they_should_be(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(GOOD)
    (tmp_path / "corpus.jsonl").mkdir()
    assert "is a folder, a file was expected" in failure("folder", tmp_path).problem
    assert "is not a folder" in failure("folder", tmp_path / "a.jsonl").problem
    for format in FORMATS:
        if format != "hub":
            assert "does not exist" in failure(format, tmp_path / "nowhere", lang="fi").problem


@pytest.mark.parametrize("packed", [False, True])
def test_endless_lines_are_not_swallowed(tmp_path: Path, packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 MB on one line, or 200 kB that unpack to it, cost no more memory than the limit lets them."""
    monkeypatch.setattr(reading, "LIMIT", 1 << 20)
    path = tmp_path / "corpus.jsonl"
    block = b"x" * (1 << 20)
    with gzip.open(path, "wb", 1) if packed else path.open("wb") as stream:
        for _ in range(200):
            stream.write(block)
    tracemalloc.start()
    error = failure("folder", tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (error.problem, error.line) == (f"{path}:1: the line is longer than 1 MB", 1)
    assert peak < 20 << 20


def test_endless_json_elements_are_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mdr.formats import json_stream

    monkeypatch.setattr(json_stream, "LIMIT", 1 << 20)
    (tmp_path / "x.json").write_bytes(b'{"data": ["' + b"x" * (40 << 20))
    assert "an element is longer than 1 MB" in failure("squad", tmp_path).problem


def test_an_open_quote_swallows_no_more_than_a_line_may_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LIMIT", 1 << 16)
    (tmp_path / "x.csv").write_bytes(b'id,text\n1,"open\n' + b"2,x\n" * 100_000)
    error = failure("tabular", tmp_path, lang="fi")
    assert "field larger than field limit" in error.problem and error.line and error.line < 20_000


JSON_DOCUMENTS = [
    ("", "expected [ or {, found the end of the file", 1),
    ('{"data":\n[{"paragraphs"\n: oops}]}', "not JSON: Expecting value", 3),
    ('{"data":\n[{"paragraphs": []}', "expected , or ], found the end of the file", 2),
    ('{"version": "1.1"}', "the field 'data' is missing", 1),
    ('{"data": {}}', "expected [, found '{'", 1),
    ('{"data": [5]}', "expected an object with paragraphs, found 5", 1),
    ('{"data": [{"paragraphs": [{"context": "x", "qas": [{"id": "1"}]}]}]}', "the field question is missing", 1),
]


@pytest.mark.parametrize(("text", "problem", "line"), JSON_DOCUMENTS)
def test_wrong_json_documents_are_named(tmp_path: Path, text: str, problem: str, line: int) -> None:
    (tmp_path / "en.json").write_text(text)
    error = failure("squad", tmp_path)
    assert problem in error.problem
    assert error.line == line


def test_sentence_breaks_outside_of_their_paragraph(tmp_path: Path) -> None:
    paragraph = {"context": "x", "sentence_breaks": [[0, 9]], "qas": []}
    (tmp_path / "en.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    assert "the sentence break [0, 9] lies outside" in failure("xquad-r", tmp_path).problem


TABLES = [
    ("a,b\n1,2\n", {}, "no passage (id, text), query (query_id, query) or grade", 2),
    ("id,text\n1\n", {}, "expected 2 cells, found 1", 2),
    ("id,id\n1,2\n", {}, "two columns have one name", 1),
    ("id,text\n1,x\n", {"columns": {"text": "body"}}, "there is no column 'body'; there are 'id', 'text'", 2),
    ("id,text\n1,x\n", {"columns": {"txt": "text"}}, "there is no field 'txt'; there are 'id', 'lang'", 2),
    ('id,text\n1,"x"y\n', {}, "not a separated file", 2),
]


@pytest.mark.parametrize(("text", "options", "problem", "line"), TABLES)
def test_wrong_tables_are_named(tmp_path: Path, text: str, options: dict[str, object], problem: str, line: int) -> None:
    (tmp_path / "x.csv").write_text(text)
    error = failure("tabular", tmp_path, lang="fi", **options)
    assert problem in error.problem
    assert error.line == line


CONTEXT = {"passage_id": "8", "title": "T", "text": "x", "grade": 1}
PARAGRAPH = {"context": "One.", "sentence_breaks": [[0, 4]]}
PARAGRAPH |= {"qas": [{"id": "q", "question": "?", "answers": [{"text": "One", "answer_start": 0}]}]}
SPAN = {"plaintext_start_byte": 0, "plaintext_end_byte": 1}
SHAPES: list[tuple[str, str, Any]] = [
    ("folder", "corpus.jsonl", {"id": "1", "lang": "fi", "title": "", "text": "x", "twin": "t"}),
    ("folder", "queries.jsonl", {"id": "1", "lang": "fi", "text": "x", "answers": ["y"]}),
    ("beir", "corpus.jsonl", {"_id": "1", "title": "", "text": "x", "metadata": {"lang": "fi", "twin": "t"}}),
    ("xor", "x.jsonl", {"id": "1", "question": "?", "lang": "fi", "answers": ["x"], "split": "dev"}),
    (
        "mkqa",
        "x.jsonl",
        {"example_id": 1, "queries": {"fi": "?"}, "answers": {"fi": [{"text": "x", "aliases": ["y"]}]}},
    ),
    ("dpr", "x.json", [{"id": "q", "question": "?", "answers": ["x"], "split": "dev", "positive_ctxs": [CONTEXT]}]),
    ("dpr", "x.jsonl", {"query": "?", "pos": ["x"], "neg": ["y"]}),
    ("squad", "en.json", {"data": [{"title": "T", "paragraphs": [PARAGRAPH]}]}),
    ("xquad-r", "en.json", {"data": [{"title": "T", "paragraphs": [PARAGRAPH]}]}),
    (
        "tydi",
        "x.jsonl",
        {
            "example_id": 1,
            "language": "fi",
            "document_title": "T",
            "document_plaintext": "x",
            "question_text": "?",
            "passage_answer_candidates": [SPAN],
            "annotations": [{"passage_answer": {"candidate_index": 0}}],
        },
    ),
    (
        "tabular",
        "x.jsonl",
        {"id": "1", "text": "x", "query_id": "q", "query": "?", "grade": 1, "split": "dev", "answers": ["y"]},
    ),
    ("trec", "docs.jsonl", {"docid": "1", "title": "T", "text": "x"}),
]
ODD = [
    None,
    True,
    0,
    -7,
    2**70,
    0.5,
    float("inf"),
    "",
    "a b",
    "\ud800",
    "\x00",
    [],
    {},
    [[]],
    [None],
    {"x": []},
    "x" * 100_000,
]


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a document something else could stand."""
    yield here
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*here, key))


def replaced(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    copy = value.copy()
    copy[place[0]] = replaced(value[place[0]], place[1:], odd)
    return copy


@pytest.mark.parametrize(("format", "name", "document"), SHAPES)
def test_whatever_stands_anywhere_is_read_or_refused_in_words(
    tmp_path: Path, format: str, name: str, document: Any
) -> None:
    path = tmp_path / name
    path.write_text(json.dumps(document))
    assert read(format, tmp_path, lang="fi")
    for place in places(document):
        for odd in ODD:
            path.write_text(json.dumps(replaced(document, place, odd)))
            try:
                read(format, tmp_path, lang="fi")
            except FormatError as error:
                assert error.path == str(path) and error.remedy, (place, odd)


def test_what_is_no_parquet_file(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 but not really PAR1")
    assert "not a Parquet file" in failure("tabular", tmp_path).problem


def test_beir_qrels_and_parts_that_do_not_exist(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\tp\n")
    assert failure("beir", tmp_path).problem.endswith("test.tsv:2: expected 3 columns, found 2")
    for lang in ("fi", "th"):
        (tmp_path / f"topics.miracl-v1.0-{lang}-dev.tsv").write_text("1\tx\n")
    assert "has no part 'sw'; there are fi, th" in failure("miracl", tmp_path, parts=("sw",)).problem
    for folder in ("a b", "c"):
        (tmp_path / "union" / folder).mkdir(parents=True)
        (tmp_path / "union" / folder / "corpus.jsonl").write_bytes(GOOD)
    assert (
        "name of a part, which becomes a part of ids, 'a b:' has white" in failure("folder", tmp_path / "union").problem
    )
    (tmp_path / "topics.miracl-v1.0-qq-dev.tsv").write_text("1\tx\n")
    assert "language 'qq' is not known" in failure("miracl", tmp_path).problem
    assert len(read("miracl", tmp_path, parts=("fi", "th"))) == 2
