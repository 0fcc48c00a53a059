"""The documentation site: its pages against ledger and findings, its links, and its filters in a browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.errors import InputError
from analysis.records import Provenance, read_summary, write
from analysis.schemas import DISTANCE_BIAS, DISTANCE_BIAS_SUMMARY
from figures.catalogue import SUMMARIES
from figures.findings import findings
from figures.report import site
from figures.report.formulas import FORMULA, Formulas, normal_tex
from figures.report.graph import depths, places
from figures.report.page import write_page
from proofs.ledger import load
from proofs.paper import NOTATION
from proofs.status import ledger_content
from proofs.verify import verify
from tests.figures.report_records import tiny_record

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
LABELS = ["eq-3", "eq-8", "eq-17", "eq-9"]


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    return json.loads(json.dumps(ledger_content(verify(LABELS, workers=0))))


@pytest.fixture(scope="module")
def pages(content: dict[str, Any]) -> dict[str, str]:
    return site.site_pages(content)


def article(page: str, label: str) -> str:
    found = re.search(rf'<article id="{re.escape(label)}".*?</article>', page, re.DOTALL)
    assert found is not None, label
    return found.group()


def test_every_claim_stands_with_its_verdict_and_its_evidence(content: dict[str, Any], pages: dict[str, str]):
    page = pages["claims.html"]
    assert {claim["label"] for claim in content["claims"]} == set(LABELS)
    for claim in content["claims"]:
        shown = article(page, claim["label"])
        assert f'data-stated="{claim["stated"]["verdict"].partition(":")[0]}"' in shown
        assert f"{claim['kind']}, <code>{claim['stated']['place']}</code>" in shown
        for form in filter(None, (claim["stated"], claim["repaired"])):
            for tex in FORMULA.findall(form["says"]):
                assert f'aria-label="{site.html.escape(" ".join(tex.split()))}"' in shown
            assert shown.count("Counterexample") >= (form["verdict"] == "refuted")
            for fact in (*form["evidence"], *form["attack"]):
                assert site.html.escape(fact.removeprefix("refuted: ")) in shown
    refuted = article(page, "eq-3")
    assert "0.540302305868" in refuted.partition("Counterexample")[2][:200]  # in sight, not behind a summary


def test_every_finding_stands_as_it_is_said(pages: dict[str, str]):
    page = pages["findings.html"]
    for label, one in findings().items():
        shown = article(page, label)
        assert site.html.escape(one.sentence) in shown
        assert f"figures/{one.record}" in shown
        assert f'data-status="{one.status.word if one.status else "stands"}"' in shown


def test_the_api_page_has_every_public_name_with_its_example(pages: dict[str, str]):
    import analysis

    for name in analysis.__all__:
        shown = article(pages["api.html"], f"analysis.{name}")
        if callable(getattr(analysis, name)) and not issubclass_of_error(getattr(analysis, name)):
            assert "&gt;&gt;&gt;" in shown, name


def issubclass_of_error(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, Exception)


def test_links_lead_somewhere_and_nothing_is_fetched(pages: dict[str, str]):
    whole = {claim.label for claim in load().claims.values()}
    wrong = site.broken_links(pages)
    # of a part of the ledger the claims that are used and those that findings bear on may be missing
    assert all(re.search(r"#([^#]+)$", one)[1] in whole for one in wrong), wrong  # type: ignore[index]
    for page in pages.values():
        assert not re.search(r"""(?:href|src)=["'](?:https?:)?//""", page)


def test_a_planted_link_is_seen(pages: dict[str, str]):
    for planted in ("#nowhere", "gone.html", "https://example.org/", "findings.html#nowhere"):
        changed = pages | {
            "index.html": pages["index.html"].replace("</main>", f'<a href="{planted}">x</a></main>')
        }
        assert f"index.html: {planted}" in site.broken_links(changed)


def test_links_that_lead_nowhere_are_refused_before_anything_is_written(
    content: dict[str, Any], tmp_path: Path
):
    with pytest.raises(InputError, match=r"links of the site lead nowhere: "):
        site.write_site(content, tmp_path / "site")
    assert not (tmp_path / "site").exists()  # no empty folder either


def test_the_record_of_the_claims_is_asked_for(tmp_path: Path):
    with pytest.raises(InputError, match=r"claims\.json has not been made; run `tapa figures claims`"):
        site.claims_content(tmp_path / "claims.json")


def test_every_formula_of_the_ledger_is_drawn():
    texts = [NOTATION]
    for form in load().nodes().values():
        texts += [form.says, *form.assumes, form.proof]
    formulas = Formulas()
    for text in texts:
        formulas.text(text)
    used = set(re.findall(r'href="#(g-[^"]+)"', "".join(formulas.known.values())))
    assert used == set(re.findall(r'<path id="([^"]+)"', formulas.definitions))
    assert len(formulas.known) > 500


def test_a_formula_that_cannot_be_drawn_is_named():
    with pytest.raises(InputError, match=r"^formula .*nosuch.* cannot be drawn: "):
        Formulas().formula(r"\nosuch{x}")


@pytest.mark.parametrize(
    ("tex", "said"),
    [
        (r"\frac12", r"\frac{1}{2}"),
        (r"\frac2{\sqrt D}", r"\frac{2}{\sqrt{D}}"),
        (r"a \le b", r"a \leq  b"),
        (r"\left x", r"\left x"),
        (r"\mathbb T^N", r"\mathbb{T}^N"),
    ],
)
def test_tex_as_it_is_drawn(tex: str, said: str):
    assert normal_tex(tex) == said


def test_what_is_used_stands_left_of_what_uses_it():
    nodes, edges = list("abcde"), [("a", "b"), ("b", "d"), ("a", "d"), ("c", "d")]
    column = depths(nodes, edges)
    assert all(column[used] < column[user] for used, user in edges)
    at = places(nodes, edges)
    assert len(set(at.values())) == len(nodes)


# the models


def test_every_measured_model_is_a_row_with_the_numbers_of_its_record(pages: dict[str, str]):
    rows = site.measured_models()
    assert [row.name for row in rows] == ["SmolLM2-135M-Instruct", "Gemma 3 270M"]
    for row, name in zip(rows, site.MODELS, strict=True):
        content = read_summary(SUMMARIES / f"{name}.json", expect_schema=DISTANCE_BIAS_SUMMARY)
        median = content["dropped"]["distance_share"][content["quantiles"].index(0.5)]
        line = re.search(rf"<tr>.*?{re.escape(row.name)}.*?</tr>", pages["models.html"], re.DOTALL)
        assert line is not None
        assert f"<td>{median:.2f} (" in line.group()
        assert row.licence in line.group()


def test_a_record_of_ones_own_joins_the_table(tmp_path: Path):
    made = Provenance.collect(
        ["tapa", "measure", "mine"], {}, seeds={}, device="cpu", precision="x", threads=1, seconds=0.0
    )
    record = tiny_record().drop_attrs().assign_attrs(windows=3, model="mine & yours")
    write(record, tmp_path / "my.nc", made, schema=DISTANCE_BIAS)
    page = site.models_page([tmp_path / "my.nc"])
    share = record.distance_share.sel(first_token="dropped").values
    assert '<th scope="row">mine &amp; yours</th><td>your own</td><td>3 by 4</td><td>3 of 64</td>' in page
    assert f"<td>{np.median(share):.2f} (" in page
    (tmp_path / "none.nc").write_text("")
    with pytest.raises(InputError, match=r"none[.]nc"):
        site.models_page([tmp_path / "none.nc"])


# in a browser


@pytest.fixture(scope="module")
def folder(content: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("site")
    for name, page in site.site_pages(content).items():  # of a part of the ledger: some links lead nowhere
        write_page(page, path / name)
    return path


@pytest.fixture
def opened(folder: Path) -> Iterator[Any]:
    """A page of a browser that said nothing of errors and asked for nothing but the site's own files."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        assert said == []
        assert all(url.partition("#")[0].startswith(folder.as_uri()) for url in asked)
        browser.close()


def shown(page: Any) -> list[str]:
    """Labels of the articles in sight."""
    return page.eval_on_selector_all("article", "all => all.filter((a) => a.offsetParent).map((a) => a.id)")


def test_filters_show_what_fits_and_say_how_many(opened: Any, folder: Path, content: dict[str, Any]):
    opened.goto((folder / "claims.html").as_uri())
    assert set(shown(opened)) == set(LABELS)
    verdicts = {claim["label"]: claim["stated"]["verdict"].partition(":")[0] for claim in content["claims"]}
    opened.select_option("select[data-filter=stated]", "refuted")
    refuted = [label for label, verdict in verdicts.items() if verdict == "refuted"]
    assert 0 < len(refuted) < len(LABELS)
    assert shown(opened) == [label for label in labels_in_order(content) if label in refuted]
    assert opened.inner_text("#count") == f"{len(refuted)} of {len(LABELS)}"
    opened.select_option("select[data-filter=stated]", "")
    opened.fill("#words", "NO SUCH WORD")
    assert shown(opened) == []
    assert opened.inner_text("#count") == f"0 of {len(LABELS)}"
    assert opened.eval_on_selector_all("h2.section", "all => all.filter((h) => h.offsetParent).length") == 0
    opened.fill("#words", "")
    assert set(shown(opened)) == set(LABELS)


def labels_in_order(content: dict[str, Any]) -> list[str]:
    return [claim["label"] for claim in content["claims"]]


def test_a_link_into_what_is_filtered_out_takes_the_filter_away(opened: Any, folder: Path):
    opened.goto((folder / "claims.html").as_uri())
    opened.fill("#words", "no such word")
    opened.evaluate("location.hash = '#eq-17'")
    opened.wait_for_function("document.getElementById('words').value === ''")
    assert set(shown(opened)) == set(LABELS)


def test_words_find_findings_and_every_page_is_reached_by_keyboard(opened: Any, folder: Path):
    opened.goto((folder / "findings.html").as_uri())
    opened.focus("#words")
    opened.keyboard.type("gemma 270m between")
    assert shown(opened) == ["gemma-bias-share"]
    opened.keyboard.press("Enter")  # is no submission
    assert shown(opened) == ["gemma-bias-share"]
    for name in site.PAGES:
        opened.goto((folder / name).as_uri())
        assert opened.locator("nav [aria-current=page], [aria-current=page]").count() == 1
        opened.set_viewport_size({"width": 400, "height": 800})
        assert opened.evaluate("document.documentElement.scrollWidth") <= 400, name
        opened.set_viewport_size({"width": 1280, "height": 900})
