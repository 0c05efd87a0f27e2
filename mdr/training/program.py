"""What the programs have in common that train the shipped models: settings from a file, progress as lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from mdr.errors import MdrError
from mdr.types import Event

Chosen = TypeVar("Chosen", bound=BaseModel)


def chosen(path: Path | None, usual: type[Chosen]) -> Chosen:
    """Settings as a JSON file has them; without one, the usual ones."""
    return usual.model_validate_json(path.read_text()) if path else usual()


def tell(events: Iterable[Event], every: int) -> None:
    """A line for every event; of steps, for one in so many and the last. A problem ends the program in plain words."""
    started = time.monotonic()
    try:
        for event in events:
            if event.kind != "progress" or event.done % every == 0 or event.done == event.total:
                place = f" {event.done:,}/{event.total:,}" if event.total else ""
                sys.stdout.write(f"{time.monotonic() - started:6.0f} s{place} {event.message}\n")
                sys.stdout.flush()
    except MdrError as error:
        sys.exit(str(error))
