"""What a recipe will cost, roughly, before any of it is made: arithmetic from the shapes of models and the sizes of
material. Nothing is loaded.

A network of N parameters that every token goes through costs 2·N operations a token, and 6·N where it learns; weights
that learn take 16 bytes each (themselves, gradients, two moments). Static tables are bound by memory, and counted by
what they touch. Times are these sums divided by what a device does of its best: rough, which is enough to decide
between hours and days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from mdr.pipeline import Recipe, Step
from mdr.stages import STAGES
from mdr.storage.files import digest


class Device(NamedTuple):
    """What computes: operations a second that models reach on it, and bytes a second that tables do."""

    name: str
    operations: float
    bytes: float


_SHARE = 0.35
"""What transformers usually reach of a GPU's best."""
DEVICES: Mapping[str, Device] = {
    "cpu": Device("two cores of a server", 1.2e11, 6e9),
    "l4": Device("one L4", _SHARE * 121e12, 3e11),
    "a100": Device("one A100", _SHARE * 312e12, 1.5e12),
    "h100": Device("one H100", _SHARE * 989e12, 3e12),
}
"""By name: published best of dense 16-bit products; two cores as the shipped models run on them."""


class Shape(NamedTuple):
    """Parameters of a model: all, those that each token read goes through, and those of each token written."""

    all: float
    reading: float
    writing: float = 0.0
    width: int = 768

    @property
    def static(self) -> bool:
        """A table of rows that are added up."""
        return not self.reading


SHAPES: Mapping[str, Shape] = {
    "base": Shape(28.7e6, 0, width=896),
    "final": Shape(28.7e6, 0, width=896),
    "generator": Shape(15.5e6, 2.1e6, 10.6e6, 256),
    "facebook/mcontriever": Shape(178e6, 85e6),
    "FacebookAI/xlm-roberta-base": Shape(278e6, 85e6),
    "google/mt5-base": Shape(582e6, 85e6, 305e6),
}
"""Of the shipped models and those that the scales name."""

_PASSAGE, _QUERY = 150, 16
"""Tokens, as they are usually."""
_LUCENE, _ROWS = 4_000, 40_000
"""Passages indexed, and records read, in a second."""
_CUT = 4e5
"""Tokens that a tokenizer cuts in a second; it feeds whatever computes."""
_LOOKED_UP = 1_000
"""Queries that BM25 answers in a second."""
_COMPARED = 2e10
"""Numbers multiplied in a second of exact search on two cores."""


@dataclass(frozen=True)
class Size:
    """What a step holds, as far as it is known: languages, passages, queries, and pairs or lists made of them."""

    langs: int = 1
    passages: float = 0
    queries: float = 0
    pairs: float = 0
    model: str = ""
    """The model that a trained one began from: it has its shape."""
    width: int = 0
    asking: int = 1
    """Languages that queries are in."""


class Cost(NamedTuple):
    """A step's share. `key` is the same for what would be made but once; `memory` is what is held at its height."""

    step: Step
    key: str
    what: str
    seconds: float
    memory: float


def estimate(recipe: Recipe, known: Mapping[str, Size], device: Device) -> list[Cost]:
    """Every step's cost. `known`: the sizes of what `prepare` and `read-texts` read, by the name of the step."""
    sizes: dict[str, Size] = {}
    keys: dict[str, str] = {}
    costs = []
    for step in recipe.steps:
        keys[step.name] = digest([step.stage, step.settings, {slot: keys[name] for slot, name in step.inputs.items()}])
        taken = {slot: sizes[name] for slot, name in step.inputs.items()}
        size, what, seconds, memory = _STAGES[step.stage](_Look(step, taken, known, device))
        sizes[step.name] = size
        costs.append(Cost(step, keys[step.name], what, seconds, memory))
    return costs


def size_of(counts: Mapping[str, Any]) -> Size:
    """What the counts of a manifest say."""
    langs = max(1, len(counts.get("languages", ())))
    asking = len(counts.get("queries_by_language", ())) or langs
    return Size(langs, counts.get("passages", 0), counts.get("queries", 0), counts.get("meanings", 0), asking=asking)


@dataclass(frozen=True)
class _Look:
    """A step, the sizes of its inputs, and the device."""

    step: Step
    taken: Mapping[str, Size]
    known: Mapping[str, Size]
    device: Device

    @cached_property
    def settings(self) -> Any:
        """As the stage reads them, with what is left out filled in."""
        return STAGES[self.step.stage].settings_type.model_validate(dict(self.step.settings))

    def shape(self, slot: str, named: str, default: str) -> tuple[str, Shape]:
        """The model in a slot, or by its name."""
        name = (self.taken[slot].model if slot in self.taken else named) or default
        return name, SHAPES.get(name, SHAPES[default])

    def encode(self, shape: Shape, tokens: float) -> float:
        """Seconds to read so many tokens."""
        computed = self.compute(2 * shape.reading * tokens) or 4 * shape.width * tokens / self.device.bytes
        return max(computed, tokens / _CUT)

    def compute(self, operations: float) -> float:
        return operations / self.device.operations


_Found = tuple[Size, str, float, float]


def _material(look: _Look) -> _Found:
    size = look.known.get(look.step.name, Size())
    records = size.passages + size.queries + size.pairs
    return size, f"{_big(records)} records", records / _ROWS, 0.0


def _lexical(look: _Look) -> _Found:
    size = look.taken["collection"]
    return size, f"{_big(size.passages)} passages", size.passages / _LUCENE, 1e9


def _dense(look: _Look) -> _Found:
    size = look.taken["collection"]
    name, shape = look.shape("model", look.settings.encoder, "final")
    held = 2 * size.passages * shape.width + 4 * shape.all
    seconds = look.encode(shape, size.passages * _PASSAGE)
    return replace(size, model=name, width=shape.width), f"{_big(size.passages)} passages", seconds, held


def _searched(look: _Look, queries: float) -> tuple[float, float]:
    """Seconds and bytes of asking every index that is there, each language its own passages."""
    size = look.taken["collection"]
    width = max((its.width for its in look.taken.values()), default=0)
    own = size.passages / max(1, size.langs)
    factor = look.device.operations / DEVICES["cpu"].operations  # exact search is a matrix product, too
    words = queries / _LOOKED_UP if "lexical" in look.taken else 0.0
    return queries * own * width / (_COMPARED * factor) + words, 2 * size.passages * width


def _asked(look: _Look) -> Size:
    """Queries that a stage takes, sampled by language as its settings say."""
    source = look.taken.get("pairs") or look.taken.get("queries") or look.taken["collection"]
    queries = source.pairs if "pairs" in look.taken else source.queries
    most = getattr(look.settings, "samples", 0) * source.asking
    return replace(source, queries=min(queries, most) if most else queries)


def _mine(look: _Look) -> _Found:
    asked = _asked(look)
    seconds, memory = _searched(look, asked.queries)
    return replace(asked, pairs=asked.queries / 2), f"{_big(asked.queries)} queries", seconds, memory


def _evaluate(look: _Look) -> _Found:
    queries = look.taken["collection"].queries
    seconds, memory = _searched(look, queries)
    return Size(), f"{_big(queries)} queries", seconds + queries / 300, memory


def _pairs(look: _Look) -> _Found:
    size = look.taken["collection"]
    most = getattr(look.settings, "samples", 0) * size.asking
    pairs = min(size.queries, most) if most else size.queries
    return replace(size, pairs=pairs), f"{_big(pairs)} pairs", pairs / _ROWS, 0.0


def judging(shape: Shape) -> float:
    """Operations for one query with one passage."""
    return 2 * (_PASSAGE * shape.reading + _QUERY * shape.writing)


def _score(look: _Look) -> _Found:
    asked = _asked(look)
    reranker = "reranker" in look.taken or bool(look.settings.reranker)
    named = look.settings.reranker if reranker else look.settings.generator
    name, shape = look.shape("reranker" if reranker else "generator", named, "generator")
    judged = asked.queries * (look.settings.candidates or look.settings.depth)
    seconds = look.compute(judged * judging(shape))
    more, memory = _searched(look, asked.queries)
    size = replace(asked, pairs=asked.queries, model=name)
    return size, f"{_big(judged)} candidates", seconds + more, memory + 4 * shape.all


def _generate(look: _Look) -> _Found:
    size, settings = look.taken["collection"], look.settings
    if settings.selection == "named" and "pairs" in look.taken:
        passages = look.taken["pairs"].pairs
    else:
        passages = min(size.passages, settings.budget * size.langs or size.passages)
    questions = settings.n * passages
    _, shape = look.shape("generator", settings.generator, "generator")
    seconds = look.compute(2 * questions * (_PASSAGE * shape.reading / settings.n + _QUERY * shape.writing))
    more, memory = _searched(look, questions if settings.round_trip != "none" else 0)
    made = replace(size, queries=questions, pairs=questions)
    return made, f"{_big(questions)} questions", 2 * seconds + more, memory + 4 * shape.all  # one token at a time


def _counterparts(look: _Look) -> _Found:
    lists = look.taken["scored"]
    asked = look.taken["generated"].pairs if "generated" in look.taken else lists.pairs
    return replace(lists, pairs=min(lists.pairs, asked)), f"{_big(asked)} questions", 10.0, 0.0


def _train(look: _Look) -> _Found:
    settings = look.settings
    name, shape = look.shape("start", settings.start, "base")
    each = 1 + settings.sources.negatives
    read = 0.0
    for objective in settings.objectives:
        texts = settings.sources.candidates if objective.loss in ("listwise", "alignment", "margin") else each
        read += objective.batch * (_QUERY + texts * _PASSAGE) * (1 - objective.start)
    steps = settings.training.steps
    moved = 10 * 4 * shape.all * steps / look.device.bytes
    seconds = look.compute(8 * shape.reading * read * steps) or 12 * shape.width * read * steps / look.device.bytes
    memory = 16 * shape.all + settings.memory * shape.width * 12 * 40 * bool(shape.reading)
    return Size(model=name), f"{steps:,} steps", seconds + moved, memory


def _train_judge(look: _Look) -> _Found:
    """Generators and rerankers."""
    settings = look.settings
    name, shape = look.shape("start", settings.start, "generator")
    read = 0.0
    for objective in settings.objectives:
        lists = settings.sources.candidates if objective.loss == "ranking" else 1
        read += objective.batch * lists * (_PASSAGE * shape.reading + _QUERY * shape.writing)
    steps = settings.training.steps
    return Size(model=name), f"{steps:,} steps", look.compute(6 * read * steps), 16 * shape.all + 2e9


_STAGES: Mapping[str, Callable[[_Look], _Found]] = {
    "prepare": _material,
    "read-texts": _material,
    "index-lexical": _lexical,
    "index-dense": _dense,
    "mine": _mine,
    "generate": _generate,
    "score": _score,
    "counterparts": _counterparts,
    "labelled-pairs": _pairs,
    "judged-pairs": _pairs,
    "train": _train,
    "train-generator": _train_judge,
    "train-reranker": _train_judge,
    "evaluate": _evaluate,
}


def _big(number: float) -> str:
    return f"{number:,.0f}"
