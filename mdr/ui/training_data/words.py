"""How training data is told: names of stages, roles and tables, and the story of a pair in a sentence or two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdr.services.training_data.threads import Thread
from mdr.storage.pairs import Pair
from mdr.ui.words.catalogue import N_, NN_, _, many

STAGES: Mapping[str, str] = {
    "mine": N_("Mined pairs"),
    "generate": N_("Written questions"),
    "score": N_("Scored lists"),
    "judged-pairs": N_("What people judged"),
    "labelled-pairs": N_("Labelled pairs"),
    "counterparts": N_("Questions in other languages"),
    "train": N_("Trained encoder"),
    "train-generator": N_("Trained generator"),
    "train-reranker": N_("Trained reranker"),
    "index-dense": N_("Index by meaning"),
    "index-lexical": N_("Index by words"),
    "evaluate": N_("Evaluation"),
}
TABS: Mapping[str, str] = {"kept": N_("Pairs"), "lists": N_("Lists"), "dropped": N_("Dropped"), "report": N_("Report")}
NOUNS: Mapping[str, tuple[str, str]] = {
    "kept": NN_("%(n)s pair", "%(n)s pairs"),
    "lists": NN_("%(n)s list", "%(n)s lists"),
    "dropped": NN_("%(n)s dropped one", "%(n)s dropped ones"),
}
FACETS: Mapping[str, str] = {
    "lang": N_("Language"),
    "rule": N_("Rule"),
    "origin": N_("Origin"),
    "round": N_("Round"),
}
ORDERS: Mapping[str, str] = {
    "written": N_("as written"),
    "lowest": N_("least sure first"),
    "highest": N_("surest first"),
}
SIDES: Mapping[str, str] = {"lexical": N_("By words then"), "dense": N_("By meaning then")}
SYSTEMS: Mapping[str, str] = {"hybrid": N_("words and meaning"), "dense": N_("meaning"), "bm25": N_("words")}
ROLES: Mapping[str, str] = {
    "positive": N_("taken for an answer"),
    "negative": N_("taken for wrong"),
    "candidate": N_("candidate"),
}
USES: Mapping[str, str] = {
    "positive": N_("where it is taken for an answer"),
    "negative": N_("where it is taken for a wrong answer"),
    "candidate": N_("where it is one of the candidates"),
}
SLOTS: Mapping[str, str] = {
    "collection": N_("passages of"),
    "queries": N_("questions of"),
    "lexical": N_("searched by words with"),
    "dense": N_("searched by meaning with"),
    "pairs": N_("pairs of"),
    "generator": N_("written or scored by"),
    "reranker": N_("scored by"),
}
NONE_HERE = N_("There is nothing in this table.")
ABOUT: Mapping[tuple[str, str], str] = {
    ("mine", "kept"): N_("Questions with a passage that words and meaning agree on. Nobody labelled them."),
    ("mine", "dropped"): N_(
        "Questions whose lists did not agree, or whose passage did not lead back to them. They are not trained on."
    ),
    ("generate", "kept"): N_("Questions that a generator wrote for a passage, and that stood up to every filter."),
    ("generate", "dropped"): N_("Questions that a generator wrote and a filter refused. They are not trained on."),
    ("score", "lists"): N_("Questions with candidates and what a teacher thinks of each, for distillation."),
    ("score", "dropped"): N_("Questions whose candidates could not be scored."),
    ("", "kept"): N_("Pairs that may be trained on."),
    ("", "lists"): N_("Candidates with scores."),
    ("", "dropped"): N_("Pairs that are not trained on, each with its reason."),
}


def state(thread: Thread) -> str:
    """What became of it, in a few words."""
    if thread.row.ref.table == "lists":
        return _("scored by a teacher")
    return _("may be trained on") if thread.kept else _("dropped: %(why)s", why=_(thread.rule))


def story(thread: Thread) -> str:
    """How it came about, in a sentence."""
    stage, found = thread.source.stage, thread.row.found
    date, round = thread.source.artefact.manifest.made[:10], thread.source.round
    when = _("in round %(n)s on %(date)s", n=round, date=date) if round else _("on %(date)s", date=date)
    if stage == "generate":
        return _("A generator wrote this question for the passage %(when)s.", when=when)
    if stage == "score":
        return many(
            "A teacher scored %(n)s candidate for this question %(when)s.",
            "A teacher scored %(n)s candidates for this question %(when)s.",
            len(thread.named),
            when=when,
        )
    if stage == "mine" and isinstance(found, Pair):
        rule = _(found.rule)
        told = _("Proposed by searching with this question %(when)s, by the rule “%(rule)s”.", when=when, rule=rule)
        if not thread.kept:
            told = _("Proposed by searching with this question %(when)s, and refused: %(why)s.", when=when, why=rule)
        seen = found.evidence.get("candidates")
        if isinstance(seen, int) and seen:
            told += " "
            told += many("%(n)s candidate for negatives was seen.", "%(n)s candidates for negatives were seen.", seen)
        return told
    return _("Made by the stage “%(stage)s” %(when)s.", stage=stage, when=when)


def facts(thread: Thread) -> dict[str, str]:
    """What was measured of it, by name."""
    found, evidence = thread.row.found, thread.row.found.evidence
    told: dict[str, str] = {}
    if "percentile" in evidence:
        value, share = f"{evidence['likelihood']:.3f}", f"{evidence['percentile']:.0f}"
        told[_("Likelihood")] = _("%(value)s, above %(share)s %% in its language", value=value, share=share)
    for name, key in ((_("Copied from the passage"), "copied"), (_("Repeated word pairs"), "repeated")):
        if key in evidence:
            told[name] = f"{100 * evidence[key]:.0f} %"
    if evidence.get("passed"):
        told[_("Rules passed")] = _(", ").join(_(rule) for rule in evidence["passed"])
    if evidence.get("refused"):
        told[_("Refused as negatives")] = _counted(evidence["refused"])
    if isinstance(found, Pair):
        told[_("Origin")] = _(found.origin)
        told[_("Weight in training")] = f"{found.weight:g}"
    return told


def _counted(counts: Mapping[str, Any]) -> str:
    return _(", ").join(f"{count} {_(reason)}" for reason, count in counts.items())
