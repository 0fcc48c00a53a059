"""What is evaluated: a model of ours or another's, under one face, and the texts it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from analysis import assets
from analysis.errors import InputError
from analysis.heads import checkpoint as hugging_face
from analysis.heads import files
from analysis.heads.job import SMOLLM2, SMOLLM2_NAME
from analysis.heads.model import Checkpoint
from analysis.lm import state
from analysis.lm.evaluate import Read
from analysis.lm.extensions import Extension
from analysis.lm.own_corpus import own_corpus, own_tokenizer
from analysis.lm.readers import check_head, llama_reader, pretrained_reader
from analysis.lm.text import Document
from analysis.lm.tokenizer import BytePairs
from analysis.texts import read_text

Progress = Callable[[str, int, int], None]
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


def opened(model: str, *, precision: str, progress: Progress) -> Subject:
    """The model of that name.

    Raises:
        InputError: there is none, it is damaged or of no supported kind, or bfloat16 is asked of a model of ours.
    """
    if model == SMOLLM2:
        folder = assets.fetch_smollm2(progress=progress)
        subject = _pretrained(replace(_loaded(folder, precision), name=SMOLLM2_NAME), precision)

        def pinned(progress: Progress) -> Texts:
            return read_texts(subject, assets.fetch_texts(progress=progress))

        return replace(subject, own_texts=pinned)
    path = Path(model)
    if not path.exists():
        raise InputError(
            f"{path}: no such file or folder; give {SMOLLM2}, a model of `tapa train`, or another's"
        )
    if not state.is_ours(path):
        return _pretrained(_loaded(path, precision), precision)
    if precision != "float32":
        raise InputError(f"precision={precision}: a model of `tapa train` is read in float32; leave it out")
    return _ours(path)


def _loaded(path: Path, precision: str) -> Checkpoint:
    return hugging_face.load(path, dtype=getattr(torch, precision))


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
    found = state.read_checkpoint(path)
    config, model = found.config, state.load_model(path)
    trained = config.method.trained_length or config.context
    tokenizer = own_tokenizer(found)

    def test_split(progress: Progress) -> Texts:
        data = own_corpus(found, progress)
        per_token = np.ones(256, np.int64) if tokenizer is None else tokenizer.token_bytes
        return list(data.test), {d.name: per_token[d.tokens] for d in data.test}

    return Subject(
        name=f"{config.method.name}, step {found.step}",
        sha256=files.sha256([found.file]),
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
