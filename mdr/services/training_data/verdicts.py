"""What people say of training pairs: confirmed, rejected, or turned round. Kept as judgements of one campaign, with the
pair and the models that proposed it, so that they can be trained on and traced."""

from __future__ import annotations

from collections.abc import Callable

from mdr.core.permissions import Person, require
from mdr.errors import InputError, MissingError
from mdr.services.judging.service import JudgingService, query_id
from mdr.services.training_data.rows import PairRef
from mdr.services.training_data.threads import Named, Thread, Threads
from mdr.storage.judgement_events import JudgementEvent

CAMPAIGN = "training-data"
ANSWERS, DOES_NOT = 3, 0
"""The grades that a verdict stands for."""


class PairVerdicts:
    """Verdicts on the passages that pairs name."""

    def __init__(self, threads: Threads, judging: Callable[[], JudgingService]) -> None:
        self._threads, self._judging = threads, judging

    def say(
        self, person: Person, ref: PairRef, passage: str, answers: bool | None, *, event: str | None = None
    ) -> JudgementEvent:
        """A person says that a passage answers the pair's query, or does not; None takes that back."""
        require(person, "grade")
        thread = self._threads.thread(ref)
        if not thread.collection:
            raise InputError(
                f"the collection of {ref} has no name that judgements could be kept under",
                "import it with a name: `mdr import FORMAT PATH --name NAME`",
            )
        place, named = _find(thread, passage)
        assert named.passage
        fingerprints = thread.row.found.evidence.get("fingerprints", {})
        return self._judging().record(
            "withdraw" if answers is None else "grade",
            person.name,
            thread.collection,
            thread.row.query,
            named.passage,
            grade=None if answers is None else ANSWERS if answers else DOES_NOT,
            note=f"pair {ref}, {named.role}",
            event=event,
            campaign=CAMPAIGN,
            rank=place,
            evidence=True,
            index_fingerprint=fingerprints.get("dense") or fingerprints.get("lexical"),
            model_fingerprint=fingerprints.get("generator") or fingerprints.get("encoder"),
        )

    def said(self, person: Person, thread: Thread) -> dict[str, bool]:
        """What a person says of the passages of a thread, by id."""
        if not person.name or not thread.collection:
            return {}
        query = thread.row.query.id or query_id(thread.row.query)
        mine = self._judging().store.current(
            "judgements", thread.collection, annotator=person.name, campaign=CAMPAIGN, query=query
        )
        return {event.passage: event.grade >= ANSWERS for event in mine if event.grade is not None}


def _find(thread: Thread, passage: str) -> tuple[int, Named]:
    for place, named in enumerate(thread.named, 1):
        if named.id == passage and named.passage:
            return place, named
    raise MissingError(f"pair {thread.row.ref} does not name passage {passage[:100]!r}", "reload the page")
