"""From a checkpoint and texts to one labelled record of every head's distance bias: what `tapa measure` runs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Complex, Float, Int, Num
from torch import nn

from analysis import schemas
from analysis.errors import InputError
from analysis.heads import decomposition
from analysis.heads.decomposition import QUARTERS, VARIANTS, LayerWindow, QuarterSums, split_layer
from analysis.heads.mean_score import pair_counts
from analysis.intervals import jackknife, mean_and_error
from analysis.models.capture import LayerCapture
from analysis.models.load import Model, evaluating, memory_of, open_model, weights_sha256
from analysis.progress import Progress, silent
from analysis.records import Provenance, provenance_of, read, write
from analysis.studies.settings import SHORTEST_SPLIT as SHORTEST
from analysis.studies.settings import DistanceBiasSettings
from analysis.text.windows import read_text
from analysis.theory.frequencies import Frequencies

# From the windows' statistics to one labelled dataset: means, standard errors, shares.


WEIGHTINGS = ("uniform", "log")
PARTS = ("all", *(f"quarter {i + 1}" for i in range(QUARTERS)))
SUMS = ("count", "first", "size", "power", "square")
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


Row = dict[str, tuple[tuple[str, ...], Array]]
"""Everything about one layer with its first token kept or dropped: dimensions and values by name."""


def layer_rows(samples: LayerSamples) -> list[Row]:
    """Everything about one layer, for each of `VARIANTS`."""
    return [_layer_variant(samples, variant) for variant in range(len(VARIANTS))]


def model_dataset(layers: list[tuple[LayerSamples, list[Row]]]) -> xr.Dataset:
    """The dataset of a whole model out of what was found of every layer; they must rotate the same number of pairs.

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
    over (first_token, layer, head, pair): q_real, q_imag, q_size: mean query of a pair as a complex number, and the
        mean of its size, before rotation and attention factor
    over (first_token, weighting, layer, head), each with `_se`:
        share_bias, share_content   Cov(part, measured) / Var(measured) over distance
        r2_bias, r2_paper           1 - |measured - prediction|^2 / |measured|^2, centred over distance
    over (first_token, layer, head): score_sd, distance_share (with `_se`)
    In a layer with a sliding window, curves are nan at distances that it does not attend to, and shares, score_sd and
    distance_share are over those that it does.
    """
    samples, rows = [s for s, _ in layers], [row for _, row in layers]
    rotated = {len(s.frequencies.omega) for s in samples}
    if len(rotated) > 1:
        raise InputError(
            f"layers rotate different numbers of pairs {sorted(rotated)}; measure one kind at a time"
        )
    # stacked as arrays: joining a labelled dataset for each layer takes longer than all their statistics
    names = {name: dims for name, (dims, _) in rows[0][0].items()}
    windows = rows[0][0]["mu_window"][1].shape[1]
    variables = {
        name: (("first_token", "layer", *dims), _stacked(rows, name)) for name, dims in names.items()
    }
    dataset = xr.Dataset(variables).transpose(
        "first_token", "weighting", "part", "layer", "head", ..., "window"
    )
    dataset["omega"] = ("layer", "pair"), np.stack([s.frequencies.omega for s in samples])
    for name, values in (
        ("scale", [s.scale for s in samples]),
        ("softcap", [s.softcap for s in samples]),
        ("sliding_window", [s.window for s in samples]),
    ):
        dataset[name] = "layer", np.array([np.nan if v is None else v for v in values], dtype=float)
    for name in ("kind", "pairing", "head_dim", "attention_factor"):
        key = "rope_type" if name == "kind" else name
        dataset[key] = "layer", np.array([getattr(s.frequencies, name) for s in samples])
    return dataset.assign_coords(
        first_token=list(VARIANTS),
        layer=np.arange(len(layers)),
        head=np.arange(dataset.sizes["head"]),
        distance=np.arange(dataset.sizes["distance"]),
        pair=np.arange(dataset.sizes["pair"]),
        part=list(PARTS),
        weighting=list(WEIGHTINGS),
    ).assign_attrs(windows=windows)


def _stacked(rows: list[list[Row]], name: str) -> Array:
    """One variable of all layers, first tokens first; what it is stacked from is given up, so that one copy is left."""
    return np.array([[row[variant].pop(name)[1] for row in rows] for variant in range(len(VARIANTS))])


def _narrow(value: Array) -> Array:
    """In float32; `InputError` for what that cannot hold."""
    if (most := float(np.max(np.abs(value), initial=0.0))) > float(np.finfo(np.float32).max):
        raise InputError(f"a mean score of {most:.3g} is beyond float32; the weights are damaged")
    return value.astype(np.float32)


def _layer_variant(samples: LayerSamples, variant: int) -> Row:
    sums = _sums(samples, variant)
    curves = _curves(samples, variant, _product(sums, "first", slice(None)))
    found: Row = {}
    for name in CURVES:
        for suffix, value in zip(("", "_se"), mean_and_error(curves[name]), strict=True):
            found[name + suffix] = ("head", "distance"), _narrow(value)
    rotated = len(samples.frequencies.omega)
    for name, value in _pair_variables(sums, rotated).items():
        found[name] = ("part", "head", "pair"), value
    for name, value in _window_variables(sums, rotated).items():
        found[name] = ("part", "window", "head", "pair"), value
    for name, value in _query_variables(sums, samples.frequencies).items():
        found[name] = ("head", "pair"), value
    for name, value in _share_variables(curves, samples.window).items():
        found[name] = ("weighting", "head"), value
    for name, value in _score_variables(samples, variant, curves["measured"]).items():
        found[name] = ("head",), value
    return found


class _Sums:
    """One variant's moments of every window as arrays, leading axes (windows, quarters); keys as their heads are."""

    def __init__(self, windows: list[tuple[QuarterSums, QuarterSums]]) -> None:
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


def _query_variables(sums: _Sums, frequencies: Frequencies) -> dict[str, Float[Array, "heads pairs"]]:
    """Mean of the queries' pairs and of their sizes over all tokens of all windows, before rotation."""
    count = sums.q["count"].sum() * frequencies.attention_factor
    rotated = len(frequencies.omega)
    mean, size = (sums.q[name].sum(axis=(0, 1))[..., :rotated] / count for name in ("first", "size"))
    return {"q_real": np.real(mean), "q_imag": np.imag(mean), "q_size": size}


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
        stacked[name][..., decomposition.attended(table.shape[-1], samples.window) :] = np.nan
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


def _share_variables(
    curves: dict[str, Curve], window: int | None
) -> dict[str, Float[Array, "weightings heads"]]:
    """Shares over the distances 1 .. `decomposition.reach`.

    Products of content and of what a prediction leaves over follow from those of measured, bias and paper.
    """
    length = curves["measured"].shape[-1]
    chosen = slice(1, decomposition.reach(length, window) + 1)
    distance = np.arange(length, dtype=float)[chosen]
    result: dict[str, list[Array]] = {}
    for kind in WEIGHTINGS:
        weight = decomposition.weights(distance, kind)
        g = decomposition.products(
            {name: curves[name][..., chosen] for name in ("measured", "bias", "paper")}, weight
        )
        whole, bias = g["measured", "measured"], g["bias", "measured"]
        left = {
            name: whole - g[name, "measured"] - g["measured", name] + g[name, name]
            for name in ("bias", "paper")
        }
        found = {
            "share_bias": jackknife(decomposition.ratio, bias, whole),
            "share_content": jackknife(decomposition.ratio, whole - bias, whole),
            "r2_bias": jackknife(decomposition.unexplained_from_one, left["bias"], whole),
            "r2_paper": jackknife(decomposition.unexplained_from_one, left["paper"], whole),
        }
        for name, (value, error) in found.items():
            result.setdefault(name, []).append(value)
            result.setdefault(f"{name}_se", []).append(error)
    return {name: np.stack(values) for name, values in result.items()}


def _score_variables(
    samples: LayerSamples, variant: int, measured: Curve
) -> dict[str, Float[Array, " heads"]]:
    """sd of all scores that are attended to, and the share of their variance that lies between distances."""
    length = measured.shape[-1]
    counts = pair_counts(length, dropped=variant).numpy()
    counts[decomposition.attended(length, samples.window) :] = 0
    present = counts > 0
    squares = np.stack([w.square_sum[variant].double().numpy() for w in samples.windows])
    value, error = decomposition.share_of_scores(measured[..., present], squares, counts[present])
    grand = (measured[..., present] @ (counts[present] / counts.sum())).mean(axis=0)
    sd = _root(squares.mean(axis=0) / counts.sum() - grand**2)
    return {"score_sd": sd, "distance_share": value, "distance_share_se": error}


# What a record says in a few kilobytes: numbers for prose and tests, and the heads worth looking at.


QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SHARES = ("distance_share", "share_bias", "share_content", "r2_bias", "r2_paper")


NEAR = 16  # tokens: the last of the near distances


def near_and_far(data: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Weights over (layer, distance) of near distances, 1 .. 16, and of far ones, the further half up to `reach`.

    A layer with a sliding window has its far distances within it.
    """
    length = data.sizes["distance"]
    last = [decomposition.reach(length, None if np.isnan(w) else int(w)) for w in data.sliding_window.values]
    reach = xr.DataArray(last, dims="layer", coords={"layer": data.layer})
    near = (data.distance >= 1) & (data.distance <= NEAR) & (data.distance <= reach)
    far = (data.distance >= reach // 2) & (data.distance <= reach)
    return near / near.sum("distance"), far / far.sum("distance")


def measured_gap(data: xr.Dataset) -> xr.DataArray:
    """Mean measured score at distances 1..16 less that at distances from a quarter to half the window."""
    near, far = near_and_far(data)
    return (data.measured.astype(float) * (near - far)).sum("distance")


def near_far_gap_of_means(data: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """The same gap of the bias alone, from the mu_d and from the nu_d: sum_d mu_d cos and sum_d nu_d sin."""
    near, far = near_and_far(data)
    cos, sin = (
        (f(data.omega * data.distance.astype(float)) * (near - far)).sum("distance") for f in (np.cos, np.sin)
    )
    x = data.sel(part="all")
    return data.scale * (x.mu * cos).sum("pair"), data.scale * (x.nu * sin).sum("pair")


def spread_over_pairs(mean: xr.DataArray, error: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean of mu_d over pairs and its sd over pairs, the windows' sampling noise taken out (0 if all noise)."""
    variance = mean.var("pair", ddof=1) - (error**2).mean("pair")
    return mean.mean("pair"), variance.clip(min=0) ** 0.5


def telling_heads(data: xr.Dataset) -> list[tuple[int, int, str]]:
    """Six different heads (layer, head, why), chosen by rule from the record without its first token."""
    x = data.sel(first_token="dropped")
    log = x.sel(weighting="log")
    median = abs(x.distance_share - x.distance_share.median())
    wanted = (
        ("most distance", -x.distance_share),
        ("least distance", x.distance_share),
        ("median head", median),
        ("paper fits best", -log.r2_paper),
        ("most content", -abs(log.share_content)),
        ("largest near-far gap", -abs(measured_gap(x))),
    )
    chosen: list[tuple[int, int, str]] = []
    for why, score in wanted:
        for flat in np.argsort(score.values, axis=None):
            layer, head = (int(i) for i in np.unravel_index(flat, score.shape))
            if (layer, head) not in [c[:2] for c in chosen]:
                chosen.append((layer, head, why))
                break
    return chosen


def described(data: xr.Dataset) -> xr.Dataset:
    """The record with its six telling heads and with mean and sd over pairs of mu and nu, for figures to draw."""
    layer, head, why = zip(*telling_heads(data), strict=True)
    extra = {"telling_layer": ("telling", list(layer)), "telling_head": ("telling", list(head)),
             "telling_why": ("telling", list(why))}  # fmt: skip
    data = data.assign(extra).assign_coords(telling=np.arange(len(layer)))
    for name in ("mu", "nu"):
        mean, sd = spread_over_pairs(data[name], data[f"{name}_se"])
        data = data.assign({f"{name}_pair_mean": mean, f"{name}_pair_sd": sd})
    return data


def control_check(data: xr.Dataset) -> dict[str, float]:
    """How the shuffled control meets the bias: z = gap / standard error over all heads and distances to L/2.

    With W windows z follows Student's t with W - 1 degrees of freedom if the control falls on the bias.
    """
    x = data.isel(distance=slice(1, data.sizes["distance"] // 2 + 1))
    z = (x.control_gap / x.control_gap_se).values
    z = z[np.isfinite(z)]  # heads that say the same at every token leave no error to divide by
    if not z.size:
        return {"share_beyond_2se": np.nan, "mean_z": np.nan}
    return {"share_beyond_2se": float(np.mean(np.abs(z) > 2)), "mean_z": float(z.mean())}


def share_quartiles(data: xr.Dataset) -> dict[str, list[float]]:
    """Quartiles over heads of the shares, octaves weighted alike, first token dropped."""
    x = data.sel(first_token="dropped", weighting="log")
    return {name: quantiles(x[name], (0.25, 0.5, 0.75)) for name in SHARES}


def quantiles(values: xr.DataArray, at: tuple[float, ...]) -> list[float]:
    """Quantiles over the heads that have a value; NaN if none has."""
    known = values.values[np.isfinite(values.values)]
    return np.quantile(known, at).tolist() if known.size else [np.nan] * len(at)


def undefined_heads(data: xr.Dataset) -> str:
    """How many heads have no share of variance, since it is 0, in a sentence; nothing if all have one."""
    share = data.distance_share.sel(first_token="dropped").values
    count = int(np.isnan(share).sum())
    said = f"{count} of {share.size} heads {'has' if count == 1 else 'have'} no share: all their scores are equal"
    return said if count else ""


def for_json(value: Any) -> Any:
    """None for numbers that are not finite, all through: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: for_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [for_json(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def summarise_model(data: xr.Dataset) -> dict[str, Any]:
    """Quantiles over heads, each head's distance share, each layer's fits, Assumption 2.1, and the control.

    None stands for what 2 windows cannot give (a standard error of a share needs 3) or a dead head does not have.
    """
    result: dict[str, Any] = {"windows": int(data.attrs["windows"]),
                              "length": data.sizes["distance"], "quantiles": list(QUANTILES)}  # fmt: skip
    for first_token in data.first_token.values:
        x = data.sel(first_token=first_token)
        part: dict[str, Any] = {"control": control_check(x)}
        for name in SHARES:
            values = x[name].sel(weighting="log") if "weighting" in x[name].dims else x[name]
            part[name] = quantiles(values, QUANTILES)
        for name in ("mu", "nu"):
            mean, sd = spread_over_pairs(x[name].sel(part="all"), x[f"{name}_se"].sel(part="all"))
            part[f"heads_where_sd_over_pairs_of_{name}_exceeds_its_mean"] = int((sd > abs(mean)).sum())
        result[str(first_token)] = part
    x = data.sel(first_token="dropped", weighting="log")
    result["heads"] = {name: x[name].values.tolist() for name in ("distance_share", "distance_share_se")}
    result["layers"] = {}
    for name in ("r2_bias", "r2_paper"):
        mean, error = layer_means(x, name)
        result["layers"] |= {name: mean.values.tolist(), f"{name}_se": error.values.tolist()}
    gap, (from_mu, from_nu) = measured_gap(x), near_far_gap_of_means(x)
    result["near_far_gap"] = {
        "heads_that_favour_near": int((gap > 0).sum()),
        "heads_with_mean_of_mu_above_0": int((x.mu_pair_mean.sel(part="all") > 0).sum()),
        "heads_with_mean_of_nu_below_0": int((x.nu_pair_mean.sel(part="all") < 0).sum()),
        "in_score_sds": float((gap / x.score_sd).median()),
    } | {
        name: quantiles(value, (0.25, 0.5, 0.75))
        for name, value in (("measured", gap), ("from_mu", from_mu), ("from_nu", from_nu))
    }
    result["telling_heads"] = [list(c) for c in telling_heads(data)]
    return for_json(result)


def layer_means(data: xr.Dataset, name: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Mean of a share over the heads of each layer, and its standard error if heads err independently."""
    heads = data.sizes["head"]
    return data[name].mean("head"), (data[f"{name}_se"] ** 2).sum("head", skipna=False) ** 0.5 / heads


@dataclass
class Clock:
    """Seconds spent in the model's forward passes, and on statistics."""

    forward: float = 0.0
    statistics: float = 0.0


def measure(
    model: Model | nn.Module,
    tokens: Int[np.ndarray, "windows length"] | Int[torch.Tensor, "windows length"],
    *,
    seed: int,
    progress: Callable[[str, int, int], None] | None = None,
    clock: Clock | None = None,
) -> xr.Dataset:
    """Mean score of every head at every distance, its split into bias and content, and the paper's prediction.

    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> config = LlamaConfig(
    ...     vocab_size=64, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
    ...     max_position_embeddings=64,
    ... )
    >>> tokens = torch.randint(64, (2, 64), generator=torch.Generator().manual_seed(0))
    >>> measure(LlamaForCausalLM(config), tokens, seed=0).measured.shape  # first token, layer, head, distance
    (2, 2, 4, 64)

    Args:
        model: a model of `open_model` whose heads rotate, or a causal model of transformers in memory, which is left in
            the mode that it is in.
        tokens: token ids, (windows, length) with at least 2 windows of at least `SHORTEST` tokens; windows are
            taken as independent.
        seed: of the token orders of the shuffled control.
        progress: called with (what, done, total) after every window; of every layer, where layers are read one by one.
        clock: filled with the time spent.

    Returns:
        Dataset over first_token, layer, head, distance, pair, part and weighting; standard errors are over
        windows. Scores are before soft-cap, mask and softmax, in the layer's own scale.

    Raises:
        InputError: for fewer than 2 windows, or windows too short, or longer than the model's context; for another
            kind of model.
    """
    array = tokens.cpu().numpy() if isinstance(tokens, torch.Tensor) else tokens
    with evaluating(model) as ready:
        return _measured(ready, array, seed=seed, progress=progress, clock=clock)


def _measured(
    model: Model,
    tokens: Int[np.ndarray, "windows length"],
    *,
    seed: int,
    progress: Callable[[str, int, int], None] | None,
    clock: Clock | None,
) -> xr.Dataset:
    if tokens.ndim != 2:
        raise InputError(f"tokens have shape {tokens.shape}; give (windows, length)")
    count, length = tokens.shape
    if count < 2:
        raise InputError(f"{count} window gives no standard error; measure at least 2")
    if length < SHORTEST:
        raise InputError(f"window of {length} tokens is too short; measure at least {SHORTEST}")
    if length > model.context_length:
        raise InputError(
            f"window of {length} tokens is longer than the model's context of {model.context_length}"
        )
    clock = clock or Clock()
    before, begun = clock.statistics, time.perf_counter()
    collector = _Collector(count, seed, clock)
    model.capture_windows(torch.from_numpy(tokens), collector, progress or silent)
    clock.forward += time.perf_counter() - begun - (clock.statistics - before)
    begun = time.perf_counter()
    dataset = described(model_dataset([collector.layers[i] for i in sorted(collector.layers)]))
    dataset = dataset.assign_attrs(
        model=model.name, context_length=model.context_length, trained_length=model.trained_length
    )
    clock.statistics += time.perf_counter() - begun
    return dataset


class _Collector:
    """Consumer of captures: keeps a layer's statistics, never its vectors, and after all windows its rows alone."""

    def __init__(self, windows: int, seed: int, clock: Clock) -> None:
        self.windows, self.seed, self.clock = windows, seed, clock
        self.layers: dict[int, tuple[LayerSamples, list[Row]]] = {}

    def __call__(self, window: int, found: LayerCapture) -> None:
        begun = time.perf_counter()
        new = LayerSamples(found.frequencies, found.scale, found.softcap, found.window, [])
        samples, rows = self.layers.setdefault(found.layer, (new, []))
        state = np.random.SeedSequence([self.seed, window, found.layer]).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0]) >> 1)
        samples.windows.append(
            split_layer(
                found.q[0],
                found.k[0],
                found.frequencies,
                scale=found.scale,
                generator=generator,
                window=found.window,
            ).on_cpu()
        )
        if len(samples.windows) == self.windows:
            rows += layer_rows(samples)
            samples.windows.clear()
        self.clock.statistics += time.perf_counter() - begun


# From a model's name and texts to the record of its heads: what `tapa measure` and `make figures` both run.


HEADS = schemas.DISTANCE_BIAS
SUMMARY = schemas.DISTANCE_BIAS_SUMMARY


def measure_model(
    model: str,
    texts: Sequence[Path],
    settings: DistanceBiasSettings,
    *,
    arguments: Sequence[str],
    progress: Progress,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[xr.Dataset, Provenance]:
    """Measure every head of a model, its weights read layer by layer where it is a folder of safetensors.

    Args:
        model: as `load.open_model` takes it.
        texts: UTF-8 files; with none, a model of `tapa train` is measured on the validation documents of its corpus,
            any other on the pinned texts.
        settings: windows, length, seed, and where and in which precision the model is run.
        arguments: the command line, for the record.
        progress: called with (what, done, total).
        say: told in one line how much memory it takes and how much is free.

    Returns:
        The dataset of `analysis.studies.distance_bias.model_dataset`, described, and its provenance.

    Raises:
        InputError: whatever cannot be used of the model, the texts or the settings; too little memory.
    """
    _check_texts(texts)
    loaded, needs = _opened(model, settings, progress)
    loaded.check_rotates()
    length = settings.length or loaded.default_window
    # before the texts are cut: the context is the harder limit, and the one the user can look up
    if length > loaded.context_length:
        raise InputError(
            f"length={length} is longer than the context of {loaded.name}, "
            f"{loaded.context_length} tokens; give a shorter --length"
        )
    documents = loaded.documents(texts, progress)
    chosen = loaded.windows(documents, length, settings.windows, seed=settings.seed)
    if needs is not None:
        say(needs)
    clock, read, begun = Clock(), [name for name, _ in documents], time.perf_counter()
    dataset = measure(loaded, chosen.tokens, seed=settings.seed, progress=progress, clock=clock)
    provenance = Provenance.collect(
        arguments,
        asdict(settings)
        | {"length": length, "texts": read, "texts_sha256": _sha256_of(texts)}
        | loaded.recorded,
        seeds={"windows and token orders": settings.seed},
        device=loaded.device,
        precision=f"{loaded.precision} forward, float32 transforms, float64 angles and sums over windows",
        threads=torch.get_num_threads(),
        seconds=time.perf_counter() - begun,
        model_sha256=loaded.sha256,
        text_sha256=chosen.sha256,
    )
    dataset = dataset.assign_coords(window=list(range(settings.windows))).assign(
        window_document=("window", list(chosen.documents)), window_offset=("window", list(chosen.offsets))
    )
    times = {"statistics_seconds": clock.statistics, "forward_seconds": clock.forward}
    return dataset.assign_attrs(model=loaded.name, window_begin=loaded.window_begin, **times), provenance


def _opened(model: str, settings: DistanceBiasSettings, progress: Progress) -> tuple[Model, str | None]:
    """The model, and a line on the memory that it takes and that is free, if it is not one of ours."""
    where: dict[str, Any] = {
        "precision": settings.precision,
        "device": settings.device,
        "revision": settings.revision,
    }
    memory = memory_of(model, windows=settings.windows, length=settings.length, **where, progress=progress)
    if memory is not None:
        remedy = "give fewer or shorter windows (--windows, --length) or --precision bfloat16"
        memory[0].check(memory[1], remedy)
    loaded = open_model(model, by_layers=True, **where, progress=progress)
    return loaded, None if memory is None else memory[0].line(memory[1])


def _check_texts(texts: Sequence[Path]) -> None:
    """A mistyped name must not cost a download and a model's loading, and no text may count twice."""
    for index, path in enumerate(texts):
        read_text(path)
        if any(path.samefile(other) for other in texts[:index]):
            raise InputError(f"text {path} is given twice; its windows would not be independent")


def kept_or_measured(
    model: str,
    texts: Sequence[Path],
    settings: DistanceBiasSettings,
    path: Path,
    *,
    arguments: Sequence[str],
    progress: Progress,
    say: Callable[[str], None] = lambda line: None,
) -> xr.Dataset:
    """The record of a model at `path`, measured and written there if nothing is there yet.

    Args: as `measure_model`; `path` is that of the record.

    Raises:
        InputError: as `measure_model`, or `path` holds another kind of record, or one of other weights, texts or
            settings, or one that does not say of which texts: it stays.
    """
    kept = kept_record(model, texts, settings, path, progress)
    if kept is not None:
        return kept
    if path.exists() and path.stat().st_size > 0:
        raise InputError(
            f"{path} is the record of another measurement (weights, texts or settings); give another --out, or "
            f"remove that record"
        )
    data, provenance = measure_model(model, texts, settings, arguments=arguments, progress=progress, say=say)
    write(data, path, provenance, schema=HEADS)
    return read(path, expect_schema=HEADS)


def kept_record(
    model: str, texts: Sequence[Path], settings: DistanceBiasSettings, path: Path, progress: Progress
) -> xr.Dataset | None:
    """The record at `path` if it is of these weights, settings and texts, found out without loading the model; or None.

    Raises:
        InputError: as `load.weights_sha256`, or `path` holds another kind of record.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    data = read(path, expect_schema=HEADS)
    found = provenance_of(data)
    digest, default = weights_sha256(model, progress, revision=settings.revision)
    wanted = asdict(settings) | {"length": settings.length or default}
    before = asdict(DistanceBiasSettings())  # a record of before has no setting that came later
    same = all(found.configuration.get(key, before[key]) == value for key, value in wanted.items())
    if found.model_sha256 != digest or not same or "context_length" not in data.attrs:
        return None
    of_these = found.configuration.get("texts_sha256", "not said") == _sha256_of(texts)
    return data if of_these else None


def _sha256_of(texts: Sequence[Path]) -> list[str] | None:
    """Of the bytes of each of the user's texts; None where the pinned ones are read."""
    return [hashlib.sha256(text.read_bytes()).hexdigest() for text in texts] or None


def smollm2_record(*, windows: int, length: int, seed: int) -> tuple[xr.Dataset, Provenance]:
    """`measure_model` of SmolLM2-135M-Instruct (Q4_1 weights), fetched by its pinned hash, on the pinned texts."""
    return measure_model(
        "smollm2",
        (),
        DistanceBiasSettings(windows, length, seed),
        arguments=["tapa", "figures", "distance_bias"],
        progress=lambda *told: None,
    )
