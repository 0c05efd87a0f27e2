"""Every error a person can meet, in one tree.

    MdrError                 something the person can act on: shown in two lines, without a traceback
    ├── InputError           a file, text or argument that cannot be used (names file and line where it can)
    │   ├── FormatError      a data file that breaks its format
    │   └── ModelError       a model folder or name that cannot be loaded
    ├── MissingError         something asked for by name that is not there (lists what is)
    ├── MismatchError        two things that do not belong together: vectors and model, index and corpus
    ├── ArtefactError        an artefact that is damaged, unfinished or in use by another process
    ├── TrainingError        a training run that makes no sense to go on with
    ├── StorageError         the disk or the judgement store refuses
    │   └── InUseError       another process has it open
    ├── UnavailableError     an engine that cannot run on this machine
    ├── NotAllowedError      something that this person may not do
    ├── BusyError            too much is asked at once; says when to ask again
    └── StoppedError         work that took too long, or that nobody waits for any more

Each says what happened, then what to do: `MdrError("what happened, what was found", "what to do next")`.
"""

from __future__ import annotations

from pathlib import Path


class MdrError(Exception):
    """A problem a person can act on; `remedy` is the next thing to try."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}\n{self.remedy}" if self.remedy else self.problem


class InputError(MdrError):
    """A file, text or argument that cannot be used."""


class FormatError(InputError):
    """A data file that breaks its format; carries where."""

    def __init__(self, path: Path | str, line: int | None, problem: str, remedy: str = "") -> None:
        where = f"{path}:{line}" if line is not None else str(path)
        super().__init__(f"{where}: {problem}", remedy)
        self.path = str(path)
        self.line = line


class ModelError(InputError):
    """A model folder or name that cannot be loaded."""


class MissingError(MdrError):
    """Something asked for by name that is not there."""


class MismatchError(MdrError):
    """Two things that do not belong together."""


class ArtefactError(MdrError):
    """An artefact that is damaged, unfinished or in use."""


class TrainingError(MdrError):
    """A training run that makes no sense to go on with."""


class StorageError(MdrError):
    """The disk or the judgement store refuses."""


class InUseError(StorageError):
    """Another process has it open."""


class UnavailableError(MdrError):
    """An engine that cannot run on this machine."""


class NotAllowedError(MdrError):
    """Something that this person may not do."""


class BusyError(MdrError):
    """Too much is asked at once; `seconds` says when to ask again."""

    def __init__(self, problem: str, remedy: str, seconds: float = 1.0) -> None:
        super().__init__(problem, remedy)
        self.seconds = seconds


class StoppedError(MdrError):
    """Work that took too long, or that nobody waits for any more."""
