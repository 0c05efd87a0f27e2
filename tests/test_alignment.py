"""Words that go together: numbers and names exactly, other words by vectors that chance does not explain."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from mdr.core.alignment import Link, align
from mdr.core.text import Word
from mdr.ports import Tokens

WIDTH = 64
_WORD = re.compile(r"[^\W_]+(?:[.,][^\W_]+)*")


def words(text: str) -> list[Word]:
    return [Word(match.group().lower(), *match.span()) for match in _WORD.finditer(text)]


def tokens(text: str, like: Sequence[tuple[str, str]] = (), weight: float = 1.0) -> Tokens:
    """A token per word: a random direction of its own, or almost another word's; a short word weighs little."""
    found = words(text)
    rows = [_direction(dict(like).get(word.term, word.term)) + 0.1 * _direction(word.term + "'") for word in found]
    lengths = [weight if len(word.term) > 3 else 0.2 for word in found]
    vectors = np.array([row * length for row, length in zip(rows, lengths, strict=True)], dtype=np.float32)
    return Tokens(vectors.reshape(len(found), WIDTH), tuple((word.start, word.end) for word in found))


def _direction(word: str) -> np.ndarray:
    vector = np.random.default_rng(list(word.encode())).standard_normal(WIDTH)
    return vector / np.linalg.norm(vector)


PASSAGE = (
    "Joki nimeltä Niili virtaa Egyptin halki kohti pohjoista, ja sen suisto on Välimeren rannalla 6,650 kilometriä"
)


def linked(query: str, passage: str = PASSAGE, like: Sequence[tuple[str, str]] = ()) -> dict[str, list[str]]:
    """Query word to the passage words that it is linked with, and the kind before them."""
    links = align(query, words(query), words(passage), tokens(query, like), tokens(passage))
    return {
        query[slice(*link.query[0])]: [link.kind, *(passage[start:end] for start, end in link.passage)]
        for link in links
    }


def test_words_with_like_vectors_are_linked_and_others_are_not() -> None:
    assert linked("which river crosses Sudan", like=[("river", "joki")]) == {"river": ["meaning", "Joki"]}


@pytest.mark.parametrize("number", ["6650", "6.650", "٦٬٦٥٠".replace("٬", ""), "৬৬৫০", "๖๖๕๐"])
def test_a_number_is_linked_in_the_digits_of_any_script(number: str) -> None:
    assert linked(f"mitä on {number}")[number] == ["number", "6,650"]


def test_another_number_is_not_linked_however_alike_its_vector() -> None:
    assert "6651" not in linked("mitä on 6651", like=[("6651", "6,650")])


def test_a_name_is_linked_exactly_and_every_time() -> None:
    found = linked("onko Niili pitkä", PASSAGE + " Niili")
    assert found["Niili"] == ["word", "Niili", "Niili"]


def test_equal_words_that_say_little_are_not_linked() -> None:
    assert set(linked("onko sen suisto ja sen rannalla")) == {"suisto", "rannalla"}


def test_a_repeated_query_word_is_one_link() -> None:
    query = "suisto, suisto!"
    [link] = align(query, words(query), words(PASSAGE), tokens(query), tokens(PASSAGE))
    assert link == Link("word", pytest.approx(1.0, abs=1e-5), ((0, 6), (8, 14)), link.passage)


def test_a_passage_word_goes_with_the_surest_query_word_only() -> None:
    found = linked("river stream joki", like=[("river", "joki"), ("stream", "joki")])
    assert [word for word, (_, *places) in found.items() if "Joki" in places] == ["joki"]


def test_a_token_over_two_words_is_shared_by_their_letters() -> None:
    """Subwords do not keep to the words of a segmenter."""
    asked, said = [Word("ab", 0, 2), Word("cdef", 2, 6)], words("ab cdef one two three four")
    says = tokens("ab cdef one two three four")
    both = Tokens((says.vectors[:1] + says.vectors[1:2]), ((0, 6),))
    similar = {link.query[0]: link.similarity for link in align("abcdef", asked, said, both, says)}
    assert set(similar) == {(2, 6)}  # "ab" weighs little there
    assert 0.5 < similar[2, 6] < 1


def test_words_that_a_model_cut_off_have_no_links() -> None:
    cut = Tokens(np.zeros((0, WIDTH), np.float32), ())
    assert align("suisto", words("suisto"), words(PASSAGE), tokens("suisto"), cut) == []


def test_without_vectors_numbers_and_names_are_left() -> None:
    nothing = Tokens(np.zeros((0, 0), dtype=np.float32), ())
    query = "onko Niili 6650 kilometriä pitkä"
    found = align(query, words(query), words(PASSAGE), nothing, nothing)
    assert [(query[slice(*link.query[0])], link.kind) for link in found] == [("Niili", "word"), ("6650", "number")]


@pytest.mark.parametrize(("query", "passage"), [("", PASSAGE), ("joki", ""), ("", ""), ("joki", "aivan muuta")])
def test_little_text_has_no_links(query: str, passage: str) -> None:
    assert linked(query, passage, like=[("joki", "muuta")]) == {}


def test_links_are_found_whatever_the_scale_of_the_vectors() -> None:
    query, passage = "river", PASSAGE
    small = align(query, words(query), words(passage), tokens(query, [("river", "joki")], 1e-4), tokens(passage))
    assert [link.kind for link in small] == ["meaning"]
