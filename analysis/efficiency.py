"""How many draws each way of sampling saves against plain Monte Carlo: rows for `tapa bench`."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from jaxtyping import Float64

from analysis.encodings import Tapa
from analysis.samplers import Gaussian, assumption_2_1, rescaled
from analysis.sampling import Method, estimate

PHASES = (0.03, 0.1, 0.3)
DISTANCES = (1.0, 16.0, 1024.0, 65536.0)
MU = 0.2
_TRUSTED = {"draws": 0.1, "scrambles": 0.5}  # share of the largest, above which an error bar is too short


def sampling_efficiency(samples: int = 2**17, *, seed: int = 0) -> list[dict[str, Any]]:
    """Draws that plain Monte Carlo takes for one draw of each other method, at the same error of the mean.

    The standard case: TAPA as in the paper (alpha 0.1, half of 64 dimensions each), q and k of unit variance
    and mu_0 = 0.2 by correlation, so that there is a mean to find. Phases have 0.03 to 0.3 turns of standard
    deviation at distance 1; at 1, plain initialisation, the mean is below 1e-7 everywhere but at distance 0.
    Ratios are of squared standard errors times draws; distances whose error bar is not to be trusted are left
    out. Error of a ratio: 1 % against draws, a quarter against 32 scrambles.
    """
    encoding, rows = Tapa(64), []
    for phase in PHASES:
        law = rescaled(assumption_2_1(64, mu=MU), encoding.amplitude_dim, phase=phase)
        cost = {method: _cost(encoding, Gaussian(law), samples, method, seed) for method in get_args(Method)}
        for method in get_args(Method)[1:]:
            ratios = {
                f"{d:g}": float(plain / own)
                for d, plain, own in zip(DISTANCES, cost["plain"], cost[method], strict=True)
                if np.isfinite(own)
            }
            rows.append(
                {
                    "what": f"draws for the mean of a TAPA score, plain over {method}, phase sd {phase:g} turns",
                    "ratio": min(ratios.values(), default=np.nan),
                    "by_distance": ratios,
                    "target": "ratio >= 20 for the best method",
                }
            )
    return rows


def _cost(
    encoding: Tapa, sampler: Gaussian, samples: int, method: Method, seed: int
) -> Float64[np.ndarray, " distances"]:
    """Draws times squared error of the mean; nan where the error bar is not to be trusted."""
    found = estimate(encoding, sampler, np.array(DISTANCES), samples, method=method, seed=seed)
    limit = _TRUSTED["scrambles" if method.endswith("sobol") else "draws"]
    return np.where(found["mean_top"] < limit, samples * found["mean_se"].values ** 2, np.nan)
