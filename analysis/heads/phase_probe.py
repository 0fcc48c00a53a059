"""What a head's phase vectors tell of a pair of tokens, beside what its amplitude vectors tell: a linear probe.

For each property, pairs that have it and, for each of them, a pair of the same window and distance that has not: so
distance tells nothing, and chance is one half. A ridge regression of the label on (q, k, q k entry by entry) is fitted
to all documents but some and asked about those; its control is the same with each couple's labels swapped at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from analysis.heads.phase import Factors
from analysis.heads.phase_ablate import Interval, over_documents
from analysis.heads.phase_tokens import PROPERTIES, Facts

SPAN = 256  # tokens: largest distance of a pair
COUPLES = 400  # of pairs, in a window, for a property
FEWEST = 10  # in a window, or the property is not probed there
FOLDS = 8
_TRIES = 32  # to find a pair without the property
_RIDGE = 1e-2  # of the features' variance
PARTS = ("phase", "amplitude")

Pairs = Int64[np.ndarray, "pairs two"]


@dataclass(frozen=True, slots=True, eq=False)
class Couples:
    """Pairs (query, key) with a property and without, the i-th of each equally far apart.

    Attributes:
        having, lacking: indices in the window.
    """

    having: Pairs
    lacking: Pairs


def couples(known: Facts, name: str, *, seed: int, most: int = COUPLES, span: int = SPAN) -> Couples | None:
    """Pairs to probe in one window; None where there are fewer than `FEWEST`.

    Args:
        name: one of `PROPERTIES`.
        seed: of the choice.
        most: couples.
        span: largest distance.
    """
    rng = np.random.default_rng([seed, PROPERTIES.index(name)])
    length = len(known.token)
    distance = np.arange(1, min(span, length - 1) + 1)
    query = np.arange(length)[:, None]
    key = query - distance
    found = np.argwhere(known.holds(name, query, np.maximum(key, 0)) & (key >= 0))
    found = found[rng.permutation(len(found))[:most]]
    first, apart = found[:, 0], distance[found[:, 1]]
    other = rng.integers(apart[:, None], length, (len(found), _TRIES))
    free = ~known.holds(name, other, other - apart[:, None])
    kept = free.any(axis=1)
    if kept.sum() < FEWEST:
        return None
    second = other[np.arange(len(found)), free.argmax(axis=1)]
    return Couples(*(np.stack([m, m - apart], axis=1)[kept] for m in (first, second)))


def probe(
    windows: Sequence[Factors], chosen: Sequence[Couples | None], documents: Sequence[str], *, seed: int
) -> dict[str, Interval]:
    """Accuracy on held-out documents of what phase and amplitude vectors of a head tell, and of their controls.

    Args:
        windows: of one head.
        chosen: of each window its couples.
        documents: of each window its document's name.
        seed: of the controls' labels.

    Returns:
        Intervals over documents of "phase", "amplitude", "phase, control" and "amplitude, control"; nan where fewer
        than two documents have the property.
    """
    kept = [i for i, couple in enumerate(chosen) if couple is not None]
    names = [documents[i] for i in kept]
    keys = [f"{part}{suffix}" for part in PARTS for suffix in ("", ", control")]
    if len(set(names)) < 2:
        return dict.fromkeys(keys, Interval(*[float("nan")] * 3))
    fold = {name: i % FOLDS for i, name in enumerate(sorted(set(names)))}
    held = np.array([fold[name] for name in names])
    found = {}
    for part in PARTS:
        features = [_features(windows[i], chosen[i], part) for i in kept]
        squares = [x.T @ x for x in features]
        for suffix in ("", ", control"):
            rng = np.random.default_rng(seed)
            signs = [
                rng.choice([-1.0, 1.0], len(x) // 2) if suffix else np.ones(len(x) // 2) for x in features
            ]
            found[part + suffix] = over_documents(_accuracies(features, squares, signs, held), names)
    return found


def _features(window: Factors, couple: Couples | None, part: str) -> Float64[np.ndarray, "pairs features"]:
    """(q, k, q k) of the pairs with the property, then of those without."""
    assert couple is not None
    of_q, of_k = (window.x, window.y) if part == "phase" else (window.a, window.b)
    pairs = np.concatenate([couple.having, couple.lacking])
    q, k = (x.double().numpy()[pairs[:, i]] for i, x in enumerate((of_q, of_k)))
    return np.concatenate([q, k, q * k], axis=1)


def _accuracies(
    features: list[np.ndarray], squares: list[np.ndarray], signs: list[np.ndarray], held: np.ndarray
) -> Float64[np.ndarray, " windows"]:
    """Share of each window's pairs that a probe fitted to the other folds gets right.

    A fit needs sums over pairs alone, so that each window's are taken once: `squares` are the features' products.
    """
    labels = [np.concatenate([sign, -sign]) for sign in signs]
    products = [x.T @ y for x, y in zip(features, labels, strict=True)]
    accuracy = np.empty(len(features))
    for fold in np.unique(held):
        inside, outside = np.flatnonzero(held != fold), np.flatnonzero(held == fold)
        count = sum(len(features[i]) for i in inside)
        centre = sum((features[i].sum(axis=0) for i in inside), np.zeros(len(squares[0]))) / count
        square = sum((squares[i] for i in inside), np.zeros_like(squares[0])) / count
        scale = _scale(np.diag(square), centre)
        gram = (square - np.outer(centre, centre)) / np.outer(scale, scale)
        # labels add up to 0, so that the centre does not count in the products
        target = sum((products[i] for i in inside), np.zeros(len(scale))) / (count * scale)
        weight = np.linalg.solve(gram + _RIDGE * np.eye(len(gram)), target) / scale
        for i in outside:
            says = features[i] @ weight > centre @ weight
            accuracy[i] = (says == (labels[i] > 0)).mean()
    return accuracy


def _scale(square: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Standard deviation of each feature; 1 for one that does not vary, to rounding."""
    variance = square - centre**2
    varies = variance > 2.0**-40 * square
    return np.sqrt(np.where(varies, variance, 1.0))
