"""What `tapa doctor` finds out and prints: the rotation of a model, its module beside it, and frequencies of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.inputs import read_json
from analysis.theory.model_config import unread
from analysis.theory.rotation_table import LayerType, compare_frequencies, layer_types, read_dump

if TYPE_CHECKING:
    from analysis.models.rotation_check import MeasuredRotation

KEPT = 1.0 + 1e-6  # a pair that an extension slows by no more counts as kept


@dataclass(eq=False)
class Diagnosis:
    """What was found of a model.

    Attributes:
        name: of the model.
        layers: what its configuration says.
        module: lines about its module.
        dump: lines about the frequencies of another stack.
        notes: lines about what the configuration gives beside its rotation.
        wrong: a line for everything that is not as the configuration says.
    """

    name: str
    layers: list[LayerType]
    module: list[str] = field(default_factory=list)
    dump: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def diagnose(
    path: Path, *, name: str | None = None, against: Path | None = None, length: int | None = None
) -> Diagnosis:
    """Read a configuration, check the module that transformers builds from it, and compare a dump.

    Args:
        path: a Hugging Face folder, a config.json, or a .gguf file.
        name: of the model for a reader; the file's if None.
        against: an .npz of frequencies, see `rotation_table.read_dump`.
        length: of the text in tokens, for rope types that depend on it.

    Raises:
        InputError: the configuration or the dump cannot be read.
    """
    dump = None if against is None else read_dump(against)  # before what takes seconds
    written = None if path.suffix == ".gguf" else _configuration(path)
    if written is not None:
        found = Diagnosis(name or path.name, layer_types(written, length=length))
        _check_all_is_read(found, written)
    else:
        from analysis.models.huggingface import inspect, quiet_transformers, read_config

        with quiet_transformers():
            found = Diagnosis(name or path.name, layer_types(read_config(inspect(path)), length=length))
    _check_module(found, path, written)
    if dump is not None and against is not None:
        for layer in found.layers:
            for layers, omega in dump.of(layer):
                compared = compare_frequencies(layer, omega, unit=dump.unit)
                _compare(found, against.name, layers, compared)
            name = layer.name if layer.name in dump.attention_factor else ""
            _compare_factor(found, against.name, layer, dump.attention_factor.get(name or ""), dump.unit)
    return found


def _configuration(path: Path) -> dict[str, Any]:
    file = path / "config.json" if path.is_dir() else path
    return read_json(
        file,
        remedy="give a Hugging Face folder, its config.json or a .gguf file (`tapa measure` checks models of `tapa "
        "train`)",
    )


def _check_all_is_read(found: Diagnosis, written: dict[str, Any]) -> None:
    """What the file gives and its rotation does not have; of a multimodal model what its text part gives."""
    part = written.get("text_config")
    for layer in found.layers:
        said = unread(part if isinstance(part, dict) else written, layer.name)
        found.wrong += [f"{_layers(layer.layers)}: {line}" for line in said.lost]
        found.notes += [f"{_layers(layer.layers)}: {line}" for line in said.notes]


def _check_module(found: Diagnosis, path: Path, written: dict[str, Any] | None) -> None:
    """Build one layer of each type and look at its rotation; says why where it is not looked at."""
    from analysis.models.families import FAMILIES

    if written is not None and written.get("model_type") not in FAMILIES:
        found.module.append(
            f"module: not checked; {written.get('model_type')!r} is none of the architectures whose queries and keys "
            f"can be captured ({', '.join(sorted(FAMILIES))})"
        )
        return
    from analysis.models.rotation_check import Unbuildable, check_module

    try:
        checked = check_module(path)
    except Unbuildable as error:
        found.wrong.append(f"module: {error}")
        return
    for kind, rotation in checked.rotations.items():
        of = "every layer" if kind is None else kind
        wrong = _module_faults(rotation)
        found.wrong += [f"module, {of}: {fault}" for fault in wrong]
        if not wrong:
            worst = float(rotation.difference.max())
            found.module.append(
                f"module, {of}: transformers' {checked.architecture} rotates as the configuration says "
                f"(largest difference {worst:.1e} relative, rounding explains {rotation.allowed:.1e})"
            )


def _module_faults(rotation: MeasuredRotation) -> list[str]:
    faults = []
    if rotation.wrong:
        first = rotation.wrong[0]
        ours, theirs = rotation.expected.omega[first], rotation.omega[first]
        faults.append(
            f"pair {first} is the first of {len(rotation.wrong)} wrong ones: it turns by {theirs:.6g} rad/token, by "
            f"the configuration by {ours:.6g}; its attention factor is {rotation.attention_factor:.4g}, by the "
            f"configuration {rotation.expected.attention_factor:.4g}"
        )
    if rotation.still > rotation.allowed:
        faults.append(
            f"dimensions from {rotation.expected.rotary_dim} on turn, which the configuration leaves still"
        )
    if rotation.mask is not None:
        faults.append(rotation.mask)
    return faults


def _compare(found: Diagnosis, name: str, layers: tuple[int, ...], compared: Any) -> None:
    where = f"{name}, {_layers(layers)}"
    if not compared.wrong:
        worst = int(np.argmax(compared.difference / compared.allowed))
        found.dump.append(
            f"{where}: as the configuration says (largest difference {compared.difference[worst]:.1e} relative, "
            f"rounding explains {compared.allowed[worst]:.1e})"
        )
        return
    first = compared.wrong[0]
    why = "" if compared.mistake is None else f"; {compared.mistake}"
    found.wrong.append(
        f"{where}: pair {first} is the first of {len(compared.wrong)} wrong ones: it turns by "
        f"{compared.theirs[first]:.6g} rad/token there, by the configuration by {compared.ours[first]:.6g}{why}"
    )


def _compare_factor(found: Diagnosis, name: str, layer: LayerType, theirs: float | None, unit: float) -> None:
    ours = layer.frequencies.attention_factor
    if theirs is not None and not abs(theirs - ours) <= 4 * unit * ours:
        found.wrong.append(
            f"{name}, {_layers(layer.layers)}: the attention factor is {theirs:.6g} there, by the configuration "
            f"{ours:.6g}"
        )


def diagnosis_json(found: Diagnosis) -> dict[str, Any]:
    """For a machine: what is infinite is None."""

    def finite(values: np.ndarray) -> list[float | None]:
        return [float(x) if math.isfinite(x) else None for x in values]

    return {
        "model": found.name,
        "wrong": found.wrong,
        "module": found.module,
        "against": found.dump,
        "notes": found.notes,
        "layer_types": [
            {
                "name": layer.name,
                "layers": list(layer.layers),
                "rope_type": layer.frequencies.kind,
                "base": layer.base,
                "factor": layer.factor,
                "attention_factor": layer.frequencies.attention_factor,
                "head_dim": layer.frequencies.head_dim,
                "rotary_dim": layer.frequencies.rotary_dim,
                "pairing": layer.frequencies.pairing,
                "trained_length": layer.trained_length,
                "context": layer.context,
                "sliding_window": layer.window,
                "omega": layer.frequencies.omega.tolist(),
                "wavelength": finite(layer.wavelengths),
                "slowed": finite(layer.slowed),
            }
            for layer in found.layers
        ],
    }


def diagnosis_text(found: Diagnosis, *, pairs: bool) -> str:
    """For a reader; `pairs` asks for a line for each pair."""
    lines = [found.name]
    for layer in found.layers:
        lines += _layer_lines(layer)
        if pairs:
            lines += _pair_lines(layer)
    return "\n".join([*lines, *found.module, *found.dump, *found.notes])


def _layer_lines(layer: LayerType) -> list[str]:
    f = layer.frequencies
    kind = f"{layer.name}, {f.kind}" if layer.name else f.kind
    window = "" if layer.window is None else f", attends to {layer.window} tokens"
    lines = [
        f"{_layers(layer.layers)}: {kind}, base {layer.base:.10g}, {len(f.omega)} pairs ({f.pairing}) rotate "
        f"{f.rotary_dim} of {f.head_dim} dimensions, attention factor {f.attention_factor:.4g}{window}"
    ]
    turning = layer.wavelengths[np.isfinite(layer.wavelengths)]
    resting = len(f.omega) - len(turning)
    text = (
        f"    wavelengths {turning.min():.4g} to {turning.max():.6g} tokens"
        if len(turning)
        else "    no pair turns"
    )
    lines.append(text + (f", {resting} pairs rest" if resting else ""))
    if layer.context is not None:
        lines.append(
            f"    context {layer.context} tokens, within which {int(layer.unfinished.sum())} of {len(f.omega)} pairs "
            f"make no whole turn"
        )
    if (layer.slowed[np.isfinite(layer.slowed)] > KEPT).any():
        lines.append(_ramp_line(layer))
    return lines


def _ramp_line(layer: LayerType) -> str:
    """Which pairs an extension keeps, which it slows in part, and which in full."""
    slowed = layer.slowed
    kept, full = slowed <= KEPT, np.isclose(slowed, layer.factor, rtol=1e-6)
    between = ~kept & ~full & np.isfinite(slowed)
    parts = [
        f"{_runs(np.flatnonzero(chosen))} {what}"
        for chosen, what in (
            (kept, "kept"),
            (
                between,
                f"slowed by {slowed[between].min():.3g} to {slowed[between].max():.3g}"
                if between.any()
                else "",
            ),
            (full, f"slowed by {layer.factor:g}"),
        )
        if chosen.any()
    ]
    trained = "" if layer.trained_length is None else f" beyond {layer.trained_length} tokens"
    return f"    extension{trained}: pairs {', '.join(parts)}"


def _pair_lines(layer: LayerType) -> list[str]:
    lines = [f"{'pair':>8}{'rad/token':>16}{'wavelength':>16}{'slowed by':>12}"]
    for d, (omega, wavelength, slowed) in enumerate(
        zip(layer.frequencies.omega, layer.wavelengths, layer.slowed, strict=True)
    ):
        lines.append(f"{d:>8}{omega:>16.6g}{wavelength:>16.6g}{slowed:>12.4g}")
    return lines


def _layers(layers: Sequence[int]) -> str:
    return f"layer {layers[0]}" if len(layers) == 1 else f"layers {_runs(layers)}"


def _runs(numbers: Sequence[int] | np.ndarray) -> str:
    """Whole numbers in ascending order as runs: 0-3, 5."""
    runs: list[list[int]] = []
    for number in map(int, numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
