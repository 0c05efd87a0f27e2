"""The page "Guide": what this is, shown on real questions; the papers behind it; the shipped models; and privacy."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from mdr.errors import MdrError
from mdr.services.search.service import Found, SearchService
from mdr.types import Passage, Query
from mdr.ui.parts.examples import examples
from mdr.ui.parts.markdown import markdown
from mdr.ui.parts.render import Renderer
from mdr.ui.search.address import SEARCH_BY, Ask
from mdr.ui.search.explaining import Explaining
from mdr.ui.shell import shell
from mdr.workbench import Workbench


class Shown(NamedTuple):
    """A question of the collection: what each engine finds first, and one passage whose words go together with it."""

    query: Query
    address: str
    engines: dict[str, list[Found]]
    passage: Passage
    why: Markup


class GuidePage:
    """The page over one collection."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render

    def build(self) -> None:
        """One piece of HTML; called inside a Gradio page."""
        shell(self.html, elem_id="guide")

    def html(self) -> str:
        """The whole guide."""
        return self._render("guide", {"shown_example": self._example(), "cards": self.cards(), **self._counts()})

    def _counts(self) -> dict[str, Any]:
        searcher = self._workbench.searcher(self._collection)
        return {"passages": len(searcher.collection), "languages": searcher.languages, "labels": SEARCH_BY}

    def cards(self) -> list[tuple[str, Markup]]:
        """Names and cards of the shipped models."""
        return self._cards

    @cached_property
    def _cards(self) -> list[tuple[str, Markup]]:
        found = sorted(self._workbench.settings.assets.glob("models/*/README.md"))
        return [(path.parent.name, markdown(_body(path), below=2)) for path in found]

    def _example(self) -> Shown | None:
        """What was chosen, in the words of the language that is spoken."""
        if self._chosen is None:
            return None
        query, passage, engines = self._chosen
        explain = self._workbench.explainer(self._collection)
        why = Explaining(self._workbench, self._collection, self._render).shown(explain, query, passage)
        return Shown(query, Ask(query.text).address(), engines, passage, Markup(why))

    @cached_property
    def _chosen(self) -> tuple[Query, Passage, dict[str, list[Found]]] | None:
        """The question that shares most with an answer in another language, a right one if any is known."""
        searcher = self._workbench.searcher(self._collection)
        explain = self._workbench.explainer(self._collection)
        pairs = [(query, hit.passage) for query in examples(searcher) for hit in _abroad(searcher, query)]
        qrels = searcher.collection.qrels()
        right = [pair for pair in pairs if qrels.get(pair[0].id, {}).get(pair[1].id, 0) > 1]
        if not pairs:
            return None
        query, passage = max(right or pairs, key=lambda pair: len(explain.alignment(*pair).links))
        engines = {name: list(searcher.search(query.text, engine=name, k=3).found) for name in SEARCH_BY}
        return query, passage, engines


def _abroad(searcher: SearchService, query: Query) -> list[Found]:
    """The first passages in other languages than the question's."""
    others = [lang for lang in searcher.languages if lang != query.lang]
    try:
        return list(searcher.search(query.text, k=3, langs=others, quota=1).found) if others else []
    except MdrError:
        return []


def _body(card: Path) -> str:
    """A model card without the block of settings at its head."""
    text = card.read_text(encoding="utf-8")
    parts = text.split("---\n", 2) if text.startswith("---\n") else []
    return parts[2] if len(parts) == 3 else text
