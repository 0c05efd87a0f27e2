"""Languages of questions: right where the text says, unsure where it does not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mdr.core.languages import LANGUAGES
from mdr.engines.language_id import FastLanguageIdentifier
from mdr.errors import MissingError

SAMPLE = ("ar", "bn", "en", "fi", "id", "ja", "ko", "ru", "sw", "te", "th", "zh")
QUESTIONS = {
    "ar": "متى تأسست مدينة بغداد؟",
    "bn": "পদ্মা নদী কোথায় উৎপন্ন হয়েছে?",
    "en": "When was the steam engine invented?",
    "fi": "Milloin höyrykone keksittiin?",
    "id": "Kapan mesin uap ditemukan?",
    "ja": "蒸気機関はいつ発明されましたか",
    "ko": "증기 기관은 언제 발명되었나요?",
    "ru": "Когда изобрели паровой двигатель?",
    "sw": "Injini ya mvuke ilivumbuliwa lini na nani?",
    "te": "ఆవిరి యంత్రాన్ని ఎప్పుడు కనుగొన్నారు?",
    "th": "เครื่องจักรไอน้ำถูกประดิษฐ์ขึ้นเมื่อใด",
    "zh": "蒸汽机是什么时候发明的？",
}


@pytest.fixture(scope="module")
def sample() -> FastLanguageIdentifier:
    return FastLanguageIdentifier(SAMPLE)


@pytest.mark.parametrize("lang", QUESTIONS)
def test_questions(sample: FastLanguageIdentifier, lang: str) -> None:
    guess = sample.identify(QUESTIONS[lang])
    assert guess.lang == lang
    assert 0.5 <= guess.confidence <= 1


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("ha", "Wane ne shugaban Najeriya na farko?"),
        ("yo", "Kí ni orúkọ olú ìlú Nàìjíríà?"),
        ("so", "Waa maxay magaalada caasimadda ah ee Soomaaliya?"),
        ("sw", "Mji mkuu wa Kenya ni upi?"),
    ],
)
def test_languages_that_models_hardly_know(lang: str, text: str) -> None:
    assert FastLanguageIdentifier(["en", "ha", "so", "sw", "yo", "fr"]).identify(text).lang == lang


@pytest.mark.parametrize("text", ["", "  ", "2024", "12.5 % … !?", "😀", "\x00\x07", "\ud800", "\u202e", "ქართული ენა"])
def test_what_says_nothing_is_unsure(sample: FastLanguageIdentifier, text: str) -> None:
    assert sample.identify(text) == ("", 0.0)


@pytest.mark.parametrize("text", ["Quand la machine à vapeur fut-elle inventée ?", "Khi nào động cơ hơi nước ra đời?"])
def test_other_languages_are_unsure(sample: FastLanguageIdentifier, text: str) -> None:
    assert sample.identify(text).lang == ""


def test_a_script_of_its_own_decides_even_for_one_word(sample: FastLanguageIdentifier) -> None:
    for lang, word in {"th": "ไทย", "te": "నది", "bn": "নদী", "ko": "강", "ja": "カメラ"}.items():
        assert sample.identify(word) == (lang, 1.0)


def test_reformed_characters_tell_chinese_from_japanese(sample: FastLanguageIdentifier) -> None:
    assert sample.identify("废金属回收 节能").lang == "zh"
    assert sample.identify("空気 実験 歴史").lang == "ja"


def test_a_name_in_another_script_does_not_distract(sample: FastLanguageIdentifier) -> None:
    assert sample.identify("iPhone の発売日はいつですか").lang == "ja"
    assert sample.identify("Windows 95 เปิดตัวเมื่อไร").lang == "th"


def test_only_allowed_languages_are_answers() -> None:
    assert FastLanguageIdentifier(["fi", "ru"]).identify("Milloin höyrykone keksittiin?").lang == "fi"
    assert FastLanguageIdentifier(["ru", "th"]).identify("Milloin höyrykone keksittiin?").lang == ""
    assert FastLanguageIdentifier(["zh"]).identify("東京都").lang == "zh"
    assert FastLanguageIdentifier([]).identify("anything at all").lang == ""


def test_an_unknown_language_cannot_be_allowed() -> None:
    with pytest.raises(MissingError, match="'xx' is not known"):
        FastLanguageIdentifier(["en", "xx"])


def test_every_language_can_be_allowed_at_once() -> None:
    everything = FastLanguageIdentifier(list(LANGUAGES))
    assert {lang: everything.identify(text).lang for lang, text in QUESTIONS.items()}.items() >= {
        lang: lang for lang in QUESTIONS if lang != "id"  # Malay is as good an answer
    }.items()


def test_long_and_upper_case_text(sample: FastLanguageIdentifier) -> None:
    assert sample.identify(QUESTIONS["fi"].upper()).lang == "fi"
    assert sample.identify(QUESTIONS["fi"] * 10_000).lang == "fi"
    assert sample.identify("a" * 100_000).lang in (*SAMPLE, "")


def test_threads_get_the_same_answers(sample: FastLanguageIdentifier) -> None:
    texts = list(QUESTIONS.values()) * 20
    with ThreadPoolExecutor(8) as pool:
        assert [guess.lang for guess in pool.map(sample.identify, texts)] == list(QUESTIONS) * 20
