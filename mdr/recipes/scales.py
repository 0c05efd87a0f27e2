"""Three sizes of everything: `demo` on the sample that comes along, `small` on a folder of small collections, both with
the shipped models on a CPU; `full` on published benchmarks with hub models on GPUs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mdr.errors import InputError
from mdr.pipeline import Step
from mdr.recipes.page import ASKED, LABELLED, MIXED, POSED, TARGET, TEXTS, WILD, Scale

_ELEVEN = ("ar", "bn", "en", "fi", "id", "ja", "ko", "ru", "sw", "te", "th")
"""The languages of Mr. TyDi."""
_TOLD = ("ar", "en", "es", "fi", "ja", "km", "ko", "ms", "ru", "sv", "tr", "zh")
"""Those that MKQA's questions are told in."""


def demo(data: Path) -> Scale:
    """The sample: half of it without grades to learn from, the other half to measure on."""
    return Scale(
        "demo",
        "the sample collection and the shipped models, minutes on a CPU",
        (
            _folder(TARGET, data),
            _folder(WILD, data / "unlabelled"),
            Step(TEXTS, "read-texts", {}, {"collection": WILD}),
            _folder(MIXED, data),
        ),
        steps=120,
        batch=64,
        moving={"rate": 5e-4, "decay": 0.0, "clip": 0.0, "warmup": 0.05, "every": 40},
        writing={"steps": 30, "rate": 1e-4, "checkpoint": 30},
        depth=32,
        candidates=8,
        budget=16,
        questions=2,
        measuring={"pool": "own", "measures": ("MRR@10", "nDCG@10", "Recall@100")},
        mixing={"pool": "all", "measures": ("MAP",)},
    )


def small(data: Path) -> Scale:
    """Eleven languages with a collection each, unlabelled passages and parallel texts; about an hour a method."""
    return Scale(
        "small",
        "eleven small collections and the shipped models, about an hour on a CPU",
        (
            _folder(TARGET, data / "tydi11", splits=("test",)),
            Step(WILD, "prepare", {"format": "tabular", "path": str(data / "passages")}),
            _folder(ASKED, data / "tydi11", splits=("train",)),
            _posed(data),
            _folder(LABELLED, data / "english" / "medquad", splits=("train",)),
            Step(TEXTS, "read-texts", {"path": str(data)}),
            _folder(MIXED, data / "xquad-r-dev", splits=("all",)),
        ),
        steps=300,
        batch=256,
        moving={"rate": 5e-4, "decay": 0.0, "clip": 0.0, "warmup": 0.05},
        writing={"steps": 200, "rate": 2e-4},
        budget=200,
        questions=2,
        asked=2_000,
        judged=200,
        scored=32,
        measuring={"split": "test"},
        mixing={"split": "all", "pool": "all", "measures": ("MAP",)},
    )


def full(data: Path) -> Scale:
    """Mr. TyDi as published, in a folder with its language folders and an English training set."""
    return Scale(
        "full",
        "Mr. TyDi with mContriever and mT5, days on a GPU",
        (
            Step(TARGET, "prepare", {"format": "mr-tydi", "path": str(data / "mr-tydi"), "splits": ("dev", "test")}),
            Step(WILD, "prepare", {"format": "mr-tydi", "path": str(data / "mr-tydi"), "splits": ("none",)}),
            Step(ASKED, "prepare", {"format": "mr-tydi", "path": str(data / "mr-tydi"), "splits": ("train",)}),
            _posed(data),
            _folder(LABELLED, data / "english", splits=("train",)),
            Step(TEXTS, "read-texts", {"path": str(data)}),
        ),
        encoder="facebook/mcontriever",
        generator="google/mt5-base",
        reranker="FacebookAI/xlm-roberta-base",
        steps=20_000,
        batch=128,
        moving={"rate": 2e-5, "clip": 2.0, "every": 500, "checkpoint": 500},
        writing={"steps": 20_000, "rate": 1e-4, "checkpoint": 500},
        budget=50_000,
        questions=3,
        lengths={"query_length": 64, "passage_length": 256, "memory": 65_536},
        measuring={"split": "test", "dev_split": "dev"},
        expected={  # of the published files; English pairs and parallel texts are whatever the folder has, say as many
            TARGET: {"languages": _ELEVEN, "passages": 58_043_326, "queries": 8_661},
            WILD: {"languages": _ELEVEN, "passages": 58_043_326},
            ASKED: {"languages": _ELEVEN, "passages": 58_043_326, "queries": 48_729},
            POSED: {"languages": _TOLD, "queries": 21_096},
            LABELLED: {"languages": ("en",), "queries": 58_880},
            TEXTS: {"languages": _ELEVEN, "meanings": 100_000},
        },
    )


SCALES: Mapping[str, Callable[[Path], Scale]] = {"demo": demo, "small": small, "full": full}


def scale(name: str, data: Path) -> Scale:
    """A size by its name, over material in a folder."""
    if name not in SCALES:
        raise InputError(f"there is no scale {name!r}", f"there are {', '.join(SCALES)}")
    return SCALES[name](data)


def _posed(data: Path) -> Step:
    """The questions of MKQA that are not for measuring."""
    path = data / "parallel" / "mkqa-questions"
    return Step(POSED, "prepare", {"format": "mkqa", "path": str(path), "splits": ("dev",)})


def _folder(place: str, path: Path, **options: Any) -> Step:
    return Step(place, "prepare", {"format": "folder", "path": str(path), **options})
