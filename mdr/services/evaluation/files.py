"""Evaluations to take along: grades and runs as TREC files, the values of every question as a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mdr.core.permissions import Person, require
from mdr.errors import MissingError
from mdr.formats.trec import write_qrels, write_run
from mdr.formats.writing import text_file
from mdr.services.evaluation.grade_sources import Grading
from mdr.services.evaluation.measuring import Evaluated, Measured, MeasuringService
from mdr.services.exports import inert

FILES: Mapping[str, str] = {
    "qrels": "the grades, as TREC qrels",
    "run": "the rankings of a system, as a TREC run",
    "csv": "the value of every question, as CSV",
    "parquet": "the value of every question, as Parquet",
}
_COLUMNS = ("query", "lang", "family", "system", "measure", "value")


def write_file(
    measuring: MeasuringService,
    evaluated: Evaluated,
    grading: Grading,
    measure: str,
    what: str,
    folder: Path,
    *,
    system: str = "",
    person: Person,
) -> Path:
    """One of `FILES` in a folder. What comes of people's grades leaves only with somebody who may export them."""
    measuring.sources.allow(grading, person)
    if grading.source in ("judged", "both"):
        require(person, "export")
    if what == "run":
        name = system or evaluated.systems[0]
        file = folder / f"{evaluated.name}.{name}.run"
        write_run(measuring.run(evaluated, name), file, name)
    elif what == "qrels":
        file = folder / f"{evaluated.name}.{grading.source}.qrels"
        write_qrels(measuring.in_pool(evaluated, measuring.sources.graded(grading).qrels), file)
    elif what in _TABLES:
        file = folder / f"{evaluated.name}.{what}"
        _TABLES[what](measuring.measured(evaluated, measure, grading), file)
    else:
        raise MissingError(f"there is no file {what[:100]!r}", f"there are {', '.join(FILES)}")
    return file


def _rows(measured: Measured) -> Iterator[tuple[Any, ...]]:
    for system, values in measured.values.items():
        for query, value in values.items():
            yield (query, *measured.asked[query], system, measured.measure, value)


def _csv(measured: Measured, file: Path) -> None:
    with text_file(file) as out:
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(_COLUMNS)
        writer.writerows([inert(value) for value in row] for row in _rows(measured))


def _parquet(measured: Measured, file: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns = zip(*_rows(measured), strict=True)
    parquet.write_table(pa.table(dict(zip(_COLUMNS, map(list, columns), strict=True))), file, compression="zstd")


_TABLES = {"csv": _csv, "parquet": _parquet}
