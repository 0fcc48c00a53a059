"""Appendix G: eqs 78 to 81, from the suprema to Theorem 3.2, and what the printed combination of its steps gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import sympy as sp
from flint import arb

from analysis.evidence import Evidence
from proofs.balls import ball, below
from proofs.checks import arrives, controlled, exact, refutes, search
from proofs.exact import Expr, identity
from proofs.gaussian_tokens import LONGEST, S, cosine_mean, counterexample, gaussian_integral
from proofs.integrals import integrate
from proofs.ledger import attack, claim, necessary, repair
from proofs.paper.appendix_g import (
    EQ_77,
    FORM_A,
    LAMBDA_PRINTED,
    LAMBDA_REPAIRED,
    SUP,
    SUP_TWO,
    UNIVERSAL,
    WAVE_NUMBER,
    constants,
    form_everywhere,
    least_wave,
)
from proofs.paper.appendix_g import LAG as LAG_D
from proofs.paper.section_3_score import EQ_12, scales
from proofs.paper.theorem_3_2 import (
    FINITE,
    INNER_A,
    ONE_K,
    ONE_Q,
    SHARPER,
    WEIGHT,
    WEIGHTS,
    WEIGHTS_AT_NORMAL,
    of_score,
)
from proofs.statements import Conclusion, Statement, Variable, chain, relation, tex
from proofs.subdivision import maximum
from proofs.tapa_letters import (
    AMPLITUDE_SIZE,
    ANY_DISTANCE,
    ANY_POWER,
    APART,
    CONSTANT,
    HEAD,
    MEAN,
    NORMAL,
    PHASE_SIZE,
    POWER,
    SHARE,
    SIZE_A,
    SPLIT,
    WHOLE_SPLIT,
    at_normal,
    every_split,
    falls_with_kernel,
    in_dimensions,
    of_equal_tokens,
    put,
    quantity,
)


def monomials(size: int, power: int, sign: int = 1) -> Evidence:
    """prod_i (1 + x_i^2)^power is a finite sum of (power+1)^size monomials with positive coefficients."""
    x = sp.symbols(f"x0:{size}", real=True)
    poly = sp.Poly(sp.prod([(1 + sign * v**2) ** power for v in x]), *x)
    terms, positive = len(poly.terms()), all(c > 0 for c in poly.coeffs())
    return exact(
        f"terms of the weight in {size} variables",
        positive and terms == (power + 1) ** size,
        terms,
        "(p+1)^size",
    )


SCHWARTZ = r"$\rho$ Schwartz"
OF_TOKENS = 2 * HEAD  # coordinates of q and k


@necessary("eq-78", hypothesis=SCHWARTZ)
def eq_78_without_decay() -> Iterator[Evidence]:
    x = sp.Symbol("x", positive=True)
    found = sp.limit(x**4 / (1 + x**2), x, sp.oo)
    yield exact("x_A of Cauchy's density: x_A^4 times it, as x_A grows", found.is_finite, found, "bounded")


@claim(
    "eq-78",
    where="App. G, eq 78",
    kind="step",
    in_words="of every Schwartz density",
    says=(
        rf"$\rho$ Schwartz on $\mathbb{{R}}^{{{tex(OF_TOKENS)}}}$: $\sup_{{x_P}}|\rho(x_A,x_P)|$ and "
        r"$\sup_{x_P}|D^a\rho(x_A,x_P)|$ decay faster than any power of $|x_A|$"
    ),
    assumes=(SCHWARTZ,),
    outline=(
        "|x_A^b| sup_{x_P}|D^a rho| <= sup_x |x_A^b D^a rho(x)|, a seminorm, for every b: a supremum over a slice is "
        "no more than over all. So prod(1+x_i^2)^p sup_{x_P}|D^a rho| is bounded by a finite sum of seminorms."
    ),
)
def eq_78() -> Iterator[Evidence]:
    yield identity(2 * AMPLITUDE_SIZE + 2 * PHASE_SIZE, OF_TOKENS, "coordinates of x_A and of x_P")
    for size in (1, 2, 3):
        yield monomials(size, 2)


@attack(
    "eq-78", domain="a normal law whose x_P narrows like (1+x_A^2)^-5 as x_A grows: sup over x_P times x_A^20"
)
def eq_78_attack() -> Iterator[Evidence]:
    top = maximum(lambda x: x**20 * (1 + x * x) ** 5 * (-x * x / 2).exp(), None, 0, 40, tol="1e15")
    what = "x_A^20 sup_{x_P} rho, up to (2 pi)^-1, on 0 <= x_A <= 40"
    yield controlled(below(what, top, "7e15"), below(what, top, "5e15"))


MAJORISED = sp.Symbol(r"\Phi_{\lambda}(x_A)", real=True)
SUPREMA = SUP + WAVE_NUMBER**-2 * SUP_TWO
EQ_79 = Statement(
    (
        *SPLIT,
        Variable(WAVE_NUMBER, low=sp.Integer(0)),
        Variable(FORM_A),
        *(Variable(letter, low=sp.Integer(0), closed=True) for letter in (SUP, SUP_TWO)),
    ),
    (Conclusion(relation(sp.Abs(MAJORISED), "<=", WEIGHT * SUPREMA / sp.sqrt(AMPLITUDE_SIZE))),),
    meaning={MAJORISED: FORM_A / sp.sqrt(AMPLITUDE_SIZE) * SUPREMA},
    words=r"$\Phi_\lambda$ is integrable, as its bound below is; at every $x_A$, ",
)


def mean_of_cauchy(whose: str) -> Evidence:
    """The mean of the size of a number of Cauchy's density, which is not Schwartz: infinite."""
    x = sp.Symbol("x", positive=True)
    found = sp.limit(sp.integrate(x / (1 + x**2), (x, 0, S)), S, sp.oo)
    return exact(
        f"{whose} of Cauchy's density: mean of |q_A|, up to a constant", found.is_finite, found, "finite"
    )


@necessary("eq-79", hypothesis=SCHWARTZ)
def eq_79_without_decay() -> Iterator[Evidence]:
    yield mean_of_cauchy("q_A, k_A")


@claim(
    "eq-79",
    where="App. G, eq 79",
    kind="step",
    says=EQ_79,
    assumes=(SCHWARTZ,),
    uses=("eq-78", "thm-3.2.weights"),
    outline=(
        "|x_A^T J x_A| = 2|q_A.k_A| <= prod(1+x_i^2); with weights of power 2 the rest is integrable, sum pi^{2a}."
    ),
)
def eq_79(statement: Statement) -> Iterator[Evidence]:
    yield form_everywhere(sp.Rational(1, 2))
    yield monomials(2, 2)
    found, said = statement.meaning[MAJORISED], statement.target()
    scale = scales(EQ_12.target())[0]
    of_77 = EQ_77.target() / (UNIVERSAL * WAVE_NUMBER**-PHASE_SIZE)
    yield identity(sp.simplify(of_77), SUPREMA, "the suprema of (77)")
    yield identity(
        found, FORM_A * scale * SUPREMA, "x^T J x at the scale of eq 12's amplitude, times the suprema"
    )
    most = 2 * WEIGHTS.target(1)  # |x_A^T J x_A| = 2 |q_A.k_A|
    yield arrives("its size", found / FORM_A * most, said)
    yield statement.every_positive(WAVE_NUMBER, HEAD, SUP, SUP_TWO)


EQ_79_AT_ONE = replace(  # one coordinate of q_A and one of k_A
    EQ_79,
    variables=(
        *(one for one in EQ_79.variables if one != Variable(FORM_A)),
        Variable(ONE_Q),
        Variable(ONE_K),
    ),
    meaning={
        FORM_A: 2 * WEIGHTS_AT_NORMAL.meaning[INNER_A],
        WEIGHT: WEIGHTS_AT_NORMAL.meaning[WEIGHT],
        **EQ_79.meaning,
    },
)


@attack(
    "eq-79",
    domain=f"{EQ_79_AT_ONE.domain()}; "
    "x_P narrowing like (1+x_A^2)^-5, a = 1: x_A^2 sup_{x_P} |D^2 rho| ~ x_A^2 (1+x_A^2)^15 g(x_A)",
)
def eq_79_attack() -> Iterator[Evidence]:
    yield from EQ_79_AT_ONE.attack()
    total = integrate(lambda x, _a: x * x * (1 + x * x) ** 15 * (-x * x / 2).exp(), -40, 40)
    yield refutes(monomials(2, 2, sign=-1))
    what = "integral over |x_A| <= 40, up to a constant"
    yield controlled(below(what, total, "7.81e17"), below(what, total, "7.80e17"))


ANY_REAL = sp.Symbol("alpha", real=True)
GROWING = relation(ANY_REAL, ">=", 0)
LEAST = sp.Symbol("C(D)", positive=True)
EQ_80, EQ_80_REPAIRED = (
    Statement(
        (*WHOLE_SPLIT, Variable(ANY_REAL), ANY_DISTANCE),
        (Conclusion(relation(WAVE_NUMBER, ">=", LEAST)),),
        given=(GROWING,),
        meaning={
            SHARE: SIZE_A / HEAD,
            WAVE_NUMBER: 2 * APART**ANY_REAL / sp.sqrt(PHASE_SIZE),
            LEAST: 2 / sp.sqrt(HEAD),
        },
        words=words,
    )
    for words in (
        r"$\lambda$ is bounded below, so $|\int \Phi_\lambda \,dx_A| \le C(\rho,D)$ for all such $\lambda$; ",
        r"$\int |\Phi_\lambda| \,dx_A \le C(\rho,D)$: uniformly bounded in $L^1$, as the text says and as $\lambda$ is "
        "bounded below; ",
    )
)


def shrinking(statement: Statement) -> Evidence:
    """Without alpha >= 0 lambda falls below every bound."""
    return statement.without(GROWING).fails_at({HEAD: 2, SIZE_A: 1, ANY_REAL: -1, APART: 4})


@necessary("eq-80", hypothesis=f"${tex(GROWING)}$")
def eq_80_without_growth() -> Iterator[Evidence]:
    yield shrinking(EQ_80)


@necessary("eq-80*", hypothesis=f"${tex(GROWING)}$")
def eq_80_repaired_without_growth() -> Iterator[Evidence]:
    yield shrinking(EQ_80_REPAIRED)


@necessary("eq-80", hypothesis=SCHWARTZ)
def eq_80_without_decay() -> Iterator[Evidence]:
    """Phi is at least its first term, 2|q_A k_A| sup rho over sqrt(a), on the tokens' own quarter of the plane."""
    yield mean_of_cauchy("q_A and k_A positive, independent of the phase and")


@necessary("eq-80*", hypothesis=SCHWARTZ)
def eq_80_repaired_without_decay() -> Iterator[Evidence]:
    """|Phi| is at least its first term."""
    yield mean_of_cauchy("q_A and k_A independent of the phase and")


def bounded_below(statement: Statement) -> Iterator[Evidence]:
    """lambda as (75) has it, and its bound: at |m-n| = 1, where it is least, the square of either at D = a + n."""
    wave, least = statement.meaning[WAVE_NUMBER], statement.spelt(statement.target())
    printed = LAMBDA_PRINTED.meaning[WAVE_NUMBER].subs(LAG_D, APART)
    yield identity(in_dimensions(wave.subs(ANY_REAL, POWER)), printed, "lambda as printed")
    yield least_wave(least**2 * HEAD)
    yield arrives("2/sqrt(D), as n < D", sp.sqrt(4 / HEAD), least)
    yield every_split(statement)
    v = sp.Symbol("v", positive=True)
    slope = sp.diff((1 + v) ** POWER, v)
    yield exact("|m-n|^alpha grows with |m-n| = 1 + v", slope.is_positive, slope, "> 0")
    edge = sp.solve(sp.diff((1 + v) ** ANY_REAL, v), ANY_REAL)
    (given,) = statement.given
    yield exact(
        "and is constant at alpha = 0",
        [given.rhs] == edge and given.rel_op == ">=",
        given,
        f"alpha >= {edge}",
    )


@claim(
    "eq-80",
    where="App. G, eq 80 and before",
    kind="step",
    says=EQ_80,
    assumes=(SCHWARTZ,),
    uses=("eq-79",),
    outline=(
        "lambda = 2|m-n|^alpha/sqrt((1-theta)D) >= 2/sqrt(D), as |m-n| >= 1; so |Phi_lambda| <= the integrable "
        "function with D/4 in place of lambda^-2. True, but the integral of Phi may be 0 while E Attn is "
        "not: thm-3.2.printed."
    ),
)
def eq_80(statement: Statement) -> Iterator[Evidence]:
    yield from bounded_below(statement)


@repair(
    "eq-80",
    says=EQ_80_REPAIRED,
    assumes=(SCHWARTZ,),
    uses=("eq-79",),
    outline="The absolute value belongs inside; the same majorant.",
)
def eq_80_repaired(statement: Statement) -> Iterator[Evidence]:
    yield from bounded_below(statement)


@attack(
    "eq-80",
    domain=f"{EQ_80.domain()}; every split of D = 2..64 at |m-n| = 1 and alpha = 0: lambda^2 against 4/D",
)
def eq_80_attack() -> Iterator[Evidence]:
    yield from EQ_80.attack()
    cases = (
        (f"D = {head}, n = {n}", (ball(4) / n) / (ball(4) / head) - 1)
        for head in range(2, 65)
        for n in range(1, head)
    )
    yield search("lambda^2 D/4 - 1", cases, control="0.0159")


SHIFT = sp.Symbol("c", positive=True)


def total_mass(bump: Expr, variables: Sequence[sp.Symbol]) -> Expr:
    """Integral over all of space of a number times the exponential of a polynomial of degree 2."""
    exponent, factor = sp.sympify(bump).as_independent(*variables)[::-1]
    exponent = sp.expand(sp.log(exponent), force=True)
    for variable in variables:
        more, exponent = gaussian_integral(exponent, variable)
        factor *= more
    return sp.simplify(factor * sp.exp(exponent))


def two_bumps(shift: Expr = SHIFT) -> Iterator[Evidence]:
    """A Schwartz density, D = 2, even under (q_A, k_A, q_P, k_P) -> (-q_A, k_A, c - q_P, k_P), with E Attn != 0.

    Half the mass is normal around (1, 1, 0, 0), half around (-1, 1, c, 0). By the symmetry all suprema over x_P
    are even in q_A, so Phi is odd in q_A and its integral is 0.
    """
    qa, ka, qp, _ = variables = sp.symbols("q_A k_A q_P k_P", real=True)

    def bump(*centre: Expr) -> Expr:
        return sp.exp(-sum((x - c) ** 2 for x, c in zip(variables, centre, strict=True)) / 2)

    density = (bump(1, 1, 0, 0) + bump(-1, 1, shift, 0)) / (2 * (2 * sp.pi) ** 2)
    yield exact("the density is positive", density.is_positive, density, "> 0")
    mass = sum(total_mass(part, variables) for part in sp.expand(density).args)
    yield identity(mass, sp.Integer(1), "and integrates to 1")
    mirrored = density.subs({qa: -qa, qp: shift - qp}, simultaneous=True)
    yield identity(mirrored, density, "the density is its own mirror image")
    yield identity(
        (2 * qa * ka).subs(qa, -qa), -2 * qa * ka, "x_A^T J x_A is odd in q_A: the integral of Phi is 0"
    )


def two_bumps_mean(lag: int, shift: int) -> arb:
    """E Attn of the two bumps, alpha = 1: (1 - exp(-t^2 c^2/(2(1+t^2))))/(2 sqrt(1+t^2)), t = 2 pi |m-n|."""
    square = (2 * arb.pi() * lag) ** 2
    return cosine_mean(1, lag, 1) * (1 - (-square * shift**2 / (2 * (1 + square))).exp()) / 2


WHOLE_INTEGRAL = quantity(r"\int \Phi_\lambda \,dx_A", real=True)
COMBINED = Statement(
    (
        *SPLIT,
        *(Variable(letter, low=sp.Integer(0)) for letter in (WAVE_NUMBER, UNIVERSAL)),
        Variable(MEAN, low=sp.Integer(0), closed=True),
        Variable(WHOLE_INTEGRAL),
    ),
    (Conclusion(relation(MEAN, "<=", UNIVERSAL * WAVE_NUMBER**-PHASE_SIZE * sp.Abs(WHOLE_INTEGRAL))),),
    words="combining (75), (77) and (80), with whichever $C$ (77) has, ",
)


@claim(
    "thm-3.2.printed",
    where="App. G, before eq 81",
    kind="step",
    says=COMBINED,
    uses=("eq-75", "eq-76", "eq-77", "eq-80"),
    cites=("eq-75", "eq-77", "eq-80"),
    outline="(80) has the absolute value outside: two mirrored bumps have int Phi = 0 and E Attn > 0.",
)
def thm_3_2_printed(statement: Statement) -> Iterator[Evidence]:
    square = (2 * sp.pi) ** 2  # E Attn of the bumps, exactly: see two_bumps_mean
    mean = (1 - sp.exp(-square / (2 * (1 + square)))) / (2 * sp.sqrt(1 + square))
    given = {HEAD: 2, SHARE: sp.Rational(1, 2), WAVE_NUMBER: 2, UNIVERSAL: 10**6, WHOLE_INTEGRAL: 0}
    yield statement.fails_at({**given, MEAN: mean})
    what = "normal around (1,1,0,0) and (-1,1,1,0), half each, D = 2, alpha = |m-n| = 1: E Attn, where the bound is 0"
    yield from counterexample(two_bumps(), below(what, two_bumps_mean(1, 1), 0, strict=False))


MAJORANT_OF_ALL = quantity(r"\int |q_A\cdot k_A| \int \sup_{q_P}|F| \,d\zeta \,dx_A")
COMBINED_REPAIRED = Statement(
    (*WHOLE_SPLIT, ANY_POWER, ANY_DISTANCE),
    (Conclusion(relation(MEAN, "<=", WAVE_NUMBER**-PHASE_SIZE / sp.sqrt(AMPLITUDE_SIZE) * MAJORANT_OF_ALL)),),
    meaning={SHARE: SIZE_A / HEAD, WAVE_NUMBER: APART**POWER / sp.sqrt(PHASE_SIZE)},
    words=rf"combining (75) and (77) as repaired, with ${tex(MAJORANT_OF_ALL)}$ finite, ",
)


@necessary("thm-3.2.printed*", hypothesis=SCHWARTZ)
def thm_3_2_printed_repaired_without_density() -> Iterator[Evidence]:
    (bound, *_) = COMBINED_REPAIRED.conclusions
    yield of_equal_tokens(put(bound.says.rhs, COMBINED_REPAIRED.meaning), MAJORANT_OF_ALL)


@repair(
    "thm-3.2.printed",
    says=COMBINED_REPAIRED,
    assumes=(SCHWARTZ,),
    uses=("eq-75*", "eq-75.lambda*", "eq-76", "eq-77*", "thm-3.2.weights"),
    cites=("eq-75", "eq-77"),
    outline="The same three steps with their repairs.",
)
def thm_3_2_printed_repaired(statement: Statement) -> Iterator[Evidence]:
    wave = in_dimensions(statement.meaning[WAVE_NUMBER])
    yield identity(wave, put(LAMBDA_REPAIRED.meaning[WAVE_NUMBER], {LAG_D: APART}), "lambda as repaired")
    found = in_dimensions(statement.target(1))
    found = put(put(found, {WAVE_NUMBER: wave}), {MAJORANT_OF_ALL: FINITE})
    yield arrives("the bound of thm-3.2*", SHARPER.target(1), found)
    printed, ours = (
        sp.simplify(WAVE_NUMBER * sp.diff(sp.log(one.target(1)), WAVE_NUMBER))
        for one in (COMBINED, statement)
    )
    yield identity(printed, ours, "lambda has the power that is printed")
    yield every_split(statement)
    yield statement.every_positive(POWER)


COMBINED_AT_NORMAL = at_normal(
    COMBINED_REPAIRED,
    {MEAN: NORMAL[MEAN], MAJORANT_OF_ALL: sp.sqrt(AMPLITUDE_SIZE) * (2 * sp.pi) ** -PHASE_SIZE},
)


@attack(
    "thm-3.2.printed*",
    domain=f"{COMBINED_AT_NORMAL.domain()}; "
    "two bumps, c = 1 and 10, distances 1 to 2^20, alpha = 1: |E Attn| against K/s",
)
def thm_3_2_printed_repaired_attack() -> Iterator[Evidence]:
    yield from COMBINED_AT_NORMAL.attack(controls=("4.95e-5",))
    yield search("1 - |E Attn| s/K", _bump_cases(), control="0.501")


def _bump_cases() -> Iterator[tuple[str, arb]]:
    """The bumps' own bounds add up to E|q_A k_A|/(2 pi s) with E|q_A k_A| >= 1; here 1 stands for it."""
    for shift in (1, 10):
        for lag in (1, 100, LONGEST):
            yield f"c = {shift}, |m-n| = {lag}", 1 - abs(two_bumps_mean(lag, shift)) * 2 * arb.pi() * lag


OF_DISTANCE = sp.Symbol(r"C'(\rho,D)", positive=True)
EQ_81 = Statement(
    (*WHOLE_SPLIT, ANY_POWER, ANY_DISTANCE),
    chain(
        MEAN,
        ("<=", CONSTANT * WAVE_NUMBER**-PHASE_SIZE),
        ("==", OF_DISTANCE * APART ** (-POWER * PHASE_SIZE)),
    ),
    meaning={
        SHARE: SIZE_A / HEAD,
        WAVE_NUMBER: 2 * APART**POWER / sp.sqrt(PHASE_SIZE),
        OF_DISTANCE: CONSTANT * (sp.sqrt(PHASE_SIZE) / 2) ** PHASE_SIZE,
    },
    words=r"there is $C(\rho,D)$ with, $a = \theta D$, ",
)
OF_THEOREM = "the hypotheses of Theorem 3.2"
EQ_81_AT_NORMAL = at_normal(  # the best constant of `NORMAL`, as one before lambda^-n
    EQ_81, {MEAN: NORMAL[MEAN], CONSTANT: sp.pi**-PHASE_SIZE}
)


@necessary("eq-81", hypothesis=OF_THEOREM)
def eq_81_without_density() -> Iterator[Evidence]:
    yield of_equal_tokens(EQ_81.target(2), OF_DISTANCE)


@claim(
    "eq-81",
    where="App. G, eq 81",
    kind="equation",
    says=EQ_81,
    assumes=(OF_THEOREM,),
    uses=("thm-3.2",),
    outline="True by thm-3.2, not by the printed combination; C' = C (sqrt(n)/2)^n with lambda as printed.",
)
def eq_81(statement: Statement) -> Iterator[Evidence]:
    yield constants(sp.Integer(2))
    wave = put(LAMBDA_PRINTED.meaning[WAVE_NUMBER], {LAG_D: APART})
    yield identity(in_dimensions(statement.meaning[WAVE_NUMBER]), wave, "lambda as printed")
    constant = in_dimensions(statement.meaning[OF_DISTANCE])
    first, second = (in_dimensions(statement.target(index)) for index in (1, 2))
    values = {WAVE_NUMBER: wave, OF_DISTANCE: constant}
    yield identity(put(first, values), put(second, values), "the two bounds, with C' as below")
    for bound in (put(first, values), second):
        yield from falls_with_kernel(bound, of_score()[1])
    yield every_split(statement)
    yield statement.every_positive(POWER)


@attack(
    "eq-81",
    domain=f"{EQ_81_AT_NORMAL.domain()}; "
    "normal laws, n = 1, 2, 128, distances 1 to 2^20: E cos lambda^n bounded, printed lambda",
)
def eq_81_attack() -> Iterator[Evidence]:
    yield from EQ_81_AT_NORMAL.attack(controls=("4.95e-5", None))
    cases = (
        (f"n = {n}, distance {lag}", 1 - cosine_mean(n, lag) * (arb.pi() * _wave(n, lag)) ** n)
        for n in (1, 2, 128)
        for lag in (1, 100, LONGEST)
    )
    yield search("1 - (pi lambda)^n E cos", cases, control="0.000791")


def _wave(n: int, lag: int) -> arb:
    """lambda as printed: pi lambda = t of the normal law."""
    return 2 * ball(lag) ** ball("1/10") / ball(n).sqrt()
