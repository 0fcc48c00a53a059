"""Assumption 2.1 on trained heads, head by head: are E A_d and E B_d the same for every pair, position and head?

What is tested is a mean vector over windows, the replicates: its entries, less their mean over what should not
matter, must be 0. Windows are few (8) and entries many (32 pairs, 128 with the quarters) and far from independent,
so Hotelling's test does not exist. The test here is that of repeated measures with the lower bound of its degrees
of freedom (Geisser and Greenhouse 1958): with c_w the contrasts of window w, of W,

    F = W |mean c|^2 / tr S    against F(1, W - 1), S the covariance of the c_w.

For normal c_w with any covariance F is a ratio of one weighted sum of chi-squares to another, and its tail is
heaviest where a single weight is left (Székely and Bakirov 2003): the level holds however few the windows are.
The price is power against small departures. P-values are then adjusted over all heads (Holm 1979).

How large a departure is does not depend on how many windows there are: `share`, the part of the mean square of
the entries that is not constant, without the windows' noise (0 under the assumption, 1 if their mean is 0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float
from scipy import stats

from analysis import schemas
from analysis.errors import InputError
from analysis.experiments.plan import LABELS
from analysis.heads import decomposition
from analysis.intervals import holm, jackknife
from analysis.settings import FEWEST
from analysis.studies import distance_bias
from analysis.studies.settings import DistanceBiasSettings

VERDICTS = schemas.VERDICTS
KINDS = ("A", "B")
QUESTIONS = ("pairs", "positions", "heads")

Entries = Float[np.ndarray, "windows tests *cells"]


@dataclass(frozen=True, slots=True, eq=False)
class Constancy:
    """Whether means are constant, for a number of tests at once.

    Attributes:
        statistic: F.
        p: of each test alone.
        share: of the mean square that is not constant; its jackknife standard error. Noise may carry it below 0.
    """

    statistic: Float[np.ndarray, " tests"]
    p: Float[np.ndarray, " tests"]
    share: Float[np.ndarray, " tests"]
    share_se: Float[np.ndarray, " tests"]


def constancy(entries: Entries, over: tuple[int, ...]) -> Constancy:
    """Test that the mean of `entries` does not change along some of their cells' axes.

    Args:
        entries: of each window and test, e.g. (windows, heads, pairs).
        over: axes of the cells, counted from 0 after windows and tests, along which the mean should be constant.

    Raises:
        InputError: too few windows, or a value that is not finite.
    """
    count = len(entries)
    if count < FEWEST:
        raise InputError(f"windows={count} cannot tell a mean from noise; measure at least {FEWEST}")
    if not np.isfinite(entries).all():
        raise InputError("E A_d or E B_d is not finite in some window; measure a model with finite weights")
    entries = np.asarray(entries, dtype=np.float64)
    contrasts = entries - entries.mean(axis=tuple(axis + 2 for axis in over), keepdims=True)
    contrasts, whole = (x.reshape(*x.shape[:2], -1) for x in (contrasts, entries))
    mean = contrasts.mean(axis=0)
    between = count * (mean**2).sum(axis=-1)
    noise = ((contrasts - mean) ** 2).sum(axis=(0, 2)) / (count - 1)
    statistic = np.divide(between, noise, out=np.where(between > 0, np.inf, 0.0), where=noise > 0)
    share, error = jackknife(decomposition.ratio, _products(contrasts), _products(whole))
    return Constancy(statistic, stats.f.sf(statistic, 1, count - 1), share, error)


def _products(x: Float[np.ndarray, "windows tests cells"]) -> Float[np.ndarray, "tests windows windows"]:
    """Inner product of every window with every other, for each test."""
    rows = x.swapaxes(0, 1)
    return rows @ rows.swapaxes(1, 2)


def verdicts(data: xr.Dataset) -> xr.Dataset:
    """Assumption 2.1 on every head of a record of `tapa measure`, the window's first token left out.

    Questions: "pairs", is the mean the same for all pairs d (in all positions together); "positions", in all four
    quarters of the window, pair by pair; "heads", in all heads of a layer, averaged over pairs.

    Returns:
        Over test: statistic, p, p_holm (over all tests of one question, A and B together), share (`_se`), sd_ratio (sd
        over what should not matter, over the root mean square of what is constant; infinite if nothing is); with
        model, its label in figures, question, kind, layer and head (-1 for a question about all heads of a layer).

    Raises:
        InputError: as `constancy`; a record without the windows' own values.
    """
    if "mu_window" not in data:
        raise InputError("the record has no values of single windows; make it again with `tapa measure`")
    x = data.sel(first_token="dropped")
    quarters = [str(part) for part in x.part.values if part != "all"]
    rows: list[xr.Dataset] = []
    for kind, name in zip(KINDS, ("mu_window", "nu_window"), strict=True):
        whole = x[name].transpose("window", "layer", "head", "part", "pair")
        everywhere = whole.sel(part="all").values
        layers, heads = everywhere.shape[1:3]
        by_head = everywhere.reshape(len(everywhere), layers * heads, -1)
        by_quarter = whole.sel(part=quarters).values.reshape(
            len(everywhere), layers * heads, len(quarters), -1
        )
        every_head = [(layer, head) for layer in range(layers) for head in range(heads)]
        rows.append(_table("pairs", kind, constancy(by_head, (0,)), every_head))
        rows.append(_table("positions", kind, constancy(by_quarter, (0,)), every_head))
        if heads > 1:
            found = constancy(everywhere.mean(axis=-1), (0,))
            rows.append(_table("heads", kind, found, [(layer, -1) for layer in range(layers)]))
    table = xr.concat(rows, "test")
    adjusted = np.empty(table.sizes["test"])
    for question in QUESTIONS:
        chosen = table.question.values == question
        adjusted[chosen] = holm(table.p.values[chosen])
    model = str(data.attrs.get("model", ""))
    names = {"model": model, "label": LABELS.get(model, model)}
    whole = {key: ("test", np.full(table.sizes["test"], name)) for key, name in names.items()}
    return table.assign(p_holm=("test", adjusted)).assign_coords(whole)


def _table(question: str, kind: str, found: Constancy, places: list[tuple[int, int]]) -> xr.Dataset:
    count = len(places)
    share = np.clip(found.share, 0, 1)
    with np.errstate(divide="ignore"):  # nothing is constant: the ratio is infinite, as it should be
        ratio = np.sqrt(share / (1 - share))
    variables = {
        name: ("test", values)
        for name, values in (
            ("statistic", found.statistic),
            ("p", found.p),
            ("share", found.share),
            ("share_se", found.share_se),
            ("sd_ratio", ratio),
        )
    }
    layer, head = zip(*places, strict=True)
    return xr.Dataset(variables).assign_coords(
        question=("test", [question] * count),
        kind=("test", [kind] * count),
        layer=("test", list(layer)),
        head=("test", list(head)),
    )


def record(*, smollm2: xr.Dataset, checkpoints: Mapping[str, Path], windows: int, seed: int) -> xr.Dataset:
    """`verdicts` of the real model's record, and of small models on windows of their own validation documents.

    Args:
        smollm2: of `tapa measure`.
        checkpoints: of `tapa train`, by name; each rotates and is measured at its trained length.
        windows, seed: of the small models' measurement.
    """
    found = [verdicts(smollm2)]
    settings = DistanceBiasSettings(windows=windows, seed=seed)
    for name, path in checkpoints.items():
        data, _ = distance_bias.measure_model(
            str(path), (), settings, arguments=["tapa", "figures"], progress=lambda *told: None
        )
        found.append(verdicts(data.assign_attrs(model=name)))
    return xr.concat(found, "test")
