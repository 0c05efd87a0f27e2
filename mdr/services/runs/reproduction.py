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
from typing import NamedTuple, Protocol

from mdr import pipeline
from mdr.core.summary import MACRO, Values, averages, comparison
from mdr.errors import FormatError, InputError, MissingError
from mdr.pipeline import Recipe
from mdr.ports import Engines
from mdr.recipes.methods import METHODS, recipe
from mdr.recipes.page import MIXED, Scale
from mdr.recipes.scales import scale
from mdr.services.runs.estimates import Cost, Device, estimate, size_of
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.evaluation import Evaluation
from mdr.types import Event

WHOLE = "whole"
"""The method as its page has it, among its variants."""
BEFORE = "before"
"""The step that measures the encoder that training begins from."""
BM25, DENSE = "bm25", "dense"
POOLS: Mapping[str, str] = {
    "own": "Each question searches the passages of its own language.",
    "all": "Each question searches the passages of all languages at once.",
}
"""What a question searches, in the order of tables."""
SURE = 0.05


class Runs(Protocol):
    """What carries recipes out: a workbench."""

    def run(self, recipe: Recipe, name: str) -> Iterable[Event]: ...


@dataclass(frozen=True)
class Row:
    """One system of one variant: macro mean with its interval, and what it adds to the encoder of before, or to what
    else it was asked to be compared with."""

    pool: str
    """Searched with each question: `own` language's passages, or `all`."""
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
    same_language: float | None
    """In a pool of all languages: how much of the first ten is in the question's own."""


def run_name(method: str, size: str, variant: str, seed: int) -> str:
    """What a run of a variant is called."""
    return f"{method}.{size}.{variant or WHOLE}.{seed}".replace(" ", "-").replace("×", "x").replace(",", "")


def chosen(method: str, variants: Sequence[str], sized: Scale) -> list[str]:
    """The variants to run: the method itself, and those asked for; `all` asks for all that the scale has material
    for."""
    if method not in METHODS:
        raise InputError(f"there is no method {method!r}", f"there are {', '.join(METHODS)}")
    known = METHODS[method].variants
    wanted = METHODS[method].possible(sized) if "all" in variants else list(variants)
    if wrong := [variant for variant in wanted if variant not in known]:
        raise InputError(f"{method} has no variant {wrong[0]!r}", f"it has {', '.join(known)}, or all")
    return ["", *wanted]


def check_against(method: str, sized: Scale, against: str) -> None:
    """That a recipe of the method measures what is called so, before hours are spent."""
    variants = ["", *METHODS[method].possible(sized)]
    names = [
        f"{variant or WHOLE}/{step.name}"
        for variant in variants
        for step in recipe(method, sized, variant).steps
        if step.stage == "evaluate" and not step.name.endswith(f"-{MIXED}")
    ]
    if (against if "/" in against else f"{WHOLE}/{against}") not in names:
        raise InputError(f"{method} measures nothing called {against!r}", f"there are {', '.join(names)}")


def recipes(
    method: str, size: str, data: Path, *, seeds: Sequence[int], variants: Sequence[str]
) -> Iterator[tuple[str, Recipe]]:
    """Every recipe that the evidence needs, by the name of its run."""
    sized = scale(size, data)
    for variant in chosen(method, variants, sized):
        for seed in seeds:
            name = run_name(method, size, variant, seed)
            yield name, replace(recipe(method, sized, variant, seed), name=name)


class Planned(NamedTuple):
    """A step of a run that was asked for, and what it will cost; nothing where it is there, or made before."""

    run: str
    step: str
    stage: str
    state: str
    cost: Cost | None


def planned(
    store: ArtefactStore, engines: Engines, recipes: Iterable[tuple[str, Recipe]], size: Scale, device: Device
) -> Iterator[Planned]:
    """Every step of every recipe; what several share is counted once."""
    counted: set[str] = set()
    for name, each in recipes:
        try:
            steps = pipeline.plan(each, store, engines)
        except FormatError:  # the material is not there yet
            steps = [pipeline.Planned(step, "waits") for step in each.steps]
        there = {its.step.name: its.made.manifest.counts for its in steps if its.made}
        known = {place: size_of(counts) for place, counts in {**size.expected, **there}.items()}
        for its, cost in zip(steps, estimate(each, known, device), strict=True):
            new = its.state != "reuse" and cost.key not in counted
            counted.add(cost.key)
            yield Planned(name, its.step.name, its.step.stage, its.state, cost if new else None)


def carry_out(bench: Runs, recipes: Iterable[tuple[str, Recipe]]) -> Iterator[Event]:
    """Run them one after the other; what equals something that is there is reused, also between variants."""
    for name, each in recipes:
        yield Event("reproduce", "note", name)
        yield from bench.run(each, name)


def rows(store: ArtefactStore, method: str, size: str, measure: str = "", against: str = BEFORE) -> list[Row]:
    """The evidence that there is, of whatever seeds and variants were run; pools one after the other. `against`: the
    encoder that gains are over, as VARIANT/STEP, or a step of the method itself."""
    every = [
        _Measured(variant or WHOLE, step, [its[step] for its in runs if step in its])
        for variant in ["", *METHODS[method].variants]
        if (runs := _evaluations(store, method, size, variant))
        for step in _in_order({step for its in runs for step in its}, method, size, variant)
    ]
    if not every:
        raise MissingError(f"there is no run of {method} at scale {size}", f"`mdr reproduce {method}` makes them")
    variant, _, step = against.rpartition("/")
    begun = {
        each.pool: each.dense(measure)
        for each in every
        if each.variant == (variant or WHOLE) and each.step.removesuffix(f"-{MIXED}") == step
    }
    if not begun:
        raise MissingError(f"nothing called {against!r} was measured", "run that variant, too: --variant NAME")
    found: list[Row] = []
    shown: set[Path] = set()
    for each in every:
        if shown.issuperset(its.folder for its in each.runs):
            continue  # the same as of another variant
        shown.update(its.folder for its in each.runs)
        first = each.step in (BEFORE, f"{BEFORE}-{MIXED}")
        for system in each.runs[0].systems:
            if first or system != BM25:
                what = each.pool, each.variant, each.step, system, each.measure(measure)
                found.append(_row(what, each.runs, begun[each.pool]))
    return sorted(found, key=lambda row: list(POOLS).index(row.pool))


class _Measured(NamedTuple):
    """What a step of a variant measured, by seed."""

    variant: str
    step: str
    runs: Sequence[Evaluation]

    @property
    def pool(self) -> str:
        return str(self.runs[0].summary["settings"]["pool"])

    def measure(self, wanted: str) -> str:
        return wanted or self.runs[0].measures[0]

    def dense(self, wanted: str) -> Values:
        return _mean([each.values(DENSE, self.measure(wanted)) for each in self.runs])


def _in_order(steps: set[str], method: str, size: str, variant: str) -> list[str]:
    """As the recipe has them; those that an earlier form of it had come last."""
    if not steps:
        return []
    names = [step.name for step in recipe(method, scale(size, Path()), variant).steps]
    return sorted(steps, key=lambda step: (names.index(step) if step in names else len(names), step))


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


def _row(what: tuple[str, str, str, str, str], measured: Sequence[Evaluation], begun: Values) -> Row:
    *_, system, name = what
    values, asked = [each.values(system, name) for each in measured], measured[0].asked
    mean = _mean(values)
    whole, against = averages(mean, asked), comparison(mean, begun, asked)[MACRO]
    single = [averages(its, asked)[MACRO]["mean"] for its in values]
    bias = [its["same_language"] for each in measured if (its := each.summary["bias"].get(system))]
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
        same_language=fmean(bias) if bias else None,
    )


def markdown(method: str, size: str, found: Sequence[Row], against: str = BEFORE) -> str:
    """The evidence as a page's section."""
    made = {row.variant: None for row in found if row.variant != WHOLE}
    asked = "".join(f' --variant "{variant}"' for variant in made)
    data = "" if size == "demo" else " --data DIR"
    beside = "" if against == BEFORE else f' --against "{against}"'
    command = f"python -m mdr reproduce {method} --scale {size}{data}{asked}{beside}"
    lines = [f"## {METHODS[method].title}", "", f"`{command}`", ""]
    for pool, title in POOLS.items():
        if its := [row for row in found if row.pool == pool]:
            lines += [title, "", *_table(its), ""]
    lines += [
        f"Gain: over the encoder of {against}. \\* p < {SURE}, paired permutation of question families. "
        "Apart: the best seed from the worst."
    ]
    return "\n".join(lines) + "\n"


def _table(found: Sequence[Row]) -> list[str]:
    langs = sorted({lang for row in found for lang in row.languages})
    mixed = any(row.same_language is not None for row in found)
    head = ["variant", "measured", "system", f"{found[0].measure}, macro", "95 %", "seeds", "apart", "gain"]
    head += ["own language in top 10"] * mixed + langs
    lines = [f"| {' | '.join(head)} |", "|---|---|---|" + "---:|" * (len(head) - 3)]
    for row in found:
        cells = [row.variant, row.step, row.system, f"{row.mean:.3f}", f"{row.low:.3f}–{row.high:.3f}"]
        cells += [str(row.seeds), f"{row.spread:.3f}", f"{row.gain:+.3f}" + "\\*" * (row.p < SURE)]
        cells += ["–" if row.same_language is None else f"{row.same_language:.0%}"] * mixed
        cells += [f"{row.languages[lang]:.3f}" if lang in row.languages else "–" for lang in langs]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
