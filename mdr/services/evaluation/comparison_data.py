"""Comparisons as plain values, for programs."""

from __future__ import annotations

from typing import Any

from mdr.services.evaluation.comparison import ManyQuestions, OneQuestion, Ranked, Row


def one_as_data(found: OneQuestion) -> dict[str, Any]:
    """A question in two systems; ranks are null where a system did not find a passage at all."""
    return {
        "query": found.query._asdict(),
        "first": _ranked(found.first),
        "second": _ranked(found.second),
        "depth": found.depth,
        "shared": found.shared,
        "moves": [
            {
                "first": move.first,
                "second": move.second,
                "change": move.change(found.depth),
                "grade": found.grades.get(move.id),
                **found.passages[move.id]._asdict(),
            }
            for move in found.moves
        ],
    }


def _ranked(ranked: Ranked) -> dict[str, Any]:
    evaluated = ranked.evaluated
    return {"system": ranked.system.key, "evaluation": evaluated.name if evaluated else None}


def many_as_data(found: ManyQuestions, most: int = 20) -> dict[str, Any]:
    """Two systems on all questions; the `most` questions on which they differ most."""
    return {
        "first": {"system": found.first.key, "evaluation": found.evaluated[0].name, "mean": found.means[0]},
        "second": {"system": found.second.key, "evaluation": found.evaluated[1].name, "mean": found.means[1]},
        "measure": found.measure,
        "total": found.total._asdict(),
        "languages": {lang: tally._asdict() | found.test["languages"][lang] for lang, tally in found.tallies.items()},
        "macro": found.test["macro"],
        "queries": found.test["queries"],
        "largest_differences": [_row(row) for row in found.behind()[:most]],
    }


def _row(row: Row) -> dict[str, Any]:
    return {**row.query._asdict(), "first": row.first, "second": row.second, "difference": row.difference}
