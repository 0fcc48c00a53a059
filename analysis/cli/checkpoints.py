"""Commands of `tapa` about one checkpoint or its record: doctor."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from analysis.cli.options import Json, complain


def doctor(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|CONFIG", help="smollm2, a Hugging Face folder, a config.json, or a .gguf."
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
    from analysis.assets import SMOLLM2, check_model_name
    from analysis.cli.doctor import diagnose, diagnosis_json, diagnosis_text
    from analysis.settings import check_least

    if length is not None:
        check_least("length", length, 1)
    check_model_name(model)
    path, name = Path(model), None
    if model == SMOLLM2.name:
        from analysis.models.load import SMOLLM2_NAME, fetch_smollm2
        from analysis.progress import progress_bar

        with progress_bar() as show:
            path, name = fetch_smollm2(progress=show), SMOLLM2_NAME
    found = diagnose(path, name=name, against=against, length=length)
    typer.echo(json.dumps(diagnosis_json(found)) if as_json else diagnosis_text(found, pairs=pairs))
    complain(found.wrong)
    if found.wrong:
        sys.exit(1)
