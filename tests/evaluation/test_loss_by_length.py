"""Evaluation: protocols, extensions and losses against independent readings; the command and what it refuses."""

from __future__ import annotations

import json
import math
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import log_softmax

from analysis import assets
from analysis.cli import main
from analysis.errors import InputError
from analysis.evaluation import retrieval as retrieval_
from analysis.evaluation.loss_by_length import (
    NAMES,
    Protocol,
    Target,
    evaluate_spans,
    losses_by_document,
    position_edges,
    scaled_stride,
)
from analysis.evaluation.retrieval import evaluate_retrieval
from analysis.models import attention, checkpoint, pretrained_losses, token_losses
from analysis.models.config import MethodConfig, ModelConfig
from analysis.models.fused import Fused
from analysis.models.huggingface import Checkpoint
from analysis.models.llama import Llama
from analysis.models.load import encoded, fetch_smollm2, first_token, load_checkpoint, open_model
from analysis.records import provenance_of, read
from analysis.studies import perplexity
from analysis.studies.perplexity import EVALUATION, evaluate_model
from analysis.studies.settings import PerplexitySettings
from analysis.text.windows import Document, spans
from analysis.theory.frequencies import Extension
from analysis.training import retrieval_data
from analysis.training.retrieval_data import RECALL, Queries
from tests import tiny_models
from tests.heads import tiny_phase
from tests.refusals import said_in_one_line

# protocols

protocols = st.one_of(
    st.just(Protocol("non-overlapping", None)),
    st.builds(Protocol, st.just("sliding"), st.integers(1, 7)),
)


@given(protocol=protocols, start=st.integers(1, 40), count=st.integers(1, 50), length=st.integers(8, 24))
def test_every_target_is_scored_once_with_as_much_before_it_as_promised(
    protocol: Protocol, start: int, count: int, length: int
):
    windows = list(protocol.windows(start, start + count, length))
    scored = [token for window in windows for token in range(window.first, window.stop)]
    assert scored == list(range(start, start + count))
    least = 1 if protocol.stride is None else length - protocol.stride
    for window in windows:
        assert 0 <= window.begin < window.first < window.stop <= window.begin + length
        assert window.first - window.begin >= min(least, start)


@given(
    stride=st.integers(1, 7), start=st.integers(30, 40), count=st.integers(1, 50), length=st.integers(2, 24)
)
def test_a_last_token_has_all_of_the_length_before_it(stride: int, start: int, count: int, length: int):
    windows = list(Protocol("last-token", stride).windows(start, start + count, length))
    assert [window.first for window in windows] == list(range(start, start + count, stride))
    assert all((window.size, window.stop - window.first) == (length, 1) for window in windows)


@given(size=st.integers(2, 90), length=st.integers(4, 30), stride=st.integers(1, 29))
def test_a_whole_document_is_cut_as_transformers_documents_it(size: int, length: int, stride: int):
    """The loop of its guide to perplexity of fixed-length models, written out."""
    stride = min(stride, length - 1)
    expected, scored_up_to = [], 0
    for begin in range(0, size, stride):
        end = min(begin + length, size)
        expected.append((begin, max(scored_up_to, 1), end))
        scored_up_to = end
        if end == size:
            break
    windows = Protocol("sliding", stride).windows(1, size, length)
    assert [(window.begin, window.first, window.stop) for window in windows] == expected


def test_the_papers_stride_in_proportion():
    assert [scaled_stride(length) for length in (8192, 128, 512, 2)] == [256, 4, 16, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Protocol("slide"),
            "protocol 'slide' is unknown; did you mean sliding?",
        ),
        (lambda: Protocol("sliding", 0), "stride=0 is not a positive whole number"),
        (lambda: Protocol("sliding", None), "stride=None is not a positive"),
        (lambda: Protocol("non-overlapping", 4), "stride=4 means nothing to non-overlapping"),
        (lambda: Protocol("sliding", 8).check(8), "stride=8 is not below length=8"),
        (lambda: Protocol("sliding", 8).check(1), "length=1 leaves nothing to score"),
        (lambda: list(Protocol().windows(0, 5, 600)), "give 1 <= start < stop"),
        (lambda: Extension("yarm", 2.0, 8), "extension 'yarm' is unknown; did you mean yarn"),
        (lambda: Extension("longrope", 2.0, 8), "LongRoPE does not follow from a factor and lengths"),
        (lambda: Extension("yarn", 0.5, 8), "factor=0.5"),
        (lambda: PerplexitySettings(lengths=(16, 8)), r"lengths=\[16, 8\] do not ascend"),
        (lambda: PerplexitySettings(extensions=("pi", "pi")), "each once"),
        (lambda: PerplexitySettings(lengths=(8, 16), stride=9), "stride=9 is not below length=8"),
        (lambda: PerplexitySettings(target=0), "target=0 is below 1"),
        (lambda: PerplexitySettings(precision="float16"), "precision='float16' is unknown"),
        (lambda: Target("a", np.arange(4), np.ones(3, int), 1, 2), "a: 4 tokens, but 3 sizes"),
        (lambda: Target("a", np.arange(4), np.ones(4, int), 0, 2), r"targets 0\.\.2 are not within"),
    ],
)
def test_what_cannot_be_used_is_refused(call, message: str):
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


# losses


def counting(tokens: Tensor) -> Tensor:
    """A model whose loss says what it read: the value of the token, and how many stood before it."""
    return tokens[:, 1:] + torch.arange(1, tokens.shape[1]) / 1000


@given(name=st.sampled_from(NAMES), length=st.integers(6, 20), rows=st.integers(1, 4))
def test_sums_are_those_of_a_loop_over_tokens(name: str, length: int, rows: int):
    protocol = Protocol(name, None if name == "non-overlapping" else 5)
    tokens = np.random.default_rng(0).integers(0, 9, 70)
    target = Target("a", tokens, np.arange(70), 21, 63)
    found = losses_by_document(counting, [target], length, protocol, edges=position_edges(length), rows=rows)[
        "a"
    ]
    nats = sizes = count = 0.0
    places = np.zeros(length)
    for window in protocol.windows(21, 63, length):
        for token in range(window.begin + 1, window.stop):
            loss = tokens[token] + (token - window.begin) / 1000
            places[token - window.begin] += loss
            if token >= window.first:
                nats, sizes, count = nats + loss, sizes + token, count + 1
    assert found.nats == pytest.approx(nats)
    assert (found.tokens, found.text_bytes) == (count, sizes)
    edges = position_edges(length)
    binned = [places[a:b].sum() for a, b in pairwise(edges)]
    assert found.position_nats == pytest.approx(binned)
    assert found.position_tokens.sum() == sum(w.size - 1 for w in protocol.windows(21, 63, length))


@given(length=st.integers(2, 5000))
def test_bins_by_place_cover_every_place_once(length: int):
    edges = position_edges(length)
    assert (edges[0], edges[-1]) == (1, length)
    assert (np.diff(edges) > 0).all()
    assert len(edges) <= 4 * math.log2(length) + 2


def test_a_first_token_is_put_into_every_window():
    seen: list[Tensor] = []

    def watched(tokens: Tensor) -> Tensor:
        seen.append(tokens)
        return counting(tokens)

    target = Target("a", np.arange(40), np.ones(40, int), 20, 40)
    losses_by_document(
        watched, [target], 10, Protocol("sliding", 5), edges=position_edges(10), first_token=99
    )
    rows = torch.cat(seen)
    assert (rows[:, 0] == 99).all()
    assert [row[1:].tolist() for row in rows] == [list(range(at + 1, at + 10)) for at in (15, 20, 25, 30)]


def test_a_loss_that_is_not_finite_is_named():
    def broken(tokens: Tensor) -> Tensor:
        return counting(tokens).masked_fill(tokens[:, 1:] == 27, math.nan)

    target = Target("a.txt", np.arange(40), np.ones(40, int), 20, 40)
    with pytest.raises(
        InputError,
        match=r"the loss of token 27 of a\.txt is nan in a window of 10 tokens; .*: give shorter ones",
    ):
        losses_by_document(broken, [target], 10, Protocol("sliding", 5), edges=position_edges(10))


# models


def llama(method: str = "rope", **options) -> Llama:
    sizes = {
        "vocab_size": 256,
        "layers": 2,
        "width": 16,
        "heads": 2,
        "kv_heads": 1,
        "head_dim": 8,
        "hidden": 24,
    }
    model = Llama(ModelConfig(**sizes, context=16, method=MethodConfig(method, **options)), seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(8.0)  # attention that looks somewhere
    return model.double().eval()


TOKENS = torch.randint(256, (2, 40), generator=torch.Generator().manual_seed(0))


def plainly(logits: Tensor, tokens: Tensor) -> Tensor:
    return -log_softmax(logits[:, :-1].double(), dim=-1).gather(2, tokens[:, 1:, None])[..., 0]


@pytest.mark.parametrize("method", ["rope", "tapa", "alibi", "nope", "window"])
def test_reading_by_tiles_is_reading_at_once(method: str, monkeypatch: pytest.MonkeyPatch):
    model = llama(method)
    with torch.no_grad():
        expected = plainly(model(TOKENS), TOKENS)
    assert torch.allclose(token_losses.llama_reader(model, 40)[0](TOKENS).double(), expected, atol=1e-9)
    monkeypatch.setattr(token_losses, "EXPLICIT", 0)
    monkeypatch.setattr(token_losses, "_fused", Fused(attention.Streaming(16, compiled=False)))
    before = model.attend
    read_, rows = token_losses.llama_reader(model, 40)
    assert torch.allclose(read_(TOKENS).double(), expected, atol=1e-9)
    assert rows == 1
    assert model.attend is before


@pytest.mark.parametrize("name", ["pi", "ntk", "yarn", "llama3"])
@pytest.mark.parametrize("method", ["rope", "partial"])
def test_an_extension_at_reading_time_is_the_one_of_the_configuration(method: str, name: str):
    """The model's own way to the same frequencies, through its configuration."""
    model = llama(method)
    configured = llama(method, extension=name, factor=4.0, trained_length=16)
    with torch.no_grad():
        expected = plainly(configured(TOKENS), TOKENS)
    found = token_losses.llama_reader(model, 40, Extension(name, 4.0, 16))[0](TOKENS).double()
    assert torch.allclose(found, expected, atol=1e-9)
    assert not torch.allclose(found, plainly(model(TOKENS).detach(), TOKENS), atol=1e-3)


def test_dynamic_scaling_grows_with_the_window():
    model = llama()
    near, far = (
        token_losses.llama_reader(model, length, Extension("dynamic", 4.0, 16))[0](TOKENS[:, :16])
        for length in (16, 40)
    )
    assert torch.allclose(near, token_losses.llama_reader(model, 16)[0](TOKENS[:, :16]))
    assert not torch.allclose(near, far, atol=1e-3)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: llama("tapa"), "method tapa has no RoPE to extend"),
        (lambda: llama("rope", extension="pi", factor=2.0), r"extended already \(pi\)"),
    ],
)
def test_what_has_no_plain_rope_is_not_extended(model, message: str):
    with pytest.raises(InputError, match=message):
        token_losses.llama_reader(model(), 32, Extension("yarn", 2.0, 16))


SCALED = {
    "pi": {"rope_type": "linear", "factor": 4.0},
    "dynamic": {"rope_type": "dynamic", "factor": 4.0},
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
    "llama3": {
        "rope_type": "llama3",
        "factor": 4.0,
        "original_max_position_embeddings": 64,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
    },
}


@pytest.mark.parametrize("name", SCALED)
def test_replaced_frequencies_are_transformers_own_scaling(name: str):
    """A plain model with its frequencies replaced, against one built by transformers from `rope_parameters`."""
    mine = Checkpoint.of(tiny_models.build("llama", max_position_embeddings=64), name="tiny")
    longest = 64 if name == "dynamic" else 256
    theirs = tiny_models.build(
        "llama", max_position_embeddings=longest, rope_parameters={"rope_theta": 300.0, **SCALED[name]}
    )
    tokens = torch.randint(96, (2, 200), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = plainly(theirs(input_ids=tokens, use_cache=False).logits, tokens)
        plain = plainly(mine.model(input_ids=tokens, use_cache=False).logits, tokens)
    found = pretrained_losses.pretrained_reader(mine, 200, Extension(name, 4.0, 64))[0](tokens).double()
    # float32 angles of 200 rad are off by 200 2^-24, and losses here move by tens when all of the angle goes
    assert (found - expected).abs().max() < 1e-3
    assert (found - plain).abs().max() > 1
    again = pretrained_losses.pretrained_reader(mine, 200, Extension("none", 4.0, 64))[0](tokens).double()
    assert torch.allclose(again, plain, atol=1e-4)  # left as it was


@pytest.mark.parametrize("variant", ["llama", "gemma2", "gemma3", "gpt_neox", "phi", "cohere", "glm"])
def test_logits_in_pieces_are_the_models_own(variant: str, monkeypatch: pytest.MonkeyPatch):
    """Soft caps and scales of the head included."""
    checkpoint = Checkpoint.of(tiny_models.build(variant), name="tiny")
    pretrained_losses.check_head(checkpoint)
    monkeypatch.setattr(pretrained_losses, "PIECE", 7)
    tokens = torch.randint(96, (1, 30), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = plainly(checkpoint.model(input_ids=tokens, use_cache=False).logits, tokens)
    found = pretrained_losses.pretrained_reader(checkpoint, 30)[0](tokens).double()
    assert torch.allclose(found, expected, atol=1e-4)


def test_a_head_that_does_more_is_refused(monkeypatch: pytest.MonkeyPatch):
    model = tiny_models.build("llama")
    checkpoint = Checkpoint.of(model, name="tiny")
    model.lm_head.register_forward_hook(lambda module, inputs, output: output)
    original = type(model).forward

    def doubled(self, *args, **kwargs):
        out = original(self, *args, **kwargs)
        out.logits = 2 * out.logits
        return out

    monkeypatch.setattr(type(model), "forward", doubled)
    with pytest.raises(InputError, match="its logits are more than its head"):
        pretrained_losses.check_head(checkpoint)


def test_layers_of_different_rotation_are_not_extended():
    checkpoint = Checkpoint.of(tiny_models.build("gemma3"), name="tiny")
    with pytest.raises(InputError, match=r"tiny: its layers have no rotation in common.*--extension none"):
        pretrained_losses.pretrained_reader(checkpoint, 32, Extension("pi", 2.0, 16))


# the real model


@pytest.fixture(scope="module")
def smollm2() -> Checkpoint:
    return load_checkpoint(fetch_smollm2())


def test_bytes_of_tokens_add_up_to_those_of_the_text(smollm2: Checkpoint):
    text = "na\u00efve \u6587\u5b57 and \U0001f642 more words of plain English text"
    tokens, sizes = encoded(smollm2, text)
    assert len(tokens) == len(sizes)
    assert sizes.sum() == len(text.encode())
    assert (sizes >= 0).all()
    assert first_token(smollm2) is None


def test_the_sliding_protocol_is_transformers_recipe(smollm2: Checkpoint):
    """Its guide's loop, with the model's own loss: labels masked, means weighted by scored tokens less one.

    That weight is one too few in every window but the first; with the right one the numbers agree within
    rounding, as it stands to 1e-3.
    """
    text = next(path for path in assets.fetch_texts() if path.name == "hamlet.txt").read_text()[:1600]
    tokens, sizes = encoded(smollm2, text)
    length, stride = 256, 128
    read_, rows = pretrained_losses.pretrained_reader(smollm2, length)
    target = Target("hamlet", tokens, sizes, 1, len(tokens))
    edges = position_edges(length)
    mine = losses_by_document(read_, [target], length, Protocol("sliding", stride), edges=edges, rows=rows)[
        target.document
    ]
    assert mine.text_bytes == len(text.encode()) - sizes[0]

    means, weights, counts, previous = [], [], [], 0
    for begin in range(0, len(tokens), stride):
        end = min(begin + length, len(tokens))
        ids = torch.from_numpy(tokens[begin:end])[None]
        labels = ids.clone()
        labels[:, : -(end - previous)] = -100
        with torch.no_grad():
            means.append(float(smollm2.model(ids, labels=labels, use_cache=False).loss))
        weights.append(int((labels != -100).sum()) - 1)
        counts.append(int((labels[:, 1:] != -100).sum()))
        previous = end
        if end == len(tokens):
            break
    assert len(means) == 4
    assert sum(counts) == mine.tokens == len(tokens) - 1
    perplexity = math.exp(mine.nats / mine.tokens)
    assert perplexity == pytest.approx(math.exp(np.average(means, weights=counts)), rel=1e-4)
    assert perplexity == pytest.approx(math.exp(np.average(means, weights=weights)), rel=1e-3)


# retrieval


def test_retrieval_of_a_reader_that_knows_and_of_one_that_does_not(monkeypatch: pytest.MonkeyPatch):
    """Intervals hold the truth: 1 for the one, chance for the other, whose bits are those of a fair guess."""
    documents = [Document("a", np.random.default_rng(0).integers(97, 123, 4000).astype(np.uint8))]
    model = llama()
    options = {"length": 160, "distances": (40, 80), "task": RECALL, "count": 64, "seed": 3}

    def knows(tokens: Tensor) -> Tensor:
        return 50.0 * torch.nn.functional.one_hot(tokens.roll(-1, dims=1), 256).float()

    def guesses(tokens: Tensor) -> Tensor:
        return torch.zeros(*tokens.shape, 256)

    for reader, exact, bits in ((knows, 1.0, 0.0), (guesses, 0.0, 16.0)):
        monkeypatch.setattr(type(model), "forward", lambda self, tokens, reader=reader: reader(tokens))
        found = evaluate_retrieval(model, documents, **options)
        assert found.sizes == {"distance": 2}
        assert (found.exact == exact).all()
        assert (found.exact_low <= exact).all()
        assert (found.exact_high >= exact).all()
        assert np.allclose(found.bits, bits, atol=1e-6)
    assert found.attrs["chance"] == RECALL.chance
    # 0 of 64: an upper end of 1 - 0.025^(1/64)
    assert float(found.exact_high[0]) == pytest.approx(1 - 0.025 ** (1 / 64))


def test_every_model_is_asked_the_same(monkeypatch: pytest.MonkeyPatch):
    asked: dict[str, list[Tensor]] = {"rope": [], "tapa": []}
    documents = [Document("a", np.random.default_rng(0).integers(97, 123, 4000).astype(np.uint8))]
    original = retrieval_data.score_queries
    for method, seen in asked.items():

        def watched(logits: Tensor, questions: Queries, seen=seen):
            seen.append(questions.tokens)
            return original(logits, questions)

        monkeypatch.setattr(retrieval_, "score_queries", watched)
        evaluate_retrieval(llama(method), documents, length=160, distances=(40,), count=8)
    assert all(torch.equal(a, b) for a, b in zip(*asked.values(), strict=True))
    assert len(asked["rope"]) == len(asked["tapa"]) == 1


# the command


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a model of another's, `llama`, one of ours, `run`, and texts for either."""
    tiny_models.save(tiny_models.build("llama"), tmp_path / "llama", tokenizer=True)
    model = llama().float()
    checkpoint.save(
        tmp_path / "run", 5, model.state_dict(), {},
        config=model.config, recipe={"corpus": "mine", "corpus_seed": 0}, corpus_sha256="0" * 64,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(" ".join(f"w{i}" for i in rng.integers(0, 96, 400)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


TEXTS = ["--text", "a.txt", "--text", "b.txt"]
SMALL = [*TEXTS, "--lengths", "16,64", "--target", "32", "--spans", "4"]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tapa", "evaluate", *arguments])
    with pytest.raises(SystemExit) as end:
        main.main()
    return int(end.value.code or 0)


@pytest.mark.parametrize("model", ["llama", "run"])
def test_the_command_writes_a_record_and_prints_its_rows(
    model: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(monkeypatch, model, *SMALL, "--extension", "none,yarn", "--factor", "4", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    data = read(place / "evaluation.nc", expect_schema=EVALUATION)
    assert dict(data.sizes) == {
        "extension": 2,
        "length": 2,
        "document": 2,
        "place": data.sizes["place"],
        "target": 4,
    }
    assert data.attrs["complete"] == 1
    assert data.attrs["protocol"] == told["protocol"] == "sliding"
    assert data.tokens.values.tolist() == [64, 64]  # of both extensions and lengths
    assert [row["length"] for row in told["rows"]] == [16, 64] * 2
    for row in told["rows"]:
        cell = data.sel(extension=row["extension"], length=row["length"])
        nats = float(cell.nats.sum())
        assert row["perplexity"] == pytest.approx(math.exp(nats / 128))
        assert row["bits_per_byte"] == pytest.approx(nats / math.log(2) / float(data.text_bytes.sum()))
        assert row["perplexity_low"] <= row["perplexity"] <= row["perplexity_high"]
        # every place of every window was read
        assert int(cell.position_tokens.sel(document="a.txt").sum()) > 0
    assert (data.difference.sel(extension="none") == 0).all()
    provenance = provenance_of(data)
    assert provenance.command.startswith(f"tapa evaluate {model} --text a.txt")
    assert len(provenance.model_sha256 or "") == len(provenance.text_sha256 or "") == 64
    if model == "run":  # bytes are its tokens
        assert (data.tokens == data.text_bytes).all()


def test_a_text_is_scored_from_its_beginning_and_the_record_says_where_its_targets_lie(
    place: Path, monkeypatch: pytest.MonkeyPatch
):
    more = ["--lengths", "16,64", "--target", "32"]
    assert run(monkeypatch, "run", *TEXTS, *more, "--spans", "4") == 0
    data = read(place / "evaluation.nc", expect_schema=EVALUATION)
    assert data.target_document.values.tolist() == ["a.txt"] * 2 + ["b.txt"] * 2
    assert (data.target_stop - data.target_start == 32).all()
    assert (data.target_start >= 64).all()  # all of the longest length stands before
    assert (
        run(monkeypatch, "run", *TEXTS, *more, "--from-start", "--protocol", "last-token", "--stride", "1")
        == 0
    )
    data = read(place / "evaluation.nc", expect_schema=EVALUATION)
    assert data.target_document.values.tolist() == ["a.txt", "b.txt"]
    assert data.target_start.values.tolist() == [1, 1]
    assert data.target_stop.values.tolist() == [33, 33]
    # the model itself, on the first bytes of the text
    tokens = torch.tensor([list((place / "a.txt").read_bytes()[:33])])
    model = open_model(place / "run").llama
    with torch.inference_mode():
        nats = torch.nn.functional.cross_entropy(model(tokens[:, :-1])[0], tokens[0, 1:], reduction="sum")
    assert float(data.nats.sel(length=64, document="a.txt").item()) == pytest.approx(float(nats), rel=1e-5)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            ["--extension", "yarn", "--lengths", "8,16"],
            "yarn: no length is beyond the trained one, 16, so that",
        ),
        (
            ["--extension", "none,dynamic"],
            "dynamic: nothing is extended within the trained length, 16: at 16",
        ),
        (["--text", "a.txt"], "1 document: no interval; give two or more"),
    ],
)
def test_a_table_says_what_its_numbers_leave_unsaid(
    more: list[str],
    said: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    texts = [] if "--text" in more else TEXTS
    sizes = ["--lengths", "16,64", "--target", "32", "--spans", "2"]
    assert run(monkeypatch, "run", *texts, *sizes, *more) == 0
    assert said in capsys.readouterr().out
    assert run(monkeypatch, "run", *SMALL, "--extension", "none,yarn") == 0
    out = capsys.readouterr().out
    assert "nothing is extended" not in out
    assert "no interval" not in out


def test_the_same_bytes_whatever_the_protocol_and_the_lengths(place: Path, monkeypatch: pytest.MonkeyPatch):
    seen = set()
    for more in (["--protocol", "non-overlapping"], ["--stride", "4"], ["--lengths", "8,64"]):
        assert run(monkeypatch, "run", *SMALL, *more) == 0
        data = read(place / "evaluation.nc", expect_schema=EVALUATION)
        seen.add(
            (provenance_of(data).text_sha256, *data.tokens.values.tolist(), *data.text_bytes.values.tolist())
        )
    assert len(seen) == 1


def test_what_is_read_is_saved_as_it_comes(place: Path):
    """A record after every reading, of the first document until it is whole, then of whole ones."""
    saved = []
    settings = PerplexitySettings(lengths=(16, 64), target=32, spans=2, extensions=("none", "pi"))
    data, _ = evaluate_model(
        "run", [place / "a.txt", place / "b.txt"], settings, arguments=["tapa"],
        progress=lambda *step: None, save=lambda data, provenance: saved.append(data),
    )  # fmt: skip
    assert [s.sizes["document"] for s in saved] == [1] * 7 + [2]
    assert [int(np.isfinite(s.nats).sum()) for s in saved] == [1, 2, 3, 4, 4, 4, 4, 8]
    assert [s.attrs["complete"] for s in saved] == [0] * 7 + [1]
    assert saved[-1].drop_attrs().equals(data.drop_attrs())


def truncated(place: Path) -> None:
    file = next((place / "run").glob("step-*/model.safetensors"))
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["nowhere", *TEXTS],
            "nowhere: no such file or folder; give smollm2 or gemma3-270m, a model of `tapa train`",
        ),
        (["smolm2", *TEXTS], "smolm2: no such file or folder; did you mean smollm2?"),
        (["lama", *TEXTS], "lama: no such file or folder; did you mean llama?"),
        (["run"], "the model was trained on the folder mine; give --text FILE"),
        (["llama", "--text", "c.txt"], "text c.txt cannot be read"),
        (["run", *TEXTS, "--lengths", "16,x"], "--lengths 16,x is not a list of whole numbers"),
        (["run", *TEXTS, "--lengths", "99999"], "is longer than each of 2 documents: the longest"),
        (["run", *SMALL, "--spans", "99"], "99 spans of 32 tokens after 64 do not fit without overlap"),
        (["run", *SMALL, "--extension", "yarm"], "extension 'yarm' is unknown; did you mean yarn?"),
        (["run", *SMALL, "--factor", "0.5"], "--factor 0.5"),
        (["run", *SMALL, "--protocol", "slide"], "protocol 'slide' is unknown"),
        (["run", *SMALL, "--stride", "16"], "--stride 16 is not below"),
        (["run", *SMALL, "--precision", "bfloat16"], "a model of `tapa train` is read in float32"),
        (["run", *SMALL, "--out", "llama"], "llama is a folder"),
        (["broken", *SMALL], "is truncated"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    if arguments[0] == "broken":
        truncated(place)
        arguments = ["run", *arguments[1:]]
    assert run(monkeypatch, *arguments) == 2
    said_in_one_line(capsys, message)
    assert not (place / "evaluation.nc").exists()


@pytest.mark.parametrize("documents", [1, 2])
def test_one_document_says_that_it_has_no_interval(documents: int):
    losses = np.linspace(1.0, 2.0, documents)
    counts = np.array([[100] * documents, [400] * documents])
    ends = perplexity._intervals(losses[None, None] * 100, counts, 0)
    data = xr.Dataset({"tokens": ("document", counts[0]), **ends}, {"extension": ["none"], "length": [128]})
    said = perplexity.perplexity_table(data)
    assert ("[n=1: no interval]" in said) == (documents == 1)
    assert "nan" not in said


def test_spans_of_byte_pairs_are_scored_per_byte():
    rng = np.random.default_rng(0)
    texts = [Document(name, rng.integers(0, 256, 60).astype(np.uint8)) for name in "ab"]
    chosen, sizes = spans(texts, longest=24, target=8, count=3, seed=0), np.arange(256) % 3 + 1
    model = tiny_phase.model("rope", context=16)
    own, pairs = (evaluate_spans(model, chosen, 32, token_bytes=one) for one in (None, sizes))
    by_document = dict.fromkeys(chosen.names, 0)
    for document, start in zip(chosen.documents, chosen.starts, strict=True):
        by_document[document.name] += int(sizes[document.tokens[start : start + 8]].sum())
    assert chosen.document_bytes(sizes).tolist() == list(by_document.values())
    assert chosen.document_bytes(None).sum() == 3 * 8
    assert pairs["nats"] == own["nats"]
    for found, size in ((own, 24), (pairs, sum(by_document.values()))):
        assert found["bits_per_byte"] == pytest.approx(sum(found["nats"]) / size / math.log(2))
