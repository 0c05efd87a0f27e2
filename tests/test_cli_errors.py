"""What the command line says of wrong usage, hostile arguments and everything else that goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import Mdr, mdr

from mdr.errors import InputError

__all__ = ["mdr"]  # fixtures


# -- errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("index", "none"), "no run or collection named 'none'"),
        (("status", "../etc"), "cannot be a name"),
        (("import", "nonsense", "."), "there is no format 'nonsense'"),
        (("import", "folder", "missing"), "missing"),
        (("import", "folder", ".", "--columns", "id"), "--columns 'id'"),
        (("run", "missing.toml"), "missing.toml"),
        (("search", "x", "--collection", "none"), "'none'"),
        (("export", "collection", "none", "folder", "x"), "'none'"),
        (("export", "evaluation", "none", "x"), "'none'"),
    ],
)
def test_a_problem_is_two_lines_and_code_1(mdr: Mdr, arguments: tuple[str, ...], told: str) -> None:
    result = mdr(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    problem, remedy = result.stderr.splitlines()
    assert problem.startswith("error: ")
    assert told in problem
    assert remedy.startswith("  try: ")
    error = mdr(*arguments, "--json").json["error"]
    assert told in error["problem"]
    assert error["remedy"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("",), "nothing to search for"),
        (("\x00\x1b[",), "nothing to search for"),
        (("\udcff",), "nothing to search for"),
        (("x" * 100_000,), "100,000 characters"),
        (("x", "-k", "0"), "0 results were asked for"),
        (("x", "-k", "999999999999"), "999999999999 results"),
        (("x", "--engine", "magic"), "no engine 'magic'"),
        (("x", "--lang", "zz"), "language 'zz' is not known"),
        (("x", "--lang", "ru"), "no passages in ru"),
    ],
)
def test_a_hostile_search_is_told_what_is_wrong(mdr: Mdr, options: tuple[str, ...], told: str) -> None:
    result = mdr("search", *options, "--json")
    assert result.exit_code == 1
    assert told in result.json["error"]["problem"]


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("search",), ("search", "x", "--k", "many"), ("search", "x", "--quota", "-1"), ("gc", "x")],
)
def test_wrong_usage_is_code_2(mdr: Mdr, arguments: tuple[str, ...]) -> None:
    result = mdr(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_debug_shows_where_it_happened(mdr: Mdr) -> None:
    assert "Traceback" in mdr("index", "none", "--debug").stderr
    assert "Traceback" not in mdr("index", "none").stderr


def test_what_nobody_foresaw_is_still_told_in_two_lines(mdr: Mdr, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("mdr.storage.names.RunNames.names", fail)
    result = mdr("status")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: ZeroDivisionError: oops",
        "  try: run it again with --debug and report what it shows",
    ]


def test_a_home_that_cannot_be_is_told(mdr: Mdr, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = mdr("import", "folder", str(tiny), "--home", str(tmp_path / "file"))
    assert result.exit_code == 1
    assert str(tmp_path / "file") in result.stderr
    assert "Not a directory" in result.stderr
    assert len(result.stderr.splitlines()) == 2


def test_a_wrong_setting_is_named(mdr: Mdr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MDR_PORT", "many")
    result = mdr("status")
    assert result.exit_code == 1
    assert "MDR_PORT is 'many'" in result.stderr


def test_every_command_has_the_common_options(mdr: Mdr) -> None:
    words = [
        *(("import",), ("index",), ("search",), ("evaluate",), ("run",), ("plan",), ("status",), ("verify",), ("gc",)),
        *(("demo",), ("doctor",), ("export", "collection"), ("export", "evaluation"), ("export", "judgements")),
    ]
    for command in words:
        help = mdr(*command, "--help")
        assert help.exit_code == 0
        assert all(option in help.stdout for option in ("--json", "--debug", "--home"))


# -- how it is shown ------------------------------------------------------------------------------------------


def test_errors_end_with_their_step() -> None:
    from mdr.cli.desk import _told

    error = InputError("bad", "mend it")
    error.add_note("in step 'a' (stage b)")
    assert _told(error) == ("bad (in step 'a' (stage b))", "mend it")
