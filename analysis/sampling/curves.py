"""The expected score by distance of any encoding under a law of queries and keys, in closed form or from draws."""

from __future__ import annotations

import numpy as np
import xarray as xr

from analysis.encodings import Encoding, Rope
from analysis.errors import InputError
from analysis.sampling.laws import Gaussian, assumption_2_1
from analysis.sampling.monte_carlo import estimate
from analysis.theory.frequencies import Frequencies
from analysis.theory.gaussian_law import GaussianLaw
from analysis.theory.rope import spread_distances

_NAMES = {
    "mean": "mean score",
    "mean_se": "standard error of the mean score",
    "sd": "standard deviation of the score",
}
POINTS = 385  # at most of a curve: about 24 an octave over 65,536 tokens


def curve(
    of: Encoding | Frequencies,
    law: GaussianLaw | None = None,
    *,
    mu: float = 1.0,
    nu: float = 0.0,
    to: int = 65_536,
    points: int = POINTS,
    samples: int | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Mean and standard deviation of a score by distance, before mask and softmax, with its factor 1/sqrt(D).

    Args:
        of: an encoding, yours too, or frequencies of RoPE.
        law: of query and key; None for a centred one with unit variances that meets Assumption 2.1 of the paper, v1.
        mu, nu: its E A_d and E B_d in every pair, where no law is given.
        to: longest distance, tokens.
        points: about how many distances, evenly spread on a logarithmic axis, from 1 on.
        samples: draws, for an encoding without a closed form; None for the closed form.
        seed: of the draws.

    Returns:
        Over distance: `mean`, its standard error `mean_se` (0 in closed form) and `sd`. `plot` draws it.

    Raises:
        InputError: an encoding without a closed form and no `samples`; mu and nu beside a law, or a law of another
            head_dim; a value out of its range.

    >>> from analysis.theory.frequencies import plain
    >>> float(curve(plain(1e4, 128), to=1000)["mean"][0]).__round__(4)  # sqrt(128) times gamma, 0.4851
    5.4884
    """
    encoding = Rope(of) if isinstance(of, Frequencies) else of
    if law is None:
        pairing = encoding.frequencies.pairing if isinstance(encoding, Rope) else "interleaved"
        law = assumption_2_1(encoding.head_dim, mu=mu, nu=nu, sd=1.0, pairing=pairing)
    elif (mu, nu) != (1.0, 0.0):
        raise InputError(f"mu={mu:g} and nu={nu:g} are those of the law where none is given; leave them out")
    if law.head_dim != encoding.projected:
        raise InputError(
            f"the law is of head_dim={law.head_dim}, the encoding is for head_dim={encoding.projected}"
        )
    distance = spread_distances(to, points)
    if samples is not None:
        found = estimate(encoding, Gaussian(law), distance, samples, seed=seed)
        mean, error, variance = (found[name].values for name in ("mean", "mean_se", "variance"))
    else:
        moments = encoding.moments(law, distance)
        if moments is None:
            raise InputError(
                f"{type(encoding).__name__} has no moments in closed form; give samples, such as 65536"
            )
        mean, error, variance = moments.mean, np.zeros(len(distance)), moments.variance
    values = {"mean": mean, "mean_se": error, "sd": np.sqrt(variance)}
    return xr.Dataset(
        {key: ("distance", values[key], {"long_name": name, "units": "1"}) for key, name in _NAMES.items()},
        {"distance": ("distance", distance, {"long_name": "distance", "units": "token"})},
        {"name": type(encoding).__name__, "method": "closed form" if samples is None else f"{samples} draws"},
    )
