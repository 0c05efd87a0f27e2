"""The thread of a training pair: what proposed it at which ranks, which rules it passed, what learned from it, and
where its passages rank now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mdr.errors import MdrError, MissingError
from mdr.ports import Engines, Retriever
from mdr.services.search.service import DEPTH, ENGINES, SearchService
from mdr.services.training_data.browsing import TrainingData
from mdr.services.training_data.lineage import Called, Lineage, Use
from mdr.services.training_data.rows import PairRef, Row, Source
from mdr.stages.index import MODEL, encoder_of
from mdr.storage.artefacts import Artefact
from mdr.storage.pairs import Pair, Scored
from mdr.types import Passage

SIDES = ("lexical", "dense")
_NEWEST = 3
"""Models whose ranks are looked up: each is loaded for it."""


@dataclass(frozen=True)
class Place:
    """What an index said of a passage: its rank and score, and how far it was from what it was compared with."""

    rank: int | None
    score: float | None
    margin: float | None = None


@dataclass(frozen=True)
class Named:
    """A passage that a pair names. `then`: what each index said when the pair was made."""

    id: str
    role: str
    passage: Passage | None
    then: Mapping[str, Place]
    reciprocal: int | None = None
    teacher: float | None = None


@dataclass(frozen=True)
class Came:
    """What a pair was made from: an artefact, or its key where it is gone."""

    slot: str
    key: str
    artefact: Artefact | None
    called: Sequence[Called]
    model: str = ""


@dataclass(frozen=True)
class Learned:
    """Something made from the pair's artefact. `held_out`: this pair chose weights there instead of teaching."""

    slot: str
    artefact: Artefact
    called: Sequence[Called]
    held_out: bool
    then: Sequence[Learned]


@dataclass(frozen=True)
class Thread:
    """All that is known of a pair or list."""

    source: Source
    row: Row
    collection: str
    named: Sequence[Named]
    came: Sequence[Came]
    learned: Sequence[Learned]

    @property
    def rule(self) -> str:
        """What admitted it or stood against it."""
        found = self.row.found
        return found.rule if isinstance(found, Pair) else str(found.evidence.get("pair", {}).get("rule", ""))

    @property
    def kept(self) -> bool:
        """Whether it may be trained on."""
        return self.row.ref.table != "dropped"


@dataclass(frozen=True)
class System:
    """Where a system ranks passages now, by id; None: not among its first `DEPTH`. `problem`: why that is not known."""

    name: str
    what: str
    ranks: Mapping[str, int | None]
    problem: str = ""


class Threads:
    """Follows pairs through one store."""

    def __init__(self, data: TrainingData, engines: Engines, searcher: Callable[[str], SearchService]) -> None:
        self._data, self._engines, self._searcher = data, engines, searcher
        self._opened: dict[str, Retriever] = {}

    def thread(self, ref: PairRef) -> Thread:
        """The thread of a pair."""
        source, row = self._data.row(ref)
        lineage = self._data.lineage()
        uses = lineage.uses(source.key) if ref.table != "dropped" else ()
        collection, _ = lineage.collection(source.artefact)
        came = list(_came(source, lineage))
        return Thread(source, row, collection, list(_named(row)), came, _learned(uses, row, lineage))

    def ranks(self, thread: Thread) -> list[System]:
        """Where the thread's passages rank now: with the collection's own indexes, and with models that learned."""
        langs = self._langs(thread)
        return [*self._own(thread, langs), *self._models(thread, langs)]

    # -- now ----------------------------------------------------------------------------------------------

    def _langs(self, thread: Thread) -> list[str]:
        """The languages that were searched: those of the passages, unless all were."""
        if thread.source.artefact.manifest.settings.get("pool", "own") == "all":
            return []
        return sorted({named.passage.lang for named in thread.named if named.passage})

    def _own(self, thread: Thread, langs: Sequence[str]) -> Iterator[System]:
        query, ids = thread.row.query, [named.id for named in thread.named]
        for engine, what in ENGINES.items():
            try:
                if not thread.collection:
                    raise MissingError("the collection of these pairs has no name", "`mdr import` gives it one")
                searcher = self._searcher(thread.collection)
                answer = searcher.search(query.text, engine=engine, k=DEPTH, langs=langs, lang=query.lang)
            except MdrError as error:
                yield System(engine, what, dict.fromkeys(ids), error.problem)
            else:
                ranks = {found.passage.id: found.rank for found in answer.found}
                yield System(engine, what, {id: ranks.get(id) for id in ids})

    def _models(self, thread: Thread, langs: Sequence[str]) -> Iterator[System]:
        lineage = self._data.lineage()
        query, ids = thread.row.query, [named.id for named in thread.named]
        for index in _indexes(lineage, thread.source)[-_NEWEST:]:
            model = lineage.inputs(index)[MODEL]
            key = model if isinstance(model, str) else model.key
            name = ", ".join(f"{run} · {step}" for run, step in lineage.called(key)) or key
            try:
                [ranking] = self._open(index).search([query], DEPTH, langs=langs or None)
            except MdrError as error:
                yield System(name, "after learning from this", dict.fromkeys(ids), error.problem)
            else:
                ranks = {hit.id: rank for rank, hit in enumerate(ranking, 1)}
                yield System(name, "after learning from this", {id: ranks.get(id) for id in ids})

    def _open(self, index: Artefact) -> Retriever:
        if index.key not in self._opened:
            if len(self._opened) >= _NEWEST:
                self._opened.pop(next(iter(self._opened)))
            passages = index.input_folder("collection")
            self._opened[index.key] = self._engines.open_dense(index.folder, passages, encoder=encoder_of(index))
        return self._opened[index.key]


def _indexes(lineage: Lineage, source: Source) -> list[Artefact]:
    """Dense indexes of the pair's collection that were made with models which learned from it, oldest first."""
    reference = source.artefact.manifest.inputs.get("collection", {})
    return [
        use.artefact
        for model in lineage.models(source.key)
        for use in lineage.uses(model.key, 1)
        if use.slot == MODEL and use.artefact.manifest.inputs.get("collection", {}) == reference
    ]


# -- what a pair says of itself -------------------------------------------------------------------------------


def _named(row: Row) -> Iterator[Named]:
    found = row.found
    if isinstance(found, Scored):
        yield from _candidates(found, row.texts)
        return
    for role, ids in (("positive", found.positives), ("negative", found.negatives)):
        proofs = found.evidence.get(f"{role}s", ())
        if role == "positive" and "round_trip" in found.evidence:
            proofs = [found.evidence["round_trip"]] * len(ids)
        for number, id in enumerate(ids):
            proof = proofs[number] if number < len(proofs) else {}
            then = {side: _place(proof[side]) for side in SIDES if side in proof}
            yield Named(id, role, row.texts.get(id), then, proof.get("reciprocal"))


def _place(proof: Mapping[str, Any]) -> Place:
    return Place(proof.get("rank"), proof.get("score"), proof.get("margin"))


def _candidates(scored: Scored, texts: Mapping[str, Passage]) -> Iterator[Named]:
    """The best first, as the teacher sees them; with a pair, the list begins with its answer."""
    answered = scored.answered
    for number in sorted(range(len(scored.candidates)), key=lambda number: -scored.scores[number]):
        id = scored.candidates[number]
        sides = {side: scored.evidence[side] for side in SIDES if side in scored.evidence}
        then = {side: Place(its["ranks"][number], its["scores"][number]) for side, its in sides.items()}
        role = "positive" if answered and number == 0 else "candidate"
        yield Named(id, role, texts.get(id), then, teacher=scored.scores[number])


def _came(source: Source, lineage: Lineage) -> Iterator[Came]:
    for slot, found in sorted(lineage.inputs(source.artefact).items()):
        if isinstance(found, str):
            yield Came(slot, found, None, ())
        else:
            encoder = encoder_of(found) if found.manifest.stage == "index-dense" else ""
            yield Came(slot, found.key, found, lineage.called(found.key), encoder)


def _learned(uses: Sequence[Use], row: Row, lineage: Lineage) -> list[Learned]:
    return [
        Learned(
            use.slot,
            use.artefact,
            lineage.called(use.artefact.key),
            _held_out(use.artefact.manifest.settings, row),
            _learned(use.uses, row, lineage),
        )
        for use in uses
    ]


def _held_out(settings: Mapping[str, Any], row: Row) -> bool:
    from mdr.training.sources import split_off

    sources = settings.get("sources")
    share = sources.get("holdout", 0) if isinstance(sources, Mapping) else 0
    return bool(share and isinstance(row.found, Pair) and split_off([row.found], share)[1])
