"""Commands about campaigns of judging: campaign make, list, open, close, progress. People judge in the app."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, counted, table, visible
from mdr.core.permissions import MACHINE
from mdr.errors import FormatError, InputError

if TYPE_CHECKING:
    from mdr.core.campaigns import Campaign

Id = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="The campaign's id, as `mdr campaign list` shows it.")]


def register(app: typer.Typer) -> None:
    """Put these commands into the app, below `campaign`."""
    group = typer.Typer(no_args_is_help=True, help="Say what people are to judge, and see how they come along.")
    commands = ((make, None), (everything, "list"), (open_again, "open"), (close, None), (progress, None))
    for work, name in commands:
        add_command(group, work, name)
    app.add_typer(group, name="campaign")


def make(
    desk: Desk,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What judges see above it.")],
    collection: Annotated[str, typer.Option(help="The collection's name.")] = "sample",
    run: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Pool this TREC run; may be repeated. Without: the app's own engines."),
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option("--list", help="Judge these instead of a pool: a query and a passage id on a line.")
    ] = None,
    depth: Annotated[int, typer.Option(min=1, help="Pool the first so many of each run.")] = 10,
    questions: Annotated[int, typer.Option(min=0, help="At most so many of each language, by lot; 0: all.")] = 0,
    split: Annotated[str | None, typer.Option(help="Only questions of this split.")] = None,
    lang: Annotated[list[str] | None, typer.Option(help="Only this language; may be repeated.")] = None,
    guidelines: Annotated[Path | None, typer.Option(help="A Markdown file with what judges should know.")] = None,
    scale: Annotated[str, typer.Option(metavar="0=…,1=…", help="Other names for the grades, or fewer of them.")] = "",
    judge: Annotated[list[str] | None, typer.Option(help="An account; may be repeated. Without: whoever may.")] = None,
    order: Annotated[str, typer.Option(help="random, or disagreement: first where the runs differ most.")] = "random",
    random_share: Annotated[float, typer.Option(help="By disagreement: so much is drawn evenly all the same.")] = 0.2,
    budget: Annotated[int, typer.Option(min=0, help="How many judgements; 0: the whole pool.")] = 0,
    overlap: Annotated[float, typer.Option(help="The share of items that two people judge.")] = 0.1,
    repeats: Annotated[float, typer.Option(help="The share of a judge's items that come twice, unannounced.")] = 0.05,
    seed: Annotated[int, typer.Option(help="What all lots are drawn with.")] = 0,
    blind: Annotated[bool, typer.Option("--blind", help="Judges never see what the runs said.")] = False,
) -> Report:
    """Make a campaign from runs or a list; it takes judgements at once, and never changes."""
    from mdr.core.campaigns import Rules
    from mdr.services.campaigns.service import Plan

    if run and pairs:
        raise InputError("a campaign is over runs or over a list, not both", "leave out --run or --list")
    given: dict[str, Any] = {"scale": _scale(scale)} if scale else {}
    if guidelines is not None:
        given["guidelines"] = _text(guidelines)
    rules = Rules(order, random_share, budget, overlap, repeats, seed)
    plan = Plan(
        name=name,
        collection=collection,
        langs=_codes(lang or ()),
        annotators=judge or (),
        rules=rules,
        blind=blind,
        depth=depth,
        questions=questions,
        split=split,
        **given,
    )
    _prepared(desk, collection)
    listed = None if pairs is None else _pairs(pairs)
    made = desk.bench.campaigns.make(MACHINE, plan, _runs(run) if run else None, listed)
    said = f"{made.id}: {counted(made.drawn, 'item')} of a pool of {len(made.items):,}, in {', '.join(made.langs)}"
    return Report(_data(made, opened=True), [visible(said), "people judge on the app's page Judge"])


def everything(desk: Desk) -> Report:
    """Show all campaigns."""
    campaigns = desk.bench.campaigns
    found = [(it, campaigns.is_open(it)) for it in campaigns.all()]
    states = {True: "open", False: "closed"}
    rows = [
        (it.id, it.name, it.collection, it.drawn, len(it.items), ", ".join(it.annotators), states[opened])
        for it, opened in found
    ]
    heads = ("campaign", "name", "collection", "items", "of a pool of", "judges", "now")
    data = [_data(it, opened) for it, opened in found]
    return Report(data, [table(rows, *heads)] if rows else ["no campaigns yet; `mdr campaign make` makes one"])


def open_again(desk: Desk, campaign: Id) -> Report:
    """Let a closed campaign take judgements again."""
    desk.bench.campaigns.set_open(MACHINE, campaign, True)
    return Report({"id": campaign, "open": True}, [f"{campaign} takes judgements"])


def close(desk: Desk, campaign: Id) -> Report:
    """Let a campaign take no more judgements; what it has stays."""
    desk.bench.campaigns.set_open(MACHINE, campaign, False)
    return Report({"id": campaign, "open": False}, [f"{campaign} takes no more judgements"])


def progress(
    desk: Desk,
    campaign: Id,
    collection: Annotated[str, typer.Option(help="Of the open pool: whose.")] = "sample",
) -> Report:
    """Show how a campaign comes along, by language and by person."""
    whole = desk.bench.campaign_progress.whole(MACHINE, desk.bench.campaigns.get(campaign, collection))
    langs = [*((it.lang, it.done, it.wanted) for it in whole.langs), ("all", whole.done, whole.wanted)]
    people = [(it.name, it.graded, it.skipped, it.cannot, it.pace) for it in whole.people]
    shown: list[Any] = [table(langs, "language", "judged", "wanted")]
    if people:
        shown += ["", table(people, "judge", "graded", "left out", "cannot judge", "usual seconds")]
    if whole.conflicts:
        shown.append(f"judges disagree on {counted(whole.conflicts, 'passage')}: a lead settles that on the page Judge")
    return Report({**whole._asdict(), "remaining": whole.remaining}, shown)


def _data(campaign: Campaign, opened: bool) -> dict[str, Any]:
    told = ("id", "name", "collection", "langs", "annotators", "drawn", "rules", "blind", "depth", "runs")
    return {name: getattr(campaign, name) for name in told} | {"pool": len(campaign.items), "open": opened}


def _prepared(desk: Desk, collection: str) -> None:
    from mdr.recipes.baselines import DENSE
    from mdr.workbench import SAMPLE

    store = desk.bench.store
    if collection == SAMPLE and (SAMPLE not in store.names() or DENSE not in store.run(SAMPLE)):
        desk.watch(desk.bench.prepare_sample())


def _codes(langs: Sequence[str]) -> list[str]:
    from mdr.core.languages import code_of

    return [code_of(lang) for lang in langs]


def _scale(text: str) -> dict[int, str]:
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(grade.strip().isdecimal() and label.strip() for grade, _, label in pairs):
        raise InputError(f"--scale {text!r} is not a list of grades", "write 0=no,1=yes")
    return {int(grade): label.strip() for grade, _, label in pairs}


def _runs(named: Sequence[str]) -> dict[str, Any]:
    from mdr.formats.trec import read_run

    parts = [each.partition("=") for each in named]
    if not all(name and path for name, _, path in parts) or len({name for name, _, _ in parts}) < len(parts):
        raise InputError(f"--run {' '.join(named)} does not name runs", "write NAME=FILE, each name once")
    return {name: read_run(Path(path)) for name, _, path in parts}


def _pairs(path: Path) -> list[tuple[str, str]]:
    found = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        words = line.split()
        if len(words) not in (0, 2):
            raise FormatError(path, number, f"a line has {len(words)} words", "write a query id and a passage id")
        if words:
            found.append((words[0], words[1]))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(path, None, f"it is not UTF-8: {error}", "save it as UTF-8") from error
