"""Evaluations measured again: with uploaded grades, with people's, as files; and made while somebody looks on."""

from __future__ import annotations

import csv
import gzip
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import parquet

from mdr.core.permissions import MACHINE, NOBODY, Person, require
from mdr.core.recent import Recent
from mdr.errors import InputError, MdrError, MismatchError, MissingError, NotAllowedError
from mdr.formats.trec import read_qrels, read_run
from mdr.services.evaluation.bias import bias_report
from mdr.services.evaluation.files import FILES, write_file
from mdr.services.evaluation.grade_sources import UPLOAD_LIMIT, Grading, parsed_qrels
from mdr.services.evaluation.job import EvaluationJob
from mdr.services.evaluation.measuring import MeasuringService
from mdr.types import Event
from mdr.ui.compare.address import Compared, Evaluating
from tests.measured import MeasuredWorkbench

NILE = "rivers-nile-factual.en"


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeasuredWorkbench]:
    workbench = MeasuredWorkbench(tmp_path_factory.mktemp("measured"))
    workbench.measure()
    yield workbench
    workbench.judging.store.close()


@pytest.fixture(scope="module")
def measuring(workbench: MeasuredWorkbench) -> MeasuringService:
    return workbench.measuring()


# -- grades from elsewhere --------------------------------------------------------------------------------


def test_an_uploaded_file_measures_the_same_runs(measuring: MeasuringService) -> None:
    evaluated = measuring.evaluated()
    best = measuring.run(evaluated, "dense")[NILE][0].id
    file = measuring.sources.upload(f"{NILE} 0 {best} 1\nelsewhere 0 {best} 1\n".encode())
    measured = measuring.measured(evaluated, "MRR@10", Grading("file", file=file))
    assert measured.values["dense"] == {NILE: 1.0}
    assert measured.left_out["graded, but never asked in this evaluation"] == ["elsewhere"]
    assert measured.table.rows["dense"]["en"].mean == 1.0
    assert [row.query.id for row in measuring.behind(measured, "dense", "en")] == [NILE]
    assert measuring.behind(measured, "dense", "ja") == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "your file: is empty"),
        (b"\n \n", "holds no grades"),
        (b"only three columns\n", "your file:1: qrels have 4 columns, found 3"),
        (b"q 0 p 1\nq 0 p 2\n", "your file:2: .* grade 2, and 1 further up"),
        (b"q 0 p many\n", "your file:1"),
        (b"\xff\xfe\x00q", "your file"),
        (gzip.compress(b"q 0 p 1\n", mtime=0), "packed"),
        (b"q 0 p 1\n" * (UPLOAD_LIMIT // 8 + 1), "the limit is"),
        (b"a" * 100_000, "your file:1"),
    ],
)
def test_what_is_no_qrels_is_told_by_line(content: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        parsed_qrels(content)
    assert raised.value.remedy and "/tmp" not in str(raised.value)


@pytest.mark.parametrize("file", ["", "0" * 32, "../../etc/passwd", "\ud800"])
def test_an_upload_that_is_not_there_is_said(measuring: MeasuringService, file: str) -> None:
    with pytest.raises(MissingError, match="not kept any more"):
        measuring.sources.graded(Grading("file", file=file))


def test_people_come_first_where_both_count(workbench: MeasuredWorkbench, measuring: MeasuringService) -> None:
    query = measuring.queries[NILE]
    passage = measuring.collection.passage("cats-lion.en")
    workbench.judging.grade("someone", "sample", query, passage, 3)
    own, both = (measuring.sources.graded(Grading(source)).qrels for source in ("collection", "both"))
    assert "cats-lion.en" not in own[NILE]
    assert both[NILE] == {**own[NILE], "cats-lion.en": 3}
    judged = measuring.sources.graded(Grading("judged"))
    assert judged.qrels == {NILE: {"cats-lion.en": 3}}
    assert set(measuring.measured(measuring.evaluated(), "nDCG@10", Grading("judged")).values["bm25"]) == {NILE}
    workbench.judging.grade("someone", "sample", query, passage, 0)
    assert measuring.sources.graded(Grading("judged")).fingerprint != judged.fingerprint


def test_who_may_not_see_what_others_judged_measures_nothing_by_it(measuring: MeasuringService) -> None:
    for source in ("judged", "both"):
        with pytest.raises(NotAllowedError):
            measuring.sources.allow(Grading(source), NOBODY)
        measuring.sources.allow(Grading(source), MACHINE)
    measuring.sources.allow(Grading("collection"), NOBODY)


def test_unknown_choices_say_what_there_is(measuring: MeasuringService) -> None:
    with pytest.raises(InputError, match="there are no grades from"):
        measuring.sources.graded(Grading("nowhere"))  # type: ignore[arg-type]
    with pytest.raises(MissingError, match="there is no evaluation 'x'"):
        measuring.evaluated("x")
    with pytest.raises(InputError, match="there is no measure"):
        measuring.measured(measuring.evaluated(), "magic@10", Grading())


# -- bias -------------------------------------------------------------------------------------------------


def test_the_bias_has_an_interval_and_questions_for_every_cell(
    measuring: MeasuringService, workbench: MeasuredWorkbench
) -> None:
    evaluated = measuring.evaluated()
    report = bias_report(measuring, evaluated, "dense", Grading())
    told = evaluated.evaluation.summary["bias"]["dense"]["matrix"]
    for lang, row in report.cells.items():
        for other, cell in row.items():
            assert cell.mean == pytest.approx(told[lang][other]["mrr"])
            assert cell.low <= cell.mean <= cell.high
            assert len(report.places[lang, other]) == told[lang][other]["queries"]
    workbench.measure(pool="own", run_name="own-pool")
    with pytest.raises(MismatchError, match="own language only"):
        bias_report(measuring, measuring.evaluated("own-pool"), "dense", Grading())


# -- files ------------------------------------------------------------------------------------------------


def test_what_leaves_can_be_read_again(measuring: MeasuringService, tmp_path: Path) -> None:
    evaluated = measuring.evaluated()
    files = {
        what: write_file(measuring, evaluated, Grading(), "nDCG@10", what, tmp_path, system="dense", person=NOBODY)
        for what in FILES
    }
    run = measuring.run(evaluated, "dense")
    assert [hit.id for hit in read_run(files["run"])[NILE]] == [hit.id for hit in run[NILE]]
    assert read_qrels(files["qrels"])[NILE] == measuring.sources.graded(Grading()).qrels[NILE]
    rows = list(csv.DictReader(files["csv"].open(encoding="utf-8", newline="")))
    table = parquet.read_table(files["parquet"]).to_pylist()
    values = evaluated.evaluation.values("dense", "nDCG@10")
    assert {row["query"]: float(row["value"]) for row in rows if row["system"] == "dense"} == values
    assert {row["query"]: row["value"] for row in table if row["system"] == "dense"} == values
    with pytest.raises(NotAllowedError):
        write_file(measuring, evaluated, Grading("judged"), "nDCG@10", "csv", tmp_path, person=NOBODY)
    with pytest.raises(MissingError):
        write_file(measuring, evaluated, Grading(), "nDCG@10", "../x", tmp_path, person=NOBODY)


# -- while somebody looks on ------------------------------------------------------------------------------


def test_a_job_runs_once_and_tells_how_far_it_is() -> None:
    go, started = threading.Event(), []

    def work() -> Iterator[Event]:
        started.append(1)
        yield Event("evaluate", "progress", "searching", 3, 10, "queries")
        go.wait(10)

    job = EvaluationJob(work, anybody)
    assert job.progress().state == "idle"
    assert job.start(NOBODY).state == "running" and job.start(NOBODY).state == "running"
    _until(lambda: job.progress().done == 3)
    assert job.progress().total == 10 and job.progress().message == "searching"
    go.set()
    _until(lambda: job.progress().state == "done")
    assert started == [1]


def test_a_job_that_fails_says_why_and_can_be_tried_again() -> None:
    tries = []

    def work() -> Iterator[Event]:
        tries.append(1)
        if len(tries) == 1:
            raise InputError("the disk is full", "make room")
        if len(tries) == 2:
            raise ValueError("a bug")
        yield Event("evaluate", "finished")

    job = EvaluationJob(work, anybody)
    for state, message in (("failed", "the disk is full"), ("failed", "the evaluation failed"), ("done", "")):
        job.start(NOBODY)
        _until(lambda: job.progress().state != "running")
        assert (job.progress().state, job.progress().message) == (state, message)


def test_a_job_is_for_those_who_may_and_ends_in_its_time() -> None:
    def work() -> Iterator[Event]:
        while True:
            yield Event("evaluate", "progress", "searching", 3, 10, "queries")

    job = EvaluationJob(work, lambda person: require(person, "run"), hours=0.05 / 3600)
    with pytest.raises(NotAllowedError, match="only admins may start or stop runs"):
        job.start(Person("Ana", "lead"))
    assert job.progress().state == "idle"
    job.start(Person("Ana", "admin"))
    _until(lambda: job.progress().state == "failed")
    assert "took longer" in job.progress().message and "MDR_RUN_HOURS" in job.progress().remedy


def anybody(_: Person) -> None:
    """Whoever asks may start it."""


def _until(holds: object) -> None:
    for _ in range(500):
        if holds():  # type: ignore[operator]
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


def test_recent_things_are_made_once_and_few_are_kept() -> None:
    made: list[int] = []
    recent = Recent(2)
    for key in (1, 2, 1, 3, 1, 2):
        recent.get(key, lambda key=key: made.append(key))  # type: ignore[misc]
    assert made == [1, 2, 3, 2]
    with pytest.raises(MdrError):
        recent.get(9, _failing)
    assert recent.get(9, lambda: "later") == "later"


def _failing() -> str:
    raise MdrError("no")


# -- addresses --------------------------------------------------------------------------------------------


def test_an_address_brings_back_what_it_was_made_of() -> None:
    grading = Grading("both", "mean", "x y")
    asked = Compared(a="dense", q="今日は \U0001f600", lang="ja", result="wins", page=3, grading=grading)
    assert Compared.of(asked.address()) == asked
    evaluating = Evaluating(run="r", view="queries", system="bm25", other="ar", grading=Grading("file", file="0" * 32))
    assert Evaluating.of(evaluating.address()) == evaluating
    assert Compared().address() == "?" == Evaluating().address()


@pytest.mark.parametrize(
    "address", ["?page=-1&result=x&grades=y&policy=z", "?page=1e9", "?page=٣", "?%ff=%00&&&==", "x" * 90_000]
)
def test_an_address_made_by_hand_is_read_as_far_as_it_makes_sense(address: str) -> None:
    assert Compared.of(address) == Compared() and Evaluating.of(f"{address}&view=magic") == Evaluating()
