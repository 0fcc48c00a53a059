"""One process, or several under torchrun that share the work of each batch and hold the same weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch import distributed as dist

from analysis.errors import InputError


@dataclass(frozen=True, slots=True)
class Group:
    """The processes of a run.

    Attributes:
        device: that this process computes on.
        rank, ranks: this process's number, and how many there are.
    """

    device: torch.device
    rank: int = 0
    ranks: int = 1

    @property
    def leads(self) -> bool:
        """Is it the one that writes files and shows progress?"""
        return self.rank == 0

    def average_gradients(self, model: nn.Module) -> None:
        """Replace every gradient by its mean over the processes, in one exchange.

        Each has the same number of windows, so this is the gradient of the whole batch. Done after the
        backward pass rather than by a wrapper around the model: the model is then compiled as it is anywhere.
        """
        if self.ranks == 1:
            return
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        flat /= self.ranks
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def mean(self, value: Tensor) -> float:
        """Mean over the processes of a number that each has."""
        if self.ranks > 1:
            value = value.detach().clone()
            dist.all_reduce(value)
            value /= self.ranks
        return value.item()

    def wait(self) -> None:
        """Until all processes are here."""
        if self.ranks > 1:
            dist.barrier()


@contextmanager
def group_on(device: str) -> Iterator[Group]:
    """This process and those that torchrun started beside it (gloo on CPUs, NCCL on GPUs).

    Raises:
        InputError: "cuda" was asked for and there is no such device.
    """
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if device == "cuda" and torch.cuda.device_count() <= local:
        found = torch.cuda.device_count()
        raise InputError(f"device=cuda needs {local + 1} GPU(s) here, PyTorch finds {found}; give device=cpu")
    place = torch.device("cuda", local) if device == "cuda" else torch.device("cpu")
    if ranks == 1:
        yield Group(place)
        return
    dist.init_process_group("nccl" if device == "cuda" else "gloo", rank=rank, world_size=ranks)
    try:
        yield Group(place, rank, ranks)
    finally:
        dist.destroy_process_group()
