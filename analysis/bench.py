"""Speed and memory, the fast way and the naive way in one run: what `tapa bench` measures and records."""

from __future__ import annotations

import gc
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flint
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from analysis import assets
from analysis.efficiency import closed_form_speed, sampling_efficiency
from analysis.heads.checkpoint import load
from analysis.heads.lags import mean_score
from analysis.heads.measure import Clock, measure
from analysis.records import Provenance, Schema, write_summary
from analysis.texts import tokenized, windows
from analysis.theory.bias import expected_score_curve
from analysis.theory.frequencies import plain

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


def peak_memory_mb() -> float:
    """The most memory this process has held so far, in MB of 2^20 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, elsewhere KB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


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
    checkpoint = load(assets.fetch_smollm2())
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
    from analysis.bench_attention import streaming_speed  # it times with this module's clock

    return streaming_speed()


def phase_speed() -> list[Row]:
    """Curves of a TAPA head's phase: `bench_phase.phase_speed`."""
    from analysis import bench_phase  # it times with this module's clock

    return bench_phase.phase_speed()


def training_speed() -> Row:
    """Training steps of TAPA against RoPE's: `bench_training.training_speed`."""
    from analysis import bench_training  # only this one needs the trainer

    return bench_training.training_speed()


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
