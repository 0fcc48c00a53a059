"""The paper's experiments in miniature, as data: which models are trained, at which learning rates, how read.

Every trained variant is tuned by the same rule: `RATES` (fine-tuning: `FINE_RATES`) at full length with seed 0, then
rates beyond the edge at which the best one lies, until it is inside (`tuning.grow`); best is the least loss on the
validation split at the trained length. The run at the chosen rate is seed 0 of the result; the other seeds follow at
that rate. What several experiments have in common is trained once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis.errors import InputError
from analysis.models.config import MODEL, MethodConfig
from analysis.settings import nearest
from analysis.training.recipe import Recipe, load

# What tables and figures call the variants of the experiments.


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


# Choice of a learning rate by one rule for every method: a grid that grows until its best rate is inside it.


FACTOR = 2.0
"""Between a rate at the edge of the grid and the one that is added beyond it."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Rates to try, and what they say so far.

    Attributes:
        rates: in the order in which they are tried.
        complete: is every one of them tried, and no further one asked for?
        lr: the chosen one; None while the grid is not complete, or if no run of it ended well.
    """

    rates: tuple[float, ...]
    complete: bool = False
    lr: float | None = None


def grow(first: Sequence[float], losses: Mapping[float, float], reach: int) -> Grid:
    """The grid after what is known of it.

    A rate whose run diverged counts as the worst; if all did, lower ones are tried.

    Args:
        first: rates that are tried in any case, at least one.
        losses: validation loss by rate, nats, inf if the run diverged; only of those that have been tried.
        reach: most rates that are added beyond either edge of `first`, each `FACTOR` from the last.
    """
    low, high = min(first), max(first)
    rates = list(first)
    for _ in range(2 * reach):
        if any(lr not in losses for lr in rates):
            break
        best = _best(rates, losses)
        if best == max(rates) and max(rates) < high * FACTOR**reach and math.isfinite(losses[best]):
            rates.append(max(rates) * FACTOR)
        elif best == min(rates) and min(rates) > low / FACTOR**reach:
            rates.append(min(rates) / FACTOR)
        else:
            break
    if any(lr not in losses for lr in rates):
        return Grid(tuple(rates))
    best = _best(rates, losses)
    return Grid(tuple(rates), True, best if math.isfinite(losses[best]) else None)


def _best(rates: Sequence[float], losses: Mapping[float, float]) -> float:
    """Of the least loss; of equal ones the lowest."""
    return min(rates, key=lambda lr: (losses[lr], lr))


RATES = (2e-3, 1e-3, 4e-3)
"""Learning rates of a run from scratch that are tried in any case, in this order."""
FINE_RATES = (5e-4, 2.5e-4, 1e-3)
"""Of fine-tuning."""
REACH = 2
"""Most rates that are tried beyond either edge of these."""
SEEDS = (0, 1, 2)
STRETCH = 4
"""Fine-tuning is at this many times the trained length."""
FINE_FACTOR = 8.0
"""Of PI and YaRN in fine-tuning: the paper reads to 8 times its trained length (64k of 8k)."""
READ = 8
"""Longest length that is read, over the trained length, without fine-tuning; 16 after it."""
READ_FINE = 16
LESSONS: Mapping[str, Mapping[str, Any]] = {
    "needle": {"task_share": 0.5, "task_tellings": 16, "task_weight": 1.0},
    "recall": {"task_share": 0.25},
}
"""How runs that learn retrieval are taught, as settings of `Recipe`."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Something that is trained, at several learning rates and with several seeds.

    Attributes:
        name: what its runs' names begin with.
        method: how positions enter, as the training sees it.
        stage: smaller ones are run first.
        parent: name of the variant whose runs it goes on from; None to train from scratch.
        read_as: extensions that its models are read under, "none" among them.
        task: retrieval task in a part of the windows, as `Recipe.task`.
    """

    name: str
    method: MethodConfig
    stage: int
    parent: str | None = None
    read_as: tuple[str, ...] = ("none",)
    task: str | None = None


_EXTENDED = ("none", "pi", "ntk", "yarn")
# TAPA's needs: slower and smaller phase rows; "tapa_plain" goes without.
_TAPA = MethodConfig("tapa", phase_lr_scale=0.3, phase_init_std=0.005)
_ROPE, _LARGE = MethodConfig("rope"), MethodConfig("rope", base=5e5)

_ASKED = {
    "rope": _ROPE,
    "tapa": _TAPA,
    "alibi": MethodConfig("alibi"),
    "nope": MethodConfig("nope"),
}  # what learns retrieval


def _fine(name: str, parent: str, method: MethodConfig) -> Variant:
    return Variant(name, method, 2, parent)


_ALL = (
    Variant("rope", _ROPE, 0, read_as=_EXTENDED),
    Variant("tapa", _TAPA, 0),
    Variant("alibi", MethodConfig("alibi"), 0),
    Variant("nope", MethodConfig("nope"), 0),
    _fine("rope_4x", "rope", _ROPE),
    _fine("tapa_4x", "tapa", _TAPA),
    _fine("yarn_4x", "rope", replace(_ROPE, extension="yarn", factor=FINE_FACTOR)),
    _fine("pi_4x", "rope", replace(_ROPE, extension="pi", factor=FINE_FACTOR)),
    _fine("raised_4x", "rope", _LARGE),
    _fine("alibi_4x", "alibi", MethodConfig("alibi")),
    _fine("nope_4x", "nope", MethodConfig("nope")),
    Variant("tapa_plain", MethodConfig("tapa"), 3),
    Variant("tapa_linear", replace(_TAPA, name="tapa_linear"), 3),
    Variant("rope_large", _LARGE, 3, read_as=_EXTENDED),
    Variant("window", MethodConfig("window"), 3),
    Variant("partial", MethodConfig("partial"), 3),
    *(Variant(f"{name}_needle", method, 5, task="needle") for name, method in _ASKED.items()),
    *(Variant(f"tapa_alpha{alpha:g}", replace(_TAPA, alpha=alpha), 6) for alpha in (0.01, 0.3, 1.0)),
    *(Variant(f"tapa_share{share:g}", replace(_TAPA, amplitude_share=share), 6) for share in (0.25, 0.75)),
    Variant("tapa_separate", replace(_TAPA, name="tapa_separate"), 6),
    # not learned (LOG.md), so in no experiment: what was tried is still read
    *(Variant(f"{name}_recall", method, 8, task="recall") for name, method in _ASKED.items()),
)
VARIANTS: Mapping[str, Variant] = {variant.name: variant for variant in _ALL}

EXPERIMENTS: Mapping[str, tuple[str, ...]] = {
    # as the paper's tables: no fine-tuning; fine-tuned at 4 times the length; linear against quadratic phase
    "table2": ("rope", "rope_large", "tapa", "tapa_plain", "nope", "alibi", "window", "partial"),
    "table1": tuple(variant.name for variant in _ALL if variant.parent),
    "table3": ("tapa", "tapa_linear"),
    # what its reviewers asked
    "alpha": ("tapa", "tapa_alpha0.01", "tapa_alpha0.3", "tapa_alpha1"),
    "share": ("tapa", "tapa_share0.25", "tapa_share0.75", "tapa_separate"),
    "retrieval": tuple(variant.name for variant in _ALL if variant.task == "needle"),
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the experiments are.

    Attributes:
        scratch, fine: recipes whose method, seed, learning rate (and for `fine` sizes, start and length) the
            runs replace.
        rates, fine_rates, reach: learning rates to choose from, as `tuning.grow` takes them.
        seeds: the first one is for tuning.
        spans, target: held-out spans that are read, and tokens of each that are scored.
        milestones: checkpoints of a run from scratch that are read, the last one included.
    """

    scratch: Recipe
    fine: Recipe
    rates: tuple[float, ...] = RATES
    fine_rates: tuple[float, ...] = FINE_RATES
    reach: int = REACH
    seeds: tuple[int, ...] = SEEDS
    spans: int = 64
    target: int = 64
    milestones: int = 5

    @property
    def length(self) -> int:
        """Trained length, tokens."""
        return self.scratch.length

    def grid(self, variant: Variant, losses: Mapping[float, float]) -> Grid:
        """Learning rates of a variant, given the validation losses of those that were tried with the first seed."""
        return grow(self.fine_rates if variant.parent else self.rates, losses, self.reach)


def cpu() -> Scale:
    """Recipe "cpu" with matrix products in bfloat16: minutes a run on one core that multiplies in it."""
    scratch, fine = (replace(load(name), precision="bfloat16", save_every=50) for name in ("cpu", "finetune"))
    return Scale(scratch, fine)


@dataclass(frozen=True, slots=True)
class Run:
    """One training run; everything about it follows from these fields and the scale.

    Attributes:
        variant: what is trained.
        seed, lr: of this run.
        parent: the run it goes on from.
    """

    variant: Variant
    seed: int
    lr: float
    parent: Run | None = None

    @property
    def name(self) -> str:
        """Readable and unique, e.g. "tapa-s0-lr1e-3"."""
        return f"{self.variant.name}-s{self.seed}-lr{rate_name(self.lr)}"

    def recipe(self, scale: Scale, start: str | None = None) -> Recipe:
        """What the trainer gets.

        Args:
            scale: of the experiments.
            start: checkpoint of the parent's run; its name if None, for comparisons.
        """
        method, task = self.variant.method, self.variant.task
        if self.parent is None:
            model = replace(scale.scratch.model, method=method)
            lessons = LESSONS[task] if task else {}
            return replace(scale.scratch, model=model, seed=self.seed, lr=self.lr, task=task, **lessons)
        if method.extension != "none":
            method = replace(method, trained_length=scale.length)
        model = replace(scale.scratch.model, method=method, context=STRETCH * scale.length)
        return replace(scale.fine, model=model, seed=self.seed, lr=self.lr, parent=start or self.parent.name)

    def lengths(self, scale: Scale) -> tuple[int, ...]:
        """Lengths that are read: the trained one, doubled up to 8 times it; 16 times it after fine-tuning."""
        longest = READ if self.parent is None else READ_FINE
        return tuple(scale.length * 2**i for i in range(longest.bit_length()))

    def configuration(self, scale: Scale) -> dict[str, Any]:
        """All that decides the run's numbers, fit for a record."""
        return {
            "run": self.name,
            "recipe": self.recipe(scale).to_dict(),
            "lengths": list(self.lengths(scale)),
            "read_as": list(self.variant.read_as),
            "spans": scale.spans,
            "target": scale.target,
            "milestones": scale.milestones if self.parent is None else 0,
        }


def rate_name(lr: float) -> str:
    """0.0005 as "5e-4"."""
    digits, exponent = f"{lr:e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def variants(experiments: Sequence[str] = ()) -> list[Variant]:
    """What the named experiments train, or all, with what that goes on from.

    Raises:
        InputError: an experiment that is unknown.
    """
    for name in experiments:
        if name not in EXPERIMENTS:
            raise InputError(f"experiment {name!r} is unknown; {nearest(name, EXPERIMENTS)}")
    named = {name for experiment in experiments or EXPERIMENTS for name in EXPERIMENTS[experiment]}
    named |= {parent for name in named if (parent := VARIANTS[name].parent)}
    return [variant for variant in _ALL if variant.name in named]


def plan(wanted: Sequence[Variant], scale: Scale, grids: Mapping[str, Grid]) -> list[Run]:
    """Every run that can be named by now, the most telling first.

    Args:
        wanted: as `variants` gives them, parents included.
        scale: of the experiments.
        grids: of the variants by name, as far as they are known; another one's is the first rates.
    """
    found = [
        (_stage(variant, seed, scale), i, run)
        for variant in wanted
        for seed in scale.seeds
        for i, run in enumerate(_runs(variant, seed, scale, grids))
    ]
    return [run for *_, run in sorted(found, key=lambda item: item[:2])]  # stable: variants keep their order


def stage(run: Run, scale: Scale) -> int:
    """Runs of an earlier stage are finished first."""
    return _stage(run.variant, run.seed, scale)


def _stage(variant: Variant, seed: int, scale: Scale) -> int:
    tuned = seed == scale.seeds[0]
    return variant.stage if tuned or variant.parent else variant.stage + 1


def tuning_runs(variant: Variant, scale: Scale, grids: Mapping[str, Grid]) -> list[Run]:
    """The first seed's runs of a variant; none while its parent's rate is not chosen, or if it has none."""
    return list(_runs(variant, scale.seeds[0], scale, grids))


def _runs(variant: Variant, seed: int, scale: Scale, grids: Mapping[str, Grid]) -> Iterator[Run]:
    start = None
    if variant.parent is not None:
        begun = grids[variant.parent].lr if variant.parent in grids else None
        if begun is None:
            return
        start = Run(VARIANTS[variant.parent], seed, begun)
    grid = grids.get(variant.name) or scale.grid(variant, {})
    tuned = [grid.lr] if grid.lr else []
    yield from (Run(variant, seed, lr, start) for lr in (grid.rates if seed == scale.seeds[0] else tuned))


def outdated(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """What a record's configuration says otherwise than a run's, as "recipe.lr: 0.001, not 0.002".

    A key of the recipe that the record does not know is younger than the record: it counts as its default, which
    is to mean what was done before there was a choice.
    """
    mine, theirs = _flat(wanted), _flat({"recipe": Recipe().to_dict()}) | _flat(found)
    known = [key for key in theirs if key in mine or key in _flat(found)]
    return [
        f"{key}: {mine.get(key)}, not {theirs.get(key)}"
        for key in dict.fromkeys([*mine, *known])
        if (key in mine, mine.get(key)) != (key in theirs, theirs.get(key))
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


# Where a sweep keeps its files, and one run of it as a job for whatever process performs it.


@dataclass(frozen=True, slots=True)
class Places:
    """Where a sweep keeps things; workers elsewhere must see the same folders.

    Attributes:
        records: a JSON file for each finished run, small, to be committed.
        runs: a folder for each run: checkpoints, then weights.
    """

    records: Path
    runs: Path

    def record(self, run: Run) -> Path:
        """The record of a run."""
        return self.records / f"{run.name}.json"

    def folder(self, run: Run) -> Path:
        """What a run keeps."""
        return self.runs / run.name

    def weights(self, run: Run) -> Path:
        """Weights of a finished run."""
        return self.folder(run) / MODEL


@dataclass(frozen=True, slots=True)
class Job:
    """One run, for whoever performs it.

    Attributes:
        run, scale, places: what, how large and where.
        arguments: the command line, for the record.
        deadline: seconds since the epoch after which nothing is begun and training stops; None for no limit.
    """

    run: Run
    scale: Scale
    places: Places
    arguments: tuple[str, ...]
    deadline: float | None = None
