"""The rule that keeps the project readable: imports go downward only, and heavy things load when they are needed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mdr.settings import ROOT

LAYERS = {
    0: ("mdr", "mdr.types", "mdr.errors", "mdr.settings", "mdr.ports"),
    1: ("mdr.core",),
    2: ("mdr.engines", "mdr.storage", "mdr.training"),
    3: ("mdr.stages", "mdr.formats"),
    4: ("mdr.pipeline", "mdr.recipes", "mdr.services"),
    5: ("mdr.engine_room", "mdr.workbench"),
    6: ("mdr.ui", "mdr.cli", "mdr.__main__", "app"),
}
FILES = sorted(path.relative_to(ROOT).as_posix() for path in [*(ROOT / "mdr").rglob("*.py"), *ROOT.glob("app.py")])
TESTS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py") if path.stat().st_size)
LONGEST = 300


def module_of(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def layer_of(module: str) -> int:
    """The layer of the longest prefix that names one; `mdr` itself counts only as itself."""
    for layer, names in LAYERS.items():
        if any(module == name or (name != "mdr" and module.startswith(f"{name}.")) for name in names):
            return layer
    raise AssertionError(f"{module} belongs to no layer: put it into one")


def imports_of(file: str) -> Iterator[tuple[int, str]]:
    """Line and module of every import of a file, those inside functions too."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}:{node.lineno}: write imports in full"
            module = node.module or ""
            parts = [f"{module}.{alias.name}" for alias in node.names]
            yield from ((node.lineno, part if is_module(part) else module) for part in parts)


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_the_rule_sees_what_it_should() -> None:
    """The reading of imports itself, on a file that has them at the top, inside functions and of submodules."""
    found = {name for _, name in imports_of("mdr/workbench.py")}
    expected = {"mdr.pipeline", "mdr.recipes.baselines", "mdr.engine_room", "mdr.services.search.service", "pathlib"}
    assert expected <= found
    assert [layer_of(name) for name in ("mdr", "mdr.core.fusion", "mdr.cli.desk", "app")] == [0, 1, 6, 6]
    with pytest.raises(AssertionError, match="belongs to no layer"):
        layer_of("mdr.elsewhere")


@pytest.mark.parametrize("file", FILES)
def test_imports_go_downward(file: str) -> None:
    own = layer_of(module_of(file))
    upward = [
        f"{file}:{line} imports {name}"
        for line, name in imports_of(file)
        if (name == "app" or name.split(".")[0] == "mdr") and layer_of(name) > own
    ]
    assert upward == []


@pytest.mark.parametrize("file", FILES)
def test_only_the_judgement_store_knows_duckdb(file: str) -> None:
    found = [name for _, name in imports_of(file) if name.split(".")[0] == "duckdb"]
    assert not found or file == "mdr/storage/judgements.py"


@pytest.mark.parametrize("file", FILES)
def test_core_is_pure(file: str) -> None:
    """Layers 0 and 1 know no model, no disk format, no server."""
    if layer_of(module_of(file)) < 2:
        heavy = {"torch", "transformers", "faiss", "jnius", "gradio", "duckdb", "pyarrow", "datasets", "pandas"}
        assert {name.split(".")[0] for _, name in imports_of(file)} & heavy == set()


@pytest.mark.parametrize("file", FILES)
def test_only_edges_talk(file: str) -> None:
    """Below the command line and the app, progress is events: no print, no bars, no log."""
    if layer_of(module_of(file)) < 6:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        printed = [
            node.lineno
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        ]
        assert printed == []
        assert {name.split(".")[0] for _, name in imports_of(file)} & {"tqdm", "logging", "rich", "typer"} == set()


@pytest.mark.parametrize("file", [*FILES, *TESTS])
def test_modules_are_short_and_say_what_they_are_for(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("module", ["mdr.cli", "mdr.workbench", "mdr.pipeline", "mdr.services.search.service"])
def test_nothing_heavy_loads_before_it_is_needed(module: str) -> None:
    heavy = ("torch", "transformers", "sentence_transformers", "faiss", "jnius", "pyserini", "gradio", "duckdb")
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & set({heavy!r})))"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=Path(ROOT),
    )
    assert loaded.stdout.split() == []
