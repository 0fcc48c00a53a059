"""A model with our attention in it: unchanged it is itself, and cached keys give what all scores at once give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from analysis.encodings import Alibi, Nope, Rope, SlidingWindow
from analysis.encodings.interventions import Clamped, LengthCorrected, OpeningKeys, Shifted
from analysis.heads.bias_interventions import (
    MATCHED,
    MATCHED_HEADS,
    NAMES,
    Curves,
    Doses,
    dose,
    intervention,
)
from analysis.models.attention import Streaming, explicit
from analysis.models.huggingface import Checkpoint
from analysis.models.intervened import CachedAttention, TextReader, intervened, unchanged
from analysis.theory.frequencies import Extension, plain
from tests import tiny_models
from tests.refusals import plainly_raises

TRAINED, LENGTH, DIM = 20, 57, 8
TARGETS = [range(30, 38), range(48, 56)]


def checkpoint(variant: str = "llama", dtype: torch.dtype = torch.float64, **changes: object) -> Checkpoint:
    return Checkpoint.of(tiny_models.build(variant, dtype=dtype, **changes), name=variant)


def text(length: int = LENGTH) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(2).integers(0, 96, length))


def curves(layers: int = 3, heads: int = 4, reach: int = LENGTH) -> Curves:
    rng = np.random.default_rng(3)
    mean, predicted, fast = rng.normal(size=(3, layers, heads, reach))
    return Curves(mean, 0.5 + rng.random((layers, heads)), TRAINED, predicted, fast)


def change_of(name: str):
    longer = Extension("yarn", 4.0, TRAINED).frequencies(300.0, DIM, DIM, length=LENGTH)
    more = {name: {"constant": -0.8} for name in (*MATCHED, *MATCHED_HEADS)} | {"yarn": {"extended": longer}}
    more = more.get(name, {})
    return intervention(name, curves(), LENGTH, **more)


def plainly(model: Checkpoint, change, tokens: torch.Tensor) -> torch.Tensor:
    """Loss of every token but the first, all scores at once."""
    at = torch.arange(len(tokens) - 1)
    with torch.inference_mode(), intervened(model, change, explicit, at):
        logits = model.model(input_ids=tokens[None, :-1], use_cache=False).logits[0]
    return F.cross_entropy(logits, tokens[1:], reduction="none")


@pytest.mark.parametrize("variant", tiny_models.VARIANTS)
def test_unchanged_every_family_says_what_it_always_says(variant: str):
    model, tokens = checkpoint(variant), text()[None]
    with torch.inference_mode():
        expected = model.model(input_ids=tokens, use_cache=False).logits
        with intervened(model, unchanged, Streaming(16, compiled=False), torch.arange(LENGTH)):
            found = model.model(input_ids=tokens, use_cache=False).logits
        again = model.model(input_ids=tokens, use_cache=False).logits
    assert torch.equal(again, expected)
    # models form angles and their factor in float32, some of them cap and normalise there too
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("name", NAMES)
def test_over_cached_keys_every_intervention_is_what_it_is_with_all_scores_at_once(name: str):
    model, tokens, change = checkpoint(), text(), change_of(name)
    reader = TextReader(model, tokens, TRAINED, block=7)
    expected = plainly(model, change, tokens)
    whole = name in ("yarn", "hold-within")
    for _ in range(2):  # what was kept serves again
        found = reader.losses(change, TARGETS, whole=whole)
        for losses, wanted in zip(found, TARGETS, strict=True):
            torch.testing.assert_close(losses, expected[wanted.start : wanted.stop], rtol=0, atol=1e-9)
    if name != "plain":
        assert float((expected - plainly(model, unchanged, tokens))[TRAINED:].abs().max()) > 1e-4


def test_a_change_of_everything_leaves_nothing_behind_for_the_next():
    model, tokens = checkpoint(), text()
    reader = TextReader(model, tokens, TRAINED, block=16)
    before = reader.losses(unchanged, TARGETS)
    reader.losses(change_of("yarn"), TARGETS, whole=True)
    for a, b in zip(before, reader.losses(unchanged, TARGETS), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("variant", ["mistral", "qwen3", "phi", "cohere", "gemma3", "phi3-longrope"])
def test_other_families_are_read_over_cached_keys_too(variant: str):
    model, tokens = checkpoint(variant), text()
    heads = model.query_heads
    change = intervention("hold", curves(model.layers, heads), LENGTH)
    found = TextReader(model, tokens, TRAINED, block=9).losses(change, TARGETS)
    expected = plainly(model, change, tokens)
    for losses, wanted in zip(found, TARGETS, strict=True):
        torch.testing.assert_close(losses, expected[wanted.start : wanted.stop], rtol=0, atol=1e-5)


ROPE = Rope(plain(100.0, DIM), 0.4)
SHIFT = torch.randn(4, 90, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@settings(max_examples=60)
@given(
    st.integers(1, 70),
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.integers(1, 50),
    st.integers(1, 6),
    st.sampled_from(["rope", "shift", "clamp", "window", "corrected", "opening", "all"]),
    st.integers(0, 2**20),
)
def test_any_blocks_are_one_attention(first: int, more: list[int], at: int, count: int, kind: str, seed: int):
    """Blocks of any size over cached keys, against all scores at once."""
    encoding = {
        "rope": ROPE,
        "shift": Shifted(ROPE, SHIFT[:, : 2 * at]),
        "clamp": Shifted(Clamped(ROPE, at), SHIFT),
        "window": SlidingWindow(ROPE, at),
        "corrected": LengthCorrected(ROPE, at),
        "opening": OpeningKeys(SlidingWindow(ROPE, at), Shifted(ROPE, SHIFT), count),
        "all": OpeningKeys(LengthCorrected(Shifted(Clamped(ROPE, at), SHIFT), at + 3), Clamped(ROPE, 2), count),
    }[kind]  # fmt: skip
    length = first + sum(more)
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(1, h, length, DIM, generator=generator).double() for h in (4, 2, 2))
    cache, parts = CachedAttention(length), []
    for size in (first, *more):
        rows = slice(cache.length, cache.length + size)
        parts.append(
            cache(encoding, q[:, :, rows], k[:, :, rows], v[:, :, rows], torch.arange(length)[rows], 0)
        )
        cache.length += size
    expected = explicit(encoding, q, k, v, torch.arange(length))
    torch.testing.assert_close(torch.cat(parts, dim=2), expected, rtol=0, atol=1e-10)


def test_who_watches_is_told_of_the_chosen_queries_with_all_their_keys():
    model, tokens, change = checkpoint(), text(), change_of("hold")
    meters: dict[int, Doses] = {}

    def watch(layer, encoding, q, k, queries, keys):
        meters.setdefault(int(queries[0]), Doses(TRAINED)).add(encoding, q, k, queries, keys)

    watched = torch.tensor([33, 34, 52])
    TextReader(model, tokens, TRAINED, block=8).losses(change, TARGETS, watched=watched, watch=watch)
    expected: list[torch.Tensor] = []

    def attend(encoding, q, k, v, positions, layer):
        keys = k[0].repeat_interleave(2, dim=0)
        expected.append(dose(encoding, q[0, :, watched], keys, positions[watched], positions, TRAINED))
        return explicit(encoding, q, k, v, positions)

    with torch.inference_mode(), intervened(model, change, attend, torch.arange(LENGTH)):
        model.model(input_ids=tokens[None], use_cache=False)
    far, opening, entropy = torch.cat(expected, dim=1).mean(dim=1)
    for name, values in (("far", far), ("opening", opening), ("entropy", entropy)):
        found = torch.cat([getattr(meters[at], name) for at in sorted(meters)])
        torch.testing.assert_close(found, values, rtol=0, atol=1e-9)


def cached(encoding, tokens: int = 4, at: int = 0, capacity: int = 8, texts: int = 1) -> None:
    q, k = torch.zeros(texts, 4, tokens, DIM), torch.zeros(texts, 2, tokens, DIM)
    CachedAttention(capacity)(encoding, q, k, k, torch.arange(at, at + tokens), 0)


def other_frequencies() -> None:
    cache, q, k = CachedAttention(8), torch.zeros(1, 4, 4, DIM), torch.zeros(1, 2, 4, DIM)
    cache(ROPE, q, k, k, torch.arange(4), 0)
    cache.length = 4
    cache(Rope(plain(1000.0, DIM)), q, k, k, torch.arange(4, 8), 0)


REFUSED = [
    (lambda: cached(Nope(DIM)), "Nope cannot be read over cached keys; use `intervened` with `Streaming`"),
    (lambda: cached(Clamped(Alibi(DIM, (0.5,)), 3)), "Clamped cannot be read over cached keys"),
    (lambda: cached(Shifted(Shifted(ROPE, SHIFT), SHIFT)), "Shifted cannot be read over cached keys"),
    (lambda: cached(ROPE, at=3), "at positions 3..6 does not follow 0 tokens"),
    (lambda: cached(ROPE, texts=2), "a block of 2 texts"),
    (lambda: cached(ROPE, tokens=9), "9 tokens exceed the capacity of 8"),
    (other_frequencies, "layer 0: the keys so far were read with other frequencies"),
    (lambda: CachedAttention(8).rewind(1), "length=1 is not in 0..0"),
    (lambda: TextReader(checkpoint(), text(TRAINED), TRAINED), "does not go beyond 20; give a longer one"),
    (
        lambda: TextReader(checkpoint(), text(), TRAINED).losses(unchanged, [range(10, 30)]),
        "are not ascending ranges of positions 20 to 55",
    ),
    (
        lambda: TextReader(checkpoint(), text(), TRAINED).losses(unchanged, [range(40, 57)]),
        "are not ascending ranges of positions 20 to 55",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_cannot_be_read_is_refused(call, message: str):
    plainly_raises(call, message)
