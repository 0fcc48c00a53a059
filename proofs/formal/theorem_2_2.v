(** Theorem 2.2: refuted as stated, refuted with one D for all far distances, and proved as repaired with explicit constants. *)
From Coq Require Import Reals Lra Lia Psatz.
From Coquelicot Require Import Coquelicot.
Open Scope R_scope.
Require Import rope_sums riemann lemma_c recurrence.

Definition sgn (x : R) : R := if Rlt_dec 0 x then 1 else if Rlt_dec x 0 then -1 else 0.
Definition near_range (theta0 lam : R) : Prop := 1 < Rabs lam /\ Rabs lam < Rpower theta0 (- (1 / 4)) / 8.
Definition far_range (theta0 Lam : R) : Prop := / theta0 < Rabs Lam.
(** (7) by eq 18: the left side is sgn mu_0 (Gamma_lambda - Gamma_Lambda), [mean_gap]. *)
Definition eq_7 (mu nu theta0 : R) (n : nat) (lam Lam : R) : Prop :=
  sgn mu * (gamma (2 * PI) mu nu theta0 n lam - gamma (2 * PI) mu nu theta0 n Lam) > Rabs mu / 8.
(** What D -> infinity leaves of Gamma. *)
Definition gamma_limit (c mu nu theta0 lam : R) : R :=
  / 2 * RInt (fun x => mu * cos (c * lam * Rpower theta0 x) + nu * sin (c * lam * Rpower theta0 x)) 0 1.

Lemma sgn_mult x : sgn x * x = Rabs x.
Proof.
  unfold sgn. destruct (Rlt_dec 0 x); [rewrite Rabs_pos_eq; lra|].
  destruct (Rlt_dec x 0); [rewrite Rabs_left; lra|]. replace x with 0 by lra. rewrite Rabs_R0. ring.
Qed.
Lemma sgn_le x : Rabs (sgn x) <= 1.
Proof. unfold sgn. destruct (Rlt_dec 0 x); [|destruct (Rlt_dec x 0)]; apply Rabs_le; lra. Qed.

Lemma RInt_same (g h : R -> R) : (forall x, g x = h x) -> RInt g 0 1 = RInt h 0 1.
Proof. intros H. apply RInt_ext. intros x _. apply H. Qed.

Lemma limit_wave c mu nu theta0 lam : gamma_limit c mu nu theta0 lam = / 2 * RInt (f (c * lam) (- ln theta0) mu nu) 0 1.
Proof. unfold gamma_limit. f_equal. apply RInt_same. intros x. unfold f, phi. rewrite power_exp. reflexivity. Qed.

Lemma limit_parts c mu nu theta0 lam :
  gamma_limit c mu nu theta0 lam = mu * gamma_limit c 1 0 theta0 lam + nu * gamma_limit c 0 1 theta0 lam.
Proof.
  rewrite !limit_wave. set (F := f (c * lam) (- ln theta0)).
  assert (I : forall u v, ex_RInt (F u v) 0 1) by (intros; apply f_int).
  assert (S : RInt (fun x => mu * F 1 0 x + nu * F 0 1 x) 0 1 = mu * RInt (F 1 0) 0 1 + nu * RInt (F 0 1) 0 1).
  { apply is_RInt_unique. apply (is_RInt_plus (fun x => mu * F 1 0 x) (fun x => nu * F 0 1 x)).
    - apply (is_RInt_scal (F 1 0)). apply (@RInt_correct R_CompleteNormedModule), I.
    - apply (is_RInt_scal (F 0 1)). apply (@RInt_correct R_CompleteNormedModule), I. }
  replace (RInt (F mu nu) 0 1) with (RInt (fun x => mu * F 1 0 x + nu * F 0 1 x) 0 1); [rewrite S; ring|].
  apply RInt_same. intros x. unfold F, f. ring.
Qed.

Lemma limit_neg c mu nu theta0 lam : gamma_limit c mu nu theta0 (- lam) = gamma_limit c mu (- nu) theta0 lam.
Proof.
  unfold gamma_limit. f_equal. apply RInt_same. intros x.
  replace (c * - lam * Rpower theta0 x) with (- (c * lam * Rpower theta0 x)) by ring. rewrite cos_neg, sin_neg. ring.
Qed.

(** The Riemann error at any D, base and distance other than 0. *)
Lemma riemann_any c mu nu theta0 n lam : 0 < c -> 0 < theta0 < 1 -> (0 < n)%nat -> lam <> 0 ->
  Rabs (gamma c mu nu theta0 n lam - gamma_limit c mu nu theta0 lam)
  <= sqrt (mu * mu + nu * nu) * (c * Rabs lam) / (2 * INR n).
Proof.
  intros Hc Ht Hn. destruct (log_base_pos theta0 Ht) as [_ HL].
  assert (P : forall v x, 0 < x -> Rabs (gamma c mu v theta0 n x - gamma_limit c mu v theta0 x)
    <= sqrt (mu * mu + v * v) * (c * x) / (2 * INR n)).
  { intros v x Hx. rewrite sum_is_wave, limit_wave by exact Hn. apply riemann_plain; [|exact HL|exact Hn].
    apply Rmult_lt_0_compat; assumption. }
  intros Hl. destruct (Rtotal_order lam 0) as [Q|[Q|Q]]; [|contradiction|rewrite (Rabs_pos_eq lam) by lra; apply P; exact Q].
  rewrite (Rabs_left lam) by exact Q. rewrite <- (Ropp_involutive lam) at 1 2. rewrite gamma_neg, limit_neg.
  replace (nu * nu) with (- nu * - nu) by ring. apply P. lra.
Qed.

(** The Riemann sum itself tends to the limit, for either sign of the distance. *)
Lemma gamma_tends c mu nu theta0 lam : 0 < c -> 0 < theta0 < 1 -> lam <> 0 ->
  is_lim_seq (fun n => gamma c mu nu theta0 (S n) lam) (gamma_limit c mu nu theta0 lam).
Proof.
  intros Hc Ht Hl. apply is_lim_seq_spec. intros [eps He]. simpl.
  set (K := sqrt (mu * mu + nu * nu) * (c * Rabs lam)).
  assert (HK : 0 <= K).
  { unfold K. apply Rmult_le_pos; [apply sqrt_pos|]. apply Rmult_le_pos; [lra|apply Rabs_pos]. }
  exists (Z.to_nat (up (K / eps))). intros n Hn.
  eapply Rle_lt_trans; [apply riemann_any; (assumption || lia)|]. fold K.
  assert (N : 0 < INR (S n)) by (apply lt_0_INR; lia).
  destruct (archimed (K / eps)) as [U _]. assert (KE : 0 <= K / eps) by (apply Rmult_le_pos; [lra|left; apply Rinv_0_lt_compat; lra]).
  assert (Z0 : (0 <= up (K / eps))%Z) by (apply le_IZR; lra).
  assert (K / eps < INR (S n)).
  { apply Rlt_le_trans with (1 := U). rewrite S_INR, INR_IZR_INZ. apply Rle_trans with (IZR (Z.of_nat n)); [apply IZR_le; lia|lra]. }
  apply (Rmult_lt_reg_r (2 * INR (S n))); [lra|]. replace (K / (2 * INR (S n)) * (2 * INR (S n))) with K by (field; lra).
  apply (Rmult_lt_compat_r eps) in H; [|lra]. replace (K / eps * eps) with K in H by (field; lra). nra.
Qed.

Lemma pi_bounds : 3 < PI <= 4.
Proof. pose proof PI2_3_2. pose proof PI_4. lra. Qed.

Lemma near_waves theta0 lam : 0 < theta0 < 1 -> 1 < lam -> lam * Rpower theta0 (1 / 4) < 1 / 8 ->
  3 / 8 - 19 / 24 / (- ln theta0) <= gamma_limit (2 * PI) 1 0 theta0 lam /\
  Rabs (gamma_limit (2 * PI) 0 1 theta0 lam) <= 3 / 2 / (- ln theta0).
Proof.
  intros Ht Hl Hq. destruct (log_base_pos theta0 Ht) as [_ HL]. rewrite !limit_wave. set (L := - ln theta0) in *.
  destruct pi_bounds as [P3 P4]. assert (HA : 0 < 2 * PI * lam) by nra.
  assert (I : 0 < / L) by (apply Rinv_0_lt_compat; lra). split.
  - rewrite (f_chasles _ _ 1 0 0 (1 / 4) 1).
    pose proof (cos_int_all _ _ HA HL (1 / 4) ltac:(lra) ltac:(nra)) as F.
    pose proof (cos_int_small (2 * PI * lam) L HL (1 / 4) 1 ltac:(lra)) as S.
    assert (Y : 0 <= phi (2 * PI * lam) L (1 / 4) <= 1).
    { split; [left; apply phi_pos; exact HA|]. unfold phi, L. rewrite <- power_exp. nra. }
    set (y := phi (2 * PI * lam) L (1 / 4)) in *.
    assert (Y1 : y * y / (4 * L) <= 1 / 4 * / L).
    { replace (y * y / (4 * L)) with (y * y * (1 / 4) * / L) by (field; lra). apply Rmult_le_compat_r; nra. }
    assert (Y2 : 4 / (PI * L) <= 4 / 3 * / L).
    { replace (4 / (PI * L)) with (4 * / PI * / L) by (field; lra). apply Rmult_le_compat_r; [lra|].
      assert (/ PI <= / 3) by (apply Rinv_le_contravar; lra). lra. }
    replace (19 / 24 / L) with (19 / 24 * / L) by reflexivity. lra.
  - pose proof (sin_int _ _ HA HL 0 1 ltac:(lra)) as S. rewrite Rabs_mult, (Rabs_pos_eq (/ 2)) by lra. unfold Rdiv in *. lra.
Qed.

Lemma far_waves theta0 Lam : 0 < theta0 < 1 -> / theta0 < Lam ->
  Rabs (gamma_limit (2 * PI) 1 0 theta0 Lam) <= 1 / 6 / (- ln theta0) /\
  Rabs (gamma_limit (2 * PI) 0 1 theta0 Lam) <= 1 / 6 / (- ln theta0).
Proof.
  intros Ht Hl. destruct (log_base_pos theta0 Ht) as [_ HL]. rewrite !limit_wave. set (L := - ln theta0) in *.
  destruct pi_bounds as [P3 P4]. assert (T : 0 < / theta0) by (apply Rinv_0_lt_compat; lra).
  assert (HA : 0 < 2 * PI * Lam) by (apply Rmult_lt_0_compat; lra).
  assert (X : 1 < Lam * theta0).
  { apply (Rmult_lt_compat_r theta0) in Hl; [|lra]. rewrite Rinv_l in Hl; lra. }
  assert (P1 : 6 <= phi (2 * PI * Lam) L 1).
  { unfold phi, L. rewrite Rmult_1_r, Ropp_involutive, exp_ln by lra. rewrite Rmult_assoc. nra. }
  assert (B : 2 * 1 / (L * phi (2 * PI * Lam) L 1) <= 1 / 3 * / L).
  { replace (1 / 3 * / L) with (2 * 1 * / (L * 6)) by (field; lra). unfold Rdiv. apply Rmult_le_compat_l; [lra|].
    apply Rinv_le_contravar; [lra|]. apply Rmult_le_compat_l; lra. }
  pose proof (int_le _ _ 1 0 HA HL 0 1 ltac:(lra)) as C. rewrite r_cos in C.
  pose proof (int_le _ _ 0 1 HA HL 0 1 ltac:(lra)) as S. rewrite r_sin in S.
  split; rewrite Rabs_mult, (Rabs_pos_eq (/ 2)) by lra; unfold Rdiv in *; lra.
Qed.

Lemma by_sign mu nu theta0 lam : exists v, Rabs v = Rabs nu /\
  gamma_limit (2 * PI) mu nu theta0 lam = gamma_limit (2 * PI) mu v theta0 (Rabs lam).
Proof.
  destruct (Rle_or_lt 0 lam) as [Q|Q]; [exists nu; rewrite (Rabs_pos_eq lam) by lra; auto|].
  exists (- nu). rewrite Rabs_Ropp, (Rabs_left lam), <- limit_neg, Ropp_involutive by lra. auto.
Qed.

Lemma times_le s x b : Rabs s <= 1 -> Rabs x <= b -> - b <= s * x <= b.
Proof.
  intros Hs Hx. apply Rabs_le_between. rewrite Rabs_mult. pose proof (Rabs_pos s). pose proof (Rabs_pos x). nra.
Qed.

(** claim: thm-2.2.limit, part, proved
    The limit D -> infinity in turns, all signs of the distances and every mu_0, nu_0: at least
    3/8 |mu_0| - (|mu_0| + 2 |nu_0|)/L. The ledger's constants are sharper, 0.2575 and 0.9138 for 1 and 2, and it has radians too. *)
Theorem theorem_2_2_limit : forall mu nu theta0 lam Lam, 0 < theta0 < 1 -> near_range theta0 lam -> far_range theta0 Lam ->
  is_lim_seq (fun n => gamma (2 * PI) mu nu theta0 (S n) lam) (gamma_limit (2 * PI) mu nu theta0 lam) /\
  is_lim_seq (fun n => gamma (2 * PI) mu nu theta0 (S n) Lam) (gamma_limit (2 * PI) mu nu theta0 Lam) /\
  3 / 8 * Rabs mu - (Rabs mu + 2 * Rabs nu) / log_base theta0
  <= sgn mu * (gamma_limit (2 * PI) mu nu theta0 lam - gamma_limit (2 * PI) mu nu theta0 Lam).
Proof.
  intros mu nu theta0 lam Lam Ht [N1 N2] Hf. pose proof pi_bounds. unfold far_range in Hf.
  assert (T : 0 < / theta0) by (apply Rinv_0_lt_compat; lra).
  split; [apply gamma_tends; [lra|exact Ht|]|split; [apply gamma_tends; [lra|exact Ht|]|]].
  { intros E. rewrite E, Rabs_R0 in N1. lra. }
  { intros E. rewrite E, Rabs_R0 in Hf. lra. }
  destruct (log_base_pos theta0 Ht) as [-> HL].
  destruct (by_sign mu nu theta0 lam) as [v [V ->]]. destruct (by_sign mu nu theta0 Lam) as [w [W ->]].
  assert (Q : Rabs lam * Rpower theta0 (1 / 4) < 1 / 8).
  { assert (E : Rpower theta0 (- (1 / 4)) * Rpower theta0 (1 / 4) = 1).
    { rewrite <- Rpower_plus, Rplus_opp_l. apply Rpower_O. lra. }
    assert (0 < Rpower theta0 (1 / 4)) by apply exp_pos.
    apply (Rmult_lt_compat_r (Rpower theta0 (1 / 4))) in N2; [|assumption].
    replace (Rpower theta0 (- (1 / 4)) / 8 * Rpower theta0 (1 / 4)) with (Rpower theta0 (- (1 / 4)) * Rpower theta0 (1 / 4) / 8) in N2 by field.
    rewrite E in N2. exact N2. }
  destruct (near_waves theta0 (Rabs lam) Ht N1 Q) as [NC NS].
  destruct (far_waves theta0 (Rabs Lam) Ht Hf) as [FC FS].
  rewrite (limit_parts _ mu v), (limit_parts _ mu w). set (L := - ln theta0) in *.
  set (cn := gamma_limit (2 * PI) 1 0 theta0 (Rabs lam)) in *. set (sn := gamma_limit (2 * PI) 0 1 theta0 (Rabs lam)) in *.
  set (cf := gamma_limit (2 * PI) 1 0 theta0 (Rabs Lam)) in *. set (sf := gamma_limit (2 * PI) 0 1 theta0 (Rabs Lam)) in *.
  replace (sgn mu * (mu * cn + v * sn - (mu * cf + w * sf))) with (sgn mu * mu * (cn - cf) + sgn mu * (v * sn - w * sf)) by ring.
  rewrite sgn_mult. pose proof (Rabs_pos mu) as M. pose proof (Rabs_pos nu) as U.
  assert (I : 0 < / L) by (apply Rinv_0_lt_compat; lra).
  assert (S : Rabs (v * sn - w * sf) <= Rabs nu * (5 / 3 * / L)).
  { unfold Rminus. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp, !Rabs_mult, V, W.
    apply (Rmult_le_compat_l (Rabs nu)) in NS; [|exact U]. apply (Rmult_le_compat_l (Rabs nu)) in FS; [|exact U].
    unfold Rdiv in *. nra. }
  apply (times_le (sgn mu) _ _ (sgn_le mu)) in S. apply Rabs_le_between in FC.
  assert (C : Rabs mu * (3 / 8 - 23 / 24 * / L) <= Rabs mu * (cn - cf)).
  { apply Rmult_le_compat_l; [exact M|]. unfold Rdiv in *. lra. }
  replace ((Rabs mu + 2 * Rabs nu) / L) with (Rabs mu * / L + 2 * (Rabs nu * / L)) by (unfold Rdiv; ring).
  assert (0 <= Rabs mu * / L) by (apply Rmult_le_pos; lra). assert (0 <= Rabs nu * / L) by (apply Rmult_le_pos; lra).
  lra.
Qed.

(** claim: thm-2.2*, part, proved
    The repaired theorem at every even D, in turns: the bound of the limit less 2 pi r (|lambda| + |Lambda|)/D. Its constants are
    1 and 2 where the ledger's are 0.2575 and 0.9138, and radians are not in it. *)
Theorem theorem_2_2_repaired : forall mu nu theta0 n lam Lam, 0 < theta0 < 1 -> (0 < n)%nat ->
  near_range theta0 lam -> far_range theta0 Lam ->
  3 / 8 * Rabs mu - (Rabs mu + 2 * Rabs nu) / log_base theta0
    - 2 * PI * sqrt (mu * mu + nu * nu) * (Rabs lam + Rabs Lam) / (2 * INR n)
  <= sgn mu * (gamma (2 * PI) mu nu theta0 n lam - gamma (2 * PI) mu nu theta0 n Lam).
Proof.
  intros mu nu theta0 n lam Lam Ht Hn Hnear Hfar. pose proof pi_bounds as P.
  destruct (theorem_2_2_limit mu nu theta0 lam Lam Ht Hnear Hfar) as [_ [_ B]].
  assert (T : 0 < / theta0) by (apply Rinv_0_lt_compat; lra).
  assert (L0 : lam <> 0) by (intros E; destruct Hnear as [Q _]; rewrite E, Rabs_R0 in Q; lra).
  assert (L1 : Lam <> 0) by (intros E; unfold far_range in Hfar; rewrite E, Rabs_R0 in Hfar; lra).
  pose proof (riemann_any (2 * PI) mu nu theta0 n lam ltac:(lra) Ht Hn L0) as R0.
  pose proof (riemann_any (2 * PI) mu nu theta0 n Lam ltac:(lra) Ht Hn L1) as R1.
  set (g := gamma (2 * PI) mu nu theta0 n lam) in *. set (h := gamma (2 * PI) mu nu theta0 n Lam) in *.
  set (g' := gamma_limit (2 * PI) mu nu theta0 lam) in *. set (h' := gamma_limit (2 * PI) mu nu theta0 Lam) in *.
  assert (E : Rabs ((g - g') - (h - h')) <= 2 * PI * sqrt (mu * mu + nu * nu) * (Rabs lam + Rabs Lam) / (2 * INR n)).
  { unfold Rminus at 1. eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_Ropp. unfold Rdiv in *. lra. }
  apply (times_le (sgn mu) _ _ (sgn_le mu)) in E. lra.
Qed.

(** (7) as the paper reads: the threshold of theta_0 depends on mu_0 and nu_0, and D may depend on the distances. *)
Definition theorem_2_2 (mu nu : R) : Prop :=
  exists t, 0 < t /\ forall theta0, 0 < theta0 < t -> forall lam Lam, near_range theta0 lam -> far_range theta0 Lam ->
  exists n0, forall n, (n0 <= n)%nat -> eq_7 mu nu theta0 n lam Lam.
(** The same with one D for all distances. *)
Definition theorem_2_2_uniform (mu nu : R) : Prop :=
  exists t, 0 < t /\ forall theta0, 0 < theta0 < t -> exists n0, forall n, (n0 <= n)%nat ->
  forall lam Lam, near_range theta0 lam -> far_range theta0 Lam -> eq_7 mu nu theta0 n lam Lam.

(** For mu_0 <> 0 and a D that may depend on the distances the theorem is true: the threshold of L is 4 (1 + 2 |nu_0/mu_0|). *)
Theorem theorem_2_2_true : forall mu nu, mu <> 0 -> theorem_2_2 mu nu.
Proof.
  intros mu nu Hmu. assert (M : 0 < Rabs mu) by (apply Rabs_pos_lt; exact Hmu). pose proof (Rabs_pos nu) as U.
  set (X := 4 * (Rabs mu + 2 * Rabs nu) / Rabs mu). assert (HX : 0 < X) by (apply Rdiv_lt_0_compat; lra).
  exists (exp (- X)). split; [apply exp_pos|]. intros theta0 [T0 T1] lam Lam Hnear Hfar.
  assert (Ht : 0 < theta0 < 1).
  { split; [exact T0|]. apply Rlt_trans with (1 := T1). apply Rlt_le_trans with (2 := Req_le _ _ exp_0). apply exp_increasing. lra. }
  destruct (log_base_pos theta0 Ht) as [EL HL].
  assert (HXL : X < - ln theta0) by (apply ln_increasing in T1; [|exact T0]; rewrite ln_exp in T1; lra).
  set (room := Rabs mu / 4 - (Rabs mu + 2 * Rabs nu) / (- ln theta0)).
  assert (R0 : 0 < room).
  { unfold room. assert ((Rabs mu + 2 * Rabs nu) / (- ln theta0) < Rabs mu / 4); [|lra].
    apply (Rmult_lt_reg_r (- ln theta0)); [exact HL|].
    replace ((Rabs mu + 2 * Rabs nu) / - ln theta0 * - ln theta0) with (Rabs mu + 2 * Rabs nu) by (field; lra).
    apply (Rmult_lt_compat_l (Rabs mu / 4)) in HXL; [|lra].
    replace (Rabs mu / 4 * X) with (Rabs mu + 2 * Rabs nu) in HXL by (unfold X; field; lra). exact HXL. }
  set (K := 2 * PI * sqrt (mu * mu + nu * nu) * (Rabs lam + Rabs Lam)). pose proof pi_bounds as P.
  assert (HK : 0 <= K).
  { unfold K. pose proof (sqrt_pos (mu * mu + nu * nu)). pose proof (Rabs_pos lam). pose proof (Rabs_pos Lam).
    apply Rmult_le_pos; [apply Rmult_le_pos|]; lra. }
  assert (KR : 0 <= K / room) by (apply Rmult_le_pos; [lra|left; apply Rinv_0_lt_compat; lra]).
  exists (S (Z.to_nat (up (K / room)))). intros n Hn.
  assert (HN : K / room < INR n).
  { destruct (archimed (K / room)) as [A _]. assert (0 <= up (K / room))%Z by (apply le_IZR; lra).
    apply Rlt_le_trans with (1 := A). rewrite INR_IZR_INZ. apply IZR_le. lia. }
  assert (N : 0 < INR n) by lra. assert (Hn0 : (0 < n)%nat) by (apply INR_lt; simpl; lra).
  pose proof (theorem_2_2_repaired mu nu theta0 n lam Lam Ht Hn0 Hnear Hfar) as B. fold K in B. rewrite EL in B.
  unfold eq_7. assert (K / (2 * INR n) < room); [|unfold room in *; lra].
  apply (Rmult_lt_reg_r (2 * INR n)); [lra|]. replace (K / (2 * INR n) * (2 * INR n)) with K by (field; lra).
  apply (Rmult_lt_compat_r room) in HN; [|lra]. replace (K / room * room) with K in HN by (field; lra). nra.
Qed.

(** Powers of two: at every small theta_0 the distance 2 is near. *)
Lemma two_is_near theta0 : 0 < theta0 < exp (- 16) -> near_range theta0 2.
Proof.
  intros [T0 T1]. unfold near_range. rewrite Rabs_pos_eq by lra. split; [lra|].
  assert (16 < Rpower theta0 (- (1 / 4))); [|lra]. unfold Rpower.
  apply ln_increasing in T1; [|exact T0]. rewrite ln_exp in T1.
  apply Rlt_le_trans with (exp 4); [|destruct (Req_dec 4 (- (1 / 4) * ln theta0)) as [E|E]; [rewrite <- E; lra|left; apply exp_increasing; lra]].
  assert (E : exp 4 = exp 1 * exp 1 * (exp 1 * exp 1)) by (rewrite <- !exp_plus; f_equal; lra).
  rewrite E. pose proof (exp_ineq1 1 R1_neq_R0). assert (4 < exp 1 * exp 1) by nra. nra.
Qed.

(** claim: thm-2.2, whole, refuted
    As stated, mu_0 = 0 included: (7) then reads 0 > 0. That mu_0 = 0 is allowed shows in [theorem_2_2_coin]. *)
Theorem theorem_2_2_refuted : ~ forall mu nu, theorem_2_2 mu nu.
Proof.
  intros H. destruct (H 0 0) as [t [T0 HT]]. set (theta0 := Rmin t (exp (- 16)) / 2).
  pose proof (exp_pos (- 16)) as E. pose proof (Rmin_l t (exp (- 16))). pose proof (Rmin_r t (exp (- 16))).
  assert (0 < Rmin t (exp (- 16))) by (apply Rmin_glb_lt; assumption).
  assert (T : 0 < / theta0) by (apply Rinv_0_lt_compat; unfold theta0; lra).
  destruct (HT theta0 ltac:(unfold theta0; lra) 2 (/ theta0 + 1)) as [n0 Hn].
  { apply two_is_near. unfold theta0. lra. }
  { unfold far_range. rewrite Rabs_pos_eq; lra. }
  specialize (Hn n0 (le_n _)). unfold eq_7, sgn in Hn. rewrite Rabs_R0 in Hn.
  destruct (Rlt_dec 0 0) as [Q|Q]; [lra|]. lra.
Qed.

(** Tokens that meet Assumption 2.1 with mu_0 = nu_0 = 0 and sigma_0 = 1: one fair coin for all coordinates of q, and k = 1. *)
Definition coin_mean (g : bool -> R) (m : R) : Prop := m = (g true + g false) / 2.
Lemma theorem_2_2_coin n : expectation coin_mean /\
  assumption_2_1 coin_mean n (fun _ w => if w : bool then 1 else -1) (fun _ _ => 1) 0 0 1.
Proof.
  split; [split; unfold coin_mean; intros; subst; lra|].
  unfold assumption_2_1, A_of, B_of, coin_mean. repeat split; intros; simpl; lra.
Qed.

(** claim: thm-2.2.uniform, whole, refuted
    With one D for all far distances it is false for every mu_0 <> 0 and every nu_0, at the distance 2: the near value
    comes back beyond the base. *)
Theorem theorem_2_2_uniform_refuted : forall mu nu, mu <> 0 -> ~ theorem_2_2_uniform mu nu.
Proof.
  intros mu nu Hmu [t [T0 HT]]. assert (M : 0 < Rabs mu) by (apply Rabs_pos_lt; exact Hmu).
  set (theta0 := Rmin t (exp (- 16)) / 2).
  pose proof (exp_pos (- 16)) as E. pose proof (Rmin_l t (exp (- 16))). pose proof (Rmin_r t (exp (- 16))).
  assert (0 < Rmin t (exp (- 16))) by (apply Rmin_glb_lt; assumption).
  assert (T : 0 < / theta0) by (apply Rinv_0_lt_compat; unfold theta0; lra).
  destruct (HT theta0 ltac:(unfold theta0; lra)) as [n0 Hn].
  destruct (returns mu nu theta0 (S n0) 2 (Z.to_nat (up (/ theta0))) (Rabs mu / 8) ltac:(lia) ltac:(lra)) as [k [K1 K2]].
  assert (F : / theta0 < INR k).
  { destruct (archimed (/ theta0)) as [A _]. assert (0 <= up (/ theta0))%Z by (apply le_IZR; lra).
    apply Rlt_le_trans with (1 := A). rewrite INR_IZR_INZ. apply IZR_le. lia. }
  assert (far_range theta0 (2 + INR k)) by (unfold far_range; rewrite Rabs_pos_eq; lra).
  specialize (Hn (S n0) ltac:(lia) 2 (2 + INR k) (two_is_near theta0 ltac:(unfold theta0; lra)) H2).
  unfold eq_7 in Hn. pose proof (times_le (sgn mu) _ _ (sgn_le mu) (Rlt_le _ _ K2)). lra.
Qed.
