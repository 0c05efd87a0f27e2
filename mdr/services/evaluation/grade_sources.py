"""Which grades an evaluation goes by: those a collection came with, those people gave, both, or a file of somebody's.

An uploaded file is kept in memory under a name made of its content, so whoever has the address has the file already.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple, TypeAlias, get_args

from mdr.core.permissions import Person, require
from mdr.core.recent import Recent
from mdr.errors import FormatError, InputError, MissingError
from mdr.formats.trec import read_qrels
from mdr.services.judging.service import JudgingService
from mdr.storage.collection import Collection
from mdr.storage.files import digest
from mdr.types import Qrels

Source: TypeAlias = Literal["collection", "judged", "both", "file"]
SOURCES: tuple[str, ...] = get_args(Source)
UPLOAD_LIMIT = 4 << 20
"""Bytes of an uploaded file."""

_KEPT = 8
_NAMED = "your file"
_LINE = "a line is: query 0 passage grade"
_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class Grading:
    """A choice of grades. `policy` makes one grade of several judges'; `campaign` "": of all; `file`: an upload."""

    source: Source = "collection"
    policy: str = "majority"
    campaign: str = ""
    file: str = ""


class Graded(NamedTuple):
    """Grades, a name that changes when they do, and how many judged things their policy left open."""

    qrels: Qrels
    fingerprint: str
    open: int = 0


class GradeSources:
    """The grades of one collection, from wherever they are wanted."""

    def __init__(self, collection: Collection, name: str, judging: Callable[[], JudgingService]) -> None:
        self.collection, self.name, self._judging = collection, name, judging
        self._recent = Recent(_KEPT)
        self._uploads: Recent = Recent(_KEPT)

    def allow(self, grading: Grading, person: Person) -> None:
        """Refuse grades of people to those who may not see what others judged: who judges too must not peek."""
        if grading.source in ("judged", "both"):
            require(person, "see-others")

    def graded(self, grading: Grading) -> Graded:
        """The grades of a choice. Whoever asks for somebody asks `allow` first."""
        if grading.source not in _GRADED:
            raise InputError(f"there are no grades from {grading.source!r}", f"they come from {', '.join(SOURCES)}")
        return _GRADED[grading.source](self, grading)

    def campaigns(self) -> list[str]:
        """Names of the campaigns in which somebody judged; "" is judging outside of any."""
        return sorted({event.campaign for event in self._judging().store.judgements(self.name)})

    def upload(self, content: bytes) -> str:
        """Keep the qrels of a file; gives the name to ask for them by."""
        qrels = parsed_qrels(content)
        id = hashlib.sha256(content).hexdigest()[:32]
        self._uploads.get(id, lambda: Graded(qrels, id))
        return id

    def _own(self, grading: Grading) -> Graded:
        return self._recent.get("own", lambda: Graded(self.collection.qrels(), "collection"))

    def _judged(self, grading: Grading) -> Graded:
        decided = self._judging().decided(self.name, grading.policy, grading.campaign or None)
        named = sorted((query, sorted(its.items())) for query, its in decided.qrels.items())
        return Graded(decided.qrels, digest(named), len(decided.open))

    def _both(self, grading: Grading) -> Graded:
        """What somebody judged counts before what the collection says."""
        own, judged = self._own(grading), self._judged(grading)
        qrels: dict[str, Mapping[str, int]] = dict(own.qrels)
        qrels |= {query: {**qrels.get(query, {}), **its} for query, its in judged.qrels.items()}
        return Graded(qrels, f"both {judged.fingerprint}", judged.open)

    def _uploaded(self, grading: Grading) -> Graded:
        return self._uploads.get(grading.file if _ID.fullmatch(grading.file) else "", _gone)


def _gone() -> Graded:
    raise MissingError("the uploaded file is not kept any more", "upload it again")


_GRADED: Mapping[str, Callable[[GradeSources, Grading], Graded]] = {
    "collection": GradeSources._own,
    "judged": GradeSources._judged,
    "both": GradeSources._both,
    "file": GradeSources._uploaded,
}


def parsed_qrels(content: bytes) -> Qrels:
    """The grades of a TREC file that somebody sent, or what is wrong with it, by line."""
    if len(content) > UPLOAD_LIMIT:
        raise InputError(
            f"the file has {len(content):,} bytes, the limit is {UPLOAD_LIMIT:,}", "leave out what is not needed"
        )
    if content[:2] == b"\x1f\x8b":  # it could unpack to any size
        raise InputError("the file is packed", "unpack it first, then upload the text itself")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "qrels"
        path.write_bytes(content)
        try:
            qrels = read_qrels(path)
        except FormatError as error:
            problem = error.problem.removeprefix(f"{path}:{error.line}: ").removeprefix(f"{path}: ")
            raise FormatError(_NAMED, error.line, problem, error.remedy or _LINE) from error
    if not qrels:
        raise InputError("the file holds no grades", _LINE)
    return qrels
