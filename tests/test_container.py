"""The Dockerfile by rules and by a linter. `tests/container.py` carries it out."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from container_file import Context, exec_form, filled, pairs_of, stages_of

from mdr.settings import ROOT

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STAGES = stages_of(TEXT, {})
LAST = STAGES[-1]
CONTEXT = Context(ROOT)


def test_the_linter_finds_nothing() -> None:
    linter = shutil.which("hadolint", path=f"{sysconfig.get_path('scripts')}:/usr/local/bin:/usr/bin")
    if linter is None:
        pytest.skip("no hadolint; requirements-dev.txt brings it")
    ran = subprocess.run([linter, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


def test_every_base_is_one_and_the_same_release() -> None:
    assert len(STAGES) == 2
    for stage in STAGES:
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm", stage.base)
    assert STAGES[0].base == LAST.base, "what was built for one Python runs on it"


def test_what_runs_is_nobody_special_and_finds_no_tools() -> None:
    words = [it.word for it in LAST.instructions]
    [user] = LAST.of("USER")
    assert user.rest == "1000" and words.index("USER") > max(words.index("COPY"), words.index("RUN"))
    installed = " ".join(it.rest for it in LAST.of("RUN"))
    assert not re.search(r"build-essential|gcc|pip install|git\b|curl|wget", installed)
    assert "build-essential" in " ".join(it.rest for it in STAGES[0].of("RUN"))
    assert "rm -rf /var/lib/apt/lists/*" in installed


def test_what_is_kept_is_in_the_volume() -> None:
    values = {name: value for it in LAST.of("ENV") for name, value in pairs_of(it.rest).items()}
    [volume] = LAST.of("VOLUME")
    assert values["MDR_HOME"] == volume.rest == "/data" and values["HF_HOME"].startswith("/data/")
    assert values["MDR_HOST"] == "0.0.0.0"


def test_it_says_how_it_is() -> None:
    [check], [command], [port] = LAST.of("HEALTHCHECK"), LAST.of("CMD"), LAST.of("EXPOSE")
    assert "/healthz" in exec_form(check.rest)[-1] and port.rest == "7860"
    assert exec_form(command.rest) == ["python", "app.py"]


def test_everything_that_is_copied_is_there_and_nothing_else() -> None:
    copied = [it.rest.split()[:-1] for it in LAST.of("COPY") if not it.rest.startswith("--from")]
    files = {path for sources in copied for source in sources for path in CONTEXT.files(source)}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "mdr").rglob("*.py")}
    assert modules | {"app.py", "data/sample/corpus.jsonl", "assets/theme.css"} <= files
    assert not [path for path in files if re.search(r"\.git/|__pycache__|tests/|\.env|duckdb|store/", path)]
    assert CONTEXT.files("requirements.txt") == ["requirements.txt"], "and for the stage before"


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("mdr/settings.py", True),
        ("mdr/__pycache__/settings.cpython-311.pyc", False),
        ("mdr/ui/__pycache__/x.pyc", False),
        ("data/sample/corpus.jsonl", True),
        ("data/judgements.duckdb", False),
        ("data/store/x/manifest.json", False),
        (".env", False),
        ("mdr/.env", False),
        (".git/config", False),
        ("tests/test_app.py", False),
        ("Dockerfile", False),
    ],
)
def test_what_a_build_sees(path: str, seen: bool) -> None:
    assert CONTEXT.seen(path) is seen


def test_files_of_this_form_are_read_as_docker_reads_them() -> None:
    text = "ARG A=1\n# note\nFROM x:${A} AS one\nRUN a \\\n  # note\n  && b\n\nFROM y\nENV P=q R=\"s\"\n"
    stages = stages_of(text, {"A": "2"})
    assert [(it.base, it.name) for it in stages] == [("x:2", "one"), ("y", "")]
    assert stages[0].instructions[0].rest == "a && b" and stages[0].instructions[0].line == 4
    assert pairs_of(stages[1].of("ENV")[0].rest) == {"P": "q", "R": "s"}
    assert filled("/opt/bin:$PATH${NONE}", {"PATH": "/bin"}) == "/opt/bin:/bin"
    with pytest.raises(AssertionError, match="line 2: ADD is not known"):
        stages_of("FROM x\nADD http://somewhere /\n", {})


def test_the_space_starts_what_is_here() -> None:
    """What the head of the README tells Spaces."""
    head = re.match(r"---\n(.*?)\n---\n", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert head
    said = dict(line.split(": ", 1) for line in head[1].splitlines() if not line.startswith((" ", "-")))
    assert said["sdk"] == "gradio" and said["app_file"] == "app.py" and said["hf_oauth"] == "true"
    required = re.search(r"^gradio\[mcp\]>=(\d+)\.(\d+),<(\d+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert required
    version = [int(part) for part in said["sdk_version"].split(".")]
    assert [int(required[1]), int(required[2])] <= version < [int(required[3])]
    assert said["python_version"].strip('"') in LAST.base and Path(ROOT / said["app_file"]).is_file()
