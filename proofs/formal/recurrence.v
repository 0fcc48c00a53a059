(** At a fixed D the score is almost periodic in the distance: the near value comes back arbitrarily far away. *)
From Coq Require Import Reals Lra Lia Psatz List ListDec.
Open Scope R_scope.
Require Import rope_sums.

(** Pigeons 0..N in holes 0..N-1. *)
Lemma pigeonhole N (g : nat -> nat) : (forall i, (i <= N)%nat -> (g i < N)%nat) ->
  exists i j, (i < j <= N)%nat /\ g i = g j.
Proof.
  revert g. induction N as [|N IH]; intros g H; [specialize (H 0%nat (le_n _)); lia|].
  destruct (in_dec Nat.eq_dec (g (S N)) (map g (seq 0 (S N)))) as [Y|Y].
  - apply in_map_iff in Y. destruct Y as [i [E I]]. apply in_seq in I. exists i, (S N). split; [lia|exact E].
  - assert (NE : forall i, (i <= N)%nat -> g i <> g (S N)).
    { intros i Hi E. apply Y. rewrite <- E. apply in_map, in_seq. lia. }
    destruct (IH (fun i => if Nat.eq_dec (g i) N then g (S N) else g i)) as [i [j [L E]]].
    + intros i Hi. pose proof (H i ltac:(lia)). pose proof (H (S N) (le_n _)). pose proof (NE i Hi).
      destruct (Nat.eq_dec (g i) N); lia.
    + exists i, j. split; [lia|]. pose proof (NE i ltac:(lia)). pose proof (NE j ltac:(lia)).
      destruct (Nat.eq_dec (g i) N); destruct (Nat.eq_dec (g j) N); lia.
Qed.

(** Dirichlet, one number. *)
Lemma dirichlet_one x N : (0 < N)%nat -> exists j (p : Z), (1 <= j <= N)%nat /\ Rabs (INR j * x - IZR p) < / INR N.
Proof.
  intros HN. assert (N0 : 0 < INR N) by (apply lt_0_INR; exact HN).
  set (fl := fun y => (up y - 1)%Z). assert (FL : forall y, IZR (fl y) <= y < IZR (fl y) + 1).
  { intros y. unfold fl. rewrite minus_IZR. destruct (archimed y). lra. }
  set (t := fun i => INR i * x - IZR (fl (INR i * x))).
  assert (T : forall i, 0 <= t i < 1) by (intros i; unfold t; pose proof (FL (INR i * x)); lra).
  set (box := fun i => fl (INR N * t i)).
  assert (B : forall i, (0 <= box i < Z.of_nat N)%Z).
  { intros i. pose proof (T i). destruct (FL (INR N * t i)) as [F1 F2]. fold (box i) in F1, F2. split.
    - assert (-1 < box i)%Z; [|lia]. apply lt_IZR. assert (0 <= INR N * t i) by (apply Rmult_le_pos; lra). lra.
    - apply lt_IZR. rewrite <- INR_IZR_INZ. apply Rle_lt_trans with (1 := F1). nra. }
  destruct (pigeonhole N (fun i => Z.to_nat (box i))) as [i [j [L E]]].
  { intros i _. pose proof (B i). lia. }
  exists (j - i)%nat, (fl (INR j * x)%R - fl (INR i * x)%R)%Z. split; [lia|].
  rewrite minus_INR, minus_IZR by lia.
  replace ((INR j - INR i) * x - (IZR (fl (INR j * x)) - IZR (fl (INR i * x)))) with (t j - t i) by (unfold t; ring).
  apply Z2Nat.inj in E; [|apply B|apply B]. destruct (FL (INR N * t i)). destruct (FL (INR N * t j)). fold (box i) in H, H0. fold (box j) in H1, H2.
  rewrite E in *. apply (Rmult_lt_reg_l (INR N)); [exact N0|]. rewrite Rinv_r by lra.
  rewrite <- (Rabs_pos_eq (INR N)) at 1 by lra. rewrite <- Rabs_mult. apply Rabs_def1; lra.
Qed.

(** Dirichlet, finitely many numbers at once. *)
Lemma dirichlet n (xs : nat -> R) e : 0 < e ->
  exists T, (1 <= T)%nat /\ forall d, (d < n)%nat -> exists p : Z, Rabs (INR T * xs d - IZR p) < e.
Proof.
  revert e. induction n as [|n IH]; intros e He; [exists 1%nat; split; [lia|intros; lia]|].
  set (N := S (Z.to_nat (up (/ e)))). assert (N0 : 0 < INR N) by (apply lt_0_INR; unfold N; lia).
  assert (Ne : / INR N < e).
  { rewrite <- (Rinv_inv e). assert (0 < / e) by (apply Rinv_0_lt_compat; lra). apply Rinv_lt_contravar; [nra|].
    destruct (archimed (/ e)) as [U _]. unfold N. rewrite S_INR.
    assert (0 <= up (/ e))%Z by (apply le_IZR; lra). rewrite INR_IZR_INZ, Z2Nat.id by assumption. lra. }
  destruct (IH (e / INR N)) as [T [T1 HT]]; [apply Rdiv_lt_0_compat; assumption|].
  destruct (dirichlet_one (INR T * xs n) N ltac:(unfold N; lia)) as [j [p [J P]]].
  exists (j * T)%nat. split; [nia|]. intros d Hd. rewrite mult_INR.
  destruct (Nat.eq_dec d n) as [->|NE].
  - exists p. rewrite Rmult_assoc. lra.
  - destruct (HT d ltac:(lia)) as [q Q]. exists (Z.of_nat j * q)%Z. rewrite mult_IZR, <- INR_IZR_INZ.
    replace (INR j * INR T * xs d - INR j * IZR q) with (INR j * (INR T * xs d - IZR q)) by ring.
    rewrite Rabs_mult, (Rabs_pos_eq (INR j)) by apply pos_INR.
    assert (INR j <= INR N) by (apply le_INR; lia). assert (0 < INR j) by (apply lt_0_INR; lia).
    apply Rlt_le_trans with (INR j * (e / INR N)); [apply Rmult_lt_compat_l; assumption|].
    apply Rle_trans with (INR N * (e / INR N)); [apply Rmult_le_compat_r; [left; apply Rdiv_lt_0_compat|]; assumption|].
    right. field. lra.
Qed.

Lemma turn_cos x p : cos (x + 2 * PI * IZR p) = cos x.
Proof.
  destruct p as [|p|p].
  - rewrite Rmult_0_r, Rplus_0_r. reflexivity.
  - rewrite <- (cos_period x (Pos.to_nat p)). f_equal. rewrite INR_IZR_INZ, positive_nat_Z. ring.
  - rewrite <- (cos_period (x + 2 * PI * IZR (Z.neg p)) (Pos.to_nat p)). f_equal.
    rewrite INR_IZR_INZ, positive_nat_Z. replace (Z.neg p) with (- Z.pos p)%Z by reflexivity. rewrite opp_IZR. ring.
Qed.
Lemma turn_sin x p : sin (x + 2 * PI * IZR p) = sin x.
Proof.
  destruct p as [|p|p].
  - rewrite Rmult_0_r, Rplus_0_r. reflexivity.
  - rewrite <- (sin_period x (Pos.to_nat p)). f_equal. rewrite INR_IZR_INZ, positive_nat_Z. ring.
  - rewrite <- (sin_period (x + 2 * PI * IZR (Z.neg p)) (Pos.to_nat p)). f_equal.
    rewrite INR_IZR_INZ, positive_nat_Z. replace (Z.neg p) with (- Z.pos p)%Z by reflexivity. rewrite opp_IZR. ring.
Qed.

(** The near value returns: for every D, base, distance, bound M and e > 0 at some distance lam + T, T >= M. *)
Theorem returns : forall mu nu theta0 n lam (M : nat) eps, (0 < n)%nat -> 0 < eps -> exists T : nat, (M <= T)%nat /\
  Rabs (gamma (2 * PI) mu nu theta0 n lam - gamma (2 * PI) mu nu theta0 n (lam + INR T)) < eps.
Proof.
  intros mu nu theta0 n lam M eps Hn He. set (r := sqrt (mu * mu + nu * nu)). assert (Hr : 0 <= r) by apply sqrt_pos.
  pose proof PI_RGT_0 as P. assert (N : 0 < INR n) by (apply lt_0_INR; exact Hn).
  set (e := eps / (PI * (r + 1))). assert (0 < PI * (r + 1)) by (apply Rmult_lt_0_compat; lra).
  assert (E0 : 0 < e) by (apply Rdiv_lt_0_compat; assumption).
  destruct (dirichlet n (fun d => INR (S M) * freq theta0 n d) e E0) as [T0 [T1 HT]].
  exists (T0 * S M)%nat. split; [nia|]. set (T := (T0 * S M)%nat).
  assert (HT' : forall d, (d < n)%nat -> exists p : Z, Rabs (INR T * freq theta0 n d - IZR p) < e).
  { intros d Hd. destruct (HT d Hd) as [p Hp]. exists p. unfold T. rewrite mult_INR, Rmult_assoc. exact Hp. }
  unfold gamma. rewrite <- Rmult_minus_distr_l, total_minus, Rabs_mult.
  rewrite (Rabs_pos_eq (/ (2 * INR n))) by (left; apply Rinv_0_lt_compat; lra).
  assert (B : Rabs (total (fun d => mu * cos (2 * PI * lam * freq theta0 n d) + nu * sin (2 * PI * lam * freq theta0 n d) -
      (mu * cos (2 * PI * (lam + INR T) * freq theta0 n d) + nu * sin (2 * PI * (lam + INR T) * freq theta0 n d))) n)
    <= INR n * (r * (2 * PI * e))).
  { rewrite <- total_const. apply total_abs. intros d Hd. destruct (HT' d Hd) as [p Hp].
    set (x := 2 * PI * lam * freq theta0 n d). set (y := x + 2 * PI * (INR T * freq theta0 n d - IZR p)).
    replace (2 * PI * (lam + INR T) * freq theta0 n d) with (y + 2 * PI * IZR p) by (unfold y, x; ring).
    rewrite turn_cos, turn_sin. eapply Rle_trans; [apply pair_lipschitz|]. fold r. apply Rmult_le_compat_l; [exact Hr|].
    replace (x - y) with (- (2 * PI * (INR T * freq theta0 n d - IZR p))) by (unfold y; ring).
    rewrite Rabs_Ropp, Rabs_mult, (Rabs_pos_eq (2 * PI)) by lra. apply Rmult_le_compat_l; lra. }
  apply Rle_lt_trans with (/ (2 * INR n) * (INR n * (r * (2 * PI * e)))).
  { apply Rmult_le_compat_l; [left; apply Rinv_0_lt_compat; lra|exact B]. }
  replace (/ (2 * INR n) * (INR n * (r * (2 * PI * e)))) with (r * (PI * e)) by (field; lra).
  replace eps with ((r + 1) * (PI * e)) by (unfold e; field; split; lra).
  apply Rmult_lt_compat_r; [apply Rmult_lt_0_compat; lra|lra].
Qed.
