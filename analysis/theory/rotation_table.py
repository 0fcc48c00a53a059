"""What a configuration says of a model's rotation, by layer type, and frequencies of another stack beside it.

Nothing is loaded: a configuration is enough. `tapa doctor` prints these tables.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from analysis.errors import InputError
from analysis.inputs import check_regular
from analysis.settings import shortened
from analysis.theory.frequencies import Frequencies, plain
from analysis.theory.model_config import HasToDict, LayerConfig, from_config

UNIT = (
    float(np.finfo(np.float32).eps) / 2
)  # unit roundoff of float32, in which every stack forms its frequencies
BFLOAT16 = 2.0**-8  # two roundings to it differ by no more, relative
KEPT = 1e-9  # relative: a frequency that an extension leaves as it is, in float64


@dataclass(frozen=True, eq=False)
class LayerType:
    """Layers of one model that rotate alike.

    Attributes:
        name: as in the configuration's `layer_types`; None where all layers are of one type.
        layers: their indices, from 0.
        frequencies: their rotation.
        base: of the rotary frequencies.
        factor: of the context extension; 1 without one.
        trained_length: tokens before the extension; None where the configuration is silent.
        context: `max_position_embeddings`, tokens; None where it is silent.
        window: tokens that a query attends to; None for all.
        model_layers: how many the whole model has, of every type.
    """

    name: str | None
    layers: tuple[int, ...]
    frequencies: Frequencies
    base: float
    factor: float
    trained_length: int | None
    context: int | None
    window: int | None
    model_layers: int

    @property
    def unscaled(self) -> Float[np.ndarray, " pairs"]:
        """Angular frequencies of the same base without an extension, rad/token."""
        whole = self.frequencies.kind == "proportional"
        return plain(
            self.base, self.frequencies.head_dim, None if whole else self.frequencies.rotary_dim
        ).omega

    @property
    def wavelengths(self) -> Float[np.ndarray, " pairs"]:
        """Tokens of a whole turn of every pair; infinite for a pair that rests."""
        with np.errstate(divide="ignore"):
            return 2 * math.pi / self.frequencies.omega

    @property
    def slowed(self) -> Float[np.ndarray, " pairs"]:
        """By what the extension divides every frequency: 1 for a pair that it keeps, infinite for one that rests."""
        with np.errstate(divide="ignore"):
            return self.unscaled / self.frequencies.omega

    @property
    def unfinished(self) -> Bool[np.ndarray, " pairs"]:
        """Pairs that make no whole turn within the context, so that its end is new to their angles."""
        return self.wavelengths > (math.inf if self.context is None else self.context)


def layer_types(config: Mapping[str, Any] | HasToDict, *, length: int | None = None) -> list[LayerType]:
    """The layer types of a model, in the order of their first layers.

    Args:
        config: a parsed config.json, or an object with `to_dict`; of a multimodal model its `text_config` is taken.
        length: of the text in tokens, for the rope types that depend on it; None for the trained length.

    Raises:
        InputError: as `from_config`, or the configuration names no number of layers.

    >>> config = {"model_type": "llama", "head_dim": 64, "num_hidden_layers": 2, "rope_theta": 1e4}
    >>> [found] = layer_types(config)
    >>> found.layers, round(float(found.wavelengths[0]), 3)  # tokens
    ((0, 1), 6.283)
    """
    settings = config if isinstance(config, Mapping) else config.to_dict()
    if isinstance(settings.get("text_config"), Mapping):
        settings = settings["text_config"]
    check_sizes(settings)
    names = _names(settings)
    found = []
    for name in dict.fromkeys(names):
        own = LayerConfig.read(settings, name)
        factor = own.optional("factor")
        context = settings.get("max_position_embeddings")
        found.append(
            LayerType(
                name=name,
                layers=tuple(index for index, other in enumerate(names) if other == name),
                frequencies=from_config(settings, layer_type=name, length=length),
                base=own.base,
                factor=1.0 if factor is None else factor,
                trained_length=None if context is None else own.trained_length,
                context=None if context is None else own.context,
                window=_window(settings, name),
                model_layers=len(names),
            )
        )
    return found


LARGEST = {
    **dict.fromkeys(("num_hidden_layers", "n_layer"), 1 << 16),
    **dict.fromkeys(("hidden_size", "n_embd"), 1 << 18),
    **dict.fromkeys(("num_attention_heads", "num_key_value_heads", "n_head", "head_dim"), 1 << 14),
    "sliding_window_pattern": 1 << 16,
    "max_position_embeddings": None,  # written large for a length without bound
}
"""Sizes that a configuration gives as one number, and the most that a model may have of each."""
WIDEST = 1 << 32
"""Numbers in a projection of queries; beyond it memory ends before a sentence does."""


def check_sizes(settings: Mapping[str, Any]) -> None:
    """`InputError` for a size that no model has: below 1, or so large that memory would end.

    >>> check_sizes({"num_key_value_heads": 0})
    Traceback (most recent call last):
        ...
    analysis.errors.InputError: num_key_value_heads=0 of the configuration is no size; give 1 or more
    """
    for name, most in LARGEST.items():
        value = settings.get(name)
        if value is None or isinstance(value, bool) or not isinstance(value, int | float):
            continue  # other kinds are for whoever reads them
        if not value >= 1:
            raise InputError(f"{name}={shortened(value)} of the configuration is no size; give 1 or more")
        if most is not None and value > most:
            raise InputError(f"{name}={shortened(value)} of the configuration is above {most}; give less")
    widths = [settings.get(name) for name in ("hidden_size", "num_attention_heads", "head_dim")]
    if (wide := math.prod(width for width in widths if isinstance(width, int))) > WIDEST:
        raise InputError(
            f"hidden_size, num_attention_heads and head_dim of the configuration make a projection of {wide} "
            f"numbers, above {WIDEST}; give less"
        )


def _names(settings: Mapping[str, Any]) -> list[str | None]:
    """The type of every layer; None for all where the configuration has one type."""
    count = next(
        (settings[key] for key in ("num_hidden_layers", "n_layer") if settings.get(key) is not None), None
    )
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(f"num_hidden_layers={count!r} is no number of layers; add it to the configuration")
    given = settings.get("layer_types")
    if given:
        if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != count:
            raise InputError(f"layer_types does not name a type for each of {count} layers")
        return list(map(str, given))
    if (
        settings.get("model_type") == "gemma3_text"
    ):  # published files name every how many layers attend to all
        every = 6 if (given := settings.get("sliding_window_pattern")) is None else given
        if isinstance(every, bool) or not isinstance(every, int):
            raise InputError(
                f"sliding_window_pattern={shortened(every)} is no whole number; give one, such as 6"
            )
        return ["full_attention" if (i + 1) % every == 0 else "sliding_attention" for i in range(count)]
    return [None] * count


def _window(settings: Mapping[str, Any], name: str | None) -> int | None:
    if name == "full_attention" or settings.get("use_sliding_window") is False:
        return None
    value = settings.get("sliding_window")
    return value if isinstance(value, int) else None


# Frequencies of another stack beside ours: where they differ first, and by which known mistake.


@dataclass(frozen=True, eq=False)
class FrequencyComparison:
    """Frequencies found somewhere beside those of the configuration.

    Attributes:
        ours, theirs: rad/token, one for each pair.
        allowed: relative difference that rounding explains, one for each pair.
        mistake: words for a known mistake that gives `theirs`; None if there is no difference or none is known.
    """

    ours: Float[np.ndarray, " pairs"]
    theirs: Float[np.ndarray, " pairs"]
    allowed: Float[np.ndarray, " pairs"]
    mistake: str | None

    @property
    def difference(self) -> Float[np.ndarray, " pairs"]:
        """Relative to ours; infinite where a pair turns that ought to rest."""
        return _relative(self.ours, self.theirs)

    @property
    def wrong(self) -> list[int]:
        """Pairs that differ by more than rounding, the fastest first."""
        return np.flatnonzero(~(self.difference <= self.allowed)).tolist()


def compare_frequencies(
    layer: LayerType, theirs: Float[np.ndarray, " pairs"], *, unit: float = UNIT
) -> FrequencyComparison:
    """Frequencies of another stack beside those of the configuration.

    omega_d = base^-e in float32 carries a relative error of at most u (|ln omega_d| + 6); reading it off a table of
    cosines and sines adds four roundings of the table's own type.

    Args:
        theirs: rad/token, one for each pair, the fastest first.
        unit: unit roundoff of the type that they are stored in, if it is coarser than float32.

    Raises:
        InputError: they are of another number of pairs.

    >>> config = {"model_type": "llama", "head_dim": 8, "num_hidden_layers": 1, "rope_theta": 1e4}
    >>> [layer] = layer_types(config)
    >>> compare_frequencies(layer, np.array([1.0, 0.1, 0.01, 0.002])).wrong
    [3]
    """
    ours = layer.frequencies.omega
    theirs = np.asarray(theirs, dtype=np.float64)
    if theirs.shape != ours.shape:
        raise InputError(f"{theirs.size} frequencies were given, the configuration rotates {ours.size} pairs")
    with np.errstate(divide="ignore"):
        steps = np.where(ours > 0, np.abs(np.log(ours)), 0.0) + 6
    allowed = UNIT * steps + 4 * max(unit, UNIT)
    wrong = ~(_relative(ours, theirs) <= allowed)
    mistake = None
    if wrong.any():
        named = known_mistakes(layer) | {"the frequencies were rounded to bfloat16": ours}
        limits = dict.fromkeys(named, allowed) | {"the frequencies were rounded to bfloat16": BFLOAT16}
        fits = (what for what, omega in named.items() if (_relative(omega, theirs) <= limits[what]).all())
        mistake = next(fits, None)
    return FrequencyComparison(ours, theirs, allowed, mistake)


def _relative(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    difference = np.abs(theirs - ours)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference == 0, 0.0, difference / ours)


def known_mistakes(layer: LayerType) -> dict[str, Float[np.ndarray, " pairs"]]:
    """Frequencies that stacks are known to compute in place of the right ones, by what went wrong."""
    ours, frequencies = layer.frequencies.omega, layer.frequencies
    found: dict[str, np.ndarray] = {}
    turns = ours > 0  # pairs of p-RoPE that rest are slowed without end, and by no extension
    if not turns.all():
        found["pairs that ought to rest are turned"] = layer.unscaled[: len(ours)]
    if (layer.slowed[turns] > 1 + KEPT).any():
        unscaled = layer.unscaled[: len(ours)]
        found["the scaling is ignored: these are the frequencies of the base alone"] = unscaled
        found["every pair is divided by the factor, as in position interpolation"] = unscaled / layer.factor
        found["the ramp is inverted: fast pairs are divided by the factor and slow pairs are kept"] = (
            unscaled * (1 + 1 / layer.factor) - ours
        )
        multiplied = np.divide(unscaled**2, ours, out=np.zeros_like(ours), where=turns)
        found["the frequencies are multiplied where they ought to be divided"] = multiplied
    if frequencies.rotary_dim < frequencies.head_dim:
        whole = plain(layer.base, frequencies.head_dim).omega[: len(ours)]
        found["the exponents are those of the whole head, not of its rotated part"] = whole
    for base in (1e4, 1e5, 5e5, 1e6):
        if base != layer.base:
            found[f"the base is {base:.0f}"] = plain(base, frequencies.rotary_dim).omega
    return found


@dataclass(frozen=True, eq=False)
class FrequencyDump:
    """Frequencies that another stack has written, by layer type.

    Attributes:
        omega: rad/token, (pairs,), or (layers, pairs) with a row for each layer of the type, in their order; by layer
            type, under "" for all layers.
        attention_factor: by layer type, where the file says it.
        unit: unit roundoff of the type that they were stored in.
    """

    omega: Mapping[str, np.ndarray]
    attention_factor: Mapping[str, float]
    unit: float

    def of(self, layer: LayerType) -> list[tuple[tuple[int, ...], Float[np.ndarray, " pairs"]]]:
        """What it holds for the layers of a type: runs of layers, each with its frequencies.

        Raises:
            InputError: it holds none for them, or another number of layers than the model has.
        """
        name = layer.name if layer.name is not None and layer.name in self.omega else ""
        if name not in self.omega:
            raise InputError(
                f"the file has no frequencies of {layer.name or 'all layers'}; it names {', '.join(self.omega)}"
            )
        found = self.omega[name]
        if found.ndim == 1:
            return [(layer.layers, found)]
        rows = layer.layers if name == "" else tuple(range(len(layer.layers)))
        wanted = len(layer.layers) if name else layer.model_layers
        if len(found) != wanted:
            where = f" under {name!r}" if name else ""
            raise InputError(
                f"the file has frequencies of {len(found)} layers{where}, the model has {wanted}; write a row for each"
            )
        return [((index,), found[row]) for index, row in zip(layer.layers, rows, strict=True)]


FREQUENCY_NAMES = ("inv_freq", "omega", "theta", "freqs")


def read_dump(path: Path) -> FrequencyDump:
    """Frequencies that another stack (vLLM, llama.cpp, litgpt) was made to write with `numpy.savez`.

    Args:
        path: an .npz with `inv_freq` (or omega, theta, freqs) of shape (pairs,) or (layers, pairs); or `cos` and `sin`
            of shape (positions, pairs) or (positions, 2 pairs); or vLLM's `cos_sin_cache` (positions, 2 pairs), whose
            first half are the cosines. Tables start at position 0 and have two positions or more. A name may stand
            behind a layer type and a full stop: `sliding_attention.inv_freq`. `attention_factor` is optional.

    Raises:
        InputError: the file cannot be read, holds none of these, or a table that starts elsewhere.
    """
    check_regular(path)
    arrays = _arrays(path)
    omega: dict[str, np.ndarray] = {}
    factors: dict[str, float] = {}
    units = [UNIT]
    for prefix in dict.fromkeys(key.rpartition(".")[0] for key in arrays):
        own = {key.rpartition(".")[2]: x for key, x in arrays.items() if key.rpartition(".")[0] == prefix}
        named = next((own[name] for name in FREQUENCY_NAMES if name in own), None)
        if named is not None:
            if named.ndim not in (1, 2):
                raise InputError(
                    f"{path}: frequencies of shape {named.shape}; give (pairs,) or (layers, pairs)"
                )
            omega[prefix] = named.astype(np.float64)
            units.append(_unit(named))
        elif (table := _table(path, own)) is not None:
            omega[prefix], factors[prefix] = table[:2]
            units.append(table[2])
        if "attention_factor" in own:
            factors[prefix] = float(own["attention_factor"])
    if not omega:
        raise InputError(
            f"{path} has no inv_freq, no cos and sin and no cos_sin_cache, only {', '.join(arrays) or 'nothing'}"
        )
    if not all(np.isfinite(x).all() for x in omega.values()):
        raise InputError(f"{path} holds a frequency that is not finite")
    return FrequencyDump(omega, factors, max(units))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:  # a single .npy has no names
            return {str(key): archive[key] for key in archive.files}
    except (OSError, ValueError, AttributeError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} cannot be read as .npz ({reason}); write it with numpy.savez") from error


def _unit(array: np.ndarray) -> float:
    return float(np.finfo(array.dtype).eps) / 2 if array.dtype.kind == "f" else UNIT


def _table(path: Path, own: Mapping[str, np.ndarray]) -> tuple[np.ndarray, float, float] | None:
    """Frequencies, attention factor and unit roundoff of a table of cosines and sines; None if there is none."""
    if "cos_sin_cache" in own:
        both = own["cos_sin_cache"]
        half = both.shape[-1] // 2
        cos, sin = both[..., :half], both[..., half:]
    elif {"cos", "sin"} <= own.keys():
        cos, sin = own["cos"], own["sin"]
    else:
        return None
    if cos.ndim != 2 or cos.shape != sin.shape or len(cos) < 2:
        raise InputError(
            f"{path}: cosines {cos.shape} and sines {sin.shape}; give (positions, pairs), two or more"
        )
    unit = max(_unit(cos), _unit(sin))
    z = cos.astype(np.float64) + 1j * sin.astype(np.float64)
    half = z.shape[1] // 2
    if z.shape[1] % 2 == 0 and np.array_equal(z[:, :half], z[:, half:]):
        z = z[:, :half]  # once for each of the two dimensions of a pair
    elif z.shape[1] % 2 == 0 and np.array_equal(z[:, ::2], z[:, 1::2]):
        z = z[:, ::2]
    if not np.allclose(z[0].imag, 0, atol=unit):
        raise InputError(
            f"{path}: the first row of the table turns, so it is not position 0; give it from there on"
        )
    factor = float(np.abs(z).mean())
    return np.angle(z[1] * z[0].conj()), factor, unit
