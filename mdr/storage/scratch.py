"""Lines kept while a stage works, so that a killed run finds what it had. Not part of what is published."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mdr.storage.files import disk_errors


class Scratch:
    """A file of JSON lines in a draft's folder. A line that a kill left half-written is cut off."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f".{name}.jsonl"  # with a leading dot: swept away when the draft is published

    def read(self) -> list[Any]:
        """What earlier tries wrote."""
        if not self._path.exists():
            return []
        with disk_errors(self._path), self._path.open("rb+") as stream:
            found, whole = [], 0
            for line in stream:
                try:
                    found.append(json.loads(line))
                except ValueError:
                    break
                if not line.endswith(b"\n"):
                    found.pop()
                    break
                whole += len(line)
            stream.truncate(whole)
        return found

    def append(self, records: Iterable[Any]) -> None:
        """Write records where a kill of this process does not reach them."""
        with disk_errors(self._path), self._path.open("a", encoding="ascii") as stream:
            stream.write("".join(f"{json.dumps(record)}\n" for record in records))
