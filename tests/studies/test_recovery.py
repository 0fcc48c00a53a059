"""Recovery curves on a tiny model: their plan, how they go on, and what their record says."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from analysis import records, schemas
from analysis.evaluation.loss_by_length import Target
from analysis.models.convert import converted
from analysis.models.load import PretrainedModel, open_model
from analysis.models.tapa_llama import tapa_encoding, with_tapa
from analysis.studies import recovery as study
from analysis.studies.recovery import (
    ARMS,
    CONTROL,
    RAW,
    STILL,
    TRAINED_ARMS,
    RecoveryRecord,
    measure_recovery,
)
from analysis.studies.settings import RecoverySettings
from tests import tiny_models
from tests.refusals import plainly_raises

Places = tuple[str, RecoverySettings]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """A tiny llama with a tokenizer, and the plan of short curves over a folder of texts."""
    folder = tmp_path_factory.mktemp("recovery")
    tiny_models.save(tiny_models.build("llama"), folder / "model", tokenizer=True)
    (folder / "texts").mkdir()
    rng = np.random.default_rng(0)
    for i in range(9):
        words = " ".join(f"w{word}" for word in np.tile(rng.integers(1, 96, 40 + i), 6))
        (folder / "texts" / f"text{i}.txt").write_text(words)
    settings = RecoverySettings(
        tokens=128, first=32, length=16, long=40, lr=1e-2, warmup=1, precision="float32", spans=3, target=8,
        corpus=f"{folder / 'texts'}/",
    )  # fmt: skip
    return str(folder / "model"), settings


def measure(
    places: Places, out: Path, settings: RecoverySettings | None = None, **options: Any
) -> xr.Dataset:
    name, plan = places
    return measure_recovery(
        name, settings or plan, out / "recovery.nc", out / "arms", arguments=["tapa", "recovery"], **options
    )


@pytest.fixture(scope="module")
def whole(places: Places, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, xr.Dataset]:
    out = tmp_path_factory.mktemp("whole")
    return out, measure(places, out)


def test_all_arms_reach_one_number_of_tokens_before_any_goes_on():
    plan = study.planned_measurements(RecoverySettings(tokens=16384))
    assert [tokens for _, tokens in plan] == [0] * 6 + [4096] * 5 + [8192] * 5 + [16384] * 5
    assert all({arm for arm, tokens in plan if tokens == n} == set(TRAINED_ARMS) for n in (4096, 8192, 16384))


def test_the_record_has_all_of_the_plan(whole: tuple[Path, xr.Dataset]):
    out, data = whole
    opened = schemas.open_record(out / "recovery.nc")
    assert opened.nats.equals(data.nats)
    assert study.reached(data) == 128
    assert np.isfinite(data.sel(arm=list(TRAINED_ARMS)).loss).all()
    assert np.isfinite(data.sel(arm=RAW).loss).sum() == 2  # before training, at two lengths
    assert all(
        "long_name" in opened[name].attrs and "units" in opened[name].attrs for name in opened.variables
    )


def test_losses_before_training_are_those_of_the_converted_model(
    places: Places, whole: tuple[Path, xr.Dataset]
):
    """Against logits of whole windows, by hand."""
    name, settings = places
    opened = open_model(name)
    assert isinstance(opened, PretrainedModel)
    _, record = study._prepared(name, settings, Path("none"), study.silent)
    for arm in ARMS:
        if arm == RAW:
            model = with_tapa(opened.checkpoint.model)
        elif arm == STILL:
            model = converted(opened.checkpoint.model, "tapa", phase_rows=2.0**-40)
        else:
            model = converted(opened.checkpoint.model, arm)
        for length in record.lengths:
            total = 0.0
            for target in record.targets:
                window = torch.from_numpy(target.tokens[target.stop - length : target.stop].astype(np.int64))
                with torch.no_grad():
                    chances = model(window[None, :-1], use_cache=False).logits[0].log_softmax(-1)
                picked = chances.gather(1, window[1:, None])[-settings.target :]
                total -= float(picked.double().sum())
            found = float(whole[1].nats.sel(arm=arm, trained=0, length=length).sum())
            assert found == pytest.approx(total, rel=1e-5), (arm, length)


def test_training_lowers_the_loss_of_every_arm(whole: tuple[Path, xr.Dataset]):
    loss = whole[1].loss.sel(arm=list(TRAINED_ARMS), length=16)
    assert (loss.sel(trained=128) < loss.sel(trained=0)).all()


def test_the_still_phase_stays_at_nothing_and_tapas_does_not(
    places: Places, whole: tuple[Path, xr.Dataset], tmp_path: Path
):
    """The rows of q and k that make the phase, after the whole training: what the arm's name promises."""
    name, settings = places
    shutil.copytree(whole[0] / "arms", tmp_path / "arms")
    bench, _ = study._prepared(name, settings, tmp_path / "arms", study.silent)
    largest = {}
    for arm in ("tapa", STILL):
        run = bench.run(arm)
        assert run.step == 4
        encoding, rows = tapa_encoding(run.model.config), []
        for layer in run.model.model.layers:
            for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj):
                heads = projection.weight.detach().unflatten(0, (-1, encoding.head_dim))
                rows.append(float(heads[:, encoding.amplitude_dim :].abs().max()))
        largest[arm] = max(rows)
    assert largest["tapa"] > 1e-3
    assert largest[STILL] < 1e-9


def test_stopped_anywhere_it_ends_with_the_same_numbers(
    places: Places, whole: tuple[Path, xr.Dataset], tmp_path: Path
):
    few = measure(places, tmp_path, replace(places[1], tokens=32))
    assert study.reached(few) == 32
    before = (tmp_path / "recovery.nc").read_bytes()
    late = measure(places, tmp_path, deadline=0.0)
    assert study.reached(late) == 32
    assert (tmp_path / "recovery.nc").read_bytes() == before
    again = measure(places, tmp_path)
    np.testing.assert_array_equal(again.nats.values, whole[1].nats.values)


def test_a_record_of_another_plan_and_lost_numbers_are_refused(
    places: Places, whole: tuple[Path, xr.Dataset], tmp_path: Path
):
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    plainly_raises(lambda: measure(places, tmp_path, replace(places[1], lr=1e-3)), "other texts or settings")
    (tmp_path / "recovery.nc").unlink()
    plainly_raises(lambda: measure(places, tmp_path), "has gone on beyond 32 tokens")


def test_the_hours_that_are_left_fall_to_none(places: Places, whole: tuple[Path, xr.Dataset], tmp_path: Path):
    name, settings = places
    hours = study.recovery_hours(name, settings, tmp_path / "none.nc", tmp_path / "arms")
    assert 0 < hours < 1
    assert not (tmp_path / "arms").exists()
    assert study.recovery_hours(name, settings, whole[0] / "recovery.nc", tmp_path / "arms") == 0


def made(losses: dict[tuple[str, int], float]) -> xr.Dataset:
    """A record of three documents with 8 scored tokens each, whose losses differ by a nat from one to the next."""
    targets = [Target(f"d{i}", np.zeros(64, int), np.ones(64, int), 40, 48) for i in range(3)]
    record = RecoveryRecord(RecoverySettings(tokens=8192), targets, "key")
    for (arm, tokens), loss in losses.items():
        for length in record.lengths:
            record.nats[arm, tokens, length] = 8 * (loss + np.arange(-1.0, 2.0))
    return record.dataset()


def test_excess_and_closed_share_are_of_the_same_documents():
    data = made({(CONTROL, 0): 3.5, ("tapa", 0): 6.5, (CONTROL, 4096): 3.0, ("tapa", 4096): 4.5})
    cell = data.sel(arm="tapa", trained=4096, length=256)
    assert float(cell.loss) == pytest.approx(4.5)
    assert float(cell.excess) == pytest.approx(1.5)
    assert float(cell.closed) == pytest.approx(0.5)  # of 3.0
    # what documents have in common cancels: the losses spread, the excess does not
    assert float(cell.loss_high - cell.loss_low) > 1
    assert float(cell.excess_high - cell.excess_low) < 1e-9
    assert math.isnan(float(data.excess.sel(arm=CONTROL, trained=4096, length=256)))
    assert study.reached(data) == 0  # not every arm is there


def test_nothing_is_closed_where_nothing_was_lost():
    data = made({(CONTROL, 0): 3.5, ("yarn", 0): 3.4, (CONTROL, 4096): 3.0, ("yarn", 4096): 3.0})
    assert math.isnan(float(data.closed.sel(arm="yarn", trained=4096, length=256)))


def test_a_reader_sees_every_measured_cell():
    data = made({(CONTROL, 0): 3.5, ("tapa", 0): 6.5, (RAW, 0): 7.5})
    rows = study.recovery_rows(data)
    assert len(rows) == 6
    assert rows[0]["excess"] is None
    text = study.recovery_table(data)
    assert "3.000 [3.000, 3.000]" in text
    assert "TAPA, raw weights" in text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tokens": 5000}, "tokens=5000"),
        ({"tokens": 0}, "tokens=0"),
        ({"target": 256}, "do not ascend"),
        ({"first": 100, "tokens": 100}, "tokens=100"),
        ({"spans": 1}, "spans=1"),
    ],
)
def test_plans_are_checked(values: dict[str, Any], message: str):
    plainly_raises(lambda: RecoverySettings(**values), message)


def test_a_model_of_our_own_is_refused(tmp_path: Path):
    own = Path(records.__file__).parents[1] / "figures" / "trained" / "checkpoints" / "rope.safetensors"
    plainly_raises(lambda: measure((str(own), RecoverySettings()), tmp_path), "no model of transformers")
