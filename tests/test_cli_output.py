"""How the command line shows things: on every stream, to every reader, through Ctrl-C."""

from __future__ import annotations

import io
import json
import signal
import sys
import time
from pathlib import Path

import pytest
from command_line import process

from mdr.cli.output import Report, plain, size, table, visible, write
from mdr.settings import Settings
from mdr.types import Query


def test_plain_values() -> None:
    import numpy as np

    values = {1: float("nan"), "a": (np.float32(0.5), np.int64(3)), "q": Query("i", "fi", "t"), "p": Path("x")}
    assert plain(values) == {
        "1": None,
        "a": [0.5, 3],
        "q": {"id": "i", "lang": "fi", "text": "t"},
        "p": "x",
    }
    assert plain(True) is True
    with pytest.raises(TypeError):
        plain(object())


def test_text_that_would_steer_the_terminal_is_shown_harmless() -> None:
    assert visible("a\x1b[31mb\u202ec\nd\u200d") == "a [31mb c d\u200d"
    sizes = {0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_500_000: "1.5 MB", 10**13: "10.0 TB"}
    assert {count: size(count) for count in sizes} == sizes


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_everything_can_be_written_on_every_stream(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    """JSON that is still JSON, and tables whose missing characters are escaped."""
    said = "ไทย é \udcff \U0001f600"
    shown: list[str] = []
    for as_json in (True, False):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", stream)
        write(Report({"text": said}, [table([(said, 1)], "text", "count"), said]), as_json)
        shown.append(stream.buffer.getvalue().decode(encoding))  # type: ignore[attr-defined]
    assert json.loads(shown[0]) == {"text": said}
    assert ("ไทย" in shown[0]) == ("ไทย" in shown[1]) == (encoding == "utf-8")
    assert ("\\u0e44" in shown[1]) == (encoding != "utf-8")


@pytest.mark.slow
def test_a_search_survives_a_terminal_without_unicode(settings: Settings) -> None:
    out, errors = process(settings, "search", "แม่น้ำไนล์", "-k", "1", PYTHONIOENCODING="ascii").communicate()
    assert b"1. [th]" in out, errors
    assert b"Traceback" not in errors
    assert out.isascii()


def test_a_reader_that_goes_away_is_no_error(settings: Settings) -> None:
    command = process(settings, "status", "--json")
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()
    errors = command.stderr.read()
    command.stderr.close()
    assert command.wait(60) == 141
    assert errors == b""


def test_ctrl_c_says_that_it_can_go_on(settings: Settings, tmp_path: Path) -> None:
    """Stopped in the middle of an import that would take a while, then carried out."""
    big = tmp_path / "big"
    big.mkdir()
    lines = (json.dumps({"id": f"p{n}", "lang": "en", "title": "", "text": f"number {n}"}) for n in range(60_000))
    (big / "corpus.jsonl").write_text("\n".join(lines))
    command = process(settings, "import", "folder", str(big), "--json")
    drafts = settings.store / "collection"
    while command.poll() is None and not list(drafts.glob(".*.building/passages.arrow")):
        time.sleep(0.02)
    command.send_signal(signal.SIGINT)
    out, errors = command.communicate(timeout=60)
    assert command.returncode == 130
    assert out == b""
    assert errors.decode().splitlines()[-1].startswith("stopped. What is finished is kept")
    assert [folder for folder in drafts.iterdir() if not folder.name.startswith(".")] == []


def test_progress_is_plain_lines_without_a_terminal_and_off_stdout(settings: Settings, tiny: Path) -> None:
    out, errors = process(settings, "import", "folder", str(tiny), "--json").communicate()
    assert json.loads(out)["name"]
    lines = errors.decode().splitlines()
    assert lines[0].startswith("… collection: collection/")
    assert "\x1b" not in errors.decode()
