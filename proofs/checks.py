"""What the RoPE entries share: evidence from symbols and searches, and whole ranges of integer distances in balls.

Angle conventions: `turns=True` is the paper's angle 2 pi lambda theta_d, `turns=False` the deployed lambda theta_d.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp
from flint import arb, arb_mat, ctx

from analysis.errors import InputError
from analysis.evidence import Evidence, Verdict
from proofs import exact as symbolic
from proofs.balls import Real, ball, less, radius, text

BASES = (10_000, 100_000, 500_000, 1_000_000, 200_000_000, 4_000_000_000)
HEAD_DIMS = (64, 128, 256)
LONGEST = 2**20  # the longest context that the practice rows look at


def exact(what: str, holds: bool | None, computed: object, predicted: object) -> Evidence:
    """Evidence decided by symbols or integers: PROVED, REFUTED, or UNKNOWN where `holds` is None."""
    answer = Verdict.UNKNOWN if holds is None else Verdict.PROVED if holds else Verdict.REFUTED
    return Evidence(what, answer, computed=_written(computed), predicted=_written(predicted))


def tried(what: str, survives: bool, computed: object, predicted: object) -> Evidence:
    """Evidence of an exact attempt to refute on samples: SUPPORTED if the claim survives, else REFUTED."""
    answer = Verdict.SUPPORTED if survives else Verdict.REFUTED
    return Evidence(what, answer, computed=_written(computed), predicted=_written(predicted))


def _written(value: object) -> str:
    """As text that is the same at every run: a set has no order of its own, and its members are sorted."""
    if isinstance(value, set | frozenset):
        return (
            "{"
            + ", ".join(sorted((_written(item) for item in value), key=lambda text: (len(text), text)))
            + "}"
        )
    return str(value)


def identity(what: str, left: symbolic.Expr, right: symbolic.Expr) -> Evidence:
    """Evidence that two expressions are equal: `proofs.symbolic.identity`, with complex expansion tried first.

    A failure to simplify refutes nothing: REFUTED takes a point where balls show the two sides apart.
    """
    gap = sp.simplify(sp.expand(left - right, complex=True))
    if gap == 0 or sp.simplify(sp.expand_trig(gap)) == 0:
        return exact(what, True, sp.sstr(left), sp.sstr(right))
    return symbolic.identity(left, right, what)


def search(what: str, cases: Iterable[tuple[str, Real]], *, strict: bool = True) -> Evidence:
    """Evidence from a search for a counterexample: each case is (where, margin), and the claim says margin > 0.

    SUPPORTED with the least margin if every ball is positive (or, not strict, nonnegative); REFUTED with the case if
    one is certainly not; UNKNOWN if the balls decide neither. `InputError` if there is no case: an empty search
    would support anything.
    """
    least: tuple[str, arb] | None = None
    count, undecided = 0, ""
    for where, margin in cases:
        count, value = count + 1, ball(margin)
        fails = value < 0 if strict is False else value <= 0
        if fails:
            return _found(what, Verdict.REFUTED, where, value)
        if not (value > 0 or (not strict and value >= 0)):
            undecided = where
        if least is None or less(value.mid(), least[1].mid()):
            least = (where, value)
    if least is None:
        raise InputError(f"{what}: the search has no case; a search of nothing supports nothing")
    if undecided:
        return exact(f"{what}, undecided at {undecided}", None, "a ball that contains 0", "> 0")
    return _found(f"{what}, {count} cases", Verdict.SUPPORTED, f"least margin at {least[0]}", least[1])


def _found(what: str, verdict: Verdict, where: str, value: arb) -> Evidence:
    return Evidence(
        f"{what}: {where}",
        verdict,
        computed=text(value),
        predicted="> 0",
        radius=radius(value),
        precision=f"{ctx.prec} bit ball",
    )


def short(x: Real, digits: int = 5) -> float:
    """The midpoint of a ball to a few digits, for the rows of a practice table; never evidence."""
    return float(f"{float(ball(x)):.{digits}g}")


def scale(turns: bool) -> arb:
    """Radians of one unit of angle: 2 pi for turns, 1 for radians."""
    return 2 * arb.pi() if turns else arb(1)


def near_integers(base: int) -> range:
    """The integers of theorem 2.2's near range 1 < lambda < b^(1/4)/8, exactly: (8 lambda)^4 < b."""
    stop = 2
    while (8 * stop) ** 4 < base:
        stop += 1
    return range(2, stop)


@dataclass(frozen=True)
class Distances:
    """mu C_D + nu S_D at all integers of a long range, in balls, by angle addition and one matrix product.

    lambda = start + a * columns + b: cos and sin of start + a * columns against those of b, summed over the pairs.
    A block of 10^5 distances takes about 0.1 s.
    """

    omega: tuple[arb, ...]
    mu: Real
    nu: Real
    columns: int = 320
    rows: int = 320

    def __post_init__(self) -> None:
        if not self.omega or min(self.columns, self.rows) < 1:
            raise InputError(
                f"{len(self.omega)} frequencies, {self.rows} rows, {self.columns} columns: all must be > 0"
            )

    def first(self, start: int, stop: int, bound: Real) -> tuple[int | None, int | None]:
        """First distance in [start, stop) where the bias is certainly >= `bound`, and first one left undecided.

        (None, None) certifies bias < bound on the whole range. Undecided distances beyond the failing one do not count.
        """
        fine, top = self._fine(), ball(bound) * 2 * len(self.omega)
        for block in range(start, stop, self.rows * self.columns):
            doubtful = None
            for offset, value in enumerate((self._coarse(block) * fine).entries()):
                if value < top:
                    continue
                if block + offset >= stop:
                    break
                if value >= top:
                    return block + offset, doubtful
                doubtful = block + offset if doubtful is None else doubtful
            if doubtful is not None:
                return None, doubtful
        return None, None

    def _fine(self) -> arb_mat:
        """Rows: mu cos + nu sin and nu cos - mu sin of every frequency times b; columns: b."""
        mu, nu = ball(self.mu), ball(self.nu)
        rows: list[list[arb]] = []
        for w in self.omega:
            angles = [(w * b).sin_cos() for b in range(self.columns)]
            rows.append([mu * c + nu * s for s, c in angles])
            rows.append([nu * c - mu * s for s, c in angles])
        return arb_mat(rows)

    def _coarse(self, block: int) -> arb_mat:
        """Rows: one coarse distance each; columns: cos and sin of every frequency times it."""
        rows: list[list[arb]] = []
        for a in range(self.rows):
            sines = [(w * (block + a * self.columns)).sin_cos() for w in self.omega]
            rows.append([x for s, c in sines for x in (c, s)])
        return arb_mat(rows)
