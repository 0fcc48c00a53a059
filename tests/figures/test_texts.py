"""No title, name or annotation of a picture lies on another: in figures, and in the notebooks' plots of a choice."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from figures import widgets
from figures.build import resolve
from figures.catalogue import CATALOGUE, FIGURES, read_any
from figures.style import RC
from tests.figures.touching import touching_texts

PICTURES = {stem: (figure, needs) for figure in FIGURES.values() for stem, needs in figure.pictures.items()}
OF_COMMITTED = [
    stem
    for stem, (_, needs) in PICTURES.items()
    if all(CATALOGUE[name].study is None for name in needs.values())
]


def of_made(stem: str) -> object:
    return pytest.param(stem, marks=pytest.mark.records(*PICTURES[stem][1].values()))


def texts_that_touch(stem: str) -> list[tuple[str, str]]:
    figure, needs = PICTURES[stem]
    with mpl.rc_context(RC):
        drawn = resolve(figure.drawn_by)({key: read_any(name) for key, name in needs.items()})
        found = touching_texts(drawn)
    plt.close(drawn)
    return found


@pytest.mark.parametrize("stem", OF_COMMITTED)
def test_texts_do_not_touch_where_the_record_is_committed(stem: str):
    assert texts_that_touch(stem) == []


@pytest.mark.slow
@pytest.mark.parametrize("stem", [of_made(stem) for stem in PICTURES if stem not in OF_COMMITTED])
def test_texts_do_not_touch_where_the_record_is_made(stem: str, made_records: None):
    assert texts_that_touch(stem) == []


@pytest.mark.parametrize(("query", "layer", "head"), [(18, 0, 0), (80, 2, 1), (4, 3, 1)])
def test_texts_of_two_tokens_and_their_phase_do_not_touch(query: int, layer: int, head: int):
    text = "To be, or not to be: that is the question:\nWhether 'tis nobler in the mind to suffer"
    figure = widgets.pair_plot(text, query, 4, layer, head)
    assert touching_texts(figure) == []
    plt.close(figure)


def test_texts_that_touch_are_named():
    figure, (left, right) = plt.subplots(1, 2, figsize=(4, 2))
    left.set_title("a title that is wider than its panel by far", loc="left")
    right.set_title("another", loc="left")
    assert touching_texts(figure) == [("a title that is wider than its panel by far", "another")]
    plt.close(figure)
