"""What TAPA costs in parameters and operations (section 3, after eq 13).

Operations are counted by running eq 12 on numbers that count, one at a time, what is done to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import sympy as sp

from analysis.errors import InputError
from analysis.evidence import Evidence
from proofs.balls import ball
from proofs.checks import exact, short, tried
from proofs.exact import identity
from proofs.gaussian_tokens import HEAD_DIMS
from proofs.ledger import attack, claim, practice, repair


@dataclass(frozen=True, slots=True)
class Counted:
    """A number without a value that counts what is done to it in a tally shared by all its kind."""

    tally: Counter = field(default_factory=Counter)

    def _count(self, operation: str) -> Counted:
        self.tally[operation] += 1
        return self

    def __add__(self, _other: Counted) -> Counted:
        return self._count("add")

    def __mul__(self, _other: Counted) -> Counted:
        return self._count("multiply")

    def cos(self) -> Counted:
        """One cosine, counted as one operation whatever it costs."""
        return self._count("cosine")


def _dot(length: int, number: Counted) -> Counted:
    if length < 1:
        raise InputError(f"a product of vectors of length {length} is empty")
    total = number * number
    for _ in range(length - 1):
        total = total + number * number
    return total


def vanilla_operations(head: int, folded: bool = False) -> Counter:
    """Operations of q.k/sqrt(D) for one pair of tokens; `folded`: the scale is already in the weights."""
    number = Counted()
    _ = _dot(head, number) if folded else _dot(head, number) * number
    return number.tally


def tapa_operations(head: int, amplitude: int, folded: bool = False) -> Counter:
    """Operations of eq 12 for one pair; 2 pi |m-n|^alpha/sqrt((1-theta)D) is read from a table of distances.

    `folded`: the amplitude's scale is already in the weights; the angle's factor, one a distance, cannot be.
    """
    number = Counted()
    angle = _dot(head - amplitude, number) * number
    product = _dot(amplitude, number) if folded else _dot(amplitude, number) * number
    _ = product * angle.cos()
    return number.tally


def extra_operations(head: int, amplitude: int, folded: bool = False) -> Counter:
    """What eq 12 does on top of q.k/sqrt(D), operation by operation; a saving is negative."""
    difference = tapa_operations(head, amplitude, folded)
    difference.subtract(vanilla_operations(head, folded))
    return Counter({name: count for name, count in difference.items() if count})


@claim(
    "rem-3.parameters",
    where="Sec. 3, after eq 13",
    kind="remark",
    says=r"(12) has no parameters in addition to those of a vanilla transformer: W_q and W_k keep their D rows",
    uses=("eq-11",),
    outline=(
        "theta and alpha are fixed before training; the phase takes its rows from W_q and W_k, it adds none."
    ),
)
def parameters() -> Iterator[Evidence]:
    head, width, share = sp.symbols("D width theta", positive=True)
    rows = share * head + (1 - share) * head
    yield identity(2 * rows * width, 2 * head * width, "weights of W_q and W_k: split against whole")


@attack("rem-3.parameters", domain="every split of D = 2..9: rows of W_q used by amplitude and phase")
def parameters_attack() -> Iterator[Evidence]:
    rows = {len({*range(a), *range(a, head)}) - head for head in range(2, 10) for a in range(1, head)}
    yield tried("rows used less rows there", rows == {0}, rows, "{0}")


@claim(
    "rem-3.flops",
    where="Sec. 3, after eq 13",
    kind="remark",
    says=r"(12) needs no flops in addition to those of a vanilla transformer, q^T k/\sqrt D per pair of tokens",
    outline="Counted: one addition less, and one multiplication (the angle), one cosine and one product more.",
)
def flops() -> Iterator[Evidence]:
    extra = extra_operations(64, 32)
    yield exact("operations per pair added by eq 12, D = 64", not +extra, dict(extra), "none")


@repair(
    "rem-3.flops",
    says=(
        r"per pair of tokens both need D multiplications for their products, (12) one addition less; on top it "
        r"needs 2 multiplications and 1 cosine, whatever D and theta: 1 + c more than the score's 2D "
        r"operations, c the cost of a cosine. It doubles nothing: products of theta D and (1-theta)D are one of D"
    ),
    assumes=("|m-n|^alpha comes from a table with one entry a distance",),
    outline=(
        "theta D + (1-theta)D = D. The count is linear in each length, and is made for every split of D = 2..12 "
        "and of D = 64, 128, 256. Both matrices of products must be held or fused; that is memory, not flops."
    ),
)
def flops_repaired() -> Iterator[Evidence]:
    yield same_everywhere(Counter({"multiply": 2, "cosine": 1, "add": -1}))


def same_everywhere(predicted: Counter) -> Evidence:
    """Is the difference of operations the predicted one at every split of D = 2..12, 64, 128, 256?"""
    splits = [(head, a) for head in (*range(2, 13), *HEAD_DIMS) for a in range(1, head)]
    found = {tuple(sorted(extra_operations(head, a).items())) for head, a in splits}
    wanted = {tuple(sorted(predicted.items()))}
    return exact(f"operations added by eq 12 at {len(splits)} splits", found == wanted, found, wanted)


@attack(
    "rem-3.flops", domain="factors 1/sqrt folded into the weights on both sides: is anything still added?"
)
def flops_attack() -> Iterator[Evidence]:
    folded = extra_operations(64, 32, folded=True)
    yield tried("operations added with the scales folded away", bool(+folded), dict(folded), "still some")


@practice("rem-3.flops")
def flops_practice() -> Iterator[dict[str, object]]:
    """Rows: the share of operations added to the score, for a cosine of 1 and of 20 operations."""
    for head in HEAD_DIMS:
        extra = extra_operations(head, head // 2)
        base = sum(vanilla_operations(head).values())
        yield {
            "head_dim": head,
            "operations of q.k/sqrt(D)": base,
            "added, cosine = 1": short(ball(sum(extra.values())) / base, 3),
            "added, cosine = 20": short(ball(sum(extra.values()) + 19) / base, 3),
        }
