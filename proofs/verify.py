"""Run the ledger: every check as a task of its own over processes, then verdicts from evidence and ancestors.

`verify(["eq-28"], workers=0)` runs in this process, for a debugger; without labels the whole ledger runs.
"""

from __future__ import annotations

import atexit
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from multiprocessing import get_context

from analysis.errors import InputError
from analysis.evidence import Evidence, Role, Verdict
from analysis.processes import at_work, begin_work, ending_workers
from proofs.balls import PRECISION, precision
from proofs.known_answers import wrong_answers
from proofs.ledger import (
    REPAIRED,
    Check,
    Claim,
    Form,
    Ledger,
    LedgerError,
    Rank,
    Rows,
    load,
    own_verdict,
    place,
    rests_on,
    settle,
    settle_ranks,
)

Row = dict[str, object]
Loader = Callable[[], Ledger]
Progress = Callable[[int, int, str], None]

_BALL = re.compile(r"\d+ bit ball")
_CHECK, _ATTACK, _PRACTICE = "check", "attack", "practice"


@dataclass(frozen=True, slots=True)
class LedgerTask:
    """One function of the ledger: check or attack of a node ("eq-28", "eq-28*"), practice of a label."""

    node: str
    part: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one form of a claim came to.

    Attributes:
        form: statement, assumptions, what it uses, outline of the proof, place ("file:line") of the check.
        verdict: derived from the evidence, the attack and the ancestors.
        own: the same without the ancestors.
        reason: which ancestor limits the verdict; empty where the form's own evidence decides.
        evidence: what the check yielded.
        domain: what the attack searched; empty without an attack.
        attack: what the attack yielded.
        needed: each hypothesis that was shown to be necessary, with what refutes the form without it.
        rank: how the verdict was reached, ancestors taken into account.
        classical: labels of the classical theorems that it rests on, by itself or by what it uses.
        argued: the forms of its ancestry, itself among them, whose computations a written argument joins.
    """

    form: Form
    verdict: Verdict
    own: Verdict
    reason: str
    evidence: tuple[Evidence, ...]
    domain: str
    attack: tuple[Evidence, ...]
    needed: tuple[tuple[str, Evidence], ...]
    rank: Rank
    classical: tuple[str, ...]
    argued: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """A claim with both its outcomes, the rows of its practice, and the seconds all its checks took."""

    claim: Claim
    as_stated: Outcome
    as_repaired: Outcome | None
    practice: tuple[Row, ...]
    seconds: float

    @property
    def label(self) -> str:
        """The claim's label."""
        return self.claim.label

    @property
    def where(self) -> str:
        """Where in v1."""
        return self.claim.where

    @property
    def kind(self) -> str:
        """One of `proofs.ledger.KINDS`."""
        return self.claim.kind

    @property
    def stated(self) -> Verdict:
        """Verdict of the statement as printed."""
        return self.as_stated.verdict

    @property
    def repaired(self) -> Verdict | None:
        """Verdict of the repaired statement; None where there is none."""
        return self.as_repaired.verdict if self.as_repaired else None

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Evidence for or against the statement as printed."""
        return self.as_stated.evidence

    @property
    def place(self) -> str:
        """Where in the code: "proofs/paper/appendix_c.py:12"."""
        return self.as_stated.form.place


def verify(
    labels: Iterable[str] | None = None,
    workers: int | None = None,
    *,
    loader: Loader = load,
    progress: Progress | None = None,
) -> list[Result]:
    """Results of the given claims (all of them by default), in the ledger's order, whatever finished first.

    What the claims use is run too, since verdicts depend on it, but not returned. `workers` is the number of
    processes: one per usable core by default, 0 for none but this. `loader` makes the ledger, here and in
    every process, so it must be importable. `progress(done, total, label)` is called after each check.

    Raises `InputError` for an unknown label or a negative number of workers, and `LedgerError`, with the
    label, for whatever goes wrong inside a check.
    """
    number = _cores() if workers is None else workers
    if number < 0:
        raise InputError(f"workers={number}; give a number of processes, or 0 for none but this")

    def first(ledger: Ledger, wanted: Sequence[str]) -> None:
        if labels is None:
            check_rules(ledger)
        # before this process computes: how SymPy prints depends on what it has in store
        ledger.printed(wanted)

    ledger, wanted, tasks = None, [], []
    if number == 0 or labels is not None:
        ledger = loader()
        wanted = _wanted(ledger, labels)
        tasks = _tasks(ledger, wanted)
        number = min(number, len(tasks))
        if number == 0:
            first(ledger, wanted)
            return _results(ledger, wanted, _run_here(tasks, ledger, progress))
    with (
        ProcessPoolExecutor(number, get_context("spawn"), _begin, (os.getpid(),)) as pool,
        ending_workers(pool),
    ):
        if ledger is None:
            for _ in range(number):  # each starts a process, which makes its ledger while this one does
                pool.submit(at_work, _make_ready, loader)
            ledger = loader()
            wanted = _wanted(ledger, None)
            tasks = _tasks(ledger, wanted)
        done = _run(tasks, loader, pool, progress, meanwhile=lambda: first(ledger, wanted))
    return _results(ledger, wanted, done)


def check_rules(ledger: Ledger, *, tools: bool = True) -> None:
    """`LedgerError` where the ledger breaks a rule, or (`tools`) where a tool of it does not answer what is known."""
    ledger.check()
    for wrong in wrong_answers() if tools else ():
        raise LedgerError(f"a tool is wrong, and proves nothing: {wrong}")


def _cores() -> int:
    """Cores this process may use, where the system tells; else all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _wanted(ledger: Ledger, labels: Iterable[str] | None) -> list[str]:
    if isinstance(labels, str):
        raise InputError(f"labels={labels!r} is a string; give a list, [{labels!r}]")
    asked = set(ledger.claims if labels is None else labels)
    unknown = sorted(asked - ledger.claims.keys())
    if unknown:
        near = list(dict.fromkeys(name for label in unknown for name in _nearest(label, ledger)))
        choice = " or ".join(filter(None, (", ".join(near[:-1]), *near[-1:])))
        meant = f"did you mean {choice}?" if near else "proofs/STATUS.md lists them all"
        raise InputError(f"no claim is called {', '.join(unknown)}; {meant}")
    return [label for label in ledger.claims if label in asked]


def _nearest(label: str, ledger: Ledger) -> list[str]:
    """Up to three labels that are spelt much like an unknown one, those of its own kind ("thm-") before others."""
    low = {known.lower(): known for known in ledger.claims}
    same = [known for known in low if known.split("-")[0] == label.lower().split("-")[0]]
    found = get_close_matches(label.lower(), same or low, n=3, cutoff=0.5)
    return [low[name] for name in found]


def _tasks(ledger: Ledger, wanted: Sequence[str]) -> list[LedgerTask]:
    """Practice rows of the claims; checks and attacks of the claims and of all they use.

    The rows come first: some of them are the longest tasks, and one that starts last is waited for alone.
    """
    nodes = ledger.order(wanted)
    tasks = [LedgerTask(label, _PRACTICE) for label in wanted if label in ledger.practices]
    tasks += [LedgerTask(node, _CHECK) for node in nodes]
    return tasks + [LedgerTask(node, _ATTACK) for node in nodes if node in ledger.attacks]


@dataclass(frozen=True, slots=True)
class Found:
    """What one task yielded, evidence or rows, and the seconds it took."""

    evidence: tuple[Evidence, ...] = ()
    rows: tuple[Row, ...] = ()
    needed: tuple[tuple[str, Evidence], ...] = ()
    seconds: float = 0.0


def _perform(task: LedgerTask, ledger: Ledger) -> Found:
    """Run one task at the ledger's precision."""
    start = time.perf_counter()
    evidence: tuple[Evidence, ...] = ()
    rows: tuple[Row, ...] = ()
    needed: tuple[tuple[str, Evidence], ...] = ()
    with precision(PRECISION):
        if task.part == _PRACTICE:
            rows = gather_rows(task.node, ledger.practices[task.node])
        elif task.part == _ATTACK:
            evidence = gather_attack(task.node, ledger)
        else:
            evidence = gather(task.node, ledger.nodes()[task.node].check)
            needed = gather_needed(task.node, ledger)
    return Found(evidence, rows, needed, time.perf_counter() - start)


@cache
def _loaded(loader: Loader) -> Ledger:
    """The ledger of a worker process, made once."""
    return loader()


def _begin(parent: int) -> None:
    """Initializer of a worker: `begin_work`, and at its end nothing is taken apart, which takes a second with SymPy."""
    begin_work(parent)
    atexit.register(os._exit, 0)


def _make_ready(loader: Loader) -> None:
    """Have the ledger of a worker process made before its first task comes."""
    _loaded(loader)


def _perform_there(task: LedgerTask, loader: Loader) -> Found:
    """`_perform` in a worker process: functions do not travel, the name of the loader does."""
    return _perform(task, _loaded(loader))


def _run_here(
    tasks: Sequence[LedgerTask], ledger: Ledger, progress: Progress | None
) -> dict[LedgerTask, Found]:
    done = {}
    for task in tasks:
        done[task] = _perform(task, ledger)
        if progress:
            progress(len(done), len(tasks), task.node)
    return done


def _run(
    tasks: Sequence[LedgerTask],
    loader: Loader,
    pool: Executor,
    progress: Progress | None,
    *,
    meanwhile: Callable[[], None],
) -> dict[LedgerTask, Found]:
    """Tasks over the processes of a pool, and `meanwhile` here while they work; the first error is raised."""
    done: dict[LedgerTask, Found] = {}
    tasks_of = {pool.submit(at_work, _perform_there, task, loader): task for task in tasks}
    meanwhile()
    for future in as_completed(tasks_of):
        done[tasks_of[future]] = future.result()
        if progress:
            progress(len(done), len(tasks), tasks_of[future].node)
    return done


def gather(node: str, check: Check) -> tuple[Evidence, ...]:
    """Run a check to its end; `LedgerError` if it yields nothing or something that is not good evidence.

    Whatever else the check raises comes back as a `LedgerError` that names the node and chains the cause.
    """
    try:
        found = tuple(check())
    except Exception as error:
        raise LedgerError(f"{node}: {type(error).__name__} in {place(check)}: {error}") from error
    if not found:
        raise LedgerError(f"{node}: no evidence; a check yields at least one")
    for item in found:
        if not isinstance(item, Evidence):
            raise LedgerError(f"{node}: yielded {type(item).__name__} {item!r} where Evidence is due")
        if item.radius is None and (item.verdict is Verdict.CERTIFIED or "ball" in item.precision):
            raise LedgerError(f"{node}: {item.what!r} is certified by balls but states no radius")
        shows = "+/-" in f"{item.computed} {item.predicted}"
        if shows and (item.radius is None or not _BALL.fullmatch(item.precision)):
            raise LedgerError(
                f"{node}: {item.what!r} shows a ball, so its precision is that of a ball and its radius is due, "
                f"not {item.precision!r} and {item.radius}"
            )
    _check_counterexamples(node, found)
    return found


def _check_counterexamples(node: str, found: Sequence[Evidence]) -> None:
    """`LedgerError` for what is wrong beside evidence that refutes all the same, so that no verdict would show it.

    That is a point that was to refute the statement and does not; where such a point does, a step that is false:
    another counterexample is called an instance; and a step or instance that refutes nothing and is no hypothesis of
    what does (`proofs.gaussian_tokens.counterexample`), nor has a control: so each counterexample refutes by itself.
    """
    refuted = [item for item in found if item.verdict is Verdict.REFUTED]
    if any(item.role is Role.STATEMENT for item in refuted):
        for item in refuted:
            if item.role is Role.STEP:
                raise LedgerError(f"{node}: {item.what!r} is false; mend the step, or call it an `instance`")
    if refuted:
        for item in found:
            if item.role is Role.STATEMENT and item.verdict in (Verdict.SUPPORTED, Verdict.UNKNOWN):
                raise LedgerError(
                    f"{node}: {item.what!r} refutes nothing, {item.verdict}; drop it or mend it"
                )
            if item.role is not Role.STATEMENT and item.verdict is not Verdict.REFUTED and not item.control:
                raise LedgerError(
                    f"{node}: {item.what!r} refutes nothing, {item.verdict}; mend it, or give it to `counterexample`"
                )


def gather_attack(node: str, ledger: Ledger) -> tuple[Evidence, ...]:
    """What the attack on a node yields: counterexamples, or searches that each refute a control of theirs.

    `LedgerError` where a search finds nothing and has no control, as whether it could find anything is then not known;
    and where it decides nothing.
    """
    found = gather(f"{node}, attack", ledger.attacks[node].check)
    for item in found:
        if item.verdict is Verdict.UNKNOWN:
            raise LedgerError(f"{node}, attack: {item.what!r} decides nothing; look where balls decide")
        if item.verdict in (Verdict.SUPPORTED, Verdict.CERTIFIED) and not item.control:
            raise LedgerError(
                f"{node}, attack: {item.what!r} has no control, something false that it refutes"
            )
    if not any(item.verdict is Verdict.REFUTED or item.control for item in found):
        raise LedgerError(f"{node}, attack: it finds no counterexample, and has no control")
    return found


def gather_needed(node: str, ledger: Ledger) -> tuple[tuple[str, Evidence], ...]:
    """Each hypothesis that is called necessary, with what refutes the form without it.

    `LedgerError` where the form does not assume it, or is not refuted without it.
    """
    found: list[tuple[str, Evidence]] = []
    form = ledger.nodes()[node]
    assumed = (*form.assumes, *(form.statement.hypotheses if form.statement else ()))
    for need in ledger.needs.get(node, ()):
        if need.hypothesis not in assumed:
            raise LedgerError(f"{node}: {need.hypothesis!r} is necessary, and is not assumed")
        evidence = gather(f"{node}, without a hypothesis", need.check)
        against = [item for item in evidence if item.verdict is Verdict.REFUTED]
        if not against:
            raise LedgerError(f"{node}: nothing refutes it without {need.hypothesis!r}, said to be necessary")
        found.append((need.hypothesis, against[0]))
    return tuple(found)


def gather_rows(node: str, rows: Rows) -> tuple[Row, ...]:
    """Run a practice generator; `LedgerError` for no row, or a value not bool, int, float, str or None."""
    try:
        found = tuple(rows())
    except Exception as error:
        raise LedgerError(f"{node}, practice: {type(error).__name__} in {place(rows)}: {error}") from error
    if not found:
        raise LedgerError(f"{node}, practice: no row")
    for row in found:
        for key, value in row.items():
            if value is not None and type(value) not in (bool, int, float, str):
                kind = type(value).__name__
                raise LedgerError(f"{node}, practice: {key}={value!r} is a {kind}, not a plain value")
    return found


def _results(ledger: Ledger, wanted: Sequence[str], done: dict[LedgerTask, Found]) -> list[Result]:
    nodes = ledger.nodes()
    forms = {task.node: found.evidence for task, found in done.items() if task.part == _CHECK}
    attacks = {task.node: found.evidence for task, found in done.items() if task.part == _ATTACK}
    needed = {task.node: found.needed for task, found in done.items() if task.part == _CHECK}
    own = {
        node: own_verdict(node, found, attacks.get(node, ()), written=bool(nodes[node].proof))
        for node, found in forms.items()
    }
    final = settle(ledger, own)
    ranks = settle_ranks(ledger, final, forms)

    def outcome(node: str) -> Outcome:
        verdict, reason = final[node]
        domain = ledger.attacks[node].domain if node in ledger.attacks else ""
        found = attacks.get(node, ())
        classical, argued = rests_on(ledger, node, ranks)
        return Outcome(
            nodes[node],
            verdict,
            own[node],
            reason,
            forms[node],
            domain,
            found,
            needed[node],
            ranks[node],
            classical,
            argued,
        )

    def result(label: str) -> Result:
        repaired = outcome(label + REPAIRED) if label in ledger.repairs else None
        rows = done.get(LedgerTask(label, _PRACTICE), Found()).rows
        mine = [task for task in done if task.node.removesuffix(REPAIRED) == label]
        seconds = sum(done[task].seconds for task in mine)
        return Result(ledger.claims[label], outcome(label), repaired, rows, seconds)

    return [result(label) for label in wanted]
