"""Peak memory and time of measuring a checkpoint layer by layer: what the rows of `bench` on layers run.

Each side is a process of its own, because the peak of a process never falls again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CHILD = """
import json, re, sys, time, torch
torch.set_num_threads(1)
from analysis.models.load import memory_of, open_model
from analysis.studies.distance_bias import measure
name, by_layers, windows, length, text = json.loads(sys.argv[1])
need, _ = memory_of(name, windows=windows, length=length, precision="float32", device="cpu")
model = open_model(name, by_layers=by_layers)
if text:
    tokens = model.windows(model.documents((), lambda *told: None), length, windows, seed=0).tokens
else:
    most = model.checkpoint.model.config.vocab_size
    tokens = torch.randint(most, (windows, length), generator=torch.Generator().manual_seed(0)).numpy()
begun = time.process_time()
found = measure(model, tokens, seed=0)
taken = time.process_time() - begun
status = open("/proc/self/status").read()  # ru_maxrss has that of the process before it
peak = int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) * 1024
sums = {name: float(value.sum()) for name, value in found.items() if value.dtype.kind in "fi"}
print(json.dumps({"peak": peak, "need": need.host, "cpu_s": taken, "sums": sums}))
"""
LLAMA_8B = {  # the sizes of Llama 3.1 8B
    "vocab_size": 128_256, "hidden_size": 4096, "intermediate_size": 14_336, "num_attention_heads": 32,
    "num_key_value_heads": 8, "max_position_embeddings": 8192, "rope_theta": 5e5,
}  # fmt: skip


def measured_in_a_process(
    name: str, *, by_layers: bool, windows: int, length: int, text: bool = True
) -> dict[str, Any]:
    """Bytes at the peak and as they were said before, CPU seconds, and the sum of every variable of the record.

    Args:
        name: of the model, as `open_model` takes it.
        by_layers: whether its weights are read layer by layer.
        windows, length: of what is measured.
        text: whether that is the pinned texts; random tokens otherwise.
    """
    arguments = json.dumps([name, by_layers, windows, length, text])
    done = subprocess.run(
        [sys.executable, "-c", CHILD, arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"measuring {name} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def peak_rows(windows: int, length: int, *, name: str, most: float, most_time: float) -> list[dict[str, Any]]:
    """One model, layer by layer and whole: peaks, time, and whether the records are the same."""
    layers, whole = (
        measured_in_a_process(name, by_layers=by_layers, windows=windows, length=length)
        for by_layers in (True, False)
    )
    ratio = layers["cpu_s"] / whole["cpu_s"]
    same = layers["sums"] == whole["sums"]
    row = {
        "what": f"{name}, {windows} windows of {length} tokens, layer by layer against whole",
        "peak_gb": layers["peak"] / 1e9,
        "whole_peak_gb": whole["peak"] / 1e9,
        "said_before_gb": layers["need"] / 1e9,
        "time_ratio": ratio,
        "same_record": same,
        "target": f"at most {most:g} GB, at most {most_time:g} of the whole model's CPU time, the same record",
        "met": layers["peak"] <= most * 1e9 and ratio <= most_time and same,
    }
    return [row]


def large_rows(
    layers: int, windows: int, length: int, *, sizes: dict[str, Any], most: float
) -> list[dict[str, Any]]:
    """Random weights of a large model's sizes with few layers, in bfloat16 files of two layers each, read in float32.

    One layer's weights are in memory at a time, so only the record's curves grow with their number.
    """
    with tempfile.TemporaryDirectory() as folder:
        numbers = write_random(Path(folder, "large"), layers, sizes)
        found = measured_in_a_process(
            str(Path(folder, "large")), by_layers=True, windows=windows, length=length, text=False
        )
    row = {
        "what": f"{layers} layers of an 8B model's sizes, random weights, {windows} windows of {length} tokens",
        "numbers": numbers,
        "peak_gb": found["peak"] / 1e9,
        "said_before_gb": found["need"] / 1e9,
        "weights_in_float32_gb": 4 * numbers / 1e9,
        "cpu_s": found["cpu_s"],
        "target": f"at most {most:g} GB",
        "met": found["peak"] <= most * 1e9,
    }
    return [row]


def write_random(folder: Path, layers: int, sizes: dict[str, Any], *, seed: int = 0) -> int:
    """A Llama of these sizes with weights N(0, 0.02^2) in bfloat16, two layers a file; how many numbers it has."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(seed)
    width, inner = sizes["hidden_size"], sizes["intermediate_size"]
    head = width // sizes["num_attention_heads"]
    keys = sizes["num_key_value_heads"] * head
    shapes = {
        "self_attn.q_proj": (width, width), "self_attn.k_proj": (keys, width), "self_attn.v_proj": (keys, width),
        "self_attn.o_proj": (width, width), "mlp.gate_proj": (inner, width), "mlp.up_proj": (inner, width),
        "mlp.down_proj": (width, inner),
    }  # fmt: skip
    norms = ("input_layernorm", "post_attention_layernorm")
    folder.mkdir()
    index: dict[str, str] = {}
    numbers = 0

    def drawn(*shape: int) -> torch.Tensor:
        return torch.empty(shape, dtype=torch.bfloat16).normal_(0, 0.02, generator=generator)

    def save(file: str, tensors: dict[str, torch.Tensor]) -> None:
        nonlocal numbers
        save_file(tensors, folder / file, {"format": "pt"})
        index.update(dict.fromkeys(tensors, file))
        numbers += sum(tensor.numel() for tensor in tensors.values())

    one = torch.ones(width, dtype=torch.bfloat16)
    pairs = [range(first, min(first + 2, layers)) for first in range(0, layers, 2)]
    total = len(pairs) + 1
    for number, pair in enumerate(pairs, start=1):
        matrices = {
            f"model.layers.{i}.{name}.weight": drawn(*shape) for i in pair for name, shape in shapes.items()
        }
        scales = {f"model.layers.{i}.{name}.weight": one.clone() for i in pair for name in norms}
        save(f"model-{number:05d}-of-{total:05d}.safetensors", matrices | scales)
    outside = {"model.embed_tokens.weight": drawn(sizes["vocab_size"], width), "model.norm.weight": one}
    save(f"model-{total:05d}-of-{total:05d}.safetensors", outside)
    config = sizes | {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": layers,
        "tie_word_embeddings": True, "torch_dtype": "bfloat16",
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": 2 * numbers}, "weight_map": index}), encoding="utf-8"
    )
    return numbers
