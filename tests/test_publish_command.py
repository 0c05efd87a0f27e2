"""Which model of a run is pushed, and the command that does it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from model_push import FILES, REPO, Hub, hub, model
from typer.testing import CliRunner

from mdr.cli import app
from mdr.errors import MissingError
from mdr.services.hub import publish
from mdr.settings import Settings
from mdr.storage.artefacts import ArtefactStore

__all__ = ["hub", "model"]  # fixtures


@pytest.fixture
def store(settings: Settings, model: Path) -> ArtefactStore:
    """Two runs, as a recipe leaves them: one with a model, one with two."""
    store = ArtefactStore(settings.store)
    keys = {}
    for name, kind in (("corpus", "collection"), ("first", "model"), ("second", "model")):
        with store.draft(kind, name) as draft:
            if kind == "model":
                shutil.copytree(model, draft.folder, dirs_exist_ok=True)
            else:
                (draft.folder / "passages.json").write_text("{}")
            made = store.publish(draft, stage=kind, version=1, settings={}, inputs={}, fingerprints={})
        keys[name] = made.key
    store.name_run("one", {name: keys[name] for name in ("corpus", "first")}, {})
    store.name_run("two", keys, {})
    return store


def test_a_run_names_its_model(store: ArtefactStore, model: Path) -> None:
    assert publish.model_of(store, "one").name == "first"
    assert publish.model_of(store, "two", "second").name == "second"
    assert publish.model_of(store, str(model)) == model
    for name, step, said in (
        ("two", "", "two has 2 models; models were made by: first, second"),
        ("two", "corpus", "step 'corpus' of two made no model"),
        ("three", "", "neither a folder nor a run; runs are one, two"),
    ):
        with pytest.raises(MissingError, match=said):
            publish.model_of(store, name, step)


def test_the_command(store: ArtefactStore, settings: Settings, hub: type[Hub]) -> None:
    def mdr(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["push", *arguments], env={"MDR_HOME": str(settings.home)})

    result = mdr("one", "--to", REPO, "--dry-run", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["uploaded"], told["pushed"]["repo"]) == (0, False, REPO)
    assert [file["name"] for file in told["pushed"]["files"]] == FILES
    assert not hub.tokens
    result = mdr("one", "--to", REPO, "--private")
    assert result.exit_code == 0
    assert f"went to https://hub.example/{REPO}/commit/1 (private)" in result.stdout
    assert sorted(hub.uploaded) == sorted(FILES)
    assert mdr("nothing", "--to", REPO).exit_code == 1
    assert mdr("one").exit_code == 2
