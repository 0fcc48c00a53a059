"""What `tapa curve` computes and prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analysis import curves
from analysis.errors import InputError
from analysis.theory import frequencies as fr
from analysis.theory.rotation import check_at_least


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
) -> fr.Frequencies:
    """Frequencies of a rope type from the command's options.

    Raises:
        InputError: for a value out of its range, or an option that the rope type cannot use.
    """
    sizes: dict[str, Any] = {"rotary_dim": rotary_dim}
    trained: dict[str, Any] = {"factor": factor, "trained_length": trained_length}
    makers: dict[str, Callable[[], fr.Frequencies]] = {
        "default": lambda: fr.plain(base, head_dim, **sizes, turns=turns),
        "linear": lambda: fr.linear(base, head_dim, **sizes, factor=factor, turns=turns),
        "ntk": lambda: fr.ntk(base, head_dim, **sizes, factor=factor, turns=turns),
        "dynamic": lambda: fr.dynamic_ntk(
            base, head_dim, **sizes, **trained, length=_stretched(factor, trained_length), turns=turns
        ),
        "yarn": lambda: fr.yarn(base, head_dim, **sizes, **trained),
        "llama3": lambda: fr.llama3(base, head_dim, **sizes, **trained),
        "proportional": lambda: fr.proportional(base, head_dim, partial_rotary_factor=share, turns=turns),
        "xpos": lambda: fr.xpos(base, head_dim, **sizes, turns=turns),
    }
    if turns and kind in ("yarn", "llama3"):
        raise InputError(f"--turns does not go with --kind {kind}: its thresholds are defined in radians")
    if rotary_dim is not None and kind == "proportional":
        raise InputError("--rotary-dim does not go with --kind proportional; give --share")
    return makers[kind]()


def _stretched(factor: float, trained_length: int) -> int:
    """The length to read; refuses a factor that is no number or too large for one."""
    check_at_least("factor", factor, 1)
    check_at_least("factor x trained length", factor * trained_length, 1)
    return round(factor * trained_length)


def from_file(path: Path, layer_type: str | None) -> fr.Frequencies:
    """Frequencies of a model's config.json.

    Raises:
        InputError: for a file that cannot be read or is not a configuration with RoPE.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; give a model's config.json") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); give a model's config.json") from error
    if not isinstance(config, dict):
        raise InputError(f"{path} holds a {type(config).__name__}, not a configuration")
    return fr.from_config(config, layer_type=layer_type)


def table(frequencies: fr.Frequencies, *, mu: float, nu: float, to: float, points: int) -> dict[str, Any]:
    """Distances with the exact sum and, where it has a closed form, the limit."""
    distance = curves.spread_distances(to, points)
    limit = curves.gamma_limit(frequencies, distance, mu=mu, nu=nu)
    return {
        "kind": frequencies.kind,
        "head_dim": frequencies.head_dim,
        "rotary_dim": frequencies.rotary_dim,
        "attention_factor": frequencies.attention_factor,
        "mu": mu,
        "nu": nu,
        "distance": distance.tolist(),
        "exact": curves.gamma(frequencies, distance, mu=mu, nu=nu).tolist(),
        "limit": None if limit is None else limit.tolist(),
    }


def as_text(result: dict[str, Any]) -> str:
    """The table for a reader, one distance a line."""
    rotated = f"{result['rotary_dim']} of {result['head_dim']} dimensions turn"
    lines = [f"{result['kind']}: {rotated}, attention factor {result['attention_factor']:.4g}"]
    lines.append(f"{'distance':>10} {'exact':>10} {'limit':>10}")
    limits = result["limit"] or [None] * len(result["exact"])
    for distance, exact, limit in zip(result["distance"], result["exact"], limits, strict=True):
        last = f"{limit:10.5f}" if limit is not None else f"{'-':>10}"
        lines.append(f"{distance:10.0f} {exact:10.5f} {last}")
    if result["limit"] is None:
        lines.append(
            f"limit: {result['kind']} frequencies are no geometric sequence; no closed form is known"
        )
    return "\n".join(lines)
