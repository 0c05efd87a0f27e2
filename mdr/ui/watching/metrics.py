"""Numbers for a collector, in Prometheus's text format: what was asked and how long it took, what waits, what is kept.

No label holds what a visitor chose. What is counted as it happens is here; what there is at a moment is looked up when
somebody collects, and left out where it cannot be known.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from mdr.services.machine.health import Health
from mdr.ui.door.admission import Admission
from mdr.ui.watching.watch import STREAMS
from mdr.workbench import Workbench

CONTENT = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_log = logging.getLogger(__name__)


class Metrics:
    """Of one server."""

    def __init__(self, workbench: Workbench, health: Health, admission: Admission) -> None:
        self._registry = CollectorRegistry()
        here = self._registry
        self._requests = Counter("mdr_requests", "Answers, by class and status.", ["route", "status"], registry=here)
        self._seconds = Histogram(
            "mdr_request_seconds", "Seconds to the end of an answer.", ["route"], buckets=_SECONDS, registry=here
        )
        self._judged = Counter("mdr_judgements_acknowledged", "Judgements that are on disk.", registry=here)
        ProcessCollector(registry=self._registry)
        self._registry.register(_Looked(workbench, health, admission))

    def seen(self, route: str, status: int, seconds: float) -> None:
        """An answer went out."""
        self._requests.labels(route, str(status)).inc()
        if route not in STREAMS:
            self._seconds.labels(route).observe(seconds)
        if route == "judge" and status == 200:
            self._judged.inc()

    def text(self) -> bytes:
        """Everything, as collectors read it."""
        return generate_latest(self._registry)


class _Looked(Collector):
    """What there is at the moment."""

    def __init__(self, workbench: Workbench, health: Health, admission: Admission) -> None:
        self._workbench, self._health, self._admission = workbench, health, admission
        self._parts: Sequence[Callable[[], Iterable[Metric]]] = (
            self._lines,
            self._judgements,
            self._snapshots,
            self._disk,
            self._runs,
        )

    def collect(self) -> Iterator[Metric]:
        for part in self._parts:
            try:
                yield from part()
            except Exception:
                _log.warning("some numbers cannot be had", exc_info=True)

    def describe(self) -> Iterable[Metric]:
        return ()  # or registering would look everything up

    def _lines(self) -> Iterator[Metric]:
        now = GaugeMetricFamily("mdr_line", "Searches and pieces of pages, by what they do.", labels=["what", "state"])
        refused = CounterMetricFamily("mdr_refused", "Refused, by what for and why.", labels=["what", "why"])
        stopped = CounterMetricFamily("mdr_stopped", "Begun and not ended, by why.", labels=["what", "why"])
        for name, line in self._admission.lines.items():
            now.add_metric([name, "running"], line.running)
            now.add_metric([name, "waiting"], line.waiting)
            for why in ("full", "each", "patience", "gone"):
                refused.add_metric([name, why], line.refused[why])
            for why in ("gone", "late"):
                stopped.add_metric([name, why], line.stopped[why])
        for name, count in self._admission.refused.items():
            refused.add_metric([name, "rate"], count)
        yield from (now, refused, stopped)

    def _judgements(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("mdr_judgement_events", "Events in the judgement file.", self._health.judgements())
        size = self._workbench.settings.judgements.stat().st_size
        yield GaugeMetricFamily("mdr_judgement_bytes", "Size of the judgement file.", size)

    def _snapshots(self) -> Iterator[Metric]:
        kept = self._workbench.snapshots.kept
        if kept.taken is not None:
            age = max(0.0, time.time() - kept.taken)
            yield GaugeMetricFamily("mdr_snapshot_age_seconds", "Since judgements were last written aside.", age)
        yield GaugeMetricFamily("mdr_snapshot_failing", "1: the last try failed.", float(bool(kept.problem)))

    def _disk(self) -> Iterator[Metric]:
        free = shutil.disk_usage(self._workbench.settings.home).free
        yield GaugeMetricFamily("mdr_home_free_bytes", "Bytes that are free where everything is kept.", free)

    def _runs(self) -> Iterator[Metric]:
        found = GaugeMetricFamily("mdr_runs", "Runs that were asked for, by what they do now.", labels=["state"])
        states = [job.state for job in self._workbench.runs.jobs.all()]
        for state in ("queued", "running"):
            found.add_metric([state], states.count(state))
        yield found
