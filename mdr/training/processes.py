"""Several processes training one model (`torchrun`), and one process as the case of one.

Every process draws the same batch, encodes its share of the texts and gathers the rest, then computes the *whole* loss.
The gradient reaches its own texts only, so the sum over processes is the gradient of one process with the whole
batch: no scaling by the number of processes, whatever the loss.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from mdr.training.batches import Ints


@dataclass(frozen=True)
class Processes:
    """Which of how many this is."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def own(self, rows: Ints) -> Ints:
        """This process' share of rows that are sorted by length: every n-th, so that all have equal work."""
        return rows[self.rank :: self.count]

    def gathered(self, own: Tensor) -> Tensor:
        """Everyone's rows, where each has filled its own and left the others zero."""
        if self.count > 1:
            distributed.all_reduce(own)
        return own

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Add up what each process found, in one message. What no process found stays without a gradient: to the
        optimizer zero is something else, it would let unused weights decay."""
        if self.count == 1:
            return
        learning = [parameter for parameter in parameters if parameter.requires_grad]
        device = learning[0].device
        found = torch.tensor([float(each.grad is not None) for each in learning], device=device)
        parts = [torch.zeros_like(each) if each.grad is None else each.grad for each in learning]
        flat = torch.cat([found, *(part.flatten() for part in parts)])
        distributed.all_reduce(flat)
        summed = torch.split(flat, [len(learning), *(part.numel() for part in parts)])
        for parameter, there, total in zip(learning, summed[0].tolist(), summed[1:], strict=True):
            parameter.grad = total.view_as(parameter).to(parameter.dtype) if there else None

    def total(self, value: float) -> float:
        """A number summed over processes."""
        if self.count == 1:
            return value
        summed = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(summed)
        return float(summed)

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            distributed.barrier()


def join_processes() -> Processes:
    """The processes that `torchrun` started, each with a GPU of its own where there are any; else one, alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return Processes()
    if not distributed.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    return Processes(distributed.get_rank(), distributed.get_world_size())
