"""The command `tapa`: thin glue from arguments to the library, with progress on anything that takes time."""

from __future__ import annotations

import json
import sys
import time
from enum import StrEnum
from inspect import signature
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from analysis import cli_lm
from analysis.cli_lm import Json
from analysis.errors import InputError
from analysis.progress import errors, progress_bar

app = typer.Typer(
    name="tapa",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Distance bias in RoPE and TAPA: predicted, measured on real checkpoints, and drawn from records.",
)
INTERRUPTED = 130  # what typer makes of Ctrl-C, and shells of a process that SIGINT ended


class Asset(StrEnum):
    """What can be fetched."""

    SMOLLM2 = "smollm2"
    TEXTS = "texts"


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
def fetch(what: Annotated[list[Asset], typer.Argument(help="What to fetch.")], as_json: Json = False) -> None:
    """Fetch the real model or the texts into the cache, checked against pinned sha256; offline afterwards.

    Example: `tapa fetch smollm2 texts`
    """
    from analysis import assets

    found: dict[str, str] = {}
    for asset in what:
        with progress_bar() as show:
            if asset is Asset.SMOLLM2:
                found[asset] = str(assets.fetch_smollm2(progress=show))
            else:
                found[asset] = str(assets.fetch_texts(progress=show)[0].parent)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for asset, place in found.items():
            typer.echo(f"{asset}: {place}")


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
    from analysis import cli_curve

    given = {name for name, value in options.items() if value != signature(curve).parameters[name].default}
    cli_curve.check_options(given, kind.value, from_file=config is not None)
    if config is not None:
        frequencies = cli_curve.from_file(config, layer_type)
    else:
        frequencies = cli_curve.from_options(
            kind.value, base, head_dim, rotary_dim,
            factor=factor, trained_length=trained_length, share=share, turns=turns,
        )  # fmt: skip
    result = cli_curve.table(frequencies, mu=mu, nu=nu, to=to, points=points)
    typer.echo(json.dumps(result) if as_json else cli_curve.as_text(result))


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
    from analysis.heads import job
    from analysis.heads.summary import for_json, headline, summarise
    from analysis.provenance import printable
    from analysis.records import ensure_writable, write, write_summary

    settings = job.Settings(windows, length, seed)
    if summary is not None and summary.absolute() == out.absolute():
        raise InputError(f"--out and --summary are both {out}; give two names")
    for path in filter(None, (out, summary)):
        ensure_writable(path)
    with progress_bar() as show:
        data, provenance = job.measure_model(model, text, settings, arguments=sys.argv, progress=show)
    write(data, out, provenance, schema=job.HEADS)
    if summary is not None:
        write_summary(summarise(data), summary, provenance, schema=job.SUMMARY, digits=4)
    numbers = headline(data)
    if as_json:
        typer.echo(json.dumps({"record": printable(str(out)), **for_json(numbers)}))
        return
    for name, values in numbers.items():
        typer.echo(f"{name:24s}" + "".join(f"{value:8.3f}" for value in values))
    typer.echo(f"quartiles over heads, first token dropped; record: {printable(str(out))}")


@app.command()
def verify(
    labels: Annotated[
        list[str], typer.Argument(help="Claims to check; the whole ledger if none is named.")
    ] = [],
    explain: Annotated[str | None, typer.Option(help="Everything about one claim, in words.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; one per core if not given.")] = None,
    write_status: Annotated[
        bool, typer.Option("--write", help="Write proofs/STATUS.md instead of comparing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check the paper's statements: verdict as stated, verdict as repaired. Exit code 1 if STATUS.md says otherwise.

    Examples: `tapa verify`, `tapa verify thm-2.2 lem-C.1`, `tapa verify --explain thm-3.3`
    """
    from proofs import status
    from proofs.verify import verify as check

    if write_status and (labels or explain):
        raise InputError("--write needs the whole ledger; give it without labels")
    wanted = [explain] if explain else labels
    with progress_bar() as show:
        results = check(
            wanted or None, workers, progress=lambda done, total, label: show("claims", done, total)
        )
    if explain:
        typer.echo("\n\n".join(status.explain(result) for result in results))
    elif as_json:
        typer.echo(json.dumps(status.table(results)))
    else:
        _show_table(status.table(results))
    if write_status:
        status.PATH.write_text(status.status_markdown(results), encoding="utf-8")
        return
    differences = status.compare(results, status.PATH, whole=not wanted)
    for line in differences:
        errors.print(f"tapa: {line}", markup=False, soft_wrap=True)
    if differences:
        sys.exit(1)


def _show_table(rows: list[dict[str, object]]) -> None:
    table = Table("label", "where", "as stated", "as repaired", "evidence", "seconds", box=None)
    for row in rows:
        seconds = row["seconds"]
        last = f"{seconds:.2f}" if isinstance(seconds, float) else str(seconds)
        table.add_row(*(str(row[key]) for key in ("label", "where", "stated", "repaired", "evidence")), last)
    Console().print(table)


@app.command()
def figures(
    names: Annotated[list[str], typer.Argument(help="Figures to draw; all if none is named.")] = [],
    force: Annotated[bool, typer.Option("--force", help="Run every step again.")] = False,
) -> None:
    """Make what is missing or out of date: fetch, measure, draw. A second run with nothing changed runs no step.

    Examples: `tapa figures`, `tapa figures heads assumption`
    """
    from figures.build import build

    sys.exit(build(names, force=force))


@app.command()
def bench(
    out: Annotated[Path, typer.Option(help="Record to write, JSON.")] = Path("figures/records/bench.json"),
    model: Annotated[bool, typer.Option(help="Also time the real model, about two minutes.")] = True,
    as_json: Json = False,
) -> None:
    """Measure the speed and memory targets, the fast way and the naive way in one run."""
    from analysis import bench as benchmarks
    from analysis.records import ensure_writable

    ensure_writable(out)
    begun = time.perf_counter()
    with progress_bar() as show:
        rows = benchmarks.run(with_model=model, progress=show)
    benchmarks.write(rows, out, sys.argv, time.perf_counter() - begun)
    typer.echo(json.dumps(rows) if as_json else benchmarks.as_text(rows))


for command in (
    cli_lm.train, cli_lm.evaluate, cli_lm.sweep, cli_lm.results, cli_lm.phase, cli_lm.phase_dynamics, cli_lm.bias,
):  # fmt: skip
    app.command()(command)


def main() -> None:
    """Entry point: bad input is one line on stderr and exit code 2; an interrupt is one line and 130."""
    try:
        app()
    except InputError as error:
        errors.print(f"tapa: {error}", markup=False, soft_wrap=True)
        sys.exit(2)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            errors.print("tapa: interrupted; nothing is half-written")
        raise


if __name__ == "__main__":  # `python -m analysis.cli`, where the script is not at hand
    sys.argv[0] = "tapa"
    main()
