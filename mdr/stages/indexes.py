"""The indexes that a stage was given, opened: a lexical one, a dense one, or both; and the queries to ask them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from mdr.core.chance import chance
from mdr.core.languages import code_of
from mdr.core.mining import DENSE, LEXICAL
from mdr.errors import InputError, MissingError
from mdr.ports import Engines, Retriever
from mdr.stages.index import encoder_of
from mdr.stages.stage import Work
from mdr.storage.artefacts import Artefact
from mdr.types import Query

COLLECTION, QUERIES, PAIRS, GENERATOR = "collection", "queries", "pairs", "generator"
"""Slots of stages that make pairs, beside those of the indexes."""


def _known(langs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(map(code_of, langs))))


Langs: TypeAlias = Annotated[tuple[str, ...], AfterValidator(_known)]
"""Language codes, each once and in order."""


def index_fingerprints(inputs: Mapping[str, Artefact], engines: Engines, encoder: str = "") -> dict[str, str]:
    """What can change the answers of the indexes given, beside their content. `encoder`: other than the index names."""
    found = {}
    if DENSE in inputs:
        found["encoder"] = engines.encoder(encoder or encoder_of(inputs[DENSE])).fingerprint
    if LEXICAL in inputs:
        found["analyzers"] = engines.analyzer_fingerprint(inputs[COLLECTION].manifest.counts["languages"])
    return found


def teacher_fingerprints(inputs: Mapping[str, Artefact], engines: Engines, generator: str) -> dict[str, str]:
    """Those of the indexes, and of the generator that an input or a name gives."""
    return {"generator": engines.generator(generator_of(inputs, generator)).fingerprint} | index_fingerprints(
        inputs, engines
    )


def open_indexes(work: Work, encoder: str = "") -> dict[str, Retriever]:
    """Every index that is given, by side."""

    def open_dense() -> Retriever:
        dense, passages = work.inputs[DENSE], work.inputs[COLLECTION].folder
        return work.engines.open_dense(dense.folder, passages, encoder=encoder or encoder_of(dense))

    openers: dict[str, Callable[[], Retriever]] = {
        LEXICAL: lambda: work.engines.open_lexical(work.inputs[LEXICAL].folder),
        DENSE: open_dense,
    }
    return {side: opened() for side, opened in openers.items() if side in work.inputs}


def chosen_queries(
    stage: str, known: list[Query], splits: Collection[str], split: str, langs: Collection[str]
) -> list[Query]:
    """Those of a split's queries that are in some languages (none: in all). `splits`: what may be asked for."""
    if split and split not in splits:
        have = ", ".join(sorted(filter(None, splits))) or "none"
        raise MissingError(
            f"{stage}: the queries have no split {split!r}; they have {have}", "choose one, or none for all"
        )
    queries = [query for query in known if not langs or query.lang in langs]
    if not queries:
        have = ", ".join(sorted({query.lang for query in known})) or "none"
        raise InputError(
            f"{stage}: there are no queries in split {split or 'all'!r} and languages "
            f"{', '.join(langs) or 'all'}; languages with queries: {have}",
            "choose another split or languages, or give another collection as `queries`",
        )
    return queries


def sampled(queries: Sequence[Query], samples: int, seed: int) -> list[Query]:
    """So many of each language (0: all), in their order. Only seed and ids decide: fewer are a part of more."""
    if not samples:
        return list(queries)
    by_lang: dict[str, list[str]] = {}
    for query in queries:
        by_lang.setdefault(query.lang, []).append(query.id)
    kept: set[str] = set()
    for ids in by_lang.values():
        kept.update(sorted(ids, key=lambda id: (chance(seed, id), id))[:samples])
    return [query for query in queries if query.id in kept]


def generator_of(inputs: Mapping[str, Artefact], name: str) -> str:
    """The generator that an earlier step trained, if it is given, or one by its name."""
    return str(inputs[GENERATOR].folder) if GENERATOR in inputs else name
