"""TAPA's mean and variance by distance, and a map over its settings: closed form beside Monte Carlo.

Half of a head's dimensions are amplitude, half are phase, and a law's phase is rescaled to a given standard
deviation, in turns at distance 1 (`sampling.laws.rescaled`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float64

from analysis import schemas
from analysis.encodings import Tapa
from analysis.sampling.laws import (
    Gaussian,
    Sampler,
    Sphere,
    Student,
    assumption_2_1,
    negative_cross_terms,
    rescaled,
)
from analysis.sampling.monte_carlo import Method, estimate, trusted
from analysis.sampling.random_transformer import Initialisation, weight_sd
from analysis.theory.gaussian_law import GaussianLaw, independent
from analysis.theory.rope import spread_distances
from analysis.theory.tapa import leading_term, local_exponent, sphere_moments, tapa_log_mean, tapa_moments
from analysis.workers import HERE, Workers

MEAN = schemas.TAPA_MEAN
VARIANCE = schemas.TAPA_VARIANCE
MAP = schemas.TAPA_MAP
SHARE = 0.5  # of the dimensions in the amplitude, here and in the paper
CORRELATION = 0.1  # of q_A and k_A, coordinate by coordinate: without it the mean is 0 at every distance
METHODS: tuple[Method, ...] = ("plain", "conditional-sobol")
MU = 0.2  # mu_0 of the law with a mean, over the variance of a coordinate
DEGREES = 8.0  # of freedom, heavy tails
CANCELLED = 0.5  # strength of the negative cross terms
FIXED = 0.25  # phase of every pair of tokens, turns at distance 1, where it has no density
PAPER_ALPHA = 0.1
BLIND, GONE = 0.9, 0.1  # share of the mean that is left: more than this far away, or less at distance 1
Distances = Float64[np.ndarray, " distances"]
Sampled = Float64[np.ndarray, " sampled"]


def mean_law(head_dim: int, phase_sd: float, amplitude_dim: int | None = None) -> GaussianLaw:
    """Unit normal q and k, q_A and k_A correlated, q_P and k_P independent; the phase has the given sd, turns.

    Half of the dimensions are amplitude unless their number is given; `InputError` if it leaves a part empty.
    """
    amplitude = head_dim // 2 if amplitude_dim is None else amplitude_dim
    covariance = independent(head_dim).covariance.copy()
    rows = np.arange(amplitude)
    covariance[rows, head_dim + rows] = covariance[head_dim + rows, rows] = CORRELATION
    return rescaled(GaussianLaw(np.zeros(2 * head_dim), covariance), amplitude, phase=phase_sd)


def mean_curves(
    phase_sds: Sequence[float],
    distance: Distances,
    sampled: Sampled,
    *,
    head_dim: int = 128,
    alpha: float = 0.1,
    samples: int = 2**16,
    seed: int,
    workers: Workers = HERE,
) -> xr.Dataset:
    """E[score] over E[score at distance 0] by distance, its local exponent, eq 14's bound, and Monte Carlo.

    Eq 14's constant C(rho, D) is nowhere given. Here it is the smallest that makes eq 14 a bound for this law at
    all distances: |distance|^(alpha n) |E score| rises to its limit, that of `theory.tapa.leading_term`.

    Args:
        phase_sds: turns at distance 1, each > 0.
        distance: of the curves, tokens, > 0; those of the Monte Carlo are added.
        sampled: of the Monte Carlo, tokens, > 0.
        head_dim: even; alpha: > 0.
        samples: draws at each phase, for each method.
        seed, workers: of the Monte Carlo.

    Returns:
        Over (phase_sd, distance): log_mean and log_bound, natural logarithms, and exponent, d log mean / d log
        distance. Over (phase_sd, estimator, sampled): estimate, estimate_se, and trusted, whether no rare draw decides
        it. `phase_dims` is the bound's n.

    Raises:
        InputError: a value out of its range.
    """
    tapa = Tapa(head_dim, alpha, SHARE)
    settings: dict[str, Any] = {"alpha": alpha, "amplitude_share": SHARE}
    distance = np.union1d(distance, sampled)
    exact, drawn = [], []
    for phase_sd in phase_sds:
        law = mean_law(head_dim, phase_sd)
        whole = float(tapa_moments(law, 0.0, **settings).mean)
        exact.append(_exact(law, distance, whole, settings))
        drawn.append([_drawn(tapa, law, sampled, samples, m, seed, workers) / whole for m in METHODS])
    curves, points = np.array(exact), np.array(drawn)
    at, of = ("phase_sd", "distance"), ("phase_sd", "estimator", "sampled")
    names = ("log_mean", "log_bound", "exponent")
    variables = {name: (at, curves[:, i]) for i, name in enumerate(names)} | {
        "estimate": (of, points[:, :, 0]),
        "estimate_se": (of, points[:, :, 1]),
        "trusted": (of, points[:, :, 2] > 0),
    }
    coords = {
        "phase_sd": list(phase_sds),
        "distance": distance,
        "estimator": list(METHODS),
        "sampled": sampled,
    }
    return xr.Dataset(variables, coords).assign_attrs(
        alpha=alpha, head_dim=head_dim, phase_dims=tapa.phase_dim, samples=samples, correlation=CORRELATION
    )


def _exact(law: GaussianLaw, distance: Distances, whole: float, settings: dict[str, Any]) -> np.ndarray:
    """Logarithm of the mean over `whole`, of its bound, and the mean's local exponent."""
    term = leading_term(law, **settings)
    bound = term.log_constant - term.exponent * np.log(distance)
    logs = np.stack([tapa_log_mean(law, distance, **settings)[1], bound]) - math.log(whole)
    return np.stack([*logs, local_exponent(law, distance, **settings)])


def _drawn(
    tapa: Tapa,
    law: GaussianLaw,
    distance: Sampled,
    samples: int,
    method: Method,
    seed: int,
    workers: Workers,
) -> np.ndarray:
    """Mean, standard error, and whether to trust it (above 0), at each distance."""
    found = estimate(tapa, Gaussian(law), distance, samples, method=method, seed=seed, workers=workers)
    return np.stack([found["mean"], found["mean_se"], trusted(found)])


@dataclass(frozen=True, eq=False)
class VarianceLaw:
    """A law to hold against theorem 3.3.

    Attributes:
        sampler: of (q, k).
        sigma_sq: sigma_0^2 = E (q_d k_d)^2, the same for every d.
        exact: the variance at every distance; None where there is no closed form.
    """

    sampler: Sampler
    sigma_sq: float
    exact: Callable[[Distances], Distances] | None


def variance_laws(head_dim: int, alpha: float, phase_sd: float) -> dict[str, VarianceLaw]:
    """Laws of q and k by name; each meets Assumption 2.1 and has a phase of the given sd, turns, but the last.

    "negative cross terms" has a smooth density and meets all that the paper states; what its proof drops, the
    sum over i != j of E q_i k_i q_j k_j within the amplitude, is negative there and at least 0 in all others.
    "no density" is that of a coin for q_P and one for k_P, which turn the phase's sign and so not the score.
    """
    half, size = head_dim // 2, phase_sd**2
    heavy = Student(independent(head_dim, sd=math.sqrt(phase_sd * (DEGREES - 2) / DEGREES)), DEGREES)
    twisted = negative_cross_terms(head_dim, half, CANCELLED)
    coins = FIXED / math.sqrt(half)  # q_d k_d in the phase, and its standard deviation in the amplitude
    of_phase = np.tile(np.repeat([False, True], half), 2)
    stuck = GaussianLaw(np.where(of_phase, math.sqrt(coins), 0.0), np.diag(np.where(of_phase, 0.0, coins)))

    def gaussian(law: GaussianLaw, sigma_sq: float) -> VarianceLaw:
        def exact(d: Distances) -> Distances:
            return tapa_moments(law, d, alpha=alpha, amplitude_share=SHARE).variance

        return VarianceLaw(Gaussian(law), sigma_sq, exact)

    def on_spheres(d: Distances) -> Distances:
        settings = {"alpha": alpha, "amplitude_share": SHARE, "gain": math.sqrt(phase_sd)}
        return sphere_moments(d, head_dim, **settings).variance

    with_mean = assumption_2_1(head_dim, mu=MU * phase_sd, sd=math.sqrt(phase_sd))
    return {
        "normal": gaussian(independent(head_dim, sd=math.sqrt(phase_sd)), size),
        "normal with a mean": gaussian(with_mean, size * (1 + MU**2 / 2)),
        "heavy tails": VarianceLaw(heavy, size, None),
        "spheres": VarianceLaw(Sphere(head_dim, half, math.sqrt(phase_sd)), size, on_spheres),
        "negative cross terms": gaussian(rescaled(twisted, half, amplitude=phase_sd, phase=phase_sd), size),
        "no density": gaussian(stuck, coins**2),
    }


def variance_curves(
    phase_sd: float,
    other_sds: Sequence[float],
    distance: Distances,
    sampled: Sampled,
    *,
    head_dim: int = 128,
    alpha: float = 0.1,
    samples: int = 2**15,
    seed: int,
    workers: Workers = HERE,
) -> xr.Dataset:
    """Var[score] over sigma_0^2/2, eq 15's bound, by distance: several laws, and several phases of the normal one.

    Args:
        phase_sd: turns at distance 1, of all laws that have one.
        other_sds: of the normal law alone.
        distance: of the curves; sampled: of the Monte Carlo, added to the curves; tokens.
        head_dim: even; alpha: > 0.
        samples, seed, workers: of the plain Monte Carlo.

    Returns:
        exact(law, distance), nan where there is no closed form; estimate, estimate_se(law, sampled);
        by_phase(phase_sd, distance). A value below 1 that stays breaks the bound.

    Raises:
        InputError: a value out of its range.
    """
    tapa, laws = Tapa(head_dim, alpha, SHARE), variance_laws(head_dim, alpha, phase_sd)
    distance = np.union1d(distance, sampled)
    exact, drawn = [], []
    for law in laws.values():
        floor = law.sigma_sq / 2
        found = estimate(tapa, law.sampler, sampled, samples, seed=seed, workers=workers)
        exact.append(np.full(len(distance), np.nan) if law.exact is None else law.exact(distance) / floor)
        drawn.append(np.stack([found["variance"], found["variance_se"]]) / floor)
    others = [variance_laws(head_dim, alpha, sd)["normal"] for sd in other_sds]
    points = np.array(drawn)
    variables = {
        "exact": (("law", "distance"), np.stack(exact)),
        "estimate": (("law", "sampled"), points[:, 0]),
        "estimate_se": (("law", "sampled"), points[:, 1]),
        "by_phase": (
            ("phase_sd", "distance"),
            np.stack([law.exact(distance) / (law.sigma_sq / 2) for law in others if law.exact]),
        ),
    }
    coords = {"law": list(laws), "distance": distance, "sampled": sampled, "phase_sd": list(other_sds)}
    return xr.Dataset(variables, coords).assign_attrs(
        alpha=alpha, head_dim=head_dim, phase_sd_of_laws=phase_sd, mu_over_sd_sq=MU, samples=samples
    )


def initialisations() -> dict[str, tuple[Initialisation, int, int]]:
    """Usual initialisations by name: how W_q and W_k are drawn, the model's width and its layers."""
    return {
        "0.02, width 256": ("normal", 256, 4),
        "0.02, width 4096": ("normal", 4096, 32),
        "Xavier": ("xavier", 4096, 32),
        "by depth, width 4096": ("depth", 4096, 32),
    }


def initial_phase_sd(initialisation: Initialisation, hidden: int, layers: int) -> float:
    """Standard deviation over W_q and W_k of q_P.k_P / sqrt(n), turns at distance 1: hidden times their variance.

    Tokens are any two of mean square 1, as RMS normalisation leaves them. Raises `InputError` as `weight_sd`.
    """
    return weight_sd(initialisation, hidden, hidden, layers=layers) ** 2 * hidden


def log_grid(first: float, last: float, count: int) -> list[float]:
    """`count` values from first to last, evenly spread in the logarithm; both ends > 0."""
    return np.geomspace(first, last, count).tolist()


def phase_map(
    alphas: Sequence[float],
    phase_sds: Sequence[float],
    *,
    head_dim: int = 128,
    far: float = 65_536.0,
) -> xr.Dataset:
    """Share of E[score] at distance 0 that is left at distance 1 and far away, over alpha and size of the phase.

    The law is that of `mean_law`. Where more than `BLIND` is left at `far`, TAPA is NoPE within the context; where
    less than `GONE` is left at distance 1, no mean remains; the rest decays across the context.

    Args:
        alphas: exponents of the distance, > 0.
        phase_sds: turns at distance 1, > 0.
        head_dim: even.
        far: end of the context, tokens.

    Returns:
        near, far(alpha, phase_sd); mark_sd, mark_near, mark_far(mark), the same of usual initialisations at the paper's
        alpha, `mark_alpha`; attributes blind and gone.

    Raises:
        InputError: a value out of its range.

    >>> found = phase_map([0.1], [0.01, 1.0], head_dim=64)
    >>> found.far.values.round(2)  # nearly all of the mean is left, or none
    array([[0.98, 0.  ]])
    """
    law, rows, columns = mean_law(head_dim, 1.0), np.array(alphas)[:, None], np.array(phase_sds)
    settings: dict[str, Any] = {"alpha": rows, "amplitude_share": SHARE, "scale_phase": columns}
    whole = float(tapa_moments(law, 0.0, alpha=1.0, amplitude_share=SHARE).mean)
    marks = {name: initial_phase_sd(*how) for name, how in initialisations().items()}
    marked = settings | {"alpha": PAPER_ALPHA, "scale_phase": np.array(list(marks.values()))}
    variables: dict[str, Any] = {"mark_sd": ("mark", list(marks.values()))}
    for name, at in (("near", 1.0), ("far", far)):
        variables[name] = (("alpha", "phase_sd"), tapa_moments(law, at, **settings).mean / whole)
        variables[f"mark_{name}"] = ("mark", tapa_moments(law, at, **marked).mean / whole)
    return xr.Dataset(
        variables, {"alpha": list(alphas), "phase_sd": list(phase_sds), "mark": list(marks)}
    ).assign_attrs(head_dim=head_dim, far_distance=far, blind=BLIND, gone=GONE, mark_alpha=PAPER_ALPHA)


def mean_record(
    *, phase_sds: Sequence[float], longest: int, points: int, sampled_points: int, seed: int, **settings: Any
) -> xr.Dataset:
    """`mean_curves` to `longest` tokens, at distances evenly spread in the logarithm.

    Args:
        points: distances of the curves; sampled_points: of the Monte Carlo.
        phase_sds, seed, settings: of `mean_curves`.
    """
    distance, sampled = (spread_distances(longest, count) for count in (points, sampled_points))
    return mean_curves(phase_sds, distance, sampled, seed=seed, **settings)


def variance_record(
    *,
    phase_sd: float,
    phase_sds: Sequence[float],
    longest: int,
    points: int,
    sampled_points: int,
    seed: int,
    **settings: Any,
) -> xr.Dataset:
    """`variance_curves` to `longest` tokens, at distances evenly spread in the logarithm; see `mean_record`."""
    distance, sampled = (spread_distances(longest, count) for count in (points, sampled_points))
    return variance_curves(phase_sd, phase_sds, distance, sampled, seed=seed, **settings)


def map_record(
    *,
    alphas: tuple[float, float, int],
    phase_sds: tuple[float, float, int],
    head_dim: int,
    far: float,
) -> xr.Dataset:
    """`phase_map` on two grids, each given by its first value, its last and how many there are."""
    return phase_map(log_grid(*alphas), log_grid(*phase_sds), head_dim=head_dim, far=far)
