"""TAPA as attention in a module of one's own: with mask, cache and dropout, beside `encodings.Tapa` pair by pair."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from analysis.encodings import Alibi, Encoding, Rope, Tapa
from analysis.models.attention import encoded_attention, oracle
from analysis.theory.frequencies import plain
from tests.refusals import plainly_raises

WIDTH, HEADS, KV_HEADS, DIM = 24, 4, 2, 8
Cache = tuple[Tensor, Tensor]


class OwnAttention(nn.Module):
    """What a user writes: projections of one's own, and TAPA between them."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.q, self.k, self.v, self.out = (
            nn.Linear(width, size, dtype=torch.float64)
            for width, size in (
                (WIDTH, HEADS * DIM),
                (WIDTH, KV_HEADS * DIM),
                (WIDTH, KV_HEADS * DIM),
                (HEADS * DIM, WIDTH),
            )
        )
        self.tapa, self.dropout = Tapa(DIM, alpha=0.1), dropout

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        cache: Cache | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Cache]:
        q, k, v = (part(x).unflatten(-1, (-1, DIM)).transpose(1, 2) for part in (self.q, self.k, self.v))
        if cache is not None:
            k, v = (torch.cat([old, new], dim=2) for old, new in zip(cache, (k, v), strict=True))
        seen = None if mask is None else mask[:, None, None, :]
        drop = self.dropout if self.training else 0.0
        mixed = encoded_attention(self.tapa, q, k, v, mask=seen, dropout=drop, generator=generator)
        return self.out(mixed.transpose(1, 2).flatten(2)), (k, v)


def own(dropout: float = 0.0) -> OwnAttention:
    torch.manual_seed(0)
    return OwnAttention(dropout).eval()


def text(batch: int = 2, length: int = 11) -> Tensor:
    return torch.randn(batch, length, WIDTH, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def by_pairs(module: OwnAttention, x: Tensor, mask: Tensor) -> Tensor:
    """Each query and key in turn, by `Tapa.pairwise`: eq 12 of the paper, v1, one number at a time."""
    q, k, v = (part(x).unflatten(-1, (-1, DIM)) for part in (module.q, module.k, module.v))
    out = torch.zeros(*q.shape, dtype=torch.float64)
    for b in range(len(x)):
        for m in range(x.shape[1]):
            for h in range(HEADS):
                keys = [n for n in range(m + 1) if mask[b, n]]
                if not keys:
                    continue
                shared = h // (HEADS // KV_HEADS)
                scores = torch.stack(
                    [
                        module.tapa.pairwise(
                            q[b, m, h][None], k[b, n, shared][None], torch.tensor([float(m - n)])
                        ).squeeze()
                        for n in keys
                    ]
                ).double()
                weights = torch.exp(scores - scores.max())
                out[b, m, h] = (weights / weights.sum()) @ torch.stack([v[b, n, shared] for n in keys])
    return module.out(out.flatten(2))


# scores agree to about 1e-15 times their size of some tens, weights and sums of 11 values of size 1 after them
def agree(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-12)


@torch.no_grad()
def test_with_a_mask_it_is_tapa_pair_by_pair():
    module, x = own(), text()
    mask = torch.ones(2, 11, dtype=torch.bool)
    mask[0, 7:] = False  # a shorter text
    mask[1, :3] = False  # and one that begins later: its first queries see nothing
    found, _ = module(x, mask)
    agree(found, by_pairs(module, x, mask))
    assert torch.isfinite(found).all()
    alone, _ = module(x[:1, :7])
    agree(found[:1, :7], alone)  # what is hidden plays no part


@torch.no_grad()
@pytest.mark.parametrize("parts", [[1] * 11, [4, 1, 6], [10, 1]])
def test_with_a_cache_it_is_the_whole_text(parts: list[int]):
    module, x = own(), text()
    whole, (k, _) = module(x)
    cache, found = None, []
    for part in x.split(parts, dim=1):
        out, cache = module(part, cache=cache)
        found.append(out)
    agree(torch.cat(found, dim=1), whole)
    assert cache is not None
    assert cache[0].shape == k.shape


@torch.no_grad()
def test_dropout_drops_weights_and_keeps_their_mean():
    module, x = own(dropout=0.25), text(1, 5)
    plain_, _ = module(x)
    torch.testing.assert_close(module(x)[0], plain_)  # in evaluation nothing is dropped
    module.train()
    draws = torch.stack([module(x, generator=torch.Generator().manual_seed(seed))[0] for seed in range(2000)])
    error = draws.std(dim=0) / len(draws) ** 0.5
    assert (abs(draws.mean(dim=0) - plain_) < 5 * error).all()
    again, _ = module(x, generator=torch.Generator().manual_seed(7))
    assert torch.equal(again, draws[7])
    assert not torch.equal(draws[7], draws[8])


def test_gradients_reach_every_weight():
    module = own()
    module(text())[0].square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@torch.no_grad()
@pytest.mark.parametrize("encoding", [Tapa(DIM), Alibi(DIM, [0.1]), Rope(plain(1e4, DIM))])
def test_every_encoding_is_its_oracle(encoding: Encoding):
    generator = torch.Generator().manual_seed(2)
    q, k, v = (torch.randn(2, heads, 9, DIM, generator=generator, dtype=torch.float64) for heads in (4, 2, 2))
    at = torch.arange(9)
    expected = oracle(encoding, q, k, v, at)
    agree(encoded_attention(encoding, q, k, v), expected)
    some = encoded_attention(encoding, q[:, :, [2, 8]], k, v, query_positions=at[[2, 8]])
    agree(some, expected[:, :, [2, 8]])


def test_half_precision_scores_are_wide():
    q, k, v = (
        x.bfloat16() for x in torch.randn(3, 1, 1, 64, DIM, generator=torch.Generator().manual_seed(3))
    )
    found = encoded_attention(Tapa(DIM), q, k, v)
    assert found.dtype == torch.bfloat16
    exact = oracle(Tapa(DIM), q, k, v, torch.arange(64))
    # amplitudes, weights and results are rounded to 8 bits, phases are not: a rounded phase would be off by tenths
    assert abs(found.double() - exact).max() < 4 * 2**-8 * v.abs().max() * math.log2(64)


def test_refusals_are_one_line():
    q, k = torch.zeros(1, 3, 2, DIM), torch.zeros(1, 2, 2, DIM)
    plainly_raises(
        lambda: encoded_attention(Tapa(DIM), q, k, k), "3 query heads cannot share 2 key heads evenly"
    )
    plainly_raises(
        lambda: encoded_attention(Tapa(DIM), k, k[:, :, :1], k[:, :, :1]), "2 queries are more than 1 keys"
    )
    plainly_raises(
        lambda: encoded_attention(Tapa(DIM), k, k, k, mask=torch.zeros(2, 2)), "mask is of torch.float32"
    )
    plainly_raises(
        lambda: encoded_attention(Tapa(DIM), k, k, k, dropout=1.0), "dropout=1.0 is outside [0, 1)"
    )
