"""The formal proofs: sources, record and ledger agree; nothing is taken without proof; Coq checks again."""

from __future__ import annotations

import json
import re
import shutil
from fractions import Fraction

import pytest

from analysis.errors import InputError
from proofs import formal_record
from proofs.balls import ball
from proofs.formal_record import (
    ALLOWED,
    FOLDER,
    RECORD,
    Formal,
    check,
    claims,
    compile_all,
    coqchk_clean,
    forbidden,
    formal_proofs,
    formal_sources,
    read_formal,
    required,
    run_coq,
    with_axioms,
)
from proofs.integrals import RopeSums
from proofs.ledger import load
from proofs.paper.theorem_2_1 import Power
from proofs.paper.theorem_3_3 import limit_variance, twisted
from proofs.status import PATH

KEPT = json.loads((FOLDER / RECORD).read_text(encoding="utf-8"))
needs_coq = pytest.mark.skipif(shutil.which("coqc") is None, reason=f"no coqc; {formal_record.PACKAGES}")
ROW = r"^\| \[`%s`\][^|]*\|[^|]*\| (\w+)[^|]*\| ([\w-]+)"


def test_record_is_of_these_sources():
    assert read_formal()
    assert len(formal_proofs()) == len(KEPT["claims"])
    declared = [(c.node, c.extent, c.verdict, c.says, c.theorem, c.file) for c in claims(formal_sources())]
    assert declared == [
        tuple(row[key] for key in ("node", "extent", "verdict", "says", "theorem", "file"))
        for row in KEPT["claims"]
    ]
    assert KEPT["coqchk"] == "clean"
    assert (
        KEPT["cpu_seconds"] + KEPT["coqchk_cpu_seconds"] < 90
    )  # the libraries apart, which coqchk checks as well
    assert KEPT["library_cpu_seconds"] > 0


def test_a_changed_added_or_removed_source_leaves_no_rank(tmp_path):
    for what in ("changed", "added", "removed"):
        folder = tmp_path / what
        shutil.copytree(FOLDER, folder)
        assert read_formal(folder)
        if what == "changed":
            (folder / "lemma_c.v").write_text((folder / "lemma_c.v").read_text().replace("1 / 10", "1 / 9"))
        elif what == "added":
            (folder / "more.v").write_text("(* nothing *)\n")
        else:
            (folder / "theorem_3_3.v").unlink()
        assert read_formal(folder) == ()


def test_nothing_is_taken_without_proof():
    for file, text in formal_sources().items():
        assert not forbidden(text), file
    for row in KEPT["claims"]:
        assert row["axioms"], row["theorem"]
        assert set(row["axioms"]) <= set(ALLOWED), row["theorem"]


@pytest.mark.parametrize(
    "planted", ["Proof. Admitted.", "Axiom a : False.", "Proof. admit.", "Parameter a : False."]
)
def test_what_takes_something_without_proof_is_seen(planted):
    assert forbidden(f"Lemma a : False. {planted}")
    assert not forbidden(f"(* {planted} *)")


def test_a_claim_without_extent_or_theorem_or_twice_is_refused():
    good = "(** claim: eq-8, whole, proved\n  Says. *)\nTheorem a : True."
    assert claims({"a.v": good})[0].theorem == "a"
    for bad in (good.replace("whole, ", ""), good.replace("Theorem", "Definition")):
        with pytest.raises(InputError, match=r"a\.v: a claim is not"):
            claims({"a.v": bad})
    with pytest.raises(InputError, match="two theorems"):
        claims({"a.v": good, "b.v": good})


def test_verdicts_are_those_of_the_ledger():
    nodes, status = load().nodes(), PATH.read_text(encoding="utf-8")
    for formal in formal_proofs().values():
        assert formal.node in nodes
        row = re.search(ROW % re.escape(formal.node.removesuffix("*")), status, re.MULTILINE)
        assert row
        said = row[2] if formal.node.endswith("*") else row[1]
        assert said in ({"proved", "certified"} if formal.verdict == "proved" else {"refuted"}), formal.node


def test_only_whole_statements_have_the_rank():
    whole = {row["node"] for row in KEPT["claims"] if row["extent"] == "whole"}
    assert load().machine_checked == whole
    assert {"thm-2.1", "thm-2.1.sharp", "thm-2.1.orbit", "thm-2.1.rank"} <= whole
    assert {"thm-2.2*", "eq-83"} & whole == set()  # weaker constants, no density: a part each
    assert "machine-checked in part" in next(formal_record.formal_line("eq-83"))


def test_sources_come_after_what_they_require_and_a_circle_is_named(tmp_path):
    texts = formal_sources()
    order, needs = list(texts), required({file.removesuffix(".v"): text for file, text in texts.items()})
    assert needs["theorem_2_1"] >= {"kronecker", "rope_sums"}
    for name, others in needs.items():
        assert all(order.index(f"{other}.v") < order.index(f"{name}.v") for other in others)
    for name, other in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.v").write_text(f"Require Import {other}.\n")
    with pytest.raises(InputError, match=r"[abc], [abc], [abc], [abc] require each other in a circle"):
        formal_sources(tmp_path)


@needs_coq
def test_all_sources_are_compiled_and_the_first_that_fails_is_named(tmp_path):
    texts = {
        "a.v": "Definition one := 1.\n",
        "b.v": "Require Import a.\nLemma two : one = 1.\nProof. reflexivity. Qed.\n",
    }
    compile_all(texts, tmp_path)
    assert (tmp_path / "b.vo").is_file()
    with pytest.raises(InputError, match=r"coqc b\.v failed"):
        compile_all(texts | {"b.v": texts["b.v"].replace("= 1", "= 2")}, tmp_path)


def test_coqchk_summary_is_read():
    clean = "CONTEXT SUMMARY\n* Axioms:\n    Coq.Logic.Classical_Prop.classic\n"
    clean += "* Constants/Inductives relying on type-in-type: <none>\n"
    assert coqchk_clean(clean)
    assert not coqchk_clean(clean.replace("Classical_Prop.classic", "mine.false"))
    assert not coqchk_clean(clean.replace("<none>", "loop"))
    assert not coqchk_clean("")
    sealed = clean.replace(
        "Classical_Prop.classic", "Classical_Prop.classic\n    Coq.ssr.ssrunder.Under_rel.Over_rel"
    )
    assert not coqchk_clean(sealed)
    assert coqchk_clean(sealed, ["lemma_c"])  # what is not looked into is listed
    assert not coqchk_clean(sealed.replace("Coq.ssr.ssrunder", "lemma_c"), ["lemma_c"])


@needs_coq
def test_coqchk_sees_an_axiom_of_ours_without_looking_into_the_libraries(tmp_path):
    """A variable outside of a section is an axiom, which no forbidden word names."""
    planted = "From Coq Require Import Reals.\n{}Lemma b : True.\nProof. exact I. Qed.\n"
    for words, clean in (("", True), ("Variable a : False.\n", False)):
        (tmp_path / "small.v").write_text(planted.format(words))
        assert not forbidden(planted.format(words))
        run_coq("coqc", "small.v", folder=tmp_path)
        said = run_coq("coqchk", "-silent", "-o", "-norec", "small", folder=tmp_path)
        assert coqchk_clean(said, ["small"]) == clean


@needs_coq
def test_a_false_theorem_does_not_compile(tmp_path):
    texts = formal_sources()
    wrong = texts["theorem_3_3.v"].replace("= (1 - r ^ 2) / 2.", "= (1 - r ^ 2) / 3.")
    assert wrong != texts["theorem_3_3.v"]
    for file, text in (("rope_sums.v", texts["rope_sums.v"]), ("theorem_3_3.v", wrong)):
        (tmp_path / file).write_text(text)
    run_coq("coqc", "rope_sums.v", folder=tmp_path)
    with pytest.raises(InputError, match=r"theorem_3_3\.v failed"):
        run_coq("coqc", "theorem_3_3.v", folder=tmp_path)


def goals(shift: str = "0") -> str:
    """Coq's gamma between the ends of the ledger's ball, widened by 1e-9, at four points; `shift` moves the ends."""
    lines = [
        "From Coq Require Import Reals.",
        "From Interval Require Import Tactic.",
        "Require Import rope_sums.",
        "Open Scope R_scope.",
    ]
    for base, dim, distance, mu, nu in (
        (10, 4, 1, 1, 0),
        (500, 6, 3, 0, 1),
        (10_000, 8, 37, 2, -3),
        (3, 4, -2, 1, 1),
    ):
        value = RopeSums.of(dim, base=base).gamma(distance, mu, nu) + ball(shift)
        whole = (value * 10**12).mid().floor().unique_fmpz()
        assert whole is not None
        middle = Fraction(int(whole), 10**12)
        lo, hi = (
            f"({x.numerator} / {x.denominator})"
            for x in (middle - Fraction(1, 10**9), middle + Fraction(1, 10**9))
        )
        lines += [
            f"Goal {lo} <= gamma (2 * PI) ({mu}) ({nu}) (/ {base}) {dim // 2} ({distance}) <= {hi}.",
            "Proof. unfold gamma, freq, Rpower; cbn [total]; rewrite !INR_IZR_INZ; simpl Z.of_nat.",
            "  interval with (i_prec 80). Qed.",
        ]
    return "\n".join(lines) + "\n"


@needs_coq
def test_definitions_are_those_of_the_ledger(tmp_path):
    (tmp_path / "rope_sums.v").write_text(formal_sources()["rope_sums.v"])
    run_coq("coqc", "rope_sums.v", folder=tmp_path)
    (tmp_path / "points.v").write_text(goals())
    run_coq("coqc", "points.v", folder=tmp_path)
    (tmp_path / "points.v").write_text(goals("1/100000"))
    with pytest.raises(InputError, match=r"points\.v failed"):
        run_coq("coqc", "points.v", folder=tmp_path)


QUARTER = r"""From Coq Require Import Reals Lra Lia QArith Qreals.
Open Scope R_scope.
Require Import rope_sums kronecker theorem_2_1.
Lemma half : later (/ 4) 2 0 = / 2.
Proof.
  unfold later, freq, Rpower. replace (2 * INR 1 / (2 * INR 2)) with (/ 2) by (simpl; field).
  replace (/ 4) with (/ 2 * / 2) by field. rewrite ln_mult by lra.
  rewrite <- (exp_ln (/ 2)) at 4 by lra. f_equal. field.
Qed.
Lemma alone : independent 1 (later (/ 4) 2).
Proof.
  intros q H d D. replace d with 0%nat by lia. simpl in H. rewrite half in H.
  apply eqR_Qeq. unfold Q2R at 2. simpl. lra.
Qed.
Goal ~ independent 2 (before 1 (later (/ 4) 2)).
Proof.
  intros H. set (q := fun d : nat => match d with O => ((-1) # 1)%Q | _ => (2 # 1)%Q end).
  assert (E : (q 0%nat == 0)%Q); [|discriminate E]. apply H; [|lia]. simpl. rewrite half. unfold Q2R. simpl. lra.
Qed.
Definition certain (f : unit -> R) (m : R) : Prop := m = f tt.
Goal forall gam, -2 <= gam <= 2 -> exists v, far_limit_point (bias 2 (fun i j =>
  score (2 * PI) (/ 4) 2 (INR i - INR j) (fun _ _ => 1) (fun _ _ => 1) tt)) v /\ Rabs (v - gam) <= 4.
Proof.
  intros gam G. assert (S : sqrt (2 * 2 + 0 * 0) = 2) by (rewrite Rmult_0_l, Rplus_0_r; apply sqrt_square; lra).
  set (e := fun i j => score _ _ _ (INR i - INR j) _ _ tt).
  destruct (theorem_2_1 unit certain (/ 4) 2 2 0 e gam) as [v [V B]]; [lia| |exact alone|rewrite S; exact G|].
  2:{ exists v. split; [exact V|]. rewrite S in B. simpl in B. lra. }
  split; [split; unfold certain; intros; subst; reflexivity|].
  exists 1, (fun _ _ _ => 1), (fun _ _ _ => 1). intros i j. split; [|reflexivity].
  unfold assumption_2_1, A_of, B_of, certain. repeat split; intros; simpl; lra.
Qed.
"""


@needs_coq
def test_independence_is_that_of_the_ledger_and_theorem_2_1_says_something(tmp_path):
    """D = 4, theta_0 = 1/4: theta_1 = 1/2 is independent, 1 and theta_1 are not; certain tokens meet Assumption 2.1."""
    power = Power(4, 4)
    assert power.head_dim // 2 - 1 <= power.degree < power.head_dim // 2
    texts = formal_sources()
    compile_all(
        {file: texts[file] for file in ("rope_sums.v", "recurrence.v", "kronecker.v", "theorem_2_1.v")},
        tmp_path,
    )
    (tmp_path / "quarter.v").write_text(QUARTER)
    run_coq("coqc", "quarter.v", folder=tmp_path)
    for wrong in (
        QUARTER.replace("<= 4.", "<= 1."),
        QUARTER.replace("Goal ~ independent 2", "Goal ~ independent 1"),
    ):
        assert wrong != QUARTER
        (tmp_path / "quarter.v").write_text(wrong)
        with pytest.raises(InputError, match=r"quarter\.v failed"):
            run_coq("coqc", "quarter.v", folder=tmp_path)


@needs_coq
def test_axioms_are_those_of_each_theorem(tmp_path):
    (tmp_path / "small.v").write_text(
        "From Coq Require Import Classical.\nLemma a (P : Prop) : P -> P.\nProof. auto. Qed.\n"
        "Lemma b (P : Prop) : P \\/ ~ P.\nProof. apply classic. Qed.\n"
        "Lemma c : True.\nProof. exact I. Qed.\n"
    )
    run_coq("coqc", "small.v", folder=tmp_path)
    found = [Formal("eq-8", "whole", "proved", "", name, "small.v") for name in "abc"]
    assert [formal.axioms for formal in with_axioms(found, tmp_path)] == [(), ("Classical_Prop.classic",), ()]


def test_second_moment_is_that_of_the_ledger():
    (row,) = (row for row in KEPT["claims"] if row["node"] == "eq-83")
    assert "(1 - r^2)/2" in row["says"]
    for r in (Fraction(1, 3), Fraction(9, 10)):
        assert limit_variance(twisted(r), 2) == (1 - r**2) / 2


@needs_coq
@pytest.mark.slow
def test_everything_checks_again():
    made = json.loads(json.dumps(check(library=True)))  # as the record has it: lists, where Python has tuples
    assert [made[key] for key in ("files", "claims", "coqchk")] == [
        KEPT[key] for key in ("files", "claims", "coqchk")
    ]
