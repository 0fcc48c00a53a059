"""How far does training bring a model back whose positional encoding was exchanged? What `tapa recovery` runs.

The plan, fixed before the first number of the record:

Arms        `ARMS`, each of the same model, trained on the same windows in the same order at the same rate: its own RoPE
            (the control: what this text alone brings), TAPA by `models.convert`'s start, the rotation dropped (as DroPE
            begins), and YaRN (a change of RoPE that is known to cost little). `RAW`, TAPA over the weights as they are,
            is measured and not trained. `STILL`, added when the curves of the others were known and before the first
            number of its own, is TAPA's start with a phase that stays at 0, so that its cosine is 1 at every distance:
            what it recovers is the start's, and the phase's is what TAPA has beyond it.
Scored      `target` tokens of each span of the test split, which chose nothing; the same at every length.
Measured    before any training and whenever the tokens have doubled, with windows as long as in training and longer.
            All arms reach one number of tokens before any of them goes on, so that the record is one of equal tokens
            wherever it was stopped.
Endpoint    loss of TAPA less that of continued RoPE after as many tokens, at the length of training, at the largest
            number of tokens that every arm has reached; intervals over documents, of paired differences.
Secondary   the same at the longer window; the other arms; the share of each arm's first excess that is closed; loss of
            TAPA less that of `STILL`, at both windows.
Not decided one rate, which was tuned for no arm, and one seed: which arm is better where intervals over documents alone
            leave zero out is not decided; nor is parity, at a millionth of the tokens that such models are trained on.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float

from analysis import records, schemas
from analysis.errors import InputError
from analysis.evaluation.loss_by_length import Protocol, Target, losses_by_document, position_edges
from analysis.intervals import Interval, over_documents
from analysis.models.convert import converted
from analysis.models.devices import say_if_emulated
from analysis.models.huggingface import Checkpoint
from analysis.models.load import PretrainedModel, open_model
from analysis.models.pretrained_losses import pretrained_reader
from analysis.models.tapa_llama import with_tapa
from analysis.progress import NotedProgress, silent
from analysis.records import Provenance
from analysis.studies.settings import RecoverySettings
from analysis.tables import Table
from analysis.text.corpus import Corpus, corpus
from analysis.text.windows import Document, spans
from analysis.training.finetune import Finetuning, narrow, start_of, tokenized_documents
from analysis.training.train import one_run_in


@dataclass(frozen=True, slots=True)
class Arm:
    """One exchange of a model's positional encoding.

    Attributes:
        name: in the record.
        said: to a reader.
        to: the encoding of `tapa convert` that it is trained as.
        phase_rows: what of the weights TAPA's phase starts with, as in `models.convert.converted`; None for its own.
        raw: TAPA over the weights as they are, which is measured and not trained.
    """

    name: str
    said: str
    to: str
    phase_rows: float | None = None
    raw: bool = False

    def begun(self, model: Any) -> Any:
        """A copy of the model of transformers with this encoding, before any training."""
        return with_tapa(model) if self.raw else converted(model, self.to, phase_rows=self.phase_rows)


CONTROL, RAW, STILL = "rope", "tapa-raw", "tapa-still"
STILL_ROWS = 2.0**-40  # of the phase's rows: it and its gradients round to nothing beside 1, and stay there
ARMS = {
    arm.name: arm
    for arm in (
        Arm(CONTROL, "RoPE, trained on", "rope"),
        Arm("tapa", "TAPA", "tapa"),
        Arm("nope", "rotation dropped", "nope"),
        Arm("yarn", "YaRN", "yarn"),
        Arm(STILL, "TAPA, phase at 0", "tapa", phase_rows=STILL_ROWS),
        Arm(RAW, "TAPA, raw weights", "tapa", raw=True),
    )
}
TRAINED_ARMS = tuple(arm.name for arm in ARMS.values() if not arm.raw)
SAVE_EVERY = 32  # steps between two checkpoints of an arm
TIMED = 2  # steps whose time makes a plan's hours, after one that is not counted

Cell = tuple[str, int, int]
"""Arm, tokens it was trained on, length."""


def planned_measurements(settings: RecoverySettings) -> list[tuple[str, int]]:
    """Arms and tokens in the order in which they are trained to and measured."""
    return _planned(settings.points)


def _planned(points: Iterable[int]) -> list[tuple[str, int]]:
    """Every arm before training, then those that are trained at each further number of tokens."""
    return [(arm, tokens) for tokens in points for arm in (TRAINED_ARMS if tokens else ARMS)]


@dataclass(slots=True)
class RecoveryRecord:
    """What has been measured.

    Attributes:
        settings: of the plan.
        targets: that are scored.
        key: of model, text and settings, but for how many tokens are wanted.
        nats: by cell, of each document.
    """

    settings: RecoverySettings
    targets: Sequence[Target]
    key: str
    nats: dict[Cell, Float[np.ndarray, " documents"]] = field(default_factory=dict)

    @property
    def documents(self) -> list[str]:
        """Names, each once."""
        return list(dict.fromkeys(target.document for target in self.targets))

    @property
    def lengths(self) -> tuple[int, int]:
        """Of the windows."""
        return self.settings.length, self.settings.long

    def has(self, arm: str, tokens: int) -> bool:
        """Is it measured at every length?"""
        return all((arm, tokens, length) in self.nats for length in self.lengths)

    def measure(self, arm: str, tokens: int, model: Any, first_token: int | None) -> None:
        """Score the targets at every length."""
        checkpoint = Checkpoint.of(model, name=arm)
        for length in self.lengths:
            read, rows = pretrained_reader(checkpoint, length)
            with narrow(self.settings.precision):
                found = losses_by_document(
                    read, self.targets, length, Protocol("sliding", self.settings.target),
                    edges=position_edges(length), rows=rows, first_token=first_token,
                )  # fmt: skip
            self.nats[arm, tokens, length] = np.array([found[name].nats for name in self.documents])

    def resume(self, path: Path) -> None:
        """Take over what a record at `path` has; `InputError` if it is of another model, text or plan."""
        if not path.is_file():
            return
        data = records.read(path, expect_schema=schemas.RECOVERY)
        if data.attrs["key"] != self.key:
            raise InputError(
                f"{path} is of another model, other texts or settings; give another --out or remove it"
            )
        for arm in map(str, data.arm.values):
            for tokens in map(int, data.trained.values):
                for length in map(int, data.length.values):
                    values = data.nats.sel(arm=arm, trained=tokens, length=length).values
                    if np.isfinite(values).all():
                        self.nats[arm, tokens, length] = values

    def dataset(self) -> xr.Dataset:
        """Everything so far; nan where nothing has been measured."""
        arms = list(ARMS)
        points = sorted({*self.settings.points, *(tokens for _, tokens, _ in self.nats)})
        shape = (len(arms), len(points), len(self.lengths))
        nats = np.full((*shape, len(self.documents)), np.nan)
        for (arm, tokens, length), values in self.nats.items():
            nats[arms.index(arm), points.index(tokens), self.lengths.index(length)] = values
        counts = np.array(
            [sum(t.stop - t.start for t in self.targets if t.document == name) for name in self.documents]
        )
        ends = {name: np.full((3, *shape), np.nan) for name in ("loss", "excess", "closed")}
        seed = self.settings.seed
        for at in np.ndindex(*shape):
            own, control = nats[at], nats[arms.index(CONTROL), at[1], at[2]]
            if not np.isfinite(own).all():
                continue
            ends["loss"][:, *at] = _numbers(over_documents(own, counts, seed=seed))
            if at[0] == arms.index(CONTROL) or not np.isfinite(control).all():
                continue
            ends["excess"][:, *at] = _numbers(over_documents(own - control, counts, seed=seed))
            before = nats[at[0], 0, at[2]] - nats[arms.index(CONTROL), 0, at[2]]
            if (before > 0).all():  # false of nan
                closed = over_documents(before - (own - control), before, seed=seed)
                ends["closed"][:, *at] = _numbers(closed)
        axes = ("arm", "trained", "length")
        return xr.Dataset(
            {
                "nats": ((*axes, "document"), nats),
                "tokens": ("document", counts),
                **{
                    f"{name}{suffix}": (axes, values[i])
                    for name, values in ends.items()
                    for i, suffix in enumerate(("", "_low", "_high"))
                },
            },
            coords={
                "arm": arms, "trained": points, "length": list(self.lengths), "document": self.documents,
            },
            attrs={"key": self.key, "lr": self.settings.lr, "window": self.settings.length},
        )  # fmt: skip


def _numbers(interval: Interval) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high


# From a model's name to the record.


@dataclass(slots=True)
class _Bench:
    """A model, what its arms learn from, and where their checkpoints lie."""

    model: PretrainedModel
    data: Corpus
    learned: list[Document]
    settings: RecoverySettings
    runs: Path

    def started(self, arm: str) -> Any:
        """The arm's model before any training."""
        return ARMS[arm].begun(self.model.checkpoint.model)

    def run(self, arm: str) -> Finetuning:
        """The arm's training, where it stopped."""
        return Finetuning.begun(
            self.started(arm), self.learned, self.settings.arm(ARMS[arm].to), self.runs / arm,
            start=start_of(self.model, self.data), first_token=self.model.first_token,
        )  # fmt: skip


def _prepared(
    name: str, settings: RecoverySettings, runs: Path, progress: NotedProgress
) -> tuple[_Bench, RecoveryRecord]:
    found = open_model(name, progress=lambda what, done, total: progress(what, done, total, ""))
    if not isinstance(found, PretrainedModel):
        raise InputError(
            f"{name} is no model of transformers; give smollm2, a Hugging Face folder or a .gguf"
        )
    say_if_emulated("cpu", settings.precision)
    data = corpus(settings.corpus)
    progress("tokens", 0, 0, "")
    learned, tested = (tokenized_documents(found, split) for split in (data.train, data.test))
    chosen = spans(
        tested, settings.long - settings.target, settings.target, settings.spans, seed=settings.seed
    )
    targets = [
        Target(d.name, d.tokens, np.ones(len(d.tokens), np.int64), start, start + settings.target)
        for d, start in zip(chosen.documents, chosen.starts, strict=True)
    ]
    decided = {name: value for name, value in asdict(settings).items() if name != "tokens"}
    said = json.dumps([found.sha256, data.sha256, chosen.sha256, decided], sort_keys=True)
    key = hashlib.sha256(said.encode()).hexdigest()
    return _Bench(found, data, learned, settings, runs), RecoveryRecord(settings, targets, key)


def measure_recovery(
    name: str,
    settings: RecoverySettings,
    out: Path,
    runs: Path,
    *,
    arguments: Sequence[str],
    deadline: float | None = None,
    progress: NotedProgress = silent,
) -> xr.Dataset:
    """Train the arms and measure them, writing the record after each measurement.

    Args:
        name: "smollm2" (fetched), a Hugging Face folder, or a .gguf file.
        settings: see there.
        out: record to write; what it holds of the same plan is not measured again.
        runs: folder of the arms' checkpoints, 12 bytes a weight each, twice.
        arguments: the command line, for the record.
        deadline: seconds since the epoch after which nothing is begun; None for no limit.
        progress: called with (what, done, total, note).

    Returns:
        The record so far.

    Raises:
        InputError: whatever cannot be used of the model, the settings or the files; a loss that is not finite.
    """
    begun = time.process_time()
    bench, record = _prepared(name, settings, runs, progress)
    with one_run_in(runs), records.relied_on(out, schemas.RECOVERY):
        record.resume(out)
        for done, (arm, tokens) in enumerate(todo := planned_measurements(settings)):
            progress("recovery", done, len(todo), f"{arm} at {tokens:,} tokens")
            if record.has(arm, tokens):
                continue
            model = _trained_to(bench, arm, tokens, deadline, progress)
            if model is None:
                break
            record.measure(arm, tokens, model, bench.model.first_token)
            _write(bench, record, out, arguments, time.process_time() - begun)
    return record.dataset()


def _trained_to(bench: _Bench, arm: str, tokens: int, deadline: float | None, progress: NotedProgress) -> Any:
    """The arm's model after so many tokens; None if the time is up before."""
    if deadline is not None and time.time() > deadline:
        return None
    if tokens == 0:
        return bench.started(arm)
    run, steps = bench.run(arm), bench.settings.arm(ARMS[arm].to).steps(tokens)
    if run.step > steps:
        raise InputError(
            f"{run.out} has gone on beyond {tokens} tokens, whose loss is not in the record; give another --runs"
        )
    if not run.train_to(steps, save_every=SAVE_EVERY, progress=progress, deadline=deadline):
        return None
    return run.model


def _write(
    bench: _Bench, record: RecoveryRecord, out: Path, arguments: Sequence[str], seconds: float
) -> None:
    narrowly = "bfloat16 products, float32 weights, phases, scores and sums"
    provenance = Provenance.collect(
        arguments,
        bench.model.recorded | asdict(bench.settings),
        seeds={"windows, spans and bootstrap": bench.settings.seed},
        device="cpu",
        precision=narrowly if bench.settings.precision == "bfloat16" else "float32",
        threads=torch.get_num_threads(),
        seconds=seconds,
        model_sha256=bench.model.sha256,
        text_sha256=bench.data.sha256,
    )
    records.write(record.dataset(), out, provenance, schema=schemas.RECOVERY)


def recovery_hours(
    name: str, settings: RecoverySettings, out: Path, runs: Path, *, progress: NotedProgress = silent
) -> float:
    """CPU hours that are left of a plan, from a few timed steps and one timed measurement of TAPA; nothing is kept.

    Args and errors: as `measure_recovery`.
    """
    bench, record = _prepared(name, settings, runs, progress)
    record.resume(out)
    run = Finetuning.begun(
        bench.started("tapa"), bench.learned, settings.arm("tapa"), runs / "timed", start={},
        first_token=bench.model.first_token,
    )  # fmt: skip
    progress("timed steps", 0, 1 + TIMED, "")
    run.advance()
    begun = time.process_time()
    for i in range(TIMED):
        progress("timed steps", 1 + i, 1 + TIMED, "")
        run.advance()
    progress("timed steps", 1 + TIMED, 1 + TIMED, "")
    step = (time.process_time() - begun) / TIMED
    begun = time.process_time()
    RecoveryRecord(settings, record.targets, "").measure("tapa", 0, run.model, bench.model.first_token)
    measurement = time.process_time() - begun
    before = dict(zip(settings.points[1:], settings.points, strict=False))
    todo = [(arm, tokens) for arm, tokens in planned_measurements(settings) if not record.has(arm, tokens)]
    steps = sum((tokens - before[tokens]) // run.settings.step_tokens for _, tokens in todo if tokens)
    return (len(todo) * measurement + steps * step) / 3600


# What a record says.


def reached(data: xr.Dataset, arms: Sequence[str] = TRAINED_ARMS) -> int:
    """The largest number of tokens after which all these arms have been measured at every length; 0 also for none."""
    full = np.isfinite(data.loss.reindex(arm=list(arms))).all(("arm", "length")).values
    return max((int(tokens) for tokens in data.trained.values[full]), default=0)


def unmeasured(data: xr.Dataset) -> list[tuple[str, int]]:
    """Arms and tokens of the plan that are not measured at every length, in the order of the plan."""
    full = np.isfinite(data.loss.reindex(arm=list(ARMS))).all("length")  # older records have fewer arms
    planned = _planned(map(int, data.trained.values))
    return [(arm, tokens) for arm, tokens in planned if not bool(full.sel(arm=arm, trained=tokens))]


def recovery_rows(data: xr.Dataset) -> list[dict[str, Any]]:
    """One mapping for each arm, tokens and length that is measured, fit for JSON: None where there is no number."""
    rows = []
    for arm, tokens, length in _cells(data):
        cell = data.sel(arm=arm, trained=tokens, length=length)
        names = [f"{name}{end}" for name in ("loss", "excess", "closed") for end in ("", "_low", "_high")]
        values = {name: float(cell[name]) for name in names}
        rows.append(
            {"arm": arm, "trained": tokens, "length": length}
            | {name: value if math.isfinite(value) else None for name, value in values.items()}
        )
    return rows


def _cells(data: xr.Dataset) -> Iterator[Cell]:
    for length in map(int, data.length.values):
        for tokens in map(int, data.trained.values):
            for arm in map(str, data.arm.values):
                if math.isfinite(float(data.loss.sel(arm=arm, trained=tokens, length=length))):
                    yield arm, tokens, length


def recovery_table(data: xr.Dataset) -> str:
    """Loss by arm and tokens for a reader, the excess over continued RoPE, and what of the plan is not measured yet."""
    lines = [
        [
            str(row["length"]),
            f"{row['trained']:,}",
            ARMS[row["arm"]].said,
            f"{row['loss']:.3f}",
            "-"
            if row["excess"] is None
            else "{excess:.3f} [{excess_low:.3f}, {excess_high:.3f}]".format(**row),
        ]
        for row in recovery_rows(data)
    ]
    text = Table(["window", "tokens", "arm", "nats per token", "less continued RoPE [95 %]"], lines).text()
    if not (left := unmeasured(data)):
        return text
    arm, tokens = left[0]
    return f"{text}\nnot measured yet: {len(left)} arms and tokens of the plan, from {arm} at {tokens:,} tokens on"
