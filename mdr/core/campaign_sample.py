"""What the judges of a campaign have done so far, as a sample of its pool with known probabilities.

Judges are handed items in the order of drawing, of the languages that they read. So the items of each passage language
are a sample of their own, down to the last that was graded. What was passed over on the way (skipped, given to somebody
who has not come to it, left open by the policy) is taken to be missing by chance: the probabilities are that much less.
Languages in which nothing was graded yet are no part of the pool.
"""

from __future__ import annotations

from dataclasses import replace

from mdr.core.campaigns import Campaign, Item, inclusions
from mdr.core.sampled import Drawn, Sample
from mdr.types import Qrels


def sample_of(campaign: Campaign, grades: Qrels) -> Sample:
    """The pool of each query with what was graded of it; `grades` of other things than the campaign's are left out."""
    by_lang: dict[str, list[Item]] = {}
    for item in campaign.items:
        by_lang.setdefault(item.lang, []).append(item)
    pools: dict[str, set[str]] = {}
    graded: dict[str, dict[str, tuple[int, float]]] = {}
    for items in by_lang.values():
        places = [place for place, item in enumerate(items) if item.passage in grades.get(item.query, ())]
        if not places:
            continue
        reached = places[-1] + 1
        chances = inclusions(replace(campaign, items=items), reached)
        answered = len(places) / reached
        for item in items:
            pools.setdefault(item.query, set()).add(item.passage)
        for place in places:
            item = items[place]
            grade = grades[item.query][item.passage]
            graded.setdefault(item.query, {})[item.passage] = (grade, chances[place] * answered)
    return {query: Drawn(pool, graded.get(query, {})) for query, pool in pools.items()}
