"""From the name of a method to its encoding, and to the sizes of the projections that feed it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from analysis.encodings import (
    Alibi,
    Encoding,
    GeneralTapa,
    LinearTapa,
    Nope,
    Rope,
    SlidingWindow,
    Tapa,
    alibi_slopes,
)
from analysis.errors import InputError
from analysis.lm.config import ModelConfig
from analysis.theory import frequencies as fr
from analysis.theory.gaussian import amplitude_dims


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of W_q and W_k that one head has.

    Attributes:
        plain: rows that make the score, or TAPA's amplitude.
        phase: rows that make TAPA's phase; they come last in q and k.
    """

    plain: int
    phase: int = 0


def rows_of(config: ModelConfig) -> Rows:
    """How q and k of one head are made up.

    Under "tapa_separate" the whole head is the amplitude, and the phase has rows of its own beside it, as many
    as the share asks for: amplitude_share = head_dim / (head_dim + phase).
    """
    method, dim = config.method, config.head_dim
    if method.name in ("tapa", "tapa_linear"):
        plain = amplitude_dims(dim, method.amplitude_share)
        return Rows(plain, dim - plain)
    if method.name == "tapa_separate":
        phase = round(dim * (1 - method.amplitude_share) / method.amplitude_share)
        if phase < 1:
            raise InputError(f"amplitude_share={method.amplitude_share} leaves the phase empty")
        return Rows(dim, phase)
    return Rows(dim)


def encoding_of(config: ModelConfig, forms: tuple[Tensor, Tensor] | None = None) -> Encoding:
    """The encoding of one layer.

    Args:
        forms: M and N, the layer's own, for "tapa_general"; `hard_split_forms` if None.

    Raises:
        InputError: a value out of its range for this head_dim.
    """
    method, dim = config.method, config.head_dim
    match method.name:
        case "rope" | "partial":
            return Rope(_frequencies(config))
        case "xpos":
            return Rope(fr.xpos(method.base, dim))
        case "alibi":
            return Alibi(dim, alibi_slopes(config.heads))
        case "nope":
            return Nope(dim)
        case "window":
            assert method.window is not None  # a ModelConfig has filled it in
            return SlidingWindow(Rope(fr.plain(method.base, dim)), method.window)
        case "tapa_general":
            return GeneralTapa(*(forms or hard_split_forms(config)), alpha=method.alpha)
    rows = rows_of(config)
    whole = rows.plain + rows.phase
    kind = LinearTapa if method.name == "tapa_linear" else Tapa
    return kind(whole, alpha=method.alpha, amplitude_share=rows.plain / whole)


def hard_split_forms(config: ModelConfig) -> tuple[Tensor, Tensor]:
    """M and N of eq 13, one for each head: "tapa_general" starts as the hard split of eq 12."""
    dim = config.head_dim
    plain = amplitude_dims(dim, config.method.amplitude_share)
    is_plain = torch.arange(dim) < plain
    m = torch.diag(is_plain * plain**-0.5)
    n = torch.diag(~is_plain * (dim - plain) ** -0.5)
    return m.repeat(config.heads, 1, 1), n.repeat(config.heads, 1, 1)


def extended(config: ModelConfig, extension: str, factor: float) -> ModelConfig:
    """The same trained model, read with its RoPE frequencies extended `factor` times beyond its context."""
    method = replace(config.method, extension=extension, factor=float(factor))
    return replace(config, method=method)


def _frequencies(config: ModelConfig) -> fr.Frequencies:
    method, dim = config.method, config.head_dim
    rotary = dim if method.name == "rope" else fr.partial_rotary_dim(dim, method.rotary_share)
    length = method.trained_length or config.context
    match method.extension:
        case "pi":
            return fr.linear(method.base, dim, rotary, factor=method.factor)
        case "ntk":
            return fr.ntk(method.base, dim, rotary, factor=method.factor)
        case "yarn":
            return fr.yarn(method.base, dim, rotary, factor=method.factor, trained_length=length)
        case "llama3":
            return fr.llama3(method.base, dim, rotary, factor=method.factor, trained_length=length)
    return fr.plain(method.base, dim, rotary)
