"""What a run of the long-range experiment says of far context, for its record: losses, key tokens, shares, needles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from analysis.errors import InputError
from analysis.evaluation import long_range
from analysis.evaluation.long_range import COPIED, DEPTHS, Worth, key_tokens, span_losses, word_losses, worth
from analysis.experiments.long_plan import Ladder, LongRun
from analysis.experiments.run_record import Content, RunSpec, held_out
from analysis.intervals import Interval
from analysis.models import checkpoint
from analysis.models.llama import Llama
from analysis.models.token_losses import SCORES, llama_reader, rows_at_once
from analysis.text.corpus import PRIVATE_WORDS, Corpus
from analysis.text.recurrence import PitmanYor
from analysis.text.windows import Spans
from analysis.theory.frequencies import Extension
from analysis.training.recipe import Recipe

NEEDLE_SEED = 0  # the same needles for every model


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """What the reference of a corpus says.

    Attributes:
        worth: of context from L to 4L.
        key: targets whose loss falls by more than a nat with it, numbered through all spans.
        spans_sha256: of the targets.
        groups: of each document its number among those that share text; None in records of before they were kept.
    """

    worth: Worth
    key: tuple[int, ...]
    spans_sha256: str
    groups: tuple[int, ...] | None = None

    @classmethod
    def of(cls, content: Content) -> Gate:
        """Out of the record of a reference."""
        found = content["long_range"]["gate"]
        gain = Interval(*(math.nan if end is None else end for end in found["gain"]))
        return cls(
            Worth(gain, found["error"], found["documents"], found["positive"]),
            tuple(found["key"]),
            content["long_range"]["spans_sha256"],
            tuple(found["groups"]) if "groups" in found else None,
        )

    def mask(self, chosen: Spans) -> Bool[np.ndarray, "spans target"]:
        """The key tokens among the targets of spans; `InputError` if the reference was scored on others."""
        if chosen.sha256 != self.spans_sha256:
            raise InputError("the reference of this corpus was scored on other tokens; train it again")
        found = np.zeros(len(chosen.starts) * chosen.target, bool)
        found[list(self.key)] = True
        return found.reshape(len(chosen.starts), chosen.target)


def evaluate_long(
    spec: RunSpec,
    data: Corpus,
    last: Path,
    passed: Mapping[int, Path],
    *,
    ladder: Ladder,
    run: LongRun,
    gate: Gate | None,
) -> dict[str, Any]:
    """What the models of a run say of held-out text and of far context.

    Args:
        spec: as it was trained.
        data: the corpus.
        last: the last checkpoint's folder.
        passed: weights along the training, by step.
        ladder, run: of the plan.
        gate: None for a reference, which makes one.

    Returns:
        As `run_record.evaluated`, and "long_range": trained tokens, "copying" along the training, "needles", "gate".
    """
    chosen = held_out(data.test, spec.evaluation)
    model = checkpoint.load_model(last).to(spec.recipe.device)
    sizes = data.token_bytes
    process = PitmanYor() if run.corpus == PRIVATE_WORDS else None
    losses = {
        (extension, length): _losses(model, chosen, length, extension)
        for extension in spec.evaluation.extensions
        for length in spec.evaluation.lengths
        if extension == "none" or length > ladder.length
    }
    made = gate or _gate(losses, chosen, sizes, ladder, data)
    names = np.array([document.name for document in chosen.documents])
    whole = np.full(len(names), chosen.target) if sizes is None else sizes[chosen.cut(0).numpy()].sum(axis=1)
    evaluations = [
        _evaluation(found, extension, length, chosen, made.mask(chosen), whole, process)
        for (extension, length), found in losses.items()
    ]
    curve = _copying(passed, last, chosen, ladder, spec.recipe)
    curve = _with_gains(curve, passed, last, chosen, sizes, ladder) if gate is None else curve
    return {
        "evaluations": evaluations,
        "retrieval": [],
        "checkpoints": [],
        "documents": chosen.names,
        "document_tokens": [int((names == name).sum()) * chosen.target for name in chosen.names],
        **({} if sizes is None else {"document_bytes": _by(names, whole, chosen)}),
        "long_range": {
            "plan": asdict(run),
            "trained_tokens": spec.recipe.steps * spec.recipe.batch * spec.recipe.length,
            "spans_sha256": chosen.sha256,
            "key_count": len(made.key),
            "copying": curve,
            "copies_after": copies_after(curve),
            "needles": _needles(model, chosen, process, ladder) if run.needles else [],
            **({} if gate is not None else {"gate": _gate_content(made)}),
        },
    }


def _evaluation(
    losses: Float64[np.ndarray, "spans target"],
    extension: str,
    length: int,
    chosen: Spans,
    key: Bool[np.ndarray, "spans target"],
    sizes: np.ndarray,
    process: PitmanYor | None,
) -> dict[str, Any]:
    """Losses at one length, in nats: of each document, of the key tokens, of each document's private words.

    Args:
        losses: of every target.
        extension, length: under which they were read.
        chosen: the spans.
        key: the key tokens.
        sizes: bytes of each span's targets.
        process: of the private words; None where there are none.
    """
    names = np.array([document.name for document in chosen.documents])
    words = {} if process is None else {"words": _words(losses, chosen, process, length)}
    return {
        "length": length,
        "extension": extension,
        "nats": _by(names, losses.sum(axis=1), chosen),
        "bits_per_byte": float(losses.sum() / sizes.sum() / math.log(2)),
        "key_nats": float(losses[key].sum()),
        **words,
    }


def copies_after(curve: list[dict[str, float]]) -> float | None:
    """Tokens after which a model copies, for good: the first checkpoint from which on its share is at least `COPIED`.

    >>> copies_after([{"tokens": 1e6, "share": 0.1}, {"tokens": 2e6, "share": 0.7}])
    2000000.0

    Args:
        curve: "tokens" and "share" of each checkpoint, in their order.
    """
    found = None
    for point in curve:
        found = None if point["share"] < COPIED else point["tokens"] if found is None else found
    return found


def _losses(model: Llama, chosen: Spans, length: int, extension: str) -> Float64[np.ndarray, "spans target"]:
    context = model.config.context
    extended = Extension(extension, max(1.0, length / context), context)
    read, _ = llama_reader(model, length, None if extended.changes_nothing else extended)
    return span_losses(read, chosen, length, rows=rows_at_once(model, length, SCORES))


def _by(names: np.ndarray, values: np.ndarray, chosen: Spans) -> list[float]:
    """Sums over the spans of each document."""
    return [values[names == name].sum().item() for name in chosen.names]


def _words(
    losses: Float64[np.ndarray, "spans target"], chosen: Spans, process: PitmanYor, length: int
) -> dict[str, list[float]]:
    """Nats of the private words of each document, the model's and the least; and how many there are."""
    found = word_losses(losses, chosen, process, length)
    of = np.array(found.documents)
    mine = [of == name for name in chosen.names]
    return {
        "nats": [float(found.model[one].sum()) for one in mine],
        "bayes_nats": [float(found.bayes[one].sum()) for one in mine],
        "count": [int(one.sum()) for one in mine],
    }


def _gate(
    losses: Mapping[tuple[str, int], Float64[np.ndarray, "spans target"]],
    chosen: Spans,
    sizes: np.ndarray | None,
    ladder: Ladder,
    data: Corpus,
) -> Gate:
    short, long = (losses["none", length] for length in (ladder.length, long_range.LONGER * ladder.length))
    key = np.flatnonzero(key_tokens(short, long)).tolist()
    return Gate(
        worth(short, long, chosen, sizes), tuple(key), chosen.sha256, tuple(data.groups_of(chosen.names))
    )


def _gate_content(gate: Gate) -> dict[str, Any]:
    found = gate.worth
    return {
        "gain": found.gain.ends(),
        "error": found.error,
        "documents": found.documents,
        "positive": found.positive,
        "passes": found.passes,
        "key": list(gate.key),
        **({} if gate.groups is None else {"groups": list(gate.groups)}),
    }


def _copying(
    passed: Mapping[int, Path], last: Path, chosen: Spans, ladder: Ladder, recipe: Recipe
) -> list[dict[str, float]]:
    curve = []
    for step, file in sorted((dict(passed) | {recipe.steps: last}).items()):
        model = checkpoint.load_model(file).to(recipe.device)
        read, _ = llama_reader(model, ladder.length)
        rows = rows_at_once(model, ladder.length, SCORES)
        found = long_range.copying(read, chosen, ladder.length, rows=rows)
        tokens = float(step * recipe.batch * recipe.length)
        curve.append({"tokens": tokens, "share": found.share, "first": found.first, "second": found.second})
    return curve


def _with_gains(
    curve: list[dict[str, float]],
    passed: Mapping[int, Path],
    last: Path,
    chosen: Spans,
    sizes: np.ndarray | None,
    ladder: Ladder,
) -> list[dict[str, float]]:
    """The same with what context from L to 4L is worth at every checkpoint: how long a reference must be trained."""
    found = []
    files = [*(file for _, file in sorted(passed.items())), last]
    for point, file in zip(curve, files, strict=True):
        model = checkpoint.load_model(file)
        ends = (ladder.length, long_range.LONGER * ladder.length)
        short, long = (_losses(model, chosen, length, "none") for length in ends)
        gain = worth(short, long, chosen, sizes)
        found.append(point | {"gain": gain.gain.value, "gain_error": gain.error})
    return found


def _needles(
    model: Llama, chosen: Spans, process: PitmanYor | None, ladder: Ladder
) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = []
    for length in ladder.lengths if ladder.needles else ():
        read, _ = llama_reader(model, length)
        at_once = rows_at_once(model, length, SCORES)
        if process is None:
            grid = long_range.token_needles(
                read, chosen, model.config.vocab_size, length,
                count=ladder.needles, seed=NEEDLE_SEED, rows=at_once,
            )  # fmt: skip
        else:
            grid = long_range.needle_grid(
                read, chosen, process, length, count=ladder.needles, seed=NEEDLE_SEED, rows=at_once
            )
        for n, depth in enumerate(DEPTHS):
            hits, nats = int(grid.hits[:, n].sum()), float(grid.nats[:, n].mean())
            away = float(grid.distances[:, n].mean())
            rows.append(
                {
                    "length": length,
                    "depth": depth,
                    "distance": away,
                    "trials": ladder.needles,
                    "hits": hits,
                    "nats": nats,
                }
            )
    return rows
