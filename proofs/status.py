"""What the ledger says, for readers: table rows, STATUS.md, one claim in full, the dependency graph's data.

All verdicts come derived from `proofs.verify`; nothing here decides. STATUS.md carries no time and no
machine, so it changes only when the ledger does; `compare` reads its verdicts back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal, localcontext
from itertools import groupby
from pathlib import Path
from typing import Any

from analysis.evidence import Evidence, Verdict
from proofs.classical import CLASSICAL
from proofs.formal_record import formal_line
from proofs.ledger import REPAIRED, Rank
from proofs.paper import NOTATION
from proofs.verify import Outcome, Result, verify

SUPPORTED = "unknown: supported by numbers only"
NO_REPAIR = "-"
PATH = Path(__file__).with_name("STATUS.md")  # the committed verdicts
# of Okabe and Ito (2008), as in `figures.style`: told apart by the colour-blind, and in grey by lightness
COLOURS = {
    Verdict.PROVED: "#0072B2",  # blue
    Verdict.CERTIFIED: "#56B4E9",  # sky
    Verdict.SUPPORTED: "#8C8C8C",  # grey, never blue: numbers alone prove nothing
    Verdict.UNKNOWN: "white",
    Verdict.REFUTED: "#D55E00",  # vermilion
}
_LENGTH = 160  # characters of a value or a fact before it is cut short
_ROW = re.compile(
    r"^\| \[`(?P<label>[^`]+)`\][^|]*\|[^|]*\|(?P<stated>[^|]*)\|(?P<repaired>[^|]*)\|[^|]*\|$", re.MULTILINE
)
_HEAD = """# Status of the claims

What arXiv 2509.12635v1 asserts, claim by claim. Generated from the ledger (`proofs/paper/`) by `tapa verify --write`.
Every verdict is of this version. The third (v3, 2026-05) claims "light continual pretraining" and "substantially lower
perplexity and stronger retrieval performance"; nothing of it was checked. Its rows, and those of other neighbouring
papers, stand in [RIVALS.md](RIVALS.md).
Every verdict is derived from evidence that is computed, and limited by the verdicts of what it uses:

- **proved**: a symbolic identity, or a written argument with each of its computations checked by symbols;
- **certified**: ball arithmetic on the whole of the stated domain, with the radius given;
- **unknown**: not decided, or a proof that rests on something refuted, or supported by numbers only;
- **refuted**: an explicit counterexample that meets every hypothesis.

How a verdict was reached is its rank, which is derived too, and is no higher than the ranks of what it uses:

- **machine-checked**: by a proof assistant;
- **computed**: an exact computation that is made from the statement, and is the whole of it;
- **certified**: balls over the whole of the statement's domain, which is compared with what they cover;
- **argued**: checked computations joined by a written proof. The steps between the computations are the argument's own;
  each claim lists the argued forms and the [classical theorems](#classical-theorems) that it rests on.
"""


def verdict_text(outcome: Outcome | None) -> str:
    """A verdict in words; where an ancestor leaves it unknown, the reason with it; "-" for no repair."""
    if outcome is None:
        return NO_REPAIR
    if outcome.verdict is Verdict.SUPPORTED:
        return SUPPORTED
    if outcome.verdict is Verdict.UNKNOWN and outcome.reason:
        return f"unknown: {outcome.reason}"
    return str(outcome.verdict)


def claim_rows(results: Iterable[Result]) -> list[dict[str, object]]:
    """One row a claim, for the command line and JSON: label, where, stated, repaired, evidence, seconds."""
    return [
        {
            "label": result.label,
            "where": result.where,
            "stated": verdict_text(result.as_stated),
            "repaired": verdict_text(result.as_repaired) if result.as_repaired else None,
            "evidence": _kinds(result),
            "seconds": round(result.seconds, 2),
        }
        for result in results
    ]


def deciding(outcome: Outcome) -> tuple[Evidence, ...]:
    """The evidence that makes the form's own verdict: all of it, or what refutes, or what is unknown."""
    every = (*outcome.evidence, *(item for item in outcome.attack if item.verdict is Verdict.REFUTED))
    if outcome.own in (Verdict.REFUTED, Verdict.UNKNOWN):
        return tuple(item for item in every if item.verdict is outcome.own)
    return every


def evidence_kind(outcome: Outcome) -> str:
    """In a few words: "exact", "128 bit ball, radius 1.2e-30", or both where a proof needs both."""
    kinds: dict[str, float | None] = {}
    for item in deciding(outcome):
        known = kinds.get(item.precision)
        wider = [r for r in (known, item.radius) if r is not None]
        kinds[item.precision] = max(wider) if wider else None
    return "; ".join(kind + (f", radius {_up(r)}" if r is not None else "") for kind, r in kinds.items())


def _kinds(result: Result) -> str:
    stated = evidence_kind(result.as_stated)
    return (
        stated if result.as_repaired is None else f"{stated} / repaired: {evidence_kind(result.as_repaired)}"
    )


def explain(result: Result) -> str:
    """One claim in full, as text: statement, assumptions, argument, evidence, attack, practice, place."""
    return explain_entry(entry(result))


def explain_entry(data: Mapping[str, Any]) -> str:
    """`explain` of a claim as plain data, as `entry` makes it: computed now, or kept from an earlier run."""
    lines = [f"{data['label']} ({data['kind']}, {data['where']})", ""]
    for title, form in (("As stated", data["stated"]), ("As repaired", data["repaired"])):
        if form is not None:
            lines += [f"{title}: {form['verdict']}", *_form_lines(form), ""]
    names, rows = data["practice"]["columns"], data["practice"]["rows"]
    for row in rows:
        shown = (f"{name} = {_value(value)}" for name, value in zip(names, row, strict=True))
        lines.append(f"in practice: {', '.join(shown)}")
    return "\n".join(lines).rstrip() + "\n"


def _form_lines(form: Mapping[str, Any]) -> list[str]:
    """The indented lines of one form."""
    lines = [f"  says: {form['says']}"]
    lines += [f"  assumes: {item}" for item in form["assumes"]]
    lines += [f"  uses: {', '.join(form['uses'])}"] if form["uses"] else []
    lines += [f"  rank: {form['rank']}"]
    lines += [f"  argued steps: {', '.join(form['argued'])}"] if form["argued"] else []
    lines += [f"  classical: {', '.join(form['classical'])}"] if form["classical"] else []
    lines += [f"  argument: {form['outline']}"] if form["outline"] else []
    lines += [f"  proof: {paragraph}" for paragraph in form["proof"]]
    lines += [f"  note: {form['note']}"] if form["note"] else []
    lines += [f"  {line}" for line in form["evidence"]]
    lines += [f"  necessary: {line}" for line in form["needed"]]
    lines += [f"  attack: {form['domain']}"] if form["domain"] else []
    lines += [f"  attack {line}" for line in form["attack"]]
    return [*lines, f"  code: {form['place']}"]


def evidence_text(item: Evidence, length: int | None = None) -> str:
    """One fact on one line: what, computed against predicted, and its radius or standard error."""
    sides = _value(item.computed) + ("" if item.predicted is None else f" against {_value(item.predicted)}")
    trust = [item.precision]
    trust += [f"radius {_up(item.radius)}"] if item.radius is not None else []
    trust += [f"standard error {_up(item.standard_error)}"] if item.standard_error is not None else []
    trust += [f"seed {item.seed}"] if item.seed is not None else []
    return f"{_cut(item.what, length)}: {_cut(sides, length)} ({', '.join(trust)})"


def status_markdown(results: Sequence[Result]) -> str:
    """The text of STATUS.md, the same for the same ledger: contents, counts, and a section for each part of v1."""
    ordered = _by_part(results)
    parts = [(part, list(group)) for part, group in groupby(ordered, key=lambda result: result.claim.part)]
    lines = [_HEAD, *_contents(parts), "", "## Verdicts", "", *_counts(results)]
    lines += ["", "## Notation", "", " ".join(NOTATION.split())]
    for part, claims in parts:
        lines += [
            "",
            f"## {part}",
            "",
            "| claim | kind | as stated | as repaired | rank |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(result) for result in claims]
        for result in claims:
            lines += ["", *_entry_lines(entry(result), result)]
    lines += ["", "## Classical theorems", "", "Cited by name, and not proved here."]
    for item in CLASSICAL:
        lines += ["", f"### {item.label}", "", f"{item.name}: {item.says}. {item.reference}."]
    return "\n".join(lines) + "\n"


def compare(results: Sequence[Result], path: Path, *, whole: bool = True) -> list[str]:
    """Where derived verdicts differ from those of the STATUS.md at `path`, a line each; none if they agree.

    With `whole`, the results are the entire ledger, and a claim that only the file has is a difference too.
    """
    return compare_entries([entry(result) for result in results], path, whole=whole)


def compare_entries(claims: Sequence[Mapping[str, Any]], path: Path, *, whole: bool = True) -> list[str]:
    """`compare` of claims as plain data, as `entry` makes them."""
    if not path.is_file():
        return [f"{path} does not exist; write it from the whole ledger"]
    found = _ROW.finditer(path.read_text(encoding="utf-8"))
    committed = {row["label"]: (row["stated"].strip(), row["repaired"].strip()) for row in found}
    differences = []
    for claim in claims:
        label, repaired = claim["label"], claim["repaired"]
        derived = (claim["stated"]["verdict"], repaired["verdict"] if repaired else NO_REPAIR)
        if label not in committed:
            differences.append(f"{label}: not in {path.name}")
            continue
        pairs = zip(("as stated", "as repaired"), derived, committed[label], strict=True)
        differences += [
            f"{label}: {form} {new!r}, {path.name} says {old!r}" for form, new, old in pairs if new != old
        ]
    known = {claim["label"] for claim in claims}
    gone = [label for label in committed if label not in known] if whole else []
    return differences + [f"{label}: in {path.name}, not in the ledger" for label in gone]


def ledger_content(results: Sequence[Result]) -> dict[str, Any]:
    """The whole ledger as plain data, for figures and notebooks: its claims, their graph, the notation."""
    return {"claims": entries(results), "graph": graph(results), "notation": " ".join(NOTATION.split())}


def entries(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Every claim as plain data, in reading order: what `explain` says, for a record and a notebook."""
    return [entry(result) for result in _by_part(results)]


def entry(result: Result) -> dict[str, Any]:
    """One claim as plain data, ready for JSON: all that `explain` says."""
    return {
        "label": result.label,
        "where": result.where,
        "kind": result.kind,
        "part": result.claim.part,
        "stated": _form_entry(result.as_stated),
        "repaired": _form_entry(result.as_repaired) if result.as_repaired else None,
        "practice": _columns(result.practice),
    }


def _columns(rows: Sequence[dict[str, object]]) -> dict[str, list]:
    """Practice rows as a table whose columns keep their order."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {"columns": names, "rows": [[row.get(name) for name in names] for row in rows]}


def _form_entry(outcome: Outcome) -> dict[str, Any]:
    form = outcome.form
    return {
        "verdict": verdict_text(outcome),
        "rank": str(outcome.rank),
        "classical": list(outcome.classical),
        "argued": list(outcome.argued),
        "says": _squeeze(form.says),
        "assumes": [_squeeze(item) for item in form.assumes],
        "uses": list(form.uses),
        "outline": _squeeze(form.outline),
        "proof": [_squeeze(paragraph) for paragraph in form.proof.split("\n\n") if paragraph.strip()],
        "note": outcome.reason,
        "evidence": [f"{item.verdict}: {evidence_text(item)}" for item in outcome.evidence],
        "needed": [f"{_squeeze(what)}: without it {evidence_text(item)}" for what, item in outcome.needed],
        "domain": _squeeze(outcome.domain),
        "attack": [f"{item.verdict}: {evidence_text(item)}" for item in outcome.attack],
        "code": form.place.partition(":")[0],
        "place": form.place,
    }


def graph(results: Sequence[Result]) -> dict[str, object]:
    """The dependency graph as plain data: a node for each form, an edge from what is used to what uses it.

    Border: the form's own evidence. Fill: the same with all ancestors, so a sound step on broken ground has a
    blue border and no blue fill. Vermilion is refuted; grey is supported by numbers only. Dotted edges lead from
    a claim as stated to the same as repaired. Edges to claims outside `results` are left out.
    """
    outcomes: dict[str, tuple[Result, Outcome]] = {}
    for result in results:
        outcomes[result.label] = result, result.as_stated
        if result.as_repaired is not None:
            outcomes[result.label + REPAIRED] = result, result.as_repaired
    edges = [_edge(used, node, outcomes) for node in outcomes for used in outcomes[node][1].form.uses]
    repairs = [
        {"source": node.removesuffix(REPAIRED), "target": node, "kind": "repairs", "broken": False}
        for node in outcomes
        if node.endswith(REPAIRED)
    ]
    return {
        "nodes": [_node(node, result, outcome) for node, (result, outcome) in outcomes.items()],
        "edges": [edge for edge in edges if edge["source"] in outcomes] + repairs,
        "legend": {str(verdict): colour for verdict, colour in COLOURS.items()},
    }


def _node(node: str, result: Result, outcome: Outcome) -> dict[str, object]:
    return {
        "id": node,
        "label": result.label,
        "form": "repaired" if node.endswith(REPAIRED) else "stated",
        "kind": result.kind,
        "part": result.claim.part,
        "verdict": str(outcome.verdict),
        "rank": str(outcome.rank),
        "reason": outcome.reason,
        "border": COLOURS[outcome.own],
        "fill": COLOURS[outcome.verdict],
    }


def _edge(used: str, node: str, outcomes: dict[str, tuple[Result, Outcome]]) -> dict[str, object]:
    broken = used in outcomes and outcomes[used][1].verdict is Verdict.REFUTED
    return {"source": used, "target": node, "kind": "uses", "broken": broken}


def _counts(results: Sequence[Result]) -> list[str]:
    stated = Counter(result.stated for result in results)
    repaired = Counter(result.repaired for result in results if result.repaired is not None)
    rows = [f"| {_name(verdict)} | {stated[verdict]} | {repaired[verdict]} |" for verdict in COLOURS]
    lines = [f"{len(results)} claims.", "", "| verdict | as stated | as repaired |", "|---|---|---|", *rows]
    found = [Counter(form.rank for form in forms if form) for forms in _both(results)]
    lines += ["", "| rank | as stated | as repaired |", "|---|---|---|"]
    lines += [f"| `{rank}` | {found[0][rank]} | {found[1][rank]} |" for rank in Rank]
    objects = sum(form.form.statement is not None for forms in _both(results) for form in forms if form)
    total = sum(1 for forms in _both(results) for form in forms if form)
    worded = sum(bool(form.form.in_words) for forms in _both(results) for form in forms if form)
    return [
        *lines,
        "",
        f"{objects} of {total} forms are statement objects: printed, attacked and targeted from one structure. "
        f"{worded} others say in a line why they stay in words.",
    ]


def _both(results: Sequence[Result]) -> tuple[list[Outcome], list[Outcome | None]]:
    """All forms as stated, and all as repaired."""
    return [result.as_stated for result in results], [result.as_repaired for result in results]


def _name(verdict: Verdict) -> str:
    return SUPPORTED if verdict is Verdict.SUPPORTED else str(verdict)


def _contents(parts: Sequence[tuple[str, list[Result]]]) -> list[str]:
    """The linked table of contents: a line for each part of v1, with its claims."""
    lines = ["- [Verdicts](#verdicts)", "- [Notation](#notation)"]
    for part, claims in parts:
        lines.append(f"- [{part}](#{anchor(part)}): {', '.join(_link(result.label) for result in claims)}")
    return [*lines, "- [Classical theorems](#classical-theorems)"]


def anchor(heading: str) -> str:
    """The fragment under which a Markdown page on the web shows a heading: "lem-C.1" is at #lem-c1."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _link(node: str) -> str:
    """A label, or a label with its "*", that leads to the claim."""
    return f"[`{node}`](#{anchor(node.removesuffix(REPAIRED))})"


def _row(result: Result) -> str:
    verdicts = f"{verdict_text(result.as_stated)} | {verdict_text(result.as_repaired)}"
    ranks = " / ".join(str(form.rank) for form in (result.as_stated, result.as_repaired) if form)
    return f"| {_link(result.label)} | {result.kind} | {verdicts} | {ranks} |"


def _entry_lines(data: Mapping[str, Any], result: Result) -> list[str]:
    """The paragraphs of one claim: statement, assumptions, uses, argument, what decides, the attack."""
    lines = [f"### {result.label}", "", f"{result.where}, {result.kind}, `{data['stated']['code']}`"]
    for title, form, outcome in (
        ("As stated", data["stated"], result.as_stated),
        ("As repaired", data["repaired"], result.as_repaired),
    ):
        if outcome is None:
            continue
        lines += ["", f"{title}, **{form['verdict']}**: {form['says']}", ""]
        lines += [f"- assumes: {'; '.join(form['assumes'])}"] if form["assumes"] else []
        lines += [f"- uses: {', '.join(_link(node) for node in form['uses'])}"] if form["uses"] else []
        lines += [f"- argument: {plain_text(form['outline'])}"] if form["outline"] else []
        lines += [f"- in words: {plain_text(outcome.form.in_words)}"] if outcome.form.in_words else []
        lines += _trust_line(form, outcome)
        lines += formal_line(result.label + (REPAIRED if outcome is result.as_repaired else ""))
        facts = deciding(outcome)
        lines += [f"- {code_text(evidence_text(item, _LENGTH))}" for item in facts[:3]]
        lines += [f"- and {len(facts) - 3} more"] if len(facts) > 3 else []
        for what, item in outcome.needed:
            lines.append(
                f"- necessary: {_squeeze(what)}; without it {code_text(evidence_text(item, _LENGTH))}"
            )
        if outcome.domain:
            hits = Counter(str(item.verdict) for item in outcome.attack)
            came = ", ".join(f"{number} {name}" for name, number in sorted(hits.items()))
            lines.append(f"- attacked over {code_text(outcome.domain)}: {came}")
        for opening, paragraph in zip(
            ("**Proof.** ", *[""] * len(form["proof"])), form["proof"], strict=False
        ):
            lines += ["", opening + paragraph]
    return lines


def _trust_line(form: Mapping[str, Any], outcome: Outcome) -> list[str]:
    """What the verdict takes on trust: argued steps and classical theorems of the whole ancestry."""
    argued = ", ".join(_link(node) for node in form["argued"] if outcome.rank is Rank.ARGUED)
    classical = ", ".join(_link(label) for label in form["classical"])
    parts = [f"argued {argued}"] if argued else []
    parts += [f"classical {classical}"] if classical else []
    return [f"- rank {outcome.rank}" + (f": rests on {'; '.join(parts)}" if parts else "")]


def _by_part(results: Iterable[Result]) -> list[Result]:
    """By part of v1, Introduction, sections, appendices; in each as the ledger has them."""

    def place(result: Result) -> tuple[int, str]:
        part = result.claim.part
        return ("Introduction", "Section", "Appendix").index(part.split()[0]), part

    return sorted(results, key=place)


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else _squeeze(str(value))


def _up(value: float) -> str:
    """A radius to two digits, rounded up: never smaller than it is."""
    with localcontext() as context:
        context.rounding = ROUND_CEILING
        return f"{Decimal(value):.1e}" if value else "0"


def _squeeze(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, length: int | None) -> str:
    text = _squeeze(text)
    return text if length is None or len(text) <= length else text[: length - 3] + "..."


def plain_text(text: str) -> str:
    """Plain text in which Markdown finds nothing to format: formulas typed as "2*x_i <= |y|" stay as they are."""
    escaped = re.sub(r"([\\`*~$]|(?<!\w)_|_(?!\w)|<(?=[\w/!?])|\](?=[(\[]))", r"\\\1", text)
    return escaped.replace("&", "&amp;")


def code_text(text: str) -> str:
    """Text as inline code, so that TeX and comparisons are not read as Markdown."""
    text = _squeeze(text)
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def record() -> dict[str, Any]:
    """The whole ledger, checked in this process, as `ledger_content` gives it."""
    return ledger_content(verify(workers=0))
