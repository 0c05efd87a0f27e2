"""Training data as people browse it: what steps mined, wrote, scored or dropped, filtered, in order, page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from math import ceil
from threading import Lock
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from mdr.errors import InputError, MissingError
from mdr.services.training_data import reports as pair_reports
from mdr.services.training_data.lineage import Lineage
from mdr.services.training_data.rows import SCORE_OF, Mentions, PairPage, PairRef, Row, Source, score_of
from mdr.services.training_data.tables import Report
from mdr.storage.artefacts import ArtefactStore
from mdr.storage.pair_browser import PAIR_TABLES, PairBrowser, PairFilter, PairTable, Rows
from mdr.storage.pairs import PAIRS, Scored

Order: TypeAlias = Literal["written", "lowest", "highest"]
ORDERS: tuple[Order, ...] = get_args(Order)
MOST = 100
"""Rows of a page."""
LEARNABLE: tuple[PairTable, ...] = ("kept", "lists")
"""Tables that models learn from."""


class Taught(NamedTuple):
    """How many pairs or lists name a passage, and how many of these a model learned from."""

    pairs: int
    learned: int


class TrainingData:
    """Everything that steps wrote for training, over one store."""

    def __init__(self, store: ArtefactStore) -> None:
        self._store = store
        self._browsers: dict[str, PairBrowser] = {}
        self._lock = Lock()

    def lineage(self) -> Lineage:
        """Who was made from whom, as of now."""
        return Lineage(self._store)

    def sources(self, lineage: Lineage | None = None) -> list[Source]:
        """What there is, newest first."""
        lineage = lineage or self.lineage()
        found = [
            Source(artefact, lineage.called(key))
            for key, artefact in lineage.artefacts.items()
            if (artefact.folder / PAIRS).is_file()
        ]
        return sorted(found, key=lambda source: (source.artefact.manifest.made, source.key), reverse=True)

    def source(self, key: str, lineage: Lineage | None = None) -> Source:
        """The source with a key, which may be shortened while it stays unique."""
        artefact = self._store.get(key if "/" in key else f"pairs/{key}")
        if not (artefact.folder / PAIRS).is_file():
            raise MissingError(f"{artefact.key} holds no pairs", "`mdr pairs` lists what does")
        return Source(artefact, (lineage or self.lineage()).called(artefact.key))

    def browser(self, source: Source) -> PairBrowser:
        """Its tables, opened once."""
        with self._lock:
            if source.key not in self._browsers:
                if len(self._browsers) >= _OPEN:
                    self._browsers.pop(next(iter(self._browsers)))
                self._browsers[source.key] = PairBrowser(source.artefact.folder)
            return self._browsers[source.key]

    def counts(self, source: Source) -> dict[PairTable, int]:
        """Rows by table."""
        return {table: self.browser(source).count(table) for table in PAIR_TABLES}

    def report(self, source: Source) -> Report | None:
        """What the step counted of what it wrote; None where it counted nothing."""
        return pair_reports.load(source.artefact) if source.stage in SCORE_OF else None

    def page(
        self,
        source: Source,
        table: PairTable = "kept",
        wanted: PairFilter = PairFilter(),  # noqa: B008  # frozen
        *,
        low: float | None = None,
        high: float | None = None,
        order: Order = "written",
        page: int = 1,
        size: int = 20,
    ) -> PairPage:
        """A page of the rows that fit. `low`, `high`: the least and the most that a row's score may be."""
        for what, value, known in (("table", table, PAIR_TABLES), ("order", order, ORDERS)):
            if value not in known:
                raise InputError(f"there is no {what} {value!r}", f"there are {', '.join(known)}")
        if not 1 <= size <= MOST:
            raise InputError(f"{size} rows were asked for", f"ask for 1 to {MOST}")
        browser = self.browser(source)
        rows = self._ordered(browser, source, table, browser.rows(table, wanted), low, high, order)
        pages = max(1, ceil(len(rows) / size))
        page = min(max(page, 1), pages)
        shown = rows[(page - 1) * size : page * size].tolist()
        found = [self._row(source, table, row) for row in shown]
        return PairPage(source, table, found, len(rows), page, pages, browser.facets(table))

    def row(self, ref: PairRef) -> tuple[Source, Row]:
        """One pair, with where it comes from."""
        source = self.source(f"pairs/{ref.recipe}")
        return source, self._row(source, ref.table, ref.row, every=True)

    def mentions(self, *, passage: str = "", query: str = "") -> list[Mentions]:
        """Every source that names a passage, or asks a query (its id or whole text), newest first."""
        if not passage and not query:
            raise InputError("nothing to look for", "give the id of a passage, or a query")
        lineage, found = self.lineage(), []
        for source in self.sources(lineage):
            roles = self._roles(self.browser(source), passage, query)
            if roles:
                models = [(its, lineage.called(its.key)) for its in lineage.models(source.key)]
                found.append(Mentions(source, roles, models))
        return found

    def taught(self, passages: Collection[str]) -> dict[str, Taught]:
        """For those of some passages that pairs or lists name: how many do, and how many of these a model learned
        from."""
        lineage = self.lineage()
        named: Counter[str] = Counter()
        learned: Counter[str] = Counter()
        for source in self.sources(lineage):
            models = lineage.models(source.key)
            for table in LEARNABLE:
                found = self.browser(source).counts_of(table, passages)
                named += found
                if models:
                    learned += found
        return {id: Taught(named[id], learned[id]) for id in passages if id in named}

    # -- how ----------------------------------------------------------------------------------------------

    def _roles(self, browser: PairBrowser, passage: str, query: str) -> dict[tuple[PairTable, str], int]:
        roles: dict[tuple[PairTable, str], int] = {}
        for table in PAIR_TABLES:
            if passage:
                roles |= {(table, role): len(rows) for role, rows in browser.naming(table, passage).items()}
            elif count := len(browser.rows(table, PairFilter(query=query))):
                roles[table, "query"] = count
        return roles

    def _ordered(
        self,
        browser: PairBrowser,
        source: Source,
        table: PairTable,
        rows: Rows,
        low: float | None,
        high: float | None,
        order: Order,
    ) -> Rows:
        if low is None and high is None and order == "written":
            return rows
        scores = browser.numbers(table, score_of)[rows]
        if low is not None or high is not None:
            fits = (scores >= (-np.inf if low is None else low)) & (scores <= (np.inf if high is None else high))
            rows, scores = rows[fits], scores[fits]
        if order == "written":
            return rows
        return rows[np.argsort(scores if order == "lowest" else -scores, kind="stable")]  # without a score: last

    def _row(self, source: Source, table: PairTable, row: int, *, every: bool = False) -> Row:
        browser = self.browser(source)
        found = browser.at(table, row)
        if isinstance(found, Scored):
            ids, score = found.candidates, max(found.scores, default=None)
        else:
            ids, score = (*found.positives, *found.negatives), score_of(found.evidence)
        ref = PairRef(source.artefact.manifest.recipe, table, row)
        return Row(ref, found, score, browser.passages(ids if every else ids[:1]))


_OPEN = 16
"""Artefacts whose tables stay open."""
