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
TEXTS = ("claims", "results", "rivals_summary")  # records of words, not of arrays
GATHERED = ("bias",)  # from every trained model, whose weights are not here: committed as summaries


def record(name: str) -> Path:
    """Path of the record `name`: JSON for words, netCDF for arrays."""
    if name in GATHERED:
        return SUMMARIES / f"{name}.json"
    return RECORDS / f"{name}.{'json' if name in TEXTS else 'nc'}"


def checkpoints(*names: str) -> dict[str, Path]:
    """The committed models, half precision, by variant: all, or those of `names` that are there, in their order."""
    found = {path.stem: path for path in sorted(CHECKPOINTS.glob("*.safetensors"))}
    return {name: found[name] for name in names or found if name in found}


def sources(*folders: str, only: tuple[str, ...] = ()) -> dict[str, Path]:
    """Modules of these folders, all or `only` some, as dependencies of a task: an edit runs it again."""
    found = sorted(path for folder in folders for path in (ROOT / folder).glob("*.py"))
    return {str(p.relative_to(ROOT)): p for p in found if not only or p.name in only}


def sampling_sources(*modules: str) -> dict[str, Path]:
    """`sources` of what draws from laws of q and k and encodes, and of these modules of `analysis`."""
    drawn = ("conditional.py", "running_sums.py", "samplers.py", "sampling.py", "workers.py")
    return sources("analysis/theory", "analysis/encodings") | sources("analysis", only=(*drawn, *modules))
