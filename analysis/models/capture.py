"""Query and key of every layer before rotation, taken while the model reads a window of tokens.

One forward pass of the decoder, without logits. Hooks on the projections (or on the norms behind them) give
q and k before rotation; an attention function of our own, registered for as long as the pass lasts, sees what
the model rotated, checks it against our rotation of the capture, hands the layer to the consumer and attends
as the model would. Nothing of a layer is kept once the next one starts.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface

from analysis.encodings import Encoding, Rope
from analysis.encodings.rotary import relative_difference, rotate, rotation, rounding_budget
from analysis.errors import InputError
from analysis.models.attention import Attend, Keys, Mixed, Positions, Queries, Values, capped_attention
from analysis.models.families import Heads
from analysis.models.huggingface import Checkpoint
from analysis.models.llama import Llama
from analysis.models.methods import encoding_of
from analysis.theory.frequencies import Frequencies
from analysis.theory.model_config import from_config

CHECKED_POSITIONS = 64  # of every window: enough to meet every pair at many angles, at no cost that shows


@dataclass(frozen=True, slots=True)
class LayerCapture:
    """One layer of one window, before rotation.

    Query head h reads key head h // (query_heads // key_heads). The model's score of query m and key n is
    scale * <rotate(q_m), rotate(k_n)>, then softcap * tanh(score / softcap) where `softcap` is not None, then
    minus infinity for distances m - n < 0 and, where `window` is not None, for distances >= window.

    Attributes:
        layer: index from 0.
        q, k: (batch, heads, length, head_dim), float32 (float64 for a float64 model); inference tensors, on the
            device that the model ran on, but on the CPU where that has no float64 (Apple's).
        frequencies: this layer's, at this window's length; they hold the attention factor, `scale` does not.
        scale, softcap, window: as the model passed them to its attention in this very pass.
    """

    layer: int
    q: Float[Tensor, "batch query_heads length head_dim"]
    k: Float[Tensor, "batch key_heads length head_dim"]
    frequencies: Frequencies
    scale: float
    softcap: float | None
    window: int | None

    def __post_init__(self) -> None:
        if self.q.shape[0] != self.k.shape[0] or self.q.shape[2:] != self.k.shape[2:]:
            raise InputError(f"layer {self.layer}: q is {tuple(self.q.shape)}, k is {tuple(self.k.shape)}")
        Heads(self.q.shape[1], self.k.shape[1], self.q.shape[3])

    def on_cpu(self) -> LayerCapture:
        """The same with its queries and keys on the CPU."""
        return replace(self, q=self.q.cpu(), k=self.k.cpu())


Consumer = Callable[[LayerCapture], None]


def capture_checkpoint(
    checkpoint: Checkpoint,
    tokens: Int[Tensor, "batch length"],
    consumer: Consumer,
    *,
    beyond_context: bool = False,
) -> None:
    """Reads windows of tokens once and hands every layer to `consumer`, in order, as the forward goes.

    Every layer is checked on up to 64 positions, the last included: our rotation of the capture must be the
    model's own rotated q and k within rounding. The model is left as it was, also when the consumer raises.

    Args:
        checkpoint: a model with its facts.
        tokens: ids, at positions 0..length-1, without padding.
        consumer: called once for each layer; must not keep q and k if memory is to stay that of one layer.
        beyond_context: permits windows longer than the configuration declares.

    Raises:
        InputError: for ids outside the vocabulary, a window longer than the context, or a layer whose
            rotation is not the one its configuration says (names layer and relative difference).
    """
    _forward(checkpoint, tokens, consumer, beyond_context=beyond_context)


def verify_rotation(checkpoint: Checkpoint, *, length: int = CHECKED_POSITIONS, seed: int = 0) -> float:
    """Checks every layer's rotation at every position of a short window of random tokens.

    Returns:
        The largest relative difference met, over layers, q and k.

    Raises:
        InputError: as `capture_checkpoint` does.
    """
    return _forward(checkpoint, random_tokens(checkpoint, length=length, seed=seed), lambda found: None)


def random_tokens(
    checkpoint: Checkpoint, *, length: int = CHECKED_POSITIONS, seed: int = 0
) -> Int[Tensor, "one length"]:
    """One short window of random tokens to check a model's rotation on."""
    generator = torch.Generator().manual_seed(seed)
    size = (1, min(length, checkpoint.context_length))
    return torch.randint(checkpoint.model.config.vocab_size, size, generator=generator)


def _forward(
    checkpoint: Checkpoint, tokens: Tensor, consumer: Consumer, *, beyond_context: bool = False
) -> float:
    if not checkpoint.rotates:
        raise InputError(
            f"{checkpoint.name} rotates no queries and keys, so there is no rotation to be checked"
        )
    check_tokens(checkpoint, tokens, beyond_context=beyond_context)
    reading = ModelPass(checkpoint, tokens.shape[1], consumer)
    reading.run(tokens)
    return reading.worst


def check_tokens(checkpoint: Checkpoint, tokens: Tensor, *, beyond_context: bool = False) -> None:
    """Refuses what is no window of this model; errors as `capture_checkpoint`."""
    if tokens.ndim != 2 or not tokens.numel():
        raise InputError(
            f"tokens have shape {tuple(tokens.shape)}; (batch, length) with at least one is needed"
        )
    vocabulary = checkpoint.model.config.vocab_size
    low, high = tokens.min().item(), tokens.max().item()
    if low < 0 or high >= vocabulary:
        value = low if low < 0 else high
        raise InputError(f"token id {value} is outside the vocabulary of {vocabulary} of {checkpoint.name}")
    if tokens.shape[1] > checkpoint.context_length and not beyond_context:
        raise InputError(
            f"window of {tokens.shape[1]} tokens is longer than the context of {checkpoint.context_length} "
            f"of {checkpoint.name}; use a shorter window"
        )


def layer_frequencies(checkpoint: Checkpoint, length: int) -> list[Frequencies]:
    """Every layer's frequencies for a window of `length` tokens, with the pairing of the model's family."""
    config, pairing = checkpoint.model.config, checkpoint.family.pairing
    kinds = getattr(config, "layer_types", None) or [None] * checkpoint.layers
    found = {
        kind: from_config(config, layer_type=kind, length=length, pairing=pairing) for kind in set(kinds)
    }
    return [found[kind] for kind in kinds]


def _where_float64_is(x: Tensor) -> Tensor:
    """On its own device if that computes in float64, else on the CPU."""
    return x.cpu() if x.device.type == "mps" else x


class ModelPass:
    """What one forward needs: the taps of the current layer, and the largest difference so far."""

    def __init__(self, checkpoint: Checkpoint, length: int, consumer: Consumer) -> None:
        self.checkpoint = checkpoint
        self.consumer = consumer
        self.frequencies = layer_frequencies(checkpoint, length)
        self.positions = torch.linspace(0, length - 1, min(length, CHECKED_POSITIONS)).round().long()
        self.taken: dict[int, Tensor] = {}  # by tap, of the current layer alone
        self.seen = 0
        self.worst = 0.0

    def run(self, tokens: Int[Tensor, "batch length"]) -> None:
        """Reads the windows; `InputError` if a layer did not reach the attention."""
        checkpoint = self.checkpoint
        decoder = checkpoint.model.base_model
        tokens = tokens.to(device=checkpoint.model.device, dtype=torch.int64)
        with torch.inference_mode():
            self.forget(tokens)
            with self.installed():
                decoder(input_ids=tokens, use_cache=False)
        self.check_seen()

    def forget(self, tokens: Int[Tensor, "batch length"]) -> None:
        """Take a dynamic model's frequencies, which are those of the longest window it met, back to the shortest."""
        if any(found.kind == "dynamic" for found in self.frequencies):
            self.checkpoint.model.base_model(input_ids=tokens[:, :1], use_cache=False)

    def check_seen(self, windows: int = 1) -> None:
        """`InputError` unless every layer has reached the attention in every window that was read."""
        if self.seen != (wanted := self.checkpoint.layers * windows):
            raise InputError(f"{self.checkpoint.name}: {self.seen} of {wanted} layers reached the attention")

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Hooks and the attention function, in place for the length of a `with`; then all as it was."""
        model, name = self.checkpoint.model, f"capture_{id(self)}"
        with contextlib.ExitStack() as undo:
            for tap in self._taps():
                undo.callback(tap.register_forward_hook(self._take).remove)
            for registry, entry in (
                (AttentionInterface, self.attend),
                (AttentionMaskInterface, AttentionMaskInterface()["sdpa"]),
            ):
                registry.register(name, entry)
                # models look for masks in this very mapping, and it has no public way out of it
                undo.callback(registry._global_mapping.pop, name)
            undo.callback(model.set_attn_implementation, model.config._attn_implementation or "sdpa")
            model.set_attn_implementation(name)
            yield

    def _taps(self) -> list[nn.Module]:
        family = self.checkpoint.family
        layers = [m for m in self.checkpoint.model.base_model.modules() if family.is_attention(m)]
        return [tap for layer in layers for tap in family.tapped(layer)]

    def _take(self, module: nn.Module, inputs: tuple[object, ...], output: Tensor) -> None:
        self.taken[id(module)] = output

    def attend(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        *,
        scaling: float,
        softcap: float | None = None,
        sliding_window: int | None = None,
        **kwargs: object,
    ) -> tuple[Tensor, None]:
        """Stands in for the model's attention function: same arguments, same result."""
        found = self._capture(module, scaling, softcap, sliding_window)
        self._check(found, query, key)
        self._check_mask(found, attention_mask)
        self.consumer(found)
        self.seen += 1
        if softcap is not None:
            return capped_attention(query, key, value, attention_mask, scale=scaling, softcap=softcap), None
        sdpa = AttentionInterface()["sdpa"]
        return sdpa(module, query, key, value, attention_mask, scaling=scaling, **kwargs)

    def _capture(
        self, module: nn.Module, scale: float, softcap: float | None, window: int | None
    ) -> LayerCapture:
        family, layer = self.checkpoint.family, int(module.layer_idx)  # type: ignore[arg-type]
        outputs = [self.taken.pop(id(tap)) for tap in family.tapped(module)]
        heads = self.checkpoint.heads
        q, k = (
            _where_float64_is(x if x.dtype == torch.float64 else x.float())
            for x in family.arrange(outputs, heads)
        )
        if (q.shape[1], k.shape[1], q.shape[3]) != (heads.query, heads.key, heads.dim):
            raise InputError(
                f"{self.checkpoint.name}: layer {layer}: q is {tuple(q.shape)} and k {tuple(k.shape)} "
                f"(batch, heads, length, head_dim), the configuration says {heads}"
            )
        return LayerCapture(layer, q, k, self.frequencies[layer], scale, softcap, window)

    def _check(self, found: LayerCapture, query: Tensor, key: Tensor) -> None:
        at = self.positions
        limit = rounding_budget(found.frequencies, int(at[-1]), query.dtype)
        for what, before, after in (("query", found.q, query), ("key", found.k, key)):
            if not torch.isfinite(before).all():
                raise InputError(
                    f"{self.checkpoint.name}: layer {found.layer}: the {what} before rotation holds a value "
                    f"that is not finite; the weights are damaged"
                )
            ours = rotate(before[:, :, at].double(), at, found.frequencies)
            difference = relative_difference(
                ours, after[:, :, at].to(before.device).double(), found.frequencies
            )
            if not difference <= limit:
                raise InputError(
                    f"{self.checkpoint.name}: layer {found.layer}: the {what} rotated as the configuration "
                    f"says differs from the model's own by {difference:.1e} relative (allowed {limit:.1e})"
                )
            self.worst = max(self.worst, difference)

    def _check_mask(self, found: LayerCapture, mask: Tensor | None) -> None:
        """The last query must read as many keys as the layer's window says."""
        length = found.q.shape[2]
        declared = min(found.window or length, length)
        read = length if mask is None else int(mask[0, 0, -1].sum())
        if read != declared:
            raise InputError(
                f"{self.checkpoint.name}: layer {found.layer}: the last query reads {read} of {length} keys, "
                f"the layer's window allows {declared}"
            )


# A model of `tapa train` as a checkpoint to measure: queries and keys of every layer before rotation.
#
# The twin of `capture` for the small Llama, which hands q and k to its attention before any position is
# applied. The frequencies are read from the checkpoint's configuration; every layer is checked to rotate by
# them.


def capture_llama(
    model: Llama, tokens: Int[Tensor, "batch length"], consumer: Consumer, *, name: str = "the model"
) -> None:
    """Reads windows of tokens once and hands every layer to `consumer`, in order, as the forward goes.

    The twin of `capture_checkpoint` for a small Llama, which hands q and k to its attention before any position is
    applied. Every layer is checked at every position: rotated as the configuration says, the capture must be the
    model's own rotated q and k within rounding. The model is left as it was, also when the consumer raises.

    Args:
        name: of the model, for messages.

    Raises:
        InputError: for ids outside the vocabulary, or a layer whose rotation is not the one its configuration
            says (names layer and relative difference).
    """
    vocabulary = model.config.vocab_size
    if int(tokens.min()) < 0 or int(tokens.max()) >= vocabulary:
        raise InputError(f"a token id is outside the vocabulary of {vocabulary} of {name}")
    before = model.attend
    model.attend = _watched(model, consumer, name)
    try:
        with torch.inference_mode():
            model(tokens)
    finally:
        model.attend = before


def _watched(model: Llama, consumer: Consumer, name: str) -> Attend:
    """The model's own attention, after a layer was checked and handed on."""
    said, _ = rotation(encoding_of(model.config))
    attend = model.attend

    def watching(
        encoding: Encoding, q: Tensor, k: Tensor, v: Tensor, positions: Tensor, layer: int
    ) -> Tensor:
        rope, window = rotation(encoding)
        found = LayerCapture(layer, q, k, said.frequencies, said.factor, None, window)
        _check(name, found, rope, positions)
        consumer(found)
        return attend(encoding, q, k, v, positions, layer)

    return watching


def _check(name: str, found: LayerCapture, rope: Rope, positions: Int[Tensor, " length"]) -> None:
    # the model forms its angles in float64, as we do: positions add no rounding
    limit = rounding_budget(found.frequencies, 0, found.q.dtype)
    for what, before in (("query", found.q), ("key", found.k)):
        ours = rotate(before.double(), positions, found.frequencies)
        difference = relative_difference(ours, rope.rotated(before, positions).double(), found.frequencies)
        if not difference <= limit:
            raise InputError(
                f"{name}: layer {found.layer}: the {what} rotated as the configuration says differs from the "
                f"model's own by {difference:.1e} relative (allowed {limit:.1e})"
            )


# A small Llama read by tiles: queries and keys of every layer handed on, entropy of every head's attention.


TILE = 256  # queries, and keys, scored at a time


PhaseConsumer = Callable[[int, Encoding, Tensor, Tensor, Tensor], None]
"""Told of each layer: index, encoding, q and k before any position, entropy of each query's attention."""
Seen = tuple[Tensor, Tensor, Tensor, Tensor]
"""Running maximum, sum of weights, sum of weight times score, sum of weight times value."""


@torch.no_grad()
def read_layers(
    model: Llama, tokens: Int[Tensor, "batch length"], consumer: PhaseConsumer, *, entropies: bool = True
) -> None:
    """Run windows through a model with attention by tiles; memory grows with the length alone, not its square.

    Args:
        consumer: called once a layer, the first layer first, with q (batch, heads, length, dim), k (batch, kv_heads,
            length, dim) and entropy (batch, heads, length), nats.
        entropies: whether the consumer needs them; without, the last layer attends to nothing, as nothing reads what
            it gives, and its entropy is nan.

    >>> from analysis.models.config import ModelConfig
    >>> config = ModelConfig(layers=2, width=16, heads=2, kv_heads=2, head_dim=8, hidden=32, context=16)
    >>> tokens = torch.arange(16)[None]
    >>> read_layers(Llama(config), tokens, lambda layer, encoding, q, k, entropy: print(layer, tuple(q.shape)))
    0 (1, 2, 16, 8)
    1 (1, 2, 16, 8)
    """
    positions = torch.arange(tokens.shape[-1])

    def attend(encoding: Encoding, q: Queries, k: Keys, v: Values, at: Positions, layer: int) -> Mixed:
        if not entropies and layer == len(model.attentions) - 1:
            consumer(layer, encoding, q, k, torch.full(q.shape[:3], math.nan))
            return torch.zeros(*q.shape[:3], v.shape[-1], dtype=v.dtype)
        mixed, entropy = streamed(encoding, q, k, v, at)
        consumer(layer, encoding, q, k, entropy)
        return mixed

    x = model.embedding(tokens)
    for block in model.blocks:
        x = block(x, positions, attend)


def streamed(
    encoding: Encoding, q: Queries, k: Keys, v: Values, positions: Positions, *, tile: int = TILE
) -> tuple[Mixed, Float[Tensor, "batch heads length"]]:
    """Causal attention, and the entropy of each query's weights in nats, one tile of scores at a time.

    Weights are summed about a running maximum (Milakov and Gimelshein 2018, arXiv 1805.02867).

    Args: as `analysis.models.attention.oracle`.
    """
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    mixed, entropy = torch.empty(*q.shape[:3], v.shape[-1], dtype=v.dtype), q.new_empty(q.shape[:3])
    for queries in torch.arange(q.shape[2]).split(tile):
        rows = slice(int(queries[0]), int(queries[-1]) + 1)
        seen = None
        for left in range(0, rows.stop, tile):
            keys = slice(left, min(left + tile, rows.stop))
            scores = encoding.scores(q[:, :, rows], k[:, :, keys], positions[rows], positions[keys])
            hidden = positions[rows, None] < positions[keys]
            if hidden.any():  # the tiles on the diagonal
                scores = scores.masked_fill(hidden, -math.inf)
            seen = _add(seen, scores, v[:, :, keys])
        assert seen is not None  # a query sees at least itself
        top, total, first, values = seen
        mixed[:, :, rows] = (values / total[..., None]).to(v.dtype)
        entropy[:, :, rows] = top + total.log() - first / total
    return mixed, entropy


def _add(seen: Seen | None, scores: Float[Tensor, "batch heads rows keys"], v: Values) -> Seen:
    """What has been summed, with the keys of one more tile; the first tile holds a key for every query."""
    top = scores.amax(dim=-1)
    if seen is not None:
        top = torch.maximum(top, seen[0])
    weight = (scores - top[..., None]).exp_()
    seen_scores = scores.clamp(
        min=torch.finfo(scores.dtype).min
    )  # a hidden one adds 0 times this, not 0 times inf
    sums = (
        weight.sum(dim=-1),
        seen_scores.mul_(weight).sum(dim=-1),
        weight @ v.to(weight.dtype),
    )
    if seen is None:
        return top, *sums
    shrink = torch.exp(seen[0] - top)
    total, first, values = sums
    return top, total + shrink * seen[1], first + shrink * seen[2], values + shrink[..., None] * seen[3]
