"""What is trained, by name: one vocabulary for `tapa train`, `sweep`, `results` and `phase-dynamics`.

A variant is a method with the options that it is trained with. "tapa" has slower and smaller phase rows, as behind
every number that we report for TAPA; "tapa_plain" is the method as printed. A name that ends in "_4x" goes on from a
trained model at four times its length; "drope" goes on from RoPE without it, at the same length. Learning rates
belong to a recipe: see `recipe.tuned_rates`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from analysis.models.config import MethodConfig

LABELS = {
    "rope": "RoPE",
    "tapa": "TAPA",
    "alibi": "ALiBi",
    "nope": "NoPE",
    "nope_log": "NoPE, log-n temperature",
    "fox": "FoX",
    "pope": "PoPE",
    "p_rope": "p-RoPE",
    "interleaved": "RoPE with NoPE layers",
    "accumulated": "accumulated rotations",
    "drope": "RoPE, then dropped",
    "tapa_radians": "TAPA, phase in radians",
    "xpos": "xPos",
    "rope_large": "RoPE, base 5e5",
    "raised_4x": "RoPE, base raised to 5e5",
    "tapa_plain": "TAPA, plain recipe",
    "tapa_linear": "TAPA, linear phase",
    "tapa_general": "TAPA, learned forms",
    "window": "sliding window",
    "partial": "partial RoPE",
    "yarn_4x": "YaRN",
    "pi_4x": "PI",
    "tapa_separate": "TAPA, separate projections",
    "tapa_frozen": "TAPA, frozen phase",
}
EXTENSION_LABELS = {"pi": "PI", "ntk": "NTK", "yarn": "YaRN"}

STRETCH = 4
"""Fine-tuning is at this many times the trained length."""
_FINE_FACTOR = (
    8.0  # of PI and YaRN in fine-tuning: the paper evaluates to 8 times its trained length (64k of 8k)
)
_NEEDLE = {"task": "needle", "task_share": 0.5, "task_repeats": 16, "task_weight": 1.0}
_RECALL = {"task": "recall", "task_share": 0.25}


def label(variant: str, extension: str = "none") -> str:
    """A variant as readers know it, under an extension that is applied at inference.

    >>> label("tapa_alpha0.3"), label("rope", "yarn"), label("rope_4x"), label("mypackage.module:Mine[a=2]")
    ('TAPA, alpha 0.3', 'RoPE + YaRN', 'RoPE', 'Mine, a 2')
    """
    stem, _, options = variant.partition("[")  # of what is no variant of ours: tapa[alpha=0.2]
    stem = stem.rpartition(":")[2]  # of a user's class
    name = LABELS.get(stem) or LABELS.get(re.sub("_(4x|recall|needle)$", "", stem))
    if name is None and not stem.startswith("tapa_"):  # a user's class
        name = stem
    if name is None:  # an option of TAPA: tapa_alpha0.3
        option = stem.removeprefix("tapa_")
        key = option.rstrip("0123456789.")
        name = f"TAPA, {key} {option.removeprefix(key)}"
    name += f", {options[:-1].replace('=', ' ')}" if options else ""
    return name if extension == "none" else f"{name} + {EXTENSION_LABELS[extension]}"


@dataclass(frozen=True, slots=True)
class Variant:
    """Something that is trained, at several learning rates and with several seeds.

    Attributes:
        name: what its runs' names begin with.
        method: how positions enter, as the training sees it.
        stage: smaller ones are run first.
        parent: name of the variant whose runs it goes on from; None to train from scratch.
        evaluated_as: extensions that its models are evaluated under, "none" among them.
        task: keys of a recipe that add a retrieval task to a part of the windows; none for text alone.
        stretch: length of fine-tuning over the trained length.
        rate_of: variant whose tuned learning rate it takes; None for its own. A control has the rate of what it
            controls for, and differs from it in one thing.

    >>> Variant('window', MethodConfig('window'), stage=1).settings['method.name']
    'window'
    """

    name: str
    method: MethodConfig
    stage: int
    parent: str | None = None
    evaluated_as: tuple[str, ...] = ("none",)
    task: Mapping[str, Any] = field(default_factory=dict)
    rate_of: str | None = None
    stretch: int = STRETCH

    @property
    def settings(self) -> dict[str, Any]:
        """What it decides of a recipe, as keys of a recipe file."""
        rest = ("trained_length", "options", "source_sha256")  # of a model, or of a user's class
        names = (name for name in MethodConfig.__dataclass_fields__ if name not in rest)
        return {f"method.{name}": getattr(self.method, name) for name in names} | dict(self.task)


_EXTENDED = ("none", "pi", "ntk", "yarn")
_TAPA = MethodConfig("tapa", phase_lr_scale=0.3, phase_init_std=0.005)
_ROPE, _LARGE = MethodConfig("rope"), MethodConfig("rope", base=5e5)
_ALIBI, _NOPE = MethodConfig("alibi"), MethodConfig("nope")
_LEARNERS = {"rope": _ROPE, "tapa": _TAPA, "alibi": _ALIBI, "nope": _NOPE}  # what learns a retrieval task

_ALL = (
    Variant("rope", _ROPE, 0, evaluated_as=_EXTENDED),
    Variant("tapa", _TAPA, 0),
    Variant("alibi", _ALIBI, 0),
    Variant("nope", _NOPE, 0),
    Variant("rope_4x", _ROPE, 2, "rope"),
    Variant("tapa_4x", _TAPA, 2, "tapa"),
    Variant("yarn_4x", replace(_ROPE, extension="yarn", factor=_FINE_FACTOR), 2, "rope"),
    Variant("pi_4x", replace(_ROPE, extension="pi", factor=_FINE_FACTOR), 2, "rope"),
    Variant("raised_4x", _LARGE, 2, "rope"),
    Variant("alibi_4x", _ALIBI, 2, "alibi"),
    Variant("nope_4x", _NOPE, 2, "nope"),
    Variant("tapa_plain", MethodConfig("tapa"), 3),
    Variant("tapa_linear", replace(_TAPA, name="tapa_linear"), 3),
    Variant("rope_large", _LARGE, 3, evaluated_as=_EXTENDED),
    Variant("window", MethodConfig("window"), 3),
    Variant("partial", MethodConfig("partial"), 3),
    *(Variant(f"{name}_needle", method, 5, task=_NEEDLE) for name, method in _LEARNERS.items()),
    *(Variant(f"tapa_alpha{alpha:g}", replace(_TAPA, alpha=alpha), 6) for alpha in (0.01, 0.3, 1.0)),
    *(Variant(f"tapa_share{share:g}", replace(_TAPA, amplitude_share=share), 6) for share in (0.25, 0.75)),
    Variant("tapa_separate", replace(_TAPA, name="tapa_separate"), 6),
    # What of TAPA is position? Controls with TAPA's rate: the phase without distance, cos(2 pi phi), and a phase that
    # is not learned. The latter starts at the size of all other weights, a phase of about 0.05 turns, as large as a
    # learned one: the small start of "tapa" would leave it at 0.003 turns, which is no phase.
    Variant("tapa_alpha0", replace(_TAPA, alpha=0.0), 6, rate_of="tapa"),
    Variant("tapa_frozen", MethodConfig("tapa", phase_lr_scale=0.0), 6, rate_of="tapa"),
    # The encodings of today beside TAPA; no rate is tuned for them yet. DroPE (arXiv 2512.12167) drops RoPE from a
    # trained model and recalibrates it at its own length; its temperature at longer ones is not applied.
    Variant("fox", MethodConfig("fox"), 7),
    Variant("accumulated", MethodConfig("accumulated"), 7),
    Variant("pope", MethodConfig("pope"), 7),
    Variant("p_rope", MethodConfig("p_rope", rotary_share=0.75), 7),
    Variant("interleaved", MethodConfig("interleaved"), 7, evaluated_as=_EXTENDED),
    Variant("nope_log", MethodConfig("nope_log"), 7),
    Variant("tapa_radians", replace(_TAPA, turns=False), 7),
    Variant("drope", _NOPE, 7, "rope", stretch=1),
    # not learned, so in no experiment; the records of what was tried are still read
    *(Variant(f"{name}_recall", method, 8, task=_RECALL) for name, method in _LEARNERS.items()),
)
VARIANTS: Mapping[str, Variant] = {variant.name: variant for variant in _ALL}
