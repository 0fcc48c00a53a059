"""The corpus that a checkpoint was trained on, made again."""

from __future__ import annotations

from collections.abc import Callable

from analysis.errors import InputError
from analysis.lm.recipe import BYTES
from analysis.lm.state import Checkpoint
from analysis.lm.text import Corpus, corpus

Progress = Callable[[str, int, int], None]


def own_corpus(found: Checkpoint, progress: Progress) -> Corpus:
    """What a checkpoint was trained on, with the parts that it has not seen.

    Raises:
        InputError: it was a folder, whose place is not recorded, or it has changed: then what is held out may be
            what the model was trained on.
    """
    source, size = found.recipe["corpus"], found.config.vocab_size
    if source not in ("texts", "code", "texts+code"):
        raise InputError(
            f"the model was trained on the folder {source}; give --text FILE that it has not seen"
        )
    vocabulary = None if size == BYTES else size
    data = corpus(source, seed=found.recipe["corpus_seed"], vocabulary=vocabulary, progress=progress)
    if data.sha256 != found.corpus_sha256:
        raise InputError(
            f"the corpus {source} is not the one that the model was trained on (sha256 {data.sha256}, "
            f"not {found.corpus_sha256}); give --text FILE that it has not seen"
        )
    return data
