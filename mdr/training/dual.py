"""The encoder as a learner: any objective over any batch, in constant memory, on any number of processes.

A batch whose texts do not fit into memory at once is encoded twice. First without keeping anything, for the loss and
the gradient of each vector; then piece by piece, each piece's vectors multiplied with their gradients and
differentiated. The gradients are those of the whole batch (Gao et al., 2021).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from mdr.errors import InputError
from mdr.training.batches import Bags, Batch, Ints, joined
from mdr.training.objectives import LOSSES, Vectors
from mdr.training.plan import Plan
from mdr.training.processes import Processes
from mdr.training.settings import Objective
from mdr.types import Role

Part: TypeAlias = tuple[Objective, float, Batch]
_ByRole: TypeAlias = dict[Role, Tensor]


class _Piece(NamedTuple):
    """Rows that are encoded at once."""

    role: Role
    rows: Ints
    tokens: int
    """That are kept for the way back, padding included."""


class DualEncoder(nn.Module):
    """A tower for queries and one for passages; without the second, one is both."""

    def __init__(self, query: nn.Module, passage: nn.Module | None = None) -> None:
        super().__init__()
        self.query = query
        self.passage = query if passage is None else passage
        self.dimension = int(query.dimension)  # type: ignore[arg-type]

    def forward(self, texts: Bags, role: Role) -> Tensor:
        vectors: Tensor = self.tower(role)(texts)
        return vectors

    def tower(self, role: Role) -> nn.Module:
        """What encodes texts of a role."""
        return self.query if role == "query" else self.passage


class DualLearner:
    """Turns a step's batches into gradients of an encoder.

    `piece` tokens (padding included) go through the network at once; up to `memory` tokens are kept for the way back,
    and above that texts are encoded a second time. `precision` is that of autocast, or None.
    """

    def __init__(
        self,
        model: DualEncoder,
        plan: Plan,
        *,
        piece: int = 8_192,
        memory: int = 16_384,
        precision: torch.dtype | None = None,
        guide: DualEncoder | None = None,
        processes: Processes | None = None,
    ) -> None:
        for objective in plan.objectives:
            if objective.loss not in LOSSES:
                raise InputError(f"an encoder cannot learn {objective.loss!r}", f"it learns {', '.join(LOSSES)}")
        self.model = model
        self._plan = plan
        self.precision = precision
        self._piece, self._memory = piece, memory
        self._guide = guide
        self._processes = processes or Processes()
        self._device = next(model.parameters()).device

    def backward(self, step: int, scale: float = 1.0) -> dict[str, float]:
        """Add the gradients of a step, times `scale`, to the parameters; the sum of the losses, and each beside it."""
        parts = self._plan.step(step)
        if not parts:
            return {"loss": 0.0}
        texts = _texts(parts)
        pieces = list(self._pieces(texts))
        keep = sum(piece.tokens for piece in pieces) <= self._memory
        states = [_State(self._device) for _ in pieces]
        found = []
        for piece, state in zip(pieces, states, strict=True):
            state.note()
            with torch.set_grad_enabled(keep):
                found.append(self._run(self.model, texts, piece))
        vectors = self._whole(texts, pieces, found, self.model.dimension)
        for each in vectors.values():
            each.requires_grad_()
        total, told = _losses(parts, vectors, self._guided(texts, pieces))
        if not torch.isfinite(total):  # the trainer stops and says so; gradients would only spoil the weights
            return told
        total.backward()  # type: ignore[no-untyped-call]
        for piece, state, kept in zip(pieces, states, found, strict=True):
            gradient = vectors[piece.role].grad
            assert gradient is not None
            own = scale * gradient[torch.from_numpy(piece.rows).to(self._device)]
            if keep:
                kept.backward(own)  # type: ignore[no-untyped-call]
            else:
                with state.restored():  # the same dropout as the first time
                    self._run(self.model, texts, piece).backward(own)  # type: ignore[no-untyped-call]
        self._processes.sum_gradients(self.model.parameters())
        return told

    def describe(self, step: int) -> dict[str, Any]:
        """The texts of a step as token ids, objective by objective."""
        return {
            "objectives": [
                {
                    "objective": objective.name,
                    "queries": batch.queries.lists(),
                    "passages": batch.passages.lists(),
                    "others": batch.others.lists(),
                }
                for objective, _, batch in self._plan.step(step)
            ]
        }

    def _pieces(self, texts: Mapping[Role, Bags]) -> Iterator[_Piece]:
        """This process' texts, longest first, in pieces of at most so many tokens if the tower wants pieces."""
        for role, bags in texts.items():
            lengths = np.maximum(1, bags.lengths)
            rows = self._processes.own(np.argsort(-lengths, kind="stable"))
            if len(rows) and not self.model.tower(role).in_pieces:
                yield _Piece(role, rows, 0)
                continue
            while len(rows):
                longest = int(lengths[rows[0]])
                size = max(1, self._piece // longest)
                yield _Piece(role, rows[:size], longest * len(rows[:size]))
                rows = rows[size:]

    def _run(self, model: DualEncoder, texts: Mapping[Role, Bags], piece: _Piece) -> Tensor:
        with torch.autocast(self._device.type, self.precision, enabled=self.precision is not None):
            vectors: Tensor = model(texts[piece.role].take(piece.rows), piece.role)
        return vectors.float()

    def _whole(
        self, texts: Mapping[Role, Bags], pieces: Sequence[_Piece], found: Sequence[Tensor], dimension: int
    ) -> _ByRole:
        """The vectors of all texts in their order, those of other processes too; detached."""
        vectors = {}
        for role, bags in texts.items():
            mine = [
                (torch.from_numpy(piece.rows).to(self._device), each.detach())
                for piece, each in zip(pieces, found, strict=True)
                if piece.role == role
            ]
            whole = torch.zeros((len(bags.offsets), dimension), device=self._device)
            for rows, each in mine:
                whole[rows] = each
            vectors[role] = self._processes.gathered(whole)
        return vectors

    def _guided(self, texts: Mapping[Role, Bags], pieces: Sequence[_Piece]) -> _ByRole | None:
        if self._guide is None:
            return None
        with torch.no_grad():
            found = [self._run(self._guide, texts, piece) for piece in pieces]
            return self._whole(texts, pieces, found, self._guide.dimension)


class _State:
    """The random numbers that dropout will draw from here on."""

    def __init__(self, device: torch.device) -> None:
        self._devices = [device] if device.type == "cuda" else []
        self._cpu: Tensor | None = None
        self._cuda: list[Tensor] = []

    def note(self) -> None:
        """Remember where the random numbers stand."""
        self._cpu = torch.get_rng_state()
        self._cuda = [torch.cuda.get_rng_state(device) for device in self._devices]

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Draw the same again; afterwards go on as if nothing had been drawn."""
        assert self._cpu is not None
        with torch.random.fork_rng(self._devices):
            torch.set_rng_state(self._cpu)
            for device, state in zip(self._devices, self._cuda, strict=True):
                torch.cuda.set_rng_state(state, device)
            yield


def _texts(parts: Sequence[Part]) -> dict[Role, Bags]:
    """All texts of a step by who reads them: queries and others are read as queries."""
    queries = [bags for _, _, batch in parts for bags in (batch.queries, batch.others)]
    return {"query": joined(queries), "passage": joined([batch.passages for _, _, batch in parts])}


def _losses(parts: Sequence[Part], vectors: _ByRole, guide: _ByRole | None) -> tuple[Tensor, dict[str, float]]:
    """The weighted sum, and each objective's part by its name."""
    told: dict[str, float] = {}
    total = torch.zeros((), device=vectors["query"].device)
    query = passage = 0
    for objective, factor, batch in parts:
        asked, answered, more = (len(bags.offsets) for bags in (batch.queries, batch.passages, batch.others))
        rows = slice(query, query + asked), slice(passage, passage + answered)
        seen = Vectors(
            vectors["query"][rows[0]],
            vectors["passage"][rows[1]],
            vectors["query"][query + asked : query + asked + more],
            None if guide is None else (guide["query"][rows[0]], guide["passage"][rows[1]]),
        )
        query, passage = query + asked + more, passage + answered
        loss = LOSSES[objective.loss](objective, batch, seen)
        total = total + factor * loss
        told[objective.name] = float(loss.detach())
    told["loss"] = float(total.detach())
    told["texts"] = float(sum(len(batch) for _, _, batch in parts))
    return total, told
