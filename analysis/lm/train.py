"""Training: from a recipe to checkpoints. Killed at any moment and started again, it ends with the same weights.

Nothing of a run lives outside its checkpoints: batches come by step number, and nothing else is random.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from analysis.errors import InputError
from analysis.lm import state
from analysis.lm.lessons import Lessons
from analysis.lm.model import Llama
from analysis.lm.optimise import Diverged, first_not_finite, moments, optimiser_of, rate, restore, update
from analysis.lm.parallel import Group, group_on
from analysis.lm.recall import TASKS, Mixture
from analysis.lm.recipe import Recipe
from analysis.lm.text import Batches, Corpus
from analysis.threads import threads

VALIDATION_SEED = 0  # the same windows for every run of one length and batch

AnyBatches = Batches | Mixture | Lessons
# (what, steps done, steps in all, note)
Progress = Callable[[str, int, int, str], None]


def silent(what: str, done: int, total: int, note: str) -> None:
    """Show nothing."""


@dataclass(slots=True)
class Log:
    """What was seen on the way, kept in every checkpoint.

    Attributes:
        loss, norm, lr, seconds: of each step: nats per token (and `task_weight` times those of asked ones),
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
    def from_tensors(cls, tensors: dict[str, Tensor]) -> Log:
        """Inverse of `to_tensors`; `KeyError` if one is missing."""
        return cls(**{name: tensors[f"log/{name}"].tolist() for name in cls.__slots__})

    def tokens_per_second(self, tokens: int, last: int = 50) -> float:
        """Of the median of the last steps, each of `tokens` tokens; NaN before there is one."""
        recent = sorted(self.seconds[-last:])
        return tokens / recent[len(recent) // 2] if recent else math.nan


@dataclass(slots=True)
class Run:
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


def train(recipe: Recipe, out: Path, corpus: Corpus, *, progress: Progress = silent) -> tuple[Path, Log]:
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
    with group_on(recipe.device) as group, threads(recipe.threads), _alone(out, group):
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
                progress("train", run.step, recipe.steps, note(run))
        last = state.latest(out)
        assert last is not None  # the last step is always saved
        return last, run.log


def note(run: Run) -> str:
    """Loss and speed, for whoever watches."""
    tokens = run.log.tokens_per_second(run.recipe.batch * run.recipe.length)
    seen = f", validation {run.log.validation_loss[-1]:.3f}" if run.log.validation_loss else ""
    return f"loss {sum(run.log.loss[-20:]) / len(run.log.loss[-20:]):.3f}{seen} nats, {tokens:,.0f} tokens/s"


def _begin(recipe: Recipe, out: Path, corpus: Corpus, group: Group) -> Run:
    """A new run, or the one in `out` where it stopped."""
    if corpus.vocab_size != recipe.model.vocab_size:
        raise InputError(
            f"the corpus has {corpus.vocab_size} kinds of tokens, model.vocab_size={recipe.model.vocab_size}"
        )
    if recipe.batch % group.ranks:
        raise InputError(f"batch={recipe.batch} cannot be shared by {group.ranks} processes; give a multiple")
    model = Llama(recipe.model, seed=recipe.seed)
    if recipe.parent is not None:
        state.load_weights(model, state.read_checkpoint(Path(recipe.parent)))
    model.to(group.device)
    loss = torch.compile(model.loss, dynamic=False) if recipe.compile else model.loss
    run = Run(recipe, out, corpus, group, model, optimiser_of(model, recipe), loss)
    if (newest := state.latest(out)) is not None:
        _resume(run, newest)
    return run


def _resume(run: Run, folder: Path) -> None:
    checkpoint = state.read_checkpoint(folder)
    found = run.recipe.differences(checkpoint.recipe)
    if checkpoint.corpus_sha256 != run.corpus.sha256:
        found.append(f"corpus sha256: {run.corpus.sha256[:12]}..., not {checkpoint.corpus_sha256[:12]}...")
    if found:
        raise InputError(
            f"{run.out} holds another run ({'; '.join(found)}); delete it, or give another --out"
        )
    state.load_weights(run.model, checkpoint)
    kept = state.read_tensors(folder / state.STATE)
    try:
        restore(run.model, run.optimiser, kept, checkpoint.step)
        run.log = Log.from_tensors(kept)
    except KeyError as error:
        raise state.damaged(folder / state.STATE, error) from error
    run.step = checkpoint.step


def _batches(run: Run, corpus: Corpus) -> tuple[AnyBatches, Batches]:
    """Training batches, and those of the validation split; one token more than the model reads, as target."""
    recipe, size = run.recipe, run.recipe.length + 1
    text = Batches(corpus.train, size, recipe.batch, seed=recipe.seed)
    held_out = Batches(corpus.validation, size, recipe.batch, seed=VALIDATION_SEED)
    if recipe.task is None:
        return text, held_out
    task = TASKS[recipe.task]
    if recipe.task_tellings > 1:
        return Lessons(text, task, recipe.task_share, recipe.task_tellings), held_out
    # every fact of a window is asked for: a window teaches most
    return Mixture(text, replace(task, queries=task.pairs), recipe.task_share), held_out


def _advance(run: Run, batches: AnyBatches) -> None:
    """One step."""
    begun = time.perf_counter()
    run.optimiser.zero_grad(set_to_none=True)
    loss = _loss(run, batches, run.step)
    loss.backward()
    run.group.average_gradients(run.model)
    lr = rate(run.recipe, run.step)
    norm = update(run.model, run.optimiser, lr)
    value = run.group.mean(loss)
    if not (math.isfinite(value) and math.isfinite(norm)):
        what = first_not_finite(run.model) if math.isfinite(value) else "loss"
        kept = state.latest(run.out)
        raise Diverged(run.step, what, lr, f"{kept.name} is kept" if kept else "no checkpoint was due yet")
    run.log.loss.append(value)
    run.log.norm.append(norm)
    run.log.lr.append(lr)
    run.log.seconds.append(time.perf_counter() - begun)
    run.step += 1


def _validate(run: Run, held_out: Batches) -> float:
    """Mean loss of the fixed validation batches.

    Through the very function that trains, gradients on: without them it would be compiled a second time.
    """
    losses = [run.group.mean(_loss(run, held_out, i)) for i in range(run.recipe.validation_batches)]
    return sum(losses) / len(losses)


def _loss(run: Run, batches: AnyBatches, step: int) -> Tensor:
    group, weight = run.group, run.recipe.task_weight
    place = (step, group.rank, group.ranks)
    drawn = (batches.at(*place),) if weight == 0 else batches.asked_at(*place)
    inputs = [part.to(group.device) for part in drawn]
    with torch.autocast(group.device.type, torch.bfloat16, enabled=run.recipe.precision == "bfloat16"):
        return run.loss(*inputs) if weight == 0 else run.loss(*inputs, weight)


def _save(run: Run) -> None:
    if run.group.leads:
        state.save(
            run.out,
            run.step,
            run.model.state_dict(),
            moments(run.model, run.optimiser) | run.log.to_tensors(),
            config=run.recipe.model,
            recipe=run.recipe.to_dict(),
            corpus_sha256=run.corpus.sha256,
            tokenizer=run.corpus.tokenizer.json if run.corpus.tokenizer else None,
        )
    run.group.wait()


@contextlib.contextmanager
def _alone(out: Path, group: Group) -> Iterator[None]:
    """Only one run writes into a folder."""
    if not group.leads:
        yield
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock", timeout=0)
        with lock:
            yield
    except Timeout:
        raise InputError(f"{out} is in use by another run; give another --out") from None
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{out} is not a folder; give another --out") from None
