"""Theorem 2.2 at a finite D: no D serves all far distances, and where the first failure is at real sizes.

At a fixed D the score is almost periodic in the distance, so the near value comes back at some far distance. For real
bases and head dimensions that happens close to the edge of the far range; whole ranges of integers are certified.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache, reduce

import sympy as sp
from flint import arb

from analysis.evidence import Evidence, Verdict
from proofs.balls import PRECISION, ball, below, precision
from proofs.checks import (
    BASES,
    HEAD_DIMS,
    LONGEST,
    Distances,
    Scan,
    controlled,
    equality,
    exact,
    near_integers,
    scale,
    search,
    short,
    tried,
)
from proofs.gaussian_tokens import counterexample
from proofs.integrals import RopeSums
from proofs.ledger import attack, claim, practice, repair
from proofs.letters import (
    ANY_HEAD,
    BASE,
    DIM,
    FAR,
    HERE,
    LOG,
    MU,
    NEAR,
    NEAR_END,
    NU,
    RHO,
    THERE,
    UNIT,
    R,
    rope_bias,
)
from proofs.paper.theorem_2_2 import (
    FAR_ENOUGH,
    LEAST_DIM,
    NONZERO,
    RADIANS,
    RATIO,
    REPAIRED,
    THRESHOLDS,
    TURNS,
    above_threshold,
    gap_floor,
    periodic_example,
    pigeonhole,
    promise_at,
    returning_gap,
)
from proofs.statements import TURN, Conclusion, Listed, Statement, Variable, relation
from proofs.subdivision import minimum


@claim(
    "thm-2.2.uniform",
    where="Sec. 2.2, Theorem 2.2",
    kind="theorem",
    says=(
        r"Theorem 2.2 with a $D_0$ that depends on $\mu_0$, $\nu_0$, $\theta_0$ alone: for $D > D_0$, (7) "
        r"holds for all near $\lambda$ and all $|\Lambda| > \theta_0^{-1}$"
    ),
    assumes=("Assumption 2.1", r"$\mu_0 \ne 0$"),
    uses=("asm-2.1",),
    cites=("eq-7",),
    outline=(
        "False for every D and every theta_0: by Dirichlet's pigeonhole some T > 1/theta_0 brings all T "
        "theta_d within eps of integers, so Gamma at lambda + T is within pi eps r of Gamma at lambda and "
        "the gap is below |mu_0|/8. Exactly: D = 512, theta_0 = (2/3)^256, lambda = 2, Lambda = 2 + 3^255 "
        "gives a gap of 0; (2/3)^{D/2} does so for every D."
    ),
    in_words="of one head dimension for all far distances, which exist at every one of them",
)
def uniform() -> Iterator[Evidence]:
    yield from counterexample([pigeonhole()], returning_gap(sp.Integer(8)))
    yield from periodic_example(256, 2)


NEAR_HERE, FAR_MOST = sp.symbols(r"lambda \Lambda_{max}", positive=True)
BOXES, LATEST, RETURN_GAP = sp.symbols("N Lambda_* G", positive=True)
AT_MOST = {NEAR: NEAR_END, FAR: FAR_MOST}  # the farthest of the near and of the far distances
SERVED = Statement(
    (
        *(FAR_ENOUGH, NONZERO, Variable(NU), Variable(FAR_MOST, low=BASE), ANY_HEAD),
        Variable(NEAR_HERE, low=sp.Integer(1), high=NEAR_END, cut=True),
    ),
    (
        Conclusion(
            relation(promise_at(0, LEAST_DIM).subs(AT_MOST), "==", sp.Abs(MU) / 8),
            when=(above_threshold(*THRESHOLDS[0]),),
        ),
        Conclusion(relation(RETURN_GAP, "<=", sp.Abs(MU) / 8)),
    ),
    meaning=RATIO
    | {
        R: sp.sqrt(MU**2 + NU**2),
        LEAST_DIM: TURN
        * sp.sqrt(1 + RHO**2)
        * (NEAR_END + FAR_MOST)
        / (sp.Rational(1, 4) - (sp.Rational("0.2575") + sp.Rational("0.9138") * sp.Abs(RHO)) / LOG),
        BOXES: sp.ceiling(8 * sp.pi * sp.sqrt(1 + RHO**2)),
        RETURN_GAP: sp.pi * R / BOXES,
        LATEST: NEAR_HERE + BOXES ** (DIM / 2 - 1) * sp.ceiling(BASE),
    },
    words=r"for $|\Lambda| \le \Lambda_{max}$, $D > D_0$ is enough (turns), as at $D_0$ this is what is left of the "
    r"bound at the farthest distances; and for every $D$, $\theta_0$, $\lambda$ the gap is below $G$ at some "
    r"$b < \Lambda \le \Lambda_*$: ",
)


@repair(
    "thm-2.2.uniform",
    says=SERVED,
    uses=("thm-2.2*",),
    outline=(
        "First part: theorem 2.2 as repaired. Second: among the multiples 0..N^{D/2-1} of ceil(b) two "
        "agree mod 1 within 1/N in every theta_d, d >= 1 (pair 0 has period 1); T is their difference and "
        "Lambda = lambda + T."
    ),
    proof=r"""
        Of the multiples $0,\dots,N^{D/2-1}$ of $\lceil b\rceil$, $N=\lceil8\pi\sqrt{1+\rho^2}\rceil$, two
        agree mod 1 within $1/N$ in every $\theta_d$, $d\ge1$ (pigeonhole). If $T$ is their difference,
        $\Lambda=\lambda+T$ has $|\Delta|\le\frac{\pi r}N\le|\mu_0|/8$. The bound on $D$ is that of
        `thm-2.2*`. $\square$
    """,
)
def uniform_repaired(statement: Statement) -> Iterator[Evidence]:
    yield pigeonhole()
    said = statement.meaning
    least = REPAIRED.meaning[LEAST_DIM].subs({sp.Abs(NEAR): NEAR_END, sp.Abs(FAR): FAR_MOST})
    yield equality("D_0 of thm-2.2* at the farthest distances", said[LEAST_DIM], least)
    whole = sp.expand(statement.conclusions[0].says.lhs)
    of_theorem = sp.expand(
        REPAIRED.conclusions[4].says.lhs.subs({sp.Abs(NEAR): NEAR_END, sp.Abs(FAR): FAR_MOST})
    )
    yield equality("and its bound there", whole, of_theorem)
    (given,), (meant,) = statement.conclusions[0].when, REPAIRED.conclusions[4].when
    yield exact("beyond the same threshold", given == meant, given, meant)
    yield equality("which is |mu_0|/8", statement.target(1), REPAIRED.target(5))
    mean, ratio = sp.symbols("m rho", positive=True)  # |mu_0| and |rho|: r = m sqrt(1 + rho^2)
    boxes = said[BOXES].args[0].subs(RHO, ratio)
    yield exact("N is the next integer", said[BOXES].func == sp.ceiling, said[BOXES], "a ceiling")
    gap = said[RETURN_GAP].subs({R: mean * sp.sqrt(1 + ratio**2), BOXES: boxes})
    yield equality("pi r/N, N not rounded up", sp.simplify(gap), statement.target(2).subs(sp.Abs(MU), mean))
    falls = sp.diff(said[RETURN_GAP], BOXES)
    yield exact("and it falls with N", falls.subs(R, mean).is_negative, falls, "< 0")
    others = DIM / 2 - 1  # pair 0 has the period 1
    multiples = sp.ceiling(BASE) * BOXES**others
    yield equality("the last of one multiple more than there are boxes", said[LATEST] - NEAR_HERE, multiples)


@attack(
    "thm-2.2.uniform",
    domain="theta_0 = (2/3)^{D/2} for D = 400 to 2048: the exact period against the far range",
)
def uniform_attack() -> Iterator[Evidence]:
    for pairs in (200, 1024):
        yield from (found for found in periodic_example(pairs, 2) if found.verdict is Verdict.REFUTED)


@attack(
    "thm-2.2.uniform*",
    domain="D = 4, 6 with base 65537, lambda = 2: does a failure occur within the stated bound?",
)
def uniform_repaired_attack() -> Iterator[Evidence]:
    base, near = 65_537, 2
    for head_dim, before in ((4, 65_537), (6, 66_319)):
        sums = RopeSums.of(head_dim, base=base)
        limit = sums.cos(near) - ball("1/8")
        found = Distances(sums.omega, 1, 0).first(base + 1, base + 200_000, limit).first
        sizes = {NEAR_HERE: near, DIM: head_dim, BASE: base, MU: 1, NU: 0}
        steps = int(SERVED.spelt(LATEST).subs(sizes))

        def fails_by(last: int, head_dim: int = head_dim, found: int | None = found) -> Evidence:
            holds = found is not None and found <= last
            return tried(f"D = {head_dim}: first failure", holds, found, f"<= {last}")

        yield controlled(fails_by(before + 1), fails_by(before))
        yield exact(f"D = {head_dim}: which is within the bound", before < steps, before + 1, f"<= {steps}")
    yield from SERVED.attack()


@cache
def near_floor(base: int, head_dim: int, turns: bool, nu: int) -> tuple[arb, int]:
    """Least Gamma over the near integers of both signs at mu_0 = 1, and the distance where it is.

    In the ledger's precision, whatever it is just now: the first caller's would be kept for all.
    """
    with precision(PRECISION):
        sums = RopeSums.of(head_dim, base=base, turns=turns)
        signed = [s * lam for lam in near_integers(base) for s in ((1, -1) if nu else (1,))]
        values = [sums.gamma(lam, 1, nu) for lam in signed]
        least = min(range(len(values)), key=lambda i: float(values[i]))
        return reduce(arb.min, values), signed[least]


def scans(base: int, head_dim: int, turns: bool, nu: int, stop: int) -> dict[int, Scan]:
    """For either sign of Lambda, the scan of |Lambda| in (b, stop) for a failure of (7) at some near integer, in balls.

    At nu_0 = 0 the score is even in Lambda, and the scan of one sign is that of both.
    """
    with precision(64):
        omega = RopeSums.of(head_dim, base=base, turns=turns).omega
        top = near_floor(base, head_dim, turns, nu)[0] - ball("1/8")
        signs = (1, -1) if nu else (1,)
        found = {sign: Distances(omega, 1, sign * nu).first(base + 1, stop, top) for sign in signs}
    return found if nu else found | {-1: found[1]}


def first_failure(base: int, head_dim: int, turns: bool, nu: int, stop: int) -> tuple[int | None, int | None]:
    """First |Lambda| in (b, stop) where (7) fails for some near integer, and first undecided one."""
    found = scans(base, head_dim, turns, nu, stop).values()
    fails = [scan.first for scan in found if scan.first is not None]
    unknown = [scan.doubtful for scan in found if scan.doubtful is not None]
    return min(fails, default=None), min(unknown, default=None)


def uncovered(found: Mapping[int, Scan], base: int, last: int) -> list[str]:
    """What of the far range, the integers with b < |Lambda| <= last, the scans of either sign have left open.

    A scan that ends at a failure has covered what comes before it.
    """
    gaps = []
    for sign in (1, -1):
        if sign not in found:
            gaps.append(f"no Lambda of sign {sign}")
            continue
        looked, fails, doubtful = found[sign].looked, found[sign].first, found[sign].doubtful
        end = last if fails is None else fails
        if not looked or looked[0] > base + 1 or looked[-1] < end or looked.step != 1:
            gaps.append(f"sign {sign}: looked at {looked}, not at all of [{base + 1}, {end}]")
        if doubtful is not None and doubtful <= last:
            gaps.append(f"sign {sign}: undecided at {doubtful}")
    return gaps


def failure(base: int, head_dim: int, turns: bool, nu: int, expected: int) -> Iterator[Evidence]:
    """Evidence that (7) holds at all integers in (b, expected), of both signs, and fails at `expected`."""
    found = scans(base, head_dim, turns, nu, expected + 1)
    where = f"base {base}, D = {head_dim}, {'turns' if turns else 'radians'}, nu_0/mu_0 = {nu}"
    fails = {scan.first for scan in found.values() if scan.first is not None}
    gaps = uncovered(found, base, expected)
    yield Evidence(
        f"{where}: first far integer where (7) fails{'; left open: ' + ', '.join(gaps) if gaps else ''}",
        Verdict.CERTIFIED if fails == {expected} and not gaps else Verdict.UNKNOWN,
        ", ".join(map(str, sorted(fails))),
        str(expected),
        radius=0.0,
        precision="64 bit ball",
    )
    yield gap_at(base, head_dim, turns, nu, expected)


def gap_at(base: int, head_dim: int, turns: bool, nu: int, far: int) -> Evidence:
    """The gap at the near integer of least Gamma and one far distance of the worse sign, against 1/8."""
    where, gap = worst_gap(base, head_dim, turns, nu, far)
    return below(f"gap at {where}", gap, "1/8", strict=False)


def worst_gap(base: int, head_dim: int, turns: bool, nu: int, far: int) -> tuple[str, arb]:
    """Where the gap of `gap_at` lies, and its ball."""
    sums = RopeSums.of(head_dim, base=base, turns=turns)
    near, lam = near_floor(base, head_dim, turns, nu)
    gap, sign = min(
        ((near - sums.gamma(s * far, 1, nu), s) for s in (1, -1)), key=lambda pair: float(pair[0])
    )
    return f"lambda = {lam}, Lambda = {sign * far}, D = {head_dim}, base {base}", gap


FIRST = (  # base, head_dim, turns, nu, first failing integer beyond the base, near and far distance of that gap
    (100_000, 64, True, 0, 101_473, 2, 101_473),
    (500_000, 64, True, 0, 598_837, 2, 598_837),
    (1_000_000, 64, True, 0, 1_270_923, 2, 1_270_923),
    (100_000, 128, True, 1, 101_528, -2, 101_528),
    (500_000, 128, True, 1, 500_778, -3, 500_778),
    (100_000, 64, False, 1, 105_507, -2, 105_507),
    (100_000, 64, True, 1, 100_280, -2, 100_280),
    (500_000, 64, True, 1, 500_636, -2, -500_636),
    (1_000_000, 64, True, 1, 1_000_577, -2, -1_000_577),
    (500_000, 64, False, 1, 514_064, -3, -514_064),
)
LATE = (  # found by a float64 search, not certified to be the first
    (100_000, 128, True, 0, 50_359_005),
    (500_000, 128, True, 0, 30_820_001),
    (1_000_000, 128, True, 0, 492_374_227),
)


FAILURES = Statement(
    (
        Listed(
            (BASE, DIM, UNIT, NU, NEAR, FAR),
            tuple(
                (
                    sp.Integer(base),
                    sp.Integer(dim),
                    TURN if turns else sp.Integer(1),
                    sp.Integer(nu),
                    near,
                    far,
                )
                for base, dim, turns, nu, _, near, far in FIRST
            ),
        ),
    ),
    (Conclusion(relation(HERE - THERE, "<=", sp.Rational(1, 8))),),
    meaning={HERE: rope_bias(NEAR).subs(MU, 1), THERE: rope_bias(FAR).subs(MU, 1)},
    words=r"$\mu_0 = 1$: of all integers beyond the base, of either sign, $|\Lambda|$ is the first at which (7) "
    r"fails for "
    r"some near integer $\lambda$; ",
)


@claim(
    "thm-2.2.first",
    where="Sec. 2.2, Theorem 2.2",
    kind="step",
    says=FAILURES,
    cites=("eq-7",),
    outline=(
        "Every integer from the base to the failure is bounded in balls; the near distance is the near integer of "
        "least Gamma, both signs where nu_0 != 0."
    ),
)
def thm_2_2_first(statement: Statement) -> Iterator[Evidence]:
    table = statement.table
    for base, dim, turns, nu, first, near, far in FIRST:
        yield from failure(base, dim, turns, nu, first)
        said = (base, dim, TURN if turns else sp.Integer(1), nu, near, far)
        least = near_floor(base, dim, turns, nu)[1]
        yield exact("its near distance is that of least Gamma", least == near, least, near)
        yield exact(f"a row of the statement: {said}", said in table.rows and abs(far) == first, said, "")
    bound = statement.target()
    yield exact("the bound is that of (7)", bound == sp.Rational(1, 8), bound, "1/8")
    yield exact("no other row", len(table.rows) == len(FIRST), len(table.rows), len(FIRST))


@attack("thm-2.2.first", domain="D = 128, nu_0 = 0: distances found by a longer search, up to 5e8")
def first_attack() -> Iterator[Evidence]:
    for place, control in ((0, "0.00456"), (1, "0.00748"), (2, "0.00447")):
        where, gap = worst_gap(*LATE[place])
        what, room = "(7) fails: 1/8 less the gap", ball("1/8") - gap
        yield search(what, [(where, room)], strict=False, control=control)
    *case, last = FIRST[-1][:5]
    found = scans(*case, last + 1)
    opened = (
        {sign: replace(found[sign], doubtful=last)} for sign in (1, -1)
    )  # the last distance left undecided
    yield controlled(closed(found, case[0], last), *(closed(found | one, case[0], last) for one in opened))
    yield from FAILURES.attack()


def closed(found: Mapping[int, Scan], base: int, last: int) -> Evidence:
    """Do the scans leave nothing of a range open?"""
    gaps = uncovered(found, base, last)
    return tried(f"what the scans of {base + 1} to {last} leave open", not gaps, gaps, "nothing")


@practice("thm-2.2.uniform")
def uniform_practice() -> Iterator[dict[str, object]]:
    """Listed: known failures of (7) beyond the base, and how far the pigeonhole looks for one."""
    for rows, how in (
        (tuple(row[:5] for row in FIRST), "first, certified"),
        (LATE, "first of a float64 search, failure certified"),
    ):
        for base, head_dim, turns, nu, far in rows:
            count = (8 * arb.pi() * (1 + ball(nu) ** 2).sqrt()).ceil()
            steps = (head_dim // 2 - 1) * count.log() + ball(base).log()
            yield {
                "base": base,
                "head_dim": head_dim,
                "angle": "turns" if turns else "radians",
                "nu_0/mu_0": nu,
                "(7) fails at Lambda": far,
                "how found": how,
                "log10 of the pigeonhole's bound": short(steps / ball(10).log()),
            }


@practice("thm-2.2")
def regimes() -> Iterator[dict[str, object]]:
    """Listed: what is proved, what balls certify and what is seen, at nu_0 = 0, for distances up to 2^20."""
    for base in BASES:
        near = near_integers(base)
        for head_dim in HEAD_DIMS:
            for turns in (True, False):
                yield _regime(base, head_dim, turns, near)


def _regime(base: int, head_dim: int, turns: bool, near: range) -> dict[str, object]:
    convention = TURNS if turns else RADIANS
    floor = gap_floor(convention, ball(base).log(), 0)
    row: dict[str, object] = {
        "base": base,
        "head_dim": head_dim,
        "angle": "turns" if turns else "radians",
        "near integers": len(near),
        "certified: least C_D on the whole near interval": _near_minimum(base, head_dim, turns),
        "far integers up to 2^20": max(0, LONGEST - base),
        "proved: gap as D -> oo at least": short(floor),
        "proved: D needed for Lambda up to 2^20": short(
            scale(turns) * (LONGEST + near.stop) / (floor - ball("1/8"))
        ),
    }
    if not near or base >= LONGEST:
        return row | {"certified": "empty: no near or no far integer", "seen: least gap": None}
    found, doubtful = first_failure(base, head_dim, turns, 0, LONGEST)
    clear = "holds at every integer up to 2^20" if found is None else f"holds up to {found}, where it fails"
    return row | {
        "certified": clear if doubtful is None else f"undecided at {doubtful}",
        "seen: least gap": _least_gap(base, head_dim, turns),
    }


def _near_minimum(base: int, head_dim: int, turns: bool) -> float:
    """Least C_D over all real distances from 1 to b^(1/4)/8, by subdivision."""
    sums = RopeSums.of(head_dim, base=base, turns=turns)
    end = (ball(base) ** (ball(1) / 4) / 8).upper()
    return short(minimum(sums.cos, sums.cos_slope, 1, end, tol="1e-4"), 4)


def _least_gap(base: int, head_dim: int, turns: bool) -> float:
    """Least gap over 400 far distances spread evenly in the logarithm up to 2^20."""
    sums = RopeSums.of(head_dim, base=base, turns=turns)
    near = near_floor(base, head_dim, turns, 0)[0]
    span = Fraction(LONGEST, base)
    distances = {round(base * float(span) ** (i / 399)) + 1 for i in range(400)}
    omega = [float(w) for w in sums.omega]
    # floats choose, and a ball tells
    seen = max(distances, key=lambda lam: math.fsum(math.cos(lam * w) for w in omega))
    return short(near - sums.cos(seen))
