"""Prose types no measured number: each one stands in a finding that is cited beside it, as the finding prints it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from figures import findings

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "LOG.md", "CHANGELOG.md", "CONTRIBUTING.md")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))

PROOFS = "20_claims"  # its numbers are constants of proofs, which the ledger checks

CITED = r"\[([a-z0-9-]+)\]\((?:\.\./)?figures/FINDINGS\.md#([a-z0-9-]+)\)"
CITATIONS = re.compile(rf"{CITED}(?:(?:,| and|;) {CITED})*")  # side by side they count as one
NUMBER = re.compile(r"(?<![\w.,/])[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?(?![\w]|[.,]\d)")
UNITS = r"%|bits?|nats|ms|s|seconds|minutes|MB|GB|turns|times|points|standard deviations?|sds?"
MEASURED = re.compile(
    rf"(?P<of>\b\d+ of \d+\b)|(?<![\w.,/])[-+]?(?:\d+(?:,\d{{3}})*(?:\.\d+)?(?:e[-+]?\d+)?)(?= (?:{UNITS})\b| %)"
    r"|(?<![\w.,/])[-+]?\d+\.\d+(?!\w|\.\d)"
)

NOT_MEASURED = {  # kinds of numbers that are no measurement; reviewed, and each one is in use
    "a date": r"\b\d{4}-\d{2}-\d{2}\b",
    "a version": r"\bv\d+(?:\.\d+)*\b|\b(?:Python|torch|version) \d+(?:\.\d+)*",
    "an address": r"\barXiv \d{4}\.\d{5}(?:v\d)?|https?://\S+",
    "a numbered statement": r"\b(?:[Tt]heorems?|[Ll]emmas?|[Aa]ssumption|[Ss]ections?|[Ee]qs?|[Ff]igures?|[Tt]ables?"
    r"|[Aa]ppendix|[Dd]efinition|point) [A-Z]?\.?\d+(?:\.\d+)*",
    "the label of a claim": r"\b(?:thm|lem|eq|rem|tab|fig|def)-[A-Z]?\.?\d[\w.]*",
    "a setting": r"\b(?:alpha|share|base|rate|factor|theta|seed|mu_0|phases?)(?: of| =)? \d+(?:\.\d+)?(?:e-?\d+)?\b",
    "the level of an interval": r"\b95 %",
    "a name": r"SmolLM2-\d+M(?:-Instruct)?|Q4_1|Llama 3|Apache-2\.0",
}


def prose(text: str) -> str:
    """Markdown without code, tables of commands, pictures, formulas and the addresses of links that cite nothing."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^#+ .*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)|\$\$.*?\$\$|\$[^$\n]*\$|<[^>\n]*>", " ", text, flags=re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "`", text)
    return re.sub(r"\[([^\]]*)\]\((?!(?:\.\./)?figures/FINDINGS\.md#)[^)]*\)", r"\1", text)


def sentences(text: str) -> Iterator[str]:
    """Of every paragraph and item, in order."""
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|\n(?=\|)", prose(text)):
        flat = " ".join(re.sub(r"^\s*(?:[-*]|\d+\.) ", "", block).split())
        yield from re.split(r"(?<=[.!?:])\s+(?=[A-Z\"*])", flat)


def in_order(wanted: list[str], there: list[str]) -> bool:
    rest = iter(there)
    return all(number in rest for number in wanted)


def numbers(text: str) -> list[str]:
    """Every number of a sentence but dates, statements' numbers and the like, without a sign that says nothing."""
    return [found.lstrip("+") for found in NUMBER.findall(without_other_kinds(text))]


def without_other_kinds(text: str) -> str:
    for pattern in NOT_MEASURED.values():
        text = re.sub(pattern, " ", text)
    return re.sub(r"\"[^\"]*\"", " ", text)  # words that are quoted are not said here


def wrongly_cited(text: str) -> list[str]:
    """Numbers that stand before a citation and not in the finding, or not in its order; labels that are unknown."""
    known, wrong = findings.findings(), []
    for sentence in sentences(text):
        start = 0
        for match in CITATIONS.finditer(sentence):
            labels = re.findall(CITED, match.group())
            strange = [label for label, anchor in labels if label not in known or label != anchor]
            wrong += [f"unknown label {label}" for label in strange]
            wanted = numbers(sentence[start : match.start()])
            start = match.end()
            if strange:
                continue
            said = [number for label, _ in labels for number in numbers(known[label].sentence)]
            if not in_order(wanted, said):
                wrong.append(f"{[label for label, _ in labels]} does not say {wanted} in this order")
    return wrong


def uncited(text: str) -> list[str]:
    """Measured numbers after which no citation follows in their sentence."""
    found = []
    for sentence in sentences(text):
        if sentence.startswith("An outside reader"):  # says whose measurement it is
            continue
        last = max((match.end() for match in CITATIONS.finditer(sentence)), default=0)
        found += [
            f"{match.group()} in {sentence!r}"
            for match in MEASURED.finditer(without_other_kinds(sentence[last:]))
        ]
    return found


def markdown_of(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    import jupytext  # a second, which a process that only collects tests need not spend

    cells = jupytext.read(path, fmt="py:percent").cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


PROSE = [ROOT / name for name in PAGES] + NOTEBOOKS


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_every_cited_number_is_the_findings(path: Path):
    assert wrongly_cited(markdown_of(path)) == []


@pytest.mark.parametrize("path", [path for path in PROSE if path.stem != PROOFS], ids=lambda path: path.name)
def test_no_measured_number_is_without_a_label(path: Path):
    assert uncited(markdown_of(path)) == []


# Pictures: what stands in a title, a caption or a label comes from the record that is drawn.

PICTURES = sorted((ROOT / "figures").glob("fig_*.py"))
FIXED = {  # numbers that a picture may type: they define what is drawn, and no record could say another
    "a distance": r"\bdistance [01]\b|\b1 (?:apart|to|token apart)\b",
    "a length, in trained lengths": r"\b\d L\b|\bat 8 times the length\b",
    "an end of a scale": r"\b100 %: as good as at L|\bbelow 0\b|\(0: |E amplitude / 2\)|\bsd = 0\b|\bcosine = 1\b"
    r"|\bside of 0\b",
    "a band": r"\b2 standard errors\b",
    "a chance": r"\bchance is 0\.5\b",
    "a setting": r"\bsd 0\.02\b|\b16 bits\b|\b1/4 turn\b|\balpha 0\b|\bmu_0\b|\bnu_0\b",
}


def said(text: str) -> Iterator[tuple[int, str]]:
    """Line and words of every string of a module but docstrings; a value that is put in reads "{}"."""
    tree = ast.parse(text)
    inside = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)
    }
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(map(str, parts))
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and not {id(node)} & (inside | alone)
        ):
            yield node.lineno, node.value


def typed(text: str) -> list[str]:
    """Numbers that a picture's words type; words are strings with a blank, less their formulas."""
    found = []
    for line, words in said(text):
        left = re.sub(r"\$[^$]*\$(?: = 0)?", "", words) if " " in words else ""
        for pattern in FIXED.values():
            left = re.sub(pattern, " ", left)
        left = without_other_kinds(left)
        found += [f"line {line}: {number} in {words!r}" for number in NUMBER.findall(left)]
    return found


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_types_no_number(path: Path):
    assert typed(path.read_text(encoding="utf-8")) == []


def test_every_kind_of_fixed_number_is_in_use():
    everything = "\n".join(path.read_text(encoding="utf-8") for path in PICTURES)
    for kind, pattern in FIXED.items():
        assert re.search(pattern, everything), kind


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ('headline(figure, "RoPE loses 2.58 bits beyond the trained length")', "2.58"),
        ('note(figure, f"{len(heads)} heads of 270, at seed {seed}")', "270"),
        ('ax.set_title("38 % of the variance lies between distances")', "38"),
        ('headline(figure, f"In 6 of 8 heads near keys score above far ones" + end)', "6"),
    ],
)
def test_a_number_typed_in_a_picture_is_found(line: str, number: str):
    found = typed(f'"""A docstring may say 5 of 7."""\n{line}\nax.set_xlabel("distance (tokens)")\n')
    assert found
    assert f": {number} in " in found[0]


def cite(text: str, *labels: str) -> str:
    return f"{text} ({', '.join(f'[{x}](figures/FINDINGS.md#{x})' for x in labels)})."


def test_numbers_that_are_cited_as_they_are_printed_pass():
    text = cite("RoPE has 2.29 bits per byte at 128 bytes and 4.87 [3.60, 6.15] at 1024", "loss-rope")
    text += "\n\n" + cite("It is 38 % in the median head and 0.41 bits", "bias-share", "difference-tapa")
    text += " The rule was set on 2026-11-28 for theorem 2.2, alpha = 0.1 and Python 3.11."
    assert wrongly_cited(text) == uncited(text) == []


@pytest.mark.parametrize(
    "planted",
    [
        cite("In the median head 39 % of the variance lies between distances", "bias-share"),
        cite("RoPE has 4.87 bits per byte at 128 bytes and 2.29 at 1024", "loss-rope"),  # exchanged
        cite("RoPE has 2.29 bits per byte at 256 bytes", "loss-rope"),
        cite("The loss is 2.29 bits", "loss-tapa"),
        cite("The share is 38 %", "bias-shear"),
        "It is 38 % ([bias-share](figures/FINDINGS.md#bias-control)).",
    ],
)
def test_a_wrong_number_or_label_is_found(planted: str):
    assert len(wrongly_cited(planted)) == 1


@pytest.mark.parametrize(
    "planted",
    [
        "In the median head 38 % of the variance lies between distances.",
        "268 of 270 heads do.",
        "It takes 17 seconds.",
        "- The rise is 0.59.\n- It is known.",
        cite("It is 38 %", "bias-share") + " Its sd is 2.0.",
        cite("It is 38 %", "bias-share").rstrip(".") + " and 2.0 elsewhere.",
    ],
)
def test_a_number_without_a_label_is_found(planted: str):
    assert len(uncited(planted)) == 1


RATED = ("loss-", "lost-", "recovered-", "difference-", "equal-loss-", "rates-", "retrieval-", "rope-")


def test_findings_of_trained_models_name_their_learning_rate():
    """What a model loses beyond its trained length and what it finds there depend on it."""
    trained = [one for label, one in findings.findings().items() if label.startswith(RATED)]
    assert {prefix for prefix in RATED if any(one.label.startswith(prefix) for one in trained)} == set(RATED)
    assert [one.label for one in trained if not re.search(r"\brates?\b", one.sentence)] == []


WITHDRAWN = {  # said once, and more than the records show; LOG.md has each under its date, in quotation marks
    r"SmolLM2-135M(?!-Instruct)": "the model is SmolLM2-135M-Instruct, dequantised from 4 bits (Q4_1)",
    r"bias is what breaks|not what breaks TAPA": "no control of equal dose: say what an intervention recovered",
    r"a bias as such is harmless": "ALiBi's bias beyond the trained length was never seen either; the sign decides",
    r"no better than a constant|formula\b[^.]{0,80}\bpredicts nothing": "shown of the plug-in mu_0 alone",
    r"[Ee]xact mean (?:attention )?score at every distance(?!,? but for rounding)": "float32 transforms round",
    r"degrades? more gently": "depends on the learning rate: say it",
    r"ALiBi finds more than any TAPA": "the interval over seeds includes zero",
    r"brackets and depth do not": "too few pairs had these properties: not measured",
    r"matters? little": "three seeds cannot detect less than a bit: say that the interval includes zero",
    r"not even by reading only": "it was a mask of far keys in every layer, not a shorter text",
    r"(?:differences|intervals) on the same tokens are not(?: wide)?": "two documents give no interval",
    r"every step is a checked claim|machine-checked (?:proof|step)s? throughout": "arguments join computations",
    r"nothing allows (?:us )?to compute": "the least ratio of sd and mean could be computed",
    r"D <= 8 the (?:printed )?bound exceeds": "it does for D < 4",
}


def docstrings(source: str) -> str:
    """Of the module, its classes and its functions."""
    nodes = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return "\n\n".join(
        ast.get_docstring(x) or "" for x in ast.walk(ast.parse(source)) if isinstance(x, nodes)
    )


def said_again(text: str) -> list[str]:
    """Withdrawn phrases of a text, but for those in quotation marks or in a sentence that says what was said."""
    return [
        f"{match.group()!r}: {why}"
        for sentence in sentences(text)
        if "It was said" not in sentence
        for phrase, why in WITHDRAWN.items()
        if (match := re.search(phrase, re.sub(r'"[^"]*"', " ", sentence)))
    ]


def test_nothing_that_was_withdrawn_is_said_again():
    texts = {path: markdown_of(path) for path in PROSE}
    texts |= {path: markdown_of(path) for path in (findings.PAGE, ROOT / "proofs" / "STATUS.md")}
    for top in ("analysis", "proofs", "figures"):
        texts |= {path: docstrings(path.read_text(encoding="utf-8")) for path in (ROOT / top).rglob("*.py")}
    found = {path.relative_to(ROOT).as_posix(): said_again(text) for path, text in texts.items()}
    assert {path: phrases for path, phrases in found.items() if phrases} == {}


@pytest.mark.parametrize(
    "planted",
    [
        "It was measured on SmolLM2-135M.",
        "The distance bias is what breaks RoPE there.",
        "A curve: the formula of v1 with its means predicts nothing.",
        "Exact mean score at every distance of one head.",
        "RoPE collapses and TAPA degrades more gently.",
        "Share and hard split matter little.",
    ],
)
def test_a_withdrawn_phrase_is_found_and_a_quoted_one_is_not(planted: str):
    assert len(said_again(f"It holds. {planted}")) == 1
    assert said_again(f'**Withdrawn**: "{planted}" It holds.') == []
    assert said_again(docstrings(f'def f():\n    """{planted}"""')) != []


@pytest.mark.parametrize("kind", NOT_MEASURED)
def test_every_kind_that_is_let_pass_is_in_use(kind: str):
    assert any(re.search(NOT_MEASURED[kind], prose(markdown_of(path))) for path in PROSE)
