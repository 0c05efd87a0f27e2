"""What every typed function for programs shares: its time, and how it says what stood in the way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from mdr.core.stopping import wanted
from mdr.errors import MdrError
from mdr.settings import Settings
from mdr.ui.parts.requests import status_of
from mdr.ui.watching.logs import REQUEST

_log = logging.getLogger(__name__)


@contextmanager
def answering(settings: Settings) -> Iterator[None]:
    """Within the seconds that a search may take: such calls may come from Gradio's queue, which sets no limit. Errors
    go to the caller only; their words may be the caller's own, and do not belong into a log."""
    try:
        with wanted(settings.search_seconds):
            yield
    except MdrError as error:
        if asked := REQUEST.get():
            asked.refused = status_of(error)
        raise gr.Error(str(error), print_exception=False) from error
    except gr.Error:
        raise
    except Exception as error:
        _log.exception("a call failed")
        raise gr.Error("this failed; the log of the server says more", print_exception=False) from error
