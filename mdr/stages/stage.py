"""What a stage is: a named way to turn artefacts into one new artefact, telling its progress as it goes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict

from mdr.ports import Engines
from mdr.storage.artefacts import Artefact, Draft
from mdr.types import Event

Slots: TypeAlias = Collection[str]
"""Names of inputs that are given."""


class StageSettings(BaseModel):
    """Settings of a stage: typed, closed, frozen. Their values are part of the recipe hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Work:
    """What a running stage has at hand."""

    draft: Draft
    inputs: Mapping[str, Artefact]
    engines: Engines


class Stage(ABC):
    """Subclasses are the files beside this one. `version` changes when the same settings make something else."""

    name: ClassVar[str]
    makes: ClassVar[str]
    version: ClassVar[int]
    inputs: ClassVar[tuple[str, ...]] = ()
    optional_inputs: ClassVar[tuple[str, ...]] = ()
    settings_type: ClassVar[type[StageSettings]]
    together: ClassVar[bool] = False
    """Whether all processes of `torchrun` build at once; else one does, and the others wait."""

    def __init__(self, settings: StageSettings) -> None:
        self.settings: Any = settings

    def refuse(self, slots: Slots) -> None:  # noqa: B027 - most stages refuse nothing
        """Raise where these settings cannot work with inputs in these slots, whatever is in them: it is said before
        anything is made."""

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        """What outside of settings and inputs can change the result: weights, analyzers, source files."""
        return {}

    def content(self, recipe: str) -> str | None:
        """The content hash where the bytes of equal builds differ; None: hash the files."""
        return None

    def hashed_settings(self) -> dict[str, Any]:
        """The settings that change the result. Override to leave out where things lie or how fast they go."""
        values: dict[str, Any] = self.settings.model_dump(mode="json")
        return values

    @abstractmethod
    def build(self, work: Work) -> Iterator[Event]:
        """Write files into `work.draft.folder`, fill `work.draft.counts`, and say how it goes.

        A killed build finds its folder as it left it: finished parts may be kept, half-written ones must not be.
        Names with a leading dot are scratch: there for the next try, swept away when the artefact is published.
        """

    def event(self, kind: Any, message: str = "", **values: Any) -> Event:
        """An event of this stage."""
        return Event(self.name, kind, message, **values)
