"""The ledger's record: every claim of the paper checked, with its verdicts, evidence and dependencies."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from pytask import Product

from analysis.progress import progress_bar
from analysis.records import Provenance, write_summary
from figures.places import ROOT, record, sources
from figures.schemas import CLAIMS
from proofs import status
from proofs.verify import verify

PROOFS = {str(path.relative_to(ROOT)): path for path in sorted((ROOT / "proofs").rglob("*.py"))}


def task_claims(
    library: dict[str, Path] = PROOFS | sources(),
    path: Annotated[Path, Product] = record("claims"),
) -> None:
    """The whole ledger, run over all cores."""
    begun = time.perf_counter()
    with progress_bar() as show:
        results = verify(progress=lambda done, total, label: show("claims", done, total))
    provenance = Provenance.collect(
        ["tapa", "figures", "claims"],
        {"claims": [result.label for result in results]},
        seeds={},
        device="cpu",
        precision="exact and balls",
        threads=1,
        seconds=time.perf_counter() - begun,
    )
    content = {"claims": status.entries(results), "graph": status.graph(results)}
    write_summary(content, path, provenance, schema=CLAIMS)
