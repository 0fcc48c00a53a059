r"""What the words of a form cite, index and count is checked: each rule refuses, and lets through what is right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proofs.ledger import Ledger, LedgerError, load
from proofs.rivals import load_neighbours
from proofs.wording import NOTATION_INDICES, UNTIED, designations, mentions, misprints

PRINTED = r"for all $1 < b$: $\lambda^{2} n_{0} \le \frac{3}{8} + 10000$"


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("the sum of (54): ", ""),
        ("the sum of (55): ", "(55) is cited"),
        ("Theorem 2.2 and `thm-3.2` say: ", ""),
        ("Theorem 2.3 says: ", "theorem 2.3 is cited"),
        ("as `thm-3.3` says: ", "thm-3.3 is cited"),
        ("under Assumption 2.1: ", ""),
        ("under Assumption 3.1: ", "assumption 3.1 is cited"),
        (r"$\theta_0$, $\mu_0$ and $n_0$: ", ""),
        (r"$\theta_0$, $\mu_1$ and $n_0$: ", r"\mu_1 is a letter"),
        (r"$\theta_0$, $\mu_0$ and $n_1$: ", "n_1 is a letter"),
        (r"$\theta_1,\dots,\theta_{D/2-1}$: ", ""),
        (r"$\theta_1$, ..., $\theta_{D/2-1}$: ", ""),
        (r"$\theta_2,\dots,\theta_{D/2-1}$: ", r"\theta_2 is a letter"),
        (r"$\theta_1,\dots,\theta_{D/2-2}$: ", r"\theta_{D/2-2} is not that of the last pair"),
        (r"as $\theta_1$ falls: ", r"\theta_1 is a letter"),
        (r"$\mu_0^2$ and $\int_0^1$: ", ""),
        (r"$\mu_1^2$ and $\int_0^1$: ", r"\mu_1 is a letter"),
        (r"$\theta_0,\dots,\theta_{D/2-1}$: ", ""),
        (r"$n_0$, ..., $\theta_{D/2-1}$: ", ""),
        (r"$S_1, S_2, \dots$: ", ""),
        (r"$C_2, \dots$: ", "a list from the index 2"),
        (r"$C_1, C_3, \dots$: ", "a list from the index 3"),
        ("in the text of v1: ", ""),
        ("in the text of v2: ", "v2 is not the version"),
        (r"with $b = 1/\theta_0$: ", ""),
        (r"with $b = 2/\theta_0$: ", r"2/\theta_0 is neither the base"),
        (r"with $\theta_0 = 1/b$: ", ""),
        (r"with $\theta_0 = 2/b$: ", "2/b is neither the base"),
        (r"1, $\theta_1,\dots,\theta_{D/2-1}$ are independent: ", ""),
        (r"2, $\theta_1,\dots,\theta_{D/2-1}$ are independent: ", r"2 and \theta_1, where 1 is due"),
        (r"$(1-\theta)D$ phases: ", ""),
        (r"$(2-\theta)D$ phases: ", r"(2-\theta) is no share"),
        ("$3/8$ is best, at $10^4$: ", ""),
        ("$5/8$ is best: ", "5 stands in no side"),
        ("$4/8$ is best: ", "4/8 is not in lowest terms"),
        ("at $10^5$: ", "100000 stands in no side"),
        (r"at $3\cdot10^4$: ", "30000 stands in no side"),
    ],
)
def test_each_rule_refuses_what_it_is_for(words: str, wrong: str) -> None:
    found = misprints(words, PRINTED, "eq-54", ("thm-2.2",), (), ("Assumption 2.1",))
    found = [line for line in found if not line.startswith("cites")]
    if "thm-3.2" in words:
        assert found == ["thm-3.2 is cited, and neither used nor among cites"]
        found = misprints(words, PRINTED, "eq-54", ("thm-2.2",), ("thm-3.2",))
    assert (not found) if not wrong else any(line.startswith(wrong) for line in found), found


def test_what_is_cited_is_named() -> None:
    assert misprints("of (42): ", None, "eq-47", (), ("eq-42",)) == []
    assert misprints("", None, "eq-47", (), ("eq-42",)) == ["cites 'eq-42', which its words do not name"]


def test_an_assumption_that_words_name_is_a_hypothesis_or_cited() -> None:
    words, refused = "under Assumption 2.1: ", ["assumption 2.1 is cited, and neither used nor among cites"]
    assert misprints(words, None, "thm-2.2", ("asm-2.1",)) == refused
    assert misprints(words, None, "thm-2.2", ("asm-2.1",), (), ("Assumption 2.1",)) == []
    assert misprints(words, None, "thm-2.2", ("asm-2.1",), ("asm-2.1",)) == []


def test_numbers_of_a_form_in_words_are_left_alone() -> None:
    assert misprints("within $17$ of it", None, "thm-2.1") == []


def test_names() -> None:
    assert mentions("of (42), Lemma C.1 and Theorem 2.2, `rem-A*`; $f(2)$") == {
        "(42)",
        "lemma C.1",
        "theorem 2.2",
        "rem-A*",
    }
    assert designations("eq-42*") == {"eq-42", "eq-42*", "(42)"}
    assert designations("lem-C.1") == {"lem-C.1", "lemma C.1"}


def test_every_exception_is_needed() -> None:
    """No letter of the notation and no untied number that no form would miss."""
    nodes = load_neighbours().nodes()
    texts = "".join(form.says for form in nodes.values())
    for letter, indices in NOTATION_INDICES.items():
        assert all(f"{letter}_{index}" in texts for index in indices), letter
    for label, numbers in UNTIED.items():
        statement = nodes[label].statement
        assert statement is not None
        said = misprints(statement.words, nodes[label].says.removeprefix(statement.words), "")
        alone = {line.split()[0] for line in said if "stands in no side" in line}
        assert numbers == alone, label


def changed_ledger(words: str) -> Ledger:
    """The ledger with other words in eq-55."""
    ledger = load()
    form = ledger.claims["eq-55"].stated
    assert form.statement is not None
    statement = replace(form.statement, words=words)
    changed = replace(form, statement=statement)
    other = Ledger()
    other.claims = ledger.claims | {"eq-55": replace(ledger.claims["eq-55"], stated=changed)}
    other.repairs, other.attacks = ledger.repairs, ledger.attacks
    return other


def test_the_ledger_refuses_other_words() -> None:
    changed_ledger("the integrals of (54): ").check()
    with pytest.raises(
        LedgerError, match=r"^eq-55: \(53\) is cited, and neither used nor among cites; see proofs"
    ):
        changed_ledger("the integrals of (53) and (54): ").check()
    with pytest.raises(LedgerError, match="eq-55: 17 stands in no side, range or hypothesis"):
        changed_ledger("the 17 integrals of (54): ").check()


def test_only_a_claim_of_the_ledger_is_cited() -> None:
    ledger = changed_ledger("the integrals of (54): ")
    claim = ledger.claims["eq-55"]
    ledger.claims["eq-55"] = replace(claim, stated=replace(claim.stated, cites=("eq-540",)))
    with pytest.raises(LedgerError, match="eq-55: cites 'eq-540', which is not in the ledger"):
        ledger.check()
