"""Layer by layer is the whole model, bit by bit, with one layer's weights in memory; what it takes is known before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from analysis.errors import InputError
from analysis.models import memory
from analysis.models.devices import check_device
from analysis.models.huggingface import inspect, read_config
from analysis.models.load import PretrainedModel, fetch_smollm2, load_layers, open_model
from analysis.models.memory import MemoryNeed, memory_needed, weights_of
from analysis.settings import check_precision
from analysis.studies.distance_bias import measure
from tests import tiny_models

LENGTH = 48


def windows(count: int = 3) -> torch.Tensor:
    return torch.randint(96, (count, LENGTH), generator=torch.Generator().manual_seed(1))


def opened(folder: Path, *, by_layers: bool, precision: str = "float32") -> PretrainedModel:
    model = open_model(folder, by_layers=by_layers, precision=precision)
    assert isinstance(model, PretrainedModel)
    assert (model.layers is not None) is by_layers
    return model


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("variant", tiny_models.VARIANTS)
def test_layer_by_layer_is_the_whole_model(variant: str, precision: str, tmp_path: Path):
    folder = tiny_models.save(tiny_models.build(variant), tmp_path / "model", max_shard_size="20KB")
    whole, layered = (opened(folder, by_layers=by, precision=precision) for by in (False, True))
    assert measure(whole, windows(), seed=0).identical(measure(layered, windows(), seed=0))
    # a second time from the same model: nothing of the first is left in it
    assert measure(whole, windows(2), seed=0).identical(measure(layered, windows(2), seed=0))


def test_one_layer_is_in_memory_at_a_time(tmp_path: Path):
    model = opened(tiny_models.save(tiny_models.build("llama"), tmp_path / "model"), by_layers=True)
    decoder = model.checkpoint.model.base_model
    seen = []

    def look(window: int, found: object) -> None:
        seen.append({n.split(".")[1] for n, p in decoder.named_parameters() if not p.is_meta})

    model.capture_windows(windows(), look, lambda *told: None)
    assert seen == [{str(layer)} for layer in range(3) for _ in range(3)]
    assert all(p.is_meta for p in model.checkpoint.model.parameters())
    with pytest.raises(ZeroDivisionError):
        model.capture_windows(windows(), lambda *found: 1 / 0, lambda *told: None)  # type: ignore[arg-type]
    assert all(p.is_meta for p in model.checkpoint.model.parameters())


def test_a_layer_that_rotates_otherwise_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model = opened(tiny_models.save(tiny_models.build("llama"), tmp_path / "model"), by_layers=True)
    rotary = model.checkpoint.model.base_model.rotary_emb
    rotary.inv_freq[1] *= 1.01
    with pytest.raises(InputError, match=r"layer 0: the query rotated as the configuration says differs"):
        measure(model, windows(), seed=0)


def test_what_does_not_fit_the_model_is_left_to_the_whole_loader(tmp_path: Path):
    folder = tiny_models.save(tiny_models.build("llama"), tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    options = {"dtype": torch.float32, "device": "cpu", "progress": lambda *told: None}
    name = "model.layers.1.mlp.up_proj.weight"
    for change in ({name: weights[name][:-1].clone()}, {"model.layers.1.extra": torch.ones(2)}):
        save_file(weights | change, folder / "model.safetensors", {"format": "pt"})
        assert load_layers(folder, **options) is None
        with pytest.raises(InputError, match=r"in the weights, .* by the configuration|have no place in the"):
            open_model(folder, by_layers=True)
    save_file({n: w for n, w in weights.items() if n != name}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"the weights lack 1 tensors of the model"):
        open_model(folder, by_layers=True)


# memory and devices


def test_memory_is_that_of_the_headers(tmp_path: Path):
    model = tiny_models.build("qwen2")
    folder = tiny_models.save(model, tmp_path / "model", max_shard_size="20KB")
    sizes = weights_of(inspect(folder))
    assert sizes.numbers == sum(p.numel() for p in model.parameters())
    assert sizes.layer_numbers == sum(p.numel() for p in model.model.layers[0].parameters())
    assert sizes.disk == 4 * sizes.numbers


def needed(folder: Path, *, by_layers: bool, windows: int = 8) -> int:
    source = inspect(folder)
    return (
        memory_needed(
            source,
            read_config(source),
            windows=windows,
            length=128,
            precision="float32",
            device="cpu",
            by_layers=by_layers,
        ).host
        - memory.resident()
    )


def test_memory_grows_with_layers_only_where_the_whole_is_loaded(tmp_path: Path):
    few, many = (
        tiny_models.save(
            tiny_models.build("llama", num_hidden_layers=n, hidden_size=256, intermediate_size=4096),
            tmp_path / str(n),
        )
        for n in (2, 12)
    )
    layer = weights_of(inspect(few)).layer_numbers * 4
    record = 2 * 4 * memory.CURVES * 4 * 128  # of a layer
    slack = 5_000_000  # of what the process itself took meanwhile
    assert abs(needed(many, by_layers=True) - needed(few, by_layers=True) - 10 * record) < slack
    assert abs(needed(many, by_layers=False) - needed(few, by_layers=False) - 10 * (record + layer)) < slack


def test_what_does_not_fit_is_refused_in_one_line():
    need, free = MemoryNeed(3_000_000_000), MemoryNeed(2_500_000_000)
    with pytest.raises(
        InputError, match=r"^measuring takes about 3\.0 GB of memory, 2\.5 GB are free; give fewer windows$"
    ):
        need.check(free, "give fewer windows")
    need.check(MemoryNeed(3_500_000_000), "")
    with pytest.raises(InputError, match=r"and 2\.0 GB on the device, where 1\.0 GB are free"):
        MemoryNeed(1, 2_000_000_000).check(MemoryNeed(10, 1_000_000_000), "give fewer windows")


def test_a_measurement_that_does_not_fit_is_refused_before_any_weight_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tiny_models.save(tiny_models.build("llama"), tmp_path / "model", tokenizer=True)
    monkeypatch.setattr("analysis.models.load.free_memory", lambda device: MemoryNeed(1000))
    monkeypatch.setattr("analysis.models.load.open_layers", lambda *args: pytest.fail("read"))
    text = tmp_path / "text.txt"
    text.write_text("w1 w2 " * 500)
    from analysis.studies.distance_bias import measure_model
    from analysis.studies.settings import DistanceBiasSettings

    settings = DistanceBiasSettings(2, 64)
    with pytest.raises(
        InputError, match=r"^measuring takes about \d+\.\d GB of memory, 0\.0 GB are free; give fewer"
    ):
        measure_model(str(folder), [text], settings, arguments=["tapa"], progress=lambda *told: None)


def test_devices_and_precisions_that_are_not_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"^device=cuda: torch finds none here; give --device cpu"):
        check_device("cuda")
    with pytest.raises(InputError, match=r"^device=tpu: unknown; give one of cpu, cuda, mps$"):
        check_device("tpu")
    with pytest.raises(
        InputError, match=r"^precision=int8: unknown; give one of float32, bfloat16, float16$"
    ):
        check_precision("int8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    check_device("cuda")


PEAK = """
import json, re, sys, torch
torch.set_num_threads(1)
from analysis.models.load import memory_of, open_model
from analysis.studies.distance_bias import measure
windows, length = 4, 512
need, _ = memory_of("smollm2", windows=windows, length=length, precision="float32", device="cpu")
model = open_model("smollm2", by_layers=sys.argv[1] == "layers")
chosen = model.windows(model.documents((), lambda *told: None), length, windows, seed=0)
found = measure(model, chosen.tokens, seed=0)
status = open("/proc/self/status").read()  # ru_maxrss has that of the process before it
peak = int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) * 1024
sums = {name: float(value.sum()) for name, value in found.items() if value.dtype.kind in "fi"}
print(json.dumps({"peak": peak, "need": need.host, "sums": sums}))
"""


@pytest.mark.slow  # the real model, twice; above, tiny ones give the same sums by layers and as a whole
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_real_model_is_measured_without_all_its_weights():
    layers, whole = (
        json.loads(
            subprocess.run(
                [sys.executable, "-c", PEAK, how], capture_output=True, text=True, check=True
            ).stdout
        )
        for how in ("layers", "whole")
    )
    assert layers["sums"] == whole["sums"]
    sizes = weights_of(inspect(fetch_smollm2()))
    # what is not in memory: all weights but two layers, of which one is being read
    assert layers["peak"] < whole["peak"] - (sizes.numbers - 2 * sizes.layer_numbers) * 4 * 0.8
    assert 0.6 * layers["peak"] < layers["need"] < 1.5 * layers["peak"]
