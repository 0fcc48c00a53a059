"""Differences of two records: against windows taken one by one, and records that have nothing to differ in."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from analysis.studies.heads_compared import compare_heads, comparison_numbers, same_windows
from tests.figures.report_records import LENGTH, tiny_record
from tests.refusals import plainly_raises


def stamped(record: xr.Dataset, text: str = "a") -> xr.Dataset:
    """A record with what its file says of its windows."""
    return record.assign_attrs(text_sha256=text).assign(
        window_offset=("window", np.arange(record.sizes["window"]))
    )


def gap_of_window(record: xr.Dataset, layer: int, head: int, window: int) -> float:
    """Near less far score of one window's means, distance by distance."""
    x = record.sel(first_token="dropped", part="all").isel(layer=layer, head=head, window=window)
    omega, scale = record.omega.values[layer], float(record.scale[layer])

    def score(distance: int) -> float:
        angle = omega * distance
        return scale * float((x.mu_window.values * np.cos(angle) + x.nu_window.values * np.sin(angle)).sum())

    near = [score(d) for d in range(1, 17)]
    far = [score(d) for d in range(LENGTH // 4, LENGTH // 2 + 1)]
    return float(np.mean(near) - np.mean(far))


@pytest.mark.parametrize("text", ["a", "b"])
def test_differences_and_intervals_are_those_of_the_windows(text: str) -> None:
    one, other = stamped(tiny_record(seed=0)), stamped(tiny_record(seed=1), text)
    found = compare_heads(one, other)
    assert found.attrs["paired"] == (text == "a")
    row = found.sel(quantity="near_far_of_means")
    p = np.empty((3, 4))
    for layer, head in np.ndindex(3, 4):
        a, b = (np.array([gap_of_window(x, layer, head, w) for w in range(3)]) for x in (one, other))
        test = stats.ttest_rel(b, a) if text == "a" else stats.ttest_ind(b, a, equal_var=False)
        interval = test.confidence_interval(0.95)
        at = row.isel(layer=layer, head=head)
        assert float(at["first"]) == pytest.approx(a.mean(), abs=1e-5)
        assert float(at.difference) == pytest.approx(b.mean() - a.mean(), abs=1e-5)
        assert [float(at.low), float(at.high)] == pytest.approx([interval.low, interval.high], abs=1e-4)
        p[layer, head] = test.pvalue
    order = np.sort(p.reshape(-1))
    assert float(row.p_holm.min()) == pytest.approx(min(1, 12 * order[0]), rel=1e-3)
    assert (row.p_holm.values >= p - 1e-6).all()


def test_the_slope_is_that_of_the_predicted_curve() -> None:
    """A curve that is a logarithm by construction has its slope; here by least squares over the same bins."""
    record = stamped(tiny_record())
    row = compare_heads(record, stamped(tiny_record(seed=1))).sel(quantity="log_slope_of_means")
    data = record.sel(first_token="dropped", part="all")
    bins = [
        (1, 2),
        (2, 3),
        (3, 4),
        (4, 5),
        (5, 6),
        (6, 7),
        (7, 8),
        (8, 9),
        (9, 10),
        (10, 11),
        (11, 12),
        (12, 13),
    ]
    bins += [
        (13, 15),
        (15, 16),
        (16, 17),
        (17, 19),
        (19, 21),
        (21, 23),
        (23, 25),
        (25, 27),
        (27, 29),
        (29, 32),
    ]
    bins += [(32, 33)]
    log = np.log([(a + b - 1) / 2 for a, b in bins])
    mu, nu = (data[f"{name}_window"].isel(layer=1, head=2).values for name in ("mu", "nu"))
    slopes = []
    for w in range(3):
        curve = []
        for a, b in bins:
            angle = np.outer(np.arange(a, b), record.omega.values[1])
            curve.append(
                (np.cos(angle) @ mu[:, w] + np.sin(angle) @ nu[:, w]).mean() * float(record.scale[1])
            )
        slopes.append(stats.linregress(log, curve).slope)
    assert float(row["first"].isel(layer=1, head=2)) == pytest.approx(np.mean(slopes), rel=0.02)


def test_a_record_differs_from_itself_in_nothing() -> None:
    found = compare_heads(stamped(tiny_record()), stamped(tiny_record()))
    assert (found.difference == 0).all()
    assert not (found.p_holm <= 0.05).any()
    numbers = comparison_numbers(found)
    assert numbers["paired"]
    assert numbers["distance_share"]["heads_that_differ"] == 0


def test_windows_are_the_same_only_with_the_same_text_length_and_places() -> None:
    one = stamped(tiny_record())
    assert same_windows(one, one)
    assert not same_windows(tiny_record(), tiny_record())  # records in memory say no text
    assert not same_windows(one, one.assign(window_offset=("window", np.arange(3) + 1)))
    assert not same_windows(one, one.isel(distance=slice(0, 40)))


def test_refuses_records_of_different_heads() -> None:
    one = stamped(tiny_record())
    plainly_raises(
        lambda: compare_heads(one, one.isel(layer=slice(0, 2))),
        "the records have 3 and 2 layers; compare models of the same heads",
    )
    plainly_raises(lambda: compare_heads(one, one.isel(head=[0])), "have 4 and 1 heads in a layer")
