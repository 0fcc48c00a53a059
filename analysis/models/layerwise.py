"""A checkpoint read layer by layer: one layer's weights in memory at a time, the hidden states of all windows kept.

The model is made without weights. Its own forward is run over every window with its layers left out, which gives each
layer's arguments (masks, rotations); then layer after layer is read from the disk and run over all windows. Hooks,
attention function and checks are those of `capture`: what a layer hands on is what the whole model would, bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from analysis.models.capture import LayerCapture, ModelPass, check_tokens, random_tokens
from analysis.models.huggingface import Checkpoint, Source, blaming, read_config
from analysis.progress import Progress

ROWS = 4096  # of an embedding that are read at once
WindowConsumer = Callable[[int, LayerCapture], None]
"""Told of the index of a window and of one layer of it."""


@dataclass(frozen=True, slots=True)
class LayerFiles:
    """A model without weights, and where they lie.

    Attributes:
        model: all its parameters are on the meta device but those in use.
        files: of every parameter by the model's own name.
        dtype, device: that weights get in memory.
    """

    model: PreTrainedModel
    files: dict[str, Path]
    dtype: torch.dtype
    device: torch.device

    @property
    def decoder(self) -> Any:
        """The model without its output head."""
        return self.model.base_model

    @contextmanager
    def filled(self, names: Iterable[str]) -> Iterator[None]:
        """Parameters of the decoder in memory for the length of a `with`."""
        by_file: dict[Path, list[str]] = {}
        for name in names:
            by_file.setdefault(self.files[f"{self.model.base_model_prefix}.{name}"], []).append(name)
        empty = {name: self.decoder.get_parameter(name) for part in by_file.values() for name in part}
        try:
            for file, part in by_file.items():  # opened anew each time: pages that were read are given back
                with safe_open(file, framework="pt") as opened:
                    for name in part:
                        found = opened.get_tensor(f"{self.model.base_model_prefix}.{name}")
                        self._put(name, found.to(dtype=self.dtype, device=self.device))
            yield
        finally:
            for name, parameter in empty.items():
                self._put(name, parameter)

    @contextmanager
    def embedding(self, tokens: Int[Tensor, " count"]) -> Iterator[Int[Tensor, " rows"]]:
        """Of the embedding the rows of these tokens alone, in ascending order, for the length of a `with`: which."""
        table = self.decoder.get_input_embeddings()
        name = next(name for name, p in self.decoder.named_parameters() if p is table.weight)
        full, empty, padding = f"{self.model.base_model_prefix}.{name}", table.weight, table.padding_idx
        rows = torch.unique(tokens)
        with safe_open(self.files[full], framework="pt") as opened:
            whole = opened.get_slice(full)
            parts = [  # never the whole of it, which may be a gigabyte
                whole[first : first + ROWS][rows[(rows >= first) & (rows < first + ROWS)] - first].to(
                    self.dtype
                )
                for first in range(0, whole.get_shape()[0], ROWS)
            ]
        chosen = torch.cat(parts).to(self.device)
        try:
            self._put(name, chosen)
            table.padding_idx = None  # of the whole table; it matters to gradients alone
            yield rows
        finally:
            self._put(name, empty)
            table.padding_idx = padding

    def _put(self, name: str, tensor: Tensor) -> None:
        owner, _, last = name.rpartition(".")
        held = tensor if isinstance(tensor, nn.Parameter) else nn.Parameter(tensor, requires_grad=False)
        self.decoder.get_submodule(owner)._parameters[last] = held


def open_layers(source: Source, dtype: torch.dtype, device: torch.device) -> LayerFiles | None:
    """A folder's model without its weights; None where they have other names or shapes than the model's own.

    What has other names is converted, or refused by name, by transformers, which needs the whole of it.

    Raises:
        InputError: the configuration cannot be used.
    """
    from accelerate import init_empty_weights  # seconds: only who reads by layers pays

    config = read_config(source)
    with blaming(source.path, "configuration"), init_empty_weights(include_buffers=False):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=None)
    decoder: Any = model.base_model
    shapes: dict[str, list[int]] = {}
    files: dict[str, Path] = {}
    for file in source.weights:
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                files[name], shapes[name] = file, list(opened.get_slice(name).get_shape())
    prefix = f"{model.base_model_prefix}."
    wanted = {f"{prefix}{name}": list(p.shape) for name, p in decoder.named_parameters()}
    # older files store the frequencies, which the configuration gives; the output head is not read
    inside = {n for n in shapes if n.startswith(prefix) and not n.endswith("rotary_emb.inv_freq")}
    layered = isinstance(getattr(decoder, "layers", None), nn.ModuleList)
    whole_state = {f"{prefix}{name}" for name in decoder.state_dict()}
    if not layered or not inside == set(wanted) == whole_state or any(shapes[n] != wanted[n] for n in wanted):
        return None
    for module in decoder.modules():
        for name, buffer in module.named_buffers(recurse=False):
            module._buffers[name] = buffer.to(device)
    return LayerFiles(model.eval(), files, dtype, device)


class _Windows:
    """Windows of one length on their way through the layers."""

    def __init__(
        self, checkpoint: Checkpoint, tokens: Int[Tensor, "windows length"], consumer: WindowConsumer
    ) -> None:
        self.tokens, self.consumer, self.current = tokens, consumer, 0
        self.reading = ModelPass(checkpoint, tokens.shape[1], self._hand)
        self.hidden: list[Tensor] = []
        self.arguments: list[tuple[tuple[Any, ...], dict[str, Any]]] = []  # of each layer

    def _hand(self, found: LayerCapture) -> None:
        self.consumer(self.current, found)

    def embed(self, layers: LayerFiles, rows: Int[Tensor, " rows"]) -> None:
        """Embed every window, and note the arguments of each layer: those of all windows are those of the first."""
        blocks = layers.decoder.layers
        for block in blocks:
            block.forward = self._noted
        try:
            with self.reading.installed():
                self.reading.forget(rows.new_zeros(1, 1).to(layers.device))
                self.hidden.clear()
                for window in self.tokens:
                    places = torch.searchsorted(rows, window)[None].to(layers.device)
                    self.arguments.clear()
                    layers.decoder(input_ids=places, use_cache=False)
        finally:
            for block in blocks:
                del block.forward

    def _noted(self, hidden: Tensor, *args: Any, **options: Any) -> Tensor:
        if not self.arguments:
            self.hidden.append(hidden)
        self.arguments.append((args, options))
        return hidden

    def through(self, block: nn.Module, index: int, done: Callable[[int], None]) -> None:
        """Run one layer over every window; `done` is told of the windows that it has run over."""
        args, options = self.arguments[index]
        with self.reading.installed():
            for window, hidden in enumerate(self.hidden):
                self.current = window
                found = block(hidden, *args, **options)
                self.hidden[window] = found[0] if isinstance(found, tuple) else found
                done(window + 1)


def _told(progress: Progress, layers: int, windows: int, layer: int, done: int) -> None:
    progress("window of a layer", layer * windows + done, layers * windows)


@torch.inference_mode()
def capture_layers(
    layers: LayerFiles,
    checkpoint: Checkpoint,
    tokens: Int[Tensor, "windows length"],
    consumer: WindowConsumer,
    progress: Progress,
) -> None:
    """Hand every layer of every window to a consumer, one layer of all windows after the other.

    Every layer is checked as `capture.capture_checkpoint` checks it, and before its windows on a short window of random
    tokens, at every position, as `capture.verify_rotation` does.

    Args:
        layers: of the checkpoint.
        checkpoint: the model's facts.
        tokens: ids, at positions 0 .. length - 1.
        consumer: told of the window's index and of a layer of it; must keep no q and k.
        progress: called with (what, done, total), windows of every layer counted.

    Raises:
        InputError: as `capture.capture_checkpoint`.
    """
    check_tokens(checkpoint, tokens)
    groups = [
        _Windows(checkpoint, random_tokens(checkpoint), lambda window, found: None),
        _Windows(checkpoint, tokens.long(), consumer),
    ]
    outside = [name for name, p in layers.decoder.named_parameters() if not name.startswith("layers.")]
    table = layers.decoder.get_input_embeddings().weight
    outside = [name for name in outside if layers.decoder.get_parameter(name) is not table]
    everything = torch.cat([group.tokens.flatten() for group in groups])
    with layers.filled(outside), layers.embedding(everything) as rows:
        for group in groups:
            group.embed(layers, rows)
    blocks = layers.decoder.layers
    for index, block in enumerate(blocks):
        with layers.filled([f"layers.{index}.{name}" for name, _ in block.named_parameters()]):
            groups[0].through(block, index, lambda done: None)
            groups[1].through(block, index, partial(_told, progress, len(blocks), len(tokens), index))
    for group in groups:
        group.reading.check_seen(len(group.tokens))
