"""What the server says of itself: a line for each event, for people or as JSON, and never what somebody typed or owns.

A request leaves its id, class, status and milliseconds: no address, no query, no name, no cookie. Of an error, the kind
and the places in the code: its message may hold what somebody typed. The id goes to the browser as `x-request-id`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import sys
import threading
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from mdr.cli.output import visible
from mdr.settings import Settings
from mdr.types import Event

_log = logging.getLogger(__name__)


@dataclass
class Asked:
    """A request that is being answered. Every line about it carries its id; `refused`: the status that it deserves,
    where somebody who cannot set it knows."""

    id: str
    refused: int = 0


REQUEST: ContextVar[Asked | None] = ContextVar("request", default=None)
FIELDS = ("route", "method", "status", "ms", "url", "stage", "kind")
"""What a line may say beside its words."""
_GIVEN = re.compile(r"[0-9A-Za-z._-]{8,64}")
_LEVELS: Mapping[str, int] = {"problems": logging.WARNING, "plain": logging.INFO, "json": logging.INFO}
_FOREIGN = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")


def request_id(given: str) -> str:
    """Of a request: what a proxy has named it, if that is a name, or a new one."""
    return given if _GIVEN.fullmatch(given) else secrets.token_hex(8)


class Plain(logging.Formatter):
    """A line for people."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        said = [when, record.levelname.lower(), visible(record.getMessage())]
        said += [f"{name}={value}" for name, value in _extra(record).items()]
        return " ".join(said) + (f"\n{_places(record.exc_info)}" if record.exc_info else "")


class Json(logging.Formatter):
    """A line for machines."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "said": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["trouble"] = _places(record.exc_info)
        return json.dumps(line, default=str)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    found = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
    asked = REQUEST.get()
    return {"request": asked.id, **found} if asked else found


def _places(trouble: Any) -> str:
    """An error without its message, but for what the system said, and where it came up."""
    error = trouble[1] if isinstance(trouble, tuple) else sys.exc_info()[1]
    if error is None:
        return ""
    kind = type(error).__name__
    if isinstance(error, OSError) and error.errno:
        kind += f": {os.strerror(error.errno)}"
    frames = traceback.extract_tb(error.__traceback__)
    return "\n".join([kind, *(f"  {it.filename}:{it.lineno} in {it.name}" for it in frames)])


def set_up(settings: Settings) -> None:
    """From now on, for this process: every logger's lines on standard error, in one form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if settings.logs == "json" else Plain())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # of libraries
    logging.getLogger("mdr").setLevel(_LEVELS[settings.logs])
    logging.captureWarnings(settings.logs == "json")
    sys.excepthook = _uncaught
    threading.excepthook = lambda its: _uncaught(its.exc_type, its.exc_value, its.exc_traceback)


def tell(event: Event) -> None:
    """What a stage says while the server prepares itself."""
    if event.kind != "progress":
        level = logging.WARNING if event.kind == "warning" else logging.INFO
        _log.log(level, event.message or event.kind, extra={"stage": event.stage, "kind": event.kind})


def tell_address(url: str) -> None:
    """From now on the server answers."""
    _log.info("serving", extra={"url": url})


def adopt() -> None:
    """The web server's own loggers, which it sets up when it starts, say it our way too."""
    for name in _FOREIGN:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if error is None or isinstance(error, KeyboardInterrupt):
        return
    _log.error("an error that nothing caught", exc_info=(kind, error, trace))
