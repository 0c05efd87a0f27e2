"""The recipes that can be started from a page: files that come along, the methods at the scale of the sample, and files
of the home's own. A method has no file; for the process that carries it out, one is written."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mdr.errors import MdrError
from mdr.pipeline import Recipe, recipe_from_file
from mdr.recipes.methods import METHODS
from mdr.recipes.scales import scale
from mdr.services.runs import reproduction
from mdr.settings import ROOT, Settings

SCALE = "demo"
"""Methods are offered where their material comes along."""


@dataclass(frozen=True)
class KnownRecipe:
    """A recipe that can be run. `about`: what it says of itself; `command`: what does the same on the command line,
    from the project's folder; `path`: its file, where it has one; `problem`: why it cannot be run."""

    id: str
    about: str
    command: str
    recipe: Recipe | None
    path: Path | None = None
    problem: str = ""

    @contextmanager
    def file(self) -> Iterator[Path]:
        """A file that holds it: its own, or one that is there for this moment."""
        if self.path is not None or self.recipe is None:
            yield self.path or Path(self.id)
            return
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"{self.id}.toml"
            path.write_text(as_toml(self.recipe), encoding="utf-8")
            yield path


def known(settings: Settings) -> dict[str, KnownRecipe]:
    """By id; a file of the home's own stands before what comes along under its name."""
    shipped = [_of_file(path) for path in sorted((settings.assets / "recipes").glob("*.toml"))]
    own = [_of_file(path) for path in sorted((settings.home / "recipes").glob("*.toml"))]
    return {each.id: each for each in [*shipped, *_methods(settings), *own]}


def _methods(settings: Settings) -> Iterator[KnownRecipe]:
    what = scale(SCALE, settings.sample).what
    for name, method in METHODS.items():
        about = f"{method.title}. Here with {what}."
        command = f"python -m mdr reproduce {name} --scale {SCALE} --seeds 1"
        [(_, recipe)] = reproduction.recipes(name, SCALE, settings.sample, seeds=(0,), variants=())
        yield KnownRecipe(name, about, command, recipe)


def _of_file(path: Path) -> KnownRecipe:
    command = f'python -m mdr run "$MDR_HOME"/recipes/{shlex.quote(path.name)}'
    if path.is_relative_to(ROOT):
        command = f"python -m mdr run {shlex.quote(path.relative_to(ROOT).as_posix())}"
    about = ""
    try:
        about = _first_comment(path.read_text(encoding="utf-8"))
        return KnownRecipe(path.stem, about, command, recipe_from_file(path), path)
    except (OSError, UnicodeDecodeError) as error:
        return KnownRecipe(path.stem, about, command, None, path, str(error))
    except MdrError as error:
        return KnownRecipe(path.stem, about, command, None, path, error.problem)


def _first_comment(text: str) -> str:
    """What a recipe begins by saying, up to the commands."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#") or line.startswith("#  "):
            break
        lines.append(line.removeprefix("#").strip())
    said = " ".join(lines)
    return said.rpartition(". ")[0] + "." if said.endswith(":") else said


# -- writing ----------------------------------------------------------------------------------------------


def as_toml(recipe: Recipe) -> str:
    """A recipe as its file would hold it."""
    data = recipe.as_data()
    steps = "".join(f"{_toml(name)} = {_toml(step)}\n" for name, step in data["steps"].items())
    return f"name = {_toml(data['name'])}\n\n[steps]\n{steps}"


def _toml(value: Any) -> str:
    """TOML takes JSON's words for texts, numbers and truth; it has no null, which says what nothing says too."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_toml(name)} = {_toml(each)}' for name, each in value.items() if each is not None)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
