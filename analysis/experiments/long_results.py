"""From records of the long-range experiment to its results: rows of contrasts, losses, shares, needles and power.

What a record says at a length is in `long_readings`, the primary endpoint in `long_contrasts`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.errors import InputError
from analysis.evaluation.long_range import LONGER, collected_share
from analysis.experiments.long_contrasts import Points, contrasts, differences_of, frontiers, power_rows
from analysis.experiments.long_plan import CONTRASTS, FAR, FINE_BASELINE, Ladder, LongRun, ladder
from analysis.experiments.long_readings import (
    Cell,
    Row,
    apart,
    best_runs,
    bits_at,
    cells_of,
    ends_named,
    key_bits,
    mean_number,
    pooled,
    seed_sets,
    with_groups,
)
from analysis.experiments.plan import rate_name
from analysis.experiments.results import NAT
from analysis.experiments.run_record import Content, read_run
from analysis.intervals import Interval, over_seeds
from analysis.settings import FEWEST, LEAST_ERRORS, LEAST_GAIN
from analysis.text.corpus import PRIVATE_WORDS
from analysis.training.variants import VARIANTS, label

# From records to rows.


def read_long(folder: Path, plan: Ladder | None = None) -> dict[LongRun, Content]:
    """Records of the ladder's runs that are there, in the ladder's order.

    Raises:
        InputError: a record is damaged, of another kind, or of another run than its name says.
    """
    return _of_paths({path.stem: path for path in folder.glob("*.json")}, plan or ladder())


def _of_paths(paths: Mapping[str, Path], plan: Ladder) -> dict[LongRun, Content]:
    found = {}
    for run in plan.runs():
        if run.name in paths:
            content = read_run(paths[run.name])
            if content["run"] != run.name:
                raise InputError(f"{paths[run.name]} is the record of {content['run']}; give it its own name")
            found[run] = content
    return found


def summarise_long(
    contents: Mapping[LongRun, Content], plan: Ladder, earlier: Mapping[str, Sequence[float]] | None = None
) -> dict[str, Any]:
    """Everything that tables and figures take from the records of the experiment, of whatever is there.

    Args:
        contents: records by run, as `read_long`.
        plan: of the experiment.
        earlier: differences at 8L between two methods, by seed, of earlier runs that power is computed from, by
            "one less other".

    Returns:
        "runs", a row for each; "gate", one for each reference; "contrasts", the primary endpoint; "frontiers", their
        corners by corpus, method and seed; "pace", TAPA's lag behind RoPE by corpus, size and horizon; "use", losses by
        method and length, on key tokens too; "collected", shares of the bits beyond L by method and length; "needles";
        "fine", losses by length after light fine-tuning and before it, and validation losses in bits a token after a
        tenth of it and at its end; "fine_curves", validation losses meanwhile;
        "power"; "missing", a line for each tier that is not finished; "length" and "lengths"; "corpus", the one that
        passes the gate, and "size", at which methods are compared on it.
    """
    known = with_groups(contents)
    ended = {run: c for run, c in known.items() if c["diverged"] is None}
    rows = [_run_row(run, content, plan) for run, content in contents.items()]
    compared = contrasts(ended, plan)
    gate = [_gate_row(run, c, plan) for run, c in ended.items() if run.kind == "reference"]
    shown = next((row["corpus"] for row in gate if row["passes"]), PRIVATE_WORDS)
    return {
        "corpus": shown,
        "size": plan.size_of(shown),
        "length": plan.length,
        "lengths": list(plan.lengths),
        "runs": rows,
        "gate": gate,
        "contrasts": compared,
        "frontiers": frontiers(ended, plan),
        "pace": list(_pace(ended, plan)),
        "use": list(_use(ended, plan)),
        "collected": list(_collected(ended, plan)),
        "needles": list(_needles(ended, plan)),
        "fine": list(_fine(ended)),
        "fine_curves": list(_fine_curves(ended, plan)),
        "power": [
            *power_rows(earlier or {}, "earlier runs"),
            *power_rows(differences_of(compared), "this experiment"),
        ],
        "missing": list(_missing(contents, plan)),
    }


def _run_row(run: LongRun, content: Content, plan: Ladder) -> Row:
    row: Row = {
        "label": label(run.variant), "variant": run.variant, "corpus": run.corpus, "kind": run.kind,
        "size": run.size, "share": run.share, "lr": run.lr, "seed": run.seed, "run": run.name,
        "parent": content["parent"], "diverged": content["diverged"] is not None,
    }  # fmt: skip
    nothing: dict[str, float | None] = {str(n): None for n in plan.lengths}
    if row["diverged"]:
        empty = dict.fromkeys(("tokens", "validation_bits", "harm", "copies_after"))
        return row | empty | {"bits": nothing, "key_bits": nothing}
    long, far = content["long_range"], FAR * plan.length
    near, beyond = bits_at(content, plan.length), bits_at(content, far)
    key = {i["length"]: i["key_nats"] for i in content["evaluations"] if i["extension"] == "none"}
    each = NAT / long["key_count"] if long["key_count"] else None
    return row | {
        "tokens": long["trained_tokens"],
        "validation_bits": content["validation_loss"] * NAT,
        "bits": {str(n): bits_at(content, n) for n in plan.lengths},
        "harm": None if near is None or beyond is None else beyond - near,
        "key_bits": nothing | ({str(n): nats * each for n, nats in key.items()} if each else {}),
        "copies_after": long["copies_after"],
    }


def _gate_row(run: LongRun, content: Content, plan: Ladder) -> Row:
    """The gate, and the same over groups of documents: of all the context, and of that beyond L of every target."""
    found = content["long_range"]["gate"]
    gain, low, high = found["gain"]
    steps = {"whole": (plan.length, LONGER * plan.length), "beyond": (2 * plan.length, LONGER * plan.length)}
    more: Row = {"groups": len(set(content["groups"] or range(len(content["document_tokens"]))))}
    for name, (short, long) in steps.items():
        there = all(bits_at(content, n) is not None for n in (short, long))
        more |= ends_named(name, apart(content, ("none", short), content, ("none", long)) if there else None)
    return more | {
        "corpus": run.corpus, "run": run.name, "gain": gain, "gain_low": low, "gain_high": high,
        "error": found["error"], "documents": found["documents"], "positive": found["positive"],
        "least_gain": LEAST_GAIN, "least_errors": LEAST_ERRORS, "passes": found["passes"],
        "copies_after": content["long_range"]["copies_after"],
    }  # fmt: skip


# How much slower a method learns: its lag at equal tokens, and the factor of tokens for equal loss.


def slower_by(tokens: float, bits: float, curve: Points) -> tuple[float, str]:
    """The factor of tokens that a loss after `tokens` took, over what another method's curve takes to the same loss.

    >>> factor, sign = slower_by(4e6, 2.0, np.array([[1e6, 2.2], [2e6, 2.0], [4e6, 1.9]]))
    >>> round(factor, 6), sign
    (2.0, '=')
    >>> factor, sign = slower_by(4e6, 2.5, np.array([[1e6, 2.2], [2e6, 2.0], [4e6, 1.9]]))  # worse than ever
    >>> round(factor, 6), sign
    (4.0, '>')

    Args:
        tokens: that the method was trained on, > 0.
        bits: its loss.
        curve: tokens and losses of the other method, one row or more, each horizon a run that ends there. Losses are
            made to fall (the least so far) and joined by lines over the logarithm of tokens.

    Returns:
        The factor, and "=" if the curve reaches the loss, ">" if it begins below (the factor is at least this), "<" if
        it ends above (at most this).
    """
    order = np.argsort(curve[:, 0])
    at, losses = np.log(curve[order, 0]), np.minimum.accumulate(curve[order, 1])
    if bits > losses[0]:
        return float(tokens / np.exp(at[0])), ">"
    if bits < losses[-1]:
        return float(tokens / np.exp(at[-1])), "<"
    keep = np.append(True, np.diff(losses) < 0)  # of equal losses the one after fewer tokens
    needed = np.interp(-bits, -losses[keep], at[keep])
    return float(tokens / np.exp(needed)), "="


def _pace(ended: Mapping[LongRun, Content], plan: Ladder) -> Iterator[Row]:
    """TAPA behind RoPE by corpus, size and horizon: bits at L at equal tokens, factor of tokens at equal bits.

    At each horizon a seed's loss is its best over the rates that both methods have at every horizon that both have.
    """
    for corpus, size in dict.fromkeys((run.corpus, run.size) for run in plan.runs()):
        curves = {
            seed: _learning_curves(ended, corpus, size, seed, plan)
            for seed in sorted({run.seed for run in ended})
        }
        for tokens in sorted({n for pair in curves.values() for n in pair[0]}):
            pairs = {seed: pair for seed, pair in curves.items() if tokens in pair[0]}
            lags = np.array([slow[tokens] - fast[tokens] for slow, fast in pairs.values()])
            found = [
                slower_by(tokens, slow[tokens], np.array(list(fast.items()))) for slow, fast in pairs.values()
            ]
            bounds = {sign for _, sign in found}
            row: Row = {
                "corpus": corpus, "size": size, "tokens": tokens, "seeds": list(pairs),
                "bound": "".join(sorted(bounds)), "factors": [factor for factor, _ in found],
            }  # fmt: skip
            row |= dict(zip(("lag", "lag_low", "lag_high"), _of_several(lags), strict=True))
            ends = _of_several(np.log([factor for factor, _ in found])) if bounds == {"="} else [None] * 3
            names = ("factor", "factor_low", "factor_high")
            yield row | {
                name: None if end is None else math.exp(end) for name, end in zip(names, ends, strict=True)
            }


def _of_several(values: Float[np.ndarray, " seeds"]) -> list[float | None]:
    """Mean and interval over seeds, without an interval where they are too few for one."""
    value, *ends = over_seeds(values).ends()
    return [value, *(ends if len(values) >= FEWEST else [None, None])]


def _learning_curves(
    ended: Mapping[LongRun, Content], corpus: str, size: str, seed: int, plan: Ladder
) -> tuple[dict[float, float], dict[float, float]]:
    """Least loss at L by tokens, of TAPA and of RoPE, at the horizons and rates that both have all of."""
    cells: dict[str, dict[tuple[float, float], float]] = {"tapa": {}, "rope": {}}
    for run, content in ended.items():
        here = (run.corpus, run.kind, run.size, run.seed) == (corpus, "scratch", size, seed)
        if here and run.variant in cells and (bits := bits_at(content, plan.length)) is not None:
            cells[run.variant][content["long_range"]["trained_tokens"], run.lr] = bits
    both = set(cells["tapa"]) & set(cells["rope"])
    horizons = {tokens for tokens, _ in both}
    rates = {lr for _, lr in both if all((tokens, lr) in both for tokens in horizons)}
    slow, fast = (
        {tokens: min(cells[name][tokens, lr] for lr in rates) for tokens in sorted(horizons)} if rates else {}
        for name in ("tapa", "rope")
    )
    return slow, fast


# Losses by length, shares of the bits beyond L, and needles.


def _use(ended: Mapping[LongRun, Content], plan: Ladder) -> Iterator[Row]:
    """Losses of each method's best runs by length, over all targets and over key tokens, and what the length changes.

    "change" is against the plain model at L; "beyond" against twice L, from where on every target has more than L
    tokens before it. Rows of sets of seeds, as `seed_sets`: of one seed the interval is over documents.
    """
    for variant, corpus in dict.fromkeys((run.variant, run.corpus) for run in ended if run.kind == "scratch"):
        for seeds in seed_sets(best_runs(ended, variant, corpus, plan)):
            for cell in cells_of(seeds.values()):
                yield {
                    "label": label(variant, cell[0]), "variant": variant, "extension": cell[0], "corpus": corpus,
                    "length": cell[1], "seeds": list(seeds), **_use_of(seeds.values(), cell, plan),
                }  # fmt: skip


def _use_of(contents: Iterable[Content], cell: Cell, plan: Ladder) -> Row:
    """The numbers of `_use` of a method's runs, under one extension at one length."""
    contents, (extension, length) = list(contents), cell
    bits = [bits_at(content, length, extension) for content in contents]
    key = [key_bits(content, length, extension) for content in contents]
    row: Row = {
        "rates": sorted({content["lr"] for content in contents}),
        "bits": mean_number(one for one in bits if one is not None),
        "key_bits": mean_number(key) if all(map(math.isfinite, key)) else None,
    }
    for name, start in (("change", ("none", plan.length)), ("beyond", (extension, 2 * plan.length))):
        there = length > start[1] or name == "change"
        there = there and all(bits_at(content, start[1], start[0]) is not None for content in contents)
        ends, over = (
            pooled([apart(c, cell, c, start) for c in contents]) if there else (None, row.get("over"))
        )
        row |= {"over": over, **ends_named(name, ends)}
    return row


def _collected(ended: Mapping[LongRun, Content], plan: Ladder) -> Iterator[Row]:
    """Share of the bits between L and each longer length: of sets of seeds, or of one seed with documents' interval."""
    for variant in dict.fromkeys(run.variant for run in ended if run.kind == "scratch"):
        for corpus in dict.fromkeys(run.corpus for run in ended):
            for seeds in seed_sets(best_runs(ended, variant, corpus, plan)):
                for extension, length in cells_of(seeds.values()):
                    if length > plan.length and (shares := _shares(seeds, extension, length, plan)):
                        found, over = pooled(list(shares.values()))
                        yield {
                            "label": label(variant, extension), "variant": variant, "extension": extension,
                            "corpus": corpus, "length": length, "seeds": list(shares), "over": over,
                            **ends_named("share", found),
                        }  # fmt: skip


def _shares(seeds: Mapping[int, Content], extension: str, length: int, plan: Ladder) -> dict[int, Interval]:
    """By seed the share that is collected, of those whose words' least loss is known."""
    found = {}
    for seed, content in seeds.items():
        near, far = _words(content, "none", plan.length), _words(content, extension, length)
        if near is not None and far is not None:
            found[seed] = collected_share(near[0] - far[0], near[1] - far[1])
    return found


def _words(content: Content, extension: str, length: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Nats of the private words of each document, the model's and the least."""
    for item in content["evaluations"]:
        if (item["extension"], item["length"]) == (extension, length) and "words" in item:
            return np.array(item["words"]["nats"]), np.array(item["words"]["bayes_nats"])
    return None


def _needles(ended: Mapping[LongRun, Content], plan: Ladder) -> Iterator[Row]:
    """Hits of each method by length and depth, over its seeds."""
    for variant in dict.fromkeys(run.variant for run in ended if run.kind == "scratch"):
        for corpus in dict.fromkeys(run.corpus for run in ended):
            seeds = best_runs(ended, variant, corpus, plan)
            cells: dict[tuple[int, float], list[Mapping[str, Any]]] = {}
            for content in seeds.values():
                for one in content["long_range"]["needles"]:
                    cells.setdefault((one["length"], one["depth"]), []).append(one)
            for (length, depth), found in sorted(cells.items()):
                yield {
                    "label": label(variant), "variant": variant, "corpus": corpus, "length": length, "depth": depth,
                    "distance": mean_number(one["distance"] for one in found), "seeds": list(seeds),
                    "trials": sum(one["trials"] for one in found), "hits": sum(one["hits"] for one in found),
                    "nats": mean_number(one["nats"] for one in found),
                }  # fmt: skip


# Light fine-tuning at four times the length.


def tuned_fine_runs(ended: Mapping[LongRun, Content]) -> dict[tuple[str, str, float], dict[int, LongRun]]:
    """By method, corpus and share of the tokens, of each seed: the run of the least validation loss at 4L."""
    found: dict[tuple[str, str, float], dict[int, LongRun]] = {}
    for run in sorted((run for run in ended if run.kind == "fine"), key=lambda run: (run.share, run.lr)):
        seeds = found.setdefault((run.variant, run.corpus, run.share), {})
        known = seeds.get(run.seed)
        if known is None or ended[run]["validation_loss"] < ended[known]["validation_loss"]:
            seeds[run.seed] = run
    return found


def _fine(ended: Mapping[LongRun, Content]) -> Iterator[Row]:
    """Losses by length of each method's tuned fine-tuned runs, and of their parents (share 0), each less RoPE's.

    RoPE's are of the same share, seed and corpus; a parent's are under the extension that its run was fine-tuned with.
    """
    by_name = {run.name: content for run, content in ended.items()}
    chosen = tuned_fine_runs(ended)
    for (variant, corpus, share), runs in chosen.items():
        mine = {seed: ended[run] for seed, run in runs.items()}
        rope = {seed: ended[run] for seed, run in chosen.get((FINE_BASELINE, corpus, share), {}).items()}
        tried = sorted(
            {run.lr for run in ended if (run.variant, run.corpus, run.share) == (variant, corpus, share)}
        )
        head = {"label": label(variant), "variant": variant, "corpus": corpus}
        method = VARIANTS[variant].method
        factor = None if method.extension == "none" else method.factor
        rates = sorted({run.lr for run in runs.values()})
        row = head | {"share": share, "factor": factor, "rates": rates, "tried": tried}
        yield from _fine_rows(row, mine, rope, "none")
    for variant, corpus in dict.fromkeys((variant, corpus) for variant, corpus, _ in chosen):
        before, rope = (
            {
                seed: by_name[parent]
                for (name, of, _), runs in chosen.items()
                for seed, run in runs.items()
                if (name, of) == (wanted, corpus) and (parent := ended[run]["parent"]) in by_name
            }
            for wanted in (variant, FINE_BASELINE)
        )
        extension = VARIANTS[variant].method.extension
        head = {"label": label(variant), "variant": variant, "corpus": corpus}
        rates = sorted({content["lr"] for content in before.values()})
        row = head | {"share": 0.0, "factor": None, "rates": rates, "tried": []}
        yield from _fine_rows(row, before, rope, extension)


def _fine_rows(
    head: Row, mine: Mapping[int, Content], rope: Mapping[int, Content], extension: str
) -> Iterator[Row]:
    for seeds in seed_sets(mine):
        lengths = ({item["length"] for item in content["evaluations"]} for content in seeds.values())
        for length in sorted(set.intersection(*lengths)):
            yield (
                head
                | {"length": length, "seeds": list(seeds)}
                | _fine_of(seeds, rope, extension, length, head)
            )


def _fine_of(
    mine: Mapping[int, Content], rope: Mapping[int, Content], extension: str, length: int, head: Row
) -> Row:
    """The numbers of `_fine` of one set of seeds at one length."""
    cells = {seed: _cell(content, extension, length) for seed, content in mine.items()}
    bits = [bits_at(mine[seed], n, read_as) for seed, (read_as, n) in cells.items()]
    pairs = [apart(mine[seed], cells[seed], rope[seed], ("none", length)) for seed in mine if seed in rope]
    ends, over = pooled(pairs) if pairs else (None, "seeds")
    along = [content["training"]["validation_loss"] for content in mine.values()] if head["share"] else []
    return {
        "tokens": mean_number(content["long_range"]["trained_tokens"] for content in mine.values()),
        "first_validation_bits": mean_number(losses[0] * NAT for losses in along) if along else None,
        "validation_bits": mean_number(losses[-1] * NAT for losses in along) if along else None,
        "bits": mean_number(each for each in bits if each is not None), "over": over, **ends_named("less_rope", ends),
    }  # fmt: skip


def _cell(content: Content, extension: str, length: int) -> Cell:
    """The extension and length at which a run was read, without the extension where that changes nothing."""
    read = {(item["extension"], item["length"]) for item in content["evaluations"]}
    return (extension, length) if (extension, length) in read else ("none", length)


def _fine_curves(ended: Mapping[LongRun, Content], plan: Ladder) -> Iterator[Row]:
    """Validation loss at 4L along each fine-tuned run, bits a token by its own tokens; chosen: of the tuned runs."""
    chosen = {run for runs in tuned_fine_runs(ended).values() for run in runs.values()}
    for run in (run for run in ended if run.kind == "fine"):
        recipe, training = plan.recipe_of(run), ended[run]["training"]
        steps = zip(training["validation_step"], training["validation_loss"], strict=True)
        yield {
            "label": label(run.variant), "variant": run.variant, "corpus": run.corpus, "share": run.share,
            "seed": run.seed, "lr": run.lr, "rate": rate_name(run.lr), "chosen": run in chosen,
            "curve": [[step * recipe.batch * recipe.length, loss * NAT] for step, loss in steps],
        }  # fmt: skip


def _missing(contents: Mapping[LongRun, Content], plan: Ladder) -> Iterator[str]:
    for tier in plan.tiers:
        left = [run for run in tier.runs if run not in contents]
        diverged = [
            run.name for run in tier.runs if run in contents and contents[run]["diverged"] is not None
        ]
        if left:
            yield f"tier {tier.name}: {len(tier.runs) - len(left)} of {len(tier.runs)} runs are there"
        if diverged:
            yield f"tier {tier.name}: diverged: {', '.join(diverged)}"


# The record of the catalogue.


def long_record(*, runs: Mapping[str, Path], earlier: Mapping[str, Path]) -> dict[str, Any]:
    """`summarise_long` of the records of these runs.

    Args:
        runs: of the experiment, by name.
        earlier: records of earlier runs, by name, whose standard deviations over seeds the power is computed from.
    """
    plan = ladder()
    return summarise_long(_of_paths(runs, plan), plan, earlier_differences(earlier.values()))


def earlier_differences(paths: Iterable[Path]) -> dict[str, list[float]]:
    """Differences at the longest length of the paper's tables in miniature, at the chosen rates, by seed, bits a byte.

    Returns:
        For each primary contrast of which two seeds or more are there.
    """
    from analysis.experiments.results import nats
    from analysis.experiments.run_record import choose

    chosen = choose(read_run(path) for path in paths)
    found = {}
    for one, other in CONTRASTS:
        if one not in chosen or other not in chosen:
            continue
        shared = sorted(set(chosen[one].seeds) & set(chosen[other].seeds))
        if len(shared) < 2:
            continue
        longest = chosen[one].first["configuration"]["lengths"][-1]
        count = sum(chosen[one].first["document_tokens"])
        less: Float[np.ndarray, "seeds documents"] = nats(chosen[one], "none", longest, shared) - nats(
            chosen[other], "none", longest, shared
        )
        found[f"{label(one)} less {label(other)}"] = (less.sum(axis=1) / count * NAT).tolist()
    return found
