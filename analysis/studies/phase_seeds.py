"""What of TAPA is position: its phase over training seeds, beside models without distance or without a learned phase.

Of every model a row: loss by context length on the same test tokens, near less far scores, the keys that its heads
attend to, and, where the score has a phase, what heads do with it and what the loss owes to it. Rows are then pooled:
an interval over seeds is Student's t of one number a seed, and a difference of two variants is taken seed by seed, as
seeds share batches and, where they have the same parameters, initial weights.

Controls: NoPE has no distance and no phase; "tapa_alpha0" has a learned phase without distance, a more expressive NoPE;
"tapa_frozen" has distance in a phase that is not learned. What TAPA has and none of them, a learned phase of tokens and
distance is needed for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from analysis import schemas
from analysis.errors import InputError
from analysis.evaluation.loss_by_length import evaluate_spans
from analysis.heads import phase_ablation, phase_targets
from analysis.heads.phase_targets import DISTANCES, TARGETS, AttentionWeights
from analysis.intervals import over_document_means
from analysis.intervals import over_seeds as interval_over_seeds
from analysis.models.checkpoint import ModelFile, load_model, own_corpus, read_checkpoint
from analysis.models.llama import Llama
from analysis.progress import Progress, silent
from analysis.records import Provenance, read_summary, relied_on, write_summary
from analysis.studies import near_far, phase, phase_summary
from analysis.studies.model_rows import ModelTask, measured_rows, model_tasks
from analysis.studies.settings import PhaseSeedsSettings, PhaseSettings
from analysis.text.corpus import Corpus
from analysis.text.windows import NamedTokens, Windows, spans, windows
from analysis.training.recipe import Recipe, variant_of
from analysis.training.variants import label
from analysis.workers import HERE, Workers

RECORD = schemas.PHASE_SEEDS
DIGITS = 5
LENGTHS = (1, 2, 4, 8)
"""Context lengths of the losses, over the trained one."""
TARGET = 64  # scored tokens of a span
ROOM = 16  # spans have this many times the trained length before them, as those of the runs' records
SUBJECT = "tapa"
CHANGED = "mean cosine"
"""What is done to a group of heads: strength is kept, tokens and distance are taken out of the cosine."""
NEAR = DISTANCES.index(4)
"""Ranges of distance that are near: the token itself and the three before it."""
BOUND = 0.4  # of the mean score's variance: what a Gaussian law is said to explain

Numbers = dict[str, Any]


def measure_seeds(
    models: Sequence[Path],
    out: Path,
    settings: PhaseSeedsSettings,
    *,
    workers: Workers = HERE,
    arguments: Sequence[str],
    progress: Progress = silent,
) -> Numbers:
    """Measure models and write the record of all; rows that are up to date are kept, of models not named here too.

    Args:
        models: runs, checkpoints or model files of `tapa train`, in bytes.
        out: record to write, JSON.
        settings: see there.
        workers: one model at a time for each.
        arguments: the command line, for the record.
        progress: called with (what, done, total).

    Returns:
        The content of the record: settings, rows by model, and their summary.

    Raises:
        InputError: no model, two models of one variant and seed, `out` holds rows of other settings that are not
            measured again now, or as `read_checkpoint` and `own_corpus`.
    """
    tasks = model_tasks(models, settings, _name, "variant and seed")
    rows = _known(out, settings, {task.name for task in tasks})
    begun, written = time.perf_counter(), False
    for _ in measured_rows(tasks, rows, measured_seed, workers=workers, progress=progress):
        _write(_content(settings, rows), out, settings, arguments, time.perf_counter() - begun)
        written = True
    content = _content(settings, rows)
    if not written:  # summarised otherwise than before
        _write(content, out, settings, arguments, time.perf_counter() - begun)
    return content


def _known(out: Path, settings: PhaseSeedsSettings, measured_now: set[str]) -> Numbers:
    """Rows of a record that is there; `InputError` if rows of other settings would be lost."""
    if not out.exists() or not out.stat().st_size:
        return {}
    content = read_summary(out, expect_schema=RECORD)
    with relied_on(out, RECORD):
        rows = content["rows"]
        others = {name for name, found in rows.items() if found["settings"] != _plain(settings)}
        kept = {name: found for name, found in rows.items() if name not in others}
        if kept:  # a row that cannot be summarised is refused before hours of measuring
            _content(settings, kept)
    if lost := sorted(others - measured_now):
        raise InputError(
            f"{out} holds rows of other settings, such as that of {lost[0]}, which is not measured now; "
            f"give another --out"
        )
    return kept


def _name(path: Path, checkpoint: ModelFile) -> str:
    """Variant and seed; `InputError` for a model that cannot be measured."""
    if checkpoint.config.vocab_size != phase.BYTES:
        raise InputError(f"{path.name} reads other tokens than bytes; give models of `tapa train cpu`")
    if checkpoint.config.context <= TARGET:
        raise InputError(
            f"{path} was trained at {checkpoint.config.context} tokens, and the last {TARGET} of a window are "
            f"scored; give models trained at length={2 * TARGET} or more"
        )
    return f"{variant_of(Recipe(model=checkpoint.config))}-s{int(checkpoint.recipe['seed'])}"


def measured_seed(task: ModelTask) -> tuple[str, Numbers]:
    """Name and row of one model."""
    checkpoint = read_checkpoint(task.model)
    data = own_corpus(checkpoint, silent)
    about = {
        "variant": task.name.rpartition("-s")[0], "seed": int(checkpoint.recipe["seed"]), "key": task.key,
        "steps": checkpoint.step, "trained_length": checkpoint.config.context, "settings": _plain(task.settings),
    }  # fmt: skip
    return task.name, about | seed_row(checkpoint, load_model(checkpoint.file), data, task.settings)


def seed_row(checkpoint: ModelFile, model: Llama, data: Corpus, settings: PhaseSeedsSettings) -> Numbers:
    """One model.

    Returns:
        bits: bits per byte by context length over the trained one; near_far: as `phase_summary.gaps`; targets: see
        `attention_targets`; with a phase also change and groups (`phase_use`), and phase, as
        `phase_summary.summarise_checkpoint`, if its score knows distance.
    """
    context = model.config.context
    held_out = [(d.name, d.tokens.tolist()) for d in data.validation]
    within = windows(held_out, context, settings.windows, seed=settings.seed)
    chosen = spans(data.test, ROOM * context - TARGET, TARGET, settings.spans, seed=settings.seed)
    bits = {str(n): evaluate_spans(model, chosen, n * context)["bits_per_byte"] for n in LENGTHS}
    found: Numbers = {"bits": bits, "near_far": _near_far(model, data, settings)}
    found["targets"] = attention_targets(model, within, seed=settings.seed)
    method = model.config.method
    if method.is_tapa:
        found |= phase_use(model, within, found["targets"], seed=settings.seed)
    if method.is_tapa and method.alpha > 0:
        found["phase"] = _phase(checkpoint, held_out, settings)
    return found


def _near_far(model: Llama, data: Corpus, settings: PhaseSeedsSettings) -> Numbers:
    documents = [(d.name, d.tokens.tolist()) for d in data.test]
    context = model.config.context
    reaches = [context // 2, round(context * near_far.PAPER_FAR[1] / 8192), 4 * context]
    gaps = near_far.trained_gaps(
        {"model": model}, documents, reaches=reaches, count=settings.gap_windows, pairs=settings.pairs,
        seed=settings.seed,
    )  # fmt: skip
    return phase_summary.gaps(gaps)["model"]


def _phase(checkpoint: ModelFile, documents: list[NamedTokens], settings: PhaseSeedsSettings) -> Numbers:
    """Windows as long as trained, with ablations and tokens, and long ones."""
    context = checkpoint.config.context
    short = PhaseSettings(settings.windows, context, settings.windows, True, settings.seed)
    long = PhaseSettings(settings.long_windows, settings.stretch * context, 0, False, settings.seed)
    both = [
        phase.measure_checkpoint(checkpoint, documents, one, arguments=[], progress=silent)[0]
        for one in (long, short)
    ]
    return phase_summary.summarise_checkpoint(*both)


def attention_targets(model: Llama, text: Windows, *, seed: int) -> Numbers:
    """What heads attend to; see `phase_targets`.

    Returns:
        uniform: weight on each kind of key under uniform attention; heads: of each, by "layer.head", weight by
        condition and kind of key; by_distance, summed over ranges that begin at `phase_targets.DISTANCES`; attends,
        the kinds that it attends to; with a phase shift, what the phase adds to each weight, with its interval over
        documents, raises and lowers, the kinds whose weight it surely moves, and moved.
    """
    repeated = phase_targets.repeated_segments(text.tokens, seed=seed)
    found = phase_targets.attention_by_target(model, text.tokens, repeated)
    uniform = {
        name: phase_targets.over_present_documents(found.uniform[t], text.documents).value
        for t, name in enumerate(TARGETS)
    }
    heads = {
        f"{layer}.{head}": _head(found, uniform, text.documents, layer, head)
        for layer, head in np.ndindex(found.target.shape[1:3])
    }
    return {"uniform": _finite(uniform), "heads": heads}


def _head(
    found: AttentionWeights, uniform: Mapping[str, float], documents: Sequence[str], layer: int, head: int
) -> Numbers:
    weight = {
        condition: {
            name: phase_targets.over_present_documents(found.target[c, layer, head, t], documents).value
            for t, name in enumerate(TARGETS)
        }
        for c, condition in enumerate(found.conditions)
    }
    own = weight[found.conditions[0]]
    said: Numbers = {
        "weight": {condition: _finite(values) for condition, values in weight.items()},
        "by_distance": {
            condition: [
                phase_targets.over_present_documents(x, documents).value for x in found.by_distance[c, layer, head]
            ]
            for c, condition in enumerate(found.conditions)
        },
        "attends": [name for name in TARGETS if phase_targets.attends_to(own[name], uniform[name])],
    }  # fmt: skip
    if len(found.conditions) == 1:
        return said
    shift = phase_targets.phase_shifts(found, documents, layer, head)
    moves = {name: phase_targets.phase_moves(shift[name]) for name in TARGETS}
    return said | {
        "shift": {name: one.ends() for name, one in shift.items()},
        "raises": [name for name in TARGETS if moves[name] > 0],
        "lowers": [name for name in TARGETS if moves[name] < 0],
        "moved": phase_targets.over_present_documents(found.moved[layer, head], documents).ends(),
    }


def phase_use(model: Llama, text: Windows, targets: Numbers, *, seed: int) -> Numbers:
    """What the loss owes to the phase, nats a token with intervals over documents.

    Returns:
        loss; change: its rise under each ablation of all heads; groups: its rise under `CHANGED` in the heads whose
        phase raises, or lowers, each kind of key, and in the rest, with the heads.
    """
    tokens = torch.from_numpy(text.tokens)
    means = phase_ablation.head_means(model, tokens)
    base = phase_ablation.window_losses(model, tokens)
    names = list(targets["heads"])

    def rise(kind: str, heads: Iterable[str]) -> list[float | None]:
        chosen = torch.tensor([name in set(heads) for name in names])
        mask = chosen.reshape(len(model.attentions), model.config.heads)
        losses = phase_ablation.ablated_losses(model, tokens, kind, means, mask, seed=seed)
        return over_document_means(losses - base, text.documents).ends()

    groups = {
        f"{verb} {kind}": [name for name, head in targets["heads"].items() if kind in head[verb]]
        for verb in ("raises", "lowers")
        for kind in TARGETS
    }
    groups["moves none"] = sorted(set(names) - {name for group in groups.values() for name in group})
    return {
        "loss": over_document_means(base, text.documents).ends(),
        "change": {kind: rise(kind, names) for kind in phase_ablation.KINDS},
        "groups": {
            group: {"heads": heads, "rise": rise(CHANGED, heads)} for group, heads in groups.items() if heads
        },
    }


# Rows pooled over seeds.


def pool_seeds(rows: Mapping[str, Numbers]) -> Numbers:
    """Every quantity over seeds: mean and ends of Student's t interval over seeds ("of"), and the values seed by seed.

    Returns:
        labels and seeds of each variant; over_seeds: of each variant every quantity of `_quantities` by its path, such
        as "bits/8" or "near_far/distances/64/due"; less: bits and near less far of `SUBJECT` less those of each other
        variant, over the seeds that both have.
    """
    by_variant: dict[str, dict[int, Numbers]] = {}
    for one in rows.values():
        by_variant.setdefault(one["variant"], {})[one["seed"]] = one
    by_variant = {name: dict(sorted(found.items())) for name, found in sorted(by_variant.items())}
    flat = {
        name: {seed: _flat(_quantities(one)) for seed, one in of.items()} for name, of in by_variant.items()
    }
    return {
        "labels": {name: label(name) for name in by_variant},
        "seeds": {name: list(of) for name, of in by_variant.items()},
        "over_seeds": {name: _pooled(of) for name, of in flat.items()},
        "less": {
            name: _pooled(_differences(flat[SUBJECT], of, ("bits", "near_far")))
            for name, of in flat.items()
            if SUBJECT in flat and name != SUBJECT
        },
    }


def _quantities(one: Numbers) -> Numbers:
    """What is pooled of a row, nested: `bits`, `near_far`, and of the heads

    attends, raises, lowers: how many of them, by kind of key; weight, by_distance, near, shift, moved: means over them;
    change, groups: what the loss rises by; phase: means or counts over heads, in windows as long as trained and in long
    ones; first_two: share of the two heads that lose most alone in what all lose alone; least_head: what the one loses
    that loses least; properties: of pairs of tokens.
    """
    heads = list(one["targets"]["heads"].values())
    found: Numbers = {
        "bits": one["bits"],
        "near_far": {
            reading: {reach: _gap(cell) for reach, cell in reaches.items()}
            for reading, reaches in one["near_far"].items()
        },
        "attends": {name: sum(name in head["attends"] for head in heads) for name in TARGETS},
        "weight": _over_heads([head["weight"] for head in heads]),
        "by_distance": _over_heads([_ranges(head["by_distance"]) for head in heads]),
        "near": _over_heads(
            [{condition: sum(x[:NEAR]) for condition, x in head["by_distance"].items()} for head in heads]
        ),
    }
    if "change" in one:
        found["change"] = {kind: ends[0] for kind, ends in one["change"].items()}
        found["shift"] = _over_heads([{n: ends[0] for n, ends in head["shift"].items()} for head in heads])
        found["moved"] = float(np.mean([head["moved"][0] for head in heads]))
        found["groups"] = {name: group["rise"][0] for name, group in one["groups"].items()}
        for verb in ("raises", "lowers"):
            found[verb] = {name: sum(name in head[verb] for head in heads) for name in TARGETS}
    if "phase" in one:
        of_heads = list(one["phase"]["heads"].values())
        bound = one["phase"]["exponent_bound"]
        alone = sorted(head["change"]["no cosine"][0] for head in of_heads)
        found["first_two"] = sum(alone[-2:]) / sum(alone)
        found["least_head"] = alone[0]
        found["phase"] = {
            length: _heads([head[length] for head in of_heads], bound) for length in phase_summary.WINDOWS
        }
        found["properties"] = {
            name: _property(x)
            for name, x in one["phase"]["properties"].items()
            if x["effect"]["mean"] is not None
        }
    return found


def _ranges(by_condition: Numbers) -> Numbers:
    """Weight summed over each range of distances, by the range's first distance."""
    firsts = [str(first) for first in DISTANCES]
    return {condition: dict(zip(firsts, sums, strict=True)) for condition, sums in by_condition.items()}


def _gap(cell: Numbers) -> Numbers:
    """Near less far over its standard deviation, mean over heads, and how many heads show it surely.

    Rows older than 2026-12-01 count heads by a sign test over windows ("near_above"), which are not independent; later
    ones by a t-test over documents ("near_sure"). What a row has keeps its name.
    """
    parts = {part: float(np.mean(cell[f"{part}_over_sd"])) for part in ("mean", "drift", "due")}
    sides = [f"{due}{side}" for due in ("", "due_") for side in ("near", "far")]
    counts = [f"{side}_{by}" for by in ("sure", "above") for side in sides]
    return parts | {name: cell[name] for name in counts if name in cell}


def _heads(heads: Sequence[Numbers], bound: float | None) -> Numbers:
    """Means over heads, or counts of heads, in windows of one length; no `bound_met` without a bound by eq 14."""
    slopes = [step for head in heads for step in head["slope_by_octave"]]
    gaussian = [head["gaussian_share"] for head in heads]
    return {
        "phase_sd": float(np.mean([head["phase"]["sd"] for head in heads])),
        "past_quarter": float(np.mean([head["past_quarter"] for head in heads])),
        "cosine_near": float(np.mean([head["cosine_by_octave"][0] for head in heads])),
        "cosine_far": float(np.mean([head["cosine_by_octave"][-1] for head in heads])),
        "score_falls": sum(head["score_by_octave"][-1] < head["score_by_octave"][0] for head in heads),
        "nope_index": float(np.mean([head["nope_index"][0] for head in heads])),
        "entropy": float(np.mean([head["entropy"][0] for head in heads])),
        "gaussian_heads": sum(value is not None and value > BOUND for value in gaussian),
        "variance_below": sum(head["variance_kept"]["least"] < 1 for head in heads),
        **({} if bound is None else {"bound_met": float(np.mean([_met(step, bound) for step in slopes]))}),
    }


def _met(slope: float | None, bound: float) -> bool:
    return slope is not None and slope <= bound


def _property(x: Numbers) -> Numbers:
    """Of one property of pairs of tokens: shifts in sds of phi, mean over heads, heads that shift, and probes."""
    found = {
        f"{name}_{key}": x[name][key] for name in ("effect", "effect_abs") for key in ("mean", "shifted")
    }
    return found | {part: x["told"][part] for part in ("phase", "amplitude")}


def _over_heads(heads: Sequence[Numbers]) -> Numbers:
    """Nested mappings of numbers, mean over heads; None where a head has none."""
    first = heads[0]
    if isinstance(next(iter(first.values())), dict):
        return {key: _over_heads([head[key] for head in heads]) for key in first}
    return {key: None if None in (v := [h[key] for h in heads]) else float(np.mean(v)) for key in first}


def _flat(values: Numbers, prefix: str = "") -> dict[str, float]:
    """Nested numbers under names joined by a slash; without those that are None."""
    found: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}/")
        elif value is not None:
            found[prefix + key] = value
    return found


def _pooled(by_seed: Mapping[int, Mapping[str, float]]) -> dict[str, Numbers]:
    """Each quantity over the seeds that have it, in the order of the first."""
    names = dict.fromkeys(name for of in by_seed.values() for name in of)
    found = {}
    for name in names:
        values = [of[name] for of in by_seed.values() if name in of]
        found[name] = {"of": interval_over_seeds(np.array(values, dtype=np.float64)).ends(), "values": values}
    return found


def _differences(
    first: Mapping[int, Mapping[str, float]],
    second: Mapping[int, Mapping[str, float]],
    parts: tuple[str, ...],
) -> dict[int, dict[str, float]]:
    """first less second, seed by seed, of the quantities of some parts."""
    return {
        seed: {
            name: value - second[seed][name]
            for name, value in first[seed].items()
            if name.partition("/")[0] in parts and name in second[seed]
        }
        for seed in first
        if seed in second
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def _plain(settings: PhaseSeedsSettings) -> dict[str, int]:
    return dict(asdict(settings))


def _content(settings: PhaseSeedsSettings, rows: Mapping[str, Numbers]) -> Numbers:
    ordered = {name: rows[name] for name in sorted(rows)}
    rule = {"attends": [phase_targets.ROLE, phase_targets.LIFT], "moves": phase_targets.MOVED}
    return {"settings": _plain(settings), "rule": rule, "rows": ordered, "summary": pool_seeds(ordered)}


def _write(
    content: Numbers, out: Path, settings: PhaseSeedsSettings, arguments: Sequence[str], seconds: float
) -> None:
    provenance = Provenance.collect(
        arguments,
        asdict(settings) | {"models": list(content["rows"])},
        seeds={"windows, spans, pairs, segments and shuffled phases": settings.seed},
        device="cpu",
        precision="float32 forward and losses; float64 sums and closed forms",
        threads=torch.get_num_threads(),
        seconds=seconds,
    )
    write_summary(content, out, provenance, schema=RECORD, digits=DIGITS)
