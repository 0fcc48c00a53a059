"""All findings by label, and their page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from analysis.errors import InputError
from analysis.settings import nearest
from figures.findings import (
    checkpoint,
    equal_dose,
    formula,
    interventions,
    long_context,
    long_range,
    losses,
    phase,
    phase_seeds,
    position_code,
    recovery,
    retrieval,
    untrained,
    variance,
)
from figures.findings.finding import FOLDER, Finding

PAGE = FOLDER / "FINDINGS.md"
SECTIONS = {
    "SmolLM2-135M-Instruct": (
        checkpoint.bias_findings,
        checkpoint.control_findings,
        checkpoint.assumption_findings,
        checkpoint.extension_findings,
    ),
    "Gemma 3 270M": (checkpoint.gemma_findings,),
    "The formula for the mean score": (
        formula.real_formula_findings,
        formula.formula_control_findings,
        formula.unseen_formula_findings,
        formula.small_formula_findings,
    ),
    "SmolLM2-135M-Instruct: interventions beyond its context": (long_context.long_context_findings,),
    "SmolLM2-135M-Instruct: another positional encoding, and training": (recovery.recovery_curve_findings,),
    "Small models: loss by context length": (
        losses.loss_findings,
        losses.difference_findings,
        losses.equal_loss_findings,
    ),
    "Small models: context beyond the trained length": (
        long_range.gate_findings,
        long_range.earlier_gate_findings,
        long_range.contrast_findings,
        long_range.share_findings,
        long_range.length_use_findings,
        long_range.fine_findings,
        long_range.trained_rate_findings,
        long_range.copying_findings,
        long_range.steadiness_findings,
        long_range.power_findings,
    ),
    "Small models: learning rates": (losses.rate_findings,),
    "Small models: retrieval": (
        retrieval.needle_findings,
        retrieval.retrieval_rate_findings,
        retrieval.cost_findings,
        retrieval.recall_findings,
    ),
    "Small models: interventions beyond the trained length": (
        interventions.recovery_findings,
        interventions.rope_by_length_findings,
        interventions.correlation_findings,
    ),
    "Small models: interventions of equal dose": (
        equal_dose.dose_findings,
        equal_dose.small_loss_findings,
        equal_dose.shape_findings,
        equal_dose.placebo_findings,
        equal_dose.departure_findings,
        equal_dose.sink_findings,
        equal_dose.tapa_findings,
        equal_dose.masked_findings,
        equal_dose.shape_on_code_findings,
        position_code.place_findings,
        equal_dose.dose_correlation_findings,
    ),
    "A learned phase over seeds, and its controls": (
        phase_seeds.position_findings,
        phase_seeds.use_findings,
        phase_seeds.purpose_findings,
        phase_seeds.gap_findings,
        phase_seeds.same_token_findings,
        phase_seeds.window_findings,
    ),
    "Every encoding on one coordinate: distance, pair, interaction": (
        variance.comparison_findings,
        variance.component_findings,
        variance.step_findings,
        variance.removal_findings,
        variance.amplitude_findings,
    ),
    "A learned phase": (
        phase.ablation_findings,
        phase.curve_findings,
        phase.decay_findings,
        phase.near_far_findings,
        phase.token_findings,
    ),
    "Before any training": (untrained.moment_findings, untrained.encoding_findings, untrained.head_findings),
    "Speed": (untrained.speed_findings, untrained.loop_findings),
    "Memory, layer by layer": (untrained.layer_findings,),
    "Kills and full disks": (untrained.kill_findings,),
    "Hostile inputs": (untrained.hostile_findings,),
    "The claims ledger": (untrained.verdict_findings, untrained.mutant_findings),
}


@cache
def _told(source: Callable[[], Iterator[Finding]]) -> tuple[Finding, ...]:
    return tuple(source())


@cache
def sections() -> dict[str, tuple[Finding, ...]]:
    """The findings by the titles of their sections, in the order of the page."""
    return {
        title: tuple(one for source in sources for one in _told(source))
        for title, sources in SECTIONS.items()
    }


@cache
def findings() -> dict[str, Finding]:
    """Every finding by its label.

    >>> findings()["bias-share"].record
    'summaries/smollm2.json'
    """
    found: dict[str, Finding] = {}
    for one in (one for group in sections().values() for one in group):
        if one.label in found:
            raise InputError(f"two findings have the label {one.label}; a label is given once")
        found[one.label] = one
    return found


def finding(label: str) -> Finding:
    """The finding `label`; of the records, those are read that stand before it on the page.

    Raises:
        InputError: no finding has this label; the nearest one is named.
    """
    for source in (source for sources in SECTIONS.values() for source in sources):
        for one in _told(source):
            if one.label == label:
                return one
    raise InputError(
        f"no finding {label!r}; {nearest(label, findings(), otherwise='see figures/FINDINGS.md')}"
    )


def findings_page() -> str:
    """The text of `FINDINGS.md`."""
    lines = [
        "# Findings",
        "",
        "Every measured sentence of this toolkit, generated from the records by `tapa findings --write`.",
        "A label stays for ever; a sentence that no longer holds says so. Brackets are 95 % intervals over what the",
        "sentence names.",
        "",
    ]
    lines += [f"- [{title}](#{section_anchor(title)})" for title in sections()]
    for title, group in sections().items():
        lines += ["", f"## {title}"]
        for one in group:
            lines += ["", f"### {one.label}", "", one.sentence, "", _source(one)]
            if one.status:
                lines += ["", f"**{one.status.word.capitalize()} {one.status.date}.** {one.status.why}"]
    return "\n".join(lines) + "\n"


def section_anchor(title: str) -> str:
    """The fragment under which the page on the web, and the site, show a section.

    >>> section_anchor('Small models: retrieval')
    'small-models-retrieval'
    """
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")


def _source(one: Finding) -> str:
    drawn = f"; figure: [`{one.figure}.py`]({one.figure}.py)" if one.figure else ""
    command, module = one.origin
    made = f"made by `{command}` ([`{module}`](../{module}))"
    return f"Record: [`{one.record}`]({one.record}), {made}{drawn}."
