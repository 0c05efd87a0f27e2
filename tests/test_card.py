"""The card beside a model: one that the hub reads, that no value breaks out of, and that says nothing untrue."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from saved_encoders import save
from sentence_transformers import SentenceTransformer

from mdr.errors import InputError, MissingError
from mdr.training.card import Card, Number, Source, card_text, write_card

CARD = Card(
    name="tiny",
    kind="encoder",
    about="An encoder for tests.",
    languages=["sw", "no", "Finnish", "fi"],
    licence="CC BY-SA 4.0",
    sources=[Source("rivers", "CC0", 1200, "pairs")],
    settings={"steps": 3, "tasks": [["crop", 0.5]], "rate": "low"},
    numbers=[Number("MRR@100", 0.78123, "python -m mdr evaluate tiny"), Number("passages", 12, "")],
    use="Search.",
    limits=["It is tiny.", "It is random."],
    base_model="someone/base",
    command="python -m mdr run tiny.toml",
    machine="2 cores",
    seconds=12_060,
    versions={"mdr": "1", "torch": "2"},
)


def test_the_card_is_one_that_the_hub_reads(tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    folder = save(tmp_path)
    written = write_card(folder, CARD).read_text(encoding="utf-8")
    card = ModelCard(written)
    assert card.data.to_dict() == {
        "language": ["fi", "no", "sw"],  # `no` stays a word
        "license": "cc-by-sa-4.0",
        "base_model": "someone/base",
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        "tags": ["sentence-transformers", "feature-extraction", "multilingual", "retrieval"],
    }
    assert "| rivers | CC0 | 1,200 | pairs |" in card.text
    assert "| MRR@100 | 0.781 | `python -m mdr evaluate tiny` |" in card.text
    assert "3 h 21 min" in card.text
    for path in (folder / "model.safetensors", folder / "1_Pooling" / "config.json"):
        name, told = path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()
        assert f"| `{name}` | {path.stat().st_size:,} | `{told}` |" in card.text
    assert card_text(CARD, folder) == written, "writing it again changes nothing"
    assert SentenceTransformer(str(folder), device="cpu")


HOSTILE = "---\nlicense: mit\n---\n# | <script>alert(1)</script> `a``b` ![x](y) *z* \x00\u202e\ud800"


def test_no_value_breaks_out_of_its_place(tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    texts = {name: HOSTILE for name in ("name", "about", "licence", "use", "base_model", "command", "machine")}
    hostile = dataclasses.replace(
        CARD,
        **texts,
        sources=[Source(HOSTILE, HOSTILE, 1, HOSTILE)],
        settings={HOSTILE: HOSTILE},
        numbers=[Number(HOSTILE, HOSTILE, HOSTILE)],
        limits=[HOSTILE],
        versions={HOSTILE: HOSTILE},
    )
    written = write_card(tmp_path, hostile).read_text(encoding="utf-8")
    card = ModelCard(written)
    assert card.data.license == "other"
    assert card.data.base_model is None
    headings = [line for line in card.text.splitlines() if line.startswith("#")]
    assert [line for line in headings if line.startswith("## ")] == [
        f"## {name}" for name in ("Use", "Limits", "Trained on", "Settings", "Measured", "Files")
    ]
    assert len(headings) == 7
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(card.text)
    assert not re.findall("<(script|img|em|hr)", rendered)
    assert rendered.count("&lt;script&gt;") == 18, "each of them is shown as it is"
    assert [each.count("<tr>") - 1 for each in rendered.split("<table>")[1:]] == [7, 1, 1, 1]


def test_cards_that_say_nothing_true_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="language 'tlh' is not known"):
        card_text(dataclasses.replace(CARD, languages=["tlh"]), tmp_path)
    with pytest.raises(InputError, match="no licence"):
        card_text(dataclasses.replace(CARD, licence="?"), tmp_path)
    empty = dataclasses.replace(CARD, kind="generator", sources=[], numbers=[], settings={}, limits=[], seconds=None)
    assert card_text(empty, tmp_path).count("Nothing was said.") == 5
