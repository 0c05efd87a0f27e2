"""The one place that constructs engines and puts services together. Edges hold a workbench; nothing else does.

Engines are loaded when first asked for and kept: `import mdr.workbench` loads neither torch nor a JVM.
"""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Generator as Steps
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from mdr import pipeline
from mdr.ports import Encoder, Generator, LanguageIdentifier, LexicalRetriever, Retriever
from mdr.recipes import baselines
from mdr.settings import Settings
from mdr.stages.index import encoder_of
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import Collection
from mdr.types import Event, Passage

if TYPE_CHECKING:
    from mdr.services.judging import JudgingService
    from mdr.services.search import SearchService

SAMPLE = "sample"
"""The name of the collection that comes along."""
_EVALUATION = ".evaluation"
_REMEDIES = {
    baselines.COLLECTION: "`mdr import FORMAT PATH --name {}` makes it",
    baselines.EVALUATION: "`mdr evaluate {}` makes it",
}


class Workbench:
    """Settings turned into working parts. Implements `ports.Engines` for the stages."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.store = ArtefactStore(self.settings.store)
        self._encoders: dict[str, Encoder] = {}
        self._generators: dict[str, Generator] = {}
        self._searchers: dict[str, SearchService] = {}
        self._lock = RLock()

    # -- engines, for stages and services -----------------------------------------------------------------

    def encoder(self, name: str = "") -> Encoder:
        """The encoder of a folder or hub name, loaded once."""
        from mdr.engines.encoder import load_encoder

        name = name or self.settings.default_encoder
        with self._lock:
            if name not in self._encoders:
                settings = self.settings
                self._encoders[name] = load_encoder(
                    name, device=settings.device, threads=settings.threads, precision=settings.precision
                )
            return self._encoders[name]

    def generator(self, name: str = "") -> Generator:
        """The generator of a folder or hub name, loaded once; what it scored is kept."""
        from mdr.engines.cached_generator import CachedGenerator
        from mdr.engines.generator import load_generator

        settings = self.settings
        name = name or settings.default_generator
        with self._lock:
            if name not in self._generators:
                loaded = load_generator(
                    name, device=settings.device, threads=settings.threads, precision=settings.precision
                )
                self._generators[name] = CachedGenerator(loaded, settings.likelihoods)
            return self._generators[name]

    def model_folder(self, name: str = "") -> Path:
        """Where a model lies; empty: the encoder that training begins from."""
        from mdr.engines.encoder import find_model

        return find_model(name or self.settings.base_encoder)

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

    def open_dense(self, folder: Path, passages: Path, *, encoder: str) -> Retriever:
        """What `build_vectors` wrote, over the passages of a collection folder."""
        from mdr.engines import vectors
        from mdr.engines.retrievers import DenseRetriever

        index = vectors.open_index(folder, device=self.settings.device)
        return DenseRetriever(self.encoder(encoder), index, Collection(passages), index.made_by)

    def language_identifier(self, langs: Some[str]) -> LanguageIdentifier:
        """Which of these languages a text is in."""
        from mdr.engines.language_id import FastLanguageIdentifier

        return FastLanguageIdentifier(langs)

    # -- runs ---------------------------------------------------------------------------------------------

    def run(
        self, recipe: pipeline.Recipe, name: str | None = None, given: pipeline.Given | None = None
    ) -> Steps[Event, None, dict[str, Artefact]]:
        """Carry a recipe out with these engines."""
        return pipeline.run(recipe, self.store, self, name, given)

    def import_collection(
        self, name: str, format: str, path: str, **options: Any
    ) -> Steps[Event, None, dict[str, Artefact]]:
        """Read published files into a collection with a name."""
        return self.run(pipeline.Recipe(name, (baselines.prepare(format, path, **options),)), name)

    def index(self, name: str, encoder: str = "", **options: Any) -> Steps[Event, None, dict[str, Artefact]]:
        """Make a named collection searchable."""
        given = {baselines.COLLECTION: self.artefact(name, baselines.COLLECTION)}
        return self.run(pipeline.Recipe(name, baselines.indexes(encoder, **options)), name, given)

    def evaluate(
        self, name: str, encoder: str = "", run_name: str | None = None, **settings: Any
    ) -> Steps[Event, None, dict[str, Artefact]]:
        """BM25, dense and hybrid on a named collection; missing indexes are made."""
        given = {baselines.COLLECTION: self.artefact(name, baselines.COLLECTION)}
        run_name = run_name or f"{name}{_EVALUATION}"
        return self.run(baselines.baselines(run_name, encoder, **settings), run_name, given)

    def artefact(self, name: str, step: str) -> Artefact:
        """What a step of a named run made."""
        from mdr.errors import MissingError

        steps = self.store.run(name)
        if step not in steps:
            remedy = _REMEDIES.get(step, "`mdr index {}` makes it").format(name.removesuffix(_EVALUATION))
            raise MissingError(f"{name!r} has no {step}; it has {', '.join(steps)}", remedy)
        return self.store.get(steps[step])

    # -- services -----------------------------------------------------------------------------------------

    def prepare_sample(self) -> Iterator[Event]:
        """Import and index the sample collection; at once when nothing changed."""
        steps = (baselines.prepare("folder", str(self.settings.sample)), *baselines.indexes())
        yield from self.run(pipeline.Recipe(SAMPLE, steps), SAMPLE)

    def searcher(self, name: str = SAMPLE) -> SearchService:
        """Search over a named, indexed collection, opened once."""
        from mdr.services.search import SearchService

        with self._lock:
            if name not in self._searchers:
                collection = self.artefact(name, baselines.COLLECTION)
                dense = self.artefact(name, baselines.DENSE)
                self._searchers[name] = SearchService(
                    Collection(collection.folder),
                    self.open_lexical(self.artefact(name, baselines.LEXICAL).folder),
                    self.open_dense(dense.folder, collection.folder, encoder=encoder_of(dense)),
                    self.language_identifier(collection.manifest.counts["languages"]),
                )
            return self._searchers[name]

    @cached_property
    def judging(self) -> JudgingService:
        """Grades of people, in the judgement file."""
        from mdr.services.judging import JudgingService
        from mdr.storage.judgements import JudgementStore

        return JudgingService(JudgementStore(self.settings.judgements))
