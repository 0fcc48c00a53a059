"""A small Llama (Touvron et al. 2023) whose encoding and attention are plugged in.

RMS normalisation before each branch, attention with grouped queries, SwiGLU, the head tied to the embedding.
"""

from __future__ import annotations

import copy
import math
import zlib

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from analysis.encodings import Encoding, PathEncoding
from analysis.encodings.interventions import Change
from analysis.errors import InputError
from analysis.models.attention import Attend, explicit
from analysis.models.config import ModelConfig
from analysis.models.methods import encoding_of, rows_of

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


class PathProjection(nn.Linear):
    """What each token adds for each key head, in a `PathEncoding`; its biases start where the encoding says."""

    def __init__(self, width: int, kv_heads: int, encoding: PathEncoding) -> None:
        super().__init__(width, kv_heads * encoding.path_dim)
        self.kv_heads = kv_heads
        with torch.no_grad():
            self.bias.copy_(torch.from_numpy(encoding.path_start).repeat(kv_heads))

    def forward(self, x: Stream) -> Float[Tensor, "batch kv_heads length path_dim"]:
        return super().forward(x).unflatten(-1, (self.kv_heads, -1)).transpose(1, 2)


class Attention(nn.Module):
    """One layer's attention; outputs of `query` and `key` are before any position.

    Attributes:
        encoding: that scores; an intervention may take its place.
        path: what tokens add along the text, where the trained encoding sums it up; None where it does not.
    """

    def __init__(self, config: ModelConfig, layer: int = 0) -> None:
        super().__init__()
        self.layer = layer
        rows = rows_of(config, layer)
        self.query = HeadProjection(config.width, config.heads, rows.plain, rows.phase)
        self.key = HeadProjection(config.width, config.kv_heads, rows.plain, rows.phase)
        self.value = HeadProjection(config.width, config.kv_heads, config.head_dim, 0)
        self.out = nn.Linear(config.heads * config.head_dim, config.width, bias=False)
        encoding = encoding_of(config, layer)
        for name, start in encoding.learned().items():
            if hasattr(self, name):
                raise InputError(
                    f"{type(encoding).__name__} calls a learned tensor {name}; give it another name"
                )
            self.register_parameter(name, nn.Parameter(start))
        self.encoding = encoding.with_learned({name: getattr(self, name) for name in encoding.learned()})
        self.path = None
        if isinstance(encoding, PathEncoding):
            self.path, self.summed = PathProjection(config.width, config.kv_heads, encoding), encoding

    def forward(self, x: Stream, positions: Int[Tensor, " length"], attend: Attend) -> Stream:
        q, k = self.query(x), self.key(x)
        if self.path is not None:
            path = self.path(x)
            with torch.autocast(x.device.type, enabled=False):
                q, k = self.summed.accumulated(q, k, path)
        mixed = attend(self.encoding, q, k, self.value(x), positions, self.layer)
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

    def with_interventions(self, change: Change) -> Llama:
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
            if parameter.ndim != 2 or not name.endswith("weight"):
                continue  # gains start at 1, what an encoding learns and sums up as the encoding says
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
