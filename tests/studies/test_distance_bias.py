"""The record of a model's heads against brute force on tiny models of several families.

The witness takes what the model itself hands to its attention, turns it back with the model's own frequencies,
and evaluates eqs 3 to 5 of the paper pair by pair in float64: full score matrices, no FFT, no complex numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import stats
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

from analysis.errors import InputError
from analysis.heads import decomposition
from analysis.models.huggingface import Checkpoint
from analysis.models.load import PretrainedModel
from analysis.studies import distance_bias
from analysis.theory import frequencies
from tests import tiny_models

LENGTH, WINDOWS = 40, 3
FAMILIES = ("llama", "llama-yarn", "gpt_neox", "phi", "gemma3", "mistral", "glm")
INTERLEAVED = ("glm",)


def tokens(windows: int = WINDOWS, length: int = LENGTH, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 96, (windows, length))


def checkpoint(model: PreTrainedModel) -> PretrainedModel:
    return PretrainedModel(Checkpoint.of(model, name="tiny"))


def record_of(variant: str, *, seed: int = 0, windows: np.ndarray | None = None, **changes) -> xr.Dataset:
    """The record of a float64 model: its rounding is that of float32 storage alone."""
    model = tiny_models.build(variant, dtype=torch.float64, **changes)
    return distance_bias.measure(checkpoint(model), tokens() if windows is None else windows, seed=seed)


def test_scores_beyond_what_a_record_holds_are_refused():
    """Weights of a damaged file: finite, and their products far above float32."""
    model = tiny_models.build("llama", dtype=torch.float64)
    with torch.no_grad():
        attention = model.model.layers[-1].self_attn
        for projection in (attention.q_proj, attention.k_proj):
            projection.weight.mul_(1e25)
    with pytest.raises(InputError, match=r"a mean score of \d\S* is beyond float32; the weights are damaged"):
        distance_bias.measure(checkpoint(model), tokens(), seed=0)


# the witness


@dataclass(frozen=True)
class Layer:
    """One layer in one window: vectors before rotation, key heads repeated, and the model's own scores."""

    q: np.ndarray  # heads, length, dim
    k: np.ndarray
    scores: np.ndarray  # heads, query position, key position
    omega: np.ndarray
    factor: float
    scale: float
    first: np.ndarray  # indices of the dimensions of each pair
    second: np.ndarray
    read: int  # keys that the last query attends to by the model's own mask

    def products(self, q: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A_d and B_d of eq 4 times the attention factor squared."""
        (qi, qj), (ki, kj) = ((x[..., self.first], x[..., self.second]) for x in (q, k))
        return self.factor**2 * (qi * ki + qj * kj), self.factor**2 * (qi * kj - qj * ki)

    def score(self, q: np.ndarray, k: np.ndarray, distance: float) -> np.ndarray:
        """Eq 3 at one distance."""
        a, b = self.products(q, k)
        rest = [d for d in range(q.shape[-1]) if d not in {*self.first, *self.second}]
        still = (q[..., rest] * k[..., rest]).sum(-1)
        angle = distance * self.omega
        return self.scale * ((a * np.cos(angle) + b * np.sin(angle)).sum(-1) + still)


@pytest.fixture(autouse=True)
def no_attention_left_behind() -> Iterator[None]:
    yield
    for registry in (AttentionInterface, AttentionMaskInterface):
        registry._global_mapping.pop("witness", None)


def turned_back(x: np.ndarray, layer: Layer) -> np.ndarray:
    """Vectors before the rotation by their position that the model gave them."""
    angle = np.arange(x.shape[-2])[:, None] * layer.omega
    i, j = x[..., layer.first], x[..., layer.second]
    before = x.copy()
    before[..., layer.first] = (np.cos(angle) * i + np.sin(angle) * j) / layer.factor
    before[..., layer.second] = (np.cos(angle) * j - np.sin(angle) * i) / layer.factor
    return before


def rotation_of(model: PreTrainedModel, index: int) -> tuple[np.ndarray, float]:
    """The model's own frequencies and attention factor in one layer."""
    rotary = next(m for name, m in model.named_modules() if name.endswith("rotary_emb"))
    prefix = "" if hasattr(rotary, "inv_freq") else f"{model.config.layer_types[index]}_"
    omega = getattr(rotary, f"{prefix}inv_freq").double().numpy()
    return omega, float(getattr(rotary, f"{prefix}attention_scaling"))


def witnessed(variant: str, windows: np.ndarray, **changes) -> list[list[Layer]]:
    """What the model itself does, by window and layer."""
    model = tiny_models.build(variant, dtype=torch.float64, **changes)
    found: list[Layer] = []

    def attend(module, query, key, value, mask, *, scaling, **options):
        omega, factor = rotation_of(model, module.layer_idx)
        pairs = np.arange(2 * len(omega)).reshape(-1, 2) if variant in INTERLEAVED else None
        pairs = np.arange(2 * len(omega)).reshape(2, -1).T if pairs is None else pairs
        q, k = query[0].numpy(), key[0].repeat_interleave(query.shape[1] // key.shape[1], 0).numpy()
        scores = scaling * q @ k.transpose(0, 2, 1)
        read = LENGTH if mask is None else int(mask[0, 0, -1].sum())
        layer = Layer(q, k, scores, omega, factor, scaling, *pairs.T, read)
        found.append(replace(layer, q=turned_back(q, layer), k=turned_back(k, layer)))
        return AttentionInterface()["sdpa"](module, query, key, value, mask, scaling=scaling)

    AttentionInterface.register("witness", attend)
    AttentionMaskInterface.register("witness", AttentionMaskInterface()["sdpa"])
    model.set_attn_implementation("witness")
    with torch.inference_mode():
        for window in windows:
            model(input_ids=torch.from_numpy(window[None]), use_cache=False)
    depth = model.config.num_hidden_layers
    return [found[start : start + depth] for start in range(0, len(found), depth)]


def curves(layer: Layer, dropped: int) -> dict[str, np.ndarray]:
    """Every curve of one layer in one window by its definition, (heads, distances); NaN where no pair is left."""
    q, k = layer.q[:, dropped:], layer.k[:, dropped:]
    length = q.shape[1]
    mean_q, mean_k = q.mean(1), k.mean(1)
    a, b = layer.products(mean_q, mean_k)
    still = layer.score(mean_q, mean_k, 0.0) - layer.scale * a.sum(-1)  # of dimensions that are not rotated
    found = {name: np.full((len(q), LENGTH), np.nan) for name in ("measured", "drift", "covariance")}
    found |= {name: np.empty((len(q), LENGTH)) for name in ("bias", "paper")}
    for lag in range(LENGTH):
        found["bias"][:, lag] = layer.score(mean_q, mean_k, lag)
        waves = np.cos(lag * layer.omega).sum(), np.sin(lag * layer.omega).sum()
        found["paper"][:, lag] = layer.scale * (a.mean(-1) * waves[0] + b.mean(-1) * waves[1]) + still
        if lag < length:
            late, early = q[:, lag:], k[:, : length - lag]
            late_mean, early_mean = late.mean(1), early.mean(1)
            found["measured"][:, lag] = [
                np.diagonal(s[dropped:, dropped:], -lag).mean() for s in layer.scores
            ]
            found["drift"][:, lag] = layer.score(late_mean, early_mean, lag) - found["bias"][:, lag]
            together = layer.score(late - late_mean[:, None], early - early_mean[:, None], lag)
            found["covariance"][:, lag] = together.mean(1)
    found["content"] = found["drift"] + found["covariance"]
    for curve in found.values():
        curve[:, layer.read :] = np.nan
    return found


def attended_scores(layer: Layer, dropped: int) -> np.ndarray:
    """Every score that the layer's mask lets through, (heads, pairs of tokens)."""
    query, key = np.indices((LENGTH, LENGTH))
    return layer.scores[
        :, (key >= dropped) & (query >= key) & (query - key < layer.read) & (query >= dropped)
    ]


def pair_statistics(window: list[Layer], part: str, dropped: int) -> list[dict[str, np.ndarray]]:
    """Means of A_d, B_d and of their squares over all pairs of positions, layer by layer."""
    found = []
    for layer in window:
        chosen = np.arange(LENGTH)
        if part != "all":
            chosen = np.array_split(chosen, 4)[int(part[-1]) - 1]
        chosen = chosen[chosen >= dropped]
        a, b = layer.products(layer.q[:, chosen, None], layer.k[:, None, chosen])
        found.append(
            {name: x.mean((1, 2)) for name, x in (("mu", a), ("nu", b), ("a2", a * a), ("b2", b * b))}
        )
    return found


def query_statistics(windows: list[list[Layer]], dropped: int) -> dict[str, np.ndarray]:
    """Means over all tokens of all windows of each pair of a query, and of its length; (layers, heads, pairs)."""
    found: dict[str, list[np.ndarray]] = {"q_real": [], "q_imag": [], "q_size": []}
    for layers in zip(*windows, strict=True):
        first, second = (
            np.concatenate([layer.q[:, dropped:, getattr(layer, side)] for layer in layers], axis=1)
            for side in ("first", "second")
        )
        for name, x in (("q_real", first), ("q_imag", second), ("q_size", np.hypot(first, second))):
            found[name].append(x.mean(axis=1))
    return {name: np.array(values) for name, values in found.items()}


@cache
def witness(variant: str) -> list[list[Layer]]:
    return witnessed(variant, tokens())


@cache
def expected(variant: str) -> dict[str, np.ndarray]:
    """Means over windows and their standard errors, first axes as in the record: first_token, layer, head."""
    windows = witness(variant)
    found: dict[str, list[np.ndarray]] = {}
    for dropped in range(2):
        by_window = [[curves(layer, dropped) for layer in window] for window in windows]
        samples = {
            name: np.array([[layer[name] for layer in window] for window in by_window])
            for name in ("measured", "bias", "drift", "content", "paper")
        }
        for name, value in samples.items():
            found.setdefault(name, []).append(value.mean(0))
            found.setdefault(f"{name}_se", []).append(stats.sem(value, axis=0))
        depth = range(len(windows[0]))  # layers differ in how many scores they attend to
        spread = [
            np.concatenate([attended_scores(window[i], dropped) for window in windows], axis=1).std(axis=1)
            for i in depth
        ]
        found.setdefault("score_sd", []).append(np.array(spread))
        for name, value in query_statistics(windows, dropped).items():
            found.setdefault(name, []).append(value)
        parts: dict[str, list[np.ndarray]] = {}
        for part in distance_bias.PARTS:
            by_window = [pair_statistics(window, part, dropped) for window in windows]
            x = {
                name: np.array([[layer[name] for layer in window] for window in by_window])
                for name in ("mu", "nu", "a2", "b2")
            }
            parts.setdefault("sd_a", []).append(np.sqrt(x["a2"].mean(0) - x["mu"].mean(0) ** 2))
            parts.setdefault("sd_b", []).append(np.sqrt(x["b2"].mean(0) - x["nu"].mean(0) ** 2))
            for name in ("mu", "nu"):
                parts.setdefault(name, []).append(x[name].mean(0))
                parts.setdefault(f"{name}_se", []).append(stats.sem(x[name], axis=0))
        for name, values in parts.items():
            found.setdefault(name, []).append(np.stack(values))
    return {name: np.stack(values) for name, values in found.items()}


def mismatches(record: xr.Dataset, variant: str) -> set[str]:
    """Variables of a record that are not what brute force gives.

    The model's own frequencies are float32: at 40 tokens a phase is off by up to 40 * 2^-24 = 2.4e-6, for each
    of the at most 6 pairs, and the record stores curves as float32.
    """
    wrong = set()
    for name, value in expected(variant).items():
        found = record[name].values
        size = np.nanmax(np.abs(expected(variant)[name.removesuffix("_se")]))
        if found.shape != value.shape or not np.allclose(
            found, value, rtol=0, atol=2e-5 * size, equal_nan=True
        ):
            wrong.add(name)
    return wrong


@pytest.mark.parametrize("variant", FAMILIES)
def test_the_witness_is_sound(variant: str):
    """Eq 3 gives the model's own scores, and measured = bias + drift + covariance window by window."""
    for window in witness(variant):
        for layer in window:
            size = np.abs(layer.scores).max()
            for m, n in ((0, 0), (5, 3), (3, 5), (LENGTH - 1, 0)):
                ours = layer.score(layer.q[:, m], layer.k[:, n], m - n)
                np.testing.assert_allclose(ours, layer.scores[:, m, n], atol=1e-5 * size)
    for dropped in range(2):
        x = curves(witness(variant)[0][1], dropped)
        size = np.nanmax(np.abs(x["measured"]))
        np.testing.assert_allclose(x["measured"], x["bias"] + x["drift"] + x["covariance"], atol=1e-5 * size)
        # each part is there: an identity among zeros would show nothing
        assert min(np.nanmax(np.abs(x[name])) for name in ("bias", "drift", "covariance")) > 1e-3 * size


@pytest.mark.parametrize("variant", FAMILIES)
def test_the_record_is_what_brute_force_gives(variant: str):
    assert mismatches(record_of(variant), variant) == set()


# what is planted must be seen


def conjugated(original: Callable) -> Callable:
    return lambda *args, **options: original(*args, **options).conj().resolve_conj()


def rolled(original: Callable) -> Callable:
    return lambda *args, **options: torch.roll(original(*args, **options), 1, -1)


def nothing_of(original: Callable) -> Callable:
    return lambda *args, **options: 0 * original(*args, **options)


def factor_once(original: Callable) -> Callable:
    def pairs(x, frequencies):
        return original(x, replace(frequencies, attention_factor=frequencies.attention_factor**0.5))

    return pairs


def unscaled(original: Callable) -> Callable:
    return lambda *args, **options: original(*args, **(options | {"scale": 1.0}))


def unscaled_samples(original: Callable) -> Callable:
    return lambda frequencies, scale, *rest: original(frequencies, 1.0, *rest)


def conjugated_products(original: Callable) -> Callable:
    return lambda *args: original(*args).conj()


def bias_one_token_late(original: Callable) -> Callable:
    def shifted(*args):
        found = original(*args)
        found["bias"] = np.roll(found["bias"], 1, axis=-1)
        return found

    return shifted


def biased_error(original: Callable) -> Callable:
    return lambda x: (x.mean(axis=0), x.std(axis=0) / np.sqrt(len(x)))


def tiled(original: Callable) -> Callable:
    return lambda keys, heads: np.tile(keys, (1, heads // keys.shape[1], 1))


PLANTED = [
    # what, variant, module, name, wrong version, variables that must give it away
    ("sign of B_d", "llama", decomposition, "complex_pairs", conjugated, {"measured", "nu", "bias", "paper"}),
    ("sign of B_d in the bias", "phi", distance_bias, "_product", conjugated_products, {"nu", "bias"}),
    (
        "attention factor once",
        "llama-yarn",
        decomposition,
        "complex_pairs",
        factor_once,
        {"measured", "mu", "bias"},
    ),
    (
        "no scale in the curves",
        "llama",
        distance_bias,
        "split_layer",
        unscaled,
        {"measured", "drift", "score_sd"},
    ),
    ("no scale in the bias", "gemma3", distance_bias, "LayerSamples", unscaled_samples, {"bias", "paper"}),
    ("measured one token late", "gpt_neox", decomposition, "lag_sums", rolled, {"measured", "content"}),
    ("bias one token late", "gpt_neox", distance_bias, "_curves", bias_one_token_late, {"bias"}),
    ("first token lost", "llama", decomposition, "first_key_scores", nothing_of, {"measured"}),
    ("key heads in the wrong order", "llama", distance_bias, "_repeat", tiled, {"mu", "nu", "bias", "sd_a"}),
    ("error divided by n", "llama", distance_bias, "mean_and_error", biased_error, {"measured_se", "mu_se"}),
]


@pytest.mark.parametrize(("what", "variant", "module", "name", "wrong", "seen"), PLANTED)
def test_a_planted_error_is_seen(what, variant, module, name, wrong, seen, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, name, wrong(getattr(module, name)))
    assert seen <= mismatches(record_of(variant), variant)


# shares


def weights(kind: str, distance: np.ndarray) -> np.ndarray:
    weight = np.ones_like(distance, dtype=float) if kind == "uniform" else 1 / distance
    return weight / weight.sum()


def covariance(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    return float(np.cov(x, y, aweights=weight, ddof=0)[0, 1])


def across_windows(x: np.ndarray, y: np.ndarray, weight: np.ndarray, of: list[int]) -> float:
    """Mean over ordered pairs of different windows of the covariance over distance."""
    return float(np.mean([covariance(x[v], y[w], weight) for v, w in itertools.permutations(of, 2)]))


def test_shares_are_ratios_of_products_of_different_windows_with_jackknife_errors():
    windows = tokens(windows=4)
    record = record_of("llama", windows=windows)
    layer, head = 1, 2
    chosen = slice(1, LENGTH // 2 + 1)
    distance = np.arange(1, LENGTH // 2 + 1)
    by_window = [curves(window[layer], 1) for window in witnessed("llama", windows)]
    x = {name: np.array([c[name][head, chosen] for c in by_window]) for name in by_window[0]}

    def value(name: str, weight: np.ndarray, of: list[int]) -> float:
        kind, what = name.split("_")
        below = across_windows(x["measured"], x["measured"], weight, of)
        if kind == "share":
            return across_windows(x[what], x["measured"], weight, of) / below
        rest = x["measured"] - x[what]
        return 1 - across_windows(rest, rest, weight, of) / below

    at = record.sel(first_token="dropped", layer=layer, head=head)
    for name in ("share_bias", "share_content", "r2_bias", "r2_paper"):
        for kind in distance_bias.WEIGHTINGS:
            weight = weights(kind, distance)
            assert float(at[name].sel(weighting=kind)) == pytest.approx(
                value(name, weight, [0, 1, 2, 3]), rel=2e-3
            )
            left_out = [value(name, weight, [v for v in range(4) if v != w]) for w in range(4)]
            error = np.sqrt(3 / 4 * np.sum((left_out - np.mean(left_out)) ** 2))
            assert float(at[f"{name}_se"].sel(weighting=kind)) == pytest.approx(error, rel=2e-2)


def test_parts_add_up_and_shares_sum_to_one():
    record = record_of("llama")
    for name in ("measured", "bias", "content"):
        assert record[name].dtype == np.float32
    size = float(abs(record.measured).max())
    np.testing.assert_allclose(record.measured, record.bias + record.content, atol=2**-23 * size)
    np.testing.assert_allclose(record.control_gap, record.shuffled - record.bias, atol=2**-22 * size)
    np.testing.assert_allclose(record.share_bias + record.share_content, 1, atol=1e-9)


def test_with_equal_windows_shares_are_the_textbook_ones_without_error():
    """Nothing to tell noise from signal: eta squared, R squared and a ratio of covariances."""
    windows = np.repeat(tokens(1), 4, axis=0)
    record = record_of("phi", windows=windows)
    layer = witnessed("phi", windows[:1])[0][0]
    for dropped, first_token in enumerate(decomposition.VARIANTS):
        x, at = curves(layer, dropped), record.sel(first_token=first_token, layer=0)
        scores = layer.scores[:, dropped:, dropped:]
        rows, columns = np.tril_indices(LENGTH - dropped)
        chosen = slice(1, LENGTH // 2 + 1)
        weight = weights("log", np.arange(1, LENGTH // 2 + 1))
        for head in range(4):
            causal, mean = scores[head][rows, columns], x["measured"][head][rows - columns]
            eta = np.var(mean) / np.var(causal)  # every score against the mean at its distance
            assert float(at.distance_share[head]) == pytest.approx(eta, rel=1e-4)
            measured, bias, paper, content = (
                x[name][head, chosen] for name in ("measured", "bias", "paper", "content")
            )
            whole = covariance(measured, measured, weight)
            for name, value in (
                ("share_bias", covariance(bias, measured, weight) / whole),
                ("share_content", covariance(content, measured, weight) / whole),
                ("r2_bias", 1 - covariance(measured - bias, measured - bias, weight) / whole),
                ("r2_paper", 1 - covariance(measured - paper, measured - paper, weight) / whole),
            ):
                assert float(at[name].sel(weighting="log")[head]) == pytest.approx(value, rel=1e-3, abs=1e-3)
                assert float(at[f"{name}_se"].sel(weighting="log")[head]) == pytest.approx(0, abs=1e-6)


# models made so that the answer is known


def repeating(windows: int) -> np.ndarray:
    """56 tokens a window: 7 different ones, over and over."""
    rng = np.random.default_rng(1)
    return np.stack([np.tile(rng.choice(96, 7, replace=False), 8) for _ in range(windows)])


def matching_heads() -> PreTrainedModel:
    """One layer whose queries are its keys: a token scores highest with itself."""
    model = tiny_models.build(
        "llama", num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    )  # fmt: skip
    attention = model.model.layers[0].self_attn
    attention.q_proj.weight.data.copy_(attention.k_proj.weight.data)
    return model


def constant_heads(model: PreTrainedModel, *, noise: float = 0.0) -> PreTrainedModel:
    """Queries and keys that are their projections' biases, and `noise` times what the token says."""
    for layer in model.model.layers:
        for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj):
            projection.weight.data.mul_(noise)
            projection.bias.data.mul_(5)
    return model


def test_constant_queries_and_keys_are_all_bias():
    record = distance_bias.measure(checkpoint(constant_heads(tiny_models.build("qwen2"))), tokens(4), seed=0)
    size = float(abs(record.measured).max())
    present = record.isel(distance=slice(0, LENGTH - 1))
    assert float(abs(present.content).max()) < 1e-5 * size
    assert float(abs(present.control_gap).max()) < 1e-5 * size
    for name in ("r2_bias", "share_bias", "distance_share"):
        np.testing.assert_allclose(record[name], 1, atol=1e-4)
    # no spread at all: float32 rounding of sums must not turn a variance of 0 into NaN
    assert float(record.sd_a.max()) < 1e-2 * float(abs(record.mu).max())
    assert np.isfinite(record.sd_b).all()
    assert np.isfinite(record.score_sd).all()
    assert distance_bias.for_json(distance_bias.summarise_model(record)) == distance_bias.summarise_model(
        record
    )


def test_mostly_constant_queries_and_keys_are_mostly_bias():
    model = constant_heads(tiny_models.build("qwen2"), noise=0.3)
    record = distance_bias.measure(checkpoint(model), tokens(6), seed=0).sel(
        first_token="dropped", weighting="log"
    )
    assert float(record.r2_bias.median()) > 0.9
    assert float(record.distance_share.max()) < 1 - 1e-3  # and yet the tokens are heard


def test_a_head_that_repeats_every_seven_tokens_is_content():
    """Queries that are their keys on a text of period 7: a peak at every multiple, which no mean explains."""
    record = distance_bias.measure(checkpoint(matching_heads()), repeating(6), seed=0).sel(
        first_token="dropped"
    )
    assert float(record.share_content.min()) > 0.5
    assert float(record.r2_bias.max()) < 0.3
    multiple = record.distance.isin([7, 14, 21, 28])
    rest = record.distance.isin(np.arange(1, 29)) & ~multiple
    at_peaks, elsewhere = record.content.where(multiple), record.content.where(rest)
    assert (at_peaks.min("distance") > elsewhere.max("distance")).all()
    for name, seen in (("content", True), ("control_gap", False)):
        z = abs(record[name] / record[f"{name}_se"]).where(multiple)
        assert (float(z.median()) > 2) == seen


def test_a_dead_head_has_no_shares_and_spoils_nothing(recwarn: pytest.WarningsRecorder):
    model = tiny_models.build("llama")
    model.model.layers[1].self_attn.q_proj.weight.data[8:16] = 0
    record = distance_bias.measure(checkpoint(model), tokens(), seed=0)
    dead = record.sel(layer=1, head=1)
    for name in (*distance_bias.SHARES, "distance_share_se"):
        assert np.isnan(dead[name]).all()
        alive = record[name].isel(head=[0, 2, 3])
        assert np.isfinite(alive).all()
    assert float(abs(dead.measured.isel(distance=slice(0, -1))).max()) == 0
    assert (1, 1) not in [(layer, head) for layer, head, _ in distance_bias.telling_heads(record)]
    assert np.isfinite(list(distance_bias.share_quartiles(record).values())).all()
    content = distance_bias.summarise_model(record)
    assert content["heads"]["distance_share"][1][1] is None
    assert not recwarn.list


# the control


def test_the_control_falls_on_the_bias_within_its_standard_error():
    """z over 6 windows is Student's t with 5 degrees of freedom; layers shuffle apart."""
    model = tiny_models.build("llama", num_hidden_layers=12)
    record = distance_bias.measure(checkpoint(model), repeating(6), seed=0)
    for first_token in decomposition.VARIANTS:
        x = record.sel(first_token=first_token).isel(distance=slice(1, 29))
        z = x.control_gap / x.control_gap_se
        beyond = (abs(z) > 2).mean(["head", "distance"]).values
        expected = 2 * stats.t.sf(2, df=5)
        error = beyond.std(ddof=1) / np.sqrt(12)
        assert abs(beyond.mean() - expected) < 4 * error
        assert error < expected / 4
        found = distance_bias.control_check(record.sel(first_token=first_token))
        assert found["share_beyond_2se"] == pytest.approx(beyond.mean(), abs=1e-7)
        assert found["mean_z"] == pytest.approx(float(z.mean()), abs=1e-6)


def test_a_control_that_does_not_shuffle_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        decomposition, "draw_order", lambda length, _: decomposition.Order(np.arange(1, length), length - 1)
    )
    record = distance_bias.measure(checkpoint(matching_heads()), repeating(6), seed=0)
    found = distance_bias.control_check(record.sel(first_token="dropped"))
    assert found["share_beyond_2se"] > 5 * 2 * stats.t.sf(2, df=5)


# the job around it


def test_a_seed_decides_the_control_and_nothing_else():
    first, again, other = (record_of("llama", seed=seed) for seed in (3, 3, 4))
    xr.testing.assert_identical(first, again)
    drawn = ["shuffled", "shuffled_se", "control_gap", "control_gap_se"]
    xr.testing.assert_identical(first.drop_vars(drawn), other.drop_vars(drawn))
    for name in drawn:
        assert not np.allclose(first[name].sel(first_token="kept"), other[name].sel(first_token="kept"))


def test_windows_and_layers_are_shuffled_apart():
    """Equal windows of equal vectors: only their token orders differ, so the control has an error."""
    record = record_of("llama", windows=np.repeat(tokens(1), 3, axis=0)).sel(first_token="kept")
    size = float(abs(record.measured).max())
    assert float(record.measured_se.max()) < 1e-6 * size
    assert float(record.shuffled_se.isel(distance=slice(1, 20)).min()) > 1e-4 * size


def test_the_number_of_threads_decides_nothing():
    before = torch.get_num_threads()
    records = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            records.append(record_of("llama"))
    finally:
        torch.set_num_threads(before)
    for name, value in records[0].data_vars.items():
        if np.issubdtype(value.dtype, np.floating):
            size = float(abs(value).max())
            np.testing.assert_allclose(value, records[1][name], atol=1e-6 * size, err_msg=str(name))


def test_a_record_says_what_its_layers_are():
    record = record_of("gemma2")
    assert record.sizes == {
        "first_token": 2, "weighting": 2, "part": 5, "layer": 3, "head": 4, "distance": LENGTH, "pair": 6,
        "window": WINDOWS, "telling": 6,
    }  # fmt: skip
    assert record.first_token.values.tolist() == ["kept", "dropped"]
    assert record.part.values.tolist() == ["all", "quarter 1", "quarter 2", "quarter 3", "quarter 4"]
    assert record.attrs["windows"] == WINDOWS
    np.testing.assert_allclose(record.scale, 20**-0.5)
    assert record.softcap.values.tolist() == [3.0] * 3
    assert record.sliding_window.values.tolist() == pytest.approx([24, np.nan, 24], nan_ok=True)
    assert np.isnan(record.measured.sel(first_token="dropped").isel(distance=-1)).all()
    assert np.isfinite(record.measured.sel(first_token="kept", layer=1)).all()
    other = record_of("gemma3")
    assert np.isnan(other.softcap).all()
    assert other.rope_type.values.tolist() == ["default", "linear", "default"]
    assert other.pairing.values.tolist() == ["halves"] * 3
    assert other.head_dim.values.tolist() == [12] * 3
    assert (other.attrs["context_length"], other.attrs["trained_length"]) == (256, 256)
    for layer, (base, factor) in enumerate([(100, 1), (5000, 4), (100, 1)]):
        assert other.omega[layer].values == pytest.approx(base ** (-np.arange(6) / 6) / factor)


def test_a_model_in_memory_is_measured_and_left_in_its_mode():
    model = tiny_models.build("gpt_neox", attention_dropout=0.5).train()
    frozen = next(module for name, module in model.named_modules() if name.endswith("input_layernorm"))
    frozen.eval()  # one module in another mode
    modes = [module.training for module in model.modules()]
    found = distance_bias.measure(model, torch.from_numpy(tokens()), seed=0)
    assert [module.training for module in model.modules()] == modes
    wrapped = distance_bias.measure(checkpoint(model), tokens(), seed=0)
    assert found.equals(wrapped)  # no dropout, and tokens of either library


def test_what_is_in_memory_and_cannot_be_measured():
    with pytest.raises(
        InputError, match="Linear is no model that can be measured; give a causal model of transf"
    ):
        distance_bias.measure(torch.nn.Linear(2, 2), tokens(), seed=0)
    model = tiny_models.build("llama").train()
    with pytest.raises(InputError, match=r"tokens have shape \(40,\); give \(windows, length\)"):
        distance_bias.measure(model, tokens()[0], seed=0)
    assert model.training  # also after a refusal


def test_a_sliding_window_ends_curves_shares_and_gaps():
    """Gemma 3's layers of window 24 by definition over distances up to 23; the layer between attends to all."""
    record = record_of("gemma3", windows=np.repeat(tokens(1, 64), 4, axis=0))  # equal: no noise is taken out
    for layer, seen in enumerate((24, 64, 24)):
        x = record.sel(first_token="kept", layer=layer)
        for name in distance_bias.CURVES:
            assert np.isfinite(x[name][..., :seen]).all()
            assert np.isnan(x[name][..., seen:]).all()
        reach = min(32, seen - 1)
        measured, bias = (x[name].values[:, 1 : reach + 1].astype(float) for name in ("measured", "bias"))
        for kind in distance_bias.WEIGHTINGS:
            weight = weights(kind, np.arange(1, reach + 1))
            r2 = [
                1 - covariance(m - p, m - p, weight) / covariance(m, m, weight)
                for m, p in zip(measured, bias, strict=True)
            ]
            np.testing.assert_allclose(x.r2_bias.sel(weighting=kind), r2, atol=1e-4)
        gap = distance_bias.measured_gap(record.sel(first_token="kept")).sel(layer=layer)
        measured = x.measured.values.astype(float)
        expected = measured[:, 1:17].mean(-1) - measured[:, reach // 2 : reach + 1].mean(-1)
        np.testing.assert_allclose(gap, expected, rtol=1e-4, atol=1e-5)
        from_mu, from_nu = distance_bias.near_far_gap_of_means(record.sel(first_token="kept"))
        bias = x.bias.values.astype(float)
        expected = bias[:, 1:17].mean(-1) - bias[:, reach // 2 : reach + 1].mean(-1)
        np.testing.assert_allclose((from_mu + from_nu).sel(layer=layer), expected, rtol=1e-4, atol=1e-5)
    assert np.isfinite(list(distance_bias.share_quartiles(record).values())).all()


def test_shares_do_not_change_with_what_a_sliding_window_hides():
    distance, window = np.arange(64), 20
    curve = np.where(distance < window, np.sin(distance), 1e6)
    curves = dict.fromkeys(("measured", "bias", "paper"), np.repeat(curve[None, None], 3, axis=0))
    found = distance_bias._share_variables(curves, window)
    np.testing.assert_allclose(found["r2_bias"], 1)
    changed = curves | {"measured": np.where(distance < window, curves["measured"], -curves["measured"])}
    for name, value in distance_bias._share_variables(changed, window).items():
        np.testing.assert_array_equal(value, found[name])
    assert not np.allclose(distance_bias._share_variables(changed, None)["r2_bias"], 1)


def test_a_window_of_one_token_has_no_curve():
    model = tiny_models.build("mistral", sliding_window=1)
    with pytest.raises(InputError, match="attends to no distance above 0"):
        distance_bias.measure(checkpoint(model), tokens(), seed=0)


def test_progress_is_told_window_by_window():
    told: list[tuple[str, int, int]] = []
    distance_bias.measure(
        checkpoint(tiny_models.build("llama")), tokens(), seed=0, progress=lambda *step: told.append(step)
    )
    assert told == [("window", 1, 3), ("window", 2, 3), ("window", 3, 3)]


def test_the_clock_tells_statistics_from_forward_passes(monkeypatch: pytest.MonkeyPatch):
    """A clock that ticks once a reading: 3 windows of 3 layers, each layer two readings, all together two."""
    ticks = itertools.count()
    monkeypatch.setattr(distance_bias, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    clock = distance_bias.Clock()
    distance_bias.measure(checkpoint(tiny_models.build("llama")), tokens(), seed=0, clock=clock)
    assert clock.statistics == 3 * 3 + 1  # one tick a layer, one for assembling
    assert clock.forward == 2 * 9 + 1 - 9  # from the first to the last reading, less statistics


@pytest.mark.parametrize(
    ("windows", "length", "message"),
    [
        (1, 40, "1 window gives no standard error; measure at least 2"),
        (2, 257, "window of 257 tokens is longer than the model's context of 256"),
        (2, 7, "window of 7 tokens is too short; measure at least 8"),
    ],
)
def test_windows_that_cannot_be_measured(windows: int, length: int, message: str):
    with pytest.raises(InputError, match=message):
        distance_bias.measure(checkpoint(tiny_models.build("llama")), tokens(windows, length), seed=0)


def test_the_shortest_window_is_measured_without_a_hole():
    """At 8 tokens every quarter keeps a token when the first is dropped."""
    record = record_of("llama", windows=tokens(3, distance_bias.SHORTEST))
    for name in ("mu", "nu", "sd_a", "sd_b", "mu_se", "distance_share", "r2_bias", "score_sd"):
        assert np.isfinite(record[name]).all(), name


def test_layers_that_rotate_different_numbers_of_pairs_have_no_common_record():
    layers = [
        (distance_bias.LayerSamples(frequencies.plain(1e4, 8, d), 1.0, None, None, []), []) for d in (4, 8)
    ]
    with pytest.raises(
        InputError, match=r"layers rotate different numbers of pairs \[2, 4\]; measure one kind"
    ):
        distance_bias.model_dataset(layers)


# the summary


@pytest.fixture(scope="module")
def llama() -> xr.Dataset:
    return record_of("llama", windows=tokens(4, 64))


def test_near_far_gaps(llama: xr.Dataset):
    x = llama.sel(first_token="dropped")
    measured = x.measured.values.astype(float)
    gap = distance_bias.measured_gap(x)
    np.testing.assert_allclose(
        gap, measured[..., 1:17].mean(-1) - measured[..., 16:33].mean(-1), rtol=1e-4, atol=1e-5
    )
    from_mu, from_nu = distance_bias.near_far_gap_of_means(x)
    bias = x.bias.values.astype(float)
    np.testing.assert_allclose(
        from_mu + from_nu, bias[..., 1:17].mean(-1) - bias[..., 16:33].mean(-1), rtol=1e-4, atol=1e-5
    )
    without_nu = x.assign(nu=0 * x.nu)
    np.testing.assert_allclose(distance_bias.near_far_gap_of_means(without_nu)[0], from_mu)
    assert float(abs(distance_bias.near_far_gap_of_means(without_nu)[1]).max()) == 0


def test_the_spread_over_pairs_is_without_the_windows_noise():
    rng = np.random.default_rng(0)
    true, error = rng.normal(1.0, 0.5, 20_000), np.full(20_000, 1.5)
    noisy = true + error * rng.standard_normal(20_000)
    mean, sd = distance_bias.spread_over_pairs(
        xr.DataArray(noisy, dims="pair"), xr.DataArray(error, dims="pair")
    )
    # variance of a variance estimate: 2 sigma^4 / n with sigma^2 = 0.25 + 2.25
    standard_error = np.sqrt(2 * 2.5**2 / 20_000) / (2 * 0.5)
    assert abs(float(sd) - 0.5) < 4 * standard_error < 0.2
    assert float(mean) == pytest.approx(1, abs=4 * 1.6 / 20_000**0.5)
    naive = distance_bias.spread_over_pairs(
        xr.DataArray(noisy, dims="pair"), xr.DataArray(0 * error, dims="pair")
    )[1]
    assert float(naive) == pytest.approx(noisy.std(ddof=1))
    all_noise = xr.DataArray([1.0, 1.1, 0.9], dims="pair"), xr.DataArray([1.0, 1.0, 1.0], dims="pair")
    assert float(distance_bias.spread_over_pairs(*all_noise)[1]) == 0


def test_telling_heads_follow_their_rules(llama: xr.Dataset):
    x = llama.sel(first_token="dropped")
    log = x.sel(weighting="log")
    chosen = distance_bias.telling_heads(llama)
    assert [why for *_, why in chosen] == [
        "most distance", "least distance", "median head", "paper fits best", "most content", "largest near-far gap",
    ]  # fmt: skip
    places = [(layer, head) for layer, head, _ in chosen]
    assert len(set(places)) == 6
    values = x.distance_share.values
    assert values[places[0]] == values.max()
    assert values[places[1]] == values.min()
    scores = [
        -log.r2_paper.values,
        -abs(log.share_content.values),
        -abs(distance_bias.measured_gap(x).values),
    ]
    for i, score in enumerate(scores, start=3):  # best of those not taken
        taken = places[:i]
        left = [score[h] for h in np.ndindex(score.shape) if h not in taken]
        assert score[places[i]] == min(left)
    for i, (layer, head, why) in enumerate(chosen):
        assert (int(llama.telling_layer[i]), int(llama.telling_head[i])) == (layer, head)
        assert str(llama.telling_why.values[i]) == why


def test_a_model_of_few_heads_has_as_many_telling_ones():
    record = record_of("llama", num_hidden_layers=1)
    assert len(distance_bias.telling_heads(record)) == 4
    assert record.sizes["telling"] == 4


def test_a_summary_holds_the_records_numbers(llama: xr.Dataset):
    found = distance_bias.summarise_model(llama)
    assert (found["windows"], found["length"]) == (4, 64)
    for first_token in ("kept", "dropped"):
        x = llama.sel(first_token=first_token)
        for name in distance_bias.SHARES:
            values = x[name].sel(weighting="log") if "weighting" in x[name].dims else x[name]
            assert found[first_token][name] == pytest.approx(
                np.quantile(values, distance_bias.QUANTILES).tolist()
            )
        mean, sd = x.mu.sel(part="all").mean("pair"), x.mu_pair_sd.sel(part="all")
        exceeds = found[first_token]["heads_where_sd_over_pairs_of_mu_exceeds_its_mean"]
        assert exceeds == int((sd > abs(mean)).sum())
    x = llama.sel(first_token="dropped", weighting="log")
    assert found["heads"]["distance_share"] == x.distance_share.values.tolist()
    assert found["layers"]["r2_bias"] == pytest.approx(x.r2_bias.values.mean(1).tolist())
    error = np.sqrt((x.r2_bias_se.values**2).sum(1)) / 4
    assert found["layers"]["r2_bias_se"] == pytest.approx(error.tolist())
    gap = distance_bias.measured_gap(x)
    assert found["near_far_gap"]["heads_that_favour_near"] == int((gap > 0).sum())
    assert found["near_far_gap"]["measured"][1] == pytest.approx(float(gap.median()))
    headline = distance_bias.share_quartiles(llama)
    assert headline["r2_bias"] == pytest.approx(found["dropped"]["r2_bias"][2:5])


def test_no_error_is_claimed_where_there_is_none(llama: xr.Dataset):
    unknown = llama.assign(r2_bias_se=llama.r2_bias_se * np.nan).sel(first_token="dropped", weighting="log")
    assert np.isnan(distance_bias.layer_means(unknown, "r2_bias")[1]).all()


def test_for_json_replaces_what_json_has_no_word_for():
    nested = {"a": [1.0, np.nan, {"b": np.inf}], "c": "nan", "d": 3}
    assert distance_bias.for_json(nested) == {"a": [1.0, None, {"b": None}], "c": "nan", "d": 3}
