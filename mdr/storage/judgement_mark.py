"""How far a judgement file is known to have come: a small file beside it, so that a loss is noticed.

A database that finds the end of its log missing takes what is left for all there was. The mark says otherwise: it is
set after each commit and before it is acknowledged, so it never promises more than the file should have.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mdr.errors import StorageError


class Mark:
    """The last acknowledged sequence number of the judgement file at `path`; 0 where none was."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.name}.mark")
        self._handle = -1
        try:
            self.sequence = int(self.path.read_bytes() or 0) if self.path.exists() else 0
        except (OSError, ValueError) as error:
            raise StorageError(
                f"{self.path} cannot be read: {error}", f"if {path} is whole, delete {self.path.name} and open it again"
            ) from error

    def set(self, sequence: int) -> None:
        """One write in place, of fixed length. Where the disk refuses it, the guard is weaker; the commit stands."""
        if sequence > self.sequence:
            self.sequence = sequence
            with suppress(OSError):
                if self._handle < 0:
                    self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
                os.pwrite(self._handle, b"%020d\n" % sequence, 0)

    def close(self) -> None:
        """Let go of the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
