"""Tiny language models with random weights, saved as transformers saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from mdr.types import Passage

PASSAGES = [
    Passage("nile", "en", "Nile", "The Nile flows through Cairo to the sea, past farms and temples."),
    Passage("niili", "fi", "Niili", "Niili virtaa Kairon läpi mereen."),
    Passage("nil", "ru", "Нил", "Нил течёт через Каир к морю. Какая река самая длинная?"),
    Passage("river", "th", "", "แม่น้ำไนล์ไหลผ่านไคโรลงสู่ทะเล"),
    Passage("kawa", "ja", "ナイル川", "ナイル川はカイロを流れて海に注ぐ。"),
    Passage("coffee", "en", "", "Coffee is brewed from roasted beans. " * 60),
]
_TRAINED_ON = [passage.full_text for passage in PASSAGES] * 3 + [
    "Passage: . Please write a question based on this passage in English. Question: Which river?",
]
SPECIAL = ["<pad>", "</s>", "<unk>", "<fi>", "<en>", "<ru>"]
CHAT = (
    "{% for message in messages %}<en>{{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<fi>{% endif %}"
)


def _pieces() -> Tokenizer:
    """Merges with a mark for spaces and bytes for what is unknown, every text ended: as T5's vocabulary looks."""
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    bytes_ = [f"<0x{value:02X}>" for value in range(256)]
    made.train_from_iterator(
        _TRAINED_ON, trainers.BpeTrainer(vocab_size=420, special_tokens=[*SPECIAL, *bytes_], show_progress=False)
    )
    learned = json.loads(made.to_str())["model"]
    merges = [(first, second) for first, second in learned["merges"]]
    fresh = Tokenizer(models.BPE(learned["vocab"], merges, unk_token="<unk>", byte_fallback=True))
    fresh.add_special_tokens(SPECIAL)
    fresh.pre_tokenizer = pre_tokenizers.Metaspace()
    fresh.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    fresh.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return fresh


def _bytes() -> Tokenizer:
    """Merges of bytes, as GPT-2 has them: many tokens are parts of characters."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(_TRAINED_ON, trainer)
    return made


VOCABULARY = 448
"""More than the tokenizers have: networks often have rows that are nobody's."""
_SHAPE: dict[str, Any] = {"vocab_size": VOCABULARY, "pad_token_id": 0, "eos_token_id": 1}


def network(kind: str) -> PreTrainedModel:
    """A network of a family, always with the same weights."""
    torch.manual_seed(3)
    made: PreTrainedModel = {
        "t5": lambda: T5ForConditionalGeneration(
            T5Config(**_SHAPE, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0)
        ),
        "gpt2": lambda: GPT2LMHeadModel(
            GPT2Config(**_SHAPE, n_positions=256, n_embd=32, n_layer=2, n_head=4, bos_token_id=1)
        ),
        "llama": lambda: LlamaForCausalLM(
            LlamaConfig(
                **_SHAPE,
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=512,
            )
        ),
    }[kind]()
    with torch.no_grad():
        for name, weights in made.named_parameters():  # far from zero, so that no difference hides
            weights.add_(
                (0.5 if "embed" in name or "shared" in name or "wte" in name else 0.1) * torch.randn(weights.shape)
            )
    return made.eval()


def generator(folder: Path, kind: str = "t5", *, vocabulary: str = "pieces", **options: Any) -> Path:
    """A folder as transformers saves it; `options` are the tokenizer's."""
    network(kind).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object={"pieces": _pieces, "bytes": _bytes}[vocabulary](),
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        **options,
    ).save_pretrained(folder)
    return folder
