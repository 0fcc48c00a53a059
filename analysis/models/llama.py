"""A small Llama (Touvron et al. 2023) whose encoding and attention are plugged in.

RMS normalisation before each branch, attention with grouped queries, SwiGLU, the head tied to the embedding.
"""

from __future__ import annotations

import copy
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

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
from analysis.models.attention import Attend, explicit
from analysis.models.config import ModelConfig
from analysis.theory import frequencies
from analysis.theory.tapa import amplitude_dims

# From the name of a method to its encoding, and to the sizes of the projections that feed it.


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
            return Rope(frequencies.xpos(method.base, dim))
        case "alibi":
            return Alibi(dim, alibi_slopes(config.heads))
        case "nope":
            return Nope(dim)
        case "window":
            assert method.window is not None  # a ModelConfig has filled it in
            return SlidingWindow(Rope(frequencies.plain(method.base, dim)), method.window)
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


def _frequencies(config: ModelConfig) -> frequencies.Frequencies:
    method, dim = config.method, config.head_dim
    rotary = dim if method.name == "rope" else frequencies.partial_rotary_dim(dim, method.rotary_share)
    length = method.trained_length or config.context
    extension = frequencies.Extension(method.extension, method.factor, length)
    return extension.frequencies(method.base, dim, rotary, length=length)


INIT_STD = 0.02
_EPS = 1e-6

Tokens = Int[Tensor, "batch length"]
Stream = Float[Tensor, "batch length width"]


class RmsNorm(nn.Module):
    """Root mean square 1 along the residual stream, in float32 at least, times a learned gain."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Stream) -> Stream:
        return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + _EPS) * self.weight


class HeadProjection(nn.Module):
    """W_q or W_k of all heads. The rows that make TAPA's phase are a parameter of their own.

    So the optimiser may give them another learning rate; joined to the others at every use, they are one
    matrix, whose output is q or k of each head with the phase last.
    """

    def __init__(self, width: int, heads: int, plain: int, phase: int) -> None:
        super().__init__()
        self.heads = heads
        self.weight = nn.Parameter(torch.empty(heads * plain, width))
        self.phase_weight = nn.Parameter(torch.empty(heads * phase, width)) if phase else None

    def matrix(self) -> Float[Tensor, "rows width"]:
        """All rows, head by head."""
        if self.phase_weight is None:
            return self.weight
        parts = [part.unflatten(0, (self.heads, -1)) for part in (self.weight, self.phase_weight)]
        return torch.cat(parts, dim=1).flatten(0, 1)

    def forward(self, x: Stream) -> Float[Tensor, "batch heads length key_dim"]:
        return F.linear(x, self.matrix()).unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Attention(nn.Module):
    """One layer's attention; outputs of `query` and `key` are before any position."""

    def __init__(self, config: ModelConfig, layer: int = 0) -> None:
        super().__init__()
        self.layer = layer
        rows = rows_of(config)
        self.query = HeadProjection(config.width, config.heads, rows.plain, rows.phase)
        self.key = HeadProjection(config.width, config.kv_heads, rows.plain, rows.phase)
        self.value = HeadProjection(config.width, config.kv_heads, config.head_dim, 0)
        self.out = nn.Linear(config.heads * config.head_dim, config.width, bias=False)
        forms = None
        if config.method.name == "tapa_general":
            self.amplitude_form, self.phase_form = map(nn.Parameter, hard_split_forms(config))
            forms = self.amplitude_form, self.phase_form
        self.encoding = encoding_of(config, forms)

    def forward(self, x: Stream, positions: Int[Tensor, " length"], attend: Attend) -> Stream:
        mixed = attend(self.encoding, self.query(x), self.key(x), self.value(x), positions, self.layer)
        return self.out(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.hidden, bias=False)
        self.up = nn.Linear(config.width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Stream) -> Stream:
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    """Attention and SwiGLU, each added to the residual stream."""

    def __init__(self, config: ModelConfig, layer: int = 0) -> None:
        super().__init__()
        self.attention_norm, self.attention = RmsNorm(config.width), Attention(config, layer)
        self.feed_forward_norm, self.feed_forward = RmsNorm(config.width), FeedForward(config)

    def forward(self, x: Stream, positions: Int[Tensor, " length"], attend: Attend) -> Stream:
        x = x + self.attention(self.attention_norm(x), positions, attend)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Llama(nn.Module):
    """The model.

    Attributes:
        config: its sizes and its method.
        attend: how attention is computed, `attention.explicit` to begin with; set another at will.

    >>> model = Llama(ModelConfig(layers=1, width=16, heads=2, kv_heads=2, head_dim=8, hidden=32, context=16))
    >>> model(torch.zeros(1, 16, dtype=torch.long)).shape  # logits of the next byte
    torch.Size([1, 16, 256])
    """

    def __init__(self, config: ModelConfig, *, seed: int = 0) -> None:
        """Weights drawn from `seed`, each parameter from its own stream.

        So two methods with one seed start from the same weights wherever they have the same parameters.
        """
        super().__init__()
        self.config = config
        self.attend: Attend = explicit
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.layers))
        self.norm = RmsNorm(config.width)
        self._initialise(seed)

    def forward(self, tokens: Tokens) -> Float[Tensor, "batch length vocab"]:
        """Logits of the next token at every place, float32 at least."""
        positions = torch.arange(tokens.shape[-1], device=tokens.device)
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, positions, self.attend)
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(self.norm(x), self.embedding.weight)

    def loss(
        self, tokens: Tokens, asked: Bool[Tensor, "rows tokens"] | None = None, weight: float = 0.0
    ) -> Float[Tensor, ""]:
        """Mean cross entropy of every token but the first of each row, nats.

        Args:
            tokens: of each row.
            asked: with it, `weight` times the mean over the tokens at which it is True is added.
            weight: of that mean; nothing is added where no token is asked.
        """
        logits, targets = self(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()
        if asked is None:
            return F.cross_entropy(logits, targets)
        each, chosen = F.cross_entropy(logits, targets, reduction="none"), asked[:, 1:].flatten()
        return each.mean() + weight * (each * chosen).sum() / chosen.sum().clamp(min=1)

    def with_encoding(self, encoding: Encoding) -> Llama:
        """A second model over the same weights, in every layer of which `encoding` takes the trained one's place.

        Raises:
            InputError: an encoding for other vectors, or a model whose encoding is itself learned.
        """
        twin = copy.deepcopy(self, {id(parameter): parameter for parameter in self.parameters()})
        for attention in twin.attentions:
            trained = attention.encoding
            if trained.trainable:
                raise InputError(f"method {self.config.method.name} has learned encodings; they stay")
            if trained.head_dim != encoding.head_dim:
                raise InputError(
                    f"the encoding is for head_dim={encoding.head_dim}, the model's is {trained.head_dim}"
                )
            attention.encoding = encoding
        return twin

    def with_interventions(self, change: Callable[[int, Encoding], Encoding]) -> Llama:
        """A second model over the same weights, each layer's encoding changed.

        Args:
            change: of a layer's index and its encoding; `analysis.encodings.interventions` has what to make of it.
        """
        twin = copy.deepcopy(self, {id(parameter): parameter for parameter in self.parameters()})
        for attention in twin.attentions:
            attention.encoding = change(attention.layer, attention.encoding)
        return twin

    @property
    def attentions(self) -> list[Attention]:
        """Attention of each layer, the first layer first."""
        return [block.attention for block in self.blocks if isinstance(block, Block)]

    def phase_parameters(self) -> list[str]:
        """Names of the parameters that make TAPA's phase."""
        return [name for name, _ in self.named_parameters() if name.split(".")[-1] in PHASE_NAMES]

    @torch.no_grad()
    def _initialise(self, seed: int) -> None:
        """Normal 0.02; what is added to the residual stream over sqrt(2 layers) (Radford et al. 2019)."""
        std = self.config.method.phase_init_std
        for name, parameter in self.named_parameters():
            if parameter.ndim != 2:
                continue  # gains start at 1, forms as the hard split
            scale = INIT_STD
            if name.endswith(("out.weight", "down.weight")):
                scale = INIT_STD / math.sqrt(2 * self.config.layers)
            if name.endswith("phase_weight") and std is not None:
                scale = std
            parameter.copy_(scale * torch.randn(parameter.shape, generator=_generator(seed, name)))


PHASE_NAMES = ("phase_weight", "phase_form")


def _generator(seed: int, name: str) -> torch.Generator:
    state = np.random.SeedSequence([seed, zlib.crc32(name.encode())]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> 1))


ROTATING = ("rope", "partial", "window")
"""Methods whose heads rotate queries and keys and do nothing else to them."""
