"""Does the distance bias break a model beyond its trained length L? Interventions of equal dose: what `tapa bias` runs.

Every intervention of `heads.bias_interventions` changes the scores of tokens L or more apart; the loss of the same
tokens is read with each. Most of them lower the attention mass on far keys, and for a model that has no use for far
keys that alone lowers the loss. So a share that is recovered says nothing about the bias until a control of equal far
mass has been subtracted: one constant for all heads.

The plan, fixed before the first number of the record:

Documents   drawn with the seed from the texts that are long enough, in an order that the seed fixes: `CURVES` give
            the curves, `MATCHING` the constants, those after them are test documents. Only these give results.
Scored      the last `target` tokens of each length, in one window of each document.
Recovered   (plain - changed) / (plain - reference), sums over test documents; the reference reads the same tokens with
            at most L tokens before them. Intervals are over documents, of paired differences.
Endpoint    at the shortest length, the recovered share of "hold" less that of "matched-constant", whose far mass is
            equal: what the shape of the bias is worth beyond its dose.
Secondary   the same of "hold-but-sink" and its constant; "clamp-departure" against "clamp" (is the departure
            sufficient?); "swapped" and "shuffled" (is it the head's own, at its own distance?); heads that rebound
            against as many others; the sink; bands of frequencies; the correction of the length; YaRN; other lengths.
Excluded    from shares, at a length: documents whose plain loss there exceeds their reference by at most `LEAST` nats,
            because they have nothing to recover. They stay in the record and are named.
Equality    where the far masses of "hold" and its constant differ by more than `UNEQUAL` over the test documents, the
            endpoint is reported as one of unequal dose.
Constants   are matched at each length for the cells of that length, since one constant does not leave the same far mass
            at all of them; at a longer length when they are first needed. (Until 2026-11-29 those of the shortest
            length were to serve for all.)
Order       primary interventions of all documents at the shortest length, secondary ones of the first `FEWER`, then
            primary ones at all lengths. A partial record is summarised with what is missing from it.
Precision   a record that was begun in one precision may go on in another, and says of each reading in which it was
            made. The first reading counts; one of the same cell in another precision, on the way to a longer length,
            is kept beside it: `recovered_shares.precision_effect`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Int
from torch import Tensor

from analysis import records, schemas
from analysis.array_cache import keep_arrays, kept_arrays
from analysis.encodings.interventions import Change, unchanged
from analysis.errors import InputError
from analysis.heads.bias_interventions import (
    MATCHED,
    NAMES,
    OPENING,
    Curves,
    CurveSums,
    Doses,
    check_intervention,
    intervention,
    match_dose,
)
from analysis.models.capture import capture_checkpoint
from analysis.models.intervened import BLOCK, CachedAttention, TextReader
from analysis.models.load import Model, PretrainedModel, open_model
from analysis.models.pretrained_losses import extended_rotation
from analysis.progress import Progress
from analysis.records import Provenance
from analysis.studies.recovered_shares import DOSES, able, difference, dose_controls, recovered, with_shares
from analysis.studies.settings import BiasInterventionSettings as Settings
from analysis.text.windows import Document, begun_with, read_text
from analysis.theory.frequencies import Extension

BIAS_INTERVENTIONS = schemas.BIAS_INTERVENTIONS
PRIMARY = (
    "plain", "hold", "matched-constant", "clamp", "mask-sink", "hold-but-sink", "matched-constant-but-sink",
    "clamp-departure", "swapped", "hold-predicted",
)  # fmt: skip
SECONDARY = (
    "hold-sink-only", "constant", "subtract", "shuffled", "mask", "hold-rebound-heads", "hold-random-heads",
    "hold-fast", "hold-slow", "length-corrected", "yarn",
)  # fmt: skip
DOSE_CONTROLS = {name: MATCHED[name] for name in (*PRIMARY, *SECONDARY) if name in MATCHED}
"""Constants of the plan, and the interventions whose far mass they have; the plan was committed with these."""
CURVES, MATCHING = 2, 2  # documents that give curves, and constants
FEWER = 6  # test documents under secondary interventions
MARGIN = 2048  # tokens by which windows of curves are longer, so that every distance has many pairs
WHOLE = ("yarn", "hold-within")  # act within L too
POINTS = 96  # distances at which the record keeps the curves
EVERY = 10.0  # seconds: as often at most is the record written, so that short readings do not wait for it

REFERENCE = "reference"  # in place of an intervention, of a reader of the trained length
Cell = tuple[str, str, int]
"""Document, intervention, length."""


@dataclass(frozen=True, slots=True)
class TextWindow:
    """One window of a document, and what the document is for.

    Attributes:
        document: its name.
        role: "curves", "matching" or "test".
        start: of the window in the document, tokens.
        tokens: of the window, the token after the longest length included.
    """

    document: str
    role: str
    start: int
    tokens: Int[Tensor, " tokens"]

    @property
    def sha256(self) -> str:
        """Of the tokens."""
        return hashlib.sha256(self.tokens.numpy().tobytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading: a document under an intervention up to a length, all scored lengths on the way included."""

    document: str
    intervention: str
    length: int

    def scored(self, lengths: Sequence[int]) -> list[int]:
        """The lengths that it is a reading of: all on the way, and its own alone where a constant is matched there."""
        return [
            n for n in lengths if n == self.length or (n < self.length and self.intervention not in MATCHED)
        ]


def planned_readings(settings: Settings, lengths: Sequence[int], documents: Sequence[str]) -> list[Reading]:
    """All readings of the test documents, in the order of the plan."""
    chosen = chosen_of(settings)
    primary = [name for name in PRIMARY if name in chosen]
    others = [name for name in chosen if name not in PRIMARY]
    stages = [(documents, primary, lengths[:1]), (documents[:FEWER], others, lengths[:1])]
    if len(lengths) > 1:
        stages.append((documents, primary, lengths[1:]))
    return [
        Reading(document, name, length)
        for found, names, at in stages
        for document, name in itertools.product(found, names)
        for length in (at if name in MATCHED else at[-1:])
    ]


def draw_windows(
    documents: Sequence[Document],
    settings: Settings,
    longest: int,
    margin: int = MARGIN,
    first_token: int | None = None,
) -> list[TextWindow]:
    """Windows of documents drawn with the seed, long enough for their roles; `first_token` takes their first's place.

    Raises:
        InputError: fewer documents than needed are long enough.
    """
    need = longest + margin + OPENING
    able = sorted((d for d in documents if len(d.tokens) >= need), key=lambda d: d.name)
    count = CURVES + MATCHING + settings.documents
    if len(able) < count:
        raise InputError(
            f"{len(able)} texts have {need} tokens or more, {count} are needed: {CURVES} for curves, {MATCHING} for "
            f"matched constants, {settings.documents} to score; give more texts or fewer --documents"
        )
    order = np.random.default_rng(settings.seed).permutation(len(able))[:count]
    roles = ["curves"] * CURVES + ["matching"] * MATCHING + ["test"] * settings.documents
    found = []
    for index, role in zip(order, roles, strict=True):
        document = able[index]
        size = need if role == "curves" else longest + 1
        # one stream a document, so that more documents leave the windows of the first as they are
        place = np.random.default_rng([settings.seed, int(index)])
        start = int(place.integers(len(document.tokens) - size + 1))
        tokens = torch.from_numpy(document.tokens[start : start + size].astype(np.int64))
        found.append(TextWindow(document.name, role, start, begun_with(tokens, first_token)))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """A model with all that its readings need.

    Attributes:
        model: opened.
        settings: with nothing left open but the interventions.
        lengths: that are scored.
        curves: of its heads.
        constants: of the matched interventions, by name and length, that have been found.
    """

    model: PretrainedModel
    settings: Settings
    lengths: tuple[int, ...]
    curves: Curves
    constants: dict[tuple[str, int], float]

    @property
    def trained(self) -> int:
        """L."""
        return self.model.trained_length

    def change(self, name: str, length: int, constant: float | None = None) -> Change:
        """The change that an intervention makes of every layer's encoding in a reading to a length."""
        extended = None
        if name == "yarn":
            longest = self.lengths[-1]
            extension = Extension("yarn", longest / self.trained, self.trained)
            extended = extended_rotation(self.model.checkpoint, extension, longest)
        constant = self.constants.get((name, length)) if constant is None else constant
        reach = self.lengths[-1] + 1
        return intervention(
            name, self.curves, reach, seed=self.settings.seed, constant=constant, extended=extended
        )

    def read(self, reader: TextReader, name: str, length: int, constant: float | None = None) -> np.ndarray:
        """Loss, far mass, mass on the sink and entropy at every scored length up to `length`: (lengths, 4)."""
        targets = [range(at - self.settings.target, at) for at in self.lengths if at <= length]
        rng = np.random.default_rng(self.settings.seed)
        sampled = [np.sort(rng.choice(one, self.settings.sampled, replace=False)) for one in targets]
        meters: dict[tuple[int, int], Doses] = {}

        def watch(layer: int, encoding: Any, q: Tensor, k: Tensor, rows: Tensor, columns: Tensor) -> None:
            for at, one in enumerate(targets):  # a block may hold queries of several
                own = (rows >= one.start) & (rows < one.stop)
                if bool(own.any()):
                    meter = meters.setdefault((at, int(rows[own][0])), Doses(self.trained))
                    meter.add(encoding, q[:, own], k, rows[own], columns)

        change, watched = self.change(name, length, constant), torch.from_numpy(np.concatenate(sampled))
        losses = reader.losses(change, targets, whole=name in WHOLE, watched=watched, watch=watch)
        found = np.empty((len(targets), 1 + len(DOSES)))
        for at, nats in enumerate(losses):
            own = [meter for (index, _), meter in sorted(meters.items()) if index == at]
            found[at, 0] = float(nats.mean())
            for column, dose in enumerate(("far", "opening", "entropy"), 1):
                found[at, column] = float(torch.cat([getattr(meter, dose) for meter in own]).mean())
        return found

    def reference(self, window: TextWindow, length: int) -> float:
        """Loss per token of the scored tokens at a length, from at most L tokens before them."""
        tokens = begun_with(window.tokens[length - self.trained : length + 1], self.model.first_token)
        shared = self.trained - self.settings.target
        reader = TextReader(self.model.checkpoint, tokens, shared)
        (losses,) = reader.losses(unchanged, [range(shared, self.trained)])
        return float(losses.mean())


# The curves, kept beside the record: they take minutes a window.


def measured_curves(
    model: PretrainedModel, windows: Sequence[TextWindow], reach: int, progress: Progress
) -> Curves:
    """Curves of a model's heads in some windows, plain."""
    sums = CurveSums(model.trained_length, reach)
    for done, window in enumerate(windows):
        progress("curves", done, len(windows))
        capture_checkpoint(model.checkpoint, window.tokens[None], sums.add, beyond_context=True)
    progress("curves", len(windows), len(windows))
    return sums.curves()


# The record: what has been read so far.


def begun_record(path: Path, windows: Sequence[TextWindow], keys: Mapping[str, str]) -> xr.Dataset | None:
    """The record at `path`, if one is there, to go on with: of one of these keys, and of these windows.

    Raises:
        InputError: it has another key, or does not say of which windows it is, and they are not these.
    """
    if not path.is_file():
        return None
    with records.relied_on(path, BIAS_INTERVENTIONS):
        data = records.read(path, expect_schema=BIAS_INTERVENTIONS)
        if data.attrs["key"] in keys.values() and _known(data, windows) is not None:
            return data
    raise InputError(f"{path} is of another model, other texts or settings; give another --out or remove it")


def _known(data: xr.Dataset, windows: Sequence[TextWindow]) -> set[str] | None:
    """Documents of a record that have the same window here; None where one of before there were sums has others."""
    read, provenance = [str(name) for name in data.document.values], records.provenance_of(data)
    if (sums := provenance.configuration.get("windows_sha256")) is not None:
        before = dict(zip(read, sums, strict=True))
        return {found.document for found in windows if before.get(found.document) == found.sha256}
    shared = [window for window in windows if window.role == "curves" or window.document in read]
    return set(read) if _sha256_of(shared) == provenance.text_sha256 else None


class InterventionRecord:
    """Cells that have been read, and the dataset that they make."""

    def __init__(self, bench: Bench, windows: Sequence[TextWindow], keys: Mapping[str, str]) -> None:
        self.bench, self.keys = bench, keys
        self.key = keys[bench.settings.precision]
        self.drawn, self.windows = windows, [window for window in windows if window.role != "curves"]
        self.cells: dict[Cell, np.ndarray] = {}
        self.references: dict[tuple[str, int], float] = {}
        self.trials: dict[tuple[str, int, float], float] = {}
        self.precisions: dict[Cell, str] = {}
        self.again: dict[Cell, float] = {}

    def add(self, cell: Cell, found: np.ndarray) -> None:
        """Keep a reading: the first of a cell, and beside it the loss of one in another precision."""
        own = self.bench.settings.precision
        if self.precisions.setdefault(cell, own) == own:
            self.cells[cell] = found
        else:
            self.again[cell] = float(found[0])

    def add_reference(self, document: str, length: int, nats: float) -> None:
        """Keep the loss of a reader of the trained length."""
        self.references[document, length] = nats
        self.precisions[document, REFERENCE, length] = self.bench.settings.precision

    def resume(self, data: xr.Dataset) -> None:
        """Take over what a record has for the same key and windows, in whatever precision it was begun."""
        begun = next(name for name, key in self.keys.items() if key == data.attrs["key"])
        known = _known(data, self.drawn) or set()
        self.key = self.keys[begun]
        for d, n, t in itertools.product(data.document.values, data.length.values, data.intervention.values):
            cell = data.sel(document=d, length=n, intervention=t)
            if d in known and math.isfinite(float(cell.nats)):
                at = str(d), str(t), int(n)
                self.cells[at] = np.array([float(cell[v]) for v in ("nats", *DOSES)])
                self.precisions[at] = str(cell.precision.values) if "precision" in data else begun
                if "again" in data and math.isfinite(float(cell.again)):
                    self.again[at] = float(cell.again)
        for d, n in itertools.product(data.document.values, data.length.values):
            if d in known and math.isfinite(found := float(data.reference.sel(document=d, length=n))):
                self.references[str(d), int(n)] = found
                own = data.reference_precision.sel(document=d, length=n) if "precision" in data else begun
                self.precisions[str(d), REFERENCE, int(n)] = str(own if isinstance(own, str) else own.values)
        shortest = np.full(data.sizes["trial"], data.length.values[0])  # before each length had its own
        trials = (data.trial_matched, data.get("trial_length", shortest), data.trial_constant, data.trial_far)
        for name, length, constant, far in zip(*(np.asarray(values) for values in trials), strict=True):
            self.trials[str(name), int(length), float(constant)] = float(far)
        for name, n in itertools.product(data.matched.values, data.length.values):
            own = data.constant.sel(matched=name)
            found = float(own.sel(length=n) if "length" in own.dims else own if n == shortest[0] else np.nan)
            if math.isfinite(found):
                self.bench.constants[str(name), int(n)] = found

    def precision(self) -> str:
        """Of the forward passes, all that were used."""
        return " and ".join(sorted({*self.precisions.values()} or {self.bench.settings.precision}))

    def dataset(self) -> xr.Dataset:
        """Everything so far; nan where nothing has been read."""
        chosen = chosen_of(self.bench.settings)
        read = [name for _, name, _ in self.cells]
        names = [name for name in NAMES if name in chosen or name in read]
        documents, lengths = [window.document for window in self.windows], list(self.bench.lengths)
        values = np.full((1 + len(DOSES), len(documents), len(lengths), len(names)), np.nan)
        for (document, name, length), found in self.cells.items():
            values[:, documents.index(document), lengths.index(length), names.index(name)] = found
        reference = np.full((len(documents), len(lengths)), np.nan)
        for (document, length), nats in self.references.items():
            reference[documents.index(document), lengths.index(length)] = nats
        again = np.full(values.shape[1:], np.nan)
        for (document, name, length), nats in self.again.items():
            again[documents.index(document), lengths.index(length), names.index(name)] = nats

        def precisions(of: Sequence[str]) -> list[list[list[str]]]:
            return [
                [[self.precisions.get((d, name, n), "") for name in of] for n in lengths] for d in documents
            ]

        axes = ("document", "length", "intervention")
        trials = sorted(self.trials.items())
        found = xr.Dataset(
            {
                **{name: (axes, found) for name, found in zip(("nats", *DOSES), values, strict=True)},
                "reference": (axes[:2], reference),
                "again": (axes, again),
                "precision": (axes, np.array(precisions(names), dtype=str)),
                "reference_precision": (axes[:2], np.array(precisions([REFERENCE]), dtype=str)[..., 0]),
                "role": ("document", [window.role for window in self.windows]),
                "start": ("document", [window.start for window in self.windows]),
                "meaning": ("intervention", [NAMES[name] for name in names]),
                "constant": (
                    ("length", "matched"),
                    [[self.bench.constants.get((name, n), np.nan) for name in DOSE_CONTROLS] for n in lengths],
                ),
                "matched_to": ("matched", list(DOSE_CONTROLS.values())),
                "trial_matched": ("trial", np.array([name for (name, _, _), _ in trials], dtype=str)),
                "trial_length": ("trial", np.array([length for (_, length, _), _ in trials], dtype=int)),
                "trial_constant": ("trial", np.array([constant for (_, _, constant), _ in trials])),
                "trial_far": ("trial", np.array([far for _, far in trials])),
                **_kept(self.bench.curves, lengths[-1]),
            },
            coords={
                "document": documents, "length": lengths, "intervention": names, "matched": list(DOSE_CONTROLS),
                "trial": np.arange(len(trials)),
            },
            attrs={
                "model": self.bench.model.name, "trained_length": self.bench.trained, "key": self.key,
                "target": self.bench.settings.target,
            },
        )  # fmt: skip
        return with_shares(found)


def _kept(curves: Curves, longest: int) -> dict[str, Any]:
    """Curves at some distances, in standard deviations."""
    trained = curves.trained_length
    beyond = np.linspace(trained, longest - 1, POINTS // 2)
    points = np.unique(np.round(np.concatenate([np.geomspace(1, trained, POINTS // 2), beyond])).astype(int))
    unit = curves.spread[..., None]
    axes = ("layer", "head", "distance")
    predicted = curves.departure(longest, curves.predicted)
    return {
        "spread": (axes[:2], curves.spread.astype(np.float32)),
        "departure": (axes, (curves.departure(longest) / unit)[..., points].astype(np.float32)),
        "departure_predicted": (axes, (predicted / unit)[..., points].astype(np.float32)),
        "distance": points,
    }


# From a model's name to the record.


def measure_interventions(
    model: str,
    texts: Sequence[Path],
    settings: Settings,
    out: Path,
    *,
    arguments: Sequence[str],
    progress: Progress,
) -> xr.Dataset:
    """Read documents under interventions, and write the record on the way: what is killed loses `EVERY` seconds.

    Args:
        model: "smollm2" (fetched), a Hugging Face folder of safetensors, or a .gguf file.
        texts: UTF-8 files; with none, the pinned texts.
        settings: see there.
        out: record to write; what it holds of the same model, texts and settings is not read again. Curves lie beside.
        arguments: the command line, for the record.
        progress: called with (what, done, total).

    Returns:
        The record.

    Raises:
        InputError: whatever cannot be used of the model, the texts or the settings.
    """
    for name in settings.interventions:
        check_intervention(name)
    opened, lengths, windows, keys = prepared(model, texts, settings, progress)
    begun = begun_record(out, windows, keys)  # before the curves, which take an hour
    key = keys[settings.precision]
    path = out.with_name(f"{out.stem}.curves.npz")
    curves = Curves.from_arrays(kept_arrays(path) or {}, key)
    if curves is None:
        own = [window for window in windows if window.role == "curves"]
        arrays = measured_curves(opened, own, lengths[-1] + 1, progress).to_arrays(key)
        keep_arrays(path, arrays)
        curves = Curves.from_arrays(arrays, key)  # as a later run will have them
        assert curves is not None
    bench = Bench(opened, settings, lengths, curves, {})
    record = InterventionRecord(bench, windows, keys)
    if begun is not None:
        with records.relied_on(out, BIAS_INTERVENTIONS):
            record.resume(begun)
    start, written = time.perf_counter(), -math.inf

    def save(every: float) -> None:
        nonlocal written
        if time.perf_counter() - written < every:
            return
        provenance = _provenance(record, windows, arguments, time.perf_counter() - start)
        records.write(record.dataset(), out, provenance, schema=BIAS_INTERVENTIONS)
        written = time.perf_counter()

    _read_all(record, lambda: save(EVERY), progress)
    save(0)
    return records.read(out, expect_schema=BIAS_INTERVENTIONS)


def _provenance(
    record: InterventionRecord, windows: Sequence[TextWindow], arguments: Sequence[str], seconds: float
) -> Provenance:
    """Where a record comes from."""
    bench = record.bench
    decided = {
        "lengths": bench.lengths, "texts": [window.document for window in windows],
        "windows_sha256": [window.sha256 for window in record.windows],
    }  # fmt: skip
    return Provenance.collect(
        arguments,
        asdict(bench.settings) | decided | bench.model.recorded,
        seeds={"documents, windows, sampled queries, interventions": bench.settings.seed},
        device="cpu",
        precision=f"{record.precision()} forward, float32 doses, float64 sums",
        threads=torch.get_num_threads(),
        seconds=seconds,
        model_sha256=bench.model.sha256,
        text_sha256=_sha256_of(windows),
    )


def _sha256_of(windows: Sequence[TextWindow]) -> str:
    """Of the tokens of all of them."""
    return hashlib.sha256(np.concatenate([window.tokens.numpy() for window in windows]).tobytes()).hexdigest()


def chosen_of(settings: Settings) -> tuple[str, ...]:
    """The interventions that settings ask for."""
    return settings.interventions or (*PRIMARY, *SECONDARY)


def prepared(
    model: str, texts: Sequence[Path], settings: Settings, progress: Progress
) -> tuple[PretrainedModel, tuple[int, ...], list[TextWindow], dict[str, str]]:
    """The model, the lengths, the windows of all documents, and by precision a key of all that decides a cell.

    Raises:
        InputError: as `measure_interventions`.
    """
    for path in texts:
        read_text(path)
    opened: Model = open_model(model, precision=settings.precision, progress=progress)
    if not isinstance(opened, PretrainedModel):
        raise InputError(f"{model} is of `tapa train`; give the folder of its runs: tapa bias RUNS")
    trained = opened.trained_length
    # of a short context as much further as is scored
    lengths = settings.lengths or tuple(trained + max(n * trained // 2, n * settings.target) for n in (1, 2))
    for length in lengths:
        if length - settings.target < trained:
            raise InputError(
                f"length {length} less {settings.target} scored tokens is not beyond the trained length of "
                f"{trained}; give --lengths of {trained + settings.target} or more"
            )
    documents, _ = opened.evaluation_texts(texts, progress)
    windows = draw_windows(documents, settings, lengths[-1], min(MARGIN, trained // 4), opened.first_token)
    decides = {
        "lengths": list(lengths), "target": settings.target, "sampled": settings.sampled, "seed": settings.seed,
        "model": opened.sha256,
        "texts": hashlib.sha256("".join(sorted(d.name for d in documents)).encode()).hexdigest(),
        "curves": [window.sha256 for window in windows if window.role != "test"],
    }  # fmt: skip
    keys = {
        name: hashlib.sha256(json.dumps(decides | {"precision": name}, sort_keys=True).encode()).hexdigest()
        for name in ("bfloat16", "float32")
    }
    return opened, lengths, windows, keys


def _match_constants(
    record: InterventionRecord, length: int, save: Callable[[], None], progress: Progress
) -> None:
    """Find the constants of all controls of equal dose at a length; each text's beginning is read once."""
    bench = record.bench
    readers = {
        window.document: TextReader(bench.model.checkpoint, window.tokens, bench.trained)
        for window in record.windows
        if window.role == "matching"
    }
    for name in [name for name in DOSE_CONTROLS if name in chosen_of(bench.settings)]:
        if (name, length) not in bench.constants:
            _match(record, name, length, readers, save, progress)


def _match(
    record: InterventionRecord,
    name: str,
    length: int,
    readers: Mapping[str, TextReader],
    save: Callable[[], None],
    progress: Progress,
) -> None:
    """Find a constant with the far mass of what it is matched to, over the documents for matching."""
    bench = record.bench

    def far(of: str) -> float:
        for document, reader in readers.items():
            if (document, of, length) not in record.cells:
                for at, found in zip(bench.lengths, bench.read(reader, of, length), strict=False):
                    record.add((document, of, at), found)
                save()
        return float(np.mean([record.cells[document, of, length][1] for document in readers]))

    def mass(constant: float) -> float:
        progress(f"constant of {name}", len(record.trials), 0)
        if constant == 0:  # nothing is added
            return far("plain")
        if (name, length, constant) not in record.trials:
            found = [bench.read(reader, name, length, constant)[-1, 1] for reader in readers.values()]
            record.trials[name, length, constant] = float(np.mean(found))
            save()
        return record.trials[name, length, constant]

    bench.constants[name, length], _ = match_dose(mass, far(DOSE_CONTROLS[name]))
    save()


def _read_all(record: InterventionRecord, save: Callable[[], None], progress: Progress) -> None:
    """All readings whose cells the record does not have."""
    bench = record.bench
    by_name = {window.document: window for window in record.windows if window.role == "test"}
    todo = planned_readings(bench.settings, bench.lengths, list(by_name))
    reader: TextReader | None = None
    read = ""
    for done, reading in enumerate(todo):
        progress("readings", done, len(todo))
        name, scored, window = reading.intervention, reading.scored(bench.lengths), by_name[reading.document]
        for length in scored:
            if (reading.document, length) not in record.references:
                record.add_reference(reading.document, length, bench.reference(window, length))
                save()
        if all((reading.document, name, length) in record.cells for length in scored):
            continue
        if name in DOSE_CONTROLS and (name, reading.length) not in bench.constants:
            _match_constants(record, reading.length, save, progress)
        if reader is None or read != reading.document:
            reader, read = TextReader(bench.model.checkpoint, window.tokens, bench.trained), reading.document
        found = bench.read(reader, name, reading.length)[-len(scored) :]
        for length, values in zip(scored, found, strict=True):
            record.add((reading.document, name, length), values)
        save()
    progress("readings", len(todo), len(todo))


# What a record says, whole or not.


def missing_readings(data: xr.Dataset) -> dict[int, int]:
    """By length, how many readings of the plan a record does not have."""
    tests = data.isel(document=np.flatnonzero(data.role.values == "test"))
    documents, found = [str(name) for name in tests.document.values], {}
    names = tuple(map(str, data.intervention.values))
    lengths = [int(length) for length in data.length.values]
    planned = {
        (reading.document, reading.intervention, length)
        for reading in planned_readings(Settings(interventions=names), lengths, documents)
        for length in reading.scored(lengths)
    }
    for length in lengths:
        cells = [(d, name) for d, name, at in planned if at == length]
        nats = tests.nats.sel(length=length)
        found[length] = sum(not math.isfinite(float(nats.sel(document=d, intervention=n))) for d, n in cells)
    return found


def interventions_table(data: xr.Dataset) -> str:
    """The record for a reader: interventions by length, the endpoint, what was left out and what is missing."""
    lines = []
    for length in map(int, data.length.values):
        rows = recovered(data, length)
        if not rows:
            continue
        lines.append(
            f"{length} tokens: recovered share [95 % over documents], far mass, mass on the sink, entropy"
        )
        for row in sorted(rows, key=lambda row: -row["share"]):
            ends = row["low"], row["high"]
            interval = " no interval" if None in ends else "[{:5.2f}, {:5.2f}]".format(*ends)
            lines.append(
                f"  {row['intervention']:26s}{row['nats']:7.3f} nats  {row['share']:6.2f} {interval}  "
                f"{row['far']:.3f}  {row['sink']:.3f}  {row['entropy']:.2f}  n={row['documents']}"
            )
        for other, one in dose_controls(data).items():
            if {one, other} <= {row["intervention"] for row in rows}:
                found = difference(data, length, one, other)
                dose = "equal dose" if found["equal_dose"] else "unequal dose"
                lines.append(
                    f"  {one} less {other}: {found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}], "
                    f"far mass {found['far']:+.3f} ({dose})"
                )
    left = {length: int((~able(data, length)).sum()) for length in map(int, data.length.values)}
    lines.append("test documents without a loss to recover, or not read plain yet: " + _counts(left))
    return "\n".join([*lines, "readings that are missing: " + _counts(missing_readings(data))])


def _counts(by_length: Mapping[int, int]) -> str:
    return ", ".join(f"{count} at {length}" for length, count in by_length.items())


def core_hours(model: str, texts: Sequence[Path], settings: Settings, progress: Progress) -> dict[str, float]:
    """How long everything would keep one core busy, from one measured block: core-hours, by what is done.

    Raises:
        InputError: as `measure_interventions`.
    """
    for name in settings.interventions:
        check_intervention(name)
    opened, lengths, windows, _ = prepared(model, texts, settings, progress)
    per_token, per_pair = _rates(opened, lengths[-1])
    trained = opened.trained_length

    def seconds(first: int, stop: int) -> float:
        return per_token * (stop - first) + per_pair * (stop**2 - first**2) / 2

    tests = [window.document for window in windows if window.role == "test"]
    todo = planned_readings(settings, lengths, tests)
    stages = {(reading.document, reading.length, reading.intervention in PRIMARY) for reading in todo}
    matched = {
        (reading.intervention, reading.length) for reading in todo if reading.intervention in DOSE_CONTROLS
    }
    scored = len(tests) * len(lengths)
    found = {
        "curves": CURVES * seconds(0, len(windows[0].tokens)),
        "matched constants": sum(8 * MATCHING * seconds(trained, length) for _, length in matched),
        "references": scored * seconds(0, trained),
        "prefixes": len(stages) * seconds(0, trained),
        "readings": sum(
            seconds(0 if reading.intervention in WHOLE else trained, reading.length) for reading in todo
        ),
    }
    return {name: value / 3600 for name, value in found.items()}


def _rates(model: PretrainedModel, longest: int) -> tuple[float, float]:
    """Core-seconds for each token beside its attention, and for each query and key in all layers."""
    checkpoint, rng = model.checkpoint, np.random.default_rng(0)
    tokens = torch.from_numpy(rng.integers(0, checkpoint.model.config.vocab_size, 3 * BLOCK + 1))
    reader = TextReader(checkpoint, tokens, BLOCK)
    begun = time.process_time()
    reader.losses(unchanged, [range(3 * BLOCK - 2, 3 * BLOCK)])
    whole = time.process_time() - begun
    dtype, generator = checkpoint.model.dtype, torch.Generator().manual_seed(0)
    q, k = (
        torch.randn(1, heads, longest, checkpoint.head_dim, generator=generator).to(dtype)
        for heads in (checkpoint.query_heads, checkpoint.key_heads)
    )
    block = min(BLOCK, longest // 2)
    cache, base = CachedAttention(longest), next(iter(reader.cache.layers.values())).rope
    first, last = slice(0, block), slice(longest - block, longest)
    cache(base, q[:, :, first], k[:, :, first], k[:, :, first], torch.arange(block), 0)
    held = cache.layers[0]
    for room in (held.raw, held.placed, held.values):
        room.copy_(k[0])
    cache.length = longest - block
    begun = time.process_time()
    cache(base, q[:, :, last], k[:, :, last], k[:, :, last], torch.arange(longest)[last], 0)
    per_pair = checkpoint.layers * (time.process_time() - begun) / (block * longest)
    own = per_pair * (3 * BLOCK) ** 2 / 2
    return max(0.0, whole - own) / (3 * BLOCK), per_pair
