r"""The claims ledger: every statement of arXiv 2509.12635v1 under one label, with what proves or refutes it.

How to write an entry, in the module of `proofs/paper/` that carries the heading under which v1 says it (its label
also goes into `READING_ORDER` in `proofs/paper/__init__.py`):

```python
from collections.abc import Iterator
from analysis.evidence import Evidence, Verdict
from proofs.ledger import attack, claim, practice, repair

@claim(
    "eq-28", where="App. C", kind="step", says=r"$C_D(\lambda) > 1/4 - 2/L - e$", assumes=(r"$\theta_0 < 1/10$",),
    uses=("lem-C.2",), outline="Lemma C.2 at e_0 = 1/4, then cos(pi/4) = sqrt(2)/2.", proof=r"...",  # optional
)
def eq_28() -> Iterator[Evidence]:  # for or against the statement AS PRINTED
    yield Evidence("what was computed", Verdict.REFUTED, computed=..., predicted=..., radius=...,
                   precision="128 bit ball")

@repair("eq-28", says=..., assumes=(...), uses=("lem-C.2*",), outline=...)  # optional
def eq_28_repaired() -> Iterator[Evidence]: ...

@attack("eq-28", domain="D = 4 first, lambda -> 1+, theta_0 -> 1/10")  # "eq-28*" attacks the repaired form
def eq_28_attack() -> Iterator[Evidence]: ...

@practice("eq-28")  # rows of plain values
def eq_28_practice() -> Iterator[dict[str, object]]: ...

@necessary("eq-28", hypothesis=r"$\theta_0 < 1/10$")  # optional: what is false where this alone is dropped
def eq_28_without() -> Iterator[Evidence]: ...  # REFUTED
```

Then `proofs.verify.verify(["eq-28"], workers=0)` runs it in this process. Rules, each enforced with the label
in the message:

- `says` may be a `proofs.statements.Statement`: what is printed is then made from it, and the check is called with it
  and takes its sides for targets. Where it cannot be one, `in_words` says why in a line; STATUS.md counts both.
- What the words of a form cite, index and count is somebody's (`proofs.wording`); `cites` are the claims that they
  name beside the form itself and those that it uses.
- A label is used once; `uses` names existing labels and has no cycle. "lem-C.2" is that claim as stated,
  "lem-C.2*" the same as repaired. List only what the evidence rests on: an independent proof lists nothing.
- The verdict is derived, never typed: any REFUTED refutes, any UNKNOWN leaves unknown, otherwise the weakest
  of PROVED > CERTIFIED > SUPPORTED. A form is no stronger than what it uses; where it uses something refuted,
  its proof is broken and the verdict UNKNOWN.
- An instance (one case of a general step) proves nothing: beside a written `proof` it is a witness, without one it
  is a sample, and the form SUPPORTED.
- A check yields at least one `Evidence`. CERTIFIED, or a precision that says "ball", needs a finite radius;
  a side that shows a ball, "[1.5 +/- 2e-9]", needs both: precision "128 bit ball" and the radius.
- A claim is attacked, as stated or as repaired.
- A point of a statement object that refutes nothing, beside evidence that refutes, is an error; so is a step that is
  false beside such a point that refutes. Another counterexample is called an `instance`; it refutes too, and what does
  not is a hypothesis of a `counterexample`, or a conclusion of the statement that holds, or an error.
- Where an attack refutes a form, the form's own check refutes it as well; that it does not is an error: a search that
  hits would hide a check that misses. An attack that finds nothing yields SUPPORTED (sampled) or CERTIFIED (the whole
  domain covered), and shows that it could have: the same search refutes something false, its control (`control=` of
  `search`, `controlled`, `refutes`); without one, or undecided, it is an error.
- A hypothesis that `necessary` names stands among those that the form assumes, or its statement has it, and without
  it the form is refuted (`Statement.without(hypothesis).fails_at(point)`).
- A definition or an assumption has nothing to prove: its evidence is of consistency (do its printed forms
  agree, can it be satisfied).
"""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from analysis.evidence import Evidence, Role, Verdict
from proofs import paper
from proofs.classical import CLASSICAL, cited
from proofs.formal_record import machine_checked
from proofs.statements import Statement
from proofs.wording import misprints

Check = Callable[[], Iterator[Evidence]]
Rows = Callable[[], Iterator[dict[str, object]]]
C = TypeVar("C", bound=Callable)

KINDS = ("definition", "assumption", "theorem", "lemma", "remark", "equation", "step")
UNATTACKED = ("definition", "assumption")  # kinds that may lack an attack
REPAIRED = "*"  # suffix of a label: the claim as repaired
_LABEL = re.compile(r"[a-z]+-[A-Za-z0-9]+([.\-][A-Za-z0-9]+)*")
_PART = re.compile(
    r"(Sec(?:tion|\.)\s*(?P<section>\d))|(App(?:endix|\.)\s*(?P<appendix>[A-I]))|(?P<front>Introduction)"
)
_ROOT = Path(__file__).resolve().parents[1]


class Known(enum.StrEnum):
    """From where a statement is known."""

    FULL = "full text"
    NOTES = "notes"  # somebody's, on the full text: constants may be theirs
    ABSTRACT = "abstract"
    OURS = "ours"

    @property
    def worded(self) -> bool:
        """Do we have the statement's own words? Where not, what fails in ours refutes nothing."""
        return self in (Known.FULL, Known.OURS)


def is_label(text: str) -> bool:
    """Does this look like a label: "thm-2.1", "lem-C.1", "eq-28", "rem-3.reduces.scaled"?"""
    return _LABEL.fullmatch(text) is not None


class LedgerError(ValueError):
    """The ledger contradicts its own rules. The message begins with the label at fault."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a claim, as stated or as repaired: statement, argument, and the check that judges it.

    `says`, `assumes` and `proof` are Markdown with TeX between dollar signs; `outline` is plain text. Where there is a
    `statement`, `says` is printed from it, and the check is `judge` of it; where there is none, it is as `written`, and
    `in_words` says why. `cites` are the claims that its words name beside itself and those that it uses.
    """

    written: str
    assumes: tuple[str, ...]
    uses: tuple[str, ...]
    outline: str
    proof: str
    check: Check
    place: str
    statement: Statement | None = None
    judge: Callable[[Statement], Iterator[Evidence]] | None = None
    in_words: str = ""
    cites: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """The statement; printed from its object, if there is one, when it is first asked for."""
        return self.written if self.statement is None else self.statement.says()

    @property
    def classical(self) -> tuple[str, ...]:
        """The classical theorems that its argument and its proof call by name."""
        return cited(self.outline, self.proof)


@dataclass(frozen=True, slots=True)
class Attack:
    """The recorded attempt to refute one form: what was searched, and the search."""

    domain: str
    check: Check
    place: str


@dataclass(frozen=True, slots=True)
class Need:
    """A hypothesis that a form cannot do without, and the check that refutes the form without it."""

    hypothesis: str
    check: Check


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of v1; `part` ("Introduction", "Section n", "Appendix X") is read from `where`.

    Of another paper: `part` is its name in `proofs.rivals`, and `known` says what of it was read.
    """

    label: str
    where: str
    kind: str
    part: str
    stated: Form
    known: Known = Known.FULL


class Ledger:
    """A set of claims with their repairs, attacks and practice rows, in order of registration or as arranged."""

    def __init__(self) -> None:
        self.claims: dict[str, Claim] = {}
        self.repairs: dict[str, Form] = {}
        self.attacks: dict[str, Attack] = {}  # keyed by node: "eq-28" or "eq-28*"
        self.practices: dict[str, Rows] = {}
        self.needs: dict[str, list[Need]] = {}  # keyed by node
        self.machine_checked: frozenset[str] = (
            frozenset()
        )  # nodes that a proof assistant has checked; `load` fills it

    def claim(
        self,
        label: str,
        *,
        where: str,
        kind: str,
        says: str | Statement,
        assumes: tuple[str, ...] = (),
        uses: tuple[str, ...] = (),
        cites: tuple[str, ...] = (),
        outline: str = "",
        proof: str = "",
        in_words: str = "",
        paper: str = "",
        known: Known = Known.FULL,
    ) -> Callable[[C], C]:
        """Register the decorated check as the evidence for `label` as stated; see the module's docstring."""
        if not is_label(label):
            raise LedgerError(f"{label!r}: a label looks like 'thm-2.1', 'lem-C.1' or 'eq-28'")
        if kind not in KINDS:
            raise LedgerError(f"{label}: kind={kind!r}; one of {', '.join(KINDS)}")
        part = paper or _part(label, where)

        def register(check: C) -> C:
            form = _form(label, says, assumes, uses, outline, proof, check, in_words, cites)
            self._add(self.claims, label, Claim(label, where, kind, part, form, known), "claim")
            return check

        return register

    def repair(
        self,
        label: str,
        *,
        says: str | Statement,
        assumes: tuple[str, ...] = (),
        uses: tuple[str, ...] = (),
        cites: tuple[str, ...] = (),
        outline: str = "",
        proof: str = "",
        in_words: str = "",
    ) -> Callable[[C], C]:
        """Register the decorated check as the evidence for the repaired statement of `label`."""

        def register(check: C) -> C:
            form = _form(label, says, assumes, uses, outline, proof, check, in_words, cites)
            self._add(self.repairs, label, form, "repair")
            return check

        return register

    def attack(self, label: str, *, domain: str) -> Callable[[C], C]:
        """Register the decorated search for a counterexample; `label` or `label*` (the repaired form)."""

        def register(check: C) -> C:
            self._add(self.attacks, label, Attack(domain, check, place(check)), "attack")
            return check

        return register

    def practice(self, label: str) -> Callable[[C], C]:
        """Register the decorated generator of rows: what the claim says at real bases, sizes and lengths."""

        def register(rows: C) -> C:
            self._add(self.practices, label, rows, "practice")
            return rows

        return register

    def necessary(self, label: str, *, hypothesis: str) -> Callable[[C], C]:
        """Register the decorated check, which refutes `label` (or `label*`) without one of its hypotheses."""

        def register(check: C) -> C:
            if any(need.hypothesis == hypothesis for need in self.needs.get(label, ())):
                raise LedgerError(f"{label}: {hypothesis!r} is shown to be necessary twice")
            self.needs.setdefault(label, []).append(Need(hypothesis, check))
            return check

        return register

    def _add(self, where: dict, label: str, value: object, what: str) -> None:
        if label in where:
            raise LedgerError(f"{label}: {what} registered twice; a label is used once")
        where[label] = value

    def arrange(self, labels: Sequence[str]) -> None:
        """Put the claims into this order; `LedgerError` unless it names every one of them, and no other."""
        odd = sorted(self.claims.keys() ^ set(labels))
        if odd or len(set(labels)) < len(labels):
            what = f"{odd[0]}: in the ledger or in its order, not in both" if odd else "a label comes twice"
            raise LedgerError(f"{what}; see proofs/paper/__init__.py")
        self.claims = {label: self.claims[label] for label in labels}

    def nodes(self) -> dict[str, Form]:
        """Every form by node name: `label` as stated, `label*` as repaired, in the ledger's order."""
        found: dict[str, Form] = {}
        for label, claim_ in self.claims.items():
            found[label] = claim_.stated
            if label in self.repairs:
                found[label + REPAIRED] = self.repairs[label]
        return found

    def printed(self, labels: Iterable[str]) -> dict[str, str]:
        """What both forms of these claims say, by node."""
        nodes = self.nodes()
        names = (node for label in labels for node in (label, label + REPAIRED))
        return {node: nodes[node].says for node in names if node in nodes}

    def check(self) -> None:
        """Raise `LedgerError` for a cycle, an unknown label in a repair, attack, practice or `uses`, or a claim
        that nobody attacked in either form; a definition or an assumption asserts nothing to attack.
        """
        nodes = self.nodes()
        for what, known, registered in (
            ("repair", self.claims, self.repairs),
            ("attack", nodes, self.attacks),
            ("necessary hypothesis", nodes, self.needs),
            ("practice", self.claims, self.practices),
        ):
            for label in registered:
                if label not in known:
                    raise LedgerError(f"{label}: {what} for an unknown label")
        self.order()
        for node, form in nodes.items():
            self._check_words(node, form)
        for label, claim_ in self.claims.items():
            attacked = {label, label + REPAIRED} & self.attacks.keys()
            if not attacked and claim_.kind not in UNATTACKED and claim_.known.worded:
                raise LedgerError(
                    f"{label}: no attack; search for a counterexample, its domain's edges first"
                )

    def _check_words(self, node: str, form: Form) -> None:
        """`LedgerError` where the words of a form break the rules of `proofs.wording`."""
        for label in form.cites:
            if label not in self.claims:
                raise LedgerError(f"{node}: cites {label!r}, which is not in the ledger")
        typed = form.says if form.statement is None else form.statement.words
        printed = None if form.statement is None else form.says.removeprefix(typed)
        elsewhere = (self.claims[node.removesuffix(REPAIRED)].where, *form.assumes)
        for wrong in misprints(typed, printed, node, form.uses, form.cites, elsewhere):
            raise LedgerError(f"{node}: {wrong}; see proofs/wording.py")

    def order(self, labels: Iterable[str] | None = None) -> list[str]:
        """Both forms of the given claims (all by default) and every node they use, users after what they use.

        `LedgerError` for an unknown label in `uses`, or a cycle.
        """
        nodes = self.nodes()
        done: dict[str, None] = {}
        for label in self.claims if labels is None else labels:
            for node in (label, label + REPAIRED):
                if node in nodes:
                    _visit(node, nodes, (), done)
        return list(done)


def _visit(node: str, nodes: dict[str, Form], path: tuple[str, ...], done: dict[str, None]) -> None:
    """Depth-first: append `node` to `done` after all that it uses."""
    if node in done:
        return
    if node in path:
        raise LedgerError(f"{node}: cycle {' -> '.join((*path[path.index(node) :], node))}")
    for used in nodes[node].uses:
        if used not in nodes:
            form = "has no repaired form" if used.removesuffix(REPAIRED) in nodes else "is not in the ledger"
            raise LedgerError(f"{node}: uses {used!r}, which {form}")
        _visit(used, nodes, (*path, node), done)
    done[node] = None


def _part(label: str, where: str) -> str:
    found = _PART.search(where)
    if found is None:
        raise LedgerError(
            f"{label}: where={where!r} names no part; write 'Sec. 2', 'App. C' or 'Introduction'"
        )
    if found["section"]:
        return f"Section {found['section']}"
    return f"Appendix {found['appendix']}" if found["appendix"] else "Introduction"


def _form(
    label: str,
    says: str | Statement,
    assumes: tuple[str, ...],
    uses: tuple[str, ...],
    outline: str,
    proof: str,
    check: Callable[..., Iterator[Evidence]],
    in_words: str = "",
    cites: tuple[str, ...] = (),
) -> Form:
    for name, value in (("assumes", assumes), ("uses", uses), ("cites", cites)):
        if isinstance(value, str):
            raise LedgerError(f"{label}: {name}={value!r} is a string; write a tuple, ({value!r},)")
    argument = (tuple(assumes), tuple(uses), outline, inspect.cleandoc(proof))
    if isinstance(says, Statement):
        if in_words:
            raise LedgerError(f"{label}: a statement object, and in_words={in_words!r} says that it is none")
        made = functools.partial(check, says)
        return Form("", *argument, made, place(check), statement=says, judge=check, cites=tuple(cites))
    if not says.strip():
        raise LedgerError(f"{label}: says is empty; write the statement")
    return Form(says, *argument, check, place(check), in_words=in_words, cites=tuple(cites))


def place(check: Callable) -> str:
    """ "proofs/paper/appendix_c.py:12", relative to the repository, of a check's first line."""
    if isinstance(check, functools.partial):  # of a statement: see `_form`
        check = check.func
    code = inspect.unwrap(check).__code__
    path = Path(code.co_filename).resolve()
    name = path.relative_to(_ROOT).as_posix() if path.is_relative_to(_ROOT) else path.name
    return f"{name}:{code.co_firstlineno}"


LEDGER = Ledger()  # what the module-level decorators fill; tests make their own
claim, repair, attack, practice = LEDGER.claim, LEDGER.repair, LEDGER.attack, LEDGER.practice
necessary = LEDGER.necessary


def load() -> Ledger:
    """Import every module of `proofs.paper` and return the ledger they filled, in v1's own order.

    `verify` checks the ledger: the whole of it when it runs the whole, else the claims asked for and what
    they use.
    """
    for module in sorted(found.name for found in pkgutil.iter_modules(paper.__path__)):
        importlib.import_module(f"proofs.paper.{module}")
    LEDGER.arrange(paper.LABELS)
    LEDGER.machine_checked = machine_checked()
    return LEDGER


_STRENGTH = (Verdict.PROVED, Verdict.CERTIFIED, Verdict.SUPPORTED, Verdict.UNKNOWN, Verdict.REFUTED)


def weakest(verdicts: Iterable[Verdict]) -> Verdict:
    """Verdict of several facts: any REFUTED, else any UNKNOWN, else the weakest; of none at all, UNKNOWN."""
    return max(verdicts, key=_STRENGTH.index, default=Verdict.UNKNOWN)


def own_verdict(
    node: str, evidence: Sequence[Evidence], attack: Sequence[Evidence] = (), *, written: bool = True
) -> Verdict:
    """Verdict of a form's own evidence: the weakest of its facts.

    Instances are witnesses beside a written proof; where none is `written` they are samples, and support.
    `LedgerError` where the attack refutes what the evidence does not: a contradiction, or a check that missed what a
    search finds, which the attack's verdict would hide.
    """
    verdict = weakest(_worth(item, written) for item in evidence)
    hits = [item.what for item in attack if item.verdict is Verdict.REFUTED]
    if hits and verdict is not Verdict.REFUTED:
        raise LedgerError(f"{node}: {verdict} by its check, yet its attack found a counterexample: {hits[0]}")
    return verdict


def _worth(item: Evidence, written: bool) -> Verdict:
    """What one fact says of the whole claim."""
    sample = item.role is Role.INSTANCE and not written
    return weakest((item.verdict, Verdict.SUPPORTED)) if sample else item.verdict


def settle(ledger: Ledger, own: dict[str, Verdict]) -> dict[str, tuple[Verdict, str]]:
    """Verdict and reason of each node of `own`, ancestors taken into account.

    `own` maps a node to the verdict of its own evidence, and holds with each node all that it uses. The
    reason is empty where the node's own evidence decides, and names the ancestor otherwise.
    """
    nodes, final = ledger.nodes(), {}
    for node in ledger.order({node.removesuffix(REPAIRED) for node in own}):
        if node in own:
            final[node] = _limited(own[node], {used: final[used][0] for used in nodes[node].uses})
            claim_ = ledger.claims[node.removesuffix(REPAIRED)]
            if final[node][0] is Verdict.REFUTED and not (node.endswith(REPAIRED) or claim_.known.worded):
                final[node] = Verdict.UNKNOWN, f"fails in these words, known from the {claim_.known} alone"
    return final


def _limited(own: Verdict, used: dict[str, Verdict]) -> tuple[Verdict, str]:
    """A verdict limited by those of what was used. A refutation needs no ancestor and stands."""
    if own in (Verdict.REFUTED, Verdict.UNKNOWN):
        return own, ""
    broken = [node for node, verdict in used.items() if verdict is Verdict.REFUTED]
    if broken:
        return Verdict.UNKNOWN, f"broken proof: uses {', '.join(broken)}, refuted"
    limit = weakest((own, *used.values()))
    if limit is own:
        return own, ""
    names = ", ".join(node for node, verdict in used.items() if verdict is limit)
    return limit, f"no stronger than {names}, {limit}"


class Rank(enum.StrEnum):
    """How a verdict was reached, strongest first; derived from evidence, statement and ancestors, never typed."""

    MACHINE_CHECKED = "machine-checked"  # a proof assistant has checked the form, whatever else it uses here
    COMPUTED = "computed"  # an exact computation that was made from the statement, and is all of it
    CERTIFIED = (
        "certified"  # balls over all of the statement's domain, which was compared with what they cover
    )
    ARGUED = "argued"  # computations joined by a written proof
    REFUTED = "refuted"
    UNKNOWN = "unknown"


_RANKS = tuple(Rank)


def own_rank(form: Form, verdict: Verdict, evidence: Sequence[Evidence]) -> Rank:
    """Rank of a form by its own evidence: no higher than the weakest of its facts."""
    if verdict is Verdict.REFUTED:
        return Rank.REFUTED
    if verdict not in (Verdict.PROVED, Verdict.CERTIFIED):
        return Rank.UNKNOWN
    if any(item.role is not Role.STATEMENT for item in evidence) or form.statement is None:
        return Rank.ARGUED
    return Rank.COMPUTED if verdict is Verdict.PROVED else Rank.CERTIFIED


def settle_ranks(
    ledger: Ledger, final: dict[str, tuple[Verdict, str]], evidence: Mapping[str, Sequence[Evidence]]
) -> dict[str, Rank]:
    """Rank of each node: its own, and no higher than those of what it uses; a machine's check needs no ancestor."""
    nodes, ranks = ledger.nodes(), {}
    for node in ledger.order({node.removesuffix(REPAIRED) for node in final}):
        if node not in final:
            continue
        if node in ledger.machine_checked:
            ranks[node] = Rank.MACHINE_CHECKED
            continue
        own = own_rank(nodes[node], final[node][0], evidence[node])
        used = () if own in (Rank.REFUTED, Rank.UNKNOWN) else (ranks[name] for name in nodes[node].uses)
        ranks[node] = max((own, *used), key=_RANKS.index)
    return ranks


def rests_on(ledger: Ledger, node: str, ranks: dict[str, Rank]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the verdict of a node takes on trust: the classical theorems, and the argued forms, itself among them.

    Of the whole ancestry, machine-checked forms apart, which rest on nothing here.
    """
    nodes, seen, classical, argued = ledger.nodes(), set(), set(), []
    stack = [node]
    while stack:
        name = stack.pop()
        if name in seen or ranks.get(name) is Rank.MACHINE_CHECKED:
            continue
        seen.add(name)
        classical.update(nodes[name].classical)
        if ranks.get(name) is Rank.ARGUED:
            argued.append(name)
        stack.extend(nodes[name].uses)
    known = [entry.label for entry in CLASSICAL if entry.label in classical]
    return tuple(known), tuple(name for name in nodes if name in argued)
