"""The long-range experiment: what far context is worth, who collects it, and what numbers of seeds can tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median

from analysis.experiments.plan import rate_name
from analysis.settings import names_of
from figures.findings.finding import Finding, Value, content, label_part, number, percent, table

FRONTIER, COLLECTED, NEEDLES = "fig_36_frontier", "fig_37_collected", "fig_38_needle_grid"
FINE = "fig_40_fine_tuned"
DETECT = {"few": 3, "some": 8, "many": 16}  # seeds
ASKED = ", which asks for {least} bits a byte and {errors} standard errors"
BASE = 256  # bytes or byte pairs: the trained length L


def _asked() -> dict[str, str]:
    row = table("long_gate")[0]
    return {"least": row["least_gain"], "errors": row["least_errors"]}


def gate_findings() -> Iterator[Finding]:
    """Is far context worth anything to a reference that is trained at four times the length?"""
    for row in table("long_gate"):
        passes = row["passes"] == "True"
        yield Finding(
            f"gate-{row['corpus']}",
            "On {corpus} one RoPE model trained at {long} tokens gains {gain} bits a byte [95 % over {documents} "
            "documents, Student's t] in windows of {long} tokens against those of {short}: the corpus {verdict} the "
            "gate"
            + ASKED
            + ". All bytes alike it gains {whole}, of which {beyond} from windows of {double} on, in "
            "which every target has more than {short} tokens before it [95 % over {groups} groups of documents that "
            "share no text].",
            "tables/long_gate.csv",
            {
                **_asked(),
                "corpus": row["corpus"],
                "gain": _triple(row, "gain", 3),
                "documents": int(row["documents"]),
                "short": BASE,
                "long": 4 * BASE,
                "verdict": "passes" if passes else "fails",
                "whole": _triple(row, "whole", 3),
                "beyond": _triple(row, "beyond", 3),
                "double": 2 * BASE,
                "groups": int(row["groups"]),
            },
        )


EARLIER = {
    "private-words-of-lower-case": "private words of three lower-case letters, as the text has them (concentration 40)",
    "private-words-of-own-letters": "private words of two letters that the text has not (concentration 5)",
    "private-words-more-updates": "private words of two letters that the text has not (concentration 5), with more "
    "updates of fewer bytes at a higher rate",
}
"""Gates of corpora and horizons that were given up, and what the words were."""


def earlier_gate_findings() -> Iterator[Finding]:
    """Gates of before the plan was changed."""
    for name, words in EARLIER.items():
        record = f"trained_long/earlier/{name}.json"
        read = content(record)
        gate, recipe = read["long_range"]["gate"], read["configuration"]["recipe"]
        yield Finding(
            f"gate-{name}",
            "On {words} one RoPE model trained at {long} tokens, {trained} million bytes in {steps} steps, gains "
            "{gain} bits a byte [95 % over {documents} documents, Student's t] from the context between {short} and "
            "{long} tokens: the corpus {verdict} the gate" + ASKED + ".",
            record,
            {
                **_asked(),
                "words": words,
                "long": int(recipe["length"]),
                "trained": number(read["long_range"]["trained_tokens"] / 1e6),
                "steps": int(recipe["steps"]),
                "gain": Value(*gate["gain"], form=".3f"),
                "documents": int(gate["documents"]),
                "short": BASE,
                "verdict": "passes" if gate["passes"] else "fails",
            },
        )


def contrast_findings() -> Iterator[Finding]:
    """The primary endpoint, fixed before the runs; and how far apart the two methods are at L itself."""
    for row in table("long_contrasts"):
        name = f"{label_part(row['variant'])}-{label_part(row['against'])}-{row['corpus']}"
        pair: dict[str, Value | str | int] = {
            "short": BASE,
            "corpus": row["corpus"],
            "one": row["label"],
            "other": row["against_label"],
        }
        if row["near"]:
            yield Finding(
                f"near-{name}{_of_seed(row)}",
                "At {short} tokens of {corpus}, each method's run of the least validation loss, {one} less {other} is "
                "{near} bits a byte [95 % over {over}] ({seeds}).",
                "tables/long_contrasts.csv",
                pair | {"near": _triple(row, "near", 3, "+"), "over": row["over"], "seeds": _seeds(row)},
                FRONTIER,
            )
        if not row["difference"]:
            yield Finding(
                f"long-{name}-s{row['never_equal'].replace(' ', '-')}",
                "At {short} tokens of {corpus}, {one} and {other} have no loss that both frontiers reach (seed "
                "{never}).",
                "tables/long_contrasts.csv",
                pair | {"never": row["never_equal"]},
                FRONTIER,
            )
            continue
        adjusted = float(row["p_holm"]) if row["p_holm"] else None
        room = (
            "; from {least} to {most} if an interpolated frontier is only known to lie between its two runs"
            if row["between_low"]
            else ""
        )
        ends = (
            {key: f"{float(row[f'between_{end}']):+.2f}" for key, end in (("least", "low"), ("most", "high"))}
            if room
            else {}
        )
        yield Finding(
            f"long-{name}{_of_seed(row)}",
            "At equal loss at {short} tokens of {corpus}, {one} less {other} is {difference} bits a byte at {far} "
            "(95 % over {over}; {seeds}{p})" + room + ".",
            "tables/long_contrasts.csv",
            pair
            | {
                "far": 8 * BASE,
                "difference": _triple(row, "difference", 2, "+"),
                "over": row["over"],
                "seeds": _seeds(row),
                "p": "" if adjusted is None else f"; p {adjusted:.2g} after Holm",
            }
            | ends,
            FRONTIER,
        )


def _of_seed(row: dict[str, str]) -> str:
    """What a label has at its end where a row is of several seeds, or of one other than the first."""
    seeds = (row["seeds"] or row["never_equal"]).split()
    if len(seeds) > 1:
        return "-seeds"
    return f"-s{seeds[0]}" if seeds != ["0"] else ""


def _seeds(row: dict[str, str]) -> str:
    """The seeds of a row: "seed 0", "seeds 0, 1 and 2"."""
    seeds = (row["seeds"] or row["never_equal"]).split()
    return f"seed{'s' * (len(seeds) > 1)} {names_of(seeds)}"


def share_findings() -> Iterator[Finding]:
    """Share of the bits beyond L at the longest length."""
    rows = table("long_collected")
    longest = max((int(row["length"]) for row in rows), default=0)
    for row in (row for row in rows if int(row["length"]) == longest):
        extension = "" if row["extension"] == "none" else f"-{row['extension']}"
        yield Finding(
            f"collected-{label_part(row['variant'])}{extension}-{row['corpus']}{_of_seed(row)}",
            "Of the bits that context between {short} and {far} bytes is worth to the best reader of {corpus}, "
            "{method} collects {share} ({seeds}; 95 % over {over}).",
            "tables/long_collected.csv",
            {
                "short": BASE,
                "far": longest,
                "corpus": row["corpus"],
                "method": row["label"],
                "share": percent(*_ends(row, "share")),
                "seeds": _seeds(row),
                "over": row["over"],
            },
            COLLECTED,
        )


def length_use_findings() -> Iterator[Finding]:
    """What eight times the trained length does to each method, and four times the length to key tokens."""
    rows = {
        (row["corpus"], row["variant"], row["extension"], row["seeds"], int(row["length"])): row
        for row in table("long_use")
    }
    for corpus, variant, extension, seeds in dict.fromkeys(place[:4] for place in rows):
        plain = rows.get((corpus, variant, "none", seeds, BASE))  # an extension changes nothing within L
        two, four, far = (rows.get((corpus, variant, extension, seeds, times * BASE)) for times in (2, 4, 8))
        if plain is None or two is None or four is None or far is None or not four["key_bits"]:
            continue
        part = "" if extension == "none" else f"-{extension}"
        yield Finding(
            f"use-{label_part(variant)}{part}-{corpus}{_of_seed(far)}",
            "{method} trained at {short} tokens of {corpus} has {near} bits a byte there and {far_bits} at {far}, a "
            "change of {change} [95 % over {over}] ({seeds}, at rates {rates}), of which {beyond} from windows of "
            "{two} on, in which every target has more than {short} tokens before it; on key tokens, those whose loss "
            "under a RoPE reference trained at {four} falls by more than a nat with windows of {four} in place of "
            "{short}, {key_near} bits at {short}, {key_two} at {two} and {key_four} at {four}.",
            "tables/long_use.csv",
            {
                "method": far["label"],
                "short": BASE,
                "corpus": corpus,
                "near": number(float(plain["bits"]), 3),
                "far_bits": number(float(far["bits"]), 3),
                "far": 8 * BASE,
                "change": _triple(far, "change", 3, "+"),
                "over": far["over"],
                "seeds": _seeds(far),
                "rates": _rates(far["rates"]),
                "beyond": _triple(far, "beyond", 3, "+"),
                "two": 2 * BASE,
                "key_near": number(float(plain["key_bits"])),
                "key_two": number(float(two["key_bits"])),
                "key_four": number(float(four["key_bits"])),
                "four": 4 * BASE,
            },
            COLLECTED,
        )


def fine_findings() -> Iterator[Finding]:
    """Light fine-tuning at four times the length: what it leaves at its length and at four times that."""
    rows = {
        (r["corpus"], r["variant"], float(r["share"]), r["seeds"], int(r["length"]) // BASE): r
        for r in table("long_fine")
    }
    for corpus, variant, share, seeds in dict.fromkeys(place[:4] for place in rows if place[2]):
        near, four, far = (rows.get((corpus, variant, share, seeds, times)) for times in (1, 4, 16))
        before = rows.get((corpus, variant, 0.0, seeds, 16))
        if near is None or four is None or far is None or before is None:
            continue
        values = {
            "method": far["label"] + (f" of factor {float(far['factor']):g}" if far["factor"] else ""),
            "short": BASE,
            "long": 4 * BASE,
            "farther": 16 * BASE,
            "corpus": corpus,
            "percent": f"{100 * share:g}",
            "seeds": _seeds(far),
            "rates": _rates(far["rates"]),
            "tried": _rates(far["tried"]),
            "near": number(float(near["bits"]), 3),
            "four": number(float(four["bits"]), 3),
            "far": number(float(far["bits"]), 3),
            "before": number(float(before["bits"]), 3),
            "first": number(float(far["first_validation_bits"]), 3),
            "last": number(float(far["validation_bits"]), 3),
        }
        beside = " under YaRN at inference with the factor of that length" if far["label"] == "YaRN" else ""
        if far["label"] != "RoPE" and far["less_rope"]:
            beside += (
                "; less RoPE fine-tuned alike that is {less_four} at {long} and {less} at {farther} "
                "[95 % over {over}]"
            )
            values |= {
                "less_four": _triple(four, "less_rope", 3, "+"),
                "less": _triple(far, "less_rope", 3, "+"),
                "over": far["over"],
            }
        yield Finding(
            f"fine-{label_part(variant.removesuffix('_4x'))}-{label_part(f'{100 * share:g}')}-{corpus}{_of_seed(far)}",
            "{method}, trained at {short} tokens of {corpus}, then at {long} for {percent} % as many tokens "
            "({seeds}; at rates {rates}, by validation among {tried}), has {near} bits a byte at {short}, {four} at "
            "{long} and {far} at {farther}, where it had {before}"
            + beside
            + "; its validation loss at {long} goes from "
            "{first} bits a token after a tenth of these tokens to {last}.",
            "tables/long_fine.csv",
            values,
            FINE,
        )


def _rates(cell: str) -> str:
    return ", ".join(rate_name(float(rate)) for rate in cell.split())


def trained_rate_findings() -> Iterator[Finding]:
    """What the learning rate changes within the trained length and beyond it, of methods trained at several."""
    rows = [row for row in table("long_runs") if (row["kind"], row["diverged"]) == ("scratch", "False")]
    groups = dict.fromkeys((row["corpus"], row["variant"], row["seed"], row["tokens"]) for row in rows)
    for corpus, variant, seed, tokens in groups:
        place = (corpus, variant, seed, tokens)
        mine = [row for row in rows if (row["corpus"], row["variant"], row["seed"], row["tokens"]) == place]
        if len(mine) < 2:
            continue
        mine.sort(key=lambda row: float(row["lr"]))

        far = [dict(_read_at(row, 8 * BASE)) for row in mine]
        extended = ", with YaRN {yarn} there" if all("yarn" in read for read in far) else ""
        yarn = {"yarn": _each(read["yarn"] for read in far)} if extended else {}
        yield Finding(
            f"rates-{label_part(variant)}-{corpus}-s{seed}-{float(tokens) / 1e6:.0f}m",
            "{method} trained on {tokens} million tokens of {corpus} (seed {seed}) at rates of {rates} has {near} bits "
            "a byte at {short} tokens and {far} at {long}"
            + extended
            + "; the validation split, by which a rate is "
            "chosen, has {validation} bits a token.",
            "tables/long_runs.csv",
            {
                "method": mine[0]["label"],
                "tokens": number(float(tokens) / 1e6, 1),
                "corpus": corpus,
                "seed": int(seed),
                "rates": names_of([rate_name(float(row["lr"])) for row in mine]),
                "near": _each(float(row[f"bits_{BASE}"]) for row in mine),
                "far": _each(read["none"] for read in far),
                "validation": _each(float(row["validation_bits"]) for row in mine),
                "short": BASE,
                "long": 8 * BASE,
            }
            | yarn,
            FRONTIER,
        )


def _each(values: Iterable[float]) -> str:
    return names_of([f"{value:.3f}" for value in values])


def _read_at(row: dict[str, str], length: int) -> Iterator[tuple[str, float]]:
    """Each extension under which a run was read at a length, and its bits a byte."""
    for read in content(_of_run(row))["readings"]:
        if read["length"] == length:
            yield read["extension"], read["bits_per_byte"]


def copying_findings() -> Iterator[Finding]:
    """When runs of the whole horizon learn to copy, of the size at which methods are compared."""
    runs = [row for row in table("long_runs") if row["diverged"] == "False"]
    sizes = {row["corpus"]: row["size"] for row in runs if row["kind"] == "reference"}
    rows = [row for row in runs if row["kind"] == "scratch" and row["size"] == sizes.get(row["corpus"])]
    for corpus, variant in dict.fromkeys((row["corpus"], row["variant"]) for row in rows):
        mine = [row for row in rows if (row["corpus"], row["variant"]) == (corpus, variant)]
        horizon = max(float(row["share"]) for row in mine)
        mine = [row for row in mine if float(row["share"]) == horizon]
        tokens = sorted(float(row["copies_after"]) / 1e6 for row in mine if row["copies_after"])
        shares = [content(_of_run(row))["long_range"]["copying"][-1]["share"] for row in mine]
        yield Finding(
            f"copies-{label_part(variant)}-{corpus}",
            "{method} copies in {some} of {all} runs of {horizon} million tokens on {corpus}, over all rates and "
            "seeds, where to copy is to lose half of the loss the second time that a text is read{when}; at the end "
            "the share is {least} to {most}.",
            "tables/long_runs.csv",
            {
                "method": mine[0]["label"],
                "corpus": corpus,
                "some": len(tokens),
                "all": len(mine),
                "horizon": number(float(mine[0]["tokens"]) / 1e6, 1),
                "when": f", from {tokens[0]:.1f} to {tokens[-1]:.1f} million tokens on" if tokens else "",
                "least": percent(min(shares)),
                "most": percent(max(shares)),
            },
        )


def steadiness_findings() -> Iterator[Finding]:
    """How large gradients are in the runs of the whole horizon on code, and what becomes of the loss."""
    for row in table("long_runs"):
        if (row["corpus"], row["kind"], row["diverged"]) != ("code", "scratch", "False"):
            continue
        training = content(_of_run(row))["training"]
        norms, losses = training["largest_gradient_norm"], training["validation_loss"]
        half = len(norms) // 2
        yield Finding(
            f"training-{row['corpus']}-{_label(row)}",
            "{method} trained on {corpus} at a rate of {rate} (seed {seed}, {tokens} million tokens): the largest norm "
            "of the gradient in ten steps is {early} in the median of the first tenth of the run and {late} in that of "
            "its second half; the validation loss is {first} nats a token where it is first read, {worst} at its worst "
            "after that and {last} at the end.",
            _of_run(row),
            {
                "method": row["label"],
                "corpus": row["corpus"],
                "rate": rate_name(float(row["lr"])),
                "seed": int(row["seed"]),
                "tokens": number(float(row["tokens"]) / 1e6, 1),
                "early": _rounded(median(norms[: len(norms) // 10])),
                "late": _rounded(median(norms[half:])),
                "first": number(losses[0]),
                "worst": number(max(losses[1:])),
                "last": number(losses[-1]),
            },
        )


def _rounded(norm: float) -> Value:
    return number(norm, 1 if norm < 10 else 0)


def _label(row: dict[str, str]) -> str:
    """A run as part of a label: what its name has beside corpus and size."""
    return label_part(row["run"].replace(f"-{row['size']}", "").removeprefix(f"{row['corpus']}-"))


def _of_run(row: dict[str, str]) -> str:
    """Where the record of a row's run is."""
    return f"trained_long/{row['run']}.json"


def power_findings() -> Iterator[Finding]:
    """What numbers of seeds detect, from the standard deviations over seeds that are recorded."""
    rows = table("long_power")
    for name, where in dict.fromkeys((row["contrast"], row["from"]) for row in rows):
        mine = {int(row["seeds"]): row for row in rows if (row["contrast"], row["from"]) == (name, where)}
        first = mine[min(mine)]
        words = name.lower().replace(" less ", "-").replace(",", "").replace(" ", "-")
        yield Finding(
            f"power-{words}" + ("" if where == "earlier runs" else "-long"),
            "{contrast} at 8L has a standard deviation of {sd} bits a byte over {recorded} seeds ({where}): "
            "{few} seeds detect a difference of {detects_few} with a chance of 80 %, {some} seeds {detects_some}, "
            "{many} seeds {detects_many}.",
            "tables/long_power.csv",
            {
                "contrast": name,
                "where": where,
                "sd": number(float(first["sd"])),
                "recorded": int(first["recorded"]),
                **DETECT,
                **{
                    f"detects_{key}": number(float(mine[seeds]["detectable"]))
                    for key, seeds in DETECT.items()
                },
            },
        )


def _ends(row: dict[str, str], key: str) -> tuple[float, float | None, float | None]:
    low, high = row[f"{key}_low"], row[f"{key}_high"]
    return float(row[key]), float(low) if low else None, float(high) if high else None


def _triple(row: dict[str, str], key: str, digits: int, sign: str = "") -> Value:
    return Value(*_ends(row, key), form=f"{sign}.{digits}f")
