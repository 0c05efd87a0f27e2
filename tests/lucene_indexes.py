"""Word indexes for tests: of a sentence in every language, of any passages; and a process of its own to use them in."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from mdr.engines.lucene import LuceneRetriever, build
from mdr.types import Passage

# One sentence and a question about it per language; the question has words of the sentence, inflected where it can.
NATIVE = {
    "ar": ("ولد نجيب محفوظ في القاهرة", "أين ولد محفوظ؟"),
    "bn": ("রবীন্দ্রনাথ ঠাকুর কলকাতায় জন্মগ্রহণ করেন", "রবীন্দ্রনাথ কোথায় জন্মগ্রহণ করেন?"),
    "el": ("Η Αθήνα είναι η πρωτεύουσα της Ελλάδας", "Ποια είναι η πρωτεύουσα;"),
    "en": ("Scientists discovered a new planet", "which planets were discovered?"),
    "fa": ("تهران پایتخت ایران است", "پایتخت ایران کجاست؟"),
    "fi": ("Helsinki on Suomen pääkaupunki", "Mikä on pääkaupunki?"),
    "ha": ("Kano babban birni ne a arewacin Najeriya", "Ina birni na Kano?"),
    "he": ("ירושלים היא בירת ישראל", "מהי בירת ישראל?"),
    "hi": ("दिल्ली भारत की राजधानी है", "भारत की राजधानी क्या है?"),
    "ja": ("東京は日本の首都です", "日本の首都はどこですか"),
    "km": ("ភ្នំពេញជារាជធានីនៃប្រទេសកម្ពុជា", "ប្រទេសកម្ពុជា"),
    "ko": ("서울은 대한민국의 수도이다", "대한민국의 수도는 어디인가?"),
    "pl": ("Warszawa jest stolicą Polski", "Co jest stolicą Polski?"),
    "ru": ("Москва является столицей России", "Что является столицей?"),
    "sw": ("Dodoma ni mji mkuu wa Tanzania", "Mji mkuu wa Tanzania ni upi?"),
    "te": ("హైదరాబాద్ తెలంగాణ రాజధాని", "తెలంగాణ రాజధాని ఏది?"),
    "th": ("กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย", "เมืองหลวงของไทยคือที่ใด"),
    "tr": ("Ankara Türkiye'nin başkentidir", "Türkiye'nin başkenti neresi?"),
    "uk": ("Київ є столицею України", "Яке місто є столицею?"),
    "vi": ("Hà Nội là thủ đô của Việt Nam", "Thủ đô của Việt Nam là gì?"),
    "yo": ("Ìbàdàn jẹ́ ìlú ńlá ní Nàìjíríà", "Ìlú wo ni Ìbàdàn?"),
    "zh": ("北京是中华人民共和国的首都", "中国的首都是哪里"),
}


def indexed(passages: Sequence[Passage], folder: Path, k1: float = 0.9, b: float = 0.4) -> LuceneRetriever:
    """An index of these, opened."""
    assert list(build(passages, folder, k1=k1, b=b))[-1] == len(passages)
    return LuceneRetriever(folder)


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> tuple[LuceneRetriever, dict[str, Passage]]:
    """What is native to every language, beside numbers, which are to none; and its passages by id."""
    passages = [Passage(f"{lang}-1", lang, "", text) for lang, (text, _) in NATIVE.items()]
    passages += [Passage(f"{lang}-2", lang, "", "2024 … 42") for lang in NATIVE]
    return indexed(passages, tmp_path_factory.mktemp("native")), {passage.id: passage for passage in passages}


def in_another_process(code: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Python code there, to be talked with."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


def sentences() -> list[str]:
    """Eighty sentences with many common words and few equal ones."""
    who = ["A cat", "The dog", "Some rivers", "A mountain", "Two old men", "The north wind", "My neighbour", "A train"]
    does = ["runs past", "chased", "was seen near", "waits for", "crosses"]
    what = ["the small village", "a river in the north"]
    return [f"{a} {b} {c}." + " Nothing else." * (len(a + b) % 3) for a in who for b in does for c in what]
