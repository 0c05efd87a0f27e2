"""What pages about pairs have in common: Markdown tables with a row per language and, last, one for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mdr.stages.tally import ALL

Report = Mapping[str, Any]
_BARS = " ▁▂▃▄▅▆▇█"


def sections_of(report: Report) -> dict[str, Report]:
    """Languages in order, then all together."""
    return {**report["languages"], ALL: report[ALL]}


def fingerprints(report: Report) -> str:
    """What made the pairs, a line each."""
    return "".join(f"- {name}: `{value}`\n" for name, value in report["fingerprints"].items())


def counts(
    sections: Mapping[str, Report], names: Sequence[str], titles: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A column for each count; `titles` where one should be called otherwise."""
    heads = [(titles or {}).get(name, name) for name in names]
    yield from table(heads, {lang: [count(its[name]) for name in names] for lang, its in sections.items()})


def by_reason(sections: Mapping[str, Report], which: str, total: str) -> Iterator[str]:
    """A column for each reason."""
    reasons = sorted({reason for its in sections.values() for reason in its[which]})
    yield from table(
        [total, *reasons],
        {
            name: [count(its[total]), *(count(its[which].get(reason, 0)) for reason in reasons)]
            for name, its in sections.items()
        },
    )


def histograms(sections: Mapping[str, Report]) -> Iterator[str]:
    """A table for each of the numbers that were gathered."""
    for name in sorted({name for its in sections.values() for name in its["histograms"]}):
        yield f"{name[0].upper()}{name[1:]}:\n"
        yield from table(
            ["lowest", "median", "highest", "spread"],
            {lang: _spread(its["histograms"][name]) for lang, its in sections.items() if name in its["histograms"]},
        )


def _spread(histogram: Mapping[str, Any]) -> list[str]:
    most = max(histogram["counts"])
    bars = "".join(_BARS[-(-(len(_BARS) - 1) * count // most)] for count in histogram["counts"])
    return [*(f"{histogram[name]:.3f}" for name in ("lowest", "median", "highest")), f"`{bars}`"]


def table(columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A table, and an empty line."""
    yield f"| language | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}"
    for name, cells in rows.items():
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""


def count(number: int) -> str:
    """A count as people read it."""
    return f"{number:,}"
