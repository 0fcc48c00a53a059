"""A finding: one measured sentence with its label, its values, its record and its figure; and how records are read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from analysis.errors import InputError
from analysis.settings import FEWEST as FEWEST

FOLDER = Path(__file__).resolve().parents[1]
RATES, LENGTHS = "fig_15_learning_rates", "fig_13_perplexity_by_length"
ORIGINS = {  # by record: the command that makes it, and the module that measures
    "summaries/smollm2.json": ("tapa measure smollm2 --summary FILE", "analysis/studies/distance_bias.py"),
    "summaries/gemma3.json": (
        "tapa measure gemma3-270m --windows 4 --length 1024 --summary FILE",
        "analysis/studies/distance_bias.py",
    ),
    "summaries/layers.json": (
        "tapa bench large_model_memory layerwise_memory --out FILE",
        "analysis/layer_jobs.py",
    ),
    "summaries/formula_shapes.json": ("tapa figures mean_score_shapes", "analysis/studies/formula_fit.py"),
    "summaries/bias.json": ("tapa bias RUNS", "analysis/studies/equal_dose.py"),
    "summaries/position_code.json": ("tapa position RUNS", "analysis/studies/position_code.py"),
    "summaries/bias_code.json": ("tapa bias RUNS", "analysis/studies/equal_dose.py"),
    "summaries/bias_sweep.json": ("tapa bias RUNS", "analysis/studies/extrapolation_bias_runs.py"),
    "summaries/phase.json": ("tapa figures", "analysis/studies/phase_summary.py"),
    "summaries/phase_seeds.json": ("tapa phase-seeds RUNS", "analysis/studies/phase_seeds.py"),
    "summaries/rivals.json": ("tapa figures", "analysis/studies/encodings_ranked.py"),
    "summaries/hostile.json": ("python -m tests.hostile COUNT --out FILE", "tests/hostile.py"),
    "summaries/mutants.json": ("python -m proofs.mutants COUNT", "proofs/mutants.py"),
    "summaries/bench.json": ("tapa bench", "analysis/bench.py"),
    "summaries/compiled_loop.json": (
        "tapa bench fused_attention_speed fused_training_speed phase_curves_speed --out FILE",
        "analysis/attention_jobs.py",
    ),
    "summaries/kills.json": ("python -m tests.kills --folder NEW", "tests/kills.py"),
    "trained/score_variance.nc": ("tapa score-variance RUNS", "analysis/studies/score_variance.py"),
    "trained/formula_fit*.nc": ("tapa formula MODEL", "analysis/studies/formula_fit.py"),
    "trained/smollm2_extension.nc": ("tapa evaluate smollm2", "analysis/evaluation/loss_by_length.py"),
    "trained/recovery.nc": ("tapa recovery smollm2", "analysis/studies/recovery.py"),
    "trained/smollm2_bias.nc": ("tapa bias smollm2", "analysis/studies/bias_interventions.py"),
    "trained/*_needle-*.json": ("tapa sweep retrieval", "analysis/evaluation/retrieval.py"),
    "trained/*_recall-*.json": ("tapa sweep retrieval", "analysis/evaluation/retrieval.py"),
    "trained_long/earlier/*.json": ("tapa sweep long --tier gate", "analysis/experiments/long_use.py"),
    "trained_long/code-*.json": (
        "tapa sweep long --tier code --tier code_fine --tier code_more",
        "analysis/experiments/long_use.py",
    ),
    "tables/long_*.csv": ("tapa results long", "analysis/experiments/long_results.py"),
    "tables/*.csv": ("tapa results", "analysis/experiments/tables.py"),
    "../proofs/STATUS.md": ("tapa verify --write", "proofs/ledger.py"),
}
SEEDS = "mean over seeds [95 %, Student's t over {seeds} seeds]"


@dataclass(frozen=True, slots=True)
class Value:
    """A number as prose prints it, with its interval where it has one.

    >>> str(Value(0.3845, form=".0f", scale=100, unit=" %"))
    '38 %'
    >>> str(Value(2.292, 2.276, 2.308))
    '2.29 [2.28, 2.31]'
    """

    value: float
    low: float | None = None
    high: float | None = None
    form: str = ".2f"
    scale: float = 1.0
    unit: str = ""

    def __str__(self) -> str:
        text = self._one(self.value) + self.unit
        if self.low is None or self.high is None:
            return text
        return f"{text} [{self._one(self.low)}, {self._one(self.high)}]"

    def _one(self, value: float) -> str:
        return format(value * self.scale + 0.0, self.form)


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a finding: the word, the date, and what was said or why it no longer stands."""

    word: str
    date: str
    why: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One measured sentence.

    Attributes:
        label: for ever; lower-case words joined by hyphens, so that it is its own anchor in `FINDINGS.md`.
        template: the sentence, with `{name}` where a value goes.
        values: what goes there.
        record: file that the values come from, below `figures/`.
        figure: module below `figures/` that draws it, or none.
        status: none while it stands as first said.
    """

    label: str
    template: str
    record: str
    values: Mapping[str, Value | str | int] = field(default_factory=dict)
    figure: str | None = None
    status: Status | None = None

    @property
    def sentence(self) -> str:
        return self.template.format(**self.values)

    @property
    def origin(self) -> tuple[str, str]:
        """The command that makes the record, and the module that measures."""
        return next(made for name, made in ORIGINS.items() if fnmatchcase(self.record, name))

    def as_text(self) -> str:
        """The finding for a terminal."""
        command, module = self.origin
        lines = [f"{self.label}: {self.sentence}", f"  record: figures/{self.record}"]
        lines += [f"  made by: {command} ({module})"]
        lines += [f"  figure: figures/{self.figure}.py"] if self.figure else []
        status = self.status
        return "\n".join(lines + ([f"  {status.word} {status.date}: {status.why}"] if status else []))

    def as_json(self) -> dict[str, Any]:
        """Sentence, raw values with the ends of their intervals, record, figure and status."""
        values = {
            name: [value.value, value.low, value.high] if isinstance(value, Value) else value
            for name, value in self.values.items()
        }
        status = None if self.status is None else {"word": self.status.word, "date": self.status.date}
        return {
            "label": self.label,
            "sentence": self.sentence,
            "values": values,
            "record": f"figures/{self.record}",
            "made_by": self.origin[0],
            "code": self.origin[1],
            "figure": self.figure,
            "status": status or {"word": "stands"},
        }


def percent(value: float, low: float | None = None, high: float | None = None, *, digits: int = 0) -> Value:
    """A share as per cent."""
    return Value(value, low, high, form=f".{digits}f", scale=100.0, unit=" %")


def number(value: float, digits: int = 2) -> Value:
    """A number without an interval."""
    return Value(value, form=f".{digits}f")


@cache
def content(name: str) -> Any:
    """Content of a JSON record below `figures/`."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))["content"]


def _lengths(run: str) -> tuple[int, int]:
    """Of a run the length that it is trained at, and the longest at which it is evaluated."""
    configuration = content(f"trained/{run}.json")["configuration"]
    return configuration["recipe"]["length"], configuration["lengths"][-1]


TRAINED_LENGTH, LONGEST = _lengths("rope-s0-lr4e-3")  # bytes; alike in all small models
FINE_TUNED_LENGTH, FINE_TUNED_LONGEST = _lengths("rope_4x-s0-lr1e-3")


@cache
def table(name: str) -> tuple[dict[str, str], ...]:
    """Rows of a table below `figures/tables`."""
    with (FOLDER / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def only(rows: Iterable[dict[str, str]], **wanted: str | int) -> dict[str, str]:
    """The one row that has these entries."""
    found = [row for row in rows if all(row[key] == str(value) for key, value in wanted.items())]
    if len(found) != 1:
        raise InputError(f"{len(found)} rows have {wanted}; a finding needs exactly one")
    return found[0]


def with_seed_interval(row: Mapping[str, str], key: str, digits: int = 2, sign: str = "") -> Value:
    """An entry of a table with its interval over seeds, of which `FEWEST` give one."""
    low, high = (row[f"{key}_seeds_{end}"] for end in ("low", "high"))
    ends = (float(low), float(high)) if low and high and len(row["seeds"].split()) >= FEWEST else (None, None)
    return Value(float(row[key]), *ends, form=f"{sign}.{digits}f")


def label_part(name: str) -> str:
    """A variant's name as part of a label."""
    return name.replace("_", "-").replace(".", "-")


def triple(ends: Iterable[Any], form: str = ".2f", scale: float = 1.0, unit: str = "") -> Value:
    """A value and the ends of its interval, as records keep the three; the ends may be None."""
    return Value(*ends, form=form, scale=scale, unit=unit)


def label_of(variant: str) -> str:
    """A variant as the tables call it."""
    return next(row["label"] for row in table("tuning") if row["variant"] == variant)


def method_name(variant: str) -> str:
    """The same with a capital, for the beginning of a sentence."""
    return capital(label_of(variant))


def capital(text: str) -> str:
    """The same with a capital letter at its beginning."""
    return text[0].upper() + text[1:]


def chosen_rate(variant: str) -> str:
    """The learning rate that a variant was trained at: the best of its grid at the trained length, seed 0."""
    return next(r["rate"] for r in table("tuning") if r["variant"] == variant and r["chosen"] == "True")
