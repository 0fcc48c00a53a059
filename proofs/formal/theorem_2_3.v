(** Theorem 2.3 and eq 8: the gap between a fixed near and a fixed far distance closes. *)
From Coq Require Import Reals Lra Lia Psatz.
Open Scope R_scope.
Require Import rope_sums.

(** The primitive of min(2, 2 e^{-L(x-x0)}): twice x up to x0, then an exponential that flattens out. *)
Definition G (L x0 x : R) : R :=
  if Rle_dec x x0 then 2 * x else 2 * x0 + 2 / L * (1 - exp (- (L * (x - x0)))).

Lemma exp_step L t : 0 < L -> 0 <= t -> t * exp (- (L * t)) <= / L * (1 - exp (- (L * t))).
Proof.
  intros HL Ht. assert (1 + L * t <= exp (L * t)).
  { destruct (Req_dec (L * t) 0) as [E|E]; [rewrite E, exp_0; lra|]. left; apply exp_ineq1; exact E. }
  assert (exp (L * t) * exp (- (L * t)) = 1) by (rewrite <- exp_plus, Rplus_opp_r; apply exp_0).
  pose proof (exp_pos (- (L * t))).
  apply (Rmult_le_reg_l L); [exact HL|]. rewrite <- Rmult_assoc, <- Rmult_assoc, Rinv_r by lra. nra.
Qed.

Lemma step_le L x0 x s : 0 < L -> 0 <= s ->
  s * Rmin 2 (2 * exp (- (L * (x + s - x0)))) <= G L x0 (x + s) - G L x0 x.
Proof.
  intros HL Hs. unfold G.
  destruct (Rle_dec (x + s) x0) as [A|A]; destruct (Rle_dec x x0) as [B|B]; try lra.
  - pose proof (Rmin_l 2 (2 * exp (- (L * (x + s - x0))))). nra.
  - set (t := x + s - x0). assert (0 < t) by (unfold t; lra).
    pose proof (exp_step L t HL ltac:(lra)) as E.
    pose proof (Rmin_r 2 (2 * exp (- (L * t)))). pose proof (Rmin_l 2 (2 * exp (- (L * t)))).
    replace s with ((x0 - x) + t) by (unfold t; ring).
    unfold Rdiv. nra.
  - set (t := x - x0). replace (x + s - x0) with (t + s) by (unfold t; ring).
    pose proof (exp_step L s HL Hs) as E. pose proof (Rmin_r 2 (2 * exp (- (L * (t + s))))).
    assert (Q : exp (- (L * (t + s))) = exp (- (L * t)) * exp (- (L * s))) by (rewrite <- exp_plus; f_equal; ring).
    pose proof (exp_pos (- (L * t))). pose proof (exp_pos (- (L * s))).
    assert (I : 0 < / L) by (apply Rinv_0_lt_compat; lra).
    assert (K : s * exp (- (L * s)) * exp (L * s) = s).
    { rewrite Rmult_assoc, <- exp_plus, Rplus_opp_l, exp_0; ring. }
    assert (s * (2 * exp (- (L * (t + s)))) <= 2 / L * (exp (- (L * t)) - exp (- (L * (t + s))))).
    { rewrite Q. unfold Rdiv. nra. }
    unfold Rdiv in *. nra.
Qed.

Lemma G_le L x0 x : 0 < L -> G L x0 x <= 2 * x0 + 2 / L.
Proof.
  intros HL. unfold G. assert (I : 0 < / L) by (apply Rinv_0_lt_compat; lra).
  destruct (Rle_dec x x0); unfold Rdiv; [lra|]. pose proof (exp_pos (- (L * (x - x0)))). nra.
Qed.

(** The sum over the pairs: the first is at most 2, the others telescope. *)
Lemma sum_le L x0 s n : 0 < L -> 0 <= x0 -> 0 <= s -> (0 < n)%nat ->
  s * total (fun d => Rmin 2 (2 * exp (- (L * (INR d * s - x0))))) n
  <= 2 * s + G L x0 (INR (n - 1) * s).
Proof.
  intros HL H0 Hs Hn. induction n as [|[|n] IH]; [lia| |].
  - simpl. unfold G. destruct (Rle_dec (0 * s) x0); [|nra].
    pose proof (Rmin_l 2 (2 * exp (- (L * (0 * s - x0))))). nra.
  - specialize (IH ltac:(lia)). cbn [total] in *.
    replace (S n - 1)%nat with n in IH by lia. replace (S (S n) - 1)%nat with (S n) by lia.
    pose proof (step_le L x0 (INR n * s) s HL Hs) as P.
    replace (INR n * s + s) with (INR (S n) * s) in P by (rewrite S_INR; ring).
    rewrite Rmult_plus_distr_l. lra.
Qed.

(** A geometric sum against its integral. *)
Lemma geometric_le L s n : 0 < L -> 0 <= s -> (0 < n)%nat ->
  s * total (fun d => exp (- (L * (INR d * s)))) n <= s + / L * (1 - exp (- (L * (INR (n - 1) * s)))).
Proof.
  intros HL Hs Hn. assert (I : 0 < / L) by (apply Rinv_0_lt_compat; lra).
  induction n as [|[|n] IH]; [lia| |].
  - simpl. rewrite Rmult_0_l, Rmult_0_r, Ropp_0, exp_0. lra.
  - specialize (IH ltac:(lia)). cbn [total] in *.
    replace (S n - 1)%nat with n in IH by lia. replace (S (S n) - 1)%nat with (S n) by lia.
    pose proof (exp_step L s HL Hs) as E. pose proof (exp_pos (- (L * (INR n * s)))) as X.
    assert (Q : exp (- (L * (INR (S n) * s))) = exp (- (L * (INR n * s))) * exp (- (L * s))).
    { rewrite <- exp_plus, S_INR. f_equal. ring. }
    rewrite Rmult_plus_distr_l.
    assert (s * exp (- (L * (INR (S n) * s))) <= / L * (exp (- (L * (INR n * s))) - exp (- (L * (INR (S n) * s))))).
    { rewrite Q. apply (Rmult_le_compat_l (exp (- (L * (INR n * s))))) in E; [|lra]. nra. }
    lra.
Qed.

Lemma pair_distance c lam Lam theta0 n d :
  0 < c -> Rabs (c * lam * freq theta0 n d - c * Lam * freq theta0 n d) = c * Rabs (lam - Lam) * freq theta0 n d.
Proof.
  intros Hc. replace (c * lam * freq theta0 n d - c * Lam * freq theta0 n d) with (c * freq theta0 n d * (lam - Lam)) by ring.
  assert (T : 0 < freq theta0 n d) by apply exp_pos.
  rewrite Rabs_mult, (Rabs_pos_eq (c * freq theta0 n d)) by nra. ring.
Qed.

Lemma gap_linear c mu nu theta0 n lam Lam : 0 < c -> 0 < theta0 < 1 -> (0 < n)%nat ->
  Rabs (gamma c mu nu theta0 n lam - gamma c mu nu theta0 n Lam)
  <= sqrt (mu * mu + nu * nu) * (c * Rabs (lam - Lam)) * (1 / (2 * INR n) + 1 / (2 * log_base theta0)).
Proof.
  intros Hc Ht Hn. destruct (log_base_pos theta0 Ht) as [-> HL]. set (L := - ln theta0) in *.
  set (K := c * Rabs (lam - Lam)). set (r := sqrt (mu * mu + nu * nu)). assert (Hr : 0 <= r) by apply sqrt_pos.
  assert (HK : 0 <= K) by (unfold K; pose proof (Rabs_pos (lam - Lam)); nra).
  assert (N : 0 < INR n) by (apply lt_0_INR; exact Hn). assert (I : 0 < / INR n) by (apply Rinv_0_lt_compat; lra).
  unfold gamma. rewrite <- Rmult_minus_distr_l, total_minus, Rabs_mult.
  rewrite (Rabs_pos_eq (/ (2 * INR n))) by (left; apply Rinv_0_lt_compat; lra).
  assert (B : Rabs (total (fun d => mu * cos (c * lam * freq theta0 n d) + nu * sin (c * lam * freq theta0 n d) -
      (mu * cos (c * Lam * freq theta0 n d) + nu * sin (c * Lam * freq theta0 n d))) n)
    <= r * K * total (fun d => exp (- (L * (INR d * / INR n)))) n).
  { rewrite <- total_scal. apply total_abs. intros d _. eapply Rle_trans; [apply pair_lipschitz|]. fold r.
    rewrite pair_distance by exact Hc. fold K. rewrite freq_theta by exact Hn. unfold theta. fold L.
    right. unfold Rdiv. ring. }
  pose proof (geometric_le L (/ INR n) n HL ltac:(lra) Hn) as S.
  set (T := total (fun d => exp (- (L * (INR d * / INR n)))) n) in *.
  pose proof (exp_pos (- (L * (INR (n - 1) * / INR n)))).
  assert (IL : 0 < / L) by (apply Rinv_0_lt_compat; lra).
  assert (U : / INR n * T <= / INR n + / L) by nra.
  replace (/ (2 * INR n)) with (/ 2 * / INR n) by (field; lra).
  replace (1 / (2 * INR n) + 1 / (2 * L)) with (/ 2 * (/ INR n + / L)) by (field; lra).
  apply Rle_trans with (/ 2 * / INR n * (r * K * T)); [apply Rmult_le_compat_l; [lra|exact B]|].
  replace (/ 2 * / INR n * (r * K * T)) with (r * K * (/ 2 * (/ INR n * T))) by ring.
  apply Rmult_le_compat_l; [apply Rmult_le_pos; assumption|lra].
Qed.

Lemma gap_log c mu nu theta0 n lam Lam : 0 < c -> 0 < theta0 < 1 -> (0 < n)%nat -> 2 <= c * Rabs (lam - Lam) ->
  Rabs (gamma c mu nu theta0 n lam - gamma c mu nu theta0 n Lam)
  <= sqrt (mu * mu + nu * nu) * (2 / (2 * INR n) + (1 + ln (c * Rabs (lam - Lam) / 2)) / log_base theta0).
Proof.
  intros Hc Ht Hn Hd. destruct (log_base_pos theta0 Ht) as [-> HL]. set (L := - ln theta0) in *.
  set (K := c * Rabs (lam - Lam)) in *.
  set (r := sqrt (mu * mu + nu * nu)). assert (Hr : 0 <= r) by apply sqrt_pos.
  assert (N : 0 < INR n) by (apply lt_0_INR; exact Hn).
  set (x0 := ln (K / 2) / L).
  assert (Hx0 : 0 <= x0).
  { unfold x0. apply Rmult_le_pos; [|left; apply Rinv_0_lt_compat; lra].
    rewrite <- ln_1. destruct (Req_dec K 2) as [E|E]; [rewrite E; right; f_equal; lra|].
    left; apply ln_increasing; lra. }
  unfold gamma. rewrite <- Rmult_minus_distr_l, total_minus, Rabs_mult.
  rewrite (Rabs_pos_eq (/ (2 * INR n))) by (left; apply Rinv_0_lt_compat; lra).
  assert (B : Rabs (total (fun d => mu * cos (c * lam * freq theta0 n d) + nu * sin (c * lam * freq theta0 n d) -
      (mu * cos (c * Lam * freq theta0 n d) + nu * sin (c * Lam * freq theta0 n d))) n)
    <= r * total (fun d => Rmin 2 (2 * exp (- (L * (INR d * / INR n - x0))))) n).
  { rewrite <- total_scal. apply total_abs. intros d _. eapply Rle_trans; [apply pair_le|]. fold r.
    apply Rmult_le_compat_l; [exact Hr|]. right. f_equal.
    rewrite pair_distance by exact Hc. fold K. rewrite freq_theta by exact Hn. fold L.
    replace (- (L * (INR d * / INR n - x0))) with (- (L * (INR d / INR n)) + ln (K / 2)).
    2:{ unfold x0. field. lra. }
    rewrite exp_plus, exp_ln by lra. fold (theta L n d). field. }
  pose proof (sum_le L x0 (/ INR n) n HL Hx0 ltac:(left; apply Rinv_0_lt_compat; lra) Hn) as S.
  pose proof (G_le L x0 (INR (n - 1) * / INR n) HL) as U.
  set (T := total (fun d => Rmin 2 (2 * exp (- (L * (INR d * / INR n - x0))))) n) in *.
  assert (/ INR n * T <= 2 * / INR n + 2 * x0 + 2 / L) by lra.
  replace (/ (2 * INR n)) with (/ 2 * / INR n) by (field; lra).
  replace (2 / (2 * INR n) + (1 + ln (K / 2)) / L) with (/ 2 * (2 * / INR n + 2 * x0 + 2 / L)).
  2:{ unfold x0. field. lra. }
  assert (I : 0 < / INR n) by (apply Rinv_0_lt_compat; lra).
  nra.
Qed.

(** claim: eq-8, whole, proved
    For every even D, every base, all distances lambda and Lambda and either convention of angles, both bounds of the
    gap, and the explicit thresholds of D and of the base, chosen independently of each other, from which (8) holds. *)
Theorem eq_8 : forall c mu nu theta0 n lam Lam, 0 < c -> 0 < theta0 < 1 -> (0 < n)%nat ->
  let r := sqrt (mu * mu + nu * nu) in let D := 2 * INR n in let delta := Rabs (lam - Lam) in
  let gap := Rabs (gamma c mu nu theta0 n lam - gamma c mu nu theta0 n Lam) in
  gap <= r * (c * delta) * (1 / D + 1 / (2 * log_base theta0)) /\
  (2 <= c * delta -> gap <= r * (2 / D + (1 + ln (c * delta / 2)) / log_base theta0)) /\
  (2 <= c * delta -> forall eps, 0 < eps -> 4 * r / eps < D -> Rpower (exp 1 * (c * delta / 2)) (2 * r / eps) < / theta0 ->
    gap < eps).
Proof.
  intros c mu nu theta0 n lam Lam Hc Ht Hn r D delta gap. split; [apply gap_linear; assumption|].
  split; [intros; apply gap_log; assumption|]. intros Hd eps He HD Hb.
  pose proof (gap_log c mu nu theta0 n lam Lam Hc Ht Hn Hd) as G0. fold gap r D delta in G0.
  destruct (log_base_pos theta0 Ht) as [EL HL]. rewrite EL in G0. set (L := - ln theta0) in *.
  assert (Hr : 0 <= r) by apply sqrt_pos. assert (N : 0 < D) by (unfold D; apply lt_0_INR in Hn; lra).
  destruct (Rle_lt_or_eq_dec 0 r Hr) as [P|P].
  2:{ rewrite <- P in G0. lra. }
  assert (B : 2 * r / eps * (1 + ln (c * delta / 2)) < L).
  { replace (/ theta0) with (exp L) in Hb.
    2:{ unfold L. rewrite exp_Ropp, exp_ln; [reflexivity|apply Ht]. }
    apply exp_lt_inv in Hb. assert (0 < c * delta / 2) by (clearbody delta; lra).
    rewrite ln_mult in Hb; [|apply exp_pos|assumption]. rewrite ln_exp in Hb. exact Hb. }
  assert (X1 : r * (2 / D) < eps / 2).
  { apply (Rmult_lt_reg_r D); [exact N|]. apply (Rmult_lt_compat_r (eps / 2)) in HD; [|lra].
    replace (4 * r / eps * (eps / 2)) with (2 * r) in HD by (field; lra).
    replace (r * (2 / D) * D) with (2 * r) by (field; lra). lra. }
  assert (X2 : r * ((1 + ln (c * delta / 2)) / L) < eps / 2).
  { apply (Rmult_lt_reg_r L); [exact HL|]. apply (Rmult_lt_compat_r (eps / 2)) in B; [|lra].
    replace (2 * r / eps * (1 + ln (c * delta / 2)) * (eps / 2)) with (r * (1 + ln (c * delta / 2))) in B by (field; lra).
    replace (r * ((1 + ln (c * delta / 2)) / L) * L) with (r * (1 + ln (c * delta / 2))) by (field; lra). lra. }
  lra.
Qed.

(** claim: thm-2.3, whole, proved
    Under Assumption 2.1, for any epsilon and any two pairs of positions, (8) holds for all small theta_0 and all large D;
    the two thresholds do not depend on each other, nor on the law of the tokens beyond mu_0 and nu_0. *)
Theorem theorem_2_3 : forall c mu nu eps, 0 < c -> 0 < eps -> forall m l m' l' : nat,
  exists n0 t0, 0 < t0 /\ forall n theta0, (n0 <= n)%nat -> 0 < theta0 < t0 ->
  forall Omega (mean : (Omega -> R) -> R -> Prop) q k q' k' sigma e e', expectation mean ->
  assumption_2_1 mean n q k mu nu sigma -> assumption_2_1 mean n q' k' mu nu sigma ->
  mean (score c theta0 n (INR m - INR l) q k) e -> mean (score c theta0 n (INR m' - INR l') q' k') e' ->
  / sqrt (2 * INR n) * Rabs (e - e') < eps.
Proof.
  intros c mu nu eps Hc He m l m' l'. set (lam := INR m - INR l). set (Lam := INR m' - INR l').
  set (r := sqrt (mu * mu + nu * nu)). assert (Hr : 0 <= r) by apply sqrt_pos.
  set (K := r * (c * Rabs (lam - Lam))).
  assert (HK : 0 <= K) by (unfold K; pose proof (Rabs_pos (lam - Lam)); apply Rmult_le_pos; nra).
  assert (HKe : 0 <= K / eps) by (apply Rmult_le_pos; [lra|left; apply Rinv_0_lt_compat; lra]).
  exists (S (Z.to_nat (up (K / eps)))), (exp (- (K / eps + 1))). split; [apply exp_pos|].
  intros n theta0 Hn [Ht0 Ht] Omega mean q k q' k' sigma e e' X H H' E E'.
  assert (Ht1 : 0 < theta0 < 1).
  { split; [exact Ht0|]. apply Rlt_trans with (1 := Ht). apply Rlt_le_trans with (2 := Req_le _ _ exp_0). apply exp_increasing. lra. }
  destruct (log_base_pos theta0 Ht1) as [EL HL].
  assert (HL1 : K / eps < - ln theta0).
  { apply ln_increasing in Ht; [|exact Ht0]. rewrite ln_exp in Ht. lra. }
  assert (HN : K / eps < INR n).
  { destruct (archimed (K / eps)) as [A _]. assert (0 <= up (K / eps))%Z by (apply le_IZR; lra).
    apply Rlt_le_trans with (1 := A). rewrite INR_IZR_INZ. apply IZR_le. lia. }
  assert (N : 0 < INR n) by lra. assert (Hn0 : (0 < n)%nat) by (apply INR_lt; simpl; lra).
  rewrite <- (Rabs_pos_eq (/ sqrt (2 * INR n))) by (left; apply Rinv_0_lt_compat, sqrt_lt_R0; lra).
  rewrite <- Rabs_mult, (mean_gap mean c theta0 n lam Lam q k q' k' mu nu sigma e e' X Hn0 H H' E E').
  eapply Rle_lt_trans; [apply gap_linear; assumption|]. fold r K. rewrite EL. set (L := - ln theta0) in *.
  assert (A : forall y, 0 < y -> K / eps < y -> K * (1 / (2 * y)) < eps / 2).
  { intros y Hy Q. clearbody K. apply (Rmult_lt_reg_r (2 * y)); [lra|]. replace (K * (1 / (2 * y)) * (2 * y)) with K by (field; lra).
    apply (Rmult_lt_compat_r eps) in Q; [|lra]. replace (K / eps * eps) with K in Q by (field; lra). lra. }
  rewrite Rmult_plus_distr_l. pose proof (A _ N HN). pose proof (A _ HL HL1). lra.
Qed.
