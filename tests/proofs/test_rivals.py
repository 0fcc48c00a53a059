"""Statements of neighbouring papers: what is known from notes is never refuted, and the page is today's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from analysis.cli.main import app
from analysis.errors import InputError
from analysis.evidence import Evidence, Verdict
from figures.findings.page import sections
from proofs.balls import PRECISION, precision
from proofs.integrals import RopeSums
from proofs.ledger import Known, Ledger, LedgerError, load
from proofs.rivals import (
    BESIDE,
    NEIGHBOURS,
    base_bounds,
    dropped,
    far_mass,
    labels_of,
    load_neighbours,
    long_contexts,
    stable_rank,
    unjudged,
)
from proofs.rivals.page import RIVALS_PATH, rivals_markdown
from proofs.rivals.settings import DEPLOYED, first_negative, least_dimension
from proofs.statements import tightened
from proofs.verify import Result, gather, verify

GOOD = (Verdict.PROVED, Verdict.CERTIFIED)


@pytest.fixture(scope="module")
def neighbours() -> list[Result]:
    return verify(labels_of("all"), 0, loader=load_neighbours)


@pytest.fixture(autouse=True)
def ledger_precision() -> Iterator[None]:
    with precision(PRECISION):
        yield


def test_the_page_is_what_would_be_written_today(neighbours: list[Result]) -> None:
    assert RIVALS_PATH.read_text(encoding="utf-8") == rivals_markdown(neighbours), (
        "tapa verify --paper all --write"
    )


def test_v1s_ledger_is_untouched_by_its_neighbours() -> None:
    both = load_neighbours()
    both.order()
    assert list(both.claims)[: len(load().claims)] == list(load().claims)
    assert set(both.claims) - set(load().claims) == set(labels_of("all"))
    for label, claim in BESIDE.claims.items():
        assert claim.part in NEIGHBOURS
        assert label in NEIGHBOURS[claim.part].labels
        attacked = {label, f"{label}*"} & BESIDE.attacks.keys()
        assert attacked or not claim.known.worded, label


def test_what_is_known_from_notes_is_not_refuted(neighbours: list[Result]) -> None:
    """Nor is it silently unknown: its own evidence is against it, and the reason says so."""
    found = {result.label: result for result in neighbours}
    for result in neighbours:
        assert result.claim.known.worded or result.stated is not Verdict.REFUTED
    inverted = found["du-1"].as_stated
    assert (inverted.own, inverted.verdict) == (Verdict.REFUTED, Verdict.UNKNOWN)
    assert "notes alone" in inverted.reason
    for label in ("tapa-3.cpt", "tapa-3.ppl", "tapa-3.retrieval"):
        assert found[label].stated is Verdict.UNKNOWN
    assert found["men-table"].stated is found["drope-freq"].stated is Verdict.REFUTED


@pytest.mark.parametrize("known", Known)
def test_only_a_statement_whose_words_we_have_is_refuted(known: Known) -> None:
    ledger = Ledger()

    @ledger.claim("x-1", where="Theorem 1", paper="x", known=known, kind="theorem", says="false")
    def check() -> Iterator[Evidence]:
        yield Evidence("1 < 0", Verdict.REFUTED, computed=1)

    (result,) = verify(["x-1"], 0, loader=lambda: ledger)
    assert result.stated is (Verdict.REFUTED if known.worded else Verdict.UNKNOWN)
    if known.worded:
        with pytest.raises(LedgerError, match="no attack"):
            ledger.check()


@pytest.mark.parametrize("change", [what for what, _ in tightened(far_mass.FAR_MASS)])
def test_a_smaller_bound_of_the_near_mass_is_not_proved(change: str) -> None:
    statement = dict(tightened(far_mass.FAR_MASS))[change]
    judge = BESIDE.claims["god-lower.0"].stated.judge
    assert judge is not None
    # a false step among true ones: neither a proof nor a counterexample
    with pytest.raises(LedgerError, match="refutes nothing, proved"):
        gather("god-lower.0", lambda: judge(statement))


def test_near_mass_of_real_softmax_keeps_to_its_bound() -> None:
    """An independent witness in floats: random scores within R, and the extreme ones, which attain it."""
    rng = np.random.default_rng(0)
    for near, far, reach in product((1, 7), (1, 50, 4000), (0.5, 3.0)):
        bound = 1 / (1 + far / near * np.exp(-2 * reach))
        for scores in (
            rng.uniform(-reach, reach, near + far),
            np.r_[np.full(near, reach), np.full(far, -reach)],
        ):
            weights = np.exp(scores)
            assert weights[:near].sum() / weights.sum() <= bound * (1 + 1e-12)


def rope_sums(base: float, length: int) -> np.ndarray:
    omega = base ** (-2 * np.arange(64) / 128)
    return np.concatenate(
        [np.cos(np.outer(m, omega)).sum(axis=1) for m in np.array_split(np.arange(length), 8)]
    )


@pytest.mark.parametrize(("length", "base"), base_bounds.SERVING)
def test_bases_that_serve_do_so_in_floats_too(length: int, base: int) -> None:
    assert rope_sums(base, length).min() > 0


@pytest.mark.parametrize(("length", "base", "distance"), base_bounds.FAILING[:3])
def test_printed_bases_fail_in_floats_too(length: int, base: int, distance: int) -> None:
    sums = rope_sums(base, length)
    assert sums[distance] < -0.1
    assert sums.argmin() == distance


@pytest.mark.parametrize("base", [1000, 10_000])
def test_inversions_are_counted_as_in_floats(base: int) -> None:
    sums = rope_sums(base, 1024)
    counted = (sums[512:, None] > sums[None, :512]).mean()
    assert abs(float(long_contexts.inversion_share(base, 1024, 128).mid()) - counted) < 1e-5


PLANTED = {
    "a base that does not serve": lambda: iter([base_bounds.serves(27_000, 4096)]),
    "a base that serves a longer length than it does": lambda: iter([base_bounds.serves(26_960, 8192)]),
    "five slow frequencies at another size": lambda: iter(
        [
            Evidence(
                "5",
                Verdict.REFUTED if dropped.slow_frequencies(10_000, 64, 32_000) < 5 else Verdict.PROVED,
                0,
            )
        ]
    ),
}


@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_error_is_not_held(error: str) -> None:
    assert {item.verdict for item in PLANTED[error]()} & {Verdict.REFUTED, Verdict.UNKNOWN}


def test_expected_scores_differ_where_means_do() -> None:
    s, phi = base_bounds.S, base_bounds.A
    assert (
        sp.simplify(base_bounds.expected_difference(base_bounds.M, base_bounds.M) - 2 * s**2 * sp.cos(phi))
        == 0
    )
    assert (
        sp.simplify(base_bounds.expected_difference(base_bounds.MQ, base_bounds.MK) - 2 * s**2 * sp.cos(phi))
        != 0
    )


def test_rotated_rank_one_keys_fall_as_said() -> None:
    """Singular values of 20,000 rotated copies of one vector, by NumPy."""
    rng = np.random.default_rng(1)
    v, omega, n = rng.normal(size=(4, 2)), np.array([1.0, 0.31, 0.077, 0.0123]), 20_000
    angle = np.outer(np.arange(n), omega)
    turned = np.stack(
        [v[:, 0] * np.cos(angle) - v[:, 1] * np.sin(angle), v[:, 0] * np.sin(angle) + v[:, 1] * np.cos(angle)]
    )
    keys = turned.transpose(1, 2, 0).reshape(n, 8)
    factor = n * (v**2).sum() / np.linalg.norm(keys, 2) ** 2
    assert factor == pytest.approx((v**2).sum() / ((v**2).sum(axis=1).max() / 2), rel=0.02)
    assert 2 <= factor <= 8
    assert stable_rank.PAPER in NEIGHBOURS


@pytest.mark.parametrize("model", DEPLOYED, ids=lambda model: model.name)
def test_the_first_negative_sum_is_that_of_floats(model) -> None:
    omega = model.base ** (-2.0 * np.arange(model.head_dim // 2) / model.head_dim)
    sums = np.cos(np.outer(np.arange(model.length), omega)).sum(axis=1)
    below = np.flatnonzero(sums < 0)
    assert first_negative(model) == (int(below[0]) if len(below) else None)
    assert least_dimension(model) > model.base  # theorem 2.2* never speaks of these


def test_findings_that_bear_on_v3_exist() -> None:
    labels = {finding.label for found in sections().values() for finding in found}
    for label in labels_of("tapa-v3"):
        named = set(
            re.findall(r"(?:difference|equal-loss|retrieval)-[a-z0-9-]+", BESIDE.claims[label].stated.outline)
        )
        assert named
        assert named <= labels


def test_an_unknown_paper_is_one_line() -> None:
    with pytest.raises(InputError, match="no neighbouring paper is called 'su'; one of du-2026, "):
        labels_of("su")
    assert unjudged("why").verdict is Verdict.UNKNOWN


def test_the_command_shows_one_paper_and_explains_one_claim() -> None:
    runner = CliRunner()
    shown = runner.invoke(app, ["verify", "--paper", "drope-2025"])
    assert shown.exit_code == 0
    assert "drope-freq" in shown.output
    assert "du-1" not in shown.output
    explained = runner.invoke(app, ["verify", "--paper", "godavarti-2026", "--explain", "god-lower.0"])
    assert "N_{far}" in explained.output
    strange = runner.invoke(app, ["verify", "--paper", "drope-2025", "eq-8"])
    assert isinstance(strange.exception, InputError)


def _softmax_rows(scores: np.ndarray) -> np.ndarray:
    """Causal attention weights, row by row."""
    rows = [np.exp(row[: i + 1] - row[: i + 1].max()) for i, row in enumerate(scores)]
    return np.array([np.pad(row / row.sum(), (0, len(scores) - len(row))) for row in rows])


def _norm(matrix: np.ndarray) -> float:
    return float(np.linalg.norm(matrix, 2))


def _prefix_spread(states: np.ndarray) -> float:
    means = np.cumsum(states, axis=0) / np.arange(1, len(states) + 1)[:, None]
    return max(np.linalg.norm(states[: i + 1] - mean, axis=1).max() for i, mean in enumerate(means))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    length=st.integers(2, 60),
    size=st.sampled_from([1e-3, 0.1, 1.0, 3.0]),
    step=st.sampled_from([1e-6, 1e-2, 1.0]),
)
def test_an_untrained_layer_without_positions_keeps_to_the_bounds_of_the_proof(
    seed: int, length: int, size: float, step: float
) -> None:
    """Random heads in floats, c the worst there is: bias, gradient and spread are within what drope-1 proves."""
    rng, d = np.random.default_rng(seed), 3
    token = rng.normal(size=d)
    states = size * (token / np.linalg.norm(token) + step * rng.normal(size=(length, d)))
    query, key, out = (rng.normal(size=(d, d)) for _ in range(3))
    reach, spread = np.linalg.norm(states, axis=1).max(), _prefix_spread(states)
    bound = _norm(query @ key.T) / np.sqrt(d)
    alpha = _softmax_rows(states @ query @ key.T @ states.T / np.sqrt(d))
    uniform = np.tril(np.ones((length, length))) / np.arange(1, length + 1)[:, None]
    delta = bound * reach * spread
    slack = 1 + 1e-9
    assert np.abs(alpha - uniform).sum(axis=1).max() <= np.expm1(min(2 * delta, 600.0)) * slack + 1e-12
    signs = np.where(rng.random((length, length)) < 0.5, -1.0, 1.0) * np.tril(np.ones((length, length)))
    c = np.tril(signs - signs.sum(axis=1, keepdims=True) / np.arange(1, length + 1)[:, None])
    assert np.abs(c.sum(axis=1)).max() < 1e-12 * length
    largest = np.abs(c).max()
    growth = np.exp(min(4 * bound * reach**2, 600.0))
    assert abs((c * alpha).sum()) / length <= largest * 2 * delta * growth * slack + 1e-12
    after = states + alpha @ states @ out
    most = (1 + 2 * _norm(out) * np.exp(min(2 * delta, 600.0))) * spread
    assert _prefix_spread(after) <= most * slack + 1e-12
    gradient = np.zeros((d, d))
    for i, state in enumerate(states):
        row, seen = alpha[i, : i + 1], states[: i + 1]
        gradient += np.outer(state, ((c[i, : i + 1] * row)[:, None] * (seen - row @ seen)).sum(axis=0) @ key)
    gradient /= np.sqrt(d) * length
    assert np.linalg.norm(gradient) <= 2 * largest * reach * _norm(key) * spread * slack + 1e-12


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    pairs=st.integers(1, 4),
    base=st.sampled_from([1.5, 100.0, 1e4, 1e8]),
    scale=st.sampled_from([0.1, 1.0, 5.0]),
)
def test_a_rotated_head_on_one_token_has_a_bias_and_a_gradient(
    seed: int, pairs: int, base: float, scale: float
) -> None:
    """Query and key rotated by matrices, not by the proof's waves; the derivative along W_Q by differences."""
    rng, d = np.random.default_rng(seed), 2 * pairs
    query, key = scale * rng.normal(size=d), rng.normal(size=d)
    omega = base ** (-2 * np.arange(pairs) / d)

    def turned(vector: np.ndarray, position: int) -> np.ndarray:
        z = (vector[0::2] + 1j * vector[1::2]) * np.exp(1j * omega * position)
        return np.stack([z.real, z.imag], axis=1).ravel()

    keys = np.array([turned(key, j) for j in range(d + 1)])

    def weights(t: float) -> np.ndarray:
        scores = keys @ turned(t * query, d) / np.sqrt(d)
        shares = np.exp(scores - scores.max())
        return shares / shares.sum()

    alpha, scores = weights(1.0), keys @ turned(query, d) / np.sqrt(d)
    c = alpha * (scores - alpha @ scores)
    assert abs(c.sum()) < 1e-12
    assert c @ alpha > 0
    h = 1e-5
    slope = (c @ weights(1 + h) - c @ weights(1 - h)) / (2 * h)
    assert slope == pytest.approx(c @ c, rel=1e-4, abs=1e-10)


@settings(max_examples=30, deadline=None)
@given(pairs=st.integers(1, 4), base=st.sampled_from([1.5, 3.0, 10.0]))
def test_with_as_many_tokens_as_dimensions_a_head_may_have_no_bias(pairs: int, base: float) -> None:
    """T = d_k: amplitudes exist for which all scores of every row are one number. So T > d_k cannot be lowered."""
    d = 2 * pairs
    angles = np.outer(np.arange(d), base ** (-2 * np.arange(pairs) / d))
    waves = np.hstack([np.cos(angles), np.sin(angles), -np.ones((d, 1))])
    null = np.linalg.svd(waves)[2][-1]  # d equations in d + 1 numbers
    assert np.abs(waves @ null).max() < 1e-12
    assert np.abs(null[:d]).max() > 1e-3
    assert np.ptp(waves[:, :d] @ null[:d]) < 1e-12


def test_scores_that_are_all_one_number_are_found_by_the_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    def still(head_dim: int, **_: object) -> RopeSums:
        return RopeSums(head_dim, (arb(0),) * (head_dim // 2), arb("1/2"))

    monkeypatch.setattr(dropped.RopeSums, "of", still)
    bias, slope = gather("drope-rope", dropped.drope_rope_attack)
    assert bias.verdict is not Verdict.SUPPORTED
    assert slope.verdict is not Verdict.SUPPORTED
