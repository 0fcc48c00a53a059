"""Files of others: pipes and devices are refused unopened; depth and digits have bounds; a refusal is one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.cli.curve import from_file
from analysis.errors import InputError
from analysis.inputs import (
    DEEPEST,
    DIGITS,
    check_folder_is_plain,
    check_output_name,
    check_regular,
    parse_json,
    parse_toml,
    read_json,
    read_whole,
    tensor_sizes,
)
from analysis.models.checkpoint import read_tensors
from analysis.models.load import open_model
from analysis.records import read, read_summary
from analysis.schemas import DISTANCE_BIAS, DISTANCE_BIAS_SUMMARY
from analysis.text.corpus import read_folder
from analysis.text.tokenizer import load_byte_pairs
from analysis.text.windows import read_text
from analysis.training.recipe import load_recipe
from tests.refusals import plainly_raises


def one_line(call, message: str) -> None:
    plainly_raises(call, message)


DOORS = {
    "text": read_text,
    "configuration": lambda path: from_file(path, None),
    "recipe": lambda path: load_recipe(str(path)),
    "record": lambda path: read(path, expect_schema=DISTANCE_BIAS),
    "summary": lambda path: read_summary(path, expect_schema=DISTANCE_BIAS_SUMMARY),
    "byte pairs": lambda path: load_byte_pairs(path, sha256=""),
    "weights": read_tensors,
    "header of weights": tensor_sizes,
    "model": open_model,
    "corpus": lambda path: read_folder(path.parent),
}
SUFFIX = {"recipe": ".toml", "corpus": ".txt", "model": ".gguf"}


@pytest.mark.parametrize("door", DOORS)
def test_a_named_pipe_is_refused_at_every_door(door: str, tmp_path: Path):
    """Opened, it would be waited for without end: the test would hang."""
    path = tmp_path / f"pipe{SUFFIX.get(door, '')}"
    os.mkfifo(path)
    one_line(lambda: DOORS[door](path), f"{path} is a device or a pipe; give a file")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "anything"])
def test_a_folder_with_a_named_pipe_is_refused_before_a_library_looks_through_it(name: str, tmp_path: Path):
    os.mkfifo(tmp_path / name)
    one_line(lambda: open_model(tmp_path), f"{tmp_path / name} is a device or a pipe; give a file")
    one_line(lambda: check_folder_is_plain(tmp_path / "none"), "none cannot be read: No such file")


def test_a_device_is_refused_and_a_missing_file_is_for_whoever_opens_it(tmp_path: Path):
    one_line(lambda: check_regular(Path(os.devnull)), "is a device or a pipe")
    for path in (tmp_path, tmp_path / "none", Path("x" * 5000), Path("a\0b")):
        check_regular(path)
    for path, said in (
        (tmp_path, "Is a directory"),
        (tmp_path / "none", "No such file"),
        (Path("a\0b"), "null"),
    ):
        one_line(lambda path=path: read_whole(path, "text", "give one"), said)


def test_a_file_is_read_up_to_its_bound(tmp_path: Path):
    path = tmp_path / "long"
    path.write_bytes(b"x" * 11)
    assert read_whole(path, "text", "give one", largest=11) == b"x" * 11
    one_line(lambda: read_whole(path, "text", "give one", largest=10), "is larger than 10 bytes; give one")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**DIGITS) + 1, 10**DIGITS - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_what_is_within_the_bounds_is_read_as_it_stands(value):
    assert parse_json(json.dumps(value), "x") == value


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [DEEPEST + 2, 900, 100_000])
def test_depth_has_a_bound_in_json(opening: str, depth: int):
    text = opening * depth + "1" + ("]" if opening == "[" else "}") * depth
    one_line(lambda: parse_json(text, "x"), f"x is nested more than {DEEPEST} deep")


@pytest.mark.parametrize("depth", [DEEPEST + 2, 300, 20_000])
def test_depth_has_a_bound_in_toml(depth: int):
    one_line(
        lambda: parse_toml("a = " + "[" * depth + "]" * depth, "x"), f"x is nested more than {DEEPEST} deep"
    )


@pytest.mark.parametrize("digits", [DIGITS + 1, 400, 5000])
def test_digits_have_a_bound(digits: int):
    for parse, text in ((parse_json, "9" * digits), (parse_toml, "a = " + "9" * digits)):
        with pytest.raises(InputError, match=r"^x (has a number of more than 64 digits|is not (JSON|TOML))"):
            parse(text, "x")
    one_line(lambda: parse_toml("a = 0x1" + "0" * digits, "x"), "more than 64 digits")
    assert parse_json("9" * DIGITS, "x") == 10**DIGITS - 1


def test_json_that_is_no_object_or_no_json_is_named(tmp_path: Path):
    path = tmp_path / "a.json"
    for data, said in (
        (b"[]", "a.json holds list, not a JSON object; give a JSON file"),
        (b"\xff\xfe\x00", "a.json is not JSON: "),
        (b"", "a.json is not JSON: "),
    ):
        path.write_bytes(data)
        one_line(lambda: read_json(path), said)


@given(st.text(st.characters(codec=None), max_size=40))
def test_a_refusal_is_one_line_whatever_it_names(name: str):
    said = str(InputError(f"{name} is missing"))
    assert said.isprintable()
    assert said.encode()


def test_an_output_name_can_be_recorded():
    for name in ("a\nb.nc", "caf\udce9.nc", "a\x1b[2Jb.nc"):
        one_line(lambda name=name: check_output_name(Path(name)), "give another output path")
    check_output_name(Path("模型 ü.nc"))
