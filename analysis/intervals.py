"""Intervals and tests: bootstrap over documents, Student's t over seeds, exact proportions, jackknife, Holm, power.

A loss per token is a ratio of sums, and whole documents are drawn: tokens of one document are not independent.
Three seeds are too few to be drawn from: their bootstrap never leaves the range of three numbers, which holds the
mean in 3 of 4 cases at most. One observation gives no interval: its ends are nan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Real
from scipy import optimize, special

from analysis.errors import InputError
from analysis.settings import check_least, check_proper_share, nearest

Method = Literal["bca", "percentile"]
LEVEL = 0.95
RESAMPLES = 4000


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the ends of its interval; nan where there are too few observations for one."""

    value: float
    low: float
    high: float

    def ends(self) -> list[float | None]:
        """value, low and high as JSON has them: None for what is not finite.

        >>> Interval(1.0, math.nan, math.nan).ends()
        [1.0, None, None]
        """
        return [end if math.isfinite(end) else None for end in (self.value, self.low, self.high)]

    def exp(self, unit: float = 1.0) -> Interval:
        """Of exp(unit * x), for a positive unit: perplexity of a loss in nats."""
        return Interval(*(math.exp(min(unit * end, 700.0)) for end in (self.value, self.low, self.high)))

    def times(self, unit: float) -> Interval:
        """Of unit * x, for a positive unit."""
        return Interval(unit * self.value, unit * self.low, unit * self.high)


def over_documents(
    sums: Float[np.ndarray, " documents"],
    counts: Real[np.ndarray, " documents"],
    *,
    seed: int,
    method: Method = "bca",
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    groups: Sequence[int] | None = None,
) -> Interval:
    """sum(sums) / sum(counts), and its interval over documents drawn with replacement.

    For the difference of two methods on the same targets give the difference of their sums: what the documents
    have in common then cancels.

    Args:
        sums: of each document, e.g. nats.
        counts: of each document, >= 0, e.g. scored tokens or bytes.
        seed: >= 0.
        method: "bca" corrects the percentiles for bias and skewness (Efron 1987, DiCiccio and Efron 1996). Both
            are widened for few documents (Hesterberg 2015, "expanded"), which SciPy's bootstrap is not: plain
            ones, meant to hold the truth in 95 of 100 cases, do in 77 at 4 documents.
        level: that the interval aims at, in (0, 1).
        resamples: drawn.
        groups: the group of each document, by number; those of one group, which share text, say, are no independent
            ones and are drawn as one. None if each is a group.

    Raises:
        InputError: a number is out of its range, or nothing was counted.

    >>> found = over_documents(np.array([20.0, 33.0, 41.0]), np.array([10, 15, 20]), seed=0)
    >>> round(found.value, 3), found.low < found.value < found.high  # nats a token
    (2.089, True)
    """
    _check(level, resamples, seed)
    if method not in get_args(Method):
        raise InputError(f"method={method!r} is unknown; {nearest(method, get_args(Method))}")
    sums, counts = np.asarray(sums, np.float64), np.asarray(counts, np.float64)
    if len(sums) != len(counts) or not counts.sum() > 0 or (counts < 0).any():
        raise InputError(f"{len(sums)} sums and counts {counts}: one count of each, >= 0, and not all zero")
    if groups is not None:
        if len(groups) != len(sums):
            raise InputError(f"{len(groups)} groups of {len(sums)} documents; give the group of each")
        sums, counts = (np.bincount(np.unique(groups, return_inverse=True)[1], x) for x in (sums, counts))
    value = float(sums.sum() / counts.sum())
    used = counts > 0
    sums, counts = sums[used], counts[used]
    if len(sums) < 2:
        return Interval(value, math.nan, math.nan)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(resamples, len(sums)))
    means = np.sort(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    # the bootstrap's spread is that of n normal observations with variance over n, not n - 1, and no t
    wide = math.sqrt(len(sums) / (len(sums) - 1)) * special.stdtrit(len(sums) - 1, (1 + level) / 2)
    ends = np.array([-wide, wide])
    if method == "bca":
        ends = _corrected(ends, means, value, sums, counts)
    low, high = np.quantile(means, special.ndtr(ends))
    return Interval(value, float(low), float(high))


def _corrected(
    ends: Float[np.ndarray, " 2"],
    means: Float[np.ndarray, " resamples"],
    value: float,
    sums: Float[np.ndarray, " documents"],
    counts: Float[np.ndarray, " documents"],
) -> Float[np.ndarray, " 2"]:
    """The normal quantiles that BCa reads instead of `ends`."""
    below = np.mean(means < value) / 2 + np.mean(means <= value) / 2
    if not 0 < below < 1:  # all documents alike
        return ends
    bias = special.ndtri(below)
    without = (sums.sum() - sums) / (counts.sum() - counts)  # jackknife
    off = without.mean() - without
    spread = (off**2).sum() ** 1.5
    skewness = (off**3).sum() / (6 * spread) if spread > 0 else 0.0
    z = bias + ends
    return bias + z / np.maximum(1 - skewness * z, 1e-3)


def over_seeds(values: Float[np.ndarray, " seeds"], *, level: float = LEVEL) -> Interval:
    """Mean of one number per seed, and Student's t interval; no interval for a single seed.

    Raises:
        InputError: no value, or a level outside (0, 1).

    >>> found = over_seeds(np.array([2.0, 2.2, 2.4]))
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (2.2, 1.703, 2.697)
    """
    if not len(values):
        raise InputError("no seed was given; give one value for each")
    return of_mean(values, level=level)


def over_document_means(values: Float[np.ndarray, " windows"], documents: Sequence[str]) -> Interval:
    """Mean over documents of each one's mean over its windows, and Student's t interval over documents.

    All documents count alike, and they alone are independent.

    Args:
        values: of each window.
        documents: the name of each window's document.
    """
    names = np.array(documents)
    return of_mean(np.array([values[names == name].mean() for name in sorted(set(documents))]))


def of_mean(values: Float[np.ndarray, " independent"], *, level: float = LEVEL) -> Interval:
    """Mean of independent numbers and Student's t interval, nan for a single one.

    Raises:
        InputError: a level outside (0, 1).
    """
    _check(level, 1, 0)
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, math.nan, math.nan)
    half = special.stdtrit(len(values) - 1, (1 + level) / 2) * np.std(values, ddof=1) / math.sqrt(len(values))
    return Interval(mean, mean - float(half), mean + float(half))


def proportion(hits: int, trials: int, *, level: float = LEVEL) -> Interval:
    """Share of hits with the interval of Clopper and Pearson (1934), which covers at least `level` always.

    Raises:
        InputError: hits outside 0..trials, no trial, or a level outside (0, 1).

    >>> found = proportion(3, 10)
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (0.3, 0.067, 0.652)
    """
    _check(level, 1, 0)
    if not 0 <= hits <= trials or trials < 1:
        raise InputError(f"{hits} hits in {trials} trials; give 0 <= hits <= trials and at least one trial")
    from scipy import stats  # 57 MB that measuring a model does without

    found = stats.binomtest(hits, trials).proportion_ci(level, method="exact")
    return Interval(hits / trials, float(found.low), float(found.high))


def of_sd(
    values: Float[np.ndarray, " independent"], rng: np.random.Generator, *, level: float, resamples: int
) -> Interval:
    """Standard deviation of independent numbers and its percentile bootstrap, no law of theirs assumed."""
    from scipy import stats  # 57 MB that measuring a model does without

    found = stats.bootstrap(
        (values,),
        partial(np.std, ddof=1),
        vectorized=True,
        n_resamples=resamples,
        confidence_level=level,
        method="percentile",
        batch=max(1, 2**22 // len(values)),  # 32 MB
        rng=rng,
    ).confidence_interval
    return Interval(float(values.std(ddof=1)), float(found.low), float(found.high))


def mean_and_error(x: Float[np.ndarray, "windows ..."]) -> tuple[np.ndarray, np.ndarray]:
    """Mean over windows, the first axis, and its standard error; nan for a single window."""
    mean = np.asarray(x.mean(axis=0))
    if len(x) < 2:
        return mean, np.full(mean.shape, np.nan)
    return mean, np.asarray(x.std(axis=0, ddof=1) / np.sqrt(len(x)))


def jackknife(
    statistic: Callable[..., np.ndarray], *grams: Float[np.ndarray, "heads windows windows"]
) -> tuple[Float[np.ndarray, " heads"], Float[np.ndarray, " heads"]]:
    """A statistic of Gram matrices over windows, and its jackknife standard error, nan for less than 3 windows."""
    value = statistic(*grams)
    count = grams[0].shape[-1]
    if count < 3:
        return value, np.full_like(value, np.nan)
    rest = np.array([np.delete(np.arange(count), w) for w in range(count)])
    left_out = statistic(*(g[:, rest[:, :, None], rest[:, None, :]] for g in grams))
    spread = np.square(left_out - left_out.mean(axis=-1, keepdims=True)).sum(axis=-1)
    return value, np.sqrt((count - 1) / count * spread)


def holm(p: Float[np.ndarray, ...]) -> Float[np.ndarray, ...]:
    """P-values adjusted for their number, all axes one family (Holm 1979).

    Rejecting those up to a level errs once or more with at most that chance.

    >>> holm(np.array([0.01, 0.04, 0.5]))
    array([0.03, 0.08, 0.5 ])
    """
    order = np.argsort(p, axis=None)
    steps = p.ravel()[order] * np.arange(p.size, 0, -1)
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted.reshape(p.shape)


POWER = 0.8
"""Chance with which an experiment should find what it looks for."""


def detectable(sd: float, count: int, *, power: float = POWER, level: float = LEVEL) -> float:
    """The mean difference that a two-sided t-test of `count` independent differences finds with a given chance.

    For one of m tests adjusted by Holm's rule give the level of the strictest
    step, 1 - (1 - level) / m.

    >>> round(detectable(0.25, 8), 2), round(detectable(0.25, 3), 2)  # in the unit of sd
    (0.29, 0.82)

    Args:
        sd: standard deviation of the differences, >= 0.
        count: of differences, e.g. seeds, >= 2.
        power: the chance, between 1 - level and 1.
        level: of the test's interval, in (0, 1).

    Raises:
        InputError: a number is out of its range.
    """
    _check(level, 1, 0)
    check_least("count", count, 2)
    if not (0 <= sd < math.inf and 1 - level < power < 1):
        raise InputError(f"sd={sd}, power={power}: give sd >= 0 and a power between {1 - level:g} and 1")
    from scipy import stats  # 57 MB that measuring a model does without

    critical = float(special.stdtrit(count - 1, (1 + level) / 2))
    # T = (Z + shift) / S with S^2 chi-squared over its degrees of freedom: Gauss-Legendre over the quantiles of S
    nodes, weights = np.polynomial.legendre.leggauss(256)
    bar = critical * np.sqrt(stats.chi2.ppf((nodes + 1) / 2, count - 1) / (count - 1))

    def excess(shift: float) -> float:
        found = special.ndtr(shift - bar) + special.ndtr(-shift - bar)
        return float(found @ weights / 2) - power

    high = critical + 1.0
    while excess(high) < 0:
        high *= 2
    root: Any = optimize.brentq(excess, 0.0, high)  # its type depends on an option
    return sd * float(root) / math.sqrt(count)


def count_needed(sd: float, difference: float, *, power: float = POWER, level: float = LEVEL) -> int:
    """The least number of independent differences with which `difference` is detectable, at least 2.

    >>> count_needed(0.25, 0.29), count_needed(0.25, 0.19)
    (8, 16)

    Args:
        sd: standard deviation of the differences, >= 0.
        difference: to be found, > 0.
        power, level: as `detectable`.

    Raises:
        InputError: a number is out of its range, or more than 10,000 would be needed.
    """
    if not 0 < difference < math.inf:
        raise InputError(f"difference={difference} is not above 0; give what is to be found")
    low, high = 1, 2
    while detectable(sd, high, power=power, level=level) > difference:
        low, high = high, 2 * high
        if low > 10_000:
            raise InputError(
                f"more than 10,000 differences with sd={sd} would be needed to find {difference}"
            )
    while high - low > 1:
        middle = (low + high) // 2
        enough = detectable(sd, middle, power=power, level=level) <= difference
        low, high = (low, middle) if enough else (middle, high)
    return high


def _check(level: float, resamples: int, seed: int) -> None:
    check_proper_share("level", level)
    check_least("resamples", resamples, 1)
    check_least("seed", seed, 0)
