"""What mining found, as a page: per language the pairs, what was dropped and why, how right it was, and the scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mdr.services.pair_tables import by_reason, counts, fingerprints, histograms, load_report, sections_of, table
from mdr.storage.artefacts import Artefact


def load(artefact: Artefact) -> Mapping[str, Any]:
    """The report of a mining artefact."""
    return load_report(artefact, "mine")


def markdown(report: Mapping[str, Any]) -> str:
    """The whole report."""
    return "\n".join(_page(report))


def _page(report: Mapping[str, Any]) -> Iterator[str]:
    sections, settings = sections_of(report), report["settings"]
    yield f"## Mined pairs, round {settings['round']}: {settings['rule']}\n"
    yield fingerprints(report)
    summary = ("queries", "pairs", "positives", "negatives", "short")
    yield from counts(sections, summary, {"short": "short of negatives"})
    yield from _right(report["graded"], sections)
    yield "Queries without a pair, by reason:\n"
    yield from by_reason(sections, "dropped", "queries")
    yield "Passages in the window of ranks that are no negatives, by reason; the others were not drawn:\n"
    yield from by_reason(sections, "refused", "candidates")
    yield from histograms(sections)


def _right(graded: int, sections: Mapping[str, Any]) -> Iterator[str]:
    if not graded:
        yield "No query has grades: how many positives are right is not known.\n"
        return
    yield f"On {graded:,} queries with grades, with 95 % intervals (not graded counts as wrong):\n"
    lists = sorted({name for its in sections.values() for name in its["precision_by_lists"]})
    yield from table(
        ["precision of positives", *(f"by {name}" for name in lists), "false negatives"],
        {
            name: [
                _share(its["precision"]),
                *(_share(its["precision_by_lists"].get(one)) for one in lists),
                _share(its["false_negatives"]),
            ]
            for name, its in sections.items()
        },
    )


def _share(found: Mapping[str, Any] | None) -> str:
    return f"{found['mean']:.3f} ({found['low']:.3f}–{found['high']:.3f})" if found else "–"
