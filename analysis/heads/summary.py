"""What a record says in a few kilobytes: numbers for prose and tests, and the heads worth looking at."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SHARES = ("distance_share", "share_bias", "share_content", "r2_bias", "r2_paper")


def near_far_gap(data: xr.Dataset) -> xr.DataArray:
    """Mean measured score at distances 1..16 less that at distances from a quarter to half the window."""
    length = data.sizes["distance"]
    near = data.measured.sel(distance=slice(1, 16)).mean("distance")
    return near - data.measured.sel(distance=slice(length // 4, length // 2)).mean("distance")


def near_far_gap_of_means(data: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """The same gap of the bias alone, from the mu_d and from the nu_d: sum_d mu_d cos and sum_d nu_d sin."""
    length = data.sizes["distance"]
    near, far = np.arange(1, 17), np.arange(length // 4, length // 2 + 1)
    cos, sin = (
        f(data.omega * xr.DataArray(near, dims="n")).mean("n")
        - f(data.omega * xr.DataArray(far, dims="n")).mean("n")
        for f in (np.cos, np.sin)
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
        ("largest near-far gap", -abs(near_far_gap(x))),
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


def headline(data: xr.Dataset) -> dict[str, list[float]]:
    """Quartiles over heads of the shares, octaves weighted alike, first token dropped."""
    x = data.sel(first_token="dropped", weighting="log")
    return {name: quantiles(x[name], (0.25, 0.5, 0.75)) for name in SHARES}


def quantiles(values: xr.DataArray, at: tuple[float, ...]) -> list[float]:
    """Quantiles over the heads that have a value; NaN if none has."""
    known = values.values[np.isfinite(values.values)]
    return np.quantile(known, at).tolist() if known.size else [np.nan] * len(at)


def for_json(value: Any) -> Any:
    """None for numbers that are not finite, all through: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: for_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [for_json(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def summarise(data: xr.Dataset) -> dict[str, Any]:
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
    gap, (from_mu, from_nu) = near_far_gap(x), near_far_gap_of_means(x)
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
