"""What a teacher thinks of each query's candidates: lists to distil from, and to fine-tune a teacher on.

The teacher is a generator (its likelihood of the query) or, where one is given, a reranker.

Candidates come from the indexes that are given (of two, both lists together), or from given pairs, or from both: then
a pair's answer is the first of its list. Grades are never read. Scores are kept by content (`engines.cached_scores`): a
killed run goes on, and a later round asks only for what is new.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field, model_validator

from mdr.core.mining import NO_PASSAGES, NOT_FOUND, same_texts, unfit
from mdr.errors import InputError, MismatchError
from mdr.ports import Engines
from mdr.stages.candidates import Proposal, Proposer, Task
from mdr.stages.indexes import (
    COLLECTION,
    GENERATOR,
    PAIRS,
    QUERIES,
    Langs,
    chosen_queries,
    index_fingerprints,
    open_indexes,
    sampled,
)
from mdr.stages.questions import Pool
from mdr.stages.scoring_report import scoring_report
from mdr.stages.stage import Slots, Stage, StageSettings, Work
from mdr.stages.tally import ALL, REPORT, barren, reasons
from mdr.stages.teacher import RERANKER, Judge, judge_of, judged
from mdr.storage.artefacts import Artefact
from mdr.storage.collection import Collection
from mdr.storage.files import write_json
from mdr.storage.pairs import Pair, Pairs, PairWriter, Scored
from mdr.types import Event, Passage

BLOCK = 64
"""Queries whose candidates are judged in one call: they bound the memory, and never change the result."""
NO_ANSWER, FEW = "its pair has no answer", "too few candidates"


class ScoreSettings(StageSettings):
    """Which queries, which candidates, judged by which teacher."""

    generator: str = Field("", description="model folder or hub name; empty: the default generator")
    reranker: str = Field("", description="model folder or hub name of a reranker to judge instead; empty: none")
    split: str = Field("", description="the split of the queries; empty: all")
    langs: Langs = Field((), description="query languages; empty: all")
    samples: int = Field(0, ge=0, description="queries of each language; fewer are a part of more; 0: all")
    pool: Pool = Field("own", description="search passages in the query's own language, or in all")
    depth: int = Field(100, ge=2, le=10_000, description="length of each index's list")
    candidates: int = Field(0, ge=0, description="how many of a list to score, drawn at random; 0: all")
    at_least: int = Field(2, ge=2, description="queries with fewer candidates are dropped")
    seed: int = Field(0, ge=0)
    round: int = Field(0, ge=0, description="the round of self-training; lists carry it")

    @model_validator(mode="after")
    def _enough(self) -> ScoreSettings:
        if 0 < self.candidates < self.at_least:
            raise ValueError(f"candidates is {self.candidates}, but lists need {self.at_least} (at_least)")
        return self


class Score(Stage):
    """Lists of candidates with a teacher's scores."""

    name, makes, version = "score", "pairs", 1
    inputs = (COLLECTION,)
    optional_inputs = ("lexical", "dense", QUERIES, PAIRS, GENERATOR, RERANKER)
    settings_type = ScoreSettings

    def hashed_settings(self) -> dict[str, Any]:
        values = super().hashed_settings()
        del values["generator"], values["reranker"]  # the fingerprint names it, by its weights
        return values

    def refuse(self, slots: Slots) -> None:
        if not {"lexical", "dense", PAIRS}.intersection(slots):
            raise InputError(
                "score: there are no candidates to score",
                "give the stage a lexical index, a dense one, or pairs with their negatives",
            )
        if PAIRS in slots and (QUERIES in slots or self.settings.split):
            raise InputError(
                "score: pairs bring their own queries, but `queries` or a split is given too",
                "leave one of them out",
            )

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        judge = self._judge_of(inputs, engines)
        return {judge.what: judge.fingerprint} | index_fingerprints(inputs, engines)

    def _judge_of(self, inputs: Mapping[str, Artefact], engines: Engines) -> Judge:
        settings = self.settings
        return judge_of("score", inputs, engines, generator=settings.generator, reranker=settings.reranker)

    def build(self, work: Work) -> Iterator[Event]:
        settings, collection = self.settings, Collection(work.inputs[COLLECTION].folder)
        if not len(collection):
            raise InputError("score: the collection holds no passages", "import one that does")
        retrievers = open_indexes(work)
        pairs = Pairs(work.inputs[PAIRS].folder) if PAIRS in work.inputs else None
        tasks = self._tasks(work, collection, pairs)
        if without := sorted(set(settings.langs) - {task.query.lang for task in tasks}):
            yield self.event("warning", f"there are no queries in {', '.join(without)}")
        texts = _Texts(collection, pairs)
        fingerprints = self.fingerprints(work.inputs, work.engines)
        fingerprints |= {side: its.fingerprint for side, its in retrievers.items()}
        judge = self._judge_of(work.inputs, work.engines)
        proposer = Proposer(
            retrievers,
            same_texts(collection.passages()),
            depth=settings.depth,
            count=settings.candidates,
            seed=settings.seed,
        )
        with PairWriter(work.draft.folder) as writer:
            groups = self._fit(tasks, writer, collection, searched=bool(retrievers))
            evidence = {"round": settings.round, "fingerprints": fingerprints}
            named = yield from self._judge(groups, proposer, judge, texts, writer, evidence)
            writer.passages(texts[id] for id in sorted(named))
            counts = writer.counts
        wanted = settings.candidates or (settings.depth if retrievers else 0)
        report = scoring_report(Pairs(work.draft.folder), wanted)
        yield from self._outcome(report, wanted)
        head = {"settings": settings.model_dump(mode="json"), "fingerprints": fingerprints}
        write_json(work.draft.folder / REPORT, head | report)
        work.draft.counts |= {name: report[ALL][name] for name in ("queries", "lists", "candidates")}
        work.draft.counts |= {name: counts[name] for name in ("dropped", "passages")}
        work.draft.counts["languages"] = sorted(report["languages"])

    # -- what goes in -----------------------------------------------------------------------------------------

    def _tasks(self, work: Work, collection: Collection, pairs: Pairs | None) -> list[Task]:
        """Queries of the pairs, or of a split. Which splits there are is asked of queries alone: grades are labels."""
        settings = self.settings
        if pairs:
            found = list(pairs)
            chosen = chosen_queries("score", [pair.query for pair in found], (), "", settings.langs)
            kept = set(sampled(chosen, settings.samples, settings.seed))
            return [Task(pair.query, pair) for pair in found if pair.query in kept]
        source = Collection(work.inputs[QUERIES].folder) if QUERIES in work.inputs else collection
        splits = {split for _, split in source.query_rows}
        if "" in splits:  # these belong to every split
            splits.add(settings.split)
        queries = source.queries(settings.split or None)
        chosen = chosen_queries("score", queries, splits, settings.split, settings.langs)
        return [Task(query) for query in sampled(chosen, settings.samples, settings.seed)]

    def _fit(
        self, tasks: Sequence[Task], writer: PairWriter, collection: Collection, *, searched: bool
    ) -> dict[str, list[Task]]:
        """Tasks by the language of the passages that they search ("": all); those that cannot be judged are dropped."""
        own = searched and self.settings.pool == "own"
        groups: dict[str, list[Task]] = {}
        for task in tasks:
            reason = unfit(task.query)
            if not reason and task.pair and not task.pair.positives:
                reason = NO_ANSWER
            if not reason and own and task.query.lang not in collection.languages:
                reason = NO_PASSAGES
            if reason:
                writer.drop(self._unjudged(task, reason))
            else:
                groups.setdefault(task.query.lang if own else "", []).append(task)
        return dict(sorted(groups.items()))

    # -- judging ----------------------------------------------------------------------------------------------

    def _judge(
        self,
        groups: Mapping[str, Sequence[Task]],
        proposer: Proposer,
        judge: Judge,
        texts: _Texts,
        writer: PairWriter,
        evidence: Mapping[str, Any],
    ) -> Generator[Event, None, set[str]]:
        """Write the list of each query; the ids of the passages that are named come back."""
        named: set[str] = set()
        done, judgements, total = 0, 0, sum(map(len, groups.values()))
        began = time.monotonic()
        for lang, tasks in groups.items():
            for start in range(0, len(tasks), BLOCK):
                block = tasks[start : start + BLOCK]
                kept = []
                for task, proposal in zip(block, proposer.propose(block, [lang] if lang else None), strict=True):
                    if len(proposal.ids) >= self.settings.at_least:
                        kept.append(proposal)
                    else:
                        writer.drop(self._unjudged(task, FEW if proposal.ids else NOT_FOUND))
                scores = self._scores(kept, judge, texts)
                for proposal in kept:
                    own = tuple(next(scores) for _ in proposal.ids)
                    writer.score(Scored(proposal.query, proposal.ids, own, {**proposal.evidence, **evidence}))
                    named.update(proposal.ids)
                    judgements += len(own)
                done += len(block)
                speed = judgements / max(time.monotonic() - began, 1e-9)
                yield self.event(
                    "progress",
                    f"scoring {speed:,.0f} pairs/s",
                    done=done,
                    total=total,
                    unit="queries",
                    data={"pairs": judgements, "pairs_per_second": speed},
                )
        return named

    def _scores(self, proposals: Sequence[Proposal], judge: Judge, texts: _Texts) -> Iterator[float]:
        queries = [proposal.query for proposal in proposals for _ in proposal.ids]
        passages = [texts[id] for proposal in proposals for id in proposal.ids]
        return iter(judged("score", judge.teacher, queries, passages, judge.what) if queries else ())

    def _unjudged(self, task: Task, reason: str) -> Pair:
        origin = task.pair.origin if task.pair else "mined"
        return Pair(task.query, (), origin=origin, round=self.settings.round, rule=reason)

    # -- what comes out ---------------------------------------------------------------------------------------

    def _outcome(self, report: Mapping[str, Any], wanted: int) -> Iterator[Event]:
        """A language without lists is a warning; none at all is an error that says why."""
        overall = report[ALL]
        if not overall["lists"]:
            raise InputError(
                f"score: none of {overall['queries']:,} queries has candidates to judge: {reasons(overall)}",
                "give an index of the collection, lower at_least, or set pool to 'all'",
            )
        for line in barren(report, "lists"):
            yield self.event("warning", line)
        if overall["short"]:
            yield self.event(
                "note",
                f"{overall['short']:,} of {overall['lists']:,} lists have fewer than {wanted} candidates, "
                f"the shortest {overall['shortest']}: training draws as many of each as the shortest has; "
                "at_least drops short ones",
            )


class _Texts:
    """Passages by id, of a collection and of pairs; one id must not stand for two texts."""

    def __init__(self, collection: Collection, pairs: Pairs | None) -> None:
        self._collection, self._known = collection, pairs.passages if pairs else {}

    def __getitem__(self, id: str) -> Passage:
        known = self._known.get(id)
        if id not in self._collection.positions:
            if known is None:
                raise MismatchError(
                    f"score: passage {id!r} is named, but the collection lacks it",
                    "give the indexes that were made of this collection",
                )
            return known
        found = self._collection.passage(id)
        if known is not None and known.full_text != found.full_text:
            raise MismatchError(
                f"score: passage {id!r} says one thing in the pairs and another in the collection",
                "give the collection that the pairs were made of",
            )
        return found
