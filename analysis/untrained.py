"""Untrained heads on real text, for every usual initialisation: their scores by distance, and figure 1's protocol.

A small Llama with random weights reads bytes; what its last layer's W_q and W_k see makes queries and keys.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import xarray as xr
from jaxtyping import Float64

from analysis.encodings import Encoding, Rope, Tapa
from analysis.near_far import Reading, near_far_gap
from analysis.random_transformer import (
    Hidden,
    Initialisation,
    Shape,
    byte_windows,
    draw_head,
    head_sampler,
    hidden_states,
    weight_draws,
    weight_sd,
)
from analysis.records import Schema
from analysis.theory.bias import mean_gap
from analysis.theory.frequencies import plain
from analysis.workers import HERE, Workers

HEADS = Schema("untrained-heads", 1, made_by="tapa figures random_heads")
GAPS = Schema("untrained-gaps", 1, made_by="tapa figures near_far")
SHAPE = Shape(hidden=256, layers=4, heads=2, feed_forward=704)
BASE = 5e5  # of the paper's RoPE
INITIALISATIONS: tuple[Initialisation, ...] = get_args(Initialisation)
PAPER = {"RoPE": (4.1, 0.85), "TAPA": (0.03, 3.3)}  # figure 1: mean and standard deviation of the difference
NEAR, FAR = (0, 100), (10_000, 10_100)


def rivals_of(shape: Shape, base: float = BASE) -> dict[str, Encoding]:
    """The two encodings that the paper compares, for the heads of a model; turns do not matter, radians here."""
    return {"RoPE": Rope(plain(base, shape.head_dim)), "TAPA": Tapa(shape.head_dim)}


def read_text(
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
        hidden: of `read_text`; draws: heads for each initialisation and encoding; seed, workers: of them.

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
        sd = _sd(name, shape)
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


def untrained_gaps(
    hidden: Mapping[str, Hidden],
    shape: Shape,
    *,
    heads: int,
    pairs: int = 10_000,
    resamples: int = 400,
    seed: int,
) -> xr.Dataset:
    """Figure 1's protocol on random heads: difference of near and far scores, by both of its readings.

    Args:
        hidden: of `read_text`; heads: random W_q and W_k for each initialisation, the same for both encodings.
        pairs, resamples: see `near_far_gap`; seed: >= 0.

    Returns:
        mean, sd(initialisation, rival, reading, head) with mean_interval, sd_interval over bound, 95 %; over the heads,
        expected(initialisation, rival, reading) and expected_se; paper_mean, paper_sd(rival). Attribute gap_of_mu:
        RoPE's expected difference for mu_0 = 1 in every pair, nu_0 = 0.

    Raises:
        InputError: a value out of its range.
    """
    readings, encodings = get_args(Reading), rivals_of(shape)
    seeds = np.random.SeedSequence(seed).generate_state(heads).tolist()
    draw = functools.partial(_cell, shape, pairs=pairs, resamples=resamples)
    cells = [
        draw(encoding, states, name, reading, one)
        for name, states in hidden.items()
        for encoding in encodings.values()
        for reading in readings
        for one in seeds
    ]
    of = ("initialisation", "rival", "reading", "head")
    shape_of = (len(hidden), len(encodings), len(readings), heads)

    def gathered(name: str) -> np.ndarray:
        values = np.stack([cell[name].values for cell in cells])
        return values.reshape(*shape_of, *values.shape[1:])

    paper = np.array([PAPER[name] for name in encodings])
    mean = gathered("mean")
    variables = {name: (of, gathered(name)) for name in ("mean", "sd")}
    variables |= {name: ((*of, "bound"), gathered(name)) for name in ("mean_interval", "sd_interval")}
    variables |= {
        "expected": (of[:-1], mean.mean(axis=-1)),
        "expected_se": (of[:-1], mean.std(axis=-1, ddof=1) / math.sqrt(heads)),
        "paper_mean": ("rival", paper[:, 0]),
        "paper_sd": ("rival", paper[:, 1]),
    }
    coords = {"initialisation": list(hidden), "rival": list(encodings), "reading": list(readings)}
    per_mu = math.sqrt(shape.head_dim) * mean_gap(NEAR, FAR, BASE, shape.head_dim, 1.0, 0.0)
    return xr.Dataset(variables, coords | {"bound": ["low", "high"]}).assign_attrs(
        hidden=shape.hidden, head_dim=shape.head_dim, pairs=pairs, gap_of_mu=per_mu, base=BASE
    )


def _cell(
    shape: Shape,
    encoding: Encoding,
    states: Hidden,
    initialisation: str,
    reading: Reading,
    seed: int,
    *,
    pairs: int,
    resamples: int,
) -> xr.Dataset:
    """The protocol on one head, whose weights and tokens the seed decides."""
    sampler = head_sampler(states, shape.head_dim, sd=_sd(initialisation, shape), seed=seed)
    options: dict[str, Any] = {"near": NEAR, "far": FAR, "pairs": pairs, "resamples": resamples, "seed": seed}
    return near_far_gap(encoding, sampler, reading=reading, **options).drop_vars("difference")


def _sd(initialisation: str, shape: Shape) -> float:
    """Of every entry of W_q and W_k, matrices for all heads at once."""
    return weight_sd(initialisation, shape.hidden, shape.hidden, layers=shape.layers)  # pyright: ignore
