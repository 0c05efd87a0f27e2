"""Campaigns on disk: `<id>.json`, written once, and `<id>.closed` beside it while nothing may be judged.

The id ends with a digest of the content, and events carry it: stores of several places can be merged, and what two
campaigns of one name collected stays apart. Copying the file is all it takes to continue a campaign elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mdr.core.campaigns import Campaign, Item, Rules, named
from mdr.errors import InputError, MissingError, StorageError
from mdr.storage.files import digest, disk_errors, read_json, write_json
from mdr.types import Query

_ID = re.compile("[a-z0-9][a-z0-9-]{0,79}")
_FORMAT = 1


class CampaignFiles:
    """The campaigns of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, Campaign] = {}

    def add(self, campaign: Campaign) -> Campaign:
        """Keep a new one; gives it with its id."""
        data = _to_json(campaign)
        slug = re.sub("[^a-z0-9]+", "-", campaign.name.lower())[:40].strip("-") or "campaign"
        id = f"{slug}-{digest(data)[:10]}"
        if self._file(id).exists():
            raise InputError(f"this very campaign is there already: {id}", "change its name, rules or seed")
        write_json(self._file(id), data)
        return named(campaign, id)

    def get(self, id: str) -> Campaign:
        """The campaign with an id."""
        if id not in self._read:
            if not _ID.fullmatch(id) or not self._file(id).is_file():
                there = ", ".join(self.ids()) or "none"
                raise MissingError(f"there is no campaign {id!r}; there are: {there}", "`mdr campaign make` makes one")
            self._read[id] = _from_json(id, read_json(self._file(id)), self._file(id))
        return self._read[id]

    def ids(self) -> list[str]:
        """All of them."""
        return sorted(path.stem for path in self._folder.glob("*.json") if _ID.fullmatch(path.stem))

    def is_open(self, id: str) -> bool:
        """Whether it takes judgements."""
        return not self._closed(id).exists()

    def set_open(self, id: str, opened: bool) -> None:
        """Let it take judgements, or no more."""
        self.get(id)
        with disk_errors(self._closed(id)):
            if opened:
                self._closed(id).unlink(missing_ok=True)
            else:
                self._closed(id).touch()

    def _file(self, id: str) -> Path:
        return self._folder / f"{id}.json"

    def _closed(self, id: str) -> Path:
        return self._folder / f"{id}.closed"


def _to_json(campaign: Campaign) -> dict[str, Any]:
    data = {name: value for name, value in vars(campaign).items() if name != "id"}
    return data | {
        "format": _FORMAT,
        "langs": list(campaign.langs),
        "annotators": list(campaign.annotators),
        "runs": list(campaign.runs),
        "scale": {str(grade): label for grade, label in campaign.scale.items()},
        "rules": asdict(campaign.rules),
        "queries": [list(query) for query in campaign.queries.values()],
        "items": [list(item) for item in campaign.items],
        "fingerprints": dict(campaign.fingerprints),
    }


def _from_json(id: str, data: Mapping[str, Any], path: Path) -> Campaign:
    if data.get("format") != _FORMAT:
        raise StorageError(f"{path} was made by a newer mdr", "update mdr")
    try:
        queries = [Query(*row) for row in data["queries"]]
        made = {
            "scale": {int(grade): label for grade, label in data["scale"].items()},
            "rules": Rules(**data["rules"]),
            "queries": {query.id: query for query in queries},
            "items": [Item(*row) for row in data["items"]],
            **{name: tuple(data[name]) for name in ("langs", "annotators", "runs")},
        }
        return Campaign(id=id, **{key: value for key, value in data.items() if key != "format"} | made)
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{path} is no campaign: {error}", "restore it from a backup, or move it away") from error
