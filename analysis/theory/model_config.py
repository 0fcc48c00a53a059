"""A model's configuration as one layer type sees it: which key holds what, in every style in use.

Names and defaults follow transformers 5, whose configuration classes write `rope_parameters`, possibly one
entry per layer type; published files have `rope_theta` beside `rope_scaling`, and older names still.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol, runtime_checkable

from analysis.errors import InputError
from analysis.settings import nearest, shortened
from analysis.theory.frequencies import Frequencies, Pairing, partial_rotary_dim, rope_type


@runtime_checkable
class HasToDict(Protocol):
    """A configuration object, such as transformers' own."""

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain data."""
        ...


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What a model type takes where its configuration is silent, and what its code fixes."""

    base: float | None = 10_000.0
    sliding_base: float | None = None  # of sliding-attention layers, where it is another
    share: float = 1.0  # of the head that is rotated
    whole_head: bool = False  # its code cannot rotate less
    interleaved: bool = False


_WHOLE = _Defaults(whole_head=True)
_NEIGHBOURS = _Defaults(base=None, interleaved=True)
_UNKNOWN = _Defaults(base=None)
# published files leave out what equals these, transformers' own defaults
_FAMILIES: Mapping[str, _Defaults] = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2"), _WHOLE),
    "gemma3_text": _Defaults(base=1_000_000.0, sliding_base=10_000.0, whole_head=True),
    "gpt_neox": _Defaults(share=0.25),
    "phi": _Defaults(share=0.5),
    "phi3": _Defaults(),
    "gptj": _Defaults(interleaved=True),
    **dict.fromkeys(("cohere", "cohere2", "deepseek_v3", "ernie4_5", "glm", "glm4", "helium"), _NEIGHBOURS),
}
_BASE_KEYS = ("rotary_emb_base", "rope_theta")  # GPT-NeoX's own name first


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """The rope parameters of one layer type: `entry` holds them, `settings` the whole configuration."""

    settings: Mapping[str, Any]
    entry: Mapping[str, Any]
    layer_type: str | None
    nested: bool  # whether each layer type has an entry of its own

    @classmethod
    def read(cls, config: Mapping[str, Any] | HasToDict, layer_type: str | None) -> LayerConfig:
        """Find the entry of a layer type; `InputError` if there is none or it cannot be told which."""
        settings = _settings(config)
        # transformers lets the old name win where a file has both
        given = settings.get("rope_scaling") or settings.get("rope_parameters") or {}
        if not isinstance(given, Mapping):
            raise InputError(f"rope_scaling={shortened(given)} is not a mapping of rope parameters")
        if any(isinstance(value, Mapping) for value in given.values()):
            return cls(settings, _choose(given, layer_type), layer_type, True)
        _check_has_rope(settings, given)
        if settings.get("rope_local_base_freq") is not None or _family(settings).sliding_base is not None:
            # Gemma 3 in the old style: the scaling is for full attention only
            entries = {"full_attention": given, "sliding_attention": {}}
            return cls(settings, _choose(entries, layer_type), layer_type, True)
        known = settings.get("layer_types") or ()
        if isinstance(known, str) or not isinstance(known, Sequence):
            raise InputError(f"layer_types={shortened(known)} is not a list of names")
        if layer_type is not None and known and layer_type not in known:
            names = sorted(set(map(str, known)))
            raise InputError(f"layer_type={layer_type!r} is unknown; {nearest(layer_type, names)}")
        return cls(settings, given, layer_type, False)

    @property
    def kind(self) -> str:
        """The rope type under transformers' present name; Phi 3 published LongRoPE as "su" and as "yarn"."""
        given = {key: self.entry[key] for key in ("rope_type", "type") if self.entry.get(key) is not None}
        for key, value in given.items():
            if not isinstance(value, str) or not value:
                raise InputError(
                    f"{key}={shortened(value)} is not the name of a rope type; remove it for plain RoPE"
                )
        kind = next(iter(given.values()), "default")
        is_phi = self.settings.get("model_type") in ("phi3", "phi4_multimodal")
        return "longrope" if kind == "su" or (kind == "yarn" and is_phi) else kind

    @property
    def interleaved(self) -> bool:
        """Whether neighbouring dimensions form a pair; False where nothing says so."""
        given = _first(self.settings.get("rope_interleave"), _family(self.settings).interleaved)
        if not isinstance(given, bool):
            raise InputError(f"rope_interleave={shortened(given)} is neither true nor false")
        return given

    @property
    def base(self) -> float:
        """RoPE base of this layer type."""
        family, settings = _family(self.settings), self.settings
        value = self.entry.get("rope_theta")
        if value is None and self.layer_type == "sliding_attention":
            value = _first(settings.get("rope_local_base_freq"), family.sliding_base)
        value = _first(value, *map(settings.get, _BASE_KEYS), family.base)
        if value is None:
            raise InputError("the configuration has no base; add 'rope_theta'")
        return _number("rope_theta", value)

    @property
    def head_dim(self) -> int:
        """Dimension of a head; under latent attention, of its rotated slice."""
        settings = self.settings
        value = _first(self._own_head_dim(), settings.get("head_dim"), settings.get("qk_rope_head_dim"))
        if value is not None:
            return _whole("head_dim", value)
        hidden = _first(settings.get("hidden_size"), settings.get("n_embd"))
        heads = _first(settings.get("num_attention_heads"), settings.get("n_head"))
        if hidden is None or heads is None:
            raise InputError(
                "the configuration has neither 'head_dim' nor 'hidden_size', 'num_attention_heads'"
            )
        hidden, heads = _whole("hidden_size", hidden), _whole("num_attention_heads", heads)
        if heads < 1 or hidden % heads:
            raise InputError(f"hidden_size={hidden} is not a multiple of num_attention_heads={heads}")
        return hidden // heads

    def _own_head_dim(self) -> Any:
        """The head dimension of this layer type, where it has one of its own (Gemma 4)."""
        if self.layer_type == "full_attention" and self.settings.get("global_head_dim") is not None:
            return self.settings["global_head_dim"]
        changes = self.settings.get("per_layer_config") or {}
        types = self.settings.get("layer_types") or ()
        try:
            own = {
                change["head_dim"]
                for index, change in changes.items()
                if "head_dim" in change and self.layer_type in types[int(index) : int(index) + 1]
            }
        except (AttributeError, TypeError, ValueError):
            raise InputError(
                f"per_layer_config={shortened(changes)} does not map indices of layers to their changes"
            ) from None
        if len(own) > 1:
            raise InputError(f"layers of type {self.layer_type!r} differ in head_dim: {sorted(own, key=str)}")
        return own.pop() if own else None

    @property
    def share(self) -> float:
        """The share of the head, or of its pairs, that is rotated."""
        keys = ("rotary_pct", "partial_rotary_factor")
        given = _first(self.entry.get("partial_rotary_factor"), *map(self.settings.get, keys))
        return _number("partial_rotary_factor", _first(given, _family(self.settings).share))

    @property
    def rotary_dim(self) -> int:
        """Number of rotated dimensions; given outright by `rotary_dim` (GPT-J) or as a share of the head."""
        if self.settings.get("rotary_dim") is not None:
            return _whole("rotary_dim", self.settings["rotary_dim"])
        if _family(self.settings).whole_head and self.share != 1:
            raise InputError(
                f"partial_rotary_factor={self.share}, but model_type={self.settings['model_type']!r} "
                "rotates whole heads; remove it"
            )
        return partial_rotary_dim(self.head_dim, self.share)

    @property
    def shape(self) -> tuple[float, int, int]:
        """base, head_dim, rotary_dim: what all rope types but the proportional start from."""
        return self.base, self.head_dim, self.rotary_dim

    @property
    def context(self) -> int:
        """`max_position_embeddings`, tokens."""
        return _whole("max_position_embeddings", self._need(self.settings, "max_position_embeddings"))

    @property
    def trained_length(self) -> int:
        """Length before the extension, tokens: a value for the whole model (Phi 3) before the entry's."""
        key = "original_max_position_embeddings"
        outer = None if self.nested else self.settings.get(key)
        value = _first(outer, self.entry.get(key))
        return self.context if value is None else _whole(key, value)

    @property
    def factor(self) -> float:
        """The extension's factor; where it is null, the ratio of the two lengths."""
        value = self.optional("factor")
        return self.context / self.trained_length if value is None else value

    def number(self, key: str) -> float:
        """A number that the entry must give."""
        return _number(key, self._need(self.entry, key))

    def optional(self, key: str) -> float | None:
        """A number, or None where the entry does not give it."""
        value = self.entry.get(key)
        return None if value is None else _number(key, value)

    def numbers(self, key: str) -> list[float]:
        """A list of numbers that the entry must give."""
        values = self._need(self.entry, key)
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise InputError(f"{key}={shortened(values)} is not a list of numbers")
        return [_number(key, value) for value in values]

    def _need(self, where: Mapping[str, Any], key: str) -> Any:
        if where.get(key) is None:
            place = "the configuration" if where is self.settings else "its rope parameters"
            raise InputError(f"rope type {self.kind!r} needs {key!r} in {place}")
        return where[key]


def _settings(config: Mapping[str, Any] | HasToDict) -> Mapping[str, Any]:
    if isinstance(config, Mapping):
        return config
    if hasattr(config, "to_dict"):
        return config.to_dict()
    raise InputError(f"config is a {type(config).__name__}; give a mapping or an object with to_dict()")


def _family(settings: Mapping[str, Any]) -> _Defaults:
    name = settings.get("model_type") or ""
    if not isinstance(name, str):
        raise InputError(f"model_type={shortened(name)} is not a name")
    return _FAMILIES.get(name, _UNKNOWN)


def _check_has_rope(settings: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    has_base = any(settings.get(key) is not None for key in _BASE_KEYS)
    if given or has_base or _family(settings).base is not None:
        return
    hint = "; a multimodal model's is in its text_config" if "text_config" in settings else ""
    keys = ", ".join(("rope_parameters", "rope_scaling", *_BASE_KEYS))
    raise InputError(
        f"the configuration (model_type={settings.get('model_type')!r}) has no RoPE, none of {keys}{hint}"
    )


def _choose(entries: Mapping[str, Any], layer_type: str | None) -> Mapping[str, Any]:
    if layer_type is None:
        known = ", ".join(sorted(entries))
        raise InputError(f"the rotation differs between layer types; give one as layer_type: {known}")
    if layer_type not in entries:
        raise InputError(f"layer_type={layer_type!r} is unknown; {nearest(layer_type, sorted(entries))}")
    if entries[layer_type] is None:
        raise InputError(f"layers of type {layer_type!r} have no RoPE in this configuration")
    return entries[layer_type]


def _first(*values: Any) -> Any:
    """The first value that is not None; None if all are."""
    return next((value for value in values if value is not None), None)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name}={shortened(value)} is not a number")
    try:
        return float(value)
    except OverflowError:
        raise InputError(f"{name}={shortened(value)} is too large for a number of float64") from None


def _whole(name: str, value: Any) -> int:
    number = _number(name, value)
    if not number.is_integer():
        raise InputError(f"{name}={shortened(value)} is not a whole number")
    return int(number)


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

    >>> f = from_config({'model_type': 'llama', 'head_dim': 64, 'rope_theta': 1e5})
    >>> f.kind, f.rotary_dim, float(f.omega[0])  # rad/token
    ('default', 64, 1.0)
    """
    layer = LayerConfig.read(config, layer_type)
    if layer.kind not in _OPTIONS:
        raise InputError(f"rope type {layer.kind!r} is unknown; {nearest(layer.kind, sorted(_OPTIONS))}")
    if pairing is None:
        pairing = "interleaved" if layer.interleaved else "halves"
    row = rope_type(layer.kind)
    rotary = {"rotary_dim": layer.rotary_dim} if "rotary_dim" in row.options else {}
    return row.make(
        layer.base, layer.head_dim, **rotary, pairing=pairing, **_OPTIONS[layer.kind](layer, length)
    )


Options = dict[str, Any]
"""What a rope type takes beside base, sizes and pairing."""


def _factor(layer: LayerConfig, length: int | None) -> Options:
    return {"factor": layer.number("factor")}


def _dynamic(layer: LayerConfig, length: int | None) -> Options:
    return {
        "factor": layer.number("factor"),
        "trained_length": layer.context,
        "length": layer.context if length is None else length,
    }


def _yarn(layer: LayerConfig, length: int | None) -> Options:
    truncate = layer.entry.get("truncate", True)
    if not isinstance(truncate, bool):
        raise InputError(f"truncate={truncate!r} is neither true nor false")
    beta_fast, beta_slow = layer.optional("beta_fast"), layer.optional("beta_slow")
    return {
        # a null is DeepSeek's way of asking for the ratio of lengths; a missing key is a mistake
        "factor": layer.factor if "factor" in layer.entry else layer.number("factor"),
        "trained_length": layer.trained_length,
        "beta_fast": 32.0 if beta_fast is None else beta_fast,
        "beta_slow": 1.0 if beta_slow is None else beta_slow,
        "truncate": truncate,
        "attention_factor": layer.optional("attention_factor"),
        "mscale": layer.optional("mscale"),
        "mscale_all_dim": layer.optional("mscale_all_dim"),
    }


def _llama3(layer: LayerConfig, length: int | None) -> Options:
    return {
        "factor": layer.number("factor"),
        "trained_length": layer.trained_length,
        "low_freq_factor": layer.number("low_freq_factor"),
        "high_freq_factor": layer.number("high_freq_factor"),
    }


def _longrope(layer: LayerConfig, length: int | None) -> Options:
    return {
        "short_factor": layer.numbers("short_factor"),
        "long_factor": layer.numbers("long_factor"),
        "trained_length": layer.trained_length,
        "factor": layer.factor,
        "length": length,
        "attention_factor": layer.optional("attention_factor"),
    }


def _proportional(layer: LayerConfig, length: int | None) -> Options:
    factor = layer.optional("factor")
    return {"partial_rotary_factor": layer.share, "factor": 1.0 if factor is None else factor}


# keys of a configuration by rope type, as options of the registry's functions
_OPTIONS: Mapping[str, Callable[[LayerConfig, int | None], Options]] = {
    "default": lambda layer, length: {},
    "linear": _factor,
    "dynamic": _dynamic,
    "yarn": _yarn,
    "llama3": _llama3,
    "longrope": _longrope,
    "proportional": _proportional,
}


# What a configuration gives and nothing reads: a scaling that is silently ignored.


_READS: Mapping[str, frozenset[str]] = {
    "default": frozenset(),
    "linear": frozenset({"factor"}),
    "dynamic": frozenset({"factor"}),
    "yarn": frozenset(
        {"factor", "beta_fast", "beta_slow", "truncate", "attention_factor", "mscale", "mscale_all_dim"}
    ),
    "llama3": frozenset({"factor", "low_freq_factor", "high_freq_factor"}),
    "longrope": frozenset({"factor", "short_factor", "long_factor", "attention_factor"}),
    "proportional": frozenset({"factor"}),
}
"""Keys of the rope parameters that change a rotation, by the rope types that read them."""
_SCALING = frozenset().union(*_READS.values())
_PLACES = ("rope_scaling", "rope_parameters")
_ALWAYS_READ = {
    "type",
    "rope_type",
    "rope_theta",
    "partial_rotary_factor",
    "original_max_position_embeddings",
}
_TOP = (
    *_PLACES,
    *_BASE_KEYS,
    "partial_rotary_factor",
    "original_max_position_embeddings",
    "rope_local_base_freq",
)
_ALIKE = 0.85  # of two keys: one letter left out, added or changed


@dataclass(frozen=True, slots=True)
class Unread:
    """What a configuration gives in vain.

    Attributes:
        lost: a line for each thing that was meant to change the rotation and does not.
        notes: a line for each key that may be meant for other code, or says nothing of the rotation.
    """

    lost: tuple[str, ...]
    notes: tuple[str, ...]


def unread(config: Mapping[str, Any] | HasToDict, layer_type: str | None = None) -> Unread:
    """What a configuration's rope parameters give and the rotation that `from_config` reads does not have.

    >>> config = {"model_type": "llama", "head_dim": 64, "rope_theta": 1e4, "rope_scaling": {"factor": 4.0}}
    >>> unread(config).lost  # no rope type
    ('nothing reads factor=4.0: rope type default takes none, so the scaling is ignored',)

    Args:
        config, layer_type: as `from_config`.

    Raises:
        InputError: as `from_config`.
    """
    layer = LayerConfig.read(config, layer_type)
    kind, lost, notes = layer.kind, [], []
    for key, value in layer.entry.items():
        if (
            key in _ALWAYS_READ | _READS.get(kind, _SCALING)
            or value is None
            or isinstance(value, bool)
            or value == 1
        ):
            continue
        if key in _SCALING:
            takes = ", ".join(sorted(_READS.get(kind, ()))) or "none"
            lost.append(
                f"nothing reads {key}={shortened(value)}: rope type {kind} takes {takes}, so the scaling is ignored"
            )
        else:
            notes.append(f"{key}={shortened(value)} is no part of rope type {kind} as it is read here")
    names = [
        _canonical(layer.entry[key]) for key in ("rope_type", "type") if layer.entry.get(key) is not None
    ]
    if len(set(names)) > 1:
        lost.append(f"nothing reads type={names[1]!r}: rope_type={names[0]!r} stands beside it")
    lost += _contradictions(layer.settings)
    lost += [
        f"nothing reads {key!r}; {nearest(key, _TOP, cutoff=_ALIKE)}"
        for key in map(str, layer.settings)
        if key not in _TOP and get_close_matches(key, _TOP, cutoff=_ALIKE)
    ]
    longest = layer.settings.get("max_position_embeddings")
    if kind != "default" and longest is not None and layer.trained_length > layer.context:
        notes.append(
            f"the length before the extension, {layer.trained_length}, is above the context, {layer.context}"
        )
    return Unread(tuple(lost), tuple(notes))


def _canonical(name: Any) -> str:
    """One name of a rope type that has several."""
    return {"su": "longrope"}.get(str(name), str(name))


def _contradictions(settings: Mapping[str, Any]) -> list[str]:
    """Where `rope_scaling`, which wins, and `rope_parameters` give two values of one thing."""
    both = [entry for place in _PLACES if isinstance(entry := settings.get(place), Mapping) and entry]
    if len(both) < 2:
        return []
    first, second = (
        {("rope_type" if key == "type" else key): value for key, value in entry.items()} for entry in both
    )
    return [
        f"nothing reads {key}={shortened(second[key])} of rope_parameters: rope_scaling, with "
        f"{key}={shortened(first.get(key))}, stands beside it"
        for key in second
        if second[key] != first.get(key, settings.get(key))
    ]
