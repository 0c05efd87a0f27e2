"""The one place that constructs engines. Each is loaded when it is first asked for, and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Collection as Some
from pathlib import Path
from threading import RLock
from typing import TypeVar

from mdr.ports import DenseRetriever, Encoder, Generator, LanguageIdentifier, LexicalRetriever, Reranker
from mdr.settings import Settings
from mdr.storage.collection import Collection
from mdr.types import Passage

Engine = TypeVar("Engine")


class EngineRoom:
    """Engines as settings say. Implements `ports.Engines` for the stages."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._encoders: dict[str, Encoder] = {}
        self._generators: dict[str, Generator] = {}
        self._rerankers: dict[str, Reranker] = {}
        self._lock = RLock()

    def encoder(self, name: str = "") -> Encoder:
        """The encoder of a folder or hub name, loaded once."""
        from mdr.engines.encoder import load_encoder

        name = self.settings.model(name) or self.settings.default_encoder
        with self._lock:
            if name not in self._encoders:
                self._encoders[name] = self._loaded(load_encoder, name, ("encode", "tokens"))
            return self._encoders[name]

    def generator(self, name: str = "") -> Generator:
        """The generator of a folder or hub name, loaded once; what it scored is kept."""
        from mdr.engines.cached_generator import CachedGenerator
        from mdr.engines.generator import load_generator

        settings = self.settings
        name = settings.model(name) or settings.default_generator
        with self._lock:
            if name not in self._generators:
                loaded = self._loaded(load_generator, name, ("write", "log_likelihood"))
                self._generators[name] = CachedGenerator(loaded, settings.likelihoods)
            return self._generators[name]

    def reranker(self, name: str) -> Reranker:
        """The reranker of a folder or hub name, loaded once; what it scored is kept."""
        from mdr.engines.cached_reranker import CachedReranker
        from mdr.engines.reranker import load_reranker

        with self._lock:
            if name not in self._rerankers:
                loaded = self._loaded(load_reranker, name, ("score",))
                self._rerankers[name] = CachedReranker(loaded, self.settings.likelihoods)
            return self._rerankers[name]

    def _loaded(self, load: Callable[..., Engine], name: str, calls: tuple[str, ...]) -> Engine:
        """A model as settings say; where GPUs are borrowed, these `calls` of it borrow one."""
        settings = self.settings
        how = {"device": settings.device, "threads": settings.threads, "precision": settings.precision}
        if not settings.zero_gpu:
            return load(name, **how)
        from mdr.engines.zero_gpu import lent

        return lent(lambda: load(name, **how), calls)

    def model_folder(self, name: str = "") -> Path:
        """Where a model lies; empty: the encoder that training begins from."""
        from mdr.engines.encoder import find_model

        return find_model(self.settings.model(name) or self.settings.base_encoder)

    def generator_folder(self, name: str = "") -> Path:
        """Where a generator lies; empty: the default one."""
        from mdr.engines.encoder import find_model

        return find_model(self.settings.model(name) or self.settings.default_generator)

    def analyzer_fingerprint(self, langs: Some[str]) -> str:
        """What names the word analysis of these languages."""
        from mdr.engines import lucene

        return lucene.analyzer_fingerprint(langs)

    def build_lexical(self, passages: Iterable[Passage], folder: Path, *, k1: float, b: float) -> Iterator[int]:
        """Lucene indexes in a folder."""
        from mdr.engines import lucene

        return lucene.build(passages, folder, k1=k1, b=b)

    def build_vectors(
        self, passages: Iterable[Passage], count: int, folder: Path, *, encoder: str, factory: str, dtype: str
    ) -> Iterator[int]:
        """Vectors and their index in a folder."""
        from mdr.engines import vectors

        return vectors.build(self.encoder(encoder), passages, count, folder, factory=factory, dtype=dtype)

    def open_lexical(self, folder: Path) -> LexicalRetriever:
        """What `build_lexical` wrote."""
        from mdr.engines.lucene import LuceneRetriever

        return LuceneRetriever(folder)

    def open_dense(self, folder: Path, passages: Path, *, encoder: str) -> DenseRetriever:
        """What `build_vectors` wrote, over the passages of a collection folder."""
        from mdr.engines import retrievers, vectors

        device = "cpu" if self.settings.zero_gpu else self.settings.device  # which is lent to models alone
        index = vectors.open_index(folder, device=device)
        return retrievers.DenseRetriever(self.encoder(encoder), index, Collection(passages), index.made_by)

    def language_identifier(self, langs: Some[str]) -> LanguageIdentifier:
        """Which of these languages a text is in."""
        from mdr.engines.language_id import FastLanguageIdentifier

        return FastLanguageIdentifier(langs)
