"""What is asked of the search page, as its fields hold it and as its address does. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qs, urlencode

from mdr.ui.words.catalogue import N_, _

SEARCH_BY = {"hybrid": N_("Words and meaning"), "dense": N_("Meaning"), "bm25": N_("Words")}
COUNTS = (5, 10, 20, 50)
QUOTAS = {0: N_("any"), 1: "1", 2: "2", 3: "3"}
"""What the fields offer."""

_LIMIT = 50_000
Choice = TypeVar("Choice", int, str)


class System(NamedTuple):
    """What finds and orders passages: an engine, with the model that its meaning comes from; "" is the usual one."""

    engine: str
    model: str = ""

    @property
    def code(self) -> str:
        """As an address says it."""
        return f"{self.engine}:{self.model}" if self.model else self.engine

    @property
    def label(self) -> str:
        """As a person reads it."""
        name = _(SEARCH_BY[self.engine])
        return f"{name} · {self.model}" if self.model else name

    @staticmethod
    def of(code: str) -> System:
        """The other way round; the code is one of `systems`."""
        return System(*code.split(":", 1))


def systems(models: Iterable[str]) -> list[System]:
    """Every system there is with these models; words need none."""
    meaning = [engine for engine in SEARCH_BY if engine != "bm25"]
    return [*(System(engine, model) for model in models for engine in meaning), System("bm25")]


@dataclass(frozen=True)
class Ask:
    """A question and its options; `langs` empty means all, `quota` 0 any number per language, `beside` the code of a
    system whose answer stands beside.

    Usually an answer mixes languages: without a quota the question's own language would often fill it alone.
    """

    query: str = ""
    engine: str = "hybrid"
    langs: tuple[str, ...] = ()
    count: int = 10
    quota: int = 3
    model: str = ""
    beside: str = ""

    def address(self) -> str:
        """The address that brings this back; what is as usual is left out."""
        # A lone surrogate has no place in an address.
        query = self.query.encode("utf-8", "replace").decode("utf-8")
        as_usual = Ask()._options()
        return "?" + urlencode(
            {"q": query} | {key: value for key, value in self._options().items() if value != as_usual[key]}
        )

    def _options(self) -> dict[str, str | int]:
        options: dict[str, str | int] = {"engine": self.engine, "langs": ",".join(self.langs), "k": self.count}
        return options | {"quota": self.quota, "model": self.model, "beside": self.beside}

    @property
    def systems(self) -> list[System]:
        """Whose answers are wanted, one column each."""
        own = System(self.engine, "" if self.engine == "bm25" else self.model)
        return [own, System.of(self.beside)] if self.beside else [own]

    @staticmethod
    def from_address(address: str, languages: Sequence[str], models: Sequence[str] = ("",)) -> Ask:
        """What an address asks; parts that are not understood count as not given.

        >>> Ask.from_address("?q=Nile&langs=th,xx&k=7&beside=bm25", ["en", "th"])
        Ask(query='Nile', engine='hybrid', langs=('th',), count=10, quota=3, model='', beside='bm25')
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
            model=_one_of(models, given.get("model"), usual.model),
            beside=_one_of([system.code for system in systems(models)], given.get("beside"), usual.beside),
        )


def _one_of(choices: Iterable[Choice], text: str | None, usual: Choice) -> Choice:
    return next((choice for choice in choices if str(choice) == text), usual)
