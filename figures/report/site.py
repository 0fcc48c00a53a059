"""The documentation site: claims, findings and the Python API, pages that fetch nothing, linked to each other."""

from __future__ import annotations

import html
import importlib
import inspect
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

from analysis.errors import InputError
from figures.findings import Finding, findings
from figures.findings.page import section_anchor, sections
from figures.report.formulas import Formulas
from figures.report.graph import MARKS, claim_graph
from figures.report.page import ensure_page, filled, write_page

PAGES = {
    "index.html": "Start",
    "claims.html": "Claims",
    "findings.html": "Findings",
    "models.html": "Models",
    "api.html": "Python API",
}
FOLDERS = (
    "theory", "encodings", "text", "models", "heads", "training", "evaluation", "sampling", "experiments", "studies",
)  # fmt: skip
MODELS = ("smollm2", "gemma3")  # committed summaries of `tapa measure`
QUARTILES = (0.25, 0.5, 0.75)
NUMBERS = {  # of the median head, with quartiles, as a summary names them
    "distance_share": "variance of scores that lies between distances",
    "r2_bias": "R² of the mean score from the means of queries and keys",
    "r2_paper": "R² of the formula of v1, one μ₀ and one ν₀",
}
VERDICTS = ("proved", "certified", "supported", "unknown", "refuted")


def site_pages(claims: Mapping[str, Any], own: Sequence[Path] = ()) -> dict[str, str]:
    """Every page of the site by its file name.

    Args:
        claims: content of the record that `tapa figures claims` makes.
        own: records of `tapa measure` that the table of models has beside the project's own.

    Raises:
        InputError: one of them is no such record.
    """
    return {
        "index.html": index_page(claims),
        "claims.html": claims_page(claims),
        "findings.html": findings_document(),
        "models.html": models_page(own),
        "api.html": api_page(),
    }


def write_site(claims: Mapping[str, Any], folder: Path, own: Sequence[Path] = ()) -> list[Path]:
    """Write every page into a folder.

    Args: as `site_pages`.

    Raises:
        InputError: a page cannot be written or would replace a file that is none of ours; a link leads nowhere.
    """
    written = [folder / name for name in PAGES]
    if folder.exists():  # before what takes seconds; a folder is made for pages that are there
        for path in written:
            ensure_page(path)
    pages = site_pages(claims, own)
    if wrong := broken_links(pages):
        raise InputError(f"{len(wrong)} links of the site lead nowhere: {wrong[0]}")
    folder.mkdir(parents=True, exist_ok=True)
    for path in written:
        write_page(pages[path.name], path)
    return written


def _page(name: str, title: str, lead: Sequence[str], body: Sequence[str], controls: str = "") -> str:
    here = {name: ' aria-current="page"'}
    links = [f'<a href="{file}"{here.get(file, "")}>{text}</a>' for file, text in PAGES.items()]
    return filled(
        "site.html",
        title=title,
        menu=[" ".join(links)],
        lead=list(lead),
        controls=[controls] if controls else [],
        body=list(body),
    )


def _controls(options: Iterable[tuple[str, str, Sequence[str]]]) -> str:
    """A field for words, and a list of choices for each attribute of an article."""
    lists = [
        f'<label>{html.escape(label)} <select data-filter="{key}"><option value="">all</option>'
        + "".join(f"<option>{html.escape(one)}</option>" for one in values)
        + "</select></label>"
        for key, label, values in options
    ]
    return (
        '<form class="filter" role="search"><label>Words <input type="search" id="words"></label> '
        f'{" ".join(lists)} <output id="count" aria-live="polite"></output></form>'
    )


# claims


def claims_page(content: Mapping[str, Any]) -> str:
    """Every claim of the ledger: statement, verdict, what decides, attack, proof; and the graph of what it rests on."""
    formulas = Formulas()
    articles = [_claim(claim, formulas) for claim in content["claims"]]
    parts = list(dict.fromkeys(claim["part"] for claim in content["claims"]))
    counts = [
        Counter(_verdict(c[form]) for c in content["claims"] if c[form]) for form in ("stated", "repaired")
    ]
    rows = [
        f'<tr><th scope="row">{_mark(v)} {v}</th><td>{counts[0][v]}</td><td>{counts[1][v]}</td></tr>'
        for v in VERDICTS
        if counts[0][v] + counts[1][v]
    ]
    notation = formulas.text(content["notation"])
    lead = [
        "<p>What arXiv 2509.12635v1 asserts, claim by claim, as printed and as repaired. A verdict is derived from "
        "evidence that is computed, and limited by the verdicts of what a claim uses; a refutation is an explicit "
        "counterexample. The same ledger is <code>proofs/STATUS.md</code>.</p>",
        f'<table class="counts"><thead><tr><th>verdict</th><td>as stated</td><td>as repaired</td></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>",
        f"<details><summary>Notation</summary><p>{notation}</p></details>",
        '<details open><summary>What rests on what</summary><p class="note">From what is used on the left to what '
        "uses it on the right; a star marks a repaired claim, a dashed line a proof that uses something refuted and is "
        "broken. The border is the claim's own evidence, the fill the verdict. Claims that neither use nor are used "
        "are left out. A click leads to the claim.</p>"
        f'<div class="wide">{claim_graph(content["graph"])}</div></details>',
    ]
    controls = _controls(
        [("stated", "As stated", VERDICTS), ("repaired", "As repaired", VERDICTS), ("part", "Part", parts)]
    )
    body = [formulas.definitions, *articles]
    return _page("claims.html", "Claims of arXiv 2509.12635v1", lead, body, controls)


def _verdict(form: Mapping[str, Any]) -> str:
    """The word of a verdict: what is supported by numbers only is unknown in words."""
    return "supported" if form["verdict"].endswith("numbers only") else form["verdict"].partition(":")[0]


def _mark(verdict: str) -> str:
    return f'<span class="mark {verdict}" aria-hidden="true">{MARKS[verdict]}</span>'


def _claim(claim: Mapping[str, Any], formulas: Formulas) -> str:
    label, repaired = claim["label"], claim["repaired"]
    forms = [_form("As stated", claim["stated"], formulas)]
    forms += [_form("As repaired", repaired, formulas)] if repaired else []
    rows = claim["practice"]["rows"]
    if rows:
        head = "".join(f"<th>{html.escape(str(name))}</th>" for name in claim["practice"]["columns"])
        cells = ("".join(f"<td>{html.escape(_plain(value))}</td>" for value in row) for row in rows)
        body = "".join(f"<tr>{row}</tr>" for row in cells)
        forms.append(
            f'<details><summary>In practice</summary><div class="wide"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div></details>"
        )
    return (
        f'<article id="{label}" data-stated="{_verdict(claim["stated"])}" '
        f'data-repaired="{_verdict(repaired) if repaired else ""}" data-part="{claim["part"]}">'
        f'<h2><a href="#{label}">{label}</a></h2><p class="note">{html.escape(claim["where"])}, {claim["kind"]}, '
        f"<code>{claim['stated']['place']}</code></p>{''.join(forms)}</article>"
    )


def _form(title: str, form: Mapping[str, Any], formulas: Formulas) -> str:
    lines = [
        f"<h3>{title}: {_mark(_verdict(form))} {html.escape(form['verdict'])}</h3>"
        f'<p class="says">{formulas.text(form["says"])}</p>'
    ]
    if form["assumes"]:
        lines.append(f"<p><b>Assumes</b> {'; '.join(formulas.text(one) for one in form['assumes'])}</p>")
    if form["uses"]:
        links = ", ".join(f'<a href="#{one.removesuffix("*")}">{one}</a>' for one in form["uses"])
        lines.append(f"<p><b>Uses</b> {links}</p>")
    if form["outline"]:
        lines.append(f"<p><b>Argument</b> {html.escape(form['outline'])}</p>")
    if form["evidence"]:
        lines.append(_list("Evidence", form["evidence"]))
    if form["domain"]:
        lines.append(_list(f"Attack over {form['domain']}", form["attack"]))
    if form["proof"]:
        paragraphs = "".join(f"<p>{formulas.text(one)}</p>" for one in form["proof"])
        lines.append(f"<details><summary>Proof</summary>{paragraphs}</details>")
    return "".join(lines)


def _list(title: str, items: Sequence[str]) -> str:
    """Facts, what refutes first; the counterexample of a refuted claim is in sight, the rest behind a summary."""
    ordered = sorted(items, key=lambda one: not one.startswith("refuted"))
    seen = [one for one in ordered if one.startswith("refuted")][:1]
    rest = [one for one in ordered if one not in seen]
    shown = "".join(
        f'<p class="counter"><b>Counterexample</b> {html.escape(one.removeprefix("refuted: "))}</p>'
        for one in seen
    )
    listed = "".join(f"<li>{html.escape(one)}</li>" for one in rest)
    return shown + (
        f"<details><summary>{html.escape(title)}</summary><ul>{listed}</ul></details>" if rest else ""
    )


def _plain(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


# findings


def findings_document() -> str:
    """Every measured sentence by its label, with its record, command and figure."""
    body, contents = [], []
    for title, group in sections().items():
        if not group:
            continue
        anchor = section_anchor(title)
        contents.append(f'<li><a href="#{anchor}">{html.escape(title)}</a></li>')
        body.append(f'<h2 class="section" id="{anchor}">{html.escape(title)}</h2>')
        body += [_finding(one, title) for one in group]
    lead = [
        f"<p>The {len(findings())} measured sentences of this toolkit, each with the record of its numbers. A "
        "label stays for ever; a sentence that no longer holds says so. Brackets are 95 % intervals over what the "
        "sentence names.</p>",
        f"<details><summary>Contents</summary><ul>{''.join(contents)}</ul></details>",
    ]
    controls = _controls(
        [
            ("status", "Status", sorted({_status(one) for one in findings().values()})),
            ("part", "Subject", list(sections())),
        ]
    )
    return _page("findings.html", "Findings", lead, body, controls)


def _status(one: Finding) -> str:
    return one.status.word if one.status else "stands"


def _finding(one: Finding, section: str) -> str:
    command, module = one.origin
    figure = f"; figure: <code>figures/{html.escape(one.figure)}.py</code>" if one.figure else ""
    claims = "".join(f' <a href="claims.html#{label}">{label}</a>' for label in _claims_of(one.figure))
    bears = f"; bears on{claims}" if claims else ""
    status = (
        f'<p class="counter"><b>{html.escape(one.status.word.capitalize())} {one.status.date}.</b> '
        f"{html.escape(one.status.why)}</p>"
        if one.status
        else ""
    )
    return (
        f'<article id="{one.label}" data-status="{_status(one)}" data-part="{html.escape(section, quote=True)}">'
        f'<h3><a href="#{one.label}">{one.label}</a></h3><p class="says">{html.escape(one.sentence)}</p>{status}'
        f'<p class="note">Record: <code>figures/{html.escape(one.record)}</code>, made by '
        f"<code>{html.escape(command)}</code> (<code>{module}</code>){figure}{bears}.</p></article>"
    )


@cache
def _claims_of(figure: str | None) -> tuple[str, ...]:
    """Labels that a finding's figure bears on, as the catalogue says."""
    from figures.catalogue import FIGURES

    return next((f.claims for f in FIGURES.values() if figure and figure.endswith(f"_{f.name}")), ())


# the models


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """A row of the table of models.

    Attributes:
        name: of the model.
        licence: of its weights, where they are pinned.
        size: layers, heads of one, windows and tokens of one.
        numbers: quartiles over heads of each of `NUMBERS`.
        made_by: the command.
    """

    name: str
    licence: str
    size: tuple[int, int, int, int]
    numbers: dict[str, list[float]]
    made_by: str


def measured_models(own: Sequence[Path] = ()) -> list[MeasuredModel]:
    """The committed summaries, then records of one's own in the order in which they are given.

    Raises:
        InputError: one of them is no record of `tapa measure`.
    """
    from analysis.records import Provenance, provenance_of, read, read_summary
    from analysis.schemas import DISTANCE_BIAS, DISTANCE_BIAS_SUMMARY
    from figures.catalogue import SUMMARIES

    found = []
    for name in MODELS:
        path = SUMMARIES / f"{name}.json"
        content = read_summary(path, expect_schema=DISTANCE_BIAS_SUMMARY)
        made = Provenance.from_attributes(json.loads(path.read_text(encoding="utf-8"))["provenance"])
        found.append(_measured_model(str(made.configuration["model"]), content, made.command))
    for path in own:
        from analysis.studies.distance_bias import summarise_model  # brings torch

        data = read(path, expect_schema=DISTANCE_BIAS)
        found.append(
            _measured_model(str(data.attrs["model"]), summarise_model(data), provenance_of(data).command)
        )
    return found


def _measured_model(name: str, content: Mapping[str, Any], command: str) -> MeasuredModel:
    from analysis.assets import MODELS as PINNED

    layers = content["heads"]["distance_share"]
    at = [content["quantiles"].index(q) for q in QUARTILES]
    numbers = {
        key: [
            math.nan if content["dropped"][key][i] is None else float(content["dropped"][key][i]) for i in at
        ]
        for key in NUMBERS
    }
    licence = next((source.licence for source in PINNED.values() if source.title == name), "")
    return MeasuredModel(
        name, licence, (len(layers), len(layers[0]), content["windows"], content["length"]), numbers, command
    )


def models_page(own: Sequence[Path] = ()) -> str:
    """A row for each model: how much distance alone decides in its median head."""
    rows = []
    for one in measured_models(own):
        layers, heads, windows, length = one.size
        cells = "".join(
            f"<td>{m:.2f} ({low:.2f} to {high:.2f})</td>" for low, m, high in one.numbers.values()
        )
        rows.append(
            f'<tr><th scope="row">{html.escape(one.name)}</th><td>{html.escape(one.licence or "your own")}</td>'
            f"<td>{layers} by {heads}</td><td>{windows} of {length}</td>{cells}"
            f"<td><code>{html.escape(one.made_by)}</code></td></tr>"
        )
    titles = ["model", "weights", "layers by heads", "windows of tokens", *NUMBERS.values(), "made by"]
    body = [
        '<div class="wide"><table><thead><tr>'
        + "".join(f'<th scope="col">{x}</th>' for x in titles)
        + "</tr></thead>",
        "<tbody>" + "\n".join(rows) + "</tbody></table></div>",
        "<p>Your own model joins with <code>tapa measure MODEL --out my.nc</code> and "
        "<code>tapa site --record my.nc</code>. A row is one model on a few windows of public-domain text, scores "
        "before mask and softmax, the first token left out, octaves of distance alike. Rows differ in windows, in "
        "lengths and in layers that see few tokens, so they are no ranking.</p>",
    ]
    lead = ["<p>The median head of each model, and the quartiles over its heads.</p>"]
    return _page("models.html", "Models", lead, body)


# the API


def api_page() -> str:
    """Every public name with its signature and its docstring, whose examples the tests run."""
    body, contents = [], []
    for module in ("analysis", *(f"analysis.{folder}" for folder in FOLDERS)):
        found = importlib.import_module(module)
        names = public_names(found)
        contents.append(f'<li><a href="#{module}">{module}</a></li>')
        summary = html.escape((found.__doc__ or "").partition("\n\n")[0])
        body.append(f'<h2 class="section" id="{module}">{module}</h2><p>{summary}</p>')
        body += [_name(module, name, getattr(found, name)) for name in names]
    lead = [
        "<p>What <code>from analysis import ...</code> offers, then what each folder offers. All of it is public: "
        "see Versions and deprecation in <code>CONTRIBUTING.md</code>.</p>",
        f"<details open><summary>Contents</summary><ul>{''.join(contents)}</ul></details>",
    ]
    modules = ["analysis", *(f"analysis.{folder}" for folder in FOLDERS)]
    return _page("api.html", "Python API", lead, body, _controls([("part", "Module", modules)]))


def public_names(module: ModuleType) -> list[str]:
    """What a folder offers, lazily or not, in alphabetical order."""
    listed = getattr(module, "__all__", None)  # a folder that it lists is a name like others
    things = {name: getattr(module, name) for name in listed or vars(module) if not name.startswith("_")}
    return sorted(
        n for n, thing in things.items() if n != "annotations" and (listed or not inspect.ismodule(thing))
    )


def _name(module: str, name: str, thing: Any) -> str:
    label = f"{module}.{name}"
    folder = inspect.ismodule(thing)
    kind = (
        "class"
        if inspect.isclass(thing)
        else "function"
        if callable(thing)
        else "folder"
        if folder
        else "value"
    )
    try:
        signature = str(inspect.signature(thing)) if callable(thing) else ""
    except ValueError:  # of a class of the standard library
        signature = ""
    said = inspect.getdoc(thing) or "" if callable(thing) or folder else repr(thing)
    home = thing.__name__ if folder else getattr(thing, "__module__", module)
    return (
        f'<article id="{label}" data-part="{module}"><h3><a href="#{label}">{name}</a></h3>'
        f'<p class="note">{kind}, <code>{home}</code></p><pre class="signature">{html.escape(name + signature)}</pre>'
        f"<pre>{html.escape(said)}</pre></article>"
    )


# the first page, and the links


def index_page(content: Mapping[str, Any]) -> str:
    """Where to find what."""
    from analysis import __doc__ as notation

    refuted = sum(_verdict(claim["stated"]) == "refuted" for claim in content["claims"])
    body = [
        f'<ul class="found"><li><a href="claims.html">Claims</a>: {len(content["claims"])} statements of the paper, '
        f"{refuted} of them refuted as printed, with counterexamples, proofs and the graph of what rests on what.</li>"
        f'<li><a href="findings.html">Findings</a>: {len(findings())} measured sentences, each with its record.</li>'
        '<li><a href="models.html">Models</a>: real models beside each other, and yours.</li>'
        '<li><a href="api.html">Python API</a>: every public name with a running example.</li></ul>',
        "<h2>Three commands</h2>",
        "<pre>tapa report smollm2            # one offline page of a model's heads\n"
        "tapa doctor MODEL/config.json  # does the module rotate as its configuration says?\n"
        "tapa verify thm-2.2            # check a claim of the paper now</pre>",
        "<h2>Notation</h2>",
        *_notation(notation or ""),
    ]
    lead = ["<p>Distance bias in RoPE and TAPA: checked claim by claim, measured on real weights.</p>"]
    return _page("index.html", "tapa-toolkit", lead, body)


def _notation(text: str) -> list[str]:
    """The part of the package's docstring on notation: words, and a table out of its Markdown."""
    lines = text[text.index("Notation, for") :].splitlines()
    words = html.escape(" ".join(line for line in lines if line and not line.startswith("|")))
    head, _, *rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    cells = ["".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in row)
             for kind, row in (("th", head), *(("td", row) for row in rows))]  # fmt: skip
    table = "".join(f"<tr>{row}</tr>" for row in cells)
    return [f'<p>{words}</p><div class="table"><table><tbody>{table}</tbody></table></div>']


class _Links(HTMLParser):
    """What a page links to, and what in it can be linked to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if name := found.get("id"):
            self.anchors.add(name)
        self.targets += [value for key, value in attrs if key in ("href", "src") and value]


def broken_links(pages: Mapping[str, str]) -> list[str]:
    """Every link, in words, that leads to no page, to no place in a page, or to a network.

    >>> broken_links({'a.html': '<a href="#here">x</a><a href="b.html">y</a>'})
    ['a.html: #here', 'a.html: b.html']
    """
    known = {name: _Links(page) for name, page in pages.items()}
    wrong = []
    for name, page in known.items():
        for target in dict.fromkeys(page.targets):
            file, _, place = target.partition("#")
            there = known.get(file or name)
            if there is None or (place and place not in there.anchors):
                wrong.append(f"{name}: {target}")
    return wrong


def claims_content(record: Path) -> dict[str, Any]:
    """Content of the ledger's record.

    Raises:
        InputError: it has not been made, or is of another kind.
    """
    from analysis.records import read_summary
    from analysis.schemas import CLAIMS

    if not record.exists():
        raise InputError(f"{record} has not been made; run `tapa figures claims`, or `make site`, which does")
    return read_summary(record, expect_schema=CLAIMS)
