"""The static trainer on a toy world: two languages, word for word, and passages of one language."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from streams import ended

from mdr.engines.encoder import load_encoder
from mdr.errors import FormatError, MissingError
from mdr.training import vocabulary
from mdr.training.batches import bags
from mdr.training.labelled import FOLDERS
from mdr.training.self_supervised import TASKS, SelfSupervised, TokenTexts
from mdr.training.settings import TrainerSettings
from mdr.training.static import Phase, StaticSettings, learn_vectors, main, with_signatures
from mdr.training.static_folder import save_static
from mdr.training.texts import Texts, read_texts
from mdr.training.towers import StaticTower
from mdr.training.vocabulary import learn_vocabulary, untrained

WORDS = [f"{a}{b}{c}" for a in ("ba", "ke", "mi", "lo") for b in ("ru", "sa", "ti") for c in ("n", "ko", "pe", "du")]
TRAINING = TrainerSettings(steps=120, rate=0.05, warmup=0.05, decay=0.0, clip=0.0)
TASKS_DRAWN = {"translation": 0.35, "window": 0.15, "title": 0.1, "crop": 0.4}
SETTINGS = StaticSettings(
    pieces=700,
    characters=20_000,
    dimension=24,
    signature=8,
    damped=False,
    learn=Phase(tasks=TASKS_DRAWN, training=TRAINING, batch=48),
    refine=Phase(tasks=TASKS_DRAWN, training=TRAINING.model_copy(update={"steps": 20, "rate": 0.002}), batch=48),
)


def other(word: str) -> str:
    """The same word in the other language: another script, so that nothing but meaning is shared."""
    return "".join(chr(0x430 + ord(letter) - ord("a")) for letter in word)


def sentences(count: int, length: int, seed: int) -> list[str]:
    chosen = np.random.default_rng(seed)
    return [" ".join(chosen.choice(WORDS, length, replace=False)) for _ in range(count)]


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)


def translated(text: str) -> str:
    return " ".join(map(other, text.split()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    pairs = [{"a_lang": "en", "a": text, "b_lang": "ru", "b": translated(text)} for text in sentences(300, 5, 1)]
    write(root / "parallel" / "toy" / "pairs.jsonl.gz", pairs)
    multi = [{"texts": {"en": text, "ru": translated(text)}} for text in sentences(60, 5, 2)]
    write(root / "parallel" / "tico19" / "multi.jsonl.gz", multi)
    write(root / "parallel" / "tico19" / "multi.test.jsonl.gz", [{"texts": {"en": "kept", "ru": "апарт"}}])
    passages = [
        {"lang": "en", "source": "toy", "title": text.split()[0], "text": text} for text in sentences(200, 24, 3)
    ]
    passages.append({"lang": "en", "source": "qed-nq", "title": "", "text": "not for weights"})
    write(root / "passages" / "en.jsonl.gz", passages)
    return root


@pytest.fixture(scope="module")
def texts(folder: Path) -> Texts:
    return read_texts(folder, frozenset({"en", "ru"}))


def train(texts: Texts, settings: StaticSettings, folder: Path):
    tokenizer = learn_vocabulary(texts, settings.pieces, settings.characters, settings.seed)
    ids = [np.array(one.ids, np.int32) for one in tokenizer.encode_batch(texts.texts, add_special_tokens=False)]
    return tokenizer, *ended(learn_vectors(texts, ids, tokenizer.get_vocab_size(), settings, folder))


def test_reading_keeps_out_what_is_withheld(texts: Texts) -> None:
    assert "kept" not in texts.texts and "not for weights" not in texts.texts
    assert len(texts.meanings) == len(texts.sources) == 360
    assert all({texts.langs[member] for member in meaning} == {"en", "ru"} for meaning in texts.meanings)
    assert len(texts.passages) == 200


def test_pairs_that_share_a_text_are_one_meaning(tmp_path: Path) -> None:
    rows = [("en", "one", "fi", "yksi"), ("fi", "yksi", "ru", "один"), ("en", "two", "fi", "kaksi")]
    pairs = [{"a_lang": a, "a": b, "b_lang": c, "b": d} for a, b, c, d in rows]
    write(tmp_path / "parallel" / "toy" / "pairs.jsonl.gz", pairs)
    write(tmp_path / "passages" / "en.jsonl.gz", [{"lang": "en", "title": "", "text": "one two"}])
    read = read_texts(tmp_path, frozenset({"en", "fi", "ru"}))
    told = sorted(sorted(read.texts[member] for member in meaning) for meaning in read.meanings)
    assert told == [["kaksi", "two"], ["one", "yksi", "один"]]


def test_reading_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="neither parallel texts nor passages"):
        read_texts(tmp_path, frozenset({"en"}))
    write(tmp_path / "passages" / "en.jsonl.gz", [{"lang": "en", "title": "", "text": "fine"}, {"lang": "en"}])
    with pytest.raises(FormatError, match=r"en\.jsonl\.gz:2: without title, text"):
        read_texts(tmp_path, frozenset({"en"}))


def test_folding_and_cutting() -> None:
    tokenizer = untrained()

    def cut(text: str) -> list[str]:
        folded = tokenizer.normalizer.normalize_str(text)
        return [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(folded)]

    assert cut("Café-ＡＢ, 1969!") == ["▁café", "▁ab", "▁1969"]
    assert cut("iPhone発売 東京タワー") == ["▁iphone", "発売", "東京", "タワー"]
    assert cut("أحمد ٣٤") == cut("احمد 34")
    assert cut("?!…") == cut("") == []


def test_unseen_letters_fall_back_to_bytes(texts: Texts) -> None:
    tokenizer = learn_vocabulary(texts, 700, 20_000, 0)
    assert tokenizer.encode("baruko").tokens[0].startswith("▁")
    assert [piece for piece in tokenizer.encode("字").tokens] == ["<0xE5>", "<0xAD>", "<0x97>"]
    assert "<unk>" not in tokenizer.encode("שלום ខ្មែរ 🙂 字").tokens


def test_the_alphabet_is_the_same_wherever_counts_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "ALPHABET", 4)
    assert vocabulary._alphabet(["dcba ab"]) == vocabulary._alphabet(["ab abcd"]) == ["a", "b", "c", "▁"]


@pytest.mark.parametrize("task", TASKS)
def test_batches_are_drawn_by_seed_and_well_formed(texts: Texts, task: str) -> None:
    tokenizer = learn_vocabulary(texts, 700, 20_000, 0)
    ids = [np.array(one.ids, np.int32) for one in tokenizer.encode_batch(texts.texts)]
    source = SelfSupervised(TokenTexts(texts, ids), task)
    batches = [source.draw(32, 0, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    for batch in batches:
        assert 0 < len(batch) == len(batch.queries.offsets) == len(batch.passages.offsets) <= 32
        assert batch.masked is not None and not batch.masked.diagonal().any()
        for side in (batch.queries, batch.passages):
            assert (np.diff(side.offsets) >= 0).all() and side.offsets[-1] <= len(side.tokens)
    same = [np.array_equal(batches[0].passages.tokens, batch.passages.tokens) for batch in batches[1:]]
    assert same == [True, False]


def test_training_teaches_translation_and_repeats_itself(texts: Texts, tmp_path: Path) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    tokenizer, vectors, events = train(texts, SETTINGS, tmp_path / "one")
    told = [event.data["losses"] for event in events if event.kind == "progress"]
    losses = [each["contrast translation"] for each in told if "contrast translation" in each]
    assert len(told) == 140 and np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    assert np.array_equal(vectors, train(texts, SETTINGS, tmp_path / "two")[1])

    save_static(vectors, tokenizer, tmp_path / "model")
    model = sentence_transformers.SentenceTransformer(str(tmp_path / "model"), device="cpu")
    unseen = sentences(40, 5, 9)
    asked, told = model.encode(unseen), model.encode([translated(text) for text in unseen])
    found = (asked @ told.T).argmax(1) == np.arange(len(unseen))
    assert found.mean() > 0.5
    np.testing.assert_allclose(np.linalg.norm(asked, axis=1), 1, atol=1e-5)
    assert not np.isnan(model.encode(["", "?!"])).any()

    exact = np.stack([vectors[tokenizer.encode(text).ids].sum(0) for text in unseen])
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    assert (exact * asked).sum(1).min() > 0.999  # int8 rows lose next to nothing


def test_signatures_leave_what_was_learned_and_part_what_was_not() -> None:
    alike = np.full((3, 24), 2.0, np.float32)
    weights = np.array([1.0, 0.5, 1.0], np.float32)
    vectors = with_signatures(alike, weights, 16, 0)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors[:, :24], axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors[:, 24:], axis=1), weights, rtol=1e-6)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert unit[0] @ unit[2] < 0.9
    assert np.array_equal(vectors, with_signatures(alike, weights, 16, 0))


def test_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = {"tasks": TASKS_DRAWN, "training": {"steps": 3}, "batch": 16}
    label = {"tasks": {"labelled": 1.0}, "training": {"steps": 2}, "batch": 4}
    sizes = {"pieces": 600, "characters": 5000, "dimension": 8, "signature": 8}
    (tmp_path / "settings.json").write_text(json.dumps({**sizes, "learn": few, "refine": few, "label": label}))
    settings = ["--settings", str(tmp_path / "settings.json")]
    main(["base", "--data", str(folder), "--out", str(tmp_path / "base"), *settings])
    assert "3/3" in capsys.readouterr().out
    written = {path.name for path in (tmp_path / "base").iterdir()}
    assert written == {
        "1_Normalize",
        "config_sentence_transformers.json",
        "mdr.json",
        "model.safetensors",
        "modules.json",
        "tokenizer.json",
        "training.json",
    }

    for name in FOLDERS:
        lang = name.rpartition("/")[2] if "tydi" in name else "en"
        rows = [{"id": f"{name}{number}", "lang": lang, "text": WORDS[number]} for number in range(6)]
        write(folder / name / "queries.train.jsonl.gz", rows)
        write(folder / name / "passages.train.jsonl.gz", [{**row, "title": ""} for row in rows])
        grades = "".join(f"{row['id']} 0 {row['id']} 1\n" for row in rows)
        (folder / name / "qrels.train.tsv").write_text(grades)
    start = ["--start", str(tmp_path / "base")]
    main(["final", "--data", str(folder), *start, "--out", str(tmp_path / "final"), *settings])
    assert "36 labelled pairs" in capsys.readouterr().out
    weights = [(tmp_path / model / "model.safetensors").read_bytes() for model in ("base", "final")]
    assert weights[0] != weights[1]
    with pytest.raises(SystemExit, match="parallel texts"):
        main(["base", "--data", str(tmp_path), "--out", str(tmp_path / "none")])
    with pytest.raises(SystemExit):
        main(["final", "--data", str(folder), "--out", str(tmp_path / "none")])


def test_damped_repeats_are_read_as_they_were_trained(tmp_path: Path, texts: Texts) -> None:
    tokenizer = learn_vocabulary(texts, 700, 20_000, 0)
    rows = np.random.default_rng(3).standard_normal((tokenizer.get_vocab_size(), 16)).astype(np.float32)
    save_static(rows, tokenizer, tmp_path, damped=True)
    said = ["baruko baruko baruko mitin", "kesape", "", "mitin " * 50]
    ours = load_encoder(str(tmp_path)).encode(said, "query")
    tower = StaticTower(torch.from_numpy(rows), damped=True)
    theirs = tower(bags([each.ids for each in tokenizer.encode_batch(said)])).detach().numpy()
    np.testing.assert_allclose(ours, theirs, atol=0.02)  # int8 rows
    np.testing.assert_array_equal(ours[2], 0)
    plain = load_encoder(str(tmp_path), overrides={"damped": False})
    assert plain.fingerprint != load_encoder(str(tmp_path)).fingerprint
    assert not np.allclose(plain.encode(said[:1], "query"), ours[:1], atol=0.05)
