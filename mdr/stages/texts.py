"""Parallel and plain texts into one artefact: what self-supervised, semantic and language objectives draw from.

They come from a folder, from a collection (its twins say the same in several languages), or from both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from pydantic import Field

from mdr.errors import InputError
from mdr.ports import Engines
from mdr.stages.indexes import COLLECTION
from mdr.stages.stage import Slots, Stage, StageSettings, Work
from mdr.storage.artefacts import Artefact
from mdr.storage.collection import Collection
from mdr.storage.files import sha256_file
from mdr.training.texts import LANGS, Texts, files_of, read_texts, save_texts
from mdr.types import Event


class TextsSettings(StageSettings):
    """Which texts, and how many of the parallel ones."""

    path: str = Field("", description="folder with parallel/SOURCE/*.jsonl.gz and passages/LANG.jsonl.gz; empty: none")
    langs: tuple[str, ...] = Field(tuple(sorted(LANGS)), description="languages to keep")
    parallel_langs: tuple[str, ...] = Field((), description="languages with parallel texts; none: all of them")
    parallel: int = Field(0, ge=0, description="how many meanings told in several languages to keep; 0: all")
    seed: int = Field(0, ge=0)

    @property
    def root(self) -> Path:
        """Where to read."""
        return Path(self.path).expanduser()


class ReadTexts(Stage):
    """Read texts that say the same in several languages, and texts that stand alone."""

    name, makes, version = "read-texts", "texts", 1
    optional_inputs = (COLLECTION,)
    settings_type = TextsSettings

    def refuse(self, slots: Slots) -> None:
        if not self.settings.path and COLLECTION not in slots:
            raise InputError("read-texts: there are no texts to read", "name a folder as `path`, or give a collection")

    def hashed_settings(self) -> dict[str, object]:
        values: dict[str, object] = self.settings.model_dump(mode="json")
        del values["path"]  # the fingerprints say what is in the files, wherever they lie
        return values

    def fingerprints(self, inputs: Mapping[str, Artefact], engines: Engines) -> dict[str, str]:
        root = self.settings.root
        if not self.settings.path:
            return {}
        return {path.relative_to(root).as_posix(): sha256_file(path) for path in files_of(root)}

    def build(self, work: Work) -> Iterator[Event]:
        settings = self.settings
        langs = frozenset(settings.langs)
        texts = Texts()
        if settings.path:
            yield self.event("progress", f"reading {settings.root}")
            texts = read_texts(settings.root, langs)
        if COLLECTION in work.inputs:
            texts.add_passages(Collection(work.inputs[COLLECTION].folder).passages(), langs)
        if settings.parallel_langs:
            texts.keep_parallel(frozenset(settings.parallel_langs))
        if 0 < settings.parallel < len(texts.meanings):
            chosen = np.random.default_rng(settings.seed).choice(len(texts.meanings), settings.parallel, replace=False)
            kept = sorted(chosen.tolist())
            texts.meanings = [texts.meanings[place] for place in kept]
            texts.sources = [texts.sources[place] for place in kept]
        save_texts(texts, work.draft.folder)
        work.draft.counts |= {
            "texts": len(texts.texts),
            "meanings": len(texts.meanings),
            "passages": len(texts.passages),
            "languages": sorted(set(texts.langs)),
        }
