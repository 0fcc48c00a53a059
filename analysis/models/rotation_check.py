"""Does a model's own module rotate as its configuration says? One layer of each type, random weights, random tokens.

The rotation of a module depends on its code and its configuration and on no weight, so none is read: a model of any
size is checked in seconds. What is found is said pair by pair, with the frequency that the module really uses.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedConfig

from analysis.encodings.rotary import relative_differences, rotate, rounding_budget
from analysis.errors import InputError
from analysis.models.capture import CHECKED_POSITIONS, LayerCapture, ModelPass
from analysis.models.huggingface import (
    CONFIG,
    Checkpoint,
    Source,
    inspect,
    quiet_transformers,
    read_config,
    read_json,
)
from analysis.theory.frequencies import Frequencies
from analysis.theory.model_config import from_config

SAMPLE: dict[str, Any] = {  # sizes on which no rotation depends
    "vocab_size": 256,
    "intermediate_size": 64,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
}


class Unbuildable(InputError):
    """transformers makes no model of a configuration that can be read."""


@dataclass(frozen=True, eq=False)
class MeasuredRotation:
    """How the module of one layer rotates its queries and keys, beside what the configuration says.

    Attributes:
        layer: index in the model that was read.
        expected: by the configuration.
        omega: angular frequency of every pair that the module shows between neighbouring positions, rad/token.
        attention_factor: factor that it puts on rotated queries and keys.
        difference: of rotated vectors, largest over positions and heads, relative to the size of their pair; one for
            each pair.
        still: the same for dimensions that ought not to rotate, the largest; 0 if there are none.
        allowed: what rounding explains of a difference.
        mask: what is wrong with the keys that the last query attends to; None if nothing is.
    """

    layer: int
    expected: Frequencies
    omega: Float[np.ndarray, " pairs"]
    attention_factor: float
    difference: Float[np.ndarray, " pairs"]
    still: float
    allowed: float
    mask: str | None

    @property
    def wrong(self) -> list[int]:
        """Pairs that differ by more than rounding, the fastest first."""
        return np.flatnonzero(~(self.difference <= self.allowed)).tolist()

    @property
    def right(self) -> bool:
        """Whether the layer rotates as the configuration says, and attends to as many keys."""
        return not self.wrong and self.still <= self.allowed and self.mask is None


class _Measuring(ModelPass):
    """A forward that keeps what every layer does in place of refusing it."""

    def __init__(
        self, checkpoint: Checkpoint, length: int, frequencies: Sequence[Frequencies] | None
    ) -> None:
        super().__init__(checkpoint, length, lambda found: None)
        if frequencies is not None:
            self.frequencies = list(frequencies)
        self.found: list[MeasuredRotation] = []

    def _check(self, found: LayerCapture, query: Tensor, key: Tensor) -> None:
        at, frequencies, captured = self.positions, found.frequencies, found.on_cpu()
        before = torch.cat([captured.q, captured.k], dim=1)[:, :, at].double()
        after = torch.cat([query, key], dim=1)[:, :, at].cpu().double()
        differences = relative_differences(rotate(before, at, frequencies), after, frequencies).amax(dim=0)
        first, second = torch.from_numpy(frequencies.pairs).T
        z, turned = (torch.complex(x[..., first], x[..., second]) for x in (before, after))
        # the turn of every vector, then of each position against the one before it
        turn = (turned * z.conj()).sum(dim=(0, 1))
        step = (turn[1:] * turn[:-1].conj()).sum(dim=0)
        factor = (turned.abs().square().sum() / z.abs().square().sum()).sqrt()
        pairs = torch.maximum(differences[first], differences[second])
        rest = differences[frequencies.rotary_dim :]
        self.found.append(
            MeasuredRotation(
                layer=found.layer,
                expected=frequencies,
                omega=step.angle().numpy(),
                attention_factor=factor.item(),
                difference=pairs.numpy(),
                still=rest.max().item() if len(rest) else 0.0,
                allowed=rounding_budget(frequencies, int(at[-1]), query.dtype),
                mask=None,
            )
        )

    def _check_mask(self, found: LayerCapture, mask: Tensor | None) -> None:
        try:
            super()._check_mask(found, mask)
        except InputError as error:
            last = self.found.pop()
            self.found.append(MeasuredRotation(**{**vars(last), "mask": str(error)}))


def measured_rotations(
    checkpoint: Checkpoint,
    frequencies: Sequence[Frequencies] | None = None,
    *,
    length: int = CHECKED_POSITIONS,
    seed: int = 0,
) -> list[MeasuredRotation]:
    """How every layer of a model rotates a short window of random tokens.

    Args:
        checkpoint: a model with its facts, such as that of `sample_checkpoint`.
        frequencies: what each layer ought to rotate by; None for those of the model's own configuration.
        length: tokens, >= 2.
        seed: of the tokens.

    Raises:
        InputError: a layer did not reach the attention, or has other sizes than the configuration says.
    """
    generator = torch.Generator().manual_seed(seed)
    size = (1, min(length, checkpoint.context_length))
    tokens = torch.randint(checkpoint.model.config.vocab_size, size, generator=generator)
    reading = _Measuring(checkpoint, size[1], frequencies)
    reading.run(tokens)
    return reading.found


def sample_checkpoint(config: PreTrainedConfig, *, seed: int = 0, name: str = "the model") -> Checkpoint:
    """A model of a configuration with one layer of each type, small where no rotation depends on it.

    Args:
        config: of an architecture in the table of families.
        seed: of its weights.
        name: for messages.

    Raises:
        InputError: the architecture is not in the table.
        Unbuildable: transformers cannot make a model of it.
    """
    small = copy.deepcopy(config)
    kinds = list(dict.fromkeys(getattr(config, "layer_types", None) or ())) or [None]
    for key, value in SAMPLE.items():
        setattr(small, key, value)
    small.num_hidden_layers = len(kinds)
    if kinds != [None]:
        small.layer_types = kinds
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            model = AutoModelForCausalLM.from_config(small, dtype=torch.float32)
        except (
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            RuntimeError,
            ArithmeticError,
        ) as error:  # of values that its code does not look at
            said = " ".join(str(error).split())
            raise Unbuildable(f"transformers cannot build {name}: {type(error).__name__}: {said}") from error
    return Checkpoint.of(model, name=name)


@dataclass(frozen=True, eq=False)
class ModuleCheck:
    """What a module does with one layer of each type.

    Attributes:
        architecture: `model_type` of the configuration.
        rotations: by layer type; None stands for the only one.
    """

    architecture: str
    rotations: dict[str | None, MeasuredRotation]


def check_module(path: Path, *, seed: int = 0) -> ModuleCheck:
    """Hold the module that transformers builds against the configuration, read by us, of a checkpoint.

    Args:
        path: a Hugging Face folder, a config.json (no weights are needed), or a .gguf file.
        seed: of weights and tokens.

    Raises:
        InputError: the configuration cannot be read, or is of an architecture that is not in the table.
    """
    source = inspect(path) if path.suffix == ".gguf" else Source(path if path.is_dir() else path.parent, ())
    if path.is_file() and path.name != CONFIG and path.suffix != ".gguf":
        raise InputError(f"{path} is no {CONFIG}; transformers reads a configuration by that name")
    with quiet_transformers():
        config = read_config(source)
    written = config.to_dict() if source.gguf_file else read_json(source.folder / CONFIG)
    checkpoint = sample_checkpoint(config, seed=seed, name=path.name)
    kinds = list(dict.fromkeys(getattr(config, "layer_types", None) or ())) or [None]
    length = min(CHECKED_POSITIONS, checkpoint.context_length)
    pairing = checkpoint.family.pairing
    frequencies = [from_config(written, layer_type=kind, length=length, pairing=pairing) for kind in kinds]
    found = measured_rotations(checkpoint, frequencies, length=length, seed=seed)
    return ModuleCheck(config.model_type, dict(zip(kinds, found, strict=True)))
