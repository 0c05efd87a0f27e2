"""Which tokens of a vocabulary a text in a language may have: those without letters of foreign scripts.

Latin letters are allowed everywhere (names, units, abbreviations), and so are digits and signs of any kind. A script
is the first word of its letters' Unicode names.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

import numpy as np

from mdr.core.languages import language
from mdr.engines.generator_prompts import control_tokens
from mdr.ports import Mask

Scripts = frozenset[str]

_WRITTEN: dict[str, Scripts] = {
    "Arab": frozenset({"ARABIC"}),
    "Beng": frozenset({"BENGALI"}),
    "Cyrl": frozenset({"CYRILLIC"}),
    "Deva": frozenset({"DEVANAGARI"}),
    "Grek": frozenset({"GREEK"}),
    "Hans": frozenset({"CJK", "IDEOGRAPHIC"}),
    "Hebr": frozenset({"HEBREW"}),
    "Jpan": frozenset({"CJK", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC", "KATAKANA-HIRAGANA"}),
    "Khmr": frozenset({"KHMER"}),
    "Kore": frozenset({"HANGUL"}),
    "Latn": frozenset(),
    "Telu": frozenset({"TELUGU"}),
    "Thai": frozenset({"THAI"}),
}
_EVERYWHERE = frozenset({"LATIN"})
_NO_SCRIPT = frozenset({"COMBINING", "MODIFIER", "VARIATION"})
"""How the names of marks and signs begin that go with any letter."""
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")


class VocabularyScripts:
    """The scripts of every token, looked up once."""

    def __init__(self, tokenizer: Any, size: int) -> None:
        decode = _byte_decoder(tokenizer)
        never = control_tokens(tokenizer)
        self._kinds: dict[frozenset[Scripts], int] = {frozenset(): 0}  # 0: never
        self._kind = np.zeros(size, dtype=np.int64)
        breaks = []
        for piece, token in tokenizer.get_vocab().items():
            if token >= size or token in never or _BYTE.fullmatch(piece):
                continue
            raw = decode(piece)
            if b"\n" in raw:
                breaks.append(token)
            elif min(raw, default=0) >= 0x20:  # no control characters, and not nothing
                self._kind[token] = self._kinds.setdefault(_readings(raw), len(self._kinds))
        self.breaks = frozenset(breaks)
        """Tokens with a line's end; no text of one line has them, but a writer may stop there."""

    def allowed(self, lang: str) -> Mask:
        """A mask over the vocabulary: what a text in the language may have."""
        own = _WRITTEN[language(lang).script] | _EVERYWHERE
        fits = np.array([any(scripts <= own for scripts in readings) for readings in self._kinds])
        found: Mask = fits[self._kind]
        return found


def _byte_decoder(tokenizer: Any) -> Any:
    """How a piece becomes bytes. Vocabularies over bytes write each as a character of its own."""
    decoder = tokenizer.backend_tokenizer.decoder
    if decoder is None or decoder.decode(["Ġ"]) != " ":
        return str.encode
    shown = [byte for byte in range(256) if chr(byte).isprintable() and byte not in (0x20, 0xAD)]
    hidden = [byte for byte in range(256) if byte not in shown]
    table = {chr(byte): byte for byte in shown} | {chr(256 + place): byte for place, byte in enumerate(hidden)}
    return lambda piece: b"".join(bytes([table[char]]) if char in table else char.encode() for char in piece)


def _readings(raw: bytes) -> frozenset[Scripts]:
    """The sets of scripts that a token may stand for: one, or several where it ends within a character.

    What continues a character that another token began says nothing; that one was judged.
    """
    while raw and raw[0] & 0xC0 == 0x80:
        raw = raw[1:]
    try:
        return frozenset({_scripts(raw.decode())})
    except UnicodeDecodeError as error:
        sure = _scripts(raw[: error.start].decode())
        return frozenset(sure | _scripts(char) for char in _endings(raw[error.start :]))


def _endings(begun: bytes) -> list[str]:
    """Letters that begin with these bytes, a sample where they are many; "" where there are none."""
    lead = begun[0]
    width = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    code = lead & (0xFF >> (width + 1))
    for byte in begun[1:]:
        code = code << 6 | byte & 0x3F
    missing = 6 * (width - len(begun))
    first = max(code << missing, (0, 0, 0x80, 0x800, 0x10000)[width])
    last = min((code + 1) << missing, 0x110000)
    chars = [chr(code) for code in range(first, last, max(1, (last - first) // 256)) if not 0xD800 <= code < 0xE000]
    return [char for char in chars if _scripts(char)] or [""]


def _scripts(text: str) -> Scripts:
    return frozenset(filter(None, map(_script, unicodedata.normalize("NFKC", text))))


@cache
def _script(char: str) -> str:
    """The script of a letter or of a mark on one; "" for all else."""
    name = unicodedata.name(char, "").split(" ")[0] if unicodedata.category(char)[0] in "LM" else ""
    return "" if name in _NO_SCRIPT else name
