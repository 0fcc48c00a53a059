"""Commands of `tapa` about heads and their scores: curve, measure, phase, phase-dynamics, bias."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from enum import StrEnum
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import xarray as xr

from analysis.cli.options import Json, app
from analysis.errors import InputError
from analysis.progress import progress_bar
from analysis.settings import check_at_least
from analysis.studies.extrapolation_bias import OBSERVED
from analysis.theory import frequencies, model_config, rope

ALWAYS = {"config", "mu", "nu", "to", "points", "as_json"}
SHAPE = {"kind", "base", "head_dim", "rotary_dim"}
USES = {  # options that each rope type makes something of
    "default": SHAPE | {"turns"},
    "linear": SHAPE | {"turns", "factor"},
    "ntk": SHAPE | {"turns", "factor"},
    "dynamic": SHAPE | {"turns", "factor", "trained_length"},
    "yarn": SHAPE | {"factor", "trained_length"},  # no turns: the thresholds are defined in radians
    "llama3": SHAPE | {"factor", "trained_length"},
    "proportional": {"kind", "base", "head_dim", "turns", "share"},
    "xpos": SHAPE | {"turns"},
}


def check_options(given: set[str], kind: str, *, from_file: bool) -> None:
    """`InputError` naming an option, among those away from their defaults, that would decide nothing."""
    used, beside = ({"layer_type"}, "--config") if from_file else (USES[kind], f"--kind {kind}")
    if idle := sorted(given - ALWAYS - used):
        hint = f"; there go {', '.join(_option(name) for name in sorted(used))}"
        raise InputError(f"{_option(idle[0])} does not go with {beside}{hint}")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def from_options(
    kind: str,
    base: float,
    head_dim: int,
    rotary_dim: int | None,
    *,
    factor: float,
    trained_length: int,
    share: float,
    turns: bool,
) -> frequencies.Frequencies:
    """Frequencies of a rope type from the command's options.

    Raises:
        InputError: for a value out of its range.
    """
    sizes: dict[str, Any] = {"rotary_dim": rotary_dim}
    trained: dict[str, Any] = {"factor": factor, "trained_length": trained_length}
    makers: dict[str, Callable[[], frequencies.Frequencies]] = {
        "default": lambda: frequencies.plain(base, head_dim, **sizes, turns=turns),
        "linear": lambda: frequencies.linear(base, head_dim, **sizes, factor=factor, turns=turns),
        "ntk": lambda: frequencies.ntk(base, head_dim, **sizes, factor=factor, turns=turns),
        "dynamic": lambda: frequencies.dynamic_ntk(
            base, head_dim, **sizes, **trained, length=_stretched(factor, trained_length), turns=turns
        ),
        "yarn": lambda: frequencies.yarn(base, head_dim, **sizes, **trained),
        "llama3": lambda: frequencies.llama3(base, head_dim, **sizes, **trained),
        "proportional": lambda: frequencies.proportional(
            base, head_dim, partial_rotary_factor=share, turns=turns
        ),
        "xpos": lambda: frequencies.xpos(base, head_dim, **sizes, turns=turns),
    }
    return makers[kind]()


def _stretched(factor: float, trained_length: int) -> int:
    """The length to read; refuses a factor that is no number or too large for one."""
    check_at_least("factor", factor, 1)
    check_at_least("trained_length", trained_length, 1)
    check_at_least("factor x trained length", factor * trained_length, 1)
    return round(factor * trained_length)


def from_file(path: Path, layer_type: str | None) -> frequencies.Frequencies:
    """Frequencies of a model's config.json.

    Raises:
        InputError: for a file that cannot be read or is not a configuration with RoPE.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; give a model's config.json") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); give a model's config.json") from error
    if not isinstance(config, dict):
        raise InputError(f"{path} holds a {type(config).__name__}, not a configuration")
    return model_config.from_config(config, layer_type=layer_type)


def table(
    frequencies: frequencies.Frequencies, *, mu: float, nu: float, to: float, points: int
) -> dict[str, Any]:
    """Distances with the exact sum and, where it has a closed form, the limit."""
    distance = rope.spread_distances(to, points)
    limit = rope.gamma_limit(frequencies, distance, mu=mu, nu=nu)
    return {
        "kind": frequencies.kind,
        "head_dim": frequencies.head_dim,
        "rotary_dim": frequencies.rotary_dim,
        "attention_factor": frequencies.attention_factor,
        "mu": mu,
        "nu": nu,
        "distance": distance.tolist(),
        "exact": rope.gamma_of(frequencies, distance, mu=mu, nu=nu).tolist(),
        "limit": None if limit is None else limit.tolist(),
    }


def curve_text(result: dict[str, Any]) -> str:
    """The table for a reader, one distance a line."""
    rotated = f"{result['rotary_dim']} of {result['head_dim']} dimensions turn"
    lines = [f"{result['kind']}: {rotated}, attention factor {result['attention_factor']:.4g}"]
    lines.append(f"{'distance':>10} {'exact':>10} {'limit':>10}")
    limits = result["limit"] or [None] * len(result["exact"])
    for distance, exact, limit in zip(result["distance"], result["exact"], limits, strict=True):
        last = _ten_wide(limit) if limit is not None else f"{'-':>10}"
        lines.append(f"{distance:10.0f} {_ten_wide(exact)} {last}")
    if result["limit"] is None:
        lines.append(
            f"limit: {result['kind']} frequencies are no geometric sequence; no closed form is known"
        )
    return "\n".join(lines)


def _ten_wide(value: float) -> str:
    return f"{value:10.5f}" if abs(value) < 1000 else f"{value:10.3e}"


# What `tapa bias` prints: what heads do beyond the trained length, what goes with the loss, what brings it
# back.


Numbers = dict[str, Any]


def bias_text(content: Numbers) -> str:
    """For a reader."""
    rows, summary = content["rows"], content["summary"]
    lines = [f"{'run':30s}{'rise':>8s}" + "".join(f"{name:>15s}" for name in OBSERVED)]
    for name, found in rows.items():
        observed = "".join(f"{_three_decimals(found['observed'][key]):>15s}" for key in OBSERVED)
        lines.append(f"{name:30s}{found['rise']:8.3f}{observed}")
    lines.append(f"\nSpearman with the rise of the loss, bits per byte; {summary['runs']} runs from scratch")
    lines += [f"{'':16s}{'over runs':>28s}{'within methods':>28s}"]
    for name, found in summary["correlations"].items():
        lines.append(
            f"{name:16s}" + "".join(f"{_estimate(found[k]):>28s}" for k in ("over_runs", "within_methods"))
        )
    lines.append("\nbits per byte that come back at the longest length, mean over seeds at the chosen rate")
    lines.append(f"{'':40s}{'bits that come back':>28s}{'share of those lost':>28s}{'lost':>8s}{'seeds':>7s}")
    for variant, cells in summary["altered"].items():
        longest = max(cell["length"] for cell in cells)
        lines += [_cell(variant, cell) for cell in cells if cell["length"] == longest]
    if content["left_out"]:
        lines.append(
            "\nleft out: " + "; ".join(f"{name} ({why})" for name, why in content["left_out"].items())
        )
    return "\n".join(lines)


def _cell(variant: str, cell: Numbers) -> str:
    share = "-" if cell["share"] is None else _interval(cell["share"])
    return (
        f"{variant:16s}{cell['kind']:18s}{cell['length']:6d}{_interval(cell['back']):>28s} {share:>28s}"
        f"{cell['lost'][0]:8.3f}{cell['seeds']:7d}"
    )


def _estimate(found: Numbers | None) -> str:
    return "too few" if found is None else _interval([found["value"], found["low"], found["high"]])


def _interval(ends: list[float | None]) -> str:
    value, low, high = ends
    inside = "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"
    return f"{_three_decimals(value)}{inside}"


def _three_decimals(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


# What `tapa phase` prints: the heads ranked by what they lose, one line each, or one head at length.


RANKED_BY = "no cosine"
COLUMNS = ("phase_mean", "phase_sd", "past_quarter_all", "nope_index", "gaussian_share", "entropy")
AT = (1, 16, 256, 2048)  # distances shown of one head


def for_json(data: xr.Dataset, record: Path) -> dict[str, Any]:
    """The numbers that are printed; what is not finite is None."""
    found: dict[str, Any] = {"record": str(record), "method": data.attrs["method"]}
    found["step"] = int(data.attrs["training_step"])
    if "change" in data:
        found["loss"] = _finite_or_none(data.loss)
        found["change"] = {
            str(kind): [
                _finite_or_none(data[name].sel(ablation=kind))
                for name in ("change", "change_low", "change_high")
            ]
            for kind in data.ablation.values
        }
    found["heads"] = [
        {"layer": layer, "head": head} | {name: _finite_or_none(value) for name, value in numbers.items()}
        for layer, head, numbers in _heads(data)
    ]
    return found


def phase_text(data: xr.Dataset) -> str:
    """For a reader."""
    lines = [
        f"{data.attrs['method']} after {data.attrs['training_step']} steps, trained at {data.attrs['trained_length']} "
        f"tokens; {data.attrs['windows']} windows of {data.attrs['length']} tokens"
    ]
    if "change" in data:
        lines.append(
            f"loss {float(data.loss):.4f} nats a token at {data.attrs['trained_length']} tokens; rises by"
        )
        for kind in data.ablation.values:
            low, high = (float(data[f"change_{end}"].sel(ablation=kind)) for end in ("low", "high"))
            value = float(data.change.sel(ablation=kind))
            lines.append(f"    {value:8.4f}  [{low:.4f}, {high:.4f}]  {kind}")
    rows = _heads(data)
    lines.append("head      " + "".join(f"{name:>18}" for name in rows[0][2]))
    lines += [
        f"{f'{layer}.{head}':10}" + "".join(f"{value:18.4f}" for value in numbers.values())
        for layer, head, numbers in rows
    ]
    if len(rows) == 1:
        lines += _one(data.isel(layer=0, head=0))
    return "\n".join(lines)


OVER_STEPS = ("phase_sd", "past_quarter_all", "nope_index", "gaussian_share", "entropy")


def dynamics_rows(data: xr.Dataset, record: Path) -> dict[str, Any]:
    """Of `phase_dynamics.watch`: at every step the loss and the median head's numbers; what is not finite is None."""
    return {
        "record": str(record),
        "method": data.attrs["method"],
        "steps": [
            {"step": step} | {name: _finite_or_none(value) for name, value in numbers.items()}
            for step, numbers in _steps(data)
        ],
    }


def dynamics_text(data: xr.Dataset) -> str:
    """For a reader."""
    rows = _steps(data)
    lines = [f"{data.attrs['method']}, median of {data.sizes['layer'] * data.sizes['head']} heads"]
    lines.append("step    " + "".join(f"{name:>18}" for name in rows[0][1]))
    lines += [
        f"{step:<8}" + "".join(f"{value:18.4f}" for value in numbers.values()) for step, numbers in rows
    ]
    return "\n".join(lines)


def _steps(data: xr.Dataset) -> list[tuple[int, dict[str, float]]]:
    """Step, and its loss with the medians over heads."""
    rows = []
    for step in data.training_step.values:
        x = data.sel(training_step=step)
        medians = {name: float(x[name].median()) for name in OVER_STEPS}
        rows.append((int(step), {"loss": float(x["loss"])} | medians))
    return rows


def _heads(data: xr.Dataset) -> list[tuple[int, int, dict[str, float]]]:
    """Layer, head and numbers of each head, that which loses most first."""
    rows = []
    for layer in data["layer"].values:
        for head in data["head"].values:
            x = data.sel(layer=layer, head=head)
            numbers = {name: float(x[name]) for name in COLUMNS}
            if "head_change" in data:
                numbers[f"loss, {RANKED_BY}"] = float(x.head_change.sel(head_ablation=RANKED_BY))
            rows.append((int(layer), int(head), numbers))
    return sorted(rows, key=lambda row: -row[2].get(f"loss, {RANKED_BY}", 0.0))


def _one(x: xr.Dataset) -> list[str]:
    """One head by distance, and by property of token pairs."""
    names = ("amplitude", "cosine", "score", "product", "covariance", "gaussian", "turns_sd")
    lines = ["distance  " + "".join(f"{name:>12}" for name in names)]
    for distance in (d for d in AT if d < x.sizes["distance"]):
        at = x.sel(distance=distance)
        lines.append(f"{distance:<10}" + "".join(f"{float(at[name]):12.4f}" for name in names))
    if "effect" in x:
        lines.append(
            f"{'property':20}{'phi (sd)':>12}{'se':>10}{'|phi| (sd)':>12}{'se':>10}{'phase':>10}{'amplitude':>10}"
        )
        for name in x.property.values:
            at = x.sel(property=name)
            shown = [float(at[key]) for key in ("effect", "effect_se", "effect_abs", "effect_abs_se")]
            told = [float(at.told.sel(told_by=part)) for part in ("phase", "amplitude")]
            lines.append(
                f"{name!s:20}"
                + "".join(
                    f"{v:{w}.3f}" for v, w in zip([*shown, *told], (12, 10) * 2 + (10, 10), strict=True)
                )
            )
    return lines


def _finite_or_none(value: float | np.ndarray | xr.DataArray) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def phase(
    model: Annotated[Path, typer.Argument(help="A TAPA checkpoint of `tapa train`, or its run's folder.")],
    text: Annotated[
        list[Path], typer.Option(help="UTF-8 text; the model's own validation split if none is given.")
    ] = [],
    layer: Annotated[int | None, typer.Option(help="Only this layer.")] = None,
    head: Annotated[int | None, typer.Option(help="Only this head.")] = None,
    out: Annotated[Path, typer.Option(help="Record to write, netCDF.")] = Path("phase.nc"),
    windows: Annotated[int, typer.Option(help="Token windows; standard errors are over them.")] = 4,
    length: Annotated[int, typer.Option(help="Tokens in a window.")] = 4096,
    loss_windows: Annotated[int, typer.Option(help="Windows for the ablations' losses; 0 for none.")] = 32,
    tokens: Annotated[bool, typer.Option(help="Also look for what tokens have to do with it.")] = True,
    seed: Annotated[int, typer.Option(help="Of windows, probed pairs and shuffled phases.")] = 0,
    as_json: Json = False,
) -> None:
    """What the heads of a trained TAPA model do with their phase: by distance, by token, and what it is worth.

    Examples: `tapa phase runs/cpu-tapa-0`, `tapa phase runs/cpu-tapa-0 --text book.txt --layer 1 --head 0`
    """
    from analysis.records import ensure_writable, write
    from analysis.studies.phase import PHASE, Settings, measure_phase

    settings = Settings(windows, length, loss_windows, tokens, seed)
    ensure_writable(out)
    with progress_bar() as show:
        data, provenance = measure_phase(
            model, text, settings, layer=layer, head=head, arguments=sys.argv, progress=show
        )
    write(data, out, provenance, schema=PHASE)
    if as_json:
        typer.echo(json.dumps(for_json(data, out)))
        return
    typer.echo(f"{phase_text(data)}\nrecord: {out}")


def bias(
    runs: Annotated[Path, typer.Argument(help="Folder of the runs of `tapa sweep`.")],
    records: Annotated[Path, typer.Option(help="Folder of their records.")] = Path("figures/trained"),
    out: Annotated[Path, typer.Option(help="Record to write, JSON.")] = Path("figures/summaries/bias.json"),
    variant: Annotated[list[str], typer.Option(help="Only runs of this variant; repeat for several.")] = [],
    workers: Annotated[int | None, typer.Option(help="Processes; one per core if not given.")] = None,
    windows: Annotated[int, typer.Option(help="Windows in which mean scores are measured.")] = 8,
    spans: Annotated[int, typer.Option(help="Spans of the test split that are scored.")] = 16,
    seed: Annotated[int, typer.Option(help="Of windows, spans, shuffled distances and bootstraps.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Measure again what is up to date, too.")] = False,
    as_json: Json = False,
) -> None:
    """Does the distance bias break extrapolation? Mean scores beyond the trained length against loss, run by run.

    And what comes back of the loss when the bias is taken away there. Seconds a model; goes on where it was stopped.

    Examples: `tapa bias figures/records/runs`, `tapa bias runs --records records --variant rope --variant tapa`
    """
    from analysis.records import ensure_writable
    from analysis.studies import extrapolation_bias, extrapolation_bias_runs
    from analysis.workers import Workers

    settings = extrapolation_bias.Settings(windows, spans, seed)
    ensure_writable(out)
    with progress_bar() as show:
        content = extrapolation_bias_runs.measure_runs(
            runs, records, out, settings,
            variants=variant, workers=Workers(workers), force=force, arguments=sys.argv, progress=show,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"record": str(out), **content["summary"]}))
        return
    typer.echo(f"{bias_text(content)}\nrecord: {out}")


def phase_dynamics(
    variant: Annotated[
        str, typer.Argument(help="TAPA variant of the experiments, see `tapa sweep --dry-run`.")
    ] = "tapa",
    lr: Annotated[float, typer.Option(help="Peak learning rate of the run.")] = 2e-3,
    seed: Annotated[int, typer.Option(help="Of the run's weights and batches.")] = 0,
    steps: Annotated[
        str, typer.Option(help="Measured after so many optimiser steps; 0 is the untrained model.")
    ] = "0,10,30,100,200,300,400,600,800,1000",
    out: Annotated[Path, typer.Option(help="Record to write, netCDF.")] = Path("phase-dynamics.nc"),
    run: Annotated[
        Path | None, typer.Option(help="Folder of the run; runs/dynamics-VARIANT-SEED-LR if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a run of the experiments and measure its phases on the way; interrupted and started again, it goes on.

    Examples: `tapa phase-dynamics`, `tapa phase-dynamics tapa_linear --lr 1e-3 --steps 0,100,1000`
    """
    from analysis.records import ensure_writable, write
    from analysis.studies.settings import Watched, whole_numbers

    watched = Watched(variant, lr, seed, whole_numbers("--steps", steps))
    from analysis.studies.phase_dynamics import DYNAMICS, watch

    ensure_writable(out)
    folder = run or Path("runs") / f"dynamics-{variant}-{seed}-{lr:g}"
    with progress_bar() as show:
        data, provenance = watch(watched.recipe(), watched.steps, folder, arguments=sys.argv, progress=show)
    write(data, out, provenance, schema=DYNAMICS)
    if as_json:
        typer.echo(json.dumps(dynamics_rows(data, out)))
        return
    typer.echo(f"{dynamics_text(data)}\nrecord: {out}")


class Kind(StrEnum):
    """Rope types that `tapa curve` builds from options; the others need a model's configuration."""

    DEFAULT = "default"
    LINEAR = "linear"
    NTK = "ntk"
    DYNAMIC = "dynamic"
    YARN = "yarn"
    LLAMA3 = "llama3"
    PROPORTIONAL = "proportional"
    XPOS = "xpos"


@app.command()
def curve(
    kind: Annotated[Kind, typer.Option(help="Rope type.")] = Kind.DEFAULT,
    config: Annotated[
        Path | None, typer.Option(help="A model's config.json, instead of the options below.")
    ] = None,
    layer_type: Annotated[str | None, typer.Option(help="With --config: which of its layer types.")] = None,
    base: Annotated[float, typer.Option(help="RoPE base, > 1.")] = 1e4,
    head_dim: Annotated[int, typer.Option(help="Head dimension, even.")] = 128,
    rotary_dim: Annotated[int | None, typer.Option(help="Leading dimensions that are rotated.")] = None,
    factor: Annotated[float, typer.Option(help="Length to read over trained length.")] = 8.0,
    trained_length: Annotated[int, typer.Option(help="Trained length in tokens.")] = 8192,
    share: Annotated[float, typer.Option(help="p-RoPE: share of the pairs that turn.")] = 0.5,
    mu: Annotated[float, typer.Option(help="mu_0, the mean of A_d.")] = 1.0,
    nu: Annotated[float, typer.Option(help="nu_0, the mean of B_d.")] = 0.0,
    turns: Annotated[
        bool, typer.Option("--turns", help="Angles in turns, as the paper prints them.")
    ] = False,
    to: Annotated[float, typer.Option(help="Longest distance, tokens.")] = 65_536,
    points: Annotated[int, typer.Option(help="About how many distances.")] = 17,
    as_json: Json = False,
) -> None:
    """Expected score over sqrt(D) against distance: the exact finite sum, and its limit for many pairs.

    Examples: `tapa curve --base 500000 --to 1048576`, `tapa curve --kind yarn --factor 16 --json`,
    `tapa curve --config MODEL/config.json`
    """
    options = dict(locals())

    given = {name for name, value in options.items() if value != signature(curve).parameters[name].default}
    check_options(given, kind.value, from_file=config is not None)
    if config is not None:
        frequencies = from_file(config, layer_type)
    else:
        frequencies = from_options(
            kind.value, base, head_dim, rotary_dim,
            factor=factor, trained_length=trained_length, share=share, turns=turns,
        )  # fmt: skip
    result = table(frequencies, mu=mu, nu=nu, to=to, points=points)
    typer.echo(json.dumps(result) if as_json else curve_text(result))


@app.command()
def measure(
    model: Annotated[
        str,
        typer.Argument(
            help="smollm2, a model of `tapa train`, a Hugging Face folder (safetensors), or a .gguf file."
        ),
    ],
    text: Annotated[list[Path], typer.Option(help="UTF-8 text; repeat for several.")] = [],
    out: Annotated[Path, typer.Option(help="Record to write, netCDF.")] = Path("distance-bias.nc"),
    windows: Annotated[int, typer.Option(help="Token windows; standard errors are over them.")] = 8,
    length: Annotated[
        int | None, typer.Option(help="Tokens in a window; 2048, or what a model of ours was trained at.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the windows' places and of the shuffled control.")] = 0,
    summary: Annotated[
        Path | None, typer.Option(help="Also write a summary of a few kilobytes, JSON.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the mean score of every head at every distance, and how much of it distance alone decides.

    Examples: `tapa measure smollm2`, `tapa measure my-llama/ --text book.txt --windows 4 --out my.nc`,
    `tapa measure runs/cpu-rope-0`
    """
    from analysis.records import ensure_writable, printable, write, write_summary
    from analysis.studies import distance_bias
    from analysis.studies.distance_bias import headline, summarise

    settings = distance_bias.Settings(windows, length, seed)
    if summary is not None and summary.absolute() == out.absolute():
        raise InputError(f"--out and --summary are both {out}; give two names")
    for path in filter(None, (out, summary)):
        ensure_writable(path)
    with progress_bar() as show:
        data, provenance = distance_bias.measure_model(
            model, text, settings, arguments=sys.argv, progress=show
        )
    write(data, out, provenance, schema=distance_bias.HEADS)
    if summary is not None:
        write_summary(summarise(data), summary, provenance, schema=distance_bias.SUMMARY, digits=4)
    numbers = headline(data)
    if as_json:
        typer.echo(json.dumps({"record": printable(str(out)), **distance_bias.for_json(numbers)}))
        return
    for name, values in numbers.items():
        typer.echo(f"{name:24s}" + "".join(f"{value:8.3f}" for value in values))
    typer.echo(f"quartiles over heads, first token dropped; record: {printable(str(out))}")
