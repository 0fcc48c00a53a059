"""What decides the numbers of a study beside its model and texts: settings that check themselves, without torch.

The command line builds them before it imports the study, so that a mistyped number is refused at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from analysis.errors import InputError
from analysis.evaluation.protocol import Protocol, scaled_stride
from analysis.experiments.plan import VARIANTS, Run, cpu
from analysis.settings import MOST, check_device_name, check_least, check_precision, nearest
from analysis.theory.frequencies import Extension, extension_name
from analysis.training.recipe import FinetuneSettings, Recipe, tuned_rates

SHORTEST_SPLIT = 8  # tokens: no position quarter is empty when the first token is dropped
FEWEST_WINDOWS = 4  # of a document: two to fit on, two others to score on
SHORTEST_PHASE = 16  # tokens in a window: three octaves of distance
STEPS = (0, 10, 30, 100, 200, 300, 400, 600, 800, 1000)


@dataclass(frozen=True, slots=True)
class DistanceBiasSettings:
    """What decides the numbers of a measurement beside the model and the texts.

    Attributes:
        windows: number of token windows, >= 2; standard errors are over them.
        length: tokens in a window, >= `SHORTEST_SPLIT`; None for 2048, and for a model of `tapa train` for
            the length that it was trained at.
        seed: >= 0, of the windows' places and of the shuffled control.
        precision: of another's model, "float32", "bfloat16" or "float16"; ours is read in float32.
        device: of another's model, "cpu", "cuda" or "mps".
        revision: branch, tag or commit of a model of the hub.

    >>> DistanceBiasSettings(windows=4, length=512).seed
    0
    """

    windows: int = 8
    length: int | None = None
    seed: int = 0
    precision: str = "float32"
    device: str = "cpu"
    revision: str | None = None

    def __post_init__(self) -> None:
        if self.windows < 2:
            raise InputError(f"windows={self.windows} gives no standard error; measure at least 2")
        if self.length is not None and self.length < SHORTEST_SPLIT:
            raise InputError(f"length={self.length} is too short for a window; give {SHORTEST_SPLIT} or more")
        check_least("seed", self.seed, 0)
        check_precision(self.precision)
        check_device_name(self.device)


@dataclass(frozen=True, slots=True)
class FormulaFitSettings:
    """What decides the numbers of a fit of curves over distance beside the models and the texts.

    Attributes:
        documents: >= 2, to fit on one and score on another; intervals are over them.
        tokens: of each document, cut into windows; at least `FEWEST_WINDOWS` of the length.
        length: tokens in a window, >= `SHORTEST_SPLIT`; None for a model's own, as in `DistanceBiasSettings`.
        seed: >= 0, of the choice of documents and of the windows' places.
    """

    documents: int = 8
    tokens: int = 8192
    length: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.documents < 2:
            raise InputError(f"documents={self.documents} leaves no other text; measure at least 2")
        if self.length is not None and self.length < SHORTEST_SPLIT:
            raise InputError(f"length={self.length} is too short for a window; give {SHORTEST_SPLIT} or more")
        check_least("seed", self.seed, 0)
        self.windows(self.length or SHORTEST_SPLIT)

    def windows(self, length: int) -> int:
        """Windows of a document.

        Raises:
            InputError: too few to fit on some and score on others.
        """
        if (count := self.tokens // length) < FEWEST_WINDOWS:
            raise InputError(
                f"tokens={self.tokens} of a document are {count} windows of {length}; give {FEWEST_WINDOWS * length} "
                f"or more"
            )
        return count


@dataclass(frozen=True, slots=True)
class PerplexitySettings:
    """What decides the numbers of an evaluation beside the model and the texts.

    Attributes:
        lengths: tokens of a window, ascending; None for a model's trained length and 2, 4 and 8 times it if it is
            ours, for its context and a half, a quarter and an eighth of it if it is another's.
        protocol: a name of `evaluation.protocol.NAMES`.
        stride: of the protocol; None for the paper's, scaled to the trained length.
        extensions: names of `theory.frequencies.NAMES`, each read on the same targets.
        factor: of the extensions; None for the longest length over the trained length.
        trained_length: that extensions go by; None for the model's own.
        target: scored tokens of a span.
        spans: of targets, over as many documents as possible.
        seed: of the spans' places and of the bootstrap.
        precision: of another's model, "float32" or "bfloat16"; ours is read in float32.
        from_start: whether what is scored of a document are its tokens from the second on; else spans anywhere that
            have the longest length before them.

    >>> PerplexitySettings(lengths=(128, 1024), spans=16).protocol
    'sliding'
    """

    lengths: tuple[int, ...] | None = None
    protocol: str = "sliding"
    stride: int | None = None
    extensions: tuple[str, ...] = ("none",)
    factor: float | None = None
    trained_length: int | None = None
    target: int = 1024
    spans: int = 8
    seed: int = 0
    precision: str = "float32"
    from_start: bool = False

    def __post_init__(self) -> None:
        # records and comparisons know an extension by one name
        object.__setattr__(self, "extensions", tuple(map(extension_name, self.extensions)))
        if self.lengths is not None and list(self.lengths) != sorted({*self.lengths}):
            raise InputError(f"lengths={list(self.lengths)} do not ascend; give each once, shortest first")
        if not self.extensions or len({*self.extensions}) != len(self.extensions):
            raise InputError(f"extensions={list(self.extensions)}: give one or more, each once")
        for name in self.extensions:
            length = 1 if self.trained_length is None else self.trained_length
            Extension(name, 1.0 if self.factor is None else self.factor, length)
        for name, value, least in (
            ("target", self.target, 1),
            ("spans", self.spans, 1),
            ("seed", self.seed, 0),
        ):
            check_least(name, value, least)
        if self.precision not in ("float32", "bfloat16"):
            raise InputError(f"precision={self.precision!r} is unknown; known: float32, bfloat16")
        protocol = self.protocol_for(max(self.lengths or (1,)))
        for length in self.lengths or ():
            protocol.check(length)

    def protocol_for(self, trained_length: int) -> Protocol:
        """The protocol, with the paper's stride scaled to this trained length if none was given."""
        scaled = None if self.protocol == "non-overlapping" else scaled_stride(trained_length)
        if self.lengths and scaled:  # the shortest window must hold a stride
            scaled = max(1, min(scaled, self.lengths[0] - 1))
        return Protocol(self.protocol, scaled if self.stride is None else self.stride)


@dataclass(frozen=True, slots=True)
class PhaseSettings:
    """What decides the numbers beside the model and the texts.

    Attributes:
        windows: token windows, >= 2; standard errors are over them.
        length: tokens in a window, >= `SHORTEST_PHASE`; it may be longer than what the model was trained on.
        loss_windows: windows of the trained length for the ablations' losses, >= 2; 0 for no ablations.
        tokens: whether to look for what tokens have to do with the phase.
        seed: >= 0, of the windows' places, of the pairs that are probed and of shuffled phases.

    >>> PhaseSettings(length=512).windows
    4
    """

    windows: int = 4
    length: int = 4096
    loss_windows: int = 32
    tokens: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("windows", 2), ("length", SHORTEST_PHASE), ("seed", 0)):
            check_least(name, getattr(self, name), least)
        if self.loss_windows < 0 or self.loss_windows == 1:
            raise InputError(
                f"loss_windows={self.loss_windows} gives no interval; give 2 or more, or 0 for no ablations"
            )


@dataclass(frozen=True, slots=True)
class PhaseSeedsSettings:
    """What decides the numbers beside the models and their corpora.

    Attributes:
        windows: of the validation split, as long as trained, in which heads and losses are measured, >= 2.
        long_windows: of 32 times the trained length, >= 2.
        stretch: of these windows' length over the trained one, >= 1.
        spans: of the test split, which are scored, over as many documents as possible, >= 2.
        gap_windows, pairs: of near less far scores, see `near_far.trained_gaps`.
        seed: of all places, pairs, segments and shuffled phases, >= 0.
    """

    windows: int = 32
    long_windows: int = 2
    stretch: int = 32
    spans: int = 64
    gap_windows: int = 32
    pairs: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"stretch": 1, "seed": 0, "pairs": self.gap_windows}
        for name in self.__dataclass_fields__:
            check_least(name, getattr(self, name), least.get(name, 2))


@dataclass(frozen=True, slots=True)
class PositionCodeSettings:
    """What decides the numbers beside the models and their corpora.

    Attributes:
        windows: of validation documents, in which readers are fitted and one is chosen, >= 8.
        test_windows: of test documents, in which they are read, >= 2.
        seed: of the places of both and of the fresh weights, >= 0.
    """

    windows: int = 40
    test_windows: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("windows", 8), ("test_windows", 2), ("seed", 0)):
            check_least(name, getattr(self, name), least)


@dataclass(frozen=True, slots=True)
class ExtrapolationBiasSettings:
    """What decides the numbers beside the model and its corpus.

    Attributes:
        windows: of the validation split, in which mean scores are measured, >= 2.
        spans: of the test split, which are scored, over as many documents as possible, >= 2.
        seed: of the places of both, of the shuffled distances and of the bootstrap, >= 0.

    >>> ExtrapolationBiasSettings(spans=64)
    ExtrapolationBiasSettings(windows=8, spans=64, seed=0)
    """

    windows: int = 8
    spans: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("windows", 2), ("spans", 2), ("seed", 0)):
            check_least(name, getattr(self, name), least)


@dataclass(frozen=True, slots=True)
class BiasInterventionSettings:
    """What decides the numbers of the comparison of interventions beside the model and the texts.

    Attributes:
        lengths: tokens that are read, ascending, beyond the trained length; None for one and a half times and twice it.
        interventions: names of `heads.bias_interventions.NAMES`; none for the study's own.
        documents: that are scored, >= 1; others are drawn for curves and for matched constants.
        target: scored tokens at the end of each length.
        sampled: scored queries whose attention is measured, at each length.
        seed: of the draw of documents, their windows, the sampled queries, whatever an intervention draws, and the
            bootstrap.
        precision: of another's model, "float32" or "bfloat16".

    >>> BiasInterventionSettings(lengths=(12288, 16384), interventions=('hold', 'clamp')).documents
    12
    """

    lengths: tuple[int, ...] | None = None
    interventions: tuple[str, ...] = ()
    documents: int = 12
    target: int = 1024
    sampled: int = 64
    seed: int = 0
    precision: str = "bfloat16"

    def __post_init__(self) -> None:
        if self.lengths is not None and (not self.lengths or list(self.lengths) != sorted({*self.lengths})):
            raise InputError(f"lengths={list(self.lengths)} do not ascend; give each once, shortest first")
        for name, least in (("documents", 1), ("target", 1), ("sampled", 1), ("seed", 0)):
            check_least(name, getattr(self, name), least)
        if self.sampled > self.target:
            raise InputError(f"sampled={self.sampled} exceeds the {self.target} scored tokens; give fewer")
        if self.precision not in ("float32", "bfloat16"):
            raise InputError(f"precision={self.precision!r} is unknown; known: float32, bfloat16")


@dataclass(frozen=True, slots=True)
class Watched:
    """A run of the experiments and the steps at which it is measured.

    Attributes:
        variant: of `training.VARIANTS`, whose heads have a phase and that is trained from scratch.
        lr: peak learning rate, > 0; None for the one that the variant was tuned to, and has from then on.
        seed: >= 0, of weights and batches.
        steps: optimiser steps after which it is measured, 0 for the untrained model.

    >>> Watched(steps=(0, 1000)).lr, Watched("tapa_linear").lr
    (0.002, 0.001)
    """

    variant: str = "tapa"
    lr: float | None = None
    seed: int = 0
    steps: tuple[int, ...] = STEPS

    def __post_init__(self) -> None:
        phased = [v for v in VARIANTS.values() if v.method.is_tapa and v.parent is None]
        able = [v.name for v in phased if v.method.alpha > 0]  # else the phase knows no distance
        if self.variant not in able:
            raise InputError(
                f"variant {self.variant!r} has no phase over distance to watch; {nearest(self.variant, able)}"
            )
        if self.lr is None:
            rate = tuned_rates("cpu").get(VARIANTS[self.variant].rate_of or self.variant)
            if rate is None:
                raise InputError(f"variant {self.variant} has no tuned learning rate; give --lr")
            object.__setattr__(self, "lr", rate)
        last = cpu().scratch.steps
        wrong = [step for step in self.steps if not 0 <= step <= last]
        if wrong or not self.steps or len(set(self.steps)) < len(self.steps):
            given = ",".join(map(str, self.steps))
            raise InputError(f"steps {given!r} are not different steps of 0 to {last}; give such as 0,10,100")

    def recipe(self) -> Recipe:
        """Of the run of the experiments; only that checkpoints are saved at the steps is another."""
        assert self.lr is not None  # since it was made
        recipe = Run(VARIANTS[self.variant], self.seed, self.lr).recipe(cpu())
        return replace(recipe, save_every=math.gcd(*self.steps) or recipe.steps)


def whole_numbers(name: str, text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them; `InputError` naming the option if they are none, or one is too large."""
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{name} {text} is not a list of whole numbers such as 1024,2048") from None
    if (largest := max(found)) > MOST:  # also of those that no float holds
        raise InputError(f"{name} {largest} is above {MOST}; give less")
    return found


@dataclass(frozen=True, slots=True)
class ScoreVarianceSettings:
    """What decides the numbers beside the models and their texts.

    Attributes:
        windows: of text, at whose tokens pairs are drawn, from as many documents as possible, >= 3; None for 128
            windows, and 16 of another's model, whose windows are longer.
        pairs: of a query and a key of one window, spread evenly over the windows.
        spans: of the test split, on which losses are taken, >= 2; 0 for no losses.
        seed: of windows, pairs, spans, shuffled distances and the bootstrap, >= 0.

    >>> ScoreVarianceSettings(pairs=4096).seed
    0
    """

    windows: int | None = None
    pairs: int = 8192
    spans: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, least in (
            ("windows", self.windows, 3),
            ("pairs", self.pairs, self.windows or 128),
            ("seed", self.seed, 0),
        ):
            if value is not None:
                check_least(name, value, least)
        if self.spans < 0 or self.spans == 1:
            raise InputError(f"spans={self.spans} gives no interval; give 2 or more, or 0 for no losses")


@dataclass(frozen=True, slots=True)
class RecoverySettings:
    """What decides the recovery curves beside the model; every arm has the same tokens, rate and windows.

    Attributes:
        tokens: that each arm is trained on in all, a power of two of `first`.
        first: tokens after which the arms are measured for the first time; then whenever they have doubled.
        length, batch, lr, warmup, seed, precision: as `training.FinetuneSettings`.
        long: tokens of the longer window in which the same targets are read.
        spans: of the test split, which are scored, over as many documents as possible, >= 2.
        target: scored tokens of a span, below `length`.
        corpus: that the arms learn from and are tested on, as `text.corpus.corpus` takes it.

    >>> RecoverySettings(tokens=16384).points
    (0, 4096, 8192, 16384)
    """

    tokens: int = 262_144
    first: int = 4096
    length: int = 256
    long: int = 1024
    batch: int = 2
    lr: float = 1e-4
    warmup: int = 16
    seed: int = 0
    precision: str = "bfloat16"
    spans: int = 8
    target: int = 128
    corpus: str = "texts"

    def __post_init__(self) -> None:
        for name, least in (("spans", 2), ("target", 1), ("first", 1)):
            check_least(name, getattr(self, name), least)
        if not self.target < self.length < self.long:
            raise InputError(
                f"target={self.target}, length={self.length}, long={self.long} do not ascend; give them so"
            )
        doublings = math.log2(self.tokens / self.first) if self.tokens > 0 else -1.0
        if doublings < 0 or doublings != int(doublings):
            raise InputError(
                f"tokens={self.tokens} are not first={self.first} doubled; give such as {8 * self.first}"
            )
        self.arm("rope").steps(self.first)

    def arm(self, to: str) -> FinetuneSettings:
        """The fine-tuning of one arm."""
        return FinetuneSettings(to, self.length, self.batch, self.lr, self.warmup, self.seed, self.precision)

    @property
    def points(self) -> tuple[int, ...]:
        """Tokens after which every arm is measured, ascending, 0 the first."""
        count = round(math.log2(self.tokens / self.first)) + 1
        return (0, *(self.first * 2**i for i in range(count)))
