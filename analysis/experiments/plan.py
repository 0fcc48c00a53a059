"""The paper's experiments in miniature, as data: which variants are trained, at which learning rates, how evaluated.

Every variant is tuned by the same rule: `RATES` (fine-tuning: `FINE_RATES`) at full length with seed 0, then rates
beyond the edge at which the best one lies, until it is inside (`grow`); best is the least loss on the validation
split at the trained length. The run at the chosen rate is seed 0 of the result; the other seeds follow at that rate.
What several experiments have in common is trained once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from analysis.errors import InputError
from analysis.models.config import MODEL
from analysis.settings import nearest
from analysis.training.recipe import Recipe, flat, load_recipe
from analysis.training.variants import LABELS as LABELS
from analysis.training.variants import STRETCH, VARIANTS, Variant
from analysis.training.variants import label as label

EXPERIMENTS: Mapping[str, tuple[str, ...]] = {
    # as the paper's tables: no fine-tuning; fine-tuned at 4 times the length; linear against quadratic phase
    "table2": ("rope", "rope_large", "tapa", "tapa_plain", "nope", "alibi", "window", "partial"),
    "table1": tuple(
        name for name, variant in VARIANTS.items() if variant.parent and variant.stretch == STRETCH
    ),
    "table3": ("tapa", "tapa_linear"),
    # what its reviewers asked
    "alpha": ("tapa", "tapa_alpha0.01", "tapa_alpha0.3", "tapa_alpha1"),
    "share": ("tapa", "tapa_share0.25", "tapa_share0.75", "tapa_separate"),
    "retrieval": tuple(name for name in VARIANTS if name.endswith("_needle")),
}
"""Variants of each experiment."""
RATES = (2e-3, 1e-3, 4e-3)
"""Learning rates of a run from scratch that are tried in any case, in this order."""
FINE_RATES = (5e-4, 2.5e-4, 1e-3)
"""Of fine-tuning."""
REACH = 2
"""Most rates that are tried beyond either edge of these."""
FACTOR = 2.0
"""Between a rate at the edge of the grid and the one that is added beyond it."""
SEEDS = (0, 1, 2)
"""The first one is for tuning."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Learning rates to try, and what they say so far.

    Attributes:
        rates: in the order in which they are tried.
        complete: is every one of them tried, and no further one asked for?
        lr: the chosen one; None while the grid is not complete, or if no run of it ended well.

    >>> Grid(rates=(1e-3, 2e-3)).lr is None  # not yet chosen
    True
    """

    rates: tuple[float, ...]
    complete: bool = False
    lr: float | None = None


def grow(first: Sequence[float], losses: Mapping[float, float], reach: int) -> Grid:
    """The grid after what is known of it.

    >>> grow((2e-3, 1e-3, 4e-3), {2e-3: 1.8, 1e-3: 1.9, 4e-3: 1.7}, reach=2).rates  # 4e-3 is best, so 8e-3 is added
    (0.002, 0.001, 0.004, 0.008)

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


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the experiments are.

    Attributes:
        scratch, fine: recipes whose method, seed, learning rate (and for `fine` sizes, start and length) the
            runs replace.
        rates, fine_rates, reach: learning rates to choose from, as `grow` takes them.
        seeds: the first one is for tuning.
        spans, target: held-out spans, and tokens of each that are scored.
        checkpoints: of a run from scratch that are evaluated, the last one included.

    >>> cpu().seeds
    (0, 1, 2)
    """

    scratch: Recipe
    fine: Recipe
    rates: tuple[float, ...] = RATES
    fine_rates: tuple[float, ...] = FINE_RATES
    reach: int = REACH
    seeds: tuple[int, ...] = SEEDS
    spans: int = 64
    target: int = 64
    checkpoints: int = 5

    @property
    def length(self) -> int:
        """Trained length, tokens."""
        return self.scratch.length

    def grid(self, variant: Variant, losses: Mapping[float, float]) -> Grid:
        """Learning rates of a variant, given the validation losses of those that were tried with the first seed."""
        return grow(self.fine_rates if variant.parent else self.rates, losses, self.reach)


def cpu() -> Scale:
    """The scale of the recipes "cpu" and "finetune": minutes a run on one core that multiplies in bfloat16.

    >>> cpu().length
    128
    """
    return Scale(load_recipe("cpu"), load_recipe("finetune"))


LONGEST, LONGEST_FINE = 8, 16
"""Longest length that is evaluated, over the trained one; the second after fine-tuning."""


def lengths_of(trained: int, longest: int) -> tuple[int, ...]:
    """Context lengths that are evaluated: the trained one, doubled up to `longest` times it.

    >>> lengths_of(128, 8)
    (128, 256, 512, 1024)
    """
    return tuple(trained * 2**i for i in range(longest.bit_length()))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How the models of a run are evaluated.

    Attributes:
        lengths: of context in tokens, the trained one first.
        extensions: of RoPE that are applied at inference, "none" among them.
        spans, target: held-out spans, and tokens of each that are scored.
        checkpoints: along the training, the last one included; 0 for the last one alone.

    >>> Evaluation(lengths=(128, 1024)).extensions
    ('none',)
    """

    lengths: tuple[int, ...]
    extensions: tuple[str, ...] = ("none",)
    spans: int = 64
    target: int = 64
    checkpoints: int = 5


@dataclass(frozen=True, slots=True)
class Run:
    """One training run; everything about it follows from these fields and the scale.

    Attributes:
        variant: what is trained.
        seed, lr: of this run.
        parent: the run it goes on from.

    >>> Run(variants()[0], seed=0, lr=1e-3).name
    'rope-s0-lr1e-3'
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
        method = self.variant.method
        if self.parent is None:
            model = replace(scale.scratch.model, method=method)
            return replace(scale.scratch, model=model, seed=self.seed, lr=self.lr, **self.variant.task)
        if method.extension != "none":
            method = replace(method, trained_length=scale.length)
        model = replace(scale.scratch.model, method=method, context=self.variant.stretch * scale.length)
        return replace(scale.fine, model=model, seed=self.seed, lr=self.lr, parent=start or self.parent.name)

    def evaluation(self, scale: Scale) -> Evaluation:
        """How its models are evaluated."""
        fine = self.parent is not None
        return Evaluation(
            lengths_of(scale.length, LONGEST_FINE if fine else LONGEST),
            self.variant.evaluated_as,
            scale.spans,
            scale.target,
            0 if fine else scale.checkpoints,
        )

    def configuration(self, scale: Scale) -> dict[str, Any]:
        """All that decides the run's numbers, fit for a record."""
        return configuration(self.name, self.recipe(scale), self.evaluation(scale))


def configuration(name: str, recipe: Recipe, evaluation: Evaluation) -> dict[str, Any]:
    """All that decides a run's numbers, fit for a record."""
    return {
        "run": name,
        "recipe": recipe.to_dict(),
        "lengths": list(evaluation.lengths),
        "evaluated_as": list(evaluation.extensions),
        "spans": evaluation.spans,
        "target": evaluation.target,
        "checkpoints": evaluation.checkpoints,
    }


def rate_name(lr: float) -> str:
    """A learning rate as it stands in names and tables.

    >>> rate_name(0.0005)
    '5e-4'
    """
    digits, exponent = f"{lr:e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def variants(experiments: Sequence[str] = ()) -> list[Variant]:
    """What the named experiments train, or all, with what that goes on from.

    >>> [variant.name for variant in variants(["table3"])]
    ['tapa', 'tapa_linear']

    Raises:
        InputError: an experiment that is unknown.
    """
    for name in experiments:
        if name not in EXPERIMENTS:
            raise InputError(f"experiment {name!r} is unknown; {nearest(name, EXPERIMENTS)}")
    named = {name for experiment in experiments or EXPERIMENTS for name in EXPERIMENTS[experiment]}
    named |= {parent for name in named if (parent := VARIANTS[name].parent)}
    return [variant for name, variant in VARIANTS.items() if name in named]


LONG = "long"
"""The long-range experiment on the command line; its plan is `long_plan`."""


def check_limit(minutes: float | None) -> None:
    """`InputError` unless it is a number of minutes above 0, or None for no limit."""
    if minutes is not None and not 0 < minutes < math.inf:
        raise InputError(f"--limit-minutes {minutes:g} is not above 0; give minutes, or leave it out")


def check_alone(
    experiments: Sequence[str], tiers: Sequence[str], hours: float | None, slurm: int | None
) -> bool:
    """Whether the long-range experiment is meant; it goes alone, and `tiers` and `hours` go with nothing else.

    >>> check_alone(["long"], ["gate"], None, None), check_alone(["table2"], [], None, None)
    (True, False)

    Raises:
        InputError: it is named beside others, with SLURM tasks, or its options without it; no number of tasks.
    """
    if slurm is not None and slurm < 1:
        raise InputError(f"--slurm {slurm} is below 1; give the number of tasks")
    if LONG in experiments:
        if len(experiments) > 1:
            raise InputError(
                f"{LONG} goes alone, not with {', '.join(set(experiments) - {LONG})}; sweep twice"
            )
        if slurm is not None:
            raise InputError(
                f"--slurm is not for {LONG}; start `tapa sweep long` in several jobs, they share the runs"
            )
        return True
    if tiers or hours is not None:
        raise InputError(f"--tier and --hours go with {LONG}; name it, or leave them out")
    return False


def plan(wanted: Sequence[Variant], scale: Scale, grids: Mapping[str, Grid]) -> list[Run]:
    """Every run that can be named by now, those of earlier stages first.

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
    mine, theirs = flat(wanted), flat({"recipe": Recipe().to_dict()}) | flat(found)
    known = [key for key in theirs if key in mine or key in flat(found)]
    return [
        f"{key}: {mine.get(key)}, not {theirs.get(key)}"
        for key in dict.fromkeys([*mine, *known])
        if (key in mine, mine.get(key)) != (key in theirs, theirs.get(key))
    ]


@runtime_checkable
class Named(Protocol):
    """A run of whichever plan."""

    @property
    def name(self) -> str:
        """Of its record and its folder."""
        ...


@dataclass(frozen=True, slots=True)
class Places:
    """Where a sweep keeps things; workers elsewhere must see the same folders.

    Attributes:
        records: a JSON file for each finished run, small, to be committed.
        runs: a folder for each run: checkpoints, then weights.
    """

    records: Path
    runs: Path

    def absolute(self) -> Places:
        """The same, whatever the current folder."""
        return Places(self.records.absolute(), self.runs.absolute())

    def record(self, run: Named) -> Path:
        """The record of a run."""
        return self.records / f"{run.name}.json"

    def folder(self, run: Named) -> Path:
        """What a run keeps."""
        return self.runs / run.name

    def weights(self, run: Named) -> Path:
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
