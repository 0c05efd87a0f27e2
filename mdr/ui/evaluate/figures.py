"""The figures of the page "Evaluate": reports as bars, ranges and shades, each number with its words and its link."""

from __future__ import annotations

import math

from markupsafe import Markup

from mdr.core.summary import MACRO, MICRO
from mdr.services.evaluation.bias import BiasReport
from mdr.services.evaluation.holes import HolesReport
from mdr.services.evaluation.tables import Cell, Table
from mdr.ui.compare.address import Evaluating
from mdr.ui.compare.view import name_of
from mdr.ui.parts.figures import Bar, BarGroup, Shade, bars, matrix, ranges
from mdr.ui.parts.render import tongue
from mdr.ui.words.catalogue import N_, _, many

MEANS = {MACRO: N_("mean over languages"), MICRO: N_("mean over questions")}


def column_name(column: str) -> str:
    """What a column of a table is of."""
    return _(MEANS[column]) if column in MEANS else tongue(column).name


def scores(table: Table, asked: Evaluating) -> Markup:
    """Bars per language, one for each system."""
    columns = [MACRO, *(column for column in table.columns if column not in MEANS)]
    groups = [
        BarGroup(
            _("all languages") if column == MACRO else column_name(column),
            [_bar(name_of(system), column, cells[column], system, asked) for system, cells in table.rows.items()],
        )
        for column in columns
    ]
    said = _(
        "%(measure)s by language and system; the line over the end of each bar is its 95 %% interval.",
        measure=table.measure,
    )
    return bars("figure-scores", _("%(measure)s by language", measure=table.measure), said, groups)


def _bar(name: str, column: str, cell: Cell, system: str, asked: Evaluating) -> Bar:
    said = name + _(", ") + column_name(column) + _(": ")
    if cell.mean is None:
        return Bar(None, said=said + _("not known"))
    numbers = {"value": f"{cell.mean:.3f}", "n": cell.queries}
    if cell.low is None or cell.high is None:
        said += many("%(value)s, from %(n)s question", "%(value)s, from %(n)s questions", cell.queries, **numbers)
    else:
        numbers |= {"low": f"{cell.low:.3f}", "high": f"{cell.high:.3f}"}
        said += many(
            "%(value)s, between %(low)s and %(high)s, from %(n)s question",
            "%(value)s, between %(low)s and %(high)s, from %(n)s questions",
            cell.queries,
            **numbers,
        )
    lang = "" if column == MACRO else column
    link = asked.address(view="queries", system=system, lang=lang, page=1)
    return Bar(cell.mean, cell.low, cell.high, said, link)


def holes(report: HolesReport, asked: Evaluating) -> Markup:
    """For every system a line from worst to best, with a mark at the estimate, or else at the condensed value."""
    groups = []
    for number, (system, treated) in enumerate(report.cells.items()):
        mean = {name: cells[MACRO].mean for name, cells in treated.items()}
        marked = "estimate" if mean.get("estimate") is not None else "condensed"
        told = _(", ").join(f"{_(name)} {_number(mean[name])}" for name in ("worst", marked, "best"))
        said = name_of(system) + _(": ") + told
        link = asked.address(view="queries", system=system, lang="", page=1)
        groups.append(BarGroup(name_of(system), [Bar(mean[marked], mean["worst"], mean["best"], said, link)], number))
    said = _(
        "%(measure)s if what nobody judged is not relevant (left end) or as relevant as can be (right end).",
        measure=report.measure,
    )
    return ranges("figure-holes", _("%(measure)s from worst to best", measure=report.measure), said, groups)


def _number(value: float | None) -> str:
    return _("not known") if value is None else f"{value:.3f}"


def bias(report: BiasReport, system: str, asked: Evaluating) -> Markup:
    """Query language down, language of the right passage across."""
    across = sorted({other for row in report.cells.values() for other in row})
    down = {lang: [_shade(report, system, lang, other, asked) for other in across] for lang in report.cells}
    said = _(
        "Rows: language of the question. Columns: language of the right passage. Numbers: mean of 1 divided by the "
        "rank of that passage in a pool of all languages; 1 is always first. System: %(system)s.",
        system=name_of(system),
    )
    return matrix("figure-bias", _("Language bias of %(system)s", system=name_of(system)), said, across, down)


def _shade(report: BiasReport, system: str, lang: str, other: str, asked: Evaluating) -> Shade | None:
    cell = report.cells[lang].get(other)
    if cell is None or math.isnan(cell.mean):
        return None
    counts = report.bias.matrix[lang][other]
    said = _(
        "questions in %(lang)s, passages in %(other)s: %(value)s, between %(low)s and %(high)s; mean rank %(rank)s, "
        "%(missing)s of %(all)s not found",
        lang=tongue(lang).name,
        other=tongue(other).name,
        value=f"{cell.mean:.2f}",
        low=f"{cell.low:.2f}",
        high=f"{cell.high:.2f}",
        rank=f"{counts.mean_rank:.1f}",
        missing=counts.missing,
        all=counts.queries,
    )
    return Shade(cell.mean, said, asked.address(view="queries", system=system, lang=lang, other=other, page=1))
