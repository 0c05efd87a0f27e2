"""Questions to begin with."""

from __future__ import annotations

from mdr.services.search.service import SearchService
from mdr.types import Query


def examples(searcher: SearchService) -> list[Query]:
    """One question in each language, spread over the collection so that they ask about different things."""
    by_lang: dict[str, list[Query]] = {}
    for query in sorted(searcher.collection.queries(), key=lambda query: query.id):
        by_lang.setdefault(query.lang, []).append(query)
    langs = sorted(by_lang)
    return [by_lang[lang][place * len(by_lang[lang]) // len(langs)] for place, lang in enumerate(langs)]
