"""Figure 43 draws what its record holds, and says whose states know a place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from figures import fig_43_place_code
from tests.figures.test_pictures import few_pixels

__all__ = ["few_pixels"]  # a fixture that every test here uses


def row(variant: str, label: str, seed: int, share: float, last: float) -> dict[str, Any]:
    """A model of two blocks whose reader says 40 at place 48, and `last` at 400."""
    return {
        "variant": variant,
        "label": label,
        "seed": seed,
        "lr": 1e-3,
        "trained_length": 64,
        "layer": 2,
        "files": 3,
        "explained": [[0.0, -0.1, 0.1], [0.3, 0.2, 0.4], [share, share - 0.1, share + 0.1]],
        "untrained": [[0.0, -0.1, 0.1], [0.0, -0.1, 0.1], [-0.2, -0.3, -0.1]],
        "read": [
            {"from": 32, "to": 64, "place": 48.0, "said": [40.0, 30.0, 50.0]},
            {"from": 384, "to": 512, "place": 400.0, "said": [last, last / 2, last * 2]},
        ],
    }


@pytest.fixture
def rows() -> dict[str, Any]:
    made = (
        row("nope", "NoPE", 0, 0.9, 200.0),
        row("tapa", "TAPA", 1, 0.5, 800.0),
        row("rope", "RoPE", 0, 0.1, 50.0),
        row("tapa", "TAPA", 0, 0.8, 400.0),
    )
    return {f"{one['variant']}-s{one['seed']}": one for one in made}


def test_places_are_drawn_with_their_intervals_by_method_and_seed(rows: dict[str, Any]):
    figure = fig_43_place_code.draw({"position_code": {"rows": rows}})
    (ax,) = figure.axes
    drawn = [container[0] for container in ax.containers]
    assert [line.get_ydata().tolist() for line in drawn] == [
        [40.0, 50.0], [40.0, 400.0], [40.0, 800.0], [40.0, 200.0],
    ]  # fmt: skip
    assert all(line.get_xdata().tolist() == [48.0, 400.0] for line in drawn)
    assert [line.get_linestyle() for line in drawn] == [":", "-", "-", "-"]  # dotted: no place is read
    ends = [bars.get_segments()[1][:, 1] for _, _, (bars,) in ax.containers]
    np.testing.assert_allclose(ends, [[25, 100], [200, 800], [400, 1600], [100, 400]])
    said = figure.get_suptitle().replace("\n", " ")
    assert "states of TAPA and NoPE say a token's place, those of RoPE do not" in said
    assert "TAPA, seed 1 0.50" in figure.get_supxlabel().replace("\n", " ")


def test_nothing_is_said_where_nobody_says_a_place(rows: dict[str, Any]):
    alone = {"rope": rows["rope-s0"]}
    said = fig_43_place_code.draw({"position_code": {"rows": alone}}).get_suptitle()
    assert said == "No hidden states say at which place a token stands"
    empty = fig_43_place_code.draw({"position_code": {"rows": {}}})
    assert "Do hidden states say" in empty.get_suptitle()
