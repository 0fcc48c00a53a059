"""Another positional encoding in a trained model: its rotation exchanged for TAPA or for nothing, and back.

`converted` starts a rotary model with TAPA from weights that are nearer to it than the model's own. Of every head, the
dimensions that rotate slowest come first, into the amplitude, whose inner products TAPA takes without a rotation; the
fastest become the phase, their rows made small, so that the cosine begins near 1. Rows are multiplied by a power of
two, so that the way back is exact. The rotation is dropped (DroPE, arXiv 2512.12167) by angular frequencies of 0 to
rounding, with which stock transformers opens the model.

`to_transformers` and `from_transformers` carry small models of `tapa train` over, weight by weight.
"""

from __future__ import annotations

import copy
import errno
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from safetensors import SafetensorError
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from analysis.errors import InputError
from analysis.files import check_writable, replacing, write_refusal
from analysis.models.checkpoint import own_tokenizer
from analysis.models.config import CONVERSIONS, PHASE_ROWS, MethodConfig, ModelConfig, check_conversion
from analysis.models.families import TAPA, Family, Heads, family_of, heads_of
from analysis.models.huggingface import quiet_transformers
from analysis.models.llama import HeadProjection, Llama
from analysis.models.load import PretrainedModel, TrainedModel, open_model
from analysis.models.tapa_llama import (
    NAME,
    TapaLlamaConfig,
    TapaLlamaForCausalLM,
    TapaOptions,
    tapa_encoding,
    with_tapa,
)
from analysis.progress import Progress, silent
from analysis.settings import check_at_least, nearest
from analysis.theory.model_config import from_config
from analysis.theory.tapa import amplitude_dims

YARN_FACTOR = 4.0  # factor of YaRN
DEFAULTS: dict[str, Any] = {
    "alpha": 0.1, "amplitude_share": 0.5, "turns": True, "phase": "quadratic", "phase_rows": PHASE_ROWS
}  # fmt: skip
DROPPED = 1e30  # angular frequencies are divided by it: no angle of any position is above rounding
OWN_ROTATION = "rotation_before"  # of a configuration: its rope parameters before a conversion
ORIGINAL = "original_max_position_embeddings"
OWN_ROWS = (
    "tapa_phase_rows"  # of a configuration: the factor by which a conversion multiplied the phase's rows
)


def converted(
    model: PreTrainedModel,
    to: str,
    *,
    alpha: float | None = None,
    amplitude_share: float | None = None,
    phase_rows: float | None = None,
    factor: float | None = None,
    turns: bool | None = None,
    rounding: str = "nearest",
) -> PreTrainedModel:
    """A copy of a model with another positional encoding.

    What is None stays as a model that has TAPA, or YaRN by this function, has it already; of any other model it is the
    one of `DEFAULTS`, or `YARN_FACTOR`.

    Args:
        model: of a rotary family, or what this function made of one.
        to: "tapa", "nope" (no rotation), "yarn" (`with_yarn`) or "rope" (its own rotation again).
        alpha, amplitude_share: of TAPA; see `tapa_llama.TapaOptions`.
        phase_rows: factor of the rows of q and of k that make TAPA's phase, a power of two.
        factor: of YaRN.
        turns: whether TAPA's phase is in turns, as the paper has it; False for radians, as the released kernel.
        rounding: of the amplitude's share to whole dimensions, `theory.tapa.ROUNDINGS`; "down" as the released kernel.

    Raises:
        InputError: an unknown `to`, a model of another kind, one that never had a rotation, or an option out of range.

    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> sizes = dict(vocab_size=8, hidden_size=16, num_attention_heads=2, intermediate_size=16, num_hidden_layers=1)
    >>> model = LlamaForCausalLM(LlamaConfig(**sizes))
    >>> back = converted(converted(model, "tapa"), "rope")
    >>> bool((back.model.layers[0].self_attn.q_proj.weight == model.model.layers[0].self_attn.q_proj.weight).all())
    True
    """
    if to not in CONVERSIONS:
        raise InputError(f"--to {to} is unknown; {nearest(to, CONVERSIONS)}")
    family_of(model.config.model_type)
    wanted = {"alpha": alpha, "amplitude_share": amplitude_share, "phase_rows": phase_rows, "turns": turns}
    asked = {name: value for name, value in wanted.items() if value is not None}
    if to == "tapa" and not asked and isinstance(model.config, TapaOptions):
        return copy.deepcopy(model)
    copied = _with_own_rotation(model)
    if to == "rope":
        return copied
    if to == "yarn":
        return with_yarn(copied, yarn_factor(model) if factor is None else factor)
    if to == "nope":
        return _rebuilt(copied, _without_rotation(copied.config.to_dict()))
    return _started_with_tapa(copied, DEFAULTS | _tapa_options(model.config) | asked, rounding)


def yarn_factor(model: PreTrainedModel) -> float:
    """The factor of a model that `converted` gave YaRN; of any other model `YARN_FACTOR`."""
    config: Any = model.config
    if hasattr(config, OWN_ROTATION) and config.rope_parameters.get("rope_type") == "yarn":
        return float(config.rope_parameters["factor"])
    return YARN_FACTOR


def _tapa_options(config: Any) -> dict[str, Any]:
    """What a configuration with TAPA has of `DEFAULTS`; nothing of another."""
    if not isinstance(config, TapaOptions):
        return {}
    own = {name: getattr(config, TAPA + name) for name in ("alpha", "amplitude_share", "turns", "phase")}
    return own | {"phase_rows": getattr(config, OWN_ROWS)}


def _started_with_tapa(model: PreTrainedModel, options: Mapping[str, Any], rounding: str) -> PreTrainedModel:
    """TAPA over a rotary model's own weights, reordered in place."""
    rows = options["phase_rows"]
    check_conversion("tapa", {"phase_rows": rows})
    dim = heads_of(model.config).dim
    share = amplitude_dims(dim, options["amplitude_share"], rounding) / dim
    of_phase = {name: options[name] for name in ("alpha", "turns", "phase")}
    found = with_tapa(model, amplitude_share=share, **of_phase)
    reorder(found, slowest_first(model.config), tapa_encoding(found.config).amplitude_dim, rows)
    setattr(found.config, OWN_ROWS, rows)
    return found


def with_yarn(model: PreTrainedModel, factor: float) -> PreTrainedModel:
    """A copy of a rotary model with YaRN (Peng et al. 2024, arXiv 2309.00071) on its plain RoPE, from its own context.

    The configuration declares the context that it is meant for, `factor` times the model's own.

    Raises:
        InputError: its RoPE is not plain, or a factor below 1.
    """
    check_at_least("factor", factor, 1)
    own = model.config.to_dict().get("rope_parameters") or {}
    if own.get("rope_type") != "default":
        raise InputError(
            f"rope_type={own.get('rope_type')!r} is not plain RoPE; give a model without an extension"
        )
    length = model.config.max_position_embeddings
    more = {"rope_type": "yarn", "factor": float(factor), ORIGINAL: length}
    changes = {
        "rope_parameters": own | more,
        OWN_ROTATION: own,
        "max_position_embeddings": round(length * factor),
    }
    return _rebuilt(model, model.config.to_dict() | changes)


def write_converted(
    name: str | Path,
    to: str,
    folder: Path,
    *,
    progress: Progress = silent,
    **options: Any,
) -> PreTrainedModel:
    """Convert a model by its name and write it as a Hugging Face folder, with its tokenizer where it has one.

    Args:
        name: as `load.open_model`; a model of `tapa train` is written as it was trained.
        to: as `converted`; of a model of `tapa train`, what it was trained with.
        folder: made with its parents; it must not hold anything.
        progress: called with (what, done, total).
        options: as `converted`.

    Raises:
        InputError: as `load.open_model`, `converted` and `to_transformers`, or `folder` cannot be written, which is
            found out first.
    """
    check_conversion(to, options)
    check_free(folder)
    check_writable(folder)  # before gigabytes are read
    found = open_model(name, progress=progress)
    if isinstance(found, PretrainedModel):
        tokenizer = found.checkpoint.tokenizer
        progress(f"convert to {to}", 0, 0)
        model = converted(found.checkpoint.model, to, **options)
    else:
        assert isinstance(found, TrainedModel)
        if given := [
            f"{key}={value}"
            for key, value in options.items()
            if value is not None and key in CONVERSIONS["tapa"]
        ]:
            raise InputError(f"{', '.join(given)}: {name} is written as it was trained; leave that out")
        method, tokenizer = found.checkpoint.config.method.name, None
        model = to_transformers(found.llama)
        own = NAME if method in _PHASE_OF else method
        if to != own:
            raise InputError(
                f"{name} was trained with method={method} and is written as it is; give --to {own}"
            )
        if (pairs := own_tokenizer(found.checkpoint)) is not None:
            tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(pairs.json))
    write_folder(model, tokenizer, folder)
    return model


def check_free(folder: Path) -> None:
    """`InputError` if a folder that is to be made exists."""
    if folder.exists():
        raise InputError(f"{folder} exists; remove it or give the name of a folder to be made")


def write_folder(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase | None, folder: Path) -> None:
    """Write model and tokenizer as a Hugging Face folder, whole or not at all; `InputError` if it cannot be."""
    check_free(folder)
    try:
        with quiet_transformers(), replacing(folder, alone=True) as part:
            model.save_pretrained(part)
            if tokenizer is not None:
                tokenizer.save_pretrained(part)
    except OSError as error:
        remedy = "one with more room" if error.errno == errno.ENOSPC else "another folder to be made"
        raise InputError(f"{folder} cannot be written: {write_refusal(error)}; give {remedy}") from error
    except SafetensorError as error:
        raise InputError(f"{folder} cannot be written: {error}; give one with more room") from error


def slowest_first(config: Any) -> Int[Tensor, " head_dim"]:
    """Dimensions of a head by the angular frequency at which they rotate, those that do not rotate first."""
    kind = next(iter(getattr(config, "layer_types", None) or ()), None)
    found = from_config(config, layer_type=kind, length=1)
    speed = np.zeros(found.head_dim)
    pairs = np.arange(found.rotary_dim).reshape(-1, 2)
    if found.pairing == "halves":
        pairs = np.arange(found.rotary_dim).reshape(2, -1).T
    # by rank rather than by frequency, which is 0 where the rotation was dropped: pairs are listed fastest first
    speed[pairs] = np.arange(len(pairs), 0, -1)[:, None]
    return torch.from_numpy(np.argsort(speed, kind="stable"))


@torch.no_grad()
def reorder(model: PreTrainedModel, order: Int[Tensor, " head_dim"], amplitude: int, factor: float) -> None:
    """Put the rows of every head's q and k in another order, then multiply those behind the amplitude's, in place.

    Args:
        model: of any family, with TAPA or without.
        order: the row that comes to each place.
        amplitude: rows that keep their size.
        factor: of the others.
    """
    config: Any = model.config
    family, heads = family_of(config.model_type), heads_of(config)
    scale = torch.ones(heads.dim)
    scale[amplitude:] = factor
    # Gemma 3 multiplies by 1 + weight
    offset = 1.0 if config.model_type.removeprefix(TAPA) == "gemma3_text" else 0.0
    for module in model.base_model.modules():
        if not family.is_attention(module):
            continue
        children = dict(module.named_children())
        projections = [children[names[-1]] for names in family.taps]
        norms = [tap for tap, own in zip(family.tapped(module), projections, strict=True) if tap is not own]
        _reorder_projections(projections, family, heads, order, torch.ones_like(scale) if norms else scale)
        for norm in norms:
            for name, x in norm.named_parameters():
                extra = offset if name == "weight" else 0.0
                x.copy_((x[..., order] + extra) * scale.to(x) - extra)


def _reorder_projections(
    projections: Sequence[nn.Module], family: Family, heads: Heads, order: Tensor, scale: Tensor
) -> None:
    """The same of projections, whichever way a family packs q, k and v into their rows."""
    weights: list[Any] = [projection.weight for projection in projections]
    rows = [torch.arange(len(weight)) for weight in weights]
    places = family.arrange([row[None, None].float() for row in rows], heads)
    owners = (0, 0) if len(projections) == 1 else (0, 1)
    factors = [torch.ones(len(row)) for row in rows]
    for place, owner in zip(places, owners, strict=True):
        at = place[0, :, 0].long()  # heads x dimensions
        rows[owner][at] = at[:, order]
        factors[owner][at] = scale.expand(at.shape)
    for projection, row, factor in zip(projections, rows, factors, strict=True):
        for x in projection.parameters(recurse=False):
            x.copy_(x[row] * factor.to(x).reshape(-1, *[1] * (x.ndim - 1)))


def _with_own_rotation(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of a model as it was before any conversion."""
    config: Any = model.config
    if not isinstance(config, TapaOptions):
        values = config.to_dict()
        own, now = values.pop(OWN_ROTATION, None), values.get("rope_parameters") or {}
        if own is None:
            return _rebuilt(model, values)
        if now.get("rope_type") == "yarn":  # of `with_yarn`, which stretched the context
            values["max_position_embeddings"] = now[ORIGINAL]
        return _rebuilt(model, values | {"rope_parameters": own})
    factor = getattr(config, OWN_ROWS, None)
    if factor is None:
        raise InputError(
            f"this {model.config.model_type} was not converted from a rotary model; it has no rotation to return to"
        )
    values = {name: value for name, value in model.config.to_dict().items() if not name.startswith(TAPA)}
    stock = type(config).__mro__[2]
    family = model.config.model_type.removeprefix(TAPA)
    found = _rebuilt(model, values | {"model_type": family}, stock, type(model).__mro__[2])
    dims = tapa_encoding(config).amplitude_dim
    unchanged = torch.arange(heads_of(config).dim)
    reorder(found, unchanged, dims, 1 / factor)
    reorder(found, slowest_first(found.config).argsort(), dims, 1.0)
    return found


def _rebuilt(
    model: PreTrainedModel, values: Mapping[str, Any], config_class: Any = None, model_class: Any = None
) -> PreTrainedModel:
    """A copy of a model's weights under another configuration."""
    own = model.config.to_dict()
    config = (config_class or type(model.config)).from_dict(dict(values))
    if hasattr(config, OWN_ROTATION) and OWN_ROTATION not in values:
        delattr(config, OWN_ROTATION)
    name = (model_class or type(model)).__name__
    config.architectures = [name] if own.get("architectures") else None
    found = _unfilled(model_class or type(model), config).to(device=model.device, dtype=model.dtype)
    found.load_state_dict(model.state_dict())
    found.generation_config = copy.deepcopy(model.generation_config)
    return found.train(model.training)


def _without_rotation(values: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration whose angular frequencies are 0 to rounding, with its own rope parameters beside."""
    if values["model_type"] == "phi3":  # transformers refuses all but LongRoPE
        raise InputError("phi3 takes no rope type by which its rotation could be dropped; convert it to tapa")
    own = values["rope_parameters"]

    def dropped(entry: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: entry[key] for key in ("rope_theta", "partial_rotary_factor") if key in entry}
        return kept | {"rope_type": "linear", "factor": DROPPED}

    by_type = any(isinstance(entry, Mapping) for entry in own.values())
    new = {kind: dropped(entry) for kind, entry in own.items()} if by_type else dropped(own)
    return dict(values) | {"rope_parameters": new, OWN_ROTATION: own}


# Small models of `tapa train`.


def to_transformers(model: Llama) -> PreTrainedModel:
    """A small Llama as a model of transformers, with the same weights and the same logits within rounding.

    Raises:
        InputError: its method is none of tapa, tapa_linear and rope: transformers has no model for it.

    >>> model = Llama(ModelConfig(layers=1, width=16, heads=2, kv_heads=1, head_dim=8, hidden=32, context=16))
    >>> type(to_transformers(model)).__name__
    'LlamaForCausalLM'
    """
    config, method = model.config, model.config.method
    sizes = {
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "intermediate_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "max_position_embeddings": config.context,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    if method.name in _PHASE_OF:
        options = {
            "tapa_alpha": method.alpha,
            "tapa_amplitude_share": method.amplitude_share,
            "tapa_turns": method.turns,
            "tapa_phase": _PHASE_OF[method.name],
        }
        found: Any = _unfilled(TapaLlamaForCausalLM, TapaLlamaConfig(**sizes, **options))
    elif method.name == "rope" and method.extension == "none":
        rope = {"rope_type": "default", "rope_theta": method.base}
        found = _unfilled(LlamaForCausalLM, LlamaConfig(**sizes, rope_parameters=rope))
    else:
        named = ", ".join((*_PHASE_OF, "rope without an extension"))
        raise InputError(f"method {method.name} has no model in transformers; {named} have")
    weights = {theirs: _weight(model, ours) for ours, theirs in _names(config.layers).items()}
    found.load_state_dict(weights | {"lm_head.weight": weights["model.embed_tokens.weight"]})
    return found.to(model.embedding.weight.dtype).eval()


def from_transformers(model: PreTrainedModel) -> Llama:
    """The inverse of `to_transformers`; how the model was trained is not in its configuration.

    Raises:
        InputError: a model that `to_transformers` does not make.
    """
    config: Any = model.config
    if type(model) not in (TapaLlamaForCausalLM, LlamaForCausalLM):
        raise InputError(
            f"{type(model).__name__} is no model of `tapa train`; give what to_transformers made"
        )
    if type(model) is TapaLlamaForCausalLM:
        name = next(name for name, phase in _PHASE_OF.items() if phase == config.tapa_phase)
        method = MethodConfig(
            name,
            alpha=config.tapa_alpha,
            amplitude_share=config.tapa_amplitude_share,
            turns=config.tapa_turns,
        )
    else:
        method = MethodConfig("rope", base=config.rope_parameters["rope_theta"])
    sizes = ModelConfig(
        vocab_size=config.vocab_size, layers=config.num_hidden_layers, width=config.hidden_size,
        heads=config.num_attention_heads, kv_heads=config.num_key_value_heads, head_dim=config.head_dim,
        hidden=config.intermediate_size, context=config.max_position_embeddings, method=method,
    )  # fmt: skip
    given = model.state_dict()
    unlike = sorted(set(given) - set(_names(sizes.layers).values()) - {"lm_head.weight"})
    if unlike or config.rms_norm_eps != 1e-6 or not config.tie_word_embeddings:
        reason = unlike[0] if unlike else "an output matrix or a norm of its own"
        raise InputError(f"{type(model).__name__} has {reason}, which no model of `tapa train` has")
    found = Llama(sizes).to(model.dtype)
    weights: dict[str, Tensor] = {}
    for ours, theirs in _names(sizes.layers).items():
        weights |= _parts(found, ours, given[theirs])
    found.load_state_dict(weights)
    return found.eval()


_PHASE_OF = {"tapa": "quadratic", "tapa_linear": "linear"}
_OF_A_LAYER = {
    "attention_norm.weight": "input_layernorm.weight",
    "attention.query": "self_attn.q_proj.weight",
    "attention.key": "self_attn.k_proj.weight",
    "attention.value": "self_attn.v_proj.weight",
    "attention.out.weight": "self_attn.o_proj.weight",
    "feed_forward_norm.weight": "post_attention_layernorm.weight",
    "feed_forward.gate.weight": "mlp.gate_proj.weight",
    "feed_forward.up.weight": "mlp.up_proj.weight",
    "feed_forward.down.weight": "mlp.down_proj.weight",
}


def _unfilled(model_class: Any, config: Any) -> Any:
    """A model whose weights are about to be loaded; drawing them leaves the global generator where it was."""
    with torch.random.fork_rng(devices=[]):
        return model_class(config)


def _names(layers: int) -> dict[str, str]:
    """Parameters, and projections of heads, of ours, and what transformers calls them."""
    found = {"embedding.weight": "model.embed_tokens.weight", "norm.weight": "model.norm.weight"}
    for layer in range(layers):
        found |= {f"blocks.{layer}.{a}": f"model.layers.{layer}.{b}" for a, b in _OF_A_LAYER.items()}
    return found


def _weight(model: Llama, name: str) -> Tensor:
    """A parameter of ours, or the whole matrix of a projection of heads."""
    owner = model.get_submodule(name.removesuffix(".weight"))
    return (
        owner.matrix().detach() if isinstance(owner, HeadProjection) else model.get_parameter(name).detach()
    )


def _parts(model: Llama, name: str, weight: Tensor) -> dict[str, Tensor]:
    """The inverse of `_weight`: parameters of ours out of one matrix of transformers."""
    owner = model.get_submodule(name.removesuffix(".weight"))
    if not isinstance(owner, HeadProjection):
        return {name: weight}
    if owner.phase_weight is None:
        return {f"{name}.weight": weight}
    plain = len(owner.weight) // owner.heads
    rows = weight.unflatten(0, (owner.heads, -1))
    return {
        f"{name}.weight": rows[:, :plain].flatten(0, 1),
        f"{name}.phase_weight": rows[:, plain:].flatten(0, 1),
    }
