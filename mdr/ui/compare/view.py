"""What the page "Compare" shows for an address: a question in two systems, or two systems on all questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mdr.core.duels import Move, Tally
from mdr.core.permissions import Person
from mdr.core.summary import MACRO
from mdr.errors import MdrError, MissingError
from mdr.services.evaluation.comparison import ComparisonService, ManyQuestions, OneQuestion, System
from mdr.services.evaluation.measuring import Evaluated
from mdr.services.evaluation.tables import SURE
from mdr.types import Passage
from mdr.ui.compare.address import Compared
from mdr.ui.parts import figures
from mdr.ui.parts.examples import examples
from mdr.ui.parts.render import Renderer, tongue
from mdr.ui.search.address import SEARCH_BY
from mdr.ui.words.catalogue import N_, _
from mdr.ui.words.troubles import told
from mdr.workbench import Workbench

DEPTH = 10
"""Passages of each system in the picture."""
ROWS = 20
"""Questions on a page."""
LIVE = N_("searched just now, passages in every language")
POOLS = {"all": N_("passages in every language"), "own": N_("passages in the question's own language")}

_CHANGES = ("same", "up", "down", "in", "out")


class Line(NamedTuple):
    """A passage in the picture: its number there, where it stands on each side, what happened, and its grade."""

    number: int
    move: Move
    passage: Passage
    change: str
    said: str
    grade: int | None


class CompareView:
    """Addresses to HTML, over one collection."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render

    @property
    def _comparing(self) -> ComparisonService:
        return self._workbench.comparing(self._collection)

    def html(self, address: str, person: Person) -> str:
        """What an address shows; what cannot be shown says why, below the same controls."""
        asked = Compared.of(address)
        about: dict[str, Any] = {"problem": "", "remedy": "", "one": None, "several": None, "offer": None}
        try:
            self._comparing.measuring.sources.allow(asked.grading, person)
            about |= self._one(asked) if asked.q.strip() or asked.id else self._many(asked)
        except MdrError as error:
            problem, remedy = told(error)
            about |= {"problem": problem, "remedy": remedy}
        about["may_start"] = self._workbench.runs.may_start(person)
        return self._render("compare", {**self._controls(asked), **about})

    def _controls(self, asked: Compared) -> dict[str, Any]:
        comparing = self._comparing
        evaluated = comparing.measuring.evaluations()
        text = asked.q
        if asked.id and asked.id in comparing.measuring.queries:
            text = comparing.measuring.queries[asked.id].text
        return {
            "asked": asked,
            "text": text,
            "permalink": asked.address(),
            "systems": [(system.key, label(system)) for system in comparing.systems()],
            "first": name_of(asked.a),
            "second": name_of(asked.b),
            "measures": [(name, name) for name in _measures(evaluated, asked)],
            "languages": comparing.measuring.collection.languages,
        }

    # -- one question -------------------------------------------------------------------------------------

    def _one(self, asked: Compared) -> dict[str, Any]:
        found = self._comparing.question(
            asked.a, asked.b, asked.q, id=asked.id, depth=DEPTH, grading=asked.grading
        )
        lines = [_line(number, move, found) for number, move in enumerate(found.moves)]
        counts = {change: sum(line.change == change for line in lines) for change in _CHANGES}
        return {
            "one": found,
            "lines": lines,
            "left": _side(lines, second=False),
            "right": _side(lines, second=True),
            "counts": counts,
            "flow": figures.flow(found.moves, DEPTH),
            "depth": DEPTH,
            "origins": [_origin(ranked) for ranked in (found.first, found.second)],
        }

    # -- all questions ------------------------------------------------------------------------------------

    def _many(self, asked: Compared) -> dict[str, Any]:
        comparing = self._comparing
        if not any(its.usual for its in comparing.measuring.evaluations()) and {asked.a, asked.b} & set(SEARCH_BY):
            return {"offer": self._offer(asked)}
        if asked.a == asked.b:
            raise MissingError("a system does not differ from itself", "choose two different systems above")
        found = comparing.questions(asked.a, asked.b, asked.measure, asked.grading)
        rows = found.behind(asked.lang, asked.result or None)  # type: ignore[arg-type]
        pages = max(1, -(-len(rows) // ROWS))
        page = min(asked.page, pages)
        return {
            "several": found,
            "sure": found.test[MACRO]["p"] < SURE,
            "languages_shown": [_language(lang, found) for lang in found.tallies],
            "pools": [_(POOLS[its.pool]) for its in found.evaluated],
            "total_bar": figures.shares(found.total, title=_("all languages")),
            "rows": rows[(page - 1) * ROWS : page * ROWS],
            "count": len(rows),
            "page": page,
            "pages": pages,
        }

    def _offer(self, asked: Compared) -> dict[str, Any]:
        searcher = self._workbench.searcher(self._collection)
        graded = len({row[0] for row in searcher.collection.qrel_rows})
        links = [(query, asked.address(q=query.text)) for query in examples(searcher)]
        return {"questions": graded, "examples": links}


class LanguageRow(NamedTuple):
    """A line of the table by language."""

    lang: str
    tally: Tally
    bar: str
    mean: float
    low: float
    high: float
    holm: float


def _language(lang: str, found: ManyQuestions) -> LanguageRow:
    test: Mapping[str, Any] = found.test["languages"][lang]
    tally = found.tallies[lang]
    bar = figures.shares(tally, title=tongue(lang).name)
    return LanguageRow(lang, tally, bar, test["mean"], test["low"], test["high"], test["holm"])


def _line(number: int, move: Move, found: OneQuestion) -> Line:
    change = move.change(found.depth)
    return Line(number, move, found.passages[move.id], change, _said(move, change), found.grades.get(move.id))


def _said(move: Move, change: str) -> str:
    """What happened to a passage, in a few words: never by colour or an arrow alone."""
    if change == "in":
        return _("new, was %(rank)s", rank=move.first) if move.first else _("new")
    if change == "out":
        return _("gone, now %(rank)s", rank=move.second) if move.second else _("gone")
    if change == "same" or move.first is None or move.second is None:
        return _("same place")
    places = abs(move.first - move.second)
    return _("↑ %(n)s up", n=places) if change == "up" else _("↓ %(n)s down", n=places)


def _side(lines: Sequence[Line], second: bool) -> list[Line]:
    """The lines of one list, in its order."""
    ranked = [(line.move.second if second else line.move.first, line) for line in lines]
    placed = [(rank, line.number, line) for rank, line in ranked if rank is not None and rank <= DEPTH]
    return [line for *_, line in sorted(placed)]


def _origin(ranked: Any) -> str:
    if ranked.evaluated is None:
        return _(LIVE)
    its = ranked.evaluated
    return _("as evaluated in %(name)s, %(pool)s", name=its.name, pool=_(POOLS[its.pool]))


def name_of(key: str) -> str:
    """A system in a sentence."""
    engine, run = key.partition(":")[::2]
    name = _(SEARCH_BY.get(engine, engine))
    return f"{name} ({run})" if run else name


def label(system: System) -> str:
    """A system in a list to choose from."""
    return name_of(system.key)


def _measures(evaluated: Sequence[Evaluated], asked: Compared) -> list[str]:
    return evaluated[0].measures(asked.grading) if evaluated else [asked.measure]
