"""What recipe pages are written with: the places that material fills, how large everything is, and the steps that
methods share. What makes a method itself is on its own page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mdr.errors import InputError
from mdr.pipeline import Recipe, Step

WILD = "wild"
"""Passages in many languages that nobody graded: what is mined and asked about."""
ASKED = "asked"
"""Questions without answers."""
POSED = "posed"
"""Questions without answers that are told in several languages; `texts` has them, too. A scale may have none."""
LABELLED = "labelled"
"""Questions with their passages, in English or whatever there is; a scale may have none."""
TEXTS = "texts"
"""Texts that say the same in several languages, and texts that stand alone; a scale may have none."""
JUDGED = "judged"
"""Pairs that people judged; a scale may have none."""
TARGET = "target"
"""What is measured on: passages, questions and grades that nothing is trained on. Each language is searched alone."""
MIXED = "mixed"
"""What preferring one's own language is measured on: answers in many languages, in one pool; a scale may have none."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Scale:
    """How large everything is. `material` makes the places above. Training begins from `encoder`, of which nothing may
    have seen a label; other models without a name are the shipped ones."""

    name: str
    what: str
    material: tuple[Step, ...]
    encoder: str = "base"
    generator: str = ""
    reranker: str = ""
    steps: int = 1_000
    batch: int = 128
    moving: Values = field(default_factory=dict)
    """How an encoder's weights move, beside `steps`."""
    writing: Values = field(default_factory=dict)
    """How a generator's weights move."""
    depth: int = 100
    candidates: int = 16
    """Passages that a step takes of each question's list."""
    scored: int = 0
    """Passages of each list that a teacher judges, drawn at random; 0: all."""
    budget: int = 0
    """Passages of each language that are asked about; 0: all."""
    questions: int = 3
    """For each of them."""
    asked: int = 0
    """Questions of each language that are mined for; 0: all."""
    judged: int = 0
    """Questions of each language whose lists a teacher judges; 0: all."""
    lengths: Values = field(default_factory=dict)
    dev: str = ""
    """The split of `target` that weights may be chosen by; empty: pairs held out."""
    measuring: Values = field(default_factory=dict)
    mixing: Values = field(default_factory=dict)
    """How `mixed` is measured, where there is such material."""
    expected: Mapping[str, Values] = field(default_factory=dict)
    """What the manifests of places will count, for estimates before they are there."""

    def has(self, place: str) -> bool:
        """Whether there is such material."""
        return any(step.name == place for step in self.material)


class Page:
    """A recipe being written down, step by step; each method adds a step and gives its name."""

    def __init__(self, name: str, scale: Scale, seed: int = 0, **material: Values) -> None:
        """`material`: settings of a place that this recipe wants otherwise."""
        self._name, self._scale, self._seed = name, scale, seed
        self._steps = [
            replace(step, settings={**step.settings, **material.get(step.name, {})}) for step in scale.material
        ]
        self._words: dict[str, str] = {}

    def add(self, name: str, stage: str, settings: Values, **inputs: str | None) -> str:
        """Any step; inputs that are None are left out."""
        filled = {slot: given for slot, given in inputs.items() if given is not None}
        self._steps.append(Step(name, stage, settings, filled))
        return name

    def recipe(self) -> Recipe:
        """What was written down, without material that nothing takes in."""
        material, taken = {step.name for step in self._scale.material}, set[str]()
        kept: list[Step] = []
        for step in reversed(self._steps):
            if step.name in taken or step.name not in material:
                kept.append(step)
                taken.update(step.inputs.values())
        return Recipe(self._name, tuple(reversed(kept)))

    def known(self, *places: str) -> dict[str, str]:
        """Those of the places that there is material for, as inputs."""
        return {place: place for place in places if self._scale.has(place)}

    def needed(self, place: str) -> dict[str, str]:
        """A place that a method cannot do without, as an input."""
        if not self._scale.has(place):
            raise InputError(
                f"{self._name} needs {place}, and the scale {self._scale.name!r} has none",
                f"choose a scale with {place}, or leave that part out",
            )
        return {place: place}

    # -- steps that methods share ---------------------------------------------------------------------------------

    def words(self, collection: str) -> str:
        """BM25 over a collection, once."""
        if collection not in self._words:
            self._words[collection] = self.add(f"{collection}-words", "index-lexical", {}, collection=collection)
        return self._words[collection]

    def vectors(self, name: str, collection: str, model: str | None) -> str:
        """A collection in a model's vectors; without a model, in those of the encoder that training begins from."""
        settings = {} if model else {"encoder": self._scale.encoder}
        return self.add(name, "index-dense", settings, collection=collection, model=model)

    def mined(self, name: str, dense: str, round: int, **settings: Any) -> str:
        """What words and meaning agree on (stage `mine`)."""
        scale = self._scale
        usual = {"depth": scale.depth, "last": scale.depth, "samples": scale.asked, "round": round, "seed": self._seed}
        places = {"collection": WILD, "lexical": self.words(WILD), "dense": dense, **self.known_questions()}
        return self.add(name, "mine", usual | settings, **places)

    def known_questions(self) -> dict[str, str]:
        """Questions from elsewhere, if the collection's own are not meant."""
        return {"queries": ASKED} if self._scale.has(ASKED) else {}

    def learn(
        self, name: str, objectives: tuple[Values, ...], sources: Values, start: str | None, inputs: Mapping[str, str]
    ) -> str:
        """An encoder that goes on from `start`, or from the scale's (stage `train`)."""
        scale = self._scale
        settings = {
            "start": "" if start else scale.encoder,
            "objectives": objectives,
            "sources": {"seed": self._seed, **sources},
            "training": {"steps": scale.steps, "seed": self._seed, **scale.moving},
            **scale.lengths,
        }
        return self.add(name, "train", settings, start=start, **inputs)

    def writer(self, name: str, loss: str, start: str | None, inputs: Mapping[str, str], **sources: Any) -> str:
        """A generator that goes on from `start`, or from the scale's (stage `train-generator`)."""
        scale = self._scale
        objectives = ({"loss": loss, "sources": dict.fromkeys(inputs, 1.0), "batch": _WRITER_BATCH[loss]},)
        settings = {
            "start": "" if start else scale.generator,
            "objectives": objectives,
            "sources": {"seed": self._seed, **sources},
            "training": {"seed": self._seed, **scale.writing},
        }
        return self.add(name, "train-generator", settings, start=start, **inputs)

    def measure(self, name: str, model: str | None) -> None:
        """BM25, the model and both on the target; in a mixed pool BM25 only once, as it never changes."""
        dense = self.vectors(f"{name}-vectors", TARGET, model)
        inputs = {"collection": TARGET, "lexical": self.words(TARGET), "dense": dense}
        self.add(name, "evaluate", self._scale.measuring, **inputs)
        if self._scale.has(MIXED):
            dense = self.vectors(f"{name}-{MIXED}-vectors", MIXED, model)
            lexical = None if model else self.words(MIXED)
            self.add(
                f"{name}-{MIXED}", "evaluate", self._scale.mixing, collection=MIXED, lexical=lexical, dense=dense
            )


_WRITER_BATCH = {"likelihood": 32, "ranking": 8}
"""Queries in a step; a ranking reads each with all its candidates."""


def contrast(source: str, scale: Scale, **settings: Any) -> Values:
    """In-batch contrast over one source."""
    return {"loss": "contrast", "sources": {source: 1.0}, "batch": scale.batch, **settings}
