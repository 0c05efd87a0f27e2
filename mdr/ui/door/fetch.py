"""No address that a visitor names is fetched by the server.

Gradio takes a web address wherever a file may be given, and gets it, from public hosts, before any function of ours
runs. This app has no use for that: a server that gets what strangers name can be made to knock on others' doors.
"""

from __future__ import annotations

from typing import Any, NoReturn


def forbid_fetching() -> None:
    """From now on, for this process."""
    from gradio import processing_utils

    for name in ("async_ssrf_protected_download", "async_ssrf_protected_get"):
        assert hasattr(processing_utils, name)  # or a later Gradio gets files another way
        setattr(processing_utils, name, _refuse_later)
    for name in ("ssrf_protected_download", "save_url_to_cache"):
        assert hasattr(processing_utils, name)
        setattr(processing_utils, name, _refuse)


async def _refuse_later(*_: Any, **__: Any) -> NoReturn:
    _refuse()


def _refuse(*_: Any, **__: Any) -> NoReturn:
    from gradio import Error

    raise Error("files are uploaded here, not fetched from addresses")
