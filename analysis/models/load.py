"""What is evaluated: a model of ours or another's, under one face, and the texts it is given."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from analysis import assets
from analysis.assets import ModelSource, _alone, _gguf, _make, _verified, cache_folder, writing_to
from analysis.errors import InputError
from analysis.models import checkpoint, huggingface
from analysis.models.capture import OurModel, verify
from analysis.models.checkpoint import load_model, own_corpus, own_tokenizer, read_checkpoint
from analysis.models.huggingface import Checkpoint, _check_config, _model, _quiet, _tokenizer, check_row_order
from analysis.models.llama import ROTATING
from analysis.models.token_losses import Read, check_head, llama_reader, pretrained_reader
from analysis.progress import Progress, silent
from analysis.records import printable
from analysis.text.tokenizer import BytePairs
from analysis.text.windows import Document, read_text
from analysis.theory.frequencies import Extension


def load(model_path: Path, *, dtype: torch.dtype = torch.float32) -> Checkpoint:
    """A model with its tokenizer and facts, its rotation verified and, for .gguf, its row order.

    Nothing is looked up on the network and no code that comes with a checkpoint is run.

    Args:
        model_path: a folder with config.json and safetensors, or a .gguf file.
        dtype: of the weights in memory.

    Raises:
        InputError: for a path that is missing, a pickle (never opened), a truncated or incomplete checkpoint,
            an architecture without RoPE or not in the table, an unknown rope type, quantised safetensors, or
            a model whose own rotation is not what its configuration says.
    """
    source = huggingface.inspect(Path(model_path))
    with _quiet():
        _check_config(source)
        tokenizer = _tokenizer(source)
        model = _model(source, dtype)
    name = printable(source.path.resolve().name.removesuffix(".gguf"))
    checkpoint = Checkpoint.of(
        model, name=name, tokenizer=tokenizer, sha256=huggingface.sha256(source.weights)
    )
    verify(checkpoint)
    if source.gguf_file and checkpoint.family.permuted_in_gguf:
        check_row_order(checkpoint)
    return checkpoint


# A .gguf checkpoint, rewritten once as a folder of safetensors: it loads many times faster from there.


def gguf_to_folder(gguf: Path, folder: Path) -> None:
    """Write model and tokenizer of a .gguf as a Hugging Face folder, verified as `checkpoint.load` verifies.

    Quantised weights are expanded to the float32 values that they stand for; nothing is quantised again.

    Args:
        gguf: of an architecture that `checkpoint.load` takes.
        folder: made with its parents; `config.json`, `model.safetensors` and the tokenizer's files go there.
            A conversion that fails removes it, one that is killed leaves it half-written: convert into a
            temporary name and rename.

    Raises:
        InputError: as `checkpoint.load` (missing, truncated, no rotation, rows of q and k out of order);
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

    checkpoint = load(gguf)
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


def fetch_smollm2(
    *,
    source: ModelSource = assets.SMOLLM2,
    convert: Callable[[Path, Path], None] = gguf_to_folder,
    progress: Progress = silent,
) -> Path:
    """Folder with config.json, model.safetensors (float32) and tokenizer of SmolLM2-135M-Instruct.

    Fetches, unpacks and converts what is not there yet; a second call only verifies and touches no network.

    Args:
        source: which checkpoint; tests give a small one.
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
    if _verified(folder, stamp):
        return folder
    with _alone(cache, source.name, progress):
        if not _verified(folder, stamp):  # nor has another process made it meanwhile
            gguf = _gguf(source, cache, progress)
            progress("convert to safetensors", 0, 1)
            with writing_to(cache):
                _make(folder, stamp, lambda new: convert(gguf, new))
            progress("convert to safetensors", 1, 1)
    return folder


def open_rotary(path: Path) -> OurModel:
    """A model of `tapa train` whose heads rotate.

    Raises:
        InputError: as `state.load_model`; or its method does not rotate queries and keys alike: the message says
            what it does instead, and which command fits.
    """
    checkpoint = read_checkpoint(path)
    method = checkpoint.config.method
    if method.name not in ROTATING:
        raise InputError(f"{path} was trained with method={method.name}: {_instead(method.name, path)}")
    return OurModel(checkpoint, load_model(checkpoint.file), huggingface.sha256([checkpoint.file]))


def _instead(method: str, path: Path) -> str:
    if method.startswith("tapa"):
        return f"its heads have a phase and no rotation; use `tapa phase {path}`"
    kind = (
        "its queries and keys are scaled apart as they rotate"
        if method == "xpos"
        else "its heads rotate nothing"
    )
    return f"{kind}; `tapa bias` measures mean scores by distance of every method"


SMOLLM2 = "smollm2"
SMOLLM2_NAME = "SmolLM2-135M-Instruct"

Sizes = dict[str, Int[np.ndarray, " size"]]
Texts = tuple[list[Document], Sizes]
"""Documents as a model's tokens, and by their names the bytes that each token stands for."""
Encode = Callable[[str], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A model ready to be evaluated.

    Attributes:
        name: for the record.
        sha256: of its weights.
        trained_length: tokens.
        default_lengths: read if none are asked for.
        precision: of its forward.
        reader: for windows of a length under an extension: what reads them, and how many at once.
        encode: tokens of a text, and the bytes that each stands for.
        first_token: put first in every window, None for none.
        own_texts: what is read if no text is given; None if there is no such thing.
    """

    name: str
    sha256: str
    trained_length: int
    default_lengths: tuple[int, ...]
    precision: str
    reader: Callable[[int, Extension], tuple[Read, int]]
    encode: Encode
    first_token: int | None = None
    own_texts: Callable[[Progress], Texts] | None = None


def open_subject(model: str, *, precision: str, progress: Progress) -> Subject:
    """The model of that name.

    Raises:
        InputError: there is none, it is damaged or of no supported kind, or bfloat16 is asked of a model of ours.
    """
    if model == SMOLLM2:
        folder = fetch_smollm2(progress=progress)
        subject = _pretrained(replace(_loaded(folder, precision), name=SMOLLM2_NAME), precision)

        def pinned(progress: Progress) -> Texts:
            return read_texts(subject, assets.fetch_texts(progress=progress))

        return replace(subject, own_texts=pinned)
    path = Path(model)
    if not path.exists():
        raise InputError(
            f"{path}: no such file or folder; give {SMOLLM2}, a model of `tapa train`, or another's"
        )
    if not checkpoint.is_ours(path):
        return _pretrained(_loaded(path, precision), precision)
    if precision != "float32":
        raise InputError(f"precision={precision}: a model of `tapa train` is read in float32; leave it out")
    return _ours(path)


def _loaded(path: Path, precision: str) -> Checkpoint:
    return load(path, dtype=getattr(torch, precision))


def _pretrained(checkpoint: Checkpoint, precision: str) -> Subject:
    check_head(checkpoint)
    context = checkpoint.context_length
    return Subject(
        name=checkpoint.name,
        sha256=checkpoint.sha256,
        trained_length=context,
        default_lengths=tuple(sorted({max(2, context // part) for part in (1, 2, 4, 8)})),
        precision=precision,
        reader=lambda length, extension: pretrained_reader(checkpoint, length, extension),
        encode=lambda text: encoded(checkpoint, text),
        first_token=first_token(checkpoint),
    )


def _ours(path: Path) -> Subject:
    found = checkpoint.read_checkpoint(path)
    config, model = found.config, checkpoint.load_model(path)
    trained = config.method.trained_length or config.context
    tokenizer = own_tokenizer(found)

    def test_split(progress: Progress) -> Texts:
        data = own_corpus(found, progress)
        per_token = np.ones(256, np.int64) if tokenizer is None else tokenizer.token_bytes
        return list(data.test), {d.name: per_token[d.tokens] for d in data.test}

    return Subject(
        name=f"{config.method.name}, step {found.step}",
        sha256=huggingface.sha256([found.file]),
        trained_length=trained,
        default_lengths=tuple(trained * times for times in (1, 2, 4, 8)),
        precision="float32",
        reader=lambda length, extension: llama_reader(model, length, extension),
        encode=bytes_of if tokenizer is None else lambda text: _pairs_of(tokenizer, text),
        own_texts=test_split,
    )


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
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ends = np.array([end for _, end in found["offset_mapping"]], dtype=np.int64)
    before = np.concatenate([[0], np.cumsum([len(character.encode()) for character in text])])
    return np.array(found["input_ids"], dtype=np.int64), np.diff(
        before[np.maximum.accumulate(ends)], prepend=0
    )


def first_token(checkpoint: Checkpoint) -> int | None:
    """The token that its tokenizer puts before every text, if it does."""
    tokenizer: Any = checkpoint.tokenizer
    if tokenizer is None or tokenizer.bos_token_id is None:
        return None
    ids = tokenizer("a", verbose=False)["input_ids"]
    return tokenizer.bos_token_id if ids and ids[0] == tokenizer.bos_token_id else None


def texts_of(subject: Subject, texts: Sequence[Path], progress: Progress) -> Texts:
    """What a model is evaluated on: the user's texts, or what goes with the model.

    Raises:
        InputError: no text was given for a model that has none of its own; or as that model's own say.
    """
    if texts:
        return read_texts(subject, texts)
    if subject.own_texts is None:
        raise InputError(
            f"no text for {subject.name}; give --text FILE, UTF-8, longer than the longest window"
        )
    return subject.own_texts(progress)


def read_texts(subject: Subject, paths: Sequence[Path]) -> Texts:
    """UTF-8 files as a model's tokens; files of one name in different folders get a number."""
    documents: list[Document] = []
    sizes: Sizes = {}
    for path in paths:
        count = sum(d.name == path.name or d.name.startswith(f"{path.name} (") for d in documents)
        name = f"{path.name} ({count + 1})" if count else path.name
        tokens, sizes[name] = subject.encode(read_text(path))
        documents.append(Document(name, tokens))
    return documents, sizes
