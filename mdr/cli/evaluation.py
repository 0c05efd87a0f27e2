"""Commands that measure: evaluate, and report what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import RenderableType

from mdr.cli.data import Encoder, Name
from mdr.cli.desk import Desk, add_command
from mdr.cli.output import Report, table

if TYPE_CHECKING:
    from mdr.services.evaluation.tables import Cell
    from mdr.storage.evaluation import Evaluation


def register(app: typer.Typer) -> None:
    """Put these commands into the app."""
    add_command(app, evaluate)
    add_command(app, report)


def evaluate(
    desk: Desk,
    name: Name,
    split: Annotated[str, typer.Option(help="The split to report; without: all.")] = "",
    dev_split: Annotated[str, typer.Option(help="The split to tune the hybrid on; without: equal weights.")] = "",
    pool: Annotated[str, typer.Option(help="own: passages in the query's language; all: in every language.")] = "own",
    lang: Annotated[list[str] | None, typer.Option(help="Only queries in this language; may be repeated.")] = None,
    measure: Annotated[list[str] | None, typer.Option(help="Such as MRR@100 or nDCG@10; may be repeated.")] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Hits per query.")] = 100,
    fusion: Annotated[str, typer.Option(help="How the hybrid joins both sides: mr-tydi, weighted or rrf.")] = "mr-tydi",
    alpha: Annotated[float, typer.Option(min=0, help="Weight of the dense side where it is not tuned.")] = 1.0,
    encoder: Encoder = "",
    run_name: Annotated[str, typer.Option(help="What to call the run; without: NAME.evaluation.")] = "",
) -> Report:
    """Measure BM25, dense and hybrid search on a collection with grades, per language."""
    from mdr.recipes.baselines import EVALUATION
    from mdr.services.evaluation.tables import load

    options: dict[str, Any] = {"split": split, "dev_split": dev_split, "langs": lang, "measures": measure}
    given = {key: value for key, value in options.items() if value}
    given |= {"pool": pool, "k": k, "fusion": fusion, "alpha": alpha}
    made = desk.watch(desk.bench.evaluate(name, encoder, run_name or None, **given))
    evaluation = load(made[EVALUATION])
    data = {"name": name, "artefact": made[EVALUATION].key, "folder": evaluation.folder, **evaluation.summary}
    return Report(data, list(_tables(evaluation)))


def report(
    desk: Desk,
    names: Annotated[list[str], typer.Argument(metavar="RUN…", help="Names of runs that have an evaluation.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write there instead of printing.")] = None,
) -> Report:
    """Write evaluations as a Markdown page, with the commands that made them."""
    from mdr.services.evaluation.report import report as page

    text = page(desk.bench.store, names)
    if out is None:
        return Report({"markdown": text}, [text])
    out.write_text(text, encoding="utf-8")
    return Report({"file": str(out)}, [f"wrote {out}"])


def _tables(evaluation: Evaluation) -> Iterator[RenderableType]:
    """For each measure a row per language and a column per system."""
    from mdr.services.evaluation.tables import SURE
    from mdr.services.evaluation.tables import table as averages

    for measure in evaluation.measures:
        its = averages(evaluation, measure)
        rows = [
            (column, its.queries[column], *(_shown(cells[column]) for cells in its.rows.values()))
            for column in its.columns
        ]
        yield table(rows, measure, "queries", *its.rows)
        if any(cell.marked for cells in its.rows.values() for cell in cells.values()):
            yield f"* differs from {its.baseline}: p < {SURE}, paired permutation test, Holm over the languages"
        yield ""
    for system, ids in evaluation.summary["missing"].items():
        if ids:
            yield f"{system} found nothing for {len(ids):,} queries: they count as 0"


def _shown(cell: Cell) -> str | float | None:
    return f"{cell.mean:.4f}*" if cell.mean is not None and cell.marked else cell.mean
