"""Where records and figures lie, and what a measured record is made from."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "figures" / "records"
SUMMARIES = ROOT / "figures" / "summaries"
OUT = ROOT / "figures" / "out"
TRAINED = ROOT / "figures" / "trained"  # committed records of trained models
CHECKPOINTS = TRAINED / "checkpoints"
TABLES = ROOT / "figures" / "tables"  # committed too: they follow from those alone
TEXTS = ("bias", "claims", "phase_summary", "results", "rivals_summary")  # records of words, not of arrays
# made of many trained models, or by a training: committed
KEPT = {"bias": SUMMARIES, "phase_dynamics": TRAINED}
FAMILIES = ("phase", "phase_short")  # a record of each TAPA checkpoint


def record(name: str) -> Path:
    """Path of the record `name`: JSON for words, netCDF for arrays."""
    return KEPT.get(name, RECORDS) / f"{name}.{'json' if name in TEXTS else 'nc'}"


def checkpoints(*names: str) -> dict[str, Path]:
    """The committed models, half precision, by variant: all, or those of `names` that are there, in their order."""
    found = {path.stem: path for path in sorted(CHECKPOINTS.glob("*.safetensors"))}
    return {name: found[name] for name in names or found if name in found}


def tapa_checkpoints() -> dict[str, Path]:
    """Those whose heads have a phase."""
    return {name: path for name, path in checkpoints().items() if name.split("_")[0] == "tapa"}


def drawings(name: str, needs: tuple[str, ...]) -> dict[str, dict[str, Path]]:
    """Every picture of the figure `name`, by its file's stem, with the records that it needs.

    One, or one of each TAPA checkpoint if it needs a record of `FAMILIES`.
    """
    if not set(needs) & set(FAMILIES):
        return {name: {key: record(key) for key in needs}}
    return {
        f"{name}-{of}": {key: record(f"{key}-{of}" if key in FAMILIES else key) for key in needs}
        for of in tapa_checkpoints()
    }


def sources() -> dict[str, Path]:
    """Every module of `analysis` and `proofs`, as dependencies of a task: an edit runs it again."""
    found = sorted(path for folder in ("analysis", "proofs") for path in (ROOT / folder).rglob("*.py"))
    return {str(path.relative_to(ROOT)): path for path in found}
