"""Encoders by name: a local folder or a hub name becomes something that turns texts into vectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mdr.engines.model_folder import ModelFolder, read_model_folder, towers_of
from mdr.errors import ModelError
from mdr.ports import Encoder

_WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
_UNWANTED = ("onnx/*", "openvino/*", "*.bin")


def load_encoder(
    name: str,
    *,
    device: str = "auto",
    threads: int = 0,
    precision: str = "auto",
    overrides: Mapping[str, Any] | None = None,
) -> Encoder:
    """The encoder of a model folder or hub name; `overrides` are those that an `mdr.json` may hold."""

    def load(folder: Path) -> Encoder:
        return _load(read_model_folder(folder, overrides), device=device, threads=threads, precision=precision)

    folder = find_model(name)
    if towers := towers_of(folder):
        from mdr.engines.two_towers import TwoTowers

        return TwoTowers(load(towers["query"]), load(towers["passage"]))
    return load(folder)


def _load(model: ModelFolder, *, device: str, threads: int, precision: str) -> Encoder:
    if model.kind == "static":
        from mdr.engines.static_encoder import StaticEncoder

        return StaticEncoder(model)
    from mdr.engines.transformer_encoder import TransformerEncoder

    return TransformerEncoder(model, device=device, threads=threads, precision=precision)


def find_model(name: str) -> Path:
    """The folder of a model; a hub name is downloaded once, safetensors only."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if not name or name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name:
        raise ModelError(f"there is no model folder {name!r}", "give a folder that exists, or a hub name: owner/name")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(snapshot_download(name, allow_patterns=list(_WANTED), ignore_patterns=list(_UNWANTED)))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"model {name!r} is neither a folder here nor could it be fetched from the hub: {first}",
            "check the name and the connection (HF_TOKEN for private models), or copy its folder here and give that",
        ) from error
