"""Pictures of a user's own record: the heads that were asked for, or maps of all heads with six examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from analysis.files import replacing_file
from analysis.plotting import heads_picture
from figures import fig_03_distance_bias
from figures.style import RC

SUFFIXES = (".png", ".pdf", ".svg")


def draw_own(record: xr.Dataset, heads: Sequence[str] = ()) -> Figure:
    """The heads of a record that were asked for, a panel each; figure 3's maps and examples if none was.

    Args:
        record: of `tapa measure`.
        heads: such as "3.4"; layer and head from 0.

    Raises:
        InputError: there is no such head.
    """
    if heads:
        return heads_picture(record, heads)
    with mpl.rc_context(RC):
        return fig_03_distance_bias.draw({"smollm2": record})


def save_picture(figure: Figure, path: Path) -> None:
    """Write a picture whole, replacing one of that name; `InputError` if nothing can be written there."""
    try:
        with mpl.rc_context(RC), replacing_file(path) as part:
            figure.savefig(part, format=path.suffix.removeprefix("."))
    finally:
        plt.close(figure)
