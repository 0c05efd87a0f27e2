"""Two processes find what one finds: gradients, weights, and the way back into a run that was cut."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from training_models import Deep, assert_equal, gradients, objective, plan, run, static

from mdr.training.dual import DualEncoder, DualLearner
from mdr.training.processes import Processes, join_processes
from mdr.training.settings import TrainerSettings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

PLENTY = 1 << 30
SHARED = {
    "contrast": objective("contrast", symmetric=True, batch=7),
    "listwise": objective("listwise", whole_batch=True),
    "language": objective("language"),
}
STEPS = 5


def several_steps(loss: str, processes: Processes) -> dict[str, Tensor]:
    """Gradients of the first step, and weights after some of plain descent, of both kinds of towers."""
    found = {}
    models = {"tied": DualEncoder(Deep()), "untied": DualEncoder(Deep(), Deep(seed=1)), "static": DualEncoder(static())}
    for (kind, model), memory in zip(models.items(), (PLENTY, 0, 0), strict=True):
        learner = DualLearner(model, plan(SHARED[loss], steps=STEPS), piece=24, memory=memory, processes=processes)
        for step in range(STEPS):
            grads = gradients(learner, step)
            if not step:
                found |= {f"{kind} gradient {name}": each for name, each in grads.items()}
            with torch.no_grad():
                for each in model.parameters():
                    each -= 0.05 * (each.grad if each.grad is not None else 0)
        found |= {f"{kind} weight {name}": each.detach() for name, each in model.named_parameters()}
    return found


def trained(folder: Path, processes: Processes) -> dict[str, Tensor]:
    """A whole run with dropout: cut after 6 steps and resumed, its processes must find themselves again."""
    settings = TrainerSettings(steps=8, rate=0.02, average=0.5, checkpoint=4)
    _, events = run(folder / "cut", settings, measure=False, processes=processes)
    for event in events:
        if event.done == 6:
            break
    found = {}
    for name in ("cut", "straight"):
        model, events = run(folder / name, settings, measure=False, processes=processes)
        notes = [event.message for event in events if event.kind == "note"]
        assert ("continues after step 4" in notes) == (name == "cut")
        found |= {f"{name} {key}": each.detach() for key, each in model.named_parameters()}
    return found


def worker(rank: int, folder: str, port: int) -> None:
    """What `torchrun` starts."""
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    processes = join_processes()
    assert processes == Processes(rank, 2)
    found = {loss: several_steps(loss, processes) for loss in SHARED}
    found["trained"] = trained(Path(folder), processes)

    one, none, frozen = (nn.Parameter(torch.zeros(2, 2)) for _ in range(3))
    frozen.requires_grad_(False)
    one.grad = torch.full((2, 2), 3.0) if rank else None
    processes.sum_gradients([one, none, frozen])
    assert one.grad is not None and one.grad.tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert none.grad is None and frozen.grad is None
    assert processes.total(rank + 0.5) == 2.0
    torch.save(found, Path(folder) / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, Tensor]]]:
    from torch import multiprocessing

    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(worker, (str(folder), port), nprocs=2)  # type: ignore[no-untyped-call]
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("loss", SHARED)
def test_two_processes_find_what_one_finds(loss: str, two_processes: list[dict[str, dict[str, Tensor]]]) -> None:
    alone = several_steps(loss, Processes())
    first, second = (found[loss] for found in two_processes)
    assert alone.keys() == first.keys() == second.keys()
    assert_equal(alone, first)
    for name, each in alone.items():
        assert torch.equal(first[name], second[name])
        if "gradient" in name and each.norm() > 1e-3:  # the classical mistake is a factor of two, or of a half
            assert float((first[name] * each).sum() / (each * each).sum()) == pytest.approx(1, abs=1e-4)


def test_two_processes_resume_exactly(two_processes: list[dict[str, dict[str, Tensor]]]) -> None:
    for found in two_processes:
        for name, each in found["trained"].items():
            assert torch.equal(each, two_processes[0]["trained"][name])
            if name.startswith("cut "):
                assert torch.equal(each, found["trained"]["straight " + name.removeprefix("cut ")])
