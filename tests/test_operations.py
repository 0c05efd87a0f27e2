"""The page for whoever runs the server says what the code does: every setting, every number it tells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from mdr.core.permissions import NOBODY
from mdr.settings import ROOT, Settings
from mdr.types import Passage, Query
from mdr.ui.door.admission import Admission
from mdr.ui.watching.metrics import Metrics
from mdr.workbench import SAMPLE
from tests.browser.stub import StubWorkbench

PAIR = (Query("", "en", "zebra"), Passage("h3", "ar", "", "zebra"))
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path):
        value = f"{value.relative_to(ROOT).as_posix()}/"
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`" if value != "" else ""


def test_every_setting_is_told_as_it_is() -> None:
    rows = [
        f"| `{field.validation_alias or f'MDR_{name.upper()}'}` | {field.description} | {shown(field.default)} |"
        for name, field in Settings.model_fields.items()
    ]
    told = re.findall(r"^\| `[A-Z_]+` \|.*\|$", PAGE, re.MULTILINE)
    assert told == rows, "the table of docs/operations.md should read:\n" + "\n".join(rows)


def test_every_number_is_told(tmp_path: Path) -> None:
    workbench = StubWorkbench(tmp_path)
    workbench.judging.acting(NOBODY._replace(name="visitor-1")).grade("visitor-1", SAMPLE, *PAIR, 2)
    workbench.snapshots.take()
    metrics = Metrics(workbench, workbench.health(), Admission())
    ours = {it.name for it in text_string_to_metric_families(metrics.text().decode()) if it.name.startswith("mdr_")}
    workbench.judging.store.close()
    told = {name.removesuffix("_total") for name in re.findall(r"`(mdr_\w+)", PAGE)}
    assert told == ours - {name for name in ours if name.endswith("_created")}


def test_what_it_leads_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGE):
        assert "://" in target or (ROOT / "docs" / target).exists(), target
