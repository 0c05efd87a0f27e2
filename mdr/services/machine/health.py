"""Whether the server can do its work: judgements are kept, the collection is searched, the encoder reads."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mdr.errors import MdrError
from mdr.services.judging.service import JudgingService
from mdr.services.search.service import SearchService
from mdr.storage.files import disk_errors

_FRESH = 5.0
"""Seconds that an answer is good for: asking often costs no more."""
_BLOCK = b"." * 4096
_WORD = "water"


class Health:
    """Of the parts behind one collection."""

    def __init__(
        self, home: Path, searcher: Callable[[], SearchService], judging: Callable[[], JudgingService]
    ) -> None:
        self._home, self._searcher, self._judging = home, searcher, judging
        self._lock = threading.Lock()
        self._known: Mapping[str, str] = {}
        self._until = 0.0

    def troubles(self) -> Mapping[str, str]:
        """What each part that does not work says; empty: all do."""
        with self._lock:
            if time.monotonic() > self._until:
                parts: Mapping[str, Callable[[], Any]] = {
                    "judgements": self.judgements,
                    "disk": self._write,
                    "encoder": lambda: self._searcher().dense.encoder.encode([_WORD], "query"),
                    "collection": lambda: self._searcher().search(_WORD, k=1),
                }
                self._known = {part: said for part, check in parts.items() if (said := _trouble(check))}
                self._until = time.monotonic() + _FRESH
            return self._known

    def judgements(self) -> int:
        """How many events the judgement file holds."""
        return self._judging().store.count()

    def _write(self) -> None:
        """As a grade is: to where it would be, and onto the disk."""
        with disk_errors(self._home), tempfile.TemporaryFile(dir=self._home) as file:
            file.write(_BLOCK)
            file.flush()
            os.fsync(file.fileno())


def _trouble(check: Callable[[], Any]) -> str:
    try:
        check()
    except MdrError as error:
        return f"{error.problem}; {error.remedy}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
