"""The experiments as data, and a tiny sweep run for real: resumed, shared, and on two Dask workers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.lm import experiments as ex
from analysis.lm.places import Places
from analysis.lm.sweep import chosen_rates, sweep
from tests.lm_tiny import tiny_recipe


def texts(folder: Path) -> Path:
    """Twenty documents of a made-up language, no two alike."""
    rng = np.random.default_rng(3)
    words = np.array(["".join(rng.choice(list("aeioumnrst"), 4)) for _ in range(60)])
    folder.mkdir(parents=True)
    for i in range(20):
        (folder / f"{i:02d}.txt").write_text(" ".join(rng.choice(words, 400)), encoding="utf-8")
    return folder


@pytest.fixture
def scale(tmp_path: Path) -> ex.Scale:
    """Seconds a run: bytes, 16 tokens of context, two rates, two seeds."""
    model = replace(tiny_recipe().model, vocab_size=256)
    scratch = tiny_recipe(model=model, corpus=str(texts(tmp_path / "texts")))
    fine = replace(scratch, steps=3, warmup=1)
    return ex.Scale(
        scratch, fine, rates=(1e-2, 1e-3), fine_rates=(1e-3,), seeds=(0, 1), spans=8, target=4, milestones=3
    )


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "trained", tmp_path / "runs")


def tiny_sweep(wanted, scale, places, **changes):
    return sweep(wanted, scale, places, arguments=["tapa", "sweep"], **changes)


CORE = [ex.VARIANTS[name] for name in ("rope", "rope_4x", "tapa")]


def test_a_sweep_ends_with_a_record_of_every_run(scale, places):
    assert tiny_sweep(CORE, scale, places) == {"done": 8, "diverged": 0, "busy": 0, "late": 0, "left": 0}
    names = {path.stem for path in places.records.iterdir()}
    assert {name.split("-lr")[0] for name in names} == {
        f"{variant.name}-s{seed}" for variant in CORE for seed in scale.seeds
    }
    for variant in CORE[:2]:
        assert chosen_rates(CORE, scale, places)[variant.name] in (1e-2, 1e-3)
    assert tiny_sweep(CORE, scale, places)["done"] == 0  # nothing twice
