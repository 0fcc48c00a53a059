"""TAPA inside transformers: `TapaLlamaForCausalLM`, and `with_tapa` for every rotary family of `families`.

Importing this module registers, with transformers' Auto classes, a configuration and a model for each family, named
"tapa_" and the family's own name: `AutoModelForCausalLM.from_pretrained` opens what `save_pretrained` has written. A
checkpoint of such a model is refused by name where the module is not imported, and never opened with its rotation.

It also registers "tapa" as an attention and as the mask that belongs to it. The mask *is* the distance of every query
from every key, -1 where the query does not see the key. Only the mask is told at which position queries and keys
begin, so a growing or a static cache, left padding, packed texts and sliding windows need nothing further. Distances
count tokens of the text: positions that leave a gap are refused.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Int32
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AttentionInterface,
    AttentionMaskInterface,
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.masking_utils import prepare_padding_mask, sdpa_mask

from analysis.encodings import LinearTapa, Tapa
from analysis.encodings.base import wide
from analysis.errors import InputError
from analysis.models.families import FAMILIES, TAPA, family_of, heads_of
from analysis.settings import nearest

NAME = "tapa"
LONGEST = 8192  # tokens up to which all distances are one table: 256 MiB
AT_ONCE = 2**25  # numbers in the largest array of scores or of what is seen, beyond that
PHASES = {"quadratic": Tapa, "linear": LinearTapa}


# The encoding of a configuration.


class TapaOptions:
    """What the configuration of every TAPA model holds beside that of its family.

    Attributes:
        tapa_alpha: exponent of the distance, >= 0.
        tapa_amplitude_share: share of a head's dimensions in the amplitude, in (0, 1); they come first.
        tapa_turns: whether the phase is in turns, as in the paper; False leaves its 2 pi out.
        tapa_phase: "quadratic" (eq 12) or "linear" (eq 16).
    """

    tapa_alpha: float
    tapa_amplitude_share: float
    tapa_turns: bool
    tapa_phase: str

    def __post_init__(self, **named: Any) -> None:
        """As the family completes its configuration; `InputError` for a value out of its range."""
        super().__post_init__(**named)  # type: ignore[misc] - of the family's configuration
        tapa_encoding(self)


def tapa_encoding(config: Any) -> Tapa:
    """The encoding of all layers; `InputError` for an option out of its range."""
    if config.tapa_phase not in PHASES:
        raise InputError(f"tapa_phase={config.tapa_phase!r}; {nearest(str(config.tapa_phase), PHASES)}")
    dim = heads_of(config).dim
    return PHASES[config.tapa_phase](dim, config.tapa_alpha, config.tapa_amplitude_share, config.tapa_turns)


# Distances, which take the mask's place.


def tapa_mask(
    batch_size: int,
    q_length: int,
    kv_length: int,
    q_offset: int | Int[Tensor, ""] = 0,
    kv_offset: int | Int[Tensor, ""] = 0,
    *,
    attention_mask: Tensor | None = None,
    device: torch.device | str = "cpu",
    **rules: Any,
) -> Int32[Tensor, "batch 1 rows columns"]:
    """The distance of every query from every key, -1 where it is not seen; registered as the mask of "tapa".

    Args:
        batch_size, q_length, kv_length: sizes.
        q_offset, kv_offset: position of the first query and of the first key.
        attention_mask: (batch, tokens), False at padding.
        device: of the result.
        rules: as transformers gives them to any mask: which keys a query sees.

    Returns:
        Up to 8,192 tokens a table, batch x 1 x q_length x kv_length. Beyond, batch x 1 x 2 x (q_length + kv_length)
        numbers that make any rows of it (`distance_rows`): the position of each query and key; and the first key that a
        query sees, or whether a key may be seen at all.

    Raises:
        InputError: beyond 8,192 tokens, a query that does not see one run of keys that ends at its own position.
    """
    rules = rules | {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}
    sizes: dict[str, Any] = {
        "batch_size": batch_size, "kv_length": kv_length, "kv_offset": kv_offset, "device": device
    }  # fmt: skip
    begin: Any = q_offset  # transformers' own annotations know no static cache, whose offset is a tensor
    queries = torch.arange(q_length, device=device, dtype=torch.int32) + begin
    keys = torch.arange(kv_length, device=device, dtype=torch.int32) + kv_offset
    if q_length * kv_length <= LONGEST**2:
        seen: Any = sdpa_mask(
            q_length=q_length, q_offset=begin, attention_mask=attention_mask, **sizes, **rules
        )
        return torch.where(seen, (queries[:, None] - keys).to(torch.int32), -1)
    padding = prepare_padding_mask(attention_mask, kv_length, sizes["kv_offset"])
    kept = torch.ones(batch_size, kv_length, dtype=torch.int32, device=device)
    if padding is not None:
        kept = padding[:, keys.long()].to(torch.int32)
    first = torch.empty(batch_size, q_length, dtype=torch.int32, device=device)
    offsets = torch.stack(
        [torch.cat([queries, keys]).to(torch.int32).expand(batch_size, -1), torch.cat([first, kept], dim=1)],
        dim=1,
    )[:, None]
    step = max(1, AT_ONCE // kv_length)
    for start in range(0, q_length, step):
        rows = slice(start, min(start + step, q_length))
        seen = sdpa_mask(q_length=rows.stop - start, q_offset=begin + start, **sizes, **rules)
        offsets[:, 0, 1, rows] = keys[seen[:, 0].int().argmax(dim=-1)].to(torch.int32)
        again = distance_rows(offsets, q_length, rows) >= 0
        if not torch.equal(again, seen & kept[:, None, None].bool()):
            raise InputError(
                f"queries that see no single run of keys cannot be read beyond {LONGEST} tokens; give shorter texts"
            )
    return offsets


def distance_rows(
    offsets: Int32[Tensor, "batch 1 2 numbers"], q_length: int, rows: slice
) -> Int32[Tensor, "batch 1 rows columns"]:
    """Some rows of the table that stands for `offsets`, of `tapa_mask`."""
    (queries, keys), (first, kept) = (
        x.split([q_length, x.shape[-1] - q_length], dim=-1) for x in offsets.unbind(2)
    )
    distance = queries[:, :, rows, None] - keys[:, :, None]
    seen = (distance >= 0) & (keys[:, :, None] >= first[:, :, rows, None]) & (kept[:, :, None] > 0)
    return torch.where(seen, distance, -1)


def tapa_attention(
    module: nn.Module,
    query: Float[Tensor, "batch heads q_length head_dim"],
    key: Float[Tensor, "batch kv_heads kv_length head_dim"],
    value: Float[Tensor, "batch kv_heads kv_length value_dim"],
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    **others: Any,
) -> tuple[Float[Tensor, "batch q_length heads value_dim"], Tensor | None]:
    """softmax(scores) v by the encoding of the layer's configuration; registered as the attention "tapa".

    Args:
        module: a layer of a TAPA model.
        query, key, value: of one layer, queries and keys unrotated.
        attention_mask: of `tapa_mask`.
        scaling: of the family's inner product; TAPA has 1/sqrt of the amplitude's dimensions instead.
        dropout: of the attention's weights.
        softcap: bound of the scores, where the family has one (`encodings.interventions.SoftCapped`).
        others: of other attentions.

    Returns:
        What each query gets, 0 where it sees no key, and the weights, None beyond 8,192 tokens.

    Raises:
        InputError: a model that rotates its queries and keys, or a mask of another attention.
    """
    config: Any = module.config
    if not isinstance(config, TapaOptions):
        raise InputError(
            f'attn_implementation="{NAME}" is not for {config.model_type}, which rotates its queries and keys; open it '
            f"as it is and give it to analysis.models.tapa_llama.with_tapa"
        )
    if attention_mask is None or attention_mask.dtype != torch.int32:
        raise InputError(
            "TAPA needs distances for a mask; give attention_mask of shape (batch, tokens), or none"
        )
    encoding, group = tapa_encoding(config), query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(group, dim=1) if group > 1 else x for x in (key, value))
    length, dtype = query.shape[2], wide(query.dtype)

    def attended(q: Tensor, distance: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(q.device.type, enabled=False):  # else the phase is rounded to its type
            scores = encoding.scores_given(q, key, encoding.turn(distance.clamp(min=0), dtype))
            if softcap is not None:
                scores = softcap * torch.tanh(scores / softcap)
            weights = _softmax(scores, distance >= 0).to(value.dtype)
        weights = F.dropout(weights, p=dropout, training=module.training)
        return weights @ value, weights

    if attention_mask.shape[-1] == key.shape[2]:
        mixed, weights = attended(query, attention_mask)
        return mixed.transpose(1, 2).contiguous(), weights
    step = max(1, AT_ONCE // (query.shape[0] * query.shape[1] * key.shape[2]))
    parts = [slice(start, min(start + step, length)) for start in range(0, length, step)]
    pieces = [attended(query[:, :, rows], distance_rows(attention_mask, length, rows))[0] for rows in parts]
    return torch.cat(pieces, dim=2).transpose(1, 2).contiguous(), None


def _softmax(
    scores: Float[Tensor, "batch heads rows columns"], seen: Bool[Tensor, "batch 1 rows columns"]
) -> Float[Tensor, "batch heads rows columns"]:
    """Over the keys that are seen, 0 throughout where none is: NaN there would reach all weights by the gradient."""
    return scores.masked_fill(~seen, torch.finfo(scores.dtype).min).softmax(dim=-1) * seen.any(
        dim=-1, keepdim=True
    )


AttentionInterface.register(NAME, tapa_attention)
AttentionMaskInterface.register(NAME, tapa_mask)


# A model of any family without its rotation.


class NoRotation(nn.Module):
    """Stands in for a family's rotary module: cosines 1 and sines 0 of any position, so that q and k stay as they are.

    Attributes:
        width: of its cosines, which is the number of dimensions that the family rotates.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(
        self, x: Tensor, position_ids: Tensor, *others: Any, **named: Any
    ) -> tuple[Float[Tensor, "rows length width"], Float[Tensor, "rows length width"]]:
        """Cosines and sines in the type of x; `InputError` for positions that leave a gap."""
        steps = position_ids.diff(dim=-1)
        if not torch.compiler.is_compiling() and bool((steps > 1).any()):
            raise InputError(
                f"position_ids leave a gap of {int(steps.max())} tokens; TAPA's distances count the tokens of the text"
            )
        one = x.new_ones(*position_ids.shape, self.width)
        return one, torch.zeros_like(one)


class TapaModel:
    """What every TAPA model has beside its family's: no rotation, and no attention but "tapa"."""

    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = False

    def __init__(self, config: Any, *others: Any, **named: Any) -> None:
        super().__init__(config, *others, **named)  # type: ignore[call-arg] - of the family's model
        take_rotation(self)

    def _check_and_adjust_attn_implementation(
        self, attn_implementation: str | None, *others: Any, **named: Any
    ) -> str:
        # transformers asks here whenever an attention is named, at construction and later
        if attn_implementation not in (None, NAME):
            raise InputError(
                f"attn_implementation={attn_implementation!r} cannot compute a phase; leave it out for TAPA's own"
            )
        return NAME


def take_rotation(model: Any) -> None:
    """Put `NoRotation` in the place of a model's rotary module; `InputError` if it has none."""
    rotary = getattr(model.base_model, "rotary_emb", None)
    widths = {2 * x.numel() for name, x in _buffers(rotary) if name.endswith("inv_freq")}
    if len(widths) != 1:
        raise InputError(f"{type(model).__name__} has no rotary module of one width to take TAPA's place")
    model.base_model.rotary_emb = NoRotation(*widths)


def _buffers(module: nn.Module | None) -> Iterator[tuple[str, Tensor]]:
    return iter(()) if module is None else module.named_buffers()


OPTIONS = {"tapa_alpha": 0.1, "tapa_amplitude_share": 0.5, "tapa_turns": True, "tapa_phase": "quadratic"}


def _classes(family: str) -> tuple[type[Any], type[Any]]:
    """Configuration and model of a family with TAPA, named as the family's own with "Tapa" before them."""
    plain: Any = CONFIG_MAPPING[family]
    model: Any = MODEL_FOR_CAUSAL_LM_MAPPING[plain]
    body = OPTIONS | {
        "__annotations__": dict(TapaOptions.__annotations__),
        "__doc__": f"Configuration of a {family} with TAPA; options as `TapaOptions`.",
        "__module__": __name__,
        "model_type": TAPA + family,
    }
    config = type(f"Tapa{plain.__name__}", (TapaOptions, plain), body)
    told = f"A {family} whose layers score by TAPA (eq 12 of the paper, v1) and rotate nothing."
    named = {"__doc__": told, "__module__": __name__, "config_class": config}
    return config, type(f"Tapa{model.__name__}", (TapaModel, model), named)


CLASSES: dict[str, tuple[type[Any], type[Any]]] = {family: _classes(family) for family in FAMILIES}
"""Configuration and model of every family with TAPA, by the family's name."""
for _family, (_config, _model) in CLASSES.items():
    AutoConfig.register(TAPA + _family, _config)
    AutoModelForCausalLM.register(_config, _model)
TapaLlamaConfig, TapaLlamaForCausalLM = CLASSES["llama"]


def with_tapa(
    model: PreTrainedModel,
    *,
    alpha: float = 0.1,
    amplitude_share: float = 0.5,
    turns: bool = True,
    phase: str = "quadratic",
) -> PreTrainedModel:
    """A second model over the same weights that scores by TAPA where the first rotates queries and keys.

    Training either changes both; `copy.deepcopy` parts them. The weights stay as they are, so without training the
    second model predicts badly: `convert.converted` starts it from better ones.

    Args:
        model: a causal language model of a rotary family (`families.FAMILIES`).
        alpha, amplitude_share, turns, phase: see `TapaOptions`.

    Raises:
        InputError: a model of another kind, one that has TAPA already, or an option out of its range.

    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> sizes = dict(vocab_size=8, hidden_size=16, num_attention_heads=2, intermediate_size=16, num_hidden_layers=1)
    >>> model = with_tapa(LlamaForCausalLM(LlamaConfig(**sizes)))
    >>> type(model).__name__, model(torch.zeros(1, 3, dtype=torch.long)).logits.shape
    ('TapaLlamaForCausalLM', torch.Size([1, 3, 8]))
    """
    if not isinstance(model, PreTrainedModel):
        raise InputError(f"{type(model).__name__} is no model of transformers; give a causal language model")
    if isinstance(model.config, TapaOptions):
        raise InputError(f"{type(model).__name__} scores by TAPA already")
    family_of(model.config.model_type)
    config_class, model_class = CLASSES[model.config.model_type]
    if type(model) is not model_class.__mro__[2]:
        raise InputError(
            f"{type(model).__name__} is no causal language model; give {model_class.__mro__[2].__name__}"
        )
    values = model.config.to_dict() | {
        "model_type": config_class.model_type,
        "architectures": [model_class.__name__],
        "tapa_alpha": alpha,
        "tapa_amplitude_share": amplitude_share,
        "tapa_turns": turns,
        "tapa_phase": phase,
    }
    config: PreTrainedConfig = config_class.from_dict(values)
    kept = {id(parameter): parameter for parameter in model.parameters()} | {id(model.config): config}
    twin = copy.deepcopy(model, kept)
    twin.__class__ = model_class
    take_rotation(twin)
    twin.set_attn_implementation(NAME)
    return twin
