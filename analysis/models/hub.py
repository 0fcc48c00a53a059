"""Checkpoints of the Hugging Face hub by name: configuration, safetensors and tokenizer, and nothing that could run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import tqdm

from analysis.errors import InputError
from analysis.progress import Progress, silent

WANTED = (
    "config.json",
    "model.safetensors",
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
)
"""Files that are fetched of a repository: no code, no pickle, no second copy of the weights."""


class _Quiet(tqdm):
    """The hub's bars, not drawn: ours is on the terminal."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options | {"disable": True})


def fetch_from_hub(name: str, revision: str | None = None, progress: Progress = silent) -> tuple[Path, str]:
    """Folder of a model of the hub, and the commit that it is of; fetched into the hub's own cache, offline afterwards.

    Args:
        name: "organisation/model".
        revision: a branch, tag or commit; the main branch if not given.
        progress: told what is being done.

    Raises:
        InputError: the hub cannot be reached, has no such model or revision, or asks for a permission; the model has
            no weights as safetensors.
    """
    # read here: the library takes it once, at its import
    endpoint = os.environ.get("HF_ENDPOINT")
    what = f"{name} at {revision}" if revision else name
    progress(f"fetch {what}", 0, 0)
    try:
        found = snapshot_download(
            name, revision=revision, allow_patterns=list(WANTED), endpoint=endpoint, tqdm_class=_Quiet
        )
    except GatedRepoError as error:
        raise InputError(
            f"{name} is gated: accept its licence on the hub and log in with `hf auth login`, or give a local folder"
        ) from error
    except RevisionNotFoundError as error:
        raise InputError(f"{name} has no revision {revision}; give a branch, tag or commit of it") from error
    except RepositoryNotFoundError as error:
        raise InputError(
            f"{name}: no such folder here, and the hub has no such model that you may read; give another name, "
            f"or log in with `hf auth login`"
        ) from error
    except HFValidationError as error:
        raise InputError(f"{name} is no name of a model of the hub; give organisation/model") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise InputError(
            f"{name}: no such folder here, and the hub cannot be reached ({_why(error)}); give a local folder, or "
            f"fetch it once with a network"
        ) from error
    except HfHubHTTPError as error:
        raise InputError(f"{name}: the hub refuses it: {_why(error)}; give a local folder") from error
    folder = Path(found)
    if not any(folder.glob("model*.safetensors*")):
        raise InputError(
            f"{what} has no weights as safetensors, and nothing else is fetched of the hub; give a revision that has "
            "them, or a folder in which you saved them so"
        )
    return folder, folder.name


def _why(error: Exception) -> str:
    """The first cause, in one short line."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return " ".join(f"{type(error).__name__}: {error}".split())[:160]
