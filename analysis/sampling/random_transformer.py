"""Heads with untrained weights on real text: what RoPE's mu and nu are over weights, and what for fixed weights.

Two averages get confused. Over *weights*: W_q and W_k are independent and centred, so E q_i k_j = 0 for any two
tokens, mu_0 = nu_0 = 0, and no encoding has a bias. Over *tokens*, weights fixed: queries and keys have means, so
every head has its own mu_d and nu_d and a bias of its own, for good. `weight_draws` measures both.

Hidden states come from a small Llama (RMS norm, attention, SwiGLU; Touvron et al. 2023) with random weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Float64, Int
from torch import Tensor

from analysis.encodings import Encoding, Rope
from analysis.encodings.rotary import complex_pairs
from analysis.errors import InputError
from analysis.heads.mean_score import mean_score, mean_score_by_tiles
from analysis.sampling.laws import Empirical
from analysis.settings import check_above, check_least, nearest
from analysis.text.windows import Windows, tokenized, windows
from analysis.workers import HERE, Workers, run

Initialisation = Literal["normal", "xavier", "depth"]
Hidden = Float[Tensor, "windows length hidden"]
Heads = Float[Tensor, "windows length head_dim"]

BYTES = 256  # tokens
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_EPS = 1e-6  # of RMS normalisation
_DRAWS = 16  # in one task


@dataclass(frozen=True, slots=True)
class Shape:
    """A small Llama; checks itself on construction.

    Attributes:
        hidden: dimension of the residual stream, a multiple of `heads`.
        layers, heads: >= 1; a head has hidden / heads dimensions.
        feed_forward: dimension inside SwiGLU.

    >>> Shape(hidden=64, heads=4).head_dim
    16
    """

    hidden: int = 256
    layers: int = 4
    heads: int = 4
    feed_forward: int = 704

    def __post_init__(self) -> None:
        for name in ("hidden", "layers", "heads", "feed_forward"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} must be at least 1")
        if self.hidden % self.heads:
            raise InputError(f"hidden={self.hidden} is not a multiple of heads={self.heads}")

    @property
    def head_dim(self) -> int:
        """Dimensions of one head."""
        return self.hidden // self.heads


def weight_sd(initialisation: Initialisation, outputs: int, inputs: int, *, layers: int) -> float:
    """Standard deviation of a weight matrix at initialisation.

    "normal": 0.02 (GPT-2, Llama in transformers). "xavier": sqrt(2/(inputs + outputs)) (Glorot and Bengio 2010).
    "depth": 0.02/sqrt(2 layers), two residual branches a layer (Radford et al. 2019).

    Raises:
        InputError: another name, or a size below 1.

    >>> round(weight_sd('xavier', 64, 64, layers=4), 3)
    0.125
    """
    for name, value in (("outputs", outputs), ("inputs", inputs), ("layers", layers)):
        if value < 1:
            raise InputError(f"{name}={value} must be at least 1")
    if initialisation == "normal":
        return 0.02
    if initialisation == "xavier":
        return math.sqrt(2 / (inputs + outputs))
    if initialisation == "depth":
        return 0.02 / math.sqrt(2 * layers)
    raise InputError(
        f"initialisation={initialisation!r} is unknown; {nearest(initialisation, get_args(Initialisation))}"
    )


def byte_windows(paths: Sequence[Path], length: int, count: int, *, seed: int) -> Windows:
    """Windows of bytes, as `text.windows.windows` takes them from UTF-8 files (of `assets.fetch_texts`, say).

    Raises `InputError` as `text.windows.tokenized` and `text.windows.windows`.
    """
    return windows(tokenized(paths, lambda text: list(text.encode())), length, count, seed=seed)


def hidden_states(
    tokens: Int[np.ndarray, "windows length"],
    shape: Shape,
    encoding: Encoding,
    *,
    initialisation: Initialisation = "normal",
    seed: int,
) -> Float[Tensor, "layers windows length hidden"]:
    """What W_q and W_k of each layer see: its input after RMS normalisation, mean square 1, float64.

    Args:
        tokens: 0 .. 255.
        encoding: of every head, for shape.head_dim.
        initialisation: of every matrix but the embedding, which is normal 0.02.
        seed: of the weights, >= 0.

    Raises:
        InputError: tokens outside 0 .. 255, an encoding of another head_dim, a negative seed.

    >>> from analysis.encodings import Rope
    >>> from analysis.theory.frequencies import plain
    >>> shape = Shape(hidden=16, layers=2, heads=2, feed_forward=32)
    >>> states = hidden_states(np.arange(32)[None], shape, Rope(plain(1e4, 8)), seed=0)
    >>> states.shape
    torch.Size([2, 1, 32, 16])
    """
    if tokens.size and not 0 <= tokens.min() <= tokens.max() < BYTES:
        raise InputError(
            f"token {tokens.max() if tokens.max() >= BYTES else tokens.min()} is no byte, 0 .. 255"
        )
    if encoding.head_dim != shape.head_dim:
        raise InputError(f"the encoding is for head_dim={encoding.head_dim}, a head has {shape.head_dim}")
    draw = _Weights(_generator(seed), initialisation, shape.layers)
    x = draw.normal(BYTES, shape.hidden, 0.02)[torch.tensor(tokens)]
    seen = []
    for _ in range(shape.layers):
        seen.append(_normalised(x))
        x = x + _attention(seen[-1], shape, encoding, draw)
        x = x + _feed_forward(_normalised(x), shape, draw)
    return torch.stack(seen)


def draw_head(hidden: Hidden, head_dim: int, *, sd: float, rng: np.random.Generator) -> tuple[Heads, Heads]:
    """q and k of one head with fresh W_q and W_k, every entry normal with standard deviation sd."""
    size = (2, hidden.shape[-1], head_dim)
    w_q, w_k = torch.tensor(sd * rng.standard_normal(size))
    return hidden @ w_q, hidden @ w_k


def head_sampler(hidden: Hidden, head_dim: int, *, sd: float, seed: int) -> Empirical:
    """The law of q and k of one random head over all tokens, each token's q with any token's k."""
    check_above("sd", sd, 0)
    q, k = draw_head(hidden, head_dim, sd=sd, rng=_generator(seed))
    return Empirical(q.flatten(0, 1), k.flatten(0, 1))


def weight_draws(
    hidden: Hidden,
    encoding: Encoding,
    *,
    sd: float,
    draws: int,
    seed: int,
    quantiles: Sequence[float] = QUANTILES,
    workers: Workers = HERE,
) -> xr.Dataset:
    """Scores by distance of `draws` heads with random W_q and W_k on the same hidden states.

    Args:
        hidden: one layer of `hidden_states`.
        encoding: of the head.
        sd: of every entry of W_q and W_k (`weight_sd`).
        draws: heads, >= 2.
        seed: >= 0.
        quantiles: of the heads, each in [0, 1].
        workers: who does the work; plays no part in the numbers.

    Returns:
        Over tokens, weights fixed: score(draw, distance), the mean over all pairs of tokens of a window, then
        over windows; its quantiles over draws, band(quantile, distance); for rotary encodings mu, nu(draw, pair),
        E A_d and E B_d over pairs of tokens of a window (eq 5).
        Over weights, tokens fixed: weights_mean, weights_se, weights_sd(window, distance), of the score of a
        window's last token with the token `distance` before it.

    Raises:
        InputError: a value out of its range, or a score that is not finite.
    """
    check_above("sd", sd, 0)
    for name, value, least in (("draws", draws, 2), ("seed", seed, 0)):
        check_least(name, value, least)
    if not quantiles or not all(0 <= level <= 1 for level in quantiles):
        raise InputError(f"quantiles={tuple(quantiles)} must be one or more numbers in [0, 1]")
    starts = range(0, draws, _DRAWS)
    children = np.random.SeedSequence(seed).spawn(len(starts))
    tasks = [(child, min(_DRAWS, draws - start)) for child, start in zip(children, starts, strict=True)]
    parts = list(run(_Draws(hidden.numpy(), encoding, sd), tasks, workers))
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if not np.isfinite(found["score"]).all():
        raise InputError("a score is not finite; take an encoding that hides no distance")
    return _dataset(found, quantiles).assign_attrs(seed=seed, sd=sd)


@dataclass(frozen=True, eq=False)
class _Draws:
    """What tasks have in common; an array, which travels between processes as it is."""

    hidden: Float64[np.ndarray, "windows length hidden"]
    encoding: Encoding
    sd: float

    def __call__(self, task: tuple[np.random.SeedSequence, int]) -> dict[str, np.ndarray]:
        child, count = task
        rng, hidden = np.random.default_rng(child), torch.tensor(self.hidden)
        heads = (draw_head(hidden, self.encoding.head_dim, sd=self.sd, rng=rng) for _ in range(count))
        rows = [self._one(q, k) for q, k in heads]
        return {name: np.stack([row[name].numpy() for row in rows]) for name in rows[0]}

    def _one(self, q: Heads, k: Heads) -> dict[str, Tensor]:
        positions = torch.arange(q.shape[1])
        last = self.encoding.scores(q[:, -1:], k, positions[-1:], positions)
        found = {"score": _by_distance(self.encoding, q, k).mean(dim=0), "last": last[:, 0].flip(-1)}
        if isinstance(self.encoding, Rope):
            zq, zk = (complex_pairs(x, self.encoding.frequencies).mean(dim=-1) for x in (q, k))
            product = (zq * zk.conj()).mean(dim=0)  # A - iB
            found |= {"mu": product.real, "nu": -product.imag}
        return found


def _by_distance(encoding: Encoding, q: Heads, k: Heads) -> Float[Tensor, "windows length"]:
    """Mean score of each window at every distance."""
    if isinstance(encoding, Rope):
        return mean_score(q, k, encoding.frequencies, scale=encoding.factor)
    at = torch.arange(q.shape[1])

    def tiles(a: Tensor, b: Tensor) -> Tensor:
        return mean_score_by_tiles(lambda r, c: encoding.scores(a[r], b[c], at[r], at[c]), len(at))

    return torch.stack([tiles(a, b) for a, b in zip(q, k, strict=True)])


def _dataset(found: dict[str, np.ndarray], quantiles: Sequence[float]) -> xr.Dataset:
    last, draws = found["last"], len(found["last"])
    spread = last.std(axis=0, ddof=1)
    variables = {
        "score": (("draw", "distance"), found["score"]),
        "band": (("quantile", "distance"), np.quantile(found["score"], quantiles, axis=0)),
        "weights_mean": (("window", "distance"), last.mean(axis=0)),
        "weights_se": (("window", "distance"), spread / math.sqrt(draws)),
        "weights_sd": (("window", "distance"), spread),
    }
    variables |= {name: (("draw", "pair"), found[name]) for name in ("mu", "nu") if name in found}
    distance = np.arange(found["score"].shape[1], dtype=np.float64)
    return xr.Dataset(variables, {"distance": distance, "quantile": list(map(float, quantiles))})


@dataclass(frozen=True)
class _Weights:
    """Fresh matrices, one after another."""

    rng: np.random.Generator
    initialisation: Initialisation
    layers: int

    def normal(self, inputs: int, outputs: int, sd: float) -> Tensor:
        return torch.tensor(sd * self.rng.standard_normal((inputs, outputs)))

    def matrix(self, inputs: int, outputs: int) -> Tensor:
        return self.normal(
            inputs, outputs, weight_sd(self.initialisation, outputs, inputs, layers=self.layers)
        )


def _attention(x: Hidden, shape: Shape, encoding: Encoding, draw: _Weights) -> Hidden:
    """Causal attention with all its heads."""
    q, k, v = (
        (x @ draw.matrix(shape.hidden, shape.hidden)).unflatten(-1, (shape.heads, -1)).transpose(1, 2)
        for _ in range(3)
    )
    at = torch.arange(x.shape[1])
    scores = encoding.scores(q, k, at, at).masked_fill(at[:, None] < at, -math.inf)
    mixed = (scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)
    return mixed @ draw.matrix(shape.hidden, shape.hidden)


def _feed_forward(x: Hidden, shape: Shape, draw: _Weights) -> Hidden:
    """SwiGLU (Shazeer 2020)."""
    gate, up = (x @ draw.matrix(shape.hidden, shape.feed_forward) for _ in range(2))
    return (torch.nn.functional.silu(gate) * up) @ draw.matrix(shape.feed_forward, shape.hidden)


def _normalised(x: Hidden) -> Hidden:
    """Root mean square 1 along the residual stream (Zhang and Sennrich 2019)."""
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + _EPS)


def _generator(seed: int) -> np.random.Generator:
    check_least("seed", seed, 0)
    return np.random.default_rng(seed)
