"""What the page "Training data" shows for an address: a source's rows, its report, a pair's thread, or every use of a
passage or question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from mdr.core.permissions import Person
from mdr.errors import MdrError
from mdr.services.search.service import DEPTH
from mdr.services.training_data.rows import SCORE_OF, PairRef, Source
from mdr.services.training_data.threads import Thread
from mdr.storage.pair_browser import PairFilter
from mdr.types import Passage
from mdr.ui.parts.render import Renderer, tongue
from mdr.ui.training_data.address import REPORT, View
from mdr.ui.training_data.report import report_values
from mdr.ui.training_data.words import (
    ABOUT,
    FACETS,
    NONE_HERE,
    NOUNS,
    ORDERS,
    ROLES,
    SIDES,
    SLOTS,
    STAGES,
    SYSTEMS,
    TABS,
    USES,
    facts,
    state,
    story,
)
from mdr.ui.words.catalogue import _
from mdr.ui.words.troubles import told
from mdr.workbench import Workbench

FIRST = "mine-sample"
"""The recipe that an empty page offers."""
_SHOWN = 20
_ASKED = 200
"""Passages that may be asked about at once."""


class TrainingDataView:
    """Addresses to HTML, over one workbench."""

    def __init__(self, workbench: Workbench, render: Renderer) -> None:
        self._workbench, self._render = workbench, render

    def html(self, view: View, person: Person) -> str:
        """What an address shows."""
        if view.pair:
            return self._thread(view, person)
        if (view.passage or view.query) and not view.source:
            return self._mentions(view)
        sources = self._workbench.training_data.sources()
        if not sources:
            return self._empty(person)
        return self._browse(view, sources)

    def now(self, pair: str) -> str:
        """Where the passages of a pair rank now."""
        threads = self._workbench.threads
        thread = threads.thread(PairRef.parse(pair))
        systems = threads.ranks(thread)
        langs = sorted({named.passage.lang for named in thread.named if named.passage})
        pool = thread.source.artefact.manifest.settings.get("pool", "own")
        return self._render(
            "training_data_now",
            {
                "thread": thread,
                "systems": systems,
                "names": SYSTEMS,
                "roles": ROLES,
                "depth": DEPTH,
                "problems": sorted({f"{_called(its.name)}: {its.problem}" for its in systems if its.problem}),
                "languages": _("all languages") if pool == "all" else _(", ").join(tongue(lang).name for lang in langs),
            },
        )

    def taught(self, passages: Sequence[str]) -> str:
        """Links to the training data of those of some passages that have any; empty where none has."""
        found = self._workbench.training_data.taught(list(dict.fromkeys(passages))[:_ASKED])
        return self._render("training_data_taught", {"found": found, "view": View()}) if found else ""

    # -- views --------------------------------------------------------------------------------------------

    def _empty(self, person: Person) -> str:
        runs = self._workbench.runs
        recipe = next((each for each in runs.recipes() if each.id == FIRST), None)
        may_start = recipe is not None and runs.may_start(person)
        sample = self._workbench.settings.sample.name
        return self._render(
            "training_data_empty", {"recipe": recipe, "may_start": may_start, "sample": sample}
        )

    def _browse(self, view: View, sources: Sequence[Source]) -> str:
        data = self._workbench.training_data
        source = data.source(view.source) if view.source else sources[0]
        counts: Mapping[Any, int] = data.counts(source)
        report = data.report(source)
        tabs = {name: label for name, label in TABS.items() if counts.get(name) or (name == REPORT and report)}
        if view.show not in tabs:
            view = View.of({"source": view.source, "show": next(iter(tabs), "kept")})
        values: dict[str, Any] = {
            "view": view,
            "source": source,
            "sources": sources,
            "stages": STAGES,
            "tabs": tabs,
            "counts": counts,
            "report": None,
        }
        if view.show == REPORT and report:
            values["report"] = Markup(self._render("training_data_report", report_values(report, source, view)))
            return self._render("training_data_browse", values)
        page = data.page(
            source,
            view.show,  # type: ignore[arg-type]  # one of the tabs
            view.filter,
            low=view.low,
            high=view.high,
            order=view.order if view.order in ORDERS else "written",  # type: ignore[arg-type]
            page=view.page,
            size=_SHOWN,
        )
        values |= {
            "page": page,
            "about": ABOUT.get((source.stage, view.show), ABOUT["", view.show]),
            "facets": FACETS,
            "orders": ORDERS,
            "nouns": NOUNS,
            "none_here": NONE_HERE,
        }
        return self._render("training_data_browse", values)

    def _thread(self, view: View, person: Person) -> str:
        thread = self._workbench.threads.thread(PairRef.parse(view.pair))
        said, trouble = self._said(person, thread)
        return self._render(
            "training_data_thread",
            {
                "thread": thread,
                "back": view,
                "said": said,
                "trouble": trouble,
                "state": state(thread),
                "story": story(thread),
                "facts": facts(thread),
                "prints": thread.row.found.evidence.get("fingerprints", {}),
                "roles": ROLES,
                "sides": SIDES,
                "slots": SLOTS,
                "kinds": STAGES,
            },
        )

    def _said(self, person: Person, thread: Thread) -> tuple[Mapping[str, bool], str]:
        """A judgement file that cannot be read must not hide a thread."""
        try:
            return self._workbench.verdicts.said(person, thread), ""
        except MdrError as error:
            return {}, _("Verdicts cannot be saved now: %(why)s", why="; ".join(told(error)))

    def _mentions(self, view: View) -> str:
        data = self._workbench.training_data
        mentions = data.mentions(passage=view.passage, query="" if view.passage else view.query)
        return self._render(
            "training_data_mentions",
            {
                "view": view,
                "asked": view.passage or self._question(mentions, view.query),
                "passage": self._passage(mentions, view.passage) if view.passage else None,
                "mentions": mentions,
                "stages": STAGES,
                "tables": NOUNS,
                "uses": USES,
            },
        )

    def _passage(self, mentions: Sequence[Any], id: str) -> Passage | None:
        found = (self._workbench.training_data.browser(each.source).passages([id]) for each in mentions)
        return next((texts[id] for texts in found if id in texts), None)

    def _question(self, mentions: Sequence[Any], asked: str) -> str:
        """The text of a question that is asked for by its id."""
        for each in mentions:
            table = next(iter(each.roles))[0]
            page = self._workbench.training_data.page(each.source, table, PairFilter(query=asked), size=1)
            return page.rows[0].query.text
        return asked


def _called(system: str) -> str:
    return _(SYSTEMS.get(system, system))


assert SCORE_OF.keys() <= STAGES.keys()
