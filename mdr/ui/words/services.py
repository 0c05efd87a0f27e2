"""Words of services and stages that pages show: they say them in English, and pages translate what is listed here."""

from __future__ import annotations

from collections.abc import Mapping

from mdr.services.judging.service import GRADES
from mdr.ui.words.catalogue import N_

NUMBERS: Mapping[str, str] = {
    "dense score of positives": N_("meaning: score of positives"),
    "dense score of negatives": N_("meaning: score of negatives"),
    "dense margin of positives": N_("meaning: margin of positives"),
    "dense margin of negatives": N_("meaning: margin of negatives"),
    "lexical score of positives": N_("words: score of positives"),
    "lexical score of negatives": N_("words: score of negatives"),
    "lexical margin of positives": N_("words: margin of positives"),
    "lexical margin of negatives": N_("words: margin of negatives"),
}
"""What reports count by side, plainly."""

WORDS = (
    # grades, and the campaign that needs no making
    N_("not relevant"),
    N_("related"),
    N_("answers partly"),
    N_("answers fully"),
    N_("Open pool"),
    # why something was refused while mining and generating
    N_("empty query"),
    N_("query too long"),
    N_("no passages in its language"),
    N_("nothing found"),
    N_("no agreement"),
    N_("not reciprocal"),
    N_("admitted as a positive"),
    N_("same text as a positive"),
    N_("high in the other list"),
    N_("too near to the positive"),
    N_("dense score not known"),
    N_("same text as another candidate"),
    N_("nothing written"),
    N_("in another language"),
    N_("too short"),
    N_("too long"),
    N_("longer than its passage"),
    N_("copied from its passage"),
    N_("repeats itself"),
    N_("written before for its passage"),
    N_("likelier for another passage"),
    N_("does not find its passage"),
    N_("unlikely for its language"),
    N_("its pair has no answer"),
    N_("too few candidates"),
    N_("no passage was judged an answer"),
    N_("judges do not agree"),
    N_("not in the collection"),
    # rules and origins
    N_("intersection"),
    N_("union"),
    N_("lexical"),
    N_("dense"),
    N_("text"),
    N_("duplicate"),
    N_("round trip"),
    N_("likelihood"),
    N_("labelled"),
    N_("mined"),
    N_("generated"),
    N_("judged"),
    # what reports count
    N_("queries"),
    N_("questions"),
    N_("pairs"),
    N_("lists"),
    N_("similarity of the answer"),
    N_("likelihood percentile in its language"),
    N_("the teacher's highest score"),
    N_("likelihood of kept questions"),
    N_("likelihood of dropped questions"),
    N_("scores"),
    N_("spread of a list's scores"),
    N_("rank of the answer"),
    # ways to count what nobody judged
    N_("worst"),
    N_("estimate"),
    N_("best"),
    N_("condensed"),
    N_("what nobody judged counts as not relevant"),
    N_("judged passages stand for the others that could have been drawn"),
    N_("what nobody judged is as relevant as can be"),
    N_("what nobody judged is taken out of the ranking"),
    N_("the share of the first hits that somebody judged"),
    N_("how seldom judged wrong passages stand above right ones"),
    N_("average precision, unjudged ones relevant as often as judged ones above"),
    N_("graded, but never asked in this evaluation"),
    N_("without a relevant passage"),
    # how somebody reads a language
    N_("native"),
    N_("partial"),
    N_("translation"),
    N_("alignment"),
)

assert set(GRADES.values()) <= set(WORDS)
