"""Writing Lucene indexes: one per language in `<folder>/<lang>/`, and what is needed to read them beside.

A passage's document number is its row: its place among the passages of its language. That is kept by adding them in
one thread and merging neighbours only. Progress is committed with the number of passages it holds, so a build that
was killed continues there. The text itself is not stored: the collection has it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mdr.engines.analysis import FIELD, Analyzer, analyzer_fingerprint
from mdr.engines.jvm import java, using
from mdr.errors import ArtefactError
from mdr.storage.files import digest, write_json
from mdr.types import Passage

SUMMARY = "lexical.json"
IDS = "ids.json"
ID, ROW = "id", "row"
_COMMIT_EVERY = 50_000
_REPORT_EVERY = 1_000
_BUFFER_MB = 64.0


def build(passages: Iterable[Passage], folder: Path, *, k1: float, b: float) -> Iterator[int]:
    """Index passages, yielding how many are done. Run again after a kill, it continues."""
    writers: dict[str, _Writer] = {}
    done = 0
    try:
        for done, passage in enumerate(passages, 1):
            if passage.lang not in writers:
                writers[passage.lang] = _Writer(folder / passage.lang, passage.lang)
            writers[passage.lang].add(passage)
            if not done % _REPORT_EVERY:
                yield done
        for writer in writers.values():
            writer.finish()
    finally:
        for writer in writers.values():
            writer.close()
    write_json(
        folder / SUMMARY,
        {
            "k1": k1,
            "b": b,
            "counts": {lang: len(writer.ids) for lang, writer in writers.items()},
            "analyzers": {lang: analyzer_fingerprint([lang]) for lang in writers},
            "content": digest({lang: writer.content for lang, writer in writers.items()}),
        },
    )
    yield done


class _Writer:
    """The index of one language under construction."""

    def __init__(self, folder: Path, lang: str) -> None:
        self._folder = folder
        self._analyzer = Analyzer(lang)
        self._fingerprint = analyzer_fingerprint([lang])
        self.ids: list[str] = []
        self._seen = hashlib.sha256()
        with using(folder):
            self._directory = open_directory(folder)
            self._committed, self._committed_content = self._resume()
            self._writer = java("index.IndexWriter")(self._directory, self._config())
            self._document, self._text, self._id, self._row = _document()

    @property
    def content(self) -> str:
        """Names the passages added so far."""
        return self._seen.hexdigest()

    def add(self, passage: Passage) -> None:
        """The next passage; those that an earlier try has committed are only compared."""
        row = len(self.ids)
        self.ids.append(passage.id)
        self._seen.update(f"{passage.id}\0{passage.full_text}\0".encode("utf-8", "surrogatepass"))
        if row < self._committed:
            if row + 1 == self._committed and self.content != self._committed_content:
                raise self._others()
            return
        with using(self._folder):
            self._index(passage, row)
            if not (row + 1) % _COMMIT_EVERY:
                self._commit()

    def finish(self) -> None:
        """Merge to one segment, and check that every passage is there."""
        if len(self.ids) < self._committed:
            raise self._others()
        with using(self._folder):
            self._writer.forceMerge(1)
            self._commit()
            self._writer.close()
            reader = java("index.DirectoryReader").open(self._directory)
            found = int(reader.numDocs())
            reader.close()
        if found != len(self.ids):
            raise ArtefactError(
                f"Lucene holds {found:,} of the {len(self.ids):,} passages in {self._folder}",
                "delete the folder and index again; `mdr doctor` checks the analyzers",
            )
        write_json(self._folder / IDS, {"ids": self.ids})

    def close(self) -> None:
        """Let go of the folder; what was not committed is dropped."""
        with using(self._folder):
            if self._writer.isOpen():
                self._writer.rollback()
            self._directory.close()

    def _index(self, passage: Passage, row: int) -> None:
        self._text.setStringValue(self._analyzer.indexed(passage.full_text))
        self._id.setBytesValue(java("util.BytesRef")(passage.id.encode("utf-8", "replace")))
        self._row.setIntValue(row)
        self._writer.addDocument(self._document)

    def _commit(self) -> None:
        data = java("java.util.HashMap")()
        for key, value in (("rows", str(len(self.ids))), ("content", self.content), ("analyzer", self._fingerprint)):
            data.put(key, value)
        self._writer.setLiveCommitData(data.entrySet())
        self._writer.commit()

    def _resume(self) -> tuple[int, str]:
        """How many passages an earlier try committed, and their content; a folder analyzed otherwise is emptied."""
        reader = java("index.DirectoryReader")
        if not reader.indexExists(self._directory):
            return 0, ""
        last = reader.open(self._directory)
        data = last.getIndexCommit().getUserData()
        rows, content, analyzer = data.get("rows"), data.get("content"), data.get("analyzer")
        found = int(last.numDocs())
        last.close()
        if rows is None or int(rows) != found or analyzer != self._fingerprint:
            shutil.rmtree(self._folder)
            return 0, ""
        return found, str(content)

    def _others(self) -> ArtefactError:
        return ArtefactError(f"{self._folder} holds an index of other passages", "delete the folder, then run again")

    def _config(self) -> Any:
        config = java("index.IndexWriterConfig")(self._analyzer.java)
        config.setMergePolicy(java("index.LogDocMergePolicy")())
        config.setRAMBufferSizeMB(_BUFFER_MB)
        return config


def open_directory(folder: Path) -> Any:
    """A folder as Lucene sees it."""
    return java("store.FSDirectory").open(java("java.io.File")(str(folder)).toPath())


def _document() -> tuple[Any, Any, Any, Any]:
    """A document to be filled again and again, and its fields."""
    kind = java("document.FieldType")()
    kind.setTokenized(True)
    kind.setIndexOptions(java("index.IndexOptions").DOCS_AND_FREQS)
    kind.setStoreTermVectors(True)  # for feedback, and to show where a term stands
    kind.setStoreTermVectorOffsets(True)
    kind.freeze()
    text = java("document.Field")(
        FIELD,
        java("java.lang.String")(""),
        kind,
        signature="(Ljava/lang/String;Ljava/lang/CharSequence;Lorg/apache/lucene/index/IndexableFieldType;)V",
    )
    id = java("document.BinaryDocValuesField")(ID, java("util.BytesRef")())
    row = java("document.IntField")(ROW, 0, java("document.Field$Store").NO)
    document = java("document.Document")()
    for field in (text, id, row):
        document.add(field)
    return document, text, id, row
