"""Planted errors, counted by kind over the whole ledger, and those that no module's own test plants.

The modules' tests plant errors in the formula that a check judges. Here errors go into what every check rests on: the
sums, the balls, the comparisons, the hypotheses; and a table holds that each kind the ledger must catch is planted.
"""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import zip_longest
from typing import Any

import pytest
import sympy as sp
from flint import arb

from analysis.evidence import Evidence, Verdict
from proofs import balls, checks, exact, integrals
from proofs.checks import search, termwise
from proofs.gaussian_tokens import counterexample
from proofs.ledger import Ledger, LedgerError, load
from proofs.letters import MU
from proofs.paper import (
    appendix_b,
    appendix_c_bounds,
    section_2_score,
    theorem_2_1,
    theorem_2_2,
    theorem_3_3,
)
from proofs.paper.classical_lemmas import u
from proofs.statements import Statement, tex
from proofs.verify import Result, gather, gather_needed, verify
from tests.test_agreement import disagreements

PAPER = "tests.proofs.paper"
ROPE, LEMMAS, TAPA = f"{PAPER}.test_section_2", f"{PAPER}.test_lemmas", f"{PAPER}.test_section_3"

# kind: errors of that kind in the modules' own tests, each by its name in that test's PLANTED
KINDS: dict[str, tuple[tuple[str, str], ...]] = {
    "a flipped sign": (
        (ROPE, "flipped sign of B_d"),
        (ROPE, "key turned the wrong way"),
        (ROPE, "interpolation the wrong way"),
        (LEMMAS, "Si = pi/2 - f cos + g sin, sign flipped"),
        (LEMMAS, "kappa with its sign flipped"),
        (LEMMAS, "eq 72 with 1 + e0"),
        (TAPA, "Hessian with a flipped sign"),
    ),
    "a dropped factor": (
        (ROPE, "2 pi lost on one side"),
        (ROPE, "a factor 1/2 in the moment bound"),
        (ROPE, "sgn(mu_0) dropped"),
        (LEMMAS, "a hump's area without its factor 2"),
        (LEMMAS, "eq 51 with half of its second term"),
        (LEMMAS, "eq 49 with L for L^2"),
        (TAPA, "footnote 2 without its 1/2"),
        (TAPA, "x^T J x without its 1/2"),
    ),
    "a constant tightened below the truth": (
        (ROPE, "dip of Ci tightened below the truth"),
        (ROPE, "far constant below the truth"),
        (ROPE, "63 for 64"),
        (LEMMAS, "eq 45 below the Lipschitz constant"),
        (LEMMAS, "eq 48 with 2/5 for 1/2"),
        (LEMMAS, "eq 69 with 3/2 for 2"),
        (LEMMAS, "eq 71* with 0.2807"),
        (TAPA, "weights with a constant below the truth"),
        (TAPA, "best constant tightened by 1 in 1000"),
    ),
    "a hypothesis removed": (
        (ROPE, "base 10^4 taken for independent"),
        (ROPE, "degree one too small"),
        (ROPE, "strict sign at equality"),
        (LEMMAS, "emptiness claimed for smaller lambda"),
    ),
    "sin for cos": (
        (ROPE, "sin for cos"),
        (LEMMAS, "eq 46 with cos for sin"),
        (LEMMAS, "eq 52 with Si for Ci"),
        (LEMMAS, "eq 65 with the ends of eq 56"),
    ),
    "an off-by-one in a sum's range": (
        (ROPE, "range of Z one too long"),
        (ROPE, "range of Z one too short"),
        (ROPE, "geometric sum one term longer"),
        (LEMMAS, "eq 42 as printed, one term too many"),
        (LEMMAS, "eq 42 with one term too few"),
        (LEMMAS, "eq 47's count, without its + 1"),
        (TAPA, "flops: an addition too many"),
        (TAPA, "linear phase with too few ones"),
        (TAPA, "Jacobian with one power too many"),
    ),
}


def test_every_kind_is_planted_often_enough() -> None:
    named = [place for places in KINDS.values() for place in places]
    for module, name in named:
        assert name in importlib.import_module(module).PLANTED, (module, name)
    assert len(set(named)) == len(named) >= 25
    for kind, places in KINDS.items():
        assert {module for module, _ in places} >= {ROPE, LEMMAS}, kind


# Errors in the ledger's own modules: the registered check of a claim comes to another verdict -------------


class LesserSine(theorem_2_2.Convention):
    """The lesser of the two far bounds, where the greater is due."""

    def far_sine(self) -> arb:
        above, under = balls.ball(self.high) - arb.pi() / 2, arb.pi() / 2 - balls.ball(self.low)
        return (under if above > under else above) + 1 / (checks.scale(self.turns) * theorem_2_2.EDGE)


def cut(certify: Callable[..., Any]) -> Callable[..., Any]:
    """A subdivision that begins a little later than it is asked to."""
    return lambda f, df, lo, hi, **given: certify(f, df, balls.ball(lo) + balls.ball("1/50"), hi, **given)


# name: module of proofs, what is replaced in it, by what (from the original), the node whose check must change
MUTATIONS: dict[str, tuple[str, str, Callable[[Any], Any], str]] = {
    "B_d with its sign flipped": ("paper.section_2_score", "B", lambda b: -b, "eq-4"),
    "A_d without its second product": (
        "paper.section_2_score",
        "A",
        lambda a: section_2_score.Q0 * section_2_score.K0,
        "eq-3*",
    ),
    "r without nu": ("paper.appendix_b", "RADIUS", lambda r: appendix_b.MU, "eq-21*"),
    "one pair more in the steered sum": (
        "paper.theorem_2_1",
        "steering_error",
        lambda f: lambda lost: f(lost) + 2 / theorem_2_1.DIM * theorem_2_1.V,
        "thm-2.1",
    ),
    "degree of base^(2/(D-2))": (
        "paper.theorem_2_1",
        "factored_degree",
        lambda f: lambda base, head_dim: f(base, head_dim - 2),
        "thm-2.1.degree",
    ),
    "chains one longer": (
        "paper.theorem_2_1",
        "Power",
        lambda cls: lambda base, head_dim: cls(base * 10, head_dim),
        "thm-2.1.reach",
    ),
    "Ci's dip above the truth": (
        "paper.theorem_2_2",
        "TURNS",
        lambda c: replace(c, dip="0.0895"),
        "thm-2.2.ci",
    ),
    "Si's peak below the truth": (
        "paper.theorem_2_2",
        "RADIANS",
        lambda c: replace(c, high="1.851"),
        "thm-2.2.ci",
    ),
    "angles in radians taken for turns": (
        "paper.theorem_2_2",
        "scale",
        lambda f: lambda turns: f(True),
        "thm-2.2.limit",
    ),
    "min for max in the far sine": (
        "paper.theorem_2_2",
        "TURNS",
        lambda c: LesserSine(c.turns, c.dip, c.low, c.high),
        "thm-2.2.limit",
    ),
    "the domain of e^x <= x + e^(x^2) cut": ("paper.appendix_a", "certify_positive", cut, "eq-20*"),
    "the domain of Ci and Si cut": ("paper.theorem_2_2", "certify_positive", cut, "thm-2.2.ci"),
    "the domain of an attack in boxes cut": ("subdivision", "certify_positive", cut, "eq-69*, attack"),
    "kappa larger than it is": (
        "paper.classical_lemmas",
        "KAPPA",
        lambda k: k + sp.exp(-u) / 2,
        "lem-riemann.kappa",
    ),
    "a base below 4096": ("paper.theorem_2_2", "EDGE", lambda edge: 10, "thm-2.2.limit"),
    "a periodic example that is none": (
        "paper.theorem_2_2",
        "ROOT",
        lambda root: Fraction(3, 4),
        "thm-2.2.uniform",
    ),
    "the far sine helps": (
        "paper.theorem_2_2_constants",
        "far_edge",
        lambda f: lambda c: f(c) - 1,
        "thm-2.2.causal, attack",
    ),
    "Chernoff's rate doubled": ("paper.appendix_a", "RATE", lambda rate: 2 * rate, "eq-20*"),
    "coins of 2": (
        "paper.appendix_a",
        "coin_tokens",
        lambda f: lambda: f(2),
        "rem-A",
    ),
    "kappa's sign flipped": (
        "paper.classical_lemmas",
        "KAPPA",
        lambda k: 1 / (1 - sp.exp(-u)) + 1 / u,
        "lem-riemann.kappa",
    ),
    "sin for cos in the lemma's waves": (
        "checks",
        "WAVES",
        lambda waves: {"cos": waves["sin"], "sin": waves["cos"]},
        "eq-42*, attack",
    ),
    "D > 4 L removed": (
        "paper.appendix_e_error",
        "STEEP",
        lambda steep: sp.Symbol("u", positive=True),
        "eq-47.a",
    ),
    "1/2 + u/12 for kappa doubled": (
        "paper.appendix_e_error",
        "SLOW_KAPPA",
        lambda bound: 2 * bound,
        "eq-51*",
    ),
    "the period's first end one off": (
        "paper.appendix_e_cos",
        "BEGIN",
        lambda begin: {k: e + 1 for k, e in begin.items()},
        "eq-57",
    ),
    "the last period one too many": (
        "paper.appendix_e_cos",
        "cosine_cut",
        lambda f: lambda p: f(p) + 1,
        "eq-53, attack",
    ),
    "radians for turns in a half period": (
        "paper.appendix_e_cos",
        "TURN",
        lambda turn: sp.Integer(1),
        "eq-57",
    ),
    "sin for cos in the score": (
        "paper.section_3_score",
        "eq_9_score",
        lambda f: lambda *x: f(*x).replace(sp.cos, sp.sin),
        "eq-13",
    ),
    "M without its root": (
        "paper.section_3_score",
        "matrices",
        lambda f: lambda d, a: tuple(m**2 for m in f(d, a)),
        "eq-13",
    ),
    "J with -1 below": (
        "gaussian_tokens",
        "off_diagonal",
        lambda f: (
            lambda block: sp.BlockMatrix(
                [[sp.ZeroMatrix(*block.shape), block], [-block.T, sp.ZeroMatrix(*block.shape)]]
            )
        ),
        "eq-10",
    ),
    "Gaussian integral without its factor": (
        "gaussian_tokens",
        "gaussian_integral",
        lambda f: lambda exponent, x: (sp.Integer(1), f(exponent, x)[1]),
        "thm-3.2.gaussian",
    ),
    "pi for 2 pi in the phase": (
        "paper.theorem_3_2",
        "one_pair",
        lambda f: lambda s, *means: f(s / 2, *means),
        "thm-3.2.kernel",
    ),
    "a law of the other sign": (
        "paper.theorem_3_3",
        "twisted",
        lambda f: lambda r, sign=-1: f(r, -sign),
        "eq-15",
    ),
    "a law that does not meet Assumption 2.1": (
        "paper.theorem_3_3",
        "fixed_tokens",
        lambda f: (
            lambda head, share: counterexample(
                theorem_3_3.finite_law_assumption([((1, 1), (1, 2))]), *f(head, share)
            )
        ),
        "thm-3.3",
    ),
    "a cosine that costs nothing": (
        "paper.section_3_remarks",
        "tapa_operations",
        lambda f: lambda *x, **named: Counter({**f(*x, **named), "cosine": 0}),
        "rem-3.flops*",
    ),
    "the far end of the phase's range": (
        "paper.section_3_remarks",
        "lost_mean",
        lambda f: lambda u, reach=16: f(u, 20),
        "rem-3.eliminates*",
    ),
    "Ci of twice the angle": ("paper.appendix_f", "ci", lambda f: lambda x: f(2 * x), "eq-71*"),
    "a dip of Ci beyond the truth": (
        "paper.appendix_d",
        "TURNS",
        lambda c: replace(c, dip="0.2"),
        "eq-37*",
    ),
    "the doubled cosine subtracted": (
        "paper.appendix_h",
        "second_moment",
        lambda f: lambda square, doubled: f(square, -doubled),
        "eq-82*",
    ),
    "100 near distances for 101": ("paper.appendix_i", "NEAR", lambda near: range(100), "fig-1.zero"),
    "a fine-tuning step half as long": (
        "paper.section_4",
        "FINE_TUNING",
        lambda protocol: (500, 128, 16_384),
        "rem-4.tokens*",
    ),
}


def sound_verdicts(node: str, results: list[Result]) -> list[Verdict]:
    """Verdict of every fact that the check (or attack) of a node has yielded, before anything was changed."""
    name, _, attack = node.partition(", ")
    (result,) = (result for result in results if result.label == name.removesuffix("*"))
    outcome = result.as_repaired if name.endswith("*") else result.as_stated
    assert outcome is not None
    return [item.verdict for item in (outcome.attack if attack else outcome.evidence)]


def mutated_verdicts(node: str, sound: list[Verdict]) -> list[Verdict]:
    """The same, run now as under `verify`, as far as the first fact that comes to another verdict."""
    ledger = load()
    name, _, attack = node.partition(", ")
    check = (ledger.attacks if attack else ledger.nodes())[name].check

    def until_different() -> Iterator[Evidence]:
        for item, expected in zip_longest(check(), sound):
            if item is None:
                return
            yield item
            if item.verdict is not expected:
                return

    with balls.precision(balls.PRECISION):
        return [item.verdict for item in gather(node, until_different)]


@pytest.mark.parametrize("error", MUTATIONS)
def test_an_error_in_the_ledger_changes_what_a_claim_comes_to(
    error: str, monkeypatch: pytest.MonkeyPatch, whole_ledger: list[Result]
) -> None:
    name, attribute, mutate, node = MUTATIONS[error]
    before = sound_verdicts(node, whole_ledger)
    original = getattr(importlib.import_module(f"proofs.{name}"), attribute)
    mutated = mutate(original)
    for module in [found for key, found in sys.modules.items() if key.startswith("proofs.")]:
        if getattr(module, attribute, None) is original:  # wherever it was imported to
            monkeypatch.setattr(module, attribute, mutated)
    try:
        after = mutated_verdicts(node, before)
    except LedgerError:  # the check cannot be run any more, which fails the ledger as a whole
        return
    assert after != before


def test_mutations_reach_every_part_of_the_paper() -> None:
    ledger = load()
    parts = {ledger.claims[node.partition(", ")[0].removesuffix("*")].part for *_, node in MUTATIONS.values()}
    assert parts >= {"Section 2", "Section 3", "Section 4", *(f"Appendix {x}" for x in "ABCDEFGHI")}
    assert len(MUTATIONS) >= 25


# Errors in the sums that everything rests on: the other witness sees them --------------------------------


def exact_sums(base: float, head_dim: int, turns: bool) -> integrals.RopeSums:
    return integrals.RopeSums.of(head_dim, base=balls.dyadic(base), turns=turns)


class Planted(integrals.RopeSums):
    """Sums with one error; the class says which."""

    @classmethod
    def sums(cls, base: float, head_dim: int, turns: bool) -> integrals.RopeSums:
        true = exact_sums(base, head_dim, turns)
        return cls(true.head_dim, true.omega, true.inverse_base)


class FlippedSign(Planted):
    def sin(self, distance: balls.Real) -> arb:
        return -super().sin(distance)


class FactorDropped(Planted):
    def cos(self, distance: balls.Real) -> arb:
        return 2 * super().cos(distance)


class SinForCos(Planted):
    def cos(self, distance: balls.Real) -> arb:
        return super().sin(distance)


class OnePairShort(Planted):
    @classmethod
    def sums(cls, base: float, head_dim: int, turns: bool) -> integrals.RopeSums:
        true = exact_sums(base, head_dim, turns)
        return cls(true.head_dim, true.omega[:-1], true.inverse_base)


class OneTurnLong(Planted):
    """theta_d for d = 1 .. D/2 in place of 0 .. D/2 - 1."""

    @classmethod
    def sums(cls, base: float, head_dim: int, turns: bool) -> integrals.RopeSums:
        true = exact_sums(base, head_dim, turns)
        step = (true.inverse_base.log() * 2 / head_dim).exp()
        return cls(true.head_dim, tuple(w * step for w in true.omega), true.inverse_base)


class Radians(Planted):
    @classmethod
    def sums(cls, base: float, head_dim: int, turns: bool) -> integrals.RopeSums:
        return super().sums(base, head_dim, False)


class RoundedBase(Planted):
    """The base rounded to a single-precision float: an error of 6e-8."""

    @classmethod
    def sums(cls, base: float, head_dim: int, turns: bool) -> integrals.RopeSums:
        true = exact_sums(base * (1 + 2.0**-24), head_dim, turns)
        return cls(true.head_dim, true.omega, true.inverse_base)


@pytest.mark.parametrize(
    "error", [FlippedSign, FactorDropped, SinForCos, OnePairShort, OneTurnLong, Radians, RoundedBase]
)
def test_an_error_in_the_sums_is_seen_by_the_other_witness(error: type[Planted]) -> None:
    with balls.precision(160):
        assert disagreements(True, Planted.sums, cases=6) == []
        assert disagreements(True, error.sums, cases=6) != []


# A ball replaced by its midpoint, a comparison negated: claim and attack contradict each other ------------

LO, HI, BOUND = Fraction(1), Fraction(12), Fraction(-9, 100)  # Ci falls to -0.198 at 3 pi/2, not at 6.5


def honest(width: arb) -> Evidence:
    return balls.below("Ci > -0.09 on [1, 12]", balls.ball(BOUND), integrals.ci(width))


def by_midpoint(width: arb) -> Evidence:
    """The middle of the interval stands for all of it."""
    return balls.below("Ci > -0.09 on [1, 12]", balls.ball(BOUND), integrals.ci(arb(width.mid())))


def negated(width: arb) -> Evidence:
    """`not (Ci <= bound)`: true for balls that overlap, which decide nothing."""
    found = integrals.ci(width)
    assert not (found <= balls.ball(BOUND))
    return Evidence(
        "Ci > -0.09 on [1, 12]",
        balls.verdict(not (found <= balls.ball(BOUND))),
        computed=balls.text(found),
        predicted=f"> {float(BOUND)}",
        radius=balls.radius(found),
        precision="128 bit ball",
    )


def ledger_of(judge: Callable[[arb], Evidence]) -> Ledger:
    """One claim, judged on the whole interval, and an attack that tries points of it."""
    ledger = Ledger()

    @ledger.claim("lem-x", where="App. E", kind="lemma", says="Ci > -0.09 on [1, 12]")
    def check() -> Iterator[Evidence]:
        yield judge(balls.hull(LO, HI))

    @ledger.attack("lem-x", domain="111 points of [1, 12]")
    def attack() -> Iterator[Evidence]:
        tried = (Fraction(10 + i, 10) for i in range(111))
        cases = ((str(x), integrals.ci(balls.ball(x)) - balls.ball(BOUND)) for x in tried)
        yield search("Ci + 0.09", cases, control="0.01")

    return ledger


@pytest.mark.parametrize("judge", [by_midpoint, negated])
def test_an_interval_judged_by_less_than_all_of_it_contradicts_its_attack(
    judge: Callable[[arb], Evidence],
) -> None:
    with pytest.raises(
        LedgerError, match=r"^lem-x: certified by its check, yet its attack found a counterexample"
    ):
        verify(workers=0, loader=lambda: ledger_of(judge))


def test_the_same_interval_judged_as_a_ball_is_undecided_and_what_its_attack_finds_is_an_error() -> None:
    with balls.precision(128):
        assert honest(balls.hull(LO, HI)).verdict is Verdict.UNKNOWN
    with pytest.raises(LedgerError, match=r"^lem-x: unknown by its check, yet its attack found"):
        verify(workers=0, loader=lambda: ledger_of(honest))


def test_evidence_that_shows_a_ball_but_calls_itself_exact_is_refused() -> None:
    def hidden(width: arb) -> Evidence:
        return Evidence("Ci on [1, 12]", Verdict.PROVED, computed=balls.text(integrals.ci(width)))

    with pytest.raises(LedgerError, match=r"^lem-x: 'Ci on \[1, 12\]' shows a ball, so its precision"):
        verify(workers=0, loader=lambda: ledger_of(hidden))


# A hypothesis removed --------------------------------------------------------------------------------------


def verdicts(found: Iterator[Evidence]) -> set[Verdict]:
    with balls.precision(128):
        return {item.verdict for item in found}


SOUND = {Verdict.PROVED, Verdict.CERTIFIED}
NEEDED = [(node, need.hypothesis) for node, needs in load().needs.items() for need in needs]


def of_others(statement: Statement, hypothesis: str) -> Statement:
    """The same without each relation that is printed so."""

    def kept(relations: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(one for one in relations if f"${tex(one)}$" != hypothesis)

    conclusions = tuple(replace(one, when=kept(one.when)) for one in statement.conclusions)
    return replace(statement, given=kept(statement.given), conclusions=conclusions)


@pytest.mark.parametrize(("node", "hypothesis"), NEEDED)
def test_a_hypothesis_that_is_needed_cannot_be_deleted(
    node: str, hypothesis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = load()
    with balls.precision(balls.PRECISION):
        assert hypothesis in [what for what, _ in gather_needed(node, ledger)]
    form = ledger.nodes()[node]
    statement = form.statement
    if statement is not None and hypothesis in statement.hypotheses:
        statement = of_others(statement, hypothesis)
    without = replace(
        form, assumes=tuple(item for item in form.assumes if item != hypothesis), statement=statement
    )
    monkeypatch.setattr(ledger, "nodes", lambda: {node: without})
    with pytest.raises(LedgerError, match=r"is necessary, and is not assumed"):
        gather_needed(node, ledger)


def test_the_independence_of_theorem_2_1_is_needed() -> None:
    assert ("thm-2.1", theorem_2_1.INDEPENDENT) in NEEDED


def test_a_hypothesis_without_which_nothing_is_refuted_is_not_called_needed() -> None:
    ledger = ledger_of(honest)
    ledger.claims["lem-x"] = replace(
        ledger.claims["lem-x"], stated=replace(ledger.claims["lem-x"].stated, assumes=("x > 0",))
    )

    @ledger.necessary("lem-x", hypothesis="x > 0")
    def without() -> Iterator[Evidence]:
        yield Evidence("x = 0", Verdict.PROVED, computed=0)

    with pytest.raises(LedgerError, match=r"^lem-x: nothing refutes it without 'x > 0'"):
        verify(workers=0, loader=lambda: ledger)


UNSOUND: dict[str, Callable[[Any], Any]] = {
    "logarithms expanded whatever the signs": lambda e: sp.expand_log(e, force=True),
    "powers of powers whatever the signs": lambda e: sp.powdenest(e, force=True),
    "logarithms combined whatever the signs": lambda e: sp.logcombine(e, force=True),
    "symbols taken for positive": lambda e: sp.simplify(sp.posify(e)[0]),
    "inverses taken for inverses everywhere": lambda e: sp.simplify(e, inverse=True),
    "the first terms of a series for the whole": lambda e: (
        sp.series(e, n=1).removeO() if e.has(sp.sin) else e
    ),
}


@pytest.mark.parametrize("rule", UNSOUND)
def test_an_unsound_rewriting_proves_nothing(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules in use take none of the false identities for 0; an unsound one fails what rests on it."""
    rules = [one for chain in exact.REWRITES for one in chain]
    assert [exact.unsound(one) for one in rules] == [None] * len(rules)
    assert exact.unsound(UNSOUND[rule]) is not None
    for chain in ((UNSOUND[rule],), (lambda e: e, UNSOUND[rule])):
        monkeypatch.setattr(exact, "REWRITES", (chain,))
        with pytest.raises(ArithmeticError, match=r"a rewriting gives 0 for .*, which is not 0"):
            exact.is_zero(exact.unsound(UNSOUND[rule]))


LEAST = sp.Rational(1, 2) - u / 2 - u / 12  # 1 - u/2 - (1/2 + u/12) of eq-47.a


def test_a_bound_without_its_hypothesis_is_refuted_and_with_it_proved() -> None:
    v = sp.Symbol("v", positive=True)
    assert termwise("D > 4 L: u < 1/2", LEAST.subs(u, 1 / (2 + v))).verdict is Verdict.PROVED
    assert termwise("any D", LEAST).verdict is Verdict.REFUTED


def test_the_cosine_bound_needs_its_near_range() -> None:
    """(28) at best: lim C_D > 3/8 - 0.22/L where lambda < b^(1/4)/8, and not at lambda = b."""
    assert verdicts(iter([appendix_c_bounds.near_cosine("3/8", "0.22")])) <= SOUND
    with balls.precision(128):
        base = balls.ball(10**30)
        bound = balls.ball("3/8") - balls.ball("0.22") / base.log()
        for distance, holds in (("3000000", True), (base, False)):
            assert balls.less(bound, integrals.cos_limit(distance, base=base)) is holds


def test_theorem_2_2_needs_its_threshold() -> None:
    """L > 1.03 + 3.66 |rho| is enough, a threshold without its slope is not."""
    of = theorem_2_2.TURNS, sp.Abs(MU) / 8, theorem_2_2.LIMIT.target(1)
    assert verdicts(theorem_2_2.enough(*of, "1.03", "3.66")) <= SOUND
    assert verdicts(theorem_2_2.enough(*of, "1.03", "0")) & {Verdict.REFUTED, Verdict.UNKNOWN}
    assert verdicts(iter([theorem_2_2.below_eighth(10, "1.03", "0")])) == {Verdict.CERTIFIED}
