"""Angular frequency per pair for every RoPE variant: from arguments, or from a model's own configuration.

The rope types are written in `rotation` and `extensions` and gathered here: import this module alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from analysis.errors import InputError
from analysis.theory.extensions import dynamic_ntk, linear, llama3, longrope, ntk, proportional, xpos, yarn
from analysis.theory.rope_config import HasToDict, LayerConfig
from analysis.theory.rotation import Frequencies, Pairing, partial_rotary_dim, plain

__all__ = [
    "Frequencies",
    "Pairing",
    "dynamic_ntk",
    "from_config",
    "linear",
    "llama3",
    "longrope",
    "ntk",
    "partial_rotary_dim",
    "plain",
    "proportional",
    "xpos",
    "yarn",
]


def from_config(
    config: Mapping[str, Any] | HasToDict,
    *,
    layer_type: str | None = None,
    length: int | None = None,
    pairing: Pairing | None = None,
) -> Frequencies:
    """The rotation that a model's attention layers use, read from its configuration.

    Args:
        config: a mapping (a parsed config.json) or an object with `to_dict`, such as a transformers
            configuration. Of a multimodal model, its `text_config`.
        layer_type: "full_attention", "sliding_attention", ... as in the configuration's `layer_types`; needed
            only where layer types differ in their rotation.
        length: length of the text in tokens, for the types that depend on it: dynamic NTK scales beyond
            `max_position_embeddings`, LongRoPE takes its long factors beyond the original length. None means
            a text within the trained length.
        pairing: None takes the model type's: neighbours for those known to join them and where the
            configuration says `rope_interleave`, halves for all others.

    Returns:
        Frequencies in rad/token. Under latent attention (`qk_rope_head_dim`) the head is its rotated slice.

    Raises:
        InputError: if the configuration has no RoPE or an unknown rope type, lacks a key or holds a value out
            of its range; the message names it.
    """
    layer = LayerConfig.read(config, layer_type)
    if layer.kind not in _READERS:
        raise InputError(f"rope type {layer.kind!r} is unknown; known: {', '.join(sorted(_READERS))}")
    if pairing is None:
        pairing = "interleaved" if layer.interleaved else "halves"
    return _READERS[layer.kind](layer, length, pairing)


def _default(layer: LayerConfig, length: int | None, pairing: Pairing) -> Frequencies:
    return plain(*layer.shape, pairing=pairing)


def _linear(layer: LayerConfig, length: int | None, pairing: Pairing) -> Frequencies:
    return linear(*layer.shape, factor=layer.number("factor"), pairing=pairing)


def _dynamic(layer: LayerConfig, length: int | None, pairing: Pairing) -> Frequencies:
    return dynamic_ntk(
        *layer.shape,
        factor=layer.number("factor"),
        trained_length=layer.context,
        length=layer.context if length is None else length,
        pairing=pairing,
    )


def _yarn(layer: LayerConfig, length: int | None, pairing: Pairing) -> Frequencies:
    truncate = layer.entry.get("truncate", True)
    if not isinstance(truncate, bool):
        raise InputError(f"truncate={truncate!r} is neither true nor false")
    beta_fast, beta_slow = layer.optional("beta_fast"), layer.optional("beta_slow")
    return yarn(
        *layer.shape,
        # a null is DeepSeek's way of asking for the ratio of lengths; a missing key is a mistake
        factor=layer.factor if "factor" in layer.entry else layer.number("factor"),
        trained_length=layer.trained_length,
        beta_fast=32.0 if beta_fast is None else beta_fast,
        beta_slow=1.0 if beta_slow is None else beta_slow,
        truncate=truncate,
        attention_factor=layer.optional("attention_factor"),
        mscale=layer.optional("mscale"),
        mscale_all_dim=layer.optional("mscale_all_dim"),
        pairing=pairing,
    )


def _llama3(layer: LayerConfig, length: int | None, pairing: Pairing) -> Frequencies:
    return llama3(
        *layer.shape,
        factor=layer.number("factor"),
        trained_length=layer.trained_length,
        low_freq_factor=layer.number("low_freq_factor"),
        high_freq_factor=layer.number("high_freq_factor"),
        pairing=pairing,
    )


def _longrope(layer: LayerConfig, length: int | None, pairing: Pairing) -> Frequencies:
    return longrope(
        *layer.shape,
        short_factor=layer.numbers("short_factor"),
        long_factor=layer.numbers("long_factor"),
        trained_length=layer.trained_length,
        factor=layer.factor,
        length=length,
        attention_factor=layer.optional("attention_factor"),
        pairing=pairing,
    )


def _proportional(layer: LayerConfig, length: int | None, pairing: Pairing) -> Frequencies:
    factor = layer.optional("factor")
    return proportional(
        layer.base,
        layer.head_dim,
        partial_rotary_factor=layer.share,
        factor=1.0 if factor is None else factor,
        pairing=pairing,
    )


_READERS: Mapping[str, Callable[[LayerConfig, int | None, Pairing], Frequencies]] = {
    "default": _default,
    "linear": _linear,
    "dynamic": _dynamic,
    "yarn": _yarn,
    "llama3": _llama3,
    "longrope": _longrope,
    "proportional": _proportional,
}
