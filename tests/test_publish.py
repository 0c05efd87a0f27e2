"""A model leaves whole, with nothing beside it, to the place that was named; or not at all, and says why."""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.errors import OfflineModeIsEnabled
from model_push import FILES, REPO, TOKEN, Hub, hub, model
from streams import ended

from mdr.errors import InputError, MdrError, MismatchError, MissingError, ModelError, UnavailableError
from mdr.services.hub import publish
from mdr.types import Event

__all__ = ["hub", "model"]  # fixtures


def run(folder: Path, repo: str = REPO, **options: Any) -> tuple[list[Event], publish.Pushed]:
    pushed, events = ended(publish.push(folder, repo, **options))
    return events, pushed


def test_a_dry_run_says_what_would_go_and_reaches_nobody(model: Path, hub: type[Hub]) -> None:
    events, pushed = run(model, dry_run=True)
    assert [file.name for file in pushed.files] == FILES
    for file in pushed.files:
        content = (model / file.name).read_bytes()
        assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (pushed.repo, pushed.url) == (REPO, "")
    assert [event.kind for event in events] == ["started", *["progress"] * len(FILES), "finished"]
    assert not hub.tokens


@pytest.mark.parametrize("private", [True, False])
def test_what_was_said_is_uploaded(private: bool, model: Path, hub: type[Hub]) -> None:
    (model / "manifest.json").write_text("{}")  # of the artefact store: about this machine
    (model / "a[b]*.txt").write_text("a name that is a pattern")
    _, said = run(model, private=private, dry_run=True)
    events, pushed = run(model, private=private)
    assert hub.made == [(REPO, private)]
    assert hub.uploaded == {file.name: file.sha256 for file in said.files} == {f.name: f.sha256 for f in pushed.files}
    assert sorted(hub.uploaded) == sorted([*FILES, "a[b]*.txt"])
    assert pushed.url == f"https://hub.example/{REPO}/commit/1"
    assert hub.tokens == [TOKEN]
    assert TOKEN not in repr((events, pushed))


def test_private_is_not_uploaded_to_a_public_place(model: Path, hub: type[Hub]) -> None:
    hub.public = True
    with pytest.raises(MismatchError, match="there already, and public"):
        run(model, private=True)
    assert not hub.uploaded


def test_a_missing_card_is_told(model: Path, hub: type[Hub]) -> None:
    (model / "README.md").unlink()
    events, _ = run(model, dry_run=True)
    assert ["README.md" in event.message for event in events if event.kind == "warning"] == [True]


def a_link(folder: Path) -> None:
    (folder / "secret.json").symlink_to(folder.parent)
    (folder / "other.json").symlink_to(folder / "modules.json")


def a_folder_elsewhere(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir()
    (folder.parent / "elsewhere" / "x.json").write_text("{}")
    (folder / "more").symlink_to(folder.parent / "elsewhere")


def towers_without_one(folder: Path) -> None:
    (folder / "mdr.json").write_text('{"query": "query", "passage": "passage"}')


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "pickle": (lambda folder: (folder / "model.bin").write_bytes(b"\x80"), r"no part of a model: model\.bin"),
    "code": (lambda folder: (folder / "modeling.py").write_text(""), r"no part of a model: modeling\.py"),
    "hidden": (lambda folder: (folder / ".env.json").write_text("{}"), r"no part of a model: \.env\.json"),
    "link": (a_link, r"no part of a model: other\.json, secret\.json"),
    "linked folder": (a_folder_elsewhere, "no part of a model: more"),
    "pickle in disguise": (lambda folder: (folder / "x.json").write_bytes(b"\x80\x04K\x01."), "json cannot be read"),
    "weights in disguise": (lambda folder: (folder / "x.safetensors").write_bytes(b"\x80\x04K"), "cannot be read"),
    "cut short": (lambda folder: cut(folder / "model.safetensors"), r"model\.safetensors cannot be read"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "has no weights"),
    "no modules": (lambda folder: (folder / "modules.json").unlink(), "not a model folder"),
    "wrong modules": (lambda folder: (folder / "modules.json").write_text("[]"), "names no module"),
    "empty": (lambda folder: (shutil.rmtree(folder), folder.mkdir()), "not a model folder"),
    "not there": (shutil.rmtree, "there is no model folder"),
    "a tower missing": (towers_without_one, "not a model folder"),
}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize("name", BROKEN)
def test_only_whole_models_leave(name: str, model: Path, hub: type[Hub]) -> None:
    spoil, said = BROKEN[name]
    spoil(model)
    with pytest.raises(ModelError, match=said):
        run(model)
    assert not hub.tokens


def test_many_strange_files_are_counted(model: Path) -> None:
    for number in range(8):
        (model / f"{number}.pkl").write_bytes(b"")
    with pytest.raises(ModelError, match=r"0\.pkl, 1\.pkl, 2\.pkl, 3\.pkl, 4\.pkl and 3 more"):
        run(model, dry_run=True)


def test_generators_leave_too(tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "generator"
    folder.mkdir()
    shutil.copy(model / "model.safetensors", folder)
    (folder / "config.json").write_text("{}")
    settings = {"prompt": "Ask about {passage} in {language}.", "target": "{query}"}
    (folder / "mdr.json").write_text(json.dumps(settings))
    _, pushed = run(folder, dry_run=True)
    assert [file.name for file in pushed.files] == ["config.json", "mdr.json", "model.safetensors"]
    (folder / "mdr.json").write_text('{"nonsense": 1}')
    with pytest.raises(ModelError, match="unknown option"):
        run(folder, dry_run=True)


@pytest.mark.parametrize(
    "repo", ["", "tiny", "a/b/c", "a b/c", "../x", "someone/", "/x", "a/" + "x" * 200, "a/b\n", "a/\ud800", "a/--b"]
)
def test_bad_names_are_refused(repo: str, model: Path, hub: type[Hub]) -> None:
    with pytest.raises(InputError, match="no name on the hub"):
        run(model, repo)
    assert not hub.tokens


def test_the_stand_in_speaks_as_the_real_one() -> None:
    for name in ("create_repo", "model_info", "upload_folder"):
        real = inspect.signature(getattr(huggingface_hub.HfApi, name)).parameters
        assert set(inspect.signature(getattr(Hub, name)).parameters) <= set(real)


class Answered(Exception):
    """As the hub's library raises it: with the answer that it got."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status} for the request\nand a long page")
        self.response = SimpleNamespace(status_code=status)


REFUSALS: list[tuple[Exception, type[MdrError], str]] = [
    (Answered(400), InputError, "refuses what is to be uploaded"),
    (Answered(401), InputError, "does not accept the token"),
    (Answered(403), InputError, f"may not write to {REPO}"),
    (Answered(404), MissingError, f"does not know {REPO}"),
    (Answered(503), UnavailableError, "503 for the request"),
    (ValueError("Invalid metadata in README.md."), InputError, "Invalid metadata"),
    (OfflineModeIsEnabled("offline mode is enabled"), UnavailableError, "offline mode is enabled"),
    (ConnectionError("no route"), UnavailableError, "no route"),
]


@pytest.mark.parametrize(("refusal", "kind", "said"), REFUSALS, ids=lambda value: str(value)[:20])
def test_refusals_are_told(refusal: Exception, kind: type[MdrError], said: str, model: Path, hub: type[Hub]) -> None:
    hub.refusal = refusal
    with pytest.raises(kind, match=said) as told:
        run(model)
    assert told.value.remedy
    assert "\n" not in told.value.problem
    assert TOKEN not in str(told.value)


def test_real_answers_carry_their_status() -> None:
    """The hub's own error, so that the stand-in above stays true."""
    answer: Any = SimpleNamespace(status_code=403, headers={}, request=None)
    error = huggingface_hub.errors.HfHubHTTPError("no", response=answer)
    with pytest.raises(InputError, match="may not write"), publish.reaching(REPO):
        raise error


def test_without_a_token_nothing_is_tried(model: Path, hub: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(InputError, match="no token"):
        run(model)
    assert not hub.tokens
