"""Passages into training pairs: questions that a generator writes for them, as far as they stand up to the filters.

Which passages are asked about is in `selection`, the filters are in `sifter` and `core.filters`. Every question that is
dropped is kept with its reason, and every question with what was measured of it: likelihood and its percentile in its
language, ranks and scores of its passage in each index, and the fingerprints of what wrote, scored and searched.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import Field, field_validator

from mdr.core.filters import REASONS
from mdr.core.languages import code_of
from mdr.core.mining import RULES, same_texts
from mdr.core.text import QUERY_LIMIT, clean
from mdr.errors import InputError
from mdr.ports import Engines
from mdr.ports import Generator as Writer
from mdr.stages.generation_report import generation_report
from mdr.stages.indexes import (
    COLLECTION,
    GENERATOR,
    PAIRS,
    Langs,
    generator_of,
    open_indexes,
    teacher_fingerprints,
)
from mdr.stages.selection import OTHER, OWN, Selected, Selection, Target, select, targets
from mdr.stages.sifter import SEEN, Sifter, Written, as_pair
from mdr.stages.stage import Slots, Stage, StageSettings, Work
from mdr.stages.tally import ALL, REPORT, barren, reasons
from mdr.storage.artefacts import Artefact
from mdr.storage.collection import Collection
from mdr.storage.files import write_json
from mdr.storage.pairs import Pairs, PairWriter
from mdr.storage.scratch import Scratch
from mdr.types import Event, Query

BLOCK = 64
"""Passages that are written for together: what a kill costs. It never changes a question."""
_LIKELY_INSTEAD = "en"
"""What generators fall back on; the identifier must be able to say so."""


RoundTrip: TypeAlias = Literal["intersection", "union", "lexical", "dense", "none"]
"""As `mine` names the lists that must agree."""


class GenerateSettings(StageSettings):
    """Which passages, in which language, how many questions; and what questions must be like to be kept."""

    generator: str = Field("", description="model folder or hub name; empty: the default generator")
    langs: Langs = Field((), description="languages of the passages; empty: all")
    target: Target = Field(OWN, description="language of questions: own, other (one of the others), or codes: each")
    n: int = Field(3, ge=1, le=100, description="questions for each passage and language")
    selection: Selection = Field(
        "random", description="which passages: random, coverage (those that fewest pairs name), named (only those)"
    )
    budget: int = Field(0, ge=0, description="the most passages of each language; 0: all")
    seed: int = Field(0, ge=0)
    language: bool = Field(True, description="drop questions that are clearly in another language")
    min_tokens: int = Field(2, ge=1, description="words, or characters where words are not spaced")
    max_characters: int = Field(300, ge=1, le=QUERY_LIMIT)
    max_copy: float = Field(0.9, ge=0, le=1, description="share of a question that is one stretch of its passage")
    max_repetition: float = Field(0.3, ge=0, le=1, description="share of a question that repeats itself")
    round_trip: RoundTrip = Field("union", description="which indexes must find the passage again, if any")
    k: int = Field(3, ge=1, le=SEEN, description="the lowest rank at which it is found, among its language's passages")
    min_percentile: float = Field(0, ge=0, le=100, description="of the likelihood, within the question's language")
    round: int = Field(0, ge=0, description="the round of self-training; pairs carry it")
    weight: float = Field(1.0, gt=0, allow_inf_nan=False, description="of each pair in training")

    @field_validator("target")
    @classmethod
    def _known(cls, target: Target) -> Target:
        if isinstance(target, str) and target not in (OWN, OTHER):
            raise ValueError(f"it is {target!r}; it should be {OWN}, {OTHER}, or a list of language codes")
        if not target:
            raise ValueError(f"it names no language; give {OWN}, {OTHER}, or a list of language codes")
        return target if isinstance(target, str) else tuple(sorted(set(map(code_of, target))))

    @property
    def sides(self) -> tuple[str, ...]:
        """The indexes that the round trip cannot do without."""
        return () if self.round_trip == "none" else RULES[self.round_trip].sides


class _Job(NamedTuple):
    """A passage to write for, and the language to write in."""

    position: int
    lang: str


class Generate(Stage):
    """Pairs of written questions and the passages they were written for."""

    name, makes, version = "generate", "pairs", 2
    inputs = (COLLECTION,)
    optional_inputs = ("lexical", "dense", PAIRS, GENERATOR)
    settings_type = GenerateSettings

    def hashed_settings(self) -> dict[str, Any]:
        values = super().hashed_settings()
        del values["generator"]  # the fingerprint names it, by its weights
        return values

    def refuse(self, slots: Slots) -> None:
        settings = self.settings
        if lacking := [side for side in settings.sides if side not in slots]:
            raise InputError(
                f"generate: round_trip {settings.round_trip!r} needs a {' and a '.join(lacking)} index, "
                "which is not given",
                "give it as an input, or choose a round_trip for the index that there is, or 'none'",
            )
        if settings.selection != "random" and PAIRS not in slots:
            raise InputError(
                f"generate: selection {settings.selection!r} goes by pairs, and none are given",
                "give the pairs of an earlier step as `pairs`, or choose the selection 'random'",
            )

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        return teacher_fingerprints(inputs, engines, self.settings.generator)

    def build(self, work: Work) -> Iterator[Event]:
        settings, collection = self.settings, Collection(work.inputs[COLLECTION].folder)
        same_text = same_texts(collection.passages())
        selected = yield from self._select(work, collection, same_text)
        jobs = [
            _Job(at, lang)
            for at in selected.positions
            for lang in targets(collection, settings.target, at, settings.seed)
        ]
        generator = work.engines.generator(generator_of(work.inputs, settings.generator))
        written = yield from self._write(Scratch(work.draft.folder, "written"), generator, collection, jobs)
        retrievers = open_indexes(work)
        may_be = sorted({*collection.languages, *(job.lang for job in jobs), _LIKELY_INSTEAD})
        identifier = work.engines.language_identifier(may_be)
        sifter = Sifter(settings, collection, generator.log_likelihood, identifier, retrievers, same_text)
        for step in sifter.sift(written):
            yield self.event("progress", step.what, done=step.done, total=step.total, unit="questions")
        fingerprints = self.fingerprints(work.inputs, work.engines)
        fingerprints |= {side: its.fingerprint for side, its in retrievers.items()}
        self._save(work, collection, written, {"seed": settings.seed, "fingerprints": fingerprints})
        report = generation_report(Pairs(work.draft.folder), settings.k)
        yield from self._outcome(report)
        head = {
            "settings": settings.model_dump(mode="json"),
            "fingerprints": fingerprints,
            "passages_with_the_text_of_another": selected.repeated,
        }
        write_json(work.draft.folder / REPORT, head | report)
        names = ("questions", "pairs", "passages", "passages_with_pairs")
        work.draft.counts |= {name: report[ALL][name] for name in names}
        work.draft.counts |= {"dropped": report[ALL]["questions"] - report[ALL]["pairs"]}
        work.draft.counts["languages"] = sorted(report["languages"])

    # -- what goes in -----------------------------------------------------------------------------------------

    def _select(
        self, work: Work, collection: Collection, same_text: Mapping[str, int]
    ) -> Generator[Event, None, Selected]:
        """The passages to write for; a language that has none is a warning."""
        settings = self.settings
        wanted = settings.langs or collection.languages
        if without := sorted(set(wanted) - set(collection.languages)):
            yield self.event("warning", f"there are no passages in {', '.join(without)}")
        langs = sorted(set(wanted) & set(collection.languages))
        if not langs:
            have = ", ".join(collection.languages) or "none"
            raise InputError(
                f"generate: there are no passages to write for; languages with passages: {have}",
                "choose other languages, or give a collection that has passages",
            )
        selected = select(
            collection,
            langs,
            settings.selection,
            budget=settings.budget,
            seed=settings.seed,
            answers=Pairs(work.inputs[PAIRS].folder).answers() if PAIRS in work.inputs else (),
            same_text=same_text,
        )
        if not selected.positions:
            raise InputError(
                f"generate: the pairs name no passage in {', '.join(langs)}", "choose another selection or languages"
            )
        return selected

    # -- writing ----------------------------------------------------------------------------------------------

    def _write(
        self, scratch: Scratch, generator: Writer, collection: Collection, jobs: Sequence[_Job]
    ) -> Generator[Event, None, list[Written]]:
        """All questions in the order of the jobs; those that an earlier try wrote are not written again."""
        settings = self.settings
        texts: dict[_Job, list[str]] = {_Job(at, lang): its for at, lang, its in scratch.read()}
        if texts:
            yield self.event("note", f"{len(texts):,} of {len(jobs):,} passages were written for before")
        todo = [job for job in jobs if job not in texts]
        for start in range(0, len(todo), BLOCK):
            block = todo[start : start + BLOCK]
            passages = [collection.at(job.position) for job in block]
            found = generator.write(passages, [job.lang for job in block], n=settings.n, seed=settings.seed)
            new = {job: [clean(text) for text in its] for job, its in zip(block, found, strict=True)}
            scratch.append((*job, its) for job, its in new.items())
            texts |= new
            yield self.event("progress", "writing", done=len(texts), total=len(jobs), unit="passages")
        return [
            Written(Query(_name(collection, job, number), job.lang, text), job.position, {"number": number})
            for job in jobs
            for number, text in enumerate(texts[job])
        ]

    # -- what comes out ---------------------------------------------------------------------------------------

    def _save(
        self, work: Work, collection: Collection, written: Sequence[Written], evidence: Mapping[str, Any]
    ) -> None:
        with PairWriter(work.draft.folder) as writer:
            for each in written:
                pair = as_pair(each, collection.ids[each.position], self.settings, evidence)
                (writer.drop if each.reason else writer.add)(pair)
            writer.passages(collection.at(each.position) for each in written)

    def _outcome(self, report: Mapping[str, Any]) -> Iterator[Event]:
        """A language without pairs is a warning; none at all is an error that says why, and what to do."""
        overall = report[ALL]
        if not overall["pairs"]:
            commonest = max(overall["dropped"], key=overall["dropped"].__getitem__)
            raise InputError(
                f"generate: none of {overall['questions']:,} questions stood up to the filters: {reasons(overall)}",
                REASONS[commonest],
            )
        for line in barren(report, "pairs"):
            yield self.event("warning", line)


def _name(collection: Collection, job: _Job, number: int) -> str:
    """An id for a question: the same in every round, as what is held out goes by ids."""
    return f"{collection.ids[job.position]}#{job.lang}{number}"
