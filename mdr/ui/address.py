"""What is asked of the search page, as its fields hold it and as its address does. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qs, urlencode

SEARCH_BY = {"hybrid": "Words and meaning", "dense": "Meaning", "bm25": "Words"}
COUNTS = (5, 10, 20, 50)
QUOTAS = {0: "any", 1: "1", 2: "2", 3: "3"}
"""What the fields offer."""

_LIMIT = 50_000
Choice = TypeVar("Choice", int, str)


@dataclass(frozen=True)
class Ask:
    """A question and its options; `langs` empty means all, `quota` 0 any number per language.

    Usually an answer mixes languages: without a quota the question's own language would often fill it alone.
    """

    query: str = ""
    engine: str = "hybrid"
    langs: tuple[str, ...] = ()
    count: int = 10
    quota: int = 3

    def address(self) -> str:
        """The address that brings this back; what is as usual is left out."""
        usual = Ask()
        # A lone surrogate has no place in an address.
        query = self.query.encode("utf-8", "replace").decode("utf-8")
        options = {"engine": self.engine, "langs": ",".join(self.langs), "k": self.count, "quota": self.quota}
        as_usual = {"engine": usual.engine, "langs": "", "k": usual.count, "quota": usual.quota}
        return "?" + urlencode({"q": query} | {key: value for key, value in options.items() if value != as_usual[key]})

    @staticmethod
    def from_address(address: str, languages: Sequence[str]) -> Ask:
        """What an address asks; parts that are not understood count as not given.

        >>> Ask.from_address("?q=Nile&langs=th,xx&k=7", ["en", "th"])
        Ask(query='Nile', engine='hybrid', langs=('th',), count=10, quota=3)
        """
        values = parse_qs(address.removeprefix("?")[:_LIMIT], errors="replace")
        given = {key: found[0] for key, found in values.items()}
        usual = Ask()
        asked = set(given.get("langs", "").split(","))
        return Ask(
            query=given.get("q", ""),
            engine=_one_of(SEARCH_BY, given.get("engine"), usual.engine),
            langs=tuple(lang for lang in languages if lang in asked),
            count=_one_of(COUNTS, given.get("k"), usual.count),
            quota=_one_of(QUOTAS, given.get("quota"), usual.quota),
        )


def _one_of(choices: Iterable[Choice], text: str | None, usual: Choice) -> Choice:
    return next((choice for choice in choices if str(choice) == text), usual)
