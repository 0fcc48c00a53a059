"""From the windows' statistics to one labelled dataset: means, standard errors, shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr
from jaxtyping import Complex, Float

from analysis.errors import InputError
from analysis.heads import shares
from analysis.heads.lags import pair_counts
from analysis.heads.split import QUARTERS, VARIANTS, LayerWindow, Moments
from analysis.theory.frequencies import Frequencies

WEIGHTINGS = ("uniform", "log")
PARTS = ("all", *(f"quarter {i + 1}" for i in range(QUARTERS)))
CURVES = ("measured", "bias", "drift", "content", "paper", "shuffled", "control_gap")

Array = np.ndarray
Curve = Float[Array, "windows heads distances"]


@dataclass
class LayerSamples:
    """What one layer gave, window after window."""

    frequencies: Frequencies
    scale: float
    softcap: float | None
    window: int | None
    windows: list[LayerWindow]


def assemble(layers: list[LayerSamples]) -> xr.Dataset:
    """The dataset of a whole model; layers must rotate the same number of pairs.

    Variables over (first_token, layer, head, distance), each with its `_se` over windows:
        measured     mean score
        bias         score of the mean query and mean key
        drift        what position-dependent means add
        content      measured - bias
        paper        bias with every mu_d, nu_d replaced by their mean over pairs (Assumption 2.1)
        shuffled     mean score with the token order of queries and of keys shuffled
        control_gap  shuffled - bias, whose expectation is 0
    over (first_token, part, layer, head, pair): mu, nu (with `_se`), sd_a, sd_b
    over (first_token, weighting, layer, head), each with `_se`:
        share_bias, share_content   Cov(part, measured) / Var(measured) over distance
        r2_bias, r2_paper           1 - |measured - prediction|^2 / |measured|^2, centred over distance
    over (first_token, layer, head): score_sd, distance_share (with `_se`)
    """
    rotated = {len(s.frequencies.omega) for s in layers}
    if len(rotated) > 1:
        raise InputError(
            f"layers rotate different numbers of pairs {sorted(rotated)}; measure one kind at a time"
        )
    found = [[_layer_variant(s, v) for s in layers] for v in range(len(VARIANTS))]
    # stacked as arrays: joining a labelled dataset for each layer takes longer than all their statistics
    variables = {
        name: (("first_token", "layer", *dims), np.array([[one[name][1] for one in row] for row in found]))
        for name, (dims, _) in found[0][0].items()
    }
    dataset = xr.Dataset(variables).transpose("first_token", "weighting", "part", "layer", "head", ...)
    dataset["omega"] = ("layer", "pair"), np.stack([s.frequencies.omega for s in layers])
    for name, values in (
        ("scale", [s.scale for s in layers]),
        ("softcap", [s.softcap for s in layers]),
        ("sliding_window", [s.window for s in layers]),
    ):
        dataset[name] = "layer", np.array([np.nan if v is None else v for v in values], dtype=float)
    return dataset.assign_coords(
        first_token=list(VARIANTS),
        layer=np.arange(len(layers)),
        head=np.arange(dataset.sizes["head"]),
        distance=np.arange(dataset.sizes["distance"]),
        pair=np.arange(dataset.sizes["pair"]),
        part=list(PARTS),
        weighting=list(WEIGHTINGS),
    ).assign_attrs(windows=len(layers[0].windows))


def mean_and_error(x: Array) -> tuple[Array, Array]:
    """Mean over windows, the first axis, and its standard error."""
    return x.mean(axis=0), x.std(axis=0, ddof=1) / np.sqrt(len(x))


def _layer_variant(samples: LayerSamples, variant: int) -> dict[str, tuple[tuple[str, ...], Array]]:
    """Everything about one layer with its first token kept or dropped: dimensions and values by name."""
    pairs = _pair_products(samples, variant)
    curves = _curves(samples, variant, pairs["all"])
    found: dict[str, tuple[tuple[str, ...], Array]] = {}
    for name in CURVES:
        for suffix, value in zip(("", "_se"), mean_and_error(curves[name]), strict=True):
            found[name + suffix] = ("head", "distance"), value.astype(np.float32)
    rotated = len(samples.frequencies.omega)
    for name, value in _pair_variables(samples, variant, pairs, rotated).items():
        found[name] = ("part", "head", "pair"), value
    for name, value in _share_variables(curves).items():
        found[name] = ("weighting", "head"), value
    for name, value in _score_variables(samples, variant, curves["measured"]).items():
        found[name] = ("head",), value
    return found


def _pair_products(samples: LayerSamples, variant: int) -> dict[str, Complex[Array, "windows heads pairs"]]:
    """mu_d - i nu_d of every window: E over all pairs of positions of zq conj(zk), per position quarter."""
    windows = [(w.moments_q[variant], w.moments_k[variant]) for w in samples.windows]
    products = {}
    for part, selection in _selections().items():
        rows = []
        for q, k in windows:
            mean_q, mean_k = _mean(q, q.first, selection), _mean(k, k.first, selection)
            rows.append(mean_q * _repeat(mean_k, len(mean_q)).conj())
        products[part] = np.stack(rows)
    return products


def _selections() -> dict[str, slice]:
    return {"all": slice(None)} | {PARTS[i + 1]: slice(i, i + 1) for i in range(QUARTERS)}


def _mean(moments: Moments, sums, selection: slice) -> Array:
    return (sums[selection].sum(0) / moments.count[selection].sum()).numpy()


def _repeat(key_values: Array, query_heads: int) -> Array:
    """Key heads repeated for the query heads that read them."""
    return np.repeat(key_values, query_heads // len(key_values), axis=0)


def _pair_variables(
    samples: LayerSamples, variant: int, products: dict[str, Array], rotated: int
) -> dict[str, Float[Array, "parts heads pairs"]]:
    """mu, nu with standard errors, and the sd of A_d and B_d over all pairs of positions."""
    result: dict[str, list[Array]] = {n: [] for n in ("mu", "mu_se", "nu", "nu_se", "sd_a", "sd_b")}
    for part, selection in _selections().items():
        product = products[part][..., :rotated]
        mu, mu_se = mean_and_error(np.real(product))
        nu, nu_se = mean_and_error(-np.imag(product))
        square_a, square_b = _squares(samples, variant, selection, rotated)
        sd_a, sd_b = _root(square_a - mu**2), _root(square_b - nu**2)
        for name, value in zip(result, (mu, mu_se, nu, nu_se, sd_a, sd_b), strict=True):
            result[name].append(value)
    return {name: np.stack(values) for name, values in result.items()}


def _root(variance: Array) -> Array:
    """Square root of a variance, which rounding may leave a little below 0 where nothing varies."""
    return np.sqrt(np.maximum(variance, 0))


def _squares(samples: LayerSamples, variant: int, selection: slice, rotated: int) -> tuple[Array, Array]:
    """E A_d^2 and E B_d^2 over all pairs of positions, from E|z|^2 and E z^2 of queries and keys.

    A = Re(zq conj zk), so A^2 = (|zq|^2 |zk|^2 + Re(zq^2 conj(zk^2))) / 2, and B^2 with a minus sign.
    """
    powers, squares = [], []
    for w in samples.windows:
        q, k = w.moments_q[variant], w.moments_k[variant]
        heads = q.power.shape[1]
        powers.append(_mean(q, q.power, selection) * _repeat(_mean(k, k.power, selection), heads))
        product = _mean(q, q.square, selection) * _repeat(_mean(k, k.square, selection), heads).conj()
        squares.append(np.real(product))
    power, square = np.mean(powers, axis=0)[..., :rotated], np.mean(squares, axis=0)[..., :rotated]
    return (power + square) / 2, (power - square) / 2


def _curves(
    samples: LayerSamples, variant: int, product: Complex[Array, "windows heads pairs"]
) -> dict[str, Curve]:
    """Every curve of every window, in the layer's scale."""
    stacked = {
        name: np.stack([getattr(w, name)[variant].double().numpy() for w in samples.windows])
        for name in ("measured", "drift", "shuffled")
    }
    omega = samples.frequencies.omega
    rotated, rest = product[..., : len(omega)], np.real(product[..., len(omega) :]).sum(axis=-1)
    uniform = np.broadcast_to(rotated.mean(axis=-1, keepdims=True), rotated.shape)
    length = stacked["measured"].shape[-1]
    table = _table(omega.tobytes(), length)
    for name, weights in (("bias", rotated), ("paper", uniform)):
        stacked[name] = samples.scale * (np.real(weights @ table) + rest[..., None])
    stacked["content"] = stacked["measured"] - stacked["bias"]
    stacked["control_gap"] = stacked["shuffled"] - stacked["bias"]
    return stacked


@lru_cache(maxsize=2)  # most models turn alike in every layer
def _table(omega: bytes, length: int) -> Complex[Array, "pairs length"]:
    """exp(i distance omega_d) for omega as float64 bytes."""
    return np.exp(1j * np.outer(np.frombuffer(omega), np.arange(length)))


def _share_variables(curves: dict[str, Curve]) -> dict[str, Float[Array, "weightings heads"]]:
    """Shares over the distances 1 .. half the window, where every distance has at least half the pairs."""
    length = curves["measured"].shape[-1]
    chosen = slice(1, length // 2 + 1)
    distance = np.arange(length, dtype=float)[chosen]
    part = {name: curves[name][..., chosen] for name in ("measured", "bias", "content", "paper")}
    result: dict[str, list[Array]] = {}
    for kind in WEIGHTINGS:
        weight = shares.weights(distance, kind)
        found = {
            "share_bias": shares.share(part["bias"], part["measured"], weight),
            "share_content": shares.share(part["content"], part["measured"], weight),
            "r2_bias": shares.explained(part["bias"], part["measured"], weight),
            "r2_paper": shares.explained(part["paper"], part["measured"], weight),
        }
        for name, (value, error) in found.items():
            result.setdefault(name, []).append(value)
            result.setdefault(f"{name}_se", []).append(error)
    return {name: np.stack(values) for name, values in result.items()}


def _score_variables(
    samples: LayerSamples, variant: int, measured: Curve
) -> dict[str, Float[Array, " heads"]]:
    """sd of all causal scores, and the share of their variance that lies between distances."""
    length = measured.shape[-1]
    counts = pair_counts(length, dropped=variant).numpy()
    present = counts > 0
    squares = np.stack([w.square_sum[variant].double().numpy() for w in samples.windows])
    value, error = shares.share_of_scores(measured[..., present], squares, counts[present])
    grand = (measured[..., present] @ (counts[present] / counts.sum())).mean(axis=0)
    sd = _root(squares.mean(axis=0) / counts.sum() - grand**2)
    return {"score_sd": sd, "distance_share": value, "distance_share_se": error}
