"""Names that people give to runs and collections: a small file each, `<root>/names/<name>.json`.

A name stands for the result of its last run that came to its end. What a run in progress has made so far is kept
beside it, so that cleaning up does not take it; and the old result serves until the new one is whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mdr.errors import MissingError
from mdr.storage.files import read_json, write_json

NAMES = "names"
"""The folder below the root that is no kind of artefact."""


class RunNames:
    """The names below one root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def name_run(self, name: str, steps: Mapping[str, str], recipe: Mapping[str, Any]) -> None:
        """From now on the name stands for what each step of a run made, and for the recipe that did."""
        write_json(self._file(name), {"steps": dict(steps), "recipe": dict(recipe), "making": {}})

    def keep(self, name: str, steps: Mapping[str, str]) -> None:
        """Remember what an unfinished run has made so far; what the name stands for stays."""
        before = self._named(name) if name in self.names() else {"steps": {}, "recipe": {}}
        write_json(self._file(name), {**before, "making": dict(steps)})

    def run(self, name: str) -> dict[str, str]:
        """Step name to artefact key of a named run."""
        return dict(self._named(name)["steps"])

    def making(self, name: str) -> dict[str, str]:
        """The same of a later run that has not come to its end."""
        return dict(self._named(name)["making"])

    def recipe_of(self, name: str) -> dict[str, Any]:
        """The recipe that a named run carried out."""
        return dict(self._named(name)["recipe"])

    def keys(self, name: str) -> list[str]:
        """Every artefact that the name holds on to."""
        return [*self.run(name).values(), *self.making(name).values()]

    def names(self) -> list[str]:
        """All names."""
        return sorted(path.stem for path in (self.root / NAMES).glob("*.json"))

    def _named(self, name: str) -> Mapping[str, Any]:
        path = self._file(name)
        if not path.is_file():
            raise MissingError(
                f"there is no run or collection named {name!r}; there are: {', '.join(self.names()) or 'none'}",
                "`mdr import FORMAT PATH --name NAME` makes a collection, `mdr run RECIPE` a run",
            )
        return {"steps": {}, "recipe": {}, "making": {}, **read_json(path)}

    def _file(self, name: str) -> Path:
        fits = 0 < len(name) <= 100 and not name.startswith(".")
        if not fits or not all(char.isalnum() or char in "-_." for char in name):
            raise MissingError(f"{name!r} cannot be a name", "use up to 100 letters, digits, '-', '_' and '.'")
        return self.root / NAMES / f"{name}.json"
