"""How artefacts look on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mdr.cli.output import Report, size, table

if TYPE_CHECKING:
    from mdr.storage.artefacts import Artefact


def made_report(name: str, made: dict[str, Artefact]) -> Report:
    """What each step of a run made."""
    rows = [
        (step, artefact.key, _holds(artefact), artefact.manifest.seconds, size(artefact.manifest.bytes))
        for step, artefact in made.items()
    ]
    data = {"name": name, "steps": {step: summary(artefact) for step, artefact in made.items()}}
    return Report(data, [table(rows, "step", "artefact", "holds", "seconds", "size", title=name)])


def summary(artefact: Artefact) -> dict[str, Any]:
    """An artefact as JSON shows it."""
    manifest = artefact.manifest
    return {
        "artefact": artefact.key,
        "folder": artefact.folder,
        "content": manifest.content,
        "settings": manifest.settings,
        "fingerprints": manifest.fingerprints,
        "counts": manifest.counts,
        "bytes": manifest.bytes,
        "seconds": manifest.seconds,
        "made": manifest.made,
    }


def _holds(artefact: Artefact) -> str:
    counts = artefact.manifest.counts.items()
    return ", ".join(f"{value:,} {key.replace('_', ' ')}" for key, value in counts if isinstance(value, int) and value)
