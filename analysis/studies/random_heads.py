"""Untrained heads on real text, for every usual initialisation: their scores by distance, and figure 1's protocol.

A small Llama with random weights reads bytes; what its last layer's W_q and W_k see makes queries and keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import xarray as xr
from jaxtyping import Float64

from analysis import schemas
from analysis.assets import fetch_texts
from analysis.encodings import Encoding, Rope, Tapa
from analysis.sampling.random_transformer import (
    Hidden,
    Initialisation,
    Shape,
    byte_windows,
    draw_head,
    hidden_states,
    weight_draws,
    weight_sd,
)
from analysis.theory.frequencies import plain
from analysis.workers import HERE, Workers

HEADS = schemas.RANDOM_HEADS
SHAPE = Shape(hidden=256, layers=4, heads=2, feed_forward=704)
BASE = 5e5  # of the paper's RoPE
INITIALISATIONS: tuple[Initialisation, ...] = get_args(Initialisation)


def rivals_of(shape: Shape, base: float = BASE) -> dict[str, Encoding]:
    """The two encodings that the paper compares, for the heads of a model; turns do not matter, radians here."""
    return {"RoPE": Rope(plain(base, shape.head_dim)), "TAPA": Tapa(shape.head_dim)}


def hidden_of_texts(
    paths: Sequence[Path], shape: Shape, windows: int, length: int, *, seed: int
) -> dict[str, Hidden]:
    """What W_q and W_k of the last layer see, for each initialisation of the whole model, on the same bytes.

    Raises `InputError` as `byte_windows` and `hidden_states`.
    """
    tokens = byte_windows(paths, length, windows, seed=seed).tokens
    rope = Rope(plain(BASE, shape.head_dim))
    return {
        name: hidden_states(tokens, shape, rope, initialisation=name, seed=seed)[-1]
        for name in INITIALISATIONS
    }


def untrained_heads(
    hidden: Mapping[str, Hidden],
    shape: Shape,
    *,
    draws: int,
    seed: int,
    workers: Workers = HERE,
) -> xr.Dataset:
    """`weight_draws` of RoPE and TAPA for each initialisation, scores in units of their spread over weights.

    That unit is hidden W^2, W the standard deviation of an entry of W_q and W_k: at distance 0 a score without
    position has this standard deviation over weights, whatever the tokens.

    Args:
        hidden: of `hidden_of_texts`; draws: heads for each initialisation and encoding; seed, workers: of them.

    Returns:
        Over tokens, weights fixed: band(initialisation, rival, quantile, distance) over heads, and score of the first
        heads(head). Over weights: weights_mean, weights_se(initialisation, rival, distance), of a window's last token
        with those before it. Without a unit: phase_mean, phase_sd(initialisation, head), turns at distance 1, over
        all pairs of tokens; unit(initialisation).

    Raises:
        InputError: a value out of its range.
    """
    parts, phases, units = [], [], []
    for name, states in hidden.items():
        sd = head_weight_sd(name, shape)
        units.append(shape.hidden * sd**2)
        rows = [
            weight_draws(states, encoding, sd=sd, draws=draws, seed=seed, workers=workers).isel(window=0)
            for encoding in rivals_of(shape).values()
        ]
        kept = [row[["band", "weights_mean", "weights_se"]] / units[-1] for row in rows]
        few = [row["score"].isel(draw=slice(None, 3)).rename(draw="head") / units[-1] for row in rows]
        both = [part.assign(score=lines) for part, lines in zip(kept, few, strict=True)]
        parts.append(xr.concat(both, dim="rival"))
        phases.append(phase_spread(states, shape, sd=sd, draws=draws, seed=seed))
    data = xr.concat(parts, dim="initialisation")
    of = ("initialisation", "draw")
    spread = {f"phase_{kind}": (of, [phase[i] for phase in phases]) for i, kind in enumerate(("mean", "sd"))}
    coords = {"initialisation": list(hidden), "rival": list(rivals_of(shape))}
    return (
        data.assign(spread | {"unit": ("initialisation", units)})
        .assign_coords(coords)
        .assign_attrs(
            hidden=shape.hidden, head_dim=shape.head_dim, layers=shape.layers, base=BASE, draws=draws
        )
    )


def phase_spread(
    hidden: Hidden, shape: Shape, *, sd: float, draws: int, seed: int
) -> Float64[np.ndarray, "2 draws"]:
    """Mean and standard deviation of TAPA's phase over all pairs of tokens, turns at distance 1, for random heads."""
    tapa, rng = Tapa(shape.head_dim), np.random.default_rng(seed)
    states = hidden.flatten(0, 1)[None]
    found = []
    for _ in range(draws):
        q, k = (x[0, :, tapa.amplitude_dim :] for x in draw_head(states, shape.head_dim, sd=sd, rng=rng))
        mean = float(q.mean(dim=0) @ k.mean(dim=0))
        square = float(((q.T @ q) * (k.T @ k)).sum()) / (len(q) * len(k))  # E (q.k)^2 over all pairs
        found.append((mean, math.sqrt(max(square - mean**2, 0.0))))
    return np.array(found).T / math.sqrt(tapa.phase_dim)


def head_weight_sd(initialisation: str, shape: Shape) -> float:
    """Of every entry of W_q and W_k, matrices for all heads at once."""
    return weight_sd(initialisation, shape.hidden, shape.hidden, layers=shape.layers)  # pyright: ignore


def record(*, text: Mapping[str, int], draws: int, seed: int) -> xr.Dataset:
    """`untrained_heads` on the pinned texts; `text` has the windows, length and seed of `hidden_of_texts`."""
    return untrained_heads(hidden_of_texts(fetch_texts(), SHAPE, **text), SHAPE, draws=draws, seed=seed)
