"""One door to a model by its name: `open_model` gives a `Model` to measure and evaluate, with its own texts."""

from __future__ import annotations

import contextlib
import io
import shutil
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from analysis import assets
from analysis.assets import (
    ModelSource,
    cache_folder,
    fetched_gguf,
    make_folder,
    making_alone,
    verified_files,
    writing_to,
)
from analysis.errors import InputError
from analysis.models import huggingface
from analysis.models.capture import Consumer, capture_checkpoint, capture_llama, verify_rotation
from analysis.models.checkpoint import (
    OTHER_TEXT,
    is_ours,
    load_model,
    own_corpus,
    own_tokenizer,
    read_checkpoint,
)
from analysis.models.devices import check_device, say_if_emulated
from analysis.models.hub import fetch_from_hub
from analysis.models.huggingface import (
    Checkpoint,
    Source,
    check_config,
    check_row_order,
    pretrained_model,
    pretrained_tokenizer,
    quiet_transformers,
    read_config,
)
from analysis.models.layerwise import LayerFiles, WindowConsumer, capture_layers, open_layers
from analysis.models.memory import MemoryNeed, free_memory, memory_needed
from analysis.models.methods import ROTATING
from analysis.models.pretrained_losses import check_head, pretrained_reader
from analysis.models.token_losses import Read, llama_reader
from analysis.progress import Progress, silent
from analysis.records import printable
from analysis.settings import check_precision
from analysis.text.tokenizer import BytePairs
from analysis.text.windows import Document, NamedTokens, Windows, read_text, tokenized, windows
from analysis.theory.frequencies import Extension


def load_checkpoint(
    model_path: Path, *, dtype: torch.dtype = torch.float32, device: str = "cpu", progress: Progress = silent
) -> Checkpoint:
    """A model with its tokenizer and facts, its rotation verified and, for .gguf, its row order.

    Nothing is looked up on the network and no code that comes with a checkpoint is run.

    Args:
        model_path: a folder with config.json and safetensors, or a .gguf file.
        dtype: of the weights in memory.
        device: where they are: "cpu", "cuda" or "mps".
        progress: told what is being done.

    Raises:
        InputError: for a path that is missing, a pickle (never opened), a truncated or incomplete checkpoint,
            an architecture without RoPE or not in the table, an unknown rope type, quantised safetensors, or
            a model whose own rotation is not what its configuration says.
    """
    source = huggingface.inspect(Path(model_path))
    progress = _if_large(source, progress)
    progress(f"load {_name_of(source)}", 0, 0)
    with quiet_transformers():
        check_config(source)
        tokenizer = pretrained_tokenizer(source)
        model: Any = pretrained_model(source, dtype)
    digest = huggingface.sha256(source.weights, progress)
    checkpoint = Checkpoint.of(model.to(device), name=_name_of(source), tokenizer=tokenizer, sha256=digest)
    if checkpoint.rotates:
        verify_rotation(checkpoint)
    if source.gguf_file and checkpoint.family.permuted_in_gguf:
        check_row_order(checkpoint)
    return checkpoint


def load_layers(
    model_path: Path, *, dtype: torch.dtype, device: str, progress: Progress
) -> tuple[Checkpoint, LayerFiles] | None:
    """A checkpoint of safetensors whose layers are read one at a time; None where the whole must be loaded.

    Args and errors: as `load_checkpoint`; its rotation is verified as its layers are read.
    """
    source = huggingface.inspect(Path(model_path))
    if source.gguf_file:
        return None
    with quiet_transformers():
        check_config(source)
        tokenizer = pretrained_tokenizer(source)
        layers = open_layers(source, dtype, torch.device(device))
    if layers is None:
        return None
    digest = huggingface.sha256(source.weights, _if_large(source, progress))
    return Checkpoint.of(layers.model, name=_name_of(source), tokenizer=tokenizer, sha256=digest), layers


LARGE = 1_000_000_000  # numbers of a model that takes seconds to load


def _if_large(source: Source, progress: Progress) -> Progress:
    """The progress of what takes seconds; what is refused at once leaves its one line alone."""
    return progress if source.numbers >= LARGE else silent


def _name_of(source: Source) -> str:
    return printable(source.path.resolve().name.removesuffix(".gguf"))


# A .gguf checkpoint, rewritten once as a folder of safetensors: it loads many times faster from there.


def gguf_to_folder(gguf: Path, folder: Path) -> None:
    """Write model and tokenizer of a .gguf as a Hugging Face folder, verified as `load_checkpoint` verifies.

    Quantised weights are expanded to the float32 values that they stand for; nothing is quantised again.

    Args:
        gguf: of an architecture that `load_checkpoint` takes.
        folder: made with its parents; `config.json`, `model.safetensors` and the tokenizer's files go there.
            A conversion that fails removes it, one that is killed leaves it half-written: convert into a
            temporary name and rename.

    Raises:
        InputError: as `load_checkpoint` (missing, truncated, no rotation, rows of q and k out of order);
            `folder` exists or cannot be written.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise InputError(f"{folder} exists; remove it or give the name of a folder to be made") from None
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}; give another folder") from error
    try:
        _convert(gguf, folder)
    except BaseException:  # Ctrl-C as well: half a checkpoint must not look like a whole one
        shutil.rmtree(folder)
        raise


def _convert(gguf: Path, folder: Path) -> None:
    # seconds of import: only whoever converts pays for it
    from safetensors import SafetensorError

    checkpoint = load_checkpoint(gguf)
    # the weights are plain float32 now; left in place these two would ask for a quantised loader
    vars(checkpoint.model)["hf_quantizer"] = None
    vars(checkpoint.model.config).pop("quantization_config", None)
    try:
        with contextlib.redirect_stderr(
            io.StringIO()
        ):  # transformers' own bar, in the middle of the caller's
            checkpoint.model.save_pretrained(folder)
        if checkpoint.tokenizer is not None:
            checkpoint.tokenizer.save_pretrained(folder)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{folder} cannot be written: {error}; give one with more room") from error


def fetch_model(
    source: ModelSource,
    *,
    convert: Callable[[Path, Path], None] = gguf_to_folder,
    progress: Progress = silent,
) -> Path:
    """Folder with config.json, model.safetensors (float32) and tokenizer of a pinned model, such as `assets.SMOLLM2`.

    Fetches, unpacks and converts what is not there yet; a second call only verifies and touches no network.

    Args:
        source: which checkpoint.
        convert: turns a GGUF file into a folder that does not exist yet.
        progress: told what is being done.

    Raises:
        InputError: nothing can be fetched, other bytes than the pinned ones come, or the cache folder cannot
            be written.
    """
    cache = cache_folder()
    folder = cache / source.name / "converted"
    stamp = {"recipe": source.recipe, "source_sha256": source.sha256}
    progress(f"verify {source.name}", 0, 0)
    if verified_files(folder, stamp):
        return folder
    with making_alone(cache, source.name, progress):
        if not verified_files(folder, stamp):  # nor has another process made it meanwhile
            gguf = fetched_gguf(source, cache, progress)
            progress("convert to safetensors", 0, 1)
            with writing_to(cache):
                make_folder(folder, stamp, lambda new: convert(gguf, new))
            progress("convert to safetensors", 1, 1)
    return folder


def fetch_smollm2(
    *,
    source: ModelSource = assets.SMOLLM2,
    convert: Callable[[Path, Path], None] = gguf_to_folder,
    progress: Progress = silent,
) -> Path:
    """`fetch_model` of SmolLM2-135M-Instruct, unless tests give a smaller one."""
    return fetch_model(source, convert=convert, progress=progress)


def pinned(name: str | Path) -> ModelSource | None:
    """The pinned model of that name, None for other names."""
    return assets.MODELS.get(str(name))


SMOLLM2 = "smollm2"
DEFAULT_WINDOW = 2048  # tokens

Sizes = dict[str, Int[np.ndarray, " size"]]
Texts = tuple[list[Document], Sizes]
"""Documents as a model's tokens, and by their names the bytes that each token stands for."""


class Model(ABC):
    """A model ready to be measured, evaluated or looked into, wherever it came from.

    Attributes:
        name: for records.
        sha256: of its weights.
        pinned_sha256: of the file that its weights were converted from, where that is pinned.
        context_length: tokens that it was made to read; windows in which heads are measured are no longer.
        trained_length: tokens before an extension of its RoPE.
        precision: of its forward.
        device: of its forward.
        revision: the commit of a model of the hub.
        first_token: put first in every window of text, as the model's tokenizer puts it before every text; None where
            it puts nothing.
    """

    name: str
    sha256: str
    pinned_sha256: str | None = None
    context_length: int
    trained_length: int
    precision: str
    device: str = "cpu"
    revision: str | None = None
    first_token: int | None = None

    @property
    def recorded(self) -> dict[str, str]:
        """What a record's configuration says of the model beside the sha256 of its weights."""
        pinned = {} if self.pinned_sha256 is None else {"pinned_sha256": self.pinned_sha256}
        begin = {} if self.first_token is None else {"window_begin": self.window_begin}
        commit = {} if self.revision is None else {"commit": self.revision}
        return {"model": self.name} | pinned | begin | commit

    @property
    def window_begin(self) -> str:
        """`first_token` as a record says it."""
        return "nothing" if self.first_token is None else f"token {self.first_token}"

    @property
    @abstractmethod
    def default_lengths(self) -> tuple[int, ...]:
        """Window lengths at which it is evaluated if none are given, ascending."""

    @property
    @abstractmethod
    def default_window(self) -> int:
        """Tokens of a window in which its heads are measured if no length is given."""

    @abstractmethod
    def encode(self, text: str) -> Int[Tensor, " length"]:
        """Token ids of a text, without special tokens; `windows` puts before each window what belongs there."""

    @abstractmethod
    def encode_sized(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """Token ids of a text without special tokens, and the bytes of text that each stands for."""

    @abstractmethod
    def reader(self, length: int, extension: Extension) -> tuple[Read, int]:
        """What gives the losses of windows of a length under an extension of its RoPE, and how many it takes at once.

        Raises:
            InputError: its RoPE cannot be extended.
        """

    @abstractmethod
    def check_rotates(self) -> None:
        """`InputError` that names the fitting command unless its heads rotate queries and keys alike."""

    @abstractmethod
    def capture(self, tokens: Int[Tensor, "batch length"], consumer: Consumer) -> None:
        """Read windows of tokens once and hand q and k of every layer to a consumer, checked; errors as `capture`."""

    def capture_windows(
        self, tokens: Int[Tensor, "windows length"], consumer: WindowConsumer, progress: Progress
    ) -> None:
        """Hand q and k of every layer of every window to a consumer, with the window's index; windows one at a time."""
        for index in range(len(tokens)):
            self.capture(tokens[index : index + 1], partial(consumer, index))
            progress("window", index + 1, len(tokens))

    @abstractmethod
    def held_out(self, progress: Progress) -> list[NamedTokens]:
        """Names and tokens of the texts in which its heads are measured if none are given."""

    @abstractmethod
    def test_texts(self, progress: Progress) -> Texts:
        """What it is evaluated on if no text is given."""

    def documents(self, texts: Sequence[Path], progress: Progress) -> list[NamedTokens]:
        """Names and tokens of the user's texts, or of what goes with the model, to measure heads in."""
        if not texts:
            return self.held_out(progress)
        # whole numbers of four bytes: a list of millions of tokens takes ten times as much
        return tokenized(texts, lambda text: array("i", self.encode(text).int().numpy().tobytes()))

    def windows(self, documents: Sequence[NamedTokens], length: int, count: int, *, seed: int) -> Windows:
        """Windows to measure heads in, each with `first_token` at its start; arguments and errors as `text.windows`."""
        return windows(documents, length, count, seed=seed, bos_id=self.first_token)

    def evaluation_texts(self, texts: Sequence[Path], progress: Progress) -> Texts:
        """The user's texts, or what goes with the model, to evaluate it on."""
        return read_texts(self, texts) if texts else self.test_texts(progress)


class PretrainedModel(Model):
    """A checkpoint of transformers; without a text it reads the pinned ones, which it may have been trained on."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        precision: str = "float32",
        name: str | None = None,
        pinned_sha256: str | None = None,
        revision: str | None = None,
        layers: LayerFiles | None = None,
    ) -> None:
        """Wrap a loaded checkpoint, or one whose `layers` are read when they are run.

        `name` stands in records in place of the folder's, `revision` beside it.
        """
        self.revision, self.layers = revision, layers
        self.device = checkpoint.model.device.type if layers is None else layers.device.type
        self.checkpoint, self.precision, self.pinned_sha256 = checkpoint, precision, pinned_sha256
        self.name, self.sha256 = name or checkpoint.name, checkpoint.sha256
        self.context_length = self.trained_length = checkpoint.context_length
        self.first_token = first_token(checkpoint)

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """Its context and a half, a quarter and an eighth of it."""
        return tuple(sorted({max(2, self.context_length // part) for part in (1, 2, 4, 8)}))

    @property
    def default_window(self) -> int:
        """2048, or its context where that is shorter."""
        return min(DEFAULT_WINDOW, self.context_length)

    def encode(self, text: str) -> Int[Tensor, " length"]:
        """As its tokenizer does; `InputError` without one."""
        return self.checkpoint.encode(text, special_tokens=False)

    @property
    def window_begin(self) -> str:
        """With the token's text."""
        if self.first_token is None:
            return super().window_begin
        tokenizer: Any = self.checkpoint.tokenizer
        return f"{tokenizer.convert_ids_to_tokens(self.first_token)} (token {self.first_token})"

    def encode_sized(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """See `encoded`."""
        return encoded(self.checkpoint, text)

    @cached_property
    def _evaluated(self) -> Checkpoint:
        check_head(self.checkpoint)
        return self.checkpoint

    def reader(self, length: int, extension: Extension) -> tuple[Read, int]:
        """See `pretrained_losses.pretrained_reader`; errors also as `check_head`."""
        return pretrained_reader(self._evaluated, length, extension)

    def check_rotates(self) -> None:
        """Every checkpoint that was loaded does, but for those with TAPA in the rotation's place."""
        if not self.checkpoint.rotates:
            raise InputError(
                f"{self.name} scores by TAPA and rotates nothing; `tapa evaluate` takes it, or `tapa convert --to rope`"
            )

    def capture(self, tokens: Int[Tensor, "batch length"], consumer: Consumer) -> None:
        """See `capture.capture_checkpoint`."""
        if self.layers is None:
            capture_checkpoint(self.checkpoint, tokens, consumer)
        else:
            capture_layers(self.layers, self.checkpoint, tokens, lambda _, found: consumer(found), silent)

    def capture_windows(
        self, tokens: Int[Tensor, "windows length"], consumer: WindowConsumer, progress: Progress
    ) -> None:
        """By layers if that is how its weights are read, else by windows."""
        if self.layers is None:
            super().capture_windows(tokens, consumer, progress)
        else:
            capture_layers(self.layers, self.checkpoint, tokens, consumer, progress)

    def held_out(self, progress: Progress) -> list[NamedTokens]:
        """The pinned texts."""
        return self.documents(assets.fetch_texts(progress=progress), progress)

    def test_texts(self, progress: Progress) -> Texts:
        """The pinned texts."""
        return read_texts(self, assets.fetch_texts(progress=progress))


class TrainedModel(Model):
    """A model of `tapa train`; without a text it reads what its own corpus holds out."""

    precision = "float32"

    def __init__(self, path: Path) -> None:
        """Open a run, a checkpoint or a model file; errors as `checkpoint.load_model`."""
        self.path, self.checkpoint = path, read_checkpoint(path)
        self.llama = load_model(self.checkpoint.file)
        self.sha256 = huggingface.sha256([self.checkpoint.file])
        config = self.checkpoint.config
        self.context_length = config.context
        self.trained_length = config.method.trained_length or config.context

    @property
    def name(self) -> str:
        """Method, seed and steps, whatever the folder is called."""
        method, seed = self.checkpoint.config.method.name, self.checkpoint.recipe.get("seed", "unknown")
        return f"{method}, seed {seed}, step {self.checkpoint.step}"

    @property
    def default_lengths(self) -> tuple[int, ...]:
        """The trained length and 2, 4 and 8 times it."""
        return tuple(self.trained_length * times for times in (1, 2, 4, 8))

    @property
    def default_window(self) -> int:
        """What it was trained to read."""
        return self.context_length

    def encode(self, text: str) -> Int[Tensor, " length"]:
        """Bytes, or pairs of its own tokenizer; errors as `own_tokenizer`."""
        return torch.from_numpy(self.encode_sized(text)[0].astype(np.int64))

    def encode_sized(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """As `encode`."""
        tokenizer = own_tokenizer(self.checkpoint)
        return bytes_of(text) if tokenizer is None else _pairs_of(tokenizer, text)

    def reader(self, length: int, extension: Extension) -> tuple[Read, int]:
        """See `token_losses.llama_reader`."""
        return llama_reader(self.llama, length, extension)

    def check_rotates(self) -> None:
        """Not with a phase, without a rotation, or with queries and keys scaled apart."""
        method = self.checkpoint.config.method.name
        if self.checkpoint.config.method.is_users:
            raise InputError(
                f"{self.path} was trained with method={method}; `tapa bias` measures every method"
            )
        if method not in ROTATING:
            raise InputError(f"{self.path} was trained with method={method}: {_instead(method, self.path)}")

    def capture(self, tokens: Int[Tensor, "batch length"], consumer: Consumer) -> None:
        """See `capture.capture_llama`."""
        capture_llama(self.llama, tokens, consumer, name=self.name)

    def held_out(self, progress: Progress) -> list[NamedTokens]:
        """The validation documents of its corpus; errors as `own_corpus`."""
        return [
            (d.name, d.tokens.tolist()) for d in own_corpus(self.checkpoint, progress, OTHER_TEXT).validation
        ]

    def test_texts(self, progress: Progress) -> Texts:
        """The test documents of its corpus; errors as `own_corpus`."""
        data, tokenizer = own_corpus(self.checkpoint, progress, OTHER_TEXT), own_tokenizer(self.checkpoint)
        per_token = np.ones(256, np.int64) if tokenizer is None else tokenizer.token_bytes
        return list(data.test), {d.name: per_token[d.tokens] for d in data.test}


def open_model(
    name: str | Path,
    *,
    precision: str = "float32",
    device: str = "cpu",
    revision: str | None = None,
    by_layers: bool = False,
    progress: Progress = silent,
) -> Model:
    """The one door to a model: by the name of a pinned one or one of the hub, or by where it lies.

    Args:
        name: "smollm2" or "gemma3-270m" (fetched on first use), a run, checkpoint or file of `tapa train`, a Hugging
            Face folder of safetensors, a .gguf file, or "organisation/model" of the hub.
        precision: of another's forward, a name of `settings.PRECISIONS`.
        device: of another's forward, a name of `settings.DEVICES`.
        revision: branch, tag or commit of a model of the hub.
        by_layers: read the weights of a layer when it is run, where the checkpoint allows it: to measure heads, not to
            evaluate.
        progress: called with (what, done, total).

    Raises:
        InputError: there is none (the nearest name is suggested), it is damaged or of no supported kind, another
            precision or device is asked of a model of `tapa train`, or torch has no such device here.

    >>> open_model('smolm2')
    Traceback (most recent call last):
        ...
    analysis.errors.InputError: smolm2: no such file or folder; did you mean smollm2?
    """
    check_device(device)
    check_precision(precision)
    path, commit = _located(name, revision, progress)
    source = pinned(name)
    if source is None and is_ours(path):
        if precision != "float32" or device != "cpu":
            asked = f"precision={precision}" if precision != "float32" else f"device={device}"
            raise InputError(f"{asked}: a model of `tapa train` is read in float32 on the CPU; leave it out")
        return TrainedModel(path)
    say_if_emulated(device, precision)
    dtype = getattr(torch, precision)
    called = source.title if source is not None else None if commit is None else str(name)
    digest = None if source is None else source.sha256
    layered = load_layers(path, dtype=dtype, device=device, progress=progress) if by_layers else None
    if layered is None:
        checkpoint, layers = load_checkpoint(path, dtype=dtype, device=device, progress=progress), None
    else:
        checkpoint, layers = layered
    return PretrainedModel(
        checkpoint, precision=precision, name=called, pinned_sha256=digest, revision=commit, layers=layers
    )


def _located(name: str | Path, revision: str | None, progress: Progress) -> tuple[Path, str | None]:
    """Where a model lies, fetched if its name says so, and the commit of one of the hub."""
    assets.check_model_name(name, revision=revision)
    if assets.is_hub_name(name):
        return fetch_from_hub(str(name), revision, progress)
    if str(name) == SMOLLM2:
        return fetch_smollm2(progress=progress), None
    if (source := pinned(name)) is not None:
        return fetch_model(source, progress=progress), None
    return Path(name), None


def memory_of(
    name: str | Path,
    *,
    windows: int,
    length: int | None,
    precision: str,
    device: str,
    revision: str | None = None,
    progress: Progress = silent,
) -> tuple[MemoryNeed, MemoryNeed] | None:
    """Memory that measuring a checkpoint layer by layer takes and what is free, before its weights are read.

    None for a model of `tapa train`, which is small.

    Args and errors: as `open_model` and `memory.memory_needed`.
    """
    check_device(device)
    path, _ = _located(name, revision, progress)
    if pinned(name) is None and is_ours(path):
        return None
    source = huggingface.inspect(path)
    with quiet_transformers():
        check_config(source)
    config = read_config(source)
    need = memory_needed(
        source, config, windows=windows, length=length or min(DEFAULT_WINDOW, _context_of(config)),
        precision=precision, device=device, by_layers=source.gguf_file is None,
    )  # fmt: skip
    return need, free_memory(device)


@contextlib.contextmanager
def evaluating(model: Model | nn.Module) -> Iterator[Model]:
    """A model to measure, out of one of `open_model` or of transformers in memory, for the length of a `with`.

    What is in memory is in evaluation mode meanwhile; then every module is in the mode that it was in.

    Raises:
        InputError: it is of another kind, or of an architecture whose queries and keys cannot be captured.
    """
    if isinstance(model, Model):
        yield model
        return
    if not isinstance(model, PreTrainedModel):
        raise InputError(
            f"{type(model).__name__} is no model that can be measured; give a causal model of transformers, or what "
            f"open_model gives"
        )
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield PretrainedModel(Checkpoint.of(model, name=str(model.name_or_path) or type(model).__name__))
    finally:
        for module, mode in modes:
            module.training = mode


def weights_sha256(
    name: str | Path, progress: Progress = silent, *, revision: str | None = None
) -> tuple[str, int]:
    """SHA-256 of a model's weights, and the window in which its heads are measured by default, without loading it.

    Args: as `open_model`.

    Raises:
        InputError: as `open_model` for what is missing, no model, or truncated.
    """
    path, _ = _located(name, revision, progress)
    if pinned(name) is None and is_ours(path):
        found = read_checkpoint(path)
        return huggingface.sha256([found.file]), found.config.context
    source = huggingface.inspect(path)
    with quiet_transformers():
        window = min(DEFAULT_WINDOW, _context_of(read_config(source)))
    return huggingface.sha256(source.weights, _if_large(source, progress)), window


def _context_of(config: Any) -> int:
    """The context that a configuration declares; 2048 where it declares none that can be one."""
    found = getattr(config, "max_position_embeddings", None)
    return found if isinstance(found, int) and found > 0 else DEFAULT_WINDOW


def _instead(method: str, path: Path) -> str:
    if method.startswith("tapa"):
        return f"its heads have a phase and no rotation; use `tapa phase {path}`"
    kinds = {
        "xpos": "its queries and keys are scaled apart as they rotate",
        "interleaved": "some of its layers rotate nothing",
        "accumulated": "its heads rotate by angles that tokens add up to, not by position",
        "pope": "its heads rotate magnitudes of their queries and keys",
    }
    kind = kinds.get(method, "its heads rotate nothing")
    return f"{kind}; `tapa bias` measures mean scores by distance of every method"


def _pairs_of(tokenizer: BytePairs, text: str) -> tuple[np.ndarray, np.ndarray]:
    tokens = tokenizer.encode(text.encode())
    return tokens, tokenizer.token_bytes[tokens]


def bytes_of(text: str) -> tuple[np.ndarray, np.ndarray]:
    """A text as UTF-8 bytes, each one token."""
    tokens = np.frombuffer(text.encode(), np.uint8)
    return tokens, np.ones(len(tokens), np.int64)


def encoded(checkpoint: Checkpoint, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Token ids of a text without special tokens, and the bytes of text that each brings.

    Where tokens split a character, its bytes count for the first of them: sums over a run of tokens are those of
    the text to within a character.

    Raises:
        InputError: the checkpoint has no tokenizer, or one that does not say where its tokens stand.
    """
    tokenizer: Any = checkpoint.tokenizer
    if tokenizer is None or not tokenizer.is_fast:
        raise InputError(
            f"{checkpoint.name} has no fast tokenizer; put its tokenizer.json beside the weights"
        )
    found = checkpoint.tokenized(text, add_special_tokens=False, return_offsets_mapping=True)
    ends = np.array([end for _, end in found["offset_mapping"]], dtype=np.int64)
    before = np.concatenate([[0], np.cumsum([len(character.encode()) for character in text])])
    return np.array(found["input_ids"], dtype=np.int64), np.diff(
        before[np.maximum.accumulate(ends)], prepend=0
    )


def first_token(checkpoint: Checkpoint) -> int | None:
    """The token that its tokenizer puts before every text, None where it puts nothing; of several the first."""
    tokenizer: Any = checkpoint.tokenizer
    if tokenizer is None:
        return None
    found = checkpoint.tokenized("a", return_special_tokens_mask=True)
    ids, special = found["input_ids"], found["special_tokens_mask"]
    begins = bool(special) and bool(special[0])
    # an end that is put after every text is no beginning, where "a" itself is no token
    return ids[0] if begins and (len(ids) > 1 or ids[0] == tokenizer.bos_token_id) else None


def read_texts(model: Model, paths: Sequence[Path]) -> Texts:
    """UTF-8 files as a model's tokens; files of one name in different folders get a number."""
    documents: list[Document] = []
    sizes: Sizes = {}
    for path in paths:
        count = sum(d.name == path.name or d.name.startswith(f"{path.name} (") for d in documents)
        name = f"{path.name} ({count + 1})" if count else path.name
        tokens, sizes[name] = model.encode_sized(read_text(path))
        documents.append(Document(name, tokens))
    return documents, sizes
