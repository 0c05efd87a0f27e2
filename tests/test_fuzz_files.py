"""Whatever is in a file: reading gives records or an error that names file and line, and nothing else."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdr.errors import MdrError
from mdr.formats import FORMATS
from mdr.formats.records import Cursor, Options
from mdr.formats.trec import read_qrels, read_run
from mdr.ui.search.address import Ask
from tests.fuzzing import TEXT, examples

LINES = st.lists(
    st.sampled_from(
        [
            b'{"id": "1", "lang": "fi", "title": "", "text": "x"}',
            b'{"_id": "1", "title": "", "text": "x"}',
            b'{"qid": "1", "query": "x", "docid": 1, "positive_passages": [{"docid": "2", "text": "y"}]}',
            b'{"data": [{"title": "x", "paragraphs": [{"context": "y", "qas": [{"id": 1, "question": "z"}]}]}]}',
            *(b"1\t0\t2\t1", b"1 Q0 2 1 0.5 run", b"query-id\tcorpus-id\tscore"),
            *(b"1\tx\ty", b"id,lang,text", b'"'),
            *(b"[", b"{", b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b"]" * 50),
            *(b"1 Q0 2 nan inf run", b"q 0 d 99999999999999999999"),
        ]
    )
    | st.binary(max_size=40),
    max_size=6,
).map(b"\n".join)
PAIRS = st.lists(st.tuples(st.sampled_from(["q", "by", "in", "k", "n"]), TEXT))
ADDRESSES = PAIRS.map(lambda pairs: "?" + "&".join(f"{name}={value}" for name, value in pairs))
NAMES = {
    "folder": ["corpus.jsonl", "queries.jsonl", "qrels.tsv"],
    "beir": ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"],
    "mr-tydi": ["topics.mrtydi-v1.1-fi.test.txt.gz", "qrels.mrtydi-v1.1-fi.test.txt", "mrtydi-v1.1-fi/corpus.jsonl.gz"],
    "miracl": ["topics.miracl-v1.0-fi-dev.tsv", "qrels.miracl-v1.0-fi-dev.tsv"],
}
OFFLINE = sorted(set(FORMATS) - {"hub"})


@pytest.mark.parametrize("name", OFFLINE)
@examples(25)
@given(data=st.data(), broken_gzip=st.booleans())
def test_no_file_breaks_a_format(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject, broken_gzip: bool
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    names = NAMES.get(name, ["file.jsonl", "file.json", "file.tsv", "file.csv", "file.json.gz"])
    for file in names:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        content = data.draw(LINES)
        if file.endswith(".gz"):
            packed = gzip.compress(content)
            content = packed[: len(packed) // 2] if broken_gzip else packed
        path.write_bytes(content)
    for source in (folder, folder / names[0]):
        try:
            list(FORMATS[name].read(source, Options(lang="fi"), Cursor()))
        except MdrError as error:
            assert error.problem
    for path in folder.rglob("*"):
        path.is_file() and path.unlink()


@examples(100)
@given(content=LINES)
def test_no_file_breaks_runs_and_qrels(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "file"
    path.write_bytes(content)
    for read in (read_run, read_qrels):
        try:
            read(path)
        except MdrError as error:
            assert str(path) in error.problem
    path.unlink()


@examples(200)
@given(address=st.text(max_size=60) | ADDRESSES)
def test_no_address_breaks_the_search_page(address: str) -> None:
    ask = Ask.from_address(address, ["en", "fi"])
    again = Ask.from_address(ask.address(), ["en", "fi"])  # half a character cannot stand in an address
    assert Ask.from_address(again.address(), ["en", "fi"]) == again


def test_a_bomb_of_zeros_is_read_line_by_line(tmp_path: Path) -> None:
    """Fifty megabytes packed into fifty kilobytes: one line of it is too long to be a record, and is said to be."""
    path = tmp_path / "corpus.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": "1", "lang": "fi", "text": "' + b"a" * 50_000_000))
    with pytest.raises(MdrError):
        list(FORMATS["folder"].read(tmp_path, Options(), Cursor()))
