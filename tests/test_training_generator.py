"""The generator's training on a toy world: what it reads and writes, that it begins able to copy, and what is saved."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mdr.engines.generator import load_generator
from mdr.engines.vocabulary_languages import FILE, own_tokens, read_own_tokens, write_own_tokens
from mdr.training.generator import GeneratorSettings, begin_copying, lessons, main, network, vocabulary
from mdr.training.labelled import FOLDERS
from mdr.training.settings import TrainerSettings
from mdr.training.static_folder import save_static
from mdr.training.texts import LANGS, read_texts
from mdr.training.vocabulary import learn_vocabulary
from mdr.types import Passage, Query

WORDS = [f"{a}{b}{c}" for a in ("ba", "ke", "mi", "lo") for b in ("ru", "sa", "ti") for c in ("n", "ko", "pe", "du")]
SETTINGS = GeneratorSettings(
    width=64, heads=2, inner=64, body=24, batch=4, piece=512, training=TrainerSettings(steps=2, rate=1e-3)
)


def said(seed: int, count: int = 12) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, count, replace=False))


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)


def make(data: Path, encoder: Path, out: Path) -> None:
    chosen = out.parent / "settings.json"
    chosen.write_text(SETTINGS.model_dump_json())
    main(["--data", str(data), "--encoder", str(encoder), "--out", str(out), "--settings", str(chosen)])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    told = [{"texts": {"en": f"{said(number, 4)}?", "fi": f"{said(100 + number, 4)}?"}} for number in range(20)]
    write(root / "parallel" / "tico19" / "multi.jsonl.gz", told)
    for lang in ("en", "fi"):
        rows = [{"lang": lang, "title": "", "text": f"{lang} {said(number, 30)}"} for number in range(30)]
        write(root / "passages" / f"{lang}.jsonl.gz", rows)
    for name in FOLDERS:
        lang = name.rpartition("/")[2] if "tydi" in name else "en"
        rows = [{"id": f"{lang}{number}", "lang": lang, "text": said(200 + number)} for number in range(6)]
        write(root / name / "queries.train.jsonl.gz", rows)
        write(root / name / "passages.train.jsonl.gz", [{**row, "title": "t"} for row in rows])
        (root / name / "qrels.train.tsv").write_text("".join(f"{row['id']} 0 {row['id']} 1\n" for row in rows))
    return root


@pytest.fixture(scope="module")
def encoder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = learn_vocabulary(read_texts(data, frozenset({"en", "fi"})), 500, 20_000, 0)
    rows = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 64)).astype(np.float32)
    save_static(rows, tokenizer, folder)
    return folder


def test_what_is_read_and_written(data: Path, encoder: Path) -> None:
    tokenizer, marks = vocabulary(encoder)
    found = lessons(data, tokenizer, marks, SETTINGS).sources
    batches = {name: source.draw(4, 0, np.random.default_rng(1)) for name, source in found.items()}
    end, languages = marks.ids["</s>"], {marks.ids[f"<{lang}>"] for lang in LANGS}
    for name, batch in batches.items():
        for read, written in zip(batch.passages.lists(), batch.queries.lists(), strict=True):
            assert read[0] == marks.ids["<ask>" if name == "tell" else f"<{name}>"] and read[1] in languages
            assert read[-1] == written[-1] == end and 3 < len(read) <= SETTINGS.body + 3
    for read, written in zip(batches["crop"].passages.lists(), batches["crop"].queries.lists(), strict=True):
        body, crop = read[2:-1], written[:-1]
        assert any(body[at : at + len(crop)] == crop for at in range(len(body))), "a crop is a stretch of what is read"
    finnish = {marks.ids["<fi>"]}  # it has passages and no questions
    assert {read[1] for read in batches["tell"].passages.lists()} == finnish
    again = found["translate"].draw(4, 9, np.random.default_rng(1))
    assert np.array_equal(again.queries.tokens, batches["translate"].queries.tokens)


def test_without_asking_no_question_is_read(data: Path, encoder: Path, tmp_path: Path) -> None:
    """And every language learns to ask by telling of its passages."""
    shutil.copytree(data / "parallel", tmp_path / "parallel")
    shutil.copytree(data / "passages", tmp_path / "passages")  # no labelled folder at all
    tokenizer, marks = vocabulary(encoder)
    found = lessons(tmp_path, tokenizer, marks, SETTINGS.model_copy(update={"ask": 0.0}))
    assert set(found.sources) == {"tell", "translate", "crop"} and {"en", "fi"} <= found.counts.keys()
    drawn = [found.sources["tell"].draw(8, turn, np.random.default_rng(turn)) for turn in range(4)]
    read = {row[1] for batch in drawn for row in batch.passages.lists()}
    assert read == {marks.ids["<en>"], marks.ids["<fi>"]}


def test_it_begins_able_to_copy(encoder: Path) -> None:
    tokenizer, marks = vocabulary(encoder)
    rows = np.random.default_rng(0).standard_normal((tokenizer.get_vocab_size(), 64)).astype(np.float32)
    size = SETTINGS.model_copy(update={"width": 128, "heads": 4})
    body = np.random.default_rng(5).choice(len(rows), 24, replace=False)
    read = torch.tensor(marks.framed("<crop>", "en", body)[None])

    def likelihood(model: torch.nn.Module) -> float:
        with torch.no_grad():
            logits = model.eval()(input_ids=read, labels=torch.from_numpy(body[None, 8:16].copy())).logits[0]
        found = torch.log_softmax(logits, -1)[torch.arange(8), torch.from_numpy(body[8:16].copy())]
        return float(found[1:].mean())  # nothing says where a crop begins

    begun = network(size, marks, tokenizer.get_vocab_size(), rows)
    assert likelihood(begun) > -2.0
    from transformers import T5ForConditionalGeneration

    torch.manual_seed(0)
    assert likelihood(T5ForConditionalGeneration(begun.config)) < -5.0
    assert begin_copying.__doc__


def test_command_line(data: Path, encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    make(data, encoder, out)
    assert "2/2" in capsys.readouterr().out
    assert not list(out.glob(".*"))
    assert GeneratorSettings.model_validate_json((out / "training.json").read_text()) == SETTINGS
    generator = load_generator(str(out), device="cpu", precision="float32", threads=1)
    passages = [Passage("p", "en", "", said(1)), Passage("q", "fi", "", said(2))]
    written = generator.write(passages, ["en", "fi"], n=2, seed=0)
    assert [len(each) for each in written] == [2, 2] and written == generator.write(passages, ["en", "fi"], n=2, seed=0)
    scores = generator.log_likelihood([Query("1", "en", said(1, 3)), Query("2", "fi", said(2, 3))], passages)
    assert np.isfinite(scores).all() and (scores < 0).all()
    with pytest.raises(SystemExit, match="parallel texts"):
        main(["--data", str(tmp_path), "--encoder", str(encoder), "--out", str(tmp_path / "none")])


def test_a_writer_keeps_to_the_tokens_of_its_language(data: Path, encoder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(data, encoder, out)
    tokenizer, _ = vocabulary(encoder)
    size = tokenizer.get_vocab_size()
    passage = Passage("p", "en", "", said(3))
    read = set(tokenizer.encode(passage.full_text).ids)
    few = np.zeros(size, dtype=bool)
    few[:300] = True
    before = load_generator(str(out), device="cpu", precision="float32", threads=1).fingerprint
    write_own_tokens(out, {"en": few})
    generator = load_generator(str(out), device="cpu", precision="float32", threads=1)
    assert generator.fingerprint != before, "other tokens, other questions"
    ids = {token for text in generator.write([passage], ["en"], n=8, seed=1)[0] for token in tokenizer.encode(text).ids}
    assert {token for token in ids if token >= 300} <= read
    (out / FILE).unlink()
    assert read_own_tokens(out, size) == {}


def test_own_tokens() -> None:
    counts = {"en": np.array([900, 90, 10, 0, 0]), "fi": np.array([2, 600, 300, 98, 0])}
    own = own_tokens(counts)
    assert own["en"].tolist() == [True, True, False, False, False]
    assert own["fi"].tolist() == [False, True, True, True, False]
