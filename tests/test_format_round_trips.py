"""Formats give back what they wrote, whatever the texts hold; what they cannot hold they refuse."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from format_records import kinds, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdr.errors import InputError
from mdr.formats import FORMATS
from mdr.formats.records import Asked, Graded, Record
from mdr.types import Passage, Query

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
