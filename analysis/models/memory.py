"""Memory that a measurement takes, known before any weight is read."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from analysis.errors import InputError
from analysis.models.families import heads_of
from analysis.models.huggingface import Source

WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I8": 1, "U8": 1}
COPIES = 10  # of a layer's queries and keys in float32 while its statistics are made
INNER = 3  # of a feed-forward block's inner vectors while a layer runs
CURVES = (
    28  # float32 numbers of a record for each head and distance: seven curves, their errors, two first tokens
)
EMBEDDED = 2  # of the embedding's rows: read, and looked up


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """Bytes that measuring a model takes at most.

    Attributes:
        host: of this process.
        device: on the accelerator, 0 on the CPU.
    """

    host: int
    device: int = 0

    def line(self, free: MemoryNeed) -> str:
        """One line for a reader."""
        extra = (
            f" and {_gb(self.device)} on the device, where {_gb(free.device)} are free" if self.device else ""
        )
        return f"measuring takes about {_gb(self.host)} of memory, {_gb(free.host)} are free{extra}"

    def check(self, free: MemoryNeed, remedy: str) -> None:
        """`InputError` unless it fits."""
        if self.host > free.host or self.device > free.device:
            raise InputError(f"{self.line(free)}; {remedy}")


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def free_memory(device: str) -> MemoryNeed:
    """Bytes that this process may have at most, its own among them, and those that are free on a device."""
    own = resident()
    found = [limit for limit in (_of_system(), _of_container()) if limit is not None]
    host = own + min(found) if found else sys.maxsize
    return MemoryNeed(host, torch.cuda.mem_get_info()[0] if device == "cuda" else sys.maxsize)


def resident() -> int:
    """Bytes that this process holds; where the system does not say, the most that it has held."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
        if found:
            return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _of_system() -> int | None:
    """Bytes that are free or would be freed; where the system does not say, all that it has."""
    with contextlib.suppress(OSError):
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
        if found:
            return int(found[1]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _of_container() -> int | None:
    """Bytes that the control group of this process leaves, None where it has no limit."""
    root = Path("/sys/fs/cgroup")
    try:
        most, used = (
            (root / f"memory.{name}").read_text(encoding="ascii").strip() for name in ("max", "current")
        )
    except OSError:
        return None
    return None if most == "max" else max(0, int(most) - int(used))


@dataclass(frozen=True, slots=True)
class Weights:
    """Sizes of a checkpoint's weights, out of the headers of its files.

    Attributes:
        numbers, disk: of all.
        layer_numbers, layer_disk: of the largest layer.
    """

    numbers: int
    disk: int
    layer_numbers: int
    layer_disk: int


def weights_of(source: Source) -> Weights:
    """Sizes of a folder's weights."""
    numbers: dict[str, int] = defaultdict(int)
    disk: dict[str, int] = defaultdict(int)
    for file in source.weights:
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                part = opened.get_slice(name)
                layer = re.search(r"layers\.(\d+)\.", name)
                key = layer[1] if layer else ""
                size = 1
                for edge in part.get_shape():
                    size *= edge
                numbers[key] += size
                disk[key] += size * WIDTHS.get(part.get_dtype(), 4)
    layers = [key for key in numbers if key] or list(numbers)
    largest = max(layers, key=lambda key: numbers[key])
    return Weights(sum(numbers.values()), sum(disk.values()), numbers[largest], disk[largest])


def memory_needed(
    source: Source, config: Any, *, windows: int, length: int, precision: str, device: str, by_layers: bool
) -> MemoryNeed:
    """Memory that measuring a checkpoint takes at most, estimated from its headers and configuration alone.

    Args:
        source, config: of the checkpoint.
        windows, length: that are measured.
        precision, device: of the weights.
        by_layers: whether the weights of one layer are in memory at a time.
    """
    width = getattr(torch, precision).itemsize
    tokens, hidden = windows * length, config.hidden_size
    heads = heads_of(config)
    statistics = COPIES * 4 * length * heads.dim * (heads.query + heads.key)
    inner = INNER * width * length * (getattr(config, "intermediate_size", None) or 4 * hidden)
    record = 2 * 4 * CURVES * config.num_hidden_layers * heads.query * length
    if source.gguf_file:
        weights, read = source.numbers * (width + 4), 0
    else:
        found = weights_of(source)
        same = found.disk == found.numbers * width  # then what is read is what is used
        part = found.layer_numbers if by_layers else found.numbers
        weights = part * width
        read = 0 if same else (found.layer_disk if by_layers else 0)
    kept = tokens * hidden * width if by_layers else length * hidden * width
    embedded = EMBEDDED * min(tokens, config.vocab_size) * hidden * width if by_layers else 0
    working = max(weights + read + max(statistics, inner), embedded) + kept
    if device == "cpu":
        return MemoryNeed(resident() + working + record)
    return MemoryNeed(resident() + read + weights + statistics + record, working)
