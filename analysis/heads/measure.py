"""The main job: a checkpoint and token windows in, one labelled record of every head's distance bias out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from jaxtyping import Int
from torch import Tensor

from analysis.errors import InputError
from analysis.heads import ours
from analysis.heads.assemble import LayerSamples, assemble
from analysis.heads.capture import Consumer, LayerCapture, run
from analysis.heads.checkpoint import Checkpoint
from analysis.heads.ours import OurModel
from analysis.heads.split import QUARTERS, split_layer
from analysis.heads.summary import described

SHORTEST = 2 * QUARTERS  # tokens: no position quarter is empty when the first token is dropped


@dataclass
class Clock:
    """Seconds spent in the model's forward passes, and on statistics."""

    forward: float = 0.0
    statistics: float = 0.0


def measure(
    checkpoint: Checkpoint | OurModel,
    tokens: Int[np.ndarray, "windows length"],
    *,
    seed: int,
    progress: Callable[[str, int, int], None] | None = None,
    clock: Clock | None = None,
) -> xr.Dataset:
    """Mean score of every head at every distance, its split into bias and content, and the paper's prediction.

    Args:
        checkpoint: a loaded model.
        tokens: token ids, (windows, length) with at least 2 windows of at least `SHORTEST` tokens; windows are
            taken as independent.
        seed: of the token orders of the shuffled control.
        progress: called with ("window", done, total).
        clock: filled with the time spent.

    Returns:
        Dataset over first_token, layer, head, distance, pair, part and weighting; standard errors are over
        windows. Scores are before soft-cap, mask and softmax, in the layer's own scale.

    Raises:
        InputError: for fewer than 2 windows, or windows too short, or longer than the model's context.
    """
    count, length = tokens.shape
    if count < 2:
        raise InputError(f"{count} window gives no standard error; measure at least 2")
    if length < SHORTEST:
        raise InputError(f"window of {length} tokens is too short; measure at least {SHORTEST}")
    if length > checkpoint.context_length:
        raise InputError(
            f"window of {length} tokens is longer than the model's context of {checkpoint.context_length}"
        )
    clock = clock or Clock()
    layers: dict[int, LayerSamples] = {}
    for w in range(count):
        before, begun = clock.statistics, time.perf_counter()
        _read(checkpoint, torch.from_numpy(tokens[w : w + 1]), _collector(layers, seed, w, clock))
        clock.forward += time.perf_counter() - begun - (clock.statistics - before)
        if progress:
            progress("window", w + 1, count)
    begun = time.perf_counter()
    dataset = described(assemble([layers[i] for i in sorted(layers)]))
    clock.statistics += time.perf_counter() - begun
    return dataset


def _read(checkpoint: Checkpoint | OurModel, window: Tensor, consumer: Consumer) -> None:
    if isinstance(checkpoint, OurModel):
        ours.run(checkpoint, window, consumer)
    else:
        run(checkpoint, window, consumer)


def _collector(
    layers: dict[int, LayerSamples], seed: int, window: int, clock: Clock
) -> Callable[[LayerCapture], None]:
    """Consumer of captures: keeps the statistics of a layer, never its vectors."""

    def collect(found: LayerCapture) -> None:
        begun = time.perf_counter()
        samples = layers.setdefault(
            found.layer, LayerSamples(found.frequencies, found.scale, found.softcap, found.window, [])
        )
        state = np.random.SeedSequence([seed, window, found.layer]).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0]) >> 1)
        samples.windows.append(
            split_layer(found.q[0], found.k[0], found.frequencies, scale=found.scale, generator=generator)
        )
        clock.statistics += time.perf_counter() - begun

    return collect
