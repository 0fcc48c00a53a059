"""What a check may say (`Verdict`) and what it must show (`Evidence`)."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.StrEnum):
    """Answer to "is it true?". A comparison of balls that is not true is not false, hence `UNKNOWN`."""

    # exact: a symbolic identity, or a decision about integers; what it proves of its claim, its `Role` says
    PROVED = "proved"
    CERTIFIED = "certified"  # ball arithmetic, on the whole of a stated domain
    SUPPORTED = "supported"  # agrees on samples: never a proof
    UNKNOWN = "unknown"
    REFUTED = "refuted"  # an explicit counterexample that meets every hypothesis


class Role(enum.StrEnum):
    """What a fact does for the claim that it stands under."""

    STATEMENT = "statement"  # it decides the claim's whole statement, from which it was made
    STEP = "step"  # a computation that a written argument joins to others
    INSTANCE = "instance"  # one case of many: a witness of the argument beside it, and no proof of all


@dataclass(frozen=True, slots=True)
class Evidence:
    """One computed fact beside what was predicted, with everything needed to judge it.

    Attributes:
        what: the fact in words, e.g. "C_D(10) at base 1e4, D = 64".
        verdict: what this fact alone says of its claim.
        computed: the computed side, as a float or as exact text.
        predicted: the side it is held against; None where there is none.
        radius: radius of the ball that contains the exact value; None if there is no ball.
        standard_error: of an estimate; None if nothing was sampled.
        seed: of the generator, where something was drawn.
        precision: "exact", "53 bit", "128 bit ball", "float32", ...
        role: what the fact does for its claim; a step of the written argument unless said otherwise.
        control: of a search for a counterexample: what is false on purpose, and was refuted by the same search.
    """

    what: str
    verdict: Verdict
    computed: float | str
    predicted: float | str | None = None
    radius: float | None = None
    standard_error: float | None = None
    seed: int | None = None
    precision: str = "exact"
    role: Role = Role.STEP
    control: str = ""

    def __post_init__(self) -> None:
        for name in ("radius", "standard_error"):
            value = getattr(self, name)
            # an infinite ball contains everything and certifies nothing; NaN fails the comparison too
            if value is not None and not 0 <= value < float("inf"):
                raise ValueError(f"evidence {self.what!r}: {name}={value} is not finite and >= 0")
