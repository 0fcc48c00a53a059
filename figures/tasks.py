"""The steps of the catalogue as pytask's tasks: one for every record that is rebuilt, and one for every picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import pytask
from pytask import Product, PythonNode, task

from figures.build import Graph, Step, perform_step, row_hash, sources
from figures.catalogue import CATALOGUE, FIGURES, OUT, path_of

_known: Graph = {}


for _record in CATALOGUE.values():
    if _record.study is None:
        continue

    @task(id=_record.name)
    @(pytask.mark.try_first if _record.long else pytask.mark.try_last)
    def record(
        step: Step = ("record", _record.name),
        row: str = PythonNode(value=row_hash(_record), hash=True),  # pyright: ignore[reportArgumentType]
        code: dict[str, Path] = sources("record", _record.study, _known),
        needs: dict[str, Path] = {name: path_of(name) for name in _record.needs},
        inputs: dict[str, Mapping[str, Path] | Path] = dict(_record.inputs),
        products: Annotated[tuple[Path, ...], Product] = (_record.path, *_record.table_files),
    ) -> None:
        """Make a record and its tables."""
        perform_step(step)


for _figure in FIGURES.values():
    for _stem, _needs in _figure.pictures.items():

        @task(id=_stem)
        def picture(
            step: Step = ("picture", _stem),
            row: str = PythonNode(value=row_hash(_figure), hash=True),  # pyright: ignore[reportArgumentType]
            code: dict[str, Path] = sources("picture", _figure.drawn_by, _known),
            needs: dict[str, Path] = {name: path_of(name) for name in _needs.values()},
            products: Annotated[tuple[Path, ...], Product] = (
                OUT / f"{_stem}.pdf",
                OUT / f"{_stem}.png",
                *([_figure.committed] if _figure.committed else []),
            ),
        ) -> None:
            """Draw a picture of a figure."""
            perform_step(step)
