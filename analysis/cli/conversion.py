"""The command of `tapa` that puts another positional encoding into a trained model: convert."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from analysis.cli.options import Json, shown


class ConversionTarget(StrEnum):
    """A positional encoding that a model can be converted to."""

    TAPA = "tapa"
    NOPE = "nope"
    ROPE = "rope"


def convert(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="smollm2, a Hugging Face folder, a .gguf, or a model of `tapa train`."
        ),
    ],
    to: Annotated[
        ConversionTarget,
        typer.Option("--to", help="TAPA, no rotation (DroPE), or the model's own rotation again."),
    ],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    alpha: Annotated[float, typer.Option(help="TAPA's exponent of the distance, >= 0.")] = 0.1,
    amplitude_share: Annotated[
        float, typer.Option(help="TAPA's share of a head's dimensions in the amplitude, in (0, 1).")
    ] = 0.5,
    phase_rows: Annotated[
        float, typer.Option(help="Factor of the rows of q and of k that make TAPA's phase, a power of two.")
    ] = 0.125,
    as_json: Json = False,
) -> None:
    """Exchange a model's rotation for TAPA or nothing.

    With TAPA, the dimensions that rotate slowest become the amplitude, and the others, made small, the phase. Without
    further training the model predicts worse than before. `--to rope` undoes it exactly. A model of `tapa train`
    becomes a folder that transformers opens.

    \b
    Examples:
      tapa convert smollm2 --to tapa --out smollm2-tapa
      tapa convert smollm2-tapa --to rope --out smollm2-again
      tapa convert runs/cpu-tapa-0 --to tapa --out mine
    """
    from analysis.assets import check_model_name

    check_model_name(model)  # a mistyped name is refused before torch is imported
    from analysis.models.convert import write_converted
    from analysis.progress import progress_bar

    with progress_bar() as show:
        found = write_converted(
            model,
            to.value,
            out,
            alpha=alpha,
            amplitude_share=amplitude_share,
            phase_rows=phase_rows,
            progress=show,
        )
    if as_json:
        typer.echo(json.dumps({"folder": str(out), "model_type": found.config.model_type}))
    else:
        typer.echo(f"{found.config.model_type}: {shown(out)}")
