"""What the page "Evaluate" shows for an address: an evaluation by some grades and a measure, seen from one side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from mdr.core.permissions import Person
from mdr.core.policies import POLICIES
from mdr.core.recent import Recent
from mdr.errors import MdrError, NotAllowedError
from mdr.services.evaluation.bias import BiasReport, bias_report
from mdr.services.evaluation.measuring import Evaluated, Measured, MeasuringService
from mdr.services.judging.service import GRADES
from mdr.types import Query
from mdr.ui.compare.address import VIEWS, Compared, Evaluating
from mdr.ui.compare.view import ROWS, name_of
from mdr.ui.evaluate import figures as drawn
from mdr.ui.parts.render import Renderer
from mdr.ui.words.catalogue import N_, _
from mdr.ui.words.troubles import told
from mdr.workbench import Workbench

if TYPE_CHECKING:
    from mdr.services.evaluation.holes import HolesReport
    from mdr.services.judging.graded_things import Thing

SOURCES_SAID: Mapping[str, str] = {
    "collection": N_("the collection's own"),
    "judged": N_("people's judgements"),
    "both": N_("both; people's count first"),
    "file": N_("an uploaded file"),
}
VIEWS_SAID: Mapping[str, str] = {
    "scores": N_("How good"),
    "holes": N_("What nobody judged"),
    "agreement": N_("Do judges agree"),
    "bias": N_("Language bias"),
}
POLICIES_SAID: Mapping[str, str] = {
    "majority": N_("majority"),
    "mean": N_("mean"),
    "strictest": N_("strictest"),
    "adjudicated": N_("adjudicated"),
}
_POOLS = {"all": N_("all languages"), "own": N_("own language")}
assert set(POLICIES_SAID) == set(POLICIES)
assert {*VIEWS_SAID, "queries"} == set(VIEWS)


class EvaluateView:
    """Addresses to HTML, over one collection, for the person who asks."""

    def __init__(self, workbench: Workbench, collection: str, render: Renderer) -> None:
        self._workbench, self._collection, self._render = workbench, collection, render
        self._reports = Recent(24)
        self._views: Mapping[str, Callable[[Evaluated, Evaluating, Person], dict[str, Any]]] = {
            "scores": self._scores,
            "holes": self._holes,
            "agreement": self._agreement,
            "bias": self._bias,
            "queries": self._queries,
        }

    @property
    def _measuring(self) -> MeasuringService:
        return self._workbench.measuring(self._collection)

    def html(self, address: str, person: Person) -> str:
        """What an address shows; what cannot be shown says why, below the same controls."""
        asked = Evaluating.of(address)
        about: dict[str, Any] = {"problem": "", "remedy": "", "offer": None, "body": "", "evaluated": None}
        try:
            evaluations = self._measuring.evaluations()
            if evaluations:
                self._measuring.sources.allow(asked.grading, person)
                evaluated = self._measuring.evaluated(asked.run)
                about |= {"evaluated": evaluated, "files": _files(evaluated, asked)}
                about |= {"body": asked.view, **self._views[asked.view](evaluated, asked, person)}
            else:
                about["offer"] = len({row[0] for row in self._measuring.collection.qrel_rows})
        except MdrError as error:
            problem, remedy = told(error)
            about |= {"problem": problem, "remedy": remedy, "body": ""}
        about["may_start"] = self._workbench.runs.may_start(person)
        return self._render("evaluate", {**self._controls(asked), **about})

    def _controls(self, asked: Evaluating) -> dict[str, Any]:
        evaluations = self._measuring.evaluations()
        chosen = next((its for its in evaluations if its.name == asked.run), evaluations[0] if evaluations else None)
        grading = asked.grading
        judged = grading.source in ("judged", "both")
        return {
            "asked": asked,
            "permalink": asked.address(),
            "runs": [(its.name, f"{its.name} · {_(_POOLS[its.pool])}") for its in evaluations],
            "run": chosen.name if chosen else "",
            "measures": [(name, name) for name in (chosen.measures(grading) if chosen else [asked.measure])],
            "sources": [(key, _(said)) for key, said in SOURCES_SAID.items() if key != "file" or grading.file],
            "policies": [(name, _(POLICIES_SAID[name])) for name in POLICIES] if judged else [],
            "campaigns": self._campaigns(asked) if judged else [],
            "views": VIEWS_SAID,
            "name_of": name_of,
        }

    def _campaigns(self, asked: Evaluating) -> list[tuple[str, str]]:
        try:
            named = [name for name in self._measuring.sources.campaigns() if name]
        except MdrError:  # told where the grades are asked for
            named = []
        return [("", _("all judgements")), *((name, name) for name in named)] if named else []

    # -- views --------------------------------------------------------------------------------------------

    def _scores(self, evaluated: Evaluated, asked: Evaluating, person: Person) -> dict[str, Any]:
        measured = self._measuring.measured(evaluated, asked.measure, asked.grading)
        table = measured.table
        return {
            "table": table,
            "figure": drawn.scores(table, asked),
            "left_out": self._left_out(measured),
            "compared": self._versus(evaluated, asked),
        }

    def _left_out(self, measured: Measured) -> list[tuple[str, int, list[Query]]]:
        """Why queries have no value, how many, and the first of them; of one that is not the collection's, its id."""
        known = self._measuring.queries
        return [
            (why, len(ids), [known.get(id) or Query(id, "", id) for id in ids[:ROWS]])
            for why, ids in measured.left_out.items()
            if ids
        ]

    def _versus(self, evaluated: Evaluated, asked: Evaluating) -> list[tuple[str, str, str]]:
        """Links to the comparison of the first system with each other one."""
        first, *others = [self._key(evaluated, system) for system in evaluated.systems]
        versus = Compared(a=first, measure=asked.measure, grading=asked.grading)
        return [(first, other, f"compare{versus.address(b=other)}") for other in others]

    def _holes(self, evaluated: Evaluated, asked: Evaluating, person: Person) -> dict[str, Any]:
        from mdr.services.evaluation.holes import TREATMENTS

        report = self._holes_report(evaluated, asked)
        return {"holes": report, "treatments": TREATMENTS, "figure": drawn.holes(report, asked)}

    def _agreement(self, evaluated: Evaluated, asked: Evaluating, person: Person) -> dict[str, Any]:
        campaign, service = asked.grading.campaign or None, self._workbench.agreement
        try:
            if asked.by:
                which = (asked.by, asked.lang, asked.other)
                return self._items(service.behind(self._collection, campaign, *which, person=person), asked)
            found = service.agreement(self._collection, campaign, person=person)
        except NotAllowedError as error:
            here = f"`mdr judgements agreement {self._collection}` tells it on the machine itself"
            raise NotAllowedError(error.problem, f"{error.remedy}; or {here}") from error
        return {"agreement": found, "disputed": found.things[:ROWS], "grades": GRADES}

    def _items(self, things: Sequence[Thing], asked: Evaluating) -> dict[str, Any]:
        """Who graded what how, behind a number about judges."""
        pages = max(1, -(-len(things) // ROWS))
        page = min(asked.page, pages)
        collection = self._measuring.collection
        return {
            "body": "agreement_items",
            "things": [
                (thing, collection.passage(thing.passage) if thing.passage in collection.positions else None)
                for thing in things[(page - 1) * ROWS : page * ROWS]
            ],
            "count": len(things),
            "page": page,
            "pages": pages,
            "grades": GRADES,
            "whose": [_(name) for name in (asked.lang, asked.other) if name],
        }

    def _bias(self, evaluated: Evaluated, asked: Evaluating, person: Person) -> dict[str, Any]:
        system = asked.system if asked.system in evaluated.systems else evaluated.systems[0]
        report = self._bias_report(evaluated, system, asked)
        return {"bias": report.bias, "system": system, "figure": drawn.bias(report, system, asked)}

    def _holes_report(self, evaluated: Evaluated, asked: Evaluating) -> HolesReport:
        graded = self._measuring.sources.graded(asked.grading)
        return self._reports.get(
            (evaluated.artefact.key, asked.measure, graded.fingerprint, asked.grading.campaign),
            lambda: self._workbench.holes(self._collection).report(evaluated, asked.measure, asked.grading),
        )

    def _bias_report(self, evaluated: Evaluated, system: str, asked: Evaluating) -> BiasReport:
        graded = self._measuring.sources.graded(asked.grading)
        return self._reports.get(
            (evaluated.artefact.key, system, graded.fingerprint),
            lambda: bias_report(self._measuring, evaluated, system, asked.grading),
        )

    def _queries(self, evaluated: Evaluated, asked: Evaluating, person: Person) -> dict[str, Any]:
        system = asked.system if asked.system in evaluated.systems else evaluated.systems[0]
        if asked.other:
            report = self._bias_report(evaluated, system, asked)
            places = sorted(report.places.get((asked.lang, asked.other), []), key=lambda place: -place.rank)
            rows = [(place.query, self._rank(place.rank, report.bias.k)) for place in places]
        elif asked.by:
            values = self._holes_report(evaluated, asked).values[system].get(asked.by, {})
            known = self._measuring.queries
            rows = [
                (known[id], f"{value:.3f}")
                for id, value in sorted(values.items(), key=lambda row: (row[1], row[0]))
                if id in known
            ]
        else:
            measured = self._measuring.measured(evaluated, asked.measure, asked.grading)
            rows = [(row.query, f"{row.value:.3f}") for row in self._measuring.behind(measured, system, asked.lang)]
        pages = max(1, -(-len(rows) // ROWS))
        page = min(asked.page, pages)
        others = [name for name in evaluated.systems if name != system]
        first, second = (self._key(evaluated, name) for name in ((others or [system])[0], system))
        versus = Compared(a=first, b=second, grading=asked.grading)
        return {
            "system": system,
            "rows": [
                (query, shown, f"compare{versus.address(id=query.id)}")
                for query, shown in rows[(page - 1) * ROWS : page * ROWS]
            ],
            "count": len(rows),
            "page": page,
            "pages": pages,
        }

    def _key(self, evaluated: Evaluated, system: str) -> str:
        """A system of an evaluation as the page "Compare" calls it."""
        first = self._measuring.evaluations()[0]
        return system if evaluated.usual and evaluated.name == first.name else f"{system}:{evaluated.name}"

    @staticmethod
    def _rank(rank: int, k: int) -> str:
        return _("rank %(rank)s", rank=rank) if rank <= k else _("not among the first %(depth)s", depth=k)


def _files(evaluated: Evaluated, asked: Evaluating) -> list[tuple[str, str]]:
    """Links to what can be taken along, and what it is."""
    wanted = [("qrels", "", _("Grades (TREC qrels)"))]
    wanted += [("csv", "", _("Values (CSV)")), ("parquet", "", _("Values (Parquet)"))]
    for system in evaluated.systems:
        wanted.append(("run", system, _("Rankings of %(system)s (TREC run)", system=name_of(system))))
    plain = asked.address(view="scores", system="", lang="", other="", by="", page=1).removeprefix("?")
    return [
        (f"mdr/evaluate/file?{urlencode({'what': what, 'system': system})}&{plain}", said)
        for what, system, said in wanted
    ]
