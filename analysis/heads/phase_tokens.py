"""Which pairs of tokens have a small phase and which a large one: pairs with a property against others as far apart.

Tokens are bytes of text or code. What is compared is phi, and |phi|, in standard deviations of the head's phi: at each
distance the mean over the pairs that have the property less the mean over those that have not, averaged over distances
with the weight that makes its error least, n1 n0 / (n1 + n0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64, Integer
from torch import Tensor

from analysis.heads import phase
from analysis.heads.phase import ROWS, Bands, Factors
from analysis.intervals import Interval, over_document_means

PROPERTIES = (
    "same token",
    "same line",
    "same quotation",
    "same depth",
    "matching bracket",
    "key is newline",
    "key is bracket",
    "key is quote",
    "key in brackets",
    "key is rare",
    "key is frequent",
)
_OPEN, _CLOSE, _QUOTES, _NEWLINE = b"([{", b")]}", b"\"'`", ord("\n")
FREQUENT, RARE = 0.5, 0.05  # share of all tokens that the commonest make up at least, the rarest at most

Index = Int64[np.ndarray, "..."]


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What is known of each token of a window.

    Attributes:
        token: byte.
        line: number of newlines before it.
        quotation: which double-quoted passage of a line it is in, its marks included; 0 for none.
        depth: brackets open around it; brackets themselves count from inside.
        partner: of a closing bracket the index of the one it closes; -1 for none.
        bracket, quote, rare, frequent: whether it is one.
    """

    token: Index
    line: Index
    quotation: Index
    depth: Index
    partner: Index
    bracket: Bool[np.ndarray, " length"]
    quote: Bool[np.ndarray, " length"]
    rare: Bool[np.ndarray, " length"]
    frequent: Bool[np.ndarray, " length"]

    def holds(self, name: str, query: Index, key: Index) -> Bool[np.ndarray, ...]:
        """Does each pair have the property? Indices broadcast."""
        match name:
            case "same token" | "same line" | "same depth":
                values = {"token": self.token, "line": self.line, "depth": self.depth}[name.split()[1]]
                return values[query] == values[key]
            case "same quotation":
                return (self.quotation[query] == self.quotation[key]) & (self.quotation[query] > 0)
            case "matching bracket":
                return self.partner[query] == key
            case "key is newline":
                flag = self.token == _NEWLINE
            case "key in brackets":
                flag = self.depth > 0
            case _:
                flag = {
                    "key is bracket": self.bracket,
                    "key is quote": self.quote,
                    "key is rare": self.rare,
                    "key is frequent": self.frequent,
                }[name]
        return np.broadcast_to(flag[key], np.broadcast_shapes(np.shape(query), np.shape(key)))


def facts(tokens: Integer[np.ndarray, " length"], counts: Int64[np.ndarray, " vocabulary"]) -> Facts:
    """What is known of the tokens of a window.

    Args:
        tokens: bytes.
        counts: how often each byte occurs in all the text.
    """
    token = tokens.astype(np.int64)
    newline = token == _NEWLINE
    line = np.cumsum(newline) - newline
    common, rare = _by_frequency(counts)
    depth, partner = _brackets(token)
    return Facts(
        token,
        line,
        _quotations(token, line),
        depth,
        partner,
        np.isin(token, list(_OPEN + _CLOSE)),
        np.isin(token, list(_QUOTES)),
        rare[token],
        common[token],
    )


def _by_frequency(counts: Int64[np.ndarray, " vocabulary"]) -> tuple[np.ndarray, np.ndarray]:
    """Of each token whether it is among the commonest, and among the rarest, that make up their shares of the text."""
    order = np.argsort(-counts, kind="stable")
    share = np.cumsum(counts[order]) / max(counts.sum(), 1)
    common, rare = np.zeros(len(counts), dtype=bool), np.zeros(len(counts), dtype=bool)
    common[order[: np.searchsorted(share, FREQUENT) + 1]] = True
    rare[order[1:][share[:-1] >= 1 - RARE]] = True
    return common, rare


def _brackets(token: Index) -> tuple[Index, Index]:
    """Depth of each token and the partner of each closing bracket; one of another kind closes nothing."""
    depth, partner = np.zeros_like(token), np.full_like(token, -1)
    stack: list[int] = []
    for at, byte in enumerate(token.tolist()):
        if byte in _OPEN:
            stack.append(at)
        depth[at] = len(stack)
        if byte in _CLOSE and stack and token[stack[-1]] == _OPEN[_CLOSE.index(byte)]:
            partner[at] = stack.pop()
    return depth, partner


def _quotations(token: Index, line: Index) -> Index:
    """Passages between double quotes of one line, numbered from 1; a quote that is not closed there opens none."""
    found = np.zeros_like(token)
    marks = np.flatnonzero(token == ord('"'))
    number = 0
    for row in np.unique(line[marks]):
        within = marks[line[marks] == row]
        for first, last in zip(within[0::2], within[1::2], strict=False):
            number += 1
            found[first : last + 1] = number
    return found


def effects(
    heads: list[Factors], known: Facts, *, rows: int = ROWS, span: int = phase.SPAN
) -> Float64[np.ndarray, "two heads properties"]:
    """Difference of phi, and of |phi|, that each property makes at equal distance; turns at distance 1.

    All causal pairs of the window but those of a token with itself. nan for a property without a pair to compare.
    """
    length = heads[0].length
    count = np.zeros((len(PROPERTIES), length))
    # sums of phi and |phi|: of the pairs with each property, and last of all pairs
    sums = np.zeros((2, len(heads), len(PROPERTIES) + 1, length))
    every = [Bands(head, rows, span, first=1) for head in heads]
    for run in every[0].runs():
        for blocks in zip(*(bands.blocks(run) for bands in every), strict=True):
            at = blocks[0].distances
            masks = _masks(known, blocks[0].first, blocks[0].rows, at)
            count[:, at] += masks[:-1].sum(1).numpy()
            weights = masks.to(heads[0].x.dtype)
            for head, band in enumerate(blocks):
                for kind, turns in enumerate((band.phase, band.phase.abs())):
                    sums[kind, head, :, at] += (weights * turns).sum(1).double().numpy()
    pairs = length - np.arange(length, dtype=np.float64)
    pairs[0] = 0
    return _differences(sums, count, pairs)


def _masks(known: Facts, first: int, rows: int, at: slice) -> Bool[Tensor, "properties rows span"]:
    """Whether each pair of a band has each property; last, whether its key is there at all."""
    query = np.arange(first, first + rows)[:, None]
    key = query - np.arange(at.start, at.stop)
    there, safe = key >= 0, np.maximum(key, 0)
    held = [known.holds(name, query, safe) & there for name in PROPERTIES]
    return torch.from_numpy(np.stack([*held, there]))


def _differences(sums: np.ndarray, count: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """With the property less without, at equal distance, averaged with the weights n1 n0 / (n1 + n0)."""
    others = pairs - count
    weight = np.divide(count * others, pairs, out=np.zeros_like(count), where=pairs > 0)
    used = weight > 0
    having = np.divide(sums[:, :, :-1], count, out=np.zeros_like(sums[:, :, :-1]), where=used)
    lacking = np.divide(
        sums[:, :, -1:] - sums[:, :, :-1], others, out=np.zeros_like(sums[:, :, :-1]), where=used
    )
    total = weight.sum(axis=-1)
    return np.divide(
        (weight * (having - lacking)).sum(axis=-1),
        total,
        out=np.full((*sums.shape[:2], len(count)), np.nan),
        where=total > 0,
    )


# What a head's phase vectors tell of a pair of tokens, beside what its amplitude vectors tell: a linear
# probe.
#
# For each property, pairs that have it and, for each of them, a pair of the same window and distance that
# has not: so distance tells nothing, and chance is one half. A ridge regression of the label on (q, k, q k
# entry by entry) is fitted to all documents but some and asked about those; its control is the same with
# each couple's labels swapped at random.


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
            found[part + suffix] = over_document_means(_accuracies(features, squares, signs, held), names)
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
