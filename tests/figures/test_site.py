"""The documentation site: its pages against ledger and findings, its links, and its filters in a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import InputError
from figures.findings import findings
from figures.report import site
from figures.report.formulas import FORMULA, Formulas, normal_tex
from figures.report.graph import depths, places
from proofs.ledger import load
from proofs.paper import NOTATION
from proofs.status import ledger_content
from proofs.verify import verify

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
    assert "0.459697694132" in refuted.partition("Counterexample")[2][:200]  # in sight, not behind a summary


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
    assert list((tmp_path / "site").iterdir()) == []


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
