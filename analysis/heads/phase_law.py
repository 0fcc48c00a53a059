"""Does a Gaussian explain a trained TAPA head? Its closed form, with fitted moments, against what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float64, Int64

from analysis.heads.lags import pair_counts
from analysis.heads.phase import Factors
from analysis.theory.gaussian import local_exponent, tapa_moments
from analysis.theory.gaussian_law import GaussianLaw, fit

Curve = Float64[np.ndarray, " distances"]


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """A head's law as if queries and keys were normal and independent of each other.

    Attributes:
        law: of (a, x) stacked over (b, y).
        amplitude_share: of a in (a, x).
        alpha: exponent of the distance.
    """

    law: GaussianLaw
    amplitude_share: float
    alpha: float

    def mean(self, distance: Curve) -> Curve:
        """E score at each distance."""
        return tapa_moments(self.law, distance, alpha=self.alpha, amplitude_share=self.amplitude_share).mean

    def exponent(self, distance: Curve) -> Curve:
        """d log|E score| / d log distance."""
        return local_exponent(self.law, distance, alpha=self.alpha, amplitude_share=self.amplitude_share)


def gaussian(windows: list[Factors]) -> Gaussian:
    """The law with the means and covariances of all queries and of all keys of a head's windows.

    A query and a key at a distance are taken to be independent: what the tokens of one text have in common beyond
    their means is not in it.

    Raises:
        InputError: fewer than two tokens.
    """
    amplitude, phase = windows[0].a.shape[1], windows[0].x.shape[1]
    # eq 12 divides by the square roots of the dimensions, the factors hold these divisions already
    parts = [(w.a * amplitude**0.5, w.x * phase**0.5, w.b, w.y) for w in windows]
    a, x, b, y = (torch.cat(part).double().numpy() for part in zip(*parts, strict=True))
    law = fit(np.concatenate([a, x], axis=1), np.concatenate([b, y], axis=1), paired=False)
    return Gaussian(law, amplitude / (amplitude + phase), windows[0].alpha)


def share_explained(measured: Curve, predicted: Curve, distance: Curve) -> float:
    """1 - |measured - predicted|^2 / |measured - its mean|^2, each octave of distance weighted alike.

    nan for a measured curve that is constant. Below 0 where the prediction is worse than a constant.
    """
    weight = 1 / distance
    weight = weight / weight.sum()
    centred = measured - (weight * measured).sum()
    total, rounding = (weight * centred**2).sum(), 2.0**-96 * (weight * measured**2).sum()
    if total <= rounding:
        return float("nan")
    return float(1 - (weight * (measured - predicted) ** 2).sum() / total)


def octaves(length: int) -> Int64[np.ndarray, " edges"]:
    """1, 2, 4, ... up to half the window: edges of octaves of distance that have many pairs."""
    return 2 ** np.arange(int(np.log2(length)), dtype=np.int64)


def octave_means(curve: Float64[np.ndarray, " length"], length: int) -> Float64[np.ndarray, " octaves"]:
    """Mean over all pairs at the distances of each octave, of a mean over the pairs at each distance 0..length-1."""
    edges, pairs = octaves(length), pair_counts(length).numpy()
    within = [slice(low, high) for low, high in pairwise(edges)]
    return np.array([(curve[at] * pairs[at]).sum() / pairs[at].sum() for at in within])


def measured_exponent(score: Float64[np.ndarray, " length"]) -> Float64[np.ndarray, " steps"]:
    """Slope of log|mean score| from each octave to the next, against their mean log distances; nan where the sign
    changes. An octave's mean over all its pairs bears noise that single distances do not."""
    means = octave_means(score, len(score))
    at = octave_means(np.log(np.maximum(np.arange(len(score)), 1)), len(score))
    same = np.sign(means[1:]) * np.sign(means[:-1]) > 0
    ratio = np.divide(means[1:], means[:-1], out=np.full(len(means) - 1, np.nan), where=same)
    return np.log(ratio) / np.diff(at)
