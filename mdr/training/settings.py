"""Every setting of training, as recipes write them. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Mix: TypeAlias = Literal["sum", "draw"]
"""Every step adds all objectives up by their weights; or each step draws one, with its weight as odds."""


class _Settings(BaseModel):
    """Closed and frozen: a misspelt setting is an error, and values are part of a recipe's hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Objective(_Settings):
    """One term of what is minimised."""

    loss: Literal["contrast", "margin", "listwise", "semantic", "language", "alignment", "likelihood", "ranking"] = (
        "contrast"
    )
    sources: Mapping[str, float] = Field(min_length=1, description="where batches come from, and how often, as odds")
    weight: float = Field(1.0, ge=0, description="factor in the sum, or odds where each step draws one objective")
    batch: int = Field(64, ge=2, description="queries or pairs in a step")
    start: float = Field(0.0, ge=0, lt=1, description="share of all steps after which it joins")
    temperature: float = Field(0.05, gt=0, description="scores are cosines divided by this")
    symmetric: bool = Field(False, description="contrast: passages must find their queries, too")
    margin: float | None = Field(
        None, gt=0, le=1, description="contrast: passages nearer than this share of the answer's score are no negatives"
    )
    teacher_scale: float = Field(1.0, gt=0, description="listwise, margin: factor of the teacher's scores")
    whole_batch: bool = Field(False, description="listwise, alignment: against other queries' candidates, too")

    @property
    def name(self) -> str:
        """What its losses are told under."""
        return f"{self.loss} {'+'.join(self.sources)}"


class TrainerSettings(_Settings):
    """How weights move; the same for every learner."""

    steps: int = Field(1_000, ge=1)
    rate: float = Field(2e-5, gt=0, description="learning rate at its height")
    table_rate: float = Field(0, ge=0, description="learning rate of token tables; 0: as the others")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of steps in which the rate rises")
    floor: float = Field(0.0, ge=0, le=1, description="share of the rate that is left at the end")
    decay: float = Field(0.01, ge=0, description="weight decay; norms, biases and token tables have none")
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = Field(2.0, ge=0, description="longest gradient; 0: any")
    average: float = Field(0.0, ge=0, lt=1, description="decay of a moving average of the weights, which is then used")
    every: int = Field(100, ge=1, description="steps between looks at the dev measure, where there is one")
    checkpoint: int = Field(200, ge=1, description="steps between checkpoints")
    diverged: float = Field(3.0, gt=1, description="stop where the loss stays above so many times its beginning")
    seed: int = Field(0, ge=0)


class DrawSettings(_Settings):
    """How pairs and lists are read and drawn, whatever learns from them."""

    split: str = Field("train", description="the split of collections that labels are taken from")
    temperature: float = Field(0.5, ge=0, le=1, description="how languages share batches: 1 by size, 0 all alike")
    mixed: float = Field(0.0, ge=0, le=1, description="share of batches that mix languages")
    candidates: int = Field(16, ge=2, description="of a list, how many a step sees")
    holdout: float = Field(0.0, ge=0, lt=1, description="share of queries kept from training, to choose weights by")
    seed: int = Field(0, ge=0)


Percentile = Annotated[float, Field(ge=0, le=100)]


class SourceSettings(DrawSettings):
    """How an encoder's sources are read."""

    negatives: int = Field(0, ge=0, description="hard negatives beside each answer")
    first: bool = Field(False, description="whether a scored list's first candidate is always among them")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of tokens left out of crops and parallel texts")
    admit: tuple[Percentile, Percentile] = Field(
        (80, 20), description="aligned: the percentile of quality that counterparts need, at the beginning and the end"
    )


class Lora(_Settings):
    """Train small matrices beside the big ones, which stay as they are."""

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.05, ge=0, lt=1)
    targets: tuple[str, ...] = Field((), description="names of the layers; none: all linear ones")


class LearningSettings(_Settings):
    """What decides the weights of anything that learns, beside the data and where they begin."""

    objectives: tuple[Objective, ...] = Field(min_length=1)
    mix: Mix = Field("sum", description="every step adds all objectives up, or draws one by its weight")
    training: TrainerSettings = TrainerSettings()
    lora: Lora | None = None
    dropout: float | None = Field(None, ge=0, lt=1, description="of the network; empty: as its config says")
    checkpointing: bool = Field(False, description="compute activations twice to keep fewer")
    piece: int = Field(8_192, ge=1, description="tokens that go through the network at once")


class TrainingSettings(LearningSettings):
    """Of an encoder."""

    sources: SourceSettings = SourceSettings()
    query_length: int = Field(64, ge=1, description="tokens of a query that are read")
    passage_length: int = Field(256, ge=1, description="tokens of a passage that are read")
    tied: bool = Field(True, description="one network for both sides, or one each")
    guide: str = Field("", description="folder of an encoder that says which negatives are too near; empty: none")
    memory: int = Field(16_384, ge=0, description="tokens whose activations are kept; above, texts are encoded twice")
    dev_split: str = Field("dev", description="the split of the dev collection that weights are chosen by")


class WriterSettings(LearningSettings):
    """Of a generator."""

    sources: DrawSettings = DrawSettings()


class RerankerSettings(LearningSettings):
    """Of a reranker."""

    sources: DrawSettings = DrawSettings()
    length: int = Field(256, ge=16, description="tokens of a query and a passage together; a query has at most half")
