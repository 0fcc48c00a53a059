"""Speed and memory, the fast way and the naive way in one run: what `tapa bench` measures and records."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import flint
import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from analysis import assets
from analysis.encodings import Alibi, Encoding, Nope, Rope, SlidingWindow, Tapa, alibi_slopes
from analysis.experiments.plan import VARIANTS
from analysis.heads.mean_score import mean_score
from analysis.heads.phase import curves, factors, spread
from analysis.models import load as load_
from analysis.models.attention import TILE, Streaming
from analysis.models.llama import Llama
from analysis.models.load import fetch_smollm2
from analysis.records import Provenance, Schema, write_summary
from analysis.sampling.laws import Gaussian, assumption_2_1, rescaled
from analysis.sampling.monte_carlo import Method, estimate, trusted
from analysis.studies.distance_bias import Clock, measure
from analysis.text.windows import tokenized, windows
from analysis.theory.frequencies import plain
from analysis.theory.gaussian_law import GaussianLaw
from analysis.theory.rope import expected_score_curve
from analysis.theory.tapa import decompose, phase_rate, tapa_moments
from analysis.training.recipe import Recipe, load
from analysis.training.train import optimiser_of, update
from analysis.workers import peak_memory_mb, threads

# Training steps of TAPA against RoPE's, both compiled, in turns: a row for `tapa bench`.


TRAINING_METHODS = {
    "RoPE": VARIANTS["rope"].method,
    "TAPA": VARIANTS["tapa"].method,
}  # as the experiments train them
WARM_UP = 3  # steps before the clock: the first one compiles
LEAST = 0.8  # TAPA's tokens a second over RoPE's


def training_timings(recipe: Recipe | None = None, *, steps: int = 30, seed: int = 0) -> dict[str, Any]:
    """Tokens a second of recipe "cpu" with either method on random tokens; the same explicit attention in both.

    The two take turns, a step each, so that what else the machine does falls on both.

    Args:
        recipe: whose sizes, precision and threads are used; "cpu" if None.
        steps: that count, of each method.
        seed: of weights and tokens.
    """
    recipe = recipe or load("cpu")
    with threads(recipe.threads):
        turns = {
            name: _step(replace(recipe, model=replace(recipe.model, method=m)), seed)
            for name, m in TRAINING_METHODS.items()
        }
        times: dict[str, list[float]] = {name: [] for name in TRAINING_METHODS}
        for _ in range(WARM_UP + steps):
            for name, step in turns.items():
                begun = time.perf_counter()
                step()
                times[name].append(time.perf_counter() - begun)
    taken = {name: statistics.median(values[WARM_UP:]) for name, values in times.items()}
    tokens = recipe.batch * recipe.length
    ratio = taken["RoPE"] / taken["TAPA"]
    return {
        "what": f"training steps of {recipe.batch} x {recipe.length} tokens, TAPA against RoPE, {recipe.precision}",
        "tokens_per_second": {name: tokens / seconds for name, seconds in taken.items()},
        "ratio": ratio,
        "target": f"TAPA's tokens a second at least {LEAST} of RoPE's",
        "met": ratio >= LEAST,
    }


def _step(recipe: Recipe, seed: int) -> Callable[[], None]:
    """One step of the trainer: forward, backward, clipped update."""
    generator = torch.Generator().manual_seed(seed)
    shape = recipe.batch, recipe.length + 1
    tokens = torch.randint(recipe.model.vocab_size, shape, generator=generator)
    model = Llama(recipe.model, seed=seed)
    optimiser = optimiser_of(model, recipe)
    loss = torch.compile(model.loss, dynamic=False) if recipe.compile else model.loss

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            value = loss(tokens)
        value.backward()
        update(model, optimiser, recipe.lr)

    return step


# Draws that each way of sampling saves against plain Monte Carlo, time of the closed form: rows for `tapa
# bench`.


PHASES = (0.03, 0.1, 0.3)
DISTANCES = (1.0, 16.0, 1024.0, 65536.0)
MU = 0.2


def sampling_efficiency(
    samples: int = 2**17, *, phases: Sequence[float] = PHASES, seed: int = 0
) -> list[dict[str, Any]]:
    """Draws that plain Monte Carlo takes for one draw of each other method, at the same error of the mean.

    The standard case: TAPA as in the paper (alpha 0.1, half of 64 dimensions each), q and k of unit variance
    and mu_0 = 0.2 by correlation, so that there is a mean to find. Phases have 0.03 to 0.3 turns of standard
    deviation at distance 1; at 1, plain initialisation, the mean is below 1e-7 everywhere but at distance 0.
    Ratios are of squared standard errors times draws; distances whose error bar is not to be trusted are left
    out. Error of a ratio: 1 % against draws, a quarter against 32 scrambles.
    """
    encoding, rows = Tapa(64), []
    for phase in phases:
        law = rescaled(assumption_2_1(64, mu=MU), encoding.amplitude_dim, phase=phase)
        cost = {method: _cost(encoding, Gaussian(law), samples, method, seed) for method in get_args(Method)}
        found = {method: _ratios(cost["plain"], cost[method]) for method in get_args(Method)[1:]}
        least = {method: min(ratios.values(), default=None) for method, ratios in found.items()}
        met = max((ratio for ratio in least.values() if ratio is not None), default=0.0) >= 20
        rows += [
            {
                "what": f"draws for the mean of a TAPA score, plain over {method}, phase sd {phase:g} turns",
                "ratio": least[method],
                "by_distance": ratios,
                "target": "ratio >= 20 for the best method",
                "met": met,
            }
            for method, ratios in found.items()
        ]
    return rows


def closed_form_speed(
    distances: int = 10_000, phase_dims: int = 64, *, naive: int = 100, seed: int = 0
) -> dict[str, Any]:
    """Moments at many distances under a full covariance, by one eigendecomposition, against determinants.

    The naive side takes two determinants a distance, of I - 2 i u Sigma S (for E cos and its square), at `naive` of
    the distances; its seconds are scaled to all of them. `difference` is the largest of log |E exp(i u phi)|.
    """
    rng, size = np.random.default_rng(seed), 4 * phase_dims
    root = rng.standard_normal((size, size)) / np.sqrt(size)
    lags = np.geomspace(1, 2**20, distances)
    u, _ = phase_rate(lags, 0.1, 1.0, phase_dims)
    chosen = u[:: max(1, distances // naive)]
    fast, slow = [], []
    difference = np.inf
    for _ in range(3):
        begun = time.perf_counter()
        law = GaussianLaw(np.zeros(size), root @ root.T)
        tapa_moments(law, lags, alpha=0.1, amplitude_share=0.5)
        fast.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        logs = [_log_modulus(law, rate, phase_dims) for rate in np.concatenate([chosen, 2 * chosen])]
        slow.append((time.perf_counter() - begun) * distances / len(chosen))
        exact = np.real(decompose(law, phase_dims, "quadratic").tilted(chosen).log_factor)
        difference = float(np.abs(np.array(logs)[: len(chosen)] - exact).max())
    return {
        "what": f"TAPA's moments at {distances} distances, full covariance, n = {phase_dims}, against determinants",
        "fast_s": statistics.median(fast),
        "slow_s": statistics.median(slow),
        "ratio": statistics.median(slow) / statistics.median(fast),
        "difference": difference,
        "target": "fast_s <= 2 at 10,000 distances, n = 64",
        "met": statistics.median(fast) <= 2,
    }


def _log_modulus(law: GaussianLaw, rate: float, phase_dims: int) -> float:
    """log |det(I - 2 i u Sigma S)|^(-1/2) of the phase part of a centred law, with q_P.k_P = x^T S x."""
    head = law.head_dim
    kept = np.r_[head - phase_dims : head, 2 * head - phase_dims : 2 * head]
    form = np.kron([[0.0, 0.5], [0.5, 0.0]], np.eye(phase_dims))
    matrix = np.eye(2 * phase_dims) - 2j * rate * law.covariance[np.ix_(kept, kept)] @ form
    return -0.5 * float(np.linalg.slogdet(matrix)[1])


def _ratios(
    plain: Float64[np.ndarray, " distances"], own: Float64[np.ndarray, " distances"]
) -> dict[str, float]:
    """plain over own at each distance where both are to be trusted."""
    pairs = zip(DISTANCES, plain, own, strict=True)
    return {f"{d:g}": float(one / other) for d, one, other in pairs if np.isfinite(one / other)}


def _cost(
    encoding: Tapa, sampler: Gaussian, samples: int, method: Method, seed: int
) -> Float64[np.ndarray, " distances"]:
    """Draws times squared error of the mean; nan where the error bar is not to be trusted."""
    found = estimate(encoding, sampler, np.array(DISTANCES), samples, method=method, seed=seed)
    return np.where(trusted(found), samples * found["mean_se"].values ** 2, np.nan)


SCHEMA = Schema("bench", 2, made_by="tapa bench")
MOST_MB = 2.5e9 / 2**20  # of the whole process at 8192 tokens
Row = dict[str, Any]
Progress = Callable[[str, int, int], None]


def in_turns(jobs: Sequence[Callable[[], object]], repeats: int) -> list[list[float]]:
    """Wall-clock seconds of `repeats` calls of each job, after one call of each that is not counted.

    They take turns, so that what else the machine does falls on all of them.
    """
    for job in jobs:
        job()
    times: list[list[float]] = [[] for _ in jobs]
    for _ in range(repeats):
        for own, job in zip(times, jobs, strict=True):
            begun = time.perf_counter()
            job()
            own.append(time.perf_counter() - begun)
    return times


def seconds(job: Callable[[], object], repeats: int) -> list[float]:
    """Wall-clock seconds of `repeats` calls, after one call that is not counted."""
    return in_turns([job], repeats)[0]


def against(fast: list[float], slow: list[float]) -> dict[str, float]:
    """Median seconds of both sides and their ratio, with its extremes over all pairs of runs."""
    return {
        "fast_s": statistics.median(fast),
        "slow_s": statistics.median(slow),
        "ratio": statistics.median(slow) / statistics.median(fast),
        "ratio_min": min(slow) / max(fast),
        "ratio_max": max(slow) / min(fast),
    }


def _head(length: int, head_dim: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    q, k = (torch.randn(length, head_dim, generator=generator) for _ in range(2))
    return q, k


def diagonal_means(
    q: Float[Tensor, "length dim"], k: Float[Tensor, "length dim"]
) -> Float[Tensor, " length"]:
    """The naive way: the whole score matrix, then the mean of every diagonal."""
    scores = q @ k.T
    return torch.stack([scores.diagonal(-lag).mean() for lag in range(len(q))])


def lag_speed(length: int = 16_384, head_dim: int = 64, *, seed: int = 0) -> list[Row]:
    """Mean score at every distance of one head against QK^T with diagonal means, and against QK^T alone.

    Both sides start from unrotated float32 vectors; the naive side is given its rotation for free.
    """
    q, k = _head(length, head_dim, seed)
    frequencies = plain(1e4, head_dim)
    fast = seconds(lambda: mean_score(q, k, frequencies), 15)
    rows: list[Row] = []
    for name, slow, repeats, target in (
        ("diagonal means", lambda: diagonal_means(q, k), 2, 80),
        ("QK^T alone", lambda: q @ k.T, 3, 20),
    ):
        what = f"mean score by distance against {name}, length {length}, head_dim {head_dim}"
        sides = against(fast, seconds(slow, repeats))
        met = sides["ratio"] >= target
        rows.append({"what": what, **sides, "target": f"ratio >= {target}", "met": met})
    return rows


def lag_growth(
    lengths: tuple[int, ...] = (4096, 16_384, 65_536), head_dim: int = 64, *, seed: int = 0
) -> Row:
    """Growth exponent of the time (least of nine runs) with length, from the first to the last length."""
    frequencies = plain(1e4, head_dim)
    heads = [_head(length, head_dim, seed) for length in lengths]
    runs = in_turns([lambda q=q, k=k: mean_score(q, k, frequencies) for q, k in heads], 9)
    least = dict(zip(lengths, map(min, runs), strict=True))
    exponent = math.log(least[lengths[-1]] / least[lengths[0]]) / math.log(lengths[-1] / lengths[0])
    what = f"mean score by distance, growth exponent {lengths[0]} to {lengths[-1]} tokens"
    met = exponent < 1.2
    return {"what": what, "exponent": exponent, "seconds": least, "target": "exponent < 1.2", "met": met}


def ball_error(
    curve: Float[np.ndarray, " length"],
    omega: Float[np.ndarray, " pairs"],
    mu: Float[np.ndarray, " pairs"],
    nu: Float[np.ndarray, " pairs"],
    *,
    count: int = 100,
    seed: int = 0,
) -> float:
    """Largest error of a curve at random distances, by ball arithmetic, over sum |mu| + |nu|: an upper bound."""
    rng = np.random.default_rng(seed)
    worst, before = 0.0, flint.ctx.prec
    flint.ctx.prec = 128
    try:
        for distance in rng.integers(0, len(curve), count).tolist():
            exact = flint.arb(0)
            for turn, a, b in zip(omega.tolist(), mu.tolist(), nu.tolist(), strict=True):
                angle = distance * flint.arb(turn)  # a float is taken at its own value
                exact += flint.arb(a) * angle.cos() + flint.arb(b) * angle.sin()
            worst = max(worst, float(abs(exact - float(curve[distance])).upper()))
    finally:
        flint.ctx.prec = before
    return worst / float(np.abs(mu).sum() + np.abs(nu).sum())


def curve_speed(length: int = 2**20, pairs: int = 64) -> Row:
    """Expected score at every distance below `length` against a cosine and sine table by NumPy, in blocks."""
    rng = np.random.default_rng(0)
    omega = plain(1e4, 2 * pairs).omega
    mu, nu = rng.standard_normal((2, pairs))

    def table(block: int = 2**14) -> Float[np.ndarray, " length"]:
        out = np.empty(length)
        for start in range(0, length, block):
            angle = np.arange(start, min(start + block, length))[:, None] * omega
            out[start : start + block] = np.cos(angle) @ mu + np.sin(angle) @ nu
        return out

    sides = against(seconds(lambda: expected_score_curve(length, omega, mu, nu), 15), seconds(table, 3))
    curve = expected_score_curve(length, omega, mu, nu)
    budget = float(np.abs(mu).sum() + np.abs(nu).sum())
    error = ball_error(curve, omega, mu, nu)
    what = f"expected score at {length} distances x {pairs} pairs against a table of cosines and sines"
    return {
        "what": what,
        **sides,
        "difference": float(np.abs(curve - table()).max()) / budget,
        "error": error,
        "target": "ratio >= 100; error at 100 random distances, against balls, < 1e-9 of sum |mu| + |nu|",
        "met": sides["ratio"] >= 100 and error < 1e-9,
    }


def lag_memory(lengths: tuple[int, ...] = (65_536, 131_072, 262_144), head_dim: int = 64) -> Row:
    """Peak memory of the mean score, q and k included, from one length to the next: in multiples of q and k.

    The difference of two peaks is free of what the process held before, and the same at every step where memory
    is proportional to length; a length x length matrix would double it at each.
    """
    peaks, own = [], []
    for length in lengths:
        q, k = _head(length, head_dim, 0)
        gc.collect()
        mean_score(q, k, plain(1e4, head_dim))
        peaks.append(peak_memory_mb())
        own.append(2 * q.numel() * q.element_size() / 2**20)
        del q, k
    multiples = [(peaks[i + 1] - peaks[i]) / (own[i + 1] - own[i]) for i in range(len(lengths) - 1)]
    shown = ", ".join(map(str, lengths))
    return {
        "what": f"peak memory of the mean score at lengths {shown}, head_dim {head_dim}",
        "peak_mb": dict(zip(lengths, peaks, strict=True)),
        "times_q_and_k": multiples,
        "target": "O(length head_dim): the last multiple at most 1.2 times the first",
        "met": 0 < multiples[-1] <= 1.2 * multiples[0],
    }


def model_cost(count: int, length: int) -> Row:
    """Time in statistics over time in forward passes, all heads of SmolLM2, and this process's peak memory."""
    checkpoint = load_.load(fetch_smollm2())
    documents = tokenized(assets.fetch_texts(), lambda text: checkpoint.encode(text).tolist())
    chosen = windows(documents, length, count, seed=0)
    clock = Clock()
    measure(checkpoint, chosen.tokens, seed=0, clock=clock)
    ratio, peak = clock.statistics / clock.forward, peak_memory_mb()
    return {
        "what": f"SmolLM2, {count} windows of {length} tokens, all heads",
        "forward_s": clock.forward,
        "statistics_s": clock.statistics,
        "ratio": ratio,
        "peak_mb": peak,
        "target": f"statistics at most 1/4 of the forward passes; at 8192 tokens below {MOST_MB:.0f} MB in all",
        "met": ratio <= 0.25 and peak < MOST_MB,
    }


def attention_speed() -> list[Row]:
    """Attention by tiles against its two matrix products: `bench_attention.streaming_speed`."""

    return streaming_speed()


def phase_speed() -> list[Row]:
    """Curves of a TAPA head's phase: `bench_phase.phase_speed`."""

    return phase_curve_timings()


def training_speed() -> Row:
    """Training steps of TAPA against RoPE's: `bench_training.training_speed`."""

    return training_timings()


def run(*, with_model: bool, progress: Progress) -> list[Row]:
    """Every benchmark, memory first: a process's peak never falls again."""
    jobs: list[Callable[[], Row | list[Row]]] = [
        lag_memory,
        lag_speed,
        lag_growth,
        curve_speed,
        attention_speed,
        closed_form_speed,
        sampling_efficiency,
        phase_speed,
        training_speed,
    ]
    if with_model:
        jobs += [lambda: model_cost(8, 2048), lambda: model_cost(2, 8192)]
    rows: list[Row] = []
    for done, job_ in enumerate(jobs):
        progress("benchmarks", done, len(jobs))
        found = job_()
        rows += found if isinstance(found, list) else [found]
    progress("benchmarks", len(jobs), len(jobs))
    return rows


def write(rows: list[Row], path: Path, arguments: list[str], taken: float) -> None:
    """The record of a run that took `taken` seconds: the rows with threads, versions and time."""
    provenance = Provenance.collect(
        arguments,
        {"rows": [row["what"] for row in rows]},
        seeds={"inputs": 0},
        device="cpu",
        precision="as each row says",
        threads=torch.get_num_threads(),
        seconds=taken,
    )
    write_summary({"rows": rows}, path, provenance, schema=SCHEMA, digits=4)


def as_text(rows: list[Row]) -> str:
    """The rows for a reader."""
    lines = []
    for row in rows:
        lines.append(row["what"])
        shown = {k: v for k, v in row.items() if k not in ("what", "target", "met")}
        lines.append("    " + ", ".join(f"{name} {_shown(value)}" for name, value in shown.items()))
        lines.append(f"    target {'met' if row['met'] else 'MISSED'}: {row['target']}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# Attention by tiles against the two matrix products that it cannot do without: rows for `tapa bench`.


ATTENTION_METHODS = ("RoPE", "TAPA", "ALiBi", "NoPE")


def encoding_of(method: str, heads: int, head_dim: int) -> Encoding:
    """An encoding by the name that the rows use."""
    makers: dict[str, Callable[[], Encoding]] = {
        "RoPE": lambda: Rope(plain(1e4, head_dim)),
        "TAPA": lambda: Tapa(head_dim),
        "ALiBi": lambda: Alibi(head_dim, alibi_slopes(heads)),
        "NoPE": lambda: Nope(head_dim),
        "window": lambda: SlidingWindow(Rope(plain(1e4, head_dim)), 1024),
    }
    return makers[method]()


def two_products(q: Tensor, k: Tensor, v: Tensor, tile: int) -> Tensor:
    """Q K^T and (Q K^T) V over the same tiles at and below the diagonal, and nothing else."""
    out = q.new_empty(*q.shape[:3], v.shape[-1])
    for start in range(0, q.shape[2], tile):
        queries = q[:, :, start : start + tile]
        out[:, :, start : start + tile] = sum(
            (queries @ k[:, :, at : at + tile].mT) @ v[:, :, at : at + tile]
            for at in range(0, start + 1, tile)
        )
    return out


@torch.no_grad()
def streaming_speed(
    length: int = 16_384,
    tile: int = TILE,
    heads: int = 4,
    head_dim: int = 64,
    *,
    methods: Sequence[str] = ATTENTION_METHODS,
    repeats: int = 7,
    compiled: bool = True,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Attention of each method by tiles, compiled, in units of the two matrix products; both in one run."""
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(1, heads, length, head_dim, generator=generator) for _ in range(3))
    positions, rows = torch.arange(length), []
    for method in methods:
        attend, encoding = Streaming(tile, compiled=compiled), encoding_of(method, heads, head_dim)
        products, whole = in_turns(
            [lambda: two_products(q, k, v, tile), lambda a=attend, e=encoding: a(e, q, k, v, positions)],
            repeats,
        )
        what = (
            f"{method} by tiles against its two matrix products, length {length}, {heads} heads of {head_dim}"
        )
        sides, peak = against(products, whole), peak_memory_mb()
        rows.append(
            {
                "what": what,
                **sides,
                "peak_mb": peak,
                "target": "ratio <= 2 (fast: the products alone), below 4096 MB",
                "met": sides["ratio"] <= 2 and peak < 4096,
            }
        )
    return rows


# What the curves of a TAPA head's phase cost beside what they cannot do without.


def phase_curve_timings(
    length: int = 4096, head_dim: int = 64, *, tile: int = 256, heads: int = 8
) -> list[Row]:
    """A TAPA head's curves by distance, against the products and the cosine that they cannot do without.

    The other side is both matrix products and one cosine a pair, tile by tile, and keeps nothing. One thread each.
    """
    q, k = torch.randn(2, 1, length, head_dim, generator=torch.Generator().manual_seed(0))
    head = factors(Tapa(head_dim), 0.5 * q, k)[0]
    room = torch.empty(2, tile, tile)

    def bare() -> None:
        for rows in torch.arange(length).split(tile):
            for keys in torch.arange(int(rows[-1]) + 1).split(tile):
                m, n = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(keys[0]), int(keys[-1]) + 1)
                into = room[:, : len(rows), : len(keys)]
                torch.mm(head.a[m], head.b[n].T, out=into[0])
                torch.mm(head.x[m], head.y[n].T, out=into[1])
                into[1].cos_()

    with threads(1):
        sides = against(*in_turns([bare, lambda: curves(head)], 15))
        whole = statistics.median(seconds(lambda: (curves(head), spread(head)), 3)) * heads
    what = f"phase by distance of one head against two products and a cosine, length {length}"
    every = f"curves and spread of the phase, {heads} heads, length {length}"
    return [
        {"what": what, **sides, "target": "ratio <= 1.6", "met": sides["ratio"] <= 1.6},
        {"what": every, "seconds": whole, "target": "at most 60 s", "met": whole <= 60},
    ]
