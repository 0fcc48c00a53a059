"""TAPA and other encodings before any training, speed and hostile inputs, and the counts of the claims ledger."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from figures.findings.finding import FOLDER, Finding, Status, content, number, percent

RECORD = "summaries/rivals.json"
LEDGER = "../proofs/STATUS.md"
FAR = 65_536  # tokens


def _power(longest: float) -> int:
    """The longest distance of a record, a power of two: the summary has five digits of it."""
    return 2 ** round(math.log2(longest))


def moment_findings() -> Iterator[Finding]:
    """Mean and variance of TAPA's score, from closed forms."""
    found = content(RECORD)
    for phase_sd in ("0.1", "1"):
        row = found["tapa_mean"][phase_sd]
        yield Finding(
            f"tapa-mean-{phase_sd.replace('.', '-')}",
            "With normal phases of {sd} turns TAPA's expected score falls with a local exponent of {near} at distance "
            "1 and {far} at {end} tokens, where v1's eq 14 has {bound}.",
            RECORD,
            {
                "sd": phase_sd,
                "near": number(row["exponent"][0]),
                "far": number(row["exponent"][1]),
                "end": _power(found["tapa_mean"]["longest"]),
                "bound": number(found["tapa_mean"]["bound_exponent"], 1),
            },
            "fig_06_tapa_mean",
        )
    variance = found["tapa_variance"]
    yield Finding(
        "tapa-variance",
        "TAPA's variance at {end} tokens is {normal} of v1's lower bound (eq 15) for normal tokens, {mean} with a "
        "mean, and {negative} under a law with a smooth density and negative cross terms.",
        RECORD,
        {
            "end": _power(variance["longest"]),
            "normal": number(variance["normal"]["far"]),
            "mean": number(variance["normal with a mean"]["far"]),
            "negative": number(variance["negative cross terms"]["far"]),
        },
        "fig_07_tapa_variance",
    )
    found_map = found["tapa_map"]
    yield Finding(
        "tapa-map",
        "At alpha = {alpha} TAPA keeps more than 90 % of its mean at {far} tokens for phases below {blind} turns and "
        "has less than 10 % left at distance 1 above {gone}; between them it loses up to {lost} across the context, at "
        "{at} turns.",
        RECORD,
        {
            "alpha": number(found_map["alpha"], 1),
            "far": FAR,
            "blind": number(found_map["blind_below"], 3),
            "gone": number(found_map["gone_above"]),
            "lost": percent(found_map["largest_loss"]),
            "at": number(found_map["largest_loss_at"]),
        },
        "fig_08_tapa_map",
    )


def encoding_findings() -> Iterator[Finding]:
    """Mean score near and far of every encoding at one mu_0, and arithmetic precision."""
    rows = content(RECORD)["rivals"]
    for name in ("RoPE", "TAPA, phase x 0.1", "xPos", "partial (1/2)"):
        row = rows[name]["mu_0 = 0.2"]
        yield Finding(
            "untrained-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"),
            "{name} at mu_0 = 0.2: the mean score goes from {near} at distance 1 to {far} at {end} tokens, its "
            "standard deviation from {sd_near} to {sd_far}.",
            RECORD,
            {
                "name": name,
                "near": number(row["mean"][0]),
                "far": number(row["mean"][1]),
                "end": FAR,
                "sd_near": number(row["sd"][0]),
                "sd_far": number(row["sd"][1]),
            },
            "fig_09_encodings_compared",
        )
    precision = content(RECORD)["precision"]["bfloat16, phases in own type"]
    yield Finding(
        "precision-bfloat16",
        "With phases of 1 turn in bfloat16 the score is off by {near} at distance 1 and by {far} at {end} tokens; with "
        "10 turns by {most} there.",
        RECORD,
        {
            "near": percent(precision["1"]["error"][0], digits=1),
            "far": percent(precision["1"]["error"][1], digits=1),
            "end": _power(content(RECORD)["precision"]["longest"]),
            "most": percent(precision["10"]["error"][1]),
        },
        "fig_11_precision",
    )


def head_findings() -> Iterator[Finding]:
    """Figure 1 of v1 with random weights."""
    found = content(RECORD)["near_far"]
    for name in ("RoPE", "TAPA"):
        row = found[name]["xavier, distances"]
        yield Finding(
            f"untrained-gap-{name.lower()}",
            "With Xavier weights, {name}'s gap between near and far has means from {least} to {most} over {heads} "
            "heads, at most {ratio} of its own standard deviation.",
            RECORD,
            {
                "name": name,
                "least": number(row["means"][0]),
                "most": number(row["means"][1]),
                "heads": found["heads"],
                "ratio": number(row["largest_mean_over_sd"]),
            },
            "fig_10_near_far_untrained",
        )


BENCHED = {
    "speed-mean-score": (
        "mean score by distance against diagonal means",
        "The time of diagonal means over that of the mean score by distance",
    ),
    "speed-rope": (
        "RoPE by tiles",
        "The time of RoPE's attention by tiles over that of its two matrix products",
    ),
    "speed-tapa": (
        "TAPA by tiles",
        "The time of TAPA's attention by tiles over that of its two matrix products",
    ),
    "speed-alibi": (
        "ALiBi by tiles",
        "The time of ALiBi's attention by tiles over that of its two matrix products",
    ),
    "speed-phase": (
        "phase by distance",
        "The time of a phase's curves over that of two products and a cosine",
    ),
    "speed-training": (
        "training steps",
        "The number of tokens a second in training of TAPA over that of RoPE",
    ),
    "speed-statistics": (
        "SmolLM2, 8 windows",
        "The time of all heads' statistics over that of the forward passes",
    ),
}


IN_THE_LOOP = Status(
    "corrected", "2026-11-29", "The curves are taken in the compiled loop since; loop-phase has their time."
)


def speed_findings() -> Iterator[Finding]:
    """Speed on the one machine of the record, nothing else running."""
    for label, (start, words) in BENCHED.items():
        row = next(x for x in content("summaries/bench.json")["rows"] if x["what"].startswith(start))
        yield Finding(
            label,
            words + " is {ratio} ({what}; the target, {target}, is {met}).",
            "summaries/bench.json",
            {
                "ratio": number(row["ratio"], 0 if row["ratio"] > 10 else 2),
                "target": row["target"],
                "met": "met" if row["met"] else "missed",
                "what": row["what"],
            },
            status=IN_THE_LOOP if label == "speed-phase" else None,
        )


LOOP = "summaries/compiled_loop.json"
BY_LOOP = {  # what a row of the record begins with: its label, and what its ratio is
    r"training steps of \d+ x (\d+) tokens, TAPA through the operator": (
        "loop-training-{}",
        "The time of a training step with all scores at once over that through the operator",
    ),
    r"phase by distance of one head": (
        "loop-phase",
        "The time of a phase's curves in the compiled loop over that of two products and a cosine",
    ),
    r"(\w+) in one loop against flash attention, length (\d+)": (
        "loop-{}-{}",
        "The time of attention in one loop over that of torch's causal flash attention, which knows no position,",
    ),
}


def loop_findings() -> Iterator[Finding]:
    """What the compiled loop makes of attention, of training and of the phase's curves: of the rows that there are.

    Both sides took turns on one machine on which nothing else ran.
    """
    for row in content(LOOP)["rows"]:
        for start, (label, words) in BY_LOOP.items():
            if found := re.match(start, row["what"]):
                yield Finding(
                    label.format(*(part.lower() for part in found.groups())),
                    words + " is {ratio} ({what}; medians of runs in turns; the target, {target}, is {met}).",
                    LOOP,
                    {
                        "ratio": number(row["ratio"]),
                        "target": row["target"],
                        "met": "met" if row["met"] else "missed",
                        "what": row["what"],
                    },
                )


def layer_findings() -> Iterator[Finding]:
    """Memory of measuring a checkpoint layer by layer, on a machine on which other work ran."""
    record = "summaries/layers.json"
    small, large = content(record)["rows"]
    if "layer by layer" not in small["what"]:
        small, large = large, small
    yield Finding(
        "layers-smollm2",
        "Measured layer by layer SmolLM2-135M-Instruct takes {peak} GB at its peak, whole {whole} GB, and {ratio} of "
        "the whole model's CPU time, with the same record ({what}; the target, {target}, is {met}).",
        record,
        {
            "peak": number(small["peak_gb"]),
            "whole": number(small["whole_peak_gb"]),
            "ratio": number(small["time_ratio"]),
            "what": small["what"],
            "target": small["target"],
            "met": "met" if small["met"] else "missed",
        },
    )
    yield Finding(
        "layers-8b",
        "Layers of an 8B model's sizes take {peak} GB at the peak, where their weights alone are {weights} GB in "
        "float32 ({what}; the target, {target}, is {met}).",
        record,
        {
            "peak": number(large["peak_gb"]),
            "weights": number(large["weights_in_float32_gb"]),
            "what": large["what"],
            "target": large["target"],
            "met": "met" if large["met"] else "missed",
        },
    )


def kill_findings() -> Iterator[Finding]:
    """What kills and full disks cost, of the counts of the kill harness."""
    record = "summaries/kills.json"
    found = content(record)
    total, scenarios = found["total"], found["scenarios"]
    full, read_only = (
        sum(counts["by_moment"].get(fault, 0) for counts in scenarios.values())
        for fault in ("a full disk", "a read-only folder")
    )
    workers = sum(counts["by_target"].get("worker", 0) for counts in scenarios.values())
    yield Finding(
        "kills",
        "In {kills} kills of {commands} (SIGINT, SIGTERM and SIGKILL at random moments and at file operations, "
        "{workers} of them of a worker), {full} full disks and {read_only} read-only folders the count of broken "
        "promises is {wrong}: {in_order} of {heedable} that can be heeded ended in one line with their exit code, "
        "{resumed} of {ends} runs from what was left ended as undisturbed ones do, and after at most {seconds} s no "
        "process was left.",
        record,
        {
            "kills": total["kills"],
            "commands": ", ".join(list(scenarios)[:-1]) + f" and {list(scenarios)[-1]}",
            "workers": workers,
            "full": full,
            "read_only": read_only,
            "wrong": total["wrong"],
            "in_order": total["in_order"],
            "heedable": total["heedable"],
            "resumed": total["resumed"],
            "ends": total["ends"],
            "seconds": number(total["seconds_until_gone"]),
        },
    )


def hostile_findings() -> Iterator[Finding]:
    """How mutated files, odd names and odd numbers end, each in a process of its own."""
    found = content("summaries/hostile.json")
    yield Finding(
        "hostile-inputs",
        "Of {cases} hostile inputs at {doors} doors {results} end in a result and {refusals} in one line with exit "
        "code 2; {failures} end otherwise: in a traceback, in more lines, in a crash, or beyond {seconds} s of a "
        "processor or {size} GB.",
        "summaries/hostile.json",
        {
            "cases": int(found["cases"]),
            "doors": len(found["doors"]),
            "results": int(found["results"]),
            "refusals": int(found["refusals"]),
            "failures": int(found["failures"]),
            "seconds": int(found["most_seconds"]),
            "size": found["most_bytes"] // 2**30,
        },
    )


def verdict_findings() -> Iterator[Finding]:
    """Counts of verdicts, as `proofs/STATUS.md` has them."""
    text = (FOLDER / LEDGER).read_text(encoding="utf-8")
    total = re.search(r"^(\d+) claims\.$", text, re.MULTILINE)
    counts = {
        name: (int(a), int(b))
        for name, a, b in re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    }
    if total is None or not {"proved", "certified", "refuted"} <= set(counts):
        raise ValueError("proofs/STATUS.md has no table of verdicts")
    yield Finding(
        "ledger-verdicts",
        "Of {total} statements of v1 {held} are proved or certified as stated and {refuted} refuted, each by a "
        "counterexample; of the {repaired} repaired forms all are proved or certified.",
        LEDGER,
        {
            "total": int(total.group(1)),
            "held": counts["proved"][0] + counts["certified"][0],
            "refuted": counts["refuted"][0],
            "repaired": sum(b for _, b in counts.values()),
        },
        "fig_05_claims",
    )


WORDS = ("hypothesis", "says")  # kinds of planted errors that change what is printed, not what is computed


def mutant_findings() -> Iterator[Finding]:
    """How many errors that were planted in `proofs` the ledger sees, in what it computes and in what it prints."""
    record = "summaries/mutants.json"
    rows = [row for row in content(record)["rows"] if row["ended"] != "unmet"]
    computed = [row for row in rows if row["kind"] not in WORDS]
    printed = [row for row in rows if row["kind"] in WORDS]
    left = [
        row for row in computed if row["ended"] != "killed"
    ]  # what ran over time is seen by nobody either
    left_printed = [row for row in printed if row["ended"] != "killed"]
    reasons = Counter(row.get("why", "hole").partition(":")[0] for row in left)
    seen, seen_printed = len(computed) - len(left), len(printed) - len(left_printed)
    plain = [row["ended"] == "killed" for row in computed if row["kind"] in ("constant", "operator")]
    yield Finding(
        "mutation-score",
        "Of {computed} errors planted in what the ledger computes it sees {seen} ({share}), of changed constants "
        "and operators among them {seen_plain} of {plain} ({share_plain}). Of the {left} that it does not see, "
        "{attack} are in a search for a counterexample alone, {equivalent} change nothing that is judged, {over} ran "
        "out of time, and {hole} are holes, of which {mended} were mended after the draw. Of {printed} planted in "
        "printed statements and hypotheses it sees {seen_printed} ({share_printed}); of the other {left_printed}, "
        "{mended_printed} were mended after it.",
        record,
        {
            "computed": len(computed),
            "seen": seen,
            "share": percent(seen / len(computed)),
            "seen_plain": sum(plain),
            "plain": len(plain),
            "share_plain": percent(sum(plain) / len(plain)),
            "left": len(left),
            **{reason: reasons[reason] for reason in ("attack", "equivalent", "hole")},
            "over": reasons["over time"],
            "mended": sum("mended" in row.get("why", "") for row in left),
            "printed": len(printed),
            "seen_printed": seen_printed,
            "share_printed": percent(seen_printed / len(printed)),
            "left_printed": len(left_printed),
            "mended_printed": sum("mended" in row.get("why", "") for row in left_printed),
        },
    )
