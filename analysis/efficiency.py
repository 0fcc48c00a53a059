"""Draws that each way of sampling saves against plain Monte Carlo, time of the closed form: rows for `tapa bench`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from jaxtyping import Float64

from analysis.encodings import Tapa
from analysis.samplers import Gaussian, assumption_2_1, rescaled
from analysis.sampling import Method, estimate, trusted
from analysis.theory.gaussian import phase_rate, tapa_moments
from analysis.theory.gaussian_form import decompose
from analysis.theory.gaussian_law import GaussianLaw

PHASES = (0.03, 0.1, 0.3)
DISTANCES = (1.0, 16.0, 1024.0, 65536.0)
MU = 0.2


def sampling_efficiency(
    samples: int = 2**17, *, phases: Sequence[float] = PHASES, seed: int = 0
) -> list[dict[str, Any]]:
    """Draws that plain Monte Carlo takes for one draw of each other method, at the same error of the mean.

    The standard case: TAPA as in the paper (alpha 0.1, half of 64 dimensions each), q and k of unit variance
    and mu_0 = 0.2 by correlation, so that there is a mean to find. Phases have 0.03 to 0.3 turns of standard
    deviation at distance 1; at 1, plain initialisation, the mean is below 1e-7 everywhere but at distance 0.
    Ratios are of squared standard errors times draws; distances whose error bar is not to be trusted are left
    out. Error of a ratio: 1 % against draws, a quarter against 32 scrambles.
    """
    encoding, rows = Tapa(64), []
    for phase in phases:
        law = rescaled(assumption_2_1(64, mu=MU), encoding.amplitude_dim, phase=phase)
        cost = {method: _cost(encoding, Gaussian(law), samples, method, seed) for method in get_args(Method)}
        found = {method: _ratios(cost["plain"], cost[method]) for method in get_args(Method)[1:]}
        least = {method: min(ratios.values(), default=None) for method, ratios in found.items()}
        met = max((ratio for ratio in least.values() if ratio is not None), default=0.0) >= 20
        rows += [
            {
                "what": f"draws for the mean of a TAPA score, plain over {method}, phase sd {phase:g} turns",
                "ratio": least[method],
                "by_distance": ratios,
                "target": "ratio >= 20 for the best method",
                "met": met,
            }
            for method, ratios in found.items()
        ]
    return rows


def closed_form_speed(
    distances: int = 10_000, phase_dims: int = 64, *, naive: int = 100, seed: int = 0
) -> dict[str, Any]:
    """Moments at many distances under a full covariance, by one eigendecomposition, against determinants.

    The naive side takes two determinants a distance, of I - 2 i u Sigma S (for E cos and its square), at `naive` of
    the distances; its seconds are scaled to all of them. `difference` is the largest of log |E exp(i u phi)|.
    """
    rng, size = np.random.default_rng(seed), 4 * phase_dims
    root = rng.standard_normal((size, size)) / np.sqrt(size)
    lags = np.geomspace(1, 2**20, distances)
    u, _ = phase_rate(lags, 0.1, 1.0, phase_dims)
    chosen = u[:: max(1, distances // naive)]
    fast, slow = [], []
    difference = np.inf
    for _ in range(3):
        begun = time.perf_counter()
        law = GaussianLaw(np.zeros(size), root @ root.T)
        tapa_moments(law, lags, alpha=0.1, amplitude_share=0.5)
        fast.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        logs = [_log_modulus(law, rate, phase_dims) for rate in np.concatenate([chosen, 2 * chosen])]
        slow.append((time.perf_counter() - begun) * distances / len(chosen))
        exact = np.real(decompose(law, phase_dims, "quadratic").tilted(chosen).log_factor)
        difference = float(np.abs(np.array(logs)[: len(chosen)] - exact).max())
    return {
        "what": f"TAPA's moments at {distances} distances, full covariance, n = {phase_dims}, against determinants",
        "fast_s": statistics.median(fast),
        "slow_s": statistics.median(slow),
        "ratio": statistics.median(slow) / statistics.median(fast),
        "difference": difference,
        "target": "fast_s <= 2 at 10,000 distances, n = 64",
        "met": statistics.median(fast) <= 2,
    }


def _log_modulus(law: GaussianLaw, rate: float, phase_dims: int) -> float:
    """log |det(I - 2 i u Sigma S)|^(-1/2) of the phase part of a centred law, with q_P.k_P = x^T S x."""
    head = law.head_dim
    kept = np.r_[head - phase_dims : head, 2 * head - phase_dims : 2 * head]
    form = np.kron([[0.0, 0.5], [0.5, 0.0]], np.eye(phase_dims))
    matrix = np.eye(2 * phase_dims) - 2j * rate * law.covariance[np.ix_(kept, kept)] @ form
    return -0.5 * float(np.linalg.slogdet(matrix)[1])


def _ratios(
    plain: Float64[np.ndarray, " distances"], own: Float64[np.ndarray, " distances"]
) -> dict[str, float]:
    """plain over own at each distance where both are to be trusted."""
    pairs = zip(DISTANCES, plain, own, strict=True)
    return {f"{d:g}": float(one / other) for d, one, other in pairs if np.isfinite(one / other)}


def _cost(
    encoding: Tapa, sampler: Gaussian, samples: int, method: Method, seed: int
) -> Float64[np.ndarray, " distances"]:
    """Draws times squared error of the mean; nan where the error bar is not to be trusted."""
    found = estimate(encoding, sampler, np.array(DISTANCES), samples, method=method, seed=seed)
    return np.where(trusted(found), samples * found["mean_se"].values ** 2, np.nan)
