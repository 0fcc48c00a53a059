"""What `tapa curve` computes and prints: the expected score by distance of one rope type."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from analysis.errors import InputError
from analysis.inputs import read_json
from analysis.settings import check_at_least
from analysis.theory import frequencies, model_config, rope

ALWAYS = {"config", "mu", "nu", "to", "points", "as_json"}
SHAPE = {"kind", "base", "head_dim", "rotary_dim"}
USES = {  # options that each rope type makes something of
    "default": SHAPE | {"turns"},
    "linear": SHAPE | {"turns", "factor"},
    "ntk": SHAPE | {"turns", "factor"},
    "dynamic": SHAPE | {"turns", "factor", "trained_length"},
    "yarn": SHAPE | {"factor", "trained_length"},  # no turns: the thresholds are defined in radians
    "llama3": SHAPE | {"factor", "trained_length"},
    "proportional": {"kind", "base", "head_dim", "turns", "share"},
    "xpos": SHAPE | {"turns"},
}


def check_options(given: set[str], kind: str, *, from_file: bool) -> None:
    """`InputError` naming an option, among those away from their defaults, that would decide nothing."""
    used, beside = ({"layer_type"}, "--config") if from_file else (USES[kind], f"--kind {kind}")
    if idle := sorted(given - ALWAYS - used):
        hint = f"; there go {', '.join(_option(name) for name in sorted(used))}"
        raise InputError(f"{_option(idle[0])} does not go with {beside}{hint}")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def from_options(
    kind: str,
    base: float,
    head_dim: int,
    rotary_dim: int | None,
    *,
    factor: float,
    trained_length: int,
    share: float,
    turns: bool,
) -> frequencies.Frequencies:
    """Frequencies of a rope type from the command's options.

    Raises:
        InputError: for a value out of its range.
    """
    options: dict[str, Any] = {"rotary_dim": rotary_dim, "turns": turns}
    row = frequencies.rope_type(kind)
    if kind == "proportional":
        options["partial_rotary_factor"] = share
    else:
        options |= {"factor": factor, "trained_length": trained_length}
    if "length" in row.options:
        options["length"] = _stretched(factor, trained_length)
    return row.frequencies(base, head_dim, **options)


def _stretched(factor: float, trained_length: int) -> int:
    """The length to read; refuses a factor that is no number or too large for one."""
    check_at_least("factor", factor, 1)
    check_at_least("trained_length", trained_length, 1)
    if factor * trained_length > sys.float_info.max:
        raise InputError(
            f"--factor {factor:g} times --trained-length {trained_length} is beyond float64; give less"
        )
    return round(factor * trained_length)


def from_file(path: Path, layer_type: str | None) -> frequencies.Frequencies:
    """Frequencies of a model's config.json, or of the folder that it is in.

    Raises:
        InputError: for a file that cannot be read or is not a configuration with RoPE.
    """
    file = path / "config.json" if os.path.isdir(path) else path  # `Path` raises for a long name
    config = read_json(file, remedy="give a model's config.json, or its folder")
    return model_config.from_config(config, layer_type=layer_type)


def curve_table(
    frequencies: frequencies.Frequencies, *, mu: float, nu: float, to: float, points: int
) -> dict[str, Any]:
    """Distances with the exact sum and, where it has a closed form, the limit."""
    try:
        distance = rope.spread_distances(to, points)
    except InputError as error:
        raise InputError(str(error).replace("longest distance", "--to", 1)) from None
    limit = rope.gamma_limit(frequencies, distance, mu=mu, nu=nu)
    return {
        "kind": frequencies.kind,
        "head_dim": frequencies.head_dim,
        "rotary_dim": frequencies.rotary_dim,
        "attention_factor": frequencies.attention_factor,
        "mu": mu,
        "nu": nu,
        "distance": distance.tolist(),
        "exact": rope.gamma_of(frequencies, distance, mu=mu, nu=nu).tolist(),
        "limit": None if limit is None else limit.tolist(),
    }


def curve_text(result: dict[str, Any]) -> str:
    """The table for a reader, one distance a line."""
    rotated = f"{result['rotary_dim']} of {result['head_dim']} dimensions turn"
    lines = [f"{result['kind']}: {rotated}, attention factor {result['attention_factor']:.4g}"]
    lines.append(f"{'distance':>10} {'exact':>10} {'limit':>10}")
    limits = result["limit"] or [None] * len(result["exact"])
    for distance, exact, limit in zip(result["distance"], result["exact"], limits, strict=True):
        last = _ten_wide(limit) if limit is not None else f"{'-':>10}"
        lines.append(f"{distance:10.0f} {_ten_wide(exact)} {last}")
    if result["limit"] is None:
        lines.append(
            f"limit: {result['kind']} frequencies are no geometric sequence; no closed form is known"
        )
    return "\n".join(lines)


def _ten_wide(value: float) -> str:
    return f"{value:10.5f}" if abs(value) < 1000 else f"{value:10.3e}"
