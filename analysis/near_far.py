"""The protocol of the paper's figure 1: scores of near pairs less scores of far pairs, for any law of q and k.

Appendix I of Wang et al. 2025 (arXiv 2509.12635) gives 10,000 differences from the intervals [0, 100] and
[10000, 10100], and says two things about them: the text draws *distances* from the intervals, the caption says
that *positions* are drawn from them. Both readings are here. In the second, both tokens of a pair lie in one
interval, so near and far pairs have the same distances, and a relative encoding can show no gap at all.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float64, Int
from scipy.stats import t as student_t

from analysis.encodings import Encoding
from analysis.errors import InputError
from analysis.samplers import Sampler
from analysis.sampling import CHUNK, open_uniforms

Reading = Literal["distances", "positions"]
Interval = tuple[int, int]


def near_far_gap(
    encoding: Encoding,
    sampler: Sampler,
    *,
    reading: Reading,
    near: Interval = (0, 100),
    far: Interval = (10_000, 10_100),
    pairs: int = 10_000,
    seed: int,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> xr.Dataset:
    """Differences of `pairs` near and far scores, all of independent (q, k); their mean and standard deviation.

    Args:
        reading: "distances": m - n uniform on the whole numbers of an interval; "positions": m and n both
            uniform on them, the later one the query's.
        near, far: first and last token or distance, both included, >= 0.
        pairs: differences, >= 2.
        seed: >= 0.
        confidence: of the intervals, in (0, 1).
        resamples: bootstrap samples behind the interval of the standard deviation, >= 100.

    Returns:
        difference over pair; mean and sd; mean_interval (Student's t) and sd_interval (percentile bootstrap,
        no law of the scores assumed) over bound.

    Raises:
        InputError: a value out of its range, an unknown reading, or a score that is not finite.
    """
    _check(encoding, sampler, reading, near, far, pairs, seed, confidence, resamples)
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)]
    scores = [
        _scores(encoding, sampler, _distances(reading, interval, pairs, rng), rng)
        for interval, rng in zip((near, far), streams[:2], strict=True)
    ]
    if not np.isfinite(scores).all():
        raise InputError("a score is not finite; leave out distances that a window hides")
    difference = scores[0] - scores[1]
    mean, sd = float(difference.mean()), float(difference.std(ddof=1))
    half = student_t.ppf((1 + confidence) / 2, pairs - 1) * sd / np.sqrt(pairs)
    spread = _bootstrap_sd(difference, resamples, streams[2])
    bounds = np.quantile(spread, [(1 - confidence) / 2, (1 + confidence) / 2])
    variables = {
        "difference": ("pair", difference),
        "mean": mean,
        "mean_interval": ("bound", np.array([mean - half, mean + half])),
        "sd": sd,
        "sd_interval": ("bound", bounds),
    }
    return xr.Dataset(variables, {"bound": ["low", "high"]}).assign_attrs(
        reading=reading, near=list(near), far=list(far), seed=seed, confidence=confidence
    )


def _distances(
    reading: Reading, interval: Interval, pairs: int, rng: np.random.Generator
) -> Int[np.ndarray, " pairs"]:
    draws = rng.integers(interval[0], interval[1], size=(2, pairs), endpoint=True)
    return draws[0] if reading == "distances" else np.abs(draws[0] - draws[1])


def _scores(
    encoding: Encoding, sampler: Sampler, distance: Int[np.ndarray, " pairs"], rng: np.random.Generator
) -> Float64[np.ndarray, " pairs"]:
    """One score at each distance, each of its own (q, k)."""
    values, index = np.unique(distance, return_inverse=True)
    lags = torch.tensor(values.astype(np.float64))
    parts = []
    for start in range(0, len(distance), CHUNK):
        chosen = torch.tensor(index[start : start + CHUNK])
        q, k = sampler.draw(open_uniforms(rng, len(chosen), sampler.dimensions))
        parts.append(encoding.pairwise(q, k, lags).gather(1, chosen[:, None])[:, 0])
    return torch.cat(parts).numpy()


def _bootstrap_sd(
    values: Float64[np.ndarray, " pairs"], resamples: int, rng: np.random.Generator
) -> Float64[np.ndarray, " resamples"]:
    size = len(values)
    return np.array([values[rng.integers(size, size=size)].std(ddof=1) for _ in range(resamples)])


def _check(
    encoding: Encoding,
    sampler: Sampler,
    reading: str,
    near: Interval,
    far: Interval,
    pairs: int,
    seed: int,
    confidence: float,
    resamples: int,
) -> None:
    if reading not in get_args(Reading):
        raise InputError(f"reading={reading!r} is unknown; known: {', '.join(get_args(Reading))}")
    if encoding.head_dim != sampler.head_dim:
        raise InputError(
            f"the encoding is for head_dim={encoding.head_dim}, the sampler draws {sampler.head_dim} dimensions"
        )
    for name, (first, last) in (("near", near), ("far", far)):
        if not 0 <= first <= last:
            raise InputError(f"{name}=({first}, {last}) is no interval of tokens; give 0 <= first <= last")
    for name, value, least in (("pairs", pairs, 2), ("seed", seed, 0), ("resamples", resamples, 100)):
        if value < least:
            raise InputError(f"{name}={value} is below {least}; give {least} or more")
    if not 0 < confidence < 1:
        raise InputError(f"confidence={confidence} is outside (0, 1)")
