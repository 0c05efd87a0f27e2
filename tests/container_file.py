"""What a Dockerfile says, read as far as ours needs it, and what its build gets to see."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_KNOWN = {"RUN", "COPY", "ENV", "ARG", "WORKDIR", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"}


@dataclass(frozen=True)
class Instruction:
    """One of a stage, with what stands behind its word."""

    line: int
    word: str
    rest: str


@dataclass
class Stage:
    """From one image to another."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def of(self, word: str) -> list[Instruction]:
        """Those that begin with a word."""
        return [it for it in self.instructions if it.word == word]


def filled(text: str, values: Mapping[str, str]) -> str:
    """Variables, as Docker puts them in; those that shells know better are left to them."""
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], ""), text)


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Whole instructions with the number of their first line."""
    begun, number = "", 0
    for count, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        number = number or count
        if line.endswith("\\"):
            begun += f"{line[:-1].rstrip()} "
            continue
        yield number, begun + line.strip()
        begun, number = "", 0


def stages_of(text: str, arguments: Mapping[str, str]) -> list[Stage]:
    """Every stage; `arguments` are those that a build was given."""
    stages: list[Stage] = []
    outside: dict[str, str] = {}
    for number, line in lines_of(text):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = filled(rest, outside).partition(" AS ")
            stages.append(Stage(base, name))
        elif not stages and word == "ARG":
            name, _, usual = rest.partition("=")
            outside[name] = arguments.get(name, usual)
        elif stages and word in _KNOWN:
            stages[-1].instructions.append(Instruction(number, word, rest))
        else:
            raise AssertionError(f"line {number}: {word} is not known here")
    return stages


def exec_form(rest: str) -> list[str]:
    """The words of CMD, or of what a HEALTHCHECK runs."""
    found = json.loads(rest[rest.index("[") :])
    assert found and all(isinstance(word, str) for word in found), rest
    return list(found)


def pairs_of(rest: str) -> dict[str, str]:
    """What an ENV sets."""
    return {name: value.strip('"') for name, _, value in (word.partition("=") for word in rest.split())}


class Context:
    """The files that a build sees: those of a folder that its `.dockerignore` lets through."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        lines = (folder / ".dockerignore").read_text(encoding="utf-8").splitlines()
        self._rules = [line.strip() for line in lines if line.strip() and not line.startswith("#")]

    def seen(self, path: str) -> bool:
        """Whether a file gets there: of the rules that fit it, or a folder around it, the last one says."""
        parts = PurePosixPath(path).parts
        around = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        seen = True
        for rule in self._rules:
            if any(_fits(each, rule.removeprefix("!")) for each in around):
                seen = rule.startswith("!")
        return seen

    def files(self, source: str) -> list[str]:
        """The files at a place, without what is left out."""
        place = self.folder / source
        found = [place] if place.is_file() else sorted(place.rglob("*"))
        paths = [it.relative_to(self.folder).as_posix() for it in found if it.is_file()]
        return [path for path in paths if self.seen(path)]


def _fits(path: str, rule: str) -> bool:
    """As Docker matches: `*` stays within a folder, `**/` stands for any number of them."""
    if rule.startswith("**/"):
        return any(_fits("/".join(path.split("/")[skip:]), rule[3:]) for skip in range(path.count("/") + 1))
    parts, wanted = path.split("/"), rule.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
