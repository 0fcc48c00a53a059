"""One task a picture: draws a figure from its records as PDF and PNG."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

from pytask import Product, task

from figures import style
from figures.build import figure_modules
from figures.places import OUT, ROOT, drawings
from figures.schemas import read_any

LOOKS = (ROOT / "figures" / "style.py", ROOT / "analysis" / "experiments" / "plan.py")

for _name, _stem_of_module in figure_modules().items():
    _module = importlib.import_module(f"figures.{_stem_of_module}")
    for _stem, _records in drawings(_name, _module.RECORDS).items():

        @task(id=_stem)
        def task_draw(
            records: dict[str, Path] = _records,
            code: tuple[Path, ...] = (Path(str(_module.__file__)), *LOOKS),
            products: Annotated[tuple[Path, Path], Product] = (OUT / f"{_stem}.pdf", OUT / f"{_stem}.png"),
            module: str = _stem_of_module,
        ) -> None:
            """Draw one picture of a figure."""
            draw = importlib.import_module(f"figures.{module}").draw
            style.save(
                draw, {key: read_any(key, path) for key, path in records.items()}, products[0].with_suffix("")
            )
