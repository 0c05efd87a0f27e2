"""A workbench with mined pairs, for tests of the pages about training: in three languages, and hostile ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from mdr.ports import Retriever
from mdr.services.search.service import SearchService
from mdr.stages.mining_report import Labels, mining_report
from mdr.stages.tally import REPORT
from mdr.storage.artefacts import Artefact
from mdr.storage.collection import Collection
from mdr.storage.files import write_json
from mdr.storage.pairs import Pair, Pairs, PairWriter
from mdr.types import Query
from tests.browser.stub import HOSTILE, StubWorkbench, Words
from tests.browser.visiting import Visit, opening, served

FINGERPRINTS = {"encoder": "toy", "dense": "toy-3", "lexical": "toy-0"}
NASTY = (
    Query("<q>", "en", "<script>alert(1)</script> {{this}} ${alert(2)}"),
    Query("q\"' onclick=alert(3)", "ar", "\u202eما\u202c هو <img src=x onerror=alert(4)>"),
    Query("q3", "ja", "何\u200bですか？\x07 </article><b id=hurt>"),
)


class PairsWorkbench(StubWorkbench):
    """The sample under its name, pairs about it, and a model that learned from them."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        collection = self._publish("collection", "prepare", {}, {})
        self.mined = self._mine(collection)
        self.model = self._publish("model", "train", {"sources": {"holdout": 0.0}}, {"mined": self.mined})
        inputs = {"collection": collection, "model": self.model}
        self.index = self._publish("index", "index-dense", {"encoder": "x"}, inputs)
        self.store.name_run("sample", {"collection": collection.key}, {})
        self.store.name_run("round-1", {"mined": self.mined.key, "model": self.model.key, "after": self.index.key}, {})

    @cached_property
    def searched(self) -> SearchService:
        return self.searcher()

    def open_dense(self, folder: Path, passages: Path, *, encoder: str) -> Any:
        toy: Retriever = Words(self.searched.collection, 4)
        return toy

    def pairs(self) -> list[Pair]:
        """What was mined, in order."""
        return list(Pairs(self.mined.folder))

    def _mine(self, collection: Artefact) -> Artefact:
        with self.store.draft("pairs", "toy-mined") as draft:
            with PairWriter(draft.folder) as writer:
                for pair in _pairs(self.searched.collection):
                    (writer.drop if pair.rule == "no agreement" else writer.add)(pair)
                writer.passages(self.searched.collection.passages())
            report = mining_report(Pairs(draft.folder), 2, Labels({}, {}))
            settings = {"round": 1, "rule": "intersection", "pool": "own"}
            write_json(draft.folder / REPORT, {"settings": settings, "fingerprints": FINGERPRINTS, **report})
            return self._finish(draft, "mine", settings, {"collection": collection})

    def _publish(self, kind: str, stage: str, settings: dict[str, Any], inputs: dict[str, Artefact]) -> Artefact:
        with self.store.draft(kind, f"toy-{stage}") as draft:
            (draft.folder / "made").write_text(stage)
            return self._finish(draft, stage, settings, inputs)

    def _finish(self, draft: Any, stage: str, settings: dict[str, Any], inputs: dict[str, Artefact]) -> Artefact:
        references = {slot: its.reference() for slot, its in inputs.items()}
        return self.store.publish(
            draft, stage=stage, version=1, settings=settings, inputs=references, fingerprints={}
        )


def _pairs(collection: Collection) -> list[Pair]:
    """Thirty of the sample's questions in three languages with an answer and two others; then the nasty ones."""
    pairs = []
    for lang in ("en", "ar", "ja"):
        ids = [passage.id for passage in collection.passages() if passage.lang == lang and passage not in HOSTILE]
        for number, query in enumerate([query for query in collection.queries() if query.lang == lang][:12]):
            rule = "intersection" if number < 10 else "no agreement"
            pairs.append(_pair(query, ids[number : number + 3], rule, 0.9 - number / 20))
    hostile = [passage.id for passage in HOSTILE]
    return [*pairs, *(_pair(query, hostile[at : at + 3], "intersection", 0.1) for at, query in enumerate(NASTY))]


def _pair(query: Query, ids: Sequence[str], rule: str, score: float) -> Pair:
    def proof(rank: int) -> dict[str, Any]:
        place = {"rank": rank, "score": score / rank, "margin": 0.1}
        return {"lexical": place, "dense": {**place, "rank": None if rank == 3 else rank}}

    evidence = {
        "fingerprints": FINGERPRINTS,
        "candidates": 9,
        "refused": {"high in the other list": 1},
        "positives": [proof(1) | {"lists": ["lexical", "dense"]}],
        "negatives": [proof(rank) for rank in range(2, len(ids) + 1)],
    }
    return Pair(query, (ids[0],), tuple(ids[1:]), "mined", 1.0, 1, rule, evidence)


# -- fixtures, for modules that import them -------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PairsWorkbench]:
    workbench = PairsWorkbench(tmp_path_factory.mktemp("pairs"))
    yield workbench
    workbench.judging.store.close()


@pytest.fixture(scope="module")
def pairs_address(pairs: PairsWorkbench) -> Iterator[str]:
    yield from served(pairs)


@pytest.fixture
def browse(browser: Any, usual: Any, pairs_address: str) -> Iterator[Visit]:
    """Open the page "Training data" or another one at an address."""
    for visit in opening(browser, usual, pairs_address, lambda path: "[data-frame] [data-permalink]"):

        def go(address: str = "", page: str = "training-data", **options: Any) -> Any:
            return visit(f"/{page}{address}", **options)  # noqa: B023  # there is one

        go.complaints = visit.complaints  # type: ignore[attr-defined]
        yield go
