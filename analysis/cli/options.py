"""The application object of `tapa`, and the options that its commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for a machine to read.")]


app = typer.Typer(
    name="tapa",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Distance bias in RoPE and TAPA: predicted, measured on real checkpoints, and drawn from records.",
)
