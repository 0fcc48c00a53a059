"""What the curves of a TAPA head's phase cost beside what they cannot do without."""

from __future__ import annotations

import statistics

import torch

from analysis.bench import Row, against, in_turns, seconds
from analysis.encodings import Tapa
from analysis.heads.phase import curves, factors, spread
from analysis.threads import threads


def phase_speed(length: int = 4096, head_dim: int = 64, *, tile: int = 256, heads: int = 8) -> list[Row]:
    """A TAPA head's curves by distance, against the products and the cosine that they cannot do without.

    The other side is both matrix products and one cosine a pair, tile by tile, and keeps nothing. One thread each.
    """
    q, k = torch.randn(2, 1, length, head_dim, generator=torch.Generator().manual_seed(0))
    head = factors(Tapa(head_dim), 0.5 * q, k)[0]
    room = torch.empty(2, tile, tile)

    def bare() -> None:
        for rows in torch.arange(length).split(tile):
            for keys in torch.arange(int(rows[-1]) + 1).split(tile):
                m, n = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(keys[0]), int(keys[-1]) + 1)
                into = room[:, : len(rows), : len(keys)]
                torch.mm(head.a[m], head.b[n].T, out=into[0])
                torch.mm(head.x[m], head.y[n].T, out=into[1])
                into[1].cos_()

    with threads(1):
        sides = against(*in_turns([bare, lambda: curves(head)], 15))
        whole = statistics.median(seconds(lambda: (curves(head), spread(head)), 3)) * heads
    what = f"phase by distance of one head against two products and a cosine, length {length}"
    every = f"curves and spread of the phase, {heads} heads, length {length}"
    return [
        {"what": what, **sides, "target": "ratio <= 1.6", "met": sides["ratio"] <= 1.6},
        {"what": every, "seconds": whole, "target": "at most 60 s", "met": whole <= 60},
    ]
