"""Commands of `tapa` around attention heads: closed forms, mean scores, phases, and what they do to the loss."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.cli.options import (
    SEED,
    WINDOWS,
    Device,
    Json,
    Methods,
    Precision,
    Processes,
    Record,
    Revision,
    Texts,
    WindowLength,
    check_none,
    committed,
    if_typed,
    import_methods,
    own,
    readable_texts,
    shown,
)
from analysis.errors import InputError

if TYPE_CHECKING:
    from analysis.records import Schema
    from analysis.studies.settings import BiasInterventionSettings


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


def curve(
    kind: Annotated[Kind, typer.Option(help="Rope type.")] = Kind.DEFAULT,
    config: Annotated[
        Path | None, typer.Option(help="A model's config.json or its folder, instead of the options below.")
    ] = None,
    layer_type: Annotated[str | None, typer.Option(help="With --config: which of its layer types.")] = None,
    base: Annotated[float, typer.Option(help="RoPE base, > 1.")] = 1e4,
    head_dim: Annotated[int, typer.Option(help="Head dimension, even.")] = 128,
    rotary_dim: Annotated[int | None, typer.Option(help="Leading dimensions that are rotated.")] = None,
    factor: Annotated[float, typer.Option(help="Evaluated length over trained length.")] = 8.0,
    trained_length: Annotated[int, typer.Option(help="Trained length in tokens.")] = 8192,
    share: Annotated[float, typer.Option(help="p-RoPE: share of the pairs that rotate.")] = 0.5,
    mu: Annotated[float, typer.Option(help="mu_0, the mean of A_d.")] = 1.0,
    nu: Annotated[float, typer.Option(help="nu_0, the mean of B_d.")] = 0.0,
    turns: Annotated[
        bool, typer.Option("--turns", help="Angles in turns, as the paper prints them.")
    ] = False,
    to: Annotated[float, typer.Option(help="Longest distance, tokens.")] = 65_536,
    points: Annotated[int, typer.Option(help="About how many distances.")] = 17,
    as_json: Json = False,
) -> None:
    """Expected RoPE score by distance, in closed form.

    Printed is the score over sqrt(D): the exact finite sum, and its limit for many pairs where there is one.

    \b
    Examples:
      tapa curve --base 500000 --to 1048576
      tapa curve --kind yarn --factor 16 --json
      tapa curve --config MODEL/config.json
    """
    options = dict(locals())
    from analysis.cli.curve import check_options, curve_table, curve_text, from_file, from_options

    given = {name for name, value in options.items() if value != signature(curve).parameters[name].default}
    check_options(given, kind.value, from_file=config is not None)
    if config is not None:
        frequencies = from_file(config, layer_type)
    else:
        frequencies = from_options(
            kind.value, base, head_dim, rotary_dim,
            factor=factor, trained_length=trained_length, share=share, turns=turns,
        )  # fmt: skip
    result = curve_table(frequencies, mu=mu, nu=nu, to=to, points=points)
    typer.echo(json.dumps(result) if as_json else curve_text(result))


def measure(
    model: Annotated[
        str,
        typer.Argument(
            help="smollm2, gemma3-270m, a model of `tapa train`, a Hugging Face folder or name, or a .gguf file."
        ),
    ],
    text: Texts = [],
    out: Record = Path("distance-bias.nc"),
    windows: Annotated[int, typer.Option(help=WINDOWS)] = 8,
    length: WindowLength = None,
    seed: Annotated[int, typer.Option(help=SEED)] = 0,
    device: Device = "cpu",
    precision: Precision = "float32",
    revision: Revision = None,
    summary: Annotated[
        Path | None, typer.Option(help="Also write a summary of a few kilobytes, JSON.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the mean score of every head at every distance.

    The table shows how much of the scores' variance distance alone decides, and which part of the mean curve the
    means of queries and keys explain. Of weights in safetensors one layer is in memory at a time.

    \b
    Examples:
      tapa measure smollm2
      tapa measure my-llama/ --text book.txt --windows 4 --out my.nc
      tapa measure Qwen/Qwen3-0.6B --text texts/hamlet --precision bfloat16
      tapa measure runs/cpu-rope-0
    """
    from analysis.assets import check_model_name
    from analysis.studies.settings import DistanceBiasSettings as Settings

    settings = Settings(windows, length, seed, precision, device, revision)
    check_model_name(model, revision=revision)
    from analysis.progress import progress_bar, say
    from analysis.records import printable, write, write_summary
    from analysis.schemas import DISTANCE_BIAS, DISTANCE_BIAS_SUMMARY

    _check_outputs({"--out": (out, DISTANCE_BIAS), "--summary": (summary, DISTANCE_BIAS_SUMMARY)})
    from analysis.studies import distance_bias as study

    with progress_bar() as show:
        data, provenance = study.measure_model(
            model, text, settings, arguments=sys.argv, progress=show, say=say
        )
    write(data, out, provenance, schema=DISTANCE_BIAS)
    if summary is not None:
        content = study.summarise_model(data)
        write_summary(content, summary, provenance, schema=DISTANCE_BIAS_SUMMARY, digits=4)
    numbers, undefined = study.share_quartiles(data), study.undefined_heads(data)
    if as_json:
        found = {"record": printable(str(out)), **study.for_json(numbers)}
        typer.echo(json.dumps(found | ({"undefined": undefined} if undefined else {})))
        return
    typer.echo(_quartiles_text(numbers, undefined, [path for path in (out, summary) if path is not None]))


def _quartiles_text(numbers: Mapping[str, list[float]], undefined: str, written: list[Path]) -> str:
    """Quartiles over heads of every share, a line each, how many heads have none, and where the records are."""
    lines = [f"{name:24s}" + "".join(f"{v:8.3f}" for v in row) for name, row in numbers.items()]
    records = ", ".join(map(shown, written))
    said = f"quartiles over heads, first token dropped; record: {records}"
    return "\n".join([*lines, *filter(None, [undefined]), said])


def _check_outputs(outputs: Mapping[str, tuple[Path | None, Schema]]) -> None:
    """Before a long computation: each option's file can be written, and no two options name the same."""
    from analysis.records import ensure_writable

    seen: dict[Path, str] = {}
    for option, (path, schema) in outputs.items():
        if path is None:
            continue
        if path.absolute() in seen:
            raise InputError(f"{seen[path.absolute()]} and {option} are both {path}; give two names")
        seen[path.absolute()] = option
        ensure_writable(path, schema)


def formula(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="As `tapa measure` takes them.")],
    text: Texts = [],
    out: Record = Path("formula-fit.nc"),
    documents: Annotated[int, typer.Option(help="Documents; intervals are over them.")] = 8,
    tokens: Annotated[int, typer.Option(help="Tokens of each document, cut into windows.")] = 8192,
    length: Annotated[
        int | None, typer.Option(help="Tokens in a window; 2048, or what a model of ours was trained at.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the documents and the windows' places.")] = 0,
    as_json: Json = False,
) -> None:
    """Fit curves over distance to the mean score of every head.

    The paper's formula with its own means and with fitted ones, a logarithm, and controls, each fitted on some texts
    and scored on others. Printed is the median over heads of R^2 on a text that was not fitted on.

    \b
    Examples:
      tapa formula smollm2
      tapa formula my-llama/ --text a.txt --text b.txt --text c.txt --documents 3
    """
    from analysis.assets import check_model_name
    from analysis.studies.settings import FormulaFitSettings

    settings = FormulaFitSettings(documents, tokens, length, seed)
    for name in models:
        check_model_name(name)
    from analysis.progress import progress_bar
    from analysis.records import ensure_writable, write
    from analysis.schemas import FORMULA_FIT

    ensure_writable(out, FORMULA_FIT)
    from analysis.cli.printed import formula_numbers, formula_text
    from analysis.studies.formula_fit import measure_shapes

    with progress_bar() as show:
        data, provenance = measure_shapes(models, text, settings, arguments=sys.argv, progress=show)
    write(data, out, provenance, schema=FORMULA_FIT)
    if as_json:
        typer.echo(json.dumps(formula_numbers(data, out)))
        return
    typer.echo(f"{formula_text(data)}\nrecord: {shown(out)}")


def phase(
    model: Annotated[Path, typer.Argument(help="A TAPA checkpoint of `tapa train`, or its run's folder.")],
    text: Annotated[
        list[Path],
        typer.Option(
            metavar="<path>",
            help="UTF-8 text; the model's own validation split if none is given.",
            callback=readable_texts,
        ),
    ] = [],
    layer: Annotated[int | None, typer.Option(help="Only this layer.")] = None,
    head: Annotated[int | None, typer.Option(help="Only this head.")] = None,
    out: Record = Path("phase.nc"),
    windows: Annotated[int, typer.Option(help=WINDOWS)] = 4,
    length: Annotated[int, typer.Option(help="Tokens in a window.")] = 4096,
    loss_windows: Annotated[int, typer.Option(help="Windows for the ablations' losses; 0 for none.")] = 32,
    tokens: Annotated[bool, typer.Option(help="Also relate the phase to properties of tokens.")] = True,
    seed: Annotated[int, typer.Option(help="Of windows, probed pairs and shuffled phases.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure the phase of a trained TAPA model's heads.

    By distance, by token, and by the loss that its ablation costs.

    \b
    Examples:
      tapa phase runs/cpu-tapa-0
      tapa phase runs/cpu-tapa-0 --text book.txt --layer 1 --head 0
    """
    from analysis.assets import check_model_name
    from analysis.settings import check_least
    from analysis.studies.settings import PhaseSettings

    settings = PhaseSettings(windows, length, loss_windows, tokens, seed)
    for name, value in (("layer", layer), ("head", head)):
        if value is not None:
            check_least(name, value, 0)
    check_model_name(model, "a TAPA model of `tapa train`, or its run's folder")
    from analysis.progress import progress_bar
    from analysis.records import ensure_writable, write
    from analysis.schemas import PHASE

    ensure_writable(out, PHASE)
    from analysis.cli.printed import phase_numbers, phase_text
    from analysis.studies.phase import measure_phase

    with progress_bar() as show:
        data, provenance = measure_phase(
            model, text, settings, layer=layer, head=head, arguments=sys.argv, progress=show
        )
    write(data, out, provenance, schema=PHASE)
    if as_json:
        typer.echo(json.dumps(phase_numbers(data, out)))
        return
    typer.echo(f"{phase_text(data)}\nrecord: {shown(out)}")


def phase_dynamics(
    variant: Annotated[
        str, typer.Argument(help="TAPA variant of the experiments, see `tapa sweep --dry-run`.")
    ] = "tapa",
    lr: Annotated[
        float | None, typer.Option(help="Peak learning rate; the variant's tuned one if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the run's weights and batches.")] = 0,
    steps: Annotated[
        str, typer.Option(help="Measured after so many optimiser steps; 0 is the untrained model.")
    ] = "0,10,30,100,200,300,400,600,800,1000",
    out: Record = Path("phase-dynamics.nc"),
    run: Annotated[
        Path | None, typer.Option(help="Folder of the run; runs/dynamics-VARIANT-SEED-LR if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a TAPA model and measure its phases on the way.

    Interrupted and started again, it goes on.

    \b
    Examples:
      tapa phase-dynamics
      tapa phase-dynamics tapa_linear --lr 1e-3 --steps 0,100,1000
    """
    from analysis.studies.settings import Watched, whole_numbers

    watched = Watched(variant, lr, seed, whole_numbers("--steps", steps))
    from analysis.progress import progress_bar
    from analysis.records import ensure_writable, write
    from analysis.schemas import PHASE_DYNAMICS

    ensure_writable(out, PHASE_DYNAMICS)
    from analysis.cli.printed import dynamics_numbers, dynamics_text
    from analysis.studies.phase_dynamics import watch

    folder = run or Path("runs") / f"dynamics-{variant}-{seed}-{watched.lr:g}"
    with progress_bar() as show:
        data, provenance = watch(watched.recipe(), watched.steps, folder, arguments=sys.argv, progress=show)
    write(data, out, provenance, schema=PHASE_DYNAMICS)
    if as_json:
        typer.echo(json.dumps(dynamics_numbers(data, out)))
        return
    typer.echo(f"{dynamics_text(data)}\nrecord: {shown(out)}; run: {shown(folder)}")


def phase_seeds(
    models: Annotated[
        list[Path], typer.Argument(help="Models of `tapa train`: runs, checkpoints or model files, in bytes.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Record to write, JSON; the project's own phase_seeds.json if not given."),
    ] = None,
    workers: Processes = None,
    windows: Annotated[int, typer.Option(help="Windows as long as trained, for heads and losses.")] = 32,
    spans: Annotated[int, typer.Option(help="Spans of the test split that are scored.")] = 64,
    seed: Annotated[int, typer.Option(help="Of windows, spans, pairs, segments and shuffled phases.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure TAPA's phase over seeds, beside its controls.

    Losses by context length, near less far scores, the keys that heads attend to with the phase and without, and what
    the loss owes to it; intervals over seeds. About a minute a model; rows that are up to date are kept.

    \b
    Examples:
      tapa phase-seeds runs/cpu-tapa-0 runs/cpu-tapa-1 runs/cpu-nope-0
      tapa phase-seeds runs/cpu-tapa_alpha0-* --out mine.json
    """
    from analysis.assets import check_model_name
    from analysis.studies.settings import PhaseSeedsSettings

    settings = PhaseSeedsSettings(windows=windows, spans=spans, seed=seed)
    for model in models:
        check_model_name(model, "a model of `tapa train`: a run, a checkpoint or a model file")
    from analysis.progress import progress_bar
    from analysis.records import ensure_writable
    from analysis.schemas import PHASE_SEEDS

    out = out or own("summaries", "phase_seeds.json")
    ensure_writable(out, PHASE_SEEDS)
    from analysis.cli.printed import phase_seeds_text
    from analysis.studies.phase_seeds import measure_seeds
    from analysis.workers import Workers

    with progress_bar() as show:
        content = measure_seeds(
            models, out, settings, workers=Workers(workers), arguments=sys.argv, progress=show
        )
    if as_json:
        typer.echo(json.dumps({"record": str(out), **content["summary"]}))
        return
    typer.echo(f"{phase_seeds_text(content)}\nrecord: {shown(out)}")


def position(
    models: Annotated[
        list[Path],
        typer.Argument(help="Models of `tapa train` or `tapa sweep`: runs, checkpoints or model files."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Record to write, JSON; the project's own position_code.json if not given."),
    ] = None,
    workers: Processes = None,
    windows: Annotated[
        int, typer.Option(help="Windows as long as trained, in which readers are fitted.")
    ] = 40,
    test_windows: Annotated[int, typer.Option(help="Windows of eight times that, in which they read.")] = 16,
    seed: Annotated[int, typer.Option(help="Of windows and of the fresh weights beside each model.")] = 0,
    as_json: Json = False,
) -> None:
    """Ask hidden states at which place their tokens stand.

    A linear reader is fitted in windows as long as trained, on validation text, and read on test text up to eight
    times that length: a model without position in its scores can count. About a minute a model; rows that are up to
    date are kept.

    \b
    Examples:
      tapa position runs/cpu-tapa-0 runs/cpu-nope-0 --out mine.json
    """
    from analysis.assets import check_model_name
    from analysis.studies.settings import PositionCodeSettings

    settings = PositionCodeSettings(windows=windows, test_windows=test_windows, seed=seed)
    for model in models:
        check_model_name(model, "a model of `tapa train`: a run, a checkpoint or a model file")
    from analysis.progress import progress_bar
    from analysis.records import ensure_writable
    from analysis.schemas import POSITION_CODE

    out = out or own("summaries", "position_code.json")
    ensure_writable(out, POSITION_CODE)
    from analysis.cli.printed import position_text
    from analysis.studies.position_code import measure_position
    from analysis.workers import Workers

    with progress_bar() as show:
        content = measure_position(
            models, out, settings, workers=Workers(workers), arguments=sys.argv, progress=show
        )
    if as_json:
        typer.echo(json.dumps({"record": str(out), **content["rows"]}))
        return
    typer.echo(f"{position_text(content)}\nrecord: {shown(out)}")


RunsOrModel = Annotated[
    Path,
    typer.Argument(
        metavar="RUNS|MODEL",
        help="Folder of the runs of `tapa sweep` or `tapa train`; or smollm2, gemma3-270m, a Hugging Face folder or "
        "name, a .gguf file.",
    ),
]
BiasRecord = Annotated[
    Path | None,
    typer.Option(
        help="Record to write; if not given, of RUNS the project's own bias.json, or of runs of `tapa train` "
        "one in their folder, of MODEL bias.nc."
    ),
]
Lengths = Annotated[
    str | None,
    typer.Option(
        help="MODEL: tokens to read; one and a half times and twice its context if not given, of one below 2048 "
        "1024 and 2048 tokens beyond it."
    ),
]
MeanWindows = Annotated[int | None, if_typed(8, "RUNS: windows in which mean scores are measured.")]
TestSpans = Annotated[int | None, if_typed(64, "RUNS: spans of the test split that are scored.")]
Interventions = Annotated[
    str | None, typer.Option(help="MODEL: such as plain,hold,clamp; all of the plan if not given.")
]
ScoredDocuments = Annotated[int | None, if_typed(12, "MODEL: that are scored; four more are needed.")]
ForwardPrecision = Annotated[str | None, if_typed("bfloat16", "MODEL: float32 or bfloat16.")]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="MODEL: only say how many core-hours it takes, by one measured step."),
]


def bias(
    runs: RunsOrModel,
    records: Annotated[
        Path | None, typer.Option(help="RUNS: folder of the sweep's records; the project's own if not given.")
    ] = None,
    out: BiasRecord = None,
    variant: Annotated[list[str], typer.Option(help="RUNS: only of this variant; repeat for several.")] = [],
    workers: Processes = None,
    windows: MeanWindows = None,
    spans: TestSpans = None,
    seed: Annotated[
        int, typer.Option(help="Of whatever is drawn: windows, documents, placebos, bootstraps.")
    ] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="RUNS: measure again what is up to date, too.")
    ] = False,
    lengths: Lengths = None,
    interventions: Interventions = None,
    documents: ScoredDocuments = None,
    text: Texts = [],
    precision: ForwardPrecision = None,
    dry_run: DryRun = False,
    method: Methods = [],
    as_json: Json = False,
) -> None:
    """Relate distance bias to the loss at long lengths.

    Of RUNS mean scores are measured beyond the trained length, run by run, and the loss is evaluated under
    interventions there, each with the attention beyond the trained length that it leaves: minutes a model. Of a MODEL
    documents are read under interventions beyond its context, with controls of equal dose: hours. Started again, it
    goes on where it was stopped.

    \b
    Examples:
      tapa bias runs
      tapa bias runs --records records --variant rope --variant tapa
      tapa bias smollm2 --lengths 12288,16384 --dry-run
    """
    from analysis.assets import MODELS, check_model_name, is_hub_name

    check_model_name(runs, "the folder of the runs of `tapa sweep` or `tapa train`, smollm2, or a model")
    named = str(runs) in MODELS or is_hub_name(runs)
    if named or runs.suffix == ".gguf" or (runs / "config.json").is_file():
        check_none({
            "records": records, "variant": variant, "workers": workers, "method": method, "force": force,
            "windows": windows, "spans": spans,
        }, f"of RUNS, and {runs} is a model")  # fmt: skip
        documents, precision = 12 if documents is None else documents, precision or "bfloat16"
        chosen = _intervention_settings(lengths, interventions, documents, seed, precision)
        _bias_of_model(str(runs), text, chosen, out or Path("bias.nc"), dry_run=dry_run, as_json=as_json)
        return
    check_none({
        "lengths": lengths, "interventions": interventions, "text": text, "dry-run": dry_run,
        "documents": documents, "precision": precision,
    }, f"of a MODEL, and {runs} is no smollm2, gemma3-270m, Hugging Face folder or name, or .gguf file")  # fmt: skip
    _bias_of_runs(
        runs, records, out, variant, workers,
        (8 if windows is None else windows, 64 if spans is None else spans, seed),
        methods=method, force=force, as_json=as_json,
    )  # fmt: skip


def _intervention_settings(
    lengths: str | None, interventions: str | None, documents: int, seed: int, precision: str
) -> BiasInterventionSettings:
    from analysis.studies.settings import BiasInterventionSettings, whole_numbers

    return BiasInterventionSettings(
        None if lengths is None else whole_numbers("--lengths", lengths),
        () if interventions is None else tuple(name.strip() for name in interventions.split(",")),
        documents, seed=seed, precision=precision,
    )  # fmt: skip


def _bias_of_model(
    model: str,
    texts: list[Path],
    settings: BiasInterventionSettings,
    out: Path,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    from analysis.progress import progress_bar
    from analysis.records import ensure_writable
    from analysis.schemas import BIAS_INTERVENTIONS

    ensure_writable(out, BIAS_INTERVENTIONS)
    from analysis.studies import bias_interventions as study

    with progress_bar() as show:
        if dry_run:
            found = study.core_hours(model, texts, settings, show)
        else:
            data = study.measure_interventions(model, texts, settings, out, arguments=sys.argv, progress=show)
    if dry_run:
        total = sum(found.values())
        lines = [f"{name:20s}{hours:8.2f} core-hours" for name, hours in found.items()]
        typer.echo(
            json.dumps(found) if as_json else "\n".join([*lines, f"{'all':20s}{total:8.2f} core-hours"])
        )
        return
    if as_json:
        by_length = {str(n): study.recovered(data, n) for n in map(int, data.length.values)}
        left = {str(n): count for n, count in study.missing_readings(data).items()}
        typer.echo(json.dumps({"record": str(out), "recovered": by_length, "missing": left}))
        return
    typer.echo(f"{study.interventions_table(data)}\nrecord: {shown(out)}")


def _bias_of_runs(
    runs: Path,
    records: Path | None,
    out: Path | None,
    variants: list[str],
    workers: int | None,
    numbers: tuple[int, int, int],
    *,
    methods: list[str],
    force: bool,
    as_json: bool,
) -> None:
    from analysis.studies.settings import ExtrapolationBiasSettings

    settings = ExtrapolationBiasSettings(*numbers)
    from analysis.progress import progress_bar
    from analysis.records import ensure_writable
    from analysis.schemas import BIAS

    import_methods(methods)
    users = any(runs.glob("*/run.json"))
    out = out or (runs / "bias.json" if users else own("summaries", "bias.json"))
    ensure_writable(out, BIAS)
    from analysis.cli.printed import bias_text
    from analysis.studies.extrapolation_bias_runs import measure_runs
    from analysis.workers import Workers

    with progress_bar() as show:
        content = measure_runs(
            runs, records or committed("trained"), out, settings,
            variants=variants, methods=methods, workers=Workers(workers), force=force, arguments=sys.argv,
            progress=show,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"record": str(out), **content["summary"]}))
        return
    typer.echo(f"{bias_text(content)}\nrecord: {shown(out)}")


def score_variance(
    models: Annotated[
        list[str],
        typer.Argument(
            help="smollm2, gemma3-270m, models of `tapa train` (run, checkpoint or file), Hugging Face folders or "
            "names, .gguf files; one or more."
        ),
    ],
    out: Record = Path("score-variance.nc"),
    windows: Annotated[
        int | None, typer.Option(help="Token windows; 128 if not given, 16 of another's model.")
    ] = None,
    pairs: Annotated[int, typer.Option(help="Pairs of a query and a key, over all windows.")] = 8192,
    spans: Annotated[
        int, typer.Option(help="Spans of the test split that are scored; 0 for no losses.")
    ] = 16,
    seed: Annotated[int, typer.Option(help="Of windows, pairs, spans and shuffled distances.")] = 0,
    as_json: Json = False,
) -> None:
    """Split the score's variance: distance, pair, interaction.

    Every encoding on one coordinate, and for models of `tapa train` the loss without each part. Added to the record
    model by model; started again, it goes on where it was stopped.

    \b
    Examples:
      tapa score-variance runs/cpu-rope-0 runs/cpu-tapa-0
      tapa score-variance smollm2 --out smollm2-variance.nc
    """
    from analysis.assets import check_model_name
    from analysis.studies.settings import ScoreVarianceSettings

    settings = ScoreVarianceSettings(windows, pairs, spans, seed)
    for name in models:
        check_model_name(name)
    from analysis.progress import progress_bar
    from analysis.records import ensure_writable
    from analysis.schemas import SCORE_VARIANCE

    ensure_writable(out, SCORE_VARIANCE)
    from analysis.cli.printed import variance_numbers, variance_text
    from analysis.studies.score_variance import measure_variances

    with progress_bar() as show:
        data = measure_variances(models, out, settings, arguments=sys.argv, progress=show)
    if as_json:
        typer.echo(json.dumps(variance_numbers(data, out)))
        return
    typer.echo(f"{variance_text(data)}\nrecord: {shown(out)}")
