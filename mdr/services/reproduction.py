"""A method's evidence: its recipe and its variants over several seeds, carried out and laid side by side.

What is shown is read from the evaluations that runs left behind: each measured model beside BM25, the encoder that
training began from, and the hybrid of both. Over seeds a query has its mean value; intervals and
tests are over queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Protocol

from mdr.core.summary import MACRO, Asked, Values, averages, comparison
from mdr.errors import InputError, MissingError
from mdr.pipeline import Recipe
from mdr.recipes.methods import METHODS, recipe
from mdr.recipes.scales import scale
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.evaluation import Evaluation
from mdr.types import Event

WHOLE = "whole"
"""The method as its page has it, among its variants."""
BEFORE = "before"
"""The step that measures the encoder that training begins from."""
BM25, DENSE = "bm25", "dense"
SURE = 0.05


class Runs(Protocol):
    """What carries recipes out: a workbench."""

    def run(self, recipe: Recipe, name: str) -> Iterable[Event]: ...


@dataclass(frozen=True)
class Row:
    """One system of one variant: macro mean with its interval, and what it adds to the encoder of before."""

    variant: str
    step: str
    system: str
    measure: str
    seeds: int
    mean: float
    low: float
    high: float
    spread: float
    """Between the best and the worst seed."""
    gain: float
    p: float
    languages: Mapping[str, float]


def run_name(method: str, size: str, variant: str, seed: int) -> str:
    """What a run of a variant is called."""
    return f"{method}.{size}.{variant or WHOLE}.{seed}".replace(" ", "-").replace("×", "x")


def chosen(method: str, variants: Sequence[str]) -> list[str]:
    """The variants to run: the method itself, and those asked for; `all` asks for all."""
    if method not in METHODS:
        raise InputError(f"there is no method {method!r}", f"there are {', '.join(METHODS)}")
    known = METHODS[method].variants
    wanted = list(known) if "all" in variants else list(variants)
    if wrong := [variant for variant in wanted if variant not in known]:
        raise InputError(f"{method} has no variant {wrong[0]!r}", f"it has {', '.join(known)}, or all")
    return ["", *wanted]


def recipes(
    method: str, size: str, data: Path, *, seeds: Sequence[int], variants: Sequence[str]
) -> Iterator[tuple[str, Recipe]]:
    """Every recipe that the evidence needs, by the name of its run."""
    sized = scale(size, data)
    for variant in chosen(method, variants):
        for seed in seeds:
            name = run_name(method, size, variant, seed)
            yield name, replace(recipe(method, sized, variant, seed), name=name)


def carry_out(bench: Runs, recipes: Iterable[tuple[str, Recipe]]) -> Iterator[Event]:
    """Run them one after the other; what equals something that is there is reused, also between variants."""
    for name, each in recipes:
        yield Event("reproduce", "note", name)
        yield from bench.run(each, name)


def rows(store: ArtefactStore, method: str, size: str, measure: str = "") -> list[Row]:
    """The evidence that there is, of whatever seeds and variants were run."""
    found: list[Row] = []
    for variant in ["", *METHODS[method].variants]:
        runs = _evaluations(store, method, size, variant)
        begun: Values = {}
        for step in dict.fromkeys(step for its in runs for step in its):
            measured = [its[step] for its in runs if step in its]
            name = measure or measured[0].measures[0]
            begun = begun or _mean([each.values(DENSE, name) for each in measured])
            for system in measured[0].systems:
                if (step == BEFORE and variant) or (step != BEFORE and system == BM25):
                    continue  # it stands there already
                values = [each.values(system, name) for each in measured]
                found.append(_row((variant or WHOLE, step, system, name), values, begun, measured[0].asked))
    if not found:
        raise MissingError(f"there is no run of {method} at scale {size}", f"`mdr reproduce {method}` makes them")
    return found


def _evaluations(store: ArtefactStore, method: str, size: str, variant: str) -> list[dict[str, Evaluation]]:
    """By seed: what each measuring step of a run wrote, in the order of the recipe."""
    prefix = run_name(method, size, variant, 0).removesuffix("0")
    names = sorted(name for name in store.names() if name.startswith(prefix) and name.removeprefix(prefix).isdigit())
    return [
        {
            step: Evaluation(artefact.folder)
            for step, key in store.run(name).items()
            if (artefact := _kept(store, key)) and artefact.manifest.kind == "evaluation"
        }
        for name in names
    ]


def _kept(store: ArtefactStore, key: str) -> Artefact | None:
    return store.get(key) if key.startswith("evaluation/") else None


def _mean(values: Sequence[Values]) -> dict[str, float]:
    """Over seeds, of the queries that all have."""
    shared = set.intersection(*(set(its) for its in values))
    return {query: fmean(its[query] for its in values) for query in sorted(shared)}


def _row(what: tuple[str, str, str, str], values: Sequence[Values], begun: Values, asked: Mapping[str, Asked]) -> Row:
    mean = _mean(values)
    whole, against = averages(mean, asked), comparison(mean, begun, asked)[MACRO]
    single = [averages(its, asked)[MACRO]["mean"] for its in values]
    return Row(
        *what,
        seeds=len(values),
        mean=whole[MACRO]["mean"],
        low=whole[MACRO]["low"],
        high=whole[MACRO]["high"],
        spread=max(single) - min(single),
        gain=against["mean"],
        p=against["p"],
        languages={lang: its["mean"] for lang, its in whole["languages"].items()},
    )


def markdown(method: str, size: str, found: Sequence[Row]) -> str:
    """The evidence as a page's section."""
    langs = sorted({lang for row in found for lang in row.languages})
    seeds = max(row.seeds for row in found)
    head = (
        f"| variant | measured | system | {found[0].measure}, macro | 95 % | over seeds | gain | {' | '.join(langs)} |"
    )
    lines = [f"## {METHODS[method].title}", "", f"Scale {size}, {seeds} seed{'s'[: seeds > 1]}.", "", head]
    lines.append("|---|---|---|" + "---:|" * (4 + len(langs)))
    for row in found:
        star = "\\*" if row.p < SURE else ""
        own = " | ".join(f"{row.languages[lang]:.3f}" if lang in row.languages else "–" for lang in langs)
        lines.append(
            f"| {row.variant} | {row.step} | {row.system} | {row.mean:.3f} | {row.low:.3f}–{row.high:.3f} "
            f"| ± {row.spread / 2:.3f} | {row.gain:+.3f}{star} | {own} |"
        )
    lines += ["", f"Gain: over the encoder of before. \\* p < {SURE}, paired permutation of question families."]
    return "\n".join(lines) + "\n"
