"""What low precision does to a TAPA score, by distance and by size of the phase."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float64
from torch import Tensor

from analysis import schemas
from analysis.encodings import Tapa
from analysis.sampling.laws import Gaussian, rescaled
from analysis.sampling.monte_carlo import open_uniforms
from analysis.settings import check_least
from analysis.theory.gaussian_law import independent
from analysis.theory.rope import checked_distance, spread_distances

PRECISION = schemas.PRECISION
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
PHASES_IN = ("float32", "own type")
_ROWS = 2**20  # scores at a time


def score_errors(
    encoding: Tapa,
    distances: Float64[np.ndarray, " distances"],
    phase_sds: Sequence[float],
    *,
    samples: int = 4096,
    seed: int,
) -> xr.Dataset:
    """Root mean square error of a TAPA score, relative to that of the score, in three types.

    Vectors are independent normal and rounded to the type; truth is float64 on the rounded vectors, so what
    remains is the error of computing. The amplitude's inner product is taken in the type. Phases and powers of
    the distance are once in float32, as every encoding here has them, and once in the type as well.

    Args:
        encoding: quadratic or linear phase.
        distances: tokens.
        phase_sds: standard deviation of q_P.k_P / sqrt(n_P), turns at distance 1, each > 0.
        samples: pairs (q, k), >= 1.
        seed: >= 0.

    Returns:
        error(dtype, phases_in, phase_sd, distance), 1 or so where a score is noise, and lost(...), the share of
        scores that are not finite; these are left out of the error (nan where there is nothing else).

    Raises:
        InputError: a value out of its range.

    >>> from analysis.encodings import Tapa
    >>> found = score_errors(Tapa(8), np.array([1.0]), [0.1], samples=64, seed=0)
    >>> found.error.dims
    ('dtype', 'phases_in', 'phase_sd', 'distance')
    """
    for name, value, least in (("samples", samples, 1), ("seed", seed, 0)):
        check_least(name, value, least)
    lags = torch.tensor(checked_distance(distances))
    error = np.empty((len(TYPES), len(PHASES_IN), len(phase_sds), len(lags)))
    lost = np.empty_like(error)
    for j, sd in enumerate(phase_sds):
        law = rescaled(independent(encoding.head_dim), encoding.amplitude_dim, phase=sd)
        sampler, rng = Gaussian(law), np.random.default_rng(seed)
        pair = sampler.draw(open_uniforms(rng, samples, sampler.dimensions))
        for i, dtype in enumerate(TYPES.values()):
            q, k = (x.to(dtype) for x in pair)
            for at in map(Tensor.numpy, torch.arange(len(lags)).split(max(1, _ROWS // samples))):
                exact = encoding.pairwise(q.double(), k.double(), lags[at])
                for p, narrow in enumerate((False, True)):
                    away = _scores(encoding, q, k, lags[at], narrow=narrow).double() - exact
                    error[i, p, j, at], lost[i, p, j, at] = _relative(away, exact)
    dims = ("dtype", "phases_in", "phase_sd", "distance")
    coords = {"dtype": list(TYPES), "phases_in": list(PHASES_IN), "phase_sd": list(phase_sds)}
    variables = {"error": (dims, error), "lost": (dims, lost)}
    return xr.Dataset(variables, coords | {"distance": lags.numpy()}).assign_attrs(samples=samples, seed=seed)


def _relative(away: Tensor, exact: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square error over that of the score, and the share that is lost, at each distance."""
    finite = torch.isfinite(away)
    kept = torch.where(finite, away, torch.nan).square().nanmean(dim=0)
    return (kept / exact.square().mean(dim=0)).sqrt().numpy(), (~finite).double().mean(dim=0).numpy()


def _scores(encoding: Tapa, q: Tensor, k: Tensor, distance: Tensor, *, narrow: bool) -> Tensor:
    """Matched scores with inner products as a matrix product in the vectors' type gives them."""
    a, b, x, y = encoding.factors(q, k)
    amplitude = (a[:, None] @ b[:, :, None])[:, :, 0]
    if narrow:
        x, y = x.to(q.dtype), y.to(q.dtype)
        turn = 2 * math.pi * distance.to(q.dtype).abs() ** encoding.alpha
        return (encoding.scale * amplitude) * torch.cos(turn * (x[:, None] @ y[:, :, None])[:, :, 0])
    phase = (x[:, None] @ y[:, :, None])[:, :, 0]
    return encoding.scale * amplitude.to(x.dtype) * torch.cos(encoding.turn(distance, x.dtype) * phase)


def record(
    *, head_dim: int, phase_sds: Sequence[float], samples: int, longest: int, points: int, seed: int
) -> xr.Dataset:
    """`score_errors` of TAPA at `points` distances, evenly spread in the logarithm, to `longest` tokens."""
    distance = spread_distances(longest, points)
    return score_errors(Tapa(head_dim), distance, phase_sds, samples=samples, seed=seed)
