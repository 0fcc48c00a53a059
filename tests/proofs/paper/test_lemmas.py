"""Lemmas C.1 and C.2: the verdict of every label, planted errors that the checks catch, and the bounds as properties.

The checks are functions of the formula they judge: each planted error feeds one a wrong formula, and the checks that
refute are fed true ones, so that none answers the same whatever it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

import mpmath
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.evidence import Evidence, Verdict
from proofs import waves
from proofs.balls import PRECISION, ball, below, precision
from proofs.checks import INVERSE_BASES, Point, least_head_dim, vanishes
from proofs.ledger import weakest
from proofs.paper import appendix_e_bound as bound
from proofs.paper import appendix_e_cos as cosine
from proofs.paper import appendix_e_error as error
from proofs.paper import appendix_e_riemann as riemann
from proofs.paper import appendix_e_sin as sine
from proofs.paper import appendix_f as c2
from proofs.paper import classical_lemmas as sums
from proofs.paper import lemma_c1 as c1
from proofs.verify import Result

PROVED, CERTIFIED, REFUTED, UNKNOWN = "proved", "certified", "refuted", "unknown"
VERDICTS: dict[str, tuple[str, str | None]] = {
    "lem-hump": (PROVED, None),
    "lem-ci": (PROVED, None),
    "lem-cin": (PROVED, None),
    "lem-riemann": (PROVED, None),
    "lem-riemann.b": (PROVED, None),
    "eq-25": (PROVED, None),
    "eq-26": (PROVED, None),
    "eq-27": (PROVED, None),
    "eq-42": (REFUTED, PROVED),
    "eq-43": (PROVED, None),
    "eq-44": (PROVED, PROVED),
    "eq-45": (PROVED, PROVED),
    "eq-46": (PROVED, None),
    "eq-47": (REFUTED, PROVED),
    "eq-47.a": (PROVED, None),
    "eq-48": (PROVED, PROVED),
    "eq-49": (PROVED, None),
    "eq-50": (PROVED, PROVED),
    "eq-51": (PROVED, PROVED),
    "eq-52": (PROVED, None),
    "eq-53": (PROVED, None),
    "eq-54": (PROVED, None),
    "eq-55": (REFUTED, PROVED),
    "eq-56": (REFUTED, PROVED),
    "eq-57": (PROVED, None),
    "eq-58": (PROVED, None),
    "eq-58.a": (REFUTED, None),
    "eq-59": (REFUTED, PROVED),
    "eq-60": (PROVED, PROVED),
    "eq-60.a": (REFUTED, None),
    "eq-61": (PROVED, None),
    "eq-62": (PROVED, None),
    "eq-63": (PROVED, None),
    "eq-64": (PROVED, None),
    "eq-65": (REFUTED, PROVED),
    "eq-66": (REFUTED, PROVED),
    "eq-67": (REFUTED, PROVED),
    "eq-68": (REFUTED, PROVED),
    "eq-69": (PROVED, CERTIFIED),
    "eq-70": (PROVED, None),
    "eq-71": (PROVED, CERTIFIED),
    "eq-72": (REFUTED, PROVED),
    "eq-73": (REFUTED, PROVED),
    "lem-C.1": (PROVED, PROVED),
    "lem-C.1.empty": (PROVED, None),
    "lem-C.2": (PROVED, PROVED),
}


@pytest.fixture(autouse=True)
def ledger_precision():
    with precision(PRECISION):
        yield


@pytest.fixture(scope="module")
def results(whole_ledger: list[Result]) -> dict[str, Result]:
    return {result.label: result for result in whole_ledger if result.label in VERDICTS}


def test_verdicts(results: dict[str, Result]) -> None:
    found = {label: (str(r.stated), r.repaired and str(r.repaired)) for label, r in results.items()}
    assert found == VERDICTS


def test_every_numbered_equation_was_attacked(results: dict[str, Result]) -> None:
    for label, result in results.items():
        attacks = [*result.as_stated.attack, *(result.as_repaired.attack if result.as_repaired else ())]
        assert attacks, label
        hits = {item.verdict for item in attacks} - {Verdict.SUPPORTED, Verdict.CERTIFIED}
        assert hits <= ({Verdict.REFUTED} if result.stated is Verdict.REFUTED else set()), label


def test_whatever_is_refuted_has_a_repair_that_stands(results: dict[str, Result]) -> None:
    for label, (stated, repaired) in VERDICTS.items():
        if stated == REFUTED and "." not in label:
            assert repaired in (PROVED, CERTIFIED), label
            assert all(item.computed for item in results[label].evidence)


def test_counterexamples_name_their_point(results: dict[str, Result]) -> None:
    for label in ("eq-42", "eq-47", "eq-55", "eq-59", "eq-68"):
        for item in results[label].evidence:
            assert "theta_0 = " in item.what
            assert "lambda = " in item.what


def verdict(found: Evidence | Iterable[Evidence]) -> Verdict:
    items = [found] if isinstance(found, Evidence) else list(found)
    return weakest(item.verdict for item in items)


N, D, ALPHA = sums.n, sums.D, riemann.alpha
HALF = sp.Rational(1, 2)
SMALL = Point(Fraction(1, 20), 12, Fraction(2))
PLANTED: dict[str, Callable[[], Evidence | Iterable[Evidence]]] = {
    "humps a whole period apart do not alternate": lambda: sums.hump_steps(period=2 * sp.pi),
    "a hump's area without its factor 2": lambda: sums.hump_steps(area=1),
    "Si = pi/2 - f cos + g sin, sign flipped": lambda: sums.auxiliary_steps(sign=1),
    "Cin <= x^2/8, the constant halved": lambda: sums.cin_steps(sp.Rational(1, 8)),
    "kappa without its -1/u": lambda: sums.lem_riemann_steps(1 / (1 - sp.exp(-sums.u))),
    "kappa with its sign flipped": lambda: sums.lem_riemann_steps(-sums.KAPPA),
    "kappa <= 1/2 + u/13, too small": lambda: sums.kappa_bounds(
        sums.KAPPA_BOUNDS.reworded(2, lambda said: said.func(said.lhs, sp.Rational(1, 2) + sums.u / 13))
    ),
    "kappa < 2, and 1 for the best constant": lambda: sums.kappa_bounds(
        sums.KAPPA_BOUNDS.reworded(1, lambda said: said.func(said.lhs, sp.Integer(2)))
    ),
    "trapezoidal kernel <= h^2/12": lambda: sums.trapezoid_steps(sp.Rational(1, 12)),
    "eq 42 as printed, one term too many": lambda: riemann.riemann_decomposition(N),
    "eq 42 with one term too few": lambda: riemann.riemann_decomposition(N - 2),
    "eq 44 with one of the two cosines": lambda: riemann.trivial_bound(2 / D),
    "eq 45 below the Lipschitz constant": lambda: riemann.lipschitz(1 / D**2),
    "eq 46 with cos for sin": lambda: riemann.slope_bound(sp.cos),
    "eq 47's count, without its + 1": lambda: error.counted(ALPHA * D / 2),
    "eq 48 with 2/5 for 1/2": lambda: error.taylor(sp.Rational(2, 5)),
    "eq 49 with L for L^2": lambda: error.second_derivative(1),
    "eq 50 with kappa <= 1/2": lambda: error.worst_kappa(HALF),
    "eq 51 with half of its second term": lambda: error.riemann_error(printed=1),
    "eq 51 compared at too small a phase": lambda: error.riemann_error(cut=1),
    "eq 51 compared at too large a phase": lambda: error.riemann_error(cut=3),
    "eq 52 with Si for Ci": lambda: cosine.substitution(sp.Si, sp.cos),
    "eq 54 with periods of two turns": lambda: cosine.periods_meet(sp.Rational(1, 4), turns=2),
    "eq 56 with 15 for 16": lambda: cosine.period_bound("cos", 15 / ((4 * N + 1) * (4 * N + 5))),
    "eq 65 with the ends of eq 56": lambda: cosine.period_bound("sin", 16 / ((4 * N + 1) * (4 * N + 5))),
    "eq 60 without the near end": lambda: bound.integral_bound(
        waves.c, 1 / (2 * waves.c * waves.lam * waves.theta * waves.L)
    ),
    "eq 69 with 3/2 for 2": lambda: c1.sine_constant(sp.Rational(3, 2)),
    "eq 71 with 1 for 2": lambda: c2.first_hump(sp.Integer(1)),
    "eq 71* with 0.2807": lambda: c2.hump_constants("0.2807", "0.3353"),
    "eq 72 with 1 + e0": lambda: c2.logarithm(1 + c2.share),
    "Lemma C.2 with half the share of the cut": lambda: c2.main_terms(sums.k / D),
    "emptiness claimed for twice the D": lambda: c1.emptiness(constant=16 * sp.exp(2)),
    "emptiness claimed for smaller lambda": lambda: c1.emptiness(sine=5 * sp.pi * sp.exp(3)),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_caught(name: str) -> None:
    assert verdict(PLANTED[name]()) in (Verdict.REFUTED, Verdict.UNKNOWN)


def test_a_refutation_turns_where_the_printed_step_is_true() -> None:
    """The checks that refute are not blind: at harmless points, or with the right factor, they do not."""
    at = {**cosine.TWO_TURNS}
    assert cosine.EQ_55.fails_at(at, 2).verdict is Verdict.SUPPORTED
    assert cosine.EQ_59.fails_at({**at, waves.lam: 60}, 3).verdict is Verdict.SUPPORTED
    assert sine.EQ_68.fails_at(at, 2).verdict is Verdict.SUPPORTED
    assert verdict(bound.insertion(HALF, HALF / sp.pi)) is Verdict.PROVED
    assert verdict(cosine.no_value(cosine.EQ_56, {**at, waves.lam: 3, N: 1}, 2)) is Verdict.PROVED
    with pytest.raises(InputError, match="not certainly in the range"):
        cosine.no_value(cosine.EQ_56, {**at, N: 1}, 2)
    assert verdict(sine.weight_bound(sp.Integer(4))) is Verdict.UNKNOWN
    half = {**at, waves.lam: sp.Rational(11, 10), c2.share: HALF}
    assert verdict(c2.strict_middle(c2.EQ_72, half)) is Verdict.UNKNOWN
    assert verdict(vanishes("eq 42 repaired", riemann.excess(SMALL, 5))) is Verdict.UNKNOWN
    small = sp.Rational(1, 100)
    tiny = {
        waves.theta: sp.Rational(1, 10**400),
        waves.D: 4000,
        waves.lam: 2,
        c2.share: small,
        waves.alpha: small,
    }
    assert c2.EQ_73.fails_at(tiny, 2).verdict is Verdict.REFUTED
    assert c2.EQ_27.fails_at(tiny).verdict is Verdict.SUPPORTED


ROUNDING = 2.0**-50  # a bound and a sum, each rounded to float64, relative to a bound above 1/D

SIZES = {
    "theta": st.floats(1e-9, 0.9),
    "pairs": st.integers(1, 40),
    "distance": st.floats(1e-3, 1e4),
    "turns": st.booleans(),
    "part": st.floats(0, 1),
}


def exact_sum(function: Callable, theta: float, pairs: int, distance: float, turns: bool) -> mpmath.mpf:
    """C_D or S_D by mpmath at 50 digits, from the definition (eq 24): a witness without balls."""
    with mpmath.workdps(50):
        factor = 2 * mpmath.pi if turns else 1
        terms = (
            function(factor * distance * mpmath.mpf(theta) ** (mpmath.mpf(d) / pairs)) for d in range(pairs)
        )
        return mpmath.fsum(terms) / (2 * pairs)


def phase_and_log(theta: float, distance: float, turns: bool) -> tuple:
    scale = 2 * ball(0).pi() if turns else ball(1)
    return scale * ball(Fraction(distance)), -ball(Fraction(theta)).log()


@given(**SIZES)
@settings(max_examples=150, deadline=None)
def test_lemma_c1_repaired_bounds_both_sums(
    theta: float, pairs: int, distance: float, turns: bool, part: float
) -> None:
    with precision(PRECISION):
        phase, log = phase_and_log(theta, distance, turns)
        cut = round(part * pairs)
        for wave, function in (("cos", mpmath.cos), ("sin", mpmath.sin)):
            found = abs(exact_sum(function, theta, pairs, distance, turns))
            for bound in c1.cut_bounds(phase, log, 2 * pairs, cut, wave):
                assert float(found) <= float(bound.upper()) * (1 + ROUNDING) + ROUNDING


@given(**SIZES)
@settings(max_examples=150, deadline=None)
def test_lemma_c2_repaired_encloses_the_cosine_sum(
    theta: float, pairs: int, distance: float, turns: bool, part: float
) -> None:
    with precision(PRECISION):
        phase, log = phase_and_log(theta, distance, turns)
        lower, upper = c2.cin_bounds(phase, log, 2 * pairs, round(part * pairs))
        found = float(exact_sum(mpmath.cos, theta, pairs, distance, turns))
        assert float(lower.lower()) - ROUNDING * (1 + abs(float(lower))) <= found
        assert found <= float(upper.upper()) + ROUNDING * (1 + abs(float(upper)))


@given(
    st.sampled_from(INVERSE_BASES), st.integers(0, 300), st.fractions("1.001", 10**6), st.fractions("1e-6", 3)
)
@settings(max_examples=100, deadline=None)
def test_least_epsilon_is_the_infimum(
    theta: Fraction, more: int, distance: Fraction, alpha: Fraction
) -> None:
    """Below e at every alpha, and reached: at log(q)/L, or as alpha -> 0."""
    with precision(PRECISION):
        point = Point(theta, least_head_dim(theta) + 2 * more, distance)
        least = point.least_epsilon()
        assert not point.epsilon(alpha) < least
        steep = 2 * point.phase() * point.log / point.head_dim
        best = (steep.log() / point.log).max(ball(0))
        assert below("reached", abs(point.epsilon(best) - least), "1e-25").verdict is Verdict.CERTIFIED


def test_epsilon_is_that_of_the_paper() -> None:
    assert float(SMALL.epsilon(1)) == pytest.approx(1 + 4 * 3.141592653589793 * 2 / 20 / 12, rel=1e-14)


def test_practice_rows_of_lemma_c1() -> None:
    rows = list(c1.lem_c1_practice())
    assert {(r["base"], r["head_dim"]) for r in rows if not r["D > 4L"]} == {(2 * 10**8, 64), (4 * 10**9, 64)}
    for row in rows:
        for wave, value in (("cosine", "|C_D|"), ("sine", "|S_D|")):
            assert row[value] <= row[f"{wave} bound, repaired"] + ROUNDING
            assert row[f"{wave} bound, repaired"] < row[f"{wave} bound"]
        assert row["cosine bound"] > 0.5  # lem-C.1.empty at every size
        assert row["D for a cosine bound below 1/2"] > 54_000
    assert sum(row["cosine bound, repaired"] < 0.5 for row in rows) > 0.8 * len(rows)


def test_practice_rows_of_lemma_c2() -> None:
    rows = list(c2.lem_c2_practice())
    for row in rows:
        assert (
            row["lower bound, repaired"] - ROUNDING <= row["C_D"] <= row["upper bound, repaired"] + ROUNDING
        )
        if row["lower bound"] is not None:
            assert row["lower bound"] < row["lower bound, repaired"]
        admitted = 4 * row["distance"] / (1 if row["turns"] else 2 * 3.141592653589793) < row["base"]
        assert row["e_0 below 1 exists"] == admitted


def test_practice_rows_of_epsilon() -> None:
    for row in riemann.eq_26_rows():
        if row["D > 4L"]:
            point = Point(Fraction(1, row["base"]), row["head_dim"], Fraction(row["distance"]))
            assert row["least epsilon"] == pytest.approx(float(point.least_epsilon()), rel=8 * ROUNDING)


def test_the_waves_of_the_statements_are_the_integrals_that_they_are_printed_as() -> None:
    for wave in ("cos", "sin"):
        functions = (
            waves.term(wave, waves.c),
            waves.half_integral(wave, waves.c, waves.TENTH),
            waves.piece(waves.TENTH, waves.lam, wave),
        )
        for found in waves.as_integrals(*functions):
            assert found.verdict is Verdict.CERTIFIED, found.what
    swapped = waves.SineTerm(*waves.term().given)
    assert str(swapped.integral()) != str(waves.term().integral())
    closed = waves.by_primitives(waves.piece(1, 2))
    assert closed == sp.Ci(4 * sp.pi) - sp.Ci(2 * sp.pi)
