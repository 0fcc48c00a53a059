"""The paper's theorem 2.2 and its lemmas as functions: what they promise of the near-far gap, what they ask.

Everything is in units of Gamma = E[score] / sqrt(D), as both sides of the paper's eq 7 are (Wang et al. 2025,
arXiv 2509.12635). The bounds are evaluated as printed; whether they hold is for `proofs` to say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from analysis.errors import InputError
from analysis.settings import check_above, check_even
from analysis.theory.rope import FAR, Distance, checked_distance, near_far_gap


def lemma_remainder(
    distance: Distance, base: float, head_dim: int, alpha: float | None = None
) -> Float64[np.ndarray, "*n"]:
    """epsilon = alpha + 4 pi |distance| base^-alpha / D (Wang et al. 2025, eq 26).

    The lemmas state it for every alpha > 0. Without `alpha` this is the infimum over them, with
    x = 4 pi |distance| ln(base) / D: (1 + ln x) / ln base where x > 1, x / ln base elsewhere.

    Raises:
        InputError: base <= 1, head_dim odd or < 2, alpha negative, a distance not finite or beyond 1e300.

    >>> float(lemma_remainder(100, 1e4, 128).round(3))  # > 1/2: the lemmas say nothing at this size
    0.598
    """
    check_above("base", base, 1)
    check_even("head_dim", head_dim)
    factor = 4 * math.pi * np.abs(checked_distance(distance, FAR)) / float(head_dim)
    if alpha is None:
        x = factor * math.log(base)
        return np.asarray(np.where(x > 1, 1 + np.log(np.maximum(x, 1)), x) / math.log(base))
    if not 0 <= alpha < math.inf:
        raise InputError(f"alpha={alpha} is not a finite number >= 0")
    return np.asarray(alpha + factor * float(base) ** -alpha)


def lemma_c1(
    distance: Distance, base: float, head_dim: int, alpha: float | None = None
) -> tuple[Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n"]]:
    """The upper bounds of |C_D| and |S_D| (in turns) of lemma C.1 (Wang et al. 2025, eq 25).

    2 base / (pi distance ln base) + epsilon and 2 / ln base + epsilon, epsilon as in `lemma_remainder`.

    Raises:
        InputError: a hypothesis fails: base > 10, D > 4 ln base, distance > 1.
    """
    lags, log_base = _lemma_distance(distance, base, head_dim), math.log(base)
    remainder = lemma_remainder(lags, base, head_dim, alpha)
    return np.asarray(2 * base / (math.pi * lags * log_base) + remainder), np.asarray(
        2 / log_base + remainder
    )


def lemma_c2(
    distance: Distance, base: float, head_dim: int, exponent: float, alpha: float | None = None
) -> Float64[np.ndarray, "*n"]:
    """The lower bound of C_D (in turns) of lemma C.2 (Wang et al. 2025, eq 27), e = `exponent` > 0.

    (1 - e) cos(2 pi distance base^-e) / 2 - 1 / ln base - epsilon, epsilon as in `lemma_remainder`.

    Raises:
        InputError: a hypothesis fails: those of `lemma_c1`, and distance base^-e < 1/4.
    """
    lags = _lemma_distance(distance, base, head_dim)
    if not 0 < exponent < math.inf:
        raise InputError(f"exponent={exponent} is not a finite number above 0")
    turns = lags * float(base) ** -exponent
    if turns.max(initial=0.0) >= 0.25:
        raise InputError(
            f"distance={lags.max()} is too large: lemma C.2 needs distance base^-{exponent} < 1/4"
        )
    leading = (1 - exponent) * np.cos(2 * math.pi * turns) / 2
    return np.asarray(leading - 1 / math.log(base) - lemma_remainder(lags, base, head_dim, alpha))


def _lemma_distance(distance: Distance, base: float, head_dim: int) -> Float64[np.ndarray, "*n"]:
    check_above("base", base, 1)
    check_even("head_dim", head_dim)
    lags = checked_distance(distance, FAR)
    if base <= 10:
        raise InputError(f"base={base} is too small: the lemma assumes base > 10")
    if head_dim <= 4 * math.log(base):
        raise InputError(
            f"head_dim={head_dim} is too small: the lemma assumes D > 4 ln base = {4 * math.log(base):.4g}"
        )
    if lags.min(initial=math.inf) <= 1:
        raise InputError(f"distance={lags.min()} is too small: the lemma assumes distance > 1")
    return lags


@dataclass(frozen=True, slots=True)
class DistanceBiasTheorem:
    """Theorem 2.2 and its proof (Wang et al. 2025, eqs 7 and 28-34) at one base, head dimension, mu and nu.

    It promises sgn(mu) (Gamma(near) - Gamma(far)) > `promised_gap` for 1 < |near| < `near_limit` and
    |far| > `far_limit`, for a base above exp(`log_base_needed`) and "D sufficiently large".

    Attributes:
        base, head_dim: RoPE base, > 1; head dimension, even.
        mu, nu: E A and E B of every pair (assumption 2.1); mu is not 0.

    >>> t = DistanceBiasTheorem(base=5e5, head_dim=128, mu=1.0)
    >>> round(t.near_limit, 2), t.far_limit, t.promised_gap  # tokens, tokens, score over sqrt(D)
    (3.32, 500000.0, 0.125)
    """

    base: float
    head_dim: int
    mu: float
    nu: float = 0.0

    def __post_init__(self) -> None:
        check_above("base", self.base, 1)
        check_even("head_dim", self.head_dim)
        for name in ("mu", "nu"):
            if not math.isfinite(getattr(self, name)):
                raise InputError(f"{name}={getattr(self, name)} is not finite")
        if self.mu == 0:
            raise InputError("mu=0 has no sign: theorem 2.2 says nothing; give mu != 0")

    @property
    def near_limit(self) -> float:
        """base^(1/4) / 8: near distances lie strictly between 1 and this (eq 7)."""
        return self.base**0.25 / 8

    @property
    def near_integers(self) -> range:
        """The whole distances in the near range; empty for base <= 65536."""
        return range(2, max(2, math.ceil(self.near_limit)))

    @property
    def far_limit(self) -> float:
        """base: far distances lie strictly beyond it (eq 7)."""
        return self.base

    @property
    def promised_gap(self) -> float:
        """|mu| / 8, the right side of eq 7."""
        return abs(self.mu) / 8

    @property
    def log_base_needed(self) -> float:
        """64 (|mu| + |nu|) / |mu|: the proof needs ln base above it (eq 32); at least 64, base 6e27."""
        return 64 * (1 + abs(self.nu / self.mu))

    def remainder(self, near: float, far: float) -> float:
        """Left side of eq 33, 2 (|mu| + |nu|) (epsilon(near) + epsilon(far)), at the best alphas."""
        both = lemma_remainder(np.array([near, far], dtype=np.float64), self.base, self.head_dim)
        return 2 * (abs(self.mu) + abs(self.nu)) * float(both.sum())

    def head_dim_needed(self, near: float, far: float) -> int:
        """Least even D that meets eq 33 at these distances, and D > 4 ln base: the proof's "D large"."""

        def enough(pairs: int) -> bool:
            larger = replace(self, head_dim=2 * pairs)
            meets_33 = larger.remainder(near, far) < abs(self.mu) / 16
            return meets_33 and 2 * pairs > 4 * math.log(self.base)

        low, high = 0, 1
        while not enough(high):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle) else (middle, high)
        return 2 * high

    def holds(self, near: Distance, far: Distance, *, turns: bool = False) -> np.ndarray:
        """Whether the conclusion (eq 7) is true of the exact sums, whatever the hypotheses say; booleans."""
        gap = near_far_gap(near, far, self.base, self.head_dim, self.mu, self.nu, turns=turns)
        return np.asarray(np.sign(self.mu) * gap > self.promised_gap)

    def failed_hypotheses(self, near: float | None = None, far: float | None = None) -> tuple[str, ...]:
        """What the theorem or its proof asks for and does not get, one line each; empty if nothing fails.

        Without `near` or `far`, eq 33 is judged at the mildest distances, |near| = 1 and |far| = base.
        """
        failed = [text for fails, text in self._base_and_dimension() if fails]
        if near is None and not self.near_integers:
            failed.append(f"no whole distance lies in the near range (1, {self.near_limit:.4g})")
        if near is not None and not 1 < abs(near) < self.near_limit:
            failed.append(f"near={near} is outside the near range (1, {self.near_limit:.4g})")
        if far is not None and not abs(far) > self.far_limit:
            failed.append(f"far={far} is not beyond base={self.far_limit:.4g}")
        remainder = self.remainder(1.0 if near is None else near, self.base if far is None else far)
        if not remainder < abs(self.mu) / 16:
            needed = abs(self.mu) / 16
            failed.append(f"eq 33: head_dim={self.head_dim} leaves {remainder:.4g}, not below {needed:.4g}")
        return tuple(failed)

    def _base_and_dimension(self) -> list[tuple[bool, str]]:
        log_base = math.log(self.base)
        return [
            (self.base <= 10, f"lemmas C.1, C.2: base={self.base:.4g} is not above 10"),
            (
                self.head_dim <= 4 * log_base,
                f"lemmas C.1, C.2: head_dim={self.head_dim} is not above 4 ln base = {4 * log_base:.4g}",
            ),
            (
                log_base <= self.log_base_needed,
                f"eq 32: base={self.base:.4g} is not above exp({self.log_base_needed:.4g})",
            ),
        ]
