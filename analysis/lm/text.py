"""Corpora: texts as bytes, deduplicated, split by document, with a manifest. Import from here.

What makes a corpus is its content: file names, their order and the machine decide nothing. Documents stay
whole. Two documents in different splits share no run of 50 words (`overlap.groups`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.download import Progress, silent
from analysis.errors import InputError
from analysis.lm.overlap import WORDS, groups
from analysis.lm.sources import Raw, read_folder, read_source
from analysis.lm.splits import SPLITS, Split, split
from analysis.lm.tokenizer import BytePairs, fit
from analysis.lm.windows import Batches, Document, Spans, batch_at, spans

__all__ = ["Batches", "Corpus", "Document", "Spans", "batch_at", "corpus", "from_texts", "spans", "tokenized"]


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Documents in three splits, each ordered by the SHA-256 of its documents' bytes.

    Attributes:
        train: to learn from.
        validation: to choose recipes by.
        test: to report on.
        vocab_size: 256 for bytes.
        manifest: fit for JSON: origin and versions; rule and seed of the split; name, bytes, sha256, split and
            group of each document; name and reason of what was left out.
        sha256: of splits and contents, in order, and of the tokenizer: equal for equal training and test data,
            whatever the files are called and wherever they came from.
        tokenizer: that made the tokens; None for bytes.
    """

    train: tuple[Document, ...]
    validation: tuple[Document, ...]
    test: tuple[Document, ...]
    vocab_size: int
    manifest: dict[str, Any]
    sha256: str
    tokenizer: BytePairs | None = None


def corpus(
    source: str | Path, *, seed: int = 0, vocabulary: int | None = None, progress: Progress = silent
) -> Corpus:
    """A source, split by document, as bytes or as byte pairs.

    Args:
        source: "texts" (Shakespeare and Milton, fetched once by pinned hash), "code" (Python sources of the
            installed numpy, scipy, sympy and torch), "texts+code", or a folder of UTF-8 .txt, .md and .py files.
            A folder that is called texts or code: give a Path, or "./texts".
        seed: >= 0, of the split.
        vocabulary: tokens of a byte-pair tokenizer learned from the train split, >= 257; None for bytes.
        progress: told what is being done.

    Raises:
        InputError: as `read_source`, `from_texts` and `tokenizer.fit`.
    """
    raw = read_folder(source) if isinstance(source, Path) else read_source(source, progress=progress)
    progress("deduplicate and split", 0, 0)
    found = from_texts(raw, seed=seed)
    if vocabulary is None:
        return found
    progress("learn byte pairs", 0, 0)
    return tokenized(found, fit((document.tokens.tobytes() for document in found.train), vocabulary))


def from_texts(raw: Raw, *, seed: int = 0) -> Corpus:
    """Corpus of documents that were read.

    Of documents with the same bytes the first by name is kept. Documents that share text go into one split.

    Args:
        raw: the documents.
        seed: >= 0, of the split.

    Raises:
        InputError: `seed` is negative, or fewer than three groups of documents share no text.
    """
    if seed < 0:
        raise InputError(f"seed={seed} is below 0; give 0 or more")
    kept, copies = _distinct(raw.texts)
    hashes = [hashlib.sha256(data).hexdigest() for _, data in kept]
    group = groups([data for _, data in kept])
    keys = [hashlib.sha256(f"{seed} {sha256}".encode()).hexdigest() for sha256 in hashes]
    chosen = split(np.array([len(data) for _, data in kept]), group, keys)
    order = sorted(range(len(kept)), key=lambda i: (SPLITS.index(chosen[i]), hashes[i]))
    listed = [
        {
            "name": kept[i][0],
            "bytes": len(kept[i][1]),
            "sha256": hashes[i],
            "split": chosen[i],
            "group": int(group[i]),
        }
        for i in order
    ]
    train, validation, test = (_documents(name, chosen, order, kept) for name in SPLITS)
    sha256 = hashlib.sha256("".join(f"{item['split']} {item['sha256']}\n" for item in listed).encode())
    manifest = {
        "origin": raw.origin,
        "rule": f"by document; no run of {WORDS} words is shared between splits; seed {seed}",
        "documents": listed,
        "left_out": [{"name": name, "why": why} for name, why in (*raw.left_out, *copies)],
        "sha256": sha256.hexdigest(),
    }
    return Corpus(train, validation, test, 256, manifest, sha256.hexdigest())


def tokenized(of_bytes: Corpus, tokenizer: BytePairs) -> Corpus:
    """The same documents and splits in a tokenizer's tokens: one just learned, or a checkpoint's own.

    Raises:
        InputError: the corpus is not of bytes.
    """
    if of_bytes.tokenizer is not None:
        raise InputError(f"the corpus is in tokens of {of_bytes.tokenizer.sha256} already; give one of bytes")
    train, validation, test = (
        tuple(Document(d.name, tokenizer.encode(d.tokens.tobytes())) for d in part)
        for part in (of_bytes.train, of_bytes.validation, of_bytes.test)
    )
    sha256 = hashlib.sha256(f"{of_bytes.sha256} {tokenizer.sha256}\n".encode()).hexdigest()
    manifest = {**of_bytes.manifest, "tokenizer_sha256": tokenizer.sha256, "sha256": sha256}
    return Corpus(train, validation, test, tokenizer.size, manifest, sha256, tokenizer)


def _distinct(texts: Sequence[tuple[str, bytes]]) -> tuple[list[tuple[str, bytes]], list[tuple[str, str]]]:
    """Documents with different bytes, in order of their names; and the copies, each with its reason."""
    first: dict[bytes, str] = {}
    copies = []
    for name, data in sorted(texts):
        if data in first:
            copies.append((name, f"same bytes as {first[data]}"))
        else:
            first[data] = name
    return [(name, data) for data, name in first.items()], copies


def _documents(
    name: Split, chosen: Sequence[Split], order: Sequence[int], kept: Sequence[tuple[str, bytes]]
) -> tuple[Document, ...]:
    return tuple(
        Document(kept[i][0], np.frombuffer(kept[i][1], np.uint8)) for i in order if chosen[i] == name
    )
