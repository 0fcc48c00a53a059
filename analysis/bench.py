"""Speed and memory, the fast way and the naive way in one run: what `tapa bench` measures and records.

`BENCHMARKS` at the end is the table of all. Each gives rows of one form: what was measured, its numbers, the target and
whether it is met. Both sides of a comparison take turns. What is measured is imported where it is measured: a list of
names is refused before torch is there.
"""

from __future__ import annotations

import gc
import itertools
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import Float, Float64

from analysis.errors import InputError
from analysis.progress import NotedProgress, silent
from analysis.settings import nearest

SCHEMA = ("bench", 2, "tapa bench")
MOST_MB = 2.5e9 / 2**20  # of the whole process at 8192 tokens
WARM_UP = 3  # training steps before the clock: the first one compiles
LEAST = 0.8  # TAPA's tokens a second over RoPE's
PHASES = (0.03, 0.1, 0.3)
DISTANCES = (1.0, 16.0, 1024.0, 65536.0)
MU = 0.2
ATTENTION_METHODS = ("RoPE", "TAPA", "ALiBi", "NoPE")
EXPLAINED = ("eq-26", "thm-3.2", "thm-2.2")
REFUSED = (
    ("curve", "--head-dim", "7"),
    ("measure", "x", "--windows", "1"),
    ("formula", "x", "--documents", "1"),
    ("evaluate", "x", "--protocol", "slide"),
    ("phase", "x", "--windows", "1"),
    ("phase-dynamics", "nosuch"),
    ("phase-seeds", "x", "--windows", "1"),
    ("position", "x", "--windows", "1"),
    ("bias", "x", "--windows", "1"),
    ("score-variance", "x", "--seed", "-1"),
    ("train", "cpu", "lr=-1"),
    ("sweep", "tabel2"),
    ("results", "tabel2"),
    ("verify", "thm-9"),
    ("findings", "nosuch"),
    ("figures", "nosuch"),
    ("bench", "nosuch"),
    ("fetch", "nosuch"),
    ("gate", "nosuch"),
    ("doctor", "nosuch"),
    ("report", "nosuch"),
    ("plot", "nosuch.nc", *("--head", "0.0") * 7),
    ("compare", "nosuch.nc", "nosuch.nc"),
    ("export", "nosuch.nc", "--to", "csv"),
    ("convert", "nosuch", "--to", "tapa", "--out", "new"),
    ("finetune", "x", "--to", "tapa", "--tokens", "0", "--out", "new"),
    ("recovery", "x", "--tokens", "0"),
    ("site", "--out", "/dev/null"),
)
"""A command line that each command refuses."""

Row = dict[str, Any]
Heads = Float[Any, "batch heads length dim"]


def in_turns(jobs: Sequence[Callable[[], object]], repeats: int, uncounted: int = 1) -> list[list[float]]:
    """Wall-clock seconds of `repeats` calls of each job, after `uncounted` ones, in which code is loaded or compiled.

    They take turns, so that what else the machine does falls on all of them.
    """
    times: list[list[float]] = [[] for _ in jobs]
    for _ in range(uncounted + repeats):
        for own, job in zip(times, jobs, strict=True):
            begun = time.perf_counter()
            job()
            own.append(time.perf_counter() - begun)
    return [own[uncounted:] for own in times]


def compared(fast: Callable[[], object], slow: Callable[[], object], repeats: int = 3) -> dict[str, float]:
    """Both ways in turns, the fast one five times a turn: a few calls of milliseconds have no steady median."""
    *often, rare = in_turns([fast] * 5 + [slow], repeats)
    return against([seconds for own in often for seconds in own], rare)


def against(fast: list[float], slow: list[float]) -> dict[str, float]:
    """Median seconds of both sides and their ratio, with its extremes over all pairs of runs."""
    return {
        "fast_s": statistics.median(fast),
        "slow_s": statistics.median(slow),
        "ratio": statistics.median(slow) / statistics.median(fast),
        "ratio_min": min(slow) / max(fast),
        "ratio_max": max(slow) / min(fast),
    }


# The mean score by distance, from vectors and in closed form.


def _head(length: int, head_dim: int, seed: int) -> tuple[Float[Any, "length dim"], Float[Any, "length dim"]]:
    """Queries and keys of one head, standard normal float32."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    q, k = (torch.randn(length, head_dim, generator=generator) for _ in range(2))
    return q, k


def diagonal_means(q: Float[Any, "length dim"], k: Float[Any, "length dim"]) -> Float[Any, " length"]:
    """The naive way: the whole score matrix, then the mean of every diagonal."""
    import torch

    scores = q @ k.T
    return torch.stack([scores.diagonal(-lag).mean() for lag in range(len(q))])


def mean_score_memory(lengths: tuple[int, ...] = (65_536, 131_072, 262_144), head_dim: int = 64) -> list[Row]:
    """Peak memory of the mean score, q and k included, from one length to the next: in multiples of q and k.

    The difference of two peaks is free of what the process held before, and the same at every step where memory
    is proportional to length; a length x length matrix would double it at each.
    """
    from analysis.heads.mean_score import mean_score
    from analysis.theory.frequencies import plain
    from analysis.workers import peak_memory_mb

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
    row = {
        "what": f"peak memory of the mean score at lengths {shown}, head_dim {head_dim}",
        "peak_mb": dict(zip(lengths, peaks, strict=True)),
        "times_q_and_k": multiples,
        "target": "O(length head_dim): the last multiple at most 1.2 times the first",
        "met": 0 < multiples[-1] <= 1.2 * multiples[0],
    }
    return [row]


def mean_score_speed(length: int = 16_384, head_dim: int = 64, *, seed: int = 0) -> list[Row]:
    """Mean score at every distance of one head against QK^T with diagonal means, and against QK^T alone.

    Both sides start from unrotated float32 vectors; the naive side is given its rotation for free.
    """
    from analysis.heads.mean_score import mean_score
    from analysis.theory.frequencies import plain

    q, k = _head(length, head_dim, seed)
    frequencies = plain(1e4, head_dim)
    rows: list[Row] = []
    for name, slow, target in (
        ("diagonal means", lambda: diagonal_means(q, k), 80),
        ("QK^T alone", lambda: q @ k.T, 20),
    ):
        what = f"mean score by distance against {name}, length {length}, head_dim {head_dim}"
        sides = compared(lambda: mean_score(q, k, frequencies), slow)
        met = sides["ratio"] >= target
        rows.append({"what": what, **sides, "target": f"ratio >= {target}", "met": met})
    return rows


def mean_score_growth(
    lengths: tuple[int, ...] = (4096, 16_384, 65_536), head_dim: int = 64, *, seed: int = 0
) -> list[Row]:
    """Growth exponent of the time (least of nine runs) with length, from the first to the last length."""
    from analysis.heads.mean_score import mean_score
    from analysis.theory.frequencies import plain

    frequencies = plain(1e4, head_dim)
    heads = [_head(length, head_dim, seed) for length in lengths]
    runs = in_turns([lambda q=q, k=k: mean_score(q, k, frequencies) for q, k in heads], 9)
    least = dict(zip(lengths, map(min, runs), strict=True))
    exponent = math.log(least[lengths[-1]] / least[lengths[0]]) / math.log(lengths[-1] / lengths[0])
    what = f"mean score by distance, growth exponent {lengths[0]} to {lengths[-1]} tokens"
    met = exponent < 1.2
    return [{"what": what, "exponent": exponent, "seconds": least, "target": "exponent < 1.2", "met": met}]


def expected_score_speed(length: int = 2**20, pairs: int = 64) -> list[Row]:
    """Expected score at every distance below `length` against a cosine and sine table by NumPy, in blocks."""
    from analysis.theory import rope
    from analysis.theory.frequencies import plain

    rng = np.random.default_rng(0)
    omega = plain(1e4, 2 * pairs).omega
    mu, nu = rng.standard_normal((2, pairs))

    def table(block: int = 2**14) -> Float[np.ndarray, " length"]:
        out = np.empty(length)
        for start in range(0, length, block):
            angle = np.arange(start, min(start + block, length))[:, None] * omega
            out[start : start + block] = np.cos(angle) @ mu + np.sin(angle) @ nu
        return out

    sides = compared(lambda: rope.expected_score_curve(length, omega, mu, nu), table)
    curve = rope.expected_score_curve(length, omega, mu, nu)
    budget = float(np.abs(mu).sum() + np.abs(nu).sum())
    error = ball_error(curve, omega, mu, nu)
    what = f"expected score at {length} distances x {pairs} pairs against a table of cosines and sines"
    row = {
        "what": what,
        **sides,
        "difference": float(np.abs(curve - table()).max()) / budget,
        "error": error,
        "target": "ratio >= 100; error at 100 random distances, against balls, < 1e-9 of sum |mu| + |nu|",
        "met": sides["ratio"] >= 100 and error < 1e-9,
    }
    return [row]


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
    import flint

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


# Attention by tiles, the curves of TAPA's phase, and training steps.


def attention_speed(
    length: int = 16_384,
    tile: int | None = None,
    heads: int = 4,
    head_dim: int = 64,
    *,
    methods: Sequence[str] = ATTENTION_METHODS,
    repeats: int = 7,
    compiled: bool = True,
    seed: int = 0,
) -> list[Row]:
    """Attention of each method by tiles, compiled, in units of the two matrix products; both in one run."""
    import torch

    from analysis.attention_jobs import encoding_named, two_products
    from analysis.models.attention import TILE, Streaming
    from analysis.workers import peak_memory_mb

    tile = TILE if tile is None else tile
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(1, heads, length, head_dim, generator=generator) for _ in range(3))
    positions, rows = torch.arange(length), []
    for method in methods:
        attend, encoding = Streaming(tile, compiled=compiled), encoding_named(method, heads, head_dim)

        def by_tiles(attend: Streaming = attend, encoding: Any = encoding) -> None:
            with torch.no_grad():
                attend(encoding, q, k, v, positions)

        products, whole = in_turns([lambda: two_products(q, k, v, tile), by_tiles], repeats)
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


MOST_FLASH = {1024: 1.2, 4096: 1.3}  # of flash attention's time on the CPU, by length
MOST_FLASH_GPU = {"forward": 1.6, "forward and backward": 1.8}


def fused_attention_speed(
    lengths: Sequence[int] = tuple(MOST_FLASH),
    heads: int = 8,
    head_dim: int = 64,
    *,
    methods: Sequence[str] = ("TAPA", "RoPE", "ALiBi"),
    repeats: int = 25,
    seed: int = 0,
) -> list[Row]:
    """Attention in one loop against torch's own causal flash attention, which knows no position; float32, one thread.

    `error` is the largest difference from float64 at 32 queries.
    """
    from analysis.attention_jobs import cpu_jobs, machine_name
    from analysis.models import one_loop
    from analysis.workers import threads

    way = "by tiles" if one_loop.available() is None else "in one loop"
    rows: list[Row] = []
    for length, method in itertools.product(lengths, methods):
        most = MOST_FLASH.get(length, max(MOST_FLASH.values()))
        *jobs, error_of = cpu_jobs(method, length, heads, head_dim, seed)
        with threads(1):
            sides = against(*in_turns(jobs, repeats))
        error = error_of()
        rows.append(
            {
                "what": f"{method} {way} against flash attention, length {length}, {heads} heads of {head_dim}",
                **sides,
                "error": error,
                "machine": machine_name(),
                "target": f"ratio <= {most} (fast: flash attention), error <= 1e-5",
                "met": sides["ratio"] <= most and error <= 1e-5,
            }
        )
    return rows


def gpu_attention_speed(
    length: int = 8192, heads: int = 16, head_dim: int = 128, *, repeats: int = 25, seed: int = 0
) -> list[Row]:
    """TAPA in Triton against torch's causal flash attention in bfloat16, forward, and with backward, on one GPU.

    Raises:
        InputError: there is no GPU.
    """
    from analysis.attention_jobs import gpu_jobs, machine_name

    rows: list[Row] = []
    for part, most in MOST_FLASH_GPU.items():
        jobs = gpu_jobs(length, heads, head_dim, backward=part != "forward", seed=seed)
        sides = against(*in_turns(jobs, repeats, WARM_UP))
        shape = f"length {length}, {heads} heads of {head_dim}"
        rows.append(
            {
                "what": f"TAPA on the GPU against flash attention, {part}, {shape}",
                **sides,
                "machine": machine_name(),
                "target": f"ratio <= {most} (fast: flash attention), on one H100",
                "met": sides["ratio"] <= most,
            }
        )
    return rows


def phase_curves_speed(
    length: int = 4096, head_dim: int = 64, *, tile: int = 256, heads: int = 8
) -> list[Row]:
    """A TAPA head's curves by distance, against the products and the cosine that they cannot do without.

    The other side is both matrix products and one cosine a pair, tile by tile, and keeps nothing. One thread each. The
    curves take their cosines and sums in the compiled loop where there is one.
    """
    import torch

    from analysis.encodings import Tapa
    from analysis.heads.phase import curves, factors, spread
    from analysis.workers import threads

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
        (whole,) = in_turns([lambda: (curves(head), spread(head))], 3)
    taken = statistics.median(whole) * heads
    what = f"phase by distance of one head against two products and a cosine, length {length}"
    every = f"curves and spread of the phase, {heads} heads, length {length}"
    return [
        {"what": what, **sides, "target": "ratio <= 1.2", "met": sides["ratio"] <= 1.2},
        {"what": every, "seconds": taken, "target": "at most 60 s", "met": taken <= 60},
    ]


def training_speed(recipe: Any = None, *, steps: int = 30, seed: int = 0) -> list[Row]:
    """Tokens a second of recipe "cpu" with either method on random tokens; the same explicit attention in both.

    The two take turns, a step each, so that what else the machine does falls on both.

    Args:
        recipe: whose sizes, precision and threads are used; "cpu" if None.
        steps: that count, of each method.
        seed: of weights and tokens.
    """
    from analysis.attention_jobs import training_step
    from analysis.training import recipe as recipes
    from analysis.training.variants import VARIANTS
    from analysis.workers import threads

    recipe = recipe or recipes.load_recipe("cpu", ["precision=float32"])
    methods = {
        "RoPE": VARIANTS["rope"].method,
        "TAPA": VARIANTS["tapa"].method,
    }  # as the experiments train them
    with threads(recipe.threads):
        turns = {
            name: training_step(replace(recipe, model=replace(recipe.model, method=m)), seed)
            for name, m in methods.items()
        }
        runs = in_turns(list(turns.values()), steps, WARM_UP)
    taken = dict(zip(turns, map(statistics.median, runs), strict=True))
    tokens = recipe.batch * recipe.length
    ratio = taken["RoPE"] / taken["TAPA"]
    row = {
        "what": f"training steps of {recipe.batch} x {recipe.length} tokens, TAPA against RoPE, {recipe.precision}",
        "tokens_per_second": {name: tokens / seconds for name, seconds in taken.items()},
        "ratio": ratio,
        "target": f"TAPA's tokens a second at least {LEAST} of RoPE's",
        "met": ratio >= LEAST,
    }
    return [row]


def fused_training_speed(
    recipe: Any = None, lengths: Sequence[int] = (128, 512, 1024, 2048), *, repeats: int = 5
) -> list[Row]:
    """Training steps of recipe "cpu" with TAPA through the operator against all scores at once; equal tokens a step.

    From `train.FUSED_FROM` tokens on `tapa train` takes the operator.
    """
    from analysis.attention_jobs import training_step
    from analysis.models.attention import explicit
    from analysis.models.fused import Fused
    from analysis.training import recipe as recipes
    from analysis.training.train import FUSED_FROM
    from analysis.training.variants import VARIANTS
    from analysis.workers import threads

    recipe = recipe or recipes.load_recipe("cpu", ["precision=float32"])
    tokens, rows = recipe.batch * recipe.length, []
    for length in lengths:
        model = replace(recipe.model, context=length, method=VARIANTS["tapa"].method)
        recipe = replace(recipe, model=model, batch=max(1, tokens // length))
        with threads(1):
            jobs = [training_step(recipe, 0, attend) for attend in (Fused(), explicit)]
            sides = against(*in_turns(jobs, repeats, WARM_UP))
        used = length >= FUSED_FROM
        target = f"ratio {'>' if used else '<'} 1 (fast: the operator), as it is {'' if used else 'not '}used there"
        what = f"training steps of {recipe.batch} x {length} tokens, TAPA through the operator"
        rows.append({"what": what, **sides, "target": target, "met": (sides["ratio"] > 1) == used})
    return rows


# TAPA's moments in closed form, and draws that each way of sampling saves against plain Monte Carlo.


def tapa_moments_speed(
    distances: int = 10_000, phase_dims: int = 64, *, naive: int = 100, seed: int = 0
) -> list[Row]:
    """Moments at many distances under a full covariance, by one eigendecomposition, against determinants.

    The naive side takes two determinants a distance, of I - 2 i u Sigma S (for E cos and its square), at `naive` of
    the distances; its seconds are scaled to all of them. `difference` is the largest of log |E exp(i u phi)|.
    """
    from analysis.theory.gaussian_law import GaussianLaw
    from analysis.theory.tapa import decompose, phase_rate, tapa_moments

    rng, size = np.random.default_rng(seed), 4 * phase_dims
    root = rng.standard_normal((size, size)) / np.sqrt(size)
    lags = np.geomspace(1, 2**20, distances)
    u, _ = phase_rate(lags, 0.1, 1.0, phase_dims)
    chosen = u[:: max(1, distances // naive)]
    law = GaussianLaw(np.zeros(size), root @ root.T)
    logs = np.empty(2 * len(chosen))

    def closed_form() -> None:
        tapa_moments(GaussianLaw(np.zeros(size), root @ root.T), lags, alpha=0.1, amplitude_share=0.5)

    def determinants() -> None:
        logs[:] = [_log_modulus(law, rate, phase_dims) for rate in np.concatenate([chosen, 2 * chosen])]

    fast, slow = in_turns([closed_form, determinants], 3)
    sides = against(fast, [seconds * distances / len(chosen) for seconds in slow])
    exact = np.real(decompose(law, phase_dims, "quadratic").tilted(chosen).log_factor)
    difference = float(np.abs(logs[: len(chosen)] - exact).max())
    row = {
        "what": f"TAPA's moments at {distances} distances, full covariance, n = {phase_dims}, against determinants",
        **sides,
        "difference": difference,
        "target": "fast_s <= 2 at 10,000 distances, n = 64",
        "met": sides["fast_s"] <= 2,
    }
    return [row]


def _log_modulus(law: Any, rate: float, phase_dims: int) -> float:
    """log |det(I - 2 i u Sigma S)|^(-1/2) of the phase part of a centred law, with q_P.k_P = x^T S x."""
    head = law.head_dim
    kept = np.r_[head - phase_dims : head, 2 * head - phase_dims : 2 * head]
    form = np.kron([[0.0, 0.5], [0.5, 0.0]], np.eye(phase_dims))
    matrix = np.eye(2 * phase_dims) - 2j * rate * law.covariance[np.ix_(kept, kept)] @ form
    return -0.5 * float(np.linalg.slogdet(matrix)[1])


def sampling_efficiency(
    samples: int = 2**17, *, phases: Sequence[float] = PHASES, seed: int = 0
) -> list[Row]:
    """Draws that plain Monte Carlo takes for one draw of each other method, at the same error of the mean.

    The standard case: TAPA as in the paper (alpha 0.1, half of 64 dimensions each), q and k of unit variance
    and mu_0 = 0.2 by correlation, so that there is a mean to find. Phases have 0.03 to 0.3 turns of standard
    deviation at distance 1; at 1, plain initialisation, the mean is below 1e-7 everywhere but at distance 0.
    Ratios are of squared standard errors times draws; distances whose error bar is not to be trusted are left
    out. Error of a ratio: 1 % against draws, a quarter against 32 scrambles.
    """
    from analysis.encodings import Tapa
    from analysis.sampling.laws import Gaussian, assumption_2_1, rescaled
    from analysis.sampling.monte_carlo import Method

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


def _ratios(
    plain: Float64[np.ndarray, " distances"], own: Float64[np.ndarray, " distances"]
) -> dict[str, float]:
    """plain over own at each distance where both are to be trusted."""
    pairs = zip(DISTANCES, plain, own, strict=True)
    return {f"{d:g}": float(one / other) for d, one, other in pairs if np.isfinite(one / other)}


def _cost(
    encoding: Any, sampler: Any, samples: int, method: Any, seed: int
) -> Float64[np.ndarray, " distances"]:
    """Draws times squared error of the mean; nan where the error bar is not to be trusted."""
    from analysis.sampling.monte_carlo import estimate, trusted

    found = estimate(encoding, sampler, np.array(DISTANCES), samples, method=method, seed=seed)
    return np.where(trusted(found), samples * found["mean_se"].values ** 2, np.nan)


# The real model, and the command line.


def model_cost(count: int, length: int) -> list[Row]:
    """Time in statistics over time in forward passes, all heads of SmolLM2, and this process's peak memory."""
    from analysis.models.load import SMOLLM2, open_model
    from analysis.studies.distance_bias import Clock, measure
    from analysis.workers import peak_memory_mb

    model = open_model(SMOLLM2)
    chosen = model.windows(model.documents((), silent), length, count, seed=0)
    clock = Clock()
    measure(model, chosen.tokens, seed=0, clock=clock)
    ratio, peak = clock.statistics / clock.forward, peak_memory_mb()
    row = {
        "what": f"SmolLM2, {count} windows of {length} tokens, all heads",
        "forward_s": clock.forward,
        "statistics_s": clock.statistics,
        "ratio": ratio,
        "peak_mb": peak,
        "target": f"statistics at most 1/4 of the forward passes; at 8192 tokens below {MOST_MB:.0f} MB in all",
        "met": ratio <= 0.25 and peak < MOST_MB,
    }
    return [row]


def layerwise_memory(windows: int = 4, length: int = 512, name: str = "smollm2") -> list[Row]:
    """Peak memory and time of measuring SmolLM2 layer by layer, beside the whole model's."""
    from analysis.layer_jobs import peak_rows

    return peak_rows(windows, length, name=name, most=0.55, most_time=1.05)


def large_model_memory(layers: int = 4, windows: int = 2, length: int = 512, **sizes: int) -> list[Row]:
    """Peak memory of measuring layers of an 8B model's sizes."""
    from analysis.layer_jobs import LLAMA_8B, large_rows

    return large_rows(layers, windows, length, sizes=LLAMA_8B | sizes, most=3.0)


def start_up(repeats: int = 5) -> list[Row]:
    """Time of `tapa --help`, of refusals of an argument, and of one claim of the ledger, beside the interpreter's own.

    Each is a process of its own. CPU time is the process's, so that a busy machine does not lengthen it.
    """
    import resource

    claims = [("verify", "--explain", label, "--fresh") for label in EXPLAINED]
    commands = {f"tapa {' '.join(line)}": line for line in (("--help",), *REFUSED, *claims)}
    bare = [sys.executable, "-c", "pass"]
    lines = {"python": bare} | {
        what: [sys.executable, "-m", "analysis.cli", *line] for what, line in commands.items()
    }
    spent: dict[str, list[float]] = {what: [] for what in lines}

    def job(what: str) -> None:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(lines[what], capture_output=True, check=False)
        if done.returncode != (2 if commands.get(what) in REFUSED else 0):
            raise RuntimeError(f"{what} ended with {done.returncode}: {done.stderr.decode()}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent[what].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    runs = in_turns([lambda what=what: job(what) for what in lines], repeats)
    wall = dict(zip(lines, map(statistics.median, runs), strict=True))
    rows = []
    for what, line in commands.items():
        most = 0.3 if line == ("--help",) else 1.0 if line in REFUSED else 3.0
        cpu = statistics.median(spent[what][1:])
        numbers = {"cpu_s": cpu, "wall_s": wall[what], "interpreter_wall_s": wall["python"]}
        target = f"at most {most:g} s of CPU time"
        rows.append({"what": f"start-up: {what}", **numbers, "target": target, "met": cpu <= most})
    return rows


BENCHMARKS: Mapping[str, Callable[[], list[Row]]] = {
    "mean_score_memory": mean_score_memory,  # first: the peak of a process never falls again
    "mean_score_speed": mean_score_speed,
    "mean_score_growth": mean_score_growth,
    "expected_score_speed": expected_score_speed,
    "attention_speed": attention_speed,
    "fused_attention_speed": fused_attention_speed,
    "gpu_attention_speed": gpu_attention_speed,
    "tapa_moments_speed": tapa_moments_speed,
    "sampling_efficiency": sampling_efficiency,
    "phase_curves_speed": phase_curves_speed,
    "training_speed": training_speed,
    "fused_training_speed": fused_training_speed,
    "start_up": start_up,
    "layerwise_memory": layerwise_memory,
    "large_model_memory": large_model_memory,
    "model_2048": lambda: model_cost(8, 2048),
    "model_8192": lambda: model_cost(2, 8192),
}
OF_MODEL = ("model_2048", "model_8192")
NAMED = (
    "gpu_attention_speed",
    "fused_training_speed",
    "layerwise_memory",
    "large_model_memory",
)  # only when named: a GPU, minutes, 3 GB of disk, Linux


def chosen_benchmarks(names: Sequence[str], *, with_model: bool) -> list[str]:
    """Names of the benchmarks to run, in the table's order: those that are given, or all.

    Args:
        names: of `BENCHMARKS`; none for all but `NAMED`.
        with_model: whether all include those of the real model, which is fetched for them.

    Raises:
        InputError: a name that is unknown.
    """
    for name in names:
        if name not in BENCHMARKS:
            raise InputError(f"benchmark {name!r} is unknown; {nearest(name, BENCHMARKS)}")
    return [
        name
        for name in BENCHMARKS
        if name in names or (not names and name not in NAMED and (with_model or name not in OF_MODEL))
    ]


def run_benchmarks(names: Sequence[str], *, progress: NotedProgress) -> list[Row]:
    """The rows of the named benchmarks."""
    rows: list[Row] = []
    for done, name in enumerate(names):
        progress("benchmarks", done, len(names), name)
        rows += BENCHMARKS[name]()
    progress("benchmarks", len(names), len(names), "")
    return rows


def write_benchmarks(rows: list[Row], path: Path, arguments: list[str], taken: float) -> None:
    """The record of a run that took `taken` seconds: the rows with threads, versions and time."""
    import torch

    from analysis.records import Provenance, Schema, write_summary

    provenance = Provenance.collect(
        arguments,
        {"rows": [row["what"] for row in rows]},
        seeds={"inputs": 0},
        device="cpu",
        precision="as each row says",
        threads=torch.get_num_threads(),
        seconds=taken,
    )
    write_summary({"rows": rows}, path, provenance, schema=Schema(*SCHEMA), digits=4)


def benchmark_text(rows: list[Row]) -> str:
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
