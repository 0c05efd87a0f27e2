"""The one place that puts runs and services together, over the engines of `engine_room`. Edges hold a workbench;
nothing else does. `import mdr.workbench` loads neither torch nor a JVM.
"""

from __future__ import annotations

from collections.abc import Generator as Steps
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from mdr import pipeline
from mdr.engine_room import EngineRoom
from mdr.ports import Generator
from mdr.recipes import baselines
from mdr.settings import Settings
from mdr.stages.index import encoder_of
from mdr.storage.artefacts import Artefact, ArtefactStore
from mdr.storage.collection import Collection
from mdr.types import Event

if TYPE_CHECKING:
    from mdr.services.campaigns.progress import ProgressService
    from mdr.services.campaigns.queue import JudgingQueue
    from mdr.services.campaigns.service import CampaignService
    from mdr.services.evaluation.comparison import ComparisonService
    from mdr.services.evaluation.holes import HolesService
    from mdr.services.evaluation.job import EvaluationJob
    from mdr.services.evaluation.measuring import MeasuringService
    from mdr.services.judging.agreement import AgreementService
    from mdr.services.judging.service import JudgingService
    from mdr.services.judging.snapshots import SnapshotService
    from mdr.services.machine.health import Health
    from mdr.services.people.accounts import AccountService
    from mdr.services.runs.service import Runs
    from mdr.services.search.explain import ExplainService
    from mdr.services.search.service import SearchService
    from mdr.services.training_data.browsing import TrainingData
    from mdr.services.training_data.threads import Threads
    from mdr.services.training_data.verdicts import PairVerdicts

SAMPLE = "sample"
"""The name of the collection that comes along."""
_EVALUATION = ".evaluation"
_REMEDIES = {
    baselines.COLLECTION: "`mdr import FORMAT PATH --name {}` makes it",
    baselines.EVALUATION: "`mdr evaluate {}` makes it",
}


class Workbench(EngineRoom):
    """Settings turned into working parts."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings or Settings())
        self.store = ArtefactStore(self.settings.store)
        self._searchers: dict[tuple[str, str], SearchService] = {}
        self._measuring: dict[str, MeasuringService] = {}

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

    def models(self, name: str = SAMPLE) -> dict[str, Artefact]:
        """Dense indexes over a named collection, by what to call their models; "" is the collection's own."""
        content = self.artefact(name, baselines.COLLECTION).manifest.content
        found = {"": self.artefact(name, baselines.DENSE)}
        for run in self.store.names():
            dense = {
                step: made
                for step, key in self.store.run(run).items()
                if (made := self.store.find(*key.split("/", 1))) and _searches(made, content)
            }
            for step, made in dense.items():
                if made.key not in {known.key for known in found.values()}:
                    found[run if len(dense) == 1 else f"{run}/{step}"] = made
        return found

    def searcher(self, name: str = SAMPLE, model: str = "") -> SearchService:
        """Search over a named, indexed collection, with its own model or another one's index; opened once."""

        with self._lock:
            if (name, model) not in self._searchers:
                self._searchers[name, model] = self._opened(name, model)
            return self._searchers[name, model]

    def _opened(self, name: str, model: str) -> SearchService:
        from mdr.errors import MismatchError, MissingError
        from mdr.services.search.service import SearchService

        made = self.artefact(name, baselines.COLLECTION)
        models = self.models(name) if model else {"": self.artefact(name, baselines.DENSE)}
        if model not in models:
            have = ", ".join(filter(None, models)) or "its own only"
            raise MissingError(f"no model {model!r} has an index over {name!r}; it has {have}", "choose one of these")
        usual = self.searcher(name) if model else None
        encoder = encoder_of(models[model])
        try:
            dense = self.open_dense(models[model].folder, made.folder, encoder=encoder)
        except MismatchError as error:
            raise MismatchError(error.problem, _again(name, model, encoder)) from error
        return SearchService(
            usual.collection if usual else Collection(made.folder),
            usual.lexical if usual else self.open_lexical(self.artefact(name, baselines.LEXICAL).folder),
            dense,
            usual.identifier if usual else self.language_identifier(made.manifest.counts["languages"]),
        )

    def explainer(self, name: str = SAMPLE, model: str = "") -> ExplainService:
        """Why a passage was found, over what `searcher` searches."""
        from mdr.services.search.explain import ExplainService

        searcher = self.searcher(name, model)
        return ExplainService(name, searcher.collection, searcher.dense, lambda: self.judging, self._generator_if_any)

    def _generator_if_any(self) -> Generator | None:
        """The default generator; None where none is shipped and none was named."""
        settings = self.settings
        there = bool(settings.generator) or Path(settings.default_generator).is_dir()
        return self.generator() if there else None

    def measuring(self, name: str = SAMPLE) -> MeasuringService:
        """Evaluations of a named collection, by any measure and grades, opened once."""
        from mdr.services.evaluation.grade_sources import GradeSources
        from mdr.services.evaluation.measuring import MeasuringService

        with self._lock:
            if name not in self._measuring:
                collection = Collection(self.artefact(name, baselines.COLLECTION).folder)
                sources = GradeSources(collection, name, lambda: self.judging)
                self._measuring[name] = MeasuringService(self.store, name, sources)
            return self._measuring[name]

    def comparing(self, name: str = SAMPLE) -> ComparisonService:
        """Systems of a named collection side by side."""
        from mdr.services.evaluation.comparison import ComparisonService

        return ComparisonService(
            self.measuring(name), lambda model: self.searcher(name, model), lambda: self.models(name)
        )

    def evaluation_job(self, name: str = SAMPLE) -> EvaluationJob:
        """An evaluation over passages of all languages, for pages to start and watch."""
        from mdr.services.evaluation.job import EvaluationJob

        def evaluate() -> Iterator[Event]:
            usual = f"{name}{_EVALUATION}"
            taken = usual in self.store.names()  # by one over other passages: that one stays
            return self.evaluate(name, run_name=f"{usual}.all" if taken else usual, pool="all")

        return EvaluationJob(evaluate, self.runs.require, hours=self.settings.run_hours)

    def health(self, name: str = SAMPLE) -> Health:
        """Whether a named collection can be searched here, and grades be kept."""
        from mdr.services.machine.health import Health

        return Health(self.settings.home, lambda: self.searcher(name), lambda: self.judging)

    @cached_property
    def accounts(self) -> AccountService:
        """Who people are, and what they may do."""
        from mdr.services.people.accounts import AccountService
        from mdr.storage.accounts import AccountFile

        return AccountService(AccountFile(self.settings.accounts))

    @cached_property
    def campaigns(self) -> CampaignService:
        """What is to be judged, by whom."""
        from mdr.services.campaigns.service import CampaignService
        from mdr.storage.campaigns import CampaignFiles

        files = CampaignFiles(self.settings.home / "campaigns")
        return CampaignService(files, lambda: self.judging.store, self.searcher)

    @cached_property
    def judging_queue(self) -> JudgingQueue:
        """What judges do in campaigns."""
        from mdr.services.campaigns.queue import JudgingQueue

        return JudgingQueue(self.campaigns, self.judging, self.searcher)

    @cached_property
    def campaign_progress(self) -> ProgressService:
        """How campaigns come along."""
        from mdr.services.campaigns.progress import ProgressService

        return ProgressService(self.campaigns)

    @cached_property
    def training_data(self) -> TrainingData:
        """What steps wrote for training."""
        from mdr.services.training_data.browsing import TrainingData

        return TrainingData(self.store)

    @cached_property
    def threads(self) -> Threads:
        """Where training pairs come from, and what became of them."""
        from mdr.services.training_data.threads import Threads

        return Threads(self.training_data, self, self.searcher)

    @cached_property
    def verdicts(self) -> PairVerdicts:
        """What people say of training pairs."""
        from mdr.services.training_data.verdicts import PairVerdicts

        return PairVerdicts(self.threads, lambda: self.judging)

    @cached_property
    def runs(self) -> Runs:
        """Recipes, and the jobs that carry them out."""
        from mdr.services.runs.service import Runs

        return Runs(self.settings, self.store)

    @cached_property
    def agreement(self) -> AgreementService:
        """How far judges agree."""
        from mdr.services.judging.agreement import AgreementService

        return AgreementService(lambda: self.judging)

    def holes(self, name: str = SAMPLE) -> HolesService:
        """Evaluations of a named collection by judgements with holes."""
        from mdr.services.evaluation.holes import HolesService

        return HolesService(self.measuring(name), lambda: self.campaigns, name)

    @cached_property
    def judging(self) -> JudgingService:
        """Grades of people, in the judgement file."""
        from mdr.services.judging.service import JudgingService
        from mdr.storage.judgements import JudgementStore

        return JudgingService(JudgementStore(self.settings.judgements))

    @cached_property
    def snapshots(self) -> SnapshotService:
        """Snapshots of the judgement file, and their copies."""
        from mdr.services.judging.snapshots import snapshots_of

        return snapshots_of(self.settings, lambda: self.judging.store)


def _again(name: str, model: str, encoder: str) -> str:
    """What makes an index again whose encoder has changed since."""
    if model:
        return f"carry out the run {model.partition('/')[0]!r} again: what has not changed is reused"
    return f"`mdr index {name}{f' --encoder {quote(encoder)}' if encoder else ''}` makes its index again"


def _searches(made: Artefact, content: str) -> bool:
    """Whether it is a dense index over the collection with this content."""
    manifest = made.manifest
    return manifest.stage == "index-dense" and manifest.inputs[baselines.COLLECTION]["content"] == content
