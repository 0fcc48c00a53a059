"""The command `tapa`: thin glue from arguments to the library, with progress on anything that takes time."""

from __future__ import annotations

import atexit
import errno
import json
import os
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.cli import checkpoints, conversion, heads, training
from analysis.cli.options import ROOT, Json, TableFormat, app, committed, complain, own, shown
from analysis.cli.usage import as_typed, usage_text
from analysis.errors import InputError
from analysis.processes import Terminated, end_in_silence, heed_no_more, orderly_end
from analysis.settings import MOST_PROCESSES, check_least, nearest
from analysis.tables import Format, Table

if TYPE_CHECKING:
    from proofs.cache import Cache
    from proofs.verify import Result

BROKEN_PIPE = 1  # what typer makes of a reader that has enough
INTERRUPTED = 130  # what typer makes of Ctrl-C, and shells of a process that SIGINT ended
WHOLE = "nothing is half-written"
OUTPUT_REFUSED = (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT, errno.EPIPE, errno.EBADF)
"""What a terminal, a pipe or the file that stdout goes to says of what is printed."""
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[
    1
]  # of click, which typer may bring itself: its name is not public


class Asset(StrEnum):
    """What can be fetched."""

    SMOLLM2 = "smollm2"
    GEMMA3 = "gemma3-270m"
    TEXTS = "texts"


def fetch(what: Annotated[list[Asset], typer.Argument(help="What to fetch.")], as_json: Json = False) -> None:
    """Fetch real models or the texts into the cache.

    All are checked against pinned sha256, and found offline afterwards. Gemma 3 270M (253 MB, and 1.1 GB more
    once it is converted) comes under the Gemma Terms of Use, ai.google.dev/gemma/terms.

    \b
    Example:
      tapa fetch smollm2 texts
    """
    from analysis import assets
    from analysis.models import load
    from analysis.progress import progress_bar

    found: dict[str, str] = {}
    for asset in what:
        with progress_bar() as show:
            if asset in assets.MODELS:
                found[asset] = str(load.fetch_model(assets.MODELS[asset], progress=show))
            else:
                found[asset] = str(assets.fetch_texts(progress=show)[0].parent)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        for asset, place in found.items():
            typer.echo(f"{asset}: {place}")


PaperName = Annotated[
    str | None, typer.Option("--paper", help="Claims of a neighbouring paper instead; of every one: all.")
]


Explained = Annotated[
    str | None,
    typer.Option(
        metavar="LABEL", help="Everything about one claim, such as thm-2.2, in words, as last computed."
    ),
]


def _none_or_more(count: int | None) -> int | None:
    if count is not None:
        check_least("workers", count, 0, MOST_PROCESSES)
    return count


VerifyProcesses = Annotated[
    int | None,
    typer.Option(help="Processes, 0 for this one alone; one per core if not given.", callback=_none_or_more),
]


def verify(
    labels: Annotated[
        list[str], typer.Argument(help="Claims to check; the whole ledger if none is named.")
    ] = [],
    explain: Explained = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="With --explain: compute the claim again.")] = False,
    workers: VerifyProcesses = None,
    write_status: Annotated[
        bool, typer.Option("--write", help="Write proofs/STATUS.md instead of comparing.")
    ] = False,
    paper: PaperName = None,
    form: TableFormat = Format.TEXT,
    as_json: Json = False,
) -> None:
    """Check the paper's statements: as stated, as repaired.

    They are those of v1. Exit code 1 if STATUS.md says otherwise. Claims are computed anew. Only --explain shows
    what an earlier run computed, if nothing it rests on has changed.

    \b
    Examples:
      tapa verify
      tapa verify thm-2.2 lem-C.1
      tapa verify --explain thm-3.3
      tapa verify --paper du-2026
    """
    if write_status and not (ROOT / "pyproject.toml").is_file():
        raise InputError("--write changes proofs/STATUS.md of a clone; this is an installed package")
    if write_status and (labels or explain):
        raise InputError("--write needs the whole ledger; give it without labels")
    _check_explained(labels, explain, form, fresh=fresh)
    if paper is not None:
        return _neighbours(paper, labels, explain, write_status, workers, form, as_json)
    from analysis.assets import cache_folder
    from proofs import status
    from proofs.cache import Cache

    cache = Cache(cache_folder() / "claims")
    kept = cache.find(explain) if explain and not fresh else None
    if kept:
        typer.echo(json.dumps(kept) if as_json else status.explain_entry(kept))
        _judge(status.compare_entries([kept], status.PATH, whole=False))
        return
    results = _computed([explain] if explain else labels, workers, cache, here=bool(explain))
    if explain:
        typer.echo(json.dumps(status.entry(results[0])) if as_json else status.explain(results[0]))
    elif as_json:
        typer.echo(json.dumps(status.claim_rows(results)))
    else:
        typer.echo(_claims(status.claim_rows(results)).show(form))
    if write_status:
        from analysis.files import write_whole

        write_whole(status.PATH, status.status_markdown(results))
        return
    _judge(status.compare(results, status.PATH, whole=not (labels or explain)))


def _check_explained(labels: list[str], explain: str | None, form: Format, *, fresh: bool) -> None:
    """`InputError` for what one claim in full, or a table of many, would leave aside."""
    if fresh and not explain:
        raise InputError("--fresh is for --explain LABEL; without it every claim is computed anew")
    if explain is None:
        return
    if labels:
        raise InputError(f"{labels[0]}: --explain {explain} is about one claim; leave that out")
    if form is not Format.TEXT:
        raise InputError(f"--format {form.value} is of a table, and --explain prints none; leave it out")


def _neighbours(
    paper: str,
    labels: list[str],
    explain: str | None,
    write: bool,
    workers: int | None,
    form: Format,
    as_json: bool,
) -> None:
    """Claims of neighbouring papers; with `write` their page. Exit code 1 where the page says otherwise."""
    from analysis.files import write_whole
    from proofs import status
    from proofs.rivals import labels_of, load_neighbours
    from proofs.rivals.page import RIVALS_PATH, rivals_markdown
    from proofs.verify import verify as check

    named = labels_of(paper)
    if write and paper != "all":
        raise InputError("--write needs every neighbouring paper; give --paper all")
    asked = [explain] if explain else labels or named
    if strange := [label for label in asked if label not in named]:
        raise InputError(f"{strange[0]} is no claim of {paper}; its claims: {', '.join(named)}")
    results = check(asked, 0 if workers is None else workers, loader=load_neighbours)
    if explain:
        typer.echo(json.dumps(status.entry(results[0])) if as_json else status.explain(results[0]))
    elif as_json:
        rows = status.claim_rows(results)
        known = [{"known": str(result.claim.known)} for result in results]
        typer.echo(json.dumps([row | more for row, more in zip(rows, known, strict=True)]))
    else:
        typer.echo(_claims(status.claim_rows(results)).show(form))
    if write:
        write_whole(RIVALS_PATH, rivals_markdown(results))
    elif list(asked) == list(labels_of("all")) and rivals_markdown(results) != RIVALS_PATH.read_text("utf-8"):
        _judge([f"{RIVALS_PATH.name} says otherwise; `tapa verify --paper all --write` writes it"])


def _computed(labels: list[str], workers: int | None, cache: Cache, *, here: bool) -> list[Result]:
    """The claims of these labels, of all if there are none, computed and then kept for `--explain`.

    With `here`, in this process by default: of one claim the checks take less time than starting others.
    """
    from analysis.progress import progress_bar
    from proofs import status
    from proofs.verify import verify as check

    with progress_bar() as show:
        number = 0 if here and workers is None else workers
        results = check(
            labels or None, number, progress=lambda done, total, label: show("claims", done, total)
        )
    try:
        cache.keep([status.entry(result) for result in results])
    except InputError as error:
        complain([f"not kept for --explain: {error}; TAPA_CACHE may name one that can be written"])
    return results


def _judge(differences: list[str]) -> None:
    """A line for each verdict that STATUS.md has otherwise, and then exit code 1."""
    complain(differences)
    if differences:
        sys.exit(1)


def _claims(rows: list[dict[str, object]]) -> Table:
    def cell(value: object) -> str:
        if value is None:
            return NO_REPAIR
        return f"{value:.2f}" if isinstance(value, float) else str(value)

    from proofs.status import NO_REPAIR

    keys = ("label", "where", "stated", "repaired", "evidence", "seconds")
    columns = ["label", "where", "as stated", "as repaired", "evidence", "seconds"]
    return Table(columns, [[cell(row[key]) for key in keys] for row in rows])


def figures(
    names: Annotated[
        list[str], typer.Argument(help="Figures to draw, by name or number; all if none is named.")
    ] = [],
    force: Annotated[bool, typer.Option("--force", help="Run every step again.")] = False,
) -> None:
    """Draw figures, and make the records that they need.

    A second run with nothing changed runs no step.

    \b
    Examples:
      tapa figures
      tapa figures distance_bias assumption_2_1
      tapa figures 3
    """
    # fig_01_bias_by_base is figure 1, bias_by_base; the catalogue itself imports xarray
    files = sorted(path.stem for path in committed().glob("fig_*.py"))
    called = {stem: stem.split("_", 2)[2] for stem in files}
    called |= {str(int(stem.split("_")[1])): name for stem, name in called.items()}
    known = list(dict.fromkeys(called.values()))  # in the order of their numbers
    chosen = [called.get(name.removesuffix(".py"), name) for name in names]
    for name in chosen:
        if name not in known:
            raise InputError(f"figure {name!r} is unknown; {nearest(name, known)}")
    from figures.build import build

    sys.exit(build(chosen, force=force))


def bench(
    names: Annotated[list[str], typer.Argument(help="Benchmarks to run; all if none is named.")] = [],
    out: Annotated[
        Path | None, typer.Option(help="Record to write, JSON; records/bench.json of the project's own.")
    ] = None,
    model: Annotated[bool, typer.Option(help="Also time the real model, about two minutes.")] = True,
    as_json: Json = False,
) -> None:
    """Measure speed and memory against the naive way.

    Both take turns in one run.

    \b
    Examples:
      tapa bench
      tapa bench mean_score_speed start_up --out speed.json
    """
    from analysis import bench as bench_

    rows_of = bench_.chosen_benchmarks(names, with_model=model)
    from analysis.progress import progress_bar
    from analysis.records import Schema, ensure_writable

    out = out or own("records", "bench.json")
    ensure_writable(out, Schema(*bench_.SCHEMA))
    begun = time.perf_counter()
    with progress_bar() as show:
        rows = bench_.run_benchmarks(rows_of, progress=show)
    bench_.write_benchmarks(rows, out, sys.argv, time.perf_counter() - begun)
    typer.echo(json.dumps(rows) if as_json else f"{bench_.benchmark_text(rows)}\nrecord: {shown(out)}")


def findings(
    label: Annotated[
        str | None, typer.Argument(help="Of one finding, as prose cites it; all if left out.")
    ] = None,
    write_page: Annotated[bool, typer.Option("--write", help="Write figures/FINDINGS.md.")] = False,
    as_json: Json = False,
) -> None:
    """Print measured sentences by their labels.

    Each names the record that its numbers come from, and the figure that shows it.

    \b
    Examples:
      tapa findings bias-share
      tapa findings --json
    """
    if write_page and not (ROOT / "pyproject.toml").is_file():
        raise InputError("--write changes figures/FINDINGS.md of a clone; this is an installed package")
    if write_page and label is not None:
        raise InputError("--write needs all findings; give it without a label")
    from figures import findings as found

    if write_page:
        from analysis.files import write_whole

        write_whole(found.PAGE, found.findings_page())
        return
    chosen = list(found.findings().values()) if label is None else [found.finding(label)]
    if as_json:
        typer.echo(json.dumps([one.as_json() for one in chosen]))
    else:
        typer.echo("\n\n".join(one.as_text() for one in chosen))


for command in (
    heads.curve, checkpoints.doctor, heads.measure, checkpoints.report, checkpoints.plot, checkpoints.compare_records,
    checkpoints.export_record, heads.formula, training.evaluate, heads.phase, heads.phase_dynamics, heads.phase_seeds,
    heads.position, heads.bias, heads.score_variance, training.train, training.gate, training.sweep, training.results,
    conversion.convert, conversion.finetune, conversion.recovery, verify,
    findings, checkpoints.site, figures, bench, fetch,
):  # fmt: skip
    app.command(command.__name__.removesuffix("_records").removesuffix("_record").replace("_", "-"))(command)


def main() -> None:
    """Entry point: bad input is one line on stderr and exit code 2; Ctrl-C is one line and 130, SIGTERM one and 143."""
    atexit.register(heed_no_more)
    try:
        with orderly_end():
            _check_named(sys.argv[1:])
            code = app(sys.argv[1:] or ["--help"], standalone_mode=False, prog_name="tapa")
            if sys.stdout is not None:  # None: it was closed before the start
                sys.stdout.flush()  # here, where what its device refuses can be said
    except KeyboardInterrupt:  # in the instant before typer is there, or after
        code = INTERRUPTED
    except Terminated as end:
        end_in_silence()
        complain([f"asked to end; {WHOLE}"])
        sys.exit(end.code)
    except InputError as error:
        complain([as_typed(str(error), sys.argv[1:])])
        sys.exit(2)
    except USAGE_ERROR as error:
        complain([usage_text(error, sys.argv[1:], _help_of(sys.argv[1:2]))])
        sys.exit(2)
    except OSError as error:  # of a file or folder that the user named, or a disk that is full
        if error.filename is None:
            if error.errno not in OUTPUT_REFUSED:
                raise
            _let_go_of_output()
            if error.errno == errno.EPIPE:  # whoever reads has enough, as `head` does
                sys.exit(BROKEN_PIPE)
            complain(
                [f"the output cannot be written: {error.strerror}; send it to a file or device with room"]
            )
            sys.exit(2)
        complain(
            [str(InputError(f"{_name(error.filename)}: {error.strerror}; give a path that can be used"))]
        )
        sys.exit(2)
    if code == INTERRUPTED:
        end_in_silence()
        complain([f"interrupted; {WHOLE}"])
    sys.exit(code or 0)


def _check_named(words: list[str]) -> None:
    """`InputError` for an empty value: as a path it would be the current folder, as a name everything."""
    for before, word in zip(["", *words], words, strict=False):
        if not word or (word.startswith("--") and word.endswith("=")):
            option = f"{word}''" if word else f"{before} ''" if before.startswith("-") else "''"
            raise InputError(f"{option} is an empty value; give one, or leave it out")


def _let_go_of_output() -> None:
    """What stdout still holds goes nowhere: else Python would try again at its end, and say so in its own words."""
    try:
        descriptor = sys.stdout.fileno()
    except OSError:  # no file, as in a notebook
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _name(path: object) -> str:
    """A path as an OSError has it."""
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else str(path)


def _help_of(names: list[str]) -> str:
    """The description of a command with its examples; nothing if there is no command of that name."""
    described = {
        command.name: command.callback.__doc__ for command in app.registered_commands if command.callback
    }
    return "".join(described.get(name) or "" for name in names)
