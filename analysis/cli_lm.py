"""Commands of `tapa` around the small models: train, read, run experiments, look at phases and biases."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from analysis.progress import progress_bar

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for a machine to read.")]


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a packaged recipe (cpu, gpu), or a .toml.")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Recipe keys to change.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; runs/RECIPE-METHOD-SEED if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a small model; interrupted and started again, it goes on, and ends with the same weights.

    Examples: `tapa train cpu method=tapa seed=0`, `tapa train cpu lr=5e-4 steps=2000 --out runs/slow`,
    `tapa train finetune from=runs/cpu-rope-0 length=512 method.extension=yarn`
    """
    from analysis.lm import job

    with progress_bar() as show:
        result = job.run(recipe, settings or [], out, arguments=sys.argv, progress=show)
    if result is not None:  # of several processes one speaks
        typer.echo(json.dumps(result) if as_json else job.as_text(result))


def evaluate(
    model: Annotated[
        str, typer.Argument(help="A model of `tapa train`, smollm2, a Hugging Face folder, or a .gguf file.")
    ],
    text: Annotated[list[Path], typer.Option(help="UTF-8 text; repeat for several.")] = [],
    out: Annotated[Path, typer.Option(help="Record to write, netCDF.")] = Path("evaluation.nc"),
    lengths: Annotated[
        str | None, typer.Option(help="Window lengths in tokens, such as 1024,2048; by default the model's.")
    ] = None,
    extension: Annotated[
        str, typer.Option(help="RoPE extensions: none, pi, ntk, dynamic, yarn, llama3; several with commas.")
    ] = "none",
    factor: Annotated[
        float | None, typer.Option(help="Of the extensions; by default longest over trained length.")
    ] = None,
    trained_length: Annotated[
        int | None, typer.Option(help="That extensions go by, tokens; by default the model's.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="non-overlapping, sliding or last-token.")] = "sliding",
    stride: Annotated[
        int | None, typer.Option(help="Of the protocol, tokens; by default trained length over 32.")
    ] = None,
    target: Annotated[int, typer.Option(help="Scored tokens of a span.")] = 1024,
    spans: Annotated[int, typer.Option(help="Spans, over as many documents as possible.")] = 8,
    seed: Annotated[int, typer.Option(help="Of the spans' places and of the bootstrap.")] = 0,
    precision: Annotated[str, typer.Option(help="Of a Hugging Face model: float32 or bfloat16.")] = "float32",
    as_json: Json = False,
) -> None:
    """Perplexity and bits per byte by context length, the same targets for every length and extension.

    Examples: `tapa evaluate runs/rope --lengths 128,512,1024`,
    `tapa evaluate smollm2 --lengths 4096,16384 --extension none,yarn --factor 2`
    """
    from analysis.lm import evaluate_job as job
    from analysis.lm.evaluation import rows, table
    from analysis.records import ensure_writable, write

    settings = job.Settings(
        job.whole_numbers("--lengths", lengths) if lengths else None,
        protocol, stride, tuple(extension.split(",")), factor, trained_length, target, spans, seed, precision,
    )  # fmt: skip
    ensure_writable(out)
    with progress_bar() as show:
        data, provenance = job.evaluate_model(
            model, text, settings, arguments=sys.argv, progress=show,
            save=lambda data, provenance: write(data, out, provenance, schema=job.EVALUATION),
        )  # fmt: skip
    write(data, out, provenance, schema=job.EVALUATION)
    if as_json:
        protocol_used = {
            name: data.attrs[name] for name in ("protocol", "stride", "factor", "trained_length")
        }
        typer.echo(json.dumps({"record": str(out), **protocol_used, "rows": rows(data)}))
    else:
        typer.echo(f"{table(data)}\nprotocol {settings.protocol}; record: {out}")


def sweep(
    experiments: Annotated[
        list[str],
        typer.Argument(help="table1, table2, table3, alpha, share, retrieval; all if none is named."),
    ] = [],
    workers: Annotated[int | None, typer.Option(help="Processes; one per core if not given.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="A Dask scheduler's address, tcp://...")] = None,
    slurm: Annotated[int | None, typer.Option(help="Submit that many SLURM tasks of one core.")] = None,
    limit_minutes: Annotated[float | None, typer.Option(help="Stop then; the next sweep goes on.")] = None,
    records: Annotated[Path, typer.Option(help="Folder of the records.")] = Path("figures/trained"),
    runs: Annotated[Path, typer.Option(help="Folder of the checkpoints.")] = Path("figures/records/runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the runs.")] = False,
    as_json: Json = False,
) -> None:
    """Train and read the models of the experiments; what has a record is not run again. Hours in all.

    Examples: `tapa sweep --dry-run`, `tapa sweep table2 --limit-minutes 90`, `tapa sweep --slurm 8`
    """
    from analysis.lm import sweep_job as job
    from analysis.workers import Workers

    if dry_run:
        rows = job.listed(experiments, records, runs)
        typer.echo(json.dumps(rows) if as_json else job.table(rows))
        return
    if slurm is not None:
        typer.echo(job.submit(experiments, records, runs, tasks=slurm, minutes=limit_minutes))
        return
    with progress_bar() as show:
        ended = job.perform(
            experiments, records, runs, workers=Workers(workers, scheduler), minutes=limit_minutes,
            arguments=sys.argv, progress=show,
        )  # fmt: skip
    typer.echo(json.dumps(ended) if as_json else job.as_text(ended))


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
    from analysis import cli_phase
    from analysis.heads import phase_job
    from analysis.records import ensure_writable, write

    settings = phase_job.Settings(windows, length, loss_windows, tokens, seed)
    ensure_writable(out)
    with progress_bar() as show:
        data, provenance = phase_job.measure_phase(
            model, text, settings, layer=layer, head=head, arguments=sys.argv, progress=show
        )
    write(data, out, provenance, schema=phase_job.PHASE)
    if as_json:
        typer.echo(json.dumps(cli_phase.for_json(data, out)))
        return
    typer.echo(f"{cli_phase.as_text(data)}\nrecord: {out}")


def results(
    tables: Annotated[
        list[str],
        typer.Argument(
            help="table1 to table3, alpha, share, retrieval, tuning, matched; all if none is named."
        ),
    ] = [],
    records: Annotated[Path, typer.Option(help="Folder of the runs' records.")] = Path("figures/trained"),
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values of one table.")] = False,
    as_json: Json = False,
) -> None:
    """Tables of the experiments out of the records of `tapa sweep`: nothing is trained or read.

    Examples: `tapa results`, `tapa results table2 matched`, `tapa results retrieval --csv > retrieval.csv`
    """
    from analysis.errors import InputError
    from analysis.lm import result_tables
    from analysis.lm import results as found

    if as_csv and len(tables) != 1:
        raise InputError(
            f"--csv is for one table, {len(tables)} are named; known: {', '.join(result_tables.names())}"
        )
    content = found.summarise(records)
    if as_json:
        typer.echo(json.dumps(content))
    elif as_csv:
        typer.echo(result_tables.csv_text(content, tables[0]), nl=False)
    else:
        typer.echo(
            "\n".join(
                result_tables.markdown(content, name) for name in tables or result_tables.there(content)
            )
        )


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
    from analysis import cli_bias
    from analysis.heads import bias_job
    from analysis.heads.bias_run import Settings
    from analysis.records import ensure_writable
    from analysis.workers import Workers

    settings = Settings(windows, spans, seed)
    ensure_writable(out)
    with progress_bar() as show:
        content = bias_job.measure_runs(
            runs, records, out, settings,
            variants=variant, workers=Workers(workers), force=force, arguments=sys.argv, progress=show,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"record": str(out), **content["summary"]}))
        return
    typer.echo(f"{cli_bias.as_text(content)}\nrecord: {out}")


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
    from analysis import cli_phase
    from analysis.heads.phase_dynamics import DYNAMICS, Watched, watch
    from analysis.lm.evaluate_job import whole_numbers
    from analysis.records import ensure_writable, write

    watched = Watched(variant, lr, seed, whole_numbers("--steps", steps))
    ensure_writable(out)
    folder = run or Path("runs") / f"dynamics-{variant}-{seed}-{lr:g}"
    with progress_bar() as show:
        data, provenance = watch(watched.recipe(), watched.steps, folder, arguments=sys.argv, progress=show)
    write(data, out, provenance, schema=DYNAMICS)
    if as_json:
        typer.echo(json.dumps(cli_phase.dynamics_rows(data, out)))
        return
    typer.echo(f"{cli_phase.dynamics_text(data)}\nrecord: {out}")
