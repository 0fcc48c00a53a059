"""Every record and every figure, one row each: what makes it from what, with which settings, and where it lies.

A study is named by "module:function" and imported when its step runs, so that reading this table imports nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from analysis import records, schemas
from analysis.errors import InputError
from analysis.settings import nearest

ROOT = Path(__file__).resolve().parent.parent
MADE = (
    records.data_folder()
)  # `figures/` of a clone; where the wheel is installed, a folder that can be written
RECORDS = MADE / "records"  # rebuilt in minutes
OUT = MADE / "out"
SUMMARIES = ROOT / "figures" / "summaries"  # committed
TRAINED = ROOT / "figures" / "trained"  # committed records of trained models
CHECKPOINTS = TRAINED / "checkpoints"
LONG = ROOT / "figures" / "trained_long"  # committed records of the long-range experiment
TABLES = MADE / "tables"  # committed: they follow from the records of trained models alone


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A record and the study that makes it.

    Attributes:
        name: of the record and its file.
        schema: its kind.
        study: "module:function", called with all that follows by keyword and returning an xarray Dataset, or a mapping
            for JSON, and its provenance unless `settings` say all of it. None: the committed record of many
            trainings, which only the command in its schema makes.
        settings: what decides the numbers, `seed` among them if something is drawn.
        precision: of the computation.
        needs: records that the study takes.
        inputs: files that the study takes, by keyword and name.
        folder: where the file lies; RECORDS is rebuilt, the others are committed.
        digits: significant ones of a record of words and numbers (JSON); None for a record of arrays (netCDF).
        tables: "module:function", makes Markdown and CSV out of the record, text by file name.
        table_files: where those lie.
        long: whether its step is begun before others, because it takes long.
    """

    name: str
    schema: records.Schema
    study: str | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "float64"
    needs: tuple[str, ...] = ()
    inputs: Mapping[str, Mapping[str, Path] | Path] = field(default_factory=dict)
    folder: Path = RECORDS
    digits: int | None = None
    tables: str | None = None
    table_files: tuple[Path, ...] = ()
    long: bool = False

    @property
    def path(self) -> Path:
        """The record's file."""
        return self.folder / f"{self.name}.{'nc' if self.digits is None else 'json'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A figure; where a record of each TAPA checkpoint is drawn, a picture for each.

    Attributes:
        name: on the command line.
        number: in its module's name and docstring.
        needs: records that it draws; of `EACH` kind, one record for every TAPA checkpoint.
        claims: labels that it bears on.
        committed: a copy of its PNG that is committed, for the README.
    """

    name: str
    number: int
    needs: tuple[str, ...]
    claims: tuple[str, ...]
    committed: Path | None = None

    @property
    def drawn_by(self) -> str:
        """ "module:function" that takes the records by name and returns a matplotlib figure."""
        return f"figures.fig_{self.number:02d}_{self.name}:draw"

    @property
    def pictures(self) -> dict[str, dict[str, str]]:
        """For every picture, by its file's stem: the record behind each of the names in `needs`."""
        if not set(self.needs) & set(EACH):
            return {self.name: {key: key for key in self.needs}}
        return {
            f"{self.name}-{of}": {key: f"{key}-{of}" if key in EACH else key for key in self.needs}
            for of in tapa_checkpoints()
        }


def checkpoints(*names: str) -> dict[str, Path]:
    """The committed models, half precision, by variant: all, or those of `names` that are there, in their order."""
    found = {path.stem: path for path in sorted(CHECKPOINTS.glob("*.safetensors"))}
    return {name: found[name] for name in names or found if name in found}


def tapa_checkpoints() -> dict[str, Path]:
    """Those whose heads have a phase."""
    return {name: path for name, path in checkpoints().items() if name.split("_")[0] == "tapa"}


EACH = {  # a record of every TAPA checkpoint: windows beyond the trained length, and within it with ablations
    "phase": {"windows": 2, "length": 4096, "loss_windows": 0, "tokens": False, "seed": 0},
    "phase_short": {"windows": 32, "length": 128, "loss_windows": 32, "tokens": True, "seed": 0},
}
_TEXT = {"windows": 4, "length": 512, "seed": 0}
_TABLES = ("table1", "table2", "table3", "alpha", "share", "tuning", "equal_loss", "retrieval")

_LONG_TABLES = tuple(
    f"long_{name}"
    for name in ("gate", "contrasts", "use", "collected", "fine", "pace", "needles", "runs", "power")
)


def _phase_records() -> list[Record]:
    return [
        Record(
            name=f"{kind}-{name}", schema=schemas.PHASE, study="analysis.studies.phase:record",
            settings=settings, inputs={"checkpoint": path},
        )
        for kind, settings in EACH.items()
        for name, path in tapa_checkpoints().items()
    ]  # fmt: skip


_ROWS = [
    Record(
        name="claims", schema=schemas.CLAIMS, study="proofs.status:record", digits=6,
        precision="exact and balls", long=True,
    ),
    Record(
        name="closed_form", schema=schemas.CLOSED_FORM, study="analysis.studies.closed_form:bases_record",
        settings={"bases": (1e4, 5e5, 1e6, 2e8), "head_dim": 128, "longest": 2**20, "points": 1500},
    ),
    Record(
        name="family", schema=schemas.FAMILY, study="analysis.studies.closed_form:family_record",
        settings={
            "base": 5e5, "head_dim": 128, "trained_length": 8192, "length": 65_536, "points": 1500,
        },
    ),
    Record(
        name="precision", schema=schemas.PRECISION, study="analysis.studies.precision:record",
        settings={
            "head_dim": 128, "phase_sds": (0.01, 0.1, 1.0, 10.0), "samples": 4096, "longest": 2**20,
            "points": 60, "seed": 0,
        },
    ),
    Record(
        name="rivals", schema=schemas.RIVALS, study="analysis.studies.encodings_compared:record",
        settings={
            "mus": (0.0, 0.2), "head_dim": 128, "base": 5e5, "trained_length": 8192, "length": 65_536,
            "points": 300, "sampled_points": 6, "samples": 2**12, "seed": 0,
        },
    ),
    Record(
        name="tapa_map", schema=schemas.TAPA_MAP, study="analysis.studies.tapa_moments:map_record",
        settings={
            "alphas": (0.01, 1.0, 81), "phase_sds": (0.001, 3.0, 141), "head_dim": 128, "far": 65_536.0,
        },
    ),
    Record(
        name="tapa_mean", schema=schemas.TAPA_MEAN, study="analysis.studies.tapa_moments:mean_record",
        settings={
            "phase_sds": (0.03, 0.1, 0.3, 1.0), "head_dim": 128, "alpha": 0.1, "longest": 65_536,
            "points": 200, "sampled_points": 9, "samples": 2**15, "seed": 0,
        },
    ),
    Record(
        name="tapa_variance", schema=schemas.TAPA_VARIANCE,
        study="analysis.studies.tapa_moments:variance_record",
        settings={
            "phase_sd": 0.1, "phase_sds": (0.03, 0.1, 0.3, 1.0), "head_dim": 128, "alpha": 0.1,
            "longest": 2**20, "points": 200, "sampled_points": 11, "samples": 2**14, "seed": 0,
        },
    ),
    Record(
        name="random_heads", schema=schemas.RANDOM_HEADS, study="analysis.studies.random_heads:record",
        settings={"text": _TEXT, "draws": 48, "seed": 1},
    ),
    Record(
        name="near_far", schema=schemas.NEAR_FAR, study="analysis.studies.near_far:untrained_record",
        settings={"text": _TEXT, "heads": 10, "pairs": 10_000, "resamples": 400, "seed": 2},
    ),
    Record(
        name="rivals_summary", schema=schemas.RIVALS_SUMMARY, digits=5,
        study="analysis.studies.encodings_ranked:record",
        needs=("tapa_mean", "tapa_variance", "tapa_map", "rivals", "near_far", "precision", "random_heads"),
    ),
    Record(
        name="smollm2", schema=schemas.DISTANCE_BIAS, study="analysis.studies.distance_bias:smollm2_record",
        settings={"windows": 8, "length": 2048, "seed": 0}, long=True,
    ),
    Record(
        name="formula_shapes", schema=schemas.FORMULA_SHAPES, digits=5,
        study="analysis.studies.formula_fit:record", needs=("smollm2",),
    ),
    Record(
        name="verdicts", schema=schemas.VERDICTS, study="analysis.studies.assumption_2_1:record",
        settings={"windows": 32, "seed": 0},
        needs=("smollm2",),
        inputs={"checkpoints": checkpoints("rope", "rope_large", "partial", "window")},
    ),
    Record(
        name="trained_gaps", schema=schemas.TRAINED_GAPS, study="analysis.studies.near_far:trained_record",
        settings={"reaches": (64, 158, 512), "count": 32, "pairs": 10_000, "seed": 0},
        inputs={
            "checkpoints": checkpoints("rope", "tapa", "rope_large", "tapa_plain", "alibi", "nope"),
        },
    ),
    *_phase_records(),
    Record(
        name="phase_summary", schema=schemas.PHASE_SUMMARY, digits=5,
        study="analysis.studies.phase_summary:record",
        needs=(*(row.name for row in _phase_records()), "trained_gaps"),
        tables="analysis.studies.phase_summary:phase_table_files", table_files=(OUT / "phase_heads.md",),
    ),
    Record(
        name="results", schema=schemas.RESULTS, digits=7, study="analysis.experiments.results:record",
        inputs={"runs": {path.stem: path for path in sorted(TRAINED.glob("*-s*-lr*.json"))}},
        tables="analysis.experiments.tables:table_files",
        table_files=tuple(TABLES / f"{name}.{kind}" for name in _TABLES for kind in ("md", "csv")),
    ),
    Record(
        name="long", schema=schemas.LONG, digits=7, study="analysis.experiments.long_results:long_record",
        inputs={
            "runs": {path.stem: path for path in sorted(LONG.glob("*.json"))},
            "earlier": {
                path.stem: path
                for name in ("rope", "tapa", "alibi", "nope")
                for path in sorted(TRAINED.glob(f"{name}-s*-lr*.json"))
            },
        },
        tables="analysis.experiments.long_tables:long_table_files",
        table_files=tuple(TABLES / f"{name}.{kind}" for name in _LONG_TABLES for kind in ("md", "csv")),
    ),
    Record(name="bias", schema=schemas.BIAS, study=None, digits=7, folder=SUMMARIES),
    Record(name="bias_code", schema=schemas.BIAS, study=None, digits=7, folder=SUMMARIES),
    # all runs of the sweep, before interventions had doses
    Record(name="bias_sweep", schema=schemas.BIAS, study=None, digits=7, folder=SUMMARIES),
    Record(name="formula_fit", schema=schemas.FORMULA_FIT, study=None, folder=TRAINED),
    Record(name="formula_fit_smollm2", schema=schemas.FORMULA_FIT, study=None, folder=TRAINED),
    Record(name="phase_dynamics", schema=schemas.PHASE_DYNAMICS, study=None, folder=TRAINED),
    Record(name="phase_seeds", schema=schemas.PHASE_SEEDS, study=None, digits=5, folder=SUMMARIES),
    Record(name="position_code", schema=schemas.POSITION_CODE, study=None, digits=5, folder=SUMMARIES),
    Record(name="score_variance", schema=schemas.SCORE_VARIANCE, study=None, folder=TRAINED),
    Record(name="recovery", schema=schemas.RECOVERY, study=None, folder=TRAINED),
    Record(name="smollm2_bias", schema=schemas.BIAS_INTERVENTIONS, study=None, folder=TRAINED),
]  # fmt: skip
_FIGURES = [
    Figure(
        name="overview", number=0, needs=("smollm2",), claims=("eq-5", "eq-17"),
        committed=ROOT / "figures" / "readme.png",
    ),
    Figure(name="bias_by_base", number=1, needs=("closed_form",), claims=("eq-24", "thm-2.2")),
    Figure(name="rope_family", number=2, needs=("family",), claims=("eq-17", "thm-2.3")),
    Figure(name="distance_bias", number=3, needs=("smollm2",), claims=("eq-5", "eq-17")),
    Figure(name="assumption_2_1", number=4, needs=("smollm2",), claims=("eq-5",)),
    Figure(
        name="claims", number=5, needs=("claims",),
        claims=("thm-2.1", "thm-2.2", "thm-2.3", "thm-3.2", "thm-3.3"),
    ),
    Figure(name="tapa_mean", number=6, needs=("tapa_mean",), claims=("thm-3.2", "rem-3.eliminates")),
    Figure(name="tapa_variance", number=7, needs=("tapa_variance",), claims=("thm-3.3", "eq-15")),
    Figure(name="tapa_map", number=8, needs=("tapa_map",), claims=("rem-3.eliminates",)),
    Figure(name="encodings_compared", number=9, needs=("rivals",), claims=("eq-5", "thm-3.2", "thm-3.3")),
    Figure(name="near_far_untrained", number=10, needs=("near_far",), claims=("fig-1", "fig-1.protocol")),
    Figure(name="precision", number=11, needs=("precision",), claims=("eq-12",)),
    Figure(name="random_heads", number=12, needs=("random_heads",), claims=("eq-5", "rem-3.eliminates")),
    Figure(name="perplexity_by_length", number=13, needs=("results",), claims=("tab-1", "tab-2", "tab-3")),
    Figure(name="loss_by_position", number=14, needs=("results",), claims=("tab-1", "tab-2")),
    Figure(name="learning_rates", number=15, needs=("results",), claims=("tab-2",)),
    Figure(name="retrieval", number=16, needs=("results",), claims=("tab-2",)),
    Figure(name="alpha_and_share", number=17, needs=("results",), claims=("thm-3.2", "thm-3.3")),
    Figure(name="equal_loss", number=18, needs=("results",), claims=("tab-2",)),
    Figure(name="phase_heads", number=20, needs=("phase", "phase_short"), claims=("eq-12", "thm-3.2")),
    Figure(name="phase_ablations", number=21, needs=("phase_short",), claims=("eq-12",)),
    Figure(name="phase_tokens", number=22, needs=("phase_short",), claims=("eq-12",)),
    Figure(
        name="phase_decay", number=23, needs=("phase", "phase_short"),
        claims=("thm-3.2", "eq-14", "thm-3.3", "eq-15"),
    ),
    Figure(name="phase_dynamics", number=24, needs=("phase_dynamics",), claims=("eq-12", "thm-3.2")),
    Figure(name="near_far_trained", number=25, needs=("trained_gaps",), claims=("fig-1", "fig-1.protocol")),
    Figure(name="assumption_tests", number=26, needs=("verdicts",), claims=("eq-5",)),
    Figure(name="extrapolation_bias", number=27, needs=("bias_sweep",), claims=("thm-2.2", "eq-17")),
    Figure(name="equal_dose", number=28, needs=("bias", "smollm2_bias"), claims=("thm-2.2",)),
    Figure(name="score_variance", number=29, needs=("score_variance",), claims=("eq-5", "eq-12", "eq-17")),
    Figure(name="parts_removed", number=30, needs=("score_variance",), claims=("eq-12", "eq-17")),
    Figure(name="phase_controls", number=31, needs=("phase_seeds",), claims=("eq-12", "tab-2")),
    Figure(name="phase_targets", number=32, needs=("phase_seeds",), claims=("eq-12",)),
    Figure(
        name="mean_score_shapes", number=33, needs=("formula_shapes", "formula_fit_smollm2", "formula_fit"),
        claims=("eq-5", "eq-17", "eq-24"),
    ),
    Figure(name="recovered_by_far_mass", number=34, needs=("smollm2_bias",), claims=("thm-2.2", "eq-17")),
    Figure(name="frontier", number=36, needs=("long",), claims=("tab-2",)),
    Figure(name="collected", number=37, needs=("long",), claims=("tab-1", "tab-2")),
    Figure(name="needle_grid", number=38, needs=("long",), claims=("tab-2",)),
    Figure(name="recovery", number=39, needs=("recovery",), claims=("eq-12",)),
    Figure(name="fine_tuned", number=40, needs=("long",), claims=("tab-1",)),
    Figure(name="fine_curves", number=41, needs=("long",), claims=("tab-1",)),
    Figure(name="masked_beyond", number=42, needs=("bias_code",), claims=("eq-12", "tab-2")),
    Figure(name="place_code", number=43, needs=("position_code",), claims=("eq-12",)),
]  # fmt: skip

CATALOGUE: Mapping[str, Record] = {row.name: row for row in _ROWS}
"""Every record by its name."""
FIGURES: Mapping[str, Figure] = {row.name: row for row in _FIGURES}
"""Every figure by its name."""


def record_row(name: str) -> Record:
    """The record `name`.

    Raises:
        InputError: there is none of that name.
    """
    if name not in CATALOGUE:
        raise InputError(f"record {name!r} is unknown; {nearest(name, CATALOGUE)}")
    return CATALOGUE[name]


def path_of(name: str) -> Path:
    """Where the record `name` lies; `InputError` for an unknown name."""
    return record_row(name).path


def read_arrays(name: str) -> xr.Dataset:
    """The record of arrays `name`, checked to be of its kind.

    Raises:
        InputError: there is none of that name, or its file is missing, damaged or of another kind.
    """
    return records.read(_there(name), expect_schema=record_row(name).schema)


def read_any(name: str) -> xr.Dataset | dict[str, Any]:
    """The record `name`, arrays or the content of a summary; raises as `read_arrays`."""
    if record_row(name).digits is not None:
        return records.read_summary(_there(name), expect_schema=record_row(name).schema)
    return read_arrays(name)


def _there(name: str) -> Path:
    """Where the record `name` lies; `InputError` that names the figure with which it is made, if it is not made yet."""
    path = path_of(name)
    if path.exists() or CATALOGUE[name].study is None:
        return path
    of_each = name.rpartition("-")[0]  # one record of each checkpoint, drawn by one figure
    drawn = [figure.name for figure in FIGURES.values() if {name, of_each} & set(figure.needs)]
    if drawn:
        raise InputError(f"there is no {path}; make it with `tapa figures {drawn[0]}`")
    return path
