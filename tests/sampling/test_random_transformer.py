"""Untrained heads: no bias over weights, one of its own in every head, both as large as algebra says."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
import torch
import xarray as xr
from transformers import LlamaConfig, LlamaForCausalLM

from analysis.encodings import Nope, Rope, SlidingWindow, Tapa
from analysis.errors import InputError
from analysis.sampling import random_transformer
from analysis.sampling.random_transformer import (
    Shape,
    byte_windows,
    draw_head,
    head_sampler,
    hidden_states,
    weight_draws,
    weight_sd,
)
from analysis.theory import frequencies
from analysis.theory.rope import expected_score

SHAPE = Shape(hidden=24, layers=2, heads=3, feed_forward=40)
ROPE = Rope(frequencies.plain(1e4, 8))
WORDS = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of folly. "
)


def tokens(windows: int = 3, length: int = 40) -> np.ndarray:
    text = np.frombuffer((WORDS * 9).encode(), dtype=np.uint8).astype(np.int64)
    return text[: windows * length].reshape(windows, length)


def states(layer: int = 1, initialisation: str = "xavier") -> torch.Tensor:
    return hidden_states(tokens(), SHAPE, ROPE, initialisation=initialisation, seed=0)[layer]


def test_hidden_states_are_those_of_transformers_llama():
    """The same weights in its model: what each layer's attention reads after the norm."""
    config = LlamaConfig(
        vocab_size=256,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=3,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4},
        attn_implementation="eager",
    )
    model = LlamaForCausalLM(config).double().eval().model
    weights = random_transformer._Weights(np.random.default_rng(0), "xavier", 2)
    with torch.no_grad():
        model.embed_tokens.weight.copy_(weights.normal(256, 24, 0.02))
        for layer in model.layers:
            attention, mlp = layer.self_attn, layer.mlp
            for linear in (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj):
                linear.weight.copy_(weights.matrix(24, 24).T)
            for linear in (mlp.gate_proj, mlp.up_proj):
                linear.weight.copy_(weights.matrix(24, 40).T)
            mlp.down_proj.weight.copy_(weights.matrix(40, 24).T)
    seen = []
    for layer in model.layers:
        layer.input_layernorm.register_forward_hook(lambda *call: seen.append(call[-1].detach()))
    model(input_ids=torch.tensor(tokens()))
    found = hidden_states(tokens(), SHAPE, ROPE, initialisation="xavier", seed=0)
    # transformers forms RoPE's angles in float32: off by 2^-24 of 40 rad
    assert torch.allclose(found, torch.stack(seen), atol=1e-5)


def test_causality():
    changed = tokens()
    changed[:, 20] = (changed[:, 20] + 1) % 256
    before, after = (hidden_states(x, SHAPE, Tapa(8), seed=0) for x in (tokens(), changed))
    assert torch.equal(before[:, :, :20], after[:, :, :20])
    assert bool((before[1, :, 21:] != after[1, :, 21:]).any(dim=-1).all())


@pytest.mark.parametrize(
    ("name", "sd"), [("normal", 0.02), ("xavier", math.sqrt(2 / 88)), ("depth", 0.02 / math.sqrt(8))]
)
def test_initialisations(name, sd):
    assert weight_sd(name, 64, 24, layers=4) == pytest.approx(sd)
    q, k = draw_head(torch.eye(200).double()[None], 100, sd=sd, rng=np.random.default_rng(0))
    for w in (q, k):  # the matrices themselves
        assert float(w.std()) == pytest.approx(sd, rel=4 / math.sqrt(2 * 20_000))
        assert abs(float(w.mean())) < 4 * sd / math.sqrt(20_000)
    assert abs(float((q * k).mean())) < 4 * sd**2 / math.sqrt(20_000)


@pytest.mark.parametrize("encoding", [ROPE, Tapa(8), Nope(8)])
def test_over_weights_no_encoding_has_a_bias(encoding):
    """Fixed pairs of tokens: the mean over weights is 0 within its error, jointly, and their spread is not."""
    found = weight_draws(states(), encoding, sd=0.2, draws=320, seed=1)
    z = (found["weights_mean"] / found["weights_se"]).values
    assert np.abs(z).max() < 5  # 120 correlated values, Student's t with 319 degrees: chance 7e-5
    assert (found["weights_sd"] > 0.01).all()
    mean, spread = found["score"].mean("draw"), found["score"].std("draw", ddof=1)
    assert (np.abs(mean) < 5 * spread / math.sqrt(320)).all()


def test_over_tokens_every_head_has_a_bias_of_known_size():
    """W_q, W_k of independent entries s: sd of a head's mean score at distance l is s^2 |M_l|, with M_l the mean
    outer product of hidden states l apart (scale 1/sqrt(D), and a rotation has Frobenius norm sqrt(D))."""
    hidden, sd, draws = states(), 0.2, 1600
    found = weight_draws(hidden, ROPE, sd=sd, draws=draws, seed=2)["score"]
    for lag in (0, 1, 7, 39):
        outer = torch.einsum("wna,wnb->wnab", hidden[:, lag:], hidden[:, : 40 - lag]).mean(dim=(0, 1))
        expected = sd**2 * float(outer.norm())
        values = found.sel(distance=lag).values
        # heavy-tailed products: the error of the sd from the sample's own fourth moment
        error = np.std(np.square(values)) / (2 * expected * math.sqrt(draws))
        assert abs(values.std() - expected) < 4 * error
        assert expected > 0.05


def test_mu_and_nu_make_the_curve_of_means():
    """With one window whose tokens are all alike, the score at every distance is the bias, nothing else."""
    alike = torch.ones(1, 30, 24).double() * torch.linspace(-1, 1, 24).double()
    found = weight_draws(alike, ROPE, sd=0.3, draws=3, seed=0)
    for draw in range(3):
        mu, nu = (found[name].values[draw] for name in ("mu", "nu"))
        curve = expected_score(np.arange(30.0), ROPE.frequencies.omega, mu, nu, scale=ROPE.factor)
        assert found["score"].values[draw] == pytest.approx(curve, abs=1e-12)
    assert "mu" not in weight_draws(alike, Tapa(8), sd=0.3, draws=2, seed=0)


@pytest.mark.parametrize("encoding", [ROPE, Tapa(8)])
def test_scores_are_diagonal_means_of_the_same_draws(encoding):
    hidden = states()
    found = weight_draws(hidden, encoding, sd=0.3, draws=2, seed=4)
    rng = np.random.default_rng(np.random.SeedSequence(4).spawn(1)[0])
    at = torch.arange(40)
    for draw in range(2):
        q, k = draw_head(hidden, 8, sd=0.3, rng=rng)
        square = encoding.scores(q, k, at, at)
        curve = torch.stack([square.diagonal(-lag, 1, 2).mean() for lag in range(40)])
        assert found["score"].values[draw] == pytest.approx(curve.numpy(), abs=1e-10)


def test_bands_are_quantiles_over_heads():
    found = weight_draws(states(), ROPE, sd=0.2, draws=40, seed=0, quantiles=[0.1, 0.5])
    assert found["band"].dims == ("quantile", "distance")
    inside = (found["score"] <= found["band"].sel(quantile=0.5)).sum("draw")
    assert (inside == 20).all()
    assert ((found["score"] < found["band"].sel(quantile=0.1)).sum("draw") == 4).all()


def test_head_sampler_is_one_head_of_all_tokens():
    hidden = states()
    sampler = head_sampler(hidden, 8, sd=0.2, seed=3)
    q, k = draw_head(hidden, 8, sd=0.2, rng=np.random.default_rng(3))
    assert torch.equal(sampler.q, q.reshape(-1, 8))
    assert torch.equal(sampler.k, k.reshape(-1, 8))
    assert sampler.dimensions == 2


def test_byte_windows(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("äb" * 100, encoding="utf-8")
    found = byte_windows([path], 30, 2, seed=0)
    assert found.tokens.shape == (2, 30)
    assert set(found.tokens.ravel()) == {0xC3, 0xA4, ord("b")}


def test_a_seed_decides():
    a, b, c = (weight_draws(states(), ROPE, sd=0.2, draws=20, seed=s) for s in (0, 0, 1))
    xr.testing.assert_identical(a, b)
    assert not np.array_equal(a["score"], c["score"])
    digests = [hashlib.sha256(states(1, "normal").numpy().tobytes()).hexdigest() for _ in range(2)]
    assert digests[0] == digests[1]


HIDDEN = torch.ones(1, 9, 24).double()
DRAWS = {"hidden": HIDDEN, "encoding": ROPE, "sd": 0.1, "draws": 2, "seed": 0}
BAD = [
    (lambda: Shape(hidden=10, heads=3), "hidden=10 is not a multiple of heads=3"),
    (lambda: Shape(layers=0), "layers=0 must be at least 1"),
    (
        lambda: weight_sd("kaiming", 4, 4, layers=1),
        "initialisation='kaiming' is unknown; known: normal, xavier",
    ),
    (lambda: weight_sd("xavier", 4, 0, layers=1), "inputs=0 must be at least 1"),
    (lambda: hidden_states(tokens() + 200, SHAPE, ROPE, seed=0), "token 3.. is no byte, 0 .. 255"),
    (lambda: hidden_states(tokens(), SHAPE, Nope(6), seed=0), "is for head_dim=6, a head has 8"),
    (lambda: hidden_states(tokens(), SHAPE, ROPE, seed=-1), "seed=-1 is below 0"),
    (lambda: head_sampler(HIDDEN, 8, sd=0.0, seed=0), "sd=0.0 must be finite and above 0"),
    (lambda: weight_draws(**(DRAWS | {"draws": 1})), "draws=1 is below 2"),
    (lambda: weight_draws(**(DRAWS | {"seed": -2})), "seed=-2 is below 0"),
    (lambda: weight_draws(**(DRAWS | {"sd": math.nan})), "sd=nan must be finite and above 0"),
    (
        lambda: weight_draws(**DRAWS, quantiles=[1.5]),
        r"quantiles=\(1.5,\) must be one or more numbers in \[0, 1\]",
    ),
    (lambda: weight_draws(**(DRAWS | {"encoding": SlidingWindow(ROPE, 3)})), "a score is not finite"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_input_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
