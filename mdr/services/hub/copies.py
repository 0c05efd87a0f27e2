"""Copies of judgements in a dataset repository of the model hub: one folder for each app that keeps them there.

A folder holds the newest snapshot and its checksum; earlier ones are in the repository's history. A copy never has less
than the one before it: what the folder has and the judgement file lacks is merged first. So an app whose disk was wiped
gets its judgements back, and two that were given one name by mistake lose nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from mdr.errors import InputError, MdrError, MismatchError
from mdr.services.hub.upload import check_repo, hub_token, reaching
from mdr.storage.files import read_json, write_json
from mdr.storage.judgement_files import checksum_of, read_snapshot, sum_of
from mdr.storage.judgements import JudgementStore

_FILE = "judgements.parquet"
_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


@dataclass(frozen=True)
class Copied:
    """How copying went last: what the hub has, since when, and why the last try failed."""

    repo: str
    checksum: str = ""
    at: str = ""
    problem: str = ""
    remedy: str = ""


class HubCopies:
    """Copies of one judgement file. `place`: its folder in the repository; `file`: where is kept how it went."""

    def __init__(self, repo: str, place: str, file: Path) -> None:
        check_repo(repo)
        if not _PLACE.fullmatch(place):
            remedy = "letters, digits, dots and dashes; set MDR_SNAPSHOT_PLACE"
            raise InputError(f"{place!r} cannot name a folder on the hub", remedy)
        self.repo, self.place, self._file = repo, place, file

    @property
    def last(self) -> Copied:
        """How it went last, in whichever process."""
        if not self._file.exists():
            return Copied(self.repo)
        try:
            found = Copied(**read_json(self._file))
        except (MdrError, TypeError):
            return Copied(self.repo)
        return found if found.repo == self.repo else Copied(self.repo)

    def copy(self, store: JudgementStore, newest: Callable[[], Path | None]) -> Copied:
        """Merge what only the hub has, then put the newest snapshot there if it is another one."""
        try:
            checksum = self._copy(store, newest)
        except MdrError as error:
            write_json(self._file, asdict(replace(self.last, problem=error.problem, remedy=error.remedy)))
            raise
        copied = Copied(self.repo, checksum, datetime.now(UTC).isoformat(timespec="seconds"))
        write_json(self._file, asdict(copied))
        return copied

    def _copy(self, store: JudgementStore, newest: Callable[[], Path | None]) -> str:
        from huggingface_hub import CommitOperationAdd, HfApi
        from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

        disable_progress_bars()
        token = hub_token()
        api = HfApi(token=token)
        with reaching(self.repo, token):
            head, files = self._repository(api)
            there = self._checksum(api, head) if self._path(f"{_FILE}.sha256") in files else ""
            if there and there != self.last.checksum and there not in _checksums(newest()):
                store.merge(self._events(api, head))
            snapshot = newest()
            if snapshot is None or there in _checksums(snapshot):
                return there
            api.create_commit(
                self.repo,
                [
                    CommitOperationAdd(self._path(_FILE), snapshot),
                    CommitOperationAdd(self._path(f"{_FILE}.sha256"), _renamed(snapshot)),
                ],
                commit_message=f"Judgements of {self.place}",
                repo_type="dataset",
                parent_commit=head or None,  # if somebody else was here meanwhile: refused, and tried again
            )
            return checksum_of(snapshot)

    def _repository(self, api: Any) -> tuple[str, set[str]]:
        """Its last commit and its files; made where there is none. Judgements carry names: they are not published."""
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            info = api.dataset_info(self.repo)
        except RepositoryNotFoundError:
            api.create_repo(self.repo, repo_type="dataset", private=True, exist_ok=True)
            info = api.dataset_info(self.repo)
        if not info.private:
            raise MismatchError(
                f"{self.repo} is public, and judgements say who judged", "make it private on the hub, or name another"
            )
        return str(info.sha or ""), {each.rfilename for each in info.siblings or ()}

    def _checksum(self, api: Any, head: str) -> str:
        with TemporaryDirectory() as folder:
            return checksum_of(self._fetched(api, head, folder, (f"{_FILE}.sha256",)))

    def _events(self, api: Any, head: str) -> pa.Table:
        with TemporaryDirectory() as folder:
            return read_snapshot(self._fetched(api, head, folder, (_FILE, f"{_FILE}.sha256")))

    def _fetched(self, api: Any, head: str, folder: str, names: tuple[str, ...]) -> Path:
        for name in names:
            api.hf_hub_download(
                self.repo, self._path(name), repo_type="dataset", revision=head or None, local_dir=folder
            )
        return Path(folder, self._path(_FILE))

    def _path(self, name: str) -> str:
        return f"{self.place}/{name}"


def _checksums(snapshot: Path | None) -> set[str]:
    return {checksum_of(snapshot)} if snapshot else set()


def _renamed(snapshot: Path) -> bytes:
    """The checksum as it reads beside the copy, which has no number: for `sha256sum -c` there."""
    return sum_of(snapshot).read_bytes().replace(snapshot.name.encode(), _FILE.encode())
