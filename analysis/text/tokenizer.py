"""Byte pairs: a tokenizer learned from a corpus's own train split, as an option beside bytes."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int, Integer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from analysis.errors import InputError
from analysis.files import write_whole
from analysis.inputs import read_whole

LEAST = 257
"""Tokens a vocabulary needs: every byte, and one pair."""


@contextlib.contextmanager
def tokenizers_errors(name: object) -> Iterator[None]:
    """Turns what the tokenizers library raises for a tokenizer that it cannot use into one line that names it."""
    try:
        yield
    except Exception as error:
        if type(error) is not Exception:
            raise
        reason = " ".join(str(error).split())[:240]
        raise InputError(
            f"{name}: the tokenizer cannot be used: {reason}; give the one of the model"
        ) from error


@dataclass(frozen=True, slots=True, eq=False)
class BytePairs:
    """A byte-level byte-pair tokenizer without special tokens; any UTF-8 text goes through it and back.

    Attributes:
        json: all of it, as the tokenizers library writes it.

    >>> pairs = learn_byte_pairs([b'the theory of the thing'], 260)
    >>> pairs.size, pairs.decode(pairs.encode(b'the thing'))
    (260, b'the thing')
    """

    json: str
    _tokenizer: Tokenizer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        with tokenizers_errors("byte pairs"):
            object.__setattr__(self, "_tokenizer", Tokenizer.from_str(self.json))
        numbers = self._tokenizer.get_vocab().values()
        if set(numbers) != set(range(len(numbers))):
            raise InputError(
                f"byte pairs: {len(numbers)} tokens are not numbered 0 to {len(numbers) - 1}; train the model again"
            )

    @property
    def size(self) -> int:
        """Tokens in the vocabulary."""
        return self._tokenizer.get_vocab_size()

    @property
    def sha256(self) -> str:
        """SHA-256 of `json`, in hexadecimal."""
        return hashlib.sha256(self.json.encode()).hexdigest()

    @property
    def token_bytes(self) -> Int[np.ndarray, " vocab"]:
        """Bytes that each token stands for: what turns bits per token into bits per byte."""
        sizes = np.zeros(self.size, np.int64)
        for token, number in self._tokenizer.get_vocab().items():
            sizes[number] = len(token)  # one character for each byte
        return sizes

    def encode(self, data: bytes) -> Integer[np.ndarray, " tokens"]:
        """Tokens of UTF-8 text, uint16 where the vocabulary allows, else int32."""
        with tokenizers_errors("byte pairs"):
            ids = self._tokenizer.encode(data.decode()).ids
        return np.array(ids, dtype=np.uint16 if self.size <= 1 << 16 else np.int32)

    def decode(self, tokens: Integer[np.ndarray, " tokens"]) -> bytes:
        """UTF-8 text of tokens; what is no whole character becomes U+FFFD."""
        return self._tokenizer.decode(tokens.tolist()).encode()

    def save(self, path: Path) -> None:
        """Write `json`, whole or not at all."""
        write_whole(path, self.json)


def learn_byte_pairs(texts: Iterable[bytes], size: int) -> BytePairs:
    """Learn byte pairs by their counts; no randomness, the same texts in the same order give the same pairs.

    >>> pairs = learn_byte_pairs([b"the theory of the thing"], 260)
    >>> tokens = pairs.encode(b"the thing")
    >>> len(tokens), pairs.decode(tokens)
    (5, b'the thing')

    Args:
        texts: UTF-8, e.g. of the train split.
        size: of the vocabulary, >= LEAST.

    Raises:
        InputError: `size` is too small, or larger than the texts can fill.
    """
    if size < LEAST:
        raise InputError(f"vocabulary={size} is below {LEAST}, all bytes and one pair; give {LEAST} or more")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator((data.decode() for data in texts), trainer)
    if (found := tokenizer.get_vocab_size()) < size:
        raise InputError(f"the train split fills a vocabulary of {found}, not of {size}; give a smaller one")
    return BytePairs(tokenizer.to_str())


def load_byte_pairs(path: Path, *, sha256: str) -> BytePairs:
    """The tokenizer that `BytePairs.save` wrote, and no other.

    Args:
        path: the file.
        sha256: that a corpus's manifest gives as `tokenizer_sha256`.

    Raises:
        InputError: the file cannot be read, or has another hash.

    >>> import hashlib, tempfile
    >>> pairs = learn_byte_pairs([b'the theory of the thing'], 260)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / 'pairs.json'
    ...     pairs.save(path)
    ...     load_byte_pairs(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest()).size
    260
    """
    data = read_whole(path, "tokenizer", "give an existing file")
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise InputError(
            f"tokenizer {path} has sha256 {found}, the corpus {sha256}; give the file of that run"
        )
    return BytePairs(data.decode())
