"""Queries that ask the same in another language, beside the queries of scored lists: what loss `alignment` learns from.

They come from questions that a generator wrote about a list's answer (`generate` with another `target`), from queries
of a collection that have the same best answers, or from texts that say the same (`read-texts`): as many of these as are
given. Each has a quality, and its percentile among all counterparts in its language, by which training admits the good
ones first. A counterpart is a pair like any other: it asks for the answer of the query that its evidence names as `of`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from mdr.core.filters import percentiles
from mdr.errors import InputError
from mdr.ports import Engines
from mdr.stages.counterpart_sources import GENERATED, PARALLEL, SOURCES, TEXTS, Asked, Counterpart
from mdr.stages.indexes import GENERATOR, Langs, generator_of
from mdr.stages.stage import Slots, Stage, StageSettings, Work
from mdr.stages.tally import ALL, REPORT, Sections, reasons
from mdr.stages.teacher import judged
from mdr.storage.artefacts import Artefact
from mdr.storage.files import write_json
from mdr.storage.pairs import Pair, Pairs, PairWriter
from mdr.types import Event

SCORED, MODEL = "scored", "model"
NO_ANSWER, SAME_TEXT, OTHER_LANGUAGE = "its list has no known answer", "same text as the query", "language not wanted"
"""Why something is no counterpart."""
_BLOCK = 256
"""Counterparts that are judged in one call."""


class CounterpartSettings(StageSettings):
    """In which languages, and what makes a counterpart a good one."""

    langs: Langs = Field((), description="languages of counterparts; empty: all")
    quality: Literal["likelihood", "cosine"] = Field(
        "likelihood", description="a generator's, of the counterpart given the answer; or an encoder's, of both queries"
    )
    generator: str = Field("", description="model folder or hub name; empty: the default generator")
    encoder: str = Field("", description="model folder or hub name; empty: the default encoder")


class Counterparts(Stage):
    """Pairs whose queries stand beside those of scored lists."""

    name, makes, version = "counterparts", "pairs", 1
    inputs = (SCORED,)
    optional_inputs = (*SOURCES, GENERATOR, MODEL)
    settings_type = CounterpartSettings

    def hashed_settings(self) -> dict[str, Any]:
        values = super().hashed_settings()
        del values["generator"], values["encoder"]  # the fingerprint names them, by their weights
        return values

    def refuse(self, slots: Slots) -> None:
        if not SOURCES.keys() & set(slots):
            raise InputError(
                "counterparts: there is nothing that asks in another language",
                f"give the stage {GENERATED} questions, a {PARALLEL} collection or {TEXTS}",
            )

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        if self.settings.quality == "likelihood":
            return {"generator": engines.generator(generator_of(inputs, self.settings.generator)).fingerprint}
        return {"encoder": engines.encoder(self._encoder(inputs)).fingerprint}

    def _encoder(self, inputs: Mapping[str, Artefact]) -> str:
        return str(inputs[MODEL].folder) if MODEL in inputs else str(self.settings.encoder)

    def build(self, work: Work) -> Iterator[Event]:
        settings = self.settings
        scored = Pairs(work.inputs[SCORED].folder)
        asked = [Asked.of(each, scored.passages) for each in scored.lists()]
        if not asked:
            raise InputError("counterparts: `scored` holds no lists", "give what the stage `score` made")
        found = _once(each for slot, read in SOURCES.items() if slot in work.inputs for each in read(work, asked))
        kept = [each for each in found if not self._reason(each)]
        yield self.event("progress", "judging", total=len(kept), unit="counterparts")
        qualities = self._qualities(work, kept)
        places = _percentiles(kept, qualities)
        with PairWriter(work.draft.folder) as writer:
            for each, quality, place in zip(kept, qualities, places, strict=True):
                writer.add(_pair(each, "", {settings.quality: quality, "percentile": place}))
                writer.passages([each.asked.answer] if each.asked.answer else [])
            for each in found:
                if reason := self._reason(each):
                    writer.drop(_pair(each, reason, {}))
        report = _report(Pairs(work.draft.folder), asked)
        yield from self._outcome(report, len(asked))
        head = {"settings": settings.model_dump(mode="json")}
        write_json(work.draft.folder / REPORT, head | report)
        work.draft.counts |= {name: report[ALL][name] for name in ("counterparts", "queries")}
        work.draft.counts["languages"] = [name for name, its in report["languages"].items() if its["counterparts"]]

    def _reason(self, each: Counterpart) -> str:
        """What stands against it; "" where nothing does."""
        if self.settings.langs and each.query.lang not in self.settings.langs:
            return OTHER_LANGUAGE
        if each.query.text == each.asked.query.text:
            return SAME_TEXT
        return NO_ANSWER if self.settings.quality == "likelihood" and each.asked.answer is None else ""

    def _qualities(self, work: Work, kept: Sequence[Counterpart]) -> list[float]:
        found: list[float] = []
        for start in range(0, len(kept), _BLOCK):
            block = kept[start : start + _BLOCK]
            queries = [each.query for each in block]
            if self.settings.quality == "likelihood":
                teacher = work.engines.generator(generator_of(work.inputs, self.settings.generator)).log_likelihood
                answers = [each.asked.answer for each in block if each.asked.answer]
                found += judged("counterparts", teacher, queries, answers)
            else:
                encoder = work.engines.encoder(self._encoder(work.inputs))
                one = encoder.encode([query.text for query in queries], "query")
                other = encoder.encode([each.asked.query.text for each in block], "query")
                norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
                found += ((one * other).sum(axis=1) / np.maximum(norms, 1e-12)).tolist()
        return found

    def _outcome(self, report: Mapping[str, Any], total: int) -> Iterator[Event]:
        """Wanted languages without any are a warning; none at all is an error that says why."""
        overall = report[ALL]
        if not overall["counterparts"]:
            raise InputError(
                f"counterparts: none of {total:,} queries is asked in another language: "
                f"{reasons(overall) or 'nothing that is given belongs to them'}",
                "write questions about the very answers of the lists (generate: `pairs`, selection 'named', another "
                "`target`), or give the collection or texts that the queries are from",
            )
        for lang in self.settings.langs:
            if not report["languages"].get(lang, {}).get("counterparts"):
                yield self.event("warning", f"no query is asked in {lang}")
        if lacking := total - overall["queries"]:
            yield self.event("note", f"{lacking:,} of {total:,} queries have no counterpart")


def _once(found: Iterable[Counterpart]) -> list[Counterpart]:
    """Each text for a query once, the first source's."""
    first: dict[tuple[str, str, str], Counterpart] = {}
    for each in found:
        first.setdefault((each.asked.query.id, each.query.lang, each.query.text), each)
    return list(first.values())


def _percentiles(kept: Sequence[Counterpart], qualities: Sequence[float]) -> list[float]:
    """Of each quality among those in its language."""
    found = np.zeros(len(kept))
    langs = np.array([each.query.lang for each in kept])
    for lang in sorted(set(langs.tolist())):
        own = langs == lang
        found[own] = percentiles(np.array(qualities)[own])
    return [float(value) for value in found]


def _pair(each: Counterpart, reason: str, measured: Mapping[str, float]) -> Pair:
    asked = each.asked
    evidence = {"of": asked.query.id, "of_lang": asked.query.lang, "from": each.source, **each.evidence, **measured}
    answer = (asked.answer.id,) if asked.answer else ()
    return Pair(each.query, answer, (), each.origin, 1.0, each.round, reason or f"counterpart: {each.source}", evidence)


class _Tally:
    """Counts of one language."""

    def __init__(self) -> None:
        self.queries: set[str] = set()
        self.counterparts = 0
        self.dropped: dict[str, int] = {}

    def shown(self) -> dict[str, Any]:
        return {"counterparts": self.counterparts, "queries": len(self.queries), "dropped": dict(self.dropped)}


def _report(pairs: Pairs, asked: Sequence[Asked]) -> dict[str, Any]:
    """By the language of counterparts, and all together, counted from what was written."""
    sections = Sections(_Tally)
    for pair in pairs:
        for tally in sections.of(pair.query.lang):
            tally.counterparts += 1
            tally.queries.add(str(pair.evidence["of"]))
    for pair in pairs.dropped():
        for tally in sections.of(pair.query.lang):
            tally.dropped[pair.rule] = tally.dropped.get(pair.rule, 0) + 1
    return sections.shown() | {"lists": len(asked)}
