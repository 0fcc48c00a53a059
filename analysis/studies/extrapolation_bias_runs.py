"""Every trained model of a folder: bias beyond the trained length against loss, as one record: what `tapa bias` runs.

The record is rewritten after each model. What is in it is not measured again, as long as weights, the run's own record
and settings are the same.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from analysis import schemas
from analysis.errors import InputError
from analysis.experiments import run_record
from analysis.experiments.plan import label
from analysis.intervals import LEVEL, over_documents, over_seeds
from analysis.models import checkpoint
from analysis.models.checkpoint import load_model, own_corpus, read_checkpoint
from analysis.models.users import imported
from analysis.progress import Progress, silent
from analysis.records import Provenance, read_summary, relied_on, row_key, write_summary
from analysis.settings import nearest
from analysis.studies.equal_dose import CONTRASTS, KINDS, TOLERANCE_ON_TEST, has_learned
from analysis.studies.extrapolation_bias import OBSERVED, REACH, row
from analysis.studies.settings import ExtrapolationBiasSettings
from analysis.text.corpus import NAMED
from analysis.workers import HERE, Workers, run

# What many trained models say together: does what the mean score does beyond L go with the rise of the loss?
#
# Correlations are Spearman's, over runs. Runs of one variant share almost everything, so three numbers are
# given:
#
# over runs         every run counts alike; its interval draws whole variants, the least that can be called
# independent; within methods    of ranks less their method's mean rank: what is left when the choice of
# method is taken out; of each method    that has enough runs.
#
# A correlation is no cause. What interventions do to the loss is, where another one of equal dose does not do it:
# `altered` and `contrasts`, over seeds.


RESAMPLES = 2000
FEWEST, DRAWN = 5, 8  # runs for a correlation; runs or variants that are drawn, for its interval
Values = Float[np.ndarray, " runs"]
Codes = Int[np.ndarray, " runs"]


def summarise(rows: Mapping[str, Numbers], chosen: Mapping[str, float], *, seed: int) -> Numbers:
    """Correlations of what was observed with the rise of the loss, and what comes back when scores are altered.

    Only runs from scratch, all read at the same multiple of one trained length, are correlated.

    Args:
        rows: by run.
        chosen: learning rate at which each variant is read.
        seed: of the bootstraps.

    Returns:
        chosen: of the variants that have rows; runs: how many are correlated; excluded: runs that did not learn;
        correlations: for each observed number, over all runs, and correlations_learned over those that learned;
        altered (`pooled_cells`) and contrasts (`pooled_contrasts`): for each variant, over its runs that learned;
        altered_all: the same with the others, for variants that have such; labels: names of variants and methods in
        figures.
    """
    named = sorted({found["variant"] for found in rows.values()})
    chosen = {variant: chosen[variant] for variant in named if variant in chosen}
    scratch = [found for found in rows.values() if found["parent"] is None]
    excluded = {name for name, found in rows.items() if not _learned(found)}
    learned = {name: found for name, found in rows.items() if name not in excluded}
    mixed = {found["variant"] for name, found in rows.items() if name in excluded} & chosen.keys()
    return {
        "chosen": chosen,
        "runs": len(scratch),
        "excluded": sorted(excluded),
        "correlations": {name: correlations(scratch, name, seed=seed) for name in OBSERVED},
        "correlations_learned": {
            name: correlations([found for found in scratch if _learned(found)], name, seed=seed)
            for name in OBSERVED
        },
        "altered": pooled_cells(learned, chosen),
        "altered_all": pooled_cells(rows, {variant: chosen[variant] for variant in sorted(mixed)}),
        "contrasts": pooled_contrasts(learned, chosen, seed=seed),
        "labels": labels(rows.values()),
    }


def _learned(found: Numbers) -> bool:
    return has_learned(found["validation_loss"], found["bigram_bits"])


def labels(rows: Iterable[Numbers]) -> dict[str, str]:
    """Readable names of the variants and methods of these rows."""
    return {name: label(name) for name in sorted({row[key] for row in rows for key in ("variant", "method")})}


def correlations(runs: Sequence[Numbers], name: str, *, seed: int) -> Numbers:
    """Spearman correlations of one observed number with the rise of the loss; None where too little is known."""
    known = [found for found in runs if found["observed"][name] is not None]
    x, y = (
        np.array([value(found) for found in known], dtype=np.float64)
        for value in (lambda found: found["observed"][name], lambda found: found["rise"])
    )
    methods, variants = ([found[key] for found in known] for key in ("method", "variant"))
    each = {}
    for method in sorted(set(methods)):
        own = np.array([m == method for m in methods])
        if own.sum() >= FEWEST:
            each[method] = _estimate(x[own], y[own], np.arange(int(own.sum())), None, seed)
    return {
        "over_runs": _estimate(x, y, _codes(variants), None, seed),
        "within_methods": _estimate(x, y, np.arange(len(x)), _codes(methods), seed),
        "each_method": each,
    }


def spearman(x: Values, y: Values, groups: Codes | None = None) -> float:
    """Correlation of ranks, nan where one does not vary; with groups, of ranks less their group's mean."""
    return float(_spearman(np.ones((1, len(x))), x, y, groups)[0])


def _spearman(
    counts: Float[np.ndarray, "draws runs"], x: Values, y: Values, groups: Codes | None
) -> Float[np.ndarray, " draws"]:
    """The same of many draws at once, in each of which a run occurs so many times.

    The rank of a value is the number of those below it, and half of those equal to it and one: a product of counts with
    a matrix of comparisons.
    """
    ranks = []
    for values in (x, y):
        below = (values[:, None] < values) + (values[:, None] == values) / 2.0  # [other, own]
        ranks.append(counts @ below + 0.5)
    member = np.ones((len(x), 1)) if groups is None else np.eye(int(groups.max()) + 1)[groups]
    sizes = np.maximum(counts @ member, 1)
    a, b = (r - ((counts * r) @ member / sizes) @ member.T for r in ranks)
    product, square_a, square_b = ((counts * u * v).sum(axis=1) for u, v in ((a, b), (a, a), (b, b)))
    size = np.sqrt(square_a * square_b)
    varies = size > 1e-9 * counts.sum(axis=1)
    return np.divide(product, size, out=np.full(len(counts), np.nan), where=varies)


def _estimate(x: Values, y: Values, clusters: Codes, groups: Codes | None, seed: int) -> Numbers | None:
    """Value, percentile interval over clusters drawn with replacement, and how many runs and clusters there are."""
    count = len(np.unique(clusters))
    if len(x) < FEWEST or not np.isfinite(value := spearman(x, y, groups)):
        return None
    found: Numbers = {"value": value, "runs": len(x), "clusters": count, "low": None, "high": None}
    if count < DRAWN:
        return found
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    drawn = _spearman(times[:, clusters].astype(np.float64), x, y, groups)
    known = drawn[np.isfinite(drawn)]
    if len(known) >= RESAMPLES // 2:  # else the draws hardly ever vary
        found["low"], found["high"] = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return found


DOSES = ("far_mass", "opening_mass", "entropy")


def pooled_cells(rows: Mapping[str, Numbers], chosen: Mapping[str, float]) -> dict[str, list[Numbers]]:
    """For each variant at its chosen rate, way and length: means over seeds, with Student's t intervals.

    bits per byte that are recovered (`back`) of those lost beyond L (`lost`), what is left lost (`left`), the share
    that is recovered (`share`, None where a model lost nothing; `documents`, of the first seed, with its interval over
    documents), the doses, and the constant of those that have one for all heads, each with its ends. `seeds` says how
    many.
    """
    found: dict[str, list[Numbers]] = {}
    for variant, runs in _of_variants(rows, chosen).items():
        cells = {(a["kind"], a["length"]) for r in runs for a in r["altered"]}
        for kind, length in sorted(cells, key=lambda cell: (cell[1], KINDS.index(cell[0]))):
            same = [a for r in runs for a in r["altered"] if (a["kind"], a["length"]) == (kind, length)]
            backs, losses = _recovered(same)
            pool: Numbers = {
                "kind": kind,
                "length": length,
                "seeds": len(same),
                "back": _pooled(backs),
                "lost": _pooled(losses),
                "left": _pooled(losses - backs),
                "share": _pooled(backs / losses) if (losses > 0).all() else None,
                "documents": same[0].get("share"),
            }
            for dose in DOSES:
                pool[dose] = _pooled(np.array([a[dose] for a in same]))
            if isinstance(same[0].get("constant"), float):
                pool["constant"] = _pooled(np.array([a["constant"] for a in same]))
            found.setdefault(variant, []).append(pool)
    return found


def pooled_contrasts(
    rows: Mapping[str, Numbers], chosen: Mapping[str, float], *, seed: int
) -> dict[str, list[Numbers]]:
    """For each variant at its chosen rate, each of `equal_dose.CONTRASTS` and length: one intervention less another.

    share: recovered by the one less recovered by the other, of what is lost from L on, mean over seeds with Student's
    t interval; share_matched: the same over the seeds whose far masses differ by at most `TOLERANCE_ON_TEST`, how many
    of which `matched` says; each: of each seed; documents: of the first seed, with its interval over documents; bits:
    as share, in bits per byte; undone: bits over those that the one recovers, 1 where the other recovers nothing;
    far_mass: of the one less of the other. Variants that lose nothing have none.
    """
    found: dict[str, list[Numbers]] = {}
    for variant, runs in _of_variants(rows, chosen).items():
        for name, (one, other) in CONTRASTS.items():
            for length in sorted({a["length"] for r in runs for a in r["altered"]}):
                pairs = [pair for r in runs if (pair := _pair(r, one, other, length)) is not None]
                if pairs and all(_recovered([a])[1][0] > 0 for _, a, _ in pairs):
                    found.setdefault(variant, []).append(
                        {"contrast": name, "length": length} | _contrast(pairs, seed)
                    )
    return found


def _pair(found: Numbers, one: str, other: str, length: int) -> tuple[Numbers, Numbers, Numbers] | None:
    """A run, and its cells of two interventions at a length; None unless it has both."""
    cells = {a["kind"]: a for a in found["altered"] if a["length"] == length}
    return (found, cells[one], cells[other]) if {one, other} <= cells.keys() else None


def _contrast(pairs: Sequence[tuple[Numbers, Numbers, Numbers]], seed: int) -> Numbers:
    ones, others = [a for _, a, _ in pairs], [b for _, _, b in pairs]
    (back_one, lost), (back_other, _) = _recovered(ones), _recovered(others)
    share, bits = (back_one - back_other) / lost, back_one - back_other
    far = np.array([a["far_mass"] - b["far_mass"] for a, b in zip(ones, others, strict=True)])
    matched = np.abs(far) <= TOLERANCE_ON_TEST
    return {
        "seeds": len(pairs),
        "share": _pooled(share),
        "matched": int(matched.sum()),
        "share_matched": _pooled(share[matched]) if matched.any() else None,
        "each": share.tolist(),
        "documents": _over_documents(*pairs[0], seed),
        "bits": _pooled(bits),
        "undone": _pooled(bits / back_one) if (back_one > 0).all() else None,
        "far_mass": _pooled(far),
    }


def _over_documents(found: Numbers, one: Numbers, other: Numbers, seed: int) -> list[float | None]:
    """Difference of the recovered shares of one run, over documents."""
    plain = {a["length"]: np.array(a["nats"]) for a in found["altered"] if a["kind"] == "plain"}
    lost = plain[one["length"]] - plain[found["trained_length"]]
    gained = np.array(other["nats"]) - np.array(one["nats"])
    if not (lost > 0).all():
        return [float(gained.sum() / lost.sum()), None, None]
    return over_documents(gained, lost, seed=seed).ends()


def _of_variants(rows: Mapping[str, Numbers], chosen: Mapping[str, float]) -> dict[str, list[Numbers]]:
    """Runs of each variant at its chosen rate that have been altered, by seed."""
    found = {
        variant: [r for r in rows.values() if (r["variant"], r["lr"]) == (variant, lr) and r["altered"]]
        for variant, lr in chosen.items()
    }
    return {name: sorted(runs, key=lambda r: r["seed"]) for name, runs in found.items() if runs}


def _recovered(
    cells: Sequence[Numbers],
) -> tuple[Float[np.ndarray, " seeds"], Float[np.ndarray, " seeds"]]:
    """Bits per byte that are recovered, and those that are lost from L on."""
    bits = [a["bits_per_byte"] for a in cells]
    backs = np.array([b["plain"] - b["altered"] for b in bits])
    return backs, np.array([b["plain"] - b["trained"] for b in bits])


def _codes(names: Sequence[str]) -> Codes:
    return np.unique(np.array(names, dtype=str), return_inverse=True)[1]


def _pooled(values: Float[np.ndarray, " seeds"]) -> list[float | None]:
    """Mean over seeds and the ends of its interval; None for the ends with a single seed."""
    return over_seeds(values).ends()


BIAS = schemas.BIAS
DIGITS = 5
DIVERGED = "diverged"

Numbers = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One model to measure, for whatever process does."""

    name: str
    weights: Path
    record: Path
    settings: ExtrapolationBiasSettings
    key: str
    methods: tuple[str, ...] = ()


def measure_runs(
    runs: Path,
    records: Path,
    out: Path,
    settings: ExtrapolationBiasSettings,
    *,
    variants: Sequence[str] = (),
    methods: Sequence[str] = (),
    workers: Workers = HERE,
    force: bool = False,
    arguments: Sequence[str],
    progress: Progress,
) -> Numbers:
    """Measure all runs that have weights and a record, and write the record of all that were ever measured into it.

    Args:
        runs: folder of the runs, as `tapa sweep` or `tapa train` leaves it.
        records: folder of the sweep's records: RUN.json; those of `tapa train` lie with their runs.
        out: record to write, JSON. Rows in it stay, those of runs that are not measured now included, until their run
            is measured again or has diverged.
        settings: see there.
        variants: the only ones to measure; all if empty.
        methods: classes of the user's own that the runs may use, imported where they are measured.
        workers: who measures.
        force: measure again what is up to date, too.
        arguments: the command line, for the record.
        progress: called with (what, done, total).

    Returns:
        The content of the record: settings, rows by run, left_out (run and why), summary of `summarise`.

    Raises:
        InputError: no such folder, no run with weights and a record, a variant that no run is of; a file that is
            damaged; `out` holds rows of other settings that are not measured again now.
    """
    tasks, left_out = _tasks(runs, records, settings, variants)
    rows, chosen = _known(out, settings, {task.name for task in tasks})
    up_to_date = {} if force else {row["key"]: row for row in rows.values() if "key" in row}
    rows |= {task.name: up_to_date[task.key] for task in tasks if task.key in up_to_date}
    todo = [replace(task, methods=tuple(methods)) for task in tasks if task.key not in up_to_date]
    rows = {name: row for name, row in rows.items() if left_out.get(name) != DIVERGED}
    chosen |= _chosen(runs, records, {task.name for task in tasks} | rows.keys())
    begun = time.perf_counter()
    progress("models", len(tasks) - len(todo), len(tasks))
    content = _content(settings, rows, left_out, chosen)
    with closing(run(measured, todo, workers)) as results:
        for done, (name, found) in enumerate(results, len(tasks) - len(todo) + 1):
            rows[name] = found
            progress("models", done, len(tasks))
            content = _content(settings, rows, left_out, chosen)
            _write(content, out, settings, arguments, time.perf_counter() - begun)
    if not todo:  # left out or summarised otherwise than before
        _write(content, out, settings, arguments, time.perf_counter() - begun)
    return content


def measured(task: Task) -> tuple[str, Numbers]:
    """Name and row of one run."""
    for name in task.methods:
        imported(name)
    content = run_record.read_run(task.record)
    checkpoint = read_checkpoint(task.weights)
    data = own_corpus(checkpoint, silent)
    bits = {r["length"]: r["bits_per_byte"] for r in content["evaluations"] if r["extension"] == "none"}
    trained = checkpoint.config.context
    reach = min(REACH, max(bits) // trained)
    if reach < 2:
        raise InputError(f"{task.record} has no loss beyond the trained length of {trained} tokens")
    about = {name: content[name] for name in ("variant", "seed", "lr", "parent", "validation_loss")}
    described = content["seed"] == 0
    found = row(load_model(task.weights), data, task.settings, reach=reach, described=described)
    losses = {str(length): value for length, value in bits.items()}
    rise = bits[reach * trained] - bits[trained]
    extra = {"method": checkpoint.config.method.name, "key": task.key, "bits_per_byte": losses, "rise": rise}
    return task.name, about | extra | found


def _tasks(
    runs: Path, records: Path, settings: ExtrapolationBiasSettings, variants: Sequence[str]
) -> tuple[list[Task], dict[str, str]]:
    """What can be measured, by name, and of every other run why not."""
    if not runs.is_dir():
        raise InputError(f"{runs}: no such folder; give the folder of the runs of `tapa sweep`")
    found: list[Task] = []
    left_out: dict[str, str] = {}
    seen: set[str] = set()
    names = {path.name for path in runs.iterdir() if path.is_dir()}
    if not _own_records(runs):
        names |= {path.stem for path in records.glob("*-lr*.json")}
    for name in sorted(names):
        record = runs / name / run_record.RECORD
        record = record if record.is_file() else records / f"{name}.json"
        if not record.is_file():
            left_out[name] = "no record yet"
            continue
        content = run_record.read_run(record)
        seen.add(content["variant"])
        corpus = content["configuration"]["recipe"]["corpus"]
        weights = _weights(runs / name)
        if content["diverged"] is not None:
            left_out[name] = DIVERGED
        elif weights is None:
            left_out[name] = "no weights here"
        elif corpus not in NAMED:
            left_out[name] = f"trained on the folder {corpus}, whose place is not recorded"
        elif not variants or content["variant"] in variants:
            found.append(Task(name, weights, record, settings, row_key(settings, weights, record)))
    if unknown := [name for name in variants if name not in seen]:
        where = runs if _own_records(runs) else records
        raise InputError(f"no run of variant {unknown[0]!r} in {where}; {nearest(unknown[0], sorted(seen))}")
    if not found and _own_records(runs):
        name, why = next(iter(left_out.items()), ("nothing", "no run"))
        raise InputError(
            f"no run in {runs} can be measured, such as {name}: {why}; make some with `tapa train`, on one of the "
            f"corpora {', '.join(NAMED)}"
        )
    if not found:
        raise InputError(
            f"no run in {runs} has weights and a record in {records}; make some with `tapa sweep`, or give --records"
        )
    return found, left_out


def _own_records(runs: Path) -> list[Path]:
    """Records of `tapa train` that lie with their runs."""
    return sorted(runs.glob(f"*/{run_record.RECORD}"))


def _weights(folder: Path) -> Path | None:
    """A run's weights: those that a sweep keeps, or of the newest checkpoint."""
    kept = folder / checkpoint.MODEL
    newest = checkpoint.latest(folder)
    return kept if kept.is_file() else newest and newest / checkpoint.MODEL


def _chosen(runs: Path, records: Path, names: Set[str]) -> dict[str, float]:
    """Learning rate of each variant by the validation loss, among all runs like those named, measured here or not."""
    own = [run_record.read_run(path) for path in _own_records(runs)]
    swept = [run_record.read_run(path) for path in sorted(records.glob(run_record.NAMES))]
    found = run_record.choose(_comparable(swept, names))
    chosen = {name: one.rate for name, one in found.items() if one.rate is not None}
    ended = [content for content in own if content["diverged"] is None]
    for content in sorted(ended, key=lambda content: -content["validation_loss"]):
        chosen[content["variant"]] = content["lr"]  # the least loss comes last
    return chosen


def _comparable(contents: Sequence[run_record.Content], names: Set[str]) -> list[run_record.Content]:
    """Records of the experiments that the named runs are of, and of what these go on from, whatever else is there.

    Runs of one experiment and variant differ in learning rate and seed alone, and in the run that they go on from.
    """

    def experiment(content: run_record.Content) -> str:
        recipe = content["configuration"]["recipe"]
        sizes = [recipe.get(name) for name in ("corpus", "length", "batch", "steps", "model")]
        shared = [content[name] for name in run_record.SHARED]
        return json.dumps([content["variant"], content["configuration"]["lengths"], sizes, shared])

    of_each = [(content, experiment(content)) for content in contents]
    kinds = {kind for content, kind in of_each if content["run"] in names}
    parents = {content["parent"] for content, kind in of_each if kind in kinds}
    kinds |= {kind for content, kind in of_each if content["run"] in parents}
    return [content for content, kind in of_each if kind in kinds]


def _known(
    out: Path, settings: ExtrapolationBiasSettings, measured_now: set[str]
) -> tuple[dict[str, Numbers], dict[str, float]]:
    """Rows by run and chosen learning rates of a record that is there; `InputError` if settings would be mixed."""
    if not out.exists() or not out.stat().st_size:
        return {}, {}
    content = read_summary(out, expect_schema=BIAS)
    with relied_on(out, BIAS):
        rows, then, now = content["rows"], content["settings"], asdict(settings)
        if then == now:
            return dict(rows), dict(content["summary"]["chosen"])
        if others := sorted(rows.keys() - measured_now):
            names = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
            differ = "; ".join(f"{name}={then.get(name)}, not {now.get(name)}" for name in names)
            raise InputError(
                f"{out} holds rows of other settings ({differ}), such as that of {others[0]}, which is not measured "
                f"now; give another --out"
            )
        return {}, {}


def _content(
    settings: ExtrapolationBiasSettings,
    rows: dict[str, Numbers],
    left_out: dict[str, str],
    chosen: dict[str, float],
) -> Numbers:
    ordered = {name: rows[name] for name in sorted(rows)}
    return {
        "settings": asdict(settings),
        "rows": ordered,
        "left_out": {name: why for name, why in left_out.items() if name not in rows},
        "summary": summarise(ordered, chosen, seed=settings.seed),
    }


def _write(
    content: Numbers, out: Path, settings: ExtrapolationBiasSettings, arguments: Sequence[str], seconds: float
) -> None:
    provenance = Provenance.collect(
        arguments,
        asdict(settings) | {"runs": list(content["rows"])},
        seeds={"windows, spans, shuffled distances and bootstraps": settings.seed},
        device="cpu",
        precision="float32 forward and losses; float64 sums and closed forms",
        threads=1,
        seconds=seconds,
    )
    write_summary(content, out, provenance, schema=BIAS, digits=DIGITS)
