"""Commands of `tapa` that put another positional encoding into a trained model: convert, finetune, recovery."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analysis.cli.options import Json, own, shown
from analysis.errors import InputError

if TYPE_CHECKING:
    from analysis.studies.settings import RecoverySettings


class ConversionTarget(StrEnum):
    """A positional encoding that a model can be converted to."""

    TAPA = "tapa"
    NOPE = "nope"
    ROPE = "rope"
    YARN = "yarn"


class PhaseScale(StrEnum):
    """What the phase at distance 1 is multiplied by before its cosine: 2 pi as in the paper, or 1."""

    TURNS = "turns"
    RADIANS = "radians"


class Rounding(StrEnum):
    """How the amplitude's share of a head becomes whole dimensions."""

    NEAREST = "nearest"
    DOWN = "down"


Alpha = Annotated[
    float | None,
    typer.Option(help="TAPA's exponent of the distance, >= 0; if not given the model's, else 0.1."),
]
Share = Annotated[
    float | None,
    typer.Option(
        help="TAPA's share of a head's dimensions in the amplitude, in (0, 1); if not given the model's, else 0.5."
    ),
]
Rows = Annotated[
    float | None,
    typer.Option(
        help="Factor of the rows of q and of k that make TAPA's phase, a power of two; if not given the model's, "
        "else 1/8."
    ),
]
Scale = Annotated[
    PhaseScale | None,
    typer.Option(
        help="Of TAPA's phase: the paper's turns, or radians as in the released kernel; if not given the model's, "
        "else turns."
    ),
]
Rounded = Annotated[Rounding, typer.Option(help="Of the share's dimensions; down as in the released kernel.")]
Factor = Annotated[float | None, typer.Option(help="Of YaRN, >= 1; if not given the model's, else 4.")]


def _in_turns(scale: PhaseScale | None) -> bool | None:
    return None if scale is None else scale is PhaseScale.TURNS


def _check_options(
    to: ConversionTarget, options: Mapping[str, float | None], scale: PhaseScale | None, rounding: Rounding
) -> None:
    """`InputError`, before torch is imported, for options that mean nothing to the target or are out of range."""
    from analysis.models.config import check_conversion

    check_conversion(to.value, options)
    words = {"phase-scale": scale, "rounding": None if rounding is Rounding.NEAREST else rounding}
    for name, word in words.items():
        if word is not None and to is not ConversionTarget.TAPA:
            raise InputError(f"--{name} {word.value} means nothing to --to {to.value}; leave it out")


def convert(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="smollm2, a Hugging Face folder, a .gguf, or a model of `tapa train`."
        ),
    ],
    to: Annotated[
        ConversionTarget,
        typer.Option("--to", help="TAPA, no rotation (DroPE), YaRN, or the model's own rotation again."),
    ],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    alpha: Alpha = None,
    amplitude_share: Share = None,
    phase_rows: Rows = None,
    factor: Factor = None,
    phase_scale: Scale = None,
    rounding: Rounded = Rounding.NEAREST,
    as_json: Json = False,
) -> None:
    """Exchange a model's rotation for TAPA, YaRN or nothing.

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

    check_model_name(model)  # a mistyped name or number is refused before torch is imported
    of_tapa = {"alpha": alpha, "amplitude_share": amplitude_share, "phase_rows": phase_rows}
    _check_options(to, of_tapa | {"factor": factor}, phase_scale, rounding)
    from analysis.models.convert import write_converted
    from analysis.progress import progress_bar

    with progress_bar() as show:
        found = write_converted(
            model,
            to.value,
            out,
            **of_tapa,
            factor=factor,
            turns=_in_turns(phase_scale),
            rounding=rounding.value,
            progress=show,
        )
    if as_json:
        typer.echo(json.dumps({"folder": str(out), "model_type": found.config.model_type}))
    else:
        typer.echo(f"{found.config.model_type}: {shown(out)}")


def finetune(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="smollm2, a Hugging Face folder, or a .gguf file.")
    ],
    to: Annotated[
        ConversionTarget,
        typer.Option("--to", help="Encoding to train with: TAPA, no rotation, YaRN, or the model's own."),
    ],
    tokens: Annotated[int, typer.Option(help="To train on in all, whole steps.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; the model comes to lie in its `model`.")],
    corpus: Annotated[
        str, typer.Option(help="texts, code, or a folder of .txt, .md and .py files.")
    ] = "texts",
    length: Annotated[int, typer.Option(help="Tokens of a window.")] = 256,
    batch: Annotated[int, typer.Option(help="Windows in a step.")] = 2,
    lr: Annotated[float, typer.Option(help="Learning rate after the first 16 steps.")] = 1e-4,
    seed: Annotated[int, typer.Option(help="Of the windows' places.")] = 0,
    precision: Annotated[str, typer.Option(help="Of matrix products: float32 or bfloat16.")] = "bfloat16",
    alpha: Alpha = None,
    amplitude_share: Share = None,
    phase_rows: Rows = None,
    factor: Factor = None,
    phase_scale: Scale = None,
    rounding: Rounded = Rounding.NEAREST,
    as_json: Json = False,
) -> None:
    """Convert a model and train it with its new encoding.

    A model that was converted before keeps the options that are not given.

    Interrupted and started again, it goes on, and ends with the same weights. More tokens make a run longer, once its
    model is removed. Compare encodings at equal tokens with `tapa recovery`.

    \b
    Examples:
      tapa finetune smollm2 --to tapa --tokens 262144 --out runs/a
      tapa finetune smollm2 --to rope --tokens 8192 --corpus books --out runs/b
    """
    from analysis.assets import check_model_name
    from analysis.training.recipe import FinetuneSettings

    check_model_name(model)
    of_tapa = {"alpha": alpha, "amplitude_share": amplitude_share, "phase_rows": phase_rows}
    _check_options(to, of_tapa | {"factor": factor}, phase_scale, rounding)
    settings = FinetuneSettings(to.value, length=length, batch=batch, lr=lr, seed=seed, precision=precision)
    settings = settings if factor is None else replace(settings, factor=factor)
    settings.steps(tokens)
    from analysis.progress import progress_bar
    from analysis.training.finetune import finetuned_named

    with progress_bar() as show:
        folder, log = finetuned_named(
            model, corpus, settings, tokens, out, factor_given=factor is not None, progress=show,
            turns=_in_turns(phase_scale), rounding=rounding.value, **of_tapa,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "steps": len(log.loss), "loss": log.loss}))
    else:
        last = log.loss[-20:]
        typer.echo(f"{tokens:,} tokens, training loss {sum(last) / len(last):.3f} nats: {shown(folder)}")


def recovery(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="smollm2, a Hugging Face folder, or a .gguf file.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Record to write, netCDF; the project's own if not given.")
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of the arms' checkpoints, 24 bytes a weight for each arm.")
    ] = None,
    tokens: Annotated[
        int, typer.Option(help="That each arm is trained on; 4096 times a power of 2.")
    ] = 262_144,
    lr: Annotated[float, typer.Option(help="Learning rate of every arm.")] = 1e-4,
    seed: Annotated[int, typer.Option(help="Of windows, spans and the bootstrap.")] = 0,
    precision: Annotated[str, typer.Option(help="Of matrix products: float32 or bfloat16.")] = "bfloat16",
    limit_minutes: Annotated[float | None, typer.Option(help="Stop then; the next call goes on.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many core-hours are left, by measured steps.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare how far training brings converted models back.

    The arms are TAPA, TAPA whose phase stays at 0, YaRN, no rotation, and the model's own RoPE trained on. All are
    trained on the same windows at the same rate, and measured in windows of 256 and 1,024 tokens whenever the tokens
    have doubled. Started again, it goes on where it was stopped.

    \b
    Examples:
      tapa recovery smollm2 --dry-run
      tapa recovery smollm2 --limit-minutes 60
    """
    from analysis.assets import check_model_name
    from analysis.experiments.plan import check_limit
    from analysis.studies.settings import RecoverySettings

    check_model_name(model)
    settings = RecoverySettings(tokens=tokens, lr=lr, seed=seed, precision=precision)
    check_limit(limit_minutes)
    out, runs = out or own("trained", "recovery.nc"), runs or own("records", "runs", "recovery")
    from analysis.experiments.sweep import deadline_after
    from analysis.records import ensure_writable
    from analysis.schemas import RECOVERY

    ensure_writable(out, RECOVERY)
    deadline = deadline_after(limit_minutes)
    _recover(model, settings, (out, runs), deadline, dry_run=dry_run, as_json=as_json)


def _recover(
    model: str,
    settings: RecoverySettings,
    places: tuple[Path, Path],
    deadline: float | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Say how long the plan takes, or go on with it and print the record."""
    from analysis.progress import progress_bar
    from analysis.studies import recovery as study

    if dry_run:
        with progress_bar() as show:
            hours = study.recovery_hours(model, settings, *places, progress=show)
        typer.echo(json.dumps({"core_hours": hours}) if as_json else f"{hours:.2f} core-hours are left")
        return
    with progress_bar() as show:
        data = study.measure_recovery(
            model, settings, *places, arguments=sys.argv, deadline=deadline, progress=show
        )
    if as_json:
        found = {"record": str(places[0]), "reached": study.reached(data), "rows": study.recovery_rows(data)}
        typer.echo(json.dumps(found))
    else:
        typer.echo(f"{study.recovery_table(data)}\nrecord: {shown(places[0])}")
