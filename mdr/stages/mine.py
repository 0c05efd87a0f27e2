"""Unlabelled queries and passages into training pairs: what a lexical and a dense index agree on, and near misses.

The rules are in `core.mining`. Every pair says what proposed it: ranks, scores, margins, and the fingerprints of
encoder, indexes and analyzers. Queries that give no pair are kept with the reason. Grades are read for `report.json`
alone.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field, model_validator

from mdr.core.mining import DENSE, LEXICAL, NO_PASSAGES, RULES, Rule, Sampling, same_texts, unfit
from mdr.errors import InputError, MismatchError
from mdr.ports import Encoder, Engines, Retriever
from mdr.stages.index import encoder_of
from mdr.stages.indexes import COLLECTION, QUERIES, Langs, chosen_queries, index_fingerprints, open_indexes, sampled
from mdr.stages.miner import BLOCK, Miner, Together
from mdr.stages.mining_report import Labels, mining_report
from mdr.stages.questions import Pool
from mdr.stages.stage import Slots, Stage, StageSettings, Work
from mdr.stages.tally import ALL, REPORT, barren, reasons
from mdr.storage.artefacts import Artefact
from mdr.storage.collection import Collection
from mdr.storage.files import write_json
from mdr.storage.pairs import Pairs, PairWriter
from mdr.types import Event, Query


class MineSettings(StageSettings):
    """Which queries; which passages of two lists answer them, and which only seem to."""

    encoder: str = Field("", description="model folder or hub name for queries; empty: as the dense index names it")
    split: str = Field("", description="the split of the queries; empty: all")
    langs: Langs = Field((), description="query languages; empty: all")
    samples: int = Field(0, ge=0, description="queries of each language; fewer are a part of more; 0: all")
    pool: Pool = Field("own", description="search passages in the query's own language, or in all")
    depth: int = Field(100, ge=1, le=10_000, description="length of both lists")
    rule: Rule = Field("intersection", description="which lists must rank a positive high")
    k_positive: int = Field(3, ge=1, description="the lowest rank of a positive")
    positives_per_query: int = Field(1, ge=1)
    reciprocal: int = Field(0, ge=0, description="rank of its query that a positive must reach; 0: not asked for")
    negatives: int = Field(7, ge=0, description="negatives per query, as far as there are any")
    first: int = Field(10, ge=1, description="the highest rank of a negative")
    last: int = Field(100, ge=1, description="the lowest rank of a negative")
    cross_list: bool = Field(True, description="negatives are absent from the other list, or low there too")
    relative_margin: float | None = Field(0.05, ge=0, le=1, description="of the positive's dense score: the guard")
    absolute_margin: float | None = Field(None, ge=0, allow_inf_nan=False, description="the same, as a dense score")
    sampling: Sampling = Field("random", description="draw negatives, or take the hardest")
    seed: int = Field(0, ge=0)
    round: int = Field(0, ge=0, description="the round of self-training; pairs carry it")
    weight: float = Field(1.0, gt=0, allow_inf_nan=False, description="of each pair in training")

    @property
    def sides(self) -> list[str]:
        """The lists that the rules cannot do without."""
        return sorted({*RULES[self.rule].sides, *([DENSE] if self.reciprocal else [])})

    @property
    def guarded(self) -> bool:
        """Whether negatives must keep a distance to the positive."""
        return self.relative_margin is not None or self.absolute_margin is not None

    @model_validator(mode="after")
    def _ranks_fit(self) -> MineSettings:
        for name in ("k_positive", "last"):
            if getattr(self, name) > self.depth:
                raise ValueError(f"{name} is {getattr(self, name)}, but lists end at rank {self.depth} (depth)")
        if self.first > self.last:
            raise ValueError(f"negatives should come from rank {self.first} (first) to {self.last} (last)")
        return self


class Mine(Stage):
    """Pairs by agreement of a lexical and a dense index, or by one of them."""

    name, makes, version = "mine", "pairs", 1
    inputs = (COLLECTION,)
    optional_inputs = (LEXICAL, DENSE, QUERIES)
    settings_type = MineSettings

    def hashed_settings(self) -> dict[str, Any]:
        values = super().hashed_settings()
        del values["encoder"]  # the fingerprint names it, by its weights
        return values

    def refuse(self, slots: Slots) -> None:
        if lacking := [side for side in self.settings.sides if side not in slots]:
            raise InputError(
                f"mine: rule {self.settings.rule!r}, reciprocal {self.settings.reciprocal}, needs a "
                f"{' and a '.join(lacking)} index, which is not given",
                "give it as an input, or choose a rule for the index that there is",
            )

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        return index_fingerprints(inputs, engines, self.settings.encoder)

    def build(self, work: Work) -> Iterator[Event]:
        retrievers = self._open(work)
        collection = Collection(work.inputs[COLLECTION].folder)
        source = Collection(work.inputs[QUERIES].folder) if QUERIES in work.inputs else collection
        if not len(collection):
            raise InputError("mine: the collection holds no passages", "import one that does")
        queries = self._queries(source)
        yield from self._notes(queries, retrievers)
        fingerprints = self.fingerprints(work.inputs, work.engines)
        fingerprints |= {side: its.fingerprint for side, its in retrievers.items()}
        encoder = self._encoder(work) if self.settings.reciprocal else None
        same_text = same_texts(collection.passages())
        miner = Miner(self.settings, retrievers, encoder, collection, same_text, fingerprints)
        with PairWriter(work.draft.folder) as writer:
            named = yield from self._mine(miner, writer, self._searchable(queries, miner, writer, collection), encoder)
            writer.passages(passage for passage in collection.passages() if passage.id in named)
            counts = writer.counts
        if lost := len(named) - counts["passages"]:
            raise MismatchError(
                f"mine: the indexes name {lost:,} passages that the collection lacks",
                "give the indexes that were made of this collection",
            )
        grades = source.qrels(self.settings.split or None)
        labels = Labels.of(queries, grades, collection, same_text, self.settings.pool)
        report = mining_report(Pairs(work.draft.folder), self.settings.negatives, labels)
        yield from self._outcome(report)
        head = {"settings": self.settings.model_dump(mode="json"), "fingerprints": fingerprints}
        write_json(work.draft.folder / REPORT, head | report)
        work.draft.counts |= {name: report[ALL][name] for name in ("queries", "pairs", "positives", "negatives")}
        work.draft.counts |= {name: counts[name] for name in ("dropped", "passages")}
        work.draft.counts["languages"] = sorted(report["languages"])

    # -- what goes in -----------------------------------------------------------------------------------------

    def _encoder(self, work: Work) -> Encoder:
        return work.engines.encoder(self.settings.encoder or encoder_of(work.inputs[DENSE]))

    def _open(self, work: Work) -> dict[str, Retriever]:
        return open_indexes(work, self.settings.encoder)

    def _queries(self, source: Collection) -> list[Query]:
        split, langs = self.settings.split, self.settings.langs
        queries = chosen_queries(self.name, source.queries(split or None), source.splits, split, langs)
        return sampled(queries, self.settings.samples, self.settings.seed)

    def _notes(self, queries: Sequence[Query], retrievers: Mapping[str, Retriever]) -> Iterator[Event]:
        if without := sorted(set(self.settings.langs) - {query.lang for query in queries}):
            yield self.event("warning", f"there are no queries in {', '.join(without)}")
        if self.settings.guarded and DENSE not in retrievers:
            yield self.event("warning", "without a dense index, negatives are not guarded by a margin")

    # -- what comes out ---------------------------------------------------------------------------------------

    def _searchable(
        self, queries: Sequence[Query], miner: Miner, writer: PairWriter, collection: Collection
    ) -> list[Together]:
        """Queries by the passages that they search; those that cannot search are dropped."""
        groups: dict[str, list[Query]] = {}
        for query in queries:
            reason = unfit(query)
            if not reason and self.settings.pool == "own" and query.lang not in collection.languages:
                reason = NO_PASSAGES
            if reason:
                writer.drop(miner.unmined(query, reason).pair)
            else:
                groups.setdefault(query.lang if self.settings.pool == "own" else "", []).append(query)
        return [Together(its, [lang] if lang else None) for lang, its in sorted(groups.items())]

    def _mine(
        self, miner: Miner, writer: PairWriter, groups: Sequence[Together], encoder: Encoder | None
    ) -> Generator[Event, None, set[str]]:
        """Write what each block gives; the ids of the passages that are named come back."""
        named: set[str] = set()
        done, total = 0, sum(len(group.queries) for group in groups)
        for group in groups:
            if encoder:
                texts = [query.text for query in group.queries]
                group = group._replace(vectors=encoder.encode(texts, "query"))
            for start in range(0, len(group.queries), BLOCK):
                for pair, kept in miner.mine(group, start):
                    (writer.add if kept else writer.drop)(pair)
                    named.update(pair.positives, pair.negatives)
                    done += 1
                yield self.event("progress", "mining", done=done, total=total, unit="queries")
        return named

    def _outcome(self, report: Mapping[str, Any]) -> Iterator[Event]:
        """A language without pairs is a warning; none at all is an error that says why."""
        if not report[ALL]["pairs"]:
            raise InputError(
                f"mine: none of {report[ALL]['queries']:,} queries gave a pair: {reasons(report[ALL])}",
                "raise k_positive or depth, leave out the reciprocal check, or choose the rule 'union'",
            )
        for line in barren(report, "pairs"):
            yield self.event("warning", line)
        if short := report[ALL]["short"]:
            pairs = report[ALL]["pairs"]
            yield self.event("note", f"{short:,} of {pairs:,} pairs have fewer negatives than asked for")
