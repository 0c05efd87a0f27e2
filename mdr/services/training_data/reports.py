"""What `mine`, `generate` and `score` report of what they wrote, as Markdown pages: per language what was kept, what
was dropped and why, how right it was where that is known, and how numbers spread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mdr.errors import MismatchError
from mdr.services.training_data.tables import (
    Report,
    by_reason,
    count,
    counts,
    fingerprints,
    histograms,
    sections_of,
    table,
)
from mdr.stages.tally import REPORT
from mdr.storage.artefacts import Artefact
from mdr.storage.files import read_json


def load(artefact: Artefact) -> Report:
    """The report that a stage wrote with its pairs or lists, and which stage that was."""
    stage = artefact.manifest.stage
    if stage not in _PAGES:
        raise MismatchError(
            f"{artefact.key} was made by stage {stage}, which writes no report on pairs",
            f"give what a step of {', '.join(_PAGES)} made",
        )
    return {"stage": stage, **read_json(artefact.folder / REPORT)}


def markdown(report: Report) -> str:
    """The whole report."""
    return "\n".join(_PAGES[report["stage"]](report))


def _mined(report: Report) -> Iterator[str]:
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


def _right(graded: int, sections: Mapping[str, Report]) -> Iterator[str]:
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


def _generated(report: Report) -> Iterator[str]:
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


def _returns(k: int, sections: Mapping[str, Report]) -> Iterator[str]:
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


def _scored(report: Report) -> Iterator[str]:
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


_PAGES: Mapping[str, Callable[[Report], Iterator[str]]] = {"mine": _mined, "generate": _generated, "score": _scored}
