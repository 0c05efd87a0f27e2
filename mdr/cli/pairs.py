"""Commands over training data: what steps wrote, and the thread of a pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType
from rich.text import Text

from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, counted, table, visible

if TYPE_CHECKING:
    from mdr.services.training_data.rows import Row
    from mdr.services.training_data.threads import Learned, Named, System, Thread


def register(app: typer.Typer) -> None:
    """Put these commands into the app."""
    add_command(app, pairs)
    add_command(app, thread)


def pairs(
    desk: Desk,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Recipe hash; without: list what there is.")] = "",
    show: Annotated[str, typer.Option("--table", help="kept, dropped or lists.")] = "kept",
    lang: Annotated[str, typer.Option(help="Only questions in this language.")] = "",
    rule: Annotated[str, typer.Option(help="Only what this rule admitted or refused.")] = "",
    text: Annotated[str, typer.Option(help="Only questions that contain this.")] = "",
    passage: Annotated[str, typer.Option(help="Only what names the passage with this id.")] = "",
    order: Annotated[str, typer.Option(help="written, lowest or highest score first.")] = "written",
    page: Annotated[int, typer.Option(min=1)] = 1,
    report: Annotated[bool, typer.Option("--report", help="What the step counted, instead of its rows.")] = False,
) -> Report:
    """List what steps mined, wrote, scored and dropped; or a page of what one of them did."""
    if not source:
        return _sources(desk, passage)
    from mdr.services.training_data import reports as pair_reports
    from mdr.services.training_data.data import row_data
    from mdr.storage.pair_browser import PairFilter

    data = desk.bench.training_data
    chosen = data.source(source)
    if report:
        counted_ = pair_reports.load(chosen.artefact)
        return Report(counted_, [pair_reports.markdown(counted_)])
    wanted = PairFilter(lang=lang, rule=rule, text=text, passage=passage)
    found = data.page(chosen, show, wanted, order=order, page=page)  # type: ignore[arg-type]  # refused there
    rows = [(str(row.ref), row.query.lang, row.score, visible(row.query.text), _answer(row)) for row in found.rows]
    said = f"{counted(found.total, 'row')}, page {found.page:,} of {found.pages:,}"
    values = {"source": chosen.key, "total": found.total, "pages": found.pages}
    shown = table(rows, "pair", "language", "score", "question", "answer")
    return Report({**values, "rows": [row_data(row) for row in found.rows]}, [shown, said] if rows else [said])


def _sources(desk: Desk, passage: str) -> Report:
    data = desk.bench.training_data
    rows: list[tuple[Any, ...]] = []
    values: list[dict[str, Any]] = []
    mentions = {its.source.key: its for its in data.mentions(passage=passage)} if passage else None
    for source in data.sources():
        if mentions is not None and source.key not in mentions:
            continue
        counts = data.counts(source)
        called = ", ".join(f"{run} · {step}" for run, step in source.called)
        rows.append((source.artefact.manifest.recipe, source.stage, source.round, *counts.values(), called))
        value: dict[str, Any] = {"source": source.key, "stage": source.stage, "round": source.round}
        value |= {"rows": dict(counts), "called": [its._asdict() for its in source.called]}
        if mentions is not None:
            value["roles"] = {f"{table} {role}": number for (table, role), number in mentions[source.key].roles.items()}
            value["models"] = [model.key for model, _ in mentions[source.key].models]
        values.append(value)
    nothing = "nothing was made for training yet; `mdr run assets/recipes/mine-sample.toml` mines the sample"
    shown = table(rows, "source", "stage", "round", "kept", "dropped", "lists", "run · step")
    return Report(values, [shown] if rows else ["nothing names this passage" if passage else nothing])


def _answer(row: Row) -> str:
    id = next(iter(row.answers), "")
    passage = row.texts.get(id)
    return visible(passage.title or passage.id) if passage else id


def thread(
    desk: Desk,
    pair: Annotated[str, typer.Argument(metavar="PAIR", help="RECIPE/TABLE/ROW, as `mdr pairs` lists them.")],
) -> Report:
    """Follow a training pair: what proposed it, which rules it passed, what learned from it, where it ranks now."""
    from mdr.services.training_data.data import thread_data
    from mdr.services.training_data.rows import PairRef

    threads = desk.bench.threads
    found = threads.thread(PairRef.parse(pair))
    systems = threads.ranks(found)
    now = [{"system": its.name, "ranks": its.ranks, "problem": its.problem} for its in systems]
    return Report(thread_data(found) | {"now": now}, list(_shown(found, systems)))


def _shown(found: Thread, systems: Sequence[System]) -> Iterator[RenderableType]:
    row = found.row
    yield Text(visible(f"{row.query.text} ({row.query.lang or '?'})"), style="bold")
    fate = "may be trained on" if found.kept else "dropped"
    rule = f" ({found.rule})" if found.rule else ""
    called = ", ".join(f"{run} · {step}" for run, step in found.source.called) or found.source.key
    yield f"{fate}{rule}; made by {called}, stage {found.source.stage}, on {found.source.artefact.manifest.made[:10]}"
    if "percentile" in row.found.evidence:
        evidence = row.found.evidence
        yield f"likelihood {evidence['likelihood']:.3f}, percentile {evidence['percentile']:.0f} in its language"
    yield ""
    heads = ("passage", "role", "words then", "meaning then", "teacher", *(f"{its.name} now" for its in systems))
    yield table([_passage(named, systems) for named in found.named], *heads)
    for system in systems:
        if system.problem:
            yield f"{system.name}: {system.problem}"
    yield ""
    if found.learned:
        yield "What was made with it:"
        yield from _learned(found.learned, 1)
    else:
        yield "Nothing was made with it yet."


def _passage(named: Named, systems: Sequence[System]) -> tuple[Any, ...]:
    then = [named.then[side].rank if side in named.then else None for side in ("lexical", "dense")]
    title = visible(named.passage.title or named.id) if named.passage else named.id
    return title, named.role, *then, named.teacher, *(system.ranks[named.id] for system in systems)


def _learned(learned: Sequence[Learned], depth: int) -> Iterator[str]:
    for each in learned:
        called = ", ".join(f"{run} · {step}" for run, step in each.called) or each.artefact.key
        held = ", held out there" if each.held_out else ""
        yield f"{'  ' * depth}{called} (stage {each.artefact.manifest.stage}, as {each.slot}{held})"
        yield from _learned(each.then, depth + 1)
