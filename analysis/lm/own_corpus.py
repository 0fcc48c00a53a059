"""The corpus that a checkpoint was trained on, made again, and the tokenizer that goes with its weights."""

from __future__ import annotations

from collections.abc import Callable

from analysis.errors import InputError
from analysis.lm.recipe import BYTES
from analysis.lm.state import Checkpoint
from analysis.lm.text import Corpus, corpus, tokenized
from analysis.lm.tokenizer import BytePairs

Progress = Callable[[str, int, int], None]


def own_corpus(found: Checkpoint, progress: Progress) -> Corpus:
    """What a checkpoint was trained on, with the parts that it has not seen.

    Raises:
        InputError: it was a folder, whose place is not recorded, or it has changed: then what is held out may be
            what the model was trained on.
    """
    source = found.recipe["corpus"]
    if source not in ("texts", "code", "texts+code"):
        raise InputError(
            f"the model was trained on the folder {source}; give --text FILE that it has not seen"
        )
    data = in_own_tokens(found, corpus(source, seed=found.recipe["corpus_seed"], progress=progress))
    if data.sha256 != found.corpus_sha256:
        raise InputError(
            f"the corpus {source} is not the one that the model was trained on (sha256 {data.sha256}, "
            f"not {found.corpus_sha256}); give --text FILE that it has not seen"
        )
    return data


def in_own_tokens(found: Checkpoint, of_bytes: Corpus) -> Corpus:
    """Any corpus in the tokens that a model knows; errors as `own_tokenizer`."""
    tokenizer = own_tokenizer(found)
    return of_bytes if tokenizer is None else tokenized(of_bytes, tokenizer)


def own_tokenizer(found: Checkpoint) -> BytePairs | None:
    """What makes a text the model's tokens; None if bytes are its tokens.

    Raises:
        InputError: a model of byte pairs whose file holds no tokenizer.
    """
    if found.config.vocab_size == BYTES:
        return None
    if found.tokenizer is None:
        raise InputError(f"{found.file} knows {found.config.vocab_size} tokens but not which; train it again")
    return BytePairs(found.tokenizer)
