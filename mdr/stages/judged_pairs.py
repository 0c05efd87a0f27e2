"""Grades of people into training pairs: a source beside mined and generated ones, with a weight and where it is from.

Reads judgements as they were exported, so that equal files give equal pairs. What several judges say of a passage
becomes one grade by a policy (`core.policies`). Pairs carry the grades and the ids of the events that gave them; who
gave them stays in the judgement file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator, model_validator

from mdr.core.policies import POLICIES, decide
from mdr.errors import InputError, MissingError
from mdr.ports import Engines
from mdr.stages.indexes import COLLECTION
from mdr.stages.stage import Stage, StageSettings, Work
from mdr.storage.artefacts import Artefact
from mdr.storage.collection import Collection
from mdr.storage.files import sha256_file
from mdr.storage.pairs import Pair, PairWriter
from mdr.types import Event, Query

if TYPE_CHECKING:
    from mdr.storage.judged import Standing

NO_ANSWER, OPEN, GONE = "no passage was judged an answer", "judges do not agree", "not in the collection"
"""Why something that was judged is no pair."""
_FILE = ".judgements.duckdb"


class JudgedSettings(StageSettings):
    """Whose judgements of what, and which grades make an answer."""

    path: str = Field(description="judgements as `mdr export judgements --every` writes them (.parquet), or a snapshot")
    name: str = Field(description="the name of the collection that was judged")
    campaign: str | None = Field(None, description="only of this campaign; empty: all")
    policy: str = Field("majority", description=f"how several grades become one: {', '.join(POLICIES)}")
    answer: int = Field(2, ge=1, le=3, description="the lowest grade of an answer")
    wrong: int = Field(0, ge=0, le=2, description="the highest grade of a passage that does not answer")
    weight: float = Field(1.0, gt=0, allow_inf_nan=False, description="of each pair in training")

    @field_validator("policy")
    @classmethod
    def _known(cls, policy: str) -> str:
        if policy not in POLICIES:
            raise ValueError(f"it is {policy!r}; policies are {', '.join(POLICIES)}")
        return policy

    @model_validator(mode="after")
    def _apart(self) -> JudgedSettings:
        if self.wrong >= self.answer:
            raise ValueError(f"grade {self.wrong} would be wrong, and an answer from {self.answer} on")
        return self

    @property
    def file(self) -> Path:
        """Where to read."""
        return Path(self.path).expanduser()


class JudgedPairs(Stage):
    """Pairs of judged queries and passages."""

    name, makes, version = "judged-pairs", "pairs", 1
    inputs = (COLLECTION,)
    settings_type = JudgedSettings

    def hashed_settings(self) -> dict[str, Any]:
        values = super().hashed_settings()
        del values["path"]  # the fingerprint says what is in the file, wherever it lies
        return values

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        file = self.settings.file
        if not file.is_file():
            raise MissingError(f"judged-pairs: there is no file {file}", "`mdr export judgements --every` writes one")
        return {"judgements": sha256_file(file)}

    def build(self, work: Work) -> Iterator[Event]:
        settings = self.settings
        yield self.event("progress", f"reading {settings.file.name}")
        collection = Collection(work.inputs[COLLECTION].folder)
        found = _read(settings, work.draft.folder)
        given = {key: list(its.values()) for key, its in found.grades.items()}
        decided = decide(given, found.adjudicated, settings.policy)
        dropped: Counter[str] = Counter()
        with PairWriter(work.draft.folder) as writer:
            for query, passage in decided.open:
                writer.drop(self._pair(found, query, [passage], OPEN))
                dropped[OPEN] += 1
            for query, grades in sorted(decided.qrels.items()):
                there = {id: grade for id, grade in grades.items() if id in collection.positions}
                if gone := sorted(set(grades) - set(there)):
                    writer.drop(self._pair(found, query, gone, GONE))
                    dropped[GONE] += len(gone)
                right = sorted((id for id in there if there[id] >= settings.answer), key=lambda id: (-there[id], id))
                wrong = sorted(id for id in there if there[id] <= settings.wrong)
                if right:
                    writer.add(self._pair(found, query, right, f"{settings.policy} of judges", wrong))
                elif there:
                    writer.drop(self._pair(found, query, sorted(there), NO_ANSWER))
                    dropped[NO_ANSWER] += 1
                writer.passages(collection.passage(id) for id in there)
            counts = writer.counts
        if not counts["pairs"]:
            told = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items())
            raise InputError(
                f"judged-pairs: none of {len(decided.qrels):,} judged queries gives a pair: {told or 'nobody graded'}",
                "lower `answer`, choose another policy, or give the collection that was judged",
            )
        for reason, count in dropped.items():
            yield self.event("note", f"{count:,} left out: {reason}")
        work.draft.counts |= counts

    def _pair(self, found: Standing, query: str, right: list[str], rule: str, wrong: list[str] | None = None) -> Pair:
        settings, named = self.settings, [*right, *(wrong or ())]
        events = [event for passage in named for event in found.events.get((query, passage), ())]
        asked = Query(query, events[0].query_lang, events[0].query_text)
        evidence = {
            "policy": settings.policy,
            "grades": {passage: sorted(found.grades.get((query, passage), {}).values()) for passage in named},
            "judges": len({event.annotator for event in events}),
            "campaigns": sorted({event.campaign for event in events}),
            "events": [event.event for event in events],
        }
        return Pair(asked, tuple(right), tuple(wrong or ()), "judged", settings.weight, 0, rule, evidence)


def _read(settings: JudgedSettings, folder: Path) -> Standing:
    """What holds now of exported events: worked out by the judgement store itself, in a file beside what is made."""
    from mdr.storage.judged import standing
    from mdr.storage.judgement_files import read_export
    from mdr.storage.judgements import JudgementStore

    events = read_export(settings.file)
    names = sorted(set(events.column("collection").to_pylist()))
    if settings.name not in names:
        raise MissingError(
            f"judged-pairs: nobody judged a collection named {settings.name!r} in {settings.file}; "
            f"there are: {', '.join(names) or 'none'}",
            "name one of these as `name`",
        )
    for old in folder.glob(f"{_FILE}*"):  # of a try that was killed
        old.unlink()
    store = JudgementStore(folder / _FILE)
    try:
        store.merge(events)
        return standing(store, settings.name, settings.campaign)
    finally:
        store.close()
