"""Evaluations as a page: each with the commands that made it, read from its artefacts, never typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mdr.errors import MissingError
from mdr.recipes.baselines import COLLECTION, DENSE, EVALUATION
from mdr.services.evaluation.tables import load, markdown_matrix, markdown_table, table
from mdr.settings import ROOT
from mdr.stages.evaluate import EvaluateSettings
from mdr.stages.index import encoder_of
from mdr.stages.prepare import PrepareSettings
from mdr.stages.stage import StageSettings
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.evaluation import Evaluation

_HEAD = """# Results

Written by `python -m mdr report`; do not edit. Averages are over the queries of a language; macro is the mean over
languages. The number below a language is that of its queries. The hybrid's weight of the dense side (alpha) is tuned
per language on other queries than those reported, where a development split is named; elsewhere it is 1.
"""


def report(store: ArtefactStore, names: Sequence[str]) -> str:
    """A Markdown page of named evaluation runs."""
    return "\n".join([_HEAD, *(part for name in names for part in _section(store, name))])


def _section(store: ArtefactStore, name: str) -> Iterator[str]:
    steps = store.run(name)
    if EVALUATION not in steps:
        raise MissingError(f"{name!r} has no evaluation", "make one with `mdr evaluate NAME --run-name RUN`")
    made = {step: store.get(key) for step, key in steps.items()}
    evaluation = load(made[EVALUATION])
    yield f"## {name}\n"
    yield "\n".join(["```bash", *_commands(name, made), "```", ""])
    yield from _made_of(made)
    for measure in evaluation.measures:
        yield markdown_table(table(evaluation, measure))
    if alpha := evaluation.summary["alpha"]:
        named = sorted((lang, value) for lang, value in alpha.items() if lang)
        shown = ", ".join(f"{lang or 'others'} {value:.2f}" for lang, value in [*named, ("", alpha.get("", 1.0))])
        yield f"alpha: {shown}\n"
    yield from _left_out(evaluation)
    yield from _bias(evaluation)


_IMPORT_OPTIONS = {"splits": "--split", "parts": "--part", "lang": "--lang"}
_EVALUATE_OPTIONS = {
    "split": "--split",
    "dev_split": "--dev-split",
    "pool": "--pool",
    "langs": "--lang",
    "measures": "--measure",
    "k": "--k",
    "fusion": "--fusion",
    "alpha": "--alpha",
}


def _commands(name: str, made: Mapping[str, Artefact]) -> Iterator[str]:
    collection, evaluation = made[COLLECTION].manifest.settings, made[EVALUATION].manifest.settings
    called = name.partition(".")[0]
    importing = ["python -m mdr import", collection["format"], Path(collection["path"]).name, "--name", called]
    yield " ".join([*importing, *_options(collection, PrepareSettings, _IMPORT_OPTIONS)])
    encoder = _named(encoder_of(made[DENSE])) if DENSE in made else ""
    evaluating = ["python -m mdr evaluate", called, *(["--encoder", encoder] if encoder else [])]
    options = _options(evaluation, EvaluateSettings, _EVALUATE_OPTIONS)
    yield " ".join([*evaluating, *options, "--run-name", name])


def _named(encoder: str) -> str:
    """As others would name it: from the project's folder where it is in there, else without saying where it lies."""
    path = Path(encoder)
    if path.is_absolute():
        return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    return encoder


def _options(settings: Mapping[str, Any], kind: type[StageSettings], options: Mapping[str, str]) -> list[str]:
    """What must be said on the command line: settings that are not as they are by default."""
    words = []
    for setting, option in options.items():
        value, default = settings[setting], kind.model_fields[setting].default
        values = value if isinstance(value, list | tuple) else [value]
        if list(values) != list(default if isinstance(default, list | tuple) else [default]):
            words += [word for each in values for word in (option, str(each))]
    return words


def _made_of(made: Mapping[str, Artefact]) -> Iterator[str]:
    counts = made[COLLECTION].manifest.counts
    line = f"{counts['passages']:,} passages in {len(counts['languages'])} languages"
    if DENSE in made:
        line += f"; encoder `{made[DENSE].manifest.fingerprints['encoder']}`"
    yield f"{line}; made {made[EVALUATION].manifest.made[:10]}\n"


def _left_out(evaluation: Evaluation) -> Iterator[str]:
    for system, ids in evaluation.summary["missing"].items():
        if ids:
            yield f"{system} found nothing for {len(ids):,} queries, which count as 0.\n"
    for what, ids in evaluation.summary["left_out"].items():
        if ids:
            count = len(ids) if isinstance(ids, list) else ids
            yield f"Left out: {count:,} {what.replace('_', ' ')}.\n"


def _bias(evaluation: Evaluation) -> Iterator[str]:
    rows = {system: its for system, its in evaluation.summary["bias"].items() if its}
    if not rows:
        return
    k = next(iter(rows.values()))["k"]
    yield "Language bias over the mixed pool. Spread: worst rank − best rank among a query's right answers, those not"
    yield f"found counted at rank {k + 1}. Same language: share of the first 10 hits in the query's own language.\n"
    yield "| system | rank spread | same language |\n|---|---:|---:|"
    for system, its in rows.items():
        yield f"| {system} | {its['rank_spread']:.1f} | {its['same_language']:.2f} |"
    yield "\nMean reciprocal rank of the right answer in each language (across), by query language (down):\n"
    for system in rows:
        yield markdown_matrix(evaluation, system)
