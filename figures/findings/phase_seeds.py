"""What TAPA's phase is over seeds, and what of it is position: beside NoPE and two controls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from figures.findings.finding import FEWEST, Finding, Status, Value, content, number, triple

RECORD = "summaries/phase_seeds.json"
CONTROLS, TARGETS, GAPS = "fig_31_phase_controls", "fig_32_phase_targets", "fig_25_near_far_trained"
WITHIN, LONG = 64, 512  # far ends of near and far within the trained length, and beyond it
OVER_WINDOWS = "a sign test over windows, which are not independent"
WHY = (
    "It was said that heads show the gap surely. What counts them is a sign test over windows, several of one "
    "document; of seed 0 a test over documents counts as many at this reach (near-far-tapa, near-far-nope)."
)
CONTROLLED = {
    "tapa_alpha0": "A TAPA whose phase is learned and knows no distance (alpha 0)",
    "tapa_frozen": "A TAPA whose phase weights keep their random initial values",
    "nope": "NoPE, without any phase,",
}


def _summary() -> dict[str, Any]:
    return content(RECORD)["summary"]


def _over(variant: str, key: str, form: str = ".2f") -> Value:
    return _ends(_summary()["over_seeds"][variant][key], form)


def _seeds(variant: str = "tapa") -> int:
    return len(_summary()["seeds"][variant])


def _of(seeds: int, what: str = "mean") -> str:
    """Over what a value and its interval go, in words."""
    if seeds < FEWEST:
        return (
            "one seed, no interval" if seeds == 1 else f"{what} over {seeds} seeds, too few for an interval"
        )
    return f"{what} over {seeds} seeds, 95 % by Student's t over them"


def _ends(found: dict[str, Any], form: str = ".2f") -> Value:
    """A value over seeds with its interval, without one of fewer than `FEWEST`."""
    value, *ends = found["of"]
    return triple([value, *(ends if len(found["values"]) >= FEWEST else (None, None))], form)


def _heads(variant: str = "tapa") -> list[dict[str, Any]]:
    """All heads of all seeds."""
    rows = content(RECORD)["rows"].values()
    return [head for row in rows if row["variant"] == variant for head in row["targets"]["heads"].values()]


def _less_tapa(found: dict[str, Any]) -> Value:
    """A difference the other way round, with its sign."""
    ends = _ends(found)
    low, high = (None if end is None else -end for end in (ends.high, ends.low))
    return Value(-ends.value, low, high, form="+.2f")


def position_findings() -> Iterator[Finding]:
    """Is it position, or a more expressive NoPE?"""
    for variant, words in CONTROLLED.items():
        if variant not in _summary()["less"]:
            continue
        less = _summary()["less"][variant]
        short, long = (_less_tapa(less[f"bits/{times}"]) for times in ("1", "8"))
        trained = "its own tuned rate" if variant == "nope" else "TAPA's rate, which was tuned for TAPA"
        yield Finding(
            f"position-{variant.replace('_', '-')}",
            "{words} has {bits} bits per byte at the trained length and {far} at 8 times it; less TAPA's {short} and "
            "{long} ({over}; the same test bytes, trained for as long, at {trained}).",
            RECORD,
            {"words": words, "trained": trained, "bits": _over(variant, "bits/1"), "far": _over(variant, "bits/8")}
            | {"short": short, "long": long, "over": _of(len(less["bits/1"]["values"]), "difference")},
            CONTROLS,
        )  # fmt: skip
    for variant, words in CONTROLLED.items():
        found = _summary()["over_seeds"].get(variant, {})
        if "moved" in found:
            size = "phase/within/phase_sd"
            sizes = (
                {"sd": _over(variant, size, ".3f"), "own": _over("tapa", size, ".3f")}
                if size in found
                else {}
            )
            said = " Its phases have a standard deviation of {sd} turns, TAPA's {own}." if sizes else ""
            yield Finding(
                f"position-{variant.replace('_', '-')}-used",
                "{words}: held at its mean the cosine costs it {rise} nats a token, TAPA {tapa} ({over}; TAPA: {all})."
                + said,
                RECORD,
                {"words": words, "rise": _over(variant, "change/mean cosine", ".3f")}
                | {"tapa": _over("tapa", "change/mean cosine"), "over": _of(_seeds(variant)), "all": _of(_seeds())}
                | sizes,
                CONTROLS,
            )  # fmt: skip


def use_findings() -> Iterator[Finding]:
    """What the loss owes to the phase, within the trained length."""
    yield Finding(
        "phase-used-seeds",
        "TAPA's loss within the trained length rises by {cosine} nats a token without its cosine, by {mean} with "
        "each head's mean cosine, by {distance} with the cosine's mean at each distance and by {fixed} with the "
        "distance fixed at 1 ({over}).",
        RECORD,
        {"cosine": _over("tapa", "change/no cosine"), "mean": _over("tapa", "change/mean cosine")}
        | {"distance": _over("tapa", "change/cosine by distance"), "fixed": _over("tapa", "change/distance 1")}
        | {"over": _of(_seeds())},
        "fig_21_phase_ablations",
    )  # fmt: skip
    yield Finding(
        "phase-heads-seeds",
        "Of what TAPA's heads lose one by one without their cosine, the two that lose most have a share of "
        "{share}, and the one that loses least loses {least} nats a token ({over}).",
        RECORD,
        {
            "share": _over("tapa", "first_two"),
            "least": _over("tapa", "least_head", ".3f"),
            "over": _of(_seeds()),
        },
        "fig_21_phase_ablations",
    )


def purpose_findings() -> Iterator[Finding]:
    """Which keys the phase moves attention to; the rule was fixed before any model was measured."""
    heads, rule = _heads(), content(RECORD)["rule"]
    of = {
        verb: {name: sum(name in head[verb] for head in heads) for name in heads[0]["shift"]}
        for verb in ("attends", "raises", "lowers")
    }
    common = {"heads": len(heads), "over": _of(_seeds())}
    group = _summary()["over_seeds"]["tapa"].get("groups/raises previous")
    if group is not None:
        yield Finding(
            "phase-previous",
            "The phase raises the previous token's weight by {moved} or more in {raised} of {heads} heads and the "
            "token's own in {itself}, in {both} of them both (against the head's mean cosine, 95 % over documents). "
            "With the mean cosine in the heads that raise the previous token alone the loss rises by {rise} nats a "
            "token, in all heads by {all}, in those whose phase moves no kind of key by {rest} ({over}).",
            RECORD,
            common | {"moved": number(rule["moves"], 1), "raised": of["raises"]["previous"]}
            | {"itself": of["raises"]["itself"]}
            | {"both": sum({"previous", "itself"} <= set(head["raises"]) for head in heads)}
            | {"rise": _ends(group), "all": _over("tapa", "change/mean cosine")}
            | {"rest": _over("tapa", "groups/moves none")},
            TARGETS,
        )  # fmt: skip
    near = {"phase": "phase", "mean": "mean cosine", "fixed": "distance 1", "blind": "cosine by distance"}
    yield Finding(
        "phase-near",
        "TAPA's heads give {phase} of their attention to the token itself and the three before it; with the mean "
        "cosine {mean}, with the phase of neighbours at every distance {fixed}, with the cosine's mean at each "
        "distance, which no token changes, {blind}: it is the distance in the phase that brings attention near, and "
        "tokens add to it (mean head; {over}).",
        RECORD,
        {name: _over("tapa", f"near/{condition}") for name, condition in near.items()}
        | {"over": _of(_seeds())},
        TARGETS,
    )
    yield from _of_controls()
    lowered = {name: count for name, count in of["lowers"].items() if count}
    said = ", ".join(f"{name} in {count}" for name, count in lowered.items()) or "none in 0"
    yield Finding(
        "phase-lowers",
        "The phase takes {moved} or more of a head's attention from a kind of key (by name: {said}) in {any} of "
        "{heads} heads, all seeds together.",
        RECORD,
        common | {"moved": number(rule["moves"], 1), "said": said, "any": sum(bool(head["lowers"]) for head in heads)},
        TARGETS,
    )  # fmt: skip
    yield Finding(
        "phase-no-sink-no-induction",
        "Of {heads} heads {sinks} attend to the window's first token and, in a repeated random segment, {inducing} to "
        "the token after the same place, so that what the phase would do for sinks or induction is not known; it "
        "raises these in {first} and {induction} (all seeds together; models of this size, 1000 steps).",
        RECORD,
        common
        | {"first": of["raises"]["first"], "induction": of["raises"]["after same place"]}
        | {"sinks": of["attends"]["first"], "inducing": of["attends"]["after same place"]},
        TARGETS,
    )


def _of_controls() -> Iterator[Finding]:
    """The same of TAPA's controls."""
    controls = {name: _heads(name) for name in ("tapa_frozen", "tapa_alpha0") if name in _summary()["seeds"]}
    for variant, words in (
        ("tapa_frozen", "phase weights that are not learned"),
        ("tapa_alpha0", "no distance in its phase"),
    ):
        if variant in controls:
            yield Finding(
                f"phase-previous-{variant.removeprefix('tapa_')}",
                "With {words} TAPA's phase raises the previous token, by the same rule, in {previous} of {heads} heads "
                "and the token itself in {itself}; it moves {share} of a head's attention, TAPA's {tapa} ({over}; "
                "TAPA: {all}).",
                RECORD,
                {"words": words, "heads": len(controls[variant]), "over": _of(_seeds(variant))}
                | {"previous": sum("previous" in head["raises"] for head in controls[variant])}
                | {"itself": sum("itself" in head["raises"] for head in controls[variant])}
                | {"share": _over(variant, "moved"), "tapa": _over("tapa", "moved"), "all": _of(_seeds())},
                TARGETS,
            )  # fmt: skip


def gap_findings() -> Iterator[Finding]:
    """Figure 1's reading with NoPE as control, and what of it is due to distance."""
    for variant, words in (("tapa", "TAPA"), ("nope", "NoPE")):
        key = f"near_far/distances/{WITHIN}"
        by_document = f"{key}/near_sure" in _summary()["over_seeds"][variant]
        count = "near_sure" if by_document else "near_above"
        yield Finding(
            f"near-far-{variant}-seeds",
            "{words}, by v1's reading within the trained length (reach {reach}): near scores exceed far ones by "
            "{mean} standard deviations in the mean head, in {above} of {heads} heads by {test}; {drift} standard "
            "deviations of that gap are drift of the tokens, with no distance in the score, and {due} are due to "
            "distance ({over}; at reach {far}: {far_mean}, {far_drift}, {far_due}).",
            RECORD,
            {"words": words, "reach": WITHIN, "far": LONG, "over": _of(_seeds(variant))}
            | {"heads": len(_heads(variant)) // _seeds(variant)}
            | {"mean": _over(variant, f"{key}/mean"), "above": _over(variant, f"{key}/{count}", ".1f")}
            | {"test": "a t-test over documents" if by_document else OVER_WINDOWS}
            | {"drift": _over(variant, f"{key}/drift"), "due": _over(variant, f"{key}/due")}
            | {f"far_{part}": _over(variant, f"near_far/distances/{LONG}/{part}") for part in ("mean", "drift", "due")},
            GAPS,
            None if by_document else Status("corrected", "2026-12-01", WHY),
        )  # fmt: skip
    if "nope" in _summary()["less"]:
        less = _summary()["less"]["nope"]
        parts = {
            part: _ends(less[f"near_far/distances/{WITHIN}/{part}"]) for part in ("mean", "drift", "due")
        }
        yield Finding(
            "near-far-contrast",
            "TAPA less NoPE, standard deviations of near less far in the mean head within the trained length: "
            "{mean} in all, {drift} of drift and {due} due to distance ({over}). By v1's reading alone "
            "NoPE would have the bias and TAPA less of it.",
            RECORD,
            parts | {"over": _of(len(less["bits/1"]["values"]), "difference")},
            GAPS,
        )  # fmt: skip


def same_token_findings() -> Iterator[Finding]:
    """Pairs of one byte against pairs of two."""
    key = "properties/same token"
    yield Finding(
        "phase-same-token",
        "Of pairs of the same byte, against pairs as far apart, phi is shifted by {shift} of its standard deviation "
        "in the mean head (by 4 standard errors over windows or more, of either sign, in {sure} of {heads} heads) "
        "and |phi| by {size} (in {sure_size}); a linear probe tells such pairs with accuracy {phase} from phase "
        "vectors and {amplitude} from amplitude vectors ({over}, within the trained length).",
        RECORD,
        {"size": _over("tapa", f"{key}/effect_abs_mean"), "shift": _over("tapa", f"{key}/effect_mean")}
        | {"sure": _over("tapa", f"{key}/effect_shifted", ".1f")}
        | {"sure_size": _over("tapa", f"{key}/effect_abs_shifted", ".1f"), "heads": len(_heads()) // _seeds()}
        | {"phase": _over("tapa", f"{key}/phase"), "amplitude": _over("tapa", f"{key}/amplitude")}
        | {"over": _of(_seeds())},
        "fig_22_phase_tokens",
    )  # fmt: skip


def window_findings() -> Iterator[Finding]:
    """What heads do within the trained length, and in windows of 32 times it."""
    found = {
        f"{name}_{length}": _over("tapa", f"phase/{length}/{name}", form)
        for length in ("within", "long")
        for name, form in (
            ("phase_sd", ".3f"), ("score_falls", ".1f"), ("gaussian_heads", ".1f"),
            ("variance_below", ".1f"), ("bound_met", ".3f"), ("nope_index", ".2f"),
        )
    }  # fmt: skip
    common = {"heads": len(_heads()) // _seeds(), "over": _of(_seeds())}
    yield Finding(
        "phase-within",
        "Within the trained length (in windows of 32 times it) phi has a standard deviation of {phase_sd_within} "
        "({phase_sd_long}) turns, the mean score is lower at the far end than at distance 1 in "
        "{score_falls_within} ({score_falls_long}) of {heads} heads, and the squared correlation of score and "
        "amplitude is {nope_index_within} ({nope_index_long}) in the mean head ({over}).",
        RECORD,
        common
        | {name: value for name, value in found.items() if name.startswith(("phase", "score", "nope"))},
        "fig_20_phase_heads",
    )
    yield Finding(
        "phase-within-theory",
        "Within the trained length (in windows of 32 times it) a Gaussian law explains more than 0.4 of the mean "
        "score's curve in {gaussian_heads_within} ({gaussian_heads_long}) of {heads} heads, the variance is below"
        " the bound of v1's eq 15 somewhere in {variance_below_within} ({variance_below_long}), and the exponent "
        "of its eq 14 is met in a share of {bound_met_within} ({bound_met_long}) of the steps of an octave "
        "({over}; eq 15 is of the limit of distance, and eq 14 has a constant that it does not give: at these lengths "
        "nothing breaks or bears out either).",
        RECORD,
        common | {name: value for name, value in found.items() if name.startswith(("gaussian", "variance", "bound"))},
        "fig_23_phase_decay",
        Status(
            "corrected", "2026-11-28",
            "The same was said of one seed and mostly in long windows; what a model does within the length it was"
            " trained at comes first now, and intervals are over seeds.",
        ),
    )  # fmt: skip
