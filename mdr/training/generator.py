"""Trains the small generator that comes along: writes questions for passages in 22 languages, on a CPU.

    python -m mdr.training.generator --data DIR --encoder DIR --out DIR

It shares its vocabulary with a static encoder, whose vectors (their main directions) its token table begins with: a
decoder that looks at a token of the passage is then halfway to writing it.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from mdr.engines.model_folder import read_model_folder
from mdr.engines.static_encoder import read_rows
from mdr.engines.vocabulary_languages import own_tokens, write_own_tokens
from mdr.storage.files import digest, disk_errors, write_json
from mdr.training.batches import Ints, Source
from mdr.training.export import save_network
from mdr.training.labelled import FOLDERS, read_labelled
from mdr.training.plan import Plan
from mdr.training.program import chosen, tell
from mdr.training.self_supervised import TokenTexts
from mdr.training.settings import Objective, TrainerSettings
from mdr.training.static import SETTINGS
from mdr.training.texts import LANGS, read_texts
from mdr.training.trainer import Trainer
from mdr.training.writer import WriterLearner
from mdr.training.writing_source import ASK, CROP, LONGEST, TRANSLATE, Asking, Cropping, Marks, Translating, mark
from mdr.types import Event

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

Vectors = NDArray[np.float32]

_ONE_BACK = 1
"""The bucket of T5's relative positions that is the token before."""
_SURE, _SHARP, _LOUD, _QUIET = 12.0, 1.0, 4.0, 0.1
"""How strongly heads look back, how narrowly the decoder searches, how loud what it finds is, and all the rest."""
_SAMPLING = {"temperature": 0.6, "top_k": 10}
"""Small networks are right about the first few tokens, and about little else."""
_QUESTION_MARKS = ("?", "？", "؟", ";")


class GeneratorSettings(BaseModel):
    """Everything that decides the weights, beside the texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = 256
    layers: int = 2
    heads: int = 4
    inner: int = 1_024
    body: int = 80
    batch: int = 64
    ask: float = 0.4
    """Share of steps on labelled questions; 0: none is read, and every language is learned from passages alone."""
    tell: float = 0.15
    translate: float = 0.2
    crop: float = 0.25
    piece: int = 8_192
    training: TrainerSettings = TrainerSettings(
        steps=3_200, rate=7e-4, warmup=0.03, decay=0.01, betas=(0.9, 0.98), clip=1.0, checkpoint=100, floor=0.02
    )


def vocabulary(folder: Path) -> tuple[Tokenizer, Marks]:
    """A static encoder's tokenizer, with tokens for the ends, the tasks and the languages behind its own."""
    from tokenizers import AddedToken, Tokenizer, decoders

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    names = ["<pad>", "</s>", ASK, TRANSLATE, CROP, *(mark(lang) for lang in sorted(LANGS))]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="always")])
    ids = tokenizer.get_vocab()
    return tokenizer, Marks({name: ids[name] for name in names})


def network(settings: GeneratorSettings, marks: Marks, size: int, vectors: Vectors) -> PreTrainedModel:
    """A fresh T5 whose token table is the main directions of these vectors."""
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(settings.training.seed)
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=size,
            d_model=settings.width,
            d_kv=settings.width // settings.heads,
            d_ff=settings.inner,
            num_layers=settings.layers,
            num_decoder_layers=settings.layers,
            num_heads=settings.heads,
            relative_attention_num_buckets=32,
            relative_attention_max_distance=128,
            feed_forward_proj="relu",
            dropout_rate=0.0,
            tie_word_embeddings=True,
            pad_token_id=marks.ids["<pad>"],
            eos_token_id=marks.ids["</s>"],
            decoder_start_token_id=marks.ids["<pad>"],
        )
    )
    with torch.no_grad():
        table = torch.from_numpy(first_table(vectors, settings.width, settings.training.seed))
        model.shared.weight[: len(table)] = table
        begin_copying(model)
    return model


def first_table(vectors: Vectors, width: int, seed: int) -> Vectors:
    """A row per token: half of it what the encoder knows of it (its main directions), half a mark of its own, so that
    no two tokens are mistaken for each other."""
    centred = vectors - vectors.mean(0)
    _, _, directions = np.linalg.svd(centred[:: max(1, len(vectors) // 8_192)], full_matrices=False)
    known = centred @ directions[: width // 2].T
    marks = np.random.default_rng(seed).standard_normal((len(vectors), width - known.shape[1]))
    halves = (known, marks)
    unit = [half / np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-9) for half in halves]
    table: Vectors = (np.concatenate(unit, axis=1) * (width / 2) ** 0.5).astype(np.float32)
    return table


def begin_copying(model: Any) -> None:
    """Weights that copy before anything is learned: having written a token, write what follows it in the passage.

    Small networks take very long to find this out by themselves (tried: 1,700 steps without a sign of it). Half of the
    encoder's heads look one token back and note what they see in a subspace of their own; the decoder's last look at
    the passage searches that subspace for the token just written, and reads what stands there.
    """
    config = model.config
    width, keys = config.d_model, config.d_kv
    half = config.num_heads // 2 * keys
    seen, note = (torch.linalg.qr(torch.randn(width, half))[0].T for _ in range(2))
    for name, weight in model.named_parameters():
        if name.endswith(("SelfAttention.o.weight", "EncDecAttention.o.weight", "DenseReluDense.wo.weight")):
            weight.mul_(_QUIET)
    first = model.encoder.block[0].layer[0].SelfAttention
    first.relative_attention_bias.weight[_ONE_BACK, : config.num_heads // 2] = _SURE
    for block in model.encoder.block:  # what is noted is not told by what stands there
        block.layer[0].SelfAttention.q.weight[:half].mul_(_QUIET)
    first.v.weight[:half] = seen
    first.o.weight[:, :half] = note.T
    last = model.decoder.block[-1].layer[1].EncDecAttention
    last.q.weight.copy_(_SHARP * torch.cat([seen, seen]))  # what of a token is noted beside the one after it,
    last.k.weight.copy_(_SHARP * torch.cat([note, note]))  # and where
    last.v.weight.copy_(torch.eye(width))
    last.o.weight.copy_(_LOUD * torch.eye(width))


@dataclass(frozen=True)
class Lessons:
    """What there is to learn from: sources by task, and how often texts in each language have each token."""

    sources: Mapping[str, Source]
    counts: Mapping[str, Ints]


def lessons(data: Path, tokenizer: Tokenizer, marks: Marks, settings: GeneratorSettings) -> Lessons:
    """Everything in a folder."""
    texts = read_texts(data, LANGS)
    tokens = TokenTexts(texts, [its.astype(np.int32) for its in _ids(tokenizer, texts.texts)])
    questions = np.array([text.rstrip().endswith(_QUESTION_MARKS) for text in texts.texts])
    folders = FOLDERS if settings.ask else ()
    pairs = [(pair, answers[0]) for name in folders for pair, answers in read_labelled(data / name)]
    langs = [pair.query.lang for pair, _ in pairs]
    queries = _ids(tokenizer, [pair.query.text for pair, _ in pairs])
    passages = _ids(tokenizer, [passage.full_text for _, passage in pairs])
    found: dict[str, Source] = {
        "translate": Translating(tokens, questions, marks),
        "crop": Cropping(tokens, marks, settings.body),
    }
    if pairs:
        found["ask"] = Asking(queries, passages, langs, marks, settings.body)
    there = {tokens.codes[lang] for lang in set(tokens.langs[tokens.bodies].tolist())}
    if mute := sorted(there - set(langs)):
        found["tell"] = Cropping(tokens, marks, settings.body, task=ASK, langs=mute)
    return Lessons(found, _counts(tokens, langs, queries, tokenizer.get_vocab_size()))


def _counts(tokens: TokenTexts, langs: Sequence[str], queries: Sequence[Ints], size: int) -> dict[str, Ints]:
    of = np.repeat(tokens.langs, tokens.lengths)
    counts = {lang: np.bincount(tokens.tokens[of == code], minlength=size) for code, lang in enumerate(tokens.codes)}
    for lang in set(langs):
        asked = np.concatenate([ids for ids, its in zip(queries, langs, strict=True) if its == lang])
        counts[lang] = counts.get(lang, 0) + np.bincount(asked, minlength=size)
    return counts


def _ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Ints]:
    return [np.array(each.ids, np.int64) for each in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def train_generator(data: Path, encoder: Path, out: Path, settings: GeneratorSettings) -> Iterator[Event]:
    """Learn to ask; write a transformers folder; say how it goes. A killed run goes on where it stopped."""
    from mdr.engines.probe import low_precision

    tokenizer, marks = vocabulary(encoder)
    model = network(settings, marks, tokenizer.get_vocab_size(), read_rows(read_model_folder(encoder)))
    found = lessons(data, tokenizer, marks, settings)
    tasks = {name: getattr(settings, name) for name in ("ask", "tell", "translate", "crop") if name in found.sources}
    objectives = [
        Objective(loss="likelihood", sources={name: 1.0}, weight=odds, batch=settings.batch)
        for name, odds in tasks.items()
    ]
    plan = Plan(objectives, found.sources, steps=settings.training.steps, seed=settings.training.seed, mix="draw")
    learner = WriterLearner(
        model,
        plan,
        padding=marks.ids["<pad>"],
        piece=settings.piece,
        precision=low_precision("cpu", settings.width),
    )
    scratch = out / ".training"
    with disk_errors(out):
        scratch.mkdir(parents=True, exist_ok=True)
    yield from Trainer(learner, settings.training, scratch, identity=digest(settings.model_dump(mode="json"))).run()
    save(model, tokenizer, marks, out, settings)
    write_own_tokens(out, own_tokens(found.counts))
    write_json(out / SETTINGS, settings.model_dump(mode="json"))
    shutil.rmtree(scratch)
    yield Event("train", "finished", f"wrote {out}")


def save(model: Any, tokenizer: Tokenizer, marks: Marks, out: Path, settings: GeneratorSettings) -> None:
    """A transformers folder, in few bits on disk."""
    from transformers import PreTrainedTokenizerFast

    own = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )
    save_network(
        model, own, out, max_length=settings.body + 3, dtype=torch.bfloat16, embedding_dtype=torch.float8_e4m3fn
    )
    options = {
        "prompt": f"{ASK}<{{lang}}>{{passage}}</s>",
        "target": "{query}",
        "max_length": settings.body + 3,
        "max_query_length": LONGEST,
        **_SAMPLING,
    }
    write_json(out / "mdr.json", options)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="mdr.training.generator", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with parallel/, passages/ and labelled pairs")
    parser.add_argument("--encoder", type=Path, required=True, help="static encoder to share the vocabulary with")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument("--settings", type=Path, help="a JSON file of settings that differ from the defaults")
    options = parser.parse_args(arguments)
    settings = chosen(options.settings, GeneratorSettings)
    tell(train_generator(options.data, options.encoder, options.out, settings), every=20)


if __name__ == "__main__":
    main()
