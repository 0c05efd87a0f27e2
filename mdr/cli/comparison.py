"""The command that sets two systems side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType

from mdr.cli.data import Name
from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, counted, table
from mdr.core.policies import POLICIES

if TYPE_CHECKING:
    from mdr.services.evaluation.comparison import ManyQuestions, OneQuestion

_SYSTEM = "bm25, dense or hybrid; with :RUN, as a named run has it."
_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Put this command into the app."""
    add_command(app, compare)


def compare(
    desk: Desk,
    name: Name,
    first: Annotated[str, typer.Argument(metavar="FIRST", help=_SYSTEM)] = "bm25",
    second: Annotated[str, typer.Argument(metavar="SECOND", help=_SYSTEM)] = "dense",
    query: Annotated[str, typer.Option(help="One question in any language; without: all that were evaluated.")] = "",
    measure: Annotated[str, typer.Option(help="Such as nDCG@10 or MRR@10.")] = "nDCG@10",
    grades: Annotated[str, typer.Option(help="Grades from: collection, judged or both.")] = "collection",
    policy: Annotated[str, typer.Option(help=f"Where judges differ: {', '.join(POLICIES)}.")] = "majority",
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Passages of each system, for one question.")] = 10,
) -> Report:
    """Compare two systems: passage by passage on one question, or on all questions with a paired test."""
    from mdr.services.evaluation.comparison_data import many_as_data, one_as_data
    from mdr.services.evaluation.grade_sources import Grading

    grading = Grading(source=grades, policy=policy)  # type: ignore[arg-type]  # checked where it is used
    comparing = desk.bench.comparing(name)
    if query.strip():
        one = comparing.question(first, second, query, depth=k, grading=grading)
        return Report(one_as_data(one), list(_one(one)))
    many = comparing.questions(first, second, measure, grading)
    return Report(many_as_data(many), list(_many(many)))


def _one(found: OneQuestion) -> Iterator[RenderableType]:
    first, second = found.first.system.key, found.second.system.key
    yield f"{first} and {second} share {found.shared} of the first {found.depth} passages for {found.query.text!r}"
    rows = [
        (
            move.id,
            found.passages[move.id].title,
            move.first,
            move.second,
            move.change(found.depth),
            found.grades.get(move.id),
        )
        for move in found.moves
    ]
    yield table(rows, "passage", "title", first, second, "", "grade")


def _many(found: ManyQuestions) -> Iterator[RenderableType]:
    first, second = found.first.key, found.second.key
    total, macro = found.total, found.test["macro"]
    rows = [
        (lang, tally.losses, tally.ties, tally.wins, test["mean"], test["low"], test["high"], test["holm"])
        for lang, tally in found.tallies.items()
        for test in [found.test["languages"][lang]]
    ]
    rows.append(("macro", total.losses, total.ties, total.wins, macro["mean"], macro["low"], macro["high"], macro["p"]))
    yield f"{found.measure}: {first} {found.means[0]:.4f}, {second} {found.means[1]:.4f}"
    yield table(rows, "language", f"{first} wins", "ties", f"{second} wins", "change", "low", "high", "p")
    yield "change: of the second to the first, with its 95 % interval; p: paired permutation test, Holm over languages"
    pools = {its.pool for its in found.evaluated}
    if len(pools) > 1:
        yield "the two searched different passages (own language, all languages): that is part of the difference"
    yield ""
    yield f"the {counted(min(_SHOWN, len(found.rows)), 'question')} on which they differ most"
    most = [(row.query.lang, row.query.text, row.first, row.second, row.difference) for row in found.behind()[:_SHOWN]]
    yield table(most, "", "question", first, second, "change")
