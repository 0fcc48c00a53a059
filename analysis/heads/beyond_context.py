"""The mean score that the means of queries and keys predict beyond the context length, and what extensions make of it.

The bias is scale * sum_d (mu_d cos(omega_d distance) + nu_d sin(omega_d distance)), which needs no text at the
distances that it is evaluated at: means are measured within the context, frequencies are those of an extension.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float, Int

from analysis.errors import InputError
from analysis.heads.bias_interventions import LEVEL_FROM
from analysis.settings import check_least
from analysis.theory.frequencies import ROPE_TYPES, Extension, Frequencies, plain, rope_type

EXTENSIONS = ("pi", "ntk", "yarn", "llama3")
"""Extensions that are compared, by their names in records; dynamic NTK is NTK at the length that is read."""


def mean_turns(
    omega: Float[np.ndarray, " pairs"], first: Int[np.ndarray, " bins"], stop: Int[np.ndarray, " bins"]
) -> Complex[np.ndarray, "bins pairs"]:
    """Mean of exp(i omega_d distance) over the whole distances first <= distance < stop, in closed form.

    Args:
        omega: angular frequencies, rad/token, each above -2 pi and below 2 pi.
        first, stop: ends of every bin, tokens, first < stop.

    >>> mean_turns(np.array([0.0, np.pi]), np.array([0]), np.array([2])).round(12).real  # a pair that rests, half turns
    array([[1., 0.]])
    """
    count = (stop - first)[:, None]
    half = omega / 2
    sine = np.sin(half)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(sine == 0, 1.0, np.sin(count * half) / (count * sine))
    return size * np.exp(1j * (first + stop - 1)[:, None] * half)


def octave_bins(last: int, per_octave: int = 8, start: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """First distance and the one after the last of bins that grow with distance, about `per_octave` to the octave.

    Args:
        last: the last distance, tokens.
        per_octave: bins.
        start: the first distance, >= 1.

    >>> octave_bins(8, 2)
    (array([1, 2, 3, 4, 6, 8]), array([2, 3, 4, 6, 8, 9]))
    """
    check_least("start", start, 1)
    check_least("last", last, start)
    steps = np.arange(per_octave * int(np.log2(last) + 1))
    edges = np.unique(np.round(2 ** (steps / per_octave))).astype(np.int64)
    first = np.unique(np.append(edges[(edges >= start) & (edges <= last)], start))
    return first, np.append(first[1:], last + 1)


@dataclass(frozen=True, eq=False)
class LayerMeans:
    """What a layer's heads say without text: means, and what a score needs beside them.

    Attributes:
        frequencies: of the layer as it was measured.
        mu, nu: E A_d and E B_d, with the layer's own attention factor in them.
        scale: of the scores.
        rest: what no rotation touches adds to the score of each head.
        spread: standard deviation of each head's scores.
    """

    frequencies: Frequencies
    mu: Float[np.ndarray, "heads pairs"]
    nu: Float[np.ndarray, "heads pairs"]
    scale: float
    rest: Float[np.ndarray, " heads"]
    spread: Float[np.ndarray, " heads"]

    def scores(
        self, first: np.ndarray, stop: np.ndarray, frequencies: Frequencies | None = None
    ) -> Float[np.ndarray, "heads bins"]:
        """Mean predicted score in bins of distance, under other frequencies where they are given."""
        other = self.frequencies if frequencies is None else frequencies
        turns = mean_turns(other.omega, first, stop)
        gain = (other.attention_factor / self.frequencies.attention_factor) ** 2
        rotated = self.mu @ np.real(turns).T + self.nu @ np.imag(turns).T
        return self.scale * gain * rotated + self.rest[:, None]

    def rebound(
        self, context: int, times: int, frequencies: Frequencies | None = None
    ) -> Float[np.ndarray, " heads"]:
        """Predicted mean score from the context length on, less its level just within, in standard deviations.

        Octaves of distance count alike. The level is that of the frequencies as trained: what an extension does within
        the context counts for none of it. NaN for a head whose scores do not vary.

        Args:
            context: L, tokens.
            times: the last distance over L, a power of two.
            frequencies: of an extension; None for none.
        """
        if times < 2 or times & (times - 1):
            raise InputError(f"times={times} is no power of two above 1")
        first = context << np.arange(times.bit_length() - 1)
        level = self.scores(np.array([int(LEVEL_FROM * context)]), np.array([context]))
        rise = self.scores(first, 2 * first, frequencies).mean(axis=1) - level[:, 0]
        return np.divide(rise, self.spread, out=np.full_like(rise, np.nan), where=self.spread > 0)


def under_extensions(frequencies: Frequencies, context: int, times: int) -> Mapping[str, Frequencies]:
    """A layer's frequencies under every extension of `EXTENSIONS`, by the extension's title; those without first.

    Args:
        frequencies: as trained. Where they are not those of plain RoPE, an extension was applied already, and nothing
            else is.
        context: L, tokens.
        times: length to read over L, the factor of every extension.

    >>> list(under_extensions(plain(1e4, 64), 2048, 4))
    ['RoPE', 'position interpolation', 'NTK-aware', 'YaRN', 'Llama 3']
    """
    base = plain_base(frequencies)
    if base is None:
        known = ROPE_TYPES.get(frequencies.kind) if frequencies.kind != "default" else None
        return {known.title if known else "as configured": frequencies}
    return {ROPE_TYPES["default"].title: frequencies} | {
        rope_type(name).title: Extension(name, float(times), context).frequencies(
            base,
            frequencies.head_dim,
            frequencies.rotary_dim,
            length=times * context,
            pairing=frequencies.pairing,
        )
        for name in EXTENSIONS
    }


def plain_base(frequencies: Frequencies) -> float | None:
    """The base of plain RoPE's frequencies, out of its slowest pair; None if they are another type's.

    >>> round(plain_base(plain(5e5, 128)))
    500000
    """
    pairs = len(frequencies.omega)
    if pairs < 3 or not 0 < frequencies.omega[-1] < 1:  # a single pair turns alike for every base
        return None
    base = float(frequencies.omega[-1] ** (-pairs / (pairs - 1)))
    same = np.allclose(
        plain(base, frequencies.head_dim, frequencies.rotary_dim).omega, frequencies.omega, rtol=1e-9
    )
    return base if same and frequencies.attention_factor == 1 else None
