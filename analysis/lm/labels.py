"""What tables and figures call the variants of the experiments."""

from __future__ import annotations

import re

LABELS = {
    "rope": "RoPE",
    "tapa": "TAPA",
    "alibi": "ALiBi",
    "nope": "NoPE",
    "rope_large": "RoPE, base 5e5",
    "raised_4x": "RoPE, base raised to 5e5",
    "tapa_plain": "TAPA, plain recipe",
    "tapa_linear": "TAPA, linear phase",
    "window": "sliding window",
    "partial": "partial RoPE",
    "yarn_4x": "YaRN",
    "pi_4x": "PI",
    "tapa_separate": "TAPA, separate projections",
}
EXTENSIONS = {"pi": "PI", "ntk": "NTK", "yarn": "YaRN"}


def label(variant: str, extension: str = "none") -> str:
    """A variant as readers know it, under an extension at reading."""
    name = LABELS.get(variant) or LABELS.get(re.sub("_(4x|recall|needle)$", "", variant))
    if name is None:  # a knob of TAPA: tapa_alpha0.3
        knob = variant.removeprefix("tapa_")
        stem = knob.rstrip("0123456789.")
        name = f"TAPA, {stem} {knob.removeprefix(stem)}"
    return name if extension == "none" else f"{name} + {EXTENSIONS[extension]}"
