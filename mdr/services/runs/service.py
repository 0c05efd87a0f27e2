"""Runs as the app shows them: recipes there are, what they would do, jobs that carry them out, and what was made."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import SecretStr

from mdr.core.permissions import Person, allows, require
from mdr.errors import InputError, MdrError, MissingError, NotAllowedError, UnavailableError
from mdr.pipeline import Recipe, recipe_from_file
from mdr.services.runs.jobs import RECIPE, Job, Jobs
from mdr.services.runs.journal import StepLog, curves_of
from mdr.services.runs.recipe_list import KnownRecipe, known
from mdr.settings import ROOT, Settings
from mdr.storage.artefacts import Artefact, ArtefactStore

_PATIENCE = 120.0
"""Seconds that a plan may take: it may have to read weights."""


@dataclass(frozen=True)
class PlannedStep:
    """A step of a recipe and what running it would do: `reuse`, `make`, or `waits` for the steps before it."""

    step: str
    stage: str
    state: str
    recipe: str | None


@dataclass(frozen=True)
class Made:
    """A step of a named run; without an artefact: why it cannot be read."""

    step: str
    key: str
    artefact: Artefact | None
    problem: str = ""


@dataclass(frozen=True)
class NamedRun:
    """What a name stands for, and what an unfinished later run of it has made."""

    name: str
    steps: Sequence[Made]
    making: Sequence[Made]

    @property
    def made(self) -> str:
        """When its newest artefact was made."""
        return max((its.artefact.manifest.made for its in (*self.steps, *self.making) if its.artefact), default="")


class Runs:
    """Recipes, jobs and results of one home."""

    def __init__(self, settings: Settings, store: ArtefactStore) -> None:
        self._settings, self._store = settings, store

    @cached_property
    def jobs(self) -> Jobs:
        """The queue."""
        return Jobs(
            self._settings.home / "runs",
            self._environment(),
            may_start=self._settings.may_run != "off",
            hours=self._settings.run_hours,
        )

    # -- who ----------------------------------------------------------------------------------------------

    def may_start(self, person: Person) -> bool:
        """Whether a person may start and stop runs here."""
        policy = self._settings.may_run
        return policy == "everyone" or (policy == "here" and person.here) or (policy != "off" and allows(person, "run"))

    def require(self, person: Person) -> None:
        """Refuse whoever may not start and stop runs here."""
        if self._settings.may_run == "off":
            raise NotAllowedError(
                "runs are switched off here", "run it on a machine of your own; whoever runs this one may set MDR_RUNS"
            )
        if not self.may_start(person):
            require(person, "run")

    # -- recipes ------------------------------------------------------------------------------------------

    def recipes(self) -> list[KnownRecipe]:
        """Those that come along, methods too, and those in the home's own folder `recipes`."""
        return list(known(self._settings).values())

    def recipe(self, id: str) -> KnownRecipe:
        """The recipe with an id: a method's name, or that of a file. Nothing else is ever opened."""
        found = known(self._settings)
        if id not in found:
            raise MissingError(f"there is no recipe {id[:100]!r}", f"there are {', '.join(found) or 'none'}")
        return found[id]

    def plan(self, id: str) -> list[PlannedStep]:
        """What running a recipe would do. Asked of a process of its own: it may have to read big weights."""
        with self.recipe(id).file() as path:
            return self._planned([sys.executable, "-m", "mdr", "plan", str(path), "--json"])

    def _planned(self, command: Sequence[str]) -> list[PlannedStep]:
        try:
            ran = subprocess.run(
                command, cwd=ROOT, env=self._environment(), capture_output=True, timeout=_PATIENCE, check=False
            )
            said = json.loads(ran.stdout)
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"planning took longer than {_PATIENCE:.0f} seconds", "try again later") from None
        except ValueError:
            raise UnavailableError("planning failed", f"`{shlex.join(command[1:])}` says why") from None
        if isinstance(said, Mapping):
            raise InputError(said["error"]["problem"], said["error"]["remedy"])
        return [PlannedStep(**step) for step in said]

    # -- jobs ---------------------------------------------------------------------------------------------

    def start(self, person: Person, id: str, *, event: str = "") -> Job:
        """Put a recipe into the queue; what is there already is reused, and a run that was cut off goes on."""
        self.require(person)
        found = self.recipe(id)
        if found.recipe is None:
            raise InputError(f"recipe {id!r} cannot be run: {found.problem}", "correct its file, or choose another")
        with found.file() as path:
            return self.jobs.add(path, found.recipe.name, person.name, event)

    def stop(self, person: Person, job: str) -> Job:
        """Take a job out of the queue, or end it; what it finished is kept."""
        self.require(person)
        return self.jobs.stop(job)

    def recipe_of(self, job: Job) -> Recipe | None:
        """What a job carries out: its own copy of the recipe."""
        try:
            return recipe_from_file(job.folder / RECIPE)
        except MdrError:
            return None

    def steps(self, job: Job) -> list[StepLog]:
        """Every step of a job in order, those too that have not begun."""
        recipe = self.recipe_of(job)
        names = [step.name for step in recipe.steps] if recipe else list(job.journal.steps)
        return [job.journal.steps.get(name, StepLog(name)) for name in names]

    # -- what was made ------------------------------------------------------------------------------------

    def named(self) -> list[NamedRun]:
        """Every name, the newest result first."""
        return sorted(map(self.run, self._store.names()), key=lambda run: (run.made, run.name), reverse=True)

    def run(self, name: str) -> NamedRun:
        """What a name stands for."""
        steps, making = self._store.run(name), self._store.making(name)
        return NamedRun(name, self._in_order(steps), self._in_order(making))

    def _in_order(self, steps: Mapping[str, str]) -> list[Made]:
        """As they were made; what cannot be read comes last."""
        found = [self._made(step, key) for step, key in steps.items()]
        return sorted(found, key=lambda its: (its.artefact is None, its.artefact and its.artefact.manifest.made))

    def _made(self, step: str, key: str) -> Made:
        try:
            return Made(step, key, self._store.get(key))
        except MdrError as error:
            return Made(step, key, None, error.problem)

    @staticmethod
    def curves(artefact: Artefact) -> dict[str, list[tuple[int, float]]]:
        """Losses and dev values by step of what was trained; empty where nothing was."""
        path = artefact.folder / "log.jsonl"
        if not path.is_file():
            return {}
        with path.open(encoding="utf-8") as lines:
            return curves_of(lines)

    def _environment(self) -> dict[str, str]:
        """This process's, with the settings that it has: they may have come from elsewhere."""
        own = {
            f"MDR_{name.upper()}": str(value)
            for name, field in Settings.model_fields.items()
            if field.validation_alias is None and not isinstance(value := getattr(self._settings, name), SecretStr)
        }
        return {**os.environ, **own}
