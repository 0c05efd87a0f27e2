"""Recipes carried out: plan what is to do, do it, reuse what is there, check what was made.

A recipe is data: steps with a stage, its settings, and the earlier steps they take in. Whether a step must run is
decided by its recipe hash alone, which holds the *content* of its inputs: work is reused exactly when it is the same.
"""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mdr.errors import InputError, MdrError
from mdr.ports import Engines
from mdr.stages import STAGES
from mdr.stages.stage import Stage, Work
from mdr.storage.artefacts import Artefact, ArtefactStore, recipe_hash
from mdr.types import Event


@dataclass(frozen=True)
class Step:
    """One stage with its settings; `inputs` says which earlier step fills each slot."""

    name: str
    stage: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """A sequence of steps."""

    name: str
    steps: tuple[Step, ...]

    def as_data(self) -> dict[str, Any]:
        """The recipe as a recipe file would hold it."""
        return {
            "name": self.name,
            "steps": {
                step.name: {"stage": step.stage, "settings": dict(step.settings), "inputs": dict(step.inputs)}
                for step in self.steps
            },
        }


@dataclass(frozen=True)
class Planned:
    """A step and what will happen to it. `waits`: known only when the steps before it are made."""

    step: Step
    state: Literal["reuse", "make", "waits"]
    recipe: str = ""
    made: Artefact | None = None
    """What is there already."""


class _StepData(BaseModel):
    """A step as recipe files write it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    stage: str
    settings: dict[str, Any] = {}
    inputs: dict[str, str] = {}


class _RecipeData(BaseModel):
    """A recipe as recipe files write it."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str
    steps: dict[str, _StepData] = Field(min_length=1)


def recipe_from_data(data: Mapping[str, Any], source: str = "recipe") -> Recipe:
    """A recipe from plain values, with errors that name the step."""
    try:
        checked = _RecipeData.model_validate({"name": "recipe", **data})
    except ValidationError as error:
        where, what = _first(error)
        raise InputError(
            f"{source}: {where}: {what}",
            "a recipe has tables [steps.NAME], each with its `stage`, and where needed `settings` and `inputs`",
        ) from None
    steps = (Step(name, step.stage, step.settings, step.inputs) for name, step in checked.steps.items())
    return Recipe(checked.name, tuple(steps))


def recipe_from_file(path: Path) -> Recipe:
    """A recipe from a TOML file."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: {error}", "a recipe is a TOML file; see assets/recipes") from error
    return recipe_from_data({"name": path.stem, **data}, str(path))


Given: TypeAlias = Mapping[str, Artefact]
"""Artefacts that are there already, by the step name that recipes refer to them with."""


def plan(recipe: Recipe, store: ArtefactStore, engines: Engines, given: Given | None = None) -> list[Planned]:
    """What running the recipe would do, step by step, without doing it."""
    made = dict(given or {})
    check(recipe, given=made)
    planned = []
    for step in recipe.steps:
        if any(name not in made for name in step.inputs.values()):
            planned.append(Planned(step, "waits"))
            continue
        look = _look(step, made, store, engines)
        if look.found:
            made[step.name] = look.found
        planned.append(Planned(step, "reuse" if look.found else "make", look.recipe, look.found))
    return planned


def run(
    recipe: Recipe, store: ArtefactStore, engines: Engines, name: str | None = None, given: Given | None = None
) -> Generator[Event, None, dict[str, Artefact]]:
    """Carry a recipe out, yielding events; returns the artefact of each step. `name` remembers the run."""
    made = dict(given or {})
    check(recipe, given=made)
    for step in recipe.steps:
        look = _look(step, made, store, engines)
        if artefact := look.found:
            yield Event(
                step.name, "reused", f"{artefact.key}, made {artefact.manifest.made}", data={"key": artefact.key}
            )
        else:
            artefact = yield from _make(step, look, store, engines)
        made[step.name] = artefact
        if name and not _follows():
            store.keep(name, _keys(made))
    if name and not _follows():
        store.name_run(name, _keys(made), recipe.as_data())
    return made


def _keys(made: Mapping[str, Artefact]) -> dict[str, str]:
    return {step: artefact.key for step, artefact in made.items()}


def _follows() -> bool:
    """Whether this is one of several processes (`torchrun`) and not the one that writes."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and int(os.environ.get("RANK", "0")) > 0


def _follow(look: _Look, store: ArtefactStore, engines: Engines) -> Artefact:
    """Build together with the process that writes, or wait for what it makes."""
    stage = look.stage
    if stage.together:
        for _ in stage.build(Work(store.joined(stage.makes, look.recipe), look.inputs, engines)):
            pass  # the process that writes tells it
    while (artefact := store.find(stage.makes, look.recipe)) is None:
        time.sleep(_PATIENCE)  # where that process fails, torchrun ends this one
    return artefact


_PATIENCE = 0.2


@contextmanager
def _named(step: Step) -> Iterator[None]:
    """An error says in which step it came up."""
    try:
        yield
    except MdrError as error:
        error.add_note(f"in step {step.name!r} (stage {step.stage})")
        raise


def _make(step: Step, look: _Look, store: ArtefactStore, engines: Engines) -> Generator[Event, None, Artefact]:
    stage, inputs = look.stage, look.inputs
    if _follows():
        return _follow(look, store, engines)
    with store.draft(stage.makes, look.recipe) as draft:
        # Another process may have published it while this one waited for the lock.
        if artefact := store.find(stage.makes, look.recipe):
            yield Event(step.name, "reused", artefact.key, data={"key": artefact.key})
            return artefact
        yield Event(step.name, "started", f"{stage.makes}/{look.recipe}")
        with _named(step):
            for event in stage.build(Work(draft, inputs, engines)):
                yield Event(step.name, event.kind, event.message, event.done, event.total, event.unit, event.data)
        artefact = store.publish(
            draft,
            stage=stage.name,
            version=stage.version,
            settings=stage.settings.model_dump(mode="json"),
            inputs={slot: artefact.reference() for slot, artefact in inputs.items()},
            fingerprints=look.fingerprints,
            content=stage.content(look.recipe),
        )
    counts = ", ".join(
        f"{value:,} {key.replace('_', ' ')}"
        for key, value in artefact.manifest.counts.items()
        if isinstance(value, int) and value
    )
    yield Event(
        step.name,
        "finished",
        f"{counts or artefact.key} in {artefact.manifest.seconds:.1f} s",
        data={"key": artefact.key},
    )
    return artefact


def verify(store: ArtefactStore) -> Iterator[Event]:
    """Hash everything again. One warning for each problem; the last event counts."""
    folders = store.folders()
    problems = 0
    for number, folder in enumerate(folders, 1):
        found = store.verify(folder)
        problems += len(found)
        for problem in found:
            yield Event("verify", "warning", problem)
        yield Event("verify", "progress", f"{folder.parent.name}/{folder.name}", number, len(folders), "artefacts")
    for problem in (lost := store.lost()):
        yield Event("verify", "warning", problem)
    counts = {"artefacts": len(folders), "problems": problems + len(lost)}
    yield Event("verify", "finished", f"{len(folders)} artefacts, {counts['problems']} problems", data=counts)


@dataclass(frozen=True)
class _Look:
    """A step seen closely: what it takes in, what its result would be called, and that result if it is there."""

    stage: Stage
    inputs: Mapping[str, Artefact]
    fingerprints: Mapping[str, str]
    recipe: str
    found: Artefact | None


def _look(step: Step, made: Mapping[str, Artefact], store: ArtefactStore, engines: Engines) -> _Look:
    stage, inputs = _stage(step), _inputs(step, made)
    references = {slot: artefact.reference() for slot, artefact in inputs.items()}
    fingerprints = stage.fingerprints(inputs, engines)
    recipe = recipe_hash(stage.name, stage.version, stage.hashed_settings(), references, fingerprints)
    return _Look(stage, inputs, fingerprints, recipe, store.find(stage.makes, recipe))


def _inputs(step: Step, made: Mapping[str, Artefact]) -> dict[str, Artefact]:
    return {slot: made[name] for slot, name in step.inputs.items()}


def _stage(step: Step) -> Stage:
    if step.stage not in STAGES:
        raise InputError(f"step {step.name!r} names stage {step.stage!r}", f"stages are {', '.join(STAGES)}")
    kind = STAGES[step.stage]
    try:
        return kind(kind.settings_type.model_validate(dict(step.settings)))
    except ValidationError as error:
        where, what = _first(error)
        raise InputError(
            f"step {step.name!r}, setting {where!r}: {what}",
            f"settings of {step.stage} are {', '.join(kind.settings_type.model_fields) or 'none'}",
        ) from None


def _first(error: ValidationError) -> tuple[str, str]:
    """Where the first fault is, and what it is."""
    first = error.errors()[0]
    return ".".join(str(part) for part in first["loc"]), first["msg"]


def check(recipe: Recipe, given: Iterable[str] = ()) -> None:
    """Every slot is filled by an earlier step or a given artefact, settings fit the slots, and names are unique."""
    seen = set(given)
    for step in recipe.steps:
        stage = _stage(step)
        slots = {*stage.inputs, *stage.optional_inputs}
        lacks, unknown = set(stage.inputs) - set(step.inputs), set(step.inputs) - slots
        for names, what in ((lacks, "lacks"), (unknown, "has the unknown")):
            if names:
                raise InputError(
                    f"step {step.name!r} {what} input {', '.join(sorted(names))}",
                    f"{step.stage} takes {', '.join(sorted(slots)) or 'no inputs'}",
                )
        if late := [name for name in step.inputs.values() if name not in seen]:
            raise InputError(
                f"step {step.name!r} takes in {late[0]!r}, which no earlier step makes", "reorder the steps"
            )
        with _named(step):
            stage.refuse(step.inputs)
        if step.name in seen:
            raise InputError(f"two steps are called {step.name!r}", "give each step its own name")
        seen.add(step.name)
