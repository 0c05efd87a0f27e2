"""What a teacher said of candidates, as a page: per language the lists, what was dropped and why, and the scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mdr.services.pair_tables import (
    by_reason,
    count,
    counts,
    fingerprints,
    histograms,
    load_report,
    sections_of,
    table,
)
from mdr.storage.artefacts import Artefact


def load(artefact: Artefact) -> Mapping[str, Any]:
    """The report of a scoring artefact."""
    return load_report(artefact, "score")


def markdown(report: Mapping[str, Any]) -> str:
    """The whole report."""
    return "\n".join(_page(report))


def _page(report: Mapping[str, Any]) -> Iterator[str]:
    sections = sections_of(report)
    yield f"## Scored candidates, round {report['settings']['round']}\n"
    yield fingerprints(report)
    yield from counts(sections, ("queries", "lists", "candidates", "short", "shortest"))
    if any(its["answered"] for its in sections.values()):
        yield "Lists that begin with a pair's answer, and how often it has the highest score:\n"
        yield from table(
            ["lists", "share"],
            {
                lang: [count(its["answered"]), f"{its['preferred'] / its['answered']:.3f}"]
                for lang, its in sections.items()
                if its["answered"]
            },
        )
    yield "Queries without a list, by reason:\n"
    yield from by_reason(sections, "dropped", "queries")
    yield from histograms(sections)
