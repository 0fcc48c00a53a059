"""Fine-tuning of a model of transformers, resumable: the same tokens, rates and seeds whatever its positional encoding.

The learning rate rises and then stays, so that a curve of loss by tokens does not depend on where training will end: a
run of few tokens is the beginning of a run of many. Nothing of a run lives outside its checkpoints; batches come by
step number. Optimiser, guard and state are those of `tapa train`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

from analysis.errors import InputError
from analysis.models import checkpoint
from analysis.models.checkpoint import MODEL, STATE, damaged, file_metadata, read_tensors
from analysis.models.config import check_conversion
from analysis.models.convert import converted, write_folder, yarn_factor
from analysis.models.devices import say_if_emulated
from analysis.models.families import TAPA
from analysis.models.load import PretrainedModel, open_model
from analysis.progress import NotedProgress, silent
from analysis.settings import differences
from analysis.text.corpus import Corpus, corpus
from analysis.text.windows import Batches, Document, begun_with
from analysis.training.recipe import FinetuneSettings
from analysis.training.train import (
    BETAS,
    EPS,
    Log,
    adam_moments,
    one_run_in,
    record_step,
    restore,
    update,
)

FORMAT = "tapa-finetune/1"
FOLDER = "model"  # of the finished model, in the folder of a run


def tokenized_documents(model: PretrainedModel, documents: Sequence[Document]) -> list[Document]:
    """Documents of a corpus of bytes as a model's tokens, in their order."""
    return [
        Document(d.name, model.encode(d.tokens.tobytes().decode("utf-8", "replace")).int().numpy())
        for d in documents
    ]


def narrow(precision: str) -> torch.autocast:
    """Matrix products in bfloat16 on the CPU for the length of a `with`, if that is the precision."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")


@dataclass(slots=True)
class Finetuning:
    """A model in training, after `step` steps.

    Attributes:
        model: of transformers, float32 weights.
        settings: of the run.
        out: folder of its checkpoints.
        batches: of the text.
        first_token: put first in every window; None for nothing.
        start: what must be the same when it goes on: sha256 of the model it began from and of the text.
        optimiser: of all its parameters.
    """

    model: Any
    settings: FinetuneSettings
    out: Path
    batches: Batches
    first_token: int | None
    start: Mapping[str, str]
    optimiser: torch.optim.AdamW
    step: int = 0
    log: Log = field(default_factory=Log)

    @classmethod
    def begun(
        cls,
        model: Any,
        documents: Sequence[Document],
        settings: FinetuneSettings,
        out: Path,
        *,
        start: Mapping[str, str],
        first_token: int | None = None,
    ) -> Finetuning:
        """At its first step, or where the newest checkpoint in `out` stopped.

        Args:
            model: converted already; it is changed.
            documents: to learn from, as its tokens.
            settings, out, start, first_token: see the attributes.

        Raises:
            InputError: no document is longer than a window, or `out` holds another run or a damaged checkpoint.
        """
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        # a parameter's name goes with its moments: no group but one
        optimiser = torch.optim.AdamW(
            model.parameters(), lr=settings.lr, betas=BETAS, eps=EPS, weight_decay=0.0, fused=True
        )
        optimiser.param_groups[0]["scale"] = 1.0
        batches = Batches(documents, settings.length + 1, settings.batch, seed=settings.seed)
        run = cls(model, settings, out, batches, first_token, dict(start), optimiser)
        if (newest := checkpoint.latest(out)) is not None:
            run._resume(newest)
        return run

    def _resume(self, folder: Path) -> None:
        about = file_metadata(folder / MODEL)
        if about.get("format") != FORMAT:
            raise InputError(f"{self.out} holds no run of `tapa finetune`; give another --out")
        own = {"settings": asdict(self.settings), "start": dict(self.start)}
        if found := differences(own, {name: about.get(name, {}) for name in own}):
            raise InputError(
                f"{self.out} holds another run ({'; '.join(found)}); delete it, or give another --out"
            )
        weights, kept = read_tensors(folder / MODEL), read_tensors(folder / STATE)
        try:
            with torch.no_grad():
                for name, parameter in self.model.named_parameters():
                    parameter.copy_(weights[name])
            self.step = int(about["step"])
            restore(self.model, self.optimiser, kept, self.step)
            self.log = Log.from_tensors(kept, self.step)
        except (KeyError, ValueError, RuntimeError) as error:
            raise damaged(folder, error) from error

    def loss(self, tokens: Int[Tensor, "rows length"]) -> Tensor:
        """Mean loss in nats of every token of these windows but the first."""
        tokens = begun_with(tokens, self.first_token)
        with narrow(self.settings.precision):
            logits = self.model(input_ids=tokens[:, :-1], use_cache=False).logits
        return F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())

    def advance(self) -> None:
        """One step; `Diverged` if its loss or its gradient is not finite."""
        begun, lr = time.perf_counter(), self.settings.rate(self.step)
        self.model.train()
        self.optimiser.zero_grad(set_to_none=True)
        loss = self.loss(self.batches.at(self.step))
        loss.backward()
        norm = update(self.model, self.optimiser, lr)
        record_step(self, loss.item(), norm, lr, begun=begun, otherwise="no step is kept yet")

    def save(self) -> None:
        """A checkpoint of this step, unless there is one; `InputError` if it cannot be written."""
        newest = checkpoint.latest(self.out)
        if self.step == 0 or (newest is not None and newest.name == f"step-{self.step:06d}"):
            return
        about = {"format": FORMAT, "step": self.step, "settings": asdict(self.settings), "start": self.start}
        state = adam_moments(self.model, self.optimiser) | self.log.to_tensors()
        files = {MODEL: (dict(self.model.named_parameters()), about), STATE: (state, {"format": FORMAT})}
        checkpoint.save_step(self.out, self.step, files)

    def train_to(
        self, step: int, *, save_every: int, progress: NotedProgress = silent, deadline: float | None = None
    ) -> bool:
        """Train until so many steps are done, saving on the way and at the end.

        Args:
            step: counted from the run's first.
            save_every: steps between two checkpoints.
            progress: called with (what, steps done, steps in all, note).
            deadline: seconds since the epoch after which it saves and stops; None for no limit.

        Returns:
            Whether it got there.
        """
        while self.step < step:
            if deadline is not None and time.time() > deadline:
                self.save()
                return False
            self.advance()
            if self.step % save_every == 0:
                self.save()
            recent = self.log.loss[-20:]
            progress(
                f"fine-tune {self.settings.to}", self.step, step, f"loss {sum(recent) / len(recent):.3f} nats"
            )
        self.save()
        return True


def start_of(model: PretrainedModel, data: Corpus) -> dict[str, str]:
    """What a run begins from, which must be the same when it goes on."""
    return {"model_sha256": model.sha256, "text_sha256": data.sha256}


def finetuned(
    model: PretrainedModel,
    data: Corpus,
    settings: FinetuneSettings,
    tokens: int,
    out: Path,
    *,
    save_every: int = 64,
    progress: NotedProgress = silent,
    **conversion: Any,
) -> tuple[Path, Log]:
    """Convert a model, train it on a corpus and write it as a Hugging Face folder, going on where it stopped.

    Args:
        model: of a rotary family, with its tokenizer.
        data: bytes; its train split is learned from.
        settings: of the run.
        tokens: to train on in all; more than before makes a finished run longer.
        out: folder of the run; the model is written to `out / "model"` when it is finished.
        save_every: steps between two checkpoints.
        progress: called with (what, done, total, note).
        conversion: alpha, amplitude_share, phase_rows, turns and rounding of `converted`; what is not given stays as
            a model that has TAPA already has it.

    Returns:
        The folder of the model, and the log.

    Raises:
        Diverged: a loss or a gradient is not finite; the last checkpoint stays.
        InputError: as `converted` and `Finetuning.begun`, tokens that are no whole steps, fewer tokens than the run
            has had, or `out` cannot be written.
    """
    steps = settings.steps(tokens)
    say_if_emulated("cpu", settings.precision)
    twin = converted(model.checkpoint.model, settings.to, factor=settings.factor, **conversion)
    with one_run_in(out):
        progress("tokens", 0, 0, "")
        documents = tokenized_documents(model, data.train)
        options = {name: value for name, value in twin.config.to_dict().items() if name.startswith(TAPA)}
        start = start_of(model, data) | {name: repr(value) for name, value in sorted(options.items())}
        run = Finetuning.begun(twin, documents, settings, out, start=start, first_token=model.first_token)
        if run.step > steps:
            raise InputError(
                f"{out} has had {run.step * settings.step_tokens} tokens already; give --tokens as many or more"
            )
        folder = out / FOLDER
        if run.step < steps and folder.exists():
            raise InputError(f"{folder} is of fewer tokens; remove it to train on")
        run.train_to(steps, save_every=save_every, progress=progress)
        if not folder.exists():
            write_folder(run.model.eval(), model.checkpoint.tokenizer, folder)
        return folder, run.log


def finetuned_named(
    name: str,
    source: str,
    settings: FinetuneSettings,
    tokens: int,
    out: Path,
    *,
    factor_given: bool = True,
    progress: NotedProgress,
    **conversion: Any,
) -> tuple[Path, Log]:
    """As `finetuned`, of a model by its name and a corpus by its source; errors also as `open_model` and `corpus`.

    Unless `factor_given`, a model that has YaRN by a conversion keeps its factor.
    """
    check_conversion(settings.to, conversion)
    checkpoint.check_run_folder(out)  # before the model is opened
    found = open_model(name, progress=lambda what, done, total: progress(what, done, total, ""))
    if not isinstance(found, PretrainedModel):
        raise InputError(f"{name} is a model of `tapa train`; go on with `tapa train finetune from={name}`")
    if settings.to == "yarn" and not factor_given:
        settings = replace(settings, factor=yarn_factor(found.checkpoint.model))
    return finetuned(found, corpus(source), settings, tokens, out, progress=progress, **conversion)
