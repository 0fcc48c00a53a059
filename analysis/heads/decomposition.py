"""One window of one layer: what its heads' scores do with distance, and which part the means of q and k decide.

Exact identity, head by head and at every distance:

    measured = bias + drift + covariance

bias        rotation applied to the window's mean query and mean key: the paper's Gamma with one mu_d, nu_d per
            pair, E A_d over all pairs of positions of the window (eq 5, 17);
drift       what the means of the positions that really meet at this distance add to it: queries late in the
            window, keys early;
covariance  the rest: query and key agreeing beyond their means at this distance.

"content" is drift + covariance. Everything is computed twice: with the window's first token kept, and with it
dropped as query and as key, because trained heads park attention there (Xiao et al. 2023, attention sinks).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Complex, Float, Int, Shaped
from torch import Tensor

from analysis.encodings.rotary import complex_pairs, rotation_table
from analysis.errors import InputError
from analysis.heads.mean_score import causal_square_sum, first_key_scores, lag_sums, pair_counts
from analysis.intervals import jackknife
from analysis.settings import nearest
from analysis.theory.frequencies import Frequencies

VARIANTS = ("kept", "dropped")  # the window's first token
QUARTERS = 4


@dataclass(frozen=True)
class QuarterSums:
    """Sums over the tokens of each position quarter, from which E A_d, E B_d and their spread follow exactly.

    Attributes:
        count: tokens in each quarter.
        first: sum of z_d.
        size: sum of |z_d|.
        power: sum of |z_d|^2.
        square: sum of z_d^2.
    """

    count: Float[Tensor, " quarters"]
    first: Complex[Tensor, "quarters heads pairs"]
    size: Float[Tensor, "quarters heads pairs"]
    power: Float[Tensor, "quarters heads pairs"]
    square: Complex[Tensor, "quarters heads pairs"]

    def on_cpu(self) -> QuarterSums:
        """The same on the CPU."""
        return QuarterSums(**{one.name: getattr(self, one.name).cpu() for one in fields(self)})


@dataclass(frozen=True)
class LayerWindow:
    """Statistics of one layer in one window; the leading axis is `VARIANTS`, scores carry the layer's scale."""

    measured: Float[Tensor, "variants heads length"]
    drift: Float[Tensor, "variants heads length"]
    shuffled: Float[Tensor, "variants heads length"]
    square_sum: Float[Tensor, "variants heads"]
    moments_q: tuple[QuarterSums, ...]
    moments_k: tuple[QuarterSums, ...]

    def on_cpu(self) -> LayerWindow:
        """The same with every number on the CPU: thousands, where the vectors were millions."""
        return LayerWindow(
            self.measured.cpu(),
            self.drift.cpu(),
            self.shuffled.cpu(),
            self.square_sum.cpu(),
            tuple(sums.on_cpu() for sums in self.moments_q),
            tuple(sums.on_cpu() for sums in self.moments_k),
        )


def quarter_sums(z: Complex[Tensor, "heads pairs length"]) -> tuple[QuarterSums, ...]:
    """Sums of z, |z|, |z|^2 and z^2 over each quarter of the window, for each of `VARIANTS`."""
    parts = torch.tensor_split(z, QUARTERS, dim=-1)
    kept = QuarterSums(
        count=torch.tensor([p.shape[-1] for p in parts], dtype=torch.float64, device=z.device),
        first=torch.stack([p.sum(dim=-1) for p in parts]).to(torch.complex128),
        size=torch.stack([p.abs().sum(dim=-1) for p in parts]).double(),
        power=torch.stack([torch.view_as_real(p).square().sum(dim=(-2, -1)) for p in parts]).double(),
        square=torch.stack([(p * p).sum(dim=-1) for p in parts]).to(torch.complex128),
    )
    token = z[..., 0].to(torch.complex128)
    dropped = QuarterSums(
        count=kept.count - torch.eye(QUARTERS, dtype=torch.float64, device=z.device)[0],
        first=_less(kept.first, token),
        size=_less(kept.size, token.abs()),
        power=_less(kept.power, token.abs().square()),
        square=_less(kept.square, token * token),
    )
    return kept, dropped


def _less(sums: Shaped[Tensor, "quarters heads pairs"], token: Shaped[Tensor, "heads pairs"]) -> Tensor:
    """The sums with one token taken out of the first quarter."""
    return torch.cat([(sums[0] - token)[None], sums[1:]])


def drift_curves(
    q: Complex[Tensor, "*#heads pairs length"],
    k: Complex[Tensor, "*#heads pairs length"],
    table: Complex[Tensor, "pairs length"],
) -> tuple[Float[Tensor, "*heads length"], Float[Tensor, "*heads shorter"]]:
    """What position-dependent means add to the bias, for each of `VARIANTS`; q and k are not yet rotated.

    At distance l the queries are at l..length-1 and the keys at 0..length-1-l, and so are their means. The
    running sums leave the first token out and it is added to them, so a sink costs the others no digits.
    """
    later = q[..., 1:].flip(-1).cumsum(-1).flip(-1)
    earlier = torch.nn.functional.pad(k[..., 1:].cumsum(-1), (1, 0)).flip(-1)
    turn = table.conj()
    kept = (earlier + k[..., :1]) * turn
    # at distance 0 the first token is a query, too
    sums = [inner(later[..., :1] + q[..., :1], kept[..., :1]), inner(later, kept[..., 1:])]
    return (
        _over_pairs(torch.cat(sums, dim=-1)) - means_curve(q, k, table),
        _over_pairs(inner(later, (earlier * turn)[..., :-1]))
        - means_curve(q[..., 1:], k[..., 1:], table[..., :-1]),
    )


def inner(
    q: Complex[Tensor, "*#heads pairs length"], k: Complex[Tensor, "*#heads pairs length"]
) -> Float[Tensor, "*heads length"]:
    """Re sum_d q_d conj(k_d) at every position; leading axes broadcast.

    Added up a pair at a time, in real numbers: the products of all pairs are never in memory.
    """
    x, y = (torch.view_as_real(z).flatten(-2) for z in (q, k))
    total = x.new_zeros(*torch.broadcast_shapes(x.shape[:-2], y.shape[:-2]), x.shape[-1])
    for pair in range(x.shape[-2]):
        total.addcmul_(x[..., pair, :], y[..., pair, :])
    return total.unflatten(-1, (-1, 2)).sum(dim=-1)


def _over_pairs(sums: Float[Tensor, "*heads length"]) -> Float[Tensor, "*heads length"]:
    """Inner products of summed queries and summed keys at every distance, over the squared number of pairs."""
    return sums / pair_counts(sums.shape[-1], device=sums.device).square().to(sums.dtype)


def means_curve(
    q: Complex[Tensor, "*#heads pairs length"],
    k: Complex[Tensor, "*#heads pairs length"],
    table: Complex[Tensor, "pairs length"],
) -> Float[Tensor, "*heads length"]:
    """Score of the window's mean query and mean key at every distance: the bias."""
    product = q.mean(dim=-1) * k.mean(dim=-1).conj()
    return (product[..., None, :] @ table).squeeze(-2).real


@dataclass(frozen=True)
class Order:
    """A random order of the tokens of a window, with and without the first one.

    The first token takes a random place and whichever token was there goes to the end, so that every order of
    all tokens is equally likely if every order of the others is (Durstenfeld 1964).

    Attributes:
        others: indices of all tokens but the first, in their order.
        place: where the first token goes, 0 .. length - 1.
    """

    others: Int[np.ndarray, " shorter"]
    place: int


def draw_order(length: int, generator: torch.Generator) -> Order:
    """An order of `length` tokens."""
    others = 1 + torch.randperm(length - 1, generator=generator, device=generator.device)
    place = torch.randint(length, (), generator=generator, device=generator.device)
    return Order(others.numpy(), int(place))


def control_curves(
    q: Complex[Tensor, "*#heads pairs length"],
    k: Complex[Tensor, "*#heads pairs length"],
    table: Complex[Tensor, "pairs length"],
    order_q: Order,
    order_k: Order,
) -> tuple[Float[Tensor, "*heads length"], Float[Tensor, "*heads shorter"]]:
    """Mean score by distance with the tokens of q and of k reordered, for each of `VARIANTS`.

    With and without the first token, at most two tokens of q and of k differ, so one transform and a few
    products serve both.
    """
    all_q, all_k = _reordered(q, table, order_q), _reordered(k, table, order_k)
    end = q.shape[-1] - 1
    # without the first token: the one at the end goes back to where the first was
    few_q, few_k = (
        _without_first(z, everyone, table, order)
        for z, everyone, order in ((q, all_q, order_q), (k, all_k, order_k))
    )
    sums = lag_sums(few_q, few_k)
    dropped = sums / pair_counts(end, device=sums.device).to(sums.dtype)
    kept = _padded(sums, end + 1, 0.0)
    for place in {order_q.place, end}:  # queries that differ meet the keys 0 .. place
        before = few_q[..., place] if place < end else 0
        change = (all_q[..., place] - before)[..., None, :]
        kept[..., : place + 1] += (change @ all_k[..., : place + 1].conj()).squeeze(-2).real.flip(-1)
    if (place := order_k.place) < end:  # a key at the end would meet no query of the shorter order
        change = (all_k[..., place] - few_k[..., place])[..., None, :]
        kept[..., : end - place] += (change.conj() @ few_q[..., place:]).squeeze(-2).real
    return kept / pair_counts(end + 1, device=kept.device).to(kept.dtype), dropped


def _reordered(
    z: Complex[Tensor, "*heads pairs length"], table: Complex[Tensor, "pairs length"], order: Order
) -> Complex[Tensor, "*heads pairs length"]:
    """All tokens in their new order, rotated."""
    whole = np.append(order.others, 0)
    whole[[order.place, -1]] = whole[[-1, order.place]]
    if z.device.type == "cpu":  # NumPy takes along the last axis three times as fast as indexing does
        return torch.from_numpy(np.take(z.numpy(), whole, axis=-1)).mul_(table)
    return z.index_select(-1, torch.from_numpy(whole).to(z.device)).mul_(table)


def _without_first(
    z: Complex[Tensor, "*heads pairs length"],
    reordered: Complex[Tensor, "*heads pairs length"],
    table: Complex[Tensor, "pairs length"],
    order: Order,
) -> Complex[Tensor, "*heads pairs shorter"]:
    few = reordered[..., :-1].clone()
    if (place := order.place) < few.shape[-1]:
        few[..., place] = z[..., int(order.others[place])] * table[..., place]
    return few


def split_layer(
    q: Float[Tensor, "query_heads length head_dim"],
    k: Float[Tensor, "key_heads length head_dim"],
    frequencies: Frequencies,
    *,
    scale: float,
    generator: torch.Generator,
    window: int | None = None,
) -> LayerWindow:
    """Every statistic of one layer in one window of text.

    Args:
        q, k: before any position is applied; query head h reads key head h // (query_heads / key_heads).
        frequencies: this layer's rotation.
        scale: this layer's factor of the score.
        generator: draws the token order of the shuffled control. Queries and keys are shuffled apart, so its
            expectation over orders is the bias at every distance, exactly; shuffling the keys alone would
            leave the queries' drift with position in it.
        window: of a sliding-window layer, tokens that a query attends to; None for all. Curves are nan at the
            distances that it hides, and squared scores are summed within it.

    >>> from analysis.theory.frequencies import plain
    >>> generator = torch.Generator().manual_seed(0)
    >>> q, k = torch.randn(2, 1, 64, 8, generator=generator) + 1
    >>> found = split_layer(q, k, plain(1e4, 8), scale=8**-0.5, generator=generator)
    >>> found.measured.shape  # with and without the first token, head, distance
    torch.Size([2, 1, 64])
    """
    if frequencies.log_decay is not None:
        raise InputError(
            f"{frequencies.kind} frequencies decay with distance; the split is for pure rotations"
        )
    zq, zk = complex_pairs(q, frequencies), complex_pairs(k, frequencies)
    table = rotation_table(frequencies, zq.shape[-1], zq.shape[-2], zq.dtype, zq.device)
    orders = [draw_order(zq.shape[-1], generator) for _ in "qk"]
    a, b = zq.unflatten(0, (len(zk), -1)), zk.unsqueeze(1)
    measured, square_sum = _measured(a * table, b * table, window)
    curves = {
        "measured": measured.flatten(1, 2),
        "drift": _by_variant(drift_curves(a, b, table)),
        "shuffled": _by_variant(control_curves(a, b, table, *orders)),
    }
    for curve in curves.values():
        curve[..., attended(curve.shape[-1], window) :] = torch.nan
    return LayerWindow(
        **{name: scale * curve for name, curve in curves.items()},
        square_sum=scale**2 * square_sum.flatten(1, 2),
        moments_q=quarter_sums(zq),
        moments_k=quarter_sums(zk),
    )


def attended(length: int, window: int | None) -> int:
    """How many distances, 0 among them, a layer attends to in a window of `length` tokens.

    >>> attended(2048, None), attended(2048, 512)
    (2048, 512)
    """
    return length if window is None else min(length, window)


def reach(length: int, window: int | None) -> int:
    """The last distance that shares, fits and gaps go by: half the window of text, or all that a layer attends to.

    At every distance up to there at least half as many pairs meet as there are tokens.

    >>> reach(2048, None), reach(2048, 512)
    (1024, 511)
    """
    return min(length // 2, attended(length, window) - 1)


@dataclass(frozen=True)
class WindowCurve:
    """What one layer's scores do with distance in one window of text, its first token left out.

    Attributes:
        measured: mean score at every distance, nan at those without a pair or beyond a sliding window.
        square_sum: sum of the squared scores that `measured` is a mean of.
        product: mean query times the conjugate of the mean key, pair by pair, mu_d - i nu_d; then of what no
            rotation touches. Without the layer's scale.
    """

    measured: Float[Tensor, "heads length"]
    square_sum: Float[Tensor, " heads"]
    product: Complex[Tensor, "heads pairs"]


def window_curve(
    q: Float[Tensor, "query_heads length head_dim"],
    k: Float[Tensor, "key_heads length head_dim"],
    frequencies: Frequencies,
    *,
    scale: float,
    window: int | None = None,
) -> WindowCurve:
    """The mean score by distance and the means of queries and keys alone: a fraction of what `split_layer` costs.

    Args:
        q, k, frequencies, scale, window: as `split_layer`.
    """
    zq, zk = complex_pairs(q, frequencies), complex_pairs(k, frequencies)
    table = rotation_table(frequencies, zq.shape[-1], zq.shape[-2], zq.dtype, zq.device)
    a, b = zq.unflatten(0, (len(zk), -1)), zk.unsqueeze(1)
    measured, square_sum = _measured(a * table, b * table, window)
    curve = measured[1].flatten(0, 1)
    curve[..., attended(curve.shape[-1], window) :] = torch.nan
    mean_q, mean_k = (z[..., 1:].to(torch.complex128).mean(dim=-1) for z in (a, b))
    product = (mean_q * mean_k.conj()).flatten(0, 1)
    return WindowCurve(scale * curve, scale**2 * square_sum[1].flatten(0, 1), product)


def _by_variant(curves: tuple[Tensor, Tensor]) -> Float[Tensor, "variants heads length"]:
    """Curves with and without the first token; nan at the distance that only the former has."""
    kept, dropped = curves
    return torch.stack([kept, _padded(dropped, kept.shape[-1])]).flatten(1, 2)


def _measured(
    q: Complex[Tensor, "key_heads group pairs length"],
    k: Complex[Tensor, "key_heads one pairs length"],
    window: int | None,
) -> tuple[Float[Tensor, "variants key_heads group length"], Float[Tensor, "variants key_heads group"]]:
    """Mean score by distance and sum of squared scores within the window, for both variants; q and k are rotated.

    Only the tokens after the first go through the FFT; the first key's scores are added to them one by one,
    so a sink a hundred times longer than the other keys costs no digits of the curve without it.
    """
    first = first_key_scores(q, k)
    rest = _padded(lag_sums(q[..., 1:], k[..., 1:]), q.shape[-1], 0.0)
    sums = torch.stack([rest + first, rest])
    counts = torch.stack([pair_counts(q.shape[-1], dropped=v, device=q.device) for v in range(len(VARIANTS))])
    means = sums / counts[:, None, None].to(sums.dtype)
    square = causal_square_sum(q[..., 1:], k[:, 0, :, 1:], window=window)
    sink = first[..., : attended(first.shape[-1], window)].double().square().sum(dim=-1)
    return means, torch.stack([square + sink, square])


def _padded(
    curve: Float[Tensor, "*heads shorter"], length: int, value: float = torch.nan
) -> Float[Tensor, "*heads length"]:
    """A curve with `value` at distances that no pair of the variant has."""
    return torch.nn.functional.pad(curve, (0, length - curve.shape[-1]), value=value)


# How much of a curve over distance a prediction explains, free of the windows' own noise.
#
# A sum of squares of a noisy curve counts the noise as signal. Products of *different* windows do not: for
# independent windows, the mean over w != w' of <x_w, y_w'> estimates <E x, E y> without bias. Every share
# here is a ratio of such products, and its standard error comes from leaving out one window at a time
# (jackknife).


Curves = Float[np.ndarray, "windows heads distances"]
Gram = Float[np.ndarray, "heads *left_out windows windows"]
PerHead = Float[np.ndarray, "heads *left_out"]


def weights(distance: Float[np.ndarray, " distances"], kind: str) -> Float[np.ndarray, " distances"]:
    """Weights of the distances, summing to 1: every distance alike, or every octave alike.

    Args:
        distance: tokens, >= 1.
        kind: "uniform", or "log" for weights proportional to 1/distance.

    >>> weights(np.array([1.0, 2.0, 4.0]), 'log').round(3)
    array([0.571, 0.286, 0.143])
    """
    known = {"uniform": np.ones_like(distance), "log": 1 / distance}
    if kind not in known:
        raise InputError(f"weighting {kind!r} is unknown; {nearest(kind, known)}")
    if not distance.size:
        raise InputError("a layer attends to no distance above 0; its scores have no curve by distance")
    return known[kind] / known[kind].sum()


def centred(x: Curves, weight: Float[np.ndarray, " distances"]) -> Curves:
    """Curves less their weighted mean over distance."""
    return x - (x @ weight)[..., None]


def products(
    curves: Mapping[str, Curves], weight: Float[np.ndarray, " distances"]
) -> dict[tuple[str, str], Gram]:
    """<x_w, y_w'> over distances of the centred curves, for every head, pair of windows and pair of names."""
    count = len(next(iter(curves.values())))
    x = np.stack([centred(curve, weight) for curve in curves.values()]).transpose(2, 0, 1, 3)
    rows = x.reshape(len(x), -1, x.shape[-1])
    blocks = ((weight * rows) @ rows.swapaxes(1, 2)).reshape(len(x), len(curves), count, -1, count)
    return {(a, b): blocks[:, i, :, j] for i, a in enumerate(curves) for j, b in enumerate(curves)}


def cross(g: Gram) -> PerHead:
    """Mean over pairs of different windows: the estimate of <E x, E y>."""
    count = g.shape[-1]
    if count < 2:
        raise InputError(f"{count} window gives no standard error; measure at least 2")
    return (g.sum(axis=(-2, -1)) - np.trace(g, axis1=-2, axis2=-1)) / (count * (count - 1))


def cross_without(g: Gram) -> Float[np.ndarray, "heads *left_out windows"]:
    """`cross` with each window left out in turn; g is symmetric, of at least 3 windows."""
    count = g.shape[-1]
    if count < 3:
        raise InputError(f"{count} windows leave no two when one is left out; measure at least 3")
    others = g.sum(axis=-1) - np.diagonal(g, axis1=-2, axis2=-1)
    return (others.sum(axis=-1, keepdims=True) - 2 * others) / ((count - 1) * (count - 2))


def ratio(part: Gram, whole: Gram) -> PerHead:
    """cross(part) / cross(whole); NaN where the whole does not vary over distance: no share of nothing."""
    below = cross(whole)
    return cross(part) / np.where(below == 0, np.nan, below)


def share(
    part: Curves, whole: Curves, weight: Float[np.ndarray, " distances"]
) -> tuple[np.ndarray, np.ndarray]:
    """Cov(part, whole) / Var(whole) over distance; the shares of parts that add up to the whole add up to 1.

    >>> weight, whole = weights(np.arange(1.0, 9.0), 'uniform'), np.random.default_rng(0).normal(size=(4, 1, 8))
    >>> value, error = share(0.25 * whole, whole, weight)
    >>> value.round(3)
    array([0.25])
    """
    found = products({"part": part, "whole": whole}, weight)
    return jackknife(ratio, found["part", "whole"], found["whole", "whole"])


def unexplained_from_one(rest: Gram, whole: Gram) -> PerHead:
    """R^2 = 1 - cross(rest) / cross(whole) of a prediction that leaves the rest; below 0: worse than a constant."""
    return 1 - ratio(rest, whole)


def share_of_scores(
    measured: Curves, square_sum: Float[np.ndarray, "windows heads"], counts: Float[np.ndarray, " distances"]
) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the mean score between distances, over the variance of all causal scores.

    Args:
        measured: mean score at every distance that has a pair.
        square_sum: sum of the squared scores of all causal pairs of a window.
        counts: pairs at each distance.
    """
    weight = counts / counts.sum()
    between = products({"measured": measured}, weight)["measured", "measured"]
    mean = measured @ weight
    # per window on the diagonal, so that leaving out a window leaves out its rows and columns
    second = np.einsum("wh,wv->hwv", square_sum / counts.sum(), np.eye(len(measured)))
    means = np.einsum("wh,vh->hwv", mean, mean)

    def between_over_all(between: Gram, second: Gram, means: Gram) -> PerHead:
        total = np.trace(second, axis1=-2, axis2=-1) / second.shape[-1] - cross(means)
        return cross(between) / np.where(total == 0, np.nan, total)

    return jackknife(between_over_all, between, second, means)
