"""Which passages questions are written for, and in which languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias
from zlib import crc32

import numpy as np

from mdr.core.mining import Ints
from mdr.errors import InputError
from mdr.storage.collection import Collection

Selection: TypeAlias = Literal["random", "coverage", "named"]
OWN, OTHER = "own", "other"
Target: TypeAlias = str | tuple[str, ...]
"""The language of questions: the passage's, one other of the collection's, or each of these."""

_ORDERS: Mapping[str, Callable[[Ints, Ints], Ints]] = {
    "random": lambda drawn, named: drawn,
    "coverage": lambda drawn, named: drawn[np.argsort(named[drawn], kind="stable")],
    "named": lambda drawn, named: drawn[named[drawn] > 0],
}
"""Places in the order in which they are taken, of places in random order and how many pairs name each."""


class Selected(NamedTuple):
    """Positions of passages, in order; and how many were passed over since their text is another's, too."""

    positions: list[int]
    repeated: int


def select(
    collection: Collection,
    langs: Sequence[str],
    selection: Selection,
    *,
    budget: int,
    seed: int,
    answers: Iterable[str],
    same_text: Mapping[str, int],
) -> Selected:
    """At most `budget` passages of each language (0: all). `answers`: those that pairs name, as often as they do. What
    one language gives does not depend on the others, nor on the order of answers; a smaller budget gives a part of what
    a larger one gives."""
    of = collection.langs
    texts = [same_text.get(id, -1 - at) for at, id in enumerate(collection.ids)]  # below 0: a text of its own
    naming = Counter(texts[collection.positions[id]] for id in answers if id in collection.positions)
    chosen: list[int] = []
    repeated = 0
    for lang in langs:
        first: dict[int, int] = {}
        positions = np.flatnonzero(of == lang)
        for at in positions.tolist():
            first.setdefault(texts[at], at)
        distinct = np.array(list(first.values()), dtype=np.int64)
        repeated += len(positions) - len(distinct)
        named = np.array([naming[texts[at]] for at in distinct.tolist()], dtype=np.int64)
        drawn = np.random.default_rng([seed, crc32(lang.encode())]).permutation(len(distinct))
        taken = _ORDERS[selection](drawn, named)
        chosen += distinct[np.sort(taken[: budget or None])].tolist()
    return Selected(chosen, repeated)


def targets(collection: Collection, target: Target, position: int, seed: int) -> list[str]:
    """The languages to ask about a passage in."""
    if not isinstance(target, str):
        return list(target)
    own = str(collection.langs[position])
    if target == OWN:
        return [own]
    others = [lang for lang in collection.languages if lang != own]
    if not others:
        raise InputError(
            f"generate: all passages are in {own}, there is no other language to ask in",
            "name the languages to ask in as `target`",
        )
    return [str(np.random.default_rng([seed, crc32(collection.ids[position].encode())]).choice(others))]
