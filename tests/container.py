"""Carries the Dockerfile out where no container engine runs, and asks what came of it how it is.

    python tests/container.py [--folder FOLDER] [--build-arg NAME=VALUE]… [--share PATH]… [--keep]

Every stage gets a root folder of its own: Debian as `debootstrap` lays it down, with its own Python in the place of the
base image's. In it every RUN runs as it stands (`chroot`), every COPY brings what `.dockerignore` lets through, and the
end is started as CMD, USER and ENV say, until the HEALTHCHECK holds. Then: it is ready, it is not root, it changes
nothing but its volume, there is no compiler, and it ends when it is told to.

What this leaves open: the base image itself, its Python and its updates; that images are put together layer by layer;
limits and networks of an engine. Wants root on Linux, `apt-get install debootstrap`, and 12 GB. `--share` lets steps
read a file or folder of this machine at the same place, wheels for instance; `--keep` leaves the folder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from container_file import Context, Instruction, Stage, exec_form, filled, pairs_of, stages_of

ROOT = Path(__file__).resolve().parent.parent
MIRROR = "http://deb.debian.org/debian"
PLAIN = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin", "LANG": "C.UTF-8"}
HANDED = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT", "REQUESTS_CA")
"""What of this machine's environment steps get, as engines hand on proxies."""
NO_TOOLS = ("gcc", "cc", "make", "g++")


def say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


class Box:
    """A root folder with what is set in it."""

    def __init__(self, folder: Path, shared: Sequence[Path]) -> None:
        self.folder = folder
        self.values: dict[str, str] = dict(PLAIN)
        self.arguments: dict[str, str] = {}
        self.place, self.user = "/", ""
        for kind, where in (("proc", "proc"), ("tmpfs", "dev/shm")):
            self.inside(f"/{where}").mkdir(parents=True, exist_ok=True)
            _ran("mount", "-t", kind, kind, str(self.inside(f"/{where}")))
        for name in ("resolv.conf", "hosts"):  # as engines do
            shutil.copy(f"/etc/{name}", self.inside(f"/etc/{name}"))
        for path in shared:
            self._share(path)

    def inside(self, path: str) -> Path:
        """A place in here, seen from outside."""
        return self.folder / path.lstrip("/")

    def command(self, words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        """What runs words in here."""
        user = [f"--userspec={self.user}:{self.user}"] if self.user else []
        home = {"HOME": "/home/mdr" if self.user else "/root"}
        handed = {name: value for name, value in os.environ.items() if name.startswith(HANDED)}
        shell = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', self.place, *words]
        environment = {**handed, **home, **self.arguments, **self.values}
        return ["chroot", *user, str(self.folder), *shell], {"env": environment}

    def run(self, words: Sequence[str], **how: Any) -> subprocess.CompletedProcess[str]:
        """Words, to their end."""
        command, usual = self.command(words)
        return subprocess.run(command, text=True, check=False, **{**usual, **how})

    def _share(self, path: Path) -> None:
        there = self.inside(str(path))
        if path.is_dir():
            there.mkdir(parents=True, exist_ok=True)
        else:
            there.parent.mkdir(parents=True, exist_ok=True)
            there.touch()
        _ran("mount", "--bind", "-o", "ro", str(path), str(there))


class Build:
    """All stages, one after the other."""

    def __init__(self, folder: Path, arguments: Mapping[str, str], shared: Sequence[Path]) -> None:
        self._folder, self._given, self._shared = folder, arguments, shared
        self._context = Context(ROOT)
        self._made: dict[str, Box] = {}

    def carry_out(self, stages: Sequence[Stage]) -> Box:
        """The last one's box."""
        for number, stage in enumerate(stages):
            box = Box(self._begin(stage.base, f"stage-{number}"), self._shared)
            self._made[stage.name or str(number)] = box
            for step in stage.instructions:
                say(f"  {step.word} {step.rest[:100]}")
                getattr(self, f"_{step.word.lower()}", self._nothing)(box, step)
        return box

    def _begin(self, image: str, name: str) -> Path:
        """Debian of the base image's release, with the same Python."""
        version, _, release = image.removeprefix("python:").replace("-slim", "").partition("-")
        base = self._folder / release
        if not base.is_dir():
            say(f"debootstrap {release}")
            include = "--include=ca-certificates,python3,python3-venv,python3-dev"
            _ran("debootstrap", "--variant=minbase", include, release, str(base), MIRROR)
            (base / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        python = _ran("chroot", str(base), "python3", "--version").split()[1]
        assert python.split(".")[:2] == version.split(".")[:2], f"{image} has another Python than {python}"
        _ran("cp", "--archive", "--reflink=auto", str(base), str(self._folder / name))
        return self._folder / name

    def _run(self, box: Box, step: Instruction) -> None:
        began = time.monotonic()
        ran = box.run(["/bin/sh", "-c", step.rest], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if ran.returncode:
            raise SystemExit(f"line {step.line} ended with {ran.returncode}:\n{ran.stdout[-4000:]}")
        say(f"    {time.monotonic() - began:.0f} s")

    def _copy(self, box: Box, step: Instruction) -> None:
        *sources, there = step.rest.split()
        if sources[0].startswith("--from="):
            made = self._made[sources.pop(0).removeprefix("--from=")]
            _ran("cp", "--archive", str(made.inside(sources[0])), str(box.inside(there)))
            return
        target = box.inside(there if there.startswith("/") else f"{box.place}/{there}")
        for source in sources:
            files = self._context.files(source)
            assert files, f"line {step.line}: the build sees no {source}"
            for file in files:
                within = Path(file).relative_to(source) if (ROOT / source).is_dir() else Path(file).name
                (target / within).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, target / within)

    def _env(self, box: Box, step: Instruction) -> None:
        box.values |= {name: filled(value, box.values) for name, value in pairs_of(step.rest).items()}

    def _arg(self, box: Box, step: Instruction) -> None:
        name, _, usual = step.rest.partition("=")
        box.arguments[name] = self._given.get(name, usual)

    def _workdir(self, box: Box, step: Instruction) -> None:
        box.place = step.rest
        box.inside(step.rest).mkdir(parents=True, exist_ok=True)

    def _user(self, box: Box, step: Instruction) -> None:
        box.user = step.rest

    def _nothing(self, box: Box, step: Instruction) -> None:
        """Only says something of the image."""


def started(box: Box, stage: Stage) -> None:
    """The app as an engine would start it, and what must be true of it."""
    assert not [tool for tool in NO_TOOLS if not box.run(["which", tool], stdout=subprocess.DEVNULL).returncode]
    box.values["MDR_PORT"] = "7867"
    [check], [command] = stage.of("HEALTHCHECK"), stage.of("CMD")
    words, how = box.command(exec_form(command.rest))
    say(f"starting {exec_form(command.rest)} as {box.user}")
    began = time.monotonic()
    app = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how)
    try:
        while box.run(exec_form(check.rest), stderr=subprocess.DEVNULL).returncode:
            if app.poll() is not None or time.monotonic() - began > 600:
                app.kill()
                raise SystemExit(f"it did not come to live:\n{app.communicate()[0][-4000:]}")
            time.sleep(1)
        say(f"healthy after {time.monotonic() - began:.0f} s")
        _asked(box)
        assert f"Uid:\t{box.user}\t" in Path(f"/proc/{app.pid}/status").read_text(), "it is root"
        assert box.run(["touch", "/app/x"], stderr=subprocess.DEVNULL).returncode, "it may change its own code"
        assert box.inside("/data/judgements.duckdb").is_file(), "nothing is kept in the volume"
    finally:
        told = time.monotonic()
        app.send_signal(signal.SIGTERM)
        said, _ = app.communicate(timeout=60)
    say(f"ended with {app.returncode}, {time.monotonic() - told:.1f} s after it was told to")
    lines = [line for line in said.splitlines() if line.strip()]
    say(f"it said {len(lines)} lines, of which {sum(line.startswith('{') for line in lines)} are JSON; the last:")
    for line in lines[-3:]:
        say(f"  {line[:200]}")


def _asked(box: Box) -> None:
    """It is ready, searches in Arabic, and draws every script."""
    address = "http://127.0.0.1:7867"
    ready = f"import urllib.request as u; print(u.urlopen('{address}/readyz', timeout=60).read().decode())"
    say(box.run(["python", "-c", ready], stdout=subprocess.PIPE).stdout.strip())
    search = (
        "import json, urllib.request as u; "
        "body = json.dumps({'data': ['\u0646\u0647\u0631 \u0627\u0644\u0646\u064a\u0644', 'hybrid', 3, [], 0, '']}); "
        f"asked = u.Request('{address}/gradio_api/run/search', body.encode(), {{'content-type': 'application/json'}}); "
        "print([it['id'] for it in json.load(u.urlopen(asked, timeout=60))['data'][0]['found']])"
    )
    found = box.run(["python", "-c", search], stdout=subprocess.PIPE).stdout.strip()
    assert found.startswith("['"), "the search found nothing"
    say(f"a search found {found}")
    for lang in ("ar", "bn", "hi", "ja", "ko", "ta", "te", "th", "zh"):
        fonts = box.run(["fc-list", f":lang={lang}", "family"], stdout=subprocess.PIPE).stdout
        assert "Noto" in fonts, f"no font draws {lang}"


def _mounts(folder: Path) -> list[str]:
    """What is mounted in a folder, in order."""
    places = (line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines())
    return [place for place in places if Path(place).is_relative_to(folder.resolve())]


def _ran(*words: str) -> str:
    ran = subprocess.run(words, text=True, capture_output=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {ran.returncode}:\n{(ran.stdout + ran.stderr)[-4000:]}")
    return ran.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--build-arg", action="append", default=[])
    parser.add_argument("--share", action="append", type=Path, default=[])
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    if os.geteuid() or not shutil.which("debootstrap"):
        raise SystemExit("this wants root, and `apt-get install debootstrap`")
    if not os.environ.get("MDR_OWN_MOUNTS"):  # mounts of a namespace of our own go when we do
        os.environ["MDR_OWN_MOUNTS"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    folder = given.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    arguments = dict(value.split("=", 1) for value in given.build_arg)
    stages = stages_of((ROOT / "Dockerfile").read_text(encoding="utf-8"), arguments)
    try:
        started(Build(folder, arguments, given.share).carry_out(stages), stages[-1])
    finally:
        for place in reversed(_mounts(folder)):
            _ran("umount", place)
        if not given.keep and not _mounts(folder):
            shutil.rmtree(folder)
    say("the Dockerfile holds")


if __name__ == "__main__":
    main()
