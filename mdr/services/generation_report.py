"""What became of written questions, as a page: per language the pairs, what was dropped and why, what was found."""

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
    """The report of a generation artefact."""
    return load_report(artefact, "generate")


def markdown(report: Mapping[str, Any]) -> str:
    """The whole report."""
    return "\n".join(_page(report))


def _page(report: Mapping[str, Any]) -> Iterator[str]:
    sections, settings = sections_of(report), report["settings"]
    target = settings["target"]
    asked = target if isinstance(target, str) else ", ".join(target)
    yield f"## Written questions, round {settings['round']}: in {asked}, {settings['n']} of each passage\n"
    yield fingerprints(report)
    summary = ("passages", "questions", "pairs", "passages_with_pairs")
    yield from counts(sections, summary, {"passages_with_pairs": "passages with pairs"})
    yield "Dropped questions, by reason:\n"
    yield from by_reason(sections, "dropped", "questions")
    yield from _returns(settings["k"], sections)
    yield from histograms(sections)


def _returns(k: int, sections: Mapping[str, Any]) -> Iterator[str]:
    sides = sorted({side for its in sections.values() for side in its["round_trip"]})
    for side in sides:
        yield f"Questions that find their passage again with the {side} index, of those that were asked:\n"
        found = {lang: its["round_trip"][side] for lang, its in sections.items() if side in its["round_trip"]}
        yield from table(
            ["asked", "at rank 1", f"up to rank {k}"],
            {
                lang: [count(its["asked"]), *(f"{its[name] / its['asked']:.3f}" for name in ("first", "within_k"))]
                for lang, its in found.items()
            },
        )
