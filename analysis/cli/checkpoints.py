"""Commands of `tapa` about a checkpoint or its record: doctor, report, plot, compare, export."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.cli.options import (
    DEVICE,
    PRECISION,
    SEED,
    WINDOWS,
    Json,
    Revision,
    Texts,
    WindowLength,
    check_none,
    complain,
    if_typed,
    own,
    shown,
)
from analysis.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from analysis.studies.settings import DistanceBiasSettings


class ExportForm(StrEnum):
    """How a record is exported."""

    CSV = "csv"
    LATEX = "latex"
    TRIATTENTION = "triattention"


def doctor(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|CONFIG",
            help="smollm2, gemma3-270m, a Hugging Face folder, a config.json, or a .gguf.",
        ),
    ],
    against: Annotated[
        Path | None,
        typer.Option(
            help="Frequencies that another stack wrote, .npz: inv_freq, or cos and sin, or cos_sin_cache."
        ),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(help="Tokens of the text, for rope types that depend on it (dynamic, longrope)."),
    ] = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Print every pair's frequency and wavelength.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check a model's rotation against its configuration.

    Without text and without weights, in seconds: bases, pairs, wavelengths, what a context extension does to each
    pair, and whether the module that transformers builds rotates so. Exit code 1 names the first wrong pair.

    \b
    Examples:
      tapa doctor smollm2
      tapa doctor MODEL/config.json --pairs
      tapa doctor MODEL --against vllm.npz
    """
    from analysis.assets import MODELS, check_model_name
    from analysis.cli.doctor import diagnose, diagnosis_json, diagnosis_text
    from analysis.settings import check_least
    from analysis.theory.rotation_table import read_dump

    if length is not None:
        check_least("length", length, 1)
    check_model_name(model, f"{' or '.join(MODELS)}, a Hugging Face folder, its config.json, or a .gguf file")
    if against is not None:
        read_dump(against)  # before a model is fetched and summed
    path, name = Path(model), None
    if (source := MODELS.get(model)) is not None:
        from analysis.models.load import fetch_model
        from analysis.progress import progress_bar

        with progress_bar() as show:
            path, name = fetch_model(source, progress=show), source.title
    found = diagnose(path, name=name, against=against, length=length)
    typer.echo(json.dumps(diagnosis_json(found)) if as_json else diagnosis_text(found, pairs=pairs))
    complain(found.wrong)
    if found.wrong:
        sys.exit(1)


def report(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|RECORD",
            help="As `tapa measure` takes it, or the record that it wrote (.nc).",
        ),
    ],
    text: Texts = [],
    out: Annotated[
        Path, typer.Option(help="Page to write; a record that is measured lies beside it.")
    ] = Path("report.html"),
    windows: Annotated[int | None, if_typed(8, WINDOWS)] = None,
    length: WindowLength = None,
    seed: Annotated[int | None, if_typed(0, SEED)] = None,
    device: Annotated[str | None, if_typed("cpu", DEVICE)] = None,
    precision: Annotated[str | None, if_typed("float32", PRECISION)] = None,
    revision: Revision = None,
    as_json: Json = False,
) -> None:
    """Make one offline page of a model's heads.

    A map of all heads, the mean score by distance of each with its controls and fits, its pairs, and what the means
    predict beyond the context. Measures the model unless the record of this measurement lies beside the page, and
    refuses to replace another. Of a record, the options that measure mean nothing. Fetches nothing when it is opened.

    \b
    Examples:
      tapa report smollm2
      tapa report my-llama/ --text book.txt --out my.html
      tapa report my.nc --out my.html
    """
    options = {"windows": windows, "length": length, "seed": seed, "precision": precision, "device": device}
    measuring = {name: value for name, value in options.items() if value is not None}
    is_record = Path(model).suffix == ".nc"
    if is_record:
        check_none(
            measuring | {"text": text, "revision": revision}, f"of a measurement, and {model} is a record"
        )
    from analysis.studies.settings import DistanceBiasSettings

    settings = DistanceBiasSettings(**measuring, revision=revision)
    from figures.report.page import ensure_page, report_page, write_page

    ensure_page(out)
    if is_record:
        record, data = Path(model), _heads(Path(model))
    else:
        record, data = _measured(model, text, settings, out.with_suffix(".nc"))
    page = report_page(data)
    write_page(page, out)
    if as_json:
        typer.echo(json.dumps({"page": str(out), "record": str(record), "bytes": len(page.encode())}))
        return
    typer.echo(f"page: {shown(out)}; record: {shown(record)}")


def site(
    out: Annotated[Path, typer.Option(help="Folder of the pages.")] = Path("site"),
    record: Annotated[
        list[Path], typer.Option(help="Record of `tapa measure` for the table of models; repeat for several.")
    ] = [],
    as_json: Json = False,
) -> None:
    """Write the documentation: claims, findings, API.

    Pages that open from a disk and fetch nothing. The claims are those of the record that `tapa figures claims` makes;
    `make site` runs both.

    \b
    Examples:
      tapa site --out site
      tapa site --record my.nc
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {shown(out)} is no folder; give one, or a name that is free")
    from figures.report.site import claims_content, write_site

    content = claims_content(own("records", "claims.json"))
    written = write_site(content, out, record)
    if as_json:
        typer.echo(json.dumps({"pages": [str(path) for path in written]}))
        return
    typer.echo("\n".join(f"page: {shown(path)}" for path in written))


def _measured(
    model: str, texts: list[Path], settings: DistanceBiasSettings, record: Path
) -> tuple[Path, xr.Dataset]:
    """A model's record and where it lies: the project's own of SmolLM2, the one of this name, or measured now."""
    from analysis.assets import SMOLLM2, check_model_name
    from analysis.progress import progress_bar, say
    from analysis.records import ensure_writable
    from analysis.schemas import DISTANCE_BIAS

    check_model_name(model, revision=settings.revision)
    ensure_writable(record, DISTANCE_BIAS)
    from analysis.studies.distance_bias import kept_or_measured, kept_record

    made = own("records", "smollm2.nc")  # by `make figures`
    with progress_bar() as show:
        if model == SMOLLM2.name and (kept := kept_record(model, texts, settings, made, show)) is not None:
            return made, kept
        return record, kept_or_measured(
            model, texts, settings, record, arguments=sys.argv, progress=show, say=say
        )


def _heads(path: Path) -> xr.Dataset:
    """A record of `tapa measure`."""
    from analysis.records import read
    from analysis.schemas import DISTANCE_BIAS

    return read(path, expect_schema=DISTANCE_BIAS)


HeadRecord = Annotated[Path, typer.Argument(metavar="RECORD", help="That `tapa measure` wrote, .nc.")]


def plot(
    record: HeadRecord,
    head: Annotated[
        list[str],
        typer.Option(
            metavar="L.H",
            help="Layer and head, both from 0; repeat for up to six. Six examples if not given.",
        ),
    ] = [],
    out: Annotated[Path, typer.Option(help="Picture to write: .png, .pdf or .svg.")] = Path("heads.png"),
) -> None:
    """Draw heads of a record of your own.

    The mean score by distance with two standard errors, beside what the means of queries and keys make of it, the
    control and the paper's formula. Without --head: maps of all heads, and six examples.

    \b
    Examples:
      tapa plot my.nc
      tapa plot my.nc --head 3.4 --head 10.0 --out two.pdf
    """
    if len(head) > 6:
        raise InputError(f"{len(head)} heads are more than a picture shows; give --head six times or fewer")
    from figures.fig_03_distance_bias import draw_own
    from figures.style import SUFFIXES, save_picture

    if out.suffix not in SUFFIXES:
        raise InputError(f"{out} is no name of a picture; give one that ends in {', '.join(SUFFIXES)}")
    save_picture(draw_own(_heads(record), head), out)
    typer.echo(f"picture: {shown(out)}")


def compare_records(
    first: Annotated[Path, typer.Argument(metavar="A", help="Record of `tapa measure`, .nc.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another of the same heads.")],
    out: Annotated[Path, typer.Option(help="Page to write.")] = Path("compare.html"),
    names: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="What they are called; the names of their files if not given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare two records head by head, on one page.

    Two checkpoints, base and fine-tuned, two context extensions or two lengths: differences with intervals, paired
    where both were measured in the same windows of text.

    \b
    Examples:
      tapa compare base.nc tuned.nc
      tapa compare plain.nc yarn.nc --names RoPE,YaRN --out yarn.html
    """
    called = tuple(part.strip() for part in names.split(",")) if names else (first.stem, second.stem)
    if len(called) != 2 or not all(called):
        raise InputError(f"--names {names} are not two names; give A,B")
    if called[0] == called[1]:
        called = (f"{called[0]} (A)", f"{called[1]} (B)")
    from figures.report.page import ensure_page, write_page

    ensure_page(out)
    records = [_heads(path) for path in (first, second)]
    from analysis.studies.heads_compared import compare_heads, comparison_numbers
    from figures.report.comparison import comparison_page, comparison_sentences

    write_page(comparison_page(records[0], records[1], called), out)
    found = compare_heads(*records)
    if as_json:
        typer.echo(json.dumps({"page": str(out), **comparison_numbers(found)}))
        return
    windows = records[0].sizes["window"], records[1].sizes["window"]
    typer.echo("\n".join([*comparison_sentences(found, called, windows=windows), f"page: {shown(out)}"]))


def export_record(
    record: HeadRecord,
    to: Annotated[
        ExportForm,
        typer.Option(
            "--to", help="A row for each head; a table by layers; queries' means for KV-cache pruning."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; the terminal if not given, queries.pt for triattention."),
    ] = None,
) -> None:
    """Export a record of heads: CSV, LaTeX, TriAttention.

    \b
    Examples:
      tapa export my.nc --to csv --out heads.csv
      tapa export my.nc --to latex
      tapa export my.nc --to triattention --out my-queries.pt
    """
    from analysis.cli import exported

    data = _heads(record)
    if to is ExportForm.TRIATTENTION:
        path = out or Path("queries.pt")
        exported.write_query_statistics(data, path)
        typer.echo(f"queries' statistics: {shown(path)}")
        return
    text = exported.heads_csv(data) if to is ExportForm.CSV else exported.layers_latex(data)
    if out is None:
        typer.echo(text, nl=False)
        return
    exported.write_text(text, out)
    typer.echo(f"{to.value}: {shown(out)}")
