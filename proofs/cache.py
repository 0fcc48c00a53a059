"""Evidence kept between runs: each claim's entry as JSON, beside a hash of all that it was computed from.

A kept entry is given back only if that hash is the one of today's sources and versions, and the entry is whole;
otherwise the claim counts as not kept, and is computed anew. `proofs` knows no folder of the user's: the caller, the
command line, says where. Nothing here is read when the whole ledger is checked.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from analysis.files import write_whole
from proofs.ledger import is_label

_ROOT = Path(__file__).resolve().parents[1]
_COMPUTED_WITH = ("sympy", "mpmath", "python-flint", "numpy")


def fingerprint(root: Path = _ROOT) -> str:
    """sha256 of what evidence is computed from: `proofs`, what it imports of `analysis`, and what it runs on."""
    sources = sorted((root / "proofs").rglob("*.py")) + sorted((root / "proofs" / "formal").glob("*"))
    sources += [root / "analysis" / name for name in ("errors.py", "evidence.py")]
    digest = hashlib.sha256()
    for path in sources:
        digest.update(f"{path.relative_to(root).as_posix()} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    digest.update("\n".join([sys.version, *(version(name) for name in _COMPUTED_WITH)]).encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of entries, as `proofs.status.entry` makes them, a file for each claim."""

    folder: Path
    sources: str = field(default_factory=fingerprint)

    def find(self, label: str) -> dict[str, Any] | None:
        """The entry of a claim; None where none is kept, or it is of other sources, or damaged."""
        path = self._path(label)
        try:
            kept = json.loads(path.read_text(encoding="utf-8")) if path else None
        except (OSError, ValueError):  # absent, or no JSON in UTF-8
            return None
        if not isinstance(kept, dict) or kept.get("sources") != self.sources:
            return None
        return kept["entry"] if kept.get("sha256") == _sha256(kept.get("entry")) else None

    def keep(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Write these entries, each in one step, so that no reader meets half of one; `InputError` if it cannot."""
        for entry in entries:
            path = self._path(entry["label"])
            if path is None:
                raise ValueError(f"{entry['label']!r} is no label")
            write_whole(path, json.dumps({"sources": self.sources, "sha256": _sha256(entry), "entry": entry}))

    def _path(self, label: str) -> Path | None:
        """The file of a claim; None for what is no label, and might lead out of the folder."""
        return self.folder / f"{label}.json" if is_label(label) else None


def _sha256(entry: object) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
