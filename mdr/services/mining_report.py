"""What mining found, as a page: per language the pairs, what was dropped and why, how right it was, and the scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mdr.errors import MismatchError
from mdr.stages.mine import REPORT
from mdr.stages.mining_report import ALL
from mdr.storage.artefacts import Artefact
from mdr.storage.files import read_json

_BARS = " ▁▂▃▄▅▆▇█"


def load(artefact: Artefact) -> Mapping[str, Any]:
    """The report of a mining artefact."""
    if artefact.manifest.stage != "mine":
        raise MismatchError(
            f"{artefact.key} was made by stage {artefact.manifest.stage}, not mined", "give the pairs of a `mine` step"
        )
    return read_json(artefact.folder / REPORT)


def markdown(report: Mapping[str, Any]) -> str:
    """The whole report."""
    return "\n".join(_page(report))


def _page(report: Mapping[str, Any]) -> Iterator[str]:
    sections = {**report["languages"], ALL: report[ALL]}
    settings = report["settings"]
    yield f"## Mined pairs, round {settings['round']}: {settings['rule']}\n"
    yield "".join(f"- {name}: `{value}`\n" for name, value in report["fingerprints"].items())
    yield from _table(
        ["queries", "pairs", "positives", "negatives", "short of negatives"],
        {name: [_count(its[key]) for key in _SUMMARY] for name, its in sections.items()},
    )
    yield from _right(report["graded"], sections)
    yield "Queries without a pair, by reason:\n"
    yield from _reasons(sections, "dropped", "queries")
    yield "Passages in the window of ranks that are no negatives, by reason; the others were not drawn:\n"
    yield from _reasons(sections, "refused", "candidates")
    yield from _scores(sections)


_SUMMARY = ("queries", "pairs", "positives", "negatives", "short")


def _right(graded: int, sections: Mapping[str, Any]) -> Iterator[str]:
    if not graded:
        yield "No query has grades: how many positives are right is not known.\n"
        return
    yield f"On {graded:,} queries with grades, with 95 % intervals (not graded counts as wrong):\n"
    lists = sorted({name for its in sections.values() for name in its["precision_by_lists"]})
    yield from _table(
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


def _reasons(sections: Mapping[str, Any], which: str, total: str) -> Iterator[str]:
    reasons = sorted({reason for its in sections.values() for reason in its[which]})
    yield from _table(
        [total, *reasons],
        {
            name: [_count(its[total]), *(_count(its[which].get(reason, 0)) for reason in reasons)]
            for name, its in sections.items()
        },
    )


def _scores(sections: Mapping[str, Any]) -> Iterator[str]:
    for histogram in sorted({name for its in sections.values() for name in its["histograms"]}):
        yield f"{histogram[0].upper()}{histogram[1:]}:\n"
        yield from _table(
            ["lowest", "median", "highest", "spread"],
            {
                name: _spread(its["histograms"][histogram])
                for name, its in sections.items()
                if histogram in its["histograms"]
            },
        )


def _spread(histogram: Mapping[str, Any]) -> list[str]:
    counts, edges = histogram["counts"], histogram["edges"]
    most = max(counts)
    bars = "".join(_BARS[-(-(len(_BARS) - 1) * count // most)] for count in counts)
    return [*(f"{value:.3f}" for value in (edges[0], histogram["median"], edges[-1])), f"`{bars}`"]


def _table(columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield f"| language | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}"
    for name, cells in rows.items():
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def _count(number: int) -> str:
    return f"{number:,}"


def _share(found: Mapping[str, Any] | None) -> str:
    return f"{found['mean']:.3f} ({found['low']:.3f}–{found['high']:.3f})" if found else "–"
