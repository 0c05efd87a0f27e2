"""An evaluation on disk: `summary.json`, `scores.parquet` with a row per query, system and measure, and `runs/`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from mdr.core.summary import Asked
from mdr.errors import MissingError
from mdr.storage.files import disk_errors, read_json, write_json

SUMMARY, SCORES, RUNS = "summary.json", "scores.parquet", "runs"

_text = pa.string()
_NAMES = ("query", "lang", "family", "system", "measure")
_SCHEMA = pa.schema([*((name, _text) for name in _NAMES), ("value", pa.float64())])


def write_evaluation(
    folder: Path,
    summary: Mapping[str, Any],
    values: Mapping[str, Mapping[str, Mapping[str, float]]],
    asked: Mapping[str, Asked],
) -> None:
    """`values` by system, measure and query."""
    rows = [
        (query, *asked[query], system, measure, value)
        for system, measures in values.items()
        for measure, its in measures.items()
        for query, value in its.items()
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA)
    table = pa.table(
        [pa.array(column, type=field.type) for column, field in zip(columns, _SCHEMA, strict=True)], _SCHEMA
    )
    with disk_errors(folder / SCORES):
        parquet.write_table(table, folder / SCORES)
    write_json(folder / SUMMARY, summary)


class Evaluation:
    """What `write_evaluation` wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def summary(self) -> Mapping[str, Any]:
        """Averages, intervals, comparisons, bias, alpha, and what was left out."""
        return read_json(self.folder / SUMMARY)

    @property
    def systems(self) -> list[str]:
        """Names of the systems, the baseline first."""
        return list(self.summary["systems"])

    @property
    def measures(self) -> list[str]:
        """Names of the measures, in the order they were asked for."""
        return list(self.summary["settings"]["measures"])

    def run_file(self, system: str) -> Path:
        """The TREC run of a system."""
        return self.folder / RUNS / f"{self._known(system, self.systems, 'system')}.trec"

    def values(self, system: str, measure: str) -> dict[str, float]:
        """Value by query."""
        self._known(system, self.systems, "system")
        self._known(measure, self.measures, "measure")
        return self._values[system, measure]

    @cached_property
    def asked(self) -> dict[str, Asked]:
        """Language and family by query."""
        rows = self._scores.select(["query", "lang", "family"]).to_pydict()
        return {query: Asked(lang, family) for query, lang, family in zip(*rows.values(), strict=True)}

    @cached_property
    def _scores(self) -> pa.Table:
        return parquet.read_table(self.folder / SCORES)

    @cached_property
    def _values(self) -> dict[tuple[str, str], dict[str, float]]:
        values: dict[tuple[str, str], dict[str, float]] = {}
        columns = self._scores.to_pydict()
        for query, system, measure, value in zip(
            columns["query"], columns["system"], columns["measure"], columns["value"], strict=True
        ):
            values.setdefault((system, measure), {})[query] = value
        return values

    def _known(self, name: str, names: list[str], what: str) -> str:
        if name not in names:
            raise MissingError(f"the evaluation has no {what} {name!r}", f"it has {', '.join(names)}")
        return name
