"""Trials of what may crash, each in a process of its own: a crash there ends the trial and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from mdr.errors import MdrError
from mdr.settings import ROOT

_PATIENCE = 120
"""Seconds until a trial counts as hanging."""


def trial(name: str) -> dict[str, Any]:
    """What a trial told, or {"failed": why} when it ended otherwise."""
    code = f"from mdr.services.machine import trials; trials.take_part({name!r})"
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    try:
        ended = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"it did not answer within {_PATIENCE} s"}
    try:
        told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return told
    except (IndexError, ValueError):
        last = [line for line in ended.stderr.splitlines() if line.strip()][-1:]
        return {"failed": f"the process ended with code {ended.returncode}" + "".join(f": {line}" for line in last)}


def take_part(name: str) -> None:
    """Carry a trial out and tell its result as the last line of standard output."""
    try:
        told = _TRIALS[name]()
    except MdrError as error:
        told = {"failed": error.problem, "remedy": error.remedy}
    sys.stdout.write(f"\n{json.dumps(told)}\n")


def _try_java() -> dict[str, Any]:
    from mdr.engines.jvm import java

    started = time.perf_counter()
    version = java("java.lang.System").getProperty("java.version")
    seconds = time.perf_counter() - started
    return {"version": version, "lucene": java("util.Version").LATEST.toString(), "seconds": seconds}


def _try_torch() -> dict[str, Any]:
    import faiss
    import torch

    from mdr.engines.probe import low_precision

    rows = torch.ones(512, 64)
    index = faiss.IndexFlatIP(64)
    index.add(rows.numpy())
    index.search((rows @ rows.T)[:, :64].contiguous().numpy(), 5)  # both thread pools in one process
    gpu = torch.cuda.get_device_properties(0) if torch.cuda.is_available() else None
    return {
        "precision": str(low_precision("cpu", 384) or torch.float32).removeprefix("torch."),
        "features": torch.backends.cpu.get_cpu_capability(),
        "gpu": {"name": gpu.name, "bytes": gpu.total_memory} if gpu else None,
        "cuda": torch.version.cuda,
    }


_TRIALS: dict[str, Callable[[], dict[str, Any]]] = {"java": _try_java, "torch": _try_torch}
