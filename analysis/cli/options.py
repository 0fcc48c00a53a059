"""Commands of `tapa` around the small models: train, read, run experiments, look at phases and biases."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for a machine to read.")]


# The command `tapa`: thin glue from arguments to the library, with progress on anything that takes time.


app = typer.Typer(
    name="tapa",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Distance bias in RoPE and TAPA: predicted, measured on real checkpoints, and drawn from records.",
)
