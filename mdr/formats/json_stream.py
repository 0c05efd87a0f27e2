"""Large JSON documents, one element at a time: files of gigabytes are one array, and need not fit into memory."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from mdr.errors import FormatError
from mdr.formats.lines import LIMIT, opened, read_bytes
from mdr.formats.records import Cursor

_CHUNK = 1 << 18
_NEAR = 64  # characters: a fault this close to the end of the buffer may only be a cut


def json_items(path: Path, at: Cursor, key: str = "") -> Iterator[Any]:
    """The elements of the array that is the document or, in a document that is an object, stands under `key`."""
    with opened(path, at) as stream:
        document = _Document(stream, at)
        first = document.take("[{" if key else "[")
        if first == "{":
            _seek(document, key)
        if document.peek() == "]":
            document.take("]")
        else:
            while True:
                yield document.value()
                if document.take(",]") == "]":
                    break
        if first == "[" and document.peek():
            raise document.error(f"expected the end, found {document.peek()!a}", _WHOLE)


def _seek(document: _Document, key: str) -> None:
    """Move to the array under a key of the object that was entered."""
    while True:
        name = document.value() if document.peek() == '"' else document.take('"')
        document.take(":")
        if name == key:
            document.take("[")
            return
        document.value()
        if document.take(",}") == "}":
            raise document.error(f"the field {key!r} is missing", "choose another format")


_WHOLE = "the file was probably not copied whole, or is another format"


class _Document:
    """A window that moves over the text; `at.line` follows."""

    def __init__(self, stream: BinaryIO, at: Cursor) -> None:
        self._stream, self._at = stream, at
        self._bytes = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder()
        self._text, self._here, self._read, self._ended = "", 0, 0, False
        at.line = 1

    def error(self, problem: str, remedy: str) -> FormatError:
        """A fault here."""
        return self._at.error(problem, remedy)

    def peek(self) -> str:
        """The next character that is no white space; "" at the end."""
        while True:
            rest = self._text[self._here : self._here + _NEAR].lstrip(" \t\r\n")
            if rest:
                self._move(self._text.index(rest[0], self._here))
                return rest[0]
            self._move(min(self._here + _NEAR, len(self._text)))
            if self._here == len(self._text) and not self._more():
                return ""

    def take(self, wanted: str) -> str:
        """Move over one of these characters."""
        found = self.peek()
        if not found or found not in wanted:
            shown = f"{found!a}" if found else "the end of the file"
            raise self.error(f"not JSON of this shape: expected {' or '.join(wanted)}, found {shown}", _WHOLE)
        self._move(self._here + 1)
        return found

    def value(self) -> Any:
        """Move over one value."""
        self.peek()
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._here)
            except json.JSONDecodeError as error:
                if not self._cut(error) or not self._more():
                    self._move(min(error.pos, len(self._text)))
                    raise self.error(f"not JSON: {error.msg}", _WHOLE) from None
            except (ValueError, RecursionError) as error:
                raise self.error(f"JSON that cannot be read: {error}", _WHOLE) from None
            else:
                if end < len(self._text) or not self._more():  # a number at the very end may go on
                    self._move(end)
                    return value

    def _cut(self, error: json.JSONDecodeError) -> bool:
        return not self._ended and (error.pos > len(self._text) - _NEAR or "Unterminated" in error.msg)

    def _move(self, here: int) -> None:
        assert self._at.line is not None
        self._at.line += self._text.count("\n", self._here, here)
        self._here = here

    def _more(self) -> bool:
        """Read on, twice as much each time that an element does not end; False at the end."""
        if self._ended:
            return False
        kept = len(self._text) - self._here
        if kept > LIMIT:
            raise self.error(f"an element is longer than {LIMIT >> 20} MB", "split it, or choose another format")
        data = read_bytes(self._stream.read, max(_CHUNK, kept), self._at)
        self._ended = not data
        try:
            self._text = self._text[self._here :] + self._bytes.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise self.error(
                f"not UTF-8 near byte {self._read + error.start + 1} of the file",
                "convert the file: iconv -f OLD_ENCODING -t UTF-8",
            ) from None
        self._here, self._read = 0, self._read + len(data)
        return True
