"""Training: from a recipe to checkpoints. Killed at any moment and started again, it ends with the same weights.

Nothing of a run lives outside its checkpoints: batches come by step number, and nothing else is random.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from analysis import locks
from analysis.errors import InputError
from analysis.models import checkpoint, one_loop
from analysis.models.attention import Attend, explicit
from analysis.models.checkpoint import (
    STATE,
    damaged,
    load_weights,
    read_checkpoint,
    read_tensors,
)
from analysis.models.devices import say_if_emulated
from analysis.models.fused import Fused
from analysis.models.llama import Llama
from analysis.progress import NotedProgress, remark, silent
from analysis.records import Provenance
from analysis.text.corpus import Corpus
from analysis.text.windows import Batches
from analysis.training.recipe import Recipe
from analysis.training.retrieval_data import TASKS, Mixture, RepeatedFacts
from analysis.workers import threads

# The optimiser of a run: AdamW in groups, its schedule, its guard, and its state as plain tensors.


BETAS, EPS = (0.9, 0.95), 1e-8
CLIP = 1.0  # largest norm of the whole gradient
FLOOR = 0.1  # of the learning rate, at the last step
_MOMENTS = ("exp_avg", "exp_avg_sq")


class Diverged(InputError):
    """A loss or a gradient is not finite any more.

    Attributes:
        step: optimiser steps that went well.
        what: the first parameter with such a gradient, or "loss".
    """

    def __init__(self, step: int, what: str, lr: float, kept: str) -> None:
        self.step, self.what = step, what
        where = what if what == "loss" else f"the gradient of {what}"
        super().__init__(f"step {step + 1}: {where} is not finite at lr={lr:.3g}; {kept}; give a smaller lr")


def scheduled_rate(recipe: Recipe, step: int) -> float:
    """Learning rate of step number `step`, counted from 0: linear up to lr, then a cosine down to a tenth."""
    if step < recipe.warmup:
        return recipe.lr * ((step + 1) / recipe.warmup)
    gone = (step - recipe.warmup) / max(1, recipe.steps - 1 - recipe.warmup)
    return recipe.lr * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * min(gone, 1.0))) / 2)


def optimiser_of(model: Llama, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW over all parameters: gains undecayed, and what makes TAPA's phase at its own learning rate.

    At phase_lr_scale=0 the phase's weights take no gradient: none counts in the norm that is clipped.
    """
    phase, scale = set(model.phase_parameters()), recipe.model.method.phase_lr_scale
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if name in phase and scale == 0:
            parameter.requires_grad_(False)
            continue
        decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((decay, scale if name in phase else 1.0), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": found, "weight_decay": decay, "scale": own} for (decay, own), found in groups.items()],
        lr=recipe.lr,
        betas=BETAS,
        eps=EPS,
        fused=True,
    )


def update(model: nn.Module, optimiser: torch.optim.AdamW, lr: float) -> float:
    """Clip the gradient, take one step if its norm is finite, and return the norm before clipping."""
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    whole = nn.utils.get_total_norm(gradients)
    norm = whole.item()
    if math.isfinite(norm):  # clipping by one that is not would spoil the gradients that are
        nn.utils.clip_grads_with_norm_(model.parameters(), CLIP, whole)
        for group in optimiser.param_groups:
            group["lr"] = lr * group["scale"]
        optimiser.step()
    return norm


def first_not_finite(model: nn.Module) -> str:
    """The first parameter whose gradient is not finite; "all parameters" if only their common norm is not."""
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            return name
    return "all parameters"


def adam_moments(model: nn.Module, optimiser: torch.optim.AdamW) -> dict[str, Tensor]:
    """AdamW's two moments of every parameter, as "moment/parameter"; none before the first step."""
    return {
        f"{moment}/{name}": optimiser.state[parameter][moment]
        for name, parameter in model.named_parameters()
        if parameter in optimiser.state
        for moment in _MOMENTS
    }


def restore(model: nn.Module, optimiser: torch.optim.AdamW, state: Mapping[str, Tensor], step: int) -> None:
    """Give an optimiser back what `adam_moments` took, after `step` steps.

    Raises:
        KeyError: a moment is missing.
        ValueError: it is of another shape than its parameter.
    """
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        found = {m: state[f"{m}/{name}"].to(parameter.device).clone() for m in _MOMENTS}
        if wrong := [m for m, moment in found.items() if moment.shape != parameter.shape]:
            raise ValueError(
                f"{wrong[0]}/{name} has shape {tuple(found[wrong[0]].shape)}, not its parameter's"
            )
        count = torch.tensor(float(step), dtype=torch.float32, device=parameter.device)
        optimiser.state[parameter] = {"step": count, **found}


# One process, or several under torchrun that share the work of each batch and hold the same weights.


@dataclass(frozen=True, slots=True)
class Group:
    """The processes of a run.

    Attributes:
        device: that this process computes on.
        rank, ranks: this process's number, and how many there are.
    """

    device: torch.device
    rank: int = 0
    ranks: int = 1

    @property
    def leads(self) -> bool:
        """Is it the one that writes files and shows progress?"""
        return self.rank == 0

    def average_gradients(self, model: nn.Module) -> None:
        """Replace every gradient by its mean over the processes, in one exchange.

        Each has the same number of windows, so this is the gradient of the whole batch. Done after the
        backward pass rather than by a wrapper around the model: the model is then compiled as it is anywhere.
        """
        if self.ranks == 1:
            return
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        flat /= self.ranks
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def mean(self, value: Tensor) -> float:
        """Mean over the processes of a number that each has."""
        if self.ranks > 1:
            value = value.detach().clone()
            dist.all_reduce(value)
            value /= self.ranks
        return value.item()

    def wait(self) -> None:
        """Until all processes are here."""
        if self.ranks > 1:
            dist.barrier()


@contextmanager
def group_on(device: str) -> Iterator[Group]:
    """This process and those that torchrun started beside it (gloo on CPUs, NCCL on GPUs).

    Raises:
        InputError: "cuda" was asked for and there is no such device.
    """
    rank, ranks = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if device == "cuda" and torch.cuda.device_count() <= local:
        found = torch.cuda.device_count()
        raise InputError(f"device=cuda needs {local + 1} GPU(s) here, PyTorch finds {found}; give device=cpu")
    place = torch.device("cuda", local) if device == "cuda" else torch.device("cpu")
    if ranks == 1:
        yield Group(place)
        return
    dist.init_process_group("nccl" if device == "cuda" else "gloo", rank=rank, world_size=ranks)
    try:
        yield Group(place, rank, ranks)
    finally:
        dist.destroy_process_group()


VALIDATION_SEED = 0  # the same windows for every run of one length and batch

AnyBatches = Batches | Mixture | RepeatedFacts


@dataclass(slots=True)
class Log:
    """What was seen on the way, kept in every checkpoint.

    Attributes:
        loss, norm, lr, seconds: of each step: nats per token (and `task_weight` times those of queried ones),
            gradient norm before clipping, learning rate and time.
        validation_step, validation_loss: after that many steps, nats per token.
    """

    loss: list[float] = field(default_factory=list)
    norm: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    validation_step: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)

    def to_tensors(self) -> dict[str, Tensor]:
        """As "log/name", float64."""
        return {
            f"log/{name}": torch.tensor(getattr(self, name), dtype=torch.float64) for name in self.__slots__
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], step: int) -> Log:
        """Inverse of `to_tensors`, of a run that has had so many steps.

        Raises:
            KeyError: a list is missing.
            ValueError: it is not one of numbers, or not as long as its step says.
        """
        found = {name: tensors[f"log/{name}"] for name in cls.__slots__}
        for name, tensor in found.items():
            of_validation = name.startswith("validation")
            if tensor.ndim != 1 or not (len(tensor) <= step if of_validation else len(tensor) == step):
                raise ValueError(f"log/{name} has shape {tuple(tensor.shape)} after {step} steps")
        log = cls(**{name: tensor.tolist() for name, tensor in found.items()})
        at = log.validation_step
        if (
            len(at) != len(log.validation_loss)
            or at != sorted(set(at))
            or not all(1 <= n <= step for n in at)
        ):
            raise ValueError(f"log/validation_step is not of the {step} steps")
        return log

    def tokens_per_second(self, tokens: int, last: int = 50) -> float:
        """Of the median of the last steps, each of `tokens` tokens; NaN before there is one."""
        recent = sorted(self.seconds[-last:])
        return tokens / recent[len(recent) // 2] if recent else math.nan


@dataclass(slots=True)
class TrainingState:
    """A run in memory.

    Attributes:
        recipe, out, corpus: what is trained, where checkpoints go, on what.
        group: the processes that share the work.
        model, optimiser: as they are after `step` steps.
        loss: `Llama.loss`, compiled if the recipe says so.
        log: so far.
    """

    recipe: Recipe
    out: Path
    corpus: Corpus
    group: Group
    model: Llama
    optimiser: torch.optim.AdamW
    loss: Callable[..., Tensor]
    step: int = 0
    log: Log = field(default_factory=Log)


def train(recipe: Recipe, out: Path, corpus: Corpus, *, progress: NotedProgress = silent) -> tuple[Path, Log]:
    """Train to the last step, from the newest checkpoint in `out` if there is one.

    Args:
        recipe: of the run.
        out: folder of this run alone.
        corpus: that the recipe names.
        progress: called with (what, steps done, steps in all, note) by the process that leads.

    Returns:
        The last checkpoint's folder and the log.

    Raises:
        Diverged: a loss or gradient is not finite; the last checkpoint before stays.
        InputError: a corpus smaller than a window or with another vocabulary, `out` holds another run or is in
            use, a checkpoint is damaged or cannot be written, or the recipe asks for a GPU and there is none.
    """
    recipe = as_it_can_run(recipe)
    with group_on(recipe.device) as group, threads(recipe.threads), _led(out, group):
        if group.leads:
            say_if_emulated(recipe.device, recipe.precision, "precision=float32")
        run = _begin(recipe, out, corpus, group)
        batches, held_out = _batches(run, corpus)
        while run.step < recipe.steps:
            _advance(run, batches)
            if run.step % recipe.validate_every == 0 or run.step == recipe.steps:
                run.log.validation_step.append(run.step)
                run.log.validation_loss.append(_validate(run, held_out))
            if run.step % recipe.save_every == 0 or run.step == recipe.steps:
                _save(run)
            if group.leads:
                progress("train", run.step, recipe.steps, progress_note(run))
        last = checkpoint.latest(out)
        assert last is not None  # the last step is always saved
        return last, run.log


FUSED_FROM = 1024
"""Tokens of a window from which on attention in one operator is faster in training, for all that its backward pass
computes again; findings loop-training-128 to -2048 have the times of both."""


def attention_for(recipe: Recipe) -> Attend:
    """`Fused` for long windows in float32 on the CPU, where it is compiled for this machine; else `explicit`."""
    long = recipe.device == "cpu" and recipe.precision == "float32" and recipe.length >= FUSED_FROM
    return Fused() if long and one_loop.available() is not None else explicit


def missing_compiler(device: str) -> str | None:
    """The compiler that torch.compile would call for this device and that is not here; None if there is one."""
    if device == "cuda":
        names = [os.environ["CC"]] if "CC" in os.environ else ["gcc", "clang", "cc"]
    else:
        names = [os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")]
    return None if any(map(shutil.which, names)) else names[0]


def as_it_can_run(recipe: Recipe) -> Recipe:
    """The recipe, not compiled where there is no compiler: one line on stderr says so, and so does the checkpoint."""
    if not recipe.compile or (name := missing_compiler(recipe.device)) is None:
        return recipe
    if os.environ.get("RANK", "0") == "0":
        remark(
            f"there is no compiler {name} here, so the steps are not compiled and take longer; "
            f"install one, set {'CC' if recipe.device == 'cuda' else 'CXX'}, or give compile=false"
        )
    return replace(recipe, compile=False)


def progress_note(run: TrainingState) -> str:
    """Loss and speed, for whoever watches."""
    tokens = run.log.tokens_per_second(run.recipe.batch * run.recipe.length)
    seen = f", validation {run.log.validation_loss[-1]:.3f}" if run.log.validation_loss else ""
    return f"loss {sum(run.log.loss[-20:]) / len(run.log.loss[-20:]):.3f}{seen} nats, {tokens:,.0f} tokens/s"


def _begin(recipe: Recipe, out: Path, corpus: Corpus, group: Group) -> TrainingState:
    """A new run, or the one in `out` where it stopped."""
    if corpus.vocab_size != recipe.model.vocab_size:
        raise InputError(
            f"the corpus has {corpus.vocab_size} kinds of tokens, model.vocab_size={recipe.model.vocab_size}"
        )
    if recipe.batch % group.ranks:
        raise InputError(f"batch={recipe.batch} cannot be shared by {group.ranks} processes; give a multiple")
    model = Llama(recipe.model, seed=recipe.seed)
    if recipe.parent is not None:
        checkpoint.load_weights(model, checkpoint.read_checkpoint(Path(recipe.parent)))
    model.to(group.device)
    model.attend = attention_for(recipe)
    loss = torch.compile(model.loss, dynamic=False) if recipe.compile else model.loss
    run = TrainingState(recipe, out, corpus, group, model, optimiser_of(model, recipe), loss)
    if (newest := checkpoint.latest(out)) is not None:
        _resume(run, newest)
    return run


def _resume(run: TrainingState, folder: Path) -> None:
    checkpoint = read_checkpoint(folder)
    found = run.recipe.differences(checkpoint.recipe)
    if checkpoint.corpus_sha256 != run.corpus.sha256:
        found.append(f"corpus sha256: {run.corpus.sha256[:12]}..., not {checkpoint.corpus_sha256[:12]}...")
    if found:
        raise InputError(
            f"{run.out} holds another run ({'; '.join(found)}); delete it, or give another --out"
        )
    load_weights(run.model, checkpoint)
    kept = read_tensors(folder / STATE)
    try:
        restore(run.model, run.optimiser, kept, checkpoint.step)
        run.log = Log.from_tensors(kept, checkpoint.step)
    except (KeyError, ValueError) as error:
        raise damaged(folder / STATE, error) from error
    run.step = checkpoint.step


def _batches(run: TrainingState, corpus: Corpus) -> tuple[AnyBatches, Batches]:
    """Training batches, and those of the validation split; one token more than the model reads, as target."""
    recipe, size = run.recipe, run.recipe.length + 1
    text = Batches(corpus.train, size, recipe.batch, seed=recipe.seed)
    held_out = Batches(corpus.validation, size, recipe.batch, seed=VALIDATION_SEED)
    if recipe.task is None:
        return text, held_out
    task = TASKS[recipe.task]
    if recipe.task_repeats > 1:
        return RepeatedFacts(text, task, recipe.task_share, recipe.task_repeats), held_out
    # every fact of a window is queried: a window teaches most
    return Mixture(text, replace(task, queries=task.pairs), recipe.task_share), held_out


def _advance(run: TrainingState, batches: AnyBatches) -> None:
    """One step."""
    begun = time.perf_counter()
    run.optimiser.zero_grad(set_to_none=True)
    loss = _loss(run, batches, run.step)
    loss.backward()
    run.group.average_gradients(run.model)
    lr = scheduled_rate(run.recipe, run.step)
    norm = update(run.model, run.optimiser, lr)
    value = run.group.mean(loss)
    record_step(run, value, norm, lr, begun=begun, otherwise="no checkpoint was due yet")


def record_step(run: Any, loss: float, norm: float, lr: float, *, begun: float, otherwise: str) -> None:
    """Into the log of a run, which has then made one step more; `Diverged` if the step was not finite.

    Args:
        run: with `model`, `out`, `log` and `step`.
        loss, norm, lr: of the step.
        begun: when, by `time.perf_counter`.
        otherwise: what `Diverged` says where no checkpoint is kept.
    """
    if not (math.isfinite(loss) and math.isfinite(norm)):
        what = first_not_finite(run.model) if math.isfinite(loss) else "loss"
        kept = checkpoint.latest(run.out)
        raise Diverged(run.step, what, lr, f"{kept.name} is kept" if kept else otherwise)
    run.log.loss.append(loss)
    run.log.norm.append(norm)
    run.log.lr.append(lr)
    run.log.seconds.append(time.perf_counter() - begun)
    run.step += 1


def _validate(run: TrainingState, held_out: Batches) -> float:
    """Mean loss of the fixed validation batches.

    Through the very function that trains, gradients on: without them it would be compiled a second time.
    """
    losses = [run.group.mean(_loss(run, held_out, i)) for i in range(run.recipe.validation_batches)]
    return sum(losses) / len(losses)


def _loss(run: TrainingState, batches: AnyBatches, step: int) -> Tensor:
    group, weight = run.group, run.recipe.task_weight
    place = (step, group.rank, group.ranks)
    drawn = (batches.at(*place),) if weight == 0 else batches.queried_at(*place)
    inputs = [part.to(group.device) for part in drawn]
    with torch.autocast(group.device.type, torch.bfloat16, enabled=run.recipe.precision == "bfloat16"):
        return run.loss(*inputs) if weight == 0 else run.loss(*inputs, weight)


def _save(run: TrainingState) -> None:
    if run.group.leads:
        checkpoint.save(
            run.out,
            run.step,
            run.model.state_dict(),
            adam_moments(run.model, run.optimiser) | run.log.to_tensors(),
            config=run.recipe.model,
            recipe=run.recipe.to_dict(),
            corpus_sha256=run.corpus.sha256,
            tokenizer=run.corpus.tokenizer.json if run.corpus.tokenizer else None,
        )
    run.group.wait()


@contextlib.contextmanager
def one_run_in(out: Path) -> Iterator[None]:
    """Only one process trains in a folder.

    Raises:
        InputError: another one does, the folder holds another program's model, or it cannot be written.
    """
    checkpoint.check_run_folder(out)
    with contextlib.ExitStack() as held:  # what the body raises is not the folder's fault
        try:
            out.mkdir(parents=True, exist_ok=True)
            held.enter_context(locks.exclusive(out / ".lock", str(out)))
        except locks.Busy as busy:
            raise InputError(f"{busy}; wait for it, or give another --out") from None
        except OSError as error:
            raise InputError(f"{out} cannot be written: {error.strerror}; give another --out") from error
        yield


def _led(out: Path, group: Group) -> contextlib.AbstractContextManager[None]:
    """`one_run_in` for the process that leads a group; the others write nothing."""
    return one_run_in(out) if group.leads else contextlib.nullcontext()


# What records say of a run.


def parameter_count(recipe: Recipe) -> int:
    """Number of weights of the recipe's model."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Llama(recipe.model).parameters())


def provenance(
    recipe: Recipe, data: Corpus, log: Log, arguments: Sequence[str], model_sha256: str | None
) -> Provenance:
    """Where a run's records come from."""
    device = torch.cuda.get_device_name() if recipe.device == "cuda" else "cpu"
    seeds = {
        "weights and batches": recipe.seed,
        "split of the corpus": recipe.corpus_seed,
        "validation windows": VALIDATION_SEED,
    }
    narrow = "bfloat16 products, float32 weights, scores and sums"
    return Provenance.collect(
        arguments,
        recipe.to_dict() | {"processes": int(os.environ.get("WORLD_SIZE", "1"))},
        seeds=seeds,
        device=device,
        precision=narrow if recipe.precision == "bfloat16" else "float32",
        threads=recipe.threads,
        seconds=sum(log.seconds),
        model_sha256=model_sha256,
        text_sha256=data.sha256,
    )
