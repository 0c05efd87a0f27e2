"""Asks to HTML: one column of passages for each system, or what stood in the way. Knows no Gradio."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from uuid import uuid4

from mdr.errors import MdrError
from mdr.services.judging.service import GRADES
from mdr.services.search.service import DEPTH, Answer, Found, SearchService
from mdr.storage.disks import outlives_container
from mdr.types import Passage, Query
from mdr.ui.parts.examples import examples
from mdr.ui.parts.render import Renderer
from mdr.ui.search.address import Ask, System
from mdr.ui.words.catalogue import _
from mdr.ui.words.troubles import told
from mdr.workbench import Workbench

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Versions:
    """How a passage can be read in other languages: one opened at once, the others that say the same, and languages
    that the reader knows and that have nothing but a nearest passage."""

    opened: Passage | None
    others: Sequence[Passage]
    near: Sequence[str]


@dataclass(frozen=True)
class Card:
    """A passage found, how else it can be read, and its rank in the other column: 0 where it is not."""

    found: Found
    versions: Versions
    elsewhere: int


@dataclass(frozen=True)
class Column:
    """What one system answered."""

    system: System
    answer: Answer
    cards: Sequence[Card]

    @property
    def languages(self) -> int:
        """How many languages its passages are in."""
        return len({card.found.passage.lang for card in self.cards})


class Answers:
    """Everything that the search page shows below its fields, over one collection."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render

    @property
    def searcher(self) -> SearchService:
        """With the collection's own model."""
        return self._workbench.searcher(self._collection)

    def answer(self, ask: Ask, visitor: str = "", reads: Sequence[str] = ()) -> str:
        """The HTML that answers a visitor who reads these languages; whatever goes wrong, it says so."""
        if not ask.query.strip():
            return self.welcome()
        try:
            return self._answered(ask, self._columns(ask, reads), visitor)
        except MdrError as error:
            return self._error(ask, *told(error))
        except Exception:
            _log.exception("a search failed")
            return self._error(ask, _("the search failed"), _("try again; the terminal that runs mdr says more"))

    def _columns(self, ask: Ask, reads: Sequence[str]) -> list[Column]:
        options: dict[str, Any] = {"k": ask.count, "langs": ask.langs, "quota": ask.quota}
        answers = [
            self._workbench.searcher(self._collection, system.model).search(ask.query, engine=system.engine, **options)
            for system in ask.systems
        ]
        ranks = [{found.passage.id: found.rank for found in answer.found} for answer in answers]
        elsewhere = ranks[::-1] if len(ranks) == 2 else [{}]
        return [
            Column(
                system,
                answer,
                [
                    Card(found, self._versions(found.passage, reads), other.get(found.passage.id, 0))
                    for found in answer.found
                ],
            )
            for system, answer, other in zip(ask.systems, answers, elsewhere, strict=True)
        ]

    def _versions(self, passage: Passage, reads: Sequence[str]) -> Versions:
        twins = self.searcher.twins(passage)
        there = {twin.lang: twin for twin in reversed(twins)}
        foreign = [lang for lang in reads if lang in self.searcher.languages] if passage.lang not in reads else []
        opened = next((there[lang] for lang in foreign if lang in there), None)
        near = [] if opened else foreign
        return Versions(opened, [twin for twin in twins if twin is not opened], near)

    def _answered(self, ask: Ask, columns: Sequence[Column], visitor: str) -> str:
        query = columns[0].answer.query
        mine, trouble = self._mine(query, visitor)
        values = {"permalink": ask.address(), "query": query, "columns": columns, "mine": mine, "trouble": trouble}
        constant = {"collection": self._collection, "depth": DEPTH, "grades": GRADES, "ways_out": _ways_out(ask)}
        return self._render("answer", {"nonce": uuid4().hex} | values | constant)

    def _mine(self, query: Query, visitor: str) -> tuple[Mapping[str, int], str]:
        """The visitor's grades for a query; a judgement file that cannot be read must not stop a search."""
        try:
            return (self._workbench.judging.grades(visitor, self._collection, query) if visitor else {}), ""
        except MdrError as error:
            return {}, _("Grades cannot be saved now: %(why)s", why="; ".join(told(error)))

    def _error(self, ask: Ask, problem: str, remedy: str) -> str:
        values = {"nonce": uuid4().hex, "permalink": ask.address(), "problem": problem, "remedy": remedy}
        return self._render("error", values)

    def welcome(self) -> str:
        """The HTML before the first question."""
        searcher = self.searcher
        return self._render(
            "welcome",
            {
                "nonce": uuid4().hex,
                "passages": len(searcher.collection),
                "langs": searcher.languages,
                "examples": self._examples,
                "passing": self._passing,
            },
        )

    @cached_property
    def _passing(self) -> str:
        """On a Space whose disk does not outlive it: `lost`, or `copied` where judgements are kept on the hub."""
        settings = self._workbench.settings
        if not settings.space_id or outlives_container(settings.home):
            return ""
        return "copied" if settings.snapshot_repo else "lost"

    @cached_property
    def _examples(self) -> list[tuple[Query, str]]:
        return [(query, Ask(query.text).address()) for query in examples(self.searcher)]


def _ways_out(ask: Ask) -> list[tuple[str, str]]:
    """Links that widen a search which found nothing."""
    ways = []
    if ask.langs:
        ways.append((replace(ask, langs=()).address(), _("Search passages in all languages")))
    if ask.engine != "dense":
        ways.append((replace(ask, engine="dense").address(), _("Search by meaning: it needs no word in common")))
    ways.append(("?", _("Start again with an example")))
    return ways
