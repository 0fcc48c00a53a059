"""From the name of a method to the encoding of each layer, and to the rows of the projections that feed it.

A method is a class in `analysis.encodings`, its options in `config.METHODS`, and a row of `ENCODINGS`; what is trained
under which name is in `analysis.training.variants`. A user's own class needs no row: see `models.users`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from analysis.encodings import (
    AccumulatedRotation,
    Alibi,
    Encoding,
    Forgetting,
    GeneralTapa,
    LinearTapa,
    LogNope,
    Nope,
    Polar,
    Rope,
    SlidingWindow,
    Tapa,
    alibi_slopes,
)
from analysis.errors import InputError
from analysis.models import users
from analysis.models.config import ModelConfig
from analysis.theory import frequencies
from analysis.theory.tapa import amplitude_dims

ROTATING = ("rope", "partial", "p_rope", "window")
"""Methods whose heads rotate queries and keys, all layers alike, and do nothing else to them."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of W_q and W_k that one head has.

    Attributes:
        plain: rows that make the score, or TAPA's amplitude.
        phase: rows that make TAPA's phase; they come last in q and k.
    """

    plain: int
    phase: int = 0


def rows_of(config: ModelConfig, layer: int = 0) -> Rows:
    """How q and k of one head are made up.

    Under "tapa_separate" the whole head is the amplitude, and the phase has rows of its own beside it, as many
    as the share asks for: amplitude_share = head_dim / (head_dim + phase).
    """
    encoding = encoding_of(config, layer)
    return Rows(encoding.projected - encoding.phase_dim, encoding.phase_dim)


def encoding_of(config: ModelConfig, layer: int = 0) -> Encoding:
    """The encoding of one layer, with what it learns as it starts.

    Raises:
        InputError: a value out of its range for this head_dim; a user's class as `users.built`.
    """
    if config.method.is_users:
        return users.built(config, layer)
    return ENCODINGS[config.method.name](config, layer)


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


def _rope(config: ModelConfig, layer: int = 0) -> Rope:
    method, dim = config.method, config.head_dim
    rotary = frequencies.partial_rotary_dim(dim, method.rotary_share) if method.name == "partial" else dim
    length = method.trained_length or config.context
    extension = frequencies.Extension(method.extension, method.factor, length)
    return Rope(extension.frequencies(method.base, dim, rotary, length=length))


def _p_rope(config: ModelConfig, layer: int) -> Encoding:
    share = config.method.rotary_share
    return Rope(frequencies.proportional(config.method.base, config.head_dim, partial_rotary_factor=share))


def _interleaved(config: ModelConfig, layer: int) -> Encoding:
    """RoPE, and no position in one layer of `nope_every` (Yang et al. 2025, arXiv 2501.18795)."""
    assert config.method.nope_every is not None  # a ModelConfig has filled it in
    return _rope(config) if (layer + 1) % config.method.nope_every else Nope(config.head_dim)


def _window(config: ModelConfig, layer: int) -> Encoding:
    assert config.method.window is not None
    return SlidingWindow(Rope(frequencies.plain(config.method.base, config.head_dim)), config.method.window)


def _log_nope(config: ModelConfig, layer: int) -> Encoding:
    assert config.method.trained_length is not None
    return LogNope(config.head_dim, config.method.trained_length)


def _tapa(config: ModelConfig, layer: int) -> Encoding:
    method = config.method
    kind = LinearTapa if method.name == "tapa_linear" else Tapa
    return kind(config.head_dim, method.alpha, method.amplitude_share, method.turns)


def _tapa_separate(config: ModelConfig, layer: int) -> Encoding:
    method, dim = config.method, config.head_dim
    phase = round(dim * (1 - method.amplitude_share) / method.amplitude_share)
    if phase < 1:
        raise InputError(f"amplitude_share={method.amplitude_share} leaves the phase empty")
    return Tapa(dim + phase, method.alpha, dim / (dim + phase), method.turns)


def _tapa_general(config: ModelConfig, layer: int) -> Encoding:
    return GeneralTapa(*hard_split_forms(config), alpha=config.method.alpha, turns=config.method.turns)


ENCODINGS: Mapping[str, Callable[[ModelConfig, int], Encoding]] = {
    "rope": _rope,
    "partial": _rope,
    "p_rope": _p_rope,
    "interleaved": _interleaved,
    "accumulated": lambda config, layer: AccumulatedRotation(config.head_dim, config.method.base),
    "pope": lambda config, layer: Polar(torch.zeros(config.heads, config.head_dim), config.method.base),
    "xpos": lambda config, layer: Rope(frequencies.xpos(config.method.base, config.head_dim)),
    "alibi": lambda config, layer: Alibi(config.head_dim, alibi_slopes(config.heads)),
    "fox": lambda config, layer: Forgetting(config.head_dim),
    "nope": lambda config, layer: Nope(config.head_dim),
    "nope_log": _log_nope,
    "window": _window,
    "tapa": _tapa,
    "tapa_linear": _tapa,
    "tapa_separate": _tapa_separate,
    "tapa_general": _tapa_general,
}
"""Makes the encoding of a layer, for every name in `config.METHODS`."""
