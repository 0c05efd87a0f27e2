"""One row per language: everything the project knows of it. To add a language, add a row.

`analyzer` is the Lucene analysis class, relative to `org.apache.lucene.analysis` unless it starts with `io.`.
Empty means that Lucene has none worth using: the text is then segmented by ICU and indexed pre-tokenised.
"""

from __future__ import annotations

from typing import NamedTuple

from mdr.errors import MissingError


class Language(NamedTuple):
    """A language as the project needs it."""

    code: str
    name: str
    native: str
    script: str
    direction: str = "ltr"
    analyzer: str = ""


_ROWS = (
    Language("ar", "Arabic", "العربية", "Arab", "rtl", "ar.ArabicAnalyzer"),
    Language("bn", "Bengali", "বাংলা", "Beng", "ltr", "bn.BengaliAnalyzer"),
    Language("da", "Danish", "dansk", "Latn", "ltr", "da.DanishAnalyzer"),
    Language("de", "German", "Deutsch", "Latn", "ltr", "de.GermanAnalyzer"),
    Language("el", "Greek", "ελληνικά", "Grek", "ltr", "el.GreekAnalyzer"),
    Language("en", "English", "English", "Latn", "ltr", "io.anserini.analysis.DefaultEnglishAnalyzer"),
    Language("es", "Spanish", "español", "Latn", "ltr", "es.SpanishAnalyzer"),
    Language("fa", "Persian", "فارسی", "Arab", "rtl", "fa.PersianAnalyzer"),
    Language("fi", "Finnish", "suomi", "Latn", "ltr", "fi.FinnishAnalyzer"),
    Language("fr", "French", "français", "Latn", "ltr", "fr.FrenchAnalyzer"),
    Language("ha", "Hausa", "Hausa", "Latn"),
    Language("he", "Hebrew", "עברית", "Hebr", "rtl"),
    Language("hi", "Hindi", "हिन्दी", "Deva", "ltr", "hi.HindiAnalyzer"),
    Language("hu", "Hungarian", "magyar", "Latn", "ltr", "hu.HungarianAnalyzer"),
    Language("id", "Indonesian", "Bahasa Indonesia", "Latn", "ltr", "id.IndonesianAnalyzer"),
    Language("it", "Italian", "italiano", "Latn", "ltr", "it.ItalianAnalyzer"),
    Language("ja", "Japanese", "日本語", "Jpan", "ltr", "ja.JapaneseAnalyzer"),
    Language("km", "Khmer", "ខ្មែរ", "Khmr"),
    Language("ko", "Korean", "한국어", "Kore", "ltr", "cjk.CJKAnalyzer"),
    Language("ms", "Malay", "Bahasa Melayu", "Latn"),
    Language("nl", "Dutch", "Nederlands", "Latn", "ltr", "nl.DutchAnalyzer"),
    Language("no", "Norwegian", "norsk", "Latn", "ltr", "no.NorwegianAnalyzer"),
    Language("pl", "Polish", "polski", "Latn", "ltr", "morfologik.MorfologikAnalyzer"),
    Language("pt", "Portuguese", "português", "Latn", "ltr", "pt.PortugueseAnalyzer"),
    Language("ro", "Romanian", "română", "Latn", "ltr", "ro.RomanianAnalyzer"),
    Language("ru", "Russian", "русский", "Cyrl", "ltr", "ru.RussianAnalyzer"),
    Language("so", "Somali", "Soomaali", "Latn"),
    Language("sv", "Swedish", "svenska", "Latn", "ltr", "sv.SwedishAnalyzer"),
    Language("sw", "Swahili", "Kiswahili", "Latn"),
    Language("te", "Telugu", "తెలుగు", "Telu", "ltr", "te.TeluguAnalyzer"),
    Language("th", "Thai", "ไทย", "Thai"),
    Language("tr", "Turkish", "Türkçe", "Latn", "ltr", "tr.TurkishAnalyzer"),
    Language("uk", "Ukrainian", "українська", "Cyrl", "ltr", "uk.UkrainianMorfologikAnalyzer"),
    Language("vi", "Vietnamese", "Tiếng Việt", "Latn"),
    Language("yo", "Yoruba", "Yorùbá", "Latn"),
    Language("zh", "Chinese", "中文", "Hans", "ltr", "cjk.CJKAnalyzer"),
)

LANGUAGES = {row.code: row for row in _ROWS}

# Names that published collections use for the same languages.
_ALIASES = {
    **{row.name.lower(): row.code for row in _ROWS},
    **{"zh_cn": "zh", "zh-cn": "zh", "zh_hans": "zh", "zh_tw": "zh", "zh_hk": "zh", "zho": "zh", "cmn": "zh"},
    **{"ara": "ar", "ben": "bn", "eng": "en", "fin": "fi", "ind": "id", "jpn": "ja", "kor": "ko", "rus": "ru"},
    **{"swa": "sw", "swh": "sw", "tel": "te", "tha": "th", "hau": "ha", "yor": "yo", "som": "so", "fas": "fa"},
    **{"deu": "de", "ell": "el", "spa": "es", "fra": "fr", "hin": "hi", "ita": "it", "por": "pt", "tur": "tr"},
    **{"vie": "vi", "pes": "fa", "nb": "no", "nob": "no", "in": "id", "iw": "he"},
}


def code_of(name: str) -> str:
    """The project's code for a language as others write it.

    >>> code_of("zh_cn"), code_of("Swahili"), code_of("fi")
    ('zh', 'sw', 'fi')
    """
    key = name.strip().lower()
    code = key if key in LANGUAGES else _ALIASES.get(key, _ALIASES.get(key.replace("-", "_"), ""))
    if not code:
        raise MissingError(
            f"language {name!r} is not known; known are {', '.join(LANGUAGES)}",
            "add a row to mdr/core/languages.py, or map the column to one of these",
        )
    return code


def language(name: str) -> Language:
    """The row of a language, by any of its names."""
    return LANGUAGES[code_of(name)]
