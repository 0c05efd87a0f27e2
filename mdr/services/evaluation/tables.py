"""What people ask of an evaluation: tables per language, one system against another, and Markdown of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mdr.core.languages import LANGUAGES
from mdr.core.measures import measure as measure_of
from mdr.core.summary import MACRO, MICRO, comparison
from mdr.errors import MismatchError
from mdr.storage.artefacts import Artefact
from mdr.storage.evaluation import Evaluation

SURE = 0.05
"""Differences with a smaller p-value, adjusted for the number of languages, are marked."""


def load(artefact: Artefact) -> Evaluation:
    """An evaluation artefact, opened."""
    if artefact.manifest.kind != "evaluation":
        raise MismatchError(f"{artefact.key} is not an evaluation", "make one with `mdr evaluate NAME`")
    return Evaluation(artefact.folder)


@dataclass(frozen=True)
class Cell:
    """A mean with its interval. `marked`: differs from the baseline by more than chance explains."""

    mean: float | None
    low: float | None = None
    high: float | None = None
    queries: int = 0
    marked: bool = False


@dataclass(frozen=True)
class Table:
    """One measure: a row per system, a column per query language, then the macro and micro averages."""

    measure: str
    baseline: str
    columns: Sequence[str]
    rows: Mapping[str, Mapping[str, Cell]]
    queries: Mapping[str, int]


def table(evaluation: Evaluation, measure: str) -> Table:
    """The averages of a measure for every system."""
    measure = known_measure(evaluation, measure)
    summary = evaluation.summary
    averages = {system: summary["averages"][system][measure] for system in evaluation.systems}
    against = {system: its[measure] for system, its in summary["comparisons"].items()}
    return table_of(measure, averages, against)


def table_of(measure: str, averages: Mapping[str, Any], against: Mapping[str, Any]) -> Table:
    """Averages by system, and what each adds to the first of them, side by side."""
    languages = sorted({lang for its in averages.values() for lang in its["languages"]})
    rows = {system: _row(its, against.get(system), languages) for system, its in averages.items()}
    baseline = next(iter(rows))
    queries = {column: cell.queries for column, cell in rows[baseline].items()}
    return Table(measure, baseline, [*languages, MACRO, MICRO], rows, queries)


def _row(averages: Mapping[str, Any], against: Mapping[str, Any] | None, languages: Iterable[str]) -> dict[str, Cell]:
    cells = {}
    for lang in languages:
        marked = against is not None and against["languages"][lang]["holm"] < SURE
        cells[lang] = Cell(**averages["languages"][lang], marked=marked)
    cells[MACRO] = Cell(**averages[MACRO], marked=against is not None and against[MACRO]["p"] < SURE)
    cells[MICRO] = Cell(averages[MICRO], queries=averages[MACRO]["queries"])
    return cells


def known_measure(evaluation: Evaluation, name: str) -> str:
    """A measure by the name that the evaluation has it under: RR@100 finds MRR@100."""
    return name if name in evaluation.measures else measure_of(name).name


def compare(
    evaluation: Evaluation, system: str, baseline: str, measure: str, *, other: Evaluation | None = None
) -> dict[str, Any]:
    """What a system adds to a baseline, on the queries both have: difference, interval and p-value per language and
    for the macro average. The baseline may be of another evaluation, made with other settings or models."""
    other = other or evaluation
    measure = known_measure(evaluation, measure)
    ours, theirs = evaluation.values(system, measure), other.values(baseline, measure)
    if not ours.keys() & theirs.keys():
        raise MismatchError(
            "the two evaluations share no query", "compare evaluations of the same collection and split"
        )
    return comparison(ours, theirs, {**other.asked, **evaluation.asked})


# -- Markdown ------------------------------------------------------------------------------------------------------


def markdown_table(table: Table, *, digits: int = 3) -> str:
    """A table with languages across and systems down; marked cells carry a star, as the line below it says."""
    names = [f"{column}<br>{table.queries[column]:,}" for column in table.columns]
    lines = [
        f"| {table.measure} | {' | '.join(names)} |",
        f"|---|{'---:|' * len(table.columns)}",
    ]
    for system, cells in table.rows.items():
        lines.append(f"| {system} | {' | '.join(_shown(cells[column], digits) for column in table.columns)} |")
    if any(cell.marked for cells in table.rows.values() for cell in cells.values()):
        lines += ["", f"\\* differs from {table.baseline}: p < {SURE} (paired permutation, Holm over the languages)"]
    return "\n".join(lines) + "\n"


def _shown(cell: Cell, digits: int) -> str:
    if cell.mean is None:
        return "–"
    star = "\\*" if cell.marked else ""
    return f"{cell.mean:.{digits}f}{star}"


def markdown_matrix(evaluation: Evaluation, system: str, *, digits: int = 2) -> str:
    """Query language down, language of the right passage across: mean reciprocal rank in a mixed pool."""
    bias = evaluation.summary["bias"].get(system)
    if not bias:
        raise MismatchError(
            f"there is no language bias for {system!r}", "evaluate with a pool of all languages: `--pool all`"
        )
    matrix: Mapping[str, Mapping[str, Mapping[str, Any]]] = bias["matrix"]
    across = sorted({lang for row in matrix.values() for lang in row})
    lines = [f"| {system} | {' | '.join(across)} |", f"|---|{'---:|' * len(across)}"]
    for lang, row in matrix.items():
        shown = [f"{row[other]['mrr']:.{digits}f}" if other in row else "–" for other in across]
        lines.append(f"| {_name(lang)} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _name(lang: str) -> str:
    return f"{LANGUAGES[lang].name} ({lang})" if lang in LANGUAGES else lang
