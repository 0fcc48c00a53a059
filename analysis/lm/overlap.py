"""Which documents share text: exact detection of common runs of words, however they are laid out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int, UInt64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from analysis.errors import InputError

WORDS = 50
"""Words of a run that counts as shared, about 200 bytes."""

_BLOCK = 1 << 16  # runs that are hashed at once
_FACTOR = 0x9E3779B97F4A7C15  # odd: it has an inverse modulo 2^64
_INVERSE = pow(_FACTOR, -1, 1 << 64)


def groups(texts: Sequence[bytes], words: int = WORDS) -> Int[np.ndarray, " texts"]:
    """Group of each text, 0 to groups - 1: texts of different groups share no run of `words` words.

    A word is a maximal run of ASCII letters, digits and underscores, or any other single byte that is no white
    space. White space separates words and counts for nothing else, so re-wrapped or re-indented text is the
    same. Two texts share a run when `words` words in a row of one occur in a row in the other; a group
    is what hangs together by such pairs, directly or through others. Texts of fewer words share none.

    Runs are compared by hashes of 64 bits, less those that number the texts: a chance collision puts two
    texts into one group that need not be, and cannot separate two that share a run.

    Args:
        texts: the bytes of each.
        words: of a run, >= 1.

    Raises:
        InputError: `words` is below 1.
    """
    if words < 1:
        raise InputError(f"words={words} is below 1; give 1 or more")
    bits = np.uint64(max(len(texts) - 1, 1).bit_length())
    marked = [
        (run >> bits << bits) | np.uint64(number)
        for number, text in enumerate(texts)
        for run in _runs(np.frombuffer(text, np.uint8), words)
    ]
    runs = np.concatenate([np.empty(0, np.uint64), *marked])
    del marked
    runs.sort()
    same = runs[1:] >> bits == runs[:-1] >> bits
    mask = (np.uint64(1) << bits) - np.uint64(1)
    one, other = (part[same] & mask for part in (runs[:-1], runs[1:]))
    links = coo_array((np.ones(len(one), bool), (one.astype(int), other.astype(int))), (len(texts),) * 2)
    return connected_components(links, directed=False)[1]


def _runs(data: np.ndarray, words: int) -> Iterator[UInt64[np.ndarray, " runs"]]:
    """Hashes of every run of `words` words of a text, block by block.

    A word's bytes, and its first byte more than the others, are random numbers; a run's hash is the polynomial
    in _FACTOR with these for coefficients, modulo 2^64, its bits mixed.
    """
    kind = _KIND[data]
    solid = np.flatnonzero(kind)
    kind, data = kind[solid], data[solid]
    first = np.ones(
        len(data), bool
    )  # a letter that follows a letter, with nothing in between, begins no word
    first[1:] = (kind[1:] == 2) | (kind[:-1] == 2) | (np.diff(solid) > 1)
    starts = np.append(np.flatnonzero(first), len(data))
    for begin in range(0, len(starts) - words, _BLOCK):
        here = starts[begin : begin + _BLOCK + words]
        piece = slice(here[0], here[-1])
        terms = _RANDOM[first[piece].astype(np.intp), data[piece]]
        sums = np.concatenate([[np.uint64(0)], np.cumsum(terms * _powers(_FACTOR, len(terms)))])
        at = here - here[0]
        yield _mixed((sums[at[words:]] - sums[at[:-words]]) * _powers(_INVERSE, len(terms) + 1)[at[:-words]])


def _powers(base: int, count: int) -> UInt64[np.ndarray, " count"]:
    """base^0, base^1, ... modulo 2^64."""
    powers = np.full(count, base, np.uint64)
    powers[:1] = 1
    return np.cumprod(powers)


def _mixed(x: UInt64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """Each bit of the result depends on every bit (the finaliser of MurmurHash3, public domain)."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        x = (x ^ (x >> np.uint64(33))) * np.uint64(factor)
    return x ^ (x >> np.uint64(33))


def _kinds() -> np.ndarray:
    """0 for white space, 1 for letters, digits and underscores, 2 for every other byte."""
    kinds = np.full(256, 2, np.uint8)
    kinds[[ord(c) for c in " \t\n\r\f\v"]] = 0
    kinds[[c for c in range(128) if chr(c).isalnum() or chr(c) == "_"]] = 1
    return kinds


_KIND = _kinds()
_RANDOM = _mixed(np.arange(1, 513, dtype=np.uint64) * np.uint64(_FACTOR)).reshape(2, 256)
