"""Tiny models with random weights, saved as sentence-transformers and transformers save theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, StaticEmbedding, Transformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2Model,
    T5Config,
    T5Model,
    XLMRobertaConfig,
    XLMRobertaModel,
)

TEXTS = [
    "Which river flows through Cairo?",
    "",
    "Niili virtaa Kairon läpi mereen.",
    "ナイル川はエジプトを流れる",
    "The Nile is a long river. " * 40,
    "Kahvi",
    "กาแฟชงจากเมล็ดคั่ว\n\tและน้ำร้อน",
    "The Nile flows through Egypt, and coffee is brewed from roasted beans.",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WIDTH, VOCABULARY, POSITIONS = 32, 400, 64


def tokenizer(template: str = "[CLS] $A [SEP]") -> Tokenizer:
    """WordPiece over the texts."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(
        TEXTS, trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=SPECIAL, show_progress=False)
    )
    used = [(name, SPECIAL.index(name)) for name in ("[CLS]", "[SEP]") if name in template]
    made.post_processor = processors.TemplateProcessing(single=template, special_tokens=used)
    return made


_SMALL = {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_attention_heads": 4, "num_hidden_layers": 2}
_BERT = _SMALL | {"intermediate_size": 64}


def network(kind: str) -> PreTrainedModel:
    """A network of a family, always with the same weights."""
    torch.manual_seed(3)
    made: PreTrainedModel = {
        "bert": lambda: BertModel(BertConfig(**_BERT, max_position_embeddings=POSITIONS)),
        "xlm-roberta": lambda: XLMRobertaModel(
            XLMRobertaConfig(**_BERT, max_position_embeddings=POSITIONS + 1, pad_token_id=0)
        ),
        "t5": lambda: T5Model(
            T5Config(vocab_size=VOCABULARY, d_model=WIDTH, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
        ),
        "qwen2": lambda: Qwen2Model(Qwen2Config(**_BERT, num_key_value_heads=2, max_position_embeddings=256)),
    }[kind]()
    with torch.no_grad():
        for weights in made.parameters():  # far from zero, so that no difference hides
            weights.add_(0.2 * torch.randn(weights.shape))
    return made.eval()


def plain(
    folder: Path, kind: str = "bert", template: str = "[CLS] $A [SEP]", length: int = POSITIONS, **options: Any
) -> Path:
    """A folder as transformers saves it."""
    network(kind).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer(template),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=length,
        **options,
    ).save_pretrained(folder)
    return folder


def sentence_transformer(
    folder: Path,
    pooling: str | tuple[str, ...] = "mean",
    *,
    kind: str = "bert",
    template: str = "[CLS] $A [SEP]",
    padding_side: str = "right",
    include_prompt: bool = True,
    dense: int = 0,
    normalise: bool = True,
    **options: Any,
) -> Path:
    """A folder as sentence-transformers saves it."""
    body = Transformer(str(plain(folder / "plain", kind, template, padding_side=padding_side)), max_seq_length=48)
    pool = Pooling(WIDTH, pooling, include_prompt=include_prompt)
    parts: list[torch.nn.Module] = [body, pool]
    if dense:
        torch.manual_seed(4)
        parts.append(Dense(pool.pooling_output_dimension, dense))
    if normalise:
        parts.append(Normalize())
    SentenceTransformer(modules=parts, device="cpu", **options).save(str(folder / "model"), create_model_card=False)
    return folder / "model"


def static(folder: Path, **options: Any) -> Path:
    """A StaticEmbedding folder; compared by inner product unless told otherwise."""
    torch.manual_seed(5)
    made = tokenizer()
    model = StaticEmbedding(made, embedding_dim=WIDTH)
    options = {"similarity_fn_name": "dot"} | options
    SentenceTransformer(modules=[model], device="cpu", **options).save(str(folder), create_model_card=False)
    return folder
