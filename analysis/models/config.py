"""What a small Llama is: its sizes and the way positions enter its score.

The same names serve recipes (TOML), checkpoints (JSON in their metadata) and the command line: plain mappings become
checked objects here, without torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from analysis.errors import InputError
from analysis.settings import (
    check_above,
    check_at_least,
    check_even,
    check_proper_share,
    check_share,
    check_whole,
    differences,
    from_mapping,
    nearest,
)
from analysis.theory import frequencies

CONVERSIONS: Mapping[str, tuple[str, ...]] = {
    "tapa": ("alpha", "amplitude_share", "phase_rows", "turns"),
    "nope": (),
    "rope": (),
    "yarn": ("factor",),
}
"""Positional encodings that a model of transformers can be converted to (`models.convert.converted`), and the options
that mean something to each."""
PHASE_ROWS = 0.125
"""Factor of the phase's rows of q and of k in a conversion, a power of two."""
BYTES = 256
"""Tokens of a model that has no tokenizer and is trained on bytes."""
MODEL = "model.safetensors"
"""File name of a checkpoint's weights."""

ROTARY = ("base", "extension", "factor", "trained_length")
PHASE = ("alpha", "amplitude_share", "turns", "phase_lr_scale")
# Each method and the options that mean something to it; `methods.ENCODINGS` makes its encoding.
METHODS: Mapping[str, tuple[str, ...]] = {
    "rope": ROTARY,
    "partial": (*ROTARY, "rotary_share"),
    "p_rope": ("base", "rotary_share"),
    "interleaved": (*ROTARY, "nope_every"),
    "accumulated": ("base",),
    "pope": ("base",),
    "xpos": ("base",),
    "alibi": (),
    "fox": (),
    "nope": (),
    "nope_log": ("trained_length",),
    "window": ("base", "window"),
    "tapa": (*PHASE, "phase_init_std"),
    "tapa_linear": (*PHASE, "phase_init_std"),
    "tapa_separate": (*PHASE, "phase_init_std"),
    "tapa_general": PHASE,
}
TURNING = ("rope", "partial", "p_rope", "interleaved", "accumulated", "xpos", "window")
"""Methods that rotate pairs of dimensions, of which a head has a whole number."""
MOST = {
    "vocab_size": 1 << 20, "layers": 1 << 10, "width": 1 << 16, "heads": 1 << 10, "kv_heads": 1 << 10,
    "head_dim": 1 << 12, "hidden": 1 << 18, "context": 1 << 24,
}  # fmt: skip
"""The largest sizes; no small Llama comes near them, and beyond them memory ends before a sentence does."""
MOST_WEIGHTS = 1 << 33
USERS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
"""The import path of a user's class."""
EXTENSIONS = tuple(name for name in frequencies.NAMES if name != "dynamic")
"""Extensions of RoPE that a configuration may hold; the dynamic one follows the length of each text."""


@dataclass(frozen=True, slots=True)
class MethodConfig:
    """How positions enter the score, and how that part is trained; checks itself on construction.

    A user's own class is named by its import path, "mypackage.module:Class". Naming it imports nothing.

    Attributes:
        name: a key of `METHODS`, or a user's class.
        base: of RoPE, PoPE and of the angles with which accumulated rotations start, > 1.
        rotary_share: "partial", "p_rope": share of the head's dimensions that are rotated, in (0, 1].
        nope_every: "interleaved": one layer of so many, the last one, has no position; None for 4, or for the last
            layer of a model that has fewer.
        window: "window": tokens that a query sees, itself included; None for half the model's context.
        alpha: TAPA's exponent of the distance, >= 0; 0 takes distance out of the phase.
        amplitude_share: TAPA's share of the dimensions in the amplitude, in (0, 1).
        turns: whether TAPA's phase is in turns, as the paper has it; False leaves its 2 pi out.
        phase_lr_scale: factor of the learning rate of what makes TAPA's phase, >= 0; 1 is plain TAPA, 0 leaves
            the phase's weights at their initial values.
        phase_init_std: standard deviation of the phase rows of W_q and W_k at the start, >= 0; None for that
            of all other weights.
        extension: of the trained RoPE, one of `EXTENSIONS`.
        factor: of the extension: length to read over trained length, >= 1.
        trained_length: before the extension, tokens; of "nope_log" where its temperature is 1; None for the model's
            context.
        options: of a user's class: what its constructor takes.
        source_sha256: of a user's class: of the file that defines it; None if that is not known.

    >>> MethodConfig('tapa', alpha=0.3).is_tapa
    True
    """

    name: str = "rope"
    base: float = 1e4
    rotary_share: float = 0.5
    nope_every: int | None = None
    window: int | None = None
    alpha: float = 0.1
    amplitude_share: float = 0.5
    turns: bool = True
    phase_lr_scale: float = 1.0
    phase_init_std: float | None = None
    extension: str = "none"
    factor: float = 1.0
    trained_length: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    source_sha256: str | None = None

    def __post_init__(self) -> None:
        if self.name not in METHODS and not self.is_users:
            also = "; a class of your own is mypackage.module:Class" if ":" in self.name else ""
            raise InputError(f"method {self.name!r} is unknown; {nearest(self.name, METHODS)}{also}")
        object.__setattr__(self, "options", dict(self.options))
        for key, value in self.options.items():
            if not isinstance(value, bool | int | float | str):
                raise InputError(f"method.{key}={value!r} is no number, text or truth value")
            if isinstance(value, float) and not math.isfinite(value):
                raise InputError(f"method.{key}={value} of {self.name} is not finite; give a number")
        object.__setattr__(self, "extension", frequencies.extension_name(self.extension))
        if self.extension not in EXTENSIONS:
            raise InputError(
                f"extension {self.extension!r} does not fit a configuration; {nearest(self.extension, EXTENSIONS)}"
            )
        known = ("options", "source_sha256") if self.is_users else METHODS[self.name]
        for option in fields(self)[1:]:
            value = getattr(self, option.name)
            default = {} if option.name == "options" else option.default
            if option.name not in known and value != default:
                raise InputError(f"{option.name}={value} means nothing to method {self.name}; leave it out")
        check_above("base", self.base, 1)
        for name in ("alpha", "phase_lr_scale"):
            check_at_least(name, getattr(self, name), 0)
        check_share("rotary_share", self.rotary_share)
        check_at_least("factor", self.factor, 1)
        check_proper_share("amplitude_share", self.amplitude_share)
        if self.phase_init_std is not None:
            check_at_least("phase_init_std", self.phase_init_std, 0)
        for name in ("window", "trained_length", "nope_every"):
            if (value := getattr(self, name)) is not None:
                check_whole(name, value)

    @property
    def is_users(self) -> bool:
        """Is it a user's own class, named by its import path?"""
        return USERS.fullmatch(self.name) is not None

    @property
    def is_tapa(self) -> bool:
        """Does its score have a phase?"""
        return self.name.startswith("tapa")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Sizes of a small Llama; checks itself on construction.

    Attributes:
        vocab_size: tokens it knows; 256 for bytes.
        layers, width: blocks, and dimensions of the residual stream.
        heads, kv_heads: of queries, and of keys and values; kv_heads divides heads.
        head_dim: of a head, even where a part of it is rotated.
        hidden: dimensions inside SwiGLU.
        context: tokens it was trained to read.
        method: how positions enter.

    >>> ModelConfig(layers=2, method=MethodConfig('window')).method.window  # half the context of 128 tokens
    64
    """

    vocab_size: int = 256
    layers: int = 4
    width: int = 128
    heads: int = 2
    kv_heads: int = 2
    head_dim: int = 64
    hidden: int = 344
    context: int = 128
    method: MethodConfig = field(default_factory=MethodConfig)

    def __post_init__(self) -> None:
        for size in fields(self)[:-1]:
            check_whole(size.name, getattr(self, size.name), most=MOST[size.name])
        if self.least_weights > MOST_WEIGHTS:
            raise InputError(
                f"the sizes make {self.least_weights} weights, above {MOST_WEIGHTS}; give smaller ones"
            )
        if self.heads % self.kv_heads:
            raise InputError(f"kv_heads={self.kv_heads} does not divide heads={self.heads}; give a divisor")
        if self.method.name in TURNING:
            check_even("head_dim", self.head_dim)
        name = self.method.name
        is_stretched = self.method.extension != "none" or name == "nope_log"
        resolved = {
            "window": max(1, self.context // 2) if name == "window" else None,
            "trained_length": self.context if is_stretched else None,
            "nope_every": min(4, self.layers) if name == "interleaved" else None,
        }
        open_ = {name: value for name, value in resolved.items() if value and not getattr(self.method, name)}
        object.__setattr__(self, "method", replace(self.method, **open_))

    @property
    def least_weights(self) -> int:
        """Weights of embedding, attention and feed-forward matrices; a method may add more."""
        attention = self.width * self.head_dim * 2 * (self.heads + self.kv_heads)
        return self.vocab_size * self.width + self.layers * (attention + 3 * self.width * self.hidden)

    def to_dict(self) -> dict[str, Any]:
        """JSON's own types; `from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """Checked; raises `InputError` for a key that is unknown or a value of another type or range."""
        return from_mapping(cls, values)

    def differences(self, other: ModelConfig) -> list[str]:
        """Every field that differs, as "width: 128, not 256"; a method's as "method.base: ..."."""
        return differences(self.to_dict(), other.to_dict())


def check_conversion(to: str, options: Mapping[str, Any]) -> None:
    """`InputError` for options of a conversion that mean nothing to it or are out of their range; None is not given.

    >>> check_conversion("nope", {"alpha": 0.2, "factor": None})
    Traceback (most recent call last):
        ...
    analysis.errors.InputError: alpha=0.2 means nothing to --to nope; leave it out
    """
    given = {name: value for name, value in options.items() if value is not None}
    known = {name for names in CONVERSIONS.values() for name in names}
    for name, value in given.items():
        if name in known - set(CONVERSIONS.get(to, known)):
            raise InputError(f"{name}={value} means nothing to --to {to}; leave it out")
    check_at_least("alpha", given.get("alpha", 0), 0)
    check_proper_share("amplitude_share", given.get("amplitude_share", 0.5))
    check_at_least("factor", given.get("factor", 1), 1)
    rows = given.get("phase_rows", PHASE_ROWS)
    check_above("phase_rows", rows, 0)
    if math.frexp(rows)[0] != 0.5:
        raise InputError(f"phase_rows={rows} is no power of two; give one such as {PHASE_ROWS}")


def check_import_path(name: str) -> None:
    """`InputError` unless it can be the import path of a class, which nothing is imported for."""
    if not USERS.fullmatch(name):
        raise InputError(f"method {name!r} is no import path of a class; write mypackage.module:Class")
