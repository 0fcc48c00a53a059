r"""Analytic facts that Lemmas C.1 and C.2 rest on once repaired, for any angular factor c: 2 pi in turns, 1 in radians.

lem-hump bounds an oscillatory integral that begins at a zero of its integrand, lem-ci and lem-cin the cosine and
sine integrals, lem-riemann the error of the left Riemann sum of cos or sin (c lambda theta_0^x).
Sources: f and g of Ci and Si are the auxiliary functions of Abramowitz and Stegun (1964), 5.2; the kernels Peano's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import sympy as sp
from flint import arb

from analysis.evidence import Evidence, Verdict
from proofs.balls import Real, ball
from proofs.checks import EDGES, WAVES, Point, exact, points, rises, same, search, termwise
from proofs.exact import to_ball
from proofs.integrals import ci, si
from proofs.ledger import attack, claim
from proofs.letters import ANY_BASE, ANY_HEAD, BASE, DIM, LOG, NEAR_POSITIVE, UNIT
from proofs.statements import Conclusion, Statement, Variable, relation, tex
from proofs.subdivision import attacked_in_boxes

x, s, y, r, h, L, D, u, v, P, theta = sp.symbols("x s y r h L D u v P theta_0", positive=True)
a, b = sp.symbols("a b", real=True)
d, k, n = sp.symbols("d k n", integer=True, nonnegative=True)
WAVE = {"cos": sp.cos, "sin": sp.sin}
KAPPA = 1 / (1 - sp.exp(-u)) - 1 / u  # of lem-riemann


def kappa(point: Point) -> arb:
    """kappa(u) of "lem-riemann" at u = 2 L / D."""
    u_ = 2 * point.log / point.head_dim
    return 1 / (1 - (-u_).exp()) - 1 / u_


TIMES = sp.Symbol("j", integer=True, positive=True)
LENGTH = sp.Symbol("t", nonnegative=True)
ZERO = {"sin": sp.Symbol("z", positive=True), "cos": sp.Symbol("y", positive=True)}


def hump_bound(zero: sp.Expr) -> sp.Expr:
    """Of the first hump after a zero."""
    return 2 / zero


def hump_conclusions() -> Iterator[Conclusion]:
    """For sin and for cos after a zero: the sign, the first hump, and its bound."""
    for name, integral in (("sin", sp.Si), ("cos", sp.Ci)):
        z = ZERO[name]
        whole, first = integral(z + LENGTH) - integral(z), sp.Abs(integral(z + sp.pi) - integral(z))
        yield Conclusion(relation((-1) ** TIMES * whole, ">=", 0))
        yield Conclusion(relation(sp.Abs(whole), "<=", first))
        yield Conclusion(relation(first, "<=", hump_bound(z)))


HUMP = Statement(
    (Variable(TIMES, low=sp.Integer(0), integer=True), Variable(LENGTH, low=sp.Integer(0), closed=True)),
    tuple(hump_conclusions()),
    meaning={ZERO["sin"]: TIMES * sp.pi, ZERO["cos"]: (TIMES - sp.S.Half) * sp.pi},
    words=r"$\int_z^X w(y)/y \,dy$ from a positive zero $z$ of $w = \pm \sin$ or $\pm \cos$ to $X = z + t$ vanishes or "
    rf"has the sign that $w$ has just after $z$, and is no more than its first hump, at most "
    rf"${tex(hump_bound(ZERO['sin']))}$; for $\sin$ and $z$, then for $\cos$ and $y$: ",
)


@claim(
    "lem-hump",
    where="App. E",
    kind="step",
    says=HUMP,
    outline="Successive humps alternate in sign and shrink, since w(y + pi) = -w(y) and 1/(y + pi) < 1/y. A sum of "
    "alternating, shrinking terms, the last cut short, lies between 0 and its first term: here at most 2/z.",
    proof=r"""
        The humps of $w$ after $z$ alternate in sign, and the factor $1/y$ makes them shrink; the first has
        modulus at most $\frac1z\int_z^{z+\pi}|w|=\frac2z$. $\square$
    """,
)
def hump(statement: Statement) -> Iterator[Evidence]:
    for index, name in ((3, "sin"), (6, "cos")):
        yield from hump_steps(area=int(sp.simplify(statement.target(index) * ZERO[name])))
    rising: Any = sp.diff(sp.sin(s + TIMES * sp.pi), s).subs(s, 0)
    yield same("slope of sin at j pi", rising, (-1) ** TIMES)
    for rule, found in (
        ("one coefficient of two", termwise("x - y", x - y)),
        ("one value at 0 of two", rises("u^2 + u - 1", u**2 + u - 1, u, 2)),
    ):
        what = f"what decides inequalities asks for more than {rule}"
        yield exact(what, found.verdict is Verdict.REFUTED, found.verdict, "refuted")
    slope = sp.diff(sp.cos(s + statement.meaning[ZERO["cos"]]), s).subs(s, 0)
    yield same("slope of cos at (j - 1/2) pi", sp.expand_trig(slope), (-1) ** TIMES)


def hump_steps(period: sp.Expr = sp.pi, area: int = 2) -> Iterator[Evidence]:
    """Alternation and shrinking of the humps of sin(y)/y and cos(y)/y, and the area of one hump of |sin|."""
    for name, wave in WAVE.items():
        yield same(f"{name}(y + pi) = -{name}(y)", wave(y + period), -wave(y))
    yield termwise("1/y - 1/(y + pi)", 1 / y - 1 / (y + period))
    yield same("area of a hump, int_0^pi sin", sp.integrate(sp.sin(s), (s, 0, sp.pi)), sp.Integer(area))


@attack(
    "lem-hump", domain="z = j pi (sin) or (j + 1/2) pi (cos), j = 1..12; X - z = 1/100, then 1/4 to 40 by 1/4"
)
def hump_attack() -> Iterator[Evidence]:
    yield search("sin: 1 - |the integral from z to X| z/2", _humps(si, Fraction(0)), control="0.0425")
    yield search("cos: 1 - |the integral from z to X| z/2", _humps(ci, Fraction(1, 2)), control="0.041")
    yield from HUMP.attack()


def _humps(integral: Callable[[Real], arb], shift: Fraction) -> Iterator[tuple[str, arb]]:
    for j in range(1, 13):
        zero = ball(j + shift) * arb.pi()
        for step in (Fraction(1, 100), *(Fraction(i, 4) for i in range(1, 161))):
            found = abs(integral(zero + ball(step)) - integral(zero))
            yield f"z = {j + shift} pi, X = z + {step}", 1 - found * zero / 2


CI_BOUND = Statement(
    (Variable(x, low=sp.Integer(0)),),
    (Conclusion(relation(sp.Ci(x) ** 2 + (sp.Si(x) - sp.pi / 2) ** 2, "<", 1 / x**2)),),
)


@claim(
    "lem-ci",
    where="App. E",
    kind="step",
    says=CI_BOUND,
    outline="Let f = int_0^oo e^{-xs}/(1+s^2) ds and g = int_0^oo s e^{-xs}/(1+s^2) ds. Then f' = -g and g' = f - 1/x, "
    "so f sin - g cos has the derivative and the limit of Ci, and pi/2 - f cos - g sin those of Si. Both are a "
    "rotation of (f, g), whose length is at most int e^{-xs}/sqrt(1+s^2) ds < int e^{-xs} ds = 1/x.",
    proof=r"""
        $(\mathrm{Ci},\mathrm{Si}-\frac\pi2)$ is a rotation of $(f,g)$,
        $f=\int_0^\infty\frac{e^{-Xs}}{1+s^2}ds$, $g=\int_0^\infty\frac{se^{-Xs}}{1+s^2}ds$, and
        $|(f,g)|\le\int_0^\infty\frac{e^{-Xs}}{\sqrt{1+s^2}}ds<\frac1X$. $\square$
    """,
)
def cosine_integral(statement: Statement) -> Iterator[Evidence]:
    yield from auxiliary_steps()
    length = sp.integrate(sp.exp(-x * s), (s, 0, sp.oo))
    yield same("the square of int_0^oo e^{-xs} ds", length**2, statement.target())


def auxiliary_steps(sign: int = -1) -> Iterator[Evidence]:
    """f' = -g, g' = f - 1/x, the derivatives of Ci and Si (of -f cos + sign g sin), and the length of (f, g)."""
    below = 1 / (1 + s**2)
    f_kernel, g_kernel = sp.exp(-x * s) * below, s * sp.exp(-x * s) * below
    yield same("f' = -g, under the integral", sp.diff(f_kernel, x), -g_kernel)
    yield same("g' = f - 1/x, under the integral", sp.diff(g_kernel, x), f_kernel - sp.exp(-x * s))
    yield same("int_0^oo e^{-xs} ds", sp.integrate(sp.exp(-x * s), (s, 0, sp.oo)), 1 / x)
    f, g = sp.Function("f")(x), sp.Function("g")(x)
    rules: Any = {sp.diff(f, x): -g, sp.diff(g, x): f - 1 / x}
    cosine, sine = f * sp.sin(x) - g * sp.cos(x), -f * sp.cos(x) + sign * g * sp.sin(x)
    yield same("(f sin - g cos)' = Ci'", sp.diff(cosine, x).subs(rules), sp.diff(sp.Ci(x), x))
    yield same("(pi/2 - f cos - g sin)' = Si'", sp.diff(sine, x).subs(rules), sp.diff(sp.Si(x), x))
    yield same("limit of Ci at infinity", sp.limit(sp.Ci(x), x, sp.oo), sp.Integer(0))
    yield same("limit of Si at infinity", sp.limit(sp.Si(x), x, sp.oo), sp.pi / 2)
    yield same("a rotation of (f, g)", cosine**2 + sine**2, f**2 + g**2)
    rest = sp.exp(-x * s) ** 2 - f_kernel**2 - g_kernel**2
    yield same("e^{-xs} is longer than the kernel: their squares differ by", rest, g_kernel**2 / below)


@attack("lem-ci", domain="every x in [1/64, 64], in boxes; beyond, 200 points to 1e6")
def cosine_integral_attack() -> Iterator[Evidence]:
    def margin(q: arb) -> arb:
        return 1 - q * q * (ci(q) ** 2 + (si(q) - arb.pi() / 2) ** 2)

    def rotated(q: arb) -> tuple[arb, arb]:
        cosine, rest = ci(q), arb.pi() / 2 - si(q)
        return cosine * q.sin() + rest * q.cos(), rest * q.sin() - cosine * q.cos()

    def slope(q: arb) -> arb:
        (f, g), (f_middle, g_middle), step = rotated(q), rotated(q.mid()), q - q.mid()
        for _ in range(2):  # the mean-value form: f' = -g, g' = f - 1/q
            f, g = f.intersection(f_middle - g * step), g.intersection(g_middle + (f - 1 / q) * step)
        return -2 * q * (f**2 + g**2 - g)

    what, ends = "1 - x^2 (Ci^2 + (Si - pi/2)^2) > 0", (Fraction(1, 64), 64)
    yield from attacked_in_boxes(
        what, margin, slope, ends, ("every x in [1/64, 64]", *ends), control="0.00075"
    )
    far = [64 * ball(Fraction(21, 20)) ** i for i in range(200)]
    cases = ((f"x={float(q):.6g}", margin(q) * q**2) for q in far)
    yield search("x^2 - x^4 (Ci^2 + (Si - pi/2)^2)", cases, control="3")
    yield from CI_BOUND.attack()


ENTIRE = sp.Symbol(r"\mathrm{Cin}(x)", real=True)
CIN_INTEGRAND = (1 - sp.cos(s)) / s
CIN = sp.EulerGamma + sp.log(x) - sp.Ci(x)
CIN_BOUNDS = Statement(
    (Variable(x, low=sp.Integer(0)),),
    (Conclusion(relation(ENTIRE, ">=", 0)), Conclusion(relation(ENTIRE, "<=", x**2 / 4))),
    meaning={ENTIRE: CIN},
    words=rf"${tex(ENTIRE)} := {tex(sp.Integral(CIN_INTEGRAND, (s, 0, x)))} = {tex(CIN)}$; ",
)


@claim(
    "lem-cin",
    where="App. F",
    kind="step",
    says=CIN_BOUNDS,
    outline="Both sides have the derivative (1 - cos X)/X and the limit 0 at 0. Then 1 - cos s = 2 sin^2(s/2) >= "
    "0, and 1 - cos s <= s^2/2, so that Cin <= int_0^X s/2 ds.",
)
def lem_cin(statement: Statement) -> Iterator[Evidence]:
    yield from cin_steps(sp.simplify(statement.target(2) / x**2))
    yield same("the lower bound, at 0", sp.limit(statement.meaning[ENTIRE], x, 0), statement.target(1))


def cin_steps(quadratic: sp.Rational) -> Iterator[Evidence]:
    """Derivative and limit of gamma + log - Ci, the sign of 1 - cos, and 1 - cos s <= 2 quadratic s^2."""
    yield same("Cin'", sp.diff(CIN, x), CIN_INTEGRAND.subs(s, x))
    yield same("Cin at 0", sp.limit(CIN, x, 0), sp.Integer(0))
    yield same("1 - cos s is a square", 1 - sp.cos(s), 2 * sp.sin(s / 2) ** 2)
    yield rises("2 quadratic u^2 - (1 - cos u)", 2 * quadratic * u**2 - 1 + sp.cos(u), u, 2)
    yield same("int_0^X 2 quadratic s ds", sp.integrate(2 * quadratic * s, (s, 0, x)), quadratic * x**2)


@attack("lem-cin", domain="X = 2^-20 to 2^20")
def cin_attack() -> Iterator[Evidence]:
    sizes = [ball(Fraction(2) ** i) for i in range(-20, 21)]
    cins = [arb.const_euler() + q.log() - ci(q) for q in sizes]
    both = [(f"X={float(q):.6g}", q * q, c) for q, c in zip(sizes, cins, strict=True)]
    yield search(
        "Cin(X) (1 + X^2)/X^2",
        ((where, c * (1 + square) / square) for where, square, c in both),
        control="0.251",
    )
    rest = ((where, (square / 4 - c) * (1 + square) / square**2) for where, square, c in both)
    yield search("(X^2/4 - Cin(X)) (1 + X^2)/X^4", rest, control="0.0105")
    yield from CIN_BOUNDS.attack()


MEAN = sp.Symbol("kappa", positive=True)  # kappa(u), as the statement prints it
GREATEST_KAPPA, KAPPA_RATE = sp.Integer(1), sp.Rational(1, 12)
KAPPA_BOUNDS = Statement(
    (Variable(u, low=sp.Integer(0)),),
    (Conclusion(sp.Lt(MEAN, GREATEST_KAPPA)), Conclusion(sp.Lt(MEAN, sp.Rational(1, 2) + KAPPA_RATE * u))),
    meaning={MEAN: KAPPA},
    words=f"neither {GREATEST_KAPPA} nor {KAPPA_RATE} can be lowered, and ",
)


@claim(
    "lem-riemann.kappa",
    where="App. E",
    kind="step",
    says=KAPPA_BOUNDS,
    outline="(bound - kappa) u (e^u - 1) and its first two derivatives are nonnegative at 0, and the third is positive "
    "for u > 0: Taylor's theorem. kappa tends to 1, and (kappa - 1/2)/u to 1/12 as u -> 0.",
)
def kappa_bounds(statement: Statement) -> Iterator[Evidence]:
    cleared = sp.exp(u) * (1 - sp.exp(-u)) * u
    for bound in (conclusion.says.rhs for conclusion in statement.conclusions):
        numerator = sp.expand(sp.cancel((bound - KAPPA) * cleared))
        yield rises(f"({bound} - kappa) u (e^u - 1) > 0", numerator, u, 3, strict=True)
    yield same("kappa for u -> oo, the first bound", sp.limit(KAPPA, u, sp.oo), statement.target(1))
    steepest = sp.limit(sp.together((KAPPA - sp.Rational(1, 2)) / u), u, 0)
    yield same("slope of kappa at 0, that of the second bound", steepest, sp.diff(statement.target(2), u))


@attack("lem-riemann.kappa", domain=KAPPA_BOUNDS.domain())
def kappa_bounds_attack() -> Iterator[Evidence]:
    yield from KAPPA_BOUNDS.attack()


START, END, STEEP = sp.symbols("P F u", positive=True)
STARTS = {
    LOG: sp.log(BASE),
    STEEP: 2 * sp.log(BASE) / DIM,
    MEAN: KAPPA.subs(u, STEEP),
    START: UNIT * NEAR_POSITIVE * BASE ** (-2 * k / DIM),
    END: UNIT * NEAR_POSITIVE / BASE,
}
CUT_SUMS = (
    Variable(UNIT, low=sp.Integer(0)),
    Variable(NEAR_POSITIVE, low=sp.Integer(0)),
    ANY_BASE,
    ANY_HEAD,
    Variable(k, low=sp.Integer(0), high=DIM / 2, integer=True, closed=True),
)


def sum_less_integral(wave: Any, integral: Any) -> sp.Expr:
    """(1/D) sum_{d >= k} of a wave of c lambda theta_0^(2d/D), less half of its integral over [2k/D, 1]."""
    terms = sp.Sum(wave(UNIT * NEAR_POSITIVE * BASE ** (-2 * d / DIM)), (d, k, DIM / 2 - 1))
    return terms / DIM - (integral(START) - integral(END)) / (2 * LOG)


RIEMANN = Statement(
    CUT_SUMS,
    (
        *(
            Conclusion(relation(sp.Abs(sum_less_integral(wave, integral)), "<=", MEAN * (START - END) / DIM))
            for wave, integral in ((sp.cos, sp.Ci), (sp.sin, sp.Si))
        ),
        Conclusion(relation(MEAN, "<", 1)),
        Conclusion(relation(MEAN, "<", sp.S.Half + STEEP / 12)),
    ),
    meaning=STARTS,
    words=r"$(1/2) |\sum_{d=k}^{D/2-1} \Delta_d|$ with $\Delta_d$ as in (42) and $\theta_0 = 1/b$: ",
)


@claim(
    "lem-riemann",
    where="App. E",
    kind="step",
    says=RIEMANN,
    uses=("lem-riemann.kappa",),
    cites=("eq-42",),
    outline="Delta_d = -int_0^h (h - r) f'(2d/D + r) dr with h = 2/D, and |f'(x)| <= c lambda L theta_0^x; "
    "integrate, then sum the geometric series over d. The bounds of kappa are lem-riemann.kappa.",
    proof=r"""
        $\Delta_d=-\int_0^h(h-s)f'(\tfrac{2d}D+s)ds$ with $h=2/D$ and $|f'(x)|\le c\lambda L\theta_0^x$; so
        $|\Delta_d|\le c\lambda\theta_0^{2d/D}\frac{u-1+e^{-u}}L$, and with $F=c\lambda\theta_0$ $\sum_{d\ge
        k}c\lambda\theta_0^{2d/D}=\frac{P-F}{1-e^{-u}}$. $\square$
    """,
)
def lem_riemann(statement: Statement) -> Iterator[Evidence]:
    mean = statement.meaning[MEAN].subs(STEEP, u)
    yield from lem_riemann_steps(mean)
    for index in (1, 2):
        bound = statement.target(index)
        yield same("what the steps arrive at", MEAN / D * (START - END), bound)
    for index in (3, 4):
        bounds = (statement.target(index), KAPPA_BOUNDS.target(index - 2).subs(u, STEEP))
        yield same("as lem-riemann.kappa has it", *bounds)


def lem_riemann_steps(kappa_: sp.Expr = KAPPA) -> Iterator[Evidence]:
    """The kernel of one interval, the size of f', one interval's bound, and their sum with constant kappa_."""
    f = sp.Function("f")
    primitive = (h - r) * (f(a + r) - f(a))
    kernel = f(a) - f(a + r) + (h - r) * sp.diff(f(a + r), r)
    yield same("Delta_d = -int_0^h (h - r) f'(a + r) dr, by parts", sp.diff(primitive, r), kernel)
    yield same("the boundary terms", primitive.subs(r, h) - primitive.subs(r, 0), sp.Integer(0))
    phase = P * sp.exp(-L * y)
    for wave, slope in ((sp.cos, sp.sin(phase)), (sp.sin, -sp.cos(phase))):
        yield same(
            f"slope of {wave.__name__}(c lambda theta_0^x)", sp.diff(wave(phase), y), L * phase * slope
        )
    one = sp.integrate((h - r) * L * sp.exp(-L * r), (r, 0, h))
    yield same("int_0^h (h - r) L theta_0^r dr", one, h - (1 - sp.exp(-L * h)) / L)
    total = (sp.exp(-u * k) - sp.exp(-u * d)) / (1 - sp.exp(-u))
    yield same("geometric sum, one more term", total.subs(d, d + 1) - total, sp.exp(-u * d))
    mean = (one / (1 - sp.exp(-L * h)) / 2).subs(h, 2 / D).subs(L, u * D / 2)
    yield same("half of it over 1 - theta_0^(2/D) is kappa/D", mean, kappa_ / D)


@attack("lem-riemann", domain=f"{EDGES}; k = 0, D/4, D/2 - 1; cos and sin")
def lem_riemann_attack() -> Iterator[Evidence]:
    yield search(
        "1 - |sum of Delta_d| D/(2 kappa (P - c lambda theta_0))", _riemann_margins(), control="4.01e-23"
    )
    yield from RIEMANN.attack()


def _riemann_margins() -> Iterator[tuple[str, arb]]:
    for point in points(heads=(0, 64)):
        half = point.head_dim // 2
        for wave in WAVES:
            terms = list(point.terms(wave, end=half))
            for cut in (0, half // 2, half - 1):
                bound = kappa(point) * (point.phase(Fraction(cut, half)) - point.phase(1)) / point.head_dim
                yield f"{point}, k={cut}, {wave}", 1 - abs(sum(terms[cut:], arb(0))) / (2 * bound)


SECOND_ORDER = Statement(
    CUT_SUMS,
    tuple(
        Conclusion(
            relation(
                sp.Abs(sum_less_integral(wave, integral) - (wave(START) - wave(END)) / (2 * DIM)),
                "<=",
                LOG / (4 * DIM**2) * (START - END + (START**2 - END**2) / 2),
            )
        )
        for wave, integral in ((sp.cos, sp.Ci), (sp.sin, sp.Si))
    ),
    meaning={name: value for name, value in STARTS.items() if name not in (STEEP, MEAN)},
    words=r"the same with the trapezoidal rule, $\theta_0 = 1/b$: ",
)


@claim(
    "lem-riemann.b",
    where="App. E",
    kind="step",
    says=SECOND_ORDER,
    outline="The trapezoidal rule: its error on an interval is (1/2) int_0^h r(h - r) f'' dr, the kernel is at most "
    "h^2/8, and |f''| <= L^2 (p + p^2) with p = c lambda theta_0^x, whose integral over [2k/D, 1] is elementary.",
)
def second_order(statement: Statement) -> Iterator[Evidence]:
    for index in (1, 2):
        area = LOG * (START - END + (START**2 - END**2) / 2)
        eighth = sp.simplify(statement.target(index) / area * DIM**2 / 2)
        yield from trapezoid_steps(eighth)


def trapezoid_steps(eighth: sp.Rational) -> Iterator[Evidence]:
    """The trapezoidal kernel and its greatest value, f'' of both waves, and the integral of its bound."""
    f = sp.Function("f")
    primitive = r * (h - r) * sp.diff(f(a + r), r) / 2 - (h - 2 * r) * f(a + r) / 2
    kernel = f(a + r) + r * (h - r) * sp.diff(f(a + r), r, 2) / 2
    yield same("trapezoidal rule, by parts", sp.diff(primitive, r), kernel)
    yield same("its ends", (primitive.subs(r, h) - primitive.subs(r, 0)).doit(), h * (f(a + h) + f(a)) / 2)
    yield same("h^2/8 less the kernel is a square", eighth * h**2 - r * (h - r) / 2, (h - 2 * r) ** 2 / 8)
    phase = P * sp.exp(-L * y)
    for wave, other in ((sp.cos, -sp.sin(phase)), (sp.sin, sp.cos(phase))):
        curved = L**2 * phase * (other - phase * wave(phase))
        yield same(f"f'' of {wave.__name__}", sp.diff(wave(phase), y, 2), curved)
    last = P * sp.exp(-L * s)
    area = sp.integrate(L**2 * (phase + phase**2), (y, 0, s))
    yield same("integral of L^2 (p + p^2)", area, L * (P - last + (P**2 - last**2) / 2))
    yield same("half of h^2/8 at h = 2/D", eighth * (2 / D) ** 2 / 2, 1 / (4 * D**2))


@attack("lem-riemann.b", domain=f"{EDGES}; k = 0, D/4; cos and sin")
def second_order_attack() -> Iterator[Evidence]:
    yield search("1 - |R|/bound", _second_order_margins(), control="0.337")
    yield from SECOND_ORDER.attack()


def _second_order_margins() -> Iterator[tuple[str, arb]]:
    said = SECOND_ORDER.target(1)
    for point in points(heads=(0, 64)):
        dim = point.head_dim
        for wave, (value, integral) in WAVES.items():
            for cut in (0, dim // 4):
                here, last = point.phase(Fraction(2 * cut, dim)), point.phase(1)
                terms = (value(point.phase(Fraction(2 * i, dim))) for i in range(cut, dim // 2))
                smooth = (integral(here) - integral(last)) / (2 * point.log)
                rest = sum(terms, arb(0)) / dim - smooth - (value(here) - value(last)) / (2 * dim)
                bound = to_ball(said, {START: here, END: last, LOG: point.log, DIM: dim}).real
                yield f"{point}, k={cut}, {wave}", 1 - abs(rest) / bound
