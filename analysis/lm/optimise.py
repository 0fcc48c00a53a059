"""The optimiser of a run: AdamW in groups, its schedule, its guard, and its state as plain tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from analysis.errors import InputError
from analysis.lm.model import Llama
from analysis.lm.recipe import Recipe

BETAS, EPS = (0.9, 0.95), 1e-8
CLIP = 1.0  # largest norm of the whole gradient
FLOOR = 0.1  # of the learning rate, at the last step
_MOMENTS = ("exp_avg", "exp_avg_sq")


class Diverged(InputError):
    """A loss or a gradient is not finite any more.

    Attributes:
        step: optimiser steps that went well.
        what: the first parameter with such a gradient, or "loss".
    """

    def __init__(self, step: int, what: str, lr: float, kept: str) -> None:
        self.step, self.what = step, what
        where = what if what == "loss" else f"the gradient of {what}"
        super().__init__(f"step {step + 1}: {where} is not finite at lr={lr:.3g}; {kept}; give a smaller lr")


def rate(recipe: Recipe, step: int) -> float:
    """Learning rate of step number `step`, counted from 0: linear up to lr, then a cosine down to a tenth."""
    if step < recipe.warmup:
        return recipe.lr * ((step + 1) / recipe.warmup)
    gone = (step - recipe.warmup) / max(1, recipe.steps - 1 - recipe.warmup)
    return recipe.lr * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * min(gone, 1.0))) / 2)


def optimiser_of(model: Llama, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW over all parameters: gains undecayed, and what makes TAPA's phase at its own learning rate."""
    phase, scale = set(model.phase_parameters()), recipe.model.method.phase_lr_scale
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((decay, scale if name in phase else 1.0), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": found, "weight_decay": decay, "scale": own} for (decay, own), found in groups.items()],
        lr=recipe.lr,
        betas=BETAS,
        eps=EPS,
        fused=True,
    )


def update(model: Llama, optimiser: torch.optim.AdamW, lr: float) -> float:
    """Clip the gradient, take one step if its norm is finite, and return the norm before clipping."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    whole = nn.utils.get_total_norm(gradients)
    norm = whole.item()
    if math.isfinite(norm):  # clipping by one that is not would spoil the gradients that are
        nn.utils.clip_grads_with_norm_(model.parameters(), CLIP, whole)
        for group in optimiser.param_groups:
            group["lr"] = lr * group["scale"]
        optimiser.step()
    return norm


def first_not_finite(model: Llama) -> str:
    """The first parameter whose gradient is not finite; "all parameters" if only their common norm is not."""
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            return name
    return "all parameters"


def moments(model: Llama, optimiser: torch.optim.AdamW) -> dict[str, Tensor]:
    """AdamW's two moments of every parameter, as "moment/parameter"; none before the first step."""
    return {
        f"{moment}/{name}": optimiser.state[parameter][moment]
        for name, parameter in model.named_parameters()
        if parameter in optimiser.state
        for moment in _MOMENTS
    }


def restore(model: Llama, optimiser: torch.optim.AdamW, state: Mapping[str, Tensor], step: int) -> None:
    """Give an optimiser back what `moments` took, after `step` steps.

    Raises:
        KeyError: a moment is missing.
    """
    for name, parameter in model.named_parameters():
        found = {m: state[f"{m}/{name}"].to(parameter.device).clone() for m in _MOMENTS}
        count = torch.tensor(float(step), dtype=torch.float32, device=parameter.device)
        optimiser.state[parameter] = {"step": count, **found}
