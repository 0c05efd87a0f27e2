"""A subword vocabulary for many scripts that works from its tokenizer.json alone.

Texts are folded (compatibility forms, case, Arabic letter variants, digits of every script), punctuation
falls away and words are cut into merged pieces. Chinese, Japanese and Thai have no spaces: the pieces are
learned from text segmented by ICU and found again without it.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mdr.training.texts import Texts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

UNKNOWN = "<unk>"
ALPHABET = 6_000
"""Different characters that get a piece of their own."""
LONGEST = 16
"""Characters of a piece."""

_BYTES = [f"<0x{value:02X}>" for value in range(256)]
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_UNSPACED_LANGS = ("ja", "th", "zh")
_DIGITS = ["٠۰০०౦๐", "١۱১१౧๑", "٢۲২२౨๒", "٣۳৩३౩๓", "٤۴৪४౪๔", "٥۵৫५౫๕", "٦۶৬६౬๖", "٧۷৭७౭๗", "٨۸৮८౮๘", "٩۹৯९౯๙"]
_FOLDS = [
    (r"[\u0640\u064B-\u0652\u0670\u200B-\u200F\u2060\uFEFF]", ""),  # Arabic vowel marks, joiners
    ("[أإآٱ]", "ا"),
    ("[ىی]", "ي"),
    ("ک", "ك"),
    ("ة", "ه"),
    *[(f"[{digits}]", str(value)) for value, digits in enumerate(_DIGITS)],
    (r"[^\p{L}\p{M}\p{N}]+", " "),
]


def untrained() -> Tokenizer:
    """The tokenizer without its pieces: how texts are folded and where they may be cut."""
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import BPE

    tokenizer = Tokenizer(BPE())
    folds = [normalizers.Replace(Regex(pattern), content) for pattern, content in _FOLDS]
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), *folds])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex(r"\p{N}+"), "isolated"),
            pre_tokenizers.Split(Regex(r"[\p{Katakana}ー]+"), "isolated"),
            pre_tokenizers.Split(Regex(f"[{_UNSPACED}]+"), "isolated"),
            # The mark of a word's start; it would part equal words where nothing marks words in writing.
            pre_tokenizers.Metaspace(prepend_scheme="always", split=False),
            pre_tokenizers.Split(Regex(f"▁(?=[{_UNSPACED}])"), "removed"),
        ]
    )
    return tokenizer


def learn_vocabulary(texts: Texts, size: int, characters: int, seed: int) -> Tokenizer:
    """Merges learned from at most so many characters of each language; unseen letters fall back to their bytes.

    Merges keep frequent words whole where Unigram cuts them: with 60,000 random vectors, before any training,
    the development questions of six languages found their passage at MRR .54 by merges and .53 by Unigram.
    """
    from tokenizers import models, trainers

    tokenizer = untrained()
    tokenizer.model = models.BPE(unk_token=UNKNOWN)
    sample = [tokenizer.normalizer.normalize_str(text) for text in _sample(texts, characters, seed)]
    alphabet = _alphabet(sample)
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(_BYTES),
        special_tokens=[UNKNOWN],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        max_token_length=LONGEST,
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample, trainer)
    return _with_bytes(tokenizer)


def _alphabet(sample: Sequence[str]) -> list[str]:
    """The most frequent characters. The trainer's own choice differs from run to run where counts are equal."""
    counts: Counter[str] = Counter()
    for text in sample:
        counts.update(text)
    counts["▁"] = counts.pop(" ", 0) + len(sample)  # what the mark of a word's start replaces
    return sorted(sorted(counts, key=lambda char: (-counts[char], char))[:ALPHABET])


def _with_bytes(tokenizer: Tokenizer) -> Tokenizer:
    """The same merges with a piece for each byte, which the trainer has no setting for."""
    from tokenizers import models

    learned = json.loads(tokenizer.to_str())["model"]
    vocabulary: dict[str, int] = learned["vocab"]
    vocabulary |= {piece: len(vocabulary) + value for value, piece in enumerate(_BYTES)}
    merges = [(first, second) for first, second in learned["merges"]]
    tokenizer.model = models.BPE(vocabulary, merges, unk_token=UNKNOWN, byte_fallback=True)
    return tokenizer


def _sample(texts: Texts, characters: int, seed: int) -> Iterator[str]:
    """Random texts, language by language, until each has had its share."""
    order = list(range(len(texts.texts)))
    random.Random(seed).shuffle(order)
    left = dict.fromkeys(sorted(set(texts.langs)), characters)
    for position in order:
        lang, text = texts.langs[position], texts.texts[position]
        if left[lang] > 0:
            left[lang] -= len(text)
            yield " ".join(_words(text, lang)) if lang in _UNSPACED_LANGS else text


def _words(text: str, lang: str) -> Sequence[str]:
    from icu4py.breakers import WordBreaker

    return [str(word) for word in WordBreaker(text, lang)]
