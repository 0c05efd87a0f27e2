"""Judgements for other tools: tables that no spreadsheet runs, and qrels by every policy."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from judgement_stores import PASSAGE, QUERY, event, path
from pyarrow import parquet

from mdr.core.policies import POLICIES
from mdr.errors import InputError
from mdr.services.exports import export_judgements
from mdr.services.judging.service import JudgingService
from mdr.storage.judgement_events import COLUMNS, JudgementEvent
from mdr.storage.judgements import JudgementStore

__all__ = ["path"]  # fixtures


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "\u00a0@x", "\uff1d1", "\n=1"])
def test_no_text_is_a_formula_in_a_table(path: Path, tmp_path: Path, text: str) -> None:
    store = JudgementStore(path)
    store.append(event("e", annotator=text, note=text))
    export_judgements(JudgingService(store), "c", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        [row] = csv.DictReader(stream)
    assert row["annotator"] == row["note"] == f"'{text}"
    assert (row["grade"], row["collection"]) == ("2", "c")
    export_judgements(JudgingService(store), "c", tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))["note"] == text
    store.close()


def test_tables_hold_what_counts_or_all_that_happened(path: Path, tmp_path: Path) -> None:
    store = JudgementStore(path)
    judging = JudgingService(store)
    judging.grade("ann", "c", QUERY, PASSAGE, 1)
    judging.grade("ann", "c", QUERY, PASSAGE, 3, seconds=2.5, evidence=True)
    judging.record("note", "ann", "c", QUERY, PASSAGE, note="why?")
    for form in (".csv", ".jsonl", ".parquet"):
        assert export_judgements(judging, "c", tmp_path / f"now{form}") == (1, 0)
        assert export_judgements(judging, "c", tmp_path / f"all{form}", every=True) == (3, 0)
    rows = [JudgementEvent(**row) for row in parquet.read_table(tmp_path / "all.parquet").select(COLUMNS).to_pylist()]
    assert rows == store.history("c")
    store.close()


def test_qrels_by_every_policy(path: Path, tmp_path: Path) -> None:
    store = JudgementStore(path)
    judging = JudgingService(store)
    for annotator, grade in (("ann", 0), ("ben", 1), ("cem", 1)):
        judging.grade(annotator, "c", QUERY, PASSAGE, grade)
    said = {}
    for policy in POLICIES:
        written, left = export_judgements(judging, "c", tmp_path / f"{policy}.qrels", policy=policy)
        said[policy] = (written, left, (tmp_path / f"{policy}.qrels").read_text())
    assert said == {
        "majority": (1, 0, "q1 0 p1 1\n"),
        "mean": (1, 0, "q1 0 p1 1\n"),
        "strictest": (1, 0, "q1 0 p1 0\n"),
        "adjudicated": (0, 1, ""),
    }
    with pytest.raises(InputError, match="no policy"):
        export_judgements(judging, "c", tmp_path / "other.qrels", policy="other")
    assert not (tmp_path / "other.qrels").exists()
    store.close()
