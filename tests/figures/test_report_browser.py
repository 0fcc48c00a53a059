"""The page in a browser: a head is chosen, what is shown is the record's, files are downloaded, nothing is fetched."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from figures.report.page import report_page, unpacked, write_page
from tests.figures.report_records import random_record, tiny_record
from tests.figures.test_report_page import of_head, predicted

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 400, "height": 800}


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "tiny.html"
    write_page(report_page(tiny_record()), path)
    return path


@pytest.fixture
def page(browser: sync_api.Browser, file: Path) -> Iterator[sync_api.Page]:
    """The tiny model's page, which asked for nothing but its file and said nothing of errors."""
    opened = browser.new_page(viewport=WIDE)
    asked: list[str] = []
    said: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    show(opened, file)
    yield opened
    assert {url for url in asked if not url.startswith("blob:")} == {file.as_uri()}
    assert said == []
    opened.close()


def show(page: sync_api.Page, file: Path, head: str = "") -> None:
    page.goto(f"{file.as_uri()}{head}")
    page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)


def said_numbers(text: str) -> list[float]:
    """Every number of a sentence, with the page's minus signs."""
    found = re.findall(r"\u2212?\d+(?:\.\d+)?(?:e[+\u2212]?\d+)?", text)
    return [float(x.replace("\u2212", "-")) for x in found]


def arrays_of(file: Path) -> tuple[dict, dict[str, np.ndarray]]:
    return unpacked(file.read_text(encoding="utf-8"))


def test_a_head_that_is_clicked_is_shown_as_the_record_has_it(page: sync_api.Page, file: Path):
    record, (_, arrays) = tiny_record(), arrays_of(file)
    head, j = 7, 12
    page.click(f"#cell-{head}")
    assert page.inner_text("#head-name") == "Layer 1, head 3"
    assert page.get_attribute(f"#cell-{head}", "aria-selected") == "true"
    page.focus("#score svg")
    for _ in range(j + 1):
        page.keyboard.press("ArrowRight")
        page.focus("#score svg")
    text = page.inner_text("#score .reading")
    first, stop = int(arrays["bin_first"][j]), int(arrays["bin_stop"][j])
    inside = slice(first, stop)
    measured, error, bias, shuffled = (
        of_head(record, name, head)[inside] for name in ("measured", "measured_se", "bias", "shuffled")
    )
    mean, *rest = said_numbers(text.partition("measured")[2])
    assert mean == pytest.approx(measured.mean(), rel=1e-3, abs=1e-3)
    assert rest[:3] == pytest.approx([error.mean(), measured.min(), measured.max()], rel=1e-3, abs=1e-3)
    assert rest[3] == pytest.approx(bias.mean(), rel=1e-3, abs=1e-3)
    assert rest[-1] == pytest.approx(shuffled.mean(), rel=1e-3, abs=1e-3)
    assert f"distances {first} to {stop - 1}" in text or f"distance {first}:" in text


def test_arrow_keys_move_from_head_to_head_and_stop_at_the_edge(page: sync_api.Page):
    page.click("#cell-0")
    for key, name in (
        ("ArrowRight", "Layer 0, head 1"),
        ("ArrowDown", "Layer 1, head 1"),
        ("ArrowLeft", "Layer 1, head 0"),
        ("ArrowLeft", "Layer 1, head 0"),
        ("ArrowUp", "Layer 0, head 0"),
        ("ArrowUp", "Layer 0, head 0"),
    ):
        page.keyboard.press(key)
        assert page.inner_text("#head-name") == name
        assert page.evaluate("document.activeElement.getAttribute('role')") == "grid"
    assert page.evaluate("location.hash") == "#0.0"


def test_every_quantity_colours_the_map_and_is_said_in_words(page: sync_api.Page, file: Path):
    meta, arrays = arrays_of(file)
    for j, quantity in enumerate(meta["quantities"]):
        page.select_option("#quantity", str(j))
        labels = page.eval_on_selector_all(
            "#map [role=gridcell]", "cells => cells.map((c) => c.getAttribute('aria-label'))"
        )
        values = [said_numbers(label.partition(":")[2])[0] for label in labels]
        assert values == pytest.approx(arrays["quantities"][j].tolist(), rel=1e-3, abs=1e-6)
        assert quantity["title"] in page.inner_text("#map .picture")


def test_the_map_is_ordered_by_lightness_alone(page: sync_api.Page, file: Path):
    """Whoever sees no colours sees the order: relative luminance rises with the value."""
    _, arrays = arrays_of(file)
    fills = page.eval_on_selector_all(
        "#map [role=gridcell]", "cells => cells.map((c) => c.getAttribute('fill'))"
    )
    channels = np.array([said_numbers(fill) for fill in fills]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    order = np.argsort(arrays["quantities"][0])
    assert (np.diff(luminance[order]) >= -0.005).all()  # a step of one colour of 255


def test_predictions_are_read_out(page: sync_api.Page, file: Path):
    meta, arrays = arrays_of(file)
    page.click("#cell-5")
    page.focus("#beyond svg")
    page.keyboard.press("ArrowRight")
    text = page.inner_text("#beyond .reading").partition(":")[2]
    for e, title in enumerate(meta["extensions"][0]):
        said = said_numbers(text.partition(title)[2])[0]
        assert said == pytest.approx(predicted(meta, arrays, 5, e)[0], rel=1e-3, abs=1e-3)


def downloaded(page: sync_api.Page, view: str, kind: str) -> tuple[str, str]:
    with page.expect_download() as waiting:
        page.click(f"#{view} .{kind}")
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_text(encoding="utf-8")


def test_every_view_downloads_as_svg_and_csv(page: sync_api.Page, file: Path):
    _, arrays = arrays_of(file)
    page.click("#cell-7")
    for view in ("map", "score", "pairs", "beyond"):
        name, text = downloaded(page, view, "svg")
        assert name == f"tiny-llama-{view}{'' if view == 'map' else '-1.3'}.svg"
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert len(list(root.iter("{http://www.w3.org/2000/svg}text"))) > 5
        name, text = downloaded(page, view, "csv")
        assert name.endswith(".csv")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert rows
        if view == "score":
            found = [float(row["measured mean score (1)"]) for row in rows]
            assert found == pytest.approx(arrays["measured"][7].tolist(), rel=1e-6)
        if view == "map":
            assert [int(row["layer"]) for row in rows] == [i // 4 for i in range(12)]
        if view == "pairs":
            assert [float(row["mu (1)"]) for row in rows] == pytest.approx(arrays["mu"][7].tolist(), rel=1e-6)


def test_a_link_opens_a_head(page: sync_api.Page, file: Path):
    page.goto("about:blank")
    show(page, file, "#2.1")
    assert page.inner_text("#head-name") == "Layer 2, head 1"


def test_a_narrow_page_has_all_of_it_and_no_sideways_scrolling(page: sync_api.Page):
    chart = page.locator("#score svg")
    wide = chart.get_attribute("width")
    page.set_viewport_size(NARROW)
    sync_api.expect(chart).not_to_have_attribute("width", wide, timeout=30_000)  # it is drawn again
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert 300 < int(chart.get_attribute("width")) <= 400


def test_a_page_of_1024_heads_is_ready_within_a_second(browser: sync_api.Browser, tmp_path: Path):
    """A second of the main thread's own time: what other processes take of the machine counts for nothing."""
    write_page(report_page(random_record(32, 32, 64, 2048)), tmp_path / "large.html")
    opened = browser.new_page(viewport=WIDE)
    session = opened.context.new_cdp_session(opened)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    show(opened, tmp_path / "large.html")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    opened.close()
    assert 0 < metrics["TaskDuration"] <= 1.0
