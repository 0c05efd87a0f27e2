"""One training of a generator: from a generator's folder to another that writes and scores in the same form."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch

from mdr.engines import vocabulary_languages
from mdr.engines.generator_folder import options_of, read_generator_folder
from mdr.engines.generator_network import first_token, load_generator_network
from mdr.storage.files import disk_errors, write_json
from mdr.training.adapting import adapted, merged
from mdr.training.answered_run import AnsweredRun
from mdr.training.answered_source import Reader
from mdr.training.export import save_network
from mdr.training.plan import Plan
from mdr.training.settings import WriterSettings
from mdr.training.writer import WriterLearner


class WriterRun(AnsweredRun):
    """A generator that learns to write queries, and to tell which passage they are about."""

    kind = "generator"
    about = "Writes questions for passages, and says how likely a question is for one."
    use = "Writing training questions in the languages it was trained on, and scoring passages as a teacher."

    def __init__(
        self, settings: WriterSettings, start: Path, slots: Mapping[str, Path], *, device: str, precision: str
    ) -> None:
        super().__init__(settings, start, device=device, precision=precision)
        self.settings = settings
        self._folder = read_generator_folder(start)
        self._loaded = load_generator_network(self._folder, dtype=torch.float32, device=self.device)
        self._whole = adapted(
            self._loaded.network,
            lora=settings.lora,
            checkpointing=settings.checkpointing,
            dropout=settings.dropout,
        )
        prompts = self._loaded.prompts
        self.read(Reader(prompts.inputs, prompts.targets), settings.sources, slots)

    @property
    def width(self) -> int | None:
        return int(self._loaded.network.config.get_text_config().hidden_size)

    def taught(self, plan: Plan) -> WriterLearner:
        network = self._loaded.network
        return WriterLearner(
            network,
            plan,
            padding=self._loaded.tokenizer.pad_token_id or 0,
            start=first_token(self._folder, network) if network.config.is_encoder_decoder else None,
            piece=self.settings.piece,
            precision=self.precision,
            processes=self.processes,
        )

    def write(self, folder: Path) -> None:
        network = merged(self._whole, self.settings.lora)
        save_network(network, self._loaded.tokenizer, folder, max_length=self._folder.max_length)
        write_json(folder / "mdr.json", options_of(self._folder))
        known = self._folder.folder / vocabulary_languages.FILE
        if known.is_file():  # its vocabulary is the same, and so are the languages' tokens
            with disk_errors(folder):
                shutil.copyfile(known, folder / known.name)
