"""Recipes: everything that decides a training run, from small TOML files and `key=value` on top.

`method=NAME` names a variant (`analysis.training.variants`): it sets the method's options and, where the recipe has
tuned it, its learning rate. `method.name=NAME` sets the bare method, with its options as the code has them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

from analysis.errors import InputError
from analysis.inputs import parse_toml, read_whole
from analysis.models.config import BYTES, CONVERSIONS, METHODS, USERS, MethodConfig, ModelConfig
from analysis.settings import check_above, check_at_least, check_whole, differences, from_mapping, nearest
from analysis.training.variants import STRETCH, VARIANTS

TASKS = ("recall", "passkey", "needle")
PRECISIONS = ("float32", "bfloat16")
DEVICES = ("cpu", "cuda")
MOST = {
    "batch": 1 << 16, "steps": 10**8, "threads": 1 << 10, "validate_every": 10**8, "validation_batches": 1 << 16,
    "save_every": 10**8, "task_repeats": 1 << 16,
}  # fmt: skip
"""The largest counts of a recipe; torch dies of more threads than a machine can start."""
# What fine-tuning may change of the model that it starts from.
CHANGEABLE = ("context", "method.base", "method.extension", "method.factor", "method.trained_length")
OLD_KEYS = {"task_tellings": "task_repeats"}
"""What keys of a recipe were called in older checkpoints and records."""
TUNING = ("method.phase_lr_scale", "method.phase_init_std")
DROPPABLE = ("rope", "partial", "p_rope", "interleaved", "xpos", "window")
"""Methods whose weights a NoPE model can go on from: their rotation is dropped, the window with it."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One training run; checks itself on construction.

    Attributes:
        model: sizes, method, and as `context` the length that is trained.
        corpus: "texts", "code", "texts+code" or a folder, as `analysis.text.corpus.corpus` takes it.
        corpus_seed: of the split by document, >= 0.
        task: "recall", "passkey" or "needle", a retrieval task in a part of the windows
            (`analysis.training.retrieval_data`); None for text alone.
        task_share: that part, in [0, 1].
        task_repeats: 1: facts stand once and are queried at a window's end (`retrieval_data.Mixture`); more: most
            facts in a window, every repeat a query (`retrieval_data.RepeatedFacts`).
        task_weight: of the mean loss of the bytes that are queried, added to that of all bytes; >= 0.
        seed: of weights and batches, >= 0.
        parent: checkpoint whose weights the run starts from; None to draw them. Key `from` in a recipe.
        batch: windows of a step, over all processes.
        steps: optimiser steps.
        lr: largest learning rate, > 0; rises linearly over `warmup` steps, then falls along a cosine to a
            tenth at the last step.
        warmup: steps, 0 <= warmup < steps.
        weight_decay: of matrices, >= 0.
        precision: "float32", or "bfloat16" for matrix products under autocast.
        device: "cpu" or "cuda".
        threads: of the CPU; part of the recipe because sums depend on it in their last bit.
        compile: the model through torch.compile.
        validate_every, save_every: steps between evaluations on the validation split, and between checkpoints.
        validation_batches: evaluated each time, the same for every run of this length and batch.

    >>> Recipe(steps=200, lr=2e-3).model.context
    128
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    corpus: str = "texts"
    corpus_seed: int = 0
    task: str | None = None
    task_share: float = 0.0
    task_repeats: int = 1
    task_weight: float = 0.0
    seed: int = 0
    parent: str | None = None
    batch: int = 32
    steps: int = 1000
    lr: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.0
    precision: str = "float32"
    device: str = "cpu"
    threads: int = 1
    compile: bool = True
    validate_every: int = 100
    validation_batches: int = 8
    save_every: int = 200

    def __post_init__(self) -> None:
        for name, most in MOST.items():
            check_whole(name, getattr(self, name), most=most)
        for name in ("corpus_seed", "seed", "warmup"):
            check_whole(name, getattr(self, name), 0)
        check_above("lr", self.lr, 0)
        for name in ("weight_decay", "task_weight"):
            check_at_least(name, getattr(self, name), 0)
        if self.length < 2:  # or the run would be trained, and could not be evaluated
            raise InputError(f"length={self.length} leaves nothing to score; give 2 or more")
        if self.warmup >= self.steps:
            raise InputError(f"warmup={self.warmup} leaves nothing of steps={self.steps}; give fewer")
        if self.task is not None and self.task not in TASKS:
            raise InputError(f"task={self.task!r} is unknown; {nearest(self.task, TASKS)}")
        if not 0 <= self.task_share <= 1 or (self.task is None) != (self.task_share == 0):
            raise InputError(f"task={self.task} with task_share={self.task_share}; give both or neither")
        if self.task is None and (self.task_repeats, self.task_weight) != (1, 0):
            raise InputError(
                f"task_repeats={self.task_repeats}, task_weight={self.task_weight:g} without a task; give one"
            )
        for name, known in (("precision", PRECISIONS), ("device", DEVICES)):
            if (value := getattr(self, name)) not in known:
                raise InputError(f"{name}={value!r} is unknown; {nearest(value, known)}")

    @property
    def vocabulary(self) -> int | None:
        """Of the byte-pair tokenizer to learn; None for bytes."""
        return None if self.model.vocab_size == BYTES else self.model.vocab_size

    @property
    def length(self) -> int:
        """Tokens that the model reads in a training window."""
        return self.model.context

    def to_dict(self) -> dict[str, Any]:
        """As a recipe file writes it, every key spelled out; paths are cut to their names."""
        from analysis.records import plain_value  # imports xarray

        values = asdict(self)
        model = values.pop("model")
        own = {"from" if name == "parent" else name: value for name, value in values.items()}
        method, length = model.pop("method"), model.pop("context")
        return plain_value({"length": length, **own, "model": model, "method": method})

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """What differs from another recipe's `to_dict`; a key that it lacks, being older, has its default there."""
        filled = Recipe().to_dict()
        for name, value in renamed(other).items():
            filled[name] = filled.get(name, {}) | value if isinstance(value, dict) else value
        return differences(self.to_dict(), filled)


def renamed(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded recipe with the keys of today."""
    return {OLD_KEYS.get(key, key): value for key, value in recipe.items()}


def keys() -> list[str]:
    """Every key of a recipe, dotted, as `Recipe.to_dict` spells it; "method" beside them names a variant.

    >>> keys()[:4]
    ['length', 'corpus', 'corpus_seed', 'task']
    """
    own = ["from" if f.name == "parent" else f.name for f in fields(Recipe) if f.name != "model"]
    sizes = [f"model.{f.name}" for f in fields(ModelConfig) if f.name not in ("method", "context")]
    return ["length", *own, *sizes, *(f"method.{f.name}" for f in fields(MethodConfig))]


def _keys_in_short() -> str:
    """Of the keys those that are no model's or method's, and examples of these."""
    own = ", ".join(key for key in keys() if "." not in key)
    return f"known: {own}, method, and keys such as model.layers and method.alpha"


def packaged() -> list[str]:
    """Names of the recipes that come with the project.

    >>> packaged()
    ['cpu', 'finetune', 'gpu', 'long']
    """
    folder = resources.files("analysis.training") / "recipes"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def tuned_rates(name: str) -> dict[str, float]:
    """Learning rates that a recipe has tuned, by variant: table [tuned] of its file.

    A variant that is not there has no tuned rate: it is trained at the recipe's own unless one is given, and `untuned`
    says so.

    >>> tuned_rates("cpu")["tapa"], "fox" in tuned_rates("cpu")
    (0.002, False)

    Raises:
        InputError: as `load_recipe` for a recipe that is missing or not TOML.
    """
    return dict(_read(name).get("tuned", {}))


def untuned(name: str, settings: Sequence[str] = ()) -> str | None:
    """The variant of which a recipe has tuned no learning rate and the settings give none; None otherwise.

    >>> untuned("cpu", ["method=fox"]), untuned("cpu", ["method=fox", "lr=1e-3"]), untuned("cpu", ["method=tapa"])
    ('fox', None, None)
    """
    chosen, tuned = dict(_setting(text) for text in settings), tuned_rates(name)
    named = chosen.get("method", chosen.get("method.name"))
    if named is None or not tuned or "lr" in chosen or _rate_of(str(named)) in tuned:
        return None
    return str(named)


def _rate_of(name: str) -> str:
    variant = VARIANTS.get(name)
    return (variant and variant.rate_of) or name


def load_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """A recipe by name or path, with `key=value` settings on top.

    With `from=CHECKPOINT` sizes and method are the checkpoint's, and only settings may change them: the base,
    an extension (whose factor is then the new length over the old one unless given) and TAPA's phase options.

    >>> recipe = load_recipe("cpu", ["method=tapa", "seed=1"])
    >>> recipe.lr, recipe.model.method.phase_lr_scale, recipe.seed
    (0.002, 0.3, 1)
    >>> load_recipe("cpu", ["method=tapa_plain"]).lr
    0.001

    Args:
        name: of a packaged recipe, or a path that ends in .toml.
        settings: "key=value", values as in TOML, bare words allowed; "method=NAME" is a variant or a method, and
            "method=mypackage.module:Class" a class of the user's own, which is imported; then "method.KEY=VALUE" is
            for its constructor.

    Raises:
        InputError: a recipe that is missing or not TOML, a key that is unknown (naming the nearest), a value
            of another type or range, or a checkpoint that does not fit.
    """
    values = renamed(flat(_read(name)))
    tuned = {key.removeprefix("tuned."): values.pop(key) for key in [*values] if key.startswith("tuned.")}
    chosen = renamed(dict(_setting(text) for text in settings))
    values, chosen = _of_users_class(values, chosen)
    known = [*keys(), "method"]
    for key in [*values, *chosen]:
        if key not in known and not key.startswith(OPTIONS):
            raise InputError(
                f"recipe key {key} is unknown; {nearest(key, known, otherwise=_keys_in_short())}"
            )
    parent = {**values, **chosen}.get("from")
    named = chosen.pop("method", None)
    default = values.pop("method", None)
    if named is None and parent in (None, "none") and "method.name" not in chosen:
        named = default
    of_variant = {} if named is None else _of_variant(str(named), tuned)
    if parent not in (None, "none"):
        from analysis.models.checkpoint import read_checkpoint  # needs torch

        stretch = VARIANTS[str(named)].stretch if named in VARIANTS else STRETCH
        start = read_checkpoint(Path(str(parent))).config
        return _with_class(fine_tuning(start, values, of_variant, chosen, stretch=stretch))
    if named in VARIANTS and (begun := VARIANTS[str(named)].parent):
        raise InputError(
            f"method {named} goes on from a trained {begun}; give from=CHECKPOINT, "
            f"as in `tapa train finetune from=runs/cpu-{begun}-0 method={named}`"
        )
    return _with_class(_recipe({**values, **of_variant, **chosen}))


def _with_class(recipe: Recipe) -> Recipe:
    """The recipe, if its method is ours, or a user's class that takes its options; `InputError` otherwise."""
    if recipe.model.method.is_users:
        from analysis.models.users import built  # needs torch

        built(recipe.model, 0)
    return recipe


OPTIONS = "method.options."


def _of_users_class(
    values: Mapping[str, Any], chosen: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keys of a recipe and settings on top; of a user's class every "method.KEY" is an option of it, not of ours.

    The class is imported here, because the user names it here, and its source is hashed.
    """
    part = chosen if {"method", "method.name"} & set(chosen) else values
    named = part.get("method.name", part.get("method"))
    if not (isinstance(named, str) and USERS.fullmatch(named)):
        return dict(values), dict(chosen)
    from analysis.models.users import with_source  # needs torch

    values, chosen = ({_option(key): value for key, value in part.items()} for part in (values, chosen))
    chosen.pop("method", None)
    method = with_source(MethodConfig(named))
    return values, {**chosen, "method.name": method.name, "method.source_sha256": method.source_sha256}


def _option(key: str) -> str:
    own = key.startswith("method.") and key != "method.name" and not key.startswith(OPTIONS)
    return OPTIONS + key.removeprefix("method.") if own else key


def _of_variant(name: str, tuned: Mapping[str, float]) -> dict[str, Any]:
    """What a variant's name stands for, as keys of a recipe; a method that is no variant stands for itself."""
    if name not in VARIANTS and name not in METHODS:
        raise InputError(f"method {name!r} is unknown; {nearest(name, {**VARIANTS, **METHODS})}")
    variant = VARIANTS.get(name)
    settings = {"method.name": name} if variant is None else variant.settings
    rate = tuned.get(_rate_of(name))
    return settings | ({} if rate is None else {"lr": rate})


def fine_tuning(
    start: ModelConfig,
    values: Mapping[str, Any],
    of_variant: Mapping[str, Any],
    chosen: Mapping[str, Any],
    *,
    stretch: int = STRETCH,
) -> Recipe:
    """The recipe that goes on from a model; see `load_recipe`.

    Args:
        start: of the model.
        values: of the recipe file.
        of_variant: what the variant's name stands for, if one is named.
        chosen: settings on top.
        stretch: of the variant: the new length over the old one.
    """
    of_model = ("model.", "method.")
    own = {key: value for key, value in values.items() if not key.startswith(of_model)}
    begun = {f"model.{k}": v for k, v in start.to_dict().items() if k not in ("method", "context")}
    begun |= {f"method.{k}": v for k, v in start.to_dict()["method"].items()}
    stretched = {"length": stretch * start.context} if of_variant else {}
    changes = {**stretched, **of_variant, **chosen}
    whole = {**own, "length": own.get("length", start.context), **begun, **changes}
    if changes.get("method.extension", "none") != "none":
        whole["method.trained_length"] = changes.get("method.trained_length", start.context)
        whole["method.factor"] = changes.get("method.factor", max(1.0, whole["length"] / start.context))
    recipe = _recipe(whole)
    allowed = tuple(f"{name}: " for name in (*CHANGEABLE, *TUNING))
    if stretch == 1 and recipe.model.method.name == "nope" and start.method.name in DROPPABLE:
        allowed += ("method.",)  # nothing is left of it
    if wrong := [line for line in recipe.model.differences(start) if not line.startswith(allowed)]:
        raise InputError(f"a model of another configuration cannot be the start: {'; '.join(wrong)}")
    return recipe


def variant_of(recipe: Recipe, start: ModelConfig | None = None) -> str:
    """The variant that a recipe trains; of what is none of ours the method and the options that make it another.

    >>> variant_of(load_recipe("cpu", ["method.name=tapa"]))
    'tapa_plain'
    >>> variant_of(load_recipe("cpu", ["method.name=tapa", "method.alpha=0.2"]))
    'tapa[alpha=0.2]'

    Args:
        recipe: from scratch, or fine-tuning.
        start: configuration of the model that fine-tuning starts from.
    """
    for name, variant in VARIANTS.items():
        if _trains(recipe, name, start) and (variant.parent is None) == (recipe.parent is None):
            return name
    method = recipe.model.method
    plain = replace(recipe.model, method=MethodConfig(method.name)).method
    names = [f.name for f in fields(method)[1:] if getattr(method, f.name) != getattr(plain, f.name)]
    hidden = ("window", "options", "source_sha256")
    options = [f"{name}={getattr(method, name)}" for name in names if name not in hidden]
    options += [f"{name}={value}" for name, value in method.options.items()]
    options += [f"task={recipe.task}"] if recipe.task else []
    options += [f"fine-tuned={recipe.length}"] if recipe.parent else []
    return f"{method.name}[{', '.join(options)}]" if options else method.name


def _trains(recipe: Recipe, name: str, start: ModelConfig | None) -> bool:
    """Whether the method, the task and the start are those of a variant; sizes, length and rates are not looked at."""
    variant, own = VARIANTS[name], recipe.model
    method = replace(own.method, trained_length=None)
    if replace(own, method=variant.method).method not in (own.method, replace(own, method=method).method):
        return False
    plain = {"task": None, "task_share": 0.0, "task_repeats": 1, "task_weight": 0.0}
    if any(getattr(recipe, key) != value for key, value in {**plain, **variant.task}.items()):
        return False
    if variant.parent is None or start is None:
        return variant.parent is None
    begun = replace(start, method=VARIANTS[variant.parent].method)
    return start.method == begun.method and recipe.length == variant.stretch * start.context


def _recipe(flat: Mapping[str, Any]) -> Recipe:
    model: dict[str, Any] = {"method": {}}
    own: dict[str, Any] = {}
    for key, value in flat.items():
        table, _, name = key.rpartition(".")
        if key == "length":
            model["context"] = value
        elif table == "method.options":
            model["method"]["options"] = {**model["method"].get("options", {}), name: value}
        elif table:
            (model if table == "model" else model["method"])[name] = value
        else:
            own["parent" if key == "from" else key] = value
    return from_mapping(Recipe, {**own, "model": model})


def _read(name: str) -> dict[str, Any]:
    if name.endswith(".toml"):
        data = read_whole(Path(name), "recipe", "give a path to a .toml", largest=1 << 20)
    elif name in packaged():
        data = (resources.files("analysis.training") / "recipes" / f"{name}.toml").read_bytes()
    else:
        of_all = f"give one of {', '.join(packaged())}, or a path to a .toml"
        raise InputError(f"recipe {name!r} is unknown; {nearest(name, packaged(), otherwise=of_all)}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"recipe {name} is not TOML: {error}") from error
    return parse_toml(text, f"recipe {name}")


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values of nested tables by their keys joined by dots.

    >>> flat({"lr": 0.1, "model": {"width": 8}})
    {'lr': 0.1, 'model.width': 8}
    """
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InputError(f"{text!r} is no setting; write key=value, such as lr=0.001")
    try:
        tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):  # a bare word
        return key.strip(), value
    parsed = parse_toml(f"value = {value}", f"setting {key.strip()}")
    if list(parsed) != ["value"]:  # a line break, and other keys after it
        raise InputError(f"{text!r} is more than one setting; give each as an argument of its own")
    return key.strip(), parsed["value"]


# Fine-tuning of a model of transformers: `training.finetune`.


@dataclass(frozen=True, slots=True)
class FinetuneSettings:
    """What decides a fine-tuning beside the model and the text; checks itself on construction.

    Attributes:
        to: positional encoding, as `models.convert.converted`: "tapa", "nope", "yarn", or "rope" for the model's own.
        length: tokens of a window, those that are predicted.
        batch: windows in a step.
        lr: learning rate after the first steps, > 0.
        warmup: steps over which it rises to that, linearly.
        seed: of the windows' places, >= 0.
        precision: "float32", or "bfloat16" for matrix products under autocast.
        factor: of YaRN, >= 1.

    >>> FinetuneSettings("tapa").step_tokens, FinetuneSettings("tapa").steps(tokens=5120)
    (512, 10)
    """

    to: str = "tapa"
    length: int = 256
    batch: int = 2
    lr: float = 1e-4
    warmup: int = 16
    seed: int = 0
    precision: str = "bfloat16"
    factor: float = 4.0

    def __post_init__(self) -> None:
        if self.to not in CONVERSIONS:
            raise InputError(f"--to {self.to} is unknown; {nearest(self.to, CONVERSIONS)}")
        for name, least in (("length", 2), ("batch", 1), ("warmup", 0), ("seed", 0)):
            check_whole(name, getattr(self, name), least)
        check_above("lr", self.lr, 0)
        check_at_least("factor", self.factor, 1)
        if self.precision not in PRECISIONS:
            raise InputError(
                f"precision={self.precision!r} is unknown; {nearest(self.precision, PRECISIONS)}"
            )

    @property
    def step_tokens(self) -> int:
        """Tokens that a step predicts."""
        return self.length * self.batch

    def steps(self, tokens: int) -> int:
        """Whole steps that take so many tokens; `InputError` if it is none or a part of one."""
        if tokens < self.step_tokens or tokens % self.step_tokens:
            raise InputError(
                f"tokens={tokens} is no multiple of the {self.step_tokens} tokens of a step; give one such as "
                f"{max(1, round(tokens / self.step_tokens)) * self.step_tokens}"
            )
        return tokens // self.step_tokens

    def rate(self, step: int) -> float:
        """Learning rate of step number `step`, counted from 0."""
        return self.lr * min(1.0, (step + 1) / (self.warmup + 1))
