"""Systems against grades: rank every judged query with BM25, dense and both; say how good, how sure, how biased.

Writes the runs, the scores and a summary (`storage.evaluation`). A run that is finished stays when the stage is
killed. Everything else is computed from the written runs, so they reproduce it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import Field, field_validator

from mdr.core.answers import answer_scores, words_of
from mdr.core.bias import language_bias
from mdr.core.fusion import FUSIONS, fuse_runs
from mdr.core.languages import code_of
from mdr.core.measures import Scores, evaluate_run, measure
from mdr.core.summary import Asked, Values, averages, bias_summary, by_measure, comparison
from mdr.core.tuning import OTHERS, refuse_shared, tune_alpha
from mdr.errors import InputError
from mdr.formats.trec import read_run, write_run
from mdr.ports import Retriever
from mdr.stages.index import encoder_of
from mdr.stages.questions import Pool, Questions, language_of, questions
from mdr.stages.stage import Slots, Stage, StageSettings, Work
from mdr.storage.collection import Collection
from mdr.storage.evaluation import RUNS, write_evaluation
from mdr.types import Event, Query, Ranking, Run

COLLECTION, LEXICAL, DENSE = "collection", "lexical", "dense"
BM25, HYBRID = "bm25", "hybrid"
_DEV = f"{RUNS}/dev"
_BATCH = 256
DEEPEST = 10_000
"""Hits per query that engines can be asked for."""


class EvaluateSettings(StageSettings):
    """Which queries, against which passages, measured how."""

    split: str = Field("", description="the split to report; empty: all")
    dev_split: str = Field("", description="the split to tune alpha on, per language; empty: alpha as given")
    pool: Pool = Field("own", description="search passages in the query's own language, or in all")
    langs: tuple[str, ...] = Field((), description="query languages; empty: all")
    measures: tuple[str, ...] = Field(("MRR@100", "Recall@100", "nDCG@10"), min_length=1)
    k: int = Field(100, ge=1, le=DEEPEST, description="hits per query, on each side of a hybrid too")
    fusion: str = Field("mr-tydi", description=f"how a hybrid joins both sides: {', '.join(FUSIONS)}")
    alpha: float = Field(1.0, ge=0, le=100, description="weight of the dense side where it is not tuned")

    @property
    def depth(self) -> int:
        """k, or more where a measure looks deeper: Recall@100 of ten hits would be another measure."""
        return min(DEEPEST, max(self.k, *(measure(name).cutoff for name in self.measures if not words_of(name)), 1))

    @field_validator("measures")
    @classmethod
    def _named_alike(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """MRR@100 and RR@100 are one measure, so they make one recipe."""
        return tuple(dict.fromkeys(_canonical(name) for name in names))

    @field_validator("langs")
    @classmethod
    def _known(cls, langs: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(map(code_of, langs))))

    @field_validator("fusion")
    @classmethod
    def _there(cls, fusion: str) -> str:
        if fusion not in FUSIONS:
            raise ValueError(f"there is no fusion {fusion!r}; there are {', '.join(FUSIONS)}")
        return fusion


def _canonical(name: str) -> str:
    words = words_of(name)
    return f"R@{words // 1000}kt" if words else measure(name).name


def _open_lexical(work: Work) -> Retriever:
    return work.engines.open_lexical(work.inputs[LEXICAL].folder)


def _open_dense(work: Work) -> Retriever:
    dense = work.inputs[DENSE]
    return work.engines.open_dense(dense.folder, work.inputs[COLLECTION].folder, encoder=encoder_of(dense))


_SYSTEMS: Mapping[str, tuple[str, Callable[[Work], Retriever]]] = {
    BM25: (LEXICAL, _open_lexical),
    DENSE: (DENSE, _open_dense),
}
"""System: the input it needs, and how it is opened. The first that is there is the baseline of comparisons."""


class Evaluate(Stage):
    """BM25, dense and hybrid, as far as their indexes are given."""

    name, makes, version = "evaluate", "evaluation", 1
    inputs = (COLLECTION,)
    optional_inputs = (LEXICAL, DENSE)
    settings_type = EvaluateSettings

    def refuse(self, slots: Slots) -> None:
        if not {LEXICAL, DENSE}.intersection(slots):
            raise InputError("there is no index to evaluate", "give the stage a lexical index, a dense one, or both")

    def build(self, work: Work) -> Iterator[Event]:
        settings: EvaluateSettings = self.settings
        for leftover in work.draft.folder.rglob(".*.tmp"):  # of a killed build: the folder is published as it is
            leftover.unlink()
        collection = Collection(work.inputs[COLLECTION].folder)
        select = partial(questions, collection, pool=settings.pool, langs=settings.langs)
        asked = select(settings.split, with_answers=any(map(words_of, settings.measures)))
        both = {LEXICAL, DENSE} <= work.inputs.keys()
        dev = select(settings.dev_split) if settings.dev_split and both else None
        if dev:
            refuse_shared(dev.langs, asked.langs)
        yield from self._search(work, {RUNS: asked} | ({_DEV: dev} if dev else {}))
        runs = self._read(work, RUNS)
        alpha = None
        if both:
            alpha = {OTHERS: settings.alpha}
            if dev:
                yield self.event("note", f"tuning alpha on {len(dev.queries):,} queries of {settings.dev_split!r}")
                alpha = self._tuned(self._read(work, _DEV), dev, asked)
            weights = {query: alpha.get(lang, alpha[OTHERS]) for query, lang in asked.langs.items()}
            runs[HYBRID] = fuse_runs(settings.fusion, runs[BM25], runs[DENSE], settings.depth, weights.__getitem__)
            write_run(runs[HYBRID], work.draft.folder / RUNS / f"{HYBRID}.trec", HYBRID)
        yield from self._measure(work, collection, asked, runs, alpha)

    # -- ranking ----------------------------------------------------------------------------------------------

    def _search(self, work: Work, parts: Mapping[str, Questions]) -> Iterator[Event]:
        """A run file of each index for each part; those that are there already are finished."""
        for system, (slot, opened) in _SYSTEMS.items():
            files = {folder: work.draft.folder / folder / f"{system}.trec" for folder in parts}
            todo = [folder for folder, file in files.items() if not file.exists()] if slot in work.inputs else []
            if not todo:
                continue
            retriever = opened(work)
            for folder in todo:
                run: dict[str, Ranking] = {}
                queries = parts[folder].queries
                for batch, langs in self._batches(queries):
                    rankings = retriever.search(batch, self.settings.depth, langs=langs)
                    run |= {query.id: ranking for query, ranking in zip(batch, rankings, strict=True)}
                    message = f"searching with {system}" + (", dev queries" if folder == _DEV else "")
                    yield self.event("progress", message, done=len(run), total=len(queries), unit="queries")
                write_run(run, files[folder], system)

    def _read(self, work: Work, folder: str) -> dict[str, Run]:
        """The runs of a part, always from their files: a resumed build must see what a straight one sees."""
        return {
            system: read_run(work.draft.folder / folder / f"{system}.trec")
            for system, (slot, _) in _SYSTEMS.items()
            if slot in work.inputs
        }

    def _batches(self, queries: Sequence[Query]) -> Iterator[tuple[Sequence[Query], list[str] | None]]:
        """Queries that search the same passages, and the languages of those."""
        pools: dict[str, list[Query]] = {}
        for query in queries:
            pools.setdefault(query.lang if self.settings.pool == "own" else "", []).append(query)
        for lang, its in sorted(pools.items()):
            for start in range(0, len(its), _BATCH):
                yield its[start : start + _BATCH], [lang] if lang else None

    def _tuned(self, runs: Mapping[str, Run], dev: Questions, asked: Questions) -> dict[str, float]:
        return tune_alpha(
            dev.qrels,
            runs[BM25],
            runs[DENSE],
            dev.langs,
            reported=asked.langs,
            fusion=self.settings.fusion,
            k=self.settings.depth,
        )

    # -- measuring --------------------------------------------------------------------------------------------

    def _measure(
        self,
        work: Work,
        collection: Collection,
        asked: Questions,
        runs: Mapping[str, Run],
        alpha: Mapping[str, float] | None,
    ) -> Iterator[Event]:
        about = asked.asked
        scores = {}
        for number, (system, run) in enumerate(runs.items(), 1):
            yield self.event("progress", f"measuring {system}", done=number, total=len(runs), unit="systems")
            scores[system] = self._scores(collection, asked, run)
        missing = {system: _ids(part.missing for part in parts) for system, parts in scores.items()}
        for system, ids in missing.items():
            if ids:
                yield self.event("warning", f"{system} found nothing for {len(ids):,} queries, {ids[0]!r} among them")
        values = {system: by_measure(parts) for system, parts in scores.items()}
        summary = {
            "settings": self.settings.model_dump(mode="json"),
            "left_out": {
                "queries_without_relevant_passages": _ids(part.unanswerable for part in next(iter(scores.values()))),
                **asked.left_out,
            },
            "missing": missing,
            "alpha": alpha,
            "bias": {system: self._bias(collection, asked, run) for system, run in runs.items()},
            **_summed_up(values, about),
        }
        write_evaluation(work.draft.folder, summary, values, about)
        work.draft.counts |= {
            "queries": len(about),
            "systems": list(values),
            "languages": sorted(set(asked.langs.values())),
            "missing": {system: len(ids) for system, ids in missing.items()},
        }

    def _scores(self, collection: Collection, asked: Questions, run: Run) -> list[Scores]:
        """Graded and answered measures apart: they are over different queries."""
        by_answer = [name for name in self.settings.measures if words_of(name)]
        by_grade = [name for name in self.settings.measures if not words_of(name)]
        parts = []
        if by_grade:
            parts.append(evaluate_run(asked.qrels, run, by_grade))
        if by_answer:
            parts.append(answer_scores(asked.answers, run, lambda id: collection.passage(id).full_text, by_answer))
        return parts

    def _bias(self, collection: Collection, asked: Questions, run: Run) -> dict[str, Any] | None:
        """Only a pool of several languages can show a preference for one."""
        if self.settings.pool == "own" or len(collection.languages) < 2 or not asked.qrels:
            return None
        lang_of = partial(language_of, collection)
        qrels = {query: {id: grade for id, grade in its.items() if lang_of(id)} for query, its in asked.qrels.items()}
        return bias_summary(language_bias(qrels, run, asked.langs, lang_of, self.settings.depth))


def _summed_up(values: Mapping[str, Mapping[str, Values]], about: Mapping[str, Asked]) -> dict[str, Any]:
    """Averages of each system, and what each adds to the first."""
    baseline, *others = values
    return {
        "systems": list(values),
        "averages": {
            system: {name: averages(its, about) for name, its in measures.items()}
            for system, measures in values.items()
        },
        "comparisons": {
            system: {name: comparison(its, values[baseline][name], about) for name, its in values[system].items()}
            for system in others
        },
    }


def _ids(parts: Iterator[tuple[str, ...]]) -> list[str]:
    return sorted({query for part in parts for query in part})
