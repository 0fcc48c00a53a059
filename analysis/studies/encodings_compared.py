"""TAPA and its rivals under one law of q and k: mean and standard deviation of the score by distance.

The law is Assumption 2.1 as a centred Gaussian: unit variances, mu_0 by correlation, nu_0 = 0. Each rival has its
closed form, and the encoding itself for Monte Carlo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float64

from analysis import schemas
from analysis.encodings import Alibi, Encoding, LinearTapa, Nope, Rope, Tapa
from analysis.sampling.laws import Gaussian, assumption_2_1, rescaled
from analysis.sampling.monte_carlo import estimate
from analysis.theory import frequencies
from analysis.theory.frequencies import Frequencies
from analysis.theory.gaussian_law import GaussianLaw, Moments, alibi_moments, nope_moments, rotary_moments
from analysis.theory.rope import spread_distances
from analysis.theory.tapa import Phase, tapa_moments
from analysis.workers import HERE, Workers

RIVALS = schemas.RIVALS
ALPHA, SHARE = 0.1, 0.5  # as TAPA is trained
SLOPE = 2.0**-8  # ALiBi's gentlest head of eight
SMALL_PHASE = 0.1  # turns at distance 1: TAPA with a phase that leaves a mean
Distances = Float64[np.ndarray, " distances"]
Sampled = Float64[np.ndarray, " sampled"]


@dataclass(frozen=True, eq=False)
class Rival:
    """One encoding.

    Attributes:
        encoding: for Monte Carlo.
        moments: of its score in closed form, under a law and at distances.
        phase: factor of the law's phase part; 1 for the law as it is.
    """

    encoding: Encoding
    moments: Callable[[GaussianLaw, Distances], Moments]
    phase: float = 1.0

    def law(self, common: GaussianLaw) -> GaussianLaw:
        """The common law, its phase rescaled where this rival is a TAPA of smaller phase."""
        half = round(common.head_dim * SHARE)
        return common if self.phase == 1 else rescaled(common, half, phase=self.phase)


def rivals(head_dim: int, *, base: float, trained_length: int, length: int) -> dict[str, Rival]:
    """The RoPE family ready to read `length` tokens after `trained_length`, ALiBi, NoPE and TAPA, by name.

    Raises `InputError` for a value out of its range.
    """
    family = frequencies.family(base, head_dim, trained_length, length)
    others = {
        "ALiBi": Rival(Alibi(head_dim, (SLOPE,)), lambda law, d: alibi_moments(law, d, SLOPE)),
        "NoPE": Rival(Nope(head_dim), lambda law, d: nope_moments(law, d)),
        "TAPA": _tapa(head_dim, "quadratic", 1.0),
        f"TAPA, phase x {SMALL_PHASE}": _tapa(head_dim, "quadratic", SMALL_PHASE),
        "TAPA, linear": _tapa(head_dim, "linear", 1.0),
        f"TAPA, linear, phase x {SMALL_PHASE}": _tapa(head_dim, "linear", SMALL_PHASE**2),
    }
    return {name: _rotary(frequencies) for name, frequencies in family.items()} | others


def _rotary(frequencies: Frequencies) -> Rival:
    return Rival(Rope(frequencies), lambda law, d: rotary_moments(law, d, frequencies))


def _tapa(head_dim: int, phase: Phase, factor: float) -> Rival:
    """`factor` multiplies q_P.k_P; the sum of their entries is multiplied by its square root."""
    encoding = Tapa(head_dim, ALPHA, SHARE) if phase == "quadratic" else LinearTapa(head_dim, ALPHA, SHARE)
    settings = {"alpha": ALPHA, "amplitude_share": SHARE, "phase": phase}
    return Rival(encoding, lambda law, d: tapa_moments(law, d, **settings), factor)


def rival_curves(
    mus: Sequence[float],
    distance: Distances,
    sampled: Sampled,
    *,
    head_dim: int = 128,
    base: float = 5e5,
    trained_length: int = 8192,
    length: int = 65_536,
    samples: int = 2**13,
    seed: int,
    workers: Workers = HERE,
) -> xr.Dataset:
    """Mean and standard deviation of every rival's score under the common law, one law for each mu_0.

    Args:
        mus: mu_0 of each law, |mu_0| <= 2.
        distance: of the curves; sampled: of the Monte Carlo, added to the curves; tokens, >= 0.
        head_dim, base, trained_length, length: see `rivals`.
        samples, seed, workers: of the plain Monte Carlo.

    Returns:
        mean, sd(rival, mu, distance); and estimate, estimate_se, sd_estimate, sd_estimate_se over (rival, mu,
        sampled).

    Raises:
        InputError: a value out of its range.
    """
    members = rivals(head_dim, base=base, trained_length=trained_length, length=length)
    distance = np.union1d(distance, sampled)
    exact = np.empty((2, len(members), len(mus), len(distance)))
    drawn = np.empty((4, len(members), len(mus), len(sampled)))
    for j, mu in enumerate(mus):
        common = assumption_2_1(head_dim, mu=mu, pairing="halves")
        for i, rival in enumerate(members.values()):
            law = rival.law(common)
            found = rival.moments(law, distance)
            exact[:, i, j] = found.mean, np.sqrt(found.variance)
            rows = estimate(rival.encoding, Gaussian(law), sampled, samples, seed=seed, workers=workers)
            sd = np.sqrt(rows["variance"])
            drawn[:, i, j] = rows["mean"], rows["mean_se"], sd, rows["variance_se"] / (2 * sd)
    of, at = ("rival", "mu", "distance"), ("rival", "mu", "sampled")
    names = ("estimate", "estimate_se", "sd_estimate", "sd_estimate_se")
    variables = {name: (of, values) for name, values in zip(("mean", "sd"), exact, strict=True)}
    variables |= {name: (at, values) for name, values in zip(names, drawn, strict=True)}
    coords = {"rival": list(members), "mu": list(mus), "distance": distance, "sampled": sampled}
    return xr.Dataset(variables, coords).assign_attrs(
        head_dim=head_dim, base=base, trained_length=trained_length, length=length,
        alpha=ALPHA, slope=SLOPE, samples=samples,
    )  # fmt: skip


def record(
    *, mus: Sequence[float], points: int, sampled_points: int, length: int, seed: int, **settings: Any
) -> xr.Dataset:
    """`rival_curves` to twice `length` tokens, at distances evenly spread in the logarithm.

    Args:
        points: distances of the curves; sampled_points: of the Monte Carlo.
        mus, length, seed, settings: of `rival_curves`.
    """
    distance, sampled = (spread_distances(2 * length, count) for count in (points, sampled_points))
    return rival_curves(mus, distance, sampled, length=length, seed=seed, **settings)
