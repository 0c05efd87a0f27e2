"""Two runs side by side: which settings, weights and inputs differ, and what that did to each language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from mdr.errors import MdrError, MissingError
from mdr.services.evaluation import tables as evaluations
from mdr.storage.artefacts import Artefact, ArtefactStore

What: TypeAlias = Literal["stage", "setting", "input", "fingerprint"]
WHATS: tuple[What, ...] = get_args(What)
"""What people change comes before what follows from it."""


@dataclass(frozen=True)
class Change:
    """Something that two runs have differently; None: one of them does not have it."""

    step: str
    what: What
    name: str
    left: Any
    right: Any


@dataclass(frozen=True)
class RunDiff:
    """Two runs compared, step by step. `same`: steps that made the very same thing."""

    left: str
    right: str
    same: tuple[str, ...]
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Gain:
    """What the right run's evaluation adds to the left one's: of one system, by one measure."""

    system: str
    measure: str
    systems: tuple[str, ...]
    measures: tuple[str, ...]
    found: Mapping[str, Any]
    """As `core.summary.comparison` gives it."""


def diff(store: ArtefactStore, left: str, right: str) -> RunDiff:
    """What two named runs have differently."""
    ours, theirs = store.run(left), store.run(right)
    both = [step for step in ours if step in theirs]
    changes = [change for step in both if ours[step] != theirs[step] for change in _changes(store, step, ours, theirs)]
    return RunDiff(
        left,
        right,
        tuple(step for step in both if ours[step] == theirs[step]),
        tuple(step for step in ours if step not in theirs),
        tuple(step for step in theirs if step not in ours),
        tuple(sorted(changes, key=lambda change: WHATS.index(change.what))),
    )


def _changes(
    store: ArtefactStore, step: str, ours: Mapping[str, str], theirs: Mapping[str, str]
) -> Iterator[Change]:
    left, right = store.get(ours[step]).manifest, store.get(theirs[step]).manifest
    if left.stage != right.stage:
        yield Change(step, "stage", "stage", left.stage, right.stage)
    yield from _differing(step, "setting", flat(left.settings), flat(right.settings))
    yield from _differing(step, "fingerprint", left.fingerprints, right.fingerprints)
    contents = [{slot: its["content"] for slot, its in manifest.inputs.items()} for manifest in (left, right)]
    yield from _differing(step, "input", *contents)


def _differing(step: str, what: What, left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*left, *right}):
        if left.get(name) != right.get(name):
            yield Change(step, what, name, left.get(name), right.get(name))


def flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Settings within settings by their whole name.

    >>> flat({"training": {"steps": 5}, "langs": ["fi"]})
    {'training.steps': 5, 'langs': ['fi']}
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def evaluation_of(store: ArtefactStore, run: str) -> Artefact | None:
    """What a run measured last; None where it measured nothing."""
    for key in reversed(store.run(run).values()):
        try:
            artefact = store.get(key)
        except MdrError:
            continue
        if artefact.manifest.kind == "evaluation":
            return artefact
    return None


def gain(store: ArtefactStore, left: str, right: str, system: str = "", measure: str = "") -> Gain:
    """What the right run adds per language, on the queries that both evaluations have. Without a system: the last that
    both know; without a measure: the first."""
    made = [evaluation_of(store, run) for run in (left, right)]
    if made[0] is None or made[1] is None:
        without = ", ".join(run for run, its in zip((left, right), made, strict=True) if its is None)
        raise MissingError(f"nothing was evaluated in {without}", "add a step with stage `evaluate` to its recipe")
    before, after = (evaluations.load(artefact) for artefact in (made[0], made[1]))
    systems = tuple(name for name in after.systems if name in before.systems)
    measures = tuple(name for name in after.measures if name in before.measures)
    if not systems or not measures:
        raise MissingError("the two evaluations share no system or measure", "evaluate both with the same settings")
    system, measure = system or systems[-1], measure or measures[0]
    found = evaluations.compare(after, system, system, measure, other=before)
    return Gain(system, measure, systems, measures, found)
