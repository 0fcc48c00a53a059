"""The comparison of equal doses on a tiny model: its plan, its record, how it goes on, and what a summary says."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from analysis import records
from analysis.array_cache import kept_arrays
from analysis.errors import InputError
from analysis.heads.bias_interventions import NAMES, Curves
from analysis.models.huggingface import Checkpoint
from analysis.progress import silent
from analysis.studies import bias_interventions as study
from analysis.studies import recovered_shares as shares
from analysis.studies.bias_interventions import PRIMARY, SECONDARY, Settings, draw_windows, planned_readings
from analysis.text.windows import Document
from tests import tiny_models

TRAINED, LENGTHS, TARGET = 32, (48, 64), 8
SETTINGS = Settings(LENGTHS, (), documents=3, target=TARGET, sampled=4, precision="float32")


class Stop(Exception):
    """The machine goes down."""


def stop_after(monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """The machine goes down once so many records have been written, one after each reading."""
    write, left = records.write, itertools.count(writes - 1, -1)

    def written(*given, **named) -> None:
        write(*given, **named)
        if next(left) == 0:
            raise Stop

    monkeypatch.setattr(records, "write", written)
    monkeypatch.setattr(study, "EVERY", 0.0)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A tiny llama with a tokenizer, made to read 32 tokens, and nine texts."""
    folder = tmp_path_factory.mktemp("interventions")
    model = tiny_models.build("llama", max_position_embeddings=TRAINED)
    tiny_models.save(model, folder / "model", tokenizer=True)
    rng, texts = np.random.default_rng(0), []
    for i in range(9):
        texts.append(folder / f"text{i}.txt")
        texts[-1].write_text(" ".join(f"w{word}" for word in rng.integers(0, 96, 90 + i)))
    return folder / "model", texts


def measure(
    places: tuple[Path, list[Path]], out: Path, settings: Settings = SETTINGS, progress=silent
) -> xr.Dataset:
    model, texts = places
    return study.measure_interventions(
        str(model), texts, settings, out, arguments=["tapa", "bias"], progress=progress
    )


@pytest.fixture(scope="module")
def record(
    places: tuple[Path, list[Path]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, xr.Dataset]:
    out = tmp_path_factory.mktemp("record") / "bias.nc"
    return out, measure(places, out)


def test_the_record_has_all_of_the_plan_and_says_where_it_came_from(record: tuple[Path, xr.Dataset]):
    out, data = record
    tests = data.isel(document=np.flatnonzero(data.role.values == "test"))
    assert tests.sizes["document"] == 3
    assert set(data.role.values) == {"matching", "test"}
    near = tests.sel(length=LENGTHS[0])
    for name in ("nats", *shares.DOSES):
        assert np.isfinite(near[name]).all()
        assert np.isfinite(tests[name].sel(length=LENGTHS[1], intervention=list(PRIMARY))).all()
    assert set(map(str, data.intervention.values)) == {*PRIMARY, *SECONDARY}
    assert study.missing_readings(data) == {48: 0, 64: 0}
    assert records.provenance_of(data).model_sha256
    assert out.with_name("bias.curves.npz").is_file()


def test_doses_are_masses(record: tuple[Path, xr.Dataset]):
    _, data = record
    for name in ("far", "sink"):
        values = data[name].values[np.isfinite(data[name].values)]
        assert (values >= 0).all()
        assert (values <= 1 + 1e-9).all()
    far = data.far.sel(length=48)
    assert float(np.nanmax(abs(far.sel(intervention="mask")))) == 0
    kept = far.sel(intervention="mask-sink") - data.sink.sel(length=48, intervention="mask-sink")
    assert float(np.nanmax(abs(kept))) < 1e-6  # all four first keys are far, and nothing else is seen there


@pytest.mark.parametrize("length", LENGTHS)
def test_a_matched_constant_has_the_far_mass_that_it_is_matched_to(
    record: tuple[Path, xr.Dataset], length: int
):
    """At each length by a constant of its own."""
    _, data = record
    matching = data.isel(document=np.flatnonzero(data.role.values == "matching")).sel(length=length)
    tried = {
        (str(name), int(n), float(constant)): float(far)
        for name, n, constant, far in zip(
            *(data[f"trial_{part}"].values for part in ("matched", "length", "constant", "far")), strict=True
        )
    }
    for name, other in study.DOSE_CONTROLS.items():
        target = float(matching.far.sel(intervention=other).mean())
        tried[name, length, 0.0] = float(matching.far.sel(intervention="plain").mean())
        constant = float(data.constant.sel(matched=name, length=length))
        assert abs(tried[name, length, constant] - target) <= 0.002
    near, far = (data.constant.sel(length=n).values for n in LENGTHS)
    assert (near != far).all()


def test_a_cell_of_a_matched_constant_is_of_the_constant_of_its_length(
    places, record: tuple[Path, xr.Dataset]
):
    _, data = record
    opened, lengths, windows, _ = study.prepared(str(places[0]), places[1], SETTINGS, silent)
    kept = kept_arrays(record[0].with_name("bias.curves.npz"))
    assert kept is not None
    curves = Curves.from_arrays(kept, str(kept["key"]))
    assert curves is not None
    window = next(window for window in windows if window.role == "test")
    reader = study.TextReader(opened.checkpoint, window.tokens, TRAINED)
    bench = study.Bench(opened, SETTINGS, lengths, curves, {})
    for at, length in enumerate(LENGTHS):
        constant = float(data.constant.sel(matched="matched-constant", length=length))
        found = bench.read(reader, "matched-constant", length, constant)[at]
        cell = data.sel(document=window.document, intervention="matched-constant", length=length)
        np.testing.assert_allclose([float(cell[name]) for name in ("nats", *shares.DOSES)], found, atol=1e-5)


def test_plain_and_reference_are_the_models_own_losses(places, record: tuple[Path, xr.Dataset]):
    """Read by the model itself, whole: no block, no cache, no encoding of ours."""
    _, data = record
    opened, _, windows, _ = study.prepared(str(places[0]), places[1], SETTINGS, silent)
    checkpoint: Checkpoint = opened.checkpoint
    for window, length in itertools.product([w for w in windows if w.role == "test"], LENGTHS):
        for name, first in (("plain", 0), ("reference", length - TRAINED)):
            tokens = window.tokens[first : length + 1]
            with torch.inference_mode():
                logits = checkpoint.model(input_ids=tokens[None, :-1], use_cache=False).logits[0, -TARGET:]
            expected = float(F.cross_entropy(logits, tokens[-TARGET:]))
            cell = data.sel(document=window.document, length=length)
            found = float(cell.reference if name == "reference" else cell.nats.sel(intervention="plain"))
            assert abs(found - expected) < 1e-4


FEW = Settings(LENGTHS, ("plain", "hold", "matched-constant"), 2, TARGET, 4, precision="float32")


@pytest.mark.parametrize("after", [pytest.param(1, marks=pytest.mark.slow), 4, 8])
def test_stopped_and_started_again_it_ends_with_the_same_record(
    places, record, tmp_path: Path, after: int, monkeypatch
):
    """Stopped after the first reading, while constants are matched, and among the test documents."""
    whole, out = record[1], tmp_path / "bias.nc"
    stop_after(monkeypatch, after)
    with pytest.raises(Stop):
        measure(places, out, FEW)
    partial = records.read(out, expect_schema=study.BIAS_INTERVENTIONS)
    assert "readings that are missing" in study.interventions_table(partial)
    assert sum(study.missing_readings(partial).values()) > 0
    monkeypatch.undo()
    again = measure(places, out, FEW)
    same = {"document": again.document, "intervention": again.intervention}
    for name in ("nats", *shares.DOSES):
        np.testing.assert_allclose(again[name], whole[name].sel(same), rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        again.reference, whole.reference.sel(document=again.document), rtol=0, atol=1e-6
    )
    np.testing.assert_array_equal(
        again.constant.sel(matched="matched-constant"), whole.constant.sel(matched="matched-constant")
    )
    assert study.missing_readings(again) == {48: 0, 64: 0}


def test_what_is_known_is_not_read_again_and_what_is_added_is(places, record, tmp_path: Path, monkeypatch):
    out = tmp_path / "bias.nc"
    few = Settings(LENGTHS, ("plain", "hold"), 2, TARGET, 4, precision="float32")
    first = measure(places, out, few)
    read: list[str] = []
    own = study.Bench.read
    monkeypatch.setattr(
        study.Bench,
        "read",
        lambda self, reader, name, *more: (read.append(name), own(self, reader, name, *more))[1],
    )
    assert measure(places, out, few).equals(first)
    assert read == []
    more = measure(
        places, out, Settings(LENGTHS, ("plain", "hold", "clamp"), 3, TARGET, 4, precision="float32")
    )
    assert sorted(set(read)) == ["clamp", "hold", "plain"]
    assert read.count("hold") == 2  # of the new document, at either length
    shared = {"document": first.document.values, "intervention": ["plain", "hold"]}
    np.testing.assert_array_equal(more.nats.sel(shared), first.nats.sel(shared))
    beside = out.with_name("bias.curves.npz")
    curves = beside.read_bytes()
    with pytest.raises(InputError, match="is of another model, other texts or settings"):
        measure(places, out, Settings((48, 72), ("plain",), 2, TARGET, 4, precision="float32"))
    assert beside.read_bytes() == curves  # it is refused before they are measured again


@pytest.mark.parametrize("before_sums", [False, True])
def test_a_document_that_was_replaced_under_its_name_is_read_again(
    places, tmp_path: Path, before_sums: bool, monkeypatch
):
    """Its cells are those of another text; of a record that does not know which, nothing is taken or overwritten."""
    out, names = tmp_path / "bias.nc", ("plain", "hold")
    begun = measure(places, out, Settings(LENGTHS, names, 2, TARGET, 4, precision="float32"))
    if before_sums:
        known = records.provenance_of(begun)
        rest = {name: value for name, value in known.configuration.items() if name != "windows_sha256"}
        old = replace(known, configuration=rest, configuration_sha256=records._sha256_of(rest))
        begun.attrs = {name: begun.attrs[name] for name in ("model", "trained_length", "key", "target")}
        records.write(begun, out, old, schema=study.BIAS_INTERVENTIONS)
    *_, kept, changed = begun.document.values
    texts = [tmp_path / text.name for text in places[1]]
    for text, own in zip(texts, places[1], strict=True):
        words = own.read_text().split()
        text.write_text(" ".join(words[::-1] if text.name == changed else words))
    settings = Settings(LENGTHS, names, 3, TARGET, 4, precision="float32")
    if before_sums:
        content = out.read_bytes()
        with pytest.raises(InputError, match="is of another model, other texts or settings"):
            measure((places[0], texts), out, settings)
        assert out.read_bytes() == content
        more = measure(places, out, settings)  # the texts that it is of
        shared = {"document": begun.document.values}
        np.testing.assert_array_equal(more.nats.sel(shared), begun.nats)
        return
    read: list[str] = []
    own_read = study.Bench.read
    monkeypatch.setattr(
        study.Bench, "read", lambda self, *given: (read.append(given[1]), own_read(self, *given))[1]
    )
    more = measure((places[0], texts), out, settings)
    assert read.count("hold") == 4  # of the new document and of the replaced one, at either length
    np.testing.assert_array_equal(more.nats.sel(document=kept), begun.nats.sel(document=kept))
    assert (more.nats.sel(document=changed) != begun.nats.sel(document=changed)).all()
    assert (more.reference.sel(document=changed) != begun.reference.sel(document=changed)).all()


def test_a_record_goes_on_in_another_precision_and_says_which_reading_is_in_which(places, tmp_path: Path):
    """Begun at the shorter length by a version that knew one precision; the way to the longer one passes it again."""
    out, names = tmp_path / "bias.nc", ("plain", "hold")
    begun = measure(places, out, Settings(LENGTHS[:1], names, 2, TARGET, 4, precision="bfloat16"))
    whole = measure(places, out, Settings(LENGTHS[:1], names, 2, TARGET, 4, precision="float32"))
    assert whole.nats.equals(begun.nats)  # nothing was left to read
    old = begun.drop_vars(["again", "precision", "reference_precision"])
    old.attrs = {name: begun.attrs[name] for name in ("model", "trained_length", "key", "target")}
    records.write(old, out, records.provenance_of(begun), schema=study.BIAS_INTERVENTIONS)
    more = measure(places, out, Settings(LENGTHS[:1], names, 3, TARGET, 4, precision="float32"))
    assert more.attrs["key"] == begun.attrs["key"]
    assert records.provenance_of(more).precision.startswith("bfloat16 and float32 forward")
    *first, last = more.document.values[more.role.values == "test"]
    assert (more.precision.sel(document=first) == "bfloat16").all()
    assert (more.reference_precision.sel(document=first) == "bfloat16").all()
    assert (more.precision.sel(document=last) == "float32").all()
    assert (more.reference_precision.sel(document=last) == "float32").all()
    np.testing.assert_array_equal(more.nats.sel(document=first), begun.nats.sel(document=first))


def test_what_is_read_on_the_way_in_another_precision_is_kept_beside_the_first(
    places, tmp_path: Path, monkeypatch
):
    out = tmp_path / "bias.nc"
    stop_after(monkeypatch, 4)  # a reference and a reading of either document
    with pytest.raises(Stop):
        measure(places, out, Settings(LENGTHS, ("plain",), 2, TARGET, 4, precision="bfloat16"))
    monkeypatch.undo()
    begun = records.read(out, expect_schema=study.BIAS_INTERVENTIONS)
    more = measure(places, out, Settings(LENGTHS, ("plain",), 2, TARGET, 4, precision="float32"))
    tests = more.role.values == "test"
    near, far = (more.sel(length=length).isel(document=tests) for length in LENGTHS)
    np.testing.assert_array_equal(near.nats, begun.sel(length=LENGTHS[0]).isel(document=tests).nats)
    assert (near.precision == "bfloat16").all()
    assert (far.precision == "float32").all()
    assert np.isfinite(near.again).all()
    assert np.isnan(far.again).all()
    assert 0 < float(abs(near.again - near.nats).max()) < 0.1
    whole = measure(
        places, tmp_path / "whole.nc", Settings(LENGTHS, ("plain",), 2, TARGET, 4, precision="float32")
    )
    expected = whole.sel(length=LENGTHS[0], document=near.document).nats
    np.testing.assert_allclose(near.again, expected, rtol=0, atol=1e-6)
    again = measure(places, out, Settings(LENGTHS, ("plain",), 2, TARGET, 4, precision="bfloat16"))
    np.testing.assert_array_equal(again.again, more.again)  # a record keeps what was read twice


@given(st.lists(st.floats(-0.1, 0.1), min_size=8, max_size=8))
def test_what_the_precision_changes_is_counted_over_readings_made_twice(moved: list[float]):
    data = synthetic({"hold": [0.9, 0.8], "matched-constant": [0.5, 0.6]}, [1.0, 3.0], {})
    with pytest.raises(InputError, match="no test document has been read in two precisions at 48 tokens"):
        shares.precision_effect(data.assign(again=data.nats * np.nan), 48)
    change = np.reshape(moved[:6], (2, 1, 3))
    change[1, 0, 0] = np.nan  # plain of the second document was read once
    found = shares.precision_effect(data.assign(again=data.nats + change), 48)
    assert (found["readings"], found["documents"]) == (5, 2)
    assert found["least"] <= found["mean"] <= found["greatest"]
    assert found["greatest"] == pytest.approx(np.nanmax(change), abs=1e-12)
    # hold less its constant recovers (constant - hold) of what is lost
    again = data.assign(nats=data.nats + np.nan_to_num(change) * [0, 1, 1])
    expected = shares.difference(again, 48, "hold", "matched-constant")["value"]
    expected -= shares.difference(data, 48, "hold", "matched-constant")["value"]
    assert found["endpoints"] == {"hold": pytest.approx(expected, abs=1e-12)}


def test_constants_of_before_are_those_of_the_shortest_length(
    places, record: tuple[Path, xr.Dataset], tmp_path: Path, monkeypatch
):
    """A record of a version that matched at one length goes on: only what it lacks is read."""
    out, whole = tmp_path / "bias.nc", record[1]
    first = np.flatnonzero(whole.trial_length.values == LENGTHS[0])
    matched = whole.intervention.isin(list(study.DOSE_CONTROLS))
    near = (whole.length == LENGTHS[0]) | ((whole.role == "test") & ~matched)
    old = whole.isel(trial=first).drop_vars("trial_length")
    old = old.assign({name: whole[name].where(near) for name in ("nats", *shares.DOSES)})
    old = old.assign(constant=("matched", whole.constant.sel(length=LENGTHS[0]).values))
    old.attrs = {name: whole.attrs[name] for name in ("model", "trained_length", "key", "target")}
    records.write(old, out, records.provenance_of(whole), schema=study.BIAS_INTERVENTIONS)
    read: list[tuple[str, int]] = []
    own = study.Bench.read

    def counted(self, reader, name, length, *more):
        read.append((name, length))
        return own(self, reader, name, length, *more)

    monkeypatch.setattr(study.Bench, "read", counted)
    again = measure(places, out)
    assert {length for _, length in read} == {LENGTHS[1]}
    assert {name for name, _ in read} == {"plain", *study.DOSE_CONTROLS, *study.DOSE_CONTROLS.values()}
    np.testing.assert_allclose(again.constant, whole.constant, rtol=0, atol=1e-9)
    np.testing.assert_allclose(again.nats, whole.nats, rtol=0, atol=1e-6)


def synthetic(known: dict[str, list[float]], lost: list[float], far: dict[str, float]) -> xr.Dataset:
    """A record of one length with known shares of each test document."""
    documents = [f"d{i}" for i in range(len(lost))]
    names = ["plain", *known]
    nats = np.array([[3 + x, *(3 + x * (1 - known[name][i]) for name in known)] for i, x in enumerate(lost)])
    masses = np.broadcast_to([far.get(name, 0.5) for name in names], nats.shape)
    axes = ("document", "length", "intervention")
    return xr.Dataset(
        {
            "nats": (axes, nats[:, None]),
            **dict.fromkeys(shares.DOSES, (axes, masses[:, None])),
            "reference": (("document", "length"), np.full((len(lost), 1), 3.0)),
            "role": ("document", ["test"] * len(lost)),
            "matched_to": ("matched", ["hold"]),
        },
        coords={
            "document": documents,
            "length": [48],
            "intervention": names,
            "matched": ["matched-constant"],
        },
    )


def test_the_endpoint_is_the_difference_of_the_shares_and_says_whether_doses_are_equal():
    hold, constant, lost = [0.9, 0.8, 0.7, 0.8], [0.5, 0.6, 0.4, 0.5], [1.0, 2.0, 1.5, 0.05]
    data = synthetic(
        {"hold": hold, "matched-constant": constant}, lost, {"hold": 0.3, "matched-constant": 0.32}
    )
    rows = {row["intervention"]: row for row in shares.recovered(data, 48)}
    used = np.array(lost[:3])  # the last document has nothing to recover
    assert rows["hold"]["documents"] == 3
    assert rows["hold"]["share"] == pytest.approx((np.array(hold[:3]) * used).sum() / used.sum())
    found = shares.difference(data, 48, "hold", "matched-constant")
    assert found["value"] == pytest.approx(rows["hold"]["share"] - rows["matched-constant"]["share"])
    assert found["low"] <= found["value"] <= found["high"]
    assert found["equal_dose"]
    assert found["far"] == pytest.approx(-0.02)
    unequal = synthetic({"hold": hold, "matched-constant": constant}, lost, {"hold": 0.2})
    assert not shares.difference(unequal, 48, "hold", "matched-constant")["equal_dose"]
    assert "hold less matched-constant" in study.interventions_table(data)
    assert "1 at 48" in study.interventions_table(data)


def test_the_record_holds_the_shares_that_follow_from_it(record: tuple[Path, xr.Dataset]):
    _, data = record
    for length in LENGTHS:
        for row in shares.recovered(data, length):
            cell = data.sel(length=length, intervention=row["intervention"])
            assert (float(cell.share), float(cell.mean_far)) == (row["share"], row["far"])
            assert int(cell.documents) == row["documents"]
        for other, one in study.DOSE_CONTROLS.items():
            if shares.able(data, length).any():
                found = shares.difference(data, length, one, other)
                assert float(data.gain.sel(length=length, matched=other)) == found["value"]
    empty = data.assign(nats=data.nats * np.nan)
    assert np.isnan(shares.with_shares(empty).share).all()


def test_a_partial_record_leaves_out_what_it_lacks():
    data = synthetic({"hold": [0.9, 0.8, 0.7], "clamp": [1.0, 1.0, 1.0]}, [1.0, 2.0, 1.5], {})
    data.nats[1:, 0, 2] = np.nan
    rows = {row["intervention"]: row for row in shares.recovered(data, 48)}
    assert rows["clamp"]["documents"] == 1
    assert rows["clamp"]["low"] is None
    assert study.missing_readings(data) == {48: 2}
    data.nats[0, 0, 2] = np.nan
    assert "clamp" not in {row["intervention"] for row in shares.recovered(data, 48)}
    with pytest.raises(
        InputError, match="no test document has been read with clamp and hold at 48 tokens yet"
    ):
        shares.difference(data, 48, "clamp", "hold")


def test_primary_interventions_of_all_documents_come_first():
    documents = [f"d{i}" for i in range(8)]
    found = planned_readings(Settings(), (12, 16), documents)
    primary = len(PRIMARY) * len(documents)
    assert {(reading.intervention, reading.length) for reading in found[:primary]} == {
        (name, 12) for name in PRIMARY
    }
    assert {reading.document for reading in found[:primary]} == set(documents)
    secondary = found[primary : primary + len(SECONDARY) * study.FEWER]
    assert {reading.document for reading in secondary} == set(documents[: study.FEWER])
    assert {reading.intervention for reading in secondary} == set(SECONDARY)
    assert all(reading.length == 16 for reading in found[primary + len(secondary) :])
    assert {*PRIMARY, *SECONDARY} <= set(NAMES)


@given(st.integers(0, 2**20), st.integers(1, 5))
def test_documents_have_one_role_each_and_more_of_them_leave_the_first_as_they_are(seed: int, count: int):
    rng = np.random.default_rng(seed)
    documents = [Document(f"t{i}", rng.integers(0, 9, int(rng.integers(70, 120)))) for i in range(12)]
    few, more = (
        draw_windows(documents, Settings(documents=n, seed=seed), 50, 10) for n in (count, count + 1)
    )
    assert len({window.document for window in more}) == len(more)
    for a, b in zip(few, more, strict=False):
        assert (a.document, a.role, a.start) == (b.document, b.role, b.start)
        own = next(d for d in documents if d.name == a.document).tokens
        np.testing.assert_array_equal(a.tokens, own[a.start : a.start + len(a.tokens)])
    assert [len(w.tokens) for w in few] == [64] * study.CURVES + [51] * (study.MATCHING + count)


def test_core_hours_are_named_by_what_takes_them(places):
    found = study.core_hours(str(places[0]), places[1], SETTINGS, silent)
    assert set(found) == {"curves", "matched constants", "references", "prefixes", "readings"}
    assert all(value > 0 for value in found.values())
    fewer = study.core_hours(str(places[0]), places[1], Settings(LENGTHS, ("plain",), 3, TARGET, 4), silent)
    assert fewer["matched constants"] == 0


REFUSED = [
    (Settings(LENGTHS, ("holt",), 3, TARGET, 4), "intervention 'holt' is unknown; did you mean hold?"),
    (
        Settings((36, 64), (), 3, TARGET, 4),
        "length 36 less 8 scored tokens is not beyond the trained length of 32; give --lengths of 40 or more",
    ),
    (
        Settings(LENGTHS, (), 9, TARGET, 4),
        "9 texts have 76 tokens or more, 13 are needed: 2 for curves, 2 for",
    ),
]


@pytest.mark.parametrize(("settings", "message"), REFUSED)
def test_what_cannot_be_measured_is_refused(places, tmp_path: Path, settings: Settings, message: str):
    with pytest.raises(InputError) as refusal:
        measure(places, tmp_path / "bias.nc", settings)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_lengths_of_a_short_context_leave_room_for_what_is_scored(places):
    for target, lengths in ((TARGET, (48, 64)), (20, (52, 72))):
        chosen = study.prepared(str(places[0]), places[1], Settings(None, (), 1, target, 4), silent)
        assert chosen[1] == lengths


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lengths": (64, 48)}, r"lengths=\[64, 48\] do not ascend"),
        ({"documents": 0}, "documents=0 is below 1"),
        ({"target": 4, "sampled": 8}, "sampled=8 exceeds the 4 scored tokens"),
        ({"precision": "float16"}, "precision='float16' is unknown"),
    ],
)
def test_settings_check_themselves(given: dict, message: str):
    with pytest.raises(InputError, match=message):
        Settings(**given)
