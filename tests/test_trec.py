"""Runs, qrels and topics: order survives every tool, and lines that are wrong are named."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from mdr.errors import FormatError
from mdr.formats.records import Cursor
from mdr.formats.trec import read_qrels, read_run, topics, write_qrels, write_run
from mdr.types import Hit

IDS = st.text(st.sampled_from("abcZ09#:-ක"), min_size=1, max_size=4)
SCORES = st.floats(-1e30, 1e30) | st.sampled_from([0.0, -0.0, 1.0, 1e-45, 1.0 + 1e-12])


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(IDS, st.lists(st.tuples(IDS, SCORES), unique_by=lambda hit: hit[0], min_size=1, max_size=8)))
def test_runs_keep_their_order_and_their_scores_fall(hits: dict[str, list[tuple[str, float]]]) -> None:
    if not hits:
        return
    run = {query: [Hit(*hit) for hit in sorted(ranking, key=lambda hit: -hit[1])] for query, ranking in hits.items()}
    with tempfile.TemporaryDirectory() as folder:
        write_run(run, Path(folder) / "run.trec", "tag")
        back = read_run(Path(folder) / "run.trec")
        write_run(back, Path(folder) / "again.trec", "tag")
        assert (Path(folder) / "run.trec").read_bytes() == (Path(folder) / "again.trec").read_bytes()
    assert list(back) == list(run)
    for query, ranking in run.items():
        assert [hit.id for hit in back[query]] == [hit.id for hit in ranking]
        scores = np.array([hit.score for hit in back[query]], dtype=np.float32)
        assert (np.diff(scores) < 0).all()
        assert np.allclose(scores, [hit.score for hit in ranking], rtol=1e-6, atol=1e-40)


def test_tied_hits_evaluate_in_our_order(tmp_path: Path) -> None:
    """trec_eval breaks ties by id, backwards; what we write has none left for it."""
    run = {"q": [Hit("a", 1.0), Hit("b", 1.0), Hit("c", 1.0)]}
    write_run(run, tmp_path / "run.trec", "tag")
    with (tmp_path / "run.trec").open() as stream:
        written = pytrec_eval.parse_run(stream)
    for passage, value in (("a", 1.0), ("b", 1 / 2), ("c", 1 / 3)):
        evaluator = pytrec_eval.RelevanceEvaluator({"q": {passage: 1}}, {"recip_rank"})
        assert evaluator.evaluate(written)["q"]["recip_rank"] == pytest.approx(value)


def test_a_run_of_others_is_ordered_by_score_then_rank(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("q Q0 x 2 1.5 t\nq Q0 y 1 1.5 t\r\nq\tQ0 z 9 2 t\n\n")
    assert read_run(tmp_path / "run") == {"q": [Hit("z", 2.0), Hit("y", 1.5), Hit("x", 1.5)]}


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, 1e39])
def test_scores_that_are_no_numbers_are_not_written(tmp_path: Path, score: float) -> None:
    with pytest.raises(FormatError, match="passage 'x' has the score"):
        write_run({"q": [Hit("x", score)]}, tmp_path / "run", "tag")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("q Q0 x 1 1.5", "a run has 6 columns, found 5"),
        ("q Q0 x one 1.5 t", "the rank should be a whole number, found 'one'"),
        ("q Q0 x 1 nan t", "the score should be a number, found 'nan'"),
        ("q Q0 first 1 0.5 t", "passage 'first' is ranked twice for query 'q'"),
    ],
)
def test_wrong_run_lines_are_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "run"
    path.write_text(f"q Q0 first 1 2.5 t\n{line}\n")
    with pytest.raises(FormatError, match=problem) as caught:
        read_run(path)
    assert (caught.value.path, caught.value.line) == (str(path), 2)
    assert caught.value.remedy


@given(st.dictionaries(IDS, st.dictionaries(IDS, st.integers(0, 9), min_size=1, max_size=4), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_qrels_round_trip(qrels: dict[str, dict[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_qrels(qrels, Path(folder) / "qrels.txt.gz")
        assert read_qrels(Path(folder) / "qrels.txt.gz") == qrels


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("q 0 p", "qrels have 4 columns, found 3"),
        ("q 0 p -1", "whole number from 0, found '-1'"),
        ("q 0 p 0.5", "whole number from 0, found '0.5'"),
        ("q 0 p 1_0", "whole number from 0, found '1_0'"),
        ("q 0 p high", "whole number from 0, found 'high'"),
        ("q 0 p 99999999999", "whole number from 0"),
        ("q 0 first 2", "'first' has grade 2, and 1 further up"),
    ],
)
def test_wrong_qrels_lines_are_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "qrels"
    path.write_text(f"q 0 first 1\n{line}\n")
    with pytest.raises(FormatError, match=problem) as caught:
        read_qrels(path)
    assert caught.value.line == 2


def test_ids_that_would_break_lines_are_not_written(tmp_path: Path) -> None:
    for id in ("a b", "", "a\u2028b", "a\x00", "\ud800"):
        with pytest.raises(FormatError, match="query id"):
            write_qrels({id: {"p": 1}}, tmp_path / "qrels")
        with pytest.raises(FormatError, match="passage id"):
            write_run({"q": [Hit(id, 1.0)]}, tmp_path / "run", "tag")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("12 who\n", "expected id<TAB>text or <top>"),
        ("<top>\n<num> 1\n<title> who\n", "the last <top> block is not closed"),
        ("<top>\n<title> who\n</top>\n", "the topic that ends here has no <num>"),
    ],
)
def test_wrong_topics_are_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "topics"
    path.write_text(text)
    with pytest.raises(FormatError, match=problem):
        list(topics(path, Cursor()))
