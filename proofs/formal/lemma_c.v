(** Lemmas C.1 and C.2 as printed. *)
From Coq Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
Open Scope R_scope.
Require Import rope_sums riemann.

(** Eq 26. *)
Definition epsilon (theta0 : R) (n : nat) (lam alpha : R) : R :=
  alpha + 4 * PI * lam * Rpower theta0 alpha / (2 * INR n).

Lemma power_exp theta0 x : Rpower theta0 x = exp (- (- ln theta0 * x)).
Proof. unfold Rpower. f_equal. ring. Qed.

Lemma half_integral u v theta0 n lam alpha : sqrt (u * u + v * v) = 1 -> 0 < theta0 < 1 -> 0 < lam -> 0 < alpha ->
  4 * log_base theta0 < 2 * INR n ->
  Rabs (gamma (2 * PI) u v theta0 n lam - / 2 * RInt (f (2 * PI * lam) (- ln theta0) u v) 0 1) <= epsilon theta0 n lam alpha.
Proof.
  intros R1 Ht Hl Ha HD. destruct (log_base_pos theta0 Ht) as [EL HL]. rewrite EL in HD. pose proof PI_RGT_0.
  assert (Hn : (0 < n)%nat) by (apply INR_lt; simpl; lra).
  rewrite sum_is_wave by exact Hn.
  eapply Rle_trans; [apply riemann_alpha; [|exact HL|exact Hn|exact Ha|exact HD]|].
  - apply Rmult_lt_0_compat; lra.
  - rewrite R1. unfold epsilon. rewrite power_exp. right. assert (0 < INR n) by (apply lt_0_INR; exact Hn). field. lra.
Qed.

(** claim: lem-C.1, whole, proved
    Exactly as printed: theta_0 < 1/10, D > 4L, lambda > 1, and both halves of (25) with epsilon of (26) for every alpha > 0. *)
Theorem lemma_C1 : forall theta0 n lam alpha, 0 < theta0 < 1 / 10 -> 4 * log_base theta0 < 2 * INR n -> 1 < lam -> 0 < alpha ->
  Rabs (C_D theta0 n lam) <= 2 / (theta0 * log_base theta0 * lam * PI) + epsilon theta0 n lam alpha /\
  Rabs (S_D theta0 n lam) <= 2 / log_base theta0 + epsilon theta0 n lam alpha.
Proof.
  intros theta0 n lam alpha Ht HD Hl Ha. assert (Ht1 : 0 < theta0 < 1) by lra.
  pose proof (half_integral 1 0 theta0 n lam alpha r_cos Ht1 ltac:(lra) Ha HD) as HC.
  pose proof (half_integral 0 1 theta0 n lam alpha r_sin Ht1 ltac:(lra) Ha HD) as HS.
  rewrite <- C_D_gamma in HC. rewrite <- S_D_gamma in HS.
  destruct (log_base_pos theta0 Ht1) as [EL HL]. rewrite EL in *. set (L := - ln theta0) in *.
  pose proof PI_RGT_0 as P. assert (HA : 0 < 2 * PI * lam) by (apply Rmult_lt_0_compat; lra).
  assert (P1 : phi (2 * PI * lam) L 1 = 2 * PI * lam * theta0).
  { unfold phi, L. f_equal. rewrite Rmult_1_r, Ropp_involutive, exp_ln; lra. }
  pose proof (int_le _ _ 1 0 HA HL 0 1 ltac:(lra)) as IC. rewrite r_cos, P1 in IC.
  pose proof (sin_int _ _ HA HL 0 1 ltac:(lra)) as IS.
  set (JC := RInt (f (2 * PI * lam) L 1 0) 0 1) in *. set (JS := RInt (f (2 * PI * lam) L 0 1) 0 1) in *.
  assert (I : 0 < / L) by (apply Rinv_0_lt_compat; lra). assert (0 < 2 / (theta0 * L * lam * PI)).
  { apply Rdiv_lt_0_compat; [lra|]. apply Rmult_lt_0_compat; [apply Rmult_lt_0_compat; [apply Rmult_lt_0_compat|]|]; lra. }
  assert (EQ : 2 * 1 / (L * (2 * PI * lam * theta0)) = / 2 * (2 / (theta0 * L * lam * PI))) by (field; repeat split; lra).
  rewrite EQ in IC. split.
  - pose proof (Rabs_triang (C_D theta0 n lam - / 2 * JC) (/ 2 * JC)) as T.
    replace (C_D theta0 n lam - / 2 * JC + / 2 * JC) with (C_D theta0 n lam) in T by ring.
    rewrite (Rabs_mult (/ 2)), (Rabs_pos_eq (/ 2)) in T by lra. lra.
  - pose proof (Rabs_triang (S_D theta0 n lam - / 2 * JS) (/ 2 * JS)) as T.
    replace (S_D theta0 n lam - / 2 * JS + / 2 * JS) with (S_D theta0 n lam) in T by ring.
    rewrite (Rabs_mult (/ 2)), (Rabs_pos_eq (/ 2)) in T by lra. unfold Rdiv in *. lra.
Qed.

(** claim: eq-25, whole, proved
    Equation 25 is lemma C.1. *)
Theorem eq_25 : forall theta0 n lam alpha, 0 < theta0 < 1 / 10 -> 4 * log_base theta0 < 2 * INR n -> 1 < lam -> 0 < alpha ->
  Rabs (C_D theta0 n lam) <= 2 / (theta0 * log_base theta0 * lam * PI) + epsilon theta0 n lam alpha /\
  Rabs (S_D theta0 n lam) <= 2 / log_base theta0 + epsilon theta0 n lam alpha.
Proof. exact lemma_C1. Qed.

(** claim: lem-C.2, whole, proved
    Exactly as printed: also lambda theta_0^(e_0) < 1/4 for an e_0 > 0, e_0 >= 1 included; (27) for every alpha > 0. *)
Theorem lemma_C2 : forall theta0 n lam e0 alpha, 0 < theta0 < 1 / 10 -> 4 * log_base theta0 < 2 * INR n -> 1 < lam ->
  0 < e0 -> lam * Rpower theta0 e0 < 1 / 4 -> 0 < alpha ->
  C_D theta0 n lam > / 2 * (1 - e0) * cos (2 * PI * lam * Rpower theta0 e0) - 1 / log_base theta0 - epsilon theta0 n lam alpha.
Proof.
  intros theta0 n lam e0 alpha Ht HD Hl He0 Hq Ha. assert (Ht1 : 0 < theta0 < 1) by lra.
  pose proof (half_integral 1 0 theta0 n lam alpha r_cos Ht1 ltac:(lra) Ha HD) as HC.
  rewrite <- C_D_gamma in HC. destruct (log_base_pos theta0 Ht1) as [EL HL]. rewrite EL in *. set (L := - ln theta0) in *.
  pose proof PI_RGT_0 as P. pose proof PI2_3_2 as P3. assert (HA : 0 < 2 * PI * lam) by (apply Rmult_lt_0_compat; lra).
  assert (HP : PI / 2 <= 2 * PI * lam) by nra.
  assert (PE : phi (2 * PI * lam) L e0 = 2 * PI * lam * Rpower theta0 e0).
  { unfold phi. rewrite power_exp. reflexivity. }
  assert (PQ : phi (2 * PI * lam) L e0 < PI / 2) by (rewrite PE; nra).
  assert (PP : 0 < phi (2 * PI * lam) L e0) by (apply phi_pos; exact HA).
  rewrite <- PE. set (y := phi (2 * PI * lam) L e0) in *. set (g := f (2 * PI * lam) L 1 0) in *.
  assert (Hy : 0 < cos y) by (apply cos_gt_0; lra).
  assert (I : 0 < / L) by (apply Rinv_0_lt_compat; lra).
  assert (S : 4 / (PI * L) < 2 / L).
  { unfold Rdiv. rewrite Rinv_mult. assert (/ PI < / 2) by (apply Rinv_lt_contravar; lra). nra. }
  apply Rabs_le_between in HC.
  assert (M : (1 - e0) * cos y - 2 / L < RInt g 0 1).
  { destruct (Rle_or_lt e0 1) as [W|W].
    - unfold g. rewrite (f_chasles _ _ 1 0 0 e0 1). pose proof (cos_int_all _ _ HA HL e0 ltac:(lra) HP).
      pose proof (cos_int_low _ _ HA HL e0 1 y W (Rle_refl _) ltac:(lra)). lra.
    - pose proof (cos_int_all _ _ HA HL 1 ltac:(lra) HP). fold g in H. nra. }
  unfold Rdiv in *. lra.
Qed.

(** claim: eq-27, whole, proved
    Equation 27 is lemma C.2. *)
Theorem eq_27 : forall theta0 n lam e0 alpha, 0 < theta0 < 1 / 10 -> 4 * log_base theta0 < 2 * INR n -> 1 < lam ->
  0 < e0 -> lam * Rpower theta0 e0 < 1 / 4 -> 0 < alpha ->
  C_D theta0 n lam > / 2 * (1 - e0) * cos (2 * PI * lam * Rpower theta0 e0) - 1 / log_base theta0 - epsilon theta0 n lam alpha.
Proof. exact lemma_C2. Qed.
