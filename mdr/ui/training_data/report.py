"""A step's report on its pairs as figures and tables that lead to the rows behind each number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mdr.services.training_data.rows import Source
from mdr.services.training_data.tables import Report, sections_of
from mdr.stages.tally import ALL
from mdr.ui.parts.figures import Bar, BarGroup, bars
from mdr.ui.parts.graphs import histogram
from mdr.ui.parts.render import tongue
from mdr.ui.training_data.address import View
from mdr.ui.words.catalogue import N_, _
from mdr.ui.words.services import NUMBERS

_KEPT: Mapping[str, tuple[str, str]] = {
    "mine": ("queries", "pairs"),
    "generate": ("questions", "pairs"),
    "score": ("queries", "lists"),
}
"""What a stage was given and what it kept of it, as its report counts them."""
_LEADS: Mapping[tuple[str, str], str] = {
    ("queries", "pairs"): N_("Of %(given)s queries, %(kept)s became pairs and %(dropped)s were dropped."),
    ("questions", "pairs"): N_("Of %(given)s questions, %(kept)s became pairs and %(dropped)s were dropped."),
    ("queries", "lists"): N_("Of %(given)s queries, %(kept)s became lists and %(dropped)s were dropped."),
}


class Cell(NamedTuple):
    """A count, and where the rows behind it are."""

    number: int
    link: str = ""


def report_values(report: Report, source: Source, view: View) -> dict[str, Any]:
    """What the template of a report needs."""
    sections = sections_of(report)
    given, kept = _KEPT[report["stage"]]
    reasons = sorted({reason for its in sections.values() for reason in its["dropped"]})
    recipe, chosen = source.artefact.manifest.recipe, view.lang if view.lang in sections else ""
    found = sections[chosen or ALL]["histograms"]
    return {
        "lead": _lead(sections[ALL], given, kept),
        "graded": report.get("graded"),
        "precision": _precision(sections) if report.get("graded") else None,
        "columns": [given, kept, *reasons],
        "rows": {lang: _row(its, recipe, lang, given, kept, reasons) for lang, its in sections.items()},
        "histograms": {
            _plainly(name): histogram(f"spread-{at}", _plainly(name), its)
            for at, (name, its) in enumerate(found.items())
        },
        "languages": [lang for lang in sections if lang != ALL],
        "chosen": chosen,
        "recipe": recipe,
        "fingerprints": report["fingerprints"],
    }


def _plainly(name: str) -> str:
    """A number's name without the sides' technical ones."""
    return _(NUMBERS.get(name, name))


def _lead(section: Report, given: str, kept: str) -> str:
    dropped = sum(section["dropped"].values())
    counts = {"given": section[given], "kept": section[kept], "dropped": dropped}
    return _(_LEADS[given, kept], **counts)


def _row(section: Report, recipe: str, lang: str, given: str, kept: str, reasons: list[str]) -> list[Cell]:
    its = View(source=recipe, lang="" if lang == ALL else lang)
    table = "lists" if kept == "lists" else "kept"
    cells = [Cell(section[given]), Cell(section[kept], its.address(show=table) if section[kept] else "")]
    for reason in reasons:
        count = section["dropped"].get(reason, 0)
        cells.append(Cell(count, its.address(show="dropped", rule=reason) if count else ""))
    return cells


def _precision(sections: Mapping[str, Report]) -> Any:
    series = (_("answers that are right"), _("wrong ones that are right after all"))
    groups = [
        BarGroup(
            _("all together") if lang == ALL else tongue(lang).name,
            [_bar(its["precision"], series[0]), _bar(its["false_negatives"], series[1])],
        )
        for lang, its in sections.items()
        if its["precision"]
    ]
    said = _("A: answers that are right; B: right ones among negatives")
    return bars("precision", _("How right it was"), said, groups)


def _bar(found: Mapping[str, Any] | None, what: str) -> Bar:
    if not found:
        return Bar(None)
    shares = {name: f"{found[name]:.1%}" for name in ("mean", "low", "high")}
    said = _("%(what)s: %(mean)s, between %(low)s and %(high)s", what=what, **shares)
    return Bar(found["mean"], found["low"], found["high"], said)
