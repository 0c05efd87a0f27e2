"""Formats read the files that were published, where these are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from format_records import kinds, read

from mdr.formats import FORMATS
from mdr.formats.records import Options

SHARED = Path(os.environ.get("MDR_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
PUBLISHED = SHARED / "raw-formats"


# -- files as published ---------------------------------------------------------------------------------------


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
