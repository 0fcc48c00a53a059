(** Theorem 3.3 and eq 83: finite laws that meet Assumption 2.1 and break them. *)
From Coq Require Import Reals Lra Lia Psatz List.
Import ListNotations.
Open Scope R_scope.
Require Import rope_sums.

(** Outcomes with their weights. *)
Definition law (X : Type) := list (R * X).
Fixpoint E {X} (l : law X) (g : X -> R) : R := match l with [] => 0 | (w, x) :: t => w * g x + E t g end.
Definition probability {X} (l : law X) : Prop := (forall w x, In (w, x) l -> 0 <= w) /\ E l (fun _ => 1) = 1.
Definition law_mean {X} (l : law X) (g : X -> R) (m : R) : Prop := m = E l g.

Lemma law_expectation {X} (l : law X) : expectation (law_mean l).
Proof.
  split; unfold law_mean.
  - induction l as [|[w x] t IH]; simpl; lra.
  - intros g h a b -> ->. induction l as [|[w x] t IH]; simpl; [lra|]. rewrite <- IH. ring.
  - intros g a y ->. induction l as [|[w x] t IH]; simpl; [ring|]. rewrite <- IH. ring.
  - intros g a b -> ->. reflexivity.
Qed.

(** The score of eq 12 at distance s: a = theta D amplitude coordinates, D - a phase coordinates. *)
Definition inner {X} (q k : @token X) (w : X) (a m : nat) : R := total (fun d => q (a + d)%nat w * k (a + d)%nat w) m.
Definition tapa {X} (D a : nat) (alpha s : R) (q k : @token X) (w : X) : R :=
  inner q k w 0 a / sqrt (INR a) * cos (2 * PI * Rpower s alpha * inner q k w a (D - a) / sqrt (INR (D - a))).
Definition variance {X} (l : law X) (g : X -> R) : R := E l (fun w => g w ^ 2) - E l g ^ 2.

(** (15): the lower limit of the variance, over whole distances, is at least sigma_0^2/2. *)
Definition eq_15 {X} (l : law X) (D a : nat) (alpha sigma : R) (q k : @token X) : Prop :=
  forall eps, 0 < eps -> exists N, forall s : nat, (N <= s)%nat -> (0 < s)%nat ->
  variance l (tapa D a alpha (INR s) q k) >= sigma ^ 2 / 2 - eps.

(** claim: thm-3.3, whole, refuted
    As stated, for every even D, every split and every power: the certain tokens q = k = (1, ..., 1) meet Assumption 2.1 with
    mu_0 = 2, nu_0 = 0, sigma_0 = 1, and their variance is 0 at every distance. *)
Theorem theorem_3_3_refuted : forall n a alpha, (0 < a)%nat -> (a < 2 * n)%nat -> let l := [(1, tt)] in
  let one := fun (_ : nat) (_ : unit) => 1 in
  probability l /\ assumption_2_1 (law_mean l) n one one 2 0 1 /\ ~ eq_15 l (2 * n) a alpha 1 one one.
Proof.
  intros n a alpha Ha Hn l one. split; [|split].
  - split; [|simpl; ring]. intros w x [H|[]]. injection H as <- _. lra.
  - unfold assumption_2_1, A_of, B_of, law_mean, l, one. repeat split; intros; simpl; ring.
  - intros H. destruct (H (1 / 4) ltac:(lra)) as [N HN]. specialize (HN (S N) ltac:(lia) ltac:(lia)).
    unfold variance, l in HN. cbn [E] in HN. set (x := tapa (2 * n) a alpha (INR (S N)) one one tt) in HN. nra.
Qed.

(** The same with random tokens and one amplitude coordinate, so without cross terms: q_0 and k_0 are +-1/2 by fair coins,
    q_1 = k_1 = 1/2, D = 2, alpha = 1. At odd distances the score is 0. *)
Definition coins : law (R * R) := [(/ 4, (1, 1)); (/ 4, (1, -1)); (/ 4, (-1, 1)); (/ 4, (-1, -1))].
Theorem theorem_3_3_coins : let q := fun d (w : R * R) => match d with O => fst w / 2 | _ => / 2 end in
  let k := fun d (w : R * R) => match d with O => snd w / 2 | _ => / 2 end in
  probability coins /\ assumption_2_1 (law_mean coins) 1 q k (/ 4) 0 (/ 4) /\ ~ eq_15 coins 2 1 1 (/ 4) q k.
Proof.
  intros q k. split; [|split].
  - split; [|simpl; lra]. intros w x H. repeat (destruct H as [H|H]; [injection H as <- _; lra|]). destruct H.
  - unfold assumption_2_1, A_of, B_of, law_mean, coins, q, k. split; [|split]; intros d Hd;
      destruct d as [|[|d]]; try lia; simpl; field.
  - intros H. destruct (H (/ 64) ltac:(lra)) as [N HN]. specialize (HN (2 * N + 1)%nat ltac:(lia) ltac:(lia)).
    assert (Z : forall w, tapa 2 1 1 (INR (2 * N + 1)) q k w = 0).
    { intros w. unfold tapa, inner, q, k. simpl (2 - 1)%nat. simpl INR at 3. cbn [total Nat.add].
      rewrite sqrt_1, Rpower_1 by (apply lt_0_INR; lia). rewrite plus_INR, mult_INR. simpl (INR 2). simpl (INR 1).
      match goal with |- _ * cos ?y = 0 => replace y with (PI / 2 + INR N * PI) by field end.
      assert (C : cos (PI / 2 + INR N * PI) = 0); [|rewrite C; ring].
      clear. induction N as [|N IH]; [simpl; rewrite Rmult_0_l, Rplus_0_r; apply cos_PI2|].
      rewrite S_INR. replace (PI / 2 + (INR N + 1) * PI) with (PI / 2 + INR N * PI + PI) by ring. rewrite neg_cos, IH. ring. }
    unfold variance, coins in HN. cbn [E] in HN. rewrite !Z in HN. simpl in HN. lra.
Qed.

(** The four signs of q = (q0, q1) and k = (k0, k1): q1 = s q0 and k1 = u k0 with s of mean r and u of mean -r, all independent. *)
Definition signs (r : R) : law (R * R * R * R) :=
  flat_map (fun a => flat_map (fun b => flat_map (fun s => map (fun u =>
    (/ 4 * ((1 + s * r) / 2) * ((1 - u * r) / 2), (a, a * s, b, b * u))) [1; -1]) [1; -1]) [1; -1]) [1; -1].
Definition sign_q (d : nat) (x : R * R * R * R) : R := if Nat.even d then fst (fst (fst x)) else snd (fst (fst x)).
Definition sign_k (d : nat) (x : R * R * R * R) : R := if Nat.even d then snd (fst x) else snd x.

Lemma sign_products r d : E (signs r) (A_of sign_q sign_k d) = 0 /\ E (signs r) (B_of sign_q sign_k d) = 0.
Proof.
  assert (E0 : Nat.even (2 * d) = true) by (rewrite Nat.even_mul; reflexivity).
  assert (E1 : Nat.even (2 * d + 1) = false) by (rewrite Nat.even_add, E0; reflexivity).
  unfold A_of, B_of, sign_q, sign_k. rewrite E0, E1.
  split; unfold signs; simpl; field.
Qed.

(** claim: eq-83, part, refuted
    Under Assumption 2.1 alone, D = 4 and theta D = 2: with 16 outcomes of weights in (0, 1), mu_0 = nu_0 = 0 and sigma_0 = 1, the left
    side is (1 - r^2)/2 for every |r| < 1. The ledger's claim also has a Schwartz density, which no finite law has. *)
Theorem eq_83_refuted : forall r, -1 < r < 1 -> probability (signs r) /\
  assumption_2_1 (law_mean (signs r)) 2 sign_q sign_k 0 0 1 /\
  / (2 * 2) * E (signs r) (fun w => inner sign_q sign_k w 0 2 ^ 2) = (1 - r ^ 2) / 2.
Proof.
  intros r Hr. split; [split|split].
  - intros w x H. unfold signs in H. simpl in H.
    repeat (destruct H as [H|H]; [injection H as <- _; repeat apply Rmult_le_pos; lra|]). destruct H.
  - unfold signs; simpl; field.
  - split; [|split]; intros d Hd; unfold law_mean; symmetry; try apply sign_products.
    unfold sign_q, sign_k. destruct (Nat.even d); unfold signs; simpl; field.
  - unfold inner, sign_q, sign_k, signs; simpl; field.
Qed.
