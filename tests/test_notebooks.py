"""Every notebook runs from top to bottom in a kernel of its own, and its committed twin shows what it gives."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if (
    TYPE_CHECKING
):  # importing nbformat compiles the grammar of an address: a second in every process that collects
    from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
NEEDS = {  # records that a notebook opens
    "00_quickstart": ("smollm2",),
    "10_rope_bias": ("smollm2",),
    "20_claims": ("claims",),
    "30_tapa_phase": ("rivals_summary",),
    "50_learned_phase": ("phase-tapa", "phase_short-tapa", "trained_gaps"),
}
AT_NIGHT = {  # what takes a minute or more with the records that it opens; the committed twins are always read
    "30_tapa_phase": "eight records of the untrained encodings",
    "50_learned_phase": "three records of trained models",
    "60_tapa_in_use": "the real model, converted four times",
}


def of(*names: str) -> pytest.MarkDecorator:
    """A test of these notebooks, with the records that they open."""

    def marks(name: str) -> list[pytest.MarkDecorator]:
        return [pytest.mark.records(*NEEDS.get(name, ())), *([pytest.mark.slow] if name in AT_NIGHT else [])]

    return pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in names])


@cache
def executed(name: str) -> NotebookNode:
    """The notebook with what each of its cells gives; an exception in a cell is one here."""
    import jupytext
    from nbclient import NotebookClient

    notebook = jupytext.read(FOLDER / f"{name}.py", fmt="py:percent")
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    )
    return client.execute()


def committed(name: str) -> NotebookNode:
    """The committed twin."""
    import nbformat

    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def kinds(notebook: NotebookNode) -> list[str]:
    """MIME types of everything displayed."""
    return [mime for output in outputs(notebook) for mime in output.get("data", {})]


def unseen(notebook: NotebookNode) -> list[str]:
    """Cells that make a figure and show none."""
    return [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code"
        and re.search(r"^ *figure = ", cell.source, re.MULTILINE)
        and not any("image/png" in output.get("data", {}) for output in cell.outputs)
    ]


def printed(notebook: NotebookNode, stream: str = "stdout") -> str:
    return "".join(output.text for output in outputs(notebook) if output.get("name") == stream)


def test_the_notebooks_of_the_main_job_are_there():
    assert {"00_quickstart", "10_rope_bias"} <= set(NAMES)


@of(*NAMES)
def test_a_notebook_runs_from_top_to_bottom(name: str, made_records: None):
    notebook = executed(name)
    assert [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"] == list(
        range(1, 1 + sum(cell.cell_type == "code" for cell in notebook.cells))
    )
    assert printed(notebook, "stderr") == ""  # no warning in front of a reader
    assert unseen(notebook) == []


@of("00_quickstart", "10_rope_bias", "30_tapa_phase", "40_extrapolation", "50_learned_phase")
def test_sliders_have_a_static_plot_beside_them(name: str, made_records: None):
    shown = kinds(executed(name))
    sliders = shown.count("application/vnd.jupyter.widget-view+json")
    assert 1 <= sliders <= shown.count("image/png")


@of("10_rope_bias")
def test_all_six_heads_are_shown(name: str, made_records: None):
    notebook = executed(name)
    cell = next(cell for cell in notebook.cells if "head_plot(data" in cell.source)
    assert sum("image/png" in output.get("data", {}) for output in cell.outputs) == 6


@of("00_quickstart")
def test_the_quickstart_predicts_what_it_measures(name: str, made_records: None):
    text = printed(executed(name))
    rows = re.findall(r"distance +(\d+): measured +(\S+), predicted +(\S+)", text)
    assert [int(row[0]) for row in rows] == [0, 1, 10, 100, 1000]
    measured, predicted = ([float(row[i]) for row in rows] for i in (1, 2))
    # one score has sd of about sqrt(2 |mean|^2 + 64) / 8 = 1.7, its mean over 3000 positions 0.03; shared tokens
    # add as much again
    assert measured == pytest.approx(predicted, abs=0.25)
    assert max(predicted) - min(predicted) > 1
    assert float(re.findall(r"below 1000: (\S+)", text)[0]) < 0.1


@of("60_tapa_in_use")
def test_the_drop_in_does_what_it_is_said_to_do(name: str, made_records: None):
    text = printed(executed(name))
    assert (
        float(re.findall(r"largest difference of a logit: (\S+)", text)[0]) < 1e-4
    )  # of float32 logits near 10
    assert text.count("weights: True") == 2  # shared, and the same again after the way back
    assert "the same logits: True" in text
    loss = {
        name: float(nats) for name, nats in re.findall(r"^(\S.*?) +(\S+) nats a byte", text, re.MULTILINE)
    }
    assert loss["rope"] < loss["yarn"] < loss["tapa"] < loss["TAPA, raw weights"]
    assert "cannot compute a phase" in text
    assert "rotates its queries and keys" in text


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_twin_carries_outputs_of_a_clean_run(name: str):
    notebook = committed(name)
    assert outputs(notebook)
    assert not [output for output in outputs(notebook) if output.output_type == "error"]
    assert printed(notebook, "stderr") == ""
    assert unseen(notebook) == []
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))  # run once, in order


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_without_a_kernel_is_shown_no_name_of_a_widget(name: str):
    notebook = committed(name)
    plain = [output.data.get("text/plain", "") for output in outputs(notebook) if "data" in output]
    assert [text for text in plain if text.startswith("interactive(")] == []
    sliders = [text for text in plain if text.startswith("Sliders: run the notebook")]
    assert len(sliders) == sum(
        "_explorer(" in cell.source for cell in notebook.cells if cell.cell_type == "code"
    )
