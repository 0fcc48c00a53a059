"""A model of the hub: what is fetched, what is not, and every way in which it cannot be had, in one line."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub.constants
import pytest

from analysis import assets
from analysis.errors import InputError
from analysis.models.hub import fetch_from_hub
from analysis.models.load import open_model, weights_sha256
from tests import tiny_models
from tests.hub_server import COMMIT, Hub, serving

NAME = "someone/tiny-llama"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    folder = tiny_models.save(tiny_models.build("llama"), tmp_path / "model", tokenizer=True)
    served = {file.name: file.read_bytes() for file in folder.iterdir()}
    # none of these may be fetched: code, a pickle, another copy of the weights
    return served | dict.fromkeys(
        ("modeling_tiny.py", "pytorch_model.bin", "consolidated.safetensors"), b"no"
    )


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "hub"


def test_a_model_of_the_hub_is_fetched_without_its_code(
    files: dict[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch
):
    with serving(Hub(NAME, files)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        model = open_model(NAME, by_layers=True)
        again, _ = weights_sha256(NAME)
    assert model.name == NAME
    assert model.recorded["commit"] == COMMIT
    assert model.sha256 == again
    fetched = {path.name for path in cache.rglob("snapshots/*/*")}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= fetched
    assert not fetched & {"modeling_tiny.py", "pytorch_model.bin", "consolidated.safetensors"}
    assert not any(path.endswith((".py", ".bin", "consolidated.safetensors")) for path in hub.asked)


def test_what_was_fetched_is_there_without_a_network(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
):
    with serving(Hub(NAME, files)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        folder, commit = fetch_from_hub(NAME)
    assert commit == COMMIT
    assert fetch_from_hub(NAME) == (folder, commit)  # the server is gone


@pytest.mark.parametrize(
    ("name", "revision", "gated", "said"),
    [
        (NAME, "next", False, rf"^{NAME} has no revision next; give a branch, tag or commit of it$"),
        (
            "someone/else",
            None,
            False,
            r"^someone/else: no such folder here, and the hub has no such model that",
        ),
        (
            NAME,
            None,
            True,
            rf"^{NAME} is gated: accept its licence on the hub and log in with `hf auth login`",
        ),
    ],
)
def test_what_the_hub_refuses(
    name: str, revision: str | None, gated: bool, said: str, monkeypatch: pytest.MonkeyPatch
):
    with serving(Hub(NAME, {"config.json": b"{}"}, gated=gated)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        with pytest.raises(InputError, match=said) as caught:
            open_model(name, revision=revision)
    assert "\n" not in str(caught.value)


def test_a_model_without_safetensors_is_named_and_not_where_the_hub_keeps_it(
    files: dict[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch
):
    del files["model.safetensors"]
    with serving(Hub(NAME, files)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        with pytest.raises(InputError, match=rf"^{NAME} has no weights as safetensors") as caught:
            open_model(NAME)
    assert str(cache) not in str(caught.value)


def test_without_a_network_there_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(
        InputError, match=rf"^{NAME}: no such folder here, and the hub cannot be reached \(.*\); give"
    ):
        open_model(NAME)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=rf"^{NAME}: no such folder here, and the hub cannot be reached"):
        open_model(NAME)


def test_a_revision_belongs_to_a_model_of_the_hub(tmp_path: Path):
    folder = tiny_models.save(tiny_models.build("llama"), tmp_path / "model")
    with pytest.raises(
        InputError, match=r"^revision=main is of a model of the hub, and .*model is none; leave it out$"
    ):
        open_model(folder, revision="main")


def test_what_begins_with_a_folder_of_ours_is_a_path(tmp_path: Path):
    (tmp_path / "runs").mkdir()
    assert not assets.is_hub_name("runs/cpu-rope-0")
    with pytest.raises(InputError, match=r"^runs/cpu-rope-0: no such file or folder"):
        open_model("runs/cpu-rope-0")
    for name in ("a/b/c", "/a/b", "../b", "a/", "a b/c", "smollm2", "-a/b"):
        assert not assets.is_hub_name(name), name
