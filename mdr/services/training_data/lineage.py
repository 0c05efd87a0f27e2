"""Which artefact was made from which, and what people called the runs that made them: the graph behind every thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mdr.errors import MdrError
from mdr.storage.artefacts import Artefact, ArtefactStore


class Called(NamedTuple):
    """A step of a named run."""

    run: str
    step: str


@dataclass(frozen=True)
class Use:
    """Something that was made from an artefact: in which slot it went in, and what was made from that in turn."""

    slot: str
    artefact: Artefact
    uses: tuple[Use, ...] = ()


class Lineage:
    """All artefacts that can be read, as they are at one moment."""

    def __init__(self, store: ArtefactStore) -> None:
        self.artefacts: dict[str, Artefact] = {}
        self.damaged: list[str] = []
        self._users: dict[str, list[tuple[str, Artefact]]] = {}
        self._called: dict[str, list[Called]] = {}
        for folder in store.folders():
            key = f"{folder.parent.name}/{folder.name}"
            try:
                artefact = store.find(*key.split("/"))
            except MdrError:
                artefact = None
            if artefact is None:
                self.damaged.append(key)
                continue
            self.artefacts[key] = artefact
            for slot, reference in artefact.manifest.inputs.items():
                self._users.setdefault(f"{reference['kind']}/{reference['recipe']}", []).append((slot, artefact))
        for name in store.names():
            for step, key in {**store.making(name), **store.run(name)}.items():
                self._called.setdefault(key, []).append(Called(name, step))

    def called(self, key: str) -> list[Called]:
        """The steps of named runs that made it, or found it made."""
        return self._called.get(key, [])

    def inputs(self, artefact: Artefact) -> dict[str, Artefact | str]:
        """What it was made from, by slot; the key alone where that is gone."""
        keys = {slot: f"{its['kind']}/{its['recipe']}" for slot, its in artefact.manifest.inputs.items()}
        return {slot: self.artefacts.get(key, key) for slot, key in keys.items()}

    def uses(self, key: str, depth: int = 4) -> tuple[Use, ...]:
        """What was made from it, oldest first, as far down as `depth`."""
        if not depth:
            return ()
        users = sorted(self._users.get(key, []), key=lambda user: (user[1].manifest.made, user[1].key, user[0]))
        return tuple(Use(slot, artefact, self.uses(artefact.key, depth - 1)) for slot, artefact in users)

    def models(self, key: str) -> list[Artefact]:
        """Models that learned from it, directly or from lists or questions made with it, oldest first."""
        found = {use.artefact.key: use.artefact for use in _until_models(self.uses(key))}
        return list(found.values())

    def collection(self, artefact: Artefact) -> tuple[str, str]:
        """The collection that pairs are about: the name that people gave it and its key; empty where not known."""
        reference = artefact.manifest.inputs.get("collection")
        key = f"{reference['kind']}/{reference['recipe']}" if reference else ""
        names = [called.run for called in self.called(key) if called.step == "collection"]
        # The shortest name is the collection's own: runs that take it in have longer ones.
        return min(names, key=lambda name: (len(name), name), default=""), key


def _until_models(uses: tuple[Use, ...]) -> Iterator[Use]:
    """What learned; what came after a model learned from the model, not from the pairs."""
    for use in uses:
        if use.artefact.manifest.kind in LEARNED:
            yield use
        else:
            yield from _until_models(use.uses)


LEARNED = ("model", "generator", "reranker")
"""Kinds of artefacts that are trained."""
