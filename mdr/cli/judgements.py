"""Commands about judgements: how far judges agree, and what scores are worth that have holes. Where judgements are kept
is `judgement_files`, in the same group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType

from mdr.cli import judgement_files
from mdr.cli.data import Name
from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, counted, table
from mdr.core.policies import POLICIES
from mdr.errors import MissingError

if TYPE_CHECKING:
    from mdr.core.significance import Interval
    from mdr.services.evaluation.holes import HolesReport
    from mdr.services.evaluation.tables import Cell
    from mdr.services.judging.agreement import Agreement, Judge

Campaign = Annotated[str, typer.Option(help="The campaign's id; without: all judgements.")]


def register(app: typer.Typer) -> None:
    """Put these commands into the app, below `judgements`."""
    group = typer.Typer(no_args_is_help=True, help="Say what judgements prove; keep, restore and merge them.")
    for work in (agreement, holes):
        add_command(group, work)
    for name, work in judgement_files.WORKS.items():
        add_command(group, work, name)
    app.add_typer(group, name="judgements")


@contextmanager
def _judged(desk: Desk) -> Iterator[None]:
    """The judgement file, which another process may want afterwards."""
    if not desk.settings.judgements.exists():
        raise MissingError("nobody has judged anything yet", "grades are given in the app: `mdr demo`")
    try:
        yield
    finally:
        desk.bench.judging.store.close()


# -- agreement -----------------------------------------------------------------------------------------------------


def agreement(
    desk: Desk,
    name: Name,
    campaign: Campaign = "",
    judge: Annotated[str, typer.Option(help="Only this judge: repeats, and grades against the others'.")] = "",
) -> Report:
    """Tell how far judges agree with each other, and each with themselves."""
    with _judged(desk):
        service = desk.bench.agreement
        if judge:
            one = service.judge(name, judge, campaign or None)
            return Report(one, [_judges([one]), _READ_JUDGES])
        found = service.agreement(name, campaign or None)
        return Report(found, list(_agreement(found)))


_READ = "1 is perfect, 0 is chance; in brackets what is plausible, – where there is too little to tell"
_READ_JUDGES = "higher: grades above the others'; change: from the first to the last judgement; repeats: given twice"


def _agreement(found: Agreement) -> Iterator[RenderableType]:
    rows = [("all", "", found.whole)]
    rows += [(what, its or "none", alpha) for what, slices in found.slices.items() for its, alpha in slices.items()]
    shown = [
        (what, its, alpha.things, *map(_bounds, (alpha.ordinal, alpha.interval, alpha.nominal)))
        for what, its, alpha in rows
    ]
    yield table(shown, "by", "", "shared", "ordinal", "interval", "nominal", title="Krippendorff's alpha")
    yield _READ
    for title, pairs in (("Pairs of judges", found.pairs), ("Reading abilities", found.abilities)):
        if pairs:
            lines = [
                (
                    it.first,
                    it.second,
                    it.accord.things,
                    it.accord.same.mean,
                    *map(_bounds, (it.accord.linear, it.accord.quadratic)),
                )
                for it in pairs
            ]
            yield ""
            yield table(lines, "one", "other", "shared", "same", "κ linear", "κ quadratic", title=title)
    yield ""
    yield _judges(found.judges)
    yield _READ_JUDGES
    disputed = sum(thing.spread > 0 for thing in found.things)
    yield f"graded twice or more: {counted(len(found.things), 'passage')}; differently: {disputed:,}"


def _judges(judges: Sequence[Judge]) -> RenderableType:
    rows = [
        (
            it.name,
            it.grades,
            it.seconds,
            _bounds(it.drift.level),
            _bounds(it.drift.change),
            it.repeats.things,
            _bounds(it.repeats.same),
        )
        for it in judges
    ]
    return table(rows, "judge", "grades", "seconds", "higher", "change", "repeats", "same again", title="Judges")


def _bounds(value: Interval) -> str:
    """A value with its interval."""
    numbers = ["–" if number != number else f"{number:.2f}" for number in value]
    return f"{numbers[0]} ({numbers[1]} … {numbers[2]})"


# -- holes ---------------------------------------------------------------------------------------------------------


def holes(
    desk: Desk,
    name: Name,
    evaluation: Annotated[str, typer.Option(help="Whose runs; without: the newest over all languages.")] = "",
    measure: Annotated[str, typer.Option(help="nDCG, P, Recall, MRR or MAP, with a cutoff or without.")] = "nDCG@10",
    source: Annotated[str, typer.Option(help="judged: grades of people; both: and the collection's.")] = "judged",
    policy: Annotated[
        str, typer.Option(help=f"How several judges make one grade: {', '.join(POLICIES)}.")
    ] = "majority",
    campaign: Campaign = "",
) -> Report:
    """Measure an evaluation by people's grades, by every way of treating what nobody judged."""
    from mdr.core.measures import measure as measure_of
    from mdr.services.evaluation.grade_sources import Grading

    with _judged(desk):
        measuring = desk.bench.measuring(name)
        grading = Grading(source, policy, campaign)  # type: ignore[arg-type]
        found = desk.bench.holes(name).report(measuring.evaluated(evaluation), measure_of(measure).name, grading)
    data = {"measure": found.measure, "systems": found.cells, "duels": found.duels, "outside": found.outside}
    return Report(data, list(_holes(found)))


def _holes(found: HolesReport) -> Iterator[RenderableType]:
    from mdr.core.summary import MACRO
    from mdr.services.evaluation.holes import TREATMENTS

    treatments = next(iter(found.cells.values()))
    rows = [(name, *(_cell(its[name][MACRO]) for its in found.cells.values()), TREATMENTS[name]) for name in treatments]
    yield table(rows, found.measure, *found.cells, "")
    yield ""
    for duel in found.duels:
        verdict = duel.verdict
        told = ", ".join(f"{name} {value:+.3f}" for name, value in verdict.differences.items())
        yield f"{duel.first} − {duel.second}: {told}"
        if verdict.depends:
            yield "  who wins depends on how the holes are treated"
        elif verdict.open:
            yield "  all agree on who wins, but the holes are wide enough to turn it around"
    for system, share in found.outside.items():
        if share:
            yield f"{system}: {share:.1%} of the places, by weight, hold passages that could not be drawn"


def _cell(cell: Cell) -> str | None:
    if cell.mean is None:
        return None
    low, high = ("–" if end is None else f"{end:.3f}" for end in (cell.low, cell.high))
    return f"{cell.mean:.3f} ({low} … {high})"
