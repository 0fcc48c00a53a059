"""From records of runs to results: losses by length with intervals over seeds and over documents, paired differences.

Two intervals stand side by side and answer two questions. Over seeds (Student's t): would other initial weights and
batches give this? Over documents (bootstrap of the mean over seeds): would other texts? Everything is paired: all
models are evaluated on the same bytes, and two methods with one seed start from the same weights and see the same
batches. A user's own runs (`own_runs`) get rows beside ours, with what is not comparable about them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from analysis import schemas
from analysis.errors import InputError
from analysis.experiments import run_record, tables
from analysis.experiments.plan import EXPERIMENTS, rate_name
from analysis.experiments.run_record import Chosen, Content, missing, read_runs
from analysis.experiments.tables import Row
from analysis.intervals import Interval, over_documents, over_seeds, proportion
from analysis.settings import differences
from analysis.training.variants import VARIANTS, label

RESULTS = schemas.RESULTS
BASELINES: Mapping[str, str] = {
    "table2": "rope",
    "table1": "rope_4x",
    "table3": "tapa",
    "alpha": "tapa",
    "share": "tapa",
    "retrieval": "rope_needle",
}
"""What each experiment's variants are compared with, at the same length."""
RESAMPLING_SEED = 0
NAT = 1 / math.log(2)  # bits

Nats = Float[np.ndarray, "seeds documents"]


def summarise_runs(folder: Path, own: Sequence[Path] = ()) -> dict[str, Any]:
    """Everything that tables and figures take from a folder of runs' records.

    Args:
        folder: of the records.
        own: a user's runs, as `own_runs`.

    Returns:
        For each experiment its rows (`experiment`); "tuning", "equal_loss", "retrieval_rows", "paths", "places" and
        "settings", rows of the functions below; "paper", its numbers; "missing", a line for each thing that is not
        there; "own", rows of the user's runs by experiment, and "own_notes", what is not comparable about them; and
        what all runs have in common.

    Raises:
        InputError: as `run_record.read_runs` and `own_runs`.
    """
    return of_runs(read_runs(folder), own_runs(own))


def of_runs(chosen: Mapping[str, Chosen], own: Sequence[Chosen] = ()) -> dict[str, Any]:
    """As `summarise_runs`, of runs that were read."""
    members = {name for names in EXPERIMENTS.values() for name in names}
    chosen = {name: one for name, one in chosen.items() if name in members}
    evaluated = {name: one for name, one in chosen.items() if one.seeds}
    found: dict[str, Any] = {name: experiment(name, evaluated) for name in EXPERIMENTS}
    return (
        found
        | {
            "tuning": [row for one in chosen.values() for row in _tuning(one)],
            "equal_loss": [
                row for name in EXPERIMENTS["table2"] for row in _at_equal_loss(name, "rope", evaluated)
            ],
            "retrieval_rows": [row for one in evaluated.values() for row in retrieval_rows(one)],
            "without_retrieval": without_retrieval(evaluated.values()),
            "paths": [row for one in evaluated.values() for row in _curves(one)],
            "places": [row for one in evaluated.values() for row in _by_position(one)],
            "settings": [_settings(one) for one in chosen.values()],
            "paper": tables.papers_rows(),
            "missing": missing(chosen),
            "own": {name: _own_rows(own, BASELINES[name], evaluated) for name in EXPERIMENTS if own},
            "own_notes": {
                name: [line for one in own for line in _own_notes(one, evaluated.get(BASELINES[name]))]
                for name in EXPERIMENTS
                if own
            },
        }
        | _common(chosen, evaluated)
    )


def experiment(name: str, evaluated: Mapping[str, Chosen]) -> list[Row]:
    """Rows of an experiment: a variant, evaluated under an extension, at a length.

    Returns:
        "bits" per byte, mean over seeds; "perplexity" per byte, its power of two; "rise", bits at this length less
        those at the trained one of the same model; "difference" in bits from the experiment's baseline at this
        length, and "rise_difference", both None without one. Each has the ends of two intervals, "_seeds_low" and so
        on, None where there are too few seeds or documents; a difference is over the seeds that both have.
    """
    baseline = BASELINES[name]
    return [
        row
        for member in EXPERIMENTS[name]
        if member in evaluated
        for row in _rows(evaluated[member], evaluated.get(baseline) if member != baseline else None)
    ]


def _rows(one: Chosen, baseline: Chosen | None, called: str | None = None) -> Iterator[Row]:
    """Of one variant, or of a user's runs that are called something else."""
    counts = scored_bytes(one.first)
    trained, *_ = one.first["configuration"]["lengths"]
    for extension, length in cells(one):
        mine, short = nats(one, extension, length), nats(one, "none", trained)
        row: Row = {
            "label": label(one.variant, extension) + (f" ({called})" if called else ""),
            "variant": one.variant,
            "extension": extension,
            "length": length,
        }
        row["seeds"] = sorted(one.seeds)
        row |= _both("bits", mine, counts) | _both("rise", mine - short, counts)
        row |= {key.replace("bits", "perplexity"): _power(row[key]) for key in row if key.startswith("bits")}
        pairs = _paired(one, baseline, extension, length, trained) if baseline is not None else None
        row["against"] = baseline.variant if pairs and baseline else None
        for key, values in zip(("difference", "rise_difference"), pairs or (None, None), strict=True):
            row |= _both(key, values, counts)
        yield row


def scored_bytes(content: Content) -> Float[np.ndarray, " documents"]:
    """Scored bytes of each document of a run: its tokens, unless these are byte pairs."""
    return np.array(content.get("document_bytes", content["document_tokens"]), float)


def cells(one: Chosen) -> list[tuple[str, int]]:
    """Extensions and lengths at which a variant was evaluated, "none" first."""
    return list(dict.fromkeys((item["extension"], item["length"]) for item in one.first["evaluations"]))


def nats(one: Chosen, extension: str, length: int, seeds: list[int] | None = None) -> Nats:
    """Nats of each document, seed by seed."""
    return np.array(
        [
            item["nats"]
            for seed in sorted(one.seeds if seeds is None else seeds)
            for item in one.seeds[seed]["evaluations"]
            if (item["extension"], item["length"]) == (extension, length)
        ]
    )


def _paired(
    one: Chosen, baseline: Chosen | None, extension: str, length: int, trained: int
) -> tuple[Nats, Nats] | None:
    """Differences at a length, and of the rises, for the seeds that both have; None if there is nothing to pair."""
    if baseline is None or ("none", length) not in cells(baseline):
        return None
    if not (seeds := sorted(set(one.seeds) & set(baseline.seeds))):
        return None
    here = nats(one, extension, length, seeds) - nats(baseline, "none", length, seeds)
    there = nats(one, "none", trained, seeds) - nats(baseline, "none", trained, seeds)
    return here, here - there


def _both(name: str, values: Nats | None, counts: Float[np.ndarray, " documents"]) -> Row:
    """A number in bits per byte, and its two intervals, as columns."""
    keys = (name, *(f"{name}_{kind}_{end}" for kind in ("seeds", "documents") for end in ("low", "high")))
    if values is None:
        return dict.fromkeys(keys)
    seeds, documents = bits_with_intervals(values, counts)
    ends = (seeds.value, seeds.low, seeds.high, documents.low, documents.high)
    return {key: _finite(end) for key, end in zip(keys, ends, strict=True)}


def bits_with_intervals(values: Nats, counts: Float[np.ndarray, " documents"]) -> tuple[Interval, Interval]:
    """Over seeds, and over documents of the mean over seeds: bits per byte of nats."""
    seeds = over_seeds(values.sum(axis=1) / counts.sum())
    documents = over_documents(values.mean(axis=0), counts, seed=RESAMPLING_SEED)
    return seeds.times(NAT), documents.times(NAT)


def _power(bits: float | None) -> float | None:
    return None if bits is None else 2.0**bits


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _tuning(one: Chosen) -> Iterator[Row]:
    """Every learning rate that was tried with the first seed: validation bits per byte, or where it diverged.

    And beside what decides, what came of it: test bits at the trained and at the longest length.
    """
    for content in one.tried:
        loss, diverged = content["validation_loss"], content["diverged"]
        plain = [] if diverged else [r for r in content["evaluations"] if r["extension"] == "none"]
        yield {
            "label": label(one.variant),
            "variant": one.variant,
            "lr": content["lr"],
            "rate": rate_name(content["lr"]),
            "validation_bits": None if diverged else loss * NAT,
            "diverged_after": diverged["after_steps"] if diverged else None,
            "bits_trained": plain[0]["bits_per_byte"] if plain else None,
            "bits_longest": plain[-1]["bits_per_byte"] if plain else None,
            "chosen": content["lr"] == one.rate,
            "at_edge": content["lr"] == one.rate and one.at_edge,
        }


def _at_equal_loss(name: str, against: str, evaluated: Mapping[str, Chosen]) -> Iterator[Row]:
    """One variant and another at equal loss at the trained length: bits per byte at the longest, and the difference."""
    if name == against or not {name, against} <= set(evaluated):
        return
    seeds = sorted(set(evaluated[name].seeds) & set(evaluated[against].seeds))
    pairs = [[loss_curve(evaluated[which].seeds[seed]) for which in (name, against)] for seed in seeds]
    found = {seed: point for seed, pair in zip(seeds, pairs, strict=True) if (point := equal_loss(*pair))}
    row: Row = {"variant": name, "against": against, "seeds": list(found)}
    row["never_equal"] = [seed for seed in seeds if seed not in found]
    counts = scored_bytes(evaluated[name].first)
    points = list(found.values())
    losses = [loss for loss, *_ in points]
    row["bits_trained"] = float(np.mean(losses) / counts.sum() * NAT) if points else None
    row["steps"] = [[here.step, there.step] for _, here, there in points]
    mine = np.array([here.long for _, here, _ in points]) if points else None
    theirs = np.array([there.long for *_, there in points]) if points else None
    row |= _both("bits", mine, counts) | _both("against_bits", theirs, counts)
    yield row | _both("difference", None if mine is None or theirs is None else mine - theirs, counts)


def _curves(one: Chosen) -> Iterator[Row]:
    """Bits per byte at the trained and at the longest length along the training of each run from scratch."""
    if VARIANTS[one.variant].parent is not None:
        return
    total = scored_bytes(one.first).sum()
    for seed, content in one.seeds.items():
        curve = loss_curve(content)
        yield {
            "label": label(one.variant),
            "variant": one.variant,
            "seed": seed,
            "steps": curve.steps.tolist(),
            "trained": (curve.losses / total * NAT).tolist(),
            "longest": (curve.long.sum(axis=1) / total * NAT).tolist(),
        }


def _by_position(one: Chosen) -> Iterator[Row]:
    """Bits per byte by token position in the longest window: mean over seeds, and Student's t interval over them."""
    longest = max(length for _, length in cells(one))
    edges = one.first["position_edges"][str(longest)]
    for extension in dict.fromkeys(extension for extension, _ in cells(one)):
        curves = np.array(
            [
                item["loss_by_position"]
                for content in one.seeds.values()
                for item in content["evaluations"]
                if (item["extension"], item["length"]) == (extension, longest)
            ]
        )
        ends = [over_seeds(column).times(NAT) for column in curves.T]
        yield {
            "label": label(one.variant, extension),
            "variant": one.variant,
            "extension": extension,
            "length": longest,
            "seeds": sorted(one.seeds),
            "first": edges[:-1],
            "last": [edge - 1 for edge in edges[1:]],
            "bits": [interval.value for interval in ends],
            "low": [_finite(interval.low) for interval in ends],
            "high": [_finite(interval.high) for interval in ends],
        }


def _settings(one: Chosen) -> Row:
    """What a variant is, for those who lay out tables and figures."""
    method = VARIANTS[one.variant].method
    return {
        "label": label(one.variant),
        "variant": one.variant,
        "method": method.name,
        "alpha": method.alpha,
        "amplitude_share": method.amplitude_share,
        "parent": VARIANTS[one.variant].parent,
        "task": VARIANTS[one.variant].task.get("task"),
        "lr": one.rate,
        "seeds": sorted(one.seeds),
        "diverged": list(one.diverged),
        "unused": list(one.unused),
    }


def _common(chosen: Mapping[str, Chosen], evaluated: Mapping[str, Chosen]) -> dict[str, Any]:
    """What all runs that were evaluated have in common; nothing where none was."""
    runs = {c["run"] for one in chosen.values() for c in (*one.tried, *one.seeds.values())}
    if not evaluated:
        return {"runs": len(runs)}
    first = next(iter(evaluated.values())).first
    return {
        "runs": len(runs),
        "trained_length": first["configuration"]["lengths"][0],
        "parameters": first["parameters"],
        "documents": first["documents"],
        "bytes": int(scored_bytes(first).sum()),
    }


def record(*, runs: Mapping[str, Path]) -> dict[str, Any]:
    """`summarise_runs` of the folder that holds the records of these runs."""
    (folder,) = {path.parent for path in runs.values()}
    return summarise_runs(folder)


# A user's own runs, beside ours.


def own_runs(paths: Sequence[Path]) -> list[Chosen]:
    """A user's runs in groups of one configuration, which differ in nothing but the seed.

    Args:
        paths: each a record, the folder of a run of `tapa train`, or a folder of records or of such runs.

    Raises:
        InputError: a path without records, a record that is damaged or of another kind, or a run without a result: it
            diverged, or its test documents were too short.
    """
    groups: dict[str, list[Content]] = {}
    for file in dict.fromkeys(file for path in paths for file in run_record.files_of(path)):
        content = run_record.read_run(file)
        if content["diverged"] is not None or not content["evaluations"]:
            why = "diverged" if content["diverged"] else "was not evaluated: its test documents are too short"
            raise InputError(f"{content['run']} {why}; leave it out")
        alike = content["configuration"] | {
            "run": "",
            "recipe": {**content["configuration"]["recipe"], "seed": 0},
        }
        groups.setdefault(repr(alike), []).append(content)
    return [
        Chosen(one[0]["variant"], one[0]["lr"], tuple(one), {content["seed"]: content for content in one})
        for one in groups.values()
    ]


def _own_rows(own: Sequence[Chosen], baseline: str, evaluated: Mapping[str, Chosen]) -> list[Row]:
    """Rows of a user's runs; differences from the baseline where both were scored on the same tokens."""
    ours = evaluated.get(baseline)
    return [
        row | {"lr": one.rate}
        for one in own
        for row in _rows(one, ours if ours and _same_tokens(one, ours) else None, _names(one))
    ]


def _names(one: Chosen) -> str:
    return ", ".join(content["run"] for content in one.tried)


def _same_tokens(one: Chosen, other: Chosen) -> bool:
    shared = (*run_record.SHARED, "document_bytes")
    return all(one.first.get(name) == other.first.get(name) for name in shared)


_OF_METHOD = (
    "recipe.method.",
    "recipe.lr: ",
    "recipe.seed: ",
    "recipe.from: ",
    "recipe.task",
    "run: ",
    "evaluated_as: ",
)


def _own_notes(one: Chosen, ours: Chosen | None) -> list[str]:
    """What keeps a user's runs from being compared with ours: everything but method, learning rate and seed."""
    if ours is None:
        return []
    mine, theirs = one.first, ours.first
    filled = run_record.with_defaults(theirs["configuration"])
    found = [
        line.removeprefix("recipe.")
        for line in differences(run_record.with_defaults(mine["configuration"]), filled)
        if not line.startswith(_OF_METHOD)
    ]
    if (mine["parent"] is None) != (theirs["parent"] is None):
        found.append(
            "from scratch, not fine-tuned" if mine["parent"] is None else "fine-tuned, not from scratch"
        )
    if not _same_tokens(one, ours):
        found.append("scored on other tokens, so no difference is given")
    return [f"{_names(one)} differs from our runs in {'; '.join(found)}"] if found else []


# Equal-loss comparison: how do two methods extrapolate that have the same loss at the trained length?


@dataclass(frozen=True, slots=True, eq=False)
class LossCurve:
    """A run along its training.

    Attributes:
        steps: of the checkpoints that were evaluated, the last one the run's end.
        short, long: nats of each document at the trained length and at the longest, (checkpoints, documents).
    """

    steps: Float[np.ndarray, " checkpoints"]
    short: Float[np.ndarray, "checkpoints documents"]
    long: Float[np.ndarray, "checkpoints documents"]

    @property
    def losses(self) -> Float[np.ndarray, " checkpoints"]:
        """Nats of all documents at the trained length."""
        return self.short.sum(axis=1)


def loss_curve(content: Content) -> LossCurve:
    """The curve of a run from scratch, out of its record."""
    lengths = content["configuration"]["lengths"]
    points = [(item["step"], item["evaluations"]) for item in content["checkpoints"]]
    points.append((content["configuration"]["recipe"]["steps"], content["evaluations"]))
    rows = [[_nats(evaluations, length) for _, evaluations in points] for length in (lengths[0], lengths[-1])]
    return LossCurve(np.array([float(step) for step, _ in points]), np.array(rows[0]), np.array(rows[1]))


def _nats(evaluations: list[dict[str, Any]], length: int) -> list[float]:
    return next(
        item["nats"]
        for item in evaluations
        if item["length"] == length and item.get("extension", "none") == "none"
    )


@dataclass(frozen=True, slots=True, eq=False)
class LossPoint:
    """A point of a curve: step, and nats of each document at the longest length."""

    step: float
    long: Float[np.ndarray, " documents"]


def equal_loss(mine: LossCurve, other: LossCurve) -> tuple[float, LossPoint, LossPoint] | None:
    """Two runs where their loss at the trained length is that of the worse of their ends.

    A method that learns more slowly has less to lose beyond the trained length. So the better of two runs is taken at
    the point of its training where its loss at the trained length was what the other's is in the end, by interpolation
    between the checkpoints that its record has. That is a model on its way, at a higher learning rate, not one whose
    training was planned to end there.

    Returns:
        That loss, in nats over all documents, and the point on each curve; None where the better run's first
        checkpoint is better than the other's end already.
    """
    if mine.losses[-1] < other.losses[-1]:
        found = equal_loss(other, mine)
        return None if found is None else (found[0], found[2], found[1])
    loss = float(mine.losses[-1])
    end, there = LossPoint(float(mine.steps[-1]), mine.long[-1]), crossing(other, loss)
    return None if there is None else (loss, end, there)


def crossing(curve: LossCurve, loss: float) -> LossPoint | None:
    """Where the loss at the trained length first falls to `loss`, linearly between checkpoints; None if nowhere."""
    losses = curve.losses
    if losses[0] == loss:
        return LossPoint(float(curve.steps[0]), curve.long[0])
    for i in range(len(losses) - 1):
        if losses[i] > loss >= losses[i + 1]:
            share = float((losses[i] - loss) / (losses[i] - losses[i + 1]))
            return LossPoint(float(_between(curve.steps, i, share)), _between(curve.long, i, share))
    return None


def _between(values: np.ndarray, i: int, share: float) -> Any:
    return (1 - share) * values[i] + share * values[i + 1]


# Retrieval by distance out of runs' records, with exact intervals for each run and Student's t over seeds.


COPIED = ("chance", "chance_of_any")


def retrieval_rows(one: Chosen) -> Iterator[dict[str, Any]]:
    """A row for each task, window length and distance, over the seeds whose records have answers.

    Yields:
        "share" of exact answers, mean over seeds, and its t interval, cut to [0, 1]; "bits" of an answer, likewise,
        >= 0; chance, and "chance_bits"; "each", the share of every seed with its exact interval over instances, and
        as "share_instances" the ends of these intervals that lie farthest out. Models of all seeds get the
        same instances, so answers of two seeds are not independent trials: they are not pooled.
    """
    by_seed = {
        seed: {_query_of(row): row for row in content.get("retrieval", ())}
        for seed, content in one.seeds.items()
    }
    found_at = sorted({cell for rows in by_seed.values() for cell in rows})
    for task, length, distance in found_at:
        rows = {
            s: found[task, length, distance]
            for s, found in by_seed.items()
            if (task, length, distance) in found
        }
        share = over_seeds(np.array([row["exact"] / row["trials"] for row in rows.values()]))
        bits = over_seeds(np.array([row["nats"] for row in rows.values()])).times(NAT)
        first = next(iter(rows.values()))
        each = [_exactly(seed, row) for seed, row in sorted(rows.items())]
        yield {
            "label": label(one.variant),
            "variant": one.variant,
            "learned": bool(VARIANTS[one.variant].task),
            "task": task,
            "length": length,
            "distance": distance,
            "seeds": sorted(rows),
            "trials": first["trials"],
            **_ends("share", Interval(share.value, max(share.low, 0.0), min(share.high, 1.0))),
            "share_instances_low": min(one["low"] for one in each),
            "share_instances_high": max(one["high"] for one in each),
            **_ends("bits", Interval(bits.value, max(bits.low, 0.0), bits.high)),
            **{name: first[name] for name in COPIED},
            "chance_bits": first["chance_nats"] * NAT,
            "each": each,
        }


def without_retrieval(chosen: Iterable[Chosen]) -> list[str]:
    """Runs whose records were made before retrieval was evaluated, of those that would be evaluated now."""
    return [
        content["run"]
        for one in chosen
        if VARIANTS[one.variant].task or VARIANTS[one.variant].stage == 0
        for _, content in sorted(one.seeds.items())
        if "retrieval" not in content
    ]


def _query_of(row: dict[str, Any]) -> tuple[str, int, int]:
    return row["task"], row["length"], row["distance"]


def _ends(name: str, interval: Interval) -> dict[str, float | None]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), interval.ends(), strict=True))


def _exactly(seed: int, row: dict[str, Any]) -> dict[str, Any]:
    found = proportion(row["exact"], row["trials"])
    ends = {"share": found.value, "low": found.low, "high": found.high}
    return {"seed": seed, "exact": row["exact"], "trials": row["trials"], **ends, "bits": row["nats"] * NAT}
