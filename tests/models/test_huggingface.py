"""Opening checkpoints: what loads is what was saved; every bad input is one line that names it."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import socket
from collections.abc import Callable
from logging import Handler, LogRecord
from pathlib import Path
from typing import Any, NoReturn

import gguf
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging

from analysis.errors import InputError
from analysis.models import huggingface, load
from analysis.models.capture import LayerCapture, capture_checkpoint
from analysis.models.huggingface import Checkpoint
from tests import tiny_models

FAMILIES = [
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma2",
    "gemma3",
    "gpt_neox",
    "phi-norm",
    "phi3-longrope",
    "cohere",
]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> NoReturn:
        raise AssertionError(f"a checkpoint was looked up on the network: {given}")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A llama with its tokenizer, never to be changed; `spoiled` is a copy that may be."""
    return tiny_models.save(
        tiny_models.build("llama"), tmp_path_factory.mktemp("saved") / "tiny-llama", tokenizer=True
    )


@pytest.fixture
def spoiled(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "tiny-llama")


def edit(path: Path, **changes: object) -> None:
    """Changes keys of a JSON file; None takes one out."""
    content: dict[str, Any] = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def refused(path: Path, message: str) -> None:
    """One line that matches."""
    with pytest.raises(InputError, match=message) as caught:
        load.load_checkpoint(path)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------ what loads


@pytest.mark.parametrize("variant", FAMILIES)
def test_what_is_saved_is_what_is_loaded(variant: str, tmp_path: Path) -> None:
    model = tiny_models.build(variant)
    tokens = torch.randint(96, (1, 40), generator=torch.Generator().manual_seed(1))
    found: list[LayerCapture] = []
    capture_checkpoint(Checkpoint.of(model, name="memory"), tokens, found.append)
    loaded = load.load_checkpoint(tiny_models.save(model, tmp_path / variant))
    again: list[LayerCapture] = []
    capture_checkpoint(loaded, tokens, again.append)
    for before, after in zip(found, again, strict=True):
        assert (before.q == after.q).all()
        assert (before.k == after.k).all()
        assert (before.scale, before.softcap, before.window) == (after.scale, after.softcap, after.window)
        assert (before.frequencies.omega == after.frequencies.omega).all()


def test_facts_of_a_folder(saved: Path) -> None:
    loaded = load.load_checkpoint(saved)
    assert (loaded.name, loaded.architecture, loaded.context_length) == ("tiny-llama", "llama", 256)
    assert loaded.sha256 == hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    assert next(loaded.model.parameters()).dtype == torch.float32
    assert not loaded.model.training
    assert loaded.encode("w5 w17 w5").tolist() == [5, 17, 5]


def test_another_dtype(saved: Path) -> None:
    assert load.load_checkpoint(saved, dtype=torch.bfloat16).model.dtype == torch.bfloat16


def test_shards_are_hashed_by_digest_and_name_and_all_needed(tmp_path: Path) -> None:
    folder = tiny_models.save(tiny_models.build("llama"), tmp_path / "sharded", max_shard_size="20KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 2
    lines = [f"{hashlib.sha256(shard.read_bytes()).hexdigest()}  {shard.name}\n" for shard in shards]
    assert load.load_checkpoint(folder).sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()
    shards[1].unlink()
    refused(folder, rf"{shards[1].name} is missing, though .*model.safetensors.index.json names it")


def test_a_folder_without_a_tokenizer_loads_but_encodes_nothing(spoiled: Path) -> None:
    for file in spoiled.glob("tokenizer*"):
        file.unlink()
    loaded = load.load_checkpoint(spoiled)
    assert loaded.tokenizer is None
    with pytest.raises(
        InputError, match=r"tiny-llama has no tokenizer; put its tokenizer\.json beside the weights"
    ):
        loaded.encode("w1")


def test_loading_says_nothing_and_restores_what_it_silenced(
    saved: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load.load_checkpoint(saved)
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_a_window_is_no_longer_than_the_context_if_none_is_given(saved: Path) -> None:
    assert load.open_model(saved).default_window == load.weights_sha256(saved)[1] == 256


def test_pickles_beside_safetensors_are_left_alone(spoiled: Path) -> None:
    (spoiled / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    load.load_checkpoint(spoiled)


# ------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("kind", [torch.int8, torch.float8_e4m3fn])
def test_weights_that_are_quantised_without_a_word_in_the_configuration(spoiled: Path, kind: torch.dtype):
    """Read as they stand, integers would be measured as if they were the weights."""
    file = spoiled / "model.safetensors"
    tensors = load_file(file)
    name = "model.layers.0.self_attn.q_proj.weight"
    save_file(tensors | {name: tensors[name].to(kind)}, file, metadata={"format": "pt"})
    refused(spoiled, rf"{name} is stored as (I8|F8_E4M3), quantised; use the full-precision checkpoint")


class Trap:
    """Its pickle raises when opened."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (exec, ("raise SystemExit('the pickle was opened')",))


def test_the_trap_springs() -> None:
    with pytest.raises(SystemExit, match="the pickle was opened"):
        pickle.loads(pickle.dumps(Trap()))


@pytest.mark.parametrize("suffix", huggingface.PICKLES)
def test_a_pickle_is_refused_unopened(suffix: str, spoiled: Path) -> None:
    (spoiled / "model.safetensors").unlink()
    file = spoiled / f"pytorch_model{suffix}"
    file.write_bytes(pickle.dumps(Trap()))
    refused(file, rf"pytorch_model\{suffix} is a pickle, which can run code when opened, and was not")
    refused(spoiled, rf"tiny-llama has only pickled weights \(pytorch_model\{suffix}\)")


def test_missing_paths_and_other_files(spoiled: Path) -> None:
    refused(spoiled / "nowhere", "nowhere: no such file or folder")
    refused(spoiled / ("x" * 300), "xxx: no such file or folder")
    refused(spoiled / "model.safetensors", r"is one weight file; give its folder, .*: .*tiny-llama")
    refused(spoiled / "config.json", r"config.json is neither a folder .* nor a .gguf file")
    (spoiled / "config.json").unlink()
    refused(spoiled, "tiny-llama has no config.json")
    (spoiled / "model.safetensors").unlink()
    refused(spoiled, "tiny-llama has no model.safetensors")


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.9999])
def test_truncated_safetensors(kept: float, spoiled: Path) -> None:
    file = spoiled / "model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    refused(spoiled, "model.safetensors is truncated or not safetensors: ")
    file.unlink()
    file.mkdir()
    refused(spoiled, "model.safetensors is truncated or not safetensors: ")


def test_a_config_that_is_not_json(spoiled: Path) -> None:
    (spoiled / "config.json").write_text('{"model_type": "llama",')
    refused(spoiled, "config.json is not JSON: ")
    (spoiled / "config.json").write_text("[1]")
    refused(spoiled, "config.json holds list, not a JSON object")


def test_an_index_without_a_map(spoiled: Path) -> None:
    (spoiled / "model.safetensors").unlink()
    (spoiled / "model.safetensors.index.json").write_text("{}")
    refused(spoiled, "model.safetensors.index.json has no weight_map")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt2"}, "gpt2 has no rotary position embedding: it uses learned absolute positions"),
        ({"model_type": "bert"}, "bert has no rotary position embedding"),
        ({"model_type": "nonesuch"}, "architecture 'nonesuch' is not supported; supported: "),
        ({"model_type": None}, "architecture 'None' is not supported"),
        (
            {"rope_parameters": {"rope_type": "spiral", "rope_theta": 10.0}},
            "tiny-llama: rope type 'spiral' is unknown; known: ",
        ),
        (
            {"rope_parameters": {"rope_type": "yarn", "rope_theta": 10.0}},
            "tiny-llama: the config.* {'factor'}",
        ),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 0.5}}, "tiny-llama: base=0.5 must be"),
        ({"head_dim": 7}, "tiny-llama: the configuration cannot be used: .*`head_dim`=7"),
        ({"head_dim": 6}, r"k_proj.weight is \(16, 32\) in the weights, \(12, 32\) by the configuration"),
        ({"hidden_size": 48}, r"tiny-llama: lm_head.weight is \(96, 32\) in the weights, \(96, 48\) by the"),
        ({"max_position_embeddings": 0}, "tiny-llama: context of 0 tokens, 3 layers"),
        (
            {"max_position_embeddings": 10**30},
            "tiny-llama: max_position_embeddings=10{30} is above 16777216; give",
        ),
        ({"query_pre_attn_scalar": -4}, "query_pre_attn_scalar=-4 is no finite number above 0; give the"),
        (
            {"rms_norm_eps": float("inf")},
            "tiny-llama: rms_norm_eps=inf is no finite number above 0; give the",
        ),
        ({"attn_logit_softcapping": float("nan")}, "attn_logit_softcapping=nan is no finite number above 0"),
        ({"num_hidden_layers": 2}, r"9 tensors of the weights have no place .*: model\.layers\.2\."),
        (
            {"num_hidden_layers": 4},
            r"tiny-llama: the weights lack 9 tensors of the model: model\.layers\.3\.",
        ),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, r"tiny-llama is quantised \(gptq\)"),
        ({"num_attention_heads": "four"}, "tiny-llama: the configuration cannot be used: "),
    ],
)
def test_configurations_that_cannot_be_used(changes: dict[str, object], message: str, spoiled: Path) -> None:
    edit(spoiled / "config.json", **changes)
    refused(spoiled, message)


def test_transformers_says_nothing_of_a_configuration_that_is_refused(spoiled: Path) -> None:
    """It has a warning for a rope type that it does not know, on a line of stderr of its own."""
    heard: list[str] = []
    listening = WatchingHandler(heard)
    logging.add_handler(listening)
    try:
        content = json.loads((spoiled / "config.json").read_text())
        content["rope_parameters"] = {"rope_type": None, "rope_theta": 300.0}
        (spoiled / "config.json").write_text(json.dumps(content))
        refused(spoiled, "cannot be used: KeyError: None")
    finally:
        logging.remove_handler(listening)
    assert heard == []


class WatchingHandler(Handler):
    """Keeps what is logged."""

    def __init__(self, heard: list[str]) -> None:
        super().__init__()
        self.heard = heard

    def emit(self, record: LogRecord) -> None:
        self.heard.append(record.getMessage())


@pytest.mark.parametrize("name", ["model.norm.weight", "lm_head.weight"])
def test_weights_that_are_not_finite_are_refused_by_name(name: str, spoiled: Path) -> None:
    """Also those that no query and no key goes through: a conversion would write them on."""
    file = spoiled / "model.safetensors"
    tensors = load_file(file)
    tensors[name].view(-1)[3] = torch.nan
    save_file(tensors, file, metadata={"format": "pt"})
    refused(spoiled, f"tiny-llama: {name} holds a value that is not finite; the weights are damaged")


def test_a_tokenizer_that_is_broken(spoiled: Path) -> None:
    (spoiled / "tokenizer.json").write_text("{")
    refused(spoiled, "tiny-llama: the tokenizer cannot be used: JSONDecodeError: ")


NATIVE = "kernels-community/planted"
"""A repository of native code, as `attn_implementation` may name one."""


@pytest.mark.parametrize("value", [NATIVE, {"": NATIVE}, "flash_attention_2", "eager"])
def test_the_attention_that_a_configuration_asks_for_is_not_taken(
    value: object, spoiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*given: object, **options: object) -> None:
        raise AssertionError("native code was asked for")

    monkeypatch.setattr("transformers.modeling_utils.lazy_import_flash_attention", fetch)
    edit(spoiled / "config.json", attn_implementation=value)
    assert load.load_checkpoint(spoiled).model.config._attn_implementation == "sdpa"
    edit(spoiled / "config.json", attn_implementation=None, _attn_implementation_internal=value)
    assert load.load_checkpoint(spoiled).model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    "name",
    ["../secret.safetensors", "/secret.safetensors", "a/b.safetensors", "..\\s.safetensors", "x.bin", 3, ""],
)
def test_an_index_names_no_file_outside_the_folder(name: object, spoiled: Path) -> None:
    (spoiled / "model.safetensors").rename(spoiled.parent / "secret.safetensors")
    (spoiled / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"lm_head.weight": name}})
    )
    refused(spoiled, r"index.json names .*, which is no safetensors file of the folder itself")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": 10**9}, "num_hidden_layers=1000000000, but its weights are 30 tensors"),
        ({"hidden_size": 2**40, "num_attention_heads": 2**20}, "does not fit weights of"),
        ({"vocab_size": 2**40}, "vocab_size=1099511627776 does not fit weights of"),
        ({"intermediate_size": 2**40}, "intermediate_size=1099511627776 does not fit weights of"),
        ({"hidden_size": 0}, "tiny-llama: "),
    ],
)
def test_sizes_that_the_weights_cannot_have_are_refused_before_a_model_is_made(
    changes: dict[str, object], message: str, spoiled: Path
) -> None:
    edit(spoiled / "config.json", **changes)
    refused(spoiled, message)


@pytest.mark.parametrize("content", ["{}", '{"version": "1.0"}', '{"model": {"type": "x"}}', "[]", "0"])
def test_whatever_the_tokenizers_library_raises_is_one_line(content: str, spoiled: Path) -> None:
    (spoiled / "tokenizer.json").write_text(content)
    refused(spoiled, "tiny-llama: the tokenizer cannot be used: ")


def test_tokens_of_another_model_are_refused(spoiled: Path) -> None:
    tiny_models.words(200).save_pretrained(spoiled)
    loaded = load.load_checkpoint(spoiled)
    assert loaded.encode("w5 w95").tolist() == [5, 95]
    for encode in (loaded.encode, lambda text: load.encoded(loaded, text)):
        with pytest.raises(InputError, match="its tokenizer gives token 150, its model knows 96; put"):
            encode("w5 w150")


def test_a_tokenizer_that_fails_at_a_text_is_one_line(spoiled: Path) -> None:
    edit(spoiled / "tokenizer_config.json", model_max_length="long")
    with pytest.raises(InputError, match="the tokenizer cannot be used"):  # when it is opened, or at the text
        load.load_checkpoint(spoiled).encode("w5 w6")


def test_a_gguf_that_counts_beyond_its_end_is_refused(tmp_path: Path) -> None:
    """The library would count on: 2^60 fields of nothing."""
    path = tiny_models.write_gguf(
        tiny_models.build("llama", **tiny_models.GGUF_SIZES), tmp_path / "tiny.gguf"
    )
    data = path.read_bytes()
    for at in (8, 16):  # number of tensors, number of fields
        path.write_bytes(data[:at] + (2**60).to_bytes(8, "little") + data[at + 8 :])
        refused(path, "is truncated or not a GGUF file: ")
    at = (
        data.index(b"tokenizer.ggml.tokens") + len(b"tokenizer.ggml.tokens") + 8
    )  # type, type of an entry, length
    path.write_bytes(data[:at] + (2**60).to_bytes(8, "little") + data[at + 8 :])
    refused(path, "is truncated or not a GGUF file: ")


def test_code_beside_the_weights_is_not_run(spoiled: Path) -> None:
    edit(spoiled / "config.json", auto_map={"AutoConfig": "trap.C", "AutoModelForCausalLM": "trap.M"})
    (spoiled / "trap.py").write_text("raise SystemExit('the code was run')")
    assert load.load_checkpoint(spoiled).architecture == "llama"


def test_rotation_is_verified_at_load(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = AutoModelForCausalLM.from_pretrained

    def tampered(*given: object, **options: object) -> tuple[PreTrainedModel, dict[str, object]]:
        model, report = build(*given, **options)
        model.base_model.rotary_emb.inv_freq.mul_(1.01)
        return model, report

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", tampered)
    refused(saved, "tiny-llama: layer 0: the query rotated as the configuration says differs")


# ------------------------------------------------------------------------------------------------ gguf


@pytest.fixture(scope="module")
def taught() -> PreTrainedModel:
    return tiny_models.taught(huggingface.PARAGRAPH)


def test_a_gguf_is_the_model_it_was_written_from(
    taught: PreTrainedModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tiny_models.write_gguf(taught, tmp_path / "tiny.gguf")
    capfd.readouterr()
    loaded = load.load_checkpoint(path)
    assert capfd.readouterr() == ("", "")
    assert (loaded.name, loaded.architecture, loaded.layers, loaded.context_length) == (
        "tiny",
        "llama",
        2,
        1024,
    )
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    text = "A river in the north."
    assert loaded.encode(text).tolist() == tiny_models.byte_tokens(text).tolist()
    for name, weight in taught.state_dict().items():
        assert (loaded.model.state_dict()[name] == weight).all(), name


def test_a_gguf_whose_rows_were_never_permuted_is_refused(taught: PreTrainedModel, tmp_path: Path) -> None:
    """Undone once too often: the reader takes back a permutation that nobody made."""
    path = tiny_models.write_gguf(taught, tmp_path / "tiny.gguf", permute=False)
    refused(path, r"^tiny: the rows of q and k are in the wrong order \(perplexity as loaded \d")


def test_rows_left_permuted_are_refused_though_permuting_again_is_no_better(taught: PreTrainedModel) -> None:
    tokenizer = _ByteTokenizer()
    opened = Checkpoint.of(taught, name="taught", tokenizer=tokenizer)  # type: ignore[arg-type]
    found = huggingface.check_row_order(opened)
    assert found["as loaded"] < min(found["permuted"], found["undone"])
    with huggingface.reordered(opened, huggingface.interleaved_order(16)):
        with pytest.raises(InputError, match="taught: the rows of q and k are in the wrong order") as caught:
            huggingface.check_row_order(opened)
        assert f"undone {found['as loaded']:.1f}" in str(caught.value)
    assert huggingface.check_row_order(opened) == found  # and all is back in place


class _ByteTokenizer:
    def __call__(self, text: str, **options: object) -> dict[str, list[int]]:
        return {"input_ids": tiny_models.byte_tokens(text).tolist()}


def test_interleaved_order_is_what_llama_cpp_does() -> None:
    assert huggingface.interleaved_order(6).tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize("kept", [10, 200, 3000, -100, -1])
def test_truncated_gguf(kept: int, taught: PreTrainedModel, tmp_path: Path) -> None:
    path = tiny_models.write_gguf(taught, tmp_path / "tiny.gguf")
    path.write_bytes(path.read_bytes()[:kept])
    refused(path, "tiny.gguf is truncated or not a GGUF file: ")


def test_a_gguf_whose_rotation_is_scaled_is_refused(taught: PreTrainedModel, tmp_path: Path) -> None:
    path = tiny_models.write_gguf(taught, tmp_path / "tiny.gguf", rope__scaling__type="yarn")
    refused(path, r"scales its rotation \(llama.rope.scaling.type = yarn\), which is lost in reading")
    path = tiny_models.write_gguf(taught, tmp_path / "none.gguf", rope__scaling__type="none")
    assert load.load_checkpoint(path).name == "none"


def test_an_architecture_that_a_gguf_names_but_nobody_reads(tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    writer = gguf.GGUFWriter(path, "wavenet")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    refused(path, "other.gguf: the configuration cannot be used: .*wavenet")
