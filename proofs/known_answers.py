r"""What the ledger's tools must answer before their word counts: true facts, false ones and bad input.

A tool that takes a false fact for true would prove whatever it is asked, and no claim that is true shows it. So
`verify` asks each tool of `balls`, `exact`, `checks`, `integrals`, `statements`, `subdivision` and
`gaussian_tokens` first, and the ledger is refused where one of them errs (`wrong_answers`). The known answers are by
hand, or by another way to the same number; all of them take about a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import sympy as sp
from flint import acb, arb

from analysis.errors import InputError
from analysis.evidence import Evidence, Role, Verdict
from proofs import balls, checks, exact, integrals, subdivision
from proofs.balls import ball
from proofs.gaussian_tokens import (
    GaussianTokens,
    Split,
    admitted_splits,
    column,
    cosine_mean,
    counterexample,
    for_every_size,
    gaussian_integral,
    one_pair,
    quadratic,
    wick,
)
from proofs.statements import (
    TURN,
    Conclusion,
    CosineLimit,
    Cosines,
    Listed,
    SineLimit,
    Sines,
    Statement,
    Variable,
    line_in,
    relation,
    tex,
)

Answers = Iterator[tuple[str, object, object]]  # what was asked, what came, what is known
YES, SURE, SHOWN = Verdict.PROVED, Verdict.CERTIFIED, Verdict.SUPPORTED
NO, OPEN = Verdict.REFUTED, Verdict.UNKNOWN
X, Y = sp.symbols("x y", real=True)
P, Q = sp.symbols("p q", positive=True)
M = sp.Symbol("m", integer=True)


def wrong_answers() -> list[str]:
    """Each question that a tool answers wrongly, with its answer and the known one; none where all is well."""
    wrong = []
    with balls.precision(balls.PRECISION):
        for group in GROUPS:
            name = group.__name__.removeprefix("_")
            try:
                wrong += [f"{name}: {what}: {x}, not {known}" for what, x, known in group() if x != known]
            except (InputError, ArithmeticError) as error:
                wrong.append(f"{name}: no answer: {error}")
    return wrong


def _refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except (InputError, ArithmeticError):
        return True
    return False


def _verdicts(*found: Evidence) -> list[Verdict]:
    return [item.verdict for item in found]


def _same(one: Any, other: Any, tolerance: str = "1e-25") -> bool:
    return bool(abs(ball(one) - ball(other)) < ball(tolerance))


def _balls() -> Answers:
    wide, third = ball(1).union(ball(2)), ball("1/3")
    yield (
        "less",
        [balls.less(*pair) for pair in ((1, 2), (2, 1), (1, 1), (wide, 2), (0, wide))],
        [True, False, False, None, True],
    )
    yield (
        "at most",
        [balls.at_most(*pair) for pair in ((1, 2), (2, 1), (1, 1), (wide, 2), (0, wide))],
        [True, False, True, None, True],
    )
    yield "sign", [balls.sign(x) for x in (third, -third, 0, wide - 1)], [1, -1, 0, None]
    yield "verdicts", [balls.verdict(x) for x in (True, False, None)], [SURE, NO, OPEN]
    strict = [balls.below("", a, b) for a, b in ((1, 2), (2, 1), (1, 1), (wide, 2))]
    yield "below", _verdicts(*strict), [SURE, NO, NO, OPEN]
    yield "at most, as evidence", balls.below("", 1, 1, strict=False).verdict, SURE
    near = [balls.equal_within("", third, said, "1e-5") for said in ("0.333333", "0.3333", "-1/3")]
    yield "equal within", _verdicts(*near), [SURE, NO, NO]
    shown = [balls.below("", *pair).radius for pair in ((wide, 0), (0, wide))]
    shown += [balls.equal_within("", *pair, 3).radius for pair in ((wide, 0), (0, wide))]
    yield "radius of the wider ball", [0.5 <= (x or 0) < 0.51 for x in shown], [True] * 4
    both = balls.hull(1, 2)
    yield "hull", [bool(both.contains(x)) for x in (1, ball("3/2"), 2, 3)], [True, True, True, False]
    yield "no float", [_refused(lambda: ball(0.5)), _refused(lambda: ball("x"))], [True, True]  # type: ignore[arg-type]


def _identities() -> Answers:
    square, root, one = (X + 1) ** 2, sp.sqrt(2), sp.Integer(1)
    asked = (
        (square, X**2 + 2 * X + 1),
        (sp.cos(X) ** 2 + sp.sin(X) ** 2, 1),
        (square, X**2 + 2 * X + 2),
        (sp.cos(X), 1 - X**2 / 2),
        (sp.Abs(X), X),
    )
    for tool in (exact.identity, lambda a, b, what: checks.equality(what, a, b)):
        found = [tool(sp.sympify(a), sp.sympify(b), "") for a, b in asked]
        yield "identities", _verdicts(*found), [YES, YES, NO, NO, NO]
    apart = [exact.identity(*sides, "").radius for sides in ((root, one), (one, root))]
    yield "radius of the wider side", [0 < (x or 0) < 1e-30 for x in apart], [True, True]
    f = sp.Function("f")
    yield "nothing known of f", _refused(lambda: checks.equality("", f(X), f(Y))), True
    yield "same", _verdicts(checks.same("", square, square), checks.same("", square, X)), [YES, NO]
    derived = checks.arrives("", square, X**2 + 2 * X + 1), checks.arrives("", square, X)
    yield "a derivation", _verdicts(*derived), [YES, OPEN]
    limits = (
        (sp.sin(X) / X, 0, 1),
        (sp.sin(X) / X, 0, 2),
        (1 / X, 0, sp.oo),
        (X, sp.oo, 1),
        (1 / X, 0, -sp.oo),
    )
    found = [exact.limit(f, X, at, sp.sympify(aim), "") for f, at, aim in limits]
    yield "limits", _verdicts(*found), [YES, NO, YES, NO, NO]
    powers = (1 + X + X**2 / 2, 1 + X, 1 + X + X**2 / 2 + X**3 / 6)
    found = [exact.series(sp.exp(X), X, 0, said, 3, "") for said in powers]
    yield "series", _verdicts(*found), [YES, NO, NO]
    points = exact.sample_points(P * M)
    right = [point[P] > 0 and point[M].denominator == 1 for point in points]  # type: ignore[union-attr]
    yield (
        "samples",
        (all(right), len(right), len({tuple(point.items()) for point in points}) > 4),
        (True, 8, True),
    )
    yield "an exact number alone", _refused(lambda: exact.is_zero(X - 0.5)), True
    yield "zero", [exact.is_zero(sp.sqrt(2) * sp.sqrt(3) - sp.sqrt(6)), exact.is_zero(P)], [True, None]
    yield "decided", _verdicts(*(checks.exact("", x, 1, 2) for x in (True, False, None))), [YES, NO, OPEN]
    yield "tried", _verdicts(checks.tried("", True, 1, 2), checks.tried("", False, 1, 2)), [SHOWN, NO]
    yield "an instance", checks.instance(checks.exact("", True, 1, 1)).role, Role.INSTANCE


def _numbers() -> Answers:
    k, i = sp.symbols("k i", integer=True)
    known: tuple[tuple[Any, Any], ...] = (
        (sp.Sum(k, (k, 1, 4)), 10),
        (sp.Product(k, (k, 1, 4)), 24),
        (sp.Sum(sp.Rational(1, 2) ** k, (k, 0, sp.oo)), 2),
        (sp.Sum(sp.Sum(k * i, (i, 1, k)), (k, 1, 3)), 25),
        (sp.Integral(X * sp.exp(X), (X, 0, 1)), 1),
        (sp.Integral(1 / (1 + X**2), (X, 0, 1)), arb.pi() / 4),
        (sp.Derivative(sp.sin(X) * P, P).subs(X, sp.pi / 2), 1),
        (sp.re(2 + 3 * sp.I, evaluate=False) + sp.Abs(-2, evaluate=False), 4),
        (sp.sign(-3, evaluate=False) + sp.floor(sp.pi, evaluate=False), 2),
        (sp.ceiling(sp.pi, evaluate=False) + sp.im(3 * sp.I, evaluate=False), 7),
        (sp.Max(2, sp.pi, evaluate=False) + sp.Min(2, sp.pi, evaluate=False), arb.pi() + 2),
        (sp.atan2(-1, -1, evaluate=False), -3 * arb.pi() / 4),
        (sp.sqrt(2) ** 3 + sp.Rational(2) ** sp.Rational(1, 3), ball(8).sqrt() + ball(2).root(3)),
        (sp.cos(1) ** 2 + sp.sin(1) ** 2 + sp.exp(sp.log(5), evaluate=False), 6),
        (sp.cosh(1) ** 2 - sp.sinh(1) ** 2 + sp.tan(sp.atan(3), evaluate=False), 4),
        (sp.gamma(sp.Rational(7, 2)), arb.pi().sqrt() * 15 / 8),
        (sp.Ci(1), "0.337403922900968134662646203889"),
        (sp.Si(1), "0.946083070367183014941353313823"),
        (sp.EulerGamma, "0.577215664901532860606512090082"),
    )
    for expression, value in known:
        yield f"the number {expression}", _same(exact.to_ball(expression).real, value), True
    at = {P: 3, X: ball("1/2")}
    yield "a sum up to a value", _same(exact.to_ball(sp.Sum(k + X, (k, 0, P)), at).real, 8), True
    bad = (sp.Abs(X), sp.cos(X) * sp.Abs(X), sp.sqrt(X))
    refused = [_refused(lambda f=f: exact.to_ball(sp.Integral(f, (X, -1, 1)))) for f in bad]
    yield "integrands that are not analytic", refused, [True] * 3
    degrees = ((8, 3), (4, 4), (2, 5), (1, 7), (Fraction(8, 27), 6), (72, 2))
    yield "degrees", [exact.degree(a, n) for a, n in degrees], [1, 2, 5, 1, 2, 2]
    yield "powers", [exact.power_of(a) for a in (72, Fraction(8, 27), 10**6)], [1, 3, 6]
    yield (
        "degree, as evidence",
        _verdicts(exact.degree_is(2, 5, 5, ""), exact.degree_is(2, 5, 4, "")),
        [YES, NO],
    )


def _converses() -> Answers:
    sides = ((sp.Integer(1), P / (1 + P)), (P, P + 1), (sp.Rational(1, 2), P / (1 + P)))
    yield "at least", _verdicts(*(checks.at_least("", *both) for both in sides)), [YES, NO, NO]
    yield "at least itself", _refused(lambda: checks.at_least("", P, P)), True


def _inequalities() -> Answers:
    asked = (
        (sp.exp(P) - 1 - P - P**2 / 2, 3, False),
        (P - sp.sin(P), 1, False),
        (P - 1, 1, False),
        (P - P**2 / 8, 2, False),
        (-P, 1, False),
        (P**2, 2, True),
        (1 + P**2, 2, True),
    )
    found = [checks.rises("", g, P, order, strict=strict) for g, order, strict in asked]
    yield "rises", _verdicts(*found), [YES, YES, NO, NO, NO, YES, OPEN]
    terms = ((P + 1) / Q, P - Q, 2 * P - Q, P + X, P * Q + sp.pi - 3, 1 / (Q + 1) - 1 / (Q + 2), -P)
    found = [checks.termwise("", expression) for expression in terms]
    yield "termwise", _verdicts(*found), [YES, NO, OPEN, OPEN, YES, YES, NO]
    open_, third = ball(-1).union(ball(1)), ball("1/3")
    cases = ([third, 1], [1, -third], [1, 0], [1, open_], [-1, open_])
    for strict, known in ((True, [SHOWN, NO, NO, OPEN, NO]), (False, [SHOWN, NO, SHOWN, OPEN, NO])):
        found = [checks.search("", [("x", x) for x in some], strict=strict) for some in cases]
        yield f"searches, strict = {strict}", _verdicts(*found), known
    least = checks.search("", [("one", 2), ("two", third), ("three", 1)])
    yield "the least margin", ("least margin at two" in least.what, "3 cases" in least.what), (True, True)
    controls = ("0.3", "0.33", "0.334", "0.336", "0.337", "0.34", 1)
    loose = [_refused(lambda c=c: checks.search("", [("x", third), ("y", 2)], control=c)) for c in controls]
    yield "controls just above the least margin", loose, [True, True, False, False, True, True, True]
    flat = [_refused(lambda m=m: checks.search("", [("x", m)], strict=False, control=1)) for m in (0, third)]
    yield "no control is narrow beside 0", flat, [False, True]
    yield "a search of nothing", _refused(lambda: checks.search("", [])), True
    yield "vanishes", _verdicts(checks.vanishes("", third), checks.vanishes("", open_)), [NO, OPEN]
    rounded = [
        _verdicts(*checks.rounded_up("", ball("0.25741"), said, "1e-4")) for said in ("0.2575", "0.2577")
    ]
    yield "rounded up", rounded, [[SURE, SURE], [SURE, NO]]
    near = [list(checks.near_integers(base)) for base in (4096, 65536, 65537, 10**6, 10**8)]
    yield "integers of the near range", near, [[], [], [2], [2, 3], list(range(2, 13))]


def _scans() -> Answers:
    for turns, (mu, nu) in ((True, (1, 0)), (False, (-1, 2))):
        sums = integrals.RopeSums.of(6, base=100, turns=turns)
        scan = checks.Distances(sums.omega, mu, nu, side=7)
        values = {n: sums.gamma(n, mu, nu) for n in range(5, 161)}
        yield "one by one", all(_same(scan.at(n), value) for n, value in values.items()), True
        least, greatest = (of(values.values(), key=float) for of in (min, max))
        found = scan.extremes(5, 161)
        yield "extremes", [_same(found[0], least), _same(found[1], greatest)], [True, True]
        ordered = sorted(values, key=lambda n: float(values[n]), reverse=True)
        for place in (0, 3, 40):
            bound = (values[ordered[place]] + values[ordered[place + 1]]) / 2
            first = min(ordered[: place + 1])
            yield "first", scan.first(5, 161, bound), checks.Scan(first, None, range(5, first + 1))
        yield "none", scan.first(5, 161, greatest + ball("1e-9")), checks.Scan(None, None, range(5, 161))
        at = ordered[0]
        yield (
            "the bound itself is open",
            (scan.first(5, 161, greatest).doubtful, scan.first(5, at, greatest).first),
            (at, None),
        )
    still = checks.Distances((arb(0),), 1, 0)  # the bias is 1/2 itself, everywhere
    yield "the bound itself is reached", still.first(5, 9, "1/2"), checks.Scan(5, None, range(5, 6))
    one = checks.Distances((arb(1),), 1, 0)
    yield "no integer", _refused(lambda: one.extremes(5, 5)), True
    yield "an empty range", one.first(5, 5, 0), checks.Scan(None, None, range(5, 5))
    yield "few blocks", [len(list(one._blocks(5, stop))) for stop in (6, 10**4, 10**4 + 5)], [1, 1, 1]
    small = checks.Distances((arb(1),), 1, 0, side=2)
    ends = [[(block.start, len(block.values)) for block in small._blocks(5, stop)] for stop in (9, 10)]
    yield "blocks no larger than said, and all of them", ends, [[(5, 4)], [(5, 4), (9, 1)]]


def _floats() -> Answers:
    """Floats in place of balls: what they are off by is bounded from above, and not a thousand times too widely."""
    for start, step, number in ((0, 1, 8), (10**6, 1024, 50)):
        omega = [arb(1), ball("0.1"), ball("1e-4")]
        for size, factor in ((1, None), (3, acb(1, "-2.5"))):
            waves, error = checks._waves(omega, start, step, number, factor)
            true = [
                [(acb(0, w * (start + step * j))).exp() * (factor or 1) for w in omega] for j in range(number)
            ]
            apart = [
                abs(acb(complex(x)) - y)
                for row, known in zip(waves, true, strict=True)
                for x, y in zip(row, known, strict=True)
            ]
            within = all(x <= error for x in apart) and bool(error < size * ball("1e-13"))
            yield f"waves from {start} in steps of {step}, times {size}", within, True
    _, error = checks._floats([[(arb(3).sqrt(), arb(2).sqrt())]])
    yield "a float is not the number", bool(error > arb(2) ** -54), True


def _lemma_points() -> Answers:
    point = checks.Point(Fraction(1, 100), 20, Fraction(9, 4))
    log = ball(100).log()
    for wave in ("cos", "sin"):
        terms, later = (sum(point.terms(wave, first), arb(0)) for first in (0, 9))
        yield f"eq 42, {wave}", _same(point.sum(wave), point.half_integral(wave) + terms / 2), True
        yield f"its last term, {wave}", _same(later, point.term(9, wave)), True
    yield "far", point.far, Fraction(9, 400)
    yield "phase", _same(point.phase("1/2"), arb.pi() * ball("9/20")), True
    yield "epsilon", _same(point.epsilon("1/2"), ball("1/2") + arb.pi() * ball("9/200")), True
    around = [point.epsilon(ball(i) / 64) - point.least_epsilon() for i in range(65)]
    yield "least epsilon", (all(x > 0 for x in around), min(map(float, around)) < 1e-3), (True, True)
    at = ((4 * arb.pi() * ball("9/4") * log / 20).log() / log).mid()
    yield "where epsilon is least", _same(point.epsilon(at), point.least_epsilon(), "1e-20"), True
    flat = checks.Point(Fraction(1, 100), 200, Fraction(5, 4))
    yield "least epsilon at 0", _same(flat.least_epsilon(), flat.epsilon(0)), True
    bad = (
        (Fraction(1, 10), 20, 2),
        (Fraction(1, 100), 19, 2),
        (Fraction(1, 100), 18, 2),
        (Fraction(1, 100), 20, 1),
    )
    refused = [_refused(lambda a=a, b=b, c=c: checks.Point(a, b, Fraction(c))) for a, b, c in bad]
    yield "no point", refused, [True] * 4
    dims = [checks.least_head_dim(Fraction(1, n)) for n in (11, 100, 10**4)]
    yield "least head dimension", dims, [10, 20, 38]


def _rope_sums() -> Answers:
    for turns, unit in ((True, 2 * sp.pi), (False, sp.Integer(1))):
        for wave in (sp.cos, sp.sin):
            name = wave.__name__
            summed = sum(wave(unit * X * P ** sp.Rational(n, 3)) for n in range(3)) / 6
            sums = integrals.RopeSums.of(6, inverse_base=Fraction(1, 20), turns=turns)
            here: dict[Any, Any] = {X: Fraction(9, 4), P: Fraction(1, 20)}
            tools = (name, f"{name}_slope", f"{name}_slope_inverse_base")
            for tool, expression in zip(tools, (summed, sp.diff(summed, X), sp.diff(summed, P)), strict=True):
                value = exact.to_ball(expression, here).real
                yield f"{tool} of a sum", _same(getattr(sums, tool)(Fraction(9, 4)), value), True
            limit = integrals.cos_limit if wave is sp.cos else integrals.sin_limit
            factor, log = exact.to_ball(unit).real * ball("9/4"), ball(20).log()

            def integrand(z: acb, _: bool, factor: arb = factor, log: arb = log, name: str = name) -> acb:
                return getattr((-z * log).exp() * factor, name)()

            half = integrals.integrate(integrand, 0, 1) / 2
            yield f"limit of the {name}", _same(limit(Fraction(9, 4), base=20, turns=turns), half), True
    yield "the limit at 0", integrals.cos_limit(0, base=20) == arb(1) / 2, True
    odd = [integrals.sin_limit(x, base=20) for x in (2, -2)]
    yield (
        "odd and even",
        (_same(odd[0], -odd[1]), _same(integrals.cos_limit(-2, base=20), integrals.cos_limit(2, base=20))),
        (True, True),
    )
    wide = ball(1).union(ball("1.1"))
    for tool in (integrals.ci, integrals.si):
        found = tool(wide)
        yield (
            "a wide ball",
            (all(found.contains(tool(x)) for x in (1, "1.05", "1.1")), balls.radius(found) < 0.06),
            (True, True),
        )
    tails = integrals.ci_tail(3).contains(integrals.ci(4)), integrals.si_tail(3).contains(integrals.si(5))
    yield "tails", (tails, balls.radius(integrals.ci_tail(3)) < 0.34), ((True, True), True)
    bad = [_refused(lambda b=b: integrals.RopeSums.of(6, base=b)) for b in (1, "1/2", -3)]
    bad += [_refused(lambda d=d: integrals.RopeSums.of(d, base=10)) for d in (0, 3)]
    yield "no sum", bad, [True] * 5


def _ranges() -> Answers:
    zero, one, two = map(sp.Integer, range(3))
    open_, closed = Variable(X, low=zero, high=two), Variable(X, low=zero, high=two, closed=True)
    values = [Fraction(-1), Fraction(0), Fraction(1), Fraction(2), Fraction(3)]
    yield "open", [open_.holds(x, {}) for x in values], [False, False, True, False, False]
    yield "closed", [closed.holds(x, {}) for x in values], [False, True, True, True, False]
    signed = Variable(X, low=one, high=sp.Integer(3), signed=True)
    yield (
        "signed",
        [signed.holds(x, {}) for x in (Fraction(-2), *values)],
        [True, False, False, False, True, False],
    )
    even = Variable(M, low=zero, high=sp.Integer(8), even=True, closed=True)
    yield (
        "even",
        [even.holds(Fraction(n, 2), {}) for n in (0, 1, 2, 4, 16, 20)],
        [True, False, False, True, True, False],
    )
    whole = Variable(M, low=one, integer=True)
    yield "integers", [whole.holds(Fraction(n, 2), {}) for n in (2, 3, 4, 6)], [False, False, True, True]
    among = Variable(X, among=(one, sp.Integer(3)))
    yield "among", [among.holds(x, {}) for x in values], [False, False, True, False, True]
    nonnegative, nonzero = sp.Symbol("u", nonnegative=True), sp.Symbol("w", real=True, nonzero=True)
    good = Variable(P, low=zero), Variable(nonnegative, low=zero, closed=True), Variable(nonzero, low=zero)
    words = [one.words() for one in (*good, open_, closed, signed, even, whole, among, Variable(X))]
    yield (
        "ranges in words",
        words,
        [
            *("0 < p", r"0 \le u", "0 < w", "0 < x < 2", r"0 \le x \le 2", "1 < |x| < 3"),
            *(
                r"0 \le m \le 8,\ m \text{ even}",
                r"1 < m \in \mathbb{Z}",
                r"x \in \{1, 3\}",
                r"x \in \mathbb{R}",
            ),
        ],
    )
    rows = Listed((X, Y), ((one, two), (two, one)))
    pairs = ((1, 2), (2, 1), (1, 1), (2, 2))
    yield "rows", [rows.holds({X: Fraction(a), Y: Fraction(b)}) for a, b in pairs], [True, True, False, False]
    yield "rows in words", rows.words(), r"(x, y) \in \{(1, 2), (2, 1)\}"


def _ranges_of_symbols() -> Answers:
    zero, one, two = map(sp.Integer, range(3))
    nonnegative, nonzero = sp.Symbol("u", nonnegative=True), sp.Symbol("w", real=True, nonzero=True)
    counted = sp.Symbol("n", integer=True, positive=True)
    bad: tuple[tuple[sp.Symbol, dict[str, Any]], ...] = (
        (P, {"low": -one}),
        (P, {"low": zero, "signed": True}),
        (P, {"low": zero, "closed": True}),
        (P, {"among": (one, -one)}),
        (nonnegative, {"among": (zero, -one)}),
        (nonnegative, {"low": -one}),
        (nonzero, {"among": (zero, one)}),
        (M, {"low": zero}),
        (M, {"among": (one, sp.Rational(1, 2))}),
        (P, {"low": one}),
        (nonnegative, {"low": sp.Rational(1, 2), "closed": True}),
        (counted, {"low": two, "closed": True, "integer": True}),
        (P, {"low": zero, "cut": True}),
        (counted, {"low": one, "closed": True, "integer": True, "cut": True}),
    )
    yield (
        "symbols that assume more, and ranges that begin late",
        [_refused(lambda s=s, o=o: Variable(s, **o)) for s, o in bad],
        [True] * 14,
    )
    cut = (
        Variable(P, low=one, cut=True),
        Variable(counted, low=one, closed=True, integer=True),
        Variable(X, low=one),
    )
    yield (
        "ranges that may begin there",
        [one.words() for one in cut],
        ["1 < p", r"1 \le n \in \mathbb{Z}", "1 < x"],
    )
    filled = [
        cut[0].filled_by(one, P).verdict
        for one in (1 + P, 1 + 1 / P, 2 + P, 1 + (P - 1) ** 2, 1 + P / (1 + P))
    ]
    yield "what fills a range", filled, [YES, YES, *[Verdict.REFUTED] * 3]


def _draws() -> Answers:
    zero, one, two = map(sp.Integer, range(3))
    open_, closed = Variable(X, low=zero, high=two), Variable(X, low=zero, high=two, closed=True)
    signed = Variable(X, low=one, high=sp.Integer(3), signed=True)
    even = Variable(M, low=zero, high=sp.Integer(8), even=True, closed=True)
    drawn = [float(ball(x).mid()) for x in open_.values({})]
    yield (
        "draws near both ends",
        (0 < min(drawn) < 1e-4, 2 > max(drawn) > 1.999, len(drawn) > 3),
        (True, True, True),
    )
    yield "draws of closed ends", {0, 2} <= {float(ball(x).mid()) for x in closed.values({})}, True
    yield "draws of even numbers", sorted(even.values({})) == [0, 2, 4, 6, 8], True
    yield "draws of both signs", {bool(ball(x) > 0) for x in signed.values({})}, {True, False}
    free = [float(ball(x).mid()) for x in Variable(X).values({})]
    yield "draws of any number", (min(free) < -1000, max(free) > 1000, 0.0 in free), (True, True, True)
    for low in (zero, one, -two):
        drawn = [float(ball(x).mid()) for x in Variable(X, low=low).values({})]
        yield f"draws above {low}", (len(drawn), max(drawn) >= 10**5), (7, True)
    beyond = Variable(Y, low=2 * X).values({X: Fraction(5)})
    yield "draws beyond another", (all(x > 10 for x in beyond), any(x > 1000 for x in beyond)), (True, True)


def _relations() -> Answers:
    known = {"<": "+--", "<=": "++-", ">": "--+", ">=": "-++", "==": "-+-", "!=": "+-+"}
    for sign, row in known.items():
        conclusion = Conclusion(relation(X, sign, 1))
        held = [conclusion.holds({X: Fraction(n)}, {}) for n in range(3)]
        yield f"{sign} 1 at 0, 1, 2", held, [one == "+" for one in row]
        margins = [conclusion.margin({X: Fraction(n)}, {}) for n in range(3)]
        positive = [bool(x > 0 if conclusion.strict else x >= 0) for x in margins]
        yield f"margins of {sign} 1", positive, [one == "+" for one in row]
    quarter = sp.Rational(1, 4)
    bounds = [
        Conclusion(relation(X, s, n)).tightened(quarter).says.rhs
        for s, n in (("<=", 2), (">=", 2), ("<", 0), (">", -2))
    ]
    yield "tightened", bounds, [sp.Rational(3, 2), sp.Rational(5, 2), -quarter, sp.Rational(-3, 2)]
    for letter, value in (
        (Cosines(6, 100, 2, TURN), integrals.cos_sum(2, 6, base=100)),
        (Cosines(6, 100, 2, 1), integrals.cos_sum(2, 6, base=100, turns=False)),
        (Sines(6, 100, 2, 1), integrals.sin_sum(2, 6, base=100, turns=False)),
        (CosineLimit(100, 2, TURN), integrals.cos_limit(2, base=100)),
        (SineLimit(100, 2, 1), integrals.sin_limit(2, base=100, turns=False)),
    ):
        yield (
            f"the value of {letter}",
            _same(Conclusion(relation(0, "<", letter)).margin({}, {}), value),
            True,
        )
    yield (
        "printed",
        [tex(relation(Cosines(6, P, X, TURN), "<=", sp.Rational(1, 20)))],
        [r"C_{6}^{p}(x) \le 0.05"],
    )
    yield (
        "fractions",
        [tex(sp.Rational(n, d)) for n, d in ((1, 4), (-1, 20), (3, 32))],
        [r"\frac{1}{4}", "- 0.05", "0.09375"],
    )
    yield "a line in 1/x", line_in(3 + 2 / P, P), (3, 2)
    yield "no line", _refused(lambda: line_in(3 + 2 / P**2, P)), True


def _statements() -> Answers:
    zero, two = sp.Integer(0), sp.Integer(2)

    def of(*said: Conclusion, given: tuple[Any, ...] = (), closed: bool = False) -> Statement:
        return Statement((Variable(X, low=zero, high=two, closed=closed),), said, given)

    small, positive = relation(X, "<", 1), relation(X, ">", 0)
    asked = (
        of(Conclusion(relation(X, "<", 2))),
        of(Conclusion(small)),
        of(Conclusion(small, when=(positive, small))),
        of(Conclusion(small), given=(positive, small)),
        of(Conclusion(relation(X, "<", 2)), closed=True),
        of(Conclusion(relation(X, ">", "1/1000"))),
        of(Conclusion(relation(X**2, "==", X * X))),
        of(Conclusion(relation(X**2, "==", X))),
    )
    yield (
        "attacks",
        [_verdicts(*one.attack()) for one in asked],
        [[v] for v in (SHOWN, NO, SHOWN, SHOWN, NO, NO, SHOWN, NO)],
    )
    within = asked[1].within(small)
    yield "on part of it", (_verdicts(*within.attack()), asked[1].given), ([SHOWN], ())
    at = [asked[1].fails_at({X: sp.Rational(n, 2)}) for n in (1, 2, 3)]
    yield "at a point", _verdicts(*at), [SHOWN, NO, NO]
    root = sp.sqrt(2)  # on either side of a number without a radius
    wide = [of(Conclusion(one)).fails_at({X: 1}) for one in (relation(X, "<", root), relation(root, ">", X))]
    yield "radius of the wider side", [(item.radius or 0) > 0 for item in wide], [True, True]
    outside = [_refused(lambda n=n: asked[2].fails_at({X: sp.Rational(n, 2)})) for n in (-1, 1, 3, 4)]
    yield "outside", outside, [True, False, True, True]
    hypothesis = [_refused(lambda n=n: asked[3].fails_at({X: sp.Rational(n, 2)})) for n in (1, 3)]
    yield "without a hypothesis", hypothesis, [False, True]
    equations = of(
        Conclusion(relation((X + 1) ** 2, "==", X**2 + 2 * X + 1)),
        Conclusion(relation(X**2, "==", 4), when=(relation(X, "==", 2),)),
        Conclusion(relation(X**2, "==", 4)),
        Conclusion(relation(X, "<", 1)),
    )
    yield "identities", _verdicts(*equations.identities()), [YES, YES, NO]
    share = sp.Rational(1, 1000)
    sharp = [of(Conclusion(relation(X, "<=", n), sharp=(share, {X: two})), closed=True) for n in (2, 3)]
    yield "sharpness", [_verdicts(*one.sharpness()) for one in sharp], [[SURE], [NO]]
    spelt = Statement((Variable(X),), (Conclusion(relation(P, "<", Q)),), meaning={P: X + 1, Q: P + 1})
    yield "abbreviations", (sp.expand(spelt.spelt(Q)), _verdicts(*spelt.attack())), (X + 2, [SHOWN])
    printed = of(Conclusion(small, when=(positive,)), given=(small,)).says()
    yield "printed", printed, "for all $0 < x < 2$, and $x < 1$: $x < 1$ where $x > 0$"
    yield (
        "enough points",
        (len(list(asked[0].points(40, 0))), len({*map(str, asked[0].points(40, 0))}) >= 4),
        (40, True),
    )


def _conclusions() -> Answers:
    """Where one conclusion fails, another that is not said to fail holds, or is not said there."""
    x = Variable(X, low=sp.Integer(0), high=sp.Integer(2))
    small, positive, other = relation(X, "<", 1), relation(X, ">", 0), relation(X, "<", "3/2")
    said = [
        Statement((x,), (Conclusion(small), Conclusion(other, when=when)))
        for when in ((), (positive,), (positive, small))
    ]
    alike = [
        _refused(lambda one=one, n=n, also=also: one.fails_at({X: sp.Rational(n, 4)}, also=also))
        for one in said
        for n, also in ((7, ()), (7, (2,)), (5, ()), (5, (2,)))
    ]
    yield "what else fails there", alike, [*[True, False, False, True] * 2, *[False] * 4]
    half = {X: sp.Rational(1, 2)}
    bounds = Statement((x,), (Conclusion(small), Conclusion(relation(X, "<", P))), meaning={P: X + 1})
    near = "1.500000000000000001"  # further than balls leave equal sides apart
    yield "bounds", _verdicts(*bounds.bounds_by(half, {1: 1, 2: "3/2"})), [SURE, SURE]
    other_bounds: tuple[dict[int, Any], ...] = ({2: near}, {1: "3/2"}, {2: 0})
    yield (
        "other bounds",
        [_refused(lambda one=one: list(bounds.bounds_by(half, one))) for one in other_bounds],
        [True] * 3,
    )


def _boxes() -> Answers:
    def bowl(x: arb) -> arb:
        return x * x - x + ball("1/2")

    def slope(x: arb) -> arb:
        return 2 * x - 1

    sure = subdivision.certify_positive(bowl, slope, -1, 2)
    yield "positive", (sure.holds, 0 < sure.lower <= 0.25, sure.evidence("").verdict), (True, True, SURE)
    asked = ((-1, 2), (0, 1), (-2, 2), (0, 3))
    yield "covered", _verdicts(*(sure.coverage("", *ends) for ends in asked)), [SURE, SURE, NO, NO]
    flat = subdivision.certify_positive(lambda x, y: x * y + ball("1/2"), lambda x, y: [y, x], (0, 0), (1, 1))
    corners = (((0, 0), (1, 1)), ((0, 0), (2, 1)), ((0, -1), (1, 1)))
    yield "covered, two sides", _verdicts(*(flat.coverage("", *ends) for ends in corners)), [SURE, NO, NO]
    below = subdivision.certify_positive(lambda x: bowl(x) - ball("1/3"), slope, -1, 2)
    yield "not positive", (below.holds, below.evidence("").verdict), (False, NO)
    tired = subdivision.certify_positive(lambda x: bowl(x) - ball("1/5"), None, -1, 2, max_boxes=3)
    yield "undecided", (tired.holds, tired.evidence("").verdict), (None, OPEN)
    least, greatest = (tool(bowl, slope, -1, 2) for tool in (subdivision.minimum, subdivision.maximum))
    yield "extremes", [_same(least, "1/4", "1e-5"), _same(greatest, "5/2", "1e-5")], [True, True]
    yield "enclosed", (least.contains(ball("1/4")), greatest.contains(ball("5/2"))), (True, True)
    whole = subdivision.enclosure(lambda x, y: x * y, lambda x, y: [y, x], (0, -1), (3, 2), tol="1e-3")
    yield "range", [bool(whole.contains(x)) for x in (-3, 0, 6)] + [balls.radius(whole) < 4.51], [True] * 4
    yield "a wrong slope", _refused(lambda: subdivision.minimum(bowl, lambda x: x, -1, 2)), True
    parts = [[(0, 1), (1, 2)], [(1, 2), (0, 1)], [(0, 1), ("3/2", 2)], [(0, 1)], [("1/2", 2)], []]
    found = [subdivision.covers("", some, 0, 2) for some in parts]
    yield "ranges that cover", _verdicts(*found), [SURE, SURE, NO, NO, NO, NO]
    around = ("0.2", "0.24", "0.251", "0.31", "0.32", "0.5")
    ends = (-1, 2)
    loose = [
        _refused(
            lambda c=c: list(subdivision.attacked_in_boxes("", bowl, slope, ends, ("", *ends), control=c))
        )
        for c in around
    ]
    yield "controls just above the least value, 1/4", loose, [True, True, False, False, True, True]
    roots = subdivision.isolate_roots(arb.cos, lambda x: -x.sin(), 0, 10)
    places = [root.contains(arb.pi() * (2 * n + 1) / 2) for n, root in enumerate(roots.roots)]
    yield "roots", (places, len(roots.unresolved)), ([True] * 3, 0)
    yield "in narrow balls", all(balls.radius(root) < 1e-11 for root in roots.roots), True
    twice = subdivision.isolate_roots(
        lambda x: (x - ball("1/3")) ** 2, lambda x: 2 * (x - ball("1/3")), 0, 1, tol="1e-4"
    )
    yield "a double root", (twice.roots, len(twice.unresolved) > 0), ((), True)
    bad = [
        _refused(lambda lo=lo, hi=hi: subdivision.box_sides(lo, hi))
        for lo, hi in ((1, 0), (0, arb("inf")), ((0, 0), 1))
    ]
    yield "no box", bad, [True] * 3
    square = subdivision.BestFirst(lambda x, y: x * y, None, (0, 0), (1, 1))
    places = [("1/2", "1/2"), (0, 1), ("1/2", 2), (2, "1/2"), (-1, "1/2")]
    asked = [square.asked([ball(x) for x in place]) for place in places]
    # the steepest side is halved, or the longest where slopes are unknown
    sides = [(arb(0), arb(1)), (arb(0), arb(2))]
    slopes = [(3, 1), (1, 1), (arb("inf"), 1), (arb("inf"), arb("inf"))]
    boxes = [subdivision.Box.of(lambda x, y: x + y, lambda x, y, s=s: [*map(arb, s)], sides) for s in slopes]
    yield "which side is halved", [box.widest() for box in boxes], [0, 1, 1, 1]
    yield "in a box on all sides", asked, [True, True, False, False, False]


def _tokens() -> Answers:
    first, second = sp.Rational(1, 2), sp.Rational(1, 3)
    plain, tied, singular = (sp.eye(8) for _ in range(3))
    for matrix, pairs in ((tied, ((0, 1, first), (4, 5, second))), (singular, ((6, 7, sp.Integer(1)),))):
        for a, b, value in pairs:
            matrix[a, b] = matrix[b, a] = value
    alone, both = GaussianTokens(plain), GaussianTokens(tied)
    yield "D", (alone.head_dim, both.correlated()), (4, {"q0,q1": first, "k0,k1": second})
    yield "the last two", GaussianTokens(singular).correlated(), {"k2,k3": 1}
    sums = [(one.amplitude_square(n), one.cross_terms(n)) for one in (alone, both) for n in (1, 2, 3)]
    cross = 2 * first * second
    yield (
        "squares and cross terms",
        sums,
        [(1, 0), (2, 0), (3, 0), (1, 0), (2 + cross, cross), (3 + cross, cross)],
    )
    laws = [GaussianTokens(one).schwartz().verdict for one in (plain, tied, singular)]
    yield "a density", laws, [YES, YES, NO]
    yield "assumption 2.1", {*_verdicts(*both.assumption())}, {YES}
    yield "and not with another mean", NO in _verdicts(*both.assumption(mu=1)), True
    yield "nor another variance", NO in _verdicts(*both.assumption(sigma_sq=2)), True
    mean, turn, spread = (plain.copy() for _ in range(3))  # each but one thing of the last pair is met
    mean[3, 7] = mean[7, 3] = turn[2, 7] = turn[7, 2] = second
    mean[7, 7], spread[3, 3] = 1 - 2 * second**2, 2
    failing = [_verdicts(*GaussianTokens(one).assumption()).count(NO) for one in (mean, turn, spread)]
    yield "nor where the last pair is another", failing, [1, 1, 1]
    yield "moments", [wick(sp.Matrix([[2]]), [0] * n) for n in (0, 2, 4, 6)], [1, 2, 12, 120]
    factor, exponent = gaussian_integral(-P * X**2 + Q * X + 3, X)
    yield "a normal integral", (factor**2, sp.simplify(exponent - 3 - Q**2 / (4 * P))), (sp.pi / P, 0)
    pair = sp.simplify(one_pair(P) ** 2 * (1 + 4 * sp.pi**2 * P**2))
    yield "one pair of coordinates", pair, 1
    shown = exact.to_ball(1 / sp.sqrt(1 + (2 * sp.pi * 2) ** 2)).real
    yield "mean of the cosine", _same(cosine_mean(1, 1, spread=2), shown), True
    yield "of several coordinates", _same(cosine_mean(4, 1, spread=4), shown**4), True
    split = Split(8, Fraction(3, 4))
    yield "a split", (split.amplitude, split.phase), (6, 2)
    bad = [
        _refused(lambda share=share: Split(8, share)) for share in (Fraction(0), Fraction(1), Fraction(1, 3))
    ]
    yield "no split", bad, [True] * 3
    sizes = [[(one.amplitude, one.phase) for one in admitted_splits(head)] for head in (1, 2, 4)]
    yield "every split", sizes, [[], [(1, 1)], [(1, 3), (2, 2), (3, 1)]]
    q, k, j = quadratic(2)
    x = q.col_join(k)
    yield "x^T J x", sp.expand((x.T * j * x)[0] - 2 * (q.T * k)[0]), 0
    row, other = column("q"), column("k")
    every = [for_every_size(row.T * other, said, "").verdict for said in (other.T * row, 2 * row.T * other)]
    yield "of every size", every, [YES, NO]
    true, false = (checks.exact("", answer, 1, 1) for answer in (True, False))
    yield (
        "false on purpose",
        (_refused(lambda: checks.refutes(true)), *_verdicts(checks.refutes(false))),
        (True, SHOWN),
    )
    with_it, without = (
        _verdicts(*counterexample([true], false)),
        _verdicts(*counterexample([true, false], false)),
    )
    yield "a counterexample", (with_it, without), ([YES, NO], [OPEN])


GROUPS: tuple[Callable[[], Answers], ...] = (
    *(_balls, _identities, _numbers, _inequalities, _converses, _scans, _floats, _lemma_points, _rope_sums),
    *(_ranges, _ranges_of_symbols, _draws, _relations, _statements, _conclusions, _boxes, _tokens),
)
