"""From the windows' statistics to one labelled dataset: means, standard errors, shares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import xarray as xr
from jaxtyping import Complex, Float, Num

from analysis.errors import InputError
from analysis.heads import shares
from analysis.heads.lags import pair_counts
from analysis.heads.split import QUARTERS, VARIANTS, LayerWindow, Moments
from analysis.theory.frequencies import Frequencies

WEIGHTINGS = ("uniform", "log")
PARTS = ("all", *(f"quarter {i + 1}" for i in range(QUARTERS)))
SUMS = ("count", "first", "power", "square")
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
    over (first_token, part, layer, head, pair): mu, nu (with `_se`), sd_a, sd_b; mu_window, nu_window (also over
        window): of each window alone
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
    dataset = xr.Dataset(variables).transpose(
        "first_token", "weighting", "part", "layer", "head", ..., "window"
    )
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
    sums = _sums(samples, variant)
    curves = _curves(samples, variant, _product(sums, "first", slice(None)))
    found: dict[str, tuple[tuple[str, ...], Array]] = {}
    for name in CURVES:
        for suffix, value in zip(("", "_se"), mean_and_error(curves[name]), strict=True):
            found[name + suffix] = ("head", "distance"), value.astype(np.float32)
    rotated = len(samples.frequencies.omega)
    for name, value in _pair_variables(sums, rotated).items():
        found[name] = ("part", "head", "pair"), value
    for name, value in _window_variables(sums, rotated).items():
        found[name] = ("part", "window", "head", "pair"), value
    for name, value in _share_variables(curves).items():
        found[name] = ("weighting", "head"), value
    for name, value in _score_variables(samples, variant, curves["measured"]).items():
        found[name] = ("head",), value
    return found


class _Sums:
    """One variant's moments of every window as arrays, leading axes (windows, quarters); keys as their heads are."""

    def __init__(self, windows: list[tuple[Moments, Moments]]) -> None:
        self.q, self.k = (
            {name: np.stack([getattr(m, name).numpy() for m in side]) for name in SUMS}
            for side in zip(*windows, strict=True)
        )


def _product(sums: _Sums, name: str, selection: slice) -> Num[Array, "windows heads pairs"]:
    """Mean over q's tokens times the conjugate of the mean over k's, for every query head, in every window."""
    q, k = (
        side[name][:, selection].sum(axis=1) / side["count"][:, selection].sum(axis=1)[:, None, None]
        for side in (sums.q, sums.k)
    )
    return q * _repeat(k, q.shape[1]).conj()


def _repeat(keys: Array, query_heads: int) -> Array:
    """Key heads (the second axis) repeated for the query heads that read them."""
    return np.repeat(keys, query_heads // keys.shape[1], axis=1)


def _sums(samples: LayerSamples, variant: int) -> _Sums:
    return _Sums([(w.moments_q[variant], w.moments_k[variant]) for w in samples.windows])


def _selections() -> dict[str, slice]:
    return {"all": slice(None)} | {PARTS[i + 1]: slice(i, i + 1) for i in range(QUARTERS)}


def _pair_variables(sums: _Sums, rotated: int) -> dict[str, Float[Array, "parts heads pairs"]]:
    """mu, nu with standard errors, and the sd of A_d and B_d over all pairs of positions.

    mu_d - i nu_d is E over all pairs of positions of zq conj(zk). E A_d^2 and E B_d^2 follow from E|z|^2 and E z^2:
    A = Re(zq conj zk), so A^2 = (|zq|^2 |zk|^2 + Re(zq^2 conj(zk^2))) / 2, and B^2 with a minus sign.
    """
    result: dict[str, list[Array]] = {n: [] for n in ("mu", "mu_se", "nu", "nu_se", "sd_a", "sd_b")}
    for selection in _selections().values():
        product = _product(sums, "first", selection)[..., :rotated]
        mu, mu_se = mean_and_error(np.real(product))
        nu, nu_se = mean_and_error(-np.imag(product))
        power, square = (
            np.real(_product(sums, name, selection)).mean(axis=0)[..., :rotated]
            for name in ("power", "square")
        )
        sd_a, sd_b = _root((power + square) / 2 - mu**2), _root((power - square) / 2 - nu**2)
        for name, value in zip(result, (mu, mu_se, nu, nu_se, sd_a, sd_b), strict=True):
            result[name].append(value)
    return {name: np.stack(values) for name, values in result.items()}


def _window_variables(sums: _Sums, rotated: int) -> dict[str, Float[Array, "parts windows heads pairs"]]:
    """mu and nu of every window alone."""
    product = np.stack([_product(sums, "first", selection) for selection in _selections().values()])
    product = product[..., :rotated].astype(np.complex64)
    return {"mu_window": np.real(product), "nu_window": -np.imag(product)}


def _root(variance: Array) -> Array:
    """Square root of a variance, which rounding may leave a little below 0 where nothing varies."""
    return np.sqrt(np.maximum(variance, 0))


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
    table, sums = _table(omega.tobytes(), stacked["measured"].shape[-1])
    alike = np.ascontiguousarray(rotated.mean(axis=-1, keepdims=True))
    for name, weights, turns in (("bias", rotated, table), ("paper", alike, sums)):
        # real parts alone: half the products of complex numbers
        parts = np.concatenate([np.real(weights), -np.imag(weights)], axis=-1)
        stacked[name] = samples.scale * (parts @ turns + rest[..., None])
    stacked["content"] = stacked["measured"] - stacked["bias"]
    stacked["control_gap"] = stacked["shuffled"] - stacked["bias"]
    return stacked


@lru_cache(maxsize=2)  # most models turn alike in every layer
def _table(
    omega: bytes, length: int
) -> tuple[Float[Array, "twice_pairs length"], Float[Array, "two length"]]:
    """Cosines, then sines, of distance omega_d for omega as float64 bytes; their sums over the pairs."""
    angles = np.outer(np.frombuffer(omega), np.arange(length))
    both = np.stack([np.cos(angles), np.sin(angles)])
    return both.reshape(-1, length), both.sum(axis=1)


def _share_variables(curves: dict[str, Curve]) -> dict[str, Float[Array, "weightings heads"]]:
    """Shares over the distances 1 .. half the window, where every distance has at least half the pairs.

    Products of content and of what a prediction leaves over follow from those of measured, bias and paper.
    """
    length = curves["measured"].shape[-1]
    chosen = slice(1, length // 2 + 1)
    distance = np.arange(length, dtype=float)[chosen]
    result: dict[str, list[Array]] = {}
    for kind in WEIGHTINGS:
        weight = shares.weights(distance, kind)
        g = shares.products(
            {name: curves[name][..., chosen] for name in ("measured", "bias", "paper")}, weight
        )
        whole, bias = g["measured", "measured"], g["bias", "measured"]
        left = {
            name: whole - g[name, "measured"] - g["measured", name] + g[name, name]
            for name in ("bias", "paper")
        }
        found = {
            "share_bias": shares.jackknife(shares.ratio, bias, whole),
            "share_content": shares.jackknife(shares.ratio, whole - bias, whole),
            "r2_bias": shares.jackknife(shares.unexplained_from_one, left["bias"], whole),
            "r2_paper": shares.jackknife(shares.unexplained_from_one, left["paper"], whole),
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
