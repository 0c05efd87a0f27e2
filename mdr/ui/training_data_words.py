"""How training data is told: names of stages, roles and tables, and the story of a pair in a sentence or two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdr.services.threads import Thread
from mdr.storage.pairs import Pair

STAGES: Mapping[str, str] = {
    "mine": "Mined pairs",
    "generate": "Written questions",
    "score": "Scored lists",
    "judged-pairs": "What people judged",
    "labelled-pairs": "Labelled pairs",
    "counterparts": "Questions in other languages",
    "train": "Trained encoder",
    "train-generator": "Trained generator",
    "train-reranker": "Trained reranker",
    "index-dense": "Index by meaning",
    "index-lexical": "Index by words",
    "evaluate": "Evaluation",
}
TABS: Mapping[str, str] = {"kept": "Pairs", "lists": "Lists", "dropped": "Dropped", "report": "Report"}
NOUNS: Mapping[str, tuple[str, str]] = {
    "kept": ("pair", "pairs"),
    "lists": ("list", "lists"),
    "dropped": ("dropped one", "dropped ones"),
}
FACETS: Mapping[str, str] = {"lang": "Language", "rule": "Rule", "origin": "Origin", "round": "Round"}
ORDERS: Mapping[str, str] = {"written": "as written", "lowest": "least sure first", "highest": "surest first"}
SIDES: Mapping[str, str] = {"lexical": "By words", "dense": "By meaning"}
SYSTEMS: Mapping[str, str] = {"hybrid": "words and meaning", "dense": "meaning", "bm25": "words"}
ROLES: Mapping[str, str] = {"positive": "taken for an answer", "negative": "taken for wrong", "candidate": "candidate"}
USES: Mapping[str, str] = {
    "positive": "where it is taken for an answer",
    "negative": "where it is taken for a wrong answer",
    "candidate": "where it is one of the candidates",
}
SLOTS: Mapping[str, str] = {
    "collection": "passages of",
    "queries": "questions of",
    "lexical": "searched by words with",
    "dense": "searched by meaning with",
    "pairs": "pairs of",
    "generator": "written or scored by",
    "reranker": "scored by",
}
NONE_HERE = "There is nothing in this table."
ABOUT: Mapping[tuple[str, str], str] = {
    ("mine", "kept"): "Questions with a passage that words and meaning agree on. Nobody labelled them.",
    ("mine", "dropped"): "Questions whose lists did not agree, or whose passage did not lead back to them. "
    "They are not trained on.",
    ("generate", "kept"): "Questions that a generator wrote for a passage, and that stood up to every filter.",
    ("generate", "dropped"): "Questions that a generator wrote and a filter refused. They are not trained on.",
    ("score", "lists"): "Questions with candidates and what a teacher thinks of each, for distillation.",
    ("score", "dropped"): "Questions whose candidates could not be scored.",
    ("", "kept"): "Pairs that may be trained on.",
    ("", "lists"): "Candidates with scores.",
    ("", "dropped"): "Pairs that are not trained on, each with its reason.",
}


def state(thread: Thread) -> str:
    """What became of it, in a few words."""
    if thread.row.ref.table == "lists":
        return "scored by a teacher"
    return "may be trained on" if thread.kept else f"dropped: {thread.rule}"


def story(thread: Thread) -> str:
    """How it came about, in a sentence."""
    stage, found = thread.source.stage, thread.row.found
    round = f"in round {thread.source.round} " if thread.source.round else ""
    when = f"{round}on {thread.source.artefact.manifest.made[:10]}"
    if stage == "generate":
        return f"A generator wrote this question for the passage {when}."
    if stage == "score":
        return f"A teacher scored {len(thread.named)} candidates for this question {when}."
    if stage == "mine" and isinstance(found, Pair):
        seen = found.evidence.get("candidates")
        looked = f", among {seen:,} candidates for negatives" if isinstance(seen, int) and seen else ""
        rule = f"by the rule “{found.rule}”" if thread.kept else f"and refused: {found.rule}"
        return f"Proposed by searching with this question {when}, {rule}{looked}."
    return f"Made by the stage “{stage}” {when}."


def facts(thread: Thread) -> dict[str, str]:
    """What was measured of it, by name."""
    found, evidence = thread.row.found, thread.row.found.evidence
    told: dict[str, str] = {}
    if "percentile" in evidence:
        told["Likelihood"] = f"{evidence['likelihood']:.3f}, above {evidence['percentile']:.0f} % in its language"
    for name, key in (("Copied from the passage", "copied"), ("Repeated word pairs", "repeated")):
        if key in evidence:
            told[name] = f"{100 * evidence[key]:.0f} %"
    if evidence.get("passed"):
        told["Rules passed"] = ", ".join(evidence["passed"])
    if evidence.get("refused"):
        told["Refused as negatives"] = _counted(evidence["refused"])
    if isinstance(found, Pair):
        told["Origin"] = found.origin
        told["Weight in training"] = f"{found.weight:g}"
    return told


def _counted(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in counts.items())
