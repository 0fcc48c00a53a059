"""The grid of learning rates grows by one rule until its best rate is inside it."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from analysis.experiments.plan import FACTOR, Grid, grow

FIRST = (2e-3, 1e-3, 4e-3)


def tuned(loss, reach: int = 2) -> tuple[Grid, dict[float, float]]:
    """Ask until the grid is complete, trying one rate at a time."""
    tried: dict[float, float] = {}
    while not (grid := grow(FIRST, tried, reach)).complete:
        assert grid.lr is None
        lr = next(lr for lr in grid.rates if lr not in tried)
        tried[lr] = loss(lr)
    return grid, tried


def test_a_best_rate_inside_asks_for_no_more():
    grid, tried = tuned(lambda lr: abs(math.log(lr / 2e-3)))
    assert (grid.rates, grid.lr) == (FIRST, 2e-3)
    assert tuple(tried) == FIRST


@given(st.floats(-12, 0))
def test_a_valley_is_found_and_is_inside_or_at_the_end_of_the_reach(bottom):
    grid, tried = tuned(lambda lr: abs(math.log2(lr) - bottom))
    ends = min(FIRST) / FACTOR**2, max(FIRST) * FACTOR**2
    assert grid.lr == min(tried, key=lambda lr: (tried[lr], lr))
    assert min(grid.rates) < grid.lr < max(grid.rates) or grid.lr in ends
    assert len(set(grid.rates)) == len(grid.rates) == len(tried)


@given(st.floats(2.0**-11, 1), st.integers(0, 3))
def test_divergence_above_a_rate_sends_the_search_down(edge, reach):
    grid, tried = tuned(lambda lr: math.inf if lr >= edge else -lr, reach)
    well = [lr for lr, loss in tried.items() if math.isfinite(loss)]
    assert grid.lr == (max(well) if well else None)
    assert all(lr >= min(FIRST) / FACTOR**reach for lr in tried)
    if not well:
        assert min(tried) == min(FIRST) / FACTOR**reach


def test_of_equal_losses_the_lower_rate_is_chosen():
    grid, _ = tuned(lambda lr: 1.0, reach=0)
    assert grid.lr == min(FIRST)
