"""The long-range experiment as data: a ladder of tiers, each with a question of its own, and how its runs are measured.

The experiment asks whether methods use context beyond their trained length L, on corpora where such context is worth
something. Everything is fixed here before any run: methods, learning rates, seeds, horizons, the primary contrasts
and their endpoint, the difference at 8L at equal loss at L (`long_contrasts.at_equal_loss`). A tier is finished before
the next one begins; every table can be made from what is there. No rate is chosen along the way: all runs of a
method, at every rate and horizon, are points of its frontier, and each horizon is a schedule that ends there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from analysis.errors import InputError
from analysis.experiments.plan import Evaluation, configuration, lengths_of, rate_name
from analysis.settings import nearest
from analysis.training.recipe import Recipe, load_recipe
from analysis.training.variants import STRETCH, VARIANTS

CORPORA: Mapping[str, Mapping[str, Any]] = {"private-words": {}, "code": {"vocab_size": 2048}}
"""Corpora, and what they change of the model's sizes."""
SIZES: Mapping[str, Mapping[str, int]] = {
    "base": {},
    "3M": {"layers": 6, "width": 192, "heads": 3, "kv_heads": 3, "hidden": 512},
    "8M": {"layers": 8, "width": 256, "heads": 4, "kv_heads": 4, "hidden": 688},
}
"""Sizes of models, and what they change of the recipe's."""
CONTRASTS: tuple[tuple[str, str], ...] = (("tapa", "rope"), ("tapa", "alibi"), ("tapa", "nope"))
"""The primary contrasts, one less the other; their p-values are one family (Holm 1979)."""
PRIMARY = ("rope", "tapa", "alibi", "nope")
OTHERS = ("fox", "window", "tapa_linear", "tapa_alpha0", "tapa_frozen", "tapa_radians", "nope_log", "accumulated",
          "pope", "p_rope", "interleaved")  # fmt: skip
FINE = ("rope_4x", "yarn_4x", "tapa_4x")
"""Goes on from RoPE and TAPA at four times their length."""
FINE_BASELINE = "rope_4x"
"""That other fine-tuned methods are compared with."""
FINE_OTHERS = ("alibi_4x", "nope_4x", "drope")
RATES = (1.5e-3, 3e-3, 6e-3)
MIDDLE = RATES[1]
"""The rate of runs that have but one, and of the reference of private words."""
CODE_RATES = (1.5e-3, 7.5e-4, 3.75e-4, 3e-3)
"""On code, in the order in which they are taken: at the first of them TAPA's gradients grew a thousandfold, so that a
lower one takes the place of the highest, for all methods. The second was the better of two for TAPA, and so at the edge
of what had been tried; the third lies beyond it."""
CODE_SHARE = 0.375
"""Of the recipe's steps, the horizon on code: a pilot of a model of this size copied from far back after half of it."""
CODE_PRECISION = "float32"
"""Of the methods' runs on code, fine-tuning too: processors without bfloat16 take many times as long for its products.
The reference was trained in the recipe's."""
FINE_RATES = (1e-3, 5e-4, 2.5e-4)
CODE_FINE_RATES = (*FINE_RATES, 2e-3, 1.25e-4)
"""On code: after half a per cent RoPE's choice was the highest of three, that of the others the lowest."""
FINE_POINTS = 10
"""Of a recovery curve: how often the validation loss is taken."""
FINE_SHARES = (0.005, 0.05)
"""Of the parent's tokens: the paper fine-tunes on 0.5 % of its pre-training tokens."""
FAR = 8
"""Times the trained length: where the primary endpoint is read."""
EXTENSIONS = ("none", "ntk", "yarn")
"""Of RoPE at inference."""

Kind = Literal["scratch", "reference", "fine"]


@dataclass(frozen=True, slots=True)
class LongRun:
    """One training run of the ladder.

    Attributes:
        variant: that is trained, as `training.variants`.
        seed, lr: of this run.
        corpus: a key of `CORPORA`.
        share: of the recipe's steps, its horizon; of a "fine" run the share of its parent's tokens.
        size: a key of `SIZES`.
        kind: "scratch"; "reference", trained at four times the length, for the gate; "fine", goes on from one of the
            runs of earlier tiers of its variant's parent, seed and corpus: of those at the whole horizon the one with
            the least validation loss.

    >>> LongRun("tapa", 1, 2e-3, share=0.25).name
    'private-words-tapa-x0.25-s1-lr2e-3'
    """

    variant: str
    seed: int
    lr: float
    corpus: str = "private-words"
    share: float = 1.0
    size: str = "base"
    kind: Kind = "scratch"

    @property
    def name(self) -> str:
        """Readable and unique."""
        size = "" if self.size == "base" else f"-{self.size}"
        kind = "" if self.kind == "scratch" else f"-{self.kind}"
        share = "" if self.share == 1 else f"-x{self.share:g}"
        return f"{self.corpus}-{self.variant}{kind}{size}{share}-s{self.seed}-lr{rate_name(self.lr)}"

    @property
    def needles(self) -> bool:
        """Is it asked for needles: no table has those of fine-tuned models, and they take a fifth of the reading."""
        return self.kind != "fine"


@dataclass(frozen=True, slots=True)
class Tier:
    """Runs that answer a question together.

    Attributes:
        name: on the command line.
        question: that its tables answer.
        runs: in the order in which they are taken.
    """

    name: str
    question: str
    runs: tuple[LongRun, ...]


def crossed(
    variants: Iterable[str],
    *,
    seeds: Sequence[int],
    rates: Sequence[float] = RATES,
    shares: Sequence[float] = (1.0,),
    **rest: Any,
) -> Iterator[LongRun]:
    """Every variant at every rate, horizon and seed, methods in turns, so that what is there can be compared.

    >>> [run.name for run in crossed(["rope", "tapa"], seeds=[0], rates=[1e-3])]
    ['private-words-rope-s0-lr1e-3', 'private-words-tapa-s0-lr1e-3']

    Args:
        variants: names.
        seeds, rates, shares: of the runs.
        rest: corpus, size or kind of all.
    """
    variants = tuple(variants)
    for seed in seeds:
        for share in shares:
            for lr in rates:
                for variant in variants:
                    yield LongRun(variant, seed, lr, share=share, **rest)


def _on_code(
    variants: Iterable[str],
    *,
    seeds: Sequence[int],
    rates: Sequence[float],
    shares: Sequence[float] = (CODE_SHARE,),
) -> Iterator[LongRun]:
    return crossed(variants, seeds=seeds, rates=rates, shares=shares, corpus="code", size="3M")


def _fine_on_code(variants: Iterable[str]) -> Iterator[LongRun]:
    return crossed(
        variants, seeds=(0,), rates=CODE_FINE_RATES, shares=FINE_SHARES, corpus="code", size="3M", kind="fine"
    )


def _code_tiers() -> Iterator[Tier]:
    yield Tier(
        "code",
        "Is it the same in long source files by byte pairs?",
        (
            LongRun("rope", 0, CODE_RATES[0], "code", share=CODE_SHARE, size="3M", kind="reference"),
            *_on_code(("rope", "tapa"), seeds=(0,), rates=CODE_RATES[:2]),
            *_on_code(("alibi", "nope"), seeds=(0,), rates=CODE_RATES[:2]),
        ),
    )
    yield Tier(
        "code_fine",
        "In long source files, what do 0.5 % and 5 % of the tokens at 4L mend?",
        tuple(run for group in (FINE, FINE_OTHERS) for run in _fine_on_code(group)),
    )
    yield Tier(
        "code_more",
        "Is it the same at another horizon, with another seed, at a higher rate?",
        (
            *_on_code(PRIMARY, seeds=(0,), rates=CODE_RATES[:1], shares=(CODE_SHARE / 3,)),
            *_on_code(PRIMARY, seeds=(1,), rates=CODE_RATES[:1], shares=(CODE_SHARE, CODE_SHARE / 3)),
            *_on_code(("tapa",), seeds=(2,), rates=CODE_RATES[1:2]),
            *_on_code(("rope",), seeds=(2,), rates=CODE_RATES[:1], shares=(CODE_SHARE, CODE_SHARE / 3)),
            *_on_code(PRIMARY, seeds=(1,), rates=CODE_RATES[1:2]),
            *_on_code(PRIMARY, seeds=(0,), rates=CODE_RATES[2:]),
        ),
    )


def _tiers() -> Iterator[Tier]:
    yield Tier(
        "gate",
        "Is context from L to 4L worth anything in private-words to a model that is trained at 4L?",
        (LongRun("rope", 0, MIDDLE, kind="reference"),),
    )
    yield Tier(
        "first",
        "Which share of the bits beyond L do RoPE, TAPA, ALiBi and NoPE collect, and when do they learn to copy?",
        (
            *crossed(PRIMARY, seeds=(0,)),
            *crossed(PRIMARY, seeds=(0,), rates=(MIDDLE,), shares=(0.25,)),
            *crossed(PRIMARY, seeds=(1, 2), rates=(MIDDLE,), shares=(1.0, 0.25)),
        ),
    )
    yield Tier(
        "seeds",
        "How far apart are TAPA and RoPE, ALiBi, NoPE at 8L at equal loss at L, over eight seeds?",
        tuple(crossed(PRIMARY, seeds=range(8), shares=(1.0, 0.25))),
    )
    yield Tier(
        "others",
        "Where are the encodings of today and the controls of TAPA's phase?",
        (*crossed(OTHERS, seeds=(0,), shares=(1.0, 0.25)), *crossed(OTHERS, seeds=(1, 2), rates=(MIDDLE,))),
    )
    yield Tier(
        "fine",
        "What do 0.5 % and 5 % of the tokens at 4L mend?",
        tuple(
            crossed(
                (*FINE, *FINE_OTHERS), seeds=(0, 1, 2), rates=FINE_RATES, shares=FINE_SHARES, kind="fine"
            ),
        ),
    )
    yield from _code_tiers()
    yield Tier(
        "scale",
        "Does TAPA's lag at L close with tokens and with size?",
        tuple(
            run
            for size in ("3M", "8M")
            for run in crossed(
                ("rope", "tapa"), seeds=(0, 1), rates=RATES[:2], shares=(0.5, 1.0, 2.0), size=size
            )
        ),
    )


@dataclass(frozen=True, slots=True)
class Ladder:
    """The tiers, and how every run of them is trained and measured.

    Attributes:
        recipe: of a run from scratch; corpus, sizes, method, seed, rate and steps are the run's.
        fine: of fine-tuning.
        tiers: in their order.
        spans, target: held-out spans, and tokens of each that are scored.
        longest: length that is read, over the trained one.
        points: checkpoints along a run at which copying is measured, the last one included.
        needles: windows of the needle grid at each length; 0 for none.

    >>> ladder().recipe.length
    256
    """

    recipe: Recipe
    fine: Recipe
    tiers: tuple[Tier, ...]
    spans: int = 64
    target: int = 128
    longest: int = 16
    points: int = 12
    needles: int = 16

    @property
    def length(self) -> int:
        """Trained length L, tokens."""
        return self.recipe.length

    @property
    def lengths(self) -> tuple[int, ...]:
        """That are read: L, doubled up to the longest."""
        return lengths_of(self.length, self.longest)

    def of(self, names: Sequence[str] = ()) -> tuple[Tier, ...]:
        """The named tiers in the ladder's order, all if none is named.

        Raises:
            InputError: a tier that is unknown.
        """
        known = {tier.name: tier for tier in self.tiers}
        for name in names:
            if name not in known:
                raise InputError(f"tier {name!r} is unknown; {nearest(name, known)}")
        return tuple(tier for tier in self.tiers if not names or tier.name in names)

    def runs(self, names: Sequence[str] = ()) -> list[LongRun]:
        """Runs of the named tiers, each once, in the order in which they are taken."""
        return list(dict.fromkeys(run for tier in self.of(names) for run in tier.runs))

    def size_of(self, corpus: str) -> str:
        """The size at which methods are compared on a corpus: that of its reference.

        >>> ladder().size_of("code")
        '3M'

        Raises:
            InputError: the ladder has no reference for this corpus.
        """
        return self.reference(corpus).size

    def reference(self, corpus: str) -> LongRun:
        """The run that decides whether a corpus passes the gate.

        Raises:
            InputError: the ladder has none for this corpus.
        """
        for run in (run for tier in self.tiers for run in tier.runs):
            if run.kind == "reference" and run.corpus == corpus:
                return run
        raise InputError(f"corpus {corpus} has no reference in the ladder; add one before its runs")

    def parents(self, run: LongRun) -> list[LongRun]:
        """The runs of earlier tiers that a "fine" run may go on from: every rate at the whole horizon of its corpus.

        >>> [run.name for run in ladder().parents(ladder().runs(["code_fine"])[0])]
        ['code-rope-3M-x0.375-s0-lr1.5e-3', 'code-rope-3M-x0.375-s0-lr7.5e-4']
        """
        before = itertools.takewhile(lambda tier: run not in tier.runs, self.tiers)
        wanted = (
            VARIANTS[run.variant].parent,
            run.corpus,
            run.seed,
            run.size,
            self.reference(run.corpus).share,
        )
        return [
            one
            for one in dict.fromkeys(one for tier in before for one in tier.runs)
            if one.kind == "scratch" and (one.variant, one.corpus, one.seed, one.size, one.share) == wanted
        ]

    def recipe_of(self, run: LongRun, start: str | None = None) -> Recipe:
        """What the trainer gets.

        Args:
            run: of the ladder.
            start: checkpoint that a "fine" run goes on from; the name of its parent's variant if None.
        """
        variant = VARIANTS[run.variant]
        base = self.recipe
        sizes = {**SIZES[run.size], **CORPORA[run.corpus]}
        method = variant.method
        if run.kind == "fine":
            if method.extension != "none":
                method = replace(method, trained_length=self.length)
            context = variant.stretch * self.length
            model = replace(base.model, method=method, context=context, **sizes)
            horizon = self.reference(run.corpus).share
            tokens = run.share * horizon * base.steps * base.batch * base.length
            batch = max(1, base.batch // variant.stretch)  # the same tokens in a step
            steps = max(2, round(tokens / (batch * context)))
            return replace(
                self.fine, model=model, corpus=run.corpus, batch=batch, steps=steps, seed=run.seed, lr=run.lr,
                warmup=min(self.fine.warmup, steps // 2), parent=start or str(variant.parent),
                validate_every=max(1, steps // FINE_POINTS),
                precision=CODE_PRECISION if run.corpus == "code" else self.fine.precision,
            )  # fmt: skip
        longer = STRETCH if run.kind == "reference" else 1
        model = replace(base.model, method=method, context=longer * self.length, **sizes)
        steps = max(2, round(run.share * base.steps))
        in_float32 = run.corpus == "code" and run.kind == "scratch"
        return replace(
            base, model=model, corpus=run.corpus, batch=max(1, base.batch // longer), steps=steps,
            warmup=min(base.warmup, steps // 4), seed=run.seed, lr=run.lr,
            precision=CODE_PRECISION if in_float32 else base.precision,
        )  # fmt: skip

    def evaluation(self, run: LongRun) -> Evaluation:
        """How its models are evaluated: extensions only at the whole horizon of the corpus, that of its reference."""
        whole = run.kind == "scratch" and run.share >= self.reference(run.corpus).share
        extended = VARIANTS[run.variant].evaluated_as if whole else ("none",)
        extensions = tuple(name for name in EXTENSIONS if name in extended)
        points = 0 if run.kind == "fine" else self.points
        return Evaluation(self.lengths, extensions, self.spans, self.target, points)

    def configuration(self, run: LongRun, parent: str | None = None) -> dict[str, Any]:
        """All that decides the run's numbers, fit for a record; the start by the name of its run."""
        recipe = self.recipe_of(run, parent)
        return configuration(run.name, recipe, self.evaluation(run))


def ladder() -> Ladder:
    """The project's own: recipes "long" and "finetune".

    >>> [tier.name for tier in ladder().tiers][:3]
    ['gate', 'first', 'seeds']
    """
    return Ladder(load_recipe("long"), load_recipe("finetune"), tuple(_tiers()))
