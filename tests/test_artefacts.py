"""The artefact store: published whole or not at all, found again, and checked."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from small_artefacts import make, publish

from mdr.errors import ArtefactError, StorageError
from mdr.storage import files
from mdr.storage.artefacts import ArtefactStore, recipe_hash
from mdr.storage.manifest import MANIFEST


def test_what_is_published_is_found_as_it_was(store: ArtefactStore) -> None:
    made = make(store)
    assert store.find("kind", "r1") == made
    assert store.get("kind/r") == made
    assert set(made.manifest.files) == {"a", "deep/b"}
    assert made.manifest.bytes == 9
    assert store.verify(made.folder) == []
    assert list(store.all()) == [made]


def test_numbers_as_keys_of_counts_survive(store: ArtefactStore) -> None:
    with store.draft("kind", "r1") as draft:
        draft.counts |= {"by_length": {9: 1, 10: 2}}
        made = publish(store, draft)
    assert store.find("kind", "r1") == made


def test_content_is_named_by_files_alone(store: ArtefactStore) -> None:
    assert make(store, "r1").manifest.content == make(store, "r2").manifest.content
    assert make(store, "r3", a="other").manifest.content != make(store, "r4").manifest.content


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "t"},
        {"version": 2},
        {"settings": {"a": 2}},
        {"inputs": {"i": {"content": "d"}}},
        {"fingerprints": {"f": "x"}},
    ],
)
def test_recipe_hash_tells_every_difference(change: dict[str, Any]) -> None:
    base: dict[str, Any] = {
        "stage": "s",
        "version": 1,
        "settings": {"a": 1, "b": 2},
        "inputs": {"i": {"content": "c", "recipe": "r"}},
        "fingerprints": {"f": "w"},
    }
    assert recipe_hash(**base) == recipe_hash(**{**base, "settings": {"b": 2, "a": 1}})
    assert recipe_hash(**base) == recipe_hash(**{**base, "inputs": {"i": {"content": "c", "recipe": "another way"}}})
    assert recipe_hash(**base) != recipe_hash(**{**base, **change})


def test_a_build_that_fails_publishes_nothing_and_keeps_its_parts(store: ArtefactStore) -> None:
    with pytest.raises(ValueError), store.draft("kind", "r1") as draft:
        (draft.folder / "part").write_text("done")
        raise ValueError
    assert store.folders() == []
    with store.draft("kind", "r1") as draft:
        assert (draft.folder / "part").read_text() == "done"


def test_scratch_and_an_old_manifest_are_no_content(store: ArtefactStore) -> None:
    """What a kill leaves behind must not change what is published later."""
    clean = make(store, "r1")
    with pytest.raises(ValueError), store.draft("kind", "r2") as draft:
        (draft.folder / MANIFEST).write_text("{}")
        (draft.folder / f".{MANIFEST}.123.tmp").write_text("{")
        (draft.folder / "deep").mkdir()
        (draft.folder / "deep" / ".b.tmp").write_text("half")
        (draft.folder / ".work").mkdir()
        (draft.folder / ".work" / "x").write_text("x")
        raise ValueError
    made = make(store, "r2")
    assert made.manifest.content == clean.manifest.content
    assert store.verify(made.folder) == []


def test_one_recipe_is_made_by_one_at_a_time(store: ArtefactStore) -> None:
    with store.draft("kind", "r1"):
        with pytest.raises(ArtefactError, match="another process is making kind/r1"), store.draft("kind", "r1"):
            pass
        with store.draft("kind", "r2"):
            pass


@contextmanager
def builder_elsewhere(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that sits in a draft."""
    code = (
        "import sys, time, pathlib\nfrom mdr.storage.artefacts import ArtefactStore\n"
        f"with ArtefactStore(pathlib.Path({str(root)!r})).draft('kind', 'r1') as draft:\n"
        "    (draft.folder / 'part').write_text('x')\n    print('in', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        try:
            yield process
        finally:
            process.kill()


def test_another_process_keeps_its_draft_until_it_dies(store: ArtefactStore) -> None:
    with builder_elsewhere(store.root) as other:
        with pytest.raises(ArtefactError, match="another process is making"), store.draft("kind", "r1"):
            pass
        assert store.garbage() == []
        assert store.remove([store.root / "kind" / ".r1.building"]) == []
        other.kill()
        other.wait()
        assert store.garbage() == [store.root / "kind" / ".r1.building"]
        with store.draft("kind", "r1") as draft:
            assert (draft.folder / "part").exists()


# -- verify ---------------------------------------------------------------------------------------------------


def test_any_flipped_byte_is_noticed(store: ArtefactStore) -> None:
    """Every byte of every file, the manifest's own included."""
    made = make(store)
    for path in [path for path in made.folder.rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        for position in range(0, len(whole), 1 if len(whole) < 50 else 23):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
            assert store.verify(made.folder), f"{path.name}, byte {position}"
        path.write_bytes(whole)
    assert store.verify(made.folder) == []


def test_missing_added_and_cut_files_are_named(store: ArtefactStore) -> None:
    made = make(store)
    (made.folder / "a").unlink()
    (made.folder / "deep" / "c").write_text("new")
    (made.folder / "deep" / "b").write_text("be")
    assert store.verify(made.folder) == [
        "kind/r1: a is missing",
        "kind/r1: deep/c was added later",
        "kind/r1: deep/b changed (4 to 2 bytes)",
    ]


def test_a_missing_or_moved_manifest_is_named(store: ArtefactStore) -> None:
    made = make(store)
    shutil.copytree(made.folder, made.folder.with_name("r2"))
    assert "is not as mdr wrote it" in store.verify(made.folder.with_name("r2"))[0]
    (made.folder / MANIFEST).unlink()
    assert store.verify(made.folder) == [f"kind/r1: {MANIFEST} is missing"]
    assert store.find("kind", "r1") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"kind": 1}', "null", "\x00"])
def test_a_broken_manifest_is_an_error_that_says_what_to_do(store: ArtefactStore, text: str) -> None:
    made = make(store)
    (made.folder / MANIFEST).write_text(text)
    with pytest.raises(ArtefactError) as caught:
        store.find("kind", "r1")
    assert "delete the folder" in caught.value.remedy


def test_a_lost_input_is_named(store: ArtefactStore) -> None:
    first = make(store, "r1")
    second = make(store, "r2", {"slot": first.reference()})
    shutil.rmtree(first.folder)
    assert store.verify(second.folder) == ["kind/r2: input slot (kind/r1) is gone"]


def test_a_damaged_folder_is_replaced(store: ArtefactStore) -> None:
    made = make(store)
    (made.folder / MANIFEST).unlink()
    assert make(store, a="new").manifest.files.keys() == {"a"}
    assert store.verify(made.folder) == []


# -- a disk that refuses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("function", ["fsync", "replace", "rename"])
def test_a_refusing_disk_publishes_nothing(
    store: ArtefactStore, monkeypatch: pytest.MonkeyPatch, function: str, code: int
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(files.os, function, refuse)
        with pytest.raises(StorageError) as caught:
            make(store)
    assert os.strerror(code) in caught.value.problem
    assert caught.value.remedy
    assert store.folders() == []
    assert store.verify(make(store).folder) == []


def test_a_full_disk_inside_a_stage_is_told_the_same_way(store: ArtefactStore) -> None:
    with pytest.raises(StorageError, match="No space left"), store.draft("kind", "r1"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_other_system_errors_are_left_as_they_are(store: ArtefactStore) -> None:
    with pytest.raises(FileNotFoundError), store.draft("kind", "r1") as draft:
        (draft.folder / "none").read_text()


def test_json_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        files.write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["x.json"]


def test_seconds_are_those_of_the_build(store: ArtefactStore) -> None:
    with store.draft("kind", "r1") as draft:
        time.sleep(0.01)
        assert 0.01 <= publish(store, draft).manifest.seconds < 10
