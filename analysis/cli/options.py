"""The application `tapa`, and what its commands share: options, default folders, how files and errors are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from analysis.errors import InputError
from analysis.settings import check_processes
from analysis.tables import Format

ROOT = Path(__file__).resolve().parents[2]
"""The clone, or the folder into which the wheel was installed."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for a machine to read.")]


def readable_texts(paths: list[Path]) -> list[Path]:
    """The files of texts, pinned ones by their names; `InputError` for one that cannot be read."""
    if not paths:
        return paths
    from analysis.assets import named_texts
    from analysis.inputs import check_readable

    found = named_texts(paths)
    for path in found:
        check_readable(path, "text", "give an existing file")
    return found


Texts = Annotated[
    list[Path],
    typer.Option(
        metavar="<path>",
        help="UTF-8 text, or a pinned one as texts/hamlet; repeat for several.",
        callback=readable_texts,
    ),
]


def _processes(count: int | None) -> int | None:
    check_processes(count)
    return count


Processes = Annotated[
    int | None, typer.Option(help="Processes; one per core if not given.", callback=_processes)
]
TableFormat = Annotated[Format, typer.Option("--format", help="Of a table.")]
Methods = Annotated[
    list[str],
    typer.Option(
        "--method", help="Class of your own that a checkpoint may use, mypackage.module:Class; imported."
    ),
]


def if_typed(default: object, what: str) -> Any:
    """An option that is None unless it was typed, so that one which means nothing is refused even at its default.

    Args:
        default: that then holds, for the help.
        what: the help.
    """
    return typer.Option(help=what, show_default=str(default))


# What the measurement of a model takes: a command that always measures has the default, one that may not has None.
WINDOWS = "Token windows; standard errors are over them."
SEED = "Of the windows' places and of the shuffled control."
DEVICE = "Of another's model: cpu, cuda or mps."
PRECISION = "Of another's model: float32, bfloat16 or float16; statistics are in float32."
WindowLength = Annotated[
    int | None, typer.Option(help="Tokens in a window; 2048, or what a model of ours was trained at.")
]
Device = Annotated[str, typer.Option(help=DEVICE)]
Precision = Annotated[str, typer.Option(help=PRECISION)]
Revision = Annotated[
    str | None, typer.Option(help="Branch, tag or commit of a model of the Hugging Face hub.")
]
Record = Annotated[Path, typer.Option(help="Record to write, netCDF.")]

app = typer.Typer(
    name="tapa",
    rich_markup_mode=None,  # plain text: rich's panels cost 0.1 s, and call a flag `--json <bool>`
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(asked: bool | None) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"tapa-toolkit {version('tapa-toolkit')}")
        raise typer.Exit


@app.callback()
def tapa(
    version: Annotated[
        bool | None,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = None,
) -> None:
    """Distance bias in RoPE and TAPA: predicted, measured on checkpoints, drawn from records.

    Example: `tapa curve --base 500000 --to 1048576`; every command has its own --help.
    """


def import_methods(names: Sequence[str]) -> None:
    """Import the user's own classes, by the names that the user gave: a checkpoint may use no others."""
    from analysis.models.config import check_import_path

    for name in names:  # before torch is imported
        check_import_path(name)
    if names:
        from analysis.models.users import imported  # needs torch

        for name in names:
            imported(name)


def check_none(options: Mapping[str, object], whose: str) -> None:
    """`InputError` for options of the command's other argument."""
    given = {
        name for name, value in options.items() if value is not None and value is not False and value != []
    }
    if given:
        raise InputError(f"{', '.join(f'--{name}' for name in sorted(given))}: {whose}; leave that out")


def committed(*parts: str) -> Path:
    """A file or folder of `figures/` that comes with the project, in a clone as in the wheel."""
    return ROOT.joinpath("figures", *parts)


def own(*parts: str) -> Path:
    """Where a command keeps the project's records by default, whatever the current directory."""
    from analysis.records import data_folder

    return data_folder().joinpath(*parts)


def shown(path: Path) -> str:
    """A path for a reader: `./name` for what lies in the current directory, else from the root."""
    from analysis.records import printable

    whole = path.absolute()
    here = Path.cwd()
    return printable(f"./{whole.relative_to(here)}" if whole.is_relative_to(here) else str(whole))


def complain(lines: Sequence[str]) -> None:
    """Each on a line of stderr of its own, after the command's name."""
    for line in lines:
        typer.echo(f"tapa: {line}", err=True)
