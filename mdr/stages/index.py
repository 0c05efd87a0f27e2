"""Make passages searchable: by their words (Lucene, one index per language) or by their vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from mdr.errors import ArtefactError
from mdr.ports import Engines
from mdr.stages.stage import Stage, StageSettings, Work
from mdr.storage.artefacts import Artefact
from mdr.storage.collection import Collection
from mdr.types import Event

MODEL = "model"
"""The slot of an encoder that an earlier step trained."""


def encoder_of(dense: Artefact) -> str:
    """The encoder that a dense index was made with: its folder or name."""
    if MODEL in dense.manifest.inputs:
        return str(dense.input_folder(MODEL))
    return str(dense.manifest.settings["encoder"])


class LexicalSettings(StageSettings):
    """BM25 as Mr. TyDi's default has it."""

    k1: float = Field(0.9, ge=0)
    b: float = Field(0.4, ge=0, le=1)


class DenseSettings(StageSettings):
    """Which encoder, and how its vectors are searched."""

    encoder: str = Field("", description="model folder or hub name; empty: the default encoder")
    factory: str = Field("exact", description="'exact', or a FAISS factory string such as HNSW32 or IVF256,PQ48")
    dtype: str = Field("float32", description="how vectors are kept: float32, float16")


class IndexLexical(Stage):
    """A Lucene index per language."""

    name, makes, version = "index-lexical", "index", 1
    inputs = ("collection",)
    settings_type = LexicalSettings

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        langs = inputs["collection"].manifest.counts["languages"]
        return {"analyzers": engines.analyzer_fingerprint(langs)}

    def content(self, recipe: str) -> str | None:
        return recipe  # Lucene names its segments at random

    def build(self, work: Work) -> Iterator[Event]:
        collection = Collection(work.inputs["collection"].folder)
        settings = self.settings.model_dump()
        done = 0
        for done in work.engines.build_lexical(collection.passages(), work.draft.folder, **settings):
            yield self.event("progress", "indexing words", done=done, total=len(collection), unit="passages")
        _all_there(done, len(collection))
        work.draft.counts |= {"passages": done, "engine": "lucene"}


class IndexDense(Stage):
    """Vectors of all passages, by an earlier step's model or a named one, and the structure that searches them."""

    name, makes, version = "index-dense", "index", 1
    inputs = ("collection",)
    optional_inputs = (MODEL,)
    settings_type = DenseSettings

    def hashed_settings(self) -> dict[str, Any]:
        return {"factory": self.settings.factory, "dtype": self.settings.dtype}  # the fingerprint names the encoder

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        return {"encoder": engines.encoder(self._encoder(inputs)).fingerprint}

    def _encoder(self, inputs: Mapping[str, Artefact]) -> str:
        return str(inputs[MODEL].folder) if MODEL in inputs else str(self.settings.encoder)

    def build(self, work: Work) -> Iterator[Event]:
        collection = Collection(work.inputs["collection"].folder)
        settings = {**self.settings.model_dump(), "encoder": self._encoder(work.inputs)}
        done = 0
        for done in work.engines.build_vectors(collection.passages(), len(collection), work.draft.folder, **settings):
            yield self.event("progress", "encoding passages", done=done, total=len(collection), unit="passages")
        _all_there(done, len(collection))
        work.draft.counts |= {"passages": done, "engine": self.settings.factory}


def _all_there(done: int, expected: int) -> None:
    if done != expected:
        raise ArtefactError(
            f"the index holds {done} of {expected} passages",
            "run again; if it repeats, `mdr doctor` checks the engines",
        )
