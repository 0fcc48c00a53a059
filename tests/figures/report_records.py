"""Records for the tests of pages: of tiny models, and of any number of random heads."""

from __future__ import annotations

from functools import cache

import numpy as np
import xarray as xr

from analysis.models.huggingface import Checkpoint
from analysis.models.load import PretrainedModel
from analysis.studies import distance_bias
from tests import tiny_models

LENGTH = 64


@cache
def tiny_record(variant: str = "llama", seed: int = 0) -> xr.Dataset:
    """The record of a tiny model with random weights, three windows of 64 tokens."""
    model = PretrainedModel(Checkpoint.of(tiny_models.build(variant, seed=seed), name=f"tiny {variant}"))
    tokens = np.random.default_rng(7).integers(0, 96, (3, LENGTH))
    record = distance_bias.measure(model, tokens, seed=0)
    return record.assign_attrs(model=f"tiny {variant}", schema="distance-bias/2")


def random_record(layers: int, heads: int, pairs: int, length: int, seed: int = 0) -> xr.Dataset:
    """A record of random numbers with what a page needs of it."""
    generator = np.random.default_rng(seed)
    curve, many = ("first_token", "layer", "head", "distance"), (1, layers, heads, length)
    base = -np.log1p(np.arange(length)) + 0.1 * generator.normal(size=many)
    variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        name: (curve, (base + 0.01 * generator.normal(size=many)).astype(np.float32))
        for name in ("measured", "bias", "shuffled")
    }
    variables["control_gap"] = curve, variables["shuffled"][1] - variables["bias"][1]
    for name in ("measured_se", "control_gap_se"):
        variables[name] = curve, (0.01 + generator.random(many)).astype(np.float32)
    for name in ("mu", "nu", "mu_se", "nu_se"):
        variables[name] = (
            ("first_token", "part", "layer", "head", "pair"),
            generator.normal(size=(1, 1, layers, heads, pairs)),
        )
    for name in ("distance_share", "distance_share_se", "score_sd"):
        variables[name] = ("first_token", "layer", "head"), generator.random((1, layers, heads))
    for name in ("r2_bias", "r2_paper"):
        variables[name] = (
            ("first_token", "weighting", "layer", "head"),
            generator.random((1, 1, layers, heads)),
        )
    omega = 1e4 ** -(np.arange(pairs) / pairs)
    variables["omega"] = ("layer", "pair"), np.tile(omega, (layers, 1))
    variables["scale"] = ("layer",), np.full(layers, 0.1)
    variables["sliding_window"] = ("layer",), np.full(layers, np.nan)
    return xr.Dataset(
        variables,
        coords={
            "first_token": ["dropped"], "part": ["all"], "weighting": ["log"], "distance": np.arange(length),
        },
        attrs={"windows": 8, "context_length": 4 * length, "trained_length": 4 * length, "model": "random"},
    )  # fmt: skip
