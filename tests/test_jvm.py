"""A JVM that behaves: it leaves signals, environment and threads alone."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

from lucene_indexes import NATIVE, in_another_process, native

from mdr.engines.jvm import java
from mdr.engines.lucene import LuceneRetriever
from mdr.types import Passage, Query, Term

__all__ = ["native"]  # fixtures


def test_ctrl_c_stays_an_exception_and_nothing_is_printed() -> None:
    process = in_another_process(
        """
        import tempfile, time
        from pathlib import Path
        from mdr.engines.lucene import LuceneRetriever, build
        from mdr.types import Passage, Query
        with tempfile.TemporaryDirectory() as folder:
            list(build([Passage("1", "en", "", "river")], Path(folder), k1=0.9, b=0.4))
            LuceneRetriever(Path(folder)).search([Query("", "en", "river")], 1)
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            print("stopped", flush=True)
        """
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (out, err, process.returncode) == ("stopped\n", "", 0)


def test_the_fingerprint_needs_no_jvm() -> None:
    process = in_another_process(
        """
        import sys
        from mdr.engines.lucene import analyzer_fingerprint
        assert analyzer_fingerprint(["th", "en"]) == analyzer_fingerprint(["en", "th"]) != analyzer_fingerprint(["en"])
        assert not {"jnius", "pyserini", "torch"} & set(sys.modules)
        """
    )
    assert process.communicate(timeout=30) == ("", "")


def test_the_environment_is_left_as_it_was_and_does_not_matter(tmp_path: Path) -> None:
    process = in_another_process(
        """
        import os, sys
        from pathlib import Path
        from mdr.engines.lucene import LuceneRetriever, build
        from mdr.types import Passage, Query
        before = dict(os.environ)
        folder = Path(sys.argv[1]) / "ä ไทย"
        list(build([Passage("1", "en", "", "RIVER INN")], folder, k1=0.9, b=0.4))
        [[hit]] = LuceneRetriever(folder).search([Query("", "en", "river inn")], 1)
        assert dict(os.environ) == before
        """,
        tmp_path,
        JAVA_HOME="/nowhere",
        LC_ALL="C",
    )
    assert process.communicate(timeout=30) == ("", "")


def test_threads_searching_and_explaining_at_once_get_the_same(
    native: tuple[LuceneRetriever, dict[str, Passage]],
) -> None:
    """As visitors do: Java objects are shared by all threads, and none may see another's answer."""
    retriever, passages = native

    def answer(lang: str) -> list[tuple[str, list[Term]]]:
        query = NATIVE[lang][1]
        [ranking] = retriever.search([Query("", lang, query)], 3)
        return [(hit.id, retriever.terms(query, passages[hit.id])) for hit in ranking]

    alone = {lang: answer(lang) for lang in NATIVE}
    with ThreadPoolExecutor(8) as pool:
        for lang, together in zip([*NATIVE] * 6, pool.map(answer, [*NATIVE] * 6), strict=True):
            assert together == alone[lang]


def test_threads_that_end_are_forgotten(native: tuple[LuceneRetriever, dict[str, Passage]]) -> None:
    retriever, _ = native

    def search() -> None:
        retriever.search([Query("", "en", "planet")], 1, langs=["en"])

    def java_threads() -> int:
        return int(java("java.lang.Thread").getAllStackTraces().size())

    search()
    before = java_threads()
    for _ in range(40):
        thread = Thread(target=search)
        thread.start()
        thread.join()
    deadline = time.monotonic() + 5
    while java_threads() > before + 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert java_threads() <= before + 2
