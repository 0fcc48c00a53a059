"""Training steps of TAPA against RoPE's, both compiled, in turns: a row for `tapa bench`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from analysis.lm.experiments import VARIANTS
from analysis.lm.model import Llama
from analysis.lm.optimise import optimiser_of, update
from analysis.lm.recipe import Recipe, load
from analysis.threads import threads

METHODS = {"RoPE": VARIANTS["rope"].method, "TAPA": VARIANTS["tapa"].method}  # as the experiments train them
WARM_UP = 3  # steps before the clock: the first one compiles
LEAST = 0.8  # TAPA's tokens a second over RoPE's


def training_speed(recipe: Recipe | None = None, *, steps: int = 30, seed: int = 0) -> dict[str, Any]:
    """Tokens a second of recipe "cpu" with either method on random tokens; the same explicit attention in both.

    The two take turns, a step each, so that what else the machine does falls on both.

    Args:
        recipe: whose sizes, precision and threads are used; "cpu" if None.
        steps: that count, of each method.
        seed: of weights and tokens.
    """
    recipe = recipe or load("cpu")
    with threads(recipe.threads):
        turns = {
            name: _step(replace(recipe, model=replace(recipe.model, method=m)), seed)
            for name, m in METHODS.items()
        }
        times: dict[str, list[float]] = {name: [] for name in METHODS}
        for _ in range(WARM_UP + steps):
            for name, step in turns.items():
                begun = time.perf_counter()
                step()
                times[name].append(time.perf_counter() - begun)
    taken = {name: statistics.median(values[WARM_UP:]) for name, values in times.items()}
    tokens = recipe.batch * recipe.length
    ratio = taken["RoPE"] / taken["TAPA"]
    return {
        "what": f"training steps of {recipe.batch} x {recipe.length} tokens, TAPA against RoPE, {recipe.precision}",
        "tokens_per_second": {name: tokens / seconds for name, seconds in taken.items()},
        "ratio": ratio,
        "target": f"TAPA's tokens a second at least {LEAST} of RoPE's",
        "met": ratio >= LEAST,
    }


def _step(recipe: Recipe, seed: int) -> Callable[[], None]:
    """One step of the trainer: forward, backward, clipped update."""
    generator = torch.Generator().manual_seed(seed)
    shape = recipe.batch, recipe.length + 1
    tokens = torch.randint(recipe.model.vocab_size, shape, generator=generator)
    model = Llama(recipe.model, seed=seed)
    optimiser = optimiser_of(model, recipe)
    loss = torch.compile(model.loss, dynamic=False) if recipe.compile else model.loss

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            value = loss(tokens)
        value.backward()
        update(model, optimiser, recipe.lr)

    return step
