"""Names of runs keep artefacts; what no name reaches is garbage."""

from __future__ import annotations

import shutil

import pytest
from small_artefacts import make

from mdr.errors import MissingError
from mdr.storage.artefacts import ArtefactStore
from mdr.storage.manifest import MANIFEST


def test_garbage_is_what_no_name_reaches(store: ArtefactStore) -> None:
    first = make(store, "r1")
    second = make(store, "r2", {"slot": first.reference()})
    idle = make(store, "r3")
    damaged = make(store, "r4")
    (damaged.folder / MANIFEST).unlink()
    store.name_run("mine", {"last": second.key}, {})
    with pytest.raises(ValueError), store.draft("kind", "r5"):
        raise ValueError
    unfinished = store.root / "kind" / ".r5.building"
    assert store.garbage() == [idle.folder, damaged.folder, unfinished]
    assert store.remove(store.garbage()) == [idle.folder, damaged.folder, unfinished]
    assert list(store.all()) == [first, second]
    assert store.garbage() == []


def test_names_that_lost_their_artefacts_are_told(store: ArtefactStore) -> None:
    made = make(store)
    store.name_run("mine", {"step": made.key}, {"name": "recipe"})
    assert store.lost() == []
    assert store.recipe_of("mine") == {"name": "recipe"}
    shutil.rmtree(made.folder)
    assert store.lost() == ["mine: step (kind/r1) is gone"]


def test_what_a_run_is_making_is_no_garbage_and_not_the_name_yet(store: ArtefactStore) -> None:
    first, second = make(store, "r1"), make(store, "r2")
    store.name_run("mine", {"step": first.key}, {"name": "recipe"})
    store.keep("mine", {"step": second.key})
    assert (store.run("mine"), store.making("mine")) == ({"step": first.key}, {"step": second.key})
    assert store.recipe_of("mine") == {"name": "recipe"}
    assert store.garbage() == []
    store.name_run("mine", {"step": second.key}, {"name": "recipe"})
    assert store.garbage() == [first.folder]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\x00b", ".hidden", "x" * 101, "a b", "\udc80"])
def test_hostile_names_are_refused(store: ArtefactStore, name: str) -> None:
    with pytest.raises(MissingError):
        store.name_run(name, {}, {})
    with pytest.raises(MissingError):
        store.run(name)
    assert not store.root.exists()


def test_names_in_any_script(store: ArtefactStore) -> None:
    store.name_run("ไทย-2.b", {"s": "k/r"}, {})
    assert store.names() == ["ไทย-2.b"]
    with pytest.raises(MissingError, match=r"there are: ไทย-2\.b"):
        store.run("other")


@pytest.mark.parametrize("key", ["", "/", "kind", "kind/", "kind/r", "kind/zzz", "other/r1", "../kind/r1", "names/x"])
def test_asking_for_what_is_not_there_or_not_one(store: ArtefactStore, key: str) -> None:
    make(store, "r1")
    make(store, "r2")
    store.name_run("x", {}, {})
    with pytest.raises(MissingError, match="there are: kind/r1, kind/r2"):
        store.get(key)
    assert store.get("kind/r1").manifest.recipe == "r1"
