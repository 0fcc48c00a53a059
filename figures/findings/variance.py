"""Every encoding on one coordinate: what of a head's score is distance, pair, interaction; what the loss owes to it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from analysis import records, schemas
from analysis.intervals import over_seeds
from figures.findings.finding import FEWEST, FOLDER, Finding, Value, capital, label_part, percent

RECORD = "trained/score_variance.nc"
HEADS, LOSSES = "fig_29_score_variance", "fig_30_parts_removed"
MAIN = ("rope", "partial", "tapa", "alibi", "nope")
OTHERS = ("rope_large", "window", "tapa_plain", "tapa_linear", "tapa_alpha0", "tapa_frozen")
REAL = "SmolLM2-135M-Instruct"
HOW = (
    "each part's median over the heads of a model, which need not add up, {over}; pairs of tokens of test documents, "
    "put at every distance, octaves alike"
)


@cache
def _record() -> xr.Dataset:
    """All runs that learned, by the rule of the comparison of equal doses; those where it is unknown stay."""
    data = records.read(FOLDER / RECORD, expect_schema=schemas.SCORE_VARIANCE)
    return data.isel(model=np.flatnonzero(data.learned.values != 0))


def _models(variant: str) -> list[str]:
    data = _record()
    return data.model.values[data.variant.values == variant].tolist()


def _heads(model: str) -> xr.Dataset:
    data = _record()
    return data.isel(place=np.flatnonzero(data.place_model.values == model))


def _label(variant: str) -> str:
    data = _record()
    return str(data.label.values[data.variant.values == variant][0])


def _over(*variants: str) -> str:
    """Over how many seeds a mean is, and what its brackets are."""
    count = min(len(_models(variant)) for variant in variants)
    least = "at least " if len({len(_models(variant)) for variant in variants}) > 1 else ""
    if count < FEWEST:
        return "one seed" if count == 1 else f"mean over {least}{count} seeds, too few for an interval"
    return f"mean over {least}{count} seeds [95 %, Student's t]"


def _over_seeds(values: list[float], **form: Any) -> Value:
    """Mean over seeds with its interval, none for fewer than `FEWEST`."""
    found = over_seeds(np.array(values))
    ends = (None, None) if len(values) < FEWEST else (found.low, found.high)
    return Value(found.value, *ends, **form)


_PERCENT: dict[str, Any] = {"form": ".1f", "scale": 100.0, "unit": " %"}


def _share(variant: str, part: str, reach: str) -> Value:
    medians = [
        float(_heads(model).share.sel(part=part, range=reach, weighting="log").median())
        for model in _models(variant)
    ]
    return _over_seeds([round(median, 6) + 0.0 for median in medians], **_PERCENT)


def component_findings() -> Iterator[Finding]:
    """Variance components of the median head, within the trained length and beyond it."""
    ranges = {"within": "within the trained length", "beyond": "from the trained length to eight times it"}
    for variant in (name for name in (*MAIN, *OTHERS) if _models(name)):
        common: dict[str, Value | str | int] = {
            "over": _over(variant),
            "method": capital(_label(variant)),
        }
        for reach, words in ranges.items():
            if variant in OTHERS and reach == "beyond":
                continue
            yield Finding(
                f"parts-{label_part(variant)}" + ("" if reach == "within" else "-beyond"),
                "{method}: of the variance of a head's score at distances {words}, {distance} is distance, {pair} pair "
                "and {interaction} interaction (" + HOW + ").",
                RECORD,
                common
                | {"words": words}
                | {part: _share(variant, part, reach) for part in ("distance", "pair", "interaction")},
                HEADS,
            )
    heads = _heads(REAL)
    for reach, words in (("within", "1 to {near} tokens"), ("beyond", "{length} to {far} tokens")):
        share = heads.share.sel(range=reach, weighting="log")
        alike = heads.share.sel(range=reach, weighting="uniform", part="distance")
        length = int(_record().trained_length.sel(model=REAL))
        quartiles = {
            f"{part}{end}": percent(float(share.sel(part=part).quantile(q)))
            for part in ("distance", "pair", "interaction")
            for end, q in (("", 0.5), ("_low", 0.25), ("_high", 0.75))
        }
        yield Finding(
            "parts-smollm2" + ("" if reach == "within" else "-beyond"),
            "SmolLM2-135M-Instruct (Q4_1 weights): of the variance of a head's score at distances of "
            + words
            + ", {distance} is distance (quartiles {distance_low} and {distance_high}), {pair} pair ({pair_low} and "
            "{pair_high}) and {interaction} interaction ({interaction_low} and {interaction_high}; each part's "
            "median over {heads} heads, which need not add up); pairs of tokens of public-domain texts, put at every "
            "distance, octaves alike; with distances alike {uniform} is distance. bias-share is of the pairs of a "
            "window, at the distances that they have.",
            RECORD,
            quartiles
            | {"uniform": percent(float(alike.quantile(0.5)))}
            | {"heads": heads.sizes["place"], "near": length - 1, "length": length, "far": 8 * length - 1},
            HEADS,
        )


def step_findings() -> Iterator[Finding]:
    """Change of the mean score by octave within the trained length."""
    for variant in [name for name in (*MAIN, REAL) if _models(name) and name != "nope"]:
        octaves = int(np.log2(_record().trained_length.values[_record().variant.values == variant][0]))
        each = [_heads(model).step.sel(octave=slice(0, octaves - 1)) for model in _models(variant)]
        falls = sum(int((one < 0).sum()) for one in each)
        alike = sum(int(((one < 0).all("octave") | (one > 0).all("octave")).sum()) for one in each)
        real = variant == REAL
        yield Finding(
            f"octaves-{'smollm2' if real else label_part(variant)}",
            "{method}: over an octave of distance within the trained length the mean score of the median head changes "
            "by {change} of its standard deviations (mean over octaves), and the root mean square of a step is {size}; "
            "{falls} of {all} steps fall, and in {alike} of {heads} heads all steps have one sign "
            + ("({octaves} octaves)." if real else "({octaves} octaves; {over})."),
            RECORD,
            {
                "method": f"{REAL} (Q4_1 weights)" if real else capital(_label(variant)),
                "change": _over_seeds([float(one.mean("octave").median()) for one in each], form="+.2f"),
                "size": _over_seeds([float(np.sqrt((one**2).mean("octave")).median()) for one in each]),
                "falls": falls,
                "all": sum(one.size for one in each),
                "alike": alike,
                "heads": sum(one.sizes["place"] for one in each),
                "octaves": octaves,
                "over": _over(variant),
            },
            HEADS,
        )


_REMOVED = {
    "distance": ("no distance part", "control: distance part shuffled"),
    "pair": ("no pair part", "control: foreign pair part"),
    "interaction": ("no interaction", "control: foreign interaction"),
}


def _change(variant: str, kind: str, multiple: int) -> Value:
    cell = _record().change.sel(model=_models(variant), intervention=kind, multiple=multiple)
    return _over_seeds([round(value, 6) + 0.0 for value in cell.values.tolist()], form="+.2f")


def _loss(variant: str, kind: str, multiple: int) -> Value:
    cell = _record().bits_per_byte.sel(model=_models(variant), intervention=kind, multiple=multiple)
    return _over_seeds(cell.values.tolist())


def removal_findings() -> Iterator[Finding]:
    """The loss without each part, beside its control."""
    for variant in (name for name in MAIN if _models(name)):
        common: dict[str, Value | str | int] = {
            "method": capital(_label(variant)),
            "over": _over(variant),
        }
        length = int(_record().trained_length.sel(model=_models(variant)[0]))
        yield Finding(
            f"removed-{label_part(variant)}",
            "{method} at {length} bytes, its trained length: without the distance part of all heads the loss changes "
            "by {distance} bits per byte (control, as much shuffled over distances: {distance_control}), without the "
            "pair part by {pair} (control, that of other pairs subtracted: {pair_control}), without the interaction by "
            "{interaction} (control likewise: {interaction_control}); {over}.",
            RECORD,
            common
            | {"length": length}
            | {part: _change(variant, kinds[0], 1) for part, kinds in _REMOVED.items()}
            | {f"{part}_control": _change(variant, kinds[1], 1) for part, kinds in _REMOVED.items()},
            LOSSES,
        )
        for multiple in (2, 4, 8):
            yield Finding(
                f"removed-{label_part(variant)}-{multiple}l",
                "{method} at {length} bytes: {plain} bits per byte as it is, {distance} without the distance part, "
                "{pair} without the pair part, {interaction} without the interaction, {pair_alone} with the pair part "
                "alone and {distance_alone} with the distance part alone; controls {distance_control}, {pair_control} "
                "and {interaction_control}; {over}.",
                RECORD,
                common
                | {"length": multiple * length, "plain": _loss(variant, "as it is", multiple)}
                | {part: _loss(variant, kinds[0], multiple) for part, kinds in _REMOVED.items()}
                | {f"{part}_control": _loss(variant, kinds[1], multiple) for part, kinds in _REMOVED.items()}
                | {
                    f"{part}_alone": _loss(variant, f"{part} part alone", multiple)
                    for part in ("pair", "distance")
                },
                LOSSES,
            )


def amplitude_findings() -> Iterator[Finding]:
    """What corresponds to Assumption 2.1 in TAPA."""
    each = [_heads(model) for model in _models("tapa")]

    def shares(question: str) -> Value:
        return _over_seeds([float(one.constancy.sel(question=question).median()) for one in each], **_PERCENT)

    def rejected(question: str) -> int:
        return sum(int((one.constancy_p_holm.sel(question=question) <= 0.05).sum()) for one in each)

    yield Finding(
        "tapa-amplitude-by-phase",
        "In TAPA the phase takes the place of RoPE's frequency and the amplitude that of A_d. That the mean "
        "amplitude given the phase is constant, as Assumption 2.1 of v1 would have it, is rejected in {phases} of "
        "{heads} heads, in the median head with {share} of its mean square not constant over fifths of the phase; "
        "that it is the same in all quarters of the window is rejected in {positions} of them ({share_positions}), "
        "and that the phase's size is in {sizes} ({share_sizes}; Holm over the heads of a model, level 0.05; "
        "medians: {over}).",
        RECORD,
        {
            "heads": sum(one.sizes["place"] for one in each),
            "phases": rejected("phases"),
            "positions": rejected("positions"),
            "sizes": rejected("phase by position"),
            "share": shares("phases"),
            "share_positions": shares("positions"),
            "share_sizes": shares("phase by position"),
            "over": _over("tapa"),
        },
        HEADS,
    )


def comparison_findings() -> Iterator[Finding]:
    """How a TAPA head differs from a RoPE head, on the common axis and in what the loss owes to it."""
    compared = ("tapa", "rope")
    kind, control = _REMOVED["interaction"]
    yield Finding(
        "tapa-head-and-rope-head",
        "Within the trained length the score of a TAPA head is {tapa_pair} pair, {tapa_interaction} interaction and "
        "{tapa_distance} distance by variance, that of a RoPE head {rope_pair} pair, {rope_interaction} interaction "
        "and {rope_distance} distance (each part's median over heads). Without the interaction TAPA's loss changes "
        "by {tapa} and RoPE's by {rope} bits per byte, where as much of other pairs subtracted changes it by "
        "{tapa_control} and {rope_control} ({over}).",
        RECORD,
        {"over": _over(*compared)}
        | {
            f"{variant}_{name}": _share(variant, name, "within")
            for variant in compared
            for name in ("pair", "distance", "interaction")
        }
        | {variant: _change(variant, kind, 1) for variant in compared}
        | {f"{variant}_control": _change(variant, control, 1) for variant in compared},
        HEADS,
    )
