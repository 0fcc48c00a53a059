"""Commands of `tapa` around the small models: train, evaluate, run the experiments, print their results."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.cli.options import (
    Json,
    Methods,
    Processes,
    Record,
    Texts,
    committed,
    import_methods,
    own,
    shown,
)
from analysis.errors import InputError
from analysis.tables import Format

if TYPE_CHECKING:
    from analysis.studies.settings import PerplexitySettings


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a packaged recipe (cpu, gpu, long), or a .toml.")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Recipe keys to change.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; runs/RECIPE-VARIANT-SEED if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a small model by a recipe and evaluate it.

    Interrupted and started again, it goes on, and ends with the same weights. `method` names a variant of `tapa sweep`
    and brings its tuned learning rate, or a class of your own; `tapa results --runs` and `tapa bias` read the record
    beside the checkpoints.

    \b
    Examples:
      tapa train cpu method=tapa seed=0
      tapa train cpu method=mypackage.module:Class method.KEY=VALUE lr=1e-3
      tapa train cpu lr=5e-4 steps=2000 --out runs/slow
      tapa train finetune from=runs/cpu-rope-0 method=yarn_4x
    """
    from analysis.training.recipe import load_recipe

    if recipe == "finetune" and not any(text.startswith("from=") for text in settings or []):
        raise InputError(
            "recipe finetune goes on from a model; give from=CHECKPOINT, such as from=runs/cpu-rope-0"
        )
    load_recipe(recipe, settings or [])  # a mistyped key is refused before torch is imported
    from analysis.experiments.training_run import train_recipe, training_text
    from analysis.progress import progress_bar

    with progress_bar() as show:
        result = train_recipe(recipe, settings or [], out, arguments=sys.argv, progress=show)
    if result is not None:  # of several processes one speaks
        typer.echo(json.dumps(result) if as_json else training_text(result))


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="A model of `tapa train`, smollm2, gemma3-270m, a Hugging Face folder, or a .gguf file."
        ),
    ],
    text: Texts = [],
    out: Record = Path("evaluation.nc"),
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
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Score each text from its beginning, --target tokens of it.")
    ] = False,
    method: Methods = [],
    as_json: Json = False,
) -> None:
    """Evaluate perplexity and bits per byte by context length.

    The same targets are scored at every length and under every extension.

    \b
    Examples:
      tapa evaluate runs/rope --lengths 128,512,1024
      tapa evaluate smollm2 --lengths 4096,16384 --extension none,yarn --factor 2
    """
    from analysis.assets import check_model_name
    from analysis.studies.settings import PerplexitySettings, whole_numbers

    settings = PerplexitySettings(
        whole_numbers("--lengths", lengths) if lengths else None,
        protocol, stride, tuple(extension.split(",")), factor, trained_length, target, spans, seed, precision,
        from_start,
    )  # fmt: skip
    for name, value in (("factor", factor), ("trained-length", trained_length)):
        if value is not None and settings.extensions == ("none",):
            raise InputError(f"--{name} {value:g} means nothing to --extension none; name one, such as yarn")
    check_model_name(model)
    import_methods(method)
    _evaluate(model, text, settings, out, as_json=as_json)


def _evaluate(
    model: str, text: list[Path], settings: PerplexitySettings, out: Path, *, as_json: bool
) -> None:
    """Evaluate, write the record after each length and extension, and print it."""
    from analysis.progress import progress_bar
    from analysis.records import ensure_writable, write
    from analysis.schemas import EVALUATION

    ensure_writable(out, EVALUATION)
    from analysis.studies.perplexity import evaluate_model, perplexity_table, rows

    with progress_bar() as show:
        data, provenance = evaluate_model(
            model, text, settings, arguments=sys.argv, progress=show,
            save=lambda data, provenance: write(data, out, provenance, schema=EVALUATION),
        )  # fmt: skip
    write(data, out, provenance, schema=EVALUATION)
    if as_json:
        used = {name: data.attrs[name] for name in ("protocol", "stride", "factor", "trained_length")}
        typer.echo(json.dumps({"record": str(out), **used, "rows": rows(data)}))
    else:
        typer.echo(f"{perplexity_table(data)}\nprotocol {settings.protocol}; record: {shown(out)}")


def _check_sweep(
    slurm: int | None, workers: int | None, scheduler: str | None, records: Path | None, *, as_json: bool
) -> None:
    """`InputError` for options that would be ignored, and for records in what is no folder."""
    if workers is not None and scheduler is not None:
        raise InputError(f"--workers {workers} and --scheduler {scheduler} both say who works; leave one out")
    given = {"--workers": workers is not None, "--scheduler": scheduler is not None, "--json": as_json}
    if slurm is not None and any(given.values()):
        idle = next(name for name, there in given.items() if there)
        raise InputError(f"{idle} does not go with --slurm, whose tasks have one core each; leave one out")
    if records is not None and records.exists() and not records.is_dir():
        raise InputError(f"{records} is no folder; give the folder of the records")


def sweep(
    experiments: Annotated[
        list[str],
        typer.Argument(
            help="table1, table2, table3, alpha, share, retrieval; all of these if none is named. Or long."
        ),
    ] = [],
    tier: Annotated[list[str], typer.Option(help="Of long: only this tier; repeat for several.")] = [],
    hours: Annotated[
        float | None, typer.Option(help="Of long: core-hours that its tiers may take; more is refused.")
    ] = None,
    workers: Processes = None,
    scheduler: Annotated[str | None, typer.Option(help="A Dask scheduler's address, tcp://...")] = None,
    slurm: Annotated[int | None, typer.Option(help="Submit that many SLURM tasks of one core.")] = None,
    limit_minutes: Annotated[float | None, typer.Option(help="Stop then; the next sweep goes on.")] = None,
    records: Annotated[
        Path | None, typer.Option(help="Folder of the records; the project's own if not given.")
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of the checkpoints; the project's own if not given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the runs.")] = False,
    as_json: Json = False,
) -> None:
    """Train and evaluate the models of the experiments.

    What has a record is not run again. Hours in all. A clone keeps records in figures/trained and checkpoints in
    figures/records/runs; the installed wheel keeps both in the user's data folder. `long` is the long-range experiment,
    a ladder of tiers, its records in figures/trained_long; --dry-run prints its hours from a step that is timed here.

    \b
    Examples:
      tapa sweep --dry-run
      tapa sweep table2 --limit-minutes 90
      tapa sweep --slurm 8
      tapa sweep long --tier gate --tier first --hours 6 --dry-run
    """
    from analysis.experiments.plan import check_alone, check_limit, variants

    is_long = check_alone(experiments, tier, hours, slurm)
    if not is_long:
        variants(experiments)  # a mistyped name is refused before torch is imported
    check_limit(limit_minutes)
    _check_sweep(slurm, workers, scheduler, records, as_json=as_json)
    if slurm is not None and not dry_run:
        from analysis.experiments.sweep import submit

        records, runs = records or own("trained"), runs or own("records", "runs")
        typer.echo(submit(experiments, records, runs, tasks=slurm, minutes=limit_minutes))
    elif is_long:
        folders = records or own("trained_long"), (runs or own("records", "runs")) / "long"
        _sweep_long(
            *folders, tier, hours, limit_minutes, (workers, scheduler), dry_run=dry_run, as_json=as_json
        )
    else:
        folders = records or own("trained"), runs or own("records", "runs")
        _sweep_tables(
            experiments, *folders, limit_minutes, (workers, scheduler), dry_run=dry_run, as_json=as_json
        )


def _sweep_tables(
    experiments: list[str],
    records: Path,
    runs: Path,
    minutes: float | None,
    workers: tuple[int | None, str | None],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """List the runs of the paper's tables, or run them."""
    from analysis.experiments import sweep as sweep_
    from analysis.progress import progress_bar
    from analysis.workers import Workers

    chosen = Workers(*workers)
    if dry_run:
        rows = sweep_.listed(experiments, records, runs)
        typer.echo(json.dumps(rows) if as_json else sweep_.plan_text(rows))
        return
    with progress_bar() as show:
        ended = sweep_.perform_sweep(
            experiments, records, runs, workers=chosen, minutes=minutes, arguments=sys.argv, progress=show
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(ended))
    else:
        typer.echo(f"{sweep_.outcome_text(ended)}\nrecords: {shown(records)}; checkpoints: {shown(runs)}")


def _sweep_long(
    records: Path,
    runs: Path,
    tiers: list[str],
    hours: float | None,
    minutes: float | None,
    workers: tuple[int | None, str | None],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Show the ladder of the long-range experiment with its hours, or run it."""
    from analysis.experiments.long_plan import ladder

    plan = ladder()
    plan.of(tiers)  # a mistyped name is refused before torch is imported
    from analysis.experiments import long_sweep
    from analysis.experiments.plan import Places
    from analysis.progress import progress_bar, remark
    from analysis.workers import Workers

    chosen = Workers(*workers)
    places = Places(records, runs)
    if dry_run or hours is not None:
        with progress_bar() as show:
            rows = long_sweep.planned_hours(tiers, plan, places, progress=show, say=remark)
        if dry_run:
            typer.echo(json.dumps(rows) if as_json else long_sweep.hours_text(rows))
        long_sweep.require_hours(rows, hours)
        if dry_run:
            return
    with progress_bar() as show:
        ended = long_sweep.sweep_long(
            tiers, plan, places, workers=chosen, minutes=minutes, arguments=sys.argv, progress=show
        )
    said = ", ".join(f"{count} {what}" for what, count in ended.items() if count or what in ("done", "left"))
    typer.echo(json.dumps(ended) if as_json else f"runs: {said}\nrecords: {shown(records)}")


def gate(
    model: Annotated[str, typer.Argument(help="A reference of `tapa train`, trained at several times L.")],
    short: Annotated[
        int | None,
        typer.Option(help="L in tokens, what context beyond is judged; by default a quarter of the model's."),
    ] = None,
    spans: Annotated[int, typer.Option(help="Held-out spans that are scored.")] = 96,
    target: Annotated[int, typer.Option(help="Scored tokens of a span.")] = 64,
    as_json: Json = False,
) -> None:
    """Measure what far context is worth on a corpus.

    The model is a reference, trained at four times L as by `tapa train long length=1024 batch=8`, and the corpus is its
    own. Exit code 2 unless context beyond L is worth at least 0.04 bits a byte at five standard errors over documents:
    on such a corpus a comparison of methods says nothing about long-range use.

    \b
    Example:
      tapa gate runs/reference
    """
    ours = Path(model).exists()
    if ours:  # torch only for what is there
        from analysis.models.checkpoint import is_ours

        ours = is_ours(Path(model))
    if not ours:
        raise InputError(f"{model} is no model of `tapa train`; train a reference, or give its folder")
    from analysis.evaluation.long_range import gate_of_model, gate_text
    from analysis.progress import progress_bar

    with progress_bar() as show:
        corpus, found, lengths = gate_of_model(Path(model), short, spans=spans, target=target, progress=show)
    row = {"corpus": corpus, "lengths": lengths, "passes": found.passes, "gain": found.gain.ends()}
    row |= {"error": found.error, "documents": found.documents, "positive": found.positive}
    typer.echo(json.dumps(row) if as_json else gate_text(corpus, found, lengths))
    found.require(corpus)


ResultsFormat = Annotated[
    Format | None, typer.Option("--format", help="Of a table.", show_default="markdown")
]


def _one_form(form: Format | None, *, as_csv: bool, as_json: bool) -> Format:
    """That of tables, Markdown if none was given; `InputError` for two forms."""
    forms = {"--format": form is not None, "--csv": as_csv, "--json": as_json}
    if len(two := [name for name, given in forms.items() if given][:2]) == 2:
        raise InputError(f"{' and '.join(two)} are two forms; leave one out")
    return form or Format.MARKDOWN


def results(
    tables: Annotated[
        list[str],
        typer.Argument(
            help="table1 to table3, alpha, share, retrieval, tuning, equal_loss; all of these if none is named. "
            "Or long, long_gate, long_contrasts, long_use, long_collected, long_fine, long_pace, long_needles, "
            "long_runs, long_power."
        ),
    ] = [],
    runs: Annotated[
        list[Path],
        typer.Option(help="A run of `tapa train` or its record, to stand beside ours; repeat for several."),
    ] = [],
    records: Annotated[
        Path | None, typer.Option(help="Folder of the runs' records; the project's own if not given.")
    ] = None,
    form: ResultsFormat = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values of one table.")] = False,
    as_json: Json = False,
) -> None:
    """Print the experiments' tables from their records.

    Nothing is trained or evaluated.

    \b
    Examples:
      tapa results
      tapa results table2 equal_loss
      tapa results table2 --runs runs/cpu-tapa-0
      tapa results retrieval --csv > retrieval.csv
      tapa results long
    """
    form = _one_form(form, as_csv=as_csv, as_json=as_json)
    if records is not None and not records.is_dir():
        raise InputError(f"{records}: no such folder; give the folder of the records")
    if any(name.startswith("long") for name in tables):
        if runs:
            raise InputError("--runs goes with the paper's tables, not with long; leave one out")
        _long_results(tables, records or committed("trained_long"), form, as_csv=as_csv, as_json=as_json)
        return
    from analysis.experiments.plan import EXPERIMENTS
    from analysis.experiments.tables import check_name, csv_text, names, page, there

    for name in tables:
        check_name(name)
    if as_csv and len(tables) != 1:
        raise InputError(f"--csv is for one table, {len(tables)} are named; known: {', '.join(names())}")
    if runs and (wrong := [name for name in tables if name not in EXPERIMENTS]):
        raise InputError(f"--runs goes with {', '.join(EXPERIMENTS)}, not with {wrong[0]}; leave one out")
    from analysis.experiments.results import summarise_runs

    content = summarise_runs(records or committed("trained"), runs)
    tables = tables or (["table2"] if runs else there(content))
    if as_json:
        typer.echo(json.dumps(content))
    elif as_csv:
        typer.echo(csv_text(content, tables[0]), nl=False)
    else:
        typer.echo("\n".join(page(content, name, form) for name in tables))


def _long_results(tables: list[str], records: Path, form: Format, *, as_csv: bool, as_json: bool) -> None:
    """Print tables of the long-range experiment, of whatever records are there."""
    from analysis.experiments import long_tables

    names = [each for name in tables for each in long_tables.long_names(name)]
    if as_csv and len(names) != 1:
        raise InputError(f"--csv is for one table, {len(names)} are named; give one of {', '.join(names)}")
    from analysis.experiments.long_plan import ladder
    from analysis.experiments.long_results import earlier_differences, read_long, summarise_long
    from analysis.experiments.run_record import NAMES

    plan = ladder()
    earlier = earlier_differences(sorted(committed("trained").glob(NAMES)))
    content = summarise_long(read_long(records, plan), plan, earlier)
    if as_json:
        typer.echo(json.dumps(content))
    elif as_csv:
        typer.echo(long_tables.long_csv(content, names[0]), nl=False)
    else:
        typer.echo("\n".join(long_tables.long_page(content, name, form) for name in names))
