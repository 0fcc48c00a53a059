"""Statements of neighbouring papers beside v1's, judged by the same means: `tapa verify --paper NAME`.

Each has the place that it is known from: the full text, somebody's notes on it, the abstract, or it is ours. What is
known from notes or an abstract is judged in the words here, which may not be the authors': it can be shown to hold so,
and where it fails so, the verdict is unknown. The claims stand in a ledger of their own, which begins with all of v1's,
so that a proof may use those.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.errors import InputError
from analysis.evidence import Evidence, Verdict
from proofs.ledger import Ledger, load


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A neighbouring paper: its title, its number, what of it was read, and its claims in reading order."""

    title: str
    arxiv: str
    read: str
    module: str
    labels: tuple[str, ...]


NEIGHBOURS: dict[str, Neighbour] = {
    "du-2026": Neighbour(
        "RoPE Distinguishes Neither Positions Nor Tokens in Long Contexts, Provably",
        "2605.15514v1",
        "the abstract, and two readers' notes on the full text",
        "long_contexts",
        ("du-normal", "du-1", "du-1.weyl", "du-2", "du-3", "du-4", "du-tradeoff"),
    ),
    "godavarti-2026": Neighbour(
        "Why Do Accumulated Transformations Extrapolate?",
        "2606.24975v1",
        "the abstract and a digest",
        "far_mass",
        ("god-incoherent", "god-gap", "god-lower", "god-lower.0", "god-values"),
    ),
    "men-2024": Neighbour(
        "Base of RoPE Bounds Context Length",
        "2405.14591v1",
        "the full text with its appendix A",
        "base_bounds",
        ("men-1", "men-table", "men-monotone", "men-half"),
    ),
    "tapa-v3": Neighbour(
        "Positional Encoding via Token-Aware Phase Attention, third version",
        "2509.12635v3",
        "the abstract and the introduction's first paragraphs",
        "third_version",
        ("tapa-3.cpt", "tapa-3.ppl", "tapa-3.retrieval"),
    ),
    "tapa-code": Neighbour(
        "The attention kernels that TAPA's authors released (forward only, Triton)",
        "2509.12635",
        "notes on the kernel's source and its README",
        "released_kernel",
        ("tapa-code.score",),
    ),
    "frayed-2026": Neighbour(
        "Frayed RoPE and Long Inputs: A Geometric Perspective",
        "2603.18017",
        "the abstract, a reader's notes and the reviews",
        "stable_rank",
        ("frayed-1", "frayed-2", "frayed-3", "frayed-1.ends"),
    ),
    "drope-2025": Neighbour(
        "Extending the Context of Pretrained LLMs by Dropping Their Positional Embeddings",
        "2512.12167v1",
        "the full text without the proof of proposition 3.2",
        "dropped",
        ("drope-0", "drope-rope", "drope-1", "drope-freq"),
    ),
}
BESIDE = Ledger()  # what the modules of this folder fill


def load_neighbours() -> Ledger:
    """v1's claims, then those of every neighbouring paper in their order."""
    v1, both = load(), Ledger()
    for paper in NEIGHBOURS.values():
        importlib.import_module(f"proofs.rivals.{paper.module}")
    BESIDE.arrange([label for paper in NEIGHBOURS.values() for label in paper.labels])
    for name in ("claims", "repairs", "attacks", "practices", "needs"):
        setattr(both, name, {**getattr(v1, name), **getattr(BESIDE, name)})
    both.machine_checked = v1.machine_checked
    return both


def unjudged(reason: str) -> Evidence:
    """Evidence that decides nothing: the statement was not checked, and why."""
    return Evidence("not checked", Verdict.UNKNOWN, computed=reason)


def labels_of(name: str) -> Sequence[str]:
    """The labels of one paper, or of "all" of them; `InputError` for any other name."""
    if name == "all":
        return [label for paper in NEIGHBOURS.values() for label in paper.labels]
    if name not in NEIGHBOURS:
        raise InputError(f"no neighbouring paper is called {name!r}; one of {', '.join(NEIGHBOURS)}, or all")
    return NEIGHBOURS[name].labels
